"""Between what the values of a loop lie, as far as their primitives and constants tell."""

from __future__ import annotations

import math
from collections.abc import Sequence

from symdl.backends.builder import FLOATS
from symdl.ir.loops import Apply, Const, Value
from symdl.number_forms import LIMBS, limbs_of

Span = tuple[float, float]
SPANS: dict[str, tuple[float, float]] = {
    "logistic_tail": (0, 0.5), "exp": (0, math.inf), "exp2": (0, math.inf), "abs": (0, math.inf), "sqrt": (0, math.inf),
    "tanh": (-1, 1), "erf": (-1, 1), "sin": (-1, 1), "cos": (-1, 1), "erfc": (0, 2), "erfcx": (0, math.inf),
    "cosh": (1, math.inf),
}  # fmt: skip


def span(item: Value, spans: Sequence[Span]) -> Span:
    """Between what a value lies. spans: of its operands."""
    if isinstance(item, Const) and (known := number_of(item)) is not None:
        return known, known
    if item.dtype == "bool" or item.dtype.startswith("uint"):
        return 0.0, math.inf
    if not isinstance(item, Apply):
        return -math.inf, math.inf
    match item.primitive:
        case "cast":
            return spans[0]
        case "neg":
            return -spans[0][1], -spans[0][0]
        case "add" | "sub":
            (a, b), (c, d) = spans
            c, d = (c, d) if item.primitive == "add" else (-d, -c)
            return (a + c if a + c == a + c else -math.inf), (b + d if b + d == b + d else math.inf)
        case "mul":
            (x, above), (y, beyond) = map(_magnitude, item.args)
            if x is y:
                far = max(v * v for v in spans[0])
                return (0.0, far) if above == beyond else (-far, 0.0)
            ends = [0.0 if 0 in (x, y) else x * y for x in spans[0] for y in spans[1]]
            return min(ends), max(ends)
        case "true_div" if spans[0][0] >= 0 and spans[1][0] >= 0:
            return 0.0, math.inf
        case "where":
            return min(spans[1][0], spans[2][0]), max(spans[1][1], spans[2][1])
        case "maximum":
            return max(spans[0][0], spans[1][0]), max(spans[0][1], spans[1][1])
        case "minimum":
            return min(spans[0][0], spans[1][0]), min(spans[0][1], spans[1][1])
        case "log1p" if spans[0][0] >= 0:
            return 0.0, math.inf
    return SPANS.get(item.primitive, (-math.inf, math.inf))


def _magnitude(x: Value) -> tuple[Value, bool]:
    """What a float is but for its dtype and its sign, and whether it is its opposite."""
    opposite = False
    while isinstance(x, Apply) and x.primitive in ("cast", "neg") and x.args[0].dtype in FLOATS:
        opposite, x = opposite != (x.primitive == "neg"), x.args[0]
    return x, opposite


def sign_of(root: Value, found: dict[int, Span]) -> int:
    """1 of what is never below 0 by all that it is computed of, -1 of what is never above, else 0. found: spans that are known,
    by the ids of values, which are kept."""
    stack = [root]
    while stack:
        item = stack[-1]
        if id(item) in found:
            stack.pop()
            continue
        missing = [x for x in item.args if id(x) not in found] if isinstance(item, Apply) else []
        if missing:
            stack += missing
            continue
        stack.pop()
        found[id(item)] = span(item, [found[id(x)] for x in item.args] if isinstance(item, Apply) else [])
    below, above = found[id(root)]
    return 1 if below >= 0 else -1 if above <= 0 else 0


def number_of(x: Const) -> float | None:
    """A constant, if one float64 holds it."""
    if not isinstance(x.number, tuple):
        return float(x.number) if math.isfinite(x.number) else None
    limbs = dict(zip(LIMBS[x.dtype], limbs_of(x.number, x.dtype), strict=True))
    high, exponent = limbs["high"], limbs.get("exponent", 0.0)
    if limbs.get("low") or not math.isfinite(high):
        return None
    if high == 0 or exponent == 0:
        return high
    return math.ldexp(high, int(exponent)) if -1000 < exponent < 1000 else None
