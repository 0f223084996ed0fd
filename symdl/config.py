"""What a user sets once: the default float dtype and what unused inputs do.

Set it from Python (`symdl.config.floatX = "float32"`) or before the start by SYMDL_FLAGS="floatX=float32".
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from symdl.errors import ConfigError

CHOICES: dict[str, tuple[str, ...]] = {
    "floatX": ("float64", "float32"),  # dtype of constructors without a prefix, and of Python floats beside integers
    "on_unused_input": ("raise", "warn", "ignore"),  # what `function` does with an input that nothing uses
}


class Config:
    """One attribute an option; unknown names and values raise ConfigError. `print(symdl.config)` shows all."""

    floatX: str
    on_unused_input: str

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        object.__setattr__(self, "_origin", dict.fromkeys(CHOICES, "default"))
        for name, choices in CHOICES.items():
            object.__setattr__(self, name, choices[0])
        for item in filter(None, environment.get("SYMDL_FLAGS", "").split(",")):
            name, _, value = item.partition("=")
            self._set(name.strip(), value.strip(), "SYMDL_FLAGS")

    def __setattr__(self, name: str, value: Any) -> None:
        self._set(name, value, "set in Python")

    def _set(self, name: str, value: Any, origin: str) -> None:
        if name not in CHOICES:
            raise ConfigError(f"config: there is no option {name!r}", (), f"options: {', '.join(CHOICES)}")
        if value not in CHOICES[name]:
            raise ConfigError(f"config: {name} cannot be {value!r}", (), f"choices: {', '.join(CHOICES[name])}")
        object.__setattr__(self, name, value)
        self._origin[name] = origin  # type: ignore[attr-defined]  # made in __init__ past __setattr__

    @contextmanager
    def change(self, **values: str) -> Iterator[None]:
        """Other values inside a with block."""
        before = {name: getattr(self, name, None) for name in values}
        try:
            for name, value in values.items():
                setattr(self, name, value)
            yield
        finally:
            for name, old in before.items():
                if old is not None:
                    setattr(self, name, old)

    def __str__(self) -> str:
        return "\n".join(f"{n:<16} {getattr(self, n):<10} ({self._origin[n]})" for n in CHOICES)  # type: ignore[attr-defined]

    __repr__ = __str__


config = Config()
