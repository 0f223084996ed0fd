"""Device: a driver with one stream, the memory that waits to be used again, and arrays that lie in it."""

from __future__ import annotations

import math
import os
import threading
from collections import deque
from typing import Any

import numpy as np

from symdl.backends.cuda.dlpack import capsule
from symdl.backends.cuda.driver import ALIGNMENT, Driver
from symdl.errors import CudaMemoryError, DeviceLostError, InputError

Array = np.ndarray[Any, Any]


class Device:
    """All work of symdl on one GPU goes through one stream, in the order of asking; the lock is held while it is asked for.

    Memory that is given back is kept for the next who needs as much, without waiting for the device: the stream's order
    keeps the two apart. Where the device has no more, all that waits is given back first.
    """

    def __init__(self, driver: Driver) -> None:
        self.driver, self.stream = driver, driver.stream()
        self.lock = threading.RLock()
        self._idle: dict[int, list[int]] = {}  # by bytes: addresses
        self._returned: deque[tuple[int, int]] = deque()  # (bytes, address), by finalizers, in whatever thread
        self._process = os.getpid()

    def allocate(self, bytes_: int) -> Block:
        """New memory, its content unknown. Raises CudaMemoryError."""
        self.check_process()
        wanted = max(-(-bytes_ // ALIGNMENT), 1) * ALIGNMENT
        with self.lock:
            self._collect()
            idle = self._idle.get(wanted)
            if idle:
                return Block(self, wanted, idle.pop())
            try:
                return Block(self, wanted, self.driver.allocate(wanted))
            except CudaMemoryError:
                if not self.release():
                    raise self._full(wanted) from None
            try:
                return Block(self, wanted, self.driver.allocate(wanted))
            except CudaMemoryError:
                raise self._full(wanted) from None

    def release(self) -> int:
        """Give all memory that waits back to the driver; the bytes of it."""
        with self.lock:
            self._collect()
            waiting = [(size, address) for size, found in self._idle.items() for address in found]
            self._idle.clear()
            if waiting:
                self.driver.synchronize(self.stream)
            for _, address in waiting:
                self.driver.free(address)
            return sum(size for size, _ in waiting)

    def check_process(self) -> None:
        """Raises DeviceLostError in a process that was forked after the device was first used: no driver survives that."""
        if os.getpid() != self._process:
            remedy = 'Start processes by multiprocessing.get_context("spawn").'
            raise DeviceLostError("a GPU cannot be used in a process that was forked after its first use", (), remedy)

    def array(self, shape: tuple[int, ...], dtype: Any) -> DeviceArray:
        """A new array, its content unknown."""
        kind = np.dtype(dtype)
        made = DeviceArray(self, self.allocate(math.prod(shape) * kind.itemsize), shape, kind)
        if made.nbytes:
            self.driver.label(made.address, made.nbytes, f"array {kind}{list(shape)}")
        return made

    def uploaded(self, array: Array) -> DeviceArray:
        """A copy on the device."""
        made = self.array(array.shape, array.dtype)
        made.write(array)
        return made

    def adopted(self, value: Any) -> DeviceArray:
        """Another library's array on this device, without a copy (`__cuda_array_interface__`). It must not be written
        while a call reads it. Raises InputError for one that is not in C order."""
        told = value.__cuda_array_interface__
        kind, shape = np.dtype(told["typestr"]), tuple(told["shape"])
        steps = told.get("strides")
        wanted = [math.prod(shape[k + 1 :]) * kind.itemsize for k in range(len(shape))]
        if (
            steps is not None
            and 0 not in shape
            and any(n != 1 and s != w for n, s, w in zip(shape, steps, wanted, strict=True))
        ):
            raise InputError(
                f"an array on the GPU of shape {shape} is not in C order",
                (),
                "Copy it first: .contiguous() or cupy.ascontiguousarray.",
            )
        if told.get("stream", 1) is not None:
            self.driver.synchronize()  # whoever made it works on a stream of its own
        return DeviceArray(self, Borrowed(int(told["data"][0]), value), shape, kind)

    def lying_there(self, value: Any) -> DeviceArray | None:
        """value as an array of this device, without a copy; None for what does not lie there."""
        if isinstance(value, DeviceArray):
            return value if value.device is self else None
        if self.driver.takes == "ptx" and hasattr(value, "__cuda_array_interface__"):
            return self.adopted(value)
        return None

    def _collect(self) -> None:
        while self._returned:
            size, address = self._returned.popleft()
            self._idle.setdefault(size, []).append(address)

    def _full(self, wanted: int) -> CudaMemoryError:
        free, total = self.driver.memory_info()
        return CudaMemoryError(
            f"the GPU has no room for {wanted} bytes: {free} of its {total} bytes are free",
            (),
            "No value has changed. Smaller batches need less; values of other functions go when these are deleted.",
        )


class Block:
    """Memory of a device, given back when nobody has it any more."""

    __slots__ = ("_give", "address", "bytes_")

    def __init__(self, device: Device, bytes_: int, address: int) -> None:
        self.bytes_, self.address, self._give = bytes_, address, device._returned.append

    def __del__(self) -> None:
        self._give((self.bytes_, self.address))


class Borrowed:
    """Memory that another library owns."""

    __slots__ = ("address", "owner")

    def __init__(self, address: int, owner: Any) -> None:
        self.address, self.owner = address, owner


class DeviceArray:
    """An array in C order in a GPU's memory, to be read.

    `numpy()` and np.asarray copy it to the host. torch, cupy, jax and numba take it as it is: by
    `__cuda_array_interface__` (version 3) and DLPack, both of a real GPU only; all work on it is done when they get it.
    """

    def __init__(self, device: Device, block: Block | Borrowed, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.device, self.block, self.shape, self.dtype = device, block, shape, dtype
        self.address = block.address

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def numpy(self) -> Array:
        """The values on the host."""
        return self.read(np.empty(self.shape, self.dtype))

    def read(self, into: Array) -> Array:
        """Copy to an array of the host, of the same shape and dtype in C order; it is given back."""
        self.device.check_process()
        if self.nbytes:
            with self.device.lock:
                self.device.driver.download(into, self.address, self.device.stream)
        return into

    def write(self, array: Array) -> None:
        """Copy from an array of the host, of the same shape and dtype in C order."""
        self.device.check_process()
        if self.nbytes:
            with self.device.lock:
                self.device.driver.upload(self.address, array, self.device.stream)

    def copied(self) -> DeviceArray:
        """Another array on the device with these values."""
        made = self.device.array(self.shape, self.dtype)
        if self.nbytes:
            with self.device.lock:
                self.device.driver.copy(made.address, self.address, self.nbytes, self.device.stream)
        return made

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError("the values of an array on a GPU can only be copied")
        return np.asarray(self.numpy(), dtype=dtype)

    def __repr__(self) -> str:
        return f"<{self.dtype}[{', '.join(map(str, self.shape))}] on {self.device.driver.name}>"

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        if self.device.driver.takes != "ptx":
            raise AttributeError("emulated memory is no CUDA memory: no __cuda_array_interface__")
        self.device.driver.synchronize(self.device.stream)
        return {
            "shape": self.shape, "typestr": self.dtype.str, "data": (self.address, False), "version": 3,
            "strides": None, "stream": None,
        }  # fmt: skip

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 0) if self.device.driver.takes == "ptx" else (1, 0)  # kDLCUDA, kDLCPU

    def __dlpack__(
        self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: Any = None
    ) -> Any:
        """A capsule of the array itself, or, where it is asked for on the host or the GPU is emulated, of a copy there."""
        if self.device.driver.takes != "ptx" or (dl_device is not None and tuple(dl_device) == (1, 0)):
            return self.numpy().__dlpack__(max_version=max_version)
        if copy:
            raise BufferError("symdl: __dlpack__(copy=True) is not offered: copy what you get")
        self.device.driver.synchronize(self.device.stream)
        return capsule(self, self.address, self.shape, self.dtype, (2, 0))
