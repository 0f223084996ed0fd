"""verify_grad: the gradient that symdl builds against finite differences, in random directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symdl.derivatives.gradient import pull
from symdl.errors import GradientError, InputError
from symdl.functions import function
from symdl.graph.expr import Expr, as_expr, described, variable
from symdl.ops.declare import filled_like, is_float
from symdl.ops.reductions import sum
from symdl.ops.shaping import stack

EPSILON = {"float32": 5e-3, "float64": 1e-6}  # steps, and what differences then are good for
TOLERANCE = {"float32": 2e-3, "float64": 1e-4}


class WrongGradientError(GradientError):
    """A gradient and finite differences of the function do not agree."""


def verify_grad(
    fun: Callable[..., Any],
    pt: Sequence[Any],
    n_tests: int = 2,
    rng: np.random.Generator | np.random.RandomState | int | None = 0,
    eps: float | None = None,
    abs_tol: float | None = None,
    rel_tol: float | None = None,
    mode: str | None = None,
) -> float:
    """Compare the gradients of fun at a point with central differences, and return the largest relative error.

    fun takes an expression for each array of pt and returns one, or a list of them; they are multiplied by random numbers
    and added up, n_tests times anew, so that one number is differentiated. pt: float arrays. The error at an element is
    |a - d| / max(|a|, |d|) for the gradient a and the difference d; one passes that is at most rel_tol, or whose |a - d| is
    at most abs_tol (1e-4 for float64, 2e-3 for float32, unless given). eps: the step, 1e-6 or 5e-3. rng: a generator or a seed.
    Raises WrongGradientError with the argument, the place and both numbers; InputError for a point that is no float array.
    """
    arrays = [np.asarray(p) for p in pt]
    for k, a in enumerate(arrays):
        if a.dtype.name not in EPSILON:
            raise InputError(f"verify_grad: argument {k} of the point is {a.dtype}, neither float32 nor float64")
    draw = rng if isinstance(rng, np.random.Generator | np.random.RandomState) else np.random.default_rng(rng)
    leaves = [variable(f"argument {k}", a.shape, a.dtype.name) for k, a in enumerate(arrays)]
    found = fun(*leaves)
    outputs = [as_expr(y) for y in (found if isinstance(found, list | tuple) else [found])]
    for y in outputs:
        if not is_float(y.type.dtype):
            raise GradientError(f"verify_grad: {y!r} is {y.type.dtype}, no float", [described(y)])
    names = {a.dtype.name for a in arrays} | {y.type.dtype for y in outputs}
    kind = "float32" if "float32" in names else "float64"
    step, near, close = eps or EPSILON[kind], abs_tol or TOLERANCE[kind], rel_tol or TOLERANCE[kind]
    weights = [variable(f"weights {k}", y.type.shape, y.type.dtype) for k, y in enumerate(outputs)]
    total = sum(outputs[0] * weights[0]).astype("float64")
    for y, w in zip(outputs[1:], weights[1:], strict=True):
        total = total + sum(y * w).astype("float64")
    pulled = [
        filled_like(0, x) if g is None else g for x, g in zip(leaves, pull(outputs, weights, leaves), strict=True)
    ]
    values = function([*leaves, *weights], total, on_unused_input="ignore", mode=mode, name="verify_grad")
    gradients = function([*leaves, *weights], pulled, on_unused_input="ignore", mode=mode, name="verify_grad")
    shapes = function(leaves, [_shape(y) for y in outputs], on_unused_input="ignore")(*arrays)
    worst = 0.0
    for _ in range(n_tests):
        own = [
            (draw.uniform(0.5, 1.5, tuple(s)) * np.where(draw.uniform(size=tuple(s)) < 0.5, -1, 1)).astype(y.type.dtype)
            for s, y in zip(shapes, outputs, strict=True)
        ]
        analytic = gradients(*arrays, *own)
        for k, a in enumerate(arrays):
            for at in np.ndindex(a.shape):
                slope = _slope(values, arrays, own, k, at, step)
                given = float(analytic[k][at])
                gap, size = abs(given - slope), max(abs(given), abs(slope))
                error = 0.0 if given == slope else gap / size
                if not (gap <= near or error <= close):  # NaN is wrong
                    raise WrongGradientError(
                        f"verify_grad: d / d argument {k} at {list(at)} is {given:.10g}, by differences {slope:.10g} "
                        f"(relative error {error:.3g})",
                        [described(y) for y in outputs],
                        "Where a function has a corner or a jump, its differences mean nothing: try another point.",
                    )
                worst = max(worst, min(error, gap))
    return worst


def _shape(y: Expr) -> Expr:
    return stack(list(y.shape)) if y.type.ndim else as_expr(np.zeros(0, np.int64))


def _slope(values: Any, arrays: list[Any], own: list[Any], k: int, at: tuple[int, ...], step: float) -> float:
    """The central difference along one element, its step being what really separates the two points."""
    ends = []
    for sign in (1, -1):
        moved = arrays[k].copy()
        moved[at] += sign * step * max(1.0, abs(float(arrays[k][at])))
        ends.append((float(moved[at]), float(values(*arrays[:k], moved, *arrays[k + 1 :], *own))))
    (right, above), (left, below) = ends
    return (above - below) / (right - left)
