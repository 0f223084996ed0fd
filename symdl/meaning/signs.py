"""Signs: what is left of an odd function of u that saturates beside the sign of u, and of u times it beside |u|.

    tanh(u) - sign(u)           = -2 sign(u) / (exp(2 |u|) + 1)
    1 / tanh(u) - sign(u)       = 2 sign(u) / (exp(2 |u|) - 1)
    u / sqrt(1 + u^2) - sign(u) = sign(u) (|u| / sqrt(1 + u^2) - 1)

So come the derivatives of log(cosh(u)) - |u| and sqrt(1 + u^2) - |u|. All hold at 0, too.
"""

from __future__ import annotations

from symdl.meaning.cancellation import grown, known_difference, logistic
from symdl.meaning.factoring import as_factor, multiply, power
from symdl.meaning.normal_form import SIZES, Atom, Mono, Poly
from symdl.meaning.rationals import Rational, quotient
from symdl.meaning.terms import magnitude_of


def beside_signs(poly: Poly) -> Poly:
    """A sum with one such pair of its terms as one term; itself where there is none."""
    forms = poly.forms
    for n, d in poly.terms.items():
        for s, p in n.factors.items():
            if s.op not in SIZES or p != 1 or not s.args[0].single:
                continue
            w, k = s.args[0].single
            rest, share = (n.without(s), d) if s.op == "sign" else (n.without(s) * w, d * k)  # |u| is u sign(u)
            others = poly - forms.term(n, d)
            whole = [] if len(others.terms) != 2 else [(others, as_factor(others))]  # exp(u) / (..) - exp(-u) / (..)
            for part, (m, c) in [*((forms.term(*t), t) for t in others.terms.items()), *whole]:
                left = _less_one(m * rest.inverse, quotient(c, share), s.args[0])
                if left is not None:
                    signed = rest * forms.mono(forms.zero, {forms.atom("sign", s.args): 1})
                    return others - part + multiply(forms.term(signed, share), left)
    return poly


def _less_one(m: Mono, c: Rational, u: Poly) -> Poly | None:
    """c m sign(u) + 1, where m is odd in u and that is known without cancellation."""
    forms = m.forms
    if len(m.factors) != 2 or m.expo.terms:
        return None
    (a, p), (b, q) = sorted(m.factors.items(), key=lambda t: -t[1])
    for above, below, beside in ((a, b, 1), (b, a, -1)):
        if p != 1 or q != -1 or (halved := _tanh_of(above, below)) is None:
            continue
        (e, sign), (w, k) = halved, u.single or (forms.unit, 0)
        if not e.single or e.single[0] is not w or c * sign != (-1 if e.single[1] * k > 0 else 1):
            return None
        grown_size = forms.raw_exp(magnitude_of(e)) + forms.constant(beside)
        return power(grown_size, -1).scale(2 * beside)
    if u.atom is a and p == 1 and b.op == "sum_of" and q.denominator != 1:
        size = forms.mono(forms.zero, {forms.atom("abs", (u,)): 1, b: q})
        if known_difference(size, c, forms.unit, 1):
            whole, k = as_factor(forms.poly({size: c, forms.unit: 1}))
            return forms.term(whole, k)
    return None


def _tanh_of(a: Atom, b: Atom) -> tuple[Poly, int] | None:
    """(E, sign) where a / b is sign tanh(E / 2)."""
    above, below = grown(a), logistic(b)
    return above if above is not None and below is above[0] else None
