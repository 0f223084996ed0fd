"""Differences of float32 from a row's mean, and multiples of them, tried as float32."""

from __future__ import annotations

from collections.abc import Callable

import mpmath
import numpy as np
import pytest

import symdl
import symdl.tensor as T
from symdl.backends.llvm import attempts
from symdl.backends.rungs.centred import centred
from symdl.backends.rungs.stretches import Stretch
from symdl.graph.expr import Expr
from symdl.ir.loops import Stmt
from symdl.runtime.runs import native

EPSILON = float(np.float32(1e-5))
FORMULAS: dict[str, Callable[[Expr], Expr]] = {
    "norm": T.layer_normalization,
    "relu of a norm": lambda x: T.maximum(T.layer_normalization(x), 0),
    "less the mean": lambda x: x - x.mean(axis=1, keepdims=True),
}
ROWS: dict[str, Callable[[np.random.Generator, tuple[int, int]], object]] = {
    "ordinary": lambda rng, shape: rng.standard_normal(shape) + 0.5,
    "far from 0": lambda rng, shape: 1e6 + rng.standard_normal(shape),
    "alike": lambda rng, shape: 1 + 2.0**-23 * rng.integers(0, 4, shape),
    "below a power of 2": lambda rng, shape: 1 - 2.0**-24 * rng.integers(0, 3, shape),
    "of all sizes": lambda rng, shape: 10.0 ** rng.uniform(-12, 12, shape),
    "tiny": lambda rng, shape: 1e-30 * rng.standard_normal(shape),
    "huge": lambda rng, shape: 1e30 * rng.standard_normal(shape),
}


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[Stretch]:
    """The attempts that are made meanwhile."""
    found: list[Stretch] = []

    def noted(body: tuple[Stmt, ...], place: int) -> Stretch | None:
        made = centred(body, place)
        found.extend(() if made is None else (made,))
        return made

    monkeypatch.setattr(attempts, "centred", noted)
    return found


def exact(name: str, row: np.ndarray) -> list[mpmath.mpf]:
    numbers = [mpmath.mpf(float(v)) for v in row]
    mean = sum(numbers) / len(numbers)
    centre = [v - mean for v in numbers]
    if name == "less the mean":
        return centre
    deviation = mpmath.sqrt(sum(v * v for v in centre) / len(numbers) + EPSILON)
    return [max(v / deviation, 0) if name.startswith("relu") else v / deviation for v in centre]


@pytest.mark.parametrize("name", FORMULAS)
def test_right(name: str, tried: list[Stretch]) -> None:
    """Within 1.5 ulp, and tried, but where a row is short: those go several at a time."""
    x = T.matrix("x", dtype="float32")
    f = symdl.function([x], FORMULAS[name](x))
    assert tried or not native().machine.target().fma
    rng = np.random.default_rng(0)
    for rows, made in ROWS.items():
        for width in (40, 101):
            data = np.asarray(made(rng, (8, width)), "float32")
            got = f(data)
            with mpmath.workprec(300):
                for row, result in zip(data, got, strict=True):
                    for v, truth in zip(result, exact(name, row), strict=True):
                        unit = float(np.spacing(np.abs(np.float32(float(truth)))))
                        assert abs(float((truth - float(v)) / unit)) < 1.55, (rows, width, truth, v)


def test_rows_that_do_not_fit() -> None:
    """What is no number, infinite or 0 is as it would be; no row depends on others."""
    x = T.matrix("x", dtype="float32")
    f = symdl.function([x], T.layer_normalization(x))
    data = np.random.default_rng(1).standard_normal((6, 50)).astype("float32")
    data[0] = 1e10
    data[1] = 0
    data[2, 3] = np.inf
    data[3, 4] = np.nan
    got = f(data)
    assert not got[:2].any()
    assert np.isnan(got[2:4]).all()
    for k in (4, 5):
        np.testing.assert_array_equal(f(data[k : k + 1])[0], got[k])


def test_infinities_less_a_finite_number(tried: list[Stretch]) -> None:
    """Of a mean of other numbers."""
    x, y = T.matrix("x", dtype="float32"), T.matrix("y", dtype="float32")
    mean = y.mean(axis=1, keepdims=True)
    scale = 1 / T.sqrt(T.sqr(y - mean).mean(axis=1, keepdims=True) + 1e-5)
    f = symdl.function([x, y], (x - mean) * scale)
    assert tried or not native().machine.target().fma
    data = np.random.default_rng(2).standard_normal((2, 64)).astype("float32")
    far = data.copy()
    far[:, 5], far[:, 6], far[:, 7] = np.inf, -np.inf, np.nan
    got = f(far, data)
    assert (got[:, 5] == np.inf).all()
    assert (got[:, 6] == -np.inf).all()
    assert np.isnan(got[:, 7]).all()
    np.testing.assert_array_equal(np.delete(got, [5, 6, 7], 1), np.delete(f(data, data), [5, 6, 7], 1))


def test_a_number_that_is_the_largest_is_that_of_the_results() -> None:
    """What another loop makes of the same numbers has the same bits."""
    x = T.matrix("x", dtype="float32")
    for formula in FORMULAS.values():
        y = formula(x)
        f = symdl.function([x], [y, y.max(axis=1), (y * y).sum(axis=1)])
        data = np.random.default_rng(3).standard_normal((20, 77)).astype("float32")
        value, largest, _ = f(data)
        np.testing.assert_array_equal(value.max(axis=1), largest)
