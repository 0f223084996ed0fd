"""Reductions are NumPy's over any axes; small integers are summed as 64-bit ones, float32 in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from agree import DTYPES, check_gradient, number_array, same, value
from hypothesis import given
from hypothesis import strategies as st

import symdl
import symdl.tensor as T
from symdl.errors import DtypeError, ShapeError
from symdl.graph.expr import variable
from symdl.passes.evaluate import evaluate

SHAPES = st.lists(st.integers(0, 3), max_size=4).map(tuple)
FOLDS: dict[str, Any] = {"sum": np.sum, "prod": np.prod, "max": np.max, "min": np.min, "any": np.any, "all": np.all}


@given(SHAPES, st.data())
def test_any_axes(shape: tuple[int, ...], data: st.DataObject) -> None:
    axes = tuple(data.draw(st.sets(st.integers(-len(shape), -1)))) if shape else ()
    axis: Any = None if data.draw(st.booleans()) else axes[0] if len(axes) == 1 and data.draw(st.booleans()) else axes
    keepdims = data.draw(st.booleans())
    dtype = data.draw(st.sampled_from(DTYPES))
    array = number_array(np.random.default_rng(len(shape)), shape, dtype)
    for known in (True, False):
        x = variable("x", shape if known else (None,) * len(shape), dtype)
        for name, numpy in FOLDS.items():
            counted = shape if axis is None else [shape[a] for a in np.atleast_1d(axis)] if np.size(axis) else []
            if name in ("max", "min") and 0 in counted:
                with pytest.raises(ShapeError, match=f"{name}: axis . of x is empty"):
                    evaluate([getattr(T, name)(x, axis=axis, keepdims=keepdims)], {x: array})
                continue
            wide = array.astype("float64") if dtype == "float32" and name in ("sum", "prod") else array
            expected = np.asarray(numpy(wide, axis=axis, keepdims=keepdims))
            got = value(getattr(T, name)(x, axis=axis, keepdims=keepdims), {x: array})
            same(got, expected.astype("float32") if dtype == "float32" and name in ("sum", "prod") else expected)


@given(SHAPES.filter(lambda s: len(s) > 0 and 0 not in s), st.data())
def test_places_of_extremes(shape: tuple[int, ...], data: st.DataObject) -> None:
    axis = data.draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    keepdims = data.draw(st.booleans())
    pool = np.array([0.0, -0.0, 1.0, 1.0, np.inf, -np.inf, np.nan])
    array = pool[data.draw(st.integers(0, 2**20)) * np.arange(1, 1 + int(np.prod(shape))) % 7].reshape(shape)
    x = variable("x", (None,) * len(shape), "float64")
    same(value(T.argmax(x, axis, keepdims), {x: array}), np.argmax(array, axis, keepdims=keepdims))
    same(value(T.argmin(x, axis, keepdims), {x: array}), np.argmin(array, axis, keepdims=keepdims))
    best, at = T.max_and_argmax(x, axis)
    same(value(best, {x: array}), np.max(array, axis))
    same(value(at, {x: array}), np.argmax(array, axis))


@pytest.mark.parametrize("dtype", DTYPES)
def test_result_dtypes(dtype: str) -> None:
    x = variable("x", (None,), dtype)
    array = number_array(np.random.default_rng(0), (5,), dtype)
    for name in ("sum", "prod", "cumsum", "mean", "var", "std", "max", "argmin", "any"):
        ours, numpys = getattr(T, name)(x), getattr(np, name)(array)
        assert ours.type.dtype == numpys.dtype.name, name
    assert T.sum(x, dtype="float32").type.dtype == "float32"


def test_float32_is_accumulated_in_float64() -> None:
    x = T.fvector("x")
    array = np.concatenate([np.array([1e8], "float32"), np.ones(1000, "float32"), np.array([-1e8], "float32")])
    same(value(x.sum(), {x: array}), np.float32(1000))
    same(value(T.cumsum(x), {x: array})[-1], np.float32(1000))
    assert value(x.mean(), {x: np.full(10**6, 0.1, "float32")}) == np.float32(0.1)


def test_variance_is_taken_in_two_passes() -> None:
    x = T.dvector("x")
    array = 1e9 + np.array([4.0, 7, 13, 16])
    assert value(x.var(ddof=1), {x: array}) == 30.0
    np.testing.assert_allclose(value(T.std(x), {x: array}), np.sqrt(22.5), rtol=1e-15)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "int64", "bool"])
def test_variance_of_integers(dtype: str) -> None:
    """Computed in two limbs, into which integers are cast as they are."""
    x = T.matrix("x", dtype=dtype)
    array = np.arange(12).reshape(3, 4).astype(dtype)
    found = symdl.function([x], [T.var(x), T.std(x, axis=1, ddof=1), T.var(T.cast(x, "float64"), axis=0)])(array)
    expected = [array.var(), array.std(axis=1, ddof=1), array.var(axis=0)]
    for got, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, right, rtol=1e-15)


def test_nothing_to_reduce() -> None:
    x = T.dvector("x")
    empty = {x: np.ones(0)}
    same(value(x.sum(), empty), np.float64(0))
    same(value(x.prod(), empty), np.float64(1))
    same(value(T.any(x), empty), np.bool_(False))
    same(value(T.all(x), empty), np.bool_(True))
    same(value(T.logsumexp(x[:, None], axis=1), empty), np.ones(0))
    assert np.isnan(value(x.mean(), empty))
    with pytest.raises(ShapeError, match="max_and_argmax: axis 0 of x is empty"):
        evaluate([x.argmax()], empty)
    with pytest.raises(ShapeError, match=r"max: axis 0 of .* is empty"):
        T.max(T.zeros((0, 3)), axis=0)
    s = T.dscalar("s")
    for name in ("sum", "prod", "max", "mean"):
        same(value(getattr(T, name)(s), {s: 2.5}), np.float64(2.5))


@pytest.mark.parametrize("precision", ["plain", "right"])
def test_rows_known_to_be_empty_are_as_those_found_empty(precision: str) -> None:
    """A maximum that a formula does not show, of a row without elements, is no error."""

    def results(n: int | None) -> Any:
        x = T.tensor("x", shape=(None, n), dtype="float64")
        total = T.exp(x).sum(axis=1)
        forms = [
            T.log(total), T.cosh((T.exp(x) - T.exp(-x)).sum(axis=1)) - 1, (x * T.exp(x)).sum(axis=1) / total,
            T.logsumexp(x, axis=1), T.softmax(x, axis=1), T.log_softmax(x, axis=1), T.grad(T.log(total).sum(), x),
        ]  # fmt: skip
        return symdl.function([x], forms, precision=precision)(np.ones((2, 0)))

    for known, found in zip(results(0), results(None), strict=True):
        same(known, found)


def test_softmax_at_the_edges() -> None:
    x = T.dmatrix("x")
    rows = np.array([[1e4, 0, -1e4], [-np.inf, 0, 0], [np.inf, 0, 1], [np.nan, 0, 0]])
    p, q = evaluate([T.softmax(x), T.log_softmax(x)], {x: rows})
    np.testing.assert_array_equal(p[:2], [[1, 0, 0], [0, 0.5, 0.5]])
    assert np.isnan(p[2:]).all()  # as SciPy has it
    np.testing.assert_allclose(q[0], [0, -1e4, -2e4])
    np.testing.assert_allclose(value(T.logsumexp(x, axis=1), {x: rows})[:3], [1e4, np.log(2), np.inf])


@pytest.mark.parametrize("axis", [None, 0, (0, 2), ()])
def test_gradients_over_any_axes(axis: Any) -> None:
    x = T.dtensor3("x")
    array = number_array(np.random.default_rng(1), (2, 3, 2), "float64")
    outputs = [getattr(T, n)(x, axis=axis) for n in ("sum", "prod", "max", "min", "mean", "var", "std")]
    if axis == ():
        outputs = outputs[:5]  # the deviation of one element has no derivative
    check_gradient([*outputs, T.logsumexp(x, axis=axis)], {x: array}, [x], rtol=1e-5)


def test_the_gradient_of_a_product_with_zeros() -> None:
    x = T.dmatrix("x")
    rows = np.array([[2.0, 3, 4], [2, 0, 4], [0, 0, 4], [0, 0, 0]])
    same(value(T.grad(x.prod(axis=1).sum(), x), {x: rows}), np.array([[12.0, 8, 6], [0, 8, 0], [0, 0, 0], [0, 0, 0]]))


def test_ties_share_a_gradient() -> None:
    x = T.dvector("x")
    same(value(T.grad(x.max(), x), {x: [1.0, 3, 3]}), np.array([0, 0.5, 0.5]))
    same(value(T.grad(T.max_and_argmax(x)[0], x), {x: [1.0, 3, 3]}), np.array([0.0, 1, 0]))


def test_errors() -> None:
    x = T.dmatrix("x")
    with pytest.raises(ShapeError, match="sum: there is no axis 2 in x, which has 2"):
        x.sum(axis=2)
    with pytest.raises(ShapeError, match="names one axis twice"):
        x.sum(axis=(0, -2))
    with pytest.raises(ShapeError, match=r"axis 1\.5 is not an integer"):
        x.sum(axis=1.5)
    with pytest.raises(DtypeError, match=r"(?s)mean: got the Python bool False.*T\.eq"):
        T.mean(x == T.dmatrix("y"))
    assert value(T.mean(T.eq(x, x)), {x: np.ones((2, 2))}) == 1
