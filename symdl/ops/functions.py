# mypy: disable-error-code="empty-body,has-type"
"""Elementwise functions of reals: exponentials, trigonometry, rounding and special functions.

Those without a body are primitives, which every backend supplies under the op's name.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from symdl.graph.expr import Expr, as_expr, named_constant
from symdl.graph.methods import declared
from symdl.ops.declare import REAL, elementwise, is_float, undefined
from symdl.ops.elementwise import POSITIVE, abs, bitwise_and, cast, eq, invert, isnan, lt, maximum, sign, where

UNIT = (-1.0, 1.0)

# ---- exponentials and logarithms ----


@elementwise(meaning="exp(x)", numpy=np.exp, derivative=lambda x, y: y, rule="float")
def exp(x: Expr) -> Expr:
    """Natural exponential, e^x. Error at most 1.1 ulp in float32, 1.2 in float64."""


@elementwise(meaning="exp(x) - 1", numpy=np.expm1, derivative=lambda x, y: exp(x), rule="float")
def expm1(x: Expr) -> Expr:
    """e^x - 1, accurate where x is tiny. Error at most 1.4 ulp in float32, 1.5 in float64."""


@elementwise(meaning="2**x", numpy=np.exp2, derivative=lambda x, y: y * named_constant("log(2)", x), rule="float")
def exp2(x: Expr) -> Expr:
    """2^x. Error at most 1.1 ulp in float32, 1.2 in float64."""


@elementwise(meaning="1 / x", numpy=lambda x: 1 / x, derivative=lambda x, y: -y * y, rule="float", domain=[POSITIVE],
             primitive=False)  # fmt: skip
def log_slope(x: Expr) -> Expr:
    """1 / x, the derivative of log x. Stage 3 takes its product with an exact 0 as 0 where x is 0, as 0 log 0 is."""
    return 1 / x


@elementwise(meaning="log(x)", numpy=np.log, derivative=lambda x, y: log_slope(x), rule="float", domain=[POSITIVE])
def log(x: Expr) -> Expr:
    """Natural logarithm: NaN below 0, -inf at 0. Error at most 0.9 ulp."""


@elementwise(meaning="log(1 + x)", numpy=np.log1p, derivative=lambda x, y: log_slope(1 + x), rule="float",
             domain=[(-1.0, math.inf)])  # fmt: skip
def log1p(x: Expr) -> Expr:
    """log(1 + x), accurate where x is tiny: NaN below -1, -inf at -1. Error at most 1.0 ulp."""


@elementwise(meaning="log(x) / log(2)", numpy=np.log2, derivative=lambda x, y: log_slope(x * named_constant("log(2)", x)),
             rule="float", domain=[POSITIVE])  # fmt: skip
def log2(x: Expr) -> Expr:
    """Logarithm to base 2, exact for powers of 2. Error at most 0.51 ulp in float32, 0.9 in float64."""


@elementwise(meaning="log(x) / log(10)", numpy=np.log10, derivative=lambda x, y: log_slope(x * named_constant("log(10)", x)),
             rule="float", domain=[POSITIVE])  # fmt: skip
def log10(x: Expr) -> Expr:
    """Logarithm to base 10. Error at most 0.51 ulp in float32, 0.9 in float64."""


@elementwise(meaning="sqrt(x)", numpy=np.sqrt, derivative=lambda x, y: 0.5 / y, rule="float", domain=[POSITIVE])
def sqrt(x: Expr) -> Expr:
    """Square root, correctly rounded: NaN below 0. Error at most 0.5 ulp."""


def _logistic_tail(x: Any) -> Any:
    small = np.exp(-np.abs(x))  # in [0, 1]: cannot overflow
    return small / (1 + small)


@elementwise(meaning="1 / (1 + exp(Abs(x)))", numpy=_logistic_tail, derivative=lambda x, y: -sign(x) * y * (1 - y),
             rule="float")  # fmt: skip
def logistic_tail(x: Expr) -> Expr:
    """1 / (1 + e^|x|), in [0, 1/2]: the sigmoid of -|x|, which every use of sigmoid(x) and of its slope shares.

    Error at most 1.5 ulp.
    """


@elementwise(meaning="1 / (1 + exp(-x))", derivative=lambda x, y: y * (1 - y), rule="float", primitive=False)
def sigmoid(x: Expr) -> Expr:
    """Logistic function 1 / (1 + e^-x), in [0, 1]. Error at most 1.5 ulp."""
    tail = logistic_tail(x)
    return where(lt(x, 0), tail, 1 - tail)


@elementwise(meaning="log(1 + exp(x))", derivative=lambda x, y: sigmoid(x), rule="float", primitive=False)
def softplus(x: Expr) -> Expr:
    """log(1 + e^x), a smooth max(x, 0). Error at most 1.7 ulp."""
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
    """Sine of radians. Error at most 1.6 ulp in float32, 0.9 in float64."""


@elementwise(meaning="cos(x)", numpy=np.cos, derivative=lambda x, y: -sin(x), rule="float")
def cos(x: Expr) -> Expr:
    """Cosine of radians. Error at most 1.6 ulp in float32, 0.9 in float64."""


@elementwise(meaning="tan(x)", numpy=np.tan, derivative=lambda x, y: 1 + y * y, rule="float", domain=[(-1.5, 1.5)])
def tan(x: Expr) -> Expr:
    """Tangent of radians. Error at most 0.51 ulp in float32, 1.1 in float64."""


@elementwise(meaning="asin(x)", numpy=np.arcsin, derivative=lambda x, y: 1 / sqrt((1 - x) * (1 + x)), rule="float",
             domain=[UNIT])  # fmt: skip
def arcsin(x: Expr) -> Expr:
    """Inverse sine, in [-pi/2, pi/2]. Error at most 1.9 ulp in float32, 1.7 in float64."""


@elementwise(meaning="acos(x)", numpy=np.arccos, derivative=lambda x, y: -1 / sqrt((1 - x) * (1 + x)), rule="float",
             domain=[UNIT])  # fmt: skip
def arccos(x: Expr) -> Expr:
    """Inverse cosine, in [0, pi]. Error at most 1.4 ulp in float32, 1.3 in float64."""


@elementwise(meaning="atan(x)", numpy=np.arctan, derivative=lambda x, y: 1 / (1 + x * x), rule="float")
def arctan(x: Expr) -> Expr:
    """Inverse tangent, in [-pi/2, pi/2]. Error at most 1.3 ulp."""


@elementwise(
    meaning="atan2(a, b)", numpy=np.arctan2, rule="float", domain=(REAL, POSITIVE),
    derivative=[lambda a, b, y: b / (a * a + b * b), lambda a, b, y: -a / (a * a + b * b)],
)  # fmt: skip
def arctan2(a: Expr, b: Expr) -> Expr:
    """The angle of the point (b, a), in [-pi, pi]. Error at most 1.8 ulp."""


@elementwise(meaning="sinh(x)", numpy=np.sinh, derivative=lambda x, y: cosh(x), rule="float")
def sinh(x: Expr) -> Expr:
    """Hyperbolic sine. Error at most 1.7 ulp."""


@elementwise(meaning="cosh(x)", numpy=np.cosh, derivative=lambda x, y: sinh(x), rule="float")
def cosh(x: Expr) -> Expr:
    """Hyperbolic cosine. Error at most 1.4 ulp."""


@elementwise(meaning="tanh(x)", numpy=np.tanh, derivative=lambda x, y: 1 - y * y, rule="float")
def tanh(x: Expr) -> Expr:
    """Hyperbolic tangent. Error at most 1.3 ulp in float32, 1.4 in float64."""


@elementwise(meaning="asinh(x)", numpy=np.arcsinh, derivative=lambda x, y: 1 / sqrt(x * x + 1), rule="float")
def arcsinh(x: Expr) -> Expr:
    """Inverse hyperbolic sine. Error at most 0.51 ulp in float32, 1.8 in float64."""


@elementwise(meaning="acosh(x)", numpy=np.arccosh, derivative=lambda x, y: 1 / (sqrt(x - 1) * sqrt(x + 1)),
             rule="float", domain=[(1.0, math.inf)])  # fmt: skip
def arccosh(x: Expr) -> Expr:
    """Inverse hyperbolic cosine: NaN below 1. Error at most 0.51 ulp in float32, 2.0 in float64."""


@elementwise(meaning="atanh(x)", numpy=np.arctanh, derivative=lambda x, y: 1 / ((1 - x) * (1 + x)), rule="float",
             domain=[UNIT])  # fmt: skip
def arctanh(x: Expr) -> Expr:
    """Inverse hyperbolic tangent: NaN beyond -1 and 1. Error at most 0.51 ulp in float32, 2.0 in float64."""


@elementwise(
    meaning="x * pi / 180",
    numpy=np.deg2rad,
    derivative=lambda x, y: named_constant("pi/180", x),
    rule="float",
    primitive=False,
)
def deg2rad(x: Expr) -> Expr:
    """Degrees to radians."""
    return x * named_constant("pi/180", x)


@elementwise(
    meaning="x * 180 / pi",
    numpy=np.rad2deg,
    derivative=lambda x, y: named_constant("180/pi", x),
    rule="float",
    primitive=False,
)
def rad2deg(x: Expr) -> Expr:
    """Radians to degrees."""
    return x * named_constant("180/pi", x)


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


def two_over_root_pi(x: Expr) -> Expr:
    """2/sqrt(pi), the derivative of erf at 0."""
    return named_constant("2/sqrt(pi)", x)


def _special(name: str) -> Any:
    """scipy's function, fetched at first use: scipy.special takes longer to load than all of symdl."""

    def call(x: Any) -> Any:
        from scipy import special  # noqa: PLC0415  # see above

        return getattr(special, name)(x)

    return call


