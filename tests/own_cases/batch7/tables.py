"""Rows of numbers: norms, distances, moments, regressions, as statistics' test data look (large means, small spreads)."""

from __future__ import annotations

from functools import partial
from typing import Any

from own_cases.case import case as any_case
from own_cases.case import cyc, geo, rows, shifted

case = partial(any_case, batch=7)

SCALES = [1, 1e200, 1e-200, 1e30, 1e-30]
NEAR = rows([1, 2, 3], 1.4, 4)
NEARBY = [
    [v * (1 + 2.0**-e * s) for v, s in zip(r, (1, -1, 0.5, -0.25), strict=True)]
    for r, e in zip(NEAR, (2, 8, 10), strict=True)
]
P = [[0.25, 0.5, 0.125, 0.125], [0.9, 0.05, 1e-12, 0.05], [0.25, 0.25, 0.25, 0.25]]
Q = [[0.2500001, 0.4999999, 0.125, 0.125], [0.5, 0.25, 0.125, 0.125], [0.2500002, 0.2499999, 0.25, 0.2499999]]


def centred(m: Any, x: Any) -> Any:
    return x - m.mean(x, axis=-1, keepdims=True)


case("norms.three", lambda m, x: m.sum(abs(x) ** 3, axis=-1) ** (1 / 3), x=rows(SCALES, 1.1, 3, scale=True))
case("norms.log_norm", lambda m, x: m.log(m.sqrt(m.sum(x * x, axis=-1))), x=rows(SCALES, 0.9, scale=True))
case("norms.inverse", lambda m, x: 1 / m.sqrt(m.sum(x * x, axis=-1)), x=rows(SCALES, 0.9, scale=True))
case(
    "norms.one_over_two",
    lambda m, x: m.sum(abs(x), axis=-1) / m.sqrt(m.sum(x * x, axis=-1)),
    x=rows(SCALES, 1.1, scale=True),
)
case(
    "norms.participation",
    lambda m, x: m.sum(x * x, axis=-1) ** 2 / m.sum(x**4, axis=-1),
    x=rows([1, 1e100, 1e-100, 1e20], 0.9, scale=True),
)
case(
    "norms.largest_scaled",
    lambda m, x: m.sqrt(m.sum((x / m.max(abs(x), axis=-1, keepdims=True)) ** 2, axis=-1)),
    x=rows(SCALES, 1.1, scale=True),
)
case(
    "norms.clipped",
    lambda m, x: x * m.minimum(1.0, 1 / m.sqrt(m.sum(x * x, axis=-1, keepdims=True))),
    x=rows(SCALES, 0.9, 3, scale=True),
    wrt="",
)
case(
    "norms.gradient_of_unit",
    lambda m, x, y: m.sum(x * y, axis=-1) / m.sqrt(m.sum(x * x, axis=-1)),
    x=rows(SCALES, 0.9, 3, scale=True),
    y=rows([1, 2, 3, 4, 5], 1, 3),
)
case(
    "norms.three_minus_two",
    lambda m, x, y, z: m.sqrt(x * x + y * y + z * z) - z,
    x=geo(1e-6, 10, 5),
    y=cyc(5, 1e-3, 1),
    z=geo(1, 1e8, 5),
)
case(
    "norms.unit_distance",
    lambda m, x, y: m.sqrt(2 - 2 * m.sum(x * y, axis=-1) / m.sqrt(m.sum(x * x, axis=-1) * m.sum(y * y, axis=-1))),
    x=NEAR,
    y=NEARBY,
)
case(
    "norms.expanded_distance",
    lambda m, x, y: m.sum(x * x, axis=-1) + m.sum(y * y, axis=-1) - 2 * m.sum(x * y, axis=-1),
    x=NEAR,
    y=NEARBY,
)
case(
    "norms.rbf_expanded",
    lambda m, x, y: m.exp(-(m.sum(x * x, axis=-1) - 2 * m.sum(x * y, axis=-1) + m.sum(y * y, axis=-1)) / 2),
    x=NEAR,
    y=NEARBY,
)
case(
    "norms.mahalanobis",
    lambda m, x, y, s: m.sqrt(m.sum(((x - y) / s) ** 2, axis=-1)),
    x=rows(SCALES, 0.9, 3, scale=True),
    y=rows(SCALES, -0.9, 3, scale=True),
    s=rows(SCALES, 0.5, 3, scale=True),
)
case("norms.canberra", lambda m, x, y: m.sum(abs(x - y) / (abs(x) + abs(y)), axis=-1), x=NEAR, y=NEARBY)
case(
    "norms.bray_curtis",
    lambda m, x, y: m.sum(abs(x - y), axis=-1) / m.sum(abs(x + y), axis=-1),
    x=rows(SCALES, 0.9, 3, scale=True),
    y=rows(SCALES, -0.5, 3, scale=True),
)
case("norms.hyperbolic", lambda m, x, y: m.log(1 + 2 * m.sum((x - y) ** 2, axis=-1) / ((1 - m.sum(x * x, axis=-1)) * (1 - m.sum(y * y, axis=-1)))),
     x=[[0.5, 0.25], [0.9, 0.3], [1e-9, 2e-9]], y=[[0.5000001, 0.25], [-0.9, 0.3], [3e-9, 2e-9]])  # fmt: skip
