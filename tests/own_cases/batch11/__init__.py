"""The eleventh batch: the open families composed with loops, joins, choices, entries and products, and what engineers compute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from own_cases.batch10 import beside
from own_cases.case import case as any_case

__all__ = ["beside", "case"]


def case(name: str, formula: Callable[..., Any], wrt: str | None = None, **leaves: Sequence[Any]) -> None:
    """A case of this batch, at as many points as all leaves have."""
    count = min(len(points) for points in leaves.values())
    any_case(name, formula, wrt, batch=11, **{leaf: points[:count] for leaf, points in leaves.items()})
