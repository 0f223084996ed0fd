"""Functions of pairs right to 2^-67 instead of 2^-103: what an attempt needs whose result is one float64.

One table of 2^(j/FINE) - 1 and a series for e^r - 1 of which only the first two terms are pairs: twice the work of the
functions of float64. SHORT is keyed by the primitives' names; `shortened` marks a use of one.
"""

from __future__ import annotations

from collections.abc import Callable
from math import factorial

from symdl.backends.builder import Builder, Reg
from symdl.backends.vmath.arithmetic import round_half_even
from symdl.backends.vmath.forms import Pair, fast_two_sum, outlined, polynomial, two_product, two_sum
from symdl.backends.wide import numbers, pairs, tables
from symdl.backends.wide.exponential import HALF, bounded
from symdl.backends.wide.numbers import MAGIC

PREFIX = "short_"
SERIES = tuple(1 / factorial(k) for k in range(3, 7))  # (e^r - 1 - r - r^2/2)/r^3
INTEGERS = 20  # bits of the integers that the steps of the table are multiplied by


def _parts(b: Builder, x: Pair) -> tuple[Reg, Pair, Pair]:
    """(K, t, p) with e^x = 2^K (1 + t) (1 + p); |p| < 2^-9, right to 2^-67 of itself where K and t are 0."""
    unit = tables.ln2() // tables.FINE
    step = tables.short_limbs(unit, 3, 53 - INTEGERS)
    n = round_half_even(b, b.mul(x[0], tables.ONE / unit))
    high, low = two_sum(b, b.sub(x[0], b.mul(n, step[0])), b.fneg(b.mul(n, step[1])))  # both products are exact
    low = b.add(low, b.fma(n, -step[2], x[1]))
    square, rest = two_product(b, b.mul(high, 0.5), high)
    first, error = fast_two_sum(b, high, square)
    low = b.fma(low, b.add(high, square), low)
    cube = b.mul(b.mul(high, high), high)
    p = first, b.add(b.fma(cube, polynomial(b, high, SERIES), error), b.add(low, rest))
    power = round_half_even(b, b.mul(n, 1.0 / tables.FINE))
    j = b.sub(n, b.mul(power, float(tables.FINE)))
    index = b.and_(b.bits(b.add(j, MAGIC + HALF)), 0x1FF)
    t = tables.lookup(b, tables.table(b, "powers", tables.powers()), index, 2, 2)
    return power, (t[0], t[1]), p


def exp(b: Builder, x: Pair) -> Pair:
    """e^x in the range of float64."""
    power, t, p = _parts(b, bounded(b, x, 1400.0))
    one = fast_two_sum(b, b.const(1.0, "float64"), t[0])
    one = one[0], b.add(one[1], t[1])
    product, rest = two_product(b, one[0], p[0])
    high, low = fast_two_sum(b, one[0], product)
    low = b.add(low, b.add(b.add(one[1], rest), b.fma(one[1], p[0], b.mul(one[0], p[1]))))
    half = b.sub(b.add(b.mul(power, 0.5), MAGIC), MAGIC)
    first, second = numbers.power_of_two(b, half), numbers.power_of_two(b, b.sub(power, half))
    high, low = (b.mul(b.mul(v, first), second) for v in fast_two_sum(b, high, low))
    usual = b.compare("lt", b.fabs(high), float("inf"))
    return b.select(b.compare("uno", x[0], x[0]), x[0], high), b.select(usual, low, 0.0)


def _decay_less_one(b: Builder, x: Pair) -> Pair:
    """e^x - 1 for -100 <= x <= 0."""
    power, t, p = _parts(b, x)
    product, rest = two_product(b, t[0], p[0])
    high, low = two_sum(b, t[0], p[0])
    high, error = two_sum(b, high, product)
    low = b.add(b.add(low, error), b.add(b.add(rest, t[1]), b.fma(t[1], p[0], b.fma(t[0], p[1], p[1]))))
    scale = numbers.power_of_two(b, power)
    high, low = b.mul(high, scale), b.mul(low, scale)
    less = b.sub(scale, 1.0)
    lost = b.sub(scale, b.add(less, 1.0))
    high, error = two_sum(b, less, high)
    return fast_two_sum(b, high, b.add(error, b.add(low, lost)))


def tanh(b: Builder, x: Pair) -> Pair:
    """tanh|x| = -q/(q + 2) with q = e^(-2|x|) - 1."""
    sign = b.and_(b.bits(x[0]), -(1 << 63))
    low = b.unbits(b.xor(b.bits(x[1]), sign))
    held = bounded(b, (b.mul(b.fabs(x[0]), -2.0), b.mul(low, -2.0)), 100.0)
    q = _decay_less_one(b, held)
    below = fast_two_sum(b, b.const(2.0, "float64"), q[0])
    found = pairs.over(b, pairs.negative(b, q), (below[0], b.add(below[1], q[1])))
    high, low = pairs.signed_as(b, found, x[0])
    return b.select(b.compare("uno", x[0], x[0]), x[0], high), low


def logistic_tail(b: Builder, x: Pair) -> Pair:
    """1/(1 + e^|x|) = q/(1 + q) with q = e^-|x|."""
    sign = b.and_(b.bits(x[0]), -(1 << 63))
    q = exp(b, (b.fneg(b.fabs(x[0])), b.fneg(b.unbits(b.xor(b.bits(x[1]), sign)))))
    below = fast_two_sum(b, b.const(1.0, "float64"), q[0])
    return pairs.over(b, q, (below[0], b.add(below[1], q[1])))


def _on_pairs(name: str, emit: Callable[[Builder, Pair], Pair]) -> Callable[..., Reg]:
    def call(b: Builder, x: Reg) -> Reg:
        return numbers.join(b, "float64x2", *emit(b, numbers.pair(b, x)))

    return outlined(name, call)


SHORT: dict[str, Callable[..., Reg]] = {
    f"{PREFIX}{emit.__name__}": _on_pairs(f"{PREFIX}{emit.__name__}", emit) for emit in (exp, tanh, logistic_tail)
}
