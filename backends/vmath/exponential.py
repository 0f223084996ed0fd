"""exp and its relatives, all from one reduction: x = n ln 2 + r with |r| <= ln(2)/2, and one polynomial for e^r."""

from __future__ import annotations

import math
from collections.abc import Sequence

from symdl.backends.builder import Builder, Reg
from symdl.backends.vmath.forms import (
    FORMAT,
    Pair,
    biased_power,
    chosen,
    clamp,
    fast_two_sum,
    horner,
    nearest,
    outlined,
    polynomial,
    scale,
    steady_polynomial,
    with_sign,
)
from symdl.backends.vmath.registers import in_parts

# (e^r - 1 - r)/r^2 on |r| <= 0.3476, minimax, error relative to e^r: 3.5e-9 (float32), 3.8e-18 (float64)
EXP = {
    "float32": (
        0.4999999403953552,
        0.16666509211063385,
        0.041668009012937546,
        0.008369989693164825,
        0.001384702860377729,
    ),
    "float64": (
        0.5000000000000011,
        0.16666666666666405,
        0.04166666666652701,
        0.008333333333498323,
        0.0013888888944576985,
        0.000198412695005144,
        2.480149201270302e-05,
        2.755758966984109e-06,
        2.7630668550288146e-07,
        2.4999700641023165e-08,
    ),
}
# ln 2 = high + low; high ends in zeros, so that its product with an exponent is exact without a fused operation
LN2 = {
    "float32": (0.693359375, -2.12194440e-4),
    "float64": (0.693147180369123816490, 1.90821492927058770002e-10),
}
LOG2_E = 1.4426950408889634
# below the first exp rounds to 0, above the second it overflows
EXP_RANGE = {"float32": (-105.0, 89.0), "float64": (-746.0, 710.0)}


def reduce(b: Builder, x: Reg, offset: int, low: Reg | None = None) -> tuple[Pair, Reg, Reg]:
    """((n, word), r, c) with x + low = n ln 2 + r + c, |r| <= 0.35, c the rounding error of r; the word ends in n + offset."""
    high_ln2, low_ln2 = LN2[x.dtype]
    n, word = nearest(b, x, LOG2_E, offset)
    high = b.fma(n, -high_ln2, x)  # exact
    rest = b.mul(n, low_ln2)
    if low is not None:
        rest = b.sub(rest, low)
    r = b.sub(high, rest)
    return (n, word), r, b.sub(b.sub(high, r), rest)


def growth(b: Builder, r: Reg) -> Reg:
    """e^r - 1 for a reduced r."""
    return b.fma(b.mul(r, r), polynomial(b, r, EXP[r.dtype]), r)


def split_exp(b: Builder, x: Reg, offset: int, low: Reg | None = None) -> tuple[Pair, Reg]:
    """((n, word), u) with e^(x + low) = 2^n (1 + u), |u| <= 0.42, the word ending in n + offset: without the correction of r.
    A low that is no small number stands beside an x beyond all exponentials: it is left out."""
    high_ln2, low_ln2 = LN2[x.dtype]
    n, word = nearest(b, x, LOG2_E, offset)
    r = b.fma(n, -low_ln2, b.fma(n, -high_ln2, x))
    if low is not None:
        r = b.select(b.compare("lt", b.fabs(low), 1.0), b.add(r, low), r)
    return (n, word), growth(b, r)


def split_exp2(b: Builder, x: Reg, offset: int) -> tuple[Pair, Reg]:
    """((n, word), u) with 2^x = 2^n (1 + u); x - n is exact, so only its product with ln 2 is rounded."""
    n, word = nearest(b, x, offset=offset)
    return (n, word), growth(b, b.mul(b.sub(x, n), 0.6931471805599453))


def tail(b: Builder, r: Reg, c: Reg) -> Reg:
    """e^(r + c) - 1 - r for a reduced r and its correction c."""
    return b.fma(b.mul(r, r), polynomial(b, r, EXP[r.dtype]), b.fma(r, c, c))


def exp(b: Builder, x: Reg, low: Reg | None = None) -> Reg:
    """e^(x + low) of a low that is little beside an ulp of x, or 0; gradual underflow."""
    smallest, largest = EXP_RANGE[x.dtype]
    beside = 0.0 if low is None else 1.0  # what is held back still has its low part, which may be a half beside 2^24
    power, u = split_exp(b, clamp(b, x, smallest - beside, largest + beside), 2 * FORMAT[x.dtype].bias, low)
    return scale(b, b.add(u, 1.0), *power)


