"""Products over indices are NumPy's dot, matmul, tensordot and einsum, in values, shapes and gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from agree import DTYPES, check_gradient, number_array, same, value
from hypothesis import given
from hypothesis import strategies as st

import symdl.tensor as T
from symdl.errors import ShapeError
from symdl.graph.expr import as_expr, variable
from symdl.passes.evaluate import evaluate

SIZES = {"i": 2, "j": 3, "k": 4, "l": 1, "m": 0}


def pair(
    left: tuple[int, ...], right: tuple[int, ...], known: bool, dtype: str = "float64"
) -> tuple[Any, Any, dict[Any, Any]]:
    rng = np.random.default_rng([len(left), len(right)])
    arrays = [number_array(rng, s, dtype) for s in (left, right)]
    leaves = [
        variable(n, s if known else tuple(m if m == 1 else None for m in s), dtype)
        for n, s in zip("ab", (left, right), strict=True)
    ]
    return leaves[0], leaves[1], dict(zip(leaves, arrays, strict=True))


@given(st.permutations("ijkl"), st.permutations("ijkm"), st.integers(0, 4), st.integers(0, 4), st.data())
def test_einsum(a: list[str], b: list[str], n: int, m: int, data: st.DataObject) -> None:
    left, right = "".join(a[:n]), "".join(b[:m])
    letters = sorted(set(left + right))
    out = "".join(data.draw(st.permutations(letters))[: data.draw(st.integers(0, len(letters)))])
    text = f"{left},{right}->{out}"
    x, y, values = pair(tuple(SIZES[c] for c in left), tuple(SIZES[c] for c in right), data.draw(st.booleans()))
    expected = np.asarray(np.einsum(text, values[x], values[y]))
    got = value(T.einsum(text, x, y), values)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-13, atol=1e-13)
    if expected.size and values[x].size and values[y].size:
        check_gradient([T.einsum(text, x, y)], values, [x, y])


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((4,), (4,)), ((3, 4), (4,)), ((4,), (4, 2)), ((3, 4), (4, 2)), ((2, 3, 4), (4,)), ((4,), (2, 4, 3)), ((2, 3, 4), (4, 5)),
        ((3, 4), (2, 4, 5)), ((2, 3, 4), (2, 4, 5)), ((1, 3, 4), (2, 4, 5)), ((2, 1, 3, 4), (5, 4, 2)), ((3, 0), (0, 2)), ((0, 4), (4, 0)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("known", [True, False])
def test_matmul(left: tuple[int, ...], right: tuple[int, ...], known: bool) -> None:
    x, y, values = pair(left, right, known)
    np.testing.assert_allclose(value(x @ y, values), values[x] @ values[y], rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(value(T.dot(x, y), values), np.dot(values[x], values[y]), rtol=1e-13, atol=1e-14)
    if values[x].size and values[y].size:
        check_gradient([x @ y, T.dot(x, y)], values, [x, y])


@given(st.integers(0, 3), st.data())
def test_tensordot(count: int, data: st.DataObject) -> None:
    shape = (2, 3, 4)
    left = data.draw(st.permutations(range(3)))[:count]
    right = data.draw(st.permutations(range(3)))
    other = [5, 5, 5]
    for k, r in zip(left, right, strict=False):
        other[r] = shape[k]
    x, y, values = pair(shape, tuple(other), data.draw(st.booleans()))
    axes = [left, right[:count]]
    got, expected = value(T.tensordot(x, y, axes), values), np.tensordot(values[x], values[y], (left, right[:count]))
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(dtype: str) -> None:
    x, y, values = pair((3, 4), (4, 2), True, dtype)
    got, expected = value(x @ y, values), values[x] @ values[y]
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, rtol=1e-5 if dtype == "float32" else 1e-13)
    assert (x @ variable("w", (4,), "float32")).type.dtype == np.result_type(dtype, "float32").name


def test_arrays_and_lists_beside_expressions() -> None:
    x = T.dvector("x")
    same(value([[1.0, 2], [3, 4]] @ x, {x: np.array([1.0, 1])}), np.array([3.0, 7]))
    same(value(as_expr(np.array([[1.0, 2], [3, 4]]) @ x), {x: np.array([1.0, 1])}), np.array([3.0, 7]))
    same(value(x @ np.eye(2), {x: np.array([1.0, 1])}), np.array([1.0, 1]))


def test_the_error_says_what_meets_what() -> None:
    images, weights = variable("images", (None, 784), "float32"), variable("weights", (500, 784), "float32")
    with pytest.raises(ShapeError) as caught:
        images @ weights
    lines = str(caught.value).splitlines()
    assert lines[0] == "dot: 784 columns of images meet 500 rows of weights"
    assert lines[1].startswith("  images   float32[?, 784]    test_contractions.py:")
    assert lines[3] == "  weights.T has shape (784, 500) and would fit."
    a, b = T.dmatrices("a", "b")
    with pytest.raises(ShapeError, match="dot: 3 columns of a meet 4 rows of b"):
        evaluate([a @ b], {a: np.ones((2, 3)), b: np.ones((4, 2))})
    builds: list[Callable[[], Any]] = [
        lambda: T.matmul(T.dscalar("s"), a),
        lambda: T.batched_dot(a, T.dscalar("s")),
        lambda: T.tensordot(a, b, [[0], [0, 1]]),
        lambda: T.tensordot(a, b, [[2], [0]]),
        lambda: T.einsum("ii,ij->j", a, b),
        lambda: T.einsum("ij,jk->il", a, b),
        lambda: T.einsum("ij,jk,kl->il", a, b, b),
        lambda: T.einsum("ijk,jk->i", a, b),
    ]
    for build in builds:
        with pytest.raises(ShapeError):
            build()


def test_second_derivatives() -> None:
    x, w = T.dvector("x"), T.dmatrix("w")
    y = T.dot(T.dot(x, w), x)
    g = T.grad(y, x)
    h = T.grad((g * T.arange(3)).sum(), x)
    m = np.arange(9.0).reshape(3, 3)
    np.testing.assert_allclose(value(h, {x: np.ones(3), w: m}), (m + m.T) @ np.arange(3))
