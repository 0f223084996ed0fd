"""Exact rational numbers: ints where they are whole, Fractions else.

Most coefficients and powers are 1, -1 or 2, and arithmetic with ints is many times quicker than with Fractions.
Division and powers go through `quotient` and `whole_power`: an int by an int would be a float. mypy finds who forgets.
"""

from __future__ import annotations

from fractions import Fraction

Rational = int | Fraction
HALF = Fraction(1, 2)


def rational(number: float | Rational) -> Rational:
    """The number exactly, as an int if it is whole."""
    if type(number) is int:
        return number
    out = Fraction(number)
    return out.numerator if out.denominator == 1 else out


def quotient(a: Rational, b: Rational) -> Rational:
    """a / b. Raises ZeroDivisionError."""
    if b == 1:
        return a
    if b == -1:
        return -a
    out = a / b if type(a) is Fraction else Fraction(a * b.denominator, b.numerator)
    return out.numerator if out.denominator == 1 else out


def whole_power(a: Rational, p: int) -> Rational:
    """a ** p. Raises ZeroDivisionError for 0 to a negative power."""
    return a**p if p >= 0 else quotient(1, a**-p)


def magnitude(a: Rational) -> Rational:
    """abs(a), in a form that mypy follows."""
    return a if a >= 0 else -a