def open_exp(b: Builder, x: Reg) -> Reg:
    """e^x, but with AVX-512 of an x too large nobody knows what, in float32 no finite number: for attempts that fail there."""
    smallest, largest = EXP_RANGE[x.dtype]
    held = clamp(b, x, smallest, math.inf if in_parts(b, x.dtype) else largest)
    power, u = split_exp(b, held, 2 * FORMAT[x.dtype].bias)
    return scale(b, b.add(u, 1.0), *power)


def exp_pair(b: Builder, high: Reg, low: Reg, factor: Reg | None = None) -> Reg:
    """e^(high + low), times a factor in [1/100, 2] before the last rounding. Any high; |low| < ulp(high)."""
    smallest, largest = EXP_RANGE[high.dtype]
    low = b.select(b.compare("lt", b.fabs(high), -smallest), low, 0.0)  # an infinite high has no low
    power, r, c = reduce(b, clamp(b, high, smallest, largest + 1.0), 2 * FORMAT[high.dtype].bias, low)
    u = b.add(tail(b, r, c), r)
    return scale(b, b.add(u, 1.0) if factor is None else b.fma(factor, u, factor), *power)


def exp2(b: Builder, x: Reg) -> Reg:
    """2^x; gradual underflow."""
    x = clamp(b, x, *((-151.0, 129.0) if x.dtype == "float32" else (-1076.0, 1025.0)))
    power, u = split_exp2(b, x, 2 * FORMAT[x.dtype].bias)
    return scale(b, b.add(u, 1.0), *power)


def expm1(b: Builder, x: Reg) -> Reg:
    """e^x - 1 without cancellation: 2^n (r + tail) + (2^n - 1), the last exact where it matters."""
    low, high = (-18.0, 89.0) if x.dtype == "float32" else (-38.0, 710.0)
    (_, word), r, c = reduce(b, clamp(b, x, low, high), FORMAT[x.dtype].bias - 1)
    half = biased_power(b, word)  # 2^(n - 1): 2^n itself may overflow
    total = b.fma(tail(b, r, c), half, b.fma(r, half, b.sub(half, 0.5)))
    tiny = b.compare("lt", b.fabs(x), 2.0**-60)  # x itself; its half might not be a float
    return b.select(tiny, x, b.add(total, total))


# (tanh(x)/x - 1)/x^2 in z = x^2: float32 a minimax polynomial, error relative to tanh 4.7e-9 on |x| <= 0.628; float64 a
# quotient of two, 4.9e-18 on |x| <= 0.58
TANH_FLOAT32 = (
    -0.3333328068256378,
    0.13331395387649536,
    -0.05373512953519821,
    0.020622486248612404,
    -0.005684971809387207,
)
TANH_FLOAT64 = (
    (-0.3333333333333333, -0.02050074031649917, -0.0001992640373890042),
    (1.0, 0.46150222094949583, 0.02329391858726137, 0.000206625841271716),
)


def tanh(b: Builder, x: Reg) -> Reg:
    """tanh|x|: a series near 0, else 1 - 1/(1/2 + e^2|x|/2), which is 1 to the last bit past the clamp."""
    single = x.dtype == "float32"
    edge, limit = (0.625, 9.2) if single else (0.58, 19.5)
    size, square = b.fabs(x), b.mul(x, x)
    held = b.select(b.compare("gt", size, limit), limit, size)
    near = b.compare("lt", size, edge)
    value = (_tanh_float32 if single else _tanh_float64)(b, near, size, square, held)
    return with_sign(b, value, x, size)


def _tanh_float32(b: Builder, near: Reg, size: Reg, square: Reg, held: Reg) -> Reg:
    """Series and exponential end alike, in t + v t p(v) with v = x^2, t = |x| or v = t = 2|x| - n ln 2."""
    doubled = b.add(held, held)
    n, word = nearest(b, held, 2 * LOG2_E, FORMAT["float32"].bias - 1)
    if b.fused:  # what ln 2 has beyond a float32 is 2^-29, and e^2|x| counts for less the larger n is
        r = b.fma(n, -0.6931471805599453, doubled)
    else:
        high_ln2, low_ln2 = LN2["float32"]
        r = b.fma(n, -low_ln2, b.fma(n, -high_ln2, doubled))
    half = biased_power(b, word)  # 2^(n - 1)

    def ended(v: Reg, t: Reg, coefficients: Sequence[float | Reg]) -> Reg:
        return b.fma(b.mul(v, t), horner(b, v, coefficients), t)

    if in_parts(b, "float32"):
        coefficients = chosen(b, near, TANH_FLOAT32, EXP["float32"], "float32")
        series = grown = ended(b.select(near, square, r), b.select(near, size, r), coefficients)
    else:
        series, grown = ended(square, size, TANH_FLOAT32), ended(r, r, EXP["float32"])
    below = b.fma(half, grown, b.add(half, 0.5))  # rounded once: the inner sum is exact
    return b.select(near, series, b.sub(1.0, b.div(b.const(1.0, "float32"), below)))