case("moments.variance", lambda m, x: m.sum(centred(m, x) ** 2, axis=-1) / 4, x=rows([0, 1e3, 1e6, 1e8], 1))
case(
    "moments.by_squares",
    lambda m, x: (5 * m.sum(x * x, axis=-1) - m.sum(x, axis=-1) ** 2) / 20,
    x=rows([0, 1e3, 1e5, 1e7], 1),
)
case(
    "moments.kurtosis",
    lambda m, x: m.mean(centred(m, x) ** 4, axis=-1) / m.mean(centred(m, x) ** 2, axis=-1) ** 2 - 3,
    x=rows([0, 1e3, 1e6], 1),
    wrt="",
)
case(
    "moments.coefficient_of_variation",
    lambda m, x: m.sqrt(m.mean(x * x, axis=-1) - m.mean(x, axis=-1) ** 2) / m.mean(x, axis=-1),
    x=rows([1.5, 1e3, 1e6], 1),
)
case(
    "moments.signal_to_noise",
    lambda m, x: m.log(m.mean(x, axis=-1) ** 2 / m.mean(centred(m, x) ** 2, axis=-1)),
    x=rows([3, 1e3, 1e6], 1),
)
case(
    "moments.log_variance",
    lambda m, x: m.log(m.mean(x * x, axis=-1) - m.mean(x, axis=-1) ** 2),
    x=rows([3, 1e3, 1e5], 1),
)
case(
    "moments.slope",
    lambda m, x, y: m.sum(centred(m, x) * centred(m, y), axis=-1) / m.sum(centred(m, x) ** 2, axis=-1),
    x=rows([0, 1e3, 1e5], 1, 4),
    y=rows([3, -1e3, 2e4], -2, 4),
    wrt="y",
)
case("moments.intercept", lambda m, x, y: (m.sum(y, axis=-1) * m.sum(x * x, axis=-1) - m.sum(x, axis=-1) * m.sum(x * y, axis=-1)) / (4 * m.sum(x * x, axis=-1) - m.sum(x, axis=-1) ** 2),
     x=rows([1, 50, 1e3], 1, 4), y=rows([3, -100, 2e3], -2, 4), wrt="y")  # fmt: skip
