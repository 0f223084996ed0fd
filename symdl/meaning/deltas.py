"""Deltas: c R (f(A) - f(B)), of one function at two arguments, where that cancels and the difference is known.

    log A - log B       = log(A / B)                            where A/B nears 1, also as a series does, and A, B are positive
    sin A - sin B       = 2 cos((A + B)/2) sin((A - B)/2)
    cos A - cos B       = -2 sin((A + B)/2) sin((A - B)/2)
    tan A - tan B       = sin(A - B) / (cos A cos B)
    sin A cos B - cos A sin B = sin(A - B)
    arctan A - arctan B = arctan((A - B) / (1 + A B))           where -1/2 < A B; (A - B) / A / B far out
    erf A - erf B       = erfc B - erfc A                       where both are above 1/2, mirrored below -1/2
    erfc A - erfc B     = erfc -B - erfc -A                     where both are below -1/2

A regime is looked at when the program runs; outside it the difference is as it was written. Angles need none: they are
computed with the digits that their circular functions magnify.
"""

from __future__ import annotations

import math

from symdl.graph.expr import Expr
from symdl.meaning import taylor
from symdl.meaning.cancellation import near_log
from symdl.meaning.companions import known
from symdl.meaning.factoring import as_factor, power
from symdl.meaning.normal_form import Atom, Mono, Poly
from symdl.meaning.rationals import HALF, Rational, quotient
from symdl.meaning.terms import even_root
from symdl.meaning.written_logs import Writer
from symdl.ops import elementwise as ew
from symdl.records import record

FUNCTIONS = frozenset(["log", "arcsinh", "sin", "cos", "arctan", "erf", "erfc"])


@record
class Delta:
    """scale * rest * (f(a) - f(b)) = scale * (first - second)."""

    function: str
    a: Poly
    b: Poly
    rest: Mono
    scale: Rational
    first: Mono
    second: Mono


def delta_of(m: Mono, c: Rational, n: Mono, d: Rational) -> Delta | None:
    """c m + d n as a Delta, if it is one that is known better than by subtraction."""
    if c != -d or m.expo is not n.expo:
        return None
    for a, p in m.factors.items():
        if a.op not in FUNCTIONS or p != 1:
            continue
        rest = m.without(a)
        b = _mate(n, rest)
        if b is not None and {a.op, b.op} == {"log", "arcsinh"}:
            found = Delta("log", _inside_log(a), _inside_log(b), rest, c, m, n)
        elif b is None or b.op != a.op or a.op == "arcsinh":
            if a.op == "sin" and (angles := _of_angles(m, n, a, c)) is not None:
                return angles
            continue
        else:
            found = Delta(a.op, a.args[0], b.args[0], rest, c, m, n)
        if found.function != "log" or _near(found) is not None:
            return found
    return None


def _inside_log(a: Atom) -> Poly:
    """A of log A, and of arcsinh u, which is log(u + sqrt(u^2 + 1))."""
    u = a.args[0]
    return u if a.op == "log" else u + power(power(u, 2) + a.forms.one, HALF)


def _of_angles(m: Mono, n: Mono, a: Atom, c: Rational) -> Delta | None:
    """tan A - tan B, or sin A cos B - cos A sin B."""
    tangent = m.factors.get(_cosine(a)) == -1
    for b, p in (n if tangent else m).factors.items():
        if b.op != ("sin" if tangent else "cos") or p != 1 or b.args[0] is a.args[0]:
            continue
        other = b.args[0]
        if tangent:
            rest = m.without(a).without(_cosine(a), -1)
            mate = rest * m.forms.mono(m.forms.zero, {b: 1, _cosine(b): -1})
        else:
            rest = m.without(a).without(b)
            mate = rest * m.forms.mono(m.forms.zero, {_cosine(a): 1, m.forms.atom("sin", (other,)): 1})
        if mate is n:
            return Delta("tan" if tangent else "sin of", a.args[0], other, rest, c, m, n)
    return None


def _cosine(a: Atom) -> Atom:
    return a.forms.atom("cos", a.args)


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
    known = near_log(ratio, quotient(c, d), only_near=True) if ratio.nearable else None
    return known or taylor.near_log(ratio, quotient(c, d))


def written_delta(write: Writer, delta: Delta) -> Expr:
    """The nodes for a Delta."""

    def whole(difference: Expr) -> Expr:
        return (
            ew.mul(write.term(delta.rest, delta.scale), difference)
            if not delta.rest.bare
            else write.scaled(difference, delta.scale)
        )

    match delta.function:
        case "sin" | "cos":
            apart, middle = (delta.a - delta.b).scale(HALF), (delta.a + delta.b).scale(HALF)
            other, sign = ("cos", 2) if delta.function == "sin" else ("sin", -2)
            return whole(write.scaled(ew.mul(write(known(other, middle)), write(known("sin", apart))), sign))
        case "sin of":
            return whole(write(known("sin", delta.a - delta.b)))
        case "tan":
            below = ew.mul(write(known("cos", delta.a)), write(known("cos", delta.b)))
            return whole(ew.true_div(write(known("sin", delta.a - delta.b)), below))
    a, b = write(delta.a), write(delta.b)
    plain = write.total([write.term(delta.first, delta.scale), write.term(delta.second, -delta.scale)])
    if delta.function not in ("erf", "erfc"):  # which may cancel between the regimes
        plain = write.known.calmed(plain)
    match delta.function:
        case "log":
            near = _near(delta)
            assert near is not None
            (m, c), (n, d) = as_factor(delta.a), as_factor(delta.b)
            close = ew.bitwise_and(write.close(write.term(m * n.inverse, quotient(c, d))), ew.gt(b, write.number(0)))
            if (positive := even_root(near)) is not None:
                close = ew.bitwise_and(close, ew.gt(write(positive), write.number(-1)))
            return ew.where(close, whole(write(near)), plain)
        case "arctan":
            product, gap = ew.mul(a, b), write(delta.a - delta.b)
            most = 2.0 ** (1000 if product.type.dtype == "float64" else 120)
            inside = ew.bitwise_and(ew.gt(product, write.number(-HALF)), ew.lt(product, write.number(most)))
            far = ew.bitwise_and(ew.ge(product, write.number(most)), ew.lt(ew.abs(gap), write.number(math.inf)))
            ratio = ew.true_div(gap, ew.add(write.number(1), product))
            ratio = ew.where(inside, ratio, ew.true_div(ew.true_div(gap, a), b))
            return ew.where(ew.bitwise_or(inside, far), whole(write.function("arctan", ratio)), plain)
    upper = ew.bitwise_and(ew.gt(a, write.number(HALF)), ew.gt(b, write.number(HALF)))
    lower = ew.bitwise_and(ew.lt(a, write.number(-HALF)), ew.lt(b, write.number(-HALF)))
    if delta.function == "erfc":
        mirrored = ew.sub(write.function("erfc", ew.neg(b)), write.function("erfc", ew.neg(a)))
        return ew.where(lower, whole(mirrored), plain)
    above = ew.sub(write.function("erfc", b), write.function("erfc", a))
    below = ew.sub(write.function("erfc", ew.neg(a)), write.function("erfc", ew.neg(b)))
    return ew.where(upper, whole(above), ew.where(lower, whole(below), plain))
