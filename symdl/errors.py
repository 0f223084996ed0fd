"""The errors of symdl, all in one form: what does not hold, with its values; where each part comes from; a remedy.

    ShapeError: dot: 784 columns of images meet 500 rows of weights
      images   float32[?, 784]    train.py:9
      weights  float32[500, 784]  train.py:10
      weights.T has shape (784, 500) and would fit.

A remedy is given only where it is certain.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Part = tuple[str, str, str]  # name, type, place ("file:line" of the user's code, or "")


class SymdlError(Exception):
    """Base of every error that symdl raises on purpose.

    head says what does not hold; parts name what takes part, with type and place; remedy says what to do.
    """

    def __init__(self, head: str, parts: Sequence[Part] = (), remedy: str = "") -> None:
        super().__init__(head)
        self.head, self.parts, self.remedy = head, tuple(parts), remedy

    def __str__(self) -> str:
        return form(self.head, self.parts, self.remedy)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.head, self.parts, self.remedy)


class ShapeError(SymdlError, ValueError):
    """Extents that do not fit together, while building or when called."""


class DtypeError(SymdlError, TypeError):
    """A dtype that an operation does not take, or that a value cannot be cast to safely."""


class IndexRangeError(SymdlError, IndexError):
    """An index outside its axis."""


class GradientError(SymdlError, ValueError):
    """A gradient that does not exist or was asked for wrongly."""


class InputError(SymdlError, TypeError):
    """A compiled function was declared or called with the wrong inputs."""


class NanGuardError(SymdlError, FloatingPointError):
    """A function with a NanGuard computed a NaN, an infinity or a number larger than it may."""


class SymbolicError(SymdlError, TypeError):
    """A symbolic expression was used where a value is needed, as in `if x > 0`."""


class ConfigError(SymdlError, ValueError):
    """An option or its value that symdl does not have."""


class DataError(SymdlError, ValueError):
    """A data or weights file that is not what it claims to be."""


class MissingDependencyError(SymdlError, ImportError):
    """An optional package that the feature needs is not installed."""


class CudaError(SymdlError, RuntimeError):
    """The GPU or its driver refused something."""


class CudaUnavailableError(CudaError):
    """A function for a GPU was asked for, and there is no device, no driver or no package to reach it."""


class CudaMemoryError(CudaError, MemoryError):
    """The GPU has no room for what a call needs; no value has changed."""


class KernelFaultError(CudaError):
    """A kernel broke a rule of the GPU, as the emulator saw: memory that is not its own, a race, a barrier not met by all."""


class DeviceLostError(CudaError):
    """The GPU can no longer be used by this process (a fault, a reset): values that were only there are lost."""


class ImmutableError(SymdlError, AttributeError):
    """An attribute of an expression was to be set: expressions never change."""


class InternalError(SymdlError, RuntimeError):
    """A stage of the compiler broke its own invariant: a bug in symdl, never the user's."""


class RewriteError(InternalError):
    """A rewrite rule changed what it must keep."""


class ProgramError(InternalError):
    """A Program or a loop nest is malformed."""


def form(head: str, parts: Sequence[Part], remedy: str) -> str:
    """The one layout of a message: head, aligned parts, remedy."""
    lines = [head]
    wide = [max((len(p[k]) for p in parts), default=0) for k in (0, 1)]
    lines += [f"  {name:<{wide[0]}}  {kind:<{wide[1]}}  {place}".rstrip() for name, kind, place in parts]
    lines += [f"  {line}" for line in remedy.splitlines()]
    return "\n".join(lines)


# ---- words that messages share ----


def axes(count: int) -> str:
    """'no axis', '1 axis', '2 axes'."""
    return "no axis" if count == 0 else "1 axis" if count == 1 else f"{count} axes"


LONGEST = 64  # bits of an integer that is written out: of thousands of digits Python makes no text


def kind_of(value: Any) -> str:
    """What a value is, in a few words that do not depend on the run."""
    if value is None:
        return "None"
    if isinstance(value, str | bytes):
        return f"the text {value!r}" if len(value) < 40 else "a text"
    if type(value) is int and value.bit_length() > LONGEST:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, bool | int | float | complex) and not hasattr(value, "dtype"):
        return f"the number {value!r}" if type(value) is not bool else f"the bool {value}"
    dtype = getattr(value, "dtype", None)
    name = type(value).__name__
    if isinstance(value, list | tuple) and value:
        odd = [v for v in value[:1000] if not isinstance(v, bool | int | float)]
        return f"a {name} that holds {kind_of((odd or value)[0])}"
    name = "array" if name == "ndarray" else name
    article = "an" if name[:1].lower() in "aeiou" else "a"
    shape = getattr(value, "shape", None)
    if dtype is not None and shape is not None:
        return f"{article} {name} of {dtype}" if shape else f"the {dtype} {value}"
    return f"{article} {name}"


def nearest(name: str, names: Iterable[str], count: int = 1) -> list[str]:
    """The names that may have been meant, nearest first, count at most."""
    import difflib  # a hundredth of what `import symdl` takes, for errors alone

    return difflib.get_close_matches(name, list(names), count)
