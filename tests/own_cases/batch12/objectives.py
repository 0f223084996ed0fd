"""Losses, probabilities, attention, variational terms, flows, mixtures and metric learning, as papers print them."""

from __future__ import annotations

from typing import Any

from own_cases.batch12 import beside, case, near_rows
from own_cases.case import HALF_LOG_2PI, ROOT2, both, cyc, geo, lin, rows

LOGITS = both([1e-8, 0.375, 2.5, 16.5, 36.5, 39, 88, 104, 460, 746, 2400])
SHIFTS = [-1800.0, -750, -105, -61, -9, 0, 6, 61, 88.5, 305, 713, 2300]
SIDES = [0.375, 1.25, 2.7, 5.5, 0.8125, 11.9, 17.3, 7.25]


def softmax(m: Any, x: Any) -> Any:
    return m.exp(x) / m.sum(m.exp(x), axis=-1, keepdims=True)


def unit(m: Any, x: Any) -> Any:
    return x / m.sqrt(m.sum(x * x, axis=-1, keepdims=True))


# ---- variational terms ----

case(
    "latent.kl_of_log_variances",
    lambda m, u, l, w, k: 0.5 * m.sum(k - l + (m.exp(l) + (u - w) ** 2) / m.exp(k) - 1, axis=-1),
    u=rows([0.0, 1, 30], 1, 3),
    l=rows([0.0, -40, 30], 0.5, 3),
    w=near_rows(rows([0.0, 1, 30], 1, 3)),
    k=near_rows(rows([0.0, -40, 30], 0.5, 3)),
)
case(
    "latent.bernoulli_and_kl",
    lambda m, x, t, u, l: (
        -m.sum(t * m.log(m.sigmoid(x)) + (1 - t) * m.log(1 - m.sigmoid(x)), axis=-1)
        - 0.5 * m.sum(1 + l - u**2 - m.exp(l), axis=-1)
    ),
    wrt="x u l",
    x=rows([0.0, 40, -800, 3], 9, 4),
    t=[[1, 0, 1, 0]] * 4,
    u=rows([0.0, 1, 1e-6, 30], 0.5, 2),
    l=rows([0.0, 1e-3, -30, 3], 1e-3, 2),
)
case(
    "latent.weighted_bound",
    lambda m, p, q: m.log(m.mean(m.exp(p - q), axis=-1)) - m.mean(p - q, axis=-1),
    p=rows(SHIFTS, 9),
    q=rows(SHIFTS[::-1], 4),
)
case(
    "latent.discretised_logistic",
    lambda m, x, u, s: m.log(m.sigmoid((x + 1 / 255 - u) * m.exp(-s)) - m.sigmoid((x - 1 / 255 - u) * m.exp(-s))),
    x=lin(-1, 1, 6),
    u=[0.25, -0.5, 0.9, 0, 0.75, -1],
    s=[-7.0, -3, 0, 2, -5, -1],
)
case(
    "latent.discretised_normal",
    lambda m, x, s: m.log(0.5 * m.erfc((x - 0.5) / s / ROOT2) - 0.5 * m.erfc((x + 0.5) / s / ROOT2)),
    x=[0.0, 3, -7, 40, 1, 25],
    s=[1.0, 0.5, 2, 1, 30, 1e3],
)
case(
    "latent.straight_flow",
    lambda m, z, w, u: m.log(abs(1 + u * w * (1 - m.tanh(w * z) ** 2))),
    z=[-30.0, -1, 0.25, 3, 40],
    w=[0.5, 2, -1, 30, 3],
    u=[1.0, -0.25, 0.5, 1e-9, 4],
)
case(
    "latent.radial_flow",
    lambda m, r, a, b: m.log(1 + b / (a + r)) + m.log(1 + b * a / (a + r) ** 2),
    r=geo(1e-6, 1e9),
    a=cyc(8, 1, 0.25),
    b=cyc(8, 1e-9, 0.5, 30),
)
case(
    "latent.softplus_scale",
    lambda m, x, s: -0.5 * (x / m.log(1 + m.exp(s))) ** 2 - m.log(m.log(1 + m.exp(s))) - HALF_LOG_2PI,
    x=cyc(9, 0.5, 3, 1e-6),
    s=[-100.0, -40, -3, -1e-3, 0.5, 3, 30, 300, -15],
)
case(
    "latent.squashed_normal",
    lambda m, x: m.sum(-(x**2) / 2 - m.log(1 - m.tanh(x) ** 2), axis=-1),
    x=rows([0.0, 3, -20, 50, 400], 1.5, 3),
)
case(
    "latent.signal_to_noise",
    lambda m, g: m.log(m.sigmoid(-g) / (1 - m.sigmoid(-g))) + m.log(1 + m.exp(g)),
    g=[v for v in LOGITS if abs(v) < 1000],
)
case(
    "latent.step_weight",
    lambda m, s, t: (m.exp(t) - m.exp(s)) / (m.exp(t) * (1 + m.exp(s))),
    s=[-30.0, -3, 0.5, 12, 300, -700],
    t=[-29.5, -3 + 1e-3, 0.5 + 1e-9, 14, 310, -300],
)
case(
    "latent.concrete_density",
    lambda m, x, a, t: m.log(t) + a - t * x - 2 * m.log(1 + m.exp(a - t * x)),
    x=LOGITS,
    a=cyc(22, 0.5, -3, 30),
    t=cyc(22, 0.1, 1, 0.01),
)

