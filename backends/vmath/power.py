"""pow: e^(y log x) with log x to twice the precision, and every special case of C99; integers by repeated squaring."""

from __future__ import annotations

from symdl.backends.builder import FLOATS, UNSIGNED, Builder, Reg
from symdl.backends.vmath.arithmetic import floor
from symdl.backends.vmath.exponential import exp, exp_pair
from symdl.backends.vmath.forms import (
    Emit,
    Pair,
    any_lane,
    fast_two_sum,
    merge,
    multiply_pairs,
    outlined,
    polynomial,
    two_product,
)
from symdl.backends.vmath.logarithm import assemble, normalized

# ln 2 = sum of three; the first has 42 bits, so that its product with an exponent is exact
LN2_PARTS = (0.6931471805598903, 5.497923018708371e-14, 1.94704509238075e-31)
# 2 artanh(s) = 2s + s^3 (2/3 + s^2 P(s^2)): P on [0, 0.0296], error relative to the logarithm: 6e-24
TWO_THIRDS = (0.6666666666666666, 3.700743415417188e-17)
TAIL = (
    0.4,
    0.28571428571428564,
    0.2222222222222847,
    0.1818181817964499,
    0.1538461576290815,
    0.13333296397963834,
    0.11766819021629554,
    0.10456195110401492,
    0.1076362151501126,
)


def log_pair(b: Builder, x: Reg) -> Pair:
    """log x for a finite x > 0 as a pair, relative error about 2^-66. Float64."""
    k, m = normalized(b, x)
    f = b.sub(m, 1.0)  # exact
    g, g_low = fast_two_sum(b, b.const(2.0, "float64"), f)
    s = b.div(f, g)
    product, error = two_product(b, s, g)
    s_low = b.div(b.sub(b.sub(b.sub(f, product), error), b.mul(s, g_low)), g)
    s_pair = fast_two_sum(b, s, s_low)
    z = multiply_pairs(b, s_pair, s_pair)
    high, low = fast_two_sum(b, b.const(TWO_THIRDS[0], "float64"), b.mul(z[0], polynomial(b, z[0], TAIL)))
    cube = multiply_pairs(b, multiply_pairs(b, s_pair, z), fast_two_sum(b, high, b.add(low, TWO_THIRDS[1])))
    high, low = fast_two_sum(b, b.mul(s_pair[0], 2.0), cube[0])
    low = b.add(low, b.fma(s_pair[1], 2.0, cube[1]))
    # k ln 2 + (high, low): the first product is exact and, for k != 0, the largest
    start = b.mul(k, LN2_PARTS[0])
    total, rest = fast_two_sum(b, start, high)
    middle, middle_error = two_product(b, k, b.const(LN2_PARTS[1], "float64"))
    rest = b.add(rest, b.add(middle, b.add(low, b.fma(k, LN2_PARTS[2], middle_error))))
    return fast_two_sum(b, total, rest)


def _accurate(b: Builder, x: Reg, y: Reg) -> Reg:
    """x^y for float64 operands, x finite and positive, with log x as a pair."""
    high, low = log_pair(b, x)
    product, error = two_product(b, high, y)
    return exp_pair(b, *fast_two_sum(b, product, b.fma(low, y, error)))


def _plain(b: Builder, x: Reg, y: Reg) -> Reg:
    """The same for float32 operands held in float64: 29 spare bits make up for |y log x| <= 104."""
    k, m = normalized(b, x)
    return exp(b, b.mul(assemble(b, k, b.sub(m, 1.0)), y))


def _pow(b: Builder, x: Reg, y: Reg) -> Reg:
    positive = _accurate if x.dtype == "float64" else _plain
    result = _with_special_cases(b, b.convert("fpext", x, "float64"), b.convert("fpext", y, "float64"), positive)
    return b.convert("fptrunc", result, x.dtype)


def _with_special_cases(b: Builder, x: Reg, y: Reg, positive: Emit) -> Reg:
    one, zero, infinity = (b.const(v, "float64") for v in (1.0, 0.0, float("inf")))
    size = b.fabs(x)
    ordinary = b.and_(b.compare("gt", size, 0.0), b.compare("lt", size, float("inf")))
    reach = b.select(b.compare("lt", b.fabs(y), 2.0**900), y, b.copysign(b.const(2.0**900, "float64"), y))
    result = positive(b, b.select(ordinary, size, one), reach)
    # infinite y, or x of 0 or infinity: 0 or infinity by the side of 1 on which |x| lies
    grows = b.xor(b.compare("gt", size, 1.0), b.compare("lt", y, 0.0))
    extreme = b.select(grows, infinity, zero)
    endless = b.compare("eq", b.fabs(y), float("inf"))
    extreme = b.select(b.and_(endless, b.compare("eq", size, 1.0)), one, extreme)
    result = b.select(b.and_(ordinary, b.not_(endless)), result, extreme)
    whole = b.compare("eq", floor(b, y), y)
    half = b.mul(y, 0.5)
    odd = b.and_(b.and_(whole, b.compare("ne", floor(b, half), half)), b.not_(endless))
    negative = b.compare("lt", b.bits(x), 0)
    result = b.select(b.and_(odd, negative), b.fneg(result), result)
    below = b.and_(b.compare("lt", x, 0.0), b.compare("gt", x, -float("inf")))
    result = b.select(b.and_(below, b.not_(whole)), float("nan"), result)
    result = b.select(b.compare("uno", x, y), float("nan"), result)
    return b.select(b.or_(b.compare("eq", y, 0.0), b.compare("eq", x, 1.0)), one, result)


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
    """x^y. Floats: 1 ulp, special cases as C99. Integers wrap around; a negative exponent gives 0 except for 1 and -1."""
    return _float_pow(b, x, y) if x.dtype in FLOATS else _whole_pow(b, x, y)