def _tanh_float64(b: Builder, near: Reg, size: Reg, square: Reg, held: Reg) -> Reg:
    """One division for both."""
    # the reduction of 2|x| by ln 2, halved: r = |x| - n ln(2)/2, and the series is for (e^2r - 1)/2
    high_ln2, low_ln2 = LN2["float64"]
    n, word = nearest(b, held, 2 * LOG2_E, FORMAT["float64"].bias)
    r = b.fma(n, -0.5 * low_ln2, b.fma(n, -0.5 * high_ln2, held))
    doubled = [c * 2.0 ** (k + 1) for k, c in enumerate(EXP["float64"])]
    u = b.fma(b.mul(r, r), polynomial(b, r, doubled), r)
    power = biased_power(b, word)
    below = b.fma(power, u, b.fma(power, 0.5, 0.5))  # rounded once: the inner sum is exact
    top, bottom = (steady_polynomial(b, square, c) for c in TANH_FLOAT64)
    top = b.select(near, b.mul(b.mul(square, size), top), -1.0)
    return b.add(b.select(near, size, 1.0), b.div(top, b.select(near, bottom, below)))


def logistic_tail(b: Builder, x: Reg) -> Reg:
    """1/(1 + e^|x|) = m/((1 + u) + m) with e^|x| = (1 + u)/m, m = 2^-n; gradual underflow.

    What the two sums lose is taken off the reciprocal.
    """
    form = FORMAT[x.dtype]
    high_ln2, low_ln2 = LN2[x.dtype]
    limit = 104.0 if x.dtype == "float32" else 746.0
    size = b.fabs(x)
    size = b.select(b.compare("gt", size, limit), limit, size)
    n, word = nearest(b, size, -LOG2_E, 2 * form.bias)
    u = growth(b, b.fma(n, low_ln2, b.fma(n, high_ln2, size)))
    power = scale(b, b.const(1.0, x.dtype), n, word)
    first, first_low = fast_two_sum(b, b.const(1.0, x.dtype), u)
    below, below_low = fast_two_sum(b, first, power)
    inverse = b.div(b.const(1.0, x.dtype), below)
    inverse = b.fma(b.mul(inverse, inverse), b.fneg(b.add(first_low, below_low)), inverse)
    return scale(b, inverse, n, word)


# (sinh(x) - x)/x^3 in z = x^2 on [0, 1], error relative to sinh: 1.7e-10 (float32), 8e-18 (float64)
SINH = {
    "float32": (
        0.16666666646842135,
        0.00833333967591706,
        0.00019838101968683888,
        2.8062802582276946e-06,
    ),
    "float64": (
        0.16666666666666666,
        0.008333333333333299,
        0.00019841269841324198,
        2.7557319191381816e-06,
        2.5052117695907823e-08,
        1.6057679623801638e-10,
        7.746178593018827e-13,
    ),
}


def _half_exp(b: Builder, size: Reg) -> Reg:
    """e^|x| / 2 without early overflow."""
    limit = 91.0 if size.dtype == "float32" else 712.0
    offset = 2 * FORMAT[size.dtype].bias - 1
    (n, word), r, c = reduce(b, b.select(b.compare("gt", size, limit), limit, size), offset)
    return scale(b, b.add(b.add(tail(b, r, c), r), 1.0), b.sub(n, 1.0), word)


def _sinh(b: Builder, x: Reg) -> Reg:
    """sinh x: a series below 1, else h - 1/(4h) with h = e^|x|/2."""
    size = b.fabs(x)
    square = b.mul(x, x)
    small = b.fma(b.mul(square, x), polynomial(b, square, SINH[x.dtype]), x)
    half = _half_exp(b, size)
    large = b.copysign(b.sub(half, b.div(b.const(0.25, x.dtype), half)), x)
    return b.select(b.compare("lt", size, 1.0), small, large)


def _cosh(b: Builder, x: Reg) -> Reg:
    """cosh x = h + 1/(4h) with h = e^|x|/2."""
    half = _half_exp(b, b.fabs(x))
    return b.add(half, b.div(b.const(0.25, x.dtype), half))


sinh = outlined("sinh", _sinh)
cosh = outlined("cosh", _cosh)
