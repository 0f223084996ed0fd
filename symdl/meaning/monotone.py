"""Places of extremes: where f(x) is largest, x is, if f increases; f(x) itself may have saturated, and then many are largest."""

from __future__ import annotations

from collections.abc import Sequence

from symdl.graph.expr import Expr, rebuilt

SATURATING = frozenset(["exp", "exp2", "expm1", "sinh", "tanh", "sigmoid", "erf", "arctan"])
STEADY = frozenset(["softplus", "arcsinh"])  # they increase as well, and numbers that differ stay apart, as good as all
PARTIAL = frozenset(["sqrt", "log", "log2", "log10", "log1p"])  # likewise, where they are numbers


PLACES = frozenset(["max_and_argmax", "min_and_argmin"])
SEEKING = frozenset(["eq", "ne", "result"])  # ops that may ask where an extreme is
VIEWS = frozenset(["spread", "squeeze", "reshape"])


def sought(x: Expr, axes: Sequence[int], partial: bool) -> Expr:
    """In what the place of the largest element of x along axes is sought, or of the smallest: below functions that increase,
    if one of them saturates; x itself if there is none. partial: whether they may be NaN of a number."""
    inner, saturates = x, False
    while True:
        name = inner.op.name
        if name in SATURATING or (name == "softmax" and tuple(inner.params["axes"]) == tuple(axes)):
            saturates = True
        elif name not in STEADY and not (partial and name in PARTIAL):
            return inner if saturates else x
        inner = inner.inputs[0]


def below_views(node: Expr) -> Expr:
    """What a node is a view of."""
    while node.op.name in VIEWS:
        node = node.inputs[0]
    return node


def is_extreme_of(node: Expr, x: Expr) -> bool:
    """Whether a node is the largest or the smallest element of rows of x."""
    extreme = below_views(node)
    return extreme.op.name in ("max", "min") and extreme.inputs[0] is x


def in_views(node: Expr, other: Expr) -> Expr:
    """Another node as what a node is a view of lies in it."""
    return rebuilt(node, (in_views(node.inputs[0], other),)) if node.op.name in VIEWS else other
