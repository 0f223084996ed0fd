"""gammaln and digamma: the argument is raised to 24 or more, where Stirling's series ends; reflection below 0.

Around 1 and 2, the roots of gammaln, a series in the distance; digamma is right to 2^-100 of 1 around its own root.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from math import comb, factorial

from symdl.backends.builder import Builder, Reg
from symdl.backends.vmath.arithmetic import round_half_even
from symdl.backends.vmath.forms import Pair, merge, polynomial
from symdl.backends.wide import arithmetic as a
from symdl.backends.wide import logarithm, numbers, pairs, tables, trigonometric
from symdl.backends.wide.numbers import Number
from symdl.number_forms import INFINITE

LOW = 24.0  # where Stirling's series begins
TERMS = 15
AROUND = 0.125  # distance from 1 and 2 up to which their series serves
NEAR_TERMS = 36


@cache
def bernoulli(n: int) -> Fraction:
    """The Bernoulli number B_n."""
    numbers_ = [Fraction(1)]
    for m in range(1, n + 1):
        numbers_.append(-sum((comb(m + 1, k) * numbers_[k] for k in range(m)), Fraction(0)) / (m + 1))
    return numbers_[n]


@cache
def euler_gamma() -> int:
    """Euler's constant (Brent and McMillan 1980), to 2^-180."""
    n, term, harmonic, above, below = 32, tables.ONE, 0, 0, 0
    for k in range(1, 260):
        below += term
        above += (term * harmonic) >> tables.BITS
        term = term * n * n // (k * k)
        harmonic += tables.ONE // k
    return tables.ratio(above, below) - 5 * tables.ln2()


