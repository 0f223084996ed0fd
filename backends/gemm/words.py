"""Functions over 64-bit words and addresses, written with structured control flow: what drives the products' tiles.

Variables live on the stack; LLVM turns them into registers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from symdl.backends.builder import LLVM_TYPE
from symdl.backends.gemm.rooms import ALIGNMENT as ROOM_ALIGNMENT
from symdl.backends.gemm.tiles import Tile
from symdl.backends.llvm.kernels import kernel
from symdl.backends.llvm.module import ITEM_BYTES, Module, Writer
from symdl.ir.loops import Stmt


class Words(Writer):
    """A Writer for one function. Operands are texts: registers, parameters or decimal numbers."""

    def __init__(self, module: Module, dtype: str) -> None:
        super().__init__(module.target)
        self.module, self.dtype = module, dtype
        self._rooms: list[str] = []  # that this function has borrowed

    # arithmetic

    def plus(self, left: str, right: str) -> str:
        return left if right == "0" else self.arithmetic("add nsw", left, right)

    def minus(self, left: str, right: str) -> str:
        return left if right == "0" else self.arithmetic("sub nsw", left, right)

    def times(self, left: str, right: str) -> str:
        return left if right == "1" else self.arithmetic("mul nsw", left, right)

    def quotient(self, left: str, right: str) -> str:
        """Of numbers that are not negative."""
        return self.arithmetic("udiv", left, right)

    def ceiling(self, left: str, right: str) -> str:
        """The quotient rounded up."""
        return self.quotient(self.plus(left, self.minus(right, "1")), right)

    def rounded(self, left: str, multiple: int) -> str:
        """The next multiple."""
        return self.times(self.ceiling(left, str(multiple)), str(multiple))

    def least(self, left: str, right: str) -> str:
        return self.extreme("min", left, right)

    def most(self, left: str, right: str) -> str:
        return self.extreme("max", left, right)

    # conditions

    def holds(self, predicate: str, left: str, right: str) -> str:
        """A comparison of signed numbers: eq ne slt sle sgt sge."""
        return self.emit(f"icmp {predicate} i64 {left}, {right}", "bool").text

    def both(self, *conditions: str) -> str:
        out = conditions[0]
        for c in conditions[1:]:
            out = self.emit(f"and i1 {out}, {c}", "bool").text
        return out

    def either(self, *conditions: str) -> str:
        out = conditions[0]
        for c in conditions[1:]:
            out = self.emit(f"or i1 {out}, {c}", "bool").text
        return out

    def negated(self, condition: str) -> str:
        return self.emit(f"xor i1 {condition}, true", "bool").text

    def choose(self, condition: str, yes: str, no: str, kind: str = "i64") -> str:
        return self.emit(f"select i1 {condition}, {kind} {yes}, {kind} {no}", "int64").text

    # memory

    def shift(self, pointer: str, by: str) -> str:
        """The address so many elements further."""
        return self.element(pointer, self.dtype, by)

    def variable(self, value: str) -> str:
        """A word that can be set."""
        name = f"%{self.fresh('variable')}"
        self.scopes[0].landing.append(f"  {name} = alloca i64")
        self.set(name, value)
        return name

    def get(self, variable: str) -> str:
        return self.emit(f"load i64, ptr {variable}", "int64").text

    def set(self, variable: str, value: str) -> None:
        self.line(f"store i64 {value}, ptr {variable}")

    def room(self, bytes_: str) -> str:
        """Memory of so many bytes, from the start of a cache line, until the function returns. See `rooms`."""
        borrowed = self.emit(f"call ptr @room(i64 {bytes_})", "int64").text
        on_stack = self.emit(f"icmp eq ptr {borrowed}, null", "bool").text
        own = self.emit(f"alloca i8, i64 {self.choose(on_stack, bytes_, '0')}, align {ROOM_ALIGNMENT}", "int64").text
        self._rooms.append(borrowed)
        return self.choose(on_stack, own, borrowed, "ptr")

    def _give_back(self) -> None:
        for borrowed in self._rooms:
            self.run("@return", f"ptr {borrowed}")

    # vectors

    def vector(self, tile: Tile) -> str:
        """The type of a vector of the tile."""
        return f"<{tile.lanes} x {LLVM_TYPE[tile.dtype]}>"

    def copy(self, tile: Tile, source: str, to: str) -> None:
        """One vector from one place to another."""
        self.vector_to(tile, self.vector_at(tile, source), to)

    def vector_at(self, tile: Tile, place: str) -> str:
        """The vector that stands there."""
        return self.emit(f"load {self.vector(tile)}, ptr {place}, align {ITEM_BYTES[tile.dtype]}", tile.dtype).text

    def vector_to(self, tile: Tile, value: str, place: str) -> None:
        """Write a vector there."""
        self.line(f"store {self.vector(tile)} {value}, ptr {place}, align {ITEM_BYTES[tile.dtype]}")

    def prefetch(self, place: str) -> None:
        """Ask for a cache line that will be read; any address will do."""
        self.declarations.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        self.line(f"call void @llvm.prefetch.p0(ptr {place}, i32 0, i32 3, i32 1)")

    def below(self, tile: Tile, count: str) -> str:
        """A mask of the lanes whose number is below a word."""
        lanes = tile.lanes
        short = self.emit(f"trunc i64 {self.least(count, str(lanes))} to i32", "int64").text
        seed = self.emit(f"insertelement <{lanes} x i32> poison, i32 {short}, i32 0", "int64").text
        every = f"shufflevector <{lanes} x i32> {seed}, <{lanes} x i32> poison, <{lanes} x i32> zeroinitializer"
        numbers = ", ".join(f"i32 {k}" for k in range(lanes))
        return self.emit(f"icmp slt <{lanes} x i32> <{numbers}>, {self.emit(every, 'int64').text}", "bool").text

    def between(self, tile: Tile, first: str, end: str) -> str:
        """A mask of the lanes whose number is at least a word, and below another."""
        kind = f"<{tile.lanes} x i1>"
        before = self.emit(f"xor {kind} {self.below(tile, first)}, splat (i1 true)", "bool").text
        return self.emit(f"and {kind} {before}, {self.below(tile, end)}", "bool").text

    def every_lane(self, tile: Tile, place: str) -> str:
        """A vector of one number from memory."""
        scalar, kind, lanes = LLVM_TYPE[tile.dtype], self.vector(tile), tile.lanes
        one = self.emit(f"load {scalar}, ptr {place}, align {ITEM_BYTES[tile.dtype]}", tile.dtype).text
        seed = self.emit(f"insertelement {kind} poison, {scalar} {one}, i32 0", tile.dtype).text
        every = f"shufflevector {kind} {seed}, {kind} poison, <{lanes} x i32> zeroinitializer"
        return self.emit(every, tile.dtype).text

    def times_plus(self, tile: Tile, left: str, right: str, more: str) -> str:
        """left * right + more, rounded once where the machine can."""
        kind = self.vector(tile)
        if not tile.fma:
            times = self.emit(f"fmul {kind} {left}, {right}", tile.dtype).text
            return self.emit(f"fadd {kind} {more}, {times}", tile.dtype).text
        name = f"@llvm.fma.v{tile.lanes}f{8 * ITEM_BYTES[tile.dtype]}"
        self.declarations.add(f"declare {kind} {name}({kind}, {kind}, {kind})")
        return self.emit(f"call {kind} {name}({kind} {left}, {kind} {right}, {kind} {more})", tile.dtype).text

    def masked_load(self, tile: Tile, place: str, mask: str, other: str = "-0.0") -> str:
        """A vector, another number in the lanes that are not asked for."""
        kind, mask_kind, size = self.vector(tile), f"<{tile.lanes} x i1>", ITEM_BYTES[tile.dtype]
        name = f"@llvm.masked.load.v{tile.lanes}f{8 * size}.p0"
        self.declarations.add(f"declare {kind} {name}(ptr, i32, {mask_kind}, {kind})")
        passed = f"ptr {place}, i32 {size}, {mask_kind} {mask}, {kind} splat ({LLVM_TYPE[tile.dtype]} {other})"
        return self.emit(f"call {kind} {name}({passed})", tile.dtype).text

    def masked_store(self, tile: Tile, value: str, place: str, mask: str) -> None:
        kind, mask_kind, size = self.vector(tile), f"<{tile.lanes} x i1>", ITEM_BYTES[tile.dtype]
        name = f"@llvm.masked.store.v{tile.lanes}f{8 * size}.p0"
        self.declarations.add(f"declare void {name}({kind}, ptr, i32, {mask_kind})")
        self.line(f"call void {name}({kind} {value}, ptr {place}, i32 {size}, {mask_kind} {mask})")

    # control

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """What is done only where the condition holds."""
        then, after = self.fresh("then"), self.fresh("after")
        self.branch(condition, then, after)
        self.label(then)
        yield
        self.jump(after)
        self.label(after)

    @contextmanager
    def upto(self, count: str, step: str = "1") -> Iterator[str]:
        """For 0, step, ... below count, signed."""
        at = self.variable("0")
        test, body, after = self.fresh("test"), self.fresh("body"), self.fresh("after")
        self.jump(test)
        self.label(test)
        index = self.get(at)
        self.branch(self.holds("slt", index, count), body, after)
        self.label(body)
        yield index
        self.set(at, self.plus(index, step))
        self.jump(test)
        self.label(after)

    @contextmanager
    def whilst(self, variable: str, limit: str) -> Iterator[str]:
        """As long as a variable, which the body moves on, is below the limit."""
        test, body, after = self.fresh("test"), self.fresh("body"), self.fresh("after")
        self.jump(test)
        self.label(test)
        now = self.get(variable)
        self.branch(self.holds("slt", now, limit), body, after)
        self.label(body)
        yield now
        self.jump(test)
        self.label(after)

    def leave(self) -> None:
        """Return here; what is written next cannot be reached."""
        self._give_back()
        self.line("ret void")
        self.label(self.fresh("unreachable"))

    # calls

    def run(self, function: str, *arguments: str) -> None:
        """Call a function of this module; arguments that name their kind are passed as such, others as words."""
        passed = ", ".join(a if " " in a else f"i64 {a}" for a in arguments)
        self.line(f"call void {function}({passed})")

    def kernel_of(self, tile: Tile, kernel: str, ra: str, ca: str, exponent: str, rows: str) -> str:
        """The address of the kernel of that name (see `gemm/tiles.table`) for rows of A that lie so, and 2^exponent vectors."""
        counts = tile.widest(1).bit_length()
        packed = self.both(self.holds("eq", ra, "1"), self.holds("eq", ca, str(tile.rows)))
        beside = self.choose(self.holds("eq", ca, "1"), str(counts), "0")
        first = self.plus(exponent, self.choose(packed, str(2 * counts), beside))
        place = self.plus(self.times(first, str(tile.rows)), self.minus(rows, "1"))
        entry = self.emit(f"getelementptr inbounds ptr, ptr @{kernel}s, i64 {place}", "int64").text
        return self.emit(f"load ptr, ptr {entry}", "int64").text

    def loops(self, body: tuple[Stmt, ...], pointers: dict[str, str], values: dict[str, str]) -> None:
        """Call the kernel of a loop nest whose sizes have these names."""
        name, buffers, sizes = kernel(self.module, body)
        passed = [f"ptr {pointers[b]}" for b in buffers] + [f"i64 {values[s.name]}" for s in sizes]
        self.emit(f"call i64 @{name}({', '.join(passed)})", "int64")

    def define(self, name: str, head: str, attributes: str = "noinline nounwind", linkage: str = "internal ") -> None:
        """Add the finished function to the module."""
        self._give_back()
        self.line("ret void")
        self.module.add(f"define {linkage}void @{name}{head} {attributes} {self.finished()}", self)
