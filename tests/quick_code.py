"""Functions compiled in a third of the time: LLVM looks for no quick code, and has no leave to choose other numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import llvmlite.binding as llvm

from symdl.backends.assembler import Machine
from symdl.backends.cpu import CpuBackend
from symdl.compilation import Graph, compiled, lowered
from symdl.expr import Expr


class _Machine(Machine):
    def create(self, level: int = 0) -> Any:
        return llvm.Target.from_triple(self.triple).create_target_machine(
            cpu=self.cpu, features=self.features, opt=0, reloc="default", codemodel="jitdefault", jit=True
        )


@cache
def _backend() -> CpuBackend:
    backend = CpuBackend()
    backend.machine = _Machine()
    return backend


def quickly(
    inputs: Sequence[Expr], outputs: Sequence[Expr], precision: str = "right", stable: bool = True
) -> Callable[[Sequence[Any]], list[Any]]:
    """symdl.function(inputs, outputs, precision=...) of a list of arrays, without its cache; stable=False: the formulas as written."""
    form = lowered(Graph(tuple(inputs), (), tuple(outputs), (), precision), stable)
    executable = compiled(form, _backend())

    def call(arrays: Sequence[Any]) -> list[Any]:
        status, found = executable.execute(executable.bind(arrays))
        assert status == 0
        return list(found)

    return call
