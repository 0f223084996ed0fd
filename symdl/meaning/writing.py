"""Writing: the nodes that compute a form in plain floats, each form once.

Here the formula to run is chosen: sigmoid, tanh, softplus and softmax are recovered, so that one exponential serves all
that share it; sums of exponentials are shifted by their largest; a difference A - B of which log(A/B) is known near 1
becomes B expm1(log(A/B)) there, and is A - B where it cannot cancel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from symdl.expr import OPS, Expr, constant, make
from symdl.meaning.bounds import MANY
from symdl.meaning.cancellation import combine, grown, logistic, near_log, over, simplify, taken
from symdl.meaning.deltas import delta_of, written_delta
from symdl.meaning.exactness import Known
from symdl.meaning.index_maps import settled, stretched, with_indices
from symdl.meaning.masks import assume, masked, pick_of
from symdl.meaning.normal_form import FUNCTIONS, Atom, Mono, Poly, Unsafe, as_factor, joined, multiply
from symdl.meaning.rationals import HALF, Rational, magnitude, quotient, rational, whole_power
from symdl.meaning.taylor import REACH, series_of, small
from symdl.meaning.terms import (
    absorbs,
    element_of,
    even_root,
    exponent_of,
    halved,
    is_coth,
    is_mixed,
    largest_of,
    lone,
    maximum_of,
    scaled_erfc,
    several,
    softmax_argument,
    vanishing_log,
    whole,
    wild,
)
from symdl.meaning.written_logs import log_add, log_cosh, log_of_number, log_sum_exp, written_log
from symdl.ops import elementwise as ew
from symdl.ops import functions as fn
from symdl.ops.normalized import SOFTMAX, finite_row, shifted
from symdl.ops.reductions import MAX, SUM, along, keep
from symdl.ops.shaping import JOIN

Term = tuple[Mono, Rational]
WHOLE = 1 << 24  # integers below are exact in both dtypes


class Writing:
    """Nodes for forms, in one dtype. right: nodes may get number forms. strict: 0 times infinity is NaN.

    lowered: the node that runs in place of a node of the meaning. named: forms that the user's own nodes are. known:
    takes what is known of the nodes written. safe: what only derivatives of logarithms divide by.
    """

    right = strict = False

    def __init__(
        self,
        dtype: str,
        lowered: Callable[[Expr], Expr],
        named: dict[Poly, tuple[Expr, Rational]],
        known: Known,
        safe: frozenset[Atom] = frozenset(),
    ) -> None:
        self.safe = safe
        self.dtype, self.lowered, self.named = dtype, lowered, named
        self.done: dict[Any, Expr] = {}
        self.known = known

    def number(self, c: float | Rational) -> Expr:
        """A number: with precision="right" one that takes more digits as a sum of two, for whoever asks for them."""
        high = constant(float(c), self.dtype)
        if not self.right or (isinstance(c, int) and abs(c) < WHOLE) or not math.isfinite(c):
            return high
        rest = rational(c) - rational(float(high.params["value"].array))
        low = constant(float(rest), self.dtype)
        return ew.add(high, low) if rest and low.params["value"].array else high

    def log_of_number(self, k: Rational) -> Expr:
        """log k: a number, or where digits may be asked for a logarithm that has them."""
        return fn.log(self.number(k)) if self.right and k > 0 and float(k) == k else self.number(log_of_number(k))

    def __call__(self, poly: Poly) -> Expr:
        if poly not in self.done:
            out = self._poly(poly)
            shape = joined([out.type.shape])
            self.done[poly] = out if shape == poly.shape else stretched(out, poly.shape)
        return self.done[poly]

    def _poly(self, poly: Poly) -> Expr:
        if (k := poly.number) is not None:
            return self.number(k)
        own = self._own(poly)
        if own is not None:
            return own
        if poly.single:
            return self.term(*poly.single)
        return self.sum(poly)

    def _own(self, poly: Poly) -> Expr | None:
        """The user's node for a form, if there is one."""
        first = next(iter(poly.terms.values()))
        found = self.named.get(poly.scale(quotient(1, first)))
        if found is None or found[0].type.dtype != self.dtype:
            return None
        return self.scaled(self.lowered(found[0]), quotient(first, found[1]))

    def scaled(self, x: Expr, c: Rational) -> Expr:
        """c * x."""
        if c == 1:
            return x
        if c < 0:
            return ew.neg(self.scaled(x, -c))
        n, d = c.numerator, c.denominator
        if d & (d - 1) and abs(n) < WHOLE and d < WHOLE:  # a third is exact only as a divisor
            return ew.true_div(self.scaled(x, n), self.number(d))
        return ew.mul(self.number(c), x)

    # ---- sums ----

    def sum(self, poly: Poly) -> Expr:
        """A sum of several terms."""
        for m, c in poly.terms.items():
            w = masked(m)
            if w is not None and len(m.factors) == 1 and not m.expo.terms:
                rest = poly - poly.forms.term(m, c)
                if rest.special:
                    yes = simplify(assume(rest, w.param, True) + w.args[0].scale(c))
                    no = simplify(assume(rest, w.param, False) + w.args[1].scale(c))
                    return ew.where(self.lowered(w.param), self(yes), self(no))
        if poly.nonneg or poly.nonpos:
            return self.total(self.like_signs(poly))
        near = small(poly)
        if near is not None:
            size = ew.abs(self(near.size))
            return ew.where(ew.lt(size, self.number(REACH)), self(near.form), self.apart(poly))
        return self.apart(poly)

    def apart(self, poly: Poly) -> Expr:
        """A sum of terms of both signs that is not known as a whole."""
        even, rest = log_cosh(self, poly)
        if even is not None:
            return self.total([even, self(rest)]) if rest.terms else even
        joint, rest = log_add(self, poly)
        if joint is not None:
            return self.total([joint, self(rest)]) if rest.terms else joint
        gap, rest = self.gap(poly)
        if gap is not None:
            return self.total([gap, self(rest)]) if rest.terms else gap
        whole, rest = log_sum_exp(self, poly)
        if whole is not None:
            return self.total([whole, self(rest)]) if rest.terms else whole
        return self.differences(list(poly.terms.items()))

    def like_signs(self, poly: Poly) -> list[Expr]:
        """The terms of a sum of one sign, exp(E) + exp(-E) as 2 cosh(E)."""
        parts, left = [], dict(poly.terms)
        for m, c in poly.terms.items():
            mate = poly.forms.mono(m.expo.scale(-1), {})
            if m in left and not m.factors and m.expo.terms and left.get(mate) == c:
                parts.append(self.scaled(fn.cosh(self(m.expo)), 2 * c))
                del left[m], left[mate]
            elif m in left:
                parts.append(self.term(m, c))
        return parts

    def total(self, nodes: Sequence[Expr]) -> Expr:
        """The sum of nodes; what is a negation is subtracted."""
        first = next((k for k, n in enumerate(nodes) if n.op is not ew.neg), 0)
        out = nodes[first]
        for n in (*nodes[:first], *nodes[first + 1 :]):
            out = ew.sub(out, n.inputs[0]) if n.op is ew.neg else ew.add(out, n)
        return out

    def gap(self, poly: Poly) -> tuple[Expr | None, Poly]:
        """(k (E - max E), the rest of poly), where E is what the maximum is over or an element of it."""
        forms = poly.forms
        for m, c in poly.terms.items():
            top = next(iter(m.factors)) if len(m.factors) == 1 and not m.expo.terms else None
            if top is None or m.factors[top] != 1 or (inner := maximum_of(top)) is None:
                continue
            rest = poly - forms.term(m, c)
            if inner is top and all(rest.terms.get(t) == -c * k for t, k in top.args[0].terms.items()):
                return self.scaled(self.distance(top.args[0], top), -c), rest + top.args[0].scale(c)
            element = element_of(inner.args[0], rest, -c)
            if element is not None:
                return self.scaled(self.distance(element, top), -c), rest - element.scale(-c)
        return None, poly

    def distance(self, x: Poly, top: Atom) -> Expr:
        """x - max: 0 where both are one infinity."""
        a, b = self(x), self(x.forms.of_atom(top))
        return self.less(a, b)

    def less(self, a: Expr, b: Expr) -> Expr:
        """a - b for b >= a: 0 where both are one infinity."""
        return self.known.within(ew.where(ew.eq(a, b), self.number(0), ew.sub(a, b)), -math.inf, 0)

    def differences(self, items: list[Term]) -> Expr:
        """A sum of terms of both signs. Beside exp(E) - 1, or t exp(E) - t, other terms may cancel what it leaves where
        E is not small: there those without functions are added up first, which is often exact."""
        close = self.paired(list(items))
        gap = self.gap_of_exponential(items)
        if gap is None:
            return close
        rows = [*(x for x in items if not x[0].special), *(x for x in items if x[0].special)]
        far = self.total(
            [
                self.total([self.term(*x) for x in rows if not x[0].special]),
                *(self.term(*x) for x in rows if x[0].special),
            ]
        )
        return ew.where(ew.lt(ew.abs(self(gap)), self.number(1)), close, far)

    def gap_of_exponential(self, items: list[Term]) -> Poly | None:
        """E of c R (exp(E) - 1), R without functions, in a sum of three or four terms of which others have none either."""
        plain = [x for x in items if not x[0].special]
        if not 3 <= len(items) <= 4 or len(plain) < 2 or len(plain) == len(items):
            return None
        found = [m.expo for m, c in items for n, d in plain if c == -d and m * n.inverse is m.forms.mono(m.expo, {})]
        return found[0] if len(found) == 1 and found[0].terms else None

    def paired(self, items: list[Term]) -> Expr:
        parts: list[Expr] = []
        number = next((c for m, c in items if m.bare), None)
        grows = next(((m, c) for m, c in items if not m.factors and m.expo.terms and c + (number or 0) == 0), None)
        if grows is not None:  # exp(E) - 1 first: no other term may take the 1
            parts.append(self.scaled(fn.expm1(self(grows[0].expo)), grows[1]))
            items = [x for x in items if x[0] is not grows[0] and not x[0].bare]
        while items:
            s, *items = items
            for t in items:
                d = self.difference(s, t)
                if d is not None:
                    parts.append(d)
                    items = [x for x in items if x is not t]
                    break
            else:
                parts.append(self.term(*s))
        return self.total(parts)

    def difference(self, s: Term, t: Term) -> Expr | None:
        """s + t, or None where plain addition is as good."""
        (m, c), (n, d) = (s, t) if t[0].expo.order <= s[0].expo.order else (t, s)
        known = delta_of(m, c, n, d)
        if known is not None:
            return written_delta(self, known)
        if c * d > 0 and m.nonneg and n.nonneg:
            return None
        ratio = m * n.inverse
        near = near_log(ratio, quotient(-c, d)) if ratio.nearable else None
        if near is None:
            return None
        if not ratio.factors:
            return self.exponential_difference(m, n, c, ratio.expo)
        scaled: Expr | None = None
        if near.single and near.single[1] == 1 and near.atom is not None and near.atom.op == "log1p":
            found = combine([s, t])
            if not found or not found[2] or len(found[0].terms) > 3 or not found[1].factors:
                return None
            try:
                scaled = self(over(found[0], found[1]))
            except Unsafe:
                return None
            self.known.close.add(self(found[0]))
        if scaled is None:
            scaled = ew.mul(self.term(n, -d), fn.expm1(self(near)))
        plain = self.total([self.term(m, c), self.term(n, d)])
        close = self.close(self.term(ratio, quotient(-c, d)))
        positive = even_root(near)
        if positive is None:
            plain = self.known.calmed(plain)
        else:  # the root of the ratio may be near -1 too, of which the logarithm says nothing
            close = ew.bitwise_and(close, ew.gt(self(positive), self.number(-1)))
        for a in ratio.factors:
            if a.op == "pow":  # of a negative base there is no logarithm
                close = ew.bitwise_and(close, ew.gt(self(a.args[0]), self.number(0)))
        return ew.where(close, scaled, plain)

    def exponential_difference(self, m: Mono, n: Mono, c: Rational, distance: Poly) -> Expr:
        """c (m - n), where m is n exp(distance)."""
        if m.expo is n.expo.scale(-1) and not m.factors and not n.factors:
            return self.scaled(fn.sinh(self(m.expo)), 2 * c)
        if n.bare or not n.special:
            grows = fn.expm1(self(distance))
            return self.scaled(grows, c) if n.bare else ew.mul(self.term(n, c), grows)
        whole, k = as_factor(distance.forms.raw_exp(distance) - distance.forms.one)
        if any(logistic(a) is not None and p < 0 for a, p in n.factors.items()):
            return self.term(n * whole, c * k)  # tanh
        by = self(distance)
        same = ew.bitwise_and(ew.isnan(by), ew.eq(self(m.expo), self(n.expo)))
        by = ew.where(same, self.number(0), by)  # two infinities of one sign are 0 apart
        up = ew.mul(self.term(m, -c), fn.expm1(ew.neg(by)))
        down = ew.mul(self.term(n, c), fn.expm1(by))
        return ew.where(ew.gt(by, self.number(0)), up, down)

    def close(self, ratio: Expr) -> Expr:
        """Whether a ratio lies where a difference would cancel."""
        return ew.bitwise_and(ew.gt(ratio, self.number(HALF)), ew.lt(ratio, self.number(2)))

    # ---- one term ----

    def term(self, m: Mono, c: Rational) -> Expr:
        """c * m."""
        key = (m, c)
        if key not in self.done:
            own = self._own(m.forms.term(m, c)) if not m.bare else None
            self.done[key] = own if own is not None else self.weighted(m, c)
        return self.done[key]

    def weighted(self, m: Mono, c: Rational) -> Expr:
        """c * m; 0 where it holds a weight of 0 beside an exponential less the largest that has a weight."""
        for t, k in m.expo.terms.items():
            top = lone(t)
            if top is not None and top.op == "max" and k < 0 and len(top.args) == 2 and top.args[1].terms:
                w, _ = as_factor(top.args[1])
                if all(m.factors.get(a) == p for a, p in w.factors.items()):
                    zero = self.number(0)
                    return ew.where(ew.ne(self.term(w, 1), zero), self._term(m, c), zero)
        both = vanishing_log(m)
        if both is not None and not self.strict:
            zero = self.number(0)
            vanish = ew.bitwise_and(ew.eq(self.term(both[0], 1), zero), ew.eq(self(both[1].args[0]), zero))
            return ew.where(vanish, zero, self._term(m, c))
        nothing = self.zero_over_zero(m)
        return self._term(m, c) if nothing is None else ew.where(nothing, self.number(0), self._term(m, c))

    def zero_over_zero(self, m: Mono) -> Expr | None:
        """Whether a term is 0 / 0 by what only derivatives of logarithms divide by; None if it cannot be."""
        zero = self.number(0)
        below = [ew.eq(self.atom(a), zero) for a, p in m.factors.items() if p < 0 and a in self.safe]
        above = [ew.eq(self.atom(a), zero) for a, p in m.factors.items() if p > 0 and not a.positive] if below else []
        if not above:
            return None
        return ew.bitwise_and(reduce(ew.bitwise_or, below), reduce(ew.bitwise_or, above))

    def _term(self, m: Mono, c: Rational) -> Expr:
        for a, p in m.factors.items():
            if (
                a.op == "sum_of"
                and p == 1
                and several(a.args[0])
                and not grown(a)
                and not is_coth(m, a)
                and absorbs(m, a)
            ):
                return self(a.args[0].times(m.without(a), c))  # each term has its own exponential to overflow
        m = scaled_erfc(m.forms.mono(m.expo, halved(m)))
        split = self.sided(m, c)
        if split is not None:
            return split
        top: list[Expr] = []
        below: list[Expr] = []
        factors = dict(m.factors)
        expo = self.units(m.expo, factors, top, below)
        expo, c = self.grown(expo, factors, top, below, c)
        expo = self.softmaxes(expo, factors, top)
        shift = self.shifted(expo, factors, top, below)
        if shift is not None:
            top.append(shift)
        elif expo.terms:
            top.append(fn.exp(self(expo)))
        for a, p in factors.items():
            x = self.atom(a) if p > 0 or a.op != "sum" else self.finite_row(self.atom(a), a)
            (top if p > 0 else below).append(self.raised(x, magnitude(p)))
        if not top:
            if not below:
                return self.number(c)
            return ew.true_div(self.number(c), self.product(below))
        out = self.product(top)
        if below:
            out = ew.true_div(out, self.product(below))
        return self.scaled(out, c)

    def sided(self, m: Mono, c: Rational) -> Expr | None:
        """R (exp(E) - 1), where R may vanish as exp(E) overflows, as R exp(E) (1 - exp(-E)) where E is above 0."""
        for a, p in m.factors.items():
            found = grown(a)
            if found is None or p != 1:
                continue
            e, sign = found
            rest = m.without(a)
            paired = any(logistic(b) is e and q < 0 for b, q in rest.factors.items())
            paired = paired or taken(rest.expo, e, -1)[0] == -HALF
            if paired or not rest.special or taken(rest.expo, e, -1)[0]:
                continue
            by = self(e)
            up = ew.mul(self.term(rest * m.forms.mono(e, {}), -c * sign), fn.expm1(ew.neg(by)))
            down = ew.mul(self.term(rest, c * sign), fn.expm1(by))
            return ew.where(ew.gt(by, self.number(0)), up, down)
        return None

    def product(self, nodes: Sequence[Expr]) -> Expr:
        out = nodes[0]
        for n in nodes[1:]:
            out = ew.mul(out, n)
        return out

    def raised(self, x: Expr, p: Rational) -> Expr:
        """x ** p."""
        if p == 1:
            return x
        if p == 2:
            return ew.mul(x, x)
        if p == HALF:
            return fn.sqrt(x)
        return ew.pow(x, self.number(p))

    def units(self, expo: Poly, factors: dict[Atom, Rational], top: list[Expr], below: list[Expr]) -> Poly:
        """Takes exp(qE) / (1 + exp E)^p as sigmoids of E and -E, with (exp E - 1) as tanh(E/2); gives what is left."""
        for a in list(factors):
            e = logistic(a)
            if e is None:
                continue
            if factors[a].denominator != 1:
                expo = self.fractional(e, expo, factors, a, top)
                continue
            p = -int(factors.pop(a))
            for b in list(factors):
                other = grown(b)
                if p == -1 and other and other[0] is e and factors[b] == -1:
                    t = fn.tanh(self(e.scale(HALF)))
                    below.append(t if other[1] == 1 else ew.neg(t))
                    p = 0
                    del factors[b]
                    continue
                while p > 0 and other and other[0] is e and factors.get(b, 0) >= 1:
                    t = fn.tanh(self(e.scale(HALF)))
                    top.append(t if other[1] == 1 else ew.neg(t))
                    p -= 1
                    factors[b] -= 1
                    if not factors[b]:
                        del factors[b]
            if not p:
                continue
            share = taken(expo, e, p)[0]
            if abs(p) == 1 and 2 * share == p:  # exp(E/2) / (1 + exp(E))
                expo = expo - e.scale(share)
                half = ew.mul(self.number(2), fn.cosh(self(e.scale(HALF))))
                (below if p > 0 else top).append(half)
                continue
            q = whole(share)
            expo = expo - e.scale(q)
            if p > 0:
                both = min(q, p - q)
                if both:
                    top.append(self.raised(self.sigmoid_slope(e), both))
                for x, k in ((e, q - both), (e.scale(-1), p - q - both)):
                    if k:
                        top.append(self.raised(self.sigmoid(x), k))
            else:
                for x, k in ((e.scale(-1), -q), (e, q - p)):
                    if k:
                        top.append(self.raised(ew.add(self.number(1), fn.exp(self(x))), k))
        return expo

    def fractional(self, e: Poly, expo: Poly, factors: dict[Atom, Rational], a: Atom, top: list[Expr]) -> Poly:
        """Takes a root of tanh as one, any other of 1 + exp(E) into the exponent, where its sigmoid cannot vanish."""
        p = factors.pop(a)
        for b in list(factors):
            other = grown(b)
            if other is not None and other[0] is e and other[1] == 1 and factors[b] == -p and p < 0:
                top.append(self.raised(fn.tanh(self(e.scale(HALF))), -p))
                del factors[b]
                return expo
        q, expo = taken(expo, e, -p)
        soft = e.forms.function("softplus", e.scale(-1)).scale(-q) + e.forms.function("softplus", e).scale(p + q)
        return expo + soft

    def sigmoid_slope(self, e: Poly) -> Expr:
        """sigmoid(E) sigmoid(-E), by the one exponential that sigmoid(E) has."""
        tail = fn.logistic_tail(self(e))
        return ew.mul(tail, ew.sub(self.number(1), tail))

    def sigmoid(self, e: Poly) -> Expr:
        forms = e.forms
        own = self._own(multiply(forms.one, forms.term(as_factor(forms.one + forms.raw_exp(e.scale(-1)))[0] ** -1)))
        return own if own is not None else fn.sigmoid(self(e))

    def grown(
        self, expo: Poly, factors: dict[Atom, Rational], top: list[Expr], below: list[Expr], c: Rational
    ) -> tuple[Poly, Rational]:
        """Takes powers of exp(E) - 1 as expm1(E), or with exp(-E) beside it as -expm1(-E)."""
        for a in list(factors):
            found = grown(a)
            if found is None or factors[a].denominator != 1:
                continue
            e, sign = found
            p = int(factors.pop(a))
            share = taken(expo, e, -p)[0]
            if abs(p) == 1 and 2 * share == -p:  # (exp(E) - 1) exp(-E/2)
                expo = expo - e.scale(share)
                (top if p > 0 else below).append(fn.sinh(self(e.scale(HALF))))
                c *= whole_power(2 * sign, p)
                continue
            q = whole(share)
            expo = expo - e.scale(q)
            side = top if p > 0 else below
            if q:
                side.append(self.raised(fn.expm1(self(e.scale(-1))), abs(q)))
                c *= (-1) ** abs(q)
            if abs(p) - abs(q):
                side.append(self.raised(fn.expm1(self(e)), abs(p) - abs(q)))
            c *= sign ** abs(p)
        return expo, c

    def softmaxes(self, expo: Poly, factors: dict[Atom, Rational], top: list[Expr]) -> Poly:
        """Takes exp(E - max E) / sum exp(E - max E) as softmax(E)."""
        for a in list(factors):
            if a.op != "sum" or factors[a] > 0 or (e := softmax_argument(a)) is None:
                continue
            p = -whole(factors[a])
            q = whole(taken(expo, exponent_of(a), p)[0])
            left = expo - exponent_of(a).scale(q)
            if q < 1 or len(left.terms) >= len(expo.terms):
                continue
            expo = left
            x = self(e)
            axes = tuple(k + x.type.ndim for k in a.param)
            top.append(self.raised(self.softmax(x, axes), q))
            factors[a] += q
            if not factors[a]:
                del factors[a]
        return expo

    def softmax(self, x: Expr, axes: tuple[int, ...]) -> Expr:
        """softmax of x; step by step where its digits may be asked for: what is rounded in x less its largest, an
        exponential magnifies."""
        if not self.right:
            return make(SOFTMAX, (x,), axes=axes)
        known = self.known
        top, gap = shifted(x, axes)
        part = known.within(fn.exp(known.within(gap, -math.inf, 0)), 0, 1)
        total = known.within(make(SUM, (part,), axes=axes), 1, MANY)
        return known.within(ew.true_div(part, along(finite_row(total, top), x, axes)), 0, 1)

    def shifted(self, expo: Poly, factors: dict[Atom, Rational], top: list[Expr], below: list[Expr]) -> Expr | None:
        """Takes powers of sums of exponentials less their largest exponent: gives the exponential of what that leaves
        outside, or None if there is no such sum."""
        mixed = [a for a in factors if a.op == "sum_of" and is_mixed(a.args[0])]
        if not mixed or (len(factors) == 1 and not expo.terms and factors[mixed[0]] == 1):
            return None
        outside: Expr | None = self(expo) if expo.terms else None
        for a in mixed:
            p = factors.pop(a)
            most, body = self.unshifted(a.args[0])
            (top if p > 0 else below).append(self.raised(body, magnitude(p)))
            if p == -1 and outside is not None and len(mixed) == 1:
                outside = self.less(outside, most)
            else:
                part = self.scaled(most, p)
                outside = part if outside is None else ew.add(outside, part)
        return fn.exp(outside) if outside is not None else None

    def unshifted(self, poly: Poly) -> tuple[Expr, Expr]:
        """(M, body) with poly = exp(M) body, M the largest exponent, so body holds an exact 1 for it."""
        alone = {m: m.expo if wild(m) else m.forms.zero for m in poly.terms}
        expos = sorted(set(alone.values()), key=lambda e: e.order)
        most = self(expos[0])
        for e in expos[1:]:
            most = ew.maximum(most, self(e))
        parts = []
        for m, c in poly.terms.items():
            part = fn.exp(self.less(self(alone[m]), most))
            rest = m.forms.mono(m.expo - alone[m], m.factors)
            parts.append(self.scaled(part, c) if rest.bare else ew.mul(self.term(rest, c), part))
        return most, self.total(parts)

    # ---- atoms ----

    def atom(self, a: Atom) -> Expr:
        if a not in self.done:
            self.done[a] = self._atom(a)
        return self.done[a]

    def _atom(self, a: Atom) -> Expr:
        match a.op:
            case "leaf":
                return ew.cast(self.lowered(a.param), self.dtype)
            case "sum_of":
                return self(a.args[0])
            case "log":
                return written_log(self, a.args[0])
            case "log1p":
                return fn.log1p(self(a.args[0]))
            case name if name in FUNCTIONS:
                return self.function(name, self(a.args[0]))
            case "pow":
                return ew.pow(self(a.args[0]), self(a.args[1]))
            case "rem":
                return self.remainder(a)
            case "softplus":
                e = a.args[0]
                return fn.log1p(fn.exp(self(e))) if e.nonpos else fn.softplus(self(e))
            case "abs":
                return ew.abs(self(a.args[0]))
            case "sign":
                return ew.sign(self(a.args[0]))
            case "where":
                return ew.where(self.lowered(a.param), self(a.args[0]), self(a.args[1]))
            case "sum":
                out = self.reduced(SUM, self(a.args[0]), a.param)
                return out if softmax_argument(a) is None else self.known.within(out, 1, MANY)
            case "max":
                return self.reduced(MAX, self.candidates(a), a.param)
            case "others":
                return self.without_one(a)
            case "pick":
                return settled(pick_of(self(a.args[0]), self.lowered(a.param)))
            case "view":
                return settled(with_indices(a.param, self.lowered).apply(self(a.args[0])))
            case "put":
                return settled(with_indices(a.param, self.lowered).apply(self(a.args[0])))
            case "join":
                axis, _, shapes = a.param
                pieces = tuple(stretched(self(p), shape) for p, shape in zip(a.args, shapes, strict=True))
                return make(JOIN, pieces, axis=axis + len(shapes[0]))
        raise AssertionError(a.op)

    def remainder(self, a: Atom) -> Expr:
        """What a function's polynomial leaves, by its series."""
        first, step, coefficients = series_of(a)
        u = self(a.args[0])
        by = u if step == 1 else ew.mul(u, u)
        out = self.number(coefficients[-1])
        for c in reversed(coefficients[:-1]):
            out = ew.add(self.number(c), ew.mul(by, out))
        return ew.mul(self.power_of(u, first), out)

    def power_of(self, x: Expr, k: int) -> Expr:
        """x ** k by products, k above 0."""
        out = x
        for bit in bin(k)[3:]:
            out = ew.mul(out, out)
            out = ew.mul(out, x) if bit == "1" else out
        return out

    def function(self, name: str, x: Expr) -> Expr:
        """A function that the algebra knows by name."""
        return OPS[name](x)

    def reduced(self, op: Any, x: Expr, axes: tuple[int, ...]) -> Expr:
        """A reduction over axes counted from the end, which are kept as 1."""
        places = tuple(sorted(k + x.type.ndim for k in axes))
        return settled(keep(make(op, (x,), axes=places), x, places, True))

    def candidates(self, a: Atom) -> Expr:
        """What a maximum is over: with a weight, only what it does not make 0."""
        x = self(a.args[0])
        if len(a.args) == 1:
            return x
        return ew.where(ew.ne(self(a.args[1]), self.number(0)), x, self.number(-math.inf))

    def without_one(self, a: Atom) -> Expr:
        """sum(X) - X: of shifted exponentials, the largest is known from all others."""
        total = a.args[0].atom
        assert total is not None
        all_of, x = self.atom(total), self(total.args[0])
        if softmax_argument(total) is None:
            return ew.sub(all_of, x)
        gap = self(exponent_of(total))
        rest = self.known.within(self.known.calmed(ew.sub(all_of, x)), 0, MANY)  # x is at most half of the sum
        return self.known.within(ew.where(ew.eq(gap, self.number(0)), self.rest_of(total), rest), 0, MANY)

    def finite_row(self, x: Expr, total: Atom) -> Expr:
        """x, of a row of exponentials less their largest; NaN where that is infinite."""
        top = largest_of(total)
        return finite_row(x, self(top)) if top is not None else x

    def rest_of(self, total: Atom) -> Expr:
        """A sum of exponentials less their largest, less 1: without the 1 that the largest gives."""
        key = ("rest", total)
        if key not in self.done:
            gap = self(exponent_of(total))
            zero, one = self.number(0), self.number(1)
            largest = ew.eq(gap, zero)
            small = self.reduced(SUM, ew.where(largest, zero, fn.exp(gap)), total.param)
            ties = self.known.within(self.reduced(SUM, ew.where(largest, one, zero), total.param), 1, MANY)
            self.done[key] = ew.add(small, ew.sub(ties, one))
        return self.done[key]
