"""The oracle: NumPy, one op at a time. Slow and obviously right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symdl import form_arithmetic
from symdl.errors import InternalError, ShapeError
from symdl.graph.bodies import Body, every_node
from symdl.graph.expr import CONSTANT, VARIABLE, Expr, explained
from symdl.graph.walks import conclude, levels, topological
from symdl.number_forms import WIDE
from symdl.ops.extents import value_symbol
from symdl.passes.rewrite import expanded
from symdl.types import Dim, Results, Symbol, TensorType, size_at, sole_symbol, symbols


def bind(values: Mapping[Expr, Any], roots: Sequence[Expr] = ()) -> dict[Symbol, int]:
    """The number of every symbol, read off the arrays' shapes and the values of integer scalars. roots: nodes as the user
    wrote them, whose facts may tell of more symbols."""
    sizes: dict[Symbol, int] = {}
    for leaf, array in values.items():
        for extent, n in zip(leaf.type.shape, np.shape(array), strict=True):
            if (s := sole_symbol(extent)) is not None:
                sizes[s] = n
        if leaf.op is VARIABLE and not leaf.type.shape and leaf.type.dtype[0] in "iu":
            sizes[sole_symbol(value_symbol(leaf))] = int(array)  # type: ignore[index]  # it is a symbol
    conclude(every_node(*roots), sizes)
    return sizes


def concrete(value: Any, sizes: Mapping[Symbol, int]) -> Any:
    """A parameter with its extents as numbers."""
    if isinstance(value, Dim):
        return size_at(value, sizes)
    return tuple(concrete(v, sizes) for v in value) if type(value) is tuple else value


def check(node: Expr, sizes: Mapping[Symbol, int]) -> None:
    """Raise ShapeError where a fact that a node rests on does not hold at these sizes. What they leave open passes."""
    for fact in node.facts:
        if not (symbols(fact.left) | symbols(fact.right)) <= sizes.keys():
            continue
        left, right = size_at(fact.left, sizes), size_at(fact.right, sizes)
        if left != right and not (fact.relation == "<=" and left < right):
            raise explained(
                ShapeError(fact.why.replace("{left}", str(left)).replace("{right}", str(right))), node.inputs
            )


def counted(node: Expr, arrays: Sequence[Any], sizes: dict[Symbol, int]) -> Any:
    """What a node makes whose sizes depend on data; its size is entered."""
    assert node.op.reference is not None, node.op  # ops of this kind are their reference
    made = node.op.reference(*arrays, **{k: v for k, v in node.params.items() if k != "count"})
    types = node.type.types if isinstance(node.type, Results) else (node.type,)
    for kind, array in zip(types, made if isinstance(made, tuple) else (made,), strict=True):
        for extent, n in zip(kind.shape, array.shape, strict=True):
            if (s := sole_symbol(extent)) is not None:
                sizes.setdefault(s, n)
    return made


def uses_number_forms(node: Expr) -> bool:
    """Whether an operand or a result of a node is of a number form."""
    types = (*(i.type for i in node.inputs), node.type)
    return any(t.dtype in WIDE for t in types if isinstance(t, TensorType))


def evaluate(outputs: Sequence[Expr], values: Mapping[Expr, Any]) -> list[Any]:
    """The outputs' arrays, given the leaves'. Composite ops are computed from their bodies, as compiled code does.

    Raises ShapeError where the arrays' extents contradict what the graph rests on.
    """
    env: dict[Expr, Any] = {leaf: np.asarray(v, leaf.type.dtype) for leaf, v in values.items()}
    sizes = bind(env, outputs)
    for node in every_node(*outputs):  # the user's own nodes: an expansion need not rest on the same facts
        check(node, sizes)
    with np.errstate(all="ignore"):
        return Evaluation(sizes).computed(outputs, env)


class Evaluation:
    """Graphs being computed at known sizes; it computes bodies for the ops that hold them."""

    def __init__(self, sizes: dict[Symbol, int]) -> None:
        self.sizes = sizes
        self.orders: dict[tuple[Expr, ...], tuple[list[Expr], list[Expr]]] = {}  # roots -> expanded, all nodes in order

    def __call__(self, body: Body, arrays: Sequence[Any]) -> list[Any]:
        """The outputs of a body on arrays."""
        return self.computed(body.outputs, dict(zip(body.leaves, arrays, strict=True)))

    def empty(self, kind: TensorType) -> Any:
        """No rows of a type."""
        return np.empty((0, *(size_at(n, self.sizes) for n in kind.shape)), kind.dtype)

    def computed(self, outputs: Sequence[Expr], env: dict[Expr, Any]) -> list[Any]:
        """The outputs' arrays; env holds what is known, and grows."""
        sizes = self.sizes
        key = tuple(outputs)
        if key not in self.orders:
            counts = [n for n in levels(*outputs) if n.op.kind == "counted"]  # they decide sizes of others
            made = expanded([*counts, *outputs])
            self.orders[key] = made[len(counts) :], topological(*made)
        outputs, order = self.orders[key]
        for node in order:
            if node in env:
                continue
            if node.op is CONSTANT:
                env[node] = node.params["value"].array
                continue
            if node.op is VARIABLE or node.op.reference is None:
                raise InternalError(f"evaluate: no value for {node!r}")
            arrays = [env[i] for i in node.inputs]
            if node.op.kind == "counted":
                env[node] = counted(node, arrays, sizes)
                continue
            params = {k: concrete(v, sizes) for k, v in node.params.items()}
            if node.op.kind == "control":
                params["run"] = self
            if uses_number_forms(node):
                kinds = [i.type.dtype for i in node.inputs]
                env[node] = form_arithmetic.computed(node.op, arrays, kinds, params, node.type)
            else:
                env[node] = node.op.reference(*arrays, **params)
        return [np.asarray(env[o]) for o in outputs]
