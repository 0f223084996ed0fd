"""Pooling: the largest, the sum or the mean of each window of the last axes.

A small window is written out, one strided slice for each of its places, so that pooling is one formula that fuses with
what comes before and after it; a larger one is a reduction. The gradient is, for each place, a sum over the windows that
cover it.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symdl.errors import ConfigError, DtypeError, ShapeError
from symdl.graph.expr import OPS, Expr, Inferred, Op, as_expr, constant, described, make, register
from symdl.ops.convolutions import numbers
from symdl.ops.declare import cast_to, float_of, is_float
from symdl.ops.elementwise import add, cast, eq, maximum, where
from symdl.ops.extents import expr_of
from symdl.ops.reductions import FOLDS
from symdl.ops.shaping import INTERLEAVE, JOIN, interleaved, iota
from symdl.ops.views import PAD, SLICE, dropped, zeros_of
from symdl.ops.windows import covering_of, covers, unrolled, windows_of
from symdl.types import Extent, Fact, Shape, TensorType, floor_divide, largest, require_at_most

Numbers = tuple[int, ...]
COMBINE: dict[str, Callable[..., Any]] = {"max": maximum, "sum": add}
REPEATED = (2, 4)  # places of windows side by side that a loop in vectors repeats what it has of a window for
MOST_TURNS = 8  # sets of places, each of which is a loop
MODES = ("max", "sum", "average_inc_pad", "average_exc_pad", "average")


def _infer(
    t: TensorType, *, fold: str, window: Shape, steps: Numbers, pads: Shape, room: Shape, counts: Shape
) -> Inferred:
    facts: list[Fact] = []
    lead = len(t.shape) - len(window)
    for k, (n, size, whole) in enumerate(zip(t.shape[lead:], window, room, strict=True)):
        why = f"pool: windows of {{left}} places do not fit the {{right}} of axis {lead + k} of {{0}} and its border"
        require_at_most(size, whole, why, facts)
        if fold == "max":
            require_at_most(1, n, f"pool: axis {lead + k} of {{0}} is empty", facts)
    return TensorType(t.dtype, (*t.shape[:lead], *counts)), tuple(facts)


def _numpy(x: Any, *, fold: str, window: Numbers, steps: Numbers, pads: Numbers, room: Numbers, counts: Numbers) -> Any:
    lead = x.ndim - len(window)
    fill = FOLDS[fold].identity(x.dtype.name)
    wide = np.full((*x.shape[:lead], *room), fill, x.dtype)
    whole = (slice(None),) * lead
    wide[(*whole, *(slice(p, p + n) for p, n in zip(pads, x.shape[lead:], strict=True)))] = x
    total = np.full((*x.shape[:lead], *counts), fill, x.dtype)
    combine = np.maximum if fold == "max" else np.add
    for u in np.ndindex(*window):
        spots = (slice(a, a + (c - 1) * k + 1 if c else a, k) for a, c, k in zip(u, counts, steps, strict=True))
        total = combine(total, wide[(*whole, *spots)])
    return total


def _taps(
    x: Expr, fill: float, *, window: Shape, steps: Numbers, pads: Shape, room: Shape, counts: Shape
) -> list[Expr] | None:
    """For each place of the window a view in the shape of the result; None where they are many, or how many is not known."""
    places = unrolled(window)
    if places is None:
        return None
    lead = x.type.ndim - len(window)
    shape = x.type.shape
    if room != shape[lead:]:
        starts = (0,) * lead + tuple(pads)
        x = make(PAD, (x,), starts=starts, steps=(1,) * len(shape), shape=(*shape[:lead], *room), fill=fill)
    lengths = (*shape[:lead], *counts)
    own = (1,) * lead + steps
    return [make(SLICE, (x,), starts=(0,) * lead + u, steps=own, lengths=lengths) for u in places]


def windowed(x: Expr, fill: float, *, window: Shape, steps: Numbers, pads: Shape, room: Shape, counts: Shape) -> Expr:
    """x with one more axis at the end for the places of windows along each of its last axes."""
    lead = x.type.ndim - len(window)
    for k, (w, step, before, count) in enumerate(zip(window, steps, pads, counts, strict=True)):
        x = windows_of(x, lead + k, -before, step, 1, count, w, fill)
    return x


def _expand(x: Expr, *, fold: str, **how: Any) -> Expr:
    fill = FOLDS[fold].identity(x.type.dtype)
    taps = _taps(x, fill, **how)
    if taps is not None:
        return functools.reduce(COMBINE[fold], taps)
    wide = windowed(x, fill, **how)
    return make(OPS[fold], (wide,), axes=tuple(range(x.type.ndim, wide.type.ndim)))


def _pull(g: Expr, y: Expr, x: Expr, *, fold: str, **how: Any) -> tuple[Expr | None]:
    if not is_float(x.type.dtype):
        return (None,)
    placed = {name: how[name] for name in ("window", "steps", "pads")}
    if fold == "sum":
        return (spread_back(x, [g], lambda parts: parts[0], **placed),)
    # Places that tie for the largest of a window share its gradient evenly.
    dtype, fill = x.type.dtype, FOLDS["max"].identity(x.type.dtype)
    taps = _taps(x, fill, **how)
    if taps is None:
        wide = windowed(x, fill, **how)
        own = make(OPS["spread"], (y,), shape=wide.type.shape, axes=tuple(range(y.type.ndim)))
        ties = make(OPS["sum"], (cast(eq(wide, own), dtype),), axes=tuple(range(y.type.ndim, wide.type.ndim)))
    else:
        ties = functools.reduce(add, [cast(eq(t, y), dtype) for t in taps])
    zero = constant(0, dtype)
    return (spread_back(x, [y, g / ties], lambda parts: where(eq(parts[2], parts[0]), parts[1], zero), **placed),)


def spread_back(
    x: Expr,
    of_windows: Sequence[Expr],
    term: Callable[[list[Expr]], Expr],
    *,
    window: Shape,
    steps: Numbers,
    pads: Numbers,
) -> Expr:
    """For each place of x the sum, over the windows that cover it, of term([*what the window has, x])."""
    many = tuple(covers(w, k, 1) for w, k in zip(window, steps, strict=True))
    lead = x.type.ndim - len(window)

    def covered(w: Expr) -> Expr:
        for k, (size, step, before) in enumerate(zip(window, steps, pads, strict=True)):
            w = covering_of(w, lead + k, -before, step, size, x.type.shape[lead + k])
        return w

    if all(m == 1 for m in many) and steps[-1] == window[-1] in REPEATED and not pads[-1]:
        wide = [_fixed(covered(w), (0,) * len(window), x.type.ndim) for w in of_windows]
        return term([*wide, x])
    if unrolled(many) is not None and steps[-1] <= MOST_TURNS:
        return _in_turns(x, of_windows, term, window, steps, pads)
    wide = [covered(w) for w in of_windows]
    n = x.type.ndim
    spot = make(OPS["spread"], (x,), shape=(*x.type.shape, *many), axes=tuple(range(n)))
    return make(OPS["sum"], (term([*wide, spot]),), axes=tuple(range(n, n + len(many))))


def _in_turns(
    x: Expr,
    of_windows: Sequence[Expr],
    term: Callable[[list[Expr]], Expr],
    window: Shape,
    steps: Numbers,
    pads: Numbers,
) -> Expr:
    """spread_back for small windows. Along the last axis places a step apart see the same places of their windows: each such
    set is a loop of its own over neighbouring windows, which 0 surrounds, and the sets take turns."""
    n, last = x.type.ndim, x.type.ndim - 1
    lead = n - len(window)
    step, before = steps[-1], pads[-1]
    many = [covers(w, k, 1) for w, k in zip(window, steps, strict=True)]
    extent, most, size = x.type.shape[last], many[-1], window[-1]
    assert isinstance(most, int)  # small windows are known
    assert isinstance(size, int)
    total = most - 1 + floor_divide(extent - 1 + before, step) + 1
    wide = []
    for w in of_windows:
        w = _surrounded(w, most - 1, total, last)
        for k in range(len(window) - 1):
            w = covering_of(w, lead + k, -pads[k], steps[k], window[k], x.type.shape[lead + k])
        wide.append(w)
    rows = unrolled(many[:-1]) or []
    pieces = []
    for u in range(step):
        lengths = (*x.type.shape[:last], interleaved(extent, step, u))
        own = _every(x, u, step, lengths)
        terms = []
        for m in range(most):
            ahead, at = divmod(u + before, step)
            if at + step * m < size:
                first = most - 1 + ahead - m
                near = [[_every(_fixed(w, row, n), first, 1, lengths) for w in wide] for row in rows]
                terms += [term([*given, own]) for given in near]
        pieces.append(functools.reduce(add, terms) if terms else zeros_of(lengths, x.type.dtype))
    return pieces[0] if len(pieces) == 1 else make(INTERLEAVE, tuple(pieces), axis=last, extent=extent)


def _every(x: Expr, start: int, step: int, lengths: Shape) -> Expr:
    """Each step-th element along the last axis."""
    last = x.type.ndim - 1
    return make(SLICE, (x,), starts=(0,) * last + (start,), steps=(1,) * last + (step,), lengths=lengths)


def _surrounded(w: Expr, before: int, total: Extent, axis: int) -> Expr:
    """w with zeros before and behind it along an axis, total places in all."""
    shape = w.type.shape

    def zeros(count: Extent) -> list[Expr]:
        return [zeros_of((*shape[:axis], count, *shape[axis + 1 :]), w.type.dtype)] if count != 0 else []

    pieces = [*zeros(before), w, *zeros(total - before - shape[axis])]
    return w if len(pieces) == 1 else make(JOIN, tuple(pieces), axis=axis)


def _fixed(w: Expr, places: tuple[int, ...], n: int) -> Expr:
    """w at places of the axes from n on, which fall away."""
    axes = tuple(range(n, w.type.ndim))
    if all(w.type.shape[k] == 1 for k in axes):
        return dropped(w, axes)
    lengths = (*w.type.shape[:n], *(1 for _ in places))
    one = make(SLICE, (w,), starts=(0,) * n + places, steps=(1,) * w.type.ndim, lengths=lengths)
    return dropped(one, axes)


POOL = register(
    Op(
        "pool", "composite", ("x",), _infer, "The fold of each window of the last axes.", reference=_numpy, expand=_expand,
        pullback=_pull, meaning="Max(*x)",
    )
)  # fmt: skip


# ---- what users call ----


def _counted(n: Extent, size: int, step: int, before: int, after: int, ignore_border: bool) -> Extent:
    """Theano's numbers of windows: those within the axis and its border, and, where the border counts, cut-off ones."""
    whole = n + before + after
    if ignore_border:
        return floor_divide(whole - size, step) + 1
    if step >= size:
        return floor_divide(n - 1, step) + 1
    return largest(floor_divide(n - size + step - 1, step), 0) + 1


