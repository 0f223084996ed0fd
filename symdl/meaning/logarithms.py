"""exp and log of forms: each undoes the other where that is sure, and a logarithm falls apart where that is safe.

What falls apart into logarithms of their own: factors that are never 0 and whose logarithm is known without
cancellation, 1 + exp(E) (softplus) and sums of exponentials less their largest.
"""

from __future__ import annotations

from symdl.meaning import taylor
from symdl.meaning.cancellation import grown, hyperbolic, logistic, near_log, taken
from symdl.meaning.companions import known
from symdl.meaning.factoring import as_factor, multiply, power, root
from symdl.meaning.masks import chosen
from symdl.meaning.normal_form import Atom, Mono, Poly, Unsafe, exponents
from symdl.meaning.rationals import HALF, Rational, quotient


def exponential(poly: Poly) -> Poly:
    """exp(poly), the logarithms in it undone where what they leave meets what stands beside them.

    exp(x - softplus(x)) is a sigmoid; but exp(2 softplus(x)) and exp(softplus(y) - x) stay as they are, for
    (1 + exp x)^2 may overflow.
    """
    forms = poly.forms
    logs: dict[Mono, Rational] = {}
    for m, c in poly.terms.items():
        a = next(iter(m.factors)) if len(m.factors) == 1 and not m.expo.terms else None
        if a is not None and m.factors[a] == 1 and a.op in ("softplus", "log"):
            logs[m] = c
    rest = poly - forms.poly(logs)
    linear = rest
    out = forms.one
    for m, c in logs.items():
        undone = _undone(next(iter(m.factors)), c, linear)
        if undone is None:
            rest = rest + forms.term(m, c)
        else:
            forms.found += 1
            out = multiply(out, undone)
    return multiply(out, forms.raw_exp(rest)) if rest.terms else out


def _undone(a: Atom, c: Rational, rest: Poly) -> Poly | None:
    """exp(c a) without the logarithm that a is, if that does no harm beside exp(rest)."""
    forms = a.forms
    inner = a.args[0]
    if a.op == "softplus":
        beside = _multiple(rest, inner)
        if beside is None or not (c < 0 or (rest.terms and -c <= beside <= 0)):
            return None
        return power(forms.one + forms.raw_exp(inner), c)
    whole = inner.atom
    if whole is not None and is_shifted_sum(whole) and (not rest.terms or set(rest.terms) <= exponents(inner)):
        return power(inner, c)
    return None


def _multiple(poly: Poly, of: Poly) -> Rational | None:
    """k with poly = k * of, or None."""
    if not poly.terms:
        return 0
    t, c = next(iter(poly.terms.items()))
    k = quotient(c, of.terms[t]) if t in of.terms else None
    return k if k is not None and poly is of.scale(k) else None


def is_shifted_sum(a: Atom) -> bool:
    """Whether a is a sum over an axis of exponentials less their largest, so never 0."""
    while a.op == "view" and (inner := a.args[0].atom) is not None:
        a = inner
    body = a.args[0].single if a.op == "sum" else None
    return body is not None and bool(body[0].expo.terms)


def rest_and_total(m: Mono) -> Atom | None:
    """sum(X) if m is (sum(X) - X) / sum(X) of exponentials less their largest."""
    for a, p in m.factors.items():
        if a.op == "others" and p == 1 and (total := a.args[0].atom) is not None and is_shifted_sum(total):
            return total if m.factors == {a: 1, total: -1} and not m.expo.terms else None
    return None


def logarithm(poly: Poly) -> Poly:
    """log(poly)."""
    forms = poly.forms
    if poly is forms.one:
        return forms.zero
    if not poly.terms:
        raise Unsafe  # which is infinite: as written
    if poly.number is not None:
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
        if c < 0:  # of -exp(E), which may be -0
            return forms.function("log", poly)
        if m.expo.terms:
            forms.found += 1
        return m.expo + (forms.function("log", forms.constant(c)) if c != 1 else forms.zero)
    if (inverse := _inverse_sinh(m, c)) is not None:
        forms.found += 1
        return inverse
    logistics = {a: e for a in m.factors if (e := logistic(a)) is not None}
    near = near_log(m, c) or taylor.near_log(m, c)
    if near is not None and not _one_softplus(m, c, logistics):
        forms.found += 1
        a, p = next(iter(m.factors.items()))
        if len(m.factors) == 1 and not m.expo.terms and (p == -1 or (c == 1 and p.numerator % 2 and p != 1)):
            return forms.function("log", forms.of_atom(a).scale(1 if p != -1 else quotient(1, c))).scale(p)
        return forms.function("log", forms.term(m, c))
    out, expo, left = forms.zero, m.expo, dict(m.factors)
    for a, e in logistics.items():
        if a in hyperbolic(m):
            continue  # the logarithms of exp(E) - 1 and of 1 + exp(E) would cancel
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
        rooted = p.denominator % 2 == 0  # of a root, so of no negative number
        if p == -1 or (p != 1 and (a.nonneg or rooted) and a.op != "sum_of"):
            forms.found += p != -1 and not rooted
            return forms.function("log", forms.of_atom(a)).scale(p)
    if expo.terms and left:
        forms.found += 1
        if len(left) == 1 and (a := next(iter(left))).op == "sum_of" and left[a] == 1 and (a.nonneg or grown(a)):
            whole = forms.term(forms.mono(expo, left), c)  # expo + log of the rest might cancel
            return out + forms.function("log", whole)
    if left or c != 1:
        out = out + forms.function("log", forms.term(forms.mono(forms.zero, left), c))
    return out + expo


def _inverse_sinh(m: Mono, c: Rational) -> Poly | None:
    """log(c m) as arcsinh(k u), where c m is k u + sqrt(k^2 u^2 + 1) or one over that."""
    if len(m.factors) != 1 or m.expo.terms:
        return None
    ((a, p),) = m.factors.items()
    for part, d in a.args[0].terms.items() if abs(p) == 1 and a.op == "sum_of" and len(a.args[0].terms) == 2 else ():
        w = next(iter(part.factors), None)
        if w is None or w.op != "sum_of" or part.factors != {w: HALF} or part.expo.terms:
            continue
        ((n, k),) = (t for t in a.args[0].terms.items() if t[0] is not part)
        share = quotient(k, d)
        beside = (w.args[0] - m.forms.term(n**2, share * share)).number
        size = root(beside, HALF) if beside else None
        if size is not None and (d * size * c if p == 1 else quotient(d * size, c)) == 1:
            return known("arcsinh", m.forms.term(n, quotient(share, size))).scale(p)
    return None


def _one_softplus(m: Mono, c: Rational, logistics: dict[Atom, Poly]) -> bool:
    return c == 1 and len(logistics) == len(m.factors) and len(set(logistics.values())) == 1
