"""Sigmoids, exponentials' sums, tails, divergences and norms as libraries' issues and lecture notes spell them."""

from __future__ import annotations

from own_cases.batch10 import beside, case
from own_cases.case import PI, ROOT2, SMALL, TINY, both, cyc, geo, lin, rows

LOGITS = both([1e-6, 0.3, 3, 17, 36.5, 38, 88, 104, 500, 745, 2500])
NEARER = [x for x in LOGITS if abs(x) < 1000]
SHIFTS = [-2000.0, -760, -120, -60, -10, 0, 5, 60, 88, 300, 712, 2500]
POSITIVE = [0.375, 1.25, 2.9, 5.5, 0.8125, 13.7, 19.3, 7.75]
CHANCES = [1e-12, 1e-7, 1e-3, 0.1, 0.3, 0.45, 0.75, 1 - 2.0**-12]
FAR = [1e-250, 1e-170, 1e-36, 1e-25, 1e-3, 1.0, 1e3, 1e20, 1e30, 1e37, 1e160, 1e300]


# ---- two classes and many: issues of PyTorch, JAX and Keras ----

case("classes.log_odds_of_sigmoid", lambda m, x: m.log(m.sigmoid(x)) - m.log(m.sigmoid(-x)), x=LOGITS)
case("classes.sigmoid_squares", lambda m, x: m.sigmoid(x) ** 2 - m.sigmoid(-x) ** 2, x=LOGITS)
case("classes.one_less_cube", lambda m, x: 1 - m.sigmoid(x) ** 3, x=LOGITS)
case("classes.asymmetric_loss", lambda m, x: m.sigmoid(x) ** 4 * m.log(1 - m.sigmoid(x)), x=NEARER)
case("classes.generalised_logistic", lambda m, x, a: m.log(1 + a * m.exp(-x)) / a, x=LOGITS, a=cyc(24, 0.5, 3, 1e-3))
case("classes.log_sum_pair", lambda m, x, y: m.log(m.exp(x) + m.exp(y)) - m.maximum(x, y), x=LOGITS, y=beside(LOGITS))
case("classes.log_diff_pair", lambda m, x, d: m.log(m.exp(x + d) - m.exp(x)) - x, x=LOGITS, d=geo(1e-9, 30, 22))
case(
    "classes.entropy_of_logit",
    lambda m, x: -m.sigmoid(x) * m.log(m.sigmoid(x)) - m.sigmoid(-x) * m.log(m.sigmoid(-x)),
    x=LOGITS,
)
case("classes.tanh_entropy", lambda m, x: m.log((1 + m.tanh(x)) / 2) * (1 + m.tanh(x)) / 2, x=NEARER)
case("classes.log_one_less_square", lambda m, x: m.log(1 - (2 * m.sigmoid(x) - 1) ** 2), x=NEARER)
case("classes.hinge_soft", lambda m, x, t: m.log(1 + m.exp(t * (1 - x))) / t, x=LOGITS, t=cyc(24, 1, 10, 0.125))
case("classes.savage", lambda m, x: 1 / (1 + m.exp(2 * x)) ** 2, x=LOGITS)
case(
    "classes.tangent_loss",
    lambda m, x: (2 * m.arctan(x) - 1) ** 2,
    x=[*both(geo(1e-6, 1e9)), 0.546302489843790, 0.5463],
)
case("classes.ordinal", lambda m, a, x, d: m.sigmoid(a + d - x) - m.sigmoid(a - x), a=lin(-3, 3), x=[-700.0, -88, -20, 0.5, 3, 40, 104, 720],
     d=geo(1e-9, 2))  # fmt: skip
case(
    "classes.two_sigmoids_odds",
    lambda m, x, y: m.sigmoid(x) * m.sigmoid(-y) / (m.sigmoid(-x) * m.sigmoid(y)),
    x=LOGITS,
    y=beside(LOGITS),
)
case("classes.log_softmin_pair", lambda m, x, y: -m.log(m.exp(-x) + m.exp(-y)), x=LOGITS, y=beside(LOGITS))

