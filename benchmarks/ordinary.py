"""What precision="right" costs beside "plain" on ordinary numbers: own cases, and Newton's iterations written out.

    python -m benchmarks.ordinary [--only NAME ...] [--every 1] [--dtypes float64 float32] [--elements 3000] [--above 4] [--store]

One thread, numbers evenly between 0.3 and 1.7, values with their gradients. Both functions of a pair run in turn, in processor time:
printed are those whose ratio is above a bound, the worst first, and of each dtype the share below 2, 4, 10 and 40, the mean and the
worst by name. All take 15 minutes where nothing is in the cache of compiled code. The record is of every sixth (others of
float32), which takes less than 3: `python -m benchmarks.ordinary --every 6 --above 40 --store`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import symdl
from benchmarks.machine import store
from benchmarks.precision_cost import PRECISIONS, timed
from symdl.errors import SymdlError
from symdl.graph.expr import variable

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))  # where tests import each other from

from own_cases import CASES, SYMBOLS  # found there
from test_ordinary import FAMILIES

BOUNDS = (2, 4, 10, 40)
WORST = 10  # that are told by name
ROUNDS = 5


def compiled(leaves: list[Any], y: Any, wrt: list[Any]) -> dict[str, Callable[..., Any]]:
    """The value and its gradients, each way."""
    outputs = [y, *(symdl.grad(y.sum(), wrt) if wrt else [])]
    return {p: symdl.function(leaves, outputs, precision=p, on_unused_input="ignore") for p in PRECISIONS}


def own_cases(dtype: str, count: int, only: list[str]) -> list[tuple[str, Any, list[Any]]]:
    """Names, what makes the functions, and data: leaves that are whole numbers keep theirs."""
    found: list[tuple[str, Any, list[Any]]] = []
    for case in CASES:
        if only and case.name not in only:
            continue
        chance = np.random.default_rng(0)
        given = case.arrays(dtype)
        data = [
            chance.uniform(0.3, 1.7, (count, *a.shape[1:])).astype(a.dtype)
            if a.dtype.kind == "f"
            else np.resize(a, (count, *a.shape[1:]))
            for a in given
        ]

        def make(case: Any = case, given: Any = given) -> dict[str, Callable[..., Any]]:
            leaves = [variable(n, (None,) * a.ndim, str(a.dtype)) for n, a in zip(case.leaves, given, strict=True)]
            return compiled(leaves, case.formula(SYMBOLS, *leaves), [x for x in leaves if x.name in case.wrt])

        found.append((case.name, make, data))
    return found


def families(dtype: str, count: int, only: list[str]) -> list[tuple[str, Any, list[Any]]]:
    """Those of tests/test_ordinary.py."""
    found: list[tuple[str, Any, list[Any]]] = []
    for name, (formula, ranges) in FAMILIES.items():
        if only and name not in only:
            continue
        chance = np.random.default_rng(0)

        def make(formula: Any = formula, ranges: Any = ranges) -> dict[str, Callable[..., Any]]:
            leaves = [variable(f"x{k}", (None,), dtype) for k in range(len(ranges))]
            return compiled(leaves, formula(*leaves), leaves)

        found.append((name, make, [chance.uniform(*r, count).astype(dtype) for r in ranges]))
    return found


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    return f"{row['name']:<34}{row['dtype']:<9}{row['plain_ns']:>10}{row['right_ns']:>10}{row['ratio']:>9}"


def distribution(rows: list[dict[str, Any]]) -> str:
    """How ratios are spread, in a few lines."""
    ratios = [float(row["ratio"]) for row in rows]
    shares = ", ".join(f"{sum(r < b for r in ratios) / len(ratios):.0%} below {b}" for b in BOUNDS)
    worst = sorted(rows, key=lambda row: -float(row["ratio"]))[:WORST]
    names = ", ".join(f"{row['name']} {row['ratio']:.0f}" for row in worst)
    mean = statistics.geometric_mean(ratios)
    return f"{rows[0]['dtype']}: {len(rows)} functions, {shares}; geometric mean {mean:.2f}\n  {names}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[], help="names of own cases and families")
    parser.add_argument("--every", type=int, default=1, help="one of so many")
    parser.add_argument("--dtypes", nargs="+", default=["float64", "float32"])
    parser.add_argument("--elements", type=int, default=3000)
    parser.add_argument("--above", type=float, default=4, help="ratios from which on rows are printed")
    parser.add_argument("--store", action="store_true", help="write benchmarks/records/ordinary.json")
    options = parser.parse_args()
    symdl.config.threads, symdl.config.optimizing = 1, "now"
    rows: list[dict[str, Any]] = []
    for turn, dtype in enumerate(options.dtypes):
        for table in (families, own_cases):
            chosen = table(dtype, options.elements, options.only)[turn :: options.every]
            for n, (name, make, data) in enumerate(chosen, 1):
                if n % 50 == 0:
                    print(f"{dtype}: {n} of {len(chosen)} {table.__name__.replace('_', ' ')}", file=sys.stderr)
                try:
                    ways = make()
                except SymdlError:
                    continue  # sizes that a case's own data alone have
                seconds = timed({p: (lambda f=f, data=data: f(*data)) for p, f in ways.items()}, ROUNDS)
                best = {p: min(seconds[p][1:]) / options.elements * 1e9 for p in PRECISIONS}
                ratio = best["right"] / best["plain"]
                times = {f"{p}_ns": round(t, 1) for p, t in best.items()}
                rows.append({"name": name, "dtype": dtype, **times, "ratio": round(ratio, 2)})
                if ratio >= options.above:
                    print(line(rows[-1]), file=sys.stderr, flush=True)
    rows.sort(key=lambda row: -float(row["ratio"]))
    print(f"{'':<34}{'':<9}{'plain ns':>10}{'right ns':>10}{'ratio':>9}")
    for row in rows:
        if row["ratio"] >= options.above:
            print(line(row))
    for dtype in options.dtypes:
        if found := [row for row in rows if row["dtype"] == dtype]:
            print(distribution(found))
    if options.store:
        print("record:", store("ordinary", rows).name)


if __name__ == "__main__":
    main()
