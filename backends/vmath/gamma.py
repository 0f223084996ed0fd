"""gammaln and digamma: a series around the root, recurrence, Stirling's series, and reflection for negative arguments."""

from __future__ import annotations

from symdl.backends.builder import Builder, Reg
from symdl.backends.vmath.arithmetic import floor, round_half_even
from symdl.backends.vmath.forms import (
    Pair,
    divide_pairs,
    fast_two_sum,
    multiply_pairs,
    outlined,
    polynomial,
    steady_polynomial,
    through_double,
    two_product,
    two_sum,
)
from symdl.backends.vmath.logarithm import log
from symdl.backends.vmath.logarithm_pairs import as_normal, log_pair
from symdl.backends.vmath.trigonometric import cos_parts, sin_parts

# log Gamma(2 + d)/d on [-0.75, 0.5], Chebyshev, relative error 6e-18
GAMMALN = (
    0.42278433509846713,
    0.3224670334241132,
    -0.06735230105319819,
    0.020580808427788703,
    -0.007385551028663193,
    0.002890510330482064,
    -0.0011927539122376619,
    0.0005096695320648715,
    -0.00022315474408602818,
    9.945740198894934e-05,
    -4.4926464931326535e-05,
    2.0508175353649692e-05,
    -9.43727020655551e-06,
    4.370089307840295e-06,
    -2.052482416724873e-06,
    9.670254916827003e-07,
    -4.018330416059452e-07,
    2.0758927598859588e-07,
    -1.9264000508094273e-07,
    6.2426286817793866e-09,
    5.025731736555141e-08,
    7.558472696788447e-08,
)
# x (log Gamma(x) - (x - 1/2) log x + x - log(2 pi)/2) in 1/x^2 for x >= 7.49, Chebyshev, error 1.5e-18
STIRLING = (
    0.08333333333333333,
    -0.0027777777777697474,
    0.0007936507864053655,
    -0.0005952356310931257,
    0.0008413485774523534,
    -0.001883302935945937,
    0.004912195890882471,
)
HALF_LOG_2_PI = (0.9189385332046728, -3.8782941580672414e-17)
LOG_PI = (1.1447298858494002, 1.0265951162707826e-17)
PI = (3.141592653589793, 1.2246467991473532e-16)
# the positive root of digamma, and digamma(root + d)/d for root + d in [1, 2.5], Chebyshev, relative error 1e-17
ROOT = (1.4616321449683622, 9.549995429965697e-17)
DIGAMMA = (
    0.9676722454476212,
    -0.44276316898359247,
    0.25849976095565785,
    -0.16394270544232578,
    0.10782405069037516,
    -0.07219956126108969,
    0.048804288210228204,
    -0.03316112637744236,
    0.022597647016372287,
    -0.015424766263245307,
    0.01053880938157975,
    -0.007204551315602075,
    0.004926638516043009,
    -0.003369504059929051,
    0.0023056499604911817,
    -0.0015790890546630934,
    0.001079219587694076,
    -0.0007309523440207384,
    0.0004950213011349643,
    -0.0003505053437866693,
    0.00026275264260859757,
    -0.000186893281016899,
    0.0001072539400575633,
    -4.329146584567339e-05,
    1.0636551036891795e-05,
    -1.1872212713245974e-06,
)
# x^2 (log x - 1/(2x) - digamma(x)) in 1/x^2 for x >= 8, Chebyshev, error 1e-19
DIGAMMA_FAR = (
    0.08333333333333333,
    -0.008333333333278636,
    0.0039682539119537084,
    -0.0041666448230497,
    0.007571689620283902,
    -0.020697987372370493,
    0.06362150587634356,
)

# nearer to 0 than this, x and -x differ by less than the rounding: no reflection
TINY = -(2.0**-60)


def _half_turns(b: Builder, x: Reg) -> tuple[Pair, Pair]:
    """sin and cos, as pairs, of pi times the distance from |x| to the nearest integer, both >= 0."""
    distance = b.fabs(b.sub(x, round_half_even(b, x)))
    steep = b.compare("gt", distance, 0.25)
    nearer = b.select(steep, b.sub(0.5, distance), distance)
    r, c = two_product(b, nearer, b.const(PI[0], "float64"))
    c = b.fma(nearer, PI[1], c)
    (s, s_low), (t, t_low) = fast_two_sum(b, *sin_parts(b, r, c)), fast_two_sum(b, *cos_parts(b, r, c))
    sine = b.select(steep, t, s), b.select(steep, t_low, s_low)
    return sine, (b.select(steep, s, t), b.select(steep, s_low, t_low))


