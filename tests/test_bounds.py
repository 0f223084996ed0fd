"""Bounds hold every value that an op gives for inputs within theirs: random intervals, random points in them and their ends."""

from __future__ import annotations

import math

import numpy as np
import pytest

import symdl.tensor as T
from symdl.graph.expr import OPS, Expr, constant, make, variable
from symdl.meaning.bounds import EVERYTHING, FIXED, RULES, Bounds, between, bounds_of, of_dtype
from symdl.passes.evaluate import evaluate

SCALE = [1e-300, 1e-20, 1e-3, 0.5, 1.0, 2.0, 30.0, 800.0, 1e20, 1e300, math.inf]
ARITY = {"where": 3, "clip_between": 3, "arctan2": 2, "xlogy": 2}
BINARY = frozenset(["add", "sub", "mul", "true_div", "pow", "maximum", "minimum", "mod", "floor_div"])
SCALARS = sorted(
    name
    for name in FIXED | RULES
    if OPS[name].kind in ("elementwise", "composite")
    and not name.startswith("random")
    and name not in ("softmax", "log_softmax", "cast", "where", "right_shift", "assumed", "isnan")
)


def interval(rng: np.random.Generator) -> Bounds:
    a, b = (float(rng.choice([0.0, *SCALE]) * rng.choice([-1, 1])) + 0.0 for _ in range(2))  # no -0
    if a == b:  # there is no interval of infinity alone
        return between(a, a) if math.isfinite(a) else EVERYTHING
    return between(min(a, b), max(a, b))


def points(rng: np.random.Generator, bounds: Bounds, count: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    low, high = (max(min(v, 1e308), -1e308) for v in bounds[:2])
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
        low, high, least, most, _ = bounds_of(node, given)
        values = {x: rng.permutation(points(rng, b, 10)) for x, b in zip(leaves, given, strict=True)}
        with np.errstate(all="ignore"):
            (found,) = evaluate([node], values)
        found = found[~np.isnan(found)]
        slack = 4 * np.spacing(np.clip(np.abs(found), 1e-300, 1e300))
        assert (found + slack >= low).all(), (name, given, low, found.min())
        assert (found - slack <= high).all(), (name, given, high, found.max())
        sizes = np.abs(found[np.isfinite(found) & (np.abs(found) > 1e-307) & (np.abs(found) < 1e307)])
        assert (np.log2(sizes) >= least - 1e-6).all(), (name, given, least, sizes.min())
        assert (np.log2(sizes) <= most + 1e-6).all(), (name, given, most, sizes.max())


def test_a_square_is_not_negative() -> None:
    x = variable("x", (), "float64")
    assert bounds_of(x * x, [between(-3.0, 2.0)] * 2)[:2] == (0.0, 9.0)
    assert bounds_of(x * x, [EVERYTHING] * 2)[:2] == (0.0, math.inf)


def test_constants_and_dtypes() -> None:
    assert bounds_of(constant(2.5, "float64"), []) == (2.5, 2.5, math.log2(2.5), math.log2(2.5), -1)
    assert bounds_of(T.constant(np.array([-1.0, 4.0])), [])[:4] == (-1.0, 4.0, 0, 2)
    assert bounds_of(T.constant(np.array([1.0, math.nan])), [])[:2] == EVERYTHING[:2]
    assert bounds_of(variable("n", (), "uint8"), [])[:2] == (0, 255)
    assert bounds_of(variable("b", (), "bool"), [])[:2] == (0, 1)
    assert bounds_of(variable("x", (), "float32"), []) == (-math.inf, math.inf, -149, 128, -149)


def of(node: Expr, *given: tuple[float, float]) -> tuple[float, float]:
    return bounds_of(node, [between(*g) for g in given])[:2]


def test_arrays() -> None:
    x = variable("x", (None, 3), "float64")
    assert of(x.sum(), (0.0, 1.0))[0] == 0.0
    assert of(x.sum(), (-1.0, 1.0))[0] < -1e17
    assert of(x.sum(axis=1), (-1.0, 1.0)) == (-3.0, 3.0)
    assert of(T.where(x > 0, x, 0.0), (0, 1), (2.0, 3.0), (0.0, 0.0)) == (0.0, 3.0)
    assert of(T.cast(variable("n", (), "int8"), "float64"), (-128, 127)) == (-128.0, 127.0)
    assert of(make(OPS["prod"], (x,), axes=(0,)), (0.0, 1.0)) == (0.0, 1.0)
    assert of(T.concatenate([x, x]), (0.0, 1.0), (-2.0, 0.5)) == (-2.0, 1.0)


def test_integers_wrap_around() -> None:
    n = variable("n", (), "uint8")
    assert of(n + n, (0, 200), (0, 200)) == (0, 255)
    assert of(n + n, (0, 100), (0, 100)) == (0, 200)


def test_magnitudes_reach_beyond_the_floats() -> None:
    x = variable("x", (), "float32")
    data = of_dtype("float32")
    square = bounds_of(x * x, [data, data])
    assert (square.least, square.most, square.low) == (-298, 256, 0)
    quotient = bounds_of(x / variable("y", (), "float32"), [square, data])
    assert (quotient.least, quotient.most) == (-298 - 128, 256 + 149)
    difference = bounds_of(x - variable("y", (), "float32"), [data, data])
    assert (difference.least, difference.grain) == (-149, -149)  # all are multiples of 2^-149
