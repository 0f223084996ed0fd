"""Series: functions near 0 that sums of the algebra hold, their coefficients, and how far these reach."""

from __future__ import annotations

import math
from collections.abc import Hashable
from fractions import Fraction

from symdl.graph.irrationals import IRRATIONALS
from symdl.meaning.cancellation import expand
from symdl.meaning.normal_form import ODD, Atom, Poly
from symdl.meaning.rationals import Rational, magnitude, quotient, rational
from symdl.records import record

INVERSES = frozenset(["arctan", "arcsin", "arctanh", "arcsinh"])  # whose series end at 1
REACHES: dict[Hashable, Rational] = {"exp": 1, "sin": 1, "cos": 1, "erf": 1, **dict.fromkeys(INVERSES, quotient(1, 8))}
NEAR_1 = quotient(1, 16)  # how far the series of functions of 1 + u reach, in u


@record
class Function:
    """A whole power of a function whose series at 0 is known. kind: its name, or of (1 + u)^p p."""

    kind: Hashable
    argument: Poly
    count: int = 1


def function_of(a: Atom, p: Rational) -> Function | None:
    """What a power of an atom is as a function near 0: of 1 + u in u, which is one term."""
    if a.op in REACHES:
        return Function(a.op, a.args[0], int(p)) if p.denominator == 1 else None
    root = a.op == "sum_of" and p.denominator != 1
    if not root and (a.op not in ("log", "log1p") or p.denominator != 1):
        return None
    u = a.args[0] if a.op == "log1p" else expand(a.args[0])
    if u is not None and a.op != "log1p":
        u = u - a.forms.one
    if u is None or u.single is None or u.single[0].bare:
        return None
    return Function(p, u) if root else Function("log1p", u, int(p))


def reach(kind: Hashable) -> Rational:
    """Below which arguments a function's series is used."""
    return REACHES.get(kind, NEAR_1)


def coefficient(kind: Hashable, j: int) -> Rational:
    """Of u^j in the function's series."""
    if kind == "log1p":
        return quotient((-1) ** (j + 1), j) if j else 0
    if isinstance(kind, int | Fraction):
        return _binomial(kind, j)
    if (kind in ODD and j % 2 == 0) or (kind == "cos" and j % 2):
        return 0
    half = j // 2
    sign = 1 if kind in ("exp", "arcsin", "arctanh") else (-1) ** half
    match kind:
        case "arctan" | "arctanh":
            return quotient(sign, j)
        case "arcsin" | "arcsinh":
            return quotient(sign * math.comb(2 * half, half), 4**half * j)
        case "erf":
            return quotient(sign * rational(IRRATIONALS["2/sqrt(pi)"]), j * math.factorial(half))
    return quotient(sign, math.factorial(j))


def _binomial(p: Rational, j: int) -> Rational:
    """p over j: of u^j in (1 + u)^p."""
    out: Rational = 1
    for k in range(j):
        out = quotient(out * (p - k), k + 1)
    return out


def first_left(kind: Hashable, degree: int) -> int:
    """The degree that a remainder begins with."""
    return next(j for j in range(degree + 1, degree + 4) if coefficient(kind, j))


def series_of(a: Atom, bits: int) -> tuple[int, int, list[Rational]]:
    """(first degree, step, coefficients) of a remainder in its argument, as many as its reach needs for so many bits."""
    kind, degree = a.param
    first, far = first_left(kind, degree), reach(kind)
    step = 2 if kind in ODD or kind == "cos" else 1
    found = [coefficient(kind, first)]
    while magnitude(found[-1]) * far ** (step * (len(found) - 1)) * 2 ** (bits + 3) > magnitude(found[0]):
        found.append(coefficient(kind, first + step * len(found)))
    return first, step, found
