"""Sums of exponentials whose terms are tried in the dtype of what is made of them: right wherever that lies, in rows of any length."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

import symdl.tensor as T
from symdl.backends.cpu.backend import CpuBackend
from symdl.backends.rungs.stretches import Stretch, stretch
from symdl.backends.rungs.terms import ROWS, TIERS
from symdl.backends.rungs.thinning import thinned
from symdl.ir.loops import Apply, For, walk
from symdl.ir.program import Kernel
from symdl.pipeline.compilation import Graph, lowered

# where the logarithm of a row's sum shall lie: the borders of 1, of a vanishing one, and what is far from both
TARGETS = (1e-6, 1e-3, 0.05, 0.3, 0.6, 0.9, 1.0, 1.1, 2.0, 20.0, 300.0)


def rows_of(length: int, dtype: str) -> np.ndarray:
    """Rows of all TARGETS, of both signs, narrow and wide; then those whose smaller terms vanish, or are all there is."""
    rng = np.random.default_rng(length)
    out = []
    for target in (*TARGETS, *(-t for t in TARGETS)):
        row = (rng.standard_normal(length) * rng.choice([0.1, 1, 10])).astype(dtype)
        out.append(row.astype("float64") - np.logaddexp.reduce(row.astype("float64")) + target)
    out += [np.where(np.arange(length) == length // 2, 0.0, far) for far in (-80.0, -90.0, -200.0, -900.0)]
    return np.array([*out, np.full(length, -3.0)], dtype)


def logarithm(row: list[float]) -> mpmath.mpf:
    """The logarithm of the sum of exponentials of numbers in order."""
    return row[-1] + mpmath.log1p(mpmath.fsum(mpmath.exp(mpmath.mpf(v) - row[-1]) for v in row[:-1]))


def attempts(x: Any, root: Any) -> list[Stretch]:
    """What is tried of the sums in a function's kernels."""
    steps = lowered(Graph((x,), (), (root,), (), "right")).program.steps
    bodies = [thinned(k.body) for k in steps if isinstance(k, Kernel)]
    inner = [body for b in bodies for body in (b, *(s.body for s in walk(*b) if isinstance(s, For)))]
    found = [stretch(body, place) for body in inner for place in range(len(body))]
    return [s for s in found if s is not None]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("axis", [0, 1, None])
def test_terms_are_tried_in_the_results_dtype(axis: int | None, dtype: str) -> None:
    x = T.tensor("x", dtype=dtype, shape=(None, None))
    first, *_ = attempts(x, T.logsumexp(x, axis=axis))
    functions = [item for item in walk(*first.tried) if isinstance(item, Apply) and item.primitive == "exp"]
    assert {item.dtype for item in functions} == {dtype}
    assert first.fitting is not None
    assert first.otherwise is not None
    assert all(tier.rough for tier in TIERS.values())


def test_short_rows_are_not() -> None:
    x = T.tensor("x", dtype="float32", shape=(None, ROWS - 1))
    found = attempts(x, T.logsumexp(x, axis=1))
    found += [s.otherwise for s in found if s.otherwise is not None]
    assert all(s.fitting is None for s in found)
    functions = [item for s in found for item in walk(*s.tried) if isinstance(item, Apply) and item.primitive == "exp"]
    assert {item.dtype for item in functions} == {"float64"}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logarithms_of_sums(lesser: CpuBackend, dtype: str) -> None:
    """Within 4 ulp, whatever is redone; a row's number does not depend on the rows beside it."""
    x = T.tensor("x", dtype=dtype, shape=(None, None))
    roots = T.logsumexp(x, axis=1), T.logsumexp(x.T, axis=0)
    executable = lesser.compile(lowered(Graph((x,), (), roots, (), "right")).program)

    def run(array: Any) -> list[Any]:
        status, found = executable.execute(executable.bind([array]))
        assert status == 0
        return list(found)

    for length in (3, ROWS - 1, ROWS, ROWS + 1, 200):
        array = rows_of(length, dtype)
        with mpmath.workprec(200):
            true = [logarithm(sorted(map(float, row))) for row in array]
            for found in run(array):
                for one, t in zip(found, true, strict=True):
                    unit = mpmath.mpf(float(np.spacing(np.array(abs(float(t)), dtype))))
                    assert abs(mpmath.mpf(float(one)) - t) <= 4 * unit, (length, t)
        for start, end in ((0, 1), (3, 12), (20, 27)):
            for mine, alone in zip(run(array), run(array[start:end]), strict=True):
                np.testing.assert_array_equal(mine[start:end], alone)


def test_infinities_and_nan_stay() -> None:
    x = T.tensor("x", dtype="float64", shape=(None, None))
    executable = CpuBackend().compile(lowered(Graph((x,), (), (T.logsumexp(x, axis=1),), (), "right")).program)
    array = np.ones((5, 40))
    array[0, 3], array[1], array[2, 7], array[3, 0], array[4, :2] = np.inf, -np.inf, np.nan, -np.inf, [np.inf, -np.inf]
    status, (found,) = executable.execute(executable.bind([array]))
    assert status == 0
    np.testing.assert_array_equal(found[[0, 1, 2, 4]], [np.inf, -np.inf, np.nan, np.inf])
    assert found[3] == pytest.approx(1 + np.log(39), rel=1e-15)