# ---- classes ----

case(
    "label.generalised_entropy",
    lambda m, x: (1 - softmax(m, x)[:, 0] ** 0.7) / 0.7,
    x=[[1, 0.5, 0.25], [30, 5, 3], [-900, -901, -903], [-40, 3, 1], [80, 1, -4]],
)
case("label.two_towers", lambda m, x, y: m.sum(softmax(m, x) * m.log(softmax(m, x) / (0.5 * softmax(m, x) + 0.5 * softmax(m, y))), axis=-1),
     x=rows([1.0, 40, -900], 3, 3), y=rows([2.0, 3, 700], 5, 3))  # fmt: skip
case("label.mutual_information", lambda m, a, b: (lambda h, p, q: h((p + q) / 2) - (h(p) + h(q)) / 2)(lambda v: -v * m.log(v) - (1 - v) * m.log(1 - v), m.sigmoid(a), m.sigmoid(b)),
     a=[0.5, 3, -8, 1e-3, 20], b=[0.25, -2, -8.5, 0.5, 17])  # fmt: skip
case(
    "label.weighted_all",
    lambda m, x, t: -m.sum(t * 3 * m.log(m.sigmoid(x)) + (1 - t) * m.log(m.sigmoid(-x)), axis=-1),
    wrt="x",
    x=rows(SHIFTS, 20),
    t=[[1, 0, 0, 1, 0]] * 12,
)
case(
    "label.adjusted",
    lambda m, x, p: m.log(m.sum(m.exp(x + m.log(p)), axis=-1)) - x[:, 1] - m.log(p[:, 1]),
    x=rows(SHIFTS, 9, 3),
    p=[[0.5, 0.25, 0.25], [1e-9, 0.5, 0.5], [0.125, 1e-30, 0.875]] * 4,
)
case(
    "label.one_against_rest",
    lambda m, x: m.log(1 + m.sum(m.exp(x[:, 1:] - x[:, 0][:, None]), axis=-1)),
    x=rows(SHIFTS, 25),
)
case(
    "label.confidence_penalty",
    lambda m, x: m.log(m.sum(m.exp(x), axis=-1)) - x[:, 0] + 0.1 * m.sum(softmax(m, x) * m.log(softmax(m, x)), axis=-1),
    x=rows([0.0, 30, -500, 4], 3, 4),
)
case(
    "label.ranking_pairs",
    lambda m, x: m.sum(m.log(1 + m.exp(-(x[:, 0][:, None] - x[:, 1:]))), axis=-1) - m.log(4.0 + 0 * x[:, 0]),
    x=rows([0.0, 3, -3], 40) + rows([0.0, 5], 900),
)
case(
    "label.preference",
    lambda m, a, b, c, d: -m.log(m.sigmoid(0.1 * ((a - b) - (c - d)))),
    a=[-900.0, -30, 3, 700, 1e4],
    b=[-905.0, -3, 3.5, 20, 3],
    c=[-30.0, -33, 2, -900, 4],
    d=[-29.0, -3, 2.5, 1000, 5],
)
case(
    "label.policy_gap",
    lambda m, p, q: m.exp(p - q) - 1 - (p - q),
    p=[-0.5, -3, -40, -700, -2],
    q=[-0.5 + 1e-9, -3.001, -38, -705, -2.25],
)
case(
    "label.hurdle",
    lambda m, x, n: m.log(1 - m.exp(-m.exp(x))) - n * x + m.exp(x),
    x=[-700.0, -90, -30, -3, 1e-6, 2, 5],
    n=cyc(7, 1, 4),
)
case("label.count_logits", lambda m, n, r, x: m.gammaln(n + r) - m.gammaln(r) - m.gammaln(n + 1) + n * m.log(m.sigmoid(x)) + r * m.log(1 - m.sigmoid(x)),
     wrt="r x", n=[3.0, 0, 40, 7, 1000], r=[0.5, 1e6, 3, 1e-3, 20], x=[0.5, -12, 40, -300, 4])  # fmt: skip

