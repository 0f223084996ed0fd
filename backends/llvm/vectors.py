"""Innermost loops as LLVM IR by whole vectors, then what is left one number at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from symdl.backends.builder import LLVM_TYPE, Reg, vector_type
from symdl.backends.llvm.module import ITEM_BYTES, MEMORY_TYPE, OpenLoop
from symdl.backends.llvm.plans import IDENTITY, ORDERED, Choice, Plan, Sum, plan_for
from symdl.backends.llvm.statements import KernelWriter, Nest, changed_in, varying_in
from symdl.backends.wide import emit, numbers, pairs
from symdl.loops import (
    Assign,
    Const,
    For,
    Guard,
    Index,
    Load,
    Local,
    Position,
    Ref,
    Stmt,
    Store,
    Value,
    View,
    is_value,
    parts,
    place_of,
)
from symdl.number_forms import LIMBS, WIDE
from symdl.types import Extent, Symbol, slope

LINE = 64  # bytes of a cache line


class VectorWriter(KernelWriter):
    """A KernelWriter that takes loops in vectors where their plan allows it.

    While `lanes` is not 0, values are vectors of one number per iteration; what is the same in all of them is computed
    as a scalar, ahead of the loop.
    """

    close = 4  # places apart, at most, of elements that are picked out of vectors
    asks = ""  # how many bytes further what will be read is asked for, if it is
    mask = ""  # which lanes are loaded and stored, where not all are
    own: dict[str, Reg]  # variables declared in the loop
    index: Symbol

    def statement(self, statement: Stmt) -> None:
        """Emit one statement."""
        if isinstance(statement, For) and len(statement.body) == 1 and clears(statement.body[0], statement.index):
            self.clear(statement, statement.body[0])
            return
        plan = self.plan_of(statement) if isinstance(statement, For) else None
        if plan is None:
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

    def rest(self, loop: For, start: str) -> None:
        """The rounds that are left, less than a vector."""
        self.loop(loop, start)

    def wider(self, loop: For, plan: Plan) -> Plan | None:
        """A plan of several vectors at once, by which a long loop is taken first."""
        return None

    def plan_of(self, loop: For) -> Plan | None:
        """How the loop is taken in vectors, if it is."""
        return plan_for(loop, self.target.vector_bytes, running=True, some=self.may_mask(loop))

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
        step = plan.lanes
        fixed = loop.extent if isinstance(loop.extent, int) and loop is not self.spread else None
        certain = first == "0" and fixed is not None and fixed >= step
        left = first
        if fixed is None or fixed >= step:
            opened = self.open_loop(self.arithmetic("sub", end, str(step - 1)), first, step, certain)
            self.in_lanes(loop, plan, partial, opened)
            left = self.after_whole(first, end, step)
        if last and self.masks(loop, plan):
            self.masked_round(loop, plan, partial, left, end)
            self.finish_sums(plan, partial, first, end, True)
        elif partial:
            self.finish_sums(plan, partial, first, end, certain)
        return left

    def in_lanes(self, loop: For, plan: Plan, partial: dict[str, str], opened: OpenLoop, mask: str = "") -> None:
        """The rounds of a loop of vectors that was opened, which ends here. mask: which lanes are loaded, stored and added up,
        if not all."""
        self.nests.append(Nest(opened.before, varying_in(loop)))
        self.scopes[-1].symbols[loop.index] = opened.index
        self.own, self.index = {}, loop.index
        self.take(plan.lanes)
        self.asks, self.mask = str(plan.asks or ""), mask
        self.vector_round(loop, plan, partial)
        self.asks = self.mask = ""
        self.take(0)
        self.nests.pop()
        self.close_loop(opened)

    def may_mask(self, loop: For) -> bool:
        """Whether a vector of rounds of a loop may have lanes that are left out."""
        return False

    def masks(self, loop: For, plan: Plan) -> bool:
        """Whether what is left of a loop is taken by one more vector, some of whose lanes are not loaded."""
        return False

    def masked_round(self, loop: For, plan: Plan, partial: dict[str, str], start: str, end: str) -> None:
        """That vector; of the writers whose `masks` may say so."""
        raise NotImplementedError

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
            total = self.as_one_sum(sum_, before, found)
            self.line(f"store {kind} {total.text}, ptr {pointer}")

    def totals(self, sum_: Sum, pointer: str, found: Reg) -> Reg:
        """A running sum after each lane. The round before is added last: nothing else waits for it."""
        lanes, kind = self.lanes, self.type(sum_.dtype)
        identity = IDENTITY.get(sum_.primitive)
        # what lane 0 has may be met twice where that changes nothing
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
        while lanes > 2:
            half = lanes // 2
            halves = [self.some_lanes(found, lanes, range(at, at + half)) for at in (0, half)]
            self.take(half)
            found, lanes = self.as_one_sum(sum_, *halves), half
            self.take(0)
        total = self.as_one_sum(sum_, self.lane(found, 2, 0), self.lane(found, 2, 1))
        self.set(sum_.variable, emit(self, sum_.primitive, self.get(sum_.variable), total, dtype=sum_.dtype))

    def as_one_sum(self, sum_: Sum, x: Reg, y: Reg) -> Reg:
        """Two partial sums as one."""
        if sum_.dtype == "float64x2" and sum_.primitive == "add":
            return numbers.join(self, sum_.dtype, *pairs.gathered(self, numbers.pair(self, x), numbers.pair(self, y)))
        return emit(self, sum_.primitive, x, y, dtype=sum_.dtype)

    def best_of_vectors(self, loop: For, plan: Plan, choice: Choice, first: str, end: str) -> str:
        """A choice among all rounds, if they fill a vector; returns the register with the place from where on none was looked
        at. Of the writers that know how."""
        raise NotImplementedError

    # lanes

    def by_limbs(self, found: Reg, lanes: int, change: Callable[[Reg], Reg], to: int) -> Reg:
        """A number form of so many lanes, each limb being changed to one of `to` lanes."""
        before = self.take(lanes)
        limbs = numbers.split(self, found)
        self.take(to)
        value = numbers.join(self, found.dtype, *map(change, limbs))
        self.take(before)
        return value

    def some_lanes(self, found: Reg, lanes: int, chosen: Sequence[int]) -> Reg:
        """A vector of some of the numbers of a vector."""
        if found.dtype in WIDE:
            return self.by_limbs(found, lanes, lambda limb: self.some_lanes(limb, lanes, chosen), len(chosen))
        kind, order = vector_type(found.dtype, lanes), ", ".join(f"i32 {k}" for k in chosen)
        return self.emit(
            f"shufflevector {kind} {found.text}, {kind} poison, <{len(chosen)} x i32> <{order}>", found.dtype
        )

    def lane(self, found: Reg, lanes: int, k: int) -> Reg:
        """One number of a vector."""
        if found.dtype in WIDE:
            return self.by_limbs(found, lanes, lambda limb: self.lane(limb, lanes, k), 0)
        return self.emit(f"extractelement <{lanes} x {LLVM_TYPE[found.dtype]}> {found.text}, i32 {k}", found.dtype)

    def every_lane(self, found: Reg, lanes: int) -> Reg:
        """A number in every lane."""
        if found.dtype in WIDE:
            return self.by_limbs(found, 0, lambda limb: self.every_lane(limb, lanes), lanes)
        kind = LLVM_TYPE[found.dtype]
        if not found.text.startswith("%"):
            return Reg(f"splat ({kind} {found.text})", found.dtype)
        vector = f"<{lanes} x {kind}>"
        first = self.emit(f"insertelement {vector} poison, {kind} {found.text}, i32 0", found.dtype).text
        return self.emit(
            f"shufflevector {vector} {first}, {vector} poison, <{lanes} x i32> zeroinitializer", found.dtype
        )

    def scalar(self, item: Value) -> Reg:
        """A value that is the same in every iteration, as one number."""
        lanes = self.lanes
        if not lanes:
            return self.value(item)
        if self.arms:  # not ahead of the loop: the side of a guard that asks for it may not be taken
            self.take(0)
            found = self.value(item)
            self.take(lanes)
            return found
        with self.ahead():
            return self.value(item)

    def settled(self, item: Value) -> bool:
        """Whether the value is the same in every lane, and now has been computed."""
        if not self.lanes:
            return super().settled(item)
        if isinstance(item, Const):
            return False
        if isinstance(item, Ref) and item.name in self.own:
            self.remember(item, self.own[item.name])
            return True
        if not self.is_uniform(item):
            return False
        lanes = self.lanes
        if self.arms:
            self.remember(item, self.every_lane(self.scalar(item), lanes))
        else:
            with self.ahead():
                found = self.every_lane(self.value(item), lanes)
            self.remember(item, found)
        return True

    def operands_first(self, item: Value) -> tuple[Value, ...]:
        """What must be known before the value is computed."""
        return () if isinstance(item, Guard) or (self.lanes and isinstance(item, Load)) else parts(item)

    def compute(self, item: Value) -> Reg:
        """A value whose operands are known."""
        match item:
            case Load(view, at) if self.lanes:
                return self.load_lanes(view, at)
            case Position(extent, dtype) if self.lanes:
                lanes, step = self.lanes, slope(extent, self.index)
                assert step is not None
                first = self.every_lane(self.position(self.size(extent), "int64"), lanes)
                steps = self.every_lane(self.position(self.size(step), "int64"), lanes)
                numbers = Reg(f"<{', '.join(f'i64 {k}' for k in range(lanes))}>", "int64")
                found = self.add(first, self.mul(steps, numbers))
                return found if dtype == "int64" else emit(self, "cast", found, dtype=dtype)
        return super().compute(item)

    def load_lanes(self, view: View, at: tuple[Index, ...]) -> Reg:
        """One element per iteration."""
        lanes, step, kind = self.lanes, slope(place_of(view, at), self.index), MEMORY_TYPE[view.dtype]
        assert step is not None
        if view.dtype in WIDE:
            return self.load_limbs(view.dtype, self.address(view, at), step)
        vector, size, first = f"<{lanes} x {kind}>", ITEM_BYTES[view.dtype], self.address(view, at)
        if step in (1, -1):
            start = first if step == 1 else self.element(first, view.dtype, str(1 - lanes))
            found = self.load_vector(start, view.dtype, self.lanes_aligned(view, at))
            if self.asks and step == 1:
                self.ask(start, lanes * size)
            if step == -1:
                backwards = ", ".join(f"i32 {k}" for k in reversed(range(lanes)))
                order = f"<{lanes} x i32> <{backwards}>"
                found = self.emit(f"shufflevector {vector} {found.text}, {vector} poison, {order}", view.dtype)
        elif isinstance(step, int) and 1 < step <= min(lanes, self.close):
            found = self.picked(vector, view, first, step)
        else:
            found = Reg("poison", view.dtype)
            for k in range(lanes):
                place = self.element(first, view.dtype, self.size(step * k))
                one = self.emit(f"load {kind}, {self.typed(place)}, align {size}", view.dtype).text
                found = self.emit(f"insertelement {vector} {found.text}, {kind} {one}, i32 {k}", view.dtype)
        return self.emit(f"icmp ne {vector} {found.text}, zeroinitializer", "bool") if view.dtype == "bool" else found

    def ask(self, place: str, bytes_: int) -> None:
        """Have so many bytes of memory, further on, brought into the caches."""
        self.declarations.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        further = self.emit(f"getelementptr i8, ptr {place}, {self.word} {self.asks}", "int64").text
        for byte in range(0, bytes_, LINE):
            line = self.emit(f"getelementptr i8, ptr {further}, i64 {byte}", "int64").text if byte else further
            self.line(f"call void @llvm.prefetch.p0(ptr {line}, i32 0, i32 3, i32 1)")

    def picked(self, vector: str, view: View, first: str, step: int) -> Reg:
        """Elements a few places apart out of whole vectors, the last of which ends with the last element."""
        lanes = self.lanes
        starts = [k * lanes for k in range(step - 1)] + [(lanes - 1) * (step - 1)]
        found = ""
        for start in starts:
            place = self.element(first, view.dtype, str(start)) if start else first
            one = self.load_part(place, view.dtype, start, step).text
            inside = [start <= k * step < start + lanes for k in range(lanes)]
            if found:
                order = ", ".join(f"i32 {lanes + k * step - start if inside[k] else k}" for k in range(lanes))
                rhs = f"shufflevector {vector} {found}, {vector} {one}"
            else:
                order = ", ".join(f"i32 {k * step if inside[k] else 0}" for k in range(lanes))
                rhs = f"shufflevector {vector} {one}, {vector} poison"
            found = self.emit(f"{rhs}, <{lanes} x i32> <{order}>", view.dtype).text
        return Reg(found, view.dtype)

    def load_part(self, place: str, dtype: str, start: int, step: int) -> Reg:
        """Neighbours in memory, of which those that lie `start` places behind the first element, and `step` apart, are picked."""
        return self.load_vector(place, dtype, ITEM_BYTES[dtype])

    def store_lanes(self, view: View, at: tuple[Index, ...], value: Reg) -> None:
        """Store one element per iteration."""
        lanes, place = self.lanes, self.address(view, at)
        if view.dtype in WIDE:
            self.store_limbs(value, place)
            return
        if view.dtype == "bool":
            value = self.emit(f"zext <{lanes} x i1> {value.text} to <{lanes} x i8>", "uint8")
        kind = f"<{lanes} x {MEMORY_TYPE[value.dtype]}>"
        step = slope(place_of(view, at), self.index)
        if step != 1:
            assert step is not None
            for k in range(lanes):
                one = self.emit(f"extractelement {kind} {value.text}, i32 {k}", value.dtype).text
                there = self.element(place, view.dtype, self.size(step * k))
                kept = f"{MEMORY_TYPE[value.dtype]} {one}"
                self.line(f"store {kept}, {self.typed(there)}, align {ITEM_BYTES[view.dtype]}")
            return
        self.store_vector(value, place, self.lanes_aligned(view, at))

    def load_vector(self, place: str, dtype: str, align: int) -> Reg:
        """Neighbours in memory, as they lie there."""
        vector = f"<{self.lanes} x {MEMORY_TYPE[dtype]}>"
        return self.emit(f"load {vector}, {self.typed(place)}, align {align}", dtype)

    def store_vector(self, value: Reg, place: str, align: int) -> None:
        """Neighbours in memory, as they lie there."""
        kind = f"<{self.lanes} x {MEMORY_TYPE[value.dtype]}>"
        self.line(f"store {kind} {value.text}, {self.typed(place)}, align {align}")

    def lanes_aligned(self, view: View, at: tuple[Index, ...]) -> int:
        """On how many bytes a vector of neighbours begins, as far as is known."""
        return ITEM_BYTES[view.dtype]

    # number forms: the limbs of an element lie side by side in memory, and in vectors of their own in registers

    def load_limbs(self, dtype: str, first: str, step: Extent) -> Reg:
        """One element per iteration, step elements apart."""
        lanes, count = self.lanes, len(LIMBS[dtype])
        limbs = []
        if step in (1, -1):
            start = first if step == 1 else self.element(first, dtype, str(1 - lanes))
            row = f"<{lanes * count} x double>"
            found = self.load_row(row, start, count)
            for k in range(count):
                places = [k + count * lane for lane in range(lanes)][:: int(step)]
                order = ", ".join(f"i32 {place}" for place in places)
                limbs.append(
                    self.emit(f"shufflevector {row} {found}, {row} poison, <{lanes} x i32> <{order}>", "float64")
                )
            return numbers.join(self, dtype, *limbs)
        places_ = [self.element(first, dtype, self.size(step * k)) for k in range(lanes)]
        for k in range(count):
            limb = Reg("poison", "float64")
            for lane, place in enumerate(places_):
                one = self.load(self.element(place, "float64", str(k)), "float64").text
                limb = self.emit(
                    f"insertelement {self.type('float64')} {limb.text}, double {one}, i32 {lane}", "float64"
                )
            limbs.append(limb)
        return numbers.join(self, dtype, *limbs)

    def load_row(self, row: str, place: str, count: int) -> str:
        """All limbs of neighbours, so many each, as they lie there."""
        return self.emit(f"load {row}, {self.typed(place)}, align 8", "float64").text

    def store_limbs(self, value: Reg, place: str) -> None:
        """One element per iteration, side by side."""
        lanes, limbs = self.lanes, numbers.split(self, value)
        count = len(limbs)
        both, kind = f"<{2 * lanes} x double>", self.type("float64")
        whole = ", ".join(f"i32 {k}" for k in range(2 * lanes))
        pairs = [(limbs[0].text, limbs[1].text), (limbs[2].text if count == 3 else "poison", "poison")]
        left, right = (
            self.emit(f"shufflevector {kind} {x}, {kind} {y}, <{2 * lanes} x i32> <{whole}>", "float64").text
            for x, y in pairs
        )
        order = ", ".join(f"i32 {k * lanes + lane}" for lane in range(lanes) for k in range(count))
        row = f"<{lanes * count} x double>"
        found = self.emit(f"shufflevector {both} {left}, {both} {right}, <{lanes * count} x i32> <{order}>", "float64")
        self.store_row(row, found.text, place, count)

    def store_row(self, row: str, text: str, place: str, count: int) -> None:
        """All limbs of neighbours, so many each, as they shall lie there."""
        self.line(f"store {row} {text}, {self.typed(place)}, align 8")


def clears(statement: Stmt, index: Symbol) -> bool:
    """Whether a loop over this statement writes zeros side by side."""
    match statement:
        case Store(view, at, Const(number, dtype)) if (
            dtype not in WIDE and not number and not math.copysign(1, number) < 0
        ):
            return not any(map(is_value, at)) and slope(place_of(view, at), index) == 1
    return False
