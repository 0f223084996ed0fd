"""Rows that add up numbers with an exponent, tried without: right wherever a number of the row lies, and nothing beside it counts."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

import symdl
import symdl.tensor as T
from symdl.backends.cpu import CpuBackend
from symdl.backends.llvm import attempts
from symdl.backends.llvm.rows import row
from symdl.loops import For
from symdl.program import Kernel

FORMULAS: dict[str, Any] = {
    "layer norm": lambda x: T.layer_normalization(x, axes=-1),
    "length": lambda x: x / T.sqrt(T.sum(x * x, axis=1, keepdims=True)),
    "deviation": lambda x: T.sqrt(T.mean((x - T.mean(x, axis=1, keepdims=True)) ** 2, axis=1)),
}


def truth(name: str, row: Any) -> Any:
    x = [mpmath.mpf(float(v)) for v in row]
    mean = mpmath.fsum(x) / len(x)
    variance = mpmath.fsum((v - mean) ** 2 for v in x) / len(x)
    if name == "layer norm":
        return [float((v - mean) / mpmath.sqrt(variance + mpmath.mpf(1e-5))) for v in x]
    if name == "deviation":
        return float(mpmath.sqrt(variance))
    length = mpmath.sqrt(mpmath.fsum(v * v for v in x))
    return [float(v / length) if length else np.nan for v in x]


def rows(length: int) -> Any:
    """Rows of every size, and such as are 0, alike, or far apart from most of themselves."""
    rng = np.random.default_rng(length)
    scales = (1, 1e-3, 1e-150, 1e-170, 1e-200, 1e-300, 1e-310, 1e140, 1e153, 1e160, 1e200, 1e305)
    found = [rng.standard_normal(length) * s for s in scales]
    found += [np.zeros(length), np.full(length, 3.7), np.full(length, 1e-310), np.full(length, 1e300)]
    found += [
        1e16 + rng.standard_normal(length),
        np.r_[np.zeros(length - 1), 1e-170],
        np.r_[rng.standard_normal(length - 1), 1e200],
    ]
    return np.array(found)


@pytest.mark.parametrize("length", [32, 40, 100])
@pytest.mark.parametrize("name", FORMULAS)
def test_rows_of_every_size(name: str, length: int) -> None:
    x, data = T.dmatrix("x"), rows(length)
    f = symdl.function([x], FORMULAS[name](x))
    found = f(data)
    with mpmath.workprec(2200):
        for k, values in enumerate(data):
            np.testing.assert_array_max_ulp(found[k], np.array(truth(name, values)), 4)


@pytest.mark.parametrize("name", FORMULAS)
def test_a_row_alone(name: str) -> None:
    """Neither the rows beside it nor the threads change a row's bits, nor does a row without a number spoil others."""
    x, data = T.dmatrix("x"), np.tile(rows(100), (40, 1))
    f = symdl.function([x], FORMULAS[name](x))
    alone = np.concatenate([f(data[k : k + 1]) for k in range(19)])
    np.testing.assert_array_equal(f(data), np.concatenate([alone] * 40))
    data[::19] = np.nan
    data[1::19, 3] = np.inf
    others = np.array([k % 19 > 1 for k in range(len(data))])
    np.testing.assert_array_equal(f(data)[others], np.concatenate([alone] * 40)[others])
    assert np.isnan(f(data)[:1]).all()


def test_rows_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer norm's rows are one attempt, as right as without it; a loop that keeps numbers with an exponent is none."""
    x, data = T.dmatrix("x"), rows(100)
    f = symdl.function([x], FORMULAS["layer norm"](x))
    (kernel,) = f.lowered.program.steps
    assert isinstance(kernel, Kernel)
    loop = kernel.body[0]
    assert isinstance(loop, For)
    tried = row(loop.body, 0, True)
    assert tried is not None
    assert tried.end == len(loop.body)
    assert tried.stores
    found = f(data)
    monkeypatch.setattr(attempts, "row", lambda *_: None)
    made = CpuBackend().compile(f.lowered.program)
    status, (full,) = made.execute(made.bind([data]))
    assert status == 0
    np.testing.assert_array_max_ulp(found, full, 2)


def test_rows_on_lesser_processors(lesser: CpuBackend) -> None:
    x, data = T.dmatrix("x"), rows(40)
    f = symdl.function([x], FORMULAS["layer norm"](x))
    made = lesser.compile(f.lowered.program)
    status, (found,) = made.execute(made.bind([data]))
    assert status == 0
    with mpmath.workprec(2200):
        for k, values in enumerate(data):
            np.testing.assert_array_max_ulp(found[k], np.array(truth("layer norm", values)), 4)
