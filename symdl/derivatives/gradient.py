"""Reverse-mode differentiation: expressions in, expressions out, linear in the graph's size.

It works on the meaning: textbook derivatives that nobody evaluates as they stand. Stage 3 lowers values and gradients
of one function together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, overload

from symdl.errors import GradientError, kind_of
from symdl.graph.bodies import dependent
from symdl.graph.expr import RESULT, Expr, as_expr, constant, described, make, short
from symdl.graph.origins import building, warn
from symdl.graph.walks import topological
from symdl.ops.declare import cast_to, filled_like, is_float, spread
from symdl.ops.shaping import JOIN
from symdl.ops.views import PAD
from symdl.types import Extent, Results, TensorType


def pull(
    outputs: Sequence[Expr], gradients: Sequence[Expr | None], wrt: Sequence[Expr], stop: frozenset[Expr] = frozenset()
) -> list[Expr | None]:
    """Sum over k of gradients[k] . d outputs[k] / d w, for each w; None where nothing flows.

    stop: nodes that count as constant. This, not grad, is the primitive of differentiation.
    """
    nodes = topological(*outputs)
    needed = set(wrt)  # nodes through which some w reaches the outputs
    for node in nodes:
        if node not in stop and any(i in needed for i in node.inputs):
            needed.add(node)
    upstream: dict[Expr, list[Expr]] = {}  # what flows to a node, from each of its users
    several: dict[Expr, list[Expr | None]] = {}  # for a node with several results, one gradient each

    def add(node: Expr, g: Expr) -> None:
        if node.op is RESULT and node not in wrt:
            whole = node.inputs[0]
            slots = several.setdefault(whole, [None] * len(whole.type))
            before = slots[node.params["index"]]
            slots[node.params["index"]] = g if before is None else before + g
        else:
            upstream.setdefault(node, []).append(g)

    for out, g in zip(outputs, gradients, strict=True):
        if g is not None and out in needed:
            add(out, g)
    for node in reversed(nodes):
        if node not in needed or node in stop or not node.inputs or node.op is RESULT:
            continue
        if node not in upstream and node not in several:
            continue
        seed: Any = tuple(several[node]) if isinstance(node.type, Results) else total(upstream[node])
        if node.op.pullback is None:
            raise GradientError(f"{node.op} has no gradient", [described(node)])
        with building(node.origins):  # a gradient's origin is what it is the gradient of
            pulled = node.op.pullback(seed, node, *node.inputs, **node.params)
            for operand, h in zip(node.inputs, pulled, strict=True):
                if h is not None and operand in needed:
                    add(operand, h)
    return [total(upstream[w]) if w in upstream else None for w in wrt]


def total(parts: list[Expr]) -> Expr:
    """The sum. Pieces that fill an array, as the gradients of all its slices do, are laid side by side."""
    whole = _pieces_joined(parts) if len(parts) > 1 else None
    if whole is None:
        whole = parts[0]
        for g in parts[1:]:
            whole = whole + g
    parts[:] = [whole]  # once, if it is asked again
    return whole


def _pieces_joined(parts: Sequence[Expr]) -> Expr | None:
    """The pieces along one axis, if each part is a piece in zeros and together they fill it."""
    if any(g.op is not PAD or g.params["fill"] != 0 or set(g.params["steps"]) != {1} for g in parts):
        return None
    cut = {
        k for g in parts for k, (n, m) in enumerate(zip(g.inputs[0].type.shape, g.type.shape, strict=True)) if n != m
    }
    if len(cut) != 1 or len({g.type for g in parts}) != 1:
        return None
    (axis,) = cut
    if any(s != 0 for g in parts for k, s in enumerate(g.params["starts"]) if k != axis):
        return None
    at = {g.params["starts"][axis]: g.inputs[0] for g in parts}
    order: list[Expr] = []
    end: Extent = 0
    while (piece := at.pop(end, None)) is not None:
        order.append(piece)
        end = end + piece.type.shape[axis]
    full = len(order) == len(parts) and end == parts[0].type.shape[axis]
    return make(JOIN, tuple(order), axis=axis) if full else None


@overload
def grad(
    cost: Expr | None,
    wrt: Expr,
    consider_constant: Sequence[Expr] = ...,
    disconnected_inputs: Literal["raise", "warn", "ignore"] = ...,
    known_grads: Mapping[Expr, Any] | None = ...,
) -> Expr: ...
@overload
def grad(
    cost: Expr | None,
    wrt: Sequence[Expr],
    consider_constant: Sequence[Expr] = ...,
    disconnected_inputs: Literal["raise", "warn", "ignore"] = ...,
    known_grads: Mapping[Expr, Any] | None = ...,
) -> list[Expr]: ...
def grad(
    cost: Expr | None,
    wrt: Expr | Sequence[Expr],
    consider_constant: Sequence[Expr] = (),
    disconnected_inputs: Literal["raise", "warn", "ignore"] = "raise",
    known_grads: Mapping[Expr, Any] | None = None,
) -> Expr | list[Expr]:
    """d cost / d w for each w in wrt, in w's shape and dtype: a list, or one Expr if wrt is one.

    cost: a float scalar, or None if known_grads gives what flows from above.
    consider_constant: expressions through which nothing flows. known_grads: {expression: gradient of the cost with
    respect to it}, used in place of (for nodes above) or besides the cost's own. disconnected_inputs: what to do where
    the cost does not depend on a w: "raise" GradientError, "warn" and give zeros, or "ignore" and give zeros.
    """
    single = isinstance(wrt, Expr)
    if not isinstance(wrt, Expr | list | tuple):
        raise GradientError(f"grad: wrt is {kind_of(wrt)}, neither an expression nor a list of them")
    targets = [wrt] if isinstance(wrt, Expr) else list(wrt)
    if disconnected_inputs not in ("raise", "warn", "ignore"):
        raise GradientError(
            f"grad: disconnected_inputs cannot be {disconnected_inputs!r}", (), "choices: raise, warn, ignore"
        )
    for w in targets:
        if not isinstance(w, Expr):
            raise GradientError(f"grad: wrt holds {kind_of(w)}, which is no expression")
        if not is_float(w.type.dtype):
            raise GradientError(f"grad: {w!r} is {w.type.dtype}; only floats have gradients", [described(w)])
    outputs: list[Expr] = []
    seeds: list[Expr | None] = []
    if cost is not None:
        if not isinstance(cost, Expr):
            raise GradientError(f"grad: the cost is {kind_of(cost)}, which is no expression")
        if cost.type.shape != ():
            raise GradientError(
                f"grad: the cost must be a scalar, not {cost.type}", [described(cost)], "Sum or average it first."
            )
        if not is_float(cost.type.dtype):
            raise GradientError(f"grad: the cost must be a float, not {cost.type.dtype}", [described(cost)])
        outputs.append(cost)
        seeds.append(constant(1, cost.type.dtype))
    elif not known_grads:
        raise GradientError("grad: neither a cost nor known_grads is given")
    for node, g in (known_grads or {}).items():
        given = cast_to(as_expr(g), node.type.dtype)
        if given.type.ndim != node.type.ndim or any(map(_differ, given.type.shape, node.type.shape)):
            raise GradientError(
                f"grad: the known gradient of {node!r} has another shape", [described(node), described(given)]
            )
        outputs.append(node)
        seeds.append(given)
    found = pull(outputs, seeds, targets, frozenset(consider_constant))
    out = [
        _disconnected(cost, w, disconnected_inputs) if g is None else spread(g, w.type.shape, tuple(range(w.type.ndim)))
        for w, g in zip(targets, found, strict=True)
    ]
    return out[0] if single else out


def _differ(n: Extent, m: Extent) -> bool:
    """Whether two extents are known to differ."""
    return n != m and isinstance(n - m, int)


def step_between(cost: Expr, w: Expr) -> Expr | None:
    """The first integer or bool that is made of w on its way to the cost: nothing flows back through steps."""
    below = dependent([cost], [w])
    tensors = (n for n in topological(cost) if n in below and isinstance(n.type, TensorType))
    return next((n for n in tensors if not is_float(n.type.dtype)), None)


def _disconnected(cost: Expr | None, w: Expr, how: str) -> Expr:
    step = None if cost is None else step_between(cost, w)
    message, parts = f"grad: the cost does not depend on {w!r}", [described(e) for e in (cost, w) if e is not None]
    if step is not None:
        message = (
            f"grad: the cost depends on {w!r} only in steps, by way of {short(step, 2)}, which is {step.type.dtype}"
        )
        parts.append(described(step))
    if how == "raise":
        raise GradientError(message, parts, 'disconnected_inputs="ignore" gives zeros instead.')
    if how == "warn":
        warn(message)
    return filled_like(0, w)