case(
    "moments.covariance",
    lambda m, x, y: m.mean(x * y, axis=-1) - m.mean(x, axis=-1) * m.mean(y, axis=-1),
    x=rows([0, 1e3, 1e6], 1),
    y=rows([3, -1e3, 2e6], -2),
)
case(
    "moments.welch",
    lambda m, x, y: (
        (m.mean(x, axis=-1) - m.mean(y, axis=-1))
        / m.sqrt(m.sum(centred(m, x) ** 2, axis=-1) / 20 + m.sum(centred(m, y) ** 2, axis=-1) / 20)
    ),
    x=rows([1, 1e3, 1e5], 1),
    y=rows([1.25, 999, 1e5 + 1], -2),
)
case(
    "moments.standardised",
    lambda m, x: centred(m, x) / m.sqrt(m.mean(x * x, axis=-1, keepdims=True) - m.mean(x, axis=-1, keepdims=True) ** 2),
    x=rows([1, 1e3, 1e6], 1),
    wrt="",
)
case(
    "moments.group_norm",
    lambda m, x, g: m.sum(
        g * centred(m, x) / m.sqrt(m.mean(centred(m, x) ** 2, axis=-1, keepdims=True) + 1e-5), axis=-1
    ),
    x=rows([0, 1e3, 1e5], 1, 4),
    g=rows([1, 2, 3], 0.5, 4),
    wrt="g",
)
case(
    "moments.durbin_watson",
    lambda m, x: m.sum((x[:, 1:] - x[:, :-1]) ** 2, axis=-1) / m.sum(x * x, axis=-1),
    x=rows([0.25, 1e3, 1e200, 1e-200], 1, scale=True),
)
case(
    "moments.total_variation",
    lambda m, x: m.sum(m.sqrt((x[:, 1:] - x[:, :-1]) ** 2 + 1e-12), axis=-1),
    x=rows([0.25, 1e3, 1e-6], 1, scale=True),
)
case(
    "moments.weighted_variance",
    lambda m, w, x: m.sum(w * x * x, axis=-1) / m.sum(w, axis=-1) - (m.sum(w * x, axis=-1) / m.sum(w, axis=-1)) ** 2,
    w=rows([1, 1e-3, 5], 0.9, 4, scale=True),
    x=rows([1, 1e3, 1e5], 1, 4),
)
case(
    "moments.log_ratio_of_means",
    lambda m, x: m.log(m.mean(x, axis=-1)) - m.mean(m.log(x), axis=-1),
    x=rows([1.0, 1e-300, 1e300, 1e-30], 0.01, 4, scale=True),
)
case("info.hellinger", lambda m, p, q: m.sqrt(1 - m.sum(m.sqrt(p * q), axis=-1)), p=P, q=Q, wrt="")
case(
    "info.bhattacharyya",
    lambda m, p, q: -m.log(m.sum(m.sqrt(p * q), axis=-1)),
    p=rows([1, 1e-200, 1e150], 0.9, 3, scale=True),
    q=rows([1, 1e-100, 1e100], -0.9, 3, scale=True),
)
case("info.chi_square", lambda m, p, q: m.sum((p - q) ** 2 / q, axis=-1), p=P, q=Q)
case(
    "info.chi_square_expanded",
    lambda m, p, q: m.sum(p * p / q, axis=-1) - 2 * m.sum(p, axis=-1) + m.sum(q, axis=-1),
    p=P,
    q=Q,
)
case("info.generalised_kl", lambda m, p, q: m.sum(p * m.log(p / q) - p + q, axis=-1), p=P, q=Q)
case(
    "info.jensen_shannon",
    lambda m, p, q: m.sum(p * m.log(2 * p / (p + q)) + q * m.log(2 * q / (p + q)), axis=-1),
    p=P,
    q=Q,
)
case("info.alpha_divergence", lambda m, p, q: 4 * (m.sum((p + q) / 2 - m.sqrt(p * q), axis=-1)), p=P, q=Q)
case(
    "info.binary_gap",
    lambda m, p, q: (p * m.log(p) + (1 - p) * m.log(1 - p)) - (q * m.log(q) + (1 - q) * m.log(1 - q)),
    p=shifted([0.125, 1e-6, 0.3, 0.75, 1e-20], 2),
    q=[0.125, 1e-6, 0.3, 0.75, 1e-20],
)
case("info.mutual", lambda m, a, b, c, d: a * m.log(a / ((a + b) * (a + c))) + b * m.log(b / ((a + b) * (b + d))) + c * m.log(c / ((a + c) * (c + d))) + d * m.log(d / ((b + d) * (c + d))),
     a=[0.25, 0.125, 0.5, 1e-9], b=[0.25, 0.375, 1e-9, 0.25], c=[0.125, 0.25, 1e-6, 0.25], d=[0.375, 0.25, 0.499999, 0.5])  # fmt: skip
case(
    "info.gaussian_kl",
    lambda m, s, t, d: m.log(t / s) + (s * s + d * d) / (2 * t * t) - 0.5,
    s=shifted([1, 1e-6, 1e6, 0.5, 3]),
    t=[1, 1e-6, 1e6, 0.5, 3],
    d=[1e-3, 1e-9, 1e4, 0.25, 1e-2],
)
case(
    "info.fano",
    lambda m, p: 1.0986122886681098 * p - p * m.log(p) - (1 - p) * m.log(1 - p),
    p=[*geo(1e-30, 0.5, 5), 0.75, 1 - 2**-20],
)
case(
    "info.normalised_entropy",
    lambda m, w: m.log(m.sum(w, axis=-1)) - m.sum(w * m.log(w), axis=-1) / m.sum(w, axis=-1),
    w=rows([1, 1e200, 1e-200, 5], 0.9, 4, scale=True),
)
case(
    "info.simpson",
    lambda m, w: 1 - m.sum((w / m.sum(w, axis=-1, keepdims=True)) ** 2, axis=-1),
    w=[[1, 1e-9, 1e-10], [0.5, 0.25, 3], [1e200, 1e190, 1e180]],
)
