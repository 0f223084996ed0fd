"""What a GPU is to do for a Program: launches of kernels in order, calls of the host, loops and branches over both.

    Item = Launch(kernel, grid, block, arguments) | HostCall(call) | Product(call, own) | Repeat(counter, steps, body)
         | Choose(condition, then, other)

Grids and numbers are extents, evaluated at the sizes of a call and the counters of the Repeats around. A kernel's
parameters are the address of the status word, then its arguments in order, 8 bytes each. Knows no driver.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from symdl.ir.loops import View
from symdl.ir.program import Call, Program
from symdl.types import Extent, Symbol


@dataclass(frozen=True)
class Pointer:
    """The address of a buffer of the Program, so many bytes after its start."""

    buffer: str
    offset: Extent = 0


@dataclass(frozen=True)
class Number:
    """A size, stride, offset or counter: value at the sizes of the call, as a dtype of 8 bytes."""

    dtype: str
    value: Extent


Argument = Pointer | Number
Grid = tuple[Extent, Extent, Extent]


@dataclass(frozen=True)
class Launch:
    """One kernel on a grid of blocks of `block` threads each; a grid with a 0 (or less) is not launched.

    step is the number of the Program's step that it belongs to, in the order of `all_steps` (a Loop or If before what
    is in it): for profiles and names. shared is the dynamic shared memory in bytes.
    """

    kernel: str
    grid: Grid
    block: int
    arguments: tuple[Argument, ...]
    step: int
    shared: int = 0


@dataclass(frozen=True)
class HostCall:
    """A routine (LAPACK, sorting, a user's Python function): operands come to the host, results go back."""

    step: int
    call: Call


@dataclass(frozen=True)
class Product:
    """A product of float matrices: the run time takes `own`, or, where nothing else becomes of its elements (`alone`), a
    library instead."""

    step: int
    call: Call
    own: tuple[Launch, ...]
    alone: bool = True


@dataclass(frozen=True)
class Repeat:
    """The body for each value of the counter below steps; where `stop` (one bool) is True after a round, it ends."""

    counter: Symbol
    steps: Extent
    body: tuple[Item, ...]
    stop: View | None = None


@dataclass(frozen=True)
class Choose:
    """One of two lists of items, by one bool in memory."""

    condition: View
    then: tuple[Item, ...]
    other: tuple[Item, ...]


Item = Launch | HostCall | Product | Repeat | Choose


@dataclass(frozen=True)
class GpuProgram:
    """A Program for a GPU: the text of all its kernels (one LLVM module for nvptx64) and what to do in order.

    program: the Program as it is cut for a GPU, which the steps of launches number (in the order of `all_steps`): it has
    the inputs and results of the one that was given, kernels in other pieces, and temps and arena slots of its own.
    status: a kernel's index check may set the status word (0 is good; else a code as in Program.failures), which every
    kernel has as its first parameter whether it does or not.
    """

    program: Program
    text: str
    items: tuple[Item, ...]
    status: bool = False


def launches(items: tuple[Item, ...]) -> Iterator[Launch]:
    """Every Launch, also inside loops, branches and products."""
    stack = list(reversed(items))
    while stack:
        item = stack.pop()
        match item:
            case Launch():
                yield item
            case Product(own=own):
                yield from own
            case Repeat(body=body):
                stack += reversed(body)
            case Choose(then=then, other=other):
                stack += reversed((*then, *other))
