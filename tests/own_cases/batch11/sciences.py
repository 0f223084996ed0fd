"""Steps of numerical methods, Kahan's and Muller's examples, issues of libraries, and formulas of engineers."""

from __future__ import annotations

from typing import Any

from own_cases.batch11 import beside, case
from own_cases.case import HALF_LOG_2PI, PI, ROOT2, SMALL, TINY, both, cyc, geo, lin, rows

POSITIVE = [0.4375, 1.375, 2.7, 5.25, 0.78125, 12.7, 18.3, 8.25]
ANGLES = [0.15, 0.45, 0.7853981633974483, 1.05, 1.3, 1.45, 0.85, 0.3]
FAR = [1e-260, 1e-165, 1e-35, 1e-24, 1e-4, 1.0, 1e4, 1e21, 1e29, 1e36, 1e158, 1e299]
LOGITS = both([1e-7, 0.25, 2, 16.75, 36.25, 39, 87.5, 450])


# ---- numerical methods: Hamming, Higham, Hairer ----


def growth_rounds(m: Any, x: Any, h: Any) -> Any:
    """Three steps of Euler's for x' = x (1 - x)."""
    return m.rounds(lambda s, u: s + u * s * (1 - s), x, [h, h, h])


case(
    "method.trapezoid_defect",
    lambda m, x, h: (m.exp(x + h) - m.exp(x)) / h - (m.exp(x + h) + m.exp(x)) / 2,
    x=lin(-3, 3),
    h=geo(1e-4, 1),
)
case("method.midpoint_log", lambda m, x, h: m.log(x + h) - m.log(x) - h / (x + h / 2), x=POSITIVE, h=geo(1e-4, 1))
case("method.heron_step", lambda m, x, a: (x + a / x) / 2 - m.sqrt(a), x=[v * (1 + 2.0 ** -(2 + 3 * k)) for k, v in enumerate(POSITIVE)],
     a=[v * v for v in POSITIVE])  # fmt: skip
case(
    "method.secant",
    lambda m, x, y: x - (x * x - 2) * (x - y) / ((x * x - 2) - (y * y - 2)),
    x=[1.0, 1.4140625, 3, 1.4142136],
    y=[2.0, 1.41796875, 3.0009765625, 1.4142135],
)
case("method.growth_rounds", growth_rounds, x=[1e-9, 0.5, 1 - 2.0**-12, 1 + 2.0**-10], h=[0.125, 1e-9, 0.5, 1e-3])
case(
    "method.halley_defect",
    lambda m, x: x * (x * x + 6) / (3 * x * x + 2) - ROOT2,
    x=[1.5, 1.4375, 1.25, 2.0, 1.0, 10.0],
)
case("method.exp_pade", lambda m, x: m.exp(x) - (2 + x) / (2 - x), x=TINY)
case("method.log_pade", lambda m, x: m.log(1 + x) - x * (6 + x) / (6 + 4 * x), x=TINY)
case("method.rodrigues", lambda m, t: (1 - m.cos(t)) / (t * t) - m.sin(t) / (2 * t), t=TINY)
case("method.filter_weights", lambda m, t: (m.exp(t) * (2 - t) - 2 - t) / t**3, t=TINY)

# ---- Kahan, Goldberg, Muller ----

case("berkeley.half_angle", lambda m, a, b, c: 2 * m.arctan(m.sqrt((a + (c - b)) * (b + (c - a)) / ((a + (b + c)) * (a + (b - c))))),
     a=POSITIVE, b=POSITIVE, c=[v * 2.0 ** -(3 * k) for k, v in enumerate(POSITIVE)])  # fmt: skip
