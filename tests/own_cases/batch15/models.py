"""What is fitted: losses of preferences, gates of recurrent cells, survival, copulas, robust costs, ratings, and queues."""

from __future__ import annotations

from typing import Any

from own_cases.batch15 import LOGITS, beside, case, near_rows, whole
from own_cases.case import ROOT2, both, cyc, lin, rows

ROOT_TAU = 2.5066282746310002
TIMES = [1e-9, 1e-4, 0.125, 1.5, 9.0, 60, 700]
CHANCES = [1e-12, 1e-5, 0.0625, 0.375, 0.75, 0.9375, 1 - 2.0**-12, 1 - 2.0**-19]


def normal(m: Any, x: Any) -> Any:
    return 0.5 * (1 + m.erf(x / ROOT2))


# ---- preferences, policies, contrasts ----


def log_odds(m: Any, a: Any) -> Any:
    """Of a logarithm of a probability."""
    return a - m.log(1 - m.exp(a))


case(
    "tune.odds_ratio",
    lambda m, a, b: -m.log(m.sigmoid(log_odds(m, a) - log_odds(m, b))),
    a=[-1e-6, -0.01, -0.75, -3, -40, -300, -900],
    b=[-0.5, -0.01 - 2.0**-14, -9, -1e-5, -41, -1e-6, -2],
)
case(
    "tune.third_estimate_of_kl",
    lambda m, a, b: m.exp(a - b) - 1 - (a - b),
    a=whole([-1.5, 0.25, -30, -9, 4]),
    b=[-1.5 - 2.0**-5, 0.25 + 2.0**-10, -10, -9 - 2.0**-14, -3],
)
case(
    "tune.clipped_ratio",
    lambda m, a, b, g: -m.minimum(m.exp(a - b) * g, m.clip(m.exp(a - b), 0.75, 1.25) * g),
    wrt="a g",
    a=[-900.0, -3, 0.5, -720, 700, -40],
    b=[-900.125, -3.0625, 2, -719, 699.75, -41.0],
    g=cyc(6, 1.5, -0.25, 1e-9),
)
case(
    "tune.kept_or_undesired",
    lambda m, r, z: 1 - m.sigmoid(0.125 * (r - z)),
    r=whole([*lin(-900, 900, 6), 300, 6000]),
    z=cyc(8, 0.5, 9, 40),
)
case(
    "tune.positive_unlabelled",
    lambda m, p, u: 0.25 * m.log(1 + m.exp(-p)) + m.maximum(0.0, m.log(1 + m.exp(u)) - 0.25 * m.log(1 + m.exp(p))),
    p=[-300.0, -20, 0.5, 3, 60, 900],
    u=[-9.0, 2, 0.75, -40, 90, 3],
)
case(
    "tune.hard_concrete",
    lambda m, u, a: m.clip(m.sigmoid((m.log(u) - m.log(1 - u) + a) / 0.625) * 1.25 - 0.125, 0.0, 1.0),
    u=[1e-6, 0.125, 0.375, 0.5 + 2.0**-18, 0.75, 1 - 2.0**-12],
    a=[9.0, 1, 0.5, -0.25, -1.5, -6],
)
case(
    "tune.listnet",
    lambda m, x, t: (
        -m.sum(
            m.exp(t) / m.sum(m.exp(t), axis=-1, keepdims=True) * (x - m.log(m.sum(m.exp(x), axis=-1, keepdims=True))),
            axis=-1,
        )
    ),
    x=rows([-800, -30, 0, 300, 1200], 9, 4),
    t=rows([0, 300, -900, 40, 5], 3, 4),
)
case(
    "tune.importance_bound",
    lambda m, p, q: m.log(m.mean(m.exp(p - q), axis=-1)),
    p=rows([-2000, -95, 0, 60, 712], 11, 5),
    q=rows([-900, -30, 3, 700, 5], 4, 5),
)
case(
    "tune.logsum_gained",
    lambda m, x, d: m.log(m.sum(m.exp(x + d), axis=-1)) - m.log(m.sum(m.exp(x), axis=-1)),
    x=rows([-800, 0, 3, 90, 710], 2, 4),
    d=rows([1e-6, 0.01, -0.5, 1e-4, 2], 0.75, 4, scale=True),
)


def nested(m: Any, x: Any, y: Any) -> Any:
    """The logarithm of the chance of a nest, by inclusive values of a scale of 1/4."""
    a = 0.25 * m.log(m.sum(m.exp(x / 0.25), axis=-1))
    b = 0.25 * m.log(m.sum(m.exp(y / 0.25), axis=-1))
    return m.log(m.exp(a) / (m.exp(a) + m.exp(b)))


