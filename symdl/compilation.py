"""The pipeline as one readable page: expressions -> sizes -> stabilized -> simplified -> Program -> machine code."""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from time import perf_counter

from symdl.artifact import Artifact, BadArtifact
from symdl.backends.cpu import CpuBackend, CpuExecutable
from symdl.collector import collector_paused
from symdl.config import config
from symdl.digest import NoDigest, digest
from symdl.dims import Sizes, canonical_sizes, with_sizes
from symdl.epilogues import with_epilogues
from symdl.events import Stages, logger
from symdl.expr import CONSTANT, Expr, place_of, topological
from symdl.fuse import steps
from symdl.loops import View
from symdl.lower import Memory
from symdl.meaning import stabilized
from symdl.memory import in_place, plan, reused
from symdl.parallel import parallel
from symdl.program import Binding, Check, Program, verify
from symdl.rewrite import Origins, expanded
from symdl.rules.folding import folded
from symdl.rules.masks import masks_of_results
from symdl.rules.products import matrix_products
from symdl.rules.simplify import simplified
from symdl.schedule import scheduled


@dataclass(frozen=True)
class Graph:
    """What a function is made of: the user's own expressions."""

    inputs: tuple[Expr, ...]
    shareds: tuple[Expr, ...]
    outputs: tuple[Expr, ...]
    updates: tuple[tuple[Expr, Expr], ...]  # (shared value, its new value)
    precision: str = "plain"  # or "right": number forms where digits or range are at stake

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
def lowered(graph: Graph, stable: bool = True, blocks: bool = True) -> Lowered:
    """The stages from the user's graph to a verified Program. stable=False leaves stage 3 out: the formulas as written;
    blocks=False leaves the loops as fusion makes them, none of them parallel."""
    stages = Stages()
    nodes = tuple(topological(*graph.roots))
    origins: Origins = {n: frozenset([k]) for k, n in enumerate(nodes)}
    leaves = [*graph.inputs, *graph.shareds]
    fixed = frozenset(range(len(graph.inputs), len(leaves)))  # a shared value keeps its own shape
    sizes = canonical_sizes(leaves, fixed, nodes)
    renamed = with_sizes([*graph.roots, *leaves], sizes.table, {}, origins)
    roots, places = renamed[: len(graph.roots)], renamed[len(graph.roots) :]
    stages.done("sizes", lambda: f"{len(nodes)} nodes")
    if stable:
        roots = stabilized(roots, origins, right=graph.precision == "right")
        stages.done("stabilize", lambda: _counted(roots))
    roots = simplified(roots, origins)
    roots = expanded(matrix_products(roots, origins), origins)
    roots = masks_of_results(folded(simplified(roots, origins), origins), origins)
    stages.done("simplify", lambda: _counted(roots))
    constants = tuple(n for n in topological(*roots) if n.op is CONSTANT and n.type.shape)
    program = _program(graph, roots, places, constants, sizes, origins, blocks)
    stages.done("fuse and order", lambda: f"{len(program.steps)} steps, {len(program.offsets)} temporary values")
    source = {n: nodes[min(origins[n])] for n in topological(*roots) if origins.get(n)}
    return Lowered(graph, nodes, sizes, tuple(roots), source, program, constants)


def _counted(roots: Sequence[Expr]) -> str:
    return f"{sum(1 for _ in topological(*roots))} nodes"


def _program(
    graph: Graph,
    roots: Sequence[Expr],
    places: Sequence[Expr],
    constants: Sequence[Expr],
    sizes: Sizes,
    origins: Origins,
    blocks: bool,
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
    program = with_epilogues(reused(scheduled(in_place(program, commits))))
    program = plan(parallel(program) if blocks else program)
    verify(program)
    return program


@collector_paused()
def compiled(form: Lowered, backend: CpuBackend) -> CpuExecutable:
    """Machine code for a lowered function."""
    return backend.compile(form.program, [c.params["value"].array for c in form.constants])


@dataclass(frozen=True)
class Compiled:
    """A function in machine code; form is None where the code was found in the cache."""

    executable: CpuExecutable
    nodes: tuple[Expr, ...]  # the user's nodes; failures name them by number
    form: Lowered | None


@collector_paused()
def found_or_compiled(graph: Graph, backend: CpuBackend, store: MutableMapping[str, bytes] | None) -> Compiled:
    """Machine code for the user's graph: of an equal graph, if the store has it; else by all stages, and stored."""
    start = perf_counter()
    made = _found_or_compiled(graph, backend, store)
    if logger.isEnabledFor(logging.INFO):
        where = next(filter(None, (place_of(r) for r in graph.roots)), "a function")
        took, size = 1e3 * (perf_counter() - start), len(made.executable.code)
        if made.form is None:
            logger.info("loaded %s in %.1f ms: %d bytes of code from the cache", where, took, size)
        else:
            kept = "no cache" if store is None else "not in the cache"
            steps = len(made.form.program.steps)
            logger.info("compiled %s in %.1f ms: %d steps, %d bytes of code (%s)", where, took, steps, size, kept)
    return made


def _found_or_compiled(graph: Graph, backend: CpuBackend, store: MutableMapping[str, bytes] | None) -> Compiled:
    nodes = tuple(topological(*graph.roots))
    key = None if store is None else key_of(graph, nodes, backend)
    data = None if store is None or key is None else store.get(key)
    if data is not None:
        try:
            return Compiled(loaded(Artifact.unpacked(data), graph, nodes, backend), nodes, None)
        except BadArtifact as error:
            logger.info("cache: an entry is of no use and is made anew: %s", error)
    with backend.preparing({n.type.dtype for n in nodes if n.op.kind == "contraction"}):
        form = lowered(graph)
        executable = compiled(form, backend)
    if store is not None and key is not None:
        number = {n: k for k, n in enumerate(nodes)}
        constants = tuple(number.get(c, c.params["value"].array) for c in form.constants)
        store[key] = Artifact(executable.interface, executable.code, constants).packed()
    return Compiled(executable, nodes, form)


def key_of(graph: Graph, nodes: Sequence[Expr], backend: CpuBackend) -> str | None:
    """All that the code of a graph depends on, as a text; None where a part of the graph has no text of its own."""
    layout = (
        len(graph.inputs),
        graph.outputs,
        graph.updates,
        graph.precision,
        config.floatX,
    )  # a composite's body may ask for floatX
    try:
        return f"function {digest((*graph.inputs, *graph.shareds), nodes, layout)} {backend.fingerprint()}"
    except NoDigest as reason:
        logger.debug("cache: not used: %s", reason)
        return None


def loaded(kept: Artifact, graph: Graph, nodes: Sequence[Expr], backend: CpuBackend) -> CpuExecutable:
    """Stored code for an equal graph. Raises BadArtifact where it does not have the graph's inputs and outputs."""
    interface = kept.interface
    buffers = interface.of_kind("input"), interface.of_kind("shared"), interface.of_kind("output")
    for side, exprs in zip(buffers, (graph.inputs, graph.shareds, graph.outputs), strict=True):
        if [(b.dtype, len(b.shape)) for b in side] != [(e.type.dtype, e.type.ndim) for e in exprs]:
            raise BadArtifact("it is made for other inputs or outputs")
    constants = []
    for c in kept.constants:
        if isinstance(c, int):
            if not (0 <= c < len(nodes) and nodes[c].op is CONSTANT):
                raise BadArtifact(f"node {c} is no constant")
            c = nodes[c].params["value"].array
        constants.append(c)
    return backend.load(interface, kept.code, constants)
