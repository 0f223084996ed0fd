"""log and its relatives: x = 2^k (1 + f) with 1 + f between sqrt(1/2) and sqrt(2), and one series for log(1 + f)."""

from __future__ import annotations

from symdl.backends.builder import Builder, Reg
from symdl.backends.vmath.exponential import LN2
from symdl.backends.vmath.forms import FORMAT, outlined, polynomial, through_double, two_sum

# float32: (log(1 + f) - f + f^2/2)/f^3, error relative to log: 7e-9
LOG_FLOAT32 = (
    0.3333333134651184,
    -0.2500085234642029,
    0.2000129669904709,
    -0.16622205078601837,
    0.14199137687683105,
    -0.1316981166601181,
    0.1278635859489441,
    -0.07638764381408691,
)
# float64: (2 artanh(s) - 2s)/s^3 in z = s^2 with s = f/(2 + f), |s| <= 0.1716, relative error 1.4e-18
LOG_FLOAT64 = (
    0.666666666666674,
    0.39999999999376606,
    0.28571428751631495,
    0.22222197551392978,
    0.18183620965057604,
    0.1531251671888411,
    0.14812096232800573,
)
# the bit pattern of sqrt(1/2), where the fraction is cut into binades
SQRT_HALF = {"float32": 0x3F3504F3, "float64": 0x3FE6A09E667F3BCD}
SMALLEST_NORMAL = {"float32": 2.0**-126, "float64": 2.0**-1022}


def binade(b: Builder, x: Reg) -> tuple[Reg, Reg]:
    """(k, m), both floats: x = 2^k m, m in [sqrt(1/2), sqrt(2)), for a normal x > 0."""
    form = FORMAT[x.dtype]
    pattern = b.bits(x)
    k = b.ashr(b.sub(pattern, SQRT_HALF[x.dtype]), form.fraction)
    m = b.unbits(b.sub(pattern, b.shl(k, form.fraction)))
    if x.dtype == "float32":
        return b.convert("sitofp", k, "float32"), m
    # AVX2 has no conversion from int64: put k into the low bits of a float instead
    return b.sub(b.unbits(b.add(k, form.magic_bits)), form.magic), m


def normalized(b: Builder, x: Reg) -> tuple[Reg, Reg]:
    """The same for a subnormal x too."""
    shift = FORMAT[x.dtype].fraction
    subnormal = b.compare("lt", x, SMALLEST_NORMAL[x.dtype])
    k, m = binade(b, b.select(subnormal, b.mul(x, 2.0**shift), x))
    return b.sub(k, b.select(subnormal, b.const(shift, x.dtype), 0.0)), m


def assemble(b: Builder, k: Reg, f: Reg, c: Reg | None = None) -> Reg:
    """k ln 2 + log(1 + f) + c for a small correction c."""
    high_ln2, low_ln2 = LN2[f.dtype]
    square = b.mul(f, f)
    low = b.mul(k, low_ln2) if c is None else b.fma(k, low_ln2, c)
    if f.dtype == "float32":
        q = b.fma(b.mul(square, f), polynomial(b, f, LOG_FLOAT32), low)
        return b.fma(k, high_ln2, b.add(f, b.fma(square, -0.5, q)))
    s = b.div(f, b.add(f, 2.0))
    z = b.mul(s, s)
    half = b.mul(square, 0.5)
    rest = b.fma(s, b.add(half, b.mul(z, polynomial(b, z, LOG_FLOAT64))), low)
    return b.fma(k, high_ln2, b.sub(f, b.sub(half, rest)))


def ends(b: Builder, x: Reg, result: Reg) -> Reg:
    """The values of a logarithm outside the positive numbers: -inf at 0, NaN below and at NaN, inf at inf."""
    infinity = float("inf")
    result = b.select(b.compare("eq", x, infinity), infinity, result)
    result = b.select(b.compare("eq", x, 0.0), -infinity, result)
    return b.select(b.compare("ult", x, 0.0), float("nan"), result)


def log(b: Builder, x: Reg) -> Reg:
    """log x, also of subnormal numbers."""
    k, m = normalized(b, x)
    return ends(b, x, assemble(b, k, b.sub(m, 1.0)))


def log1p(b: Builder, x: Reg, low: Reg | None = None) -> Reg:
    """log(1 + x + low) = log u + (1 + x - u + low)/u with u = 1 + x rounded."""
    u = b.add(x, 1.0)
    k, m = binade(b, u)
    lost = b.select(b.compare("ge", x, 1.0), b.sub(1.0, b.sub(u, x)), b.sub(x, b.sub(u, 1.0)))
    lost = lost if low is None else b.add(lost, low)
    result = ends(b, u, assemble(b, k, b.sub(m, 1.0), b.div(lost, u)))
    return b.select(b.compare("eq", x, 0.0), x, result)


# 1/ln 2 and log10 2 and 1/ln 10 as high + low, the high parts short enough for exact products with a float of 21 bits
LOG2_OF_E = (1.44269504072144627571e00, 1.67517131648865118353e-10)
LOG10_OF_E = (4.34294481878168880939e-01, 2.50829467116452752298e-11)
LOG10_OF_2 = (3.01029995663611771306e-01, 3.69423907715893078616e-13)


