"""Beside log1m, classic1 and classic2: logarithms near 1, exponentials near 0, and the textbooks' differences."""

from __future__ import annotations

from own_cases.batch13 import FAR, LARGE, case, whole
from own_cases.case import both, cyc, geo, lin, shifted

SMALL = both([*geo(1e-30, 1e-8, 4), *geo(1e-7, 0.7, 5)])
NEAR = [1.25, 97.75, 3.5, 12.25, 41.0, 66.5, 8.75, 2.0, 29.25, 54.75, 5.5, 81.25]
ANGLES = both([*geo(1e-9, 1e-3, 4), *geo(0.01, 2.9, 4)])

# ---- beside log1m ----

case(
    "increment.log1mexp_of_minus",
    lambda m, x: -m.log(1 - m.exp(-x)),
    x=[*geo(1e-30, 1e-10, 4), *geo(1e-9, 0.6, 4), *geo(0.8, 80, 5), *geo(90, 2000, 3)],
)
case("increment.expm1_square", lambda m, x: (m.exp(x) - 1) ** 2, x=[*SMALL, *both(geo(1, 40, 4))])
case(
    "increment.nominal_rate",
    lambda m, r, n: n * ((1 + r) ** (1 / n) - 1),
    wrt="r",
    r=[*geo(1e-12, 1e-6, 5), *geo(1e-5, 0.1, 5)],
    n=cyc(10, 12, 4, 365),
)
case(
    "increment.instalment",
    lambda m, r, n: r / (1 - (1 + r) ** (-n)),
    wrt="r",
    r=[*geo(1e-12, 1e-6, 5), *geo(1e-5, 0.1, 5)],
    n=cyc(10, 12, 120, 360),
)
case(
    "increment.logit_by_logs",
    lambda m, p: m.log(p) - m.log(1 - p),
    p=[*geo(1e-30, 1e-3, 5), *lin(0.06, 0.44, 4), 0.5 + 2.0**-20, 0.5 - 2.0**-16, 0.5 + 2.0**-8, 0.8, 1 - 2.0**-20],
)
case(
    "increment.binomial",
    lambda m, p, k, n: k * m.log(p) + (n - k) * m.log(1 - p),
    wrt="p",
    p=[*geo(1e-12, 1e-3, 6), *lin(0.02, 0.61, 5)],
    k=cyc(11, 0, 3, 50),
    n=cyc(11, 1e6, 100, 70, 1e4),
)
case(
    "increment.saturation",
    lambda m, x, a: a * (1 - m.exp(-x / a)),
    wrt="x a",
    x=[*geo(1e-12, 1e-3, 5), *geo(0.01, 300, 7)],
    a=cyc(12, 1, 50, 0.25),
)
case(
    "increment.relative_change",
    lambda m, a, b: (m.exp(a) - m.exp(b)) / m.exp(b),
    b=whole(lin(-900, 900, 12)),
    a=[u + 2.0 ** -(k - 3) for k, u in enumerate(whole(lin(-900, 900, 12)))],
)
case("increment.log1p_over", lambda m, x: m.log(1 + x) / x, wrt="", x=[*SMALL, *geo(1, 1e30, 5)])
case(
    "increment.bernoulli_of_minus", lambda m, x: x / (1 - m.exp(-x)), wrt="", x=[*SMALL, *both(geo(1, 700, 5)), 2000.0]
)
case(
    "increment.coth_spelled",
    lambda m, x: (m.exp(x) + m.exp(-x)) / (m.exp(x) - m.exp(-x)),
    x=both([*geo(1e-14, 1e-3, 5), *geo(0.01, 8, 4), 12.0, 31.0, 101.0, 1700.0]),
)
case(
    "increment.sinh_spelled",
    lambda m, x: (m.exp(x) - m.exp(-x)) / 2,
    x=both([*geo(1e-14, 1e-3, 5), *geo(0.01, 8, 4), 12.0, 31.0, 80.0]),
)
case(
    "increment.tanh_square_rest",
    lambda m, x: 1 - m.tanh(x) ** 2,
    x=both([*geo(1e-6, 0.5, 4), *geo(0.6, 9, 4), *geo(10, 300, 4)]),
)
case("increment.one_plus_tanh", lambda m, x: 1 + m.tanh(x), x=both([*geo(1e-3, 5, 4), *lin(6, 43, 6)]))
case(
    "increment.exp_of_sum_less_1",
    lambda m, a, b: m.exp(a) * m.exp(b) - 1,
    a=NEAR,
    b=[-v + (-1) ** k * 2.0 ** -(3 * k) for k, v in enumerate(NEAR)],
)
case(
    "increment.log_one_plus_square_ratio",
    lambda m, a, b: m.log(1 + (a * a) / (b * b)),
    a=FAR,
    b=[1e3, 2.0, 0.5, 7.0, 100.0],
)
case(
    "increment.log_one_plus_ratio", lambda m, a, b: m.log(1 + a / b), a=geo(1e-20, 1e20, 12), b=cyc(12, 3.0, 1e5, 0.01)
)
case(
    "increment.log_one_less_square",
    lambda m, x: m.log(1 - x * x),
    x=both([*geo(1e-12, 1e-2, 5), *geo(0.05, 0.9, 4), 1 - 2.0**-12, 1 - 2.0**-20]),
)
case(
    "increment.conjugate_powers",
    lambda m, x, a: (1 + x) ** a - (1 - x) ** a,
    wrt="x",
    x=both([*geo(1e-14, 1e-4, 5), *geo(1e-3, 0.3, 3)]),
    a=cyc(16, 0.5, 2.5, -1.5, 10),
)
case(
    "increment.at_least_one",
    lambda m, p, n: 1 - (1 - p) ** n,
    wrt="p",
    p=[*geo(1e-14, 1e-4, 7), *geo(1e-3, 0.3, 4)],
    n=cyc(11, 2, 23, 100),
)
case(
    "increment.shifted_box_cox",
    lambda m, x, k: ((1 + x) ** k - 1) / k,
    wrt="x",
    x=[*geo(1e-9, 0.1, 6), *geo(0.5, 1e3, 5)],
    k=cyc(11, 1e-10, 1e-6, 1e-3, 0.1, -1e-8, 2),
)
case(
    "increment.gap_of_decays",
    lambda m, t, a, b: (m.exp(-a * t) - m.exp(-b * t)) / (b - a),
    wrt="t",
    t=[0.5, 3.0, 0.125, 8.0, 1.0, 20.0, 2.5, 0.75],
    a=NEAR[:8],
    b=shifted(NEAR[:8], 1, 3),
)

