"""exp and log of forms: each undoes the other where that is sure, and a logarithm falls apart where that is safe.

What falls apart into logarithms of their own: factors that are never 0 and whose logarithm is known without
cancellation, 1 + exp(E) (softplus) and sums of exponentials less their largest.
"""

from __future__ import annotations

from fractions import Fraction

from symdl.meaning.cancellation import logistic, near_log
from symdl.meaning.masks import chosen
from symdl.meaning.normal_form import Atom, Mono, Poly, as_factor, multiply, power


def exponential(poly: Poly) -> Poly:
    """exp(poly), the logarithms of what is positive undone."""
    forms = poly.forms
    out, rest = forms.one, poly
    for m, c in poly.terms.items():
        a = next(iter(m.factors)) if len(m.factors) == 1 and not m.expo.terms else None
        if a is None or m.factors[a] != 1:
            continue
        if a.op == "softplus":
            if c > 0 and (c != 1 or len(poly.terms) == 1):
                continue  # tanh(softplus(x)) is better off without (1 + exp x)^2
            undone = power(forms.one + exponential(a.args[0]), c)
        elif a.op == "log" and a.args[0].single and a.args[0].single[1] > 0 and a.args[0].single[0].positive:
            if not a.args[0].terms or a.args[0].number is not None:
                continue
            undone = power(a.args[0], c)
        else:
            continue
        forms.found += 1
        out = multiply(out, undone)
        rest = rest - forms.term(m, c)
    return multiply(out, forms.raw_exp(rest)) if rest.terms else out


def is_shifted_sum(a: Atom) -> bool:
    """Whether a is a sum over an axis of exponentials less their largest, so never 0."""
    while a.op == "view" and (inner := a.args[0].atom) is not None:
        a = inner
    return a.op == "sum" and bool(a.args[0].single) and bool(a.args[0].single[0].expo.terms)  # type: ignore[index]


def rest_and_total(m: Mono) -> Atom | None:
    """sum(X) if m is (sum(X) - X) / sum(X) of exponentials less their largest."""
    for a, p in m.factors.items():
        if a.op == "others" and p == 1 and (total := a.args[0].atom) is not None and is_shifted_sum(total):
            return total if m.factors == {a: 1, total: -1} and not m.expo.terms else None
    return None


def logarithm(poly: Poly) -> Poly:
    """log(poly)."""
    forms = poly.forms
    if not poly.terms or poly.number is not None:
        return forms.function("log", poly)
    m, c = as_factor(poly)
    for a, p in m.factors.items():
        if (
            a.op in ("where", "join")
            and poly.special
            and (a.op == "where" or (len(m.factors) == 1 and not m.expo.terms))
        ):
            forms.found += 1
            rest = forms.term(m.without(a, p), c)
            parts = [logarithm(multiply(rest, power(b, p))) if b.terms else forms.function("log", b) for b in a.args]
            if a.op == "join":
                return forms.function("join", *parts, param=a.param, shape=a.shape)
            return chosen(a.param, *parts)
    if not m.factors:
        if m.expo.terms:
            forms.found += 1
        return m.expo + (forms.function("log", forms.constant(c)) if c != 1 else forms.zero)
    exponents = {a: e for a in m.factors if (e := logistic(a)) is not None}
    near = near_log(m, c)
    if (
        near is not None
        and len(set(exponents.values())) != 1
        and len(m.factors) > 0
        and not _one_softplus(m, c, exponents)
    ):
        forms.found += 1
        return forms.function("log", forms.term(m, c))
    out, expo, left = forms.zero, m.expo, dict(m.factors)
    for a, e in exponents.items():
        p = left[a]
        del left[a]
        forms.found += 1
        q, expo = taken(expo, e, -p)
        # exp(qE) (1 + exp E)^p = (1 + exp(-E))^-q (1 + exp E)^(p + q)
        out = out + forms.function("softplus", e.scale(-1)).scale(-q) + forms.function("softplus", e).scale(p + q)
    if rest_and_total(forms.mono(forms.zero, left)) is not None:
        forms.found += 1
        return out + expo + forms.function("log", forms.term(forms.mono(forms.zero, left), c))
    for a in list(left):
        if is_shifted_sum(a) and (a.positive or a.op == "sum"):
            forms.found += 1
            out = out + forms.function("log", forms.of_atom(a)).scale(left.pop(a))
    if len(left) == 1 and c == 1 and not expo.terms and not out.terms:
        ((a, p),) = left.items()
        if p == -1 or (p != 1 and a.nonneg and a.op != "sum_of"):
            forms.found += p != -1
            return forms.function("log", forms.of_atom(a)).scale(p)
    if expo.terms and left:
        forms.found += 1
        if len(left) == 1 and (a := next(iter(left))).op == "sum_of" and left[a] == 1:
            whole = forms.term(forms.mono(expo, left), c)  # expo + log of the rest might cancel
            return out + forms.function("log", whole)
    if left or c != 1:
        out = out + forms.function("log", forms.term(forms.mono(forms.zero, left), c))
    return out + expo


def _one_softplus(m: Mono, c: Fraction, exponents: dict[Atom, Poly]) -> bool:
    return c == 1 and len(exponents) == len(m.factors) and len(set(exponents.values())) == 1


def taken(expo: Poly, e: Poly, most: Fraction) -> tuple[Fraction, Poly]:
    """(q, expo - q e) with q between 0 and most as near as can be to how often e is in expo."""
    if not e.terms:
        return Fraction(0), expo
    lead, k = next(iter(e.terms.items()))
    q = expo.terms.get(lead, Fraction(0)) / k
    low, high = min(Fraction(0), most), max(Fraction(0), most)
    q = min(max(q, low), high)
    return q, expo - e.scale(q)
