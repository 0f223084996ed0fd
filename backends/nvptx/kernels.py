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
from symdl.backends.llvm.titles import title
from symdl.backends.nvptx.carried import is_shared
from symdl.backends.nvptx.contractions import contracted, contraction_of
from symdl.backends.nvptx.groups import THREADS, WARP
from symdl.backends.nvptx.hazards import folds_of, has_dealt, may_be_dealt
from symdl.backends.nvptx.launches import Argument, Launch, Number, Pointer
from symdl.backends.nvptx.tiles import TileWriter, crossing
from symdl.backends.nvptx.writer import GpuModule, units
from symdl.backends.rungs.thinning import thinned
from symdl.ir.loops import For, Load, Stmt, Store, extents_in, is_value, place_of, walk
from symdl.ir.parallel import BLOCK_INDEX
from symdl.types import Extent, Symbol, floor_divide, polynomial, product, slope, smallest, symbols

MOST_BLOCKS = 1 << 13  # of a grid: the rest of the rounds come after
SHORT = 1024  # elements of a row that one warp takes
FEW = 1 << 14  # rounds that are too few to give each only one thread, if they are long
SMALL = 4  # elements of a row that one thread takes in any case
LITTLE = 64  # and where neighbouring threads read neighbouring memory

Way = Literal["threads", "tiles", "warps", "blocks"]


@dataclass(frozen=True)
class Part:
    """Statements that blocks of their own take: a parallel loop in one way, or statements for one block.

    loops: those whose rounds make up the grid, none for one block; inside: what a round is; when: 1 or 0.
    """

    loops: tuple[For, ...]
    inside: tuple[Stmt, ...]
    way: Way
    when: Extent = 1

    def blocks(self, lanes: int) -> Extent:
        """How many blocks take it, each thread so many neighbours at a time."""
        if not self.loops:
            return 1
        if self.way == "tiles":
            found = crossing(self.loops, self.inside)
            assert found is not None
            return smallest(found.tiles, MOST_BLOCKS)
        each = {"threads": THREADS, "warps": THREADS // WARP, "blocks": 1}[self.way]
        many = units(self.loops, lanes)
        return smallest(floor_divide(many + (each - 1), each), MOST_BLOCKS) * self.when


@dataclass(frozen=True)
class Written:
    """A kernel as it is called: its name, how many blocks it has, and whether it may fail."""

    name: str
    blocks: Extent
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
    if (sums := contraction_of(body)) is not None:
        return contracted(module, body, sums, buffers, sizes, arguments, step)
    found = []
    for parts in kernels_of(body):
        made = written(module, body, parts, buffers, sizes, own, ranged)
        found.append(Launch(made.name, (made.blocks, 1, 1), THREADS, arguments, step))
    return found


def kernels_of(body: tuple[Stmt, ...]) -> list[list[Part]]:
    """The kernels that a loop nest becomes, each of so many parts: one for each way to take a parallel loop that is alone,
    otherwise one for all."""
    parts: list[Part] = []
    single: list[Stmt] = []
    for s in body:
        if is_spread((s,)):
            assert isinstance(s, For)
            if single:
                parts.append(Part((), tuple(single), "blocks"))
                single = []
            loops, inside = rounds_of(s)
            parts += [Part(tuple(loops), inside, way, when) for way, when in ways(loops, inside)]
        else:
            single.append(s)
    if single:
        parts.append(Part((), tuple(single), "blocks"))
    return [[part] for part in parts] if is_spread(body) else [parts]


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
    if isinstance(longest, int) and longest <= SMALL:
        return [("threads", 1)]
    if beside_threads(loops, inside):
        rounds = product(x.extent for x in loops)
        if not isinstance(rounds, int) or rounds > FEW or (isinstance(longest, int) and longest <= LITTLE):
            return [("threads", 1)]
    if isinstance(longest, int):
        return [("warps" if longest <= SHORT else "blocks", 1)]
    if symbols(longest) & {x.index for x in walk(*loops, *inside) if isinstance(x, For)}:
        return [("blocks", 1)]
    is_long = smallest(1, floor_divide(longest, SHORT + 1))
    return [("warps", 1 - is_long), ("blocks", is_long)]


def length(body: Sequence[Stmt]) -> Extent:
    """The longest loop that is dealt out among statements, or inside them."""
    longest: Extent = 0
    for s in body:
        if isinstance(s, For):
            found = units([s], 1) if may_be_dealt(s) or is_shared(s) else length(s.body)
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
    parts: Sequence[Part],
    buffers: dict[str, bool],
    sizes: Sequence[Symbol],
    own: set[Symbol],
    ranged: bool,
) -> Written:
    """The kernel for parts of a loop nest, written only once."""
    key = tuple(part.way for part in parts), ranged, signature(body, list(buffers))
    found = module.made.get(key)
    if found is None:
        found = module.made[key] = _written(module, title(body), parts, buffers, sizes, own, ranged)
        module.kernels[key] = found.name
    module.checks = module.checks or found.checks
    return found


