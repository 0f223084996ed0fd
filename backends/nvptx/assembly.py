"""A Program to a GpuProgram: every step as launches, their kernels in one module."""

from __future__ import annotations

from collections.abc import Iterator

from symdl.backends.llvm.steps import all_steps
from symdl.backends.nvptx.cutting import for_gpu
from symdl.backends.nvptx.kernels import launches_of
from symdl.backends.nvptx.launches import Choose, GpuProgram, HostCall, Item, Repeat
from symdl.backends.nvptx.products import product_of
from symdl.backends.nvptx.writer import GPU, GpuModule
from symdl.errors import ProgramError
from symdl.ir.arena import passing
from symdl.ir.program import Call, If, Kernel, Loop, Program, Step


def gpu_program(program: Program, tensor_cores: bool = False) -> GpuProgram:
    """What a GPU is to do for a verified Program (one whose loops are not cut for a CPU: `lowered(graph, blocks=False)`).

    tensor_cores: float32 products and convolutions round their operands to tf32. The same Program gives the same text in
    every process.
    """
    return placed(for_gpu(program), tensor_cores)


def placed(program: Program, tensor_cores: bool = False) -> GpuProgram:
    """The launches of a Program that is cut for a GPU."""
    module = GpuModule(GPU, tensor_cores=tensor_cores)
    unstored = passing(program)
    number = {id(step): k for k, step in enumerate(all_steps(program.steps))}

    def items(steps: tuple[Step, ...]) -> Iterator[Item]:
        for step in steps:
            k = number[id(step)]
            match step:
                case Kernel(body):
                    yield from launches_of(module, body, k, program.may_be_single(step))
                case Call("matmul"):
                    passes = step.views[-1].buffer in unstored
                    yield product_of(module, step, k, passes, bool(step.epilogue) and program.may_be_single(step))
                case Call("routine"):
                    yield HostCall(k, step)
                case Loop(counter, count, body, stop):
                    yield Repeat(counter, count, tuple(items(body)), stop)
                case If(condition, then, other):
                    yield Choose(condition, tuple(items(then)), tuple(items(other)))
                case _:
                    raise ProgramError(f"no library call {step.name} of {len(step.views)} views")

    made = tuple(items(program.steps))
    return GpuProgram(program, str(module), made, module.checks)