def _parts(b: Builder, x: Reg) -> tuple[Reg, Reg, Reg]:
    """(k, high, low): log x = k ln 2 + high + low, high of at most 21 bits."""
    k, m = normalized(b, x)
    f = b.sub(m, 1.0)
    s = b.div(f, b.add(f, 2.0))
    z = b.mul(s, s)
    half = b.mul(b.mul(f, f), 0.5)
    high = b.unbits(b.and_(b.bits(b.sub(f, half)), -(1 << 32)))
    rest = b.fma(s, b.add(half, b.mul(z, polynomial(b, z, LOG_FLOAT64))), b.sub(b.sub(f, high), half))
    return k, high, rest


def _log2(b: Builder, x: Reg) -> Reg:
    """log2 x for float64."""
    k, high, low = _parts(b, x)
    product = b.mul(high, LOG2_OF_E[0])
    rest = b.fma(high, LOG2_OF_E[1], b.add(b.mul(low, LOG2_OF_E[0]), b.mul(low, LOG2_OF_E[1])))
    whole = b.add(k, product)
    rest = b.add(rest, b.add(b.sub(k, whole), product))
    return ends(b, x, b.add(whole, rest))


def _log10(b: Builder, x: Reg) -> Reg:
    """log10 x for float64."""
    k, high, low = _parts(b, x)
    product = b.mul(high, LOG10_OF_E[0])
    digits = b.mul(k, LOG10_OF_2[0])
    rest = b.fma(high, LOG10_OF_E[1], b.add(b.mul(low, LOG10_OF_E[0]), b.mul(low, LOG10_OF_E[1])))
    rest = b.fma(k, LOG10_OF_2[1], rest)
    whole = b.add(digits, product)
    rest = b.add(rest, b.add(b.sub(digits, whole), product))
    return ends(b, x, b.add(whole, rest))


# log2((1 + s)/(1 - s))/s in s^2, s as above, minimax, relative error 4.3e-12
SHORT_LOG2 = (2.8853900817901716, 0.9617966732422978, 0.5770836030069996, 0.411671676600064, 0.34074885825124823)


def short_log2(b: Builder, x: Reg) -> Reg:
    """log2 x in float64 to 37 bits, for a positive x that was a float32."""
    k, m = binade(b, x)
    f = b.sub(m, 1.0)
    s = b.div(f, b.add(f, 2.0))
    return b.fma(s, polynomial(b, b.mul(s, s), SHORT_LOG2), k)


def log2(b: Builder, x: Reg) -> Reg:
    """log2 x, exact at powers of two."""
    if x.dtype == "float64":
        return _log2(b, x)
    return ends(b, x, b.convert("fptrunc", short_log2(b, b.convert("fpext", x, "float64")), "float32"))


def log10(b: Builder, x: Reg) -> Reg:
    """log10 x."""
    if x.dtype == "float64":
        return _log10(b, x)
    value = b.mul(short_log2(b, b.convert("fpext", x, "float64")), 0.30102999566398120)
    return ends(b, x, b.convert("fptrunc", value, "float32"))


# inverse hyperbolic functions


def _arcsinh(b: Builder, x: Reg) -> Reg:
    """arcsinh|x| = log1p(x + x^2/(1 + sqrt(1 + x^2))), for large x log1p(x) + ln 2."""
    size = b.fabs(x)
    huge = b.compare("gt", size, 2.0**60)
    near = b.select(huge, 1.0, size)
    square = b.mul(near, near)
    argument = b.add(near, b.div(square, b.add(b.sqrt(b.add(square, 1.0)), 1.0)))
    result = log1p(b, b.select(huge, size, argument))
    result = b.add(result, b.select(huge, b.const(0.6931471805599453, x.dtype), 0.0))
    return b.copysign(result, x)


def _arccosh(b: Builder, x: Reg) -> Reg:
    """arccosh x = log1p(t + sqrt(2t + t^2)) with t = x - 1, for large x log1p(x) + ln 2."""
    huge = b.compare("gt", x, 2.0**60)
    t = b.sub(b.select(huge, 1.0, x), 1.0)
    argument, low = two_sum(b, t, b.sqrt(b.mul(t, b.add(t, 2.0))))
    result = log1p(b, b.select(huge, x, argument), b.select(huge, b.const(0.0, x.dtype), low))
    result = b.add(result, b.select(huge, b.const(0.6931471805599453, x.dtype), 0.0))
    return b.select(b.compare("lt", x, 1.0), float("nan"), result)


def _arctanh(b: Builder, x: Reg) -> Reg:
    """arctanh|x| = log1p(2x/(1 - x)) / 2."""
    size = b.fabs(x)
    argument = b.div(b.add(size, size), b.sub(1.0, size))
    return b.copysign(b.mul(log1p(b, argument), 0.5), x)


arcsinh = through_double(outlined("arcsinh", _arcsinh))
arccosh = through_double(outlined("arccosh", _arccosh))
arctanh = through_double(outlined("arctanh", _arctanh))
