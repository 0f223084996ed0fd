"""Random formulas and their gradients, compiled with precision="right", against their exact values.

    python tests/fuzz_formulas.py [--count 10000] [--first 0] [--seconds S] [--log FILE] [--store] [--show 10] [--optimized]
        [--precision right] [--share 0.995] [--lost 0] [--of points|rows]

Formulas are of numbers (random_formulas.py), or of rows of them (random_rows.py). Two batches in three are float64, one is float32. A batch is one function, compiled by
tests/quick_code.py unless --optimized. Where gmpy2 is installed, mpmath is quicker by it. An element counts where
mpmath settles it as a finite number (symdl.verify.decided), unless the inputs do not determine it: where it loses all its
digits, if each input moves by half an ulp, and the result lies no farther from it than those that this makes
(symdl.verify.spread), it is counted apart. Exits with 1 unless at least 99.5 % of the elements are within
4 ulp and none is catastrophic (NaN, infinite, or more than half of its bits wrong) that the formula as written, in NumPy,
has within 4 ulp; --share and --lost set other limits. --log keeps what is done, a batch a line, and a run with the same file goes on where the last one ended. --store adds what is
done to the record of all that were ever tried (fuzz_record.py), where it ends unless --first says where: so
`--store --count 1000000 --seconds 3600` is one of several sittings.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fuzz_record
import mpmath
import numpy as np
import random_formulas
import random_rows
from quick_code import quickly
from random_formulas import CANDIDATES, POINTS, Formula
from ulps import distance

import symdl
from symdl.graph.expr import Expr
from symdl.passes.evaluate import Evaluation, evaluate
from symdl.verify import decided, spread

BATCH = 20
GOOD, SHARE = 4.0, 0.995
HALF_THE_BITS = {"float64": 2.0**26, "float32": 2.0**12}  # in ulp
PATIENCE = 20  # seconds for the exact values of a formula
Array = Any
GRAMMARS = {"points": random_formulas.formula, "rows": random_rows.formula}


def dtype_of(batch: int) -> str:
    """Of a batch's leaves."""
    return "float32" if batch % 3 == 2 else "float64"


def compiled(formulas: Sequence[Formula], precision: str, optimized: bool) -> Callable[[Sequence[Array]], list[Array]]:
    """One function of all leaves, which gives all outputs."""
    leaves = [x for f in formulas for x in f.leaves]
    outputs = [y for f in formulas for y in f.outputs]
    if not optimized:
        return quickly(leaves, outputs, precision)
    made = symdl.function(leaves, outputs, precision=precision)
    return lambda arrays: list(made(*arrays))


def points(one: Formula) -> dict[Expr, Array]:
    """Values of the leaves: candidates at which NumPy has a finite value, but for the last, which may be any."""
    finite: list[int] = []
    rest: list[int] = []
    run = Evaluation({})  # nothing here has an unknown size
    for start in range(0, CANDIDATES, POINTS):
        rows = list(range(start, start + POINTS))
        for k, value in zip(rows, run.computed(one.outputs[:1], one.at(rows))[0], strict=True):
            (finite if np.isfinite(value) else rest).append(k)
        if len(finite) >= POINTS - 1 and rest:
            break
    return one.at((finite[: POINTS - 1] + rest + finite[POINTS - 1 :])[:POINTS])


@contextmanager
def patience(seconds: int) -> Iterator[None]:
    """TimeoutError after so many seconds of this process's own, however busy the machine is, where there are such alarms."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(number: int, frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def tried(batch: int, precision: str = "right", optimized: bool = False, grammar: str = "points") -> dict[str, Any]:
    """What became of a batch's formulas: counts of outputs and elements, and each failure with what reproduces it."""
    warnings.simplefilter("ignore")
    dtype = dtype_of(batch)
    formulas = [GRAMMARS[grammar](BATCH * batch + k, dtype) for k in range(BATCH)]
    clock = [time.process_time()]

    def lap() -> float:
        clock.append(time.process_time())
        return clock[-1] - clock[-2]

    count: Counter[str] = Counter(formulas=BATCH)
    spent: dict[str, float] = {}
    failures: list[dict[str, Any]] = []
    with np.errstate(all="ignore"):
        at = [points(f) for f in formulas]
        spent["points"] = lap()
        try:
            results = compiled(formulas, precision, optimized)(
                [a[x] for f, a in zip(formulas, at, strict=True) for x in f.leaves]
            )
        except Exception as error:  # noqa: BLE001  # which formula it was is what a fuzzer is for
            results = []
            for f, a in zip(formulas, at, strict=True):
                try:
                    results += compiled([f], precision, optimized)([a[x] for x in f.leaves])
                except Exception as alone:  # noqa: BLE001  # the same
                    results += [None] * len(f.outputs)
                    failures.append(
                        {"seed": f.seed, "kind": "crash", "error": f"{type(alone).__name__}: {alone}"[:300]}
                    )
                    count["crash"] += 1
            if not count["crash"]:
                failures.append({"seed": batch * BATCH, "kind": "crash", "error": f"only together: {error}"[:300]})
                count["crash"] += 1
        spent["compiled"] = lap()
        left = iter(results)
        for f, a in zip(formulas, at, strict=True):
            got = [next(left) for _ in f.outputs]
            if got[0] is None:
                continue
            _judged(f, a, got, dtype, count, failures)
        spent["truth"] = lap()
    made = {"symdl": symdl.__version__, "date": time.strftime("%Y-%m-%d")}
    return {"batch": batch, **made, "count": dict(count), "spent": spent, "failures": failures}


