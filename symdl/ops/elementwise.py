# mypy: disable-error-code="empty-body"
"""Elementwise ops. Each declaration is the only place that op is described.

Those without a body are primitives, which every backend supplies under the op's name.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from symdl.expr import ANY, Expr, Inferred, Op, as_expr, checked_dtype, constant, make, number_of, register
from symdl.methods import declared
from symdl.ops.declare import REAL, differentiable, elementwise, is_float, unbroadcast, undefined
from symdl.types import TensorType

POSITIVE = (0.0, math.inf)
UNIT = (-1.0, 1.0)
TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)

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


@elementwise(meaning="floor(a / b)", numpy=np.floor_divide, rule="number", derivative=lambda a, b, y: 0, domain=(REAL, POSITIVE))
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
    return where(eq(a, 0), cast(0, y.type.dtype), y * log(where(eq(a, 0), cast(1, y.type.dtype), a)))


@elementwise(meaning="a ** b", numpy=np.power, derivative=[_pow_by_base, _pow_by_exponent], domain=(POSITIVE, REAL),
             rule="number")  # fmt: skip
def pow(a: Expr, b: Expr) -> Expr:
    """Power. Integers stay integers and wrap around; a negative integer exponent gives 0 unless the base is 1 or -1.

    The derivative in the exponent is 0 where the base is 0.
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


def _comparison(symbol: str, numpy: Any) -> Any:
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
    meaning="Max(low, Min(high, x))", rule="same", primitive=False, numpy=lambda x, low, high: np.clip(x, low, high),
    derivative=[
        lambda x, low, high, y: cast(bitwise_and(ge(x, low), le(x, high)), y.type.dtype),
        lambda x, low, high, y: cast(lt(x, low), y.type.dtype),
        lambda x, low, high, y: cast(gt(x, high), y.type.dtype),
    ],
)  # fmt: skip
def clip_between(x: Expr, low: Expr, high: Expr) -> Expr:
    """x, at least low and at most high; the derivative at the bounds is 1."""
    return minimum(maximum(x, low), high)


# ---- exponentials and logarithms ----


@elementwise(meaning="exp(x)", numpy=np.exp, derivative=lambda x, y: y, rule="float")
def exp(x: Expr) -> Expr:
    """Natural exponential, e^x."""


@elementwise(meaning="exp(x) - 1", numpy=np.expm1, derivative=lambda x, y: exp(x), rule="float")
def expm1(x: Expr) -> Expr:
    """e^x - 1, accurate where x is tiny."""


@elementwise(meaning="2**x", numpy=np.exp2, derivative=lambda x, y: y * math.log(2), rule="float")
def exp2(x: Expr) -> Expr:
    """2^x."""


@elementwise(meaning="log(x)", numpy=np.log, derivative=lambda x, y: 1 / x, rule="float", domain=[POSITIVE])
def log(x: Expr) -> Expr:
    """Natural logarithm: NaN below 0, -inf at 0."""


@elementwise(meaning="log(1 + x)", numpy=np.log1p, derivative=lambda x, y: 1 / (1 + x), rule="float",
             domain=[(-1.0, math.inf)])  # fmt: skip
def log1p(x: Expr) -> Expr:
    """log(1 + x), accurate where x is tiny: NaN below -1, -inf at -1."""


@elementwise(meaning="log(x) / log(2)", numpy=np.log2, derivative=lambda x, y: 1 / (x * math.log(2)), rule="float",
             domain=[POSITIVE])  # fmt: skip
def log2(x: Expr) -> Expr:
    """Logarithm to base 2, exact for powers of 2."""


@elementwise(meaning="log(x) / log(10)", numpy=np.log10, derivative=lambda x, y: 1 / (x * math.log(10)), rule="float",
             domain=[POSITIVE])  # fmt: skip
def log10(x: Expr) -> Expr:
    """Logarithm to base 10."""


