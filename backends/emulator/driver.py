"""A Driver whose device is this computer: it runs the LLVM IR of kernels and says where they would go wrong on a GPU.

    driver = Emulator()                         # checks of memory, races, alignment, barriers
    driver = Emulator(order="random", seed=3)   # threads and blocks in another order: results must not depend on it

All work is done when it is asked for. A fault raises KernelFaultError from `launch`; memory may hold anything then, as
after a fault on a GPU, but the device can go on being used. cuda.md of the docs says what is not modelled: weak
ordering of memory between blocks, timing, tensor cores beyond what `intrinsics` lists.
"""

from __future__ import annotations

import ctypes
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal

import numpy as np

from symdl.backends.cuda.driver import Grid, Packed
from symdl.backends.cuda.driver import Stream as DriverStream
from symdl.backends.emulator.code import EmulatedCode
from symdl.backends.emulator.faults import Places, raised
from symdl.backends.emulator.layout import CELL, FAULT, MOST_FAULTS, RECORD_BYTES, REGION, THREADS, WARP, Setup
from symdl.backends.emulator.memory import Memory
from symdl.backends.emulator.translation import MOST_SHARED
from symdl.errors import CudaError

Array = np.ndarray[Any, Any]
Order = Literal["forward", "reverse", "random"]
STATIC_SHARED = 48 * 1024  # bytes of static shared memory that a kernel may have
MOST_GRID = (2**31 - 1, 65535, 65535)


class EmulatedStream:
    """An order of work; there is only one, that of the calls."""

    handle = 0

    def __init__(self) -> None:
        self.recording: list[Callable[[], None]] | None = None


class EmulatedEvent:
    """A point in time."""

    def __init__(self) -> None:
        self.reached = 0.0

    def record(self, stream: DriverStream) -> None:
        """Now: the stream has no work left."""
        self.reached = time.perf_counter()

    def synchronize(self) -> None:
        """Nothing to wait for."""


class EmulatedFunction:
    """A kernel."""

    def __init__(self, module: EmulatedModule, name: str) -> None:
        self.module, self.name = module, name


class EmulatedModule:
    """Kernels, compiled for the CPU."""

    log = ""

    def __init__(self, code: EmulatedCode) -> None:
        self.code = code

    def function(self, name: str) -> EmulatedFunction:
        """The kernel of this name. Raises CudaError where there is none."""
        if name not in self.code.kernels:
            known = ", ".join(sorted(self.code.kernels)) or "none"
            raise CudaError(f"the module has no kernel {name}", (), f"Its kernels: {known}.")
        return EmulatedFunction(self, name)


class EmulatedGraph:
    """Work that was kept, to be done again."""

    def __init__(self, work: list[Callable[[], None]]) -> None:
        self.work = work

    def launch(self, stream: DriverStream) -> None:
        """Do it, in order."""
        for one in self.work:
            one()