# ---- metric learning ----

case("metric.contrast_of_units", lambda m, a, b, c: -m.log(m.exp(m.sum(unit(m, a) * unit(m, b), axis=-1) / 0.05) / (m.exp(m.sum(unit(m, a) * unit(m, b), axis=-1) / 0.05) + m.exp(m.sum(unit(m, a) * unit(m, c), axis=-1) / 0.05))),
     a=rows([1.0, 1e-30, 1e20], 0.9, 3, scale=True), b=rows([2.0, 1e-20, 1e22], 0.5, 3, scale=True), c=[[-v for v in r] for r in rows([1.0, 1e9, 1e3], 0.7, 3, scale=True)])  # fmt: skip
case("metric.angular_margin", lambda m, c, x: -m.log(m.exp(30 * m.cos(m.arccos(c) + 0.5)) / (m.exp(30 * m.cos(m.arccos(c) + 0.5)) + m.sum(m.exp(30 * x), axis=-1))),
     c=[-0.5, 0.25, 0.875, 0.5, 0.9990234375], x=rows([0.0, -0.25, 0.125, 0.0, 0.25], 0.5, 4))  # fmt: skip
case(
    "metric.circle",
    lambda m, p, n: m.log(
        1 + m.sum(m.exp(64 * (n**2 - 0.0625)), axis=-1) * m.sum(m.exp(64 * ((1 - p) ** 2 - 0.0625)), axis=-1)
    ),
    p=rows([0.5, 0.9, 0.0], 0.25, 3),
    n=rows([0.0, -0.25, 0.5], 0.25, 3),
)
case(
    "metric.lifted",
    lambda m, d, n: m.log(m.sum(m.exp(1 - n), axis=-1)) + d,
    d=[0.5, 30, 1e-3],
    n=rows([1.0, 300, 900], 3, 4),
)
case(
    "metric.proxies",
    lambda m, a, p: (
        -m.log(
            m.exp(-m.sum((a - p) ** 2, axis=-1))
            / (m.exp(-m.sum((a + p) ** 2, axis=-1)) + m.exp(-m.sum(a * a, axis=-1)))
        )
    ),
    a=rows([0.5, 3, 20], 1, 3),
    p=rows([0.25, 2.5, 15], 0.75, 3),
)
case(
    "metric.smooth_triplet",
    lambda m, a, p, n: m.log(1 + m.exp(m.sqrt(m.sum((a - p) ** 2, axis=-1)) - m.sqrt(m.sum((a - n) ** 2, axis=-1)))),
    a=rows([1.0, 20, 3e3], 4, 3),
    p=rows([1.5, 18, 3.1e3], 3, 3),
    n=rows([1.25, 21, -30], 3, 3),
)
case(
    "metric.neighbour_chance",
    lambda m, a, b, c: (
        (1 + m.sum((a - b) ** 2, axis=-1)) ** -1
        / ((1 + m.sum((a - b) ** 2, axis=-1)) ** -1 + (1 + m.sum((a - c) ** 2, axis=-1)) ** -1)
    ),
    a=rows([1.0, 1e9, 1e-9], 0.9, 3),
    b=rows([2.0, 1e3, 1], 0.9, 3),
    c=rows([-3.0, 1, 1e8], 0.9, 3),
)
case("metric.poincare", lambda m, x, y: m.log((lambda z: z + m.sqrt(z * z - 1))(1 + 2 * m.sum((x - y) ** 2, axis=-1) / ((1 - m.sum(x * x, axis=-1)) * (1 - m.sum(y * y, axis=-1))))),
     x=[[0.5, 0.25], [0.7, 0.7], [1e-9, 1e-8], [0.1, -0.9]], y=[[0.5, 0.2501], [-0.7, 0.7], [3e-9, -1e-9], [0.1, 0.9]])  # fmt: skip

