"""Losses at logits of 10^4 and 10^30, where their limits are exact; and one spelling of each loss inside a scan."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
from quick_code import quickly
from test_losses import DTYPES, LOSSES, truth_of
from ulps import distance

import symdl
import symdl.tensor as T
from symdl.graph.expr import Expr, variable

SIZES = (1e4, 1e30)
ROWS = [[1, 0, -1], [-1, 1, 0], [0, -1, 1], [1, 1, -1], [-1, -1, -1], [0.875, 0.5, 1]]  # times a size
FAR = [-1, -1, 1, 1, 1, -1]
TARGETS = [0.0, 1.0, 0.0, 1.0, 0.25, 0.25]
SATURATED = "the exponent beside a number holds e^x up to |x| = 2^50"
LOGS_OF_NOTHING = ("log of power", "mixed")
BY_ROWS = ("cross-entropy by labels", "cross-entropy by one-hot", "cross-entropy without softmax")
BY_LOGIT = ("binary cross-entropy", "binary cross-entropy, hard")


def leaves_of(name: str, dtype: str) -> list[Expr]:
    loss = LOSSES[name]
    return [
        variable(k, (None,) if np.ndim(v) == 1 else (None, 3), "int32" if k in loss.whole else dtype)
        for k, v in loss.leaves.items()
    ]


def assert_right(got: Any, exact: Any, dtype: str) -> None:
    assert got.dtype == dtype
    np.testing.assert_array_less(distance(got, exact), 4.001, err_msg=f"{got}")


def far(names: tuple[str, ...]) -> list[Any]:
    """Every spelling at every size and in every dtype."""
    out = []
    for name in names:
        for spelling in LOSSES[name].spellings:
            for size in SIZES:
                for dtype in DTYPES:
                    label = f"{name}: {spelling} {dtype}"
                    lost = size == SIZES[-1] and spelling.startswith(LOGS_OF_NOTHING) and name != "binary cross-entropy"
                    marks = [pytest.mark.xfail(reason=SATURATED, raises=AssertionError)] if lost else []
                    out.append(pytest.param(name, spelling, size, dtype, marks=marks, id=f"{label} {size:g}"))
    return out


@pytest.mark.parametrize(("name", "spelling", "size", "dtype"), far(BY_ROWS))
def test_far_rows(name: str, spelling: str, size: float, dtype: str) -> None:
    x, y = leaves_of(name, dtype)
    cost = LOSSES[name].spellings[spelling](x, y)
    rows = np.repeat(np.array(ROWS, dtype) * np.dtype(dtype).type(size), 3, axis=0)
    labels = np.tile(np.arange(3), len(ROWS))
    given = labels.astype("int32") if y.type.ndim == 1 else np.eye(3, dtype=dtype)[labels]
    value, slope = quickly([x, y], [cost, symdl.grad(cost.sum(), x)])([rows, given])
    values, slopes = [], []
    with mpmath.workprec(300):
        for row, label in zip(rows, labels, strict=True):
            top = row == row.max()
            values.append(mpmath.mpf(float(row.max())) - mpmath.mpf(float(row[label])) + mpmath.log(int(top.sum())))
            slopes.append([mpmath.mpf(int(on)) / int(top.sum()) - int(k == label) for k, on in enumerate(top)])
        assert_right(value, np.array(values, object), dtype)
        assert_right(slope, np.array(slopes, object), dtype)


@pytest.mark.parametrize(("name", "spelling", "size", "dtype"), far(BY_LOGIT))
def test_far_logits(name: str, spelling: str, size: float, dtype: str) -> None:
    z, t = leaves_of(name, dtype)
    cost = LOSSES[name].spellings[spelling](z, t)
    logits, targets = np.array(FAR, dtype) * np.dtype(dtype).type(size), np.array(TARGETS, dtype)
    if name.endswith("hard"):
        targets = np.round(targets)
    value, slope = quickly([z, t], [cost, symdl.grad(cost.sum(), z)])([logits, targets])
    pairs = [(mpmath.mpf(float(a)), mpmath.mpf(float(b))) for a, b in zip(logits, targets, strict=True)]
    assert_right(value, np.array([max(a, mpmath.mpf(0)) - a * b for a, b in pairs], object), dtype)
    assert_right(slope, np.array([int(a > 0) - b for a, b in pairs], object), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LOSSES)
def test_in_a_scan(name: str, dtype: str) -> None:
    """One sample a step, the cost of each and the gradient through the loop."""
    loss, leaves = LOSSES[name], leaves_of(name, dtype)
    spelling = next(iter(loss.spellings))
    rows, _ = symdl.scan(loss.spellings[spelling], sequences=[T.expand_dims(x, 1) for x in leaves])
    cost = rows.reshape((-1,))
    outputs = [cost, *symdl.grad(cost.sum(), leaves[: loss.moving])]
    arrays = [np.array(v, x.type.dtype) for x, v in zip(leaves, loss.leaves.values(), strict=True)]
    values, slopes = truth_of(name)
    for g, t in zip(quickly(leaves, outputs)(arrays), (values, *slopes), strict=True):
        assert_right(g, t, dtype)


def test_powers_that_meet_in_a_derivative_leave_none() -> None:
    """d/dz log(sigmoid(z)^t sigmoid(-z)^(1 - t)) is t - sigmoid(z), at infinities too, where the value is as it is written."""
    z, t = T.vector("z"), T.vector("t")
    cost = T.log(T.sigmoid(z) ** t * (1 - T.sigmoid(z)) ** (1 - t))
    value, slope = quickly([z, t], [cost, symdl.grad(cost.sum(), z)])(
        [np.array([-np.inf, np.inf, -np.inf, np.inf, 1e30]), np.array([0.0, 1.0, 1.0, 0.0, 0.0])]
    )
    np.testing.assert_array_equal(value, [0, 0, -np.inf, -np.inf, -1e30])
    np.testing.assert_array_equal(slope, [0, 0, 1, -1, -1])
