"""Bounds: between what and of what magnitude the values of a node are, from the op rules alone, without recursion.

They are of the real numbers that the formula means; rounding may carry a value to a bound, not past it by more than an
ulp. One lattice holds an interval, in which infinities of the inputs count, and the binary logarithms of the finite
magnitudes beside it, which reach beyond what a float64 holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from symdl.graph.expr import CONSTANT, Expr
from symdl.number_forms import WIDE
from symdl.ops.declare import is_float
from symdl.types import TensorType

INF = math.inf
MANY = 1e18  # more elements than an array has
MANY_BITS = 60
PER_E = 1 / math.log(2)  # binary orders of magnitude of e
LARGE = 40  # a magnitude whose exponential leaves every range, as a power of 2


class Bounds(NamedTuple):
    """low <= value <= high; a finite value other than 0 has a binary logarithm of its magnitude between least and most,
    and is a whole multiple of 2**grain."""

    low: float = -INF
    high: float = INF
    least: float = -INF
    most: float = INF
    grain: float = -INF

    def meet(self, other: Bounds) -> Bounds:
        """What holds where both do; the other, where they contradict each other."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        if low > high:
            return other
        return between(
            low, high, max(self.least, other.least), min(self.most, other.most), max(self.grain, other.grain)
        )

    @property
    def number(self) -> float | None:
        """The value, if there is just one."""
        return self.low if self.low == self.high else None

    @property
    def ends(self) -> tuple[float, float]:
        """The interval of the finite values."""
        size = 2.0**self.most if self.most < 1000 else INF
        return max(self.low, -size), min(self.high, size)


def between(low: float, high: float, least: float = -INF, most: float = INF, grain: float = -INF) -> Bounds:
    """Bounds whose parts know of each other."""
    size = max(-low, high)
    if size < INF:
        most = min(most, math.log2(size)) if size else 0.0
    near = low if low > 0 else -high if high < 0 else 0.0
    if 0 < near < INF:
        least = max(least, math.log2(near))
    return Bounds(low, high, max(least, grain), most, grain)


EVERYTHING = Bounds()
FLOATS = {"float32": (-149, 128), "float64": (-1074, 1024)}  # magnitudes of what a dtype holds
FIXED: dict[str, Bounds] = {
    "sin": between(-1, 1), "cos": between(-1, 1), "tanh": between(-1, 1), "erf": between(-1, 1),
    "sign": between(-1, 1, grain=0), "arctan": between(-1.6, 1.6), "arcsin": between(-1.6, 1.6),
    "arccos": between(0, 3.2), "arctan2": between(-3.2, 3.2), "erfc": between(0, 2), "sigmoid": between(0, 1),
    "logistic_tail": between(0, 0.5), "softmax": between(0, 1), "log_softmax": between(-INF, 0),
    "log1mexp": between(-INF, 0), "erfcx": between(0, INF), "cosh": between(1, INF), "arccosh": between(0, INF),
    "extent": between(0, MANY, grain=0), "place": between(0, MANY, grain=0), "isnan": between(0, 1, grain=0),
    "random_normal32": between(-40, 40, -149), "random_normal64": between(-40, 40, -1074),
}  # fmt: skip
SAME = frozenset(["spread", "slice", "squeeze", "reshape", "tile_axis", "repeat_each", "gather", "max", "min"])
LIKE_X = frozenset(["tanh", "erf", "arctan", "arcsin", "sin"])  # about x near 0


def bounds_of(node: Expr, inputs: Sequence[Bounds]) -> Bounds:
    """Bounds of a node from those of its inputs."""
    name = node.op.name
    if node.op is CONSTANT:
        return _of_constant(node.params["value"].array)
    if name in SAME:
        return inputs[0]
    kind = node.type
    if not isinstance(kind, TensorType):
        return EVERYTHING
    rule = RULES.get(name)
    if rule is not None:
        out = rule(node, inputs)
        if not out.low <= out.high:
            out = EVERYTHING
    else:
        out = FIXED.get(name, EVERYTHING)
    if is_float(kind.dtype):
        return out if out is not EVERYTHING else of_dtype(kind.dtype)
    own = of_dtype(kind.dtype)
    return out if own.low <= out.low and out.high <= own.high else own  # integers wrap around


def of_dtype(dtype: str) -> Bounds:
    """What fits into a dtype."""
    if dtype in WIDE:
        return EVERYTHING
    if is_float(dtype):
        least, most = FLOATS[dtype]
        return Bounds(-INF, INF, least, most, least)
    if dtype == "bool":
        return Bounds(0, 1, 0, 0, 0)
    info = np.iinfo(dtype)
    return between(float(info.min), float(info.max), grain=0)


