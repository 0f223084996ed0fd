"""What a term or a sum is, as far as writing it depends on that: wild or tamed, alone."""

from __future__ import annotations

from symdl.graph.expr import Expr
from symdl.meaning.cancellation import grown, logistic, taken
from symdl.meaning.factoring import as_factor, multiply, power, tamed
from symdl.meaning.normal_form import Atom, Mono, Poly, Unsafe, exponents
from symdl.meaning.rationals import Rational, magnitude, quotient
from symdl.meaning.softmaxes import lone


def halved(m: Mono) -> dict[Atom, Rational]:
    """The factors of m, exp(2E) - 1 beside 1 / (1 + exp(E)) as (exp(E) - 1) (exp(E) + 1)."""
    forms, factors = m.forms, dict(m.factors)
    for a in m.factors:
        e = logistic(a)
        if e is None or m.factors[a] >= 0:
            continue
        for b in m.factors:
            found = grown(b)
            if found and found[0] is e.scale(2) and m.factors[b] == 1 and b in factors:
                half = as_factor((forms.raw_exp(e) - forms.one).scale(found[1]))
                if half[1] == 1 and not half[0].expo.terms:
                    del factors[b]
                    factors[a] += 1
                    for c, p in half[0].factors.items():
                        factors[c] = factors.get(c, 0) + p
    return {a: p for a, p in factors.items() if p}


def squared(u: Poly) -> Poly | None:
    """u ** 2, unless that would hide that u is no number somewhere."""
    try:
        return multiply(u, u) if u.single else power(u, 2)
    except Unsafe:
        return None


def magnitude_of(poly: Poly) -> Poly:
    """|poly|."""
    if not poly.terms or poly.nonneg:
        return poly
    forms, (m, c) = poly.forms, as_factor(poly)
    out = forms.mono(m.expo, {})
    for a, p in m.factors.items():
        size = a if a.nonneg else forms.atom("abs", (forms.of_atom(a),))
        out = out * forms.mono(forms.zero, {size: p})
    return forms.term(out, magnitude(c))


def unsigned(m: Mono) -> Poly | None:
    """m with u sign(u) as |u|, or None where there is none."""
    for a, p in m.factors.items():
        if a.op == "sign" and p == 1:
            (n, c), beside = as_factor(a.args[0]), m.without(a)
            if n.factors and all(beside.factors.get(b, 0) >= q > 0 for b, q in n.factors.items()):
                size, k = as_factor(magnitude_of(a.args[0]))
                return m.forms.term(beside * n.inverse * size, quotient(k, c))
    return None


def scaled_erfc(m: Mono) -> Mono:
    """m with exp(p u^2) erfc(u)^p as erfcx(u)^p, which neither overflows nor underflows where u is positive."""
    for a, p in m.factors.items():
        if a.op == "erfc":
            square = squared(a.args[0])
            q, rest = taken(m.expo, square, p) if square is not None else (0, m.expo)
            if q == p:
                scaled = m.forms.atom("erfcx", a.args)
                return scaled_erfc(
                    m.forms.mono(rest, dict(m.without(a, p).factors)) * m.forms.mono(m.forms.zero, {scaled: p})
                )
    return m


def powers_met(m: Mono) -> Poly | None:
    """m with u^s and u^t as u^(s + t) where that is a number and u is above 0, or None where none meet: of such as
    u^(t - 1) / u^t, which a derivative holds."""
    found: dict[Poly, list[tuple[Atom, Rational]]] = {}
    for a, p in m.factors.items():
        if a.op == "pow" and a.args[0].special and a.positive:
            found.setdefault(a.args[0], []).append((a, p))
    for base, powers in found.items():
        exponent = m.forms.zero
        for a, p in powers:
            exponent = exponent + a.args[1].scale(p)
        if len(powers) > 1 and exponent.number is not None:
            rest = m
            for a, p in powers:
                rest = rest.without(a, p)
            alone = rest.alone
            return alone if not exponent.terms else multiply(alone, power(base, exponent.number))
    return None


