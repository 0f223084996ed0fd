"""The thirteenth batch: beside each case of the open suite one that a second author would have written, at points of the same ranges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from own_cases.batch10 import beside
from own_cases.batch12 import near_rows
from own_cases.case import both, geo, rows
from own_cases.case import case as any_case

__all__ = [
    "BIG",
    "FAR",
    "FAR_SIGNED",
    "LARGE",
    "LOGITS",
    "OFFSETS",
    "SHIFTS",
    "beside",
    "case",
    "near_rows",
    "whole",
]


def case(name: str, formula: Callable[..., Any], wrt: str | None = None, **leaves: Sequence[Any]) -> None:
    """A case of this batch, at as many points as all leaves have."""
    count = min(len(points) for points in leaves.values())
    any_case(name, formula, wrt, batch=13, **{leaf: points[:count] for leaf, points in leaves.items()})


def whole(points: Sequence[float]) -> list[float]:
    """Multiples of 1/64, whose sums and differences are exact."""
    return [round(p * 64) / 64 for p in points]


LOGITS = both(
    [
        *geo(1.3e-6, 0.4, 3),
        *geo(0.7, 14.6, 4),
        17.1,
        33.7,
        38.2,
        84.9,
        90.2,
        101.9,
        *geo(107, 689, 3),
        713.7,
        743.1,
        752.0,
        1001.0,
    ]
)
SHIFTS = [-2000.0, -760, -710, -120, -95, -60, -10, 0, 5, 60, 88, 100, 300, 705, 712, 2500]
LARGE = [*geo(1, 1e4, 4), *geo(1e5, 1e15, 5), *geo(1e16, 1e150, 4)]
FAR = [
    *geo(1.1e-280, 1.2e-165, 3),
    *geo(2.2e-3, 870.0, 3),
    *geo(1.9e158, 9e299, 3),
    *geo(1.3e-34, 2.1e-24, 3),
    *geo(1.7e20, 3.1e36, 3),
]
FAR_SIGNED = both(FAR)
BIG = [
    *rows([1e-250, 1e-170, 1e-30, 1.0, 1e30, 1e160, 1e200, 1e300], 1.2, 6, scale=True),
    *rows([1e-33, 1e-25, 1e-20, 1e-5, 1e20, 1e25, 1e36], 1.2, 6, scale=True),
]
OFFSETS = [whole(row) for row in rows([0.0, 10, 100, 1e3, 3e3, 1e4, 1.5e4, 3e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e12], 4.0, 7)]
