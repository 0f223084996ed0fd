"""Order: sorting, the largest few, ranks in a sorted vector, distinct values, counts, places of what is not zero.

Places are integers and carry no gradient; values are picked by their places, so gradients flow to what was picked. All
sorts are stable, and NaN comes last, as in NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symdl.errors import DtypeError, ShapeError
from symdl.graph.expr import OPS, Expr, Inferred, Op, as_expr, described, make, register
from symdl.graph.methods import declared
from symdl.ops.counted import nonzero_of, range_of, unique_of
from symdl.ops.declare import cast_to, common_dtype, is_float
from symdl.ops.elementwise import where
from symdl.ops.extents import axis_in, expr_of
from symdl.ops.indexing import getitem, inc_subtensor, take_along_axis
from symdl.ops.reductions import max
from symdl.ops.shaping import concatenate, flatten, zeros
from symdl.types import TensorType


def _argsort_infer(x: TensorType, *, axis: int) -> Inferred:
    return TensorType("int64", x.shape), ()


def places_in_order(x: Any, axis: int) -> Any:
    """np.argsort(x, axis, kind="stable"). Numbers of 32 bits are sorted in one word with their places behind them, which no
    two share: so any sort of the words is stable, and NumPy's quickest is for them."""
    if x.dtype.itemsize != 4 or x.shape[axis] >= 1 << 32:
        return np.argsort(x, axis=axis, kind="stable")
    top = np.uint32(1 << 31)
    if x.dtype.kind == "f":
        bits = (x + np.float32(0)).view(np.int32)  # -0 is 0
        keys = bits.view(np.uint32) ^ ((bits >> 31).view(np.uint32) | top)
        nan = np.isnan(x)
        if nan.any():
            keys[nan] = 0xFFFFFFFF
    else:
        keys = x.view(np.uint32) ^ top if x.dtype.kind == "i" else x
    words = keys.astype(np.uint64, order="C")
    words <<= np.uint64(32)
    words |= np.arange(x.shape[axis], dtype=np.uint64).reshape(-1, *[1] * (x.ndim - 1 - axis))
    words.sort(axis=axis)
    words &= np.uint64(0xFFFFFFFF)
    return words.view(np.int64)


ARGSORT = register(
    Op(
        "argsort", "routine", ("x",), _argsort_infer, "The places that would sort x along an axis.",
        reference=lambda x, *, axis: places_in_order(x, axis), pullback=lambda g, y, x, **_: (None,),
    )
)  # fmt: skip


def _sort_pullback(g: Expr, y: Expr, x: Expr, *, axis: int) -> tuple[Expr]:
    rank = make(ARGSORT, (make(ARGSORT, (x,), axis=axis),), axis=axis)
    return (take_along_axis(g, rank, axis),)


SORT = register(
    Op(
        "sort", "routine", ("x",), lambda x, *, axis: (x, ()), "x sorted along an axis.",
        reference=lambda x, *, axis: np.sort(x, axis=axis, kind="stable"), pullback=_sort_pullback,
    )
)  # fmt: skip


def _searchsorted_infer(a: TensorType, v: TensorType, *, side: str) -> Inferred:
    return TensorType("int64", v.shape), ()


SEARCHSORTED = register(
    Op(
        "searchsorted", "routine", ("a", "v"), _searchsorted_infer,
        "Where each element of v would be inserted into the sorted vector a.",
        reference=lambda a, v, *, side: np.asarray(np.searchsorted(a, v, side)),
        pullback=lambda g, y, a, v, **_: (None, None),
    )
)  # fmt: skip


def _sorted_axis(x: Any, axis: int | None, what: str) -> tuple[Expr, int]:
    """x, flattened where axis is None, and the axis."""
    x = as_expr(x)
    if axis is None:
        return (x if x.type.ndim == 1 else flatten(x)), 0
    if x.type.ndim == 0:
        raise ShapeError(f"{what}: {x!r} is a scalar and has no axis to sort along", [described(x)])
    return x, axis_in(x, axis, what)


