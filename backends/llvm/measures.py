"""What `enter` tells the caller beside the sizes: bytes of the arena, about how much work a run is, extents of outputs."""

from __future__ import annotations

from collections.abc import Sequence

from symdl.backends.llvm.chunks import cost
from symdl.backends.llvm.library import convolution_loops, convolution_work, matmul_loops
from symdl.backends.llvm.steps import uses_library
from symdl.ir.program import CONVOLUTIONS, Call, If, Kernel, Loop, Program, Step
from symdl.types import Extent, Symbol, product, replace_symbols, terms_of

ROUND = 32  # of a Loop, beside its steps; in units of `chunks`, as all work
COPIED = 8  # one element of a copy
MOST = (1 << 31) - 1  # long by any measure
MOST_TERMS = 200  # a longer sum is not worth its code: the run then counts as long


def extents_of(program: Program) -> list[Extent]:
    """The extents of all outputs, one after the other."""
    return [n for b in program.of_kind("output") for n in b.shape]


def work(program: Program) -> Extent:
    """About how much work a run of the Program is, never less than what it counts between its looks for an interrupt."""
    total = _work(program.steps, {})
    return total if len(terms_of(total)) <= MOST_TERMS else MOST


def _work(steps: Sequence[Step], full: dict[Symbol, Extent]) -> Extent:
    """full: for the counters of the Loops around the steps, and of those before them, the largest value."""
    total: Extent = 0
    for step in steps:
        match step:
            case Kernel(body):
                here = cost(body)
            case Call("matmul", (a, b, c)):
                here = product((*c.shape, a.shape[-1])) if uses_library(step) else cost(matmul_loops(a, b, c))
            case Call(name, _) if name in CONVOLUTIONS:
                here = convolution_work(step) if uses_library(step) else cost(convolution_loops(step))
            case Call(_, views):
                here = product(views[-1].shape) * COPIED
            case Loop(counter, count, body):
                count = replace_symbols(count, full)
                full |= {counter: count}
                here = count * (_work(body, full) + ROUND)
            case If(_, then, other):
                here = _work(then, full) + _work(other, full)
        total = total + replace_symbols(here, full)
    return total
