"""Grids of indices, and what picks elements by them: mgrid, meshgrid, triangles, flat indices, choose, compress."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symdl.errors import DtypeError, ShapeError
from symdl.graph.expr import Expr, as_expr, constant, described
from symdl.graph.methods import declared
from symdl.ops.declare import cast_to, common_dtype, is_float, spread
from symdl.ops.elementwise import cast, eq, ge, where
from symdl.ops.extents import as_extent, as_shape, expr_of
from symdl.ops.indexing import getitem, take
from symdl.ops.shaping import arange, broadcast_to, iota, stack
from symdl.ops.sorting import flatnonzero
from symdl.types import Extent, broadcast


class Grid:
    """mgrid or ogrid: indexed with slices it gives one array a slice, of the places along its axis.

    mgrid[0:3, :4] is a pair of arrays of shape (3, 4), ogrid[0:3, :4] one of shape (3, 1) and one of (1, 4). Bounds may be
    expressions; a step is a number other than 0.
    """

    def __init__(self, dense: bool) -> None:
        self.dense = dense

    def __repr__(self) -> str:
        return "mgrid" if self.dense else "ogrid"

    def __getitem__(self, slices: Any) -> tuple[Expr, ...]:
        given = slices if isinstance(slices, tuple) else (slices,)
        lines = []
        for s in given:
            if not isinstance(s, slice) or s.stop is None:
                raise ShapeError(f"{self}: takes slices with an end, not {s!r}")
            step = 1 if s.step is None else s.step
            lines.append(arange(0 if s.start is None else s.start, s.stop, step))
        shape = tuple(line.type.shape[0] for line in lines)
        wide = [
            shape if self.dense else tuple(n if j == k else 1 for j, n in enumerate(shape)) for k in range(len(lines))
        ]
        return tuple(spread(line, w, (k,)) for k, (line, w) in enumerate(zip(lines, wide, strict=True)))


mgrid, ogrid = Grid(True), Grid(False)


def meshgrid(*vectors: Any, indexing: str = "xy") -> list[Expr]:
    """Vectors stretched over a common grid: with "xy" the first one runs along axis 1, with "ij" along axis 0."""
    if indexing not in ("xy", "ij"):
        raise ShapeError(f"meshgrid: indexing cannot be {indexing!r}", (), "choices: xy, ij")
    exprs = [as_expr(v) for v in vectors]
    for e in exprs:
        if e.type.ndim > 1:
            raise ShapeError(f"meshgrid: {e!r} is no vector", [described(e)])
    places = list(range(len(exprs)))
    if indexing == "xy" and len(places) > 1:
        places[:2] = [1, 0]
    sizes: list[Extent] = [1] * len(exprs)
    for e, k in zip(exprs, places, strict=True):
        sizes[k] = e.type.shape[0] if e.type.ndim else 1
    return [spread(e, tuple(sizes), (k,) if e.type.ndim else ()) for e, k in zip(exprs, places, strict=True)]


def tri(n: Any, m: Any = None, k: int = 0, dtype: Any = "float64") -> Expr:
    """n x m ones at and below the k-th diagonal, zeros above; m = n unless given."""
    rows = as_extent(n, "tri")
    shape = (rows, rows if m is None else as_extent(m, "tri"))
    return cast(ge(iota(shape, 0) + k, iota(shape, 1)), dtype)


def tril_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Expr, Expr]:
    """The indices of the elements at and below the k-th diagonal of an n x m matrix, two int64 vectors. n and m are ints."""
    rows, columns = np.tril_indices(n, k, m)
    return constant(rows, "int64"), constant(columns, "int64")


def triu_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Expr, Expr]:
    """The indices of the elements at and above the k-th diagonal of an n x m matrix, two int64 vectors. n and m are ints."""
    rows, columns = np.triu_indices(n, k, m)
    return constant(rows, "int64"), constant(columns, "int64")


def fill_diagonal(a: Any, val: Any) -> Expr:
    """a with val in the places [k, k, ...] of its main diagonal."""
    a = as_expr(a)
    if a.type.ndim < 2:
        raise ShapeError(f"fill_diagonal: {a!r} has no diagonal", [described(a)])
    if a.type.ndim == 2:
        return fill_diagonal_offset(a, val, 0)
    on = eq(iota(a.type.shape, 0), iota(a.type.shape, 1))
    for k in range(2, a.type.ndim):
        on = on & eq(iota(a.type.shape, 0), iota(a.type.shape, k))
    return where(on, cast_to(val, a.type.dtype), a)


def fill_diagonal_offset(a: Any, val: Any, offset: Any) -> Expr:
    """A matrix with val in the places [k, k + offset]."""
    a = as_expr(a)
    if a.type.ndim != 2:
        raise ShapeError(f"fill_diagonal_offset: {a!r} is no matrix", [described(a)])
    on = eq(iota(a.type.shape, 0) + offset, iota(a.type.shape, 1))
    return where(on, cast_to(val, a.type.dtype), a)


def unravel_index(indices: Any, shape: Any, order: str = "C") -> tuple[Expr, ...]:
    """Places in a flattened array as indices along its axes (order "C": the last axis runs quickest, "F": the first)."""
    at, extents = _whole("unravel_index", indices), as_shape(shape, "unravel_index")
    out: list[Expr] = []
    for n in reversed(extents) if _order("unravel_index", order) else extents:
        size = expr_of(n)
        out.append(at % size)
        at = at // size
    return tuple(reversed(out)) if order == "C" else tuple(out)


def ravel_multi_index(multi_index: Sequence[Any], dims: Any, mode: str = "raise", order: str = "C") -> Expr:
    """Indices along axes as places in the flattened array. mode: what becomes of an index outside its axis: "raise" leaves it
    to whoever uses the place, "wrap" counts on from the other end, "clip" takes the nearest."""
    extents = as_shape(dims, "ravel_multi_index")
    if mode not in ("raise", "wrap", "clip"):
        raise ShapeError(f"ravel_multi_index: mode cannot be {mode!r}", (), "choices: raise, wrap, clip")
    if len(multi_index) != len(extents):
        raise ShapeError(f"ravel_multi_index: {len(multi_index)} indices for {len(extents)} axes")
    pairs = list(zip((_whole("ravel_multi_index", i) for i in multi_index), extents, strict=True))
    out: Expr | None = None
    for i, n in pairs if _order("ravel_multi_index", order) else reversed(pairs):
        size = expr_of(n)
        i = i % size if mode == "wrap" else where(i < 0, 0, where(i >= size, size - 1, i)) if mode == "clip" else i
        out = i if out is None else out * size + i
    return constant(0, "int64") if out is None else out


def _order(what: str, order: str) -> bool:
    if order not in ("C", "F"):
        raise ShapeError(f"{what}: order cannot be {order!r}", (), "choices: C, F")
    return order == "C"


def _whole(what: str, indices: Any) -> Expr:
    e = as_expr(indices)
    if is_float(e.type.dtype) or e.type.dtype == "bool":
        raise DtypeError(f"{what}: {e!r} is {e.type.dtype}; indices are integers", [described(e)])
    return cast_to(e, "int64")


@declared("choose")
def choose(a: Any, choices: Any, mode: str = "raise") -> Expr:
    """out[...] = choices[a[...]][...]: for each element the one of several arrays that a names. They broadcast.

    choices: a list, or an array whose first axis tells them apart. mode: an index outside raises IndexRangeError ("raise"),
    counts on from the other end ("wrap") or means the nearest ("clip").
    """
    at = _whole("choose", a)
    if mode not in ("raise", "wrap", "clip"):
        raise ShapeError(f"choose: mode cannot be {mode!r}", (), "choices: raise, wrap, clip")
    if isinstance(choices, Expr):
        rows = choices
    else:
        dtype, parts = common_dtype(choices), [as_expr(c) for c in choices]
        zero = at * 0
        rows = stack([cast_to(p, dtype) + cast_to(zero, dtype) for p in parts])
    if rows.type.ndim == 0:
        raise ShapeError(f"choose: {rows!r} is a scalar, which holds no choices", [described(rows)])
    n = expr_of(rows.type.shape[0])
    at = at % n if mode == "wrap" else where(at < 0, 0, where(at >= n, n - 1, at)) if mode == "clip" else at
    shape, _ = broadcast("choose", [at.type.shape, rows.type.shape[1:]])
    at, rows = broadcast_to(at, shape), broadcast_to(rows, (rows.type.shape[0], *shape))
    return getitem(rows, (at, *(iota(shape, k) for k in range(len(shape)))))


@declared("compress")
def compress(condition: Any, x: Any, axis: int | None = None) -> Expr:
    """The slices of x along an axis at which a vector of conditions holds; of the flattened x if axis is None."""
    c = as_expr(condition)
    if c.type.ndim != 1:
        raise ShapeError(f"compress: the condition {c!r} is no vector", [described(c)])
    return take(x, flatnonzero(c), axis)