case("tune.nested_choice", nested, x=rows([-500, 0, 30, 300, 900], 3, 3), y=rows([-480, 1, -60, 301, 800], 2, 3))
case(
    "tune.effective_samples",
    lambda m, x: m.sum(m.exp(x), axis=-1) ** 2 / m.sum(m.exp(2 * x), axis=-1),
    x=rows([-900, -60, 0, 50, 400, 1000], 2, 5),
)
case(
    "tune.squash_by_softplus",
    lambda m, u: 2 * (0.6931471805599453 - u - m.log(1 + m.exp(-2 * u))),
    u=both([0.01, 0.75, 4, 30, 500]),
)
case(
    "tune.denoised_step",
    lambda m, x, e, a, b: m.sqrt(b) * (x - m.sqrt(1 - a) * e) / m.sqrt(a) + m.sqrt(1 - b) * e - x,
    wrt="x e",
    x=[1.25, -0.5, 3, 0.75, 2],
    e=[0.5, 1.75, -0.25, 1, -3],
    a=[0.25, 0.5, 1e-4, 0.96875, 1 - 2.0**-12],
    b=[0.25 + 2.0**-8, 0.5 + 2.0**-14, 1.5e-4, 0.96875 + 2.0**-10, 1 - 2.0**-13],
)
case(
    "tune.exponential_solver",
    lambda m, a, b, e: (m.exp(b - a) - 1) * e / m.sqrt(1 + m.exp(2 * b)),
    a=[-4.0, -1, 0.5, 3, 9],
    b=[-3.0, -1 + 2.0**-9, 0.5 + 2.0**-16, 60, 400],
    e=[1.0, -2, 0.5, 3, 1e-3],
)

# ---- cells, gates, norms ----

case(
    "cell.held_discretisation",
    lambda m, x, a: (1 - m.exp(-m.log(1 + m.exp(x)) * a)) / a,
    x=[-700.0, -40, -5, 0.25, 3, 40, 800],
    a=cyc(7, 1e-6, 0.5, 16),
)
case("cell.unit_decay_gain", lambda m, v: m.sqrt(1 - m.exp(-2 * m.exp(v))), v=[-60.0, -20, -4, 0.25, 2, 5])
case(
    "cell.log_of_min_gate",
    lambda m, x: m.where(x >= 0, m.log(m.maximum(x, 0.0) + 0.5), -m.log(1 + m.exp(-x))),
    x=[*both([1e-9, 0.5 + 2.0**-14, 3, 40]), -800.0, 1e20],
)
case(
    "cell.stabilised_exponential",
    lambda m, f, i, c: (lambda z: m.exp(f - z) * c + m.exp(i - z))(m.maximum(f, i)),
    f=[-900.0, -3, 40, 800, 0.5],
    i=[-903.0, 2, 30, 700, 90],
    c=[0.5, -2, 3, 1e-9, 4],
)
case(
    "cell.gated_recurrent",
    lambda m, z, n, h: (1 - m.sigmoid(z)) * m.tanh(n) + m.sigmoid(z) * h,
    z=LOGITS[::4],
    n=cyc(12, 0.5, -3, 30, 1e-9),
    h=cyc(12, 0.25, -1, 1e-6),
)
case(
    "cell.gate_moved",
    lambda m, z, n, h: (1 - m.sigmoid(z)) * m.tanh(n) + m.sigmoid(z) * h - h,
    z=[-30.0, -2, 0.5, 20, 40],
    n=[0.5, -0.25, 1e-6, 9, 2],
    h=[0.25, 1e-3, 1e-6 + 2.0**-44, 0.75, -0.5],
)
case(
    "cell.gated_rms",
    lambda m, x, z: x[:, 0] / m.sqrt(m.mean(x * x, axis=-1) + 1e-6) * z * m.sigmoid(z),
    x=rows([1e-6, 1e-3, 1, 30, 1e9, 1e25], 1.2, 5, scale=True),
    z=[-90.0, -3, 0.5, 1e-6, 40, -700],
)
case(
    "cell.erf_gate",
    lambda m, a, b: a * b * 0.5 * (1 + m.erf(b / ROOT2)),
    a=cyc(8, 3, -0.5),
    b=[-36.0, -12, -3, -1e-6, 0.25, 5, 30, 1e9],
)
case(
    "cell.three_blocks",
    lambda m, k, v: m.sum(m.exp(k) * v, axis=-1) / m.sum(m.exp(k), axis=-1) - v[:, 0],
    k=[[30.0, 0, 1], [3, 2.5, 1], [-700, -702, -705], [900, 860, 870], [0, 60, 30]],
    v=rows([1.0, 3, 0.5, 9, 2], 0.75, 3),
)

