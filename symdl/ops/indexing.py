"""Indexing as NumPy has it: integers, slices, None, Ellipsis, integer arrays and masks; and its pure assignments.

Basic indexing becomes views. Integer arrays become one gather, whose leading batch axes are those on which the index
array is just 0, 1, 2, ... (x[arange(n), y] picks one entry a row). A mask becomes the places where it is True, whose number data
decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from symdl.errors import DtypeError, IndexRangeError, ShapeError
from symdl.errors import axes as counted_axes
from symdl.graph.expr import (
    CONSTANT,
    OPS,
    RESULT,
    Expr,
    Inferred,
    Op,
    as_expr,
    constant,
    described,
    explained,
    make,
    register,
    results,
)
from symdl.graph.methods import declared
from symdl.ops.counted import NONZERO, extent_from_data, nonzero_of
from symdl.ops.declare import cast_to, common_dtype, differentiable, is_float, spread
from symdl.ops.elementwise import where
from symdl.ops.extents import axis_in, expr_of, exprs_of, extent_or_none
from symdl.ops.scan import with_last_row
from symdl.ops.shaping import IOTA, broadcast_to, dimshuffle, expand_dims, flatten, iota, stack, transpose
from symdl.ops.views import PAD, SLICE, dropped, zeros_of
from symdl.records import mutable
from symdl.types import Extent, Fact, Shape, TensorType, broadcast, equal, floor_divide, largest, nonnegative, smallest

# ---- gather and scatter ----


def _index_shape(
    name: str, x: Shape, indices: Sequence[TensorType], axes: tuple[int, ...], batch: int
) -> tuple[Shape, list[Fact]]:
    """Shape of the gathered elements: batch axes, the index arrays' own, then the axes of x that are not indexed."""
    facts: list[Fact] = []
    first = indices[0].shape
    for t in indices:
        if t.dtype != "int64" or len(t.shape) != len(first):
            raise DtypeError(f"{name}: index arrays of int64 and one number of axes expected")
        for k, (n, m) in enumerate(zip(first, t.shape, strict=True)):
            equal(n, m, f"{name}: axis {k} of two index arrays is {{left}} and {{right}}", facts)
    for k in range(batch):
        equal(x[k], first[k], f"{name}: axis {k} of {{0}} is {{left}}, of the index {{right}}", facts)
    rest = tuple(n for k, n in enumerate(x) if k >= batch and k not in axes)
    return (*first, *rest), facts


def _gather_infer(x: TensorType, *indices: TensorType, axes: tuple[int, ...], batch: int) -> Inferred:
    shape, facts = _index_shape("getitem", x.shape, indices, axes, batch)
    return TensorType(x.dtype, shape), tuple(facts)


def numpy_index(shape: tuple[int, ...], indices: Sequence[Any], axes: tuple[int, ...], batch: int) -> tuple[Any, ...]:
    """A NumPy index of an array of this shape that reads or writes what gather and scatter do."""
    own = indices[0].ndim
    rest = [k for k in range(len(shape)) if k >= batch and k not in axes]
    total = own + len(rest)
    out: list[Any] = []
    for k, n in enumerate(shape):
        if k in axes:
            out.append(indices[axes.index(k)].reshape(indices[0].shape + (1,) * len(rest)))
        else:
            place = k if k < batch else own + rest.index(k)
            out.append(np.arange(n).reshape([-1 if j == place else 1 for j in range(total)]))
    return tuple(out)


def _checked(x: Any, indices: Sequence[Any], axes: tuple[int, ...]) -> None:
    for i, k in zip(indices, axes, strict=True):
        if i.size and (i.min() < -x.shape[k] or i.max() >= x.shape[k]):
            raise IndexRangeError(f"getitem: an index lies outside the {x.shape[k]} entries of axis {k}")


def _gather_numpy(x: Any, *indices: Any, axes: tuple[int, ...], batch: int) -> Any:
    _checked(x, indices, axes)
    return x[numpy_index(x.shape, indices, axes, batch)]


FEW = 8  # numbered entries of an axis that gradients are put together of one by one