def _written(
    module: GpuModule,
    stem: str,
    parts: Sequence[Part],
    buffers: dict[str, bool],
    sizes: Sequence[Symbol],
    own: set[Symbol],
    ranged: bool,
) -> Written:
    pointers = {name: f"%b{k}" for k, name in enumerate(buffers)}
    writer = TileWriter(module, pointers, own, 1, THREADS)
    writer.ranged = ranged
    writer.scopes[0].symbols.update({s: f"%s{k}" for k, s in enumerate(sizes)})
    block = writer.special("ctaid")
    total: Extent = 0
    done = writer.fresh("done")
    for part in parts:
        blocks = part.blocks(writer.taken(part.loops[-1]) if part.way == "threads" else 1)
        if len(parts) == 1:
            write_part(writer, part, block, writer.special("nctaid"))
        else:
            here, other = writer.fresh("part"), writer.fresh("other")
            own_block = writer.arithmetic("sub", block, writer.size(total))
            count = writer.size(blocks)
            writer.branch(writer.emit(f"icmp ult {writer.word} {own_block}, {count}", "bool").text, here, other)
            writer.label(here)
            writer.open_scope()
            write_part(writer, part, own_block, count)
            writer.close_scope()
            writer.jump(done)
            writer.label(other)
        total = total + blocks
    if len(parts) > 1:
        writer.jump(done)
        writer.label(done)
    writer.line("ret void")
    kinds = ["ptr addrspace(1) %status"]
    apart = all(part.way in ("threads", "tiles") for part in parts)  # where threads meet, what is written is read anew
    for k, is_written in enumerate(buffers.values()):
        facts = "" if is_written and not apart else " noalias" if is_written else " noalias readonly"
        kinds.append(f"ptr addrspace(1){facts} %b{k}")
    kinds += [f"i64 %s{k}" for k in range(len(sizes))]
    name = module.entry(stem, f"({', '.join(kinds)})", writer.finished(), writer, THREADS)
    return Written(name, total, writer.checks)


def write_part(writer: TileWriter, part: Part, block: str, blocks: str) -> None:
    """What one block, of so many, does."""
    size = {"threads": 1, "warps": WARP}.get(part.way, THREADS)
    group, groups = writer.begin(size, block, blocks)
    loops = part.loops
    if not loops:
        writer.cooperate(part.inside)
    elif part.way == "tiles":
        shape = crossing(loops, part.inside)
        assert shape is not None
        writer.tiles(shape, part.inside, group, groups)
    elif part.way == "threads":
        writer.shared_out(loops, group, groups, writer.vectors_of(loops[-1]))
    else:
        opened = writer.open_loop(writer.size(units(loops, 1)), group, groups)
        writer.nests.append(Nest(opened.before, changed_in(part.inside) | {("index", str(x.index)) for x in loops}))
        writer.scopes[-1].symbols[loops[-1].index] = writer.define_indices(loops, opened.index, 1)
        writer.cooperate(part.inside)
        writer.nests.pop()
        writer.close_loop(opened)
