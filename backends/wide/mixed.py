"""Functions of two limbs whose result is wanted in one: f(high) by the function of float64, and f'(high) low; sums likewise.

A float64 whose function is wanted as a float32 is such a pair of float32, too. So what magnifies the error of its argument
costs little more than the plain function. With an exponent they are the full functions, rounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from symdl.backends import vmath
from symdl.backends.builder import BITS, Builder, Reg
from symdl.backends.vmath.error_function import single_erfc
from symdl.backends.vmath.exponential import exp as exp_of_sum
from symdl.backends.vmath.forms import Pair, inlined
from symdl.backends.wide import numbers

Mixed = Callable[[Builder, Pair], Reg]
_exp = inlined(exp_of_sum)


def _plain(b: Builder, name: str, x: Reg) -> Reg:
    return vmath.EMIT[name](b, x, dtype=x.dtype)


def _corrected(b: Builder, value: Reg, slope: Reg, low: Reg) -> Reg:
    """value + slope low; value itself where it is infinite, or low is 0 beside an infinite slope."""
    found = b.fma(slope, low, value)
    return b.select(b.compare("lt", b.fabs(found), float("inf")), found, value)


def _turned(b: Builder, value: Reg, slope: Reg, low: Reg) -> Reg:
    """value cos(low) + slope sin(low)."""
    return b.fma(slope, _plain(b, "sin", low), b.mul(value, _plain(b, "cos", low)))


def exp(b: Builder, x: Pair) -> Reg:
    """e^x: the low part joins what is left of the high one beside a multiple of ln 2."""
    return _exp(b, *x)


def exp2(b: Builder, x: Pair) -> Reg:
    """2^x."""
    value = _plain(b, "exp2", x[0])
    return _corrected(b, value, b.mul(value, math.log(2)), x[1])


def expm1(b: Builder, x: Pair) -> Reg:
    """e^x - 1."""
    value = _plain(b, "expm1", x[0])
    return _corrected(b, value, b.add(value, 1.0), x[1])


def sin(b: Builder, x: Pair) -> Reg:
    """sin x: sin h cos l + cos h sin l, since beside a large h the low limb is no small angle."""
    return _turned(b, _plain(b, "sin", x[0]), _plain(b, "cos", x[0]), x[1])


def cos(b: Builder, x: Pair) -> Reg:
    """cos x: cos h cos l - sin h sin l."""
    return _turned(b, _plain(b, "cos", x[0]), b.fneg(_plain(b, "sin", x[0])), x[1])


def tan(b: Builder, x: Pair) -> Reg:
    """tan x: tan h + (1 + tan^2 h) tan l / (1 - tan h tan l)."""
    value, other = _plain(b, "tan", x[0]), _plain(b, "tan", x[1])
    slope = b.div(b.fma(value, value, 1.0), b.fma(b.fneg(value), other, 1.0))
    return _corrected(b, value, slope, other)


def erfc(b: Builder, x: Pair) -> Reg:
    """erfc x."""
    slope = b.mul(_plain(b, "exp", b.fneg(b.mul(x[0], x[0]))), -2 / math.sqrt(math.pi))
    return _corrected(b, _plain(b, "erfc", x[0]), slope, x[1])


def logistic_tail(b: Builder, x: Pair) -> Reg:
    """1/(1 + e^|x|)."""
    value = _plain(b, "logistic_tail", x[0])
    sign = b.and_(b.bits(x[0]), -(1 << (BITS[x[0].dtype] - 1)))
    low = b.unbits(b.xor(b.bits(x[1]), sign))
    return _corrected(b, value, b.mul(value, b.sub(value, 1.0)), low)


def _logarithm(name: str, unit: float) -> Mixed:
    """The logarithm to a base whose natural logarithm is 1/unit."""

    def call(b: Builder, x: Pair) -> Reg:
        return _corrected(b, _plain(b, name, x[0]), b.div(b.const(unit, x[0].dtype), x[0]), x[1])

    return call


MIXED: dict[str, Mixed] = {
    "exp": exp,
    "exp2": exp2,
    "expm1": expm1,
    "sin": sin,
    "cos": cos,
    "tan": tan,
    "erfc": erfc,
    "logistic_tail": logistic_tail,
    "log": _logarithm("log", 1.0),
    "log2": _logarithm("log2", 1 / math.log(2)),
    "log10": _logarithm("log10", 1 / math.log(10)),
}


OF_DOUBLE: dict[str, Callable[[Builder, Reg], Reg]] = {"erfc": single_erfc}  # of a float32, too, computed in float64


def add(b: Builder, x: Pair, y: Pair) -> Reg:
    """x + y, 1 ulp: where the sum of the high limbs is rounded, it is so large that the low ones cannot cancel it."""
    return _beside(b, b.add(x[0], y[0]), b.add, x[1], y[1])


def sub(b: Builder, x: Pair, y: Pair) -> Reg:
    """x - y likewise."""
    return _beside(b, b.sub(x[0], y[0]), b.sub, x[1], y[1])


def _beside(b: Builder, high: Reg, join: Callable[[Reg, Reg], Reg], x: Reg, y: Reg) -> Reg:
    """A sum or difference of high limbs, and that of the low ones; where this is 0 or no number, the former keeps its sign."""
    if numbers.is_nothing(y):
        low, total = x, b.add(high, x)
    elif numbers.is_nothing(x):
        low, total = y, join(high, y)
    else:
        low = join(x, y)
        total = b.add(high, low)
    return high if numbers.is_nothing(low) else b.select(b.compare("one", low, 0.0), total, high)


SUMS: dict[str, Callable[[Builder, Pair, Pair], Reg]] = {"add": add, "sub": sub}


def emit(b: Builder, name: str, *args: Reg) -> Reg:
    """The function of a float64x2 as a float64, or of a float64 as a float32; a sum of numbers of either kind as
    a float64."""
    if name in SUMS:
        first, second = ((x, numbers.missing(b)) if x.dtype == "float64" else numbers.pair(b, x) for x in args)
        return SUMS[name](b, first, second)
    (x,) = args
    if x.dtype == "float64x2":
        return MIXED[name](b, numbers.pair(b, x))
    if name in OF_DOUBLE:
        return b.convert("fptrunc", OF_DOUBLE[name](b, x), "float32")
    high = b.convert("fptrunc", x, "float32")
    rest = b.sub(x, b.convert("fpext", high, "float64"))
    return MIXED[name](b, (high, b.convert("fptrunc", rest, "float32")))