case(
    "berkeley.complex_root",
    lambda m, x, y: m.sqrt((m.sqrt(x * x + y * y) + x) / 2),
    x=[-v for v in FAR],
    y=[v * 2.0 ** -(2 * k) for k, v in enumerate(FAR)],
)
case(
    "berkeley.complex_log",
    lambda m, x, y: m.log(x * x + y * y) / 2,
    x=[0.6, 0.28, 1, 0.8, 0.9999, 1e-9],
    y=[0.8, 0.96, 1e-6, 0.600001, 0.01, 1],
)
case(
    "berkeley.discriminant",
    lambda m, a, b, c: b * b - a * c,
    a=POSITIVE,
    b=[v * 1.25 for v in POSITIVE],
    c=beside([v * 1.5625 for v in POSITIVE]),
)
case("berkeley.logs_of_powers", lambda m, x, y: (x**y - 1) / (y * (x - 1)), x=beside([1.0] * 8), y=cyc(24, 0.5, 3, 30))
case(
    "berkeley.arctanh_by_roots",
    lambda m, x: m.log(m.sqrt((1 + x) / (1 - x))),
    x=both([1e-200, 1e-16, 1e-5, 0.3, 1 - 2.0**-20]),
)
case(
    "berkeley.tan_sum",
    lambda m, a, b: (m.tan(a) + m.tan(b)) / (1 - m.tan(a) * m.tan(b)),
    a=ANGLES,
    b=[-v for v in beside(ANGLES)],
)
case("berkeley.arcsines", lambda m, x: m.arcsin(m.sqrt(x)) - m.arccos(m.sqrt(1 - x)) + x, x=geo(1e-9, 0.9))
case("lyon.sqrt_of_squares", lambda m, x: m.sqrt((x + 1) ** 2 + 1) - m.sqrt(x * x + 1), x=both(geo(1e-6, 1e9, 6)))
case("lyon.power_of_next", lambda m, n: (1 + 1 / n) ** (n + 0.5) / 2.718281828459045, n=geo(1, 1e12))

# ---- issues of libraries ----

case(
    "issue.gammaln_slope",
    lambda m, x, d: m.gammaln(x + d) - m.gammaln(x) - d * m.digamma(x),
    wrt="",
    x=[0.5, 2.5, 30, 1e4, 1e7],
    d=[0.25, 1e-3, 2, 0.5, 1e-2],
)
case("issue.cosm1_over", lambda m, x: (m.cos(x) - 1) / x + x / 2, x=TINY)
case("issue.sinc_slope", lambda m, x: m.slope(lambda u: m.sin(u) / u, x), x=TINY)
case(
    "issue.erfc_gap",
    lambda m, x, d: m.erfc(x) - m.erfc(x + d),
    x=[-3.0, 0, 0.5, 4, 9, 20],
    d=[1e-9, 1e-3, 1, 0.125, 1e-6, 0.5],
)
case(
    "issue.boxcox1p",
    lambda m, x, k: ((1 + x) ** k - 1) / k,
    x=[1e-9, -0.5, 3, 1e3, 0.25, 1e9],
    k=[1e-9, 1e-4, 0.5, -1e-3, 1e-12, -2],
)
case(
    "issue.huber_scaled",
    lambda m, x, d: d * d * (m.sqrt(1 + (x / d) ** 2) - 1),
    x=both(geo(1e-6, 1e9, 5)),
    d=cyc(24, 1, 1e-3, 1e3),
)
case(
    "issue.logaddexp_gap",
    lambda m, x, y: m.log(m.exp(x) + m.exp(y)) - (x + y) / 2 - 0.6931471805599453,
    x=[0.5, 3, 40, 700, -300],
    y=[0.25, -3, 38, -700, -301.5],
)
case("issue.expit_gap", lambda m, x, y: m.sigmoid(x) / m.sigmoid(y) - 1, x=LOGITS, y=beside(LOGITS))
case(
    "issue.log_ndtr_slope",
    lambda m, x: m.slope(lambda u: m.log(0.5 * m.erfc(-u / ROOT2)), x),
    x=[-300.0, -30, -8, -1, 0.5, 3, 9],
)
case("issue.rel_entr", lambda m, x, y: x * m.log(x / y) + y * m.log(y / x), x=POSITIVE, y=beside(POSITIVE))

# ---- statistics and losses ----

case(
    "sample.polya",
    lambda m, a, n: m.gammaln(a + n) - m.gammaln(a) - n * m.log(a),
    wrt="a",
    a=geo(3, 1e10),
    n=cyc(24, 2, 7, 0.5),
)
case("sample.binomial_deviance", lambda m, k, n, p: k * m.log(k / (n * p)) + (n - k) * m.log((n - k) / (n * (1 - p))), wrt="p",
     k=[3.0, 30, 250, 4000, 1], n=[10.0, 100, 1000, 16384, 1e6], p=[0.3125, 0.30078125, 0.25, 0.244140625, 2e-6])  # fmt: skip
