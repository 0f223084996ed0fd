"""Activations and formulas of several pieces: where, maximum, minimum, clip, sign, joined and cut rows."""

from __future__ import annotations

from functools import partial

from own_cases.case import ROOT2, both, cyc, geo, lin, rows, shifted
from own_cases.case import case as any_case

case = partial(any_case, batch=7)

ANY = both([1e-20, 1e-8, 1e-3, 0.4, 3, 20, 100, 800])
HUGE = both([1e-200, 1e-8, 0.4, 30, 1e9, 1e200])

case(
    "pieces.celu",
    lambda m, x, a: m.maximum(x, 0) + m.minimum(0, a * (m.exp(x / a) - 1)),
    x=ANY,
    a=cyc(16, 1, 0.5, 3),
    wrt="x",
)
case("pieces.isru", lambda m, x: m.where(x < 0, x / m.sqrt(1 + x * x), x), x=HUGE)
case("pieces.isrlu_gap", lambda m, x: 1 - x / m.sqrt(1 + x * x), x=HUGE)
case(
    "pieces.hard_log",
    lambda m, x: m.log(m.clip(1 / (1 + m.exp(-x)), 1e-30, 1 - 1e-7)),
    x=[-800, -100, -60, -30, 1e-3, 5, 15, 17, 40.0],
)
case(
    "pieces.clipped_bce",
    lambda m, x, t: -(t * m.log(m.maximum(m.sigmoid(x), 1e-37)) + (1 - t) * m.log(m.maximum(1 - m.sigmoid(x), 1e-37))),
    x=ANY,
    t=cyc(16, 0, 1),
    wrt="x",
)
case("pieces.symlog", lambda m, x: m.sign(x) * m.log(1 + m.abs(x)), x=HUGE)
case("pieces.symsqrt", lambda m, x: m.sign(x) * (m.sqrt(m.abs(x) + 1) - 1), x=HUGE)
case("pieces.signed_power", lambda m, x: m.sign(x) * m.abs(x) ** 0.25, x=HUGE)
case("pieces.log_abs_tanh", lambda m, x: m.log(m.abs(m.tanh(x))), x=ANY)
case("pieces.stable_by_hand", lambda m, x: m.where(x > 0, -m.log(1 + m.exp(-x)), x - m.log(1 + m.exp(x))), x=ANY)
case("pieces.sigmoid_by_hand", lambda m, x: m.where(x >= 0, 1 / (1 + m.exp(-x)), m.exp(x) / (1 + m.exp(x))), x=ANY)
case(
    "pieces.softplus_beta",
    lambda m, x, b: m.where(b * x > 20, x, m.log(1 + m.exp(b * x)) / b),
    x=ANY,
    b=cyc(16, 1, 10, 0.25),
    wrt="x",
)
case("pieces.log_cosh_loss", lambda m, x, y: m.log((m.exp(x - y) + m.exp(y - x)) / 2), x=ANY, y=cyc(16, 0.5, -3, 1e-3))
case(
    "pieces.huber",
    lambda m, x, d: m.where(m.abs(x) <= d, 0.5 * x * x, d * (m.abs(x) - 0.5 * d)),
    x=HUGE,
    d=cyc(12, 1, 1e-3),
)
case(
    "pieces.barron",
    lambda m, x, a: (m.abs(a - 2) / a) * ((x * x / m.abs(a - 2) + 1) ** (a / 2) - 1),
    x=both([1e-9, 1e-3, 0.5, 30, 1e9]),
    a=cyc(10, 1, 1e-6, -2, 2 - 2**-12),
    wrt="x",
)
case("pieces.welsch", lambda m, x, c: 1 - m.exp(-0.5 * (x / c) ** 2), x=HUGE, c=cyc(12, 1, 3, 1e-3))
case("pieces.geman", lambda m, x: 2 * x * x / (x * x + 4), x=HUGE)
case("pieces.cauchy_loss", lambda m, x, c: c * c / 2 * m.log(1 + (x / c) ** 2), x=HUGE, c=cyc(12, 1, 30, 1e-3))
case("pieces.smooth_abs", lambda m, x: m.sqrt(x * x + 1e-6) - m.abs(x), x=[1e-9, -1e-3, 0.5, 30, -1e4, 1e9])
case(
    "pieces.smooth_max",
    lambda m, x, y: (x + y + m.sqrt((x - y) ** 2 + 1e-4)) / 2,
    x=[1, -1, 1e8, -1e8, 1e-3],
    y=[1.001, 1, -1e8, -1.0001e8, -1e-3],
)
case("pieces.smooth_min_zero", lambda m, x: (x - m.sqrt(x * x + 1)) / 2, x=HUGE)
case(
    "pieces.gelu_complement", lambda m, x: x - 0.5 * x * (1 + m.erf(x / ROOT2)), x=[-9, -0.5, 1e-9, 2, 8, 20, 36, 38.0]
)
case("pieces.silu_gap", lambda m, x: x - x * m.sigmoid(x), x=ANY)
case("pieces.tanh_exp", lambda m, x: x * m.tanh(m.exp(x)), x=ANY)
case("pieces.serf", lambda m, x: x * m.erf(m.log(1 + m.exp(x))), x=ANY)
case("pieces.log_sigmoid_gated", lambda m, x: m.where(x > -30, m.log(m.sigmoid(x)), x), x=ANY)
case("pieces.entropy_where", lambda m, p: m.where(p > 0, -p * m.log(p), 0.0), p=[1e-300, 1e-20, 0.25, 0.5, 0.999, 30])
case(
    "pieces.sinc_where",
    lambda m, x: m.where(m.abs(x) > 1e-4, m.sin(x) / x, 1 - x * x / 6),
    x=both([1e-12, 0.9e-4, 1.1e-4, 0.5, 3]),
)
case(
    "pieces.relative_where",
    lambda m, x, y: m.abs(x - y) / m.maximum(m.abs(x), m.abs(y)),
    x=[1, 1e200, -1e-200, 3, -5],
    y=[1 + 2**-20, 1.5e200, 2e-200, -3.5, -5.00001],
)
case(
    "pieces.ratio_of_larger",
    lambda m, x, y: m.maximum(x, y) * m.sqrt(1 + (m.minimum(x, y) / m.maximum(x, y)) ** 2),
    x=[1, 1e200, 1e-200, 3],
    y=[1 + 2**-20, 1e-200, 1e-210, 1e150],
)
case(
    "pieces.log_add_by_max",
    lambda m, x, y: m.maximum(x, y) + m.log(1 + m.exp(-m.abs(x - y))),
    x=[0.5, 800, -900, 30, -1e5],
    y=[0.25, 799, 5, -30, -1e5 - 1],
)
case(
    "pieces.log_subtract",
    lambda m, x, y: x + m.log(1 - m.exp(y - x)),
    x=[0.5, 800, -900, 30, 1e4],
    y=[0.5 - 2**-20, 799, -900.125, -30, 1e4 - 2**-8],
)
case(
    "pieces.joined_softmax",
    lambda m, x, y: m.log(m.sum(m.exp(m.concatenate([x, y[:, None]], axis=-1)), axis=-1)),
    x=rows([1, 800, -900], 5, 3),
    y=[0.5, 790, -905],
)
case(
    "pieces.joined_norm",
    lambda m, x, y: m.sqrt(m.sum(m.concatenate([x, y], axis=-1) ** 2, axis=-1)),
    x=rows([1, 1e200, 1e-200], 0.9, 3, scale=True),
    y=rows([2, 1e199, 1e-201], 0.9, 2, scale=True),
)
case(
    "pieces.joined_with_one",
    lambda m, x: m.log(m.sum(m.concatenate([m.exp(x), m.exp(0 * x[:, :1])], axis=-1), axis=-1)),
    x=rows([1, 800, -900, -40], 5, 3),
)
case(
    "pieces.first_and_rest",
    lambda m, x: m.log(m.exp(x[:, 0]) + m.sum(m.exp(x[:, 1:]), axis=-1)) - x[:, -1],
    x=rows([1, 800, -900], 30, 5),
)
case(
    "pieces.neighbours", lambda m, x: m.sum(m.log(1 + m.exp(-(x[:, 1:] - x[:, :-1]))), axis=-1), x=rows([1, 3], 900, 5)
)
case(
    "pieces.geometric_steps",
    lambda m, x: m.sum(m.log(x[:, 1:] / x[:, :-1]), axis=-1),
    x=rows([1, 1e300, 1e-300], 0.01, 5, scale=True),
)
case("pieces.interval_overlap", lambda m, a, b, c, d: m.maximum(m.minimum(b, d) - m.maximum(a, c), 0.0) / (m.maximum(b, d) - m.minimum(a, c)),
     a=[0, 1e6, 0.5], b=[1, 1e6 + 1, 0.5 + 2**-20], c=[0.5, 1e6 + 0.5, 0.25], d=[2, 1e6 + 2, 0.75])  # fmt: skip
