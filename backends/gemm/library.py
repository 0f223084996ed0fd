"""Products of matrices of floats: C = A B with run-time shapes and strides, as one LLVM module per dtype.

C is cut into blocks, which threads may take. Within a block a register tile of rows x vectors of C is summed over a part
of the inner axis, every element in the order of that axis, whatever the block that it stands in. B is taken in panels
of a few vectors' width; a panel is packed where many rows reuse it, or where its columns are not contiguous or do not
fill a vector. A is read in place by its strides, or packed where those are unfavourable and many columns reuse it.
Tiles at an edge have exactly the rows and write exactly the columns that are left: nothing outside the matrices is read
or written. (The scheme: Goto and van de Geijn 2008; Van Zee and van de Geijn 2015.)
"""

from __future__ import annotations

from symdl.backends.builder import LLVM_TYPE
from symdl.backends.gemm.blocks import PACK_ROWS, evenly, ways
from symdl.backends.gemm.panels import packing, patch
from symdl.backends.gemm.rooms import add_rooms
from symdl.backends.gemm.tiles import Tile, dots, micro, table, ways_of
from symdl.backends.gemm.words import Words
from symdl.backends.llvm.library import nest
from symdl.backends.llvm.module import ITEM_BYTES, RUNTIME, Module, Target
from symdl.backends.pool import THREADS
from symdl.ir.loops import Load, Stmt, Store, View
from symdl.types import Symbol, symbol

BLOCK_WORK = 1 << 19  # multiplications that are worth a block of their own, some 10 us
# Blocks where A is read in place: the most rows, the fewest panels.
NEAR_ROWS, PANELS = 256, 4
ROW_COLUMNS = 1024  # the fewest where C is one row: those of B are then read from end to end
# Blocks where both operands are copied: a share of the rows for each thread, half of it if what is made of a block is to find
# it in a cache, but not fewer rows than make up for packing B anew, nor more than it takes; the most columns, which make up for packing A anew. One thread takes all rows.
FAR_ROWS, FAR_COLUMNS = (128, 1024), 1024
FAR_BYTES = 3 << 10  # between rows of A, from which on it is packed though they are contiguous: they meet in the caches
APART_BYTES, MANY_PANELS = 1 << 10, 16  # the same where so many panels reuse what is packed
ASIDE_ROWS, ASIDE_BYTES = 128, 128 << 10  # most of a block that does not go into C at once
DOT_ROWS = 4  # of A at once where B is one column
# Longest vectors that a few rows of A take the columns' place in, so that a B that lies column by column is not packed: of
# longer ones too much stays empty, and packing such a B costs as much as the products of 8 to 16 rows.
FEW_LANES = 8

MATRICES = ("A", "ra", "ca", "B", "rb", "cb", "C", "rc", "cc", "M", "N", "K")
TASK = (*MATRICES, "epilogue", "context", "rows", "columns", "across", "packs", "indirect")
ADDRESSES = ("A", "B", "C", "epilogue", "context")
PARAMETERS = "(ptr %A, i64 %ra, i64 %ca, ptr %B, i64 %rb, i64 %cb, ptr %C, i64 %rc, i64 %cc, i64 %M, i64 %N, i64 %K, "
TAIL = "ptr %epilogue, ptr %context, ptr %runtime)"


def products_entry(dtype: str) -> str:
    """The exported function."""
    return f"gemm_{dtype}"