def _pooled(axes: int, input: Any, ws: Any, ignore_border: bool, stride: Any, pad: Any, mode: str) -> Expr:
    name = f"pool_{axes}d"
    x = as_expr(input)
    if x.type.ndim < axes:
        raise ShapeError(f"{name}: {x!r} has {x.type.ndim} axes, fewer than {axes}", [described(x)])
    if x.type.dtype == "bool":
        raise DtypeError(f"{name}: takes numbers, not bool", [described(x)])
    if mode not in MODES:
        raise ConfigError(f"{name}: there is no mode {mode!r}", (), f"modes: {', '.join(MODES)}")
    if mode.startswith("average"):
        x = cast_to(x, float_of(x.type.dtype, "divide"))
    window = numbers(ws, axes, "ws", name)
    steps = window if stride is None else numbers(stride, axes, "stride", name)
    given = pad if isinstance(pad, Sequence) else (pad,) * axes
    pads = tuple(operator.index(p) for p in given)
    if len(pads) != axes or any(not 0 <= p < w for p, w in zip(pads, window, strict=False)):
        raise ConfigError(
            f"{name}: pad {pad!r} does not give each of the {axes} axes a number from 0 to below ws {window}"
        )
    if not ignore_border and any(pads):
        raise ConfigError(f"{name}: a pad needs ignore_border=True")
    lead = x.type.ndim - axes
    counts, room = [], []
    for k, (n, w, step, p) in enumerate(zip(x.type.shape[lead:], window, steps, pads, strict=True)):
        count = _counted(n, w, step, p, p, ignore_border)
        if isinstance(count, int) and count < 1:
            raise ShapeError(
                f"{name}: windows of {w} places do not fit the {n} of axis {lead + k} of {x!r}", [described(x)]
            )
        counts.append(count)
        room.append(n + 2 * p if ignore_border else largest(n, (count - 1) * step + w))
    how: dict[str, Any] = {"window": window, "steps": steps, "pads": pads, "counts": tuple(counts)}
    to_op = {**how, "room": tuple(room)}
    if mode == "max":
        return make(POOL, (x,), fold="max", **to_op)
    total = make(POOL, (x,), fold="sum", **to_op)
    if mode == "sum":
        return total
    if mode == "average_inc_pad" and ignore_border:
        return total / float(np.prod(window))
    return total / _members(x, total, lead, border=mode == "average_inc_pad", **how)


