"""Sums without one of their terms: sum(X) - X, X sum(Y) - Y sum(X), and sum(X) less one element of X by itself.

An element is what a label picks of each row, or one column of a slice. Such a rest of a sum of exponentials is known
without cancellation at the largest of them, which no number form gives: 1 - p of a softmax' p near 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from symdl.graph.expr import Expr
from symdl.meaning.factoring import multiply
from symdl.meaning.index_maps import Cut, Place, viewed
from symdl.meaning.normal_form import Atom, Mono, Poly, varies
from symdl.meaning.rationals import Rational
from symdl.ops.views import DROP, SLICE, SPREAD

Term = tuple[Mono, Rational]
Take = Callable[[Poly], Poly]
PICKS: list[Callable[..., Poly]] = []  # how a label picks of a form, which stands above: it decides choices


def has_sum(m: Mono) -> bool:
    """Whether a sum over axes, or a view of one, is a factor."""
    return any(_sum_of(a) is not None for a in m.factors)


def _sum_of(a: Atom) -> tuple[Atom, Place | None] | None:
    """The sum that an atom is, or that it is a place of."""
    if a.op == "view" and isinstance(a.param, Place) and (inner := a.args[0].atom) is not None and inner.op == "sum":
        return inner, a.param
    return (a, None) if a.op == "sum" else None


def _sums(m: Mono) -> list[tuple[Atom, Atom, Place | None, Mono, Rational]]:
    """(factor, its sum, the place of it, the sum's body as one monomial, the body's coefficient) for each sum in m with power 1."""
    out = []
    for a, p in m.factors.items():
        if p == 1 and (found := _sum_of(a)) is not None and (body := found[0].args[0].single) is not None:
            out.append((a, *found, *body))
    return out


def excluded(s: Term, t: Term) -> Poly | None:
    """Two terms as one of what is left of a sum, or None."""
    forms = s[0].forms
    for (m, c), (n, d) in ((s, t), (t, s)):
        for factor, a, place, x, k in _sums(m):
            rest = m.without(factor)
            if d == -c * k:
                # c R sum(kX) + d R X, or with an element of X
                if place is None and n is rest * x:
                    return multiply(forms.term(rest, c), others(a))
                for take in takers(a, place, n):
                    if take(forms.term(x)) is forms.term(n * rest.inverse):
                        return multiply(forms.term(rest, c), take(others(a)))
            # c R Y sum(kX) + d R X sum(lY), with d l = -c k
            for _, b, other, y, l in _sums(n):
                if place is not None or other is not None or b.param != a.param or d * l != -c * k:
                    continue
                beside = n.without(b)
                if (outer := rest * y**-1) is beside * x**-1:
                    if not any(varies(t.shape, a.param) for t in (rest, beside)):
                        return forms.zero  # X / Y is the same all along the axis: so are the two terms
                    if any(p < 0 and not f.positive and f in y.factors for f, p in outer.factors.items()):  # y may be 0
                        return multiply(forms.term(rest, c), others(a)) + multiply(forms.term(beside, d), others(b))
                    first = multiply(forms.term(y, c), others(a))
                    second = multiply(forms.term(x, d), others(b))
                    return multiply(forms.term(outer), first + second)
    return None


def others(total: Atom) -> Poly:
    """sum(X) - X of a sum atom, an atom of X's shape that is known without cancellation at the largest X."""
    return total.forms.function("others", total.forms.of_atom(total), shape=total.args[0].shape)


def takers(total: Atom, place: Place | None, m: Mono) -> Iterator[Take]:
    """How a monomial takes elements along the summed axis, and where it places them, once for each way that is in it."""

    def taking(how: Take) -> Take:
        return how if place is None else lambda poly: viewed(how(poly), place, len(total.shape))

    for how in dict.fromkeys(_ways(m)):
        if isinstance(how, Expr):
            if total.param == (-1,):
                yield from (taking(partial(pick, label=how)) for pick in PICKS)
        elif _is_element(how, total):
            yield taking(partial(viewed, view=how, rank=len(how.lengths)))


def _ways(m: Mono) -> Iterator[Expr | Cut]:
    """The labels and the cuts by which the leaves of a monomial are taken."""
    for a in (*m.factors, *(b for t in m.expo.terms for b in t.factors)):
        yield from _ways_of(a)


def _ways_of(a: Atom) -> Iterator[Expr | Cut]:
    match a.op:
        case "pick":
            yield a.param
        case "view":
            if isinstance(a.param, Cut):
                yield a.param
            elif (inner := a.args[0].atom) is not None:
                yield from _ways_of(inner)
        case "leaf":
            x: Expr = a.param
            while x.op in (DROP, SPREAD):
                x = x.inputs[0]
            if x.op is SLICE:
                params = x.params
                yield Cut(params["starts"], params["steps"], params["lengths"])


def _is_element(cut: Cut, total: Atom) -> bool:
    """Whether a cut takes one place of each summed axis, and all of the others."""
    whole, rank = total.args[0].shape, len(cut.lengths)
    if len(whole) > rank:
        return False
    padded = (1,) * (rank - len(whole)) + tuple(whole)
    return all(
        (n == 1 and size != 1) if k - rank in total.param else n == size and not s
        for k, (s, n, size) in enumerate(zip(cut.starts, cut.lengths, padded, strict=True))
    )