@declared("argsort")
def argsort(x: Any, axis: int | None = -1, kind: str | None = None, order: None = None) -> Expr:
    """The places (int64) that sort x along an axis, of the flattened x if axis is None.

    Stable: equal elements keep their order; NaN comes last. kind may name any of NumPy's algorithms and changes nothing;
    order is for structured arrays, which do not exist here.
    """
    x, k = _sorted_axis(x, axis, "argsort")
    _known_kind("argsort", kind, order)
    return make(ARGSORT, (x,), axis=k)


@declared("sort")
def sort(x: Any, axis: int | None = -1, kind: str | None = None, order: None = None) -> Expr:
    """x sorted along an axis, in ascending order; the flattened x if axis is None. See argsort.

    Its gradient goes where each element came from.
    """
    x, k = _sorted_axis(x, axis, "sort")
    _known_kind("sort", kind, order)
    return make(SORT, (x,), axis=k)


def _known_kind(what: str, kind: str | None, order: None) -> None:
    if kind not in (None, "quicksort", "mergesort", "heapsort", "stable"):
        raise ShapeError(f"{what}: there is no kind {kind!r} of sorting", (), "All sorts are stable; leave kind out.")
    if order is not None:
        raise ShapeError(f"{what}: order={order!r} is for structured arrays, which symdl does not have")


def topk_and_argtopk(
    x: Any, kth: int, axis: int | None = -1, sorted: bool = True, idx_dtype: str = "int64"
) -> tuple[Expr, Expr]:  # Theano's name
    """The kth largest elements of x along an axis and their places, the largest first; of the flattened x if axis is None.

    A kth below 0 asks for the -kth smallest, the smallest first. Raises ShapeError if the axis is known to be shorter.
    They are always sorted, whatever `sorted` says.
    """
    x, k = _sorted_axis(x, axis, "topk")
    if not isinstance(kth, int) or kth == 0:
        raise ShapeError(f"topk: kth must be an int other than 0, not {kth!r}", [described(x)])
    n = x.type.shape[k]
    if isinstance(n, int) and n < np.abs(kth):
        raise ShapeError(f"topk: axis {k} of {x!r} has {n} entries, fewer than {np.abs(kth)}", [described(x)])
    order = make(ARGSORT, (x,), axis=k)
    wanted = slice(None, -kth - 1, -1) if kth > 0 else slice(None, -kth)
    places = getitem(order, (*[slice(None)] * k, wanted))
    return take_along_axis(x, places, k), cast_to(places, idx_dtype)


def topk(
    x: Any, kth: int, axis: int | None = -1, sorted: bool = True, idx_dtype: str = "int64"
) -> Expr:  # Theano's name
    """The kth largest elements of x along an axis, the largest first: see topk_and_argtopk."""
    return topk_and_argtopk(x, kth, axis, sorted, idx_dtype)[0]


def argtopk(
    x: Any, kth: int, axis: int | None = -1, sorted: bool = True, idx_dtype: str = "int64"
) -> Expr:  # Theano's name
    """The places of the kth largest elements of x along an axis: see topk_and_argtopk."""
    return topk_and_argtopk(x, kth, axis, sorted, idx_dtype)[1]


