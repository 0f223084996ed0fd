"""float64e by the functions of float64: its 53 bits need no more, only its range does.

Where x lies beyond float64 on the small side, these functions are x or constant; on the large side they saturate, or a
logarithm or exponential takes over, which knows the exponent.
"""

from __future__ import annotations

from collections.abc import Callable

from symdl.backends import vmath
from symdl.backends.builder import Builder, Reg
from symdl.backends.vmath.arithmetic import round_half_even
from symdl.backends.vmath.forms import two_product, two_sum
from symdl.backends.wide import arithmetic as a
from symdl.backends.wide import numbers, tables
from symdl.backends.wide.exponential import bounded, ends, signed_as, thin_exp
from symdl.backends.wide.logarithm import thin_log
from symdl.backends.wide.numbers import Number
from symdl.number_forms import INFINITE, LARGEST

SMALL = -400.0  # an exponent below which x^2 is nothing beside x, or beside 1
LARGE = 60.0  # one from which 1 is nothing beside x


def from_float(b: Builder, x: Reg) -> Number:
    """A float64 that is 0, infinite, NaN or of ordinary size."""
    n = numbers.normal(b, Number(x, numbers.missing(b), b.const(0.0, "float64")), True)
    infinite = b.compare("eq", b.fabs(x), float("inf"))
    return Number(n.high, n.low, b.select(infinite, INFINITE, n.exponent))


def by_plain(name: str, odd: bool = True) -> Callable[[Builder, Number], Number]:
    """The function of float64. odd: it is x where x is small, else constant there."""

    def call(b: Builder, x: Number) -> Number:
        x = numbers.normal(b, x)
        found = from_float(b, vmath.EMIT[name](b, numbers.ordinary(b, x)[0], dtype="float64"))
        return a.choose(b, b.compare("lt", x.exponent, SMALL), x, found) if odd else found

    return call


def erf(b: Builder, x: Number) -> Number:
    """erf x; 2 x/sqrt(pi) where x is small."""
    x = numbers.normal(b, x)
    found = from_float(b, vmath.EMIT["erf"](b, numbers.ordinary(b, x)[0], dtype="float64"))
    slope = tables.limbs(tables.ratio(2 * tables.ONE, tables.root_pi()), 1)[0]
    near = numbers.normal(b, Number(b.mul(x.high, slope), x.low, x.exponent, 1))
    near = Number(near.high, near.low, b.select(b.compare("eq", x.high, 0.0), x.exponent, near.exponent))
    return a.choose(b, b.compare("lt", x.exponent, SMALL), near, found)


def _grown(b: Builder, x: Number, name: str, halved: bool) -> Number:
    """expm1, sinh or cosh: by the plain function up to |x| = 40, then by e^|x|."""
    x = numbers.normal(b, x)
    size = a.absolute(b, x)
    argument = numbers.ordinary(b, x)[0]
    large = b.compare("ge", argument if name == "expm1" else b.fabs(argument), 40.0)
    plain = from_float(b, vmath.EMIT[name](b, b.select(large, 1.0, argument), dtype="float64"))
    grown = thin_exp(b, size)
    grown = numbers.normal(b, a.scaled(b, grown, -1) if halved else grown)
    found = a.choose(b, large, grown if name != "sinh" else signed_as(b, grown, x), plain)
    return found if name == "cosh" else a.choose(b, b.compare("lt", x.exponent, SMALL), x, found)


def expm1(b: Builder, x: Number) -> Number:
    """e^x - 1."""
    return _grown(b, x, "expm1", False)


def sinh(b: Builder, x: Number) -> Number:
    """sinh x."""
    return _grown(b, x, "sinh", True)


def cosh(b: Builder, x: Number) -> Number:
    """cosh x."""
    return _grown(b, x, "cosh", True)


def exp2(b: Builder, x: Number) -> Number:
    """2^x: of the fraction by the plain function; as at +-2^50 beyond."""
    held, _ = bounded(b, numbers.ordinary(b, x), LARGEST)
    whole = round_half_even(b, held)
    fraction = vmath.EMIT["exp2"](b, b.sub(held, whole), dtype="float64")
    return ends(b, x.high, Number(fraction, numbers.missing(b), whole, 1))


def logistic_tail(b: Builder, x: Number) -> Number:
    """1/(1 + e^|x|)."""
    q = thin_exp(b, a.negative(b, a.absolute(b, numbers.normal(b, x))))
    return a.div(b, q, a.add(b, a.fixed(b, 1), q))


def _logarithmic(name: str, doubled: bool, signed: bool) -> Callable[[Builder, Number], Number]:
    """log1p, arcsinh or arccosh: the plain function, log |x| (doubled: log 2|x|) where 1 is nothing beside x."""

    def call(b: Builder, x: Number) -> Number:
        x = numbers.normal(b, x)
        large = b.compare("gt", x.exponent, LARGE)
        if not signed:
            large = b.and_(large, b.compare("gt", x.high, 0.0))
        argument = numbers.ordinary(b, x)[0]
        plain = from_float(b, vmath.EMIT[name](b, b.select(large, 1.0, argument), dtype="float64"))
        size = a.absolute(b, x)
        far = thin_log(b, a.scaled(b, size, 1) if doubled else size)
        found = a.choose(b, large, signed_as(b, far, x) if signed else far, plain)
        return found if name == "arccosh" else a.choose(b, b.compare("lt", x.exponent, SMALL), x, found)

    return call


log1p = _logarithmic("log1p", False, False)
arcsinh = _logarithmic("arcsinh", True, True)
arccosh = _logarithmic("arccosh", True, False)


def _to_base(name: str, base: Callable[[], int]) -> Callable[[Builder, Number], Number]:
    """log2 or log10: of the fraction by the plain function, and the exponent times a constant of two limbs."""

    def call(b: Builder, x: Number) -> Number:
        x = numbers.normal(b, x)
        usual = b.compare("lt", b.fabs(x.exponent), 2.0**59)
        k = b.select(usual, x.exponent, 0.0)
        up = b.compare("gt", b.fabs(x.high), 1.4142135623730951)  # the logarithm of a fraction near 1 shall not cancel
        fraction, k = b.select(up, b.mul(x.high, 0.5), x.high), b.select(up, b.add(k, 1.0), k)
        log = vmath.EMIT[name](b, fraction, dtype="float64")
        unit = tables.two(tables.ratio(tables.ln2(), base()))
        product, rest = two_product(b, k, b.const(unit[0], "float64"))
        high, low = two_sum(b, product, log)
        total = b.add(high, b.add(low, b.fma(k, unit[1], rest)))
        usual = b.compare("eq", b.sub(log, log), 0.0)
        return from_float(b, b.select(usual, total, log))

    return call


log2 = _to_base("log2", tables.ln2)
log10 = _to_base("log10", tables.ln10)
