"""arctan2 and its relatives: one division brings the quotient to a table of arctan, a short series does the rest."""

from __future__ import annotations

from fractions import Fraction

from symdl.backends.builder import Builder
from symdl.backends.vmath.arithmetic import round_half_even
from symdl.backends.vmath.forms import Pair, polynomial
from symdl.backends.wide import arithmetic as a
from symdl.backends.wide import numbers, pairs, tables
from symdl.backends.wide.exponential import signed_as
from symdl.backends.wide.numbers import MAGIC, Number

SERIES = tuple(Fraction((-1) ** k, 2 * k + 1) for k in range(1, 9))  # (arctan d - d)/d^3 in d^2, |d| <= 2^-7


def _small(b: Builder, d: Pair) -> Pair:
    """arctan d, 2^-104 of d."""
    z = pairs.times(b, d, d)
    series = pairs.horner(b, z, tuple(map(tables.pair, SERIES[:4])), polynomial(b, z[0], tuple(map(float, SERIES[4:]))))
    return pairs.plus(b, d, pairs.times(b, pairs.times(b, d, z), series))


def arctan2(b: Builder, y: Number, x: Number) -> Number:
    """The angle of the point (x, y), in [-pi, pi], 2^-103.

    With q = smaller/larger of |x|, |y| and t = j/64 near it: arctan q = arctan t + arctan((s - t l)/(l + t s)).
    """
    height, width = a.absolute(b, numbers.normal(b, y)), a.absolute(b, numbers.normal(b, x))
    steep = a.compare(b, "gt", height, width)
    small, large = a.choose(b, steep, width, height), a.choose(b, steep, height, width)
    both = b.and_(b.compare("eq", small.high, float("inf")), b.compare("eq", large.high, float("inf")))
    empty = b.compare("eq", large.high, 0.0)
    one = a.fixed(b, 1)
    small = a.choose(b, both, one, small)
    large = a.choose(b, b.or_(both, empty), one, large)
    shift = b.sub(small.exponent, large.exponent)
    tiny = b.compare("lt", shift, -200.0)
    factor = numbers.power_of_two(b, b.select(tiny, b.const(-200.0, "float64"), shift))
    s = pairs.scaled(b, small.pair, b.select(tiny, 0.0, factor))
    j = round_half_even(b, b.mul(b.div(s[0], large.high), float(tables.SLOPE)))
    j = b.select(b.compare("ge", j, 0.0), j, 0.0)  # NaN too
    t = b.mul(j, 1.0 / tables.SLOPE)
    above = pairs.plus(b, s, pairs.negative(b, pairs.times_float(b, large.pair, t)))
    below = pairs.plus(b, large.pair, pairs.times_float(b, s, t))
    high, low = tables.lookup(
        b, tables.table(b, "slopes", tables.slopes()), b.and_(b.bits(b.add(j, MAGIC)), 0x7F), 2, 2
    )
    angle = pairs.plus(b, (high, low), _small(b, pairs.over(b, above, below)))
    zero = b.const(0.0, "float64")
    found = numbers.normal(b, Number(*angle, zero, 1), True)
    found = a.choose(b, tiny, numbers.normal(b, a.div(b, small, large)), found)
    pi = numbers.normal(b, Number(*pairs.constant(b, tables.two(tables.pi())), zero, 2))
    half = a.scaled(b, pi, -1)
    found = a.choose(b, steep, a.sub(b, half, found), found)
    left = b.compare("lt", b.bits(x.high), 0)
    found = a.choose(b, left, a.sub(b, pi, found), found)
    found = signed_as(b, found, y)
    lost = b.compare("uno", x.high, y.high)
    return Number(b.select(lost, float("nan"), found.high), b.select(lost, 0.0, found.low), found.exponent)


def arctan(b: Builder, x: Number) -> Number:
    """The angle of the point (1, x), 2^-103."""
    return arctan2(b, x, a.fixed(b, 1))


def _leg(b: Builder, x: Number) -> Number:
    """sqrt(1 - x^2), NaN beyond 1."""
    one = a.fixed(b, 1)
    return a.sqrt(b, a.mul(b, a.sub(b, one, x), a.add(b, one, x)))


def arcsin(b: Builder, x: Number) -> Number:
    """The angle of the point (sqrt(1 - x^2), x), 2^-102."""
    return arctan2(b, x, _leg(b, x))


def arccos(b: Builder, x: Number) -> Number:
    """The angle of the point (x, sqrt(1 - x^2)), 2^-102."""
    return arctan2(b, _leg(b, x), x)
