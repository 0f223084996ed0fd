"""What a machine offers: compile a Program once, call it with arrays as often as you like.

    executable = backend.compile(program, constants)        # or backend.load(interface, code, constants): a warm start
    bound = executable.bind(inputs, shareds)                # sizes; nothing is computed yet
    if bound.status: ...                                    # check number bound.status - 1 does not hold; bound.sizes says why
    status, outputs = executable.execute(bound)             # 0, or the status of a failure: interface.failures[status - FIRST_FAILURE]

The sequences stand in the order of interface.of_kind("input"), ("shared"), ("constant") and ("output"). Arrays must have
the buffer's dtype and number of axes; they are NumPy arrays on the CPU, and what else a machine keeps its memory in.
Inputs and constants are read only: where one is not in C order (or not aligned) a copy is made. Shared arrays are
updated in place when, and only when, execute returns status 0; no other array may overlap them. execute raises what a
signal handler raised (KeyboardInterrupt); nothing shared has been changed then. An Executable may be called by several
threads at once, if each has its own shared arrays or only one of them is inside at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, MutableMapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from symdl.backends.interface import Interface
from symdl.backends.routines import Routine
from symdl.ir.program import Program
from symdl.records import record
from symdl.types import Symbol


@record(slots=True)
class Bound:
    """Arrays that a Program may be run on, once, and the sizes found in them.

    status is 0, or 1 + k where check k does not hold (the sizes are valid then, too). The rest belongs to the machine.
    """

    status: int
    sizes: dict[Symbol, int]
    arrays: tuple[Any, ...] = ()
    machine: Any = None


class Place(Protocol):
    """A memory beside the host's, whose arrays have shape, dtype, ndim and numpy()."""

    def uploaded(self, array: Any) -> Any:
        """A copy there of an array of the host."""

    def lying_there(self, value: Any) -> Any:
        """value as an array of this memory, without a copy; None for what does not lie there."""


class Executable(Protocol):
    """A compiled Program."""

    interface: Interface

    @property
    def code(self) -> bytes:
        """What backend.load takes: holds no address, may be kept on disk for this machine."""

    def bind(self, inputs: Sequence[Any], shareds: Sequence[Any] = ()) -> Bound:
        """Find the sizes and check the program's facts."""

    def execute(self, bound: Bound) -> tuple[int, tuple[Any, ...]]:
        """(status, outputs): new arrays, or none where the status is not 0."""

    def when_optimized(self, action: Callable[[bytes | None], None], keep: bool = False) -> None:
        """Call action(code) when the code is what it will stay: now, or later, from the thread that optimizes it (with None
        where that has failed). keep: even if nobody has the Executable any more."""

    def keep(self, stay: Sequence[bool]) -> None:
        """Which outputs come out as arrays of the machine's own memory, where it has one."""

    def entry(self, inputs: Sequence[Any], shareds: Sequence[Any], turns: Any, kind: Any, limit: int) -> Any:
        """The native way into it (`entry.Entry`), or None where calls come through bind and execute."""


class Backend(Protocol):
    """A machine and its compiler."""

    name: str
    store: MutableMapping[str, bytes] | None  # where code is kept
    cut: bool  # whether it takes Programs whose loops are cut into blocks for threads

    @property
    def place(self) -> Place | None:
        """Where shared arrays lie, if not on the host."""

    def fingerprint(self) -> str:
        """Whatever the code depends on beside the Program: a cache of code must not mix two of these."""

    def preparing(self, names: Collection[str]) -> AbstractContextManager[None]:
        """What is done beside the making of a Program that is known to call libraries of these names."""

    def compile(
        self, program: Program, constants: Sequence[Any] = (), *, routines: Sequence[Routine] = ()
    ) -> Executable:
        """Machine code for a verified Program. routines: what Calls of routines call, by number."""

    def load(
        self, interface: Interface, code: bytes, constants: Sequence[Any] = (), routines: Sequence[Routine] = ()
    ) -> Executable:
        """The same without compiling, from the interface and code of an earlier Executable, perhaps of another process.
        Raises ValueError, KeyError, TypeError or ProgramError for code that is none."""


class GpuBackend(Backend, Protocol):
    """What a GPU's compiler shows beside: its kernels as text, and what they take."""

    def as_run(self, program: Program) -> Program:
        """The Program whose steps the kernels are of: cut for a GPU."""

    def functions_of(self, program: Program) -> dict[str, list[int]]:
        """By name of a kernel, the numbers of the steps of `as_run` that it belongs to."""

    def text(self, program: Program) -> str:
        """The LLVM IR of all kernels."""

    def assembly(self, program: Program) -> str:
        """The PTX of all kernels."""

    def view(self, program: Program) -> str:
        """All kernels as CUDA C, to be read."""

    def timed(
        self, program: Program, constants: Sequence[Any], routines: Sequence[Routine]
    ) -> tuple[Executable, Taken]:
        """An Executable with clocks around its launches, and what reads them."""

    def limits(self) -> tuple[float, dict[str, float]]:
        """(bytes in a second, operations in a second by dtype) at most; 0 and nothing where that is not known."""

    def described(self) -> str:
        """The device in words."""


class Taken(Protocol):
    """Clocks of an Executable."""

    def taken(self) -> dict[int, tuple[float, int]]:
        """By number of a step: (seconds, runs) since the last time."""
