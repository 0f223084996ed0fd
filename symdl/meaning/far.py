"""Far: a sum of powers and logarithms of x + c as one of 1 + c/x, for what it is where c/x is near 0; x^2 + c x likewise.

sqrt(x + 1) - 2 sqrt(x) + sqrt(x - 1) is sqrt(x) (sqrt(1 + 1/x) - 2 + sqrt(1 - 1/x)), whose Taylor polynomials in 1/x cancel.
"""

from __future__ import annotations

from math import floor

from symdl.meaning.normal_form import Atom, Mono, Poly
from symdl.meaning.rationals import Rational

MOVED = frozenset(["sum_of", "log"])  # atoms whose argument may be x^n + c x^k


def distant(poly: Poly) -> list[Atom]:
    """The leaves x of which two of a sum's powers and logarithms are of x^n + c x^k, or one of these and one of x."""
    found: dict[Atom, set[Atom]] = {}
    for m in poly.terms:
        for a in m.factors:
            if a.op == "leaf":
                found.setdefault(a, set()).add(a)
            elif (moved := _moved(a)) is not None:
                found.setdefault(moved[0], set()).add(a)
    return [x for x, atoms in found.items() if len(atoms) > 1]


def _moved(a: Atom) -> tuple[Atom, Rational, Poly] | None:
    """(x, n, 1 + c/x^k) where an atom is of x^n + c x^(n - k)."""
    inner = a.args[0] if a.op in MOVED else a.forms.zero
    if a.op == "log" and (whole := inner.atom) is not None and whole.op == "sum_of":
        inner = whole.args[0]
    if len(inner.terms) != 2 or any(len(m.factors) > 1 or m.expo.terms for m in inner.terms):
        return None
    x = next(x for m in inner.terms for x in m.factors)
    top, low = sorted(inner.terms, key=lambda m: m.factors.get(x, 0), reverse=True)
    if x.op != "leaf" or inner.terms[top] != 1 or not (low.bare or x in low.factors):
        return None
    return x, top.factors.get(x, 0), a.forms.poly({m * top.inverse: c for m, c in inner.terms.items()})


def over(poly: Poly, x: Atom) -> tuple[Poly, Mono]:
    """(form, power of x below 1) with poly = power * form, in which 1 + c/x stands for x + c over x, and so for x^n + c x^k."""
    forms = poly.forms
    out = forms.zero
    for m, c in poly.terms.items():
        part = forms.term(forms.mono(m.expo, {}), c)
        for a, p in m.factors.items():
            known = _moved(a)
            if known is None or known[0] is not x or (a.op == "log" and p != 1):
                part = part.multiplied_out(forms.of_atom(a, p))
                continue
            _, n, near = known
            moved = forms.of_atom(forms.atom(a.op, (near,)), p)
            if a.op == "log":
                part = part.multiplied_out(moved + forms.of_atom(forms.atom("log", (forms.of_atom(x),))).scale(n))
            else:
                part = part.multiplied_out(moved).times(forms.mono(forms.zero, {x: n * p}))
        out = out + part
    least: Rational = min(m.factors.get(x, 0) for m in out.terms)
    rest = forms.mono(forms.zero, {x: least - floor(least)}) if least.denominator != 1 else forms.unit
    return out.times(rest.inverse), rest
