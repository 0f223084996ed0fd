"""The clocks of a Program in machine code: how long each of its steps took."""

from __future__ import annotations

import ctypes

from symdl.backends.cpu.executable import CpuExecutable


class Clocks:
    """Of an Executable that was compiled with timed=True and has so many steps; see `symdl.backends.llvm.clocks`."""

    def __init__(self, executable: CpuExecutable, steps: int) -> None:
        self.executable = executable
        self.table = (ctypes.c_int64 * (2 * steps)).from_address(executable.address("times"))
        self.now = ctypes.PYFUNCTYPE(ctypes.c_int64)(executable.address("ticks"))

    def taken(self) -> list[tuple[int, int]]:
        """(ticks, calls) of each step since the last time."""
        found = list(zip(self.table[::2], self.table[1::2], strict=True))
        ctypes.memset(self.table, 0, ctypes.sizeof(self.table))
        return found
