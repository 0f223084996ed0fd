"""Functions beside the numbers that they near, their differences and Taylor remainders, symbolic powers: in ulp of the
exact values, where the formula as written loses digits or leaves the range."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from truths import FLOATS, errors
from ulps import distance

import symdl
import symdl.tensor as T
from symdl.derivatives.gradient import grad
from symdl.graph.expr import Expr, variable
from symdl.meaning import stabilized
from symdl.meaning.cancellation import simplify
from symdl.meaning.normal_form import Forms
from symdl.meaning.series import REACHES, reach, series_of
from symdl.meaning.taylor import DEGREES, small
from symdl.passes.evaluate import evaluate

# Exact in float32 too, so that one truth serves both dtypes.
SMALL = [s * 2.0**-k for k in (40, 30, 21, 12, 6, 3, 1) for s in (1, -1)]
WIDE = [*SMALL, 0.75, 1.25, -2.5, 3.0]
TAIL = [-5.0, -2.5, -0.5, 2.0**-20, 0.25, 0.75, 1.5, 3.0, 6.0, 8.5]
FAR = [*TAIL, 12.0, 30.0, 100.0, -30.0]
POSITIVE = [2.0**-20, 0.125, 0.75, 1 - 2.0**-20, 1 + 2.0**-20, 1.5, 10.0, 1024.0]
DISTANT = [40.0, 150.0, 1000.0, 2.0**20, 2.0**40]
STEPS = [2.0**-k for k in (18, 15, 12, 9, 6, 4, 2, 1)]
PLACES = [0.25, 0.5, 0.75, 1.0, 1.25, 0.375, 0.625, 0.875]

# name -> (formula of x, points, ulp of the value, ulp of the gradient or None where its digits need a second limb)
ONE: dict[str, tuple[Callable[[Any], Any], list[float], float, float | None]] = {
    "1 - erf": (lambda x: 1 - T.erf(x), TAIL[3:-1], 4, None),
    "erf - 1 halved": (lambda x: (T.erf(x) - 1) / 2, TAIL[3:-1], 4, None),
    "normal cdf": (lambda x: 0.5 * (1 + T.erf(x)), [-v for v in TAIL[3:-1]], 4, None),
    "1 - erfc": (lambda x: 1 - T.erfc(x), SMALL, 4, None),
    "2 - erfc": (lambda x: 2 - T.erfc(x), [-v for v in TAIL[3:-1]], 4, None),
    "log erfc": (lambda x: T.log(T.erfc(x)), FAR, 4, 8),
    "log normal cdf": (lambda x: T.log(0.5 * (1 + T.erf(-x))), FAR[:12], 8, 8),
    "scaled erfc": (lambda x: T.exp(x * x) * T.erfc(x), [v for v in FAR if v > -5], 4, None),
    "1 - erf reshaped": (lambda x: (1 - T.erf(x.reshape((-1, 1))))[:, 0], TAIL[3:-1], 4, None),
    "versine": (lambda x: 1 - T.cos(x), WIDE, 4, 4),
    "versine ratio": (lambda x: (1 - T.cos(x)) / (x * x), WIDE, 5, None),
    "half tangent": (lambda x: (1 - T.cos(x)) / T.sin(x), WIDE, 5, None),
    "log cos": (lambda x: T.log(T.cos(x)), SMALL, 5, 4),
    "1 - cos^2": (lambda x: 1 - T.cos(x) ** 2, WIDE, 5, None),
    "cos^2 - sin^2": (lambda x: T.cos(x) ** 2 - T.sin(x) ** 2, [0.75, 0.7853240966796875, 0.8125], 4, None),
    "x - sin": (lambda x: x - T.sin(x), WIDE, 6, 6),
    "exp - 1 - x": (lambda x: T.exp(x) - 1 - x, WIDE, 6, 4),
    "exp(2x) - 1 - 2x": (lambda x: T.exp(2 * x) - 1 - 2 * x, WIDE, 6, 4),
    "x - tanh": (lambda x: x - T.tanh(x), WIDE, 12, None),
    "1/x - cot": (lambda x: 1 / x - 1 / T.tan(x), SMALL, 8, None),
    "cosh - 1 - x^2/2": (lambda x: T.cosh(x) - 1 - x * x / 2, WIDE, 16, None),
    "tan of arctan": (lambda x: T.tan(T.arctan(x)), [*WIDE, 2.0**30, -(2.0**60)], 4, 4),
    "cos of arctan": (lambda x: T.cos(T.arctan(-x)), [*WIDE, 2.0**30, -(2.0**60)], 4, 6),
    "tan of arcsin": (lambda x: T.tan(T.arcsin(x)), [*SMALL, -0.75, 1 - 2.0**-20], 4, 6),
    "1 - cos of arcsin": (lambda x: 1 - T.cos(T.arcsin(x)), [*SMALL, -0.75, 1 - 2.0**-20], 4, 6),
    "roots far out": (lambda x: T.sqrt(x + 1) - 2 * T.sqrt(x) + T.sqrt(x - 1), DISTANT, 8, 8),
    "inverse roots far out": (lambda x: 1 / T.sqrt(x + 2) - 2 / T.sqrt(x + 1) + 1 / T.sqrt(x), DISTANT, 8, 8),
    "logs far out": (lambda x: T.log(x + 1) - 2 * T.log(x) + T.log(x - 1), DISTANT, 8, 8),
    "two roots and a product": (lambda x: T.sqrt(x + 1) * T.sqrt(x) - x - 0.5, DISTANT, 8, 8),
    "x log x": (lambda x: x * T.log(x), POSITIVE, 4, None),
    "entropy": (lambda x: -x * T.log(x) - (1 - x) * T.log(1 - x), [0.25, 2.0**-20, 1 - 2.0**-20], 4, None),
}

# name -> (formula of x and e, points of x, of e, ulp)
TWO: dict[str, tuple[Callable[[Any, Any], Any], list[float], list[float], float]] = {
    "sin difference": (lambda x, e: T.sin(x + e) - T.sin(x), PLACES, STEPS, 6),
    "cos difference": (lambda x, e: T.cos(x + e) - T.cos(x), PLACES, STEPS, 6),
    "tan difference": (lambda x, e: T.tan(x + e) - T.tan(x), PLACES, STEPS, 6),
    "arctan difference": (lambda x, e: T.arctan(x + e) - T.arctan(x), PLACES, STEPS, 6),
    "log difference": (lambda x, e: T.log(x + e) - T.log(x), PLACES, STEPS, 6),
    "scaled log difference": (lambda x, e: e * T.log(x + e) - e * T.log(x), PLACES, STEPS, 6),
    "wronskian": (lambda x, e: T.sin(x) * T.cos(e) - T.cos(x) * T.sin(e), PLACES, [p + s for p, s in zip(PLACES, STEPS, strict=True)], 6),
    "power less 1": (lambda x, e: (1 + e) ** x - 1, PLACES, STEPS, 6),
    "1 less power": (lambda x, e: 1 - 1 / (1 + e) ** x, PLACES, STEPS, 8),
    "box cox": (lambda x, e: (x**e - 1) / e, [*PLACES[:6], 3.0, 40.0], STEPS, 6),
    "log of a power": (lambda x, e: T.log(x**e * T.exp(-x)), [2.0, 3.0, 700.0, 80.0, 0.5, 900.0, 5.0, 6.0], [400.0, 20.0, 90.0, 3.0, 7.0, 250.0, 1.0, 2.0], 8),
}  # fmt: skip


def mean(a: Any) -> Any:
    return T.mean(a, axis=-1)


OFFSET = [[1e4 + k * s for k in (0.0, 1.0, -2.0, 5.0)] for s in (1.0, 0.25, 2.0**-6)] + [[0.0, 1.0, 2.0, 3.0]]
# name -> formula of rows a and b
MOMENTS: dict[str, Callable[[Any, Any], Any]] = {
    "variance": lambda a, b: mean(a * a) - mean(a) ** 2,
    "covariance": lambda a, b: mean(a * a[:, ::-1]) - mean(a) * mean(a[:, ::-1]),
    "sums": lambda a, b: T.sum(a * a, axis=-1) - T.sum(a, axis=-1) ** 2 / T.cast(a.shape[-1], a.dtype),
    "counted": lambda a, b: (T.sum(a * a, axis=-1) - T.sum(a, axis=-1) ** 2 / 4) / 3,
    "counted in shares": lambda a, b: T.sum(a * b, axis=-1) / 4 - T.sum(a, axis=-1) / 4 * (T.sum(b, axis=-1) / 4),
    "counted wrongly": lambda a, b: T.sum(a * a, axis=-1) - T.sum(a, axis=-1) ** 2 / 3,
    "scaled": lambda a, b: 3 * mean(2 * a * a) - 6 * mean(a) ** 2,
    "first axis": lambda a, b: T.mean(a.T * a.T, axis=0) - T.mean(a.T, axis=0) ** 2,
}


@pytest.mark.parametrize("columns", [None, 4])
@pytest.mark.parametrize("name", MOMENTS)
def test_moments(name: str, columns: int | None) -> None:
    def build(dtype: str) -> tuple[list[Expr], list[Expr]]:
        a, b = variable("a", (None, columns), dtype), variable("b", (None, columns), dtype)
        return [a, b], [MOMENTS[name](a, b)]

    (value,) = errors(build, [OFFSET, OFFSET[::-1]])
    assert value <= 8  # a sum of a few terms, each right


def test_moments_of_other_axes_stay() -> None:
    a, b = variable("a", (None, 4), "float64"), variable("b", (None, 4), "float64")
    for out in (mean(a * a) - mean(b) ** 2, mean(a * a) - mean(a) ** 2 / 2, T.mean(a * a) - T.mean(a, axis=0) ** 2):
        assert stabilized([out], {})[0] is out


@pytest.mark.parametrize("name", ONE)
def test_one_argument(name: str) -> None:
    formula, points, bound, slope = ONE[name]

    def build(dtype: str) -> tuple[list[Expr], list[Expr]]:
        x = variable("x", (None,), dtype)
        y = formula(x)
        return [x], [y, grad(y.sum(), x)] if slope is not None else [y]

    value, *gradient = errors(build, [points])
    assert value <= bound
    assert all(g <= (slope or 0) for g in gradient)


@pytest.mark.parametrize("name", TWO)
def test_two_arguments(name: str) -> None:
    formula, places, steps, bound = TWO[name]

    def build(dtype: str) -> tuple[list[Expr], list[Expr]]:
        x, e = variable("x", (None,), dtype), variable("e", (None,), dtype)
        return [x, e], [formula(x, e)]

    (value,) = errors(build, [places, steps])
    assert value <= bound


ZEROS: dict[str, Callable[[Any], Any]] = {
    "x log x": lambda x: x * T.log(x),
    "entropy": lambda x: -x * T.log(x) - (1 - x) * T.log(1 - x),
    "of rows": lambda x: -(x.reshape((-1, 1)) * T.log(x.reshape((-1, 1)))).sum(axis=1),
}


@pytest.mark.parametrize("name", ZEROS)
def test_zero_times_the_log_of_zero_is_zero(name: str) -> None:
    x = variable("x", (None,), "float64")
    (low,) = stabilized([ZEROS[name](x)], {})
    got = evaluate([low], {x: np.array([0.0, 1.0, math.nan])})[0]
    np.testing.assert_array_equal(got, [0.0, 0.0, math.nan])


def test_zero_times_an_infinity_that_came_in_is_nan() -> None:
    x, w = variable("x", (None,), "float64"), variable("w", (None,), "float64")
    (low,) = stabilized([x * T.log(w)], {})
    got = evaluate([low], {x: np.array([0.0, 0.0, 0.0, 2.0]), w: np.array([math.inf, math.nan, -1.0, 0.0])})[0]
    np.testing.assert_array_equal(got, [math.nan, math.nan, math.nan, -math.inf])


# ---- what is not hidden, and what is left alone ----


@pytest.mark.parametrize("name", ["roots far out", "inverse roots far out", "logs far out", "two roots and a product"])
def test_what_is_far_out_is_positive_and_finite(name: str) -> None:
    x, far = variable("x", (None,), "float64"), np.array([-40.0, -1e9, math.inf, -math.inf, math.nan])
    y = ONE[name][0](x)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(evaluate(stabilized([y], {}), {x: far})[0], evaluate([y], {x: far})[0])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ONE)
def test_nan_comes_through(name: str, dtype: str) -> None:
    x = variable("x", (None,), dtype)
    (low,) = stabilized([ONE[name][0](x)], {})
    assert np.isnan(evaluate([low], {x: np.array([math.nan, 0.5], dtype)})[0][0])


NEGATIVE: dict[str, Callable[[Any], Any]] = {
    "log difference": lambda x: T.log(x + 1e-3) - T.log(x),
    "log of a power": lambda x: T.log(x**3.5 * T.exp(-x)),
    "power less 1": lambda x: x**0.5 - 1,
}


@pytest.mark.parametrize("name", NEGATIVE)
def test_no_logarithm_of_a_negative_number_is_made_real(name: str) -> None:
    x = variable("x", (None,), "float64")
    (low,) = stabilized([NEGATIVE[name](x)], {})
    assert np.isnan(evaluate([low], {x: np.array([-2.0])})[0]).all()


def test_powers_of_negative_bases_stay() -> None:
    x, n = variable("x", (None,), "float64"), variable("n", (None,), "float64")
    (low,) = stabilized([x**n - 1], {})
    got = evaluate([low], {x: np.array([-1.25, -2.0, -1.0]), n: np.array([2.0, 3.0, 2.0])})[0]
    np.testing.assert_array_equal(got, [0.5625, -9.0, 0.0])


UNCHANGED: dict[str, Callable[[Any, Any], Any]] = {
    "sin and cos": lambda x, y: T.sin(x) + T.cos(y),
    "x + sin": lambda x, y: x + T.sin(x),
    "tan": lambda x, y: T.tan(x) * 2 + 1,
    "erf": lambda x, y: T.erf(x) + 0.5,
    "power": lambda x, y: x**y + 1,
    "x sin x - y": lambda x, y: x * T.sin(x) - y,
}


@pytest.mark.parametrize("name", UNCHANGED)
def test_what_gains_nothing_is_the_same_object(name: str) -> None:
    x, y = variable("x", (None,), "float64"), variable("y", (None,), "float64")
    out = UNCHANGED[name](x, y)
    assert stabilized([out], {})[0] is out


def test_the_erfc_of_nothing() -> None:
    x = variable("x", (None,), "float64")
    stabilized([T.exp(x) + T.exp(T.log(x) * T.erfc(x - x))], {})


# ---- remainders ----


SERIES: dict[Hashable, Callable[[Any], Any]] = {
    "exp": mpmath.exp, "sin": mpmath.sin, "cos": mpmath.cos, "erf": mpmath.erf, "arctan": mpmath.atan, "arcsin": mpmath.asin,
    "arctanh": mpmath.atanh, "arcsinh": mpmath.asinh, "log1p": mpmath.log1p,
    Fraction(1, 2): lambda u: mpmath.sqrt(1 + u), Fraction(-7, 3): lambda u: (1 + u) ** (mpmath.mpf(-7) / 3),
}  # fmt: skip


@pytest.mark.parametrize("bits", [53, 106])
@pytest.mark.parametrize("degree", [0, *DEGREES])
@pytest.mark.parametrize("kind", SERIES, ids=str)
def test_a_series_is_long_enough(kind: Hashable, degree: int, bits: int) -> None:
    forms = Forms()
    u = forms.function("leaf", param=variable("u", (), "float64"))
    first, step, coefficients = series_of(forms.atom("rem", (u,), (kind, degree)), bits)
    with mpmath.workprec(800):
        far = mpmath.mpf(reach(kind).numerator) / reach(kind).denominator
        whole = mpmath.taylor(SERIES[kind], 0, degree)
        exact = SERIES[kind](far) - mpmath.polyval(whole[::-1], far)
        value = sum(
            mpmath.mpf(c.numerator) / c.denominator * far ** (first + step * k) for k, c in enumerate(coefficients)
        )
        assert abs(value - exact) < abs(exact) / 2**bits
    ratios = [abs(Fraction(b) / a) for a, b in itertools.pairwise(coefficients)]
    # As is said of what is added to each.
    assert max(ratios) * math.prod([Fraction(reach(kind))] * step) <= Fraction(1, 2)


def test_every_series_is_looked_at() -> None:
    assert set(REACHES) == {kind for kind in SERIES if isinstance(kind, str)} - {"log1p"}


# name -> (a formula that cancels near 0, likewise in mpmath)
CANCELLING: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "log of 1 + x over x": (lambda x: T.log(1 + x) / x - 1, lambda x: mpmath.log1p(x) / x - 1),
    "reciprocal of log": (lambda x: 1 / T.log(1 + x) - 1 / x, lambda x: 1 / mpmath.log1p(x) - 1 / x),
    "two logs": (lambda x: T.log(1 + x) - T.log(1 - x) - 2 * x, lambda x: 2 * mpmath.atanh(x) - 2 * x),
    "arctan": (lambda x: T.arctan(x) / x - 1, lambda x: mpmath.atan(x) / x - 1),
    "arcsin": (lambda x: T.arcsin(x) / x - 1, lambda x: mpmath.asin(x) / x - 1),
    "arctanh": (lambda x: 1 / T.arctanh(x) - 1 / x, lambda x: 1 / mpmath.atanh(x) - 1 / x),
    "arcsinh": (lambda x: T.arcsinh(x) / x - 1, lambda x: mpmath.asinh(x) / x - 1),
    "erf": (lambda x: T.erf(x) / x, lambda x: mpmath.erf(x) / x),
    "a root and an exponential": (lambda x: (T.exp(x) - T.sqrt(1 + 2 * x)) / x, lambda x: (mpmath.exp(x) - mpmath.sqrt(1 + 2 * x)) / x),
    "of a square": (lambda x: T.exp(-x * x) - T.cos(x), lambda x: mpmath.exp(-x * x) - mpmath.cos(x)),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CANCELLING)
def test_what_cancels_to_any_depth(name: str, dtype: str) -> None:
    """Values and derivatives, from where the series begin down to where no number of digits would do."""
    formula, truth = CANCELLING[name]
    x = T.vector("x", dtype=dtype)
    y = formula(x)
    points = np.array([s * 2.0**-k for k in (2, 3, 4, 5, 9, 30, 61) for s in (1, -1)], dtype)
    got = symdl.function([x], [y, grad(y.sum(), x)])(points)
    with mpmath.workprec(1000):
        for order, values in enumerate(got):
            exact = [mpmath.diff(truth, mpmath.mpf(v), order, h=mpmath.ldexp(1, -300)) for v in points.tolist()]
            assert np.max(distance(values, np.array(exact, object))) <= 4


def test_longer_sums_are_left_alone() -> None:
    forms = Forms()
    leaves = [forms.function("leaf", param=variable(f"v{k}", (), "float64")) for k in range(9)]
    total = forms.function("sin", leaves[0])
    for leaf in leaves:
        total = total - leaf
    assert small(simplify(total)) is None


def test_logarithms_times_what_is_0_with_them() -> None:
    """They met as a (log(a + b) - log a) + b log(a + b), of which both parts are infinite where a + b is 0."""
    p, q = T.dvector("p"), T.dvector("q")
    mean = p * T.log(p / q) + (1 - p) * T.log((1 - p) / (1 - q))
    entropy = (p + q) * T.log(p + q) - p * T.log(p)
    kl, gap = symdl.function([p, q], [mean, entropy])(np.array([0.0, 1.0, 0.5]), np.array([0.5, 0.25, -0.5]))
    np.testing.assert_allclose(kl[:2], [np.log(2), np.log(4)], rtol=1e-15)
    np.testing.assert_allclose(gap, [0.5 * np.log(0.5), 1.25 * np.log(1.25), 0.5 * np.log(2)], rtol=1e-15)
