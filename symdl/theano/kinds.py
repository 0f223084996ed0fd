"""Theano's types: dtype and axes of extent 1, which make variables; and the classes that programs ask isinstance of."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from symdl.config import config
from symdl.graph.expr import CONSTANT, VARIABLE, Expr, Frozen, as_expr, checked_dtype, constant, make, variable
from symdl.graph.origins import SKIPPED
from symdl.runtime.inputs import as_array
from symdl.types import TensorType, fresh_serial, fresh_symbol


def broadcastable(kind: TensorType) -> tuple[bool, ...]:
    """Which axes are known to have extent 1."""
    return tuple(n == 1 if isinstance(n, int) else False for n in kind.shape)


def new_variable(kind: TensorType, name: str | None = None) -> Expr:
    """A new variable of this type. Extents that are known stay, others are its own."""
    if not kind.shape:  # the very type: x.type is T.dscalar
        leaf = make(VARIABLE, (), id=fresh_serial(), type=kind)
        leaf.name = name
        return leaf
    return variable(name, [n if isinstance(n, int) else None for n in kind.shape], kind.dtype)


PATTERNS = {
    (): "scalar", (False,): "vector", (True, False): "row", (False, True): "col", (False, False): "matrix"
}  # fmt: skip


def shown(kind: TensorType) -> str:
    """As Theano writes a type."""
    ones = broadcastable(kind)
    return f"TensorType({kind.dtype}, {PATTERNS.get(ones) or (ones if any(ones) else f'{len(ones)}D')})"


def filtered(kind: TensorType, data: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
    """data as an array that an input of this type takes."""
    return as_array(data, new_variable(kind), strict, bool(allow_downcast))


def as_variable(kind: TensorType, other: Any, allow_convert: bool = True) -> Expr:
    """What is asked for as a variable of this type, as an expression: it keeps its own."""
    return as_expr(other)


def alike(one: Any, other: Any) -> bool:
    """Whether two types are one to Theano: dtype, number of axes, which have extent 1."""
    return (
        isinstance(one, TensorType)
        and isinstance(other, TensorType)
        and one.dtype == other.dtype
        and broadcastable(one) == broadcastable(other)
    )


def equal(one: TensorType, other: object) -> bool:
    """Two types are equal to symdl if their sizes are proved equal; to a program that asks, if they are to Theano."""
    if other.__class__ is not one.__class__:
        return NotImplemented  # type: ignore[no-any-return]  # mypy knows it in methods alone
    assert isinstance(other, TensorType)
    if one.dtype == other.dtype and one.shape == other.shape:
        return True
    return not sys._getframe(1).f_code.co_filename.startswith(SKIPPED) and alike(one, other)


class _Types(type):
    def __instancecheck__(cls, thing: Any) -> bool:
        return isinstance(thing, TensorType)

    def __subclasscheck__(cls, other: Any) -> bool:
        return other is cls or issubclass(other, TensorType)


class TensorTypeOf(metaclass=_Types):
    """T.TensorType(dtype, broadcastable): a type, which called makes a variable."""

    def __new__(cls, dtype: Any, broadcastable: Sequence[Any], name: str | None = None, **_: Any) -> Any:
        name_of = config.floatX if dtype == "floatX" else checked_dtype(dtype)
        return _type(name_of, tuple(b is True or (type(b) is not bool and b == 1) for b in broadcastable))


@cache
def _type(dtype: str, ones: tuple[bool, ...]) -> TensorType:
    """The one type of this dtype and these axes of extent 1: equal ones of Theano's are one."""
    return TensorType(dtype, tuple(1 if b else fresh_symbol("n") for b in ones))


class _Constants(type):
    def __instancecheck__(cls, thing: Any) -> bool:
        return isinstance(thing, Expr) and thing.op is CONSTANT


class ConstantOf(metaclass=_Constants):
    """Theano's Constant: an expression that is a number or an array."""

    def __new__(cls, type: Any, data: Any, name: str | None = None) -> Any:
        if not isinstance(type, TensorType):
            return constant(data)
        return make(CONSTANT, (), value=Frozen(np.asarray(data, type.dtype)), type=type)


class _Symbolic(type):
    def __instancecheck__(cls, thing: Any) -> bool:
        return type(thing) is Expr and thing.op is not CONSTANT

    def __subclasscheck__(cls, other: Any) -> bool:
        return other is cls or issubclass(other, Expr)


class TensorVariable(metaclass=_Symbolic):
    """Theano's TensorVariable: an expression that is neither constant nor shared."""

    def __new__(cls, type: Any, owner: Any = None, index: Any = None, name: str | None = None) -> Any:
        return type(name)
