"""NanGuard: a function that raises where it would give a NaN or an infinity, and names the op that made it first.

step = symdl.function([x, y], loss, updates=updates, nan_guard=True)

Only results are looked at, unless all is asked for: an infinity that a branch takes out again, such as the log(0) that a
`where` passes over, is legal. nan_origin finds out who made a bad result.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symdl.config import config
from symdl.errors import InputError, kind_of
from symdl.records import record

Array = np.ndarray[Any, Any]
BIG = 1e10  # Theano's


@record
class NanGuard:
    """What a guarded function refuses to give: NaN, infinities, numbers of more than a size (big; None for any).

    intermediates: look at every node that the results rest on, inputs and shared values too, not at the results alone;
    NumPy then repeats each call node by node. Branches that a `where` does not take are never looked at.

        >>> f = symdl.function([x], T.log(x), nan_guard=symdl.NanGuard(inf=False))

    A call that fails raises NanGuardError and changes no shared value. Without a guard nothing is looked at.
    """

    nan: bool = True
    inf: bool = True
    big: float | None = None
    intermediates: bool = False

    def __post_init__(self) -> None:
        if self.big is not None and not (isinstance(self.big, int | float) and self.big > 0):
            raise InputError(f"NanGuard: big is {self.big!r}", (), "It must be a number above 0, or None.")

    def passes(self, array: Array) -> bool:
        """Whether all is well, by a quick look."""
        if array.dtype.kind != "f" or not array.size:
            return True
        if self.big is None:
            with np.errstate(all="ignore"):
                if np.isfinite(array.sum()):
                    return True
        return not self.bad(array).any()

    def bad(self, array: Array) -> Array:
        """Which elements are refused."""
        out = np.isnan(array) if self.nan else np.zeros(np.shape(array), bool)
        if self.inf:
            out = out | np.isinf(array)
        if self.big is not None:
            with np.errstate(all="ignore"):
                out = out | (np.isfinite(array) & (np.abs(array) > self.big))
        return np.asarray(out)


def NanGuardMode(  # Theano's name
    nan_is_error: bool = True, inf_is_error: bool = True, big_is_error: bool = True
) -> NanGuard:
    """Theano's mode: `symdl.function(..., mode=symdl.NanGuardMode())`. big: more than 1e10 in size."""
    return NanGuard(nan_is_error, inf_is_error, BIG if big_is_error else None)


def guard_of(given: Any) -> NanGuard | None:
    """What an argument nan_guard, or config.nan_guard in its place, asks for."""
    if given is None:
        given = {"off": False, "results": True, "all": NanGuard(intermediates=True)}[config.nan_guard]
    if isinstance(given, bool):
        return NanGuard() if given else None
    if not isinstance(given, NanGuard):
        raise InputError(f"function: nan_guard is {kind_of(given)}", (), "It takes True, False or a symdl.NanGuard.")
    return given
