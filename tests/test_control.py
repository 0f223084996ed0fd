"""scan, map, reduce, foldl, foldr and ifelse: three ways against plain Python, gradients against finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import symdl
import symdl.tensor as T
from symdl import foldl, foldr, function, grad, ifelse, reduce, scan, until
from symdl import map as scan_map
from symdl.errors import DtypeError, InputError, ShapeError
from symdl.graph.expr import Expr
from symdl.ir.program import Call, inner
from symdl.ir.renaming import all_within
from symdl.passes import unrolled as unrolling


@pytest.fixture(autouse=True)
def _short_loops_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops of a few rounds of arithmetic are run as loops here; written out they are tested in test_unrolled."""
    monkeypatch.setattr(unrolling, "ROUNDS", 0)


MODES = ("numpy", "interpreter", "native")


def three_ways(inputs: Sequence[Expr], outputs: Any, *values: Any, rtol: float = 1e-12) -> list[Any]:
    """What the oracle, the Program's interpreter and machine code say, which must agree."""
    several = outputs if isinstance(outputs, list) else [outputs]
    found = [function(inputs, several, mode=m, on_unused_input="ignore")(*values) for m in MODES]
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            assert a.dtype == b.dtype
            assert a.shape == b.shape
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)
    return list(found[-1])


def check_gradient(inputs: Sequence[Expr], cost: Expr, *values: Any, wrt: Sequence[int] | None = None) -> None:
    """The gradient, three ways, against central differences of the oracle."""
    chosen = [k for k, x in enumerate(inputs) if x.type.dtype == "float64"] if wrt is None else wrt
    grads = three_ways(inputs, grad(cost, [inputs[k] for k in chosen]), *values, rtol=1e-9)
    f = function(inputs, cost, mode="numpy")
    for k, g in zip(chosen, grads, strict=True):
        wanted = np.zeros_like(g)
        for at in np.ndindex(g.shape):
            ends = []
            for step in (1e-6, -1e-6):
                moved = [np.array(v) for v in values]
                moved[k][at] += step
                ends.append(f(*moved))
            wanted[at] = (ends[0] - ends[1]) / 2e-6
        np.testing.assert_allclose(g, wanted, rtol=2e-6, atol=1e-7)


def rand(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed + sum(shape)).normal(size=shape)


# ---- values ----


def test_cumulative_sum() -> None:
    x = T.dvector("x")
    out, updates = scan(lambda a, s: s + a, x, 0.0)
    assert updates == {}
    np.testing.assert_array_equal(three_ways([x], out, np.arange(5.0))[0], [0, 1, 3, 6, 10])


def test_two_taps_and_symbolic_steps() -> None:
    n = T.lscalar("n")
    first = T.constant(np.array([0, 1]))
    out, _ = scan(lambda a, b: a + b, outputs_info={"initial": first, "taps": [-1, -2]}, n_steps=n)
    np.testing.assert_array_equal(three_ways([n], out, 8)[0], [1, 2, 3, 5, 8, 13, 21, 34])
    assert three_ways([n], out[-1], 8)[0] == 34
    assert three_ways([n], out, 0)[0].shape == (0,)


def test_sequence_taps_in_the_past_and_the_future() -> None:
    x = T.dvector("x")
    out, _ = scan(lambda a, b, c: a + 10 * b + 100 * c, {"input": x, "taps": [-2, 0, 1]})
    v = np.arange(7.0)
    np.testing.assert_array_equal(three_ways([x], out, v)[0], v[:-3] + 10 * v[2:-1] + 100 * v[3:])
    back, _ = scan(lambda a, b: a + 10 * b, {"input": x, "taps": [0, 2]}, go_backwards=True)
    np.testing.assert_array_equal(three_ways([x], back, v)[0], (v[:-2] + 10 * v[2:])[::-1])


def test_the_order_of_arguments() -> None:
    seen: list[Any] = []

    def step(*args: Any) -> Any:
        seen[:] = [a.name for a in args]
        return args[1] + args[2], args[3]

    x, h, w = T.dvector("x"), T.dvector("h"), T.dscalar("w")
    scan(step, {"input": x, "taps": [0]}, [{"initial": h, "taps": [-2, -1]}, None], w)
    assert seen == ["x[t]", "h[t-2]", "h[t-1]", "w"]


