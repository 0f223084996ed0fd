"""Copies of panels of matrices for products: rows of a fixed width, whatever the strides of what is copied.

    void pack(S, rs, cs, packed, width, columns, height): packed[p*width + j] = S[p*rs + j*cs], j < columns, p < height

columns <= width. Whole vectors are written, in rising order: what stands behind the columns of a row is garbage, and so are
`lanes` numbers behind the last row. Nothing but the elements
of S is read.
"""

from __future__ import annotations

from symdl.backends.gemm.tiles import LINE, Tile
from symdl.backends.gemm.words import Words
from symdl.backends.llvm.library import nest
from symdl.backends.llvm.module import ITEM_BYTES, Module
from symdl.ir.loops import Load, Stmt, Store, View
from symdl.types import Symbol, symbol

AHEAD = 8  # rows further, what is packed next is asked for: rows far apart are not foreseen by the processor
PACK = "(ptr noalias readonly %S, i64 %rs, i64 %cs, ptr noalias %packed, i64 %width, i64 %columns, i64 %height)"


def packing(module: Module, tile: Tile) -> None:
    """pack and what it calls."""
    counts = [
        1 << k for k in range(tile.vectors.bit_length())
    ]  # wider panels are packed only if they have a partial vector
    for vectors in counts:
        whole_rows(module, tile, vectors)
    partial_rows(module, tile)
    if tile.varied:  # its shuffles are a sixth of the time of quick code
        transpose(module, tile)
    w = Words(module, tile.dtype)
    lanes = str(tile.lanes)
    beside, below = w.holds("eq", "%cs", "1"), w.holds("eq", "%rs", "1")
    with w.when(beside):
        for vectors in counts:
            with w.when(w.holds("eq", "%columns", str(vectors * tile.lanes))):
                w.run(f"@whole{vectors}", "ptr %S", "%rs", "ptr %packed", "%width", "%height")
                w.leave()
        w.run("@partial", "ptr %S", "%rs", "ptr %packed", "%width", "%columns", "%height")
        w.leave()
    if tile.varied:
        with w.when(w.both(below, w.holds("sge", "%height", lanes))):
            last, edge = w.minus("%height", lanes), w.most(w.minus("%columns", lanes), "0")
            with w.upto("%columns", lanes) as wanted, w.upto("%height", lanes) as down:
                j, p = w.least(wanted, edge), w.least(down, last)  # what stands behind the columns may be the next row
                source = w.shift("%S", w.plus(p, w.times(j, "%cs")))
                to = w.shift("%packed", w.plus(w.times(p, "%width"), j))
                w.run("@transpose", f"ptr {source}", "%cs", f"ptr {to}", "%width", w.minus("%columns", j))
            w.leave()
    values = {n: f"%{n}" for n in ("rs", "cs", "width", "columns", "height")}
    w.loops(single(tile.dtype), {"S": "%S", "packed": "%packed"}, values)
    w.define("pack", PACK)
    slivers(module, tile)


