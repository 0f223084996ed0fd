"""The driver by way of pycuda; CUDA graphs, which it has not, come from cuda.bindings where that is installed too."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Literal

import numpy as np

from symdl.backends.cuda.driver import Array, Event, Function, Grid, Packed, Stream
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

    def record(self, stream: Stream) -> None:
        self.raw.record(_raw(stream))

    def synchronize(self) -> None:
        self.raw.synchronize()


class PycudaFunction:
    """A Function of pycuda: its quickest way to be launched, and the dynamic shared memory that it was allowed."""

    def __init__(self, name: str, raw: Any) -> None:
        self.name, self.raw, self.launch, self.allowed = name, raw, raw._launch_kernel, STATIC_SHARED


class PycudaModule:
    """A Module of pycuda."""

    def __init__(self, driver: PycudaDriver, raw: Any, log: str) -> None:
        self.driver, self.raw, self.log = driver, raw, log

    def function(self, name: str) -> PycudaFunction:
        """The kernel of this name. Raises CudaError where there is none."""
        return PycudaFunction(name, self.driver.told(f"the kernel {name}", self.raw.get_function, name))


class PycudaDriver:
    """The first CUDA device, in its primary context, which torch, cupy and jax use too. The context is retained for the
    life of the process and never popped: pycuda would end the process where memory outlives it."""

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
        self._here = threading.local()
        self._allocations: dict[int, Any] = {}
        self._graphs: Calls | None = None
        self._attach()
        atexit.register(self._end)

    def _end(self) -> None:
        """Memory is freed while the context is still there."""
        self._attach()
        self._allocations.clear()

    def _attach(self) -> None:
        """Make the context current in this thread."""
        if not getattr(self._here, "attached", False):
            self._context.push()
            self._here.attached = True

    def told(self, what: str, function: Callable[..., Any], *args: Any) -> Any:
        """The result of a function of pycuda. Raises a CudaError for what it raises."""
        self._attach()
        try:
            return function(*args)
        except self.api.Error as error:
            raise self._failure(what, error) from None

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

    def upload(self, address: int, array: Array, stream: Stream) -> None:
        # from ordinary memory the driver has taken the bytes when it returns
        self.told("upload", self.api.memcpy_htod_async, address, array, _raw(stream))

    def download(self, array: Array, address: int, stream: Stream) -> None:
        raw = _raw(stream)
        self.told("download", self.api.memcpy_dtoh_async, array, address, raw)
        self.told("download", raw.synchronize)

    def copy(self, destination: int, source: int, bytes_: int, stream: Stream) -> None:
        self.told("copy", self.api.memcpy_dtod_async, destination, source, bytes_, _raw(stream))

    def fill(self, address: int, byte: int, bytes_: int, stream: Stream) -> None:
        self.told("fill", self.api.memset_d8_async, address, byte, bytes_, _raw(stream))

    # ---- work ----

    def load(self, code: str) -> PycudaModule:
        logs: list[str] = []

        def heard(success: bool, information: str, error: str) -> None:
            logs.extend(filter(None, (information, error)))

        self._attach()
        try:
            raw = self.api.module_from_buffer(code.encode() + b"\0", message_handler=heard)
        except self.api.Error as error:
            raise self._failure("load", type(error)("\n".join([str(error), *logs]))) from None
        return PycudaModule(self, raw, "\n".join(logs))

    def launch(self, function: Function, grid: Grid, block: int, shared: int, packed: Packed, stream: Stream) -> None:
        assert isinstance(function, PycudaFunction)
        self._attach()
        if shared > function.allowed:
            kind = self.api.function_attribute.MAX_DYNAMIC_SHARED_SIZE_BYTES
            self.told(f"{shared} bytes of shared memory", function.raw.set_attribute, kind, shared)
            function.allowed = shared
        try:
            function.launch(grid, (block, 1, 1), packed, shared, _raw(stream))
        except self.api.Error as error:
            raise self._failure(f"launch of {function.name}", error) from None

    def stream(self) -> PycudaStream:
        return PycudaStream(self.told("stream", self.api.Stream))  # in order with the legacy stream of other libraries

    def synchronize(self, stream: Stream | None = None) -> None:
        if stream is None:
            self.told("synchronize", self.api.Context.synchronize)
        else:
            self.told("synchronize", _raw(stream).synchronize)

    def event(self) -> PycudaEvent:
        return PycudaEvent(self.told("event", self.api.Event))

    def elapsed(self, start: Event, stop: Event) -> float:
        assert isinstance(start, PycudaEvent)
        assert isinstance(stop, PycudaEvent)
        return float(self.told("elapsed", stop.raw.time_since, start.raw))

    @contextmanager
    def capture(self, stream: Stream) -> Iterator[BindingsGraph]:
        self._attach()
        if self._graphs is None:
            self._graphs = Calls(load("cuda.bindings.driver", "CUDA graphs"))
        with captured(self._graphs, stream) as graph:
            yield graph


def _raw(stream: Stream) -> Any:
    assert isinstance(stream, PycudaStream)
    return stream.raw
