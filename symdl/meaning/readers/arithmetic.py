"""Readers of sums, products, quotients and powers."""

from __future__ import annotations

from collections.abc import Sequence

from symdl.graph.expr import Expr
from symdl.graph.irrationals import IRRATIONALS
from symdl.meaning.cancellation import by_roots, known_difference, simplify
from symdl.meaning.deltas import delta_of
from symdl.meaning.factoring import as_factor, flattened, power
from symdl.meaning.logarithms import exponential
from symdl.meaning.masks import (
    assume,
    chosen,
    columns_masked,
    masked,
    merged,
    product,
    put_of,
)
from symdl.meaning.normal_form import Poly, exponents
from symdl.meaning.rationals import HALF, Rational, quotient
from symdl.meaning.readers.views import rejoined
from symdl.meaning.reading import Reading, reads
from symdl.meaning.recurrences import stepped
from symdl.meaning.signs import beside_signs
from symdl.meaning.softmaxes import lone
from symdl.meaning.taylor import small
from symdl.meaning.terms import powers_met, scaled_erfc, unsigned, vanishing_log

LOGARITHMS = 6  # sums with more of them are left alone


def total(reading: Reading, poly: Poly) -> Poly:
    """A sum as the algebra leaves it; found where it cancels, now or when written."""
    poly = _columns(reading, poly)
    out = beside_signs(stepped(_logarithms_met(_number_inside(simplify(merged(flattened(poly)))))))
    if out is not poly or _near_pair(poly) or _gains_under_mask(poly) or small(out) is not None:
        reading.forms.found += 1
    return out


def _logarithms_met(poly: Poly) -> Poly:
    """(a + b) R log(a + b) - a R log Q, b >= 0, as a R (log(a + b) - log Q) + b R log(a + b), of which the difference is known;
    b, too, may have a logarithm of its own. Where b may be negative, a + b may be 0, and its logarithm times it."""
    logs = [(m, c) for m, c in poly.terms.items() if any(a.op == "log" and p == 1 for a, p in m.factors.items())]
    for m, c in logs if 2 <= len(logs) <= LOGARITHMS else ():
        whole = next((a.args[0].atom for a, p in m.factors.items() if a.op == "log" and p == 1), None)
        if whole is None or whole.op != "sum_of" or m.factors.get(whole) != 1:
            continue
        own, beside = whole.args[0], m.without(whole)
        known = [
            t for t, k in own.terms.items() if any(delta_of(beside * t, c * k, n, d) for n, d in logs if n is not m)
        ]
        if known and all(t in known or (k > 0 and t.nonneg) for t, k in own.terms.items()):
            return poly - poly.forms.term(m, c) + own.times(beside, c)
    return poly


def _columns(reading: Reading, poly: Poly) -> Poly:
    """A sum with masks of columns in place of what is put there, if that cancels under them: 1 - p of one softmax."""
    if len(poly.terms) < 2 or not any(map(put_of, poly.terms)):
        return poly
    out = columns_masked(poly)
    if out is poly or not _gains_under_mask(out):
        return poly
    reading.forms.found += 1
    masks = [(m, c) for m, c in out.terms.items() if masked(m)]
    if len(masks) > 1:
        return out
    ((m, c),) = masks  # chosen here, since a slice of a column alone does not know what it is a column of
    w, rest = next(iter(m.factors)), out - out.forms.term(m, c)
    yes = simplify(assume(rest, w.param, True) + w.args[0].scale(c))
    return chosen(w.param, yes, simplify(assume(rest, w.param, False)))


def _number_inside(poly: Poly) -> Poly:
    """k + c where(..., u, v) as where(..., k + c u, k + c v): 1 - p of a p that is clipped."""
    forms = poly.forms
    if len(poly.terms) != 2 or forms.unit not in poly.terms:
        return poly
    ((m, c),) = [t for t in poly.terms.items() if not t[0].bare]
    a = lone(m)
    if a is None or a.op != "where" or not poly.special or not all(b.terms for b in a.args):
        return poly
    k = forms.constant(poly.terms[forms.unit])
    return chosen(a.param, *(_number_inside(simplify(flattened(k + b.scale(c)))) for b in a.args))


def _gains_under_mask(poly: Poly) -> bool:
    """Whether what stands beside a mask cancels inside it."""
    for m, c in poly.terms.items():
        w = masked(m)
        if w is not None and len(m.factors) == 1 and not m.expo.terms:
            rest = poly - poly.forms.term(m, c)
            for branch, holds in zip(w.args, (True, False), strict=True):
                inside = assume(rest, w.param, holds) + branch.scale(c)
                if branch.terms and (simplify(inside) is not inside or _near_pair(inside)):
                    return True
    return False


def _near_pair(poly: Poly) -> bool:
    """Whether two terms, or all those over one root and the others, differ by little somewhere, and the difference is known."""
    items = list(poly.terms.items())
    if len(items) > 12:
        return False
    for i, (m, c) in enumerate(items):
        for n, d in items[:i]:
            if (c * d < 0 or not (m.nonneg and n.nonneg)) and (
                known_difference(m, c, n, d) or delta_of(m, c, n, d) is not None
            ):
                return True
    return by_roots(items) is not items