@elementwise(
    meaning="erf(x)", numpy=_special("erf"), derivative=lambda x, y: two_over_root_pi(x) * exp(-x * x), rule="float"
)
def erf(x: Expr) -> Expr:
    """Error function, 2/sqrt(pi) times the integral of e^-t^2 from 0 to x.

    Error at most 1.4 ulp in float32, 1.6 in float64.
    """


@elementwise(
    meaning="erfc(x)",
    numpy=_special("erfc"),
    derivative=lambda x, y: -(two_over_root_pi(x) * exp(-x * x)),
    rule="float",
)
def erfc(x: Expr) -> Expr:
    """1 - erf(x), accurate where x is large. Error at most 0.51 ulp in float32, 3.5 in float64."""


@elementwise(meaning="exp(x**2) * erfc(x)", numpy=_special("erfcx"), derivative=lambda x, y: 2 * x * y - two_over_root_pi(x),
             rule="float")  # fmt: skip
def erfcx(x: Expr) -> Expr:
    """e^x^2 erfc(x), which does not underflow. Error at most 0.51 ulp in float32, 3.0 in float64."""


@elementwise(meaning="erfinv(x)", numpy=_special("erfinv"), derivative=lambda x, y: exp(y * y) * named_constant("sqrt(pi)/2", x),
             rule="float", domain=[UNIT])  # fmt: skip
