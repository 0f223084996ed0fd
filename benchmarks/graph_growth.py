"""How building, differentiating and compiling grow with the graph, and that another batch size compiles nothing.

    python -m benchmarks.graph_growth [--only forward chain mlp branching batches] [--precision plain right] [--most 10000] [--store]

forward: x -> tanh(1.01 x + 0.1), x -> 0.5 x + x0, x -> exp(-x^2) in turn, summed up, 10 to 10,000 ops. chain: the same with
the gradient. mlp: 10 to 200 layers of 32 units (relu), softmax cross-entropy, all gradients, SGD updates. branching: 1,000
ops on earlier values chosen at random, with the gradient. batches: one training step called with 200 different numbers of rows in
a row; run_s is what those calls take, and a call that compiled would be an error. Nothing is taken from the cache on disk.
Seconds are of processor time, of all threads: to build the graph, to differentiate it, to compile it to code that runs, and
to optimize that code, which a thread does later. growth is the exponent between a size and the one before it, of all but the last.
"""

from __future__ import annotations

import argparse
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import symdl
import symdl.tensor as T
from benchmarks.machine import store
from symdl.backends.cpu.optimizing import finish_all
from symdl.config import config


@dataclass(frozen=True)
class Case:
    """build makes a cost, differentiate what is asked of it, compile a call of the function."""

    build: Callable[[], Any]
    differentiate: Callable[[Any], Any]
    compile: Callable[[Any], Callable[[], Any]]


def elementwise(build: Callable[[Any], Any], gradient: bool) -> Case:
    """The sum of a formula of a vector, with or without its gradient."""
    x = T.vector("x")

    def compiled(outputs: Any) -> Callable[[], Any]:
        f = symdl.function([x], list(outputs))
        return lambda: f(np.linspace(-1.0, 1.0, 10))

    return Case(lambda: build(x).sum(), lambda cost: (cost, symdl.grad(cost, x)) if gradient else (cost,), compiled)


def chained(x: Any, n: int) -> Any:
    y, ops = x, 0
    while ops < n:
        y = T.tanh(y * 1.01 + 0.1)
        y = y * 0.5 + x
        y = T.exp(-(y * y))
        ops += 8
    return y


def branched(x: Any, n: int) -> Any:
    """n ops, each of one of the last ten values and of any value before; all stay within [-1, 1] and are used in the end."""
    rng = np.random.default_rng(0)
    values, unused, ops = [x], {0}, 0
    while ops < n:
        k = len(values)
        near, far = int(rng.integers(max(0, k - 10), k)), int(rng.integers(0, k))
        a, b = values[near], values[far]
        choice = k % 5
        one = choice in (0, 1)
        new = (T.tanh(a), T.sigmoid(a), T.maximum(a, b), a * b, (a - b) * 0.5)[choice]
        values.append(new)
        unused = unused - ({near} if one else {near, far}) | {k}
        ops += 2 if choice == 4 else 1
    total: Any = sum(values[k] for k in sorted(unused))
    return total


def mlp(layers: int) -> Case:
    x, y = T.fmatrix("x"), T.ivector("y")
    rng = np.random.default_rng(0)
    sizes = [32] * layers + [10]
    params: list[Any] = []
    for k, (a, b) in enumerate(zip(sizes, sizes[1:], strict=False)):
        params.append(symdl.shared((rng.standard_normal((a, b)) * np.sqrt(2 / a)).astype(np.float32), f"W{k}"))
        params.append(symdl.shared(np.zeros(b, np.float32), f"b{k}"))

    def build() -> Any:
        h: Any = x
        for k in range(layers):
            h = h @ params[2 * k] + params[2 * k + 1]
            if k < layers - 1:
                h = T.maximum(h, 0)
        return -T.log(T.softmax(h)[T.arange(y.shape[0]), y]).mean()

    def compiled(both: Any) -> Callable[..., Any]:
        cost, gradients = both
        f = symdl.function([x, y], cost, updates=[(p, p - 0.01 * g) for p, g in zip(params, gradients, strict=True)])

        def run(rows: int = 16) -> Any:
            return f(rng.standard_normal((rows, 32)).astype(np.float32), np.arange(rows) % 10)

        return run

    return Case(build, lambda cost: (cost, symdl.grad(cost, params)), compiled)


