"""The scalar primitives that loops may apply: what each means in NumPy, what it accepts and what it returns.

The NumPy meaning is the definition; the interpreter runs it and every machine is tested against it. `vmath.EMIT` holds
the LLVM emission of the same names, and a test asserts that neither table has a hole.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from symdl.philox import normal32, normal64, word32, word64
from symdl.records import record

Kind = Literal["float", "integer", "bool"]

_FLOAT: frozenset[Kind] = frozenset({"float"})
_NUMBER: frozenset[Kind] = frozenset({"float", "integer"})
_DISCRETE: frozenset[Kind] = frozenset({"integer", "bool"})
_ANY: frozenset[Kind] = frozenset({"float", "integer", "bool"})
# What folds numbers in any order; of floats a sum or product is rounded otherwise then.
FOLDS = frozenset(["add", "mul", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor"])


@record(slots=True)
class Primitive:
    """One row: the NumPy meaning, the number of operands, the kinds of dtype it accepts and the kind of its result.

    All operands have one dtype, except the condition of `where` (bool). result "same" is that dtype, "bool" a truth
    value, "given" the dtype that the application states (cast, random numbers). accepts is empty for random numbers,
    whose operands are uint64: a key, a count, a serial number and a place.
    """

    numpy: Callable[..., Any]
    arity: int
    accepts: frozenset[Kind]
    result: Literal["same", "bool", "given"] = "same"


def kind(dtype: str) -> Kind:
    """The kind of a symdl dtype."""
    return "bool" if dtype == "bool" else "float" if dtype.startswith("float") else "integer"


def meaning(name: str, *args: Any, dtype: str) -> Any:
    """The primitive by NumPy, on arrays or scalars, in the given result dtype, without warnings.

    A float outside the range of an integer dtype is cast to an unspecified number.
    """
    with np.errstate(all="ignore"):
        result = PRIMITIVES[name].numpy(*args)
        return (np.not_equal(result, 0) if dtype == "bool" else np.asarray(result).astype(dtype))[()]


def _special(name: str) -> Callable[..., Any]:
    """A function of scipy.special, which is loaded on the first call: its import costs more than the rest of symdl."""

    def call(*args: Any) -> Any:
        return getattr(importlib.import_module("scipy.special"), name)(*args)

    return call


def integer_power(base: Any, exponent: Any) -> Any:
    """base**exponent modulo 2^bits. A negative exponent gives the truncated reciprocal: 0, except for base 1 and -1."""
    base, exponent = np.broadcast_arrays(np.asarray(base), np.asarray(exponent))
    odd = (exponent & 1).astype(bool)
    inverse = np.where(base == 1, base, np.zeros_like(base))
    if base.dtype.kind == "i":
        inverse = np.where(base == -1, np.where(odd, base, -base), inverse)
        return np.where(exponent < 0, inverse, np.power(base, np.where(exponent < 0, 0, exponent)))
    return np.power(base, exponent)


def _power(base: Any, exponent: Any) -> Any:
    return np.power(base, exponent) if np.asarray(base).dtype.kind == "f" else integer_power(base, exponent)


def _logistic_tail(x: Any) -> Any:
    small = np.exp(-np.abs(x))  # in [0, 1]: cannot overflow
    return small / (1 + small)


def _cast(x: Any) -> Any:
    return x  # `meaning` converts every result to the dtype of the application


PRIMITIVES: dict[str, Primitive] = {
    "add": Primitive(np.add, 2, _ANY),
    "sub": Primitive(np.subtract, 2, _NUMBER),
    "mul": Primitive(np.multiply, 2, _ANY),
    "true_div": Primitive(np.true_divide, 2, _FLOAT),
    "floor_div": Primitive(np.floor_divide, 2, _NUMBER),
    "mod": Primitive(np.mod, 2, _NUMBER),
    "neg": Primitive(np.negative, 1, _NUMBER),
    "abs": Primitive(np.absolute, 1, _NUMBER),
    "maximum": Primitive(np.maximum, 2, _ANY),
    "minimum": Primitive(np.minimum, 2, _ANY),
    "pow": Primitive(_power, 2, _NUMBER),
    "eq": Primitive(np.equal, 2, _ANY, "bool"),
    "ne": Primitive(np.not_equal, 2, _ANY, "bool"),
    "lt": Primitive(np.less, 2, _ANY, "bool"),
    "le": Primitive(np.less_equal, 2, _ANY, "bool"),
    "gt": Primitive(np.greater, 2, _ANY, "bool"),
    "ge": Primitive(np.greater_equal, 2, _ANY, "bool"),
    "bitwise_and": Primitive(np.bitwise_and, 2, _DISCRETE),
    "bitwise_or": Primitive(np.bitwise_or, 2, _DISCRETE),
    "bitwise_xor": Primitive(np.bitwise_xor, 2, _DISCRETE),
    "invert": Primitive(np.invert, 1, _DISCRETE),
    "left_shift": Primitive(np.left_shift, 2, frozenset({"integer"})),
    "right_shift": Primitive(np.right_shift, 2, frozenset({"integer"})),
    "where": Primitive(np.where, 3, _ANY),
    "cast": Primitive(_cast, 1, _ANY, "given"),
    "floor": Primitive(np.floor, 1, _FLOAT),
    "ceil": Primitive(np.ceil, 1, _FLOAT),
    "trunc": Primitive(np.trunc, 1, _FLOAT),
    "round_half_even": Primitive(np.rint, 1, _FLOAT),
    "isnan": Primitive(np.isnan, 1, _FLOAT, "bool"),
    "exp": Primitive(np.exp, 1, _FLOAT),
    "expm1": Primitive(np.expm1, 1, _FLOAT),
    "exp2": Primitive(np.exp2, 1, _FLOAT),
    "log": Primitive(np.log, 1, _FLOAT),
    "log1p": Primitive(np.log1p, 1, _FLOAT),
    "log2": Primitive(np.log2, 1, _FLOAT),
    "log10": Primitive(np.log10, 1, _FLOAT),
    "sqrt": Primitive(np.sqrt, 1, _FLOAT),
    "sin": Primitive(np.sin, 1, _FLOAT),
    "cos": Primitive(np.cos, 1, _FLOAT),
    "tan": Primitive(np.tan, 1, _FLOAT),
    "arcsin": Primitive(np.arcsin, 1, _FLOAT),
    "arccos": Primitive(np.arccos, 1, _FLOAT),
    "arctan": Primitive(np.arctan, 1, _FLOAT),
    "arctan2": Primitive(np.arctan2, 2, _FLOAT),
    "sinh": Primitive(np.sinh, 1, _FLOAT),
    "cosh": Primitive(np.cosh, 1, _FLOAT),
    "tanh": Primitive(np.tanh, 1, _FLOAT),
    "arcsinh": Primitive(np.arcsinh, 1, _FLOAT),
    "arccosh": Primitive(np.arccosh, 1, _FLOAT),
    "arctanh": Primitive(np.arctanh, 1, _FLOAT),
    "logistic_tail": Primitive(_logistic_tail, 1, _FLOAT),
    "erf": Primitive(_special("erf"), 1, _FLOAT),
    "erfc": Primitive(_special("erfc"), 1, _FLOAT),
    "erfcx": Primitive(_special("erfcx"), 1, _FLOAT),
    "erfinv": Primitive(_special("erfinv"), 1, _FLOAT),
    "gammaln": Primitive(_special("gammaln"), 1, _FLOAT),
    "digamma": Primitive(_special("digamma"), 1, _FLOAT),
    "random_word32": Primitive(word32, 4, frozenset(), "given"),
    "random_word64": Primitive(word64, 4, frozenset(), "given"),
    "random_normal32": Primitive(normal32, 4, frozenset(), "given"),
    "random_normal64": Primitive(normal64, 4, frozenset(), "given"),
}
