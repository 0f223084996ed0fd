"""Precision: which nodes of a lowered graph need a second limb, and which an exponent beside the number.

Forward over the graph: is a node exact (does it carry no rounding error), what bounds its value, what leaves is it made
of. Backward: who magnifies its error (a sum that may cancel, a logarithm near 1, an exponential of a large argument), and
who may bring a value that has left the range back into it (logarithms, roots, quotients, products). A node gets the least
number form that its users ask for. Results of contractions, full reductions, and what is stored count as exact: nobody
pays for digits that are not there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from symdl.expr import CONSTANT, Expr, building, make, rebuilt, topological
from symdl.meaning.bounds import MANY, Bounds, bounds_of
from symdl.number_forms import WIDE
from symdl.ops.declare import is_float
from symdl.ops.elementwise import cast
from symdl.rewrite import Origins
from symdl.types import TensorType

PLAIN, TWICE, BOTH = 0, 1, 2  # bits: of the dtype, twice those, two limbs of float64
INDEX = frozenset(["spread", "squeeze", "slice", "reshape", "gather", "join", "pad", "tile_axis", "repeat_each"])
EXACT = INDEX | {"neg", "abs", "sign", "where", "max", "min", "maximum", "minimum", "floor", "ceil", "trunc"}
EXACT |= {"round_half_even", "clip_between"}
PASSING = INDEX | {"where", "max", "min", "maximum", "minimum", "neg", "abs", "clip_between"}
CONTRACTIONS = frozenset(["contract", "scatter", "cumsum", "max_and_argmax", "min_and_argmin", "result"])
EXPONENTIALS = frozenset(["exp", "exp2", "expm1", "sinh", "cosh", "sin", "cos", "tan", "erfc", "sigmoid", "softplus"])
EXPONENTIALS |= {"logistic_tail", "softmax", "log1mexp"}
LOGARITHMS = frozenset(["log", "log2", "log10", "gammaln", "digamma", "logaddexp"])
RANGING = frozenset(["sqrt", "sqr", "exp", "exp2", "expm1", "log1p", "mul", "true_div", "reciprocal", "pow", "prod"])
RANGING |= {"sum", "add", "sub", "erfc", "erfcx", "cosh", "sinh", "sigmoid", "softplus", "logistic_tail", "softmax"}
SATURATING = frozenset(
    ["exp", "exp2", "sigmoid", "tanh", "softplus", "erfc", "cosh", "sinh", "logistic_tail", "softmax"]
)
WIDENED = RANGING | PASSING | EXPONENTIALS | LOGARITHMS | {"cast", "arctan", "tanh", "erf", "sign", "xlogy"}
MODERATE = 1e29
TINY, HUGE = 1e-30, 1e30  # between them a product of two stays in the range of both dtypes' doubles
LEAVES = 16  # of how many leaves a node is known to be made; more are too many to tell apart
COMPARISONS = frozenset(["eq", "ne", "lt", "le", "gt", "ge"])

Leaves = frozenset[Expr] | None  # None: not known
FORMS = {  # (bits, exponent) -> dtype, for float64
    (PLAIN, True): "float64e", (TWICE, False): "float64x2", (BOTH, False): "float64x2",
    (TWICE, True): "float64x2e", (BOTH, True): "float64x2e",
}  # fmt: skip
FORMS32 = FORMS | {(TWICE, False): "float64", (TWICE, True): "float64e"}


@dataclass
class Known:
    """What writing knows of its nodes and no analysis could find out."""

    calm: set[Expr] = field(default_factory=set)  # sums and logarithms used only where nothing is magnified
    bounds: dict[Expr, Bounds] = field(default_factory=dict)

    def within(self, node: Expr, low: float, high: float) -> Expr:
        """The node, whose value is known to lie there."""
        self.bounds[node] = low, high
        return node

    def calmed(self, node: Expr) -> Expr:
        """The node, a sum or a logarithm, or a negation or multiple of one, that is used only where it loses nothing."""
        inner = node
        while inner.op.name in ("neg", "mul") and inner.inputs:
            inner = inner.inputs[-1]
        self.calm.add(inner)
        return node


@dataclass(frozen=True)
class Need:
    """The form that a node needs, and the first reason for it."""

    bits: int = PLAIN
    range: bool = False
    why: str = ""


class Analysis:
    """Needs of the nodes of one function's lowered graph."""

    def __init__(self, roots: Sequence[Expr], known: Known) -> None:
        self.order = [n for n in topological(*roots) if isinstance(n.type, TensorType)]
        self.known, self.stored = known, set(roots)
        self.bounds: dict[Expr, Bounds] = {}
        self.exact: dict[Expr, bool] = {}
        self.whole: set[Expr] = set()  # whole numbers that a float holds
        self.noisy: dict[Expr, bool] = {}
        self.leaves: dict[Expr, Leaves] = {}
        self.shapes: dict[Expr, int] = {}
        self._shape_table: dict[object, int] = {}
        self.users: dict[Expr, list[Expr]] = {}
        self.bits: dict[Expr, int] = {}
        self.over: set[Expr] = set()
        self.under: set[Expr] = set()
        self.why: dict[Expr, str] = {}
        for n in self.order:
            self._forward(n)
        self.summed: set[Expr] = set()  # what only sums and contractions read, views and scales between
        for n in reversed(self.order):
            users = self.users.get(n)
            if users and n not in self.stored and all(self._sums(u, n) for u in users):
                self.summed.add(n)
            if is_float(n.type.dtype):
                self._backward(n)

    # ---- forward ----

    def _forward(self, n: Expr) -> None:
        name, inputs = n.op.name, [i for i in n.inputs if i in self.bounds]
        bounds = bounds_of(n, [self.bounds[i] for i in inputs])
        if name in CONTRACTIONS:  # sums of stored numbers: their digits and their range are what they are
            bounds = max(bounds[0], -MODERATE), min(bounds[1], MODERATE)
        if n in self.known.bounds:
            low, high = self.known.bounds[n]
            bounds = max(bounds[0], low), min(bounds[1], high)
        self.bounds[n] = bounds
        for i in inputs:
            self.users.setdefault(i, []).append(n)
        data = [i for i in inputs if is_float(i.type.dtype)]
        if name in INDEX:
            data = data[: len(data) if name == "join" else 1]
        if self._is_whole(n, data):
            self.whole.add(n)
        self.exact[n] = self._is_exact(n, data)
        contraction = name in CONTRACTIONS or (name == "sum" and not n.type.shape and n.inputs[0].type.ndim == 1)
        own = not data or contraction or n in self.stored
        self.leaves[n] = frozenset([n] if n.op is not CONSTANT else []) if own else self._joined(data)
        varying = [i for i in data if self.leaves[i] is None or self.leaves[i]]
        self.noisy[n] = contraction or (
            any(self.noisy[i] for i in data)
            and (
                name in PASSING
                or (
                    all(self.exact[i] for i in varying)
                    and (name in ("add", "sub") or (name in ("mul", "true_div") and len(varying) < len(data)))
                )
            )
        )
        if self.noisy[n] and name in ("slice", "add", "sub"):
            self.leaves[n] = frozenset([n])
        self.exact[n] = self.exact[n] or contraction or self.noisy[n] or n in self.stored
        self.shapes[n] = self._shape(n, data)

    def _is_exact(self, n: Expr, data: list[Expr]) -> bool:
        name = n.op.name
        if not data or n in self.whole:
            return True
        if name in ("mul", "true_div"):
            scale = n.inputs[1] if name == "true_div" or n.inputs[1].op is CONSTANT else n.inputs[0]
            other = n.inputs[0] if scale is n.inputs[1] else n.inputs[1]
            low, high = self.bounds[scale]
            power = scale.op is CONSTANT and low == high and low != 0 and abs(math.frexp(low)[0]) == 0.5
            return power and self.exact[other]
        if name == "cast":
            source, target = n.inputs[0].type.dtype, n.type.dtype
            return self.exact[n.inputs[0]] and (source == target or target == "float64")
        return name in EXACT and all(self.exact[i] for i in data)

    def _is_whole(self, n: Expr, data: list[Expr]) -> bool:
        low, high = self.bounds[n]
        if n.op is CONSTANT:
            return bool(np.all(np.mod(n.params["value"].array, 1) == 0))
        if n.op.name == "cast":
            return not is_float(n.inputs[0].type.dtype) or n.inputs[0] in self.whole
        if n.op.name not in EXACT | {"add", "sub", "mul", "sum"} or not data or not all(i in self.whole for i in data):
            return False
        return n.op.name in EXACT or (low >= -MANY and high <= MANY)

    def _joined(self, data: list[Expr]) -> Leaves:
        out: frozenset[Expr] = frozenset()
        for i in data:
            more = self.leaves[i]
            if more is None or len(out | more) > LEAVES:
                return None
            out |= more
        return out

    def _shape(self, n: Expr, data: list[Expr]) -> int:
        """What a node does to its leaves, whichever they are, and signs left out: f(x) and -f(y) have one shape."""
        name = n.op.name
        if name in INDEX or name == "neg":
            return self.shapes[data[0]] if data else 0
        if name == "mul" and len(data) == 2 and self.bounds[data[0]] == (-1, -1):
            return self.shapes[data[1]]
        leaves = self.leaves[n]
        key: object
        if n.op is CONSTANT:
            low, high = self.bounds[n]
            key = ("constant", abs(low), abs(high))
        elif leaves is not None and leaves <= {n}:
            key = "leaf"
        else:
            key = (name, *(self.shapes[i] for i in data))
        return self._shape_table.setdefault(key, len(self._shape_table) + 1)

    # ---- backward ----

    def ask(self, node: Expr, bits: int, why: str) -> None:
        """node should carry so many bits, unless it carries no error."""
        if not self.exact[node] and bits > self.bits.get(node, PLAIN):
            self.bits[node] = bits
            self.why.setdefault(node, why)

    def extend(self, node: Expr, why: str, over: bool = True, under: bool = True) -> None:
        """node should not leave the range upwards, or downwards."""
        if node in self.stored:
            return
        if over:
            self.over.add(node)
        if under:
            self.under.add(node)
        if over or under:
            self.why.setdefault(node, why)

    def _backward(self, n: Expr) -> None:
        name = n.op.name
        data = [i for i in n.inputs if i in self.bounds and is_float(i.type.dtype)]
        if not data or name in CONTRACTIONS or (n in self.bits and name in INDEX and name != "join"):
            data = data[:1] if name in INDEX else []
        self._ask_bits(n, name, data)
        if n in self.bits:
            for i in data:
                self.ask(i, self.bits[n], self.why[n])
        self._ask_range(n, name, data)

    def _ask_bits(self, n: Expr, name: str, data: list[Expr]) -> None:
        if name in ("add", "sub"):
            if self._cancels(n, *data):
                for i in data:
                    self.ask(i, BOTH, "a sum that may cancel")
        elif name in EXPONENTIALS:
            low, high = self.bounds[data[0]]
            if not (low >= -2 and high <= 2):
                self.ask(data[0], TWICE, f"{name} of a large argument")
        elif name in LOGARITHMS and n not in self.known.calm:
            for i in data:
                self.ask(i, BOTH, f"{name} near its zero")
        elif name == "log1p" and self.bounds[data[0]][0] < -0.5:
            self.ask(data[0], BOTH, "log1p near -1")
        elif name == "pow":
            low, high = self.bounds[data[1]] if len(data) > 1 else (0.0, 0.0)
            if max(abs(low), abs(high)) > 4:
                self.ask(data[0], TWICE, "a high power")
                self.ask(data[1], TWICE, "a high power")

    def _cancels(self, n: Expr, x: Expr, y: Expr) -> bool:
        """Whether a sum or difference may lose digits that its operands' errors reach."""
        if n in self.known.calm or (self.noisy[n] and self.exact[n]):
            return False
        (a, b), (c, d) = self.bounds[x], self.bounds[y]
        if n.op.name == "sub":
            c, d = -d, -c
        if (a >= 0 and c >= 0) or (b <= 0 and d <= 0):
            return False
        if n in self.summed:
            return False  # what a sum makes of it is no more exact than its largest term
        limited = any(not self.exact[p] and any(0 < abs(v) < 1e3 for v in self.bounds[p]) for p in (x, y))
        mine, other = self.leaves[x], self.leaves[y]
        if limited or mine is None or other is None or not mine or not other:
            return True
        if self.shapes[x] == self.shapes[y]:
            return True
        return bool(mine & other) and not (mine - other and other - mine)

    def _sums(self, user: Expr, n: Expr) -> bool:
        """Whether a user adds a node up, or hands a multiple of it on to who does."""
        name = user.op.name
        if name in ("sum", "contract"):
            return True
        linear = name in INDEX or name == "neg" or (name == "true_div" and user.inputs[0] is n) or name == "mul"
        return linear and user in self.summed

    def small(self, n: Expr) -> bool:
        """Whether a node may be near 0."""
        low, high = self.bounds[n]
        return not (low > TINY or high < -TINY)

    def big(self, n: Expr) -> bool:
        """Whether a node may be large."""
        low, high = self.bounds[n]
        return not (high < HUGE and low > -HUGE)

    def covered(self, n: Expr, x: Expr) -> bool:
        """Whether n = x + y, y of one sign with x and away from 0: the low digits of a tiny x do not matter."""
        if n.op.name != "add":
            return False
        y = n.inputs[1] if n.inputs[0] is x else n.inputs[0]
        return self.bounds[x][0] >= 0 and self.bounds[y][0] > TINY

    def _ask_range(self, n: Expr, name: str, data: list[Expr]) -> None:
        wide = n in self.over or n in self.under
        shrunk = self._shrunk(n, name)
        if shrunk is not None:
            self.extend(shrunk, "a multiple that is smaller", True, False)
        if name in ("mul", "xlogy") and not wide:
            for x, y in zip(data, data[::-1], strict=True):
                self.extend(x, name, self.small(y), self.big(y))
        elif name == "true_div" and not wide:
            x, y = data
            self.extend(x, name, self.big(y), self.small(y))
            self.extend(y, name, self.big(x), self.small(x))
        elif name in ("log", "log2", "log10", "prod", "sqrt") or (name == "pow" and self._is_root(n)):
            soft = bool(self.users.get(n)) and all(self.covered(u, n) for u in self.users[n])
            self.extend(data[0], name, True, not soft)
        elif name == "log1p":
            self.extend(data[0], name, True, n in self.under)
        elif name == "add" and wide:
            for x in data:
                self.extend(x, self.why.get(n, name), n in self.over, n in self.under and not self.covered(n, x))
        elif wide and name not in SATURATING:
            for x in data:
                self.extend(x, self.why.get(n, name))

    def _shrunk(self, n: Expr, name: str) -> Expr | None:
        """What a node multiplies by a constant of at most a half: (a + b) / 2 is in range where a + b is not."""
        if name not in ("mul", "true_div"):
            return None
        x, scale = n.inputs if n.inputs[1].op is CONSTANT else n.inputs[::-1]
        low, high = self.bounds[scale]
        if scale.op is not CONSTANT or low != high or low == 0 or (name == "true_div" and scale is n.inputs[0]):
            return None
        small = abs(low) <= 0.5 if name == "mul" else abs(low) >= 2
        return x if small and x.op.name in ("add", "sub", "sum") else None

    def _is_root(self, n: Expr) -> bool:
        low, high = self.bounds[n.inputs[1]]
        return low == high and abs(low) < 1

    def need(self, n: Expr) -> Need:
        """The least form that a node needs."""
        if not is_float(n.type.dtype) or n.op.name not in WIDENED | {"erfcx"}:
            return Need()
        name = n.op.name
        high, low = n in self.over and self.big(n), n in self.under and self.small(n)
        wild = (high or low) and name in RANGING
        wild = wild or (name in PASSING and (n in self.over or n in self.under) and not self._tame(n))
        return Need(self.bits.get(n, PLAIN), wild, self.why.get(n, ""))

    def _tame(self, n: Expr) -> bool:
        """Whether what a node passes on cannot have left the range."""
        return all(
            (not self.big(i) and not self.small(i)) or not i.inputs or not is_float(i.type.dtype) for i in n.inputs
        )


