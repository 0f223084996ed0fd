"""Exact cancellation: what a sum is once its terms meet over their common denominator.

A sum is rewritten only where a monomial vanishes exactly and what is left is surely no worse: one term, terms of one
sign, or two over a denominator that cannot be negative. Here 1 - sigmoid, 1 - tanh^2, 1 - softmax and every gradient
of softmax come out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations

from symdl.meaning.companions import COMPANIONS, companion
from symdl.meaning.exclusion import Term, excluded, has_sum
from symdl.meaning.factoring import as_factor, multiply, power
from symdl.meaning.moments import centred
from symdl.meaning.normal_form import Atom, Mono, Poly, Unsafe
from symdl.meaning.rationals import HALF, Rational, magnitude, quotient, whole_power
from symdl.meaning.roots import of_root, over_own_sum
from symdl.meaning.softmaxes import from_largest

LIMIT = 64  # terms that an expansion may reach
SUMMANDS = 12  # longer sums are left alone
MAX_POWER = 8  # highest whole power that near_log multiplies out


def expand_atoms(mono: Mono, deep: bool = True) -> Poly | None:
    """mono with its positive whole powers of sums multiplied out, and those within them if deep; None if that grows too far."""
    forms = mono.forms
    out, plain = forms.one, {}
    for a, p in mono.factors.items():
        whole = p.numerator // p.denominator
        if a.op == "sum_of" and whole >= 1:
            inside = expand(a.args[0]) if deep else a.args[0]
            for _ in range(whole):
                if inside is None or len(out.terms) * len(inside.terms) > LIMIT:
                    return None
                out = out.multiplied_out(inside)
            if p != whole:
                plain[a] = p - whole
        else:
            plain[a] = p
    return out.times(forms.mono(mono.expo, plain))


def expand(poly: Poly) -> Poly | None:
    """poly without whole powers of sums, or None."""
    memo = poly.forms.memo
    key = ("expand", poly)
    if key in memo:
        return memo[key]  # type: ignore[no-any-return]  # memos are Any
    out: Poly | None = poly.forms.zero
    for m, c in poly.terms.items():
        part = expand_atoms(m)
        if part is None or out is None or len(out.terms) > LIMIT:
            out = None
            break
        out = out + part.scale(c)
    memo[key] = out
    return out


def denominator(monos: Iterable[Mono]) -> dict[Atom, Rational]:
    """The least powers that make every power in the monomials positive: whole ones, but where all powers of an atom are
    as many whole ones apart, so that no root of a sum is left above and below."""
    every = list(monos)
    below: dict[Atom, Rational] = {}
    for a, p in ((a, p) for m in every for a, p in m.factors.items() if p < 0):
        below[a] = max(below.get(a, 0), -p)
    for a, most in below.items():
        if most.denominator != 1 and any((m.factors.get(a, 0) + most).denominator != 1 for m in every):
            below[a] = -(-most.numerator // most.denominator)
    return below


def combine(terms: Sequence[Term]) -> tuple[Poly, Mono, int, bool] | None:
    """The terms over their common denominator, or None: (numerator, denominator, how many monomials vanished, whether
    any met its opposite)."""
    forms = terms[0][0].forms
    if not any(a.op == "sum_of" for m, _ in terms for a in m.factors):
        return None  # like terms have met already: nothing can vanish
    if len(terms) == 2 and strangers(terms[0][0], terms[1][0]):
        return None
    below = forms.mono(forms.zero, denominator(m for m, _ in terms))
    found = _over_one(terms, below)
    if any(b.op == "sum_of" for m, _ in terms for a in m.factors if a.op == "sum_of" for b in a.args[0].letters):
        short = _over_one(terms, below, deep=False)  # which leaves (a - b)^2 in a sum as it is
        if short and short[2] and (not found or len(short[0].terms) < len(found[0].terms)):
            return short
    return found


def _over_one(terms: Sequence[Term], below: Mono, deep: bool = True) -> tuple[Poly, Mono, int, bool] | None:
    forms = below.forms
    out: dict[Mono, Rational] = {}
    met = False
    for m, c in terms:
        part = expand_atoms(m * below, deep)
        if part is None:
            return None
        for n, k in part.terms.items():
            own = k * c
            before = out.get(n)
            if before is not None:
                met = met or (before < 0 < own or own < 0 < before)
                own = before + own
            out[n] = own
        if len(out) > LIMIT:
            return None
    return forms.poly(out), below, sum(1 for k in out.values() if not k), met


def strangers(m: Mono, n: Mono) -> bool:
    """Whether the two share no term however their sums are multiplied out: a factor or a part of the exponent differs
    that no sum can bring."""
    for one, other in ((m, n), (n, m)):
        for a, p in one.factors.items():
            if other.factors.get(a) != p and a.op != "sum_of" and a not in m.inner and a not in n.inner:
                return True
        if one.expo is not other.expo:
            for t, c in one.expo.terms.items():
                if other.expo.terms.get(t) != c and t not in m.inner_exponents and t not in n.inner_exponents:
                    return True
    return False


def over(numerator: Poly, below: Mono) -> Poly:
    """numerator / below; Unsafe where that would cancel what may be 0."""
    return multiply(numerator, numerator.forms.term(below**-1))


def simplify(poly: Poly) -> Poly:
    """The same sum after exact cancellation."""
    forms = poly.forms
    key = ("simplify", poly)
    if key in forms.memo:
        return forms.memo[key]  # type: ignore[no-any-return]  # memos are Any
    seen = [poly]
    while (better := _step(seen[-1])) is not None and better not in seen:
        forms.found += 1
        seen.append(better)
    for p in seen:
        forms.memo[("simplify", p)] = seen[-1]
    return seen[-1]


def _step(poly: Poly) -> Poly | None:
    """poly after one cancellation, or None where there is none."""
    if not 2 <= len(poly.terms) <= SUMMANDS or not any(m.factors or m.expo.terms for m in poly.terms):
        return None
    forms = poly.forms
    items = list(poly.terms.items())
    odd = (
        _odd_softplus(poly)
        or _square(poly)
        or companion(poly)
        or centred(poly)
        or from_largest(poly)
        or of_root(poly)
        or over_own_sum(poly)
    )
    if odd is not None:
        return odd
    for i, s in enumerate(items):
        for t in items[:i]:
            if _spoken_for(s, t, items):
                continue
            for rule in (_pair, _leave_one_out):
                try:
                    pair = rule(s, t)
                except Unsafe:
                    continue
                if pair is not None:
                    return poly - forms.poly(dict([s, t])) + pair
    try:
        found = combine(items) if len(items) > 2 else None
        if found and found[3] and (square := _square(found[0])) is not None:
            return over(square, found[1])
        if found and found[2] and (len(found[0].terms) < len(items) or found[0].nonneg or found[0].nonpos):
            whole, antisymmetric = found[0], _numerator(found[0])
            return over(whole if antisymmetric is None else antisymmetric, found[1])
    except Unsafe:
        pass
    return None


def _spoken_for(s: Term, t: Term, items: list[Term]) -> bool:
    """Whether one of the pair is a number that exp(E) in the sum needs: exp(E) - 1 is known without cancellation."""
    return any(
        a[0].bare and any(not m.factors and m.expo.terms and c == -a[1] for m, c in items) and (b[0].factors)
        for a, b in ((s, t), (t, s))
    )


def _square(poly: Poly) -> Poly | None:
    """c R (exp(2E) - 2 exp(E) + 1) as c R (exp(E) - 1)^2, and c R (u^2 + 2 k u v + k^2 v^2) as c R (u + k v)^2."""
    forms = poly.forms
    if len(poly.terms) != 3:
        return None
    for middle, c in poly.terms.items():
        (m, d), (n, e) = (t for t in poly.terms.items() if t[0] is not middle)
        if c * c != 4 * d * e or m * n is not middle**2:
            continue
        if m.expo is n.expo:
            u, v, rest = _without_common(m, n)
            return multiply(forms.term(rest, d), power(forms.poly({u: 1, v: quotient(c, 2 * d)}), 2))
        if c == -2 * d and not (m * n**-1).factors:
            grows = power(forms.raw_exp(middle.expo - n.expo) - forms.one, 2)
            return multiply(forms.term(n, d), grows)
    return None


def _without_common(m: Mono, n: Mono) -> tuple[Mono, Mono, Mono]:
    """(u, v, R) with m = R u^2 and n = R v^2, all powers in u and v positive."""
    forms = m.forms
    common = {a: min(m.factors.get(a, 0), n.factors.get(a, 0)) for a in {**m.factors, **n.factors}}
    rest = forms.mono(m.expo, common)
    u, v = ((x * rest.inverse) ** HALF for x in (m, n))
    return u, v, rest


def _odd_softplus(poly: Poly) -> Poly | None:
    """softplus(E) - softplus(-E), which is E, and softplus(E) - E, which is softplus(-E)."""
    forms = poly.forms
    for m, c in poly.terms.items():
        for a, p in m.factors.items():
            if a.op != "softplus" or p != 1:
                continue
            mirrored = forms.atom("softplus", (a.args[0].scale(-1),))
            linear = a.args[0].times(m.without(a), -c)
            if linear.terms and all(poly.terms.get(t) == k for t, k in linear.terms.items()):
                mono = m.without(a) * forms.mono(forms.zero, {mirrored: 1})
                return poly - forms.term(m, c) - linear + forms.term(mono, c)
            mate = m.without(a) * forms.mono(forms.zero, {mirrored: 1})
            d = poly.terms.get(mate)
            if d is not None and c * d < 0:
                k = min(magnitude(c), magnitude(d)) * (1 if c > 0 else -1)
                linear = multiply(forms.term(m.without(a), k), a.args[0])
                return poly - forms.poly({m: k, mate: -k}) + linear
    return None


def _pair(s: Term, t: Term) -> Poly | None:
    """Two terms as one or two; sums that both hold as factors stay as they are."""
    shared = shared_sums([s[0], t[0]])
    if shared is None:
        return _met(s, t)
    found = _met((s[0] * shared.inverse, s[1]), (t[0] * shared.inverse, t[1]))
    return None if found is None else multiply(found, s[0].forms.term(shared))


def shared_sums(monos: Sequence[Mono]) -> Mono | None:
    """The whole powers of sums that are factors of all the monomials; None if there are none."""
    first = monos[0]
    shared = {a: min(m.factors.get(a, 0) for m in monos) for a in first.factors if a.op == "sum_of"}
    shared = {a: whole for a, p in shared.items() if (whole := p.numerator // p.denominator) > 0}
    return first.forms.mono(first.forms.zero, shared) if shared else None


def _met(s: Term, t: Term) -> Poly | None:
    found = combine([s, t])
    if found and found[2]:
        terms = len(found[0].terms)
        if terms <= 1 or (terms == 2 and found[1].nonneg and found[1].factors):
            return over(found[0], found[1])
    if found and found[3] and found[1].nonneg and found[1].factors and (square := _square(found[0])) is not None:
        return over(square, found[1])
    if found and found[3] and len(found[0].terms) == 2 and found[1].nonneg and found[1].factors:
        (m, c), (n, d) = found[0].terms.items()
        if c * d > 0 or known_difference(m, c, n, d):  # 2 sigmoid - 1
            return over(found[0], found[1])
    if found and len(found[0].terms) == 2 and (angles := companion(found[0])) is not None:
        return over(angles, found[1])  # tan(u) - tan(v)
    return None


def _leave_one_out(s: Term, t: Term) -> Poly | None:
    """Two terms of opposite sign that hold a sum and an element of it, without what they share."""
    if not any(map(has_sum, (s[0], t[0]))):
        return _left_in_sum(s, t)
    forms = s[0].forms
    below = forms.mono(forms.zero, denominator([s[0], t[0]]))
    found = excluded((s[0] * below, s[1]), (t[0] * below, t[1]))
    return over(found, below) if found is not None else None


def _left_in_sum(s: Term, t: Term) -> Poly | None:
    """The same where other terms of that sign stand beside the sum: 1 - exp(x) / (1 + sum(exp x))."""
    if not any(has_sum(n) for m in (s[0], t[0]) for a in m.factors if a.op == "sum_of" for n in a.args[0].terms):
        return None
    forms = s[0].forms
    found = _over_one([s, t], forms.mono(forms.zero, denominator([s[0], t[0]])))
    if found is not None and len(found[0].terms) <= SUMMANDS:
        for pair in combinations(found[0].terms.items(), 2):
            if (rest := excluded(*pair)) is not None:
                left = found[0] - forms.poly(dict(pair)) + rest
                if left.nonneg or left.nonpos:
                    return over(left, found[1])
    return None


def _numerator(poly: Poly) -> Poly | None:
    items = list(poly.terms.items())
    return excluded(*items) if len(items) == 2 else None


# ---- differences and logarithms near 1 ----


def near_log(m: Mono, c: Rational, only_near: bool = False) -> Poly | None:
    """log(c*m), accurate where c*m is near 1, or None if nothing cancels exactly there; only_near: it is used nowhere else, so
    a zero over a zero may cancel that would make c*m no number."""
    if not m.nearable:
        return None
    memo, key = m.forms.memo, ("near", m, c, only_near)
    if key not in memo:
        try:
            memo[key] = _near_log(m, c, product_of if only_near else multiply)
        except Unsafe:
            memo[key] = None
    return memo[key]  # type: ignore[no-any-return]  # memos are Any


def known_difference(m: Mono, c: Rational, n: Mono, d: Rational) -> bool:
    """Whether c m + d n is known without cancellation where the two nearly cancel."""
    ratio = m * n.inverse
    return ratio.nearable and near_log(ratio, quotient(-c, d), only_near=True) is not None


def by_roots(items: list[Term]) -> list[Term]:
    """The terms of a sum, those over one root or over none as one term where what that leaves beside another is known
    where the two nearly cancel: (2 x + 1) / (2 sqrt(x^2 + x)) - 1, x + y - sqrt((x + y)^2 - 4 z)."""
    groups: dict[Mono, list[Term]] = {}
    for m, c in items:
        found = {a: p for a, p in m.factors.items() if a.op == "sum_of" and p.denominator != 1}
        groups.setdefault(m.forms.mono(m.forms.zero, found), []).append((m, c))
    if len(groups) != 2 or len(items) == 2 or any(m.expo.terms for m, _ in items):
        return items
    joined = []
    for roots, group in groups.items():
        m, c = as_factor(roots.forms.poly({n * roots.inverse: d for n, d in group}))
        joined.append((m * roots, c))
    (m, c), (n, d) = joined
    return joined if known_difference(m, c, n, d) else items


def _near_log(m: Mono, c: Rational, times: Callable[[Poly, Poly], Poly]) -> Poly | None:
    forms = m.forms
    if not m.factors:
        return m.expo if c == 1 else None
    if all(a.op == "pow" for a in m.factors):
        return _near_power(m, times) if c == 1 else None
    if any(a.op in COMPANIONS for a in m.factors):
        short = companion(forms.poly({m: c, forms.unit: -1}))
        if short is not None:
            return forms.function("log1p", short)
    if c < 0 and m.nonneg:
        return None
    if any(a.op == "abs" for a in m.factors):
        return _near_size(m, c)
    p0 = min(magnitude(p) for p in m.factors.values())
    if any(quotient(p, p0).denominator != 1 or magnitude(p) > MAX_POWER * p0 for p in m.factors.values()):
        return None
    if c != 1:
        if p0.numerator != 1 or p0.denominator > MAX_POWER:
            return None
        c = c**p0.denominator
    powers = {a: quotient(p, p0) for a, p in m.factors.items()}
    for expo, outside in ((m.expo.scale(quotient(1, p0)), forms.zero), (forms.zero, m.expo)):
        if outside.terms and c == 1 and all(logistic(a) is not None for a in m.factors):
            return _log_of_sigmoids(m)  # else what is outside would cancel the logarithm
        found = combine([(forms.mono(expo, powers), c), (forms.unit, -1)])
        if found and found[0].terms and (found[2] or (found[3] and not outside.terms and _known_near_0(found[0]))):
            u = times(found[0], forms.term(found[1].inverse))
            return outside + forms.function("log1p", u).scale(p0)
        if not m.expo.terms:
            break
    return None


def _log_of_sigmoids(m: Mono) -> Poly:
    """log(exp(E) (1 + exp F)^p ...): the exponents that make sigmoids of the sums are in their logarithms."""
    expo, out = m.expo, m.forms.zero
    for a, p in m.factors.items():
        e = logistic(a)
        assert e is not None
        q, expo = taken(expo, e, -p)
        soft = e.forms.function("softplus", e.negated).scale(-q) + e.forms.function("softplus", e).scale(p + q)
        out = out + soft
    return expo + out


def _near_power(m: Mono, times: Callable[[Poly, Poly], Poly]) -> Poly | None:
    """log of (A**E B**-E ...)**p, which is p E log(A / B ...) where the bases are positive. Their factors may not be: of these
    no roots are drawn."""
    forms = m.forms
    base = forms.unit
    c: Rational = 1
    p0 = min(map(magnitude, m.factors.values()))
    for a, p in m.factors.items():
        q = quotient(p, p0)
        if not a.args[0].terms or q.denominator != 1:
            return None
        own, k = as_factor(a.args[0])
        base, c = base * own**q, c * (whole_power(k, int(q)) if k != 1 else 1)
    near = near_log(base, c, times is product_of) if base.nearable else None
    exponent = next(iter(m.factors)).args[1].scale(p0)
    return product_of(exponent, near if near is not None else forms.function("log", forms.term(base, c)))


def product_of(a: Poly, b: Poly) -> Poly:
    """a * b as one term, noting nothing."""
    before = set(a.forms.risk), set(a.forms.roots)
    out = multiply(a, b, lenient=True)
    a.forms.risk, a.forms.roots = before
    return out


def _near_size(m: Mono, c: Rational) -> Poly | None:
    """log of c |A|^p ..., by the square of |A| ...; signs are one, or it is not near 1."""
    forms = m.forms
    sizes = {a: p for a, p in m.factors.items() if a.op != "sign"}
    p0: Rational = 1 if c != 1 or m.expo.terms else min(map(magnitude, sizes.values()))
    square = forms.mono(m.expo.scale(2), {})
    for a, p in sizes.items():
        base, k = as_factor(a.args[0]) if a.op == "abs" else (forms.mono(forms.zero, {a: 1}), 1)
        q = quotient(2 * p, p0)
        if abs(k) != 1 or q.denominator != 1 or magnitude(q) > 2 * MAX_POWER:
            return None
        square = square * base**q
    found = combine([(square, c * c), (forms.unit, -1)])
    if not found or not found[2] or not found[0].terms:
        return None
    return forms.function("log1p", over(found[0], found[1])).scale(p0 * HALF)


def _known_near_0(poly: Poly) -> bool:
    """Whether poly is c (exp(E) - 1), or a root beside what it nears: (x + sqrt(1 + x^2)) / (2 x) - 1."""
    items = list(poly.terms.items())
    if len(items) != 2:
        return False
    (m, c), (n, d) = items
    if not m.factors and not n.factors:
        return c == -d
    roots = any(a.op == "sum_of" and p.denominator != 1 for a, p in (m * n.inverse).factors.items())
    return roots and c * d < 0 and known_difference(m, c, n, d)


def logistic(atom: Atom) -> Poly | None:
    """E if atom is 1 + exp(E)."""
    parts = _unit_and_exp(atom)
    return parts[0] if parts and parts[1] == parts[2] == 1 else None


def grown(atom: Atom) -> tuple[Poly, int] | None:
    """(E, sign) if atom is sign * (exp(E) - 1)."""
    parts = _unit_and_exp(atom)
    if parts and parts[1] == -parts[2]:
        return parts[0], int(parts[2])
    return None


def hyperbolic(m: Mono) -> dict[Atom, Rational]:
    """The factors exp(E) - 1 and their divisors 1 + exp(E), which are powers of tanh(E/2)."""
    found: dict[Atom, Rational] = {}
    for a, p in m.factors.items():
        for b in m.factors if (e := logistic(a)) is not None else ():
            if (other := grown(b)) is not None and other[0] is e and m.factors[b] == -p:
                found |= {a: p, b: -p}
    return found


def _unit_and_exp(atom: Atom) -> tuple[Poly, Rational, Rational] | None:
    """(E, k, c) if atom is k + c exp(E), both of size 1."""
    if atom.op != "sum_of" or len(atom.args[0].terms) != 2:
        return None
    poly = atom.args[0]
    k = poly.terms.get(poly.forms.unit)
    if k is None or abs(k) != 1:
        return None
    ((m, c),) = [t for t in poly.terms.items() if not t[0].bare]
    return (m.expo, k, c) if not m.factors and abs(c) == 1 else None


def taken(expo: Poly, e: Poly, most: Rational) -> tuple[Rational, Poly]:
    """(q, expo - q e) with q between 0 and most as near as can be to how often e is in expo."""
    if not e.terms:
        return 0, expo
    low, high = min(0, most), max(0, most)
    shares = {
        min(max(quotient(expo.terms.get(t, 0), k), low), high)
        for t, k in e.terms.items()
        if not t.bare or len(e.terms) == 1
    }
    return min(((q, expo - e.scale(q)) for q in sorted(shares)), key=lambda found: (len(found[1].terms), abs(found[0])))
