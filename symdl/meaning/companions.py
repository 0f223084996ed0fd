"""Companions: what is left of a function beside the number that it nears, known without cancellation.

    erf(u) - 1 = -erfc(u)        cos(u) - 1 = -2 sin(u/2)^2        sin(u)^2 + cos(u)^2 = 1
    erf(u) + 1 = erfc(-u)        cos(u) + 1 = 2 cos(u/2)^2              1 - erf(u)^2 = erfc(u) erfc(-u)

Each is an identity on the whole real line, for whatever stands beside both terms.
"""

from __future__ import annotations

from collections.abc import Callable

from symdl.meaning.factoring import multiply, power
from symdl.meaning.normal_form import ODD, Atom, Mono, Poly
from symdl.meaning.rationals import HALF, Rational

EVEN = frozenset(["cos"])


def known(op: str, u: Poly) -> Poly:
    """One of FUNCTIONS at u; an odd or even one at u or -u, whichever begins with a positive number."""
    if u.terms and next(iter(u.terms.values())) < 0 and op in ODD | EVEN:
        return u.forms.function(op, u.negated).scale(-1 if op in ODD else 1)
    return u.forms.function(op, u)


# function -> [(c0 / c, f(u) + c0 / c as a form)]
COMPANIONS: dict[str, list[tuple[int, Callable[[Poly], Poly]]]] = {
    "erf": [(-1, lambda u: known("erfc", u).negated), (1, lambda u: known("erfc", u.negated))],
    "erfc": [(-1, lambda u: known("erf", u).negated), (-2, lambda u: known("erfc", u.negated).negated)],
    "cos": [
        (-1, lambda u: power(known("sin", u.scale(HALF)), 2).scale(-2)),
        (1, lambda u: power(known("cos", u.scale(HALF)), 2).scale(2)),
    ],
}


def companion(poly: Poly) -> Poly | None:
    """A sum with one pair of its terms replaced by the companion, or None."""
    for m, c in poly.terms.items():
        for a, p in m.factors.items():
            if a.op in COMPANIONS and p == 1:
                rest = m.without(a)
                for ratio, form in COMPANIONS[a.op]:
                    if poly.terms.get(rest) == c * ratio:
                        return _replaced(
                            poly, {m: c, rest: c * ratio}, multiply(form(a.args[0]), poly.forms.term(rest, c))
                        )
            elif a.op == "erf" and p == 2 and poly.terms.get(rest := m.without(a, 2)) == -c:
                u = a.args[0]
                both = multiply(known("erfc", u), known("erfc", u.negated))
                return _replaced(poly, {m: c, rest: -c}, multiply(both, poly.forms.term(rest, -c)))
            elif a.op in ("sin", "cos") and p == 2:
                found = _squares(poly, m, c, a)
                if found is not None:
                    return found
    return None


def _squares(poly: Poly, m: Mono, c: Rational, a: Atom) -> Poly | None:
    """R - R f^2 as R g^2 and f^2 R + g^2 R as R, where f and g are sin and cos; cos^2 - sin^2 as cos(2u)."""
    forms = poly.forms
    other = forms.atom("cos" if a.op == "sin" else "sin", a.args)
    rest = m.without(a, 2)
    mate = rest * forms.mono(forms.zero, {other: 2})
    if poly.terms.get(rest) == -c:
        return _replaced(poly, {m: c, rest: -c}, forms.term(mate, -c))
    d = poly.terms.get(mate)
    if d == c:
        return _replaced(poly, {m: c, mate: c}, forms.term(rest, c))
    if d == -c and a.op == "cos":
        twice = known("cos", a.args[0].scale(2))
        return _replaced(poly, {m: c, mate: -c}, multiply(twice, forms.term(rest, c)))
    return None


def _replaced(poly: Poly, old: dict[Mono, Rational], new: Poly) -> Poly:
    return poly - poly.forms.poly(old) + new
