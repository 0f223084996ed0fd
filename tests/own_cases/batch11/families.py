"""Open families in other words, many of them by loops, joined arrays, choices, entries, matrix products and second derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from own_cases.batch11 import beside, case
from own_cases.case import PI, ROOT2, SMALL, TINY, both, cyc, geo, lin, rows

LOGITS = both([1e-7, 0.25, 2, 16.75, 36.25, 39, 87.5, 103.5, 450, 744, 2600])
NEARER = [x for x in LOGITS if abs(x) < 1000]
SHIFTS = [-1900.0, -755, -115, -58, -11, 0, 4, 62, 89, 310, 715, 2400]
POSITIVE = [0.4375, 1.375, 2.7, 5.25, 0.78125, 12.7, 18.3, 8.25]
FAR = [1e-260, 1e-165, 1e-35, 1e-24, 1e-4, 1.0, 1e4, 1e21, 1e29, 1e36, 1e158, 1e299]
CHANCES = [0.25, 0.5, 0.125, 0.75, 0.015, 0.85]
STEPS = [2.0**-k for k in (3, 8, 12, 16, 20, 10)]
MIXING = np.array([[3, 1, 2], [1, 5, 1], [2, 1, 1]], "int8")


# ---- two classes ----

case("binary.reverse_focal", lambda m, x: -((1 - m.sigmoid(x)) ** 1.5) * m.log(m.sigmoid(x)), x=LOGITS)
case("binary.soft_target", lambda m, x, t: m.log(1 + m.exp(x)) - t * x, x=LOGITS, t=cyc(24, 1, 0.25, 0))
case("binary.half_sum_log", lambda m, a, b: m.log((m.sigmoid(a) + m.sigmoid(b)) / 2), a=LOGITS, b=beside(LOGITS))
case("binary.not_both", lambda m, a, b: m.log(1 - m.sigmoid(a) * m.sigmoid(b)), a=NEARER, b=NEARER[::-1])
case(
    "binary.label_chooses",
    lambda m, x, t: m.where(t > 0.5, m.log(m.sigmoid(x)), m.log(1 - m.sigmoid(x))),
    wrt="x",
    x=LOGITS,
    t=cyc(24, 0, 1, 1),
)

# ---- several ----


def added_in_turn(m: Any, x: Any) -> Any:
    """log sum exp of a row, by a loop that adds a term a round."""
    return m.rounds(lambda s, u: m.log(m.exp(s) + m.exp(u)), x[:, 0], [x[:, 1], x[:, 2], x[:, 3]])


def forgetting(m: Any, x: Any) -> Any:
    """The state of a gate that is half open for four rounds."""
    return m.rounds(
        lambda s, u: m.sigmoid(u) * s + (1 - m.sigmoid(u)) * m.tanh(u), 0 * x[:, 0], [x[:, k] for k in range(4)]
    )


def interest(m: Any, r: Any) -> Any:
    """What four years at r add."""
    return m.rounds(lambda s, u: s * (1 + u) + u, 0 * r, [r, r, r, r])


case("many.added_in_turn", added_in_turn, x=rows(SHIFTS, 9))
case("many.forgetting", forgetting, x=rows([0.0, -30, 12, 3, 90], 2))
case("many.transition", lambda m, x: m.sum(m.log(m.exp(x) @ MIXING), axis=-1), x=rows(SHIFTS, 5, 3))
case(
    "many.smoothed_entry",
    lambda m, x: m.log(m.sum(m.exp(x), axis=-1)) - 0.9 * x[:, 2] - 0.1 * m.mean(x, axis=-1),
    x=rows(SHIFTS, 8),
)
case(
    "many.shared_background",
    lambda m, x, b: m.log(m.sum(m.exp(m.concatenate([x, b[:, None], 0 * x[:, :1]], axis=1)), axis=-1)),
    x=rows([-900.0, -40, 0, 3, 41, 800], 12),
    b=[-700.0, 2, -3, 60, 40, 810],
)
case(
    "many.entropy_gap",
    lambda m, x: m.log(5.0 + 0 * x[:, 0]) + m.sum(m.exp(x) / m.sum(m.exp(x), axis=-1, keepdims=True)
                 * m.log(m.exp(x) / m.sum(m.exp(x), axis=-1, keepdims=True)), axis=-1),
    x=rows([0.0, -300, 40, 700], 2),
)  # fmt: skip
case(
    "many.curvature",
    lambda m, a, b: m.slope(lambda u: m.slope(lambda v: m.log(m.exp(v) + m.exp(b) + 1), u), a),
    a=[-300.0, -3, 0.5, 40, 800],
    b=[-280.0, 1, -30, 41, 30],
)
case("many.first_of_two_groups", lambda m, x: m.log(m.exp(x[:, 0]) + m.exp(x[:, 1])) - m.log(m.sum(m.exp(x), axis=-1)),
     x=rows(SHIFTS, 16))  # fmt: skip

# ---- logarithms and exponentials near 1 ----

case(
    "lost.log_one_less_power",
    lambda m, p, k: m.log(1 - p**k),
    p=[1e-9, 0.3, 0.9, 1 - 2.0**-9, 1 - 2.0**-20, 0.5],
    k=cyc(24, 2, 0.5, 7),
)
case("lost.exp_ratio", lambda m, x, y: (m.exp(x) - 1) / (m.exp(y) - 1), x=SMALL, y=[3 * v for v in SMALL])
case("lost.log_less_fraction", lambda m, x: m.log(1 + x) - x / (1 + x), x=[*SMALL[:-1], 3.0, 1e9, 1e30])
case("lost.at_least_one", lambda m, p, n: 1 - (1 - p) ** n, p=geo(1e-12, 0.3), n=cyc(24, 12, 1000, 0.5, 30))
case("lost.log_at_least_one", lambda m, p, n: m.log(1 - (1 - p) ** n), p=geo(1e-12, 0.3), n=cyc(24, 12, 1000, 0.5, 30))
case(
    "lost.two_rates",
    lambda m, r, q, n: (1 + r) ** n - (1 + q) ** n,
    r=beside(geo(1e-6, 0.2)),
    q=geo(1e-6, 0.2),
    n=cyc(24, 12, 2.5),
)
case(
    "lost.any_of_row",
    lambda m, x: 1 - m.exp(-m.sum(x, axis=-1)),
    x=rows([1e-14, 1e-9, 1e-5, 0.01, 0.3, 4], 0.5, scale=True),
)
case("lost.tanh_of_log", lambda m, x: m.tanh(m.log(1 + x) / 2), x=[*SMALL[:-1], 3.0, 1e9, 1e30])
case("lost.log_of_expm1_square", lambda m, x: m.log((m.exp(x) - 1) ** 2 + 1), x=[*SMALL, 30.0, -30, 300, -300])
case("lost.slope_of_log1mexp", lambda m, x: m.slope(lambda u: u * m.log(1 - m.exp(-u)), x), x=geo(1e-9, 60))

# ---- tails ----

case(
    "tailed.centred_interval",
    lambda m, x, d: m.erf(x + d) - m.erf(x - d),
    x=[-5.0, -2, -0.25, 0, 1, 3, 5, 8],
    d=geo(1e-9, 1),
)
case(
    "tailed.log_ratio",
    lambda m, x, y: m.log(m.erfc(x)) - m.log(m.erfc(y)),
    x=[-3.0, 0.25, 3, 9, 30, 300],
    y=[-2.5, 0.2501, 3.5, 9.0625, 29, 310],
)
case("tailed.two_widths", lambda m, x: m.log(0.5 * m.erfc(x) + 0.5 * m.erfc(2 * x)), x=[-4.0, -0.5, 0.5, 3, 8, 20, 100])
case(
    "tailed.student_less_normal",
    lambda m, x, n: x * x / 2 - (n + 1) / 2 * m.log(1 + x * x / n),
    x=[0.5, 1.25, 2, 3, 7.5],
    n=[1e3, 1e5, 3, 1e7, 1e12],
)
case("tailed.half_cauchy_log", lambda m, x: m.log(2 / PI * m.arctan(x)), x=[1e-200, 1e-30, 1e-6, 0.5, 3, 1e4, 1e8])
case(
    "tailed.exponentiated_weibull",
    lambda m, x, a: 1 - (1 - m.exp(-(x**1.5))) ** a,
    x=geo(1e-4, 30),
    a=cyc(24, 2, 0.5, 9),
)
case(
    "tailed.gamma_below_mode",
    lambda m, x, a: a * m.log(x) - x - (a * m.log(a) - a),
    x=beside([0.5, 3, 40, 1e3, 1e5, 1e7]),
    a=[0.5, 3, 40, 1e3, 1e5, 1e7],
)
case(
    "tailed.truncated_mean",
    lambda m, x: m.exp(-x * x / 2) / (ROOT2 * 1.2533141373155001 * m.erfc(x / ROOT2)) - x,
    x=[-20.0, -3, 0.25, 2, 9, 30, 300],
)

# ---- norms, moments, scale ----

case(
    "length.less_component",
    lambda m, x, y, z: m.sqrt(x * x + y * y + z * z) - x,
    x=FAR,
    y=beside(FAR[3:] + FAR[:3]),
    z=cyc(24, 1e-20, 3, 1e10),
)
case(
    "length.log_of_share",
    lambda m, x, y: m.log(m.sqrt(x * x + y * y) / x),
    x=FAR,
    y=[v * 2.0 ** -(3 * k) for k, v in enumerate(FAR)],
)
case(
    "length.joined_variance",
    lambda m, x, y: (
        m.mean(m.concatenate([x, y], axis=1) ** 2, axis=-1) - m.mean(m.concatenate([x, y], axis=1), axis=-1) ** 2
    ),
    x=rows([1.0, 16, 300, 4000, 1e4], 0.75, 3),
    y=rows([1.0, 16, 300, 4000, 1e4], 0.5, 2),
)
case(
    "length.von_neumann",
    lambda m, x: (
        m.sum((x[:, 1:] - x[:, :-1]) ** 2, axis=-1) / m.sum((x - m.mean(x, axis=-1, keepdims=True)) ** 2, axis=-1)
    ),
    x=rows([0.0, 1, 100, 3000, 1e4], 0.75),
)
case("length.potential_gap", lambda m, x, a, b: 1 / m.sqrt((x - a) ** 2 + b * b) - 1 / m.sqrt(x * x + b * b), x=geo(2, 1e9),
     a=cyc(24, 1, 1e-6), b=cyc(24, 0.5, 3, 1e-3))  # fmt: skip
case(
    "length.rayleigh",
    lambda m, x: m.sum(x * (x @ MIXING), axis=-1) / m.sum(x * x, axis=-1),
    x=rows(FAR, 0.25, 3, scale=True),
)
case("length.masked_norm", lambda m, x: m.sqrt(m.sum(m.where(x > 0, x, 0) ** 2, axis=-1)), x=rows(FAR, 2.5, scale=True))

# ---- the same facts, spelt another way ----

case("again.two_cosh", lambda m, x: m.log(m.exp(x) + m.exp(-x)) - abs(x), x=LOGITS)
case("again.softplus_of_square", lambda m, x: m.log(1 + m.exp(x) ** 2) / 2, x=LOGITS)
case("again.sigmoid_less_half", lambda m, x: m.exp(x / 2) / (m.exp(x / 2) + m.exp(-x / 2)) - 0.5, x=LOGITS)
case("again.square_of_half", lambda m, x: m.exp(x / 2) ** 2 - 1, x=[*SMALL, 30.0, -30])
case(
    "again.log_of_inverse",
    lambda m, x: m.log(1 / (1 - x)) + m.log(1 / (1 + x)),
    x=both([1e-150, 1e-12, 1e-6, 0.03, 0.5, 1 - 2.0**-18]),
)
case("again.odds_by_exp", lambda m, x: 1 / (1 / m.sigmoid(x) - 1), x=[v for v in LOGITS if abs(v) < 88])
case("again.log_sum_by_factor", lambda m, x, y: x + m.log(1 + m.exp(y) / m.exp(x)), x=LOGITS, y=beside(LOGITS))

# ---- textbooks, one and several variables ----

case("pupil.two_thirds", lambda m, x: (x + 1) ** (2 / 3) - x ** (2 / 3), x=geo(1, 1e12))
case("pupil.log_log", lambda m, x: m.log(m.log(x + 1)) - m.log(m.log(x)), x=geo(2, 1e14))
case("pupil.tan_less_sin", lambda m, x: (m.tan(x) - m.sin(x)) / x**3, x=TINY)
case("pupil.third_difference", lambda m, x: 1 / (x + 1) - 3 / x + 3 / (x - 1) - 1 / (x - 2), x=geo(3, 1e6))
case("pupil.geometric_less", lambda m, x: m.sqrt(x * (x + 1)) - x, x=[*geo(1e-9, 1e15), 1e35, 1e200])
case("pupil.exp_less_sinh", lambda m, x: m.exp(x) - 2 * m.sinh(x), x=[1e-9, 0.5, 3, 20, 40, 80, 300, 700])
case(
    "pupil.pole_between",
    lambda m, a, b: 1 / (a - b) - 1 / (a + b),
    a=POSITIVE,
    b=[v * 2.0 ** -(1 + 6 * k) for k, v in enumerate(POSITIVE)],
)
case(
    "pupil.sine_of_gap",
    lambda m, x, e: m.sin(x + e) * m.cos(x) - m.cos(x + e) * m.sin(x),
    x=lin(-3, 3),
    e=geo(1e-9, 0.5),
)
case("pupil.smaller_root", lambda m, a, b, c: (b - m.sqrt(b * b - a * c)) / a, a=[1e-200, 1e-8, 0.5, 1, 3, 1e150], b=[1.0, 30, 1e5, 1e8, 2, 1e160],
     c=[1.0, 0.25, -3, 1, 1.3333333, 1e-20])  # fmt: skip
case(
    "pupil.angle_between",
    lambda m, x, y, d: m.arctan2(y + d, x) - m.arctan2(y, x),
    x=POSITIVE,
    y=both(POSITIVE[:4]),
    d=geo(1e-9, 0.25),
)
case(
    "pupil.curvature",
    lambda m, x: m.slope(lambda u: m.slope(lambda v: m.sqrt(v * v + 1) - v, u), x),
    x=both(geo(1e-3, 1e7, 5)),
)

# ---- entropies and divergences ----

case("inform.renyi_near_one", lambda m, p, e: m.log(p ** (1 + e) + (1 - p) ** (1 + e)) / -e, p=CHANCES, e=STEPS)
case("inform.tsallis_near_one", lambda m, p, e: (1 - p ** (1 + e) - (1 - p) ** (1 + e)) / e, p=CHANCES, e=STEPS)
case(
    "inform.log_sum_gap",
    lambda m, a, b: m.sum(a * m.log(a / b), axis=-1) - m.sum(a, axis=-1) * m.log(m.sum(a, axis=-1) / m.sum(b, axis=-1)),
    wrt="",
    a=rows([1.0, 2, 30, 400], 0.5, scale=True),
    b=rows([1.25, 2, 28, 400], 0.25, scale=True),
)
case(
    "inform.cross_less_own",
    lambda m, p, d: p * m.log(p) - p * m.log(p + d) + (1 - p) * m.log(1 - p) - (1 - p) * m.log(1 - p - d),
    p=CHANCES,
    d=STEPS,
)
case("inform.chernoff", lambda m, p, d: -m.log(m.sqrt(p * (p + d)) + m.sqrt((1 - p) * (1 - p - d))), p=CHANCES, d=STEPS)
case("inform.masked_entropy", lambda m, p: -m.sum(m.where(p > 0, p * m.log(m.where(p > 0, p, 1)), 0), axis=-1), wrt="",
     p=[[0.5, 0.25, 0.25, 0], [1e-30, 0, 1 - 2.0**-20, 2.0**-20], [0, 0.125, 0.375, 0.5]])  # fmt: skip

# ---- activations and branches ----

case("gate.elu_gap", lambda m, x: m.where(x > 0, x, m.exp(x) - 1) - x, x=[-300.0, -30, -1, -1e-3, -1e-9, 2, 40])
case("gate.softplus_squared", lambda m, x: m.log(1 + m.exp(x)) ** 2, x=[v for v in LOGITS if v > -170])
case("gate.logish", lambda m, x: x * m.log(1 + m.sigmoid(x)), x=both([1e-7, 0.25, 2, 16.75, 39, 87.5, 600]))
case(
    "gate.smooth_relu",
    lambda m, x, b: m.where(abs(x) <= b, (x + b) ** 2 / (4 * b), m.maximum(x, 0)),
    x=[-3.0, -1, -0.9999, 0.5, 1e-9, 7],
    b=cyc(24, 1, 0.25),
)
case(
    "gate.gelu_slope",
    lambda m, x: m.slope(lambda u: 0.5 * u * (1 + m.erf(u / ROOT2)), x),
    x=both([1e-6, 0.5, 3, 8, 14, 30]),
)
case(
    "gate.centred_softplus",
    lambda m, x: m.log(1 + m.exp(x)) - 0.6931471805599453 - x / 2,
    x=both([0.5, 3, 17, 60, 800]),
)

# ---- what is right already ----

case("sound.shifted_join", lambda m, x: m.max(x, axis=-1) + m.log(m.sum(m.exp(x - m.max(x, axis=-1, keepdims=True)), axis=-1) + m.exp(-m.max(x, axis=-1))),
     x=rows([-700.0, -30, 0, 30, 700], 8))  # fmt: skip
case("sound.exp_over_log", lambda m, x: (m.exp(x) - 1) / m.log(m.exp(x)), wrt="", x=[*SMALL, 3.0, -3])
case("sound.standardised_by_hand", lambda m, x: (x[:, 0] - m.mean(x, axis=-1)) / m.sqrt(m.mean((x - m.mean(x, axis=-1, keepdims=True)) ** 2, axis=-1)),
     x=rows([0.0, 1, 100, 3000], 0.75))  # fmt: skip