@pytest.mark.parametrize("backwards", [False, True])
def test_go_backwards_and_negative_steps(backwards: bool) -> None:
    x = T.dvector("x")
    out, _ = scan(lambda a, s: 2 * s + a, x, 0.0, go_backwards=backwards)
    other, _ = scan(lambda a, s: 2 * s + a, x, 0.0, n_steps=-4, go_backwards=not backwards)
    v = np.arange(1.0, 5.0)
    found = three_ways([x], [out, other], v)
    np.testing.assert_array_equal(found[0], found[1])
    order = v[::-1] if backwards else v
    np.testing.assert_array_equal(found[0], [sum(2.0 ** (t - k) * order[k] for k in range(t + 1)) for t in range(4)])


def test_the_shortest_sequence_counts() -> None:
    x, y = T.dvectors("x", "y")
    out, _ = scan(lambda a, b: a * b, [x, y])
    assert three_ways([x, y], out, np.ones(3), np.ones(5))[0].shape == (3,)
    assert three_ways([x, y], out, np.ones(6), np.ones(2))[0].shape == (2,)


def test_no_steps_and_empty_batches() -> None:
    x = T.dmatrix("x")
    out, _ = scan(lambda r, s: T.tanh(r + s), x, T.zeros_like(x[0]))
    for shape in ((0, 3), (4, 0), (1, 2)):
        assert three_ways([x], [out, grad(out.sum(), x)], rand(*shape))[1].shape == shape


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
def test_states_of_every_dtype(dtype: str) -> None:
    x = T.tensor("x", dtype, (None, 3))
    out, _ = scan(lambda r, s: T.maximum(r, s) + r, x, T.zeros((3,), dtype))
    assert out.type.dtype == dtype
    v = (rand(5, 3) * 10).astype(dtype)
    s = np.zeros(3, dtype)
    for row, found in zip(v, three_ways([x], out, v, rtol=1e-6)[0], strict=True):
        s = np.maximum(row, s) + row
        np.testing.assert_allclose(found, s, rtol=1e-6)


def test_bool_states() -> None:
    x = T.tensor("x", "bool", (None,))
    out, _ = scan(lambda a, s: a ^ s, x, T.constant(False))
    v = np.array([True, False, True, True])
    np.testing.assert_array_equal(three_ways([x], out, v)[0], np.logical_xor.accumulate(v))


def test_map_reduce_and_folds() -> None:
    x, m = T.dvector("x"), T.dmatrix("m")
    v, w = np.arange(1.0, 5.0), rand(3, 4)
    np.testing.assert_allclose(three_ways([m], scan_map(lambda r: r.sum(), m)[0], w)[0], w.sum(1))
    assert three_ways([x], reduce(lambda a, s: s * a, x, 1.0)[0], v)[0] == 24
    assert three_ways([x], foldl(lambda a, s: 2 * s + a, x, 0.0)[0], v)[0] == 26
    assert three_ways([x], foldr(lambda a, s: 2 * s + a, x, 0.0)[0], v)[0] == 49


def test_shared_values_are_found_and_updated() -> None:
    c = symdl.shared(np.array(1.0), "c")
    out, updates = scan(lambda: (c * 2, {c: c + 1}), n_steps=4)
    assert list(updates) == [c]
    f = function([], out, updates=updates)
    np.testing.assert_array_equal(f(), [2, 4, 6, 8])
    assert c.get_value() == 5
    np.testing.assert_array_equal(f(), [10, 12, 14, 16])


def test_a_loop_in_a_loop() -> None:
    a, n = T.dmatrix("a"), T.lscalar("n")

    def powers(i: Expr) -> Any:
        out, _ = scan(lambda p, a: T.dot(p, a), outputs_info=a, non_sequences=a, n_steps=2)
        return out[-1] * (i + 1)

    out, _ = scan_map(powers, T.arange(n))
    v = rand(3, 3)
    cube = v @ v @ v
    np.testing.assert_allclose(three_ways([a, n], out, v, 3)[0], [cube, 2 * cube, 3 * cube], rtol=1e-12)
    check_gradient([a, n], (out**2).sum(), v, 2)


