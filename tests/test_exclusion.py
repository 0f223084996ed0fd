"""Sums without one of their terms, labels that may lie outside, and masks of whole rows."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
from ulps import distance

import symdl
import symdl.tensor as T


def test_a_sum_without_a_term_may_be_negative() -> None:
    """Its size was once taken for itself."""
    x = T.dmatrix("x")
    rest = x.sum(axis=1, keepdims=True) - x
    (size,) = symdl.function([x], [abs(rest)])(np.array([[1.0, -2.0, -3.0]]))
    np.testing.assert_array_equal(size, [[5.0, 2.0, 1.0]])


ROWS = np.array([[0.0, 60.0, 1.0], [1.0, 0.5, -2.0], [-900.0, -901.0, -903.0], [40.0, 0.0, -40.0]])
LABELS = np.array([1, 0, 2, 0])


def rest_of(row: Any, label: int) -> Any:
    """1 - p of the label."""
    powers = [mpmath.exp(mpmath.mpf(float(v))) for v in row]
    return (mpmath.fsum(powers) - powers[label]) / mpmath.fsum(powers)


@pytest.mark.parametrize("power", [1, 2])
def test_one_minus_what_a_label_picks(power: int) -> None:
    x, y = T.dmatrix("x"), T.lvector("y")
    picked = T.softmax(x)[T.arange(y.shape[0]), y]
    with mpmath.workprec(300):
        exact = np.array([rest_of(r, k) ** power for r, k in zip(ROWS, LABELS, strict=True)], object)
        (got,) = symdl.function([x, y], [(1 - picked) ** power])(ROWS, LABELS)
        assert distance(got, exact).max() <= 4


@pytest.mark.parametrize("column", [0, 2])
def test_one_minus_a_column(column: int) -> None:
    x = T.dmatrix("x")
    p = T.softmax(x)[:, column]
    with mpmath.workprec(300):
        rest = [rest_of(r, column) for r in ROWS]
        exact = [np.array(v, object) for v in (rest, [(1 - q) * q for q in rest])]
        got = symdl.function([x], [1 - p, p - p * p])(ROWS)
        for g, t in zip(got, exact, strict=True):
            assert distance(g, t).max() <= 4


@pytest.mark.parametrize("dtype", ["int32", "uint8"])
@pytest.mark.parametrize("classes", [1, 3])
def test_a_label_outside_hits_nothing(classes: int, dtype: str) -> None:
    """A row of a one-hot that is 0 costs nothing, and its probability is 0; so in the gradients."""
    x, y = T.dmatrix("x"), T.vector("y", dtype=dtype)
    labels = np.array([0, classes, classes - 1, 255 if dtype == "uint8" else -1], dtype)
    rows = np.linspace(-1.0, 2.0, 4 * classes).reshape(4, classes)
    hot = T.one_hot(y, classes, dtype="float64")
    cost = -(hot * T.log(T.softmax(x))).sum(axis=1)
    chance = (hot * T.softmax(x)).sum(axis=1)
    outputs = [
        cost,
        chance,
        symdl.grad(cost.sum(), x),
        symdl.grad(chance.sum(), x),
        T.log(chance),
        (hot * x).sum(axis=1),
    ]
    p = np.exp(rows) / np.exp(rows).sum(axis=1, keepdims=True)
    one_hot = (labels[:, None] == np.arange(classes)).astype(float)
    inside = one_hot.sum(axis=1)
    own = (one_hot * p).sum(axis=1)
    expected = [
        -(one_hot * np.log(p)).sum(axis=1),
        own,
        p * inside[:, None] - one_hot,
        p * (one_hot - own[:, None]),
        np.where(inside > 0, np.log(np.where(inside > 0, own, 1)), -np.inf),
        (one_hot * rows).sum(axis=1),
    ]
    for got, want in zip(symdl.function([x, y], outputs)(rows, labels), expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-300)
    empty = symdl.function([x, y], outputs)(rows[:0], labels[:0])
    assert [len(e) for e in empty] == [0] * 6


def test_the_mask_of_a_row_leaves_its_sum() -> None:
    """So the exponentials in it are less their largest."""
    x, keep = T.dmatrix("x"), T.bvector("keep")
    total = T.where(T.expand_dims(keep, 1) > 0, T.exp(x), 0).sum(axis=1)
    got = symdl.function([x, keep], [T.log(total)])(
        np.array([[1000.0, 999.0], [1000.0, 0.0]]), np.array([1, 0], "int8")
    )[0]
    np.testing.assert_allclose(got, [1000 + np.log1p(np.exp(-1.0)), -np.inf], rtol=1e-15)


def test_one_row() -> None:
    """A batch of one, as the body of a loop over samples has it: its axis is 1, and so none to the algebra."""
    x, y = T.tensor("x", shape=(1, 3), dtype="float64"), T.tensor("y", shape=(1,), dtype="int64")
    weight = T.dscalar("weight")
    cost = -T.log(T.softmax(x / 0.25)[T.arange(1), y]) * weight
    (slope,) = symdl.function([x, y, weight], [symdl.grad(cost.sum(), x)])([[40.0, 0.0, -40.0]], [0], 2.0)
    with mpmath.workprec(300):
        e = [mpmath.exp(4 * (v - 40)) for v in (40, 0, -40)]
        exact = [[-8 * (e[1] + e[2]) / sum(e), 8 * e[1] / sum(e), 8 * e[2] / sum(e)]]
        assert distance(slope, np.array(exact, object)).max() <= 4


def test_the_curvature_of_a_norm_where_an_element_is_0() -> None:
    """r^-1 (v - m (m v) / r^2): the rest of a sum is not brought out by an element that may be 0."""
    x, v = T.dmatrix("x"), T.dvector("v")
    slope = symdl.grad(T.sqrt((x * x).sum(axis=1)).sum(), x)
    (got,) = symdl.function([x, v], [symdl.grad((slope * v).sum(), x)])(
        [[0.0, 0.0, -1.0], [0.0, 3.0, 4.0]], [1.0, 2.0, 3.0]
    )
    exact = np.array([[1.0, 2.0, 0.0], [0.2, (2 - 3 * 0.72) / 5, (3 - 4 * 0.72) / 5]])
    np.testing.assert_allclose(got, exact, rtol=1e-14, atol=1e-300)
    (got,) = symdl.function([x], [symdl.grad(slope.sum(), x)])([[0.0, 0.0, -1.0], [0.0, 3.0, 4.0]])
    np.testing.assert_allclose(got, np.array([[1.0, 1.0, 0.0], [0.2, 0.032, -0.024]]), rtol=1e-14, atol=1e-300)


def test_a_weighted_softmax_without_its_largest() -> None:
    """v - sum v p, whose digits lie beside the largest p: half of them were lost, the weight of 1 standing in a sum of rounded terms."""
    x, v = T.dmatrix("x"), T.dmatrix("v")
    rows, weights = np.array([[0.0005, 73.75, 0.0005], [3.0, 2.0, 1.0]]), np.array([[1.0, -1.0, 1.0], [0.5, -2.0, 4.0]])
    (got,) = symdl.function([x, v], [v - (v * T.softmax(x)).sum(axis=1, keepdims=True)])(rows, weights)
    with mpmath.workprec(300):
        e = [[mpmath.exp(mpmath.mpf(a)) for a in row] for row in rows.tolist()]
        exact = [
            [mpmath.fsum((w[j] - w[k]) * q for k, q in enumerate(p)) / mpmath.fsum(p) for j in range(3)]
            for p, w in zip(e, weights.tolist(), strict=True)
        ]
        assert distance(got, np.array(exact, object)).max() <= 4
