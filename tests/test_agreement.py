"""Oracle, loops and machine code give the same numbers for every op and every case, values and gradients.

Many graphs share one function, so that the file compiles a dozen times and not a thousand.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from agree import DTYPES, FLOATS, Case, agree, number_array, pulled
from cases import CASES

import symdl.tensor as T
from symdl.errors import DtypeError
from symdl.graph.expr import OPS, Expr, Op, variable
from symdl.ops.declare import is_float
from symdl.types import fresh_symbol
from symdl.verify import points

ELEMENTWISE = [op for op in OPS.values() if op.prepare is not None]
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 5e-324, 1e308, -1e308, 100.0, 2.0, 1e-5]
# Ulps between SciPy's special functions (the oracle's) and those of the backends, each up to 4 ulp right or better
# where SciPy is the worse one: see ORACLE_ULPS in test_every_op.py.
SPECIAL_ULPS = {
    "erfc": 250,
    "erfcx": 250,
    "gammaln": 60,
    "digamma": 12,
    "trigamma": 12,
    "erfinv": 8,
    "logaddexp": 60,
    "pow": 8,
    "xlogy": 8,
}


def fits(op: Op, dtype: str) -> bool:
    try:
        op(*operands(op, dtype))
    except DtypeError:
        return False
    return True


def operands(op: Op, dtype: str, shape: Any = (None,)) -> list[Expr]:
    return [variable(a, shape, "bool" if (op.name, a) == ("where", "c") else dtype) for a in op.arguments]


def together(ops: list[Op], grid: dict[str, Any]) -> tuple[list[Expr], dict[Expr, Any]]:
    """All ops on the same arrays a, b, c (and a condition), in one graph."""
    n = fresh_symbol("n")
    leaves = {name: variable(name, (n,), array.dtype.name) for name, array in grid.items()}
    outputs = []
    for op in ops:
        names = ["condition", "a", "b"] if op.name == "where" else ["a", "b", "c"][: len(op.arguments)]
        outputs.append(op(*(leaves[v] for v in names)))
    return outputs, {leaf: grid[name] for name, leaf in leaves.items()}


@pytest.mark.parametrize("stable", [False, True], ids=["as written", "stabilized"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_every_op_on_special_floats(dtype: str, stable: bool) -> None:
    # NumPy leaves NaN bounds of clip open; SciPy's gammaln is inf at 5e-324, where it is 744; trigamma is for x > 0
    ops = [op for op in ELEMENTWISE if fits(op, dtype) and op.name not in ("trigamma", "clip_between", "gammaln")]
    a, b, c = np.array(list(product(SPECIAL, SPECIAL, [0.5]))).T.astype(dtype)
    outputs, values = together(ops, {"a": a, "b": b, "c": c, "condition": np.arange(len(a)) % 2 == 0})
    agree(outputs, values, {k: SPECIAL_ULPS.get(op.name, 4) for k, op in enumerate(ops)}, stable)


@pytest.mark.parametrize(("dtype", "stable"), [("float32", False), ("float64", True)])
def test_every_op_and_its_derivatives_inside_its_domain(dtype: str, stable: bool) -> None:
    ops = [op for op in ELEMENTWISE if fits(op, dtype)]
    outputs: list[Expr] = []
    values: dict[Expr, Any] = {}
    ulps = {}
    for op in ops:
        leaves = operands(op, dtype)
        values |= dict(zip(leaves, np.array(list(points(op.domain, 20))).T.astype(dtype), strict=True))
        y = op(*leaves)
        ulps[len(outputs)] = SPECIAL_ULPS.get(op.name, 4)
        outputs.append(y)
        floats = [v for v in leaves if is_float(v.type.dtype)]
        if is_float(y.type.dtype) and op.name != "trigamma":
            _, gradients = pulled([y], floats)
            for g in gradients:
                ulps[len(outputs)] = 2000  # textbook derivatives cancel: 1 - tanh(x)^2
                outputs.append(g)
    agree(outputs, values, ulps, stable)


@pytest.mark.parametrize("dtype", [d for d in DTYPES if not is_float(d)])
def test_every_op_on_integers_and_bools(dtype: str) -> None:
    ops = [op for op in ELEMENTWISE if fits(op, dtype) and op(*operands(op, dtype)).type.dtype in (dtype, "bool")]
    if dtype == "bool":
        edge = [0, 1]
    else:
        info = np.iinfo(dtype)
        edge = [0, 1, 2, 3, 7, 63, 64, 100, int(info.max), int(info.max) - 1]
        edge += [-1, -2, -7, int(info.min), int(info.min) + 1] if info.min else []
    a, b, c = np.array(list(product(edge, edge, edge[1:3])), object).T
    grid = {"a": a.astype(dtype), "b": b.astype(dtype), "c": c.astype(dtype), "condition": np.arange(len(a)) % 3 == 0}
    outputs, values = together([op for op in ops if op.name not in ("trigamma",)], grid)
    agree(outputs, values)


def test_every_cast() -> None:
    outputs, values = [], {}
    for before in DTYPES:
        x = variable(before, (None,), before)
        array = number_array(np.random.default_rng(0), (50,), before)
        values[x] = array * np.array(7.75, before) if is_float(before) else array
        for after in DTYPES:
            y = abs(x) if is_float(before) and after.startswith("u") else x  # a negative float has no unsigned place
            outputs.append(T.cast(y, after))
    agree(outputs, values)


def built(
    cases: list[Case], dtype: str, known: bool, gradients: bool
) -> tuple[list[Expr], dict[Expr, Any], dict[int, float]]:
    """The outputs (or the gradients) of many cases as one graph, and the ulps each may differ by."""
    outputs: list[Expr] = []
    values: dict[Expr, Any] = {}
    ulps: dict[int, float] = {}
    for case in cases:
        arrays = case.arrays(dtype)
        shapes = [a.shape if known else tuple(n if n == 1 else None for n in a.shape) for a in arrays]
        leaves = [
            variable(f"{case.name} {k}", s, a.dtype.name) for k, (s, a) in enumerate(zip(shapes, arrays, strict=True))
        ]
        try:
            found = case.build(*leaves)
        except DtypeError:
            continue
        own = list(found) if isinstance(found, list | tuple) else [found]
        if gradients:
            floats = [v for v in leaves if is_float(v.type.dtype)]
            if not floats or not any(is_float(y.type.dtype) for y in own):
                continue
            own = pulled(own, floats)[1]
        for y in own:
            ulps[len(outputs)] = 64 if not case.exact or gradients else 2
            outputs.append(y)
        values |= dict(zip(leaves, arrays, strict=True))
    return outputs, values, ulps


QUARTERS = [CASES[k::4] for k in range(4)]  # a function of all cases together would be slow to compile


# Extents known and code as written, extents unknown and code stabilized: the two halves meet in test_fuzz.py too.
PAIRS = pytest.mark.parametrize(
    ("known", "stable"), [(True, False), (False, True)], ids=["known", "unknown, stabilized"]
)


@PAIRS
@pytest.mark.parametrize("quarter", range(4))
def test_every_case(quarter: int, known: bool, stable: bool) -> None:
    for dtype in FLOATS if known else ("float64",):
        agree(*built(QUARTERS[quarter], dtype, known, False), stable)


@pytest.mark.parametrize("quarter", range(4))
def test_every_case_on_integers(quarter: int) -> None:
    for dtype in ("int16", "bool"):
        agree(*built([c for c in QUARTERS[quarter] if c.exact], dtype, True, False))


@PAIRS
@pytest.mark.parametrize("quarter", range(4))
def test_every_cases_gradient(quarter: int, known: bool, stable: bool) -> None:
    agree(*built(QUARTERS[quarter], "float32" if known else "float64", known, True), stable)