def test_power_iteration() -> None:
    a, v = T.dmatrix("a"), T.dvector("v")

    def step(v: Expr) -> Expr:
        w = T.dot(a, v)
        return w / T.sqrt((w**2).sum())

    out, _ = scan(step, outputs_info=v, n_steps=60)
    m = rand(4, 4)
    m = m @ m.T
    found = three_ways([a, v], out[-1], m, np.ones(4), rtol=1e-9)[0]
    assert found @ m @ found == pytest.approx(np.linalg.eigvalsh(m)[-1], rel=1e-6)


# ---- types of states ----


def test_states_widen_and_grow() -> None:
    x = T.fmatrix("x")
    out, _ = scan(lambda r, s: s + r, x, 0.0)
    assert str(out.type) == "float32[?, ?]"
    out, _ = scan(lambda r, s: s + r.astype("float64"), x, T.zeros((1,), "float32"))
    assert str(out.type) == "float64[?, ?]"
    np.testing.assert_array_equal(three_ways([x], out, np.ones((2, 3), "float32"))[0], [[1, 1, 1], [2, 2, 2]])
    out, _ = scan(lambda r, s: s + 1, x, 0)
    assert str(out.type) == "int64[?]"


# ---- random numbers ----


def test_draws_are_new_in_each_step_and_each_call() -> None:
    n = T.lscalar("n")
    stream = symdl.RandomStream(3)
    out, updates = scan(lambda s: s + stream.normal((2,)), outputs_info=T.zeros((2,), "float64"), n_steps=n)
    assert list(updates) == [stream.state]
    first, second = (function([n], out, mode=m) for m in ("native", "numpy"))
    a = first(50)
    stream.set_state((3, 0))
    np.testing.assert_allclose(second(50), a, rtol=1e-12)
    steps = np.diff(a, axis=0).ravel()
    assert len(set(steps)) == steps.size
    assert not np.allclose(first(50), a)
    assert abs(steps.mean()) < 0.5
    stream.set_state((3, 0))
    np.testing.assert_array_equal(function([n], out, updates=updates)(50), a)


def test_a_draw_made_outside_is_one_for_all_steps() -> None:
    stream = symdl.RandomStream(5)
    noise = stream.uniform((2,))
    out, _ = scan(lambda: noise, n_steps=3)
    found = function([], out)()
    assert (found == found[0]).all()


# ---- gradients ----


def test_gradient_of_a_recurrent_net() -> None:
    w, h, x = T.dmatrix("w"), T.dvector("h"), T.dmatrix("x")
    out, _ = scan(lambda r, s, w: T.tanh(r + T.dot(w, s)), x, h, w)
    values = rand(3, 3), rand(3), rand(6, 3)
    check_gradient([w, h, x], (out**2).sum(), *values)
    check_gradient([w, h, x], out[-1].sum(), *values)
    check_gradient([w, h, x], out[-1].sum() + (out[:-1] ** 2).sum(), *values)
    check_gradient([w, h, x], out[2].sum(), *values)


def lstm(x: Expr, h: Expr, c: Expr, w: Expr, u: Expr, b: Expr, n: int) -> Any:
    def step(row: Expr, h: Expr, c: Expr) -> Any:
        z = T.dot(row, w) + T.dot(h, u) + b
        i, f, o = (T.sigmoid(z[:, k * n : (k + 1) * n]) for k in range(3))
        c = f * c + i * T.tanh(z[:, 3 * n :])
        return o * T.tanh(c), c

    return scan(step, x, [h, c])[0]


def lstm_variables() -> list[Expr]:
    shapes = {"x": (None, None, 2), "h": (None, 3), "c": (None, 3), "w": (2, 12), "u": (3, 12), "b": (12,)}
    return [T.tensor(name, "float64", shape) for name, shape in shapes.items()]