def erfinv(x: Expr) -> Expr:
    """Inverse of erf, on [-1, 1]. Error at most 0.51 ulp in float32, 3.5 in float64."""


@elementwise(meaning="loggamma(x)", numpy=_special("gammaln"), derivative=lambda x, y: digamma(x), rule="float",
             domain=[POSITIVE])  # fmt: skip
def gammaln(x: Expr) -> Expr:
    """log |Gamma(x)|; inf at 0 and the negative integers.

    Error at most 0.51 ulp in float32, 3.0 in float64. Below 0 it is that of the reflection formula's terms.
    """


@elementwise(meaning="digamma(x)", numpy=_special("digamma"), derivative=lambda x, y: trigamma(x), rule="float",
             domain=[POSITIVE])  # fmt: skip
def digamma(x: Expr) -> Expr:
    """Derivative of gammaln; NaN at 0 and the negative integers.

    Error at most 0.51 ulp in float32, 4.0 in float64. Below 0 it is that of the reflection formula's terms.
    """


# B_0 = 1 and the even Bernoulli numbers; at a distance of 10.5 the next one would add 3e-17.
_BERNOULLI = (1, 1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)


@elementwise(meaning="polygamma(1, x)", derivative=undefined, rule="float", domain=[POSITIVE], primitive=False)
def trigamma(x: Expr) -> Expr:
    """Derivative of digamma: shifted up by 10, then its asymptotic series (Abramowitz and Stegun 6.4.12); below 1/2
    by reflection, pi^2 / sin(pi x)^2 - trigamma(1 - x)."""
    left = lt(x, 0.5)
    z = where(left, 1 - x, x)
    shifted = z + 10
    u = 1 / (shifted * shifted)
    tail: Any = _BERNOULLI[-1]
    for bernoulli in reversed(_BERNOULLI[:-1]):
        tail = bernoulli + u * tail
    total = u / 2 + tail / shifted
    for k in range(9, -1, -1):
        total = total + 1 / ((z + k) * (z + k))
    return where(left, (named_constant("pi", x) / sin(named_constant("pi", x) * x)) ** 2 - total, total)


def _whole_round(k: Expr, step: int) -> Expr:
    """The multiple of a step nearest to an integer, the even one of two."""
    quotient, rest = divmod(k, step)
    up = (rest > step // 2) | (eq(rest * 2, step) & eq(quotient % 2, 1))
    return (quotient + cast(up, dtype=k.type.dtype)) * step


@declared("round")
def round(x: Any, decimals: int = 0) -> Expr:
    """The nearest number of so many decimals, halves to even."""
    e = as_expr(x)
    if not is_float(e.type.dtype):
        return e if decimals >= 0 else _whole_round(e, 10**-decimals)
    return round_half_even(e) if decimals == 0 else round_half_even(e * 10.0**decimals) / 10.0**decimals
