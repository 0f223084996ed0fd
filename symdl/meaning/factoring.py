"""A form as one term: what is common to a sum taken out of it, and products and powers that lose no zero."""

from __future__ import annotations

from math import gcd, isqrt, lcm

from symdl.meaning.normal_form import Atom, Mono, Poly, Unsafe, exponents
from symdl.meaning.rationals import Rational, magnitude, quotient, rational, whole_power


def orient(poly: Poly) -> tuple[Mono, Rational, Poly]:
    """(mono, c, rest) with poly = c * mono * rest and rest in one canonical form.

    1 + exp(-x) and 1 + exp(x) get the same rest; common atoms, a sign and small rational content come out.
    """
    forms = poly.forms
    monos = list(poly.terms)
    # A leaf stays inside: (a/m)^2 + (b/m)^2 must not become (a^2 + b^2) / m^2, which may leave the range.
    common: dict[Atom, Rational] = {a: p for a, p in monos[0].factors.items() if a.special}
    for m in monos[1:]:
        common = {
            a: min(p, m.factors[a]) for a, p in common.items() if a in m.factors and (p > 0) == (m.factors[a] > 0)
        }
    expos = sorted({m.expo for m in monos}, key=lambda e: e.order)
    expo = forms.zero
    if len(expos) == 1:
        expo = expos[0]
    elif (len(monos) == 2 or poly.nonneg or poly.nonpos) and not any(map(tamed, monos)):
        # not so for other sums: cosh(y) - x would be exp(-y) (exp(2 y) ...)
        lead = min((t.order for e in expos for t in e.terms if not t.bare), default=None)
        expo = min(expos, key=lambda e: (next((c for t, c in e.terms.items() if t.order == lead), 0), e.order))
    mono = forms.mono(expo, common)
    rest = flattened(poly if mono.bare else poly.times(mono**-1))
    if not rest.terms:
        raise Unsafe
    numbers = list(rest.terms.values())
    k = quotient(gcd(*(c.numerator for c in numbers)), lcm(*(c.denominator for c in numbers)))
    k = k if max(k.numerator, k.denominator) < 1 << 20 else 1  # leave literals such as 1e-5 alone
    if numbers[-1] < 0:
        k = -k
    return mono, k, rest.scale(quotient(1, k))


def tamed(m: Mono) -> bool:
    """Whether a sum of exponentials stands below, which keeps the exponential above from growing."""
    return any(p < 0 and bool(exponents(m.forms.of_atom(a))) for a, p in m.factors.items())


def flattened(poly: Poly) -> Poly:
    """poly with terms that are a sum joined to it, and what of a sum meets the exponential beside it multiplied by that."""
    found = True
    while found:
        found = False
        for m, c in poly.terms.items():
            for a, p in m.factors.items():
                if a.op != "sum_of" or p != 1:
                    continue
                alone = len(m.factors) == 1 and not m.expo.terms
                own = a.args[0].terms
                meets = own if alone else {t: k for t, k in own.items() if _exponents(t) & set(m.expo.terms)}
                if meets:
                    forms, beside = poly.forms, m.without(a)
                    apart = forms.poly({t: k for t, k in own.items() if t not in meets})
                    poly, found = poly - forms.term(m, c) + forms.poly(meets).times(beside, c), True
                    if apart.terms:
                        n, k = as_factor(apart)
                        poly = poly + forms.term(beside * n, c * k)
                    break
            if found:
                break
    return poly


def _exponents(m: Mono) -> frozenset[Mono]:
    return exponents(m.forms.term(m))


def as_factor(poly: Poly) -> tuple[Mono, Rational]:
    """A poly that is not 0 as one term: its own, or coefficient * mono * sum_of(rest)."""
    if poly.single:
        return poly.single
    found = poly.forms.memo.get(("factor", poly))
    if found is None:
        mono, k, rest = orient(poly)
        if rest.single:
            found = mono * rest.single[0], k * rest.single[1]
        else:
            found = mono * poly.forms.mono(poly.forms.zero, {poly.forms.atom("sum_of", (rest,)): 1}), k
        poly.forms.memo[("factor", poly)] = found
    return found


