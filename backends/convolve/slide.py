"""Convolutions of images of one channel, as those of a channel each are, with a filter of 3 x 3 that slides along columns.

A vector that is read serves all rows of the filter: the sums of three rows of results go on at once. So three loads make a
vector of results, instead of nine, of which half would cross the border of a cache line. Each result is summed in the order
of the filter's numbers, as `direct` has it: where they are turned, the filter slides upwards. Borders are not there: masks
leave out the lanes beside an image, and rows above and below it are zeros.
"""

from __future__ import annotations

from symdl.backends.builder import Reg
from symdl.backends.convolve.pieces import Pieces
from symdl.backends.convolve.tiles import Inner
from symdl.backends.gemm.tiles import Tile
from symdl.backends.gemm.words import Words
from symdl.backends.llvm.module import Module
from symdl.records import record

SIDE = 3  # places of a filter along each axis
CHAIN = 4  # words that say where a chain begins and ends
REGISTERS = 24  # sums of a tile, from which on there are registers for a filter, too
SLIDE_WORK = 1 << 19  # multiplications that are worth a piece of their own, some 5 us
KINDS = 3  # of vectors, by where they stand in a row
WANTED = SIDE * KINDS  # the mask of results, behind those of kinds and columns


def mask_type(tile: Tile) -> str:
    """Of a truth value for each lane."""
    return f"<{tile.lanes} x i1>"


@record
class Slide:
    """Vectors that go down together. kinds: of each, by which of the masks it is cut; columns: of the filter, which are cut."""

    name: str
    kinds: tuple[int, ...]
    columns: tuple[int, ...]
    partial: bool  # whether results are, too
    asks: bool  # whether it asks for what lies some images further: processors foresee too few of so many short rows

    @property
    def chains(self) -> range:
        return range(len(self.kinds))


# rows of one or two vectors, one of them in two strips
NARROW = Slide("slide", (0, 1), (0, 1, 2), True, True)
# longer ones, within a border of 1: memory is read in its order
WIDE = Slide("slide_wide", (0, 1, 1, 2), (0, 2), False, False)


