"""Convolutions of floats with run-time sizes, as one LLVM module per dtype.

Each of the three products of images, filters and results (`symdl.convolution`) is cut into pieces, which threads take;
pieces depend on the sizes alone and each number is summed in one order, so no result depends on threads. Where results
lie side by side in whole vectors, images are read where they lie (`convolve/direct`: register tiles of outputs by vectors
of places; filters of one channel slide along columns, `convolve/slide`). Else a product is, for one image and one group, one with the matrix whose row (channel, place in the filter)
holds what that number of the filter meets at each place of the result: a piece of it, small enough for a cache, is copied
out of the image and multiplied by the library of products, or a product is added back to the image (`convolve/columns`;
the scheme: Chellapilla, Puri and Simard, 2006). Filters of one place need neither: they are a product of matrices.
"""

from __future__ import annotations

from symdl.backends.convolve.columns import Columns
from symdl.backends.convolve.direct import Direct
from symdl.backends.convolve.pieces import ADDRESSES, PIECE_BYTES, TASK
from symdl.backends.convolve.slide import Sliding
from symdl.backends.convolve.tiles import AHEAD, outer_rows
from symdl.backends.gemm.tiles import Tile
from symdl.backends.gemm.words import Words
from symdl.backends.llvm.module import RUNTIME

FILTER_BYTES = 256 << 10  # filters that stay in a second-level cache: then a piece is one panel of the product
FEW_OUTPUTS = 24  # of fewer a product packs no panels
DEEPEST = 512  # most rows of a piece, with filters that do not stay in a cache
LEAST_COLUMNS = 64
FILTER_ROWS = 128  # of the matrix in one piece of the gradient of filters
BLOCK_WORK = 1 << 19  # multiplications that are worth a piece of their own, some 10 us
PLACES = 512  # of a result, at least, that one product of the gradient of filters sums over
LONGEST = 1 << 15  # entries of a table: they stand on the stack
SUMMED_BYTES = 24 << 10  # of results that a tile of the filters' sums reads again and again, from a first-level cache
PIECES = 32  # of results that are enough for all threads
IMAGES = 8  # for which filters are turned once
PARTS = 8  # into which tiles of outputs are cut, at most


def convolutions_entry(dtype: str) -> str:
    """The exported function."""
    return f"convolve_{dtype}"


def convolutions_text(tile: Tile, triple: str = "", data_layout: str = "", small: bool = False) -> str:
    """The module. It offers

    void convolve_<dtype>(product, A, B, C, sizes, runtime)

    with product 0: C = y of the images A and the filters B; 1: C = filters of the images A and the results B; 2: C = images
    of the filters A and the results B. All lie in C order. sizes: SIZES as words, of which C and O are channels and outputs
    of one of the G groups, the d are signed spacings. runtime: the table of addresses of a compiled Program.

    small: a shorter text, of fewer kernels, which computes the same numbers more slowly.
    """
    return str(Writing(tile, triple, data_layout, tile.small if small else tile).module)


