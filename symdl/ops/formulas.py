"""Formulas of the field, written as what they mean: compositions of other ops, without ops of their own."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from symdl.config import config
from symdl.errors import ShapeError
from symdl.graph.expr import Expr, as_expr, described
from symdl.graph.methods import declared
from symdl.ops.declare import cast_to, common_dtype, float_of, is_float
from symdl.ops.elementwise import (
    abs,
    bitwise_and,
    bitwise_or,
    cast,
    clip,
    eq,
    ge,
    isnan,
    le,
    ne,
    sqr,
    where,
)
from symdl.ops.extents import as_shape, axis_in, exprs_of
from symdl.ops.functions import erfc, expm1, log, round_half_even, sigmoid, softplus, sqrt, tanh
from symdl.ops.indexing import getitem
from symdl.ops.reductions import all, mean, sum
from symdl.ops.shaping import arange, broadcast_to, concatenate, expand_dims, eye, flatten, iota, moveaxis, one_hot, pad
from symdl.ops.views import reshape_to
from symdl.types import floor_divide, largest, smallest

# ---- activations ----


def _floating(x: Any) -> Expr:
    """x as floats, as functions of reals take it."""
    e = as_expr(x)
    return cast_to(e, float_of(e.type.dtype))


def relu(x: Any, alpha: Any = 0) -> Expr:
    """max(x, 0): the rectifier (Nair and Hinton, 2010); with alpha, alpha * x below 0 (Maas, 2013).

    Its derivative at 0 is 0 (with alpha, alpha), so that a layer's gradient needs the layer's output alone.
    T.maximum(x, 0) is the same with the derivative 1/2 at 0.
    """
    x = as_expr(x)
    if type(alpha) in (int, float) and alpha == 0:
        return where(x <= 0, 0, x)  # and not x > 0: NaN stays NaN
    return where(x > 0, x, alpha * x)


def elu(x: Any, alpha: Any = 1) -> Expr:
    """x above 0, else alpha * (e^x - 1) (Clevert, Unterthiner and Hochreiter, 2015)."""
    x = _floating(x)
    return where(x > 0, x, alpha * expm1(x))


def selu(x: Any) -> Expr:
    """elu scaled so that mean 0 and variance 1 are kept (Klambauer et al., 2017)."""
    return 1.0507009873554805 * elu(x, 1.6732632423543772)


def softsign(x: Any) -> Expr:
    """x / (1 + |x|), in (-1, 1)."""
    e = _floating(x)
    return e / (1 + abs(e))


def hard_sigmoid(x: Any) -> Expr:
    """x / 5 + 1/2, cut off to [0, 1]: Theano's."""
    return clip(0.2 * _floating(x) + 0.5, 0, 1)


def ultra_fast_sigmoid(x: Any) -> Expr:
    """Theano's approximation of sigmoid by a fraction, a line and a constant; wrong by up to 0.03."""
    x = _floating(x)
    far = 0.5 * abs(x)
    line = 0.935409070603099 + 0.0458812946797165 * (far - 1.7)
    rise = where(far < 1.7, 1.5 * far / (1 + far), where(far < 3, line, 0.99505475368673))
    out: Expr = 0.5 * (where(x >= 0, rise, -rise) + 1)
    return out


def leaky_relu(x: Any, alpha: Any = 0.01) -> Expr:
    """x above 0, else alpha * x (Maas, Hannun and Ng, 2013)."""
    return relu(x, alpha)


def gelu(x: Any, approximate: bool = False) -> Expr:
    """x times the normal distribution function at x (Hendrycks and Gimpel, 2016).

    approximate: x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) instead.
    """
    x = _floating(x)
    share = erfc(-0.7071067811865476 * x)
    if approximate:
        share = 1 + tanh(0.7978845608028654 * (x + 0.044715 * x * sqr(x)))
    out: Expr = 0.5 * x * share
    return out


def silu(x: Any) -> Expr:
    """x * sigmoid(x), also called swish (Elfwing, Uchibe and Doya, 2017)."""
    x = _floating(x)
    out: Expr = x * sigmoid(x)
    return out


def mish(x: Any) -> Expr:
    """x * tanh(softplus(x)) (Misra, 2019)."""
    x = _floating(x)
    out: Expr = x * tanh(softplus(x))
    return out


def hard_tanh(x: Any) -> Expr:
    """x cut off to [-1, 1]."""
    return clip(_floating(x), -1, 1)


def relu6(x: Any) -> Expr:
    """x cut off to [0, 6]."""
    return clip(_floating(x), 0, 6)


def logit(p: Any) -> Expr:
    """log(p / (1 - p)), the inverse of sigmoid."""
    p = _floating(p)
    return log(p / (1 - p))


# ---- losses, one number a row or element ----


