"""The matrix of work and engines: medians of interleaved runs, ratios to the best peer, shares of the machine's limits.

    python -m benchmarks.matrix [--groups E1 M ...] [--only TEXT] [--threads 1 2] [--rounds 9] [--store NAME]
    python -m benchmarks.matrix --compare OLD.json NEW.json

Each group and number of threads is a process of its own, in which the engines run in turn. A sample is as many calls as take
some milliseconds; reported are the best sample of each engine, the median over rounds of the ratio to the best peer, and how
much symdl's own samples scatter. Results are compared with the truth (`truth`; where there is none, with symdl's): a peer that
differs (*), or whose function is off by more than 4 ulp (~), is shown, and not counted. "symdl plain" is precision="plain", symdl's
own arithmetic without more digits where they are at stake; the second ratio is its, to the best peer that is right but for such digits.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.matrix import fresh, models, operations
from benchmarks.matrix.cells import Cell
from benchmarks.matrix.engines import ENGINES, Differentiating, Engine
from benchmarks.matrix.truth import ALLOWED, FUNCTIONS, truth_of, worst_ulp
from benchmarks.processes import Rows, keep_to, report, rows_from

GROUPS = operations.GROUPS | models.GROUPS | {"C": lambda: iter(())}  # whose rows are made by `fresh`
SAMPLE = 3e-3  # seconds that a sample should last
LONGEST = 1.0  # seconds a call beyond which an engine gets three rounds only


def run_of(engine: Engine, cell: Cell) -> Any:
    """The cell's work in an engine, from the same arrays for all."""
    rng = np.random.default_rng(0)
    given = cell.make(rng)
    if cell.parameters is None:
        return engine.compiled(cell.formula, given)
    assert isinstance(engine, Differentiating)  # rows_of gives steps to no others
    return engine.step(cell.formula, cell.parameters(rng), given, cell.rate, cell.adam)


def first(engine: Engine, cell: Cell) -> tuple[Any, Any, float, str]:
    """(the call, its first result, seconds until then, why there is none)."""
    started = time.perf_counter()
    try:
        run = run_of(engine, cell)
        value = engine.value(run())
    except Exception as error:  # a peer that cannot do it is printed, not fatal
        if engine.name.startswith("symdl"):
            raise
        return None, None, 0.0, f"{type(error).__name__}: {str(error).splitlines()[0][:80] if str(error) else ''}"
    return run, value, time.perf_counter() - started, ""


def differs(cell: Cell, mine: Any, other: Any) -> bool:
    """Whether two results are not of the same numbers, as far as rounding may part them."""
    if cell.random:
        return False
    if mine.shape != other.shape:
        return True
    if mine.dtype.kind in "iub":
        return bool((mine != other).mean() > 1e-3)  # argsort and argmax may choose among near ties
    scale = float(np.abs(mine).max()) or 1.0
    tolerance = 2e-3 if mine.dtype == np.float32 else 1e-9
    return bool(not np.isfinite(other).all() or np.abs(mine.astype(float) - other).max() > tolerance * scale)


def measured(cell: Cell, engines: list[Engine], rounds: int, limits: Any) -> dict[str, Any]:
    """All engines on one cell."""
    runs: dict[str, tuple[Any, int]] = {}
    row: dict[str, Any] = {"cell": cell.label, "first_s": {}, "failed": {}, "differs": [], "inexact": [], "ulp": {}}
    mine: Any = None
    true = truth_of(cell)
    for engine in engines:
        run, value, seconds, why = first(engine, cell)
        if why:
            row["failed"][engine.name] = why
            continue
        row["first_s"][engine.name] = round(seconds, 3)
        mine = value if mine is None else mine
        if differs(cell, mine if true is None else true.astype(mine.dtype), value):
            row["differs"].append(engine.name)
        error = worst_ulp(value, true) if true is not None and cell.group in FUNCTIONS else None
        if error is not None:
            row["ulp"][engine.name] = round(error, 2)
            if not error <= ALLOWED:
                row["inexact"].append(engine.name)
        calls, spent = 1, 0.0
        while spent < SAMPLE:  # as many calls as a sample takes, found after the caches are warm
            started = time.perf_counter()
            for _ in range(calls):
                run()
            spent = time.perf_counter() - started
            calls = calls if spent >= SAMPLE else max(calls + 1, math.ceil(calls * SAMPLE / max(spent, 1e-7)))
        runs[engine.name] = run, calls
        if spent / calls > LONGEST:
            rounds = min(rounds, 3)
    samples: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, (run, calls) in runs.items():
            started = time.perf_counter()
            for _ in range(calls):
                run()
            samples[name].append((time.perf_counter() - started) / calls)
    row["us"] = {name: round(min(s) * 1e6, 3) for name, s in samples.items()}
    alike = [name for name in samples if not name.startswith("symdl") and name not in row["differs"]]
    peers = [name for name in alike if name not in row["inexact"]]
    own = samples["symdl"]
    row["noise"] = round(statistics.median(own) / min(own) - 1, 3)
    if peers:
        best = min(peers, key=lambda name: min(samples[name]))
        row["best_peer"] = best
        row["ratio"] = round(statistics.median(a / b for a, b in zip(own, samples[best], strict=True)), 3)
    if alike:
        best = min(alike, key=lambda name: min(samples[name]))
        pairs = zip(samples["symdl plain"], samples[best], strict=True)
        row["plain_ratio"] = round(statistics.median(a / b for a, b in pairs), 3)
    if cell.bytes:
        row["share_of_copy"] = round(cell.bytes / min(own) / limits["copy"], 3)
    if cell.flops:
        row["share_of_flops"] = round(cell.flops / min(own) / limits["flops"][str(mine.dtype)], 3)
    return row


