"""Activations and losses."""

from __future__ import annotations

from own_cases.case import NEAR1, ROOT2, both, case, cyc, geo, rows, shifted

# ---- batch 2 ----

case("learning.gelu", lambda m, x: 0.5 * x * (1 + m.erf(x / ROOT2)), x=[-37.0, -20, -8, -3, -0.5, 1e-8, 2, 9], batch=2)
case(
    "learning.log_gelu_gate",
    lambda m, x: m.log(0.5 * (1 + m.erf(x / ROOT2)) * m.sigmoid(x)),
    x=[-40.0, -37, -8, -0.5, 2, 9],
    batch=2,
)
case(
    "learning.selu_tail", lambda m, x: m.where(x > 0, 1.05 * x, 1.75 * (m.exp(x) - 1)), x=both(geo(1e-16, 40)), batch=2
)
case("learning.softsign_gap", lambda m, x: 1 - x / (1 + m.where(x > 0, x, -x)), x=geo(1e-3, 1e16), batch=2)
case(
    "learning.attention",
    lambda m, q, v: m.sum(m.exp(q) * v, axis=-1) / m.sum(m.exp(q), axis=-1),
    q=rows([0, 700, -900], 20),
    v=rows([1, 2, 3], 0.5),
    batch=2,
)
case(
    "learning.normalised_logit",
    lambda m, x: m.log(m.sigmoid(x)) - m.log(1 - m.sigmoid(x)),
    x=[*both(geo(1e-9, 30, 6)), 40, 800, -800],
    batch=2,
)
case(
    "learning.gumbel_softmax",
    lambda m, u: -m.log(-m.log(u)),
    u=[*geo(1e-300, 0.3, 5), 0.75, 1 - 2**-10, 1 - 2**-22],
    batch=2,
)
case("learning.softplus_inverse", lambda m, y: m.log(m.exp(y) - 1), y=[*geo(1e-15, 1), 20, 100, 900], batch=2)
case(
    "learning.tanh_gaussian",
    lambda m, x: -x * x / 2 - m.log(1 - m.tanh(x) ** 2),
    x=[0.5, 2, 8, 19, 40, -30, 400],
    batch=2,
)
case(
    "learning.rms_norm",
    lambda m, x: x / m.sqrt(m.mean(x * x, axis=-1, keepdims=True)),
    x=rows([1, 1e200, 1e-200, 1e25], 1.4, scale=True),
    wrt="",
    batch=2,
)
case("learning.huber_soft", lambda m, x: m.log(m.cosh(x)) / x, x=[*geo(1e-6, 10), 100, 800], batch=2)

# ---- batch 3 ----

