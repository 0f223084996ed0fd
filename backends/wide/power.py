"""x^y = 2^(y log2 x): the exponent of x times y is split exactly, so that only y log2 of the fraction costs digits."""

from __future__ import annotations

from symdl.backends.builder import Builder
from symdl.backends.vmath.arithmetic import round_half_even
from symdl.backends.vmath.forms import fast_two_sum, two_product, two_sum
from symdl.backends.wide import arithmetic as a
from symdl.backends.wide import exponential, logarithm, numbers, pairs, tables
from symdl.backends.wide.numbers import Number
from symdl.number_forms import INFINITE, LARGEST, ZERO


def power(b: Builder, x: Number, y: Number) -> Number:
    """x^y with the special cases of C99, a whole number where it is one of whole numbers.

    Error 2^-102 max(1, |y log2 m|), m being the fraction of x in [0.7, 1.42).
    """
    x, y = numbers.normal(b, x), numbers.normal(b, y)
    size = a.absolute(b, x)
    zero, one, infinity = (b.const(v, "float64") for v in (0.0, 1.0, float("inf")))
    k, m = logarithm.fraction(b, size.pair)
    ordinary = b.and_(b.compare("gt", size.high, 0.0), b.compare("lt", size.high, infinity))
    k = b.add(k, b.select(ordinary, x.exponent, 0.0))
    exponent = numbers.ordinary(b, y)
    held = b.compare("lt", b.fabs(exponent[0]), 2.0**60)
    exponent = (
        b.select(held, exponent[0], b.copysign(b.const(2.0**60, "float64"), exponent[0])),
        b.select(held, exponent[1], 0.0),
    )
    # y k = whole + rest exactly, but for a third limb
    p, q = two_product(b, exponent[0], k)
    r, s = two_product(b, exponent[1], k)
    whole = round_half_even(b, p)
    near = b.compare("lt", b.fabs(p), 2.0**52)
    rest = two_sum(b, b.select(near, b.sub(p, whole), 0.0), q)
    rest = pairs.plus(b, rest, (r, s))
    inverse = tables.two(tables.ratio(tables.ONE, tables.ln2()))
    binary = pairs.times(b, logarithm.pair_log_of(b, zero, m), pairs.constant(b, inverse))
    rest = pairs.plus(b, rest, pairs.times(b, exponent, binary))
    rest = fast_two_sum(b, *rest)
    grown = exponential.of_pair(b, rest, True)
    total = b.add(grown.exponent, whole)
    total = b.select(b.compare("gt", total, -LARGEST), total, -LARGEST)
    total = b.select(b.compare("lt", total, LARGEST), total, LARGEST)
    result = Number(grown.high, grown.low, total, grown.slack)
    # infinite y, or x of 0 or infinity: 0 or infinity by the side of 1 on which |x| lies
    above = a.compare(b, "gt", size, a.fixed(b, 1))
    grows = b.xor(above, b.compare("lt", y.high, 0.0))
    endless = b.compare("eq", b.fabs(y.high), infinity)
    extreme = a.choose(
        b, grows, Number(infinity, zero, b.const(INFINITE, "float64")), Number(zero, zero, b.const(ZERO, "float64"))
    )
    unit = a.compare(b, "eq", size, a.fixed(b, 1))
    extreme = a.choose(b, b.and_(endless, unit), a.fixed(b, 1), extreme)
    result = a.choose(b, b.and_(ordinary, b.not_(endless)), result, extreme)
    is_whole = a.pair_compare(b, "eq", a.pair_floor(b, exponent), exponent)
    half = pairs.scaled(b, exponent, 0.5)
    odd = b.and_(b.and_(is_whole, b.not_(a.pair_compare(b, "eq", a.pair_floor(b, half), half))), held)
    negative = b.compare("lt", b.bits(x.high), 0)
    base = numbers.ordinary(b, size)
    both_whole = b.and_(is_whole, a.pair_compare(b, "eq", a.pair_floor(b, base), base))
    growing = b.and_(both_whole, b.and_(b.compare("ge", y.high, 0.0), b.compare("ge", base[0], 1.0)))
    result = a.choose(b, growing, a.by_pairs(a.pair_round)(b, result), result)  # 3^3 is no 27 less 2^-98
    result = a.choose(b, b.and_(odd, negative), a.negative(b, result), result)
    below = b.and_(b.compare("lt", x.high, 0.0), b.compare("gt", x.high, -float("inf")))
    lost = b.or_(b.and_(below, b.not_(b.or_(is_whole, endless))), b.compare("uno", x.high, y.high))
    result = Number(
        b.select(lost, float("nan"), result.high), b.select(lost, 0.0, result.low), result.exponent, result.slack
    )
    certain = b.or_(b.compare("eq", y.high, 0.0), a.compare(b, "eq", x, a.fixed(b, 1)))
    return a.choose(b, certain, Number(one, zero, zero), result)
