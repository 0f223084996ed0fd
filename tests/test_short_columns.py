"""Columns of few rows go at once through all kernels that make something of their sums; the numbers are right at any sizes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from quick_code import quickly

import symdl
import symdl.tensor as T
from symdl.graph.expr import Expr
from symdl.ir.loops import For
from symdl.ir.program import Kernel, Program
from symdl.pipeline.compilation import Graph, lowered

FORMULAS: dict[str, Callable[[Expr], Expr]] = {
    "mean": lambda x: x.mean(axis=0),
    "variance": lambda x: x.var(axis=0),
    "softmax": lambda x: T.softmax(x, axis=0),
    "logsumexp": lambda x: T.logsumexp(x, axis=0),
    "sums and rows": lambda x: (x - x.sum(axis=0)) * x.max(axis=0) + 1.0,
}
SHAPES = [(1, 1), (2, 5), (3, 40), (64, 33), (65, 33), (64, 2000), (70, 2000), (2, 9000), (300, 3), (400, 5), (400, 6)]


def program(rows: int | None, columns: int | None, name: str = "softmax") -> Program:
    x = T.tensor("x", dtype="float32", shape=(rows, columns))
    return lowered(Graph((x,), (), (FORMULAS[name](x),), (), "plain")).program


def kernels(found: Program) -> list[Kernel]:
    return [s for s in found.steps if isinstance(s, Kernel)]


@pytest.mark.parametrize("name", FORMULAS)
def test_one_loop_over_few_rows(name: str) -> None:
    """Known sizes decide: one kernel, in which nothing of a column but rows of it is in memory; with many rows there are several."""
    found = program(3, 5000, name)
    (only,) = kernels(found)
    assert [s.schedule for s in only.body if isinstance(s, For)] == ["parallel"]
    temps = [b.shape for b in found.buffers.values() if b.kind == "temp"]
    assert all(shape == (3, 5000) for shape in temps)
    assert len(kernels(program(3000, 5000, name))) > 1


def test_both_stand_where_sizes_are_unknown() -> None:
    """Among the kernels for open sizes is the one loop."""
    assert len(kernels(program(None, None))) > len(kernels(program(3000, 5000)))


@pytest.mark.parametrize("precision", ["plain", "right"])
@pytest.mark.parametrize("name", FORMULAS)
def test_numbers(name: str, precision: str) -> None:
    """The oracle's numbers to rounding, by the interpreter and by machine code, for few rows and many."""
    x = T.fmatrix("x")
    out = FORMULAS[name](x)
    run = quickly([x], [out])
    in_steps = symdl.function([x], out, mode="interpreter", precision=precision)
    truth = symdl.function([x], out, mode="numpy")
    for shape in SHAPES:
        given = np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)
        true = truth(given)
        np.testing.assert_allclose(run([given])[0], true, rtol=2e-5, atol=2e-5)
        if given.size < 200:
            np.testing.assert_allclose(in_steps(given), true, rtol=2e-5, atol=2e-5)


def test_a_sum_over_rows_of_what_columns_make_is_no_part_of_it() -> None:
    """What one column needs of others keeps its kernels apart."""
    x = T.fmatrix("x")

    def mixed(x: Expr) -> Expr:
        return x * x.sum(axis=0).sum() + x.mean(axis=0)

    run = quickly([x], [mixed(x)])
    truth = symdl.function([x], mixed(x), mode="numpy")
    for shape in SHAPES:
        given = np.random.default_rng(7).standard_normal(shape).astype(np.float32)
        np.testing.assert_allclose(run([given])[0], truth(given), rtol=1e-4, atol=1e-4)
