"""Random numbers in innermost loops, by whole runs: a loop is cut into strips, and what a strip draws is computed before it.

One element costs as much as four, and the four words of a block lie 16 elements apart, so the fast way to draw is in
order, run after run (`vmath.philox.filling`). A strip's draws stay in the nearest cache; the loop itself then loads them,
so it fuses and vectorizes as any other. Where the loops around go on in order too, as over the rows of a matrix, what is
drawn for one row reaches into the next ones, so that short rows cost no more than long ones.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from symdl.backends.llvm.attempts import AttemptWriter
from symdl.backends.llvm.module import ITEM_BYTES
from symdl.backends.llvm.statements import Dependency, changed_in
from symdl.backends.vmath.philox import DRAWS, filling
from symdl.ir.loops import (
    Apply,
    Assign,
    Checked,
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
    extents_in,
    is_value,
    parts,
    place_of,
    walk,
)
from symdl.records import record
from symdl.types import Extent, Symbol, floor_divide, polynomial, replace_symbols, slope, smallest, symbols

STRIP = 512  # elements: a few KB for each draw, and runs cut in two at its ends cost little
FEWEST = 4  # iterations of a loop by itself that is worth it
FIRST, END = Symbol("first round"), Symbol("end of rounds")  # of the chunk of a parallel loop that is run


@record(eq=False)
class Fill:
    """`number` elements of a draw into a local buffer, from a place on.

    limit: so far the loops around draw in order, and what was drawn ahead is kept; None: the next place is another.
    """

    buffer: str
    draw: Apply
    place: Extent
    number: Extent
    limit: Extent | None

    @property
    def room(self) -> int:
        """Elements of the buffer: whole runs around those that are asked for."""
        return STRIP + 2 * DRAWS[self.draw.primitive].run


def in_strips(body: tuple[Stmt, ...]) -> tuple[tuple[Any, ...], set[Symbol]]:
    """The statements with draws of innermost loops computed ahead, by strips, and the indices of the new loops."""
    if not any(isinstance(item, Apply) and item.primitive in DRAWS for item in walk(*body)):
        return body, set()
    numbers, made, written = itertools.count(), set[Symbol](), changed_in(body)

    def block(statements: tuple[Stmt, ...], around: tuple[For, ...]) -> tuple[Any, ...]:
        out: list[Any] = []
        for s in statements:
            if not isinstance(s, For):
                out.append(s)
            elif any(isinstance(inner, For) for inner in s.body):  # nests are as deep as arrays have axes
                out.append(replace(s, body=block(s.body, (*around, s))))
            else:
                out += _cut(s, around, written, numbers, made)
        return tuple(out)

    return block(body, ()), made


def _cut(
    loop: For, around: tuple[For, ...], written: set[Dependency], numbers: Iterator[int], made: set[Symbol]
) -> list[Any]:
    """An innermost loop with its draws before it, in strips where it may be long."""
    strip = Symbol(f"strip{next(numbers)}")
    here, first, end = one(loop.index), *rounds(loop)
    short = isinstance(end, int) and end <= STRIP
    start = first if short else first + one(strip) * STRIP
    number = end if short else smallest(end - start, STRIP)
    fills, instead = [], dict[int, Value]()
    for draw, place in in_order(loop, written):
        limit = _limit(place, (*around, loop))
        if limit is None and isinstance(end, int) and end < FEWEST:
            continue
        buffer = f"draws{next(numbers)}"
        fills.append(Fill(buffer, draw, replace_symbols(place, {loop.index: start}), number, limit))
        instead[id(draw)] = Load(contiguous(buffer, draw.dtype, (number,)), (here,))
    if not fills:
        return [loop]
    inner = replace(loop, extent=number, body=_moved(loop.body, {loop.index: start + here}, instead))
    if short:
        return [*fills, inner]
    made.add(strip)
    count = floor_divide(end - first + (STRIP - 1), STRIP)
    inner = replace(inner, schedule="vector" if loop.schedule == "vector" else "serial")
    return [For(strip, count, (*fills, inner))]  # type: ignore[arg-type]  # a Fill is no Stmt


def one(symbol: Symbol) -> Extent:
    """The extent that is this symbol."""
    return polynomial([((symbol,), 1)])


def rounds(loop: For) -> tuple[Extent, Extent]:
    """The first round of a loop that a kernel runs, and the end of the rounds."""
    return (one(FIRST), one(END)) if loop.schedule == "parallel" else (0, loop.extent)


def _limit(place: Extent, loops: Sequence[For]) -> Extent | None:
    """Where the places end that nested loops go through in order; None if that is only the innermost one."""
    width: Extent = 1
    ends: dict[Symbol, Extent] = {}
    for loop in reversed(loops):
        if slope(place, loop.index) != width:
            break
        width = width * loop.extent
        ends = {**dict.fromkeys(ends, 0), loop.index: rounds(loop)[1]}
    return replace_symbols(place, ends) if len(ends) > 1 else None


def in_order(loop: For, written: set[Dependency]) -> list[tuple[Apply, Extent]]:
    """The draws whose place grows by 1 each iteration and whose other operands stay, with their places."""
    found = []
    for item in walk(*loop.body):
        if not (isinstance(item, Apply) and item.primitive in DRAWS):
            continue
        *others, place = item.args
        steady = not any(
            (isinstance(x, Ref) and ("variable", x.name) in written)
            or (isinstance(x, Load) and (("buffer", x.view.buffer) in written or not _fixed(x)))
            or isinstance(x, Checked | Guard | Position)
            for x in walk(*others)
        )
        if steady and isinstance(place, Position) and slope(place.extent, loop.index) == 1:
            found.append((item, place.extent))
    return found


def _fixed(load: Load) -> bool:
    """Whether an element is the same one always; a stride may be 0."""
    return not any(map(is_value, load.at)) and isinstance(place_of(load.view, load.at), int)


def _moved(body: tuple[Stmt, ...], values: dict[Symbol, Extent], instead: dict[int, Value]) -> tuple[Stmt, ...]:
    """Statements without loops, with symbols of their extents and some of their values replaced."""
    done: dict[int, Any] = dict(instead)

    def at(index: Any) -> Any:
        return done[id(index)] if is_value(index) else replace_symbols(index, values)

    def view(v: View) -> View:
        strides = tuple(replace_symbols(s, values) for s in v.strides)
        return replace(v, strides=strides, offset=replace_symbols(v.offset, values))

    def made(item: Any) -> Any:
        match item:
            case Load(v, index) | Store(v, index):
                new = replace(item, view=view(v), at=tuple(map(at, index)))
                return replace(new, value=done[id(item.value)]) if isinstance(item, Store) else new
            case Position(extent):
                return replace(item, extent=replace_symbols(extent, values))
            case Apply(_, args):
                return replace(item, args=tuple(done[id(a)] for a in args))
            case Guard(bounds, inside, other):
                moved = tuple((replace_symbols(i, values), replace_symbols(n, values)) for i, n in bounds)
                return Guard(moved, done[id(inside)], done[id(other)])
            case Checked(value, extent):
                return replace(item, value=done[id(value)], extent=replace_symbols(extent, values))
            case Local(_, value) | Assign(_, value):
                return replace(item, value=done[id(value)])
        return item

    for statement in body:
        stack: list[Any] = [statement]
        while stack:
            item = stack[-1]
            missing = [p for p in parts(item) if id(p) not in done] if id(item) not in done else []
            if missing:
                stack += missing
                continue
            stack.pop()
            if id(item) not in done:
                moves = any(not values.keys().isdisjoint(symbols(e)) for e in extents_in(item))
                moves = moves or any(done[id(p)] is not p for p in parts(item))
                done[id(item)] = made(item) if moves else item  # what does not change stays known outside the loop
    return tuple(done[id(s)] for s in body)


class DrawWriter(AttemptWriter):
    """An AttemptWriter that also writes Fills."""

    def statement(self, statement: Any) -> None:
        """Emit one statement."""
        if isinstance(statement, Fill):
            self.fill(statement)
        else:
            super().statement(statement)

    def fill(self, fill: Fill) -> None:
        """Call the function that draws whole runs, unless what is needed is there from before."""
        draw = DRAWS[fill.draw.primitive]
        name, text, needs = filling(fill.draw.primitive, self.target.vector_bytes, self.target.fma)
        self.declarations |= {text, *needs}
        arguments = [self.value(a).text for a in fill.draw.args[:3]]
        place, number = self.size(fill.place), self.size(fill.number)
        needed = self.arithmetic("add", place, number)
        room, landing = f"%{self.fresh('draws')}", self.scopes[0].landing
        landing.append(f"  {room} = alloca [{fill.room} x i{ITEM_BYTES[draw.dtype] * 8}], align 64")
        if fill.limit is None:
            first = self.drawn(name, draw.run, room, arguments, place, needed)[0]
        else:
            ahead = self.extreme("min", self.arithmetic("add", place, str(STRIP)), self.size(fill.limit))
            ahead = self.extreme("max", ahead, needed)
            window = [f"%{self.fresh('window')}" for _ in range(2)]  # the places that the buffer holds: from, to
            for edge in window:
                landing.append(f"  {edge} = alloca i64")
                landing.append(f"  store i64 0, ptr {edge}")
            low, high = (self.emit(f"load i64, ptr {edge}", "int64").text for edge in window)
            after = self.emit(f"icmp uge i64 {place}, {low}", "bool").text
            before = self.emit(f"icmp ule i64 {needed}, {high}", "bool").text
            refill, there = self.fresh("refill"), self.fresh("there")
            self.branch(self.emit(f"and i1 {after}, {before}", "bool").text, there, refill)
            self.label(refill)
            for edge, at in zip(window, self.drawn(name, draw.run, room, arguments, place, ahead), strict=True):
                self.line(f"store i64 {at}, ptr {edge}")
            self.jump(there)
            self.label(there)
            first = self.emit(f"load i64, ptr {window[0]}", "int64").text
        self.pointers[fill.buffer] = self.element(room, draw.dtype, self.arithmetic("sub", place, first))
        self.forget({("buffer", fill.buffer)})

    def drawn(self, name: str, run: int, room: str, arguments: Sequence[str], place: str, end: str) -> tuple[str, str]:
        """Draw the runs that hold the places from place to end; returns where these runs begin and end."""
        shift = str(run.bit_length() - 1)
        first = self.arithmetic("lshr", place, shift)
        last = self.arithmetic("lshr", self.arithmetic("add", end, str(run - 1)), shift)
        words = ", ".join(f"i64 {w}" for w in (*arguments, first, self.arithmetic("sub", last, first)))
        self.line(f"call void @{name}(ptr {room}, {words})")
        return self.arithmetic("shl", first, shift), self.arithmetic("shl", last, shift)
