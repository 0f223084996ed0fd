"""Rows too narrow for vectors are gone through column by column, and give the numbers of wide ones."""

from __future__ import annotations

import numpy as np
import pytest
from quick_code import quickly

import symdl
import symdl.tensor as T
from symdl.backends.cpu.backend import CpuBackend
from symdl.graph.expr import Expr
from symdl.ir.loops import For, Stmt, walk
from symdl.ir.program import Kernel
from symdl.passes.evaluate import evaluate
from symdl.pipeline.compilation import Graph, compiled, lowered

FORMULAS = {"softmax": T.softmax, "logsumexp": T.logsumexp}
WIDTHS = (1, 2, 3, 31, 32, 33)
ROWS = (65, 700, 20_001)


def few(shape: tuple[int | None, int | None], name: str) -> list[For]:
    """The loops over few columns in a function's kernels."""
    x = T.tensor("x", dtype="float32", shape=shape)
    steps = lowered(Graph((x,), (), (FORMULAS[name](x, axis=0),), (), "plain")).program.steps
    bodies: list[Stmt] = [s for k in steps if isinstance(k, Kernel) for s in k.body]
    return [s for s in walk(*bodies) if isinstance(s, For) and s.schedule == "few"]


@pytest.mark.parametrize("name", FORMULAS)
def test_where_rows_are_or_may_be_narrow(name: str) -> None:
    """Known widths decide; of unknown ones both ways stand in the program."""
    assert few((20_000, 3), name)
    assert few((None, None), name)
    assert not few((20_000, 40), name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FORMULAS)
def test_numbers(name: str, dtype: str) -> None:
    """The oracle's numbers to rounding at all widths around the border, special values too."""
    x = T.tensor("x", dtype=dtype, shape=(None, None))
    out: Expr = FORMULAS[name](x, axis=0)
    run = quickly([x], [out])
    near = 2e-5 if dtype == "float32" else 1e-11
    for rows in ROWS:
        for width in WIDTHS:
            given = np.random.default_rng(rows + width).standard_normal((rows, width)).astype(dtype)
            given[3, width - 1] = -np.inf
            if width > 1:
                given[rows // 2, 0] = np.nan
            (true,) = evaluate([out], {x: given})
            np.testing.assert_allclose(run([given])[0], true, rtol=near, atol=near)


@pytest.mark.parametrize("name", FORMULAS)
def test_on_lesser_processors(name: str, lesser: CpuBackend) -> None:
    """Shorter vectors, and none of these instructions: the oracle's numbers, of few rows, of narrow ones and of others."""
    x = T.fmatrix("x")
    out: Expr = FORMULAS[name](x, axis=0)
    f = compiled(lowered(Graph((x,), (), (out,), (), "plain")), lesser)
    for shape in ((3, 100), (700, 3), (700, 40)):
        given = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
        (true,) = evaluate([out], {x: given})
        status, (found,) = f.execute(f.bind((given,)))
        assert status == 0
        np.testing.assert_allclose(found, true, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("name", FORMULAS)
def test_threads_change_no_number(name: str, axis: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bits are the same with one thread and with three, of narrow rows and of few."""
    x = T.fmatrix("x")
    f = symdl.function([x], FORMULAS[name](x, axis=axis))
    for shape in ((60_001, 3), (3, 60_001)):
        given = np.random.default_rng(2).standard_normal(shape).astype(np.float32)
        found = []
        for threads in (1, 3):
            monkeypatch.setattr(symdl.config, "threads", threads)
            found.append(f(given))
        np.testing.assert_array_equal(found[0], found[1])
