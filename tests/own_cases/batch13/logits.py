"""Beside sigmoid, lse and spell: losses of two classes and of many, and the same facts spelt another way."""

from __future__ import annotations

from own_cases.batch13 import LOGITS, SHIFTS, case, whole
from own_cases.case import both, cyc, geo, lin, rows

N = len(LOGITS)
CHANCES = [*geo(1e-30, 1e-3, 5), *lin(0.06, 0.44, 4), 0.5 + 2.0**-20, 0.5 - 2.0**-11, 0.7, 0.93, 1 - 2.0**-20]

# ---- beside sigmoid ----

case(
    "sigmoid.tanh_cross_entropy",
    lambda m, x, t: -(1 + t) / 2 * m.log((1 + m.tanh(x)) / 2) - (1 - t) / 2 * m.log((1 - m.tanh(x)) / 2),
    wrt="x",
    x=LOGITS,
    t=cyc(N, 1, -1, 0.5),
)
case("sigmoid.log_half_logistic", lambda m, x: m.log(2 / (1 + m.exp(x))), x=LOGITS)
case(
    "sigmoid.label_smoothing",
    lambda m, x, e: -((1 - e) * m.log(m.sigmoid(x)) + e * m.log(1 - m.sigmoid(x))),
    wrt="x",
    x=LOGITS,
    e=cyc(N, 0.125, 0.0625, 0.015625),
)
case(
    "sigmoid.weighted_cross_entropy",
    lambda m, x, t, w: -(w * t * m.log(m.sigmoid(x)) + (1 - t) * m.log(1 - m.sigmoid(x))),
    wrt="x",
    x=LOGITS,
    t=cyc(N, 1, 0, 0.25),
    w=cyc(N, 3, 0.5),
)
case("sigmoid.poly_one", lambda m, x: -m.log(m.sigmoid(x)) + 2 * (1 - m.sigmoid(x)), x=LOGITS)
case("sigmoid.log_variance", lambda m, x: m.log(m.sigmoid(x) * (1 - m.sigmoid(x))), x=LOGITS)
case("sigmoid.deviation", lambda m, x: m.sqrt(m.sigmoid(x) * (1 - m.sigmoid(x))), x=LOGITS)
case("sigmoid.slope_spelled", lambda m, x: m.exp(x) / (1 + m.exp(x)) ** 2, x=LOGITS)
case("sigmoid.focal_one_and_a_half", lambda m, x: -((1 - m.sigmoid(x)) ** 1.5) * m.log(m.sigmoid(x)), x=LOGITS)
case(
    "sigmoid.entropy_spelled",
    lambda m, x: (lambda p: -(p * m.log(p) + (1 - p) * m.log(1 - p)))(1 / (1 + m.exp(-x))),
    x=LOGITS,
)
case(
    "sigmoid.log_of_product",
    lambda m, a, b: -m.log(m.sigmoid(a) * m.sigmoid(b)),
    a=LOGITS,
    b=[-x for x in reversed(LOGITS)],
)
case("sigmoid.inverse_of_odds", lambda m, p: m.log(1 / p - 1), p=CHANCES)
case(
    "sigmoid.odds",
    lambda m, x: m.sigmoid(x) / (1 - m.sigmoid(x)),
    x=whole(both([0.1, 0.9, 4, 12, 23, 33, 36, 41, 60, 84])),
)
case("sigmoid.tempered", lambda m, x: m.log(m.sigmoid(x / 0.25)), x=LOGITS)
case(
    "sigmoid.noise_contrastive",
    lambda m, s, k: -m.log(m.exp(s) / (m.exp(s) + k)),
    wrt="s",
    s=LOGITS,
    k=cyc(N, 5, 20, 0.5),
)
case(
    "sigmoid.rank_weight",
    lambda m, a, b: 1 / (1 + m.exp(a - b)),
    a=whole(lin(-1500, 1500, 14)),
    b=whole([*lin(-1490, 1400, 7), *lin(-20, 1470, 7)]),
)

# ---- beside lse ----

