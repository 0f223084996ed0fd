"""Loops around reductions by lanes, extremes in vectors, long sums by several vectors, sorting by words: NumPy's numbers, whatever the
lengths, and the same ones wherever rows are cut."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

import symdl
import symdl.tensor as T
from symdl.backends.cpu.backend import CpuBackend
from symdl.backends.llvm.across import SHORT, across
from symdl.ir.loops import For
from symdl.ir.program import Kernel
from symdl.ops.sorting import places_in_order
from symdl.pipeline.compilation import Graph, lowered
from symdl.runtime.runs import native

LENGTHS = (1, 2, 3, 7, 8, 9, 15, 16, 17, SHORT - 1, SHORT, SHORT + 1, 70, 131)
DTYPES = ("float32", "float64", "int32", "int8", "bool", "uint64")


def arrays(dtype: str, shape: tuple[int, ...], rng: np.random.Generator) -> list[Any]:
    """With many equal numbers, the least and the largest alone, and NaN."""
    if dtype == "bool":
        return [rng.random(shape) < p for p in (0.0, 0.05, 0.9, 1.0)]
    if not dtype.startswith("float"):
        info = np.iinfo(dtype)
        found = [np.full(shape, n, dtype) for n in (info.min, info.max)]
        return [*found, rng.choice(np.array([info.min, info.max, 0, 1], dtype), shape)]
    found = [rng.integers(-3, 4, shape).astype(dtype), *(np.full(shape, n, dtype) for n in (-np.inf, np.inf))]
    for p in (0.02, 0.5, 1.0):
        found.append(np.where(rng.random(shape) < p, np.array(np.nan, dtype), found[0]))
    found.append(np.where(rng.random(shape) < 0.97, np.array(-np.inf, dtype), found[0]))
    return found


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_places_of_extremes(name: str, dtype: str) -> None:
    rng = np.random.default_rng(3)
    vector, matrix = T.tensor("v", dtype=dtype, shape=(None,)), T.tensor("x", dtype=dtype, shape=(None, None))
    runs = [
        (symdl.function([x], getattr(T, name)(x, axis=a)), a, x.type.ndim)
        for x, a in ((vector, 0), (matrix, 0), (matrix, 1))
    ]
    for f, axis, ndim in runs:
        for n in LENGTHS:
            shapes = [(n,)] if ndim == 1 else [(n, 5), (5, n), (n, 33)]
            for shape in shapes:
                for array in arrays(dtype, shape, rng):
                    np.testing.assert_array_equal(f(array), getattr(np, name)(array, axis=axis))


def test_rows_and_columns_are_numpys_and_do_not_depend_on_their_neighbours() -> None:
    x = T.fmatrix("x")
    y = T.tanh(x - x.max(axis=1, keepdims=True))
    roots = [x.sum(axis=1), x.var(axis=1), (y * y).sum(axis=1), x.max(axis=0), x.sum(axis=0)]
    f = symdl.function([x], roots)
    rng = np.random.default_rng(0)
    for columns in LENGTHS:
        array = rng.standard_normal((37, columns)).astype("float32")
        wide = array.astype("float64")
        close = np.tanh(wide - wide.max(axis=1, keepdims=True))
        truth = [wide.sum(axis=1), wide.var(axis=1), (close**2).sum(axis=1), wide.max(axis=0), wide.sum(axis=0)]
        found = f(array)
        for mine, true in zip(found, truth, strict=True):
            np.testing.assert_allclose(mine, true, rtol=1e-5, atol=1e-5)
        for start, end in ((0, 1), (3, 20), (30, 37)):
            for mine, alone in zip(found[:3], f(array[start:end])[:3], strict=True):
                np.testing.assert_array_equal(mine[start:end], alone)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_functions_by_several_vectors_do_not_depend_on_their_neighbours(lesser: CpuBackend, dtype: str) -> None:
    x = T.tensor("x", dtype=dtype, shape=(None, None))
    bell = T.exp(-x * x)
    roots = T.exp(x), T.tanh(x) / T.exp(-x), T.log1p(x * x), bell.sum(axis=0), bell.sum(axis=1)
    executable = lesser.compile(lowered(Graph((x,), (), roots, (), precision="plain")).program)

    def run(array: Any) -> list[Any]:
        status, found = executable.execute(executable.bind([array]))
        assert status == 0
        return list(found)

    rng = np.random.default_rng(1)
    for columns in (*LENGTHS, 2 * SHORT - 1, 2 * SHORT, 1000):
        array = rng.standard_normal((5, columns)).astype(dtype)
        wide = array.astype("longdouble")
        hump = np.exp(-wide * wide)
        truth = [np.exp(wide), np.tanh(wide) * np.exp(wide), np.log1p(wide**2), hump.sum(axis=0), hump.sum(axis=1)]
        found = run(array)
        for mine, true in zip(found, truth, strict=True):
            np.testing.assert_allclose(mine, true.astype(dtype), rtol=float(16 * np.finfo(dtype).eps))
        for start in {0, columns // 2, columns - 1}:  # in whole vectors, or among what is left
            alone = run(np.ascontiguousarray(array[:, start : start + 1]))
            for mine, own in zip(found[:4], alone[:4], strict=True):
                np.testing.assert_array_equal(mine[..., start : start + 1], own)


@pytest.mark.parametrize("here", [True, False])
def test_columns_that_fill_no_vector_are_those_beside_others(lesser: CpuBackend, here: bool) -> None:
    x = T.fmatrix("x")
    share = T.softmax(x, axis=0)
    roots = x.argmax(axis=0), T.logsumexp(x, axis=0), x.var(axis=0), x.max(axis=0), x[:, ::-1].sum(axis=0), share
    machine = native() if here else lesser
    executable = machine.compile(lowered(Graph((x,), (), roots, ())).program)

    def run(array: Any) -> list[Any]:
        status, found = executable.execute(executable.bind([array]))
        assert status == 0
        return list(found)

    array = np.random.default_rng(2).standard_normal((41, 64)).astype("float32")
    array[7, 3] = np.nan
    whole = run(array)
    np.testing.assert_array_equal(whole[0], array.argmax(axis=0))
    for columns in range(1, 37):
        alone = run(np.ascontiguousarray(array[:, :columns]))
        for k in (0, 1, 2, 3, 5):
            np.testing.assert_array_equal(alone[k], whole[k][..., :columns])
        np.testing.assert_array_equal(alone[4], run(np.ascontiguousarray(array[:, columns - 1 :: -1]))[4][::-1])


def plans(root: Any, x: Any = None, vector_bytes: int = 32) -> list[Any]:
    steps = lowered(Graph((X if x is None else x,), (), (root,), ())).program.steps
    loops = [s for k in steps if isinstance(k, Kernel) for s in k.body if isinstance(s, For)]
    return [across(loop, vector_bytes) for loop in loops]


X = T.fmatrix("x")
FEW_ROWS = T.tensor("few_rows", dtype="float32", shape=(3, None))


@pytest.mark.parametrize("here", [True, False])
@pytest.mark.parametrize("precision", ["right", "plain"])
@pytest.mark.parametrize("name", ["logsumexp", "softmax"])
def test_columns_of_few_functions_by_two_vectors(lesser: CpuBackend, name: str, precision: Any, here: bool) -> None:
    machine = native() if here else lesser
    root = getattr(T, name)(FEW_ROWS, axis=0)
    executable = machine.compile(lowered(Graph((FEW_ROWS,), (), (root,), (), precision)).program)

    def run(array: Any) -> Any:
        status, (found,) = executable.execute(executable.bind([np.ascontiguousarray(array)]))
        assert status == 0
        return found

    array = np.random.default_rng(7).standard_normal((3, 131)).astype("float32")
    array[0, 3], array[1, 20], array[:, 40] = np.nan, np.inf, -np.inf
    array[:, 33:36] = [[3e38, -1e-3, 0], [-3e38, 1e-3, 0], [1, 0, -1e30]]  # terms that cancel, or reach over the range
    whole = run(array)
    for columns in (*range(1, 36), 63, 64, 65, 95, 96, 97):
        np.testing.assert_array_equal(run(array[:, :columns]), whole[..., :columns])
        np.testing.assert_array_equal(run(array[:, 131 - columns :]), whole[..., 131 - columns :])


def standardized(column: Any) -> Any:
    """(x - mean) / deviation of each number."""
    with mpmath.workprec(1000):
        exact = [mpmath.mpf(float(x)) for x in column]
        mean = mpmath.fsum(exact) / len(exact)
        deviation = mpmath.sqrt(mpmath.fsum((x - mean) ** 2 for x in exact) / len(exact))
        return [float((x - mean) / deviation) for x in exact]


@pytest.mark.parametrize("here", [True, False])
def test_columns_whose_sums_keep_two_limbs(lesser: CpuBackend, here: bool) -> None:
    x = T.dmatrix("x")
    far = x - x.mean(axis=0)
    root = far / T.sqrt((far * far).mean(axis=0))
    executable = (native() if here else lesser).compile(lowered(Graph((x,), (), (root,), (), "right")).program)

    def run(array: Any) -> Any:
        status, (found,) = executable.execute(executable.bind([np.ascontiguousarray(array)]))
        assert status == 0
        return found

    rng = np.random.default_rng(5)
    for rows in (2, 5, 70):
        array = 1e6 + rng.standard_normal((rows, 131))
        array[:, 7] *= 1e180  # squares beyond the range, and below it
        array[:, 40] = rng.standard_normal(rows) * 1e-220
        array[:, 77] = 1e9 + np.arange(rows) % 2
        array[0, 90], array[0, 91] = np.nan, np.inf
        found = run(array)
        for k in (0, 7, 8, 31, 32, 40, 77, 95, 96, 127, 128, 130):
            np.testing.assert_allclose(found[:, k], standardized(array[:, k]), rtol=4 * 2.0**-53)
        assert np.isnan(found[:, 90:92]).all()
        assert np.isfinite(np.delete(found, (90, 91), axis=1)).all()
        for columns in (2, 3, 8, 9, 16, 17, 33, 41):  # the same beside others, and in a vector with lanes left out
            np.testing.assert_array_equal(run(array[:, :columns]), found[:, :columns])


def test_which_loops_are_taken_by_lanes() -> None:
    (columns, *_), (rows,), (known,) = plans(X.argmax(axis=0)), plans(X.sum(axis=1)), plans(X[:, :3].sum(axis=1))
    assert columns.longest is None
    assert rows.lanes == (16, 8)
    assert rows.longest is not None
    assert known.longest is not None
    assert plans(T.exp(X)) == [None]  # nothing is added up
    for vector_bytes, lanes in ((32, (8,)), (64, (32,))):  # by two vectors, where lanes can be left out for little
        (found,) = plans(T.softmax(FEW_ROWS, axis=0), FEW_ROWS, vector_bytes)
        assert found.lanes == lanes
    assert plans(X.cumsum(axis=1))[0] is not None
    assert plans((X[:, :40] * 2).sum(axis=1)) is not None


@pytest.mark.parametrize("formula", [T.argmax, T.max, T.sum, T.logsumexp])
def test_a_few_rows_that_are_known_to_be_few_are_taken_so(formula: Any) -> None:
    """They are no parallel loop; one number after the other, argmax of 64 x 10 took 30 times as long."""
    few = T.tensor("few", dtype="float32", shape=(64, 10))
    loops = [plan for plan in plans(formula(few, axis=1), few) if plan is not None]
    assert loops
    assert loops[-1].lanes
    array = np.random.default_rng(0).standard_normal((64, 10)).astype("float32")
    of_any_size = symdl.function([X], formula(X, axis=1))(array)
    np.testing.assert_array_equal(symdl.function([few], formula(few, axis=1))(array), of_any_size)


@pytest.mark.parametrize("dtype", ["float32", "int32", "uint32", "float64", "int8"])
def test_sorting_is_stable(dtype: str) -> None:
    rng = np.random.default_rng(1)
    for shape in ((0,), (1,), (1000,), (7, 9), (9, 0), (3, 40, 5)):
        for array in arrays(dtype if dtype != "uint32" else "int32", shape, rng):
            array = array.view("uint32") if dtype == "uint32" else array
            if dtype.startswith("float"):
                array = np.where(rng.random(shape) < 0.2, -np.abs(array) * 0, array).astype(dtype)  # -0 and -NaN
            for turned in (array, array.swapaxes(0, -1)):
                for axis in range(array.ndim):
                    found = places_in_order(turned, axis)
                    assert found.dtype == np.int64
                    np.testing.assert_array_equal(found, np.argsort(turned, axis=axis, kind="stable"))
