"""CpuBackend: Programs compiled for this computer's processor, and loaded."""

from __future__ import annotations

from collections.abc import Collection, MutableMapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from symdl.backends.cpu.assembler import Machine, assembly, object_code, parts_of
from symdl.backends.cpu.executable import CpuExecutable
from symdl.backends.cpu.libraries import entry_code, libraries_of, preparing
from symdl.backends.cpu.optimizing import finish_all
from symdl.backends.cpu.streamed import Streamed
from symdl.backends.entry.objects import EntryCode
from symdl.backends.interface import Interface
from symdl.backends.llvm import emit
from symdl.backends.routines import Routine
from symdl.config import config
from symdl.events import Stages
from symdl.ir.program import Program

Array = np.ndarray[Any, Any]


class CpuBackend:
    """This computer's processor, through LLVM.

    store keeps the object code of libraries from process to process (that of GEMM takes 0.1 s to compile per dtype): any
    mapping of texts to bytes. Without it a library is compiled at its first use in the process.
    """

    name = "cpu"
    cut = True
    place = None  # shared arrays lie on the host

    def __init__(
        self, cpu: str = "", features: str | None = None, store: MutableMapping[str, bytes] | None = None
    ) -> None:
        self.machine, self.store = Machine(cpu, features), store

    @property
    def entry_code(self) -> EntryCode:
        """The native way into functions."""
        return entry_code(self.machine, self.store)

    def fingerprint(self) -> str:
        """LLVM and processor."""
        return f"cpu {self.machine.fingerprint()}"

    def compile(
        self,
        program: Program,
        constants: Sequence[Array] = (),
        timed: bool = False,
        routines: Sequence[Routine] = (),
    ) -> CpuExecutable:
        """Machine code for a verified Program. timed: with a clock around each step, for `clocks`. routines: what Calls of
        routines call, by number."""
        stages, target = Stages(), self.machine.target()
        quick = config.optimizing == "background" and not timed
        with Streamed(target.head, self.machine, config.threads) as streamed:
            text = emit(program, target, timed, streamed.take if quick else None)
            stages.done("emit", lambda: f"{text.count(chr(10))} lines of LLVM IR")
            code = streamed.code() if quick else object_code(parts_of(text), self.machine)
        stages.done("machine code", lambda: f"{len(code)} bytes")
        if timed:  # nor are the libraries quick ones
            finish_all()
        executable = self.load(Interface.of(program, libraries_of(program)), code, constants, routines)
        if quick:
            executable.improve(lambda: object_code(parts_of(text), self.machine))
        stages.done("load")
        return executable

    def preparing(self, names: Collection[str]) -> AbstractContextManager[None]:
        """While a Program is made inside, a thread loads the libraries, with those of these names in RUNTIME."""
        return preparing(names, self.machine, self.store)

    def load(
        self,
        interface: Interface,
        code: bytes,
        constants: Sequence[Array] = (),
        routines: Sequence[Routine] = (),
    ) -> CpuExecutable:
        """The same from the interface and code of an earlier Executable of this or another process."""
        return CpuExecutable(interface, code, constants, self.machine, self.store, routines)

    def text(self, program: Program) -> str:
        """The LLVM IR text that the code is made from."""
        return emit(program, self.machine.target())

    def assembly(self, program: Program) -> str:
        """The machine code as text."""
        return assembly(self.text(program), self.machine)
