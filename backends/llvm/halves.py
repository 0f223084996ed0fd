"""A float64 that is an operation or two on float32 numbers, as a sum of two float32: rounded, and what that leaves.

float32(x - y) is x - y in float32, since the bits of a float64 are more than twice as many and two; what it leaves is known by
six more operations (Knuth), of a product by one. So exp(x - y), which asks for more digits than a float32 has of its argument
(`wide.mixed`), takes whole vectors of float32 and no conversions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symdl.backends.builder import BITS, Builder, Reg
from symdl.backends.vmath.forms import Pair, two_sum
from symdl.ir.loops import Apply, Const, Value


def halves(w: Any, item: Value) -> Pair | None:
    """(high, low) with item = high + low to 2^-46, high being the item rounded, from a writer's registers; None for what is no
    such number."""
    if item.dtype != "float64":
        return None
    if (single := _single(w, item)) is not None:
        return single, w.const(0.0, "float32")
    match item:
        case Apply("add" | "sub" | "mul" as name, (x, y)):
            return _of_two(w, name, x, y)
        case Apply("neg", (x,)):
            found = halves(w, x)
            return None if found is None else (w.fneg(found[0]), w.fneg(found[1]))
        case Apply("abs", (x,)):
            found = halves(w, x)
            return None if found is None else _absolute(w, found)
        case Apply("where", (condition, x, y)):
            first, second = halves(w, x), halves(w, y)
            if first is None or second is None:
                return None
            chosen = w.value(condition)
            return w.select(chosen, first[0], second[0]), w.select(chosen, first[1], second[1])
    return None


def _single(w: Any, item: Value) -> Reg | None:
    """A float64 that is a float32."""
    match item:
        case Const(number) if item.dtype == "float64" and np.float32(number) == number:
            return w.const(float(number), "float32")  # type: ignore[no-any-return]  # a register
        case Apply("cast", (x,)) if x.dtype == "float32" and item.dtype == "float64":
            return w.value(x)  # type: ignore[no-any-return]  # a register
    return None


def _of_two(w: Any, name: str, x: Value, y: Value) -> Pair | None:
    """Sums, differences and products of float32, which are exact, and a product beside a float32."""
    first, second = _single(w, x), _single(w, y)
    if first is not None and second is not None:
        return _exact(w, name, first, second)
    if name == "mul" or (first is None) == (second is None):
        return None
    product, one = (x, second) if first is None else (y, first)
    if _takes_back(x) or _takes_back(y):
        return None
    if not isinstance(product, Apply) or product.primitive != "mul" or one is None or not w.fused:
        return None
    a, b = (_single(w, v) for v in product.args)
    if a is None or b is None:
        return None
    if name == "sub":
        if first is None:
            one = w.fneg(one)
        else:
            a = w.fneg(a)
    return _beside(w, a, b, one)


def _takes_back(x: Value) -> bool:
    """Whether a constant is so near the largest float32 that with it a product comes back into the range."""
    return isinstance(x, Const) and abs(x.number) > 2.0**120


def _exact(b: Builder, name: str, x: Reg, y: Reg) -> Pair | None:
    if name == "mul":
        high = b.mul(x, y)
        return (high, b.fma(x, y, b.fneg(high))) if b.fused else None
    return two_sum(b, x, b.fneg(y) if name == "sub" else y)


def _beside(b: Builder, x: Reg, y: Reg, z: Reg) -> Pair:
    """x y + z, rounded once, and what that leaves: x y - (high - z), the difference being known exactly as d + e. What is
    left of x y - d has 24 bits where high is small beside z, and is rounded at 2^-24 of the last bits of high and z elsewhere."""
    high = b.fma(x, y, z)
    d, e = two_sum(b, high, b.fneg(z))
    return high, b.sub(b.fma(x, y, b.fneg(d)), e)


def _absolute(b: Builder, x: Pair) -> Pair:
    sign = b.and_(b.bits(x[0]), -(1 << (BITS["float32"] - 1)))
    return b.fabs(x[0]), b.unbits(b.xor(b.bits(x[1]), sign))


def has_product(item: Value) -> bool:
    """Whether what halves are made of is a product: both may be 0 where that is not."""
    match item:
        case Apply("mul"):
            return True
        case Apply("neg" | "abs" | "add" | "sub", operands) | Apply("where", (_, *operands)):
            return any(map(has_product, operands))
    return False


def is_zero(item: Value) -> bool:
    """Whether a value is 0, a float64."""
    return isinstance(item, Const) and item.dtype == "float64" and item.number == 0


def rest_of(item: Value) -> Value | None:
    """x, of float32(x - float64(float32(x)))."""
    match item:
        case Apply("cast", (Apply("sub", (x, Apply("cast", (Apply("cast", (again,)) as high,)))),), "float32"):
            if x is again and x.dtype == "float64" and high.dtype == "float32":
                return x
    return None
