"""Number forms: dtypes that only compiled graphs hold, more bits or a wider range than float64, made of several float64.

    float64e     high * 2**exponent              range beyond float64, its 53 bits
    float64x2    high + low                      twice the bits, |low| at most half an ulp of high; low floats
    float64x2e   (high + low) * 2**exponent      both

With an exponent, 1 <= |high| < 2 unless high is 0, inf or nan. The exponent is a float64 that holds an integer: vector
units convert, compare and shift those, not 64-bit integers. That of zero is -2**60, that of infinity 2**60. low is 0 where
high is not finite. An element of an array is its limbs side by side, in this order, so that strides, slices, gathers and
arena slots need to know nothing of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np

LIMBS: dict[str, tuple[str, ...]] = {
    "float64e": ("high", "exponent"),
    "float64x2": ("high", "low"),
    "float64x2e": ("high", "low", "exponent"),
}
WIDE = frozenset(LIMBS)
ZERO, INFINITE = -(2.0**60), 2.0**60  # exponents of zero and of infinity
LARGEST = 2.0**50  # exp answers beyond this argument as it does at it

_ARRAYS: dict[str, np.dtype[Any]] = {
    name: np.dtype([(limb, np.float64) for limb in limbs]) for name, limbs in LIMBS.items()
}


def has_more_digits(dtype: str, than: str) -> bool:
    """Whether a float dtype, perhaps a number form, is beyond one that is none."""
    return than not in WIDE and (dtype in WIDE or (dtype == "float64" and than == "float32"))


def array_dtype(dtype: str) -> np.dtype[Any]:
    """The NumPy dtype of an array of this symdl dtype; number forms are records of float64."""
    return _ARRAYS.get(dtype) or np.dtype(dtype)


def digits(dtype: str) -> int:
    """The binary digits of a number of this float dtype, perhaps a number form."""
    return 2 * 53 if "low" in LIMBS.get(dtype, ()) else 24 if dtype == "float32" else 53


def item_bytes(dtype: str) -> int:
    """The bytes of one element of this symdl dtype."""
    limbs = LIMBS.get(dtype)
    return 8 * len(limbs) if limbs else np.dtype(dtype).itemsize


def nearest(number: Fraction) -> float:
    """The nearest float64: infinite beyond the largest, subnormal numbers included."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def common_form(dtypes: Iterable[str]) -> str:
    """The least number form that holds all of these dtypes, one of which is a form."""
    found = {limb for dtype in dtypes for limb in LIMBS.get(dtype, ())}
    return next(dtype for dtype, limbs in LIMBS.items() if found <= {*limbs})


def records(values: Any, dtype: str) -> np.ndarray[Any, Any]:
    """Numbers (ints, floats, Fractions, or elements of the form), or an array of them, as an array of a number form."""
    given = np.asarray(values)
    if given.dtype == _ARRAYS[dtype]:
        return given
    out = np.empty(given.shape, _ARRAYS[dtype])
    for at in np.ndindex(given.shape):
        number: Any = given[at]
        out[at] = limbs_of(number if given.dtype == object else number.item(), dtype)
    return out


def limbs_of(number: Fraction | float | tuple[float, ...], dtype: str, shift: int = 0) -> tuple[float, ...]:
    """number * 2**shift rounded into the limbs of a number form; a form without an exponent takes no shift. What is
    limbs already stays."""
    if isinstance(number, tuple):
        return number
    exponent: float = 0.0
    if number == 0 or not (isinstance(number, Fraction | int) or math.isfinite(number)):
        high, low = float(number), 0.0
        exponent = ZERO if number == 0 else INFINITE
    else:
        exact = Fraction(number)
        if "exponent" in LIMBS[dtype]:
            k = abs(exact.numerator).bit_length() - exact.denominator.bit_length()
            k -= abs(exact) < Fraction(2) ** k
            exact, exponent = exact / Fraction(2) ** k, float(k + shift)
        high = nearest(exact)
        low = nearest(exact - Fraction(high)) if math.isfinite(high) else 0.0
        if "exponent" in LIMBS[dtype] and abs(high) == 2.0:
            high, low, exponent = high / 2, low / 2, exponent + 1
    whole = {"high": high, "low": low, "exponent": exponent}
    return tuple(whole[limb] for limb in LIMBS[dtype])
