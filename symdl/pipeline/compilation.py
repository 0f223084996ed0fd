"""The pipeline as one readable page: expressions -> sizes -> stabilized -> simplified -> Program -> machine code."""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from time import perf_counter
from typing import Any

from symdl.backends.base import Backend, Executable
from symdl.backends.forks import gate
from symdl.backends.routines import Routine
from symdl.config import config
from symdl.convolution import PRODUCTS
from symdl.events import Stages, logger
from symdl.graph.bodies import every_node
from symdl.graph.expr import CONSTANT, OPS, Expr, Op, place_of
from symdl.graph.walks import walks_remembered
from symdl.ir.arena import plan
from symdl.ir.epilogues import with_epilogues
from symdl.ir.loops import View
from symdl.ir.memory import in_outputs, in_place, reused
from symdl.ir.parallel import parallel
from symdl.ir.patches import patched
from symdl.ir.program import Binding, Check, Program, verify
from symdl.ir.schedule import scheduled
from symdl.lowering.lower import Memory
from symdl.lowering.regions import steps
from symdl.meaning import Record, stabilized
from symdl.passes.dims import Sizes, canonical_sizes, with_sizes
from symdl.passes.loop_parts import has_bodies, in_bodies, in_bodies_of, in_every_body, stored_leaves
from symdl.passes.motion import improved
from symdl.passes.rewrite import Origins, RulePass, expanded
from symdl.passes.unrolled import unrolled
from symdl.pipeline.artifact import Artifact, BadArtifact
from symdl.pipeline.collector import collector_paused
from symdl.pipeline.digest import NoDigest, digest
from symdl.records import record
from symdl.rules.folding import folded
from symdl.rules.masks import masks_of_results
from symdl.rules.products import matrix_products
from symdl.rules.simplify import SIMPLIFY, simplified
from symdl.types import Results, TensorType, forget


@record
class Graph:
    """What a function is made of: the user's own expressions."""

    inputs: tuple[Expr, ...]
    shareds: tuple[Expr, ...]
    outputs: tuple[Expr, ...]
    updates: tuple[tuple[Expr, Expr], ...]  # (shared value, its new value)
    precision: str = "plain"  # or "right": number forms where digits or range are at stake
    float_semantics: str = "mathematical"  # or "strict": no deviation from IEEE arithmetic as written

    @property
    def roots(self) -> tuple[Expr, ...]:
        return (*self.outputs, *(new for _, new in self.updates))


@record
class Lowered:
    """Every form of one function, from the user's graph to its Program."""

    graph: Graph
    nodes: tuple[Expr, ...]  # the user's nodes; a Program knows them by number
    sizes: Sizes
    final: tuple[Expr, ...]  # the roots as they are run
    source: Mapping[Expr, Expr]  # a node as it is run -> the user's node that it comes from, the first of several
    program: Program
    constants: tuple[Expr, ...]  # array constants, arguments of the code
    routines: tuple[Expr, ...] = ()  # what its Calls of routines compute, by number


@record
class Rewritten:
    """A function's graph as it is run, each node still an expression."""

    nodes: tuple[Expr, ...]  # the user's
    sizes: Sizes
    roots: tuple[Expr, ...]
    written: tuple[Expr, ...]  # the roots before they were rewritten
    places: tuple[Expr, ...]  # inputs and shared values as they stand in the graph
    origins: Origins

    def user(self, node: Expr) -> Expr | None:
        """The user's node that a node comes from: the first that is no leaf, since a number is everywhere the same one."""
        own = self.origins.get(node)
        if not own:
            return None
        found = min(own & self.computed, default=None)
        if found is None:
            found = min((k for k in own if k < len(self.nodes)), default=None)  # larger numbers are a Record's
        return None if found is None else self.nodes[found]

    @cached_property
    def computed(self) -> frozenset[int]:
        """The numbers of the user's nodes that are no leaves."""
        return frozenset(k for k, n in enumerate(self.nodes) if n.inputs)

    @property
    def source(self) -> dict[Expr, Expr]:
        """A node as it is run -> the user's node that it comes from."""
        return {n: own for n in every_node(*self.roots) if (own := self.user(n)) is not None}


