"""One block of a product: near, where A is read where it lies, and far, where both operands are copied.

    void near(A, ra, ca, B, rb, cb, C, rc, M, N, K, room), and far likewise: C = A B, K > 0

C's columns lie side by side; with room not 0 each of its rows goes on, up to whole panels, with numbers of no meaning. Tiles
at an edge have exactly the rows that are left; what is narrower than a panel goes through a patch, or, where C is written
once, begins further to the left.

`near` packs one panel of B at a time, where many rows reuse it or where its columns are not contiguous or do not fill a
vector. `far` takes parts of the inner axis and groups of rows: a part of B is packed in panels, reading its rows from end to
end, and serves all rows; a group of rows of A is packed to fit a second-level cache, and serves all panels (Goto and van de
Geijn 2008).
"""

from __future__ import annotations

from symdl.backends.gemm.tiles import LINE, WIDEST, Tile
from symdl.backends.gemm.words import Words
from symdl.backends.llvm.module import ITEM_BYTES, Module

PACK_ROWS = 24  # from so many rows on, packing a panel costs less than reading it with large strides again and again
NEAR_INNER = 512  # most of the inner axis at once: a panel of 16 floats' width is then 32 KiB
FAR_INNER = 256  # the same where A is packed, too, which shares the first-level cache
PANEL_BYTES = 32 << 10  # of a panel that has its share of such a cache; a larger one may as well be twice as high
ROW_BYTES = 96 << 10  # of A at once
# Of B, from which on they are beyond the first-level cache: then one row of C is summed by whole rows.
ROW_NUMBERS = 1 << 14
ROWS = 4  # of B at once in such a sum
TOGETHER = 8  # panels that are packed at once: rows of S are read some lines at a time, and few pages are written
HEAD = "(ptr %A, i64 %ra, i64 %ca, ptr %B, i64 %rb, i64 %cb, ptr %C, i64 %rc, i64 %M, i64 %N, i64 %K, i64 %room)"


def ways(module: Module, tile: Tile) -> None:
    """near, far and what they call."""
    widths = ", ".join(f"i64 {tile.widest(r).bit_length() - 1}" for r in range(1, tile.rows + 1))
    module.declarations.add(f"@widths = internal constant [{tile.rows} x i64] [{widths}]")
    row(module, tile)
    near(module, tile)
    panels(module, tile)
    far(module, tile)


