"""Derivatives of vectors, made of pulls: rows of a Jacobian, and its products with a vector from either side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symdl.errors import GradientError
from symdl.expr import Expr, as_expr, described, substitute, variable
from symdl.gradient import grad, pull
from symdl.ops.declare import cast_to, filled_like, is_float
from symdl.ops.reductions import sum
from symdl.ops.shaping import stack


def _zero_if_none(g: Expr | None, w: Expr) -> Expr:
    return filled_like(0, w) if g is None else g


def Lop(f: Expr, wrt: Expr | Sequence[Expr], eval_points: Any) -> Expr | list[Expr]:
    """v J: sum over i of eval_points[i] * d f[i] / d w for each w, in w's shape. eval_points has the shape of f."""
    targets = [wrt] if isinstance(wrt, Expr) else list(wrt)
    v = cast_to(as_expr(eval_points), f.type.dtype)
    found = [_zero_if_none(g, w) for g, w in zip(pull([f], [v], targets), targets, strict=True)]
    return found[0] if isinstance(wrt, Expr) else found


def Rop(f: Expr, wrt: Expr | Sequence[Expr], eval_points: Any) -> Expr:
    """J v: sum over w and i of d f / d w[i] * eval_points[i], in the shape of f; one eval_points for each w.

    Forward mode as the pull of a pull: u J is linear in u, and its pull by v is J v.
    """
    targets = [wrt] if isinstance(wrt, Expr) else list(wrt)
    points = [eval_points] if isinstance(wrt, Expr) else list(eval_points)
    if not is_float(f.type.dtype):
        raise GradientError(f"Rop: {f!r} is {f.type.dtype}; only floats have derivatives", [described(f)])
    if len(points) != len(targets):
        raise GradientError(f"Rop: {len(targets)} expressions in wrt, but {len(points)} in eval_points")
    u = variable("u", f.type.shape, f.type.dtype)
    pulled = pull([f], [u], targets)
    met = [(g, cast_to(as_expr(v), g.type.dtype)) for g, v in zip(pulled, points, strict=True) if g is not None]
    (back,) = pull([g for g, _ in met], [v for _, v in met], [u]) if met else [None]
    (found,) = substitute([_zero_if_none(back, f)], {u: filled_like(0, f)})
    return found


def jacobian(expression: Expr, wrt: Expr | Sequence[Expr]) -> Expr | list[Expr]:
    """out[i, ...] = d expression[i] / d w[...] for each w. expression has one axis, of known extent.

    Each row is a gradient of its own: for long vectors ask for Lop or Rop instead. Raises GradientError otherwise.
    """
    targets = [wrt] if isinstance(wrt, Expr) else list(wrt)
    if expression.type.ndim != 1 or not isinstance(expression.type.shape[0], int):
        remedy = "Lop and Rop give products with the Jacobian without its rows."
        raise GradientError(
            f"jacobian: takes a vector of known length, not {expression.type}", [described(expression)], remedy
        )
    rows = [grad(expression[k], targets, disconnected_inputs="ignore") for k in range(expression.type.shape[0])]
    found = [stack([r[k] for r in rows]) for k in range(len(targets))]
    return found[0] if isinstance(wrt, Expr) else found


def hessian(cost: Expr, wrt: Expr) -> Expr:
    """out[i, j] = d^2 cost / d wrt[i] d wrt[j] of a scalar cost and a vector of known length."""
    found = jacobian(grad(cost, wrt), wrt)
    assert isinstance(found, Expr)  # wrt is one
    return found


def hessian_vector_product(cost: Expr, wrt: Expr, vector: Any) -> Expr:
    """out[i] = sum over j of d^2 cost / d wrt[i] d wrt[j] * vector[j], in wrt's shape, for about two gradients' work."""
    g = grad(cost, wrt)
    return grad(
        sum(g * cast_to(as_expr(vector), g.type.dtype)),
        wrt,
        consider_constant=[as_expr(vector)],
        disconnected_inputs="ignore",
    )
