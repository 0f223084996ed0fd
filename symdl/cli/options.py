"""What options of the command line may be, and exit codes."""

from __future__ import annotations

import argparse
import json
import math
import re
from dataclasses import fields
from typing import Any

from symdl.errors import ConfigError
from symdl.zoo.base import Config

DONE, FAILED, MISUSED, INTERRUPTED = 0, 1, 2, 130


def natural(text: str) -> int:
    """A whole number from 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def positive(text: str) -> int:
    """A whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def positive_float(text: str) -> float:
    """A finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def seeds(text: str) -> list[int]:
    """Several seeds: 0-4 or 0,3,7."""
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if match is None:
            raise argparse.ArgumentTypeError(f"{text!r} is not a list of seeds such as 0-4 or 0,3,7")
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    if not found or len(found) != len(set(found)):
        raise argparse.ArgumentTypeError(f"{text!r} names no seed, or one twice")
    return found


def setting(text: str) -> tuple[str, str]:
    """FIELD=VALUE."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD=VALUE")
    return name.replace("-", "_"), value


def field_value(config: Config, name: str, text: str) -> Any:
    """The text of a setting as the field of a config wants it: numbers between commas for a tuple.

    Raises ConfigError for a field that there is not and for a text that does not fit it.
    """
    options = {f.name: getattr(config, f.name) for f in fields(config)}
    if name not in options:
        raise ConfigError(f"there is no option {name}", (), f"options: {', '.join(options)}")
    now = options[name]
    try:
        if isinstance(now, bool):
            return {"true": True, "false": False}[text.lower()]
        if isinstance(now, tuple):
            return tuple(json.loads(part) for part in text.split(","))
        return type(now)(text) if isinstance(now, int | float | str) else json.loads(text)
    except (KeyError, ValueError) as error:
        raise ConfigError(f"{name}: {text!r} is no {type(now).__name__}; now it is {now}") from error
