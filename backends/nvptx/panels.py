"""Products in tiles: a tile of the result a block of threads, panels of both operands in shared memory.

What the operands are, and what becomes of a result, say the classes that derive from PanelWriter: matrices with strides
(`products`) and sums of products of any two arrays (`contractions`). Where the result has few tiles, the threads of a block
are several teams, each of which takes every so many-th panel; their sums are added up in order. So the order of every sum
follows from extents alone. Where tensor cores multiply, a warp does so together (`tensor_cores`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from symdl.backends.builder import LLVM_TYPE, Reg
from symdl.backends.llvm.module import ITEM_BYTES, OpenLoop
from symdl.backends.nvptx.groups import THREADS, GroupWriter
from symdl.backends.nvptx.writer import SHARED, GpuModule
from symdl.types import Extent, Symbol, floor_divide, product, smallest

MOST_BATCHES = 1 << 15  # of a grid
LARGE = 512  # rows or columns of a result for which the largest tiles are made
ENOUGH = 96  # tiles that keep a GPU busy
STAGED = 4300  # elements of results that pass through shared memory at a time


@dataclass(frozen=True)
class Tile:
    """rows x columns of the result a team, in pieces of `own` rows and columns a thread; panels `depth` deep.

    tensor: whether tensor cores multiply, operands rounded to tf32; padding: elements between rows of a panel, against
    conflicts of banks.
    """

    rows: int
    columns: int
    depth: int
    own: tuple[int, int]
    teams: int = 1
    tensor: bool = False

    @property
    def padding(self) -> int:
        return 8 if self.tensor else 4

    @property
    def team(self) -> int:
        """Threads of a team."""
        return THREADS // self.teams


@dataclass(frozen=True)
class Spot:
    """An element that a thread fetches for each panel. inside: whether its row (or column) is one of the operand; depth: how
    far down the panel it is; shared: where it goes; row: which of the thread's rows (or columns) it is in."""

    inside: str
    depth: str
    shared: str
    row: int


TILES = {
    "float32": (Tile(32, 32, 16, (4, 4), 4), Tile(64, 64, 16, (4, 4)), Tile(128, 128, 8, (8, 8))),
    "float64": (Tile(32, 32, 8, (4, 4), 4), Tile(64, 64, 8, (4, 4))),
    "tf32": (
        Tile(32, 32, 16, (4, 4), 4, True), Tile(64, 64, 16, (4, 4), 1, True), Tile(128, 128, 8, (8, 8), 1, True)
    ),
}  # fmt: skip


def choices(kind: str, rows: Extent, columns: Extent, batch: Extent) -> list[tuple[Tile, Extent]]:
    """The tiles that a result may be cut into, each with a number that is 1 where it is taken and 0 elsewhere: the largest
    that still makes enough tiles."""
    found: list[tuple[Tile, Extent]] = []
    rest: Extent = 1
    for tile in reversed(TILES[kind][1:]):
        if tile.own[0] > 4 and not is_large(rows, columns):
            continue
        tiles = product(counts(tile, rows, columns)) * batch
        enough = smallest(1, floor_divide(tiles, ENOUGH))
        if enough != 0:
            found.append((tile, rest * enough))
        rest = rest * (1 - enough)
        if rest == 0:
            return found
    return [*found, (TILES[kind][0], rest)]


def counts(tile: Tile, rows: Extent, columns: Extent) -> tuple[Extent, Extent]:
    """How many tiles lie below and beside one another."""
    down, across = ((rows, tile.rows), (columns, tile.columns))
    return floor_divide(down[0] + (down[1] - 1), down[1]), floor_divide(across[0] + (across[1] - 1), across[1])


def is_large(rows: Extent, columns: Extent) -> bool:
    """Whether large tiles are worth a kernel: an extent is known to be large, and none to be small."""
    known = [n for n in (rows, columns) if isinstance(n, int)]
    return bool(known) and min(known) >= LARGE


