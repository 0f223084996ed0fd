"""Losses, scores of forecasts, distributions and how they are drawn from, divergences, and what a statistician computes of rows."""

from __future__ import annotations

from typing import Any

from own_cases.batch14 import LOGITS, SHIFTS, beside, case, near_rows, whole
from own_cases.case import ROOT2, both, cyc, geo, lin, rows

MEANS = [1.25, 97.75, 3.5, 12.25, 41.0, 66.5, 8.75, 2.0]
CHANCES = [*geo(1e-30, 1e-8, 4), *geo(1e-6, 0.1, 4), *lin(0.16, 0.94, 5), 1 - 2.0**-12, 1 - 2.0**-20]
ROOT_TAU = 2.5066282746310002
DEVIATES = [*lin(-36, -9, 4), *lin(-7.5, 7.5, 8), *lin(9, 30, 3)]

# ---- losses ----

case(
    "cost.poisson_deviance_of_log_rate",
    lambda m, k, x: k * m.log(k) - k - k * x + m.exp(x),
    wrt="x",
    k=[1.0, 20, 7, 300, 2, 55, 1, 12],
    x=[0.5, 2.9957, 1.9, 5.7038, -40, 4.0, 2.0**-9, 90.0],
)
case(
    "cost.tweedie_deviance",
    lambda m, y, u: 2 * (y**0.5 / -0.25 + 2 * y * u**-0.5 + 2 * u**0.5),
    y=MEANS,
    u=beside(MEANS),
)
case("cost.inverse_gaussian_deviance", lambda m, y, u: 1 / y - 2 / u + y / u**2, y=MEANS, u=beside(MEANS))
case(
    "cost.normal_crps",
    lambda m, z: z * m.erf(z / ROOT2) + 2 / ROOT_TAU * m.exp(-z * z / 2) - 0.5641895835477563,
    z=both([*geo(1e-6, 0.3, 3), *geo(0.7, 36, 5)]),
)
case("cost.laplace_crps", lambda m, y: m.abs(y) + m.exp(-m.abs(y)) - 0.75, y=both([*geo(1e-6, 3, 4), 40.0, 800]))
case("cost.logistic_crps", lambda m, x: x - 2 * m.log(m.sigmoid(x)) - 1, x=LOGITS)
case(
    "cost.expected_improvement",
    lambda m, z: z * 0.5 * (1 + m.erf(z / ROOT2)) + m.exp(-0.5 * z**2) / ROOT_TAU,
    wrt="",
    z=DEVIATES,
)
case(
    "cost.log_expected_improvement",
    lambda m, z: m.log(z * 0.5 * (1 + m.erf(z / ROOT2)) + m.exp(-0.5 * z**2) / ROOT_TAU),
    z=DEVIATES,
)
case(
    "cost.pairwise_sigmoid",
    lambda m, x, y, t, b: m.log(1 + m.exp(-y * (t * x + b))),
    wrt="x b",
    x=whole([*lin(-1, 1, 8), 30, -30]),
    y=cyc(10, 1, -1, -1),
    t=cyc(10, 8, 128),
    b=cyc(10, -16, -8, 3),
)
case(
    "cost.quantile_huber",
    lambda m, u: (lambda h: m.where(u < 0, 0.25 * h, 0.75 * h))(m.where(m.abs(u) <= 1, 0.5 * u * u, m.abs(u) - 0.5)),
    u=both(geo(1e-12, 1e9, 7)),
)
case(
    "cost.margin_softmax",
    lambda m, x: (
        -m.log(m.exp(30 * (x[:, 0] - 0.25)) / (m.exp(30 * (x[:, 0] - 0.25)) + m.sum(m.exp(30 * x[:, 1:]), axis=-1)))
    ),
    x=[
        [0.875, 0.125, -0.5, 0.25],
        [-0.75, 0.9375, 0.5, 0.0],
        [0.5, 0.25, 0.25, 0.25],
        [30.0, -20, 10, 5],
        [-40.0, 30, 10, 5],
    ],
)
case(
    "cost.square_of_logsumexp",
    lambda m, x: m.log(m.sum(m.exp(x), axis=-1)) ** 2,
    x=rows([s for s in SHIFTS if s > -800], 7, 5),
)
case(
    "cost.unlikelihood",
    lambda m, x: -m.log(1 - m.exp(x[:, 0]) / m.sum(m.exp(x), axis=-1)),
    x=rows([-700, -60, 0, 30, 300, 800], 11, 5),
)
case(
    "cost.bernoulli_kl_of_logits",
    lambda m, a, b: m.sigmoid(a) * (a - b) + m.log(1 + m.exp(b)) - m.log(1 + m.exp(a)),
    a=whole([*lin(-60, 60, 8), 3, -3, 0.5, 300]),
    b=[
        v + d for v, d in zip(whole([*lin(-60, 60, 8), 3, -3, 0.5, 300]), cyc(12, 0.25, 2**-9, -7.0, 30.0), strict=True)
    ],
)

