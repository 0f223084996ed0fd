"""Segments: a graph cut where the sizes of arrays depend on data, so that each part has sizes known at its entry.

A node of kind "counted" (the places of the nonzero elements, the distinct values) has axes as long as its operands'
values say. It is computed between two compiled parts: what it is made of is the result of a part of its own, its own
results are inputs of the parts that follow, which bind its sizes like those of any input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from symdl.graph.expr import VARIABLE, Expr, come_from, make, rebuilt, results, short
from symdl.graph.origins import building
from symdl.graph.walks import levels
from symdl.pipeline.compilation import Graph
from symdl.records import record
from symdl.runtime.failures import add_place
from symdl.runtime.inputs import Array
from symdl.runtime.runs import Run, Way
from symdl.types import Results, fresh_serial


@record
class Cut:
    """A part that comes before others: graph's outputs are the operands of the nodes, one after the other."""

    graph: Graph
    nodes: tuple[Expr, ...]


def segmented(graph: Graph) -> tuple[tuple[Cut, ...], Graph]:
    """The parts in order, and what remains, whose inputs are the graph's and then the results of all cut nodes."""
    level = levels(*graph.roots)
    if not any(level.values()):
        return (), graph
    order = list(level)
    cuts: list[Cut] = []
    replaced: dict[Expr, Expr] = {}
    inputs = list(graph.inputs)
    for depth in range(1, max(level.values()) + 1):
        nodes = tuple(n for n in order if n.op.kind == "counted" and level[n] == depth)
        operands = _without([i for n in nodes for i in n.inputs], replaced)
        cuts.append(Cut(replace(graph, inputs=tuple(inputs), outputs=tuple(operands), updates=()), nodes))
        for n in nodes:
            made = [_leaf(r, n) for r in results(n)]
            replaced.update(zip(results(n), made, strict=True))
            inputs += made
    roots = _without(graph.roots, replaced)
    count = len(graph.outputs)
    updates = tuple((old, new) for (old, _), new in zip(graph.updates, roots[count:], strict=True))
    return tuple(cuts), replace(graph, inputs=tuple(inputs), outputs=tuple(roots[:count]), updates=updates)


def _leaf(result: Expr, node: Expr) -> Expr:
    """What stands for a result of a cut node."""
    with building(node.origins):
        leaf = make(VARIABLE, (), id=fresh_serial(), type=result.type)
    leaf.name = short(result, 2)
    come_from(leaf, node.origins)
    return leaf


def _without(roots: Sequence[Expr], replaced: dict[Expr, Expr]) -> list[Expr]:
    """The roots with leaves for what is cut. What lies above the leaves is not entered."""
    done = dict(replaced)
    stack = list(reversed(roots))
    while stack:
        n = stack[-1]
        if n in done:
            stack.pop()
        elif missing := [i for i in n.inputs if i not in done]:
            stack += reversed(missing)
        else:
            stack.pop()
            with building(n.origins):
                done[n] = rebuilt(n, tuple(done[i] for i in n.inputs))
            if n.name and not done[n].name:
                done[n].name = n.name
    return [done[r] for r in roots]


class Segment:
    """A cut, ready to run: of the inputs so far and the shared values, the results of its nodes."""

    def __init__(self, cut: Cut, way: Way, device: str = "cpu") -> None:
        self.cut, self.run = cut, Run(cut.graph, way, device=device)

    def __call__(self, arrays: Sequence[Any], values: Sequence[Any]) -> list[Array]:
        operands = iter(self.run(arrays, values))
        made: list[Array] = []
        for n in self.cut.nodes:
            assert n.op.reference is not None, n.op  # ops of this kind are their reference
            try:
                found = n.op.reference(
                    *(next(operands) for _ in n.inputs), **{k: v for k, v in n.params.items() if k != "count"}
                )
            except Exception as error:
                add_place(error, n)
                raise
            several = isinstance(n.type, Results)
            types = n.type.types if several else (n.type,)
            for array, kind in zip(found if several else (found,), types, strict=True):
                made.append(np.ascontiguousarray(array, kind.dtype))
        return made
