"""Beside tails, norm, info, act and guard: densities, magnitudes, divergences, activations, and what is accurate as written."""

from __future__ import annotations

from own_cases.batch13 import BIG, FAR, FAR_SIGNED, LOGITS, OFFSETS, SHIFTS, beside, case, near_rows, whole
from own_cases.case import ROOT2, both, cyc, geo, lin, rows

HALVES = [k / 64 for k in (3, 61, 17, 32, 45, 8, 24, 55, 12, 39, 50, 28)]
CHANCES = [*geo(1e-30, 1e-8, 4), *geo(1e-6, 0.1, 4), *lin(0.16, 0.94, 5), 1 - 2.0**-12, 1 - 2.0**-20]
WEIGHTS = [
    [0.25, 0.5, 0.125, 0.125],
    [0.0625, 0.4375, 0.3125, 0.1875],
    [0.75, 0.125, 0.0625, 0.0625],
    [0.25, 0.25, 0.25, 0.25],
    [0.9375, 0.03125, 0.015625, 0.015625],
]
OTHERS = [
    [0.5, 0.125, 0.25, 0.125],
    [0.25, 0.25, 0.25, 0.25],
    [0.0625, 0.0625, 0.125, 0.75],
    [0.26, 0.24, 0.255, 0.245],
    [0.94, 0.03, 0.0155, 0.0145],
]
MAGNITUDES = sorted(both([*geo(1e-3, 10, 4), *geo(20, 1e6, 3), *geo(1e10, 1e300, 3), *geo(1e7, 1e36, 3)]))

# ---- beside tails ----

case(
    "tailing.log_survival_normal",
    lambda m, x: m.log(0.5 * m.erfc(x / ROOT2)),
    x=[*lin(-8, -0.1, 6), *geo(0.1, 5, 4), *geo(6, 36, 4), *geo(40, 110, 3)],
)
case(
    "tailing.normal_hazard",
    lambda m, x: m.exp(-0.5 * x**2) / (1 - m.erf(x / ROOT2)),
    x=[*lin(-6, 5, 8), *geo(6, 37, 6)],
)
case("tailing.one_plus_erf", lambda m, x: 1 + m.erf(x), x=[*lin(-9, -3, 7), *lin(-2.9, 3, 6)])
case(
    "tailing.gamma_logpdf",
    lambda m, x, k, s: m.log(x ** (k - 1) * m.exp(-x / s) / (m.exp(m.gammaln(k)) * s**k)),
    wrt="x",
    x=[*geo(0.01, 5, 5), *geo(800, 9000, 6)],
    k=cyc(11, 1.5, 40, 250),
    s=cyc(11, 1, 0.5, 4),
)
case(
    "tailing.exponential_logpdf",
    lambda m, x, r: m.log(r * m.exp(-r * x)),
    x=[*geo(0.01, 80, 5), *geo(100, 1e5, 4)],
    r=cyc(9, 2, 0.25, 7),
)
case(
    "tailing.rayleigh_logpdf",
    lambda m, x, s: m.log(x / s**2 * m.exp(-(x**2) / (2 * s**2))),
    x=[*geo(0.01, 5, 5), *geo(8, 1e4, 5)],
    s=cyc(10, 0.5, 2, 0.75),
)
case(
    "tailing.binomial_likelihood",
    lambda m, p, k, n: m.log(p**k * (1 - p) ** (n - k)),
    wrt="p",
    p=[*geo(1e-20, 1e-3, 6), *lin(0.01, 0.51, 5)],
    k=cyc(11, 0, 39, 199, 2),
    n=cyc(11, 40, 1000, 300),
)
case(
    "tailing.chi_square_logpdf",
    lambda m, x, k: m.log(x ** (k / 2 - 1) * m.exp(-x / 2)),
    wrt="x",
    x=[*geo(0.01, 5, 5), *geo(200, 9000, 6)],
    k=cyc(11, 3, 80, 500),
)
case(
    "tailing.posterior_of_normals",
    lambda m, a, b: m.log(m.exp(-0.5 * a**2) / (m.exp(-0.5 * a**2) + m.exp(-0.5 * b**2))),
    a=whole(lin(-70, 64, 14)),
    b=whole([*lin(66, -60, 7), *lin(-8, 60, 7)]),
)
case("tailing.log_sech_square", lambda m, x: m.log(1 / m.cosh(x) ** 2), x=both([*geo(1e-3, 80, 6), *geo(90, 2000, 3)]))
case(
    "tailing.student_kernel",
    lambda m, x, n: -(n + 1) / 2 * m.log(1 + x**2 / n),
    wrt="x",
    x=both(geo(0.01, 300, 6)),
    n=cyc(12, 3, 1e6, 1e10, 1e14),
)
case(
    "tailing.gelu_by_erfc",
    lambda m, x: 0.5 * x * m.erfc(-x / ROOT2),
    wrt="",
    x=[*lin(-36, -6, 5), *lin(-5.5, -0.1, 6), *lin(0.1, 6, 4)],
)
case(
    "tailing.charbonnier",
    lambda m, x: m.sqrt(x * x + 0.0625) - 0.25,
    x=both([*geo(1e-8, 0.1, 4), *geo(0.3, 1e3, 3), *geo(1e20, 1e37, 2), *geo(1e160, 1e300, 2)]),
)
case(
    "tailing.pareto_logpdf",
    lambda m, x, a: m.log(a * 2.0**a / x ** (a + 1)),
    wrt="x",
    x=geo(2.5, 1e12, 10),
    a=cyc(10, 1.5, 30, 80),
)
case(
    "tailing.log_normal_logpdf",
    lambda m, x, s: m.log(m.exp(-0.5 * (m.log(x) / s) ** 2) / (x * s * 2.5066282746310002)),
    wrt="x",
    x=[*geo(1e-30, 0.1, 5), *geo(3, 1e30, 5)],
    s=cyc(10, 0.5, 1, 2),
)
case(
    "tailing.probit_likelihood",
    lambda m, x, t: m.log(0.5 * (1 + m.erf(t * x / ROOT2))),
    wrt="x",
    x=both([0.3, 1.1, 4.7, 7.9, 12.0, 21.0, 30.5, 37.25]),
    t=cyc(16, 1, -1, -1),
)
case(
    "tailing.repeated_erfc",
    lambda m, x: m.exp(-x * x) / 1.7724538509055159 - x * m.erfc(x),
    wrt="",
    x=[*lin(-3, 0.5, 5), *geo(1, 25, 6)],
)

