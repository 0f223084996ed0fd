"""Windows that slide along an axis, as index maps.

Two views, each the adjoint of the other, hold all of it. A place i of an axis and a window y that covers it at its u-th
place belong together where i = start + y*step + u*spacing. `windows` reads [i, m] at [y, u] and `covering` reads [y, u] at
[i, m]: m counts the windows that cover one place, of which there are ceil(size / step) where windows have no holes. So a
sum over the windows of a place, the gradient of pooling, is a guarded gather, never a scatter.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from symdl.graph.expr import Expr, Inferred, Op, make, register
from symdl.ops.declare import spread
from symdl.ops.views import Indices, Mapped
from symdl.types import Extent, Fact, Shape, TensorType, floor_divide, require_at_most


def covers(size: Extent, step: int, spacing: int) -> Extent:
    """How many windows at most cover one place."""
    return floor_divide(size - 1, step) + 1 if spacing == 1 else size


# ---- windows: [.., i, .., m] at [.., y, .., u] ----


def _windows_infer(
    t: TensorType, *, axis: int, start: Extent, step: int, spacing: int, count: Extent, size: Extent, fill: float
) -> Inferred:
    facts: list[Fact] = []
    require_at_most(1, size, "windows: they have {right} places", facts)
    return TensorType(t.dtype, (*t.shape[:axis], count, *t.shape[axis + 1 : -1], size)), tuple(facts)


def _windows_map(
    at: Indices, operand: Shape, *, axis: int, start: Any, step: int, spacing: int, count: Any, size: Any, fill: float
) -> Mapped:
    y, u = at[axis], at[-1]
    i = start + y * step + u * spacing
    m = floor_divide(u, step) if spacing == 1 else u
    n = operand[axis]
    safe = start == 0 and (count - 1) * step + (size - 1) * spacing + 1 == n
    bounds = () if safe else ((i, n),)
    return (*at[:axis], 0 if n == 1 else i, *at[axis + 1 : -1], 0 if operand[-1] == 1 else m), bounds


def _windows_numpy(
    x: Any, *, axis: int, start: int, step: int, spacing: int, count: int, size: int, fill: float
) -> Any:
    y, u = np.arange(count)[:, None], np.arange(size)[None]
    i, m = start + y * step + u * spacing, (u // step if spacing == 1 else u) + 0 * y
    inside = (i >= 0) & (i < x.shape[axis])
    moved = np.moveaxis(x, axis, -2)
    if 0 in x.shape or not size:
        found = np.full((*moved.shape[:-2], count, size), fill, x.dtype)
    else:
        found = np.where(inside, moved[..., np.where(inside, i, 0), np.where(inside, m, 0)], np.asarray(fill, x.dtype))
    return np.moveaxis(found, -2, axis)


def _pull_windows(g: Expr, y: Expr, x: Expr, *, fill: float, size: Extent, count: Extent, **how: Any) -> tuple[Expr]:
    return (make(COVERING, (g,), extent=x.type.shape[how["axis"]], fill=0, **how),)


WINDOWS = register(
    Op(
        "windows", "view", ("x",), _windows_infer, "The places of sliding windows along an axis, as a new last axis.",
        reference=_windows_numpy, pullback=_pull_windows, index_map=_windows_map,
    )
)  # fmt: skip


# ---- covering: [.., y, .., u] at [.., i, .., m] ----


def _covering_infer(
    t: TensorType, *, axis: int, start: Extent, step: int, spacing: int, extent: Extent, fill: float
) -> Inferred:
    many = covers(t.shape[-1], step, spacing)
    return TensorType(t.dtype, (*t.shape[:axis], extent, *t.shape[axis + 1 : -1], many)), ()


def _covering_map(
    at: Indices, operand: Shape, *, axis: int, start: Any, step: int, spacing: int, extent: Any, fill: float
) -> Mapped:
    i, m = at[axis], at[-1]
    count, size = operand[axis], operand[-1]
    far = i - start if spacing == 1 else i - start - m * spacing
    window = floor_divide(far, step) - (m if spacing == 1 else 0)
    exact = start == 0 and m == 0 and spacing == 1 and count * step == extent
    bounds = [] if exact else [(window, count)]
    if spacing == 1:
        u = far - window * step
        if not (isinstance(size, int) and m == 0 and size >= step):  # else u < step <= size
            bounds.append((u, size))
    else:
        u = m
        if step != 1:
            bounds.append((far - window * step, 1))
    return (*at[:axis], 0 if count == 1 else window, *at[axis + 1 : -1], 0 if size == 1 else u), tuple(bounds)


def _covering_numpy(w: Any, *, axis: int, start: int, step: int, spacing: int, extent: int, fill: float) -> Any:
    count, size = w.shape[axis], w.shape[-1]
    i, m = np.arange(extent)[:, None], np.arange((size - 1) // step + 1 if spacing == 1 else size)[None]
    far = i - start - (0 if spacing == 1 else m * spacing)
    window = far // step - (m if spacing == 1 else 0)
    u = far - window * step if spacing == 1 else m + 0 * i
    inside = (window >= 0) & (window < count) & (u >= 0) & (u < size)
    if spacing != 1:
        inside &= far == window * step
    moved = np.moveaxis(w, axis, -2)
    if 0 in w.shape:
        found = np.zeros((*moved.shape[:-2], *inside.shape), w.dtype)
    else:
        found = np.where(inside, moved[..., np.where(inside, window, 0), np.where(inside, u, 0)], w.dtype.type(0))
    return np.moveaxis(found, -2, axis)


def _pull_covering(g: Expr, y: Expr, w: Expr, *, extent: Extent, fill: float, **how: Any) -> tuple[Expr]:
    count, size = w.type.shape[how["axis"]], w.type.shape[-1]
    return (make(WINDOWS, (g,), count=count, size=size, fill=0, **how),)


COVERING = register(
    Op(
        "covering", "view", ("w",), _covering_infer, "For each place of an axis the windows that cover it, as a new last axis.",
        reference=_covering_numpy, pullback=_pull_covering, index_map=_covering_map,
    )
)  # fmt: skip


# ---- along an axis without and with windows ----


def windows_of(
    x: Expr, axis: int, start: Extent, step: int, spacing: int, count: Extent, size: Extent, fill: float = 0
) -> Expr:
    """out[.., y, .., u] = x[.., start + y*step + u*spacing, ..], fill where there is no such place."""
    many = covers(size, step, spacing)
    wide = spread(x, (*x.type.shape, many), tuple(range(x.type.ndim)))
    return make(WINDOWS, (wide,), axis=axis, start=start, step=step, spacing=spacing, count=count, size=size, fill=fill)


def covering_of(w: Expr, axis: int, start: Extent, step: int, size: Extent, extent: Extent) -> Expr:
    """out[.., i, .., m]: w of the m-th of the windows without holes that cover place i, 0 where there is no such window."""
    wide = spread(w, (*w.type.shape, size), tuple(range(w.type.ndim)))
    return make(COVERING, (wide,), axis=axis, start=start, step=step, spacing=1, extent=extent, fill=0)


def unrolled(counts: Sequence[Extent], most: int = 16) -> list[tuple[int, ...]] | None:
    """All places in a small block of known extents; None for others."""
    known = [n for n in counts if isinstance(n, int)]
    if len(known) < len(counts) or math.prod(known) > most:
        return None
    return list(itertools.product(*map(range, known)))
