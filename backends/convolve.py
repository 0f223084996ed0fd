"""Convolutions of floats as products of matrices, with run-time sizes, as one LLVM module per dtype.

Each of the three products of images, filters and results (`symdl.convolution`) is, for one image and one group, a product
with the matrix whose row (channel, place in the filter) holds what that number of the filter meets at each place of the
result. That matrix is never there as a whole: a piece of it, small enough for a cache, is copied out of the image, in runs
of neighbours, and multiplied by the library of products; or a product is added back to the image run by run. Filters of
one place need no copy. Pieces depend on the sizes alone and each number is summed in one order, so no result depends on
threads, which take pieces. (The scheme: Chellapilla, Puri and Simard, 2006.)
"""

from __future__ import annotations

from symdl.backends.builder import LLVM_TYPE
from symdl.backends.gemm_tiles import Tile
from symdl.backends.gemm_words import Words
from symdl.backends.llvm.module import ITEM_BYTES, RUNTIME, Module, Target

SIZES = ("N", "G", "C", "O", "I0", "I1", "I2", "U0", "U1", "U2", "Y0", "Y1", "Y2", "k0", "k1", "k2", "d0", "d1", "d2")
TASK = ("A", "B", "C_", "sizes", "product", "parts", "size", "width", "deep", "many")  # what a piece is told
ADDRESSES = ("A", "B", "C_", "sizes", "product")
PIECE_BYTES = 192 << 10  # of the matrix that is copied at once: it stays in a second-level cache beside the filters
FILTER_BYTES = 256 << 10  # filters that stay there, too: then a piece is one panel of the product
FEW_OUTPUTS = 24  # of fewer a product packs no panels
DEEPEST = 512  # most rows of a piece, with filters that do not stay in a cache
LEAST_COLUMNS = 64
FILTER_ROWS = 128  # of the matrix in one piece of the gradient of filters
BLOCK_WORK = 1 << 19  # multiplications that are worth a piece of their own, some 10 us
PLACES = 512  # of a result, at least, that one product of the gradient of filters sums over


def entry_name(dtype: str) -> str:
    """The exported function."""
    return f"convolve_{dtype}"


def module_text(tile: Tile, triple: str = "", data_layout: str = "") -> str:
    """The module. It offers

    void convolve_<dtype>(product, A, B, C, sizes, runtime)

    with product 0: C = y of the images A and the filters B; 1: C = filters of the images A and the results B; 2: C = images
    of the filters A and the results B. All lie in C order. sizes: SIZES as words, of which C and O are channels and outputs
    of one of the G groups, the d are signed spacings. runtime: the table of addresses of a compiled Program.
    """
    return str(Writing(tile, triple, data_layout).module)


