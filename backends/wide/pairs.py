"""Arithmetic on pairs of float64: unevaluated sums high + low of about 106 bits (Dekker 1971; Joldes, Muller, Popescu 2017).

Errors are relative, in u = 2^-53. None of these says what becomes of infinities: `settled` mends that once a primitive.
"""

from __future__ import annotations

from collections.abc import Sequence

from symdl.backends.builder import Builder, Reg
from symdl.backends.vmath.arithmetic import round_half_even
from symdl.backends.vmath.forms import Pair, fast_two_sum, two_product, two_sum
from symdl.backends.wide.numbers import is_nothing

Constant = tuple[float, float]


def constant(b: Builder, number: Constant) -> Pair:
    """A pair of constants."""
    return b.const(number[0], "float64"), b.const(number[1], "float64")


def plus(b: Builder, x: Pair, y: Pair) -> Pair:
    """x + y, 3 u^2 of the result even where it cancels."""
    if is_nothing(x[1]) or is_nothing(y[1]):
        x, y = (y, x) if is_nothing(x[1]) else (x, y)
        return plus_float(b, x, y[0])
    s, t = two_sum(b, x[0], y[0])
    u, v = two_sum(b, x[1], y[1])
    s, t = fast_two_sum(b, s, b.add(t, u))
    return fast_two_sum(b, s, b.add(t, v))


def plus_float(b: Builder, x: Pair, y: Reg) -> Pair:
    """x + y for a single float, 2 u^2."""
    s, t = two_sum(b, x[0], y)
    return (s, t) if is_nothing(x[1]) else fast_two_sum(b, s, b.add(t, x[1]))


def gathered(b: Builder, total: Pair, y: Pair) -> Pair:
    """total + y, what is lost being added up beside it: the next one waits for one addition only. A sum of n pairs is wrong
    by n^2 u^2 of the sum of their sizes (Ogita, Rump, Oishi 2005); `plus` brings it to form."""
    high, lost = two_sum(b, total[0], y[0])
    return high, b.add(total[1], lost if is_nothing(y[1]) else b.add(lost, y[1]))


def negative(b: Builder, x: Pair) -> Pair:
    """-x."""
    return b.fneg(x[0]), b.fneg(x[1])


def times(b: Builder, x: Pair, y: Pair) -> Pair:
    """x y, 5 u^2."""
    if is_nothing(x[1]) or is_nothing(y[1]):
        x, y = (y, x) if is_nothing(x[1]) else (x, y)
        return times_float(b, x, y[0])
    p, e = two_product(b, x[0], y[0])
    return fast_two_sum(b, p, b.fma(x[0], y[1], b.fma(x[1], y[0], e)))


def times_float(b: Builder, x: Pair, y: Reg) -> Pair:
    """x y for a single float, 2 u^2."""
    p, e = two_product(b, x[0], y)
    return (p, e) if is_nothing(x[1]) else fast_two_sum(b, p, b.fma(x[1], y, e))


def scaled(b: Builder, x: Pair, power: Reg | float) -> Pair:
    """x times a power of two."""
    return b.mul(x[0], power), b.mul(x[1], power)


def over(b: Builder, x: Pair, y: Pair) -> Pair:
    """x / y, 10 u^2; the rest of the first quotient is divided again, so that the low limb floats."""
    q = b.div(x[0], y[0])
    p, e = two_product(b, q, y[0])
    rest = b.sub(b.sub(x[0], p), e)
    rest = b.add(rest, x[1] if is_nothing(y[1]) else b.fma(b.fneg(q), y[1], x[1]))
    return fast_two_sum(b, q, b.div(rest, y[0]))


def root(b: Builder, x: Pair) -> Pair:
    """sqrt x for x > 0, 4 u^2."""
    s = b.sqrt(x[0])
    p, e = two_product(b, s, s)
    rest = b.add(b.sub(b.sub(x[0], p), e), x[1])
    return fast_two_sum(b, s, b.div(rest, b.add(s, s)))


def settled(b: Builder, plain: Reg, x: Pair) -> Pair:
    """x, or the plain operation on the high limbs where x is 0 (whose sign it knows) or not a number (where limbs met an
    infinity or overflowed)."""
    usual = b.compare("one", x[0], 0.0)
    return b.select(usual, x[0], plain), b.select(usual, x[1], 0.0)


def whole(b: Builder, x: Pair) -> Pair:
    """The nearest integer, of two equally near the even one."""
    near = round_half_even(b, x[0])
    rest = b.sub(x[0], near)  # a tie of the high limb is decided by the low one
    up = b.and_(b.compare("eq", rest, 0.5), b.compare("gt", x[1], 0.0))
    down = b.and_(b.compare("eq", rest, -0.5), b.compare("lt", x[1], 0.0))
    near = b.select(up, b.add(near, 1.0), b.select(down, b.sub(near, 1.0), near))
    tail = round_half_even(b, x[1])
    half = b.compare("eq", b.fabs(b.sub(x[1], tail)), 0.5)  # only beside integers of 2^52 and more, odd ones too
    odd = b.compare("ne", b.mul(round_half_even(b, b.mul(x[0], 0.5)), 2.0), x[0])
    other = b.add(tail, b.mul(b.sub(x[1], tail), 2.0))
    tail = b.select(b.and_(half, odd), other, tail)
    return fast_two_sum(b, near, b.select(b.compare("eq", rest, 0.0), tail, 0.0))


def horner(b: Builder, x: Pair, coefficients: Sequence[Constant], tail: Reg) -> Pair:
    """c[0] + x (c[1] + x (... + x tail)): the last step in floats plus a low limb, the others in pairs; |x| small."""
    last = coefficients[-1]
    high, rest = fast_two_sum(b, b.const(last[0], "float64"), b.mul(x[0], tail))
    total = high, b.add(rest, last[1])
    for c in reversed(coefficients[:-1]):
        p, e = two_product(b, x[0], total[0])
        e = b.fma(x[0], total[1], b.fma(x[1], total[0], e))
        high, rest = fast_two_sum(b, b.const(c[0], "float64"), p)
        total = high, b.add(rest, b.add(e, c[1]))
    return total


def choose(b: Builder, condition: Reg, x: Pair, y: Pair) -> Pair:
    """x where the condition holds, else y."""
    return b.select(condition, x[0], y[0]), b.select(condition, x[1], y[1])


def signed_as(b: Builder, x: Pair, sign: Reg) -> Pair:
    """|x| with the sign of another number."""
    flip = b.and_(b.xor(b.bits(x[0]), b.bits(sign)), -(1 << 63))
    return b.unbits(b.xor(b.bits(x[0]), flip)), b.unbits(b.xor(b.bits(x[1]), flip))