@reads("add")
def _add(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    out = args[0] + args[1]
    if len(out.terms) < len(args[0].terms) + len(args[1].terms) - _alike(args[0], args[1], 1):
        reading.forms.found += 1
    return total(reading, out)


@reads("sub")
def _sub(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    out = args[0] - args[1]
    if len(out.terms) < len(args[0].terms) + len(args[1].terms) - _alike(args[0], args[1], -1):
        reading.forms.found += 1
    return total(reading, out)


def _alike(a: Poly, b: Poly, sign: int) -> int:
    """How many monomials the two share that do not cancel."""
    return sum(1 for m, c in b.terms.items() if m in a.terms and a.terms[m] + sign * c)


@reads("neg")
def _neg(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return args[0].scale(-1)


def times(reading: Reading, a: Poly, b: Poly) -> Poly:
    """a * b; found where exponentials meet, or a mask takes in what may be infinite."""
    forms = reading.forms
    if exponents(a) & exponents(b):
        forms.found += 1
    out = product(a, b)
    one = out.single
    if one:
        if (met := powers_met(one[0])) is not None:
            forms.found += 1
            out = met.scale(one[1])
        elif (scaled := scaled_erfc(one[0])) is not one[0]:
            forms.found += 1
            out = forms.term(scaled, one[1])
        elif vanishing_log(one[0]) is not None:
            forms.found += 1
        elif (size := unsigned(one[0])) is not None:
            forms.found += 1
            out = size.scale(one[1])
    out = _columns(reading, out)
    if (_has_mask(a) and _hazard(b)) or (_has_mask(b) and _hazard(a)):
        forms.found += 1
    return out


def _has_mask(poly: Poly) -> bool:
    return any(put_of(m) or masked(m) for m in poly.terms)


def _hazard(poly: Poly) -> bool:
    """Whether it may be infinite or NaN where its leaves are finite."""
    return any(
        m.expo.terms or any(p < 0 or p.denominator != 1 or a.op == "log" for a, p in m.factors.items())
        for m in poly.terms
    )


@reads("mul")
def _mul(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    out = times(reading, args[0], args[1])
    return out if out.terms or not _hides(args) else reading.as_leaf(node)


def _hides(args: Sequence[Poly]) -> bool:
    """Whether 0 over or times it is more than 0: NaN where it is infinite or NaN."""
    return any(a.number is None for a in args)


def to_power(reading: Reading, a: Poly, p: Rational) -> Poly:
    """a ** p; found where that undoes an exponential or turns a sum of them upside down."""
    whole = as_factor(a)[0] if a.terms else reading.forms.unit
    even = all(q.numerator % 2 == 0 and a.op != "sum_of" for a, q in whole.factors.items())
    if p.denominator != 1 and (whole.expo.terms or even):
        reading.forms.found += 1
    if p < 0 and any(q.op == "sum_of" and exponents(reading.forms.of_atom(q)) for q in whole.factors):
        reading.forms.found += 1
    for w, q in whole.factors.items():
        if w.op in ("where", "join") and whole.factors == {w: q} and (w.op == "join" or all(b.terms for b in w.args)):
            k = as_factor(a)[1]
            sign = -1 if k < 0 and p.denominator != 1 else 1  # of which no root may be drawn apart from the branches
            inside = [power(power(b, q).scale(sign), p) if b.terms else b for b in w.args]
            outer = power(reading.forms.term(reading.forms.mono(whole.expo, {}), k * sign), p)
            if w.op == "join":
                return product(outer, rejoined(w, inside))
            return product(outer, chosen(w.param, *inside))
    if p < 0:
        reading.forms.divided.update(q for q, k in whole.factors.items() if k > 0 and not q.positive)
    return power(a, p)


@reads("true_div")
def _div(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    k = args[1].number
    if k is not None and k:
        return args[0].scale(quotient(1, k))
    if not args[0].terms and k is None:
        return reading.as_leaf(node)
    return times(reading, args[0], to_power(reading, args[1], -1))


@reads("reciprocal")
def _reciprocal(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return to_power(reading, args[0], -1)


@reads("deg2rad")
def _deg2rad(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return args[0].scale(IRRATIONALS["pi/180"])


@reads("rad2deg")
def _rad2deg(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return args[0].scale(IRRATIONALS["180/pi"])


@reads("log_slope")
def _log_slope(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    forms = reading.forms
    out, forms.slopes, forms.divided = to_power(reading, args[0], -1), forms.divided, set()
    return out


@reads("sqr")
def _sqr(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return to_power(reading, args[0], 2)


@reads("sqrt")
def _sqrt(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return to_power(reading, args[0], HALF)


@reads("pow")
def _pow(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    base, p = args[0].number, args[1].number
    if p is not None:
        return to_power(reading, args[0], p)
    if base is not None and base > 0 and base != 1:
        return exponential(multiply_number_log(args[1], base))
    if not args[0].terms or not args[1].terms:
        return reading.as_leaf(node)
    return reading.forms.function("pow", *args)


def multiply_number_log(poly: Poly, base: Rational) -> Poly:
    """poly * log(base)."""
    forms = poly.forms
    return product(poly, forms.function("log", forms.constant(base)))
