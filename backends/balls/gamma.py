"""gammaln and digamma of balls: Stirling's series of x + SHIFT, the remainder of which is less than its first term left out,
for a positive x (Whittaker and Watson 1927, 12.33; DLMF 5.11.1 and 5.11.2); below 0 by reflection (DLMF 5.5.3 and 5.5.4).

From 40 on the first term left out is below 2^-300.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache

from symdl.backends.balls.formula import PI, Formula, Written

SHIFT = 40
LARGE = 6  # binary exponent of arguments from which on nothing is shifted
TERMS = 60


@cache  # not worked out before somebody needs the library
def _bernoulli() -> list[Fraction]:
    """B_2, B_4, ..."""
    found = [Fraction(1)]
    for n in range(1, 2 * TERMS + 1):
        found.append(-sum((math.comb(n + 1, k) * found[k] for k in range(n)), Fraction(0)) / (n + 1))
    return found[2::2]


def _below_zero(f: Formula, x: str) -> str:
    """Whether x is; unknown where that is."""
    order = f.order(x, f.constant(0))
    f.only_if(f.emit(f"icmp ult i64 {f.emit(f'add i64 {order}, 1')}, 3"))
    return f.emit(f"icmp eq i64 {order}, -1")


def _small(f: Formula, x: str) -> str:
    return f.emit(f"icmp slt i64 {f.exponent(x)}, {LARGE}")


def _stirling(f: Formula, z: str) -> str:
    """(z - 1/2) log z - z + log(2 pi)/2 + sum of B_2k/(2k (2k - 1) z^(2k - 1))"""
    near = f.div(f.constant(1), z)
    terms = [b / (2 * k * (2 * k - 1)) for k, b in enumerate(_bernoulli(), 1)]
    series = f.mul(near, f.polynomial(f.mul(near, near), terms))
    half = f.constant(Fraction(1, 2))
    root = f.scale(f.op("log", f.constant(2 * PI, False)), -1)
    return f.add(f.sub(f.mul(f.sub(z, half), f.op("log", z)), z), f.add(root, series))


def _slope(f: Formula, z: str) -> str:
    """log z - 1/(2z) - sum of B_2k/(2k z^2k)"""
    near = f.div(f.constant(1), z)
    square = f.mul(near, near)
    series = f.mul(square, f.polynomial(square, [b / (2 * k) for k, b in enumerate(_bernoulli(), 1)]))
    return f.sub(f.sub(f.op("log", z), f.scale(near, -1)), series)


@cache
def _rising() -> list[Fraction]:
    """The coefficients of x (x + 1) ... (x + SHIFT - 1), from that of x on: all positive."""
    found = [Fraction(1)]
    for k in range(1, SHIFT):
        found = [k * low + high for low, high in zip([*found, Fraction(0)], [Fraction(0), *found], strict=True)]
    return found


def _product(f: Formula, x: str) -> str:
    """x (x + 1) ... (x + SHIFT - 1)"""
    return f.mul(x, f.polynomial(x, _rising(), positive=True))


def above_gammaln(f: Formula, x: str, _: str) -> str:
    """Of a positive x: at x + n, less log(x (x + 1) ... (x + n - 1))"""

    def shifted() -> str:
        return f.sub(_stirling(f, f.add(x, f.constant(SHIFT))), f.op("log", _product(f, x)))

    return f.either(_small(f, x), shifted, lambda: _stirling(f, x))


def above_digamma(f: Formula, x: str, _: str) -> str:
    """Of a positive x: at x + n, less 1/x + 1/(x + 1) + ... + 1/(x + n - 1)"""

    def shifted() -> str:
        slope = f.polynomial(x, [k * c for k, c in enumerate(_rising(), 1)], positive=True)
        return f.sub(_slope(f, f.add(x, f.constant(SHIFT))), f.div(slope, _product(f, x)))

    return f.either(_small(f, x), shifted, lambda: _slope(f, x))


def gammaln(f: Formula, x: str, _: str) -> str:
    """Below 0: log(pi/|sin(pi x)|) - gammaln(1 - x)"""

    def reflected() -> str:
        sine = f.op("abs", f.op("sin", f.mul(x, f.constant(PI, False))))
        near = f.op("log", f.div(f.constant(PI, False), sine))
        return f.sub(near, f.op("above_gammaln", f.sub(f.constant(1), x)))

    return f.either(_below_zero(f, x), reflected, lambda: f.op("above_gammaln", x))


def digamma(f: Formula, x: str, _: str) -> str:
    """Below 0: digamma(1 - x) - pi/tan(pi x)"""

    def reflected() -> str:
        near = f.div(f.constant(PI, False), f.op("tan", f.mul(x, f.constant(PI, False))))
        return f.sub(f.op("above_digamma", f.sub(f.constant(1), x)), near)

    return f.either(_below_zero(f, x), reflected, lambda: f.op("above_digamma", x))


FUNCTIONS: dict[str, Written] = {
    "above_gammaln": above_gammaln, "above_digamma": above_digamma, "gammaln": gammaln, "digamma": digamma,
}  # fmt: skip
