"""Larger programs: steps of loops written out, series, recurrences, elimination, and second derivatives."""

from __future__ import annotations

from functools import partial
from typing import Any

from own_cases.case import SMALL, both, cyc, geo, rows, shifted
from own_cases.case import case as any_case

case = partial(any_case, batch=7)


def euler_pendulum(m: Any, q: Any, p: Any) -> Any:
    for _ in range(4):
        q, p = q + 0.01 * p, p - 0.01 * 9.8 * m.sin(q)
    return q


def leapfrog_drift(m: Any, q: Any, p: Any) -> Any:
    """The energy that three steps of a leapfrog lose."""
    x, v = q, p
    for _ in range(3):
        v = v - 0.05 * x
        x = x + 0.1 * v
        v = v - 0.05 * x
    return (x * x + v * v) / 2 - (q * q + p * p) / 2


def newton_root(m: Any, a: Any) -> Any:
    x = (1 + a) / 2
    for _ in range(3):
        x = (x + a / x) / 2
    return x - m.sqrt(a)


def horner_exp(m: Any, x: Any) -> Any:
    total: Any = 1.0
    for k in range(8, 0, -1):
        total = 1 + x * total / k
    return total


def forward_algorithm(m: Any, a: Any, t: Any, e: Any) -> Any:
    """log of the forward probabilities of two states over three steps."""
    u, v = a + e, a - e
    for _ in range(3):
        u, v = (
            m.log(m.exp(u + t) + m.exp(v - t)) + e,
            m.log(m.exp(u - t) + m.exp(v + t)) - e,
        )
    return m.log(m.exp(u) + m.exp(v))


def running_product(m: Any, x: Any) -> Any:
    """Survival after five hazards, and what is lost."""
    left: Any = 1.0
    for k in range(5):
        left = left * (1 - m.exp(-m.exp(x[:, k])))
    return 1 - left


def cell(m: Any, x: Any, h: Any, c: Any) -> Any:
    """Two steps of a gated cell with one number each."""
    for _ in range(2):
        c = m.sigmoid(x + h) * c + m.sigmoid(x - h) * m.tanh(2 * x + h)
        h = m.sigmoid(x - 0.5 * h) * m.tanh(c)
    return h


def newton_polynomial(m: Any, x: Any, y: Any, z: Any) -> Any:
    """The second divided difference of exp."""
    return ((m.exp(z) - m.exp(y)) / (z - y) - (m.exp(y) - m.exp(x)) / (y - x)) / (z - x)


def eliminated(m: Any, a: Any, b: Any, c: Any, d: Any, u: Any, v: Any) -> Any:
    return (v - c / a * u) / (d - c / a * b)


def cholesky_three(m: Any, a: Any, b: Any, c: Any) -> Any:
    """log det of [[1, a, b], [a, 1, c], [b, c, 1]] by Cholesky's steps."""
    p = m.sqrt(1 - a * a)
    q = (c - a * b) / p
    return 2 * (m.log(p) + m.log(m.sqrt(1 - b * b - q * q)))


def aitken(m: Any, x: Any, y: Any, z: Any) -> Any:
    return x - (y - x) ** 2 / (z - 2 * y + x)


def welford(m: Any, x: Any) -> Any:
    mean, square = x[:, 0], 0 * x[:, 0]
    for k in range(1, 4):
        delta = x[:, k] - mean
        mean = mean + delta / (k + 1)
        square = square + delta * (x[:, k] - mean)
    return square / 3


def adam_step(m: Any, g: Any, v: Any) -> Any:
    return (0.1 * g / (1 - 0.9)) / (m.sqrt((0.999 * v + 0.001 * g * g) / (1 - 0.999)) + 1e-8)


def rk4_growth(m: Any, y: Any, h: Any) -> Any:
    a = y * (1 - y)
    b = (y + h / 2 * a) * (1 - (y + h / 2 * a))
    c = (y + h / 2 * b) * (1 - (y + h / 2 * b))
    d = (y + h * c) * (1 - (y + h * c))
    return y + h * (a + 2 * b + 2 * c + d) / 6