def _judged(
    f: Formula, at: dict[Expr, Array], got: list[Array], dtype: str, count: Counter[str], failures: list[dict[str, Any]]
) -> None:
    """Count the elements of one formula's outputs."""
    try:
        with patience(PATIENCE):
            truth = decided(f.outputs, at)
    except (TimeoutError, OverflowError, MemoryError, ArithmeticError, ValueError, mpmath.libmp.NoConvergence):
        count["no truth"] += 1
        return
    written = evaluate(f.outputs, at)
    for k, (g, w, t) in enumerate(zip(got, written, truth, strict=True)):
        known = np.array([bool(mpmath.isfinite(v)) and abs(v) <= float(np.finfo(dtype).max) for v in t.reshape(-1)])
        count["outputs"] += bool(known.any())
        count["elements"] += int(known.sum())
        count["undecided"] += int((~known).sum())
        if not known.any():
            continue
        gap = np.where(known, distance(g, t).reshape(-1), 0.0)
        gap_written = distance(w, t).reshape(-1)
        open_ = known & (gap > GOOD) & _undetermined(f, at, truth, k, g, known & (gap > GOOD))
        count["elements"] -= int(open_.sum())
        count["undetermined"] += int(open_.sum())
        known, gap = known & ~open_, np.where(open_, 0.0, gap)
        bad = gap > GOOD
        lost = gap > HALF_THE_BITS[dtype]
        worse = lost & (gap_written <= GOOD)
        count["elements within 4 ulp"] += int((known & ~bad).sum())
        count["as written within 4 ulp"] += int((known & (gap_written <= GOOD)).sum())
        count["outputs within 4 ulp"] += not bad.any()
        count["catastrophic"] += int(lost.sum())
        count["as written catastrophic"] += int((known & (gap_written > HALF_THE_BITS[dtype])).sum())
        count["catastrophic, as written right"] += int(worse.sum())
        if bad.any():
            j = int(np.argmax(np.where(worse, np.inf, gap)))
            row = np.unravel_index(j, g.shape)[0]
            failures.append(
                {
                    "seed": f.seed,
                    "kind": "worse" if worse.any() else "lost" if lost.any() else "inexact",
                    "output": k,
                    "ulp": float(gap[j]) if np.isfinite(gap[j]) else str(gap[j]),
                    "at": {str(x.name)[:1]: at[x][row].tolist() for x in f.leaves},
                    "got": float(g.reshape(-1)[j]),
                    "written": float(w.reshape(-1)[j]),
                    "true": mpmath.nstr(t.reshape(-1)[j], 20),
                }
            )


def _undetermined(f: Formula, at: dict[Expr, Array], truth: list[Array], k: int, got: Array, missed: Array) -> Array:
    """Which of the elements that are missed the inputs leave open, as far as the result is off; flat."""
    if not missed.any():
        return missed
    try:
        with patience(PATIENCE):
            far = spread(f.outputs[k : k + 1], at, truth[k : k + 1])[0].reshape(-1)
    except (TimeoutError, OverflowError, MemoryError, ArithmeticError, ValueError, mpmath.libmp.NoConvergence):
        return np.zeros_like(missed)
    flat = zip(missed, got.reshape(-1), truth[k].reshape(-1), far, strict=True)
    return np.array(
        [bool(m and np.isfinite(g) and d > abs(t) and abs(mpmath.mpf(float(g)) - t) <= d) for m, g, t, d in flat]
    )