@cache
def zeta(s: int) -> int:
    """zeta(s) for s > 1 (Borwein 2000), to 2^-150."""
    n = 64
    weights: list[int] = []
    total = 0
    for i in range(n + 1):
        total += (n * factorial(n + i - 1) << 2 * i) // (factorial(n - i) * factorial(2 * i))
        weights.append(total)
    found: int = sum((weights[k] - weights[n]) * (tables.ONE, -tables.ONE)[k % 2] // (k + 1) ** s for k in range(n))
    power = 1 << (s - 1)
    return -found * power // (weights[n] * (power - 1))


@cache
def _near_series() -> tuple[tuple[float, float], ...]:
    """Of log Gamma(1 + d)/d: -gamma, zeta(2)/2, -zeta(3)/3, ..."""
    rows = [-euler_gamma(), *((-1) ** k * zeta(k) // k for k in range(2, NEAR_TERMS))]
    return tuple(tables.two(x) for x in rows)


def _stirling(digamma: bool) -> tuple[Fraction, ...]:
    """B_2k/(2k (2k - 1)), or B_2k/(2k), k = 1 .. TERMS."""
    return tuple(bernoulli(2 * k) / (2 * k * (1 if digamma else 2 * k - 1)) for k in range(1, TERMS + 1))


def _fixed(b: Builder, number: int, slack: int = 4) -> Number:
    high, low = pairs.constant(b, tables.two(number))
    return numbers.normal(b, Number(high, low, b.const(0.0, "float64"), slack))


def _raised(b: Builder, x: Pair, reciprocals: bool) -> tuple[Pair, Pair]:
    """(x + n, the product of x + 1, ..., x + n - 1 or the sum of their reciprocals): x + n >= 24; n is 0 from there on."""
    start, turn, done = b.fresh("start"), b.fresh("turn"), b.fresh("done")
    zero, one = b.const(0.0, "float64"), b.const(1.0, "float64")
    first = x[0], x[1], zero if reciprocals else one, zero
    low = b.compare("lt", x[0], LOW)
    raised = pairs.choose(b, low, pairs.plus_float(b, x, one), x)
    b.line(f"br label %{start}")
    b.label(start)
    b.line(f"br label %{turn}")
    b.label(turn)
    names = [b.fresh("carried") for _ in range(4)]
    begin = raised[0], raised[1], first[2], first[3]
    carried = [
        merge(b, "float64", (v, start), (Reg(f"%{n}", "float64"), turn)) for v, n in zip(begin, names, strict=True)
    ]
    at, following, more = b.fresh("at"), b.fresh("next"), b.fresh("more")
    b.lines.insert(len(b.lines) - 4, f"  %{at} = phi i64 [ 0, %{start} ], [ %{following}, %{turn} ]")
    place, total = (carried[0], carried[1]), (carried[2], carried[3])
    take = b.compare("lt", place[0], LOW)
    grown = pairs.plus(b, total, pairs.over(b, (one, zero), place)) if reciprocals else pairs.times(b, total, place)
    total = pairs.choose(b, take, grown, total)
    place = pairs.choose(b, take, pairs.plus_float(b, place, one), place)
    for n, v in zip(names, (*place, *total), strict=True):
        b.line(f"%{n} = fadd {b.type('float64')} {v.text}, {b.const(-0.0, 'float64').text}")
    b.line(f"%{following} = add i64 %{at}, 1")
    b.line(f"%{more} = icmp ult i64 %{following}, {int(LOW)}")
    b.line(f"br i1 %{more}, label %{turn}, label %{done}")
    b.label(done)
    result = [Reg(f"%{n}", "float64") for n in names]
    return (result[0], result[1]), (result[2], result[3])


def _series(b: Builder, inverse: Pair, digamma: bool) -> Pair:
    """Stirling's series in 1/x^2."""
    rows = _stirling(digamma)
    return pairs.horner(
        b, inverse, tuple(map(tables.pair, rows[:7])), polynomial(b, inverse[0], tuple(map(float, rows[7:])))
    )


def _half_turns(b: Builder, x: Number) -> tuple[Number, Number, Reg]:
    """(|sin pi x|, cos pi x up to its sign, whether x is an integer)."""
    pair = numbers.ordinary(b, x)
    finite = b.compare("lt", b.fabs(pair[0]), 2.0**110)
    pair = b.select(finite, pair[0], 0.0), b.select(finite, pair[1], 0.0)
    rest = pairs.plus(b, pair, pairs.negative(b, pairs.whole(b, pair)))  # exact, in [-1/2, 1/2]
    quarter = round_half_even(b, b.add(rest[0], rest[0]))
    r = pairs.plus_float(b, rest, b.mul(quarter, -0.5))
    angle = pairs.times(b, r, pairs.constant(b, tables.two(tables.pi())))
    zero = b.const(0.0, "float64")
    sine, cosine = (
        numbers.normal(b, Number(*v, zero, 1), True) for v in trigonometric.turned(b, quarter, angle, (0, 1))
    )
    return sine, cosine, b.compare("eq", rest[0], 0.0)


def _reflected(b: Builder, x: Number) -> Reg:
    """Whether x is below 0, and not so near to it that -x does as well."""
    return b.and_(b.compare("lt", x.high, 0.0), b.compare("gt", x.exponent, -200.0))


def gammaln(b: Builder, x: Number) -> Number:
    """log|Gamma(x)|, 2^-98; between its roots below 0: 2^-98 of the larger of 1 and |x|."""
    x = numbers.normal(b, x)
    size = a.absolute(b, x)
    reflect = _reflected(b, x)
    zero, one = b.const(0.0, "float64"), a.fixed(b, 1)
    large = b.compare("gt", size.exponent, 6.0)
    pair = numbers.ordinary(b, a.choose(b, large, a.fixed(b, 64), size))
    raised, product = _raised(b, pair, False)
    above = a.choose(b, large, size, numbers.normal(b, Number(*raised, zero, 8)))
    low = b.compare("lt", pair[0], LOW)
    factor = a.choose(b, low, a.mul(b, Number(*product, zero, 120), size), one)
    finite = b.compare("lt", above.exponent, 2.0**59)
    safe = a.choose(b, finite, above, one)
    inverse = numbers.normal(b, a.div(b, one, safe))
    square = numbers.ordinary(b, a.mul(b, inverse, inverse))
    series = a.mul(b, inverse, Number(*_series(b, square, False), zero, 8))
    log = shared_log(b, safe)
    # (x - 1/2) (log x - 1) + (log 2 pi - 1)/2 + series
    main = a.mul(b, a.sub(b, safe, a.scaled(b, one, -1)), a.sub(b, log, one))
    offset = _fixed(b, tables.half_log_two_pi() - tables.ONE // 2)
    far = a.sub(b, a.add(b, main, a.add(b, offset, series)), shared_log(b, factor))
    # around 1 and 2
    second = b.compare("gt", pair[0], 1.5)
    d = pairs.plus_float(b, pair, b.select(second, b.const(-2.0, "float64"), -1.0))
    near = b.compare("le", b.fabs(d[0]), AROUND)
    d = b.select(near, d[0], 0.0), b.select(near, d[1], 0.0)
    rows = _near_series()
    close = pairs.times(b, d, pairs.horner(b, d, rows[:18], polynomial(b, d[0], tuple(high for high, _ in rows[18:]))))
    close_ = numbers.normal(b, Number(*close, zero, 8), True)
    d_ = numbers.normal(b, Number(*d, zero, 8), True)
    more = logarithm.log1p(b, d_)
    close_ = a.choose(b, second, a.add(b, close_, more), close_)
    value = a.choose(b, near, close_, far)
    value = a.choose(b, finite, value, size)
    # log pi - log(|x| |sin pi x|) - log Gamma|x|
    sine, _, whole = _half_turns(b, x)
    mirrored = shared_log(b, a.mul(b, size, a.absolute(b, sine)))
    mirrored = a.sub(b, a.sub(b, _fixed(b, tables.log_pi()), mirrored), value)
    value = a.choose(b, reflect, mirrored, value)
    pole = b.or_(b.compare("eq", x.high, 0.0), b.and_(reflect, whole))
    infinite = Number(b.const(float("inf"), "float64"), zero, b.const(INFINITE, "float64"))
    value = a.choose(b, pole, infinite, value)
    return a.choose(b, b.or_(b.compare("uno", x.high, x.high), b.compare("eq", x.high, -float("inf"))), x, value)


def digamma(b: Builder, x: Number) -> Number:
    """Gamma'(x)/Gamma(x), error 2^-99 of the larger of 1 and itself; for x < 0 digamma(1 - x) - pi/tan(pi x)."""
    x = numbers.normal(b, x)
    reflect = _reflected(b, x)
    zero, one = b.const(0.0, "float64"), a.fixed(b, 1)
    v = a.choose(b, reflect, a.sub(b, one, x), x)
    large = b.compare("gt", v.exponent, 6.0)
    pair = numbers.ordinary(b, a.choose(b, large, a.fixed(b, 64), v))
    raised, total = _raised(b, pair, True)
    above = a.choose(b, large, v, numbers.normal(b, Number(*raised, zero, 8)))
    finite = b.compare("lt", above.exponent, 2.0**59)
    safe = a.choose(b, finite, above, one)
    inverse = numbers.normal(b, a.div(b, one, safe))
    square = a.mul(b, inverse, inverse)
    series = a.mul(b, square, Number(*_series(b, numbers.ordinary(b, square), True), zero, 8))
    value = a.sub(b, a.sub(b, shared_log(b, safe), a.scaled(b, inverse, -1)), series)
    value = a.choose(b, finite, value, v)
    low = b.compare("lt", pair[0], LOW)
    nothing = a.fixed(b, 0)
    first = a.choose(b, low, a.div(b, one, v), nothing)
    steps = a.choose(b, low, numbers.normal(b, Number(*total, zero, 8), True), nothing)
    value = a.sub(b, a.sub(b, value, steps), first)
    sine, cosine, whole = _half_turns(b, x)
    turned = a.div(b, a.mul(b, _fixed(b, tables.pi()), cosine), sine)
    value = a.choose(b, reflect, a.sub(b, value, turned), value)
    lost = b.or_(b.and_(reflect, whole), b.compare("uno", x.high, x.high))
    value = Number(
        b.select(lost, float("nan"), value.high), b.select(lost, 0.0, value.low), value.exponent, value.slack
    )
    pole = b.compare("eq", x.high, 0.0)
    infinite = b.copysign(b.const(float("inf"), "float64"), b.fneg(x.high))
    return a.choose(b, pole, Number(infinite, zero, b.const(INFINITE, "float64")), value)


def shared_log(b: Builder, x: Number) -> Number:
    """log x by one function for all its uses."""
    return numbers.shared(b, "log", logarithm.log, x)
