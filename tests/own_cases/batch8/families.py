"""Rows: the families of log-sum-exp, softmax, norms, moments and entropies, spelt as people spell them when they are not reminded."""

from __future__ import annotations

from functools import partial
from typing import Any

from own_cases.case import case as any_case
from own_cases.case import cyc, geo, rows

case = partial(any_case, batch=8)

SHIFTS = [-2000, -740, -90, -20, 0, 3, 60, 90, 711, 2500]
SCALES = [1e-250, 1e-30, 1, 1e30, 1e200]
OFFSETS = [0, 10, 1e3, 2e4, 1e6, 4e6]
CHANCES = [[0.25, 0.5, 0.125, 0.125], [0.75, 0.0625, 0.125, 0.0625], [0.375, 0.25, 0.25, 0.125]]
NEARBY = [[0.25 + 2.0**-k, 0.5 - 2.0**-k, 0.125 + 2.0**-k, 0.125 - 2.0**-k] for k in (6, 12, 18)]


def softmax(m: Any, x: Any) -> Any:
    e = m.exp(x)
    return e / m.sum(e, axis=-1, keepdims=True)


# ---- exponentials in rows ----

case("series.lse_base_two", lambda m, x: m.log(m.sum(2.0**x, axis=-1)) / 0.6931471805599453, x=rows(SHIFTS, 9))
case("series.lse_of_mean", lambda m, x: m.log(m.mean(m.exp(-x), axis=-1)), x=rows(SHIFTS, 9))
case("series.free_energy", lambda m, e, b: -m.log(m.sum(m.exp(-b * e), axis=-1)) / m.mean(b, axis=-1),
     e=rows([-300, 0, 5, 400], 9), b=[[k] * 5 for k in (2, 0.5, 0.125, 4)], wrt="e")  # fmt: skip
case("series.lse_less_largest", lambda m, x: m.log(m.sum(m.exp(x), axis=-1)) - m.max(x, axis=-1), x=rows(SHIFTS, 9))
case("series.lse_less_mean", lambda m, x: m.log(m.sum(m.exp(x), axis=-1)) - m.mean(x, axis=-1), x=rows(SHIFTS, 9))
case("series.lse_one_more", lambda m, x: m.log(1 + m.sum(m.exp(x), axis=-1)), x=rows(SHIFTS, 9))
case("series.lse_of_squares", lambda m, x: 0.5 * m.log(m.sum(m.exp(x) ** 2, axis=-1)), x=rows(SHIFTS, 4))
case("series.lse_of_roots", lambda m, x: 2 * m.log(m.sum(m.sqrt(m.exp(x)), axis=-1)), x=rows(SHIFTS, 9))
case("series.lse_weighted", lambda m, x, w: m.log(m.sum(w * m.exp(x), axis=-1)) - m.log(m.sum(w, axis=-1)),
     x=rows(SHIFTS[:4], 9), w=rows([1, 2, 3, 1.5], 0.5))  # fmt: skip
case(
    "series.softmin",
    lambda m, x: m.sum(x * m.exp(-x), axis=-1) / m.sum(m.exp(-x), axis=-1),
    x=rows([5, 80, 700, 2000], 0.5),
)
case("series.softmax_second", lambda m, x, w: m.sum(w * w * softmax(m, x), axis=-1) - m.sum(w * softmax(m, x), axis=-1) ** 2,
     x=rows(SHIFTS[:4], 2), w=rows([1, 4, 20, 3], 2))  # fmt: skip
case("series.softmax_gini", lambda m, x: 1 - m.sum(softmax(m, x) ** 2, axis=-1), x=rows(SHIFTS, 5))
case("series.softmax_of_first", lambda m, x, t: m.log(1 - m.sum(t * softmax(m, x), axis=-1)),
     x=rows([0, 20, -700, 800], 9), t=[[1, 0, 0, 0, 0], [0, 0, 0, 1, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0]], wrt="x")  # fmt: skip
case("series.margin", lambda m, x, t: m.log(1 + m.sum(m.exp(x - m.sum(t * x, axis=-1, keepdims=True)), axis=-1)),
     x=rows([0, 20, -700, 800], 9), t=[[1, 0, 0, 0, 0], [0, 0, 0, 1, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0]], wrt="x")  # fmt: skip
case("series.label_smoothed", lambda m, x, t: -m.sum((0.9 * t + 0.02) * m.log(softmax(m, x)), axis=-1),
     x=rows([0, 20, -700, 800], 9), t=[[1, 0, 0, 0, 0], [0, 0, 0, 1, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0]], wrt="x")  # fmt: skip
