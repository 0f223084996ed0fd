"""Functions of float64 right to 2^-43 (tanh: 2^-40): what an attempt needs whose result is one float32, where a processor has a
table of 16 in two registers. Elsewhere the functions of `vmath` are no longer.

    e^x = 2^K 2^(j/16) (1 + g),  x = (K + j/16) ln 2 + r,  |r| < 0.0217,  g = e^r - 1 by five terms
    log x = K ln 2 - log c + log(1 + r),  x = 2^K m,  r = c m - 1,  |r| < 0.0304,  c one of 16 by m's first four digits

A step of the table is counted in units of K, so that n needs no product. BRIEF is keyed by the primitives' names behind PREFIX, ERROR
by the names themselves; sigmoid is no primitive: `exchanges` finds what it is written as. log is right to 2^-49, where it is near 0,
too, not relative to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from math import log as log_of

from symdl.backends.builder import Builder, Reg
from symdl.backends.vmath.forms import FORMAT, clamp, halves, horner, nearest, polynomial
from symdl.backends.vmath.registers import in_parts, scaled
from symdl.backends.vmath.sixteen import of_sixteen

PREFIX = "brief_"
STEPS = 16
LN2 = log_of(2)
UNIT = LN2 / STEPS
SERIES = (0.4999999999616276, 0.1666666666611849, 0.04166731963153319, 0.00833342661387628)  # (e^r - 1 - r)/r^2
TABLE = tuple(2.0 ** (j / STEPS) for j in range(STEPS))
RECIPROCALS = tuple(1 / (1 + (j + 0.5) / STEPS) for j in range(STEPS))
LOGARITHMS = tuple(-log_of(c) for c in RECIPROCALS)
LOG_SERIES = (  # (log(1 + r) - r)/r^2
    -0.5000000000176549, 0.3333333333657115, -0.2499998828649147, 0.19999984484225825, -0.1668871070092478,
    0.14308973920310647,
)  # fmt: skip
ERROR = {"exp": 2.0**-43.1, "logistic_tail": 2.0**-43.1, "tanh": 2.0**-40}


def _parts(b: Builder, x: Reg, factor: float = 1.0, times: float = 1.0) -> tuple[Reg, Reg, Reg, Reg]:
    """(n, word, t, r) with e^(factor x) = 2^floor(n) t/times e^(factor r), |factor x| <= 746; n is a multiple of 1/16, the word
    ends in that and twice the bias."""
    n, word = nearest(b, x, factor / log_of(2), 2 * FORMAT["float64"].bias, STEPS)
    r = b.fma(n, -log_of(2) / factor, x)  # times factor it is less than half a step
    name, table = ("sixteenths", TABLE) if times == 1.0 else ("minus_two_sixteenths", tuple(times * v for v in TABLE))
    return n, word, of_sixteen(b, name, table, word), r


def _less_one(b: Builder, r: Reg, factor: float = 1.0) -> Reg:
    """(e^(factor r) - 1)/factor."""
    return b.fma(b.mul(r, r), polynomial(b, r, [c * factor ** (k + 1) for k, c in enumerate(SERIES)]), r)


def _times_power(b: Builder, x: Reg, n: Reg, word: Reg) -> Reg:
    """x 2^floor(n), rounded once."""
    if in_parts(b):
        return scaled(b, x, n)
    half, rest = halves(b, b.lshr(word, STEPS.bit_length() - 1))
    return b.mul(b.mul(x, half), rest)


def log(b: Builder, x: Reg) -> Reg:
    """log x of a normal x > 0; of others what is no logarithm of a number within 2^-1022 and 2^1024."""
    form, bits = FORMAT["float64"], b.bits(x)
    place = b.lshr(bits, form.fraction - STEPS.bit_length() + 1)
    k = b.sub(b.unbits(b.add(b.lshr(bits, form.fraction), form.magic_bits)), form.magic + form.bias)
    m = b.unbits(b.or_(b.and_(bits, (1 << form.fraction) - 1), form.bias << form.fraction))
    r = b.fma(m, of_sixteen(b, "reciprocals_between", RECIPROCALS, place), -1.0)
    near = b.fma(k, LN2, of_sixteen(b, "logarithms_between", LOGARITHMS, place))
    return b.add(near, b.fma(b.mul(r, r), polynomial(b, r, LOG_SERIES), r))


def exp(b: Builder, x: Reg, largest: float = 710.0) -> Reg:
    """e^x; gradual underflow."""
    n, word, t, r = _parts(b, clamp(b, x, -746.0, largest))
    return _times_power(b, b.fma(t, _less_one(b, r), t), n, word)


def open_exp(b: Builder, x: Reg) -> Reg:
    """e^x, but of an x beyond 710 nobody knows what, with AVX-512: for attempts that fail there."""
    return exp(b, x, math.inf if in_parts(b) else 710.0)


def decay(b: Builder, x: Reg, largest: float = 710.0) -> Reg:
    """e^-x likewise."""
    n, word, t, r = _parts(b, clamp(b, x, -largest, 746.0), -1.0)
    return _times_power(b, b.fma(b.fneg(t), _less_one(b, r, -1.0), t), n, word)


def open_decay(b: Builder, x: Reg) -> Reg:
    """e^-x, but of an x below -710 likewise."""
    return decay(b, x, math.inf if in_parts(b) else 710.0)


def logistic_tail(b: Builder, x: Reg) -> Reg:
    """1/(1 + e^|x|) = q/(1 + q) with q = e^-|x|."""
    size = b.fabs(x)
    n, word, t, r = _parts(b, b.select(b.compare("gt", size, 746.0), 746.0, size), -1.0)
    q = _times_power(b, b.fma(b.fneg(t), _less_one(b, r, -1.0), t), n, word)
    return b.div(q, b.add(q, 1.0))


def sigmoid(b: Builder, x: Reg, largest: float = 746.0) -> Reg:
    """1/(1 + e^-x); 0 below -709."""
    n, word, t, r = _parts(b, clamp(b, x, -746.0, largest), -1.0)
    power = horner(b, r, (1.0, -1.0, *(c * (-1) ** k for k, c in enumerate(SERIES))))
    return b.div(b.const(1.0, "float64"), b.fma(_times_power(b, t, n, word), power, 1.0))


def open_sigmoid(b: Builder, x: Reg) -> Reg:
    """1/(1 + e^-x), but NaN of what is infinite or close to it, with AVX-512."""
    return sigmoid(b, x, math.inf if in_parts(b) else 746.0)


def tanh(b: Builder, x: Reg) -> Reg:
    """tanh|x| = -q/(q + 2) with q = e^(-2|x|) - 1 = (a - 1) - 2 a g, a a power of 2^(1/16)."""
    size = b.fabs(x)
    n, word, t, r = _parts(b, b.select(b.compare("gt", size, 20.0), 20.0, size), -2.0, -2.0)
    a = _times_power(b, t, n, word)  # times -2
    q = b.fma(a, _less_one(b, r, -2.0), b.fma(a, -0.5, -1.0))
    return b.copysign(b.div(q, b.add(q, 2.0)), x)


BRIEF: dict[str, Callable[..., Reg]] = {
    f"{PREFIX}{emit.__name__}": emit
    for emit in (exp, decay, log, tanh, logistic_tail, sigmoid, open_exp, open_decay, open_sigmoid)
}
