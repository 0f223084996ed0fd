"""Training steps of LeNet (relu, largest of 2 x 2, softmax cross-entropy, SGD, float32), beside torch, JAX and PyTensor.

    python -m benchmarks.lenet_step [--batches 128 500] [--threads 1 2] [--seconds 15] [--store]

28 x 28 images, 20 filters of 5 x 5, 50 filters of 5 x 5, 500 units, 10 classes. All engines start from the same weights
and data; their losses must agree. Each number of threads is a process of its own, in which the engines run in turn, a few
steps each; reported are the best and the median. Peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from benchmarks.processes import Rows, keep_to, report, rows_from

RATE = 0.05
SIDE, CLASSES = 28, 10
SHAPES = ((20, 1, 5, 5), (20,), (50, 20, 5, 5), (50,), (800, 500), (500,), (500, CLASSES), (CLASSES,))
Step = Callable[[Any, Any], float]


@cache
def data(batch: int) -> tuple[Any, Any, list[Any]]:
    """Images, labels, and weights and biases in turn: copy what is to change."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, 1, SIDE, SIDE), np.float32)
    y = rng.integers(0, CLASSES, batch).astype(np.int32)
    weights = []
    for shape in SHAPES:
        inputs = np.prod(shape[1:]) if len(shape) == 4 else shape[0]
        scale = 0 if len(shape) == 1 else 1 / np.sqrt(inputs)
        weights.append((rng.standard_normal(shape) * scale).astype(np.float32))
    return x, y, weights


def symdl_step(batch: int) -> Step:
    import symdl
    import symdl.tensor as T

    x, y = T.ftensor4("x"), T.ivector("y")
    params = [symdl.shared(w, f"w{k}") for k, w in enumerate(data(batch)[2])]
    h: Any = T.reshape(x, (-1, 1, SIDE, SIDE))
    for w, b in (params[:2], params[2:4]):
        h = T.correlate(h, w) + b.dimshuffle("x", 0, "x", "x")
        h = T.pool_2d(T.relu(h), 2)
    h = T.relu(T.flatten(h, 2) @ params[4] + params[5])
    p = T.softmax(h @ params[6] + params[7])
    loss = -T.log(p[T.arange(y.shape[0]), y]).mean()
    updates = [(w, w - RATE * g) for w, g in zip(params, symdl.grad(loss, params), strict=True)]
    return symdl.function([x, y], loss, updates=updates)  # type: ignore[return-value]  # an array of one number will do


def torch_step(batch: int, compiled: bool) -> Step:
    import torch
    from torch.nn import functional

    params = [torch.from_numpy(w.copy()).requires_grad_() for w in data(batch)[2]]
    update: Any = torch.optim.SGD(params, RATE, fused=True)

    def forward(x: Any, y: Any, params: Any) -> Any:
        h = x
        for w, b in (params[:2], params[2:4]):
            h = functional.max_pool2d(torch.relu(functional.conv2d(h, w, b)), 2)
        h = torch.relu(torch.addmm(params[5], h.flatten(1), params[4]))
        return functional.cross_entropy(torch.addmm(params[7], h, params[6]), y)

    run = torch.compile(forward) if compiled else forward

    def step(images: Any, labels: Any) -> float:
        loss = run(torch.from_numpy(images), torch.from_numpy(labels).long(), params)
        update.zero_grad()
        loss.backward()
        update.step()
        return float(loss.detach())

    return step


