"""Constants and tables of the number forms, found at first use in integer arithmetic: nothing here is typed in by hand.

A fixed-point number is an int that counts units of 2^-BITS.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache

from symdl.backends.builder import Builder, Reg, hexadecimal

BITS = 320
ONE = 1 << BITS
FINE = 256  # steps of the table of 2^x in an octave
REACH = 168  # of them to either side: a large argument may be rounded to the wrong side of a half
ANGLE = 32  # steps of the table of sin and cos in a radian
SLOPE = 64  # steps of the table of arctan up to 1


def limbs(number: int, count: int) -> tuple[float, ...]:
    """A fixed-point number as a sum of floats, each the nearest to what those before it leave."""
    out = []
    for _ in range(count):
        part = number / ONE  # a quotient of ints is rounded once
        out.append(part)
        above, below = part.as_integer_ratio()
        number -= (above << BITS) // below
    return tuple(out)


def two(number: int) -> tuple[float, float]:
    """A fixed-point number as high + low."""
    high, low = limbs(number, 2)
    return high, low


def short_limbs(number: int, count: int, bits: int = 40) -> tuple[float, ...]:
    """The same, all but the last with so many bits, so that products with integers of 53 - bits bits are exact."""
    out = []
    for _ in range(count - 1):
        part = Fraction(number / ONE)
        unit = Fraction(2) ** (bits - abs(part.numerator).bit_length() + part.denominator.bit_length() - 1)
        kept = float(Fraction(round(part * unit)) / unit)
        out.append(kept)
        number -= fixed(kept)
    return (*out, number / ONE)


def fixed(number: Fraction | float) -> int:
    """The fixed-point number nearest below."""
    exact = Fraction(number)
    return (exact.numerator << BITS) // exact.denominator


def pair(number: Fraction | float) -> tuple[float, float]:
    """A number as high + low, the low limb as small as it may be."""
    exact = Fraction(number)
    high = float(exact) if abs(exact) < 2**1024 else math.inf
    return high, float(exact - Fraction(high)) if math.isfinite(high) else 0.0


def _series(x: int, steps: tuple[int, ...], sign: int, first: int) -> int:
    """first + first x'/(steps[0]) + ..., every term made from the one before by a factor x and a divisor."""
    total, term = first, first
    for divisor in steps:
        term = sign * ((term * x) >> BITS) // divisor
        total += term
    return total


def exponential(x: int) -> int:
    """e^x for |x| <= 1."""
    return _series(x, tuple(range(1, 90)), 1, ONE)


def decay(x: Fraction) -> int:
    """e^-x for x >= 0."""
    number, inverse = exponential(-fixed(x % 1)), exponential(-ONE)
    for _ in range(int(x)):
        number = (number * inverse) >> BITS
    return number


def sine_cosine(x: int) -> tuple[int, int]:
    """(sin x, cos x) for |x| <= 1."""
    square = (x * x) >> BITS
    sine = _series(square, tuple(k * (k + 1) for k in range(2, 90, 2)), -1, x)
    return sine, _series(square, tuple(k * (k + 1) for k in range(1, 90, 2)), -1, ONE)