def form_of(dtype: str, need: Need) -> str:
    """The dtype in which a node of this dtype is computed."""
    return (FORMS if dtype == "float64" else FORMS32).get((need.bits, need.range), dtype)


def widened(roots: Sequence[Expr], known: Known, origins: Origins) -> list[Expr]:
    """The roots with every node in the number form that it needs, casts between them."""
    analysis = Analysis(roots, known)
    forms = {n: form_of(n.type.dtype, analysis.need(n)) for n in analysis.order if is_float(n.type.dtype)}
    if all(forms[n] == n.type.dtype for n in forms):
        return list(roots)
    done: dict[Expr, Expr] = {}
    for n in topological(*roots):
        with building(origins.get(n, frozenset()), origins):
            done[n] = _in_form(n, forms.get(n, ""), done)
            if n in analysis.stored:
                done[n] = plain(done[n], n)
    return [done[r] for r in roots]


def plain(node: Expr, like: Expr) -> Expr:
    """A node in the dtype that it has for the user."""
    return node if node.type == like.type else cast(node, like.type.dtype)


def _in_form(n: Expr, form: str, done: Mapping[Expr, Expr]) -> Expr:
    """n in its form, computed in the widest of its inputs' and its own."""
    if not n.inputs:
        return n
    inputs = tuple(done[i] for i in n.inputs)
    floats = [i.type.dtype for i in inputs if isinstance(i.type, TensorType) and is_float(i.type.dtype)]
    wide = widest([form, *floats] if form else floats) if floats else ""
    own_dtype = n.type.dtype if isinstance(n.type, TensorType) else ""
    same = wide not in WIDE and (wide == own_dtype or (n.op.name in COMPARISONS and len(set(floats)) == 1))
    if same or not wide or n.op.name not in WIDENED | COMPARISONS:
        plain_inputs = (
            plain(d, i) if isinstance(i.type, TensorType) else d for d, i in zip(inputs, n.inputs, strict=True)
        )
        out = rebuilt(n, tuple(plain_inputs))
        return cast(out, form) if form in WIDE else out
    if n.op.name == "cast":
        return cast(inputs[0], form)
    if n.op.name in INDEX:
        wide = inputs[0].type.dtype if n.op.name != "join" else wide
    own = (cast(i, wide) if isinstance(i.type, TensorType) and is_float(i.type.dtype) else i for i in inputs)
    out = make(n.op, tuple(own), **n.params)
    return cast(out, form) if form else out


def widest(dtypes: Sequence[str]) -> str:
    """The form that holds all values of these."""
    bits, exponent = any("x2" in d for d in dtypes), any(d.endswith("e") for d in dtypes)
    if bits or exponent:
        return "float64" + ("x2" if bits else "") + ("e" if exponent else "")
    return "float64" if "float64" in dtypes else dtypes[0]