case("along.log_mean_exp", lambda m, x: m.log(m.mean(m.exp(x), axis=-1)), x=rows(SHIFTS, 6))
case("along.log_sum_of_squares", lambda m, x: m.log(m.sum(m.exp(x) ** 2, axis=-1)) / 2, x=rows(SHIFTS, 4))
case("along.second_logit", lambda m, x: x[:, 1] - m.log(m.sum(m.exp(x), axis=-1)), x=rows(SHIFTS, 20))
case("along.one_less_softmax", lambda m, x: 1 - m.exp(x[:, 0]) / m.sum(m.exp(x), axis=-1), x=rows(SHIFTS, 20))
case("along.log_of_rest", lambda m, x: m.log(1 - m.exp(x[:, 2]) / m.sum(m.exp(x), axis=-1)), x=rows(SHIFTS, 9))
case("along.bernoulli_sum", lambda m, x: m.sum(m.log(1 + m.exp(x)), axis=-1) - x[:, 0], x=rows(SHIFTS, 30))
case("along.softmax_temperature", lambda m, x, t: m.sum(x * m.exp(x / t[:, None]), axis=-1) / m.sum(m.exp(x / t[:, None]), axis=-1), wrt="x",
     x=rows([-300.0, -60, 5, 60, 300], 1), t=cyc(5, 0.5, 0.03125, 20))  # fmt: skip
case("along.expected_loss", lambda m, x, c: m.sum(c * m.exp(x), axis=-1) / m.sum(m.exp(x), axis=-1),
     x=rows(SHIFTS, 3), c=rows([2.0] * 12, 1))  # fmt: skip
case(
    "along.one_less_product",
    lambda m, p: 1 - m.prod(1 - p, axis=-1),
    p=rows([1e-12, 1e-9, 1e-6, 1e-3, 0.1, 0.25], 0.5, scale=True),
)
case(
    "along.log_of_sigmoids",
    lambda m, x: m.log(m.prod(m.sigmoid(x), axis=-1)),
    x=rows([-900.0, -200, -30, 0, 30, 200], 5),
)
case(
    "along.none_of_them",
    lambda m, x: m.log(1 - m.prod(m.sigmoid(x), axis=-1)),
    x=rows([-900.0, -200, -30, 0, 30, 33], 5),
)
case("along.coefficient_of_variation", lambda m, x: m.sqrt(m.mean(x**2, axis=-1) / m.mean(x, axis=-1) ** 2 - 1),
     x=rows([1.0, 10, 100, 1000, 1e4], 0.75))  # fmt: skip
case(
    "along.rms_less_mean",
    lambda m, x: m.sqrt(m.mean(x**2, axis=-1)) - m.mean(x, axis=-1),
    x=rows([3.0, 30, 300, 3000, 1e4], 0.75),
)
case(
    "along.jensen_gap",
    lambda m, x: m.log(m.mean(x, axis=-1)) - m.mean(m.log(x), axis=-1),
    x=rows([2.0, 20, 200, 2000, 1e4], 0.75),
)
case("along.norm_of_far", lambda m, x: m.log(m.sqrt(m.sum(x**2, axis=-1))), x=rows(FAR, 0.5, scale=True))
case("along.fourth_norm", lambda m, x: m.sum(x**4, axis=-1) ** 0.25, x=rows(FAR, 0.5, scale=True))
case("along.cosine_of_far", lambda m, x, y: m.sum(x * y, axis=-1) / m.sqrt(m.sum(x * x, axis=-1) * m.sum(y * y, axis=-1)),
     x=rows(FAR, 0.25, scale=True), y=rows(FAR[::-1], 0.75, scale=True))  # fmt: skip
case(
    "along.unit_of_far",
    lambda m, x: x / m.sqrt(m.sum(x**2, axis=-1, keepdims=True)),
    wrt="",
    x=rows(FAR, 0.5, scale=True),
)
case(
    "along.scatter",
    lambda m, x: m.sum(x**2, axis=-1) - m.sum(x, axis=-1) ** 2 / 5,
    x=rows([1.0, 16, 300, 4000, 1e4], 0.75),
)
case("along.two_means", lambda m, x, y: m.mean(x, axis=-1) ** 2 - m.mean(y, axis=-1) ** 2, x=rows([1.0, 10, 100, 1000], 0.75),
     y=rows([1.0, 10, 100, 1000], 0.5))  # fmt: skip
