"""Logarithms of sums of exponentials, tried without their largest: right wherever the attempt ends, in rows and columns of any length."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
from quick_code import quickly
from scipy.special import logsumexp

import symdl.tensor as T
from symdl.backends.cpu.backend import CpuBackend
from symdl.backends.rungs.stretches import stretch
from symdl.backends.rungs.thinning import thinned
from symdl.backends.rungs.unshifted import NEAREST, RANGE, SINGLE, exponentials, weights
from symdl.backends.wide import brief
from symdl.ir.loops import Apply, For, Load, Store, contiguous, walk
from symdl.ir.program import Binding, Buffer, Kernel, Program
from symdl.pipeline.compilation import Graph, lowered
from symdl.types import Symbol, symbol

SHAPES = [(1, 1), (3, 40), (40, 3), (31, 33), (33, 31), (70, 70), (5, 1000)]
SPREADS = [
    (1, 0),
    (0, 0),
    (1e-3, 0),
    (30, 0),
    (300, 0),
    (1e30, 0),
    (1, 80),
    (1, 89),
    (1, -30),
    (1, -500),
    (3, 690),
    (0, -89),
]


def graph(axis: int, shape: tuple[int | None, int | None] = (None, None)) -> Graph:
    x = T.tensor("x", dtype="float32", shape=shape)
    return Graph((x,), (), (T.logsumexp(x, axis=axis),), (), "right")


def rows(backend: CpuBackend | None, axis: int) -> Any:
    """Its machine code, here or for a lesser processor."""
    g = graph(axis)
    if backend is None:
        run_quickly = quickly(list(g.inputs), list(g.outputs))
        return lambda x: run_quickly([x])[0]
    made = backend.compile(lowered(g).program)

    def run(x: Any) -> Any:
        status, (found,) = made.execute(made.bind([x]))
        assert status == 0
        return found

    return run


def close(found: Any, x: Any, axis: int) -> None:
    with np.errstate(all="ignore"):
        true = logsumexp(x.astype(np.longdouble), axis=axis)
        ulp = np.spacing(np.abs(true).astype(np.float32)).astype(np.longdouble)
    finite = np.isfinite(true)
    np.testing.assert_array_equal(found[~finite], true[~finite].astype(np.float32))
    assert np.all(np.abs(found - true)[finite] <= 4 * ulp[finite])


@pytest.mark.parametrize("axis", [0, 1])
def test_the_attempts_are_made(axis: int) -> None:
    """Rows, and columns whose largest is found by a kernel of its own, are such statements: two attempts before the largest."""
    for shape, tried in (((None, None), 3), ((70, 80), 3), ((4, 5), 2)):
        steps = lowered(graph(axis, shape)).program.steps
        bodies = [x.body for s in steps if isinstance(s, Kernel) for x in walk(*s.body) if isinstance(x, For)]
        (body,) = [b for b in bodies if exponentials(b, 0) is not None]
        attempt, count = stretch(body, 0), 0
        while attempt is not None:
            attempt, count = attempt.otherwise, count + 1
        assert count == tried, shape


@pytest.mark.parametrize("axis", [0, 1])
def test_right_at_every_size_and_scale(axis: int) -> None:
    f, rng = rows(None, axis), np.random.default_rng(0)
    for shape in SHAPES:
        for spread, middle in SPREADS:
            x = (rng.normal(size=shape) * spread + middle).astype(np.float32)
            close(f(x), x, axis)


@pytest.mark.parametrize("shape", [(None,), (None, None)])
def test_whole_arrays(shape: tuple[None, ...]) -> None:
    """One row of any length: tried without its largest, so both stay in one kernel; blocks of it would have to be wide."""
    x = T.tensor("x", dtype="float32", shape=shape)
    y = T.logsumexp(x)
    program = lowered(Graph((x,), (), (y,), (), "right")).program
    (kernel,) = [s for s in program.steps if isinstance(s, Kernel)]
    assert exponentials(kernel.body, 0) is not None
    run = quickly([x], [y])
    rng = np.random.default_rng(4)
    for length in (0, 1, 3, 40, 20_000, 100_000):
        for scale, shift in SPREADS:
            array = (
                (rng.standard_normal(length) * scale + shift).astype("float32").reshape((-1, *(1,) * (len(shape) - 1)))
            )
            with np.errstate(all="ignore"):
                true = logsumexp(array.astype(np.longdouble)) if length else -np.inf
            close(run([array])[0], np.atleast_1d(true), 0)
    for special in (np.nan, np.inf, -np.inf):
        array = rng.standard_normal((70_000,) + (1,) * (len(shape) - 1)).astype("float32")
        array[123] = special
        np.testing.assert_allclose(run([array])[0], logsumexp(array.astype("float64")), rtol=1e-6)


def test_a_largest_that_is_wanted_too_is_found_in_blocks() -> None:
    x = T.fvector("x")
    program = lowered(Graph((x,), (), (T.logsumexp(x), x.max()), (), "right")).program
    assert any(
        isinstance(f, For) and f.schedule == "parallel" for s in program.steps if isinstance(s, Kernel) for f in s.body
    )


def test_on_lesser_processors(lesser: CpuBackend) -> None:
    rng = np.random.default_rng(1)
    for axis in (0, 1):
        f = rows(lesser, axis)
        for spread, middle in SPREADS:
            for shape in ((3, 40), (70, 70)):
                x = (rng.normal(size=shape) * spread + middle).astype(np.float32)
                close(f(x), x, axis)


@pytest.mark.parametrize("length", [2, 3, 40, 1000])
def test_right_near_the_borders(length: int) -> None:
    """Logarithms about 0, about 1/2 and where a range ends; each has ten thousand neighbours."""
    f, rng = rows(None, 1), np.random.default_rng(2)
    for border in (0.0, NEAREST[SINGLE], -NEAREST[SINGLE], *RANGE[SINGLE]):
        for width in (1e-9, 1e-6, 1e-4, 1e-1):
            x = rng.normal(size=(300, length))
            x += border + rng.normal(size=(300, 1)) * width - logsumexp(x, axis=1, keepdims=True)
            x = x.astype(np.float32)
            close(f(x), x, 1)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("shape", [(3, 40), (40, 3), (70, 70)])
def test_what_is_not_finite(axis: int, shape: tuple[int, int]) -> None:
    """-inf of -inf alone, inf beside inf, NaN beside NaN, each in its row alone."""
    x = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    rows_ = x if axis == 1 else x.T
    rows_[0] = -np.inf
    rows_[1, 1], rows_[2, 0] = -np.inf, np.inf
    if len(rows_) > 3:
        rows_[3, 2], rows_[4, 1] = np.nan, np.inf
    close(rows(None, axis)(x), x, axis)
    assert rows(None, axis)(np.zeros((0, 0), np.float32)).shape == (0,)


def logarithms(x: Any) -> Any:
    """`wide.brief`'s of each number."""
    n, i = symbol("n"), symbol("i")
    view = contiguous("x", "float64", (n,))
    value = Apply(f"{brief.PREFIX}log", (Load(view, (i,)),), "float64")
    kernel = Kernel((For(Symbol("i"), n, (Store(contiguous("o", "float64", (n,)), (i,), value),)),))
    buffers = {"x": Buffer("x", "float64", (n,), "input"), "o": Buffer("o", "float64", (n,), "output")}
    made = CpuBackend().compile(Program(buffers, (Binding(Symbol("n"), "x", 0),), (), (kernel,)))
    status, (found,) = made.execute(made.bind([x]))
    assert status == 0
    return found


