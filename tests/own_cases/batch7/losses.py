"""Losses of logits, and what is done with softmax in rows."""

from __future__ import annotations

from functools import partial
from typing import Any

from own_cases.case import both, cyc, geo, lin, rows
from own_cases.case import case as any_case

case = partial(any_case, batch=7)

LOGITS = both([1e-6, 0.3, 3, 17, 36.5, 38, 88, 104, 500, 710, 745, 2500])
SHIFTS = [0, -700, 88, 720, -2000, 40]


def softmax(m: Any, x: Any) -> Any:
    return m.exp(x) / m.sum(m.exp(x), axis=-1, keepdims=True)


case("logits.brier", lambda m, x, t: (1 / (1 + m.exp(-x)) - t) ** 2, x=LOGITS, t=cyc(24, 0, 1), wrt="x")
case(
    "logits.log_odds_of_square",
    lambda m, x: m.log(m.sigmoid(x) ** 2 / (1 - m.sigmoid(x) ** 2)),
    x=[*LOGITS[:11], *LOGITS[12:23]],
)
case("logits.both_or_neither", lambda m, x: m.log(m.sigmoid(x) ** 2 + (1 - m.sigmoid(x)) ** 2), x=LOGITS)
case("logits.odd_one", lambda m, a, b: m.log(m.sigmoid(a) * (1 - m.sigmoid(b)) + m.sigmoid(b) * (1 - m.sigmoid(a))),
     a=LOGITS, b=cyc(24, 0.5, -3, 40, -800, 800))  # fmt: skip
case("logits.noisy_or", lambda m, x: m.log(1 - m.prod(1 - m.sigmoid(x), axis=-1)), x=rows([0, -800, -40, 30, -3], 2, 4))
case("logits.noisy_and", lambda m, x: m.log(1 - m.prod(m.sigmoid(x), axis=-1)), x=rows([0, 800, 40, -30, 3], 2, 4))
case("logits.sigmoid_ratio", lambda m, a, b: m.sigmoid(a) / (m.sigmoid(a) + m.sigmoid(b)),
     a=[-800, -40, 0.5, 30, 800, -3], b=[-805, 40, 0.25, 31, -800, -2])  # fmt: skip
case("logits.smoothed", lambda m, x, t: -((0.9 * t + 0.05) * m.log(m.sigmoid(x)) + (0.95 - 0.9 * t) * m.log(1 - m.sigmoid(x))),
     x=LOGITS[:11], t=cyc(11, 0, 1), wrt="x")  # fmt: skip
case("logits.tversky", lambda m, x, t: 1 - m.sum(t * m.sigmoid(x), axis=-1)
     / m.sum(t * m.sigmoid(x) + 0.5 * (1 - t) * m.sigmoid(x) + 0.5 * t * (1 - m.sigmoid(x)), axis=-1),
     x=rows([1, 20, -30, 3], 4, 3), t=[[1, 0, 1]] * 4, wrt="x")  # fmt: skip
case("logits.mean_bce", lambda m, x, t: -m.mean(t * m.log(m.sigmoid(x)) + (1 - t) * m.log(1 - m.sigmoid(x)), axis=-1),
     x=rows(SHIFTS, 9, 4), t=[[1, 0, 0.25, 1]] * 6, wrt="x")  # fmt: skip
case("logits.threshold_link", lambda m, x, a, b: m.log(m.sigmoid(b - x) - m.sigmoid(a - x)),
     x=[0.5, -30, 40, 800, -900, 3], a=cyc(6, -1, 0.25), b=[0.5, 1, 3, 1.5, 0.5, 2])  # fmt: skip
case("logits.hazard", lambda m, x: m.exp(x) / (1 + m.exp(x)) * m.log(1 + m.exp(-x)), x=LOGITS)
case(
    "logits.double_sigmoid",
    lambda m, x: m.sigmoid(x - 5) + 1 - m.sigmoid(x + 5),
    x=[-700, -50, -20, -1e-3, 0.5, 20, 50, 700],
)
case("logits.margin_softplus", lambda m, x, y: m.log(1 + m.exp(1 - x * y)), x=LOGITS, y=cyc(24, 1, -1), wrt="x")
case("rows.margin", lambda m, x: x[:, 0] - m.log(m.sum(m.exp(x[:, 1:]), axis=-1)), x=rows(SHIFTS, 20, 5))
case("rows.dark_knowledge", lambda m, x, y: -m.sum(softmax(m, x / 4) * m.log(softmax(m, y / 4)), axis=-1),
     x=rows([1, 60, -900], 20, 3), y=rows([1, 50, 800], 8, 3))  # fmt: skip
case("rows.kl", lambda m, x, y: m.sum(softmax(m, x) * (m.log(softmax(m, x)) - m.log(softmax(m, y))), axis=-1),
     x=rows([1, 3, 300], 1, 3), y=rows([1, 2, 800], 3, 3))  # fmt: skip
