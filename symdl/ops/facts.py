"""Facts that only the user knows: x itself, with bounds that stage 3 may rely on."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np

from symdl.errors import DtypeError, InputError
from symdl.graph.expr import Expr, Inferred, Op, as_expr, described, make, register
from symdl.ops.declare import is_float
from symdl.types import TensorType


def _same(t: TensorType, **params: Any) -> Inferred:
    return t, ()


ASSUMED = register(
    Op(
        "assumed", "composite", ("x",), _same, "x, which the user says lies between two numbers.",
        expand=lambda x, **facts: x, meaning="x", pullback=lambda g, y, x, **facts: (g,),
    )
)  # fmt: skip


def assume(
    x: Any,
    *,
    lower: float | None = None,
    upper: float | None = None,
    integer: bool = False,
    finite: bool = False,
    positive: bool = False,
) -> Expr:
    """x, of which the compiler may take for granted: lower <= x <= upper, x is a whole number, finite, above 0.

    It is the identity, with the identity's gradient, and costs nothing. What it says, and what follows from it, frees
    values from number forms (`precision="right"`), decides comparisons and choices when a function is compiled, and
    lets logarithms and roots be taken apart. It is not checked: where an element breaks it, or is NaN, the results may
    be anything. Facts about arguments are best said of the inputs, before these are used:

        t = symdl.assume(T.scalar("t"), lower=1)
        pixels = symdl.assume(T.matrix("pixels"), lower=0, upper=1)

    Raises InputError for facts that say nothing or contradict each other, DtypeError for bools.
    """
    e = as_expr(x)
    dtype = e.type.dtype
    if dtype == "bool":
        remedy = "The facts stand beside the numbers that they are about: symdl.assume(x, lower=0)."
        raise DtypeError("assume: takes numbers, not bool", [described(e)], remedy)
    facts: dict[str, Any] = {"lower": lower, "upper": upper, "integer": integer, "finite": finite, "positive": positive}
    low, high = _number(lower, "lower", -math.inf), _number(upper, "upper", math.inf)
    if low == -math.inf and high == math.inf and not (integer or finite or positive):
        raise InputError("assume: no fact is given", [described(e)], "Facts: lower, upper, integer, finite, positive.")
    if is_float(dtype):
        kind = np.finfo(dtype)
        if finite:
            low, high = max(low, float(kind.min)), min(high, float(kind.max))
        if positive:
            low = max(low, float(kind.smallest_subnormal))
    elif positive:
        low = max(low, 1.0)
    if integer or not is_float(dtype):
        low, high = (math.ceil(low) if low > -math.inf else low), (math.floor(high) if high < math.inf else high)
    if low > high or low == math.inf or high == -math.inf:
        given = ", ".join(f"{name}={value}" for name, value in facts.items() if value not in (None, False))
        raise InputError(f"assume: no number has all of {given}", [described(e)])
    whole = integer or not is_float(dtype)
    return make(ASSUMED, (e,), lower=float(low), upper=float(high), integer=whole)


def _number(value: Any, name: str, default: float) -> float:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, Real) or math.isnan(value):
        raise InputError(f"assume: {name} is {value!r}; it must be a number, known when the formula is written")
    return float(value)
