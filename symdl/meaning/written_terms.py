"""Writing one term, c exp(E) atom**p ...: sigmoid, tanh, softplus and softmax are recovered from its factors, so that one
exponential serves all that share it; sums of exponentials are shifted by their largest.
"""

from __future__ import annotations

import math
from functools import reduce

from symdl.graph.expr import Expr, make
from symdl.meaning.bounds import MANY
from symdl.meaning.cancellation import grown, logistic, taken
from symdl.meaning.factoring import as_factor, multiply
from symdl.meaning.index_maps import stretched
from symdl.meaning.normal_form import Atom, Mono, Poly
from symdl.meaning.rationals import HALF, Rational, magnitude, whole_power
from symdl.meaning.softmaxes import exponent_of, lone, softmax_argument
from symdl.meaning.terms import (
    absorbs,
    halved,
    is_coth,
    is_mixed,
    rounded_choice,
    scaled_erfc,
    several,
    vanishing_log,
    whole,
    wild,
)
from symdl.meaning.written_atoms import AtomWriting
from symdl.ops import elementwise as ew
from symdl.ops import functions as fn
from symdl.ops.normalized import SOFTMAX, finite_row, shifted
from symdl.ops.reductions import SUM, along
from symdl.ops.views import dropped

SMALL_POWERS = (1, 2, 3)


class TermWriting(AtomWriting):
    """Nodes for terms: `units`, `grown`, `softmaxes` and `shifted` each take factors that belong together."""

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
        chosen = rounded_choice(m)
        if chosen is not None:  # a third of three is 1, if nothing is rounded before
            return ew.where(self.lowered(chosen.param), *(self(branch.scale(c)) for branch in chosen.args))
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
            top.append(self.exponential(expo))
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

    def exponential(self, expo: Poly) -> Expr:
        """exp(E); of a multiple of log(2) the power of 2, which is exact where that is whole."""
        unit = expo.forms.atom("log", (expo.forms.constant(2),))
        if all(m.factors.get(unit) == 1 for m in expo.terms):
            return fn.exp2(self(expo.times(expo.forms.mono(expo.forms.zero, {unit: -1}))))
        return fn.exp(self(expo))

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

    def logsumexp(self, x: Expr, axes: tuple[int, ...]) -> Expr:
        """log sum exp(x): the largest, and log1p of what the others are beside it, which are asked for digits where these cancel."""
        top, gap = shifted(x, axes)
        gap = self.known.within(gap, -math.inf, 0)
        kept = tuple(1 if k in axes else n for k, n in enumerate(x.type.shape))
        rest = stretched(self.rest_of_gaps(gap, tuple(k - x.type.ndim for k in axes)), kept)
        return ew.add(top, fn.log1p(dropped(rest, axes)))

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
        poly = grown_apart(poly)
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


def grown_apart(poly: Poly) -> Poly:
    """A sum whose small powers of 1 + exp(E) are multiplied out, so that each exponential overflows alone."""
    for m, c in poly.terms.items():
        a = next((a for a, p in m.factors.items() if p in SMALL_POWERS and logistic(a) is not None), None)
        if a is not None:
            return grown_apart(poly - poly.forms.term(m, c) + a.args[0].times(m.without(a), c))
    return poly
