"""Loops around reductions, several rounds at a time: one round in each lane, so that what a round adds up stays in registers.

    for i in 0:n: { acc = 0;  for r in 0:m: acc = acc + x[r, i];  o[i] = acc }

Where neighbouring rounds lie side by side in memory, as columns do, this is the only way to take them in vectors, and is
taken always. Where each round has its own row, the rows are short (SHORT) and the inner loops would have no whole vector: this is
looked at when the kernel runs, if the lengths are not known. The rounds that are left, less than a vector, do the very same: in
one more vector, some of whose lanes are neither loaded nor stored, where rounds lie side by side and the machine can
leave out lanes; else one number at a time, sums in order. So no number depends on where a loop was cut.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from symdl.backends.builder import Reg
from symdl.backends.llvm.module import ITEM_BYTES, Module
from symdl.backends.llvm.plans import Plan
from symdl.backends.llvm.rests import KINDS, LONG, MASKED
from symdl.backends.llvm.single_sums import SingleSumWriter
from symdl.backends.llvm.statements import Dependency, KernelWriter, Nest, changed_in, varying_in
from symdl.backends.rungs import few_rounds, straight
from symdl.backends.rungs.deviations import by_differences
from symdl.backends.rungs.rows import row
from symdl.backends.rungs.stretches import stretch
from symdl.ir.loops import (
    Apply,
    Assign,
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
    place_of,
    walk,
)
from symdl.ir.narrow_rows import CHEAP
from symdl.number_forms import WIDE
from symdl.records import record
from symdl.types import Extent, Symbol, at_most, largest, slope, smallest, symbols

LIGHT = 20  # statements and values of a loop that is taken by several vectors
FARTHEST = 1 << 12  # bytes further, at most, sums down columns ask for what they will read
SEVERAL = 40  # statements and values of columns that are taken by four vectors
REGISTERS = 8  # that one number of each of these takes, at most
FEW = 3  # functions of a loop that is taken by two vectors: its text is there twice
MORE = 4  # likewise where it is tried, or goes across columns
BOTH = 4  # limbs that a loop of one function loads, up to which it is taken by two vectors where it is tried with fewer digits
INLINED = frozenset("exp expm1 exp2 log log1p log2 log10 tanh erf logistic_tail".split())
SHORTEST = frozenset("exp expm1 exp2 log tanh logistic_tail".split())
DIVISIONS = frozenset({"true_div", "sqrt"})  # costly, but one instruction
FEW_COLUMNS = (
    5  # that go one after the other: a vector holds three times as many, and gathers cost as much as functions
)
SHORT = 32  # elements of a row, from which on its own loop fills vectors
TOGETHER = 16  # rounds that a chunk of such a loop is a multiple of


@record
class Across:
    """How many rounds are taken at once, largest first, and for which longest row: None where always. rest: of how many
    lanes the vector is that takes what is left; 0 where it goes one by one. columns: whether sums of columns are tried (`rows`)."""

    lanes: tuple[int, ...]
    longest: Extent | None
    rest: int = 0
    columns: bool = False


def across(loop: For, vector_bytes: int) -> Across | None:
    """The plan for a loop whose rounds are independent, as they are marked or seen to be; None for others."""
    if loop.schedule == "few":
        return None
    items = list(walk(*loop.body))
    inner = [item for item in items if isinstance(item, For)]
    wide = any(isinstance(item, Apply) and item.dtype in WIDE for item in items)
    columns = wide and not in_stretches(loop.body)
    if not inner or not all(isinstance(item, KINDS) for item in items) or not vector_bytes:
        return None
    indices = {f.index for f in inner}
    if any({loop.index, *indices} & symbols(f.extent) for f in inner):
        return None
    declared = {item.name for item in items if isinstance(item, Local)}
    sums = [s for f in inner for s in f.body if isinstance(s, Assign)]
    if not sums or any(isinstance(item, Assign) and item.name not in declared for item in items):
        return None
    side_by_side, bytes_, heavy, leaves_out = True, 1, False, vector_bytes >= MASKED
    for item in items:
        match item:
            case Load(view, at) | Store(view, at):
                if not all(isinstance(i, Extent) for i in at):
                    return None
                place = place_of(view, at)
                step = slope(place, loop.index)
                if step is None or (isinstance(item, Store) and step == 0):
                    return None
                if view.dtype in WIDE and not (columns and step == 1):
                    return None
                leaves_out = leaves_out and (step == 0 or (step == 1 and ITEM_BYTES[view.dtype] >= 4))
                if isinstance(item, Load):
                    if step == 0 or not indices.isdisjoint(symbols(place)):  # others stay in registers
                        bytes_ = max(bytes_, ITEM_BYTES[view.dtype])
                    side_by_side = side_by_side and (step in (0, 1) or indices.isdisjoint(symbols(place)))
            case Position(extent):
                if slope(extent, loop.index) is None:
                    return None
            case Guard(bounds):
                if any(loop.index in symbols(e) for bound in bounds for e in bound):
                    return None
            case Apply(primitive, _, dtype):
                heavy = heavy or primitive not in {*CHEAP, *DIVISIONS} or (dtype == "bool" and vector_bytes < LONG)
    if columns and not (side_by_side and in_columns(loop.body)):
        return None
    lanes = max(vector_bytes // bytes_, 2)
    widest = max((ITEM_BYTES[item.dtype] for item in items if isinstance(item, Apply)), default=1)
    many = side_by_side and len(items) <= SEVERAL and 4 * lanes * widest <= REGISTERS * vector_bytes
    at_once = (lanes,) if heavy else (2 * lanes, lanes)
    if (many or columns) and leaves_out and not heavy and vector_bytes >= LONG:
        at_once = 4 * lanes, 2 * lanes  # less than that goes by vectors with lanes left out
    functions = [x.primitive for x in items if isinstance(x, Apply) and x.primitive not in {*CHEAP, *DIVISIONS}]
    short = 0 < len(functions) <= MORE and INLINED.issuperset(functions)
    if short and side_by_side and leaves_out and vector_bytes >= LONG:
        at_once = (2 * lanes,)  # the chains of one fill the gaps of the other's
    extent = loop.extent if isinstance(loop.extent, int) else at_once[0]
    both = tuple(n for n in at_once if n <= extent)
    if loop.schedule != "parallel" and not apart(loop, items):
        return None
    if side_by_side and (both or (leaves_out and extent > 1)):
        return Across(both, None, lanes if leaves_out else 0, columns)
    if columns or not both:
        return None
    longest: Extent = 0
    for f in inner:
        longest = largest(longest, f.extent)
    if at_most(SHORT, longest):
        return None
    return Across(both, longest)


def in_stretches(body: tuple[Stmt, ...]) -> bool:
    """Whether all numbers of two limbs belong to what is tried with one, and stores nothing: in a lane that has not
    failed it would be stored again."""
    place = 0
    while place < len(body):
        found = stretch(body, place)
        if found is not None and not found.stores:
            place = found.end
        elif any(isinstance(item, Apply) and item.dtype in WIDE for item in walk(body[place])):
            return False
        else:
            place += 1
    return True


def in_columns(body: tuple[Stmt, ...]) -> bool:
    """Whether all loops with number forms belong to sums that are tried column by column, and the rest is stored once each."""
    place = 0
    while place < len(body):
        found = row(body, place, True, column=True)
        if found is not None:
            place = found.end
        elif isinstance(body[place], For):
            return False
        else:
            place += 1
    return True


def apart(loop: For, items: list[Any]) -> bool:
    """Whether each round of a loop touches one element of what it writes, and no two the same."""
    places: dict[str, list[Extent]] = {}
    for item in items:
        if isinstance(item, Load | Store):
            places.setdefault(item.view.buffer, []).append(place_of(item.view, item.at))
    inner = {item.index for item in items if isinstance(item, For)}
    for name in {item.view.buffer for item in items if isinstance(item, Store)}:
        first = places[name][0]
        step = slope(first, loop.index)
        if any(p is not first for p in places[name]) or not isinstance(step, int) or inner & symbols(first):
            return False
    return True


class AcrossWriter(SingleSumWriter):
    """A SingleSumWriter that takes loops around reductions several rounds at a time where it may."""

    in_stretches = True
    in_balls = True

    def __init__(self, module: Module, pointers: dict[str, str], indices: set[Symbol]) -> None:
        super().__init__(module, pointers, indices)
        self.varies: set[Dependency] | None = None  # what differs from lane to lane, while rounds are taken at once

    def statement(self, statement: Any) -> None:
        """Emit one statement."""
        if self.varies is not None and isinstance(statement, Store):
            self.store_lanes(statement.view, statement.at, self.value(statement.value))
            self.forget({("buffer", statement.view.buffer)})
            return
        if self.varies is not None or self.in_order:
            KernelWriter.statement(self, statement)
            return
        plan = None
        if isinstance(statement, For):
            plan = across(statement, self.target.vector_bytes)
            if (
                plan is not None
                and not plan.columns
                and any(self.tried(s) for s in walk(*statement.body) if isinstance(s, For))
            ):
                plan = None
        if plan is None:
            self.straightened(statement)
            return
        assert isinstance(statement, For)
        rounds = few_rounds.rounds_of(statement)
        if isinstance(rounds, int):
            self.so_few(statement, statement, plan, rounds)
        elif rounds is None:
            self.of_any_length(statement, plan)
        else:
            self.by_number(statement, plan, rounds)

    def straightened(self, statement: Stmt) -> None:
        """A statement; a loop over rows of few numbers, of two limbs or with an exponent, as one without loops inside."""
        ways = straight.ways(statement) if isinstance(statement, For) else None
        if ways is None or not isinstance(statement, For):
            super().statement(statement)
            return
        size, loops = ways
        join = self.fresh("join")
        for count, loop in loops.items():
            few, other = self.fresh("few"), self.fresh("other")
            if size is not None:
                is_so = self.emit(f"icmp eq {self.word} {self.register(size)}, {count}", "bool").text
                self.branch(is_so, few, other)
                self.label(few)
            self.open_scope()
            self.kept.append(loop)
            spread = self.spread
            if statement is spread:
                self.spread = loop
            super().statement(loop)
            self.spread = spread
            self.close_scope()
            self.jump(join)
            if size is not None:
                self.label(other)
        if size is not None:
            self.open_scope()
            super().statement(statement)
            self.close_scope()
            self.jump(join)
        self.label(join)
        self.forget(changed_in(statement.body))

    def by_number(self, loop: For, plan: Across, size: Symbol) -> None:
        """A loop in whose rounds are as many rounds as a size says of those inside, written out for a few numbers."""
        join = self.fresh("join")
        for count in few_rounds.COUNTS:
            known = few_rounds.with_rounds(loop, size, count)
            taken = across(known, self.target.vector_bytes)
            if taken is None:
                continue  # of a square, which has so few rounds itself
            few, other = self.fresh("few"), self.fresh("other")
            self.branch(self.emit(f"icmp eq {self.word} {self.register(size)}, {count}", "bool").text, few, other)
            self.label(few)
            self.open_scope()
            self.so_few(loop, known, taken, count)
            self.close_scope()
            self.jump(join)
            self.label(other)
        self.open_scope()
        self.of_any_length(loop, plan)
        self.close_scope()
        self.jump(join)
        self.label(join)
        self.forget(changed_in(loop.body))

    def so_few(self, loop: For, known: For, plan: Across, count: int) -> None:
        """A loop in whose rounds are so many rounds of those inside, written out. known: the loop, which says so; plan: its own."""
        if self.fused:
            known = by_differences(known)
        out, spread = few_rounds.written_out(known, self.fused), self.spread
        self.kept.append(out)
        if loop is spread:
            self.spread = out
        lanes = (2 * plan.rest,) if plan.rest else plan.lanes[-1:]  # of one size: the text is there for each count
        self.rounds(out, replace(plan, lanes=lanes), count)
        self.spread = spread

    def of_any_length(self, statement: For, plan: Across) -> None:
        """A loop around reductions of any length."""
        rows = next(s.extent for s in statement.body if isinstance(s, For))
        longest = self.columns_alone(statement, plan, rows) if plan.longest is None else plan.longest
        if at_most(longest, SHORT - 1):
            self.rounds(statement, plan, rows)
        else:
            short, long, join = self.fresh("short"), self.fresh("long"), self.fresh("join")
            length = self.size(longest)
            self.branch(self.emit(f"icmp slt {self.word} {length}, {SHORT}", "bool").text, short, long)
            self.label(short)
            self.open_scope()
            self.rounds(statement, plan, rows)
            self.close_scope()
            self.jump(join)
            self.label(long)
            self.open_scope()
            super().statement(statement)
            self.close_scope()
            self.jump(join)
            self.label(join)
            self.forget(changed_in(statement.body))

    def columns_alone(self, loop: For, plan: Across, rows: Extent) -> Extent:
        """How long columns side by side are that had better go one after the other: of float32 in two limbs, too few to fill a vector
        (by all of them, so that no number depends on threads); 0 where they are more."""
        items = walk(*loop.body)
        wide = any(isinstance(x, Apply) and x.dtype in WIDE for x in items)
        # the order of additions changes, which a float64 may show
        single = all(x.view.dtype == "float32" for x in items if isinstance(x, Load | Store))
        few = smallest(largest(FEW_COLUMNS + 1 - loop.extent, 0), 1)
        return rows * few if wide and single and not plan.columns else 0

    def tried(self, loop: For) -> bool:
        """Whether numbers of a loop are tried with fewer digits or a smaller range."""
        return self.attempt(loop) is not None or self.as_whole(loop) is not None

    def plan_of(self, loop: For) -> Plan | None:
        """Two vectors for what is tried in float32, or without an exponent, and computes a few functions, or with fewer digits and one,
        where there are registers for both."""
        plan, tried = super().plan_of(loop), self.attempt(loop)
        if plan is None or plan.sums or tried is None or not self.permutes:
            return plan
        names = [x.primitive for x in walk(*loop.body) if isinstance(x, Apply)]
        functions = [name for name in names if name not in {*CHEAP, *DIVISIONS}]
        most = MORE
        if tried.digits and not tried.single:
            items = walk(*tried.values.values())
            limbs = 2 if any(x.dtype in WIDE for x in items if isinstance(x, Apply)) else 1
            most = 1 if limbs * sum(isinstance(x, Load) for x in items) <= BOTH else 0
        few = 0 < len(functions) <= most and INLINED.issuperset(functions)
        return replace(plan, lanes=2 * plan.lanes) if few else plan

    def wider(self, loop: For, plan: Plan) -> Plan | None:
        """Several vectors at once for a long loop. Four where it is cheap and only adds up: an addition waits for the one
        before it, not for memory. Two where it computes a few functions: their numbers are loaded once for both, and the
        chains of one fill the gaps of the other's; with AVX-512 four where it is one short function."""
        items = list(walk(*loop.body))
        applied = [x for x in items if isinstance(x, Apply)]
        if (
            plan.choice is not None
            or plan.running
            or any(s.ordered for s in plan.sums.values())
            or any(isinstance(x, Guard) for x in items)
            or any(x.dtype in WIDE for x in applied)
            or (isinstance(loop.extent, int) and loop.extent < SHORT)
            or self.attempt(loop) is not None
        ):
            return None
        costly = [x for x in applied if x.primitive not in CHEAP]
        functions = [x for x in costly if x.primitive not in DIVISIONS]
        if 0 < len(functions) <= FEW and all(x.primitive in INLINED for x in functions):
            alone = len(functions) == 1 and functions[0].primitive in SHORTEST
            vectors = 4 if self.permutes and alone else 2
            lanes = vectors * self.target.vector_bytes // min(ITEM_BYTES[x.dtype] for x in functions)
            return replace(plan, lanes=lanes) if lanes > plan.lanes else None
        if plan.sums and not costly and len(items) <= LIGHT and not any(isinstance(x, Store) for x in items):
            return replace(plan, lanes=4 * plan.lanes, piece=self.piece_of(loop, plan), asks=self.further(loop))
        return None

    def rounds(self, loop: For, plan: Across, rows: Extent) -> None:
        """All rounds: by whole vectors, then what is left. rows: how many rounds the first loop inside has or had."""
        self.forget(changed_in(loop.body))
        start, end = self.bounds(loop)
        self.asks = self.beside(rows)
        for lanes in plan.lanes:
            self.at_once(loop, lanes, start, self.arithmetic("sub", end, str(lanes - 1)))
            most = self.extreme("max", self.arithmetic("sub", end, start), "0")
            start = self.arithmetic("add", start, self.arithmetic("and", most, str(-lanes)))
        self.asks = ""
        if plan.rest:
            self.at_once(loop, plan.rest, start, end, some=True)
        else:
            self.in_order = True
            self.loop(loop, start)
            self.in_order = False
        self.forget(changed_in(loop.body))

    def beside(self, rows: Extent) -> str:
        """How many bytes further columns of so many rows ask for what they will read: little enough that it all stays in a
        cache until it is read."""
        each = self.arithmetic("udiv", str(self.target.beside), self.extreme("max", self.size(rows), "1"))
        return self.extreme("min", each, str(FARTHEST))

    def at_once(self, loop: For, lanes: int, start: str, end: str, some: bool = False) -> None:
        """The rounds from a start on, by vectors that begin before the end. some: a vector may reach over it."""
        opened = self.open_loop(end, start, lanes)
        self.nests.append(Nest(opened.before, varying_in(loop)))
        self.scopes[-1].symbols[loop.index] = opened.index
        self.index = loop.index
        self.varies = varying_in(loop)
        kept, self.variables = self.variables, {}
        piece, asks = 0 if some else self.piece_of_columns(loop), self.asks
        self.take(piece or lanes)
        if some:
            self.mask = self.lanes_before(end, opened.index, lanes)
        for k in range(0, lanes, self.lanes):
            self.open_scope().symbols[loop.index] = self.arithmetic("add", opened.index, str(k)) if k else opened.index
            self.asks = asks if k % TOGETHER == 0 else ""  # once for each line of the cache
            self.statements(loop.body)
            self.close_scope()
        self.asks, self.mask = asks, ""
        self.take(0)
        self.variables, self.varies = kept, None
        self.nests.pop()
        self.close_loop(opened)
        self.forget(changed_in(loop.body))

    def vary(self, statements: tuple[Stmt, ...]) -> None:
        super().vary(statements)
        if self.varies is not None:
            self.varies |= changed_in(statements)

    # values

    def settled(self, item: Value) -> bool:
        if self.varies is None or not self.lanes:
            return super().settled(item)
        if isinstance(item, Const):
            return False
        lanes, reads = self.lanes, self.dependencies(item)
        if reads.isdisjoint(self.varies):  # the same in all lanes
            self.take(0)
            found = self.value(item)
            self.take(lanes)
            self.remember(item, self.every_lane(found, lanes))
            return True
        if len(self.nests) < 2 or not self.may_hoist(item):
            return False
        with self.ahead():
            self.take(lanes)
            self.value(item)
            self.take(0)
        return True

    def compute(self, item: Value) -> Reg:
        if self.varies is not None and self.lanes and isinstance(item, Ref):
            return self.emit(f"load {self.type(item.dtype)}, ptr {self.variable(item.name)}", item.dtype)
        return super().compute(item)

    def variable(self, name: str) -> str:
        """The address of a variable: a number, or one in each lane."""
        if self.varies is None or not self.lanes:
            return super().variable(name)
        dtype = self.dtypes[name]
        found = self.variables.get((name, dtype))
        if found is None:
            found = self.variables[name, dtype] = f"%{self.fresh('variable')}"
            self.scopes[0].landing.append(f"  {found} = alloca {self.type(dtype)}")
        return found