def slide(module: Module, tile: Tile, how: Slide) -> None:
    """void slide(F, across, down, along, count, chains, X, Y, masks, seen, made): for the k-th of the chains, words (x, y, first,
    end), and i < count,

    Y[y + i*along ..] = sum over u < 3, v < 3 of F[3*u + v] * the vector at X[x + (i + u)*down + v*across ..],

    which is 0 where first <= i + u < end does not hold, and in the lanes that the mask (kind of k, v) leaves out; of the sums
    those lanes are stored that the last mask has. How asks: for what lies so far behind, seen of X and
    made of Y.
    """
    w = Inner(tile, 1)
    w.label("entry")
    filters = [w.every_lane(w.load(w.at("%F", str(p)), w.scalar)) for p in range(SIDE * SIDE)]
    zero = Reg("zeroinitializer", tile.dtype)
    masked = f"@llvm.masked.load.{w.suffix(tile.dtype)}.p0"
    stores = f"@llvm.masked.store.{w.suffix(tile.dtype)}.p0"
    mask = mask_type(tile)

    def mask_at(number: int) -> str:
        return w.emit(f"load {mask}, ptr {w.at('%masks', str(number), mask)}", "bool").text

    masks = {(kind, v): mask_at(SIDE * kind + v) for kind in sorted({*how.kinds}) for v in how.columns}
    wanted = mask_at(WANTED) if how.partial else ""
    w.declarations.add(f"declare {w.vector} {masked}(ptr, i32, {mask}, {w.vector})")
    w.declarations.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
    w.declarations.add(f"declare void {stores}({w.vector}, ptr, i32, {mask})")
    w.declarations.add(f"@zeros = internal constant [{tile.lanes + SIDE} x {w.scalar}] zeroinitializer")
    edge = w.emit(f"select i1 {w.emit('icmp slt i64 %across, 0', 'bool').text}, i64 {SIDE - 1}, i64 0", "int64").text
    nothing = w.at("@zeros", edge)

    def row(k: int, place: str) -> list[Reg]:
        """What a row of the filter meets in a row of the image."""
        found = []
        for v, p in enumerate([place, w.outside(place, "%across"), w.outside(place, twice)]):
            cut = masks.get((how.kinds[k], v))
            passed = f"ptr {p}, i32 {w.item}, {mask} {cut}, {w.vector} zeroinitializer"
            found.append(w.emit(f"call {w.vector} {masked}({passed})", tile.dtype) if cut else w.load(p))
        return found

    def added(u: int, found: list[Reg], total: Reg) -> Reg:
        """The sum after row u of the filter."""
        for v in range(SIDE):
            total = w.fma(filters[SIDE * u + v], found[v], total)
        return total

    def there(k: int, number: int, place: str) -> str:
        """The place, or zeros where there is no such row."""
        begun = w.emit(f"icmp sle i64 {firsts[k]}, {number}", "bool").text
        ends = w.emit(f"icmp sgt i64 {ends_at[k]}, {number}", "bool").text
        inside = w.emit(f"and i1 {begun}, {ends}", "bool").text
        return w.emit(f"select i1 {inside}, ptr {place}, ptr {nothing}", "int64").text

    twice = w.emit("shl i64 %across, 1", "int64").text
    chains = how.chains
    starts, targets, firsts, ends_at = ([w.word("%chains", CHAIN * k + n) for k in chains] for n in range(CHAIN))
    heads = [w.outside("%X", start) for start in starts]
    begun = [added(0, row(k, there(k, 0, heads[k])), zero) for k in chains]  # sums of the filter's first row
    seconds = [w.outside(head, "%down") for head in heads]
    found = [row(k, there(k, 1, seconds[k])) for k in chains]
    ready = [added(1, found[k], begun[k]) for k in chains]  # sums of its first two
    begun = [added(0, found[k], zero) for k in chains]
    thirds = [there(k, 2, w.outside(seconds[k], "%down")) for k in chains]
    results = [w.at("%Y", target) for target in targets]
    w.line("br label %next")
    w.label("next")
    w.line("%row = phi i64 [ 2, %entry ], [ %following, %next ]")
    for k in chains:
        w.line(f"%x{k} = phi ptr [ {thirds[k]}, %entry ], [ %x{k}.next, %next ]")
        w.line(f"%y{k} = phi ptr [ {results[k]}, %entry ], [ %y{k}.next, %next ]")
        w.line(f"%ready{k} = phi {w.vector} [ {ready[k].text}, %entry ], [ %ready{k}.next, %next ]")
        w.line(f"%begun{k} = phi {w.vector} [ {begun[k].text}, %entry ], [ %begun{k}.next, %next ]")
    w.line("%following = add nsw i64 %row, 1")
    for k in chains:
        for place, far, writes in ((f"%x{k}", "%seen", 0), (f"%y{k}", "%made", 1)) if how.asks else ():
            w.line(f"call void @llvm.prefetch.p0(ptr {w.outside(place, far)}, i32 {writes}, i32 3, i32 1)")
        here = row(k, f"%x{k}")
        whole = added(2, here, Reg(f"%ready{k}", tile.dtype))
        if how.partial:
            w.line(f"call void {stores}({w.vector} {whole.text}, ptr %y{k}, i32 {w.item}, {mask} {wanted})")
        else:
            w.line(f"store {w.vector} {whole.text}, ptr %y{k}, align {w.item}")
        w.named(f"%ready{k}.next", added(1, here, Reg(f"%begun{k}", tile.dtype)))
        w.named(f"%begun{k}.next", added(0, here, zero))
        below = w.outside(f"%x{k}", "%down")
        inside = w.emit(f"icmp slt i64 %following, {ends_at[k]}", "bool").text
        w.line(f"%x{k}.next = select i1 {inside}, ptr {below}, ptr {nothing}")
        w.line(f"%y{k}.next = getelementptr inbounds {w.scalar}, ptr %y{k}, i64 %along")
    w.line("%all = add nsw i64 %count, 2")
    w.line("%done = icmp sge i64 %following, %all")
    w.line("br i1 %done, label %end, label %next")
    w.label("end")
    w.line("ret void")
    body = "\n".join(w.lines)
    head = "ptr noalias readonly %F, i64 %across, i64 %down, i64 %along, i64 %count, ptr noalias readonly %chains"
    rest = "ptr noalias readonly %X, ptr noalias %Y, ptr noalias readonly %masks, i64 %seen, i64 %made"
    module.add(f'define internal void @{how.name}({head}, {rest}) noinline nounwind "hot" {{\n{body}\n}}', w)


