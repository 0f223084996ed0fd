"""Each mechanism of stage 3 on a formula that calls for it, over a whole domain: is it anywhere worse than as written?

The formula as written is compiled too, from the same primitives, so that only what stage 3 did to it differs. Formulas that
need nothing are rows as well.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
from quick_code import quickly
from ulps import distance

import symdl
import symdl.tensor as T
from symdl.graph.expr import Expr, variable
from symdl.verify import decided

WAYS = {"as written": ("plain", False), "plain": ("plain", True), "right": ("right", True)}
BATCH = 12  # formulas of one function
ROW = 4
SLACK, GOOD = 1.0, 4.0  # ulp that a mechanism may lose, and what is good in any case
Sampler = Callable[[random.Random], Any]


@dataclass(frozen=True)
class Row:
    """A mechanism, a formula, and what its leaves are drawn from."""

    mechanism: str
    text: str
    formula: Callable[..., Any]
    draw: tuple[Sampler, ...]


def lin(low: float, high: float) -> Sampler:
    return lambda rng: rng.uniform(low, high)


def geo(low: float, high: float) -> Sampler:
    """Evenly in the logarithm; of both signs where low < 0."""
    a, b = np.log(abs(low)), np.log(high)
    return lambda rng: float(np.exp(rng.uniform(a, b)) * (rng.choice([-1, 1]) if low < 0 else 1))


def rows(low: float, high: float, spread: float) -> Sampler:
    """Rows about a number that is drawn."""

    def draw(rng: random.Random) -> list[float]:
        center = rng.uniform(low, high)
        return [center + rng.uniform(-spread, spread) for _ in range(ROW)]

    return draw


def sometimes(value: float, other: Sampler) -> Sampler:
    return lambda rng: value if rng.random() < 0.1 else other(rng)


def label(rng: random.Random) -> int:
    """A place in a row."""
    return rng.randrange(ROW)


exp, log, sig, sqrt = T.exp, T.log, T.sigmoid, T.sqrt
LOGIT, REAL, UNIT, POSITIVE, WIDE = lin(-800, 800), geo(-1e-6, 40), lin(0, 1), geo(1e-6, 1e6), geo(1e-30, 1e30)

TABLE: list[Row] = [
    Row("log of sigmoid", "log(sigmoid(x))", lambda x: log(sig(x)), (LOGIT,)),
    Row("log of sigmoid", "log(1 - sigmoid(x))", lambda x: log(1 - sig(x)), (lin(-60, 60),)),
    Row("log of sigmoid", "log(1 + exp(x))", lambda x: log(1 + exp(x)), (LOGIT,)),
    Row("exact algebra", "sigmoid(x) (1 - sigmoid(x))", lambda x: sig(x) * (1 - sig(x)), (lin(-60, 60),)),
    Row("exact algebra", "1 - tanh(x)^2", lambda x: 1 - T.tanh(x) ** 2, (lin(-30, 30),)),
    Row("exact algebra", "(exp(x) - exp(-x)) / (exp(x) + exp(-x))", lambda x: (exp(x) - exp(-x)) / (exp(x) + exp(-x)), (REAL,)),
    Row("companions", "1 - erf(x)", lambda x: 1 - T.erf(x), (lin(-3, 9),)),
    Row("companions", "1 - cos(x)", lambda x: 1 - T.cos(x), (geo(-1e-6, 10),)),
    Row("companions", "exp(x) - 1", lambda x: exp(x) - 1, (REAL,)),
    Row("companions", "erfc(x) exp(x^2)", lambda x: T.erfc(x) * exp(x * x), (lin(-2, 20),)),
    Row("deltas", "sin(x + y) - sin(x)", lambda x, y: T.sin(x + y) - T.sin(x), (lin(-3, 3), geo(1e-6, 1))),
    Row("deltas", "arctan(x) - arctan(y)", lambda x, y: T.arctan(x) - T.arctan(y), (geo(0.1, 100), geo(0.1, 100))),
    Row("companions", "1 - erf(x)^2", lambda x: 1 - T.erf(x) ** 2, (lin(-9, 9),)),
    Row("deltas", "erfc(x) - erfc(y)", lambda x, y: T.erfc(x) - T.erfc(y), (lin(-9, 3), lin(-9, 3))),
    Row("exact algebra", "softplus(x) - x sigmoid(x)", lambda x: log(1 + exp(x)) - x / (1 + exp(-x)), (lin(-90, 90),)),
    Row("conjugates", "(2x + 1) / (2 sqrt(x^2 + x)) - 1", lambda x: (2 * x + 1) / (2 * sqrt(x * x + x)) - 1, (geo(1e-6, 1e9),)),
    Row("conjugates", "x + y - sqrt((x + y)^2 - z)", lambda x, y, z: x + y - sqrt((x + y) ** 2 - z), (geo(1, 1e9), lin(1, 9), lin(0, 1))),
    Row("near_log", "log |exp(x) - 1|", lambda x: log(abs(exp(x) - 1)), (lin(-60, 60),)),
    Row("near_log", "log |tanh(x)|", lambda x: log(abs(T.tanh(x))), (lin(-60, 60),)),
    Row("near_log", "1 - prod sigmoid(x)", lambda x: 1 - T.prod(sig(x), axis=-1), (rows(-20, 60, 3),)),
    Row("deltas", "erf(x) - erf(y)", lambda x, y: T.erf(x) - T.erf(y), (lin(-5, 5), lin(-5, 5))),
    Row("Taylor remainders", "x - sin(x)", lambda x: x - T.sin(x), (geo(-1e-4, 10),)),
    Row("Taylor remainders", "exp(x) - 1 - x", lambda x: exp(x) - 1 - x, (geo(-1e-4, 10),)),
    Row("Taylor remainders", "x - tanh(x)", lambda x: x - T.tanh(x), (geo(-1e-4, 10),)),
    Row("Taylor remainders", "log(1 + x) - x", lambda x: log(1 + x) - x, (geo(-1e-4, 0.9),)),
    Row("Taylor remainders", "1 / log(1 + x) - 1 / x", lambda x: 1 / log(1 + x) - 1 / x, (geo(1e-4, 10),)),
    Row("Taylor remainders", "x - arctan(x)", lambda x: x - T.arctan(x), (geo(-1e-4, 10),)),
    Row("Taylor remainders", "x - arcsin(x)", lambda x: x - T.arcsin(x), (geo(-1e-4, 0.9),)),
    Row("Taylor remainders", "exp(x) - sqrt(1 + 2 x)", lambda x: exp(x) - sqrt(1 + 2 * x), (geo(1e-4, 10),)),
    Row("Taylor remainders", "sqrt(x + 1) - 2 sqrt(x) + sqrt(x - 1)", lambda x: sqrt(x + 1) - 2 * sqrt(x) + sqrt(x - 1), (geo(2, 1e9),)),
    Row("Taylor remainders", "log(x + 1) - 2 log(x) + log(x - 1)", lambda x: log(x + 1) - 2 * log(x) + log(x - 1), (geo(2, 1e9),)),
    Row("moments", "mean(m^2) - mean(m)^2", lambda m: T.mean(m * m, axis=1) - T.mean(m, axis=1) ** 2, (rows(-1000, 1000, 3),)),
    Row("moments", "var(m)", lambda m: T.var(m, axis=1), (rows(-1000, 1000, 3),)),
    Row("conjugates", "sqrt(x + 1) - sqrt(x)", lambda x: sqrt(x + 1) - sqrt(x), (POSITIVE,)),
    Row("conjugates", "sqrt(x^2 + 1) - x", lambda x: sqrt(x * x + 1) - x, (geo(-1e-6, 1e6),)),
    Row("cancellation", "1 / (x + 1) - 1 / x", lambda x: 1 / (x + 1) - 1 / x, (POSITIVE,)),
    Row("cancellation", "x / (x + 1) - 1", lambda x: x / (x + 1) - 1, (POSITIVE,)),
    Row("near_log", "log(x / y)", lambda x, y: log(x / y), (lin(1, 2), lin(1, 2))),
    Row("near_log", "(1 + x)^y - 1", lambda x, y: (1 + x) ** y - 1, (geo(1e-6, 1), lin(-5, 5))),
    Row("near_log", "exp(x) - exp(y)", lambda x, y: exp(x) - exp(y), (lin(-2, 2), lin(-2, 2))),
    Row("masks", "where(x > 0, log(1 + x), exp(x) - 1)", lambda x: T.where(x > 0, log(1 + x), exp(x) - 1), (REAL,)),
    Row("masks", "maximum(x, 0) log(sigmoid(y))", lambda x, y: T.maximum(x, 0) * log(sig(y)), (lin(-3, 3), LOGIT)),
    Row("softmax", "log(sum(exp(m)))", lambda m: log(T.sum(exp(m), axis=1)), (rows(-900, 900, 30),)),
    Row("softmax", "exp(m_0) / sum(exp(m))", lambda m: exp(m)[:, 0] / T.sum(exp(m), axis=1), (rows(-900, 900, 30),)),
    Row("label cross-entropy", "-log(softmax(m))_0", lambda m: -log(T.softmax(m, axis=1))[:, 0], (rows(-900, 900, 30),)),
    Row("label cross-entropy", "-log(softmax(m)_k)", lambda m, k: -log(T.softmax(m, axis=1)[T.arange(m.shape[0]), k]), (rows(-5, 5, 3), label)),
    Row("0 log 0", "-x log(x) - (1 - x) log(1 - x)", lambda x: -x * log(x) - (1 - x) * log(1 - x), (UNIT,)),
    Row("0 log 0", "xlogy(x, y)", lambda x, y: T.xlogy(x, y), (sometimes(0, UNIT), POSITIVE)),
    Row("exponents", "sqrt(x^2 + y^2)", lambda x, y: sqrt(x * x + y * y), (WIDE, WIDE)),
    Row("exponents", "x^2 / y^2", lambda x, y: x * x / (y * y), (WIDE, WIDE)),
    Row("exponents", "log(x y)", lambda x, y: log(x * y), (WIDE, WIDE)),
    Row("second limbs", "x^2 - y^2", lambda x, y: x * x - y * y, (lin(1, 2), lin(1, 2))),
    Row("second limbs", "exp(x y)", lambda x, y: exp(x * y), (lin(-8, 8), lin(-8, 8))),
    Row("second limbs", "log(x) - log(y)", lambda x, y: log(x) - log(y), (POSITIVE, POSITIVE)),
    Row("nothing to do", "tanh(x) y", lambda x, y: T.tanh(x) * y, (REAL, REAL)),
    Row("nothing to do", "exp(-x^2)", lambda x: exp(-x * x), (lin(-5, 5),)),
    Row("nothing to do", "x / (1 + x^2)", lambda x: x / (1 + x * x), (geo(-1e-6, 1e6),)),
    Row("nothing to do", "sin(x) cos(y)", lambda x, y: T.sin(x) * T.cos(y), (REAL, REAL)),
    Row("nothing to do", "x^y", lambda x, y: x**y, (lin(0.5, 2), lin(-5, 5))),
    Row("nothing to do", "gammaln(x)", lambda x: T.gammaln(x), (geo(0.1, 1e6),)),
    Row("nothing to do", "softplus(x) + x^2", lambda x: T.softplus(x) + x * x, (lin(-30, 30),)),
]  # fmt: skip


@dataclass(frozen=True)
class Found:
    """The largest error in ulp of each way, over the points, of a row's value or of its gradient in all leaves."""

    row: Row
    dtype: str
    what: str
    worst: dict[str, float]

    def holds(self, way: str) -> bool:
        """Whether it is at most an ulp worse than the formula as written, or good."""
        return self.worst[way] <= max(self.worst["as written"] + SLACK, GOOD)