def test_brief_logarithm() -> None:
    """To 2^-49, at the borders of its table, too, and the same bits in vectors and alone."""
    rng = np.random.default_rng(4)
    borders = np.outer([2.0**-1022, 0.5, 1, 2, 2.0**1023], 1 + np.arange(16) / 16).ravel()
    x = np.concatenate(
        [
            borders,
            borders[borders > 1e-300] * (1 - 2.0**-53),
            np.exp(rng.uniform(-700, 700, 500)),
            rng.uniform(0.5, 2, 500),
        ]
    )
    found = logarithms(x)
    with mpmath.workprec(120):
        for a, b in zip(x, found, strict=True):
            true = mpmath.log(mpmath.mpf(a))
            assert abs(mpmath.mpf(b) - true) <= mpmath.mpf(2) ** -49 + abs(true) * mpmath.mpf(2) ** -52, a
    np.testing.assert_array_equal(found[:40], [logarithms(x[k : k + 1])[0] for k in range(40)])


WEIGHTED: dict[str, tuple[Any, bool]] = {  # of x, and whether the largest is needed for nothing else
    "softmax": (lambda x: [T.softmax(x, axis=1)], True),
    "weighted": (lambda x: [T.softmax(x, axis=1) * x], True),
    "and its largest": (lambda x: [T.softmax(x, axis=1), x.max(axis=1)], False),
    "and their logarithms": (lambda x: [T.softmax(x, axis=1), T.log_softmax(x, axis=1)], False),
}


