"""Convolutions by way of a copy: pieces of the matrix of windows, which the library of products multiplies."""

from __future__ import annotations

from symdl.backends.builder import LLVM_TYPE
from symdl.backends.convolve.pieces import Pieces
from symdl.backends.gemm.tiles import LINE
from symdl.backends.gemm.words import Words


class Columns(Pieces):
    """Pieces that copy."""

    def write_columns(self) -> None:
        self.framed()
        self.columns("columns", False)
        self.columns("added", True)
        self.increase()
        self.results()
        self.filters()
        self.images()

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
                if not adds:  # the same of the next channel is far away, and not foreseen by the processor
                    with w.upto(w.times(run, s["k2"]), str(LINE // self.item)) as line:
                        w.prefetch(w.shift(image, w.plus(s["I"], line)))
                self.run(w, image, matrix, run, s["k2"], beside, adds)
                w.set(done, w.plus(at, run))
                w.set(y2, "0")
                self.count(w, [(y1, s["Y1"]), (y0, "")])
            w.set(row, w.plus(r, "1"))
            self.count(w, [(u2, s["U2"]), (u1, s["U1"]), (u0, s["U0"]), (c, "")])
        head = "(ptr noalias %X, ptr noalias readonly %sizes, i64 %p, i64 %rows, i64 %j, i64 %places, ptr noalias %M, i64 %stride)"
        w.define(name, head)

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

    def is_plain(self, w: Words, t: dict[str, str]) -> str:
        """Whether the matrix of windows is the image itself."""
        ones = [w.holds("eq", t[name], "1") for name in ("U", "k0", "k1", "k2")]
        return w.both(*ones, w.holds("eq", t["I"], t["J"]))

    def results(self) -> None:
        """void results(task, number): size places of the results of one image and group, in panels of `width` places."""
        w = self.words()
        t = self.task(w, lying=True)
        _, g, part, both = self.of_image(w, t)
        j0 = w.times(part, t["size"])
        end = w.least(w.plus(j0, t["size"]), t["J"])
        x = w.shift(t["A"], w.times(both, w.times(t["C"], t["X"])))
        bordered = self.bordered(w, t)
        around = self.scratch(w, w.choose(bordered, w.times(t["C"], t["I"]), "0"))
        with w.when(bordered):
            w.run("@framed", f"ptr {x}", f"ptr {t['pointer']}", f"ptr {around}", t["I"], "0", t["I1"])
        x = w.choose(bordered, around, x, "ptr")
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
        with w.when(w.both(self.is_plain(w, t), w.holds("eq", t["many"], "1"))):
            with w.upto(t["N"]) as n:
                both = w.plus(w.times(n, t["G"]), g)
                x, y = (
                    w.shift(t["A"], w.plus(w.times(both, x_step), w.times(p, t["I"]))),
                    w.shift(t["B"], w.times(both, y_step)),
                )
                self.multiply(
                    w, t, f"ptr {y}", t["J"], "1", f"ptr {x}", "1", t["I"], "ptr null", t["K"], "1", t["O"], rows, t["J"],
                    adds=context,
                )  # fmt: skip
            w.leave()
        several = w.holds("sgt", t["many"], "1")
        each = w.choose(several, t["J"], t["deep"])
        stride = w.plus(w.rounded(w.times(each, t["many"]), self.tile.lanes), str(self.tile.lanes))
        matrix = self.scratch(w, w.times(t["size"], stride))
        beside = self.scratch(w, w.choose(several, w.times(t["O"], stride), "0"))
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
