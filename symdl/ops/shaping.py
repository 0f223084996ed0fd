"""NumPy's functions that rearrange, as users call them, written in the five index maps of views."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from symdl.config import config
from symdl.errors import DtypeError, ShapeError
from symdl.errors import axes as counted_axes
from symdl.graph.expr import OPS, Expr, Inferred, Op, as_expr, checked_dtype, constant, described, make, register
from symdl.graph.methods import declared
from symdl.ops.counted import repeated_of
from symdl.ops.declare import cast_to, common_dtype, differentiable, is_float, spread, stacked
from symdl.ops.elementwise import where
from symdl.ops.extents import as_extent, as_shape, axes_in, axis_in, expr_of
from symdl.ops.views import PAD, REPEAT, SLICE, TILE, dropped, reshape_to, sized
from symdl.types import Extent, Fact, Shape, TensorType, equal, floor_divide, largest, product, show_extent

# ---- permuting, inserting, dropping ----


@declared("transpose")
def transpose(x: Any, axes: Sequence[int] | None = None) -> Expr:
    """Axes in another order, reversed by default: out.shape[k] = x.shape[axes[k]]."""
    x = as_expr(x)
    n = len(x.type.shape)
    order = tuple(range(n))[::-1] if axes is None else tuple(axis_in(x, a, "transpose") for a in axes)
    if sorted(order) != list(range(n)):
        raise ShapeError(f"transpose: {axes} does not name each of the {n} axes of {x!r} once", [described(x)])
    back = tuple(order.index(k) for k in range(n))
    return spread(x, tuple(x.type.shape[k] for k in order), back)


def _ones(x: Expr, axes: tuple[int, ...], what: str) -> tuple[int, ...]:
    """The axes; raises ShapeError where one is not known to be 1."""
    for k in axes:
        if x.type.shape[k] != 1:
            raise ShapeError(
                f"{what}: axis {k} of {x!r} has extent {show_extent(x.type.shape[k])}, not 1", [described(x)]
            )
    return axes


@declared("dimshuffle")
def dimshuffle(x: Any, *pattern: Any) -> Expr:
    """Axes by number, "x" for a new axis of 1; an axis left out must have extent 1."""
    x = as_expr(x)
    names: list[Any] = list(pattern[0]) if len(pattern) == 1 and isinstance(pattern[0], tuple | list) else list(pattern)
    numbers = [None if p == "x" else axis_in(x, p, "dimshuffle") for p in names]
    used = [p for p in numbers if p is not None]
    if len(set(used)) != len(used):
        raise ShapeError(f"dimshuffle: {tuple(names)} names an axis twice", [described(x)])
    gone = tuple(k for k in range(len(x.type.shape)) if k not in used)
    narrow = dropped(x, _ones(x, gone, "dimshuffle"))
    left = [k for k in range(len(x.type.shape)) if k in used]
    shape = tuple(1 if p is None else x.type.shape[p] for p in numbers)
    return spread(narrow, shape, tuple(numbers.index(k) for k in left))


@declared("swapaxes")
def swapaxes(x: Any, axis1: int, axis2: int) -> Expr:
    """Two axes exchanged."""
    x = as_expr(x)
    order = list(range(len(x.type.shape)))
    i, j = axis_in(x, axis1, "swapaxes"), axis_in(x, axis2, "swapaxes")
    order[i], order[j] = order[j], order[i]
    return transpose(x, order)


@declared("moveaxis")
def moveaxis(x: Any, source: Any, destination: Any) -> Expr:
    """Axes moved to other places, the rest keeping their order."""
    x = as_expr(x)
    several = isinstance(source, tuple | list)
    sources = [axis_in(x, a, "moveaxis") for a in (source if several else [source])]
    places = [axis_in(x, a, "moveaxis") for a in (destination if several else [destination])]
    order = [k for k in range(len(x.type.shape)) if k not in sources]
    for place, k in sorted(zip(places, sources, strict=True)):
        order.insert(place, k)
    return transpose(x, order)


@declared("expand_dims")
def expand_dims(x: Any, axis: Any) -> Expr:
    """New axes of 1 at the given places of the result."""
    x = as_expr(x)
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    n = len(x.type.shape) + len(axes)
    new = {axis_in(x, a, "expand_dims", len(axes)) for a in axes}
    old = [k for k in range(n) if k not in new]
    sizes = dict(zip(old, x.type.shape, strict=True))
    return spread(x, tuple(sizes.get(k, 1) for k in range(n)), tuple(old))


@declared("squeeze")
def squeeze(x: Any, axis: Any = None) -> Expr:
    """Without the given axes of 1; by default without all that are known to be 1."""
    x = as_expr(x)
    if axis is None:
        return dropped(x, tuple(k for k, n in enumerate(x.type.shape) if n == 1))
    return dropped(x, _ones(x, axes_in(x, axis, "squeeze"), "squeeze"))


@declared("atleast_1d")
def atleast_1d(x: Any) -> Expr:
    """x, as a vector of one if it is a scalar."""
    x = as_expr(x)
    return x if x.type.shape else expand_dims(x, 0)


def shape_padleft(x: Any, n_ones: int = 1) -> Expr:
    """x with axes of 1 put in front."""
    return expand_dims(x, tuple(range(n_ones)))


def shape_padright(x: Any, n_ones: int = 1) -> Expr:
    """x with axes of 1 put behind."""
    n = as_expr(x).type.ndim
    return expand_dims(x, tuple(range(n, n + n_ones)))


@declared("broadcast_to")
def broadcast_to(x: Any, shape: Any) -> Expr:
    """x stretched to a shape: axes are aligned at the right, those known to be 1 repeat."""
    x = as_expr(x)
    target = as_shape(shape, "broadcast_to")
    if len(target) < len(x.type.shape):
        raise ShapeError(f"broadcast_to: {x!r} has more than {len(target)} axes", [described(x)])
    return spread(x, target, tuple(range(len(target) - len(x.type.shape), len(target))))


@declared("flip")
def flip(x: Any, axis: Any = None) -> Expr:
    """The order of elements reversed along axes, all by default."""
    x = as_expr(x)
    axes = axes_in(x, axis, "flip")
    shape = x.type.shape
    starts = tuple(n - 1 if k in axes else 0 for k, n in enumerate(shape))
    return make(
        SLICE, (x,), starts=starts, steps=tuple(-1 if k in axes else 1 for k in range(len(shape))), lengths=shape
    )


# ---- reshape ----


@declared("reshape")
def reshape(x: Any, shape: Any, ndim: int | None = None) -> Expr:
    """The same elements in C order under another shape; one -1 stands for what is left.

    Sizes that cannot be proved equal while building are checked when the function is called.
    """
    x = as_expr(x)
    if isinstance(shape, Expr) and not shape.type.shape:
        shape = (shape,)
    wanted = list(as_shape(shape, "reshape", -1))
    if ndim is not None and ndim != len(wanted):
        raise ShapeError(f"reshape: ndim={ndim} does not match the {len(wanted)} extents given", [described(x)])
    unknown = [k for k, n in enumerate(wanted) if n == -1]
    if len(unknown) > 1:
        raise ShapeError("reshape: only one extent can be -1", [described(x)])
    if unknown:
        rest = product(n for n in wanted if n != -1)
        total = product(x.type.shape)
        if rest == 0 or (isinstance(total, int) and isinstance(rest, int) and total % rest):
            raise ShapeError(f"reshape: {total} elements of {x!r} do not divide into rows of {rest}", [described(x)])
        wanted[unknown[0]] = floor_divide(total, rest)
    return reshape_to(x, tuple(wanted))


@declared("flatten")
def flatten(x: Any, ndim: int = 1) -> Expr:
    """The last axes run together, so that ndim are left."""
    x = as_expr(x)
    shape = x.type.shape
    if ndim < 1 or ndim > max(len(shape), 1):
        raise ShapeError(f"flatten: {x!r} cannot have {ndim} axes", [described(x)])
    return reshape_to(x, (*shape[: ndim - 1], product(shape[ndim - 1 :])))


declared("ravel")(flatten)


# ---- joining ----


def _join_infer(*types: TensorType, axis: int) -> Inferred:
    facts: list[Fact] = []
    shape = list(types[0].shape)
    for j, t in enumerate(types[1:], 1):
        if len(t.shape) != len(shape):
            raise ShapeError(f"concatenate: {{0}} has {len(shape)} axes, {{{j}}} has {len(t.shape)}")
        for k, n in enumerate(t.shape):
            if k != axis:
                shape[k] = equal(
                    shape[k], n, f"concatenate: axis {k} is {{left}} in {{0}} and {{right}} in {{{j}}}", facts
                )
    total: Extent = 0
    for t in types:
        total = total + t.shape[axis]
    shape[axis] = total
    return TensorType(types[0].dtype, tuple(shape)), tuple(facts)


def _join_pullback(g: Expr, y: Expr, *inputs: Expr, axis: int) -> tuple[Expr | None, ...]:
    out: list[Expr | None] = []
    start: Extent = 0
    for x in inputs:
        starts = tuple(start if k == axis else 0 for k in range(len(x.type.shape)))
        piece = make(SLICE, (g,), starts=starts, steps=(1,) * len(starts), lengths=x.type.shape)
        out.append(piece if differentiable(x) else None)
        start = start + x.type.shape[axis]
    return tuple(out)


JOIN = register(
    Op(
        "join", "join", ("*xs",), _join_infer, "Pieces laid side by side along an axis.",
        reference=lambda *xs, axis: np.concatenate(xs, axis), pullback=_join_pullback,
    )
)  # fmt: skip


# ---- interleaving ----


def interleaved(extent: Extent, count: int, k: int) -> Extent:
    """How many of so many places belong to the k-th of count pieces that take turns."""
    return floor_divide(extent - k + (count - 1), count)


def _interleave_infer(*types: TensorType, axis: int, extent: Extent) -> Inferred:
    facts: list[Fact] = []
    shape = list(types[0].shape)
    shape[axis] = extent
    for j, t in enumerate(types):
        for k, n in enumerate(t.shape):
            want = interleaved(extent, len(types), j) if k == axis else shape[k]
            equal(want, n, f"interleave: axis {k} of {{{j}}} has {{right}} entries, not {{left}}", facts)
    return TensorType(types[0].dtype, tuple(shape)), tuple(facts)


def _interleave_numpy(*xs: Any, axis: int, extent: int) -> Any:
    out = np.empty((*xs[0].shape[:axis], extent, *xs[0].shape[axis + 1 :]), xs[0].dtype)
    for k, x in enumerate(xs):
        out[(*[slice(None)] * axis, slice(k, None, len(xs)))] = x
    return out


def _interleave_pullback(g: Expr, y: Expr, *inputs: Expr, axis: int, extent: Extent) -> tuple[Expr | None, ...]:
    count, n = len(inputs), len(g.type.shape)
    steps = tuple(count if k == axis else 1 for k in range(n))
    return tuple(
        make(SLICE, (g,), starts=tuple(j if k == axis else 0 for k in range(n)), steps=steps, lengths=x.type.shape)
        if differentiable(x)
        else None
        for j, x in enumerate(inputs)
    )


INTERLEAVE = register(
    Op(
        "interleave", "join", ("*xs",), _interleave_infer, "Pieces that take turns along an axis.",
        reference=_interleave_numpy, pullback=_interleave_pullback,
    )
)  # fmt: skip


@declared("concatenate")
def concatenate(arrays: Any, axis: Any = 0) -> Expr:
    """Pieces laid side by side along an existing axis."""
    if isinstance(axis, Expr):
        raise ShapeError("concatenate: the axis is an expression", [described(axis)], "Write T.concatenate([x, y]).")
    pieces = list(arrays) if not isinstance(arrays, Expr) else [arrays[k] for k in range(len(arrays))]
    if not pieces:
        raise ShapeError("concatenate: there is nothing to join")
    dtype = common_dtype(pieces)
    exprs = [cast_to(p, dtype) for p in pieces]
    if any(not e.type.shape for e in exprs):
        raise ShapeError(
            "concatenate: scalars cannot be joined", [described(e) for e in exprs], "T.stack joins scalars."
        )
    axis = axis_in(exprs[0], axis, "concatenate")
    return exprs[0] if len(exprs) == 1 else make(JOIN, tuple(exprs), axis=axis)


def join(axis: int, *arrays: Any) -> Expr:
    """concatenate with the axis first, as Theano has it."""
    return concatenate(arrays, axis)


@declared("stack")
def stack(arrays: Any, axis: int = 0) -> Expr:
    """Pieces of one shape laid side by side along a new axis."""
    pieces = list(arrays)
    if not pieces:
        raise ShapeError("stack: there is nothing to stack")
    dtype = common_dtype(pieces)
    exprs = [cast_to(p, dtype) for p in pieces]
    axis = axis_in(exprs[0], axis, "stack", 1)
    for e in exprs[1:]:
        pairs = list(zip(exprs[0].type.shape, e.type.shape, strict=False))
        if e.type.ndim != exprs[0].type.ndim or any(
            isinstance(n, int) and isinstance(m, int) and n != m for n, m in pairs
        ):
            raise ShapeError(
                f"stack: {exprs[0]!r} and {e!r} have different shapes", [described(exprs[0]), described(e)]
            )
    wide = [expand_dims(e, axis) for e in exprs]
    return wide[0] if len(wide) == 1 else make(JOIN, tuple(wide), axis=axis)


@declared("split")
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Expr]:
    """Pieces along an axis: so many equal ones, or cut at the given places (as np.split)."""
    x = as_expr(x)
    axis = axis_in(x, axis, "split")
    n = x.type.shape[axis]
    if isinstance(indices_or_sections, list | tuple | np.ndarray):
        cuts: list[Extent] = [0, *(as_extent(c, "split") for c in indices_or_sections), n]
    else:
        try:
            count = operator.index(indices_or_sections)
        except TypeError:
            raise ShapeError(f"split: {indices_or_sections!r} is no number of pieces", [described(x)]) from None
        if count < 1 or (isinstance(n, int) and n % count):
            raise ShapeError(f"split: axis {axis} of {x!r} cannot be cut into {count} equal parts", [described(x)])
        part = floor_divide(n, count)
        cuts = [part * k for k in range(count)] + [n]
    out = []
    for start, stop in itertools.pairwise(cuts):
        index = [slice(None)] * axis + [slice(start, stop)]
        out.append(x[tuple(index)])
    return out


# ---- repeating ----


@declared("tile")
def tile(x: Any, reps: Any) -> Expr:
    """x laid end to end reps[k] times along axis k, axes being added in front as needed."""
    x, counts = as_expr(x), as_shape(reps, "tile")
    x = expand_dims(x, tuple(range(len(counts) - x.type.ndim))) if len(counts) > x.type.ndim else x
    counts = (1,) * (x.type.ndim - len(counts)) + counts
    for axis, count in enumerate(counts):
        if count != 1:
            if x.type.shape[axis] == 1:
                shape = (*x.type.shape[:axis], count, *x.type.shape[axis + 1 :])
                x = spread(x, shape, tuple(range(x.type.ndim)))
            else:
                x = make(TILE, (x,), count=count, axis=axis)
    return as_expr(x)


@declared("repeat")
def repeat(x: Any, repeats: Any, axis: int | None = None) -> Expr:
    """Each element repeats times along an axis, of the flattened x if axis is None; a vector of repeats has one for each."""
    x = flatten(as_expr(x)) if axis is None else as_expr(x)
    k = axis_in(x, 0 if axis is None else axis, "repeat")
    if (isinstance(repeats, list | tuple | np.ndarray) and np.ndim(repeats)) or (
        isinstance(repeats, Expr) and repeats.type.shape
    ):
        counts = as_expr(stacked(repeats))
        if counts.type.ndim != 1 or is_float(counts.type.dtype):
            raise DtypeError(
                f"repeat: the counts {counts!r} are no vector of integers", [described(x), described(counts)]
            )
        each = spread(counts, (x.type.shape[k],), (0,))
        picked: Expr = x[(*[slice(None)] * k, repeated_of(each))]
        return picked
    (count,) = as_shape(repeats, "repeat")
    return x if count == 1 else make(REPEAT, (x,), count=count, axis=k)


@declared("pad")
def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: float = 0) -> Expr:
    """x with borders: pad_width is one number, (before, after), or a pair an axis, as np.pad.

    mode: "constant" (constant_values), "edge" (the last element again), "reflect" (mirrored at it), "symmetric" (mirrored
    behind it) or "wrap" (the other end).
    """
    x = as_expr(x)
    if mode not in BORDERS:
        raise ShapeError(f"pad: there is no mode {mode!r}", [described(x)], f"modes: {', '.join(BORDERS)}")
    n = x.type.ndim
    try:
        widths = np.broadcast_to(np.asarray(pad_width, dtype=object), (n, 2)).tolist()
    except ValueError:
        raise ShapeError(
            f"pad: {pad_width} is not a width for each of the {counted_axes(n)} of {x!r}", [described(x)],
            "pad_width is one number, (before, after), or such a pair for each axis.",
        ) from None  # fmt: skip
    before, after = (as_shape([w[k] for w in widths], "pad") for k in (0, 1))
    shape = tuple(b + m + a for b, m, a in zip(before, x.type.shape, after, strict=True))
    if mode == "constant":
        return make(PAD, (x,), starts=before, steps=(1,) * n, shape=shape, fill=constant_values)
    for axis in range(n):
        if before[axis] != 0 or after[axis] != 0:
            places = _border(iota((shape[axis],), 0) - before[axis], expr_of(x.type.shape[axis]), mode)
            x = as_expr(x[(*[slice(None)] * axis, places)])
    return as_expr(x)


BORDERS = ("constant", "edge", "reflect", "symmetric", "wrap")


def _border(at: Expr, n: Expr, mode: str) -> Expr:
    """The place in an axis of n that stands for a place before or after it."""
    if mode == "edge":
        return OPS["maximum"](OPS["minimum"](at, n - 1), 0)
    if mode == "wrap":
        return at % n
    turn = 2 * n if mode == "symmetric" else OPS["maximum"](2 * n - 2, 1)
    there = at % turn
    return OPS["minimum"](there, (turn - 1 if mode == "symmetric" else turn) - there)


# ---- made from nothing ----


IOTA = register(
    Op(
        "iota", "position", (), lambda *, shape, axis: (TensorType("int64", shape), tuple(sized("arange", shape))), "The index along one axis.",
        reference=lambda *, shape, axis: np.broadcast_to(
            np.arange(shape[axis]).reshape([-1 if k == axis else 1 for k in range(len(shape))]), shape
        ),
        pullback=lambda *_, **__: (),
    )
)  # fmt: skip


def iota(shape: Shape, axis: int) -> Expr:
    """int64: the index along one axis of a shape."""
    return make(IOTA, (), shape=shape, axis=axis)


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Expr:
    """A shape filled with one value."""
    value = as_expr(fill_value) if dtype is None else cast_to(fill_value, checked_dtype(dtype))
    return _filled("full", value, as_shape(shape, "full"))


def _filled(what: str, value: Expr, shape: Shape) -> Expr:
    if value.type.shape:
        raise ShapeError(
            f"{what}: the value {value!r} is no scalar", [described(value)], "T.broadcast_to takes arrays."
        )
    return spread(value, shape, ())


def zeros(shape: Any, dtype: Any = None) -> Expr:
    """All 0; dtype is floatX unless given."""
    return full(as_shape(shape, "zeros"), 0, dtype or config.floatX)


def ones(shape: Any, dtype: Any = None) -> Expr:
    """All 1; dtype is floatX unless given."""
    return full(as_shape(shape, "ones"), 1, dtype or config.floatX)


def alloc(value: Any, *shape: Any) -> Expr:
    """value stretched to a shape, as Theano has it."""
    return broadcast_to(value, shape)


@declared("full_like")
def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Expr:
    """One value in the shape of x, in its dtype unless given."""
    x = as_expr(x)
    return _filled("full_like", cast_to(fill_value, checked_dtype(dtype or x.type.dtype)), x.type.shape)


@declared("zeros_like")
def zeros_like(x: Any, dtype: Any = None) -> Expr:
    """0 in the shape of x."""
    return full_like(x, 0, dtype)


@declared("ones_like")
def ones_like(x: Any, dtype: Any = None) -> Expr:
    """1 in the shape of x."""
    return full_like(x, 1, dtype)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Expr:
    """start, start + step, ... up to but without stop; integers by default, the step an int or float literal."""
    if stop is None:
        start, stop = 0, start
    plain = all(isinstance(v, int | float | np.number) for v in (start, stop, step))
    if plain:
        if step == 0:
            raise ShapeError("arange: a step of 0 never arrives")
        first, last, by = (v.item() if isinstance(v, np.number) else v for v in (start, stop, step))
        count: Extent = max(0, math.ceil((last - first) / by))
        kind = np.result_type(*(np.asarray(v) for v in (start, stop, step))).name
        whole = np.issubdtype(kind, np.integer)
    else:
        if not isinstance(step, int | np.integer) or step == 0:
            raise ShapeError(f"arange: a symbolic range needs a step that is an int, not {step!r}")
        first, last = as_extent(start, "arange"), as_extent(stop, "arange")
        gap = last - first if step > 0 else first - last
        count = largest(floor_divide(gap + (abs(int(step)) - 1), abs(int(step))), 0)
        whole, kind = True, "int64"
    out = iota((count,), 0)
    out = out if whole else cast_to(out, kind)
    if not (type(step) is int and step == 1):
        out = out * (int(step) if whole else step)
    if not (type(start) is int and start == 0):
        out = out + start
    return cast_to(out, checked_dtype(dtype)) if dtype is not None else out


def eye(n: Any, m: Any = None, k: int = 0, dtype: Any = None) -> Expr:
    """1 on the k-th diagonal, else 0; dtype is floatX unless given."""
    shape = as_shape((n, n if m is None else m), "eye")
    name = checked_dtype(dtype or config.floatX)
    hit = OPS["eq"](iota(shape, 1), iota(shape, 0) + k)
    return where(hit, constant(1, name), constant(0, name))


def one_hot(labels: Any, classes: Any, dtype: Any = None) -> Expr:
    """1 at the label along a new last axis, else 0. A label outside 0..classes-1 gives a row of 0."""
    labels = as_expr(labels)
    if is_float(labels.type.dtype):
        raise DtypeError(f"one_hot: labels are integers, not {labels.type.dtype}", [described(labels)], "T.cast")
    (n,) = as_shape((classes,), "one_hot")
    name = checked_dtype(dtype or config.floatX)
    shape = (*labels.type.shape, n)
    hit = OPS["eq"](iota(shape, len(shape) - 1), cast_to(expand_dims(labels, -1), "int64"))
    return where(hit, constant(1, name), constant(0, name))


@declared("identity_like")
def identity_like(x: Any) -> Expr:
    """eye in the shape and dtype of a matrix."""
    x = as_expr(x)
    if x.type.ndim != 2:
        raise ShapeError(f"identity_like: {x!r} is no matrix", [described(x)])
    rows, columns = x.type.shape
    return eye(rows, columns, dtype=x.type.dtype)
