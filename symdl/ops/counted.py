"""Ops whose results are as long as data say: places of what is not zero, distinct values, ranges."""

from __future__ import annotations

from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from symdl.graph.expr import Expr, Inferred, Op, as_expr, make, register, results
from symdl.types import Extent, Results, TensorType, fresh_symbol


def _nonzero_infer(x: TensorType, *, count: Extent) -> Inferred:
    return Results((TensorType("int64", (count,)),) * len(x.shape)), ()


def _nonzero_numpy(x: Any) -> tuple[Any, ...]:
    return tuple(np.nonzero(x))


def _without_gradient(g: Any, y: Expr, *inputs: Expr, **params: Any) -> tuple[None, ...]:
    return (None,) * len(inputs)


NONZERO = register(
    Op(
        "nonzero", "counted", ("x",), _nonzero_infer, "Where x is not zero: an array of indices an axis.",
        reference=_nonzero_numpy, pullback=_without_gradient,
    )
)  # fmt: skip


def _unique_infer(x: TensorType, *, count: Extent) -> Inferred:
    (n,) = x.shape
    one = TensorType("int64", (count,))
    return Results((one, TensorType("int64", (n,)), one)), ()


def _unique_numpy(x: Any) -> tuple[Any, ...]:
    _, first, inverse, counts = np.unique(x, return_index=True, return_inverse=True, return_counts=True)
    return first, inverse.reshape(-1), counts


UNIQUE = register(
    Op(
        "unique_places", "counted", ("x",), _unique_infer,
        "Of a vector: the first place of each distinct value in their order, the number of its value for each element, "
        "and how often each value occurs.",
        reference=_unique_numpy, pullback=_without_gradient,
    )
)  # fmt: skip


RANGE = register(
    Op(
        "range_of", "counted", ("n",), lambda n, *, count: (TensorType("int64", (count,)), ()),
        "0, 1, ..., n - 1 for a number n that data decide.",
        reference=lambda n: np.arange(max(int(n), 0), dtype=np.int64), pullback=_without_gradient,
    )
)  # fmt: skip


REPEATED = register(
    Op(
        "repeated_places", "counted", ("counts",), lambda n, *, count: (TensorType("int64", (count,)), ()),
        "Each place of a vector as often as its number there says.",
        reference=lambda counts: np.repeat(np.arange(len(counts), dtype=np.int64), counts), pullback=_without_gradient,
    )
)  # fmt: skip
_made: WeakValueDictionary[tuple[Op, Expr], Expr] = WeakValueDictionary()


def _counted(op: Op, x: Any) -> Expr:
    """The one node of this op and operand, so that what is as long as it is of one extent."""
    x = as_expr(x)
    node = _made.get((op, x))
    return _made.setdefault((op, x), make(op, (x,), count=fresh_symbol("count"))) if node is None else node


def range_of(n: Any) -> Expr:
    """0, 1, ..., n - 1 as int64: a vector whose length data decide."""
    return _counted(RANGE, n)


def extent_from_data(n: Expr, signed: bool = False) -> Extent:
    """The extent that an integer scalar is when the function runs; signed: it may be negative, else that counts as 0."""
    above: Extent = range_of(n).type.shape[0]
    return above - range_of(-n).type.shape[0] if signed else above


def nonzero_of(x: Any) -> tuple[Expr, ...]:
    """Where x is not zero: one vector of indices an axis. x has at least one axis."""
    return results(_counted(NONZERO, x))


def unique_of(x: Any) -> tuple[Expr, ...]:
    """(first places, numbers, counts) of the distinct values of a vector."""
    return results(_counted(UNIQUE, x))


def repeated_of(counts: Any) -> Expr:
    """Each place of a vector of counts, that many times."""
    return _counted(REPEATED, counts)