def products_text(tile: Tile, triple: str = "", data_layout: str = "") -> str:
    """The module. It offers

    void gemm_<dtype>(A, ra, ca, B, rb, cb, C, rc, cc, M, N, K, epilogue, context, runtime):
    C[i, j] = sum over p of A[i, p] B[p, j], A[i, p] standing at A + i*ra + p*ca, and so on; C overlaps neither A nor B.
    M, N, K may be 0; K = 0 writes zeros.

    epilogue is null, or void epilogue(context, block, stride, i, j, m, n), called once for each block of C when it is
    whole and still in the cache: m rows and n columns from (i, j) on, element (r, s) of which stands at
    block + r*stride + s. Then C may be null: blocks live in scratch memory, and what the epilogue makes of them is all
    that is kept. Blocks cover C without overlap, and several threads may be in the epilogue at once.

    runtime is null (one thread), or the table of addresses of a compiled Program. What is computed does not depend on it.
    """
    module = Module(Target(triple, data_layout, tile.fma, vector_bytes=tile.lanes * ITEM_BYTES[tile.dtype]))
    parts = [(v, m) for m in range(1, tile.rows + 1) for v in (1, 2, 4, 8) if v <= tile.widest(m)]
    for vectors, rows in parts:
        for way in ways_of(tile, rows, vectors):
            micro(module, tile, vectors, rows, way)
    table(module, tile, parts, "micro")
    if tile.varied:
        micro(module, tile, 1, tile.tallest, "beside")
    add_rooms(module)
    column(module, tile)
    packing(module, tile)
    patch(module, tile)
    ways(module, tile)
    block(module, tile)
    blocks(module, tile)
    entry(module, tile)
    return str(module)


def column(module: Module, tile: Tile) -> None:
    """void column(A, ra, B, C, rc, M, K): one column of C, rows of A and the column B being contiguous."""
    w = Words(module, tile.dtype)
    many = "0"
    groups = []
    if tile.varied:
        many = w.times(w.quotient("%M", str(DOT_ROWS)), str(DOT_ROWS))
        groups.append((DOT_ROWS, "0", many))
    for rows, start, end in (*groups, (1, many, "%M")):
        dots(module, tile, rows)
        with w.upto(w.minus(end, start), str(rows)) as t:
            i = w.plus(start, t)
            a, c = w.shift("%A", w.times(i, "%ra")), w.shift("%C", w.times(i, "%rc"))
            w.run(f"@dots{rows}", f"ptr {a}", "%ra", "ptr %B", f"ptr {c}", "%rc", "%K")
    w.define("column", "(ptr %A, i64 %ra, ptr %B, ptr %C, i64 %rc, i64 %M, i64 %K)")


def copied(dtype: str) -> tuple[Stmt, ...]:
    """C[i, j] = tile[i, j] for i < M, j < N."""
    i, j = symbol("i"), symbol("j")
    m, n, width, rc, cc = symbol("M"), symbol("N"), symbol("W"), symbol("rc", signed=True), symbol("cc", signed=True)
    tile, c = View("tile", dtype, (m, n), (width, 1)), View("C", dtype, (m, n), (rc, cc))
    return nest([(Symbol("i"), m), (Symbol("j"), n)], (Store(c, (i, j), Load(tile, (i, j))),))


def block(module: Module, tile: Tile) -> None:
    """void block(task, number): one block of C, all of the inner axis."""
    dtype = tile.dtype
    w = Words(module, dtype)
    field = {name: w.pointer_at("%task", k) if name in ADDRESSES else "" for k, name in enumerate(TASK)}
    for k, name in enumerate(TASK):
        if name not in ADDRESSES:
            field[name] = w.get(w.word_at("%task", k))
    ra, ca, rb, cb, rc, cc, K = (field[n] for n in ("ra", "ca", "rb", "cb", "rc", "cc", "K"))
    down = w.quotient("%number", field["across"])
    i0 = w.times(down, field["rows"])
    j0 = w.times(w.minus("%number", w.times(down, field["across"])), field["columns"])
    m, n = w.least(w.minus(field["M"], i0), field["rows"]), w.least(w.minus(field["N"], j0), field["columns"])
    A, B = w.shift(field["A"], w.times(i0, ra)), w.shift(field["B"], w.times(j0, cb))
    C = w.shift(field["C"], w.plus(w.times(i0, rc), w.times(j0, cc)))
    packs, indirect = (w.holds("ne", field[name], "0") for name in ("packs", "indirect"))
    no_epilogue = w.emit(f"icmp eq ptr {field['epilogue']}, null", "bool").text
    no_matrix = w.emit(f"icmp eq ptr {field['C']}, null", "bool").text

    single = w.both(*(w.holds("eq", x, "1") for x in (n, ca, rb)), no_epilogue, w.negated(no_matrix))
    with w.when(single):
        w.run("@column", f"ptr {A}", ra, f"ptr {B}", f"ptr {C}", rc, m, K)
        w.leave()

    beside = w.rounded(n, tile.lanes * tile.vectors)
    aside = w.room(w.times(w.choose(indirect, w.times(m, beside), "0"), str(ITEM_BYTES[dtype])))
    target, stride = w.choose(indirect, aside, C, "ptr"), w.choose(indirect, beside, rc)
    given = f"ptr {A}", ra, ca, f"ptr {B}", rb, cb, f"ptr {target}", stride, m, n, K, field["indirect"]
    with w.when(packs):
        w.run("@far", *given)
    with w.when(w.negated(packs)):
        w.run("@near", *given)
    with w.when(w.negated(no_epilogue)):
        w.run(field["epilogue"], f"ptr {field['context']}", f"ptr {target}", stride, i0, j0, m, n)
    with w.when(w.both(indirect, w.negated(no_matrix))):
        values = {"M": m, "N": n, "W": stride, "rc": rc, "cc": cc}
        w.loops(copied(dtype), {"tile": aside, "C": C}, values)
    w.define("block", "(ptr %task, i64 %number)")


