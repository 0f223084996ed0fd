"""The twelfth batch: textbooks' kernels on vectors and matrices, objectives of networks, sciences, and formulas through every op that moves numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from own_cases.batch10 import beside
from own_cases.case import case as any_case
from own_cases.case import geo

__all__ = ["beside", "case", "near_rows", "wide"]


def case(name: str, formula: Callable[..., Any], wrt: str | None = None, **leaves: Sequence[Any]) -> None:
    """A case of this batch, at as many points as all leaves have."""
    count = min(len(points) for points in leaves.values())
    any_case(name, formula, wrt, batch=12, **{leaf: points[:count] for leaf, points in leaves.items()})


def near_rows(given: Sequence[Sequence[float]], first: int = 3, step: int = 3) -> list[list[float]]:
    """Each row a little off, in other directions for each entry, less and less so."""
    return [
        [v * (1 + (1, -1, 0.5, -0.25, 0.75)[k % 5] * 2.0 ** -(first + step * r)) for k, v in enumerate(row)]
        for r, row in enumerate(given)
    ]


def wide(least: float, most: float, n: int = 4) -> list[float]:
    """Magnitudes around 1, and n on either side as far as a float64 goes."""
    return [*geo(1e-280, least, n), 0.375, 1.0, 7.5, *geo(most, 1e280, n)]
