"""theano.tensor's shapes, joins and fills where their arguments or meaning differ from symdl.tensor's."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

import symdl.tensor as T
from symdl.config import config
from symdl.graph.expr import CONSTANT, Expr
from symdl.ops.extents import as_shape
from symdl.ops.views import reshape_to
from symdl.theano.values import as_tensor_variable, cast, int_of
from symdl.theano.variables import Sizes


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
    return T.concatenate([as_tensor_variable(t) for t in tensor_list], int_of(axis))


def horizontal_stack(*args: Any) -> Expr:
    """Matrices side by side."""
    return concatenate(args, 1)


def vertical_stack(*args: Any) -> Expr:
    """Matrices one below the other."""
    return concatenate(args, 0)


def join(axis: Any, *tensors_list: Any) -> Expr:
    """concatenate with the axis first."""
    return concatenate(tensors_list, axis)


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
