"""The largest errors that number forms promise, as powers of two, kept by tests/test_wide.py.

Of float64x2 and float64x2e relative to the result; float64e promises what the functions of float64 do (THIN). A
result of float64x2 near the ends of the range of float64 has only the low limb that there is room for.
"""

from __future__ import annotations

TWO = -102.0  # of two limbs, where the table says nothing else
THIN = -50.5  # of one limb
ERROR: dict[str, float] = {
    "add": -103.5,
    "sub": -103.5,
    "mul": -103.0,
    "pow": -101.0,  # times |y log2 m|, m being the fraction of the base
    "floor_div": -100.0,
    "mod": -48.0,  # of the larger of the quotient's last place times y and the result
    "gammaln": -94.0,  # of the larger of 1 and |x|, and of itself around the roots 1 and 2
    "digamma": -96.0,  # of the larger of 1 and itself: its roots lie between the poles
}
ABSOLUTE = frozenset(["gammaln", "digamma"])  # the error counts in units of 1 where the result is smaller
