"""softmax, log_softmax and logsumexp along axes: composite ops whose definitions the algebra of stage 3 reads."""

from __future__ import annotations

from typing import Any

from symdl.graph.expr import OPS, Expr, Inferred, Op, as_expr, constant, make, register
from symdl.graph.methods import declared
from symdl.ops.declare import cast_to, float_of
from symdl.ops.elementwise import eq, sub, where
from symdl.ops.extents import axes_in
from symdl.ops.functions import exp, log
from symdl.ops.reductions import SUM, along, greatest, keep
from symdl.types import TensorType

Axes = tuple[int, ...]


def _same(t: TensorType, *, axes: Axes) -> Inferred:
    return t, ()


def _total(x: Expr, axes: Axes) -> Expr:
    return make(SUM, (x,), axes=axes)


def shifted(x: Expr, axes: Axes) -> tuple[Expr, Expr]:
    """(largest of x, x less its largest): 0 where both are one infinity, so that logsumexp is that infinity."""
    top = greatest(x, axes)
    wide = along(top, x, axes)
    return top, where(eq(x, wide), constant(0, x.type.dtype), sub(x, wide))


def finite_row(total: Expr, top: Expr) -> Expr:
    """total; NaN where the row's largest is infinite, so that inf / inf and 0 / 0 are what they are."""
    return total + top * constant(0, top.type.dtype)


def _softmax(x: Expr, *, axes: Axes) -> Expr:
    top, gap = shifted(x, axes)
    e = exp(gap)
    return e / along(finite_row(_total(e, axes), top), x, axes)


def _log_softmax(x: Expr, *, axes: Axes) -> Expr:
    top, gap = shifted(x, axes)
    return gap - along(finite_row(log(_total(exp(gap), axes)), top), x, axes)


def _logsumexp(x: Expr, *, axes: Axes) -> Expr:
    top, gap = shifted(x, axes)
    return top + log(_total(exp(gap), axes))


def _pull_softmax(g: Expr, y: Expr, x: Expr, *, axes: Axes) -> tuple[Expr]:
    return (y * (g - along(_total(g * y, axes), x, axes)),)


def _pull_log_softmax(g: Expr, y: Expr, x: Expr, *, axes: Axes) -> tuple[Expr]:
    return (g - make(SOFTMAX, (x,), axes=axes) * along(_total(g, axes), x, axes),)


def _pull_logsumexp(g: Expr, y: Expr, x: Expr, *, axes: Axes) -> tuple[Expr]:
    return (along(g, x, axes) * make(SOFTMAX, (x,), axes=axes),)


SOFTMAX = register(
    Op(
        "softmax", "composite", ("x",), _same, "exp(x) / sum exp(x) over axes.", expand=_softmax, pullback=_pull_softmax,
        meaning="exp(x) / Sum(exp(x))",
        definition=lambda x, *, axes: exp(x) / along(_total(exp(x), axes), x, axes),
    )
)  # fmt: skip
LOG_SOFTMAX = register(
    Op(
        "log_softmax", "composite", ("x",), _same, "The logarithm of softmax.", expand=_log_softmax,
        pullback=_pull_log_softmax, meaning="log(exp(x) / Sum(exp(x)))",
        definition=lambda x, *, axes: log(exp(x) / along(_total(exp(x), axes), x, axes)),
    )
)  # fmt: skip
LOGSUMEXP = register(
    Op(
        "logsumexp", "composite", ("x",),
        lambda t, *, axes: OPS["sum"].infer(t, axes=axes), "log(sum exp(x)) over axes; -inf of no elements.",
        expand=_logsumexp, pullback=_pull_logsumexp, meaning="log(Sum(exp(x)))",
        definition=lambda x, *, axes: log(_total(exp(x), axes)),
    )
)  # fmt: skip


def _prepared(x: Any, axis: Any, name: str) -> tuple[Expr, Axes]:
    x = as_expr(x)
    x = cast_to(x, float_of(x.type.dtype))
    return x, axes_in(x, axis, name)


def softmax(x: Any, axis: Any = -1) -> Expr:
    """exp(x) / sum of exp(x) along axis (the last by default; None for all): positive, adding up to 1.

    0 for a logit of -inf; NaN for a row with inf, and for one of -inf alone.
    """
    x, axes = _prepared(x, axis, "softmax")
    return make(SOFTMAX, (x,), axes=axes)


def log_softmax(x: Any, axis: Any = -1) -> Expr:
    """log(softmax(x)) along axis, without underflow; NaN for a row with inf, and for one of -inf alone."""
    x, axes = _prepared(x, axis, "log_softmax")
    return make(LOG_SOFTMAX, (x,), axes=axes)


@declared("logsumexp")
def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Expr:
    """log of the sum of exp(x) over axes (all by default), without overflow; -inf of -inf alone, inf beside inf."""
    x, axes = _prepared(x, axis, "logsumexp")
    return keep(make(LOGSUMEXP, (x,), axes=axes) if axes else x, x, axes, keepdims)