def _of_constant(array: np.ndarray[Any, Any]) -> Bounds:
    if array.dtype.names or not array.size:
        return EVERYTHING
    if array.size == 1:
        number = float(array.flat[0])
        if math.isfinite(number):
            return between(number, number, grain=grain_of(number))
        return Bounds(-INF, INF, 0, 0)
    finite = array[np.isfinite(array)] if is_float(array.dtype.name) else array
    sizes = np.abs(finite.astype(np.float64))
    sizes = sizes[sizes != 0]
    least, most = (math.log2(float(sizes.min())), math.log2(float(sizes.max()))) if sizes.size else (0.0, 0.0)
    grain = 0.0 if np.all(np.mod(finite, 1) == 0) else -INF
    if finite.size != array.size:
        return Bounds(-INF, INF, least, most, grain)
    return Bounds(float(array.min()), float(array.max()), least, most, grain)


def grain_of(number: float) -> int:
    """The largest k for which a number is a whole multiple of 2**k; 0 of 0."""
    top, bottom = number.as_integer_ratio()
    return (top & -top).bit_length() - bottom.bit_length() if top else 0


def _exp(x: float) -> float:
    return math.exp(x) if x < 700 else INF


def _log(x: float) -> float:
    return -INF if x <= 0 else INF if x == INF else math.log(x)


def _times(a: Bounds, b: tuple[float, float]) -> tuple[float, float]:
    ends = [0.0 if 0 in (x, y) else x * y for x in (a.low, a.high) for y in b]
    return min(ends), max(ends)


def _sum(a: float, b: float, low: bool) -> float:
    if math.isinf(a) and math.isinf(b) and a != b:
        return -INF if low else INF
    return a + b


def _add(node: Expr, i: Sequence[Bounds]) -> Bounds:
    return _plus(i[0], i[1])


def _plus(a: Bounds, b: Bounds) -> Bounds:
    alike = (a.low >= 0 and b.low >= 0) or (a.high <= 0 and b.high <= 0)
    least = min(a.least, b.least) if alike else -INF
    low, high = _sum(a.low, b.low, True), _sum(a.high, b.high, False)
    return between(low, high, least, _joint(a.most, b.most), min(a.grain, b.grain))


def _joint(a: float, b: float) -> float:
    """log2(2**a + 2**b)."""
    most, gap = max(a, b), abs(a - b)
    return most + math.log1p(2.0**-gap) * PER_E if gap < 60 else most


def _neg(node: Expr, i: Sequence[Bounds]) -> Bounds:
    x = i[-1]
    return Bounds(-x.high, -x.low, x.least, x.most, x.grain)


def _sub(node: Expr, i: Sequence[Bounds]) -> Bounds:
    return _plus(i[0], _neg(node, i[1:]))


def _mul(node: Expr, i: Sequence[Bounds]) -> Bounds:
    a, b = i
    if node.inputs[0] is node.inputs[1]:
        return _square(node, i)
    low, high = _times(a, (b.low, b.high))
    return between(low, high, a.least + b.least, a.most + b.most, a.grain + b.grain)


def _square(node: Expr, i: Sequence[Bounds]) -> Bounds:
    x = _abs(node, i)
    return between(x.low * x.low, x.high * x.high, 2 * x.least, 2 * x.most, 2 * x.grain)


def _div(node: Expr, i: Sequence[Bounds]) -> Bounds:
    a, b = i
    least, most = a.least - b.most, a.most - b.least
    if b.low > 0 or b.high < 0:
        low, high = _times(a, (1 / b.high, 1 / b.low))
    elif b.high > b.low >= 0 and (a.low >= 0 or a.high <= 0):
        low, high = (a.low / b.high, INF) if a.low >= 0 else (-INF, a.high / b.high)
    else:
        low, high = -INF, INF
    return between(low, high, least, most)


def _whole(node: Expr, i: Sequence[Bounds]) -> Bounds:
    """floor, ceil, trunc, round and floor_div."""
    x = i[0] if len(i) == 1 else _div(node, i)
    return between(x.low - 1, x.high + 1, most=_joint(x.most, 0), grain=0)


def _mod(node: Expr, i: Sequence[Bounds]) -> Bounds:
    """Of the divisor's sign, and below it."""
    y = i[1]
    return between(min(y.low, 0.0), max(y.high, 0.0), most=y.most, grain=min(i[0].grain, y.grain))


def _reciprocal(node: Expr, i: Sequence[Bounds]) -> Bounds:
    return _div(node, (between(1, 1), i[0]))


