"""Writing atoms: numbers, the functions and reductions that the algebra knows by name, and what is made of nodes alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from symdl.graph.expr import CONSTANT, OPS, Expr, constant, make
from symdl.meaning.bounds import MANY
from symdl.meaning.exactness import Known
from symdl.meaning.index_maps import settled, stretched, with_indices
from symdl.meaning.masks import pick_of
from symdl.meaning.normal_form import FUNCTIONS, Atom, Poly
from symdl.meaning.rationals import HALF, Rational, quotient, rational
from symdl.meaning.reading import primitive
from symdl.meaning.series import series_of
from symdl.meaning.softmaxes import exponent_of, largest_of, softmax_argument, weight_of
from symdl.meaning.whole_numbers import whole_exponent
from symdl.meaning.written_logs import Writer, log_of_number, written_log
from symdl.ops import elementwise as ew
from symdl.ops import functions as fn
from symdl.ops.normalized import finite_row
from symdl.ops.reductions import MAX, SUM, greatest, keep
from symdl.ops.shaping import JOIN

WHOLE = 1 << 24  # integers below are exact in both dtypes
SHORT = 1 << 12  # a quotient of two longer integers is one of literals, as 1 / sqrt(2) is
LIMBS = {"float64": 2, "float32": 4}  # as many numbers as two limbs of float64 hold


def literal(c: Rational) -> bool:
    """Whether a number is that of literals rather than of a formula: a multiple is as right as they are, and takes less time."""
    return min(abs(c.numerator), c.denominator) >= SHORT


class AtomWriting(Writer):
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
        self.numbers: dict[float | Rational, Expr] = {}  # which are leaves: they have no lines
        self.known = known

    def number(self, c: float | Rational) -> Expr:
        """A number: with precision="right" one that takes more digits as a sum of numbers, for whoever asks for them."""
        if type(c) is float:  # of which -0.0 == 0.0
            return self._number(c)
        found = self.numbers.get(c)
        if found is None:
            found = self._number(c)
            if found.op is CONSTANT:
                self.numbers[c] = found
        return found

    def _number(self, c: float | Rational) -> Expr:
        high = constant(float(c), self.dtype)
        if not self.right or (isinstance(c, int) and abs(c) < WHOLE) or not math.isfinite(c):
            return high
        out, rest = high, rational(c) - rational(float(high.params["value"].array))
        for _ in range(LIMBS[self.dtype] - 1):
            low = constant(float(rest), self.dtype)
            if not low.params["value"].array:
                break
            out, rest = ew.add(out, low), rest - rational(float(low.params["value"].array))
        return out

    def log_of_number(self, k: Rational) -> Expr:
        """log k: a number, or where digits may be asked for a logarithm that has them."""
        return fn.log(self.number(k)) if self.right and k > 0 and float(k) == k else self.number(log_of_number(k))

    def _own(self, poly: Poly) -> Expr | None:
        """The user's node for a form, if there is one."""
        whole, k = primitive(poly)
        found = None if whole.atom is not None else self.named.get(whole)  # a leaf is its own
        if found is None or found[0].type.dtype != self.dtype:
            return None
        if found[0].op is ew.true_div and poly.single is not None and literal(poly.single[1]):
            return None
        factor = quotient(k, found[1])
        if self.right and poly.single is not None and literal(factor) and not literal(poly.single[1]):
            return None  # log(2) times 1/(x log(2)) is not 1 at 1
        return self.scaled(self.lowered(found[0]), factor)

    def scaled(self, x: Expr, c: Rational) -> Expr:
        """c * x."""
        if c == 1:
            return x
        if c < 0:
            return ew.neg(self.scaled(x, -c))
        n, d = c.numerator, c.denominator
        if d & (d - 1) and abs(n) < WHOLE and d < WHOLE and not literal(c):  # a third is exact only as a divisor
            return ew.true_div(self.scaled(x, n), self.number(d))
        return ew.mul(self.number(c), x)

    def total(self, nodes: Sequence[Expr]) -> Expr:
        """The sum of nodes; what is a negation is subtracted."""
        first = next((k for k, n in enumerate(nodes) if n.op is not ew.neg), 0)
        out = nodes[first]
        for n in (*nodes[:first], *nodes[first + 1 :]):
            out = ew.sub(out, n.inputs[0]) if n.op is ew.neg else ew.add(out, n)
        return out

    def less(self, a: Expr, b: Expr) -> Expr:
        """a - b for b >= a: 0 where both are one infinity."""
        return self.known.within(ew.where(ew.eq(a, b), self.number(0), ew.sub(a, b)), -math.inf, 0)

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
                base, exponent = map(self, a.args)
                if a.args[1].special and not a.args[0].nonneg and (not self.right or base.op is CONSTANT):
                    exponent = whole_exponent(exponent, base)  # else `widening` does so
                return ew.pow(base, exponent)
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
        """What a function's polynomial leaves, by its series, used where it reaches: there each coefficient is more than twice
        what is added to it."""
        first, step, coefficients = series_of(a, 106 if self.right and self.dtype == "float64" else 53)
        u = self(a.args[0])
        by = u if step == 1 else ew.mul(u, u)
        out = self.number(coefficients[-1])
        for c in reversed(coefficients[:-1]):
            least, most = sorted((float(c) / 2, float(c) * 2))
            out = self.known.within(self.known.calmed(ew.add(self.number(c), ew.mul(by, out))), least, most)
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
        return settled(keep(greatest(x, places) if op is MAX else make(op, (x,), axes=places), x, places, True))

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
        if (weight := weight_of(total)) is not None:
            largest = ew.eq(self(exponent_of(total)), self.number(0))
            return ew.where(largest, self.rest_weighed(total, weight), ew.sub(all_of, x))
        if softmax_argument(total) is None:
            return ew.sub(all_of, x)
        gap = self(exponent_of(total))
        rest = self.known.within(self.known.calmed(ew.sub(all_of, x)), 0, MANY)  # x is at most half of the sum
        return self.known.within(ew.where(ew.eq(gap, self.number(0)), self.rest_of(total), rest), 0, MANY)

    def rest_weighed(self, total: Atom, weight: Poly) -> Expr:
        """A weighted sum of exponentials less their largest, without one of the largest."""
        w, zero = self(weight), self.number(0)
        largest = ew.eq(self(exponent_of(total)), zero)
        small = self.reduced(SUM, ew.where(largest, zero, self(total.args[0])), total.param)
        tied = self.reduced(SUM, ew.where(largest, w, zero), total.param)
        return ew.add(small, ew.sub(tied, w))

    def finite_row(self, x: Expr, total: Atom) -> Expr:
        """x, of a row of exponentials less their largest; NaN where that is infinite."""
        top = largest_of(total)
        return finite_row(x, self(top)) if top is not None else x

    def rest_of(self, total: Atom) -> Expr:
        """A sum of exponentials less their largest, less 1: without the 1 that the largest gives."""
        key = ("rest", total)
        if key not in self.done:
            self.done[key] = self.rest_of_gaps(self(exponent_of(total)), total.param)
        return self.done[key]

    def rest_of_gaps(self, gap: Expr, axes: tuple[int, ...]) -> Expr:
        """The same of exponents less their largest, over axes counted from the end."""
        zero, one = self.number(0), self.number(1)
        largest = ew.eq(gap, zero)
        small = self.reduced(SUM, ew.where(largest, zero, fn.exp(gap)), axes)
        ties = self.known.within(self.reduced(SUM, ew.where(largest, one, zero), axes), 1, MANY)
        return ew.add(small, ew.maximum(ew.sub(ties, one), zero))  # said so that loops know its sign
