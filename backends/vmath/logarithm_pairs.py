"""log x as a pair, to 2^-64 of itself and better: what a power magnifies.

Where a processor has a table of 16 in two registers (AVX-512), x = 2^k m, m within half a step of 1 + j/16, c the reciprocal of that:

    log x = (k ln 2 - log c) + log(1 + r),   r = c m - 1,  |r| <= 1/32    (P. T. P. Tang 1990)

c m is taken exactly, as p + e, so that r = p - 1 is, and log c has a short high half, so that the first sum is. For x near 1
both k and log c are 0 and r is x - 1. Elsewhere log m = 2 artanh(s), s = (m - 1)/(m + 1) as a quotient of pairs.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from functools import cache

from symdl.backends.builder import Builder, Reg
from symdl.backends.vmath.forms import FORMAT, Pair, divide_pairs, fast_two_sum, polynomial, two_product
from symdl.backends.vmath.logarithm import SMALLEST_NORMAL, binade
from symdl.backends.vmath.sixteen import STEPS, of_sixteen

# ln 2 = high + low; the first has 42 bits, so that its product with an exponent is exact
LN2_PARTS = (0.6931471805598903, 5.497923018708371e-14)
# 2 artanh(s) = 2s + s^3 (2/3 + s^2 P(s^2)): P on [0, 0.0295], minimax, error relative to the logarithm: 7.3e-23
TWO_THIRDS = (0.6666666666666666, 3.700743415417188e-17)
TAIL = (
    0.3999999999999998,
    0.28571428571445157,
    0.22222222217525156,
    0.1818181887170663,
    0.1538455677575175,
    0.13336321093544262,
    0.11674743721557537,
    0.11989637560077683,
)
# (log(1 + r) - r + r^2/2)/r^3 on |r| <= 1/32, minimax, error relative to r: 3e-21
NEAR_ONE = (
    0.3333333333333333,
    -0.2499999999999918,
    0.19999999999997004,
    -0.16666666673476194,
    0.14285714299341667,
    -0.12499981234393545,
    0.11111084520810648,
    -0.10021088988838132,
    0.09114363567882892,
)
SHORT = 2.0**42  # high halves are multiples of 1/SHORT


@cache
def tables() -> tuple[tuple[float, ...], ...]:
    """The reciprocals c, and -log c as high and low halves."""
    reciprocals = tuple(1 / (1 + j / STEPS) for j in range(STEPS))
    with localcontext(prec=60):
        exact = [-Decimal(c).ln() for c in reciprocals]
        high = tuple(float(round(x * Decimal(SHORT)) / Decimal(SHORT)) for x in exact)
        return reciprocals, high, tuple(float(x - Decimal(h)) for x, h in zip(exact, high, strict=True))


def as_normal(b: Builder, x: Reg) -> tuple[Reg, Reg]:
    """(a normal number, shift): x = 2^shift times it, for a finite x > 0. Float64."""
    form, small = FORMAT["float64"], b.compare("lt", x, SMALLEST_NORMAL["float64"])
    shift = b.select(small, b.const(-float(form.fraction), "float64"), 0.0)
    return b.select(small, b.mul(x, 2.0**form.fraction), x), shift


def log_pair(b: Builder, x: Reg, shift: Reg) -> Pair:
    """log(2^shift x) for a normal x > 0. Float64."""
    return _by_table(b, x, shift) if b.permutes else _by_series(b, x, shift)


def _by_table(b: Builder, x: Reg, shift: Reg) -> Pair:
    form, bits = FORMAT["float64"], b.bits(x)
    near = b.add(bits, 1 << (form.fraction - STEPS.bit_length()))  # by half a step
    whole = b.lshr(near, form.fraction)
    m = b.unbits(b.sub(b.add(bits, form.bias << form.fraction), b.shl(whole, form.fraction)))
    k = b.add(b.sub(b.unbits(b.add(whole, form.magic_bits)), form.magic + form.bias), shift)
    place = b.lshr(near, form.fraction - STEPS.bit_length() + 1)
    names = "reciprocals", "logarithms", "logarithms_low"
    c, log_c, log_c_low = (of_sixteen(b, name, t, place) for name, t in zip(names, tables(), strict=True))
    p, e = two_product(b, m, c)
    r = b.sub(p, 1.0)
    e = b.fma(r, b.fneg(b.fma(r, b.fneg(e), e)), e)  # e/(1 + r)
    start = b.fma(k, LN2_PARTS[0], log_c)  # exact, and 0 or larger than r
    total, rest = fast_two_sum(b, start, r)
    minus_half = b.mul(r, -0.5)
    square, square_low = two_product(b, minus_half, r)
    high, more = fast_two_sum(b, total, square)
    low = b.fma(b.mul(b.mul(r, r), r), polynomial(b, r, NEAR_ONE), b.add(b.fma(k, LN2_PARTS[1], log_c_low), e))
    return fast_two_sum(b, high, b.add(b.add(rest, more), b.add(square_low, low)))


def _by_series(b: Builder, x: Reg, shift: Reg) -> Pair:
    k, m = binade(b, x)
    k = b.add(k, shift)
    f = b.sub(m, 1.0)  # exact
    g, g_low = fast_two_sum(b, b.const(2.0, "float64"), f)
    s, s_low = divide_pairs(b, (f, b.const(0.0, "float64")), (g, g_low))
    z, z_low = two_product(b, s, s)
    z_low = b.fma(b.add(s, s), s_low, z_low)
    q, q_low = fast_two_sum(b, b.const(TWO_THIRDS[0], "float64"), b.mul(z, polynomial(b, z, TAIL)))
    cube, cube_low = two_product(b, s, z)
    cube_low = b.add(cube_low, b.fma(s, z_low, b.mul(s_low, z)))
    high, low = two_product(b, cube, q)
    low = b.add(low, b.fma(cube, b.add(q_low, TWO_THIRDS[1]), b.mul(cube_low, q)))
    # k ln 2 + 2s + (high, low): the first product is exact and, for k != 0, the largest
    total, rest = fast_two_sum(b, b.mul(k, LN2_PARTS[0]), b.add(s, s))
    total, more = fast_two_sum(b, total, high)
    rest = b.add(b.add(rest, more), b.add(low, b.fma(s_low, 2.0, b.mul(k, LN2_PARTS[1]))))
    return fast_two_sum(b, total, rest)