def scratch(w: Words, numbers: list[str]) -> list[str]:
    """Memory for so many numbers each, every piece at the start of a cache line."""
    size = ITEM_BYTES[w.dtype]
    lengths = [w.rounded(n, LINE // size) for n in numbers]
    total = lengths[0]
    for more in lengths[1:]:
        total = w.plus(total, more)
    places = [w.room(w.times(total, str(size)))]
    for length in lengths[:-1]:
        places.append(w.shift(places[-1], length))
    return places


def tiles(
    w: Words, tile: Tile, panel: tuple[str, str, str], b: tuple[str, str], a: tuple[str, str, str, str],
    c: tuple[str, str], extents: tuple[str, str, str], add: str, spare: str,
) -> None:  # fmt: skip
    """The tiles of one panel. panel: log2 of its vectors, columns, width. b: where it stands, the step of its rows. a: A, how
    far it is from one tile's rows to the next ones', the strides. c: C, its row stride. extents: rows, rows of a tile, height."""
    exponent, columns, width = panel
    rows, tall, height = extents
    cut = w.both(w.holds("ne", columns, width), w.holds("eq", "%room", "0"))
    with w.upto(w.ceiling(rows, tall)) as t:
        i = w.times(t, tall)
        count = w.least(tall, w.minus(rows, i))
        patched = w.both(cut, w.negated(written_over(w, panel, c[1], add, w.minus(rows, w.plus(i, count)))))
        given, there = w.shift(a[0], w.times(t, a[1])), w.shift(c[0], w.times(i, c[1]))
        to, beside = w.choose(patched, spare, there, "ptr"), w.choose(patched, width, c[1])
        function = w.kernel_of(tile, "micro", a[2], a[3], exponent, count)
        more = w.choose(patched, "0", add)
        w.run(function, f"ptr {given}", a[2], a[3], f"ptr {b[0]}", b[1], f"ptr {to}", beside, height, more)
        with w.when(patched):
            w.run("@patch", f"ptr {spare}", width, f"ptr {there}", c[1], count, columns, add)


def written_over(w: Words, panel: tuple[str, str, str], rc: str, add: str, rows: str) -> str:
    """Whether all that a tile writes behind its columns is the begin of rows of C that are written after it, of which there are so
    many: then it needs no patch."""
    _, columns, width = panel
    within = w.holds("sge", w.times(w.plus(rows, "1"), columns), width)
    return w.both(w.holds("eq", rc, columns), w.holds("eq", add, "0"), within)


def slim(
    w: Words,
    tile: Tile,
    panel: tuple[str, str, str],
    b: tuple[str, str],
    a: str,
    c: str,
    height: str,
    add: str,
    spare: str,
) -> str:
    """In a panel of one vector, as many of the tallest tiles as there are. The number of their rows."""
    exponent, columns, width = panel
    tall = str(tile.tallest)
    done = w.variable("0")
    cut = w.both(w.holds("ne", columns, width), w.holds("eq", "%room", "0"))
    slim = w.both(w.holds("eq", exponent, "0"), w.holds("eq", "%ca", "1"))
    with w.whilst(done, w.choose(slim, w.minus("%M", str(tile.tallest - 1)), "0")) as i:
        patched = w.both(cut, w.negated(written_over(w, panel, "%rc", add, w.minus("%M", w.plus(i, tall)))))
        there = w.shift(c, w.times(i, "%rc"))
        to, beside = w.choose(patched, spare, there, "ptr"), w.choose(patched, width, "%rc")
        given, more = w.shift(a, w.times(i, "%ra")), w.choose(patched, "0", add)
        function = f"@micro1x{tall}beside"
        w.run(function, f"ptr {given}", "%ra", "1", f"ptr {b[0]}", b[1], f"ptr {to}", beside, height, more)
        with w.when(patched):
            w.run("@patch", f"ptr {spare}", width, f"ptr {there}", "%rc", tall, columns, add)
        w.set(done, w.plus(i, tall))
    return w.get(done)


def row(module: Module, tile: Tile) -> None:
    """void row(A, ca, B, rb, C, N, K): one row of C, from some rows of B at a time, read from end to end."""
    w = Words(module, tile.dtype)
    lanes, kind, size = tile.lanes, w.vector(tile), ITEM_BYTES[tile.dtype]
    whole = w.arithmetic("and", "%N", str(-lanes))
    rest = w.minus("%N", whole)
    mask, more = w.below(tile, rest), w.holds("ne", rest, "0")
    with w.upto(whole, str(lanes)) as j:
        w.line(f"store {kind} zeroinitializer, ptr {w.shift('%C', j)}, align {size}")
    with w.when(more):
        w.masked_store(tile, "zeroinitializer", w.shift("%C", whole), mask)
    many = w.times(w.quotient("%K", str(ROWS)), str(ROWS))
    for rows, start, end in ((ROWS, "0", many), (1, many, "%K")):
        with w.upto(w.minus(end, start), str(rows)) as t:
            places = [w.plus(w.plus(start, t), str(r)) for r in range(rows)]
            ones = [w.every_lane(tile, w.shift("%A", w.times(p, "%ca"))) for p in places]
            sources = [w.shift("%B", w.times(p, "%rb")) for p in places]
            following = w.times("%rb", str(rows))  # what the next rows hold is asked for: B is far away
            with w.upto(whole, str(lanes)) as j:
                to = w.shift("%C", j)
                total = w.emit(f"load {kind}, ptr {to}, align {size}", tile.dtype).text
                for one, source in zip(ones, sources, strict=True):
                    w.prefetch(w.shift(source, w.plus(j, following)))
                    found = w.emit(f"load {kind}, ptr {w.shift(source, j)}, align {size}", tile.dtype).text
                    total = w.times_plus(tile, one, found, total)
                w.line(f"store {kind} {total}, ptr {to}, align {size}")
            with w.when(more):
                to = w.shift("%C", whole)
                total = w.masked_load(tile, to, mask)
                for one, source in zip(ones, sources, strict=True):
                    total = w.times_plus(tile, one, w.masked_load(tile, w.shift(source, whole), mask), total)
                w.masked_store(tile, total, to, mask)
    head = "(ptr noalias readonly %A, i64 %ca, ptr noalias readonly %B, i64 %rb, ptr noalias %C, i64 %N, i64 %K)"
    w.define("row", head)


def near(module: Module, tile: Tile) -> None:
    """A is read where it lies."""
    w = Words(module, tile.dtype)
    lanes = tile.lanes
    beyond = w.holds("sge", w.times("%N", "%K"), str(ROW_NUMBERS))
    with w.when(w.both(w.holds("eq", "%M", "1"), w.holds("eq", "%cb", "1"), beyond)):
        w.run("@row", "ptr %A", "%ca", "ptr %B", "%rb", "ptr %C", "%N", "%K")
        w.leave()
    parts = w.ceiling("%K", str(NEAR_INNER))
    deep = w.ceiling("%K", parts)
    tall = w.ceiling("%M", w.ceiling("%M", str(tile.rows)))  # rows of each tile but the last, which has at least one
    most = w.get(w.emit(f"getelementptr inbounds i64, ptr @widths, i64 {w.minus(tall, '1')}", "int64").text)
    widest = w.arithmetic("shl", str(lanes), most)
    many, beside = w.holds("sge", "%M", str(PACK_ROWS)), w.holds("eq", "%cb", "1")
    once = w.holds("eq", parts, "1")
    packed, spare = scratch(w, [w.plus(w.times(deep, widest), str(lanes)), w.times(str(tile.rows), widest)])
    with w.upto(parts) as q:
        start = w.times(q, deep)
        height = w.least(w.minus("%K", start), deep)
        a = w.shift("%A", w.times(start, "%ca"))
        first = w.variable("0")
        with w.whilst(first, "%N") as j:
            exponent, columns, width = panel(w, tile, w.minus("%N", j), most, many)
            partial = w.holds("ne", columns, width)
            # Over columns that the panel before has: as it did.
            back = w.both(partial, once, w.holds("sge", "%N", width))
            j, columns = w.choose(back, w.minus("%N", width), j), w.choose(back, width, columns)
            partial = w.holds("ne", columns, width)
            found = exponent, columns, width
            in_place = w.shift("%B", w.plus(w.times(start, "%rb"), w.times(j, "%cb")))
            ready = w.both(w.holds("eq", "%rb", width), beside, w.negated(partial))
            wanted = w.both(w.either(many, partial, w.negated(beside)), w.negated(ready))
            with w.when(wanted):
                w.run("@pack", f"ptr {in_place}", "%rb", "%cb", f"ptr {packed}", width, columns, height)
            b = w.choose(wanted, packed, in_place, "ptr"), w.choose(wanted, width, "%rb")
            c = w.shift("%C", j)
            above = slim(w, tile, found, b, a, c, height, q, spare) if tile.varied else "0"
            rows = w.shift(a, w.times(above, "%ra")), w.times(tall, "%ra"), "%ra", "%ca"
            c = w.shift(c, w.times(above, "%rc"))
            tiles(w, tile, found, b, rows, (c, "%rc"), (w.minus("%M", above), tall, height), q, spare)
            w.set(first, w.plus(j, width))
    w.define("near", HEAD)


def panel(w: Words, tile: Tile, left: str, most: str, many: str) -> tuple[str, str, str]:
    """(log2 of the vectors, columns, width) of the next panel, where so many columns are left.

    As wide as may be, but not wider than the columns that are left need; where few rows are to reuse what must be packed,
    not wider than they fill.
    """
    exponent = "0"
    for k in range(1, WIDEST.bit_length()):
        half, full = w.holds("sgt", left, str(tile.lanes << (k - 1))), w.holds("sge", left, str(tile.lanes << k))
        allowed = w.holds("sge", most, str(k))
        exponent = w.choose(w.both(w.either(full, w.both(half, many)), allowed), str(k), exponent)
    width = w.arithmetic("shl", str(tile.lanes), exponent)
    return exponent, w.least(left, width), width


def evenly(w: Words, whole: str, most: str, multiple: int) -> str:
    """The extent of each of as few parts as may be, none longer than `most`, in multiples."""
    return w.rounded(w.ceiling(whole, w.ceiling(whole, most)), multiple)


def far(module: Module, tile: Tile) -> None:
    """Both operands are copied."""
    w = Words(module, tile.dtype)
    size, wide = ITEM_BYTES[tile.dtype], tile.lanes * tile.vectors
    # Twice as many terms: C is then added to half as often.
    most_deep = FAR_INNER if wide * size * FAR_INNER <= PANEL_BYTES else 2 * FAR_INNER
    parts = w.ceiling("%K", str(most_deep))
    deep = w.ceiling("%K", parts)
    # Pieces are a cache line further apart than they need: apart in the first-level cache, too.
    line = str(LINE // size)
    between = w.plus(w.times(deep, str(tile.rows)), line)
    apart = w.plus(w.times(deep, str(wide)), line)
    tall = str(tile.rows)
    rows = evenly(w, "%M", w.most(w.quotient(str(ROW_BYTES // size), deep), tall), tile.rows)
    pieces = [w.times(w.quotient(rows, tall), between), w.times(w.ceiling("%N", str(wide)), apart)]
    packed_a, packed_b, spare = scratch(w, [*pieces, w.times(tall, str(wide))])
    always, most = "true", str(tile.vectors.bit_length() - 1)
    with w.upto(parts) as q:
        start = w.times(q, deep)
        height = w.least(w.minus("%K", start), deep)
        b = w.shift("%B", w.times(start, "%rb"))
        w.run("@panels", f"ptr {b}", "%rb", "%cb", f"ptr {packed_b}", apart, "%N", height)
        with w.upto("%M", rows) as i0:
            here = w.least(rows, w.minus("%M", i0))
            a = w.shift("%A", w.plus(w.times(i0, "%ra"), w.times(start, "%ca")))
            w.run("@slivers", f"ptr {a}", "%ra", "%ca", f"ptr {packed_a}", between, here, tall, height)
            with w.upto("%N", str(wide)) as j:
                found = panel(w, tile, w.minus("%N", j), most, always)
                c = w.shift("%C", w.plus(w.times(i0, "%rc"), j))
                given = w.shift(packed_b, w.times(w.quotient(j, str(wide)), apart)), found[2]
                there = packed_a, between, "1", str(tile.rows)
                tiles(w, tile, found, given, there, (c, "%rc"), (here, tall, height), q, spare)
    w.define("far", HEAD)


def panels(module: Module, tile: Tile) -> None:
    """void panels(S, rs, cs, packed, apart, columns, height): as `pack`, in panels of the tile's width, so many numbers
    apart, of which the last may be narrower."""
    w = Words(module, tile.dtype)
    wide = tile.lanes * tile.vectors
    beside = w.holds("eq", "%cs", "1")
    first = w.choose(beside, w.quotient("%columns", str(wide)), "0")  # of the panels that `pack` makes
    with w.when(beside), w.upto(first, str(TOGETHER)) as k0, w.upto("%height") as p:
        source, to = w.shift("%S", w.times(p, "%rs")), w.shift("%packed", w.times(p, str(wide)))
        following = w.shift(source, "%rs")
        with w.upto(w.least(w.minus(first, k0), str(TOGETHER))) as more:
            k = w.plus(k0, more)
            column, there = w.times(k, str(wide)), w.shift(to, w.times(k, "%apart"))
            for line in range(0, wide, LINE // ITEM_BYTES[tile.dtype]):
                w.prefetch(w.shift(following, w.plus(column, str(line))))
            for v in range(0, wide, tile.lanes):
                w.copy(tile, w.shift(source, w.plus(column, str(v))), w.shift(there, str(v)))
    with w.upto(w.minus(w.ceiling("%columns", str(wide)), first)) as more:
        k = w.plus(first, more)
        column = w.times(k, str(wide))
        most = str(tile.vectors.bit_length() - 1)
        _, columns, width = panel(w, tile, w.minus("%columns", column), most, "true")
        source, to = w.shift("%S", w.times(column, "%cs")), w.shift("%packed", w.times(k, "%apart"))
        w.run("@pack", f"ptr {source}", "%rs", "%cs", f"ptr {to}", width, columns, "%height")
    head = "(ptr noalias readonly %S, i64 %rs, i64 %cs, ptr noalias %packed, i64 %apart, i64 %columns, i64 %height)"
    w.define("panels", head)