class Writing(Columns, Direct, Sliding):
    """The whole module."""

    def __init__(self, tile: Tile, triple: str, data_layout: str, kernels: Tile) -> None:
        super().__init__(tile, triple, data_layout, kernels)
        self.write_columns()
        self.write_direct()
        self.write_slide()
        self.entry()

    def entry(self) -> None:
        """How pieces are cut: by the sizes alone."""
        w = self.words()
        s = self.sizes(w, "%sizes", lying=True)
        w.line(f"%task = alloca [{len(TASK)} x i64]")
        product = w.pointer_at("%runtime", RUNTIME.index(f"gemm_{self.tile.dtype}"))
        for name, given in {"A": "%A", "B": "%B", "C_": "%C", "sizes": "%sizes", "product": product}.items():
            w.line(f"store ptr {given}, ptr {w.word_at('%task', TASK.index(name))}")
        known = [w.holds("sge", s[name], "1") for name in ("N", "C", "O")]
        step = w.choose(w.holds("eq", "%product", "0"), "2", "1")  # images are set apart, but not put together
        numbers, vectors, along = self.all_along(w, s)
        along = w.both(along, w.holds("eq", "%product", "0"))
        runs = w.either(along, w.holds("sge", s["Y2"], str(self.length)))
        beside = w.both(w.holds("sle", s["k2"], step), runs, *known)
        vectors = w.choose(along, vectors, s["V"])
        short = w.both(w.holds("sle", s["K"], str(LONGEST)), w.holds("sle", vectors, str(LONGEST)))
        # Bytes, at least, for a tile of channels.
        turned = w.times(w.times(s["O"], s["U"]), str(self.tile.rows * self.item))
        fits = w.either(w.holds("ne", "%product", "2"), w.holds("sle", turned, str(2 * PIECE_BYTES)))
        if self.may_slide:
            with w.when(w.both(w.holds("eq", "%product", "0"), self.slides(w, s), *known)):
                self.plan(w, "0", "slid", *self.slide_plan(w, s))
                w.leave()
        with w.when(w.both(beside, short, fits, w.negated(self.is_plain(w, s)))):
            self.directly(w, s, w.choose(along, numbers, "0"), vectors)
            w.leave()
        self.by_columns(w, s)
        head = "(i64 %product, ptr %A, ptr %B, ptr %C, ptr %sizes, ptr %runtime)"
        w.define(convolutions_entry(self.tile.dtype), head, "nounwind", "")

    def directly(self, w: Words, s: dict[str, str], along: str, all_vectors: str) -> None:
        """Pieces that read images where they lie. along: as of `places`; all_vectors: of the results of an image."""
        lanes = self.tile.lanes
        w.line(f"%table = alloca i64, i64 {w.plus(s['K'], str(AHEAD))}")
        w.line(f"%spots = alloca i64, i64 {self.spot_of(w, all_vectors)}")
        vector = w.times(w.times(s["O"], s["K"]), str(lanes))
        copied = w.either(w.holds("ne", s["k2"], "1"), self.bordered(w, s))  # neighbouring pieces copy some rows twice
        vectors = w.rounded(w.ceiling(str(BLOCK_WORK), vector), self.tile.widest(1))
        image = w.times(w.times(s["C"], s["I"]), str(self.item))  # bytes
        enough = w.ceiling(all_vectors, w.ceiling(str(PIECES), w.times(s["N"], s["G"])))
        enough = w.choose(w.holds("sle", image, str(PIECE_BYTES)), enough, "0")
        vectors = w.choose(copied, w.most(w.times(vectors, "2"), enough), vectors)
        vectors = w.least(vectors, all_vectors)
        seen = self.most_rows(w, s, vectors, w.holds("ne", along, "0"))
        plane = w.times(w.quotient(seen, s["a"]), s["half"])
        channel = w.choose(copied, w.times(w.times(s["k2"], s["a"]), plane), s["I"])
        w.run("@reach", "ptr %sizes", channel, plane, "ptr %table")
        w.run("@places", "ptr %sizes", along, all_vectors, "ptr %spots")
        for name in ("table", "spots"):
            w.line(f"store ptr %{name}, ptr {w.word_at('%task', TASK.index(name))}")
        numbers = str(PIECE_BYTES // self.item)
        images = w.times(s["N"], s["G"])
        parts = w.ceiling(all_vectors, vectors)
        results = {"parts": parts, "size": vectors, "width": all_vectors, "deep": plane, "many": along}
        self.plan(w, "0", "direct_results", results, images)

        rows = outer_rows(self.tile)
        tiles = w.ceiling(s["O"], str(rows))
        tiles = w.choose(w.holds("sgt", tiles, "1"), w.rounded(tiles, 2), tiles)  # two threads have as many
        parts = w.least(tiles, str(PARTS))
        size = w.times(w.ceiling(tiles, parts), str(rows))
        fits = w.most(w.quotient(numbers, w.times(w.least(size, s["O"]), str(lanes))), "1")
        near = w.quotient(str(SUMMED_BYTES // (lanes * self.item)), w.most(w.least(s["O"], str(rows)), "1"))
        fits = w.least(fits, near)  # vectors
        width = w.ceiling(s["V"], w.ceiling(s["V"], fits))
        many = w.most(w.quotient(fits, s["V"]), "1")
        filters = {"parts": parts, "size": size, "width": width, "deep": tiles, "many": many}
        self.plan(w, "1", "direct_filters", filters, s["G"])

        most = w.most(w.quotient(numbers, w.times(s["O"], s["U"])), "1")
        size = w.ceiling(s["C"], w.ceiling(s["C"], w.most(most, str(self.tile.rows))))
        fits = w.most(w.quotient(numbers, w.times(s["O"], str(lanes))), "1")
        many = w.least(s["N"], str(IMAGES))
        width = w.least(s["V"], fits)
        blocks = w.times(w.ceiling(s["N"], many), s["G"])
        whole = {"parts": w.ceiling(s["C"], size), "size": size, "width": width, "deep": "1", "many": many}
        self.plan(w, "2", "direct_images", whole, blocks)

    def by_columns(self, w: Words, s: dict[str, str]) -> None:
        """Pieces that copy the matrix of windows, or need none."""
        wide = self.tile.lanes * self.tile.vectors
        numbers = str(PIECE_BYTES // self.item)
        one = "1"
        rows, j, channels = w.most(s["K"], one), w.most(s["J"], one), w.most(s["C"], one)
        work = w.most(w.times(s["O"], rows), one)
        images = w.times(s["N"], s["G"])

        few = w.holds("slt", s["O"], str(FEW_OUTPUTS))
        small = w.both(w.holds("sle", work, str(FILTER_BYTES // self.item)), w.negated(few))
        deep = w.choose(small, rows, w.least(rows, str(DEEPEST)))
        fitting = w.most(w.times(w.quotient(w.quotient(numbers, deep), str(wide)), str(wide)), str(LEAST_COLUMNS))
        width = w.choose(small, str(wide), w.least(fitting, w.rounded(j, wide)))
        columns = w.rounded(w.ceiling(str(BLOCK_WORK), work), wide)
        size = w.times(w.ceiling(w.least(columns, j), width), width)
        results = {"parts": w.ceiling(j, size), "size": size, "width": width, "deep": deep, "many": one}
        self.plan(w, "0", "results", results, images)

        size = w.least(rows, str(FILTER_ROWS))
        parts = w.ceiling(rows, size)
        several = w.holds("sgt", rows, str(FILTER_ROWS // 4))
        parts = w.choose(several, w.rounded(parts, 2), parts)  # two threads have as many
        size = w.ceiling(rows, parts)
        room = w.most(w.quotient(numbers, w.most(size, s["O"])), one)
        deep = w.rounded(w.ceiling(j, w.ceiling(j, room)), self.tile.lanes)
        many = w.most(w.quotient(w.least(room, str(PLACES)), j), one)
        filters = {"parts": w.ceiling(rows, size), "size": size, "width": one, "deep": deep, "many": many}
        self.plan(w, "1", "filters", filters, s["G"])

        size = w.least(w.most(w.quotient(str(FILTER_ROWS), w.most(s["U"], one)), one), channels)
        size = w.ceiling(channels, w.ceiling(channels, size))
        fitting = w.quotient(numbers, w.most(w.times(size, s["U"]), one))
        width = w.least(w.most(w.times(w.quotient(fitting, str(wide)), str(wide)), str(wide)), j)
        whole = {"parts": w.ceiling(channels, size), "size": size, "width": width, "deep": one, "many": one}
        self.plan(w, "2", "images", whole, images)

    def plan(self, w: Words, product: str, function: str, fields: dict[str, str], lead: str) -> None:
        """Where this product is wanted, all its pieces, by the pool."""
        with w.when(w.holds("eq", "%product", product)):
            for place, name in enumerate(TASK):
                if name not in ADDRESSES:
                    w.line(f"store i64 {fields[name]}, ptr {w.word_at('%task', place)}")
            parallel, pool = (w.pointer_at("%runtime", RUNTIME.index(name)) for name in ("parallel", "pool"))
            number = w.times(lead, fields["parts"])
            w.line(f"%{function}.done = call i64 {parallel}(ptr @{function}, ptr %task, i64 {number}, ptr {pool})")
