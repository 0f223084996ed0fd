"""Thousands of random graphs: what is compiled gives the oracle's numbers, values and gradients.

Many graphs share a function. A failure names its graph's seed; `failing(seed, smooth)` runs it alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from agree import pulled, three_ways
from random_graphs import Graph

from symdl.graph.expr import Expr
from symdl.ops.declare import is_float

BATCH = 25
EXACT_BATCHES, SMOOTH_BATCHES = 48, 36  # 2,100 graphs


def drawn(seed: int, smooth: bool, gradients: bool) -> tuple[list[Expr], dict[Expr, Any]]:
    """One graph's outputs, and its variables' values."""
    graph = Graph(seed, smooth)
    graph.grow(3 + seed % 8)
    outputs = graph.outputs()
    if gradients and any(is_float(y.type.dtype) for y in outputs):
        outputs += pulled(outputs, [v for v in graph.values if is_float(v.type.dtype)])[1]
    return outputs, graph.values


def differences(outputs: list[Expr], values: dict[Expr, Any], stable: bool, smooth: bool) -> list[str]:
    """Where a machine's number is not the oracle's: exactly, or for smooth graphs but for rounding."""
    found = []
    for k, (expected, *others) in enumerate(zip(*three_ways(outputs, values, stable), strict=True)):
        for way, got in zip(("interpreter", "machine code"), others, strict=True):
            if (got.dtype, got.shape) != (expected.dtype, expected.shape):
                found.append(f"{way}, output {k}: {got.dtype}{got.shape} for {expected.dtype}{expected.shape}")
            elif smooth and expected.dtype.kind == "f":
                limit = (1e-10 if expected.dtype == np.float64 else 1e-3) * (1 + np.abs(expected).max(initial=0))
                if (
                    not np.array_equal(np.isfinite(got), np.isfinite(expected))
                    or not (np.abs(got - expected) <= limit).all()
                ):
                    found.append(f"{way}, output {k}: {got!r} for {expected!r} of {outputs[k]!r}")
            elif not np.array_equal(got, expected):
                found.append(f"{way}, output {k}: {got!r} for {expected!r} of {outputs[k]!r}")
    return found


def failing(seed: int, smooth: bool, gradients: bool = False, stable: bool = False) -> list[str]:
    """The differences of one graph alone."""
    return differences(*drawn(seed, smooth, gradients), stable, smooth)


def run(first: int, smooth: bool, gradients: bool, stable: bool) -> None:
    outputs: list[Expr] = []
    values: dict[Expr, Any] = {}
    for seed in range(first, first + BATCH):
        own, arrays = drawn(seed, smooth, gradients)
        outputs += own
        values |= arrays
    wrong_together = differences(outputs, values, stable, smooth)
    if wrong_together:
        alone = {seed: failing(seed, smooth, gradients, stable) for seed in range(first, first + BATCH)}
        wrong = {seed: text for seed, text in alone.items() if text}
        pytest.fail(f"smooth={smooth}, gradients={gradients}, stable={stable}: {wrong or 'only together'}")


@pytest.mark.parametrize("batch", range(EXACT_BATCHES))
def test_whole_numbers_exactly(batch: int) -> None:
    run(BATCH * batch, False, False, bool(batch % 2))


@pytest.mark.parametrize("batch", range(SMOOTH_BATCHES))
def test_floats_and_their_gradients(batch: int) -> None:
    run(BATCH * batch, True, batch % 3 > 0, bool(batch % 2))


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(1000, 1400))
def test_many_more(batch: int) -> None:
    """10,000 graphs of each kind that the quick tests do not see."""
    run(BATCH * batch, False, False, bool(batch % 2))
    run(BATCH * batch, True, batch % 3 > 0, bool(batch % 2))


def test_graphs_are_as_varied_as_meant() -> None:
    """The generator reaches most ops and does not end early."""
    names: set[str] = set()
    steps = 0
    for seed in range(150):
        for smooth in (False, True):
            graph = Graph(seed, smooth)
            graph.grow(3 + seed % 8)
            steps += graph.steps == 3 + seed % 8
            names |= {n.op.name for n in graph.pool}
    assert steps > 270
    assert len(names) > 50
