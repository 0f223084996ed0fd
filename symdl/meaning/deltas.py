"""Deltas: c R (f(A) - f(B)), of one function at two arguments, where that cancels and the difference is known.

    log A - log B       = log(A / B)                            where A/B nears 1 and A, B are positive
    sin A - sin B       = 2 cos((A + B)/2) sin((A - B)/2)       where A - B is small for the size of A and B
    cos A - cos B       = -2 sin((A + B)/2) sin((A - B)/2)      likewise
    arctan A - arctan B = arctan((A - B) / (1 + A B))           where -1/2 < A B, and A B is in range
    erf A - erf B       = erfc B - erfc A                       where both are above 1/2, mirrored below -1/2

The regime is looked at when the program runs; outside it the difference is as it was written.
"""

from __future__ import annotations

from dataclasses import dataclass

from symdl.expr import Expr
from symdl.meaning.cancellation import near_log
from symdl.meaning.companions import known
from symdl.meaning.normal_form import Atom, Mono, Poly, as_factor
from symdl.meaning.rationals import HALF, Rational, quotient
from symdl.meaning.written_logs import Writer
from symdl.ops import elementwise as ew

FUNCTIONS = frozenset(["log", "sin", "cos", "arctan", "erf"])


@dataclass(frozen=True)
class Delta:
    """scale * rest * (f(a) - f(b))."""

    function: str
    a: Poly
    b: Poly
    rest: Mono
    scale: Rational


def delta_of(m: Mono, c: Rational, n: Mono, d: Rational) -> Delta | None:
    """c m + d n as a Delta, if it is one that is known better than by subtraction."""
    if c != -d or m.expo is not n.expo:
        return None
    for a, p in m.factors.items():
        if a.op not in FUNCTIONS or p != 1:
            continue
        rest = m.without(a)
        b = _mate(n, rest)
        if b is None or b.op != a.op:
            continue
        found = Delta(a.op, a.args[0], b.args[0], rest, c)
        if a.op != "log" or _near(found) is not None:
            return found
    return None


def _mate(n: Mono, rest: Mono) -> Atom | None:
    """The atom b with n = rest * b."""
    left = (n * rest.inverse).factors
    if len(left) != 1 or (n * rest.inverse).expo.terms:
        return None
    ((b, p),) = left.items()
    return b if p == 1 else None


def _near(delta: Delta) -> Poly | None:
    """log(A/B), accurate where A/B is near 1."""
    if not (delta.a.terms and delta.b.terms):
        return None
    (m, c), (n, d) = as_factor(delta.a), as_factor(delta.b)
    ratio = m * n.inverse
    return near_log(ratio, quotient(c, d)) if ratio.nearable else None


def written_delta(write: Writer, delta: Delta) -> Expr:
    """The nodes for a Delta."""
    a, b = write(delta.a), write(delta.b)
    forms = delta.rest.forms
    plain = write.known.calmed(
        write.total(
            [
                write.term(delta.rest * forms.mono(forms.zero, {forms.atom(delta.function, (u,)): 1}), k)
                for u, k in ((delta.a, delta.scale), (delta.b, -delta.scale))
            ]
        )
    )

    def whole(difference: Expr) -> Expr:
        return (
            ew.mul(write.term(delta.rest, delta.scale), difference)
            if not delta.rest.bare
            else write.scaled(difference, delta.scale)
        )

    match delta.function:
        case "log":
            near = _near(delta)
            assert near is not None
            (m, c), (n, d) = as_factor(delta.a), as_factor(delta.b)
            close = ew.bitwise_and(write.close(write.term(m * n.inverse, quotient(c, d))), ew.gt(b, write.number(0)))
            return ew.where(close, whole(write(near)), plain)
        case "sin" | "cos":
            apart, middle = delta.a - delta.b, (delta.a + delta.b).scale(HALF)
            other, sign = ("cos", 2) if delta.function == "sin" else ("sin", -2)
            product = ew.mul(write(known(other, middle)), write(known("sin", apart.scale(HALF))))
            size = ew.add(ew.add(ew.abs(a), ew.abs(b)), write.number(1))
            near_enough = ew.lt(ew.mul(ew.abs(write(apart)), size), write.number(1))
            return ew.where(near_enough, whole(write.scaled(product, sign)), plain)
        case "arctan":
            product = ew.mul(a, b)
            ratio = ew.true_div(write(delta.a - delta.b), ew.add(write.number(1), product))
            inside = ew.bitwise_and(ew.gt(product, write.number(-HALF)), ew.lt(product, write.number(2.0**60)))
            return ew.where(inside, whole(write.function("arctan", ratio)), plain)
    upper = ew.bitwise_and(ew.gt(a, write.number(HALF)), ew.gt(b, write.number(HALF)))
    lower = ew.bitwise_and(ew.lt(a, write.number(-HALF)), ew.lt(b, write.number(-HALF)))
    above = ew.sub(write.function("erfc", b), write.function("erfc", a))
    below = ew.sub(write.function("erfc", ew.neg(a)), write.function("erfc", ew.neg(b)))
    return ew.where(upper, whole(above), ew.where(lower, whole(below), plain))