def test_gradient_of_an_lstm() -> None:
    x, h, c, w, u, b = lstm_variables()
    hs, cs = lstm(x, h, c, w, u, b, 3)
    values = rand(4, 2, 2), rand(2, 3), rand(2, 3), rand(2, 12), rand(3, 12), rand(12)
    check_gradient([x, h, c, w, u, b], (hs**2).sum() + cs[-1].sum(), *values)


@pytest.mark.parametrize("taps", [[-1, -3], [-2], [-3, -1, -2]])
def test_gradient_with_taps(taps: list[int]) -> None:
    a, x = T.dmatrix("a"), T.dmatrix("x")

    def step(row: Expr, *before: Expr) -> Expr:
        out = row
        for k, b in enumerate(before):
            out = out + T.sin((k + 1) * b)
        return out

    out, _ = scan(step, x, {"initial": a, "taps": taps})
    check_gradient([a, x], (out**2).sum() + out[-1].sum(), rand(-min(taps), 2), rand(5, 2))


def test_gradient_against_the_unrolled_graph() -> None:
    x, h = T.dmatrix("x"), T.dvector("h")
    out, _ = scan(lambda r, s: T.sigmoid(r * s) + s, x, h)
    s, rows = h, []
    for k in range(5):
        s = T.sigmoid(x[k] * s) + s
        rows.append(s)
    unrolled = T.stack(rows)
    values = rand(5, 3), rand(3)
    for cost, plain in (((out**3).sum(), (unrolled**3).sum()), (out[-1].sum(), unrolled[-1].sum())):
        a = function([x, h], [cost, *grad(cost, [x, h])])(*values)
        b = function([x, h], [plain, *grad(plain, [x, h])])(*values)
        for p, q in zip(a, b, strict=True):
            np.testing.assert_allclose(p, q, rtol=1e-13, atol=1e-15)


def test_second_derivatives() -> None:
    x, h = T.dvector("x"), T.dscalar("h")
    out, _ = scan(lambda a, s: T.sin(s * a), x, h)
    check_gradient([x, h], grad(out[-1], h), np.array([0.3, 0.7, 1.2]), np.array(0.4))


def test_jacobians_of_loops_and_branches_are_batches() -> None:
    y = T.tensor("y", "float64", (3,))
    out, _ = scan(lambda a, s: s * a + T.sin(a), y, 1.0)
    v = np.array([0.1, 0.2, 0.3])
    rows = [function([y], grad(out[k], y))(v) for k in range(3)]
    np.testing.assert_allclose(three_ways([y], symdl.tensor.jacobian(out, y), v)[0], rows, rtol=1e-12)
    chosen = ifelse(T.gt(y[0], 0), T.sin(y), y * y)
    np.testing.assert_allclose(three_ways([y], symdl.tensor.jacobian(chosen, y), v)[0], np.diag(np.cos(v)), rtol=1e-12)


def test_truncated_gradient() -> None:
    x, w = T.dvector("x"), T.dscalar("w")
    out, _ = scan(lambda a, s: s * w + a, x, 0.0, truncate_gradient=2)
    found = three_ways([x, w], grad(out[-1], [x, w]), np.arange(1.0, 5.0), 2.0)
    np.testing.assert_array_equal(found[0], [0, 0, 2, 1])
    assert found[1] == 11 + 2 * 4  # the states before the last two steps count as constants


def test_gradient_backwards_with_unequal_lengths() -> None:
    x, y = T.dvectors("x", "y")
    out, _ = scan(lambda a, b, s: s * a + b, [x, y], T.constant(1.0), go_backwards=True)
    check_gradient([x, y], (out**2).sum(), rand(5), rand(3))


def test_gradient_through_shapes_that_the_loop_makes() -> None:
    x = T.dmatrix("x")
    out, _ = scan(lambda r: T.outer(r, r).sum(0) / (1 + r.sum() ** 2), x)
    check_gradient([x], (out**2).sum(), rand(3, 4))


# ---- loops that a condition ends ----


def test_until_cuts_the_outputs_off() -> None:
    m = T.dscalar("m")
    out, _ = scan(lambda p, m: (p * 2, until(p * 2 > m)), outputs_info=T.constant(1.0), non_sequences=m, n_steps=1024)
    for mode in MODES:
        f = function([m], [out, out[-1]], mode=mode)
        np.testing.assert_array_equal(f(45.0)[0], [2, 4, 8, 16, 32, 64])
        assert f(1000.0)[1] == 1024
        assert f(0.0)[0].shape == (1,)


