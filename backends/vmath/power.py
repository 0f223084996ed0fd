"""pow: e^(y log x) with log x to twice the precision, and every special case of C99; integers by repeated squaring."""

from __future__ import annotations

from symdl.backends.builder import FLOATS, UNSIGNED, Builder, Reg
from symdl.backends.vmath.arithmetic import floor
from symdl.backends.vmath.exponential import exp_pair
from symdl.backends.vmath.forms import (
    FORMAT,
    any_lane,
    biased_power,
    clamp,
    merge,
    nearest,
    outlined,
    polynomial,
    two_product,
)
from symdl.backends.vmath.logarithm import SMALLEST_NORMAL, short_log2
from symdl.backends.vmath.logarithm_pairs import as_normal, log_pair

# 2^f on |f| <= 1/2, minimax, relative error 4.1e-11
EXP2 = (
    0.9999999999613848,
    0.6931471807297773,
    0.24022651201163445,
    0.05550410350397516,
    0.009618026845204434,
    0.0013333923992885316,
    0.000154694231887703,
    1.5201828221459245e-05,
)


def _accurate(b: Builder, x: Reg, y: Reg, shift: Reg) -> Reg:
    """(2^shift x)^y for float64, x > 0 a normal number, with log x as a pair."""
    high, low = log_pair(b, x, shift)
    product, error = two_product(b, high, y)
    return exp_pair(b, product, b.fma(low, y, error))


def _plain(b: Builder, x: Reg, y: Reg) -> Reg:
    """x^y for float32 x > 0, in float64: 29 spare bits make up for |y log2 x| <= 150."""
    x, y = b.convert("fpext", x, "float64"), b.convert("fpext", y, "float64")
    exponent = clamp(b, b.mul(short_log2(b, x), y), -160.0, 130.0)
    n, word = nearest(b, exponent, offset=FORMAT["float64"].bias)
    value = b.mul(polynomial(b, b.sub(exponent, n), EXP2), biased_power(b, word))
    return b.convert("fptrunc", value, "float32")


def _pow(b: Builder, x: Reg, y: Reg) -> Reg:
    """x^y of ordinary numbers x > 0; others are brought among these first, and afterwards C99 is asked."""
    least = SMALLEST_NORMAL["float64"] if x.dtype == "float64" else 2.0**-149
    ordinary = b.and_(b.compare("ge", x, least), b.compare("lt", x, float("inf")))
    ordinary = b.and_(ordinary, b.compare("lt", b.fabs(y), float("inf")))
    others = any_lane(b, b.not_(ordinary))
    b.line(f"br i1 {others.text}, label %other, label %main")
    b.label("other")
    size = b.fabs(x)
    base = b.select(b.and_(b.compare("gt", size, 0.0), b.compare("lt", size, float("inf"))), size, 1.0)
    shift = nothing = b.const(0.0, x.dtype)
    if x.dtype == "float64":
        base, shift = as_normal(b, base)
    b.line("br label %main")
    b.label("main")
    base = merge(b, x.dtype, (x, "entry"), (base, "other"))
    if x.dtype == "float64":
        result = _accurate(b, base, y, merge(b, x.dtype, (nothing, "entry"), (shift, "other")))
    else:
        result = _plain(b, base, y)
    b.line(f"br i1 {others.text}, label %special, label %done")
    b.label("special")
    special = _special(b, x, y, result)
    b.line("br label %done")
    b.label("done")
    return merge(b, x.dtype, (result, "main"), (special, "special"))


def _special(b: Builder, x: Reg, y: Reg, power: Reg) -> Reg:
    """x^y, whose size is this power if |x| is neither 0 nor infinite: what C99 says of these, signs, NaN and the number 1."""
    size, infinity = b.fabs(x), float("inf")
    grows, none = b.compare("gt", y, 0.0), b.const(0.0, x.dtype)
    result = b.select(b.compare("eq", size, 0.0), b.select(grows, none, infinity), power)
    result = b.select(b.compare("eq", size, infinity), b.select(grows, infinity, none), result)
    result = b.select(b.compare("eq", size, 1.0), 1.0, result)  # 1^inf
    half = b.mul(y, 0.5)
    whole, even = b.compare("eq", floor(b, y), y), b.compare("eq", floor(b, half), half)
    odd = b.and_(whole, b.not_(even))
    result = b.select(odd, b.copysign(result, x), result)
    undefined = b.and_(b.and_(b.compare("lt", x, 0.0), b.compare("gt", x, -infinity)), b.not_(whole))
    undefined = b.or_(undefined, b.compare("uno", x, y))
    result = b.select(undefined, float("nan"), result)
    return b.select(b.or_(b.compare("eq", y, 0.0), b.compare("eq", x, 1.0)), 1.0, result)


def _integer_pow(b: Builder, x: Reg, y: Reg) -> Reg:
    """x^y modulo 2^bits, one bit of y per turn; for y < 0 the truncated reciprocal."""
    kind = x.dtype
    result, power, left = (b.fresh(name) for name in ("result", "power", "left"))
    start = b.const(1, kind)
    b.line("br label %turn")
    b.label("turn")
    r = merge(b, kind, (start, "entry"), (Reg(f"%{result}", kind), "turn"))
    p = merge(b, kind, (x, "entry"), (Reg(f"%{power}", kind), "turn"))
    e = merge(b, kind, (y, "entry"), (Reg(f"%{left}", kind), "turn"))
    odd = b.compare("ne", b.and_(e, 1), 0)
    factor = b.select(odd, p, start)
    b.line(f"%{result} = mul {b.type(kind)} {r.text}, {factor.text}")
    b.line(f"%{power} = mul {b.type(kind)} {p.text}, {p.text}")
    b.line(f"%{left} = lshr {b.type(kind)} {e.text}, {b.const(1, kind).text}")
    more = any_lane(b, b.compare("ne", Reg(f"%{left}", kind), 0))
    b.line(f"br i1 {more.text}, label %turn, label %done")
    b.label("done")
    value = Reg(f"%{result}", kind)
    if kind in UNSIGNED:
        return value
    unit = b.or_(b.compare("eq", x, 1), b.compare("eq", x, -1))
    inverse = b.select(unit, b.select(b.compare("ne", b.and_(y, 1), 0), x, 1), 0)
    return b.select(b.compare("lt", y, 0), inverse, value)


_float_pow = outlined("pow", _pow)
_whole_pow = outlined("pow", _integer_pow)


def power(b: Builder, x: Reg, y: Reg) -> Reg:
    """x^y. Floats: special cases as C99. Integers wrap around; a negative exponent gives 0 except for 1 and -1."""
    return _float_pow(b, x, y) if x.dtype in FLOATS else _whole_pow(b, x, y)