def _gammaln(b: Builder, x: Reg) -> Reg:
    """log|Gamma(x)|, for x < 0 as log(pi/|sin pi x|) - log Gamma(1 - x). Relative also near its roots 1 and 2.

    |x| = n + d; with g(d) = log Gamma(2 + d) the logarithm is g(d) and that of a product:
    n = 0: - log(x (x + 1)); n = 1: - log x; n = 2: nothing; n = 3 .. 7: + log of (d + 2) ... (d + n - 1) = ... (x - 1).
    Reflected lanes need log Gamma(1 + |x|), which is a factor |x| more.
    """
    reflect = b.compare("lt", x, TINY)
    size = b.fabs(x)
    n = round_half_even(b, size)
    n = b.select(b.compare("lt", size, 2.5), 2.0, n)
    n = b.select(b.compare("lt", size, 1.25), 1.0, n)
    n = b.select(b.compare("lt", size, 0.5), 0.0, n)
    d = b.sub(size, n)
    product = b.select(reflect, size, 1.0)
    for k in range(2, 7):
        product = b.select(b.compare("gt", n, float(k)), b.mul(product, b.add(d, float(k))), product)
    first = b.select(reflect, b.const(1.0, "float64"), size)
    product = b.select(b.compare("eq", n, 1.0), first, product)
    product = b.select(b.compare("eq", n, 0.0), b.mul(first, b.add(size, 1.0)), product)
    large = b.compare("ge", size, 7.5)
    ordinary = b.and_(b.compare("gt", size, 0.0), b.compare("lt", size, float("inf")))
    log_high, log_low = log_pair(b, *as_normal(b, b.select(ordinary, b.select(large, size, product), 1.0)))
    # below 7.5
    g, g_low = two_product(b, d, steady_polynomial(b, d, GAMMALN))
    sign = b.select(b.compare("lt", n, 2.0), b.const(-1.0, "float64"), 1.0)
    near, rest = two_sum(b, g, b.mul(log_high, sign))
    near_low = b.add(rest, b.fma(log_low, sign, g_low))
    # from 7.5 on: (x - 1/2) log x - x + log(2 pi)/2 + series
    u = b.add(size, b.select(reflect, b.const(0.5, "float64"), -0.5))
    start, start_low = two_product(b, u, log_high)
    start_low = b.fma(u, log_low, start_low)
    inverse = b.div(b.const(1.0, "float64"), size)
    far, rest = two_sum(b, start, b.fneg(size))
    far, more = two_sum(b, far, b.const(HALF_LOG_2_PI[0], "float64"))
    series = b.fma(inverse, polynomial(b, b.mul(inverse, inverse), STIRLING), HALF_LOG_2_PI[1])
    far_low = b.add(b.add(rest, more), b.add(start_low, series))
    far_low = b.select(b.compare("lt", size, 2.0**900), far_low, 0.0)  # overflowed on the way, and negligible
    high, low = b.select(large, far, near), b.select(large, far_low, near_low)
    sine = b.select(reflect, _half_turns(b, size)[0][0], 1.0)
    reflected, rest = two_sum(b, b.sub(LOG_PI[0], log(b, sine)), b.fneg(high))
    result = b.select(reflect, b.add(reflected, b.sub(rest, low)), b.add(high, low))
    pole = b.or_(b.compare("eq", x, 0.0), b.compare("eq", size, float("inf")))
    pole = b.or_(pole, b.and_(reflect, b.compare("eq", sine, 0.0)))
    pole = b.or_(pole, b.compare("gt", start, 1.7976931348623157e308))
    result = b.select(pole, float("inf"), result)
    endless = b.or_(b.compare("uno", x, x), b.compare("eq", x, float("-inf")))  # SciPy: -inf there, not C99's inf
    return b.select(endless, x, result)


def _digamma(b: Builder, x: Reg) -> Reg:
    """Gamma'(x)/Gamma(x), for x < 0 as digamma(1 - x) - pi/tan(pi x): absolute near its roots there.

    On [1, 2.5) a series around the root, from 8 on the asymptotic one; between, up to 4.5 as the former and the sum of
    1/(x - j), then as the latter of x + 4 less the sum of 1/(x + j); below 1 as the former of x + 1 less 1/x. The sums
    are one fraction.
    """
    one, zero = b.const(1.0, "float64"), b.const(0.0, "float64")
    reflect = b.compare("lt", x, TINY)
    v = b.select(reflect, b.sub(1.0, x), x)
    low, large = b.compare("lt", v, 1.0), b.compare("ge", v, 4.5)
    up = b.and_(large, b.compare("lt", v, 8.0))
    steps = b.select(b.compare("lt", v, 2.5), 0.0, b.sub(floor(b, b.add(v, 0.5)), 2.0))
    steps = b.select(large, 0.0, steps)  # v - steps in [1.5, 2.5)
    start = b.sub(v, steps)
    count = b.select(low, one, b.select(up, b.const(4.0, "float64"), steps))
    above, below = b.select(b.compare("gt", count, 0.0), one, zero), b.select(b.compare("gt", count, 0.0), start, one)
    for k in range(1, 4):
        term = b.add(start, float(k))
        take = b.compare("gt", count, float(k))
        above = b.select(take, b.fma(above, term, below), above)
        below = b.select(take, b.mul(below, term), below)
    fraction = b.div(above, below)
    fraction = b.select(b.or_(low, up), b.fneg(fraction), fraction)
    y = b.select(low, b.add(v, 1.0), start)
    d = b.sub(b.sub(y, ROOT[0]), ROOT[1])
    near = b.fma(d, steady_polynomial(b, d, DIGAMMA), fraction)
    w = b.select(up, b.add(v, 4.0), v)
    inverse = b.div(one, w)
    square = b.mul(inverse, inverse)
    correction = b.fma(inverse, 0.5, b.mul(square, polynomial(b, square, DIGAMMA_FAR)))
    result = b.select(large, b.add(b.sub(log(b, w), correction), fraction), near)
    s, c = _half_turns(b, x)
    turn = b.sub(x, round_half_even(b, x))
    cotangent, low = divide_pairs(b, multiply_pairs(b, c, (b.const(PI[0], "float64"), b.const(PI[1], "float64"))), s)
    left = b.compare("lt", turn, 0.0)
    cotangent, low = (b.select(left, b.fneg(v), v) for v in (cotangent, low))
    reflected, rest = two_sum(b, result, b.fneg(cotangent))
    result = b.select(reflect, b.add(reflected, b.sub(rest, low)), result)
    pole = b.and_(reflect, b.compare("eq", turn, 0.0))
    result = b.select(pole, float("nan"), result)
    infinite = b.copysign(b.const(float("inf"), "float64"), b.fneg(x))
    return b.select(b.compare("eq", x, 0.0), infinite, result)


gammaln = through_double(outlined("gammaln", _gammaln))
digamma = through_double(outlined("digamma", _digamma))
