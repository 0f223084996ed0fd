"""Functions that grow by a known step from u to u + 1: beside that step, which is what they near at a pole, they are
known one further on.

    gammaln(u) + log(u) = gammaln(1 + u)        digamma(u) + 1 / u = digamma(1 + u)
"""

from __future__ import annotations

from collections.abc import Callable

from symdl.meaning.factoring import as_factor, power
from symdl.meaning.logarithms import logarithm
from symdl.meaning.masks import product
from symdl.meaning.normal_form import Poly, Unsafe

STEPS: dict[str, Callable[[Poly], Poly]] = {"gammaln": logarithm, "digamma": lambda u: power(u, -1)}


def stepped(poly: Poly) -> Poly:
    """A sum with each such function and its step as one; the zeros of u and of u + 1, where not both
    ways are numbers, are noted in forms.risk."""
    forms = poly.forms
    for m, c in poly.terms.items():
        for a, p in m.factors.items():
            if a.op not in STEPS or p != 1 or len(poly.terms) == 1:
                continue
            (u,), rest = a.args, forms.term(m.without(a), c)
            before = set(forms.risk), set(forms.roots)
            try:
                step: Poly | None = product(STEPS[a.op](u), rest)
            except Unsafe:
                step = None
            if step is not None and all(poly.terms.get(n) == d for n, d in step.terms.items()):
                onward = forms.one + u
                poles = {b for v in (u, onward) if v.terms for b in as_factor(v)[0].factors}
                forms.risk.update(b for b in poles if not b.positive)
                return stepped(poly - forms.term(m, c) - step + product(forms.function(a.op, onward), rest))
            forms.risk, forms.roots = before  # nothing was cancelled
    return poly
