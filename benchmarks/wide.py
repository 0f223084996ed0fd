"""Nanoseconds per element of primitives in every number form, beside plain float64; code size and time to compile.

    python -m benchmarks.wide [FUNCTION ...] [--all] [--rounds 40] [--store]

One thread, operands in the second-level cache, a limb in an array of its own, whole vectors; the forms run in turn, and
the best of their rounds counts, in processor time. Code is the object file of the one function, with its tables. Flops are
an element's additions, multiplications, divisions and roots, two for one that multiplies and adds; branches are taken both ways.
"""

from __future__ import annotations

import argparse
import ctypes
import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.machine import store
from symdl.backends.builder import Builder
from symdl.backends.cpu.assembler import Machine, object_code
from symdl.backends.cpu.engine import Engine
from symdl.backends.primitives import PRIMITIVES
from symdl.backends.wide import emit, numbers
from symdl.backends.wide.primitives import EMIT
from symdl.number_forms import LIMBS, WIDE, records

DTYPES = ("float64", *sorted(LIMBS))
MEASURED = ("add", "mul", "true_div", "sqrt", "exp", "log", "expm1", "log1p", "sin", "tanh", "erf", "pow")
FLOP = re.compile(r"= (?:f(?:add|sub|mul|div) |call [^@]*@llvm\.(?:fma|sqrt)\.)")
COUNT = 2048
REPEATED = 32  # passes over the operands in a round
DOMAIN = {
    "arccosh": (1.0, 9.0),
    "arcsin": (-1.0, 1.0),
    "arccos": (-1.0, 1.0),
    "arctanh": (-1.0, 1.0),
    "erfinv": (-1.0, 1.0),
}
POSITIVE = ("log", "log2", "log10", "sqrt", "pow", "gammaln", "digamma", "log1p")


def text(name: str, dtype: str, machine: Machine) -> str:
    """The primitive on arrays of limbs, whose length is a multiple of the lanes; the result's last limb is written."""
    lanes = machine.vector_bytes // 8
    b = Builder(lanes, fma=machine.fma)
    b.line("br label %loop")
    b.label("loop")
    b.line("%i = phi i64 [ 0, %start ], [ %next, %again ]")
    operands, parameters = [], []
    for k in range(PRIMITIVES[name].arity):
        limbs = []
        for limb in LIMBS.get(dtype, ("value",)):
            parameters.append(f"ptr %a{k}{limb}")
            at = b.emit(f"getelementptr double, ptr %a{k}{limb}, i64 %i", "int64")
            limbs.append(b.emit(f"load {b.type('float64')}, ptr {at.text}, align 8", "float64"))
        operands.append(numbers.join(b, dtype, *limbs) if dtype in WIDE else limbs[0])
    result = emit(b, name, *operands, dtype=dtype)
    outputs = []
    for k, limb in enumerate(numbers.split(b, result) if dtype in WIDE else (result,)):
        at = b.emit(f"getelementptr double, ptr %out{k}, i64 %i", "int64")
        b.line(f"store {b.type('float64')} {limb.text}, ptr {at.text}, align 8")
        outputs.append(f"ptr %out{k}")
    b.line("br label %again")
    b.label("again")
    b.line(f"%next = add i64 %i, {lanes}")
    b.line("%more = icmp ult i64 %next, %n")
    b.line("br i1 %more, label %loop, label %end")
    head = f'target triple = "{machine.triple}"\ntarget datalayout = "{machine.layout}"\n'
    signature = ", ".join([*outputs, *parameters, "i64 %n"])
    body = "\n".join(b.lines)
    return (
        head
        + "\n".join(sorted(b.declarations))
        + f"\ndefine void @run({signature}) {{\nstart:\n{body}\nend:\n  ret void\n}}\n"
    )


class Measured:
    """One primitive in one form, compiled."""

    def __init__(self, name: str, dtype: str, machine: Machine) -> None:
        before = time.process_time()
        written = text(name, dtype, machine)
        self.written = time.process_time() - before
        best = float("inf")
        for _ in range(3):
            before = time.process_time()
            self.code = object_code([written], machine)
            best = min(best, time.process_time() - before)
        self.compiled, self.lines = best, written.count("\n")
        self.flops = len(FLOP.findall(written)) + len(re.findall(r"= call [^@]*@llvm\.fma\.", written))
        self.engine = Engine(self.code, machine)
        rng = np.random.default_rng(0)
        low, high = DOMAIN.get(name, (0.1, 8.0) if name in POSITIVE else (-8.0, 8.0))
        columns: list[Any] = []
        for _ in range(PRIMITIVES[name].arity):
            values = rng.uniform(low, high, COUNT)
            if dtype in WIDE:
                rows = records(values, dtype)
                columns += [np.ascontiguousarray(rows[limb]) for limb in LIMBS[dtype]]
                if "low" in LIMBS[dtype]:
                    columns[1 - len(LIMBS[dtype])] *= 0
                    columns[1 - len(LIMBS[dtype])] += 1e-17 * columns[-len(LIMBS[dtype])]
            else:
                columns.append(values)
        outputs = [np.empty(COUNT) for _ in range(len(LIMBS.get(dtype, ("value",))))]
        self.arrays = [*outputs, *columns]
        self.run: Callable[..., Any] = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(self.arrays), ctypes.c_int64)(
            self.engine.address("run")
        )
        self.pointers = [x.ctypes.data for x in self.arrays]
        self.best = float("inf")

    def round(self) -> None:
        """One round of measuring."""
        before = time.thread_time()
        for _ in range(REPEATED):
            self.run(*self.pointers, COUNT)
        self.best = min(self.best, (time.thread_time() - before) / REPEATED / COUNT)


def measure(name: str, rounds: int, machine: Machine) -> dict[str, Any]:
    """A row of the record."""
    forms = {dtype: Measured(name, dtype, machine) for dtype in DTYPES}
    for _ in range(rounds):
        for one in forms.values():
            one.round()
    return {
        "function": name,
        "ns": {d: round(m.best * 1e9, 2) for d, m in forms.items()},
        "flops": {d: m.flops for d, m in forms.items()},
        "compile_ms": {d: round(m.compiled * 1e3, 1) for d, m in forms.items()},
        "lines": {d: m.lines for d, m in forms.items()},
        "code_bytes": {d: len(m.code) for d, m in forms.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("functions", nargs="*")
    parser.add_argument("--all", action="store_true", help="every primitive, not only the common ones")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--store", action="store_true", help="write benchmarks/records/wide.json")
    options = parser.parse_args()
    every = [n for n, p in PRIMITIVES.items() if n in EMIT and p.result == "same" and n not in ("where", "cast")]
    machine, rows = Machine(), []
    head = "".join(f"{d:>11}" for d in DTYPES)
    print(f"{'':12}{'ns':<4}{head}   flops{head}   ms{head}   KiB{head}")
    for name in options.functions or (every if options.all else MEASURED):
        row = measure(name, options.rounds, machine)
        rows.append(row)
        cells = [
            "".join(f"{row[column][d] / unit:11.{digits}f}" for d in DTYPES)
            for column, unit, digits in (("ns", 1, 2), ("flops", 1, 0), ("compile_ms", 1, 1), ("code_bytes", 1024, 1))
        ]
        print(f"{name:16}{cells[0]}        {cells[1]}     {cells[2]}      {cells[3]}", flush=True)
    if options.store:
        print("record:", store("wide", rows).name)


if __name__ == "__main__":
    main()