case("programs.euler_pendulum", euler_pendulum, q=[1e-9, 0.5, 3, -1], p=[0.5, 1e-6, -2, 1])
case("programs.leapfrog_drift", leapfrog_drift, q=[1e-3, 0.5, 3, -1], p=[0.5, 1e-6, -2, 1])
case("programs.newton_root", newton_root, a=[0.5, 2, 3, 10])
case("programs.horner_exp", horner_exp, x=[*SMALL, -3, 2])
case("programs.forward_algorithm", forward_algorithm, a=[0.5, 800, -900, 30], t=[0.25, 3, -1, 200], e=[0.5, -1, 3, 40])
case("programs.running_product", running_product, x=rows([0.5, -30, 3, -3], 1))
case("programs.cell", cell, x=[0.5, -20, 1e-6, 3], h=[0.25, 1, -1e-3, 0.5], c=[1, -1e-9, 0.5, 3])
case(
    "programs.divided_twice",
    newton_polynomial,
    x=[0.5, -30, 3, 300],
    y=[0.625, -30.25, 3.5, 301],
    z=[0.5625, -31, 2.75, 299],
)
case(
    "programs.eliminated",
    eliminated,
    a=[1, 1e-20, 3, 1e200],
    b=[2, 1, 1, 1e199],
    c=[0.5, 1, 2, 1e-200],
    d=[1 + 2**-20, 1, 0.6669921875, 1],
    u=[1, 1, 1e-9, 1],
    v=[0.5, 2, 1, 1e-200],
)
case(
    "programs.cholesky_three",
    cholesky_three,
    a=[0.5, 1 - 2**-20, 1e-9, -0.9],
    b=[0.25, 1e-6, 1 - 2**-12, 0.8],
    c=[0.125, 1e-4, 1e-8, -0.75],
)
case(
    "programs.aitken",
    aitken,
    x=[1.5, 1, 1e3, 1e-9],
    y=[1.25, 1 + 2**-10, 1.1e3, 3e-9],
    z=[1.1875, 1 + 2**-9 - 2**-18, 1.15e3, 4e-9],
)
case("programs.welford", welford, x=rows([0, 1e3, 1e6, 1e8], 1, 4))
case("programs.adam_step", adam_step, g=both([1e-30, 1e-9, 0.5, 1e9]), v=[1e-50, 1e-18, 1, 1e20, 1e-60, 1e-16, 3, 1e17])
case("programs.rk4_growth", rk4_growth, y=[1e-9, 0.5, 1 - 2**-20, 1 + 2**-10], h=[0.125, 1e-9, 0.5, 1e-3])
case("programs.basel_tail", lambda m, x: 1 / x - 1 / (x + 1) - 1 / (x + 1) ** 2, x=geo(1, 1e9, 6))
case("programs.simpson_exp", lambda m, h: (m.exp(-h) + 4 + m.exp(h)) / 3 - 2 * m.sinh(h) / h, h=geo(1e-2, 3, 5))
case(
    "programs.richardson",
    lambda m, x, h: (8 * (m.sin(x + h) - m.sin(x - h)) - (m.sin(x + 2 * h) - m.sin(x - 2 * h))) / (12 * h),
    x=[0.5, 1, 3, -2],
    h=[1e-3, 1e-6, 0.125, 1e-9],
)
case(
    "programs.second_quotient",
    lambda m, x, h: (m.exp(x + h) - 2 * m.exp(x) + m.exp(x - h)) / (h * h),
    x=[0.5, -30, 3, 300],
    h=[1e-3, 1e-5, 0.125, 1],
)
case(
    "programs.log_quotient",
    lambda m, x, h: (m.log(x + h) - m.log(x - h)) / (2 * h),
    x=[0.5, 1e-30, 3, 1e200],
    h=[1e-3, 1e-35, 2, 1e150],
)

# ---- second derivatives: m.slope(f, x) is the derivative of sum f at x ----

