"""Log-densities, tails and links of distributions, and special functions by their formulas."""

from __future__ import annotations

from functools import partial

from own_cases.case import HALF_LOG_2PI, PI, ROOT2, both, cyc, geo, lin, shifted
from own_cases.case import case as any_case

case = partial(any_case, batch=7)

X = [0.01, 0.7, 4, 9, 25, 38, 60, 1e3]

case(
    "dist.skew_normal",
    lambda m, x, a: 0.6931471805599453 - x * x / 2 - HALF_LOG_2PI + m.log(0.5 * (1 + m.erf(a * x / ROOT2))),
    x=both([0.01, 0.7, 4, 9, 25, 100]),
    a=cyc(12, 3, -1, 0.5),
)
case(
    "dist.exgaussian",
    lambda m, x, s, l: m.log(l / 2 * m.exp(l / 2 * (l * s * s - 2 * x)) * m.erfc((l * s * s - x) / (ROOT2 * s))),
    x=[-30.0, -3, 0.5, 4, 60, 800],
    s=cyc(6, 1, 0.5, 2),
    l=cyc(6, 1, 3),
)
case(
    "dist.voigt_tail",
    lambda m, x: m.exp(x * x) * m.erfc(x) * x * 1.772453850905516,
    x=[0.01, 0.7, 4, 9, 25, 30, 1e3, 1e6],
)
case("dist.log_mills", lambda m, x: m.log(m.erfc(x / ROOT2)) - m.log(2 * m.exp(-x * x / 2)), x=[*X, -0.5, -8])
case(
    "dist.probit_gap",
    lambda m, a, b: m.log(0.5 * m.erfc(-a / ROOT2) - 0.5 * m.erfc(-b / ROOT2)),
    a=[-39.0, -7, 0.5, 6, 3, -20],
    b=[-40.0, -8, 0.25, 3, -3, -21],
)
case(
    "dist.hazard_minus_x",
    lambda m, x: m.exp(-x * x / 2 - HALF_LOG_2PI) / (0.5 * m.erfc(x / ROOT2)) - x,
    x=[-5.0, 0.5, 3, 10, 37, 39, 100, 1e4],
)
case("dist.half_normal_log", lambda m, x, s: m.log(m.erf(x / (s * ROOT2))), x=geo(1e-9, 100, 6), s=cyc(6, 1, 3))
case(
    "dist.log_normal_logpdf",
    lambda m, x, s: m.log(m.exp(-(m.log(x) ** 2) / (2 * s * s)) / (x * s * 2.5066282746310002)),
    x=geo(1e-200, 1e200, 7),
    s=cyc(7, 1, 0.25, 5),
)
case("dist.levy", lambda m, x: m.log(0.3989422804014327 * m.exp(-1 / (2 * x)) / x**1.5), x=geo(1e-6, 1e200, 7))
case(
    "dist.maxwell",
    lambda m, x, a: m.log(0.7978845608028654 * x * x * m.exp(-x * x / (2 * a * a)) / a**3),
    x=geo(1e-100, 1e4, 7),
    a=cyc(7, 1, 30, 1e-2),
)
case(
    "dist.rayleigh_survival",
    lambda m, x, s: 1 - (1 - m.exp(-x * x / (2 * s * s))),
    x=geo(1e-3, 40, 6),
    s=cyc(6, 1, 0.5),
)
case("dist.rayleigh_cdf", lambda m, x, s: 1 - m.exp(-x * x / (2 * s * s)), x=geo(1e-9, 40, 6), s=cyc(6, 1, 0.5))
case(
    "dist.frechet",
    lambda m, x, a: m.log(a * x ** (-1 - a) * m.exp(-(x ** (-a)))),
    x=geo(1e-3, 1e100, 6),
    a=cyc(6, 1, 3, 0.5),
)
case(
    "dist.gompertz",
    lambda m, x, b: m.log(b * m.exp(b * x) * m.exp(-(m.exp(b * x) - 1))),
    x=geo(1e-9, 5, 6),
    b=cyc(6, 1, 1e-3),
)
case(
    "dist.gompertz_survival",
    lambda m, x, b, g: m.exp(-g * (m.exp(b * x) - 1) / b),
    x=geo(1e-3, 50, 6),
    b=both([1e-12, 1e-3, 0.1]),
    g=cyc(6, 1, 0.25),
)
case(
    "dist.generalized_pareto",
    lambda m, x, k: -(1 + 1 / k) * m.log(1 + k * x),
    x=geo(1e-3, 1e3, 7),
    k=[1e-9, 0.5, 1e-4, 2, 1e-12, 0.1, 1e-6],
)
case(
    "dist.gev_cdf",
    lambda m, x, k: m.exp(-((1 + k * x) ** (-1 / k))),
    x=[-2.0, -0.5, 1e-3, 3, 20],
    k=[1e-9, 0.5, 1e-4, 0.25, 1e-6],
)
case(
    "dist.logistic_interval",
    lambda m, x, h: 1 / (1 + m.exp(-(x + h))) - 1 / (1 + m.exp(-(x - h))),
    x=[-700.0, -40, -3, 0.5, 30, 500],
    h=[0.5, 1e-3, 1e-8, 0.25, 1e-5, 2],
)
case(
    "dist.discretized_logistic",
    lambda m, x, s: m.log(m.sigmoid((x + 0.0039) / s) - m.sigmoid((x - 0.0039) / s)),
    x=[-0.9, -0.5, 1e-3, 0.25, 0.99],
    s=[1e-3, 0.1, 1, 1e-2, 3],
)
case("dist.hyperbolic_secant", lambda m, x: m.log(1 / (2 * m.cosh(PI * x / 2))), x=both([1e-6, 0.5, 20, 600]))
case(
    "dist.von_mises_cap",
    lambda m, k, t: m.log(k / (4 * PI * m.sinh(k))) + k * m.cos(t),
    k=[1e-9, 1e-3, 0.5, 20, 800],
    t=[0.5, 3, 1e-3, 1e-2, 1e-6],
)
case("dist.fisher_log_norm", lambda m, k: m.log(k) - m.log(m.sinh(k)), k=[1e-9, 1e-3, 0.5, 20, 800, 1e5])
case(
    "dist.poisson_zero_inflated",
    lambda m, p, l: m.log(p + (1 - p) * m.exp(-l)),
    p=[1e-12, 0.5, 1e-300, 1e-3, 0.999],
    l=[1e-9, 3, 800, 20, 1e-6],
)
case(
    "dist.zero_truncated_poisson",
    lambda m, l, k: k * m.log(l) - m.log(m.exp(l) - 1) - m.gammaln(k + 1),
    l=geo(1e-12, 900, 7),
    k=cyc(7, 1, 3, 40),
)
case(
    "dist.log_series",
    lambda m, p, k: k * m.log(p) - m.log(k) - m.log(-m.log(1 - p)),
    p=[1e-12, 1e-3, 0.5, 0.999, 1 - 2**-20],
    k=cyc(5, 1, 3, 40),
)
case(
    "dist.bernoulli_log_likelihood",
    lambda m, p, k, n: m.log(p**k * (1 - p) ** (n - k)),
    p=geo(1e-30, 0.75, 6),
    k=cyc(6, 0, 3, 40),
    n=cyc(6, 100, 1000),
    wrt="p",
)
case(
    "dist.gamma_deviance_step",
    lambda m, y, u: 2 * (-m.log(y / u) + (y - u) / u),
    y=shifted(geo(1e-6, 1e6, 6)),
    u=geo(1e-6, 1e6, 6),
)
case(
    "dist.inverse_gamma",
    lambda m, x, a, b: m.log(b**a / m.exp(m.gammaln(a)) * x ** (-a - 1) * m.exp(-b / x)),
    x=geo(1e-3, 1e100, 6),
    a=cyc(6, 3, 40, 0.5),
    b=cyc(6, 1, 20),
)
case(
    "dist.student_tail",
    lambda m, t, v: -(v + 1) / 2 * m.log(1 + t**2 / v),
    t=both([1e-9, 0.5, 1e6]),
    v=[1.0, 1e9, 30, 1e15, 3, 1e4],
)
case(
    "dist.student_to_normal",
    lambda m, t, v: (1 + t * t / v) ** (-(v + 1) / 2),
    t=both([1e-3, 0.5, 6]),
    v=[1.0, 1e9, 30, 1e12, 3, 1e4],
)
case("dist.erf_chain", lambda m, x: m.log(1 - m.erf(x) ** 2), x=both([1e-9, 0.25, 2, 5, 8, 27]))
case(
    "dist.owen_like",
    lambda m, h, a: m.exp(-0.5 * h * h * (1 + a * a)) / (1 + a * a),
    h=[0.5, 3, 20, 37],
    a=[1e-9, 1, 0.5, 1e-3],
)
case(
    "dist.arctan_tail", lambda m, x, g: m.log(0.5 - m.arctan(x / g) / PI), x=[-1e6, -3, 0.5, 20, 1e4], g=cyc(5, 1, 0.25)
)
case(
    "dist.log_cauchy",
    lambda m, x, g: -m.log(PI * g * (1 + (x / g) ** 2)),
    x=[1e-200, 1e-3, 0.5, 20, 1e200],
    g=[1e-100, 1, 0.25, 1e9, 1e150],
)
case(
    "dist.stirling_ratio",
    lambda m, x: m.exp(m.gammaln(x + 1) - x * m.log(x) + x) / m.sqrt(2 * PI * x) - 1,
    x=geo(1, 1e4, 5),
)
case("dist.wallis", lambda m, n: m.exp(m.gammaln(n + 1) - m.gammaln(n + 0.5)) / m.sqrt(n), n=geo(0.5, 1e6, 6))
case(
    "dist.catalan", lambda m, n: m.gammaln(2 * n + 1) - 2 * m.gammaln(n + 1) - m.log(n + 1), n=[1e-6, 0.5, 3, 100, 1e6]
)
case(
    "dist.reflected", lambda m, x: m.log(PI / m.sin(PI * x)) - m.gammaln(1 - x), x=[1e-9, 0.125, 0.5, 0.875, 1 - 2**-10]
)
case(
    "dist.log_choose_half",
    lambda m, n, k: m.gammaln(n + 1) - m.gammaln(k + 1) - m.gammaln(n - k + 1) - n * 0.6931471805599453,
    n=[10.0, 100, 1e4, 1e6],
    k=[5.0, 49, 5100, 499000],
)
case(
    "dist.beta_prime",
    lambda m, x, a, b: (a - 1) * m.log(x) - (a + b) * m.log(1 + x),
    x=geo(1e-30, 1e30, 6),
    a=cyc(6, 1, 3, 0.5),
    b=lin(0.5, 30, 6),
)
case(
    "dist.laplace_cdf",
    lambda m, x, b: m.where(x < 0, 0.5 * m.exp(x / b), 1 - 0.5 * m.exp(-x / b)),
    x=both([1e-9, 0.5, 20, 800]),
    b=cyc(8, 1, 0.5, 2),
)
case(
    "dist.asymmetric_laplace",
    lambda m, x, k: m.log(1 / (k + 1 / k)) - m.where(x > 0, x * k, -x / k),
    x=both([1e-9, 0.5, 20, 1e5]),
    k=cyc(8, 1, 1e-3, 30),
)
