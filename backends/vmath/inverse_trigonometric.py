"""arcsin, arccos, arctan and arctan2: one polynomial each on a short interval, the rest by identities."""

from __future__ import annotations

from symdl.backends.builder import Builder, Reg
from symdl.backends.vmath.forms import outlined, polynomial

# (arcsin(x) - x)/x^3 in z = x^2 on [0, 1/4], Chebyshev, error relative to arcsin: 1.7e-8 (float32), 5e-18 (float64)
ARCSIN = {
    "float32": (
        0.16666672427703408,
        0.07498852962262084,
        0.0450018940882998,
        0.026550662963657472,
        0.038093962148042254,
    ),
    "float64": (
        0.16666666666666669,
        0.07499999999998425,
        0.04464285714637338,
        0.030381944137085216,
        0.022372173002005596,
        0.017352391265909227,
        0.013971235301124539,
        0.011478952690257387,
        0.010324318288744113,
        0.00545087818772055,
        0.017419357964884856,
        -0.014881409392818066,
        0.02877844261259304,
    ),
}
# (arctan(x) - x)/x^3 in z = x^2 on [0, tan(1/2)^2], Chebyshev, relative error 4.5e-9 (float32), 5.4e-18 (float64)
ARCTAN = {
    "float32": (
        -0.3333333134651184,
        0.19999727606773376,
        -0.14274893701076508,
        0.10950350761413574,
        -0.07972607761621475,
        0.03801279515028,
    ),
    "float64": (
        -0.3333333333333333,
        0.19999999999999762,
        -0.14285714285662374,
        0.11111111106628732,
        -0.09090908888282673,
        0.07692302183832775,
        -0.06666569167125434,
        0.05881173710116238,
        -0.05253123631568424,
        0.04700886759465037,
        -0.04081347735649769,
        0.03167615541653418,
        -0.018632194843553572,
        0.005873031620395398,
    ),
}
# pi/2 = high + low
HALF_PI = {
    "float32": (1.5707963705062866, -4.371138828673793e-08),
    "float64": (1.5707963267948966, 6.123233995736766e-17),
}
TAN_HALF = 0.5463024898437905  # beyond it the angle is above 1/2, where a unit in the last place is twice as large


def _halves(b: Builder, x: Reg) -> tuple[Reg, Reg, Reg]:
    """(inner, v, w): v = x if |x| <= 1/2, else sqrt((1 - |x|)/2), of which |x| = cos(2 arcsin v); w = arcsin(v) - v."""
    size = b.fabs(x)
    inner = b.compare("le", size, 0.5)
    half = b.mul(b.sub(1.0, size), 0.5)
    z = b.select(inner, b.mul(x, x), half)
    v = b.select(inner, size, b.sqrt(half))
    return inner, v, b.mul(b.mul(v, z), polynomial(b, z, ARCSIN[x.dtype]))


def arcsin(b: Builder, x: Reg) -> Reg:
    """arcsin x, beyond 1/2 as pi/2 - 2 arcsin sqrt((1 - x)/2)."""
    high, low = HALF_PI[x.dtype]
    inner, v, w = _halves(b, x)
    outer = b.sub(high, b.sub(b.mul(v, 2.0), b.fma(w, -2.0, low)))
    return b.copysign(b.select(inner, b.add(v, w), outer), x)


def arccos(b: Builder, x: Reg) -> Reg:
    """pi/2 - arcsin x, near 1 as 2 arcsin sqrt((1 - x)/2), near -1 as pi less that."""
    high, low = HALF_PI[x.dtype]
    inner, v, w = _halves(b, x)
    negative = b.compare("lt", x, 0.0)
    signed_v, signed_w = b.copysign(v, x), b.copysign(w, x)
    center = b.sub(high, b.sub(signed_v, b.sub(low, signed_w)))
    twice = b.mul(b.add(v, w), 2.0)
    left = b.sub(2.0 * high, b.sub(b.mul(v, 2.0), b.fma(w, -2.0, 2.0 * low)))
    return b.select(inner, center, b.select(negative, left, twice))


def _angle(b: Builder, y: Reg, x: Reg, left: Reg | None) -> Reg:
    """The angle of (x, y), x and y >= 0, or of (-x, y) in the lanes `left`: base + arctan t with |t| <= tan(1/2)."""
    high, low = HALF_PI[y.dtype]
    flat = b.compare("lt", y, b.mul(x, TAN_HALF))
    middle = b.compare("lt", y, b.mul(x, 1.0 + 2.0**0.5))
    top = b.select(flat, y, b.select(middle, b.sub(y, x), b.fneg(x)))
    below = b.select(flat, x, b.select(middle, b.add(y, x), y))
    t = b.div(top, below)
    z = b.mul(t, t)
    rest = b.mul(b.mul(t, z), polynomial(b, z, ARCTAN[y.dtype]))
    base, base_low = (
        b.select(flat, b.const(0.0, y.dtype), b.select(middle, b.const(0.5 * part, y.dtype), part))
        for part in (high, low)
    )
    if left is not None:  # pi less the angle
        base = b.select(left, b.sub(2.0 * high, base), base)
        base_low = b.select(left, b.sub(2.0 * low, base_low), base_low)
        t, rest = (b.select(left, b.fneg(v), v) for v in (t, rest))
    return b.add(base, b.add(t, b.add(rest, base_low)))


def arctan(b: Builder, x: Reg) -> Reg:
    """arctan|x| is the angle of (1, |x|)."""
    return b.copysign(_angle(b, b.fabs(x), b.const(1.0, x.dtype), None), x)


def _arctan2(b: Builder, y: Reg, x: Reg) -> Reg:
    """The angle of the point (x, y), with the sign of y; zeros and infinities as C99 says."""
    height, width = b.fabs(y), b.fabs(x)
    large, infinity = (2.0**100, float("inf")) if y.dtype == "float32" else (2.0**1000, float("inf"))
    # so that their sum does not overflow
    huge = b.or_(b.compare("gt", height, large), b.compare("gt", width, large))
    # so that the bounds between the cases are not rounded to a subnormal
    small = 2.0**-60 if y.dtype == "float32" else 2.0**-900
    tiny = b.and_(b.compare("lt", height, small), b.compare("lt", width, small))
    shrink = b.select(huge, b.const(2.0**-100, y.dtype), b.select(tiny, b.const(2.0**100, y.dtype), 1.0))
    far = b.and_(b.compare("eq", height, infinity), b.compare("eq", width, infinity))
    # (0, 0) and (inf, inf) have the angles of (1, 0) and (1, 1)
    zero = b.compare("eq", height, 0.0)
    height = b.select(far, 1.0, b.mul(height, shrink))
    width = b.select(b.or_(far, b.and_(zero, b.compare("eq", width, 0.0))), 1.0, b.mul(width, shrink))
    angle = _angle(b, height, width, b.compare("lt", b.bits(x), 0))
    angle = b.select(b.compare("uno", x, y), float("nan"), angle)
    return b.copysign(angle, y)


arctan2 = outlined("arctan2", _arctan2)
