"""Sums of products of two arrays, as convolutions are, in tiles: each element is fetched from where it lies, so that no
matrix of windows is ever made.

    for n, o, p, q: total = 0                                  rows     n, p, q    what only the images' place and the
                    for c, u, v:                                                   result's depend on
                        total += x[n, c, p+u, q+v] * f[o, c, u, v]   columns  o    ... and the filters'
                    y[n, o, p, q] = total                      over     c, u, v    what is added up

An element's place is a sum of what its row says and of what its place along the sums says; the first is found once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from symdl.backends.builder import Reg
from symdl.backends.llvm.kernels import signature
from symdl.backends.llvm.module import OpenLoop
from symdl.backends.nvptx.groups import THREADS
from symdl.backends.nvptx.launches import Argument, Launch
from symdl.backends.nvptx.panels import MOST_BATCHES, PanelWriter, Spot, Tile, choices, counts
from symdl.backends.nvptx.tensor_cores import TensorPanelWriter
from symdl.backends.nvptx.writer import GpuModule
from symdl.ir.loops import Apply, Assign, Const, For, Guard, Load, Local, Ref, Stmt, Store, is_value, place_of, walk
from symdl.types import Extent, Symbol, polynomial, product, replace_symbols, slope, smallest, symbol, symbols, terms_of

LEAST = 4  # rows and columns, where they are known: fewer leave a tile empty


@dataclass(frozen=True)
class Operand:
    """What is read, by which of the loops its place goes, and where it is inside of bounds."""

    load: Load
    loops: tuple[For, ...]
    bounds: tuple[tuple[Extent, Extent], ...]


@dataclass(frozen=True)
class Contraction:
    """Loops of the result (those of the rows are a's, those of the columns b's, those of the batch of both), loops of the
    sums, what is added up, and what becomes of the total, called so."""

    a: Operand
    b: Operand
    batch: tuple[For, ...]
    over: tuple[For, ...]
    total: str
    dtype: str
    after: tuple[Stmt, ...]

    @property
    def extents(self) -> tuple[Extent, Extent]:
        """Rows and columns of the result."""
        rows, columns = (product(x.extent for x in operand.loops) for operand in (self.a, self.b))
        return rows, columns

    @property
    def depth(self) -> Extent:
        """Terms of a sum; none where nothing is inside of bounds."""
        found = product(x.extent for x in self.over)
        for _, n in (*self.a.bounds, *self.b.bounds):
            if not isinstance(n, int):
                found = found * smallest(1, n)
        return found


def contraction_of(body: tuple[Stmt, ...]) -> Contraction | None:
    """The sums of products that a loop nest is, if that is all that it is, and worth tiles."""
    rounds: list[For] = []
    while len(body) == 1 and isinstance(loop := body[0], For):
        rounds.append(loop)
        body = loop.body
    match body:
        case (Local(name, Const(start, dtype)), For() as loop, *after) if start == 0 and dtype in (
            "float32",
            "float64",
        ):
            pass
        case _:
            return None
    over = [loop]
    while len(over[-1].body) == 1 and isinstance(inner := over[-1].body[0], For):
        over.append(inner)
    bounds: tuple[tuple[Extent, Extent], ...] = ()
    match over[-1].body:
        case (Assign(same, Apply("add", (Ref(old, _), term), _)),) if same == old == name:
            pass
        case _:
            return None
    if isinstance(term, Guard):
        if not isinstance(term.other, Const) or term.other.number != 0:
            return None
        bounds, term = term.bounds, term.value
    match term:
        case Apply("mul", (Load() as left, Load() as right), of) if of == dtype:
            pass
        case _:
            return None
    if any(isinstance(x, For | Assign) for x in walk(*after)) or not all(isinstance(s, Store) for s in after):
        return None
    found = _roles(rounds, over, left, right, bounds)
    if found is None:
        return None
    one, two, batch = found
    columns = {x.index for x in two.loops}
    if any(
        slope(place_of(s.view, s.at), i) == 1 for i in {x.index for x in one.loops} - columns for s in stores(after)
    ):
        one, two = two, one  # neighbouring columns are neighbours of the result
    made = Contraction(one, two, batch, tuple(over), name, dtype, tuple(after))
    return made if all(not isinstance(n, int) or n >= LEAST for n in made.extents) else None


def stores(after: Sequence[Stmt]) -> list[Store]:
    """The stores whose places are known."""
    return [s for s in after if isinstance(s, Store) and not any(map(is_value, s.at))]


def _roles(
    rounds: Sequence[For], over: Sequence[For], left: Load, right: Load, bounds: tuple[tuple[Extent, Extent], ...]
) -> tuple[Operand, Operand, tuple[For, ...]] | None:
    """The operands with their loops, and the loops of both."""
    if any(is_value(i) for x in (left, right) for i in x.at):
        return None
    uses = [symbols(place_of(x.view, x.at)) for x in (left, right)]
    outside = {s for i, n in bounds for s in symbols(i) | symbols(n)}
    inner, outer = {x.index for x in over}, {x.index for x in rounds}
    of = next((k for k in (0, 1) if outside & (inner | outer) <= uses[k] | inner), None)
    if of is None:
        return None
    uses[of] = uses[of] | outside
    batch = tuple(x for x in rounds if all(x.index in u for u in uses))
    rows, columns = (tuple(x for x in rounds if x.index in u and x not in batch) for u in uses)
    if not rows or not columns or len(rows) + len(columns) + len(batch) != len(rounds):
        return None
    if any(symbols(x.extent) & (inner | outer) for x in rounds):
        return None
    if any(symbols(x.extent) & ((inner | outer) - {y.index for y in batch}) for x in over):
        return None
    return Operand(left, rows, bounds if of == 0 else ()), Operand(right, columns, bounds if of == 1 else ()), batch


def contracted(
    module: GpuModule,
    body: tuple[Stmt, ...],
    found: Contraction,
    buffers: Mapping[str, bool],
    sizes: Sequence[Symbol],
    arguments: tuple[Argument, ...],
    step: int,
) -> list[Launch]:
    """The launches of sums of products, which have these parameters."""
    many = product(x.extent for x in found.batch)
    made = []
    for tile, when in choices(module.multiplies(found.dtype), *found.extents, many):
        key = "contraction", tile, signature(body, list(buffers))
        if key not in module.made:
            writer = TensorContractionWriter if tile.tensor else ContractionWriter
            module.made[key] = writer(module, found, tile, buffers, sizes).kernel()
            module.kernels[key] = module.made[key]
        down, across = counts(tile, *found.extents)
        grid = down * across * when, 1, smallest(many, MOST_BATCHES)
        made.append(Launch(module.made[key], grid, THREADS, arguments, step))
    return made


class ContractionWriter(PanelWriter):
    """Writes the kernel of sums of products."""

    def __init__(
        self,
        module: GpuModule,
        found: Contraction,
        tile: Tile,
        buffers: Mapping[str, bool],
        sizes: Sequence[Symbol],
    ) -> None:
        pointers = {name: f"%b{k}" for k, name in enumerate(buffers)}
        loops = (*found.a.loops, *found.b.loops, *found.batch, *found.over)
        super().__init__(module, pointers, {x.index for x in loops}, found.dtype, tile)
        self.shape, self.buffers, self.sizes = found, buffers, sizes
        self.read = {"a": found.a, "b": found.b}
        self.scopes[0].symbols.update({s: f"%s{k}" for k, s in enumerate(sizes)})
        self.dtypes[found.total] = found.dtype
        self.limits: dict[str, str] = {}
        self.opened = 0  # scopes that hold what is the same for all panels

    def kernel(self) -> str:
        """The name of the kernel."""
        tile = self.tile
        body = self.body()
        kinds = ["ptr addrspace(1) %status"]
        for k, written in enumerate(self.buffers.values()):
            kinds.append(f"ptr addrspace(1) noalias{'' if written else ' readonly'} %b{k}")
        kinds += [f"i64 %s{k}" for k in range(len(self.sizes))]
        stem = f"contract_{self.module.multiplies(self.dtype)}_{tile.rows}x{tile.columns}_"
        blocks = 2 if tile.own[0] > 4 else 1
        return self.module.entry(stem, f"({', '.join(kinds)})", body, self, THREADS, blocks)

    # where

    def enter(self, spot: str) -> OpenLoop | None:
        rows, columns = self.shape.extents
        self.limits = {"a": self.size(rows), "b": self.size(columns)}
        across = self.size(counts(self.tile, rows, columns)[1])
        down, beside = self.arithmetic("udiv", spot, across), self.arithmetic("urem", spot, across)
        self.first_row = self.arithmetic("mul", down, str(self.tile.rows))
        self.first_column = self.arithmetic("mul", beside, str(self.tile.columns))
        every = None
        if self.shape.batch:
            many = self.size(product(x.extent for x in self.shape.batch))
            every = self.open_loop(many, self.special("ctaid.z"), str(MOST_BATCHES))
            places = self.digits(self.shape.batch, every.index)
            self.open_scope().symbols.update(places)
            self.opened += 1
        self.depth = self.size(self.shape.depth)
        return every

    def leave(self) -> None:
        while self.opened:
            self.close_scope()
            self.opened -= 1

    def extent(self, name: str) -> str:
        return self.limits[name]

    def digits(self, loops: Sequence[For], number: str) -> dict[Symbol, str]:
        """The indices of loops right inside one another from the number of a round."""
        found: dict[Symbol, str] = {}
        for loop in reversed(loops[1:]):
            extent = self.size(loop.extent)
            found[loop.index] = self.arithmetic("urem", number, extent)
            number = self.arithmetic("udiv", number, extent)
        found[loops[0].index] = number
        return found

    def deep_first(self, name: str) -> bool:
        operand = self.read[name]
        place = place_of(operand.load.view, operand.load.at)
        deep, own = self.shape.over[-1], operand.loops[-1]
        if slope(place, deep.index) not in (1, -1):
            return False
        if slope(place, own.index) != 1:
            return True
        return not isinstance(own.extent, int) or (isinstance(deep.extent, int) and deep.extent >= own.extent)

    # operands

    def rows_of(self, name: str, places: Sequence[str]) -> None:
        loops = self.read[name].loops
        known: dict[Symbol, str] = {}
        for k, place in enumerate(places):
            known |= {named(name, k, index): digit for index, digit in self.digits(loops, place).items()}
        self.open_scope().symbols.update(known)
        self.opened += 1

    def fetch(self, name: str, at: str, spots: Sequence[Spot]) -> list[Reg]:
        operand = self.read[name]
        load, over = operand.load, self.shape.over
        depths = list(dict.fromkeys(spot.depth for spot in spots))
        known: dict[Symbol, str] = {}
        there: dict[str, str] = {}
        for k, depth in enumerate(depths):
            p = self.arithmetic("add", at, depth)
            there[depth] = self.emit(f"icmp slt i64 {p}, {self.depth}", "bool").text
            known |= {named("deep", k, index): digit for index, digit in self.digits(over, p).items()}
        self.open_scope().symbols.update(known)
        place = place_of(load.view, load.at)
        found = []
        for spot in spots:
            where = partial(self.part_of, name, spot.row, depths.index(spot.depth))
            inside = self.emit(f"and i1 {spot.inside}, {there[spot.depth]}", "bool").text
            for i, n in operand.bounds:
                one = self.emit(f"icmp ult i64 {where(i)}, {where(n)}", "bool").text
                inside = self.emit(f"and i1 {inside}, {one}", "bool").text
            begin = self.size(load.view.offset) if not symbols(load.view.offset) & self.indices else "0"
            spotted = self.emit(f"select i1 {inside}, i64 {where(place)}, i64 {begin}", "int64").text
            value = self.load(self.element(self.pointers[load.view.buffer], self.dtype, spotted), self.dtype)
            found.append(self.select(Reg(inside, "bool"), value, self.const(0, self.dtype)))
        self.close_scope()
        return found

    def part_of(self, name: str, row: int, depth: int, extent: Extent) -> str:
        """An extent in one of the rows of an operand, so deep: what the row says and what the depth says apart, as long as
        they are apart."""
        own = {x.index: symbol(named(name, row, x.index).name) for x in self.read[name].loops}
        deep = {x.index: symbol(named("deep", depth, x.index).name) for x in self.shape.over}
        alone: list[Any] = []  # terms of the row
        deeper: list[Any] = []  # of the depth
        both: list[Any] = []
        for atoms, k in terms_of(extent):
            used = symbols(polynomial([(atoms, k)]))
            kind = both if used & own.keys() and used & deep.keys() else deeper if used & deep.keys() else alone
            kind.append((atoms, k))
        total = ""
        for terms in (alone, deeper, both):
            part = replace_symbols(polynomial(terms), own | deep)
            if part != 0:
                total = self.arithmetic("add", total, self.size(part)) if total else self.size(part)
        return total or "0"

    # the result

    def result(self, i: str, j: str, total: Reg) -> None:
        found = self.shape
        places = self.digits(found.a.loops, i) | self.digits(found.b.loops, j)
        self.open_scope().symbols.update(places)
        self.forget({("variable", found.total)})
        self.line(f"store {self.kind} {total.text}, ptr {self.variable(found.total)}")
        for statement in found.after:
            self.statement(statement)
        self.close_scope()


class TensorContractionWriter(TensorPanelWriter, ContractionWriter):
    """The same by tensor cores."""


def named(name: str, number: int, index: Symbol) -> Symbol:
    """The symbol for an index in one of the rows, or depths, that a thread fetches from."""
    return Symbol(f"_{name}{number}_{index}")