def rows_of(groups: list[str], only: str, threads: int, rounds: int) -> Rows:
    """The rows of one process."""
    from symdl.backends.limits import measured as limits_of
    from symdl.runs import native

    warnings.simplefilter("ignore")  # of peers
    found = limits_of(native().machine)
    largest = max(found.copies, key=lambda pair: pair[0])
    limits = {"copy": largest[1], "flops": {d: v * threads for d, v in found.flops.items()}}
    engines = [engine(threads) for engine in ENGINES if engine.available()]
    rows = []
    for group in groups:
        for row in fresh.rows(only, threads, rounds) if group == "C" else ():
            rows.append(row)
            print(line(row), file=sys.stderr, flush=True)
        for cell in GROUPS[group]():
            if only in cell.label:
                usable = [e for e in engines if cell.parameters is None or isinstance(e, Differentiating)]
                row = measured(cell, usable, rounds, limits) | {"group": group, "threads": threads}
                rows.append(row)
                print(line(row), file=sys.stderr, flush=True)
    return rows


def line(row: dict[str, Any]) -> str:
    """A row as text."""
    unit = "us" if "us" in row else "mib"
    share = row.get("share_of_copy") or row.get("share_of_flops")
    ratio = f"{row['ratio']:>6.2f}" if "ratio" in row else " " * 6
    marks = {**dict.fromkeys(row.get("inexact", ()), "~"), **dict.fromkeys(row["differs"], "*")}
    shown = "  ".join(f"{name} {us:,.1f}{marks.get(name, '')}" for name, us in row[unit].items())
    plain = f"{row['plain_ratio']:>6.2f}" if "plain_ratio" in row else " " * 6
    limit = f"{share:>5.0%}" if share else " " * 5
    return f"{row['threads']} {row['cell']:<32} {ratio} {plain} {limit} +-{row['noise']:>4.0%}  {shown} {unit}"


def compare(old: Path, new: Path) -> int:
    """What became slower by more than the noise of both records; how many did."""
    before, after = ({(r["cell"], r["threads"]): r for r in json.loads(p.read_text())["rows"]} for p in (old, new))
    slower = 0
    for key in before.keys() & after.keys():
        a, b = before[key], after[key]
        unit = "us" if "us" in a else "mib"
        change = b[unit]["symdl"] / a[unit]["symdl"]
        if change > 1 + a["noise"] + b["noise"] + 0.02:
            slower += 1
            print(f"{key[1]} {key[0]:<32} {change:.2f}x  {a[unit]['symdl']:,.1f} -> {b[unit]['symdl']:,.1f} {unit}")
    print(f"{slower} of {len(before.keys() & after.keys())} cells are slower by more than the noise")
    return slower


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", nargs="+", choices=list(GROUPS), default=list(GROUPS))
    parser.add_argument("--only", default="", help="cells whose label holds this")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--store", metavar="NAME", help="write benchmarks/records/NAME.json")
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("OLD", "NEW"))
    parser.add_argument("--rows", type=int, help=argparse.SUPPRESS)  # what rows_from asks for
    options = parser.parse_args()
    if options.compare:
        return 1 if compare(*options.compare) else 0
    if options.rows:
        keep_to(options.rows)
        report(rows_of(options.groups, options.only, options.rows, options.rounds))
        return 0
    print(f"t {'cell':<32} {'ratio':>6} {'plain':>6} {'limit':>5} noise  best times", file=sys.stderr)
    rows: Rows = []
    for threads in options.threads:
        for group in options.groups:
            given = ("--groups", group, "--only", options.only, "--rounds", str(options.rounds))
            rows += rows_from("benchmarks.matrix", threads, *given)
    ratios = [r["ratio"] for r in rows if "ratio" in r]
    if ratios:
        mean = math.exp(statistics.fmean(map(math.log, ratios)))
        behind = sorted((r for r in rows if r.get("ratio", 0) > 1), key=lambda r: -r["ratio"])
        print(f"{len(ratios)} cells, geometric mean of the ratios {mean:.2f}, {len(behind)} above 1.0:")
        for r in behind:
            print(f"  {r['threads']} {r['cell']:<32} {r['ratio']:.2f} ({r['best_peer']})")
    if options.store:
        from benchmarks.machine import store

        print("record:", store(options.store, rows).name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
