"""Tails of distributions, log-densities, means and moments."""

from __future__ import annotations

from own_cases.case import HALF_LOG_2PI, NEAR1, PI, ROOT2, both, case, cyc, geo, lin, rows, shifted

# ---- batch 1 ----

case(
    "tail.survival_logistic",
    lambda m, x, u, s: 1 - 1 / (1 + m.exp(-(x - u) / s)),
    x=[-40, 0, 37, 90, 400, 3, 1500],
    u=cyc(7, 1, 0.5, -2),
    s=cyc(7, 1, 0.5, 2),
)
case(
    "tail.log_survival_exponential",
    lambda m, x, r: m.log(1 - (1 - m.exp(-r * x))),
    x=geo(1e-3, 2000),
    r=cyc(8, 0.5, 1, 2),
)
case("tail.gumbel_survival", lambda m, x: 1 - m.exp(-m.exp(-x)), x=lin(-2, 700, 9))
case("tail.gumbel_logpdf", lambda m, x: m.log(m.exp(-x) * m.exp(-m.exp(-x))), x=lin(-5, 800, 9))
case(
    "tail.log_normal_hazard",
    lambda m, x: m.log(m.exp(-x * x / 2) / (m.erfc(x / ROOT2) / 2)),
    x=[-5, -1, 0.1, 2, 6, 20, 39, 100, 1000.0],
)
case(
    "tail.mills_ratio",
    lambda m, x: m.erfc(x / ROOT2) / m.exp(-x * x / 2),
    x=[-3, -0.5, 0.25, 2, 8, 20, 37, 39, 200, 1e4],
)
case(
    "tail.rice_log",
    lambda m, x, v: m.log(x) - (x * x + v * v) / 2 + x * v,
    x=geo(0.1, 1000, 6),
    v=[0.1, 1.3, 6, 40, 150, 1000.5],
)
case("tail.normal_interval", lambda m, a: m.erf(a + 0.125) - m.erf(a), a=lin(-6, 6, 9))
case("tail.log_interval", lambda m, a: m.log(m.erfc(a) - m.erfc(a + 1)), a=[0.5, 3, 8, 20, 26, 30, 100])
case(
    "tail.inverse_gaussian_log",
    lambda m, x: m.log(m.sqrt(1 / (x**3)) * m.exp(-((x - 1) ** 2) / (2 * x))),
    x=geo(1e-100, 1e100, 9),
)
case("tail.weibull_survival", lambda m, x, k: 1 - m.exp(-(x**k)), x=geo(1e-8, 3), k=cyc(8, 0.5, 1, 2))
case("tail.pareto_log", lambda m, x, a: m.log(a * 2**a / x ** (a + 1)), x=geo(2, 1e300), a=cyc(8, 3, 40, 0.5))
case("tail.beta_binomial", lambda m, a, k: m.gammaln(a + k) - m.gammaln(a), a=geo(0.5, 1e9), k=cyc(8, 3, 0.5, 10))
case("tail.gamma_ratio", lambda m, x: m.exp(m.gammaln(x + 0.5) - m.gammaln(x)), x=geo(0.5, 1e6))
case("tail.stirling_rest", lambda m, x: m.gammaln(x) - (x - 0.5) * m.log(x) + x - HALF_LOG_2PI, x=geo(1, 1e4, 6))
case("tail.digamma_minus_log", lambda m, x: m.log(x) - m.digamma(x), x=geo(1, 1e6, 6))
case(
    "stat.log_odds_ratio",
    lambda m, p, q: m.log(p * (1 - q) / (q * (1 - p))),
    p=[*geo(1e-30, 0.4, 5), 0.5, 1 - 2**-20],
    q=[*geo(1e-25, 0.45, 5), 0.5 + 2**-20, 1 - 2**-18],
)
case(
    "stat.arcsine_gap",
    lambda m, p, q: m.arcsin(m.sqrt(p)) - m.arcsin(m.sqrt(q)),
    p=lin(0.1, 0.9, 6),
    q=[v + 2**-18 for v in lin(0.1, 0.9, 6)],
)
case(
    "stat.correlation",
    lambda m, x, y: (
        m.mean((x - m.mean(x, axis=-1, keepdims=True)) * (y - m.mean(y, axis=-1, keepdims=True)), axis=-1)
        / m.sqrt(
            m.mean((x - m.mean(x, axis=-1, keepdims=True)) ** 2, axis=-1)
            * m.mean((y - m.mean(y, axis=-1, keepdims=True)) ** 2, axis=-1)
        )
    ),
    x=rows([0, 100, 1e4]),
    y=[r[::-1] for r in rows([3, -50, 2e4])],
)
case(
    "stat.standard_error",
    lambda m, x: m.sqrt((m.sum(x * x, axis=-1) - m.sum(x, axis=-1) ** 2 / 5) / 4),
    x=rows([0, 100, 1e4, 1e6]),
)
case("stat.log_mean_exp", lambda m, x: m.log(m.mean(m.exp(x), axis=-1)), x=rows([0, 700, -800, 1e4, 50], 30))
case(
    "stat.variance_ratio",
    lambda m, x: (m.mean(x * x, axis=-1) - m.mean(x, axis=-1) ** 2) / m.mean(x, axis=-1) ** 2,
    x=rows([1, 100, 1e5]),
)
case(
    "stat.entropy_weights",
    lambda m, w: -m.sum(w / m.sum(w, axis=-1, keepdims=True) * m.log(w / m.sum(w, axis=-1, keepdims=True)), axis=-1),
    w=rows([1, 1e200, 1e-200, 5], 0.9, scale=True),
)
case(
    "stat.geometric_mean",
    lambda m, x: m.prod(x, axis=-1) ** 0.2,
    x=rows([1, 1e100, 1e-100, 1e30, 1e-30], 0.9, scale=True),
)
case("stat.harmonic", lambda m, x: 5 / m.sum(1 / x, axis=-1), x=rows([1, 1e305, 1e-305, 1e30], 0.9, scale=True))
case("stat.power_mean", lambda m, x: m.mean(x**8, axis=-1) ** 0.125, x=rows([1, 1e100, 1e-100, 1e30], 0.9, scale=True))
case("stat.perplexity", lambda m, x: m.exp(-m.mean(m.log(x), axis=-1)), x=rows([0.5, 1e-30, 1e-200], 0.9, scale=True))

