"""Every op and every case runs on the emulated GPU, under its checks, and on a real one as on the CPU: values and gradients."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from agree import DTYPES, FLOATS, number_array, pulled
from test_agreement import ELEMENTWISE, QUARTERS, SPECIAL, built, fits, operands, together
from two_machines import alike

import symdl.tensor as T
from symdl.graph.expr import Expr, variable
from symdl.ops.declare import is_float
from symdl.verify import points


@pytest.mark.parametrize("stable", [False, True], ids=["as written", "stabilized"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_every_op_on_special_floats(gpu: str, dtype: str, stable: bool) -> None:
    ops = [op for op in ELEMENTWISE if fits(op, dtype)]
    a, b, c = np.array(list(product(SPECIAL, SPECIAL, [0.5]))).T.astype(dtype)
    outputs, values = together(ops, {"a": a, "b": b, "c": c, "condition": np.arange(len(a)) % 2 == 0})
    alike(gpu, outputs, values, 4, stable)


@pytest.mark.parametrize(("dtype", "stable"), [("float32", False), ("float64", True)])
def test_every_op_and_its_derivatives_inside_its_domain(gpu: str, dtype: str, stable: bool) -> None:
    ops = [op for op in ELEMENTWISE if fits(op, dtype)]
    outputs: list[Expr] = []
    values: dict[Expr, Any] = {}
    for op in ops:
        leaves = operands(op, dtype)
        values |= dict(zip(leaves, np.array(list(points(op.domain, 12))).T.astype(dtype), strict=True))
        y = op(*leaves)
        outputs.append(y)
        floats = [v for v in leaves if is_float(v.type.dtype)]
        if is_float(y.type.dtype) and op.name != "trigamma":
            outputs += pulled([y], floats)[1]
    alike(gpu, outputs, values, 4, stable)


@pytest.mark.parametrize("dtype", [d for d in DTYPES if not is_float(d)])
def test_every_op_on_integers_and_bools(gpu: str, dtype: str) -> None:
    ops = [op for op in ELEMENTWISE if fits(op, dtype) and op(*operands(op, dtype)).type.dtype in (dtype, "bool")]
    if dtype == "bool":
        edge = [0, 1]
    else:
        info = np.iinfo(dtype)
        edge = [0, 1, 2, 3, 7, 63, 64, 100, int(info.max), int(info.max) - 1]
        edge += [-1, -2, -7, int(info.min), int(info.min) + 1] if info.min else []
    a, b, c = np.array(list(product(edge, edge, edge[1:3])), object).T
    grid = {"a": a.astype(dtype), "b": b.astype(dtype), "c": c.astype(dtype), "condition": np.arange(len(a)) % 3 == 0}
    outputs, values = together(ops, grid)
    alike(gpu, outputs, values)


def test_every_cast(gpu: str) -> None:
    outputs: list[Expr] = []
    values: dict[Expr, Any] = {}
    for before in DTYPES:
        x = variable(before, (None,), before)
        array = number_array(np.random.default_rng(0), (50,), before)
        values[x] = array * np.array(7.75, before) if is_float(before) else array
        outputs += [T.cast(abs(x) if is_float(before) and after.startswith("u") else x, after) for after in DTYPES]
    alike(gpu, outputs, values)


@pytest.mark.parametrize("quarter", range(4))
@pytest.mark.parametrize("dtype", FLOATS)
def test_every_case(gpu: str, quarter: int, dtype: str) -> None:
    known = dtype == "float32"
    outputs, values, ulps = built(QUARTERS[quarter], dtype, known, False)
    # A sum of up to 60 products runs in another order than the CPU's: 8 ulp of its terms, each some sixteenths of the
    # array's largest element.
    alike(gpu, outputs, values, {k: max(limit, 8) for k, limit in ulps.items()}, stable=not known)


@pytest.mark.parametrize("quarter", range(4))
def test_every_case_on_integers(gpu: str, quarter: int) -> None:
    for dtype in ("int16", "bool"):
        alike(gpu, *built([c for c in QUARTERS[quarter] if c.exact], dtype, True, False))


@pytest.mark.parametrize("quarter", range(4))
@pytest.mark.parametrize("dtype", FLOATS)
def test_every_cases_gradient(gpu: str, quarter: int, dtype: str) -> None:
    known = dtype == "float32"
    alike(gpu, *built(QUARTERS[quarter], dtype, known, True), stable=not known)