case(
    "curved.softplus",
    lambda m, x: m.slope(lambda u: m.slope(lambda v: m.log(1 + m.exp(v)), u), x),
    x=both([1e-6, 3, 40, 300]),
)
case(
    "curved.logsumexp",
    lambda m, x: m.slope(lambda u: m.slope(lambda v: m.log(m.exp(v) + m.exp(2 * v) + 1), u), x),
    x=both([1e-6, 3, 40, 300]),
)
case(
    "curved.log_cosh",
    lambda m, x: m.slope(lambda u: m.slope(lambda v: m.log(m.cosh(v)), u), x),
    x=both([1e-6, 3, 40, 300]),
)
case(
    "curved.hypot",
    lambda m, x, y: m.slope(lambda u: m.slope(lambda v: m.sqrt(v * v + y * y), u), x),
    x=[1e-100, 0.5, 3e5, 1e10],
    y=[1e-100, 1e-9, 3, 1e-3],
)
case(
    "curved.log_erfc",
    lambda m, x: m.slope(lambda u: m.slope(lambda v: m.log(m.erfc(v)), u), x),
    x=[-5.0, 0.5, 3, 10, 30],
    wrt="",
)
case(
    "curved.entropy",
    lambda m, p: m.slope(lambda u: m.slope(lambda v: v * m.log(v) + (1 - v) * m.log(1 - v), u), p),
    p=[1e-30, 1e-3, 0.5, 1 - 2**-20],
)
case("curved.log1mexp", lambda m, x: m.slope(lambda u: m.log(1 - m.exp(-u)), x), x=[1e-30, 1e-6, 0.5, 30, 300])
case(
    "curved.gaussian",
    lambda m, x: m.slope(lambda u: m.slope(lambda v: m.exp(-v * v / 2), u), x),
    x=[1e-9, 0.5, 1 + 2**-12, 8, 25],
)
case(
    "curved.student",
    lambda m, x, v: m.slope(lambda u: m.slope(lambda w: -(v + 1) / 2 * m.log(1 + w * w / v), u), x),
    x=[1e-9, 0.5, 30, 1e9],
    v=[3, 1e9, 1, 30],
    wrt="x",
)
case(
    "curved.box_cox",
    lambda m, x, k: m.slope(lambda u: (x**u - 1) / u, k),
    x=[0.5, 3, 1e-6, 1e6],
    k=[1e-9, 0.5, 1e-4, -1e-3],
    wrt="",
)
case(
    "curved.power",
    lambda m, x, y: m.slope(lambda u: m.slope(lambda v: u**v, y), x),
    x=[0.5, 3, 1e-6, 1e6],
    y=[1e-9, 0.5, 3, -1e-3],
)
case(
    "curved.sinc",
    lambda m, x: m.slope(lambda u: m.slope(lambda v: m.sin(v) / v, u), x),
    x=both([1e-4, 0.125, 2]),
    wrt="",
)
case("curved.sqrt_gap", lambda m, x: m.slope(lambda u: m.sqrt(u + 1) - m.sqrt(u), x), x=geo(1, 1e12, 5))
case(
    "curved.swish",
    lambda m, x: m.slope(lambda u: m.slope(lambda v: v * m.sigmoid(v), u), x),
    x=both([1e-6, 3, 40, 300]),
)
case(
    "curved.normalised",
    lambda m, x, y: m.slope(lambda u: m.slope(lambda v: u / m.sqrt(u * u + v * v), y), x),
    x=[0.5, 1e80, 1e-60, 3],
    y=[1e-6, 1e80, 1e-70, 2.5],
    wrt="",
)
case(
    "curved.tanh_gap",
    lambda m, x: m.slope(lambda u: m.slope(lambda v: v - m.tanh(v), u), x),
    x=both([1e-6, 0.5, 20, 300]),
)
case(
    "curved.inverse_gaussian",
    lambda m, x, u: m.slope(lambda v: -((x - v) ** 2) / (2 * v * v * x), u),
    x=shifted([0.5, 1e9, 1e-9]),
    u=[0.5, 1e9, 1e-9],
)
case(
    "curved.gamma_log",
    lambda m, a, x: m.slope(lambda u: (u - 1) * m.log(x) - m.gammaln(u), a),
    a=[0.5, 3, 1e6, 1e-9],
    x=[0.25, 3, 1e6, 1e-3],
    wrt="x",
)
case(
    "curved.arctan",
    lambda m, x: m.slope(lambda u: m.slope(lambda v: m.arctan(v), u), x),
    x=[1e-200, 1e-9, 0.5, 1e6, 1e60],
)
case(
    "curved.wigner",
    lambda m, x, t: m.slope(lambda u: m.log(1 - t * m.sqrt(1 - u * u)), x),
    x=cyc(4, 0.5, 1e-6, 0.9),
    t=[0.5, 1 - 2**-20, 1e-9, 1],
)