case(
    "learning.masked_attention",
    lambda m, q, v, k: (
        m.sum(m.exp(m.where(k > 0, q, -1e9)) * v, axis=-1) / m.sum(m.exp(m.where(k > 0, q, -1e9)), axis=-1)
    ),
    batch=3,
    q=rows([0, 700, -900], 20),
    v=rows([1, 2, 3], 0.5),
    k=[[1, 1, 0, 1, 0], [0, 1, 1, 1, 1], [1, 0, 0, 0, 0]],
    wrt="q v",
)
case(
    "learning.contrastive",
    lambda m, x: -m.log(m.exp(x[:, 0] / 0.07) / m.sum(m.exp(x / 0.07), axis=-1)),
    batch=3,
    x=[[1, -1, 0.5, 0.25], [0.9375, 0.875, -1, 0.5], [60, -60, 30, 1], [-60, 60, 30, 1]],
)
case(
    "learning.chain_score",
    lambda m, a, b, t: (
        m.log(m.exp(m.log(m.exp(a) + m.exp(b)) + t) + m.exp(m.log(m.exp(a - t) + m.exp(b + t)))) - (a + t)
    ),
    batch=3,
    a=[0.5, 800, -700, 40, 3, 900],
    b=[-0.5, 20, -800, 39, -40, 899.5],
    t=cyc(6, 0.25, -3, 20),
)
case(
    "learning.log_determinant",
    lambda m, a, b, c, d: m.log(a * d - b * c),
    batch=3,
    a=[2, 1e200, 1e-200, 1, 3],
    b=[1, 1e-200, 1e-180, 1, 2],
    c=[1, 1e100, 1e-200, 1, 1],
    d=[3, 1e200, 1e-150, 1 + 2**-20, 0.75],
)
case(
    "learning.cosine_distance",
    lambda m, x, y: 1 - m.sum(x * y, axis=-1) / m.sqrt(m.sum(x * x, axis=-1) * m.sum(y * y, axis=-1)),
    batch=3,
    x=rows([1, 2, 3], 1.4, 3),
    y=[
        [v * (1 + 2.0**-e * s) for v, s in zip(r, (1, -1, 0.5), strict=True)]
        for r, e in zip(rows([1, 2, 3], 1.4, 3), (2, 8, 10), strict=True)
    ],
)
case(
    "learning.vae_kl",
    lambda m, u, l: -0.5 * (1 + l - u * u - m.exp(l)),
    batch=3,
    u=cyc(12, 0, 1e-6, 0.5, 3),
    l=both(geo(1e-4, 40, 6)),
)
case(
    "learning.gumbel_sample",
    lambda m, x, u: (
        m.exp((x - m.log(-m.log(u))) / 0.1) / m.sum(m.exp((x - m.log(-m.log(u))) / 0.1), axis=-1, keepdims=True)
    ),
    batch=3,
    x=rows([0, 50, -300], 5, 3),
    u=[[0.5, 1 - 2**-20, 1e-30], [0.25, 0.75, 0.125], [1e-10, 0.999, 0.5]],
    wrt="",
)
case(
    "learning.log_cosh", lambda m, x: m.log((m.exp(x) + m.exp(-x)) / 2), batch=3, x=both([*geo(1e-9, 10, 5), 100, 800])
)
case(
    "learning.mish",
    lambda m, x: x * m.tanh(m.log(1 + m.exp(x))),
    batch=3,
    x=[-700.0, -100, -20, -3, -1.1924, 1e-8, 2, 20, 800],
)
case("learning.swish", lambda m, x: x / (1 + m.exp(-x)), batch=3, x=[-700.0, -100, -20, -3, -1.2784, 1e-8, 2, 20, 800])
case("learning.softsign", lambda m, x: x / (1 + abs(x)), batch=3, x=both(geo(1e-10, 1e18)))
case(
    "learning.pseudo_huber",
    lambda m, x, d: d**2 * (m.sqrt(1 + (x / d) ** 2) - 1),
    batch=3,
    x=[*both(geo(1e-10, 1e3)), 1e200],
    d=cyc(17, 1, 0.1),
)
case(
    "learning.quantile",
    lambda m, e: 0.9 * e + 0.01 * m.log(1 + m.exp(-e / 0.01)),
    batch=3,
    e=[*both(geo(1e-4, 10, 6)), 100, -100],
)
case(
    "learning.focal",
    lambda m, x: -((1 - 1 / (1 + m.exp(-x))) ** 2) * m.log(1 / (1 + m.exp(-x))),
    batch=3,
    x=both([1e-6, 0.5, 5, 37, 200, 345]),
)
case(
    "learning.gelu_tanh",
    lambda m, x: 0.5 * x * (1 + m.tanh(0.7978845608 * (x + 0.044715 * x**3))),
    batch=3,
    x=[-20.0, -12, -8, -3, -0.75, 1e-8, 2, 9],
)
case("learning.arc_margin", lambda m, c: m.cos(m.arccos(c) + 0.5), batch=3, c=[*both([1e-6, 0.25, 0.5, 0.75]), *NEAR1])
case(
    "learning.jensen_shannon",
    lambda m, p, q: p * m.log(2 * p / (p + q)) + q * m.log(2 * q / (p + q)),
    batch=3,
    p=[0.5, 0.25, 1e-10, 1e-3, 0.75],
    q=shifted([0.5, 0.25, 1e-10, 1e-3, 0.75]),
)
case(
    "learning.sigmoid_gap",
    lambda m, x, d: m.sigmoid(x + d) - m.sigmoid(x),
    batch=3,
    x=[-800.0, -100, -3, 0, 0.5, 20, 300],
    d=[0.5, 1e-10, 1e-6, 1e-12, 0.125, 1e-3, 4],
)
case(
    "learning.softplus_gap",
    lambda m, x, d: m.log(1 + m.exp(x + d)) - m.log(1 + m.exp(x)),
    batch=3,
    x=[-600.0, -100, -3, 0, 0.5, 20, 300, 900],
    d=[0.5, 1e-10, 1e-6, 1e-12, 0.125, 1e-3, 4, 1e-9],
)
case(
    "learning.bradley_terry",
    lambda m, a, b: -m.log(m.exp(a) / (m.exp(a) + m.exp(b))),
    batch=3,
    a=[0.5, 800, -800, 3, 40],
    b=[0.25, -800, 800, 3, 0],
)
case(
    "learning.temperature",
    lambda m, x, t: m.log(m.sum(m.exp(x / m.where(t > 0, t, 1.0)[:, None]), axis=-1)) * t,
    batch=3,
    x=rows([1, 5, -3]),
    t=[1.0, 1e-3, 1e3],
)
case(
    "learning.parts_joined",
    lambda m, x, y: m.log(m.sum(m.exp(m.concatenate([x, 2 * y], axis=-1)), axis=-1)) - m.log(m.sum(m.exp(x), axis=-1)),
    batch=3,
    x=rows([1, 700, -900, 40], 3, 3),
    y=rows([1, 350, -460, 2], 1, 2),
)
case("learning.elu_slope", lambda m, x: m.where(x > 0, x, m.exp(x) - 1) / x, batch=3, x=both(geo(1e-12, 40)))
