"""What all pieces of a convolution are told, and how they find their way: sizes, tasks, images and groups by number."""

from __future__ import annotations

from symdl.backends.builder import LLVM_TYPE
from symdl.backends.convolve.tiles import runs_of
from symdl.backends.gemm.rooms import add_rooms
from symdl.backends.gemm.tiles import Tile
from symdl.backends.gemm.words import Words
from symdl.backends.llvm.module import ITEM_BYTES, Module, Target

LYING = "X1", "X2", "b1", "b2"  # how images lie, and how much of a border is before them
SIZES = (
    "N", "G", "C", "O", "I0", "I1", "I2", "U0", "U1", "U2", "Y0", "Y1", "Y2", "k0", "k1", "k2", "d0", "d1", "d2", *LYING,
)  # fmt: skip
ADDRESSES = ("A", "B", "C_", "sizes", "product", "table", "spots")
TASK = (*ADDRESSES, "parts", "size", "width", "deep", "many")  # what a piece is told
PIECE_BYTES = 192 << 10  # of memory that a piece fills at once: it stays in a second-level cache beside the filters


class Pieces:
    """A module of which the pieces are being written. tile says how pieces are cut, kernels what they are computed with."""

    def __init__(self, tile: Tile, triple: str, data_layout: str, kernels: Tile) -> None:
        target = Target(triple, data_layout, tile.fma, vector_bytes=tile.lanes * ITEM_BYTES[tile.dtype])
        self.tile, self.kernels, self.module = tile, kernels, Module(target)
        add_rooms(self.module)
        self.item = ITEM_BYTES[tile.dtype]
        self.runs = runs_of(tile)
        self.length = tile.lanes // self.runs  # of a run of results

    def words(self) -> Words:
        return Words(self.module, self.tile.dtype)

    def sizes(self, w: Words, pointer: str, lying: bool = False) -> dict[str, str]:
        """Sizes by their names, and what follows from them. lying: those of images without their borders, too."""
        s = {name: w.get(w.word_at(pointer, k)) for k, name in enumerate(SIZES) if lying or name not in LYING}
        s["plane"] = w.times(s["I1"], s["I2"])
        s["I"] = w.times(s["I0"], s["plane"])
        if lying:
            s["X"] = w.times(s["I0"], w.times(s["X1"], s["X2"]))  # of a channel as it lies
        s["half"] = w.ceiling(s["I2"], s["k2"])  # of a row, where every second number is read; else all of it
        doubly = w.both(*(w.holds("eq", a, b) for a, b in (("2", s["k1"]), ("2", s["k2"]), ("1", s["I0"]))))
        s["a"] = w.choose(doubly, "2", "1")  # rows of two kinds, where every second one is read
        s["U"] = w.times(s["U0"], w.times(s["U1"], s["U2"]))
        s["J"] = w.times(s["Y0"], w.times(s["Y1"], s["Y2"]))
        s["K"] = w.times(s["C"], s["U"])
        rows, beside = w.times(s["Y0"], s["Y1"]), w.ceiling(s["Y2"], str(self.tile.lanes))
        runs = w.times(rows, w.ceiling(s["Y2"], str(self.length)))
        # vectors of one result
        s["V"] = w.choose(self.whole(w, s), w.times(rows, beside), w.ceiling(runs, str(self.runs)))
        return s

    def whole(self, w: Words, s: dict[str, str]) -> str:
        """Whether the runs of a vector lie side by side: filters of one output do little else than load."""
        return w.both(w.holds("eq", s["O"], "1"), w.holds("sge", s["Y2"], str(self.tile.lanes)))

    def bordered(self, w: Words, s: dict[str, str]) -> str:
        """Whether images lie without the borders that are seen around them."""
        return w.negated(w.both(*(w.holds("eq", s[f"I{k}"], s[f"X{k}"]) for k in "12")))

    def framed(self) -> None:
        """void framed(X, sizes, to, channel, above, below): the rows from above to below of each channel of an image, with
        their borders; channel: from one to the next."""
        w = self.words()
        s = self.sizes(w, "%sizes", lying=True)
        lanes = str(self.tile.lanes)
        self.module.declarations.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
        first, end = (w.least(w.most(place, "%above"), "%below") for place in (s["b1"], w.plus(s["b1"], s["X1"])))
        height = w.minus(end, first)
        begin = w.times(w.minus(first, "%above"), s["I2"])
        last = w.most(w.minus(s["I2"], lanes), "0")
        behind = w.plus(begin, w.times(height, s["I2"])), w.times(w.minus("%below", end), s["I2"])
        top = w.times(w.minus(first, s["b1"]), s["X2"])
        with w.upto(s["C"]) as c:
            image, target = w.shift("%X", w.plus(w.times(c, s["X"]), top)), w.shift("%to", w.times(c, "%channel"))
            for place, numbers in (("0", begin), behind):
                room = f"ptr {w.shift(target, place)}, i8 0, i64 {w.times(numbers, str(self.item))}, i1 false"
                w.line(f"call void @llvm.memset.p0.i64({room})")
            with w.upto(s["I2"], lanes) as wanted:  # each mask is for all rows
                at = w.least(wanted, last)
                column = w.minus(at, s["b2"])
                mask = w.between(self.tile, w.minus("0", column), w.minus(s["X2"], column))
                source, to = w.shift(image, column), w.shift(target, w.plus(begin, at))
                following = w.shift(source, w.times(s["X"], "2"))  # far away, and not foreseen by the processor
                with w.upto(height) as r:
                    line = w.times(r, s["X2"])
                    w.prefetch(w.shift(following, line))
                    found = w.masked_load(self.tile, w.shift(source, line), mask, "0.0")
                    place = w.shift(to, w.times(r, s["I2"]))
                    w.line(f"store {w.vector(self.tile)} {found}, ptr {place}, align {self.item}")
        head = "(ptr noalias readonly %X, ptr noalias readonly %sizes, ptr noalias %to, i64 %channel, i64 %above, i64 %below)"
        w.define("framed", head)

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
        """A run of numbers from an image to the matrix, or added back: by vectors where it meets each place or every second.
        count > 0; beside: whether it meets each, "true" where that is known."""
        lanes, dtype = self.tile.lanes, self.tile.dtype
        known = w.times(
            w.quotient(w.minus(count, "1"), str(lanes)), str(lanes)
        )  # what is left behind is a vector or less
        left = w.minus(count, known)
        with w.when(beside):
            with w.upto(known, str(lanes)) as v:
                if adds:
                    self.add(w, w.vector(self.tile), w.shift(matrix, v), w.shift(image, v))
                else:
                    w.copy(self.tile, w.shift(image, v), w.shift(matrix, v))
            mask, here, there = w.below(self.tile, left), w.shift(image, known), w.shift(matrix, known)
            if adds:
                self.add_some(w, w.vector_at(self.tile, there), here, mask)
            else:
                w.vector_to(self.tile, w.masked_load(self.tile, here, mask), there)
        if beside == "true":
            return
        second = w.both(w.holds("eq", step, "2"), w.negated(beside))
        with w.when(second):
            with w.upto(known, str(lanes)) as v:
                self.every_second(w, w.shift(image, w.times(v, "2")), w.shift(matrix, v), "", adds)
            near = w.shift(image, w.times(known, "2"))
            self.every_second(w, near, w.shift(matrix, known), w.minus(w.times(left, "2"), "1"), adds)
        with w.upto(w.choose(w.either(beside, second), "0", count)) as at:
            source, target = w.shift(image, w.times(at, step)), w.shift(matrix, at)
            scalar = LLVM_TYPE[dtype]
            if adds:
                self.add(w, scalar, target, source)
            else:
                found = w.emit(f"load {scalar}, ptr {source}, align {self.item}", dtype).text
                w.line(f"store {scalar} {found}, ptr {target}, align {self.item}")

    def every_second(self, w: Words, image: str, matrix: str, count: str, adds: bool) -> None:
        """A vector of the matrix and every second place of two of an image. count: of how many places it has, or all."""
        lanes, vector = self.tile.lanes, w.vector(self.tile)
        halves = [
            (w.shift(image, str(k)), w.below(self.tile, w.minus(count, str(k))) if count else "") for k in (0, lanes)
        ]
        if not adds:
            found = [w.masked_load(self.tile, at, mask) if mask else w.vector_at(self.tile, at) for at, mask in halves]
            order = ", ".join(f"i32 {k}" for k in range(0, 2 * lanes, 2))
            chosen = f"shufflevector {vector} {found[0]}, {vector} {found[1]}, <{lanes} x i32> <{order}>"
            w.vector_to(self.tile, w.emit(chosen, w.dtype).text, matrix)
            return
        added = w.vector_at(self.tile, matrix)
        for half, (at, mask) in enumerate(halves):
            order = ", ".join(f"i32 {lanes if k % 2 else (half * lanes + k) // 2}" for k in range(lanes))
            apart = f"shufflevector {vector} {added}, {vector} zeroinitializer, <{lanes} x i32> <{order}>"
            more = w.emit(apart, w.dtype).text
            if mask:
                self.add_some(w, more, at, mask)
            else:
                total = w.emit(f"fadd {vector} {w.vector_at(self.tile, at)}, {more}", w.dtype).text
                w.vector_to(self.tile, total, at)

    def add(self, w: Words, kind: str, source: str, target: str) -> None:
        """target = target + source."""
        dtype = self.tile.dtype
        new = w.emit(f"load {kind}, ptr {source}, align {self.item}", dtype).text
        old = w.emit(f"load {kind}, ptr {target}, align {self.item}", dtype).text
        total = w.emit(f"fadd {kind} {old}, {new}", dtype).text
        w.line(f"store {kind} {total}, ptr {target}, align {self.item}")

    def add_some(self, w: Words, more: str, target: str, mask: str) -> None:
        """target = target + a vector, in the lanes of a mask."""
        old = w.masked_load(self.tile, target, mask)
        total = w.emit(f"fadd {w.vector(self.tile)} {old}, {more}", w.dtype).text
        w.masked_store(self.tile, total, target, mask)

    def task(self, w: Words, lying: bool = False) -> dict[str, str]:
        """The fields of a task, and the sizes."""
        t = {}
        for k, name in enumerate(TASK):
            t[name] = w.pointer_at("%task", k) if name in ADDRESSES else w.get(w.word_at("%task", k))
        t["pointer"] = t["sizes"]
        return t | self.sizes(w, t["sizes"], lying)

    def entry_of(self, w: Words, table: str, index: str) -> str:
        """The address of a word of a table."""
        return w.emit(f"getelementptr inbounds i64, ptr {table}, i64 {index}", "int64").text

    def scratch(self, w: Words, numbers: str) -> str:
        """Memory for so many numbers and two vectors of garbage."""
        return w.room(w.times(w.plus(numbers, str(2 * self.tile.lanes)), str(self.item)))

    def of_image(self, w: Words, t: dict[str, str]) -> tuple[str, str, str, str]:
        """(image, group, part, image * G + group) of a piece's number."""
        both = w.quotient("%number", t["parts"])
        part = w.minus("%number", w.times(both, t["parts"]))
        n = w.quotient(both, t["G"])
        return n, w.minus(both, w.times(n, t["G"])), part, both