def risked(a: Mono, b: Mono) -> tuple[list[Atom], list[Atom]]:
    """What a * b would lose: atoms as zeros over zeros, and roots of what may be negative."""
    zeros, roots = [], []
    for atom, p in b.factors.items():
        q = a.factors.get(atom)
        if q is None or atom.positive:
            continue
        if p.denominator % 2 == 0 and (p + q).denominator % 2 == 1 and not atom.nonneg:
            roots.append(root_of(atom, p))
        if (p > 0) != (q > 0):
            zeros.append(atom)
    return zeros, roots


def root_of(a: Atom, p: Rational) -> Atom:
    """An atom that is a root of a, of the degree that the power p has."""
    return a.forms.atom("sum_of", (a.forms.of_atom(a, quotient(1, p.denominator)),))


def multiply(a: Poly, b: Poly, lenient: bool = False) -> Poly:
    """a * b as one term, or a sum scaled by a number.

    Where that would lose a zero over a zero, or a root of what may be negative: Unsafe, or if lenient noted in forms.risk
    and forms.roots, for the guards of what is written anew.
    """
    forms = a.forms
    if not a.terms or not b.terms:
        return forms.zero
    if (k := a.number) is not None:
        return b.scale(k)
    if (k := b.number) is not None:
        return a.scale(k)
    (m, c), (n, d) = as_factor(a), as_factor(b)
    zeros, roots = risked(m, n)
    if (zeros or roots) and not lenient:
        raise Unsafe
    forms.risk.update(zeros)
    forms.roots.update(roots)
    return forms.term(m * n, c * d)


def root(c: Rational, p: Rational) -> Rational | None:
    """c**p if that is rational, else None."""
    if p.denominator == 1:
        return whole_power(c, p.numerator) if c or p > 0 else None
    if c == 1:
        return c
    if p.denominator == 2 and c > 0:
        n, d = isqrt(c.numerator), isqrt(c.denominator)
        if n * n == c.numerator and d * d == c.denominator:
            return whole_power(quotient(n, d), p.numerator)
    return None


def power(poly: Poly, p: Rational) -> Poly:
    """poly ** p for a rational p. Fractional powers pass only through what cannot be negative."""
    forms, p = poly.forms, rational(p)
    if p == 1:
        return poly
    if p == 0 or not poly.terms:
        raise Unsafe  # 0 ** 0, 1 / 0, NaN ** 0: as written
    if p < 0 and p.denominator == 1 and (above := _conjugate(poly)) is not None:
        return power(above, -p)
    m, c = as_factor(poly)
    k = root(magnitude(c), p) if p.denominator != 1 else root(c, p)
    if p.denominator == 1:
        if any(q.denominator != 1 and (q * p).denominator == 1 and not a.nonneg for a, q in m.factors.items()):
            raise Unsafe  # sqrt(x)**2 is NaN below 0
        assert k is not None
        return forms.term(m**p, k)
    out: dict[Atom, Rational] = {}
    rest: dict[Atom, Rational] = {}
    for a, q in m.factors.items():
        if a.nonneg:
            out[a] = out.get(a, 0) + q * p
        elif q.denominator == 1 and q.numerator % 2 == 0:
            size = forms.atom("abs", (forms.of_atom(a),))
            out[size] = out.get(size, 0) + q * p
        else:
            rest[a] = q
    outer = forms.term(forms.mono(m.expo.scale(p), out), k if k is not None else 1)
    if not rest and c > 0 and k is not None:
        return outer
    if not rest and c < 0:
        raise Unsafe  # sqrt(-x^2) is 0 at 0
    inner = forms.term(forms.mono(forms.zero, rest), c if k is None else 1 if c > 0 else -1)
    plain = inner.atom
    atom = plain if plain is not None else forms.atom("sum_of", (inner,))
    return multiply(outer, forms.of_atom(atom, p))


def _conjugate(poly: Poly) -> Poly | None:
    """(u + v) / (u^2 - v^2), which is 1 over the difference u - v of two roots, where that of their squares is a number."""
    if len(poly.terms) != 2:
        return None
    (m, c), (n, d) = poly.terms.items()
    if c * d > 0 or not (m.nonneg and n.nonneg) or m.expo.terms or n.expo.terms:
        return None
    forms = poly.forms
    gap = flattened(forms.poly({m**2: c * c, n**2: -d * d}) if m**2 is not n**2 else forms.zero).number
    return forms.poly({m: quotient(c, gap), n: quotient(-d, gap)}) if gap else None
