"""exp and its relatives: x = (FINE K + j) ln 2/FINE + r, a table of 2^(j/FINE) - 1 and a short series for e^r - 1."""

from __future__ import annotations

from fractions import Fraction
from math import factorial

from symdl.backends.builder import Builder, Reg
from symdl.backends.vmath.arithmetic import round_half_even
from symdl.backends.vmath.exponential import tail
from symdl.backends.vmath.forms import Pair, fast_two_sum, polynomial, two_product, two_sum
from symdl.backends.wide import arithmetic as a
from symdl.backends.wide import numbers, pairs, tables
from symdl.backends.wide.numbers import MAGIC, Number
from symdl.number_forms import INFINITE, LARGEST, ZERO

HALF = tables.REACH
TINY = -120.0  # an exponent below which x^2 is nothing beside x
SERIES = tuple(Fraction(1, factorial(k)) for k in range(2, 11))  # (e^r - 1 - r)/r^2


def small_growth(b: Builder, r: Pair, steps: int) -> Pair:
    """e^r - 1 for |r| <= ln 2/512. So many terms are summed as pairs: 3 for 2^-106 of 1, 4 for 2^-105 of r."""
    first = tuple(map(tables.pair, SERIES[:steps]))
    series = pairs.horner(b, r, first, polynomial(b, r[0], tuple(map(float, SERIES[steps:]))))
    return pairs.plus(b, r, pairs.times(b, pairs.times(b, r, r), series))


def _reduced(b: Builder, n: Reg, x: Pair, unit: tuple[float, ...]) -> Pair:
    """x - n unit, which is small; unit has three limbs."""
    p, q = two_product(b, n, b.const(unit[0], "float64"))
    v, w = two_product(b, n, b.const(unit[1], "float64"))
    r, e = two_sum(b, b.sub(x[0], p), b.fneg(q))
    r, f = two_sum(b, r, b.fneg(v))
    r, g = two_sum(b, r, x[1])
    return fast_two_sum(b, r, b.add(b.add(e, f), b.sub(g, b.fma(n, unit[2], w))))


def bounded(b: Builder, x: Pair, most: float) -> Pair:
    """x within [-most, most]; NaN as some number there."""
    inside = b.compare("lt", b.fabs(x[0]), most)
    end = b.select(b.compare("gt", x[0], 0.0), b.const(most, "float64"), -most)
    return b.select(inside, x[0], end), b.select(inside, x[1], 0.0)


