"""Training steps of a perceptron (relu, softmax cross-entropy, Adam or SGD, float32), beside torch, JAX and PyTensor.

    python -m benchmarks.mlp_step [--nets mnist tiny epoch] [--threads 1 2] [--optimizer adam] [--seconds 10] [--store]

mnist is one step of 784-512-128-10 with 256 rows, tiny one of 64-64-64-10 with 64 rows, epoch the 235 steps of mnist over
60,000 rows. All engines start from the same weights and data; their losses must agree. Each number of threads is a
process of its own, in which the engines run in turn, a few steps each, for the given time a net; reported are the best
and the median. Peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from benchmarks.processes import Rows, keep_to, report, rows_from

RATE, FIRST, SECOND, TINY = 1e-3, 0.9, 0.999, 1e-8  # of Adam (Kingma and Ba 2015)
SGD_RATE = 0.05
Step = Callable[[Any, Any], float]


@dataclass(frozen=True)
class Net:
    """What is trained: extents of the layers, rows of a step, and of all the data."""

    sizes: tuple[int, ...]
    batch: int
    rows: int


NETS = {
    "mnist": Net((784, 512, 128, 10), 256, 256),
    "tiny": Net((64, 64, 64, 10), 64, 64),
    "epoch": Net((784, 512, 128, 10), 256, 60_000),
}


@cache
def data(net: Net = NETS["mnist"]) -> tuple[Any, Any, list[Any]]:
    """Images, labels, and weights and biases in turn: copy what is to change."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((net.rows, net.sizes[0]), np.float32)
    y = rng.integers(0, net.sizes[-1], net.rows).astype(np.int32)
    weights = []
    for a, b in zip(net.sizes, net.sizes[1:], strict=False):
        weights += [(rng.standard_normal((a, b)) / np.sqrt(a)).astype(np.float32), np.zeros(b, np.float32)]
    return x, y, weights


def symdl_step(net: Net, optimizer: str) -> Step:
    import symdl
    import symdl.tensor as T

    x, y = T.fmatrix("x"), T.ivector("y")
    params = [symdl.shared(w, f"w{k}") for k, w in enumerate(data(net)[2])]
    h: Any = x
    for k in range(0, len(params), 2):
        h = h @ params[k] + params[k + 1]
        h = T.softmax(h) if k == len(params) - 2 else T.where(h > 0, h, 0)
    loss = -T.log(h[T.arange(y.shape[0]), y]).mean()
    gradients = symdl.grad(loss, params)
    if optimizer == "sgd":
        updates = [(p, p - SGD_RATE * g) for p, g in zip(params, gradients, strict=True)]
    else:
        count = symdl.shared(np.float32(0), "count")
        t = count + 1
        updates = [(count, t)]
        for p, g in zip(params, gradients, strict=True):
            m, v = (symdl.shared(np.zeros_like(p.get_value()), name) for name in ("m", "v"))
            new_m, new_v = FIRST * m + (1 - FIRST) * g, SECOND * v + (1 - SECOND) * g * g
            scale = T.sqrt(new_v) / T.sqrt(1 - SECOND**t) + TINY
            updates += [(m, new_m), (v, new_v), (p, p - RATE / (1 - FIRST**t) * new_m / scale)]
    return symdl.function([x, y], loss, updates=updates)  # type: ignore[return-value]  # an array of one number will do


def torch_step(net: Net, optimizer: str, compiled: bool) -> Step:
    import torch

    params = [torch.from_numpy(w.copy()).requires_grad_() for w in data(net)[2]]
    if optimizer == "sgd":
        update: Any = torch.optim.SGD(params, SGD_RATE, fused=True)
    else:
        update = torch.optim.Adam(params, RATE, (FIRST, SECOND), TINY, fused=True)

    def forward(x: Any, y: Any, params: Any) -> Any:
        h = x
        for k in range(0, len(params), 2):
            h = torch.addmm(params[k + 1], h, params[k])
            if k < len(params) - 2:
                h = torch.relu(h)
        return torch.nn.functional.cross_entropy(h, y)

    run = torch.compile(forward) if compiled else forward

    def step(images: Any, labels: Any) -> float:
        loss = run(torch.from_numpy(images), torch.from_numpy(labels).long(), params)
        update.zero_grad()
        loss.backward()
        update.step()
        return float(loss.detach())

    return step


