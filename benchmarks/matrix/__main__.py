"""The matrix of work and engines: medians of interleaved runs, ratios to the best peer, shares of the machine's limits.

    python -m benchmarks.matrix [--groups E1 M ...] [--only TEXT] [--threads 1 2] [--rounds 9] [--store NAME]
    python -m benchmarks.matrix --show NAME
    python -m benchmarks.matrix --compare OLD.json NEW.json

Each group and number of threads is a process of its own, in which the engines run in turn. A sample is as many calls as take
some milliseconds; before it short calls are made for as long, since a last cache takes some calls to hold what an engine uses
instead of what the one before did, and with several threads engines wait until those of the one before have gone to sleep. Engines that are far behind the best peer after three rounds are not sampled
again. torch.compile begins anew in every cell, for its shapes alone. With one thread the time is the processor's, of all
threads of the process, so that others at work on the machine count less. Reported are the best sample of each engine, the median over rounds of the ratio to the best peer, the
share of what the machine can do, measured in the same rounds (copies of as many bytes, or sums of products in registers), and how
much symdl's own samples scatter. A ratio is above 1 by more than noise if it is by more than half the distance of its
quartiles. --store adds to the record what was run, in the place of what it had of the same cells on this processor; `shortfalls` says why
a cell falls short. Results are compared with the truth (`truth`; where there is none, with symdl's): a peer that
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

from benchmarks.machine import RECORDS, store
from benchmarks.matrix import fresh, models, operations
from benchmarks.matrix.cells import Cell
from benchmarks.matrix.engine import Differentiating, Engine
from benchmarks.matrix.engines import ENGINES
from benchmarks.matrix.predicting import PREDICTORS, prediction
from benchmarks.matrix.shortfalls import BY_LIMIT, reason
from benchmarks.matrix.truth import ALLOWED, FUNCTIONS, truth_of, worst_ulp
from benchmarks.processes import Rows, keep_to, report, rows_from
from symdl.backends.cpu.limits import Probe, copying, multiplying
from symdl.config import config
from symdl.runtime.runs import native

GROUPS = operations.GROUPS | models.GROUPS | {"P": prediction, "C": lambda: iter(())}  # rows of C are made by `fresh`
SAMPLE = 3e-3  # seconds that a sample should last
WARMING = 20e-3  # seconds of calls that need none before them: they fill the caches in a small part of them
LOOKS = 3  # rounds of engines that take FAR times as long as the best peer
FAR = 2.0
LONGEST = 1.0  # seconds a call beyond which an engine gets three rounds only
ASLEEP = 0.03  # seconds after which the threads of every library have gone to sleep: OpenBLAS' spin for 2^26 ticks
AWAKE = 0.03  # seconds of calls after which a second processor that was idle runs as fast as it can: the first 10 ms take 1.5 times


def run_of(engine: Engine, cell: Cell) -> Any:
    """The cell's work in an engine, from the same arrays for all."""
    rng = np.random.default_rng(0)
    given = cell.make(rng)
    if cell.parameters is None:
        return engine.compiled(cell.formula, given)
    assert isinstance(engine, Differentiating)  # rows_of gives steps to no others
    descent = cell.descent(rng)
    return engine.epoch(descent, given, cell.size) if cell.size else engine.step(descent, given)


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


