"""Physics, finance, geometry and statistics, at the ends of their ranges."""

from __future__ import annotations

from own_cases.batch12 import beside, case, near_rows
from own_cases.case import PI, ROOT2, SMALL, TINY, both, cyc, geo, rows

SIDES = [0.3125, 1.125, 2.6, 5.75, 0.84375, 11.9, 17.3, 6.5]
ANGLES = [0.11, 0.37, 0.7853981633974483, 1.02, 1.21, 1.43, 0.95, 0.28]
LOGITS = both([1e-8, 0.375, 2.5, 16.5, 36.5, 88, 460])
BELOW_1 = [1 - 2.0**-k for k in (1, 4, 8, 12, 16, 20)]
SPACE = rows([1.0, 2, 30, 1e4, 1e-8], 0.9, 3, scale=True)

# ---- physics ----

case(
    "cosmos.invariant_mass",
    lambda m, p, y, f: m.sqrt(2 * p * (m.cosh(y) - m.cos(f))),
    p=cyc(6, 1, 40),
    y=[1e-9, 1e-3, 0.5, 3, 30, 300],
    f=[1e-8, 1e-4, 0.25, 3, 1e-9, 1],
)
case("cosmos.compton", lambda m, e, a: e - e / (1 + e * (1 - m.cos(a))), e=geo(1e-9, 1e6), a=geo(1e-6, 3))
case("cosmos.clock_in_a_well", lambda m, r: 1 / m.sqrt(1 - r) - 1, r=[*geo(1e-15, 0.5), *BELOW_1[1:]])
case(
    "cosmos.ising_chain",
    lambda m, k, h: m.log(m.exp(k) * m.cosh(h) + m.sqrt(m.exp(2 * k) * m.sinh(h) ** 2 + m.exp(-2 * k))),
    k=[0.5, -3, 30, -400, 1e-6, 800],
    h=[1e-9, 0.5, 3, 400, 1e-3, -1],
)
case("cosmos.ising_gap", lambda m, k, h: (lambda s: m.log((m.exp(k) * m.cosh(h) + s) / (m.exp(k) * m.cosh(h) - s)))(m.sqrt(m.exp(2 * k) * m.sinh(h) ** 2 + m.exp(-2 * k))),
     k=[0.5, 3, 20, 1, 0.125], h=[1e-9, 0.5, 3, 12, 1e-3])  # fmt: skip
case("cosmos.einstein_heat", lambda m, x: x * x * m.exp(x) / (m.exp(x) - 1) ** 2, x=[*geo(1e-12, 30), 90.0, 400, 720])
case("cosmos.schottky", lambda m, x: x * x * m.exp(-x) / (1 + m.exp(-x)) ** 2, x=[*geo(1e-12, 30), 90.0, 400, 720])
case("cosmos.brillouin", lambda m, x: 2 / m.tanh(2 * x) - 1 / m.tanh(x), x=[*TINY, 3.0, 20, -40, 300])
case(
    "cosmos.real_gas",
    lambda m, v, b, a: 1 / (v - b) - a / v**2 - 1 / v,
    v=geo(0.5, 1e9),
    b=cyc(8, 0.03, 0.125),
    a=cyc(8, 1.4, 0.01),
)
case(
    "cosmos.chain_of_decays",
    lambda m, a, b, t: a / (b - a) * (m.exp(-a * t) - m.exp(-b * t)),
    a=SIDES,
    b=beside(SIDES),
    t=geo(1e-9, 20),
)
case(
    "cosmos.kepler_near_parabola",
    lambda m, e, x: x - e * m.sin(x),
    e=[*BELOW_1, 0.5],
    x=[1e-6, 0.01, 0.5, 1e-3, 2, 1e-4, 1e-9],
)
case(
    "cosmos.fresnel_normal",
    lambda m, n, k: ((n - 1) ** 2 + k * k) / ((n + 1) ** 2 + k * k),
    n=[1 + 2.0**-k for k in (1, 5, 10, 15, 20)],
    k=geo(1e-12, 3, 5),
)
case(
    "cosmos.fresnel_oblique",
    lambda m, n, a: (m.cos(a) - m.sqrt(n * n - m.sin(a) ** 2)) / (m.cos(a) + m.sqrt(n * n - m.sin(a) ** 2)),
    n=[1 + 2.0**-k for k in (1, 4, 7, 10, 13, 16, 18, 20)],
    a=ANGLES,
)
case("cosmos.saha", lambda m, s: (-s + m.sqrt(s * s + 4 * s)) / 2, s=[*geo(1e-200, 1e-20, 3), *geo(1e-9, 1e15), 1e100])
case(
    "cosmos.tunnelling",
    lambda m, e, w: 1 / (1 + m.sinh(w * m.sqrt(1 - e)) ** 2 / (4 * e * (1 - e))),
    e=[1e-9, 0.25, 0.5, *BELOW_1[2:]],
    w=[0.5, 3, 40, 200, 1, 1e-3, 6],
)
case(
    "cosmos.rapidity_sum",
    lambda m, u, v: m.log((1 + u) / (1 - u)) / 2 + m.log((1 + v) / (1 - v)) / 2,
    u=SMALL[:6] + BELOW_1,
    v=[-v for v in SMALL[:6]][::-1] + BELOW_1[::-1],
)
case(
    "cosmos.free_fall",
    lambda m, g, k, t: m.log(m.cosh(m.sqrt(g * k) * t)) / k - g * t * t / 2,
    g=cyc(6, 9.8, 1.6),
    k=geo(1e-3, 3, 6),
    t=[0.5, 1, 0.25, 3, 10, 40],
)
case("cosmos.debye_waller", lambda m, q, u: 1 - m.exp(-q * q * u / 3), q=geo(1e-8, 1e3), u=cyc(8, 0.01, 1))
case(
    "cosmos.two_body",
    lambda m, a, b: m.sqrt(a * a + b * b + 2 * a * m.sqrt(1 + b * b)) - a - 1,
    a=geo(1e-9, 1e9),
    b=geo(1e-6, 1e6),
)

