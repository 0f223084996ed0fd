"""The driver by way of pycuda; CUDA graphs, which it has not, come from cuda.bindings where that is installed too."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np

from symdl.backends.cuda.driver import Array, Grid, Packed
from symdl.backends.cuda.driver_bindings import STATIC_SHARED, BindingsGraph, Calls, captured
from symdl.backends.cuda.failures import failure, unavailable
from symdl.errors import CudaError
from symdl.extras import installed, load


class PycudaStream:
    """A Stream of pycuda."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    @property
    def handle(self) -> int:
        """The CUstream as a number."""
        return int(self.raw.handle)


class PycudaEvent:
    """An Event of pycuda."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def record(self, stream: PycudaStream) -> None:
        self.raw.record(stream.raw)

    def synchronize(self) -> None:
        self.raw.synchronize()


class PycudaFunction:
    """A Function of pycuda: its quickest way to be launched, and the dynamic shared memory that it was allowed."""

    def __init__(self, name: str, raw: Any) -> None:
        self.name, self.raw, self.launch, self.allowed = name, raw, raw._launch_kernel, STATIC_SHARED
        self.what = f"launch of {name}"


class PycudaModule:
    """A Module of pycuda."""

    def __init__(self, driver: PycudaDriver, raw: Any, log: str) -> None:
        self.driver, self.raw, self.log = driver, raw, log

    def __del__(self) -> None:
        self.driver.abandoned.append(self.raw)  # pycuda unloads it in the main thread only

    def function(self, name: str) -> PycudaFunction:
        """The kernel of this name. Raises CudaError where there is none."""
        return PycudaFunction(name, self.driver.told(f"the kernel {name}", self.raw.get_function, name))


class PycudaGraph:
    """A graph of cuda.bindings, launched in pycuda's context."""

    def __init__(self, driver: PycudaDriver, graph: BindingsGraph) -> None:
        self.driver, self.graph = driver, graph

    def launch(self, stream: PycudaStream) -> None:
        self.driver.told("launch of a graph", self.graph.launch, stream)