# ---- beside classic1 ----

case(
    "textbook.inverse_square_gap",
    lambda m, x: 1 / x**2 - 1 / (x + 1) ** 2,
    x=[*geo(1, 1e4, 5), *geo(1e5, 1e15, 5), *geo(1e16, 1e50, 3)],
)
case(
    "textbook.root_second_difference",
    lambda m, x: m.sqrt(x + 1) - 2 * m.sqrt(x) + m.sqrt(x - 1),
    wrt="",
    x=[*geo(2, 1e4, 5), *geo(1e5, 1e15, 5), *geo(1e16, 1e90, 3)],
)
case("textbook.scaled_root_gap", lambda m, x: x * (m.sqrt(x * x + 1) - x), x=LARGE)
case("textbook.square_of_next_less_square", lambda m, x: (1 + x) ** 2 - 1, x=[*SMALL, 3.0, 1e5])
case("textbook.circle_sagitta", lambda m, x: 1 - m.sqrt(1 - x * x), x=both([*geo(1e-12, 1e-3, 5), *geo(0.01, 0.95, 4)]))
case("textbook.cot_less_inverse", lambda m, x: m.cos(x) / m.sin(x) - 1 / x, wrt="", x=both(geo(1e-8, 0.5, 7)))
case("textbook.sine_over_less_1", lambda m, x: m.sin(x) / x - 1, wrt="", x=ANGLES)
case(
    "textbook.square_of_expm1_written_out",
    lambda m, x: m.exp(2 * x) - 2 * m.exp(x) + 1,
    x=both([*geo(1e-7, 1e-2, 5), *geo(0.1, 40, 4)]),
)
case("textbook.exp_of_inverse_less_1", lambda m, x: m.exp(1 / x) - 1, x=both(geo(0.5, 1e18, 8)))
case("textbook.log_of_next_fraction", lambda m, x: x * m.log(1 + 1 / x), wrt="", x=LARGE)
case("textbook.cos_over", lambda m, x: (1 - m.cos(x)) / x, x=ANGLES)
case("textbook.root_of_versine", lambda m, x: m.sqrt((1 - m.cos(x)) / 2), x=ANGLES)
case("textbook.half_angle_root", lambda m, x: m.sqrt((1 - m.cos(x)) / (1 + m.cos(x))), wrt="", x=ANGLES)
case("textbook.tan_less_x", lambda m, x: m.tan(x) - x, x=both([*geo(1e-5, 0.1, 5), 0.3, 0.9, 1.4]))
case(
    "textbook.fraction_gap",
    lambda m, x: (x + 1) / x - x / (x - 1),
    x=[*geo(2, 1e4, 5), *geo(1e5, 1e15, 5), *geo(1e16, 1e60, 3)],
)
case("textbook.log_root_pair", lambda m, x: m.log(m.sqrt(x + 1)) - m.log(m.sqrt(x)), x=LARGE)
case(
    "textbook.cosine_gap_of_double",
    lambda m, x: m.cos(2 * x) - m.cos(x),
    wrt="",
    x=[*both(geo(1e-9, 0.5, 6)), 2.09439, 2.0943951],
)
case("textbook.root_quotient", lambda m, x: (m.sqrt(1 + x) - 1) / x, x=[*SMALL, *geo(1, 1e30, 5)])
case("textbook.inverse_of_root_gap", lambda m, x: 1 / (m.sqrt(x + 1) - m.sqrt(x)), x=LARGE)
case(
    "textbook.sinh_less_x", lambda m, x: (m.exp(x) - m.exp(-x)) / 2 - x, x=both([*geo(1e-4, 0.1, 4), *geo(0.3, 30, 4)])
)

