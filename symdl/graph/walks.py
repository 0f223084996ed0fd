"""Walks through a graph: every node once, operands before users, and a copy of it with nodes replaced."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from symdl.graph.expr import WITH_COUNTS, Expr, counted_nodes, rebuilt
from symdl.types import Dim, Results, Shape, Symbol, TensorType, replace_symbols, sole_symbol, symbols


class Walked(threading.local):
    """The graph that this thread has walked through last, by its roots: (roots, nodes), or None outside of `walks_remembered`."""

    last: tuple[tuple[Expr, ...], list[Expr]] | None = None


_walked = Walked()
WORTH_KEEPING = 64  # nodes: small graphs, as of one rule, do not push out the large one


@contextmanager
def walks_remembered() -> Iterator[None]:
    """Inside, who asks for the order of the graph that was asked for last finds it: two of three passes of a compilation, and
    three of four walks to a function whose code is known."""
    before, _walked.last = _walked.last, ((), [])
    try:
        yield
    finally:
        _walked.last = before


def topological(*roots: Expr) -> list[Expr]:
    """Every node once, inputs before users. Iterative: deep graphs must not exhaust the stack."""
    last = _walked.last
    if last is not None and last[0] == roots:
        return last[1].copy()
    found: dict[Expr, None] = {}  # no generator: a dozen passes over a graph begin with this
    stack = list(reversed(roots))
    while stack:
        node = stack[-1]
        if node not in found:
            if inputs := node.inputs:
                height = len(stack)
                for i in inputs[::-1]:
                    if i not in found:
                        stack.append(i)  # noqa: PERF401  # a comprehension is a call, at each node twice
                if len(stack) > height:
                    continue
            found[node] = None
        stack.pop()
    nodes = list(found)
    if last is not None and len(nodes) >= WORTH_KEEPING:
        _walked.last = roots, nodes.copy()
    return nodes


def new_extents(node: Expr, seen: set[Any]) -> list[Dim]:
    """The unknown extents in the type and parameters of a node that are not in seen yet, which they enter."""
    found: list[Dim] = []
    stack: list[Any] = [*node.params.values(), node.type]
    if len(stack) == 1 and type(node.type) is TensorType:  # nearly all nodes name what their inputs name
        stack = [n for n in node.type.shape if type(n) is not int and n not in seen]
    while stack:
        v = stack.pop()
        if isinstance(v, Dim):
            if v not in seen:
                seen.add(v)
                found.append(v)
        elif isinstance(v, TensorType):
            stack += v.shape
        elif isinstance(v, Results):
            stack += v.types
        elif type(v) is tuple:
            stack += v
    return found


def conclude(nodes: Sequence[Expr], table: dict[Symbol, Any]) -> None:
    """Add to table the symbols of no leaf that a fact equates with what leaves have: d (v W) / d W is as wide as v. A size
    that data decide is left to them."""
    counted = {
        s for node in nodes if node.op.kind == "counted" for extent in new_extents(node, set()) for s in symbols(extent)
    }
    facts = [fact for node in nodes for fact in node.facts if fact.relation == "=="]
    before = -1
    while before != len(table):
        before = len(table)
        for fact in facts:
            for one, other in ((fact.left, fact.right), (fact.right, fact.left)):
                s = sole_symbol(one)
                if s and not s.signed and s not in table and s not in counted and symbols(other) <= table.keys():
                    table[s] = replace_symbols(other, table)


def levels(*roots: Expr) -> dict[Expr, int]:
    """Every node, operands before users, and how many counted nodes stand above one another up to it.

    Counted nodes are entered, too, of which only the sizes are in the graph.
    """
    if not WITH_COUNTS:
        return dict.fromkeys(topological(*roots), 0)
    found: dict[Expr, int] = {}
    sizing: dict[Expr, list[Expr]] = {}  # the counted nodes that the extents of a node name
    by_shape: dict[Shape, list[Expr]] = {}

    def counts_of(n: Expr) -> list[Expr]:
        if n.params or type(n.type) is not TensorType:
            return [m for e in new_extents(n, set()) for m in counted_nodes(e) if m is not n]
        shape = n.type.shape  # no counted node has no params
        if shape not in by_shape:
            by_shape[shape] = [m for e in new_extents(n, set()) for m in counted_nodes(e)]
        return by_shape[shape]

    stack = list(reversed(roots))
    while stack:
        n = stack[-1]
        if n in found:
            stack.pop()
            continue
        counts = sizing.get(n)
        if counts is None:
            counts = sizing[n] = counts_of(n)
        before = [*n.inputs, *counts] if counts else n.inputs
        if missing := [i for i in before if i not in found]:
            stack += reversed(missing)
        else:
            stack.pop()
            found[n] = max([found[i] for i in before], default=0) + (n.op.kind == "counted")
    return found


def substitute(roots: Sequence[Expr], values: Mapping[Expr, Expr]) -> list[Expr]:
    """The roots with nodes replaced; what is replaced is not entered."""
    done = dict(values)
    for node in topological(*roots):
        if node not in done:
            new = rebuilt(node, tuple(done[i] for i in node.inputs))
            if new is not node and node.name and not new.name:
                new.name = node.name
            done[node] = new
    return [done[r] for r in roots]