# ---- money ----

case("market.nelson_siegel", lambda m, x: (1 - m.exp(-x)) / x - m.exp(-x), x=[*geo(1e-9, 30), 100.0, 800])
case(
    "market.normal_call",
    lambda m, d, s: d * 0.5 * m.erfc(-d / s / ROOT2) + s * m.exp(-0.5 * (d / s) ** 2) / 2.5066282746310002,
    d=[-30.0, -9, -1, 1e-6, 0.5, 4, 30],
    s=cyc(7, 1, 0.5, 3),
)
case("market.variance_swap", lambda m, x: 2 * (m.exp(x) - 1 - x), x=[*SMALL, 3.0, -40])
case(
    "market.default_leg",
    lambda m, h, r, t: h * (1 - m.exp(-(h + r) * t)) / (h + r),
    h=geo(1e-12, 3),
    r=geo(1e-9, 0.2),
    t=cyc(8, 5, 0.25, 30),
)
case(
    "market.mean_reverting_variance",
    lambda m, k, t: (1 - m.exp(-2 * k * t)) / (2 * k),
    k=both(geo(1e-12, 3, 6)),
    t=cyc(12, 1, 30),
)
case(
    "market.crra_gap",
    lambda m, c, d, g: (c ** (1 - g) - 1) / (1 - g) - ((c - d) ** (1 - g) - 1) / (1 - g),
    c=SIDES,
    d=geo(1e-9, 0.25),
    g=cyc(8, 0.5, 1.0000001, 2, 5),
)
case(
    "market.kelly_growth",
    lambda m, p, f: p * m.log(1 + f) + (1 - p) * m.log(1 - f),
    p=[0.5 + 2.0**-k for k in (2, 5, 8, 12, 16)],
    f=[2.0**-k for k in (1, 4, 7, 11, 15)],
)
case(
    "market.yield_spread",
    lambda m, a, b, t: -m.log(a) / t + m.log(b) / t,
    a=[0.99, 0.5, 0.9999, 0.75, 0.01],
    b=beside([0.99, 0.5, 0.9999, 0.75, 0.01]),
    t=cyc(5, 0.25, 10),
)
case("market.barrier_ratio", lambda m, s, h, k: (h / s) ** k - 1, s=SIDES, h=beside(SIDES), k=cyc(8, 0.5, 30, -2))
case(
    "market.log_volatility",
    lambda m, p: m.sqrt(
        m.mean(
            (m.log(p[:, 1:] / p[:, :-1]) - m.mean(m.log(p[:, 1:] / p[:, :-1]), axis=-1, keepdims=True)) ** 2, axis=-1
        )
    ),
    p=rows([100.0, 30, 1000, 1e4], 0.75),
)
case(
    "market.bond_convexity",
    lambda m, y: 1 / (1 + y) ** 5 - 1 + 5 * y - 15 * y * y,
    y=[0.5, 0.125, 0.03125, -0.015625, 2.0**-9],
)

