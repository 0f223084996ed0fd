"""Products of matrices of floats: C = A B with run-time shapes and strides, as one LLVM module per dtype.

A is read in place by its strides. B is taken in panels of a few vectors' width; a panel is packed where many rows reuse
it, or where its columns are not contiguous or do not fill a vector (then with zeros). A register tile of rows x vectors
of C is summed over a block of the inner axis, every element in the order of that axis. Tiles at an edge have exactly
the rows that are left, and columns that are left over go through a tile in the workspace: nothing outside the matrices
is read or written. (The scheme: Goto and van de Geijn 2008; Van Zee and van de Geijn 2015, without packing A.)
"""

from __future__ import annotations

from symdl.backends.builder import LLVM_TYPE
from symdl.backends.gemm_tiles import WIDEST, Tile, dots, micro, table, transpose
from symdl.backends.llvm.kernels import kernel
from symdl.backends.llvm.library import nest
from symdl.backends.llvm.module import ITEM_BYTES, Module, Target, Writer
from symdl.loops import Apply, Const, Guard, Load, Stmt, Store, View
from symdl.types import Dim, Extent, Symbol, floor_divide, smallest, symbol

INNER_BLOCK = 512  # of the inner axis: a packed panel of 16 floats' width is then 32 KiB, a first-level cache
PACK_ROWS = 24  # from so many rows on, packing a panel costs less than reading it with large strides again and again
DOT_ROWS = 4  # of A at once where B is one column

ra, ca, rb, cb, rc, cc = (symbol(n, signed=True) for n in ("ra", "ca", "rb", "cb", "rc", "cc"))
M, N, K, J, H, WIDTH, ADD, COUNT = (symbol(n) for n in ("M", "N", "K", "J", "H", "WIDTH", "ADD", "COUNT"))
SHAPE = ("ra", "ca", "rb", "cb", "rc", "cc", "M", "N", "K")


def workspace(tile: Tile) -> int:
    """Bytes of scratch memory that a call needs, for either dtype: a packed panel and a tile."""
    row = WIDEST * tile.lanes * ITEM_BYTES[tile.dtype]
    return (INNER_BLOCK + tile.rows) * row


def entry_name(dtype: str) -> str:
    """The exported function."""
    return f"gemm_{dtype}"


def module_text(tile: Tile, triple: str = "", data_layout: str = "") -> str:
    """The module. It offers

    void gemm_<dtype>(A, ra, ca, B, rb, cb, C, rc, cc, M, N, K, workspace): C[i, j] = sum over p of A[i, p] B[p, j],
    A[i, p] standing at A + i*ra + p*ca, and so on; C overlaps neither A nor B. M, N, K may be 0; K = 0 writes zeros.
    """
    module = Module(Target(triple, data_layout, tile.fma))
    parts = [(v, m) for m in range(1, tile.rows + 1) for v in (1, 2, 4, 8) if v <= tile.widest(m)]
    for vectors, rows in parts:
        micro(module, tile, vectors, rows)
    table(module, tile, parts)
    for rows in (1, DOT_ROWS):
        dots(module, tile, rows)
    column(module, tile)
    transpose(module, tile)
    copy_rows(module, tile)
    driver(module, tile)
    entry(module, tile)
    return str(module)


def column(module: Module, tile: Tile) -> None:
    """void column(A, ra, B, C, rc, M, K): one column of C, rows of A and the column B being contiguous."""
    w = GemmWriter(module, tile.dtype, ("ra", "rc", "M", "K"))
    t = symbol("t")
    for rows, start, count in (
        (DOT_ROWS, 0, floor_divide(M, DOT_ROWS)),
        (1, floor_divide(M, DOT_ROWS) * DOT_ROWS, M - floor_divide(M, DOT_ROWS) * DOT_ROWS),
    ):
        loop = w.open_loop(w.size(count))
        w.bind(t, loop.index)
        i = start + t * rows
        a, c = w.shift("%A", i * ra), w.shift("%C", i * rc)
        w.line(f"call void @dots{rows}(ptr {a}, i64 {w.size(ra)}, ptr %B, ptr {c}, i64 {w.size(rc)}, i64 %K)")
        w.close_loop(loop)
    w.line("ret void")
    head = "ptr noalias readonly %A, i64 %ra, ptr noalias readonly %B, ptr noalias %C, i64 %rc, i64 %M, i64 %K"
    module.add(f"define internal void @column({head}) noinline nounwind {w.finished()}", w)


