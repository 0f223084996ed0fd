"""The inner loops of convolutions that read images where they lie: register tiles over vectors of neighbouring places.

A vector is one run of results within a row, or, where vectors are as long as a cache line, two runs of half its length, of
any rows: so rows of 8 or 24 fill vectors of 16. A table says where each run begins, another where the numbers of a filter stand.
"""

from __future__ import annotations

from collections.abc import Sequence

from symdl.backends.builder import LLVM_TYPE, Builder, Reg
from symdl.backends.gemm.tiles import LINE, Tile, at_once, in_rounds, steps_of, table, ways_of
from symdl.backends.llvm.module import ITEM_BYTES, Module

AHEAD = 9  # terms from now, what is asked for: those of a channel and a filter of 3 x 3
SPOT = 3  # words for each run in a table of spots: where it begins in one array and in the other, and one for others


def runs_of(tile: Tile) -> int:
    """How many runs make a vector."""
    return 2 if tile.lanes * ITEM_BYTES[tile.dtype] >= LINE else 1


class Inner(Builder):
    """A Builder for one function over vectors of a tile."""

    def __init__(self, tile: Tile, runs: int = 0) -> None:
        super().__init__(tile.lanes, tile.fma)
        self.tile, self.dtype, self.item = tile, tile.dtype, ITEM_BYTES[tile.dtype]
        self.scalar, self.vector = LLVM_TYPE[tile.dtype], self.type(tile.dtype)
        self.runs = runs or runs_of(tile)
        self.length = tile.lanes // self.runs  # of a run
        self.run = f"<{self.length} x {self.scalar}>"

    def at(self, pointer: str, index: str, kind: str = "") -> str:
        """The address so many elements further."""
        return self.emit(f"getelementptr inbounds {kind or self.scalar}, ptr {pointer}, i64 {index}", "int64").text

    def outside(self, pointer: str, index: str) -> str:
        """The same, where no array need be."""
        return self.emit(f"getelementptr {self.scalar}, ptr {pointer}, i64 {index}", "int64").text

    def word(self, table: str, index: int | str) -> str:
        place = table if index == 0 else self.at(table, str(index), "i64")
        return self.emit(f"load i64, ptr {place}", "int64").text

    def load(self, pointer: str, kind: str = "") -> Reg:
        return self.emit(f"load {kind or self.vector}, ptr {pointer}, align {self.item}", self.dtype)

    def gathered(self, places: Sequence[str]) -> Reg:
        """The vector of the runs that begin there."""
        found = [self.load(place, self.run) for place in places]
        if self.runs == 1:
            return found[0]
        mask = ", ".join(f"i32 {k}" for k in range(self.tile.lanes))
        pair = f"{self.run} {found[0].text}, {self.run} {found[1].text}"
        return self.emit(f"shufflevector {pair}, <{self.tile.lanes} x i32> <{mask}>", self.dtype)

    def scattered(self, value: Reg, places: Sequence[str], adds: bool) -> None:
        """Write a vector's runs, or add them to what stands there, one after another, since they may overlap."""
        for k, place in enumerate(places):
            part = value.text
            if self.runs > 1:
                mask = ", ".join(f"i32 {k * self.length + lane}" for lane in range(self.length))
                halved = f"shufflevector {self.vector} {part}, {self.vector} poison, <{self.length} x i32> <{mask}>"
                part = self.emit(halved, self.dtype).text
            if adds:
                old = self.load(place, self.run).text
                part = self.emit(f"fadd {self.run} {old}, {part}", self.dtype).text
            self.line(f"store {self.run} {part}, ptr {place}, align {self.item}")

    def every_lane(self, one: Reg) -> Reg:
        seed = self.emit(f"insertelement {self.vector} poison, {self.scalar} {one.text}, i32 0", self.dtype).text
        mask = f"<{self.tile.lanes} x i32> zeroinitializer"
        return self.emit(f"shufflevector {self.vector} {seed}, {self.vector} poison, {mask}", self.dtype)

    def totals(self, values: Sequence[Reg]) -> Reg:
        """The sum of each vector's lanes, side by side in their order: lane k + half of them, half of these, and so on. Two
        vectors go on as one, so that many sums take little more than one takes."""
        lanes, width = self.tile.lanes, self.tile.lanes  # of each sum
        found = [v.text for v in values]
        while width > 1:
            width //= 2
            # Of two vectors the numbers of each sum's first half, and those of its second.
            first = [k for k in range(2 * lanes) if k // width % 2 == 0]
            halves = [", ".join(f"i32 {k + more}" for k in first) for more in (0, width)]
            pairs = [(found[k], found[k + 1] if k + 1 < len(found) else "poison") for k in range(0, len(found), 2)]
            found = []
            for a, b in pairs:
                both = f"shufflevector {self.vector} {a}, {self.vector} {b}, <{lanes} x i32> "
                low, high = (self.emit(f"{both}<{half}>", self.dtype).text for half in halves)
                found.append(self.emit(f"fadd {self.vector} {low}, {high}", self.dtype).text)
        return Reg(found[0], self.dtype)

    def below(self, count: str, first: int) -> str:
        """A mask of the lanes whose number, from the first on, is below a word of 32 bits."""
        kind = f"<{self.tile.lanes} x i32>"
        seed = self.emit(f"insertelement {kind} poison, i32 {count}, i32 0", "int64").text
        every = self.emit(f"shufflevector {kind} {seed}, {kind} poison, {kind} zeroinitializer", "int64").text
        numbers = ", ".join(f"i32 {first + k}" for k in range(self.tile.lanes))
        return self.emit(f"icmp slt {kind} <{numbers}>, {every}", "bool").text

    def increase(self, place: str, mask: str, more: Reg) -> None:
        """Add the lanes of a mask to what stands there."""
        kind, masks = self.vector, f"<{self.tile.lanes} x i1>"
        load, store = (f"@llvm.masked.{way}.{self.suffix(self.dtype)}.p0" for way in ("load", "store"))
        self.declarations.add(f"declare {kind} {load}(ptr, i32, {masks}, {kind})")
        self.declarations.add(f"declare void {store}({kind}, ptr, i32, {masks})")
        given = f"ptr {place}, i32 {self.item}, {masks} {mask}, {kind} zeroinitializer"
        old = self.emit(f"call {kind} {load}({given})", self.dtype).text
        new = self.emit(f"fadd {kind} {old}, {more.text}", self.dtype).text
        self.line(f"call void {store}({kind} {new}, ptr {place}, i32 {self.item}, {masks} {mask})")

    def named(self, name: str, value: Reg) -> None:
        """The register that was just written, under another name."""
        self.lines[-1] = self.lines[-1].replace(f"{value.text} =", f"{name} =", 1)


def direct(module: Module, tile: Tile, vectors: int, rows: int, way: str = "", name: str = "") -> None:
    """void direct(A, ra, ca, B, table, spots, C, rc, count, add): with b, c the next pair in spots for each run of a vector,

    C[c + i*rc ..] = (C +) sum over p < count of A[i*ra + p*ca] * B[b + table[p] ..]

    way: how A lies, as of the products' micro kernels. With a name of its own it takes each vector at once, of which the table
    says all the same where each run begins. Full tiles of many sums ask for what they will read: images of many channels lie
    in a second-level cache, and no processor foresees the way from one to the next. So the table goes on for AHEAD words.
    """
    w, apart = Inner(tile, 1 if name else 0), runs_of(tile)
    cells = [(i, j) for i in range(rows) for j in range(vectors)]
    asks = not name and rows == tile.rows and tile.accumulators > 16
    if asks:
        w.declarations.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
    w.label("entry")
    numbers = [range(j * apart, j * apart + w.runs) for j in range(vectors)]  # of each vector's runs
    starts = [[w.at("%B", w.word("%spots", SPOT * k)) for k in own] for own in numbers]
    ra, ca = steps_of(tile, way)
    shifts = [w.emit(f"mul i64 {ra}, {i}", "int64").text if i else "0" for i in range(rows)]

    def term(state: Sequence[str]) -> list[str]:
        """The places in A and in the table, and the totals, after the next term."""
        a, spot, *totals = state
        place = w.word(spot, 0)
        row = [w.gathered([w.at(start, place) for start in own]) for own in starts]
        if asks:
            ahead = w.word(spot, AHEAD)
            for own in starts:
                w.line(f"call void @llvm.prefetch.p0(ptr {w.at(own[0], ahead)}, i32 0, i32 3, i32 1)")
        found: list[str] = []
        for i in range(rows):
            one = w.every_lane(w.load(a if i == 0 else w.at(a, shifts[i]), w.scalar))
            own = totals[i * vectors : (i + 1) * vectors]
            found += [w.fma(one, right, Reg(t, tile.dtype)).text for right, t in zip(row, own, strict=True)]
        return [w.at(a, ca), w.at(spot, "1", "i64"), *found]

    kinds = ["ptr", "ptr", *[w.vector] * len(cells)]
    state = ["%A", "%table", *["zeroinitializer"] * len(cells)]
    # places of two runs a vector and of rows of A are more than there are registers for, as soon as terms share a round
    several = way == "packed" or (way == "beside" and w.runs == 1)
    _, _, *found = in_rounds(w, "%count", at_once(tile) if several else (1,), kinds, state, term)
    sums = dict(zip(cells, found, strict=True))
    ends = [[w.at("%C", w.word("%spots", SPOT * k + 1)) for k in own] for own in numbers]
    steps = [w.emit(f"mul i64 %rc, {i}", "int64").text if i else "0" for i in range(rows)]
    places = {(i, j): [w.at(end, steps[i]) if i else end for end in ends[j]] for i, j in cells}
    w.line("%more = icmp ne i64 %add, 0")
    w.line("br i1 %more, label %increase, label %write")
    for block in ("write", "increase"):
        w.label(block)
        for cell in cells:
            w.scattered(Reg(sums[cell], tile.dtype), places[cell], block == "increase")
        w.line("ret void")
    head = "ptr noalias readonly %A, i64 %ra, i64 %ca, ptr noalias readonly %B, ptr noalias readonly %table"
    rest = "ptr noalias readonly %spots, ptr noalias %C, i64 %rc, i64 %count, i64 %add"
    body = "\n".join(w.lines)
    hot = ' "hot"' if (rows, vectors) == (tile.rows, tile.vectors) else ""  # as in gemm/tiles
    name = name or f"direct{vectors}x{rows}{way}"
    module.add(f"define internal void @{name}({head}, {rest}) noinline nounwind{hot} {{\n{body}\n}}", w)


def direct_counts(tile: Tile, rows: int) -> list[int]:
    """How many vectors tiles of so few rows take: not more than the addresses of whose runs fit the registers."""
    most = tile.widest(rows) if runs_of(tile) == 1 else tile.vectors
    return [v for v in (1, 2, 4, 8) if v <= most and (tile.varied or v in (1, most))]


def direct_ways(tile: Tile, rows: int, vectors: int) -> tuple[str, ...]:
    """How rows of A may lie for a tile of its own: filters lie beside one another, or are packed for whole tiles."""
    ways = ways_of(tile, rows, vectors)
    if "packed" in ways:
        return ways[1:]
    return ways if runs_of(tile) == 1 else ("",)  # without several terms in a round nothing is gained


def outer_rows(tile: Tile) -> int:
    """Outputs whose sums of products fit the registers, with a vector of each beside."""
    if not tile.varied:
        return 1
    return 5 if tile.accumulators > 16 else 3 if tile.accumulators >= 12 else 2


def outer_columns(tile: Tile, rows: int) -> int:
    """Numbers of a filter whose sums for so many outputs do. Of one output all of a filter of 3 x 3: its results are read once."""
    if not tile.varied:
        return 3  # a function for each smaller shape, too: 2 x 3 took half of the time of quick code
    if tile.accumulators > 16:
        return 9 if rows == 1 else 5
    return 4 if tile.accumulators >= 12 else 3


def outer(module: Module, tile: Tile, rows: int, columns: int) -> None:
    """void outer(D, dr, dn, X, xn, table, spots, images, count, C, rc, wanted): for j < wanted,

    C[i*rc + j] += sum over n < images, t < count, lanes of D[i*dr + n*dn + t*lanes ..] * X[n*xn + table[j] + b ..],
    b in spots for each run of vector t. The table goes on for as many words as there are columns, wanted or not.
    """
    w = Inner(tile)
    cells = [(i, j) for i in range(rows) for j in range(columns)]
    w.label("entry")
    firsts = [w.at("%X", w.word("%table", j)) for j in range(columns)]
    w.line("br label %image")
    w.label("image")
    w.line("%n = phi i64 [ 0, %entry ], [ %n.next, %next ]")
    for i, j in cells:
        w.line(f"%a{i}.{j} = phi {w.vector} [ zeroinitializer, %entry ], [ %d{i}.{j}, %next ]")
    before = w.emit("mul i64 %n, %xn", "int64").text
    images = [w.at(first, before) for first in firsts]
    w.line("%D.n = mul i64 %n, %dn")
    w.line(f"%D.image = getelementptr inbounds {w.scalar}, ptr %D, i64 %D.n")
    w.line("br label %sum")
    w.label("sum")
    w.line("%t = phi i64 [ 0, %image ], [ %t.next, %sum ]")
    w.line("%s = phi ptr [ %spots, %image ], [ %s.next, %sum ]")
    w.line("%v = phi ptr [ %D.image, %image ], [ %v.next, %sum ]")
    for i, j in cells:
        w.line(f"%c{i}.{j} = phi {w.vector} [ %a{i}.{j}, %image ], [ %d{i}.{j}, %sum ]")
    spots = [w.word("%s", SPOT * k) for k in range(w.runs)]
    steps = [w.emit(f"mul i64 %dr, {i}", "int64").text if i else "0" for i in range(rows)]
    left = [w.load(w.at("%v", steps[i]) if i else "%v") for i in range(rows)]
    for j in range(columns):
        right = w.gathered([w.at(images[j], spot) for spot in spots])
        for i in range(rows):
            w.named(f"%d{i}.{j}", w.fma(left[i], right, Reg(f"%c{i}.{j}", tile.dtype)))
    w.line(f"%s.next = getelementptr inbounds i64, ptr %s, i64 {SPOT * w.runs}")
    w.line(f"%v.next = getelementptr inbounds {w.scalar}, ptr %v, i64 {tile.lanes}")
    w.line("%t.next = add nsw i64 %t, 1")
    w.line("%whole = icmp eq i64 %t.next, %count")
    w.line("br i1 %whole, label %next, label %sum")
    w.label("next")
    w.line("%n.next = add nsw i64 %n, 1")
    w.line("%last = icmp eq i64 %n.next, %images")
    w.line("br i1 %last, label %end, label %image")
    w.label("end")
    ends = [w.at("%C", w.emit(f"mul i64 %rc, {i}", "int64").text) if i else "%C" for i in range(rows)]
    w.line("%short = trunc i64 %wanted to i32")
    for first in range(0, columns, tile.lanes):
        mask = w.below("%short", first)
        for i, end in enumerate(ends):
            own = [Reg(f"%d{i}.{j}", tile.dtype) for j in range(first, min(first + tile.lanes, columns))]
            w.increase(w.at(end, str(first)) if first else end, mask, w.totals(own))
    w.line("ret void")
    head = "ptr noalias readonly %D, i64 %dr, i64 %dn, ptr noalias readonly %X, i64 %xn, ptr noalias readonly %table"
    rest = "ptr noalias readonly %spots, i64 %images, i64 %count, ptr noalias %C, i64 %rc, i64 %wanted"
    body = "\n".join(w.lines)
    module.add(f'define internal void @outer{rows}x{columns}({head}, {rest}) noinline nounwind "hot" {{\n{body}\n}}', w)


def tables(module: Module, tile: Tile, parts: list[tuple[int, int]]) -> None:
    """The addresses of the tiles at [logarithm of vectors][rows - 1], and at [rows - 1][whether columns are one or all]."""
    table(module, tile, parts, "direct", direct_ways)
    shapes = [(r, c) for r in range(1, outer_rows(tile) + 1) for c in (1, outer_columns(tile, r))]
    outers = [f"ptr @outer{r}x{c}" for r, c in shapes]
    module.declarations.add(f"@outers = internal constant [{len(outers)} x ptr] [{', '.join(outers)}]")
