"""Running products, and the linear recurrence that is their gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from symdl.graph.expr import Expr, Inferred, Op, as_expr, make, register
from symdl.graph.methods import declared
from symdl.ops.declare import differentiable
from symdl.ops.elementwise import cast
from symdl.ops.extents import axis_in
from symdl.ops.indexing import getitem
from symdl.ops.shaping import concatenate, flatten, flip, ones_like
from symdl.types import TensorType, equal


def _infer(a: TensorType, g: TensorType, *, axis: int) -> Inferred:
    facts: list[Any] = []
    for k, (n, m) in enumerate(zip(a.shape, g.shape, strict=True)):
        equal(n, m, f"linear_recurrence: axis {k} of {{0}} is {{left}}, of {{1}} {{right}}", facts)
    return g, tuple(facts)


def _numpy(a: Any, g: Any, *, axis: int) -> Any:
    out = np.array(g)
    rows, factors = np.moveaxis(out, axis, 0), np.moveaxis(a, axis, 0)
    for k in range(1, len(rows)):
        rows[k] += factors[k] * rows[k - 1]
    return out


def _pullback(h: Expr, s: Expr, a: Expr, g: Expr, *, axis: int) -> tuple[Expr | None, ...]:
    """The recurrence run backwards, with each factor one place earlier."""
    lead = (slice(None),) * axis
    after = concatenate([getitem(a, (*lead, slice(1, None))), ones_like(getitem(a, (*lead, slice(None, 1))))], axis)
    back = flip(make(LINEAR, (flip(after, axis), flip(h, axis)), axis=axis), axis)
    before = concatenate([0 * getitem(s, (*lead, slice(None, 1))), getitem(s, (*lead, slice(None, -1)))], axis)
    return (back * before if differentiable(a) else None), back


LINEAR = register(
    Op(
        "linear_recurrence", "routine", ("a", "g"), _infer, "s[0] = g[0], s[i] = g[i] + a[i] * s[i - 1] along an axis.",
        reference=_numpy, pullback=_pullback,
    )
)  # fmt: skip


def _pull_cumprod(g: Expr, y: Expr, x: Expr, *, axis: int) -> tuple[Expr]:
    """d / d x[i] is the product of what comes before i, times the sum over j >= i of g[j] and what lies between i and j:
    right where x is 0, too."""
    lead = (slice(None),) * axis
    first = getitem(x, (*lead, slice(None, 1)))
    before = concatenate([ones_like(first), getitem(y, (*lead, slice(None, -1)))], axis)
    after = concatenate([getitem(x, (*lead, slice(1, None))), ones_like(first)], axis)
    return (before * flip(make(LINEAR, (flip(after, axis), flip(g, axis)), axis=axis), axis),)


CUMPROD = register(
    Op(
        "cumprod", "accumulation", ("x",), lambda t, *, axis: (t, ()), "Running product along an axis.",
        reference=lambda x, *, axis: np.cumprod(x.astype("float64" if x.dtype == "float32" else x.dtype), axis).astype(x.dtype),
        pullback=_pull_cumprod, meaning="Product(x[:i+1])",
    )
)  # fmt: skip


@declared("cumprod")
def cumprod(x: Any, axis: int | None = None) -> Expr:
    """Running product along an axis, of the flattened x by default. Integers and bools are multiplied as NumPy does."""
    x = as_expr(x)
    x = cast(x, np.cumprod(np.zeros(1, x.type.dtype)).dtype.name)
    if axis is None:
        x, axis = x if x.type.ndim == 1 else flatten(x), 0
    return make(CUMPROD, (x,), axis=axis_in(x, axis, "cumprod"))
