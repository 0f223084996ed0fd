"""erf, erfc, erfcx and erfinv: a series below 1/2, the trapezoidal rule beyond (Chiarella and Reichel 1968), whose error for
a step h is exp(-pi^2/h^2)."""

from __future__ import annotations

import math
from fractions import Fraction

from symdl.backends.builder import Builder, Reg
from symdl.backends.vmath.error_function import erfcx as plain_erfcx
from symdl.backends.vmath.error_function import erfinv as plain_erfinv
from symdl.backends.vmath.forms import Pair, fast_two_sum, merge, polynomial, two_product, two_sum
from symdl.backends.vmath.logarithm import log as plain_log
from symdl.backends.wide import arithmetic as a
from symdl.backends.wide import exponential, numbers, pairs, tables
from symdl.backends.wide.numbers import Number
from symdl.number_forms import INFINITE

NEAR = 0.5
STEP = Fraction(11, 32)  # of the rule; its square times n^2 is a float
NODES = 26  # exp(-(n h)^2) beyond is below 2^-114
POLE = 9.0  # just below pi/h: the residue at x counts up to here
CLOSE = 2.0**-20  # so near 1 the low limb of an operand counts in the first digits of erfinv
HUGE = 60.0  # an exponent from which erfcx(x) is 1/(x sqrt(pi))
SERIES = tuple(Fraction((-1) ** k, math.factorial(k) * (2 * k + 1)) for k in range(22))  # erf(x) sqrt(pi)/(2x) in x^2


def _two_over_root_pi(b: Builder) -> Pair:
    return pairs.constant(b, tables.two(tables.ratio(2 * tables.ONE, tables.root_pi())))


def _small(b: Builder, x: Number) -> Number:
    """erf x for |x| <= 1/2, 2^-103."""
    z = numbers.ordinary(b, a.mul(b, x, x))
    first, rest = SERIES[:12], SERIES[12:]
    series = pairs.horner(b, z, tuple(map(tables.pair, first)), polynomial(b, z[0], tuple(map(float, rest))))
    total = pairs.times(b, series, _two_over_root_pi(b))
    return a.mul(b, x, Number(*total, b.const(0.0, "float64"), 1))


def gaussian(b: Builder, x: Number, sign: int) -> Number:
    """e^(sign x^2): the square has three limbs, since its absolute error counts. Saturates as exp does."""
    high, low = numbers.ordinary(b, x)
    near = b.compare("lt", b.fabs(high), 2.0**26)
    high, low = b.select(near, high, 2.0**26), b.select(near, low, 0.0)
    p, q = two_product(b, high, high)
    r, s = two_product(b, b.add(high, high), low)
    q, t = two_sum(b, q, r)
    p, q = fast_two_sum(b, p, q)
    third = b.add(t, b.fma(low, low, s))
    if sign < 0:
        p, q, third = b.fneg(p), b.fneg(q), b.fneg(third)
    grown = exponential.of_pair(b, (p, q))
    found = Number(grown.high, b.fma(grown.high, third, grown.low), grown.exponent, grown.slack)
    zero, infinity = b.const(0.0, "float64"), b.const(float("inf"), "float64")
    end = Number(infinity, zero, b.const(INFINITE, "float64")) if sign > 0 else a.fixed(b, 0)
    found = a.choose(b, b.compare("eq", b.fabs(x.high), infinity), end, found)
    nan = b.compare("uno", x.high, x.high)
    return Number(b.select(nan, float("nan"), found.high), b.select(nan, 0.0, found.low), found.exponent, found.slack)


