"""Loops and branches to steps: the body of a scan as the steps of a Loop, those of an ifelse as the steps of an If.

The leaves of a body are views: a row of a sequence, a row of a state's home, whatever else it is given. A state is made
in memory of its own and moved home at the end of a round, for a kernel that reads and writes one buffer at different
places is neither taken in vectors nor cut up; where no step touches both, it is made at home at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from symdl.graph.bodies import Body
from symdl.graph.expr import CONSTANT, Expr, results
from symdl.ir.loops import Apply, Const, Load, Position, Store, View
from symdl.ir.memory import overwriting
from symdl.ir.program import Call, If, Kernel, Loop, Step, accesses
from symdl.ir.rebuilding import rebuilt
from symdl.ir.renaming import all_within, rename, within
from symdl.lowering.fuse import Fusion, Group
from symdl.lowering.lower import Lent, Memory, indices, is_lendable
from symdl.lowering.nests import nest
from symdl.ops.scan import IF, layout_of
from symdl.types import Extent, symbol


def steps(
    roots: Sequence[tuple[Expr, View]],
    views: Mapping[Expr, View],
    memory: Memory,
    late: frozenset[int] = frozenset(),
) -> list[Step]:
    """The steps that compute each root into its view. views: where leaves lie. late: numbers of roots to compute last."""
    return Regions(roots, views, memory, late).steps()


class Regions(Fusion):
    """A graph with loops and branches being turned into steps."""

    def control(self, n: Expr) -> None:
        """Compute a scan or an ifelse, all that it depends on having been added."""
        for x in n.inputs:
            if not self.is_formula(x):
                self.readers.setdefault(self.formulas.base(x), set()).add(-1)
        if n.op is IF:
            self.branch(n)
        else:
            self.loop(n)

    def is_formula(self, x: Expr) -> bool:
        """Whether a body computes x itself, instead of reading it."""
        return x not in self.views and is_lendable(x)

    def inside(
        self, body: Body, leaves: Mapping[Expr, View], lent: Mapping[Expr, Lent], targets: Sequence[View]
    ) -> list[Step]:
        """The steps of a body."""
        views = {n: v for n, v in self.views.items() if n.op is CONSTANT} | dict(leaves)
        inner = Regions(list(zip(body.outputs, targets, strict=True)), views, self.memory, frozenset(), lent)
        made = inner.steps()
        for n, _ in inner.formulas.lent_reads:
            self.readers.setdefault(n, set()).add(-1)
        return made

    # ---- branches ----

    def branch(self, n: Expr) -> None:
        condition, *given = n.inputs
        split = n.params["split"]
        views = self.target_views(n)
        sides = []
        for body, own in ((n.params["then"], given[:split]), (n.params["other"], given[split:])):
            leaves: dict[Expr, View] = {}
            lent: dict[Expr, Lent] = {}
            for leaf, x in zip(body.leaves, own, strict=True):
                self.give(leaf, x, leaves, lent)
            sides.append(tuple(self.inside(body, leaves, lent, views)))
        self.close(n, If(self.formulas.window(condition), *sides), [])

    def give(self, leaf: Expr, x: Expr, leaves: dict[Expr, View], lent: dict[Expr, Lent]) -> None:
        """Let a body's leaf be x."""
        if self.is_formula(x):
            lent[leaf] = (self.formulas, x, ())
        else:
            leaves[leaf] = self.formulas.window(x)

    # ---- loops ----

    def loop(self, n: Expr) -> None:
        p, body, layout = n.params, n.params["body"], layout_of(n)
        count: Extent = p["steps"]
        counter = self.memory.counter()
        t = symbol(counter.name)
        row = count - 1 - t if p["reverse"] else t
        seqs, inits, others = layout.inputs(n.inputs)
        rows, states, rest = layout.parameters(body.leaves)
        leaves: dict[Expr, View] = {}
        lent: dict[Expr, Lent] = {}
        for leaf, x in zip(rows, seqs, strict=True):
            if self.is_formula(x):
                lent[leaf] = (self.formulas, x, (row,))
            else:
                leaves[leaf] = self.formulas.window(x).row(row)
        for leaf, x in zip(rest, others, strict=True):
            self.give(leaf, x, leaves, lent)
        homes, targets, moves = [], [], []
        made = results(n)
        for k, (init, lags) in enumerate(zip(inits, layout.taps, strict=True)):
            depth = max(lags)
            home = self.home(n, made[k], init, depth, count, p)
            homes.append(home)
            for leaf, lag in zip(states[k], lags, strict=True):
                leaves[leaf] = home.row(row_at(depth - lag, depth, count, t, k, p))
            new = self.memory.buffer("temp", home.dtype, home.shape[1:])
            targets.append(new)
            if p["last"][k]:
                moves += [(home.row(j + 1), home.row(j), False) for j in range(depth - 1)]
            moves.append((new, home.row(row_at(depth, depth, count, t, k, p)), not p["last"][k]))
        outs = made[len(homes) : len(made) - layout.stops]
        targets += [v.row(row) for v in self.result_views(outs)]
        stop = None
        if layout.stops:
            stop = self.memory.buffer("temp", "bool", ())
            targets.append(stop)
        inner = self.inside(body, leaves, lent, targets)
        inner = self.settled(inner, moves)
        if stop is None:
            self.close(n, Loop(counter, count, tuple(inner)), [])
        else:
            (ran,) = self.result_views(made[-1:])
            counted = Kernel((Store(ran, (), Position(t + 1)),), self.memory.sources(n))
            none = Kernel((Store(ran, (), Const(0, "int64")),), self.memory.sources(n))
            self.groups.append(Group([], step=none))
            self.close(n, Loop(counter, count, (*inner, counted), stop), [])
            whole = [(h, lags) for h, lags, alone in zip(homes, layout.taps, p["last"], strict=True) if not alone]
            rows_made = [
                replace(h, shape=(count, *h.shape[1:]), offset=h.offset + max(lags) * h.strides[0]) for h, lags in whole
            ]
            for view in (*rows_made, *self.result_views(outs)):
                self.groups.append(Group([], step=held(view, ran, self.memory.sources(n))))
        self.finish(n, homes)

    def home(self, n: Expr, made: Expr, init: Expr, depth: int, count: Extent, params: Mapping[str, Any]) -> View:
        """Where a state lies, its first rows being written: its trace, or as many rows as are read again."""
        if params["last"][made.params["index"]]:
            home = self.memory.buffer("temp", made.type.dtype, (depth, *made.type.shape))
            first = replace(home, shape=init.type.shape)
            if params["reverse"]:  # the initial rows stand as in the trace, the latest first
                first = replace(
                    first, offset=(depth - 1) * home.strides[0], strides=(-home.strides[0], *home.strides[1:])
                )
        else:
            (home,) = self.result_views([made])
            start = count if params["reverse"] else 0
            first = replace(home, shape=init.type.shape, offset=home.offset + start * home.strides[0])
        unit = replace(self.piece(init, first), late=n in self.late)
        self.insert(unit)
        return home

    def result_views(self, made: Iterable[Expr]) -> list[View]:
        """Where results of a node go."""
        out = []
        for r in made:
            if r not in self.views:
                self.views[r] = self.targets.get(r) or self.memory.buffer("temp", r.type.dtype, r.type.shape)
            out.append(self.views[r])
        return out

    def settled(self, inner: list[Step], moves: Sequence[tuple[View, View, bool]]) -> list[Step]:
        """The steps of a round with the moves at its end, but for those states that may be made where they belong: in a
        row of their own (the third of a move says so), by no kernel that touches other rows there."""
        both = [{v.buffer for v, _ in accesses(s)} for s in all_within(inner)]
        left = []
        for new, home, own_row in moves:
            apart = not any(new.buffer in used and home.buffer in used for used in both)
            over = None if own_row else laid_over(inner, new, home)
            if over is not None:
                inner = over
                del self.memory.buffers[new.buffer]
            elif own_row and apart:
                inner = [moved_to(s, new, home) for s in inner]
                del self.memory.buffers[new.buffer]
            else:
                left.append(Call("copy", (new, home)))
        return [*inner, *left]

    def finish(self, n: Expr, homes: Sequence[View]) -> None:
        """The results that are the last rows of homes."""
        for r, home, alone in zip(results(n), homes, n.params["last"], strict=False):
            if not alone:
                continue
            row = home.row(home.shape[0] - 1)
            if r in self.targets:
                self.views[r] = self.targets[r]
                self.groups.append(Group([], step=Call("copy", (row, self.targets[r]))))
                self.place[r] = len(self.groups) - 1
            else:
                self.views[r] = row