# ---- beside norm ----

case("norm.root_mean_square", lambda m, x: m.sqrt(m.mean(x * x, axis=-1)), x=BIG)
case(
    "norm.hypot_of_three",
    lambda m, a, b, c: m.sqrt(a * a + b * b + c * c),
    a=FAR_SIGNED,
    b=[*FAR[::-1], *FAR],
    c=[*FAR, *FAR],
)
case("norm.inverse_length", lambda m, x: 1 / m.sqrt(m.sum(x * x, axis=-1)), wrt="", x=BIG)
case("norm.deviation_one_pass", lambda m, x: m.sqrt(m.mean(x * x, axis=-1) - m.mean(x, axis=-1) ** 2), x=OFFSETS[:11])
case("norm.unbiased_variance", lambda m, x: (m.sum(x * x, axis=-1) - m.sum(x, axis=-1) ** 2 / 7) / 6, x=OFFSETS)
case(
    "norm.covariance_one_pass",
    lambda m, x, y: m.mean(x * y, axis=-1) - m.mean(x, axis=-1) * m.mean(y, axis=-1),
    x=OFFSETS[:10],
    y=[r[::-1] for r in OFFSETS[:10]],
)
case("norm.cubic_mean", lambda m, x: m.mean(x**3, axis=-1) ** (1 / 3), wrt="", x=BIG)
case(
    "norm.quotient_of_lengths",
    lambda m, a, b, c: m.sqrt(a * a + b * b) / m.sqrt(c * c + 1),
    wrt="",
    a=FAR,
    b=FAR[::-1],
    c=FAR,
)
case(
    "norm.complex_divide_imaginary",
    lambda m, a, b, c, d: (b * c - a * d) / (c * c + d * d),
    wrt="",
    a=FAR,
    b=[3 * v for v in FAR],
    c=FAR,
    d=[0.5 * v for v in FAR],
)
case("norm.parallel", lambda m, a, b: a * b / (a + b), a=FAR, b=[1.7 * v for v in FAR])
case(
    "norm.geometric_of_three",
    lambda m, a, b, c: (a * b * c) ** (1 / 3),
    wrt="a",
    a=FAR,
    b=[1.3 * v for v in FAR],
    c=FAR[::-1],
)
case("norm.unit_of_one", lambda m, x: x / m.sqrt(1 + x * x), x=FAR_SIGNED)
case("norm.log_length", lambda m, x: m.log(m.sqrt(m.sum(x * x, axis=-1))), x=BIG)
case(
    "norm.other_leg",
    lambda m, x: m.sqrt(1 - x * x),
    x=both([*geo(1e-9, 0.5, 4), *[1 - 2.0**-k for k in range(2, 23, 3)]]),
)

