# mypy: disable-error-code="empty-body,has-type"
"""Elementwise ops: arithmetic, comparison, bits, choice and casts. Each declaration is the one place of its op.

Those without a body are primitives, which every backend supplies under the op's name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from symdl.graph.expr import ANY, OPS, Expr, Inferred, Op, as_expr, checked_dtype, constant, make, number_of, register
from symdl.graph.methods import declared
from symdl.number_forms import WIDE
from symdl.ops.declare import REAL, differentiable, elementwise, is_float, unbroadcast
from symdl.types import TensorType

POSITIVE = (0.0, math.inf)
# ---- arithmetic ----


@elementwise(meaning="a + b", numpy=np.add, derivative=[lambda a, b, y: 1, lambda a, b, y: 1], commutative=True)
def add(a: Expr, b: Expr) -> Expr:
    """Sum; of bools, whether any holds."""


@elementwise(meaning="a - b", numpy=np.subtract, derivative=[lambda a, b, y: 1, lambda a, b, y: -1], rule="number")
def sub(a: Expr, b: Expr) -> Expr:
    """Difference."""


@elementwise(meaning="a * b", numpy=np.multiply, derivative=[lambda a, b, y: b, lambda a, b, y: a], commutative=True)
def mul(a: Expr, b: Expr) -> Expr:
    """Product; of bools, whether both hold."""


@elementwise(
    meaning="a / b", numpy=np.true_divide, rule="divide", domain=(REAL, POSITIVE),
    derivative=[lambda a, b, y: 1 / b, lambda a, b, y: -y / b],
)  # fmt: skip
def true_div(a: Expr, b: Expr) -> Expr:
    """Quotient; of integers too, as float64."""


@elementwise(
    meaning="floor(a / b)", numpy=np.floor_divide, rule="number", derivative=lambda a, b, y: 0, domain=(REAL, POSITIVE)
)
def floor_div(a: Expr, b: Expr) -> Expr:
    """Quotient rounded down; integers by 0 give 0. Its derivative is 0 where it has one."""


@elementwise(
    meaning="a - b * floor(a / b)", numpy=np.mod, rule="number", domain=(REAL, POSITIVE),
    derivative=[lambda a, b, y: 1, lambda a, b, y: -floor_div(a, b)],
)  # fmt: skip
def mod(a: Expr, b: Expr) -> Expr:
    """Remainder of floor_div, of b's sign; integers by 0 give 0."""


@elementwise(meaning="-x", numpy=np.negative, derivative=lambda x, y: -1, rule="number")
def neg(x: Expr) -> Expr:
    """Negation."""


@elementwise(meaning="Abs(x)", numpy=np.abs, derivative=lambda x, y: sign(x))
def abs(x: Expr) -> Expr:
    """Absolute value; its derivative at 0 is 0."""


@elementwise(meaning="sign(x)", numpy=np.sign, derivative=lambda x, y: 0, rule="number", primitive=False)
def sign(x: Expr) -> Expr:
    """-1, 0 or 1; NaN of NaN."""
    dtype = x.type.dtype
    low = x if dtype.startswith("uint") else where(lt(x, 0), cast(-1, dtype), x)
    return where(gt(x, 0), cast(1, dtype), low)


@elementwise(
    meaning="Max(a, b)", numpy=np.maximum, commutative=True,
    derivative=[lambda a, b, y: _share(a, b), lambda a, b, y: _share(b, a)],
)  # fmt: skip
def maximum(a: Expr, b: Expr) -> Expr:
    """The larger; NaN if either is. Operands that tie share the gradient evenly."""


@elementwise(
    meaning="Min(a, b)", numpy=np.minimum, commutative=True,
    derivative=[lambda a, b, y: _share(b, a), lambda a, b, y: _share(a, b)],
)  # fmt: skip
def minimum(a: Expr, b: Expr) -> Expr:
    """The smaller; NaN if either is. Operands that tie share the gradient evenly."""


def _share(a: Expr, b: Expr) -> Expr:
    """1 where a > b, 1/2 where equal, else 0."""
    dtype = a.type.dtype
    return where(gt(a, b), cast(1, dtype), where(eq(a, b), cast(0.5, dtype), cast(0, dtype)))


def _pow_by_base(a: Expr, b: Expr, y: Expr) -> Expr:
    if number_of(b) == 2:
        return 2 * a
    return b * a ** (b - 1)


