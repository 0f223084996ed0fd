"""How building, differentiating and compiling grow with the graph: chains of ops and deep MLPs, four sizes each.

    python -m benchmarks.graph_growth [--store]

chain: x -> tanh(1.01 x + 0.1), x -> 0.5 x + x0, x -> exp(-x^2) in turn, with the gradient of its sum. mlp: layers of
32 units (relu), softmax cross-entropy, all gradients, SGD updates.
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


def chain(n: int) -> tuple[Callable[[], Any], Callable[[Any], Any], Callable[[Any], Any]]:
    x = T.vector("x")

    def build() -> Any:
        y, ops = x, 0
        while ops < n:
            y = T.tanh(y * 1.01 + 0.1)
            y = y * 0.5 + x
            y = T.exp(-(y * y))
            ops += 8
        return y.sum()

    def differentiate(cost: Any) -> Any:
        return cost, symdl.grad(cost, x)

    def compile_(both: Any) -> Any:
        f = symdl.function([x], list(both))
        return lambda: f(np.linspace(-1.0, 1.0, 10))

    return build, differentiate, compile_


def mlp(layers: int) -> tuple[Callable[[], Any], Callable[[Any], Any], Callable[[Any], Any]]:
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

    def differentiate(cost: Any) -> Any:
        return cost, symdl.grad(cost, params)

    def compile_(both: Any) -> Any:
        cost, gradients = both
        f = symdl.function([x, y], cost, updates=[(p, p - 0.01 * g) for p, g in zip(params, gradients, strict=True)])
        images = rng.standard_normal((16, 32)).astype(np.float32)
        return lambda: f(images, np.arange(16) % 10)

    return build, differentiate, compile_


def row(kind: str, n: int) -> dict[str, Any]:
    build, differentiate, compile_ = (chain if kind == "chain" else mlp)(n)
    marks = [time.perf_counter()]
    cost = build()
    marks.append(time.perf_counter())
    both = differentiate(cost)
    marks.append(time.perf_counter())
    run = compile_(both)
    marks.append(time.perf_counter())
    out = run()
    value = float(out[0] if isinstance(out, list) else out)
    if not np.isfinite(value):
        raise RuntimeError(f"{kind} {n}: the result is {value}")
    build_s, grad_s, compile_s = (round(b - a, 3) for a, b in zip(marks, marks[1:], strict=False))
    return {"graph": kind, "size": n, "build_s": build_s, "grad_s": grad_s, "compile_s": compile_s}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", action="store_true", help="write benchmarks/records/graph_growth.json")
    options = parser.parse_args()
    rows = []
    print(f"{'graph':<6} {'size':>6} {'build s':>8} {'grad s':>8} {'compile s':>10} {'total s':>8} {'ms/op':>7}")
    for kind, sizes in (("chain", (1250, 2500, 5000, 10000)), ("mlp", (25, 50, 100, 200))):
        for n in sizes:
            r = row(kind, n)
            rows.append(r)
            total = r["build_s"] + r["grad_s"] + r["compile_s"]
            print(
                f"{kind:<6} {n:>6} {r['build_s']:>8} {r['grad_s']:>8} {r['compile_s']:>10} {total:>8.2f} {total / n * 1e3:>7.2f}",
                flush=True,
            )
    if options.store:
        print("record:", store("graph_growth", rows).name)


if __name__ == "__main__":
    main()
