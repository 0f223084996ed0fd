"""Stage 3 against the exact meaning: the worst error of what it makes of a formula."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ulps import distance

from symdl.graph.expr import Expr
from symdl.meaning import stabilized
from symdl.passes.evaluate import evaluate
from symdl.verify import exact

DIGITS = 420  # 1 - sigmoid(-800) keeps its 1e-348
FLOATS = ("float64", "float32")


def errors(build: Callable[[str], tuple[list[Expr], list[Expr]]], arrays: list[Any]) -> list[float]:
    """The worst error of each output in ulp, of both dtypes: build(dtype) gives (leaves, outputs)."""
    truth: list[Any] = []
    worst: list[float] = []
    for dtype in FLOATS:
        leaves, outputs = build(dtype)
        values = {x: np.asarray(a, x.type.dtype) for x, a in zip(leaves, arrays, strict=True)}
        truth = truth or exact(outputs, values, DIGITS)
        lowered = stabilized(outputs, {})
        assert [o.type for o in lowered] == [o.type for o in outputs]
        found = [float(np.max(distance(g, t))) for g, t in zip(evaluate(lowered, values), truth, strict=True)]
        worst = [max(pair) for pair in zip(found, worst or found, strict=True)]
    return worst