@elementwise(meaning="sqrt(x)", numpy=np.sqrt, derivative=lambda x, y: 0.5 / y, rule="float", domain=[POSITIVE])
def sqrt(x: Expr) -> Expr:
    """Square root, correctly rounded: NaN below 0."""


@elementwise(meaning="1 / (1 + exp(-x))", derivative=lambda x, y: y * (1 - y), rule="float", primitive=False)
def sigmoid(x: Expr) -> Expr:
    """Logistic function 1 / (1 + e^-x), in [0, 1]."""
    small = exp(-abs(x))  # in [0, 1]: cannot overflow
    return where(lt(x, 0), small, cast(1, x.type.dtype)) / (1 + small)


@elementwise(meaning="log(1 + exp(x))", derivative=lambda x, y: sigmoid(x), rule="float", primitive=False)
def softplus(x: Expr) -> Expr:
    """log(1 + e^x), a smooth max(x, 0)."""
    return maximum(x, 0) + log1p(exp(-abs(x)))


@elementwise(meaning="log(1 - exp(x))", derivative=lambda x, y: -exp(x) / (1 - exp(x)), rule="float",
             domain=[(-math.inf, 0.0)], primitive=False)  # fmt: skip
def log1mexp(x: Expr) -> Expr:
    """log(1 - e^x) for x <= 0 (Maechler 2012): NaN above 0, -inf at 0."""
    return where(lt(x, -math.log(2)), log1p(-exp(x)), log(-expm1(x)))


@elementwise(
    meaning="log(exp(a) + exp(b))", numpy=np.logaddexp, rule="float", commutative=True, primitive=False,
    derivative=[lambda a, b, y: exp(a) / (exp(a) + exp(b)), lambda a, b, y: exp(b) / (exp(a) + exp(b))],
)  # fmt: skip
def logaddexp(a: Expr, b: Expr) -> Expr:
    """log(e^a + e^b) without overflow."""
    gap = where(eq(a, b), cast(0, a.type.dtype), a - b)  # equal infinities are 0 apart
    return maximum(a, b) + log1p(exp(-abs(gap)))


@elementwise(
    meaning="Piecewise((0, Eq(a, 0)), (a * log(b), True))", rule="float", primitive=False, domain=(REAL, POSITIVE),
    derivative=[
        lambda a, b, y: where(eq(a, 0), cast(0, y.type.dtype), log(b)),
        lambda a, b, y: where(eq(a, 0), cast(0, y.type.dtype), a / b),
    ],
)  # fmt: skip
def xlogy(a: Expr, b: Expr) -> Expr:
    """a log b, 0 where a is 0; NaN where b is."""
    return where(bitwise_and(eq(a, 0), invert(isnan(b))), cast(0, a.type.dtype), a * log(b))


# ---- trigonometric and hyperbolic ----


@elementwise(meaning="sin(x)", numpy=np.sin, derivative=lambda x, y: cos(x), rule="float")
def sin(x: Expr) -> Expr:
    """Sine of radians."""


@elementwise(meaning="cos(x)", numpy=np.cos, derivative=lambda x, y: -sin(x), rule="float")
def cos(x: Expr) -> Expr:
    """Cosine of radians."""


@elementwise(meaning="tan(x)", numpy=np.tan, derivative=lambda x, y: 1 + y * y, rule="float", domain=[(-1.5, 1.5)])
def tan(x: Expr) -> Expr:
    """Tangent of radians."""


@elementwise(meaning="asin(x)", numpy=np.arcsin, derivative=lambda x, y: 1 / sqrt((1 - x) * (1 + x)), rule="float",
             domain=[UNIT])  # fmt: skip
def arcsin(x: Expr) -> Expr:
    """Inverse sine, in [-pi/2, pi/2]."""


@elementwise(meaning="acos(x)", numpy=np.arccos, derivative=lambda x, y: -1 / sqrt((1 - x) * (1 + x)), rule="float",
             domain=[UNIT])  # fmt: skip