def laid_over(inner: list[Step], new: View, home: View) -> list[Step] | None:
    """The steps of a round with a new state made over the old one, if the kernel that makes it reads of the old only what
    it is about to write and no step reads that later; None otherwise."""
    if home.shape != new.shape or home.offset != 0:
        return None
    makers = [k for k, s in enumerate(inner) if any(v.buffer == new.buffer and w for v, w in touched(s))]
    if len(makers) != 1 or not isinstance(inner[makers[0]], Kernel):
        return None
    (k,) = makers
    if any(v.buffer == home.buffer for s in inner[k + 1 :] for v, _ in touched(s)):
        return None
    if any(v.buffer == new.buffer for s in inner[:k] for v, _ in touched(s)):
        return None
    made = overwriting(inner[k], new.buffer, home.buffer)
    if made is None:
        return None
    names = {new.buffer: home.buffer}
    return [rename(made if j == k else s, names) for j, s in enumerate(inner)]


def touched(step: Step) -> list[tuple[View, bool]]:
    """What a step and those inside it read and write."""
    return [access for s in within(step) for access in accesses(s)]


def held(rows: View, ran: View, sources: tuple[int, ...]) -> Kernel:
    """Rows after the last round repeat what that made."""
    at = indices(rows.shape)
    last = Apply("sub", (Load(ran, ()), Const(1, "int64")), "int64")
    source = (Apply("minimum", (Position(at[0]), last), "int64"), *at[1:])
    return Kernel(nest(0, rows.shape, (Store(rows, at, Load(rows, source)),)), sources)


def row_at(p: int, depth: int, count: Extent, t: Extent, k: int, params: Mapping[str, Any]) -> Extent:
    """The row of a state's home that holds what was made p - depth steps after step t; p = depth is the new one."""
    if params["last"][k]:
        return min(p, depth - 1)
    return count + depth - 1 - t - p if params["reverse"] else t + p


def moved_to(step: Step, old: View, new: View) -> Step:
    """The step with all that lies in one buffer lying elsewhere, in the same order."""

    def there(view: View) -> View:
        return replace(view, buffer=new.buffer, offset=view.offset + new.offset) if view.buffer == old.buffer else view

    match step:
        case Kernel(body, sources):
            return Kernel(rebuilt(body, views=there), sources)
        case Call():
            return replace(step, views=tuple(map(there, step.views)), epilogue=rebuilt(step.epilogue, views=there))
        case Loop(counter, count, body):
            stop = None if step.stop is None else there(step.stop)
            return Loop(counter, count, tuple(moved_to(s, old, new) for s in body), stop)
        case If(condition, then, other):
            sides = [tuple(moved_to(s, old, new) for s in side) for side in (then, other)]
            return If(there(condition), *sides)
