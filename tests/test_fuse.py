"""Fusion: what is stored, what shares loops, in which order. Texts of telling Programs, and counts where texts are brittle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from programs import MODES, calls, count, golden, kernels, primitives, program_of, temps, three_ways
from work import superlinear

import symdl
import symdl.tensor as T
from symdl.graph.expr import Expr
from symdl.ir.loops import Local
from symdl.ir.program import Call, Program, accesses
from symdl.runtime.storage import SharedVariable

Updates = list[tuple[SharedVariable, Expr]]


def weights(*sizes: int) -> list[SharedVariable]:
    rng = np.random.default_rng(0)
    return [symdl.shared(rng.normal(size=s), f"W{k}") for k, s in enumerate(zip(sizes, sizes[1:], strict=False))]


def softmax() -> Program:
    x = T.matrix("x")
    return program_of([x], [T.softmax(x)])


def cross_entropy() -> Program:
    x, y = T.matrix("x"), T.lvector("y")
    loss = T.categorical_crossentropy(T.softmax(x), y).mean()
    return program_of([x, y], [loss, symdl.grad(loss, x)])


def layer_norm() -> Program:
    x = T.matrix("x")
    centred = x - x.mean(axis=1, keepdims=True)
    return program_of([x], [centred / T.sqrt(T.sqr(centred).mean(axis=1, keepdims=True) + 1e-5)])


def column_sums() -> Program:
    x = T.fmatrix("x")
    return program_of([x], [T.exp(x).sum(axis=0)])


def argmax_and_exp() -> Program:
    x = T.matrix("x")
    return program_of([x], [x.argmax(axis=1), T.exp(x)])


def joined() -> Program:
    x, y = T.matrix("x"), T.matrix("y")
    return program_of([x, y], [T.concatenate([T.tanh(x), y * 2], axis=1)])


def padded() -> Program:
    x = T.vector("x")
    return program_of([x], [T.pad(x, (1, 2)) * 2])


def gathered() -> Program:
    x, i = T.matrix("x"), T.ivector("i")
    return program_of([x, i], [x[i] + 1])


def scattered() -> Program:
    x, v, i = T.matrix("x"), T.matrix("v"), T.lvector("i")
    return program_of([x, v, i], [T.inc_subtensor(x[i], v * 2)])


def transposed_product() -> Program:
    x, y = T.matrix("x"), T.matrix("y")
    return program_of([x, y], [T.dot(x.T, y[::-1])])


def reshape_of_transpose() -> Program:
    x = T.matrix("x")
    return program_of([x], [x.T.reshape((-1,)) * 2])


def views_of_views() -> Program:
    x = T.matrix("x")
    return program_of([x], [x[1:].T[::-1][2:, :1] + 0.5])


def equal_outputs() -> Program:
    x = T.vector("x")
    y = T.exp(x)
    return program_of([x], [y, y, x])


def scalars() -> Program:
    a, b = T.scalar("a"), T.scalar("b")
    return program_of([a, b], [a * b + 1, T.exp(a) - b])


def empty() -> Program:
    return program_of([], [])


def mlp_step() -> Program:
    x, t = T.matrix("x"), T.matrix("t")
    w = weights(5, 4, 3)
    cost = T.sqr(T.dot(T.tanh(T.dot(x, w[0])), w[1]) - t).sum()
    return program_of([x, t], [cost], [(v, v - 0.1 * g) for v, g in zip(w, symdl.grad(cost, w), strict=True)])


def swapped() -> Program:
    a, b = symdl.shared(np.zeros(3), "a"), symdl.shared(np.ones(3), "b")
    return program_of([], [], [(a, b), (b, a)])


GOLDENS: list[Callable[[], Program]] = [
    softmax, cross_entropy, layer_norm, column_sums, argmax_and_exp, joined, padded, gathered, scattered,
    transposed_product, reshape_of_transpose, views_of_views, equal_outputs, scalars, empty, mlp_step, swapped,
]  # fmt: skip


@pytest.mark.parametrize("make", GOLDENS, ids=lambda f: f.__name__)
def test_the_program_reads_as_ever(make: Callable[[], Program]) -> None:
    golden(make.__name__, str(make()))


# ---- kernels ----


def test_softmax_is_one_row_kernel_without_temps() -> None:
    program = softmax()
    assert len(kernels(program)) == 1
    assert not temps(program)  # exp(x - max) of a row, read again by the division, lies where the row's result will
    assert primitives(program, "exp") == 1


def test_softmax_cross_entropy_and_its_gradient_run_by_rows() -> None:
    program = cross_entropy()
    assert len(kernels(program)) <= 3
    assert primitives(program, "exp") <= 2


def test_layer_norm_is_one_row_kernel_without_temps() -> None:
    program = layer_norm()
    assert (len(kernels(program)), temps(program)) == (1, [])


def test_an_mlp_step_writes_its_weights_in_place() -> None:
    program = mlp_step()
    assert calls(program).count("copy") == 0
    written = {v.buffer for s in program.steps for v, writes in accesses(s) if writes}
    assert {b.name for b in program.of_kind("shared")} <= written


def test_updates_of_one_space_share_a_kernel() -> None:
    shareds = [symdl.shared(np.zeros(7), f"s{k}") for k in range(6)]
    program = program_of([], [], [(s, s * 0.5 + 1) for s in shareds])
    assert (len(kernels(program)), calls(program), temps(program)) == (1, [], [])


def test_a_chain_of_values_used_twice_needs_no_memory() -> None:
    x = T.vector("x")
    y: Any = x
    for _ in range(5):
        y = T.tanh(y)
        y = y * y + y
    program = program_of([x], [y])
    assert (len(kernels(program)), temps(program), count(program)) == (1, [], 1)
    assert primitives(program, "tanh") == 5
    three_ways([x], [y], [np.linspace(-1, 1, 11)])


def test_a_long_chain_stores_one_value_per_kernel() -> None:
    x = T.vector("x")
    y: Any = x
    for _ in range(60):
        y = T.tanh(y * 1.01 + x)
    program = program_of([x], [y])
    assert len(kernels(program)) > 3  # bounded in size
    assert len(temps(program)) <= len(kernels(program))
    three_ways([x], [y], [np.linspace(-1, 1, 5)])


def test_reductions_over_one_space_share_their_loops() -> None:
    x = T.matrix("x")
    outputs = [x.sum(), T.sqr(x).sum(), x.max()]
    program = program_of([x], outputs)
    assert len(kernels(program)) == 1
    assert count(program, Local) == 3
    three_ways([x], outputs, [np.ones((2, 3))])


def test_scalars_after_a_full_reduction_stay_in_its_kernel() -> None:
    x = T.matrix("x")
    y = T.sqrt(T.sqr(x).sum()) + 1
    program = program_of([x], [y])
    assert (len(kernels(program)), temps(program)) == (1, [])
    three_ways([x], [y], [np.ones((2, 3))])


def test_one_number_shares_a_kernel_however_many_axes_it_has() -> None:
    x = T.vector("x")
    y = T.tanh(x.sum() + T.sqr(x).sum())
    z = T.expand_dims(T.tanh(y) * y, (0, 1)) + T.sqr(x).sum(keepdims=True)
    program = program_of([x], [z])
    assert (len(kernels(program)), temps(program)) == (1, [])
    three_ways([x], [z], [np.linspace(-1, 1, 11)])


def test_what_another_kernel_reads_is_stored() -> None:
    x = T.matrix("x")
    y = T.tanh(x)
    z = [y.sum(axis=1), T.dot(y, y)]
    program = program_of([x], z)
    assert len(temps(program)) == 1
    three_ways([x], z, [np.arange(9.0).reshape(3, 3)])


def test_only_the_result_of_max_and_argmax_that_is_used_is_stored() -> None:
    x = T.matrix("x")
    program = program_of([x], [x.argmax(axis=1)])
    assert (temps(program), count(program)) == ([], 1)


def test_a_costly_value_is_not_computed_once_an_element_of_what_it_is_stretched_to() -> None:
    x, v = T.matrix("x"), T.vector("v")
    for stretched in (x * T.exp(v), x * (T.exp(v) * 2)[None, :], x * T.exp(v.sum())):
        program = program_of([x, v], [stretched])
        assert len(kernels(program)) == 2, str(program)
        three_ways([x, v], [stretched], [np.ones((2, 3)), np.arange(3.0)])


def test_a_costly_index_is_computed_once_a_row() -> None:
    x, v = T.matrix("x"), T.vector("v")
    y = x[T.cast(T.floor(T.exp(v)), "int64")]
    program = program_of([x, v], [y])
    assert (len(kernels(program)), temps(program), count(program, Local)) == (1, [], 1)
    three_ways([x, v], [y], [np.arange(12.0).reshape(4, 3), np.array([0.0, 1.0])])


def test_sums_of_columns_share_the_loops_of_what_they_sum() -> None:
    x = T.fmatrix("x")
    y = T.tanh(x)
    outputs = [y.sum(axis=0), y.max(axis=0), y.sum(axis=1)]
    program = program_of([x], outputs)
    assert len(kernels(program)) == 1
    (name,) = temps(program)  # the accumulators in float64 of a sum in float32
    assert program.buffers[name].dtype == "float64"
    assert primitives(program, "tanh") == 1
    three_ways([x], outputs, [np.arange(12.0).reshape(3, 4).astype(np.float32)], rtol=1e-6)
    three_ways([x], outputs[:1], [np.zeros((0, 4), np.float32)])


def test_what_reads_a_sum_of_columns_waits_for_the_last_row() -> None:
    x = T.tensor("x", dtype="float64", shape=(4, 4))
    total = x.sum(axis=0)
    outputs = [x - total, x / total[:, None], total.max(), x.sum(axis=0, keepdims=True) * x]
    three_ways([x], outputs, [np.arange(16.0).reshape(4, 4) + 1])


def test_equal_formulas_of_different_nodes_are_stored_once() -> None:
    x = T.matrix("x")
    one, two = T.exp(x[:, ::-1][:, ::-1]), T.exp(x)  # two nodes with one index map
    outputs = [one.sum(axis=1) + T.dot(one, one.T)[0], two.sum(axis=1) + T.dot(two, two.T)[1]]
    program = program_of([x], outputs)
    assert primitives(program, "exp") == 1
    three_ways([x], outputs, [np.linspace(0, 1, 6).reshape(2, 3)[:, :2]])


# ---- order ----


def test_a_running_sum_down_the_columns_of_a_square_is_whole_before_rows_read_it() -> None:
    x = T.tensor("x", dtype="float64", shape=(4, 4))
    z = x.cumsum(axis=0)
    (_, got) = three_ways([x], [z, z + 1], [np.arange(16.0).reshape(4, 4)])
    np.testing.assert_array_equal(got, np.arange(16.0).reshape(4, 4).cumsum(0) + 1)


def test_a_reduction_that_keeps_more_axes_than_its_group_shares() -> None:
    x, i = T.tensor("x", dtype="float64", shape=(2, 3, None)), T.lscalar("i")
    best = T.max(x, axis=2)
    outputs = [T.tanh(best), best[:, i:] * 2]
    three_ways([x, i], outputs, [np.arange(24.0).reshape(2, 3, 4), np.int64(1)])


def test_what_is_read_at_other_indices_is_whole_before() -> None:
    x = T.tensor("x", dtype="float64", shape=(5, 5))
    y = T.tanh(x)
    outputs = [y, y + y[::-1], y + y.T, y + T.roll(y, 1, 1), y.sum(axis=1) + y[0]]
    three_ways([x], outputs, [np.random.default_rng(0).normal(size=(5, 5))])


def test_a_row_that_is_read_backwards_is_whole_before() -> None:
    x = T.matrix("x")
    e = T.exp(x - x.max(axis=1, keepdims=True))
    outputs = [e - e[:, ::-1], e.sum(axis=1)]
    program = program_of([x], outputs)
    assert len(kernels(program)) == 1
    assert [len(program.buffers[name].shape) for name in temps(program)] == [1]
    three_ways([x], outputs, [np.arange(12.0).reshape(3, 4)])


def test_pieces_of_a_join_are_not_read_before_all_are_there() -> None:
    x, y = T.matrix("x"), T.matrix("y")
    z = T.concatenate([T.tanh(x), T.tanh(y)], axis=0)
    outputs = [z, z[1:] * 2, z.sum(axis=1), T.tanh(x) + 1]
    three_ways([x, y], outputs, [np.ones((3, 2)), np.ones((3, 2)) * 2])


def test_a_scatter_leaves_what_it_starts_from() -> None:
    x, i = T.matrix("x"), T.lvector("i")
    base = T.tanh(x)
    z = T.inc_subtensor(base[i], 1.0)
    outputs = [base, z, base + z, T.set_subtensor(z[i], base[i])]
    three_ways([x, i], outputs, [np.ones((3, 2)), np.array([0, 0, 2])])


def test_updates_read_old_values() -> None:
    for mode in MODES:
        a, b, c = (symdl.shared(np.arange(3.0) + k, f"s{k}") for k in range(3))
        f = symdl.function([], [a + b], updates=[(a, b), (b, a), (c, c + a * b)], mode=mode)
        f()
        (total,) = f()
        np.testing.assert_array_equal(total, [1, 3, 5])
        np.testing.assert_array_equal(a.get_value(), np.arange(3.0))
        np.testing.assert_array_equal(b.get_value(), np.arange(3.0) + 1)
        np.testing.assert_array_equal(c.get_value(), np.arange(3.0) + 2 + 2 * np.arange(3.0) * (np.arange(3.0) + 1))


def test_several_updates_by_one_value() -> None:
    for mode in MODES:
        a, b, c = (symdl.shared(np.arange(3.0), f"s{k}") for k in range(3))
        new = T.exp(a)
        f = symdl.function([], new, updates=[(a, new), (b, new), (c, new[::-1])], mode=mode)
        expected = np.exp(np.arange(3.0))
        np.testing.assert_allclose(f(), expected, rtol=1e-15)
        for s, want in ((a, expected), (b, expected), (c, expected[::-1])):
            np.testing.assert_allclose(s.get_value(), want, rtol=1e-15)


def test_an_update_that_is_an_output_or_an_input_needs_one_copy() -> None:
    x, s, r = T.vector("x"), symdl.shared(np.zeros(3), "s"), symdl.shared(np.zeros(3), "r")
    y = T.exp(s)
    program = program_of([x], [y], [(s, y)])
    assert (calls(program), temps(program)) == (["copy"], [])
    wide = T.broadcast_to(x, (3,))
    program = lowered_of([x], [], [(r, wide)])
    assert (calls(program), temps(program)) == (["copy"], [])


def lowered_of(inputs: list[Expr], outputs: list[Expr], updates: Updates) -> Program:
    program = symdl.function(inputs, outputs, updates=updates).lowered.program
    assert isinstance(program, Program)
    return program


# ---- growth ----


def wide(shape: Callable[[int], tuple[int, ...]], length: int) -> Callable[[int], Callable[[], Any]]:
    """Independent outputs, each a chain of 2 * length operations of its own shape."""

    def prepare(n: int) -> Callable[[], Any]:
        xs = [T.tensor(f"x{k}", dtype="float64", shape=shape(k)) for k in range(n)]
        outputs = []
        for k, x in enumerate(xs):
            y: Any = x
            for _ in range(length):
                y = T.tanh(y) + k
            outputs.append(y)
        return lambda: program_of(xs, outputs)

    return prepare


def test_wide_graphs_of_many_sizes_take_work_in_proportion() -> None:
    """No group is sought by a walk through all groups."""
    assert superlinear(wide(lambda k: (k + 1,), 1), 20) == []


def test_wide_graphs_of_one_size_take_work_in_proportion() -> None:
    """Nor by a walk through all that share a unit's space: here no group has room for a second unit."""
    make = wide(lambda k: (3,), 7)
    assert len(kernels(make(6)())) == 6
    assert superlinear(make, 12) == []


