"""theano.tensor where its arguments or its meaning differ from symdl.tensor's; all other names are symdl.tensor's own.

Every difference of meaning is said at its function. Constructors and reductions take Theano's further arguments.
"""

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import symdl.tensor as T
from symdl.config import config
from symdl.errors import InputError, ShapeError
from symdl.expr import CONSTANT, Expr, as_expr, number_of
from symdl.ops.declare import is_float, stacked
from symdl.ops.extents import as_shape
from symdl.ops.views import reshape_to
from symdl.theano.kinds import TensorTypeOf
from symdl.theano.variables import EXTRA, Sizes, copy_of, norms, vector_of


class NotScalarConstantError(Exception):
    """What is asked for as a number is no constant."""


class EmptyConstantError(NotScalarConstantError):
    """A constant without elements."""


def as_tensor_variable(x: Any, name: str | None = None, ndim: int | None = None) -> Expr:
    """An expression of what is none: arrays, numbers, lists that may hold expressions, owners of one output."""
    if isinstance(x, Sizes):
        out = vector_of(x)
    elif hasattr(x, "outputs") and hasattr(x, "inputs") and not isinstance(x, Expr):
        out = x.outputs[0]
    elif isinstance(x, list | tuple) and builtins.any(isinstance(v, Expr | list | tuple) for v in x):
        out = as_expr(stacked([as_tensor_variable(v) for v in x]))
    else:
        out = _small(x)
    if ndim is not None and out.type.ndim != ndim:
        if out.type.ndim > ndim:
            raise ValueError(f"as_tensor_variable: {out.type.ndim} axes are more than ndim={ndim}")
        out = T.shape_padleft(out, ndim - out.type.ndim)
    if name is not None and out.name is None:
        out.name = name
    return out


def _small(x: Any) -> Expr:
    """A Python float as floatX; an int in the least dtype that holds it, so that beside float32 it stays float32."""
    if type(x) is int:
        kinds = (k for k in ("int8", "int16", "int32", "int64") if np.iinfo(k).min <= x <= np.iinfo(k).max)
        return as_expr(np.asarray(x, next(kinds, "uint64")))
    return as_expr(np.asarray(x, config.floatX)) if type(x) is float else as_expr(x)


def constant(x: Any, name: str | None = None, ndim: int | None = None, dtype: Any = None) -> Expr:
    """A constant; with dtype in it."""
    return as_tensor_variable(np.asarray(x, dtype) if dtype is not None else x, name, ndim)


def cast(x: Any, dtype: Any) -> Expr:
    """x in another dtype; "floatX" is config.floatX."""
    return T.cast(as_tensor_variable(x), config.floatX if dtype == "floatX" else dtype)


def tensor(*args: Any, **options: Any) -> Expr:
    """A variable of dtype and broadcastable: T.tensor("float32", (False, True), name="x")."""
    name = options.pop("name", None)
    if "shape" in options:
        return T.tensor(name, options.get("dtype"), options["shape"])
    options.setdefault("dtype", args[0] if args else config.floatX)
    kind = TensorTypeOf(options["dtype"], options.get("broadcastable", args[1] if len(args) > 1 else ()))
    made: Expr = kind(name)
    return made


PREFIXES = {"b": "int8", "w": "int16", "i": "int32", "l": "int64", "f": "float32", "d": "float64"}


def _of_axes(count: int) -> Callable[..., Expr]:
    """The constructor of variables of floatX with so many axes."""

    def make(name: str | None = None, dtype: Any = None) -> Expr:
        return T.tensor(name, dtype, (None,) * count)

    return make


def constructors() -> dict[str, Any]:
    """dmatrix and the like, which are types, as in Theano: T.dmatrix.dtype. tensor5 to tensor7, which symdl has not."""
    found: dict[str, Any] = {}
    shapes = {"scalar": (), "vector": (False,), "row": (True, False), "col": (False, True), "matrix": (False, False)}
    shapes |= {f"tensor{n}": (False,) * n for n in range(3, 8)}
    for prefix, dtype in PREFIXES.items():
        found |= {f"{prefix}{name}": TensorTypeOf(dtype, ones) for name, ones in shapes.items()}
    for n in (5, 6, 7):
        found[f"tensor{n}"] = _of_axes(n)
    return found


# ---- shapes ----


def shape(x: Any) -> Sizes:
    """x.shape, of any tensor."""
    return Sizes(as_tensor_variable(x).shape)


def flatten(x: Any, ndim: int | None = None, outdim: int | None = None) -> Expr:
    """The last axes run together; outdim is the old name of ndim."""
    return T.flatten(as_tensor_variable(x), ndim if ndim is not None else 1 if outdim is None else outdim)


