"""Places of extremes in rows: the first of equal ones, a NaN before all, whatever group of vectors it lies in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from quick_code import quickly

import symdl.tensor as T
from symdl.backends.cpu.backend import CpuBackend
from symdl.pipeline.compilation import Graph, lowered

SIZES = (1, 7, 8, 15, 31, 32, 33, 63, 64, 65, 127, 128, 129, 191, 200, 257)


def outputs(dtype: str) -> Graph:
    x = T.matrix("x", dtype=dtype)
    return Graph((x,), (), (*T.max_and_argmax(x, axis=1), x.argmin(axis=1), (x * 2 + 1).argmax(axis=1)), (), "plain")


def right(found: Any, x: Any) -> None:
    largest, at, least, moved = found
    np.testing.assert_array_equal(at, x.argmax(axis=1))
    np.testing.assert_array_equal(least, x.argmin(axis=1))
    np.testing.assert_array_equal(moved, (x * 2 + 1).argmax(axis=1))
    chosen = np.take_along_axis(x, x.argmax(axis=1)[:, None], axis=1)[:, 0]
    np.testing.assert_array_equal(largest, chosen)
    np.testing.assert_array_equal(np.signbit(largest), np.signbit(chosen))  # of the zero that comes first


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_in_each_place(dtype: str) -> None:
    """An extreme, two equal ones, a NaN, and a NaN beside what is larger, in every place of a row."""
    g = outputs(dtype)
    f, rng = quickly(list(g.inputs), list(g.outputs), "plain"), np.random.default_rng(0)
    for size in SIZES:
        base = rng.normal(size=size).astype(dtype)
        x = np.repeat(base[None], 4 * size, axis=0)
        for k in range(size):
            x[k, k], x[size + k, k], x[size + k, int(rng.integers(size))] = 9, -9, -9
            x[2 * size + k, k] = np.nan
            x[3 * size + k, -1] = np.inf
            x[3 * size + k, k] = np.nan
        right(f([x]), x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_of_one_number(dtype: str) -> None:
    """Infinities, zeros of both signs and equal numbers: the first one is chosen."""
    g = outputs(dtype)
    f, rng = quickly(list(g.inputs), list(g.outputs), "plain"), np.random.default_rng(1)
    for size in SIZES:
        rows = [np.full(size, v) for v in (-np.inf, np.inf, np.nan, 0.0, -0.0, 3.0)]
        rows += [
            np.where(rng.random(size) < 0.5, a, b)
            for a, b in ((0.0, -0.0), (-np.inf, np.inf), (np.nan, -np.inf), (1, 2))
        ]
        x = np.array(rows, dtype)
        right(f([x]), x)


def test_on_lesser_processors(lesser: CpuBackend) -> None:
    for dtype in ("float32", "float64"):
        executable, rng = lesser.compile(lowered(outputs(dtype)).program), np.random.default_rng(2)
        for size in SIZES:
            x = rng.integers(-3, 4, (50, size)).astype(dtype)
            x[::7, size // 2], x[::5, size // 3] = np.nan, -0.0
            status, found = executable.execute(executable.bind([x]))
            assert status == 0
            right(found, x)
