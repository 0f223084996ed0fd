"""What an own case is, and the points at which formulas are looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

PI, ROOT2, HALF_LOG_2PI = 3.141592653589793, 1.4142135623730951, 0.9189385332046727


@dataclass(frozen=True)
class Case:
    """A formula, its points, and the leaves that it is differentiated in."""

    name: str
    batch: int
    formula: Callable[..., Any]
    leaves: dict[str, Sequence[Any]]
    wrt: tuple[str, ...]

    @property
    def family(self) -> str:
        return self.name.partition(".")[0]

    def arrays(self, dtype: str) -> list[Any]:
        """The leaves' values; points that a dtype does not hold are left out."""
        with np.errstate(over="ignore"):
            made = [np.array(v, dtype) for v in self.leaves.values()]
        given = [np.array(v, "float64") for v in self.leaves.values()]
        inside = np.ones(len(made[0]), bool)
        for array, asked in zip(made, given, strict=True):
            held = (
                np.isfinite(array)
                & ((array != 0) | (asked == 0))
                & ((np.abs(array) >= np.finfo(dtype).tiny) | (asked == 0))
            )
            inside &= held if held.ndim == 1 else held.all(axis=1)
        return [array[inside] for array in made]


CASES: list[Case] = []


def case(
    name: str, formula: Callable[..., Any], wrt: str | None = None, batch: int = 1, **leaves: Sequence[Any]
) -> None:
    CASES.append(Case(name, batch, formula, leaves, tuple(leaves) if wrt is None else tuple(wrt.split())))


# ---- points ----


def geo(a: float, b: float, n: int = 8) -> list[float]:
    """n points from a to b in equal ratios."""
    return [float(a * (b / a) ** (k / (n - 1))) for k in range(n)]


def both(points: Sequence[float]) -> list[float]:
    return [*points, *(-v for v in points)]


def lin(a: float, b: float, n: int = 8) -> list[float]:
    return [float(a + (b - a) * k / (n - 1)) for k in range(n)]


def cyc(n: int, *values: float) -> list[float]:
    return [float(values[k % len(values)]) for k in range(n)]


def rows(shifts: Sequence[float], spread: float = 1.0, n: int = 5, scale: bool = False) -> list[list[float]]:
    """One row of n numbers a shift (scale: a factor), spread about it, the same on every machine."""
    pattern = [0.7310, -0.4217, 0.1129, -0.9043, 0.5661, 0.3307, -0.2298]
    return [[s * (1.5 + spread * v) if scale else s + spread * v for v in pattern[:n]] for s in shifts]


WIDE = [
    *geo(1e-300, 1e-160, 3),
    *geo(1e-10, 1e10, 5),
    *geo(1e155, 1e300, 3),
    *geo(1e-36, 1e-22, 3),
    *geo(1e20, 1e37, 3),
]
SMALL = both(geo(1e-12, 0.3, 8))
TINY = both(geo(1e-5, 0.5, 7))
BIG = geo(10, 1e15, 8)

NEAR1 = [1 - 2.0**-k for k in range(2, 22, 3)]


def shifted(points: Sequence[float], first: int = 3, step: int = 3) -> list[float]:
    """Each point a little above itself, less and less so."""
    return [v * (1 + 2.0 ** -(first + step * k)) for k, v in enumerate(points)]
