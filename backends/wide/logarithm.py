"""log and its relatives: a table of reciprocals brings the fraction within 2^-8 of 1, where a short series ends."""

from __future__ import annotations

from fractions import Fraction

from symdl.backends.builder import Builder, Reg
from symdl.backends.vmath.arithmetic import round_half_even
from symdl.backends.vmath.forms import Pair, fast_two_sum, polynomial, two_product, two_sum
from symdl.backends.vmath.logarithm import assemble, binade
from symdl.backends.vmath.logarithm import ends as plain_ends
from symdl.backends.wide import arithmetic as a
from symdl.backends.wide import numbers, pairs, tables
from symdl.backends.wide.exponential import TINY, signed_as
from symdl.backends.wide.numbers import Number
from symdl.number_forms import INFINITE

# log(1 + r) = r - r^2 (1/2 - r/3 + ...): pairs, then floats
FIRST = tuple(tables.pair(Fraction((-1) ** k, k + 1)) for k in range(1, 7))
REST = tuple(float(Fraction((-1) ** k, k + 1)) for k in range(7, 14))
WHOLE = 2.0**-101  # what is so near to a whole number, relative to it, is that


def _near_one(b: Builder, r: Pair) -> Pair:
    """log(1 + r) for |r| <= 2^-8, 2^-104 of r."""
    series = pairs.horner(b, r, FIRST, polynomial(b, r[0], REST))
    return pairs.plus(b, r, pairs.times(b, pairs.times(b, r, r), series))


def _bin(b: Builder, m: Reg) -> list[Reg]:
    """(c, high and low of -log c) for a number in [sqrt 1/2, sqrt 2)."""
    index = b.sub(b.lshr(b.add(b.bits(m), 1 << 44), 45), tables.FIRST_BIN)
    return tables.lookup(b, tables.table(b, "reciprocals", tables.reciprocals()), index, 3, 3)


def assembled(b: Builder, k: Reg, r: Pair, offset: Pair) -> Pair:
    """k ln 2 + offset + log(1 + r); |k| up to 2^53."""
    unit = tables.limbs(tables.ln2(), 3)
    p, q = two_product(b, k, b.const(unit[0], "float64"))
    v, w = two_product(b, k, b.const(unit[1], "float64"))
    q, e = two_sum(b, q, v)
    whole = fast_two_sum(b, p, q)
    whole = fast_two_sum(b, whole[0], b.add(whole[1], b.add(e, b.fma(k, unit[2], w))))
    return pairs.plus(b, whole, pairs.plus(b, offset, _near_one(b, r)))


def fraction(b: Builder, x: Pair) -> tuple[Reg, Pair]:
    """(k, (m, low)) with x = 2^k (m + low), m in [sqrt 1/2, sqrt 2), for a normal x > 0; 1 for others."""
    good = b.and_(b.compare("ge", x[0], 2.0**-1022), b.compare("lt", x[0], float("inf")))
    safe = b.select(good, x[0], 1.0)
    k, m = binade(b, safe)
    return k, (m, b.mul(b.select(good, x[1], 0.0), numbers.power_of_two(b, b.fneg(k))))


def pair_log_of(b: Builder, k: Reg, m: Pair) -> Pair:
    """k ln 2 + log m for m in [sqrt 1/2, sqrt 2)."""
    c, *offset = _bin(b, m[0])
    return assembled(b, k, _rest(b, m, c), (offset[0], offset[1]))


def _rest(b: Builder, m: Pair, c: Reg) -> Pair:
    """c m - 1, which is small."""
    p, q = two_product(b, m[0], c)
    s, t = two_product(b, m[1], c)
    q, e = two_sum(b, q, s)  # beside the table's logarithm, 2^-8 or more, the third limb counts
    r = two_sum(b, b.sub(p, 1.0), q)
    return fast_two_sum(b, r[0], b.add(r[1], b.add(e, t)))


def _ends(b: Builder, x: Number, value: Number) -> Number:
    """-inf at 0, NaN below and at NaN, inf at inf."""
    infinity = float("inf")
    zero, endless = b.compare("eq", x.high, 0.0), b.compare("eq", x.high, infinity)
    high = b.select(zero, -infinity, b.select(endless, infinity, value.high))
    high = b.select(b.compare("ult", x.high, 0.0), float("nan"), high)
    exponent = b.select(b.or_(zero, endless), INFINITE, value.exponent)
    usual = b.and_(b.compare("gt", x.high, 0.0), b.compare("lt", x.high, infinity))
    return Number(high, b.select(usual, value.low, 0.0), exponent, value.slack)


def log(b: Builder, x: Number) -> Number:
    """log x, 2^-102."""
    x = numbers.normal(b, x)
    k, m = fraction(b, x.pair)
    usual = b.compare("lt", b.fabs(x.exponent), 2.0**59)
    k = b.add(k, b.select(usual, x.exponent, 0.0))
    value = numbers.normal(b, Number(*pair_log_of(b, k, m), b.const(0.0, "float64")), True)
    return _ends(b, x, value)


def pair_log(b: Builder, x: Pair) -> Pair:
    """log x of a pair, 2^-102."""
    small = b.compare("lt", x[0], 2.0**-900)
    factor = b.select(small, b.const(2.0**200, "float64"), 1.0)
    k, m = fraction(b, pairs.scaled(b, x, factor))
    high, low = pair_log_of(b, b.sub(k, b.select(small, b.const(200.0, "float64"), 0.0)), m)
    usual = b.and_(b.compare("gt", x[0], 0.0), b.compare("lt", x[0], float("inf")))
    return b.select(usual, high, plain_ends(b, x[0], high)), b.select(usual, low, 0.0)