def blocks(module: Module, tile: Tile) -> None:
    """void product(matrices, epilogue, context, runtime) where no extent is 0: C in blocks, whose borders change no number."""
    dtype = tile.dtype
    size, wide = ITEM_BYTES[dtype], tile.lanes * tile.vectors
    w = Words(module, dtype)
    no_matrix = w.emit("icmp eq ptr %C, null", "bool").text
    indirect = w.either(no_matrix, w.holds("ne", "%cc", "1"))
    little = w.holds("sle", w.times(w.times("%M", "%N"), "%K"), str(BLOCK_WORK))
    with w.when(w.both(little, w.negated(indirect), w.holds("ne", "%N", "1"))):  # one block: nothing to be worked out
        given = "ptr %A", "%ra", "%ca", "ptr %B", "%rb", "%cb", "ptr %C", "%rc", "%M", "%N", "%K"
        w.run("@near", *given, "0")
        with w.when(w.emit("icmp ne ptr %epilogue, null", "bool").text):
            w.run("%epilogue", "ptr %context", "ptr %C", "%rc", "0", "0", "%M", "%N")
        w.leave()
    apart = w.choose(w.holds("sge", "%N", str(MANY_PANELS * wide)), str(APART_BYTES // size), str(FAR_BYTES // size))
    far = w.either(w.holds("ne", "%ca", "1"), w.holds("sge", "%ra", apart))
    reused = w.holds("sgt", "%N", str(2 * wide))
    packs = w.both(far, reused, w.holds("sge", "%M", str(PACK_ROWS)))
    threads = thread_count(w)
    no_epilogue = w.emit("icmp eq ptr %epilogue, null", "bool").text
    alone = w.both(w.holds("sle", threads, "1"), no_epilogue)
    share = w.quotient("%M", w.times(w.most(threads, "2"), w.choose(no_epilogue, "1", "2")))
    shared = w.choose(alone, "%M", w.least(w.most(share, str(FAR_ROWS[0])), str(FAR_ROWS[1])))
    tallest = w.choose(packs, shared, str(NEAR_ROWS))
    tallest = w.choose(indirect, w.least(tallest, str(ASIDE_ROWS)), tallest)
    rows = evenly(w, "%M", tallest, tile.rows)
    fair = w.ceiling(str(BLOCK_WORK), w.most(w.times(w.least("%M", rows), "%K"), "1"))
    least = w.choose(w.holds("eq", "%M", "1"), str(ROW_COLUMNS), str(PANELS * wide))
    columns = w.rounded(w.most(fair, least), wide)
    beside = w.ceiling(threads, w.ceiling("%M", rows))  # where there are too few rows for all threads
    own = w.rounded(w.ceiling("%N", beside), wide)
    widest = w.least(w.most(own, least), str(FAR_COLUMNS))
    near = w.choose(w.holds("eq", "%M", "1"), columns, w.least(columns, w.most(own, w.rounded(fair, wide))))
    columns = w.choose(packs, evenly(w, "%N", widest, wide), near)
    room = w.most(w.times(w.quotient(w.quotient(str(ASIDE_BYTES // size), rows), str(wide)), str(wide)), str(wide))
    columns = w.choose(indirect, w.least(columns, room), columns)
    across = w.ceiling("%N", columns)
    number = w.times(w.ceiling("%M", rows), across)
    w.line(f"%task = alloca [{len(TASK)} x i64]")
    known = {n: f"%{n}" for n in (*MATRICES, "epilogue", "context")}
    flags = {name: w.choose(c, "1", "0") for name, c in (("packs", packs), ("indirect", indirect))}
    known |= {"rows": rows, "columns": columns, "across": across, **flags}
    for k, name in enumerate(TASK):
        kind = "ptr" if name in ADDRESSES else "i64"
        w.line(f"store {kind} {known[name]}, ptr {w.word_at('%task', k)}")
    alone = w.emit("icmp eq ptr %runtime, null", "bool").text
    alone = w.either(alone, w.holds("sle", number, "1"))
    with w.when(alone):
        with w.upto(number) as each:
            w.run("@block", "ptr %task", each)
        w.leave()
    parallel, pool = (w.pointer_at("%runtime", RUNTIME.index(name)) for name in ("parallel", "pool"))
    w.line(f"%done = call i64 {parallel}(ptr @block, ptr %task, i64 {number}, ptr {pool})")
    w.define("product", PARAMETERS + TAIL)


def thread_count(w: Words) -> str:
    """How many threads may take blocks."""
    found = w.variable("1")
    with w.when(w.emit("icmp ne ptr %runtime, null", "bool").text):
        pool = w.pointer_at("%runtime", RUNTIME.index("pool"))
        place = w.emit(f"getelementptr i8, ptr {pool}, i64 {THREADS}", "int64").text
        w.set(found, w.emit(f"zext i32 {w.emit(f'load i32, ptr {place}', 'int32').text} to i64", "int64").text)
    return w.get(found)


def entry(module: Module, tile: Tile) -> None:
    """What is called: empty matrices, and the choice of C = A B or its transpose, are decided here.

    C' = B' A' where only then C has contiguous rows, or where a few rows of A meet a B that lies column by column (which
    would be packed for little use), or a single column meets an A that does.
    """
    w = Words(module, tile.dtype)
    with w.when(w.either(w.holds("sle", "%M", "0"), w.holds("sle", "%N", "0"))):
        w.leave()
    no_epilogue = w.emit("icmp eq ptr %epilogue, null", "bool").text
    rest = ("ptr %epilogue", "ptr %context", "ptr %runtime")
    with w.when(w.holds("sle", "%K", "0")):  # one term of zeros
        module.declarations.add(f"@nothing = internal constant {LLVM_TYPE[tile.dtype]} 0.0")
        zero = ("ptr @nothing", "0", "0")
        w.run("@product", *zero, *zero, "ptr %C", "%rc", "%cc", "%M", "%N", "1", *rest)
        w.leave()
    lying = w.both(w.holds("ne", "%cc", "1"), w.holds("eq", "%rc", "1"))
    few_rows = str(tile.lanes if tile.lanes <= FEW_LANES else 1)
    few = w.both(w.holds("sle", "%M", few_rows), w.holds("eq", "%rb", "1"), w.holds("ne", "%cb", "1"))
    upright = w.both(
        w.holds("eq", "%N", "1"), w.holds("sgt", "%M", "1"), w.holds("eq", "%ra", "1"), w.holds("eq", "%rc", "1")
    )
    with w.when(w.both(w.either(lying, few, upright), no_epilogue)):
        w.run(
            "@product", "ptr %B", "%cb", "%rb", "ptr %A", "%ca", "%ra", "ptr %C", "%cc", "%rc", "%N", "%M", "%K", *rest
        )  # fmt: skip
        w.leave()
    w.run(
        "@product", "ptr %A", "%ra", "%ca", "ptr %B", "%rb", "%cb", "ptr %C", "%rc", "%cc", "%M", "%N", "%K", *rest
    )  # fmt: skip
    w.define(products_entry(tile.dtype), PARAMETERS + TAIL, "nounwind", "")
