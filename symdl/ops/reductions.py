"""Reductions: folds over axes. Axes are dropped; keepdims is a view of the result."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from symdl.errors import DtypeError
from symdl.graph.expr import Expr, Inferred, Op, as_expr, constant, make, register, results
from symdl.graph.methods import declared
from symdl.ops.declare import IDENTITY, filled_like, float_of, is_float, spread, stacked
from symdl.ops.elementwise import cast, eq, sqr, where
from symdl.ops.extents import axes_in, expr_of
from symdl.ops.functions import sqrt
from symdl.ops.shaping import expand_dims, flip, iota
from symdl.records import record
from symdl.types import Extent, Fact, Results, Shape, TensorType, largest, product, require_at_most

Axes = tuple[int, ...]


@record
class Fold:
    """How a reduction runs: accumulator = combine(accumulator, element), from the identity on.

    combine is a scalar primitive. A float32 sum is accumulated as float64.
    """

    combine: str
    identity: Callable[[str], Any]  # of the accumulator's dtype
    accumulator: Callable[[str], str] = lambda dtype: dtype


def _lowest(dtype: str) -> Any:
    return -math.inf if is_float(dtype) else False if dtype == "bool" else np.iinfo(dtype).min


def _highest(dtype: str) -> Any:
    return math.inf if is_float(dtype) else True if dtype == "bool" else np.iinfo(dtype).max


def _wide(dtype: str) -> str:
    return "float64" if dtype == "float32" else dtype


FOLDS = {  # op name -> how it runs
    "sum": Fold("add", lambda dtype: 0, _wide),
    "prod": Fold("mul", lambda dtype: 1, _wide),
    "max": Fold("maximum", _lowest),
    "min": Fold("minimum", _highest),
    "any": Fold("bitwise_or", lambda dtype: False),
    "all": Fold("bitwise_and", lambda dtype: True),
    "cumsum": Fold("add", lambda dtype: 0, _wide),
    "cumprod": Fold("mul", lambda dtype: 1, _wide),
}


def _left(shape: Shape, axes: Axes) -> Shape:
    return tuple(n for k, n in enumerate(shape) if k not in axes)


def along(y: Expr, x: Expr, axes: Axes) -> Expr:
    """y, a reduction of x over axes, as a view of x's shape."""
    return spread(y, x.type.shape, tuple(k for k in range(len(x.type.shape)) if k not in axes))


def _reduction(
    name: str,
    doc: str,
    numpy: Callable[..., Any],
    pullback: Callable[..., Any],
    meaning: str,
    below: float | None = None,
) -> Op:
    """Declare a reduction. below: what it starts from, where it has no value over no elements: users must not ask for
    that, but composite ops such as logsumexp go on from there (`greatest`)."""

    def infer(t: TensorType, *, axes: Axes) -> Inferred:
        facts: list[Fact] = []
        if below is not None:
            for k in axes:
                require_at_most(1, t.shape[k], f"{name}: axis {k} of {{0}} is empty", facts)
        return TensorType(t.dtype, _left(t.shape, axes)), tuple(facts)

    def reference(x: Any, *, axes: Axes) -> Any:
        wide = _wide(x.dtype.name) if name in ("sum", "prod") else x.dtype
        start = {} if below is None or x.size or x.dtype.kind != "f" else {"initial": below}
        return np.asarray(numpy(x.astype(wide), axis=axes, **start)).astype(x.dtype)

    return register(Op(name, "reduction", ("x",), infer, doc, reference=reference, pullback=pullback, meaning=meaning))


def _pull_prod(g: Expr, y: Expr, x: Expr, *, axes: Axes) -> tuple[Expr]:
    # The product of all others: y / x, but zeros need the product of what is not 0.
    zero = eq(x, 0)
    count = make(SUM, (cast(zero, "int64"),), axes=axes)
    rest = along(make(PROD, (where(zero, constant(1, x.type.dtype), x),), axes=axes), x, axes)
    none, one = along(eq(count, 0), x, axes), along(eq(count, 1), x, axes)
    nothing = filled_like(0, x)
    others = where(
        zero, where(one, rest, nothing), where(none, rest / where(zero, constant(1, x.type.dtype), x), nothing)
    )
    return (along(g, x, axes) * others,)


def _pull_extreme(g: Expr, y: Expr, x: Expr, *, axes: Axes) -> tuple[Expr]:
    # Elements that tie share the gradient evenly.
    best = eq(x, along(y, x, axes))
    count = make(SUM, (cast(best, x.type.dtype),), axes=axes)
    return (where(best, along(g / count, x, axes), constant(0, x.type.dtype)),)


