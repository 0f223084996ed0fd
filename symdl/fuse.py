"""Expressions to steps: what is stored, what shares a loop nest, in which order.

1. Stored: results, operands of calls, reductions, and an elementwise value that costs something and is used twice or
   is read by a larger loop. All else is a formula, computed where it is used; views are index maps.
2. A unit is a stored node. Its space: kept axes, then reduced ones. Units in one group share the loops over a common
   prefix of their kept axes; each unit then has its own inner loops (a phase), or shares the last phase.
3. Groups stay in a list that is always a valid order: a unit joins a group only if all it depends on stands at or
   before it, and what it reads of the group itself it reads at the same prefix.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from symdl.expr import CONSTANT, RESULT, Expr, results, topological
from symdl.loops import Apply, Assign, Const, For, Index, Load, Local, Position, Ref, Stmt, Store, Value, View
from symdl.lower import STRIDED, At, Formulas, Memory, Read, index, index_symbol, indices
from symdl.ops.contractions import parse
from symdl.ops.reductions import FOLDS
from symdl.program import Call, Kernel, Step
from symdl.types import Extent, product

CHEAP = frozenset(
    "add sub mul neg abs where eq ne lt le gt ge maximum minimum cast bitwise_and bitwise_or bitwise_xor invert isnan".split()
)
DEEPEST = 40  # a formula nested deeper is stored, so that no later stage recurses far
RECOMPUTED = 6  # a cheap formula of more ops than this is stored rather than computed again by a second user
LARGEST = 150  # cheap ops in one kernel: machine code generation is worse than linear in the size of a function
COSTLY = 12  # a transcendental function in cheap ops


@dataclass
class Unit:
    """One stored node as loops: value at the indices of kept + reduced axes, stored to view."""

    node: Expr
    kept: tuple[Extent, ...]
    reduced: tuple[Extent, ...]
    at: At  # indices of the kept axes
    value: Value
    reads: list[Read]
    views: tuple[View, ...]  # where each result goes
    late: bool = False

    @property
    def space(self) -> tuple[Extent, ...]:
        return self.kept + self.reduced


@dataclass
class Group:
    """Units that share a loop nest, or one step that nothing joins."""

    units: list[Unit]
    prefix: tuple[Extent, ...] = ()
    step: Step | None = None
    weight: int = 0  # of all units, in cheap ops
    members: set[Expr] = field(default_factory=set)
    sealed: set[Expr] = field(default_factory=set)  # written in parts: not to be read inside the group


def common(a: tuple[Extent, ...], b: tuple[Extent, ...]) -> tuple[Extent, ...]:
    k = 0
    while k < min(len(a), len(b)) and a[k] == b[k]:
        k += 1
    return a[:k]


def steps(
    roots: list[tuple[Expr, View]], views: Mapping[Expr, View], memory: Memory, late: frozenset[int] = frozenset()
) -> list[Step]:
    """The steps that compute each root into its view. views: where leaves lie. late: numbers of roots to compute last."""
    return Fusion(roots, views, memory, late).steps()


class Fusion:
    """One graph being turned into steps."""

    def __init__(
        self, roots: list[tuple[Expr, View]], views: Mapping[Expr, View], memory: Memory, late: frozenset[int]
    ) -> None:
        self.roots, self.memory = roots, memory
        self.views: dict[Expr, View] = dict(views)
        self.formulas = Formulas(memory, self.views)
        self.order = [n for n in topological(*(r for r, _ in roots)) if n not in views]
        self.groups: list[Group] = []
        self.weight: dict[Expr, int] = {}  # stored node -> cheap ops in its formula
        self.place: dict[Expr, int] = {}  # stored node -> its (last) group
        self.targets: dict[Expr, View] = {}  # root -> the view it is computed into directly
        self.copies: list[tuple[Expr, View]] = []
        own = set()
        for k, (r, view) in enumerate(roots):
            if k in late and self._computed(r) and r not in self.targets:
                own.add(r)
            if self._computed(r) and r not in self.targets:
                self.targets[r] = view
            else:
                self.copies.append((r, view))
        used = {i for n in self.order for i in n.inputs}
        self.late = {r for r in own if r not in used}

    def _computed(self, n: Expr) -> bool:
        """Whether a unit makes n, which may then write straight to where a root belongs."""
        if n in self.views:
            return False
        if n.op is RESULT:
            return True
        return n.op.kind not in ("leaf", "reshape")

    # ---- 1. what is stored ----

    def stored(self) -> list[Expr]:
        keep: set[Expr] = set(self.targets)
        uses: dict[Expr, int] = {}
        depth: dict[Expr, int] = {}
        cost: dict[Expr, int] = {}
        for n in self.order:
            for i in n.inputs:
                uses[i] = uses.get(i, 0) + 1
        for r, _ in self.copies:
            self._keep_window(r, keep, strided=False)
        for n in self.order:
            kind = n.op.kind
            if kind in ("reduction", "accumulation", "contraction", "scatter", "join"):
                keep.add(n)
            if kind == "contraction":
                for x in n.inputs:
                    self._keep_window(x, keep, strided=True)
            if kind in ("gather", "scatter"):
                self._keep_window(n.inputs[0], keep, strided=True)
            if kind == "reshape":
                self._keep_window(n.inputs[0], keep, strided=False)
            depth[n] = 1 + max((depth.get(i, 0) for i in n.inputs), default=0)
            costly = kind == "gather" or (kind == "elementwise" and n.op.name not in CHEAP)
            own = COSTLY if costly else int(kind == "elementwise")
            cost[n] = self.weight[n] = own + sum(cost.get(i, 0) for i in n.inputs)
            reread = kind == "elementwise" and cost[n] > RECOMPUTED
            if kind == "view" and _stretches(n):
                below = self._formula_below(n)
                if below.op.kind == "elementwise" and below.op.name not in CHEAP:
                    keep.add(below)
            if depth[n] > DEEPEST or (uses.get(n, 0) > 1 and (costly or reread)):
                keep.add(n)
            if n in keep or kind in ("reshape", "result"):
                depth[n] = cost[n] = 0
        return [n for n in self.order if n in keep and n.op.kind not in ("leaf", "reshape", "result")]

    def _keep_window(self, n: Expr, keep: set[Expr], strided: bool) -> None:
        """Store what a window on n looks at; strided: whether strides will do, or C order is needed."""
        while n not in self.views and n not in keep:
            if n.op.kind == "reshape":
                strided = False
            elif not (strided and n.op.name in STRIDED):
                break
            n = n.inputs[0]
        if n not in self.views:
            if n.op.kind == "view" and not strided:
                keep.add(n)
            elif n.op.kind != "result":
                keep.add(n)

    def _formula_below(self, n: Expr) -> Expr:
        while n.op.kind == "view" and n not in self.views:
            n = n.inputs[0]
        return n

    # ---- 2. units ----

    def unit(self, n: Expr) -> Unit:
        reads: list[Read] = []
        if n.op.kind in ("reduction", "accumulation"):
            (x,) = n.inputs
            axes = n.params["axes"] if "axes" in n.params else (n.params["axis"],)
            kept = [k for k in range(len(x.type.shape)) if k not in axes]
            place = {k: j for j, k in enumerate([*kept, *axes])}
            shape = x.type.shape
            where = tuple(0 if m == 1 else index(place[k]) for k, m in enumerate(shape))
            value = self.formulas.operand(x, where, reads)
            space = tuple(shape[k] for k in kept), tuple(shape[k] for k in axes)
            at = tuple(where[k] for k in kept)
            return Unit(n, *space, at, value, reads, self.target_views(n))
        at = indices(n.type.shape)
        value = self.formulas.value(n, at, reads, fresh=True)
        return Unit(n, n.type.shape, (), at, value, reads, self.target_views(n))

    def target_views(self, n: Expr) -> tuple[View, ...]:
        out = []
        for r in results(n):
            if r not in self.views:
                self.views[r] = self.targets.get(r) or self.memory.buffer("temp", r.type.dtype, r.type.shape)
            out.append(self.views[r])
        return tuple(out)

    def copy_unit(self, n: Expr, view: View) -> Unit:
        """n, computed or copied into a view of its shape."""
        reads: list[Read] = []
        at = indices(view.shape)
        return Unit(n, view.shape, (), at, self.formulas.value(n, at, reads), reads, (view,))

    # ---- 3. groups ----

    def steps(self) -> list[Step]:
        nodes = self.stored()
        for n in [m for m in nodes if m not in self.late] + [m for m in nodes if m in self.late]:
            self.add(n)
        for r, view in self.copies:
            unit = self.copy_unit(r, view)
            unit.late = True
            self.insert(unit, (), sealed=False)
        return [g.step if g.step is not None else self.kernel(g) for g in self.groups]

    def add(self, n: Expr) -> None:
        match n.op.kind:
            case "contraction":
                views = (*map(self.formulas.window, n.inputs), self.target_views(n)[0])
                self.close(n, self.matmul(n, views))
            case "scatter":
                self.close(n, self.scatter(n))
            case "join":
                (whole,) = self.target_views(n)
                start: Extent = 0
                for x in n.inputs:
                    axis = n.params["axis"]
                    piece = View(
                        whole.buffer, whole.dtype, x.type.shape, whole.strides, whole.offset + start * whole.strides[axis]
                    )
                    self.insert(self.copy_unit(x, piece), (n,), sealed=True)
                    start = start + x.type.shape[axis]
            case "reduction" if self.columnwise(n):
                unit = self.unit(n)
                self.close(n, self.columns(unit))
            case _:
                unit = self.unit(n)
                unit.late = n in self.late
                self.insert(unit, results(n), sealed=False)

    def close(self, n: Expr, step: Step) -> None:
        """A step of its own."""
        self.groups.append(Group([], step=step))
        self.place.update(dict.fromkeys(results(n), len(self.groups) - 1))

    def insert(self, u: Unit, made: Iterable[Expr], sealed: bool) -> None:
        """Put a unit into the first group that it may join, else into a new one."""
        made = tuple(made)
        first = max((self.place[d] for d, _ in u.reads if d in self.place), default=-1)
        for g in range(max(first, 0), len(self.groups)):
            if self.joins(u, self.groups[g], g == first):
                break
        else:
            g = len(self.groups)
            self.groups.append(Group([], u.kept))
        group = self.groups[g]
        group.prefix = common(group.prefix, u.kept)
        group.units.append(u)
        group.weight += 1 + self.weight.get(u.node, 0)
        (group.sealed if sealed else group.members).update(made)
        for m in made:
            self.place[m] = max(g, self.place.get(m, g))

    def joins(self, u: Unit, g: Group, reads_it: bool) -> bool:
        if g.step is not None or u.late != g.units[0].late or g.weight + self.weight.get(u.node, 0) > LARGEST:
            return False
        prefix = common(g.prefix, u.kept)
        last = g.units[-1].space
        if not prefix:  # no shared loop: only scalars after a full reduction, or reductions over one space
            if not (g.prefix == () == u.kept and u.space in ((), last)):
                return False
        elif not reads_it and u.space != last:
            return False
        here = indices(prefix)
        return all(
            d not in g.sealed and (d not in g.members or (at is not None and at[: len(prefix)] == here)) for d, at in u.reads
        )

    # ---- loops ----

    def kernel(self, group: Group) -> Kernel:
        p = len(group.prefix)
        body: list[Stmt] = []
        phase: list[Unit] = []
        space: tuple[Extent, ...] | None = None
        for u in group.units:
            made = {o: v for v in phase for o in results(v.node)}
            own = indices(u.space)
            fits = u.space[p:] == space and all(
                not made[d].reduced and at is not None and at == own[: len(at)] and len(at) == len(made[d].kept)
                for d, at in u.reads
                if d in made
            )
            if not fits:
                body += self.flush(phase, space or (), p)
                phase, space = [], u.space[p:]
            phase.append(u)
        body += self.flush(phase, space or (), p)
        return Kernel(nest(0, group.prefix, tuple(body)), self.memory.sources(*(u.node for u in group.units)))

    def flush(self, phase: list[Unit], space: tuple[Extent, ...], p: int) -> list[Stmt]:
        before: list[Stmt] = []
        inside: list[Stmt] = []
        after: list[Stmt] = []
        for u in phase:
            self.emit(u, before, inside, after)
        return [*before, *nest(p, space, tuple(inside)), *after]

    def emit(self, u: Unit, before: list[Stmt], inside: list[Stmt], after: list[Stmt]) -> None:
        kind = u.node.op.kind
        if not u.reduced:
            inside.append(Store(u.views[0], u.at, self.formulas.cast(u.value, u.views[0].dtype)))
            return
        if u.node.op.name in ("max_and_argmax", "min_and_argmin"):
            self.extreme(u, before, inside, after)
            return
        fold = FOLDS[u.node.op.name]
        dtype = fold.accumulator(u.value.dtype)
        acc = Ref(self.memory.local(), dtype)
        before.append(Local(acc.name, Const(fold.identity(dtype), dtype)))
        inside.append(Assign(acc.name, Apply(fold.combine, (acc, self.formulas.cast(u.value, dtype)), dtype)))
        out = self.formulas.cast(acc, u.views[0].dtype)
        if kind == "accumulation":
            axis = u.node.params["axis"]
            running: Index = 0 if u.reduced[0] == 1 else index(len(u.kept))
            inside.append(Store(u.views[0], (*u.at[:axis], running, *u.at[axis:]), out))
        else:
            after.append(Store(u.views[0], u.at, out))

    def extreme(self, u: Unit, before: list[Stmt], inside: list[Stmt], after: list[Stmt]) -> None:
        """The extreme element and its first place; a NaN beats all, the first of several wins."""
        dtype = u.value.dtype
        largest = u.node.op.name == "max_and_argmax"
        fold = FOLDS["max" if largest else "min"]
        best, at = Ref(self.memory.local(), dtype), Ref(self.memory.local(), "int64")
        here = Position(0 if u.reduced[0] == 1 else index(len(u.kept)))
        value = u.value
        if dtype == "bool":
            value = Apply("cast", (value,), "uint8")
            best = Ref(best.name, "uint8")
            dtype = "uint8"
        first = Apply("eq", (here, Const(0, "int64")), "bool")  # identities may equal the element: position 0 always wins
        better: Value = Apply("gt" if largest else "lt", (value, best), "bool")
        if dtype.startswith("float"):
            nan = Apply("isnan", (value,), "bool")
            fresh = Apply("invert", (Apply("isnan", (best,), "bool"),), "bool")
            better = Apply("bitwise_or", (better, Apply("bitwise_and", (nan, fresh), "bool")), "bool")
        better = Apply("bitwise_or", (first, better), "bool")
        chosen = Ref(self.memory.local(), "bool")
        before += [
            Local(best.name, Const(fold.identity(dtype), dtype)),
            Local(at.name, Const(0, "int64")),
            Local(chosen.name, Const(False, "bool")),
        ]
        inside += [
            Assign(chosen.name, better),
            Assign(at.name, Apply("where", (chosen, here, at), "int64")),
            Assign(best.name, Apply("where", (chosen, value, best), dtype)),
        ]
        after += [
            Store(u.views[0], u.at, self.formulas.cast(best, u.views[0].dtype)),
            Store(u.views[1], u.at, at),
        ]

    # ---- steps of their own ----

    def columnwise(self, n: Expr) -> bool:
        """Whether the last axis is kept: then loops run along it, and the accumulators are a row in memory."""
        if n.op.name not in FOLDS or not n.params["axes"]:
            return False
        (x,) = n.inputs
        last = len(x.type.shape) - 1
        return last not in n.params["axes"] and x.type.shape[last] != 1

    def columns(self, u: Unit) -> Kernel:
        """A reduction in the operand's own order: its rows are folded into rows of accumulators."""
        fold = FOLDS[u.node.op.name]
        dtype = fold.accumulator(u.value.dtype)
        out = u.views[0]
        acc = out if dtype == out.dtype else self.memory.buffer("temp", dtype, u.kept)
        (x,) = u.node.inputs
        where = indices(x.type.shape)
        value = self.formulas.cast(self.formulas.operand(x, where, []), dtype)
        at = tuple(i for k, i in enumerate(where) if k not in u.node.params["axes"])
        each = indices(u.kept)
        body = [*nest(0, u.kept, (Store(acc, each, Const(fold.identity(dtype), dtype)),))]
        body += nest(0, x.type.shape, (Store(acc, at, Apply(fold.combine, (Load(acc, at), value), dtype)),))
        if acc is not out:
            body += nest(0, u.kept, (Store(out, each, self.formulas.cast(Load(acc, each), out.dtype)),))
        return Kernel(tuple(body), self.memory.sources(u.node))

    def matmul(self, n: Expr, views: tuple[View, ...]) -> Call:
        """A matrix product; each view's axes are put into the order (batch, row, column)."""
        (a, b), out = parse(n.params["notation"])
        batch = [x for x in out if x in a and x in b]
        (i,) = [x for x in a if x not in b]
        (j,) = [x for x in b if x not in a]
        (k,) = [x for x in a if x not in out and x in b]
        wanted = ([*batch, i, k], [*batch, k, j], [*batch, i, j])
        turned = tuple(_permuted(v, [own.index(x) for x in w]) for v, own, w in zip(views, (a, b, out), wanted, strict=True))
        return Call("matmul", turned, self.memory.sources(n))

    def scatter(self, n: Expr) -> Kernel:
        """x copied, then the values written one after the other, in order."""
        x, v, *positions = n.inputs
        (out,) = self.target_views(n)
        axes, batch, mode = n.params["axes"], n.params["batch"], n.params["mode"]
        reads: list[Read] = []
        at = indices(out.shape)
        copy = nest(0, out.shape, (Store(out, at, self.formulas.operand(x, at, reads)),))
        where = indices(v.type.shape)
        value = self.formulas.operand(v, where, reads)
        own = len(positions[0].type.shape)
        rest = iter(where[own:])
        place: list[Index] = []
        for k, m in enumerate(x.type.shape):
            if k in axes:
                place.append(self.formulas.checked(n, positions[axes.index(k)], where[:own], m, reads))
            else:
                place.append(where[k] if k < batch else next(rest))
        spot = tuple(place)
        if mode == "add":
            name = "bitwise_or" if out.dtype == "bool" else "add"
            value = Apply(name, (Load(out, spot), value), out.dtype)
        write = nest(0, v.type.shape, (Store(out, spot, value),))
        return Kernel((*copy, *write), self.memory.sources(n))


def _stretches(n: Expr) -> bool:
    """Whether a view reads elements of its operand more than once."""
    (x,) = n.inputs
    if n.op.name == "spread":
        return product(x.type.shape) != product(n.type.shape)
    return n.op.name in ("tile_axis", "repeat_each")


def _permuted(v: View, order: list[int]) -> View:
    return View(v.buffer, v.dtype, tuple(v.shape[k] for k in order), tuple(v.strides[k] for k in order), v.offset)


def nest(first: int, extents: tuple[Extent, ...], body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """body inside one loop per extent, named i<first>, i<first+1>, ...; an axis of 1 has no loop."""
    for k in range(len(extents) - 1, -1, -1):
        if extents[k] != 1:
            body = (For(index_symbol(first + k), extents[k], body),)
    return body


def constants(roots: Iterable[Expr]) -> list[Expr]:
    """The array constants of a graph, which are arguments of the code, not part of its text."""
    return [n for n in topological(*roots) if n.op is CONSTANT and n.type.shape]
