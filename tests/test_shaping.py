"""Views, joins and constructors rearrange as NumPy does, with extents known, unknown, 0 and 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from agree import check_gradient, same, value
from hypothesis import given
from hypothesis import strategies as st

import symdl
import symdl.tensor as T
from symdl.errors import DtypeError, ShapeError
from symdl.graph.expr import Expr, variable
from symdl.graph.walks import topological
from symdl.passes.evaluate import evaluate

SHAPES = st.lists(st.integers(0, 4), min_size=1, max_size=4).map(tuple)


def array_of(shape: tuple[int, ...]) -> Any:
    return np.arange(1.0, 1 + int(np.prod(shape))).reshape(shape)


def both(shape: tuple[int, ...]) -> list[Expr]:
    return [variable("x", shape, "float64"), variable("x", (None,) * len(shape), "float64")]


@given(st.data())
def test_chains_of_views_are_numpys(data: st.DataObject) -> None:
    """Up to five views in a row, each drawn to fit the last."""
    shape = data.draw(SHAPES)
    array = array_of(shape)
    x = data.draw(st.sampled_from(both(shape)))
    y, out = x, array
    for _ in range(data.draw(st.integers(1, 5))):
        n = out.ndim
        axis = data.draw(st.integers(-n, n - 1))
        match data.draw(
            st.sampled_from(["T", "move", "swap", "new", "tile", "repeat", "flip", "slice", "pad", "flat", "roll"])
        ):
            case "T":
                axes = data.draw(st.permutations(range(n)))
                y, out = y.transpose(*axes) if n else y, out.transpose(*axes)
            case "move":
                to = data.draw(st.integers(-n, n - 1))
                y, out = T.moveaxis(y, axis, to), np.moveaxis(out, axis, to)
            case "swap":
                y, out = y.swapaxes(axis, 0), out.swapaxes(axis, 0)
            case "new":
                y, out = T.expand_dims(y, axis), np.expand_dims(out, axis)
            case "tile":
                reps = data.draw(st.lists(st.integers(0, 2), min_size=1, max_size=n + 1))
                if out.size > 500:
                    continue
                y, out = T.tile(y, reps), np.tile(out, reps)
            case "repeat":
                y, out = y.repeat(2, axis), out.repeat(2, axis)
            case "flip":
                y, out = T.flip(y, axis), np.flip(out, axis)
            case "slice":
                cut = (slice(None),) * (axis % n) + (
                    slice(data.draw(st.integers(-3, 3)), None, data.draw(st.sampled_from([1, 2, -1]))),
                )
                y, out = y[cut], out[cut]
            case "pad":
                width = tuple((data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))) for _ in range(n))
                y, out = T.pad(y, width, constant_values=-1), np.pad(out, width, constant_values=-1)
            case "flat":
                ndim = data.draw(st.integers(1, n))
                y, out = y.flatten(ndim), out.reshape((*out.shape[: ndim - 1], int(np.prod(out.shape[ndim - 1 :]))))
            case "roll":
                shift = data.draw(st.integers(-5, 5))
                y, out = T.roll(y, shift, axis), np.roll(out, shift, axis)
    same(value(y, {x: array}), out)
    if array.size:
        check_gradient([y], {x: array / 7}, [x])


@given(SHAPES, st.data())
def test_reshapes(shape: tuple[int, ...], data: st.DataObject) -> None:
    array = array_of(shape)
    divisors = [d for d in range(1, array.size + 1) if array.size % d == 0] or [0]
    first = data.draw(st.sampled_from(divisors))
    targets: list[tuple[int, ...]] = [(first, array.size // max(first, 1)), (array.size,), (1, *shape, 1)]
    if array.size:
        targets += [(first, -1), (-1, first, 1), (-1,)]
    for x in both(shape):
        for target in targets:
            same(value(x.reshape(target), {x: array}), array.reshape(target))


def test_reshape_with_symbolic_sizes() -> None:
    x, n = T.dmatrix("x"), T.lscalar("n")
    array = array_of((4, 6))
    same(value(x.reshape((x.shape[0] * 2, -1)), {x: array}), array.reshape(8, 3))
    same(value(x.reshape((n, -1)), {x: array, n: 3}), array.reshape(3, 8))
    same(value(x.reshape(T.stack([x.shape[1], x.shape[0]])), {x: array}), array.reshape(6, 4))
    assert x.reshape((x.shape[0], x.shape[1])) is x
    assert x.T.T is x or value(x.T.T, {x: array}).tolist() == array.tolist()
    with pytest.raises(ShapeError, match=r"reshape: x has 24 elements, the new shape 25"):
        evaluate([x.reshape((5, 5))], {x: array})


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda x: x.reshape((5, -1)), "12 elements of x do not divide into rows of 5"),
        (lambda x: x.reshape((-1, -1)), "only one extent can be -1"),
        (lambda x: x.reshape((7, 2)), "x has 12 elements, the new shape 14"),
        (lambda x: x.reshape((-3, 2)), "a size of -3"),
        (lambda x: x.reshape(12, ndim=2), "ndim=2 does not match"),
        (lambda x: x.squeeze(0), "squeeze: axis 0 of x has extent 3, not 1"),
        (lambda x: x.transpose(0, 0), "does not name each of the 2 axes"),
        (lambda x: x.transpose(0, 5), "no axis 5 in x, which has 2"),
        (lambda x: x.dimshuffle(0, 0), "names an axis twice"),
        (lambda x: x.dimshuffle(0), "has extent 4, not 1"),
        (lambda x: T.broadcast_to(x, (3, 5)), "axis 1 of x is 4, not 5"),
        (lambda x: T.broadcast_to(x, (4,)), "more than 1 axes"),
        (lambda x: T.concatenate([x, x.T]), "axis 1 is 4 in x and 3 in "),
        (lambda x: T.concatenate([x, x[0]]), "has 2 axes, .* has 1"),
        (lambda x: T.concatenate([]), "nothing to join"),
        (lambda x: T.stack([]), "nothing to stack"),
        (lambda x: T.concatenate([x[0, 0]]), "scalars cannot be joined"),
        (lambda x: T.split(x, 2), "cannot be cut into 2 equal parts"),
        (lambda x: x.repeat([1, 2], 0), "axis 0 of constant.2. is 2, not 3"),
        (lambda x: T.pad(x, 1, mode="mirror"), "there is no mode 'mirror'"),
        (lambda x: x + T.zeros((5, 4)), "axis -2 is 3 in x and 5 in"),
        (lambda x: T.zeros((x.sum(), 2)), "a size must be an integer scalar, not float64"),
        (lambda x: T.zeros("ab"), "is not a"),
        (lambda x: x.flatten(3), "cannot have 3 axes"),
        (lambda x: T.zeros((-1, 2)), "size of -1"),
        (lambda x: T.tile(x, (-1,)), "size of -1"),
        (lambda x: x.repeat(-2, 0), "size of -2"),
        (lambda x: T.pad(x, -1), "size of -1"),
    ],
)  # fmt: skip
def test_errors_while_building(build: Any, text: str) -> None:
    with pytest.raises(ShapeError, match=text):
        build(variable("x", (3, 4), "float64"))


def test_unknown_axes_never_broadcast() -> None:
    x, y, row = T.dvector("x"), T.dvector("y"), T.drow("row")
    same(value(x + y, {x: np.ones(3), y: np.ones(3)}), np.full(3, 2.0))
    with pytest.raises(ShapeError, match=r"add: axis -1 is 1 in x and 3 in y"):
        evaluate([x + y], {x: np.ones(1), y: np.ones(3)})
    same(
        value(row + x, {row: np.ones((1, 3)), x: np.ones(3)}),
        np.full((1, 3), 2.0),
    )
    m = T.dmatrix("m")
    same(value(m + row, {m: np.ones((2, 3)), row: np.ones((1, 3))}), np.full((2, 3), 2.0))
    same(value(m + x[None], {m: np.ones((2, 3)), x: np.ones(3)}), np.full((2, 3), 2.0))


@pytest.mark.parametrize("precision", ["right", "plain"])
def test_an_axis_that_the_call_says_is_one_can_go(precision: str) -> None:
    """Columns from the third on are checked to be one when called; that one is dropped, as it is and below functions."""
    x = T.matrix("x")
    one = T.broadcast_to(x[:, 2:], (x.shape[0], 1))
    y = T.inc_subtensor(T.zeros((x.shape[0], 2))[:, [0]], T.exp(x[:, 2:]))
    outputs = [T.tanh(one.T), T.exp(one)[:, 0], T.exp(one.squeeze()), T.log(one).sum(1) + T.log(x[:, 2:]).sum(1), y]
    outputs.append(symdl.grad(T.sqr(outputs[1] * outputs[3]).sum(), x))
    array = np.random.default_rng(0).uniform(1, 2, (4, 3))
    f = symdl.function([x], outputs, precision=precision)
    for got, expected in zip(f(array), symdl.function([x], outputs, mode="numpy")(array), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-14)
    with pytest.raises(ShapeError, match=r"axis 1 of x\[:, 2:\] is 2, not 1"):
        f(np.ones((4, 4)))


def test_an_extent_may_be_another_variables() -> None:
    x = T.dmatrix("x")
    y = T.tensor("y", "float64", shape=(x.shape[1], 2))
    assert y.type.shape[0] is x.type.shape[1]
    same(value(x @ y, {x: np.ones((2, 3)), y: np.ones((3, 2))}), np.full((2, 2), 3.0))
    assert not (x @ y).facts


@given(st.integers(-6, 6), st.integers(-6, 6), st.sampled_from([1, 2, 3, -1, -2]))
def test_arange(start: int, stop: int, step: int) -> None:
    a, b = T.lscalars("a", "b")
    same(value(T.arange(start, stop, step), {}), np.arange(start, stop, step))
    same(value(T.arange(a, b, step), {a: start, b: stop}), np.arange(start, stop, step))
    same(value(T.arange(b), {b: abs(stop)}), np.arange(abs(stop)))
    same(value(T.arange(start, stop, step * 0.5), {}), np.arange(start, stop, step * 0.5))


def test_constructors() -> None:
    n = T.lscalar("n")
    for got, expected in (
        (T.zeros((n, 2)), np.zeros((3, 2))),
        (T.ones(n, "int8"), np.ones(3, "int8")),
        (T.full((2, n), 1.5), np.full((2, 3), 1.5)),
        (T.alloc(2.0, 2, n), np.full((2, 3), 2.0)),
        (T.eye(n), np.eye(3)),
        (T.eye(n, 4, -1, "int32"), np.eye(3, 4, -1, "int32")),
        (T.identity(n), np.identity(3)),
        (T.one_hot(T.arange(n), n), np.eye(3)),
        (T.linspace(1, 2, n), np.linspace(1, 2, 3)),
        (T.linspace(1, 2, n - 2), np.linspace(1, 2, 1)),
        (T.linspace(1, 2, 1), np.linspace(1, 2, 1)),
        (T.zeros((0, n)), np.zeros((0, 3))),
    ):
        same(value(got, {n: 3}), expected)
    assert T.one_hot(T.constant([5, -1]), 3).type.shape == (2, 3)
    same(value(T.one_hot(T.constant([5, -1]), 3), {}), np.zeros((2, 3)))


def test_joins_promote_and_know_their_sum() -> None:
    x, y = T.fmatrix("x"), T.lmatrix("y")
    z = T.concatenate([x, y, np.ones((2, 1))], axis=1)
    assert z.type.dtype == "float64"
    got = value(z, {x: np.ones((2, 2), "float32"), y: np.ones((2, 3), int)})
    assert got.shape == (2, 6)
    with pytest.raises(ShapeError, match=r"concatenate: axis 0 is 2 in x and 3 in y"):
        evaluate([T.concatenate([x, y], 1)], {x: np.ones((2, 2)), y: np.ones((3, 2), int)})
    same(value(T.stack([x.sum(), 2]), {x: np.ones((2, 2))}), np.array([4, 2], "float32"))


@given(st.integers(1, 4), st.integers(0, 3), st.integers(0, 1))
def test_split_is_the_inverse_of_concatenate(count: int, width: int, axis: int) -> None:
    array = array_of((count * width, 3) if axis == 0 else (3, count * width))
    for x in both(array.shape):
        pieces = T.split(x, count, axis)
        for p, q in zip(pieces, np.split(array, count, axis), strict=True):
            same(value(p, {x: array}), q)
        same(value(T.concatenate(pieces, axis), {x: array}), array)


def test_names_of_theano() -> None:
    x = T.dmatrix("x")
    array = array_of((2, 3))
    for got, expected in (
        (T.shape_padleft(x, 2), array[None, None]),
        (T.shape_padright(x), array[:, :, None]),
        (x.dimshuffle("x", 1, "x", 0), array.T[None, :, None]),
        (T.join(1, x, x), np.concatenate([array, array], 1)),
        (T.fill(x, 3.0), np.full((2, 3), 3.0)),
        (T.switch(x > 3, x, -x), np.where(array > 3, array, -array)),
        (T.sgn(x - 3), np.sign(array - 3)),
        (T.inv(x), 1 / array),
        (T.atleast_1d(x[0, 0]), array[0, :1]),
        (T.to_one_hot(T.constant([1, 0]), 2), np.eye(2)[[1, 0]]),
        (T.iround(x / 2), np.rint(array / 2).astype(int)),
    ):
        same(value(got, {x: array}), expected)


def test_variables() -> None:
    x, y = T.vectors("x", "y")
    assert (x.name, y.name, x.type.dtype, x.type.ndim) == ("x", "y", "float64", 1)
    assert [v.name for v in T.lscalars("abc")] == ["a", "b", "c"]
    assert [v.name for v in T.dmatrices(2)] == [None, None]
    assert T.drow().type.shape[0] == 1
    assert T.fcol().type.shape[1] == 1
    assert T.matrix("m", dtype="int8").type.dtype == "int8"
    assert str(T.tensor("x", "float32", shape=(None, 3)).type) == "float32[?, 3]"
    for letter, dtype in zip("bwilfd", ("int8", "int16", "int32", "int64", "float32", "float64"), strict=True):
        for k, kind in enumerate(("scalar", "vector", "matrix", "tensor3", "tensor4")):
            v = getattr(T, letter + kind)("v")
            assert (v.type.dtype, v.type.ndim) == (dtype, k)
    with pytest.raises(DtypeError, match="float16 is not supported"):
        T.matrix("x", dtype="float16")
    with pytest.raises(ShapeError, match="an extent of -1"):
        T.tensor("x", shape=(-1,))


def test_views_share_nodes() -> None:
    x = T.dmatrix("x")
    assert T.flip(x) is x[::-1, ::-1]
    assert x.flatten(2) is x
    assert [n.op.name for n in topological(x.T)] == ["variable", "spread"]


def test_sizes_that_come_with_the_call_are_not_negative() -> None:
    n = T.lscalar("n")
    for y in (T.zeros((n, 2)), T.dvector("x")[:0].repeat(n, 0), T.eye(n - 1)):
        x = [v for v in topological(y) if v.name == "x"]
        with pytest.raises(ShapeError, match="a size of -"):
            evaluate([y], {n: -3, **{v: np.ones(2) for v in x}})