@declared("median")
def median(x: Any, axis: int | None = None, keepdims: bool = False) -> Expr:
    """The middle of the sorted elements along an axis, the mean of the two middle ones where their number is even.

    Of integers a float64. NaN where an element is NaN. Of no elements: an error when called.
    """
    x, k = _sorted_axis(x, axis, "median")
    x = x if is_float(x.type.dtype) else cast_to(x, "float64")
    ordered = make(SORT, (x,), axis=k)
    n = expr_of(x.type.shape[k]) if not isinstance(x.type.shape[k], int) else x.type.shape[k]
    lead = [slice(None)] * k

    def at(place: Any) -> Expr:
        return getitem(ordered, (*lead, place))

    last = at(-1)
    middle = (at((n - 1) // 2) + at(n // 2)) / 2
    out = where(OPS["isnan"](last), last, middle)
    return getitem(out, (*lead, None)) if keepdims and axis is not None else out


def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Expr:
    """For each element of v the place (int64) at which it would be inserted into the sorted vector a.

    side: "left" gives the first such place, "right" the last. sorter: places that sort a, where it is not sorted.
    """
    a = as_expr(a)
    if side not in ("left", "right"):
        raise ShapeError(f"searchsorted: side cannot be {side!r}", (), "choices: left, right")
    if a.type.ndim != 1:
        raise ShapeError(f"searchsorted: {a!r} must be a vector", [described(a)])
    if sorter is not None:
        a = getitem(a, as_expr(sorter))
    v = as_expr(v)
    dtype = common_dtype([a, v])
    return make(SEARCHSORTED, (cast_to(a, dtype), cast_to(v, dtype)), side=side)


# ---- sizes that data decide ----


@declared("nonzero")
def nonzero(x: Any, return_matrix: bool = False) -> Any:
    """The places of the elements of x that are not zero: a tuple of one int64 vector an axis, in C order.

    return_matrix: one matrix with a row an axis. The number of places is known when the function runs; no gradient.
    """
    x = as_expr(x)
    if x.type.ndim == 0:
        raise ShapeError(f"nonzero: {x!r} is a scalar", [described(x)], "T.flatten(x) has an axis.")
    found = nonzero_of(x)
    return concatenate([getitem(f, (None, slice(None))) for f in found]) if return_matrix else found


def flatnonzero(x: Any) -> Expr:
    """The places of the elements of the flattened x that are not zero, an int64 vector."""
    x = as_expr(x)
    return nonzero_of(x if x.type.ndim == 1 else flatten(x))[0]


def nonzero_values(x: Any) -> Expr:
    """The elements of x that are not zero, as a vector in C order."""
    x = as_expr(x)
    flat = x if x.type.ndim == 1 else flatten(x)
    return getitem(flat, nonzero_of(flat)[0])


def unique(
    x: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False, axis: None = None
) -> Any:
    """The distinct elements of the flattened x in ascending order; if asked for, also the place of the first of each,
    the number of its value for each element of the flattened x, and how often each occurs (int64 vectors).

    Gradients flow to the first of each.
    """
    x = as_expr(x)
    if axis is not None:
        raise ShapeError("unique: only the distinct elements of the flattened x can be found; leave axis out")
    flat = x if x.type.ndim == 1 else flatten(x)
    first, numbers, counts = unique_of(flat)
    chosen = [getitem(flat, first)]
    chosen += [
        part for part, wanted in ((first, return_index), (numbers, return_inverse), (counts, return_counts)) if wanted
    ]
    return chosen[0] if len(chosen) == 1 else tuple(chosen)


def bincount(x: Any, weights: Any = None, minlength: Any = 0) -> Expr:
    """How often each of 0, 1, ..., max(x) occurs in an integer vector; with weights, the sum of those of its places.

    The result has at least minlength entries: int64, or the weights' dtype (float64 for integers), whose gradient flows to
    the weights. An element below 0 raises IndexRangeError when called.
    """
    x = as_expr(x)
    if x.type.ndim != 1 or is_float(x.type.dtype):
        raise DtypeError(f"bincount: {x!r} must be a vector of integers", [described(x)])
    x = cast_to(x, "int64")
    longest = max(concatenate([x + 1, getitem(as_expr(minlength).astype("int64"), None)]))
    places = range_of(longest)
    dtype = "int64" if weights is None else common_dtype([weights])
    dtype = dtype if dtype == "int64" and weights is None else dtype if is_float(dtype) else "float64"
    empty = zeros(places.shape, dtype)
    outside = where(OPS["lt"](x, 0), longest, x)  # a negative place would be counted from the end
    return inc_subtensor(getitem(empty, outside), 1 if weights is None else cast_to(as_expr(weights), dtype))
