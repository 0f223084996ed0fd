"""What tests of the cache do in its folder."""

from __future__ import annotations

from pathlib import Path

import symdl.tensor as T
from symdl import function
from symdl.pipeline.cache import SWEPT


def files(folder: Path) -> list[Path]:
    """What lies in the folder, but for the note of the last look at it."""
    return sorted(f for f in folder.iterdir() if f.name != SWEPT) if folder.is_dir() else []


def two_and_one(value: float) -> float:
    """f(value) = 2 value + 1, compiled anew or found."""
    x = T.dscalar("x")
    f = function([x], 2 * x + 1)
    return float(f(value))
