"""CudaBackend: Programs compiled for a GPU, or for the emulated one, and loaded by its driver."""

from __future__ import annotations

from collections.abc import Collection, MutableMapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import llvmlite.binding as llvm

from symdl.backends.cuda.clocks import Clocks
from symdl.backends.cuda.code import GpuCode
from symdl.backends.cuda.cublas import library_for
from symdl.backends.cuda.device import Array, Device
from symdl.backends.cuda.executable import CudaExecutable
from symdl.backends.cuda.peaks import bandwidth, operations
from symdl.backends.cuda.plans import Around
from symdl.backends.interface import Interface
from symdl.backends.nvptx import gpu_program
from symdl.backends.nvptx.cuda_c import cuda_c
from symdl.backends.nvptx.launches import GpuProgram, launches
from symdl.backends.nvptx.ptx import ptx
from symdl.backends.nvptx.tensor_cores import NEEDS
from symdl.backends.routines import Routine
from symdl.events import Stages
from symdl.ir.program import Program


class CudaBackend:
    """A GPU by its driver. store keeps what is compiled from process to process, as the CPU's does. products: "tf32"
    rounds the operands of float32's to tf32, where the device has tensor cores for that; "own" leaves none to a library."""

    cut = False  # kernels are cut for a GPU by `nvptx`

    def __init__(
        self, name: str, device: Device, store: MutableMapping[str, bytes] | None = None, products: str = "full"
    ) -> None:
        self.name, self.device, self.store = name, device, store
        self.capability = device.driver.capability()
        self.tensor_cores = products == "tf32" and self.capability >= NEEDS
        self.library = None if products == "own" else library_for(device, self.tensor_cores)
        self._last: tuple[Program, GpuProgram] | None = None  # that was looked at

    @property
    def place(self) -> Device:
        """The memory of the device."""
        return self.device

    def fingerprint(self) -> str:
        """What is loaded, for which architecture, made by which LLVM."""
        major, minor = self.capability
        products = "tf32" if self.tensor_cores else "full"
        return f"{self.name} {self.device.driver.takes} sm_{major}{minor} products {products} llvm {llvm_version()}"

    def preparing(self, names: Collection[str]) -> AbstractContextManager[None]:
        """There are no libraries to load ahead."""
        return nullcontext()

    def compile(
        self,
        program: Program,
        constants: Sequence[Array] = (),
        timed: Around | None = None,
        routines: Sequence[Routine] = (),
    ) -> CudaExecutable:
        """Kernels for a verified Program. timed: wraps the launches of each step. routines: what HostCalls call."""
        stages = Stages()
        gpu = gpu_program(program, self.tensor_cores)
        stages.done("emit", lambda: f"{gpu.text.count(chr(10))} lines of LLVM IR")
        text = gpu.text if self.device.driver.takes == "llvm" else ptx(gpu.text, self.capability)
        stages.done("PTX", lambda: f"{len(text)} bytes")
        executable = self._loaded(Interface.of(program), GpuCode.of(gpu, text), constants, routines, timed)
        stages.done("load")
        return executable

    def load(
        self, interface: Interface, code: bytes, constants: Sequence[Array] = (), routines: Sequence[Routine] = ()
    ) -> CudaExecutable:
        """The same from the interface and code of an earlier Executable of this or another process."""
        return self._loaded(interface, GpuCode.unpacked(code), constants, routines, None)

    def _loaded(
        self,
        interface: Interface,
        code: GpuCode,
        constants: Sequence[Array],
        routines: Sequence[Routine],
        timed: Around | None,
    ) -> CudaExecutable:
        return CudaExecutable(interface, code, constants, self.device, routines, timed, self.library)

    def _gpu_program(self, program: Program) -> GpuProgram:
        """Made once for all that is looked at."""
        last = self._last
        if last is None or last[0] is not program:
            last = self._last = program, gpu_program(program, self.tensor_cores)
        return last[1]

    def as_run(self, program: Program) -> Program:
        """The Program whose steps the kernels are of."""
        return self._gpu_program(program).program

    def functions_of(self, program: Program) -> dict[str, list[int]]:
        """By name of a kernel, the numbers of the steps of `as_run` that it belongs to."""
        found: dict[str, list[int]] = {}
        for launch in launches(self._gpu_program(program).items):
            steps = found.setdefault(launch.kernel, [])
            if launch.step not in steps:
                steps.append(launch.step)
        return found

    def text(self, program: Program) -> str:
        """The LLVM IR of all kernels."""
        return self._gpu_program(program).text

    def assembly(self, program: Program) -> str:
        """The PTX of all kernels, also where the device is emulated."""
        return ptx(self.text(program), self.capability)

    def view(self, program: Program) -> str:
        """All kernels as CUDA C, to be read."""
        return cuda_c(self._gpu_program(program))

    def timed(
        self, program: Program, constants: Sequence[Array], routines: Sequence[Routine]
    ) -> tuple[CudaExecutable, Clocks]:
        """An Executable with clocks around its launches."""
        clocks = Clocks(self.device)
        return self.compile(program, constants, timed=clocks, routines=routines), clocks

    def limits(self) -> tuple[float, dict[str, float]]:
        """(bytes in a second, operations in a second by dtype) of the device at most; 0 and nothing where that is not
        known, as of the emulated one."""
        known = self.device.driver.attributes
        if self.device.driver.takes != "ptx":
            return 0.0, {}
        return bandwidth(known), operations(known, self.capability)

    def described(self) -> str:
        """The device in words."""
        name = str(self.device.driver.attributes.get("name", self.device.driver.name))
        return f"{name} (sm_{self.capability[0]}{self.capability[1]}, by {self.device.driver.name})"


def llvm_version() -> str:
    """LLVM's, by way of llvmlite."""
    return ".".join(map(str, llvm.llvm_version_info))