def arccos(x: Expr) -> Expr:
    """Inverse cosine, in [0, pi]."""


@elementwise(meaning="atan(x)", numpy=np.arctan, derivative=lambda x, y: 1 / (1 + x * x), rule="float")
def arctan(x: Expr) -> Expr:
    """Inverse tangent, in [-pi/2, pi/2]."""


@elementwise(
    meaning="atan2(a, b)", numpy=np.arctan2, rule="float", domain=(REAL, POSITIVE),
    derivative=[lambda a, b, y: b / (a * a + b * b), lambda a, b, y: -a / (a * a + b * b)],
)  # fmt: skip
def arctan2(a: Expr, b: Expr) -> Expr:
    """The angle of the point (b, a), in [-pi, pi]."""


@elementwise(meaning="sinh(x)", numpy=np.sinh, derivative=lambda x, y: cosh(x), rule="float")
def sinh(x: Expr) -> Expr:
    """Hyperbolic sine."""


@elementwise(meaning="cosh(x)", numpy=np.cosh, derivative=lambda x, y: sinh(x), rule="float")
def cosh(x: Expr) -> Expr:
    """Hyperbolic cosine."""


@elementwise(meaning="tanh(x)", numpy=np.tanh, derivative=lambda x, y: 1 - y * y, rule="float")
def tanh(x: Expr) -> Expr:
    """Hyperbolic tangent."""


@elementwise(meaning="asinh(x)", numpy=np.arcsinh, derivative=lambda x, y: 1 / sqrt(x * x + 1), rule="float")
def arcsinh(x: Expr) -> Expr:
    """Inverse hyperbolic sine."""


@elementwise(meaning="acosh(x)", numpy=np.arccosh, derivative=lambda x, y: 1 / (sqrt(x - 1) * sqrt(x + 1)),
             rule="float", domain=[(1.0, math.inf)])  # fmt: skip
def arccosh(x: Expr) -> Expr:
    """Inverse hyperbolic cosine: NaN below 1."""


@elementwise(meaning="atanh(x)", numpy=np.arctanh, derivative=lambda x, y: 1 / ((1 - x) * (1 + x)), rule="float",
             domain=[UNIT])  # fmt: skip
def arctanh(x: Expr) -> Expr:
    """Inverse hyperbolic tangent: NaN beyond -1 and 1."""


@elementwise(meaning="x * pi / 180", numpy=np.deg2rad, derivative=lambda x, y: math.pi / 180, rule="float", primitive=False)
def deg2rad(x: Expr) -> Expr:
    """Degrees to radians."""
    return x * (math.pi / 180)


@elementwise(meaning="x * 180 / pi", numpy=np.rad2deg, derivative=lambda x, y: 180 / math.pi, rule="float", primitive=False)
def rad2deg(x: Expr) -> Expr:
    """Radians to degrees."""
    return x * (180 / math.pi)


# ---- rounding: derivative 0 where there is one ----


@elementwise(meaning="floor(x)", numpy=np.floor, derivative=lambda x, y: 0, rule="float")
def floor(x: Expr) -> Expr:
    """The largest whole number at most x."""


@elementwise(meaning="ceiling(x)", numpy=np.ceil, derivative=lambda x, y: 0, rule="float")
def ceil(x: Expr) -> Expr:
    """The smallest whole number at least x."""


@elementwise(meaning="sign(x) * floor(Abs(x))", numpy=np.trunc, derivative=lambda x, y: 0, rule="float")
def trunc(x: Expr) -> Expr:
    """x without its fraction."""


@elementwise(meaning="Piecewise((2*floor(x/2 + 1/2), Eq(x - floor(x), 1/2)), (floor(x + 1/2), True))", numpy=np.rint,
             derivative=lambda x, y: 0, rule="float")  # fmt: skip
def round_half_even(x: Expr) -> Expr:
    """The nearest whole number, halves to even."""


# ---- special functions ----