# ---- distributions ----

case(
    "law.wrapped_cauchy_log",
    lambda m, r, t: m.log((1 - r * r) / (6.283185307179586 * (1 + r * r - 2 * r * m.cos(t)))),
    r=[0.25, 0.75, 1 - 2.0**-6, 1 - 2.0**-12, 1 - 2.0**-20, 1 - 2.0**-16, 0.5],
    t=[2.5, 1e-3, 0.75, 1e-5, 3e-7, 1.0, 1e-12],
)
case("law.erlang_two", lambda m, x: 1 - m.exp(-x) * (1 + x), x=[*geo(1e-12, 0.3), *geo(1, 900, 4)])
case("law.erlang_three", lambda m, x: 1 - m.exp(-x) * (1 + x + x * x / 2), x=[*geo(1e-9, 0.3), *geo(1, 900, 4)])
case(
    "law.lindley",
    lambda m, x, t: 1 - (1 + t * x / (1 + t)) * m.exp(-t * x),
    x=geo(1e-12, 50, 8),
    t=cyc(8, 0.5, 3, 1e-6, 40),
)
case(
    "law.maxwell",
    lambda m, x: m.erf(x / ROOT2) - 0.7978845608028654 * x * m.exp(-x * x / 2),
    x=[*geo(0.01, 0.5, 4), *geo(0.7, 30, 5)],
)
case(
    "law.inverse_gaussian",
    lambda m, x, k: (
        0.5 * m.erfc(-m.sqrt(k / x) * (x - 1) / ROOT2) + m.exp(2 * k) * 0.5 * m.erfc(m.sqrt(k / x) * (x + 1) / ROOT2)
    ),
    x=[0.125, 0.5, 1, 2, 7, 0.9375, 1.5, 0.25],
    k=cyc(8, 0.5, 4, 60, 400, 5),
)
case(
    "law.student_three",
    lambda m, x: 0.5 - (1.7320508075688772 * x / (x * x + 3) + m.arctan(x / 1.7320508075688772)) / 3.141592653589793,
    x=[-30.0, -1, 1e-3, 0.75, 2.5, 6],
)
case(
    "law.log_logistic",
    lambda m, x, b: m.log(b * x ** (b - 1) / (1 + x**b) ** 2),
    wrt="x",
    x=[*geo(1e-30, 0.1, 5), 1.0, *geo(3, 1e30, 5)],
    b=cyc(11, 0.5, 3, 20),
)
case(
    "law.borel_log",
    lambda m, u, k: (k - 1) * m.log(u * k) - u * k - m.gammaln(k + 1),
    wrt="u",
    u=[0.5, 0.75, 1 - 2.0**-8, 1 - 2.0**-12, 0.9375, 1 - 2.0**-20],
    k=[2.0, 40, 1e3, 3e4, 7, 1e6],
)
case(
    "law.yule_simon_log",
    lambda m, k, r: m.log(r) + m.gammaln(k) + m.gammaln(r + 1) - m.gammaln(k + r + 1),
    wrt="",
    k=[1.0, 3, 30, 1e4, 1e7, 1e10],
    r=cyc(6, 0.5, 2.25, 9),
)
case("law.benford", lambda m, d: m.log(1 + 1 / d) / 2.302585092994046, d=[1.0, 2, 9, 99, 1e6, 1e12, 1e30, 1e200])
case("law.log_normal_skewness", lambda m, s: (m.exp(s * s) + 2) * m.sqrt(m.exp(s * s) - 1), s=geo(1e-8, 9, 9))
case(
    "law.log_normal_kurtosis",
    lambda m, s: m.exp(4 * s * s) + 2 * m.exp(3 * s * s) + 3 * m.exp(2 * s * s) - 6,
    s=geo(1e-8, 8, 9),
)
case(
    "law.weibull_variance",
    lambda m, k: m.exp(m.gammaln(1 + 2 / k)) - m.exp(2 * m.gammaln(1 + 1 / k)),
    wrt="",
    k=[0.75, 2, 9, 80, 1e3, 1e5],
)
case(
    "law.moyal_log", lambda m, x: m.log(m.exp(-0.5 * (x + m.exp(-x))) / ROOT_TAU), x=[-9.0, -7, -2, 0.5, 30, 900, 4000]
)
case(
    "law.bivariate_normal_log",
    lambda m, x, y, r: -(x * x - 2 * r * x * y + y * y) / (2 * (1 - r * r)) - 0.5 * m.log(1 - r * r),
    x=[0.5, 1.25, -2, 3, 0.75, 1e-3],
    y=[0.25, 1.25 + 2.0**-7, -2 - 2.0**-11, 1, 0.75 + 2.0**-16, 1e-3],
    r=[0.5, 1 - 2.0**-5, 1 - 2.0**-12, -1 + 2.0**-9, 1 - 2.0**-20, -0.25],
)
case(
    "law.sinh_arcsinh",
    lambda m, x, e: m.sinh(0.5 * m.log(x + m.sqrt(x * x + 1)) + e),
    x=both([*geo(1e-12, 3, 4), *geo(50, 1e30, 4)]),
    e=cyc(16, 1e-9, 0.75, -3),
)
case(
    "law.binomial_none_or_one",
    lambda m, p, n: 1 - (1 - p) ** n - n * p * (1 - p) ** (n - 1),
    wrt="p",
    p=geo(1e-10, 0.5, 7),
    n=cyc(7, 2, 30, 1000),
)