def panel_loops(dtype: str) -> tuple[Stmt, ...]:
    """packed[p, j] = B[p, j] for j < J, 0 for J <= j < WIDTH; p < H. One number at a time, for any strides."""
    p, j = symbol("p"), symbol("j")
    b = View("B", dtype, (H, J), (rb, cb))
    packed = View("packed", dtype, (H, WIDTH), (WIDTH, 1))
    value = Guard(((j, J),), Load(b, (p, j)), Const(0, dtype))
    return nest([(Symbol("p"), H), (Symbol("j"), WIDTH)], (Store(packed, (p, j), value),))


def copy_rows(module: Module, tile: Tile) -> None:
    """void rows(B, rb, packed, width, count): the same where a row of B is contiguous and fills the panel, by vectors."""
    w = GemmWriter(module, tile.dtype, ("rb", "WIDTH", "H"))
    p, v = symbol("p"), symbol("v")
    vector, size = f"<{tile.lanes} x {LLVM_TYPE[tile.dtype]}>", ITEM_BYTES[tile.dtype]
    down = w.open_loop(w.size(H))
    w.bind(p, down.index)
    across = w.open_loop(w.size(floor_divide(WIDTH, tile.lanes)))
    w.bind(v, across.index)
    source, to = w.shift("%B", p * rb + v * tile.lanes), w.shift("%packed", p * WIDTH + v * tile.lanes)
    found = w.emit(f"load {vector}, ptr {source}, align {size}", tile.dtype).text
    w.line(f"store {vector} {found}, ptr {to}, align {size}")
    w.close_loop(across)
    w.close_loop(down)
    w.line("ret void")
    head = "(ptr noalias readonly %B, i64 %rb, ptr noalias %packed, i64 %WIDTH, i64 %H)"
    module.add(f"define internal void @rows{head} noinline nounwind {w.finished()}", w)


def tile_loops(dtype: str, add: bool) -> tuple[Stmt, ...]:
    """C[i, j] = (C[i, j] +) tile[i, j] for i < M, j < J."""
    i, j = symbol("i"), symbol("j")
    tile, c = View("tile", dtype, (M, J), (WIDTH, 1)), View("C", dtype, (M, J), (rc, cc))
    value: Load | Apply = Load(tile, (i, j))
    if add:
        value = Apply("add", (Load(c, (i, j)), value), dtype)
    return nest([(Symbol("i"), M), (Symbol("j"), J)], (Store(c, (i, j), value),))


def zero_loops(dtype: str) -> tuple[Stmt, ...]:
    """C[i, j] = 0."""
    i, j = symbol("i"), symbol("j")
    c = View("C", dtype, (M, N), (rc, cc))
    return nest([(Symbol("i"), M), (Symbol("j"), N)], (Store(c, (i, j), Const(0, dtype)),))


class GemmWriter(Writer):
    """A Writer for functions whose parameters are symbols."""

    def __init__(self, module: Module, dtype: str, names: tuple[str, ...]) -> None:
        super().__init__(module.target)
        self.module, self.dtype = module, dtype
        for known in (ra, ca, rb, cb, rc, cc, M, N, K, J, H, WIDTH, ADD):
            if str(known) in names:
                self.bind(known, f"%{known}")

    def bind(self, extent: Dim, register: str) -> None:
        """The symbol is this register from here on, in the current scope."""
        self.scopes[-1].symbols[symbol_of(extent)] = register

    def shift(self, pointer: str, by: Extent) -> str:
        return self.element(pointer, self.dtype, self.size(by))

    def loops(self, body: tuple[Stmt, ...], pointers: dict[str, str], values: dict[Symbol, Extent]) -> None:
        """Call the kernel of a loop nest."""
        name, buffers, sizes = kernel(self.module, body)
        passed = [f"ptr {pointers[b]}" for b in buffers]
        passed += [f"i64 {self.size(values[s]) if s in values else self.register(s)}" for s in sizes]
        self.emit(f"call i64 @{name}({', '.join(passed)})", "int64")

    def holds(self, predicate: str, left: Extent, right: Extent) -> str:
        return self.emit(f"icmp {predicate} i64 {self.size(left)}, {self.size(right)}", "bool").text