class Sliding(Pieces):
    """Pieces in which a filter slides."""

    @property
    def may_slide(self) -> bool:
        """Whether there are registers for it. What is quickly made does without: the numbers are the same."""
        return self.kernels.varied and self.tile.accumulators >= REGISTERS

    def write_slide(self) -> None:
        if self.may_slide:
            for how in (NARROW, WIDE):
                slide(self.module, self.tile, how)
            self.slid()

    def slides(self, w: Words, s: dict[str, str]) -> str:
        """Whether a filter may slide: of one channel and output, over neighbouring rows."""
        ones = ("C", "O", "U0", "Y0", "k1", "k2")
        known = [w.holds("eq", s[name], "1") for name in ones] + [
            w.holds("eq", s[name], str(SIDE)) for name in ("U1", "U2")
        ]
        near = [w.holds("eq", w.times(s[d], s[d]), "1") for d in ("d1", "d2")]
        behind = w.minus(s["I1"], w.plus(s["b1"], s["X1"]))
        near += [w.holds("slt", border, str(SIDE)) for border in (s["b1"], behind)]
        return w.both(*known, *near)

    def slide_plan(self, w: Words, s: dict[str, str]) -> tuple[dict[str, str], str]:
        """(the fields of tasks, how many blocks of images there are): pieces are several images, or some rows of one."""
        row = w.times(w.ceiling(s["Y2"], str(self.tile.lanes)), str(SIDE * SIDE * self.tile.lanes))
        size = w.least(w.ceiling(str(SLIDE_WORK), row), w.most(s["Y1"], "1"))
        parts = w.ceiling(s["Y1"], size)
        each = w.most(w.times(row, s["Y1"]), "1")
        alone = w.both(w.holds("eq", parts, "1"), w.holds("sle", s["Y2"], str(len(WIDE.kinds) * self.tile.lanes)))
        many = w.choose(alone, w.ceiling(str(SLIDE_WORK), each), "1")
        fields = {"parts": parts, "size": size, "width": "1", "deep": "1", "many": many}
        return fields, w.ceiling(w.times(s["N"], s["G"]), many)

    def slid(self) -> None:
        """void slid(task, number): size rows of the results of `many` images and groups. The vectors that are made at once
        stand side by side by twos, or, where a row has fewer, alone, in strips of neighbouring rows, of which the last may
        overlap another. Borders are neither read nor written: a mask says which lanes stand in the image."""
        w = self.words()
        t = self.task(w, lying=True)
        most, kind = len(WIDE.kinds), mask_type(self.tile)
        w.scopes[0].landing.append(f"  %chains = alloca [{CHAIN * most} x i64]")
        w.scopes[0].landing.append(f"  %masks = alloca [{WANTED + 1} x {kind}]")
        lanes = str(self.tile.lanes)
        near = [w.holds("sle", border, "1") for border in (t["b2"], w.minus(t["I2"], w.plus(t["b2"], t["X2"])))]
        wide = w.both(w.holds("sgt", t["Y2"], str(2 * self.tile.lanes)), *near)
        chains = w.choose(wide, str(most), str(len(NARROW.kinds)))
        across = w.choose(wide, str(most), w.choose(w.holds("sgt", t["Y2"], lanes), "2", "1"))
        function = w.choose(wide, f"@{WIDE.name}", f"@{NARROW.name}", "ptr")
        block = w.quotient("%number", t["parts"])
        y0 = w.times(w.minus("%number", w.times(block, t["parts"])), t["size"])
        height = w.least(t["size"], w.minus(t["Y1"], y0))
        rows = w.ceiling(height, w.quotient(chains, across))
        seen = w.plus(rows, str(SIDE - 1))
        up, back = (w.holds("slt", t[d], "0") for d in ("d1", "d2"))
        steps = [w.choose(up, w.minus("0", length), length) for length in (t["X2"], t["Y2"])]
        first = w.choose(back, str(SIDE - 1), "0")  # where the first number of a filter stands in a window
        start = w.times(block, t["many"])
        count = w.least(t["many"], w.minus(w.times(t["N"], t["G"]), start))
        last = w.most(w.minus(t["Y2"], lanes), "0")
        far = w.times(t["X"], "2"), w.times(t["J"], "2")  # two images

        def tell(number: str, mask: str) -> None:
            place = w.emit(f"getelementptr inbounds {kind}, ptr %masks, i64 {number}", "int64").text
            w.line(f"store {kind} {mask}, ptr {place}")

        tell(str(WANTED), w.below(self.tile, t["Y2"]))
        before = w.variable("0")  # where the chain before stands in its row
        with w.upto(t["Y2"], w.times(across, lanes)) as column:
            with w.upto(chains) as k:
                strip = w.quotient(k, across)
                place = w.plus(column, w.times(w.minus(k, w.times(strip, across)), lanes))
                # The two in the middle of a row have masks that fit both, since neither or both end it.
                inside = w.both(wide, w.holds("eq", k, "2"))
                ending = w.choose(inside, w.get(before), last)
                at = w.choose(w.holds("slt", place, last), place, ending)
                w.set(before, at)
                top = w.plus(y0, w.least(w.times(strip, rows), w.minus(height, rows)))
                sees = w.minus(top, t["b1"])  # the first row of the image
                end = w.plus(sees, seen)
                line = w.choose(up, w.minus(end, "1"), sees)
                made = w.choose(up, w.plus(top, w.minus(rows, "1")), top)
                words = (
                    w.plus(w.minus(w.plus(w.times(line, t["X2"]), at), t["b2"]), first),
                    w.plus(w.times(made, t["Y2"]), at),
                    w.choose(up, w.minus(end, t["X1"]), w.minus("0", sees)),  # rows before its first
                    w.choose(up, end, w.minus(t["X1"], sees)),
                )
                for n, word in enumerate(words):
                    w.line(
                        f"store i64 {word}, ptr {self.entry_of(w, '%chains', w.plus(w.times(k, str(CHAIN)), str(n)))}"
                    )
                own = w.times(w.minus(k, w.choose(w.both(wide, w.holds("sge", k, "2")), "1", "0")), str(SIDE))
                for v in range(SIDE):
                    place = w.minus(w.plus(at, w.plus(first, w.times(str(v), t["d2"]))), t["b2"])
                    tell(w.plus(own, str(v)), w.between(self.tile, w.minus("0", place), w.minus(t["X2"], place)))
            with w.upto(count) as more:
                both = w.plus(start, more)
                g = w.minus(both, w.times(w.quotient(both, t["G"]), t["G"]))
                f = w.shift(t["B"], w.times(g, str(SIDE * SIDE)))
                x, y = w.shift(t["A"], w.times(both, t["X"])), w.shift(t["C_"], w.times(both, t["J"]))
                given = f"ptr {x}", f"ptr {y}", "ptr %masks", *far
                w.run(function, f"ptr {f}", t["d2"], *steps, rows, "ptr %chains", *given)
        w.define("slid", "(ptr %task, i64 %number)")
