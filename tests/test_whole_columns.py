"""Columns that are added up in number forms stand in one loop with what is made of them, and come out right."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from quick_code import quickly

import symdl.tensor as T
from symdl.graph.expr import Expr, variable
from symdl.ir.loops import For, Local, walk
from symdl.ir.program import Kernel
from symdl.pipeline.compilation import Graph, lowered


def formula(x: Expr) -> Expr:
    return T.log(T.exp(x).sum(0))


def pairs(made: Expr, x: Expr) -> list[Kernel]:
    """The kernels of a function whose variables are of two limbs."""
    steps = lowered(Graph((x,), (), (made,), (), "right")).program.steps
    kernels = [s for s in steps if isinstance(s, Kernel)]
    return [k for k in kernels if any(isinstance(s, Local) and s.value.dtype == "float64x2" for s in walk(*k.body))]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(3, 40), (70, 11), (300, 5)])
def test_columns(shape: tuple[int, int], dtype: str) -> None:
    """One loop over the columns; within an ulp or three, columns that cancel beside others, special values kept."""
    x = T.tensor("x", dtype=dtype, shape=(None, None))
    (kernel,) = pairs(formula(x), x)
    assert [s.schedule for s in kernel.body if isinstance(s, For)] == ["parallel"]
    given = np.random.default_rng(shape[0]).standard_normal(shape).astype(dtype)
    given[:, 1] -= np.log(np.exp(given[:, 1].astype(np.longdouble)).sum()).astype(dtype)
    given[:, 2], given[0, 3], given[1, 4] = -np.inf, np.nan, np.inf
    (found,) = quickly([x], [formula(x)])([given])
    np.testing.assert_array_equal(found[2:5], np.array([-np.inf, np.nan, np.inf], dtype))
    with mpmath.workprec(400):
        for k in {*range(shape[1])} - {2, 3, 4}:
            true = mpmath.log(mpmath.fsum(mpmath.exp(mpmath.mpf(float(v))) for v in given[:, k]))
            error = abs(mpmath.mpf(float(found[k])) - true)
            assert error < (1 if dtype == "float32" else 3) * np.spacing(abs(given.dtype.type(true))), k


def test_sums_that_a_later_kernel_needs_stay() -> None:
    """Of two sums of columns that were made together only one is read next: the other one was kept in a variable, and gone."""
    x, y = variable("x", (3, 4), "float64"), variable("y", (4,), "float64")
    first, second = T.sum(T.exp(x), axis=0), T.sum(T.cos(x), axis=0)
    call = quickly([x, y], [first - 3 * y, second - T.sort(y)])
    a, b = np.linspace(-1, 1, 12).reshape(3, 4), np.array([0.3, -0.2, 0.7, 0.1])
    close = zip(call([a, b]), (np.exp(a).sum(0) - 3 * b, np.cos(a).sum(0) - np.sort(b)), strict=True)
    assert all(np.allclose(got, wanted, rtol=1e-14) for got, wanted in close)