SUM = _reduction("sum", "Sum over axes.", np.sum, lambda g, y, x, *, axes: (along(g, x, axes),), "Sum(x)")
PROD = _reduction("prod", "Product over axes.", np.prod, _pull_prod, "Product(x)")
MAX = _reduction("max", "Largest over axes; NaN if any is.", np.max, _pull_extreme, "Max(*x)", -np.inf)
MIN = _reduction("min", "Smallest over axes; NaN if any is.", np.min, _pull_extreme, "Min(*x)", np.inf)


def greatest(x: Expr, axes: Axes) -> Expr:
    """The largest of floats over axes for what goes on from -inf where there is nothing, known to be or at the call only."""
    if 0 in [x.type.shape[k] for k in axes]:
        return spread(constant(-math.inf, x.type.dtype), _left(x.type.shape, axes), ())
    return make(MAX, (x,), axes=axes)


ANY_OP = _reduction("any", "Whether any holds.", np.any, lambda g, y, x, *, axes: (None,), "Or(*x)")
ALL_OP = _reduction("all", "Whether all hold.", np.all, lambda g, y, x, *, axes: (None,), "And(*x)")


# ---- the largest and its place ----


def _arg_infer(t: TensorType, *, axis: int, name: str) -> Inferred:
    facts: list[Fact] = []
    require_at_most(1, t.shape[axis], f"{name}: axis {axis} of {{0}} is empty", facts)
    shape = _left(t.shape, (axis,))
    return Results((TensorType(t.dtype, shape), TensorType("int64", shape))), tuple(facts)


def _pull_at(g: tuple[Expr | None, Expr | None], y: Expr, x: Expr, *, axis: int, name: str) -> tuple[Expr | None]:
    if g[0] is None:
        return (None,)
    here = eq(iota(x.type.shape, axis), along(results(y)[1], x, (axis,)))
    return (where(here, along(g[0], x, (axis,)), constant(0, x.type.dtype)),)


def _arg_op(name: str, extreme: Callable[..., Any], arg: Callable[..., Any]) -> Op:
    return register(
        Op(
            name, "reduction", ("x",), lambda t, *, axis: _arg_infer(t, axis=axis, name=name),
            "(the extreme element, the first place where it is) along one axis; the first NaN wins.",
            reference=lambda x, *, axis: (extreme(x, axis=axis), arg(x, axis=axis)),
            pullback=lambda g, y, x, *, axis: _pull_at(g, y, x, axis=axis, name=name),
        )
    )  # fmt: skip


MAX_AND_ARGMAX = _arg_op("max_and_argmax", np.max, np.argmax)
MIN_AND_ARGMIN = _arg_op("min_and_argmin", np.min, np.argmin)


# ---- running sums ----


def _pull_cumsum(g: Expr, y: Expr, x: Expr, *, axis: int) -> tuple[Expr]:
    return (flip(make(CUMSUM, (flip(g, axis),), axis=axis), axis),)


CUMSUM = register(
    Op(
        "cumsum", "accumulation", ("x",), lambda t, *, axis: (t, ()), "Running sum along an axis.",
        reference=lambda x, *, axis: np.cumsum(x.astype(_wide(x.dtype.name)), axis=axis).astype(x.dtype),
        pullback=_pull_cumsum, meaning="Sum(x[:i+1])",
    )
)  # fmt: skip


# ---- what users call ----


def _operand(x: Any, name: str) -> Expr:
    if isinstance(x, bool):
        raise DtypeError(f"{name}: got the Python bool {x}", (), IDENTITY)
    return as_expr(stacked(x))


def keep(y: Expr, x: Expr, axes: Axes, keepdims: bool) -> Expr:
    """y, with the reduced axes of x kept as 1 if asked for."""
    return expand_dims(y, axes) if keepdims and axes else y


def _sum_dtype(dtype: str) -> str:
    """NumPy's: bools and small integers are summed as 64-bit ones."""
    if is_float(dtype):
        return dtype
    return "uint64" if dtype.startswith("uint") else "int64"