def _gather_pullback(
    g: Expr, y: Expr, x: Expr, *indices: Expr, axes: tuple[int, ...], batch: int
) -> tuple[Expr | None, ...]:
    none = (None,) * len(indices)
    last = len(x.type.shape) - 1
    if axes == (last,) and batch == last == len(indices[0].type.shape):
        # One entry of each row: a mask is right to differentiate again, fuses, and is what the algebra understands.
        hit = OPS["eq"](iota(x.type.shape, last), expand_dims(wrapped(indices[0], x.type.shape[last]), -1))
        return where(hit, expand_dims(g, -1), constant(0, x.type.dtype)), *none
    if (back := undoing(indices, x.type.shape, axes, batch)) is not None:
        return make(GATHER, (g, back), axes=axes, batch=batch), *none
    if len(indices) == 1 and batch == 0 and (back := _at_few(g, x, indices[0], axes[0])) is not None:
        return back, *none
    return make(SCATTER, (zeros_of(x.type.shape, x.type.dtype), g, *indices), axes=axes, batch=batch, mode="add"), *none


def _at_few(g: Expr, x: Expr, index: Expr, axis: int) -> Expr | None:
    """The gradient of a few numbered entries of a short axis, entry by entry: a stack of sums, which are nobody's memory to add
    to. None of others."""
    length = x.type.shape[axis]
    if index.op is not CONSTANT or index.type.ndim != 1 or not isinstance(length, int):
        return None
    places = index.params["value"].array
    if length > FEW or places.size > FEW or not all(-length <= p < length for p in places):
        return None
    zero = zeros_of((*x.type.shape[:axis], *x.type.shape[axis + 1 :]), x.type.dtype)
    entries = [zero] * length
    for k, p in enumerate(places.tolist()):
        one = getitem(g, k)
        entries[p] = one if entries[p] is zero else entries[p] + one
    return stack(entries, axis=axis)


def undoing(indices: Sequence[Expr], shape: Shape, axes: tuple[int, ...], batch: int) -> Expr | None:
    """The places that bring an array's elements back where a gather along its last axis took them from in another order; None
    where that is no order, as argsort gives it."""
    (index, *more), last = indices, len(shape) - 1
    if more or axes != (last,) or batch != last or index.type.shape != shape:
        return None
    if index.op.name != "argsort" or index.params["axis"] != last:
        return None
    (ordered,) = index.inputs
    return ordered if ordered.op is index.op and ordered.params == index.params else make(index.op, (index,), axis=last)


GATHER = register(
    Op(
        "gather", "gather", ("x", "*indices"), _gather_infer, "Elements of x at integer arrays of indices along axes.",
        reference=_gather_numpy, pullback=_gather_pullback,
    )
)  # fmt: skip


def _scatter_infer(
    x: TensorType, v: TensorType, *indices: TensorType, axes: tuple[int, ...], batch: int, mode: str
) -> Inferred:
    shape, facts = _index_shape("set_subtensor", x.shape, indices, axes, batch)
    if len(shape) != len(v.shape) or x.dtype != v.dtype:
        raise ShapeError("set_subtensor: the values {1} do not have the shape of what they replace in {0}")
    for k, (n, m) in enumerate(zip(shape, v.shape, strict=True)):
        equal(n, m, f"set_subtensor: axis {k} of the place is {{left}}, of the values {{right}}", facts)
    return x, tuple(facts)


def _scatter_numpy(x: Any, v: Any, *indices: Any, axes: tuple[int, ...], batch: int, mode: str) -> Any:
    _checked(x, indices, axes)
    out = x.copy()
    at = numpy_index(x.shape, indices, axes, batch)
    if mode == "set":
        out[at] = v
    else:
        np.add.at(out, at, v)
    return out


def _scatter_pullback(
    g: Expr, y: Expr, x: Expr, v: Expr, *indices: Expr, axes: tuple[int, ...], batch: int, mode: str
) -> tuple[Expr | None, ...]:
    params = {"axes": axes, "batch": batch}
    to_x = (
        g if mode == "add" else make(SCATTER, (g, zeros_of(v.type.shape, v.type.dtype), *indices), mode="set", **params)
    )
    to_v = make(GATHER, (g, *indices), **params)
    return (to_x if differentiable(x) else None), (to_v if differentiable(v) else None), *(None,) * len(indices)


