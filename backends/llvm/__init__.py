"""Program to LLVM IR text: two functions, enter (bind sizes, check, measure the arena) and run (everything else)."""

from __future__ import annotations

from symdl.backends.llvm.entries import enter, place, run
from symdl.backends.llvm.module import RUNTIME, Module, Target
from symdl.backends.llvm.steps import Layout
from symdl.program import Program


def emit(program: Program, target: Target) -> str:
    """The IR text of a verified Program. The same Program and target give the same text in every process."""
    module, layout = Module(target), Layout(program)
    place(module, layout)
    enter(module, layout)
    run(module, layout)
    return str(module)


__all__ = ["RUNTIME", "Target", "emit"]