@declared("sum")
def sum(x: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Expr:
    """Sum over axes (all by default). float32 is accumulated as float64 and rounded once."""
    x = _operand(x, "sum")
    x = cast(x, dtype or _sum_dtype(x.type.dtype))
    axes = axes_in(x, axis, "sum")
    return keep(make(SUM, (x,), axes=axes) if axes else x, x, axes, keepdims)


@declared("prod")
def prod(x: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Expr:
    """Product over axes (all by default)."""
    x = _operand(x, "prod")
    x = cast(x, dtype or _sum_dtype(x.type.dtype))
    axes = axes_in(x, axis, "prod")
    return keep(make(PROD, (x,), axes=axes) if axes else x, x, axes, keepdims)


def count_of(x: Expr, axes: Axes, dtype: str, less: int = 0) -> Expr:
    """How many elements a reduction over axes takes in, less so many but not below 0, as a float."""
    n: Extent = product(x.type.shape[k] for k in axes)
    return cast(expr_of(largest(n - less, 0) if less else n), dtype)


@declared("mean")
def mean(x: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Expr:
    """Arithmetic mean over axes; NaN of no elements."""
    x = _operand(x, "mean")
    x = cast(x, dtype or float_of(x.type.dtype, "divide"))
    axes = axes_in(x, axis, "mean")
    return sum(x, axis=axes, keepdims=keepdims) / count_of(x, axes, x.type.dtype)


@declared("var")
def var(x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Expr:
    """Variance over axes, in two passes: the mean squared distance from the mean, over n - ddof, or 0 where ddof > n."""
    return _variance("var", x, axis, ddof, keepdims)


def _variance(what: str, x: Any, axis: Any, ddof: int, keepdims: bool) -> Expr:
    x = _operand(x, what)
    x = cast(x, float_of(x.type.dtype, "divide"))
    axes = axes_in(x, axis, what)
    centred = x - mean(x, axis=axes, keepdims=True)
    return sum(sqr(centred), axis=axes, keepdims=keepdims) / count_of(x, axes, x.type.dtype, operator.index(ddof))


@declared("std")
def std(x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Expr:
    """Standard deviation over axes: the root of var."""
    return sqrt(_variance("std", x, axis, ddof, keepdims))


def _extreme(op: Op, name: str) -> Callable[..., Expr]:
    def extreme(x: Any, axis: Any = None, keepdims: bool = False) -> Expr:
        x = _operand(x, name)
        axes = axes_in(x, axis, name)
        return keep(make(op, (x,), axes=axes) if axes else x, x, axes, keepdims)

    extreme.__name__, extreme.__doc__ = name, op.doc + " Raises ShapeError where there are none."
    return extreme


max = declared("max")(_extreme(MAX, "max"))
min = declared("min")(_extreme(MIN, "min"))
declared("amax")(max)
declared("amin")(min)


def _logic(op: Op, name: str) -> Callable[..., Expr]:
    def logic(x: Any, axis: Any = None, keepdims: bool = False) -> Expr:
        x = cast(_operand(x, name), "bool")
        axes = axes_in(x, axis, name)
        return keep(make(op, (x,), axes=axes) if axes else x, x, axes, keepdims)

    logic.__name__, logic.__doc__ = name, op.doc + " Numbers count as != 0."
    return logic


any = declared("any")(_logic(ANY_OP, "any"))
all = declared("all")(_logic(ALL_OP, "all"))


def _arg(op: Op, name: str) -> Callable[..., tuple[Expr, Expr]]:
    def both(x: Any, axis: int | None = None, keepdims: bool = False) -> tuple[Expr, Expr]:
        x = _operand(x, name)
        flat = x if axis is not None else x.reshape((-1,)) if x.type.ndim != 1 else x
        (k,) = axes_in(flat, 0 if axis is None else axis, name)
        best, at = results(make(op, (flat,), axis=k))
        if keepdims:
            axes = (k,) if axis is not None else tuple(range(x.type.ndim))
            return expand_dims(best, axes), expand_dims(at, axes)
        return best, at

    both.__name__, both.__doc__ = name, op.doc
    return both


max_and_argmax = _arg(MAX_AND_ARGMAX, "max_and_argmax")
min_and_argmin = _arg(MIN_AND_ARGMIN, "min_and_argmin")


@declared("argmax")
def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Expr:
    """int64 place of the largest element along an axis, of the flattened x by default; the first of several."""
    return max_and_argmax(x, axis, keepdims)[1]


@declared("argmin")
def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Expr:
    """int64 place of the smallest element along an axis, of the flattened x by default; the first of several."""
    return min_and_argmin(x, axis, keepdims)[1]


@declared("cumsum")
def cumsum(x: Any, axis: int | None = None) -> Expr:
    """Running sum along an axis, of the flattened x by default."""
    x = _operand(x, "cumsum")
    x = cast(x, _sum_dtype(x.type.dtype))
    if axis is None:
        x, axis = x.reshape((-1,)) if x.type.ndim != 1 else x, 0
    return make(CUMSUM, (x,), axis=axes_in(x, axis, "cumsum")[0])


@declared("ptp")
def ptp(x: Any, axis: Any = None, keepdims: bool = False) -> Expr:
    """max - min over axes."""
    return max(x, axis, keepdims) - min(x, axis, keepdims)