def categorical_crossentropy(p: Any, target: Any) -> Expr:
    """-log of the probability of the target, in nats, one number a row.

    p[..., classes]: probabilities. target: labels[...], giving -log p[..., label]; or distributions[..., classes],
    giving -sum over c of target[..., c] log p[..., c]. Raises ShapeError for other numbers of axes.
    """
    p, target = as_expr(p), as_expr(target)
    if target.type.ndim == p.type.ndim:
        return -sum(target * log(p), axis=-1)
    if target.type.ndim != p.type.ndim - 1:
        raise ShapeError(
            "categorical_crossentropy: the target has neither labels nor rows", [described(p), described(target)]
        )
    lead = target.type.shape
    return -getitem(log(p), (*[iota(lead, k) for k in range(len(lead))], target))


def binary_crossentropy(p: Any, target: Any) -> Expr:
    """-(t log p + (1 - t) log(1 - p)), in nats, for each element; target is 0, 1 or in between."""
    q, t = as_expr(p), as_expr(target)
    return -(t * log(q) + (1 - t) * log(1 - q))


def sigmoid_binary_crossentropy(z: Any, target: Any) -> Expr:
    """binary_crossentropy of sigmoid(z), in nats, for each element: softplus(z) - target * z."""
    z = _floating(z)
    out: Expr = softplus(z) - as_expr(target) * z
    return out


# ---- comparing ----


@declared("isclose")
def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Expr:
    """Whether |a - b| <= atol + rtol |b|, or both are the same infinity (or NaN, if equal_nan)."""
    a, b = (_floating(v) for v in (a, b))
    finite = abs(b) < float("inf")
    near = bitwise_or(eq(a, b), bitwise_and(finite, le(abs(a - b), atol + rtol * abs(b))))
    return bitwise_or(near, bitwise_and(isnan(a), isnan(b))) if equal_nan else near


@declared("allclose")
def allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Expr:
    """Whether isclose holds everywhere."""
    return all(isclose(a, b, rtol, atol, equal_nan))


# ---- matrices ----


@declared("diagonal")
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Expr:
    """The elements x[k, k + offset] of a matrix; of more axes, of those along axis1 and axis2, as a new last axis."""
    x = as_expr(x)
    if x.type.ndim < 2:
        raise ShapeError(f"diagonal: {x!r} is no matrix", [described(x)])
    rows, columns = (axis_in(x, axis, "diagonal") for axis in (axis1, axis2))
    if rows == columns:
        raise ShapeError(f"diagonal: axis1 and axis2 are both {rows}", [described(x)])
    x = moveaxis(x, (rows, columns), (-2, -1))
    k = operator.index(offset)
    x = getitem(x, (..., slice(k, None)) if k >= 0 else (..., slice(-k, None), slice(None)))
    (n,) = exprs_of((smallest(*x.type.shape[-2:]),))
    return getitem(getitem(x, (..., slice(n), slice(n))), (..., arange(n), arange(n)))


@declared("diag")
def diag(x: Any, k: int = 0) -> Expr:
    """Of a matrix its k-th diagonal; of a vector the matrix that has it there and 0 elsewhere."""
    x = as_expr(x)
    if x.type.ndim != 1:
        if x.type.ndim != 2:
            raise ShapeError(f"diag: {x!r} is neither a vector nor a matrix", [described(x)])
        return diagonal(x, k)
    beyond = operator.index(k if k >= 0 else -k)
    size = exprs_of((x.type.shape[0] + beyond,))[0]
    wide = pad(x, (0, beyond))
    place = getitem(wide, (slice(None), None) if k >= 0 else None)  # a row's element, or a column's
    return where(eye(size, k=k, dtype="bool"), place, cast_to(0, x.type.dtype))


@declared("trace")
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Expr:
    """Sum of the elements of a matrix's diagonal; of more axes, of each matrix along axis1 and axis2."""
    return sum(diagonal(x, offset, axis1, axis2), axis=-1)


def _with_diagonal(what: str, m: Any) -> tuple[Expr, int]:
    m = as_expr(m)
    if m.type.ndim < 2:
        raise ShapeError(f"{what}: {m!r} has no diagonal", [described(m)])
    return m, m.type.ndim


@declared("tril")
def tril(m: Any, k: int = 0) -> Expr:
    """0 above the k-th diagonal of the last two axes."""
    m, n = _with_diagonal("tril", m)
    keep = ge(iota(m.type.shape, n - 2) + k, iota(m.type.shape, n - 1))
    return where(keep, m, cast_to(0, m.type.dtype))


@declared("triu")
def triu(m: Any, k: int = 0) -> Expr:
    """0 below the k-th diagonal of the last two axes."""
    m, n = _with_diagonal("triu", m)
    keep = le(iota(m.type.shape, n - 2) + k, iota(m.type.shape, n - 1))
    return where(keep, m, cast_to(0, m.type.dtype))


def norm(x: Any, axis: Any = None, keepdims: bool = False) -> Expr:
    """Euclidean length over axes (all by default): the root of the sum of squares."""
    return sqrt(sum(sqr(_floating(x)), axis=axis, keepdims=keepdims))


