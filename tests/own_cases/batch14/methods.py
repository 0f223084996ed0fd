"""What programs do: series and iterations, steps of optimisers, layers and attention, loops, choices, and derivatives of derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from own_cases.batch14 import FAR, SHIFTS, beside, case, near_rows, whole
from own_cases.case import ROOT2, SMALL, TINY, both, cyc, geo, lin, rows

SIDES = [0.3125, 1.125, 2.6, 5.75, 0.84375, 11.9, 17.3, 6.5]
GRADES = rows([1.0, 1e-12, 1e12, 1e-200, 1e200, 1e-30, 1e30], 1.2, 5, scale=True)
FOUR = rows([0.0, 3, -60, 300], 2, 4)


def columns(x: Any, count: int) -> list[Any]:
    return [x[:, k] for k in range(count)]


# ---- numerical analysis ----

case(
    "sum_of.central_third",
    lambda m, x, h: m.exp(x + 2 * h) - 2 * m.exp(x + h) + 2 * m.exp(x - h) - m.exp(x - 2 * h),
    x=lin(-3, 3),
    h=[0.5, 0.125, 2.0**-6, 1, 2.0**-4, 2, 0.25, 2.0**-8],
)
case(
    "sum_of.sine_second_difference",
    lambda m, x, h: m.sin(x + h) - 2 * m.sin(x) + m.sin(x - h),
    x=lin(0.25, 3),
    h=geo(1e-6, 1),
)
case("sum_of.cosh_over_square", lambda m, x: (m.exp(x) + m.exp(-x) - 2) / (x * x), x=[*TINY, 40.0, -300])
case("sum_of.cosecant_squares", lambda m, x: 1 / m.sin(x) ** 2 - 1 / x**2, x=[*TINY, 2.0, -2.5])
case(
    "sum_of.log_trapezoid", lambda m, x, h: 0.5 * h * (1 / x + 1 / (x + h)) - m.log(1 + h / x), x=SIDES, h=geo(1e-5, 3)
)
case(
    "sum_of.simpson_inverse",
    lambda m, x, h: h / 6 * (1 / x + 8 / (2 * x + h) + 1 / (x + h)) - (m.log(x + h) - m.log(x)),
    x=SIDES,
    h=geo(1e-2, 3),
)
case("sum_of.legendre_q_one", lambda m, x: 0.5 * x * m.log((x + 1) / (x - 1)) - 1, x=[1 + 2.0**-12, 1.5, 4, 300, 1e6])
case(
    "sum_of.chebyshev_outside",
    lambda m, x, n: m.cosh(n * m.log(x + m.sqrt(x * x - 1))),
    wrt="x",
    x=[1 + 2.0**-20, 1.0625, 3, 1e9],
    n=[5.0, 40, 3, 8],
)
case(
    "sum_of.muller_root",
    lambda m, a, b, c: 2 * c / (b + m.sqrt(b * b - 4 * a * c)) - c / b,
    a=[1.0, 1e-9, -3, 0.25],
    b=[3.0, 2, 1e5, 40],
    c=[1.0, 1, 2, 1e-3],
)
case(
    "sum_of.vieta",
    lambda m, b, c: (-b + m.sqrt(b * b - c)) * (-b - m.sqrt(b * b - c)),
    wrt="b",
    b=[3.0, 1e5, -1e9, 2],
    c=[1.0, 2, 3, 4 - 2.0**-10],
)
case(
    "sum_of.aitken_of_decay",
    lambda m, x, q: (lambda s, t, u: u - (u - t) ** 2 / (u - 2 * t + s))(x + 1, x + q, x + q * q),
    wrt="",
    x=[1.0, 300, -2, 1e4],
    q=[0.5, 0.75, 0.25, 1 - 2.0**-5],
)
case("sum_of.geometric_rest", lambda m, x: 1 / (1 - x) - 1 - x - x * x, x=SMALL)
case(
    "sum_of.log_mercator_rest",
    lambda m, x: m.log(1 + x) - x + x * x / 2 - x**3 / 3,
    x=[v for v in TINY if abs(v) > 1e-4],
)
case(
    "sum_of.arctan_machin",
    lambda m, x: 4 * m.arctan(x) - m.arctan(4 * x * (1 - x * x) / (1 - 6 * x * x + x**4)),
    wrt="",
    x=[0.3125, 0.125, 0.25, 0.375],
)
case("sum_of.tan_fourth", lambda m, x: m.tan(x) - x - x**3 / 3, x=TINY)
case("sum_of.exp_symmetric", lambda m, x: (2 + x) / (2 - x) - m.exp(x), x=[*both(geo(1e-3, 1, 4)), -30.0])
case(
    "sum_of.power_of_power",
    lambda m, x, n: (1 + x / n) ** n - m.exp(x),
    wrt="x",
    x=[0.5, -2, 3, 0.125],
    n=[10.0, 1e3, 1e6, 1e10],
)
case("sum_of.gammaln_reflected", lambda m, x: m.gammaln(1 + x) + m.gammaln(1 - x), x=both(geo(1e-6, 0.75, 5)))
case(
    "sum_of.gammaln_half_step",
    lambda m, x: m.gammaln(x + 0.5) - m.gammaln(x) - 0.5 * m.log(x),
    wrt="",
    x=[0.5, 3, 40, 1e4, 1e7],
)
case("sum_of.digamma_second", lambda m, x: m.digamma(x) - m.log(x) + 0.5 / x, wrt="", x=[0.25, 1, 7, 40, 1e3])
case(
    "sum_of.duplication",
    lambda m, x: m.gammaln(2 * x) - m.gammaln(x) - m.gammaln(x + 0.5),
    x=[1e-9, 0.25, 1, 7, 40, 1e6],
)
case(
    "sum_of.erf_quotient", lambda m, x: m.erf(x) / x - 1.1283791670955126 * m.exp(-x * x), x=[*geo(0.01, 1, 4), 5.0, 26]
)
case(
    "sum_of.erfcx_gap",
    lambda m, x: m.exp(x * x) * m.erfc(x) - m.exp(x * x + 2 * x + 1) * m.erfc(x + 1),
    wrt="",
    x=[-2.0, 0.5, 4, 20, 26, 100],
)
case(
    "sum_of.sine_of_sum_rest",
    lambda m, x, y: m.sin(x + y) - m.sin(x) - m.sin(y),
    x=[0.5, 1e-6, 2, 1e-3],
    y=[1e-9, 1e-5, 1.5, 0.75],
)

# ---- programs of the FPBench kind ----

case("code.cosine_taylor_rest", lambda m, x: m.cos(x) - (1 - x**2 / 2 + x**4 / 24), x=[0.0625, 0.25, 0.75, 1.5, 3, -9])
case("code.midpoint_of_logs", lambda m, a, b: m.log((a + b) / 2) - (m.log(a) + m.log(b)) / 2, a=SIDES, b=beside(SIDES))
case("code.polar_of_cartesian", lambda m, x, y: m.arctan2(y, x) - y / x, x=[1.0, 3, 2, 1e3], y=[1e-3, 0.01, 1, 2])
case("code.hyperbola", lambda m, x: m.sqrt(x * x + x) - m.sqrt(x * x - x), x=[1 + 2.0**-10, 3, 1e4, 1e9, 1e30, 1e200])
case(
    "code.log_of_quotient_of_roots",
    lambda m, x: m.log((m.sqrt(x * x + 1) + 1) / x),
    x=[1e-200, 1e-9, 0.5, 30, 1e9, 1e200],
)
case(
    "code.triple_product",
    lambda m, a, b, c: (a + b) * (a + c) - a * a - a * (b + c),
    wrt="",
    a=[1e9, 3, 1e-3, 7],
    b=[1e-3, 5, 1e6, 2],
    c=[2e-3, 0.25, 3e5, 1],
)
case(
    "code.exp_over_exps",
    lambda m, a, b: (m.exp(a) - m.exp(b)) / (m.exp(a) + m.exp(b)),
    a=[-900.0, 1, 30, 700, 1000],
    b=[-900.5, 1 + 2.0**-20, 40, 1000, 700],
)
case(
    "code.power_quotient",
    lambda m, x, n: x**n / (1 + x**n),
    wrt="x",
    x=[1e-30, 0.5, 2, 1e9, 1e36],
    n=cyc(5, 20, 3.5, -12),
)
case("code.inverse_of_gap", lambda m, x: 1 / (m.sqrt(x + 1) - m.sqrt(x)) - 2 * m.sqrt(x), x=[0.25, 3, 1e4, 1e9, 1e15])
case("code.sine_less_line", lambda m, x: x * m.cos(x) - m.sin(x), x=TINY)
case("code.expm1_by_tanh", lambda m, x: 2 * m.tanh(x / 2) / (1 - m.tanh(x / 2)), x=[*SMALL, 30.0, -30])
case("code.log_base_of_next", lambda m, x: m.log(x + 1) / m.log(x) - 1, x=[1.5, 9, 1e4, 1e9, 1e15])
case(
    "code.root_sum_of_exps",
    lambda m, a, b: m.sqrt(m.exp(2 * a) + m.exp(2 * b)),
    a=[-600.0, -3, 2, 300, 500],
    b=[-601.0, 4, 2, 340, 20],
)

# ---- steps of optimisers ----

case(
    "stride.adam",
    lambda m, g, v, t: (g / (1 - 0.875**t)) / (m.sqrt(v / (1 - 0.9990234375**t)) + 1e-8),
    wrt="g",
    g=[1e-30, 1e-6, -3, 1e12, 0.5],
    v=[1e-30, 1e-12, 9, 1e24, 1e-3],
    t=[1.0, 2, 10, 1e3, 1e5],
)
case("stride.rmsprop", lambda m, v, g: g / m.sqrt(0.875 * v + 0.125 * g * g), v=FAR, g=[0.5 * x for x in FAR])
case(
    "stride.armijo",
    lambda m, x, t: (m.log(1 + m.exp(x - t * m.sigmoid(x))) - m.log(1 + m.exp(x))) / (t * m.sigmoid(x) ** 2),
    x=[-30.0, -2, 0.5, 9, 60],
    t=[0.5, 1e-6, 1e-3, 1, 0.25],
)
case("stride.barzilai", lambda m, s, y: m.sum(s * s, axis=-1) / m.sum(s * y, axis=-1), s=GRADES, y=GRADES[::-1])
case(
    "stride.trust_ratio",
    lambda m, w, g: m.sqrt(m.sum(w * w, axis=-1)) / m.sqrt(m.sum(g * g, axis=-1)),
    w=GRADES,
    g=[GRADES[k] for k in (1, 0, 3, 4, 3, 6, 5)],
)
case("stride.clipped_by_norm", lambda m, g: g[:, 0] * m.minimum(1.0, 1 / m.sqrt(m.sum(g * g, axis=-1))), g=GRADES)
case(
    "stride.cosine_schedule",
    lambda m, t: 0.5 * (1 + m.cos(3.141592653589793 * t)),
    t=[1e-6, 0.25, 0.75, 1 - 2.0**-8, 1 - 2.0**-20],
)
case(
    "stride.prox_of_barrier",
    lambda m, x, t: (x + m.sqrt(x * x + 4 * t)) / 2,
    x=both([1e-9, 3, 1e6, 1e12, 1e160]),
    t=cyc(10, 0.5, 1e-6, 3),
)
case(
    "stride.prox_less_point",
    lambda m, x, t: (x + m.sqrt(x * x + 4 * t)) / 2 - x,
    x=[1e-9, 3, 1e6, 1e12, 1e160],
    t=cyc(5, 0.5, 1e-6, 3),
)
case(
    "stride.mirror",
    lambda m, p, g: p * m.exp(-g) / m.sum(p * m.exp(-g), axis=-1, keepdims=True),
    wrt="",
    p=[
        [0.5, 0.25, 0.125, 0.125],
        [0.25, 0.25, 0.25, 0.25],
        [0.9375, 0.03125, 0.015625, 0.015625],
        [0.1, 0.2, 0.3, 0.4],
    ],
    g=rows([-900.0, 0, 40, 1000], 30, 4),
)
case(
    "stride.cubic_regularised",
    lambda m, a, b, g: (-b + m.sqrt(b * b + 4 * a * g)) / (2 * a),
    a=[1e-9, 0.5, 30, 1e-3],
    b=[2.0, 1e6, 3, 1e-6],
    g=[1.0, 1e-6, 1e-9, 4],
)
case(
    "stride.newton_for_log",
    lambda m, y, x: y + 2 * (x - m.exp(y)) / (x + m.exp(y)) - m.log(x),
    wrt="",
    y=[0.5, 0.125, -0.75, 3],
    x=[1.75, 1.125, 0.5, 20],
)
case(
    "stride.ratio_of_models",
    lambda m, a, h: (m.log(a) - m.log(a + h)) / (-h / a + h * h / (2 * a * a)),
    a=SIDES,
    h=geo(1e-9, 0.25),
)
case(
    "stride.entropic_step_gain",
    lambda m, p, g: m.log(m.sum(p * m.exp(-g), axis=-1)) + m.sum(p * g, axis=-1),
    p=[[0.5, 0.25, 0.125, 0.125]] * 5,
    g=[[v * s for v in (0.75, -0.5, 1.0, -0.25)] for s in (1, 1e-3, 1e-6, 30, 500)],
)

# ---- layers and attention ----


def normalised(m: Any, x: Any) -> Any:
    d = x - m.mean(x, axis=-1, keepdims=True)
    return d / m.sqrt(m.mean(d * d, axis=-1, keepdims=True) + 1e-5)


def softmax(m: Any, x: Any) -> Any:
    return m.exp(x) / m.sum(m.exp(x), axis=-1, keepdims=True)


OFFSETS = [whole(row) for row in rows([0.0, 10, 1e3, 1e4, 1e5], 4.0, 6)]
case("layer.normalised_first", lambda m, x: normalised(m, x)[:, 0], x=OFFSETS)
case(
    "layer.normalised_and_weighted",
    lambda m, x, w: m.sum(normalised(m, x) * w, axis=-1),
    x=OFFSETS,
    w=rows([1.0, 0, -1, 2, 0.5], 0.5, 6),
)
case("layer.softmax_of_normalised", lambda m, x: m.log(softmax(m, 4 * normalised(m, x))[:, 1]), x=OFFSETS)
case(
    "layer.least_to_most",
    lambda m, x: (x[:, 0] - m.min(x, axis=-1)) / (m.max(x, axis=-1) - m.min(x, axis=-1)),
    x=OFFSETS,
)
case(
    "layer.length_and_direction",
    lambda m, g, v: g * v[:, 0] / m.sqrt(m.sum(v * v, axis=-1)),
    g=[1.0, 2, 1e-9, 3, 1e9, 1, 0.5],
    v=GRADES,
)
case("layer.over_absolute_mean", lambda m, x: x[:, 0] / m.mean(m.abs(x), axis=-1), x=GRADES)
case("layer.quiet_softmax_log", lambda m, x: x[:, 0] - m.log(1 + m.sum(m.exp(x), axis=-1)), x=rows(SHIFTS, 9, 5))
case(
    "layer.quiet_softmax_left",
    lambda m, x: 1 - m.sum(m.exp(x), axis=-1) / (1 + m.sum(m.exp(x), axis=-1)),
    x=rows([-700.0, -60, 0, 30, 300, 600], 9, 5),
)
case(
    "layer.attended_less_first",
    lambda m, q, v: m.sum(softmax(m, q) * v, axis=-1) - v[:, 0],
    q=[[s, 0.5, 0.25, -1] for s in (0.0, 3, 30, 60, 300)],
    v=rows([1.0, 2, 3, 1, 5], 0.75, 4),
)
case(
    "layer.merged_blocks",
    lambda m, a, b: m.exp(a) / (m.exp(a) + m.exp(b)) * 3 + m.exp(b) / (m.exp(a) + m.exp(b)) * 5,
    a=[-900.0, 3, 40, 800, 1000],
    b=[-903.0, 2, 90, 700, 999],
)
case("layer.sigmoid_attention", lambda m, x: m.exp(x) / (m.exp(x) + 512), x=[-900.0, -30, 6.25, 40, 800, 1000])
case(
    "layer.distances_as_logits",
    lambda m, x, c: m.log(softmax(m, -((x[:, None] - c) ** 2))[:, 0]),
    wrt="x",
    x=[0.5, 30, -9, 1e3],
    c=rows([0.0, 30, 1, 0], 2, 4),
)
case(
    "layer.balance",
    lambda m, x: 1 - m.sum(softmax(m, x) ** 2, axis=-1),
    x=[*rows([0.0, -700, 30, 900], 9, 5), [50.0, 1, 0, 2, -3]],
)
case("layer.first_over_second", lambda m, x: (lambda p: m.log(p[:, 0] / p[:, 1]))(softmax(m, x)), x=rows(SHIFTS, 30, 4))
case(
    "layer.gap_of_temperatures",
    lambda m, x: m.log(softmax(m, x / 2)[:, 0]) - 0.5 * m.log(softmax(m, x)[:, 0]),
    x=rows([0.0, 3, 100, -1000], 9, 4),
)
case(
    "layer.reversed_kl_to_even",
    lambda m, x: -m.mean(m.log(4 * softmax(m, x)), axis=-1),
    x=[[v * s for v in (0.5, -1, 0.25, 0.75)] for s in (1, 1e-3, 0.1, 20, 400)],
)

# ---- loops ----


def mean_of_means(m: Any, b: Any) -> Any:
    """1 over the arithmetic-geometric mean of 1 and b, less 1."""
    a, g = (1 + b) / 2, m.sqrt(b)
    for _ in range(4):
        a, g = (a + g) / 2, m.sqrt(a * g)
    return 1 / a - 1


case("turn.pendulum_period", mean_of_means, b=[1 - 2.0**-20, 1 - 2.0**-10, 0.9375, 0.5, 0.01])
case(
    "turn.kalman_gain",
    lambda m, q: m.rounds(lambda p, u: (p + u) / (p + u + 1), 0 * q + 1, [q] * 6),
    q=[1e-12, 1e-3, 0.5, 30, 1e9],
)
case(
    "turn.spread_about_first",
    lambda m, x: m.rounds(lambda s, u: s + (u - x[:, 0]) ** 2, 0 * x[:, 0], columns(x, 4)),
    x=rows([0.0, 1e3, 1e6], 1, 4),
)
case(
    "turn.stick",
    lambda m, x: m.log(m.rounds(lambda s, u: s * (1 - m.sigmoid(u)), 0 * x[:, 0] + 1, columns(x, 4))),
    x=rows([-60.0, -3, 0, 40, 150], 3, 4),
)
case(
    "turn.smoothed_squares",
    lambda m, x: m.sqrt(m.rounds(lambda s, u: 0.75 * s + 0.25 * u * u, 0 * x[:, 0], columns(x, 4))),
    x=rows([1.0, 1e-100, 1e100, 1e-12, 1e15], 1.2, 4, scale=True),
)
case(
    "turn.gate",
    lambda m, x: m.rounds(lambda s, u: m.tanh(0.5 * s + u), 0 * x[:, 0], columns(x, 4)),
    x=rows([1e-9, 0.5, 3, -20], 0.5, 4, scale=True),
)
case(
    "turn.logs_added",
    lambda m, x: m.rounds(lambda s, u: m.log(m.exp(s) + m.exp(u)) - 0.125, x[:, 0], columns(x, 4)[1:]),
    x=rows([-900.0, 0, 60, 800], 5, 4),
)
case(
    "turn.epidemic",
    lambda m, i: m.rounds(lambda s, b: s + b * s * (1 - s) - 0.125 * s, i, [0 * i + 0.5] * 5),
    i=[1e-12, 1e-3, 0.25, 0.875],
)
case(
    "turn.compound_less_plain",
    lambda m, r: m.rounds(lambda s, u: s * (1 + u), 0 * r + 1, [r] * 6) - 1 - 6 * r,
    wrt="",
    r=[1e-6, 1e-3, 0.125, 2],
)

# ---- choices ----

case(
    "fork.sinc_guarded",
    lambda m, x: m.where(m.abs(x) < 1e-4, 1 - x * x / 6, m.sin(x) / m.where(m.abs(x) < 1e-4, 1.0, x)),
    x=both([1e-9, 1e-3, 0.75, 9]),
)
case(
    "fork.expm1_guarded",
    lambda m, x: m.where(m.abs(x) > 1, m.exp(x) - 1, x * (1 + x / 2 * (1 + x / 3))),
    wrt="",
    x=both([1e-9, 0.5, 1.5, 40]),
)
case(
    "fork.logit_clipped",
    lambda m, p: (lambda q: m.log(q) - m.log(1 - q))(m.clip(p, 1e-6, 0.9999)),
    p=[1e-9, 1e-5, 0.25, 0.5 + 2.0**-20, 0.875, 0.99995],
)
case(
    "fork.hinge_of_softplus",
    lambda m, x: m.maximum(0.0, m.log(1 + m.exp(x)) - 0.5),
    x=[-40.0, -2, -0.4375, 0.5, 30, 900],
)
case("fork.relative_to_larger", lambda m, a, b: m.abs(a - b) / m.maximum(m.abs(a), m.abs(b)), a=SIDES, b=beside(SIDES))
case(
    "fork.larger_root",
    lambda m, b: m.where(b > 0, -b - m.sqrt(b * b - 1), -b + m.sqrt(b * b - 1)),
    b=both([1 + 2.0**-12, 3, 1e6, 1e200]),
)
case(
    "fork.masked_logsumexp",
    lambda m, x: m.log(m.sum(m.where(x > 0, m.exp(x), 0.0), axis=-1)),
    x=rows([0.0, 3, 60, 800], 9, 5),
)

# ---- derivatives of derivatives ----


def curved(f: Any) -> Any:
    return lambda m, x: m.slope(lambda u: m.slope(lambda v: f(m, v), u), x)


case("bow.gelu", curved(lambda m, v: v * 0.5 * m.erfc(-v / ROOT2)), x=[-9.0, -2, 1e-6, 0.75, 9])
case("bow.log_one_plus_square", curved(lambda m, v: m.log(1 + v * v)), x=[-1e9, -2, 1e-9, 0.75, 30])
case("bow.log_expm1", curved(lambda m, v: m.log(m.exp(v) - 1)), x=[1e-6, 0.5, 3, 40, 700])
case("bow.cloglog", curved(lambda m, v: m.log(1 - m.exp(-m.exp(v)))), x=[-30.0, -3, 0.25, 2, 5])
case("bow.hyperbola", curved(lambda m, v: m.sqrt(v * v + v)), x=[1e-9, 0.5, 30, 1e9])
case(
    "bow.logit_entropy", curved(lambda m, v: m.log(1 + m.exp(v)) - v * m.sigmoid(v)), wrt="", x=[-40.0, -3, 1e-3, 2, 30]
)
case("bow.exp_over", curved(lambda m, v: (m.exp(v) - 1) / v), wrt="", x=[-40.0, -2, 0.125, 1e-3, 3, 40])
case("bow.arctanh", curved(lambda m, v: 0.5 * m.log((1 + v) / (1 - v))), x=[1e-9, 0.25, -0.75, 1 - 2.0**-20])

# ---- contractions ----

STIFFNESS = np.array([[2, -1, 0], [-1, 2, -1], [0, -1, 2]], "int8")
CENTRES = near_rows(rows([1.0, 2, 30, 1e4], 0.9, 4, scale=True))
case(
    "fold.kernel_distance",
    lambda m, a, b: 1 - m.exp(-m.sum((a - b) ** 2, axis=-1) / 2),
    a=rows([1.0, 2, 30, 1e4], 0.9, 4, scale=True),
    b=CENTRES,
)
case(
    "fold.cosine_rest",
    lambda m, a, b: 1 - m.sum(a * b, axis=-1) / (m.sqrt(m.sum(a * a, axis=-1)) * m.sqrt(m.sum(b * b, axis=-1))),
    a=rows([1.0, 1e9, 1e-30, 1e-12], 0.9, 4, scale=True),
    b=near_rows(rows([1.0, 1e9, 1e-30, 1e-12], 0.9, 4, scale=True)),
)
case(
    "fold.bilinear_of_logs",
    lambda m, a, b: m.sum(m.log(a) * m.log(b), axis=-1),
    a=rows([1.0, 2, 0.7, 1e9], 0.01, 4, scale=True),
    b=rows([0.625, 1, 1e-9, 3], 0.02, 4, scale=True),
)
case(
    "fold.correlation_rest",
    lambda m, a, b: (lambda u, v: 1 - m.sum(u * v, axis=-1) ** 2 / (m.sum(u * u, axis=-1) * m.sum(v * v, axis=-1)))(
        a - m.mean(a, axis=-1, keepdims=True), b - m.mean(b, axis=-1, keepdims=True)
    ),
    wrt="",
    a=OFFSETS[:3],
    b=near_rows(OFFSETS[:3], 4, 3),
)
case(
    "fold.quadratic_form",
    lambda m, x: m.sum((x @ STIFFNESS) * x, axis=-1),
    x=[*rows([1.0, 1e-100, 1e100], 0.9, 3, scale=True), [1.0, 1 + 2.0**-12, 1]],
)
case("fold.log_of_all_pairs", lambda m, x: m.log(m.sum(m.exp(x), axis=-1) ** 2), x=rows([-900.0, 0, 60, 800], 5, 4))
