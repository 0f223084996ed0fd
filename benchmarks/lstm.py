"""An LSTM, forward and backward (hidden 128, 50 steps, 32 rows, float32), beside torch, JAX and PyTensor.

    python -m benchmarks.lstm [--threads 1 2] [--seconds 10] [--hidden 128] [--steps 50] [--batch 32] [--store]

Computed are the sum of the squares of all hidden states and its gradients by both weights and the bias. torch runs its own
LSTM module and the same steps written out; JAX runs lax.scan, PyTensor its scan. All start from the same numbers, and
their results must agree. Each number of threads is a process of its own, in which the engines run in turn for the given
time; reported are the best and the median, and the seconds from a formula to its first result.
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

Run = Callable[[], list[Any]]  # the cost and the three gradients


@dataclass(frozen=True)
class Shape:
    """Extents of the net; as many inputs as hidden units."""

    hidden: int
    steps: int
    batch: int


@cache
def data(shape: Shape) -> list[Any]:
    """The input of all steps, the first states, the weights of the input and of the state, the bias. Gates: i, f, o, g."""
    rng = np.random.default_rng(0)
    n = shape.hidden
    sizes = [(shape.steps, shape.batch, n), (shape.batch, n), (shape.batch, n), (n, 4 * n), (n, 4 * n), (4 * n,)]
    scales = [1, 0, 0, n**-0.5, n**-0.5, 0]
    return [(rng.standard_normal(s) * k).astype(np.float32) for s, k in zip(sizes, scales, strict=True)]


def symdl_run(shape: Shape) -> Run:
    import symdl
    import symdl.tensor as T

    n, values = shape.hidden, data(shape)
    x, h, c, w, u, b = (T.tensor(name, "float32", v.shape) for name, v in zip("xhcwub", values, strict=True))

    def step(row: Any, h: Any, c: Any) -> Any:
        z = row @ w + h @ u + b
        i, f, o = (T.sigmoid(z[:, k * n : (k + 1) * n]) for k in range(3))
        c = f * c + i * T.tanh(z[:, 3 * n :])
        return o * T.tanh(c), c

    (states, _), _ = symdl.scan(step, x, [h, c])
    cost = (states**2).sum()
    run = symdl.function([x, h, c, w, u, b], [cost, *symdl.grad(cost, [w, u, b])])
    return lambda: list(run(*values))


def torch_module_run(shape: Shape) -> Run:
    import torch

    n = shape.hidden
    x, h, c, w, u, b = map(torch.from_numpy, data(shape))
    order = [0, 1, 3, 2]  # torch has the gates in the order i, f, g, o

    def turned(v: Any) -> Any:
        return torch.cat([v[..., k * n : (k + 1) * n] for k in order], -1)

    net = torch.nn.LSTM(n, n)
    with torch.no_grad():
        net.weight_ih_l0.copy_(turned(w).T)
        net.weight_hh_l0.copy_(turned(u).T)
        net.bias_ih_l0.copy_(turned(b))
        net.bias_hh_l0.zero_()

    def run() -> list[Any]:
        net.zero_grad(set_to_none=True)
        states, _ = net(x, (h[None], c[None]))
        cost = (states**2).sum()
        cost.backward()
        return [
            cost.detach(),
            turned(net.weight_ih_l0.grad.T),
            turned(net.weight_hh_l0.grad.T),
            turned(net.bias_ih_l0.grad),
        ]

    return run


def torch_steps_run(shape: Shape) -> Run:
    import torch

    n = shape.hidden
    x, h0, c0, *rest = map(torch.from_numpy, data(shape))
    w, u, b = (p.clone().requires_grad_() for p in rest)

    def run() -> list[Any]:
        h, c, states = h0, c0, []
        for row in x:
            z = row @ w + h @ u + b
            i, f, o, g = z.split(n, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            states.append(h)
        cost = (torch.stack(states) ** 2).sum()
        return [cost.detach(), *torch.autograd.grad(cost, [w, u, b])]

    return run


def jax_run(shape: Shape) -> Run:
    import jax
    import jax.numpy as jnp

    n = shape.hidden
    x, h, c, w, u, b = map(jnp.array, data(shape))

    def cost_of(params: Any, x: Any, h: Any, c: Any) -> Any:
        w, u, b = params

        def step(state: Any, row: Any) -> Any:
            h, c = state
            z = row @ w + h @ u + b
            i, f, o = (jax.nn.sigmoid(z[:, k * n : (k + 1) * n]) for k in range(3))
            c = f * c + i * jnp.tanh(z[:, 3 * n :])
            h = o * jnp.tanh(c)
            return (h, c), h

        return (jax.lax.scan(step, (h, c), x)[1] ** 2).sum()

    both = jax.jit(jax.value_and_grad(cost_of))

    def run() -> list[Any]:
        cost, gradients = jax.block_until_ready(both((w, u, b), x, h, c))
        return [cost, *gradients]

    return run


def pytensor_run(shape: Shape) -> Run:
    import pytensor
    import pytensor.tensor as pt

    n, values = shape.hidden, data(shape)
    x, h, c, w, u, b = (
        pt.tensor(name, dtype="float32", shape=v.shape) for name, v in zip("xhcwub", values, strict=True)
    )

    def step(row: Any, h: Any, c: Any, w: Any, u: Any, b: Any) -> Any:
        z = row @ w + h @ u + b
        i, f, o = (pt.sigmoid(z[:, k * n : (k + 1) * n]) for k in range(3))
        c = f * c + i * pt.tanh(z[:, 3 * n :])
        return o * pt.tanh(c), c

    states, _ = pytensor.scan(step, sequences=[x], outputs_info=[h, c], non_sequences=[w, u, b], return_updates=False)
    cost = (states**2).sum()
    run = pytensor.function([x, h, c, w, u, b], [cost, *pytensor.grad(cost, [w, u, b])])
    return lambda: list(run(*values))


def engines() -> dict[str, Callable[[Shape], Run]]:
    """What is installed, by name."""
    found: dict[str, Callable[[Shape], Run]] = {"symdl": symdl_run}
    if importlib.util.find_spec("torch"):
        found["torch.nn.LSTM"] = torch_module_run
        found["torch steps"] = torch_steps_run
    if importlib.util.find_spec("jax"):
        found["jax lax.scan"] = jax_run
    if importlib.util.find_spec("pytensor"):
        found["pytensor"] = pytensor_run
    return found


def measured(shape: Shape, threads: int, seconds: float) -> Rows:
    """One row an engine: first call, best and median run in ms."""
    import symdl

    symdl.config.threads = threads
    if importlib.util.find_spec("torch"):
        import torch

        torch.set_num_threads(threads)
    rows: Rows = []
    runs: dict[str, Run] = {}
    wanted: list[Any] = []
    for engine, build in engines().items():
        start = time.perf_counter()
        try:
            run = build(shape)
            found = [np.asarray(v) for v in run()]
        except Exception as error:  # noqa: BLE001  # a peer that does not run here is reported, not fatal
            print(f"{engine}: not measured: {type(error).__name__}: {str(error)[:100]}", file=sys.stderr)
            continue
        first = time.perf_counter() - start
        wanted = wanted or found
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-3 * float(np.abs(b).max()))
        runs[engine] = run
        rows.append({"threads": threads, "engine": engine, "first_call_s": round(first, 3), **vars(shape)})
    times: dict[str, list[float]] = {engine: [] for engine in runs}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for engine, run in runs.items():
            for _ in range(3):
                start = time.perf_counter()
                run()
                times[engine].append(time.perf_counter() - start)
    for row in rows:
        mine = times[row["engine"]]
        row["best_ms"], row["median_ms"] = round(min(mine) * 1e3, 3), round(statistics.median(mine) * 1e3, 3)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--seconds", type=float, default=10)
    for name, default in (("hidden", 128), ("steps", 50), ("batch", 32)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--store", action="store_true", help="write benchmarks/records/lstm.json")
    parser.add_argument("--rows", type=int, help=argparse.SUPPRESS)  # what rows_from asks for
    options = parser.parse_args()
    shape = Shape(options.hidden, options.steps, options.batch)
    if options.rows:
        keep_to(options.rows)
        report(measured(shape, options.rows, options.seconds))
        return
    given = [part for name, value in vars(shape).items() for part in (f"--{name}", str(value))]
    rows = [
        r for n in options.threads for r in rows_from("benchmarks.lstm", n, *given, "--seconds", str(options.seconds))
    ]
    print(f"{'threads':>7}  {'engine':<14} {'first call s':>12} {'best ms':>9} {'median ms':>10}")
    for r in rows:
        print(f"{r['threads']:>7}  {r['engine']:<14} {r['first_call_s']:>12} {r['best_ms']:>9} {r['median_ms']:>10}")
    for threads in options.threads:
        here = {r["engine"]: r for r in rows if r["threads"] == threads}
        peers = [r for name, r in here.items() if name != "symdl"]
        for kind in ("best_ms", "median_ms") if peers and "symdl" in here else ():
            ratio = here["symdl"][kind] / min(r[kind] for r in peers)
            print(f"threads {threads}: symdl / best peer, {kind}: {ratio:.2f}")
    if options.store:
        from benchmarks.machine import store

        print("record:", store("lstm", rows).name)


if __name__ == "__main__":
    main()
