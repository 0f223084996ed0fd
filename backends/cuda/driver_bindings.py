"""The driver by way of cuda.bindings (NVIDIA's own package: no compiler is needed to install it)."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import Any, Literal

import numpy as np

from symdl.backends.cuda.driver import Array, Grid, Packed, Stream
from symdl.backends.cuda.failures import failure, unavailable
from symdl.extras import load

STATIC_SHARED = 48 << 10  # bytes of shared memory that a launch has without asking
REMEMBERED = 4096  # parameter buffers whose pointers are kept
LOG_BYTES = 8192


class BindingsStream:
    """A CUstream."""

    def __init__(self, api: Any, handle: Any) -> None:
        self.api, self.raw = api, handle

    @property
    def handle(self) -> int:
        """The CUstream as a number."""
        return int(self.raw)


class BindingsEvent:
    """A CUevent."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.raw = calls("cuEventCreate", 0)

    def record(self, stream: Stream) -> None:
        self.calls("cuEventRecord", self.raw, stream.handle)

    def synchronize(self) -> None:
        self.calls("cuEventSynchronize", self.raw)


class BindingsFunction:
    """A CUfunction, and the dynamic shared memory that it was allowed."""

    def __init__(self, name: str, raw: Any) -> None:
        self.name, self.raw, self.allowed = name, raw, STATIC_SHARED


class BindingsModule:
    """A CUmodule."""

    def __init__(self, calls: Calls, raw: Any, log: str) -> None:
        self.calls, self.raw, self.log = calls, raw, log

    def function(self, name: str) -> BindingsFunction:
        """The kernel of this name. Raises CudaError where there is none."""
        return BindingsFunction(name, self.calls("cuModuleGetFunction", self.raw, name.encode()))


