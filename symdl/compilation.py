"""The pipeline as one readable page: expressions -> sizes -> stabilized -> simplified -> Program -> machine code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from symdl.backends.cpu import CpuBackend, CpuExecutable
from symdl.collector import collector_paused
from symdl.dims import Sizes, canonical_sizes, with_sizes
from symdl.expr import CONSTANT, Expr, topological
from symdl.fuse import steps
from symdl.loops import View
from symdl.lower import Memory
from symdl.meaning import stabilized
from symdl.memory import in_place, plan
from symdl.program import Binding, Check, Program, verify
from symdl.rewrite import Origins, expanded
from symdl.rules.folding import folded
from symdl.rules.products import matrix_products
from symdl.rules.simplify import simplified


@dataclass(frozen=True)
class Graph:
    """What a function is made of: the user's own expressions."""

    inputs: tuple[Expr, ...]
    shareds: tuple[Expr, ...]
    outputs: tuple[Expr, ...]
    updates: tuple[tuple[Expr, Expr], ...]  # (shared value, its new value)

    @property
    def roots(self) -> tuple[Expr, ...]:
        return (*self.outputs, *(new for _, new in self.updates))


@dataclass(frozen=True)
class Lowered:
    """Every form of one function, from the user's graph to its Program."""

    graph: Graph
    nodes: tuple[Expr, ...]  # the user's nodes; a Program knows them by number
    sizes: Sizes
    final: tuple[Expr, ...]  # the roots as they are run
    source: Mapping[Expr, Expr]  # a node as it is run -> the user's node that it comes from, the first of several
    program: Program
    constants: tuple[Expr, ...]  # array constants, arguments of the code


@collector_paused()
def lowered(graph: Graph, stable: bool = True) -> Lowered:
    """The stages from the user's graph to a verified Program. stable=False leaves stage 3 out: the formulas as written."""
    nodes = tuple(topological(*graph.roots))
    origins: Origins = {n: frozenset([k]) for k, n in enumerate(nodes)}
    leaves = [*graph.inputs, *graph.shareds]
    fixed = frozenset(range(len(graph.inputs), len(leaves)))  # a shared value keeps its own shape
    sizes = canonical_sizes(leaves, fixed, nodes)
    renamed = with_sizes([*graph.roots, *leaves], sizes.table, {}, origins)
    roots, places = renamed[: len(graph.roots)], renamed[len(graph.roots) :]
    if stable:
        roots = stabilized(roots, origins)
    roots = simplified(roots, origins)
    roots = expanded(matrix_products(roots, origins), origins)
    roots = folded(simplified(roots, origins), origins)
    constants = tuple(n for n in topological(*roots) if n.op is CONSTANT and n.type.shape)
    program = _program(graph, roots, places, constants, sizes, origins)
    source = {n: nodes[min(origins[n])] for n in topological(*roots) if origins.get(n)}
    return Lowered(graph, nodes, sizes, tuple(roots), source, program, constants)


def _program(
    graph: Graph,
    roots: Sequence[Expr],
    places: Sequence[Expr],
    constants: Sequence[Expr],
    sizes: Sizes,
    origins: Origins,
) -> Program:
    memory = Memory(origins)
    count, outputs, news = len(graph.inputs), roots[: len(graph.outputs)], roots[len(graph.outputs) :]
    at = [
        memory.buffer("input" if k < count else "shared", leaf.type.dtype, leaf.type.shape)
        for k, leaf in enumerate(places)
    ]
    views: dict[Expr, View] = dict(zip(places, at, strict=True))
    views.update((c, memory.buffer("constant", c.type.dtype, c.type.shape)) for c in constants)
    targets: list[tuple[Expr, View]] = [(r, memory.buffer("output", r.type.dtype, r.type.shape)) for r in outputs]
    lying = dict(targets) | views  # an update by one of these needs no memory of its own
    sources: list[View] = []  # where the new value of each update lies
    for r in news:
        if r not in lying:
            targets.append((r, memory.buffer("temp", r.type.dtype, r.type.shape)))
        sources.append(lying[r] if r in lying else targets[-1][1])
    late = frozenset(range(len(outputs), len(targets)))
    body = steps(targets, views, memory, late)
    program = Program(
        memory.buffers,
        tuple(Binding(b.symbol, at[b.leaf].buffer, b.axis) for b in sizes.bindings),
        tuple(Check(c.fact, c.node) for c in sizes.checks),
        tuple(body),
        tuple(memory.failures),
    )
    of = dict(zip([*graph.inputs, *graph.shareds], at, strict=True))
    commits = [(source, of[shared]) for (shared, _), source in zip(graph.updates, sources, strict=True)]
    program = plan(in_place(program, commits))
    verify(program)
    return program


@collector_paused()
def compiled(form: Lowered, backend: CpuBackend) -> CpuExecutable:
    """Machine code for a lowered function."""
    return backend.compile(form.program, [c.params["value"].array for c in form.constants])
