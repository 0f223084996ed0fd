"""Products of float matrices: a tile of the result a block of threads, panels of both operands in shared memory.

All extents and strides are numbers at run time; a stride that is known to be 1 says which way a panel is read, so that
neighbouring threads read neighbours. Where the result has few tiles, the threads of a block are several teams, each of
which takes every so many-th panel; their sums are added up in order. So the order of every sum follows from extents alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from symdl.backends.builder import LLVM_TYPE, Reg
from symdl.backends.llvm.module import ITEM_BYTES, OpenLoop
from symdl.backends.llvm.steps import stacked_rows
from symdl.backends.nvptx.groups import THREADS, GroupWriter
from symdl.backends.nvptx.launches import Argument, Launch, Number, Pointer, Product
from symdl.backends.nvptx.writer import SHARED, GpuModule
from symdl.loops import View
from symdl.program import Call
from symdl.types import Extent, floor_divide, product, smallest

PADDING = 4  # elements between rows of a panel, against conflicts of banks
MOST_BATCHES = 1 << 15  # of a grid
LARGE = 512  # rows or columns of a result for which the largest tiles are made
ENOUGH = 96  # tiles that keep a GPU busy


@dataclass(frozen=True)
class Tile:
    """rows x columns of the result a team, in pieces of `own` rows and columns a thread; panels `depth` deep."""

    rows: int
    columns: int
    depth: int
    own: tuple[int, int]
    teams: int = 1

    @property
    def team(self) -> int:
        """Threads of a team."""
        return THREADS // self.teams


@dataclass(frozen=True)
class Spot:
    """An element that a thread fetches for each panel. inside: whether its row (or column) is one of the matrix; place:
    where that begins; depth: how far down the panel it is, and along: how far that is in memory; shared: where it goes."""

    inside: str
    place: str
    depth: str
    along: str
    shared: str


TILES = {
    "float32": (Tile(32, 32, 16, (4, 4), 4), Tile(64, 64, 16, (4, 4)), Tile(128, 128, 8, (8, 8))),
    "float64": (Tile(32, 32, 8, (4, 4), 4), Tile(64, 64, 8, (4, 4))),
}


def product_of(module: GpuModule, call: Call, step: int) -> Product:
    """The launches of a product of float32 or float64 matrices."""
    a, b, c = stacked_rows(*call.views)
    batch = c.shape[:-2]
    arguments: list[Argument] = [Pointer(v.buffer) for v in (a, b, c)]
    numbers = [c.shape[-2], c.shape[-1], a.shape[-1]]
    numbers += [n for v in (a, b, c) for n in (v.offset, *v.strides[-2:])]
    numbers += [n for k, extent in enumerate(batch) for n in (extent, *(v.strides[k] for v in (a, b, c)))]
    arguments += [Number("int64", n) for n in numbers]
    own = []
    for tile, when in choices(c):
        name = gemm(module, c.dtype, tile, tuple(ways(v) for v in (a, b, c)), len(batch))
        grid = tuple(floor_divide(n + (t - 1), t) for n, t in zip(c.shape[-2:], (tile.rows, tile.columns), strict=True))
        many = smallest(product(batch), MOST_BATCHES)
        own.append(Launch(name, (grid[0] * when, grid[1], many), THREADS, tuple(arguments), step))
    return Product(step, call, tuple(own))


def ways(view: View) -> str:
    """r where neighbours in a row lie side by side, c where those in a column do, else a dot."""
    return "r" if view.strides[-1] == 1 else "c" if view.strides[-2] == 1 else "."


def choices(c: View) -> list[tuple[Tile, Extent]]:
    """The tiles that a product may take, each with a number that is 1 where it is taken and 0 elsewhere: the largest
    that still makes enough tiles."""
    found: list[tuple[Tile, Extent]] = []
    rest: Extent = 1
    for tile in reversed(TILES[c.dtype][1:]):
        if tile.own[0] > 4 and not is_large(c):
            continue
        tiles = floor_divide(c.shape[-2] + (tile.rows - 1), tile.rows)
        tiles = tiles * floor_divide(c.shape[-1] + (tile.columns - 1), tile.columns) * product(c.shape[:-2])
        enough = smallest(1, floor_divide(tiles, ENOUGH))
        if enough != 0:
            found.append((tile, rest * enough))
        rest = rest * (1 - enough)
        if rest == 0:
            return found
    return [*found, (TILES[c.dtype][0], rest)]


def is_large(c: View) -> bool:
    """Whether large tiles are worth a kernel: an extent is known to be large, and none to be small."""
    known = [n for n in c.shape[-2:] if isinstance(n, int)]
    return bool(known) and min(known) >= LARGE


def gemm(module: GpuModule, dtype: str, tile: Tile, kinds: tuple[str, ...], batch: int) -> str:
    """The name of the kernel for a tile, the ways that operands lie, and so many leading axes."""
    key = "gemm", dtype, tile, kinds, batch
    if key not in module.made:
        module.made[key] = GemmWriter(module, dtype, tile, kinds, batch).kernel()
        module.kernels[key] = module.made[key]
    name: str = module.made[key]
    return name


class GemmWriter(GroupWriter):
    """Writes one kernel."""

    def __init__(self, module: GpuModule, dtype: str, tile: Tile, kinds: tuple[str, ...], batch: int) -> None:
        super().__init__(module, {"a": "%a", "b": "%b", "c": "%c"}, set(), THREADS, THREADS)
        self.module: GpuModule = module
        self.dtype, self.tile, self.kinds, self.batch = dtype, tile, kinds, batch
        self.kind, self.bytes = LLVM_TYPE[dtype], ITEM_BYTES[dtype]
        self.side = 16 // self.bytes  # elements of one access to shared memory
        self.widths = {"a": tile.rows + PADDING, "b": tile.columns + PADDING}
        self.room = tile.depth * (self.widths["a"] + self.widths["b"])  # elements of a team's panels
        self.memory = f"@panels{len(module.kernels)}"
        self.strides = {}
        for name, way in zip("abc", kinds, strict=True):
            self.strides[name] = "1" if way == "c" else f"%{name}.row", "1" if way == "r" else f"%{name}.column"

    def kernel(self) -> str:
        """The name of the kernel."""
        tile = self.tile
        thread = self.special("tid")
        team = self.arithmetic("lshr", thread, str(tile.team.bit_length() - 1))
        self.in_team = self.arithmetic("and", thread, str(tile.team - 1))
        per_row = tile.columns // tile.own[1]  # threads of a team side by side
        self.thread_row = self.arithmetic("lshr", self.in_team, str(per_row.bit_length() - 1))
        self.thread_column = self.arithmetic("and", self.in_team, str(per_row - 1))
        self.first_row = self.arithmetic("mul", self.special("ctaid"), str(tile.rows))
        self.first_column = self.arithmetic("mul", self.special("ctaid.y"), str(tile.columns))
        self.panels = self.shared(self.arithmetic("mul", team, str(self.room)))
        every = self.open_batch()
        self.starts = self.batch_starts(every.index) if every else {n: f"%{n}.offset" for n in "abc"}
        totals = [[self.accumulator() for _ in range(tile.own[1])] for _ in range(tile.own[0])]
        spots = {name: self.prepared(name) for name in "ab"}
        step = tile.depth * tile.teams
        start = self.arithmetic("mul", team, str(tile.depth))
        steps = self.open_loop("%k", "0", step)
        at = self.arithmetic("add", steps.index, start)
        found = {name: self.fetch(name, at, spots[name]) for name in "ab"}
        self.meet()
        for name in "ab":
            for spot, value in zip(spots[name], found[name], strict=True):
                self.store(value, spot.shared)
        self.meet()
        self.multiply(totals)
        self.close_loop(steps)
        values = [[self.total(p) for p in row] for row in totals]
        if tile.teams > 1:
            self.meet()
            self.add_teams(values, team)
        else:
            self.write(values)
        if every:
            self.meet()
            self.close_loop(every)
        self.line("ret void")
        size = max(self.room * tile.teams, tile.rows * tile.columns * tile.teams if tile.teams > 1 else 0)
        room = f"[{size} x {self.kind}] undef, align 16"
        self.declarations.add(f"{self.memory} = internal addrspace({SHARED}) global {room}")
        numbers = ["%m", "%n", "%k"]
        numbers += [f"%{name}.{part}" for name in "abc" for part in ("offset", "row", "column")]
        numbers += [f"%{name}{k}" for k in range(self.batch) for name in ("batch", "a.batch", "b.batch", "c.batch")]
        kinds = ["ptr addrspace(1) %status", *(f"ptr addrspace(1) noalias readonly %{n}" for n in "ab")]
        kinds += ["ptr addrspace(1) noalias %c", *(f"i64 {n}" for n in numbers)]
        stem = f"gemm_{self.dtype}_{tile.rows}x{tile.columns}_"
        body = self.finished()
        return self.module.entry(stem, f"({', '.join(kinds)})", body, self, THREADS, 2 if tile.own[0] > 4 else 1)

    # batches

    def open_batch(self) -> OpenLoop | None:
        """A loop over this block's matrices, where there are several."""
        if not self.batch:
            return None
        total = "%batch0"
        for k in range(1, self.batch):
            total = self.arithmetic("mul", total, f"%batch{k}")
        first = self.special("ctaid.z")
        return self.open_loop(total, first, str(MOST_BATCHES))

    def batch_starts(self, number: str) -> dict[str, str]:
        """Where the matrices of one number in the batch begin."""
        starts = {n: f"%{n}.offset" for n in "abc"}
        for k in reversed(range(self.batch)):
            place = number
            if k:
                place = self.arithmetic("urem", number, f"%batch{k}")
                number = self.arithmetic("udiv", number, f"%batch{k}")
            for n in "abc":
                starts[n] = self.arithmetic("add", starts[n], self.arithmetic("mul", place, f"%{n}.batch{k}"))
        return starts

    # panels

    def shared(self, index: str) -> str:
        """The address of an element of the shared memory."""
        found = self.emit(
            f"getelementptr inbounds {self.kind}, ptr addrspace({SHARED}) {self.memory}, i64 {index}", "int64"
        ).text
        self.spaces[found] = SHARED
        return found

    def accumulator(self) -> str:
        """A variable that begins with 0."""
        name = f"%{self.fresh('total')}"
        self.scopes[0].landing.append(f"  {name} = alloca {self.kind}")
        self.line(f"store {self.kind} {self.const(0, self.dtype).text}, ptr {name}")
        return name

    def total(self, pointer: str) -> Reg:
        return self.emit(f"load {self.kind}, ptr {pointer}", self.dtype)

    def spots(self, name: str) -> list[tuple[str, str]]:
        """(place along m or n, place along k) of each element of a panel that this thread fetches, within the panel.

        Neighbouring threads take what lies side by side.
        """
        tile = self.tile
        along = tile.rows if name == "a" else tile.columns
        deep_first = self.kinds["ab".index(name)] == ("r" if name == "a" else "c")  # neighbours along k
        inner = tile.depth if deep_first else along
        turns = max(inner // tile.team, 1)  # so many that a row of the panel takes
        low = self.arithmetic("and", self.in_team, str(inner - 1)) if turns == 1 else self.in_team
        high = self.arithmetic("lshr", self.in_team, str(inner.bit_length() - 1)) if turns == 1 else "0"
        ones = [self.arithmetic("add", low, str(k * tile.team)) for k in range(turns)]
        rows = along * tile.depth // inner // max(tile.team // inner, 1)
        twos = [self.arithmetic("add", high, str(k * max(tile.team // inner, 1))) for k in range(rows)]
        return [(two, one) if deep_first else (one, two) for two in twos for one in ones]

    def prepared(self, name: str) -> list[Spot]:
        """The elements of a panel that this thread fetches, as far as they are the same for all panels."""
        first, limit = (self.first_row, "%m") if name == "a" else (self.first_column, "%n")
        row, column = self.strides[name]
        along, deep = (row, column) if name == "a" else (column, row)
        start = 0 if name == "a" else self.tile.depth * self.widths["a"]
        known: dict[str, tuple[str, str]] = {}
        found = []
        for spot, depth in self.spots(name):
            if spot not in known:
                i = self.arithmetic("add", first, spot)
                inside = self.emit(f"icmp slt i64 {i}, {limit}", "bool").text
                known[spot] = inside, self.arithmetic("add", self.times(i, along), self.starts[name])
            place = self.arithmetic("add", spot, self.arithmetic("mul", depth, str(self.widths[name])))
            shared = self.element(self.panels, self.dtype, self.arithmetic("add", place, str(start)))
            found.append(Spot(*known[spot], depth, self.times(depth, deep), shared))
        return found

    def fetch(self, name: str, at: str, spots: list[Spot]) -> list[Reg]:
        """The elements of a panel that begins at a place along k; 0 where the matrix has ended."""
        row, column = self.strides[name]
        begin = self.times(at, column if name == "a" else row)
        left = self.arithmetic("sub", "%k", at)
        deep: dict[str, tuple[str, str]] = {}
        found = []
        for spot in spots:
            if spot.depth not in deep:
                there = self.emit(f"icmp slt i64 {spot.depth}, {left}", "bool").text
                deep[spot.depth] = there, self.arithmetic("add", begin, spot.along)
            there, further = deep[spot.depth]
            inside = self.emit(f"and i1 {spot.inside}, {there}", "bool").text
            place = self.arithmetic("add", spot.place, further)
            place = self.emit(f"select i1 {inside}, i64 {place}, i64 {self.starts[name]}", "int64").text
            value = self.load(self.element(f"%{name}", self.dtype, place), self.dtype)
            found.append(self.select(Reg(inside, "bool"), value, self.const(0, self.dtype)))
        return found

    def times(self, place: str, stride: str) -> str:
        return place if stride == "1" else self.arithmetic("mul", place, stride)

    def pieces(self, many: int) -> list[int]:
        """Where a thread's own rows (or columns) stand, in groups of one access, for the thread that is number 0."""
        return list(range(0, many, self.side))

    def place(self, name: str, piece: int) -> tuple[str, int]:
        """(register, constant): where one group of a thread's own rows or columns begins in the tile."""
        thread = self.thread_row if name == "a" else self.thread_column
        size, own = (self.tile.rows, self.tile.own[0]) if name == "a" else (self.tile.columns, self.tile.own[1])
        return self.arithmetic("mul", thread, str(self.side)), piece // self.side * (size // own) * self.side

    def multiply(self, totals: list[list[str]]) -> None:
        """Add the product of the team's panels to the totals."""
        tile = self.tile
        sums = [[self.total(p) for p in row] for row in totals]
        begins = {"a": 0, "b": tile.depth * self.widths["a"]}
        bases = {name: self.element(self.panels, self.dtype, self.place(name, 0)[0]) for name in "ab"}
        vector = f"<{self.side} x {self.kind}>"
        for p in range(tile.depth):
            rows: dict[str, list[Reg]] = {"a": [], "b": []}
            for name, own in zip("ab", tile.own, strict=True):
                for piece in self.pieces(own):
                    at = begins[name] + p * self.widths[name] + self.place(name, piece)[1]
                    spot = self.element(bases[name], self.dtype, str(at))
                    found = self.emit(f"load {vector}, {self.typed(spot)}, align 16", self.dtype)
                    rows[name] += [self.lane(found, self.side, k) for k in range(self.side)]
            for i, x in enumerate(rows["a"]):
                for j, y in enumerate(rows["b"]):
                    sums[i][j] = self.fma(x, y, sums[i][j])
        for row, values in zip(totals, sums, strict=True):
            for pointer, value in zip(row, values, strict=True):
                self.line(f"store {self.kind} {value.text}, ptr {pointer}")

    # the result

    def own_places(self) -> tuple[list[str], list[str]]:
        """The rows and the columns of the tile that this thread's totals belong to."""
        found: dict[str, list[str]] = {"a": [], "b": []}
        for name, own in zip("ab", self.tile.own, strict=True):
            for k in range(own):
                base, more = self.place(name, k - k % self.side)
                found[name].append(self.arithmetic("add", base, str(more + k % self.side)))
        return found["a"], found["b"]

    def write(self, values: list[list[Reg]]) -> None:
        """Store the thread's totals."""
        rows, columns = self.own_places()
        across = [self.result_place(c, self.first_column, "%n", 1) for c in columns]
        for row, line in zip(rows, values, strict=True):
            down = self.result_place(row, self.first_row, "%m", 0)
            for other, value in zip(across, line, strict=True):
                self.store_element(down, other, value)

    def result_place(self, spot: str, first: str, limit: str, axis: int) -> tuple[str, str]:
        """(whether a row or column of the tile is one of the result, how far into the result it lies)."""
        i = self.arithmetic("add", first, spot)
        inside = self.emit(f"icmp slt i64 {i}, {limit}", "bool").text
        place = self.times(i, self.strides["c"][axis])
        return inside, place if axis else self.arithmetic("add", place, self.starts["c"])

    def store_element(self, down: tuple[str, str], across: tuple[str, str], value: Reg) -> None:
        """Store an element of the tile, if it is one of the result."""
        inside = self.emit(f"and i1 {down[0]}, {across[0]}", "bool").text
        yes, join = self.fresh("inside"), self.fresh("join")
        self.branch(inside, yes, join)
        self.label(yes)
        self.store(value, self.element("%c", self.dtype, self.arithmetic("add", down[1], across[1])))
        self.jump(join)
        self.label(join)

    def add_teams(self, values: list[list[Reg]], team: str) -> None:
        """Bring the teams' totals together and store them, neighbouring threads writing neighbours."""
        tile = self.tile
        size = tile.rows * tile.columns
        base = self.arithmetic("mul", team, str(size))
        rows, columns = self.own_places()
        for row, line in zip(rows, values, strict=True):
            begin = self.arithmetic("add", base, self.arithmetic("mul", row, str(tile.columns)))
            for column, value in zip(columns, line, strict=True):
                self.store(value, self.shared(self.arithmetic("add", begin, column)))
        self.meet()
        thread = self.special("tid")
        for k in range(size // THREADS):
            spot = self.arithmetic("add", thread, str(k * THREADS))
            total = self.load(self.shared(spot), self.dtype)
            for other in range(1, tile.teams):
                more = self.load(self.shared(self.arithmetic("add", spot, str(other * size))), self.dtype)
                total = self.add(total, more)
            row = self.arithmetic("lshr", spot, str(tile.columns.bit_length() - 1))
            column = self.arithmetic("and", spot, str(tile.columns - 1))
            down = self.result_place(row, self.first_row, "%m", 0)
            self.store_element(down, self.result_place(column, self.first_column, "%n", 1), total)