case(
    "sample.both_tails",
    lambda m, x: m.log(0.5 * m.erfc(-x / ROOT2)) + m.log(0.5 * m.erfc(x / ROOT2)),
    x=both([1e-6, 0.5, 3, 9, 40]),
)
case(
    "sample.stirling_corrected", lambda m, n: m.gammaln(n + 1) - (n + 0.5) * m.log(n) + n - HALF_LOG_2PI, n=geo(1, 1e4)
)
case(
    "sample.mean_difference",
    lambda m, x: m.sum(abs(x[:, 1:] - x[:, :-1]), axis=-1) / m.mean(x, axis=-1),
    x=rows([1.0, 30, 1000, 1e4], 0.5),
)
case(
    "sample.variance_of_three",
    lambda m, a, b, c: (a * a + b * b + c * c) / 3 - ((a + b + c) / 3) ** 2,
    a=POSITIVE,
    b=beside(POSITIVE),
    c=[v * (1 + 2.0**-9) for v in POSITIVE],
)
case("sample.f_to_r", lambda m, f, n: f / (f + n) - f / (f + n + 1), f=geo(1e-6, 1e6), n=cyc(24, 3, 1e5))
case(
    "loss.log_cosh_scaled",
    lambda m, x, a: m.log(m.cosh(a * x)) / a,
    x=both([1e-6, 0.5, 30, 800]),
    a=cyc(24, 1, 1e-3, 30),
)
case("loss.wing", lambda m, x, e: m.log(1 + abs(x) / e), x=both([1e-12, 1e-3, 0.5, 1e4]), e=cyc(24, 2, 1e-3, 1e6))
case(
    "loss.dice",
    lambda m, p, q: 1 - 2 * p * q / (p * p + q * q),
    p=[0.25, 0.5, 0.75, 0.9, 1e-6, 0.015],
    q=[0.2501, 0.5000001, 0.625, 0.9, 1e-3, 0.0151],
)
case(
    "loss.normals",
    lambda m, s, r, u: m.log(s / r) + (r * r + u * u) / (2 * s * s) - 0.5,
    s=POSITIVE,
    r=beside(POSITIVE),
    u=geo(1e-7, 1),
)
case(
    "loss.zero_inflated",
    lambda m, x, u: m.log(m.sigmoid(x) + (1 - m.sigmoid(x)) * m.exp(-u)),
    x=LOGITS,
    u=cyc(24, 1e-3, 2, 40, 800),
)
case("loss.evidential", lambda m, a: m.gammaln(a) - m.gammaln(a + 0.5) + m.log(a) / 2, a=geo(0.5, 1e7))
case(
    "loss.pairwise_rank",
    lambda m, x: m.sum(m.log(1 + m.exp(x[:, 1:] - x[:, :-1])), axis=-1),
    x=rows([0.0, 3, -3], 40) + rows([0.0], 900),
)
case(
    "loss.student_mixture",
    lambda m, x: -m.log(0.5 / (1 + x * x) + 0.5 * m.exp(-x * x / 2)),
    x=both([1e-6, 0.5, 3, 30, 1e9]),
)

# ---- physics and chemistry ----

case(
    "lab.colour_ratio",
    lambda m, a, b, t: (m.exp(a / t) - 1) / (m.exp(b / t) - 1),
    a=cyc(24, 3, 0.5),
    b=cyc(24, 2, 0.4),
    t=geo(1e-3, 1e9),
)
case(
    "lab.velocities",
    lambda m, u, v: 1 - (u + v) / (1 + u * v),
    u=[0.5, 0.9, 1 - 2.0**-12, 1e-9, 0.25],
    v=[0.5, 1 - 2.0**-16, 1 - 2.0**-8, 0.9, 1e-6],
)
case("lab.orbit_speeds", lambda m, r, h: 1 / m.sqrt(r) - 1 / m.sqrt(r + h), r=POSITIVE, h=geo(1e-12, 1))
case("lab.rayleigh_jeans_gap", lambda m, x: 1 / (m.exp(x) - 1) - 1 / x + 0.5, x=[0.01, 0.125, 0.5, 2, 30, 400])
case("lab.occupation_gap", lambda m, x, d: 1 / (m.exp(x) - 1) - 1 / (m.exp(x + d) - 1), x=geo(1e-3, 60), d=geo(1e-9, 1))
case(
    "lab.dimerisation",
    lambda m, k, c: (m.sqrt(1 + 8 * k * c) - 1) / (4 * k) - c,
    k=geo(1e-6, 1e9),
    c=cyc(24, 0.5, 1e-4),
)
case("lab.davies", lambda m, i: m.sqrt(i) / (1 + m.sqrt(i)) - 0.3 * i, i=[*geo(1e-12, 0.5), 3.0])
case(
    "lab.eyring_ratio",
    lambda m, t, h, s: m.log(t) - h / t + s - (m.log(300.0 + 0 * t) - h / 300 + s),
    wrt="t h",
    t=beside([300.0] * 8),
    h=cyc(24, 5e3, 1e4),
    s=cyc(24, 3, -1),
)
case(
    "lab.langmuir_gap",
    lambda m, k, p, d: k * (p + d) / (1 + k * (p + d)) - k * p / (1 + k * p),
    k=geo(1e-3, 1e6),
    p=POSITIVE,
    d=geo(1e-9, 1),
)
case("lab.saturation_rest", lambda m, b, t: 1 / m.tanh(b * t) - 1 / m.sinh(b * t), b=geo(1e-6, 30), t=cyc(24, 1, 3))
case("lab.plasma_index", lambda m, w: 1 - m.sqrt(1 - 1 / (w * w)), w=[1 + 2.0**-16, 1.25, 3, 1e3, 1e6, 1e12, 1e30])