# ---- draws: one number of another, as they are reparametrised ----

case(
    "draw.kumaraswamy",
    lambda m, u, a, b: (1 - (1 - u) ** (1 / b)) ** (1 / a),
    u=CHANCES,
    a=cyc(15, 2, 0.5, 7),
    b=cyc(15, 3, 50, 0.25),
)
case("draw.rayleigh", lambda m, u: m.sqrt(-2 * m.log(1 - u)), u=CHANCES)
case("draw.weibull", lambda m, u, k: (-m.log(1 - u)) ** (1 / k), u=CHANCES, k=cyc(15, 0.5, 2, 9))
case("draw.geometric", lambda m, u, p: m.log(1 - u) / m.log(1 - p), u=CHANCES, p=CHANCES[::-1])
case("draw.pareto", lambda m, u, a: (1 - u) ** (-1 / a) - 1, u=CHANCES, a=cyc(15, 0.5, 3, 40))
case(
    "draw.truncated_exponential",
    lambda m, u, a: -m.log(1 - u * (1 - m.exp(-a))) / a,
    u=CHANCES,
    a=cyc(15, 1e-7, 0.5, 30, 800),
)
case(
    "draw.tukey_lambda",
    lambda m, p, k: (p**k - (1 - p) ** k) / k,
    p=[0.001, 0.25, 0.5 + 2.0**-20, 0.5 - 2.0**-11, 0.875, 1 - 2.0**-12],
    k=[1e-9, 1e-5, 0.25, -0.5, 1e-3, -1e-8],
)
case(
    "draw.g_and_h",
    lambda m, z, g, h: (m.exp(g * z) - 1) / g * m.exp(h * z * z / 2),
    z=both(geo(1e-6, 5, 4)),
    g=cyc(8, 1e-9, 0.5, 1e-4),
    h=cyc(8, 0.25, 0.01),
)
case(
    "draw.laplace",
    lambda m, u: -m.sign(u) * m.log(1 - 2 * m.abs(u)),
    u=both([1e-30, 1e-9, 0.01, 0.25, 0.5 - 2.0**-10, 0.5 - 2.0**-20]),
)
case(
    "draw.broken_stick",
    lambda m, x: m.log(m.sigmoid(x[:, 3]) * m.prod(1 - m.sigmoid(x[:, :3]), axis=-1)),
    x=rows([-700, -60, -3, 0, 5, 40, 300, 800], 4, 4),
)
case(
    "draw.relaxed_bernoulli_log",
    lambda m, x, a: a - 2 * x - 2 * m.log(m.exp(-2 * x) * m.exp(a) + 1),
    x=[-400.0, -30, -2, 0.5, 9, 60, 500],
    a=[3.0, -60, 900, 0.25, -4, 130, -1000],
)