case(
    "lse.base_ten",
    lambda m, x: m.log(m.sum(10.0**x, axis=-1)) / 2.302585092994046,
    x=rows([-900, -300, -50, -20, 0, 3, 30, 40, 300, 310, 1000], 4),
)
case("lse.soft_minimum", lambda m, x: -0.125 * m.log(m.sum(m.exp(-x / 0.125), axis=-1)), x=rows(SHIFTS, 7, 5))
case(
    "lse.soft_targets",
    lambda m, x, t: -m.sum(t * m.log(m.exp(x) / m.sum(m.exp(x), axis=-1, keepdims=True)), axis=-1),
    wrt="x",
    x=rows(SHIFTS, 2, 4),
    t=[[0.25, 0.5, 0.125, 0.125]] * 16,
)
case("lse.entropic_risk", lambda m, x: -m.log(m.mean(m.exp(-2 * x), axis=-1)) / 2, x=rows(SHIFTS, 6, 6))
case(
    "lse.relaxed_choice",
    lambda m, a, b: m.exp(a / 0.5) / (m.exp(a / 0.5) + m.exp(b / 0.5)),
    a=whole([*lin(-1500, 1500, 10), *lin(-3, 40, 6)]),
    b=whole([*lin(-1501, 1505, 10), *lin(2, -45, 6)]),
)
case(
    "lse.log_softmax_by_difference",
    lambda m, x: x - m.log(m.sum(m.exp(x), axis=-1, keepdims=True)),
    wrt="",
    x=rows(SHIFTS, 2, 6),
)
case(
    "lse.weighted_pair",
    lambda m, a, b, w: m.log(w * m.exp(a) + (1 - w) * m.exp(b)),
    wrt="a b",
    a=whole(lin(-1500, 1500, 15)),
    b=whole([*lin(-1480, 1520, 8), *lin(50, -2000, 7)]),
    w=cyc(15, 0.25, 0.75, 0.875),
)
case(
    "lse.log_of_mean_of_two",
    lambda m, a, b: m.log((m.exp(a) + m.exp(b)) / 2),
    a=whole(lin(-1500, 1500, 15)),
    b=whole([*lin(-1480, 1520, 8), *lin(50, -2000, 7)]),
)
case(
    "lse.quotient_of_sums",
    lambda m, a, b: m.log(m.sum(m.exp(a), axis=-1) / m.sum(m.exp(b), axis=-1)),
    a=rows(SHIFTS, 8, 5),
    b=rows([s / 2 + 3 for s in SHIFTS], 5, 5),
)
case(
    "lse.softmax_variance",
    lambda m, x: (lambda p: m.sum(p * x * x, axis=-1) - m.sum(p * x, axis=-1) ** 2)(
        m.exp(x) / m.sum(m.exp(x), axis=-1, keepdims=True)
    ),
    x=rows([-800, -120, -60, -10, 0, 10, 60, 90, 120, 720], 2, 4),
)
case(
    "lse.posterior",
    lambda m, a, b, p: p * m.exp(a) / (p * m.exp(a) + (1 - p) * m.exp(b)),
    wrt="a b",
    a=whole([*lin(-1500, 1500, 10), *lin(-3, 40, 6)]),
    b=whole([*lin(-1501, 1505, 10), *lin(2, -45, 6)]),
    p=cyc(16, 0.5, 0.03125, 0.9375),
)
case(
    "lse.sum_of_log_softmax",
    lambda m, x: m.sum(m.log(m.exp(x) / m.sum(m.exp(x), axis=-1, keepdims=True)), axis=-1),
    wrt="",
    x=rows(SHIFTS, 2, 6),
)
case("lse.smooth_largest_size", lambda m, x: m.log(m.sum(m.exp(x) + m.exp(-x), axis=-1)), x=rows(SHIFTS, 9, 4))
case(
    "lse.sum_of_log_cosh",
    lambda m, x: m.sum(m.log(m.cosh(x)), axis=-1),
    x=rows([-2000, -710, -90, -20, -1, 0.05, 3, 15, 88, 705, 2500], 0.9, 5),
)
case(
    "lse.attention",
    lambda m, q, k, v: m.sum(v * m.exp(q * k), axis=-1) / m.sum(m.exp(q * k), axis=-1),
    wrt="q k v",
    q=rows([20.0, 3, 0.5, -4, 30, -25], 1, 4),
    k=rows([-30.0, 5, 0.2, 40, 35, 33], 2, 4),
    v=[[1.0, 9.0, 1.5, 8.0]] * 6,
)
case(
    "lse.laplace_kernel",
    lambda m, d: m.log(m.mean(m.exp(-m.abs(d)), axis=-1)),
    d=rows([5, 20, 80, 90, 110, 300, 700, 760, 1500, -60], 3, 6),
)
case(
    "lse.two_step",
    lambda m, a, t, e: m.log(m.sum(m.exp(a) * m.exp(t) * m.exp(e), axis=-1)),
    wrt="a t",
    a=rows(SHIFTS, 6, 5),
    t=rows(SHIFTS[::-1], 3, 5),
    e=rows([40.0] * 16, 2, 5),
)

# ---- beside spell ----

case("spelled.softplus_by_size", lambda m, x: m.maximum(x, 0) + m.log(1 + m.exp(-m.abs(x))), x=LOGITS)
case("spelled.minus_log_complement", lambda m, x: -m.log(1 - m.sigmoid(x)), x=LOGITS)
case("spelled.exp_of_minus_softplus", lambda m, x: m.exp(-m.log(1 + m.exp(x))), x=LOGITS)
case("spelled.share_of_one", lambda m, x: m.exp(x) / (m.exp(x) + 1), x=LOGITS)
case("spelled.log_mean_with_one", lambda m, x: m.log((m.exp(x) + 1) / 2), x=LOGITS)
case(
    "spelled.log_cosh_by_exp",
    lambda m, x: m.log(m.exp(2 * x) + 1) - x - 0.6931471805599453,
    x=[x for x in LOGITS if abs(x) > 0.3],
)
case("spelled.sigmoid_by_tanh", lambda m, x: 0.5 * (1 + m.tanh(x / 2)), x=LOGITS)
case("spelled.square_written_out", lambda m, x: m.log(1 + 2 * m.exp(x) + m.exp(2 * x)), x=LOGITS)
case(
    "spelled.tanh_by_fraction", lambda m, x: 1 - 2 / (m.exp(2 * x) + 1), x=[x for x in LOGITS if abs(x) < 400 or x > 0]
)
case("spelled.minus_log_fraction", lambda m, x: -m.log(1 / (1 + m.exp(-x))), x=LOGITS)
case("spelled.log_prod_sigmoid", lambda m, x: m.log(m.prod(m.sigmoid(x), axis=-1)), x=rows(SHIFTS, 9, 5))
case("spelled.shared_exponential", lambda m, x: (lambda e: m.log(1 + e) - e / (1 + e))(m.exp(x)), x=LOGITS)
case(
    "spelled.nll_of_row",
    lambda m, x, t: m.log(m.sum(m.exp(x), axis=-1)) - m.sum(t * x, axis=-1),
    wrt="x",
    x=rows(SHIFTS, 2, 4),
    t=[[float(j == k % 4) for j in range(4)] for k in range(16)],
)