def is_number_log(a: Atom) -> bool:
    """Whether an atom is the logarithm of a number other than 1."""
    return a.op == "log" and a.args[0].number not in (None, 0, 1)


def vanishing_log(m: Mono) -> tuple[Mono, Atom] | None:
    """(F, log w) if m is F log(w), both of which factors may be 0: F w -> 0 is stronger than log w -> -inf."""
    for a, p in m.factors.items():
        if a.op == "log" and p == 1:
            inner, rest = a.args[0], m.without(a)
            plain = inner.single is not None and not inner.single[0].expo.terms
            if (
                all(map(is_number_log, rest.factors))
                or rest.positive
                or not plain
                or inner.number
                or any(q < 0 for q in rest.factors.values())
            ):
                return None
            return None if inner.special and inner.atom is not None and inner.atom.positive else (rest, a)
    return None


def whole(p: Rational) -> int:
    """p cut off to an int."""
    return int(p)  # towards 0


def is_mixed(poly: Poly) -> bool:
    """Whether poly is a sum of terms of one sign with different exponentials that may overflow."""
    return poly.nonneg and several(poly)


def several(poly: Poly) -> bool:
    """Whether the terms of a sum have different exponentials that may overflow."""
    return len({m.expo for m in poly.terms}) > 1 and any(map(wild, poly.terms))


def wild(m: Mono) -> bool:
    """Whether a term has an exponential that no sum of exponentials below it tames."""
    return bool(m.expo.terms) and not tamed(m)


def is_coth(m: Mono, a: Atom) -> bool:
    """Whether the factor a stands beside what makes it a hyperbolic cotangent."""
    e = logistic(a)
    return e is not None and any(p < 0 and (g := grown(b)) is not None and g[0] is e for b, p in m.factors.items())


def absorbs(m: Mono, a: Atom) -> bool:
    """Whether what stands beside the factor a keeps its exponentials from overflowing."""
    beside = m.without(a)
    sums = {b: p for b, p in beside.factors.items() if p < 0}
    return bool(exponents(m.forms.of_atom(a)) & exponents(m.forms.term(m.forms.mono(beside.expo, sums))))


def may_overflow(poly: Poly) -> bool:
    """Whether an exponential in a sum may be large."""
    return any(not m.expo.nonpos for m in poly.terms)


def rounded_choice(m: Mono) -> Atom | None:
    """The choice that a monomial is, if one of its branches is a number that no float holds."""
    a = lone(m)
    if a is None or a.op != "where" or not any(b.number and float(b.number) != b.number for b in a.args):
        return None
    return a


def maximum_of(a: Atom) -> Atom | None:
    """The maximum over axes that an atom is a view of."""
    while a.op == "view" and (inner := a.args[0].atom) is not None:
        a = inner
    return a if a.op == "max" else None


def viewed_by(m: Mono) -> tuple[str, frozenset[Expr]] | None:
    """What a lone factor is a view of, or nearly that: its function and on what it depends."""
    a = lone(m)
    while a is not None and a.op in ("view", "pick"):
        a = a.args[0].atom
    return (a.op, a.bases) if a is not None and a.bases else None


def element_of(whole: Poly, rest: Poly, k: Rational) -> Poly | None:
    """What stands k times in rest and is a view of the whole of a sum: a term for each of its terms."""
    forms, left, out = whole.forms, dict(rest.terms), whole.forms.zero
    for m, c in whole.terms.items():
        own = viewed_by(m)
        found = next((t for t, q in left.items() if own and q == c * k and viewed_by(t) == own), None)
        if found is None:
            return None
        del left[found]
        out = out + forms.term(found, c)
    return out if out.terms else None


def even_root(near: Poly) -> Poly | None:
    """u where log f is known as an even multiple of log1p(u) and u may be below -1; None where that cannot be."""
    for m, c in near.terms.items():
        a = lone(m)
        if a is not None and a.op == "log1p" and c.numerator % 2 == 0 and not (near.forms.one + a.args[0]).nonneg:
            return a.args[0]
    return None