def measured(cell: Cell, engines: list[Engine], rounds: int, threads: int) -> dict[str, Any]:
    """All engines on one cell."""
    runs: dict[str, tuple[Any, int]] = {}
    seconds_of: dict[str, float] = {}
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
        runs[engine.name], seconds_of[engine.name] = (run, calls), spent / calls
        if spent / calls > LONGEST:
            rounds = min(rounds, 3)
    samples: dict[str, list[float]] = {name: [] for name in runs}
    clock = time.process_time if threads == 1 else time.perf_counter
    probe = limit_of(cell, str(mine.dtype), threads)
    rates = []
    for k in range(rounds):
        if probe is not None:
            rates.append(probe.rate())
        for name, (run, calls) in (close(row, samples, runs) if k >= LOOKS else runs).items():
            if threads > 1:
                time.sleep(ASLEEP)
            for _ in range(calls if seconds_of[name] * calls < WARMING else 0):
                run()
            begun = time.perf_counter()
            while threads > 1 and time.perf_counter() - begun < AWAKE:
                run()
            started = clock()
            for _ in range(calls):
                run()
            samples[name].append((clock() - started) / calls)
    row["us"] = {name: round(min(s) * 1e6, 3) for name, s in samples.items()}
    alike, peers = peers_of(row, samples)
    own = samples["symdl"]
    row["noise"] = round(statistics.median(own) / min(own) - 1, 3)
    if peers:
        best = min(peers, key=lambda name: min(samples[name]))
        row["best_peer"] = best
        ratios = [a / b for a, b in zip(own, samples[best], strict=True)]
        row["ratio"] = round(statistics.median(ratios), 3)
        low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
        row["ratio_noise"] = round((high - low) / 2, 3)
    if alike and "symdl plain" in samples:
        best = min(alike, key=lambda name: min(samples[name]))
        pairs = zip(samples["symdl plain"], samples[best], strict=True)
        row["plain_ratio"] = round(statistics.median(a / b for a, b in pairs), 3)
    if rates:
        amount = cell.bytes or cell.flops
        row["share"] = round(statistics.median(amount / a / rate for a, rate in zip(own, rates, strict=True)), 3)
        row["limit"] = ("copy " if cell.bytes else "peak ") + f"{statistics.median(rates) / 1e9:.1f}e9/s"
    if cell.wanted:
        row["wanted"] = cell.wanted
    return row


def peers_of(row: dict[str, Any], samples: dict[str, list[float]]) -> tuple[list[str], list[str]]:
    """The peers whose results are the same, and those of them whose functions are right."""
    alike = [name for name in samples if not name.startswith("symdl") and name not in row["differs"]]
    return alike, [name for name in alike if name not in row["inexact"]]


def close(row: dict[str, Any], samples: dict[str, list[float]], runs: dict[str, Any]) -> dict[str, Any]:
    """symdl, and the engines that may still turn out to be the best peer."""
    alike, peers = peers_of(row, samples)
    most = FAR * min((min(samples[name]) for name in peers or alike), default=math.inf)
    return {name: run for name, run in runs.items() if name.startswith("symdl") or min(samples[name]) <= most}


def limit_of(cell: Cell, dtype: str, threads: int) -> Probe | None:
    """What bounds the cell."""
    machine = native().machine
    if cell.bytes:
        return copying(machine, threads, cell.bytes)
    return multiplying(machine, threads, dtype) if cell.flops else None


def rows_of(groups: list[str], only: str, threads: int, rounds: int) -> Rows:
    """The rows of one process."""
    warnings.simplefilter("ignore")  # of peers
    config.optimizing = "now"  # nothing but what stays is timed; group C's processes are their own
    rows = []
    for group in groups:
        kinds = PREDICTORS if group == "P" else ENGINES
        engines = [engine(threads) for engine in kinds if engine.available()]
        for row in fresh.rows(only, threads, rounds) if group == "C" else ():
            rows.append(row)
            print(line(row), file=sys.stderr, flush=True)
        for cell in GROUPS[group]():
            if only in cell.label:
                usable = [e for e in engines if cell.parameters is None or isinstance(e, Differentiating)]
                row = measured(cell, usable, rounds, threads) | {"group": group, "threads": threads}
                rows.append(row)
                print(line(row), file=sys.stderr, flush=True)
    return rows


def line(row: dict[str, Any]) -> str:
    """A row as text."""
    unit = "us" if "us" in row else "mib"
    share = row.get("share")
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


def behind(row: dict[str, Any]) -> bool:
    """Whether the best peer is ahead by more than noise."""
    return bool(row.get("ratio", 0.0) > 1 + row.get("ratio_noise", 0.0))