@declared("hypot")
def hypot(a: Any, b: Any) -> Expr:
    """sqrt(a^2 + b^2); the squares overflow only at precision="plain"."""
    return sqrt(sqr(_floating(a)) + sqr(_floating(b)))


@declared("average")
def average(a: Any, axis: Any = None, weights: Any = None, keepdims: bool = False) -> Expr:
    """sum(weights a) / sum(weights), the mean if there are none. weights[n] go along the one axis that is given."""
    x = _floating(a)
    if weights is None:
        return mean(x, axis=axis, keepdims=keepdims)
    w = _floating(weights)
    if w.type.ndim == 1 and isinstance(axis, int):
        k = axis_in(x, axis, "average")
        w = expand_dims(w, tuple(n for n in range(x.type.ndim) if n != k))
    w = fill(x, w)
    return sum(x * w, axis=axis, keepdims=keepdims) / sum(w, axis=axis, keepdims=keepdims)


@declared("count_nonzero")
def count_nonzero(a: Any, axis: Any = None, keepdims: bool = False) -> Expr:
    """How many elements are not 0: an int64."""
    return sum(ne(as_expr(a), 0), axis=axis, keepdims=keepdims)


@declared("nan_to_num")
def nan_to_num(
    x: Any, copy: bool = True, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Expr:
    """x with numbers in the place of NaN, inf and -inf: 0, the largest and the smallest of the dtype unless given.

    copy makes no difference.
    """
    e = as_expr(x)
    if not is_float(e.type.dtype):
        return e
    most = float(np.finfo(e.type.dtype).max)
    high, low = most if posinf is None else posinf, -most if neginf is None else neginf
    whole = where(eq(e, float("inf")), high, where(eq(e, -float("inf")), low, e))
    return where(isnan(e), nan, whole)


# ---- sequences ----


@declared("diff")
def diff(a: Any, n: int = 1, axis: int = -1) -> Expr:
    """Differences of neighbours along an axis, n times."""
    x = as_expr(a)
    lead = [slice(None)] * axis_in(x, axis, "diff")
    if (times := operator.index(n)) < 0:
        raise ShapeError(f"diff: {times} differences", [described(x)])
    for _ in range(times):
        x = getitem(x, (*lead, slice(1, None))) - getitem(x, (*lead, slice(None, -1)))
    return x


@declared("roll")
def roll(a: Any, shift: int, axis: int | None = None) -> Expr:
    """Elements moved by shift places along an axis, those that fall off the end coming back at the start.

    axis None: in the order of memory, from row to row.
    """
    x = as_expr(a)
    if axis is None:
        return reshape_to(roll(flatten(x), shift, 0), x.type.shape)
    axis = axis_in(x, axis, "roll")
    lead = [slice(None)] * axis
    n = x.type.shape[axis]
    m = largest(n, 1)
    k = operator.index(shift) - m * floor_divide(operator.index(shift), m)
    if k == 0:
        return x
    return concatenate([getitem(x, (*lead, slice(n - k, None))), getitem(x, (*lead, slice(None, n - k)))], axis)


def linspace(start: Any, stop: Any, num: Any = 50) -> Expr:
    """num evenly spaced numbers from start to stop, both included; floatX of Python numbers."""
    (count,) = as_shape((num,), "linspace")
    dtype = float_of(common_dtype([start, stop]), "divide")
    if not isinstance(start, Expr) and not isinstance(stop, Expr):
        dtype = config.floatX
    first, last = cast_to(start, dtype), cast_to(stop, dtype)
    return first + cast(iota((count,), 0), dtype) * (
        (last - first) / cast_to(exprs_of((largest(count - 1, 1),))[0], dtype)
    )


def fill(a: Any, b: Any) -> Expr:
    """b stretched to the shape of a."""
    a = as_expr(a)
    return broadcast_to(b, exprs_of(a.type.shape))


def iround(x: Any) -> Expr:
    """The nearest integer as int64, halves to even."""
    return cast(round_half_even(_floating(x)), "int64")


def to_one_hot(y: Any, nb_class: Any, dtype: Any = None) -> Expr:
    """one_hot, as Theano's extra_ops has it."""
    return one_hot(y, nb_class, dtype)


@declared("hstack")
def hstack(tup: Sequence[Any]) -> Expr:
    """Pieces side by side: vectors along axis 0, else along axis 1."""
    first = as_expr(tup[0])
    return concatenate(tup, 0 if first.type.ndim == 1 else 1)


@declared("vstack")
def vstack(tup: Sequence[Any]) -> Expr:
    """Pieces on top of each other along axis 0; a vector counts as a row."""
    rows = [as_expr(v) for v in tup]
    return concatenate([getitem(v, None) if v.type.ndim == 1 else v for v in rows], 0)


@declared("positive")
def positive(x: Any) -> Expr:
    """x itself: NumPy's unary plus."""
    return as_expr(x)