# ---- beside info ----

case("bits.kl_of_rows", lambda m, p, r: m.sum(p * m.log(p / r), axis=-1), p=WEIGHTS, r=OTHERS)
case(
    "bits.cross_entropy",
    lambda m, p, r: -p * m.log(r) - (1 - p) * m.log(1 - r),
    wrt="r",
    p=cyc(15, 0.25, 1, 0, 0.875),
    r=CHANCES,
)
case("bits.gini", lambda m, p: 1 - m.sum(p * p, axis=-1), p=WEIGHTS)
case("bits.bhattacharyya", lambda m, p, r: -m.log(m.sum(m.sqrt(p * r), axis=-1)), p=WEIGHTS, r=OTHERS)
case(
    "bits.mutual_term",
    lambda m, j, p, r: j * m.log(j / (p * r)),
    j=geo(1e-37, 1e-3, 10),
    p=geo(1e-30, 0.5, 10),
    r=geo(1e-35, 0.25, 10),
)
case("bits.perplexity", lambda m, p: m.exp(-m.sum(p * m.log(p), axis=-1)), p=WEIGHTS)
case(
    "bits.normal_kl",
    lambda m, a, s: 0.5 * (s * s + a * a - 1) - m.log(s),
    a=both(geo(1e-6, 3, 5)),
    s=[1 + 2.0**-20, 0.5, 1 - 2.0**-9, 3.0, 1 + 2.0**-4, 1.0009765625, 0.25, 1 - 2.0**-15, 7.0, 1 - 2.0**-5],
)
case(
    "bits.poisson_kl",
    lambda m, a, b: a * m.log(a / b) - a + b,
    b=[1.25, 97.75, 3.5, 12.25, 41.0, 66.5, 8.75, 2.0],
    a=beside([1.25, 97.75, 3.5, 12.25, 41.0, 66.5, 8.75, 2.0]),
)
case(
    "bits.variances_kl",
    lambda m, v, w: 0.5 * (v / w - 1 - m.log(v / w)),
    w=[1.25, 97.75, 3.5, 12.25, 41.0, 66.5, 8.75, 2.0],
    v=beside([1.25, 97.75, 3.5, 12.25, 41.0, 66.5, 8.75, 2.0]),
)
case(
    "bits.log_choose",
    lambda m, n, k: m.gammaln(n + 1) - m.gammaln(k + 1) - m.gammaln(n - k + 1),
    wrt="",
    n=geo(20, 1e12, 8),
    k=cyc(8, 0.5, 3, 7.25),
)
case("bits.pearson", lambda m, p, r: (p - r) ** 2 / r, r=HALVES, p=beside(HALVES))
case(
    "bits.symmetric_of_logits",
    lambda m, a, b: (m.sigmoid(a) - m.sigmoid(b)) * (a - b),
    a=whole([*lin(-60, 60, 8), *lin(-1000, 1000, 6)]),
    b=whole([*lin(40, -70, 8), *lin(900, -1100, 6)]),
)

# ---- beside act ----

