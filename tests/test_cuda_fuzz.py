"""Random graphs and random loops give on a GPU, emulated under checks or real, what they give on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from random_graphs import Graph
from test_control_fuzz import Net, looped
from test_fuzz import drawn
from two_machines import on_both

import symdl.tensor as T
from symdl import function, grad
from symdl.graph.expr import Expr
from symdl.ops.declare import is_float

BATCH = 12


def differences(gpu: str, seeds: range, smooth: bool, gradients: bool, stable: bool) -> list[str]:
    """Where numbers of the two machines differ: at all, or for smooth graphs by more than rounding."""
    outputs: list[Expr] = []
    values: dict[Expr, Any] = {}
    for seed in seeds:
        own, arrays = drawn(seed, smooth, gradients)
        outputs += own
        values |= arrays
    found = []
    for y, expected, got in zip(outputs, *on_both(gpu, outputs, values, stable), strict=True):
        if (got.dtype, got.shape) != (expected.dtype, expected.shape):
            found.append(f"{got.dtype}{got.shape} for {expected.dtype}{expected.shape} of {y!r}")
        elif smooth and is_float(y.type.dtype):
            # Sums of cancelling terms may be far from their own size, but not from that of the array's largest.
            limit = (1e-10 if expected.dtype == np.float64 else 1e-3) * (1 + np.abs(expected).max(initial=0))
            if not np.allclose(got, expected, rtol=0, atol=float(limit), equal_nan=True):
                found.append(f"{got!r} for {expected!r} of {y!r}")
        elif not np.array_equal(got, expected, equal_nan=is_float(y.type.dtype)):
            found.append(f"{got!r} for {expected!r} of {y!r}")
    return found


@pytest.mark.parametrize("batch", range(3))
@pytest.mark.parametrize("stable", [False, True], ids=["as written", "stabilized"])
def test_graphs_of_whole_numbers(gpu: str, batch: int, stable: bool) -> None:
    first = 100_000 + 2 * BATCH * batch + BATCH * stable
    assert differences(gpu, range(first, first + BATCH), False, False, stable) == []


@pytest.mark.parametrize("batch", range(3))
def test_smooth_graphs_and_their_gradients(gpu: str, batch: int) -> None:
    first = 200_000 + BATCH * batch
    assert differences(gpu, range(first, first + BATCH), True, True, bool(batch % 2)) == []


@pytest.mark.parametrize("seed", range(4))
def test_loops_and_their_gradients(gpu: str, seed: int) -> None:
    net = Net(seed)
    rng = np.random.default_rng(seed)
    x, y = T.dtensor3("x"), T.dtensor3("y")
    firsts = [T.dtensor3(f"first{k}") for k in range(len(net.taps))]
    w, u, b = T.dmatrix("w"), T.dmatrix("u"), T.dvector("b")
    leaves = [x, y, *firsts, w, u, b]
    outputs = looped(net, x, y, firsts, [w, u, b])
    total = sum((T.sum(T.sin(o)) for o in outputs), start=T.constant(0.0))
    results = [*outputs, *grad(total, [x, w, u, b], disconnected_inputs="ignore")]
    arrays = [rng.normal(size=(4, 2, 3)), rng.normal(size=(4, 2, 3))]
    arrays += [rng.normal(size=(-min(t), 2, 3)) for t in net.taps]
    arrays += [rng.normal(size=(3, 3)) / 2, rng.normal(size=(3, 3)) / 2, rng.normal(size=3)]
    expected = function(leaves, results, on_unused_input="ignore")(*arrays)
    got = function(leaves, results, on_unused_input="ignore", device=gpu)(*arrays)
    for e, g in zip(expected, got, strict=True):
        np.testing.assert_allclose(g, e, rtol=1e-11, atol=1e-11 * float(np.abs(e).max(initial=1)))


def test_the_graphs_are_not_trivial() -> None:
    graph = Graph(100_000, False)
    graph.grow(8)
    assert graph.steps == 8
