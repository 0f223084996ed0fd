"""erf, erfc, erfcx and erfinv of balls: a series of positive terms, beyond FAR a continued fraction (Abramowitz and Stegun 1964, 7.1.6,
7.1.14)."""

from __future__ import annotations

import math
from fractions import Fraction

from symdl.backends.balls.formula import ROOT_OF_PI, Formula, Written, rounded

FAR = 3  # binary exponent of arguments from which on erfc is a continued fraction
LEVELS = 100
ROUNDINGS = 9  # of all levels: below 2^9 last places
SETTLED = -150  # binary exponent of the last of Newton's steps, at most
TERMS = 300  # of the series, up to 8


def series(f: Formula, x: str) -> str:
    """e^(x^2) erf(x) = 2/sqrt(pi) sum of 2^k x^(2k+1)/(2k+1)!!"""
    terms = [Fraction(2**k, math.prod(range(1, 2 * k + 2, 2))) for k in range(TERMS)]
    total = f.mul(x, f.polynomial(f.mul(x, x), terms, positive=True))
    return f.mul(total, f.constant(rounded(2 / ROOT_OF_PI), False))


def fraction(f: Formula, x: str) -> str:
    """erfcx(x) = 1/sqrt(pi) 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + ...)))) of a large x

    The denominator grows by no more than x does, and each of its levels is wrong by two roundings more, relative to itself:
    less in all than bounds that are added up level by level.
    """
    centre = below = f.op("centre", x)
    for k in range(LEVELS, 0, -1):
        below = f.op("centre", f.add(centre, f.div(f.constant(Fraction(k, 2)), below)))
    unit = f.constant(1, False)
    roundings = f.scale(f.sub(unit, f.op("centre", unit)), f.emit(f"add i64 {f.exponent(below)}, {ROUNDINGS}"))
    below = f.add(below, f.add(f.sub(x, centre), roundings))
    return f.div(f.constant(rounded(1 / ROOT_OF_PI), False), below)


def by_size(f: Formula, x: str, near: Written, far: Written) -> str:
    """The one where |x| is below 2^FAR, else the other."""
    small = f.emit(f"icmp slt i64 {f.exponent(x)}, {FAR}")
    return f.either(small, lambda: near(f, x, x), lambda: far(f, x, x))


def _gauss(f: Formula, x: str) -> str:
    return f.op("exp", f.op("neg", f.mul(x, x)))


def _near_erf(f: Formula, x: str, _: str) -> str:
    return f.mul(series(f, x), _gauss(f, x))


def _far_erf(f: Formula, x: str, _: str) -> str:
    one = f.constant(1)
    return f.op("signed", f.sub(one, f.op("erfc", f.op("abs", x))), x)


def _near_erfc(f: Formula, x: str, _: str) -> str:
    return f.sub(f.constant(1), f.op("erf", x))


def _far_erfc(f: Formula, x: str, _: str) -> str:
    """Of a negative x: 2 - erfc(-x)"""
    size = f.op("abs", x)
    tail = f.mul(f.op("far_erfcx", size), _gauss(f, x))
    negative = f.emit(f"icmp eq i64 {f.order(x, f.constant(0))}, -1")
    return f.where(negative, f.sub(f.constant(2), tail), tail)


def _near_erfcx(f: Formula, x: str, _: str) -> str:
    """e^(x^2) less the series"""
    return f.sub(f.op("exp", f.mul(x, x)), series(f, x))


def _far_erfcx(f: Formula, x: str, _: str) -> str:
    """Of a negative x: 2 e^(x^2) - erfcx(-x)"""
    negative = f.emit(f"icmp eq i64 {f.order(x, f.constant(0))}, -1")
    tail = f.op("far_erfcx", f.op("abs", x))
    return f.either(negative, lambda: f.sub(f.scale(f.op("exp", f.mul(x, x)), 1), tail), lambda: tail)


def erf(f: Formula, x: str, _: str) -> str:
    """The series times e^(-x^2); far out 1 - erfc."""
    return by_size(f, x, _near_erf, _far_erf)


def erfc(f: Formula, x: str, _: str) -> str:
    """1 - erf; far out e^(-x^2) times the continued fraction."""
    return by_size(f, x, _near_erfc, _far_erfc)


def erfcx(f: Formula, x: str, _: str) -> str:
    """e^(x^2) less the series; far out the continued fraction."""
    return by_size(f, x, _near_erfcx, _far_erfcx)


def far_erfcx(f: Formula, x: str, _: str) -> str:
    """The continued fraction, written once."""
    return fraction(f, x)


def _distance(f: Formula, x: str, y: str) -> str:
    """(x - erf y)/erf'(y)"""
    slope = f.mul(f.op("exp", f.mul(y, y)), f.constant(rounded(ROOT_OF_PI / 2), False))
    return f.mul(f.sub(x, f.op("erf", y)), slope)


def erfinv(f: Formula, x: str, _: str) -> str:
    """Newton's iteration from float64's on. The last step leaves y d^2, d being its length, and less."""
    y = f.approximately("near.erfinv", x)
    for _step in range(4):
        y = f.op("centre", f.add(y, _distance(f, f.op("centre", x), y)))
    d = _distance(f, x, y)
    f.within(d, SETTLED)
    return f.add(y, d)


FUNCTIONS: dict[str, Written] = {
    "erf": erf, "erfc": erfc, "erfcx": erfcx, "far_erfcx": far_erfcx, "erfinv": erfinv,
}  # fmt: skip