# ---- survival ----

case(
    "risk.frailty_survival",
    lambda m, h, v: (1 + v * h) ** (-1 / v),
    h=[1e-6, 0.125, 2, 9, 40, 300],
    v=cyc(6, 1e-9, 1e-4, 0.5, 3),
)
case(
    "risk.frailty_death",
    lambda m, h, v: 1 - (1 + v * h) ** (-1 / v),
    h=TIMES,
    v=cyc(7, 1e-6, 0.25, 4),
)
case(
    "risk.cured_share",
    lambda m, x, t: m.log(m.sigmoid(x) + (1 - m.sigmoid(x)) * m.exp(-t)),
    x=[-700.0, -40, -3, 0.5, 30, 300, 20],
    t=TIMES[::-1],
)
case(
    "risk.cumulative_incidence",
    lambda m, a, b, t: a / (a + b) * (1 - m.exp(-(a + b) * t)),
    a=[1e-9, 0.5, 3, 1e-3, 1e6],
    b=[0.5, 1e-12, 2, 1e-6, 3],
    t=[1.0, 1e-6, 30, 0.25, 1e-9],
)
case(
    "risk.residual_life",
    lambda m, t, s, k: m.exp(-((t + s) ** k - s**k)),
    wrt="t s",
    t=[1e-6, 0.5, 1e-3, 2, 9],
    s=[3.0, 1, 40, 300, 0.5],
    k=cyc(5, 1.5, 0.5, 2),
)
case(
    "risk.log_hazard_log_logistic",
    lambda m, t, k: m.log(k * t ** (k - 1) / (1 + t**k)),
    wrt="t",
    t=[1e-30, 1e-6, 0.5, 3, 1e9, 1e35],
    k=cyc(6, 3, 0.5, 20),
)
case(
    "risk.efron",
    lambda m, x: m.log(m.sum(m.exp(x), axis=-1) - 0.5 * (m.exp(x[:, 0]) + m.exp(x[:, 1]))),
    x=[*rows([-800, 0, 60, 705], 3, 5), [40.0, 41, 1, -3, 0.5], [300.0, 2, 299, 5, 7]],
)
case(
    "risk.kaplan_meier",
    lambda m, d, n: m.prod(1 - d / n, axis=-1),
    d=[[1.0, 2, 1, 3], [1, 1, 1, 1], [30, 5, 900, 2], [1, 1, 3, 2]],
    n=[[90.0, 60, 30, 10], [1e9, 1e8, 1e6, 1e5], [1e3, 6, 901, 3], [2, 1.25, 3.5, 9]],
)
case(
    "risk.greenwood_log_log",
    lambda m, d, n: m.sqrt(m.sum(d / (n * (n - d)), axis=-1)) / m.abs(m.sum(m.log(1 - d / n), axis=-1)),
    d=[[1.0, 2, 1, 3], [1, 1, 1, 1], [30, 5, 900, 2]],
    n=[[90.0, 60, 30, 10], [1e9, 1e8, 1e6, 1e5], [1e3, 6, 901, 3]],
)
case(
    "risk.makeham_death",
    lambda m, t, c: 1 - m.exp(-0.001 * t - 0.0005 / c * (m.exp(c * t) - 1)),
    t=[1e-6, 0.5, 30, 80, 9],
    c=[0.125, 1e-9, 0.0625, 0.09375, 1e-3],
)
case(
    "risk.likelihood_of_tobit",
    lambda m, y, u: m.where(y > 0, -0.5 * (y - u) ** 2, m.log(normal(m, -u))),
    wrt="u",
    y=[0.0, 1.25, 0, 3, 0, 0],
    u=[-9.0, 1.25 + 2.0**-12, 30, -2, 8, 0.5],
)
case(
    "risk.zero_inflated_negative_binomial",
    lambda m, x, u, r: m.log(m.sigmoid(x) + (1 - m.sigmoid(x)) * (r / (r + u)) ** r),
    wrt="x u",
    x=[-40.0, -300, 0.5, 9, -3],
    u=[30.0, 400, 1e-9, 3, 900],
    r=cyc(5, 2, 1e3, 0.5, 1e9),
)

# ---- copulas and laws ----

