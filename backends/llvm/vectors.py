"""Innermost loops as LLVM IR by whole vectors, then what is left one number at a time."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext

from symdl.backends.builder import FLOATS, LLVM_TYPE, Reg, vector_type
from symdl.backends.llvm.certain import Certain, certain_rounds
from symdl.backends.llvm.lane_values import LaneWriter
from symdl.backends.llvm.module import ITEM_BYTES, Landing, OpenLoop
from symdl.backends.llvm.plans import IDENTITY, ORDERED, Choice, Plan, Sum, ahead, plan_for
from symdl.backends.llvm.statements import EXTREMES, Nest, changed_in, varying_in
from symdl.backends.vmath.forms import fast_two_sum
from symdl.backends.wide import emit, numbers, pairs
from symdl.ir.loops import (
    Apply,
    Assign,
    Const,
    For,
    Local,
    Stmt,
    Store,
    Value,
    is_value,
    place_of,
)
from symdl.number_forms import WIDE
from symdl.types import Symbol, slope


class VectorWriter(LaneWriter):
    """A LaneWriter that takes loops in vectors where their plan allows it."""

    def statement(self, statement: Stmt) -> None:
        """Emit one statement."""
        if isinstance(statement, For) and len(statement.body) == 1 and clears(statement.body[0], statement.index):
            self.clear(statement, statement.body[0])
            return
        plan = self.plan_of(statement) if isinstance(statement, For) else None
        if plan is None and isinstance(statement, For) and (found := certain_rounds(statement)) is not None:
            self.guarded(statement, found)
        elif plan is None:
            super().statement(statement)
        else:
            assert isinstance(statement, For)
            self.forget(changed_in(statement.body))
            first, end = self.bounds(statement)
            if (wide := self.wider(statement, plan)) is not None:
                first = self.whole_vectors(statement, wide, first, end, last=False)
            if plan.choice is not None:
                first = self.best_of_vectors(statement, plan, plan.choice, first, end)
            else:
                first = self.whole_vectors(statement, plan, first, end)
            if self.masks(statement, plan):
                return
            if statement is self.spread or not isinstance(statement.extent, int) or statement.extent % plan.lanes:
                self.rest(statement, first)

    def guarded(self, loop: For, certain: Certain) -> None:
        """A loop with guards: those of its rounds in which all hold, if they hold around it, and then the others."""
        self.kept.append(certain)
        if self.plan_of(certain.rounds) is None:
            super().statement(loop)
            return
        end = self.size(certain.rounds.extent)
        good = ""
        for index, extent in certain.around:
            one = self.emit(f"icmp ult {self.word} {self.size(index)}, {self.size(extent)}", "bool").text
            good = self.emit(f"and i1 {good}, {one}", "bool").text if good else one
        if good:
            end = self.emit(f"select i1 {good}, {self.word} {end}, {self.word} 0", "int64").text
            opened = self.open_loop(end, once=True)
            self.statement(certain.rounds)
            self.close_loop(opened)
        else:
            self.statement(certain.rounds)
        self.rest(loop, end)

    def rest(self, loop: For, start: str) -> None:
        """The rounds that are left, less than a vector."""
        self.loop(loop, start)

    def wider(self, loop: For, plan: Plan) -> Plan | None:
        """A plan of several vectors at once, by which a long loop is taken first."""
        return None

    def plan_of(self, loop: For) -> Plan | None:
        """How the loop is taken in vectors, if it is."""
        return plan_for(loop, self.target.vector_bytes, running=True, some=self.takes_few(loop))

    def clear(self, loop: For, store: Stmt) -> None:
        """A loop that writes zeros, as one call."""
        assert isinstance(store, Store)
        first, end = self.bounds(loop)
        self.open_scope().symbols[loop.index] = first
        place = self.address(store.view, store.at)
        self.close_scope()
        count = self.extreme("max", self.arithmetic("sub", end, first), "0")
        bytes_ = self.arithmetic("mul", count, str(ITEM_BYTES[store.view.dtype]))
        name = f"llvm.memset.p0.{self.word}"
        self.declarations.add(f"declare void @{name}(ptr, i8, {self.word}, i1)")
        self.line(f"call void @{name}(ptr {place}, i8 0, {self.word} {bytes_}, i1 false)")
        self.forget({("buffer", store.view.buffer)})

    def whole_vectors(self, loop: For, plan: Plan, first: str, end: str, last: bool = True) -> str:
        """The loop over all whole vectors of iterations from first on; returns the register with the place where they end.
        last: whether what is left is taken here, if it is by a vector."""
        partial = {
            s.variable: self.partial_sum(s, plan.lanes, s.variable in plan.running)
            for s in plan.sums.values()
            if not s.ordered
        }
        if last and self.masks_all(loop, plan):
            self.masked_rounds(loop, plan, partial, first, end, once=False)
            self.finish_sums(plan, partial, first, end, True)
            return end
        step = plan.lanes
        fixed = loop.extent if isinstance(loop.extent, int) and loop is not self.spread else None
        certain = first == "0" and fixed is not None and fixed >= step
        left = first
        if fixed is None or fixed >= step:
            opened = self.open_loop(self.arithmetic("sub", end, str(step - 1)), first, step, certain)
            self.in_lanes(loop, plan, partial, opened)
            with self.known(loop):
                left = self.after_whole(first, end, step)
        if last and self.masks(loop, plan):
            self.masked_rounds(loop, plan, partial, left, end, once=True)
            self.finish_sums(plan, partial, first, end, True)
        elif partial:
            self.finish_sums(plan, partial, first, end, certain)
        return left

    def further(self, loop: For) -> int:
        """How many bytes further a loop asks for what it will read; 0 where the processor sees to it."""
        return ahead(loop) if self.target.asks else 0

    def in_lanes(self, loop: For, plan: Plan, partial: dict[str, str], opened: OpenLoop, mask: str = "") -> None:
        """The rounds of a loop of vectors that was opened, which ends here. mask: which lanes are loaded, stored and added up,
        if not all."""
        self.nests.append(Nest(opened.before, varying_in(loop)))
        self.scopes[-1].symbols[loop.index] = opened.index
        self.own, self.index = {}, loop.index
        self.bundle(loop, plan.lanes)
        self.take(plan.lanes)
        self.asks, self.mask = str(plan.asks or ""), mask
        self.vector_round(loop, plan, partial)
        self.asks = self.mask = ""
        self.bundles = {}
        self.take(0)
        self.nests.pop()
        self.close_loop(opened)

    def may_mask(self, loop: For) -> bool:
        """Whether a vector of rounds of a loop may have lanes that are left out."""
        return False

    def takes_few(self, loop: For) -> bool:
        """Whether all rounds of a loop may be one such vector, where there are fewer than it has lanes."""
        return self.may_mask(loop)

    def masks(self, loop: For, plan: Plan) -> bool:
        """Whether what is left of a loop is taken by one more vector, some of whose lanes are not loaded."""
        return False

    def masks_all(self, loop: For, plan: Plan) -> bool:
        """Whether all of a loop is taken by vectors some of whose lanes may be left out."""
        return False

    def masked_rounds(self, loop: For, plan: Plan, partial: dict[str, str], start: str, end: str, once: bool) -> None:
        """Such vectors, once: one at most; of the writers who say that there are some."""
        raise NotImplementedError

    def known(self, loop: For) -> AbstractContextManager[None]:
        """While open, what is written stands where a loop's bounds are known: outside of the loops that do not change them."""
        return nullcontext() if loop is self.spread else Landing(self, self.scopes[self._depth(loop.extent)])

    def after_whole(self, first: str, end: str, step: int) -> str:
        """Where the last whole steps from first on end."""
        most = self.extreme("max", self.arithmetic("sub", end, first), "0")
        return self.arithmetic("add", first, self.arithmetic("sub", most, self.arithmetic("urem", most, str(step))))

    def vector_round(self, loop: For, plan: Plan, partial: dict[str, str]) -> None:
        """The body of a loop, one element in each lane."""
        for statement in loop.body:
            match statement:
                case Assign(name, _) if name in plan.running:
                    self.own[name] = self.totals(plan.sums[name], partial[name], self.value(plan.sums[name].value))
                    self.forget({("variable", name)})
                case Assign(name, _) if name in plan.sums:
                    if (truth := truth_of(plan.sums[name])) is not None:
                        self.note(partial[name], truth, plan.sums[name].dtype)
                    else:
                        self.add_up(plan.sums[name], partial.get(name, ""), self.value(plan.sums[name].value))
                case Local(name, value) | Assign(name, value):
                    self.own[name] = self.value(value)
                    self.dtypes[name] = value.dtype
                    self.forget({("variable", name)})
                case Store(view, at, value):
                    self.store_lanes(view, at, self.value(value))
                    self.forget({("buffer", view.buffer)})

    # sums

    def get(self, name: str) -> Reg:
        """What a scalar variable holds."""
        dtype = self.dtypes[name]
        return self.emit(f"load {LLVM_TYPE[dtype]}, ptr {self.variable(name)}", dtype)

    def set(self, name: str, value: Reg) -> None:
        """Set a scalar variable."""
        self.line(f"store {LLVM_TYPE[value.dtype]} {value.text}, ptr {self.variable(name)}")
        self.forget({("variable", name)})

    def partial_sum(self, sum_: Sum, lanes: int, running: bool = False) -> str:
        """A variable of one partial sum per lane, or of a running sum before this round in every lane."""
        pointer, kind = f"%{self.fresh('partial')}", vector_type(sum_.dtype, lanes)
        self.scopes[0].landing.append(f"  {pointer} = alloca {kind}")
        identity = None if running else IDENTITY.get(sum_.primitive)
        first = self.get(sum_.variable) if identity is None else self.const(identity, sum_.dtype)
        self.line(f"store {kind} {self.every_lane(first, lanes).text}, ptr {pointer}")
        return pointer

    def add_up(self, sum_: Sum, pointer: str, found: Reg) -> None:
        """Add the lanes to a sum: in their order to the variable, or each to its partial sum."""
        kind = self.type(sum_.dtype)
        if sum_.ordered:
            scalar, name = (
                LLVM_TYPE[sum_.dtype],
                f"llvm.vector.reduce.{ORDERED[sum_.primitive]}.{self.suffix(sum_.dtype)}",
            )
            self.declarations.add(f"declare {scalar} @{name}({scalar}, {kind})")
            before = self.get(sum_.variable)
            total = self.emit(f"call {scalar} @{name}({scalar} {before.text}, {kind} {found.text})", sum_.dtype)
            self.set(sum_.variable, total)
        else:
            before = self.emit(f"load {kind}, ptr {pointer}", sum_.dtype)
            total = self.more(sum_, before, found)
            self.line(f"store {kind} {total.text}, ptr {pointer}")

    def more(self, sum_: Sum, total: Reg, found: Reg) -> Reg:
        """Partial sums and what a round adds to them."""
        return self.as_one_sum(sum_, *((found, total) if sum_.primitive in EXTREMES else (total, found)))

    def note(self, pointer: str, truth: Value, dtype: str) -> None:
        """Set bits of the words in memory where something holds: one operation with a mask, where there are such, and of a float64
        that is not 0 all that it has but its sign."""
        before = self.emit(f"load {self.type(dtype)}, ptr {pointer}", dtype)
        match truth:
            case Apply("ne", (x, Const(0))) if x.dtype == "float64" and dtype == "int64" and not self.mask:
                words = self.or_(before, self.bits(self.fabs(self.value(x))))
            case _:
                found = self.value(truth)
                if self.mask:
                    found = emit(self, "bitwise_and", found, Reg(self.mask, "bool"), dtype="bool")
                words = self.select(found, self.or_(before, 1), before)
        self.line(f"store {self.type(dtype)} {words.text}, ptr {pointer}")

    def totals(self, sum_: Sum, pointer: str, found: Reg) -> Reg:
        """A running sum after each lane. The round before is added last: nothing else waits for it."""
        lanes, kind = self.lanes, self.type(sum_.dtype)
        identity: float | None = IDENTITY.get(sum_.primitive)
        # what lane 0 has may be met twice where that changes nothing; -0.0 adds nothing either, and LLVM has no vexpandpd for
        # it, which on Zen 5 waits for what its register held before, the end of the last round's chain
        identity = -0.0 if sum_.primitive == "add" and sum_.dtype in FLOATS else identity
        filler = found if identity is None else self.const(identity, sum_.dtype)
        back = 1
        while back < lanes:  # a lane's sum of so many, and the one of as many before them
            order = ", ".join(f"i32 {k - back if k >= back else lanes}" for k in range(lanes))
            shifted = f"shufflevector {kind} {found.text}, {kind} {filler.text}, <{lanes} x i32> <{order}>"
            found = emit(self, sum_.primitive, self.emit(shifted, sum_.dtype), found, dtype=sum_.dtype)
            back *= 2
        last = ", ".join([f"i32 {lanes - 1}"] * lanes)
        all_ = self.emit(f"shufflevector {kind} {found.text}, {kind} poison, <{lanes} x i32> <{last}>", sum_.dtype)
        before = self.emit(f"load {kind}, ptr {pointer}", sum_.dtype)
        after = emit(self, sum_.primitive, before, all_, dtype=sum_.dtype)
        self.line(f"store {kind} {after.text}, ptr {pointer}")
        return emit(self, sum_.primitive, before, found, dtype=sum_.dtype)

    def finish_sums(self, plan: Plan, partial: dict[str, str], first: str, end: str, certain: bool) -> None:
        """The variables with all their partial sums, if there was a whole vector (it is certain that there was)."""
        if certain:
            for name, pointer in partial.items():
                self.finish_sum(plan.sums[name], pointer, plan.lanes, name in plan.running)
            return
        some, done = self.fresh("some"), self.fresh("done")
        rounds = self.arithmetic("sub", end, first)
        self.branch(self.emit(f"icmp sge {self.word} {rounds}, {plan.lanes}", "bool").text, some, done)
        self.label(some)
        for name, pointer in partial.items():
            self.finish_sum(plan.sums[name], pointer, plan.lanes, name in plan.running)
        self.jump(done)
        self.label(done)

    def finish_sum(self, sum_: Sum, pointer: str, lanes: int, running: bool = False) -> None:
        """The variable with its partial sums, half of them being added to the other half again and again."""
        found = self.emit(f"load {vector_type(sum_.dtype, lanes)}, ptr {pointer}", sum_.dtype)
        if running:
            self.set(sum_.variable, self.lane(found, lanes, 0))
            return
        if truth_of(sum_) is not None:
            before = self.take(lanes)
            found = self.select(self.compare("ne", found, 0), self.const(1, sum_.dtype), self.const(0, sum_.dtype))
            self.take(before)
        while lanes > 2:
            half = lanes // 2
            halves = [self.some_lanes(found, lanes, range(at, at + half)) for at in (0, half)]
            self.take(half)
            found, lanes = self.as_one_sum(sum_, *halves), half
            self.take(0)
        total = self.as_one_sum(sum_, self.lane(found, 2, 0), self.lane(found, 2, 1))
        begun = self.get(sum_.variable)
        every = emit(self, sum_.primitive, begun, total, dtype=sum_.dtype)
        if (
            sum_.dtype == "float64x2" and sum_.primitive == "add"
        ):  # to 0, which LLVM often sees, in a quarter of the time
            high, low = numbers.pair(self, total)
            alone = numbers.join(self, sum_.dtype, *pairs.settled(self, high, fast_two_sum(self, high, low)))
            empty = self.compare("eq", numbers.pair(self, begun)[0], 0.0)
            every = emit(self, "where", empty, alone, every, dtype=sum_.dtype)
        self.set(sum_.variable, every)

    def as_one_sum(self, sum_: Sum, x: Reg, y: Reg) -> Reg:
        """Two partial sums as one."""
        if sum_.dtype == "float64x2" and sum_.primitive == "add":
            return numbers.join(self, sum_.dtype, *pairs.gathered(self, numbers.pair(self, x), numbers.pair(self, y)))
        return emit(self, sum_.primitive, x, y, dtype=sum_.dtype)

    def best_of_vectors(self, loop: For, plan: Plan, choice: Choice, first: str, end: str) -> str:
        """A choice among all rounds, if they fill a vector; returns the register with the place from where on none was looked
        at. Of the writers that know how."""
        raise NotImplementedError


def truth_of(sum_: Sum) -> Value | None:
    """What a word asks whether it ever holds, w = w | x; None of other sums."""
    match sum_.value:
        case Apply("cast", (x,)) if x.dtype == "bool" and sum_.primitive == "bitwise_or" and not sum_.ordered:
            return x
    return None


def clears(statement: Stmt, index: Symbol) -> bool:
    """Whether a loop over this statement writes zeros side by side."""
    match statement:
        case Store(view, at, Const(number, dtype)) if (
            dtype not in WIDE and not number and not math.copysign(1, number) < 0
        ):
            return not any(map(is_value, at)) and slope(place_of(view, at), index) == 1
    return False
