"""A driver whose kernels are Python functions on a piece of host memory: what the run time asks for is recorded."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from symdl.backends.cuda.driver import ALIGNMENT, Array, Function, Grid, Module, Packed, Stream
from symdl.errors import CudaError, CudaMemoryError

Kernel = Callable[["StubDriver", Grid, int, tuple[int, ...]], None]


@dataclass
class StubFunction:
    name: str
    run: Kernel


@dataclass
class StubModule:
    kernels: Mapping[str, Kernel]
    log: str = ""

    def function(self, name: str) -> StubFunction:
        if name not in self.kernels:
            raise CudaError(f"no kernel {name}")
        return StubFunction(name, self.kernels[name])


@dataclass
class StubStream:
    handle: int = 1


@dataclass
class StubEvent:
    at: int = 0
    clock: Iterator[int] = field(default_factory=itertools.count)

    def record(self, stream: Stream) -> None:
        self.at = next(self.clock)

    def synchronize(self) -> None:
        pass


@dataclass
class StubGraph:
    driver: StubDriver
    launches: list[tuple[Any, ...]]

    def launch(self, stream: Stream) -> None:
        self.driver.said.append(("graph", len(self.launches)))
        for function, grid, block, packed in self.launches:
            self.driver.run(function, grid, block, packed)


class StubDriver:
    """memory: bytes of the device. said: what was asked for, in order."""

    takes: Literal["llvm", "ptx"] = "llvm"

    def __init__(self, kernels: Mapping[str, Kernel], memory: int = 1 << 20, can_capture: bool = False) -> None:
        self.kernels, self.can_capture = kernels, can_capture
        self.name = "stub"
        self.memory = np.zeros(memory, np.uint8)
        self.live: dict[int, int] = {}
        self.said: list[tuple[Any, ...]] = []
        self.labels: list[tuple[int, int, str]] = []
        self.capturing: list[tuple[Any, ...]] | None = None
        self.clock = itertools.count()

    @property
    def attributes(self) -> dict[str, int | str]:
        return {"name": "stub"}

    def device_count(self) -> int:
        return 1

    def capability(self) -> tuple[int, int]:
        return 9, 0

    def memory_info(self) -> tuple[int, int]:
        return self.memory.size - sum(self.live.values()), self.memory.size

    def allocate(self, bytes_: int) -> int:
        at = ALIGNMENT
        for address in sorted(self.live):
            if address - at >= bytes_:
                break
            at = address + self.live[address]
        if at + bytes_ > self.memory.size:
            raise CudaMemoryError("full")
        self.live[at] = bytes_
        self.memory[at : at + bytes_] = 0x9B
        self.said.append(("allocate", bytes_))
        return at

    def free(self, address: int) -> None:
        del self.live[address]
        self.said.append(("free",))

    def attached(self) -> Any:
        return nullcontext()

    def label(self, address: int, bytes_: int, name: str) -> None:
        self.labels.append((address, bytes_, name))

    def pinned(self, bytes_: int) -> Array:
        return np.zeros(bytes_, np.uint8)

    def upload(self, address: int, array: Array, stream: Stream) -> None:
        assert array.flags.c_contiguous
        self.said.append(("upload", array.nbytes))
        self.memory[address : address + array.nbytes] = array.reshape(-1).view(np.uint8)

    def download(self, array: Array, address: int, stream: Stream) -> None:
        assert array.flags.c_contiguous
        assert self.capturing is None
        self.said.append(("download", array.nbytes))
        array.reshape(-1).view(np.uint8)[:] = self.memory[address : address + array.nbytes]

    def copy(self, destination: int, source: int, bytes_: int, stream: Stream) -> None:
        self.memory[destination : destination + bytes_] = self.memory[source : source + bytes_]

    def fill(self, address: int, byte: int, bytes_: int, stream: Stream) -> None:
        self.memory[address : address + bytes_] = byte

    def load(self, code: str) -> Module:
        return StubModule(self.kernels)

    def launch(self, function: Function, grid: Grid, block: int, shared: int, packed: Packed, stream: Stream) -> None:
        assert 0 not in grid
        if self.capturing is not None:
            self.capturing.append((function, grid, block, bytes(packed)))
        else:
            self.said.append(("launch", function.name, grid, block))
            self.run(function, grid, block, packed)

    def run(self, function: Any, grid: Grid, block: int, packed: Packed) -> None:
        function.run(self, grid, block, struct.unpack(f"<{len(packed) // 8}q", packed))

    def stream(self) -> StubStream:
        return StubStream()

    def synchronize(self, stream: Stream | None = None) -> None:
        self.said.append(("synchronize",))

    def event(self) -> StubEvent:
        return StubEvent(0, self.clock)

    def elapsed(self, start: StubEvent, stop: StubEvent) -> float:
        return float(stop.at - start.at)

    @contextmanager
    def capture(self, stream: Stream) -> Iterator[StubGraph]:
        graph = StubGraph(self, [])
        self.capturing = graph.launches
        try:
            yield graph
        finally:
            self.capturing = None

    def view(self, address: int, count: int, dtype: str) -> Array:
        """Memory as an array."""
        bytes_ = count * np.dtype(dtype).itemsize
        return self.memory[address : address + bytes_].view(dtype)