case(
    "tie.clayton",
    lambda m, u, v, c: (u**-c + v**-c - 1) ** (-1 / c),
    wrt="u v",
    u=CHANCES,
    v=CHANCES[::-1],
    c=cyc(8, 2, 1e-6, 0.5, 9),
)
case(
    "tie.clayton_less_product",
    lambda m, u, v, c: (u**-c + v**-c - 1) ** (-1 / c) - u * v,
    wrt="u v",
    u=[0.125, 0.5, 0.75, 0.9375, 0.25],
    v=[0.25, 0.75, 0.5, 0.0625, 0.875],
    c=[1e-3, 1e-6, 0.5, 2, 1e-9],
)
case(
    "tie.frank",
    lambda m, u, v, c: -m.log(1 + (m.exp(-c * u) - 1) * (m.exp(-c * v) - 1) / (m.exp(-c) - 1)) / c,
    wrt="u v",
    u=CHANCES,
    v=CHANCES[::-1],
    c=cyc(8, 2, 1e-6, -0.5, 30),
)
case(
    "tie.gumbel",
    lambda m, u, v, c: m.exp(-(((-m.log(u)) ** c + (-m.log(v)) ** c) ** (1 / c))),
    wrt="u v",
    u=CHANCES,
    v=CHANCES[::-1],
    c=cyc(8, 1.5, 4, 40),
)
case(
    "tie.joe",
    lambda m, u, v, c: 1 - ((1 - u) ** c + (1 - v) ** c - (1 - u) ** c * (1 - v) ** c) ** (1 / c),
    wrt="u v",
    u=CHANCES,
    v=CHANCES[::-1],
    c=cyc(8, 1.5, 4, 12),
)
case(
    "tie.upper_tail_of_normals",
    lambda m, x, y, r: m.log(
        m.exp(-0.5 * (x * x - 2 * r * x * y + y * y) / (1 - r * r))
        / m.sqrt(1 - r * r)
        / (m.exp(-0.5 * x * x) * m.exp(-0.5 * y * y))
    ),
    x=[0.5, 30, -3, 60, 1e-3],
    y=[0.75, 31, 4, 60 - 2.0**-5, 2e-3],
    r=[0.5, 0.75, -0.25, 1 - 2.0**-9, 1 - 2.0**-18],
)
case(
    "tie.birnbaum_saunders",
    lambda m, x, a: normal(m, (m.sqrt(x) - 1 / m.sqrt(x)) / a),
    x=[1e-6, 0.01, 0.9375, 1 + 2.0**-14, 3, 300],
    a=cyc(6, 0.5, 30, 0.03125),
)
case(
    "tie.johnson_su_log",
    lambda m, x, g, d: m.log(d / ROOT_TAU / m.sqrt(x * x + 1)) - 0.5 * (g + d * m.log(x + m.sqrt(x * x + 1))) ** 2,
    wrt="x",
    x=both([1e-9, 0.5, 30, 1e12, 1e200]),
    g=cyc(10, 0.5, -1e-3, 3),
    d=cyc(10, 0.75, 2),
)
case(
    "tie.kl_cauchys",
    lambda m, d, a, b: m.log(((a + b) ** 2 + d * d) / (4 * a * b)),
    d=[1e-6, 0.01, 3, 1e-9, 1e9],
    a=[1.25, 3.5, 2, 97.75, 1e-6],
    b=[1.25 + 2.0**-14, 3.5 - 2.0**-6, 2, 97.75 + 2.0**-12, 3],
)
case(
    "tie.fisher_rao",
    lambda m, d, a, b: (lambda u: ROOT2 * m.log(u + m.sqrt(u * u - 1)))(1 + (0.5 * d * d + (a - b) ** 2) / (2 * a * b)),
    d=[1e-6, 0.01, 3, 1e-3, 1e9],
    a=[1.25, 3.5, 2, 97.75, 1e-6],
    b=[1.25 + 2.0**-14, 3.5 - 2.0**-6, 2, 97.75 + 2.0**-12, 3],
)
case(
    "tie.pinsker_gap",
    lambda m, p, q: p * m.log(p / q) + (1 - p) * m.log((1 - p) / (1 - q)) - 2 * (p - q) ** 2,
    p=[0.5, 0.25, 0.75, 0.01, 0.9375],
    q=[0.5 + 2.0**-8, 0.25 - 2.0**-10, 0.5, 0.0101, 0.9375 + 2.0**-7],
)
case(
    "tie.renyi_exponentials",
    lambda m, a, b: m.log(a / b) - 2 * m.log(a / (0.5 * a + 0.5 * b)),
    a=[1.25, 97.75, 3.5, 12.25],
    b=beside([1.25, 97.75, 3.5, 12.25]),
)

