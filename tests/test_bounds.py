"""Bounds hold every value that an op gives for inputs within theirs: random intervals, random points in them and their ends."""

from __future__ import annotations

import math

import numpy as np
import pytest

import symdl.tensor as T
from symdl.evaluate import evaluate
from symdl.expr import OPS, Expr, constant, make, variable
from symdl.meaning.bounds import EVERYTHING, FIXED, RULES, Bounds, bounds_of

SCALE = [1e-300, 1e-20, 1e-3, 0.5, 1.0, 2.0, 30.0, 800.0, 1e20, 1e300, math.inf]
ARITY = {"where": 3, "clip_between": 3, "arctan2": 2, "xlogy": 2}
BINARY = frozenset(["add", "sub", "mul", "true_div", "pow", "maximum", "minimum"])
SCALARS = sorted(
    name
    for name in FIXED | RULES
    if OPS[name].kind in ("elementwise", "composite")
    and not name.startswith("random")
    and name not in ("softmax", "log_softmax", "cast", "where")
)


def interval(rng: np.random.Generator) -> Bounds:
    a, b = (float(rng.choice([0.0, *SCALE]) * rng.choice([-1, 1])) + 0.0 for _ in range(2))  # no -0
    if a == b:  # there is no interval of infinity alone
        return (a, a) if math.isfinite(a) else EVERYTHING
    return min(a, b), max(a, b)


def points(rng: np.random.Generator, bounds: Bounds, count: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    low, high = (max(min(v, 1e308), -1e308) for v in bounds)
    inside = low + (high / 2 - low / 2) * 2 * rng.random(count)
    near = np.clip(rng.standard_normal(count), low, high)
    return np.concatenate([[low, high], inside, near])


@pytest.mark.parametrize("name", SCALARS)
def test_scalar_ops(name: str) -> None:
    rng = np.random.default_rng(sum(map(ord, name)))
    arity = ARITY.get(name, 2 if name in BINARY else 1)
    for _ in range(60):
        given = [interval(rng) for _ in range(arity)]
        leaves = [variable(f"x{k}", (None,), "float64") for k in range(arity)]
        node = OPS[name](*leaves)
        low, high = bounds_of(node, given)
        values = {x: rng.permutation(points(rng, b, 10)) for x, b in zip(leaves, given, strict=True)}
        with np.errstate(all="ignore"):
            (found,) = evaluate([node], values)
        found = found[~np.isnan(found)]
        slack = 4 * np.spacing(np.clip(np.abs(found), 1e-300, 1e300))
        assert (found + slack >= low).all(), (name, given, low, found.min())
        assert (found - slack <= high).all(), (name, given, high, found.max())


def test_a_square_is_not_negative() -> None:
    x = variable("x", (), "float64")
    assert bounds_of(x * x, [(-3.0, 2.0)] * 2) == (0.0, 9.0)
    assert bounds_of(x * x, [EVERYTHING] * 2) == (0.0, math.inf)


def test_constants_and_dtypes() -> None:
    assert bounds_of(constant(2.5, "float64"), []) == (2.5, 2.5)
    assert bounds_of(T.constant(np.array([-1.0, 4.0])), []) == (-1.0, 4.0)
    assert bounds_of(T.constant(np.array([1.0, math.nan])), []) == EVERYTHING
    assert bounds_of(variable("n", (), "uint8"), []) == (0, 255)
    assert bounds_of(variable("b", (), "bool"), []) == (0, 1)
    assert bounds_of(variable("x", (), "float32"), []) == EVERYTHING


def of(node: Expr, *given: Bounds) -> Bounds:
    return bounds_of(node, list(given))


def test_arrays() -> None:
    x = variable("x", (None, 3), "float64")
    assert of(x.sum(), (0.0, 1.0))[0] == 0.0
    assert of(x.sum(), (-1.0, 1.0))[0] < -1e17
    assert of(T.where(x > 0, x, 0.0), (0, 1), (2.0, 3.0), (0.0, 0.0)) == (0.0, 3.0)
    assert of(T.cast(variable("n", (), "int8"), "float64"), EVERYTHING) == (-128.0, 127.0)
    assert of(make(OPS["prod"], (x,), axes=(0,)), (0.0, 1.0)) == (0.0, 1.0)
    assert of(T.concatenate([x, x]), (0.0, 1.0), (-2.0, 0.5)) == (-2.0, 1.0)
