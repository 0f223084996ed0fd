"""Logarithms, powers and exponentials of what lies near one, and means that meet their terms."""

from __future__ import annotations

from functools import partial

from own_cases.case import NEAR1, SMALL, both, cyc, geo, shifted
from own_cases.case import case as any_case

case = partial(any_case, batch=7)

RATES = [*geo(1e-13, 1e-5, 4), *geo(1e-3, 0.9, 4)]
ALL = both(RATES)

case("log1m.log_survival_power", lambda m, p, n: m.log(1 - (1 - p) ** n), p=RATES, n=cyc(8, 2, 30, 0.5))
case("log1m.log_both", lambda m, x: m.log((1 + x) / (1 - x)) / (2 * x), x=ALL)
case("log1m.log_square", lambda m, x: m.log(1 - x) ** 2, x=ALL)
case(
    "log1m.log_of_exp_sum",
    lambda m, x: m.log(1 + x + m.exp(x)) - 0.6931471805599453,
    x=[*both(geo(1e-12, 0.4, 6)), 30, 800],
)
case("log1m.expm1_of_log", lambda m, x, k: m.exp(k * m.log(1 + x)) - 1, x=ALL, k=cyc(16, 3, -2, 0.5))
case("log1m.expm1_pair", lambda m, x: (m.exp(x) - 1) * (m.exp(-x) - 1), x=[*ALL, 30, 300])
case(
    "log1m.log_expm1_ratio",
    lambda m, a, b: m.log((m.exp(a) - 1) / (m.exp(b) - 1)),
    a=[*RATES, 40, 900],
    b=[*RATES[::-1], 900, 30],
)
case("log1m.interest_gap", lambda m, r, n: (1 + r / n) ** n - 1 - r, r=geo(1e-4, 0.5, 6), n=cyc(6, 12, 365), wrt="r")
case("log1m.odds_growth", lambda m, p, q: p / (1 - p) - q / (1 - q), p=shifted(geo(1e-9, 0.5, 7)), q=geo(1e-9, 0.5, 7))
case(
    "log1m.odds_ratio_near",
    lambda m, p, q: m.log(p / (1 - p)) - m.log(q / (1 - q)),
    p=shifted(geo(1e-9, 0.5, 7)),
    q=geo(1e-9, 0.5, 7),
)
case(
    "log1m.entropy_gap",
    lambda m, x: x * m.log(x) - x + 1,
    x=[*NEAR1, *(1 + 2.0**-k for k in range(2, 20, 3)), 1e-30, 3, 1e30],
)
case("log1m.itakura_saito", lambda m, x, y: x / y - m.log(x / y) - 1, x=shifted(geo(1e-9, 1e9, 6)), y=geo(1e-9, 1e9, 6))
case(
    "log1m.log_mean", lambda m, x, y: (x - y) / (m.log(x) - m.log(y)), x=shifted(geo(1e-9, 1e9, 6)), y=geo(1e-9, 1e9, 6)
)
case(
    "log1m.identric",
    lambda m, x, y: m.exp((x * m.log(x) - y * m.log(y)) / (x - y) - 1),
    x=shifted([0.5, 3, 100, 1e-6, 40]),
    y=[0.5, 3, 100, 1e-6, 40],
)
case(
    "log1m.stolarsky",
    lambda m, x, y: m.sqrt((x**3 - y**3) / (3 * (x - y))),
    x=shifted([0.5, 3, 1e100, 1e-80]),
    y=[0.5, 3, 1e100, 1e-80],
)
case("log1m.mean_gap", lambda m, x, y: (x + y) / 2 - m.sqrt(x * y), x=shifted(geo(1e-9, 1e9, 6)), y=geo(1e-9, 1e9, 6))
case(
    "log1m.harmonic_gap",
    lambda m, x, y: (x + y) / 2 - 2 / (1 / x + 1 / y),
    x=shifted(geo(1e-9, 1e9, 6)),
    y=geo(1e-9, 1e9, 6),
)
case(
    "log1m.box_cox_pair",
    lambda m, x, y, k: (x**k - y**k) / k,
    x=shifted([0.5, 3, 100, 1e-6, 40]),
    y=[0.5, 3, 100, 1e-6, 40],
    k=[1e-9, 0.5, -1e-4, 2, 1e-2],
)
case(
    "log1m.yeo_johnson",
    lambda m, x, k: m.where(x >= 0, ((1 + x) ** k - 1) / k, -((1 - x) ** (2 - k) - 1) / (2 - k)),
    x=ALL,
    k=cyc(16, 1e-8, 0.5, 1.5),
)
case(
    "log1m.tsallis_log",
    lambda m, x, q: (x ** (1 - q) - 1) / (1 - q),
    x=geo(1e-6, 1e6, 6),
    q=[1 - 2**-20, 0.5, 1 + 2**-12, 2, 1 + 2**-18, 0.75],
)
case(
    "log1m.tsallis_exp",
    lambda m, x, q: (1 + (1 - q) * x) ** (1 / (1 - q)),
    x=[0.5, 1, 3, 1e-6],
    q=[1 - 2**-20, 0.5, 1 + 2**-12, 0.75],
)
case("log1m.compound_log", lambda m, r, n: n * m.log(1 + r / n) - r, r=geo(1e-4, 0.5, 6), n=cyc(6, 12, 365))
case("log1m.haldane", lambda m, d: 0.5 * (1 - m.exp(-2 * d)), d=[*RATES, 20, 800])
case("log1m.jukes_cantor", lambda m, p: -0.75 * m.log(1 - 4 * p / 3), p=[*geo(1e-13, 0.5, 6), 0.7421875])
case("log1m.kosambi", lambda m, r: 0.25 * m.log((1 + 2 * r) / (1 - 2 * r)), r=[*geo(1e-13, 0.25, 6), 0.4990234375])
case(
    "log1m.kimura",
    lambda m, p, q: -0.5 * m.log((1 - 2 * p - q) * m.sqrt(1 - 2 * q)),
    p=geo(1e-12, 0.25, 6),
    q=geo(1e-10, 0.125, 6),
)
case(
    "log1m.wright_fixation",
    lambda m, s, n: (1 - m.exp(-2 * s)) / (1 - m.exp(-4 * n * s)),
    s=both(geo(1e-12, 0.5, 6)),
    n=cyc(12, 10, 1000),
    wrt="s",
)
case(
    "log1m.relative_entropy_step",
    lambda m, x, e: (x + e) * m.log((x + e) / x) - e,
    x=cyc(8, 0.5, 3, 1e-3),
    e=[0.25, 1e-3, 1e-5, 0.125, 2, -1e-4, -0.25, 1e-2],
)
case("log1m.sqrt1pm1", lambda m, x: m.sqrt(1 + x) - 1 - x / 2, x=both(geo(1e-4, 0.5, 5)))
case(
    "log1m.geometric_sum",
    lambda m, q, n: (1 - q**n) / (1 - q),
    q=[*NEAR1, *(1 + 2.0**-k for k in range(2, 20, 3))],
    n=cyc(13, 3, 20, 0.5),
)
case(
    "log1m.log_geometric_sum",
    lambda m, x, n: m.log((m.exp(n * x) - 1) / (m.exp(x) - 1)),
    x=[*SMALL, 40, 300],
    n=cyc(18, 3, 20),
)
case("log1m.exp_by_tanh", lambda m, x: (1 + m.tanh(x / 2)) / (1 - m.tanh(x / 2)) - 1, x=both(geo(1e-9, 20, 6)))
