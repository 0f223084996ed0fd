"""erf, erfc, erfcx and erfinv over their whole ranges, without underflow before the true value underflows."""

from __future__ import annotations

from symdl.backends.builder import Builder, Reg
from symdl.backends.vmath.exponential import exp_pair, split_exp, split_exp2
from symdl.backends.vmath.forms import (
    FORMAT,
    Emit,
    Pair,
    biased_power,
    divide_pairs,
    outlined,
    polynomial,
    steady_polynomial,
    through_double,
    two_product,
    two_sum,
    with_sign,
)
from symdl.backends.vmath.logarithm import assemble, binade

# erf(x)/x - 1 in z = x^2, minimax, on |x| <= 0.854 (float32, 7.1e-9 relative) and |x| <= 0.995 (float64, 1.4e-17)
ERF_NEAR = {
    "float32": (
        0.12837916612625122,
        -0.37612587213516235,
        0.11282822489738464,
        -0.02680537849664688,
        0.0050543141551315784,
        -0.0006327818264253438,
    ),
    "float64": (
        0.12837916709551256,
        -0.37612638903183343,
        0.11283791670936955,
        -0.026866170641960584,
        0.005223977596754516,
        -0.0008548325486227838,
        0.00012055280543518793,
        -1.4924466737279406e-05,
        1.6444166495402647e-06,
        -1.6184130933434464e-07,
        1.3617378172376793e-08,
        -7.609212513335753e-10,
    ),
}
# -log2(erfc(t))/t on [0.84, 4] and [0.99, 5.95], minimax, error relative to erf: 3.3e-9 and 3.8e-18
ERF_FAR = {
    "float32": (
        1.628125786781311,
        0.9170664548873901,
        0.15196895599365234,
        -0.03309334069490433,
        0.0046602655202150345,
        -0.00031141392537392676,
    ),
    "float64": (
        1.6279069579931231,
        0.9184487853537627,
        0.14826737037006932,
        -0.027592558090933698,
        -0.00030397921295084425,
        0.0024393731069452837,
        -0.0008265077193716263,
        -3.3851663340199136e-06,
        0.0001389619808485962,
        -8.142408540955075e-05,
        2.9579243912930905e-05,
        -7.834014245385128e-06,
        1.5702698587844283e-06,
        -2.377782888383446e-07,
        2.6486127436857696e-08,
        -2.0521524619346084e-09,
        9.886822657992887e-11,
        -2.2304067207370768e-12,
    ),
}
# (x + 1/2) erfcx(x) in t = (x - 4)/(x + 4) on [-1, 1] (Shepherd and Laframboise 1981), Chebyshev, error 1e-17
ERFCX = (
    0.6164975593127763,
    -0.06981055842028114,
    0.007689826051309987,
    0.034048527127334194,
    -0.050519533018159056,
    0.04686641749955632,
    -0.03316518290593029,
    0.018583757763169003,
    -0.008098867031467385,
    0.002515985034551128,
    -0.0003788866217971288,
    -9.96285762363259e-05,
    7.531071304325973e-05,
    -1.2198865571511646e-05,
    -5.610567832982953e-06,
    2.85328914962037e-06,
    1.4586712786544866e-07,
    -4.1053239666486683e-07,
    3.885971620543456e-08,
    5.3159087969090743e-08,
    -1.0362901244090981e-08,
    -6.169365701899222e-09,
    1.6161986722541016e-09,
    4.6488126318548296e-10,
    -1.382060116867289e-10,
)
# (x + 1/2) erfcx(x) in t = (x - 3)/(x + 3) on [-1, 1], Chebyshev, error 2^-37: enough for float32
ERFCX_SINGLE = (
    0.6265040291340128,
    -0.06781055302412466,
    -0.023781147063324622,
    0.06482257749672111,
    -0.059636834212248135,
    0.034154040054410806,
    -0.011885236027019538,
    0.001264526486028378,
    0.0009442526892424742,
    -0.0003893340712243546,
    -5.235320298550012e-05,
    6.139767328559842e-05,
    2.1402683778305984e-06,
    -8.71164672065549e-06,
    -5.981282059281123e-08,
    8.488075526740991e-07,
)
# erfinv(x)/x with w = -log(1 - x^2) (Giles 2010), Chebyshev, relative errors below 2e-18:
# in w - 2.5 for w <= 5; in sqrt(w) - 3.125 for sqrt(w) <= 4; in sqrt(w) - 5 up to 6.01, where x is the last float below 1
ERFINV_CENTER = (
    1.501409351110792,
    0.246640276744167,
    -0.004177317724383624,
    -0.0012527079078110321,
    0.00021825026434406123,
    -4.996079598850206e-06,
    -3.416619596565087e-06,
    4.787252185239e-07,
    1.3416803755242823e-08,
    -1.0861168938287872e-08,
    9.073036495405582e-10,
    1.1960698817209524e-10,
    -3.110278672226475e-11,
    9.115660381671943e-13,
    5.356343166393055e-13,
    -7.612669130138496e-14,
    -2.8811110175240593e-15,
    1.896729354143592e-15,
    -1.3661917890666732e-16,
    -2.6828646429085144e-17,
    4.909393921888345e-18,
    1.700908089393591e-19,
    -6.890747263782666e-20,
)
ERFINV_MIDDLE = (
    2.958320150240462,
    1.0037186917979248,
    0.007047884417791879,
    -0.005301010608473134,
    0.0037944200159306368,
    -0.0025198826920625654,
    0.0012606698688382675,
    -0.0003286621684655129,
    -8.955312471667034e-05,
    0.00013610485453316988,
    -5.885354780030028e-05,
    2.18457611553087e-06,
    1.1405341195120251e-05,
    -6.272646213992432e-06,
    8.890680667864295e-07,
    7.518366243526554e-07,
    -5.346292319969249e-07,
    1.2990858975611737e-07,
    3.2190663691072326e-08,
    -4.1301875952661e-08,
    1.4173213438780178e-08,
    1.2917230128945996e-09,
    -2.555522898935359e-09,
    5.829375443953239e-10,
)
ERFINV_TAIL = (
    4.849906401408584,
    1.0103004648645453,
    -0.0001387193183793902,
    -0.00021503011982656274,
    7.599527807604776e-05,
    -1.9681770719043677e-05,
    4.526052743790951e-06,
    -9.9302927406069e-07,
    2.290516780486715e-07,
    -6.755650411430056e-08,
    2.9021987809100164e-08,
    -1.525464535688987e-08,
    7.815701028842222e-09,
    -3.471592786518304e-09,
    1.3217356090705066e-09,
    -4.3752073162016196e-10,
    6.646144734325842e-11,
    4.2883063927487056e-11,
    -1.968931701962242e-11,
)


