"""Roots: sums in w = sqrt(a + c M) and M itself, which are polynomials in w, as powers of w - sqrt(a).

    2 (w - 1) - M / w = (w - 1)^2 / w       w = sqrt(1 + M), since M = w^2 - 1

So come the derivatives of sqrt(1 + x^2) - 1 and its like, of which the terms cancel twice near M = 0.
"""

from __future__ import annotations

from collections.abc import Sequence

from symdl.meaning.factoring import multiply, power, root
from symdl.meaning.normal_form import Atom, Mono, Poly, Unsafe
from symdl.meaning.rationals import HALF, Rational, quotient

SUMMANDS = 8  # longer sums are left alone
HIGHEST = 8  # and higher polynomials
Polynomial = dict[int, Rational]  # power of w -> coefficient


def of_root(poly: Poly) -> Poly | None:
    """A sum of three terms or more as R w^j (w - sqrt(a))^k q(w), all coefficients of q of one sign; None where it is not."""
    for s in _radicands(poly):
        try:
            found = _in_root(poly, s)
        except Unsafe:
            found = None
        if found is not None:
            return found
    return None


def _radicands(poly: Poly) -> list[Atom]:
    """The sums of a number and one term of which there are square roots in a sum or in sums that are its factors."""
    found: dict[Atom, None] = {}
    for m in poly.terms:
        inner = [n for a, p in m.factors.items() if a.op == "sum_of" and p == 1 for n in a.args[0].terms]
        for n in (m, *inner):
            for a, p in n.factors.items():
                if a.op == "sum_of" and p.denominator == 2 and len(a.args[0].terms) == 2 and _parts(a) is not None:
                    found[a] = None
    return list(found)


def _parts(s: Atom) -> tuple[Rational, Mono, Rational] | None:
    """(sqrt(a), M, c) of a + c M."""
    a = s.args[0].terms.get(s.forms.unit)
    first = root(a, HALF) if a is not None and a > 0 else None
    if first is None:
        return None
    ((m, c),) = [t for t in s.args[0].terms.items() if not t[0].bare]
    return (first, m, c) if m.factors and not m.expo.terms else None


def _in_root(poly: Poly, s: Atom) -> Poly | None:
    forms, parts = poly.forms, _parts(s)
    assert parts is not None
    first, body, c = parts
    flat = forms.zero
    for m, k in poly.terms.items():
        part = forms.term(m, k)
        for a, p in m.factors.items():
            if a.op == "sum_of" and p == 1 and a is not s:
                part = a.args[0].times(m.without(a), k)
                break
        flat = flat + part
    if not 3 <= len(flat.terms) <= SUMMANDS:
        return None
    rows: list[tuple[Rational, int, int]] = []  # coefficient, power of w, power of M
    start: Mono | None = None
    mark, weight = next(iter(body.factors.items()))
    for m, k in flat.terms.items():
        p = m.factors.get(s, 0)
        rest = m.without(s, p) if p else m
        start = rest if start is None else start
        ratio = rest * start.inverse
        q = quotient(ratio.factors.get(mark, 0), weight)
        if q.denominator != 1 or (2 * p).denominator != 1 or ratio is not (body**q if q else forms.unit):
            return None
        rows.append((k, int(2 * p), int(q)))
    assert start is not None
    lowest, least = min(j for _, j, _ in rows), min(q for *_, q in rows)
    total: Polynomial = {}
    for k, j, q in rows:
        if q - least > 2:
            return None
        part_of: Polynomial = {j - lowest: k}
        for _ in range(q - least):  # M = (w^2 - a) / c
            part_of = _times(part_of, {2: quotient(1, c), 0: quotient(-first * first, c)})
        for i, v in part_of.items():
            total[i] = total.get(i, 0) + v
    times, left = _divided([total.get(i, 0) for i in range(max(total) + 1)], first)
    if not times or max(total) > HIGHEST or not (all(v >= 0 for v in left) or all(v <= 0 for v in left)):
        return None
    w = forms.of_atom(s, HALF)
    rest_of = forms.zero
    for i, v in enumerate(left):
        rest_of = rest_of + (forms.of_atom(s, HALF * i) if i else forms.one).scale(v)
    beside = start * body**least if least else start
    outer = multiply(forms.term(beside), forms.of_atom(s, HALF * lowest) if lowest else forms.one)
    return multiply(multiply(outer, power(w - forms.constant(first), times)), rest_of)


def _times(a: Polynomial, b: Polynomial) -> Polynomial:
    out: Polynomial = {}
    for i, v in a.items():
        for j, u in b.items():
            out[i + j] = out.get(i + j, 0) + v * u
    return out


def _divided(coefficients: Sequence[Rational], at: Rational) -> tuple[int, list[Rational]]:
    """(how often w - at divides a polynomial, what is left), coefficients from the constant on."""
    times, left = 0, list(coefficients)
    while len(left) > 1:
        out: list[Rational] = []
        carry: Rational = 0
        for v in reversed(left):
            carry = v + carry * at
            out.append(carry)
        if out.pop():
            break
        times, left = times + 1, out[::-1]
    return times, left
