"""Convolutions without a copy of the windows, for results of whole runs along the last axis and neighbours side by side.

Tables, made once a call, say how far from the start of an image each number of a filter stands (`table`), and where each
run of results begins in the image and in the results (`spots`); vectors are one run or two (`convolve/tiles`). The last run of
a row may overlap the one before it: where results are summed, the numbers that it has in common with that one are taken as 0.
The last run of all may stand there twice. Where results ask for every second place of a row, they are made of a copy in
which even and odd places stand apart, of even and odd rows where every second row is asked for, too (`apart`). Where fewer runs are
needed, results are made all along an image: also between one row and the next, where they mean nothing and are left out (`landed`).
"""

from __future__ import annotations

from symdl.backends.builder import LLVM_TYPE
from symdl.backends.convolve.pieces import Pieces
from symdl.backends.convolve.tiles import (
    AHEAD,
    SPOT,
    direct,
    direct_counts,
    direct_ways,
    outer,
    outer_columns,
    outer_rows,
    tables,
)
from symdl.backends.gemm.tiles import WIDEST
from symdl.backends.gemm.words import Words


class Direct(Pieces):
    """Pieces that read images where they lie."""

    def write_direct(self) -> None:
        tile = self.kernels
        parts = [(v, m) for m in range(1, tile.rows + 1) for v in direct_counts(tile, m)]
        for vectors, rows in parts:
            for way in direct_ways(tile, rows, vectors):
                direct(self.module, tile, vectors, rows, way)
        if self.runs > 1 and tile.varied:
            direct(self.module, tile, WIDEST, 1, name="whole")
        for rows in range(1, outer_rows(tile) + 1):
            for columns in (1, outer_columns(tile, rows)):
                outer(self.module, tile, rows, columns)
        tables(self.module, tile, parts)
        widths = ", ".join(f"i64 {direct_counts(tile, r)[-1].bit_length() - 1}" for r in range(1, tile.rows + 1))
        self.module.declarations.add(f"@widths = internal constant [{tile.rows} x i64] [{widths}]")
        self.reach()
        self.places()
        self.packed()
        self.apart()
        self.landed()
        self.direct_results()
        self.direct_filters()
        self.direct_images()

    # ---- tables ----

    def reach(self) -> None:
        """void reach(sizes, channel, plane, table): table[p] = where number p of a filter of one output stands, from the image's
        start. channel, plane: from one channel to the next, and from one kind of places. The last place stands there AHEAD times more.
        """
        w = self.words()
        s = self.sizes(w, "%sizes")
        first = [self.first(w, s, k) for k in "012"]
        at = w.variable("0")
        with w.upto(s["C"]) as c, w.upto(s["U0"]) as u0, w.upto(s["U1"]) as u1, w.upto(s["U2"]) as u2:
            across = w.plus(first[2], w.times(u2, s["d2"]))
            down = w.plus(first[1], w.times(u1, s["d1"]))
            down = w.plus(down, w.times(w.plus(first[0], w.times(u0, s["d0"])), s["I1"]))
            line, column = w.quotient(down, s["a"]), w.quotient(across, s["k2"])
            kind = w.plus(w.times(self.odd(w, down, line, s["a"]), s["k2"]), self.odd(w, across, column, s["k2"]))
            place = w.plus(w.times(c, "%channel"), w.times(kind, "%plane"))
            place = w.plus(place, w.plus(w.times(line, s["half"]), column))
            now = w.get(at)
            w.line(f"store i64 {place}, ptr {self.entry_of(w, '%table', now)}")
            w.set(at, w.plus(now, "1"))
        end = w.get(at)
        last = w.get(self.entry_of(w, "%table", w.minus(end, "1")))
        with w.upto(str(AHEAD)) as more:
            w.line(f"store i64 {last}, ptr {self.entry_of(w, '%table', w.plus(end, more))}")
        w.define("reach", "(ptr noalias %sizes, i64 %channel, i64 %plane, ptr noalias %table)")

    def odd(self, w: Words, place: str, half: str, step: str) -> str:
        """The kind of a place of which half is the quotient by the step."""
        return w.minus(place, w.times(half, step))

    def all_along(self, w: Words, s: dict[str, str]) -> tuple[str, str, str]:
        """(how many numbers from the first result of an image to the last, in vectors, whether results are better made so)."""
        numbers = w.plus(w.times(w.minus(s["Y1"], "1"), s["half"]), s["Y2"])
        runs = w.ceiling(numbers, str(self.length))
        by_rows = w.times(s["Y1"], w.ceiling(s["Y2"], str(self.length)))
        alike = w.either(w.holds("eq", s["a"], "2"), w.both(w.holds("eq", s["k1"], "1"), w.holds("eq", s["k2"], "1")))
        fewer = w.holds("slt", w.times(runs, str(self.length)), w.times(s["J"], "2"))
        saved = w.holds("slt", w.times(runs, "16"), w.times(by_rows, "15"))  # more than to copy results takes
        better = w.choose(w.holds("slt", s["Y2"], str(self.length)), fewer, saved, "i1")
        fits = w.holds("sge", numbers, str(self.length))
        known = [w.holds("eq", s["I0"], "1"), w.holds("eq", s["Y0"], "1"), w.negated(self.whole(w, s))]
        return numbers, w.ceiling(runs, str(self.runs)), w.both(alike, better, fits, *known)

    def places(self) -> None:
        """void places(sizes, along, vectors, spots): for each run (place in the image, in the results, numbers that an earlier one
        has). along: how many numbers results that are made all along an image have, or 0; vectors: how many of them."""
        w = self.words()
        s = self.sizes(w, "%sizes")
        length, whole = str(self.length), self.whole(w, s)
        together = w.choose(whole, str(self.tile.lanes), length)
        last = w.minus(s["Y2"], together)
        at = w.variable("0")

        def tell(*words: str) -> None:
            self.tell_spot(w, w.get(at), *words)
            w.set(at, w.plus(w.get(at), str(SPOT)))

        with w.upto("%along", length) as wanted:
            start = w.least(wanted, w.minus("%along", length))
            tell(start, start, "0")
        rows = w.choose(w.holds("eq", "%along", "0"), s["Y0"], "0")
        with w.upto(rows) as y0, w.upto(s["Y1"]) as y1, w.upto(s["Y2"], together) as wanted:
            start = w.least(wanted, last)
            above = w.plus(w.times(w.times(y0, s["k0"]), s["I1"]), w.times(y1, s["k1"]))
            image = w.plus(w.times(w.quotient(above, s["a"]), s["half"]), start)
            result = w.plus(w.times(w.plus(w.times(y0, s["Y1"]), y1), s["Y2"]), start)
            known = w.minus(wanted, start)
            tell(image, result, w.least(known, length))
            if self.runs > 1:
                with w.when(whole):
                    tell(w.plus(image, length), w.plus(result, length), w.most(w.minus(known, length), "0"))
        end = w.get(at)
        with w.when(w.holds("slt", end, self.spot_of(w, "%vectors"))):
            image, result = (w.get(self.entry_of(w, "%spots", w.minus(end, str(SPOT - k)))) for k in range(2))
            self.tell_spot(w, end, image, result, length)
        w.define("places", "(ptr noalias %sizes, i64 %along, i64 %vectors, ptr noalias %spots)")

    def spot_of(self, w: Words, vector: str) -> str:
        """The index of what the table says of a vector."""
        return w.times(vector, str(SPOT * self.runs))

    def tell_spot(self, w: Words, index: str, *words: str) -> None:
        for k, word in enumerate(words):
            w.line(f"store i64 {word}, ptr {self.entry_of(w, '%spots', w.plus(index, str(k)))}")

    def packed(self) -> None:
        """void packed(Y, J, outputs, spots, count, to, so, st): to[o*so + t*st ..] = the t-th vector of output o, with 0
        for the numbers that an earlier vector has."""
        w = self.words()
        run = f"<{self.length} x {LLVM_TYPE[w.dtype]}>"
        with w.upto("%outputs") as o:
            source, target = w.shift("%Y", w.times(o, "%J")), w.shift("%to", w.times(o, "%so"))
            with w.upto("%count") as t:
                for k in range(self.runs):
                    spot = w.plus(self.spot_of(w, t), str(SPOT * k))
                    place = w.get(self.entry_of(w, "%spots", w.plus(spot, "1")))
                    known = w.get(self.entry_of(w, "%spots", w.plus(spot, "2")))
                    there = w.shift(target, w.plus(w.times(t, "%st"), str(self.length * k)))
                    found = w.emit(f"load {run}, ptr {w.shift(source, place)}, align {self.item}", w.dtype).text
                    w.line(f"store {run} {found}, ptr {there}, align {self.item}")
                    with w.when(w.holds("ne", known, "0")), w.upto(known) as lane:
                        w.line(f"store {LLVM_TYPE[w.dtype]} 0.0, ptr {w.shift(there, lane)}, align {self.item}")
        w.define(
            "packed",
            "(ptr noalias readonly %Y, i64 %J, i64 %outputs, ptr noalias readonly %spots, i64 %count, ptr noalias %to, "
            "i64 %so, i64 %st)",
        )

    # ---- images of a stride of 2 ----

    def reach_down(self, w: Words, s: dict[str, str]) -> str:
        """How many rows lie between the first and the last one that a filter meets."""
        far = [w.most(s[f"d{k}"], w.minus("0", s[f"d{k}"])) for k in "01"]
        rows = [w.times(w.minus(s[f"U{k}"], "1"), d) for k, d in zip("01", far, strict=True)]
        return w.plus(w.times(rows[0], s["I1"]), rows[1])

    def rows_seen(self, w: Words, t: dict[str, str], first: str, end: str) -> tuple[str, str]:
        """The rows of an image that vectors from first to end see: its first, and the one behind its last."""
        last = w.minus(self.spot_of(w, end), str(SPOT))
        begun, ended = (w.get(self.entry_of(w, t["spots"], spot)) for spot in (self.spot_of(w, first), last))
        ended = w.plus(ended, str(self.length - 1))
        above, below = (w.times(w.quotient(place, t["half"]), t["a"]) for place in (begun, ended))
        return above, w.plus(w.plus(below, self.reach_down(w, t)), "1")

    def most_rows(self, w: Words, s: dict[str, str], vectors: str, along: str) -> str:
        """No fewer rows than so many vectors see, and a multiple of the kinds of rows."""
        across = w.choose(along, s["half"], w.ceiling(s["Y2"], str(self.length)))
        several = w.times(vectors, w.choose(along, str(self.tile.lanes), str(self.runs)))
        more = w.choose(along, str(self.length), "0")  # numbers before the first vector, which the last run may have
        results = w.quotient(w.plus(w.plus(several, more), w.minus(across, "2")), across)
        rows = w.plus(w.plus(w.times(results, s["k1"]), self.reach_down(w, s)), "1")
        all_ = w.times(s["I0"], s["I1"])
        rows = w.choose(w.holds("eq", s["I0"], "1"), w.least(rows, all_), all_)
        return w.times(w.ceiling(rows, s["a"]), s["a"])

    def apart(self) -> None:
        """void apart(X, sizes, to, plane, above, below): the rows from above to below of each channel of an image with its borders,
        even rows and then the odd ones if they stand apart, of each its even places, and so many numbers further the odd ones."""
        w = self.words()
        s = self.sizes(w, "%sizes", lying=True)
        lanes, half = self.tile.lanes, self.tile.lanes // 2
        scalar, vector, run = LLVM_TYPE[w.dtype], w.vector(self.tile), f"<{half} x {LLVM_TYPE[w.dtype]}>"
        masks = f"<{lanes} x i1>"
        last = w.minus(w.arithmetic("and", s["I2"], "-2"), str(lanes))
        fits = w.holds("sge", last, "0")
        done = w.choose(fits, w.plus(last, str(lanes)), "0")
        self.module.declarations.add(f"@nothing = internal constant {scalar} 0.0")
        height = w.minus("%below", "%above")
        top = w.times(w.minus("%above", s["b1"]), s["X2"])
        rows = w.times(s["I0"], s["X1"])  # there are borders of one plane only
        before, behind = w.minus(s["b1"], "%above"), w.minus(w.plus(s["b1"], rows), "%above")

        def is_there(r: str) -> str:
            return w.both(w.holds("sge", r, before), w.holds("slt", r, behind))

        with w.upto(s["C"]) as c:
            image = w.shift("%X", w.plus(w.times(c, s["X"]), top))
            planes = w.shift("%to", w.times(w.times(c, w.times(s["a"], "2")), "%plane"))

            def places(r: str, planes: str = planes) -> tuple[str, str]:
                """Where the even and the odd places of a row go."""
                line = w.quotient(r, s["a"])
                kind = w.times(w.times(self.odd(w, r, line, s["a"]), "2"), "%plane")
                even = w.shift(planes, w.plus(kind, w.times(line, s["half"])))
                return even, w.shift(even, "%plane")

            with w.upto(done, str(lanes)) as wanted:
                at = w.least(wanted, last)
                column = w.minus(at, s["b2"])
                mask = w.between(self.tile, w.minus("0", column), w.minus(s["X2"], column))
                source = w.shift(image, column)
                following = w.shift(source, w.times(s["X"], "2"))  # far away, and not foreseen by the processor
                with w.upto(height) as r:
                    line = w.times(r, s["X2"])
                    w.prefetch(w.shift(following, line))
                    known = w.choose(is_there(r), mask, "zeroinitializer", masks)
                    both = w.masked_load(self.tile, w.shift(source, line), known, "0.0")
                    for parity, place in enumerate(places(r)):
                        order = ", ".join(f"i32 {2 * lane + parity}" for lane in range(half))
                        chosen = f"shufflevector {vector} {both}, {vector} poison, <{half} x i32> <{order}>"
                        found, to = w.emit(chosen, w.dtype).text, w.shift(place, w.quotient(at, "2"))
                        w.line(f"store {run} {found}, ptr {to}, align {self.item}")
            with w.upto(w.minus(s["I2"], done)) as rest, w.upto(height) as r:
                at = w.plus(done, rest)
                column = w.minus(at, s["b2"])
                inside = w.both(is_there(r), w.holds("sge", column, "0"), w.holds("slt", column, s["X2"]))
                place = w.shift(image, w.plus(w.times(r, s["X2"]), column))
                place = w.choose(inside, place, "@nothing", "ptr")
                found = w.emit(f"load {scalar}, ptr {place}, align {self.item}", w.dtype).text
                target = w.choose(w.holds("eq", w.arithmetic("and", at, "1"), "0"), *places(r), "ptr")
                w.line(f"store {scalar} {found}, ptr {w.shift(target, w.quotient(at, '2'))}, align {self.item}")
        head = "(ptr noalias readonly %X, ptr noalias readonly %sizes, ptr noalias %to, i64 %plane, i64 %above, i64 %below)"
        w.define("apart", head)

    def landed(self) -> None:
        """void landed(S, stride, outputs, Y, sizes, first, end): the results from number first to end that were made all along
        an image, number q of output o standing at S + o*stride + q, go to Y."""
        w = self.words()
        s = self.sizes(w, "%sizes")
        lanes, vector = self.tile.lanes, w.vector(self.tile)
        at = w.variable("%first")
        with w.whilst(at, "%end") as q:
            y1 = w.quotient(q, s["half"])
            line = w.times(y1, s["half"])
            x = w.minus(q, line)
            count = w.most(w.least(w.minus(s["Y2"], x), w.minus("%end", q)), "0")
            source, target = w.shift("%S", q), w.shift("%Y", w.plus(w.times(y1, s["Y2"]), x))
            with w.upto(count, str(lanes)) as k:
                mask = w.below(self.tile, w.minus(count, k))
                here, there = w.shift(source, k), w.shift(target, k)
                with w.upto("%outputs") as o:
                    place = w.shift(here, w.times(o, "%stride"))
                    found = w.emit(f"load {vector}, ptr {place}, align {self.item}", w.dtype).text
                    w.masked_store(self.tile, found, w.shift(there, w.times(o, s["J"])), mask)
            w.set(at, w.plus(line, s["half"]))
        head = "(ptr noalias readonly %S, i64 %stride, i64 %outputs, ptr noalias %Y, ptr noalias readonly %sizes, i64 %first, i64 %end)"
        w.define("landed", head)

    # ---- pieces ----

    def tall(self, w: Words, rows: str) -> tuple[str, str]:
        """(rows of a tile, log2 of the most vectors) for so many rows."""
        tall = w.ceiling(rows, w.most(w.ceiling(rows, str(self.kernels.rows)), "1"))
        return tall, w.get(self.entry_of(w, "@widths", w.minus(w.most(tall, "1"), "1")))

    def over_vectors(self, w: Words, first: str, end: str, most: str, rows: str, call: list[str], spots: str) -> None:
        """Tiles over the vectors from first to end. call: what comes before and after spots."""
        at = w.variable(first)
        with w.whilst(at, end) as t:
            left = w.minus(end, t)
            exponent = "0"
            for k in (v.bit_length() - 1 for v in direct_counts(self.kernels, 1)[1:]):
                fits = w.both(w.holds("sge", left, str(1 << k)), w.holds("sge", most, str(k)))
                exponent = w.choose(fits, str(k), exponent)
            function = w.kernel_of(self.kernels, "direct", call[1], call[2], exponent, rows)
            spot = self.entry_of(w, spots, self.spot_of(w, t))
            w.run(function, *call[:5], f"ptr {spot}", *call[5:])
            w.set(at, w.plus(t, w.arithmetic("shl", "1", exponent)))

    def over_wide(self, w: Words, t: dict[str, str], first: str, end: str, call: list[str]) -> str:
        """Where filters of one output see whole vectors, as many tiles of most of them as there are. The vector after these."""
        if self.runs == 1 or not self.kernels.varied:
            return first
        at = w.variable(first)
        last = w.choose(self.whole(w, t), w.minus(end, str(WIDEST - 1)), "0")
        with w.whilst(at, last) as v:
            spot = self.entry_of(w, t["spots"], self.spot_of(w, v))
            w.run("@whole", *call[:5], f"ptr {spot}", *call[5:])
            w.set(at, w.plus(v, str(WIDEST)))
        return w.get(at)

    def direct_results(self) -> None:
        """void direct_results(task, number): size vectors, of `width`, of the results of one image and group; many: as `along` of
        `places`; deep: as `plane` of `apart`."""
        w = self.words()
        t = self.task(w, lying=True)
        _, g, part, both = self.of_image(w, t)
        first = w.times(part, t["size"])
        end = w.least(w.plus(first, t["size"]), t["width"])
        x = w.shift(t["A"], w.times(both, w.times(t["C"], t["X"])))
        f = w.shift(t["B"], w.times(g, w.times(t["O"], t["K"])))
        y = w.shift(t["C_"], w.times(both, w.times(t["O"], t["J"])))
        strided = w.holds("ne", t["k2"], "1")
        copied = w.either(strided, self.bordered(w, t))
        planes = w.times(w.times(t["C"], t["a"]), w.times(t["k2"], t["deep"]))
        copy = self.scratch(w, w.choose(copied, planes, "0"))
        above, below = self.rows_seen(w, t, first, end)
        before = w.times(w.quotient(above, t["a"]), t["half"])
        call = f"ptr {x}", f"ptr {t['pointer']}", f"ptr {copy}", t["deep"], above, below
        with w.when(strided):
            w.run("@apart", *call)
        with w.when(w.both(copied, w.negated(strided))):
            w.run("@framed", *call)
        x = w.choose(copied, w.shift(copy, w.minus("0", before)), x, "ptr")
        tall, most = self.tall(w, t["O"])
        lanes, along = str(self.tile.lanes), w.holds("ne", t["many"], "0")
        wide = w.times(w.plus(t["size"], "2"), lanes)  # the last run may begin before the first vector
        start, stop = w.times(first, lanes), w.least(w.times(end, lanes), t["many"])
        aside = self.scratch(w, w.choose(along, w.times(wide, tall), "0"))
        aside = w.shift(aside, w.minus(lanes, start))
        with w.upto(t["O"], tall) as i:
            rows = w.least(tall, w.minus(t["O"], i))
            a, c = w.shift(f, w.times(i, t["K"])), w.shift(y, w.times(i, t["J"]))
            to, step = w.choose(along, aside, c, "ptr"), w.choose(along, wide, t["J"])
            operands = [f"ptr {a}", t["K"], "1", f"ptr {x}", f"ptr {t['table']}", f"ptr {to}", step, t["K"], "0"]
            begin = self.over_wide(w, t, first, end, operands)
            self.over_vectors(w, begin, end, most, rows, operands, t["spots"])
            with w.when(along):
                w.run("@landed", f"ptr {aside}", wide, rows, f"ptr {c}", f"ptr {t['pointer']}", start, stop)
        w.define("direct_results", "(ptr %task, i64 %number)")

    def direct_images(self) -> None:
        """void direct_images(task, number): size channels of `many` images of one group, from `width` vectors at a time."""
        w = self.words()
        t = self.task(w)
        lanes = str(self.tile.lanes)
        block, g, part, _ = self.of_image(w, t)
        n0 = w.times(block, t["many"])
        images = w.least(t["many"], w.minus(t["N"], n0))
        c0 = w.times(part, t["size"])
        channels = w.least(t["size"], w.minus(t["C"], c0))
        self.module.declarations.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
        room = w.times(w.times(channels, t["I"]), str(self.item))
        with w.upto(images) as k:
            both = w.plus(w.times(w.plus(n0, k), t["G"]), g)
            x = w.shift(t["C_"], w.times(w.plus(w.times(both, t["C"]), c0), t["I"]))
            w.line(f"call void @llvm.memset.p0.i64(ptr {x}, i8 0, i64 {room}, i1 false)")
        tall, most = self.tall(w, channels)
        matrix = self.scratch(w, w.times(w.times(t["O"], t["width"]), lanes))
        tile = w.times(t["O"], tall)  # numbers of the filters that one tile of channels meets at one place
        turned = self.scratch(w, w.times(w.times(tile, t["U"]), w.ceiling(channels, tall)))
        listed = w.plus(t["O"], str(AHEAD))
        w.line(f"%rows = alloca i64, i64 {listed}")
        w.line(f"%near = alloca i64, i64 {self.spot_of(w, t['width'])}")
        with w.upto(listed) as o:
            w.line(f"store i64 {w.times(o, lanes)}, ptr {self.entry_of(w, '%rows', o)}")
        f = w.shift(t["A"], w.plus(w.times(g, w.times(t["O"], t["K"])), w.times(c0, t["U"])))
        step, own = w.times(t["O"], lanes), w.times(tile, t["U"])
        with w.upto(channels, tall) as c:
            spare = w.shift(turned, w.times(w.quotient(c, tall), own))
            self.turn(w, t, w.shift(f, w.times(c, t["U"])), spare, w.least(tall, w.minus(channels, c)), tall)
        with w.upto(images) as k, w.upto(t["V"], t["width"]) as first:
            both = w.plus(w.times(w.plus(n0, k), t["G"]), g)
            y = w.shift(t["B"], w.times(both, w.times(t["O"], t["J"])))
            count = w.least(t["width"], w.minus(t["V"], first))
            spots = self.entry_of(w, t["spots"], self.spot_of(w, first))
            w.run("@packed", f"ptr {y}", t["J"], t["O"], f"ptr {spots}", count, f"ptr {matrix}", lanes, step)
            with w.upto(count) as v:
                for r in range(self.runs):
                    spot = w.plus(self.spot_of(w, v), str(SPOT * r))
                    image = w.get(self.entry_of(w, spots, spot))
                    packed = w.plus(w.times(v, step), str(self.length * r))
                    w.line(f"store i64 {packed}, ptr {self.entry_of(w, '%near', spot)}")
                    w.line(f"store i64 {image}, ptr {self.entry_of(w, '%near', w.plus(spot, '1'))}")
            with w.upto(channels, tall) as c:
                rows = w.least(tall, w.minus(channels, c))
                x = w.shift(t["C_"], w.times(w.plus(w.times(both, t["C"]), w.plus(c0, c)), t["I"]))
                filters = w.shift(turned, w.times(w.quotient(c, tall), own))
                with w.upto(t["U"]) as u:
                    to = w.shift(x, w.get(self.entry_of(w, t["table"], u)))
                    a = w.shift(filters, w.times(u, tile))
                    call = [f"ptr {a}", "1", tall, f"ptr {matrix}", "ptr %rows", f"ptr {to}", t["I"], t["O"], "1"]
                    self.over_vectors(w, "0", count, most, rows, call, "%near")
        w.define("direct_images", "(ptr %task, i64 %number)")

    def turn(self, w: Words, t: dict[str, str], filters: str, to: str, rows: str, tall: str) -> None:
        """The filters of some channels as [place][output][channel], tall numbers for each output."""
        scalar = LLVM_TYPE[w.dtype]
        with w.upto(t["O"]) as o, w.upto(rows) as i, w.upto(t["U"]) as u:
            source = w.shift(filters, w.plus(w.times(o, t["K"]), w.plus(w.times(i, t["U"]), u)))
            there = w.shift(to, w.plus(w.times(w.plus(w.times(u, t["O"]), o), tall), i))
            found = w.emit(f"load {scalar}, ptr {source}, align {self.item}", w.dtype).text
            w.line(f"store {scalar} {found}, ptr {there}, align {self.item}")

    def direct_filters(self) -> None:
        """void direct_filters(task, number): the filters of some of `deep` tiles of outputs, evenly cut, from `many` images or
        `width` vectors at a time."""
        w = self.words()
        t = self.task(w)
        lanes = str(self.tile.lanes)
        most_rows = outer_rows(self.kernels)
        one, several = (str(outer_columns(self.kernels, r)) for r in (1, most_rows))
        most_columns = w.choose(w.holds("eq", t["O"], "1"), one, several)
        g = w.quotient("%number", t["parts"])
        part = w.minus("%number", w.times(g, t["parts"]))
        tiles = [w.quotient(w.times(t["deep"], p), t["parts"]) for p in (part, w.plus(part, "1"))]

        def start(tile: str) -> str:
            return w.quotient(w.times(t["O"], tile), t["deep"])

        o0 = start(tiles[0])
        outputs = w.minus(start(tiles[1]), o0)
        target = w.shift(t["C_"], w.times(w.plus(w.times(g, t["O"]), o0), t["K"]))
        self.module.declarations.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
        room = w.times(w.times(outputs, t["K"]), str(self.item))
        w.line(f"call void @llvm.memset.p0.i64(ptr {target}, i8 0, i64 {room}, i1 false)")
        down = w.times(t["width"], lanes)
        across = w.times(outputs, down)
        matrix = self.scratch(w, w.times(across, t["many"]))
        x_step, y_step = w.times(t["C"], t["I"]), w.times(t["O"], t["J"])
        # Results that fill vectors lie as they are packed; but vectors across two cache lines take twice as long.
        start_of = w.emit(f"ptrtoint ptr {t['B']} to i64", "int64").text
        across_lines = w.arithmetic("and", start_of, str(self.tile.lanes * self.item - 1))
        full = w.both(w.holds("eq", t["J"], w.times(t["V"], lanes)), w.holds("eq", across_lines, "0"))
        apart = w.choose(full, t["J"], down), w.choose(full, w.times(y_step, t["G"]), across)
        with w.upto(t["N"], t["many"]) as n, w.upto(t["V"], t["width"]) as first:
            images = w.least(t["many"], w.minus(t["N"], n))
            count = w.least(t["width"], w.minus(t["V"], first))
            spots = self.entry_of(w, t["spots"], self.spot_of(w, first))
            lying = w.shift(t["B"], w.plus(w.times(w.plus(w.times(n, t["G"]), g), y_step), w.times(o0, t["J"])))
            with w.upto(w.choose(full, "0", images)) as k:
                y = w.shift(lying, w.times(w.times(k, t["G"]), y_step))
                to = w.shift(matrix, w.times(k, across))
                w.run("@packed", f"ptr {y}", t["J"], outputs, f"ptr {spots}", count, f"ptr {to}", down, lanes)
            results = w.choose(full, w.shift(lying, w.times(first, lanes)), matrix, "ptr")
            x = w.shift(t["A"], w.times(w.plus(w.times(n, t["G"]), g), x_step))
            with w.upto(w.minus(tiles[1], tiles[0])) as k:
                tile = w.plus(tiles[0], k)
                top, end = w.minus(start(tile), o0), w.minus(start(w.plus(tile, "1")), o0)
                with w.upto(w.minus(end, top), str(most_rows)) as more, w.upto(t["K"], most_columns) as p:
                    o = w.plus(top, more)
                    rows, columns = (
                        w.least(w.minus(end, o), str(most_rows)),
                        w.least(w.minus(t["K"], p), most_columns),
                    )
                    several = w.choose(w.holds("sgt", columns, "1"), "1", "0")
                    chosen = w.plus(w.times(w.minus(rows, "1"), "2"), several)
                    place = w.emit(f"getelementptr inbounds ptr, ptr @outers, i64 {chosen}", "int64").text
                    function = w.emit(f"load ptr, ptr {place}", "int64").text
                    table = self.entry_of(w, t["table"], p)
                    to = w.shift(target, w.plus(w.times(o, t["K"]), p))
                    w.run(
                        function, f"ptr {w.shift(results, w.times(o, apart[0]))}", *apart, f"ptr {x}",
                        w.times(x_step, t["G"]), f"ptr {table}", f"ptr {spots}", images, count, f"ptr {to}", t["K"],
                        columns,
                    )  # fmt: skip
        w.define("direct_filters", "(ptr %task, i64 %number)")