case("rows.gini", lambda m, x: 1 - m.sum(softmax(m, x) ** 2, axis=-1), x=rows([1, 300, -900, 5], 20, 4))
case(
    "rows.softmax_gap",
    lambda m, x: softmax(m, x)[:, 0] - softmax(m, x)[:, 1],
    x=[[1, 1 + 2**-20, 0.5], [700, 699, 3], [-900, -901, -903], [3, -40, 20]],
)
case(
    "rows.log_complement",
    lambda m, x: m.log(1 - softmax(m, x)[:, 0]),
    x=[[1, 0.5, 0.25], [700, 600, 3], [-900, -901, -903], [45, 3, 1]],
)
case(
    "rows.poly_loss",
    lambda m, x: -m.log(softmax(m, x)[:, 0]) + 1 - softmax(m, x)[:, 0],
    x=[[1, 0.5, 0.25], [30, 5, 3], [-900, -901, -903], [-40, 3, 1]],
)
case(
    "rows.focal",
    lambda m, x: -((1 - softmax(m, x)[:, 1]) ** 2) * m.log(softmax(m, x)[:, 1]),
    x=[[1, 0.5, 0.25], [30, 65, 3], [-900, -901, -903], [40, 3, 1]],
)
case("rows.smooth_max_gap", lambda m, x: m.max(x, axis=-1) - m.log(m.sum(m.exp(x), axis=-1)), x=rows(SHIFTS, 30, 5))
case("rows.softmin", lambda m, x: -m.log(m.sum(m.exp(-x), axis=-1)), x=rows(SHIFTS, 9, 5))
case("rows.lse_of_squares", lambda m, x: m.log(m.sum(m.exp(x * x), axis=-1)), x=rows([0.5, 20, 100, -1000], 2, 3))
case("rows.info_nce", lambda m, x, t: -m.log(m.exp(x[:, 0] / t) / m.sum(m.exp(x / t[:, None]), axis=-1)),
     x=rows([0.5, -0.25, 0.125], 0.5, 4), t=[0.0625, 1, 1e-3])  # fmt: skip
case("rows.triplet", lambda m, a, p, n: m.log(1 + m.exp(m.sum((a - p) ** 2, axis=-1) - m.sum((a - n) ** 2, axis=-1))),
     a=rows([1, 20, 3], 4, 3), p=rows([1.5, 18, 3.25], 3, 3), n=rows([1.5, 21, -30], 3, 3))  # fmt: skip
case(
    "rows.log_mean_gap",
    lambda m, x: m.log(m.mean(m.exp(x), axis=-1)) - m.mean(x, axis=-1),
    x=rows([1, 800, -900], 0.25, 4),
)
case("rows.renyi", lambda m, x: m.log(m.sum(softmax(m, x) ** 3, axis=-1)) / (-2), x=rows([1, 800, -900, 4], 2, 4))
case("rows.expected_square", lambda m, x, v: m.sum(softmax(m, x) * v * v, axis=-1) - m.sum(softmax(m, x) * v, axis=-1) ** 2,
     x=rows([1, 800, -900], 2, 3), v=rows([1, 30, 1000], 1, 3), wrt="v")  # fmt: skip
case("rows.elbo_weights", lambda m, p, q: m.log(m.mean(m.exp(p - q), axis=-1)),
     p=rows([-800, -3000, 5], 20, 4), q=rows([-3, -700, -900], 9, 4))  # fmt: skip
case("rows.plackett_luce", lambda m, x: m.log(m.exp(x[:, 0]) / m.sum(m.exp(x), axis=-1) * m.exp(x[:, 1]) / m.sum(m.exp(x[:, 1:]), axis=-1)),
     x=rows(SHIFTS, 30, 4))  # fmt: skip
case(
    "rows.free_energy",
    lambda m, x, b: -m.log(m.sum(m.exp(-b[:, None] * x), axis=-1)) / b,
    x=rows([1, 30, 1000], 3, 4),
    b=geo(1e-2, 1e3, 3),
)
case("rows.sigmoid_mean", lambda m, x: m.log(m.mean(m.sigmoid(x), axis=-1)), x=rows([-800, -40, 0, 40, 800], 9, 4))
case("logits.tempered_sigmoid", lambda m, x, t: t * m.log(1 + m.exp(x / t)), x=LOGITS, t=cyc(24, 0.0625, 1, 16))
case(
    "logits.survival_pair",
    lambda m, a, b: m.log(1 / (1 + m.exp(a))) - m.log(1 / (1 + m.exp(b))),
    a=lin(-900, 900, 7),
    b=[-900.5, -590, -280, 3, 310, 620, 901],
)