# ---- divergences ----

case(
    "gap.kl_laplaces",
    lambda m, d, a, b: m.log(b / a) + (a * m.exp(-m.abs(d) / a) + m.abs(d)) / b - 1,
    d=[1e-6, -1e-3, 0.25, 3, -50, 1e-9],
    a=[1.0, 2, 0.5, 1.5, 3, 1],
    b=[1.0, 2 + 2.0**-10, 0.5, 40, 2, 1 + 2.0**-14],
)
case(
    "gap.kl_geometrics",
    lambda m, p, q: m.log(p / q) + (1 - p) / p * m.log((1 - p) / (1 - q)),
    p=[0.5, 0.25, 0.75, 0.01, 0.9375, 0.125],
    q=[0.5 + 2.0**-12, 0.25 - 2.0**-16, 0.5, 0.0101, 0.9375 + 2.0**-10, 0.875],
)
case(
    "gap.renyi_normals",
    lambda m, a, b: m.log(b / a) + m.log(b * b / (0.75 * b * b + 0.25 * a * a)) * -2,
    a=MEANS,
    b=beside(MEANS),
)
case("gap.hellinger_poissons", lambda m, a, b: 1 - m.exp(-0.5 * (m.sqrt(a) - m.sqrt(b)) ** 2), a=MEANS, b=beside(MEANS))
case("gap.hellinger_exponentials", lambda m, a, b: 1 - 2 * m.sqrt(a * b) / (a + b), a=MEANS, b=beside(MEANS))
case(
    "gap.kl_gamma_shapes",
    lambda m, a, b: (a - b) * m.digamma(a) - m.gammaln(a) + m.gammaln(b),
    wrt="",
    a=[1.25, 9.75, 3.5, 41.0, 0.5, 2.0],
    b=[1.5, 9.75 + 2.0**-8, 3.5 - 2.0**-12, 60, 0.5 + 2.0**-14, 1.75],
)
case(
    "gap.capacity_lost",
    lambda m, s, t: m.log(1 + s) / 0.6931471805599453 - m.log(1 + t) / 0.6931471805599453,
    s=MEANS,
    t=beside(MEANS),
)
case(
    "gap.symmetric_channel",
    lambda m, e: 1 + (((0.5 + e) * m.log(0.5 + e) + (0.5 - e) * m.log(0.5 - e)) / 0.6931471805599453),
    wrt="",
    e=both([0.01, 0.125, 0.25, 0.4375]),
)

# ---- statistics of rows and of few numbers ----

EVEN = [
    [v * s for v in row] for row, s in zip(near_rows([[2.0, 2, 2, 2, 2]] * 7, 2, 3), geo(1e-3, 1e6, 7), strict=True)
]
FOUR = rows([1.0, 30, 1e4, 1e8, 1e-12], 0.9, 5, scale=True)


def circular(m: Any, t: Any) -> Any:
    return m.sqrt(m.mean(m.cos(t), axis=-1) ** 2 + m.mean(m.sin(t), axis=-1) ** 2)