def softmax(x: Any) -> Any:
    with np.errstate(all="ignore"):
        powers = np.exp(x.astype(np.longdouble) - x.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)


def near(found: Any, true: Any) -> None:
    finite = np.isfinite(true)
    np.testing.assert_array_equal(np.isnan(found), ~finite)
    ulp = np.spacing(np.abs(true[finite]).astype(np.float32)).astype(np.longdouble)
    assert np.all(np.abs(found[finite] - true[finite]) <= 4 * ulp)


@pytest.mark.parametrize("name", ["softmax", "weighted", "and its largest", "and their logarithms"])
def test_what_is_divided_is_tried(name: str) -> None:
    """Where terms and sum serve in quotients alone."""
    formula, expected = WEIGHTED[name]
    x = T.tensor("x", dtype="float32", shape=(None, None))
    steps = lowered(Graph((x,), (), tuple(formula(x)), (), "right")).program.steps
    bodies = [y.body for s in steps if isinstance(s, Kernel) for y in walk(*thinned(s.body)) if isinstance(y, For)]
    assert any(weights(b, k) is not None for b in bodies for k in range(len(b))) == expected


@pytest.mark.parametrize("name", WEIGHTED)
@pytest.mark.parametrize("width", [3, 33, 40, 300])
def test_quotients(name: str, width: int) -> None:
    """Right at every size; a row alone, and among others that fail, has the same bits."""
    x = T.tensor("x", dtype="float32", shape=(None, None))
    f = quickly([x], WEIGHTED[name][0](x))
    rng = np.random.default_rng(width)
    given = np.concatenate([rng.normal(size=(5, width)) * spread + middle for spread, middle in SPREADS]).astype(
        np.float32
    )
    given[1, 0], given[7] = -80, -86.5  # a term that is no normal number
    given[12, :2], given[21, 0], given[31, 1], given[41] = -np.inf, np.nan, np.inf, -np.inf
    found = f([given])
    if name == "weighted":
        some = slice(0, 5)  # of numbers about 1
        np.testing.assert_allclose(found[0][some], softmax(given[some]) * given[some], rtol=6 * 2.0**-23)
    else:
        near(found[0], softmax(given))
    for k in range(len(given)):
        for alone, whole in zip(f([given[k : k + 1]]), found, strict=True):
            np.testing.assert_array_equal(alone[0], whole[k])


@pytest.mark.parametrize("width", [33, 200])
def test_what_is_written_over_what_is_read(width: int) -> None:
    """Rows that fail are read again: not where the terms lie over them."""
    a, b = T.tensor("a", dtype="float32", shape=(None, None)), T.tensor("b", dtype="float32", shape=(None, None))
    f = quickly([a, b], [T.softmax(T.dot(a, b), axis=1).sum(axis=0)])
    rng = np.random.default_rng(width)
    given = np.diag(np.linspace(1, 300, 20)).astype(np.float32), rng.normal(size=(20, width)).astype(np.float32)
    (found,) = f(given)
    true = softmax(given[0].astype(np.float64) @ given[1]).sum(axis=0)
    np.testing.assert_allclose(found, true.astype(np.float64), rtol=1e-3)


def test_quotients_on_lesser_processors(lesser: CpuBackend) -> None:
    x = T.tensor("x", dtype="float32", shape=(None, None))
    executable = lesser.compile(lowered(Graph((x,), (), (T.softmax(x, axis=1),), (), "right")).program)
    rng = np.random.default_rng(5)
    for spread, middle in SPREADS:
        given = (rng.normal(size=(20, 70)) * spread + middle).astype(np.float32)
        status, (found,) = executable.execute(executable.bind([given]))
        assert status == 0
        near(found, softmax(given))