# ---- figures ----

case(
    "figure.lens_area",
    lambda m, r, d: 2 * r * r * m.arccos(d / (2 * r)) - d / 2 * m.sqrt(4 * r * r - d * d),
    r=SIDES,
    d=[2 * v * (1 - 2.0 ** -(1 + 2 * k)) for k, v in enumerate(SIDES)],
)
case(
    "figure.slerp_weight",
    lambda m, t, a: m.sin((1 - t) * a) / m.sin(a) - (1 - t),
    t=[0.25, 0.5, 0.125, 0.9, 0.75, 1e-6],
    a=geo(1e-6, 2, 6),
)
case(
    "figure.line_distance",
    lambda m, p, q: m.sqrt(m.sum(p * p, axis=-1) - m.sum(p * q, axis=-1) ** 2 / m.sum(q * q, axis=-1)),
    p=SPACE,
    q=near_rows(SPACE, 2, 2),
)
case(
    "figure.circumradius",
    lambda m, a, b, c: a * b * c / m.sqrt((a + b + c) * (b + c - a) * (c + a - b) * (a + b - c)),
    a=SIDES,
    b=SIDES,
    c=[2 * v * (1 - 2.0 ** -(1 + 2 * k)) for k, v in enumerate(SIDES)],
)
case("figure.cone_gap", lambda m, r, h: PI * r * m.sqrt(r * r + h * h) - PI * r * r, r=SIDES, h=geo(1e-9, 1e9))
case(
    "figure.eccentricity",
    lambda m, a, b: m.sqrt(1 - (b / a) ** 2),
    a=SIDES,
    b=[v * (1 - 2.0 ** -(1 + 2 * k)) for k, v in enumerate(SIDES)],
)
case(
    "figure.bearing",
    lambda m, a, b, l: m.arctan2(m.sin(l) * m.cos(b), m.cos(a) * m.sin(b) - m.sin(a) * m.cos(b) * m.cos(l)),
    a=ANGLES,
    b=beside(ANGLES),
    l=geo(1e-9, 2),
)
case(
    "figure.cap_of_sphere", lambda m, r, a: 2 * PI * r * (r - m.sqrt(r * r - a * a)), r=geo(1.5, 1e9), a=cyc(8, 1, 0.5)
)
case("figure.bulge", lambda m, c, h: (c * c + 4 * h * h) / (8 * h) - h, c=geo(1, 1e9), h=cyc(8, 1e-6, 0.5))
case("figure.unit_vector_gap", lambda m, x, y: x / m.sqrt(x * x + y * y) - 1, x=geo(1, 1e160), y=cyc(8, 1, 1e-6))
case(
    "figure.triangle_third_side",
    lambda m, a, b, c: m.sqrt(a * a + b * b - 2 * a * b * m.cos(c)),
    a=SIDES,
    b=beside(SIDES),
    c=geo(1e-9, 2),
)

# ---- statistics ----

case(
    "study.student_two",
    lambda m, x: 0.5 + x / (2 * m.sqrt(2 + x * x)),
    x=[-1e150, -1e20, -1e9, -300, -3, -0.25, 1e-9, 3],
)
case(
    "study.student_two_log_gap",
    lambda m, x: m.log(0.5 - x / (2 * m.sqrt(2 + x * x))),
    x=[-30.0, -1e-9, 0.5, 3, 1e6, 1e30, 1e120],
)
case("study.chi_square_four", lambda m, x: 1 - m.exp(-x / 2) * (1 + x / 2), x=[*geo(1e-7, 30), 300.0])
case("study.welch", lambda m, x, y: (m.mean(x, axis=-1) - m.mean(y, axis=-1)) / m.sqrt((m.mean(x * x, axis=-1) - m.mean(x, axis=-1) ** 2) / 4 + (m.mean(y * y, axis=-1) - m.mean(y, axis=-1) ** 2) / 4),
     wrt="", x=rows([0.0, 10, 300, 4000], 2), y=rows([0.5, 12, 305, 3990], 1))  # fmt: skip
