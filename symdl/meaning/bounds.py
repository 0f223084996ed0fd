"""Bounds: an interval that holds every value of a node, from the op rules alone, one node at a time, without recursion.

They are of the real numbers that the formula means; rounding may carry a value to a bound, not past it by more than an ulp.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from symdl.expr import CONSTANT, Expr
from symdl.ops.declare import is_float
from symdl.types import TensorType

Bounds = tuple[float, float]
EVERYTHING: Bounds = (-math.inf, math.inf)
MANY = 1e18  # more elements than an array has

FIXED: dict[str, Bounds] = {
    "sin": (-1, 1), "cos": (-1, 1), "tanh": (-1, 1), "erf": (-1, 1), "sign": (-1, 1), "arctan": (-1.6, 1.6),
    "arcsin": (-1.6, 1.6), "arccos": (0, 3.2), "arctan2": (-3.2, 3.2), "erfc": (0, 2), "sigmoid": (0, 1),
    "logistic_tail": (0, 0.5), "softmax": (0, 1), "log_softmax": (-math.inf, 0), "log1mexp": (-math.inf, 0),
    "erfcx": (0, math.inf), "cosh": (1, math.inf), "arccosh": (0, math.inf), "sqr": (0, math.inf),
    "extent": (0, MANY), "iota": (0, MANY), "place": (0, MANY), "isnan": (0, 1), "random_normal32": (-40, 40),
    "random_normal64": (-40, 40),
}  # fmt: skip
SAME = frozenset(["spread", "slice", "squeeze", "reshape", "tile_axis", "repeat_each", "gather", "max", "min", "cast"])


def hull(*parts: Bounds) -> Bounds:
    """The least interval that holds them all."""
    return min(p[0] for p in parts), max(p[1] for p in parts)


def bounds_of(node: Expr, inputs: Sequence[Bounds]) -> Bounds:
    """Bounds of a node from those of its inputs."""
    name = node.op.name
    if node.op is CONSTANT:
        array = node.params["value"].array
        if not array.size or not np.all(np.isfinite(array)):
            return EVERYTHING
        return float(array.min()), float(array.max())
    if name in FIXED:
        return FIXED[name]
    if name in SAME and name != "cast":
        return inputs[0]
    rule = RULES.get(name)
    if rule is not None:
        low, high = rule(node, inputs)
        return (low, high) if low <= high else EVERYTHING
    kind = node.type
    if isinstance(kind, TensorType) and not is_float(kind.dtype):
        return of_dtype(kind.dtype)
    return EVERYTHING


def of_dtype(dtype: str) -> Bounds:
    """What fits into a dtype."""
    if is_float(dtype):
        return EVERYTHING
    if dtype == "bool":
        return 0, 1
    info = np.iinfo(dtype)
    return float(info.min), float(info.max)


def _exp(x: float) -> float:
    return math.exp(x) if x < 700 else math.inf


def _log(x: float) -> float:
    return -math.inf if x <= 0 else math.inf if x == math.inf else math.log(x)


def _times(a: Bounds, b: Bounds) -> Bounds:
    ends = [0.0 if 0 in (x, y) else x * y for x in a for y in b]
    return min(ends), max(ends)


def _sum(a: float, b: float, low: bool) -> float:
    if math.isinf(a) and math.isinf(b) and a != b:
        return -math.inf if low else math.inf
    return a + b


def _add(node: Expr, i: Sequence[Bounds]) -> Bounds:
    return _sum(i[0][0], i[1][0], True), _sum(i[0][1], i[1][1], False)


def _sub(node: Expr, i: Sequence[Bounds]) -> Bounds:
    return _sum(i[0][0], -i[1][1], True), _sum(i[0][1], -i[1][0], False)


def _mul(node: Expr, i: Sequence[Bounds]) -> Bounds:
    if node.inputs[0] is node.inputs[1]:
        return 0.0, max(i[0][0] * i[0][0], i[0][1] * i[0][1])
    return _times(i[0], i[1])


def _div(node: Expr, i: Sequence[Bounds]) -> Bounds:
    low, high = i[1]
    if low > 0 or high < 0:
        return _times(i[0], (1 / high, 1 / low))
    if low >= 0:
        return (0.0, math.inf) if i[0][0] >= 0 else (-math.inf, 0.0) if i[0][1] <= 0 else EVERYTHING
    return EVERYTHING


def _pow(node: Expr, i: Sequence[Bounds]) -> Bounds:
    p = i[1]
    return (0.0, math.inf) if i[0][0] >= 0 or (p[0] == p[1] and p[0] % 2 == 0) else EVERYTHING


def _total(node: Expr, i: Sequence[Bounds]) -> Bounds:
    low, high = i[0]
    return (0.0 if low >= 0 else low * MANY), (0.0 if high <= 0 else high * MANY)


def _prod(node: Expr, i: Sequence[Bounds]) -> Bounds:
    low, high = i[0]
    return (0.0, 1.0) if low >= 0 and high <= 1 else (0.0, math.inf) if low >= 0 else EVERYTHING


def _of_monotone(f: Callable[[float], float]) -> Callable[[Expr, Sequence[Bounds]], Bounds]:
    return lambda node, i: (f(i[0][0]), f(i[0][1]))


def _abs(node: Expr, i: Sequence[Bounds]) -> Bounds:
    low, high = i[0]
    return (0.0 if low <= 0 <= high else min(abs(low), abs(high))), max(abs(low), abs(high))


def _pad(node: Expr, i: Sequence[Bounds]) -> Bounds:
    fill = float(node.params["fill"])
    return hull(i[0], (fill, fill))


def _cast(node: Expr, i: Sequence[Bounds]) -> Bounds:
    source = node.inputs[0].type.dtype
    return i[0] if is_float(source) else hull(i[0]) if i[0] != EVERYTHING else of_dtype(source)


RULES: dict[str, Callable[[Expr, Sequence[Bounds]], Bounds]] = {
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "true_div": _div,
    "pow": _pow,
    "neg": lambda node, i: (-i[0][1], -i[0][0]),
    "abs": _abs,
    "exp": _of_monotone(_exp),
    "expm1": _of_monotone(lambda x: math.expm1(x) if x < 700 else math.inf),
    "log": _of_monotone(_log),
    "log1p": _of_monotone(lambda x: -math.inf if x <= -1 else math.log1p(x)),
    "sqrt": _of_monotone(lambda x: math.sqrt(max(x, 0.0))),
    "softplus": lambda node, i: (max(i[0][0], 0.0), max(i[0][1], 0.0) + 1),
    "maximum": lambda node, i: (max(i[0][0], i[1][0]), max(i[0][1], i[1][1])),
    "minimum": lambda node, i: (min(i[0][0], i[1][0]), min(i[0][1], i[1][1])),
    "clip_between": lambda node, i: (min(max(i[0][0], i[1][0]), i[2][0]), max(min(i[0][1], i[2][1]), i[1][1])),
    "where": lambda node, i: hull(i[1], i[2]),
    "join": lambda node, i: hull(*i),
    "pad": _pad,
    "sum": _total,
    "prod": _prod,
    "cast": _cast,
}
