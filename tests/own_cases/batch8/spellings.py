"""Other spellings of the open families, as textbooks of statistics, finance, physics and genetics have them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from own_cases.case import SMALL, TINY, both, cyc, geo
from own_cases.case import case as any_case

case = partial(any_case, batch=8)

POSITIVE = [0.375, 1.25, 2.9, 5.5, 0.8125, 13.7, 19.3, 7.75]
ANGLES = [0.125, 0.4, 0.7853981633974483, 1.1, 1.25, 1.4, 0.9, 0.25]
CHANCES = [1e-12, 1e-7, 1e-3, 0.1, 0.3, 0.45, 0.75, 1 - 2.0**-12]
LOGITS = both([1e-6, 0.3, 3, 17, 36.5, 38, 88, 104, 500, 710, 745, 2500])
MIDDLE = [-30, -17.5, -6, -1, 1e-3, 0.5, 9, 29]
NEAR_0 = [-2.5, -1.25, -0.3, 0.015625, 0.4, 0.9, 1.75, 2.75]
BELOW_1 = [1 - 2.0**-k for k in (1, 3, 6, 9, 12, 15, 18, 21)]
ABOUT_1 = [1 + s * 2.0**-k for k in (1, 5, 12, 20) for s in (1, -1)]
RANGE = [1e-250, 3e-30, 2e-5, 0.7, 40.0, 5e7, 2e30, 1e200, 1e-160, 7e-20, 3e12]
FAR = [*geo(10, 1e15), *geo(1e17, 1e150, 5), 1e18]


def beside(points: Sequence[float]) -> list[float]:
    """Each point moved by less and less of itself."""
    return [
        v * (1 + (-1) ** k * 2.0**-e)
        for k, (v, e) in enumerate(zip(points, (2, 5, 8, 12, 16, 20, 22, 18), strict=True))
    ]


def beside_chances(points: Sequence[float]) -> list[float]:
    """Likewise, by parts of what lies between a chance and 0 or 1."""
    return [v + min(v, 1 - v) * (-1) ** k * 2.0 ** -(1 + 2 * k) for k, v in enumerate(points)]


case("spelt.log1p_minus", lambda m, x: m.log(1 + x) - m.log(1 - x), x=SMALL)
case("spelt.sqrt_versine", lambda m, x: m.sqrt((1 - m.cos(x)) / 2), x=geo(1e-9, 1.5))
case("spelt.segment_area", lambda m, r, t: r * r / 2 * (t - m.sin(t)), r=POSITIVE, t=geo(1e-9, 1.5))
case("spelt.csc_minus_inv", lambda m, x: 1 / m.sin(x) - 1 / x, x=TINY)
case("spelt.debye_like", lambda m, x: x / (m.exp(x) - 1), x=LOGITS)
case("spelt.expm1_over_sin", lambda m, x: (m.exp(x) - 1) / m.sin(x), x=TINY)
case("spelt.inv_sqrt1p", lambda m, x: 1 - 1 / m.sqrt(1 + x), x=SMALL)
case("spelt.rsqrt_gap2", lambda m, x, a: 1 / m.sqrt(x + a) - 1 / m.sqrt(x), x=[*FAR[::2], 1e18], a=cyc(8, 1, 2, 0.5))
case("spelt.x_over_sqrt", lambda m, x: x / (m.sqrt(x + 1) - 1), x=SMALL)
case("spelt.fraction_gap2", lambda m, x: (x + 1) / (x - 1) - 1, x=[*FAR[::2], 1e18])
case("spelt.xlogx_gap", lambda m, x: (x + 1) * m.log(x + 1) - x * m.log(x), x=geo(1, 1e12))
case("spelt.bhatt_gauss", lambda m, s, t: 0.5 * m.log((s * s + t * t) / (2 * s * t)), s=POSITIVE, t=beside(POSITIVE))
case("spelt.entropy_gap", lambda m, p: 0.6931471805599453 + p * m.log(p) + (1 - p) * m.log(1 - p), p=CHANCES)
case("spelt.lse2_minus_mean", lambda m, a, b: m.log(m.exp(a) + m.exp(b)) - (a + b) / 2, a=LOGITS[::3], b=LOGITS[1::3])
case("spelt.gumbel_cdf", lambda m, x: m.exp(-m.exp(-x)), x=MIDDLE)
case(
    "spelt.pareto_sf",
    lambda m, mu, x, a: 1 - (mu / x) ** a,
    mu=cyc(8, 1, 2),
    x=geo(2.0001, 2.5),
    a=cyc(8, 3, 1.5, 0.01),
)
case("spelt.mills", lambda m, x: m.exp(-x * x / 2) / m.erfc(x / 1.4142135623730951), x=geo(0.1, 300))
case("spelt.log_1m_tanh", lambda m, x: m.log((1 + m.tanh(x)) / (1 - m.tanh(x))), x=[*TINY, *NEAR_0])
case("spelt.acosh_spelled", lambda m, x: m.log(x + m.sqrt(x * x - 1)), x=geo(1.0000001, 1e6))
case(
    "spelt.quad_minus",
    lambda m, b, a, c: (-b - m.sqrt(b * b - 4 * a * c)) / (2 * a),
    b=geo(10, 1e9),
    a=ANGLES,
    c=cyc(8, 1, 0.5, -2),
)
case("spelt.pq", lambda m, p, q: m.sqrt(p * p + q) - p, p=geo(1, 1e9), q=cyc(8, 1, 0.5, 2))
case("spelt.flatten", lambda m, e: 1 - m.sqrt(1 - e * e), e=geo(1e-8, 0.9))
case("spelt.grav_gap", lambda m, r, h: 1 / r - 1 / (r + h), r=cyc(8, 6371, 1), h=geo(1e-6, 1))
case(
    "spelt.cov2",
    lambda m, a, c, b, d: (a * c + b * d) / 2 - (a + b) * (c + d) / 4,
    a=POSITIVE,
    c=POSITIVE[::-1],
    b=beside(POSITIVE),
    d=beside(POSITIVE),
)
case(
    "spelt.shoelace",
    lambda m, a, c, b, d: (a - c) * (b - d) - (a + c) * (b + d),
    a=POSITIVE,
    c=geo(1e-12, 1e-3),
    b=POSITIVE[::-1],
    d=geo(1e-12, 1e-3),
)
case("spelt.cont_rate", lambda m, n, r: n * (m.exp(r / n) - 1), n=cyc(8, 12, 365, 4), r=geo(1e-10, 0.5))
case("spelt.half_life", lambda m, t, h: 1 - 2 ** (-t / h), t=geo(1e-10, 10), h=cyc(8, 1, 5.5, 100))
case("spelt.diode", lambda m, i, v: i * (m.exp(v / 0.026) - 1), i=cyc(8, 1e-12, 1e-9), v=SMALL[::2])
case(
    "spelt.barometric",
    lambda m, p, l, h: p * (1 - (1 - l * h) ** 5.2559),
    p=cyc(8, 101.325),
    l=cyc(8, 2.25577e-5),
    h=geo(1e-6, 1e4),
)
case("spelt.logistic_map", lambda m, r, x: r * x * (1 - x) - x, r=BELOW_1, x=geo(1e-6, 0.5))
case("spelt.fresnel", lambda m, n, mu: ((n - mu) / (n + mu)) ** 2, n=POSITIVE, mu=beside(POSITIVE))
case("spelt.sin2_cos2", lambda m, x: m.sin(x) ** 2 - m.cos(x) ** 2, x=cyc(8, 0.78, 0.7853, 0.785398, 0.5, 1.2))
case("spelt.sin_ratio", lambda m, n, x: m.sin(n * x) / m.sin(x) - n, n=cyc(8, 2, 3, 5), x=geo(1e-8, 0.1))
case("spelt.exp_sq2", lambda m, x: (1 - m.exp(-x * x)) / x, x=SMALL)
case("spelt.log_over_gap", lambda m, x: m.log(x) / (x - 1), x=ABOUT_1)
case(
    "spelt.power_mean",
    lambda m, a, p, b: ((a**p + b**p) / 2) ** (1 / p),
    a=POSITIVE,
    p=cyc(8, 0.001, 2, -1, 100),
    b=POSITIVE[::-1],
)
case("spelt.cauchy", lambda m, a, b, c: m.log(1 + ((a - b) / c) ** 2), a=POSITIVE, b=beside(POSITIVE), c=cyc(8, 1, 0.1))
case(
    "spelt.beta_ent", lambda m, a, b: a * m.log(a) + b * m.log(b) - (a + b) * m.log(a + b), a=POSITIVE, b=POSITIVE[::-1]
)
case("spelt.vonmises", lambda m, k, x: k * (m.cos(x) - 1), k=cyc(8, 100, 1e6, 0.5), x=[*TINY[::2], 1.0])
case("spelt.1mcos_over_x", lambda m, x: (1 - m.cos(x)) / x, x=TINY)
case("spelt.sqrt_1mcos", lambda m, x: m.sqrt(1 - m.cos(x)), x=geo(1e-9, 1.5))
case("spelt.sinh_diff", lambda m, a, b: m.sinh(a) - m.sinh(b), a=NEAR_0, b=beside(NEAR_0))
case("spelt.sinh_m_x3", lambda m, x: (m.sinh(x) - x) / x**3, x=TINY)
case("spelt.exp_2x", lambda m, x: m.exp(2 * x) - m.exp(x), x=SMALL)
case(
    "spelt.trunc_exp_mean",
    lambda m, l, t: 1 / l - t * m.exp(-l * t) / (1 - m.exp(-l * t)),
    l=geo(1e-3, 50),
    t=cyc(8, 1, 2, 0.5),
)
case("spelt.log_survive", lambda m, x: m.log(1 - m.exp(-m.exp(x))), x=MIDDLE)
case("spelt.hell2", lambda m, p, q: 1 - m.sqrt(p * q) - m.sqrt((1 - p) * (1 - q)), p=CHANCES, q=beside_chances(CHANCES))
case("spelt.kl_gauss_var", lambda m, a, b: 0.5 * (a / b - 1 - m.log(a / b)), a=POSITIVE, b=beside(POSITIVE))
case("spelt.sp_half", lambda m, x: m.log((1 + m.exp(x)) / 2), x=[*SMALL, *MIDDLE])
case("spelt.sig_one_minus_sq", lambda m, x: 1 - (1 / (1 + m.exp(-x))) ** 2, x=LOGITS)
case("spelt.softclip", lambda m, x: m.log((1 + m.exp(x)) / (1 + m.exp(x - 1))), x=LOGITS)
case("spelt.hypot_ratio", lambda m, a, b: a / m.sqrt(a * a + b * b), a=RANGE[:8], b=RANGE[1:9])
case("spelt.quad1", lambda m, b, c: (-b + m.sqrt(b * b - 4 * c)) / 2, b=geo(3, 1e9), c=cyc(8, 1, 0.5, 2))
case("spelt.log_log", lambda m, x: m.log(m.log(x + 1)) - m.log(m.log(x)), x=geo(3, 1e12))
case("spelt.compound_lim", lambda m, x: (1 + 1 / x) ** x - 2.718281828459045, x=geo(10, 1e7))
case(
    "spelt.vasicek",
    lambda m, a, s, t: (m.exp(-a * s) - m.exp(-a * t)) / a,
    a=geo(1e-12, 1),
    s=cyc(8, 1, 2),
    t=cyc(8, 3, 10),
)
case("spelt.rel_ke", lambda m, v: (1 / m.sqrt(1 - v * v / 9) - 1) * 9, v=geo(1e-8, 2.9))
case("spelt.buoy", lambda m, a, b: 1 - m.sqrt(a / b), a=POSITIVE, b=beside(POSITIVE))
case("spelt.debye_exp", lambda m, x: 3 * (x - m.tanh(x)) / x**3, x=TINY)
case("spelt.clausius", lambda m, a, t, u: m.exp(a * (1 / t - 1 / u)), a=cyc(8, 1, 10), t=POSITIVE, u=beside(POSITIVE))
case("spelt.bern_fn2", lambda m, x: x / (1 - m.exp(-x)) - 1 - x / 2, x=TINY)
case(
    "spelt.gc_dist",
    lambda m, a, b, l: m.sin(a) * m.sin(b) + m.cos(a) * m.cos(b) * m.cos(l) - 1,
    a=ANGLES,
    b=beside(ANGLES),
    l=geo(1e-9, 1.5),
)
case("spelt.barycentric", lambda m, a, b, c: (a - b) * c + b, a=POSITIVE, b=beside(POSITIVE), c=CHANCES)
case("spelt.decibel", lambda m, a, b: 20 * m.log(a / b) / 2.302585092994046, a=POSITIVE, b=beside(POSITIVE))
case(
    "spelt.pooled",
    lambda m, n, a, k, b: m.sqrt(((n - 1) * a * a + (k - 1) * b * b) / (n + k - 2)),
    n=cyc(8, 5, 10),
    a=RANGE[:8],
    k=cyc(8, 7, 20),
    b=RANGE[1:9],
)
case("spelt.r_to_t", lambda m, r, n: r * m.sqrt(n / (1 - r * r)), r=BELOW_1, n=cyc(8, 5, 100))
case("spelt.logistic_logpdf", lambda m, x: -x - 2 * m.log(1 + m.exp(-x)), x=LOGITS)
case(
    "spelt.invgauss",
    lambda m, x, mu: m.log(1 / m.sqrt(x**3) * m.exp(-((x - mu) ** 2) / (2 * x))),
    x=POSITIVE,
    mu=beside(POSITIVE),
)
case(
    "spelt.kumaraswamy", lambda m, x, a, b: 1 - (1 - x**a) ** b, x=CHANCES, a=cyc(8, 2, 0.5, 5), b=cyc(8, 3, 0.5, 1e-3)
)
case("spelt.wald_tail", lambda m, l, x: m.exp(2 * l) * m.erfc(l + x), l=cyc(8, 1, 10, 100), x=geo(0.1, 10))
case("spelt.gauss_hazard", lambda m, x: m.exp(-x * x / 2) / (0.5 * m.erfc(x / 1.4142135623730951)), x=geo(0.1, 50))