def slivers(module: Module, tile: Tile) -> None:
    """void slivers(A, ra, ca, packed, between, M, tall, height): the rows of A packed in groups of `tall`.

    Group t begins at packed + t*between; A[t*tall + i, p] goes to its place p*rows + i, rows
    being those of a tile. Contiguous columns of A are read from end to end, since rows of A may share cache lines and pages.
    """
    w = Words(module, tile.dtype)
    lanes = tile.lanes
    done = w.variable("0")
    vectors = -(-tile.rows // lanes)  # of a group
    room = w.minus("%M", str(vectors * lanes))
    with w.when(w.both(w.holds("eq", "%ra", "1"), w.holds("sge", room, "0"))):
        count = w.plus(w.quotient(room, "%tall"), "1")
        with w.upto("%height") as p:
            source, to = w.shift("%A", w.times(p, "%ca")), w.shift("%packed", w.times(p, str(tile.rows)))
            following = w.shift("%A", w.times(w.plus(p, str(AHEAD)), "%ca"))
            with w.upto("%M", str(LINE // ITEM_BYTES[tile.dtype])) as line:
                w.prefetch(w.shift(following, line))
            with w.upto(count) as t:
                start, end = w.shift(source, w.times(t, "%tall")), w.shift(to, w.times(t, "%between"))
                for k in range(vectors):
                    w.copy(tile, w.shift(start, str(k * lanes)), w.shift(end, str(k * lanes)))
        w.set(done, w.times(count, "%tall"))
    left = w.minus("%M", w.get(done))
    with w.upto(left, "%tall") as more:
        i = w.plus(w.get(done), more)
        source = w.shift("%A", w.times(i, "%ra"))
        to = w.shift("%packed", w.times(w.quotient(i, "%tall"), "%between"))
        here = w.least("%tall", w.minus("%M", i))
        w.run("@pack", f"ptr {source}", "%ca", "%ra", f"ptr {to}", str(tile.rows), here, "%height")
    w.define("slivers", "(ptr %A, i64 %ra, i64 %ca, ptr %packed, i64 %between, i64 %M, i64 %tall, i64 %height)")


def single(dtype: str) -> tuple[Stmt, ...]:
    """One number at a time, for any strides."""
    p, j = symbol("p"), symbol("j")
    rs, cs = symbol("rs", signed=True), symbol("cs", signed=True)
    width, columns, height = symbol("width"), symbol("columns"), symbol("height")
    source = View("S", dtype, (height, columns), (rs, cs))
    packed = View("packed", dtype, (height, columns), (width, 1))
    return nest([(Symbol("p"), height), (Symbol("j"), columns)], (Store(packed, (p, j), Load(source, (p, j))),))


def whole_rows(module: Module, tile: Tile, vectors: int) -> None:
    """Rows of so many vectors that lie side by side."""
    w = Words(module, tile.dtype)
    with w.upto("%height") as p:
        source, to = w.shift("%S", w.times(p, "%rs")), w.shift("%packed", w.times(p, "%width"))
        following = w.shift("%S", w.times(w.plus(p, str(AHEAD)), "%rs"))
        for line in range(0, vectors * tile.lanes, LINE // ITEM_BYTES[tile.dtype]):
            w.prefetch(w.shift(following, str(line)))
        for j in range(vectors):
            w.copy(tile, w.shift(source, str(j * tile.lanes)), w.shift(to, str(j * tile.lanes)))
    w.define(f"whole{vectors}", "(ptr noalias readonly %S, i64 %rs, ptr noalias %packed, i64 %width, i64 %height)")


def partial_rows(module: Module, tile: Tile) -> None:
    """Rows that lie side by side and do not fill the last vector."""
    w = Words(module, tile.dtype)
    last = w.times(w.quotient("%columns", str(tile.lanes)), str(tile.lanes))
    mask = w.below(tile, w.minus("%columns", last))
    with w.upto("%height") as p:
        source, to = w.shift("%S", w.times(p, "%rs")), w.shift("%packed", w.times(p, "%width"))
        with w.upto(last, str(tile.lanes)) as j:
            w.copy(tile, w.shift(source, j), w.shift(to, j))
        found = w.masked_load(tile, w.shift(source, last), mask)
        w.line(f"store {w.vector(tile)} {found}, ptr {w.shift(to, last)}, align {ITEM_BYTES[tile.dtype]}")
    head = "(ptr noalias readonly %S, i64 %rs, ptr noalias %packed, i64 %width, i64 %columns, i64 %height)"
    w.define("partial", head)


def patch(module: Module, tile: Tile) -> None:
    """void patch(tile, width, C, rc, m, n, add): C[i, j] = (C[i, j] +) tile[i, j] for i < m, j < n, C's rows contiguous."""
    w = Words(module, tile.dtype)
    lanes, kind, size = tile.lanes, w.vector(tile), ITEM_BYTES[tile.dtype]
    adds = w.holds("ne", "%add", "0")
    with w.upto("%n", str(lanes)) as j:
        here = w.minus("%n", j)
        mask = w.below(tile, here)
        known = w.below(tile, w.choose(adds, here, "0"))
        full = w.holds("sge", here, str(lanes))
        with w.upto("%m") as i:
            source = w.shift("%tile", w.plus(w.times(i, "%width"), j))
            to = w.shift("%C", w.plus(w.times(i, "%rc"), j))
            found = w.emit(f"load {kind}, ptr {source}, align {size}", tile.dtype).text
            old = w.masked_load(tile, to, known)  # -0.0 where there is none: its sum with x is x, whatever its sign
            total = w.emit(f"fadd {kind} {old}, {found}", tile.dtype).text
            with w.when(full):
                w.line(f"store {kind} {total}, ptr {to}, align {size}")
            with w.when(w.negated(full)):
                w.masked_store(tile, total, to, mask)
    head = "(ptr noalias readonly %tile, i64 %width, ptr noalias %C, i64 %rc, i64 %m, i64 %n, i64 %add)"
    w.define("patch", head)


def transpose(module: Module, tile: Tile) -> None:
    """void transpose(S, cs, packed, width, columns): packed[p*width + j] = S[p + j*cs] for a square of lanes x lanes.

    Vectors are loaded along p; log2(lanes) rounds of shuffles interleave them. Of columns that do not exist the last
    one stands in.
    """
    w = Words(module, tile.dtype)
    lanes, size, vector = tile.lanes, ITEM_BYTES[tile.dtype], w.vector(tile)
    last = w.minus("%columns", "1")
    found = []
    for j in range(lanes):
        place = w.shift("%S", w.times(w.least(str(j), last) if j else "0", "%cs"))
        found.append(w.emit(f"load {vector}, ptr {place}, align {size}", tile.dtype).text)
    width = 1
    while width < lanes:  # swap the off-diagonal blocks of every square of 2*width
        low = ", ".join(f"i32 {k if k & width == 0 else lanes + k - width}" for k in range(lanes))
        high = ", ".join(f"i32 {k + width if k & width == 0 else lanes + k}" for k in range(lanes))
        for r in range(lanes):
            if r & width == 0:
                pair = f"shufflevector {vector} {found[r]}, {vector} {found[r + width]}, <{lanes} x i32> "
                found[r], found[r + width] = (w.emit(f"{pair}<{mask}>", tile.dtype).text for mask in (low, high))
        width *= 2
    for p in range(lanes):
        w.line(f"store {vector} {found[p]}, ptr {w.shift('%packed', w.times(str(p), '%width'))}, align {size}")
    w.define("transpose", "(ptr noalias readonly %S, i64 %cs, ptr noalias %packed, i64 %width, i64 %columns)")
