"""What a setting may be: numbers where a layer, an optimizer or `fit` takes numbers, by the annotations of its arguments."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

from symdl.errors import ConfigError, kind_of

KINDS: dict[str, tuple[type, str]] = {"int": (numbers.Integral, "an integer"), "float": (numbers.Real, "a number")}


def checked(owner: str, given: Mapping[str, Any], annotations: Mapping[str, Any]) -> None:
    """Raises ConfigError where a value whose annotation is int or float, perhaps or None, is no such number."""
    for name, value in given.items():
        kind, *other = str(annotations.get(name, "")).split(" | ")
        if kind not in KINDS or (value is None and "None" in other) or set(other) - {"None"}:
            continue
        wanted, words = KINDS[kind]
        if isinstance(value, float) and value != value:
            raise ConfigError(f"{owner}: {name} is NaN")
        if isinstance(value, bool) or not isinstance(value, wanted):
            raise ConfigError(f"{owner}: {name} is {kind_of(value)}, not {words}")
