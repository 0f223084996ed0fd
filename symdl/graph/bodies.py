"""Graphs as values: the closed body of a loop or a branch, with leaves by position, so that equal bodies are equal.

A body knows nothing of the graph around it: what it uses of that comes in as an argument. Ops that hold bodies (scan,
ifelse) have them among their params.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from symdl.graph.expr import CONSTANT, RESULT, Expr, Op, make, rebuilt, register
from symdl.graph.origins import building
from symdl.graph.packing import pack, unpack_all
from symdl.graph.walks import topological
from symdl.records import record
from symdl.types import Dim, Results, TensorType, fresh_serial

PEELED = 8  # levels of arithmetic between a body and what it captures, which stage 3 may want to see in one piece
ARITHMETIC = ("elementwise", "composite", "view", "reshape", "position")


def _leaf(name: str) -> Op:
    return register(Op(name, "leaf", (), lambda *, type, **_: (type, ()), pullback=lambda *_, **__: ()))


PARAMETER = _leaf("parameter")  # params: position, type; the leaf of a body
ARGUMENT = _leaf("argument")  # params: id, type; what stands for a parameter while a body is being made


@record
class Body:
    """outputs as functions of leaves of the types of parameters."""

    parameters: tuple[TensorType, ...]
    outputs: tuple[Expr, ...]

    @cached_property
    def leaves(self) -> tuple[Expr, ...]:
        """The leaves, one a parameter."""
        return tuple(parameter(k, t) for k, t in enumerate(self.parameters))

    def __call__(self, *values: Expr) -> list[Expr]:
        """The outputs, with values for the leaves."""
        return moved(self.outputs, dict(zip(self.leaves, values, strict=True)))

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpacked, (self.parameters, pack(self.outputs))

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.parameters))}) -> ({', '.join(str(o.type) for o in self.outputs)})"


def _unpacked(parameters: tuple[TensorType, ...], outputs: Any) -> Body:
    return Body(parameters, tuple(unpack_all(outputs)))


def parameter(position: int, kind: TensorType) -> Expr:
    """The leaf of a body at a position."""
    with building(()):
        return make(PARAMETER, (), position=position, type=kind)


def argument(kind: TensorType, name: str | None = None) -> Expr:
    """A new leaf that stands for a parameter while a body is being made."""
    with building(()):
        leaf = make(ARGUMENT, (), id=fresh_serial(), type=kind)
    leaf.name = name
    return leaf


def moved(roots: Sequence[Expr], values: Mapping[Expr, Expr]) -> list[Expr]:
    """The roots with nodes replaced, the others keeping their lines and names; what is replaced is not entered."""
    done = dict(values)
    stack = list(reversed(roots))
    while stack:
        node = stack[-1]
        if node in done:
            stack.pop()
        elif missing := [i for i in node.inputs if i not in done]:
            stack.extend(reversed(missing))
        else:
            stack.pop()
            inputs = tuple(done[i] for i in node.inputs)
            if inputs == node.inputs:
                done[node] = node
                continue
            with building(node.origins):
                new = rebuilt(node, inputs)
            if node.name and not new.name:
                new.name = node.name
            done[node] = new
    return [done[r] for r in roots]


def dependent(roots: Sequence[Expr], leaves: Iterable[Expr]) -> set[Expr]:
    """The nodes below the roots that depend on leaves, these included."""
    found = set(leaves)
    for node in topological(*roots):
        if any(i in found for i in node.inputs):
            found.add(node)
    return found


def closed(outputs: Sequence[Expr], arguments: Sequence[Expr]) -> tuple[Body, list[Expr]]:
    """(the body of these outputs, what it captures): its parameters are the arguments, then what is captured.

    Captured is what does not depend on the arguments, but for constants, and for a few levels of arithmetic, which
    the algebra of stage 3 should see together with what uses them.
    """
    inside = dependent(outputs, arguments)
    frontier: dict[Expr, None] = {}
    for node in topological(*outputs):
        if node in inside:
            frontier.update((i, None) for i in node.inputs if i not in inside)
    frontier.update((o, None) for o in outputs if o not in inside)
    captured: dict[Expr, None] = {}
    level, seen = list(frontier), set(frontier)
    for depth in range(PEELED + 1):
        deeper: list[Expr] = []
        for node in level:
            if node.op is CONSTANT or (not node.inputs and node.op.kind == "position"):
                continue
            if node.op.kind in ARITHMETIC and node.inputs and depth < PEELED:
                deeper += [i for i in node.inputs if i not in seen]
                seen.update(node.inputs)
            else:
                captured[node] = None
        level = deeper
    captured = {n: None for n in topological(*outputs) if n in captured}
    types = [n.type for n in (*arguments, *captured)]
    leaves = [parameter(k, t) for k, t in enumerate(types)]
    body = moved(outputs, dict(zip((*arguments, *captured), leaves, strict=True)))
    return Body(tuple(types), tuple(body)), list(captured)


def branch_of(outputs: Sequence[Expr], common: set[Expr]) -> tuple[Body, list[Expr]]:
    """(the body of these outputs, what it captures): leaves, and what is common to several branches."""
    captured: dict[Expr, None] = {}
    stack, seen = list(outputs), set(outputs)
    while stack:
        node = stack.pop()
        plain = node.op is CONSTANT or (not node.inputs and node.op.kind == "position")
        whole = node.inputs[0] if node.op is RESULT else node
        shared = node in common or whole in common or whole.op.kind == "counted"  # sizes from data are known before
        if not plain and (not node.inputs or (shared and is_single(node))):
            captured[node] = None
            continue
        stack += [i for i in node.inputs if i not in seen]
        seen.update(node.inputs)
    order = [n for n in topological(*outputs) if n in captured]
    leaves = [parameter(k, n.type) for k, n in enumerate(order)]
    body = moved(outputs, dict(zip(order, leaves, strict=True)))
    return Body(tuple(n.type for n in order), tuple(body)), order


# ---- nodes that hold bodies ----


def bodies_of(node: Expr) -> list[Body]:
    """The bodies among a node's params."""
    if node.op.kind != "control":
        return []
    return [v for _, v in sorted(node.params.items()) if isinstance(v, Body)]


