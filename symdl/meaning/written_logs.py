"""Writing logarithms: of sums of exponentials, of 1 - exp, of what is near 1, and log cosh."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from symdl.graph.expr import Expr
from symdl.meaning import taylor
from symdl.meaning.cancellation import expand, grown, hyperbolic, logistic, near_log, taken
from symdl.meaning.companions import COMPANIONS
from symdl.meaning.exactness import Known
from symdl.meaning.factoring import as_factor, multiply
from symdl.meaning.index_maps import settled
from symdl.meaning.logarithms import is_shifted_sum, rest_and_total
from symdl.meaning.normal_form import Atom, Mono, Poly, Unsafe
from symdl.meaning.rationals import HALF, Rational, magnitude
from symdl.meaning.softmaxes import largest_of, lone, softmax_argument
from symdl.meaning.terms import even_root, is_mixed, may_overflow, squared
from symdl.ops import elementwise as ew
from symdl.ops import functions as fn


class Writer(Protocol):
    """What Writing offers to those who write parts of it."""

    known: Known

    def __call__(self, poly: Poly, /) -> Expr: ...
    def number(self, c: float | Rational, /) -> Expr: ...
    def log_of_number(self, k: Rational, /) -> Expr: ...
    def scaled(self, x: Expr, c: Rational, /) -> Expr: ...
    def raised(self, x: Expr, p: Rational, /) -> Expr: ...
    def product(self, nodes: Sequence[Expr], /) -> Expr: ...
    def total(self, nodes: Sequence[Expr], /) -> Expr: ...
    def term(self, m: Mono, c: Rational, /) -> Expr: ...
    def atom(self, a: Atom, /) -> Expr: ...
    def close(self, ratio: Expr, /) -> Expr: ...
    def function(self, name: str, x: Expr, /) -> Expr: ...
    def unshifted(self, poly: Poly, /) -> tuple[Expr, Expr]: ...
    def rest_of(self, total: Atom, /) -> Expr: ...
    def finite_row(self, x: Expr, total: Atom, /) -> Expr: ...


def written_log(write: Writer, f: Poly) -> Expr:
    """log(f)."""
    if f.number is not None:
        return write.log_of_number(f.number)
    a = f.atom
    if a is not None and is_shifted_sum(a):
        return log_of_sum(write, a)
    m, c = as_factor(f)
    known = log_grown(write, m, c)
    if known is not None:
        return known
    rest = log_rest(write, m, c)
    if rest is not None:
        return rest
    near = near_log(m, c) or taylor.near_log(m, c)
    if near is None or any(a.op == "pow" for a in m.factors):
        return far_log(write, m, c)
    inner = near.atom
    if inner is not None and inner.op == "log1p" and not m.expo.terms:
        u = inner.args[0]
        if (u.nonneg and not may_overflow(u)) or (
            list(m.factors.values()) == [1]
            and not any(q.op in COMPANIONS or (q.op == "sum_of" and is_mixed(q.args[0])) for q in m.factors)
        ):
            return write(near)  # log1p serves everywhere
    far, close, positive = far_log(write, m, c), write.close(write.term(m, c)), even_root(near)
    if positive is None:
        if far.op.name not in ("add", "sub"):  # in a sum of logarithms as much is lost as they are larger than it
            far = write.known.calmed(far)
    else:  # f is a square of what may be near -1
        close = ew.bitwise_and(close, ew.gt(write(positive), write.number(-1)))
    return ew.where(close, write(near), far)


def log_of_number(k: Rational) -> float:
    """The logarithm of a number that is exact: 1 - 1e-7 is rounded no more than its logarithm."""
    if k <= 0:
        return -math.inf if k == 0 else math.nan
    return math.log1p(float(k - 1)) if HALF < k < 2 else math.log(k)


def log_of_sum(write: Writer, a: Atom, beside_largest: bool = False) -> Expr:
    """log of a sum of exponentials less their largest, which is at least 1; NaN where the largest is infinite, unless
    it stands beside that."""
    if a.op == "view":
        inner = a.args[0].atom
        assert inner is not None
        return settled(a.param.apply(log_of_sum(write, inner, beside_largest)))
    if softmax_argument(a) is None:
        return fn.log(write.atom(a))
    log = fn.log1p(write.rest_of(a))
    return log if beside_largest else write.finite_row(log, a)


def log_sum_exp(write: Writer, poly: Poly) -> tuple[Expr | None, Poly]:
    """(k (max E + log sum exp(E - max E)), the rest of poly): an infinity where the largest is one."""
    forms = poly.forms
    for m, c in poly.terms.items():
        a = next((a for a, p in m.factors.items() if a.op == "log" and p == 1), None)
        total = a.args[0].atom if a is not None else None
        if a is None or total is None or not is_shifted_sum(total) or (top := largest_of(total)) is None:
            continue
        rest = m.without(a)
        try:
            (largest, k), *others = multiply(forms.term(rest, c), top).terms.items()
        except Unsafe:  # no term of a sum is what the product would have lost a zero or a root in
            continue
        left = poly - forms.poly({m: c, largest: k})
        if others or poly.terms.get(largest) != k or not left.bases.isdisjoint(top.bases):
            continue  # beside another maximum the two largest may cancel
        log = log_of_sum(write, total, beside_largest=True)
        log = write.scaled(log, c) if rest.bare else ew.mul(write.term(rest, c), log)
        return write.total([write.term(largest, k), log]), left
    return None, poly


def log_rest(write: Writer, m: Mono, c: Rational) -> Expr | None:
    """log((sum(X) - X) / sum(X)), which is log1p(-X / sum(X)) where that is small."""
    left = rest_and_total(m)
    if left is None or c != 1:
        return None
    body = left.args[0].single
    assert body is not None
    part = write.term(body[0] * m.forms.mono(m.forms.zero, {left: -1}), body[1])
    far = ew.sub(fn.log(write.atom(next(a for a in m.factors if a.op == "others"))), log_of_sum(write, left))
    return ew.where(ew.lt(part, write.number(HALF)), fn.log1p(ew.neg(part)), far)


def log_grown(write: Writer, m: Mono, c: Rational) -> Expr | None:
    """log(1 - exp(E)) and log(exp(E) - 1)."""
    if len(m.factors) != 1:
        return None
    ((a, p),) = m.factors.items()
    size = a.op == "abs"
    inner = a.args[0].atom if size else a
    found = grown(inner) if inner is not None else None
    if found is None or p != 1:
        return None
    if size and not m.expo.terms and c == 1:
        x = write(found[0])
        large = ew.add(ew.maximum(x, write.number(0)), fn.log1mexp(ew.neg(ew.abs(x))))
        inside = ew.bitwise_and(ew.ge(x, write.number(0)), ew.le(x, write.number(1)))
        return ew.where(inside, fn.log(fn.expm1(x)), large)
    if size:
        return None
    e, sign = found[0], found[1] * (1 if c > 0 else -1)
    beside = m.expo
    if beside is e.scale(-1):  # sign (1 - exp(-E))
        e, sign, beside = beside, -sign, beside - beside
    x = write(e)
    if sign == -1:
        out = fn.log1mexp(x)
        out = ew.add(write(beside), out) if beside.terms else out
    else:
        grows = write.total([write(beside + e), fn.log1mexp(ew.neg(x))])
        small = fn.log(fn.expm1(x))
        small = ew.add(write(beside), small) if beside.terms else small
        out = ew.where(ew.gt(x, write.number(1)), grows, small)
    return out if abs(c) == 1 else ew.add(out, write.log_of_number(magnitude(c)))


def far_log(write: Writer, m: Mono, c: Rational) -> Expr:
    """log(c m) with exponents outside, where none can overflow."""
    for a, p in m.factors.items():
        if a.op == "pow":
            rest = m.forms.term(m.without(a, p), c)
            try:
                split = write(multiply(a.args[1], m.forms.function("log", a.args[0])).scale(p))
            except Unsafe:  # x^(1/log x), at 1
                continue
            if rest.number != 1:
                split = ew.add(split, written_log(write, rest))
            return ew.where(ew.gt(write(a.args[0]), write.number(0)), split, fn.log(write.term(m, c)))
        if a.op == "erfc" and (square := squared(a.args[0])) is not None:
            u = a.args[0]  # its tail leaves the range: erfc(u) = exp(-u^2) erfcx(u)
            scaled = m.without(a, p) * m.forms.mono(square.scale(-p), {m.forms.atom("erfcx", (u,)): p})
            return ew.where(ew.gt(write(u), write.number(HALF)), _tail_log(write, scaled, c), fn.log(write.term(m, c)))
    bounded = hyperbolic(m)
    mixed = {a: p for a, p in m.factors.items() if a.op == "sum_of" and a not in bounded and is_mixed(a.args[0])}
    if not mixed:
        return fn.log(write.term(m, c))
    parts: list[Expr] = []
    top = [write.term(m.forms.mono(m.forms.zero, bounded), 1)] if bounded else []
    below: list[Expr] = []
    expo = m.expo
    for a, p in m.factors.items():
        if a in bounded:
            continue
        e = logistic(a)
        if e is not None:
            q, expo = taken(expo, e, -p)
            soft = e.forms.function("softplus", e.scale(-1)).scale(-q) + e.forms.function("softplus", e).scale(p + q)
            parts += [write.term(t, k) for t, k in soft.terms.items()]
        elif a in mixed:
            inner = a.args[0]
            if p == 1 and len(mixed) == 1:  # as the user summed them: none of x - y where both are infinite
                inner, expo = inner.times(m.forms.mono(expo, {})), m.forms.zero
            most, body = write.unshifted(inner)
            parts.append(write.scaled(most, p))
            (top if p > 0 else below).append(write.raised(body, magnitude(p)))
        else:
            (top if p > 0 else below).append(write.raised(write.atom(a), magnitude(p)))
    if expo.terms:
        parts.append(write(expo))
    if top or below or c != 1:
        inside = write.product(top) if top else write.number(1)
        inside = ew.true_div(inside, write.product(below)) if below else inside
        parts.append(fn.log(write.scaled(inside, c)))
    return write.total(parts)


def _tail_log(write: Writer, m: Mono, c: Rational) -> Expr:
    """log(c m) as its exponent and the logarithm of the rest."""
    return ew.add(write(m.expo), fn.log(write.term(m.forms.mono(m.forms.zero, m.factors), c)))


def log_cosh(write: Writer, poly: Poly) -> tuple[Expr | None, Poly]:
    """(2k log cosh(E/2), the rest), of k (softplus(E) + softplus(-E)) and a constant of opposite sign."""
    forms = poly.forms
    logs = {a.args[0].number: (m, c) for m, c in poly.terms.items() if (a := lone(m)) and a.op == "log"}
    for m, k in poly.terms.items():
        a = lone(m)
        if a is None or a.op != "softplus":
            continue
        mate = forms.mono(forms.zero, {forms.atom("softplus", (a.args[0].scale(-1),)): 1})
        if poly.terms.get(mate) != k:
            continue
        for number, (n, c) in logs.items():
            if not ((number == HALF and c == 2 * k) or (number == 2 and c == -2 * k) or (number == 4 and c == -k)):
                continue
            half = write(a.args[0].scale(HALF))
            even = write.scaled(log_cosh_of(write, half), 2 * k)
            return even, poly - forms.poly({m: k, mate: k, n: c})
    return None, poly


def log_cosh_of(write: Writer, x: Expr) -> Expr:
    """log cosh(x): by cosh(x) - 1 = 2 sinh(x/2)^2 where x is small."""
    size = ew.abs(x)
    s = fn.sinh(ew.mul(write.number(HALF), x))
    small = fn.log1p(ew.mul(write.number(2), ew.mul(s, s)))
    large = ew.sub(ew.add(size, fn.log1p(fn.exp(ew.mul(write.number(-2), size)))), write.log_of_number(2))
    return ew.where(ew.lt(size, write.number(1)), small, large)


def log_add(write: Writer, poly: Poly) -> tuple[Expr | None, Poly]:
    """(k R log(exp(A) + exp(B)), the rest of poly), of k R (A + softplus(B - A)), which may cancel, or be infinities."""
    for m, k in poly.terms.items():
        a = next((a for a, p in m.factors.items() if a.op == "softplus" and p == 1), None)
        if a is None:
            continue
        beside, rest = m.without(a), poly - poly.forms.term(m, k)
        first = poly.forms.poly({t: -c for t, c in a.args[0].terms.items() if rest.terms.get(t * beside) == -c * k})
        if first.terms:
            both = fn.logaddexp(write(first), write(a.args[0] + first))
            both = write.scaled(both, k) if beside.bare else ew.mul(write.term(beside, k), both)
            return both, rest - first.times(beside, k)
    return None, poly


def entropy(write: Writer, poly: Poly) -> tuple[Expr | None, Poly]:
    """(k R (softplus(E) - E sigmoid(F)), the rest of poly): the cross entropy of chances sigmoid(F) and sigmoid(E), the same
    for -E and -F, of terms that are of one sign, or do not cancel, where F is below 0."""
    if not any(a.op == "softplus" for a in poly.letters):
        return None, poly
    chances = [e for a in poly.letters if (e := logistic(a)) is not None]
    wide = expand(poly) if chances else None  # (E - F) sigmoid(F)
    for form in (poly, wide) if wide not in (None, poly) else (poly,):
        found = _cross_entropy(write, form, [*chances, *(e.negated for e in chances)])
        if found is not None:
            return found
    return None, poly


def _cross_entropy(write: Writer, poly: Poly, chances: list[Poly]) -> tuple[Expr, Poly] | None:
    forms = poly.forms
    for m, c in poly.terms.items():
        for a, p in m.factors.items():
            if a.op != "softplus" or p != 1:
                continue
            e, beside = a.args[0], m.without(a)
            for f in chances:
                unit, k = as_factor(forms.one + forms.raw_exp(f.negated))
                linear = e.times(beside * unit.inverse, -c)
                if k != 1 or not linear.terms or any(poly.terms.get(t) != d for t, d in linear.terms.items()):
                    continue
                own = write(f)
                size = ew.neg(ew.abs(own))
                x = size if f is e else ew.where(ew.gt(own, write.number(0)), write(e.negated), write(e))
                found = ew.sub(fn.softplus(x), ew.mul(x, fn.sigmoid(size)))
                outer = write.scaled(found, c) if beside.bare else ew.mul(write.term(beside, c), found)
                return outer, poly - forms.term(m, c) - linear
    return None