def _rule(b: Builder, square: Pair) -> Pair:
    """1/(2 x^2) + the sum of exp(-(n h)^2)/((n h)^2 + x^2), n = 1 .. NODES; a loop."""
    rows: list[float] = []
    for k in range(1, NODES + 1):
        node = (k * STEP) ** 2
        rows += [float(node), *tables.two(tables.decay(node))]
    name = tables.table(b, "erfc_nodes", tuple(rows))
    start, turn, done = b.fresh("start"), b.fresh("turn"), b.fresh("done")
    half = b.const(0.5, "float64"), b.const(0.0, "float64")
    total = pairs.over(b, half, square)
    b.line(f"br label %{start}")
    b.label(start)
    b.line(f"br label %{turn}")
    b.label(turn)
    at, following = b.fresh("at"), b.fresh("next")
    b.line(f"%{at} = phi i64 [ 0, %{start} ], [ %{following}, %{turn} ]")
    names = b.fresh("high"), b.fresh("low")
    high, low = (
        merge(b, "float64", (v, start), (Reg(f"%{n}", "float64"), turn)) for v, n in zip(total, names, strict=True)
    )
    place, above, below = (_spread(b, name, at, k) for k in range(3))
    term = pairs.over(b, (above, below), pairs.plus_float(b, square, place))
    total = pairs.plus(b, (high, low), term)
    kind = b.type("float64")
    for label, v in zip(names, total, strict=True):
        b.line(f"%{label} = fadd {kind} {v.text}, {b.const(-0.0, 'float64').text}")
    b.line(f"%{following} = add i64 %{at}, 3")
    more = b.fresh("more")
    b.line(f"%{more} = icmp ult i64 %{following}, {3 * NODES}")
    b.line(f"br i1 %{more}, label %{turn}, label %{done}")
    b.label(done)
    return Reg(f"%{names[0]}", "float64"), Reg(f"%{names[1]}", "float64")


def _spread(b: Builder, table: str, at: str, k: int) -> Reg:
    """One entry of a table in every lane."""
    address, one = b.fresh("address"), b.fresh("entry")
    start = f"getelementptr (double, ptr @{table}, i64 {k})" if k else f"@{table}"
    b.line(f"%{address} = getelementptr double, ptr {start}, i64 %{at}")
    b.line(f"%{one} = load double, ptr %{address}, align 8")
    if not b.lanes:
        return Reg(f"%{one}", "float64")
    vector = b.type("float64")
    first = b.emit(f"insertelement {vector} poison, double %{one}, i32 0", "float64").text
    return b.emit(f"shufflevector {vector} {first}, {vector} poison, <{b.lanes} x i32> zeroinitializer", "float64")


def _far(b: Builder, x: Number) -> Number:
    """erfcx(x) for x >= 1/2, 2^-102."""
    huge = b.compare("gt", x.exponent, HUGE)
    near = a.choose(b, b.or_(huge, b.compare("lt", x.high, 0.0)), a.fixed(b, 2), x)
    near = a.choose(b, b.compare("lt", near.exponent, -1.0), a.fixed(b, 2), near)
    argument = numbers.ordinary(b, near)
    square = pairs.times(b, argument, argument)
    factor = tables.two(tables.ratio(tables.fixed(2 * STEP), tables.pi()))
    total = pairs.times(b, pairs.times(b, _rule(b, square), argument), pairs.constant(b, factor))
    # the residue: 2 e^(x^2)/(1 - e^(2 pi x/h))
    rate = tables.two(tables.ratio(2 * tables.pi(), tables.fixed(STEP)))
    inside = b.compare("lt", argument[0], POLE)
    held = pairs.choose(b, inside, argument, (b.const(1.0, "float64"), b.const(0.0, "float64")))
    one = a.fixed(b, 1)
    growth = exponential.of_pair(b, pairs.times(b, held, pairs.constant(b, rate)))
    zero = b.const(0.0, "float64")
    bell = gaussian(b, Number(*held, zero, 1), 1)
    residue = a.div(b, a.scaled(b, bell, 1), a.sub(b, one, growth))
    residue = a.choose(b, inside, residue, a.fixed(b, 0))
    value = a.add(b, Number(*total, zero, 64), residue)
    tail = Number(*pairs.constant(b, tables.two(tables.ratio(tables.ONE, tables.root_pi()))), zero, 1)
    return a.choose(b, huge, numbers.normal(b, a.div(b, tail, x)), value)


def _pieces(b: Builder, x: Number) -> tuple[Number, Number, Reg, Reg]:
    """(erf x where |x| < 1/2, erfcx|x| elsewhere, whether it is near, whether it is below 0)."""
    size = a.absolute(b, x)
    near = b.compare("lt", size.exponent, -1.0)
    return _small(b, a.choose(b, near, x, a.fixed(b, 0))), _far(b, size), near, b.compare("lt", x.high, 0.0)