# ---- earth, money, signals ----

case(
    "field.isometric_gap",
    lambda m, a, b: m.log(m.tan(PI / 4 + a / 2)) - m.log(m.tan(PI / 4 + b / 2)),
    a=ANGLES,
    b=beside(ANGLES),
)
case(
    "field.height",
    lambda m, p, a, n: p / m.cos(a) - n,
    p=[v * 0.5 for v in POSITIVE],
    a=ANGLES,
    n=[0.25, 0.75, 1.5, 3, 1, 12, 5, 2],
)
case(
    "field.excess",
    lambda m, a, b: 2 * m.arctan(m.tan(a / 2) * m.tan(b / 2)) - a * b / 2,
    a=geo(1e-3, 1),
    b=geo(1e-2, 0.5),
)
case("field.radius_gap", lambda m, e, p: m.sqrt(1 - e * m.cos(p) ** 2) - m.sqrt(1 - e), e=geo(1e-9, 0.5), p=ANGLES)
case(
    "purse.forward_volatility",
    lambda m, s, r, t, u: m.sqrt((s * s * t - r * r * u) / (t - u)),
    s=[0.2, 0.25, 0.3, 0.5],
    r=[0.2, 0.2499, 0.1, 0.5],
    t=[2.0, 1.0009765625, 5, 3],
    u=[1.0, 1, 0.5, 2.999],
)
case("purse.continuous_gap", lambda m, r, n: n * (m.exp(r / n) - 1) - r, r=geo(1e-5, 0.5), n=cyc(24, 1, 12, 365))
case(
    "purse.mean_reversion", lambda m, a, t: (1 - m.exp(-a * t)) / a - t, a=both(geo(1e-6, 1, 5)), t=cyc(24, 1, 0.25, 30)
)
case(
    "purse.at_the_money", lambda m, s: m.erf(s / (2 * ROOT2)) / s - 0.3989422804014327, s=[0.01, 0.05, 0.2, 0.8, 3, 20]
)
case(
    "purse.tranche",
    lambda m, x, a: (1 - m.exp(-a * x)) / (1 - m.exp(-a)),
    x=[0.03, 0.25, 0.5, 0.999, 1e-6],
    a=[1e-9, -1e-3, 3, 40, 800],
)
case("radio.envelope", lambda m, a, x: m.sqrt(1 + 2 * a * m.cos(x) + a * a) - 1, a=geo(1e-9, 0.9), x=lin(-3, 3))
case(
    "radio.phase_step", lambda m, a, b: m.arctan2(m.sin(a) - m.sin(b), m.cos(a) + m.cos(b)), a=ANGLES, b=beside(ANGLES)
)
case(
    "radio.two_poles",
    lambda m, a, b, t: (m.exp(-a * t) - m.exp(-b * t)) / (b - a),
    a=POSITIVE,
    b=beside(POSITIVE),
    t=cyc(24, 0.25, 1, 1e-6),
)
case("radio.kaiser_arg", lambda m, n: m.sqrt(1 - (2 * n - 1) ** 2), n=[1e-12, 1e-6, 0.25, 0.5, 0.75, 1 - 2.0**-20])
case("radio.decibel_gap", lambda m, x: 8.685889638065035 * m.log(1 + x) - 8.685889638065035 * m.log(1 - x), x=SMALL)