def reshape(x: Any, newshape: Any, ndim: int | None = None) -> Expr:
    """x in another shape. A vector of sizes may be any expression if ndim tells its length."""
    if (
        isinstance(newshape, Expr)
        and newshape.type.shape
        and newshape.op is not CONSTANT
        and newshape.op.name != "join"
    ):
        count = ndim if ndim is not None else newshape.type.shape[0]
        newshape = [newshape[k] for k in range(int(count))] if isinstance(count, int) else newshape
    return T.reshape(
        as_tensor_variable(x), newshape if isinstance(newshape, list | tuple | Expr) else list(np.atleast_1d(newshape))
    )


def stack(*tensors: Any, **options: Any) -> Expr:
    """T.stack([a, b], axis=0), and the old T.stack(a, b)."""
    axis = options.get("axis", 0)
    if "tensors" in options:
        given: Sequence[Any] = options["tensors"]
    elif len(tensors) <= 2 and isinstance(tensors[0], list | tuple):
        given, axis = tensors[0], tensors[1] if len(tensors) == 2 else axis
    else:
        given = tensors
    return T.stack([as_tensor_variable(t) for t in given], axis)


def concatenate(tensor_list: Any, axis: Any = 0) -> Expr:
    """Pieces side by side; each may be a list of sizes."""
    return T.concatenate([as_tensor_variable(t) for t in tensor_list], _int(axis))


def horizontal_stack(*args: Any) -> Expr:
    """Matrices side by side."""
    return concatenate(args, 1)


def vertical_stack(*args: Any) -> Expr:
    """Matrices one below the other."""
    return concatenate(args, 0)


def join(axis: Any, *tensors_list: Any) -> Expr:
    """concatenate with the axis first."""
    return concatenate(tensors_list, axis)


def _int(value: Any) -> Any:
    return int(number_of(value)) if isinstance(value, Expr) and number_of(value) is not None else value


def split(x: Any, splits_size: Any, n_splits: int, axis: int = 0) -> list[Expr]:
    """n_splits pieces of these lengths."""
    sizes = [splits_size[k] for k in range(n_splits)]
    ends = list(np.cumsum(sizes)) if builtins.all(isinstance(s, int | np.integer) for s in sizes) else []
    if not ends:
        total: Any = 0
        for s in sizes:
            total = total + s
            ends.append(total)
    return T.split(x, ends[:-1], axis)


def tile(x: Any, reps: Any, ndim: int | None = None) -> Expr:
    """x laid end to end; ndim says how many axes the result has at least."""
    x = as_tensor_variable(x)
    counts = list(reps) if isinstance(reps, list | tuple | np.ndarray) else [reps]
    if ndim is not None:
        counts = [1] * (ndim - len(counts)) + counts
    return T.tile(x, counts)


def addbroadcast(x: Any, *axes: int) -> Expr:
    """x, whose extents along these axes are 1, which is checked: they may stretch."""
    x = as_tensor_variable(x)
    over = {a % x.type.ndim for a in axes}
    return reshape_to(x, tuple(1 if k in over else n for k, n in enumerate(x.type.shape)))


def unbroadcast(x: Any, *axes: int) -> Expr:
    """x itself: what is known of a size stays known."""
    return as_tensor_variable(x)


def patternbroadcast(x: Any, broadcastable: Sequence[bool]) -> Expr:
    """addbroadcast for the axes that are True."""
    return addbroadcast(x, *(k for k, b in enumerate(broadcastable) if b))


def specify_shape(x: Any, shape: Any) -> Expr:
    """x, whose shape is known and checked."""
    x = as_tensor_variable(x)
    x.sized = True  # beside it: a function of sizes that are known still uses x
    return reshape_to(x, as_shape(list(shape) if isinstance(shape, Sizes) else shape, "specify_shape"))


def shape_padaxis(t: Any, axis: int) -> Expr:
    """A new axis of extent 1."""
    return T.expand_dims(as_tensor_variable(t), axis)


def alloc(value: Any, *sizes: Any) -> Expr:
    """value stretched to a shape; T.alloc(0., n, m), also with one tuple of sizes."""
    if len(sizes) == 1 and isinstance(sizes[0], list | tuple):
        sizes = tuple(sizes[0])
    value = as_tensor_variable(value)
    wanted = as_shape(sizes, "alloc")
    lead = len(wanted) - value.type.ndim
    pattern = [1 if n == 1 and wanted[lead + k] != 1 else n for k, n in enumerate(value.type.shape)]
    return T.broadcast_to(reshape_to(value, tuple(pattern)), wanted)


