"""Formulas: every kind of op lowered at given indices, and all of them three ways at the edges of sizes and dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from agree import DTYPES
from programs import calls, in_every_mode, kernels, program_of, temps, three_ways

import symdl
import symdl.tensor as T
from symdl.errors import IndexRangeError, InternalError
from symdl.graph.expr import make, variable
from symdl.ir.loops import Apply, Checked, Const, Guard, Load, Position, contiguous, walk
from symdl.lowering.lower import Formulas, Memory, Read, index, indices, is_window
from symdl.ops.shaping import IOTA
from symdl.ops.views import RESHAPE
from symdl.types import fresh_symbol


def formulas(*leaves: Any) -> Formulas:
    memory = Memory({})
    return Formulas(memory, {x: memory.buffer("input", x.type.dtype, x.type.shape) for x in leaves})


# ---- formulas ----


def test_an_axis_of_one_has_no_loop() -> None:
    assert indices((3, 1, fresh_symbol("n"))) == (index(0), 0, index(2))


def test_a_value_asked_for_twice_is_one_value() -> None:
    x = T.vector("x")
    f, at = formulas(x), (index(0),)
    reads: list[Read] = []
    y = T.exp(x) + T.exp(x)
    value = f.value(y, at, reads)
    assert isinstance(value, Apply)
    assert value.args[0] is value.args[1]
    assert f.value(y, at, reads) is value
    assert set(reads) == {(x, at)}


def test_an_operand_that_is_stretched_is_read_at_its_own_indices() -> None:
    x, v = T.matrix("x"), variable("v", (1, None), "float64")
    f = formulas(x, v)
    reads: list[Read] = []
    f.value(x + v[0], (index(0), index(1)), reads)
    assert (v, (0, index(1))) in reads


def test_a_pad_is_a_guard_and_a_slice_only_an_index() -> None:
    x = T.vector("x")
    f = formulas(x)
    value = f.value(T.pad(x, 1), (index(0),), [])
    assert isinstance(value, Guard)
    assert isinstance(value.value, Load)
    assert value.value.at == (index(0) - 1,)
    value = f.value(x[::-3], (index(0),), [])
    assert isinstance(value, Load)
    assert value.at == (x.type.shape[0] - 1 - index(0) * 3,)


def test_positions_are_numbers_of_the_loop() -> None:
    value = formulas().value(make(IOTA, (), shape=(3, 4), axis=1), (index(0), index(1)), [])
    assert isinstance(value, Position)
    assert value.extent is index(1)


def test_a_window_needs_memory_of_its_base_only() -> None:
    x = T.matrix("x")
    f = formulas(x)
    view = f.window(x[::2, ::-1].T)
    rows, columns = x.type.shape
    assert view.offset is columns - 1
    assert view.strides == (-1, columns * 2)
    assert view.shape == x[::2, ::-1].T.type.shape
    flat = f.window(x.reshape((-1,)))
    assert flat == contiguous(view.buffer, "float64", (rows * columns,))


def test_what_reads_a_window_reads_its_base_anywhere() -> None:
    x, i = T.matrix("x"), T.lvector("i")
    f = formulas(x, i)
    reads: list[Read] = []
    f.value(x.T[i], (index(0), index(1)), reads)
    assert (x, None) in reads


def test_a_scalar_constant_is_no_window() -> None:
    assert not is_window(T.zeros((3, 4)))
    assert is_window(T.matrix("x").T)
    n = fresh_symbol("n")
    one = make(RESHAPE, (T.constant(2.0),), shape=(n,))
    value = formulas().value(one, (index(0),), [])
    assert isinstance(value, Const)
    assert value.number == 2.0


def test_one_status_for_one_index_of_the_user() -> None:
    x, i = T.matrix("x"), T.lvector("i")
    y = x[i]
    program = program_of([x, i], [y + 1, y[:, ::-1] * 2, y.sum(axis=1)])
    assert len(program.failures) == 1
    codes = {item.code for k in kernels(program) for item in walk(*k.body) if isinstance(item, Checked)}
    assert len(codes) == 1


def test_a_composite_has_no_formula() -> None:
    x = T.vector("x")
    with pytest.raises(InternalError, match="has no formula"):
        formulas(x).value(T.softmax(x), (index(0),), [])


# ---- windows into memory: operands of products, gathers and reshapes ----

A = np.arange(12.0).reshape(3, 4) / 4


@pytest.mark.parametrize(
    "operand",
    [
        lambda x: x.T, lambda x: x[::-1].T, lambda x: x[:, ::-1].T, lambda x: x.T[::-1], lambda x: T.flip(x).T,
        lambda x: T.broadcast_to(x[:1, 0], (4, 3)), lambda x: T.broadcast_to(x[0, 0], (4, 3)), lambda x: T.ones((4, 3)),
        lambda x: x.reshape((4, 3)), lambda x: x.T.reshape((4, 3)), lambda x: x[::-1].reshape((4, 3)),
        lambda x: T.pad(x, ((1, 0), (0, 0)))[:4, :3], lambda x: T.tanh(x).T, lambda x: T.tile(x.T[:2], (2, 1)),
        lambda x: x.T.repeat(2, 0)[::2], lambda x: T.constant(A.T.copy()), lambda x: x[[0, 2, 1]].T,
        lambda x: T.concatenate([x.T[:1], x.T[1:]]), lambda x: T.set_subtensor(x.T[:2, :2], 0.5),
        lambda x: x.cumsum(axis=1).T, lambda x: T.expand_dims(x.T, 1)[:, 0],
    ],
)  # fmt: skip
def test_any_operand_of_a_product(operand: Any) -> None:
    x = variable("x", (3, 4), "float64")
    y = operand(x)
    index_ = T.constant(np.array([1, -1, 0]))
    outputs = [T.dot(x, y), T.dot(y, x), y[index_], y.reshape((-1,)), y.T.reshape((2, -1))]
    three_ways([x], outputs, [A])


def test_zeros_are_no_memory_where_a_scatter_starts_from_them() -> None:
    x, i = T.vector("x"), T.lvector("i")
    y = T.inc_subtensor(T.zeros((5,))[i], x)
    program = program_of([x, i], [y])
    assert temps(program) == []
    three_ways([x, i], [y], [np.array([1.0, 2.0]), np.array([4, 4])])


def test_a_product_is_written_where_its_notation_says() -> None:
    x, y = T.matrix("x"), T.matrix("y")
    outputs = [T.einsum("ik,kj->ji", x, y), T.einsum("ki,jk->ij", x.T, y.T), T.einsum("ij,ij->i", x, y.T)]
    program = program_of([x, y], outputs)
    assert calls(program) == ["matmul", "matmul"]
    three_ways([x, y], outputs, [A, A.T + 1], rtol=1e-12)


# ---- edges of sizes ----


def everything(x: Any, i: Any, n: Any) -> list[Any]:
    """One use of each kind of op on a matrix, an index vector and an integer scalar."""
    best, at = T.max_and_argmax(T.pad(x, 1), axis=1)
    return [
        x + 1, T.tanh(x) * x.sum(), x.sum(axis=0), x.sum(axis=1, keepdims=True), T.prod(x, axis=0), x.cumsum(axis=0),
        x.cumsum(axis=1), T.dot(x, x.T), T.dot(x.T, x), x[::-1, ::-2], x[n:], x[:n, 1:], x[n : n + 2], x.reshape((-1,)),
        x.T.reshape((-1,)), T.concatenate([x, x[:1]], 0), T.concatenate([x, x * 2], 1), T.stack([x, x.sum() + x]),
        T.tile(x, (2, 3)), x.repeat(2, 1), T.pad(x, ((0, 1), (2, 0))), best, at, T.softmax(T.pad(x, 1), 0),
        T.take(T.pad(x, 1), i, 0), T.inc_subtensor(T.pad(x, 1)[i], 1.0), T.set_subtensor(x[:, :1], 3.0),
        T.arange(x.shape[0]), T.eye(x.shape[0], x.shape[1]), T.any(x > 1, axis=0), T.all(x > 1), x.mean(),
        T.broadcast_to(x[None], (2, *x.shape)), x.shape[0] * n, T.where(x > 0, x, x.sum(axis=1, keepdims=True)),
    ]  # fmt: skip


@pytest.mark.parametrize("rows", [None, 0, 1, 3])
def test_every_kind_of_op_at_every_size(rows: int | None) -> None:
    """rows: the first extent as known while building; at run time it is that, or each of them."""
    x, i, n = variable("x", (rows, None), "float64"), T.lvector("i"), T.lscalar("n")
    outputs = everything(x, i, n)
    modes = [symdl.function([x, i, n], outputs, mode=m) for m in ("numpy", "interpreter", "native")]
    rng = np.random.default_rng(0)
    for height in (0, 1, 3) if rows is None else (rows,):
        for width in (0, 1, 2, 9):
            for number in (0, 2, -1, 7):
                values = rng.normal(size=(height, width)), rng.integers(-2, 2, (height + 2) // 2), np.int64(number)
                oracle, *others = (f(*values) for f in modes)
                for k, expected in enumerate(oracle):
                    for other in others:
                        assert (other[k].dtype, other[k].shape) == (expected.dtype, expected.shape), outputs[k]
                        np.testing.assert_allclose(other[k], expected, rtol=1e-12, atol=1e-12, err_msg=str(outputs[k]))


def test_scalars_everywhere() -> None:
    a, k, b = T.scalar("a"), T.iscalar("k"), T.bscalar("b")
    outputs = [a + 1, T.exp(a), a * k, a.sum(), T.stack([a, a * 2]), a.reshape((1, 1)), k // 2 + b, a > 0, T.max(a)]
    three_ways([a, k, b], outputs, [np.float64(0.5), np.int32(7), np.int8(-3)])


def test_nothing_at_all() -> None:
    assert three_ways([], [], []) == []
    program = program_of([], [])
    assert program.steps == ()


def test_nan_and_infinity_pass() -> None:
    x = T.matrix("x")
    values = np.array([[np.nan, 1, -np.inf], [np.inf, -0.0, 2.0], [3.0, np.nan, np.nan], [-np.inf, -np.inf, -np.inf]])
    best, at = T.max_and_argmax(x, axis=1)
    outputs = [
        x * 2, best, at, x.argmin(axis=0), x.max(), x.min(axis=0), x.sum(axis=1), x.cumsum(axis=0), T.isnan(x),
        T.where(x > 0, x, -x), T.maximum(x, 0.0), T.cast(x > 1, "int8"), T.sgn(x[1]), T.dot(T.isnan(x) * 1.0, x.T * 0),
    ]  # fmt: skip
    three_ways([x], outputs, [values])


# ---- dtypes ----


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_kind_of_op_in_every_dtype(dtype: str) -> None:
    x, i, c = T.tensor("x", dtype=dtype, shape=(None, None)), T.tensor("i", dtype="uint8", shape=(None,)), T.scalar("c")
    square = x.reshape((x.shape[1], x.shape[0]))
    best, at = T.max_and_argmax(x, axis=1)
    outputs: list[Any] = [
        x[::-1], x.T, x.reshape((-1,)), T.pad(x, 1), T.tile(x, (1, 2)), x.repeat(2, 0), T.concatenate([x, x]), x[i],
        T.set_subtensor(x[i], x[i[::-1]]), T.set_subtensor(x[0], x[1]), best, at, x.argmin(axis=0), x.max(), x.min(axis=0),
        x.sum(), x.sum(axis=0), x.prod(axis=1), x.mean(axis=0), x.cumsum(axis=1), T.where(x > 1, x, x[0]), T.eq(x, x[0]),
        T.cast(x, "bool"), T.cast(x, "float32"), T.cast(x, "int8"), T.dot(x, square), T.maximum(x, x[0]), T.any(x, axis=0),
        T.all(x), x + c, T.stack([x, x]),
    ]  # fmt: skip
    if dtype != "bool":
        outputs += [x + x[0], x * 3, x - 1, x // 2, x % 3, abs(x), T.inc_subtensor(x[i], 1), T.minimum(x, 2)]
    if "int" in dtype:
        outputs += [x & 3, x | 1, x ^ 5, ~x, x << 1, x >> 1]
    if dtype == "bool":
        outputs += [x & x[0], x | x[0], ~x, x ^ x[0]]
    value = np.random.default_rng(0).integers(0, 5, (3, 4)).astype(dtype)
    rtol = 1e-6 if dtype == "float32" else 1e-12
    three_ways([x, i, c], outputs, [value, np.array([2, 0], np.uint8), np.float64(0.5)], rtol)


# ---- indices from data ----


def test_an_index_outside_its_axis_stops_every_machine() -> None:
    x, i, v = T.matrix("x"), T.lvector("i"), T.matrix("v")
    values = np.ones((3, 2))
    for y in (x[i], x[:, i], T.inc_subtensor(x[i], 1.0), T.pad(x, 1)[i] + 0, x.reshape((-1,))[i]):
        three_ways([x, i], [y], [values, np.array([0, -2])])
        with pytest.raises(IndexRangeError, match="an index lies outside"):
            in_every_mode([x, i], [y], [values, np.array([0, 99])])
    three_ways([x, i, v], [T.set_subtensor(x[i], v)], [values, np.array([1, 1]), np.arange(4.0).reshape(2, 2)])
