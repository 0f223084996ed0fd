"""Products by tensor cores: a warp multiplies pieces of two panels, whose elements were rounded to tf32 (10 bits of fraction).

mma.m16n8k8 adds a 16 x 8 by 8 x 8 product to 16 x 8 sums, which stay float32. Which elements a lane brings and keeps, with
g = lane / 4 and t = lane mod 4 (PTX ISA, "Matrix fragments for mma.m16n8k8"):

    left     rows g, g + 8                  columns t, t + 4      of 16 x 8
    right    rows t, t + 4                  column  g             of 8 x 8
    sums     rows g, g + 8                  columns 2t, 2t + 1    of 16 x 8
"""

from __future__ import annotations

from symdl.backends.builder import Reg
from symdl.backends.nvptx.panels import PanelWriter

NEEDS = (8, 0)  # the first compute capability that has them
DEPTH = 8  # of one instruction
ROUND = "llvm.nvvm.f2tf32.rna"  # to nearest, ties away from zero
MULTIPLY = "llvm.nvvm.mma.m16n8k8.row.col.tf32"
FOUR = "{ float, float, float, float }"


class TensorPanelWriter(PanelWriter):
    """A PanelWriter whose warps multiply: those of a team stand in rows and columns, 8 x 4 threads each."""

    def shares(self) -> tuple[str, str]:
        across = self.tile.columns // (4 * self.tile.own[1])  # warps side by side
        warp, lane = self.arithmetic("lshr", self.in_team, "5"), self.arithmetic("and", self.in_team, "31")
        down = self.arithmetic("lshr", warp, str(across.bit_length() - 1))
        beside = self.arithmetic("and", warp, str(across - 1))
        row = self.arithmetic("add", self.arithmetic("mul", down, "8"), self.arithmetic("lshr", lane, "2"))
        column = self.arithmetic("add", self.arithmetic("mul", beside, "4"), self.arithmetic("and", lane, "3"))
        return row, column

    def base(self, name: str, number: str) -> str:
        begin = self.warp_begin(name, number)
        if name == "a":
            return self.arithmetic("add", begin, self.arithmetic("and", number, "7"))
        return self.arithmetic("add", begin, self.arithmetic("mul", self.arithmetic("and", number, "3"), "2"))

    def warp_begin(self, name: str, number: str) -> str:
        """Where the rows (or columns) of the warp begin that the thread of this number is in."""
        bits, own = (3, 8 * self.tile.own[0]) if name == "a" else (2, 4 * self.tile.own[1])
        return self.arithmetic("mul", self.arithmetic("lshr", number, str(bits)), str(own))

    def offset(self, name: str, k: int) -> int:
        return 8 * k if name == "a" else k // 2 * 8 + k % 2

    def as_held(self, value: Reg) -> Reg:
        self.declarations.add(f"declare i32 @{ROUND}(float)")
        bits = self.emit(f"call i32 @{ROUND}(float {value.text})", "int32").text
        return self.emit(f"bitcast i32 {bits} to float", "float32")

    def multiplied(self, sums: list[list[Reg]]) -> list[list[Reg]]:
        tile = self.tile
        self.declarations.add(f"declare {FOUR} @{MULTIPLY}({', '.join(['i32'] * 6 + ['float'] * 4)})")
        g, t = self.arithmetic("and", self.thread_row, "7"), self.arithmetic("and", self.thread_column, "3")
        firsts = {
            "a": self.base("a", self.thread_row),
            "b": self.arithmetic("add", self.warp_begin("b", self.thread_column), g),
        }
        starts = {}
        for name, first in firsts.items():
            place = self.arithmetic("add", self.arithmetic("mul", t, str(self.widths[name])), first)
            starts[name] = self.element(self.panels, "float32", place)
        begins = {"a": 0, "b": tile.depth * self.widths["a"]}

        def word(name: str, deep: int, more: int) -> str:
            at = begins[name] + deep * self.widths[name] + more
            spot = self.element(starts[name], "float32", str(at))
            return self.emit(f"load i32, {self.typed(spot)}, align 4", "int32").text

        sums = [list(line) for line in sums]
        for p in range(0, tile.depth, DEPTH):
            lefts = [
                [word("a", deep, 8 * k) for deep in (p, p + 4) for k in (i, i + 1)] for i in range(0, tile.own[0], 2)
            ]
            rights = [[word("b", deep, 4 * j) for deep in (p, p + 4)] for j in range(0, tile.own[1], 2)]
            for i, left in enumerate(lefts):
                for j, right in enumerate(rights):
                    places = [(2 * i + k // 2, 2 * j + k % 2) for k in range(4)]
                    given = [f"i32 {w}" for w in (*left, *right)] + [f"float {sums[r][c].text}" for r, c in places]
                    found = self.emit(f"call {FOUR} @{MULTIPLY}({', '.join(given)})", "float32").text
                    for k, (r, c) in enumerate(places):
                        sums[r][c] = self.emit(f"extractvalue {FOUR} {found}, {k}", "float32")
        return sums