def test_bisection_in_a_map_keeps_no_trace() -> None:
    a = T.dvector("a")

    def root(c: Expr) -> Any:
        def halve(low: Expr, high: Expr) -> Any:
            middle = (low + high) / 2
            above = middle * middle > c
            low, high = T.where(above, low, middle), T.where(above, middle, high)
            return [low, high], until(high - low < 1e-12)

        (low, _), _ = scan(halve, outputs_info=[T.constant(0.0), T.constant(10.0)], n_steps=100)
        return low[-1]

    out, _ = scan_map(root, a)
    np.testing.assert_allclose(three_ways([a], out, np.array([2.0, 9.0, 50.0]))[0], np.sqrt([2, 9, 50]), atol=1e-11)


def test_gradient_of_a_loop_that_a_condition_ends() -> None:
    x, a = T.dscalar("x"), T.dvector("a")

    def step(r: Expr, s: Expr) -> Any:
        n = T.sin(s * r) + s
        return [n, n * r], until(n > 1.5)

    (states, rows), _ = scan(step, a, [x, None])
    cost = (states**2).sum() + rows[-1] + states[-1] ** 3
    for end in (0.9, 0.5):
        check_gradient([x, a], cost, np.array(0.4), np.linspace(0.3, end, 8))
    check_gradient([x, a], states[-1] + rows[-1], np.array(0.4), np.linspace(0.3, 0.9, 8))


# ---- checkpoints ----


@pytest.mark.parametrize("length", [12, 10])
def test_checkpoints_give_every_nth_step_and_the_same_gradient(length: int) -> None:
    x, h = T.dmatrix("x"), T.dvector("h")
    every = symdl.scan_checkpoints(lambda r, s: T.tanh(r + s), x, h, save_every_N=4)[0]
    plain = scan(lambda r, s: T.tanh(r + s), x, h)[0]
    v, w = rand(length, 3), rand(3)
    found = three_ways([x, h], [every, *grad((every[:2] ** 2).sum(), [x, h])], v, w)
    wanted = function([x, h], [plain, *grad((plain[3::4][:2] ** 2).sum(), [x, h])])(v, w)
    np.testing.assert_allclose(found[0][:2], wanted[0][3::4][:2], rtol=1e-12)
    assert found[0].shape == (3, 3)
    for a, b in zip(found[1:], wanted[1:], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-14)


# ---- what is moved out of loops ----


def programs_of(inputs: Sequence[Expr], outputs: Any) -> tuple[list[Any], list[Any]]:
    """(steps outside all loops, steps inside one) of a function, Calls by their name."""
    outside: list[Any] = []
    inside: list[Any] = []
    for step in function(inputs, outputs).lowered.program.steps:
        within = [s for body in inner(step) for s in all_within(body)]
        outside += [] if within else [step.name if isinstance(step, Call) else "kernel"]
        inside += [s.name if isinstance(s, Call) else "kernel" for s in within]
    return outside, inside


def test_products_leave_the_loops() -> None:
    """Forward: rows of x by w at once, h by u in each step; backward: one product a step, one for each weight."""
    x, h, c, w, u, b = lstm_variables()
    hs, _ = lstm(x, h, c, w, u, b, 3)
    outside, inside = programs_of([x, h, c, w, u, b], grad((hs**2).sum(), [w, u, b]))
    assert outside.count("matmul") == 3
    assert inside.count("matmul") == 2


def test_what_never_changes_is_computed_once() -> None:
    x, w = T.dmatrix("x"), T.dmatrix("w")
    out, _ = scan(lambda r, s: T.dot(s, T.dot(w, w)) + T.exp(w).sum(0) * r, x, T.zeros((3,)))
    outside, inside = programs_of([x, w], out)
    assert outside.count("matmul") == 1
    assert "matmul" not in inside
    assert len(inside) == 2  # the kernel of a step, and what moves the state home


