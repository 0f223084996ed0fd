"""The fifteenth batch: what a second author finds in handbooks and in public code of trades that the earlier ones left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from own_cases.batch10 import beside
from own_cases.batch12 import near_rows
from own_cases.batch13 import FAR, LOGITS, SHIFTS, whole
from own_cases.case import case as any_case

__all__ = ["FAR", "LOGITS", "SHIFTS", "beside", "case", "near_rows", "whole"]


def case(name: str, formula: Callable[..., Any], wrt: str | None = None, **leaves: Sequence[Any]) -> None:
    """A case of this batch, at as many points as all leaves have."""
    count = min(len(points) for points in leaves.values())
    any_case(name, formula, wrt, batch=15, **{leaf: points[:count] for leaf, points in leaves.items()})
