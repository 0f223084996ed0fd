"""The inner loops of the products of matrices: register tiles and dot products.

Written by hand in LLVM IR, for vectors of any width: accumulators are phis of the one loop, so that they stay in
registers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from symdl.backends.builder import LLVM_TYPE, Builder, Reg
from symdl.backends.llvm.module import ITEM_BYTES, Module
from symdl.records import record

WIDEST = 8  # vectors in a panel, where there are few rows
LINE = 64  # bytes of a cache line
WAYS = "", "beside", "packed"  # how A may lie: see `micro`
AT_ONCE = 48  # products of vectors in a round of a full tile
SMALL = 8  # accumulators of a small tile: as many as hide how long a sum takes


@record
class Tile:
    """The register tile: rows x vectors of `lanes` numbers. varied: tiles of few rows are wider, and full ones have kernels
    for each way in which A may lie."""

    dtype: str
    lanes: int
    rows: int
    vectors: int
    fma: bool
    varied: bool = True

    @property
    def small(self) -> Tile:
        """The tile for code that is quickly made: half the text, and the same numbers, which rows of a tile do not change."""
        return replace(self, rows=min(self.rows, max(1, SMALL // self.vectors)), varied=False)

    @property
    def accumulators(self) -> int:
        return self.rows * self.vectors

    @property
    def tallest(self) -> int:
        """Rows of the tile of one vector: with fewer sums than this at once a processor would wait for each."""
        return 2 * self.rows

    def widest(self, rows: int) -> int:
        """The most vectors (a power of two) that a tile of so few rows takes."""
        wide = self.vectors
        while self.varied and wide * 2 <= WIDEST and rows * wide * 2 <= self.accumulators:
            wide *= 2
        return wide


def tile_for(dtype: str, vector_bytes: int, registers: int, fma: bool) -> Tile:
    """The tile that fills the vector registers: accumulators, one row of B and one number of A."""
    lanes = vector_bytes // ITEM_BYTES[dtype]
    if registers >= 32:
        return Tile(dtype, lanes, 6, 4, fma)
    return Tile(dtype, lanes, 6 if fma else 4, 2, fma)


def ways_of(tile: Tile, rows: int, vectors: int) -> tuple[str, ...]:
    """How rows of A may lie for a micro kernel of its own: full tiles have more than one, and others of which the sums in a row
    take no longer than to find where it begins."""
    if not tile.varied or vectors != tile.vectors or 2 * rows <= tile.rows:
        return ("",)
    if rows == tile.rows:
        return "", "beside", "packed"
    return ("", "beside") if vectors <= 2 else ("",)


def in_rounds(
    b: Builder, count: str, at_once: Sequence[int], kinds: Sequence[str], state: list[str],
    following: Callable[[Sequence[str]], list[str]],
) -> list[str]:  # fmt: skip
    """The state after count steps: as many as there are of at_once[0] steps in a round, then of at_once[1], and so on to 1.
    The block is the entry; following writes one step, and gives the state after it."""
    at = "entry"
    for steps in at_once:
        rounds = b.emit(f"udiv i64 {count}, {steps}", "int64").text
        count = b.emit(f"urem i64 {count}, {steps}", "int64").text
        some = b.emit(f"icmp ne i64 {rounds}, 0", "bool").text
        loop, after = f"sum{steps}", f"after{steps}"
        b.line(f"br i1 {some}, label %{loop}, label %{after}")
        b.label(loop)
        b.line(f"%left{steps} = phi i64 [ {rounds}, %{at} ], [ %fewer{steps}, %{loop} ]")
        inside = [f"%s{steps}.{k}" for k in range(len(state))]
        first, ends = len(b.lines), inside
        for _ in range(steps):
            ends = following(ends)
        met = [f"[ {before}, %{at} ], [ {end}, %{loop} ]" for before, end in zip(state, ends, strict=True)]
        b.lines[first:first] = [f"  {n} = phi {k} {m}" for n, k, m in zip(inside, kinds, met, strict=True)]
        b.line(f"%fewer{steps} = add nsw i64 %left{steps}, -1")
        b.line(f"%done{steps} = icmp eq i64 %fewer{steps}, 0")
        b.line(f"br i1 %done{steps}, label %{after}, label %{loop}")
        b.label(after)
        state, at = [f"%t{steps}.{k}" for k in range(len(state))], after
        for name, kind, one in zip(state, kinds, met, strict=True):
            b.line(f"{name} = phi {kind} {one}")
    return state


def steps_of(tile: Tile, way: str) -> tuple[str, str]:
    """From one row of A to the next, and from one number of a row to the next."""
    return {"": ("%ra", "%ca"), "beside": ("%ra", "1"), "packed": ("1", str(tile.rows))}[way]


def at_once(tile: Tile, rows: int = 0) -> tuple[int, ...]:
    """Steps in a round of a kernel that takes several."""
    sums = rows if rows > tile.rows else tile.accumulators
    return (max(1, AT_ONCE // sums), 1)


def micro(module: Module, tile: Tile, vectors: int, rows: int, way: str = "") -> None:
    """void micro(A, ra, ca, B, rb, C, rc, count, add): rows x vectors of C = (C +) sum over count of A B; count > 0.

    way: "" for any strides of A; "beside" where ca is 1, "packed" where ra is 1 and ca the rows of the tile. Those take
    several terms in a round, at addresses that need no arithmetic: a processor that fetches fewer instructions than its
    units could do, since another thread has its share, still feeds them (a quarter faster then).
    """
    b = Builder(tile.lanes, tile.fma)
    scalar, vector, size = LLVM_TYPE[tile.dtype], b.type(tile.dtype), ITEM_BYTES[tile.dtype]
    cells = [(i, j) for i in range(rows) for j in range(vectors)]

    def move(pointer: str, step: int | str) -> str:
        if step == 0:
            return pointer
        return b.emit(f"getelementptr inbounds {scalar}, ptr {pointer}, i64 {step}", "int64").text

    b.label("entry")
    ra, ca = steps_of(tile, way)
    across = [b.emit(f"mul i64 {ra}, {i}", "int64").text if i else 0 for i in range(rows)]
    lines = [move("%C", b.emit(f"mul i64 %rc, {i}", "int64").text) if i else "%C" for i in range(rows)]
    b.declarations.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
    last = vectors * tile.lanes - 1
    inside = range(LINE // size, last, LINE // size) if rows >= tile.rows else ()
    for line in lines:  # C is far away by the time that it is wanted
        for column in (0, *inside, last):
            b.line(f"call void @llvm.prefetch.p0(ptr {move(line, column)}, i32 1, i32 3, i32 1)")

    def term(state: Sequence[str]) -> list[str]:
        """The places of A and B and the totals after the next term."""
        a, right, *totals = state
        spots = [move(right, j * tile.lanes) for j in range(vectors)]
        row = [b.emit(f"load {vector}, ptr {spot}, align {size}", tile.dtype) for spot in spots]
        found = []
        for i in range(rows):
            one = b.emit(f"load {scalar}, ptr {move(a, across[i])}, align {size}", tile.dtype)
            seed = b.emit(f"insertelement {vector} poison, {scalar} {one.text}, i32 0", tile.dtype)
            every = b.emit(
                f"shufflevector {vector} {seed.text}, {vector} poison, <{tile.lanes} x i32> zeroinitializer", tile.dtype
            )
            for j in range(vectors):
                total = Reg(totals[i * vectors + j], tile.dtype)
                found.append(b.fma(every, row[j], total).text)
        return [move(a, ca), move(right, "%rb"), *found]

    terms = at_once(tile, rows) if way else (1,)
    kinds = ["ptr", "ptr", *[vector] * len(cells)]
    state = in_rounds(b, "%count", terms, kinds, ["%A", "%B", *["zeroinitializer"] * len(cells)], term)
    sums = dict(zip(cells, state[2:], strict=True))
    places = {(i, j): move(lines[i], j * tile.lanes) for i, j in cells}
    b.line("%more = icmp ne i64 %add, 0")
    b.line("br i1 %more, label %increase, label %write")
    b.label("write")
    for cell in cells:
        b.line(f"store {vector} {sums[cell]}, ptr {places[cell]}, align {size}")
    b.line("ret void")
    b.label("increase")
    for cell in cells:
        old = b.emit(f"load {vector}, ptr {places[cell]}, align {size}", tile.dtype)
        new = b.add(old, Reg(sums[cell], tile.dtype))
        b.line(f"store {vector} {new.text}, ptr {places[cell]}, align {size}")
    b.line("ret void")
    head = "ptr noalias readonly %A, i64 %ra, i64 %ca, ptr noalias readonly %B, i64 %rb, ptr noalias %C, i64 %rc"
    body = "\n".join(b.lines)
    signature = f"@micro{vectors}x{rows}{way}({head}, i64 %count, i64 %add)"
    hot = ' "hot"' if (rows, vectors) == (tile.rows, tile.vectors) else ""  # where products spend their time
    module.add(f"define internal void {signature} noinline nounwind{hot} {{\n{body}\n}}", b)


def dots(module: Module, tile: Tile, rows: int) -> None:
    """void dots(A, ra, B, C, rc, count): C[i] = sum over p < count of A[i, p] B[p], rows of A and B being contiguous.

    One vector of partial sums per row; what does not fill a vector is added at the end.
    """
    b = Builder(tile.lanes, tile.fma)
    scalar, vector, size = LLVM_TYPE[tile.dtype], b.type(tile.dtype), ITEM_BYTES[tile.dtype]
    one = Builder(0, tile.fma, prefix="s")
    one.lines = b.lines

    def place(pointer: str, index: str) -> str:
        return b.emit(f"getelementptr inbounds {scalar}, ptr {pointer}, i64 {index}", "int64").text

    b.label("entry")
    bases = [place("%A", b.emit(f"mul i64 %ra, {i}", "int64").text) for i in range(rows)]
    b.line(f"%whole = and i64 %count, {-tile.lanes}")
    b.line("%any = icmp ne i64 %whole, 0")
    b.line("br i1 %any, label %sum, label %across")
    b.label("sum")
    b.line("%p = phi i64 [ 0, %entry ], [ %p.next, %sum ]")
    for i in range(rows):
        b.line(f"%c{i} = phi {vector} [ zeroinitializer, %entry ], [ %d{i}, %sum ]")
    right = b.emit(f"load {vector}, ptr {place('%B', '%p')}, align {size}", tile.dtype)
    for i in range(rows):
        left = b.emit(f"load {vector}, ptr {place(bases[i], '%p')}, align {size}", tile.dtype)
        total = b.fma(left, right, Reg(f"%c{i}", tile.dtype))
        b.lines[-1] = b.lines[-1].replace(f"{total.text} =", f"%d{i} =", 1)
    b.line(f"%p.next = add nuw nsw i64 %p, {tile.lanes}")
    b.line("%more = icmp ult i64 %p.next, %whole")
    b.line("br i1 %more, label %sum, label %across")
    b.label("across")
    reduce = f"llvm.vector.reduce.fadd.{b.suffix(tile.dtype)}"
    b.declarations.add(f"declare {scalar} @{reduce}({scalar}, {vector})")
    for i in range(rows):
        b.line(f"%t{i} = phi {vector} [ zeroinitializer, %entry ], [ %d{i}, %sum ]")
    for i in range(rows):
        b.line(f"%h{i} = call reassoc {scalar} @{reduce}({scalar} -0.0, {vector} %t{i})")
    b.line("%rest = icmp ult i64 %whole, %count")
    b.line("br i1 %rest, label %tail, label %end")
    b.label("tail")
    b.line("%q = phi i64 [ %whole, %across ], [ %q.next, %tail ]")
    for i in range(rows):
        b.line(f"%e{i} = phi {scalar} [ %h{i}, %across ], [ %f{i}, %tail ]")
    last = one.emit(f"load {scalar}, ptr {place('%B', '%q')}, align {size}", tile.dtype)
    for i in range(rows):
        left = one.emit(f"load {scalar}, ptr {place(bases[i], '%q')}, align {size}", tile.dtype)
        total = one.fma(left, last, Reg(f"%e{i}", tile.dtype))
        b.lines[-1] = b.lines[-1].replace(f"{total.text} =", f"%f{i} =", 1)
    b.line("%q.next = add nuw nsw i64 %q, 1")
    b.line("%again = icmp ult i64 %q.next, %count")
    b.line("br i1 %again, label %tail, label %end")
    b.label("end")
    for i in range(rows):
        b.line(f"%g{i} = phi {scalar} [ %h{i}, %across ], [ %f{i}, %tail ]")
    for i in range(rows):
        b.line(f"store {scalar} %g{i}, ptr {place('%C', b.emit(f'mul i64 %rc, {i}', 'int64').text)}, align {size}")
    b.line("ret void")
    b.declarations |= one.declarations
    head = "ptr noalias readonly %A, i64 %ra, ptr noalias readonly %B, ptr noalias %C, i64 %rc, i64 %count"
    body = "\n".join(b.lines)
    # "hot": in one order only may LLVM add up lanes that are its own to order
    module.add(f'define internal void @dots{rows}({head}) noinline nounwind "hot" {{\n{body}\n}}', b)


def table(
    module: Module, tile: Tile, parts: list[tuple[int, int]], kernel: str,
    ways: Callable[[Tile, int, int], tuple[str, ...]] = ways_of,
) -> None:  # fmt: skip
    """The addresses of the kernels of that name at [way][logarithm of vectors][rows - 1], in a constant of its plural.
    ways: for which ways a kernel was written; "" stands for others, or, where there is none, nothing."""
    counts = [v for v in (1, 2, 4, 8) if v <= tile.widest(1)]
    entries = []
    for way in WAYS:
        for v in counts:
            for m in range(1, tile.rows + 1):
                known = ways(tile, m, v) if (v, m) in parts else ()
                own = way if way in known else ""
                entries.append(f"ptr @{kernel}{v}x{m}{own}" if own in known else "ptr null")
    module.declarations.add(f"@{kernel}s = internal constant [{len(entries)} x ptr] [{', '.join(entries)}]")
