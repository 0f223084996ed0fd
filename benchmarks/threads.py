"""Loops over large arrays at 1 and 2 threads: elementwise, softmax of rows, sums; symdl beside numpy, torch and jax.

    python -m benchmarks.threads [--threads 1 2] [--seconds 2] [--store]

float32 throughout. Each number of threads is a process of its own, with as many processors. In it the engines take
turns of some calls, for the given time a case; reported is the best call in microseconds. (Idle threads of the engine
before spin into the first calls of a turn.) NumPy runs on one thread always.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

CASES = {
    **{f"2 x + 1, {n:.0e}": (n,) for n in (10**5, 10**6, 10**7)},
    **{f"tanh x, {n:.0e}": (n,) for n in (10**5, 10**6, 10**7)},
    "softmax of rows, 2048 x 1000": (2048, 1000),
    "sum of columns, 2048 x 1000": (2048, 1000),
    "sum of all, 1e+07": (10**7,),
}
CALLS, TURN = 3, 0.02  # of one engine at least: calls, and seconds
Call = Callable[[], Any]


def formula(name: str, library: Any, x: Any) -> Any:
    """The case in the words that NumPy, jax and symdl share."""
    if name.startswith("2 x"):
        return x * np.float32(2) + np.float32(1)
    if name.startswith("tanh"):
        return library.tanh(x)
    return x.sum(axis=0)  # of columns, or of all where there is one axis


def data(name: str) -> Any:
    return np.random.default_rng(0).standard_normal(CASES[name], dtype=np.float32)


def symdl_call(name: str, threads: int) -> Call:
    import symdl
    import symdl.tensor as T

    symdl.config.threads = threads
    x = T.fmatrix("x") if len(CASES[name]) == 2 else T.fvector("x")
    f = symdl.function([x], T.softmax(x) if name.startswith("softmax") else formula(name, T, x))
    array = data(name)
    return lambda: f(array)


def numpy_call(name: str, threads: int) -> Call:
    array = data(name)

    def softmax() -> Any:
        e = np.exp(array - array.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    return softmax if name.startswith("softmax") else lambda: formula(name, np, array)


def torch_call(name: str, threads: int) -> Call:
    import torch

    torch.set_num_threads(threads)
    x = torch.from_numpy(data(name))
    if name.startswith("2 x"):
        return lambda: torch.add(x * 2, 1)
    if name.startswith("tanh"):
        return lambda: torch.tanh(x)
    return lambda: torch.softmax(x, 1) if name.startswith("softmax") else x.sum(0)


def jax_call(name: str, threads: int) -> Call:
    import jax
    import jax.numpy as jnp

    x = jnp.asarray(data(name))
    softmax = name.startswith("softmax")
    run = jax.jit(lambda x: jax.nn.softmax(x, axis=1) if softmax else formula(name, jnp, x))
    return lambda: run(x).block_until_ready()


def engines() -> dict[str, Callable[[str, int], Call]]:
    found = {"symdl": symdl_call, "numpy": numpy_call}
    if importlib.util.find_spec("torch"):
        found["torch"] = torch_call
    if importlib.util.find_spec("jax"):
        found["jax"] = jax_call
    return found


def measured(threads: int, seconds: float) -> list[dict[str, Any]]:
    """One row a case: the best call of each engine in microseconds, the results being compared."""
    rows = []
    for name in CASES:
        calls = {engine: build(name, threads) for engine, build in engines().items()}
        results = {engine: np.asarray(call()) for engine, call in calls.items()}
        for found in results.values():
            np.testing.assert_allclose(found, results["symdl"], rtol=1e-4, atol=1e-2 if "sum" in name else 1e-6)
        best = dict.fromkeys(calls, float("inf"))
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            for engine, call in calls.items():
                turn = time.perf_counter() + TURN
                for k in itertools.count():
                    start = time.perf_counter()
                    if k >= CALLS and start > turn:
                        break
                    call()
                    best[engine] = min(best[engine], time.perf_counter() - start)
        rows.append({"case": name, "threads": threads, **{e: round(t * 1e6, 1) for e, t in best.items()}})
    return rows


def child(threads: int, seconds: float) -> list[dict[str, Any]]:
    """measured in a new process that may use so many processors."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.threads",
        "--rows",
        "--threads",
        str(threads),
        "--seconds",
        str(seconds),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--store", action="store_true", help="write benchmarks/records/threads.json")
    parser.add_argument("--rows", action="store_true", help=argparse.SUPPRESS)  # what `child` asks for
    options = parser.parse_args()
    if options.rows:
        (threads,) = options.threads
        if hasattr(os, "sched_setaffinity"):  # jax and torch take their threads from the processors
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
        print(json.dumps(measured(threads, options.seconds)))
        return
    rows = [row for threads in options.threads for row in child(threads, options.seconds)]
    names = [k for k in rows[0] if k not in ("case", "threads")]
    print(f"{'case, best call in us':<32}{'threads':>8}" + "".join(f"{n:>10}" for n in names))
    for row in sorted(rows, key=lambda r: list(CASES).index(r["case"])):
        print(f"{row['case']:<32}{row['threads']:>8}" + "".join(f"{row[n]:>10}" for n in names))
    if options.store:
        from benchmarks.machine import store

        print("record:", store("threads", rows).name)


if __name__ == "__main__":
    main()
