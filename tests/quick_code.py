"""Functions compiled in a third of the time: LLVM looks for no quick code, and has no leave to choose other numbers; what a
process has translated of the vocabulary (exp in two limbs, gammaln with an exponent) serves all its functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import llvmlite.binding as llvm

from symdl.backends.assembler import FUNCTIONS, HEADER, Machine, distributed, object_code
from symdl.backends.cpu import CpuBackend, CpuExecutable, libraries
from symdl.backends.interface import Interface
from symdl.backends.llvm import emit
from symdl.backends.routines import Routine
from symdl.compilation import Graph, compiled, lowered
from symdl.expr import Expr
from symdl.program import Program

WORDS = "symdl_"  # how the names of functions begin that many programs share


class _Machine(Machine):
    def create(self, level: int = 0) -> Any:
        return llvm.Target.from_triple(self.triple).create_target_machine(
            cpu=self.cpu, features=self.features, opt=0, reloc="default", codemodel="jitdefault", jit=True
        )


class _Backend(CpuBackend):
    def __init__(self) -> None:
        super().__init__()
        self.machine = _Machine()
        self.known: dict[str, bytes] = {}  # object code of single functions, by their texts

    def compile(
        self, program: Program, constants: Sequence[Any] = (), timed: bool = False, routines: Sequence[Routine] = ()
    ) -> CpuExecutable:
        """The same machine code, put together of pieces; there is no better code to come."""
        text = emit(program, self.machine.target())
        names = [found["name"] for f in FUNCTIONS.split(text)[1:] if (found := HEADER.match(f))]
        shared = [name for name in names if name.startswith(WORDS)]
        place = {name: k for k, name in enumerate(shared, 1)}
        own, *pieces = distributed(text, [place.get(name, 0) for name in names], len(shared) + 1)
        code = object_code([own], self.machine)
        for piece in pieces:
            if piece not in self.known:
                self.known[piece] = object_code([piece], self.machine)
            code += self.known[piece]
        return self.load(Interface.of(program, libraries(program)), code, constants, routines)


@cache
def _backend() -> _Backend:
    return _Backend()


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