class Emulator:
    """The emulated device. checks: watch every access (threads and blocks are scheduled, and barriers looked at, in
    any case). store: keeps compiled kernels from process to process. memory: bytes of the device. capability: of the
    device that it stands for, which has tensor cores for tf32 from (8, 0) on."""

    name = "emulator"
    takes: Literal["llvm"] = "llvm"
    can_capture = True

    def __init__(
        self,
        checks: bool = True,
        order: Order = "forward",
        seed: int = 0,
        memory: int = 1 << 32,
        store: MutableMapping[str, bytes] | None = None,
        capability: tuple[int, int] = (8, 0),
    ) -> None:
        self.checks, self.order, self.store, self._capability = checks, order, store, capability
        self.memory = Memory(memory, checks)
        self._random = random.Random(seed)
        self._lock = threading.RLock()
        self._interval = 1
        self._faults = np.zeros(MOST_FAULTS, FAULT)
        self._raw_records = np.empty(THREADS * RECORD_BYTES + 64, np.uint8)
        self._records = self._raw_records.ctypes.data + -self._raw_records.ctypes.data % 64
        self._orders: dict[int, Array] = {}
        self._shared_cells: dict[str, Array] = {}
        self.launches = 0  # kernels run so far

    # ---- the device ----

    @property
    def attributes(self) -> Mapping[str, int | str]:
        """As a small GPU would tell."""
        return {
            "name": "emulated GPU",
            "multiprocessors": 4,
            "clock_khz": 1_000_000,
            "memory_bytes": self.memory.total,
            "driver_version": "emulator",
        }

    def device_count(self) -> int:
        """One."""
        return 1

    def capability(self) -> tuple[int, int]:
        """That of the device that it stands for."""
        return self._capability

    def memory_info(self) -> tuple[int, int]:
        """(free, total)"""
        return self.memory.total - self.memory.used, self.memory.total

    def attached(self) -> AbstractContextManager[None]:
        """There is no context."""
        return nullcontext()

    # ---- memory ----

    def allocate(self, bytes_: int) -> int:
        """Fresh memory, full of NaNs. Raises CudaMemoryError."""
        with self._lock:
            return self.memory.allocate(bytes_)

    def free(self, address: int) -> None:
        """Give an allocation back."""
        with self._lock:
            self.memory.free(address)

    def label(self, address: int, bytes_: int, name: str) -> None:
        """What lies in a part of an allocation, of which nothing else may be touched then."""
        with self._lock:
            self.memory.label(address, bytes_, name)

    def pinned(self, bytes_: int) -> Array:
        """Ordinary memory."""
        return np.empty(bytes_, np.uint8)

    def upload(self, address: int, array: Array, stream: DriverStream) -> None:
        """The bytes of an array to the device."""
        self._do(stream, lambda: self.memory.write(address, array.ctypes.data, array.nbytes))

    def download(self, array: Array, address: int, stream: DriverStream) -> None:
        """Bytes of the device into an array."""
        self._do(stream, lambda: self.memory.read(address, array.ctypes.data, array.nbytes))

    def copy(self, destination: int, source: int, bytes_: int, stream: DriverStream) -> None:
        """Within the device."""
        self._do(stream, lambda: self.memory.move(destination, source, bytes_))

    def fill(self, address: int, byte: int, bytes_: int, stream: DriverStream) -> None:
        """Set every byte."""
        self._do(stream, lambda: self.memory.fill(address, byte, bytes_))

    def _do(self, stream: DriverStream, work: Callable[[], None]) -> None:
        recording = getattr(stream, "recording", None)
        if recording is not None:
            recording.append(work)
            return
        with self._lock:
            work()

    # ---- work ----

    def load(self, code: str) -> EmulatedModule:
        """LLVM IR for nvptx64. Raises CudaError where it holds something that the emulator does not know."""
        emulated = EmulatedCode(code, self.checks, self._capability, self.store)
        for name, kernel in emulated.kernels.items():
            fixed = sum(emulated.shared[s][1] for s in kernel.shared)
            if fixed > STATIC_SHARED:
                raise CudaError(f"kernel {name} has {fixed} bytes of static shared memory, of {STATIC_SHARED} at most")
        return EmulatedModule(emulated)

    def launch(
        self,
        function: EmulatedFunction,
        grid: Grid,
        block: int,
        shared: int,
        packed: Packed,
        stream: DriverStream,
    ) -> None:
        """Run a kernel to its end. Raises KernelFaultError for what the checks find, CudaError for a launch that no GPU
        would take."""
        self._fits(function, grid, block, shared, len(packed))
        own = bytearray(packed)
        self._do(stream, lambda: self._run(function, grid, block, shared, own))

    def _fits(self, function: EmulatedFunction, grid: Grid, block: int, shared: int, given: int) -> None:
        kernel = function.module.code.kernels[function.name]
        expected = 0
        for size in kernel.parameters:
            expected += -expected % size + size
        limit = kernel.most_threads or THREADS
        wrong = ""
        if given != expected:
            wrong = f"{given} bytes of parameters, where it takes {expected}"
        elif not 0 < block <= limit:
            wrong = f"{block} threads a block, of {limit} at most"
        elif any(not 0 < n <= most for n, most in zip(grid, MOST_GRID, strict=True)):
            wrong = f"a grid of {grid} blocks"
        elif not 0 <= shared <= MOST_SHARED:
            wrong = f"{shared} bytes of dynamic shared memory"
        if wrong:
            raise CudaError(f"kernel {function.name} cannot be launched with {wrong}")

    def _run(self, function: EmulatedFunction, grid: Grid, block: int, shared: int, packed: Packed) -> None:
        code = function.module.code
        regions = self.memory.regions()
        shared_rows, shared_names = self._shared(code, function.name, shared)
        blocks = grid[0] * grid[1] * grid[2]
        threads, order = self._thread_order(block), self._block_order(blocks)
        intervals = np.zeros(blocks, np.uint32)
        parameters = (ctypes.c_char * max(len(packed), 1)).from_buffer(packed or bytearray(1))
        setup = Setup(
            regions.ctypes.data,
            len(regions),
            shared_rows.ctypes.data,
            len(shared_rows),
            self._faults.ctypes.data,
            self._records,
            threads.ctypes.data,
            order.ctypes.data,
            intervals.ctypes.data,
            *grid,
            block,
            self._interval,
        )
        count = code.run(ctypes.addressof(setup), code.starts[function.name], ctypes.addressof(parameters))
        self._interval = int(setup.interval)
        self.launches += 1
        if count:
            places = Places(self.memory, shared_names)
            raise raised(function.name, self._faults, count, code.sites, grid, intervals, order, places)

    def _shared(self, code: EmulatedCode, kernel: str, dynamic: int) -> tuple[Array, list[tuple[int, int, str]]]:
        """The shared variables of a kernel as regions, and their names."""
        rows: list[tuple[int, int, int, int]] = []
        names: list[tuple[int, int, str]] = []
        for name in code.kernels[kernel].shared:
            at, size = code.shared[name]
            begin, bytes_ = code.shared_address + at, size or dynamic
            cells = self._shared_cells.get(f"{bytes_} {len(rows)}")
            if cells is None:
                cells = self._shared_cells[f"{bytes_} {len(rows)}"] = np.zeros(bytes_, CELL)
            rows.append((begin, begin + bytes_, cells.ctypes.data, 0))
            names.append((begin, begin + bytes_, name))
        return np.array(rows, REGION), names

    def _thread_order(self, block: int) -> Array:
        """Threads, warp by warp."""
        if self.order != "random" and block in self._orders:
            return self._orders[block]
        warps = [list(range(w, min(w + WARP, block))) for w in range(0, block, WARP)]
        if self.order == "random":
            self._random.shuffle(warps)
            for lanes in warps:
                self._random.shuffle(lanes)
        if self.order != "forward":
            # The scheduler looks for warps at multiples of 32, so a short one stays last.
            short = [w for w in warps if len(w) < WARP]
            full = [w for w in warps if len(w) == WARP]
            if self.order == "reverse":
                full, short = full[::-1], [w[::-1] for w in short]
                full = [w[::-1] for w in full]
            warps = full + short
        found = np.array([t for w in warps for t in w], np.int32)
        self._orders[block] = found
        return found

    def _block_order(self, blocks: int) -> Array:
        order = np.arange(blocks, dtype=np.int64)
        if self.order == "reverse":
            return np.ascontiguousarray(order[::-1])
        if self.order == "random":
            return np.array(self._random.sample(range(blocks), blocks), np.int64)
        return order

    # ---- order of work ----

    def stream(self) -> EmulatedStream:
        """A new stream."""
        return EmulatedStream()

    def synchronize(self, stream: DriverStream | None = None) -> None:
        """Nothing to wait for."""

    def event(self) -> EmulatedEvent:
        """A new event."""
        return EmulatedEvent()

    def elapsed(self, start: EmulatedEvent, stop: EmulatedEvent) -> float:
        """Milliseconds."""
        return (stop.reached - start.reached) * 1e3

    def capture(self, stream: EmulatedStream) -> AbstractContextManager[EmulatedGraph]:
        """What the body does on the stream is kept, not done."""
        return self._capturing(stream)

    @contextmanager
    def _capturing(self, stream: EmulatedStream) -> Iterator[EmulatedGraph]:
        work: list[Callable[[], None]] = []
        stream.recording = work
        try:
            yield EmulatedGraph(work)
        finally:
            stream.recording = None
