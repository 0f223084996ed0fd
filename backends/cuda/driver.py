"""Driver: all that symdl asks of a GPU's driver. The emulator, pycuda and cuda.bindings each offer it.

    address = driver.allocate(4096)                        # device memory, 256-byte aligned; addresses are plain ints
    driver.upload(address, array, stream)                  # and download, copy, fill
    function = driver.load(code).function("k0")
    driver.launch(function, (blocks, 1, 1), 256, 0, packed, stream)   # packed: the parameters, 8 bytes each
    driver.synchronize(stream)

One order holds for all of it: the order of a stream. A driver belongs to one device and may be called by several
threads; it sees to it that its context is current in the thread that calls. `launch` copies the packed parameters
before it returns. `upload` and `download` return when the host's array may be touched again.

Errors are symdl's own: CudaMemoryError where memory is refused (nothing has changed then), CudaUnavailableError where
there is no driver or device, DeviceLostError where the device can no longer be used by this process, CudaError for the
rest. A driver that checks (the emulator) reports what it found from `synchronize` or `launch`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol

import numpy as np

Array = np.ndarray[Any, Any]
Grid = tuple[int, int, int]
Own = Any  # a stream, event or function that the driver has made itself: it takes no other's
Packed = bytearray  # a kernel's parameters as they stand in memory: 8-byte words
ALIGNMENT = 256  # of every allocation, and of the slots within an arena


class Stream(Protocol):
    """An order in which a device works. handle: the CUstream, for those who share it; 0 where there is none."""

    @property
    def handle(self) -> int: ...


class Event(Protocol):
    """A point in a stream's work, and when it was reached."""

    def record(self, stream: Own) -> None: ...

    def synchronize(self) -> None: ...


class Function(Protocol):
    """A kernel on the device."""

    name: str


class Module(Protocol):
    """Loaded code. log: what the device's own compiler said."""

    log: str

    def function(self, name: str) -> Function:
        """The kernel of this name. Raises CudaError where there is none."""


class Graph(Protocol):
    """Launches and copies that were captured, to be launched as one."""

    def launch(self, stream: Own) -> None: ...


class Driver(Protocol):
    """One device. See the module for the rules that all of it keeps."""

    @property
    def name(self) -> str:
        """ "emulator", "pycuda", "cuda.bindings"."""

    @property
    def takes(self) -> Literal["llvm", "ptx"]:
        """What `load` is given: the module's LLVM IR, or the PTX made from it."""

    @property
    def can_capture(self) -> bool:
        """Whether `capture` may be called."""

    @property
    def attributes(self) -> Mapping[str, int | str]:
        """What is known of the device: name, multiprocessors, clock_khz, memory_bytes, driver_version, ...; as far as
        the driver tells."""

    def device_count(self) -> int: ...

    def capability(self) -> tuple[int, int]:
        """(major, minor): (9, 0) is sm_90."""

    def memory_info(self) -> tuple[int, int]:
        """(free, total) bytes of the device."""

    def attached(self) -> AbstractContextManager[None]:
        """The body has the device's context in its thread, for a library that works beside the driver."""

    # ---- memory ----

    def allocate(self, bytes_: int) -> int:
        """New device memory, aligned to ALIGNMENT. 0 bytes are an address, too. Raises CudaMemoryError."""

    def free(self, address: int) -> None:
        """Give an allocation back, after all work that was asked for is done."""

    def label(self, address: int, bytes_: int, name: str) -> None:
        """Say what lies in a part of an allocation: a driver that checks takes its bounds and name for messages until the
        next label there. A real device ignores it."""

    def pinned(self, bytes_: int) -> Array:
        """Host memory (uint8) that copies to and from the device are fastest from; ordinary memory where there is none."""

    def upload(self, address: int, array: Array, stream: Own) -> None:
        """The bytes of a C-contiguous array to the device."""

    def download(self, array: Array, address: int, stream: Own) -> None:
        """array.nbytes bytes from the device into a C-contiguous writable array; waits for what the stream does before."""

    def copy(self, destination: int, source: int, bytes_: int, stream: Own) -> None:
        """Within the device; the two do not overlap."""

    def fill(self, address: int, byte: int, bytes_: int, stream: Own) -> None:
        """Set every byte."""

    # ---- work ----

    def load(self, code: str) -> Module:
        """Code for this device, of the kind that `takes` says. Raises CudaError with the compiler's log."""

    def launch(self, function: Own, grid: Grid, block: int, shared: int, packed: Packed, stream: Own) -> None:
        """Run a kernel of `block` threads a block (one axis) with `shared` bytes of dynamic shared memory. No extent of
        the grid is 0."""

    def stream(self) -> Stream:
        """A new stream of its own order (never the legacy one)."""

    def synchronize(self, stream: Own | None = None) -> None:
        """Wait for a stream, or for the whole device. Raises what the work before has failed with."""

    def event(self) -> Event: ...

    def elapsed(self, start: Own, stop: Own) -> float:
        """Milliseconds between two events that were reached."""

    def capture(self, stream: Own) -> AbstractContextManager[Graph]:
        """What the body launches on the stream is not run but kept; the Graph may be launched after the body."""


def packed(words: Sequence[int]) -> Packed:
    """Parameters of a kernel: addresses and int64 numbers, each in 8 bytes."""
    return bytearray(np.array([w & 0xFFFF_FFFF_FFFF_FFFF for w in words], np.uint64).tobytes())
