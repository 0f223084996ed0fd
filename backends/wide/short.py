"""Functions of pairs right to 2^-69 instead of 2^-103, and arithmetic that leaves pairs as they fall: what an attempt needs
whose result is one float64.

A table of 2^(j/FINE) and a series for e^r - 1, pairs being kept only where a single float would show: less than twice the
work of the functions of float64. A low limb may be as large as some ulp of the high one; `cast` adds both. SHORT is keyed by
the primitives' names; `shortened` marks a use of one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import factorial

from symdl.backends.builder import Builder, Reg
from symdl.backends.vmath.forms import (
    FORMAT,
    Pair,
    biased_power,
    clamp,
    fast_two_sum,
    halves,
    nearest,
    outlined,
    polynomial,
    two_product,
    two_sum,
)
from symdl.backends.vmath.registers import in_parts, scaled
from symdl.backends.vmath.sixteen import of_sixteen
from symdl.backends.wide import numbers, tables

PREFIX = "short_"
SERIES = tuple(1 / factorial(k) for k in range(3, 7))  # (e^r - 1 - r - r^2/2)/r^3
POWER_OF_TWO = re.compile("double 0x[34BC]..0{13}|^0x[34BC]..0{13}")  # but the largest and the least
INTEGERS = 20  # bits of the integers that the steps of the table are multiplied by


def _reduced(b: Builder, x: Pair, offset: int) -> tuple[Reg, Reg, Reg, Reg]:
    """(n, word, r, low) with x = n ln 2/FINE + r + low, |r| < 2^-9 and low as small as the low limb of x, or smaller; the
    word ends in n + FINE/2 + offset FINE."""
    unit = tables.ln2() // tables.FINE
    step = tables.short_limbs(unit, 3, 53 - INTEGERS)
    n, word = nearest(b, x[0], tables.ONE / unit, offset * tables.FINE + tables.FINE // 2)
    far, part = b.fma(n, -step[0], x[0]), b.mul(n, step[1])  # both exact
    r = b.sub(far, part)
    return n, word, r, b.add(b.sub(b.sub(far, r), part), b.fma(n, -step[2], x[1]))


def _step(b: Builder, word: Reg) -> Pair:
    """2^(j/FINE) for a word that ends in j + FINE/2, 0 <= j + FINE/2 < FINE; 1 exactly."""
    if not b.permutes:
        table = tables.table(b, "around", tables.around())
        high, low = tables.lookup(b, table, b.and_(word, tables.FINE - 1), 2, 2)
        return high, low
    places = (b.lshr(word, 4),) * 2 + (word,) * 2
    named = zip(("steep_high", "steep_low", "flat_high", "flat_low"), tables.factors(), places, strict=True)
    steep, steep_low, flat, flat_low = (of_sixteen(b, *one) for one in named)
    high, error = two_product(b, steep, flat)
    return high, b.fma(steep, flat_low, b.fma(steep_low, flat, error))


def _power(b: Builder, x: Pair) -> Pair:
    """e^x for |x| <= 1400."""
    n, word, r, low = _reduced(b, x, 2 * FORMAT["float64"].bias)
    rest = b.mul(b.mul(r, r), polynomial(b, r, (0.5, *SERIES)))
    rest = b.add(rest, b.fma(low, b.add(r, rest), low))  # e^(r + low) - 1 - r, below 2^-19
    t = _step(b, word)
    product, error = two_product(b, t[0], r)
    high, low = fast_two_sum(b, t[0], product)
    low = b.add(low, b.add(error, b.fma(t[0], rest, b.fma(t[1], r, t[1]))))
    high, low = fast_two_sum(b, high, low)
    if in_parts(b):
        power = b.fma(n, 1.0 / tables.FINE, 0.5)
        return scaled(b, high, power), scaled(b, low, power)
    first, second = halves(b, b.lshr(word, tables.FINE.bit_length() - 1))
    return b.mul(b.mul(high, first), second), b.mul(b.mul(low, first), second)


def _decay_less_one(b: Builder, x: Pair) -> Pair:
    """e^x - 1 for -100 <= x <= 0, right to 2^-69 of itself."""
    _, word, r, low = _reduced(b, x, FORMAT["float64"].bias)
    square, rest = two_product(b, b.mul(r, 0.5), r)
    first, error = fast_two_sum(b, r, square)
    rest = b.add(rest, b.fma(low, b.add(r, square), low))
    p = first, b.add(b.fma(b.mul(b.mul(r, r), r), polynomial(b, r, SERIES), error), rest)  # e^(r + low) - 1
    scale = biased_power(b, b.lshr(word, tables.FINE.bit_length() - 1))
    t = tuple(b.mul(v, scale) for v in _step(b, word))
    product, rest = two_product(b, t[0], p[0])
    less = b.sub(t[0], 1.0)
    lost = b.sub(t[0], b.add(less, 1.0))
    high, error = fast_two_sum(b, less, product)  # which is 0, or twice as large as any product
    low = b.add(b.add(lost, t[1]), b.add(b.add(error, rest), b.fma(t[1], p[0], b.mul(t[0], p[1]))))
    return fast_two_sum(b, high, low)


def exp(b: Builder, x: Pair) -> Pair:
    """e^x in the range of float64."""
    never = b.signs.get(x[0].text, 0) < 0  # too large
    inside = b.compare("gt", x[0], -1400.0) if never else b.compare("lt", b.fabs(x[0]), 1400.0)
    high, low = _power(b, (clamp(b, x[0], -1400.0, 1400.0), b.select(inside, x[1], 0.0)))
    return high, low if never else b.select(b.compare("lt", high, float("inf")), low, 0.0)


def _over(b: Builder, x: Pair, y: Pair) -> Pair:
    """x / y for y in [1/2, 2], by one division; 2^-100. The low limb is an ulp of the high one, or two."""
    inverse = b.div(b.const(1.0, "float64"), y[0])
    quotient = b.mul(x[0], inverse)
    rest = b.fma(b.fneg(quotient), y[1], x[1])
    if b.fused:
        rest = b.add(b.fma(b.fneg(quotient), y[0], x[0]), rest)
    else:
        product, error = two_product(b, quotient, y[0])
        rest = b.add(b.sub(b.sub(x[0], product), error), rest)
    return quotient, b.mul(rest, inverse)


def tanh(b: Builder, x: Pair) -> Pair:
    """tanh|x| = -q/(q + 2) with q = e^(-2|x|) - 1."""
    size = b.fabs(x[0])
    inside = b.compare("lt", size, 50.0)
    low = b.unbits(b.xor(b.bits(x[1]), b.xor(b.bits(x[0]), b.bits(size))))
    held = b.mul(b.select(b.compare("gt", size, 50.0), 50.0, size), -2.0)
    q = _decay_less_one(b, (held, b.select(inside, b.mul(low, -2.0), 0.0)))
    below = fast_two_sum(b, b.const(2.0, "float64"), q[0])
    high, low = _over(b, q, (below[0], b.add(below[1], q[1])))
    flip = b.xor(b.bits(x[0]), b.bits(size))
    return b.unbits(b.xor(b.bits(b.fneg(high)), flip)), b.unbits(b.xor(b.bits(b.fneg(low)), flip))


def logistic_tail(b: Builder, x: Pair) -> Pair:
    """1/(1 + e^|x|) = q/(1 + q) with q = e^-|x|."""
    size = b.fabs(x[0])
    inside = b.compare("lt", size, 1400.0)
    turned = b.xor(b.bits(b.fneg(x[1])), b.xor(b.bits(x[0]), b.bits(size)))
    held = b.fneg(b.select(b.compare("gt", size, 1400.0), 1400.0, size))
    q = _power(b, (held, b.select(inside, b.unbits(turned), 0.0)))
    below = fast_two_sum(b, b.const(1.0, "float64"), q[0])
    return _over(b, q, (below[0], b.add(below[1], q[1])))


def add(b: Builder, x: Pair, y: Pair) -> Pair:
    """x + y, wrong by 2^-104 of the larger, as it is of the sum where a low limb is missing."""
    total, low = two_sum(b, x[0], y[0])
    limbs = [limb for limb in (x[1], y[1]) if not numbers.is_nothing(limb)]
    if not limbs:
        return total, low
    for limb in limbs:
        low = b.add(low, limb)
    high = b.add(total, low)
    # Else the sign of 0, and infinities, are the plain sum's. Limbs that `mul` leaves may cancel to 0 together alone.
    usual = b.or_(b.compare("one", high, 0.0), b.compare("one", total, high))
    return b.select(usual, high, total), b.select(usual, b.sub(low, b.sub(high, total)), 0.0)


def sub(b: Builder, x: Pair, y: Pair) -> Pair:
    """x - y likewise."""
    return add(b, x, (b.fneg(y[0]), y[1] if numbers.is_nothing(y[1]) else b.fneg(y[1])))


def complement(b: Builder, x: Pair) -> Pair:
    """1 - x for x in [0, 1]."""
    high, low = fast_two_sum(b, b.const(1.0, "float64"), b.fneg(x[0]))
    return high, b.sub(low, x[1])


def mul(b: Builder, x: Pair, y: Pair) -> Pair:
    """x y, 2^-102; the high limb is the plain product."""
    for one, (high, limb) in ((x[0], y), (y[0], x)):
        if _is_power_of_two(one):
            return b.mul(high, one), limb if numbers.is_nothing(limb) else b.mul(limb, one)
    product, low = two_product(b, x[0], y[0])
    if x[0].text == y[0].text and x[1].text == y[1].text and not numbers.is_nothing(x[1]):
        return product, b.fma(b.add(x[0], x[0]), x[1], low)
    for one, limb in ((y[0], x[1]), (x[0], y[1])):
        low = low if numbers.is_nothing(limb) else b.fma(one, limb, low)
    return product, low


def _is_power_of_two(x: Reg) -> bool:
    """Whether a number is a constant whose products are exact, unless they leave the range."""
    return POWER_OF_TWO.search(x.text) is not None


def true_div(b: Builder, x: Pair, y: Pair) -> Pair:
    """x / y, 2^-102; the high limb is the plain quotient, and the low one 0 where y is infinite."""
    quotient = b.div(x[0], y[0])
    product, error = two_product(b, quotient, y[0])
    rest = b.sub(b.sub(x[0], product), error)
    if not numbers.is_nothing(y[1]):
        rest = b.sub(rest, b.mul(quotient, y[1]))
    if not numbers.is_nothing(x[1]):
        rest = b.add(rest, x[1])
    low = b.div(rest, y[0])
    return quotient, b.select(b.compare("ord", low, low), low, 0.0)


def settled(b: Builder, x: Pair) -> Pair:
    """x with a low limb of half an ulp of the high one at most; zeros and what is no number as they are."""
    high = b.add(x[0], x[1])
    low = b.sub(x[1], b.sub(high, x[0]))
    usual = b.compare("one", high, 0.0)
    return b.select(usual, high, x[0]), b.select(b.and_(usual, b.compare("ord", low, low)), low, 0.0)


def _rounded(b: Builder, x: Reg) -> Reg:
    """high + low of what `mul` and `true_div` leave; high alone where that is 0, infinite or no number."""
    high, low = numbers.pair(b, x)
    total = b.add(high, low)
    return b.select(b.compare("one", total, 0.0), total, high)


def _on_pairs(name: str, emit: Callable[..., Pair], out: bool = True) -> Callable[..., Reg]:
    def call(b: Builder, *args: Reg) -> Reg:
        return numbers.join(b, "float64x2", *emit(b, *(numbers.pair(b, x) for x in args)))

    return _apart(outlined(name, call), call) if out else call


def _apart(apart: Callable[..., Reg], written: Callable[..., Reg]) -> Callable[..., Reg]:
    """A function out of line, but where there are registers enough for its constants."""
    return lambda b, *args: (written if b.permutes and b.lanes else apart)(b, *args)


FUNCTIONS = frozenset(["exp", "tanh", "logistic_tail"])
SUMS = frozenset(["add", "sub"])
SHORT: dict[str, Callable[..., Reg]] = {
    **{
        f"{PREFIX}{emit.__name__}": _on_pairs(f"{PREFIX}{emit.__name__}", emit, emit.__name__ in FUNCTIONS)
        for emit in (exp, tanh, logistic_tail, add, sub, complement, mul, true_div, settled)
    },
    f"{PREFIX}cast": _rounded,
}
