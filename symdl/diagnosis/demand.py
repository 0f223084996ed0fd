"""Which elements of a graph's nodes matter to some elements of its results: sampling without computing the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symdl.graph.expr import Expr
from symdl.graph.walks import topological
from symdl.passes.evaluate import concrete
from symdl.types import Results, Symbol, size_at

Array = np.ndarray[Any, Any]
Places = Array | None  # numbers of elements in C order, ascending; None: all of them
Shape = tuple[int, ...]
MOVING = frozenset(["view", "reshape", "gather", "join"])  # kinds of ops whose elements are elements of their operands


def shapes_of(order: Sequence[Expr], sizes: Mapping[Symbol, int]) -> dict[Expr, Shape]:
    """The shape of each node with one result at these sizes."""
    return {
        n: tuple(size_at(extent, sizes) for extent in n.type.shape) for n in order if not isinstance(n.type, Results)
    }


def demanded(
    wanted: Mapping[Expr, Places], shapes: Mapping[Expr, Shape], sizes: Mapping[Symbol, int]
) -> dict[Expr, Places]:
    """The elements of all nodes below that the wanted elements are computed from."""
    found: dict[Expr, Places] = dict(wanted)
    for n in reversed(topological(*wanted)):
        for k, i in enumerate(n.inputs):
            if i in shapes:
                more = _places(n, k, found.get(n), shapes, sizes)
                found[i] = _joined(found[i], more, shapes[i]) if i in found else _joined(more, more, shapes[i])
    return found


def _joined(a: Places, b: Places, shape: Shape) -> Places:
    if a is None or b is None:
        return None
    both = a if a is b else np.union1d(a, b)
    return None if 2 * len(both) >= np.prod(shape, dtype=float) else both


def _places(n: Expr, k: int, at: Places, shapes: Mapping[Expr, Shape], sizes: Mapping[Symbol, int]) -> Places:
    """The elements of operand k that these elements of n are computed from."""
    if at is None or n not in shapes:
        return None
    if n.op.kind == "elementwise":
        return np.unique(places_below(at, shapes[n], shapes[n.inputs[k]]))
    if n.op.kind in ("view", "reshape"):
        there = moved_places(n, shapes, sizes).reshape(-1)[at]
        return np.unique(there[there >= 0])
    return None


def places_below(at: Array, shape: Shape, operand: Shape) -> Array:
    """The elements of an operand, stretched to a shape, that stand at these elements of it."""
    if shape == operand:
        return at
    index = np.unravel_index(at, shape)[len(shape) - len(operand) :]
    if not operand:
        return np.zeros_like(at)
    return np.ravel_multi_index([x if n != 1 else x * 0 for x, n in zip(index, operand, strict=True)], operand)


def moved_places(n: Expr, shapes: Mapping[Expr, Shape], sizes: Mapping[Symbol, int]) -> Array:
    """For each element of a view or reshape the number of its operand's element; -1 for one that a pad fills."""
    assert n.op.reference is not None  # of every view
    params = {key: concrete(v, sizes) for key, v in n.params.items()}
    if "fill" in params:
        params["fill"] = -1
    own = shapes[n.inputs[0]]
    return np.asarray(n.op.reference(np.arange(np.prod(own, dtype=int)).reshape(own), **params))
