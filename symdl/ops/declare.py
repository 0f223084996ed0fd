"""Decorators that turn a short declaration into an Op, one per kind of op, and the promotion they share."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Literal

import numpy as np

from symdl.config import config
from symdl.errors import DtypeError, GradientError, InternalError, Part, kind_of
from symdl.graph.expr import (
    ANY,
    OPS,
    Expr,
    Inferred,
    Op,
    as_expr,
    constant,
    described,
    is_constant,
    make,
    pattern_constant,
    register,
)
from symdl.graph.methods import FUNCTIONS
from symdl.number_forms import WIDE, common_form
from symdl.types import Extent, TensorType, broadcast

Derivative = Callable[..., Any] | None
DtypeRule = Literal["same", "float", "divide", "number", "bool", "bits", "shift", "compare"]
REAL = (-math.inf, math.inf)
IDENTITY = "`a == b` on expressions is identity, True or False at once; T.eq(a, b) compares elements."
SMALL = ("bool", "int8", "int16", "uint8", "uint16")


def is_float(dtype: str) -> bool:
    """Whether a dtype is a float's."""
    return dtype.startswith("float")


def float_of(dtype: str, rule: DtypeRule = "float") -> str:
    """The float dtype in which a function of this dtype is computed: NumPy's, float32 standing in for float16."""
    if is_float(dtype):
        return dtype
    return "float32" if dtype in SMALL and rule == "float" else "float64"


@cache
def _numpy_common(dtypes: tuple[str, ...]) -> str:
    if len(dtypes) == 1:
        return dtypes[0]
    return str(np.result_type(*dtypes).name) if WIDE.isdisjoint(dtypes) else common_form(dtypes)


def common_dtype(values: Sequence[Any]) -> str:
    """NumPy-2 promotion: Python numbers adopt the dtype of their peers; beside integers a Python float is floatX."""
    strong: dict[str, None] = {}
    weak: type = bool
    for v in values:
        kind = type(v)
        if kind is int or kind is float:  # np.float64 is a float too, but strong
            weak = float if float in (kind, weak) else int
        else:
            strong[(v if isinstance(v, Expr) else as_expr(v)).type.dtype] = None
    dtype = _numpy_common(tuple(strong)) if strong else "bool"
    if weak is float and not is_float(dtype):
        return config.floatX
    if weak is int and dtype == "bool":
        return "int64"
    return dtype


def cast_to(value: Any, dtype: str) -> Expr:
    """value as an Expr of dtype; numbers and constants are converted at once."""
    if not isinstance(value, Expr):
        if type(value) is int and not is_float(dtype) and dtype != "bool":
            info = np.iinfo(dtype)
            if not info.min <= value <= info.max:
                raise DtypeError(
                    f"the Python number {value} does not fit {dtype}, the dtype of what it is combined with"
                )
        return constant(value, dtype)
    if value.type is ANY or value.type.dtype == dtype:
        return value
    return value.astype(dtype)


