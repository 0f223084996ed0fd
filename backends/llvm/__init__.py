"""Program to LLVM IR text: two functions, enter (bind sizes, check, measure the arena) and run (everything else)."""

from __future__ import annotations

from symdl.backends.llvm.clocks import clock_table
from symdl.backends.llvm.entries import enter, place, run
from symdl.backends.llvm.module import RUNTIME, Module, Target, Told
from symdl.backends.llvm.steps import Layout, all_steps
from symdl.ir.program import Kernel, Program


def emit(program: Program, target: Target, timed: bool = False, told: Told | None = None) -> str:
    """The IR text of a verified Program. The same Program and target give the same text in every process.

    timed: with a clock around each step (see `clocks`). told: is given each function when it is finished, after all that it
    calls, and what it needs beside it.
    """
    return str(_module(program, target, timed, told))


def functions_of(program: Program, target: Target) -> dict[str, list[int]]:
    """The kernel functions in the text of a Program, each with the numbers (in `all_steps`) of the steps that call it."""
    found: dict[str, list[int]] = {}
    module = _module(program, target, False)
    for k, step in enumerate(all_steps(program.steps)):
        nest = step.body if isinstance(step, Kernel) else getattr(step, "epilogue", ())
        if nest:
            found.setdefault(module.kernel_of[id(nest)], []).append(k)
    return found


def _module(program: Program, target: Target, timed: bool, told: Told | None = None) -> Module:
    module, layout = Module(target, told=told), Layout(program, timed)
    if timed:
        clock_table(module, len(layout.timed))
    place(module, layout)
    enter(module, layout)
    run(module, layout)
    return module


__all__ = ["RUNTIME", "Target", "emit", "functions_of"]