def _pow_by_exponent(a: Expr, b: Expr, y: Expr) -> Expr:
    return where(eq(a, 0), cast(0, y.type.dtype), y * OPS["log"](where(eq(a, 0), cast(1, y.type.dtype), a)))


def _power_numpy(a: Any, b: Any) -> Any:
    """NumPy's power; of integers its negative exponents, which NumPy refuses, give the truncated reciprocal."""
    if b.dtype.kind != "i":
        return np.power(a, b)
    inverse = np.where(a == 1, 1, np.where(a == -1, np.where(b & 1, -1, 1), 0))
    return np.where(b < 0, inverse, np.power(a, np.where(b < 0, 0, b))).astype(a.dtype)


@elementwise(meaning="a ** b", numpy=_power_numpy, derivative=[_pow_by_base, _pow_by_exponent], domain=(POSITIVE, REAL),
             rule="number")  # fmt: skip
def pow(a: Expr, b: Expr) -> Expr:
    """Power. Integers stay integers and wrap around; a negative integer exponent gives 0 unless the base is 1 or -1.

    The derivative in the exponent is 0 where the base is 0.

    Error at most 0.51 ulp in float32, 1.1 in float64.
    """


@elementwise(meaning="x**2", numpy=np.square, derivative=lambda x, y: 2 * x, primitive=False)
def sqr(x: Expr) -> Expr:
    """Square."""
    return x * x


@elementwise(meaning="1 / x", numpy=lambda x: 1 / x, derivative=lambda x, y: -y * y, rule="divide", domain=[POSITIVE],
             primitive=False)  # fmt: skip
def reciprocal(x: Expr) -> Expr:
    """1 / x."""
    return 1 / x


# ---- comparisons ----


def _comparison(symbol: str, numpy: Any) -> Callable[[Callable[..., Any]], Op]:
    return elementwise(meaning=symbol, numpy=numpy, derivative=None, result="bool", rule="compare")


@_comparison("Eq(a, b)", np.equal)
def eq(a: Expr, b: Expr) -> Expr:
    """Whether a equals b; NaN equals nothing."""


@_comparison("Ne(a, b)", np.not_equal)
def ne(a: Expr, b: Expr) -> Expr:
    """Whether a differs from b."""


@_comparison("a < b", np.less)
def lt(a: Expr, b: Expr) -> Expr:
    """Whether a < b."""


@_comparison("a <= b", np.less_equal)
def le(a: Expr, b: Expr) -> Expr:
    """Whether a <= b."""


@_comparison("a > b", np.greater)
def gt(a: Expr, b: Expr) -> Expr:
    """Whether a > b."""


@_comparison("a >= b", np.greater_equal)
def ge(a: Expr, b: Expr) -> Expr:
    """Whether a >= b."""


@elementwise(meaning="Ne(x, x)", numpy=np.isnan, derivative=None, result="bool", rule="float")
def isnan(x: Expr) -> Expr:
    """Whether x is NaN."""


@elementwise(meaning="Eq(Abs(x), oo)", numpy=np.isinf, derivative=None, result="bool", rule="float", primitive=False)
def isinf(x: Expr) -> Expr:
    """Whether x is inf or -inf."""
    return eq(abs(x), math.inf)


@elementwise(meaning="Abs(x) < oo", numpy=np.isfinite, derivative=None, result="bool", rule="float", primitive=False)
def isfinite(x: Expr) -> Expr:
    """Whether x is neither infinite nor NaN."""
    return lt(abs(x), math.inf)


# ---- bits and logic ----


@elementwise(meaning="a & b", numpy=np.bitwise_and, derivative=None, rule="bits", commutative=True)
def bitwise_and(a: Expr, b: Expr) -> Expr:
    """Bits set in both; of bools, logical and."""


@elementwise(meaning="a | b", numpy=np.bitwise_or, derivative=None, rule="bits", commutative=True)
def bitwise_or(a: Expr, b: Expr) -> Expr:
    """Bits set in either; of bools, logical or."""


@elementwise(meaning="a ^ b", numpy=np.bitwise_xor, derivative=None, rule="bits", commutative=True)
def bitwise_xor(a: Expr, b: Expr) -> Expr:
    """Bits set in one; of bools, exclusive or."""


@elementwise(meaning="~x", numpy=np.invert, derivative=None, rule="bits")
def invert(x: Expr) -> Expr:
    """All bits flipped; of bools, logical not."""


@elementwise(meaning="a * 2**b", numpy=np.left_shift, derivative=None, rule="shift")
def left_shift(a: Expr, b: Expr) -> Expr:
    """a shifted left by b bits; 0 where b reaches the width."""


