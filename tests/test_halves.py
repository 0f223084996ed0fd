"""Functions of float64 numbers that are two float32: as right as by way of float64, in vectors and alone, special values too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from quick_code import quickly

import symdl.tensor as T
from symdl.backends.llvm import attempts
from symdl.backends.llvm.halves import halves

FORMULAS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "exp of a difference": lambda m, x, y: m.exp(x - y),
    "exp of a sum": lambda m, x, y: m.exp(x + y),
    "exp of a product": lambda m, x, y: m.exp(-x * y),
    "exp of a line": lambda m, x, y: m.exp(1.5 * x + 0.25) * m.where(y > 0, 1, 2),
    "exp of a product and a number": lambda m, x, y: m.exp(x * y + x),
    "exp of a number less a product": lambda m, x, y: m.exp(y - 0.75 * x),
    "exp of a product less a number": lambda m, x, y: m.exp(0.75 * x - y),
    "of a size": lambda m, x, y: 1 / (1 + m.exp(abs(x - y))),
    "of one sign": lambda m, x, y: m.exp(m.where(x < 0, x * y, x - y)),
}
SPECIAL = np.array([0, -0.0, np.inf, -np.inf, np.nan, 3e38, -3e38, 1e-40, 1e-45, 1, -1, 88.5], np.float32)


@pytest.mark.parametrize("name", FORMULAS)
def test_functions(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within 2 ulp of the exact value; what is not finite is that of NumPy in float64."""
    used: list[bool] = []

    def noted(writer: Any, item: Any) -> Any:
        found = halves(writer, item)
        used.append(found is not None)
        return found

    monkeypatch.setattr(attempts, "halves", noted)
    rng = np.random.default_rng(1)
    x, y = (np.concatenate([rng.uniform(-s, s, 203) for s in (1e-3, 1, 9, 60)]).astype(np.float32) for _ in "xy")
    x, y = np.concatenate([x, np.repeat(SPECIAL, SPECIAL.size)]), np.concatenate([y, np.tile(SPECIAL, SPECIAL.size)])
    a, b = (T.tensor(v, dtype="float32", shape=(None,)) for v in "xy")
    (found,) = quickly([a, b], [FORMULAS[name](T, a, b)])([x, y])
    assert any(used)
    with np.errstate(all="ignore"):
        true = FORMULAS[name](np, x.astype(np.longdouble), y.astype(np.longdouble))
        rounded = true.astype(np.float32)
        finite = np.isfinite(rounded)
        np.testing.assert_array_equal(found[~finite], rounded[~finite])
        error = np.abs(found[finite] - true[finite]) / np.spacing(np.abs(rounded[finite]))
    assert error.max() < 2


def test_a_product_that_meets_a_number() -> None:
    """What is left of x y beside a number near it has all its digits, down to the last bit of the product."""
    rng = np.random.default_rng(2)
    x, y = (rng.uniform(0.5, 2, 4000).astype(np.float32) for _ in "xy")
    z = (x.astype(np.float64) * y * (1 + 2.0 ** -rng.uniform(1, 40, x.size))).astype(np.float32)
    a, b, c = (T.tensor(v, dtype="float32", shape=(None,)) for v in "xyz")
    (found,) = quickly([a, b, c], [T.expm1(a * b - c)])([x, y, z])
    true = np.expm1(x.astype(np.longdouble) * y - z)
    rounded = true.astype(np.float32)
    assert (np.abs(found - true) / np.spacing(np.abs(rounded))).max() < 2


@pytest.mark.parametrize("n", [1, 40])
def test_a_product_below_the_range_is_not_0(n: int) -> None:
    """x^2 of 1e-30 is 0 as a float32, in both halves, and is a number whose logarithm is asked for."""
    x = T.fvector("x")
    below, beside = x[:n], x[n:]
    for product in (-abs(below * below), beside - below * below):
        out = T.where(T.eq(product, 0), 1, T.log(-product))
        (found,) = quickly([x], [out])([np.repeat([1e-30, 0], n).astype(np.float32)])
        np.testing.assert_allclose(found, 2 * np.log(np.float64(np.float32(1e-30))), rtol=1e-6)