def parts(b: Builder, x: Pair, two: bool = False, steps: int = 3) -> tuple[Reg, Pair]:
    """(K, s) with e^x (two: 2^x) = 2^K (1 + s), s in [-0.3, 0.42] right to 2^-103 of 1, or of itself for 4 steps and K 0.

    |x| <= 2^50: three limbs of ln 2 keep the error of r below 2^-106 up to there.
    """
    if two:
        power = round_half_even(b, x[0])
        rest = fast_two_sum(b, b.sub(x[0], power), x[1])  # exact
        j = round_half_even(b, b.mul(rest[0], float(tables.FINE)))
        rest = fast_two_sum(b, b.sub(rest[0], b.mul(j, 1.0 / tables.FINE)), rest[1])
        r = pairs.times(b, rest, pairs.constant(b, tables.two(tables.ln2())))
    else:
        power = round_half_even(b, b.mul(x[0], 1.0 / tables.limbs(tables.ln2(), 1)[0]))
        rest = _reduced(b, power, x, tables.limbs(tables.ln2(), 3))
        step = tables.short_limbs(tables.ln2() // tables.FINE, 3)
        j = round_half_even(b, b.mul(rest[0], 1.0 / step[0]))
        # the products with the first two limbs are exact, and so is the first difference
        high, low = two_sum(b, b.sub(rest[0], b.mul(j, step[0])), b.fneg(b.mul(j, step[1])))
        low = b.add(low, b.fma(j, -step[2], rest[1]))
        r = fast_two_sum(b, high, low)
    index = b.and_(b.bits(b.add(j, MAGIC + HALF)), 0x1FF)
    high, low = tables.lookup(b, tables.table(b, "powers", tables.powers()), index, 2, 2)
    p = small_growth(b, r, steps)
    return power, pairs.plus(b, pairs.plus(b, (high, low), p), pairs.times(b, (high, low), p))


def ends(b: Builder, x: Reg, value: Number) -> Number:
    """e^x at infinities and NaN."""
    infinity = float("inf")
    high = b.select(b.compare("eq", x, infinity), infinity, value.high)
    high = b.select(b.compare("eq", x, -infinity), 0.0, high)
    high = b.select(b.compare("uno", x, x), x, high)
    exponent = b.select(b.compare("eq", x, infinity), INFINITE, value.exponent)
    exponent = b.select(b.compare("eq", x, -infinity), ZERO, exponent)
    finite = b.compare("lt", b.fabs(x), infinity)
    return Number(high, b.select(finite, value.low, 0.0), exponent, value.slack)


def of_pair(b: Builder, x: Pair, two: bool = False, whole: Reg | None = None) -> Number:
    """e^x (two: 2^x) of a pair; as at +-2^50 beyond. whole: what knows whether x is infinite, if not x itself."""
    power, s = parts(b, bounded(b, x, LARGEST), two)
    total = fast_two_sum(b, b.const(1.0, "float64"), s[0])
    return ends(b, whole or x[0], Number(*fast_two_sum(b, total[0], b.add(total[1], s[1])), power, 1))


def exp(b: Builder, x: Number) -> Number:
    """e^x; as at +-2^50 beyond. 2^-103."""
    return of_pair(b, numbers.ordinary(b, x), whole=x.high)


def exp2(b: Builder, x: Number) -> Number:
    """2^x; as at +-2^50 beyond. 2^-103."""
    return of_pair(b, numbers.ordinary(b, x), True, x.high)


def pair_exp(b: Builder, x: Pair, two: bool = False) -> Pair:
    """e^x in the range of float64: infinite beyond, a low limb as far as there is room for it. 2^-103."""
    power, s = parts(b, bounded(b, x, 1500.0), two)
    total = fast_two_sum(b, b.const(1.0, "float64"), s[0])
    total = fast_two_sum(b, total[0], b.add(total[1], s[1]))
    high, low = (numbers.times_power(b, v, power) for v in total)
    usual = b.compare("lt", b.fabs(high), float("inf"))
    return b.select(b.compare("uno", x[0], x[0]), x[0], high), b.select(usual, low, 0.0)


def pair_exp2(b: Builder, x: Pair) -> Pair:
    """2^x, as pair_exp."""
    return pair_exp(b, x, True)


def thin_exp(b: Builder, x: Number) -> Number:
    """e^x by 53 bits, 1 ulp; as at +-2^50 beyond."""
    argument = numbers.ordinary(b, x)[0]
    held, _ = bounded(b, (argument, x.low), LARGEST)
    unit = tables.two(tables.ln2())
    n = round_half_even(b, b.mul(held, 1.0 / unit[0]))
    p, q = two_product(b, n, b.const(unit[0], "float64"))
    far, near = b.sub(held, p), b.fma(n, unit[1], q)
    r = b.sub(far, near)
    c = b.sub(b.sub(far, r), near)
    m = b.add(b.add(tail(b, r, c), r), 1.0)
    return ends(b, x.high, Number(m, x.low, n, 1))


def expm1(b: Builder, x: Number) -> Number:
    """e^x - 1 = 2^K (s + (1 - 2^-K)), the last exact; x itself where it is tiny. 2^-101."""
    argument = numbers.ordinary(b, x)
    power, s = parts(b, bounded(b, argument, LARGEST), steps=4)
    low_power = b.select(b.compare("gt", power, -200.0), power, -200.0)
    inverse = numbers.power_of_two(b, b.fneg(low_power))  # 0 for a large K
    other = two_sum(b, b.const(1.0, "float64"), b.fneg(inverse))
    total = pairs.plus(b, s, other)
    zero = b.compare("eq", total[0], 0.0)
    exponent = b.select(zero, ZERO, low_power)
    # the exponential itself is the low limb where it is far below 1
    far = b.compare("lt", power, -200.0)
    little = numbers.times_power(b, b.add(s[0], 1.0), power)
    total = b.select(far, -1.0, total[0]), b.select(far, little, total[1])
    exponent = b.select(far, 0.0, exponent)
    grown = _ends_less_one(b, x.high, numbers.normal(b, Number(*total, exponent, 1), True))
    tiny = b.compare("lt", x.exponent, TINY)
    return a.choose(b, tiny, x, grown)


def _ends_less_one(b: Builder, x: Reg, value: Number) -> Number:
    infinity = float("inf")
    high = b.select(b.compare("eq", x, infinity), infinity, value.high)
    high = b.select(b.compare("uno", x, x), x, high)
    exponent = b.select(b.compare("eq", x, infinity), INFINITE, value.exponent)
    low = b.select(b.compare("eq", b.fabs(x), infinity), 0.0, value.low)  # -1 at -infinity: steps ask
    return Number(high, low, exponent, value.slack)


def sinh(b: Builder, x: Number) -> Number:
    """sinh x = (p + p/(1 + p))/2 with p = e^|x| - 1."""
    p = expm1(b, a.absolute(b, x))
    one = a.fixed(b, 1)
    ratio = a.div(b, p, a.add(b, one, p))
    # inf/inf
    ratio = a.choose(b, b.compare("uno", ratio.high, ratio.high), one, ratio)
    return signed_as(b, a.scaled(b, a.add(b, p, ratio), -1), x)


def cosh(b: Builder, x: Number) -> Number:
    """cosh x = (e^|x| + e^-|x|)/2."""
    grown = exp(b, a.absolute(b, x))
    return a.scaled(b, a.add(b, grown, a.div(b, a.fixed(b, 1), grown)), -1)


def tanh(b: Builder, x: Number) -> Number:
    """tanh|x| = -q/(q + 2) with q = e^(-2|x|) - 1."""
    q = expm1(b, a.negative(b, a.scaled(b, a.absolute(b, x), 1)))
    return signed_as(b, a.div(b, q, a.add(b, q, a.fixed(b, 2))), x)


def signed_as(b: Builder, x: Number, sign: Number) -> Number:
    """|x| with the sign of another number."""
    flip = b.and_(b.xor(b.bits(x.high), b.bits(sign.high)), -(1 << 63))
    low = x.low if numbers.is_nothing(x.low) else b.unbits(b.xor(b.bits(x.low), flip))
    return Number(b.unbits(b.xor(b.bits(x.high), flip)), low, x.exponent, x.slack)


def logistic_tail(b: Builder, x: Number) -> Number:
    """1/(1 + e^|x|) = q/(1 + q) with q = e^-|x|."""
    q = exp(b, a.negative(b, a.absolute(b, x)))
    return a.div(b, q, a.add(b, a.fixed(b, 1), q))
