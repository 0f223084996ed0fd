"""One loop nest to kernels, and the launches that run it.

A parallel loop, with those right inside it, becomes a grid: a thread a round where the rounds are small or where
neighbouring threads then read neighbouring memory, else a group of threads a round: one warp for short rows, all threads of
a block for long ones. Where the length of a row is known only at run time there are both kernels, and one of the grids is
empty. Everything else is done by the threads of one block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from symdl.backends.llvm.chunks import is_spread
from symdl.backends.llvm.kernels import signature
from symdl.backends.llvm.statements import Nest, changed_in
from symdl.backends.llvm.thinning import thinned
from symdl.backends.llvm.titles import title
from symdl.backends.nvptx.groups import THREADS, WARP
from symdl.backends.nvptx.hazards import folds_of, has_dealt, may_be_dealt
from symdl.backends.nvptx.launches import Argument, Grid, Launch, Number, Pointer
from symdl.backends.nvptx.tiles import TileWriter, crossing
from symdl.backends.nvptx.writer import GpuModule, units
from symdl.loops import For, Load, Stmt, Store, extents_in, is_value, place_of, walk
from symdl.parallel import BLOCK_INDEX
from symdl.types import Extent, Symbol, floor_divide, polynomial, product, slope, smallest, symbols

MOST_BLOCKS = 1 << 13  # of a grid: the rest of the rounds come after
SHORT = 1024  # elements of a row that one warp takes
FEW = 1 << 14  # rounds that are too few to give each only one thread, if they are long
SMALL = 4  # elements of a row that one thread takes in any case
LITTLE = 64  # and where neighbouring threads read neighbouring memory

Way = Literal["threads", "tiles", "warps", "blocks"]


@dataclass(frozen=True)
class Written:
    """A kernel as it is called: name, and how many rounds one unit of the grid takes."""

    name: str
    lanes: int
    checks: bool


def launches_of(module: GpuModule, body: tuple[Stmt, ...], step: int, ranged: bool = False) -> list[Launch]:
    """What runs a loop nest. ranged: see `Program.may_be_single`."""
    body = thinned(body)
    buffers: dict[str, bool] = {}
    own: set[Symbol] = set()
    used: dict[Symbol, None] = {}
    for item in walk(*body):
        if isinstance(item, For):
            own.add(item.index)
        if isinstance(item, Load | Store):
            buffers[item.view.buffer] = buffers.get(item.view.buffer, False) or isinstance(item, Store)
        for extent in extents_in(item):
            used.update(dict.fromkeys(sorted(symbols(extent), key=lambda s: s.order)))
    sizes = [s for s in used if s not in own]
    arguments: tuple[Argument, ...] = (
        *map(Pointer, buffers),
        *(Number("int64", polynomial([((s,), 1)])) for s in sizes),
    )
    if not is_spread(body):
        made = written(module, body, buffers, sizes, own, ranged, "blocks")
        return [Launch(made.name, (1, 1, 1), THREADS, arguments, step)]
    assert isinstance(body[0], For)
    loops, inside = rounds_of(body[0])
    found = []
    for way, when in ways(loops, inside):
        made = written(module, body, buffers, sizes, own, ranged, way)
        found.append(Launch(made.name, grid(loops, way, made.lanes, when), THREADS, arguments, step))
    return found


def grid(loops: Sequence[For], way: Way, lanes: int, when: Extent) -> Grid:
    """How many blocks run the rounds of loops; when: 1 or 0."""
    if way == "tiles":
        found = crossing(loops, loops[-1].body)
        assert found is not None
        return smallest(found.tiles, MOST_BLOCKS), 1, 1
    each = {"threads": THREADS, "warps": THREADS // WARP, "blocks": 1}[way]
    many = units(loops, lanes)
    return smallest(floor_divide(many + (each - 1), each), MOST_BLOCKS) * when, 1, 1


def rounds_of(loop: For) -> tuple[list[For], tuple[Stmt, ...]]:
    """The loops whose rounds make up the grid, and what one round is."""
    loops = [loop]
    while len(loops[-1].body) == 1 and isinstance(inner := loops[-1].body[0], For):
        if symbols(inner.extent) & {x.index for x in loops} or folds_of(inner) != {}:
            break
        loops.append(inner)
    return loops, loops[-1].body


def ways(loops: Sequence[For], inside: tuple[Stmt, ...]) -> list[tuple[Way, Extent]]:
    """Who takes a round, and when (1 or 0)."""
    if not has_dealt(inside):
        return [("threads" if crossing(loops, inside) is None else "tiles", 1)]
    if combines(inside):
        return [("warps", 1)]
    longest = length(inside)
    known = isinstance(longest, int)
    if known and longest <= SMALL:  # type: ignore[operator]  # it is an int
        return [("threads", 1)]
    if beside_threads(loops, inside):
        rounds = product(x.extent for x in loops)
        if not isinstance(rounds, int) or rounds > FEW or (known and longest <= LITTLE):  # type: ignore[operator]  # likewise
            return [("threads", 1)]
    if known:
        return [("warps" if longest <= SHORT else "blocks", 1)]  # type: ignore[operator]  # likewise
    if symbols(longest) & {x.index for x in walk(*loops, *inside) if isinstance(x, For)}:
        return [("blocks", 1)]
    is_long = smallest(1, floor_divide(longest, SHORT + 1))
    return [("warps", 1 - is_long), ("blocks", is_long)]


def length(body: Sequence[Stmt]) -> Extent:
    """The longest loop that is dealt out among statements, or inside them."""
    longest: Extent = 0
    for s in body:
        if isinstance(s, For):
            found = units([s], 1) if may_be_dealt(s) else length(s.body)
            if isinstance(found, int) and isinstance(longest, int):
                longest = max(found, longest)
            elif isinstance(longest, int):
                longest = found
    return longest


def combines(body: Sequence[Stmt]) -> bool:
    """Whether a round adds up what blocks have found."""
    return any(isinstance(x, For) and x.index.name == BLOCK_INDEX for x in walk(*body))


def beside_threads(loops: Sequence[For], inside: tuple[Stmt, ...]) -> bool:
    """Whether one thread a round reads memory beside that of the next thread, all the time."""
    index = loops[-1].index
    for item in walk(*inside):
        if isinstance(item, Load | Store) and not any(map(is_value, item.at)):
            step = slope(place_of(item.view, item.at), index)
            if not isinstance(step, int) or not -2 <= step <= 2:
                return False
    return True


def written(
    module: GpuModule,
    body: tuple[Stmt, ...],
    buffers: dict[str, bool],
    sizes: Sequence[Symbol],
    own: set[Symbol],
    ranged: bool,
    way: Way,
) -> Written:
    """The kernel for a loop nest, written only once."""
    key = way, ranged, signature(body, list(buffers))
    found = module.made.get(key)
    if found is None:
        found = module.made[key] = _written(module, body, buffers, sizes, own, ranged, way)
        module.kernels[key] = found.name
    module.checks = module.checks or found.checks
    return found


def _written(
    module: GpuModule,
    body: tuple[Stmt, ...],
    buffers: dict[str, bool],
    sizes: Sequence[Symbol],
    own: set[Symbol],
    ranged: bool,
    way: Way,
) -> Written:
    size = {"threads": 1, "warps": WARP}.get(way, THREADS)
    pointers = {name: f"%b{k}" for k, name in enumerate(buffers)}
    writer = TileWriter(module, pointers, own, size, THREADS)
    writer.ranged = ranged
    writer.scopes[0].symbols.update({s: f"%s{k}" for k, s in enumerate(sizes)})
    group, groups = writer.places()
    lanes = 1
    if not is_spread(body):
        writer.cooperate(body)
    else:
        assert isinstance(body[0], For)
        loops, inside = rounds_of(body[0])
        if way == "tiles":
            shape = crossing(loops, inside)
            assert shape is not None
            writer.tiles(shape, inside, group, groups)
        elif way == "threads":
            plan = writer.vectors_of(loops[-1])
            lanes = plan.lanes if plan else 1
            writer.shared_out(loops, group, groups, plan)
        else:
            opened = writer.open_loop(writer.size(units(loops, 1)), group, groups)
            writer.nests.append(Nest(opened.before, changed_in(inside) | {("index", str(x.index)) for x in loops}))
            writer.scopes[-1].symbols[loops[-1].index] = writer.define_indices(loops, opened.index, 1)
            writer.cooperate(inside)
            writer.nests.pop()
            writer.close_loop(opened)
    writer.line("ret void")
    kinds = ["ptr addrspace(1) %status"]
    apart = way in ("threads", "tiles")  # where threads meet, what another has written must be read anew
    for k, is_written in enumerate(buffers.values()):
        facts = "" if is_written and not apart else " noalias" if is_written else " noalias readonly"
        kinds.append(f"ptr addrspace(1){facts} %b{k}")
    kinds += [f"i64 %s{k}" for k in range(len(sizes))]
    name = module.entry(title(body), f"({', '.join(kinds)})", writer.finished(), writer, THREADS)
    return Written(name, lanes, writer.checks)
