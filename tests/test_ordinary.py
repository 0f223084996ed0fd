"""Ordinary numbers are not computed in balls: an element there takes microseconds, and its user would see no more digits."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import llvmlite.binding
import numpy as np
import pytest
from quick_code import quickly

import symdl
import symdl.tensor as T
from symdl.backends.balls import loading
from symdl.backends.balls.library import ENTRY
from symdl.backends.cpu.assembler import Machine
from symdl.backends.cpu.libraries import balls_code
from symdl.graph.expr import Expr, variable

COUNT = 300


class Counter:
    """How many elements were computed in balls."""

    count = 0


@pytest.fixture
def in_balls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter]:
    found, address = Counter(), balls_code(Machine()).address(ENTRY)
    native = loading.PROTOTYPE(address)

    def counting(*given: int) -> None:
        found.count += 1
        native(*given)

    kept = loading.PROTOTYPE(counting)
    monkeypatch.setattr(loading, "_kept", {"first": kept})
    llvmlite.binding.add_symbol(ENTRY, ctypes.cast(kept, ctypes.c_void_p).value)
    yield found
    llvmlite.binding.add_symbol(ENTRY, address)


def newton(step: Callable[..., Any], start: Callable[..., Any], steps: int = 5) -> Callable[..., Any]:
    """So many iterations written out, more than it takes to converge."""

    def root(*given: Any) -> Any:
        x = start(*given)
        for _ in range(steps):
            x = step(x, *given)
        return x

    return root


def normal(x: Any) -> Any:
    return 0.5 * T.erfc(-x / np.sqrt(2.0))


def density(x: Any) -> Any:
    return T.exp(-x * x / 2) / np.sqrt(2 * np.pi)


def call_price(s: Any, k: Any, v: Any) -> Any:
    """Black and Scholes 1973, of no interest."""
    d = T.log(s / k) / v + v / 2
    return s * normal(d) - k * normal(d - v)


Range = tuple[float, float]
FAMILIES: dict[str, tuple[Callable[..., Any], list[Range]]] = {
    "Newton: square root": (newton(lambda x, a: x - (x * x - a) / (2 * x), lambda a: 1 + a / 2), [(0.3, 1.7)]),
    "Newton: reciprocal": (newton(lambda x, a: x + x * (1 - a * x), lambda a: 0.5 + 0 * a), [(0.5, 1.7)]),
    "Newton: Kepler": (
        newton(lambda x, m, e: x - (x - e * T.sin(x) - m) / (1 - e * T.cos(x)), lambda m, e: m), [(0.1, 0.9)] * 2,
    ),
    "Newton: logarithm": (newton(lambda x, a: x - (T.exp(x) - a) / T.exp(x), lambda a: a - 1), [(0.3, 1.7)]),
    "Newton: Lambert's W": (
        newton(lambda x, a: x - (x * T.exp(x) - a) / (T.exp(x) * (1 + x)), lambda a: a / 2), [(0.3, 1.7)],
    ),
    "Newton: cos(a x) = x": (
        newton(lambda x, a: x + (T.cos(a * x) - x) / (a * T.sin(a * x) + 1), lambda a: 0.7 + 0 * a), [(0.3, 1.7)],
    ),
    "Newton: cube root": (newton(lambda x, a: x - (x**3 - a) / (3 * x * x), lambda a: 1 + 0 * a), [(0.3, 1.7)]),
    "Newton: implied volatility": (
        newton(lambda s, c: s - (normal(s / 2) - normal(-s / 2) - c) / density(s / 2), lambda c: 2.5 * c), [(0.1, 0.5)],
    ),
    "finance: call": (call_price, [(0.7, 1.3), (0.7, 1.3), (0.1, 0.5)]),
    "finance: annuity": (lambda r, n: (1 - (1 + r) ** -n) / r, [(0.01, 0.2), (1, 30)]),
    "statistics: log density of Gamma": (
        lambda x, k: (k - 1) * T.log(x) - x - T.gammaln(k), [(0.3, 1.7), (0.3, 3)],
    ),
    "statistics: divergence": (
        lambda p, q: p * T.log(p / q) + (1 - p) * T.log((1 - p) / (1 - q)), [(0.05, 0.95)] * 2,
    ),
    "statistics: Tsallis": (lambda x, q: ((1 + (1 - q) * x) ** (1 / (1 - q))), [(0.1, 0.4), (0.2, 0.8)]),
    "geometry: Heron": (
        lambda a, b, c: T.sqrt((a + b + c) * (a + b - c) * (a - b + c) * (b + c - a)) / 4, [(1, 1.5)] * 3,
    ),
    "geometry: haversine": (
        lambda p, q, d: 2 * T.arcsin(T.sqrt(T.sin((p - q) / 2) ** 2 + T.cos(p) * T.cos(q) * T.sin(d / 2) ** 2)),
        [(0.1, 1.2), (-1.2, -0.1), (0.1, 2)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("gradients", [False, True], ids=["values", "gradients"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FAMILIES)
def test_ordinary_numbers_are_not_computed_in_balls(name: str, dtype: str, gradients: bool, in_balls: Counter) -> None:
    formula, ranges = FAMILIES[name]
    chance = np.random.default_rng(0)
    data = [chance.uniform(*r, COUNT).astype(dtype) for r in ranges]
    xs: list[Expr] = [variable(f"x{k}", (None,), dtype) for k in range(len(ranges))]
    y = formula(*xs)
    quickly(xs, [y, *(symdl.grad(y.sum(), xs) if gradients else [])])(data)
    assert in_balls.count <= COUNT // 100


def test_what_is_lost_is_counted(in_balls: Counter) -> None:
    """A second difference at 10^14 has two digits left of two limbs."""
    x, h = variable("x", (None,), "float64"), variable("h", (None,), "float64")
    found = quickly([x, h], [T.sqrt(x + h) - 2 * T.sqrt(x) + T.sqrt(x - h)])([np.full(COUNT, 1e14), np.ones(COUNT)])
    assert in_balls.count == COUNT
    np.testing.assert_allclose(found[0], -0.25e-21, rtol=1e-15)


def test_what_is_far_below_the_least_number_asks_for_no_digits(in_balls: Counter) -> None:
    """Saha 1920, of a cold gas: e^-100000, of which nobody sees a digit."""
    t, n = variable("t", (None,), "float64"), variable("n", (None,), "float64")
    data = [np.random.default_rng(0).uniform(0.3, 1.7, COUNT) for _ in "tn"]
    found = quickly([t, n], [2.4e21 * t**1.5 * T.exp(-157821.0 / t) / n])(data)
    assert in_balls.count == 0
    np.testing.assert_array_equal(found[0], 0)
