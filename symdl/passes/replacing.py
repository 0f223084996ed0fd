"""Graphs with other nodes in the place of some: what clone, givens to a part of a graph, and graphs used as ops are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, overload

from symdl.errors import InputError, ShapeError
from symdl.graph.bodies import Body, every_node
from symdl.graph.expr import VARIABLE, Expr, as_expr, described, make
from symdl.graph.origins import building
from symdl.ops.declare import cast_to
from symdl.types import Dim, Extent, Symbol, TensorType, replace_symbols, sole_symbol


def replaced(roots: Sequence[Expr], values: Mapping[Expr, Expr]) -> list[Expr]:
    """The roots with values in the place of nodes. Extents of a node become those of its value; lines are kept."""
    table: dict[Symbol, Extent] = {}
    for x, value in values.items():
        for old, new in zip(x.type.shape, value.type.shape, strict=True):
            if (s := sole_symbol(old)) is not None:
                table[s] = new

    def change(value: Any) -> Any:
        if isinstance(value, Dim):
            return replace_symbols(value, table)
        if isinstance(value, TensorType):
            return TensorType(value.dtype, change(value.shape))
        if isinstance(value, Body):
            return Body(change(value.parameters), tuple(through(value.outputs)))
        return tuple(map(change, value)) if type(value) is tuple else value

    done = dict(values)

    def through(nodes: Sequence[Expr]) -> list[Expr]:
        stack = list(reversed(nodes))
        while stack:
            n = stack[-1]
            if n in done:
                stack.pop()
            elif missing := [i for i in n.inputs if i not in done]:
                stack += reversed(missing)
            else:
                stack.pop()
                fixed = n.op is VARIABLE or not (table or done)
                params = n.params if fixed else {k: change(v) for k, v in n.params.items()}
                inputs = tuple(done[i] for i in n.inputs)
                with building(n.origins):
                    done[n] = n if inputs == n.inputs and params == n.params else make(n.op, inputs, **params)
                if n.name and not done[n].name:
                    done[n].name = n.name
        return [done[n] for n in nodes]

    return through(roots)


@overload
def graph_replace(outputs: Expr, replace: Mapping[Expr, Any], strict: bool = ...) -> Expr: ...
@overload
def graph_replace(outputs: Sequence[Expr], replace: Mapping[Expr, Any], strict: bool = ...) -> list[Expr]: ...
def graph_replace(
    outputs: Expr | Sequence[Expr], replace: Mapping[Expr, Any], strict: bool = True
) -> Expr | list[Expr]:
    """The outputs with other expressions in the place of nodes of their graph, inputs or not, all at once.

    Each takes the dtype of what it replaces and has as many axes. Raises ShapeError where it has not, and, if strict,
    InputError for a node that is in none of the graphs.
    """
    roots = [outputs] if isinstance(outputs, Expr) else list(outputs)
    values: dict[Expr, Expr] = {}
    for node, value in replace.items():
        new = cast_to(as_expr(value), node.type.dtype)
        if new.type.ndim != node.type.ndim:
            raise ShapeError(
                f"graph_replace: {new!r} has {new.type.ndim} axes, {node!r} has {node.type.ndim}",
                [described(node), described(new)],
            )
        values[node] = new
    if strict:
        inside = set(every_node(*roots))
        if missing := [n for n in values if n not in inside]:
            raise InputError(
                f"graph_replace: {missing[0]!r} is not in the graph",
                [described(missing[0])],
                "strict=False lets it pass.",
            )
    found = replaced(roots, values)
    return found[0] if isinstance(outputs, Expr) else found


@overload
def clone(output: Expr, replace: Mapping[Expr, Any] | Iterable[tuple[Expr, Any]] | None = ...) -> Expr: ...
@overload
def clone(
    output: Sequence[Expr], replace: Mapping[Expr, Any] | Iterable[tuple[Expr, Any]] | None = ...
) -> list[Expr]: ...
def clone(
    output: Expr | Sequence[Expr], replace: Mapping[Expr, Any] | Iterable[tuple[Expr, Any]] | None = None
) -> Expr | list[Expr]:
    """Theano's clone: the output, or outputs, with nodes replaced. What is not in the graph is passed over.

    Expressions never change, so without replacements the result is the output itself.
    """
    return graph_replace(output, dict(replace or {}), strict=False)
