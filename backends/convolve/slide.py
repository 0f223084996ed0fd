"""Convolutions of images of one channel, as those of a channel each are, with a filter of 3 x 3 that slides along columns.

A vector that is read serves all rows of the filter: the sums of three rows of results go on at once. So three loads make a
vector of results, instead of nine, of which half would cross the border of a cache line. Each result is summed in the order
of the filter's numbers, as `direct` has it: where they are turned, the filter slides upwards.
"""

from __future__ import annotations

from collections.abc import Sequence

from symdl.backends.builder import Reg
from symdl.backends.convolve.pieces import Pieces
from symdl.backends.convolve.tiles import Inner
from symdl.backends.gemm.tiles import Tile
from symdl.backends.gemm.words import Words
from symdl.backends.llvm.module import Module

SIDE = 3  # places of a filter along each axis
CHAINS = 4  # vectors at once, none of whose sums waits for another's
REGISTERS = 24  # sums of a tile, from which on there are registers for a filter, too
SLIDE_WORK = 1 << 19  # multiplications that are worth a piece of their own, some 5 us


def slide(module: Module, tile: Tile, name: str, columns: Sequence[int]) -> None:
    """void slide(F, down, along, count, X0.., Y0..): for each k, and i < count,

    Yk[i*along ..] = sum over u < 3, v < 3 of F[3*u + v] * Xk[(i + u)*down + columns[v] ..]
    """
    w = Inner(tile, 1)
    w.label("entry")
    filters = [w.every_lane(w.load(w.at("%F", str(p)), w.scalar)) for p in range(SIDE * SIDE)]
    zero = Reg("zeroinitializer", tile.dtype)

    def row(place: str) -> list[Reg]:
        """What a row of the filter meets in a row of the image."""
        return [w.load(w.at(place, str(column))) for column in columns]

    def added(u: int, found: list[Reg], total: Reg) -> Reg:
        """The sum after row u of the filter."""
        for v in range(SIDE):
            total = w.fma(filters[SIDE * u + v], found[v], total)
        return total

    chains = range(CHAINS)
    begun = [added(0, row(f"%X{k}"), zero) for k in chains]  # sums of the filter's first row
    seconds = [w.at(f"%X{k}", "%down") for k in chains]
    found = [row(place) for place in seconds]
    ready = [added(1, found[k], begun[k]) for k in chains]  # sums of its first two
    begun = [added(0, found[k], zero) for k in chains]
    thirds = [w.at(place, "%down") for place in seconds]
    w.line("br label %next")
    w.label("next")
    w.line("%left = phi i64 [ %count, %entry ], [ %fewer, %next ]")
    for k in chains:
        w.line(f"%x{k} = phi ptr [ {thirds[k]}, %entry ], [ %x{k}.next, %next ]")
        w.line(f"%y{k} = phi ptr [ %Y{k}, %entry ], [ %y{k}.next, %next ]")
        w.line(f"%ready{k} = phi {w.vector} [ {ready[k].text}, %entry ], [ %ready{k}.next, %next ]")
        w.line(f"%begun{k} = phi {w.vector} [ {begun[k].text}, %entry ], [ %begun{k}.next, %next ]")
    for k in chains:
        here = row(f"%x{k}")
        whole = added(2, here, Reg(f"%ready{k}", tile.dtype))
        w.line(f"store {w.vector} {whole.text}, ptr %y{k}, align {w.item}")
        w.named(f"%ready{k}.next", added(1, here, Reg(f"%begun{k}", tile.dtype)))
        w.named(f"%begun{k}.next", added(0, here, zero))
        w.line(f"%x{k}.next = getelementptr inbounds {w.scalar}, ptr %x{k}, i64 %down")
        w.line(f"%y{k}.next = getelementptr inbounds {w.scalar}, ptr %y{k}, i64 %along")
    w.line("%fewer = add nsw i64 %left, -1")
    w.line("%done = icmp eq i64 %fewer, 0")
    w.line("br i1 %done, label %end, label %next")
    w.label("end")
    w.line("ret void")
    arrays = ", ".join([f"ptr readonly %X{k}" for k in chains] + [f"ptr %Y{k}" for k in chains])
    body = "\n".join(w.lines)
    head = f"ptr noalias readonly %F, i64 %down, i64 %along, i64 %count, {arrays}"
    module.add(f'define internal void @{name}({head}) noinline nounwind "hot" {{\n{body}\n}}', w)


