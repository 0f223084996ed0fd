"""Random formulas along rows: that they are what they say, and seeds that once failed."""

from __future__ import annotations

import fuzz_formulas
import numpy as np
import pytest
import random_rows

import symdl
import symdl.tensor as T


def test_a_batch_is_judged() -> None:
    found = fuzz_formulas.tried(0, grammar="rows")
    assert found["count"]["formulas"] == fuzz_formulas.BATCH
    assert not found["count"].get("crash")
    assert found["count"]["elements within 4 ulp"] > 0.9 * found["count"]["elements"] > 0


def test_a_seed_is_one_formula() -> None:
    one, two = (random_rows.formula(7, "float64") for _ in range(2))
    assert [repr(y) for y in one.outputs] == [repr(y) for y in two.outputs]
    for a, b in zip(one.candidates, two.candidates, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("seed", [1778, 2608, 2818])
def test_crashes(seed: int) -> None:
    """Shapes were mistaken: of what derivatives divide by, below a gather; of the rest of one sum beside a multiple of it."""
    one = random_rows.formula(seed, "float64")
    symdl.function(one.leaves, one.outputs)


def test_a_quotient_of_picked_columns_in_another_shape() -> None:
    x = T.tensor("x", shape=(4, 3), dtype="float64")
    (got,) = symdl.function([x], [(1 / (x / x)[:, [2, 0, 0]]).reshape((-1,)).reshape((4, 3))])(np.ones((4, 3)))
    np.testing.assert_array_equal(got, np.ones((4, 3)))
