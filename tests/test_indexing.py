"""Indexing and its pure assignments are NumPy's: values, order of axes, errors; also where bounds and extents are unknown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from agree import agree, check_gradient, same, value
from hypothesis import given, settings
from hypothesis import strategies as st

import symdl
import symdl.tensor as T
from symdl.errors import DtypeError, IndexRangeError, ShapeError
from symdl.graph.expr import Expr, variable
from symdl.graph.walks import topological
from symdl.passes.evaluate import evaluate

SHAPES = st.lists(st.integers(0, 4), min_size=1, max_size=4).map(tuple)


@st.composite
def basic(draw: Any, n: int) -> Any:
    """An int inside an axis of n, or any slice."""
    if n and draw(st.booleans()):
        return draw(st.integers(-n, n - 1))
    bound = st.none() | st.integers(-6, 6)
    return slice(draw(bound), draw(bound), draw(st.sampled_from([None, 1, 2, 3, -1, -2])))


@st.composite
def indexed(draw: Any, arrays: bool) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    """(shape, index): ints, slices, None, an Ellipsis, and (with arrays) integer arrays that broadcast."""
    shape = draw(SHAPES)
    used = draw(st.integers(0, len(shape)))
    own = draw(st.sampled_from([(2,), (3,), (2, 3), (1,)]))
    front = draw(st.integers(0, used))  # axes indexed before the Ellipsis; the others are counted from the end
    index: list[Any] = []
    axes = [*range(front), *range(len(shape) - used + front, len(shape))]
    for j, axis in enumerate(axes):
        if j == front and draw(st.booleans() if used == len(shape) else st.just(True)):
            index.append(Ellipsis)
        n = shape[axis]
        if arrays and n and draw(st.integers(0, 2)):
            sizes = draw(st.sampled_from([own, own[-1:], (1,) * len(own)]))
            index.append(draw(st.integers(0, 2**31)) % 7919 + np.zeros(sizes, np.int64))
            rng = np.random.default_rng(int(index[-1].flat[0]))
            index[-1] = rng.integers(-n, n, sizes)
        else:
            index.append(draw(basic(n)))
        if draw(st.integers(0, 5)) == 0:
            index.append(None)
    if front == used and used < len(shape) and draw(st.booleans()):
        index.append(Ellipsis)
    return shape, tuple(index)


def array_of(shape: tuple[int, ...]) -> Any:
    return np.arange(1.0, 1 + int(np.prod(shape))).reshape(shape)


def twice(shape: tuple[int, ...]) -> list[Expr]:
    """A variable whose extents are known, and one whose extents are not."""
    return [variable("x", shape, "float64"), variable("x", (None,) * len(shape), "float64")]


@given(indexed(arrays=False))
def test_basic_indexing(case: tuple[tuple[int, ...], tuple[Any, ...]]) -> None:
    shape, index = case
    array = array_of(shape)
    for x in twice(shape):
        same(value(x[index], {x: array}), array[index])


@settings(max_examples=150)
@given(indexed(arrays=True))
def test_advanced_indexing(case: tuple[tuple[int, ...], tuple[Any, ...]]) -> None:
    """The order of axes too: index arrays side by side stay in place, those apart go to the front."""
    shape, index = case
    array = array_of(shape)
    for x in twice(shape):
        same(value(x[index], {x: array}), array[index])


@settings(max_examples=100)
@given(indexed(arrays=True), st.booleans())
def test_assignments(case: tuple[tuple[int, ...], tuple[Any, ...]], scalar: bool) -> None:
    """set_subtensor where no place is named twice, inc_subtensor where repeats accumulate."""
    shape, index = case
    array = array_of(shape)
    place = np.arange(array.size).reshape(shape)[index]
    new = np.float64(-7.5) if scalar else -np.arange(1.0, 1 + place.size).reshape(place.shape)
    added = array.copy()
    np.add.at(added, index, new)
    for x in twice(shape):
        v = variable("v", np.shape(new), "float64")
        same(value(T.inc_subtensor(x[index], v), {x: array, v: new}), added)
        if len(set(place.ravel().tolist())) == place.size:
            replaced = array.copy()
            replaced[index] = new
            same(value(T.set_subtensor(x[index], v), {x: array, v: new}), replaced)


@settings(max_examples=40)
@given(indexed(arrays=True))
def test_gradients_of_indexing_and_assignment(case: tuple[tuple[int, ...], tuple[Any, ...]]) -> None:
    shape, index = case
    array = array_of(shape) / 7
    place = np.arange(array.size).reshape(shape)[index]
    for x in twice(shape):
        v = variable("v", place.shape, "float64")
        values = {x: array, v: np.cos(place.astype(float))}
        outputs = [x[index], T.inc_subtensor(x[index], v * v)]
        if len(set(place.ravel().tolist())) == place.size:
            outputs.append(T.set_subtensor(x[index], v * x.sum()))
        check_gradient(outputs, values, [x, v])


@settings(max_examples=3)
@given(st.lists(indexed(arrays=True), min_size=15, max_size=15), st.sampled_from(["float32", "float64", "int16"]))
def test_compiled_code_indexes_and_assigns_alike(
    cases: list[tuple[tuple[int, ...], tuple[Any, ...]]], dtype: str
) -> None:
    outputs, values = [], {}
    for k, (shape, index) in enumerate(cases):
        x = variable(f"x{k}", shape if k % 2 else (None,) * len(shape), dtype)
        values[x] = array_of(shape).astype(dtype)
        place = np.arange(int(np.prod(shape))).reshape(shape)[index]
        v = variable(f"v{k}", place.shape, dtype)
        values[v] = -np.arange(1, 1 + place.size).reshape(place.shape).astype(dtype)
        y = T.inc_subtensor(x[index], v)
        outputs += [x[index], y]
        if dtype != "int16":
            outputs.append(T.grad((y * y).sum(), x))
        if len(set(place.ravel().tolist())) == place.size:
            outputs.append(T.set_subtensor(x[index], v))
    agree(outputs, values)


@pytest.mark.parametrize("step", [1, 2, -1, -3])
def test_symbolic_bounds_are_numpys(step: int) -> None:
    """x[i:j:step] for every i and j, past both ends too, compiled as one graph."""
    x = T.dvector("x")
    i, j = T.lscalars("i", "j")
    parts = [x[i:j:step], x[i::step], x[:j:step]]
    f = symdl.function([x, i, j], parts)
    for n in (0, 1, 5):
        array = array_of((n,))
        for a in range(-n - 2, n + 3):
            for b in range(-n - 2, n + 3):
                expected = array[a:b:step], array[a::step], array[:b:step]
                for found in (evaluate(parts, {x: array, i: a, j: b}), f(array, a, b)):
                    for g, e in zip(found, expected, strict=True):
                        assert g.tolist() == e.tolist(), (n, a, b)


def test_minibatches() -> None:
    x, i, b = T.dmatrix("x"), T.lscalar("i"), T.lscalar("b")
    batch = x[i * b : (i + 1) * b]
    array = array_of((7, 2))
    for k in range(4):
        same(value(batch, {x: array, i: k, b: 2}), array[k * 2 : (k + 1) * 2])
    same(
        value(T.grad(batch.sum(), x), {x: array, i: 1, b: 3}),
        np.repeat([[0.0], [1], [0]], [3, 3, 1], 0) * np.ones((1, 2)),
    )
    assert x[2 * 3 : 3 * 3].type.shape[1] is x.type.shape[1]


def test_symbolic_ints() -> None:
    x, i = T.dmatrix("x"), T.iscalar("i")
    array = array_of((3, 4))
    for k in (-3, -1, 0, 2):
        same(value(x[i], {x: array, i: k}), array[k])
        same(value(x[:, i + 1], {x: array, i: k}), array[:, k + 1])
        same(value(T.inc_subtensor(x[i, 1:], 1.0), {x: array, i: k})[k], array[k] + [0, 1, 1, 1])
    for k in (3, -4):
        with pytest.raises((ShapeError, IndexRangeError), match=r"too few"):
            evaluate([x[i]], {x: array, i: k})


def test_data_as_index() -> None:
    x, n = T.dmatrix("x"), T.lvector("n")
    array, at = array_of((3, 4)), np.array([2, -1, 0])
    same(value(x[n[0]], {x: array, n: at}), array[2])
    same(value(x[n[1], n], {x: array, n: at}), array[-1, at])
    same(value(x[T.argmax(x, 0)[0], 1:], {x: array}), array[2, 1:])
    with pytest.raises(IndexRangeError, match=r"outside the 3 entries of axis 0"):
        evaluate([x[n]], {x: array, n: [3]})


def test_one_entry_a_row() -> None:
    """x[arange(n), y] is one gather with a batch axis, and its gradient a mask."""
    x, y = T.dmatrix("x"), T.lvector("y")
    picked = x[T.arange(y.shape[0]), y]
    (gather,) = [n for n in topological(picked) if n.op.name == "gather"]
    assert gather.params == {"axes": (1,), "batch": 1}
    g = T.grad(picked.sum(), x)
    assert "scatter" not in {n.op.name for n in topological(g)}
    values = {x: array_of((3, 2)), y: np.array([1, -2, 0])}
    same(value(g, values), np.array([[0.0, 1], [1, 0], [1, 0]]))
    with pytest.raises(ShapeError):
        evaluate([picked], {x: array_of((4, 2)), y: np.array([1, 0, 0])})


def test_repeated_indices_accumulate() -> None:
    x = T.dvector("x")
    same(value(T.inc_subtensor(x[[0, 0, 1, 0]], 1.0), {x: np.zeros(3)}), np.array([3.0, 1, 0]))
    same(value(T.set_subtensor(x[[0, 0]], [1.0, 2.0]), {x: np.zeros(2)}), np.array([2.0, 0]))


def test_assignment_is_pure_and_typed() -> None:
    x = T.fvector("x")
    y = T.set_subtensor(x[1:], 2)
    assert y.type.dtype == "float32"
    same(value(y, {x: np.zeros(3, "float32")}), np.array([0, 2, 2], "float32"))
    with pytest.raises(DtypeError, match="float64 values do not go into int8"):
        T.set_subtensor(T.bvector("b")[0], T.dscalar("v"))
    with pytest.raises(ShapeError, match=r"Write set_subtensor\(x\[index\], value\)"):
        T.set_subtensor(x + 1, 0)


def test_errors_while_building() -> None:
    x = variable("x", (3, 4), "float64")
    for index, error, text in (
        (3, IndexRangeError, "index 3 lies outside the 3 entries of axis 0 of x"),
        ((0, -5), IndexRangeError, "index -5 lies outside the 4 entries of axis 1"),
        ((0, 0, 0), IndexRangeError, "3 indices for x, which has 2 axes"),
        ((..., ...), IndexRangeError, "two ellipses"),
        ("a", DtypeError, "indexed with the text 'a'"),
        (True, DtypeError, "indexed with the bool True"),
        (1.5, DtypeError, "an index must be an integer, not float64"),
        (T.gt(x[0, 0], 0), DtypeError, "indexed with the scalar"),
        (T.bvector("m").astype("bool")[:, None, None] & True, IndexRangeError, "has 3 axes, more than are left of x"),
        (np.ones((3, 5), bool), ShapeError, "axis 1 of the mask constant.3, 5. is 5, axis 1 of x is 4"),
        (slice(None, None, 0), ShapeError, "a slice step must be a nonzero int"),
    ):
        with pytest.raises(error, match=text):
            x[index]


def test_lists_and_scalars_mixed() -> None:
    x = variable("x", (2, 3, 4, 5), "float64")
    array = array_of((2, 3, 4, 5))
    i = T.lscalar("i")
    for index, plain in (
        ((0, slice(None), [1, 2]), (0, slice(None), [1, 2])),
        ((slice(None), 0, slice(None), [1, 2]), (slice(None), 0, slice(None), [1, 2])),
        ((i, slice(None), [1, 2]), (1, slice(None), [1, 2])),
        ((slice(None), [0, 1], i, slice(1, 3)), (slice(None), [0, 1], 1, slice(1, 3))),
        ((slice(None), [[0], [1]], [1, 2, 3]), (slice(None), [[0], [1]], [1, 2, 3])),
        (([0, 1], None, slice(None), [1, 2]), ([0, 1], None, slice(None), [1, 2])),
        ((None, [0, 1], [1, 2], None), (None, [0, 1], [1, 2], None)),
        (([],), ([],)),
    ):
        same(value(x[index], {x: array, i: 1}), array[plain])


def test_take() -> None:
    x = T.dtensor3("x")
    array, at = array_of((2, 3, 4)), np.array([[0, -1], [2, 1]])
    for axis in (0, 1, 2, -1):
        n = at % array.shape[axis]
        same(value(T.take(x, n, axis), {x: array}), np.take(array, n, axis))
    same(value(x.take([5, -1]), {x: array}), array.take([5, -1]))
