"""Arithmetic, comparison, choice, rounding and casts of number forms.

What is written for `Number` (high, low, exponent) serves both forms with an exponent: float64e has a low limb that is the
constant 0, and `thin` operations skip it.
"""

from __future__ import annotations

from collections.abc import Callable

from symdl.backends.builder import UNSIGNED, Builder, Reg
from symdl.backends.vmath import arithmetic as plain
from symdl.backends.vmath.forms import Pair, fast_two_sum
from symdl.backends.wide import numbers, pairs
from symdl.backends.wide.numbers import Number, held, is_missing, is_nothing, loosened, normal, power_of_two
from symdl.number_forms import INFINITE, LIMBS, ZERO

NEAR = 2  # slack that sums, comparisons and selections take as it is


# with an exponent


def thin(*operands: Number) -> bool:
    """Whether they are of float64e, perhaps with constants of a single limb among them."""
    return any(is_missing(x.low) for x in operands) and all(is_nothing(x.low) for x in operands)


def _aligned(b: Builder, x: Number, y: Number, lowest: float = -1023.0) -> tuple[Reg, Reg, Reg]:
    """The larger exponent, and the factors that bring both to it."""
    larger = b.select(b.compare("gt", x.exponent, y.exponent), x.exponent, y.exponent)
    f, g = (power_of_two(b, b.sub(v.exponent, larger), lowest) for v in (x, y))
    return larger, f, g


def add(b: Builder, x: Number, y: Number) -> Number:
    """x + y. A summand below 2^-1023 of the other is lost."""
    x, y = loosened(b, x, NEAR), loosened(b, y, NEAR)
    exponent, f, g = _aligned(b, x, y)
    xh, yh = b.mul(x.high, f), b.mul(y.high, g)
    plain_sum = b.add(xh, yh)
    if thin(x, y):
        return normal(b, Number(plain_sum, numbers.missing(b), exponent), True)
    total = pairs.settled(b, plain_sum, pairs.plus(b, (xh, b.mul(x.low, f)), (yh, b.mul(y.low, g))))
    return normal(b, Number(*total, exponent), True)


def negative(b: Builder, x: Number) -> Number:
    """-x."""
    return Number(b.fneg(x.high), x.low if is_nothing(x.low) else b.fneg(x.low), x.exponent, x.slack)


def sub(b: Builder, x: Number, y: Number) -> Number:
    """x - y."""
    return add(b, x, negative(b, y))


def mul(b: Builder, x: Number, y: Number) -> Number:
    """x y, not normalised."""
    x, y = loosened(b, x), loosened(b, y)
    exponent, slack = held(b, b.add(x.exponent, y.exponent)), x.slack + y.slack + 1
    product = b.mul(x.high, y.high)
    if thin(x, y):
        return Number(product, numbers.missing(b), exponent, slack)
    return Number(*pairs.settled(b, product, pairs.times(b, x.pair, y.pair)), exponent, slack)


def div(b: Builder, x: Number, y: Number) -> Number:
    """x / y, not normalised. x / 0 is an infinity."""
    x, y = loosened(b, x), loosened(b, y)
    exponent, slack = held(b, b.sub(x.exponent, y.exponent)), x.slack + y.slack + 1
    quotient = b.div(x.high, y.high)
    if thin(x, y):
        return Number(quotient, numbers.missing(b), exponent, slack)
    return Number(*pairs.settled(b, quotient, pairs.over(b, x.pair, y.pair)), exponent, slack)


def sqrt(b: Builder, x: Number) -> Number:
    """sqrt x: half of an even exponent."""
    x = normal(b, x)
    half = b.mul(x.exponent, 0.5)
    down = plain.floor(b, half)
    factor = b.add(b.add(b.sub(half, down), b.sub(half, down)), 1.0)  # 2 for an odd exponent
    high = b.mul(x.high, factor)
    root = b.sqrt(high)
    zero = b.compare("eq", high, 0.0)
    exponent = b.select(zero, ZERO, b.select(b.compare("lt", high, float("inf")), down, INFINITE))
    if thin(x):
        return Number(root, x.low, exponent)
    return Number(*pairs.settled(b, root, pairs.root(b, (high, b.mul(x.low, factor)))), exponent)


