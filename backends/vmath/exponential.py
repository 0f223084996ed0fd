"""exp and its relatives, all from one reduction: x = n ln 2 + r with |r| <= ln(2)/2, and one polynomial for e^r."""

from __future__ import annotations

from symdl.backends.builder import Builder, Reg
from symdl.backends.vmath.forms import FORMAT, Pair, clamp, nearest, outlined, polynomial, power_of_two, scale

# (e^r - 1 - r)/r^2 on |r| <= 0.348, near minimax, error relative to e^r: 3.5e-9 (float32), 4e-19 (float64)
EXP = {
    "float32": (
        0.4999999403953552,
        0.16666509211063385,
        0.041668009012937546,
        0.008369989693164825,
        0.001384702860377729,
    ),
    "float64": (
        0.5,
        0.1666666666666667,
        0.04166666666666667,
        0.008333333333325848,
        0.0013888888888883544,
        0.00019841269875819578,
        2.4801587326261104e-05,
        2.755725413931689e-06,
        2.7557272742699346e-07,
        2.5105739219586713e-08,
        2.0915059884917686e-09,
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


def reduce(b: Builder, x: Reg, low: Reg | None = None) -> tuple[Reg, Reg, Reg]:
    """(n, r, c) with x + low = n ln 2 + r + c, |r| <= 0.35, c the rounding error of r; n as an integer."""
    high_ln2, low_ln2 = LN2[x.dtype]
    shifted = b.fma(x, LOG2_E, FORMAT[x.dtype].magic)
    n = b.sub(shifted, FORMAT[x.dtype].magic)
    i = b.sub(b.bits(shifted), FORMAT[x.dtype].magic_bits)
    high = b.fma(n, -high_ln2, x)  # exact
    rest = b.mul(n, low_ln2)
    if low is not None:
        rest = b.sub(rest, low)
    r = b.sub(high, rest)
    return i, r, b.sub(b.sub(high, r), rest)


def _reduce(b: Builder, x: Reg) -> Pair:
    """(n, r) without the correction: what plain exp needs."""
    high_ln2, low_ln2 = LN2[x.dtype]
    shifted = b.fma(x, LOG2_E, FORMAT[x.dtype].magic)
    n = b.sub(shifted, FORMAT[x.dtype].magic)
    i = b.sub(b.bits(shifted), FORMAT[x.dtype].magic_bits)
    return i, b.fma(n, -low_ln2, b.fma(n, -high_ln2, x))


def tail(b: Builder, r: Reg, c: Reg | None = None) -> Reg:
    """e^(r + c) - 1 - r for a reduced r and its correction c."""
    square = b.mul(r, r)
    p = polynomial(b, r, EXP[r.dtype])
    if c is None:
        return b.mul(square, p)
    return b.fma(square, p, b.fma(r, c, c))


def exp(b: Builder, x: Reg) -> Reg:
    """e^x; 1 ulp, gradual underflow."""
    i, r = _reduce(b, clamp(b, x, *EXP_RANGE[x.dtype]))
    return scale(b, b.add(b.add(tail(b, r), r), 1.0), i)


def exp_pair(b: Builder, high: Reg, low: Reg, factor: Reg | None = None) -> Reg:
    """e^(high + low), times a factor in [1/100, 2] before the last rounding. Any high; |low| < ulp(high)."""
    smallest, largest = EXP_RANGE[high.dtype]
    low = b.select(b.compare("lt", b.fabs(high), -smallest), low, 0.0)  # an infinite high has no low
    i, r, c = reduce(b, clamp(b, high, smallest, largest + 1.0), low)
    value = b.add(b.add(tail(b, r, c), r), 1.0)
    if factor is not None:
        value = b.mul(value, factor)
    return scale(b, value, i)


def exp_negative(b: Builder, x: Reg) -> Reg:
    """e^x for x <= 0 with one scaling: results below the normal range are held at its edge."""
    low = -87.3 if x.dtype == "float32" else -708.3
    i, r = _reduce(b, b.select(b.compare("lt", x, low), low, x))
    return b.mul(b.add(b.add(tail(b, r), r), 1.0), power_of_two(b, i))


def exp2(b: Builder, x: Reg) -> Reg:
    """2^x; x - n is exact, so only its product with ln 2 is rounded. 1 ulp."""
    x = clamp(b, x, *((-151.0, 129.0) if x.dtype == "float32" else (-1076.0, 1025.0)))
    n, i = nearest(b, x)
    r = b.mul(b.sub(x, n), 0.6931471805599453)
    return scale(b, b.add(b.add(tail(b, r), r), 1.0), i)


def expm1(b: Builder, x: Reg) -> Reg:
    """e^x - 1 without cancellation: 2^n (r + tail) + (2^n - 1), the last exact where it matters. 1.5 ulp."""
    low, high = (-18.0, 89.0) if x.dtype == "float32" else (-38.0, 710.0)
    i, r, c = reduce(b, clamp(b, x, low, high))
    half = power_of_two(b, b.sub(i, 1))  # 2^n itself may overflow
    total = b.fma(tail(b, r, c), half, b.fma(r, half, b.sub(half, 0.5)))
    tiny = b.compare("lt", b.fabs(x), 2.0**-60)  # x itself; its half might not be a float
    return b.select(tiny, x, b.add(total, total))


def tanh(b: Builder, x: Reg) -> Reg:
    """tanh|x| = E/(E + 2) with E = e^(2|x|) - 1; past the clamp it is 1 to the last bit.

    2.4 ulp (float32), 2 ulp (float64).
    """
    size = b.fabs(x)
    limit = 9.2 if x.dtype == "float32" else 19.5
    size = b.select(b.compare("gt", size, limit), limit, size)
    i, r, c = reduce(b, b.add(size, size))
    power = power_of_two(b, i)
    e = b.fma(tail(b, r, c), power, b.fma(r, power, b.sub(power, 1.0)))
    return b.copysign(b.div(e, b.add(e, 2.0)), x)


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
    i, r, c = reduce(b, b.select(b.compare("gt", size, limit), limit, size))
    return scale(b, b.add(b.add(tail(b, r, c), r), 1.0), b.sub(i, 1))


def _sinh(b: Builder, x: Reg) -> Reg:
    """sinh x: a series below 1, else h - 1/(4h) with h = e^|x|/2. 1.6 ulp."""
    size = b.fabs(x)
    square = b.mul(x, x)
    small = b.fma(b.mul(square, x), polynomial(b, square, SINH[x.dtype]), x)
    half = _half_exp(b, size)
    large = b.copysign(b.sub(half, b.div(b.const(0.25, x.dtype), half)), x)
    return b.select(b.compare("lt", size, 1.0), small, large)


def _cosh(b: Builder, x: Reg) -> Reg:
    """cosh x = h + 1/(4h) with h = e^|x|/2. 1.4 ulp."""
    half = _half_exp(b, b.fabs(x))
    return b.add(half, b.div(b.const(0.25, x.dtype), half))


sinh = outlined("sinh", _sinh)
cosh = outlined("cosh", _cosh)
