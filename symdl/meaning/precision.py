"""Precision: which nodes of a lowered graph need a second limb, and which an exponent beside the number.

Backward over the graph: who magnifies an error (a sum that may cancel, a logarithm near 1, an exponential of a large
argument), and who may bring a value that has left the range back into it (logarithms, roots, quotients, products), and
how far away that value may be. A node gets the least number form that its users ask for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from symdl.graph.expr import CONSTANT, Expr
from symdl.meaning.bounds import FLOATS, INF, Bounds
from symdl.meaning.exactness import (
    DIGITS,
    INDEX,
    MODERATE,
    MODERATE_BITS,
    PASSING,
    SUMS,
    VANISHING,
    Exactness,
    Known,
    is_contraction,
    sums_rows,
)
from symdl.meaning.monotone import is_extreme_of
from symdl.meaning.normal_form import base_of
from symdl.ops.declare import is_float

PLAIN, TWICE, BOTH = 0, 1, 2  # bits: of the dtype, twice those, two limbs of float64
MODERATE_BITS32 = 40  # likewise a number that a formula has in float32, such as Boltzmann's constant
EXPONENTIALS = frozenset(["exp", "exp2", "expm1", "sinh", "cosh", "sin", "cos", "tan", "erfc", "sigmoid", "softplus"])
EXPONENTIALS |= {"logistic_tail", "softmax", "log1mexp"}
# |x f'(x)/f(x)| is at most 1 on one side of 0: they ask nothing there of an argument that is rounded once or twice
FLAT_BELOW, FLAT_ABOVE = frozenset(["expm1", "erfc"]), frozenset(["sigmoid", "softplus"])
ANGULAR = frozenset(["sin", "cos", "tan"])
MANY_TURNS = 2.0**20  # of an angle this far a float64 does not hold what a float32 shows of its sine
LOGARITHMS = frozenset(["log", "log2", "log10", "gammaln", "digamma", "logaddexp"])
RANGING = frozenset(["sqrt", "sqr", "exp", "exp2", "expm1", "log1p", "mul", "true_div", "reciprocal", "pow", "prod"])
RANGING |= {
    "sum",
    "cumsum",
    "add",
    "sub",
    "erfc",
    "erfcx",
    "cosh",
    "sinh",
    "sigmoid",
    "softplus",
    "logistic_tail",
    "softmax",
}
RANGING |= {"log1mexp"}  # about -exp(x) far below 0
RANGING |= {"digamma"}  # about -1/x near 0
LIKE_X = frozenset(["tanh", "erf", "arctan", "arcsin", "arctanh", "arcsinh", "erfinv"])  # about x near 0
RANGING |= LIKE_X
SATURATING = frozenset(
    ["exp", "exp2", "sigmoid", "tanh", "softplus", "erfc", "cosh", "sinh", "logistic_tail", "softmax"]
)
FADING = frozenset(
    ["exp", "exp2", "sigmoid", "softplus", "log1mexp", "erfc", "logistic_tail", "softmax"]
)  # which are nowhere 0
WIDENED = RANGING | PASSING | EXPONENTIALS | LOGARITHMS | {"cast", "arctan", "tanh", "erf", "sign", "xlogy"}
WIDENED |= {"erfcx", "arcsin", "arccos", "arctanh", "arccosh", "arcsinh", "arctan2", "erfinv"}
STEPS = frozenset(["floor", "ceil", "trunc", "round_half_even", "floor_div", "mod"])  # an error may decide them
WIDENED |= STEPS
RANGING |= STEPS | {"arccosh", "arctan2"}
ENDING = frozenset(["arcsin", "arccos", "arctanh", "erfinv"])  # steep near -1 and 1
NEAR = 2  # an exponential of an argument up to this asks nothing of it
NEAR_MEASURED = 16  # the same of what a product is behind, which has lost more digits by itself
FAR = 8  # how far beyond the range a value must be possible before its meeting a 0 counts
FEW_ROUNDINGS = 2  # half ulps of an argument that an exponential may hand on
MANY_ROUNDINGS = 7  # half ulps that a result may be off by products, quotients, roots and powers alone: nearly 4 ulp
CANCELLED = 110  # how many binary orders of magnitude a difference may lie below its operands, and count
DOUBLE = (-1048, 1024)  # magnitudes of which a float64 holds the digits of a float32
PAIR = (-900, 985)  # ... and two of them twice as many
NORMAL = {"float32": -126, "float64": -1022}

FORMS = {  # (bits, exponent) -> dtype, for float64
    (PLAIN, True): "float64e", (TWICE, False): "float64x2", (BOTH, False): "float64x2",
    (TWICE, True): "float64x2e", (BOTH, True): "float64x2e",
}  # fmt: skip
FORMS32 = FORMS | {(TWICE, False): "float64", (TWICE, True): "float64e"}
NEAR32 = {(PLAIN, True): "float64", (TWICE, True): "float64", (BOTH, True): "float64x2"}


class Need(NamedTuple):
    """The form that a node needs, and the first reason for it. near: the range of a float64 will do for a float32."""

    bits: int = PLAIN
    range: bool = False
    why: str = ""
    near: bool = False


NOTHING = Need()


class Analysis(Exactness):
    """Needs of the nodes of one function's lowered graph.

    bits: what is asked of a node. over, under: binary logarithms of the largest and the least magnitude of it that can
    matter, where that lies outside its dtype. asking: the inputs of which a node asks something; of all others it takes
    what their dtype holds.
    """

    def __init__(self, roots: Sequence[Expr], known: Known) -> None:
        super().__init__(roots, known)
        self.bits: dict[Expr, int] = {}
        self.over: dict[Expr, float] = {}
        self.under: dict[Expr, float] = {}
        self.asking: dict[Expr, set[Expr]] = {}
        self.why: dict[Expr, str] = {}
        self.noise: set[Expr] = set()  # sums that may cancel of two numbers that two limbs do not hold exactly
        self._needs: dict[Expr, Need] = {}
        self.summed: set[Expr] = set()  # what only sums and contractions read, views, scales and sums between
        for n in reversed(self.order):
            users = self.users.get(n)
            if users and n not in self.stored and all(self._sums(u, n) for u in users):
                self.summed.add(n)
            if is_float(n.type.dtype):
                if n in self.stored and self.roundings[n] >= MANY_ROUNDINGS:
                    self.bits[n] = max(TWICE, self.bits.get(n, PLAIN))
                    self.why.setdefault(n, "many roundings")
                self._backward(n)
            elif n.op.name in ("eq", "ne"):
                self._ask_places(n)
                self._ask_not_0(n)
        for n in self.order:
            self._needs[n] = self._need(n)

    def need(self, n: Expr) -> Need:
        """The least form that a node needs."""
        return self._needs[n]

    def ask(self, user: Expr, node: Expr, bits: int, why: str) -> None:
        """node should carry so many bits, unless it carries no error."""
        if self.exact[node]:
            return
        if bits == BOTH and node.type.dtype == "float32" and self.digits[node] <= 53:
            bits = TWICE  # all of its digits
        self.asking.setdefault(user, set()).add(node)
        if bits > self.bits.get(node, PLAIN):
            self.bits[node] = bits
            self.why.setdefault(node, why)

    def extend(self, user: Expr, node: Expr, why: str, over: float = -INF, under: float = INF) -> None:
        """node should not leave the range up to 2**over, and down to 2**under."""
        if node in self.opaque:
            return
        (least, most), x = FLOATS[node.type.dtype], self.bounds[node]
        above, below = over > most and x.most > most, under < least and x.least < NORMAL[node.type.dtype]
        if above:
            self.over[node] = max(over, self.over.get(node, over))
        if below:
            self.under[node] = min(under, self.under.get(node, under))
        if above or below:
            self.asking.setdefault(user, set()).add(node)
            self.why.setdefault(node, why)

    def _backward(self, n: Expr) -> None:
        name = n.op.name
        data = [i for i in n.inputs if i in self.bounds and is_float(i.type.dtype)]
        if not data or is_contraction(n) or (n in self.bits and name in INDEX and name != "join"):
            data = data[:1] if name in INDEX else []
        self._ask_bits(n, name, data)
        if n in self.bits:
            for i in data:
                self.ask(n, i, self.bits[n], self.why[n])
        self._ask_range(n, name, data)

    # ---- bits ----

    def _ask_bits(self, n: Expr, name: str, data: Sequence[Expr]) -> None:
        if name in ("add", "sub"):
            if self._cancels(n, *data):
                alike = self._centred(*data) or self._stepped(*data) or self._sums_of_rows(n, *data)
                short = n.type.dtype == "float32" and alike
                bits = TWICE if short else BOTH
                if self._leaves_noise(n, data):
                    self.noise.add(n)
                for i in data:
                    self.ask(n, i, bits, "a sum that may cancel")
        elif name in SUMS:
            if self._cancels_along(n):
                if data[0] in self.deviations:
                    self.noise.add(n)
                bits = TWICE if n.type.dtype == "float32" else BOTH
                self.bits[n] = max(bits, self.bits.get(n, PLAIN))
                self.why.setdefault(n, "a sum that may cancel")
        elif name in EXPONENTIALS:
            x, near = self.bounds[data[0]], NEAR_MEASURED if data[0] in self.measured else NEAR
            rounded = 0 <= self.roundings[data[0]] <= FEW_ROUNDINGS
            low = 0.0 if rounded and name in FLAT_BELOW else x.low
            high = 0.0 if rounded and name in FLAT_ABOVE else x.high
            if not (low >= -near and high <= near):
                far = name in ANGULAR and max(-x.low, x.high) > MANY_TURNS and data[0] not in self.measured
                bits = BOTH if far else TWICE
                self.ask(n, data[0], bits, f"{name} of a large argument")
        elif name in LOGARITHMS and n not in self.known.calm:
            for i in data:
                self.ask(n, i, BOTH, f"{name} near its zero")
        elif name == "xlogy" and n not in self.known.calm:
            self.ask(n, data[-1], BOTH, "log near its zero")
        elif name in STEPS:
            for i in data:
                self.ask(n, i, BOTH, f"{name}, a step")
        elif name == "arccosh" or (name in ENDING and max(-self.bounds[data[0]].low, self.bounds[data[0]].high) > 0.9):
            self.ask(n, data[0], BOTH, f"{name} near the end of its domain")
        elif name == "log1p" and self.bounds[data[0]].low < -0.5:
            self.ask(n, data[0], BOTH, "log1p near -1")
        elif name == "erfcx" and self.bounds[data[0]].low < -2:  # it grows as exp(x^2) there
            self.ask(n, data[0], TWICE, "erfcx of a large negative argument")
        elif name == "pow":
            p, x = self.bounds[data[1]], self.bounds[data[0]]
            if max(abs(p.low), abs(p.high)) > 4:
                self.ask(n, data[0], TWICE, "a high power")
            if max(abs(p.low), abs(p.high)) * max(-x.least, x.most) > 2 * NEAR:  # exp(p log x)
                self.ask(n, data[1], TWICE, "a power that is far from 1")

    def _leaves_noise(self, n: Expr, data: Sequence[Expr]) -> bool:
        """Whether what is far below the terms of a sum is nothing but their errors. Beside an exact 1 a p may hold more than
        two limbs' digits, 1 - 1e-40, unless products and quotients alone have made it."""
        inexact = [i for i in data if self.digits[i] > 2 * DIGITS[n.type.dtype]]
        return len(inexact) == len(data) or any(map(self.coarse.__getitem__, inexact))

    def _ask_places(self, n: Expr) -> None:
        """Of a row and its largest element, so that numbers which round to the same one are told apart: cos(x) near 0."""
        x, y = n.inputs
        if (is_extreme_of(x, y) or is_extreme_of(y, x)) and x not in self.measured and y not in self.measured:
            for i in (x, y):
                self.ask(n, i, BOTH, "the place of an extreme")

    def _cancels(self, n: Expr, x: Expr, y: Expr) -> bool:
        """Whether a sum or difference may lose digits that its operands' errors reach."""
        if n in self.known.calm or (self.noisy[n] and self.exact[n]):
            return False
        (a, b), (c, d) = self.bounds[x][:2], self.bounds[y][:2]
        if n.op.name == "sub":
            c, d = -d, -c
        if (a >= 0 and c >= 0) or (b <= 0 and d <= 0):
            return False
        if n in self.known.close:
            return True
        if n in self.summed or self.bounds[x].number == 0 or self.bounds[y].number == 0:
            return False  # what a sum makes of it is no more exact than its largest term
        if self.mixed[x] and self.mixed[y] and not self._sums_of_rows(n, x, y):
            return False  # one sum, over two axes
        (low, high), size = self.bounds[n][:2], max(-a, b, -c, d)
        if max(low, -high) * 2 >= size:
            return False  # at most a bit is lost
        if n not in self.measured:
            return True
        mine, other = self.leaves[x], self.leaves[y]
        alike = self.shapes[x] == self.shapes[y] and not (x in self.measured and y in self.measured)
        if not mine or not other or alike:  # f(x) - f(y), but where products have rounded both x and y
            return True
        if self._meets_limit(x, y) or self._meets_limit(y, x):
            return True
        return bool(mine & other) and not (mine & ~other and other & ~mine)

    def _cancels_along(self, n: Expr) -> bool:
        """Whether a row adds up computed terms of both signs, which no product is behind: that may be small, and of
        multiples of what its own sums are taken from, as deviations from a mean and slopes of a softmax are, 0."""
        (x,) = n.inputs
        (low, high), measured = self.bounds[x][:2], n in self.measured or not n.type.shape
        return sums_rows(n) and low < 0 < high and not measured and not self.exact[x]

    def _meets_limit(self, x: Expr, y: Expr) -> bool:
        """Whether x is computed and nears a number that y may be: a probability beside a label."""
        return not self.exact[x] and self.exact[y] and any(0 < abs(v) < 1e3 for v in self.bounds[x][:2])

    def _centred(self, x: Expr, y: Expr) -> bool:
        """Whether one is a mean of the other. A float64 holds the mean of float32 numbers to 2^-29 of the least that they
        can differ by: to more digits than their distances from it are known to, taken together."""
        return any(self._mean_of(a) is base_of(b) for a, b in ((x, y), (y, x)))

    def _sums_of_rows(self, n: Expr, x: Expr, y: Expr) -> bool:
        """Whether both are multiples of sums along rows of what leaves hold: two means, each a number of its own."""
        found = self._sum_below(x), self._sum_below(y)
        return all(s is not None and sums_rows(s) and self.exact[s.inputs[0]] for s in found) and bool(n.type.shape)

    def _stepped(self, x: Expr, y: Expr) -> bool:
        """Whether one is what a leaf holds and the other a multiple of a sum, of terms of both signs, that rests on other
        leaves, too: a weight and its step, as a rule, which a float64 holds to 2^-29 of the last digit that they show."""
        return any(
            self.exact[a] and self.affine[a] and self.mixed[b] and bool((self.leaves[b] or 0) & ~(self.leaves[a] or 0))
            for a, b in ((x, y), (y, x))
        )

    def _mean_of(self, n: Expr) -> Expr | None:
        """What a node is the mean of, if it is a multiple of a sum."""
        found = self._sum_below(n)
        return None if found is None else base_of(found.inputs[0])

    def _sum_below(self, n: Expr) -> Expr | None:
        """The sum that a node is a multiple of."""
        for _ in range(12):
            name = n.op.name
            if name == "sum":
                return n
            if (
                name in INDEX
                or name in ("neg", "cast")
                or (name == "true_div" and (n.inputs[1].op is CONSTANT or base_of(n.inputs[1]).op.kind == "position"))
            ):
                n = n.inputs[0]
            elif name == "mul" and any(i.op is CONSTANT for i in n.inputs):
                n = n.inputs[0] if n.inputs[1].op is CONSTANT else n.inputs[1]
            else:
                return None
        return None

    def _sums(self, user: Expr, n: Expr) -> bool:
        """Whether a user adds a node up, or hands a multiple of it on to who does."""
        name = user.op.name
        if name == "sum" and user.type.shape and n.op.name in ("add", "sub") and n.type.ndim - 1 in user.params["axes"]:
            return n in self.measured  # of a row's own terms, which may be as small as what cancelled: not over samples
        if name == "sum" and self._cancels_along(user):
            return False
        if name in ("sum", "contract"):
            return True
        linear = name in INDEX or name in ("neg", "mul", "add", "sub") or (name == "true_div" and user.inputs[0] is n)
        return linear and user in self.summed

    # ---- range ----

    def small(self, n: Expr) -> bool:
        """Whether a node may be near 0."""
        return self.bounds[n].least < -self._moderate(n)

    def big(self, n: Expr) -> bool:
        """Whether a node may be large."""
        return self.bounds[n].most > self._moderate(n)

    def _moderate(self, n: Expr) -> float:
        """A number of a formula that is no smaller and no larger brings nothing back: of float32 less than what data may be,
        which are moderate but for a purpose."""
        known = n.type.dtype == "float32" and self.bounds[n].number is not None
        return MODERATE_BITS32 if known else MODERATE_BITS

    def lifts(self, n: Expr, other: Expr) -> bool:
        """Whether a node may be so large that times it what fell below the range counts. Data in float32 is not, beside
        what fades as an exponential does."""
        return self.big(n) and not (n.type.dtype == "float32" and self.affine[n] and self.fading[other])

    def vanishes(self, n: Expr) -> bool:
        """Whether a node may be 0."""
        return self.bounds[n].low <= 0 <= self.bounds[n].high

    def covered(self, n: Expr, x: Expr) -> bool:
        """Whether n = x + y, y of one sign with x and away from 0: the low digits of a tiny x do not matter. So in a sum
        of terms of one sign that is away from 0."""
        if n.op.name == "sum":
            return self.bounds[x].low >= 0 and self.bounds[n].low > 2**-MODERATE_BITS
        if n.op.name != "add":
            return False
        y = n.inputs[1] if n.inputs[0] is x else n.inputs[0]
        return self.bounds[x].low >= 0 and self.bounds[y].low > 2**-MODERATE_BITS

    def _ask_range(self, n: Expr, name: str, data: Sequence[Expr]) -> None:
        wide = n in self.over or n in self.under
        least, most = FLOATS[n.type.dtype]
        low, high = self.under.get(n, least), self.over.get(n, most)
        if name in ("mul", "true_div") and not wide:
            self._ask_of_multiple(n, name, high)
        if name in ("add", "sub") and not wide:
            self._ask_beside_largest(n, high)
        if name in ("mul", "xlogy"):
            self._ask_factors(n, name, data, low, high, wide)
        elif name in ("true_div", "arctan2"):
            self._ask_quotient(n, data, low, high, wide)
        elif name in ("log", "log2", "log10", "prod", "gammaln", "digamma") or (name == "pow" and self._is_root(n)):
            self.extend(n, data[0], name, INF, INF if self._soft(n) else -INF)
        elif name == "log1mexp":  # log(-x) near 0
            self.extend(n, data[0], name, -INF, INF if self._soft(n) else -INF)
        elif name == "sqrt":
            self.extend(n, data[0], name, 2 * high, INF if self._soft(n) else 2 * low)
        elif name in STEPS or name == "sign":  # one step away from 0 is what lies ever so little beside it
            for x in data:
                self.extend(n, x, name, INF if name in ("mod", "floor_div") else high if n in self.over else -INF, -INF)
        elif name in ("arcsinh", "arccosh"):  # logarithms of large numbers
            self.extend(n, data[0], name, INF, low if n in self.under else INF)
        elif name in LIKE_X:
            self.extend(n, data[0], name, -INF, low if n in self.under else INF)
        elif name == "log1p":
            self.extend(n, data[0], name, INF, low if n in self.under else INF)
        elif name == "expm1":
            self.extend(n, data[0], name, -INF, low if n in self.under else INF)
        elif name == "softplus" and n in self.over:  # about x above 0
            self.extend(n, data[0], self.why[n], high)
        elif not wide or name in SATURATING:
            return
        else:
            over, under, why = high if n in self.over else -INF, low if n in self.under else INF, self.why[n]
            if name in ("add", "sub", "sum", "cumsum"):
                over += 1 if self._of_one_sign(n, data) else CANCELLED
            elif name not in PASSING:
                over, under = INF, -INF
            for x in data:
                self.extend(n, x, why, over, INF if self.covered(n, x) else under)

    def _ask_factors(self, n: Expr, name: str, data: Sequence[Expr], low: float, high: float, wide: bool) -> None:
        x, y = data
        if x is y and not wide:
            return
        for a, b in ((x, y), (y, x)):
            other, moderate = self.bounds[b], bool(n.type.shape) and self._is_number(b)
            if moderate:
                other = other.meet(Bounds(least=MODERATE.least, most=MODERATE.most))
            over = high - min(other.least, 0) if wide or (self.small(b) and not moderate) else -INF
            if self.vanishes(b) and not wide and self.bounds[a].most > FLOATS[n.type.dtype][1] + FAR:
                over = INF  # infinity times 0 is no number
            lifted = not moderate and self.lifts(b, a) and not self._drives(b, a)
            under = low - max(other.most, 0) if wide or lifted else INF
            self.extend(n, a, name, over, under)

    def _ask_quotient(self, n: Expr, data: Sequence[Expr], low: float, high: float, wide: bool) -> None:
        x, y = data
        top, below = self.bounds[x], self.bounds[y]
        over = high + max(below.most, 0) if wide or self.big(y) else -INF
        under = low + min(below.least, 0) if wide or self.small(y) else INF
        self.extend(n, x, "true_div", over, under)
        over = max(top.most, 0) - low if wide or self.big(x) else -INF
        self.extend(n, y, "true_div", over, -INF if wide or self.small(x) else INF)

    def _ask_of_multiple(self, n: Expr, name: str, high: float) -> None:
        """A constant of at most a half times a sum: (a + b) / 2 is in range where a + b is not."""
        x, scale = n.inputs if n.inputs[1].op is CONSTANT else n.inputs[::-1]
        factor = self.bounds[scale].number
        if scale.op is not CONSTANT or not factor or (name == "true_div" and scale is n.inputs[0]):
            return
        by = math.log2(abs(factor)) * (1 if name == "mul" else -1)
        if by <= -1 and x.op.name in ("add", "sub", "sum"):
            self.extend(n, x, "a multiple that is smaller", high - by)

    def _ask_beside_largest(self, n: Expr, high: float) -> None:
        """A constant next to the largest float takes what has just left the range back into it."""
        for x, constant in (n.inputs, n.inputs[::-1]):
            if self.bounds[constant].number is not None and self.bounds[constant].most > high - FAR:
                self.extend(n, x, "a number next to the largest", high + 1)

    def _soft(self, n: Expr) -> bool:
        """Whether all who use a node add it to something larger."""
        return bool(self.users.get(n)) and all(self.covered(u, n) for u in self.users[n])

    def _of_one_sign(self, n: Expr, data: Sequence[Expr]) -> bool:
        signs = [(self.bounds[x].low >= 0, self.bounds[x].high <= 0) for x in data]
        if n.op.name == "sub":
            signs[1] = signs[1][::-1]
        return all(s[0] for s in signs) or all(s[1] for s in signs)

    def _drives(self, x: Expr, y: Expr) -> bool:
        """Whether y = f(E) vanishes faster than any power of x, E being x up to scale and powers: then x is moderate
        wherever y is tiny and counts."""
        if y.op.name not in VANISHING:
            return False
        e = y.inputs[0]
        for _ in range(8):
            if e is x:
                return True
            parts = [i for i in e.inputs if i.op is not CONSTANT]
            if e.op.name not in ("neg", "mul", "add", "sub", "true_div", "cast", "sqr") or len(set(parts)) != 1:
                return False
            if e.op.name == "true_div" and e.inputs[0] is not parts[0]:
                return False
            e = parts[0]
        return False

    def _is_root(self, n: Expr) -> bool:
        """Whether a power may be one below 1, which brings back what left the range."""
        p = self.bounds[n.inputs[1]]
        return p.low < 1 and p.high > -1

    def _ask_not_0(self, n: Expr) -> None:
        """Of an exponential that is compared with 0: it is none where it has only left the range."""
        for x, y in (n.inputs, n.inputs[::-1]):
            if base_of(x).op.name in FADING and y in self.bounds and self.bounds[y].number == 0:
                self.extend(n, x, "compared with 0", under=-INF)

    # ---- forms ----

    def _need(self, n: Expr) -> Need:
        name = n.op.name
        if not is_float(n.type.dtype) or name not in WIDENED:
            return NOTHING
        bits, x = self.bits.get(n, PLAIN), self.bounds[n]
        least, most = FLOATS[n.type.dtype]
        high = min(x.most, self.over.get(n, most))
        low = max(x.least, self.under.get(n, least))
        wild = (high > most or (low < NORMAL[n.type.dtype] and n in self.under and x.grain < least)) and name in RANGING
        if name in PASSING and (n in self.over or n in self.under):
            wild = any(i in self._needs and self._needs[i].range for i in n.inputs)
        if name in ("add", "sub") and all(self.bits.get(i, PLAIN) != BOTH for i in n.inputs):
            low = max(low, min(self.bounds[i].least for i in n.inputs) - 53)  # numbers of one limb meet no closer
        deepest, highest = PAIR if bits == BOTH else DOUBLE
        near = (n not in self.over or x.most <= highest) and (low >= deepest or x.grain >= deepest - 26)
        return Need(bits, wild, self.why.get(n, ""), near)


def form_of(dtype: str, need: Need) -> str:
    """The dtype in which a node of this dtype is computed."""
    if dtype == "float64":
        return FORMS.get((need.bits, need.range), dtype)
    key = (need.bits, need.range)
    return NEAR32.get(key, FORMS32.get(key, dtype)) if need.near else FORMS32.get(key, dtype)