def symbol_of(extent: Dim) -> Symbol:
    """The symbol that the extent is."""
    ((atom,), _) = extent.terms[0]
    assert isinstance(atom, Symbol)
    return atom


def driver(module: Module, tile: Tile) -> None:
    """void product(A, ra, ca, B, rb, cb, C, rc, cc, M, N, K, workspace) where no extent is 0."""
    dtype, lanes = tile.dtype, tile.lanes
    w = GemmWriter(module, dtype, SHAPE)
    scalar_tile = f"{INNER_BLOCK * WIDEST * lanes}"
    spare = w.emit(f"getelementptr inbounds {LLVM_TYPE[dtype]}, ptr %workspace, i64 {scalar_tile}", "int64").text
    # The most vectors in a panel, as a power of two: more where there are few rows.
    most = str(tile.vectors.bit_length() - 1)
    for rows in range(tile.rows, 0, -1):
        wide = tile.widest(rows).bit_length() - 1
        few = w.holds("sle", M, rows)
        most = w.emit(f"select i1 {few}, i64 {wide}, i64 {most}", "int64").text
    many = w.holds("sge", M, PACK_ROWS)
    scattered = w.holds("ne", cb, 1)
    upright = w.emit(f"and i1 {w.holds('eq', rb, 1)}, {scattered}", "bool").text
    strided = w.holds("ne", cc, 1)
    gather = w.emit(f"or i1 {many}, {scattered}", "bool").text
    tiles = floor_divide(M + (tile.rows - 1), tile.rows)

    narrow, wide_enough = w.fresh("narrow"), w.fresh("wide")
    single = w.holds("eq", N, 1)
    for stride in (ca, rb):
        single = w.emit(f"and i1 {single}, {w.holds('eq', stride, 1)}", "bool").text
    w.branch(single, narrow, wide_enough)
    w.label(narrow)
    w.line("call void @column(ptr %A, i64 %ra, ptr %B, ptr %C, i64 %rc, i64 %M, i64 %K)")
    w.line("ret void")
    w.label(wide_enough)
    blocks = w.open_loop(w.size(floor_divide(K + (INNER_BLOCK - 1), INNER_BLOCK)))
    q, first = symbol("q"), symbol("J0")
    w.bind(q, blocks.index)
    start = q * INNER_BLOCK
    height = smallest(K - start, INNER_BLOCK)
    w.bind(H, w.size(height))
    w.bind(ADD, w.size(q))
    before, panel, next_block = w.block, w.fresh("panel"), w.fresh("next")
    w.jump(panel)
    w.label(panel)
    at = len(w.lines)
    w.lines.append("")
    w.open_scope()
    w.bind(first, "%J0")
    # The widest panel that the columns left over fill, or one vector that they do not fill.
    left = N - first
    exponent = "0"
    for k in range(1, WIDEST.bit_length()):
        fits = w.emit(f"icmp sge i64 {w.size(left)}, {lanes << k}", "bool").text
        allowed = w.emit(f"icmp uge i64 {most}, {k}", "bool").text
        both = w.emit(f"and i1 {fits}, {allowed}", "bool").text
        exponent = w.emit(f"select i1 {both}, i64 {k}, i64 {exponent}", "int64").text
    width = w.emit(f"shl i64 {lanes}, {exponent}", "int64").text
    columns = w.extreme("min", w.size(left), width)
    w.open_scope()
    w.bind(WIDTH, width)
    w.bind(J, columns)
    partial = w.holds("ne", J, WIDTH)
    packs = w.emit(f"or i1 {gather}, {partial}", "bool").text
    in_place = w.shift("%B", start * rb + first * cb)
    by_rows, by_squares, one_by_one, ready = (w.fresh(n) for n in ("rows", "squares", "single", "ready"))
    some, full, whole = (w.fresh(n) for n in ("pack", "full", "whole"))
    origin = w.block
    w.branch(packs, some, ready)
    w.label(some)
    w.branch(partial, one_by_one, full)
    w.label(full)
    w.branch(scattered, whole, by_rows)
    w.label(whole)
    w.branch(upright, by_squares, one_by_one)
    pointers = {"B": in_place, "packed": "%workspace"}
    w.label(by_rows)
    w.line(f"call void @rows(ptr {in_place}, i64 {w.size(rb)}, ptr %workspace, i64 {w.size(WIDTH)}, i64 {w.size(H)})")
    w.jump(ready)
    w.label(one_by_one)
    w.loops(panel_loops(dtype), pointers, {})
    w.jump(ready)
    w.label(by_squares)
    w.open_scope()
    down = w.open_loop(w.size(floor_divide(H, lanes)))
    u, v = symbol("u"), symbol("v")
    w.bind(u, down.index)
    across = w.open_loop(w.size(floor_divide(WIDTH, lanes)))
    w.bind(v, across.index)
    source = w.shift(in_place, u * lanes + v * lanes * cb)
    to = w.shift("%workspace", u * lanes * WIDTH + v * lanes)
    w.line(f"call void @transpose(ptr {source}, i64 {w.size(cb)}, ptr {to}, i64 {w.size(WIDTH)})")
    w.close_loop(across)
    w.close_loop(down)
    done = floor_divide(H, lanes) * lanes
    rest = {"B": w.shift(in_place, done), "packed": w.shift("%workspace", done * WIDTH)}
    w.loops(panel_loops(dtype), rest, {symbol_of(H): H - done})
    w.close_scope()
    squares_end = w.block
    w.jump(ready)
    w.label(ready)
    packed_from = ", ".join(f"[ %workspace, %{b} ]" for b in (by_rows, one_by_one))
    source = w.emit(f"phi ptr [ {in_place}, %{origin} ], [ %workspace, %{squares_end} ], {packed_from}", "int64").text
    row_step = w.emit(f"select i1 {packs}, i64 {width}, i64 {w.size(rb)}", "int64").text
    detour = w.emit(f"or i1 {partial}, {strided}", "bool").text
    base = floor_divide(M, tiles)
    extra = M - base * tiles
    rows_loop = w.open_loop(w.size(tiles))
    t = symbol("t")
    w.bind(t, rows_loop.index)
    i = t * base + smallest(t, extra)
    longer = w.emit(f"icmp slt i64 {rows_loop.index}, {w.size(extra)}", "bool").text
    more = w.emit(f"zext i1 {longer} to i64", "int64").text
    count = w.arithmetic("add", w.size(base), more)
    target = w.shift("%C", i * rc + first * cc)
    chosen = w.arithmetic("add", w.arithmetic("mul", exponent, str(tile.rows)), w.arithmetic("add", count, "-1"))
    place = w.emit(f"getelementptr inbounds ptr, ptr @micros, i64 {chosen}", "int64").text
    function = w.emit(f"load ptr, ptr {place}", "int64").text
    to = w.emit(f"select i1 {detour}, ptr {spare}, ptr {target}", "int64").text
    to_stride = w.emit(f"select i1 {detour}, i64 {width}, i64 {w.size(rc)}", "int64").text
    add_there = w.emit(f"select i1 {detour}, i64 0, i64 {w.size(ADD)}", "int64").text
    w.line(
        f"call void {function}(ptr {w.shift('%A', i * ra + start * ca)}, i64 {w.size(ra)}, i64 {w.size(ca)}, ptr {source},"
        f" i64 {row_step}, ptr {to}, i64 {to_stride}, i64 {w.size(H)}, i64 {add_there})"
    )
    move, increase, write, moved = (w.fresh(n) for n in ("move", "increase", "write", "moved"))
    w.branch(detour, move, moved)
    w.label(move)
    w.open_scope()
    w.branch(w.holds("ne", ADD, 0), increase, write)
    w.bind(COUNT, count)
    values = {symbol_of(M): COUNT}
    for label, adds in ((increase, True), (write, False)):
        w.label(label)
        w.loops(tile_loops(dtype, adds), {"tile": spare, "C": target}, dict(values))
        w.jump(moved)
    w.close_scope()
    w.label(moved)
    w.close_loop(rows_loop)
    following = w.arithmetic("add", "%J0", width)
    w.close_scope()
    w.close_scope()
    w.lines[at] = f"  %J0 = phi i64 [ 0, %{before} ], [ {following}, %{w.block} ]"
    w.branch(w.emit(f"icmp slt i64 {following}, %N", "bool").text, panel, next_block)
    w.label(next_block)
    w.close_loop(blocks)
    w.line("ret void")
    module.add(f"define internal void @product{PARAMETERS} noinline nounwind {w.finished()}", w)