# ---- beside classic2 ----

X = [
    0.265625,
    1.23046875,
    0.4453125,
    0.90234375,
    0.6796875,
    1.05859375,
    0.33984375,
    0.78125,
    0.5625,
    1.14453125,
    0.4140625,
    0.97265625,
]
E = [x * 2.0 ** -(3 + 2 * k) for k, x in enumerate(X)]
case("pair.exp_step", lambda m, x, e: m.exp(x + e) - m.exp(x), wrt="x e", x=X, e=E)
case("pair.log_step", lambda m, x, e: m.log(x + e) - m.log(x), x=X, e=E)
case("pair.root_step", lambda m, x, e: m.sqrt(x + e) - m.sqrt(x), x=[*X, *FAR], e=[*E, *[v * 2.0**-30 for v in FAR]])
case("pair.cube_step", lambda m, x, e: (x + e) ** 3 - x**3, x=X, e=E)
case("pair.sinh_step", lambda m, x, e: m.sinh(x + e) - m.sinh(x), x=X, e=E)
case("pair.arctan_step", lambda m, x, e: m.arctan(x + e) - m.arctan(x), x=X, e=E)
case("pair.cos_quotient", lambda m, x, e: (m.cos(x + e) - m.cos(x)) / e, wrt="", x=X, e=E)
case(
    "pair.cosine_of_difference_rest",
    lambda m, x, y: 1 - (m.cos(x) * m.cos(y) + m.sin(x) * m.sin(y)),
    x=[u + e for u, e in zip(X, E, strict=True)],
    y=X,
)
case("pair.cubes", lambda m, a, b: a**3 - b**3, b=NEAR, a=shifted(NEAR, 2, 1))
case(
    "pair.hypot_less_side", lambda m, a, b: m.sqrt(a * a + b * b) - a, wrt="b", a=geo(1, 1e6, 10), b=geo(3.0, 1e-9, 10)
)
case("pair.log_of_sum_less_log", lambda m, a, b: m.log(a + b) - m.log(a), a=geo(1, 1e3, 12), b=geo(1e-17, 1, 12))
case("pair.parallel_loss", lambda m, a, b: a - a * b / (a + b), a=geo(1e-9, 1, 10), b=geo(1e6, 3, 10))
case(
    "pair.smaller_root",
    lambda m, b, c: b - m.sqrt(b * b - c),
    wrt="c",
    b=[10.0**k * 1.37 for k in (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 60, 155, 200)],
    c=cyc(13, 1.25, 0.75, -1.5),
)
