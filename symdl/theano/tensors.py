"""theano.tensor's elementwise functions, reductions, products and indexing where arguments or meaning differ from symdl.tensor's.

Every difference of meaning is said at its function. Reductions take Theano's further arguments.
"""

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

import symdl.tensor as T
from symdl.config import config
from symdl.errors import InputError, ShapeError
from symdl.graph.expr import Expr, number_of
from symdl.ops.declare import is_float
from symdl.theano.shaping import concatenate, flatten
from symdl.theano.values import as_tensor_variable, cast, get_scalar_constant_value, int_of
from symdl.theano.variables import EXTRA, Sizes, copy_of, norms

# ---- elementwise ----


def _of_many(op: Callable[[Any, Any], Expr]) -> Callable[..., Expr]:
    """The op of any number of operands, taken from the left, as Theano's add and mul are."""

    @functools.wraps(op, assigned=("__name__", "__doc__"))
    def many(*operands: Any) -> Expr:
        return functools.reduce(op, operands) if len(operands) > 1 else as_tensor_variable(operands[0])

    return many


add, mul = _of_many(T.add), _of_many(T.mul)
largest, smallest = _of_many(T.maximum), _of_many(T.minimum)
and_, or_, xor = _of_many(T.bitwise_and), _of_many(T.bitwise_or), _of_many(T.bitwise_xor)


def round(a: Any, mode: str | None = None) -> Expr:
    """Half goes to the even neighbour unless mode is "half_away_from_zero". Gradient 0."""
    return T.round(a) if mode == "half_away_from_zero" else T.round_half_even(a)


def iround(a: Any, mode: str | None = None) -> Expr:
    """round as int64."""
    return T.cast(round(a, mode), "int64")