def promoted(values: Sequence[Any], rule: DtypeRule, name: str, conditions: int = 0) -> tuple[Expr, ...]:
    """The operands of an elementwise op as Exprs of one dtype; leading conditions become bool and have no say."""
    if not conditions and rule not in ("bits", "shift"):  # floats of one dtype, as nearly all are that rewriting makes
        kinds = {getattr(v.type, "dtype", "") if isinstance(v, Expr) else "" for v in values}
        if len(kinds) == 1 and is_float(*kinds):
            return tuple(values)
    if any(isinstance(v, Expr) and v.type is ANY for v in values):
        return tuple(v if isinstance(v, Expr) else pattern_constant(v) for v in values)
    if conditions and type(values[0]) is bool:
        raise DtypeError(f"{name}: the condition is the Python bool {values[0]}", _parts(values), IDENTITY)
    values = [v if isinstance(v, Expr) or type(v) in (int, float) else _operand(v, values, name) for v in values]
    dtype = common_dtype(values[conditions:])
    if rule == "float" and not is_float(dtype):  # as NumPy: the float for each operand, then their common one
        strong = dict.fromkeys(v.type.dtype for v in values[conditions:] if isinstance(v, Expr))
        dtype = _numpy_common(tuple(map(float_of, strong))) if len(strong) > 1 else float_of(dtype)
    elif rule == "divide":
        dtype = float_of(dtype, rule)
    elif rule == "number" and dtype == "bool":
        raise _wrong(name, "numbers", "bool", values, 'T.cast(..., "int8") makes them 0 and 1; & | ^ ~ work on bools.')
    elif rule in ("bits", "shift") and (is_float(dtype) or (rule == "shift" and dtype == "bool")):
        raise _wrong(name, "integers" if rule == "shift" else "integers or bools", dtype, values, "")
    try:
        return tuple(cast_to(v, "bool" if k < conditions else dtype) for k, v in enumerate(values))
    except DtypeError as error:
        raise DtypeError(f"{name}: {error.head}", _parts(values), error.remedy) from None


def _operand(value: Any, values: Sequence[Any], name: str) -> Expr:
    """What is no Expr yet, as a constant."""
    try:
        return as_expr(stacked(value))
    except DtypeError as error:
        head = error.head if error.head.startswith("dtype") else f"takes numbers and expressions, not {kind_of(value)}"
        raise DtypeError(f"{name}: {head}", _parts(values), error.remedy) from None


def _parts(values: Sequence[Any]) -> list[Part]:
    return [described(v) for v in values if isinstance(v, Expr)]


def stacked(value: Any) -> Any:
    """A list that holds expressions, such as a shape, as one vector."""
    if isinstance(value, list | tuple) and any(isinstance(v, Expr) for v in value):
        return FUNCTIONS["stack"](value)
    return value


def _wrong(name: str, wanted: str, got: str, values: Sequence[Any], remedy: str) -> DtypeError:
    return DtypeError(f"{name}: takes {wanted}, not {got}", _parts(values), remedy)


def elementwise(
    *,
    meaning: str,
    derivative: Derivative | Sequence[Derivative],
    numpy: Callable[..., Any] | None = None,
    rule: DtypeRule = "same",
    result: str | None = None,
    conditions: int = 0,
    commutative: bool = False,
    domain: Sequence[tuple[float, float]] = (),
    primitive: bool = True,
    pullback: Callable[..., tuple[Expr | None, ...]] | None = None,
) -> Callable[[Callable[..., Any]], Op]:
    """Declare an op that acts on each element alone; operands broadcast.

    meaning: the formula over the reals, in sympy's syntax and the arguments' names.
    derivative: one function an operand, of (*operands, result), giving d result / d operand; None for no gradient.
    pullback: given where the gradient is not its product with a derivative.
    numpy: the meaning in NumPy. With primitive=True every backend supplies the op under its name; else it is
    computed as its body says.
    rule: which dtypes it takes ("float": integers become floats, "number": no bool, "bits", "shift", ...).
    result: the result's dtype where it is not the operands'. conditions: leading operands that are bools.
    """

    def declare(function: Callable[..., Any]) -> Op:
        name = function.__name__
        parameters = inspect.signature(function).parameters
        arguments, least = tuple(parameters), sum(p.default is p.empty for p in parameters.values())
        partials = tuple(derivative) if isinstance(derivative, Sequence) else (derivative,) * len(arguments)
        if len(partials) != len(arguments):
            raise InternalError(f"{name}: one derivative per operand")

        def prepare(*values: Any) -> tuple[Expr, ...]:
            if not least <= len(values) <= len(arguments):
                raise TypeError(f"{name}() takes {', '.join(arguments)}: {len(arguments)} in all, not {len(values)}")
            return promoted(values, rule, name, conditions)

        def infer(*types: TensorType, **unknown: Any) -> Inferred:
            if unknown:
                raise TypeError(f"{name}() got an unexpected keyword argument {next(iter(unknown))!r}")
            if not conditions and types.count(types[0]) == len(types):  # nearly always
                return types[0] if result is None else TensorType(result, types[0].shape), ()
            kinds = {t.dtype for t in types[conditions:]} or {"bool"}
            if len(kinds) != 1:
                raise InternalError(f"{name}: operands of one dtype expected, got {sorted(kinds)}")
            shape, facts = broadcast(name, [t.shape for t in types])
            if result is None:
                for t in types[conditions:]:
                    if t.shape is shape:  # one operand is a number, as a rule: a type that there is
                        return t, facts
            return TensorType(result or kinds.pop(), shape), facts

        def product_pullback(gradient: Expr, y: Expr, *inputs: Expr) -> tuple[Expr | None, ...]:
            return tuple(
                None if d is None or not differentiable(x) else unbroadcast(chained(gradient, d(*inputs, y)), x)
                for d, x in zip(partials, inputs, strict=True)
            )

        op = register(
            Op(
                name, "elementwise" if primitive else "composite", arguments, infer, inspect.getdoc(function) or "",
                reference=numpy, pullback=pullback or product_pullback, meaning=meaning, expand=None if primitive else function,
                prepare=prepare, commutative=commutative,
                domain=tuple(domain) or (REAL,) * len(arguments),
            )
        )  # fmt: skip
        FUNCTIONS[name] = op
        return op

    return declare