class Sliding(Pieces):
    """Pieces in which a filter slides."""

    @property
    def may_slide(self) -> bool:
        """Whether there are registers for it. What is quickly made does without: the numbers are the same."""
        return self.kernels.varied and self.tile.accumulators >= REGISTERS

    def write_slide(self) -> None:
        if self.may_slide:
            slide(self.module, self.tile, "slide", range(SIDE))
            slide(self.module, self.tile, "slide_turned", range(SIDE)[::-1])
            self.slid()

    def slides(self, w: Words, s: dict[str, str]) -> str:
        """Whether a filter may slide: of one channel and output, over neighbouring rows."""
        ones = ("C", "O", "U0", "Y0", "k1", "k2")
        known = [w.holds("eq", s[name], "1") for name in ones] + [
            w.holds("eq", s[name], str(SIDE)) for name in ("U1", "U2")
        ]
        near = [w.holds("eq", w.times(s[d], s[d]), "1") for d in ("d1", "d2")]
        return w.both(*known, *near, w.holds("sge", s["Y2"], str(self.tile.lanes)))

    def slide_plan(self, w: Words, s: dict[str, str]) -> tuple[dict[str, str], str]:
        """(the fields of tasks, how many blocks of images there are): pieces are several images, or some rows of one."""
        row = w.times(w.ceiling(s["Y2"], str(self.tile.lanes)), str(SIDE * SIDE * self.tile.lanes))
        size = w.least(w.ceiling(str(SLIDE_WORK), row), w.most(s["Y1"], "1"))
        parts = w.ceiling(s["Y1"], size)
        each = w.most(w.times(row, s["Y1"]), "1")
        many = w.choose(w.holds("eq", parts, "1"), w.ceiling(str(SLIDE_WORK), each), "1")
        fields = {"parts": parts, "size": size, "width": "1", "deep": "1", "many": many}
        return fields, w.ceiling(w.times(s["N"], s["G"]), many)

    def slid(self) -> None:
        """void slid(task, number): size rows of the results of `many` images and groups. The vectors that are made at once
        stand side by side, or, where a row has fewer, in strips of neighbouring rows, of which the last may overlap another."""
        w = self.words()
        t = self.task(w)
        lanes = str(self.tile.lanes)
        block = w.quotient("%number", t["parts"])
        y0 = w.times(w.minus("%number", w.times(block, t["parts"])), t["size"])
        height = w.least(t["size"], w.minus(t["Y1"], y0))
        across = w.ceiling(t["Y2"], lanes)
        across = w.choose(w.holds("sgt", across, "2"), str(CHAINS), across)  # side by side: 1, 2 or all
        strips = w.quotient(str(CHAINS), across)
        rows = w.ceiling(height, strips)
        turned = w.holds("slt", t["d1"], "0")
        far = (
            w.choose(turned, w.plus(rows, "1"), "0"),
            w.choose(turned, w.minus(rows, "1"), "0"),
        )  # where a strip begins
        steps = [w.choose(turned, w.minus("0", length), length) for length in (t["I2"], t["Y2"])]
        slide = w.choose(w.holds("slt", t["d2"], "0"), "@slide_turned", "@slide", "ptr")
        strip = [w.quotient(str(k), across) for k in range(CHAINS)]
        beside = [w.times(w.minus(str(k), w.times(s, across)), lanes) for k, s in enumerate(strip)]
        tops = [w.plus(y0, w.least(w.times(s, rows), w.minus(height, rows))) for s in strip]
        sources = [w.times(w.plus(top, far[0]), t["I2"]) for top in tops]
        targets = [w.times(w.plus(top, far[1]), t["Y2"]) for top in tops]
        last = w.minus(t["Y2"], lanes)
        start = w.times(block, t["many"])
        count = w.least(t["many"], w.minus(w.times(t["N"], t["G"]), start))
        with w.upto(count) as more:
            both = w.plus(start, more)
            g = w.minus(both, w.times(w.quotient(both, t["G"]), t["G"]))
            f = w.shift(t["B"], w.times(g, str(SIDE * SIDE)))
            x, y = w.shift(t["A"], w.times(both, t["I"])), w.shift(t["C_"], w.times(both, t["J"]))
            with w.upto(t["Y2"], w.times(across, lanes)) as column:
                at = [w.least(w.plus(column, b), last) for b in beside]
                images = [f"ptr {w.shift(x, w.plus(s, a))}" for s, a in zip(sources, at, strict=True)]
                results = [f"ptr {w.shift(y, w.plus(s, a))}" for s, a in zip(targets, at, strict=True)]
                w.run(slide, f"ptr {f}", *steps, rows, *images, *results)
        w.define("slid", "(ptr %task, i64 %number)")
