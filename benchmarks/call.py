"""Nanoseconds per call of compiled functions that compute next to nothing, beside NumPy, torch, JAX and PyTensor.

    python -m benchmarks.call [--rounds 400] [--store]

scalar: x + 1 of one number given as a Python float; vector: x + 1 of 10 doubles; inputs: the sum of 20 vectors of 10
doubles, plus 1; update: a shared vector of 10 doubles counts by 1. An engine gets arguments of its own kind, JAX also
NumPy's arrays. The engines run in turn, a millisecond each; the best round counts, in wall time, the loop over the
calls included. Where two processors share a core, a neighbour at work doubles every engine's times while it works: short
rounds find the gaps. Peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import operator
import statistics
import time
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from benchmarks.elementwise import one_thread

Call = tuple[Callable[..., Any], tuple[Any, ...]]
CASES = {"scalar": 1, "vector": 1, "inputs": 20, "update": 0}  # and their numbers of inputs
SECONDS = 0.001  # of a round, about: short enough to be left alone by other programs now and then


def vectors(count: int) -> list[Any]:
    return [np.arange(10.0) + k for k in range(count)]


def total(*xs: Any) -> Any:
    """What all engines compute."""
    return reduce(operator.add, xs) + 1


def symdl_call(case: str, count: int) -> Call:
    import symdl
    import symdl.tensor as T

    if case == "update":
        w = symdl.shared(np.zeros(10))
        return symdl.function([], updates=[(w, w + 1)]), ()
    if case == "scalar":
        x = T.dscalar("x")
        return symdl.function([x], x + 1), (2.5,)
    xs = [T.dvector(f"x{k}") for k in range(count)]
    return symdl.function(xs, total(*xs)), tuple(vectors(count))


def numpy_call(case: str, count: int) -> Call | None:
    if case == "update":
        w = np.zeros(10)
        return np.add, (w, 1.0, w)
    return total, (np.float64(2.5),) if case == "scalar" else tuple(vectors(count))


def torch_call(case: str, count: int) -> Call | None:
    import torch

    torch.set_num_threads(1)
    if case == "update":
        return torch.zeros(10, dtype=torch.float64).add_, (1.0,)
    values = [torch.tensor(2.5, dtype=torch.float64)] if case == "scalar" else map(torch.from_numpy, vectors(count))
    return total, tuple(values)


def torch_compiled(case: str, count: int) -> Call | None:
    import torch

    if case == "update":
        return None
    _, values = torch_call(case, count) or (None, ())
    return torch.compile(total), values


def jax_call(case: str, count: int) -> Call | None:
    import jax

    jax.config.update("jax_enable_x64", True)
    if case == "update":
        return None
    values = [2.5] if case == "scalar" else vectors(count)
    return jax.jit(total), tuple(map(jax.numpy.asarray, values))


def jax_of_numpy(case: str, count: int) -> Call | None:
    found = jax_call(case, count)
    return found and (found[0], (2.5,) if case == "scalar" else tuple(vectors(count)))


def pytensor_call(case: str, count: int) -> Call | None:
    import pytensor
    import pytensor.tensor as pt

    if case == "update":
        w = pytensor.shared(np.zeros(10))
        return pytensor.function([], updates=[(w, w + 1)]), ()
    xs = [pt.dscalar()] if case == "scalar" else [pt.dvector() for _ in range(count)]
    return pytensor.function(xs, total(*xs), trust_input=True), (np.array(2.5),) if case == "scalar" else tuple(
        vectors(count)
    )


ENGINES: dict[str, tuple[str, Callable[[str, int], Call | None]]] = {
    "symdl": ("symdl", symdl_call), "numpy": ("numpy", numpy_call), "torch eager": ("torch", torch_call),
    "torch.compile": ("torch", torch_compiled), "jax.jit": ("jax", jax_call), "jax.jit of numpy": ("jax", jax_of_numpy),
    "pytensor": ("pytensor", pytensor_call),
}  # fmt: skip


def timer(call: Call) -> Callable[[int], float]:
    """Seconds for n calls, written out as a user would: f(a0, a1)."""
    f, values = call
    names = [f"a{k}" for k in range(len(values))]
    text = f"def run(n):\n start = clock()\n for _ in range(n): f({', '.join(names)})\n return clock() - start"
    space: dict[str, Any] = {"f": f, "clock": time.perf_counter}
    exec(
        "\n".join([f"def made({', '.join(names)}):", *(" " + line for line in text.splitlines()), " return run"]), space
    )
    found: Callable[[int], float] = space["made"](*values)
    return found


def measured(case: str, count: int, rounds: int) -> list[dict[str, Any]]:
    """One row an engine: best and median nanoseconds a call."""
    timers: dict[str, tuple[Callable[[int], float], int]] = {}
    for name, (package, build) in ENGINES.items():
        if importlib.util.find_spec(package) is None:
            continue
        try:
            call = build(case, count)
            if call is None:
                continue
            call[0](*call[1])
        except Exception as error:  # noqa: BLE001  # a peer that does not run here is reported, not fatal
            print(f"{name}: not measured: {type(error).__name__}: {str(error).splitlines()[0][:100]}")
            continue
        run = timer(call)
        run(10)
        timers[name] = run, max(int(SECONDS / min(run(20) / 20 for _ in range(5))), 1)
    times: dict[str, list[float]] = {name: [] for name in timers}
    for _ in range(rounds):
        for name, (run, n) in timers.items():
            times[name].append(run(n) / n)
    return [
        {
            "case": case,
            "engine": name,
            "best_ns": round(min(found) * 1e9, 1),
            "median_ns": round(statistics.median(found) * 1e9, 1),
        }
        for name, found in times.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--store", action="store_true", help="write benchmarks/records/call.json")
    options = parser.parse_args()
    one_thread()
    rows = []
    print(f"{'case':<8} {'engine':<18} {'best ns':>9} {'median ns':>10}")
    for case, count in CASES.items():
        for row in measured(case, count, options.rounds):
            rows.append(row)
            print(f"{row['case']:<8} {row['engine']:<18} {row['best_ns']:>9} {row['median_ns']:>10}", flush=True)
    if options.store:
        from benchmarks.machine import store

        print("record:", store("call", rows).name)


if __name__ == "__main__":
    main()
