"""Ordinary numbers are rarely computed again in full: a vector there takes tens of times as long as an attempt."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from quick_code import quickly
from test_ordinary import newton

import symdl
import symdl.tensor as T
from symdl.backends.llvm.attempts import AttemptWriter
from symdl.graph.expr import variable

COUNT = 960


@pytest.fixture
def redone(monkeypatch: pytest.MonkeyPatch) -> ctypes.c_int64:
    """How often a function that computes in full was called."""
    found = ctypes.c_int64(0)
    place = f"ptr inttoptr (i64 {ctypes.addressof(found)} to ptr)"
    line = AttemptWriter.line

    def counting(self: AttemptWriter, text: str) -> None:
        if text.startswith("call i64 @again"):
            before, after = self.fresh("redone"), self.fresh("redone")
            line(self, f"%{before} = load i64, {place}")
            line(self, f"%{after} = add i64 %{before}, 1")
            line(self, f"store i64 %{after}, {place}")
        line(self, text)

    monkeypatch.setattr(AttemptWriter, "line", counting)
    return found


def heron(a: Any, b: Any, c: Any) -> Any:
    """Where the longest side is longer than the others together there is no triangle."""
    s = (a + b + c) / 2
    return T.sqrt(s * (s - a) * (s - b) * (s - c))


def kinetic(v: Any, u: Any) -> Any:
    return 1 / T.sqrt(1 - v * v / 9) - 1 - u


def chain(x: Any, y: Any) -> Any:
    """Sums that may cancel, one after the other."""
    for _ in range(4):
        x, y = x * x - y / 2, y * (x - y * y)
    return x - y


def distance(x: Any, y: Any, z: Any) -> Any:
    return T.log(x * y - z) - T.log(x + z)


FORMULAS: dict[str, tuple[Callable[..., Any], int]] = {
    "heron": (heron, 3), "kinetic": (kinetic, 2), "chain": (chain, 2), "distance": (distance, 3),
    "Newton": (newton(lambda x, a: x + x * (1 - a * x), lambda a: 0.5 + 0 * a), 1),
    "entropy": (lambda p: 1.0986122886681098 * p - p * T.log(p) - (1 - p) * T.log(1 - p), 1),
    "between": (lambda x, y: T.erf(x) - T.erf(y), 2),
    "arcsecant": (lambda x: T.arccos(1 / x), 1),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FORMULAS)
def test_ordinary_numbers_are_rarely_computed_again(name: str, dtype: str, redone: ctypes.c_int64) -> None:
    """Half of some are outside the domain, which no digits mend."""
    formula, arity = FORMULAS[name]
    xs = [variable(f"x{k}", (None,), dtype) for k in range(arity)]
    y = formula(*xs)
    rng = np.random.default_rng(0)
    made = quickly(xs, [y, *symdl.grad(y.sum(), xs)])
    with np.errstate(all="ignore"):
        made([rng.uniform(0.3, 1.7, COUNT).astype(dtype) for _ in xs])
    assert redone.value <= COUNT // 8 // 20


def test_what_is_lost_is_computed_again(redone: ctypes.c_int64) -> None:
    """All digits of one limb, in each vector."""
    x = variable("x", (None,), "float32")
    made = quickly([x], [T.exp(x) - 1 - x - x * x / 2, T.sqrt(x + 1) - T.sqrt(x)])
    made([np.full(COUNT, 1e30, "float32")])
    assert redone.value >= COUNT // 32