class PycudaDriver:
    """The first CUDA device, in its primary context, which torch, cupy and jax use too. The context is retained for the
    life of the process; the main thread keeps it current, others for a call each."""

    name = "pycuda"
    takes: Literal["ptx"] = "ptx"

    def __init__(self) -> None:
        try:
            api = load("pycuda.driver", 'device="cuda"')  # fails to import where the machine has no driver
        except (ImportError, OSError) as error:
            raise unavailable("pycuda", str(error)) from None
        self.api = api
        try:
            api.init()
            if not self.device_count():
                raise unavailable("pycuda", "the driver knows no device")
            self._device = api.Device(0)
            self._context = self._device.retain_primary_context()
        except api.Error as error:
            raise unavailable("pycuda", str(error)) from None
        self.abandoned: list[Any] = []  # modules that nobody uses
        self._lasting = False  # whether the context is on the main thread's stack
        self._allocations: dict[int, Any] = {}
        self._graphs: Calls | None = None
        atexit.register(self._end)

    def _end(self) -> None:
        """Memory is freed while the context is still there; pycuda ends the process for a context that is left pushed."""
        self._allocations.clear()
        self.abandoned.clear()
        if self._lasting:
            self._lasting = False
            self.api.Context.pop()

    def _enter(self) -> bool:
        """Make the context current in this thread; whether it must be popped again. Only the main thread, which also runs
        `_end`, keeps it: a thread that ends with a context would end the process."""
        if threading.current_thread() is threading.main_thread():
            if not self._lasting:
                self._context.push()
                self._lasting = True
            self.abandoned.clear()
            return False
        self._context.push()
        return True

    @contextmanager
    def attached(self) -> Iterator[None]:
        passing = self._enter()
        try:
            yield
        finally:
            if passing:
                self.api.Context.pop()

    def told(self, what: str, function: Callable[..., Any], *args: Any) -> Any:
        """The result of a function of pycuda. Raises a CudaError for what it raises."""
        passing = self._enter()
        try:
            return function(*args)
        except self.api.Error as error:
            raise self._failure(what, error) from None
        finally:
            if passing:
                self.api.Context.pop()

    def _failure(self, what: str, error: Exception) -> CudaError:
        name = "OUT_OF_MEMORY: " if isinstance(error, MemoryError) else ""
        return failure(what, name + str(error))

    @property
    def can_capture(self) -> bool:
        """Whether cuda.bindings is there."""
        return installed("cuda.bindings")

    @cached_property
    def attributes(self) -> Mapping[str, int | str]:
        kind, device = self.api.device_attribute, self._device
        return {
            "name": str(device.name()),
            "multiprocessors": int(device.get_attribute(kind.MULTIPROCESSOR_COUNT)),
            "clock_khz": int(device.get_attribute(kind.CLOCK_RATE)),
            "memory_clock_khz": int(device.get_attribute(kind.MEMORY_CLOCK_RATE)),
            "memory_bus_bits": int(device.get_attribute(kind.GLOBAL_MEMORY_BUS_WIDTH)),
            "memory_bytes": int(device.total_memory()),
            "driver_version": int(self.api.get_driver_version()),
        }

    def device_count(self) -> int:
        return int(self.api.Device.count())

    def capability(self) -> tuple[int, int]:
        major, minor = self._device.compute_capability()
        return int(major), int(minor)

    def memory_info(self) -> tuple[int, int]:
        free, total = self.told("memory", self.api.mem_get_info)
        return int(free), int(total)

    # ---- memory ----

    def allocate(self, bytes_: int) -> int:
        found = self.told(f"{bytes_} bytes", self.api.mem_alloc, max(bytes_, 1))
        address = int(found)
        self._allocations[address] = found
        return address

    def free(self, address: int) -> None:
        self.told("free", self._allocations.pop(address).free)

    def label(self, address: int, bytes_: int, name: str) -> None:
        """A device has no use for names."""

    def pinned(self, bytes_: int) -> Array:
        found: Array = self.told("pinned memory", self.api.pagelocked_empty, (bytes_,), np.uint8)
        return found

    def upload(self, address: int, array: Array, stream: PycudaStream) -> None:
        # from ordinary memory the driver has taken the bytes when it returns
        self.told("upload", self.api.memcpy_htod_async, address, array, stream.raw)

    def download(self, array: Array, address: int, stream: PycudaStream) -> None:
        raw = stream.raw
        self.told("download", self.api.memcpy_dtoh_async, array, address, raw)
        self.told("download", raw.synchronize)

    def copy(self, destination: int, source: int, bytes_: int, stream: PycudaStream) -> None:
        self.told("copy", self.api.memcpy_dtod_async, destination, source, bytes_, stream.raw)

    def fill(self, address: int, byte: int, bytes_: int, stream: PycudaStream) -> None:
        self.told("fill", self.api.memset_d8_async, address, byte, bytes_, stream.raw)

    # ---- work ----

    def load(self, code: str) -> PycudaModule:
        logs: list[str] = []

        def heard(success: bool, information: str, error: str) -> None:
            logs.extend(filter(None, (information, error)))

        try:
            raw = self.told("load", partial(self.api.module_from_buffer, message_handler=heard), code.encode() + b"\0")
        except CudaError as error:
            raise type(error)("\n".join([error.head, *logs]), error.parts, error.remedy) from None
        return PycudaModule(self, raw, "\n".join(logs))

    def launch(
        self, function: PycudaFunction, grid: Grid, block: int, shared: int, packed: Packed, stream: PycudaStream
    ) -> None:
        if shared > function.allowed:
            kind = self.api.function_attribute.MAX_DYNAMIC_SHARED_SIZE_BYTES
            self.told(f"{shared} bytes of shared memory", function.raw.set_attribute, kind, shared)
            function.allowed = shared
        self.told(function.what, function.launch, grid, (block, 1, 1), packed, shared, stream.raw)

    def stream(self) -> PycudaStream:
        return PycudaStream(self.told("stream", self.api.Stream))  # in order with the legacy stream of other libraries

    def synchronize(self, stream: PycudaStream | None = None) -> None:
        if stream is None:
            self.told("synchronize", self.api.Context.synchronize)
        else:
            self.told("synchronize", stream.raw.synchronize)

    def event(self) -> PycudaEvent:
        return PycudaEvent(self.told("event", self.api.Event))

    def elapsed(self, start: PycudaEvent, stop: PycudaEvent) -> float:
        return float(self.told("elapsed", stop.raw.time_since, start.raw))

    @contextmanager
    def capture(self, stream: PycudaStream) -> Iterator[PycudaGraph]:
        if self._graphs is None:
            self._graphs = Calls(load("cuda.bindings.driver", "CUDA graphs"))
        passing = self._enter()
        try:
            with captured(self._graphs, stream) as graph:
                yield PycudaGraph(self, graph)
        finally:
            if passing:
                self.api.Context.pop()
