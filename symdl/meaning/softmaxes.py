"""Sums of exponentials less their largest: of what they are, and the mean of an exponent that is known beside its largest.

    max E - sum(E exp(E)) / sum(exp(E))  ->  sum((max E - E) exp(E - max E)) / sum(exp(E - max E)), whose terms are never negative
    u[j] - sum(u exp(E)) / sum(exp(E))   ->  sum((u[j] - u) exp(E - max E)) / sum(exp(E - max E)), of which the j-th is 0

are what logarithms of such sums leave of an entropy, and of derivatives by a temperature.
"""

from __future__ import annotations

from symdl.meaning.exclusion import takers
from symdl.meaning.factoring import multiply
from symdl.meaning.index_maps import Place, viewed
from symdl.meaning.moments import Total, total_of
from symdl.meaning.normal_form import Atom, Mono, Poly, varies
from symdl.meaning.rationals import Rational, quotient


def lone(m: Mono) -> Atom | None:
    """The atom that a monomial is, if it is one."""
    if len(m.factors) == 1 and not m.expo.terms:
        ((a, p),) = m.factors.items()
        return a if p == 1 else None
    return None


def exponent_of(total: Atom) -> Poly:
    """E of the sum of exp(E)."""
    body = total.args[0].single
    assert body is not None
    return body[0].expo


def softmax_argument(a: Atom) -> Poly | None:
    """E if a is the sum of exp(E - max E) over the axes of that maximum."""
    found = _softmax_parts(a)
    return found[0] if found else None


def largest_of(a: Atom) -> Poly | None:
    """max E if a is the sum of exp(E - max E) over its axes, or a view of that."""
    if a.op == "view":
        inner = a.args[0].atom
        top = largest_of(inner) if inner is not None else None
        if top is None or top.single is None or (own := lone(top.single[0])) is None:
            return None
        return a.forms.function("view", a.forms.of_atom(own), param=a.param, shape=a.shape).scale(top.single[1])
    found = _softmax_parts(a)
    return found[1] if found else None


def _softmax_parts(a: Atom) -> tuple[Poly, Poly] | None:
    """(E, max E) if a is the sum of exp(E - max E) over the axes of that maximum."""
    found = a.args[0].single if a.op == "sum" else None
    if not found or found[1] != 1 or found[0].factors:
        return None
    expo = found[0].expo
    for m, c in expo.terms.items():
        top = next(iter(m.factors)) if len(m.factors) == 1 and not m.expo.terms else None
        if top is not None and top.op == "max" and c < 0 and len(top.args) == 1 and top.param == a.param:
            e = expo - m.forms.term(m, c)
            if e is top.args[0].scale(-c):
                return e, m.forms.term(m, -c)
    return None


def weight_of(a: Atom) -> Poly | None:
    """w if a is the sum of w exp(E - max E), w no exponential, over the axes of that maximum."""
    found = a.args[0].single if a.op == "sum" else None
    if not found or not found[0].factors:
        return None
    for m, c in found[0].expo.terms.items():
        top = lone(m)
        if top is not None and top.op == "max" and c < 0 and top.param == a.param:
            return a.forms.term(a.forms.mono(a.forms.zero, dict(found[0].factors)), found[1])
    return None


# ---- the mean of an exponent ----


def from_largest(poly: Poly) -> Poly | None:
    """A sum with c R max E and -c R sum(E exp(E)) / sum(exp(E)) as c R sum((max E - E) exp(E)) / sum(exp(E)), or with an
    element of what is added up in place of the largest; or None."""
    if len(poly.terms) < 2:
        return None
    for m, c in poly.terms.items():
        totals = [(t, p) for a, p in m.factors.items() if p in (1, -1) and (t := total_of(a)) is not None]
        for below in (t for t, p in totals if p == -1 and softmax_argument(t.sum) is not None):
            for above in (t for t, p in totals if p == 1 and t.alike(below)):
                found = _from_largest(poly, m, c, above, below)
                if found is not None:
                    return found
    return None


def _from_largest(poly: Poly, m: Mono, c: Rational, above: Total, below: Total) -> Poly | None:
    forms, axes = poly.forms, below.sum.param
    exponent, body, weights = softmax_argument(below.sum), above.sum.args[0].single, below.sum.args[0].single
    if exponent is None or exponent.single is None or body is None or weights is None:
        return None

    def here(kept: Poly) -> Poly:
        """What does not vary along the axes, laid out as the sums are."""
        place = below.atom.param if below.atom is not below.sum else None
        return viewed(kept, place, len(below.sum.shape)) if isinstance(place, Place) else kept

    less_largest = weights[0].expo  # E - max E
    apart = less_largest - body[0].expo
    added = forms.mono(forms.zero, body[0].factors)
    share = exponent.single[0] * added.inverse  # E is k share times what is added up
    if varies(apart.shape, axes) or m.expo is not here(apart):
        return None

    def beside(outer: Poly, most: Poly, gap: Poly) -> Poly | None:
        """outer times the mean, most being outer times a number and gap the distances from that."""
        if not all(poly.terms.get(t, 0) * k < 0 for t, k in most.terms.items()):
            return None
        whole = forms.function("sum", multiply(gap, forms.raw_exp(less_largest)), param=axes, shape=below.sum.shape)
        mean = multiply(multiply(outer, below.viewed(whole)), forms.of_atom(below.atom, -1))
        return poly - forms.term(m, c) + most + mean

    rest = m.without(above.atom).without(below.atom, -1)
    outer = forms.term(forms.mono(forms.zero, rest.factors), c * body[1])
    if not varies(share.shape, axes):
        scale = multiply(outer, here(forms.term(share.inverse)), lenient=True).scale(quotient(1, exponent.single[1]))
        found = beside(scale, multiply(scale, here(exponent - less_largest)), less_largest)
        if found is not None:
            return found
    for t in poly.terms:
        for take in takers(above.sum, None, t) if t is not m else ():
            one = take(forms.term(added))
            found = beside(outer, multiply(outer, here(one)), forms.term(added) - one)
            if found is not None:
                return found
    return None