def differentiable(x: Expr) -> bool:
    """Whether a gradient can flow to x: integers, bools and constants have none."""
    return is_float(x.type.dtype) and not is_constant(x)


def undefined(*operands: Expr) -> Expr:
    """The derivative of an op whose derivative symdl does not have."""
    y = operands[-1]
    raise GradientError(f"{y.op} has no gradient", [described(y)])


def chained(gradient: Expr, factor: Any) -> Expr:
    """gradient * factor, with the factors 1, -1 and 0 written as what they mean."""
    if type(factor) in (int, float) and factor in (1, -1, 0):
        return gradient if factor == 1 else -gradient if factor == -1 else filled_like(0, gradient)
    product: Expr = gradient * factor
    return product


def filled_like(number: Any, x: Expr) -> Expr:
    """A constant stretched to the shape and dtype of x."""
    return spread(constant(number, x.type.dtype), x.type.shape, ())


def unbroadcast(gradient: Expr, x: Expr) -> Expr:
    """Sum the gradient over the axes along which x was stretched. Unknown axes never were."""
    if gradient.type is ANY or gradient.type.shape == x.type.shape:
        return gradient
    wide, narrow = gradient.type.shape, x.type.shape
    lead = len(wide) - len(narrow)
    if lead < 0:  # a scalar factor dropped axes: stretch back
        return spread(gradient, narrow, tuple(range(-lead, len(narrow))))
    stretched = [lead + k for k, n in enumerate(narrow) if n == 1 and wide[lead + k] != 1]
    axes = (*range(lead), *stretched)
    grown = [k for k, n in enumerate(narrow) if n != 1 and wide[lead + k] == 1]
    if axes:
        summed = make(OPS["sum"], (gradient,), axes=axes)
        gradient = spread(summed, tuple(wide[k] if k not in axes else 1 for k in range(lead, len(wide))),
                          tuple(k - lead for k in range(lead, len(wide)) if k not in axes))  # fmt: skip
    return spread(gradient, narrow, tuple(range(len(narrow)))) if grown else gradient


def spread(x: Expr, shape: tuple[Extent, ...], axes: tuple[int, ...]) -> Expr:
    """A view of x with the given shape: axis k of x is axis axes[k] of the result; other axes repeat x."""
    if shape == x.type.shape and axes == tuple(range(len(shape))):
        return x
    return make(OPS["spread"], (x,), shape=shape, axes=axes)