def jax_step(net: Net, optimizer: str) -> Step:
    import jax
    import jax.numpy as jnp

    params = [jnp.array(w) for w in data(net)[2]]
    state = [(params, [jnp.zeros_like(p) for p in params], [jnp.zeros_like(p) for p in params], jnp.float32(0))]

    def loss_of(params: Any, x: Any, y: Any) -> Any:
        h = x
        for k in range(0, len(params), 2):
            h = h @ params[k] + params[k + 1]
            if k < len(params) - 2:
                h = jax.nn.relu(h)
        return -jnp.mean(jax.nn.log_softmax(h)[jnp.arange(y.shape[0]), y])

    def update(state: Any, x: Any, y: Any) -> Any:
        params, first, second, count = state
        loss, gradients = jax.value_and_grad(loss_of)(params, x, y)
        if optimizer == "sgd":
            return loss, ([p - SGD_RATE * g for p, g in zip(params, gradients, strict=True)], first, second, count)
        t = count + 1
        first = [FIRST * m + (1 - FIRST) * g for m, g in zip(first, gradients, strict=True)]
        second = [SECOND * v + (1 - SECOND) * g * g for v, g in zip(second, gradients, strict=True)]
        rate, scale = RATE / (1 - FIRST**t), jnp.sqrt(1 - SECOND**t)
        new = [p - rate * m / (jnp.sqrt(v) / scale + TINY) for p, m, v in zip(params, first, second, strict=True)]
        return loss, (new, first, second, t)

    run = jax.jit(update, donate_argnums=0)

    def step(images: Any, labels: Any) -> float:
        loss, state[0] = run(state[0], images, labels)
        return float(loss)

    return step


def pytensor_step(net: Net, optimizer: str) -> Step:
    import pytensor
    import pytensor.tensor as pt

    x, y = pt.fmatrix("x"), pt.ivector("y")
    params = [pytensor.shared(w) for w in data(net)[2]]
    h = x
    for k in range(0, len(params), 2):
        h = h @ params[k] + params[k + 1]
        if k < len(params) - 2:
            h = pt.maximum(h, np.float32(0))
    loss = -pt.special.log_softmax(h, axis=1)[pt.arange(y.shape[0]), y].mean()
    gradients = pytensor.grad(loss, params)
    one = np.float32(1)
    if optimizer == "sgd":
        updates = [(p, p - np.float32(SGD_RATE) * g) for p, g in zip(params, gradients, strict=True)]
    else:
        count = pytensor.shared(np.float32(0))
        t = count + one
        updates = [(count, t)]
        for p, g in zip(params, gradients, strict=True):
            m, v = (pytensor.shared(np.zeros_like(p.get_value())) for _ in "mv")
            new_m = np.float32(FIRST) * m + np.float32(1 - FIRST) * g
            new_v = np.float32(SECOND) * v + np.float32(1 - SECOND) * g * g
            scale = pt.sqrt(new_v) / pt.sqrt(one - np.float32(SECOND) ** t) + np.float32(TINY)
            new = p - np.float32(RATE) / (one - np.float32(FIRST) ** t) * new_m / scale
            updates += [(m, new_m), (v, new_v), (p, new.astype("float32"))]
    return pytensor.function([x, y], loss, updates=updates)  # type: ignore[no-any-return]  # no types


def engines() -> dict[str, Callable[[Net, str], Step]]:
    """What is installed, by name."""
    found: dict[str, Callable[[Net, str], Step]] = {"symdl": symdl_step}
    if importlib.util.find_spec("torch"):
        found["torch eager"] = lambda net, optimizer: torch_step(net, optimizer, False)
        found["torch.compile"] = lambda net, optimizer: torch_step(net, optimizer, True)
    if importlib.util.find_spec("jax"):
        found["jax.jit"] = jax_step
    if importlib.util.find_spec("pytensor"):
        found["pytensor"] = pytensor_step
    return found


