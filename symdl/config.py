"""What a user sets once: the default float dtype, what unused inputs do, where compiled code is kept, how many threads run.

Set it from Python (`symdl.config.floatX = "float32"`) or before the start by SYMDL_FLAGS="floatX=float32,cache_size=2G".
The folder of the cache may also stand in SYMDL_CACHE_DIR; an empty one switches the cache off.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from symdl.errors import ConfigError
from symdl.records import record

Environment = Mapping[str, str]
MOST_THREADS = 1024


@record
class Option:
    """read(value) is the value as it is kept, or None where the option does not take it; takes says what it does."""

    default: Callable[[Environment], Any]
    read: Callable[[Any], Any]
    takes: str
    variable: str = ""  # of the environment, that sets it too; SYMDL_FLAGS goes before


def choice(*names: str) -> Option:
    """One of these texts, by default the first."""
    return Option(lambda _: names[0], lambda value: value if value in names else None, f"choices: {', '.join(names)}")


def user_cache(environment: Environment = os.environ, platform: str = sys.platform) -> str:
    """symdl's folder among the caches of the user; empty where there is none."""
    if platform == "win32":
        base = environment.get("LOCALAPPDATA", "")
    elif platform == "darwin":
        base = os.path.join(os.path.expanduser("~"), "Library", "Caches")
    else:  # XDG: a relative path is to be ignored
        given = environment.get("XDG_CACHE_HOME", "")
        base = given if os.path.isabs(given) else os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "symdl") if os.path.isabs(base) else ""


def folder(value: Any) -> str | None:
    """A path as a text; empty for none."""
    return os.path.expanduser(os.fspath(value)) if isinstance(value, str | os.PathLike) else None


def size_in_bytes(value: Any) -> int | None:
    """A number of bytes, or a text such as 500M or 1.5 GiB (K, M, G, T: powers of 1024)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value >= 0 else None
    found = (
        re.fullmatch(r"(\d+(?:\.\d+)?) *(?:([KMGT])(?:i?B)?|B?)", value, re.IGNORECASE) if type(value) is str else None
    )
    if found is None:
        return None
    return int(float(found[1]) * 1024 ** (" KMGT".index((found[2] or " ").upper())))


def usable_processors(environment: Environment = os.environ, quota: str = "/sys/fs/cgroup/cpu.max") -> int:
    """How many processors this process may use: its affinity, and the share of them that its control group has."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        with open(quota, encoding="ascii") as file:
            share, period = file.read().split()
        found = min(found, max(1, -(-int(share) // int(period))))
    except (OSError, ValueError, ZeroDivisionError):  # no control group, or one without a limit ("max")
        pass
    return min(found, MOST_THREADS)


def thread_count(value: Any) -> int | None:
    """A whole number of threads."""
    if type(value) is str and re.fullmatch(r"\d{1,9}", value):
        value = int(value)
    return value if type(value) is int and 1 <= value <= MOST_THREADS else None


OPTIONS: dict[str, Option] = {
    # the dtype of constructors without a prefix, and of Python floats beside integers
    "floatX": choice("float64", "float32"),
    "on_unused_input": choice("raise", "warn", "ignore"),  # what `function` does with an input that nothing uses
    "float_semantics": choice("mathematical", "strict"),  # of `function`: see symdl.semantics
    "precision": choice("right", "plain"),  # of `function`: whether digits and range are kept by wider numbers too
    "device": choice("cpu", "cuda", "cuda-emulated"),  # of `function`: where it runs
    # float32 products on a GPU: tf32 rounds operands to 10 bits, for tensor cores; own leaves none to a library
    "gpu_products": choice("full", "tf32", "own"),
    "nan_guard": choice("off", "results", "all"),  # of `function`: what is looked at for NaN and infinities
    "cache_dir": Option(user_cache, folder, "a folder, or an empty text for no cache", "SYMDL_CACHE_DIR"),
    # whether a function runs at once, while a thread optimizes it, or is optimized first
    "optimizing": choice("background", "now"),
    "threads": Option(usable_processors, thread_count, f"a whole number from 1 to {MOST_THREADS}"),  # that share a call
    "cache_size": Option(lambda _: 1 << 30, size_in_bytes, "bytes, such as 500M or 2G"),  # what may be kept there
}


class Config:
    """One attribute an option; unknown names and values raise ConfigError. `print(symdl.config)` shows all."""

    floatX: str
    on_unused_input: str
    float_semantics: str
    precision: str
    device: str
    gpu_products: str
    nan_guard: str
    optimizing: str
    cache_dir: str
    cache_size: int
    threads: int

    def __init__(self, environment: Environment = os.environ) -> None:
        object.__setattr__(self, "_origin", dict.fromkeys(OPTIONS, "default"))
        object.__setattr__(self, "_watching", {})
        for name, option in OPTIONS.items():
            object.__setattr__(self, name, option.default(environment))
            if option.variable in environment:
                self._set(name, environment[option.variable], option.variable)
        for item in filter(None, environment.get("SYMDL_FLAGS", "").split(",")):
            name, _, value = item.partition("=")
            self._set(name.strip(), value.strip(), "SYMDL_FLAGS")

    def __setattr__(self, name: str, value: Any) -> None:
        self._set(name, value, "set in Python")

    def _set(self, name: str, value: Any, origin: str) -> None:
        if name not in OPTIONS:
            raise ConfigError(f"config: there is no option {name!r}", (), f"options: {', '.join(OPTIONS)}")
        kept = OPTIONS[name].read(value)
        if kept is None:
            raise ConfigError(f"config: {name} cannot be {value!r}", (), OPTIONS[name].takes)
        object.__setattr__(self, name, kept)
        self._origin[name] = origin  # type: ignore[attr-defined]  # made in __init__ past __setattr__
        for action in self._watching.get(name, ()):  # type: ignore[attr-defined]  # likewise
            action(kept)

    def watch(self, name: str, action: Callable[[Any], None]) -> None:
        """Call action(value) now, and whenever the option is set from now on."""
        self._watching.setdefault(name, []).append(action)  # type: ignore[attr-defined]  # likewise
        action(getattr(self, name))

    @contextmanager
    def change(self, **values: Any) -> Iterator[None]:
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
        return "\n".join(f"{n:<16} {getattr(self, n)!s:<10} ({self._origin[n]})" for n in OPTIONS)  # type: ignore[attr-defined]  # likewise

    __repr__ = __str__


config = Config()
