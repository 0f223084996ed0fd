"""Pooling against plain NumPy, its ties and its gradients, by every machine."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from agree import FLOATS, agree, check_gradient, leaf, same, value
from programs import golden
from scipy import ndimage

import symdl
import symdl.tensor as T
from symdl.backends.cpu.backend import CpuBackend
from symdl.backends.llvm.certain import certain_rounds
from symdl.backends.llvm.plans import plan_for
from symdl.errors import ShapeError, SymdlError
from symdl.graph.expr import variable
from symdl.ir.loops import Const, For, Guard, Load, Store, contiguous, walk
from symdl.pipeline.compilation import Graph, compiled, lowered
from symdl.types import Symbol, floor_divide, smallest, symbol

FOLDS: dict[str, Any] = {"max": np.max, "sum": np.sum, "average_inc_pad": np.mean, "average_exc_pad": np.mean}


def numbers(*shape: int, dtype: str = "float64") -> Any:
    return np.random.default_rng(list(shape)).normal(size=shape).astype(dtype)


def by_windows(x: Any, ws: Any, step: Any, pad: Any, ignore: bool, mode: str) -> Any:
    """Window by window over the last two axes."""
    counts = []
    for n, w, k, p in zip(x.shape[-2:], ws, step, pad, strict=True):
        if ignore:
            counts.append((n + 2 * p - w) // k + 1)
        else:  # windows that begin inside, and of overlapping ones none that lies within the one before
            counts.append(-(-n // k) if k >= w else max(0, -(-(n - w) // k)) + 1)
    out = np.empty((*x.shape[:-2], *counts))
    for i, j in np.ndindex(*counts):
        spans = []
        for at, n, w, k, p in zip((i, j), x.shape[-2:], ws, step, pad, strict=True):
            first = at * k - p
            spans.append((max(first, 0), min(first + w, n), min(first + w, n + p) - first))
        (a, b, high), (c, d, wide) = spans
        piece = x[..., a:b, c:d]
        total = FOLDS[mode](piece, axis=(-2, -1))
        if mode == "average_inc_pad":
            total = piece.sum((-2, -1)) / (math.prod(ws) if ignore else high * wide)
        out[..., i, j] = total
    return out


KINDS = [
    ((2, 2), None, (0, 0), True), ((3, 2), None, (0, 0), True), ((3, 3), (2, 2), (1, 1), True), ((2, 3), (3, 1), (0, 2), True),
    ((3, 2), None, (0, 0), False), ((3, 3), (2, 1), (0, 0), False), ((2, 2), (3, 3), (0, 0), False), ((5, 5), (1, 2), (2, 0), True),
    ((1, 1), (2, 1), (0, 0), True), ((6, 7), None, (0, 0), True), ((6, 7), (1, 1), (3, 3), True),
]  # fmt: skip


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("mode", FOLDS)
def test_pooling_is_what_its_windows_say(mode: str, known: bool) -> None:
    x = numbers(2, 3, 6, 7)
    a = leaf("x", x, known)
    outputs = []
    for ws, step, pad, ignore in KINDS:
        y = T.pool_2d(a, ws, ignore, step, pad, mode)
        expected = by_windows(x, ws, step or ws, pad, ignore, mode)
        np.testing.assert_allclose(
            value(y, {a: x}), expected, rtol=1e-13, atol=1e-14, err_msg=f"{ws} {step} {pad} {ignore}"
        )
        outputs.append(y)
    agree(outputs, {a: np.abs(x)}, ulps=16)  # without cancellation, for sums run in another order


@pytest.mark.parametrize("dtype", FLOATS)
def test_gradients_on_every_machine(dtype: str) -> None:
    x = numbers(2, 6, 7, dtype=dtype)
    a = leaf("x", x)
    outputs = []
    for k, (ws, step, pad, ignore) in enumerate((*KINDS[:6], KINDS[-2])):
        mode = ("max", "average_exc_pad")[k == 4]
        outputs += T.grad(T.sum(T.sqr(T.pool_2d(a, ws, ignore, step, pad, mode))), [a])
    agree(outputs, {a: x}, ulps=16)


@pytest.mark.parametrize("mode", FOLDS)
def test_gradients_are_slopes_also_the_second(mode: str) -> None:
    x = numbers(2, 6, 7)
    a = leaf("x", x)
    for ws, step, pad, ignore in KINDS:
        y = T.pool_2d(a, ws, ignore, step, pad, mode)
        check_gradient([y], {a: x}, [a])
        (first,) = T.grad(T.sum(T.sqr(y) * y), [a])
        check_gradient([first], {a: x}, [a], rtol=1e-5)


@pytest.mark.parametrize("mode", FOLDS)
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_gradients_of_arrays_that_are_all_window(axes: int, mode: str) -> None:
    """No axis before the windows': a vector, a single picture, a single block. Overlapping windows, windows with gaps."""
    x = numbers(*(9, 6, 5)[:axes])
    a = leaf("x", x, False)
    pool = (T.pool_1d, T.pool_2d, T.pool_3d)[axes - 1]
    for ws, step, pad in ((3, 1, 0), (3, 2, 1), (2, 3, 0)):
        check_gradient([pool(a, (ws,) * axes, True, (step,) * axes, (pad,) * axes, mode)], {a: x}, [a])