def measured(table: Sequence[Row], dtype: str, count: int, seed: int = 0) -> list[Found]:
    """Every row at so many points."""
    found: list[Found] = []
    for start in range(0, len(table), BATCH):
        found += _measured(table[start : start + BATCH], start, dtype, count, seed)
    return found


def _measured(table: Sequence[Row], start: int, dtype: str, count: int, seed: int) -> list[Found]:
    leaves: list[list[Expr]] = []
    arrays: list[list[Any]] = []
    outputs: list[list[Expr]] = []
    for k, row in enumerate(table, start):
        rng = random.Random(f"{row.text} {seed}")
        drawn = [np.array([draw(rng) for _ in range(count)]) for draw in row.draw]
        drawn = [a.astype("int32" if a.dtype.kind == "i" else dtype) for a in drawn]
        own = [variable(f"v{k}_{j}", (count, *a.shape[1:]), str(a.dtype)) for j, a in enumerate(drawn)]
        y = row.formula(*own)
        leaves.append(own)
        arrays.append(drawn)
        outputs.append([y, *symdl.grad(y.sum(), [x for x in own if x.type.dtype == dtype])])
    flat = [y for some in outputs for y in some]
    given = [a for some in arrays for a in some]
    results: dict[str, list[Any]] = {}
    with np.errstate(all="ignore"):
        for way, (precision, stable) in WAYS.items():
            got = iter(quickly([x for some in leaves for x in some], flat, precision, stable)(given))
            results[way] = [[next(got) for _ in some] for some in outputs]
    found = []
    for k, row in enumerate(table):
        truth = decided(outputs[k], dict(zip(leaves[k], arrays[k], strict=True)))
        errors = {way: [_error(g, t) for g, t in zip(results[way][k], truth, strict=True)] for way in WAYS}
        found.append(Found(row, dtype, "value", {way: e[0] for way, e in errors.items()}))
        found.append(Found(row, dtype, "gradient", {way: max(e[1:]) for way, e in errors.items()}))
    return found


def _error(got: Any, true: Any) -> float:
    known = np.vectorize(mpmath.isfinite, otypes=[bool])(true)
    return float(np.max(np.where(known, distance(got, true), 0.0)))
