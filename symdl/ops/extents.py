"""Sizes as expressions and expressions as sizes: x.shape[0] is a symbolic integer, T.zeros((n, 3)) takes one."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symdl.errors import ShapeError, kind_of
from symdl.errors import axes as counted_axes
from symdl.graph.expr import CONSTANT, OPS, VARIABLE, Expr, Op, as_expr, constant, described, explained, make, register
from symdl.graph.methods import declared
from symdl.ops.counted import extent_from_data
from symdl.types import Dim, Extent, Shape, TensorType, floor_divide, largest, product, smallest, symbol

EXTENT = register(
    Op(
        "extent", "position", (), lambda *, extent: (TensorType("int64"), ()),
        "The number that a symbolic extent is at run time.", reference=lambda *, extent: np.int64(extent),
        pullback=lambda *_, **__: (),
    )
)  # fmt: skip


def expr_of(extent: Extent) -> Expr:
    """An extent as an int64 scalar expression."""
    return make(EXTENT, (), extent=extent) if isinstance(extent, Dim) else constant(extent, "int64")


def exprs_of(shape: Shape) -> tuple[Any, ...]:
    """A shape as a user sees it: ints where known, else int64 scalars."""
    return tuple(n if isinstance(n, int) else expr_of(n) for n in shape)


def value_symbol(leaf: Expr) -> Dim:
    """The extent that an integer scalar variable stands for: bound to its value when the function is called."""
    return symbol(leaf.name or "unnamed", leaf.params["id"], signed=True)


COMBINE: dict[str, Callable[..., Extent]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "neg": operator.neg, "floor_div": floor_divide,
    "maximum": largest, "minimum": smallest, "cast": lambda x: x,
}  # fmt: skip


def extent_or_none(value: Any) -> Extent | None:
    """value as an extent, or None where it is known only from data."""
    if isinstance(value, Dim):
        return value
    if not isinstance(value, Expr):
        try:
            return operator.index(value)
        except TypeError:
            return None
    if value.type.shape != () or value.type.dtype == "bool" or value.type.dtype.startswith("float"):
        return None
    if value.op is EXTENT:
        return value.params["extent"]  # type: ignore[no-any-return]  # params are Any
    if value.op is CONSTANT:
        return int(value.params["value"].array)
    if value.op is VARIABLE:  # a shared value is data: no call binds it
        return value_symbol(value) if type(value) is Expr else None
    if value.op.name in COMBINE:
        parts = [extent_or_none(i) for i in value.inputs]
        if None not in parts:
            return COMBINE[value.op.name](*parts)
    return None


def as_extent(value: Any, what: str) -> Extent:
    """value as an extent; raises ShapeError where it is none. One that is computed from data counts as 0 if it is below."""
    found = extent_or_none(value)
    if found is None:
        if isinstance(value, Expr):
            if value.type.shape == () and value.type.dtype[0] in "iu":
                return extent_from_data(value)
            raise ShapeError(f"{what}: a size must be an integer scalar, not {value.type}", [described(value)])
        raise ShapeError(f"{what}: {kind_of(value)} is not a size")
    return found


def _entries(sizes: Expr) -> Any:
    """The entries of a vector of sizes, such as T.stack([n, m]) or T.concatenate([x.shape[:1], [3]])."""
    out: list[Any] = []
    for piece in sizes.inputs if sizes.op is OPS.get("join") else (sizes,):
        count = piece.type.shape[0]
        if not isinstance(count, int):
            return sizes  # which is no shape
        if piece.op is CONSTANT:
            out += piece.params["value"].array.tolist()
        elif piece.op.name == "spread" and not piece.inputs[0].type.shape:
            out += [piece.inputs[0]] * count
        else:
            out += [piece[k] for k in range(count)]
    return out


def as_shape(shape: Any, what: str, least: int = 0) -> Shape:
    """A user's shape (a number, or a sequence of them) as extents; raises ShapeError for a number below least."""
    if isinstance(shape, Expr) and shape.type.ndim == 1:
        shape = _entries(shape)
    if isinstance(shape, int | np.integer | Dim | Expr):
        shape = (shape,)
    if not isinstance(shape, Sequence | np.ndarray):
        raise ShapeError(f"{what}: {kind_of(shape)} is not a shape")
    extents = tuple(as_extent(n, what) for n in shape)
    for n in extents:
        if isinstance(n, int) and n < least:
            raise ShapeError(f"{what}: a size of {n}")
    return extents


def axis_in(x: Expr, axis: Any, what: str, extra: int = 0) -> int:
    """axis counted from the front, of x or of what has so many axes more; ShapeError where there is none."""
    try:
        return axis_of(axis, x.type.ndim + extra, what)
    except ShapeError as error:
        raise explained(error, [x]) from None


def axis_of(axis: Any, ndim: int, what: str) -> int:
    """axis counted from the front; raises ShapeError outside -ndim..ndim-1."""
    try:
        k = operator.index(axis)
    except TypeError:
        raise ShapeError(f"{what}: axis {axis!r} is not an integer") from None
    if not -ndim <= k < ndim:
        raise ShapeError(f"{what}: there is no axis {k} in {{0}}, which has {counted_axes(ndim)}")
    return k % ndim


def axes_in(x: Expr, axis: Any, what: str) -> tuple[int, ...]:
    """One axis of x, several, or None for all, counted from the front and sorted; raises ShapeError on repeats."""
    if axis is None:
        return tuple(range(x.type.ndim))
    axes = [axis_in(x, a, what) for a in (axis if isinstance(axis, tuple | list) else (axis,))]
    if len(set(axes)) != len(axes):
        raise ShapeError(f"{what}: axis {axis} names one axis twice", [described(x)])
    return tuple(sorted(axes))


@declared("shape")
def shape(x: Any) -> tuple[Any, ...]:
    """One entry an axis: an int where it is known, else a symbolic int64 scalar."""
    return exprs_of(as_expr(x).type.shape)


@declared("ndim")
def ndim(x: Any) -> int:
    """The number of axes."""
    return len(as_expr(x).type.shape)


@declared("dtype")
def dtype(x: Any) -> str:
    """The dtype's name."""
    return str(as_expr(x).type.dtype)


@declared("size")
def size(x: Any) -> Any:
    """The number of elements."""
    return exprs_of((product(as_expr(x).type.shape),))[0]