class BindingsGraph:
    """A CUgraphExec."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.raw: Any = None

    def launch(self, stream: Stream) -> None:
        self.calls("cuGraphLaunch", self.raw, stream.handle)


class Calls:
    """Functions of cuda.bindings.driver by name: calls("cuMemAlloc", 4096). Raises what a CUresult other than 0 means."""

    def __init__(self, api: Any) -> None:
        self.api = api

    def __call__(self, name: str, *args: Any) -> Any:
        code, *found = getattr(self.api, name)(*args)
        if int(code):
            raise failure(name, self._text(code))
        return found[0] if len(found) == 1 else tuple(found)

    def _text(self, code: Any) -> str:
        told = [self.api.cuGetErrorName(code), self.api.cuGetErrorString(code)]
        words = [text.decode() if isinstance(text, bytes) else str(text) for result, text in told if not int(result)]
        return ": ".join(words) or str(code)


@contextmanager
def captured(calls: Calls, stream: Stream) -> Iterator[BindingsGraph]:
    """What is launched on the stream inside becomes the graph."""
    graph = BindingsGraph(calls)
    mode = calls.api.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
    calls("cuStreamBeginCapture", stream.handle, mode)
    try:
        yield graph
    except BaseException:
        calls.api.cuStreamEndCapture(stream.handle)  # whatever it says: the first error is the one to tell
        raise
    made = calls("cuStreamEndCapture", stream.handle)
    try:
        graph.raw = calls("cuGraphInstantiate", made, 0)
    finally:
        calls("cuGraphDestroy", made)


class BindingsDriver:
    """The first CUDA device, in its primary context, which torch, cupy and jax use too. The context is retained for the life of
    the process and never given back."""

    name = "cuda.bindings"
    takes: Literal["ptx"] = "ptx"
    can_capture = True

    def __init__(self) -> None:
        try:
            api = load("cuda.bindings.driver", 'device="cuda"')
            result = api.cuInit(0)
        except (ImportError, OSError, RuntimeError) as error:
            raise unavailable("cuda.bindings", str(error)) from None
        if int(result[0]):
            raise unavailable("cuda.bindings", Calls(api)._text(result[0]))
        self.api, self.calls = api, Calls(api)
        if not self.device_count():
            raise unavailable("cuda.bindings", "the driver knows no device")
        self._device = self.calls("cuDeviceGet", 0)
        self._context = self.calls("cuDevicePrimaryCtxRetain", self._device)
        self._here = threading.local()
        self._parameters: dict[
            int, tuple[Packed, Any, Any, int]
        ] = {}  # by id, which lasts as long as the buffer is kept
        self._attach()

    def _attach(self) -> None:
        """Make the context current in this thread."""
        if not getattr(self._here, "attached", False):
            self.calls("cuCtxSetCurrent", self._context)
            self._here.attached = True

    def __call__(self, name: str, *args: Any) -> Any:
        self._attach()
        return self.calls(name, *args)

    def _attribute(self, name: str) -> int:
        value: int = self.calls(
            "cuDeviceGetAttribute", getattr(self.api.CUdevice_attribute, f"CU_DEVICE_ATTRIBUTE_{name}"), self._device
        )
        return int(value)

    @cached_property
    def attributes(self) -> Mapping[str, int | str]:
        name = self.calls("cuDeviceGetName", 128, self._device)
        return {
            "name": (name.decode() if isinstance(name, bytes) else str(name)).rstrip("\0"),
            "multiprocessors": self._attribute("MULTIPROCESSOR_COUNT"),
            "clock_khz": self._attribute("CLOCK_RATE"),
            "memory_clock_khz": self._attribute("MEMORY_CLOCK_RATE"),
            "memory_bus_bits": self._attribute("GLOBAL_MEMORY_BUS_WIDTH"),
            "memory_bytes": int(self.calls("cuDeviceTotalMem", self._device)),
            "driver_version": int(self.calls("cuDriverGetVersion")),
        }

    def device_count(self) -> int:
        return int(self.calls("cuDeviceGetCount"))

    def capability(self) -> tuple[int, int]:
        return self._attribute("COMPUTE_CAPABILITY_MAJOR"), self._attribute("COMPUTE_CAPABILITY_MINOR")

    def memory_info(self) -> tuple[int, int]:
        free, total = self("cuMemGetInfo")
        return int(free), int(total)

    def attached(self) -> AbstractContextManager[None]:
        self._attach()  # every thread keeps it
        return nullcontext()

    # ---- memory ----

    def allocate(self, bytes_: int) -> int:
        return int(self("cuMemAlloc", max(bytes_, 1)))

    def free(self, address: int) -> None:
        self("cuMemFree", address)

    def label(self, address: int, bytes_: int, name: str) -> None:
        """A device has no use for names."""

    def pinned(self, bytes_: int) -> Array:
        address = int(self("cuMemAllocHost", max(bytes_, 1)))  # kept to the end of the process
        return np.ctypeslib.as_array((ctypes.c_uint8 * bytes_).from_address(address))

    def upload(self, address: int, array: Array, stream: Stream) -> None:
        # from ordinary memory the driver has taken the bytes when it returns
        self("cuMemcpyHtoDAsync", address, array.ctypes.data, array.nbytes, stream.handle)

    def download(self, array: Array, address: int, stream: Stream) -> None:
        self("cuMemcpyDtoHAsync", array.ctypes.data, address, array.nbytes, stream.handle)
        self.calls("cuStreamSynchronize", stream.handle)

    def copy(self, destination: int, source: int, bytes_: int, stream: Stream) -> None:
        self("cuMemcpyDtoDAsync", destination, source, bytes_, stream.handle)

    def fill(self, address: int, byte: int, bytes_: int, stream: Stream) -> None:
        self("cuMemsetD8Async", address, byte, bytes_, stream.handle)

    # ---- work ----

    def load(self, code: str) -> BindingsModule:
        log, kind = bytearray(LOG_BYTES), self.api.CUjit_option
        options = [kind.CU_JIT_ERROR_LOG_BUFFER, kind.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES]
        self._attach()
        result, module = self.api.cuModuleLoadDataEx(code.encode() + b"\0", 2, options, [log, LOG_BYTES])
        told = bytes(log).partition(b"\0")[0].decode(errors="replace")
        if int(result):
            raise failure("cuModuleLoadDataEx", f"{self.calls._text(result)}\n{told}".rstrip())
        return BindingsModule(self.calls, module, told)

    def launch(
        self, function: BindingsFunction, grid: Grid, block: int, shared: int, packed: Packed, stream: Stream
    ) -> None:
        self._attach()
        if shared > function.allowed:
            kind = self.api.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
            self.calls("cuFuncSetAttribute", function.raw, kind, shared)
            function.allowed = shared
        found = self._parameters.get(id(packed)) or self._pointers(packed)
        result = self.api.cuLaunchKernel(function.raw, *grid, block, 1, 1, shared, stream.handle, found[3], 0)[0]
        if int(result):
            raise failure(f"launch of {function.name}", self.calls._text(result))

    def _pointers(self, packed: Packed) -> tuple[Packed, Any, Any, int]:
        """The addresses of the parameters, as cuLaunchKernel reads them."""
        whole = (ctypes.c_uint64 * (len(packed) // 8)).from_buffer(packed)
        base = ctypes.addressof(whole)
        pointers = (ctypes.c_void_p * len(whole))(*range(base, base + len(packed), 8))
        if len(self._parameters) >= REMEMBERED:
            self._parameters.clear()
        found = self._parameters[id(packed)] = packed, whole, pointers, ctypes.addressof(pointers)
        return found

    def stream(self) -> BindingsStream:
        kind = self.api.CUstream_flags.CU_STREAM_DEFAULT  # in order with the legacy stream, which other libraries use
        return BindingsStream(self.api, self("cuStreamCreate", int(kind)))

    def synchronize(self, stream: Stream | None = None) -> None:
        if stream is None:
            self("cuCtxSynchronize")
        else:
            self("cuStreamSynchronize", stream.handle)

    def event(self) -> BindingsEvent:
        self._attach()
        return BindingsEvent(self.calls)

    def elapsed(self, start: BindingsEvent, stop: BindingsEvent) -> float:
        return float(self("cuEventElapsedTime", start.raw, stop.raw))

    @contextmanager
    def capture(self, stream: Stream) -> Iterator[BindingsGraph]:
        self._attach()
        with captured(self.calls, stream) as graph:
            yield graph
