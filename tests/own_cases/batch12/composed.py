"""Known formulas by way of reshape, stack, where, clip, cumsum, sort, loops, entries, second derivatives and replaced leaves."""

from __future__ import annotations

from typing import Any

from own_cases.batch12 import beside, case
from own_cases.case import ROOT2, both, cyc, geo, rows

LOGITS = both([1e-8, 0.375, 2.5, 16.5, 36.5, 39, 88, 104, 460, 746, 2400])
NEARER = [v for v in LOGITS if abs(v) < 1000]
SHIFTS = [-1800.0, -750, -105, -61, -9, 0, 6, 61, 88.5, 305, 713, 2300]
SIDES = [0.375, 1.25, 2.7, 5.5, 0.8125, 11.9, 17.3, 7.25]
CHANCES = [[0.25, 0.5, 0.125, 0.125], [0.75, 0.0625, 0.125, 0.0625], [0.375, 0.25, 0.25, 0.125]]


def columns(x: Any, count: int) -> list[Any]:
    return [x[:, k] for k in range(count)]


# ---- shapes ----

case(
    "shape.pairs",
    lambda m, x: m.sum(m.log(m.sum(m.exp(m.reshape(x, (-1, 2, 2))), axis=-1)), axis=-1),
    x=rows(SHIFTS, 16, 4),
)
case(
    "shape.stacked",
    lambda m, a, b, c: m.log(m.sum(m.exp(m.stack([a, b, c], axis=1)), axis=-1)) - a,
    a=LOGITS,
    b=beside(LOGITS),
    c=cyc(22, 0.5, -30, 700),
)
case(
    "shape.stacked_variance",
    lambda m, a, b, c: (lambda s: m.mean(s * s, axis=-1) - m.mean(s, axis=-1) ** 2)(m.stack([a, b, c], axis=1)),
    a=SIDES,
    b=beside(SIDES),
    c=[v * (1 + 2.0**-9) for v in SIDES],
)
case(
    "shape.differences",
    lambda m, x: m.log(m.sum(m.exp(-((x[:, :, None] - x[:, None, :]) ** 2).reshape((-1, 9))), axis=-1) - 3),
    x=[*rows([0.0, 3, 30], 9, 3), [1.0, 1.5, 3]],
)
case(
    "shape.turned",
    lambda m, x: m.sum(x * x[:, ::-1], axis=-1) - m.sum(x * x, axis=-1),
    x=rows([0.0, 1, 1000, 1e6], 0.75),
)
case("shape.chosen", lambda m, x: m.log(m.sum(m.exp(x[:, [2, 0]]), axis=-1)) - x[:, 1], x=rows(SHIFTS, 9, 3))
case(
    "shape.padded_norm",
    lambda m, x, e: m.sqrt(m.sum(m.concatenate([x, e[:, None]], axis=1) ** 2, axis=-1)) - m.sqrt(m.sum(x * x, axis=-1)),
    x=rows([1.0, 3, 1e60, 1e-70], 0.9, 3, scale=True),
    e=[1e-3, 1e-9, 1e58, 1e-60],
)
case(
    "shape.joined_share",
    lambda m, x, y: m.sum(m.exp(x), axis=-1) / m.sum(m.exp(m.concatenate([x, y], axis=1)), axis=-1),
    x=rows([-700.0, 0, 40, 800], 9, 3),
    y=rows([-690.0, 30, -40, 790], 5, 2),
)
case(
    "shape.two_parts",
    lambda m, x: m.sum(m.log(1 + m.exp(x[:, :2])), axis=-1) - m.sum(m.log(1 + m.exp(-x[:, 2:])), axis=-1),
    x=rows(SHIFTS, 20, 4),
)
case(
    "shape.flat_entropy",
    lambda m, p: -m.sum(m.sum(m.reshape(p, (-1, 2, 2)) * m.log(m.reshape(p, (-1, 2, 2))), axis=-1), axis=-1),
    p=CHANCES,
)

# ---- choices ----

