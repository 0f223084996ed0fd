"""What a compiled function takes and gives: In, Out, and the conversion of a caller's value to the array it runs on."""

from __future__ import annotations

import sys
from typing import Any, Literal

import numpy as np

from symdl.errors import DtypeError, InputError, Part, ShapeError, axes, kind_of
from symdl.graph.expr import Expr, described
from symdl.records import record

Array = np.ndarray[Any, Any]
Loss = Literal["none", "digits", "any"]  # what a conversion may lose: nothing, digits of floats, or the kind of number
EXACT = {"float32": 1 << 24, "float64": 1 << 53}  # integers up to here have a float of their own


@record
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
    update: Any = None
    strict: bool = False
    allow_downcast: bool | None = None
    mutable: bool = False
    borrow: bool = False


@record
class Out:
    """An output of a function. borrow is accepted for Theano's sake: outputs are always the caller's own.

    on_device: of a function for a GPU, the output stays there, as a DeviceArray, which other such functions, torch, cupy
    and jax take as it is; `numpy()` brings it home. On the CPU it is a NumPy array as always.
    """

    variable: Any
    borrow: bool = False
    on_device: bool = False


def as_array(value: Any, leaf: Expr, strict: bool = False, downcast: bool = False) -> Array:
    """value as an array of the leaf's dtype and number of axes, converted only where nothing is lost.

    Arrays, numbers, nested lists and whatever has __array__ or __dlpack__. Python numbers adopt the leaf's dtype;
    integer arrays may change width where their values fit; float64 goes into float32 only with downcast.
    Raises InputError, DtypeError or ShapeError.
    """
    dtype = np.dtype(leaf.type.dtype)
    what = repr(leaf)
    if type(value) is np.ndarray and value.dtype == dtype:
        array = value
    elif strict and getattr(value, "dtype", object) != dtype:  # to NumPy, None is float64
        raise DtypeError(
            f"{what} is strict: it takes {dtype} and nothing else, not {kind_of(value)}", [described(leaf)]
        )
    else:
        array = converted(value, dtype, what, [described(leaf)], "any" if downcast else "none")
    if array.ndim != leaf.type.ndim:
        raise ShapeError(
            f"{what} has {axes(leaf.type.ndim)}, the value given {axes(array.ndim)}", [described(leaf), part_of(array)]
        )
    return array


def converted(value: Any, dtype: Any, what: str, parts: list[Part], loss: Loss) -> Array:
    """value as an array of dtype; may be value itself. what and parts begin the message of an error."""
    array = plain(value, what, parts, dtype)
    if array.dtype == dtype or np.can_cast(array.dtype, dtype, "safe"):
        return array.astype(dtype, copy=False)
    literal = not hasattr(value, "dtype")  # Python numbers have no width of their own
    if array.size == 0 and literal:  # an empty list is float64 to NumPy
        return array.astype(dtype)
    if array.dtype.kind in "iu":
        _check_fit(array, dtype, what, parts, literal or loss != "none")
        return array.astype(dtype)
    if dtype.kind == "f" and (literal or loss != "none"):
        with np.errstate(over="ignore"):
            out = array.astype(dtype)
        if literal and (wide := array[np.isinf(out) & np.isfinite(array)]).size:
            raise DtypeError(f"{what} takes {dtype}, which does not hold {wide[0]}", [*parts, part_of(array)])
        return out
    if dtype.kind == "f":
        remedy = (
            f"value.astype({str(dtype)!r}) rounds it; function(..., allow_input_downcast=True) lets every call round."
        )
        raise DtypeError(f"{what} takes {dtype}; {array.dtype} would lose digits", [*parts, part_of(array)], remedy)
    if loss == "any" and dtype.kind in "iu" and array.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            return array.astype(dtype)
    if literal:
        raise DtypeError(f"{what} takes {dtype}, not {kind_of(value)}", parts)
    remedy = "value != 0 is bool." if dtype.kind == "b" else f"value.astype({str(dtype)!r}) drops the fractions."
    raise DtypeError(f"{what} takes {dtype}, not {array.dtype}", [*parts, part_of(array)], remedy)


def _check_fit(array: Array, dtype: Any, what: str, parts: list[Part], rounding: bool) -> None:
    """Raises DtypeError where dtype does not hold these integers; floats hold all if they may be rounded."""
    if dtype.kind == "f":
        low, high = -EXACT[str(dtype)], EXACT[str(dtype)]
    else:
        low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    if array.size == 0 or (dtype.kind == "f" and rounding):
        return
    least, most = int(array.min()), int(array.max())
    if least < low or most > high:
        found = str(least) if least == most else f"{least} to {most}"
        exactly = " exactly" if dtype.kind == "f" else ""
        raise DtypeError(f"{what} takes {dtype}, which does not hold {found}{exactly}", [*parts, part_of(array)])


def plain(value: Any, what: str, parts: list[Part], wanted: Any) -> Array:
    """value as an array of bools, integers or floats of at most 64 bits. wanted is what messages say that it takes."""
    if isinstance(value, Expr) and type(value) is Expr:
        raise InputError(f"{what} takes a value, not the expression {value!r}", [*parts, described(value)])
    # Asking for np.ma would load it, which is slow; who has a masked array has loaded it.
    masked = sys.modules.get("numpy.ma")
    if masked is not None and isinstance(value, masked.MaskedArray) and masked.is_masked(value):
        raise DtypeError(f"{what} takes {wanted}; the value is a masked array, some of whose entries have none", parts)
    try:
        if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
            array: Array = np.from_dlpack(value)
        else:
            array = np.asarray(value)
    except ValueError:
        raise ShapeError(f"{what} takes an array; the value has rows of different lengths", parts) from None
    except (TypeError, RuntimeError, BufferError) as error:  # a torch tensor that requires a gradient, or on a GPU
        why = " ".join(str(error).split())
        raise InputError(f"{what} cannot read the value, {kind_of(value)}: {why}", parts) from None
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        if array.dtype == object and isinstance(value, int):
            raise DtypeError(f"{what} takes {wanted}, which does not hold {kind_of(value)}", parts)
        raise DtypeError(f"{what} takes {wanted}, not {kind_of(value)}", parts, _as_numbers(value, array, wanted))
    return array


def _as_numbers(value: Any, array: Array, wanted: Any) -> str:
    """How a value that is not taken becomes an array that is, if it can."""
    if hasattr(value, "toarray") and hasattr(value, "nnz"):
        return "value.toarray() is the array."
    if array.dtype.kind == "c":
        return "value.real and value.imag are real."
    if getattr(wanted, "kind", "") != "f" or array.dtype.kind in "mM":
        return ""
    try:
        found = array.astype(wanted)
    except (TypeError, ValueError, OverflowError):
        return ""
    return "" if np.isnan(found).any() else f"np.asarray(value, {str(wanted)!r}) makes floats of it."


def part_of(array: Array) -> Part:
    """An array given by the user, as a part of an error message."""
    return "the value", f"{array.dtype}[{', '.join(map(str, array.shape))}]" if array.ndim else str(array.dtype), ""