def scaled(b: Builder, x: Number, k: int) -> Number:
    """x 2^k."""
    return Number(x.high, x.low, b.add(x.exponent, float(k)), x.slack)


def absolute(b: Builder, x: Number) -> Number:
    """|x|."""
    if thin(x):
        return Number(b.fabs(x.high), x.low, x.exponent, x.slack)
    return Number(*pair_absolute(b, x.pair), x.exponent, x.slack)


def choose(b: Builder, condition: Reg, x: Number, y: Number) -> Number:
    """x where the condition holds, else y; both are computed."""
    low = numbers.missing(b) if thin(x, y) else b.select(condition, x.low, y.low)
    high, exponent = b.select(condition, x.high, y.high), b.select(condition, x.exponent, y.exponent)
    return Number(high, low, exponent, max(x.slack, y.slack))


def compare(b: Builder, predicate: str, x: Number, y: Number) -> Reg:
    """eq ne lt le gt ge; NaN: only ne holds."""
    if is_nothing(x.high) or is_nothing(y.high):  # beside the constant 0 the sign decides
        return b.compare(predicate, x.high, y.high)
    x, y = normal(b, x), normal(b, y)
    _, f, g = _aligned(b, x, y, -1000.0)  # not to 0: signs are to be told apart
    high = b.mul(x.high, f), b.mul(y.high, g)
    return b.compare(predicate, *high) if thin(x, y) else _by_limbs(b, predicate, high, (x.low, y.low))


def fixed(b: Builder, value: float) -> Number:
    """A constant."""
    high, low, exponent = numbers.split(b, b.const(value, "float64x2e"))
    return Number(high, low, exponent)


def _by_limbs(b: Builder, predicate: str, high: Pair, low: Pair) -> Reg:
    """A comparison that the low limbs decide where the high ones are equal."""
    same = b.compare("eq", *high)
    if predicate == "ne":
        return b.or_(b.compare("ne", *high), b.compare("ne", *low))
    decided = b.and_(same, b.compare(predicate, *low))
    if predicate == "eq":
        return decided
    return b.or_(decided, b.compare({"le": "lt", "ge": "gt"}.get(predicate, predicate), *high))


# pairs


def pair_add(b: Builder, x: Pair, y: Pair) -> Pair:
    """x + y."""
    return pairs.settled(b, b.add(x[0], y[0]), pairs.plus(b, x, y))


def pair_sub(b: Builder, x: Pair, y: Pair) -> Pair:
    """x - y."""
    return pair_add(b, x, pairs.negative(b, y))


def pair_mul(b: Builder, x: Pair, y: Pair) -> Pair:
    """x y."""
    return pairs.settled(b, b.mul(x[0], y[0]), pairs.times(b, x, y))


def pair_div(b: Builder, x: Pair, y: Pair) -> Pair:
    """x / y."""
    return pairs.settled(b, b.div(x[0], y[0]), pairs.over(b, x, y))


def pair_sqrt(b: Builder, x: Pair) -> Pair:
    """The square root of x."""
    return pairs.settled(b, b.sqrt(x[0]), pairs.root(b, x))


def pair_absolute(b: Builder, x: Pair) -> Pair:
    """|x|."""
    sign = b.and_(b.bits(x[0]), -(1 << 63))
    return b.fabs(x[0]), b.unbits(b.xor(b.bits(x[1]), sign))


def pair_compare(b: Builder, predicate: str, x: Pair, y: Pair) -> Reg:
    """eq ne lt le gt ge; NaN: only ne holds."""
    return _by_limbs(b, predicate, (x[0], y[0]), (x[1], y[1]))


def _where_rounded(b: Builder, x: Pair, found: Pair) -> Pair:
    """A rounding of x; zeros, infinities and NaN stay as they are."""
    usual = b.and_(b.compare("one", x[0], 0.0), b.compare("lt", b.fabs(x[0]), float("inf")))
    return b.select(usual, found[0], x[0]), b.select(usual, found[1], 0.0)


def pair_round(b: Builder, x: Pair) -> Pair:
    """The nearest integer, of two equally near the even one."""
    high, low = pairs.whole(b, x)
    return _where_rounded(b, x, (b.copysign(high, x[0]), low))