def _members(
    x: Expr, y: Expr, lead: int, *, border: bool, window: Numbers, steps: Numbers, pads: Numbers, counts: Shape
) -> Expr:
    """How many places each window has, in the shape of y; border: those of the border count."""
    out: Expr | None = None
    for k, (w, step, p) in enumerate(zip(window, steps, pads, strict=True)):
        n = x.type.shape[lead + k]
        first = iota(y.type.shape, lead + k) * step - p
        end = OPS["minimum"](first + w, expr_of(n + p if border else n))
        many = end - (first if border else OPS["maximum"](first, 0))
        out = many if out is None else out * many
    assert out is not None
    return cast(out, x.type.dtype)


def pool_2d(
    input: Any,
    ws: Any = None,
    ignore_border: bool = True,
    stride: Any = None,
    pad: Any = (0, 0),
    mode: str = "max",
) -> Expr:
    """Each window of ws places of the last two axes folded to one number, windows standing `stride` (by default ws) apart.

    mode: "max", "sum", "average_inc_pad" (over all places of the window), "average_exc_pad" or "average" (over those that
    are not border). pad: places of border on either side of each axis, less than ws. ignore_border: windows that do not
    fit are left out; else they are cut off at the end of the axis (then without pad). With it along each axis
    (extent + 2 pad - ws) // stride + 1 windows.

    The gradient of the largest goes to its place; places that tie share it evenly. (Theano gives each the whole of it, and
    others the first.) Raises ShapeError where no window fits, ConfigError for other settings.
    """
    return _pooled(2, input, 2 if ws is None else ws, ignore_border, stride, pad, mode)


def pool_3d(
    input: Any,
    ws: Any = None,
    ignore_border: bool = True,
    stride: Any = None,
    pad: Any = (0, 0, 0),
    mode: str = "max",
) -> Expr:
    """pool_2d over the last three axes."""
    return _pooled(3, input, 2 if ws is None else ws, ignore_border, stride, pad, mode)


def pool_1d(
    input: Any, ws: Any = None, ignore_border: bool = True, stride: Any = None, pad: Any = 0, mode: str = "max"
) -> Expr:
    """pool_2d over the last axis."""
    return _pooled(1, input, 2 if ws is None else ws, ignore_border, stride, pad, mode)
