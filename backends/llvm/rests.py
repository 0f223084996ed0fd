"""Rounds of a loop that are left after whole vectors, as one more vector, some of whose lanes are neither loaded nor stored:
where numbers of two limbs are added up, since one by one each addition would wait for thirteen, and, with AVX-512, in loops
inside others, the rows of a matrix, which have what is left again and again or are less than a vector, and in all that
store floats side by side. All vectors of long bodies are such ones, so that these are written once.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from symdl.backends.builder import FLOATS, Reg
from symdl.backends.llvm.attempts import LEFT, is_long
from symdl.backends.llvm.draws import DrawWriter
from symdl.backends.llvm.module import ITEM_BYTES
from symdl.backends.llvm.plans import IDENTITY, Plan, Sum
from symdl.backends.wide import emit
from symdl.ir.loops import Apply, Assign, Const, For, Guard, Load, Local, Position, Ref, Store, place_of, walk
from symdl.number_forms import WIDE
from symdl.types import Extent, repeats, slope

MASKED = 32  # bytes of vectors, from which on machines load and store some lanes of them
KINDS = (For, Local, Assign, Store, Load, Const, Position, Ref, Apply, Guard)
LONG = 64  # bytes of vectors, from which on what is left of a loop is worth one more
SHORTEST = 4  # bytes of an element that is left out


class RestWriter(DrawWriter):
    """A DrawWriter that takes what is left of loops in vectors where it may."""

    row: For | None = None  # of which the rounds that are left are taken
    left = ""  # how many these are
    once = False  # whether that is known before the loop, since they are one vector

    def may_mask(self, loop: For) -> bool:
        """Whether each round of a row loads and stores what lies side by side, and nothing else."""
        return self.permutes and bool(self.nests) and self.side_by_side(loop)

    def takes_few(self, loop: For) -> bool:
        return self.may_mask(loop) or (
            not any(isinstance(s, Assign) for s in loop.body) and self.attempt(loop) is None and self.stores_close(loop)
        )

    def masks(self, loop: For, plan: Plan) -> bool:
        """Whether what is left of a loop is taken by one more vector."""
        if plan.running or plan.choice is not None or any(s.ordered for s in plan.sums.values()):
            return False
        if is_long(loop, LEFT):
            return self.permutes and self.leaves_some(loop, plan) and self.side_by_side(loop, self.close, self.close)
        if self.may_mask(loop):
            return self.leaves_some(loop, plan)
        wide = any(s.dtype in WIDE for s in plan.sums.values())
        if self.target.vector_bytes < (MASKED if wide else LONG) or self.attempt(loop) is not None:
            return False
        if plan.sums:
            return self.side_by_side(loop)
        return self.leaves_some(loop, plan) and self.stores_close(loop)

    def masks_all(self, loop: For, plan: Plan) -> bool:
        """Whether a long body in number forms is written once, for whole vectors and for what is left: to leave out lanes costs
        such a body next to nothing, and its second text is half of a function's."""
        return is_long(loop, LEFT) and self.masks(loop, plan)

    def stores_close(self, loop: For) -> bool:
        """Whether a machine of long vectors leaves out lanes of what a loop stores side by side, and loads not far apart."""
        return self.target.vector_bytes >= LONG and self.side_by_side(loop, self.close)

    def leaves_some(self, loop: For, plan: Plan) -> bool:
        """Whether whole vectors may not be all of a loop."""
        return loop is self.spread or not isinstance(loop.extent, int) or loop.extent % plan.lanes != 0

    def side_by_side(self, loop: For, farthest: int = 1, stored: int = 1) -> bool:
        """Whether what a loop loads and stores lies side by side or is the same in all rounds. farthest: how far apart floats
        that it loads may lie. stored: those that it stores."""
        for x in walk(*loop.body):
            if not isinstance(x, KINDS) or isinstance(x, Guard | For):
                return False
            if not isinstance(x, Load | Store):
                continue
            if not all(isinstance(i, Extent) for i in x.at):
                return False
            place, dtype = place_of(x.view, x.at), x.view.dtype
            step = slope(place, loop.index)
            if isinstance(x, Load) and (step == 0 or (step is None and repeats(place, loop.index))):
                continue
            most = 1 if dtype not in FLOATS else farthest if isinstance(x, Load) else stored
            if not isinstance(step, int) or not 1 <= step <= most or dtype == "bool":
                return False
            if dtype not in WIDE and ITEM_BYTES[dtype] < SHORTEST:
                return False
        return True

    def masked_rounds(self, loop: For, plan: Plan, partial: dict[str, str], start: str, end: str, once: bool) -> None:
        opened = self.open_loop(end, start, plan.lanes, once=once)
        self.row, self.once = loop, once
        with self.known_of_row():
            self.left = self.arithmetic("sub", end, opened.index)
            self.take(plan.lanes)
            mask = self.lanes_before(self.left, "0", plan.lanes)
            self.take(0)
        self.in_lanes(loop, plan, partial, opened, mask)
        self.row = None

    def known_of_row(self) -> AbstractContextManager[None]:
        """While open, what is written stands where it is known how many rounds are left."""
        assert self.row is not None
        return self.known(self.row) if self.once else nullcontext()

    def add_up(self, sum_: Sum, pointer: str, found: Reg) -> None:
        if self.mask:
            if (identity := IDENTITY.get(sum_.primitive)) is not None:
                nothing = self.const(identity, sum_.dtype)
            else:
                nothing = self.emit(f"load {self.type(sum_.dtype)}, ptr {pointer}", sum_.dtype)
            found = emit(self, "where", Reg(self.mask, "bool"), found, nothing, dtype=sum_.dtype)
        super().add_up(sum_, pointer, found)

    def lanes_before(self, end: str, index: str, lanes: int) -> str:
        """Which lanes of a vector that begins at an index lie before the end."""
        left = self.every_lane(self.position(self.arithmetic("sub", end, index), "int32"), lanes)
        places = Reg(f"<{', '.join(f'i32 {k}' for k in range(lanes))}>", "int32")
        return self.compare("lt", places, left).text

    def load_part(self, place: str, dtype: str, start: int, step: int) -> Reg:
        whole = self.mask
        if self.row is not None:  # up to the last element that is picked
            with self.known_of_row():
                reach = self.arithmetic("sub", self.arithmetic("mul", self.left, str(step)), str(start + step - 1))
                self.mask = self.lanes_before(reach, "0", self.lanes)
        found = super().load_part(place, dtype, start, step)
        self.mask = whole
        return found

    def load_some(self, place: str, dtype: str, lanes: int, times: int) -> Reg:
        whole = self.mask
        if self.row is not None:
            with self.known_of_row():
                count = self.arithmetic("udiv", self.arithmetic("add", self.left, str(times - 1)), str(times))
                before = self.take(lanes)
                self.mask = self.lanes_before(count, "0", lanes)
                self.take(before)
        found = super().load_some(place, dtype, lanes, times)
        self.mask = whole
        return found

    def load_vector(self, place: str, dtype: str, align: int) -> Reg:
        if not self.mask:
            return super().load_vector(place, dtype, align)
        kind, mask = self.type(dtype), f"<{self.lanes} x i1>"
        name = f"llvm.masked.load.{self.suffix(dtype)}.p0"
        self.declarations.add(f"declare {kind} @{name}(ptr, i32, {mask}, {kind})")
        operands = f"{self.typed(place)}, i32 {align}, {mask} {self.mask}, {kind} zeroinitializer"
        return self.emit(f"call {kind} @{name}({operands})", dtype)

    def store_vector(self, value: Reg, place: str, align: int) -> None:
        if not self.mask:
            super().store_vector(value, place, align)
            return
        kind, mask = self.type(value.dtype), f"<{self.lanes} x i1>"
        name = f"llvm.masked.store.{self.suffix(value.dtype)}.p0"
        self.declarations.add(f"declare void @{name}({kind}, ptr, i32, {mask})")
        self.line(f"call void @{name}({kind} {value.text}, {self.typed(place)}, i32 {align}, {mask} {self.mask})")

    def store_apart(self, value: Reg, place: str, dtype: str, step: Extent) -> None:
        if not self.mask:
            super().store_apart(value, place, dtype, step)
            return
        assert isinstance(step, int)
        lanes, kind = self.lanes, self.type(value.dtype)
        apart = ", ".join(f"{self.word} {k * step * ITEM_BYTES[dtype]}" for k in range(lanes))
        places = self.emit(f"getelementptr i8, {self.typed(place)}, <{lanes} x {self.word}> <{apart}>", "int64").text
        name = f"llvm.masked.scatter.{self.suffix(value.dtype)}.v{lanes}p0"
        self.declarations.add(f"declare void @{name}({kind}, <{lanes} x ptr>, i32, <{lanes} x i1>)")
        passed = f"{kind} {value.text}, <{lanes} x ptr> {places}, i32 {ITEM_BYTES[dtype]}, <{lanes} x i1> {self.mask}"
        self.line(f"call void @{name}({passed})")

    def load_row(self, row: str, place: str, count: int) -> str:
        if not self.mask:
            return super().load_row(row, place, count)
        lanes, mask = count * self.lanes, self.of_limbs(count)
        name = f"llvm.masked.load.v{lanes}f64.p0"
        self.declarations.add(f"declare {row} @{name}(ptr, i32, <{lanes} x i1>, {row})")
        operands = f"{self.typed(place)}, i32 8, {mask}, {row} zeroinitializer"
        return self.emit(f"call {row} @{name}({operands})", "float64").text

    def store_row(self, row: str, text: str, place: str, count: int) -> None:
        if not self.mask:
            super().store_row(row, text, place, count)
            return
        lanes, mask = count * self.lanes, self.of_limbs(count)
        name = f"llvm.masked.store.v{lanes}f64.p0"
        self.declarations.add(f"declare void @{name}({row}, ptr, i32, <{lanes} x i1>)")
        self.line(f"call void @{name}({row} {text}, {self.typed(place)}, i32 8, {mask})")

    def of_limbs(self, count: int) -> str:
        """The mask of limbs that lie side by side, so many each."""
        each = ", ".join(f"i32 {k // count}" for k in range(count * self.lanes))
        mask, order = f"<{self.lanes} x i1>", f"<{count * self.lanes} x i32> <{each}>"
        spread = self.pure(f"shufflevector {mask} {self.mask}, {mask} poison, {order}", "bool").text
        return f"<{count * self.lanes} x i1> {spread}"