def test_places_that_tie_share_the_gradient() -> None:
    x = np.array([[1.0, 1, 0, 2], [1, 0, 2, 2], [3, 3, 3, 3], [3, 3, 3, 3]])
    a = leaf("x", x)
    (g,) = T.grad(T.sum(T.pool_2d(a, 2)), [a])
    expected = np.array([[1 / 3, 1 / 3, 0, 1 / 3], [1 / 3, 0, 1 / 3, 1 / 3], *np.full((2, 4), 0.25)])
    np.testing.assert_allclose(value(g, {a: x}), expected, rtol=1e-15)
    (g,) = T.grad(T.sum(T.pool_2d(a, 4, stride=1)), [a])  # a window of many places is a reduction, and agrees
    np.testing.assert_allclose(value(g, {a: x}), np.where(x == 3, 1 / 8, 0), rtol=1e-15)
    (g,) = T.grad(T.sum(T.pool_2d(T.pad(a, ((0, 1), (0, 1))), 5, stride=1)), [a])
    np.testing.assert_allclose(value(g, {a: x}), np.where(x == 3, 1 / 8, 0), rtol=1e-15)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("step", [2, 4])
def test_gradients_of_rows_in_vectors_and_what_is_left_of_them(dtype: str, step: int) -> None:
    """Places behind the last window, of rows of every kind: shorter than a vector, of whole ones, and of more."""
    a, g = T.tensor("a", dtype=dtype, shape=(None, None, None)), T.tensor("g", dtype=dtype, shape=(None, None, None))
    biased = T.maximum(a + 0.25, 0)
    y = T.pool_2d(biased, (2, step))
    found = T.grad(T.sum(y * g), [a])
    native, oracle = symdl.function([a, g], [y, *found]), symdl.function([a, g], [y, *found], mode="numpy")
    for wide in (*range(step, step + 9), 12, 16, 17, 24, 31, 32, 33, 40, 66, 67):
        for high in (4, 5):
            x = np.round(numbers(3, high, wide, dtype=dtype), 1)  # so that there are ties
            slopes = numbers(3, high // 2, wide // step, dtype=dtype)
            for one, other in zip(native(x, slopes), oracle(x, slopes), strict=True):
                same(one, other)


@pytest.mark.parametrize("dtype", FLOATS)
def test_gradients_of_windows_on_lesser_processors(lesser: CpuBackend, dtype: str) -> None:
    """Windows as wide as a vector, too, of which one element is for all lanes."""
    a = T.tensor("a", dtype=dtype, shape=(None, None, None))
    for step in (2, 4):
        (found,) = T.grad(T.sum(T.sqr(T.pool_2d(a, (2, step)))), [a])
        graph = Graph((a,), (), (found,), ())
        run = compiled(lowered(graph), lesser)
        oracle = symdl.function([a], found, mode="numpy")
        for wide in (step, 7, 8, 16, 17, 33, 66):
            x = np.round(numbers(3, 5, wide, dtype=dtype), 1)
            status, (got,) = run.execute(run.bind([x]))
            assert status == 0
            same(got, oracle(x))


def test_an_element_that_all_lanes_read_leaves_a_loop_in_vectors() -> None:
    i, n = symbol("i"), symbol("n")
    w, o = contiguous("w", "float64", (n,)), contiguous("o", "float64", (n,))
    loop = For(Symbol("i"), n, (Store(o, (i,), Load(w, (floor_divide(i, 4),))),))
    found = [plan_for(loop, bytes_) for bytes_ in (64, 32, 16)]
    assert [p and p.lanes for p in found] == [8, 4, None]


def test_rounds_in_which_all_guards_hold() -> None:
    i, n, m = symbol("i"), symbol("n"), symbol("m")
    w, o = contiguous("w", "float32", (m,)), contiguous("o", "float32", (n,))
    half, row = floor_divide(i, 2), floor_divide(symbol("r"), 2)
    inner = Guard(((row, m),), Load(w, (half,)), Const(0, "float32"))
    value = Guard(((half, m),), inner, Const(0, "float32"))
    found = certain_rounds(For(Symbol("i"), n, (Store(o, (i,), value),)))
    assert found is not None
    assert found.around == ((row, m),)
    assert found.rounds.extent == smallest(n, 2 * m)
    assert not any(isinstance(x, Guard) for x in walk(*found.rounds.body))
    odd = Guard(((floor_divide(i + 1, 2), m),), Load(w, (half,)), Const(0, "float32"))  # windows that begin in a border
    assert certain_rounds(For(Symbol("i"), n, (Store(o, (i,), odd),))) is None
    assert certain_rounds(For(Symbol("i"), n, (Store(o, (i,), inner),))) is None  # nothing changes along the row


def test_nan_and_infinities_come_through() -> None:
    x = np.array([[np.nan, 1, -np.inf, -np.inf], [2, 3, -np.inf, -np.inf]])
    a = leaf("x", x)
    y = T.pool_2d(a, 2)
    same(value(y, {a: x}), np.array([[np.nan, -np.inf]]))
    same(symdl.function([a], y)(x), np.array([[np.nan, -np.inf]]))


def test_pooling_is_scipys_filter() -> None:
    x = numbers(9, 8)
    a = leaf("x", x)
    found = value(T.pool_2d(a, 3, stride=1, pad=1), {a: x})
    same(found, ndimage.maximum_filter(x, 3, mode="constant", cval=-np.inf))
    mean = value(T.pool_2d(a, 3, stride=1, pad=1, mode="average_inc_pad"), {a: x})
    np.testing.assert_allclose(mean, ndimage.uniform_filter(x, 3, mode="constant"), rtol=1e-12, atol=1e-13)


def test_other_numbers_of_axes_and_empty_batches() -> None:
    x = numbers(2, 3, 4, 5, 6)
    a = leaf("x", x)
    three = value(T.pool_3d(a, (2, 2, 3)), {a: x})
    same(three, x[:, :, :, :4].reshape(2, 3, 2, 2, 2, 2, 2, 3).max((3, 5, 7)))
    same(value(T.pool_1d(a, 3), {a: x}), x.reshape(2, 3, 4, 5, 2, 3).max(-1))
    run = symdl.function([a], [T.pool_3d(a, 2), *T.grad(T.sum(T.pool_3d(a, 2)), [a])])
    found = run(np.zeros((0, 3, 4, 5, 6)))
    assert [v.shape for v in found] == [(0, 3, 2, 2, 3), (0, 3, 4, 5, 6)]
    n = leaf("n", np.arange(16).reshape(4, 4))
    assert symdl.function([n], T.pool_2d(n, 2))(np.arange(16).reshape(4, 4)).tolist() == [[5, 7], [13, 15]]


def test_what_is_refused() -> None:
    x = variable("x", (2, 3, 4), "float32")
    refused: list[Callable[[], Any]] = [
        lambda: T.pool_2d(x[0, 0], 2),
        lambda: T.pool_2d(x > 0, 2),
        lambda: T.pool_2d(x, 2, mode="median"),
        lambda: T.pool_2d(x, (2, 0)),
        lambda: T.pool_2d(x, 2, stride=(1, 1, 1)),
        lambda: T.pool_2d(x, 2, pad=2),
        lambda: T.pool_2d(x, 2, ignore_border=False, pad=1),
        lambda: T.pool_2d(x, (4, 2)),
    ]
    lines = []
    for k, call in enumerate(refused):
        with pytest.raises(SymdlError) as found:
            call()
        lines.append(f"[{k}] {type(found.value).__name__}: {str(found.value).splitlines()[0]}")
    golden("pooling_refusals", "\n".join(lines) + "\n")
    y = T.dtensor3("y")
    run = symdl.function([y], T.pool_2d(y, 2))
    with pytest.raises(ShapeError, match="windows of 2 places do not fit the 1 of axis 2"):
        run(np.ones((1, 5, 1)))