def thin_log(b: Builder, x: Number) -> Number:
    """log x by 53 bits, 1 ulp."""
    k, m = fraction(b, x.pair)
    usual = b.compare("lt", b.fabs(x.exponent), 2.0**59)
    k = b.add(k, b.select(usual, x.exponent, 0.0))
    unit = tables.two(tables.ln2())
    near = assemble(b, b.const(0.0, "float64"), b.sub(m[0], 1.0))
    p, q = two_product(b, k, b.const(unit[0], "float64"))
    high, rest = two_sum(b, p, near)
    total = b.add(high, b.add(rest, b.fma(k, unit[1], q)))
    value = numbers.normal(b, Number(total, b.const(0.0, "float64"), b.const(0.0, "float64")), True)
    found = _ends(b, x, value)
    return Number(found.high, x.low, found.exponent)


def log1p(b: Builder, x: Number) -> Number:
    """log(1 + x), 2^-101: r = c 2^-k (1 + x) - 1 is made from x, so that nothing cancels. Where 1 is nothing beside x, it
    is log x, and next to -1, where the sum is exact, the logarithm of the sum."""
    x = numbers.normal(b, x)
    huge = b.compare("gt", x.exponent, 200.0)
    argument = numbers.ordinary(b, a.choose(b, huge, a.fixed(b, 1), x))
    u = b.add(argument[0], 1.0)
    above = a.add(b, a.fixed(b, 1), x)
    apart = b.or_(huge, b.compare("ult", above.high, 0.0))
    apart = b.or_(apart, b.compare("lt", above.exponent, -1.0))
    whole = a.choose(b, huge, x, above)
    k, m = fraction(b, whole.pair)
    usual = b.compare("lt", b.fabs(whole.exponent), 2.0**59)
    k = b.add(k, b.select(usual, whole.exponent, 0.0))
    near_k, near_m = binade(b, b.select(apart, 1.0, u))
    c, *offset = _bin(b, b.select(apart, m[0], near_m))
    scale = b.mul(c, numbers.power_of_two(b, b.fneg(near_k)))
    r = pairs.plus(b, two_sum(b, scale, b.const(-1.0, "float64")), pairs.times_float(b, argument, scale))
    r = pairs.choose(b, apart, _rest(b, m, c), r)
    value = assembled(b, b.select(apart, k, near_k), r, (offset[0], offset[1]))
    found = _ends(b, whole, numbers.normal(b, Number(*value, b.const(0.0, "float64")), True))
    return a.choose(b, b.compare("lt", x.exponent, TINY), x, found)


def log2(b: Builder, x: Number) -> Number:
    """log2 x, exact at powers of two: the exponent is added after the division by ln 2."""
    return _to_base(b, x, tables.ln2(), True)


def log10(b: Builder, x: Number) -> Number:
    """log10 x, 2^-101, exact at powers of ten: no other number has one as near to a whole number."""
    return _to_base(b, x, tables.ln10(), False)


def _to_base(b: Builder, x: Number, base: int, whole: bool) -> Number:
    x = numbers.normal(b, x)
    k, m = fraction(b, x.pair)
    usual = b.compare("lt", b.fabs(x.exponent), 2.0**59)
    k = b.add(k, b.select(usual, x.exponent, 0.0))
    inverse = pairs.constant(b, tables.two(tables.ratio(tables.ONE, base)))
    value = pair_log_of(b, b.const(0.0, "float64") if whole else k, m)
    value = pairs.times(b, value, inverse)
    if whole:
        value = pairs.plus_float(b, value, k)
    else:
        high, low = value
        little = b.compare("lt", b.fabs(low), b.mul(b.fabs(high), WHOLE))
        value = high, b.select(b.and_(little, b.compare("eq", round_half_even(b, high), high)), 0.0, low)
    return _ends(b, x, numbers.normal(b, Number(*value, b.const(0.0, "float64")), True))


def arcsinh(b: Builder, x: Number) -> Number:
    """arcsinh|x| = log1p(t + t^2/(1 + sqrt(1 + t^2)))."""
    size = a.absolute(b, x)
    one, square = a.fixed(b, 1), a.mul(b, size, size)
    step = a.div(b, square, a.add(b, one, a.sqrt(b, a.add(b, one, square))))
    step = a.choose(b, b.compare("eq", size.high, float("inf")), size, step)
    return signed_as(b, log1p(b, a.add(b, size, step)), x)


def arccosh(b: Builder, x: Number) -> Number:
    """arccosh x = log1p(t + sqrt(2t + t^2)) with t = x - 1."""
    t = a.sub(b, x, a.fixed(b, 1))
    found = log1p(b, a.add(b, t, a.sqrt(b, a.mul(b, t, a.add(b, t, a.fixed(b, 2))))))
    low = b.compare("lt", t.high, 0.0)
    return Number(b.select(low, float("nan"), found.high), found.low, found.exponent, found.slack)


def arctanh(b: Builder, x: Number) -> Number:
    """arctanh|x| = log1p(2t/(1 - t))/2."""
    t = a.absolute(b, x)
    ratio = a.div(b, a.scaled(b, t, 1), a.sub(b, a.fixed(b, 1), t))
    return signed_as(b, a.scaled(b, log1p(b, ratio), -1), x)