def seen_before(log: Path | None) -> dict[int, dict[str, Any]]:
    """The batches that a log holds; a line that an interrupted run left half written is no batch."""
    done: dict[int, dict[str, Any]] = {}
    if log is not None and log.exists():
        for line in log.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue
            done[row["batch"]] = row
    return done


def summary(rows: Sequence[dict[str, Any]], least: float = SHARE, lost: int = 0) -> tuple[str, bool]:
    """The counts as text, and whether the two promises are kept."""
    count: Counter[str] = Counter()
    spent: Counter[str] = Counter()
    for row in rows:
        count.update(row["count"])
        spent.update(row["spent"])
    total, outputs = max(count["elements"], 1), max(count["outputs"], 1)
    share = count["elements within 4 ulp"] / total
    text = [
        f"{count['formulas']} formulas, {outputs} values and gradients, {total} elements with a settled finite truth "
        f"({count['undecided']} without, {count['no truth']} formulas beyond patience; {count['undetermined']} that inputs leave open)",
        f"within 4 ulp: {100 * share:.3f} % of the elements, {100 * count['outputs within 4 ulp'] / outputs:.3f} % of the "
        f"values and gradients; as written in NumPy {100 * count['as written within 4 ulp'] / total:.2f} % of the elements",
        f"catastrophic: {count['catastrophic']} elements (as written {count['as written catastrophic']}), of which NumPy has "
        f"{count['catastrophic, as written right']} right; crashes: {count['crash']}",
        "processor seconds: " + ", ".join(f"{name} {seconds:.0f}" for name, seconds in spent.items()),
    ]
    return "\n".join(text), share >= least and count["catastrophic, as written right"] <= lost and not count["crash"]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, help="the first seed (default: 0, or where the record ends)")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="how long to go on")
    parser.add_argument("--store", action="store_true", help="add what is done to the record")
    parser.add_argument("--log", type=Path)
    parser.add_argument("--show", type=int, default=10)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--optimized", action="store_true")
    parser.add_argument("--share", type=float, default=SHARE, help="the least share of elements within 4 ulp")
    parser.add_argument("--lost", type=int, default=0, help="how many catastrophic elements NumPy may have right")
    parser.add_argument("--precision", choices=("plain", "right"), default="right")
    parser.add_argument("--of", choices=tuple(GRAMMARS), default="points", help="what formulas are of")
    options = parser.parse_args(arguments)
    if options.store and (options.precision, options.of) != ("right", "points"):
        parser.error("the record is of formulas of numbers, at precision right")
    first = options.first
    if first is None:
        first = fuzz_record.next_seed(fuzz_record.recorded()) if options.store else 0
    batches = range(first // BATCH, (first + options.count) // BATCH)
    done = {k: row for k, row in seen_before(options.log).items() if k in batches}
    todo = [k for k in batches if k not in done]
    start, log = time.perf_counter(), options.log and options.log.open("a", encoding="utf-8")
    tasks = [(k, options.precision, options.optimized, options.of) for k in todo]
    with multiprocessing.get_context("spawn").Pool(options.workers, maxtasksperchild=200) as pool:
        for n, row in enumerate(pool.imap_unordered(_one, tasks), 1):
            done[row["batch"]] = row
            if log:
                log.write(json.dumps(row) + "\n")
                log.flush()
            if n % 25 == 0:
                bad = sum(len(r["failures"]) for r in done.values())
                print(
                    f"{n} of {len(todo)} batches, {time.perf_counter() - start:.0f} s, {bad} failures", file=sys.stderr
                )
            if time.perf_counter() - start > options.seconds:
                break  # and what the workers have begun is given up
    rows = [done[k] for k in sorted(done)]
    text, kept = summary(rows, options.share, options.lost)
    order = {"crash": 0, "worse": 1, "lost": 2, "inexact": 3}
    failures = sorted((f for row in rows for f in row["failures"]), key=lambda f: order[f["kind"]])
    for f in failures[: options.show]:
        print(f)
    print(text)
    print(f"{time.perf_counter() - start:.0f} s")
    if options.store:
        rows = fuzz_record.store(fuzz_record.ranges(done, BATCH))
        print(f"ever tried:\n{summary(rows, options.share, options.lost)[0]}")
    return 0 if kept else 1


def _one(task: tuple[int, str, bool, str]) -> dict[str, Any]:
    return tried(*task)


if __name__ == "__main__":
    sys.exit(main())
