"""Largest errors of the elementwise functions in ulp, and nanoseconds per element, beside NumPy, torch and JAX.

    python -m benchmarks.accuracy [FUNCTION ...] [--dtype float32] [--exhaustive] [--cpu x86-64] [--peers] [--store]

float32 functions of one argument are tried on every 1009th bit pattern, with --exhaustive on all 2^32; those of two, and
float64, on 1.3 million points of all sizes and where functions are hard. An infinite error is a wrong NaN, infinity or sign
of zero; millions of ulp are subnormal numbers taken for 0. --cpu makes symdl's code for another processor of this family:
x86-64 has neither vectors of 32 bytes nor a fused multiply-add.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import symdl
import symdl.tensor as T
from benchmarks.elementwise import ENGINES, nanoseconds, one_thread
from benchmarks.machine import RECORDS, store
from symdl.backends.cpu.backend import CpuBackend
from symdl.backends.vmath.bounds import BOUND
from symdl.pipeline.compilation import compiled
from tests.float_errors import BINARY, WIDE, Worst, error_in_ulp, exact, floor_for, measured, wide

Array = Any
Run = Callable[..., Array]
FUNCTIONS = tuple(name for name in BOUND if name not in ("floor_div", "mod", "logistic_tail"))
STRIDE, COUNT = 1009, 1_200_000
# computed in float32 themselves, so that symdl's own float64, which the 80-bit functions measure, may be their truth
OWN_FLOAT32 = frozenset(
    "exp expm1 exp2 log log1p sin cos arcsin arccos arctan sinh cosh tanh sigmoid softplus erf".split()
)


# engines


def machine_run(name: str, dtype: str, cpu: str) -> Run:
    """symdl's code for a processor."""
    x, y = T.vector("x", dtype=dtype), T.vector("y", dtype=dtype)
    operands = [x, y] if name in BINARY else [x]
    made = symdl.function(operands, getattr(T, name)(*operands))
    if not cpu:
        return made
    executable = compiled(made.lowered, CpuBackend(cpu, ""))

    def run(*arrays: Array) -> Array:
        status, outputs = executable.execute(executable.bind(arrays))
        assert status == 0
        return outputs[0]

    return run


def confirmed(name: str, dtype: str, run: Run, worst: Worst) -> float | None:
    """The error at the worst point once more, by mpmath, if there is one and mpmath has a number there."""
    true = exact(name, *worst.at) if worst.at else None
    if true is None:
        return None
    arrays = [np.full(1, a, dtype) for a in worst.at]
    found = error_in_ulp(np.asarray(run(*arrays)), np.asarray([wide(true)]), floor_for(name, arrays))
    return round(float(found[0]), 3)


def row_of(name: str, dtype: str, stride: int, cpu: str, peers: bool) -> dict[str, Any]:
    """All that is measured of a function."""
    run = machine_run(name, dtype, cpu)
    own = dtype == "float32" and stride == 1 and name in OWN_FLOAT32
    truth = machine_run(name, "float64", "") if own else None  # several times quicker than NumPy
    found = measured(name, dtype, {"symdl": run}, stride, COUNT, truth)["symdl"]
    row = {"function": name, "dtype": dtype, "ulp": round(found.ulp, 3), "bound": BOUND[name][dtype == "float64"]}
    row |= {"points": found.points, "at": list(found.at), "by mpmath": confirmed(name, dtype, run, found)}
    if peers:
        others = {e: r for e in ENGINES if e != "symdl" and (r := ENGINES[e](name, dtype)) is not None}
        row["peers"] = {e: round(w.ulp, 2) for e, w in measured(name, dtype, others, 10 * STRIDE, COUNT // 4).items()}
        row["ns"] = {e: round(ns, 3) for e, ns in nanoseconds(name, dtype, 15).items()}
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("functions", nargs="*", metavar="FUNCTION")
    parser.add_argument("--dtype", choices=["float32", "float64"])
    parser.add_argument("--exhaustive", action="store_true", help="all float32 arguments: minutes per function")
    parser.add_argument("--stride", type=int, default=STRIDE)
    parser.add_argument("--cpu", default="", help="LLVM's name of a processor that this one can stand in for")
    parser.add_argument("--peers", action="store_true", help="errors and times of NumPy, torch and JAX too")
    parser.add_argument("--store", action="store_true", help="write benchmarks/records/accuracy.json")
    options = parser.parse_args()
    if not WIDE:
        sys.exit("needs the 80-bit functions of glibc on x86-64")
    one_thread()
    rows = []
    print(heading(options.peers))
    for name in options.functions or FUNCTIONS:
        for dtype in [options.dtype] if options.dtype else ["float32", "float64"]:
            stride = 1 if options.exhaustive else options.stride
            rows.append(row_of(name, dtype, stride, options.cpu, options.peers))
            print(line(rows[-1]), flush=True)
            if options.store:
                stored(rows)


def heading(peers: bool) -> str:
    text = f"{'function':<9}{'dtype':<8}{'ulp':>8}{'bound':>6}{'points':>12}  {'where':<32}{'mpmath':>7}"
    if peers:
        others = [e for e in ENGINES if e != "symdl"]
        text += " | ulp" + "".join(f"{e:>10}" for e in others) + " | ns" + "".join(f"{e:>8}" for e in ENGINES)
    return text


def line(row: dict[str, Any]) -> str:
    at = ", ".join(f"{a:.9g}" for a in row["at"])
    text = f"{row['function']:<9}{row['dtype']:<8}{row['ulp']:8.3f}{row['bound']:6}{row['points']:>12}  {at:<32}"
    text += f"{row['by mpmath']:7}" if row["by mpmath"] is not None else f"{'':7}"
    if "peers" in row:
        cells = [f"{row['peers'][e]:10.4g}" if e in row["peers"] else f"{'-':>10}" for e in ENGINES if e != "symdl"]
        times = [f"{row['ns'][e]:8.3f}" if e in row["ns"] else f"{'-':>8}" for e in ENGINES]
        text += " |    " + "".join(cells) + " |   " + "".join(times)
    return text


def stored(rows: list[dict[str, Any]]) -> Path:
    """Join the rows to the record: what was not measured this time stays."""
    path = RECORDS / "accuracy.json"
    known = {(r["function"], r["dtype"]): r for r in json.loads(path.read_text())["rows"]} if path.exists() else {}
    for row in rows:
        if "peers" in row:  # JSON has no infinities
            row = row | {"peers": {e: ulp if np.isfinite(ulp) else "inf" for e, ulp in row["peers"].items()}}
        known[row["function"], row["dtype"]] = known.get((row["function"], row["dtype"]), {}) | row
    order = {name: k for k, name in enumerate(FUNCTIONS)}
    return store("accuracy", sorted(known.values(), key=lambda r: (order[r["function"]], r["dtype"])))


if __name__ == "__main__":
    main()