case(
    "along.gaussian_rows",
    lambda m, x: m.log(m.sum(m.exp(-(x**2) / 2), axis=-1)),
    x=rows([5.0, 14, 30, 45, 120, 1000], 3),
)
case("along.soft_rank", lambda m, x: m.sum(m.sigmoid(x[:, 1:] - x[:, 0][:, None]), axis=-1), x=rows([0.0] * 6, 40))
case("along.hinge_of_rest", lambda m, x: m.log(m.sum(m.exp(x[:, 1:]), axis=-1)) - x[:, 0], x=rows(SHIFTS, 12))

# ---- tails and densities: issues of torch.distributions, Stan and SciPy ----

case(
    "tails.log_ndtr_pair",
    lambda m, x: m.log(0.5 * m.erfc(-x / ROOT2)) - m.log(0.5 * m.erfc(x / ROOT2)),
    x=both([1e-6, 0.5, 3, 6, 9, 30, 80]),
)
case("tails.one_less_square", lambda m, x: 1 - m.erf(x) ** 2, x=both([1e-6, 0.5, 2, 4, 5.75, 9]))
case("tails.log_erf", lambda m, x: m.log(m.erf(x)), x=[1e-30, 1e-9, 0.1, 0.7, 2, 4.5, 5.75])
case("tails.arctan_survival", lambda m, x: 0.5 - m.arctan(x) / PI, x=lin(-3, 3))
case(
    "tails.gumbel_interval",
    lambda m, x, d: m.exp(-m.exp(-x - d)) - m.exp(-m.exp(-x)),
    x=[-4.0, -1.5, 0, 2, 9, 30, 80],
    d=geo(1e-7, 2, 7),
)
case(
    "tails.logistic_interval_log",
    lambda m, x, d: m.log(m.sigmoid(x + d) - m.sigmoid(x - d)),
    x=[-700.0, -90, -9, 0.25, 4, 40, 110, 720],
    d=geo(1e-9, 3),
)
case(
    "tails.weibull_log_density",
    lambda m, x, k: m.log(k * x ** (k - 1) * m.exp(-(x**k))),
    x=geo(1e-9, 60),
    k=cyc(24, 0.5, 1.5, 3),
)
case(
    "tails.weibull_interval",
    lambda m, x, d: m.exp(-(x**1.5)) - m.exp(-((x + d) ** 1.5)),
    x=geo(1e-3, 20),
    d=geo(1e-9, 1),
)
case("tails.normal_log_ratio", lambda m, x, y, s: m.log(m.exp(-0.5 * (x / s) ** 2) / m.exp(-0.5 * (y / s) ** 2)), x=POSITIVE, y=beside(POSITIVE),
     s=cyc(24, 0.01, 1, 30))  # fmt: skip
case("tails.poisson_survival", lambda m, l: 1 - m.exp(-l) - l * m.exp(-l) - l * l / 2 * m.exp(-l), l=geo(1e-4, 30))
case("tails.poisson_log_none", lambda m, l: m.log(1 - m.exp(-l)) - m.log(l), l=geo(1e-14, 800))
case("tails.binomial_to_poisson", lambda m, p, n: n * m.log(1 - p) + n * p, p=geo(1e-9, 0.5), n=cyc(24, 10, 1000))
case("tails.gev_log_density", lambda m, z, k: -(1 + k * z) ** (-1 / k) - (1 + 1 / k) * m.log(1 + k * z), z=[-1.5, -0.5, 0.01, 1, 3, 8, 20, 0.5],
     k=cyc(24, 0.1, 1e-6, 0.01))  # fmt: skip
case("tails.beta_mean_gap", lambda m, a, b: (a + 1) / (a + b + 1) - a / (a + b), a=geo(1, 1e12), b=cyc(24, 0.5, 3, 1e3))
case("tails.dawson_like", lambda m, x: x * m.exp(-x * x) * (1 + m.erf(x)), x=both([1e-9, 0.1, 1, 5, 15, 26]))
case(
    "tails.owen_small",
    lambda m, h, a: m.arctan(a) / (2 * PI) * m.exp(-0.5 * h * h * (1 + a * a)),
    h=[0.1, 1, 5, 20, 38],
    a=[1e-9, 0.5, 1, 0.01, 0.25],
)
case("tails.gamma_shape_log", lambda m, a: m.gammaln(a + 1) - a * m.log(a) + a, a=geo(1e-6, 1e12))
case(
    "tails.log_choose_gap",
    lambda m, n, k: m.gammaln(n + 1) - m.gammaln(n - k + 1) - k * m.log(n),
    n=geo(30, 1e12),
    k=cyc(24, 2, 5, 0.5),
)