def ceil_intdiv(a: Any, b: Any) -> Expr:
    """a / b rounded up, of integers."""
    return -(-as_tensor_variable(a) // as_tensor_variable(b))


def divmod(x: Any, y: Any) -> tuple[Expr, Expr]:
    """(x // y, x % y)."""
    a, b = as_tensor_variable(x), as_tensor_variable(y)
    return a // b, a % b


def xlogx(x: Any) -> Expr:
    """x log x, 0 at 0."""
    return T.xlogy(x, x)


def real(x: Any) -> Expr:
    """x: there are no complex numbers."""
    return as_tensor_variable(x)


def second(a: Any, b: Any) -> Expr:
    """b in the shape of a."""
    return T.fill(a, b)


# ---- reductions ----


def _reduction(fold: Callable[..., Any], *unused: str) -> Callable[..., Any]:
    """A fold that passes over options which choose how Theano adds up."""

    @functools.wraps(fold, assigned=("__name__", "__doc__"))
    def reduced(input: Any, *args: Any, **options: Any) -> Any:  # Theano's name
        for name in unused:
            options.pop(name, None)
        return fold(as_tensor_variable(input), *args, **options)

    return reduced


sum = _reduction(T.sum, "acc_dtype")
prod = _reduction(T.prod, "acc_dtype", "no_zeros_in_input")
max, min = _reduction(T.max), _reduction(T.min)
any, all = _reduction(T.any), _reduction(T.all)


def mean(
    input: Any, axis: Any = None, dtype: Any = None, op: bool = False, keepdims: bool = False, acc_dtype: Any = None
) -> Expr:  # Theano's name
    """The mean; of integers a float64."""
    return T.mean(as_tensor_variable(input), axis, dtype, keepdims)


def var(
    input: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False
) -> Expr:  # Theano's name
    """The variance."""
    return T.var(as_tensor_variable(input), axis, ddof, keepdims)


def std(
    input: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False
) -> Expr:  # Theano's name
    """The standard deviation."""
    return T.std(as_tensor_variable(input), axis, ddof, keepdims)


def _arg(fold: Callable[..., Any]) -> Callable[..., Any]:
    """argmax and argmin; several axes, or all of them, count as one."""

    @functools.wraps(fold, assigned=("__name__", "__doc__"))
    def arg(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        x = as_tensor_variable(x)
        axis = axis[0] if isinstance(axis, list | tuple) and len(axis) == 1 else axis
        if isinstance(axis, list | tuple) and len({a % x.type.ndim for a in axis}) == x.type.ndim:
            axis = None
        return fold(x, int_of(axis), keepdims)

    return arg


argmax, argmin, max_and_argmax = _arg(T.argmax), _arg(T.argmin), _arg(T.max_and_argmax)


def norm(x: Any, ord: Any, axis: Any = None, keepdims: bool = False) -> Expr:
    """The norm of an order."""
    return norms(as_tensor_variable(x), ord, axis, keepdims)


def cov(
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None, fweights: Any = None,
    aweights: Any = None,
) -> Expr:  # fmt: skip
    """The covariances of variables, a row each (a column each unless rowvar): sum w (x - mean x) (x - mean x)^T / below.

    Observations have weights w = f a: f (fweights, integers) says how often one was seen, a (aweights) how much it counts.
    below is W - ddof sum(w a) / W, where W = sum w and ddof is 1 unless bias: n - 1 without weights.
    """
    parts = [as_tensor_variable(v) for v in ((m,) if y is None else (m, y))]
    if builtins.any(p.type.ndim > 2 for p in parts):
        raise ShapeError("cov: takes vectors and matrices")
    rows = [p[None] if p.type.ndim == 1 else p if rowvar else p.T for p in parts]
    x = concatenate(rows, 0) if len(rows) > 1 else rows[0]
    x = x if is_float(x.type.dtype) else T.cast(x, "float64")
    spare = (0 if bias else 1) if ddof is None else ddof
    if fweights is None and aweights is None:
        x = x - T.mean(x, axis=1, keepdims=True)
        return T.dot(x, x.T) / T.cast(x.shape[1] - spare, x.type.dtype)
    often, much = _observed("fweights", fweights), _observed("aweights", aweights)
    if often is not None and often.type.dtype.startswith("float"):
        raise InputError(
            f"cov: fweights are {often.type.dtype}", remedy="How often an observation was seen is an integer."
        )
    w = T.cast(often if much is None else much if often is None else often * much, x.type.dtype)
    all_of = T.sum(w)
    x = x - T.dot(x, w)[:, None] / all_of
    below = all_of - spare if much is None else all_of - spare * T.sum(w * much) / all_of
    return T.dot(x * w, x.T) / T.cast(below, x.type.dtype)


def _observed(name: str, weights: Any) -> Expr | None:
    """The weights of observations, if there are any."""
    given = None if weights is None else as_tensor_variable(weights)
    if given is not None and given.type.ndim != 1:
        raise ShapeError(f"cov: {name} has {given.type.ndim} axes", remedy="Give one weight for each observation.")
    return given


def bartlett(M: Any) -> Expr:  # Theano's name
    """Bartlett's window of M places: a triangle that begins and ends at 0."""
    places = arange(M)
    return T.where(T.eq(M, 1), 1.0, 1.0 - abs(2.0 * places / T.maximum(as_tensor_variable(M) - 1, 1) - 1.0))


def get_vector_length(v: Any) -> int:
    """The number of entries of a vector, which must be known. Raises ShapeError where it is not."""
    if isinstance(v, Sizes | list | tuple):
        return len(v)
    count = as_tensor_variable(v).type.shape[0]
    if not isinstance(count, int):
        raise ShapeError(
            f"get_vector_length: {v} has an extent that only data tell", remedy="Give its type the extent."
        )
    return count


def cumprod(x: Any, axis: int | None = None) -> Expr:
    """The running product along an axis; of the flattened x if axis is None."""
    return T.cumprod(as_tensor_variable(x), axis)


# ---- products ----


def dot(a: Any, b: Any) -> Expr:
    """The product of matrices and vectors."""
    return T.dot(as_tensor_variable(a), as_tensor_variable(b))


def tensordot(a: Any, b: Any, axes: Any = 2) -> Expr:
    """A sum of products over pairs of axes."""
    return T.tensordot(as_tensor_variable(a), as_tensor_variable(b), axes)


def batched_dot(a: Any, b: Any) -> Expr:
    """A product for each entry of the first axis."""
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    return (
        T.tensordot(a, b, 0)
        if not a.type.ndim or not b.type.ndim
        else batched_tensordot(a, b, [[a.type.ndim - 1], [_last(b)]])
    )


def _last(b: Expr) -> int:
    """The axis of a second factor that is summed: the last but one, past the batch."""
    return 0 + (1 if b.type.ndim == 2 else b.type.ndim - 2)


def batched_tensordot(x: Any, y: Any, axes: Any = 2) -> Expr:
    """tensordot for each entry of the first axis, which counts among the axes."""
    x, y = as_tensor_variable(x), as_tensor_variable(y)
    if isinstance(axes, int):
        pairs = [list(range(x.type.ndim - axes, x.type.ndim)), list(range(1, 1 + axes))]
    else:
        pairs = [
            [a % e.type.ndim for a in (part if isinstance(part, list | tuple) else [part])]
            for e, part in zip((x, y), axes, strict=True)
        ]
    letters = "abcdefghijklmnopqrstuvwxyz"
    left = list(letters[: x.type.ndim])
    right = ["a", *letters[x.type.ndim : x.type.ndim + y.type.ndim - 1]]
    for i, j in zip(*pairs, strict=True):
        right[j] = left[i]
    kept = [c for k, c in enumerate(left) if k not in pairs[0]] + [
        c for k, c in enumerate(right) if k and k not in pairs[1]
    ]
    return T.einsum(f"{''.join(left)},{''.join(right)}->{''.join(kept)}", x, y)


# ---- indexing ----


def set_subtensor(x: Any, y: Any, inplace: bool = False, tolerate_inplace_aliasing: bool = False) -> Expr:
    """x's array with y at x's place in it."""
    return T.set_subtensor(x, y)


def inc_subtensor(
    x: Any, y: Any, inplace: bool = False, set_instead_of_inc: bool = False, tolerate_inplace_aliasing: bool = False
) -> Expr:
    """x's array with y added at x's place in it."""
    return T.set_subtensor(x, y) if set_instead_of_inc else T.inc_subtensor(x, y)


def take(a: Any, indices: Any, axis: int | None = None, mode: str = "raise") -> Expr:
    """a at the indices; mode "clip" or "wrap" brings them into range."""
    a, indices = as_tensor_variable(a), as_tensor_variable(indices)
    if mode != "raise":
        n = T.size(a) if axis is None else a.shape[axis]
        indices = T.clip(indices, 0, n - 1) if mode == "clip" else T.mod(indices, n)
    return T.take(a, indices, axis)


def choose(a: Any, choices: Any, mode: str = "raise") -> Expr:
    """For each element of a, that element of the choice of this number."""
    every = [as_tensor_variable(c) for c in choices]
    out = every[-1]
    for k in range(len(every) - 2, -1, -1):
        out = T.where(T.eq(a, k), every[k], out)
    return out


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Expr:
    """Numbers in a row. A symbolic float end counts as its floor, rounded up."""
    values = [start, stop, step]
    for k, v in enumerate(values):
        if isinstance(v, Expr) and number_of(v) is not None:
            values[k] = number_of(v)
        elif isinstance(v, Expr) and is_float(v.type.dtype):
            values[k] = T.cast(T.ceil(v), "int64")
        elif isinstance(v, np.ndarray) and v.ndim == 0:
            values[k] = v.item()
    return T.arange(
        values[0], values[1], values[2] if values[2] is not None else 1, dtype if dtype != "floatX" else config.floatX
    )


def eye(n: Any, m: Any = None, k: int = 0, dtype: Any = None) -> Expr:
    """1 on a diagonal."""
    return T.eye(n, m, k, dtype if dtype != "floatX" else config.floatX)


def tensor_copy(x: Any) -> Expr:
    """x as a variable of its own."""
    return copy_of(as_tensor_variable(x))


def compress(condition: Any, x: Any, axis: int | None = None) -> Expr:
    """The entries of x along an axis where the condition holds."""
    return T.take(as_tensor_variable(x), T.flatnonzero(as_tensor_variable(condition)), axis)


METHODS: dict[str, Any] = {  # methods of an expression that take more than symdl's
    "sum": sum, "prod": prod, "mean": mean, "var": var, "std": std, "argmax": argmax, "argmin": argmin, "flatten": flatten,
    "round": round, "trace": T.trace, "diagonal": T.diagonal, "nonzero_values": T.nonzero_values, "choose": choose,
    "get_scalar_constant_value": get_scalar_constant_value, "take": take, "cumprod": cumprod, "astype": cast,
    "compress": lambda x, a, axis=None: compress(a, x, axis), "sgn": T.sign, "max": max, "min": min, "any": any, "all": all,
}  # fmt: skip
EXTRA[Expr] |= METHODS