PARAMETERS = (
    "(ptr noalias readonly %A, i64 %ra, i64 %ca, ptr noalias readonly %B, i64 %rb, i64 %cb, ptr noalias %C, i64 %rc,"
    " i64 %cc, i64 %M, i64 %N, i64 %K, ptr noalias %workspace)"
)


def entry(module: Module, tile: Tile) -> None:
    """What is called: empty matrices, and the choice of C = A B or its transpose, are decided here.

    C' = B' A' where only then C has contiguous rows, or where a few rows of A meet a B that lies column by column (which
    would be packed for little use), or a single column meets an A that does.
    """
    w = GemmWriter(module, tile.dtype, SHAPE)
    nothing, something, zeros, work, straight, turned = (
        w.fresh(n) for n in ("nothing", "something", "zeros", "work", "straight", "turned")
    )

    def both(*conditions: str) -> str:
        out = conditions[0]
        for c in conditions[1:]:
            out = w.emit(f"and i1 {out}, {c}", "bool").text
        return out

    empty = w.emit(f"or i1 {w.holds('sle', M, 0)}, {w.holds('sle', N, 0)}", "bool").text
    w.branch(empty, nothing, something)
    w.label(something)
    w.branch(w.holds("sle", K, 0), zeros, work)
    w.label(work)
    lying = both(w.holds("ne", cc, 1), w.holds("eq", rc, 1))
    few = both(w.holds("sle", M, tile.lanes), w.holds("eq", rb, 1), w.holds("ne", cb, 1))
    column = both(w.holds("eq", N, 1), w.holds("sgt", M, 1), w.holds("eq", ra, 1), w.holds("eq", rc, 1))
    swap = w.emit(f"or i1 {lying}, {few}", "bool").text
    swap = w.emit(f"or i1 {swap}, {column}", "bool").text
    w.branch(swap, turned, straight)
    w.label(straight)
    as_given = "ptr %A, i64 %ra, i64 %ca, ptr %B, i64 %rb, i64 %cb, ptr %C, i64 %rc, i64 %cc, i64 %M, i64 %N, i64 %K"
    w.line(f"call void @product({as_given}, ptr %workspace)")
    w.line("ret void")
    w.label(turned)
    exchanged = "ptr %B, i64 %cb, i64 %rb, ptr %A, i64 %ca, i64 %ra, ptr %C, i64 %cc, i64 %rc, i64 %N, i64 %M, i64 %K"
    w.line(f"call void @product({exchanged}, ptr %workspace)")
    w.line("ret void")
    w.label(zeros)
    w.loops(zero_loops(tile.dtype), {"C": "%C"}, {})
    w.line("ret void")
    w.label(nothing)
    w.line("ret void")
    module.add(f"define void @{entry_name(tile.dtype)}{PARAMETERS} nounwind {w.finished()}", w)
