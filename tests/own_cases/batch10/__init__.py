"""The tenth batch: the open families in other words, and what sciences compute, at extremes and along rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from own_cases.case import case as any_case


def case(name: str, formula: Callable[..., Any], wrt: str | None = None, **leaves: Sequence[Any]) -> None:
    """A case of this batch, at as many points as all leaves have."""
    count = min(len(points) for points in leaves.values())
    any_case(name, formula, wrt, batch=10, **{leaf: points[:count] for leaf, points in leaves.items()})


def beside(points: Sequence[float]) -> list[float]:
    """Each point moved by less and less of itself."""
    return [v * (1 + (-1) ** k * 2.0 ** -(2 + 3 * (k % 7))) for k, v in enumerate(points)]
