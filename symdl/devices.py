"""Devices: the one table of the machines that functions run on, by the names that users give."""

from __future__ import annotations

import threading
from collections.abc import Callable, MutableMapping
from functools import cache, partial

from symdl.backends.base import Backend
from symdl.backends.cpu import CpuBackend
from symdl.backends.cuda.backend import CudaBackend
from symdl.backends.cuda.choosing import installed_driver
from symdl.backends.cuda.device import Device
from symdl.backends.cuda.driver import Driver
from symdl.backends.emulator import Emulator
from symdl.cache import current
from symdl.config import config
from symdl.errors import InputError

Store = MutableMapping[str, bytes]
_lock = threading.Lock()
_devices: dict[str, Device] = {}  # one a name for the process: shared values stay where they are


def _cuda(name: str, driver: Callable[[Store | None], Driver], store: Store | None) -> Backend:
    """A GPU by its driver, which is loaded now. Raises CudaUnavailableError."""
    with _lock:
        if name not in _devices:
            _devices[name] = Device(driver(store))
        return CudaBackend(name, _devices[name], store)


DEVICES: dict[str, Callable[[Store | None], Backend]] = {
    "cpu": lambda store: CpuBackend(store=store),
    "cuda": partial(_cuda, "cuda", lambda _: installed_driver()),
    "cuda-emulated": partial(_cuda, "cuda-emulated", lambda store: Emulator(store=store)),
}


def backend(device: str) -> Backend:
    """What compiles for a device, with the cache that config names. Raises InputError for a device that is none, and
    CudaUnavailableError where no GPU can be used."""
    if device not in DEVICES:
        raise InputError(f"function: there is no device {device!r}", (), f"devices: {', '.join(DEVICES)}")
    return _backend(device, config.cache_dir, config.cache_size)


@cache
def _backend(device: str, folder: str, limit: int) -> Backend:
    return DEVICES[device](current())


def gpu(device: str) -> Device:
    """Where the arrays of a device's functions lie; of one that is no CPU."""
    found = backend(device)
    assert isinstance(found, CudaBackend)
    return found.device