# ---- attention, transport, chains ----

case(
    "heads.scaled_scores",
    lambda m, q, k, v: m.sum(m.exp(q * k / 1.7320508) * v, axis=-1) / m.sum(m.exp(q * k / 1.7320508), axis=-1),
    q=rows([1.0, 20, -40], 3, 3),
    k=rows([2.0, 30, 25], 2, 3),
    v=rows([1.0, 4, 9], 0.5, 3),
)
case(
    "heads.positive_features",
    lambda m, q, v: (
        m.sum(m.where(q > 0, q + 1, m.exp(q)) * v, axis=-1) / m.sum(m.where(q > 0, q + 1, m.exp(q)), axis=-1)
    ),
    q=rows([-800.0, -30, 0.5, 1e6, -90], 3, 3),
    v=rows([1.0, 2, 5, 3, 1.5], 0.5, 3),
)
case(
    "heads.entropy",
    lambda m, x: m.log(m.sum(m.exp(x), axis=-1)) - m.sum(x * m.exp(x), axis=-1) / m.sum(m.exp(x), axis=-1),
    x=rows([0.0, 30, -700, 900], 4, 4),
)
case(
    "heads.capped",
    lambda m, x: m.log(m.sum(m.exp(30 * m.tanh(x / 30)), axis=-1)) - 30 * m.tanh(x[:, 0] / 30),
    x=rows([0.0, 3, 60, -400], 20, 4),
)
case(
    "heads.transport_row",
    lambda m, f, c: -0.01 * m.log(m.mean(m.exp((f - c) / 0.01), axis=-1)),
    f=rows([0.0, 3, -20], 1, 4),
    c=rows([1.0, 40, 0.5], 0.9, 4),
)
case(
    "heads.gated_sum",
    lambda m, x, y: m.sum(m.sigmoid(x) * m.tanh(y), axis=-1),
    x=rows([0.0, -90, 40, -750], 3, 4),
    y=[[abs(v) for v in r] for r in rows([1e-9, 3, 1e-4, 20], 0.5, 4, scale=True)],
)
case(
    "heads.blank_or_label",
    lambda m, a, b, c: m.log(m.exp(a + b) + m.exp(b + c) + m.exp(a + c)),
    a=[-900.0, -3, 0.5, -1e-9, 350],
    b=[-1.0, -40, 0.25, -800, 360],
    c=[-0.5, -3, 0.125, -20, -700],
)
case(
    "heads.mixture_of_normals",
    lambda m, y, a, u: m.log(m.sum(softmax(m, a) * m.exp(-0.5 * (y[:, None] - u) ** 2), axis=-1)),
    y=[0.5, 40, -90, 3],
    a=rows([0.0, 300, -20, 3], 9, 3),
    u=rows([0.0, 3, 60, 2.9], 1, 3),
)
case("heads.root_divergence", lambda m, a, b: (m.sqrt(a) - m.sqrt(b)) ** 2 + (a - b) ** 2, a=SIDES, b=beside(SIDES))
