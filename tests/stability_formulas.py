"""The tables of docs/stability.md: formulas that people write, as NumPy computes them, as symdl does, and what they mean.

`python -m benchmarks.stability_page --store` writes them into the page; tests/test_stability_page.py compares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mpmath
import numpy as np

import symdl
import symdl.tensor as T
from symdl.graph.expr import Expr, variable
from symdl.semantics import DEVIATIONS
from symdl.verify import exact

PAGE = Path(__file__).resolve().parent.parent / "docs" / "stability.md"
DIGITS = 900  # of the exact values: e^-800 beside 1, 1e-200 beside 1e200, squared


@dataclass(frozen=True)
class Shown:
    """A row: a formula, in words and of its leaves, numbers for them, and what makes it right."""

    text: str
    formula: Callable[..., Expr]
    at: tuple[Any, ...]
    how: str
    slope: bool = False  # its derivative in the first leaf, not its value
    limit: float | None = None  # what it means where only a limit says so


exp, log, sig, sqrt, where = T.exp, T.log, T.sigmoid, T.sqrt, T.where

ROWS = (
    Shown("log(1 + exp(x))", lambda x: log(1 + exp(x)), (800.0,), "read as softplus: max(x, 0) + log1p(exp(-|x|))"),
    Shown("d/dx log(1 + exp(x))", lambda x: log(1 + exp(x)), (800.0,), "the derivative is taken of the meaning, then written as sigmoid", slope=True),
    Shown("log(sigmoid(x))", lambda x: log(sig(x)), (-800.0,), "log of a quotient of exponentials: -softplus(-x)"),
    Shown("-(t log(s) + (1 - t) log(1 - s)), s = sigmoid(z)", lambda z, t: -(t * log(sig(z)) + (1 - t) * log(1 - sig(z))), (40.0, 0.0), "both logarithms become softplus; 0 log 0 is 0"),
    Shown("-log(softmax(x))[0]", lambda x: -log(T.softmax(x))[0], ([0.0, 1000.0],), "log of a sum of exponentials, shifted by the largest"),
    Shown("d/dx₀ -log(softmax(x))[0]", lambda x: -log(T.softmax(x))[0], ([0.0, 1000.0],), "softmax less one-hot, by exact algebra on the derivative", slope=True),
    Shown("log(sum(exp(x)))", lambda x: log(exp(x).sum()), ([1000.0, 999.0],), "shifted by the largest exponent at run time"),
    Shown("1 - tanh(x)²", lambda x: 1 - T.tanh(x) ** 2, (30.0,), "cancels exactly before it is rounded"),
    Shown("exp(x) - 1", lambda x: exp(x) - 1, (1e-17,), "a companion: expm1"),
    Shown("1 - erf(x)", lambda x: 1 - T.erf(x), (10.0,), "a companion: erfc"),
    Shown("log((1 + erf(x / √2)) / 2)", lambda x: log(0.5 * (1 + T.erf(x / 1.4142135623730951))), (-40.0,), "erfc, with an exponent beside the number"),
    Shown("(1 - cos(x)) / x²", lambda x: (1 - T.cos(x)) / (x * x), (1e-8,), "half angle: 2 sin²(x/2)"),
    Shown("x - sin(x)", lambda x: x - T.sin(x), (1e-9,), "Taylor: the polynomials cancel exactly, a remainder is left"),
    Shown("√(x² + 1) - x", lambda x: sqrt(x * x + 1) - x, (1e9,), "a difference as expm1 of the logarithm of its ratio"),
    Shown("log(x + √(x² + 1))", lambda x: log(x + sqrt(x * x + 1)), (-1e9,), "the same inside a logarithm"),
    Shown("(-b + √(b² - 4ac)) / 2a", lambda b, a, c: (-b + sqrt(b * b - 4 * a * c)) / (2 * a), (1e9, 1.0, 1.0), "the same, b² with a second limb"),
    Shown("((1 + r)ⁿ - 1) / r", lambda r, n: ((1 + r) ** n - 1) / r, (1e-17, 12.0), "a power less one: expm1(n log1p(r))"),
    Shown("√(x² + y²)", lambda x, y: sqrt(x * x + y * y), (3e200, 4e200), "an exponent beside the number, for what leaves the range and comes back"),
    Shown("log(x y)", lambda x, y: log(x * y), (1e-200, 1e-200), "the same"),
    Shown("x² - y²", lambda x, y: x * x - y * y, (1e8 + 1, 1e8), "second limbs: the squares are kept to 32 digits"),
    Shown("mean(x²) - mean(x)²", lambda x: T.mean(x * x) - T.mean(x) ** 2, ([1e9 + 1, 1e9 + 2, 1e9 + 6],), "centred: mean((x - mean(x))²)"),
    Shown("-p log(p)", lambda p: -p * log(p), (0.0,), "0 log 0 is 0 where both zeros are exact", limit=0.0),
    Shown("d/dx where(x > 0, √x, 0)", lambda x: where(x > 0, sqrt(x), 0), (-1.0,), "a branch not taken gives nothing, not 0 times its NaN", slope=True, limit=0.0),
)  # fmt: skip


def _outputs(row: Shown) -> tuple[list[Expr], list[Any], Expr]:
    arrays = [np.array(v, "float64") for v in row.at]
    leaves = [variable(f"x{k}", (None,) * a.ndim, "float64") for k, a in enumerate(arrays)]
    y = row.formula(*leaves)
    if row.slope:
        y = symdl.grad(y, leaves[0])
        y = y[0] if y.type.ndim else y
    return leaves, arrays, y


def _number(value: Any) -> str:
    text = f"{float(value):.10g}"
    return "0" if text == "-0" else text


def _at(value: Any) -> str:
    return "[" + ", ".join(map(_number, value)) + "]" if isinstance(value, list) else _number(value)


def numbers(row: Shown) -> tuple[float, float, Any]:
    """As written in NumPy, by symdl, and exactly."""
    leaves, arrays, y = _outputs(row)
    with np.errstate(all="ignore"):
        written = symdl.function(leaves, y, mode="numpy", on_unused_input="ignore")(*arrays)
    got = symdl.function(leaves, y, precision="right", on_unused_input="ignore")(*arrays)
    true = (
        exact([y], dict(zip(leaves, arrays, strict=True)), DIGITS)[0][()]
        if row.limit is None
        else mpmath.mpf(row.limit)
    )
    return float(written), float(got), true


def formulas_table() -> str:
    """The table of formulas, in Markdown."""
    lines = ["| formula | at | NumPy, as written | symdl | true | how |", "|---|---|---|---|---|---|"]
    for row in ROWS:
        written, got, true = numbers(row)
        at = ", ".join(map(_at, row.at))
        lines.append(
            f"| {row.text.replace('|', '∣')} | {at} | {_number(written)} | {_number(got)} | {_number(true)} | {row.how.replace('|', '∣')} |"
        )
    return "\n".join(lines)


def deviations_table() -> str:
    """The table of what float_semantics="strict" does otherwise, in Markdown."""
    lines = ["| what | formula | at | by default | strict |", "|---|---|---|---|---|"]
    for d in DEVIATIONS:
        at = ", ".join(f"{name} = {_signed(value)}" for name, value in d.at.items())
        lines.append(f"| {d.says} | `{d.formula}` | {at} | {_signed(d.mathematical)} | {_signed(d.strict)} |")
    return "\n".join(lines)


def _signed(value: float) -> str:
    return f"{value:g}"


def filled(page: str) -> str:
    """The page with its tables as they are now."""
    for name, table in (("formulas", formulas_table()), ("deviations", deviations_table())):
        start, end = (
            f"<!-- {name}: written by python -m benchmarks.stability_page --store -->\n",
            f"<!-- end of {name} -->",
        )
        before, _, rest = page.partition(start)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"the page has no place for its table of {name}")
        page = before + start + table + "\n" + end + after
    return page