def test_many_units_of_one_space_are_packed_into_full_kernels() -> None:
    x = T.vector("x")
    program = program_of([x], [T.tanh(x + k) for k in range(60)])
    assert len(kernels(program)) < 12


# ---- anything ----


def updated(seed: int, mode: str) -> list[Any]:
    """What three shared matrices, each set to a random function of all of them, hold after two calls."""
    rng = np.random.default_rng(seed)
    shareds = [symdl.shared(rng.integers(-16, 17, (4, 4)) / 8, f"s{k}") for k in range(3)]
    pool: list[Any] = list(shareds)

    def pick() -> Any:
        return pool[int(rng.integers(len(pool)))]

    def grown() -> Any:
        a, b, k = pick(), pick(), int(rng.integers(16))
        choices: list[Callable[[], Any]] = [
            lambda: a + b, lambda: a - b, lambda: a * 0.5 + b, lambda: T.maximum(a, b), lambda: a.T, lambda: a[::-1],
            lambda: T.roll(a, 1, 1), lambda: a - a.mean(axis=1, keepdims=True), lambda: a - a.max(axis=0),
            lambda: T.dot(a, b) * 0.1, lambda: T.where(a > b, a, b.T), lambda: a.cumsum(axis=0) * 0.25,
            lambda: T.set_subtensor(a[1:3], b[:2]), lambda: T.inc_subtensor(a[[0, 2, 2]], b[:3]),
            lambda: T.concatenate([a[2:], b[:2]]), lambda: a.reshape((2, 8)).T.reshape((4, 4)),
        ]  # fmt: skip
        return choices[k]()

    for _ in range(int(rng.integers(2, 9))):
        pool += [grown()]
    news = [pool[-1 - int(rng.integers(min(4, len(pool))))] for _ in shareds]
    extra = [pick()] if rng.integers(2) else []
    f = symdl.function([], extra, updates=list(zip(shareds, news, strict=True)), mode=mode)
    outputs = [f() for _ in range(2)][-1]
    return [*outputs, *(s.get_value() for s in shareds)]


@pytest.mark.parametrize("first", range(0, 24, 8))
def test_random_updates_agree_three_ways(first: int) -> None:
    for seed in range(first, first + 8):
        oracle, *others = (updated(seed, mode) for mode in MODES)
        for other in others:
            for expected, got in zip(oracle, other, strict=True):
                np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12, err_msg=f"seed {seed}")


def test_library_calls_write_apart_from_what_they_read() -> None:
    x = T.matrix("x")
    program = program_of([x], [T.dot(x, x.T), T.dot(x.T, x)])
    for step in program.steps:
        assert isinstance(step, Call)
        assert step.views[-1].buffer not in {v.buffer for v in step.views[:-1]}


def test_what_constants_alone_decide_comes_first() -> None:
    """log 2 in two limbs is a step of its own; between two kernels it would have them store what they share."""
    g, t = T.vector("g"), T.vector("t")
    f = symdl.function([g, t], [symdl.grad((T.log(T.cosh(g * t)) / (g * g)).sum(), g)])
    steps = f.lowered.program.steps
    assert [[len(v.shape) for v, is_written in accesses(s) if is_written] for s in steps] == [[0], [1]]