SCATTER = register(
    Op(
        "scatter", "scatter", ("x", "values", "*indices"), _scatter_infer,
        "x with values added (mode add; repeated indices accumulate, in order) or set (mode set; the last wins) at "
        "integer arrays of indices.",
        reference=_scatter_numpy, pullback=_scatter_pullback,
    )
)  # fmt: skip


def wrapped(index: Expr, n: Extent) -> Expr:
    """A negative index counted from the end."""
    from_end = index + expr_of(n)
    return where(OPS["lt"](index, 0), from_end, index)


# ---- reading an index ----

_BOOL = "A mask is an array; T.where(condition, x, other) chooses elementwise."
# x[i] -> (x, i), for set_subtensor
_indexed: WeakKeyDictionary[Expr, tuple[Expr, tuple[Any, ...]]] = WeakKeyDictionary()


def written_index(place: Expr) -> tuple[Expr, tuple[Any, ...]] | None:
    """(x, index) of an expression that a user wrote as x[index], for printing."""
    return _indexed.get(place)


def _item(x: Expr, item: Any) -> Any:
    """One entry of an index: None, Ellipsis, a slice, a Python int, or an integer Expr."""
    if item is None or item is Ellipsis or isinstance(item, slice):
        return item
    if isinstance(item, bool | np.bool_):
        raise DtypeError(f"getitem: {x!r} is indexed with the bool {item}", [described(x)], _BOOL)
    if isinstance(item, int | np.integer):
        return int(item)
    if isinstance(item, str):
        raise DtypeError(f"getitem: {x!r} is indexed with the text {item!r}", [described(x)])
    if isinstance(item, list | tuple) and any(isinstance(v, Expr) for v in item):
        item = stack(item)
    expr = as_expr(np.asarray(item, np.int64) if isinstance(item, list) and not item else item)
    if is_float(expr.type.dtype):
        raise DtypeError(
            f"getitem: an index must be an integer, not {expr.type.dtype}", [described(x), described(expr)]
        )
    return expr


def _items(x: Expr, index: Any) -> list[Any]:
    """The index as a list with one entry an axis of x, and None for each new axis."""
    items = [_item(x, i) for i in (index if isinstance(index, tuple) else (index,))]
    if any(isinstance(i, Expr) and i.type.dtype == "bool" for i in items):
        items = _unmasked(x, items)
    if sum(i is Ellipsis for i in items) > 1:
        raise IndexRangeError(f"getitem: {x!r} is indexed with two ellipses", [described(x)])
    n = x.type.ndim
    used = sum(i is not None and i is not Ellipsis for i in items)
    if used > n:
        raise IndexRangeError(f"getitem: {used} indices for {x!r}, which has {counted_axes(n)}", [described(x)])
    at = next((k for k, i in enumerate(items) if i is Ellipsis), len(items))
    return [*items[:at], *[slice(None)] * (n - used), *items[at + 1 :]]


def _unmasked(x: Expr, items: list[Any]) -> list[Any]:
    """The index with the places of each mask in its stead: an array for each of its axes."""
    used = sum(i.type.ndim if _is_mask(i) else 1 for i in items if i is not None and i is not Ellipsis)
    out: list[Any] = []
    for item in items:
        if not _is_mask(item):
            out.append(item)
            continue
        if item.type.ndim == 0:
            raise DtypeError(
                f"getitem: {x!r} is indexed with the scalar {item!r}", [described(x), described(item)], _BOOL
            )
        ellipsis = any(i is Ellipsis for i in out)
        before = sum(i is not None and i is not Ellipsis for i in out)
        axis = x.type.ndim - used + before if ellipsis else before
        if axis + item.type.ndim > x.type.ndim:
            raise IndexRangeError(
                f"getitem: the mask {item!r} has {counted_axes(item.type.ndim)}, more than are left of {x!r}",
                [described(x), described(item)],
            )
        shape = x.type.shape[axis : axis + item.type.ndim]
        for k, (n, m) in enumerate(zip(shape, item.type.shape, strict=True)):
            if isinstance(n, int) and isinstance(m, int) and n != m:
                raise ShapeError(
                    f"getitem: axis {k} of the mask {item!r} is {m}, axis {axis + k} of {x!r} is {n}",
                    [described(x), described(item)],
                )
        out += nonzero_of(spread(item, shape, tuple(range(item.type.ndim))))
    return out


def _is_mask(item: Any) -> bool:
    return isinstance(item, Expr) and item.type.dtype == "bool"