CASES: dict[str, tuple[Callable[[int], Case], tuple[int, ...]]] = {
    "forward": (lambda n: elementwise(lambda x: chained(x, n), False), (10, 100, 1000, 2500, 10000)),
    "chain": (lambda n: elementwise(lambda x: chained(x, n), True), (10, 100, 1000, 2500, 10000)),
    "mlp": (mlp, (10, 25, 50, 100, 200)),
    "branching": (lambda n: elementwise(lambda x: branched(x, n), True), (100, 1000)),
}


def row(kind: str, n: int) -> dict[str, Any]:
    """How long the stages of a case take."""
    case = CASES[kind][0](n)
    marks = [time.process_time()]
    cost = case.build()
    marks.append(time.process_time())
    outputs = case.differentiate(cost)
    marks.append(time.process_time())
    run = case.compile(outputs)
    marks.append(time.process_time())
    finish_all()
    marks.append(time.process_time())
    checked(run(), f"{kind} {n}")
    build_s, grad_s, compile_s, optimize_s = (round(b - a, 3) for a, b in zip(marks, marks[1:], strict=False))
    return {
        "graph": kind, "size": n, "build_s": build_s, "grad_s": grad_s, "compile_s": compile_s, "optimize_s": optimize_s,
    }  # fmt: skip


def checked(out: Any, name: str) -> None:
    value = float(out[0] if isinstance(out, list) else out)
    if not np.isfinite(value):
        raise RuntimeError(f"{name}: the result is {value}")


class Compilations(logging.Handler):
    """Counts what the `symdl` logger tells of functions that are compiled or loaded."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += record.getMessage().startswith(("compiled ", "loaded "))


def batches(count: int) -> dict[str, Any]:
    """One step with so many different numbers of rows in a row."""
    case, told, logger = mlp(3), Compilations(), logging.getLogger("symdl")
    before = logger.level
    logger.addHandler(told)
    logger.setLevel(logging.INFO)
    try:
        start = time.process_time()
        run: Any = case.compile(case.differentiate(case.build()))
        compiled = time.process_time()
        for rows in range(1, count + 1):
            checked(run(rows), f"{rows} rows")
        done = time.process_time()
    finally:
        logger.setLevel(before)
        logger.removeHandler(told)
    if told.count != 1:
        raise RuntimeError(f"{count} numbers of rows made {told.count} functions, not 1")
    return {
        "graph": "batches",
        "size": count,
        "compile_s": round(compiled - start, 3),
        "run_s": round(done - compiled, 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[*CASES, "batches"], default=[*CASES, "batches"])
    parser.add_argument("--precision", nargs="+", choices=["plain", "right"], default=["plain", "right"])
    parser.add_argument("--most", type=int, default=10000, help="leave out larger graphs")
    parser.add_argument("--store", action="store_true", help="write benchmarks/records/graph_growth.json")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with config.change(cache_dir="", optimizing="background"):
        row("forward", 10)  # the libraries are compiled
        for precision in options.precision:
            with config.change(precision=precision):
                rows += [{"precision": precision, **r} for r in measured(precision, options.only, options.most)]
    if options.store:
        print("record:", store("graph_growth", rows).name)


def measured(precision: str, kinds: list[str], most: int) -> list[dict[str, Any]]:
    """The rows of one precision, printed as they come."""
    print(
        f"precision {precision}\n{'graph':<10} {'size':>6} {'build s':>8} {'grad s':>8} {'compile s':>10} {'optimize s':>11} {'ms/op':>7} growth"
    )
    rows = []
    for kind in kinds:
        if kind == "batches":
            r = batches(200)
            print(f"{kind:<10} {r['size']:>6} {'':>17} {r['compile_s']:>10}   run s {r['run_s']}", flush=True)
            rows.append(r)
            continue
        before: tuple[int, float] | None = None
        for n in CASES[kind][1]:
            if n > most:
                continue
            r = row(kind, n)
            total = r["build_s"] + r["grad_s"] + r["compile_s"]
            grown = "" if before is None else f"{math.log(total / before[1]) / math.log(n / before[0]):.2f}"
            before = n, total
            print(f"{kind:<10} {n:>6} {r['build_s']:>8} {r['grad_s']:>8} {r['compile_s']:>10} {r['optimize_s']:>11} {total / n * 1e3:>7.2f} {grown:>6}",
                  flush=True)  # fmt: skip
            rows.append(r)
    return rows


if __name__ == "__main__":
    main()
