"""Random numbers as ops: pure formulas of a key, a count of calls, a serial number and the place of an element.

They are elementwise, so they fuse with what uses them and cost no memory; equal draws are one node, and a draw has the
same value wherever it is computed. `symdl.philox` says which word belongs to which element.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symdl.graph.expr import Expr, Inferred, Op, constant, make, register
from symdl.ops.elementwise import cast
from symdl.ops.extents import expr_of
from symdl.ops.views import sized
from symdl.philox import normal32, normal64, word32, word64
from symdl.types import Shape, TensorType, broadcast, product

ARGUMENTS = ("key", "count", "serial", "place")

PLACE = register(
    Op(
        "place", "position", (), lambda *, shape: (TensorType("uint64", shape), tuple(sized("draw", shape))),
        "uint64: the number of each element of a shape, counted in C order.",
        reference=lambda *, shape: np.arange(np.prod(shape, dtype=np.int64), dtype=np.uint64).reshape(shape),
        pullback=lambda *_, **__: (),
    )
)  # fmt: skip


def _draw(name: str, dtype: str, numpy: Callable[..., Any], doc: str) -> Op:
    """Declare one kind of draw. Nothing flows back through it: loc and scale are arithmetic on what it gives."""

    def infer(*types: TensorType) -> Inferred:
        shape, facts = broadcast(name, [t.shape for t in types])
        return TensorType(dtype, shape), facts

    return register(
        Op(
            name, "elementwise", ARGUMENTS, infer, doc, reference=numpy, pullback=lambda *_, **__: (None,) * len(ARGUMENTS)
        )
    )  # fmt: skip


DRAWS = {
    "uint32": _draw("random_word32", "uint32", word32, "A random word of 32 bits."),
    "uint64": _draw("random_word64", "uint64", word64, "A random word of 64 bits."),
    "float32": _draw("random_normal32", "float32", normal32, "A standard normal number, within 4 ulp of its formula."),
    "float64": _draw("random_normal64", "float64", normal64, "A standard normal number, within 4 ulp of its formula."),
}


def draw(kind: str, key: Expr, count: Expr, serial: int, shape: Shape, round_: Expr | None = None) -> Expr:
    """Random words (kind "uint32" or "uint64") or standard normal numbers ("float32", "float64") of a shape.

    key and count are uint64 scalars; draws of one key and count and of different serials share nothing. round_: which of
    many draws of this shape it is, an integer scalar; together they are one draw with an axis of rounds.
    """
    if not shape:
        place = constant(0, "uint64")
    else:
        place = make(PLACE, (), shape=shape)
    if round_ is not None:
        place = place + cast(round_, "uint64") * cast(expr_of(product(shape)), "uint64")
    return make(DRAWS[kind], (key, count, constant(serial, "uint64"), place))


def _permutation_infer(t: TensorType) -> Inferred:
    return TensorType("int64", t.shape), ()


def _inside_out(chosen: Any) -> Any:
    """Fisher and Yates, inside out, along the last axis."""
    rows = np.asarray(chosen).reshape(-1, np.shape(chosen)[-1]) if np.size(chosen) else np.empty((0, 0), np.int64)
    out = []
    for row in rows.tolist():
        order: list[int] = []
        for i, j in enumerate(row):
            order.append(i)
            order[i], order[j] = order[j], i
        out.append(order)
    return np.array(out, np.int64).reshape(np.shape(chosen))


PERMUTATION = register(
    Op(
        "permutation", "permutation", ("chosen",), _permutation_infer,
        "0, 1, ... in the order made by letting each i change places with the one at chosen[i] <= i, along the last axis.",
        reference=_inside_out, pullback=lambda *_: (None,),
    )
)  # fmt: skip
