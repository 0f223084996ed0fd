"""A ball in memory: a number of 256 binary digits, and how far the exact one may lie from it.

    mantissa (256 bits), exponent, error, negative        value = -+ mantissa 2^(exponent - 255), |error| < 2^error

The mantissa's first bit is set, but for zero, whose exponent is ZERO. What is exact has the error EXACT; what is not a
number, or not known at all, has UNKNOWN. Exponents are 64-bit integers, so that nothing overflows.
"""

from __future__ import annotations

import struct
from fractions import Fraction

BITS = 256
BYTES = 64
EXPONENT, ERROR, NEGATIVE = 32, 40, 48  # where these stand
ZERO = -(1 << 60)
EXACT, INEXACT = -(1 << 62), -(1 << 61)  # errors below the second are none
UNKNOWN, LOST = 1 << 60, 1 << 59  # errors above the second are without bound
_WORDS = struct.Struct("<7qq")


def words(number: Fraction, exact: bool = True) -> tuple[int, ...]:
    """The eight 64-bit words of a number, rounded toward 0; exact: but for that."""
    if number == 0:
        mantissa, exponent, rest = 0, ZERO, 0
    else:
        size = abs(number)
        exponent = size.numerator.bit_length() - size.denominator.bit_length()
        exponent -= size < Fraction(2) ** exponent
        scaled = size / Fraction(2) ** (exponent - BITS + 1)
        mantissa, rest = divmod(scaled.numerator, scaled.denominator)
    error = EXACT if exact and not rest else exponent - BITS + 1
    parts = [(mantissa >> (64 * k)) & (1 << 64) - 1 for k in range(BITS // 64)]
    signed = [p - (1 << 64) if p >> 63 else p for p in parts]
    return (*signed, exponent, error, int(number < 0), 0)
