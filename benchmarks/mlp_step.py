"""One training step of the MLP 784-512-128-10 (relu, softmax cross-entropy, SGD, batch 256, float32), beside the peers.

    python -m benchmarks.mlp_step [--threads 1] [--seconds 10] [--store]

All engines start from the same weights and data; their losses must agree. They run in turn, a few steps each, for the
given time; reported are the best and the median step. Peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

SIZES = (784, 512, 128, 10)
BATCH, RATE = 256, 0.05
Step = Callable[[], float]


def data() -> tuple[Any, Any, list[Any]]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((BATCH, SIZES[0])).astype(np.float32)
    y = rng.integers(0, SIZES[-1], BATCH).astype(np.int32)
    weights = []
    for a, b in zip(SIZES, SIZES[1:], strict=False):
        weights += [(rng.standard_normal((a, b)) / np.sqrt(a)).astype(np.float32), np.zeros(b, np.float32)]
    return x, y, weights


def symdl_step(threads: int) -> Step:
    import symdl  # noqa: PLC0415  # each engine is loaded only if it is measured
    import symdl.tensor as T  # noqa: PLC0415

    images, labels, weights = data()
    x, y = T.fmatrix("x"), T.ivector("y")
    params = [symdl.shared(w, f"w{k}") for k, w in enumerate(weights)]
    h: Any = x
    for k in range(0, len(params), 2):
        h = h @ params[k] + params[k + 1]
        h = T.softmax(h) if k == len(params) - 2 else T.where(h > 0, h, 0)
    loss = -T.log(h[T.arange(y.shape[0]), y]).mean()
    step = symdl.function(
        [x, y], loss, updates=[(p, p - RATE * g) for p, g in zip(params, symdl.grad(loss, params), strict=True)]
    )
    return lambda: float(step(images, labels))


def torch_step(compiled: bool, threads: int) -> Step:
    import torch  # noqa: PLC0415

    torch.set_num_threads(threads)
    images, labels, weights = data()
    x, y = torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64))
    params = [torch.from_numpy(w.copy()).requires_grad_() for w in weights]

    def forward(x: Any, y: Any, params: Any) -> Any:
        h = x
        for k in range(0, len(params), 2):
            h = torch.addmm(params[k + 1], h, params[k])
            if k < len(params) - 2:
                h = torch.relu(h)
        return torch.nn.functional.cross_entropy(h, y)

    run = torch.compile(forward) if compiled else forward

    def step() -> float:
        loss = run(x, y, params)
        gradients = torch.autograd.grad(loss, params)
        with torch.no_grad():
            for p, g in zip(params, gradients, strict=True):
                p -= RATE * g
        return float(loss.detach())

    return step


def jax_step(threads: int) -> Step:
    import jax  # noqa: PLC0415
    import jax.numpy as jnp  # noqa: PLC0415

    images, labels, weights = data()
    x, y = jnp.asarray(images), jnp.asarray(labels)
    state = [[jnp.asarray(w) for w in weights]]

    def loss_of(params: Any, x: Any, y: Any) -> Any:
        h = x
        for k in range(0, len(params), 2):
            h = h @ params[k] + params[k + 1]
            if k < len(params) - 2:
                h = jax.nn.relu(h)
        return -jnp.mean(jax.nn.log_softmax(h)[jnp.arange(y.shape[0]), y])

    def update(params: Any, x: Any, y: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(params, x, y)
        return loss, [p - RATE * g for p, g in zip(params, gradients, strict=True)]

    run = jax.jit(update, donate_argnums=0)

    def step() -> float:
        loss, state[0] = run(state[0], x, y)
        return float(loss)

    return step


def engines(threads: int) -> dict[str, Callable[[], Step]]:
    found: dict[str, Callable[[], Step]] = {"symdl": lambda: symdl_step(threads)}
    if importlib.util.find_spec("torch"):
        found["torch eager"] = lambda: torch_step(False, threads)
        found["torch.compile"] = lambda: torch_step(True, threads)
    if importlib.util.find_spec("jax"):
        found["jax.jit"] = lambda: jax_step(threads)
    return found


def measured(threads: int, seconds: float) -> list[dict[str, Any]]:
    """One row an engine: first call, best and median step in ms, losses of the first steps."""
    rows, steps = [], {}
    for name, build in engines(threads).items():
        start = time.perf_counter()
        try:
            step = build()
            losses = [step()]
        except Exception as error:  # noqa: BLE001  # a peer that does not run here is reported, not fatal
            print(f"{name}: not measured: {type(error).__name__}: {str(error).splitlines()[0][:100]}")
            continue
        first = time.perf_counter() - start
        losses += [step() for _ in range(4)]
        steps[name] = step
        rows.append({"engine": name, "first_call_s": round(first, 3), "losses": losses})
    times: dict[str, list[float]] = {name: [] for name in steps}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name, step in steps.items():
            for _ in range(3):
                start = time.perf_counter()
                step()
                times[name].append(time.perf_counter() - start)
    for row in rows:
        mine = times[row["engine"]]
        row["best_ms"], row["median_ms"] = round(min(mine) * 1e3, 3), round(statistics.median(mine) * 1e3, 3)
        np.testing.assert_allclose(row["losses"], rows[0]["losses"], rtol=2e-4)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--store", action="store_true", help="write benchmarks/records/mlp_step.json")
    options = parser.parse_args()
    if options.threads == 1:  # jax takes its threads from the process
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rows = measured(options.threads, options.seconds)
    peers = [r for r in rows if r["engine"] != "symdl"]
    print(f"{'engine':<14} {'first call s':>12} {'best ms':>9} {'median ms':>10}")
    for r in rows:
        print(f"{r['engine']:<14} {r['first_call_s']:>12} {r['best_ms']:>9} {r['median_ms']:>10}")
    if peers:
        for kind in ("best_ms", "median_ms"):
            print(f"symdl / best peer, {kind}: {rows[0][kind] / min(r[kind] for r in peers):.2f}")
    if options.store:
        from benchmarks.machine import store  # noqa: PLC0415  # loads symdl

        print("record:", store("mlp_step", rows).name)


if __name__ == "__main__":
    main()