def arctangent(x: int) -> int:
    """arctan x for |x| <= 1/5."""
    square, total, power = (x * x) >> BITS, 0, x
    for k in range(1, 2 * BITS // 4, 2):
        total += power // k
        power = -(power * square) >> BITS
    return total


def logarithm(x: Fraction) -> int:
    """log x for x in [1/2, 2], as 2 artanh((x - 1)/(x + 1))."""
    s = fixed((x - 1) / (x + 1))
    square, total, power = (s * s) >> BITS, 0, s
    for k in range(1, BITS, 2):
        total += power // k
        power = (power * square) >> BITS
    return 2 * total


@cache
def pi() -> int:
    """pi by Machin's formula (1706)."""
    return _pi_of(BITS)


@cache
def ln2() -> int:
    """log 2."""
    return logarithm(Fraction(2))


@cache
def ln10() -> int:
    """log 10."""
    return 3 * ln2() + logarithm(Fraction(5, 4))


@cache
def half_log_two_pi() -> int:
    """log(2 pi)/2."""
    return (ln2() + log_pi()) // 2


@cache
def log_pi() -> int:
    """log pi."""
    return 2 * ln2() + logarithm(Fraction(pi(), 4 * ONE))


@cache
def root_pi() -> int:
    """sqrt(pi)."""
    return math.isqrt(pi() << BITS)


def ratio(above: int, below: int) -> int:
    """The quotient of two fixed-point numbers."""
    return (above << BITS) // below


@cache
def powers() -> tuple[float, ...]:
    """2^(j/FINE) - 1 as high, low for j = -REACH .. REACH."""
    root = 2 * ONE
    for _ in range(FINE.bit_length() - 1):
        root = math.isqrt(root << BITS)
    number, up = ONE, [ONE]
    for _ in range(REACH):
        number = (number * root) >> BITS
        up.append(number)
    down = [ratio(ONE, x) for x in up[1:]]
    return tuple(limb for x in [*reversed(down), *up] for limb in limbs(x - ONE, 2))


@cache
def around() -> tuple[float, ...]:
    """2^(j/FINE) as high, low for j = -FINE/2 .. FINE/2 - 1."""
    return tuple(limb for j in range(-FINE // 2, FINE // 2) for limb in limbs(_power_of_two(j), 2))


@cache
def factors() -> tuple[tuple[float, ...], ...]:
    """Of these, what 2^(16 a/FINE - 1/2) and 2^(c/FINE) are for a and c = 0 .. 15: high limbs, low limbs, of each."""
    steep = [limbs(_power_of_two(16 * a - FINE // 2), 2) for a in range(16)]
    flat = [limbs(_power_of_two(c), 2) for c in range(16)]
    return tuple(tuple(x[k] for x in found) for found in (steep, flat) for k in (0, 1))


@cache
def _power_of_two(j: int) -> int:
    """2^(j/FINE)."""
    root = 2 * ONE
    for _ in range(FINE.bit_length() - 1):
        root = math.isqrt(root << BITS)
    number = ONE
    for _ in range(abs(j)):
        number = (number * root) >> BITS
    return number if j >= 0 else ratio(ONE, number)


FIRST_BIN = (0x3FE6A09E667F3BCD + (1 << 44)) >> 45  # of sqrt(1/2): bits of a number in [1/2, 2) shifted and rounded
BINS = ((0x3FF6A09E667F3BCD + (1 << 44)) >> 45) - FIRST_BIN + 1


@cache
def reciprocals() -> tuple[float, ...]:
    """For every bin of m in [sqrt 1/2, sqrt 2): c near 1/m, and -log c as high, low; c is 1 in the bin around 1."""
    out: list[float] = []
    for k in range(BINS):
        place = (FIRST_BIN + k) << 45  # the middle of the bin
        middle = math.ldexp(1 + Fraction(place & ((1 << 52) - 1), 1 << 52), (place >> 52) - 1023)
        c = 1 / middle
        out += [c, *limbs(-logarithm(Fraction(c)), 2)]
    return tuple(out)


@cache
def angles() -> tuple[float, ...]:
    """sin and cos of j/ANGLE, each as high, low, for j up to pi/4."""
    out: list[float] = []
    for j in range(math.ceil(ANGLE * math.pi / 4) + 1):
        for value in sine_cosine(j * ONE // ANGLE):
            out += limbs(value, 2)
    return tuple(out)


@cache
def slopes() -> tuple[float, ...]:
    """arctan(j/SLOPE) as high, low, j = 0 .. SLOPE."""
    total, out = 0, [0.0, 0.0]
    for j in range(1, SLOPE + 1):  # arctan(j/s) - arctan((j-1)/s) is the arctan of one small fraction
        total += arctangent(fixed(Fraction(SLOPE, SLOPE * SLOPE + j * (j - 1))))
        out += limbs(total, 2)
    return tuple(out)


TURNS = 1296  # bits of 2/pi behind the point: enough for numbers below 2^1024 and 318 bits of their product


@cache
def two_over_pi() -> int:
    """2/pi as an integer that counts units of 2^-TURNS."""
    width = TURNS + 64
    return ((2 << width) << TURNS) // _pi_of(width)


def _pi_of(width: int) -> int:
    """pi in units of 2^-width."""

    def arctangent_of(n: int) -> int:
        """Of 1/n, with 32 bits to spare."""
        power, total, k = (1 << (width + 32)) // n, 0, 1
        while power:
            total += power // k if k % 4 == 1 else -(power // k)
            power //= n * n
            k += 2
        return total

    return (4 * (4 * arctangent_of(5) - arctangent_of(239))) >> 32


def table(b: Builder, name: str, numbers: tuple[float, ...]) -> str:
    """The name of a constant array of float64 in the module."""
    text = ", ".join(f"double {hexadecimal(x, 'float64')}" for x in numbers)
    b.declarations.add(f"@symdl_{name} = internal constant [{len(numbers)} x double] [{text}]")
    return f"symdl_{name}"


def lookup(b: Builder, name: str, index: Reg, step: int, count: int) -> list[Reg]:
    """Entries step * index to step * index + count - 1 of such an array, per lane."""
    place = index
    if b.lanes and step % 2 == 0:
        place = b.shl(index, step.bit_length() - 2) if step > 2 else index
        return [x for k in range(0, count, 2) for x in _two_entries(b, name, place, k)][:count]
    if step > 1:
        place = b.add(b.shl(index, 1), index) if step == 3 else b.shl(index, step.bit_length() - 1)
    return [_entry(b, name, place, k) for k in range(count)]


def _two_entries(b: Builder, name: str, place: Reg, k: int) -> tuple[Reg, Reg]:
    """Entries 2 place + k and the next, per lane: loaded at once, in half the time of two gathers."""
    start = f"getelementptr (double, ptr @{name}, i64 {k})" if k else f"@{name}"
    found = []
    for lane in range(b.lanes):
        at = b.emit(f"extractelement {b.type('int64')} {place.text}, i32 {lane}", "int64")
        address = b.fresh("address")
        b.line(f"%{address} = getelementptr <2 x double>, ptr {start}, i64 {at.text}")
        found.append(b.emit(f"load <2 x double>, ptr %{address}, align 8", "float64").text)
    width = 2
    while len(found) > 1:
        order = ", ".join(f"i32 {k}" for k in range(2 * width))
        kind = f"<{width} x double>"
        joined = (
            f"shufflevector {kind} {x}, {kind} {y}, <{2 * width} x i32> <{order}>"
            for x, y in zip(found[::2], found[1::2], strict=True)
        )
        found = [b.emit(text, "float64").text for text in joined]
        width *= 2
    kind = f"<{width} x double>"
    orders = (", ".join(f"i32 {2 * k + limb}" for k in range(b.lanes)) for limb in (0, 1))
    high, low = (
        b.emit(f"shufflevector {kind} {found[0]}, {kind} poison, <{b.lanes} x i32> <{order}>", "float64")
        for order in orders
    )
    return high, low


def _entry(b: Builder, name: str, place: Reg, k: int) -> Reg:
    address = b.fresh("address")
    start = f"getelementptr (double, ptr @{name}, i64 {k})" if k else f"@{name}"
    b.line(f"%{address} = getelementptr double, ptr {start}, {b.type('int64')} {place.text}")
    if not b.lanes:
        return b.emit(f"load double, ptr %{address}, align 8", "float64")
    function = f"llvm.masked.gather.v{b.lanes}f64.v{b.lanes}p0"
    kind, mask, pointers = b.type("float64"), b.type("bool"), f"<{b.lanes} x ptr>"
    b.declarations.add(f"declare {kind} @{function}({pointers}, i32, {mask}, {kind})")
    return b.emit(
        f"call {kind} @{function}({pointers} %{address}, i32 8, {mask} splat (i1 true), {kind} poison)", "float64"
    )
