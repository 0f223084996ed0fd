"""A Program for a GPU: library calls that are loops here, loops cut into many independent rounds, kernels in pieces that run
one after the other.

As `symdl.ir.parallel`, with pieces for thousands of threads: the lengths of blocks follow from sizes alone, so that results
depend on no machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from symdl.backends.llvm.library import copy_loops
from symdl.backends.nvptx.arranging import arranged
from symdl.backends.nvptx.contractions import contraction_of
from symdl.backends.nvptx.library import convolution_nest, framed, in_pieces, matmul_nest
from symdl.backends.nvptx.panels import is_large
from symdl.ir.arena import plan
from symdl.ir.epilogues import with_epilogues
from symdl.ir.loops import For, Stmt
from symdl.ir.parallel import BLOCK_INDEX, Carried, Cutter, fills, visits
from symdl.ir.program import CONVOLUTIONS, Buffer, Call, If, Kernel, Loop, Program, Step, accesses, may_fail, verify
from symdl.ir.renaming import within
from symdl.types import Extent, at_most, floor_divide, largest, symbols

SMALL = 256  # visits of a loop that is known to be little work: one block of threads does it with its neighbours
BLOCKS = 1024  # of one sum at most: as many numbers as one block of threads then adds up
ELEMENTS = 4096  # that a block of a sum visits at least
COLUMNS = 1 << 15  # threads that share the columns of a sum, as far as there are rows
ROWS = 8  # that a thread adds up at least
MOST_PARTS, MOST_ITEMS = 12, 600  # of a kernel that is put together: statements, and all that stands in them
LEAST = 4  # rounds of a block that keeps a row of its own


def for_gpu(program: Program) -> Program:
    """The Program with the same inputs and results, cut for a GPU, its memory planned anew."""
    program = with_epilogues(program, 0)
    temps: dict[str, Buffer] = {}
    steps = served(program.steps, temps)
    program = replace(program, buffers={**program.buffers, **temps})
    users: dict[str, int] = {}
    for step in steps:
        for part in within(step):
            for name in {v.buffer for v, _ in accesses(part)}:
                users[name] = users.get(name, 0) + 1
    cut = GpuCutter(replace(program, steps=steps), users).program()
    made = plan(replace(cut, steps=together(cut, cut.steps)))
    verify(made)
    return made


def served(steps: tuple[Step, ...], made: dict[str, Buffer]) -> tuple[Step, ...]:
    """The steps, with Calls left only where a library of ours or the host serves them; temps that they need go to `made`."""
    out: list[Step] = []
    for step in steps:
        match step:
            case Call("copy", (a, c)):
                out.append(Kernel(copy_loops(a, c), step.sources))
            case Call("matmul", (a, b, c)) if not c.dtype.startswith("float"):
                out.append(Kernel(matmul_nest(a, b, c), step.sources))
            case Call("convolve_filters", (*_, f)) if f.dtype.startswith("float") and (
                pieces := in_pieces(step, f"_pieces{len(made)}")
            ):
                view, making, adding = pieces
                made[view.buffer] = Buffer(view.buffer, view.dtype, view.shape, "temp")
                out += [Kernel(making, step.sources), Kernel(adding, step.sources)]
            case Call("convolve", borders=(_, *_)):
                view, making, rest = framed(step, f"_framed{len(made)}")
                made[view.buffer] = Buffer(view.buffer, view.dtype, view.shape, "temp")
                out += [Kernel(making, step.sources), Kernel(convolution_nest(rest), step.sources)]
            case Call(name) if name in CONVOLUTIONS:
                out.append(Kernel(convolution_nest(step), step.sources))
            case Call("matmul", (*_, c), epilogue=body) if body and is_large(*c.shape[-2:]):
                out += [replace(step, epilogue=()), Kernel(body, step.sources)]
            case Loop(body=inside):
                out.append(replace(step, body=served(inside, made)))
            case If(condition, then, other):
                out.append(If(condition, served(then, made), served(other, made)))
            case _:
                out.append(step)
    return tuple(out)


def together(program: Program, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps with neighbouring kernels that need nothing of one another as one, so that they are launched together."""
    out: list[Step] = []
    for step in steps:
        match step:
            case Kernel() if out and isinstance(out[-1], Kernel) and may_join(program, out[-1], step):
                sources = tuple(dict.fromkeys((*out[-1].sources, *step.sources)))
                out[-1] = Kernel((*out[-1].body, *step.body), sources)
            case Loop(body=inside):
                out.append(replace(step, body=together(program, inside)))
            case If(condition, then, other):
                out.append(If(condition, together(program, then), together(program, other)))
            case _:
                out.append(step)
    return tuple(out)


def may_join(program: Program, first: Kernel, second: Kernel) -> bool:
    """Whether two kernels may run at once, as parts of one."""
    if len(first.body) + len(second.body) > MOST_PARTS or len(first.items) + len(second.items) > MOST_ITEMS:
        return False
    if program.may_be_single(first) != program.may_be_single(second):
        return False
    if any(contraction_of(k.body) is not None for k in (first, second)):
        return False
    if any(may_fail(k) for k in (first, second)):
        return False  # no value may have been written where a check fails
    touched = [({v.buffer for v, _ in k.accesses}, {v.buffer for v, w in k.accesses if w}) for k in (first, second)]
    (uses, writes), (others, changes) = touched
    return not (writes & others or changes & uses)


class GpuCutter(Cutter):
    """A Cutter for thousands of threads."""

    by_columns = False
    tries = False

    def __init__(self, program: Program, users: Mapping[str, int]) -> None:
        super().__init__(program, users)

    def kernels(self, kernel: Kernel) -> list[Step]:
        """Cut, rearranged, and cut again where rearranging has made independent loops."""
        if contraction_of(kernel.body) is not None:
            return [kernel]
        out: list[Step] = []
        for step in super().kernels(kernel):
            assert isinstance(step, Kernel)
            out += super().kernels(replace(step, body=arranged(step.body)))
        return out

    def cut(self, loop: For, waiting: list[Stmt]) -> tuple[For, list[Stmt]] | None:
        if loop.schedule == "parallel":
            return loop, []
        little = at_most(loop.extent, 1) or at_most(visits(loop), SMALL)
        carried = None if little else self.carried(loop, waiting)
        if carried is None:
            return None
        if not carried.sums and not carried.rows and not carried.temps:
            return replace(loop, schedule="parallel"), []
        if loop.index.name == BLOCK_INDEX:
            return None  # it adds up what blocks have found
        length = self.length(loop, carried)
        if at_most(loop.extent, length) or not symbols(loop.extent) | symbols(length) <= self.sizes:
            return None
        return self.blocks(loop, carried, length)

    def length(self, loop: For, carried: Carried) -> Extent:
        """Rounds in a block: so many that there are at most BLOCKS, and each is worth a group of threads."""
        per_round: Extent = 0
        for item in loop.body:
            if isinstance(item, For):
                per_round = largest(per_round, visits(item))
        least = floor_divide(loop.extent + (BLOCKS - 1), BLOCKS)
        if carried.sums:
            few = ELEMENTS if per_round == 0 else floor_divide(ELEMENTS, largest(per_round, 1))
            return largest(largest(least, few), 1)
        if carried.temps or not self.are_columns(loop):
            return largest(least, LEAST if carried.rows else 1)
        return largest(largest(least, floor_divide(loop.extent * per_round, COLUMNS)), ROWS)

    def are_columns(self, loop: For) -> bool:
        """Whether a round is one loop over the accumulators, so that each thread may go down a column."""
        return len(loop.body) == 1 and isinstance(loop.body[0], For) and not fills(loop)
