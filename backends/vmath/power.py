"""pow: e^(y log x) with log x to twice the precision, and every special case of C99; integers by repeated squaring."""

from __future__ import annotations

from symdl.backends.builder import FLOATS, UNSIGNED, Builder, Reg
from symdl.backends.vmath.arithmetic import floor
from symdl.backends.vmath.exponential import exp_pair
from symdl.backends.vmath.forms import (
    FORMAT,
    Pair,
    any_lane,
    biased_power,
    clamp,
    divide_pairs,
    fast_two_sum,
    merge,
    nearest,
    outlined,
    polynomial,
    two_product,
)
from symdl.backends.vmath.logarithm import normalized, short_log2

# ln 2 = high + low; the first has 42 bits, so that its product with an exponent is exact
LN2_PARTS = (0.6931471805598903, 5.497923018708371e-14)
# 2 artanh(s) = 2s + s^3 (2/3 + s^2 P(s^2)): P on [0, 0.0295], minimax, error relative to the logarithm: 7.3e-23
TWO_THIRDS = (0.6666666666666666, 3.700743415417188e-17)
TAIL = (
    0.3999999999999998,
    0.28571428571445157,
    0.22222222217525156,
    0.1818181887170663,
    0.1538455677575175,
    0.13336321093544262,
    0.11674743721557537,
    0.11989637560077683,
)
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


def log_pair(b: Builder, x: Reg) -> Pair:
    """log x for a finite x > 0 as a pair, relative error about 2^-66. Float64."""
    k, m = normalized(b, x)
    f = b.sub(m, 1.0)  # exact
    g, g_low = fast_two_sum(b, b.const(2.0, "float64"), f)
    s, s_low = divide_pairs(b, (f, b.const(0.0, "float64")), (g, g_low))
    z, z_low = two_product(b, s, s)
    z_low = b.fma(b.add(s, s), s_low, z_low)
    q, q_low = fast_two_sum(b, b.const(TWO_THIRDS[0], "float64"), b.mul(z, polynomial(b, z, TAIL)))
    cube, cube_low = two_product(b, s, z)
    cube_low = b.add(cube_low, b.fma(s, z_low, b.mul(s_low, z)))
    high, low = two_product(b, cube, q)
    low = b.add(low, b.fma(cube, b.add(q_low, TWO_THIRDS[1]), b.mul(cube_low, q)))
    # k ln 2 + 2s + (high, low): the first product is exact and, for k != 0, the largest
    total, rest = fast_two_sum(b, b.mul(k, LN2_PARTS[0]), b.add(s, s))
    total, more = fast_two_sum(b, total, high)
    rest = b.add(b.add(rest, more), b.add(low, b.fma(s_low, 2.0, b.mul(k, LN2_PARTS[1]))))
    return fast_two_sum(b, total, rest)


def _accurate(b: Builder, x: Reg, y: Reg) -> Reg:
    """x^y for float64, x >= 0 or infinite, with log x as a pair."""
    zero, endless = b.compare("eq", x, 0.0), b.compare("eq", x, float("inf"))
    high, low = log_pair(b, x)
    high = b.select(zero, float("-inf"), b.select(endless, b.const(float("inf"), "float64"), high))
    product, error = two_product(b, high, y)
    return exp_pair(b, product, b.fma(low, y, error))


def _plain(b: Builder, x: Reg, y: Reg) -> Reg:
    """The same for float32 in float64: 29 spare bits make up for |y log2 x| <= 150."""
    x, y = b.convert("fpext", x, "float64"), b.convert("fpext", y, "float64")
    zero, endless = b.compare("eq", x, 0.0), b.compare("eq", x, float("inf"))
    logarithm = short_log2(b, x)
    logarithm = b.select(zero, float("-inf"), b.select(endless, b.const(float("inf"), "float64"), logarithm))
    exponent = clamp(b, b.mul(logarithm, y), -160.0, 130.0)
    n, word = nearest(b, exponent, offset=FORMAT["float64"].bias)
    value = b.mul(polynomial(b, b.sub(exponent, n), EXP2), biased_power(b, word))
    return b.convert("fptrunc", value, "float32")


def _pow(b: Builder, x: Reg, y: Reg) -> Reg:
    """|x|^y, whose zeros and infinities are those of e^(y log|x|), then what C99 says of signs, NaN and the number 1."""
    size = b.fabs(x)
    result = (_accurate if x.dtype == "float64" else _plain)(b, size, y)
    # 1^inf, and x^0 for x of 0 or infinity, where the product with the logarithm is 0 times infinity
    result = b.select(b.compare("eq", size, 1.0), b.const(1.0, x.dtype), result)
    half = b.mul(y, 0.5)
    whole, even = b.compare("eq", floor(b, y), y), b.compare("eq", floor(b, half), half)
    odd = b.and_(whole, b.not_(even))
    result = b.select(odd, b.copysign(result, x), result)
    undefined = b.and_(b.and_(b.compare("lt", x, 0.0), b.compare("gt", x, float("-inf"))), b.not_(whole))
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