def _special(name: str) -> Any:
    """scipy's function, fetched at first use: scipy.special takes longer to load than all of symdl."""

    def call(x: Any) -> Any:
        from scipy import special  # noqa: PLC0415  # see above

        return getattr(special, name)(x)

    return call


@elementwise(meaning="erf(x)", numpy=_special("erf"), derivative=lambda x, y: TWO_OVER_ROOT_PI * exp(-x * x), rule="float")
def erf(x: Expr) -> Expr:
    """Error function, 2/sqrt(pi) times the integral of e^-t^2 from 0 to x."""


@elementwise(meaning="erfc(x)", numpy=_special("erfc"), derivative=lambda x, y: -TWO_OVER_ROOT_PI * exp(-x * x), rule="float")
def erfc(x: Expr) -> Expr:
    """1 - erf(x), accurate where x is large."""


@elementwise(meaning="exp(x**2) * erfc(x)", numpy=_special("erfcx"), derivative=lambda x, y: 2 * x * y - TWO_OVER_ROOT_PI,
             rule="float")  # fmt: skip
def erfcx(x: Expr) -> Expr:
    """e^x^2 erfc(x), which does not underflow."""


@elementwise(meaning="erfinv(x)", numpy=_special("erfinv"), derivative=lambda x, y: exp(y * y) / TWO_OVER_ROOT_PI,
             rule="float", domain=[UNIT])  # fmt: skip
def erfinv(x: Expr) -> Expr:
    """Inverse of erf, on [-1, 1]."""


@elementwise(meaning="loggamma(x)", numpy=_special("gammaln"), derivative=lambda x, y: digamma(x), rule="float",
             domain=[POSITIVE])  # fmt: skip
def gammaln(x: Expr) -> Expr:
    """log |Gamma(x)|; inf at 0 and the negative integers."""


@elementwise(meaning="digamma(x)", numpy=_special("digamma"), derivative=lambda x, y: trigamma(x), rule="float",
             domain=[POSITIVE])  # fmt: skip
def digamma(x: Expr) -> Expr:
    """Derivative of gammaln; NaN at 0 and the negative integers."""


@elementwise(meaning="polygamma(1, x)", derivative=undefined, rule="float", domain=[POSITIVE], primitive=False)
def trigamma(x: Expr) -> Expr:
    """Derivative of digamma: shifted up by 10, then its asymptotic series (Abramowitz and Stegun 6.4.12); below 1/2
    by reflection, pi^2 / sin(pi x)^2 - trigamma(1 - x)."""
    left = lt(x, 0.5)
    z = where(left, 1 - x, x)
    shifted = z + 10
    u = 1 / (shifted * shifted)
    tail = 1 + u * (1 / 6 + u * (-1 / 30 + u * (1 / 42 + u * (-1 / 30 + u * 5 / 66))))
    total = u / 2 + tail / shifted
    for k in range(9, -1, -1):
        total = total + 1 / ((z + k) * (z + k))
    return where(left, (math.pi / sin(math.pi * x)) ** 2 - total, total)


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
    x = as_expr(x)
    if x.type is ANY or x.type.dtype == name:
        return x
    if number_of(x) is not None and not (is_float(x.type.dtype) and not is_float(name)):
        return as_expr(x.params["value"].array.astype(name))
    return make(CAST, (x,), dtype=name)


@declared("clip")
def clip(x: Any, min: Any = None, max: Any = None) -> Expr:
    """x, at least min and at most max, either of which may be None. The derivative at the bounds is 1."""
    if min is not None and max is not None:
        return clip_between(x, min, max)
    return minimum(x, max) if max is not None else maximum(x, min) if min is not None else as_expr(x)


@declared("round")
def round(x: Any, decimals: int = 0) -> Expr:
    """The nearest number of so many decimals, halves to even."""
    x = as_expr(x)
    if not is_float(x.type.dtype):
        return x
    return round_half_even(x) if decimals == 0 else round_half_even(x * 10.0**decimals) / 10.0**decimals


