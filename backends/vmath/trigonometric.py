"""sin, cos and tan for every argument: x = n pi/2 + r + c with |r| <= pi/4, by Cody and Waite, by Payne and Hanek when huge.

The second reduction (1983) multiplies the integer fraction of x by the bits of 2/pi that matter and stands behind a
branch, so these functions are out of line.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from symdl.backends.builder import Builder, Reg
from symdl.backends.vmath.forms import (
    FORMAT,
    Pair,
    any_lane,
    chosen,
    divide_pairs,
    fast_two_sum,
    lookup,
    merge,
    outlined,
    steady_polynomial,
    through_double,
    two_product,
    two_sum,
)
from symdl.backends.vmath.registers import in_parts

# (sin(r) - r)/r^3 and (cos(r) - 1 + r^2/2)/r^4 in z = r^2 on |r| <= pi/4, minimax, relative errors:
# sin 4.4e-9 (float32), 4.4e-18 (float64); cos 1.4e-10 and 7e-20
SIN = {
    "float32": (
        -0.16666653752326965,
        0.008332101628184319,
        -0.00019506848184391856,
    ),
    "float64": (
        -0.16666666666666627,
        0.008333333333321079,
        -0.00019841269828700938,
        2.755731329623007e-06,
        -2.5050694549642573e-08,
        1.5893028391647277e-10,
    ),
}
COS = {
    "float32": (
        0.04166664555668831,
        -0.0013887297827750444,
        2.4430084522464313e-05,
    ),
    "float64": (
        0.04166666666666658,
        -0.001388888888887097,
        2.4801587287528005e-05,
        -2.7557313791594683e-07,
        2.0875647496160013e-09,
        -1.1355744420157951e-11,
    ),
}
TWO_OVER_PI = 0.6366197723675814
# pi/2 in parts of 33 bits, exact when multiplied by n < 2^20, and the rest
HALF_PI = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21, 8.4784276603689e-32)
# pi/2 as a float64, a part of 33 bits, and the rest: with a fused multiply-add
HALF_PI_FUSED = (1.5707963267948966, 6.12323399538461e-17, 3.5215598651832e-27)
# pi/2 in parts of 24 bits: with a fused multiply-add each product counts as exact
HALF_PI_FLOAT32 = (1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15)
# arguments that the first reduction serves
DIRECT = {"float32": 1e5, "float64": 1e6}
# 64 zeros and the first 1216 bits of 2/pi: enough for an exponent of 1023
TABLE = (
    0x0000000000000000,
    0xA2F9836E4E441529,
    0xFC2757D1F534DDC0,
    0xDB6295993C439041,
    0xFE5163ABDEBBC561,
    0xB7246E3A424DD2E0,
    0x06492EEA09D1921C,
    0xFE1DEB1CB129A73E,
    0xE88235F52EBB4484,
    0xE99C7026B45F7E41,
    0x3991D639835339F4,
    0x9C845F8BBDF9283B,
    0x1FF897FFDE05980F,
    0xEF2F118B5A0A6D1F,
    0x6D367ECF27CB09B7,
    0x4F463F669E5FEA2D,
    0x7527BAC7EBE5F17B,
    0x3D0739F78A5292EA,
    0x6BFB5FB11F8D5D08,
    0x56033046FC7B6BAB,
)

Reduced = tuple[Reg, Reg, Reg]  # n as int64 (float32: int32), r, c


def _cody_waite(b: Builder, x: Reg) -> Reduced:
    """Float64, |x| <= 10^6: r and c are right to 2^-110 absolutely.

    Fused, the first difference is exact, since it is below 1 and a multiple of 2^-52, or of x's last place. Where it is
    below the second product, it has so few digits that the second one is exact, too; elsewhere what that loses is a float.
    """
    shifted = b.fma(x, TWO_OVER_PI, FORMAT["float64"].magic)
    n = b.sub(shifted, FORMAT["float64"].magic)
    if b.fused:
        first = b.fma(n, -HALF_PI_FUSED[0], x)
        r = b.fma(n, -HALF_PI_FUSED[1], first)
        lost = b.fma(n, -HALF_PI_FUSED[1], b.sub(first, r))
        return b.bits(shifted), r, b.fma(n, -HALF_PI_FUSED[2], lost)
    r = b.fma(n, -HALF_PI[0], x)  # exact without fusing, too
    r, low = two_sum(b, r, b.mul(n, -HALF_PI[1]))
    r, more = two_sum(b, r, b.mul(n, -HALF_PI[2]))
    low = b.fma(n, -HALF_PI[3], b.add(low, more))
    return (b.bits(shifted), *fast_two_sum(b, r, low))


def _multiply_high(b: Builder, x: Reg, y: Reg) -> Reg:
    """The upper 64 bits of the product of two uint64."""
    mask = (1 << 32) - 1
    (xh, xl), (yh, yl) = ((b.lshr(v, 32), b.and_(v, mask)) for v in (x, y))
    low = b.lshr(b.mul(xl, yl), 32)
    middle = b.add(b.mul(xh, yl), low)
    other = b.add(b.mul(xl, yh), b.and_(middle, mask))
    return b.add(b.add(b.mul(xh, yh), b.lshr(middle, 32)), b.lshr(other, 32))


def _payne_hanek(b: Builder, x: Reg) -> Reduced:
    """Float64, |x| >= 2^16: m 2^e times the 192 bits of 2/pi that start at weight 2 / 2^e, modulo 4."""
    numbers = ", ".join(f"i64 {word}" for word in TABLE)
    b.declarations.add(f"@symdl_two_over_pi = internal constant [{len(TABLE)} x i64] [{numbers}]")
    pattern = b.bits(x)
    exponent = b.and_(b.lshr(pattern, 52), 0x7FF)
    m = Reg(b.or_(b.and_(pattern, (1 << 52) - 1), 1 << 52).text, "uint64")
    # bit e - 1 of the fraction of 2/pi, e = exponent - 1075, has weight 2 in the product; 64 zeros stand before
    first = b.sub(exponent, 1013)
    first = b.select(b.compare("lt", first, 0), 0, first)  # lanes that do not come here
    index, shift = b.lshr(first, 6), b.and_(first, 63)
    words = [lookup(b, "symdl_two_over_pi", b.add(index, k) if k else index) for k in range(4)]
    rest = b.sub(63, shift)
    window = [
        Reg(b.or_(b.shl(w, shift), b.lshr(b.lshr(following, 1), rest)).text, "uint64")
        for w, following in pairwise(words)
    ]
    middle = b.mul(m, window[1])
    low = b.add(middle, _multiply_high(b, m, window[2]))
    carry = b.convert("zext", b.compare("lt", low, middle), "uint64")
    high = b.add(b.add(b.mul(m, window[0]), _multiply_high(b, m, window[1])), carry)
    # two bits of quadrant, then a fraction of 126 bits that is read as signed
    fraction = b.or_(b.shl(high, 2), b.lshr(low, 62))
    n = b.add(b.lshr(high, 62), b.lshr(fraction, 63))
    low = b.shl(low, 2)
    signed = Reg(fraction.text, "int64")
    pieces = [
        b.mul(_small_float(b, piece), 2.0**-weight)
        for piece, weight in (
            (b.ashr(signed, 32), 32),
            (b.and_(signed, (1 << 32) - 1), 64),
            (b.lshr(low, 32), 96),
            (b.and_(low, (1 << 32) - 1), 128),
        )
    ]
    f, error = fast_two_sum(b, pieces[0], pieces[1])
    f, error = fast_two_sum(b, f, b.add(error, b.add(pieces[2], pieces[3])))
    r, c = two_product(b, f, b.const(1.5707963267948966, "float64"))
    c = b.add(c, b.fma(f, 6.123233995736766e-17, b.mul(error, 1.5707963267948966)))
    r, c = fast_two_sum(b, r, c)
    negative = b.compare("lt", pattern, 0)
    n = Reg(n.text, "int64")
    flip = b.select(negative, b.const(-1.0, "float64"), 1.0)
    return b.select(negative, b.neg(n), n), b.mul(r, flip), b.mul(c, flip)


def _small_float(b: Builder, i: Reg) -> Reg:
    """The float64 of an integer of 33 bits: AVX2 has no conversion from int64."""
    form = FORMAT["float64"]
    return b.sub(b.unbits(b.add(Reg(i.text, "int64"), form.magic_bits)), form.magic)


def _reduced(b: Builder, x: Reg) -> Reduced:
    """The reduction that fits, per lane; the second one only if some lane needs it."""
    wide = x if x.dtype == "float64" else None
    if wide is not None:
        near = _cody_waite(b, wide)
    elif b.fused:
        shifted = b.fma(x, TWO_OVER_PI, FORMAT["float32"].magic)
        n = b.sub(shifted, FORMAT["float32"].magic)
        r = x
        for part in HALF_PI_FLOAT32:
            r = b.fma(n, -part, r)
        near = (b.bits(shifted), r, b.const(0.0, "float32"))
    else:
        double = b.convert("fpext", x, "float64")
        shifted = b.add(b.mul(double, TWO_OVER_PI), FORMAT["float64"].magic)
        n = b.sub(shifted, FORMAT["float64"].magic)
        r = b.sub(b.sub(double, b.mul(n, HALF_PI[0])), b.mul(n, 6.077100506506192e-11))
        near = (
            b.convert("trunc", b.bits(shifted), "int32"),
            b.convert("fptrunc", r, "float32"),
            b.const(0.0, "float32"),
        )
    far = b.compare("gt", b.fabs(x), DIRECT[x.dtype])
    b.line(f"br i1 {any_lane(b, far).text}, label %far, label %join")
    near_label = "entry"
    b.label("far")
    n, r, c = _payne_hanek(b, b.convert("fpext", x, "float64"))
    if wide is None:
        n, r, c = b.convert("trunc", n, "int32"), b.convert("fptrunc", r, "float32"), near[2]
    r = b.select(b.compare("lt", b.fabs(x), float("inf")), r, float("nan"))
    others = tuple(b.select(far, v, w) for v, w in zip((n, r, c), near, strict=True))
    b.line("br label %join")
    b.label("join")
    n, r, c = (merge(b, v.dtype, (v, near_label), (w, "far")) for v, w in zip(near, others, strict=True))
    return n, r, c


def sin_parts(b: Builder, r: Reg, c: Reg) -> Pair:
    """sin(r + c), |r| <= pi/4, as r and the rest."""
    z = b.mul(r, r)
    return r, b.fma(b.mul(z, r), steady_polynomial(b, z, SIN[r.dtype]), b.mul(c, b.fma(z, -0.5, 1.0)))


def cos_parts(b: Builder, r: Reg, c: Reg) -> Pair:
    """cos(r + c), |r| <= pi/4, as 1 - z/2 rounded and the rest, to which the error of that is added again."""
    z = b.mul(r, r)
    w, lost = _parabola(b, z)
    lost = lost if r.dtype == "float32" else b.fma(b.fneg(r), c, lost)
    return w, b.fma(b.mul(z, z), steady_polynomial(b, z, COS[r.dtype]), lost)


def _parabola(b: Builder, z: Reg) -> Pair:
    """1 - z/2 for 0 <= z < 1, as its nearest float and what that has lost."""
    w = b.fma(z, -0.5, 1.0)
    return w, b.fma(z, -0.5, b.sub(1.0, w))


def sin_reduced(b: Builder, r: Reg, c: Reg) -> Reg:
    """sin(r + c), |r| <= pi/4."""
    if r.dtype == "float32":  # there c is 0
        z = b.mul(r, r)
        return b.fma(b.mul(z, r), steady_polynomial(b, z, SIN["float32"]), r)
    return b.add(*sin_parts(b, r, c))


def cos_reduced(b: Builder, r: Reg, c: Reg) -> Reg:
    """cos(r + c), |r| <= pi/4."""
    return b.add(*cos_parts(b, r, c))


def _either(b: Builder, odd: Reg, r: Reg, c: Reg) -> Reg:
    """cos(r + c) where odd, else sin(r + c), |r| <= pi/4."""
    if r.dtype == "float32" or not in_parts(b):
        return b.select(odd, cos_reduced(b, r, c), sin_reduced(b, r, c))
    z = b.mul(r, r)  # to the same bits with one polynomial
    w, lost = _parabola(b, z)
    rest = b.select(odd, b.fma(b.fneg(r), c, lost), b.mul(c, w))
    coefficients = chosen(b, odd, COS[r.dtype], SIN[r.dtype], r.dtype)
    return b.add(b.select(odd, w, r), b.fma(b.mul(z, b.select(odd, z, r)), steady_polynomial(b, z, coefficients), rest))


def _bit(b: Builder, n: Reg, mask: int) -> Reg:
    return b.compare("ne", b.and_(n, mask), 0)


def _turned(quarter: int) -> Callable[[Builder, Reg], Reg]:
    """sin(x + quarter pi/2)."""

    def emit(b: Builder, x: Reg) -> Reg:
        n, r, c = _reduced(b, x)
        n = b.add(n, quarter) if quarter else n
        value = _either(b, _bit(b, n, 1), r, c)
        value = b.select(_bit(b, n, 2), b.fneg(value), value)
        return value if quarter else b.select(b.compare("eq", x, 0.0), x, value)

    return emit


def _tan(b: Builder, x: Reg) -> Reg:
    """tan x as the quotient of two pairs."""
    n, r, c = _reduced(b, x)
    sine, cosine = fast_two_sum(b, *sin_parts(b, r, c)), fast_two_sum(b, *cos_parts(b, r, c))
    odd = _bit(b, n, 1)
    top = b.select(odd, b.fneg(cosine[0]), sine[0]), b.select(odd, b.fneg(cosine[1]), sine[1])
    below = b.select(odd, sine[0], cosine[0]), b.select(odd, sine[1], cosine[1])
    value = b.add(*divide_pairs(b, top, below))
    return b.select(b.compare("eq", x, 0.0), x, value)


sin = outlined("sin", _turned(0))
cos = outlined("cos", _turned(1))
tan = through_double(outlined("tan", _tan))
