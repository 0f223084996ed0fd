"""Fading: a sum of functions of exp(E) as one of a letter t = exp(E), and back, for what it is where t is near 0.

log(1 + exp(E)), exp(-exp(E)) and 1 / (1 + exp(-E)) are known as functions of t, so that the sums of them that
cancel there are the Taylor polynomials' matter as others are.
"""

from __future__ import annotations

from collections.abc import Iterator

from symdl.meaning.factoring import power
from symdl.meaning.normal_form import Atom, Mono, Poly, Unsafe, leaf_atoms
from symdl.meaning.rationals import Rational, magnitude, quotient

LETTER = "letter"  # an atom's op: the exponential of its argument
LETTERED = frozenset(["softplus", "log", "sum_of"])  # atoms whose arguments may hold a letter's exponential
BOTH = (1, -1)


def letters_of(poly: Poly) -> list[Atom]:
    """exp(E) and exp(-E), of E whose exponentials stand within functions, each under its least multiple."""
    found: dict[Mono, Rational] = {}
    for e in _within(poly):
        if e.single:
            m, c = e.single
            if m not in found or magnitude(c) < found[m]:
                found[m] = magnitude(c)
    return [poly.forms.atom(LETTER, (poly.forms.term(m, s * c),)) for m, c in found.items() for s in BOTH]


def _within(poly: Poly) -> Iterator[Poly]:
    """The exponents of what stands within functions and exponentials."""
    for m in poly.terms:
        yield from (n.expo for n in m.expo.terms if n.expo.terms)
        for a in m.factors:
            if a.op == "softplus":
                yield a.args[0]
            elif a.op == "log":
                yield from (n.expo for n in a.args[0].terms if n.expo.terms)
                yield from _within(a.args[0])
            elif a.op == "sum_of":
                yield from _within(a.args[0])


def leaves_beside(mono: Mono, exponent: Mono) -> set[Atom]:
    """The leaves of a term as `in_letter` leaves it, where the letter stands for the exponential of multiples of this exponent."""
    memo, key = mono.forms.memo, ("leaves beside", mono, exponent)
    if key not in memo:
        found = {a for a in mono.factors if a.op == "leaf"}
        inner = [n for n in mono.expo.terms if n is not exponent]
        for a in mono.factors:
            if a.op in LETTERED:
                inner += a.args[0].terms
            else:
                found.update(*map(leaf_atoms, a.args))
        memo[key] = found.union(*(leaves_beside(n, exponent) for n in inner))
    return memo[key]  # type: ignore[no-any-return]  # memos are Any


def in_letter(poly: Poly, t: Atom) -> Poly:
    """poly with t for its exponential; Unsafe where that is not a whole power or a function's argument begins below t^0."""
    forms = poly.forms
    out = forms.zero
    for m, c in poly.terms.items():
        if not m.expo.terms and not any(a.op in LETTERED for a in m.factors):
            out = out + forms.term(m, c)
            continue
        k = _share(m.expo, t.args[0])
        rest = in_letter(m.expo - t.args[0].scale(k), t)
        part = forms.term(forms.mono(rest, {t: k}), c)
        for a, p in m.factors.items():
            part = part.multiplied_out(_atom_in_letter(a, p, t))
        out = out + part
    return out


def _atom_in_letter(a: Atom, p: Rational, t: Atom) -> Poly:
    forms = a.forms
    if a.op == "softplus":
        k = _share(a.args[0], t.args[0])
        if k > 0 and a.args[0] is t.args[0].scale(k):
            return forms.of_atom(forms.atom("log", (forms.one + forms.of_atom(t, k),)), p)
    if a.op not in LETTERED:
        return forms.of_atom(a, p)
    inner = in_letter(a.args[0], t)
    if inner is a.args[0]:
        return forms.of_atom(a, p)
    least = min(n.factors.get(t, 0) for n in inner.terms)
    if a.op != "sum_of":
        if least < 0:
            raise Unsafe
        return forms.of_atom(forms.atom(a.op, (inner,)), p)
    inner = inner.times(forms.mono(forms.zero, {t: -least}))
    return forms.of_atom(forms.atom("sum_of", (inner,)), p).times(forms.mono(forms.zero, {t: least * p}))


def _share(expo: Poly, e: Poly) -> Rational:
    """The whole k with which k e is part of an exponent."""
    assert e.single is not None
    m, c = e.single
    k = quotient(expo.terms.get(m, 0), c)
    if k.denominator != 1:
        raise Unsafe
    return k


def in_exponential(poly: Poly, t: Atom) -> Poly:
    """poly with t's exponential for t."""
    forms = poly.forms
    out = forms.zero
    for m, c in poly.terms.items():
        k = m.factors.get(t, 0)
        part = forms.term(forms.mono(in_exponential(m.expo, t) + t.args[0].scale(k), {}), c)
        for a, p in m.factors.items():
            if a is not t:
                args = tuple(in_exponential(b, t) for b in a.args)
                same = args == a.args or a.op == "leaf"
                whole = (
                    forms.of_atom(a)
                    if same
                    else args[0]
                    if a.op == "sum_of"
                    else forms.function(a.op, *args, param=a.param)
                )
                part = part.multiplied_out(forms.of_atom(a, p) if same else power(whole, p))
        out = out + part
    return out