# ---- batch 3 ----

case(
    "stat.beta_logpdf",
    lambda m, x, a, b: (a - 1) * m.log(x) + (b - 1) * m.log(1 - x) + m.gammaln(a + b) - m.gammaln(a) - m.gammaln(b),
    batch=3,
    x=[*geo(1e-12, 0.4, 4), *NEAR1[:4]],
    a=cyc(8, 0.5, 2.5, 40),
    b=cyc(8, 3, 0.75),
)
case(
    "stat.log_beta",
    lambda m, a, b: m.gammaln(a) + m.gammaln(b) - m.gammaln(a + b),
    batch=3,
    a=cyc(8, 0.5, 2.5, 10),
    b=geo(0.5, 1e9),
)
case(
    "stat.binomial_logpmf",
    lambda m, n, k, p: (
        m.gammaln(n + 1) - m.gammaln(k + 1) - m.gammaln(n - k + 1) + k * m.log(p) + (n - k) * m.log(1 - p)
    ),
    batch=3,
    n=[5, 20, 100, 1000, 1e5, 1e6],
    k=[2, 0, 50, 3, 49000, 10],
    p=[0.4, 1e-12, 0.5, 0.003, 0.49, 1e-5],
    wrt="p",
)
case(
    "stat.student_logpdf",
    lambda m, t, v: (
        m.gammaln((v + 1) / 2) - m.gammaln(v / 2) - 0.5 * m.log(v * PI) - (v + 1) / 2 * m.log(1 + t * t / v)
    ),
    batch=3,
    t=cyc(8, 0.5, 3, 1e-6, 100),
    v=geo(1, 1e7),
)
case(
    "stat.normal_kl",
    lambda m, u, s, v, r: m.log(r / s) + (s * s + (u - v) ** 2) / (2 * r * r) - 0.5,
    batch=3,
    u=cyc(6, 1, 2.5),
    s=cyc(6, 1, 0.5, 3),
    v=shifted(cyc(6, 1, 2.5)),
    r=shifted(cyc(6, 1, 0.5, 3), 4),
)
case(
    "stat.poisson_deviance",
    lambda m, y, u: 2 * (y * m.log(y / u) - (y - u)),
    batch=3,
    y=cyc(8, 1, 30, 1000),
    u=[0.125, 4, *shifted(cyc(6, 1000, 1, 30))],
)
case(
    "stat.negative_binomial_deviance",
    lambda m, y, u, r: 2 * (y * m.log(y / u) - (y + r) * m.log((y + r) / (u + r))),
    batch=3,
    y=cyc(8, 1, 30, 1000),
    u=[0.125, 4, *shifted(cyc(6, 1000, 1, 30))],
    r=cyc(8, 2, 0.5, 50),
    wrt="u",
)
case(
    "stat.gamma_deviance",
    lambda m, y, u: 2 * (-m.log(y / u) + (y - u) / u),
    batch=3,
    y=cyc(8, 1, 30, 1e-3),
    u=[0.125, 4, *shifted(cyc(6, 1e-3, 1, 30))],
)
case(
    "stat.bernoulli_kl",
    lambda m, p, q: p * m.log(p / q) + (1 - p) * m.log((1 - p) / (1 - q)),
    batch=3,
    p=[0.5, 0.25, 1e-10, 1e-3, 0.75],
    q=shifted([0.5, 0.25, 1e-10, 1e-3, 0.75]),
)
case(
    "stat.cloglog_cost",
    lambda m, x, y: -(y * m.log(1 - m.exp(-m.exp(x))) - (1 - y) * m.exp(x)),
    batch=3,
    x=[-700.0, -60, -30, -3, 0.5, 3, 4.5, 6],
    y=cyc(8, 1, 0, 0.5),
    wrt="x",
)
case(
    "stat.logistic_hazard",
    lambda m, x: (m.exp(-x) / (1 + m.exp(-x)) ** 2) / (1 - 1 / (1 + m.exp(-x))),
    batch=3,
    x=both([1e-6, 0.5, 5, 37, 80, 300]),
)
case("stat.cauchy_tail", lambda m, x: 0.5 - m.arctan(x) / PI, batch=3, x=geo(0.1, 1e9))
case(
    "stat.z_score",
    lambda m, x: (
        (x - m.mean(x, axis=-1, keepdims=True))
        / m.sqrt(m.mean((x - m.mean(x, axis=-1, keepdims=True)) ** 2, axis=-1, keepdims=True) + 1e-5)
    ),
    batch=3,
    x=rows([0, 100, 1e4, 1e6]),
    wrt="",
)
case(
    "stat.skewness",
    lambda m, x: (
        m.mean((x - m.mean(x, axis=-1, keepdims=True)) ** 3, axis=-1)
        / m.mean((x - m.mean(x, axis=-1, keepdims=True)) ** 2, axis=-1) ** 1.5
    ),
    batch=3,
    x=rows([0, 100, 1e4]),
)
case(
    "stat.softmax_entropy",
    lambda m, x: (
        -m.sum(
            m.exp(x)
            / m.sum(m.exp(x), axis=-1, keepdims=True)
            * m.log(m.exp(x) / m.sum(m.exp(x), axis=-1, keepdims=True)),
            axis=-1,
        )
    ),
    batch=3,
    x=[*rows([0, 800, -900]), *rows([3], 40)],
)
case(
    "stat.log_mixture",
    lambda m, x, w: m.log(w * m.exp(-((x - 1) ** 2) / 2) + (1 - w) * m.exp(-((x + 2) ** 2) / 8)),
    batch=3,
    x=[-200.0, -40, -3, 0.5, 2, 30, 500],
    w=[0.25, 0.5, 1 - 2**-20, 1e-12, 0.75, 0.125, 0.5],
)
case(
    "stat.skellam_step",
    lambda m, a, b: m.sqrt(a) - m.sqrt(b),
    batch=3,
    a=cyc(6, 2, 100, 1e20),
    b=shifted(cyc(6, 2, 100, 1e20)),
)
case(
    "stat.dirichlet_log",
    lambda m, a, x: m.gammaln(m.sum(a, axis=-1)) - m.sum(m.gammaln(a), axis=-1) + m.sum((a - 1) * m.log(x), axis=-1),
    batch=3,
    a=rows([0.7, 3, 40, 1000], 0.4, scale=True),
    x=rows([0.05, 1e-8, 0.2, 0.125], 0.9, scale=True),
)
