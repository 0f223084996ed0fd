"""What a function gains that is compiled for the sizes it is called with, instead of for all.

    python -m benchmarks.known_sizes [--only TEXT] [--every] [--threads 1] [--rounds 15] [--precision right] [--store]

Cells of the matrix, small ones, where what depends on sizes can count. Each is compiled three ways: with all extents open, as the
matrix has it; with the number of rows open and all else known; with all extents known. The weights of steps are shared
values, whose sizes are known always. The three are called in turn, some milliseconds each; the table shows the median
time of a call with all open, the medians of the other two's ratios to it, and whether all three have given the same bits.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.machine import store
from benchmarks.matrix import models, operations
from benchmarks.matrix.__main__ import run_of
from benchmarks.matrix.cells import Cell
from benchmarks.matrix.engine import Array
from benchmarks.matrix.engines import Symdl
from benchmarks.processes import Rows, keep_to, report, rows_from
from symdl.config import config

CELLS = {
    "E1": ("E1",),
    "E2": ("E2 chain 1e+03",),
    "E4": (" 64x10 ",),
    "E5": tuple(f"E5 {n} float32" for n in (32, 64, 128, 256)),
    "M": ("M3 denoising b20", "M4 RBM CD-1 b20", "M7", "M8", "M9"),
    "I": ("b1 ", "b32 "),
}
SECONDS = 2e-3  # of a round of one of the three


class Sized(Symdl):
    """symdl with no extents known, all, or all but the first of inputs that have as many rows as the first input."""

    def __init__(self, threads: int, known: str, precision: str) -> None:
        super().__init__(threads)
        self.known, self.precision = known, precision

    def _variables(self, arrays: Sequence[Array]) -> list[Any]:
        import symdl.tensor as T

        rows = arrays[0].shape[:1]
        found = []
        for k, a in enumerate(arrays):
            shape: tuple[int | None, ...] = a.shape if self.known != "none" else (None,) * a.ndim
            if self.known == "all but rows" and a.shape and a.shape[:1] == rows:
                shape = (None, *shape[1:])
            found.append(T.tensor(f"x{k}", dtype=str(a.dtype), shape=shape))
        return found


KNOWN = "none", "all but rows", "all"


def chosen(only: str, every: bool = False) -> list[Cell]:
    """The cells that are timed: the small ones, or every one that is no epoch."""
    groups = operations.GROUPS | models.GROUPS
    names = dict.fromkeys(groups, ("",)) if every else CELLS
    found = [c for group in names for c in groups[group]() if any(n in f"{c.label} " for n in names[group])]
    return [c for c in found if only in c.label and not c.size]


def measured(cell: Cell, threads: int, rounds: int, precision: str) -> dict[str, Any]:
    """The three ways of one cell."""
    runs = [run_of(Sized(threads, known, precision), cell) for known in KNOWN]
    first = [np.array(run()) for run in runs]
    alike = cell.random or all(np.array_equal(a, first[0], equal_nan=True) for a in first[1:])
    clock = time.process_time if threads == 1 else time.perf_counter
    calls, spent = 1, 0.0
    while spent < SECONDS:
        spent = seconds(runs[0], calls, clock)
        calls = calls if spent >= SECONDS else max(calls + 1, math.ceil(calls * SECONDS / max(spent, 1e-7)))
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds):
        for run, found in zip(runs, times, strict=True):
            seconds(run, max(1, calls // 4), clock)  # its own data and code into the caches
            found.append(seconds(run, calls, clock) / calls)
    row = {
        "cell": cell.label,
        "threads": threads,
        "precision": precision,
        "ns": round(statistics.median(times[0]) * 1e9),
    }
    for known, found in zip(KNOWN[1:], times[1:], strict=True):
        row[known] = round(statistics.median(a / b for a, b in zip(found, times[0], strict=True)), 3)
    return row | {"same bits": bool(alike)}


def seconds(run: Any, calls: int, clock: Callable[[], float]) -> float:
    """The time of so many calls."""
    started = clock()
    for _ in range(calls):
        run()
    return clock() - started


def line(row: dict[str, Any]) -> str:
    """A row as text."""
    bits = "" if row["same bits"] else "  other bits"
    return f"{row['threads']} {row['cell']:<36} {row['ns']:>10,} {row['all but rows']:>6.2f} {row['all']:>6.2f}{bits}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cells whose label holds this")
    parser.add_argument("--every", action="store_true", help="all cells of the matrix but epochs")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--precision", choices=["right", "plain"], default="right")
    parser.add_argument("--store", action="store_true", help="write benchmarks/records/known_sizes.json")
    parser.add_argument("--rows", type=int, help=argparse.SUPPRESS)  # what rows_from asks for
    options = parser.parse_args()
    rows: Rows = []
    if options.rows:
        keep_to(options.rows)
        config.optimizing = "now"
        for cell in chosen(options.only, options.every):
            rows.append(measured(cell, options.rows, options.rounds, options.precision))
            print(line(rows[-1]), file=sys.stderr, flush=True)
        report(rows)
        return 0
    print(f"t {'cell':<36} {'ns':>10} {'but rows':>6} {'all':>6}", file=sys.stderr)
    for threads in options.threads:
        given = ("--only", options.only, "--rounds", str(options.rounds), "--precision", options.precision)
        rows += rows_from("benchmarks.known_sizes", threads, *given, *["--every"] * options.every)
    for known in KNOWN[1:]:
        print(f"{known} known: {statistics.geometric_mean(r[known] for r in rows):.3f} of the time with all open")
    if options.store:
        print("record:", store("known_sizes", rows).name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