def _mask_of(items: Sequence[Any], x: Expr) -> Expr | None:
    """The mask, over leading axes of x, whose places are all that an index asks for."""
    places = [i for i in items if not (isinstance(i, slice) and i == slice(None))]
    if (
        not places
        or any(not isinstance(i, Expr) or i.op is not RESULT for i in places)
        or items[: len(places)] != places
    ):
        return None
    whole = places[0].inputs[0]
    return whole.inputs[0] if whole.op is NONZERO and list(results(whole)) == places else None


def _bound(value: Any, n: Extent, low: Extent, high: Extent) -> Extent:
    """A slice bound, counted from the front and cut off to low..high."""
    e = extent_or_none(value)
    if e is None and isinstance(value, Expr) and value.type.shape == () and value.type.dtype[0] in "iu":
        e = extent_from_data(value, signed=True)
    if e is None:
        parts = [described(value)] if isinstance(value, Expr) else []
        raise ShapeError(f"getitem: the slice bound {value!r} is no integer", parts)
    if isinstance(e, int):
        e = e if e >= 0 else n + e
    elif not nonnegative(e):
        e = e + n * smallest(largest(-e, 0), 1)  # the factor is 1 if e < 0
    return smallest(largest(e, low), high)


def slice_extents(s: slice, n: Extent) -> tuple[Extent, int, Extent]:
    """(start, step, length) of a slice of an axis of n."""
    step = 1 if s.step is None else extent_or_none(s.step)
    if not isinstance(step, int) or step == 0:
        raise ShapeError(f"getitem: a slice step must be a nonzero int, not {s.step!r}")
    if step > 0:
        start = 0 if s.start is None else _bound(s.start, n, 0, n)
        stop = n if s.stop is None else _bound(s.stop, n, 0, n)
        return start, step, largest(floor_divide(stop - start + (step - 1), step), 0)
    start = n - 1 if s.start is None else _bound(s.start, n, -1, n - 1)
    stop = -1 if s.stop is None else _bound(s.stop, n, -1, n - 1)
    return start, step, largest(floor_divide(start - stop - step - 1, -step), 0)


def _place(x: Expr, axis: int, item: Any) -> Extent | None:
    """A scalar index as an extent counted from the front, or None where it comes from data."""
    n = x.type.shape[axis]
    e = extent_or_none(item)
    if isinstance(e, int):
        if isinstance(n, int) and not -n <= e < n:
            raise IndexRangeError(
                f"getitem: index {e} lies outside the {n} entries of axis {axis} of {x!r}", [described(x)]
            )
        return e if e >= 0 else n + e
    return e if e is None or nonnegative(e) else e + n * smallest(largest(-e, 0), 1)


@mutable
class Plan:
    """What an index does: a window, axes to drop, arrays to gather along axes of what is left, and the result's order."""

    starts: tuple[Extent, ...]
    steps: tuple[int, ...]
    lengths: tuple[Extent, ...]
    single: tuple[int, ...]  # axes indexed by one number, dropped
    arrays: dict[int, Expr]  # axis after dropping -> index array
    pattern: list[Any]  # result axes as axes of the gathered array, "x" for new ones

    def window(self, x: Expr) -> Expr:
        trivial = self.lengths == x.type.shape and not any(self.starts) and set(self.steps) <= {1}
        if trivial and (self.arrays or self.pattern != list(range(x.type.ndim))):
            return x
        return self.slice(x)

    def slice(self, x: Expr) -> Expr:
        params: dict[str, Any] = {"single": self.single} if self.single else {}
        return make(SLICE, (x,), starts=self.starts, steps=self.steps, lengths=self.lengths, **params)

    def gather(self, x: Expr) -> tuple[tuple[Expr, ...], dict[str, Any]]:
        """(index arrays of one shape, params) of the gather from x, the window without dropped axes."""
        arrays = list(self.arrays.values())
        shape = _shape_of_both("getitem", arrays, [a.type.shape for a in arrays])
        indices = [a if a.type.shape == shape else broadcast_to(a, shape) for a in arrays]
        axes = list(self.arrays)
        batch = 0
        while len(axes) > 1 and axes[0] == batch and _counts(indices[0], shape, batch) and _pairs(x, shape, batch):
            indices, axes, batch = indices[1:], axes[1:], batch + 1
        return tuple(indices), {"axes": tuple(axes), "batch": batch}


