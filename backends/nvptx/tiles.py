"""Elementwise kernels that read memory across the order in which they write it: in tiles, through shared memory.

A block of threads fetches a tile of 32 x 32 elements in the order in which they lie, and takes them in the other order, so
that every access of neighbouring threads is to neighbouring memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symdl.backends.llvm.module import ITEM_BYTES, MEMORY_TYPE, Landing
from symdl.backends.llvm.statements import Nest, changed_in
from symdl.backends.nvptx.carrying import CarryWriter
from symdl.backends.nvptx.groups import THREADS, WARP
from symdl.backends.nvptx.writer import SHARED
from symdl.ir.loops import Barrier, For, Guard, Load, Stmt, Store, View, contiguous, is_value, parts, place_of, walk
from symdl.ir.rebuilding import rebuilt
from symdl.number_forms import WIDE
from symdl.types import Extent, Symbol, floor_divide, product, slope, symbol

SIDE = 32  # of a tile
PITCH = SIDE + 1  # elements from row to row, so that neither order meets a bank twice
DOWN, ACROSS = Symbol("_down"), Symbol("_across")  # places in a tile


@dataclass(frozen=True)
class Crossing:
    """Two of a kernel's loops: neighbours along `columns` are written side by side, while what is staged lies side by side
    along `rows`."""

    rows: For
    columns: For
    others: tuple[For, ...]
    staged: tuple[Load, ...]

    @property
    def tiles(self) -> Extent:
        """How many tiles there are."""
        return product(n for _, n in self.counted)

    @property
    def counted(self) -> list[tuple[For, Extent]]:
        """The loops whose rounds, and whose tiles, are counted."""
        sides = [(x, floor_divide(x.extent + (SIDE - 1), SIDE)) for x in (self.rows, self.columns)]
        return [*((x, x.extent) for x in self.others), *sides]


def crossing(loops: Sequence[For], inside: tuple[Stmt, ...]) -> Crossing | None:
    """How the rounds of loops cross, if they do."""
    items = walk(*inside)
    if len(loops) < 2 or any(isinstance(x, For | Barrier) for x in items):
        return None
    stores = [x for x in items if isinstance(x, Store)]
    columns = next((x for x in reversed(loops) if all(beside(s, x.index) for s in stores)), None)
    if columns is None:
        return None
    stored = {s.view.buffer for s in stores}
    across = [x for x in certain(inside) if x.view.buffer not in stored and is_across(x, columns.index)]
    best: tuple[For, list[Load]] | None = None
    for rows in loops:
        if rows is columns:
            continue
        found = [x for x in across if beside(x, rows.index)]
        if found and (best is None or len(found) > len(best[1])):
            best = rows, found
    if best is None:
        return None
    rows, staged = best
    return Crossing(rows, columns, tuple(x for x in loops if x is not rows and x is not columns), tuple(staged))


def beside(use: Load | Store, index: Symbol) -> bool:
    """Whether neighbouring rounds touch neighbouring elements."""
    return not any(map(is_value, use.at)) and slope(place_of(use.view, use.at), index) in (1, -1)


def is_across(load: Load, index: Symbol) -> bool:
    """Whether neighbouring rounds read elements far apart."""
    if any(map(is_value, load.at)) or load.view.dtype in WIDE:
        return False
    return slope(place_of(load.view, load.at), index) not in (None, 0, 1, -1)


def certain(body: Sequence[Stmt]) -> list[Load]:
    """Loads that are made in any case: not those on the sides of guards."""
    found: dict[int, Load] = {}
    seen: set[int] = set()
    stack = list(body)
    while stack:
        item = stack.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, Load):
            found[id(item)] = item
        if not isinstance(item, Guard):
            stack += reversed(parts(item))
    return list(found.values())


class TileWriter(CarryWriter):
    """Writes such a kernel, for blocks of threads."""

    def tiles(self, shape: Crossing, inside: tuple[Stmt, ...], first: str, step: str) -> None:
        """All tiles, of which first, first + step, ... are this block's."""
        self.module.kernels.setdefault(("tiles", len(self.module.kernels)), "")  # so that names stay apart
        same: dict[tuple[View, tuple[object, ...]], Load] = {}
        instead = {}
        for k, load in enumerate(shape.staged):
            kept = same.get((load.view, load.at))
            if kept is None:
                name = f"tile{k}"
                kept = Load(contiguous(name, load.dtype, (SIDE, PITCH)), (symbol(ACROSS.name), symbol(DOWN.name)))
                same[load.view, load.at] = kept
                memory = f"@tile{len(self.module.kernels)}.{k}"
                room = f"[{SIDE * PITCH} x {MEMORY_TYPE[load.dtype]}] undef, align {max(ITEM_BYTES[load.dtype], 4)}"
                self.declarations.add(f"{memory} = internal addrspace({SHARED}) global {room}")
                self.pointers[name] = memory
                self.spaces[memory] = SHARED
            instead[id(load)] = kept
        body = rebuilt(inside, instead)
        loops = (*shape.others, shape.rows, shape.columns)
        self.indices |= {DOWN, ACROSS}
        everything = changed_in(body) | {("index", str(x.index)) for x in loops}
        everything |= {("index", str(DOWN)), ("index", str(ACROSS))}
        low = self.arithmetic("and", self.in_group, str(WARP - 1))
        high = self.arithmetic("lshr", self.in_group, "5")
        opened = self.open_loop(self.size(shape.tiles), first, step)
        self.nests.append(Nest(opened.before, everything))
        extents = [self.size(n) for _, n in shape.counted]
        rest, places = opened.index, []
        with Landing(self, self.scopes[-1]):
            for n in reversed(extents[1:]):
                places.append(self.arithmetic("urem", rest, n))
                rest = self.arithmetic("udiv", rest, n)
            places.append(rest)
            places.reverse()
            corner = [self.arithmetic("mul", p, str(SIDE)) for p in places[-2:]]
        for loop, place in zip(shape.others, places, strict=False):
            self.scopes[-1].symbols[loop.index] = place
        once = {id(instead[id(x)]): x for x in shape.staged}  # of several loads of one element, one
        for fetching in (True, False):
            lines = self.open_loop(str(SIDE), high, str(THREADS // WARP), certain=True)
            self.nests.append(Nest(lines.before, everything))
            down, across = (low, lines.index) if fetching else (lines.index, low)
            with Landing(self, self.scopes[-1]):
                i = self.arithmetic("add", corner[0], down)
                j = self.arithmetic("add", corner[1], across)
            self.scopes[-1].symbols.update({DOWN: down, ACROSS: across, shape.rows.index: i, shape.columns.index: j})
            inner = self.emit(f"icmp slt {self.word} {i}, {self.size(shape.rows.extent)}", "bool").text
            other = self.emit(f"icmp slt {self.word} {j}, {self.size(shape.columns.extent)}", "bool").text
            yes, join = self.fresh("there"), self.fresh("join")
            self.branch(self.emit(f"and i1 {inner}, {other}", "bool").text, yes, join)
            self.label(yes)
            self.open_scope()
            self.arms += 1  # what is read there must not be read where there is nothing
            if fetching:
                for load in once.values():
                    kept = instead[id(load)]
                    self.statement(Store(kept.view, kept.at, load))
            else:
                for statement in body:
                    self.statement(statement)
            self.arms -= 1
            self.close_scope()
            self.jump(join)
            self.label(join)
            self.nests.pop()
            self.close_loop(lines)
            self.meet()
        self.nests.pop()
        self.close_loop(opened)