def short(row: dict[str, Any]) -> bool:
    """Whether less of the limit is reached than should be."""
    return bool(row.get("share", 1.0) < row.get("wanted", 0.0))


def summary(rows: Rows) -> str:
    """The mean of the ratios, and which cells fall short, by how much and why."""
    compared = [r for r in rows if "ratio" in r]
    if not compared:
        return "nothing to compare"
    mean = math.exp(statistics.fmean(math.log(r["ratio"]) for r in compared))
    above = sorted((r for r in compared if r["ratio"] > 1), key=lambda r: -r["ratio"])
    beyond = sum(map(behind, above))
    lines = [
        f"{len(compared)} cells, geometric mean of the ratios {mean:.2f}; {len(above)} above 1.0, {beyond} by more than noise:"
    ]
    for r in above:
        mark = " " if behind(r) else "~"
        lines.append(
            f"{mark} {r['threads']} {r['cell']:<36} {r['ratio']:.2f} +-{r.get('ratio_noise', 0):.2f} ({r['best_peer']})  {reason(r)}"
        )
    limited = [r for r in rows if "wanted" in r]
    below = sorted(filter(short, limited), key=lambda r: r["share"])
    lines.append(f"{len(limited)} cells have a limit, {len(below)} reach less of it than they should:")
    lines += [
        f"  {r['threads']} {r['cell']:<36} {r['share']:.0%} of {r['limit']}  {reason(r, BY_LIMIT)}" for r in below
    ]
    return "\n".join(lines)


def stranger(name: str) -> str:
    """The processor that a record was made on, if it is another than this: their times do not go into one table."""
    path = RECORDS / f"{name}.json"
    made_on = json.loads(path.read_text())["machine"]["llvm_cpu"] if path.exists() else native().machine.cpu
    return "" if made_on == native().machine.cpu else str(made_on)


def merged(name: str, rows: Rows) -> Rows:
    """The rows of a record with these in the place of its own of the same cells and threads."""
    path = RECORDS / f"{name}.json"
    known: Rows = json.loads(path.read_text())["rows"] if path.exists() else []
    new = {(r["cell"], r["threads"]) for r in rows}
    for r in rows:
        said = [reason(r)] * behind(r) + [reason(r, BY_LIMIT)] * short(r)
        if said:
            r["why"] = said
    order = {group: k for k, group in enumerate(GROUPS)}
    kept = [r for r in known if (r["cell"], r["threads"]) not in new]
    return sorted(kept + rows, key=lambda r: (r["threads"], order.get(r["group"], len(order))))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", nargs="+", choices=list(GROUPS), default=list(GROUPS))
    parser.add_argument("--only", default="", help="cells whose label holds this")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--store", metavar="NAME", help="put the rows into benchmarks/records/NAME.json")
    parser.add_argument("--show", metavar="NAME", help="print a record")
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("OLD", "NEW"))
    parser.add_argument("--rows", type=int, help=argparse.SUPPRESS)  # what rows_from asks for
    options = parser.parse_args()
    if options.compare:
        return 1 if compare(*options.compare) else 0
    if options.store and (other := stranger(options.store)):
        parser.error(
            f"{options.store}.json was made on another processor ({other}): give its rows, or these, another name"
        )
    rows: Rows = []
    if options.show:
        rows = json.loads((RECORDS / f"{options.show}.json").read_text())["rows"]
        print("\n".join([*map(line, rows), summary(rows)]))
        return 0
    if options.rows:
        keep_to(options.rows)
        report(rows_of(options.groups, options.only, options.rows, options.rounds))
        return 0
    print(f"t {'cell':<32} {'ratio':>6} {'plain':>6} {'limit':>5} noise  best times", file=sys.stderr)
    rows = []
    for threads in options.threads:
        for group in options.groups:
            given = ("--groups", group, "--only", options.only, "--rounds", str(options.rounds))
            rows += rows_from("benchmarks.matrix", threads, *given)
    print(summary(rows))
    if options.store:
        print("record:", store(options.store, merged(options.store, rows)).name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