def _shape_of_both(what: str, operands: Sequence[Expr], shapes: Sequence[Shape]) -> Shape:
    try:
        return broadcast(what, shapes)[0]
    except ShapeError as error:
        raise explained(error, operands) from None


def _counts(index: Expr, shape: Shape, axis: int) -> bool:
    """Whether an index array is 0, 1, 2, ... along an axis."""
    return index.op is IOTA and index.params["shape"] == shape and index.params["axis"] == axis


def _pairs(x: Expr, shape: Shape, axis: int) -> bool:
    """Whether counting along an axis of this shape goes through all of x's: of two unknown extents it must, and the
    gather checks it; with known ones NumPy may mean the first few rows only."""
    n, m = x.type.shape[axis], shape[axis]
    return n == m or not (isinstance(n, int) and isinstance(m, int))


def planned(x: Expr, items: list[Any]) -> Plan:
    """The plan of a normalised index."""
    starts: list[Extent] = []
    steps: list[int] = []
    lengths: list[Extent] = []
    single: list[int] = []
    arrays: dict[int, Expr] = {}
    for item in items:
        if item is None:
            continue
        axis = len(starts)
        n = x.type.shape[axis]
        try:
            start, step, length = (0, 1, n) if not isinstance(item, slice) else slice_extents(item, n)
        except ShapeError as error:
            raise ShapeError(error.head, [described(x), *error.parts]) from None
        if not isinstance(item, slice):
            place = _place(x, axis, item) if not isinstance(item, Expr) or not item.type.shape else None
            if place is None:
                arrays[axis - len(single)] = cast_to(item, "int64")
            else:
                start, length = place, 1
                single.append(axis)
        starts.append(start)
        steps.append(step)
        lengths.append(length)
    advanced = [k for k, i in enumerate(items) if i is not None and not isinstance(i, slice)]
    own = max((a.type.ndim for a in arrays.values()), default=0)
    block = list(range(own))
    together = advanced == list(range(advanced[0], advanced[-1] + 1)) if advanced else True
    pattern: list[Any] = [] if together or not arrays else list(block)
    rest = own
    for k, item in enumerate(items):
        if item is None:
            pattern.append("x")
        elif isinstance(item, slice):
            pattern.append(rest)
            rest += 1
        elif arrays and together and k == advanced[0]:
            pattern += block
    return Plan(tuple(starts), tuple(steps), tuple(lengths), tuple(single), arrays, pattern)


@declared("getitem")
def getitem(x: Any, index: Any) -> Expr:
    """x[index]: integers, slices, None, Ellipsis, integer arrays and masks, as NumPy has them.

    x[arange(n), y] pairs rows with labels: extents unknown while building must be equal when called.
    A mask of bools stands for the places where it is True, in C order. Raises IndexRangeError for an index outside its axis:
    while building where the extent is known, else when called.
    """
    x = as_expr(x)
    items = _items(x, index)
    if items and type(items[0]) is int and items[0] == -1:
        x = with_last_row(x)
    plan = planned(x, items)
    narrow = dropped(plan.window(x), plan.single)
    if plan.arrays:
        indices, params = plan.gather(narrow)
        narrow = make(GATHER, (narrow, *indices), **params)
    out = dimshuffle(narrow, plan.pattern) if plan.pattern != list(range(narrow.type.ndim)) else narrow
    _indexed[out] = (x, tuple(items))
    return out


@declared("take")
def take(x: Any, indices: Any, axis: int | None = None) -> Expr:
    """The entries at integer indices along an axis; of the flattened x if axis is None."""
    x = as_expr(x)
    if axis is None:
        x, axis = flatten(x) if x.type.ndim != 1 else x, 0
    k = axis_in(x, axis, "take")
    return getitem(x, (*[slice(None)] * k, indices if isinstance(indices, Expr) else as_expr(indices)))


