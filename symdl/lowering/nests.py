"""Units to loops: the kernel of a group of units that share a loop nest.

The loops over the group's prefix surround everything; inside, each run of units with one space is a phase with loops
of its own. What a phase makes and reads at the same indices stays a value; a reduction whose result only the group
reads stays in its variable; what only later phases of the group read is a row long, written anew in each round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from symdl.graph.expr import Expr
from symdl.ir.column_choices import better
from symdl.ir.loops import (
    Apply,
    Assign,
    Checked,
    Const,
    For,
    Guard,
    Load,
    Local,
    Position,
    Ref,
    Stmt,
    Store,
    Value,
    View,
    contiguous,
    is_value,
    parts,
    walk,
)
from symdl.ir.program import Kernel
from symdl.lowering.lower import At, Formulas, Read, index, index_symbol, indices
from symdl.number_forms import has_more_digits
from symdl.ops.reductions import FOLDS
from symdl.records import mutable
from symdl.types import Extent

EXTREMES = {"max_and_argmax": "max", "min_and_argmin": "min"}


@mutable
class Unit:
    """A node, or a piece of a join, as loops over kept and then reduced axes: value at their indices."""

    node: Expr
    kept: tuple[Extent, ...]
    reduced: tuple[Extent, ...]
    value: Value
    reads: list[Read]
    made: tuple[Expr, ...]  # what it stores; nothing that others know of for a piece or a copy
    views: tuple[View, ...]  # where each result goes
    writes: At  # at which indices of its results
    late: bool = False
    rows: View | None = None  # accumulators in memory, into which rows are folded; whole only after all loops

    @property
    def space(self) -> tuple[Extent, ...]:
        return self.kept + self.reduced


def nest(first: int, extents: Sequence[Extent], body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """body inside one loop per extent, named i<first>, i<first+1>, ...; an axis of 1 has no loop."""
    for k in range(len(extents) - 1, -1, -1):
        if extents[k] != 1:
            body = (For(index_symbol(first + k), extents[k], body),)
    return body


def grouped(
    units: Sequence[Unit], prefix: tuple[Extent, ...], private: Mapping[str, bool], formulas: Formulas
) -> Kernel:
    """One kernel for units that share the loops over prefix.

    private: buffers that no other step touches, and whether they are read at all; they may vanish.
    """
    return Grouped(units, prefix, private, formulas).kernel()


class Grouped:
    """A kernel being made."""

    def __init__(
        self, units: Sequence[Unit], prefix: tuple[Extent, ...], private: Mapping[str, bool], formulas: Formulas
    ) -> None:
        self.units, self.prefix, self.private = units, prefix, private
        self.formulas, self.memory = formulas, formulas.memory
        self.registers: dict[str, Value] = {}  # buffer -> what it holds at the indices of this round and phase
        self.lasting: dict[str, Value] = {}  # as registers, in later phases too
        self.narrow: dict[str, View] = {}  # buffer of one row -> the view of it
        self.done: dict[int, Value] = {}  # values of this phase, rewritten

    def kernel(self) -> Kernel:
        phases = self.phases()
        body: list[Stmt] = []
        opening: list[Stmt] = []
        closing: list[Stmt] = []
        for k, phase in enumerate(phases):
            later = {self.formulas.views[d].buffer for p in phases[k + 1 :] for u in p for d, _ in u.reads}
            body += self.phase(phase, later)
        for u in self.units:
            if u.rows is not None:
                self.around(u, u.rows, opening, closing)
        nodes = {n for u in self.units for n in self.formulas.covered(u.node)}
        loops = nest(0, self.prefix, tuple(body))
        return Kernel((*opening, *loops, *closing), self.memory.sources(*nodes))

    def phases(self) -> list[list[Unit]]:
        """Runs of units over one space whose reductions run over the same axes, and of which each reads what the run
        makes only at its own indices."""
        phases: list[list[Unit]] = []
        made: dict[Expr, Unit] = {}
        kept: tuple[Extent, ...] | None = None  # of the run's reductions
        for u in self.units:
            fits = phases and phases[-1][0].space == u.space and (not u.reduced or kept in (None, u.kept))
            if fits and all(not made[d].reduced and at == made[d].writes for d, at in u.reads if d in made):
                phases[-1].append(u)
            else:
                phases.append([u])
                made, kept = {}, None
            made.update(dict.fromkeys(u.made, u))
            kept = u.kept if u.reduced else kept
        return phases

    def phase(self, units: list[Unit], later: set[str]) -> list[Stmt]:
        """The statements of one phase. later: buffers that later phases read."""
        before: list[Stmt] = []
        inside: list[Stmt] = []
        after: list[Stmt] = []
        self.done = {}
        for u in units:
            if u.rows is not None:
                self.rows(u, u.rows, inside)
            elif u.node.op.kind == "accumulation" and u.made:
                self.running(u, before, inside)
            elif not u.reduced:
                self.plain(u, inside, later)
            elif u.node.op.name in EXTREMES:
                self.extreme(u, before, inside, after)
            else:
                self.fold(u, before, inside, after)
        self.registers = dict(self.lasting)
        p = len(self.prefix)
        space = units[0].space
        kept = next((u.kept for u in units if u.reduced), space[:p])
        loops = nest(len(kept), space[len(kept) :], tuple(inside))
        return list(nest(p, kept[p:], (*before, *loops, *after)))

    # ---- where results stay ----

    def plain(self, u: Unit, inside: list[Stmt], later: set[str]) -> None:
        view = u.views[0]
        value = self.formulas.cast(self.rewritten(u.value), view.dtype)
        if u.made:
            self.registers[view.buffer] = value
        if view.buffer in self.private and view.buffer not in later:
            self.drop(view)
        elif view.buffer in self.private and all(n == 1 for n in u.kept[len(self.prefix) :]):  # one number a round
            variable = Ref(self.memory.local(), view.dtype)
            inside.append(Local(variable.name, value))
            self.lasting[view.buffer] = self.registers[view.buffer] = variable
            self.drop(view)
        else:
            if u.made and any(has_more_digits(getattr(x, "dtype", ""), view.dtype) for x in walk(value)):
                # How many digits a formula keeps depends on its users: all of these shall see what is stored.
                variable = Ref(self.memory.local(), view.dtype)
                inside.append(Local(variable.name, value))
                self.registers[view.buffer] = value = variable
            inside.append(Store(self.row(view, u), u.writes, value))

    def settle(self, view: View, u: Unit, value: Value, after: list[Stmt]) -> None:
        """A reduction's result: in its variable if only this round's later phases read it."""
        if view.buffer in self.private and (len(u.kept) == len(self.prefix) or not self.private[view.buffer]):
            self.lasting[view.buffer] = value
            self.drop(view)
        else:
            after.append(Store(self.row(view, u), u.writes, value))

    def drop(self, view: View) -> None:
        del self.memory.buffers[view.buffer]

    def row(self, view: View, u: Unit) -> View:
        """The view to store to; of a private buffer just what one round of the prefix makes."""
        name = view.buffer
        if name not in self.private:
            return view
        if name not in self.narrow:
            shared = set(indices(self.prefix)) - {0}
            own = [k for k, i in enumerate(u.writes) if i not in shared]
            short = contiguous(name, view.dtype, tuple(view.shape[k] for k in own))
            strides = dict(zip(own, short.strides, strict=True))
            self.narrow[name] = replace(view, strides=tuple(strides.get(k, 0) for k in range(len(view.shape))))
            self.memory.buffers[name] = replace(self.memory.buffers[name], shape=short.shape)
        return self.narrow[name]

    def rewritten(self, root: Value) -> Value:
        """The value with loads of what is in registers or rows replaced; what is shared stays shared."""
        done = self.done
        stack = [root]
        while stack:
            item = stack[-1]
            if id(item) in done:
                stack.pop()
            elif isinstance(item, Load) and item.view.buffer in self.registers:
                done[id(item)] = self.registers[item.view.buffer]
            else:
                inner = parts(item)
                missing = [x for x in inner if id(x) not in done]
                if missing:
                    stack += reversed(missing)
                else:
                    done[id(item)] = self.remade(item, inner)
        return done[id(root)]

    def remade(self, item: Value, inner: tuple[Value, ...]) -> Value:
        """The value with its parts rewritten; itself where nothing has changed."""
        moved = isinstance(item, Load) and item.view.buffer in self.narrow
        if not moved and all(self.done[id(x)] is x for x in inner):
            return item
        match item:
            case Load(view, at):
                place = tuple(self.done[id(i)] if is_value(i) else i for i in at)
                return Load(self.narrow.get(view.buffer, view), place)
            case Apply(primitive, args, dtype):
                return Apply(primitive, tuple(self.done[id(a)] for a in args), dtype)
            case Guard(bounds, value, other):
                return Guard(bounds, self.done[id(value)], self.done[id(other)])
            case Checked(value, extent, code, dtype):
                return Checked(self.done[id(value)], extent, code, dtype)
        return item

    # ---- reductions ----

    def fold(self, u: Unit, before: list[Stmt], inside: list[Stmt], after: list[Stmt]) -> None:
        """acc = identity; for each element: acc = combine(acc, element)."""
        acc = self.accumulator(u, before, inside)
        self.settle(u.views[0], u, self.formulas.cast(acc, u.views[0].dtype), after)

    def running(self, u: Unit, before: list[Stmt], inside: list[Stmt]) -> None:
        """As fold, and each step's accumulator is stored."""
        acc = self.accumulator(u, before, inside)
        view = u.views[0]
        inside.append(Store(self.row(view, u), u.writes, self.formulas.cast(acc, view.dtype)))

    def rows(self, u: Unit, rows: View, inside: list[Stmt]) -> None:
        """A reduction in the operand's own order: each row is folded into the row of accumulators."""
        rule = FOLDS[u.node.op.name]
        element = self.summand(u, rows.dtype)
        inside.append(Store(rows, u.writes, Apply(rule.combine, (Load(rows, u.writes), element), rows.dtype)))

    def around(self, u: Unit, rows: View, opening: list[Stmt], closing: list[Stmt]) -> None:
        """What comes before and after the loops that fold rows."""
        at, identity = indices(rows.shape), FOLDS[u.node.op.name].identity(rows.dtype)
        opening += nest(0, rows.shape, (Store(rows, at, Const(identity, rows.dtype)),))
        if rows != u.views[0]:
            out = u.views[0]
            closing += nest(0, out.shape, (Store(out, at, self.formulas.cast(Load(rows, at), out.dtype)),))

    def accumulator(self, u: Unit, before: list[Stmt], inside: list[Stmt]) -> Ref:
        rule = FOLDS[u.node.op.name]
        dtype = rule.accumulator(u.value.dtype)
        acc = Ref(self.memory.local(), dtype)
        element = self.summand(u, dtype)
        before.append(Local(acc.name, Const(rule.identity(dtype), dtype)))
        inside.append(Assign(acc.name, Apply(rule.combine, (acc, element), dtype)))
        return acc

    def summand(self, u: Unit, dtype: str) -> Value:
        """An element as it is added up. A product of numbers of that dtype, rounded to be multiplied, is one of the numbers
        themselves: as many conversions fewer."""
        match self.rewritten(u.value):
            case Apply("mul", (Apply("cast", (x,)), Apply("cast", (y,)))) if x.dtype == y.dtype == dtype:
                return Apply("mul", (x, y), dtype)
            case value:
                return self.formulas.cast(value, dtype)

    def extreme(self, u: Unit, before: list[Stmt], inside: list[Stmt], after: list[Stmt]) -> None:
        """The extreme element and its first place; a NaN beats all, the first of several wins. Where all are what it begins
        with, place 0 is right."""
        value, dtype = self.rewritten(u.value), u.value.dtype
        if dtype == "bool":
            value, dtype = self.formulas.cast(value, "uint8"), "uint8"
        best, at = Ref(self.memory.local(), dtype), Ref(self.memory.local(), "int64")
        chosen = Ref(self.memory.local(), "bool")
        fold = EXTREMES[u.node.op.name]
        here = Position(0 if u.reduced[0] == 1 else index(len(u.kept)))
        before += [
            Local(best.name, Const(FOLDS[fold].identity(dtype), dtype)),
            Local(at.name, Const(0, "int64")),
            Local(chosen.name, Const(False, "bool")),
        ]
        inside += [
            Assign(chosen.name, better(value, best, fold == "max")),
            Assign(at.name, Apply("where", (chosen, here, at), "int64")),
            Assign(best.name, Apply("where", (chosen, value, best), dtype)),
        ]
        self.settle(u.views[0], u, self.formulas.cast(best, u.views[0].dtype), after)
        self.settle(u.views[1], u, at, after)


def columnwise(n: Expr) -> bool:
    """Whether a reduction keeps the last axis: then loops run along it, and the accumulators are a row in memory."""
    if n.op.kind != "reduction" or n.op.name not in FOLDS:
        return False
    (x,) = n.inputs
    last = len(x.type.shape) - 1
    return last not in n.params["axes"] and x.type.shape[last] != 1