case(
    "bend.log_sigmoid_by_branch", lambda m, x: m.where(x > 0, -m.log(1 + m.exp(-x)), x - m.log(1 + m.exp(x))), x=LOGITS
)
case(
    "bend.selu",
    lambda m, x: 1.0507009873554805 * m.where(x > 0, x, 1.6732632423543772 * (m.exp(x) - 1)),
    x=both([*geo(1e-20, 1e-3, 4), *geo(0.01, 40, 4), *geo(60, 3000, 3)]),
)
case("bend.lisht", lambda m, x: x * m.tanh(x), x=both([*geo(1e-6, 12, 6), 100.0, 2000.0]))
case(
    "bend.scaled_swish",
    lambda m, x: x * m.sigmoid(1.702 * x),
    wrt="",
    x=whole([*both([0.1, 0.9, 3.1, 11.9, 90, 400, 2000]), *lin(-80, -16, 5)]),
)
case("bend.leaky_softplus", lambda m, x: 0.25 * x + 0.75 * m.log(1 + m.exp(x)), wrt="", x=LOGITS)
case("bend.elish", lambda m, x: m.where(x > 0, x / (1 + m.exp(-x)), (m.exp(x) - 1) / (1 + m.exp(-x))), wrt="", x=LOGITS)
case(
    "bend.bent_identity",
    lambda m, x: (m.sqrt(x * x + 1) - 1) / 2 + x,
    wrt="",
    x=both([*geo(1e-8, 0.1, 4), *geo(0.3, 1e3, 3), 1e25, 1e200]),
)
case(
    "bend.scaled_arcsinh",
    lambda m, x, a: m.log(x / a + m.sqrt((x / a) ** 2 + 1)),
    wrt="x",
    x=MAGNITUDES,
    a=cyc(len(MAGNITUDES), 0.5, 8, 2),
)
case(
    "bend.huber",
    lambda m, x: m.where(m.abs(x) < 1, 0.5 * x * x, m.abs(x) - 0.5),
    x=both([*geo(1e-8, 0.9, 4), *geo(1.1, 1e9, 5)]),
)
case("bend.centred_square_plus", lambda m, x: m.sqrt(x * x + 1) - m.abs(x), x=MAGNITUDES)
case("bend.gated_tanh", lambda m, a, b: m.tanh(a) / (1 + m.exp(-b)), a=cyc(len(LOGITS), 1.5, -0.02, 30), b=LOGITS)

# ---- beside guard ----

case(
    "calm.softmax_shifted",
    lambda m, x: (lambda e: e / m.sum(e, axis=-1, keepdims=True))(m.exp(x - m.max(x, axis=-1, keepdims=True))),
    wrt="",
    x=rows(SHIFTS, 9, 6),
)
case(
    "calm.log_plus_log",
    lambda m, a, b: m.log(a) + m.log(b),
    a=[1e300, 1e-250, 3.5e20, 1e-36, 12.0],
    b=[1e-160, 1e200, 1e15, 1e-20, 7.0],
)
case("calm.root_quotient", lambda m, a, b: m.sqrt(a) / m.sqrt(b), a=FAR, b=FAR[::-1])
case(
    "calm.deviation_two_pass",
    lambda m, x: m.sqrt(m.mean((x - m.mean(x, axis=-1, keepdims=True)) ** 2, axis=-1)),
    x=OFFSETS[:11],
)
case(
    "calm.relative_difference",
    lambda m, a, b: (a - b) / (a + b),
    b=[1.25, 97.75, 3.5, 12.25, 41.0, 66.5, 8.75, 2.0],
    a=beside([1.25, 97.75, 3.5, 12.25, 41.0, 66.5, 8.75, 2.0]),
)
case(
    "calm.logistic_by_branch",
    lambda m, x: m.where(x > 0, 1 / (1 + m.exp(-m.abs(x))), m.exp(-m.abs(x)) / (1 + m.exp(-m.abs(x)))),
    x=LOGITS,
)
case(
    "calm.distance", lambda m, a, b: m.sqrt(m.sum((a - b) ** 2, axis=-1)), a=OFFSETS[:8], b=near_rows(OFFSETS[:8], 2, 1)
)