# ---- robust costs ----

case(
    "firm.biweight",
    lambda m, u: m.where(m.abs(u) <= 4.0, 2.5 * (1 - (1 - (u / 4.0) ** 2) ** 3), 2.5 + 0 * u),
    u=both([1e-9, 1e-4, 0.5, 3.9375, 4.5]),
)
case(
    "firm.fair",
    lambda m, u: 1.9375 * (m.abs(u) / 1.375 - m.log(1 + m.abs(u) / 1.375)),
    u=both([1e-7, 1e-3, 0.5, 30, 1e12]),
)
case(
    "firm.hampel",
    lambda m, u: m.where(
        m.abs(u) < 2, 0.5 * u * u, m.where(m.abs(u) < 4, 2 * m.abs(u) - 2, 8 - (8 - m.abs(u)) ** 2 / 4 - 1)
    ),
    u=both([1e-9, 1.75, 2.5, 6.25]),
)
case("firm.andrews", lambda m, u: m.where(m.abs(u) < 3.0, 1 - m.cos(u), 2.0 + 0 * u), u=both([1e-7, 1e-3, 0.5, 2.9375]))
case(
    "firm.smooth_pinball",
    lambda m, u, s: 0.25 * u + s * m.log(1 + m.exp(-u / s)),
    u=both([1e-6, 0.5, 30, 700]),
    s=cyc(8, 0.5, 0.0625, 2),
)
case(
    "firm.log_of_root_sum",
    lambda m, x, y: m.log(m.mean(m.sqrt(1 + (x - y) ** 2) - 1, axis=-1)),
    x=(R := rows([1.0, 2, 30, 1e4], 0.9, 4, scale=True)),
    y=near_rows(R),
)

# ---- ratings and answers ----

case(
    "play.elo_surprise",
    lambda m, a, b: 1 - 1 / (1 + 10.0 ** ((b - a) / 400)),
    a=[1500.0, 2850, 1200, 9000, 60000],
    b=[1500.25, 1000, 2400, 300, 2e3],
)
case(
    "play.skill_variance_factor",
    lambda m, t: (lambda v: v * (v + t))(m.exp(-0.5 * t * t) / ROOT_TAU / normal(m, t)),
    t=[-30.0, -9, -3, -0.5, 1e-6, 0.75, 4, 12],
)
case(
    "play.guessing_failed",
    lambda m, x, c: m.log(1 - (c + (1 - c) * m.sigmoid(x))),
    x=LOGITS[::4],
    c=cyc(12, 0.25, 1e-6, 0.875),
)
case(
    "play.guessing_information",
    lambda m, x, c: (lambda p: (1 - p) / p * ((p - c) / (1 - c)) ** 2)(c + (1 - c) * m.sigmoid(x)),
    x=[-600.0, -40, -3, 1e-6, 4, 30, 500],
    c=cyc(7, 0.25, 0.125),
)
case(
    "play.gain_over_discount",
    lambda m, r, k: (2.0**r - 1) / (m.log(1 + k) / 0.6931471805599453),
    r=[1e-9, 0.01, 1, 4, 30],
    k=[1.0, 1e-6, 9, 300, 1e9],
)

# ---- queues and events ----

case(
    "wait.blocked_share",
    lambda m, r, k: (1 - r) * r**k / (1 - r ** (k + 1)),
    wrt="r",
    r=[1e-9, 0.5, 1 - 2.0**-6, 1 + 2.0**-9, 1 - 2.0**-18, 1.5, 30],
    k=cyc(7, 3, 40, 7, 300),
)
case(
    "wait.length_of_finite_queue",
    lambda m, r, k: r / (1 - r) - (k + 1) * r ** (k + 1) / (1 - r ** (k + 1)),
    wrt="r",
    r=[1e-9, 0.5, 1 - 2.0**-6, 1 + 2.0**-9, 1 - 2.0**-15, 1.5, 30],
    k=cyc(7, 3, 40, 7),
)
case(
    "wait.hawkes_compensator",
    lambda m, t, b: 0.5 / b * m.sum(1 - m.exp(-b[:, None] * t), axis=-1),
    t=[[v, 1.5 * v, 3 * v] for v in TIMES],
    b=cyc(7, 1e-6, 0.5, 30),
)
case(
    "wait.erlang_b",
    lambda m, a: 1 / m.rounds(lambda s, k: 1 + s * k / a, 0 * a + 1, [0 * a + k for k in (1.0, 2, 3, 4, 5)]),
    a=[1e-6, 0.5, 3, 40, 1e9],
)
