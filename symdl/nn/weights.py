"""Shared variables out of and into named arrays, all or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from symdl.errors import DataError, Part
from symdl.runtime.storage import SharedVariable

Array = np.ndarray[Any, np.dtype[Any]]


def values(variables: Iterable[SharedVariable]) -> dict[str, Array]:
    """A copy of each variable's value under its name."""
    return {str(v.name): v.get_value() for v in variables}


def assign(variables: Iterable[SharedVariable], arrays: Mapping[str, Array], source: str) -> None:
    """Set each variable to the array of its name. Nothing is set unless names, shapes and dtypes all fit.

    Raises DataError that lists every misfit; `source` is what it calls the arrays.
    """
    targets = {str(v.name): v for v in variables}
    have = {name: v.get_value(borrow=True) for name, v in targets.items()}
    misfits: list[Part] = []
    for name in sorted(have.keys() | arrays.keys()):
        wanted = _show(have[name]) if name in have else "nothing"
        found = _show(arrays[name]) if name in arrays else "nothing"
        if wanted != found:
            misfits.append((name, f"{found} in the file", f"{wanted} in the model"))
    if misfits:
        raise DataError(f"load: the arrays of {source} do not fit the model", misfits)
    for name, target in targets.items():
        target.set_value(arrays[name])


def _show(array: Array) -> str:
    return f"{array.dtype.name}[{', '.join(map(str, array.shape))}]"
