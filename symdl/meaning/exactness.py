"""What is known of each node of a lowered graph, forward: its bounds, whether it is exact, and of what leaves it is made.

Exact is what carries no rounding error. Results of contractions and full reductions, and results of the function that
these are behind, count as exact: nobody pays for digits that are not there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import field

from symdl.graph.expr import CONSTANT, Expr
from symdl.graph.walks import topological
from symdl.meaning.bounds import Bounds, between, bounds_of, of_dtype
from symdl.meaning.whole_numbers import ROUNDED
from symdl.ops.declare import is_float
from symdl.records import mutable
from symdl.types import TensorType

INDEX = frozenset(["spread", "squeeze", "slice", "reshape", "gather", "join", "pad", "tile_axis", "repeat_each"])
EXACT = INDEX | {"neg", "abs", "sign", "where", "max", "min", "maximum", "minimum", "floor", "ceil", "trunc"}
EXACT |= {"round_half_even", "clip_between", "assumed"}
PASSING = INDEX | {"where", "max", "min", "maximum", "minimum", "neg", "abs", "clip_between", "assumed"}
ARITHMETIC = PASSING | {"add", "sub", "mul", "sqr", "true_div", "reciprocal", "cast"}
COARSE = PASSING | {"mul", "sqr", "true_div", "reciprocal", "sqrt", "cast"}
CONTRACTIONS = frozenset(["contract", "scatter", "cumprod", "max_and_argmax", "min_and_argmin", "result"])
RESTING = frozenset(["sort", "scatter", "cumprod", "max_and_argmax", "min_and_argmin"])  # stored, and no product's sum
SIMPLE = frozenset(
    ["leaf", "elementwise", "composite", "view", "reshape", "gather", "join", "reduction", "accumulation", "position"]
)
SUMS = frozenset(["sum", "cumsum"])
MODERATE = Bounds(-(2.0**80), 2.0**80, -80, 80)
MODERATE_BITS = math.log2(1e30)  # a factor within 1e-30 and 1e30 brings nothing back
VANISHING = frozenset(["exp", "exp2", "sigmoid", "erfc", "logistic_tail"])  # faster than any power of their argument
FACTORS = 12  # how many factors of a product are told apart from how they are multiplied
LEAVES = 512  # of how many leaves a node is known to be made; more are too many to tell apart
DIGITS = {"float32": 24, "float64": 53}
MANY_DIGITS = 10**6

Product = tuple[float, tuple[int, ...], tuple[int, ...]]  # a number, shapes of factors and of divisors
Leaves = int | None  # a set of leaves, a bit each; None: not known


def is_contraction(n: Expr) -> bool:
    """Whether a node is computed by a product, a loop or a routine, which read and write stored numbers."""
    return n.op.name in CONTRACTIONS or n.op.kind not in SIMPLE


def rests(n: Expr) -> bool:
    """Whether a node is a stored order, place or scatter: to all others it is a leaf, whatever it was made of."""
    made = n.inputs[0] if n.op.name == "result" else n
    return made.op.name in RESTING


def sums_rows(n: Expr) -> bool:
    """Whether a node is a sum along the last axis, or a running one."""
    last = n.inputs[0].type.ndim - 1 if n.op.name in SUMS else None
    return n.params["axis"] == last if n.op.name == "cumsum" else last is not None and last in n.params["axes"]


@mutable
class Known:
    """What writing knows of its nodes and no analysis could find out."""

    calm: set[Expr] = field(default_factory=set)  # sums and logarithms used only where nothing is magnified
    bounds: dict[Expr, Bounds] = field(default_factory=dict)
    close: set[Expr] = field(default_factory=set)  # sums used where their terms nearly cancel
    stored: frozenset[Expr] = frozenset()  # leaves that loops have made, whose range is what it is

    def within(self, node: Expr, low: float, high: float) -> Expr:
        """The node, whose value is known to lie there."""
        inner = node
        while inner.op.name in ("spread", "squeeze"):
            self.bounds[inner] = between(low, high)
            inner = inner.inputs[0]
        self.bounds[inner] = between(low, high)
        return node

    def calmed(self, node: Expr) -> Expr:
        """The node, a sum or a logarithm, or a negation or multiple of one, that is used only where it loses nothing."""
        inner = node
        while inner.op.name in ("neg", "mul") and inner.inputs:
            inner = inner.inputs[-1]
        self.calm.add(inner)
        return node


class Exactness:
    """The forward analysis of one function's lowered graph."""

    def __init__(self, roots: Sequence[Expr], known: Known) -> None:
        self.order = [n for n in topological(*roots) if isinstance(n.type, TensorType)]
        self.known, self.stored = known, set(roots)
        self.opaque: set[Expr] = set()  # results that contractions are behind: who uses them takes them as stored
        self.measured: set[Expr] = set()  # what contractions are behind
        self.gathered: set[Expr] = set()  # what arrays are behind
        self.of_sums: set[Expr] = set()  # made by arithmetic of sums of rows
        # Multiples of sums and differences, of both signs, of what is made of such sums.
        self.deviations: set[Expr] = set()
        self.users: dict[Expr, list[Expr]] = {}
        self.bounds: dict[Expr, Bounds] = {}
        self.exact: dict[Expr, bool] = {}
        self.digits: dict[Expr, int] = {}  # how many binary digits the exact value takes
        self.noisy: dict[Expr, bool] = {}
        # products, quotients and roots of exact numbers: no sum has left them digits below those that their size allows
        self.coarse: dict[Expr, bool] = {}
        self.rounded: dict[Expr, bool] = {}  # functions that are off by a part of what they are, and products of such
        self.affine: dict[Expr, bool] = {}  # leaves, and sums and multiples of them
        self.mixed: dict[Expr, bool] = {}  # sums over axes of terms of both signs, and sums and multiples of such
        self.roundings: dict[Expr, float] = {}  # half ulps that products, roots and powers add up; -inf: not known
        self.leaves: dict[Expr, Leaves] = {}
        self.fading: dict[Expr, bool] = {}  # what is tiny only as an exponential is
        self.shapes: dict[Expr, int] = {}
        self._shape_table: dict[object, int] = {}
        self._products: dict[int, Product] = {}  # shape -> what it is the product of
        self._leaf_count = 0
        for n in self.order:
            self._look_at(n)

    def _look_at(self, n: Expr) -> None:
        name, inputs = n.op.name, [i for i in n.inputs if i in self.bounds]
        for i in inputs:
            self.users.setdefault(i, []).append(n)
        data = [i for i in inputs if is_float(i.type.dtype)]
        if name in INDEX:
            data = data[: len(data) if name == "join" else 1]
        if rests(n):
            data = []
        behind = not self.measured.isdisjoint(inputs)
        contraction = (is_contraction(n) and not rests(n)) or (
            behind and name == "sum" and not n.type.shape and n.inputs[0].type.ndim == 1
        )
        if any(i.type.shape or i in self.gathered for i in inputs):
            self.gathered.add(n)
        if contraction or behind:
            self.measured.add(n)
            if n in self.stored:
                self.opaque.add(n)
        self.bounds[n] = self._bounds(n, inputs)
        self._look_at_rows(n, name, data)
        self.digits[n] = self._digits(n, data)
        exact = not data or self._is_exact(n, data)
        if not data or contraction or n in self.opaque:
            self.leaves[n] = self._leaves_of_number(n)
        else:
            self.leaves[n] = self._joined(data)
        self.noisy[n] = contraction or (any(map(self.noisy.__getitem__, data)) and self._is_linear(n, name, data))
        if self.noisy[n] and name in ("slice", "add", "sub"):
            self.leaves[n] = self._leaf()
        self.exact[n] = exact or contraction or self.noisy[n] or n in self.opaque
        chosen = name == "sum" and all(i.op.name == "where" and self.bounds[i].low >= 0 for i in data)
        alone = name in COARSE or chosen  # shares of those that tie, of which 1 is subtracted
        self.coarse[n] = self.exact[n] or (alone and all(map(self.coarse.__getitem__, data)))
        self.rounded[n] = name in ROUNDED or (
            name in COARSE
            and any(map(self.rounded.__getitem__, data))
            and all(self.coarse[i] or self.rounded[i] for i in data)
        )
        scaled = name in ("mul", "true_div") and self.leaves[n.inputs[-1 if name == "true_div" else 0]] == 0
        self.affine[n] = not data or (
            (name in PASSING or name in ("add", "sub", "cast") or scaled) and all(map(self.affine.__getitem__, data))
        )
        self.roundings[n] = self._roundings(n, name, data)
        both_signs = self.bounds[n].low < 0 < self.bounds[n].high
        self.mixed[n] = (name == "sum" and both_signs) or (
            bool(data)
            and (name in INDEX or name in ("neg", "add", "sub") or scaled)
            and all(self.mixed[i] or self.leaves[i] == 0 for i in data)
        )
        self.fading[n] = self._is_fading(n, name, data)
        self.shapes[n] = self._shape(n, data)

    def _look_at_rows(self, n: Expr, name: str, data: Sequence[Expr]) -> None:
        if sums_rows(n) or (name in ARITHMETIC and any(i in self.of_sums for i in data)):
            self.of_sums.add(n)
            both_signs = self.bounds[n].low < 0 < self.bounds[n].high
            own = name in ("add", "sub") or (name == "where" and all(self.bounds[i].number != 0 for i in data))
            if both_signs and (own or any(i in self.deviations for i in data)):
                self.deviations.add(n)

    def _bounds(self, n: Expr, inputs: Sequence[Expr]) -> Bounds:
        given = [self.bounds[i] for i in inputs]
        if n.type.shape:  # numbers that a call computes of numbers are what they are: no array pays for their range
            given = [
                b.meet(Bounds(least=MODERATE.least, most=MODERATE.most)) if self._is_number(i) else b
                for i, b in zip(inputs, given, strict=True)
            ]
        out = bounds_of(n, given)
        if n.op.name.startswith("random"):  # so small a draw is not seen
            out = out.meet(Bounds(least=-24))
        if is_float(n.type.dtype):  # of stored numbers: their range is what it is
            if is_contraction(n) or n in self.known.stored:
                out = out.meet(MODERATE)
            elif n.op.name in SUMS and given[0].most <= MODERATE_BITS:
                out = out.meet(Bounds(most=given[0].most))
        if n in self.opaque:
            out = out.meet(of_dtype(n.type.dtype))
        if n in self.known.bounds:
            out = out.meet(self.known.bounds[n])
        return out

    def _is_number(self, n: Expr) -> bool:
        """Whether a node without axes is computed, of other such nodes or of what contractions are behind."""
        return bool(n.inputs) and not n.type.shape and (n not in self.gathered or n in self.measured)

    def _digits(self, n: Expr, data: Sequence[Expr]) -> int:
        """How many binary digits hold every value of a node exactly, from its leaves on."""
        x, name = self.bounds[n], n.op.name
        width = x.most - x.grain + 1
        own = int(width) if -math.inf < width < MANY_DIGITS else MANY_DIGITS
        if not data:
            return min(own, DIGITS.get(n.type.dtype, own))
        parts = [self.digits[i] for i in data]
        if name in ("mul", "sqr"):
            first, second = (parts * 2)[:2]
            return min(own, first + second - (1 if 1 in (first, second) else 0))
        if name in EXACT or (name == "cast" and is_float(n.type.dtype)):
            return min(own, max(parts))
        return own

    def _is_exact(self, n: Expr, data: Sequence[Expr]) -> bool:
        name = n.op.name
        if not all(map(self.exact.__getitem__, data)):
            return False
        if name == "true_div":
            scale = self.bounds[n.inputs[1]].number
            return scale is not None and abs(math.frexp(scale)[0]) == 0.5
        if name == "cast" and not is_float(n.inputs[0].type.dtype):
            return True
        if name in ("add", "sub", "mul", "sqr", "sum", "cumsum", "cast"):
            return self.digits[n] <= DIGITS.get(n.type.dtype, 0)
        return name in EXACT

    def _roundings(self, n: Expr, name: str, data: Sequence[Expr]) -> float:
        """Of sums that may cancel it counts one: they ask for what they need."""
        if self.exact[n]:
            return 0
        first, *more = (self.roundings[i] for i in data)
        if n in self.measured:
            return -math.inf
        if name in PASSING:
            return max(first, *more, 0)
        match name:
            case "mul" | "true_div":
                scales = n.inputs if name == "mul" else n.inputs[1:]
                scaled = any(abs(math.frexp(self.bounds[i].number or 0)[0]) == 0.5 for i in scales)
                return first + sum(more) + (not scaled)
            case "sqr":
                return 2 * first + 1
            case "reciprocal":
                return first + 1
            case "sqrt":
                return first / 2 + 1
            case "pow":
                power = self.bounds[n.inputs[1]].number
                return abs(power) * first + 1 if power is not None else -math.inf
            case "add" | "sub":
                x, y = (self.bounds[i] for i in n.inputs)
                if x.number == 0 or y.number == 0:  # what guards add
                    return max(first, *more)
                alike = (x.low >= 0 and y.low >= 0) or (x.high <= 0 and y.high <= 0)
                return max(first, *more, 0) + 1 if alike and name == "add" else 1
        return -math.inf

    def _is_linear(self, n: Expr, name: str, data: Sequence[Expr]) -> bool:
        """Whether a node is a sum or a multiple of exact parts, or hands one on, or is a product with what contractions
        have rounded, whose errors are no smaller than those of the other factor."""
        if name in PASSING or name == "mul":
            return True
        varying = [i for i in data if self.leaves[i] != 0]
        scaled = name in ("add", "sub") or (name in ("mul", "true_div") and len(varying) < len(data))
        return scaled and all(self.exact[i] for i in varying)

    def _is_fading(self, n: Expr, name: str, data: Sequence[Expr]) -> bool:
        if name in VANISHING or name in ("softplus", "softmax") or self.bounds[n].least >= -MODERATE_BITS:
            return True
        if name == "true_div":
            return self.fading[data[0]] and self.bounds[data[1]].most <= MODERATE_BITS
        return (name in PASSING or name == "mul") and all(map(self.fading.__getitem__, data))

    def _leaf(self) -> Leaves:
        if self._leaf_count >= LEAVES:
            return None
        self._leaf_count += 1
        return 1 << (self._leaf_count - 1)

    def _leaves_of_number(self, n: Expr) -> Leaves:
        """Of what is made of no floats but for comparisons of them: none of constants and extents."""
        if n.op is CONSTANT or (n.op.kind == "position" and not n.type.shape):
            return 0
        if n.op.name == "cast" and n.inputs[0] in self.leaves:
            return self.leaves[n.inputs[0]]
        return self._leaf()

    def _joined(self, data: Sequence[Expr]) -> Leaves:
        out = 0
        for i in data:
            more = self.leaves[i]
            if more is None:
                return None
            out |= more
        return out

    def _product(self, n: Expr, name: str) -> Product | None:
        """(k, what is multiplied, what is divided by), shapes in order: 2 (1 / x) and -2 / x are one, so are g (2 / x)
        and (2 g) / x. None where that is too long."""
        x, y = (n.inputs * 2)[:2]
        (k, above, below), (other, more, less) = (self._factors_of(i) for i in (x, y))
        if name == "true_div":
            if not other:
                return None
            other, more, less = 1 / other, less, more
        if not 0 < k * other < math.inf or len(above) + len(more) + len(below) + len(less) > FACTORS:
            return None
        return k * other, tuple(sorted(above + more)), tuple(sorted(below + less))

    def _factors_of(self, n: Expr) -> Product:
        if number := abs(self.bounds[n].number or 0):
            return number, (), ()
        shape = self.shapes[n]
        return self._products.get(shape, (1.0, (shape,), ()))

    def _named(self, key: object) -> int:
        return self._shape_table.setdefault(key, len(self._shape_table) + 1)

    def _shape(self, n: Expr, data: Sequence[Expr]) -> int:
        """What a node does to its leaves, whichever they are, and signs left out: f(x) and -f(y) have one shape."""
        name = n.op.name
        if name in INDEX or name == "neg":
            return self.shapes[data[0]] if data else 0
        if name == "where" and len(kept := [i for i in data if self.bounds[i].number != 0]) == 1:
            return self.shapes[kept[0]]
        if name in ("mul", "true_div", "sqr") and (product := self._product(n, name)) is not None:
            if product[0] == 1 and len(product[1]) == 1 and not product[2]:
                return product[1][0]
            shape = self._named(product)
            self._products[shape] = product
            return shape
        leaves = self.leaves[n]
        key: object
        if n.op is CONSTANT:
            key = ("constant", abs(self.bounds[n].low), abs(self.bounds[n].high))
        elif not data or n in self.opaque or (leaves is not None and leaves.bit_count() == 1 and self.noisy[n]):
            key = "leaf"
        else:
            key = (name, *(self.shapes[i] for i in data))
        return self._named(key)