case("series.kl_of_logits", lambda m, a, b: m.sum(softmax(m, a) * (m.log(softmax(m, a)) - m.log(softmax(m, b))), axis=-1),
     a=rows([0, 20, -700, 800], 3), b=rows([1, 25, -690, 30], 4))  # fmt: skip
case(
    "series.perplexity",
    lambda m, x: m.exp(-m.sum(softmax(m, x) * m.log(softmax(m, x)), axis=-1)),
    x=rows([0, 20, -700, 800], 2),
)
case("series.mixture_of_logistics", lambda m, x, s: m.log(m.sum(m.exp(-x / s) / (s * (1 + m.exp(-x / s)) ** 2), axis=-1)),
     x=rows([0, 20, -700, 800], 3), s=rows([2, 2, 2, 2], 1))  # fmt: skip
case(
    "series.poisson_binomial_none",
    lambda m, p: 1 - m.prod(1 - p, axis=-1),
    p=rows([1e-15, 1e-8, 1e-3, 0.1], 0.9, 4, scale=True),
)
case(
    "series.log_survival",
    lambda m, p: m.log(1 - m.prod(p, axis=-1)),
    p=[[1 - v for v in r] for r in rows([1e-6, 1e-3, 0.01], 0.9, 4, scale=True)],
)
case(
    "series.sum_of_log1m",
    lambda m, x: m.sum(m.log(1 - m.exp(x)), axis=-1),
    x=[[-v for v in r] for r in rows([1e-12, 1e-3, 1, 30], 0.9, 4, scale=True)],
)
case("series.expectile", lambda m, x: m.log(m.mean(m.exp(1e-3 * x), axis=-1)) / 1e-3, x=rows([0, 5, 300], 2))

# ---- squares in rows ----

case("series.rms", lambda m, x: m.sqrt(m.mean(x * x, axis=-1)), x=rows(SCALES, 0.9, scale=True))
case(
    "series.rms_norm",
    lambda m, x: x / m.sqrt(m.mean(x * x, axis=-1, keepdims=True) + 1e-6),
    x=rows([1e-200, 1e-6, 1, 1e160], 0.9, scale=True),
    wrt="",
)
case(
    "series.std_ratio",
    lambda m, x: m.sqrt(m.mean(x * x, axis=-1) - m.mean(x, axis=-1) ** 2) / m.mean(x, axis=-1),
    x=rows(OFFSETS[1:], 2),
)
case("series.z_score", lambda m, x: (x - m.mean(x, axis=-1, keepdims=True)) / m.sqrt(m.mean((x - m.mean(x, axis=-1, keepdims=True)) ** 2, axis=-1, keepdims=True)),
     x=rows(OFFSETS, 3), wrt="")  # fmt: skip
case(
    "series.sample_variance", lambda m, x: (m.sum(x * x, axis=-1) - m.sum(x, axis=-1) ** 2 / 5) / 4, x=rows(OFFSETS, 3)
)
case("series.log_variance", lambda m, x: m.log(m.mean(x * x, axis=-1) - m.mean(x, axis=-1) ** 2), x=rows(OFFSETS, 3))
case(
    "series.covariance",
    lambda m, x, y: m.mean(x * y, axis=-1) - m.mean(x, axis=-1) * m.mean(y, axis=-1),
    x=rows(OFFSETS, 3),
    y=rows(OFFSETS[::-1], 2),
)
case("series.correlation", lambda m, x, y: (m.mean(x * y, axis=-1) - m.mean(x, axis=-1) * m.mean(y, axis=-1))
     / m.sqrt((m.mean(x * x, axis=-1) - m.mean(x, axis=-1) ** 2) * (m.mean(y * y, axis=-1) - m.mean(y, axis=-1) ** 2)),
     x=rows(OFFSETS[:4], 3), y=[[v + 0.5 * w for v, w in zip(r, q, strict=True)] for r, q in zip(rows([1, 2, 50, 9], 2), rows([0, 1, 0, 4], 1)[::-1], strict=True)], wrt="")  # fmt: skip
case("series.slope", lambda m, x, y: (5 * m.sum(x * y, axis=-1) - m.sum(x, axis=-1) * m.sum(y, axis=-1)) / (5 * m.sum(x * x, axis=-1) - m.sum(x, axis=-1) ** 2),
     x=rows(OFFSETS[:5], 3), y=rows([3, 0, 7, 100, -4], 2))  # fmt: skip
