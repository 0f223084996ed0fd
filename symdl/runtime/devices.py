"""Devices: the one table of the machines that functions run on, by the names that users give.

What serves GPUs is loaded when one is asked for: it is a tenth of the time of `import symdl`.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, MutableMapping
from functools import cache, partial
from typing import Any

from symdl.backends.base import Backend, GpuBackend
from symdl.backends.cpu.backend import CpuBackend
from symdl.config import config
from symdl.errors import InputError
from symdl.pipeline.cache import current

Store = MutableMapping[str, bytes]
_lock = threading.Lock()
_places: dict[str, Any] = {}  # one Device a name for the process: shared values stay where they are


def _gpu(name: str, driver: str, store: Store | None) -> Backend:
    """A GPU by the function of `backends/drivers` that makes its driver. Raises CudaUnavailableError."""
    drivers, backend, device = (
        importlib.import_module(f"symdl.backends.{part}") for part in ("drivers", "cuda.backend", "cuda.device")
    )
    with _lock:
        if name not in _places:
            _places[name] = device.Device(getattr(drivers, driver)(store))
        found: Backend = backend.CudaBackend(name, _places[name], store, config.gpu_products)
        return found


DEVICES: dict[str, Callable[[Store | None], Backend]] = {
    "cpu": lambda store: CpuBackend(store=store),
    "cuda": partial(_gpu, "cuda", "installed_driver"),
    "cuda-emulated": partial(_gpu, "cuda-emulated", "emulated_driver"),
}


def backend(device: str) -> Backend:
    """What compiles for a device, with the cache that config names. Raises InputError for a device that is none, and
    CudaUnavailableError where no GPU can be used."""
    if device not in DEVICES:
        raise InputError(f"function: there is no device {device!r}", (), f"devices: {', '.join(DEVICES)}")
    return _backend(device, config.cache_dir, config.cache_size, config.gpu_products)


@cache
def _backend(device: str, folder: str, limit: int, products: str) -> Backend:
    return DEVICES[device](current(device))


def gpu_backend(device: str) -> GpuBackend:
    """The same for a device that is a GPU, with all that it shows."""
    found: Any = backend(device)
    return found  # type: ignore[no-any-return]  # what is not the CPU is one
