"""Stand-ins for pycuda.driver and cuda.bindings.driver: the names that symdl calls, on a piece of host memory.

They take what the packages' documentation says and refuse names that are not there; a real device they are not.
"""

from __future__ import annotations

import ctypes
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

ENUMS = {
    "CUdevice_attribute": {
        "CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT": 132, "CU_DEVICE_ATTRIBUTE_CLOCK_RATE": 1980000,
        "CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE": 3201000, "CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH": 6144,
        "CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR": 9, "CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR": 0,
    },
    "CUstreamCaptureMode": {"CU_STREAM_CAPTURE_MODE_THREAD_LOCAL": 1},
    "CUstream_flags": {"CU_STREAM_DEFAULT": 0},
    "CUjit_option": {"CU_JIT_ERROR_LOG_BUFFER": 5, "CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES": 6},
    "CUfunction_attribute": {"CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES": 8},
}  # fmt: skip
NAMES = {
    2: "CUDA_ERROR_OUT_OF_MEMORY",
    100: "CUDA_ERROR_NO_DEVICE",
    218: "CUDA_ERROR_INVALID_PTX",
    700: "CUDA_ERROR_ILLEGAL_ADDRESS",
}


class Memory:
    """Device memory at the host's own addresses."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []
        self.live: dict[int, Any] = {}
        self.devices, self.room = 1, 1 << 20
        self.fails: dict[str, int] = {}  # by function: the CUresult that it gives

    def allocate(self, bytes_: int) -> int:
        raw = np.zeros(bytes_ + 256, np.uint8)
        address = int(raw.ctypes.data + -raw.ctypes.data % 256)
        self.live[address] = raw
        return address


def bindings(memory: Memory) -> ModuleType:
    """cuda.bindings.driver: every function gives (CUresult, results ...)."""
    module = ModuleType("cuda.bindings.driver")

    def say(name: str, *args: Any) -> None:
        memory.said.append((name, *args))

    def declare(name: str, result: Any) -> None:
        def call(*args: Any) -> tuple[Any, ...]:
            say(name, *args)
            if memory.fails.get(name):
                return memory.fails[name], None
            found = result(*args) if callable(result) else result
            return (0, *found) if isinstance(found, tuple) else (0,) if found is None else (0, found)

        setattr(module, name, call)

    def launch(function: Any, *rest: Any) -> None:
        pointers = (ctypes.c_void_p * 2).from_address(rest[8])
        words = [ctypes.c_uint64.from_address(p).value for p in pointers]  # type: ignore[arg-type]  # no null among them
        say("parameters", *words)

    results: dict[str, Any] = {
        "cuInit": None, "cuDeviceGetCount": lambda: memory.devices, "cuDeviceGet": 0, "cuDevicePrimaryCtxRetain": 77,
        "cuCtxSetCurrent": None, "cuDeviceGetAttribute": lambda which, _: which, "cuDeviceGetName": lambda n, _: b"A GPU\0",
        "cuDeviceTotalMem": 1 << 30, "cuDriverGetVersion": 13000, "cuMemGetInfo": lambda: (1 << 20, 1 << 30),
        "cuMemAlloc": memory.allocate, "cuMemFree": memory.live.__delitem__,
        "cuMemAllocHost": memory.allocate, "cuMemcpyHtoDAsync": lambda d, s, n, _: _move(d, s, n),
        "cuMemcpyDtoHAsync": lambda d, s, n, _: _move(d, s, n), "cuMemcpyDtoDAsync": lambda d, s, n, _: _move(d, s, n),
        "cuMemsetD8Async": lambda p, byte, n, _: _fill(p, byte, n),
        "cuModuleLoadDataEx": "a module", "cuModuleGetFunction": lambda _, name: f"kernel {name.decode()}",
        "cuFuncSetAttribute": None, "cuLaunchKernel": launch, "cuStreamCreate": 5, "cuStreamSynchronize": None,
        "cuCtxSynchronize": None, "cuEventCreate": 6, "cuEventRecord": None, "cuEventSynchronize": None,
        "cuEventElapsedTime": 0.25, "cuStreamBeginCapture": None, "cuStreamEndCapture": "a graph",
        "cuGraphInstantiate": "an executable graph", "cuGraphDestroy": None, "cuGraphLaunch": None,
        "cuGetErrorName": lambda code: NAMES[code].encode(), "cuGetErrorString": lambda code: b"as it says",
    }  # fmt: skip
    for name, result in results.items():
        declare(name, result)
    for name, values in ENUMS.items():
        setattr(module, name, SimpleNamespace(**values))
    return module


def _move(destination: int, source: int, bytes_: int) -> None:
    ctypes.memmove(destination, source, bytes_)


def _fill(address: int, byte: int, bytes_: int) -> None:
    ctypes.memset(address, byte, bytes_)


def pycuda(memory: Memory) -> ModuleType:
    """pycuda.driver: functions and classes that raise its own errors."""
    module = ModuleType("pycuda.driver")

    class Error(Exception):
        pass

    class LogicError(Error):
        pass

    class OutOfMemory(Error, MemoryError):
        pass

    def said(name: str, *args: Any) -> None:
        memory.said.append((name, *args))
        code = memory.fails.get(name)
        if code == 2:
            raise OutOfMemory(f"{name} failed: out of memory")
        if code:
            raise LogicError(f"{name} failed: {NAMES[code]}")

    class Context:
        @staticmethod
        def synchronize() -> None:
            said("Context.synchronize")

        @staticmethod
        def pop() -> None:
            said("pop")

        def push(self) -> None:
            said("push")

    class Device:
        def __init__(self, number: int) -> None:
            said("Device", number)

        @staticmethod
        def count() -> int:
            return memory.devices

        def retain_primary_context(self) -> Context:
            said("retain_primary_context")
            return Context()

        def name(self) -> str:
            return "A GPU"

        def compute_capability(self) -> tuple[int, int]:
            return 9, 0

        def total_memory(self) -> int:
            return 1 << 30

        def get_attribute(self, which: int) -> int:
            return which

    class Allocation:
        def __init__(self, address: int) -> None:
            self.address = address

        def __int__(self) -> int:
            return self.address

        def free(self) -> None:
            said("free", self.address)
            del memory.live[self.address]

    class Stream:
        handle = 5

        def __init__(self) -> None:
            said("Stream")

        def synchronize(self) -> None:
            said("Stream.synchronize")

    class Event:
        def record(self, stream: Stream) -> None:
            said("record", stream)

        def synchronize(self) -> None:
            said("Event.synchronize")

        def time_since(self, other: Event) -> float:
            return 0.25

    class Function:
        def __init__(self, name: str) -> None:
            self.name = name

        def _launch_kernel(self, grid: Any, block: Any, packed: Any, shared: int, stream: Stream) -> None:
            said("_launch_kernel", self.name, grid, block, bytes(packed), shared, stream)

        def set_attribute(self, which: Any, value: int) -> None:
            said("set_attribute", which, value)

    class Module:
        def get_function(self, name: str) -> Function:
            said("get_function", name)
            return Function(name)

    def module_from_buffer(image: bytes, message_handler: Any = None) -> Module:
        message_handler(True, "compiled", "" if "module_from_buffer" not in memory.fails else "line 3: error")
        said("module_from_buffer", image)
        return Module()

    def mem_alloc(bytes_: int) -> Allocation:
        said("mem_alloc", bytes_)
        return Allocation(memory.allocate(bytes_))

    def pagelocked_empty(shape: Any, dtype: Any) -> Any:
        said("pagelocked_empty", shape)
        return np.empty(shape, dtype)

    def htod(address: int, array: Any, stream: Stream) -> None:
        said("memcpy_htod_async")
        _move(address, array.ctypes.data, array.nbytes)

    def dtoh(array: Any, address: int, stream: Stream) -> None:
        said("memcpy_dtoh_async")
        _move(array.ctypes.data, address, array.nbytes)

    def dtod(destination: int, source: int, bytes_: int, stream: Stream) -> None:
        said("memcpy_dtod_async")
        _move(destination, source, bytes_)

    def memset(address: int, byte: int, count: int, stream: Stream) -> None:
        said("memset_d8_async")
        ctypes.memset(address, byte, count)

    attributes = SimpleNamespace(
        MULTIPROCESSOR_COUNT=132, CLOCK_RATE=1980000, MEMORY_CLOCK_RATE=3201000, GLOBAL_MEMORY_BUS_WIDTH=6144
    )
    vars(module).update(
        Error=Error, LogicError=LogicError, Context=Context, Device=Device, Stream=Stream, Event=Event,
        init=lambda: said("init"), get_driver_version=lambda: 13000, mem_get_info=lambda: (1 << 20, 1 << 30),
        mem_alloc=mem_alloc, pagelocked_empty=pagelocked_empty, memcpy_htod_async=htod, memcpy_dtoh_async=dtoh,
        memcpy_dtod_async=dtod, memset_d8_async=memset, module_from_buffer=module_from_buffer,
        device_attribute=attributes, function_attribute=SimpleNamespace(MAX_DYNAMIC_SHARED_SIZE_BYTES=8),
    )  # fmt: skip
    return module


def install(patch: pytest.MonkeyPatch, name: str, module: ModuleType | None) -> None:
    """Let a package be importable whose last part is this module; None: let it be absent."""
    parts = name.split(".")
    for k in range(1, len(parts) + 1):
        path = ".".join(parts[:k])
        if module is None:
            patch.setitem(sys.modules, path, None)  # so import is told that there is none
            continue
        made = module if k == len(parts) else ModuleType(path)
        made.__spec__ = ModuleSpec(path, None)
        made.__path__ = []
        patch.setitem(sys.modules, path, made)
        if k > 1:
            setattr(sys.modules[".".join(parts[: k - 1])], parts[k - 1], made)


class Cublas:
    """nvmath.bindings.cublasLt: matrices by columns, as cuBLAS's documentation has them, computed by NumPy on a driver's memory."""

    def __init__(self, driver: Any, stream: Any = None) -> None:
        self.driver, self.stream = driver, stream
        self.made: dict[int, dict[Any, Any]] = {}
        self.products: list[dict[str, Any]] = []  # what was asked for
        self.algorithms = 1  # how many there are for a product
        self.count = 6  # handles so far
        self.broken = ""  # what create says

    def module(self) -> ModuleType:
        module = ModuleType("nvmath.bindings.cublasLt")
        names = {
            "MatmulDescAttribute": ["TRANSA", "TRANSB"],
            "MatrixLayoutAttribute": ["BATCH_COUNT", "STRIDED_BATCH_OFFSET"],
            "MatmulPreferenceAttribute": ["MAX_WORKSPACE_BYTES", *(f"MIN_ALIGNMENT_{x}_BYTES" for x in "ABCD")],
        }
        for kind, members in names.items():
            setattr(module, kind, SimpleNamespace(**{name: name for name in members}))
        module.__dict__.update(
            create=self.create, matmul=self.matmul, matmul_algo_get_heuristic=self.heuristic,
            matmul_heuristic_result_dtype=np.dtype(
                [("algo", [("data_", "<u8", (8,))]), ("workspace_size", "<u8"), ("state", "<i4"), ("waves_count", "<f4"),
                 ("reserved", "<i4", (4,))]
            ),
            matmul_desc_create=lambda compute, scale: self.new(compute=compute, scale=scale),
            matrix_layout_create=lambda kind, rows, columns, pitch: self.new(
                kind=kind, rows=rows, columns=columns, pitch=pitch
            ),
            matmul_preference_create=self.new,
        )  # fmt: skip
        for name in ("matmul_desc", "matrix_layout", "matmul_preference"):
            setattr(module, f"{name}_set_attribute", self.set)
            setattr(module, f"{name}_destroy", self.made.pop)
        return module

    def create(self) -> int:
        if self.broken:
            raise RuntimeError(self.broken)
        return self.new()

    def new(self, **what: Any) -> int:
        self.count += 1
        self.made[self.count] = what
        return self.count

    def set(self, of: int, name: str, place: int, bytes_: int) -> None:
        wide = {"STRIDED_BATCH_OFFSET", "MAX_WORKSPACE_BYTES"}
        assert bytes_ == (8 if name in wide else 4)
        self.made[of][name] = int.from_bytes(ctypes.string_at(place, bytes_), "little")

    def heuristic(self, handle: int, what: int, *rest: Any) -> None:
        *layouts, preference, count, results, found = rest
        assert count == 1
        assert {handle, what, preference, *layouts} <= self.made.keys()
        ctypes.c_int32.from_address(found).value = self.algorithms
        (ctypes.c_uint64 * 9).from_address(results)[8] = 4096  # the workspace that it asks for
        self.said = dict(self.made[preference])

    def matmul(
        self, handle: int, what: int, alpha: int, a: int, a_of: int, b: int, b_of: int, beta: int, c: int, c_of: int,
        d: int, d_of: int, algorithm: int, workspace: int, bytes_: int, stream: int,
    ) -> None:  # fmt: skip
        assert (c, c_of, bytes_) == (d, d_of, 4096)
        assert algorithm
        assert workspace
        told, layouts = self.made[what], [dict(self.made[x]) for x in (a_of, b_of, c_of)]
        dtype = {"R_32F": np.float32, "R_64F": np.float64}[layouts[0]["kind"]]
        kind = ctypes.c_float if dtype is np.float32 else ctypes.c_double
        assert (kind.from_address(alpha).value, kind.from_address(beta).value) == (1, 0)
        self.products.append({**told, "rows": layouts[2]["rows"], "columns": layouts[2]["columns"], **self.said})

        def work() -> None:
            first, second, result = (self.matrices(x, of, dtype) for x, of in zip((a, b, d), layouts, strict=True))
            left = np.swapaxes(first, 1, 2) if told["TRANSA"] else first
            right = np.swapaxes(second, 1, 2) if told["TRANSB"] else second
            result[:] = left @ right
            for k, matrix in enumerate(result):
                at = d + k * layouts[2].get("STRIDED_BATCH_OFFSET", 0) * result.itemsize
                for j in range(matrix.shape[1]):
                    column = np.ascontiguousarray(matrix[:, j])
                    self.driver.upload(at + j * layouts[2]["pitch"] * result.itemsize, column, SimpleNamespace())

        self.driver._do(self.stream, work)

    def matrices(self, place: int, of: dict[Any, Any], dtype: Any) -> Any:
        """A copy of what lies there, as (batch, rows, columns)."""
        found = np.zeros((of.get("BATCH_COUNT", 1), of["rows"], of["columns"]), dtype)
        assert of["pitch"] >= of["rows"]
        for k, matrix in enumerate(found):
            for j in range(of["columns"]):
                column = np.zeros(of["rows"], dtype)
                at = place + (k * of.get("STRIDED_BATCH_OFFSET", 0) + j * of["pitch"]) * column.itemsize
                self.driver.download(column, at, SimpleNamespace())
                matrix[:, j] = column
        return found

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """As the package nvmath."""
        computes = ModuleType("nvmath.bindings.cublas")
        names = ("COMPUTE_32F", "COMPUTE_32F_FAST_TF32", "COMPUTE_64F")
        computes.__dict__["ComputeType"] = SimpleNamespace(**{name: name for name in names})
        install(patch, "nvmath.bindings.cublasLt", self.module())
        module = sys.modules["nvmath.bindings.cublasLt"]
        kinds = SimpleNamespace(CUDA_R_32F="R_32F", CUDA_R_64F="R_64F")
        install(patch, "nvmath.bindings.cublas", computes)
        patch.setitem(sys.modules, "nvmath.bindings.cublasLt", module)
        sys.modules["nvmath"].__dict__["CudaDataType"] = kinds
