"""What kernels take of a GPU, without one: registers, spills and 16-byte accesses, as an assembler of PTX says.

    python -m benchmarks.gpu_kernels [--store] [--only LSTM] [--tf32]

Every kernel of the training steps of `benchmarks.training_steps`, and of an elementwise formula, a softmax and a transpose, for
sm_75, sm_80 and sm_90, by ptxas or nvJitLink. Exits with 1 where a kernel spills, or where the elementwise formula or the
softmax is read or written by less than 16 bytes; with 2 where no assembler is installed.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import llvmlite.binding as llvm
import numpy as np

import symdl
import symdl.tensor as T
from benchmarks.machine import store
from benchmarks.training_steps import STEPS, Step
from symdl.backends.nvptx import gpu_program
from symdl.backends.nvptx.assemble import assemble, assembler
from symdl.backends.nvptx.launches import GpuProgram
from symdl.backends.nvptx.ptx import ptx
from symdl.backends.nvptx.tensor_cores import NEEDS
from symdl.pipeline.compilation import lowered

CAPABILITIES = ((7, 5), (8, 0), (9, 0))
Row = dict[str, Any]
ENTRY = re.compile(r"\.entry (\w+)\(")


@dataclass(frozen=True)
class Case:
    """A function, and whether its memory must be read and written 16 bytes at a time."""

    make: Any
    wide: bool = False


def formula(output: Any) -> Step:
    """A function of one matrix."""
    x = T.fmatrix("x")
    return Step([x], output(x), [], [])


CASES: dict[str, Case] = {
    **{name: Case(make) for name, make in STEPS.items()},
    "elementwise tanh(2x + 0.3) exp(-x^2)": Case(
        partial(formula, lambda x: T.tanh(2 * x + np.float32(0.3)) * T.exp(-x * x)), wide=True
    ),
    "softmax of rows": Case(partial(formula, T.softmax), wide=True),
    "transpose": Case(partial(formula, lambda x: x.T)),
}


def program_of(step: Step, tf32: bool = False) -> GpuProgram:
    """A step as it is for a GPU."""
    graph = symdl.function(step.inputs, step.loss, updates=step.updates).graph
    return gpu_program(lowered(graph, blocks=False).program, tf32)


def kernels(gpu: GpuProgram, capability: tuple[int, int]) -> Iterator[Row]:
    """A row a kernel: what it takes, and its accesses to global memory, those of 16 bytes apart."""
    text = ptx(gpu.text, capability)
    places = [*ENTRY.finditer(text)]
    ends = [*(m.start() for m in places[1:]), len(text)]
    bodies = {m[1]: text[m.start() : end] for m, end in zip(places, ends, strict=True)}
    for name, usage in assemble(text, capability).usage.items():
        accesses = re.findall(r"\b(?:ld|st)\.global\.(\S+)", bodies[name])
        yield {
            "kernel": name, "registers": usage.registers, "shared": usage.shared, "stack": usage.stack,
            "spill_stores": usage.spill_stores, "spill_loads": usage.spill_loads, "accesses": len(accesses),
            "of_16_bytes": sum("v4.b32" in a or "v4.f32" in a or "v2.b64" in a or "v2.f64" in a for a in accesses),
            "tensor_core_products": bodies[name].count("mma.sync"),
        }  # fmt: skip


def failing(case: Case, rows: list[Row]) -> list[str]:
    """What is not as it should be."""
    found = [f"{row['kernel']} spills" for row in rows if row["spill_stores"] or row["spill_loads"]]
    if case.wide:
        found += [
            f"{row['kernel']} has no access of 16 bytes" for row in rows if row["accesses"] and not row["of_16_bytes"]
        ]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="cases whose names hold this text")
    parser.add_argument("--tf32", action="store_true", help="products by tensor cores; not for sm_75, which has none")
    parser.add_argument("--store", action="store_true", help="write benchmarks/records/gpu_kernels.json")
    arguments = parser.parse_args()
    if not (by := assembler()):
        print("neither ptxas nor nvJitLink (pip install nvidia-nvjitlink cuda-bindings) is installed", file=sys.stderr)
        return 2
    found: list[Row] = [{"assembler": by, "llvm": ".".join(map(str, llvm.llvm_version_info))}]
    wrong: list[str] = []
    for name, case in CASES.items():
        if arguments.only not in name:
            continue
        for tf32 in (False, True) if arguments.tf32 else (False,):
            gpu = program_of(case.make(), tf32)
            for capability in CAPABILITIES:
                if tf32 and capability < NEEDS:
                    continue
                rows = list(kernels(gpu, capability))
                wrong += [f"{name}, sm_{capability[0]}{capability[1]}: {what}" for what in failing(case, rows)]
                row = {
                    "case": name, "target": f"sm_{capability[0]}{capability[1]}", "products": "tf32" if tf32 else "full",
                    "kernels": len(rows), "most_registers": max(row["registers"] for row in rows),
                    "most_shared": max(row["shared"] for row in rows),
                    "spilled_bytes": sum(row["spill_stores"] + row["spill_loads"] for row in rows),
                    **{count: sum(row[count] for row in rows) for count in ("accesses", "of_16_bytes", "tensor_core_products")},
                }  # fmt: skip
                print(json.dumps(row), flush=True)
                found.append(row)
    print(*wrong, sep="\n", file=sys.stderr)
    if arguments.store:
        print(store("gpu_kernels", found))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