def pair_floor(b: Builder, x: Pair) -> Pair:
    """The largest integer <= x."""
    high = plain.floor(b, x[0])
    low = b.select(b.compare("eq", high, x[0]), plain.floor(b, x[1]), 0.0)
    return _where_rounded(b, x, fast_two_sum(b, high, low))


# casts


def to_number(b: Builder, x: Reg) -> Number:
    """A plain number or a number form, exactly, as a Number."""
    if x.dtype.startswith("float"):
        return numbers.number(b, x)
    return numbers.from_pair(b, integer_pair(b, x))


def integer_pair(b: Builder, x: Reg) -> Pair:
    """A bool or an integer as a pair, exactly."""
    zero = b.const(0.0, "float64")
    if x.dtype not in ("int64", "uint64"):
        return plain.cast(b, x, "float64"), zero
    unsigned = x.dtype in UNSIGNED
    word = Reg(x.text, "int64")
    above = b.lshr(word, 32) if unsigned else b.ashr(word, 32)
    low = plain.cast(b, b.and_(word, (1 << 32) - 1), "float64")
    return fast_two_sum(b, b.mul(plain.cast(b, above, "float64"), 2.0**32), low)


def cast(b: Builder, x: Reg, dtype: str) -> Reg:
    """Into a number form, between two, or out of one with one rounding; to integers toward 0, to bool as != 0."""
    if x.dtype == dtype:
        return x
    if dtype in LIMBS:
        if dtype == "float64x2":
            if x.dtype in LIMBS:
                return numbers.join(b, dtype, *numbers.ordinary(b, numbers.number(b, x)))
            if x.dtype.startswith("float"):
                return numbers.join(b, dtype, plain.cast(b, x, "float64"), b.const(0.0, "float64"))
            return numbers.join(b, dtype, *integer_pair(b, x))
        n = to_number(b, x)
        return numbers.packed(b, n, dtype)
    if dtype == "bool":
        return b.compare("ne", numbers.split(b, x)[0], 0.0)
    if not dtype.startswith("float"):
        return _to_integer(b, x, dtype)
    high = numbers.split(b, x)[0]
    if x.dtype == "float64x2":
        if dtype == "float64":
            return high
        return b.convert("fptrunc", numbers.odd(b, numbers.pair(b, x)), dtype)
    n = normal(b, numbers.number(b, x))
    if dtype == "float64":
        return numbers.rounded(b, n)
    sticky = high if thin(n) else numbers.odd(b, n.pair)
    return b.convert("fptrunc", numbers.times_power(b, sticky, n.exponent), dtype)


def _to_integer(b: Builder, x: Reg, dtype: str) -> Reg:
    """The integer part; beyond the range of the dtype an unspecified number."""
    high, low = numbers.pair(b, cast(b, x, "float64x2"))
    whole = plain.trunc(b, high)
    below = b.and_(
        b.compare("eq", whole, high), b.compare("lt", b.mul(b.copysign(b.const(1.0, "float64"), high), low), 0.0)
    )
    rest = b.select(b.compare("eq", whole, high), plain.trunc(b, low), 0.0)
    # a low limb that points to 0 from an integer: one less, unless it is an integer itself
    step = b.and_(below, b.compare("ne", rest, low))
    rest = b.select(step, b.sub(rest, b.copysign(b.const(1.0, "float64"), high)), rest)
    return b.add(
        plain.cast(b, whole, dtype), plain.cast(b, rest, dtype) if dtype not in UNSIGNED else _wrapped(b, rest, dtype)
    )


def _wrapped(b: Builder, x: Reg, dtype: str) -> Reg:
    """A small float of any sign modulo 2^bits."""
    word = plain.cast(b, x, "int64")
    return plain.cast(b, word, dtype)


# extremes and rounding, by the arithmetic of each form


def extreme(b: Builder, first: Reg, x: Number, y: Number) -> Number:
    """x where `first` holds, else y; NaN if either is."""
    return choose(b, b.or_(first, b.compare("uno", x.high, x.high)), x, y)


def maximum(b: Builder, x: Number, y: Number) -> Number:
    """The larger; NaN if either is."""
    return extreme(b, compare(b, "gt", x, y), x, y)


def minimum(b: Builder, x: Number, y: Number) -> Number:
    """The smaller; NaN if either is."""
    return extreme(b, compare(b, "lt", x, y), x, y)