@elementwise(meaning="floor(a / 2**b)", numpy=np.right_shift, derivative=None, rule="shift")
def right_shift(a: Expr, b: Expr) -> Expr:
    """a shifted right by b bits, keeping the sign."""


@elementwise(meaning="And(a, b)", numpy=np.logical_and, derivative=None, conditions=2, rule="bits", primitive=False)
def logical_and(a: Expr, b: Expr) -> Expr:
    """Whether both are nonzero."""
    return bitwise_and(a, b)


@elementwise(meaning="Or(a, b)", numpy=np.logical_or, derivative=None, conditions=2, rule="bits", primitive=False)
def logical_or(a: Expr, b: Expr) -> Expr:
    """Whether either is nonzero."""
    return bitwise_or(a, b)


@elementwise(meaning="Xor(a, b)", numpy=np.logical_xor, derivative=None, conditions=2, rule="bits", primitive=False)
def logical_xor(a: Expr, b: Expr) -> Expr:
    """Whether just one is nonzero."""
    return bitwise_xor(a, b)


@elementwise(meaning="Not(x)", numpy=np.logical_not, derivative=None, conditions=1, rule="bits", primitive=False)
def logical_not(x: Expr) -> Expr:
    """Whether x is 0."""
    return invert(x)


# ---- choice ----


def _where_pullback(gradient: Expr, y: Expr, c: Expr, a: Expr, b: Expr) -> tuple[Expr | None, ...]:
    # A mask on the gradient, not a product with 0 or 1: inf and NaN of the branch not taken never enter.
    zero = constant(0, y.type.dtype)
    return (
        None,
        unbroadcast(where(c, gradient, zero), a) if differentiable(a) else None,
        unbroadcast(where(c, zero, gradient), b) if differentiable(b) else None,
    )


@elementwise(
    meaning="Piecewise((a, c), (b, True))", numpy=np.where, conditions=1,
    derivative=[None, None, None], pullback=_where_pullback,
)  # fmt: skip
def where(c: Expr, a: Expr, b: Expr) -> Expr:
    """a where c holds, else b. The branch not taken gets no gradient, whatever its value."""


@elementwise(
    meaning="Min(high, Max(low, x))", rule="same", primitive=False, numpy=lambda x, low, high: np.clip(x, low, high),
    derivative=[
        lambda x, low, high, y: cast(bitwise_and(ge(x, low), le(x, high)), y.type.dtype),
        lambda x, low, high, y: cast(bitwise_and(lt(x, low), le(low, high)), y.type.dtype),
        lambda x, low, high, y: cast(bitwise_or(gt(x, high), gt(low, high)), y.type.dtype),
    ],
)  # fmt: skip
def clip_between(x: Expr, low: Expr, high: Expr) -> Expr:
    """x, at least low and at most high (which wins where low > high); the derivative at the bounds is 1."""
    return minimum(maximum(x, low), high)


# ---- casts: a dtype is a parameter, so these are declared by hand ----


def _cast_infer(t: TensorType, *, dtype: str) -> Inferred:
    return TensorType(dtype, t.shape), ()


def _cast_pullback(gradient: Expr, y: Expr, x: Expr, *, dtype: str) -> tuple[Expr | None]:
    return (cast(gradient, x.type.dtype) if is_float(x.type.dtype) else None,)


CAST = register(
    Op(
        "cast", "elementwise", ("x",), _cast_infer, "x as another dtype; floats are cut off to integers.",
        reference=lambda x, *, dtype: np.asarray(x).astype(dtype), pullback=_cast_pullback, meaning="x", domain=(REAL,),
    )
)  # fmt: skip


@declared("cast")
def cast(x: Any, dtype: Any) -> Expr:
    """x as another dtype: floats are cut off towards 0 to integers, numbers become bools as != 0."""
    name = checked_dtype(dtype)
    e = as_expr(x)
    if e.type is ANY or e.type.dtype == name:
        return e
    if number_of(e) is not None and not (is_float(e.type.dtype) and not is_float(name)) and e.type.dtype not in WIDE:
        return constant(e.params["value"].array, name)
    return make(CAST, (e,), dtype=name)


@declared("clip")
def clip(x: Any, min: Any = None, max: Any = None) -> Expr:
    """x, at least min and at most max, either of which may be None. The derivative at the bounds is 1."""
    if min is not None and max is not None:
        return clip_between(x, min, max)
    return minimum(x, max) if max is not None else maximum(x, min) if min is not None else as_expr(x)