case(
    "pieces.triangle_wave",
    lambda m, x: m.maximum(0.0, 1 - m.abs(x)) * m.log(1 + m.abs(x)),
    x=both([1e-12, 0.25, 1 - 2**-20, 1 + 2**-20]),
)
case(
    "pieces.hinge_squared",
    lambda m, x, y: m.maximum(0.0, 1 - x * y) ** 2,
    x=[1 - 2**-20, 0.5, 3, -1e200],
    y=[1, 1, 1, 1e-190],
)
case(
    "pieces.expectile",
    lambda m, x, y: m.where(x > y, 0.9 * (x - y) ** 2, 0.1 * (x - y) ** 2),
    x=shifted(geo(1e-6, 1e6, 5)),
    y=geo(1e-6, 1e6, 5),
)
case(
    "pieces.quantised",
    lambda m, x: m.sign(x) * m.log(1 + 255 * m.abs(x)) / 5.545177444479562,
    x=both([1e-20, 1e-3, 0.5, 1]),
)
case("pieces.expanded", lambda m, y: m.sign(y) * (256 ** m.abs(y) - 1) / 255, y=both([1e-20, 1e-3, 0.5, 1]))
case("pieces.srgb", lambda m, u: m.where(u <= 0.04045, u / 12.92, ((u + 0.055) / 1.055) ** 2.4), u=lin(0, 1, 8))