# ---- divergences and differences of probabilities ----

case("between.kl_bernoulli", lambda m, p, d: p * m.log(p / (p + d)) + (1 - p) * m.log((1 - p) / (1 - p - d)), p=[0.25, 0.5, 0.125, 0.75, 0.01, 0.9],
     d=[2.0**-k for k in (3, 8, 12, 16, 20, 10)])  # fmt: skip
case(
    "between.bregman_entropy",
    lambda m, a, b: a * m.log(a) - b * m.log(b) - (m.log(b) + 1) * (a - b),
    a=POSITIVE,
    b=beside(POSITIVE),
)
case("between.bregman_exp", lambda m, x, d: m.exp(x + d) - m.exp(x) - d * m.exp(x), x=lin(-3, 3), d=geo(1e-7, 1))
case(
    "between.bregman_softplus",
    lambda m, x, d: m.log(1 + m.exp(x + d)) - m.log(1 + m.exp(x)) - d * m.sigmoid(x),
    x=lin(-30, 30),
    d=geo(1e-5, 2),
)
case(
    "between.log_cosh_gap",
    lambda m, x, d: m.log(m.cosh(x + d)) - m.log(m.cosh(x)),
    x=[-800.0, -20, -1, 1e-3, 0.5, 9, 100, 710],
    d=geo(1e-9, 1),
)
case(
    "between.mean_over_geometric", lambda m, a, b: m.log((a + b) / 2) - (m.log(a) + m.log(b)) / 2, a=FAR, b=beside(FAR)
)
case(
    "between.identric_log", lambda m, a, b: (a * m.log(a) - b * m.log(b)) / (a - b) - 1, a=POSITIVE, b=beside(POSITIVE)
)
case("between.logit_gap", lambda m, p, d: m.log((p + d) / (1 - p - d)) - m.log(p / (1 - p)), p=[0.25, 0.5, 0.125, 0.75, 0.01, 0.9],
     d=[2.0**-k for k in (3, 8, 12, 16, 20, 10)])  # fmt: skip
case("between.chi_square_pair", lambda m, p, q: p * p / q - 2 * p + q, p=POSITIVE, q=beside(POSITIVE))
case("between.arcsine_distance", lambda m, p, d: (2 * m.arcsin(m.sqrt(p + d)) - 2 * m.arcsin(m.sqrt(p))) ** 2, p=[0.25, 0.5, 0.125, 0.75, 0.01, 0.9],
     d=[2.0**-k for k in (3, 8, 12, 16, 20, 10)])  # fmt: skip
case("between.log1mexp_pair", lambda m, x, y: m.log((1 - m.exp(-x)) / (1 - m.exp(-y))), x=POSITIVE, y=beside(POSITIVE))
case("between.root_of_one_less", lambda m, x: m.sqrt(1 - m.exp(-x)) - 1, x=geo(1e-9, 30))
case("between.expm1_square", lambda m, x: m.exp(x) ** 2 - 2 * m.exp(x) + 1, x=SMALL)
case(
    "between.gelu_less_relu",
    lambda m, x: 0.5 * x * (1 + m.erf(x / ROOT2)) - m.maximum(x, 0),
    x=both([1e-6, 0.1, 1, 3, 6, 9, 14, 30]),
)
case("between.swish_less_relu", lambda m, x: x * m.sigmoid(x) - m.maximum(x, 0), x=LOGITS)
case("between.mish_gate", lambda m, x: 1 - m.tanh(m.log(1 + m.exp(x))), x=LOGITS)
case("between.root_expm1", lambda m, x: m.sqrt(m.exp(2 * x) - 2 * m.exp(x) + 1), x=geo(1e-9, 300))
case("between.sinc_half", lambda m, x: 1 - 4 * m.sin(x / 2) ** 2 / x**2, x=TINY)
