"""Nanoseconds per random number, beside NumPy's Generator, torch and JAX.

    python -m benchmarks.random [--count 1000000] [--rounds 30] [--store]

One thread. Every engine makes a new array of so many numbers; the last row is dropout of an array, mask and product
together. The engines run in turn, and the best of their rounds counts. Peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.elementwise import ENGINES, finished, one_thread

Run = Callable[[], Any]
DRAWS = ("uniform", "normal", "bernoulli", "permutation", "dropout")
KEEP = 0.75


def symdl_engine(draw: str, dtype: str, count: int) -> Run:
    import symdl
    import symdl.tensor as T

    stream, n, x = symdl.RandomStream(1), T.lscalar("n"), T.vector("x", dtype=dtype)
    if draw == "dropout":
        f = symdl.function([x], T.where(stream.bernoulli(x.shape, KEEP), x / KEEP, 0))
        values = np.ones(count, dtype)
        return lambda: f(values)
    made = {
        "uniform": lambda: stream.uniform((n,), dtype=dtype),
        "normal": lambda: stream.normal((n,), dtype=dtype),
        "bernoulli": lambda: stream.bernoulli((n,), KEEP, dtype=dtype),
        "permutation": lambda: stream.permutation(n=n),
    }[draw]()
    g = symdl.function([n], made)
    return lambda: g(count)


def numpy_engine(draw: str, dtype: str, count: int) -> Run:
    rng, x, kind = np.random.default_rng(1), np.ones(count, dtype), np.dtype(dtype).type
    return {
        "uniform": lambda: rng.random(count, dtype=kind),
        "normal": lambda: rng.standard_normal(count, dtype=kind),
        "bernoulli": lambda: (rng.random(count, dtype=np.float32) < KEEP).astype(kind),
        "permutation": lambda: rng.permutation(count),
        "dropout": lambda: np.where(rng.random(count, dtype=np.float32) < KEEP, x / kind(KEEP), kind(0)),
    }[draw]


def torch_engine(draw: str, dtype: str, count: int) -> Run:
    import torch

    torch.set_num_threads(1)
    kind = getattr(torch, dtype)
    x = torch.ones(count, dtype=kind)
    return {
        "uniform": lambda: torch.rand(count, dtype=kind),
        "normal": lambda: torch.randn(count, dtype=kind),
        "bernoulli": lambda: torch.empty(count, dtype=kind).bernoulli_(KEEP),
        "permutation": lambda: torch.randperm(count),
        "dropout": lambda: torch.nn.functional.dropout(x, 1 - KEEP, training=True),
    }[draw]


def jax_engine(draw: str, dtype: str, count: int) -> Run:
    import jax

    jax.config.update("jax_enable_x64", True)
    x = jax.numpy.ones(count, dtype)
    formula = {
        "uniform": lambda key: jax.random.uniform(key, (count,), dtype),
        "normal": lambda key: jax.random.normal(key, (count,), dtype),
        "bernoulli": lambda key: jax.random.bernoulli(key, KEEP, (count,)).astype(dtype),
        "permutation": lambda key: jax.random.permutation(key, count),
        "dropout": lambda key: jax.numpy.where(jax.random.bernoulli(key, KEEP, (count,)), x / KEEP, 0),
    }[draw]
    step = jax.jit(lambda key: (jax.random.split(key, 1)[0], formula(key)))
    state = [jax.random.key(1)]

    def run() -> Any:
        state[0], drawn = step(state[0])
        return drawn

    return run


MAKERS: dict[str, Callable[[str, str, int], Run]] = {
    "symdl": symdl_engine,
    "numpy": numpy_engine,
    "torch": torch_engine,
    "jax": jax_engine,
}
HERE = [name for name in MAKERS if name in ENGINES]  # whose packages are installed


def nanoseconds(draw: str, dtype: str, count: int, rounds: int) -> dict[str, float]:
    """The best time per number of each engine."""
    runs = {name: MAKERS[name](draw, dtype, count) for name in HERE}
    best = dict.fromkeys(runs, float("inf"))
    for name, run in runs.items():
        finished(name, run())
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            finished(name, run())
            best[name] = min(best[name], time.perf_counter() - start)
    return {name: seconds / count * 1e9 for name, seconds in best.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--store", action="store_true", help="write benchmarks/records/random.json")
    options = parser.parse_args()
    one_thread()
    rows = []
    print(f"{'ns per number':<20}" + "".join(f"{name:>9}" for name in HERE) + f"{'/ best peer':>13}")
    for draw in DRAWS:
        for dtype in ["int64"] if draw == "permutation" else ["float32", "float64"]:
            found = nanoseconds(draw, dtype, options.count, options.rounds)
            peers = [found[name] for name in found if name != "symdl"]
            rows.append({"draw": draw, "dtype": dtype, "count": options.count})
            rows[-1] |= {name: round(ns, 3) for name, ns in found.items()}
            cells = "".join(f"{ns:9.3f}" for ns in found.values())
            print(f"{draw:<12}{dtype:<8}{cells}{found['symdl'] / min(peers):13.2f}", flush=True)
    if options.store:
        from benchmarks.machine import store

        print("record:", store("random", rows).name)


if __name__ == "__main__":
    main()
