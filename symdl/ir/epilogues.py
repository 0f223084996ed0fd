"""Products of matrices and the kernels that use each of their elements once, as one step.

The machine then runs such a kernel on each block of the product while the block is in its cache. A kernel can be an
epilogue if it is one loop nest over the rows and columns of the product, each round of which reads only its own element
of the product and of whatever the kernel writes. What nothing but the kernel reads is computed where the kernel's result
goes. Where that is not possible, as in the update of a weight by its gradient, a product needs no memory at all; but
blocks apart from one another cost more than they save while the product fits a cache, so only larger ones are joined.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from symdl.ir.loops import Load, Store, View, walk
from symdl.ir.program import Buffer, Call, If, Kernel, Loop, Program, Step, accesses, is_epilogue
from symdl.ir.renaming import all_within, rename, within
from symdl.types import product

NEAR = 32  # steps between a product and its epilogue at most: the search stays linear
BEYOND_CACHES = 32 << 20  # bytes


def with_epilogues(program: Program, beyond: int = BEYOND_CACHES) -> Program:
    """The program with kernels joined to the products that they read. beyond: bytes from which on a product that fits
    no result of its kernel is joined nevertheless."""
    joiner = Joiner(program, beyond)
    steps = joiner.joined(program.steps)
    used = {v.buffer for s in all_within(steps) for v, _ in accesses(s)}
    buffers = {name: b for name, b in program.buffers.items() if b.kind != "temp" or name in used}
    return replace(program, steps=steps, buffers=buffers)


class Joiner:
    """One program whose kernels are being joined to products."""

    def __init__(self, program: Program, beyond: int) -> None:
        self.buffers: Mapping[str, Buffer] = program.buffers
        self.beyond = beyond
        self.users = Counter(b for s in all_within(program.steps) for b in {v.buffer for v, _ in accesses(s)})

    def joined(self, steps: Sequence[Step]) -> tuple[Step, ...]:
        """The steps, and those inside them, with kernels joined to products."""
        out: list[Step | None] = []
        written: dict[str, int] = {}  # buffer -> the last step that writes it
        for step in steps:
            at = len(out)
            match step:
                case Loop(_, _, body):
                    step = replace(step, body=self.joined(body))
                case If(_, then, other):
                    step = replace(step, then=self.joined(then), other=self.joined(other))
                case Kernel():
                    read = {written[v.buffer] for v, _ in accesses(step) if v.buffer in written}
                    place = max((k for k in read if k >= at - NEAR and isinstance(out[k], Call)), default=-1)
                    if place >= 0 and (found := self.fused(out, place, step)) is not None:
                        out[place] = None
                        step, at = found
            if at == len(out):
                out.append(step)
            else:
                out[at] = step
            written.update({v.buffer: max(at, written.get(v.buffer, 0)) for v in writes(step)})
        return tuple(s for s in out if s is not None)

    def fused(self, steps: Sequence[Step | None], place: int, kernel: Kernel) -> tuple[Call, int] | None:
        """The product at a place with the kernel, which would come next, as its epilogue, and where it may stand: at the
        end of the steps if the product may move there, else at its place if the kernel may. None if neither may, or if it
        does not pay."""
        call = steps[place]
        if not isinstance(call, Call) or call.epilogue or call.name != "matmul":
            return None
        made = Call(call.name, call.views, tuple(sorted({*call.sources, *kernel.sources})), kernel.body)
        if not is_epilogue(made):
            return None
        between = [s for step in steps[place + 1 :] if step is not None for s in within(step)]
        read = {v.buffer for s in between for v, _ in accesses(s)}
        changed = {v.buffer for s in between for v, w in accesses(s) if w}
        *operands, result = call.views
        if result.buffer not in read and not changed & {v.buffer for v in operands}:
            at = len(steps)
        else:
            touched = {v.buffer for v, _ in kernel.accesses}
            stored = {v.buffer for v, w in kernel.accesses if w}
            # after the first write to a shared value nothing may fail or be interrupted
            early = between and any(self.buffers[b].kind == "shared" for b in stored)
            if touched & changed or stored & read or early:
                return None
            at = place
        found = self.placed(made)
        return None if found is None else (found, at)

    def placed(self, call: Call) -> Call | None:
        """The step, its product in memory that is needed anyway; as it is where the product is kept or large; or None."""
        result = call.views[-1]
        stores = [x for x in walk(*call.epilogue) if isinstance(x, Store)]
        alone = self.buffers[result.buffer].kind == "temp" and self.users[result.buffer] == 2
        if not alone or any(x.view.buffer == result.buffer for x in stores):
            return call
        loaded = {x.view.buffer for x in walk(*call.epilogue) if isinstance(x, Load)}
        last = stores[-1]  # nothing reads the product after it
        if last.view == replace(result, buffer=last.view.buffer) and last.view.buffer not in loaded:
            moved = rename(call, {result.buffer: last.view.buffer})
            if isinstance(moved, Call) and is_epilogue(moved):
                return moved
        size = product(result.shape) * np.dtype(result.dtype).itemsize
        return call if isinstance(size, int) and size >= self.beyond else None


def writes(step: Step) -> list[View]:
    """What a step and those inside it write."""
    return [v for s in within(step) for v, w in accesses(s) if w]
