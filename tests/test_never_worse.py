"""No mechanism of stage 3 is worse than the formula as written by more than an ulp, unless it is within 4.

`python -m benchmarks.never_worse` looks at many more points.
"""

from __future__ import annotations

import pytest
from mechanisms import TABLE, measured

POINTS = 12
# Families by the names of the mechanisms that a formula calls for; a new mechanism gets a row.
MECHANISMS = {
    "log of sigmoid", "exact algebra", "companions", "deltas", "Taylor remainders", "moments", "conjugates", "cancellation", "near_log",
    "masks", "softmax", "label cross-entropy", "0 log 0", "exponents", "second limbs", "nothing to do",
}  # fmt: skip


def test_every_mechanism_has_a_row() -> None:
    assert {row.mechanism for row in TABLE} == MECHANISMS
    assert len({row.text for row in TABLE}) == len(TABLE)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_never_worse(dtype: str) -> None:
    found = measured(TABLE, dtype, POINTS, seed=1)
    assert len(found) == 2 * len(TABLE)
    assert [(f.row.text, f.what, f.worst) for f in found if not (f.holds("plain") and f.holds("right"))] == []
