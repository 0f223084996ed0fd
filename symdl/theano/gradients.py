"""theano.gradient: symdl's gradients under Theano's names and options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import symdl.derivatives.gradient
import symdl.derivatives.jacobians
from symdl.derivatives.gradient import pull, step_between
from symdl.errors import GradientError, InputError
from symdl.gradient_check import WrongGradientError
from symdl.gradient_check import verify_grad as checked
from symdl.graph.expr import Expr, as_expr, described
from symdl.ops.declare import filled_like, is_float
from symdl.ops.identities import disconnected_grad, grad_clip, grad_scale, zero_grad

__all__ = ["WrongGradientError", "disconnected_grad", "grad_clip", "grad_scale", "zero_grad"]


class DisconnectedType:
    """The type of what stands for "no gradient flows here"."""

    dtype, broadcastable, ndim = "float64", (), 0

    def __call__(self, name: str | None = None) -> Disconnected:
        return Disconnected()

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return 1


class NullType(DisconnectedType):
    """The type of what stands for a gradient that is not defined."""

    def __init__(self, why_null: str = "") -> None:
        self.why_null = why_null


class Disconnected:
    """Stands for a gradient of which nothing flows; grad of an Op returns it. owner, as of a variable."""

    owner = None
    name: str | None = None

    def __init__(self, kind: DisconnectedType | None = None) -> None:
        self.type = kind or DisconnectedType()


def grad_undefined(op: Any, x_pos: int, x: Any, comment: str = "") -> Disconnected:
    """The gradient of an Op for an input for which it is not defined."""
    return Disconnected(NullType(f"{op}: the gradient for input {x_pos} is not defined. {comment}"))


def grad_not_implemented(op: Any, x_pos: int, x: Any, comment: str = "") -> Disconnected:
    """The gradient of an Op for an input for which nobody wrote it."""
    return Disconnected(NullType(f"{op}: the gradient for input {x_pos} is not implemented. {comment}"))


def grad(
    cost: Any, wrt: Any, consider_constant: Any = None, disconnected_inputs: Any = "raise", add_names: bool = True,
    known_grads: Mapping[Any, Any] | None = None, return_disconnected: str = "zero", null_gradients: str = "raise",
) -> Any:  # fmt: skip
    """symdl.grad. A float cost of one element on axes of extent 1 counts as a scalar; integers get zeros, and so does
    what the cost depends on in steps only, such as comparisons.

    return_disconnected: "zero", "none" or "disconnected" for what the cost does not depend on.
    """
    single = isinstance(wrt, Expr)
    targets = [wrt] if single else list(wrt)
    for w in targets:
        if not isinstance(w, Expr):
            raise InputError(f"grad: {w!r} is no variable", remedy="wrt is a variable, or a list of them.")
    if cost is not None and not isinstance(cost, Expr):
        cost = as_expr(cost)
    if cost is not None and cost.type.shape and all(n == 1 for n in cost.type.shape):
        cost = cost.sum()
    if cost is not None and cost.type.shape:
        raise InputError(
            f"grad: the cost must be a scalar, not {cost.type}", [described(cost)], "Sum or average it first."
        )
    floats = [w for w in targets if is_float(w.type.dtype)]
    constants = [consider_constant] if isinstance(consider_constant, Expr) else list(consider_constant or ())
    if return_disconnected == "zero":
        made = _or_zeros(cost, floats, constants, disconnected_inputs, known_grads)
    else:
        made = _or_none(cost, floats, constants, disconnected_inputs, known_grads, return_disconnected)
    found = iter(made)
    out = [next(found) if is_float(w.type.dtype) else filled_like(0, w.astype("float64")) for w in targets]
    if add_names and cost is not None and cost.name:
        for w, g in zip(targets, out, strict=True):
            if isinstance(g, Expr) and w.name and g.name is None and g not in targets:
                g.name = f"(d{cost.name}/d{w.name})"
    return out[0] if single else tuple(out) if isinstance(wrt, tuple) else out


def _or_zeros(
    cost: Any, wrt: list[Expr], constants: list[Any], how: Any, known: Mapping[Any, Any] | None
) -> list[Expr]:
    """The gradients. What acts in steps only counts as connected here."""
    known = dict(known or {})
    try:
        return symdl.derivatives.gradient.grad(cost, wrt, constants, how, known)
    except GradientError:
        others = [w for w in wrt if cost is None or step_between(cost, w) is None]
        if len(others) == len(wrt):
            raise
        symdl.derivatives.gradient.grad(cost, others, constants, how, known)  # raises for these
        return symdl.derivatives.gradient.grad(cost, wrt, constants, "ignore", known)


def _or_none(
    cost: Any, wrt: list[Expr], constants: list[Any], how: Any, known: Mapping[Any, Any] | None, absent: str
) -> list[Any]:
    out: list[Any] = []
    for w in wrt:
        try:
            out.append(symdl.derivatives.gradient.grad(cost, w, constants, "raise", dict(known or {})))
        except GradientError:
            if how == "raise":
                raise
            out.append(None if absent.lower() == "none" else Disconnected())
    return out


def subgraph_grad(
    wrt: Sequence[Any], end: Sequence[Any], start: Any = None, cost: Any = None, details: bool = False
) -> Any:
    """Gradients for wrt and for end, the graph below `end` counting as given: `start` maps what is above to its gradient."""
    constants = list(end)
    both = [*wrt, *end]
    if start is not None:
        found = pull(list(start), [as_expr(g) for g in start.values()], both, frozenset(constants))
        if cost is not None:
            more = pull([cost], [as_expr(np.ones((), cost.dtype))], both, frozenset(constants))
            found = [a if b is None else b if a is None else a + b for a, b in zip(found, more, strict=True)]
    else:
        found = pull([cost], [as_expr(np.ones((), cost.dtype))], both, frozenset(constants))
    grads = [filled_like(0, w) if g is None else g for w, g in zip(both, found, strict=True)]
    return grads[: len(wrt)], grads[len(wrt) :]


def Lop(
    f: Any, wrt: Any, eval_points: Any, consider_constant: Any = None, disconnected_inputs: str = "raise"
) -> Any:  # Theano's name
    """v J. f may be a list, with one eval_points for each."""
    if isinstance(f, list | tuple):
        targets = [wrt] if isinstance(wrt, Expr) else list(wrt)
        found = pull(list(f), [as_expr(v) for v in eval_points], targets)
        out = [filled_like(0, w) if g is None else g for w, g in zip(targets, found, strict=True)]
        return out[0] if isinstance(wrt, Expr) else out
    return symdl.derivatives.jacobians.Lop(f, wrt, eval_points)


def Rop(f: Any, wrt: Any, eval_points: Any, **_: Any) -> Any:  # Theano's name
    """J v. f may be a list."""
    if isinstance(f, list | tuple):
        return [symdl.derivatives.jacobians.Rop(one, wrt, eval_points) for one in f]
    return symdl.derivatives.jacobians.Rop(f, wrt, eval_points)


def jacobian(expression: Any, wrt: Any, consider_constant: Any = None, disconnected_inputs: Any = "raise") -> Any:
    """symdl's jacobian."""
    return symdl.derivatives.jacobians.jacobian(expression, wrt, consider_constant or (), disconnected_inputs)


def hessian(cost: Any, wrt: Any, consider_constant: Any = None, disconnected_inputs: Any = "raise") -> Any:
    """symdl's hessian; a list for a list."""
    if isinstance(wrt, list | tuple):
        return [hessian(cost, w, consider_constant, disconnected_inputs) for w in wrt]
    return symdl.derivatives.jacobians.hessian(cost, wrt, consider_constant or (), disconnected_inputs)


def verify_grad(
    fun: Any, pt: Any, n_tests: int = 2, rng: Any = None, eps: Any = None, out_type: Any = None, abs_tol: Any = None,
    rel_tol: Any = None, mode: Any = None, cast_to_output_type: bool = False, no_debug_ref: bool = True,
) -> float:  # fmt: skip
    """symdl's: compares gradients with finite differences. Arrays of integers in pt stay constant."""
    return checked(fun, pt, n_tests, rng if rng is not None else 0, eps, abs_tol, rel_tol)


disconnected_type = DisconnectedType()
consider_constant = zero_grad
