"""Derivatives of vectors, made of pulls: rows of a Jacobian, and its products with a vector from either side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from symdl.derivatives.gradient import grad, pull
from symdl.errors import GradientError
from symdl.graph.expr import Expr, as_expr, constant, described, variable
from symdl.graph.walks import substitute
from symdl.ops.declare import cast_to, filled_like, is_float, spread
from symdl.ops.extents import expr_of, exprs_of
from symdl.ops.reductions import sum
from symdl.ops.shaping import eye, stack, zeros
from symdl.ops.views import reshape_to
from symdl.passes.vectorized import NotBatched, vectorize_graph
from symdl.types import product


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


def jacobian(
    expression: Expr,
    wrt: Expr | Sequence[Expr],
    consider_constant: Sequence[Expr] = (),
    disconnected_inputs: Literal["raise", "warn", "ignore"] = "raise",
) -> Expr | list[Expr]:
    """d expression / d w for each w: the axes of the expression, then those of w.

    One batch of pulls, for all elements of the expression at once; where an op has no batched form (a loop) and the size
    is known, one pull an element. See grad for the rest. Raises GradientError where neither can be.
    """
    targets = [wrt] if isinstance(wrt, Expr) else list(wrt)
    y = expression
    if not isinstance(y, Expr) or not is_float(y.type.dtype):
        raise GradientError(f"jacobian: {y!r} is no float expression", [described(y)] if isinstance(y, Expr) else [])
    n = product(y.type.shape)
    flat = reshape_to(y, (n,))
    u = variable("u", flat.type.shape, flat.type.dtype)
    known = {flat: u}
    pulled = grad(None, targets, consider_constant, disconnected_inputs, known_grads=known)
    try:
        rows = vectorize_graph(pulled, {u: eye(expr_of(n), dtype=y.type.dtype)})
    except NotBatched:
        if not isinstance(n, int):
            raise
        each = [grad(None, targets, consider_constant, "ignore", known_grads={flat: _unit(n, k, y)}) for k in range(n)]
        rows = [
            stack([r[k] for r in each]) if n else zeros((0, *exprs_of(w.type.shape)), w.type.dtype)
            for k, w in enumerate(targets)
        ]
    found = []
    for r, w in zip(rows, targets, strict=True):
        if r.type.ndim == w.type.ndim:  # it depends on no element
            r = spread(r, (n, *r.type.shape), tuple(range(1, r.type.ndim + 1)))
        found.append(reshape_to(r, (*y.type.shape, *w.type.shape)))
    return found[0] if isinstance(wrt, Expr) else found


def _unit(n: int, k: int, like: Expr) -> Expr:
    return constant(np.eye(1, n, k)[0], like.type.dtype)


def hessian(
    cost: Expr,
    wrt: Expr | Sequence[Expr],
    consider_constant: Sequence[Expr] = (),
    disconnected_inputs: Literal["raise", "warn", "ignore"] = "raise",
) -> Expr | list[Expr]:
    """d^2 cost / d w d w of a scalar cost for each w: the axes of w twice."""
    targets = [wrt] if isinstance(wrt, Expr) else list(wrt)
    found = []
    for w in targets:
        g = grad(cost, w, consider_constant, disconnected_inputs)
        one = jacobian(g, w, consider_constant, "ignore")
        assert isinstance(one, Expr)  # w is one
        found.append(one)
    return found[0] if isinstance(wrt, Expr) else found


def hessian_vector_product(cost: Expr, wrt: Expr, vector: Any) -> Expr:
    """out[i] = sum over j of d^2 cost / d wrt[i] d wrt[j] * vector[j], in wrt's shape, for about two gradients' work."""
    g = grad(cost, wrt)
    return grad(
        sum(g * cast_to(as_expr(vector), g.type.dtype)),
        wrt,
        consider_constant=[as_expr(vector)],
        disconnected_inputs="ignore",
    )