def rewritten(
    graph: Graph, stable: bool = True, stages: Stages | None = None, record: Record | None = None
) -> Rewritten:
    """The stages that are mathematics: sizes, stabilization, simplification. record: is told what stabilization did."""
    stages = stages or Stages()
    nodes = tuple(every_node(*graph.roots))
    origins: Origins = {n: frozenset([k]) for k, n in enumerate(nodes)}
    leaves = [*graph.inputs, *graph.shareds]
    fixed = frozenset(range(len(graph.inputs), len(leaves)))  # a shared value keeps its own shape
    sizes = canonical_sizes(leaves, fixed, nodes)
    renamed = with_sizes([*graph.roots, *leaves], sizes.table, {}, origins)
    written, places = renamed[: len(graph.roots)], renamed[len(graph.roots) :]
    roots = written
    stages.done("sizes", lambda: f"{len(nodes)} nodes")
    if stable:
        if graph.precision == "right" and has_bodies(roots):
            roots = in_every_body(roots, origins, lambda r: unrolled(r, origins))
        strict = graph.float_semantics == "strict"
        roots = stable_everywhere(roots, origins, graph.precision == "right", record, strict)
        stages.done("stabilize", lambda: _counted(roots))
    if has_bodies(roots):
        roots = improved(in_every_body(roots, origins, lambda r: expanded(simplified(r, origins), origins)), origins)
        stages.done("loops", lambda: _counted(roots))
    roots = simple_everywhere(roots, origins)
    stages.done("simplify", lambda: _counted(roots))
    return Rewritten(nodes, sizes, tuple(roots), tuple(written), tuple(places), origins)


def stable_everywhere(
    roots: Sequence[Expr],
    origins: Origins,
    right: bool = False,
    record: Record | None = None,
    strict: bool = False,
    stored: frozenset[Expr] = frozenset(),
) -> list[Expr]:
    """Stage 3 of a graph and of the bodies in it, each of which is a graph of its own. stored: leaves that loops have
    made; what they hold counts as exact, so that no digits are asked across the border of a body."""

    def inner(node: Expr, outputs: Sequence[Expr]) -> list[Expr]:
        return stable_everywhere(outputs, origins, right, record, strict, stored_leaves(node))

    roots = expanded(in_bodies_of(roots, origins, inner), origins, foreign=True)
    return stabilized(roots, origins, right=right, record=record, strict=strict, stored=stored)


def simple_everywhere(roots: Sequence[Expr], origins: Origins) -> list[Expr]:
    """Stage 4's rules on a graph and on the bodies in it."""
    roots = in_bodies(roots, origins, lambda outputs: simple_everywhere(outputs, origins))
    simplify = RulePass(SIMPLIFY, origins)  # one for all: what it has seen it passes by
    roots = simplify(expanded(matrix_products(simplify(roots), origins), origins))
    return masks_of_results(folded(roots, origins, simplify), origins)


@collector_paused()
@walks_remembered()
def lowered(graph: Graph, stable: bool = True, blocks: bool = True) -> Lowered:
    """The stages from the user's graph to a verified Program. stable=False leaves stage 3 out: the formulas as written;
    blocks=False leaves the loops as fusion makes them, none of them parallel."""
    stages = Stages()
    form = rewritten(graph, stable, stages)
    roots, origins = form.roots, form.origins
    constants = tuple(n for n in every_node(*roots) if n.op is CONSTANT and n.type.shape)
    memory = Memory(origins)
    program = _program(graph, roots, form.places, constants, form.sizes, memory, blocks)
    if graph.precision == "right":
        doubles = (k for k, n in enumerate(form.nodes) if n.inputs and _is_double(n.type))
        program = replace(program, ranged=True, doubles=frozenset(doubles))
    forget()
    stages.done("fuse and order", lambda: f"{len(program.steps)} steps, {len(program.offsets)} temporary values")
    return Lowered(graph, form.nodes, form.sizes, roots, form.source, program, constants, tuple(memory.routines))