case(
    "choice.clipped_log",
    lambda m, p: m.log(1 - m.clip(p, 1e-7, 0.9999999)),
    p=[1e-20, 1e-6, 0.25, 0.999, 1 - 2.0**-20, 1.5],
)
case(
    "choice.clipped_logit",
    lambda m, x: m.log(1 + m.exp(m.clip(x, -60.0, 60.0))) - m.maximum(m.clip(x, -60.0, 60.0), 0.0),
    x=LOGITS,
)
case(
    "choice.series_by_hand",
    lambda m, x: m.where(abs(x) < 1e-4, 1 - x * x / 6, m.sin(x) / x),
    x=both([1e-9, 1e-5, 1.5e-4, 0.01, 1, 3]),
)
case("choice.both_sides", lambda m, x: m.where(x > 0, m.exp(-x) / (1 + m.exp(-x)), 1 / (1 + m.exp(x))), x=LOGITS)
case(
    "choice.safe_root",
    lambda m, x: m.sqrt(m.where(x > 0, x, 1.0) + 1) - m.sqrt(m.where(x > 0, x, 1.0)),
    x=[*geo(1, 1e15), -3.0],
)
case("choice.larger_of_two", lambda m, x, y: m.log(m.exp(x) + m.exp(y)) - m.maximum(x, y), x=LOGITS, y=beside(LOGITS))
case("choice.smaller_gap", lambda m, x, y: m.minimum(x, y) + m.log(m.exp(-x) + m.exp(-y)), x=LOGITS, y=beside(LOGITS))
case(
    "choice.masked_mean",
    lambda m, x: m.sum(m.where(x > 0, x, 0.0), axis=-1) / m.sum(m.where(x > 0, 1.0, 0.0), axis=-1) - m.mean(x, axis=-1),
    x=rows([0.0, 1, -0.25], 3),
)
case(
    "choice.soft_threshold",
    lambda m, x, k: m.sign(x) * m.maximum(abs(x) - k, 0.0),
    x=both([1e-9, 0.5, 3, 1e9]),
    k=cyc(8, 0.25, 2.99, 1e-10),
)
case(
    "choice.range_of_row",
    lambda m, x: m.log(m.max(x, axis=-1) - m.min(x, axis=-1)),
    x=rows([0.0, 1e3, 1e6, -300], 0.75),
)

# ---- running sums, orders ----

case("order.last_share", lambda m, x: m.log(m.cumsum(m.exp(x), axis=-1)[:, 2]) - x[:, 2], x=rows(SHIFTS, 9, 4))
case(
    "order.hazards",
    lambda m, h: m.sum(m.log(1 - m.exp(-m.cumsum(h, axis=-1))), axis=-1),
    h=rows([1e-12, 1e-5, 0.1, 3, 200], 0.9, scale=True),
)
case(
    "order.partial_likelihood",
    lambda m, x: m.sum(x - m.log(m.cumsum(m.exp(x), axis=-1)), axis=-1),
    x=rows(SHIFTS, 9, 4),
)
case(
    "order.middle_less_mean",
    lambda m, x: m.sort(x, axis=-1)[:, 2] - m.mean(x, axis=-1),
    x=rows([0.0, 30, 1e3, 1e6], 0.75),
)
case("order.trimmed", lambda m, x: m.log(m.sum(m.exp(m.sort(x, axis=-1)[:, 1:4]), axis=-1)), x=rows(SHIFTS, 30))
case(
    "order.spacings",
    lambda m, x: m.sum(m.log(m.sort(x, axis=-1)[:, 1:] - m.sort(x, axis=-1)[:, :-1]), axis=-1),
    x=rows([0.0, 1, 1e3, 1e5], 0.75),
)
case(
    "order.gini",
    lambda m, x: m.sum(m.sort(x, axis=-1) * [[-4.0, -2, 0, 2, 4]], axis=-1) / (5 * m.sum(x, axis=-1)),
    x=rows([1.0, 1e-200, 1e200, 30], 0.5, scale=True),
)
case(
    "order.two_largest",
    lambda m, x: m.sigmoid(m.sort(x, axis=-1)[:, -1] - m.sort(x, axis=-1)[:, -2]) - 0.5,
    x=rows([0.0, 3, -3], 40) + rows([0.0], 1e-6),
)

# ---- loops ----


def series(m: Any, x: Any) -> Any:
    """log(1 + x) less five terms of its series, by a loop that adds powers."""
    return m.log(1 + x) - m.rounds(lambda s, u: x * (u - s), 0 * x, [0 * x + 1 / k for k in (5, 4, 3, 2, 1)])


