"""Expressions to steps: what shares a loop nest, in which order.

1. `stored` says which nodes are kept in memory. A unit is a stored node; its space: kept axes, then reduced ones.
2. Units in one group share the loops over a common prefix of their kept axes; `nests` writes them.
3. Groups stay in a list that is always a valid order: a unit joins a group only if all it depends on stands at or
   before it, and what it reads of the group itself was written in the same round of the prefix.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from types import MappingProxyType
from typing import Any

from symdl.errors import InternalError
from symdl.graph.expr import CONSTANT, Expr, constant, results
from symdl.graph.origins import building
from symdl.graph.walks import topological
from symdl.ir.loops import View
from symdl.ir.program import Step
from symdl.lowering.apart import convolution, matmul, permutation, routine, scatter
from symdl.lowering.lower import At, Formulas, Lent, Memory, Read, index, indices, is_window
from symdl.lowering.nests import Unit, columnwise, grouped
from symdl.lowering.stored import Storage
from symdl.ops.contractions import CONTRACT
from symdl.ops.declare import spread
from symdl.ops.reductions import FOLDS
from symdl.records import mutable
from symdl.types import Extent, at_most, product

LARGEST = 150  # cheap ops in one kernel: machine code generation is worse than linear in the size of a function
# Likewise of a kernel that keeps numbers of two limbs: what they lose is known as long as they are not stored.
LARGEST_IN_DIGITS = 1000
SMALL = 1024  # elements of an update that may wait for others to share a kernel with; larger ones wait for nobody
TRIED = 8  # so many groups are asked whether a unit may join them: wide graphs stay linear


@mutable
class Group:
    """Units that share a loop nest, or one step that nothing joins."""

    units: list[Unit]
    prefix: tuple[Extent, ...] = ()
    step: Step | None = None
    weight: int = 0  # of all units, in cheap ops
    largest: int = LARGEST  # what that may be
    members: dict[Expr, Unit] = field(default_factory=dict)
    sealed: set[Expr] = field(default_factory=set)  # whole only after it: not to be read inside the group

    @property
    def space(self) -> tuple[Extent, ...]:
        """Of the last unit, whose innermost loops another may share."""
        return self.units[-1].space


def of_constants(order: Sequence[Expr]) -> set[Expr]:
    """The nodes that depend on nothing but constants."""
    found: set[Expr] = set()
    for n in order:
        if n.op is CONSTANT or (n.op.kind == "elementwise" and n.inputs and found.issuperset(n.inputs)):
            found.add(n)
    return found


class Fusion:
    """One graph being turned into steps."""

    def __init__(
        self,
        roots: Sequence[tuple[Expr, View]],
        views: Mapping[Expr, View],
        memory: Memory,
        late: frozenset[int],
        lent: Mapping[Expr, Lent] = MappingProxyType({}),
    ) -> None:
        """roots: what to compute, each into its view. views: where leaves lie. late: numbers of roots to compute last.
        lent: leaves that stand for formulas of the graph around."""
        self.memory = memory
        self.views: dict[Expr, View] = dict(views)
        self.formulas = Formulas(memory, self.views, lent)
        self.groups: list[Group] = []
        self.place: dict[Expr, int] = {}  # stored node -> its (last) group
        self.readers: dict[Expr, set[int]] = {}  # stored node -> groups that read it; -1: as a window
        self.open: dict[tuple[bool, tuple[Extent, ...] | None], list[int]] = {}  # groups by the space that may join
        self.stored: dict[Any, tuple[Expr, ...]] = {}  # what a unit computes -> its results
        self.targets: dict[Expr, View] = {}  # root -> the view it is computed into directly
        self.copies: list[tuple[Expr, View]] = []
        own: list[Expr] = []
        for k, (r, view) in enumerate(roots):
            if r in self.views or r in self.targets or r.op.kind == "leaf" or (r.op.kind == "reshape" and is_window(r)):
                self.copies.append((r, view))
            else:
                self.targets[r] = view
                own += [r] * (k in late)
        self.order = order = [n for n in topological(*(r for r, _ in roots)) if n not in self.views]
        self.late = last(order, set(own), [r for k, (r, _) in enumerate(roots) if k not in late])
        self.storage = Storage(order, self.views, self.targets, (r for r, _ in self.copies))

    def steps(self) -> list[Step]:
        """All steps, in order."""
        fixed = of_constants(self.order)  # first, or their own step would part those before it from those that read it
        for n in sorted(self.storage.nodes, key=lambda n: (n in self.late, n not in fixed)):
            self.add(n)
        for r, view in self.copies:
            self.insert(replace(self.piece(r, view), late=True))
        private = self.private()
        return [
            g.step if g.step is not None else grouped(g.units, g.prefix, private.get(k, {}), self.formulas)
            for k, g in enumerate(self.groups)
        ]

    def private(self) -> dict[int, dict[str, bool]]:
        """For each group the buffers that no other step touches, and whether the group itself reads them."""
        found: dict[int, dict[str, bool]] = {}
        for k, g in enumerate(self.groups):
            for n in g.members:
                if n not in self.targets and self.readers.get(n, set()) <= {k}:
                    found.setdefault(k, {})[self.views[n].buffer] = n in self.readers
        return found

    # ---- nodes to units and steps ----

    def add(self, n: Expr) -> None:
        """Compute a stored node, all that it depends on having been added."""
        match n.op.kind:
            case "contraction" | "routine":
                inside = [x.inputs[0] if x in self.storage.bordering else x for x in n.inputs]
                for x in inside:
                    self.readers.setdefault(self.formulas.base(x), set()).add(-1)
                views = *map(self.formulas.window, inside), *self.target_views(n)
                if n.op.kind == "routine":
                    step = routine(n, views, self.memory)
                elif n.op is CONTRACT:
                    step = matmul(n, views, self.formulas)
                else:
                    borders = n.inputs[0].params["starts"][2:] if inside[0] is not n.inputs[0] else ()
                    step = convolution(n, views, self.formulas, borders)
                self.close(n, step, [])
            case "scatter":
                reads: list[Read] = []
                self.close(n, scatter(n, self.target_views(n)[0], reads, self.formulas), reads)
            case "permutation":
                reads = []
                self.close(n, permutation(n, self.target_views(n)[0], reads, self.formulas), reads)
            case "join":
                self.join(n)
            case "view" if n in self.storage.framed:
                self.frame(n)
            case "control":
                self.control(n)
            case _:
                unit = self.unit(n)
                if unit is not None:
                    self.insert(unit)

    def control(self, n: Expr) -> None:
        """Compute a loop or a branch: `regions` does."""
        raise InternalError(f"fuse: {n!r} has a body")

    def target_views(self, n: Expr) -> tuple[View, ...]:
        """Where the results of n go."""
        for r in results(n):
            if r not in self.views:
                self.views[r] = self.targets.get(r) or self.memory.buffer("temp", r.type.dtype, r.type.shape)
        return tuple(self.views[r] for r in results(n))

    def unit(self, n: Expr) -> Unit | None:
        """n as loops, or None where another unit stores the same, which then stands for n."""
        x, by_rows = n, columnwise(n)
        axes: tuple[int, ...] = ()
        if n.op.kind in ("reduction", "accumulation"):
            (x,) = n.inputs
            axes = n.params["axes"] if "axes" in n.params else (n.params["axis"],)
        shape = x.type.shape
        left = [k for k in range(len(shape)) if k not in axes]
        order = [*range(len(shape))] if by_rows else [*(left if _has_loops([shape[k] for k in left]) else ()), *axes]
        place = {k: j for j, k in enumerate(order)}
        where: At = tuple(0 if m == 1 else index(place[k]) for k, m in enumerate(shape))
        reads: list[Read] = []
        value = self.formulas.value(x, where, reads, fresh=x is n)
        space = tuple(shape[k] for k in order)
        inner = 0 if by_rows else len(axes)
        kept, reduced = space[: len(space) - inner], space[len(space) - inner :]
        writes = where if n.op.kind == "accumulation" else tuple(where[k] for k in left)
        made, late, name = tuple(results(n)), n in self.late, n.op.name if axes else ""
        twin = self.stored.setdefault((name, id(value), kept, reduced, writes, late), made)
        if twin is not made and self.targets.keys().isdisjoint(made):
            self.formulas.twins.update(zip(made, twin, strict=True))
            self.views.update((r, self.views[t]) for r, t in zip(made, twin, strict=True))
            return None
        views = self.target_views(n)
        rows = self.accumulators(name, views[0]) if by_rows else None
        return Unit(n, kept, reduced, value, reads, made, views, writes, late, rows)

    def accumulators(self, name: str, out: View) -> View:
        """Rows into which rows are folded: the result itself, or memory of a wider dtype."""
        dtype = FOLDS[name].accumulator(out.dtype)
        return out if dtype == out.dtype else self.memory.buffer("temp", dtype, out.shape)

    def piece(self, n: Expr, view: View) -> Unit:
        """n, computed or copied into a view of its shape."""
        reads: list[Read] = []
        at, kept = indices(n.type.shape), n.type.shape if _has_loops(n.type.shape) else ()
        return Unit(n, kept, (), self.formulas.value(n, at, reads), reads, (), (view,), at)

    def join(self, n: Expr) -> None:
        """Each piece is written where it belongs in the whole."""
        (whole,) = self.target_views(n)
        axis, start = n.params["axis"], 0
        strides, turns = whole.strides, n.op.name == "interleave"
        if turns:
            strides = (*strides[:axis], strides[axis] * len(n.inputs), *strides[axis + 1 :])
        for k, x in enumerate(n.inputs):
            offset = whole.offset + (k if turns else start) * whole.strides[axis]
            group = self.insert(self.piece(x, replace(whole, shape=x.type.shape, strides=strides, offset=offset)))
            self.groups[group].sealed.add(n)
            self.place[n] = max(group, self.place.get(n, group))
            start = start + x.type.shape[axis]

    def frame(self, n: Expr) -> None:
        """A border and what it is around, in pieces that do not overlap. What stands at either end of a row is written with it:
        one by one they would be as many lines of memory as there are rows."""
        (whole,) = self.target_views(n)
        (x,) = n.inputs
        with building(()):  # of a number form, as it may be
            fill = constant(n.params["fill"], n.type.dtype)
        inner = tuple(zip(n.params["starts"], x.type.shape, strict=True))
        blocks: list[tuple[tuple[Extent, Extent], ...]] = []  # (start, extent) along each axis
        for k, ((start, extent), n_k) in enumerate(zip(inner, n.type.shape, strict=True)):
            behind = [(0, m) for m in n.type.shape[k + 1 :]]
            sides = ((0, start), (start + extent, n_k - start - extent))
            blocks += [(*inner[:k], side, *behind) for side in sides if side[1] != 0]
        pieces = [(spread(fill, tuple(m for _, m in b), ()), b) for b in blocks]
        within = -1  # the group that writes what is inside
        for piece, block in [(x, inner), *pieces]:
            offset = whole.offset
            for (start, _), stride in zip(block, whole.strides, strict=True):
                offset = offset + start * stride
            unit = self.piece(piece, replace(whole, shape=piece.type.shape, offset=offset))
            if within >= 0 and block[:-1] == inner[:-1] and self.leads(unit, self.groups[within]):
                continue
            group = self.insert(unit)
            within = group if within < 0 else within
            self.groups[group].sealed.add(n)
            self.place[n] = max(group, self.place.get(n, group))

    # ---- groups ----

    def leads(self, u: Unit, g: Group) -> bool:
        """Put a unit that reads nothing in front of the others of a group, where it may share their outer loops."""
        if u.reads or not self.joins(u, g, True):
            return False
        g.prefix = common(g.prefix, u.kept)
        g.units.insert(0, u)
        g.weight += 1
        return True

    def close(self, n: Expr, step: Step, reads: list[Read]) -> None:
        """A step of its own."""
        group = len(self.groups)
        self.groups.append(Group([], step=step))
        self.place.update(dict.fromkeys(results(n), group))
        self.enter(reads, group)

    def enter(self, reads: list[Read], group: int) -> None:
        for d, at in reads:
            self.readers.setdefault(d, set()).add(-1 if at is None else group)

    def insert(self, u: Unit) -> int:
        """Put a unit into a group that it may join, else into a new one; returns its number."""
        k = self.group_for(u)
        if k == len(self.groups):
            self.groups.append(Group([], u.kept))
        group = self.groups[k]
        before = self.keys(group)
        group.prefix = common(group.prefix, u.kept)
        group.units.append(u)
        if any("x2" in r.type.dtype for r in u.made):
            group.largest = LARGEST_IN_DIGITS
        group.weight += 1 + self.storage.weight.get(u.node, 0)
        if u.rows is None:
            group.members.update(dict.fromkeys(u.made, u))
        else:
            group.sealed.update(u.made)
        self.place.update(dict.fromkeys(u.made, k))
        self.enter(u.reads, k)
        for key in self.keys(group) - before:
            insort(self.open.setdefault(key, []), k)
        return k

    def keys(self, group: Group) -> set[tuple[bool, tuple[Extent, ...] | None]]:
        """Under which a group is found: its last unit's space; None for scalars, which may join any group of scalars."""
        if not group.units:
            return set()
        late = group.units[0].late
        return {(late, group.space)} if group.prefix else {(late, group.space), (late, None)}

    def group_for(self, u: Unit) -> int:
        """The group of what u reads last, or one of its space near the end; the number of a new group if none fits."""
        first = max((self.place[d] for d, _ in u.reads if d in self.place), default=-1)
        if first >= 0 and self.joins(u, self.groups[first], True):
            return first
        for key in ((u.late, u.space), (u.late, None)) if u.space == () else ((u.late, u.space),):
            found = self.open.get(key, [])
            least = max(bisect_right(found, first), len(found) - TRIED)
            for j in range(len(found) - 1, least - 1, -1):
                group = self.groups[found[j]]
                if self.joins(u, group, False):
                    return found[j]
                if group.weight >= group.largest or key not in self.keys(group):
                    del found[j]
        return len(self.groups)

    def joins(self, u: Unit, g: Group, reads_it: bool) -> bool:
        """Whether u may be the last unit of g. reads_it: it will, so that sharing outer loops alone is worth it."""
        if g.step is not None or u.late != g.units[0].late:
            return False
        if g.weight + self.storage.weight.get(u.node, 0) > g.largest:
            return False
        prefix = common(g.prefix, u.kept)
        if not prefix:  # no shared loop: only scalars after a full reduction, or reductions over one space
            if g.prefix or u.kept or u.space not in ((), g.space):
                return False
        elif not reads_it and u.space != g.space:
            return False
        if (
            u.late
            and u.made
            and not (reads_it or at_most(product(u.space), SMALL))
            and all(_whole(u).isdisjoint(_whole(v)) for v in g.units)
        ):
            return False  # as soon as its gradient is there, the gradient's memory is free again
        here = [i for i in indices(prefix) if i != 0]
        for d, at in u.reads:
            if d in g.sealed:
                return False
            if d in g.members:
                written = g.members[d].writes
                if at is None or not all(any(i is w is r for w, r in zip(written, at, strict=True)) for i in here):
                    return False
        return True


def _has_loops(shape: Sequence[Extent]) -> bool:
    """Whether there may be more than one number, or none: one shares a kernel with others, however many axes it has."""
    return any(n != 1 for n in shape)


def _whole(u: Unit) -> set[Expr]:
    """What a unit reads all of."""
    return {d for d, at in u.reads if at is not None and d.type.shape == u.space}


def last(order: Sequence[Expr], updates: set[Expr], outputs: Iterable[Expr]) -> set[Expr]:
    """The updates that nothing but updates needs, and what is computed from them: they may come last, together."""
    early = set(outputs)  # what an output needs
    for n in reversed(order):
        if n in early:
            early.update(n.inputs)
    late: set[Expr] = set()
    for n in order:
        if n not in early and (n in updates or any(i in late for i in n.inputs)):
            late.add(n)
    return late


def common(a: tuple[Extent, ...], b: tuple[Extent, ...]) -> tuple[Extent, ...]:
    """The longest prefix of both."""
    k = 0
    while k < min(len(a), len(b)) and a[k] == b[k]:
        k += 1
    return a[:k]
