"""Roots: sums in w = sqrt(a + c M) and M itself, which are polynomials in w, as powers of w - sqrt(a) and w + sqrt(a).

    2 (w - 1) - M / w = (w - 1)^2 / w                     w = sqrt(1 + M), since M = w^2 - 1
    w - M / w = 1 / w
    b - w / 2 - b^2 / (2 w) = -(w - b)^2 / (2 w)          w = sqrt(b^2 + M), M = w^2 - b^2

So come the derivatives of sqrt(1 + x^2) - 1, of the roots of a quadratic and their like, of which the terms cancel twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from symdl.meaning.factoring import multiply, power, risked, root
from symdl.meaning.normal_form import Atom, Mono, Poly, Unsafe
from symdl.meaning.rationals import HALF, Rational, quotient
from symdl.records import record

SUMMANDS = 8  # longer sums are left alone
HIGHEST = 8  # and higher polynomials
Polynomial = dict[int, Rational]  # power of w -> coefficient
Row = tuple[Rational, int, int, int]  # a coefficient, and the powers of w, M and sqrt(a) beside it


@record
class Radicand:
    """c M + size^2 of, under the square root of an atom: both monomials, of is 1 or a square or left as it is."""

    atom: Atom
    body: Mono
    scale: Rational
    of: Mono
    size: Rational

    @property
    def side(self) -> Mono | None:
        """The root of `of`, of whichever sign."""
        if any(p % 2 for p in self.of.factors.values()):
            return None
        return self.of.forms.mono(self.of.forms.zero, {a: quotient(p, 2) for a, p in self.of.factors.items()})


def of_root(poly: Poly) -> Poly | None:
    """A sum as R w^j (w - sqrt(a))^k (w + sqrt(a))^l q(w), all coefficients of q of one sign; None where it is not."""
    for s in _radicands(poly):
        try:
            found = _in_root(poly, s)
        except Unsafe:
            found = None
        if found is not None:
            return found
    return None


def _radicands(poly: Poly) -> list[Radicand]:
    """The sums of two terms of which there are square roots in a sum or in sums that are its factors, either term as M."""
    found: dict[Atom, None] = {}
    for m in poly.terms:
        inner = [n for a, p in m.factors.items() if a.op == "sum_of" and p == 1 for n in a.args[0].terms]
        for n in (m, *inner):
            for a, p in n.factors.items():
                if a.op == "sum_of" and p.denominator == 2:
                    found[a] = None
    return [r for a in found for r in _readings(a)]


def _readings(s: Atom) -> list[Radicand]:
    below = s.args[0]
    if below.atom is None and below.single is not None and (inner := lone_sum(below.single[0])) is not None:
        below = inner.args[0].scale(below.single[1])
    if len(below.terms) != 2 or any(m.expo.terms for m in below.terms):
        return []
    (m, c), (n, d) = below.terms.items()
    out = []
    for body, scale, of, square in ((m, c, n, d), (n, d, m, c)):
        size = root(square, HALF) if square > 0 else None
        if size is not None and body.factors:
            out.append(Radicand(s, body, scale, of, size))
    return out


def over_own_sum(poly: Poly) -> Poly | None:
    """c R (u + w) / (u + w), where w is a root and R one of w's powers, as c R: 1 / (x + w) + x / (w (x + w)) = 1 / w."""
    forms = poly.forms
    for a in sorted({a for m in poly.terms for a in m.letters if a.beside_root is not None}, key=lambda a: a.order):
        flat = _opened(poly, a)
        above = {m.without(a, -1): c for m, c in flat.terms.items() if m.factors.get(a) == -1}
        (first, k), *_ = a.args[0].terms.items()
        for m, c in above.items():
            rest, by = m * first.inverse, quotient(c, k)
            whole = {rest * n: by * d for n, d in a.args[0].terms.items()}
            if all(above.get(n) == d for n, d in whole.items()):
                left = flat - forms.poly(whole).times(forms.mono(forms.zero, {a: -1})) + forms.term(rest, by)
                return left if a.positive or (a.beside_root is not None and a.beside_root.number) else None
    return None


def _opened(poly: Poly, a: Atom) -> Poly:
    """poly with the sums multiplied out that hold a: slopes by w that meet before they are multiplied by w's own, as where
    both a root and log(x + root) are used."""
    for m, c in poly.terms.items() if len(poly.terms) <= SUMMANDS else ():
        for b, p in m.factors.items():
            if b.op == "sum_of" and p == 1 and b is not a and any(a in n.letters for n in b.args[0].terms):
                beside = m.without(b)
                if not any(any(risked(n, beside)) for n in b.args[0].terms):
                    return _opened(poly - poly.forms.term(m, c) + b.args[0].times(beside, c), a)
    return poly


