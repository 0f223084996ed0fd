"""Cells of single operations: calls, chains, functions, reductions, products, convolutions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.matrix.cells import WANTED, Cell, normal, several

STREAMED = "sum", "mean", "max", "argmax"  # so little is done with a number that memory is the bound
ITEM = {"float32": 4, "float64": 8}


def calls() -> Iterator[Cell]:
    yield Cell("E1", "scalar", lambda m, x: x + 1, lambda rng: [np.array(1.5)])
    yield Cell("E1", "10 numbers", lambda m, x: x + 1, several(normal(10, dtype="float64")))
    yield Cell("E1", "20 inputs", lambda m, *x: sum(x[1:], x[0]), several(*[normal(10, dtype="float64")] * 20))


def chains() -> Iterator[Cell]:
    def chain(m: Any, x: Any, y: Any) -> Any:
        return m.tanh(x * 1.5 + y) * y - m.exp(-(x * x))

    for size in (1000, 100_000, 10_000_000):
        yield Cell("E2", f"chain {size:.0e}", chain, several(normal(size), normal(size)), bytes=12 * size)
    n = 1000
    two = several(normal(n, n), normal(n, n))
    yield Cell("E2", "chain transposed", lambda m, x, y: chain(m, x.T, y), two, bytes=12 * n * n)
    row = several(normal(n, n), normal(n))
    yield Cell("E2", "chain broadcast", chain, row, bytes=8 * n * n)
    wide = several(normal(n, 2 * n), normal(n, 2 * n))
    yield Cell("E2", "chain strided", lambda m, x, y: chain(m, x[:, ::2], y[:, ::2]), wide, bytes=12 * n * n)
    yield Cell("E2", "sum of two 1e7", lambda m, x, y: x + y, several(normal(10**7), normal(10**7)), bytes=12 * 10**7,
               wanted=WANTED)  # fmt: skip


def functions() -> Iterator[Cell]:
    size = 1 << 17
    for name in ("exp", "log", "tanh", "sigmoid", "erf", "sin", "pow"):
        for dtype in ("float32", "float64"):
            low, high = (0.1, 10.0) if name in ("log", "pow") else (-4.0, 4.0)

            def make(rng: np.random.Generator, low: float = low, high: float = high, dtype: str = dtype) -> list[Any]:
                return [rng.uniform(low, high, size).astype(dtype)]

            def formula(m: Any, x: Any, name: str = name) -> Any:
                return x**1.7 if name == "pow" else getattr(m, name)(x)

            yield Cell("E3", f"{name} {dtype}", formula, make, bytes=2 * size * ITEM[dtype])


def reductions() -> Iterator[Cell]:
    shapes: list[tuple[int, ...]] = [(1000, 1000), (64, 10), (10**7,), (3, 10**6), (10**6, 3)]
    for name in ("sum", "mean", "max", "argmax", "logsumexp", "softmax", "var"):
        for shape in shapes:
            size = int(np.prod(shape))
            for axis in range(len(shape)):
                results = size if name == "softmax" else size // shape[axis]
                moved = 4 * size + results * (8 if name == "argmax" else 4)

                def formula(m: Any, x: Any, name: str = name, axis: int = axis) -> Any:
                    return getattr(m, name)(x, axis=axis)

                shown = "x".join(map(str, shape))
                bound = WANTED if name in STREAMED and size >= 10**6 else 0.0
                given = several(normal(*shape))
                yield Cell("E4", f"{name} {shown} axis {axis}", formula, given, bytes=moved, wanted=bound)
    n = 10**6
    yield Cell("E4", "cumsum 1e6", lambda m, x: m.cumsum(x, 0), several(normal(n)), bytes=8 * n, wanted=WANTED)
    yield Cell("E4", "argsort 1e5", lambda m, x: m.argsort(x), several(normal(10**5)))
    rows, width = 10_000, 128

    def chosen(rng: np.random.Generator) -> list[Any]:
        return [normal(rows, width)(rng), rng.integers(0, rows, 4096)]

    moved = 2 * 4096 * width * 4
    yield Cell("E4", "gather 4096 rows", lambda m, x, i: m.take(x, i, axis=0), chosen, bytes=moved, wanted=WANTED)

    def added(rng: np.random.Generator) -> list[Any]:
        return [*chosen(rng), normal(4096, width)(rng)]

    moved = 8 * rows * width + 12 * 4096 * width
    yield Cell(
        "E4", "scatter-add 4096 rows", lambda m, x, i, v: m.scatter_add(x, i, v), added, bytes=moved, wanted=WANTED
    )


def products() -> Iterator[Cell]:
    def product(m: Any, a: Any, b: Any) -> Any:
        return a @ b

    for dtype in ("float32", "float64"):
        for n in (32, 64, 128, 256, 512, 1024, 2048):
            two = several(normal(n, n, dtype=dtype), normal(n, n, dtype=dtype))
            yield Cell("E5", f"{n} {dtype}", product, two, flops=2 * n**3, wanted=WANTED if n >= 256 else 0.0)
    n = 512
    two = several(normal(n, n), normal(n, n))
    yield Cell("E5", "512 a.T b", lambda m, a, b: a.T @ b, two, flops=2 * n**3, wanted=WANTED)
    yield Cell("E5", "512 a b.T", lambda m, a, b: a @ b.T, two, flops=2 * n**3, wanted=WANTED)
    yield Cell("E5", "512 a.T b.T", lambda m, a, b: a.T @ b.T, two, flops=2 * n**3, wanted=WANTED)
    for rows, inner, columns in (
        (1, 784, 512),
        (8, 784, 512),
        (20, 784, 500),
        (784, 20, 500),
        (784, 256, 512),
        (10000, 64, 10),
    ):
        both = several(normal(rows, inner), normal(inner, columns))
        name = f"{rows}x{inner}x{columns}"
        if rows == 1:  # each number of a matrix is used once: memory is the bound
            yield Cell("E5", name, product, both, bytes=4 * (inner + inner * columns + columns), wanted=WANTED)
            continue
        bound = WANTED if min(rows, inner, columns) >= 256 else 0.0
        yield Cell("E5", name, product, both, flops=2 * rows * inner * columns, wanted=bound)
    both = several(normal(64, 32, 64), normal(64, 64, 32))
    yield Cell("E5", "batched 64 of 32x64x32", product, both, flops=2 * 64 * 32 * 64 * 32)
    three = several(normal(256, 784), normal(784, 512), normal(512))
    yield Cell("E5", "dense layer, relu", lambda m, x, w, b: m.relu(x @ w + b), three, flops=2 * 256 * 784 * 512,
               wanted=WANTED)  # fmt: skip


# name -> images, filters, how
LAYERS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "lenet 1": ((128, 1, 28, 28), (20, 1, 5, 5), {}),
    "lenet 2": ((128, 20, 12, 12), (50, 20, 5, 5), {}),
    "vgg 3x3": ((32, 32, 32, 32), (32, 32, 3, 3), {"border_mode": "half"}),
    "vgg 3x3 deep": ((32, 64, 16, 16), (128, 64, 3, 3), {"border_mode": "half"}),
    "resnet 1x1": ((16, 64, 28, 28), (256, 64, 1, 1), {}),
    "resnet stride 2": ((16, 64, 56, 56), (128, 64, 3, 3), {"border_mode": "half", "subsample": (2, 2)}),
    "dilation 2": ((16, 32, 32, 32), (32, 32, 3, 3), {"border_mode": "half", "filter_dilation": (2, 2)}),
    "depthwise": ((16, 64, 28, 28), (64, 1, 3, 3), {"border_mode": "half", "num_groups": 64}),
    "4 groups": ((16, 64, 28, 28), (64, 16, 3, 3), {"border_mode": "half", "num_groups": 4}),
}


def convolutions() -> Iterator[Cell]:
    def layer(how: dict[str, Any]) -> Callable[..., Any]:
        return lambda m, x, w: m.conv2d(x, w, **how)

    for name, (images, filters, how) in LAYERS.items():
        stride = how.get("subsample", (1, 1))[0]
        same = how.get("border_mode") == "half"
        side = images[2] if same else images[2] - filters[2] + 1
        flops = 2 * images[0] * filters[0] * (side // stride) ** 2 * int(np.prod(filters[1:]))
        scale = 1 / float(np.sqrt(np.prod(filters[1:])))
        given = several(normal(*images), normal(*filters, scale=scale))
        moved = 0
        if filters[1] == 1 < images[1]:  # depthwise: a few operations a number
            moved, flops = 4 * images[0] * (images[1] * images[2] ** 2 + filters[0] * (side // stride) ** 2), 0
        yield Cell("E6", name, layer(how), given, bytes=moved, flops=flops, wanted=WANTED)

        def loss(m: Any, p: Any, x: Any, how: dict[str, Any] = how) -> Any:
            y = m.conv2d(x * p[1], p[0], **how)
            return (y * y).mean()

        def parameters(
            rng: np.random.Generator, images: Any = images, filters: Any = filters, scale: float = scale
        ) -> list[Any]:
            return [normal(*filters, scale=scale)(rng), np.ones(images[1:], np.float32)]

        yield Cell("E6", f"{name}, both gradients", loss, several(normal(*images)), parameters, 1e-3, flops=3 * flops,
                   wanted=WANTED if flops else 0.0)  # fmt: skip
    pooled = several(normal(128, 20, 24, 24))
    yield Cell("E6", "max pooling", lambda m, x: m.max_pool(x), pooled, bytes=128 * 20 * 24 * 24 * 5,
               wanted=WANTED)  # fmt: skip

    def normalized(m: Any, p: Any, x: Any) -> Any:
        mean = x.mean(0)
        spread = ((x - mean) * (x - mean)).mean(0)
        y = (x - mean) / m.sqrt(spread + 1e-5) * p[0] + p[1]
        return (y * y * y).mean()

    yield Cell("E6", "batch norm, gradient", normalized, several(normal(256, 512)), several(normal(512), normal(512)), 1e-3,
               bytes=4 * 256 * 512)  # fmt: skip


GROUPS: dict[str, Callable[[], Iterator[Cell]]] = {
    "E1": calls, "E2": chains, "E3": functions, "E4": reductions, "E5": products, "E6": convolutions,
}  # fmt: skip