def erf(b: Builder, x: Number) -> Number:
    """erf x, 2^-102."""
    x = numbers.normal(b, x)
    small, tail, near, _ = _pieces(b, x)
    rest = a.sub(b, a.fixed(b, 1), a.mul(b, tail, gaussian(b, x, -1)))
    return a.choose(b, near, numbers.normal(b, small), exponential.signed_as(b, rest, x))


def erfc(b: Builder, x: Number) -> Number:
    """1 - erf x, 2^-101."""
    x = numbers.normal(b, x)
    small, tail, near, below = _pieces(b, x)
    one = a.fixed(b, 1)
    value = a.mul(b, tail, gaussian(b, x, -1))
    value = a.choose(b, below, a.sub(b, a.fixed(b, 2), value), numbers.normal(b, value))
    return a.choose(b, near, a.sub(b, one, small), value)


def erfcx(b: Builder, x: Number) -> Number:
    """e^(x^2) erfc x, 2^-101."""
    x = numbers.normal(b, x)
    small, tail, near, below = _pieces(b, x)
    bell = gaussian(b, x, 1)
    low = a.sub(b, a.scaled(b, bell, 1), tail)
    inner = a.mul(b, bell, a.sub(b, a.fixed(b, 1), small))
    return a.choose(b, near, numbers.normal(b, inner), a.choose(b, below, low, tail))


def _inverse_tail(b: Builder, rest: Reg) -> Reg:
    """The y with erfc y = rest < 2^-20, of one limb, 2^-35: y^2 + log(y sqrt(pi)) is about -log rest; two steps of Newton
    on y^2 - log erfcx y, whose derivative is 2/(sqrt(pi) erfcx y)."""
    level = b.fneg(plain_log(b, rest))
    y = b.sqrt(b.sub(level, b.fma(plain_log(b, level), b.const(0.5, "float64"), 0.5 * math.log(math.pi))))
    for _ in range(2):
        tail = plain_erfcx(b, y)
        miss = b.sub(b.sub(b.mul(y, y), level), plain_log(b, tail))
        y = b.sub(y, b.mul(b.mul(miss, tail), 0.5 * math.sqrt(math.pi)))
    return y


def erfinv(b: Builder, x: Number) -> Number:
    """The y with erf y = x: an answer of one limb and two steps of Newton on the smaller of erf and erfc; 2^-98."""
    x = numbers.normal(b, x)
    size = a.absolute(b, x)
    one, slope = a.fixed(b, 1), Number(*_two_over_root_pi(b), b.const(0.0, "float64"), 1)
    start, rest = numbers.ordinary(b, size)[0], a.sub(b, one, size)
    left = numbers.ordinary(b, rest)[0]
    inside, close = b.compare("gt", left, 0.0), b.compare("lt", left, CLOSE)
    tail = _inverse_tail(b, b.select(b.and_(inside, close), left, CLOSE))
    guess = b.select(close, tail, plain_erfinv(b, b.select(close, 0.5, start)))
    y = numbers.from_pair(b, (guess, b.const(0.0, "float64")))
    for _ in range(2):
        high = b.compare("gt", start, 0.5)
        near, far = numbers.shared(b, "erf", erf, y), numbers.shared(b, "erfc", erfc, y)
        miss = a.choose(b, high, a.sub(b, rest, far), a.sub(b, near, size))
        y = a.sub(b, y, a.div(b, miss, a.mul(b, slope, gaussian(b, y, -1))))
    y = a.choose(b, b.compare("lt", size.exponent, -200.0), a.div(b, size, slope), y)
    y = numbers.normal(b, y)
    edge = b.select(b.compare("eq", left, 0.0), b.const(float("inf"), "float64"), float("nan"))
    found = Number(b.select(inside, y.high, edge), b.select(inside, y.low, 0.0), y.exponent)
    found = Number(found.high, found.low, b.select(inside, y.exponent, INFINITE))
    return exponential.signed_as(b, found, x)
