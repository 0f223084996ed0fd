"""Functions compiled in a third of the time: LLVM looks for no quick code, and has no leave to choose other numbers; what a
process has translated of the vocabulary (exp in two limbs, gammaln with an exponent) serves all its functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from functools import cache
from typing import Any

from symdl.backends.cpu.assembler import HEADER, together, translated
from symdl.backends.cpu.backend import CpuBackend
from symdl.backends.cpu.executable import CpuExecutable
from symdl.backends.cpu.libraries import libraries_of
from symdl.backends.interface import Interface
from symdl.backends.llvm import emit
from symdl.backends.routines import Routine
from symdl.graph.expr import Expr
from symdl.ir.program import Program
from symdl.pipeline.compilation import Graph, compiled, lowered


class _Backend(CpuBackend):
    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, bytes] = {}  # object code of words, by their texts

    def compile(
        self, program: Program, constants: Sequence[Any] = (), timed: bool = False, routines: Sequence[Routine] = ()
    ) -> CpuExecutable:
        """The same machine code, put together of pieces; there is no better code to come."""
        own: list[str] = []
        needed: set[str] = set()

        def told(function: str, declarations: Set[str]) -> None:
            own.append(function)
            needed.update(declarations)

        emit(program, self.machine.target(), told=told)
        words = {text: _declared(text) for text in sorted(needed) if "define " in text}
        lines = sorted(needed - words.keys())
        code = self.code("\n".join(own), lines, words.values())
        for word in words:
            if word not in self.known:
                others = [declared for other, declared in words.items() if other != word]
                self.known[word] = self.code(word.replace("define internal ", "define "), lines, others)
            code += self.known[word]
        return self.load(Interface.of(program, libraries_of(program)), code, constants, routines)

    def code(self, functions: str, lines: Iterable[str], declared: Iterable[str]) -> bytes:
        """Of functions, with the declarations and constants that they may need, and declarations of other functions."""
        needed = [line for line in lines if not line.startswith("@") or line.partition(" ")[0] in functions]
        text = "\n".join([self.machine.target().head, *needed, *declared, functions, ""])
        return together([translated(text, self.machine, 0)])


@cache
def _declared(word: str) -> str:
    """The declarations of the functions of a text."""
    return "\n".join(f"declare {found['signature']}" for found in HEADER.finditer(word))


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