class PanelWriter(GroupWriter):
    """Writes one kernel: what all products have in common."""

    module: GpuModule

    def __init__(
        self, module: GpuModule, pointers: dict[str, str], indices: set[Symbol], dtype: str, tile: Tile
    ) -> None:
        super().__init__(module, pointers, indices, THREADS, THREADS)
        self.dtype, self.tile = dtype, tile
        self.kind, self.bytes = LLVM_TYPE[dtype], ITEM_BYTES[dtype]
        self.side = 16 // self.bytes  # elements of one access to shared memory
        self.widths = {"a": tile.rows + tile.padding, "b": tile.columns + tile.padding}
        self.room = tile.depth * (self.widths["a"] + self.widths["b"])  # elements of a team's panels
        self.memory = f"@panels{len(module.kernels)}"
        self.first_row = self.first_column = self.depth = ""  # known when `enter` has been written

    # what each kind of product says

    @abstractmethod
    def enter(self, spot: str) -> OpenLoop | None:
        """Find where the tile begins (first_row, first_column) and how deep the sums are (depth); the loop over what several
        such products are, if there are several."""

    @abstractmethod
    def extent(self, name: str) -> str:
        """How many rows (of a) or columns (of b) the result has."""

    @abstractmethod
    def deep_first(self, name: str) -> bool:
        """Whether neighbouring elements of an operand are added up with one another."""

    @abstractmethod
    def rows_of(self, name: str, places: Sequence[str]) -> None:
        """What is the same for all panels: the rows (or columns) of an operand that this thread fetches from."""

    @abstractmethod
    def fetch(self, name: str, at: str, spots: Sequence[Spot]) -> list[Reg]:
        """The elements of a panel that begins at a place along the sums; 0 where the operand has ended."""

    @abstractmethod
    def result(self, i: str, j: str, total: Reg) -> None:
        """What becomes of an element of the result, which is there."""

    def leave(self) -> None:
        """Close what `enter` and `rows_of` have opened but the loop."""

    def goes_straight(self) -> bool:
        """Whether each thread stores what it has added up, not passing it through shared memory."""
        return False

    # the kernel

    def body(self) -> str:
        """The function's body."""
        tile = self.tile
        thread = self.special("tid")
        team = self.arithmetic("lshr", thread, str(tile.team.bit_length() - 1))
        self.in_team = self.arithmetic("and", thread, str(tile.team - 1))
        self.thread_row, self.thread_column = self.shares()
        self.panels = self.shared(self.arithmetic("mul", team, str(self.room)))
        every = self.enter(self.special("ctaid"))
        totals = [[self.accumulator() for _ in range(tile.own[1])] for _ in range(tile.own[0])]
        spots = {name: self.prepared(name) for name in "ab"}
        start = self.arithmetic("mul", team, str(tile.depth))
        # what a thread has added up is its own, so that nothing is shared but the panels
        steps = self.open_loop(self.depth, "0", tile.depth * tile.teams)
        at = self.arithmetic("add", steps.index, start)
        found = {name: self.fetch(name, at, spots[name]) for name in "ab"}
        self.meet()
        for name in "ab":
            for spot, value in zip(spots[name], found[name], strict=True):
                self.store(self.as_held(value), spot.shared)
        self.meet()
        sums = self.multiplied([[self.total(p) for p in row] for row in totals])
        for pointers, added in zip(totals, sums, strict=True):
            for pointer, total in zip(pointers, added, strict=True):
                self.line(f"store {self.kind} {total.text}, ptr {pointer}")
        self.close_loop(steps)
        values = [[self.total(p) for p in row] for row in totals]
        room = self.room * tile.teams
        if self.goes_straight():
            self.write(values)
        else:
            room = max(room, self.pass_on(values, team, thread))
        if every:
            self.meet()
        self.leave()
        if every:
            self.close_loop(every)
        self.line("ret void")
        declared = f"[{room} x {self.kind}] undef, align 16"
        self.declarations.add(f"{self.memory} = internal addrspace({SHARED}) global {declared}")
        return self.finished()

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

    # panels

    def spots(self, name: str) -> list[tuple[str, str]]:
        """(place along the rows or columns, place along the sums) of each element of a panel that this thread fetches,
        within the panel.

        Neighbouring threads take what lies side by side.
        """
        tile = self.tile
        along = tile.rows if name == "a" else tile.columns
        deep_first = self.deep_first(name)
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
        first, limit = self.first_row if name == "a" else self.first_column, self.extent(name)
        start = 0 if name == "a" else self.tile.depth * self.widths["a"]
        known: dict[str, tuple[str, int]] = {}
        places: list[str] = []
        found = []
        for spot, depth in self.spots(name):
            if spot not in known:
                i = self.arithmetic("add", first, spot)
                known[spot] = self.emit(f"icmp slt i64 {i}, {limit}", "bool").text, len(places)
                places.append(i)
            place = self.arithmetic("add", spot, self.arithmetic("mul", depth, str(self.widths[name])))
            shared = self.element(self.panels, self.dtype, self.arithmetic("add", place, str(start)))
            found.append(Spot(known[spot][0], depth, shared, known[spot][1]))
        self.rows_of(name, places)
        return found

    # what is a thread's own: rows and columns of the tile, each an element of base + offset

    def shares(self) -> tuple[str, str]:
        """(number of this thread among those that share the rows, among those that share the columns)."""
        per_row = self.tile.columns // self.tile.own[1]  # threads of a team side by side
        row = self.arithmetic("lshr", self.in_team, str(per_row.bit_length() - 1))
        return row, self.arithmetic("and", self.in_team, str(per_row - 1))

    def base(self, name: str, number: str) -> str:
        """Where the first of the rows (or columns) of the thread of this number stands."""
        return self.arithmetic("mul", number, str(self.side))

    def offset(self, name: str, k: int) -> int:
        """How far from there the k-th is: groups of one access to shared memory lie apart."""
        size, own = (self.tile.rows, self.tile.own[0]) if name == "a" else (self.tile.columns, self.tile.own[1])
        return k // self.side * (size // own) * self.side + k % self.side

    def as_held(self, value: Reg) -> Reg:
        """What stands in a panel of an element."""
        return value

    def multiplied(self, sums: list[list[Reg]]) -> list[list[Reg]]:
        """The sums of a thread with the product of the team's panels added to them."""
        tile = self.tile
        begins = {"a": 0, "b": tile.depth * self.widths["a"]}
        numbers = {"a": self.thread_row, "b": self.thread_column}
        bases = {name: self.element(self.panels, self.dtype, self.base(name, numbers[name])) for name in "ab"}
        vector = f"<{self.side} x {self.kind}>"
        for p in range(tile.depth):
            rows: dict[str, list[Reg]] = {"a": [], "b": []}
            for name, own in zip("ab", tile.own, strict=True):
                for first in range(0, own, self.side):
                    at = begins[name] + p * self.widths[name] + self.offset(name, first)
                    spot = self.element(bases[name], self.dtype, str(at))
                    found = self.emit(f"load {vector}, {self.typed(spot)}, align 16", self.dtype)
                    rows[name] += [self.lane(found, self.side, k) for k in range(self.side)]
            sums = [
                [self.fma(x, y, total) for y, total in zip(rows["b"], line, strict=True)]
                for x, line in zip(rows["a"], sums, strict=True)
            ]
        return sums

    # the result

    def write(self, values: list[list[Reg]]) -> None:
        """Store the thread's totals from where they are."""
        found: dict[str, list[tuple[str, str]]] = {"a": [], "b": []}
        numbers, firsts = (self.thread_row, self.thread_column), (self.first_row, self.first_column)
        for name, own, number, first in zip("ab", self.tile.own, numbers, firsts, strict=True):
            base = self.base(name, number)
            for k in range(own):
                i = self.arithmetic("add", first, self.arithmetic("add", base, str(self.offset(name, k))))
                found[name].append((i, self.emit(f"icmp slt i64 {i}, {self.extent(name)}", "bool").text))
        for (i, down), line in zip(found["a"], values, strict=True):
            for (j, across), value in zip(found["b"], line, strict=True):
                self.where_there(i, j, self.emit(f"and i1 {down}, {across}", "bool").text, value)

    def where_there(self, i: str, j: str, inside: str, value: Reg) -> None:
        """The element of the result, if it is one."""
        yes, join = self.fresh("inside"), self.fresh("join")
        self.branch(inside, yes, join)
        self.label(yes)
        self.open_scope()
        self.arms += 1
        self.result(i, j, value)
        self.arms -= 1
        self.close_scope()
        self.jump(join)
        self.label(join)

    def pass_on(self, values: list[list[Reg]], team: str, thread: str) -> int:
        """Bring the teams' totals together through shared memory, so that neighbouring threads have neighbours of the
        result; returns how many elements stood there at most."""
        tile = self.tile
        down = tile.rows // tile.own[0]  # threads of a team below one another
        some, pitch = self.side, tile.columns + 1  # rows of each thread at a time
        while some > 1 and down * some * pitch * tile.teams > STAGED:
            some //= 2
        size = down * some * pitch
        base = self.arithmetic("mul", team, str(size))
        begin = self.arithmetic("mul", self.thread_row, str(some))
        across = self.base("b", self.thread_column)
        columns = [self.arithmetic("add", across, str(self.offset("b", k))) for k in range(tile.own[1])]
        for first in range(0, tile.own[0], some):
            self.meet()
            for k in range(some):
                row = self.arithmetic("add", begin, str(k))
                line = self.arithmetic("add", base, self.arithmetic("mul", row, str(pitch)))
                for column, value in zip(columns, values[first + k], strict=True):
                    self.store(value, self.shared(self.arithmetic("add", line, column)))
            self.meet()
            each = self.open_loop(str(down * some * tile.columns), thread, THREADS, certain=True)
            row = self.arithmetic("lshr", each.index, str(tile.columns.bit_length() - 1))
            column = self.arithmetic("and", each.index, str(tile.columns - 1))
            spot = self.arithmetic("add", self.arithmetic("mul", row, str(pitch)), column)
            total = self.load(self.shared(spot), self.dtype)
            for other in range(1, tile.teams):
                more = self.load(self.shared(self.arithmetic("add", spot, str(other * size))), self.dtype)
                total = self.add(total, more)
            number = self.arithmetic("lshr", row, str(some.bit_length() - 1))  # of the thread whose row it is
            own = self.arithmetic("and", row, str(some - 1))
            own = self.arithmetic("mul", own, str(self.offset("a", 1))) if tile.tensor else own
            i = self.arithmetic("add", self.base("a", number), own)
            i = self.arithmetic("add", self.first_row, self.arithmetic("add", i, str(self.offset("a", first))))
            j = self.arithmetic("add", self.first_column, column)
            inner = self.emit(f"icmp slt i64 {i}, {self.extent('a')}", "bool").text
            outer = self.emit(f"icmp slt i64 {j}, {self.extent('b')}", "bool").text
            self.where_there(i, j, self.emit(f"and i1 {inner}, {outer}", "bool").text, total)
            self.close_loop(each)
        return size * tile.teams
