"""Short loops written out: the same numbers, no loop left, and none taken that is not short arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import symdl
import symdl.tensor as T
from symdl.graph.expr import Expr
from symdl.graph.walks import topological
from symdl.ops.scan import SCAN
from symdl.passes import unrolled as unrolling
from symdl.passes.unrolled import unrolled

STEPS, WIDTH = 4, 3


def loops(roots: Sequence[Expr]) -> int:
    return sum(n.op is SCAN for n in topological(*roots))


def agree(leaves: Sequence[Expr], roots: Sequence[Expr]) -> None:
    """The loops written out, in machine code, beside the loops themselves in NumPy."""
    assert loops(roots)
    assert not loops(unrolled(roots, {}))
    rng = np.random.default_rng(0)
    values = [rng.normal(size=x.type.shape) for x in leaves]
    found, expected = (symdl.function(leaves, list(roots), mode=m)(*values) for m in ("native", "numpy"))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("taps", [[-1], [-2, -1], [-3]])
def test_states_rows_and_gradients(backwards: bool, taps: list[int]) -> None:
    x, w = T.tensor("x", "float64", (STEPS, WIDTH)), T.tensor("w", "float64", (WIDTH,))
    h = T.tensor("h", "float64", (-min(taps), WIDTH))

    def step(row: Any, *rest: Any) -> list[Any]:
        *before, c = rest
        new = T.tanh(row + c * before[0]) - sum(before[1:], 0.0)
        return [new, new * row, T.sum(new * c)]

    first = {"initial": h[0] if taps == [-1] else h, "taps": taps}
    (states, rows, numbers), _ = symdl.scan(step, x, [first, None, None], [w], go_backwards=backwards)
    cost = T.sum(states[-1] ** 2) + T.sum(rows) + T.sum(T.sin(numbers)) + T.sum(states[1:] * rows[1:])
    agree([x, w, h], [states, rows, numbers, states[-1], *symdl.grad(cost, [x, w, h])])


def test_matrices_given_by_columns_padded_and_side_by_side() -> None:
    x = T.tensor("x", "float64", (WIDTH, STEPS))
    given = T.concatenate([x.T[1:], T.zeros((1, WIDTH))])
    states, _ = symdl.scan(lambda row, s: 0.5 * s + T.exp(row), given, x[:, 0])
    agree([x], [states[::2], symdl.grad(T.sum(states[1] * states[-1]), x)])


def test_a_short_loop_in_a_long_one() -> None:
    x = T.tensor("x", "float64", (20, STEPS))

    def step(row: Any, s: Any) -> Any:
        inner, _ = symdl.scan(lambda u, v: v + u * v, row, s)
        return inner[-1] / 2

    states, _ = symdl.scan(step, x, 1.0)
    value = np.random.default_rng(0).normal(size=(20, STEPS)) / 4
    found, expected = (
        symdl.function([x], [states, symdl.grad(states[-1], x)], mode=m)(value) for m in ("native", "numpy")
    )
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_what_stays_a_loop() -> None:
    x, w = T.tensor("x", "float64", (STEPS, WIDTH)), T.tensor("w", "float64", (WIDTH, WIDTH))
    rows = T.matrix("rows", "float64")
    product, _ = symdl.scan(lambda row, s: T.tanh(row + s @ w), x, x[0])
    of_any_length, _ = symdl.scan(lambda row, s: row + s * s, rows, rows[0])
    no_state, _ = symdl.scan(lambda row: T.exp(row), x)
    ended, _ = symdl.scan(lambda s: (2 * s, symdl.until(s > 3)), outputs_info=x[0, 0], n_steps=STEPS)
    long, _ = symdl.scan(lambda s: s * s, outputs_info=x[0], n_steps=unrolling.ROUNDS + 1)
    for kept in (product, of_any_length, no_state, ended, long):
        assert loops(unrolled([kept], {})) == 1
    short, _ = symdl.scan(lambda s: s * s, outputs_info=x[0], n_steps=unrolling.ROUNDS)
    assert not loops(unrolled([short], {}))


def test_nothing_of_a_loop_is_left_of_one_row() -> None:
    """A derivative by what each step is given: no array of rows is made, of which one is read."""
    x = T.matrix("x", "float64")
    states, _ = symdl.scan(lambda u, s: s + u * s, T.stack([x[:, 0], x[:, 1], x[:, 2]]), x[:, 0])
    found = unrolled([states[-1], symdl.grad(states[-1].sum(), x)], {})
    assert not {n.op.name for n in topological(*found)} & {"scan", "join"}


def test_rounds_lose_nothing() -> None:
    """Three of Newton's steps less the root that they come to: 1e-20 of it, and float32's eighth digit."""
    for dtype in ("float64", "float32"):
        a = T.vector("a", dtype)
        states, _ = symdl.scan(lambda s, x: (s + x / s) / 2, outputs_info=(1 + a) / 2, non_sequences=a, n_steps=4)
        (found,) = symdl.function([a], [states[-1] - T.sqrt(a)])(np.array([2.0], dtype))
        s = 1.5
        error = s - 2**0.5
        for _ in range(4):
            error = error**2 / (2 * (error + 2**0.5))
        np.testing.assert_allclose(found, error, rtol=1e-6)
        assert 0 < found < 1e-23
