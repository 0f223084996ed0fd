"""Products of float matrices as launches, with what else becomes of their elements: bias, activation, update of a weight.

All extents and strides are numbers at run time, so that products of one kind share a kernel; a stride that is known to be
1 says which way a panel is read, so that neighbouring threads read neighbours. A product that is known to be large
keeps its epilogue as a kernel of its own: a library may then take it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symdl.backends.builder import Reg
from symdl.backends.llvm.kernels import signature
from symdl.backends.llvm.module import OpenLoop
from symdl.backends.llvm.steps import stacked_rows
from symdl.backends.nvptx.groups import THREADS
from symdl.backends.nvptx.launches import Argument, Launch, Number, Pointer, Product
from symdl.backends.nvptx.panels import MOST_BATCHES, PanelWriter, Spot, Tile, choices, counts
from symdl.backends.nvptx.tensor_cores import TensorPanelWriter
from symdl.backends.nvptx.writer import GpuModule
from symdl.ir.loops import For, Load, Ref, Stmt, Store, View, extents_in, walk
from symdl.ir.program import Call
from symdl.ir.rebuilding import rebuilt
from symdl.types import Symbol, polynomial, product, smallest, symbols

TOTAL = "_product"  # an element of a product, in its epilogue


@dataclass(frozen=True)
class Epilogue:
    """What is done with an element of a product.

    body: statements of one element, at the place (row, column), which stands in TOTAL; kept: whether it is stored, too;
    buffers: beside those of the product, and whether they are written; sizes: what extents of the body are made of.
    """

    row: Symbol
    column: Symbol
    body: tuple[Stmt, ...]
    kept: bool
    buffers: dict[str, bool]
    sizes: tuple[Symbol, ...]


def product_of(module: GpuModule, call: Call, step: int, passing: bool = False, ranged: bool = False) -> Product:
    """The launches of a product of float32 or float64 matrices. passing: nothing but the epilogue reads the result, which
    has no memory; ranged: see `Program.may_be_single`."""
    a, b, c = stacked_rows(*call.views) if not call.epilogue else call.views
    then = epilogue_of(call, passing) if call.epilogue else None
    batch = c.shape[:-2]
    names = pointers_of((a, b, c), then)
    numbers = [c.shape[-2], c.shape[-1], a.shape[-1]]
    numbers += [n for v in (a, b, c) for n in (v.offset, *v.strides[-2:])]
    numbers += [n for k, extent in enumerate(batch) for n in (extent, *(v.strides[k] for v in (a, b, c)))]
    numbers += [polynomial([((s,), 1)]) for s in then.sizes] if then else []
    arguments: list[Argument] = [Pointer(buffer) for buffer, _ in names]
    arguments += [Number("int64", n) for n in numbers]
    own = []
    (m, n), many = c.shape[-2:], product(batch)
    for tile, when in choices(module.multiplies(c.dtype), m, n, many):
        kinds = tuple(ways(v) for v in (a, b, c))
        name = gemm(module, c.dtype, tile, kinds, len(batch), names, then, ranged)
        down, across = counts(tile, m, n)
        grid = down * when, across, smallest(many, MOST_BATCHES)
        own.append(Launch(name, grid, THREADS, tuple(arguments), step))
    return Product(step, call, tuple(own), alone=not call.epilogue)


def ways(view: View) -> str:
    """r where neighbours in a row lie side by side, c where those in a column do, else a dot."""
    return "r" if view.strides[-1] == 1 else "c" if view.strides[-2] == 1 else "."


def pointers_of(views: Sequence[View], then: Epilogue | None) -> list[tuple[str, str]]:
    """(buffer, parameter) of a kernel."""
    names = [(v.buffer, f"%{name}") for v, name in zip(views, "abc", strict=True)]
    if then is None:
        return names
    if not then.kept and views[2].buffer not in then.buffers:
        names.pop()
    known = {buffer for buffer, _ in names}
    return names + [(buffer, f"%e{k}") for k, buffer in enumerate(b for b in then.buffers if b not in known)]


def epilogue_of(call: Call, passing: bool) -> Epilogue:
    """The epilogue of a product, an element at a time."""
    c = call.views[-1]
    match call.epilogue:
        case (For(row, _, (For(column, _, inner),)),):
            pass
        case _:
            raise AssertionError("verified: an epilogue is a nest over rows and columns")
    items = walk(*inner)
    total = Ref(TOTAL, c.dtype)
    body = rebuilt(inner, {id(x): total for x in items if isinstance(x, Load) and x.view.buffer == c.buffer})
    items = walk(*body)
    buffers: dict[str, bool] = {}
    used: dict[Symbol, None] = {}
    for item in items:
        if isinstance(item, Load | Store):
            buffers[item.view.buffer] = buffers.get(item.view.buffer, False) or isinstance(item, Store)
        for extent in extents_in(item):
            used.update(dict.fromkeys(sorted(symbols(extent), key=lambda s: s.order)))
    overwritten = any(buffers[name] for name in buffers if name == c.buffer)
    sizes = tuple(s for s in used if s not in (row, column))
    return Epilogue(row, column, body, not passing and not overwritten, buffers, sizes)


def gemm(
    module: GpuModule,
    dtype: str,
    tile: Tile,
    kinds: tuple[str, ...],
    batch: int,
    names: Sequence[tuple[str, str]],
    then: Epilogue | None,
    ranged: bool,
) -> str:
    """The name of the kernel for a tile, the ways that operands lie, so many leading axes, and an epilogue."""
    known = dict(reversed(names))
    more = None
    if then:
        where = tuple((known[b], written) for b, written in then.buffers.items())
        more = then.row, then.column, then.kept, ranged, where, signature(then.body, list(then.buffers))
    key = "gemm", dtype, tile, kinds, batch, more
    if key not in module.made:
        writer = TensorMatrixWriter if tile.tensor else MatrixWriter
        module.made[key] = writer(module, dtype, tile, kinds, batch, names, then, ranged).kernel()
        module.kernels[key] = module.made[key]
    name: str = module.made[key]
    return name


class MatrixWriter(PanelWriter):
    """Writes the kernel of a product of matrices."""

    def __init__(
        self,
        module: GpuModule,
        dtype: str,
        tile: Tile,
        kinds: tuple[str, ...],
        batch: int,
        names: Sequence[tuple[str, str]],
        then: Epilogue | None,
        ranged: bool,
    ) -> None:
        pointers = dict(reversed(names))
        indices = {then.row, then.column} if then else set()
        super().__init__(module, pointers, indices, dtype, tile)
        self.spaces.update({pointer: 1 for _, pointer in names})
        self.ranged = ranged
        self.kinds, self.batch, self.names, self.then = kinds, batch, names, then
        self.strides = {}
        for name, way in zip("abc", kinds, strict=True):
            self.strides[name] = "1" if way == "c" else f"%{name}.row", "1" if way == "r" else f"%{name}.column"
        self.rows: dict[str, list[str]] = {}
        if then:
            self.scopes[0].symbols.update({s: f"%s{k}" for k, s in enumerate(then.sizes)})
            self.dtypes[TOTAL] = dtype

    def kernel(self) -> str:
        """The name of the kernel."""
        tile, then = self.tile, self.then
        body = self.body()
        numbers = ["%m", "%n", "%k"]
        numbers += [f"%{name}.{part}" for name in "abc" for part in ("offset", "row", "column")]
        numbers += [f"%{name}{k}" for k in range(self.batch) for name in ("batch", "a.batch", "b.batch", "c.batch")]
        numbers += [f"%s{k}" for k in range(len(then.sizes))] if then else []
        written = then.buffers if then else {}
        kinds = ["ptr addrspace(1) %status"]
        for buffer, name in self.names:
            kept = name in ("%a", "%b") or not written.get(buffer, name == "%c")
            kinds.append(f"ptr addrspace(1) noalias{' readonly' if kept else ''} {name}")
        kinds += [f"i64 {n}" for n in numbers]
        stem = f"gemm_{self.module.multiplies(self.dtype)}_{tile.rows}x{tile.columns}_"
        blocks = 2 if tile.own[0] > 4 else 1
        return self.module.entry(stem, f"({', '.join(kinds)})", body, self, THREADS, blocks)

    def goes_straight(self) -> bool:
        return self.then is None and self.tile.teams == 1

    # the operands

    def enter(self, spot: str) -> OpenLoop | None:
        self.depth = "%k"
        self.first_row = self.arithmetic("mul", spot, str(self.tile.rows))
        self.first_column = self.arithmetic("mul", self.special("ctaid.y"), str(self.tile.columns))
        every = self.open_batch()
        self.starts = self.batch_starts(every.index) if every else {n: f"%{n}.offset" for n in "abc"}
        return every

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

    def extent(self, name: str) -> str:
        return "%m" if name == "a" else "%n"

    def deep_first(self, name: str) -> bool:
        return self.kinds["ab".index(name)] == ("r" if name == "a" else "c")

    def rows_of(self, name: str, places: Sequence[str]) -> None:
        stride = self.strides[name][0 if name == "a" else 1]
        self.rows[name] = [self.arithmetic("add", self.times(i, stride), self.starts[name]) for i in places]

    def fetch(self, name: str, at: str, spots: Sequence[Spot]) -> list[Reg]:
        stride = self.strides[name][1 if name == "a" else 0]
        begin = self.times(at, stride)
        left = self.arithmetic("sub", self.depth, at)
        deep: dict[str, tuple[str, str]] = {}
        found = []
        for spot in spots:
            if spot.depth not in deep:
                there = self.emit(f"icmp slt i64 {spot.depth}, {left}", "bool").text
                deep[spot.depth] = there, self.arithmetic("add", begin, self.times(spot.depth, stride))
            there, further = deep[spot.depth]
            inside = self.emit(f"and i1 {spot.inside}, {there}", "bool").text
            place = self.arithmetic("add", self.rows[name][spot.row], further)
            place = self.emit(f"select i1 {inside}, i64 {place}, i64 {self.starts[name]}", "int64").text
            value = self.load(self.element(f"%{name}", self.dtype, place), self.dtype)
            found.append(self.select(Reg(inside, "bool"), value, self.const(0, self.dtype)))
        return found

    def times(self, place: str, stride: str) -> str:
        return place if stride == "1" else self.arithmetic("mul", place, stride)

    # the result

    def result(self, i: str, j: str, total: Reg) -> None:
        then = self.then
        if then is None or then.kept:
            row, column = (self.times(n, stride) for n, stride in zip((i, j), self.strides["c"], strict=True))
            place = self.arithmetic("add", self.arithmetic("add", row, self.starts["c"]), column)
            self.store(total, self.element("%c", self.dtype, place))
        if then is None:
            return
        self.scopes[-1].symbols.update({then.row: i, then.column: j})
        self.forget({("variable", TOTAL)})
        self.line(f"store {self.kind} {total.text}, ptr {self.variable(TOTAL)}")
        for statement in then.body:
            self.statement(statement)


class TensorMatrixWriter(TensorPanelWriter, MatrixWriter):
    """The same by tensor cores."""
