"""Rows too narrow for vectors are gone through column by column, and give the numbers of wide ones."""

from __future__ import annotations

import numpy as np
import pytest
from quick_code import quickly

import symdl.tensor as T
from symdl.compilation import Graph, lowered
from symdl.evaluate import evaluate
from symdl.expr import Expr
from symdl.loops import For, Stmt, walk
from symdl.program import Kernel

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
