"""Memory of training steps: bytes of the arena beside the bytes that are alive together at the worst step.

    python -m benchmarks.memory [--store]

float32; the arena can never be smaller than what is alive for the order of the steps that is run. `values` is what all
temporary values would take side by side.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import symdl
import symdl.tensor as T
from symdl.ir.arena import arena_bytes, live_bytes
from symdl.number_forms import item_bytes
from symdl.types import product, size_at

Parts = tuple[list[Any], Any, list[tuple[Any, Any]]]


def weights(sizes: list[int]) -> list[Any]:
    rng = np.random.default_rng(0)
    out: list[Any] = []
    for k, (a, b) in enumerate(zip(sizes, sizes[1:], strict=False)):
        out += [symdl.shared((rng.standard_normal((a, b)) / np.sqrt(a)).astype("f4"), f"W{k}")]
        out += [symdl.shared(np.zeros(b, "f4"), f"b{k}")]
    return out


def classifier(sizes: list[int], adam: bool) -> Parts:
    x, y = T.fmatrix("x"), T.ivector("y")
    params, h = weights(sizes), x
    for k in range(0, len(params), 2):
        h = h @ params[k] + params[k + 1]
        h = T.softmax(h) if k == len(params) - 2 else T.where(h > 0, h, 0)
    loss = -T.log(h[T.arange(y.shape[0]), y]).mean()
    updates: list[tuple[Any, Any]] = []
    for p, g in zip(params, symdl.grad(loss, params), strict=True):
        if not adam:
            updates.append((p, p - 0.05 * g))
            continue
        m, v = (symdl.shared(np.zeros_like(p.get_value()), p.name + letter) for letter in "mv")
        first, second = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        updates += [(m, first), (v, second), (p, p - 0.001 * first / (T.sqrt(second) + 1e-8))]
    return [x, y], loss, updates


def autoencoder() -> Parts:
    x = T.fmatrix("x")
    params, h = weights([784, 256, 64, 256, 784]), x
    for k in range(0, len(params), 2):
        h = T.sigmoid(h @ params[k] + params[k + 1])
    loss = ((h - x) ** 2).mean()
    return [x], loss, [(p, p - 0.1 * g) for p, g in zip(params, symdl.grad(loss, params), strict=True)]


def chain() -> Parts:
    x = T.fmatrix("x")
    h = x
    for _ in range(10):
        h = T.softmax(h * 2)
    return [x], h, []


CASES = {
    "MLP, 100 layers of 256, SGD": lambda: classifier([256] * 101, False),
    "MLP 784-512-128-10, Adam": lambda: classifier([784, 512, 128, 10], True),
    "autoencoder 784-256-64-256-784, SGD": autoencoder,
    "10 softmaxes of 256 columns": chain,
}


def measured(batch: int) -> list[dict[str, Any]]:
    rows = []
    for name, make in CASES.items():
        inputs, output, updates = make()
        program = symdl.function(inputs, output, updates=updates, mode="interpreter").lowered.program
        columns = {b.buffer: b.symbol for b in program.bindings if b.axis == 1}
        sizes = {b.symbol: batch for b in program.bindings}
        known = {c.fact.left: c.fact.right for c in program.checks}
        for symbol in columns.values():  # where no check says it, 256 columns
            number = next((r for e, r in known.items() if str(e) == str(symbol) and isinstance(r, int)), 256)
            sizes[symbol] = number
        values = sum(size_at(product(b.shape), sizes) * item_bytes(b.dtype) for b in program.of_kind("temp"))
        arena, least = arena_bytes(program, sizes), live_bytes(program, sizes)
        rows.append({"case": name, "batch": batch, "arena": arena, "alive": least, "values": values})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", action="store_true", help="write benchmarks/records/memory.json")
    options = parser.parse_args()
    rows = [row for batch in (32, 256) for row in measured(batch)]
    print(f"{'':<38} {'batch':>5} {'arena MB':>9} {'alive MB':>9} {'ratio':>6} {'values MB':>10}")
    for r in rows:
        numbers = (r["arena"] / 1e6, r["alive"] / 1e6, r["arena"] / max(r["alive"], 1), r["values"] / 1e6)
        print(
            f"{r['case']:<38} {r['batch']:>5} {numbers[0]:>9.3f} {numbers[1]:>9.3f} {numbers[2]:>6.3f} {numbers[3]:>10.3f}"
        )
    if options.store:
        from benchmarks.machine import store

        print("record:", store("memory", rows).name)


if __name__ == "__main__":
    main()