@declared("take_along_axis")
def take_along_axis(x: Any, indices: Any, axis: int | None = -1) -> Expr:
    """out[.., j, ..] = x[.., indices[.., j, ..], ..], j standing on the axis: NumPy's take_along_axis.

    indices are integers with as many axes as x; other axes are equal or stretch. axis None: both flattened.
    """
    x, indices = as_expr(x), as_expr(indices)
    if axis is None:
        x, indices, axis = flatten(x), flatten(indices), 0
    if indices.type.ndim != x.type.ndim:
        raise ShapeError(
            f"take_along_axis: {indices!r} must have as many axes as {x!r}, {x.type.ndim}",
            [described(x), described(indices)],
        )
    k = axis_in(x, axis, "take_along_axis")
    rest = [(*t[:k], 1, *t[k + 1 :]) for t in (x.type.shape, indices.type.shape)]
    shape = _shape_of_both("take_along_axis", [x, indices], rest)
    whole = (*shape[:k], indices.type.shape[k], *shape[k + 1 :])
    wide = indices if indices.type.shape == whole else broadcast_to(indices, whole)
    return getitem(x, tuple(wide if j == k else _along(x, whole, j) for j in range(len(whole))))


def _along(x: Expr, shape: Shape, axis: int) -> Expr:
    """The places along an axis, of which x has perhaps one."""
    return zeros_of(shape, "int64") if x.type.shape[axis] == 1 else iota(shape, axis)


def embedding(indices: Any, weights: Any) -> Expr:
    """out[...] = weights[indices[...]]: the row of a table for each integer. Its gradient adds up what falls on one row."""
    return getitem(weights, indices if isinstance(indices, Expr) else as_expr(indices))


# ---- pure assignment ----


def set_subtensor(place: Any, value: Any) -> Expr:
    """x with x[index] replaced: y = set_subtensor(x[index], value). x itself never changes.

    value broadcasts to the place. Repeated integer indices: the last wins, and its gradient is undefined.
    """
    return _assigned("set_subtensor", place, value, "set")


def inc_subtensor(place: Any, value: Any) -> Expr:
    """x with value added at x[index]: y = inc_subtensor(x[index], value). Repeated integer indices accumulate."""
    return _assigned("inc_subtensor", place, value, "add")


def _assigned(name: str, place: Any, value: Any, mode: str) -> Expr:
    found = _indexed.get(place) if isinstance(place, Expr) else None
    if found is None:
        parts = [described(place)] if isinstance(place, Expr) else []
        raise ShapeError(
            f"{name}: the first argument must be an indexed expression", parts, f"Write {name}(x[index], value)."
        )
    x, items = found
    if not np.can_cast(
        common_dtype([value]) if not isinstance(value, int | float) else x.type.dtype, x.type.dtype, "same_kind"
    ):
        value = as_expr(value)
        raise DtypeError(
            f"{name}: {value.type.dtype} values do not go into {x.type.dtype}", [described(x), described(value)]
        )
    value = cast_to(value, x.type.dtype)
    if value.type.ndim == 0 and (mask := _mask_of(items, x)) is not None:  # no need to know where
        mask = dimshuffle(mask, [*range(mask.type.ndim), *["x"] * (x.type.ndim - mask.type.ndim)])
        return where(mask, x + value if mode == "add" else value, x)
    plan = planned(x, list(items))
    try:
        v = broadcast_to(value, exprs_of(place.type.shape))
    except ShapeError as error:
        parts = [described(place), described(value)]
        raise ShapeError(f"{name}: {error.head.partition(': ')[2]}", parts) from None
    kept = [p for p in plan.pattern if p != "x"]
    v = dropped(v, tuple(k for k, p in enumerate(plan.pattern) if p == "x"))
    v = transpose(v, [kept.index(k) for k in range(len(kept))])
    whole = not plan.single and plan.lengths == x.type.shape and not any(plan.starts) and set(plan.steps) <= {1}
    if plan.arrays:
        narrow = x if whole else dropped(plan.slice(x), plan.single)
        indices, params = plan.gather(narrow)
        v = make(SCATTER, (narrow, v, *indices), mode=mode, **params)
        mode = "set"
        if whole:
            return v
    left = tuple(k for k in range(x.type.ndim) if k not in plan.single)
    window = spread(v, plan.lengths, left)
    params = {"starts": plan.starts, "steps": plan.steps, "shape": x.type.shape, "fill": 0}
    placed = make(PAD, (window,), **params)
    if mode == "add":
        return x + placed
    inside = make(PAD, (spread(constant(True), plan.lengths, ()),), **params)
    return where(inside, placed, x)