class AllocEmpty:
    """Memory that is yet to be written: zeros."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype

    def __call__(self, *sizes: Any) -> Expr:
        return T.zeros(sizes, self.dtype)


def zeros(shape: Any, dtype: Any = None) -> Expr:
    """All 0."""
    return T.zeros(_listed(shape), dtype if dtype != "floatX" else None)


def ones(shape: Any, dtype: Any = None) -> Expr:
    """All 1."""
    return T.ones(_listed(shape), dtype if dtype != "floatX" else None)


def _listed(shape: Any) -> Any:
    """Sizes as symdl takes them."""
    return list(shape) if isinstance(shape, list | tuple) else shape


def zeros_like(model: Any, dtype: Any = None, opt: bool = False) -> Expr:
    """0 in the shape of the model."""
    return T.zeros_like(as_tensor_variable(model), dtype)


def ones_like(model: Any, dtype: Any = None, opt: bool = False) -> Expr:
    """1 in the shape of the model."""
    return T.ones_like(as_tensor_variable(model), dtype)


def diag(v: Any, k: int = 0) -> Expr:
    """A diagonal of a matrix, or the matrix of one."""
    return T.diag(as_tensor_variable(v), k)


def tri(n: Any, m: Any = None, k: int = 0, dtype: Any = None) -> Expr:
    """1 on and below the k-th diagonal."""
    rows, columns = T.arange(n), T.arange(n if m is None else m)
    return cast(T.ge(T.expand_dims(rows, 1) + k, columns), dtype or config.floatX)


def roll(x: Any, shift: Any, axis: int | None = None) -> Expr:
    """x turned along an axis; all of it flattened if axis is None."""
    x = as_tensor_variable(x)
    return T.reshape(T.roll(T.flatten(x), shift, 0), list(x.shape)) if axis is None else T.roll(x, shift, axis)


def stacklists(arg: Any) -> Expr:
    """Nested lists of expressions as one tensor."""
    return T.stack([stacklists(a) for a in arg]) if isinstance(arg, list | tuple) else as_tensor_variable(arg)


def permute_row_elements(x: Any, y: Any, inverse: int = 0) -> Expr:
    """Each row of x in the order of the row of y."""
    x, y = as_tensor_variable(x), as_tensor_variable(y)
    order = T.argsort(y, axis=-1) if inverse else y
    if x.type.ndim == 1:
        return T.take(x, order)
    wide: Expr = order if order.type.ndim == x.type.ndim else T.broadcast_to(order, x.shape)
    return T.take_along_axis(x, wide, axis=-1)


def inverse_permutation(perm: Any) -> Expr:
    """The permutation that undoes this one."""
    return T.argsort(as_tensor_variable(perm), axis=-1)


class _Grid:
    """T.mgrid[0:3, 0:4] and T.ogrid, of numbers or expressions, with steps that are ints."""

    def __init__(self, sparse: bool) -> None:
        self.sparse = sparse

    def __getitem__(self, slices: Any) -> Any:
        if isinstance(slices, slice):
            return T.arange(slices.start or 0, slices.stop, slices.step or 1)
        lines = [T.arange(s.start or 0, s.stop, s.step or 1) for s in slices]
        n = len(lines)
        wide = [line.dimshuffle(*(0 if j == k else "x" for j in range(n))) for k, line in enumerate(lines)]
        if self.sparse:
            return wide
        shape = [line.type.shape[0] for line in lines]
        return [T.broadcast_to(w, shape) for w in wide]


mgrid, ogrid = _Grid(False), _Grid(True)

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
        return fold(x, _int(axis), keepdims)

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


def get_scalar_constant_value(v: Any, *_: Any, **__: Any) -> Any:
    """The number that an expression is; NotScalarConstantError if it is not known."""
    if not isinstance(v, Expr):
        if np.ndim(v) == 0:
            return np.asarray(v)
        raise NotScalarConstantError(v)
    found = [n for n in [v] if n.op is CONSTANT]
    if found and found[0].params["value"].array.size == 1 and not v.type.ndim:
        return found[0].params["value"].array
    if not v.type.ndim and (is_float(v.type.dtype) or v.type.dtype[0] in "iu"):
        node = v
        while node.op.name in ("spread", "cast", "squeeze", "reshape") and node.inputs:
            node = node.inputs[0]
        if node.op is CONSTANT and node.params["value"].array.size == 1:
            return node.params["value"].array.reshape(()).astype(v.type.dtype)
    raise NotScalarConstantError(f"{v!r} is no constant")


def extract_constant(x: Any, *_: Any, **__: Any) -> Any:
    """The number that an expression is, or the expression."""
    try:
        return get_scalar_constant_value(x)
    except NotScalarConstantError:
        return x


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
