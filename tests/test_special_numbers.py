"""NaN and infinities in random formulas (`fuzz_special`), and what of them is not kept yet."""

from __future__ import annotations

import numpy as np
import pytest
from fuzz_special import tried
from quick_code import quickly

import symdl.tensor as T


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_no_nan_that_came_in_is_hidden_and_none_is_made(dtype: str) -> None:
    with np.errstate(all="ignore"):
        count, failures = tried(0, dtype)
    assert count["rows"] > 2000
    assert [f for f in failures if f["kind"] in ("hidden", "made")] == []


def test_a_branch_shows_its_own_leaf() -> None:
    """x/x is 1, and NaN for an x that is; as an operand of `where` it is looked at together with the other branch."""
    x, y = T.dvector("x"), T.dvector("y")
    run = quickly([x, y], [T.where(T.ge(y, 1.5), T.log(T.expm1(x) / (x + x)), T.exp(x / x))])
    assert np.isnan(run([np.array([np.nan]), np.array([0.5])])[0]).all()


@pytest.mark.xfail(strict=True, raises=AssertionError, reason="-x^2/(1 + x^2) is NaN at infinity")
def test_a_common_denominator_keeps_the_limit() -> None:
    x = T.dvector("x")
    run = quickly([x], [1 / (1 + x * x) - 1])
    np.testing.assert_array_equal(run([np.array([np.inf, -np.inf])])[0], -1.0)
