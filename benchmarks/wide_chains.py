"""Nanoseconds per element of chains of elementwise ops as users write them, with precision="plain" and "right".

    python -m benchmarks.wide_chains [CHAIN ...] [--size 100000 10000000] [--threads 1] [--rounds 30] [--store]

Data that no formula has trouble with, and the same with one element in a hundred so large or small that intermediate
numbers leave the range ("1 %"). Both functions run in turn into outputs of their own; the best of their rounds counts, in processor time for one thread.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import symdl
import symdl.tensor as T
from benchmarks.machine import store

Chain = tuple[str, Callable[..., Any]]
CHAINS: dict[str, Chain] = {
    "sqrt(x*x + 1)": ("x", lambda x: T.sqrt(x * x + 1)),
    "sqrt(x*x + y*y)": ("xy", lambda x, y: T.sqrt(x * x + y * y)),
    "log(1 + exp(a*x + b))": ("axb", lambda a, x, b: T.log(1 + T.exp(a * x + b))),
    "x*sigmoid(x)": ("x", lambda x: x * T.sigmoid(x)),
    "0.5*x*(1 + erf(x/sqrt 2))": ("x", lambda x: 0.5 * x * (1 + T.erf(x / 2**0.5))),
    "student t": ("xms", lambda x, m, s: -2.5 * T.log(1 + ((x - m) / s) ** 2 / 4) - T.log(s)),
    "(x-m)**2/s**2": ("xms", lambda x, m, s: (x - m) ** 2 / s**2),
    "exp(x)/(1 + exp(x))": ("x", lambda x: T.exp(x) / (1 + T.exp(x))),
    "x/sqrt(1 + x*x)": ("x", lambda x: x / T.sqrt(1 + x * x)),
    "x*x - y*y": ("xy", lambda x, y: x * x - y * y),
    "exp(-x*x/2)/s": ("xs", lambda x, s: T.exp(-x * x / 2) / s),
    "tanh(x*y)": ("xy", lambda x, y: T.tanh(x * y)),
}


def given(letters: str, size: int, dtype: str, trouble: float) -> list[Any]:
    """Columns of data; a share of the first and the last so large or so small that squares leave the range."""
    rng = np.random.default_rng(0)
    columns = []
    for letter in letters:
        column = rng.normal(size=size)
        columns.append((np.abs(column) + 0.5 if letter == "s" else column).astype(dtype))
    if trouble:
        far = 1e200 if dtype == "float64" else 1e25
        chosen = rng.random(size) < trouble
        columns[0][chosen] = np.where(rng.random(int(chosen.sum())) < 0.5, far, 1 / far).astype(dtype)
    return columns


def measure(name: str, dtype: str, size: int, rounds: int) -> dict[str, float]:
    """Best nanoseconds per element: plain, right, right with troubled lanes."""
    letters, formula = CHAINS[name]
    inputs = [T.vector(letter, dtype=dtype) for letter in letters]
    graph = formula(*inputs)
    functions = {p: symdl.function(inputs, graph, precision=p) for p in ("plain", "right")}
    benign, troubled = (given(letters, size, dtype, share) for share in (0.0, 0.01))
    runs = {"plain": ("plain", benign), "right": ("right", benign), "1 %": ("right", troubled)}
    best = dict.fromkeys(runs, float("inf"))
    clock = time.thread_time if symdl.config.threads == 1 else time.perf_counter
    for _ in range(rounds):
        for key, (which, data) in runs.items():
            before = clock()
            functions[which](*data)
            best[key] = min(best[key], clock() - before)
    return {key: seconds / size * 1e9 for key, seconds in best.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chains", nargs="*")
    parser.add_argument("--size", type=int, nargs="*", default=[100_000, 10_000_000])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--store", action="store_true", help="write benchmarks/records/wide_chains.json")
    options = parser.parse_args()
    symdl.config.threads = options.threads
    rows = []
    print(f"{'':28}{'elements':>10} {'dtype':8}{'plain':>9}{'right':>9}{'1 %':>9}   ratio  ratio 1 %")
    for name in options.chains or CHAINS:
        for dtype in ("float64", "float32"):
            for size in options.size:
                ns = measure(name, dtype, size, options.rounds if size <= 1_000_000 else max(options.rounds // 5, 3))
                rows.append({"chain": name, "dtype": dtype, "size": size, "threads": options.threads, "ns": ns})
                ratios = ns["right"] / ns["plain"], ns["1 %"] / ns["plain"]
                cells = "".join(f"{ns[key]:9.3f}" for key in ns)
                print(f"{name:28}{size:10} {dtype:8}{cells}   {ratios[0]:5.2f}  {ratios[1]:5.2f}", flush=True)
    if options.store:
        print("record:", store("wide_chains", rows).name)


if __name__ == "__main__":
    main()