def erf(b: Builder, x: Reg) -> Reg:
    """erf x: x times a series near 0, else 1 - 2^(-t Q(t)), t no further than where that is 1."""
    edge, last = (0.85, 4.0) if x.dtype == "float32" else (0.995, 5.95)
    size, square = b.fabs(x), b.mul(x, x)
    near = b.fma(x, polynomial(b, square, ERF_NEAR[x.dtype]), x)
    t = b.select(b.compare("gt", size, last), last, size)
    exponent = b.mul(b.fneg(t), polynomial(b, t, ERF_FAR[x.dtype]))
    (_, word), u = split_exp2(b, exponent, FORMAT[x.dtype].bias)
    power = biased_power(b, word)
    far = with_sign(b, b.fma(b.fneg(power), u, b.sub(1.0, power)), x, size)
    return b.select(b.compare("ugt", size, edge), far, near)


def _scaled_tail(b: Builder, x: Reg) -> Pair:
    """erfcx(x) for x >= 0."""
    near = b.select(b.compare("gt", x, 1e18), 1e18, x)
    t = b.div(b.sub(near, 4.0), b.add(near, 4.0))
    top = steady_polynomial(b, t, ERFCX), b.const(0.0, x.dtype)
    quotient, low = divide_pairs(b, top, two_sum(b, x, b.const(0.5, x.dtype)))
    return quotient, b.select(b.compare("lt", x, 1e18), low, 0.0)  # beyond, also at infinity, the quotient is enough


def _square(b: Builder, x: Reg) -> Pair:
    """x^2 as a pair; beyond 2^500, where only its size matters, held there."""
    near = b.select(b.compare("gt", x, 2.0**500), 2.0**500, x)
    return two_product(b, near, near)