def test_only_the_last_states_are_kept() -> None:
    x = T.fmatrix("x")
    out, _ = scan(lambda r, s: T.tanh(r + s), x, T.zeros_like(x[0]))
    program = function([x], out[-1]).lowered.program
    assert all(len(b.shape) == 1 or b.shape[0] == 1 for b in program.of_kind("temp"))


def test_a_trace_that_nobody_reads_is_a_ring() -> None:
    """Of as many rows as there are taps, and the one in the making, told by the profile's bytes."""
    x, h = T.tensor("x", "float64", (1000, 64)), T.tensor("h", "float64", (3, 64))
    out, _ = scan(lambda r, a, b: T.tanh(r + a * b), x, {"initial": h, "taps": [-1, -3]})
    row = 64 * 8
    for result, least, most in ((out[-1], 3, 4), (out.sum(), 1000, 1004)):
        profile = function([x, h], result).profile(rand(1000, 64), rand(3, 64))
        assert least * row <= profile.arena <= most * row


# ---- ifelse ----


def test_ifelse_takes_one_branch_and_its_gradient() -> None:
    x = T.dscalar("x")
    y = ifelse(x > 0, T.log(x), x * x)
    for v in (2.0, -3.0):
        found = three_ways([x], [y, grad(y, x)], v)
        assert found[0] == pytest.approx(np.log(v) if v > 0 else v * v)
        assert found[1] == pytest.approx(1 / v if v > 0 else 2 * v)


def test_ifelse_is_lazy() -> None:
    """An index that lies outside fails only in the branch that is taken."""
    x, k, c = T.dvector("x"), T.lvector("k"), T.scalar("c", "bool")
    f = function([x, k, c], ifelse(c, x[k], x[:1]))
    np.testing.assert_array_equal(f(np.arange(3.0), np.array([2]), True), [2])
    np.testing.assert_array_equal(f(np.arange(3.0), np.array([7]), False), [0])
    with pytest.raises(IndexError):
        f(np.arange(3.0), np.array([7]), True)


@pytest.mark.parametrize("mode", ["numpy", "native"])
def test_a_branch_that_is_not_taken_is_not_run(mode: str) -> None:
    """Counted by an op that a user declares; its gradient is as lazy."""
    counts = {"then": 0, "other": 0}

    def counting(name: str) -> Callable[[Expr], Expr]:
        def run(a: Any) -> Any:
            counts[name] += 1
            return a * 2

        def back(inputs: Any, outputs: Any, gradients: Any) -> list[Any]:
            return [op(gradients[0])]

        op: Callable[[Expr], Expr] = symdl.as_op([T.dvector], [T.dvector], lambda shapes: shapes, back)(run)
        return op

    x, c = T.dvector("x"), T.lscalar("c")
    y = ifelse(c, counting("then")(x), counting("other")(x + 1))
    f = function([x, c], [y, grad(y.sum(), x)], mode=mode)
    v = np.arange(3.0)
    for k, (then, other) in enumerate(((2, 0), (2, 2), (4, 2))):
        out, g = f(v, (k + 1) % 2)
        assert (counts["then"], counts["other"]) == (then, other)
        np.testing.assert_array_equal(out, 2 * (v + k % 2))
        np.testing.assert_array_equal(g, [2, 2, 2])


def test_a_condition_that_is_known_takes_its_branch() -> None:
    """Also where it becomes known by givens; a condition may be a formula of indices, too."""
    x, training = T.dvector("x"), T.iscalar("training")
    y = ifelse(T.neq(training, 0), x * 2, T.exp(x))
    v = np.array([0.5, 1.0])
    for flag, wanted in ((1, [2.0, 2.0]), (0, np.exp(v))):
        f = function([x], [grad(y.sum(), x)], givens={training: np.int32(flag)})
        assert not any(inner(s) for s in f.lowered.program.steps)
        np.testing.assert_allclose(f(v)[0], wanted)
    np.testing.assert_array_equal(three_ways([x], ifelse(T.constant(False), x, x + 1), v)[0], v + 1)
    counted, _ = scan(lambda k, a: ifelse(k, a, a * 3), T.arange(3), x)
    np.testing.assert_array_equal(three_ways([x], counted, v)[0], [3 * v] * 3)
    np.testing.assert_array_equal(three_ways([x], ifelse(x.shape[0], x, x + 1), v)[0], v)