def jax_step(batch: int) -> Step:
    import jax
    import jax.numpy as jnp
    from jax import lax

    state = [[jnp.array(w) for w in data(batch)[2]]]

    def loss_of(params: Any, x: Any, y: Any) -> Any:
        h = x
        for w, b in (params[:2], params[2:4]):
            h = lax.conv_general_dilated(h, w, (1, 1), "VALID") + b[None, :, None, None]
            h = lax.reduce_window(jax.nn.relu(h), -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
        h = jax.nn.relu(h.reshape(h.shape[0], -1) @ params[4] + params[5])
        scores = h @ params[6] + params[7]
        return -jnp.mean(jax.nn.log_softmax(scores)[jnp.arange(y.shape[0]), y])

    def update(params: Any, x: Any, y: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(params, x, y)
        return loss, [p - RATE * g for p, g in zip(params, gradients, strict=True)]

    run = jax.jit(update, donate_argnums=0)

    def step(images: Any, labels: Any) -> float:
        loss, state[0] = run(state[0], images, labels)
        return float(loss)

    return step


def engines() -> dict[str, Callable[[int], Step]]:
    """What is installed, by name. (PyTensor has no convolution of images with channels, nor pooling.)"""
    found: dict[str, Callable[[int], Step]] = {"symdl": symdl_step}
    if importlib.util.find_spec("torch"):
        found["torch eager"] = lambda batch: torch_step(batch, False)
        found["torch.compile"] = lambda batch: torch_step(batch, True)
    if importlib.util.find_spec("jax"):
        found["jax.jit"] = jax_step
    return found


def measured(batch: int, threads: int, seconds: float) -> Rows:
    """One row an engine: first call, best and median step in ms, losses of the first steps."""
    import symdl

    symdl.config.threads = threads
    if importlib.util.find_spec("torch"):
        import torch

        torch.set_num_threads(threads)
    images, labels, _ = data(batch)
    rows, steps = [], {}
    for engine, build in engines().items():
        start = time.perf_counter()
        try:
            step = build(batch)
            losses = [float(step(images, labels))]
        except Exception as error:  # noqa: BLE001  # a peer that does not run here is reported, not fatal
            print(f"{engine}: not measured: {type(error).__name__}: {str(error)[:100]}", file=sys.stderr)
            continue
        first = time.perf_counter() - start
        losses += [float(step(images, labels)) for _ in range(4)]
        np.testing.assert_allclose(losses, rows[0]["losses"] if rows else losses, rtol=2e-3)
        steps[engine] = step
        rows.append({"batch": batch, "threads": threads, "engine": engine})
        rows[-1] |= {"first_call_s": round(first, 3), "losses": losses}
    times: dict[str, list[float]] = {engine: [] for engine in steps}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for engine, step in steps.items():
            for _ in range(3):
                start = time.perf_counter()
                step(images, labels)
                times[engine].append(time.perf_counter() - start)
    for row in rows:
        mine = times[row["engine"]]
        row["best_ms"], row["median_ms"] = round(min(mine) * 1e3, 3), round(statistics.median(mine) * 1e3, 3)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=[128, 500])
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--seconds", type=float, default=15, help="for each batch")
    parser.add_argument("--store", action="store_true", help="write benchmarks/records/lenet_step.json")
    parser.add_argument("--rows", type=int, help=argparse.SUPPRESS)  # what rows_from asks for
    options = parser.parse_args()
    if options.rows:
        keep_to(options.rows)
        report([r for n in options.batches for r in measured(n, options.rows, options.seconds)])
        return
    given = ("--batches", *map(str, options.batches), "--seconds", str(options.seconds))
    rows = [row for threads in options.threads for row in rows_from("benchmarks.lenet_step", threads, *given)]
    print(f"{'batch':<7}{'threads':>7}  {'engine':<14} {'first call s':>12} {'best ms':>9} {'median ms':>10}")
    for r in rows:
        numbers = f"{r['first_call_s']:>12} {r['best_ms']:>9} {r['median_ms']:>10}"
        print(f"{r['batch']:<7}{r['threads']:>7}  {r['engine']:<14} {numbers}")
    for batch in options.batches:
        for threads in options.threads:
            here = {r["engine"]: r for r in rows if (r["batch"], r["threads"]) == (batch, threads)}
            peers = [r for name, r in here.items() if name != "symdl"]
            for kind in ("best_ms", "median_ms") if peers and "symdl" in here else ():
                ratio = here["symdl"][kind] / min(r[kind] for r in peers)
                print(f"batch {batch}, threads {threads}: symdl / best peer, {kind}: {ratio:.2f}")
    if options.store:
        from benchmarks.machine import store

        print("record:", store("lenet_step", rows).name)


if __name__ == "__main__":
    main()
