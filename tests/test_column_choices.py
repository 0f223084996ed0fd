"""Places of extremes in blocks of rows: the first of equal ones, a NaN before all, whatever the sizes and wherever blocks begin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from quick_code import quickly

import symdl
import symdl.tensor as T
from symdl.ir import column_choices
from symdl.ir.loops import For
from symdl.ir.program import Kernel, Program
from symdl.pipeline.compilation import Graph, lowered

SHAPES = [
    (2, 1),
    (2, 40),
    (64, 3),
    (65, 3),
    (66, 1),
    (143, 2),
    (80, 32),
    (81, 33),
    (97, 40),
    (200, 5),
    (70, 300),
    (1000, 7),
]


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several blocks of small arrays; never kept on disk."""
    monkeypatch.setattr(column_choices, "BLOCK", 64)


def program(shape: tuple[int | None, ...], axis: int = 0) -> Program:
    x = T.tensor("x", dtype="float32", shape=shape)
    return lowered(Graph((x,), (), (x.argmax(axis=axis),), (), "plain")).program


def schedules(found: Program) -> list[list[str]]:
    return [[s.schedule for s in k.body if isinstance(s, For)] for k in found.steps if isinstance(k, Kernel)]


def arrays(shape: tuple[int, int], dtype: str) -> list[Any]:
    rng = np.random.default_rng(5)
    found = [rng.integers(-2, 3, shape).astype(dtype), np.zeros(shape, dtype)]
    if not dtype.startswith("float"):
        return [*found, np.full(shape, np.iinfo(dtype).min, dtype)]
    few = np.where(rng.random(shape) < 0.02, np.nan, rng.standard_normal(shape)).astype(dtype)
    last = np.full(shape, -np.inf, dtype)
    last[-1] = np.nan
    return [*found, rng.standard_normal(shape).astype(dtype), few, np.full(shape, -np.inf, dtype), last]


def test_many_rows_are_blocks_and_their_combination() -> None:
    assert schedules(program((20_000, 40))) == [["parallel"], ["parallel"]]
    assert schedules(program((10**6,))) == [["parallel"], ["parallel"]]
    assert schedules(program((20, 4000))) == [["parallel"]]
    assert len(schedules(program((None, None)))) == 3
    assert schedules(program((1000, 20_000), axis=1)) == [["parallel"]]  # rows are gone through by themselves


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_places(dtype: str, small_blocks: None) -> None:
    x = T.tensor("x", dtype=dtype, shape=(None, None))
    v = T.tensor("v", dtype=dtype, shape=(None,))
    roots = [x.argmax(axis=0), x.argmin(axis=0), (x[:, ::-1] * 2).argmax(axis=0), x[1:].T.argmin(axis=1)]
    machine, steps = quickly([x], roots), symdl.function([x], roots, mode="interpreter")
    whole = quickly([v], [v.argmax(), v.argmin()])
    for shape in SHAPES:
        for array in arrays(shape, dtype):
            truth = [array.argmax(0), array.argmin(0), array[:, ::-1].argmax(0)]
            truth.append(array[1:].argmin(0))
            for found, true in zip(machine([array]), truth, strict=True):
                np.testing.assert_array_equal(found, true)
            flat = array.ravel()
            np.testing.assert_array_equal(whole([flat]), [flat.argmax(), flat.argmin()])
    array = arrays((97, 5), dtype)[-1]
    for found, true in zip(steps(array), machine([array]), strict=True):
        np.testing.assert_array_equal(found, true)


def test_extremes_beside_their_places(small_blocks: None) -> None:
    x = T.fmatrix("x")
    value, place = T.max_and_argmax(x, axis=0)
    run = quickly([x], [value * 2 + 1, place])
    array = np.random.default_rng(1).standard_normal((301, 4)).astype("float32")
    found, at = run([array])
    np.testing.assert_array_equal(at, array.argmax(0))
    np.testing.assert_array_equal(found, array.max(0) * 2 + 1)
