"""What a cell's numbers should be: the formula as NumPy computes it in the next wider floats."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.matrix.cells import Cell
from benchmarks.matrix.engines import Numpy

WIDER = {"float32": np.float64, "float64": np.longdouble}
FUNCTIONS = ("E1", "E2", "E3")  # groups whose results are functions of single elements: each is right or not
ALLOWED = 4.0  # ulp, beyond which a peer computes something else


def truth_of(cell: Cell) -> Any:
    """The result in wider floats; None where NumPy has not the formula, or wider floats take it too long."""
    if cell.parameters is not None or cell.random:
        return None
    given = [np.asarray(a) for a in cell.make(np.random.default_rng(0))]
    if cell.group not in FUNCTIONS and any(a.dtype == np.float64 for a in given):
        return None
    try:
        with np.errstate(all="ignore"):
            return np.asarray(
                Numpy(1).compiled(cell.formula, [a.astype(WIDER.get(str(a.dtype), a.dtype)) for a in given])()
            )
    except (AttributeError, TypeError):
        return None


def worst_ulp(found: Any, true: Any) -> float | None:
    """The largest error in units of the last place; None where the truth is no better than what is found."""
    if found.shape != true.shape or found.dtype.kind != "f" or true.dtype.itemsize <= found.dtype.itemsize:
        return None
    least = np.finfo(found.dtype).smallest_normal
    with np.errstate(all="ignore"):
        unit = np.spacing(np.maximum(np.abs(true).astype(found.dtype), least))
        error = np.abs(found.astype(true.dtype) - true) / unit
    return float(error.max()) if error.size else 0.0
