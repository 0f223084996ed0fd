"""A number form in registers: packing, normal form, constants, and the way in and out.

A value of a number form is one LLVM struct of limbs, so everything that carries values (phis, variables, calls) carries
it. `Builder.limbs` remembers what a struct was packed from: whoever computes with it takes the limbs themselves, perhaps
with a high limb that strays from [1, 2) by up to 2^slack, which saves most normalisations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from symdl.backends.builder import Builder, Reg, hexadecimal
from symdl.backends.vmath import registers
from symdl.backends.vmath.forms import Pair, outlined
from symdl.backends.vmath.registers import scaled, scales
from symdl.number_forms import INFINITE, LIMBS, ZERO
from symdl.records import record

FIELD = 0x7FF << 52
MAGIC = 1.5 * 2.0**52
_NOTHING, _MISSING = hexadecimal(0.0, "float64"), hexadecimal(-0.0, "float64")
STRAY = 64  # binary orders by which a high limb may leave [1, 2) before it is brought back


@record
class Number:
    """(high + low) * 2^exponent; the exponent is a float64. slack 0: 1 <= |high| < 2, or high is 0, inf or nan."""

    high: Reg
    low: Reg
    exponent: Reg
    slack: int = 0

    @property
    def pair(self) -> Pair:
        return self.high, self.low


def split(b: Builder, value: Reg) -> tuple[Reg, ...]:
    """The limbs of a packed value."""
    found = b.limbs.get(value.text)
    if found is None:
        kind = b.type(value.dtype)
        found = tuple(
            b.pure(f"extractvalue {kind} {value.text}, {k}", "float64") for k in range(len(LIMBS[value.dtype]))
        )
    return found[: len(LIMBS[value.dtype])]


def join(b: Builder, dtype: str, *limbs: Reg) -> Reg:
    """A packed value of normalised limbs."""
    kind, one = b.type(dtype), b.type("float64")
    text = "poison"
    for k, limb in enumerate(limbs):
        text = b.emit(f"insertvalue {kind} {text}, {one} {limb.text}, {k}", dtype).text
    b.limbs[text] = limbs
    return Reg(text, dtype)


def number(b: Builder, value: Reg) -> Number:
    """A value of any float dtype as high, low and exponent."""
    if value.dtype.endswith("e"):
        known = b.limbs.get(value.text, ())
        if len(known) > len(LIMBS[value.dtype]):
            found: Number = known[-1]
            return found
        limbs = split(b, value)
        return Number(limbs[0], limbs[1] if len(limbs) == 3 else missing(b), limbs[-1])
    if value.dtype == "float64x2":
        return from_pair(b, pair(b, value))
    wide = value if value.dtype == "float64" else b.convert("fpext", value, "float64")
    return from_pair(b, (wide, b.const(0.0, "float64")))


def pair(b: Builder, value: Reg) -> Pair:
    """The limbs of a float64x2."""
    high, low = split(b, value)
    return high, low


def packed(b: Builder, x: Number, dtype: str = "float64x2e") -> Reg:
    """A form with an exponent; what is computed from it next uses x as it stands."""
    if dtype == "float64e":
        x = replace(x, low=missing(b))
    elif is_missing(x.low):
        x = replace(x, low=b.const(0.0, "float64"))
    n = normal(b, x)
    limbs = (n.high, n.exponent) if dtype == "float64e" else (n.high, n.low, n.exponent)
    value = join(b, dtype, *limbs)
    if x.slack:
        b.limbs[value.text] = (*limbs, x)
    return value


def loosened(b: Builder, x: Number, most: int = STRAY) -> Number:
    """x, normalised if it strays too far."""
    return normal(b, x) if x.slack > most else x


def normal(b: Builder, x: Number, cancelled: bool = False) -> Number:
    """The same with 1 <= |high| < 2. cancelled: high may be 0 under an exponent of something larger."""
    if not x.slack and not cancelled:
        return x
    field = b.and_(b.bits(x.high), FIELD)
    # 2^-k for a field of k + 1023; infinity for that of inf and nan, which it leaves as they are
    power = b.unbits(b.and_(b.sub(2046 << 52, field), FIELD))
    k = exponent_of(b, field)
    if cancelled:
        k = b.select(b.compare("eq", field, 0), ZERO, k)
    low = x.low
    if not is_nothing(low):
        low = b.select(b.compare("lt", power, float("inf")), b.mul(low, power), 0.0)
    return Number(b.mul(x.high, power), low, held(b, b.add(x.exponent, k)))


def missing(b: Builder) -> Reg:
    """The low limb of a number that has none: the constant -0.0, which no operation on low limbs is written for."""
    return b.const(-0.0, "float64")


def is_missing(x: Reg) -> bool:
    """Whether a low limb is missing."""
    return _MISSING in x.text


def is_nothing(x: Reg) -> bool:
    """Whether a low limb is missing, or the constant 0."""
    return _MISSING in x.text or _NOTHING in x.text


def exponent_of(b: Builder, field: Reg) -> Reg:
    """k as a float64 for a masked exponent field of k + 1023."""
    magic = 2.0**52
    word = b.or_(b.lshr(field, 52), 1075 << 52)
    return b.sub(b.unbits(word), magic + 1023)


def held(b: Builder, exponent: Reg) -> Reg:
    """An exponent within those of zero and infinity."""
    exponent = b.select(b.compare("gt", exponent, ZERO), exponent, ZERO)
    return b.select(b.compare("lt", exponent, INFINITE), exponent, INFINITE)


def power_of_two(b: Builder, n: Reg, lowest: float = -1023.0) -> Reg:
    """2^n for an integral float64 n <= 1023, 0 below the lowest exponent of a normal number."""
    n = b.select(b.compare("gt", n, lowest), n, lowest)
    return b.unbits(b.shl(b.bits(b.add(n, MAGIC + 1023)), 52))


def times_power(b: Builder, x: Reg, n: Reg) -> Reg:
    """x 2^n in two steps, for 1/4 <= |x| <= 4, or in one: overflows to infinity; below the normal numbers rounded once."""
    if scales(b):
        return scaled(b, x, n)
    n = b.select(b.compare("gt", n, -2044.0), n, -2044.0)
    n = b.select(b.compare("lt", n, 2044.0), n, 2044.0)
    half = b.sub(b.add(b.mul(n, 0.5), MAGIC), MAGIC)
    return b.mul(b.mul(x, power_of_two(b, half)), power_of_two(b, b.sub(n, half)))


def from_pair(b: Builder, x: Pair) -> Number:
    """A pair; the ends of the range of float64, where the reciprocal of a power of two is not normal, are moved first."""
    high, low = x
    size = b.fabs(high)
    if scales(b):
        k = registers.exponent(b, high)
        k = b.select(b.compare("lt", k, INFINITE), k, INFINITE)  # of NaN, too
        k = b.select(b.compare("gt", k, ZERO), k, ZERO)
        down = b.fneg(k)
        if not is_nothing(low):
            low = b.select(b.compare("lt", size, float("inf")), scaled(b, low, down), 0.0)
        return Number(scaled(b, high, down), low, k)
    small, large = b.compare("lt", size, 2.0**-900), b.compare("gt", size, 2.0**900)
    factor = b.select(small, b.const(2.0**200, "float64"), b.select(large, b.const(2.0**-200, "float64"), 1.0))
    shift = b.select(small, b.const(-200.0, "float64"), b.select(large, b.const(200.0, "float64"), 0.0))
    n = normal(b, Number(b.mul(high, factor), low if is_nothing(low) else b.mul(low, factor), shift, 1), True)
    infinite = b.compare("eq", size, float("inf"))
    return Number(n.high, n.low, b.select(infinite, INFINITE, n.exponent))


def ordinary(b: Builder, x: Number) -> Pair:
    """The pair of floats that x is, where it is one: each limb saturates."""
    x = loosened(b, x, 1)
    high = times_power(b, x.high, x.exponent)
    if scales(b):
        low = scaled(b, x.low, x.exponent)
    else:
        low = b.mul(x.low, power_of_two(b, b.select(b.compare("lt", x.exponent, 1023.0), x.exponent, 1023.0)))
    return high, b.select(b.compare("lt", b.fabs(high), float("inf")), low, 0.0)


def rounded(b: Builder, x: Number) -> Reg:
    """The nearest float64, rounded once: where it is subnormal, a tie of the high limb is decided by the low one."""
    x = normal(b, x)
    if is_nothing(x.low):
        return times_power(b, x.high, x.exponent)
    deep = b.compare("lt", x.exponent, -1022.0)
    limit = b.select(b.compare("gt", x.exponent, -1080.0), x.exponent, -1080.0)
    unit = power_of_two(b, b.sub(-1074.0, b.select(deep, limit, -1022.0)))  # the last place, in units of high
    sign = b.and_(b.bits(x.high), -(1 << 63))
    size, low = b.fabs(x.high), b.unbits(b.xor(b.bits(x.low), sign))
    large = b.mul(unit, 2.0**52)
    cut = b.sub(b.add(size, large), large)
    rest = b.sub(size, cut)
    ahead = b.or_(
        b.and_(b.compare("gt", rest, 0.0), b.compare("gt", low, 0.0)),
        b.and_(b.compare("lt", rest, 0.0), b.compare("lt", low, 0.0)),
    )
    tie = b.and_(b.compare("eq", b.fabs(rest), b.mul(unit, 0.5)), ahead)
    cut = b.copysign(b.select(tie, b.add(cut, b.add(rest, rest)), cut), x.high)
    return times_power(b, b.select(deep, cut, x.high), x.exponent)


def odd(b: Builder, x: Pair) -> Reg:
    """high + low rounded to odd: a later rounding to fewer bits is then as if it were the only one."""
    bits = b.bits(x[0])
    same = b.compare("ge", b.xor(bits, b.bits(x[1])), 0)
    moved = b.add(bits, b.select(same, b.const(1, "int64"), -1))
    sticky = b.and_(b.compare("ne", x[1], 0.0), b.compare("eq", b.and_(bits, 1), 0))
    return b.unbits(b.select(sticky, moved, bits))


@cache
def _shared(name: str, emit: Callable[[Builder, Number], Number]) -> Callable[..., Reg]:
    def body(b: Builder, value: Reg) -> Reg:
        return packed(b, emit(b, number(b, value)))

    return outlined(name, body)


def shared(b: Builder, name: str, emit: Callable[[Builder, Number], Number], x: Number) -> Number:
    """A function inside others: one internal function of the module for all of them."""
    return number(b, _shared(name, emit)(b, packed(b, x)))