def _pow(node: Expr, i: Sequence[Bounds]) -> Bounds:
    x, p = i[0], i[1].number
    low = 0.0 if x.low >= 0 or (p is not None and p % 2 == 0) else -INF
    if p is None or p == 0:
        fits = x.low >= 0 and x.high <= 1 and i[1].low >= 0
        return between(low, 1.0 if fits else INF)
    ends = sorted((p * x.least, p * x.most))
    return between(low, INF, ends[0], ends[1], p * x.grain if p > 0 and p % 1 == 0 else -INF)


def count_of(node: Expr) -> float:
    """The binary logarithm of how many elements a reduction takes together, as far as that is known."""
    axes, shape = node.params.get("axes", ()), node.inputs[0].type.shape
    taken = [shape[k] for k in axes]
    if not all(isinstance(n, int) for n in taken):
        return MANY_BITS
    return math.log2(max(math.prod(taken), 1))


def _total(node: Expr, i: Sequence[Bounds]) -> Bounds:
    x, bits = i[0], count_of(node) if node.inputs else MANY_BITS
    many = MANY if bits >= MANY_BITS else round(2**bits)
    alike = x.low >= 0 or x.high <= 0
    low, high = (0.0 if x.low >= 0 else x.low * many), (0.0 if x.high <= 0 else x.high * many)
    return between(low, high, x.least if alike else -INF, x.most + bits, x.grain)


def _prod(node: Expr, i: Sequence[Bounds]) -> Bounds:
    x, bits = i[0], count_of(node)
    low, high = (0.0, 1.0) if x.low >= 0 and x.high <= 1 else (0.0, INF) if x.low >= 0 else (-INF, INF)
    if bits > 10:
        return between(low, high)
    count = 2**bits
    return between(low, high, count * min(x.least, 0), count * max(x.most, 0), count * min(x.grain, 0))


def _of_monotone(f: Callable[[float], float]) -> Callable[[Expr, Sequence[Bounds]], Bounds]:
    return lambda node, i: between(f(i[0].low), f(i[0].high))


def _of_exp(node: Expr, i: Sequence[Bounds]) -> Bounds:
    low, high = i[0].ends
    return between(_exp(i[0].low), _exp(i[0].high), low * PER_E, high * PER_E)


def _of_exp2(node: Expr, i: Sequence[Bounds]) -> Bounds:
    low, high = i[0].ends
    return between(0, INF, low, high)


def _of_expm1(node: Expr, i: Sequence[Bounds]) -> Bounds:
    x = i[0]
    low, high = (math.expm1(v) if v < 700 else INF for v in (x.low, x.high))
    return between(low, high, min(x.least, 0) - 1, max(x.ends[1] * PER_E, 0))


def _of_log(node: Expr, i: Sequence[Bounds]) -> Bounds:
    x, scale = i[0], {"log": 1.0, "log2": PER_E, "log10": 1 / math.log(10)}[node.op.name]
    far = max(abs(x.least), abs(x.most))
    return between(_log(x.low) * scale, _log(x.high) * scale, most=math.log2(far * scale) if 0 < far < INF else INF)


def _of_log1p(node: Expr, i: Sequence[Bounds]) -> Bounds:
    x = i[0]
    low, high = (-INF if v <= -1 else math.log1p(v) for v in (x.low, x.high))
    most = math.log2(x.most + 2) if x.low >= -0.5 and 0 <= x.most < INF else INF
    return between(low, high, min(x.least, 0) - 1, most)


def _of_sqrt(node: Expr, i: Sequence[Bounds]) -> Bounds:
    x = i[0]
    return between(math.sqrt(max(x.low, 0.0)), math.sqrt(max(x.high, 0.0)), x.least / 2, x.most / 2)


def _like_x(node: Expr, i: Sequence[Bounds]) -> Bounds:
    fixed, x = FIXED[node.op.name], i[0]
    low, high = (0.0 if x.low >= 0 else fixed.low), (0.0 if x.high <= 0 else fixed.high)
    if node.op.name == "sin":
        low, high = fixed.low, fixed.high
        return between(low, high, x.least - 1 if x.most <= 1 else -INF)
    return between(low, high, min(x.least, 0) - 1)


def _of_sigmoid(node: Expr, i: Sequence[Bounds]) -> Bounds:
    low, high = i[0].ends
    fixed = FIXED[node.op.name]
    lowest = low if node.op.name == "sigmoid" else -max(-low, high)
    return between(fixed.low, fixed.high, min(lowest, 0) * PER_E - 1)


def _of_softplus(node: Expr, i: Sequence[Bounds]) -> Bounds:
    x = i[0]
    return between(max(x.low, 0.0), max(x.high, 0.0) + 1, min(x.ends[0], 0) * PER_E - 1, _joint(x.most, 0))


def _of_cosh(node: Expr, i: Sequence[Bounds]) -> Bounds:
    low, high = i[0].ends
    size = max(-low, high, 0.0) * PER_E
    return between(1, INF, 0, size) if node.op.name == "cosh" else between(-INF, INF, i[0].least, size)


