"""What a compiled function takes and gives: In, Out, and the conversion of a caller's value to the array it runs on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from symdl.errors import DtypeError, InputError, Part, ShapeError
from symdl.expr import Expr, described

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class In:
    """An input of a function with options.

    name: the keyword by which callers may pass it, the variable's own by default. value: what it is when a call leaves
    it out. update: what `value` becomes after each call. strict: take arrays of the exact dtype only. allow_downcast:
    cast floats and integers that may lose digits. mutable and borrow are accepted for Theano's sake: symdl never
    changes an input.
    """

    variable: Expr
    name: str | None = None
    value: Any = None
    update: Expr | None = None
    strict: bool = False
    allow_downcast: bool | None = None
    mutable: bool = False
    borrow: bool = False


@dataclass(frozen=True)
class Out:
    """An output of a function. borrow is accepted for Theano's sake: outputs are always the caller's own."""

    variable: Expr
    borrow: bool = False


def as_array(value: Any, leaf: Expr, strict: bool, downcast: bool) -> Array:
    """value as an array of the leaf's dtype and number of axes, converted only where nothing is lost.

    Arrays, numbers, nested lists and whatever has __array__ or __dlpack__. Python numbers adopt the leaf's dtype;
    integer arrays may change width where their values fit; float64 goes into float32 only with downcast.
    Raises DtypeError or ShapeError.
    """
    dtype = np.dtype(leaf.type.dtype)
    if type(value) is np.ndarray and value.dtype == dtype and value.dtype.isnative:
        array = value
    elif strict and not (isinstance(value, np.ndarray) and value.dtype == dtype):
        raise DtypeError(f"{leaf!r} takes an array of {dtype} exactly, not {_kind(value)}", [described(leaf)])
    else:
        array = _converted(_given(value, leaf), value, leaf, dtype, downcast)
    if array.ndim != leaf.type.ndim:
        raise ShapeError(
            f"{leaf!r} has {leaf.type.ndim} axes; the value given has {array.ndim}, its shape being {array.shape}", [described(leaf)]
        )
    return array


def _given(value: Any, leaf: Expr) -> Array:
    if isinstance(value, Expr):
        raise InputError(f"{leaf!r} was given the expression {value!r}, not a value", [described(leaf), described(value)])
    if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
        return np.from_dlpack(value)
    try:
        array = np.asarray(value)
    except ValueError as error:  # a list of rows of different lengths
        raise ShapeError(f"{leaf!r} was given rows of different lengths: {error}", [described(leaf)]) from None
    except (TypeError, RuntimeError) as error:  # a torch tensor that requires a gradient, or lies on a GPU
        raise InputError(f"{leaf!r} was given {_kind(value)}, which is no array: {error}", [described(leaf)]) from None
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise DtypeError(f"{leaf!r} takes {leaf.type.dtype}; {_kind(value)} is no number of that kind", [described(leaf)])
    return array


def _converted(array: Array, value: Any, leaf: Expr, dtype: Any, downcast: bool) -> Array:
    if array.dtype == dtype or np.can_cast(array.dtype, dtype, "safe"):
        return array.astype(dtype, copy=False)
    kinds = array.dtype.kind, dtype.kind
    literal = not hasattr(value, "dtype")  # Python numbers have no width of their own
    whole = kinds[0] in "iu"
    if whole and kinds[1] in "iu":
        info = np.iinfo(dtype)
        if array.size == 0 or (int(array.min()) >= info.min and int(array.max()) <= info.max):
            return array.astype(dtype)
        lost = f"values from {array.min()} to {array.max()}"
        raise DtypeError(f"{leaf!r} takes {dtype}; {lost} do not fit", _parts(leaf, array))
    if array.size == 0 and literal:  # an empty list is float64 to NumPy
        return array.astype(dtype)
    if kinds[1] == "f" and (literal or downcast or whole):
        return array.astype(dtype)
    if downcast and kinds[1] != "b":
        return array.astype(dtype)
    remedy = f"Pass value.astype({str(dtype)!r}), or make the function with allow_input_downcast=True."
    raise DtypeError(f"{leaf!r} takes {dtype}; {array.dtype} would lose digits", _parts(leaf, array), remedy)


def _parts(leaf: Expr, array: Array) -> list[Part]:
    return [described(leaf), ("the value", f"{array.dtype}{list(array.shape)}", "")]


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return f"the text {value!r}"
    dtype = getattr(value, "dtype", None)
    return f"{type(value).__name__} of {dtype}" if dtype is not None else f"{type(value).__name__} {value!r}"[:60]