case(
    "loop.log_sum",
    lambda m, x: m.rounds(lambda s, u: s + m.log(1 + m.exp(u - s)), x[:, 0], columns(x, 4)[1:]),
    x=rows(SHIFTS, 9, 4),
)
case(
    "loop.discounted",
    lambda m, c, r: m.rounds(lambda s, u: (s + u) / (1 + r), 0 * r, columns(c, 4)) - m.sum(c, axis=-1),
    c=rows([100.0, 3, -20, 1], 5, 4),
    r=[1e-12, 1e-6, 0.05, 3],
)
case(
    "loop.survivors",
    lambda m, x: 1 - m.rounds(lambda s, u: s * (1 - m.exp(u)), 0 * x[:, 0] + 1, columns(x, 4)),
    x=rows([-700.0, -60, -20, -2], 0.5, 4),
)
case(
    "loop.averaged",
    lambda m, x: m.rounds(lambda s, u: 0.875 * s + 0.125 * u, x[:, 0], columns(x, 4)) - x[:, 0],
    x=rows([0.0, 1, 1e3, 1e6], 0.75, 4),
)
case(
    "loop.roots",
    lambda m, a: m.rounds(lambda s, u: (s + a / s) / 2, (1 + a) / 2, [0 * a] * 3) - m.sqrt(a),
    a=[0.5, 2, 3, 10],
)
case(
    "loop.tanh_chain",
    lambda m, w, x: m.rounds(lambda s, u: m.tanh(u * s), x, columns(w, 3)),
    w=rows([1.0, 30, 1e-9, 0.5], 0.5, 3, scale=True),
    x=[1e-12, 0.5, -3, 40],
)
case(
    "loop.forward_two",
    lambda m, a, b: m.rounds(lambda s, u: m.log(m.exp(s + u) + m.exp(s - u)), a, columns(b, 3)) - a,
    a=[0.5, -800, 700, 3],
    b=rows([0.5, 30, 0.125, 400], 0.25, 3),
)
case(
    "loop.largest_so_far",
    lambda m, x: m.rounds(lambda s, u: m.maximum(s, u), x[:, 0], columns(x, 5)) - m.log(m.sum(m.exp(x), axis=-1)),
    x=rows(SHIFTS, 20),
)

# ---- derivatives of derivatives, leaves that are replaced ----

case("twice.softplus", lambda m, x: m.slope(lambda u: m.slope(lambda v: m.log(1 + m.exp(v)), u), x), x=LOGITS)
case(
    "twice.log_cosh",
    lambda m, x: m.slope(lambda u: m.slope(lambda v: m.log(m.cosh(v)), u), x),
    x=[v for v in LOGITS if abs(v) < 300],
)
case(
    "twice.log_normal_tail",
    lambda m, x: m.slope(lambda u: m.slope(lambda v: -m.log(0.5 * m.erfc(v / ROOT2)), u), x),
    x=[-8.0, -1, 0.5, 3, 9, 30, 100],
)
case(
    "twice.hypot",
    lambda m, x, y: m.slope(lambda u: m.slope(lambda v: m.sqrt(v * v + y * y), u), x),
    x=[1e-9, 0.5, 3, 1e6, -1e20],
    y=[1.0, 1e-3, 4, 1, 1e18],
)
case(
    "twice.entropy",
    lambda m, p: m.slope(lambda u: m.slope(lambda v: -v * m.log(v) - (1 - v) * m.log(1 - v), u), p),
    p=[1e-30, 1e-9, 0.25, 0.5, 1 - 2.0**-20],
)
case(
    "twice.score",
    lambda m, x, s: m.slope(lambda u: -m.log(1 + (u / s) ** 2) - m.log(s), x),
    x=[1e-200, 1e-9, 0.5, 1e9, 1e200],
    s=[1.0, 1e-3, 0.5, 4, 1e180],
)
case(
    "twice.mixed",
    lambda m, x, y: m.slope(lambda u: m.slope(lambda v: m.log(m.exp(u) + m.exp(v)), y), x),
    x=NEARER,
    y=beside(NEARER),
)
case(
    "put.logit",
    lambda m, p: m.given(lambda x: m.log(1 + m.exp(-x)), p, m.log(p / (1 - p))),
    p=[1e-30, 1e-9, 0.25, 0.75, 1 - 2.0**-20],
)
case(
    "put.log_scale",
    lambda m, s, x: m.given(lambda u: -0.5 * (x / u) ** 2 - m.log(u), s, m.exp(s)),
    s=[-300.0, -20, 0.5, 3, 300],
    x=[1e-100, 1e-9, 3, 100, 1e130],
)
case("put.shifted", lambda m, x, d: m.given(lambda u: m.sqrt(u) - m.sqrt(x), x, x + d), x=SIDES, d=geo(1e-12, 0.5))
case("put.angle", lambda m, x: m.given(lambda u: 1 - m.cos(u), x, m.arctan(x)), x=both([1e-9, 1e-3, 0.5, 30, 1e9]))
case("put.ratio", lambda m, a, b: m.given(lambda u: u - 1 - m.log(u), a, a / b), a=SIDES, b=beside(SIDES))