def pair_maximum(b: Builder, x: Pair, y: Pair) -> Pair:
    """The larger; NaN if either is."""
    return pairs.choose(b, b.or_(pair_compare(b, "gt", x, y), b.compare("uno", x[0], x[0])), x, y)


def pair_minimum(b: Builder, x: Pair, y: Pair) -> Pair:
    """The smaller; NaN if either is."""
    return pairs.choose(b, b.or_(pair_compare(b, "lt", x, y), b.compare("uno", x[0], x[0])), x, y)


def pair_ceil(b: Builder, x: Pair) -> Pair:
    """The smallest integer >= x."""
    return pairs.negative(b, pair_floor(b, pairs.negative(b, x)))


def pair_trunc(b: Builder, x: Pair) -> Pair:
    """The nearest integer toward 0."""
    return pairs.signed_as(b, pair_floor(b, pair_absolute(b, x)), x[0])


def by_pairs(round_: Callable[[Builder, Pair], Pair]) -> Callable[[Builder, Number], Number]:
    """A rounding of pairs on a number with an exponent: beyond 2^200 all numbers are integers."""

    def call(b: Builder, x: Number) -> Number:
        x = normal(b, x)
        tiny = b.select(b.compare("lt", x.exponent, -200.0), b.const(-200.0, "float64"), x.exponent)
        fraction = Number(x.high, x.low, b.select(b.compare("gt", tiny, 200.0), 0.0, tiny))
        found = numbers.from_pair(b, round_(b, numbers.ordinary(b, fraction)))
        return choose(b, b.compare("gt", x.exponent, 200.0), x, found)

    return call


def floor_div(b: Builder, x: Number, y: Number) -> Number:
    """floor(x / y), the quotient rounded first."""
    quotient = by_pairs(pair_floor)(b, div(b, x, y))
    endless = b.and_(b.compare("eq", b.fabs(x.high), float("inf")), b.compare("ne", y.high, 0.0))
    quotient = Number(b.select(endless, float("nan"), quotient.high), quotient.low, quotient.exponent, quotient.slack)
    return choose(b, _against_infinity(b, x, y), fixed(b, -1), quotient)


def _against_infinity(b: Builder, x: Number, y: Number) -> Reg:
    """Whether y is infinite and x, not 0, of the other sign."""
    differ = b.or_(
        b.and_(b.compare("gt", x.high, 0.0), b.compare("lt", y.high, 0.0)),
        b.and_(b.compare("lt", x.high, 0.0), b.compare("gt", y.high, 0.0)),
    )
    differ = b.and_(differ, b.compare("lt", b.fabs(x.high), float("inf")))
    return b.and_(b.compare("eq", b.fabs(y.high), float("inf")), differ)


def mod(b: Builder, x: Number, y: Number) -> Number:
    """x - floor(x / y) y, to the rounding of the product; 0, of the sign of y, where that leaves nothing between 0 and y. Where the
    quotient has more digits than the limbs, the remainder of x and y as float64 numbers."""
    quotient = floor_div(b, x, y)
    rest = sub(b, x, mul(b, quotient, y))
    opposed = b.or_(
        b.and_(b.compare("gt", rest.high, 0.0), b.compare("lt", y.high, 0.0)),
        b.and_(b.compare("lt", rest.high, 0.0), b.compare("gt", y.high, 0.0)),
    )
    lost = b.or_(opposed, compare(b, "gt", absolute(b, rest), absolute(b, y)))
    rest = choose(b, b.and_(lost, b.compare("ne", y.high, 0.0)), fixed(b, 0), rest)
    rounded = plain.mod(b, numbers.rounded(b, x), numbers.rounded(b, y))
    far = b.and_(b.compare("gt", quotient.exponent, 51.0 if thin(x, y) else 104.0), b.compare("ord", rounded, rounded))
    rest = choose(b, far, numbers.from_pair(b, (rounded, numbers.missing(b))), rest)
    endless = b.and_(b.compare("eq", b.fabs(y.high), float("inf")), b.compare("lt", b.fabs(x.high), float("inf")))
    rest = choose(b, endless, choose(b, _against_infinity(b, x, y), y, x), rest)
    high = b.select(b.compare("eq", rest.high, 0.0), b.copysign(b.const(0.0, "float64"), y.high), rest.high)
    return Number(high, rest.low, rest.exponent, rest.slack)