def with_bodies(node: Expr, change: Callable[[Body], Body]) -> Expr:
    """The node with its bodies changed."""
    params = {k: change(v) if isinstance(v, Body) else v for k, v in node.params.items()}
    if all(params[k] is v for k, v in node.params.items()):
        return node
    return make(node.op, node.inputs, **params)


def every_node(*roots: Expr) -> list[Expr]:
    """Every node once, those inside bodies too, before the node that holds them."""
    nodes = topological(*roots)
    if not any(n.op.kind == "control" for n in nodes):
        return nodes
    found: dict[Expr, None] = {}
    stack: list[tuple[Iterator[Expr], Expr | None]] = [(iter(nodes), None)]
    while stack:
        inner, holder = stack[-1]
        for node in inner:
            if node in found:
                continue
            if node.op.kind == "control" and (bodies := bodies_of(node)):
                stack.append((iter(topological(*(o for b in bodies for o in b.outputs))), node))
                break
            found[node] = None
        else:
            stack.pop()
            if holder is not None:
                found.setdefault(holder)
    return list(found)


def is_single(node: Expr) -> bool:
    """Whether a node is one tensor, not several results."""
    return not isinstance(node.type, Results)


def mapped_extents(value: Any, change: Callable[[Any], Any]) -> Any:
    """A param with each unknown extent in it changed."""
    if isinstance(value, Dim):
        return change(value)
    if type(value) is tuple:
        return tuple(mapped_extents(v, change) for v in value)
    return value


def result(node: Expr, index: int) -> Expr:
    """One result of a node with several."""
    return make(RESULT, (node,), index=index)