case(
    "study.log_beta_gap",
    lambda m, a, b: m.gammaln(a) + m.gammaln(b) - m.gammaln(a + b) + b * m.log(a),
    a=geo(10, 1e10, 6),
    b=cyc(6, 0.5, 3),
)
case(
    "study.kl_poissons",
    lambda m, a, b: a * m.log(a / b) - a + b,
    a=[*SIDES, 1e-200, 1e200],
    b=[*beside(SIDES), 2e-200, 1.5e200],
)
case(
    "study.kl_weibull_shapes",
    lambda m, k, d: m.log(k / (k + d)) - 0.5772156649015329 * (1 - (k + d) / k) + m.exp(m.gammaln(1 + (k + d) / k)) - 1,
    k=SIDES,
    d=geo(1e-3, 0.5),
)
case("study.kappa", lambda m, p, e: (p - e) / (1 - e), p=BELOW_1, e=[0.5, 0.9, 0.99, 0.999, 1 - 2.0**-14, 0.25])
case("study.autocorrelation", lambda m, x: m.sum((x[:, 1:] - m.mean(x, axis=-1, keepdims=True)) * (x[:, :-1] - m.mean(x, axis=-1, keepdims=True)), axis=-1) / m.sum((x - m.mean(x, axis=-1, keepdims=True)) ** 2, axis=-1),
     wrt="", x=rows([0.0, 10, 1000, 1e5], 3))  # fmt: skip
case(
    "study.yeo_johnson",
    lambda m, x, k: m.where(x >= 0, ((1 + abs(x)) ** k - 1) / k, -((1 + abs(x)) ** (2 - k) - 1) / (2 - k)),
    x=both([1e-12, 1e-3, 0.5, 30, 1e6]),
    k=cyc(10, 1e-9, 0.5, 1.9999, 1.25),
)
case(
    "study.log_odds_difference",
    lambda m, p, q: m.log(p / (1 - p)) - m.log(q / (1 - q)),
    p=[0.5, 1e-9, 0.25, 1 - 2.0**-16, 1e-30],
    q=beside([0.5, 1e-9, 0.25, 1 - 2.0**-19, 1e-30]),
)
case(
    "study.binomial_rest",
    lambda m, n, p: 1 - (1 - p) ** n - n * p * (1 - p) ** (n - 1),
    n=cyc(8, 5, 100, 2.5),
    p=geo(1e-7, 0.5),
)
case(
    "study.normal_mills_log",
    lambda m, x: m.log(m.exp(-x * x / 2) / m.erfc(x / ROOT2)),
    x=[-20.0, -3, 1e-9, 0.5, 5, 30, 400],
)
case(
    "study.f_to_beta", lambda m, f, a, b: a * f / (a * f + b) - 1, f=geo(1e-9, 1e15), a=cyc(8, 1, 20), b=cyc(8, 3, 0.5)
)
case(
    "study.geometric_interval",
    lambda m, p, a, b: (1 - p) ** a - (1 - p) ** b,
    p=geo(1e-12, 0.5),
    a=cyc(8, 1, 30, 2),
    b=cyc(8, 2, 31, 1000),
)
case("study.log_series", lambda m, p: -1 / m.log(1 - p) - 1 / p, p=[*geo(1e-7, 0.5, 6), *BELOW_1[2:]])
case(
    "study.excess_kurtosis",
    lambda m, x: (lambda d: m.mean(d**4, axis=-1) / m.mean(d**2, axis=-1) ** 2 - 3)(
        x - m.mean(x, axis=-1, keepdims=True)
    ),
    wrt="",
    x=rows([0.0, 10, 1000, 1e5], 3),
)
case(
    "study.expected_logistic",
    lambda m, u, s: m.sigmoid(u / m.sqrt(1 + PI / 8 * s * s)) - m.sigmoid(u),
    u=LOGITS,
    s=cyc(14, 1e-6, 0.5, 30),
)