def test_ifelse_of_lists_and_in_loops() -> None:
    x, y = T.dvectors("x", "y")
    a, b = ifelse(T.gt(x.sum(), 0), [x * 2, y], [y, x + 1])
    v, w = np.ones(3), np.arange(3.0)
    np.testing.assert_array_equal(three_ways([x, y], [a, b], v, w), [v * 2, w])
    np.testing.assert_array_equal(three_ways([x, y], [a, b], -v, w), [w, -v + 1])
    check_gradient([x, y], (a * b).sum(), v, w)
    s = T.dscalar("s")
    out, _ = scan(lambda s: ifelse(T.gt(s, 2), s * 0.5, s * 1.7), outputs_info=s, n_steps=6)
    check_gradient([s], (out**2).sum(), np.array(1.3))
    nested = ifelse(s > 0, ifelse(s > 1, s * 2, s * 3), -s)
    assert [float(three_ways([s], nested, q)[0]) for q in (2.0, 0.5, -1.0)] == [4.0, 1.5, 1.0]


def test_what_a_branch_shares_with_the_outside_is_computed_once() -> None:
    x, w = T.dmatrix("x"), T.dmatrix("w")
    h = T.dot(x, w)
    y = ifelse(T.gt(x[0, 0], 0), T.exp(h).sum(), x.sum())
    outside, inside = programs_of([x, w], [y, (h**2).sum()])
    assert outside.count("matmul") == 1
    assert "matmul" not in inside
    outside, inside = programs_of([x, w], y)
    assert "matmul" in inside
    check_gradient([x, w], y + (h**2).sum(), rand(3, 3), rand(3, 2))


# ---- messages ----


def refused(error: type[Exception], build: Callable[[], Any], *words: str) -> None:
    with pytest.raises(error) as caught:
        build()
    for word in words:
        assert word in str(caught.value)


def test_errors_name_what_they_are_about() -> None:
    x, h = T.dmatrix("x"), T.dvector("h")
    w = symdl.shared(np.ones(3), "w")
    refused(InputError, lambda: scan(lambda: h), "how many steps")
    refused(InputError, lambda: scan(lambda r, s: (r, s), x, [h]), "returned 2 outputs", "outputs_info has 1")
    refused(ShapeError, lambda: scan(lambda r, s: s.sum(), x, h), "h starts as float64[?]", "float64", "fewer axes")
    refused(ShapeError, lambda: scan(lambda s: T.zeros((4,)), outputs_info=w, n_steps=2), "w", "3", "4")
    refused(InputError, lambda: scan(lambda r: r * w, x, strict=True), "strict", "w", "non_sequences")
    refused(ShapeError, lambda: scan(lambda r: r, T.dscalar("s")), "is a scalar")
    refused(InputError, lambda: scan(lambda s: s, outputs_info={"initial": h, "taps": [1]}, n_steps=2), "taps")
    refused(ShapeError, lambda: scan(lambda r: r, T.constant(np.ones((3, 2))), n_steps=5), "5 steps", "3 entries")
    refused(DtypeError, lambda: scan(lambda: h, n_steps=T.dscalar("n")), "not an integer")
    refused(ShapeError, lambda: ifelse(x > 0, x, x), "must be a scalar", "T.where")
    refused(InputError, lambda: ifelse(x[0, 0] > 0, [x], [x, x]), "1 values", "2")
    ahead = {"input": x, "taps": [0, 1]}
    refused(InputError, lambda: symdl.scan_checkpoints(lambda r, q: r, ahead), "x has taps", "x[1:]")
    back = {"initial": x, "taps": [-1, -2]}
    refused(InputError, lambda: symdl.scan_checkpoints(lambda s, r: s, outputs_info=back), "has taps")
    n = T.lscalar("n")
    f = function([x, n], scan(lambda r: r, x, n_steps=n)[0])
    refused(ShapeError, lambda: f(np.ones((3, 2)), 5), "5 steps", "3 entries", "x")