def passes(net: Net, step: Step, images: Any, labels: Any) -> list[float]:
    """The losses of one step, or of the steps of one epoch."""
    starts = range(0, net.rows, net.batch)
    return [float(step(images[k : k + net.batch], labels[k : k + net.batch])) for k in starts]


def measured(name: str, threads: int, seconds: float, optimizer: str) -> Rows:
    """One row an engine: first call, best and median run in ms, losses of the first steps."""
    import symdl

    symdl.config.threads = threads
    if importlib.util.find_spec("torch"):
        import torch

        torch.set_num_threads(threads)
    net = NETS[name]
    images, labels, _ = data(net)
    rows, steps = [], {}
    for engine, build in engines().items():
        start = time.perf_counter()
        try:
            step = build(net, optimizer)
            losses = [float(step(images[: net.batch], labels[: net.batch]))]
        except Exception as error:  # noqa: BLE001  # a peer that does not run here is reported, not fatal
            print(f"{engine}: not measured: {type(error).__name__}: {str(error)[:100]}", file=sys.stderr)
            continue
        first = time.perf_counter() - start
        losses += [float(step(images[: net.batch], labels[: net.batch])) for _ in range(4)]
        np.testing.assert_allclose(losses, rows[0]["losses"] if rows else losses, rtol=2e-3)
        steps[engine] = step
        rows.append({"net": name, "threads": threads, "optimizer": optimizer, "engine": engine})
        rows[-1] |= {"first_call_s": round(first, 3), "losses": losses}
    times: dict[str, list[float]] = {engine: [] for engine in steps}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for engine, step in steps.items():
            for _ in range(3 if net.rows == net.batch else 1):
                start = time.perf_counter()
                passes(net, step, images, labels)
                times[engine].append(time.perf_counter() - start)
    for row in rows:
        mine = times[row["engine"]]
        row["best_ms"], row["median_ms"] = round(min(mine) * 1e3, 3), round(statistics.median(mine) * 1e3, 3)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", nargs="+", choices=NETS, default=["mnist", "tiny"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--optimizer", choices=("adam", "sgd"), default="adam")
    parser.add_argument("--seconds", type=float, default=10, help="for each net")
    parser.add_argument("--store", action="store_true", help="write benchmarks/records/mlp_step.json")
    parser.add_argument("--rows", type=int, help=argparse.SUPPRESS)  # what rows_from asks for
    options = parser.parse_args()
    if options.rows:
        keep_to(options.rows)
        report([r for n in options.nets for r in measured(n, options.rows, options.seconds, options.optimizer)])
        return
    given = ("--nets", *options.nets, "--seconds", str(options.seconds), "--optimizer", options.optimizer)
    rows = [row for threads in options.threads for row in rows_from("benchmarks.mlp_step", threads, *given)]
    print(f"{'net':<7}{'threads':>7}  {'engine':<14} {'first call s':>12} {'best ms':>9} {'median ms':>10}")
    for r in rows:
        numbers = f"{r['first_call_s']:>12} {r['best_ms']:>9} {r['median_ms']:>10}"
        print(f"{r['net']:<7}{r['threads']:>7}  {r['engine']:<14} {numbers}")
    for net in options.nets:
        for threads in options.threads:
            here = {r["engine"]: r for r in rows if (r["net"], r["threads"]) == (net, threads)}
            peers = [r for name, r in here.items() if name != "symdl"]
            for kind in ("best_ms", "median_ms") if peers and "symdl" in here else ():
                ratio = here["symdl"][kind] / min(r[kind] for r in peers)
                print(f"{net}, threads {threads}: symdl / best peer, {kind}: {ratio:.2f}")
    if options.store:
        from benchmarks.machine import store

        print("record:", store("mlp_step", rows).name)


if __name__ == "__main__":
    main()