case("series.distance_expanded", lambda m, a, b: m.sum(a * a, axis=-1) - 2 * m.sum(a * b, axis=-1) + m.sum(b * b, axis=-1),
     a=rows([1, 30, 1e4, 1e6], 2), b=rows([1.5, 31, 10001, 1e6 + 2], 2.5), wrt="")  # fmt: skip
case("series.cosine_distance", lambda m, a, b: 1 - m.sum(a * b, axis=-1) / m.sqrt(m.sum(a * a, axis=-1) * m.sum(b * b, axis=-1)),
     a=rows([1, 1e150, 1e-150, 3], 0.9, scale=True), b=rows([2, 1e120, 1e-160, 3], 0.4, scale=True), wrt="")  # fmt: skip
case("series.third_moment", lambda m, x: m.mean(x**3, axis=-1) - 3 * m.mean(x, axis=-1) * m.mean(x * x, axis=-1) + 2 * m.mean(x, axis=-1) ** 3,
     x=rows([0, 3, 20], 3), wrt="")  # fmt: skip
case("series.log_det_diagonal", lambda m, x: m.log(m.prod(m.exp(x), axis=-1)), x=rows(SHIFTS, 9))
case("series.geometric_of_squares", lambda m, x: m.prod(x * x, axis=-1) ** 0.1, x=rows(SCALES, 0.9, scale=True))
case("series.harmonic_mean", lambda m, x: 5 / m.sum(1 / x, axis=-1), x=rows([1e-300, 1e-5, 1, 1e300], 0.9, scale=True))
case(
    "series.norm_gap",
    lambda m, x: m.sum(abs(x), axis=-1) - m.sqrt(m.sum(x * x, axis=-1)),
    x=[[1, e, 2 * e, e / 3] for e in (1e-3, 1e-9, 1e-15)],
    wrt="",
)
case(
    "series.norm_less_largest",
    lambda m, x: m.sqrt(m.sum(x * x, axis=-1)) - m.max(x, axis=-1),
    x=[[1.0, e, 2 * e] for e in (0.1, 1e-3, 1e-9)],
)
case(
    "series.unit_sum",
    lambda m, x: x / m.sum(x, axis=-1, keepdims=True),
    x=rows([1e-300, 1e-5, 1, 1e307], 0.9, scale=True),
    wrt="",
)

# ---- chances in rows ----

case("series.entropy_bits", lambda m, p: -m.sum(p * m.log(p), axis=-1) / 0.6931471805599453, p=CHANCES)
case("series.kl", lambda m, p, q: m.sum(p * m.log(p / q), axis=-1), p=CHANCES, q=NEARBY)
case("series.kl_generalised", lambda m, p, q: m.sum(p * m.log(p / q) - p + q, axis=-1), p=CHANCES, q=NEARBY)
case("series.chi_square", lambda m, p, q: m.sum((p - q) ** 2 / q, axis=-1), p=CHANCES, q=NEARBY)
case("series.hellinger", lambda m, p, q: 1 - m.sum(m.sqrt(p * q), axis=-1), p=CHANCES[:1] * 3, q=NEARBY, wrt="")
case(
    "series.hellinger_squares",
    lambda m, p, q: 0.5 * m.sum((m.sqrt(p) - m.sqrt(q)) ** 2, axis=-1),
    p=CHANCES[:1] * 3,
    q=NEARBY,
)
case(
    "series.jensen_shannon",
    lambda m, p, q: 0.5 * m.sum(p * m.log(2 * p / (p + q)) + q * m.log(2 * q / (p + q)), axis=-1),
    p=CHANCES,
    q=NEARBY,
)
case("series.log_likelihood_counts", lambda m, n, p: m.sum(n * m.log(p), axis=-1) - m.sum(n, axis=-1) * m.log(m.sum(p, axis=-1)),
     n=[[3, 0, 2, 1], [0, 0, 5, 0], [100, 20, 3, 1]], p=rows([1, 1e-200, 1e200], 0.9, 4, scale=True))  # fmt: skip
case(
    "series.dirichlet_log",
    lambda m, x, a: m.sum((a - 1) * m.log(x), axis=-1),
    x=CHANCES,
    a=rows([2, 1.5, 100], 0.5, 4),
    wrt="x",
)
case("series.tsallis", lambda m, p: (1 - m.sum(p**1.0009765625, axis=-1)) / 0.0009765625, p=CHANCES)
case(
    "series.total_hazard",
    lambda m, r, t: 1 - m.exp(-m.sum(r * t, axis=-1)),
    r=rows(geo(1e-12, 1, 4), 0.5, 4, scale=True),
    t=[cyc(4, 1, 2, 0.5)] * 4,
)
