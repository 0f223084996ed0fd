"""Options, log-tails, gated units, distances on spheres, roots and ratios of small differences."""

from __future__ import annotations

from own_cases.case import HALF_LOG_2PI, PI, ROOT2, both, case, cyc, geo, lin, rows, shifted

# ---- batch 5 ----

MONEY = [0.5, 1, 2, 5, 20, 38, 90, 200]  # d of Black and Scholes (1973): standard deviations into the tail

case(
    "finance.put",
    lambda m, d, s: 0.5 * m.erfc(d / ROOT2) - s * 0.5 * m.erfc((d + 1) / ROOT2),
    batch=5,
    d=MONEY,
    s=cyc(8, 0.5, 1),
)
case("finance.vega", lambda m, d, s: s * m.exp(-d * d / 2 - HALF_LOG_2PI), batch=5, d=MONEY, s=geo(1e-3, 1e3))
case(
    "finance.log_delta", lambda m, d: m.log(0.5 * (1 + m.erf(d / ROOT2))), batch=5, d=both([0.25, 1, 3, 8, 20, 37, 60])
)
case(
    "finance.annuity_factor", lambda m, r, n: (1 - (1 + r) ** (-n)) / r, batch=5, r=geo(1e-12, 2), n=cyc(8, 3, 12, 360)
)
case(
    "finance.simple_forward",
    lambda m, p, q: (p / q - 1) / 0.25,
    batch=5,
    p=shifted(geo(0.1, 0.99, 7)),
    q=geo(0.1, 0.99, 7),
)
case(
    "finance.volga",
    lambda m, d, s: s * m.exp(-d * d / 2) * d * (d - s) / s,
    batch=5,
    d=MONEY,
    s=[0.5, 1.0000001, 2, 5.5, 19, 38, 1, 200],
)
case("logcdf.logistic", lambda m, x: m.log(1 / (1 + m.exp(-x))), batch=5, x=both([1e-6, 1, 20, 40, 800]))
case("logcdf.gumbel", lambda m, x: m.log(1 - m.exp(-m.exp(-x))), batch=5, x=lin(-4, 740, 9))
case("logcdf.weibull", lambda m, x, k: m.log(1 - m.exp(-(x**k))), batch=5, x=geo(1e-30, 20), k=cyc(8, 0.5, 1, 2))
case(
    "logcdf.normal_sf",
    lambda m, x, u: m.log(0.5 * m.erfc((x - u) / ROOT2)),
    batch=5,
    x=[-9, -1, 0.5, 4, 12, 39, 1e3, 1e8],
    u=cyc(8, 1, 0.25),
)
case(
    "logcdf.truncated_normal",
    lambda m, x, a: -x * x / 2 - m.log(m.erfc(a / ROOT2)),
    batch=5,
    x=[-7.0, 1, 4.5, 15, 41, 101],
    a=[-8.0, 0.5, 4, 14, 40, 100],
)
case("logcdf.cloglog", lambda m, y: m.log(-m.log(1 - m.exp(-m.exp(y)))), batch=5, y=lin(-30, 5, 8))
case(
    "logcdf.negative_binomial",
    lambda m, k, r, u: (
        m.gammaln(k + r) - m.gammaln(r) - m.gammaln(k + 1) + r * m.log(r / (r + u)) + k * m.log(u / (r + u))
    ),
    batch=5,
    k=[1.0, 3, 10, 0.5, 7, 200],
    r=geo(0.5, 1e8, 6),
    u=[0.5, 2, 9, 1, 30, 150],
)
case(
    "logcdf.log_gamma_pdf",
    lambda m, x, a: (a - 1) * m.log(x) - x - m.gammaln(a),
    batch=5,
    x=geo(1e-200, 1e3),
    a=cyc(8, 0.25, 3, 40),
)
case("logcdf.dirichlet_log_alpha", lambda m, x: m.gammaln(m.exp(-x)), batch=5, x=[0.5, 3, 30, 80, 700, 1000, 5000])
case(
    "logcdf.kumaraswamy",
    lambda m, x, a, b: m.log(1 - (1 - x**a) ** b),
    batch=5,
    x=geo(1e-20, 0.9),
    a=cyc(8, 2, 0.5, 3),
    b=cyc(8, 3, 0.5),
)
case("logcdf.cauchy_tail", lambda m, x: 0.5 - m.arctan(x) / PI, batch=5, x=[-3.0, 0.5, 10, 1e3, 5e4])
case("physics.planck_cubed", lambda m, x: x**3 / (m.exp(x) - 1), batch=5, x=[*geo(1e-12, 1, 4), 20, 300, 700])
case(
    "physics.fermi_hole",
    lambda m, e, t: 1 - 1 / (m.exp(e / t) + 1),
    batch=5,
    e=[-40.0, -1, 1e-3, 2, 30, 800],
    t=cyc(6, 1, 0.5, 2),
)
case(
    "physics.gamma_minus_one",
    lambda m, b: 1 / m.sqrt(1 - b * b) - 1,
    batch=5,
    b=[*geo(1e-12, 0.5, 6), 1 - 2**-10, 1 - 2**-20],
)
case(
    "physics.kepler_equation",
    lambda m, u, e: u - e * m.sin(u),
    batch=5,
    u=geo(1e-8, 3),
    e=[1 - 2**-20, 0.5, 1 - 2**-10, 0.25, 0.9990234375, 0.5, 1, 0.75],
)
case(
    "physics.rapidity",
    lambda m, e, p: 0.5 * m.log((e + p) / (e - p)),
    batch=5,
    e=shifted(geo(1, 1e6, 6), 2),
    p=geo(1, 1e6, 6),
)
case(
    "physics.langevin_cosh",
    lambda m, x: m.cosh(x) / m.sinh(x) - 1 / x,
    batch=5,
    x=both([1e-9, 1e-4, 0.01, 0.5, 4, 50, 800]),
)
case(
    "geometry.haversine_distance",
    lambda m, a, b, c: 2 * m.arcsin(m.sqrt(m.sin((a - b) / 2) ** 2 + m.cos(a) * m.cos(b) * m.sin(c / 2) ** 2)),
    batch=5,
    a=shifted([0.125, 0.5, 0.75, 1, 1.25]),
    b=[0.125, 0.5, 0.75, 1, 1.25],
    c=geo(1e-9, 0.5, 5),
)
case(
    "geometry.spherical_cosines",
    lambda m, a, c: m.arccos(m.sin(a) ** 2 + m.cos(a) ** 2 * m.cos(c)),
    batch=5,
    a=cyc(5, 0.25, 1),
    c=geo(1e-4, 2, 5),
)
case(
    "geometry.angle_to_diagonal",
    lambda m, x, y: m.arccos((x + y) / m.sqrt(2 * (x * x + y * y))),
    batch=5,
    x=shifted(geo(1e-3, 1e3, 5)),
    y=geo(1e-3, 1e3, 5),
)
case(
    "geometry.triangle_determinant",
    lambda m, x, y, z: 0.5 * ((y - x) * (z * z - x * x) - (z - x) * (y * y - x * x)),
    batch=5,
    x=[1.0, 100, 3],
    y=[1.0009765625, 100.5, 3.25],
    z=[1.001953125, 101, 2.75],
)
case(
    "geometry.quadratic_other_root",
    lambda m, b, c: (-b + m.sqrt(b * b - 4 * c)) / 2,
    batch=5,
    b=geo(3, 1e160),
    c=cyc(8, 1, 0.5),
)
case(
    "geometry.cubic_root",
    lambda m, p, q: m.exp(m.log(q / 2 + m.sqrt(q * q / 4 + p**3 / 27)) / 3),
    batch=5,
    p=geo(1e-3, 1e3, 6),
    q=both([1e-6, 1, 50]),
)
case("units.swish", lambda m, x, b: x / (1 + m.exp(-b * x)), batch=5, x=both([1e-8, 1, 40, 800]), b=cyc(8, 1, 0.5, 2))
case("units.mish", lambda m, x: x * m.tanh(m.log(1 + m.exp(x))), batch=5, x=both([1e-8, 1, 20, 40, 700]))
case("units.swiglu", lambda m, x, y: x * m.sigmoid(x) * y, batch=5, x=both([1e-8, 1, 40, 700]), y=geo(1e-3, 1e3))
case(
    "units.gated_tanh",
    lambda m, x, y: m.tanh(x) * m.sigmoid(y),
    batch=5,
    x=both([1e-9, 0.5, 20]),
    y=[-700, -40, -1, 1e-3, 30, 600],
)
case(
    "units.masked_attention",
    lambda m, x, y: m.exp(y - 1e9) / (m.sum(m.exp(x), axis=-1) + m.exp(y - 1e9)),
    batch=5,
    x=rows([1, 700, -900], 3, 3),
    y=[1e9 + 1, 1e9 + 698, 1e9 - 901],
)
case(
    "units.sinkhorn_row",
    lambda m, x, u: u - m.log(m.sum(m.exp(x / 0.0078125), axis=-1)) * 0.0078125,
    batch=5,
    x=rows([1, 9, -3], 2, 4),
    u=[1.5, 9, -2],
)
case(
    "units.categorical_kl",
    lambda m, x, y: (
        m.sum(m.exp(x) / m.sum(m.exp(x), axis=-1, keepdims=True) * (x - y), axis=-1)
        - m.log(m.sum(m.exp(x), axis=-1))
        + m.log(m.sum(m.exp(y), axis=-1))
    ),
    batch=5,
    x=rows([1, 3, 300], 2, 3),
    y=rows([2, 3.5, 310], 2.5, 3),
)
case(
    "units.wasserstein_gaussians",
    lambda m, s, t: s + t - 2 * m.sqrt(s * t),
    batch=5,
    s=shifted(geo(1e-6, 1e6, 6)),
    t=geo(1e-6, 1e6, 6),
)
case(
    "units.log_det_two",
    lambda m, a, b, c: 2 * (m.log(m.sqrt(a)) + m.log(m.sqrt(c - (b / m.sqrt(a)) ** 2))),
    batch=5,
    a=geo(1e-6, 1e6, 5),
    b=[5e-4, 1, 0.5, 10, 300],
    c=[1, 1e5, 0.2501, 4, 1.0],
)
case(
    "ratios.divided_difference",
    lambda m, x, y: (m.exp(x) - m.exp(y)) / (x - y),
    batch=5,
    x=shifted([-700, -3, 0.5, 40, 300], 4),
    y=[-700, -3, 0.5, 40, 300],
)
case(
    "ratios.divided_log",
    lambda m, x, y: (m.log(x) - m.log(y)) / (x - y),
    batch=5,
    x=shifted(geo(1e-9, 1e9, 6)),
    y=geo(1e-9, 1e9, 6),
)
case("ratios.phi_two", lambda m, x: (m.exp(x) - 1 - x) / (x * x), batch=5, x=both(geo(1e-9, 30, 7)))
case("ratios.sinc_prime", lambda m, x: (x * m.cos(x) - m.sin(x)) / (x * x), batch=5, x=both(geo(1e-9, 3, 7)))
case("ratios.jinc_like", lambda m, x: (m.sin(x) - x * m.cos(x)) / x**3, batch=5, x=both(geo(1e-7, 3, 7)))
case("ratios.compensated", lambda m, x, y: ((x + y) - x) - y, batch=5, x=[1.0, 1e16, 3], y=[1e-17, 1, 0.1])
case("ratios.log_one_plus_over", lambda m, x: m.log(1 + x) / x - 1 / (1 + x), batch=5, x=both(geo(1e-12, 0.9, 7)))
case(
    "ratios.rump_small", lambda m, x, y: 9 * x**4 - y**4 + 2 * y**2, batch=5, x=[10864.0, 5, 41], y=[18817.0, 8.66, 71]
)