TURNS = [[0.7 + v * e for v in (0.5, -1.0, 0.25, 0.75)] for e in (1e-6, 1e-4, 0.01, 0.5, 1.5)]
case(
    "count.theil",
    lambda m, x: (lambda u: m.mean(x / u * m.log(x / u), axis=-1))(m.mean(x, axis=-1, keepdims=True)),
    x=EVEN,
)
case("count.atkinson", lambda m, x: 1 - m.exp(m.mean(m.log(x), axis=-1)) / m.mean(x, axis=-1), x=EVEN)
case("count.harmonic_of_mean", lambda m, x: 1 - 1 / (m.mean(1 / x, axis=-1) * m.mean(x, axis=-1)), x=EVEN)
case("count.circular_variance", lambda m, t: 1 - circular(m, t), t=TURNS)
case("count.circular_deviation", lambda m, t: m.sqrt(-2 * m.log(circular(m, t))), t=TURNS)
case(
    "count.wilson_lower",
    lambda m, p, n: (p + 1.92 / n - 1.96 * m.sqrt(p * (1 - p) / n + 0.9604 / n**2)) / (1 + 3.84 / n),
    wrt="",
    p=[0.5, 0.25, 0.01, 0.9375, 0.75],
    n=[10.0, 300, 1e4, 40, 1e8],
)
case(
    "count.partial_correlation",
    lambda m, a, b, c: (a - b * c) / m.sqrt((1 - b * b) * (1 - c * c)),
    a=[0.5, 0.9375, 1 - 2.0**-10, -0.25, 0.75],
    b=[0.25, 0.96875, 1 - 2.0**-11, 0.5, 1 - 2.0**-20],
    c=[0.75, 0.96875, 1 - 2.0**-12, -0.5 + 2.0**-14, 0.75],
)
case(
    "count.matthews",
    lambda m, a, b, c, d: (a * d - b * c) / m.sqrt((a + b) * (a + c) * (d + b) * (d + c)),
    a=[90.0, 1e9, 3e17, 5, 1001],
    b=[10.0, 2e9, 1e17, 7, 999],
    c=[5.0, 3e9, 2e17, 5, 1000],
    d=[95.0, 6e9 + 512, 1e17, 7, 998],
)
case(
    "count.determination",
    lambda m, y, f: 1 - m.sum((y - f) ** 2, axis=-1) / m.sum((y - m.mean(y, axis=-1, keepdims=True)) ** 2, axis=-1),
    y=FOUR,
    f=near_rows(FOUR, 2, 4),
)
case(
    "count.freeman_tukey",
    lambda m, x, u: m.sqrt(x) + m.sqrt(x + 1) - m.sqrt(4 * u + 1),
    x=[0.25, 3, 40, 1e4, 1e9],
    u=[0.5, 3.25, 39, 1e4, 1e9 + 512],
)
case(
    "count.geometric_deviation",
    lambda m, x: (lambda g: m.exp(m.sqrt(m.mean((g - m.mean(g, axis=-1, keepdims=True)) ** 2, axis=-1))) - 1)(m.log(x)),
    x=EVEN,
)
case(
    "count.centred_log_ratio",
    lambda m, x: m.sum((m.log(x) - m.mean(m.log(x), axis=-1, keepdims=True)) ** 2, axis=-1),
    x=EVEN,
)
case(
    "count.welch_freedom",
    lambda m, s, t, n: (s / n + t / 9) ** 2 / ((s / n) ** 2 / (n - 1) + (t / 9) ** 2 / 8),
    wrt="s t",
    s=[1e-200, 1e-3, 2, 5e20, 1e200],
    t=[1e-190, 4, 1e-9, 1e22, 3e201],
    n=[4.0, 10, 30, 5, 100],
)
case(
    "count.hoyer",
    lambda m, x: (2.23606797749979 - m.sum(m.abs(x), axis=-1) / m.sqrt(m.sum(x * x, axis=-1))) / 1.23606797749979,
    wrt="",
    x=rows([1.0, 1e30, 1e-30, 1e200, 1e-200], 0.9, 5, scale=True),
)
case(
    "count.allan",
    lambda m, x: m.sqrt(0.5 * m.mean((x[:, 1:] - x[:, :-1]) ** 2, axis=-1)),
    x=rows([0.0, 1e3, 1e6, -300], 0.75, 5),
)
case("count.work_average", lambda m, w: -m.log(m.mean(m.exp(-w), axis=-1)), w=rows(SHIFTS, 6, 5))
