"""Which driver of GPUs a machine has: pycuda if it is installed, else cuda.bindings, else one message that says what to install."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping

from symdl.backends.cuda.driver import Driver
from symdl.backends.cuda.driver_bindings import BindingsDriver
from symdl.backends.cuda.driver_pycuda import PycudaDriver
from symdl.backends.emulator import Emulator
from symdl.errors import CudaUnavailableError
from symdl.extras import installed

DRIVERS: dict[str, Callable[[], Driver]] = {
    "pycuda": PycudaDriver,
    "cuda.bindings": BindingsDriver,
}  # by the module, the best first
INSTALL = """\
pip install "symdl[cuda-wheels]"    needs nothing else
pip install "symdl[cuda]"           pycuda: needs a C++ compiler and the headers of CUDA (docs/cuda.md)
device="cuda-emulated" runs the same kernels on this computer's processor, slowly."""


def installed_driver(_: MutableMapping[str, bytes] | None = None) -> Driver:
    """The first driver that works. Raises CudaUnavailableError, which says what each has answered."""
    answers = []
    for module, make in DRIVERS.items():
        if not installed(module):
            continue
        try:
            return make()
        except CudaUnavailableError as error:
            answers.append((module, error))
    if not answers:
        raise CudaUnavailableError('device="cuda": no package for NVIDIA GPUs is installed', (), INSTALL)
    parts = [(module, error.head.removeprefix(f"{module}: "), "") for module, error in answers]
    raise CudaUnavailableError('device="cuda": no GPU can be used', parts, INSTALL.splitlines()[-1])


def emulated_driver(store: MutableMapping[str, bytes] | None = None) -> Driver:
    """The emulator, with all its checks. store: keeps what it compiles."""
    return Emulator(store=store)
