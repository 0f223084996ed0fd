"""What theano.tensor makes variables and constants of, and what it knows of a constant."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

import symdl.tensor as T
from symdl.config import config
from symdl.graph.expr import CONSTANT, Expr, as_expr, number_of
from symdl.ops.declare import is_float, stacked
from symdl.theano.kinds import TensorTypeOf
from symdl.theano.variables import Sizes, vector_of


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


def int_of(value: Any) -> Any:
    """The int that a constant expression is; all else as it is."""
    return int(number_of(value)) if isinstance(value, Expr) and number_of(value) is not None else value