def lone_sum(m: Mono) -> Atom | None:
    """The one factor of a monomial, where that is a sum."""
    if len(m.factors) != 1 or m.expo.terms:
        return None
    ((a, p),) = m.factors.items()
    return a if a.op == "sum_of" and p == 1 else None


def _rows(flat: Poly, r: Radicand) -> tuple[Mono, list[Row]] | None:
    """(R, rows) with the terms of a sum as coefficient times R w^j M^q side^i."""
    alone = [next((a for a in x.factors if a not in y.factors), None) for x, y in ((r.body, r.of), (r.of, r.body))]
    mark, other = alone
    if mark is None or (other is None and not r.of.bare):
        return None
    rows: list[Row] = []
    start: Mono | None = None
    for m, k in flat.terms.items():
        p = m.factors.get(r.atom, 0)
        rest = m.without(r.atom, p) if p else m
        start = rest if start is None else start
        ratio = rest * start.inverse
        q = quotient(ratio.factors.get(mark, 0), r.body.factors[mark])
        i = quotient(2 * ratio.factors.get(other, 0), r.of.factors[other]) if other is not None else 0
        if any(v.denominator != 1 for v in (q, i, 2 * p)):
            return None
        part = r.body**q if q else flat.forms.unit
        if i:
            part = part * (r.of ** quotient(i, 2))
        if ratio is not part:
            return None
        rows.append((k, int(2 * p), int(q), int(i)))
    assert start is not None
    degrees = {j + 2 * q + i for _, j, q, i in rows}
    return (start, rows) if r.of.bare or len(degrees) == 1 else None


def _in_root(poly: Poly, r: Radicand) -> Poly | None:
    forms = poly.forms
    flat = forms.zero
    for m, k in poly.terms.items():
        part = forms.term(m, k)
        for a, p in m.factors.items():
            if a.op == "sum_of" and p == 1 and a is not r.atom:
                part = a.args[0].times(m.without(a), k)
                break
        flat = flat + part
    if not 2 <= len(flat.terms) <= SUMMANDS or (found := _rows(flat, r)) is None:
        return None
    start, rows = found
    lowest, least = min(j for _, j, _, _ in rows), min(q for _, _, q, _ in rows)
    total: Polynomial = {}  # in w / side
    for k, j, q, _ in rows:
        if q - least > 2:
            return None
        part_of: Polynomial = {j - lowest: k}
        for _ in range(q - least):  # M = (w^2 - a) / c
            part_of = _times(part_of, {2: quotient(1, r.scale), 0: quotient(-r.size * r.size, r.scale)})
        for i, v in part_of.items():
            total[i] = total.get(i, 0) + v
    if not any(total.values()):
        return None
    coefficients = [total.get(i, 0) for i in range(max(i for i, v in total.items() if v) + 1)]
    side = r.side
    times, left = _divided(coefficients, r.size) if side is not None else (0, coefficients)
    again, left = _divided(left, -r.size) if side is not None and not side.bare else (0, left)
    kept = [v for v in left if v]
    if len(coefficients) - 1 > HIGHEST or not (all(v >= 0 for v in left) or all(v <= 0 for v in left)):
        return None
    if not times and not again and (len(kept) >= len(rows) or len(kept) > 1):
        return None
    if len(rows) == 2 and (len(kept) > 1 or all(q == least for _, _, q, _ in rows)):
        return None  # w - sqrt(a) itself
    if side is not None and len(kept) > 1 and any(left[1::2]) and not side.nonneg:
        return None  # of terms whose signs are not known
    w = forms.of_atom(r.atom, HALF)
    level = rows[0][1] + 2 * rows[0][2] + rows[0][3] - lowest - 2 * least - times - again
    rest = forms.zero
    for i, v in enumerate(left):
        if v and side is None and (level - i) % 2:
            return None
        part = forms.of_atom(r.atom, HALF * i) if i else forms.one
        rest = rest + part.times(r.of ** quotient(level - i, 2) if level - i else forms.unit, v)
    outer = multiply(forms.term(start * r.body**least if least else start), rest)
    if lowest:
        outer = multiply(outer, forms.of_atom(r.atom, HALF * lowest))
    for count, sign in ((times, -1), (again, 1)):
        if count:
            assert side is not None
            outer = multiply(outer, power(w + forms.term(side, sign * r.size), count))
    return outer


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
