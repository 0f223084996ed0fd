"""Object code in memory."""

from __future__ import annotations

import llvmlite.binding as llvm

from symdl.backends.cpu.assembler import Machine, objects_in
from symdl.backends.forks import inside
from symdl.backends.lifetime import when_freed


class Engine:
    """Object code in memory: what `object_code` gave."""

    @inside
    def __init__(self, code: bytes, machine: Machine) -> None:
        holder = llvm.parse_assembly("", llvm.create_context())
        self.engine = llvm.create_mcjit_compiler(holder, machine.for_loading())
        self.engine.remove_module(holder)  # or it would be translated, which takes longer than all else here
        holder.close()
        for one in objects_in(code):
            self.engine.add_object_file(llvm.ObjectFileRef.from_data(one))
        self.engine.finalize_object()
        # Kept reachable until the end: a garbage collector that met the engine within a cycle would finalize its context
        # first, in no order, and crash.
        self._token = when_freed(self.engine.close)

    def address(self, name: str) -> int:
        found: int = self.engine.get_function_address(name)
        return found
