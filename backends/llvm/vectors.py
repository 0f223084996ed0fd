"""Innermost loops as LLVM IR by whole vectors, then what is left one number at a time."""

from __future__ import annotations

from symdl.backends.builder import LLVM_TYPE, Reg
from symdl.backends.llvm.module import ITEM_BYTES, MEMORY_TYPE
from symdl.backends.llvm.plans import IDENTITY, ORDERED, Plan, Sum, place_of, plan_for, slope
from symdl.backends.llvm.statements import KernelWriter, Nest, changed_in, varying_in
from symdl.backends.vmath import EMIT
from symdl.loops import Assign, Const, For, Guard, Index, Load, Local, Position, Ref, Stmt, Store, Value, View, parts
from symdl.types import Symbol


class VectorWriter(KernelWriter):
    """A KernelWriter that takes loops in vectors where their plan allows it.

    While `lanes` is not 0, values are vectors of one number per iteration; what is the same in all of them is computed
    as a scalar, ahead of the loop.
    """

    own: dict[str, Reg]  # variables declared in the loop
    index: Symbol

    def statement(self, statement: Stmt) -> None:
        """Emit one statement."""
        plan = plan_for(statement, self.target.vector_bytes) if isinstance(statement, For) else None
        if plan is None:
            super().statement(statement)
        else:
            assert isinstance(statement, For)
            self.forget(changed_in(statement.body))
            self.loop(statement, self.whole_vectors(statement, plan))

    def whole_vectors(self, loop: For, plan: Plan) -> str:
        """The loop over all whole vectors of iterations; returns the register with the place where they end."""
        count = self.size(loop.extent)
        partial = {s.variable: self.partial_sum(s, plan.lanes) for s in plan.sums.values() if not s.ordered}
        opened = self.open_loop(self.arithmetic("sub", count, str(plan.lanes - 1)), step=plan.lanes)
        self.nests.append(Nest(opened.before, varying_in(loop)))
        self.scopes[-1].symbols[loop.index] = opened.index
        self.own, self.index = {}, loop.index
        self.take(plan.lanes)
        for statement in loop.body:
            match statement:
                case Assign(name, _) if name in plan.sums:
                    self.add_up(plan.sums[name], partial.get(name, ""))
                case Local(name, value) | Assign(name, value):
                    self.own[name] = self.value(value)
                    self.dtypes[name] = value.dtype
                    self.forget({("variable", name)})
                case Store(view, at, value):
                    self.store_lanes(view, at, self.value(value))
                    self.forget({("buffer", view.buffer)})
        self.take(0)
        self.nests.pop()
        self.close_loop(opened)
        for name, pointer in partial.items():
            self.finish_sum(plan.sums[name], pointer, plan.lanes)
        most = self.extreme("max", count, "0")
        return self.arithmetic("sub", most, self.arithmetic("urem", most, str(plan.lanes)))

    # sums

    def get(self, name: str) -> Reg:
        """What a scalar variable holds."""
        dtype = self.dtypes[name]
        return self.emit(f"load {LLVM_TYPE[dtype]}, ptr {self.variable(name)}", dtype)

    def set(self, name: str, value: Reg) -> None:
        """Set a scalar variable."""
        self.line(f"store {LLVM_TYPE[value.dtype]} {value.text}, ptr {self.variable(name)}")
        self.forget({("variable", name)})

    def partial_sum(self, sum_: Sum, lanes: int) -> str:
        """A variable of one partial sum per lane."""
        pointer, kind = f"%{self.fresh('partial')}", f"<{lanes} x {LLVM_TYPE[sum_.dtype]}>"
        self.scopes[0].landing.append(f"  {pointer} = alloca {kind}")
        identity = IDENTITY.get(sum_.primitive)
        first = self.get(sum_.variable) if identity is None else self.const(identity, sum_.dtype)
        self.line(f"store {kind} {self.every_lane(first, lanes).text}, ptr {pointer}")
        return pointer

    def add_up(self, sum_: Sum, pointer: str) -> None:
        """Add the lanes to a sum: in their order to the variable, or each to its partial sum."""
        found, kind = self.value(sum_.value), self.type(sum_.dtype)
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
            total = EMIT[sum_.primitive](self, before, found, dtype=sum_.dtype)
            self.line(f"store {kind} {total.text}, ptr {pointer}")

    def finish_sum(self, sum_: Sum, pointer: str, lanes: int) -> None:
        """The variable with all partial sums."""
        found = self.emit(f"load <{lanes} x {LLVM_TYPE[sum_.dtype]}>, ptr {pointer}", sum_.dtype)
        total = self.get(sum_.variable)
        for k in range(lanes):
            total = EMIT[sum_.primitive](self, total, self.lane(found, lanes, k), dtype=sum_.dtype)
        self.set(sum_.variable, total)

    # lanes

    def lane(self, found: Reg, lanes: int, k: int) -> Reg:
        """One number of a vector."""
        return self.emit(f"extractelement <{lanes} x {LLVM_TYPE[found.dtype]}> {found.text}, i32 {k}", found.dtype)

    def every_lane(self, found: Reg, lanes: int) -> Reg:
        """A number in every lane."""
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
                return found if dtype == "int64" else EMIT["cast"](self, found, dtype=dtype)
        return super().compute(item)

    def load_lanes(self, view: View, at: tuple[Index, ...]) -> Reg:
        """One element per iteration."""
        lanes, step, kind = self.lanes, slope(place_of(view, at), self.index), MEMORY_TYPE[view.dtype]
        assert step is not None
        vector, size, first = f"<{lanes} x {kind}>", ITEM_BYTES[view.dtype], self.address(view, at)
        if step in (1, -1):
            start = first if step == 1 else self.element(first, view.dtype, str(1 - lanes))
            found = self.emit(f"load {vector}, ptr {start}, align {size}", view.dtype)
            if step == -1:
                backwards = ", ".join(f"i32 {k}" for k in reversed(range(lanes)))
                order = f"<{lanes} x i32> <{backwards}>"
                found = self.emit(f"shufflevector {vector} {found.text}, {vector} poison, {order}", view.dtype)
        else:
            found = Reg("poison", view.dtype)
            for k in range(lanes):
                place = self.element(first, view.dtype, self.size(step * k))
                one = self.emit(f"load {kind}, ptr {place}, align {size}", view.dtype).text
                found = self.emit(f"insertelement {vector} {found.text}, {kind} {one}, i32 {k}", view.dtype)
        return self.emit(f"icmp ne {vector} {found.text}, zeroinitializer", "bool") if view.dtype == "bool" else found

    def store_lanes(self, view: View, at: tuple[Index, ...], value: Reg) -> None:
        """Store one element per iteration, side by side."""
        lanes, place = self.lanes, self.address(view, at)
        if view.dtype == "bool":
            value = self.emit(f"zext <{lanes} x i1> {value.text} to <{lanes} x i8>", "uint8")
        kind = f"<{lanes} x {MEMORY_TYPE[value.dtype]}>"
        self.line(f"store {kind} {value.text}, ptr {place}, align {ITEM_BYTES[view.dtype]}")
