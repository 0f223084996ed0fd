"""x itself with another gradient: none, 0, or one that is cut off; or as a node of its own."""

from __future__ import annotations

from typing import Any

from symdl.errors import GradientError, kind_of
from symdl.graph.expr import Expr, Inferred, Op, as_expr, described, make, register
from symdl.ops.declare import filled_like, is_float
from symdl.ops.elementwise import clip
from symdl.types import TensorType, fresh_serial


def _same(t: TensorType, **params: Any) -> Inferred:
    return t, ()


DISCONNECTED = register(
    Op(
        "disconnected_grad", "composite", ("x",), _same, "x, through which no gradient flows.", expand=lambda x: x,
        pullback=lambda g, y, x: (None,),
    )
)  # fmt: skip
ZERO_GRAD = register(
    Op(
        "zero_grad", "composite", ("x",), _same, "x, whose gradient is 0.", expand=lambda x: x,
        pullback=lambda g, y, x: (filled_like(0, x) if is_float(x.type.dtype) else None,),
    )
)  # fmt: skip
GRAD_CLIP = register(
    Op(
        "grad_clip", "composite", ("x",), _same, "x, whose gradient is clipped elementwise.", expand=lambda x, *, low, high: x,
        pullback=lambda g, y, x, *, low, high: (clip(g, low, high),),
    )
)  # fmt: skip
GRAD_SCALE = register(
    Op(
        "grad_scale", "composite", ("x",), _same, "x, whose gradient is multiplied by a number.", expand=lambda x, *, factor: x,
        pullback=lambda g, y, x, *, factor: (g * factor if is_float(x.type.dtype) else None,),
    )
)  # fmt: skip
COPY = register(
    Op(
        "copy", "composite", ("x",), _same, "x, as a node of its own.", expand=lambda x, *, serial: x,
        pullback=lambda g, y, x, *, serial: (g if is_float(x.type.dtype) else None,),
    )
)  # fmt: skip


def copied(x: Any) -> Expr:
    """x as a node of its own, for who keeps side data by node: equal expressions are one object, copies are not."""
    return make(COPY, (as_expr(x),), serial=fresh_serial())


def disconnected_grad(x: Any) -> Expr:
    """x, through which no gradient flows: for `grad`, what lies above does not depend on x this way."""
    return make(DISCONNECTED, (as_expr(x),))


def zero_grad(x: Any) -> Expr:
    """x, whose gradient is 0: unlike disconnected_grad it still counts as depending on x."""
    return make(ZERO_GRAD, (as_expr(x),))


def grad_clip(x: Any, lower_bound: float, upper_bound: float) -> Expr:
    """x, whose gradient is clipped elementwise to the bounds on its way down. Raises GradientError for wrong bounds."""
    e = as_expr(x)
    low, high = (_number("grad_clip", bound, e) for bound in (lower_bound, upper_bound))
    if not low <= high:
        raise GradientError(f"grad_clip: the bounds {low} and {high} are in the wrong order", [described(e)])
    return make(GRAD_CLIP, (e,), low=low, high=high)


def grad_scale(x: Any, multiplier: float) -> Expr:
    """x, whose gradient is multiplied by a number on its way down: -1 turns it round (Ganin and Lempitsky, 2015)."""
    e = as_expr(x)
    return make(GRAD_SCALE, (e,), factor=_number("grad_scale", multiplier, e))


def _number(what: str, given: object, x: Expr) -> float:
    try:
        return float(given)  # type: ignore[arg-type]  # what has no such number says so
    except (TypeError, ValueError):
        raise GradientError(f"{what}: takes a number, not {kind_of(given)}", [described(x)]) from None
