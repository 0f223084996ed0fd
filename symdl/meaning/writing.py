"""Writing: the nodes that compute a form in plain floats, each form once.

Here it is chosen how a sum is computed: a difference A - B of which log(A/B) is known near 1 becomes B expm1(log(A/B))
there, and is A - B where it cannot cancel. `written_terms` chooses for one term, `written_atoms` for what stands in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from symdl.graph.expr import Expr
from symdl.meaning.cancellation import by_roots, combine, logistic, near_log, over, simplify
from symdl.meaning.deltas import delta_of, written_delta
from symdl.meaning.exclusion import Term
from symdl.meaning.factoring import as_factor
from symdl.meaning.index_maps import stretched
from symdl.meaning.masks import assume, masked
from symdl.meaning.normal_form import Atom, Mono, Poly, Unsafe, joined
from symdl.meaning.rationals import HALF, Rational, quotient
from symdl.meaning.taylor import REACH, small
from symdl.meaning.terms import element_of, even_root, maximum_of
from symdl.meaning.written_atoms import literal
from symdl.meaning.written_logs import entropy, log_add, log_cosh, log_sum_exp
from symdl.meaning.written_terms import TermWriting
from symdl.ops import elementwise as ew
from symdl.ops import functions as fn


class Writing(TermWriting):
    """Nodes for forms."""

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

    def sum(self, poly: Poly) -> Expr:
        """A sum of several terms."""
        for m, c in poly.terms.items():
            w = masked(m)
            if w is not None and len(m.factors) == 1 and not m.expo.terms:
                rest = poly - poly.forms.term(m, c)
                if rest.special:
                    try:
                        yes = simplify(assume(rest, w.param, True) + w.args[0].scale(c))
                        no = simplify(assume(rest, w.param, False) + w.args[1].scale(c))
                    except Unsafe:  # where the condition holds, or where not, a divisor cancels that may be 0
                        continue
                    return ew.where(self.lowered(w.param), self(yes), self(no))
        if poly.nonneg or poly.nonpos:
            return self.total(self.like_signs(poly))
        near = small(poly)
        if near is not None:
            inside = ew.lt(ew.abs(self(near.size)), self.number(REACH))
            if near.positive is not None:
                x = self(near.positive)
                inside = ew.bitwise_and(
                    inside, ew.bitwise_and(ew.gt(x, self.number(0)), ew.lt(x, self.number(math.inf)))
                )
            return ew.where(inside, self(near.form), self.apart(poly))
        return self.apart(poly)

    def apart(self, poly: Poly) -> Expr:
        """A sum of terms of both signs that is not known as a whole."""
        for known in WHOLES:
            whole, rest = self.whole(known, poly)
            if whole is not None:
                return self.total([whole, self(rest)]) if rest.terms else whole
        first = next(filter(literal, poly.terms.values()), None) if self.right else None
        if first is not None:  # c x - (c/3) y as c (x - y/3), where the quotient of the numbers is exact
            short = {m: k for m, c in poly.terms.items() if not literal(k := quotient(c, first))}
            if len({k > 0 for k in short.values()}) == 2:
                shared = poly.forms.poly(short)
                rest = poly - shared.scale(first)
                whole = self.scaled(self(shared), first)
                return self.total([whole, self(rest)]) if rest.terms else whole
        return self.differences(list(poly.terms.items()))

    def whole(self, known: Whole, poly: Poly) -> tuple[Expr | None, Poly]:
        """(some terms of a sum, known together; the rest of it)."""
        return known(self, poly)

    def like_signs(self, poly: Poly) -> list[Expr]:
        """The terms of a sum of one sign, exp(E) + exp(-E) as 2 cosh(E)."""
        parts, left = [], dict(poly.terms)
        for m, c in poly.terms.items():
            if m not in left:
                continue
            mate = None if m.factors or not m.expo.terms else m.inverse
            if mate is not None and left.get(mate) == c:
                parts.append(self.scaled(fn.cosh(self(m.expo)), 2 * c))
                del left[m], left[mate]
            else:
                parts.append(self.term(m, c))
        return parts

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
        items = by_roots(items)
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
        near = near_log(ratio, quotient(-c, d), only_near=True) if ratio.nearable else None
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
        ends = self(m.expo), self(n.expo)
        same = ew.eq(*ends)
        # what is equal when rounded may be apart
        if by.op.name != "sub" or {*by.inputs} != {*ends}:
            same = ew.bitwise_and(ew.isnan(by), same)
        by = ew.where(same, self.number(0), by)  # two infinities of one sign are 0 apart
        above = ew.gt(by, self.number(0))
        if not m.factors and not n.factors:  # the larger of the two is chosen before, so that one exponential will do
            larger = fn.exp(ew.where(above, self(m.expo), self(n.expo)))
            fallen = self.scaled(ew.mul(larger, fn.expm1(ew.neg(ew.abs(by)))), c)
            return ew.where(above, ew.neg(fallen), fallen)
        up = ew.mul(self.term(m, -c), fn.expm1(ew.neg(by)))
        down = ew.mul(self.term(n, c), fn.expm1(by))
        return ew.where(above, up, down)

    def close(self, ratio: Expr) -> Expr:
        """Whether a ratio lies where a difference would cancel."""
        return ew.bitwise_and(ew.gt(ratio, self.number(HALF)), ew.lt(ratio, self.number(2)))


Whole = Callable[[Writing, Poly], tuple[Expr | None, Poly]]
WHOLES: tuple[Whole, ...] = (log_cosh, entropy, log_add, Writing.gap, log_sum_exp)