def _erfc(b: Builder, x: Reg) -> Reg:
    """1 - erf(x), from 0.4 on e^(-x^2) erfcx(x); gradual underflow (26.5 to 27.3)."""
    size = b.fabs(x)
    near = b.select(b.compare("gt", size, 30.0), 30.0, size)
    high, low = _square(b, near)
    tail = exp_pair(b, b.fneg(high), b.fneg(low), factor=b.add(*_scaled_tail(b, near)))
    return b.select(b.compare("gt", x, 0.4), tail, b.sub(1.0, erf(b, x)))


def _erfcx(b: Builder, x: Reg) -> Reg:
    """e^(x^2) erfc(x); for x < 0: 2 e^(x^2) - erfcx(-x)."""
    size = b.fabs(x)
    growth = exp_pair(b, *_square(b, size))
    # near 0 the variable of the series is a little short of digits
    small = b.mul(growth, b.sub(1.0, erf(b, size)))
    tail = b.select(b.compare("lt", size, 0.4), small, b.add(*_scaled_tail(b, size)))
    return b.select(b.compare("lt", x, 0.0), b.sub(b.add(growth, growth), tail), tail)


def _single_tail(b: Builder, x: Reg) -> Reg:
    """erfcx(x) for x in [0, 1e60], right to 2^-36, by one division."""
    above, half = b.add(x, 3.0), b.add(x, 0.5)
    both = b.div(1.0, b.mul(above, half))
    t = b.mul(b.mul(b.sub(x, 3.0), half), both)
    return b.mul(polynomial(b, t, ERFCX_SINGLE), b.mul(above, both))


def _exp(b: Builder, x: Reg) -> Reg:
    """e^x where that is a normal number."""
    (_, word), u = split_exp(b, x, FORMAT[x.dtype].bias)
    power = biased_power(b, word)
    return b.fma(power, u, power)


def _single_erfc(b: Builder, x: Reg) -> Reg:
    """1 - erf(x) for a float32 x; from 10.1 on it is 0."""
    size = b.fabs(x)
    near = b.select(b.compare("gt", size, 11.0), 11.0, size)
    tail = b.mul(_exp(b, b.fneg(b.mul(near, near))), _single_tail(b, near))
    return b.select(b.compare("lt", x, 0.0), b.sub(2.0, tail), tail)


def _single_erfcx(b: Builder, x: Reg) -> Reg:
    """e^(x^2) erfc(x) for a float32 x; below -9.4 it is infinite."""
    size = b.fabs(x)
    near, far = (b.select(b.compare("gt", size, edge), edge, size) for edge in (20.0, 1e60))
    growth, tail = _exp(b, b.mul(near, near)), _single_tail(b, far)
    return b.select(b.compare("lt", x, 0.0), b.sub(b.add(growth, growth), tail), tail)


single_erfc = outlined("single_erfc", _single_erfc)  # of a float64, right enough for a float32


def _by_dtype(name: str, single: Emit, double: Emit) -> Emit:
    """Computed in float64: by the shorter function for float32 operands."""
    short, long = through_double(single), outlined(name, double)
    return lambda b, x: long(b, x) if x.dtype == "float64" else short(b, x)


def _erfinv(b: Builder, x: Reg) -> Reg:
    """The y with erf(y) = x; inf at 1, NaN beyond."""
    complement = b.mul(b.sub(1.0, x), b.add(x, 1.0))
    size = b.fabs(x)
    inside = b.compare("lt", size, 1.0)
    k, m = binade(b, b.select(inside, complement, 0.5))
    w = b.fneg(assemble(b, k, b.sub(m, 1.0)))
    root = b.sqrt(w)
    center = steady_polynomial(b, b.sub(w, 2.5), ERFINV_CENTER)
    middle = steady_polynomial(b, b.sub(root, 3.125), ERFINV_MIDDLE)
    tail = steady_polynomial(b, b.sub(root, 5.0), ERFINV_TAIL)
    factor = b.select(b.compare("le", w, 5.0), center, b.select(b.compare("le", root, 4.0), middle, tail))
    edge = b.select(b.compare("eq", size, 1.0), b.const(float("inf"), "float64"), float("nan"))
    return b.select(inside, b.mul(x, factor), b.copysign(edge, x))


erfc = _by_dtype("erfc", single_erfc, _erfc)
erfcx = _by_dtype("erfcx", outlined("single_erfcx", _single_erfcx), _erfcx)
erfinv = through_double(outlined("erfinv", _erfinv))