def _abs(node: Expr, i: Sequence[Bounds]) -> Bounds:
    x = i[0]
    low = 0.0 if x.low <= 0 <= x.high else min(abs(x.low), abs(x.high))
    return Bounds(low, max(abs(x.low), abs(x.high)), x.least, x.most, x.grain)


def hull(*parts: Bounds) -> Bounds:
    """The least bounds that hold them all."""
    low, high, least, most, grain = zip(*parts, strict=True)
    return Bounds(min(low), max(high), min(least), max(most), min(grain))


def _of_digamma(node: Expr, i: Sequence[Bounds]) -> Bounds:
    """-1/x near 0, log x far away; no number of two limbs comes nearer to another pole than 2^-110."""
    return between(-INF, INF, most=max(128.0, 1 - i[0].least))


def _larger(node: Expr, i: Sequence[Bounds]) -> Bounds:
    a, b = i
    return hull(a, b).meet(between(max(a.low, b.low), max(a.high, b.high)))


def _smaller(node: Expr, i: Sequence[Bounds]) -> Bounds:
    a, b = i
    return hull(a, b).meet(between(min(a.low, b.low), min(a.high, b.high)))


def _clip(node: Expr, i: Sequence[Bounds]) -> Bounds:
    low = min(max(i[0].low, i[1].low), i[2].low)
    return hull(*i).meet(between(low, max(min(i[0].high, i[2].high), i[1].high)))


def _pad(node: Expr, i: Sequence[Bounds]) -> Bounds:
    return hull(i[0], _of_constant(np.array(float(node.params["fill"]))))


def _iota(node: Expr, i: Sequence[Bounds]) -> Bounds:
    n = node.type.shape[node.params["axis"]]
    return between(0, max(n - 1, 0) if isinstance(n, int) else MANY, grain=0)


def _shifted(node: Expr, i: Sequence[Bounds]) -> Bounds:
    by = i[1].number
    if by is None or i[0].low < 0 or by < 0:
        return EVERYTHING
    return between(0, math.floor(i[0].high / 2.0**by), grain=0)


def _cast(node: Expr, i: Sequence[Bounds]) -> Bounds:
    x, target = i[0], node.type.dtype
    if is_float(target):
        return x
    own = of_dtype(target)  # cut off towards 0, and it wraps around
    return between(math.trunc(x.low), math.trunc(x.high), grain=0) if own.low <= x.low and x.high <= own.high else own


def _cumsum(node: Expr, i: Sequence[Bounds]) -> Bounds:
    x = i[0]
    alike = x.low >= 0 or x.high <= 0
    low, high = (0.0 if x.low >= 0 else -INF), (0.0 if x.high <= 0 else INF)
    return between(low, high, x.least if alike else -INF, x.most + MANY_BITS, x.grain)


def _contract(node: Expr, i: Sequence[Bounds]) -> Bounds:
    return between(0.0 if all(x.low >= 0 for x in i) else -INF, INF)


def _assumed(node: Expr, i: Sequence[Bounds]) -> Bounds:
    given = node.params
    return i[0].meet(between(given["lower"], given["upper"], grain=0 if given["integer"] else -INF))


RULES: dict[str, Callable[[Expr, Sequence[Bounds]], Bounds]] = {
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "sqr": _square,
    "true_div": _div,
    "reciprocal": _reciprocal,
    "pow": _pow,
    "neg": _neg,
    "abs": _abs,
    "mod": _mod,
    "exp": _of_exp,
    "exp2": _of_exp2,
    "expm1": _of_expm1,
    "log": _of_log,
    "log2": _of_log,
    "log10": _of_log,
    "log1p": _of_log1p,
    "digamma": _of_digamma,
    "sqrt": _of_sqrt,
    "sigmoid": _of_sigmoid,
    "logistic_tail": _of_sigmoid,
    "softplus": _of_softplus,
    "cosh": _of_cosh,
    "sinh": _of_cosh,
    "maximum": _larger,
    "minimum": _smaller,
    "clip_between": _clip,
    "where": lambda node, i: hull(i[1], i[2]),
    "join": lambda node, i: hull(*i),
    "interleave": lambda node, i: hull(*i),
    "pad": _pad,
    "iota": _iota,
    "right_shift": _shifted,
    "sum": _total,
    "prod": _prod,
    "cumsum": _cumsum,
    "contract": _contract,
    "cast": _cast,
    "assumed": _assumed,
    **dict.fromkeys(LIKE_X, _like_x),
    **dict.fromkeys(("floor", "ceil", "trunc", "round_half_even", "floor_div"), _whole),
}