class Writing:
    """The module being written."""

    def __init__(self, tile: Tile, triple: str, data_layout: str) -> None:
        target = Target(triple, data_layout, tile.fma, vector_bytes=tile.lanes * ITEM_BYTES[tile.dtype])
        self.tile, self.module = tile, Module(target)
        self.item = ITEM_BYTES[tile.dtype]
        self.columns("columns", False)
        self.columns("added", True)
        self.increase()
        self.results()
        self.filters()
        self.images()
        self.entry()

    def words(self) -> Words:
        return Words(self.module, self.tile.dtype)

    def sizes(self, w: Words, pointer: str) -> dict[str, str]:
        """Every size by its name, and what follows from them."""
        s = {name: w.get(w.word_at(pointer, k)) for k, name in enumerate(SIZES)}
        s["plane"] = w.times(s["I1"], s["I2"])
        s["I"] = w.times(s["I0"], s["plane"])
        s["U"] = w.times(s["U0"], w.times(s["U1"], s["U2"]))
        s["J"] = w.times(s["Y0"], w.times(s["Y1"], s["Y2"]))
        s["K"] = w.times(s["C"], s["U"])
        return s

    # ---- the matrix of windows ----

    def columns(self, name: str, adds: bool) -> None:
        """void columns(X, sizes, p, rows, j, places, M, stride): M[r, s] = what row p + r meets at place j + s of one image.

        Whole vectors are written, in rising order; behind each row stands garbage, up to a vector wide. `added` adds
        M to the image instead, and leaves M as it is.
        """
        w = self.words()
        s = self.sizes(w, "%sizes")
        first = [self.first(w, s, k) for k in "012"]
        row = w.variable("0")
        inner = w.times(s["U1"], s["U2"])
        c = w.variable(w.quotient("%p", s["U"]))
        rest = w.minus("%p", w.times(w.get(c), s["U"]))
        u0 = w.variable(w.quotient(rest, inner))
        rest = w.minus(rest, w.times(w.get(u0), inner))
        u1 = w.variable(w.quotient(rest, s["U2"]))
        u2 = w.variable(w.minus(rest, w.times(w.get(u1), s["U2"])))
        area = w.times(s["Y1"], s["Y2"])
        start0 = w.quotient("%j", area)
        left = w.minus("%j", w.times(start0, area))
        start1 = w.quotient(left, s["Y2"])
        start2 = w.minus(left, w.times(start1, s["Y2"]))
        steps = w.times(s["k0"], s["plane"]), w.times(s["k1"], s["I2"])
        beside = w.holds("eq", s["k2"], "1")
        y0, y1, y2, done = (w.variable("0") for _ in range(4))
        with w.whilst(row, "%rows") as r:
            place = w.plus(first[2], w.times(w.get(u2), s["d2"]))
            place = w.plus(place, w.times(w.plus(first[1], w.times(w.get(u1), s["d1"])), s["I2"]))
            place = w.plus(place, w.times(w.plus(first[0], w.times(w.get(u0), s["d0"])), s["plane"]))
            base = w.shift("%X", w.plus(place, w.times(w.get(c), s["I"])))
            there = w.shift("%M", w.times(r, "%stride"))
            for variable, value in ((y0, start0), (y1, start1), (y2, start2), (done, "0")):
                w.set(variable, value)
            with w.whilst(done, "%places") as at:
                run = w.least(w.minus(s["Y2"], w.get(y2)), w.minus("%places", at))
                own = w.plus(w.times(w.get(y0), steps[0]), w.times(w.get(y1), steps[1]))
                image = w.shift(base, w.plus(own, w.times(w.get(y2), s["k2"])))
                matrix = w.shift(there, at)
                self.run(w, image, matrix, run, s["k2"], beside, adds)
                w.set(done, w.plus(at, run))
                w.set(y2, "0")
                self.count(w, [(y1, s["Y1"]), (y0, "")])
            w.set(row, w.plus(r, "1"))
            self.count(w, [(u2, s["U2"]), (u1, s["U1"]), (u0, s["U0"]), (c, "")])
        head = "(ptr noalias %X, ptr noalias readonly %sizes, i64 %p, i64 %rows, i64 %j, i64 %places, ptr noalias %M, i64 %stride)"
        w.define(name, head)

    def first(self, w: Words, s: dict[str, str], axis: str) -> str:
        """Where the first number of a filter stands in its window."""
        far = w.times(w.minus(s[f"U{axis}"], "1"), w.minus("0", s[f"d{axis}"]))
        return w.choose(w.holds("slt", s[f"d{axis}"], "0"), far, "0")

    def count(self, w: Words, digits: list[tuple[str, str]]) -> None:
        """One more, in numbers of these bases, the last of which has none."""
        carry = "1"
        for variable, base in digits:
            more = w.arithmetic("add nsw", w.get(variable), carry)
            if base:
                over = w.holds("sge", more, base)
                w.set(variable, w.choose(over, "0", more))
                carry = w.choose(over, "1", "0")
            else:
                w.set(variable, more)

    def run(self, w: Words, image: str, matrix: str, count: str, step: str, beside: str, adds: bool) -> None:
        """A run of numbers from an image to the matrix, or added back."""
        lanes, dtype = self.tile.lanes, self.tile.dtype
        scalar, vector = LLVM_TYPE[dtype], w.vector(self.tile)
        whole = w.arithmetic("and", count, str(-lanes))
        rest = w.minus(count, whole)
        with w.when(beside):
            with w.upto(whole, str(lanes)) as v:
                if adds:
                    self.add(w, vector, w.shift(matrix, v), w.shift(image, v))
                else:
                    w.copy(self.tile, w.shift(image, v), w.shift(matrix, v))
            if not adds:
                with w.when(w.holds("sgt", rest, "0")):
                    found = w.masked_load(self.tile, w.shift(image, whole), w.below(self.tile, rest))
                    w.line(f"store {vector} {found}, ptr {w.shift(matrix, whole)}, align {self.item}")
        singly = w.choose(beside, rest if adds else "0", count)
        start = w.choose(beside, whole, "0")
        with w.upto(singly) as v:
            at = w.plus(start, v)
            source, target = w.shift(image, w.times(at, step)), w.shift(matrix, at)
            if adds:
                self.add(w, scalar, target, source)
            else:
                found = w.emit(f"load {scalar}, ptr {source}, align {self.item}", dtype).text
                w.line(f"store {scalar} {found}, ptr {target}, align {self.item}")

    def add(self, w: Words, kind: str, source: str, target: str) -> None:
        """target = target + source."""
        dtype = self.tile.dtype
        new = w.emit(f"load {kind}, ptr {source}, align {self.item}", dtype).text
        old = w.emit(f"load {kind}, ptr {target}, align {self.item}", dtype).text
        total = w.emit(f"fadd {kind} {old}, {new}", dtype).text
        w.line(f"store {kind} {total}, ptr {target}, align {self.item}")

    def increase(self) -> None:
        """An epilogue of products: the block is added to a matrix whose address and row stride the context holds."""
        w = self.words()
        lanes = self.tile.lanes
        matrix, stride = w.pointer_at("%context", 0), w.get(w.word_at("%context", 1))
        whole = w.arithmetic("and", "%n", str(-lanes))
        with w.upto("%m") as r:
            source = w.shift("%block", w.times(r, "%stride"))
            target = w.shift(matrix, w.plus(w.times(w.plus("%i", r), stride), "%j"))
            with w.upto(whole, str(lanes)) as v:
                self.add(w, w.vector(self.tile), w.shift(source, v), w.shift(target, v))
            with w.upto(w.minus("%n", whole)) as v:
                at = w.plus(whole, v)
                self.add(w, LLVM_TYPE[self.tile.dtype], w.shift(source, at), w.shift(target, at))
        w.define("increase", "(ptr %context, ptr %block, i64 %stride, i64 %i, i64 %j, i64 %m, i64 %n)")

    # ---- pieces ----

    def task(self, w: Words) -> dict[str, str]:
        """The fields of a task, and the sizes."""
        t = {}
        for k, name in enumerate(TASK):
            t[name] = w.pointer_at("%task", k) if name in ADDRESSES else w.get(w.word_at("%task", k))
        t["pointer"] = t["sizes"]
        return t | self.sizes(w, t["sizes"])

    def multiply(self, w: Words, t: dict[str, str], *arguments: str, adds: str = "") -> None:
        """C = A B by the library of products. adds: the address and row stride of what it is added to instead."""
        passed = ", ".join(a if a.startswith("ptr ") else f"i64 {a}" for a in arguments)
        last = "ptr null, ptr null"
        if adds:
            last = f"ptr @increase, ptr {adds}"
        w.line(f"call void {t['product']}({passed}, {last}, ptr null)")

    def context(self, w: Words) -> str:
        """Memory for what `increase` is told."""
        w.scopes[0].landing.append("  %increased = alloca [2 x i64]")
        return "%increased"

    def tell(self, w: Words, context: str, matrix: str, stride: str) -> None:
        w.line(f"store ptr {matrix}, ptr {w.word_at(context, 0)}")
        w.line(f"store i64 {stride}, ptr {w.word_at(context, 1)}")

    def scratch(self, w: Words, numbers: str, name: str = "%scratch") -> str:
        """Memory for so many numbers and two vectors of garbage."""
        room = w.times(w.plus(numbers, str(2 * self.tile.lanes)), str(self.item))
        w.line(f"{name} = alloca i8, i64 {room}, align 64")
        return name

    def of_image(self, w: Words, t: dict[str, str]) -> tuple[str, str, str, str]:
        """(image, group, part, image * G + group) of a piece's number."""
        both = w.quotient("%number", t["parts"])
        part = w.minus("%number", w.times(both, t["parts"]))
        n = w.quotient(both, t["G"])
        return n, w.minus(both, w.times(n, t["G"])), part, both

    def is_plain(self, w: Words, t: dict[str, str]) -> str:
        """Whether the matrix of windows is the image itself."""
        ones = [w.holds("eq", t[name], "1") for name in ("U", "k0", "k1", "k2")]
        return w.both(*ones, w.holds("eq", t["I"], t["J"]))

    def results(self) -> None:
        """void results(task, number): size places of the results of one image and group, in panels of `width` places."""
        w = self.words()
        t = self.task(w)
        _, g, part, both = self.of_image(w, t)
        j0 = w.times(part, t["size"])
        end = w.least(w.plus(j0, t["size"]), t["J"])
        x = w.shift(t["A"], w.times(both, w.times(t["C"], t["I"])))
        f = w.shift(t["B"], w.times(g, w.times(t["O"], t["K"])))
        y = w.shift(t["C_"], w.times(both, w.times(t["O"], t["J"])))
        with w.when(self.is_plain(w, t)):
            here, there = w.shift(x, j0), w.shift(y, j0)
            self.multiply(
                w, t, f"ptr {f}", t["K"], "1", f"ptr {here}", t["I"], "1", f"ptr {there}", t["J"], "1", t["O"],
                w.minus(end, j0), t["K"],
            )  # fmt: skip
            w.leave()
        context = self.context(w)
        matrix = self.scratch(w, w.times(t["deep"], t["width"]))
        at = w.variable(j0)
        with w.whilst(at, end) as j:
            places = w.least(t["width"], w.minus(end, j))
            there = w.shift(y, j)
            with w.when(w.holds("eq", t["K"], "0")):
                self.multiply(
                    w, t, f"ptr {f}", "0", "0", f"ptr {x}", "0", "0", f"ptr {there}", t["J"], "1", t["O"], places, "0"
                )
            p = w.variable("0")
            with w.whilst(p, t["K"]) as row:
                rows = w.least(t["deep"], w.minus(t["K"], row))
                w.run("@columns", f"ptr {x}", f"ptr {t['pointer']}", row, rows, j, places, f"ptr {matrix}", t["width"])
                a = f"ptr {w.shift(f, row)}", t["K"], "1", f"ptr {matrix}", t["width"], "1"
                extents = t["O"], places, rows
                with w.when(w.holds("eq", row, "0")):
                    self.multiply(w, t, *a, f"ptr {there}", t["J"], "1", *extents)
                with w.when(w.holds("ne", row, "0")):
                    self.tell(w, context, there, t["J"])
                    self.multiply(w, t, *a, "ptr null", t["J"], "1", *extents, adds=context)
                w.set(p, w.plus(row, rows))
            w.set(at, w.plus(j, places))
        w.define("results", "(ptr %task, i64 %number)")

    def filters(self) -> None:
        """void filters(task, number): size rows of the matrix against the results, over `many` images at once if they are
        small, else over `deep` places of one."""
        w = self.words()
        t = self.task(w)
        g = w.quotient("%number", t["parts"])
        p = w.times(w.minus("%number", w.times(g, t["parts"])), t["size"])
        rows = w.least(t["size"], w.minus(t["K"], p))
        target = w.shift(t["C_"], w.plus(w.times(g, w.times(t["O"], t["K"])), p))
        with w.upto(t["O"]) as o, w.upto(rows) as r:
            zero = w.shift(target, w.plus(w.times(o, t["K"]), r))
            w.line(f"store {LLVM_TYPE[self.tile.dtype]} 0.0, ptr {zero}, align {self.item}")
        context = self.context(w)
        self.tell(w, context, target, t["K"])
        x_step, y_step = w.times(t["C"], t["I"]), w.times(t["O"], t["J"])
        several = w.holds("sgt", t["many"], "1")
        each = w.choose(several, t["J"], t["deep"])
        stride = w.plus(w.rounded(w.times(each, t["many"]), self.tile.lanes), str(self.tile.lanes))
        matrix = self.scratch(w, w.times(t["size"], stride))
        beside = self.scratch(w, w.choose(several, w.times(t["O"], stride), "0"), "%beside")
        n = w.variable("0")
        with w.whilst(n, t["N"]) as first:
            count = w.least(t["many"], w.minus(t["N"], first))
            with w.when(several):
                with w.upto(count) as k:
                    both = w.plus(w.times(w.plus(first, k), t["G"]), g)
                    x, y = w.shift(t["A"], w.times(both, x_step)), w.shift(t["B"], w.times(both, y_step))
                    before = w.times(k, t["J"])
                    spot = w.shift(matrix, before)
                    w.run("@columns", f"ptr {x}", f"ptr {t['pointer']}", p, rows, "0", t["J"], f"ptr {spot}", stride)
                    with w.upto(t["O"]) as o:
                        source, to = w.shift(y, w.times(o, t["J"])), w.shift(beside, w.plus(w.times(o, stride), before))
                        self.run(w, source, to, t["J"], "1", "true", False)
                self.multiply(
                    w, t, f"ptr {beside}", stride, "1", f"ptr {matrix}", "1", stride, "ptr null", t["K"], "1", t["O"],
                    rows, w.times(count, t["J"]), adds=context,
                )  # fmt: skip
            with w.when(w.negated(several)):
                both = w.plus(w.times(first, t["G"]), g)
                x, y = w.shift(t["A"], w.times(both, x_step)), w.shift(t["B"], w.times(both, y_step))
                at = w.variable("0")
                with w.whilst(at, t["J"]) as j:
                    places = w.least(t["deep"], w.minus(t["J"], j))
                    w.run("@columns", f"ptr {x}", f"ptr {t['pointer']}", p, rows, j, places, f"ptr {matrix}", stride)
                    self.multiply(
                        w, t, f"ptr {w.shift(y, j)}", t["J"], "1", f"ptr {matrix}", "1", stride, "ptr null", t["K"],
                        "1", t["O"], rows, places, adds=context,
                    )  # fmt: skip
                    w.set(at, w.plus(j, places))
            w.set(n, w.plus(first, count))
        w.define("filters", "(ptr %task, i64 %number)")

    def images(self) -> None:
        """void images(task, number): size channels of one image and group, added up from `width` places at a time."""
        w = self.words()
        t = self.task(w)
        _, g, part, both = self.of_image(w, t)
        c = w.times(part, t["size"])
        channels = w.least(t["size"], w.minus(t["C"], c))
        p, rows = w.times(c, t["U"]), w.times(channels, t["U"])
        f = w.shift(t["A"], w.plus(w.times(g, w.times(t["O"], t["K"])), p))
        y = w.shift(t["B"], w.times(both, w.times(t["O"], t["J"])))
        x = w.shift(t["C_"], w.times(w.plus(w.times(both, t["C"]), c), t["I"]))
        turned = f"ptr {f}", "1", t["K"]
        with w.when(self.is_plain(w, t)):
            self.multiply(w, t, *turned, f"ptr {y}", t["J"], "1", f"ptr {x}", t["I"], "1", rows, t["J"], t["O"])
            w.leave()
        self.module.declarations.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
        room = w.times(w.times(channels, t["I"]), str(self.item))
        w.line(f"call void @llvm.memset.p0.i64(ptr {x}, i8 0, i64 {room}, i1 false)")
        matrix = self.scratch(w, w.times(w.times(t["size"], t["U"]), t["width"]))
        at = w.variable("0")
        with w.whilst(at, t["J"]) as j:
            places = w.least(t["width"], w.minus(t["J"], j))
            self.multiply(
                w,
                t,
                *turned,
                f"ptr {w.shift(y, j)}",
                t["J"],
                "1",
                f"ptr {matrix}",
                t["width"],
                "1",
                rows,
                places,
                t["O"],
            )
            w.run("@added", f"ptr {x}", f"ptr {t['pointer']}", "0", rows, j, places, f"ptr {matrix}", t["width"])
            w.set(at, w.plus(j, places))
        w.define("images", "(ptr %task, i64 %number)")

    # ---- the whole ----

    def entry(self) -> None:
        """How pieces are cut: by the sizes alone."""
        w = self.words()
        s = self.sizes(w, "%sizes")
        wide = self.tile.lanes * self.tile.vectors
        numbers = str(PIECE_BYTES // self.item)
        one = str(1)
        rows, j = w.most(s["K"], one), w.most(s["J"], one)
        work = w.most(w.times(s["O"], rows), one)

        # results
        few = w.holds("slt", s["O"], str(FEW_OUTPUTS))
        small = w.both(w.holds("sle", work, str(FILTER_BYTES // self.item)), w.negated(few))
        deep = w.choose(small, rows, w.least(rows, str(DEEPEST)))
        fitting = w.most(w.times(w.quotient(w.quotient(numbers, deep), str(wide)), str(wide)), str(LEAST_COLUMNS))
        width = w.choose(small, str(wide), w.least(fitting, w.rounded(j, wide)))
        columns = w.rounded(w.ceiling(str(BLOCK_WORK), work), wide)
        size = w.times(w.ceiling(w.least(columns, j), width), width)
        plan0 = {"parts": w.ceiling(j, size), "size": size, "width": width, "deep": deep, "many": one}

        # filters
        size = w.least(rows, str(FILTER_ROWS))
        size = w.ceiling(rows, w.ceiling(rows, size))
        room = w.most(w.quotient(numbers, w.most(size, s["O"])), one)
        deep = w.most(w.times(w.quotient(room, str(wide)), str(wide)), str(wide))
        many = w.most(w.quotient(w.least(room, str(PLACES)), j), one)
        plan1 = {"parts": w.ceiling(rows, size), "size": size, "width": one, "deep": w.least(deep, j), "many": many}

        # images
        size = w.least(w.most(w.quotient(str(FILTER_ROWS), w.most(s["U"], one)), one), w.most(s["C"], one))
        size = w.ceiling(w.most(s["C"], one), w.ceiling(w.most(s["C"], one), size))
        fitting = w.quotient(numbers, w.most(w.times(size, s["U"]), one))
        width = w.most(w.times(w.quotient(fitting, str(wide)), str(wide)), str(wide))
        plan2 = {
            "parts": w.ceiling(w.most(s["C"], one), size),
            "size": size,
            "width": w.least(width, j),
            "deep": one,
            "many": one,
        }

        w.line(f"%task = alloca [{len(TASK)} x i64]")
        product = w.pointer_at("%runtime", RUNTIME.index(f"gemm_{self.tile.dtype}"))
        given = {"A": "%A", "B": "%B", "C_": "%C", "sizes": "%sizes", "product": product}
        for k, name in enumerate(TASK):
            if name in ADDRESSES:
                w.line(f"store ptr {given[name]}, ptr {w.word_at('%task', k)}")
        images = w.times(s["N"], s["G"])
        for k, (function, plan, lead) in enumerate(
            (("results", plan0, images), ("filters", plan1, s["G"]), ("images", plan2, images))
        ):
            with w.when(w.holds("eq", "%product", str(k))):
                for place, name in enumerate(TASK):
                    if name in plan:
                        w.line(f"store i64 {plan[name]}, ptr {w.word_at('%task', place)}")
                self.spread(w, function, w.times(lead, plan["parts"]))
        w.define(
            entry_name(self.tile.dtype),
            "(i64 %product, ptr %A, ptr %B, ptr %C, ptr %sizes, ptr %runtime)",
            "nounwind",
            "",
        )

    def spread(self, w: Words, function: str, number: str) -> None:
        """All pieces, by the pool."""
        parallel, pool = (w.pointer_at("%runtime", RUNTIME.index(name)) for name in ("parallel", "pool"))
        w.line(f"%{function}.done = call i64 {parallel}(ptr @{function}, ptr %task, i64 {number}, ptr {pool})")
