"""What is left of a row after whole vectors, as a vector with lanes left out: the same numbers, and no others are touched."""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from quick_code import quickly

import symdl
import symdl.tensor as T
from symdl.backends.llvm import rests
from symdl.runtime.runs import native

WIDTHS = (3, 4, 7, 10, 17, 37, None)  # None: not known before the call, then 21
ROWS: dict[str, Callable[[Any, Any], Any]] = {
    "elements": lambda x, y: T.tanh(x) * y[:, None],
    "in float32": lambda x, y: T.tanh(2 * x + 1) * T.exp(-x * x),
    "tried": lambda x, y: (T.sigmoid(x) - y[:, None]) ** 2,
    "two limbs": lambda x, y: T.exp(x) - y[:, None] * T.exp(y)[:, None],
    "every second": lambda x, y: T.maximum(x[:, ::2] * 2, y[:, None]),
}
SUMS: dict[str, Callable[[Any, Any], Any]] = {
    "softmax": lambda x, y: T.softmax(x * y[:, None], axis=1),
    "norm": lambda x, y: T.layer_normalization(x, axes=-1),
    "sums": lambda x, y: ((T.sigmoid(x) - y[:, None]) ** 2).sum(axis=1),
    "logarithms of sums": lambda x, y: T.logsumexp(x * 30, axis=1) + y,
}
SPECIAL = (0.0, -0.0, np.inf, -np.inf, np.nan, 3e38, -3e38, 1e-40, 88.5, -104.0, 1.0, -1.0)


def arrays(width: int | None, dtype: str, special: bool) -> list[Any]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(13, width or 21)) * 3
    y = rng.normal(size=13)
    if special:
        x[rng.random(x.shape) < 0.2] = rng.choice(SPECIAL)
        x.ravel()[:: max(2, x.shape[1] - 1)] = np.resize(SPECIAL, x.ravel()[:: max(2, x.shape[1] - 1)].size)
    else:
        y[3:5] = (1 / (1 + np.exp(-x)))[3:5, -1]  # what is left cancels
    return [x.astype(dtype), y.astype(dtype)]


def both(
    formula: Callable[[Any, Any], Any], width: int | None, dtype: str, special: bool, patch: pytest.MonkeyPatch
) -> tuple[Any, Any]:
    """Results with vectors that have lanes left out, and without."""
    x, y = T.tensor("x", dtype=dtype, shape=(None, width)), T.tensor("y", dtype=dtype, shape=(None,))
    given = arrays(width, dtype, special)
    (found,) = quickly([x, y], [formula(x, y)])(given)
    with patch.context() as without:
        without.setattr(rests.RestWriter, "may_mask", lambda self, loop: False)
        without.setattr(rests.RestWriter, "stores_close", lambda self, loop: False)
        (alone,) = quickly([x, y], [formula(x, y)])(given)
    return found, alone


@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ROWS)
def test_elements(name: str, width: int | None, dtype: str, special: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit for bit."""
    found, alone = both(ROWS[name], width, dtype, special, monkeypatch)
    np.testing.assert_array_equal(found, alone)
    some = ~np.isnan(alone)
    np.testing.assert_array_equal(np.signbit(found[some]), np.signbit(alone[some]))


@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", SUMS)
def test_sums(name: str, width: int | None, dtype: str, special: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the order of additions."""
    found, alone = both(SUMS[name], width, dtype, special, monkeypatch)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(alone))
    finite = np.isfinite(alone)
    np.testing.assert_array_equal(found[~finite], alone[~finite])
    unit = (
        np.spacing(np.abs(alone[finite]))
        if name != "norm"
        else np.finfo(dtype).eps * np.abs(alone[finite]).max(initial=1)
    )
    assert np.all(np.abs(found[finite] - alone[finite]) <= 4 * unit)


@pytest.mark.skipif(sys.platform != "linux", reason="asks the C library that pages be closed")
def test_what_lies_behind_is_not_read() -> None:
    """Rows that end where memory does, also where what is left of them is computed again in full."""
    memory = mmap.mmap(-1, 2 * mmap.PAGESIZE)
    whole = np.frombuffer(memory, np.float32)
    closed = whole[mmap.PAGESIZE // 4 :].ctypes.data
    assert not ctypes.CDLL(None, use_errno=True).mprotect(ctypes.c_void_p(closed), mmap.PAGESIZE, 0)
    x = whole[: mmap.PAGESIZE // 4][-7 * 11 :].reshape(7, 11)
    x[...] = np.random.default_rng(0).normal(size=x.shape)
    y = 1 / (1 + np.exp(-x[:, -1].astype(np.float64)))
    v, w = T.tensor("v", dtype="float32", shape=(None, 11)), T.tensor("w", dtype="float32", shape=(None,))
    (found,) = quickly([v, w], [(T.sigmoid(v) - w[:, None]) ** 2])([x, y.astype(np.float32)])
    true = (1 / (1 + np.exp(-x.astype(np.float64))) - y.astype(np.float32)[:, None]) ** 2
    np.testing.assert_allclose(found, true, rtol=1e-5)


@pytest.mark.skipif(native().machine.vector_bytes < 64, reason="this processor has no AVX-512")
def test_rows_are_taken_so() -> None:
    """A row of ten is one vector: nothing goes one by one."""
    x = T.tensor("x", dtype="float32", shape=(None, 10))
    text = symdl.function([x], T.tanh(x) - T.exp(x).sum(axis=1, keepdims=True)).source("llvm")
    assert "llvm.masked.load.v16f32" in text
    assert "llvm.masked.store.v16f32" in text


@pytest.mark.skipif(native().machine.vector_bytes < 64, reason="this processor has no AVX-512")
@pytest.mark.parametrize("width", [None, 24])
def test_pooled_rows_are_taken_so(width: int | None) -> None:
    """A row of twelve maxima is one vector, known or not: a LeNet whose sizes were known took a fifth longer."""
    x = T.tensor("x", dtype="float32", shape=(None, None, None, width))
    text = symdl.function([x], T.pool_2d(x, 2)).source("llvm")
    assert "llvm.masked.store.v16f32" in text
