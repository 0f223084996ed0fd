"""Views: maps from the result's indices to the operand's. They never have loops of their own.

Five index maps serve all of NumPy's rearrangements: spread (permute, insert and repeat axes), slice, pad (the adjoint
of slice, guarded), tile and repeat_each; reshape keeps the elements in C order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symdl.graph.expr import OPS, Expr, Inferred, Op, constant, make, register
from symdl.ops.declare import spread
from symdl.types import (
    Dim,
    Extent,
    Fact,
    Shape,
    TensorType,
    equal,
    floor_divide,
    nonnegative,
    product,
    require_at_most,
)

Indices = tuple[Any, ...]
Mapped = tuple[Indices, tuple[tuple[Any, Any], ...]]  # operand's indices; (index, extent) of each guard


# ---- spread: axis k of x is axis axes[k] of the result; other axes repeat x ----


def sized(name: str, shape: Shape) -> list[Fact]:
    """The facts that extents are not negative, which the value of an integer input may be."""
    facts: list[Fact] = []
    for n in shape:
        if isinstance(n, Dim) and not nonnegative(n):
            require_at_most(0, n, f"{name}: a size of {{right}}", facts)
    return facts


def _spread_infer(t: TensorType, *, shape: Shape, axes: tuple[int, ...]) -> Inferred:
    facts = sized("broadcast_to", shape)
    for k, n in zip(axes, t.shape, strict=True):
        if n != 1:
            equal(n, shape[k], f"broadcast_to: axis {k} of {{0}} is {{left}}, not {{right}}", facts)
    return TensorType(t.dtype, shape), tuple(facts)


def _spread_numpy(x: Any, *, shape: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    x = np.transpose(x, np.argsort(axes)) if axes else np.asarray(x)
    return np.broadcast_to(x[tuple(slice(None) if k in axes else None for k in range(len(shape)))], shape)


def _spread_pullback(g: Expr, y: Expr, x: Expr, *, shape: Shape, axes: tuple[int, ...]) -> tuple[Expr]:
    kept = sorted(k for k, n in zip(axes, x.type.shape, strict=True) if not (n == 1 and shape[k] != 1))
    repeated = tuple(k for k in range(len(shape)) if k not in kept and shape[k] != 1)
    if repeated:
        g = make(OPS["sum"], (g,), axes=repeated)
    left = [k for k in range(len(shape)) if k not in repeated]
    g = dropped(g, tuple(left.index(k) for k in left if k not in kept))
    return (spread(g, x.type.shape, tuple(axes.index(k) for k in kept)),)


def _spread_map(at: Indices, operand: Shape, *, shape: Shape, axes: tuple[int, ...]) -> Mapped:
    return tuple(0 if n == 1 else at[k] for k, n in zip(axes, operand, strict=True)), ()


SPREAD = register(
    Op(
        "spread", "view", ("x",), _spread_infer, "Permute, insert and repeat axes.", reference=_spread_numpy,
        pullback=_spread_pullback, index_map=_spread_map,
    )
)  # fmt: skip


# ---- slice: x[starts : : steps] of the given lengths ----


def _slice_infer(
    t: TensorType, *, starts: Shape, steps: tuple[int, ...], lengths: Shape, single: tuple[int, ...] = ()
) -> Inferred:
    facts: list[Fact] = []
    for k in single:  # an index, not a slice that is cut off: it must exist
        why = f"getitem: axis {k} of {{0}} has {{right}} entries, too few for this index, which needs {{left}}"
        if isinstance(starts[k], int):
            why = f"getitem: index {starts[k]} lies outside the {{right}} entries of axis {k} of {{0}}"
        require_at_most(starts[k] + 1, t.shape[k], why, facts)
        require_at_most(
            0, starts[k], f"getitem: axis {k} of {{0}} has too few entries for this index from its end", facts
        )
    return TensorType(t.dtype, lengths), tuple(facts)


def _slice_numpy(x: Any, *, starts: Any, steps: Any, lengths: Any, single: tuple[int, ...] = ()) -> Any:
    return x[np.ix_(*(s + d * np.arange(n) for s, d, n in zip(starts, steps, lengths, strict=True)))]


def _slice_pullback(
    g: Expr, y: Expr, x: Expr, *, starts: Any, steps: Any, lengths: Any, single: tuple[int, ...] = ()
) -> tuple[Expr]:
    return (make(PAD, (g,), starts=starts, steps=steps, shape=x.type.shape, fill=0),)


def _slice_map(
    at: Indices, operand: Shape, *, starts: Any, steps: Any, lengths: Any, single: tuple[int, ...] = ()
) -> Mapped:
    return tuple(s + i * d for i, s, d in zip(at, starts, steps, strict=True)), ()


SLICE = register(
    Op(
        "slice", "view", ("x",), _slice_infer, "Every step-th element from start on, along each axis.",
        reference=_slice_numpy, pullback=_slice_pullback, index_map=_slice_map,
    )
)  # fmt: skip


# ---- pad: the adjoint of slice ----


def _pad_infer(t: TensorType, *, starts: Any, steps: Any, shape: Shape, fill: float) -> Inferred:
    facts: list[Fact] = []
    for k, (s, d, n, m) in enumerate(zip(starts, steps, t.shape, shape, strict=True)):
        first, last = (s, s + (n - 1) * d)[:: 1 if d > 0 else -1]
        require_at_most(0, first, f"subtensor: the place begins at {{right}} on axis {k}, before 0", facts)
        require_at_most(
            last + 1, m, f"subtensor: the place ends at {{left}} on axis {k}, which has {{right}} entries", facts
        )
    return TensorType(t.dtype, shape), tuple(facts)


def _pad_numpy(x: Any, *, starts: Any, steps: Any, shape: Any, fill: float) -> Any:
    out = np.full(shape, fill, x.dtype)
    if x.size:
        out[np.ix_(*(s + d * np.arange(n) for s, d, n in zip(starts, steps, x.shape, strict=True)))] = x
    return out


def _pad_pullback(g: Expr, y: Expr, x: Expr, *, starts: Any, steps: Any, shape: Shape, fill: float) -> tuple[Expr]:
    return (make(SLICE, (g,), starts=starts, steps=steps, lengths=x.type.shape),)


def _pad_map(at: Indices, operand: Shape, *, starts: Any, steps: Any, shape: Shape, fill: float) -> Mapped:
    indices: list[Any] = []
    bounds: list[tuple[Any, Any]] = []
    for i, s, d, n, m in zip(at, starts, steps, operand, shape, strict=True):
        if n == m and s == 0 and d == 1:
            indices.append(i)
            continue
        distance = i - s if d > 0 else s - i
        here = floor_divide(distance, abs(d))
        bounds.append((here, n))
        if abs(d) != 1:
            bounds.append((distance - here * abs(d), 1))
        indices.append(0 if n == 1 else here)
    return tuple(indices), tuple(bounds)


PAD = register(
    Op(
        "pad", "view", ("x",), _pad_infer, "x at the places that slice would read, fill elsewhere.",
        reference=_pad_numpy, pullback=_pad_pullback, index_map=_pad_map,
    )
)  # fmt: skip


# ---- tile and repeat_each, along one axis ----


def _times(t: TensorType, count: Extent, axis: int) -> Shape:
    return (*t.shape[:axis], t.shape[axis] * count, *t.shape[axis + 1 :])


def _folded(g: Expr, x: Expr, count: Extent, axis: int, count_first: bool) -> Expr:
    """The gradient of a repetition: its copies, added up."""
    n = x.type.shape[axis]
    pair = (count, n) if count_first else (n, count)
    wide = (*x.type.shape[:axis], *pair, *x.type.shape[axis + 1 :])
    return make(OPS["sum"], (reshape_to(g, wide),), axes=(axis if count_first else axis + 1,))


def _times_infer(t: TensorType, *, count: Extent, axis: int) -> Inferred:
    return TensorType(t.dtype, _times(t, count, axis)), tuple(sized("repeat", (count,)))


def _tile_map(at: Indices, operand: Shape, *, count: Extent, axis: int) -> Mapped:
    n = operand[axis]
    here = 0 if n in (0, 1) else at[axis] - n * floor_divide(at[axis], n)  # of 0 entries none is ever read
    return (*at[:axis], here, *at[axis + 1 :]), ()


def _repeat_map(at: Indices, operand: Shape, *, count: Extent, axis: int) -> Mapped:
    here = 0 if operand[axis] == 1 or count == 0 else floor_divide(at[axis], count)
    return (*at[:axis], here, *at[axis + 1 :]), ()


TILE = register(
    Op(
        "tile_axis", "view", ("x",), _times_infer,
        "x laid end to end along one axis.", index_map=_tile_map,
        reference=lambda x, *, count, axis: np.concatenate([x] * count or [x[(slice(None),) * axis + (slice(0, 0),)]], axis),
        pullback=lambda g, y, x, *, count, axis: (_folded(g, x, count, axis, True),),
    )
)  # fmt: skip
REPEAT = register(
    Op(
        "repeat_each", "view", ("x",), _times_infer,
        "Each element of x several times along one axis.", index_map=_repeat_map,
        reference=lambda x, *, count, axis: np.repeat(x, count, axis),
        pullback=lambda g, y, x, *, count, axis: (_folded(g, x, count, axis, False),),
    )
)  # fmt: skip


# ---- reshape ----


def _reshape_infer(t: TensorType, *, shape: Shape) -> Inferred:
    facts = sized("reshape", shape)
    equal(product(t.shape), product(shape), "reshape: {0} has {left} elements, the new shape {right}", facts)
    return TensorType(t.dtype, shape), tuple(facts)


RESHAPE = register(
    Op(
        "reshape", "reshape", ("x",), _reshape_infer, "The same elements in C order under another shape.",
        reference=lambda x, *, shape: np.reshape(x, shape),
        pullback=lambda g, y, x, *, shape: (reshape_to(g, x.type.shape),),
    )
)  # fmt: skip


def reshape_to(x: Expr, shape: Shape) -> Expr:
    """x under another shape of equal size; where only axes of 1 come or go it is a spread."""
    if x.type.shape == shape:
        return x
    if [n for n in x.type.shape if n != 1] == [n for n in shape if n != 1]:
        narrow = dropped(x, tuple(k for k, n in enumerate(x.type.shape) if n == 1))
        return spread(narrow, shape, tuple(k for k, n in enumerate(shape) if n != 1))
    return make(RESHAPE, (x,), shape=shape)


def dropped(x: Expr, axes: tuple[int, ...]) -> Expr:
    """x without axes that are 1: known to be, or as a fact says that each call is checked for."""
    return make(DROP, (x,), axes=axes) if axes else x


# ---- drop: x without axes of extent 1 ----


def _drop_map(at: Indices, operand: Shape, *, axes: tuple[int, ...]) -> Mapped:
    rest = iter(at)
    return tuple(0 if k in axes else next(rest) for k in range(len(operand))), ()


def _drop_pullback(g: Expr, y: Expr, x: Expr, *, axes: tuple[int, ...]) -> tuple[Expr]:
    return (spread(g, x.type.shape, tuple(k for k in range(len(x.type.shape)) if k not in axes)),)


DROP = register(
    Op(
        "squeeze", "view", ("x",),
        lambda t, *, axes: (TensorType(t.dtype, tuple(n for k, n in enumerate(t.shape) if k not in axes)), ()),
        "x without axes of extent 1.", reference=lambda x, *, axes: np.squeeze(x, axes), pullback=_drop_pullback,
        index_map=_drop_map,
    )
)  # fmt: skip


def zeros_of(shape: Shape, dtype: str) -> Expr:
    """All 0, a stretched constant."""
    return spread(constant(0, dtype), shape, ())