def _is_double(kind: TensorType | Results) -> bool:
    """Whether a user's node of this type is computed in float64."""
    return any(t.dtype == "float64" for t in (kind.types if isinstance(kind, Results) else (kind,)))


def _counted(roots: Sequence[Expr]) -> str:
    return f"{sum(1 for _ in every_node(*roots))} nodes"


def _program(
    graph: Graph,
    roots: Sequence[Expr],
    places: Sequence[Expr],
    constants: Sequence[Expr],
    sizes: Sizes,
    memory: Memory,
    blocks: bool,
) -> Program:
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
    program = in_place(*patched(program, commits))
    program = with_epilogues(reused(in_outputs(scheduled(program))))
    program = plan(parallel(program) if blocks else program)
    verify(program)
    return program


@collector_paused()
def compiled(form: Lowered, backend: Backend) -> Executable:
    """Machine code for a lowered function."""
    constants = [c.params["value"].array for c in form.constants]
    return backend.compile(form.program, constants, routines=routines_of(form))


def routines_of(form: Lowered) -> list[Routine]:
    """What Calls of routines call, by number."""
    return [routine(n.op, n.params) for n in form.routines]


def routine(op: Op, params: Mapping[str, Any]) -> Routine:
    """What a Call of a routine calls for this op."""
    assert op.reference is not None, op  # ops of this kind are their reference
    return partial(op.reference, **params)


@record
class Compiled:
    """A function in machine code; form is None where the code was found in the cache."""

    executable: Executable
    nodes: tuple[Expr, ...]  # the user's nodes; failures name them by number
    form: Lowered | None


@collector_paused()
def found_or_compiled(graph: Graph, backend: Backend, store: MutableMapping[str, bytes] | None) -> Compiled:
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


def _found_or_compiled(graph: Graph, backend: Backend, store: MutableMapping[str, bytes] | None) -> Compiled:
    nodes = tuple(every_node(*graph.roots))
    key = None if store is None else key_of(graph, nodes, backend)
    data = None if store is None or key is None else store.get(key)
    if data is not None:
        try:
            return Compiled(loaded(Artifact.unpacked(data), graph, nodes, backend), nodes, None)
        except BadArtifact as error:
            logger.info("cache: an entry is of no use and is made anew: %s", error)
    products = [n for n in nodes if n.op.kind == "contraction"]
    called = {f"gemm_{n.type.dtype}" for n in products}
    called |= {f"convolve_{n.type.dtype}" for n in products if n.op.name in PRODUCTS}
    with backend.preparing(called):
        form = lowered(graph, blocks=backend.cut)
        executable = compiled(form, backend)
    if store is not None and key is not None:
        number = {n: k for k, n in enumerate(nodes)}
        constants = tuple(number.get(c, c.params["value"].array) for c in form.constants)
        # Shapes are those of the views.
        routines = tuple((n.op.name, {k: v for k, v in n.params.items() if k != "shape"}) for n in form.routines)
        interface = executable.interface

        def keep(code: bytes | None) -> None:
            if code is not None:
                with gate:
                    store[key] = Artifact(interface, code, constants, routines).packed()

        executable.when_optimized(keep, keep=True)
    return Compiled(executable, nodes, form)


def key_of(graph: Graph, nodes: Sequence[Expr], backend: Backend) -> str | None:
    """All that the code of a graph depends on, as a text; None where a part of the graph has no text of its own."""
    # A composite's body may ask for floatX.
    layout = (
        len(graph.inputs),
        graph.outputs,
        graph.updates,
        graph.precision,
        graph.float_semantics,
        config.floatX,
    )
    try:
        return f"function {digest((*graph.inputs, *graph.shareds), nodes, layout)} {backend.fingerprint()}"
    except NoDigest as reason:
        logger.debug("cache: not used: %s", reason)
        return None


def loaded(kept: Artifact, graph: Graph, nodes: Sequence[Expr], backend: Backend) -> Executable:
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
    routines = []
    for name, params in kept.routines:
        if name not in OPS or OPS[name].kind != "routine":
            raise BadArtifact(f"{name} is no routine")
        routines.append(routine(OPS[name], params))
    return backend.load(interface, kept.code, constants, routines)
