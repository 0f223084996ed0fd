"""Hamming (1962), chapter 3, and what FPBench collects from the literature."""

from __future__ import annotations

from own_cases.case import BIG, NEAR1, SMALL, TINY, both, case, cyc, geo, lin

# ---- batch 1 ----

case("hamming.sqrt_cube", lambda m, x: m.sqrt(x + 1) / x - 1 / m.sqrt(x), x=BIG)
case("hamming.log_gap", lambda m, x: m.log(x + 1) - m.log(x - 1), x=geo(3, 1e15))
case("hamming.cos_gap", lambda m, x, e: m.cos(x + e) - m.cos(x), x=cyc(8, 0.5, 1.25, 2, -3), e=geo(2**-40, 0.1))
case("hamming.arctan_gap", lambda m, x: m.arctan(x + 1) - m.arctan(x), x=BIG)
case("hamming.tan_minus_sin", lambda m, x: m.tan(x) - m.sin(x), x=TINY)
case("hamming.one_minus_cos_over_sin", lambda m, x: (1 - m.cos(x)) / m.sin(x), x=SMALL)
case("hamming.exp_gap", lambda m, x: m.exp(x) - 2 + m.exp(-x), x=TINY)
case("hamming.cube_root_sum", lambda m, x: (x + 1) ** 0.25 - x**0.25, x=BIG)
case("hamming.inverse_root_gap", lambda m, x: 1 / m.sqrt(x) - 1 / m.sqrt(x + 1), x=BIG)
case("hamming.log_ratio_mean", lambda m, x: (x + 1) * m.log(x + 1) - x * m.log(x) - m.log(x) - 1, x=geo(2, 1e7))
case(
    "fpbench.doppler",
    lambda m, u, v, t: -(331.4 + 0.6 * t) * v / ((331.4 + 0.6 * t + u) ** 2),
    u=lin(-100, 100, 6),
    v=geo(20, 2e4, 6),
    t=lin(-30, 50, 6),
)
case(
    "fpbench.turbine",
    lambda m, v, w, r: 3 + 2 / (r * r) - 0.125 * (3 - 2 * v) * (w * w * r * r) / (1 - v) - 4.5,
    v=lin(-4.5, -0.3, 6),
    w=lin(0.4, 0.9, 6),
    r=lin(3.8, 7.8, 6),
)
case("fpbench.predator", lambda m, x: 4 * x * x / (1 + (x / 1.11) ** 2), x=lin(0.1, 0.3, 5))
case("fpbench.verhulst", lambda m, x: 4 * x / (1 + x / 1.11), x=lin(0.1, 0.3, 5))
case(
    "fpbench.carbon_gas",
    lambda m, v: (3.5e7 + 0.401 * (1000 / v) ** 2) * (v - 1000 * 42.7e-6) - 1.3806503e-23 * 1000 * 300,
    v=lin(0.1, 0.5, 5),
)
case("fpbench.nmse_sqrt_abs", lambda m, x: m.sqrt(m.exp(x) - 1), x=geo(1e-15, 1))
case("fpbench.intro_ratio", lambda m, t: t / (t + 1), t=geo(1e-9, 1e18))
case("fpbench.sec4", lambda m, x: (x - 1) / (x * x - 1), x=[1 + 2.0**-k for k in range(2, 22, 2)])
case("fpbench.x_by_xy", lambda m, x, y: (x + y) / (x - y), x=[1 + 2.0**-k for k in range(2, 22, 2)], y=cyc(10, 1))
case("fpbench.logexp2", lambda m, x: m.log(1 - m.exp(-x)), x=[*geo(1e-20, 1), *geo(2, 900, 5)])
case("fpbench.asymptote", lambda m, x: (x / (x - 1)) - (x + 1) / x, x=BIG)
case("fpbench.root_pair", lambda m, x: m.sqrt(x + 1) - m.sqrt(x) - 1 / (2 * m.sqrt(x)), x=geo(10, 1e8))
case("fpbench.sinh_over", lambda m, x: m.sinh(x) / x - 1, x=TINY)
case("fpbench.hypot_minus", lambda m, x, y: m.sqrt(x * x + y * y) - x, x=geo(1, 1e150), y=cyc(8, 1, 1e-5, 3))
case("fpbench.cos_squares", lambda m, x: (1 - m.cos(x)) / (x * x), x=SMALL)
case("fpbench.exp_minus_cos", lambda m, x: m.exp(x) - m.cos(x), x=SMALL)

# ---- batch 3 ----

case("hamming.sine_by_tangent", lambda m, x: (x - m.sin(x)) / (x - m.tan(x)), batch=3, x=TINY)
case(
    "hamming.exp_quotient",
    lambda m, a, b, e: e * (m.exp((a + b) * e) - 1) / ((m.exp(a * e) - 1) * (m.exp(b * e) - 1)),
    batch=3,
    a=cyc(8, 1.5, -2, 0.5),
    b=cyc(8, 0.25, 3),
    e=geo(1e-12, 1),
)
case("hamming.log_quotient", lambda m, x: m.log(1 - x) / m.log(1 + x), batch=3, x=both(geo(1e-12, 0.9)))
case(
    "hamming.sqrt_exp", lambda m, x: m.sqrt((m.exp(2 * x) - 1) / (m.exp(x) - 1)), batch=3, x=[*both(geo(1e-14, 5)), 300]
)
case("hamming.three_fractions", lambda m, x: 1 / (x + 1) - 2 / x + 1 / (x - 1), batch=3, x=BIG)
case("hamming.cot_gap", lambda m, x: 1 / x - 1 / m.tan(x), batch=3, x=TINY)
case("hamming.nth_root", lambda m, x, n: (x + 1) ** (1 / n) - x ** (1 / n), batch=3, x=BIG, n=cyc(8, 2, 3, 7), wrt="x")
case(
    "hamming.tan_gap", lambda m, x, e: m.tan(x + e) - m.tan(x), batch=3, x=cyc(8, 0.5, 1.25, 2, -3), e=geo(2**-40, 0.1)
)
case("hamming.log_of_ratio", lambda m, x: m.log((1 - x) / (1 + x)), batch=3, x=[*both(geo(1e-14, 0.9)), *NEAR1])
case(
    "hamming.quadratic_minus",
    lambda m, a, b, c: (-b - m.sqrt(b * b - 4 * a * c)) / (2 * a),
    batch=3,
    a=cyc(8, 1, 0.5, 2),
    b=[3, -3, 1e4, -1e4, 1e9, -1e9, 1e150, -1e150],
    c=cyc(8, 1, 0.75),
)
case("hamming.cube_root_gap", lambda m, x: (x + 1) ** (1 / 3) - x ** (1 / 3), batch=3, x=BIG)
case(
    "fpbench.complex_root",
    lambda m, x, y: 0.5 * m.sqrt(2 * (m.sqrt(x * x + y * y) + x)),
    batch=3,
    x=[*both(geo(1e-3, 1e4, 5)), -1e150, 1e180],
    y=cyc(12, 1, 1e-4, -3),
)
case(
    "fpbench.complex_sine",
    lambda m, x, y: 0.5 * m.cos(x) * (m.exp(-y) - m.exp(y)),
    batch=3,
    x=cyc(16, 0.5, 1.5, 3),
    y=SMALL,
)
case("fpbench.exp_by_log", lambda m, x: (m.exp(x) - 1) / m.log(m.exp(x)), batch=3, x=[*both(geo(1e-14, 1)), 30])
case("fpbench.inverse_sinh", lambda m, x: m.log(x + m.sqrt(x * x + 1)), batch=3, x=both([*geo(1e-14, 1e14), 1e200]))
case(
    "fpbench.logistic_cost",
    lambda m, x, y: m.log(1 + m.exp(x)) - x * y,
    batch=3,
    x=[*both(geo(1e-3, 40, 6)), 800, -800],
    y=cyc(14, 1, 0, 0.25),
    wrt="x",
)
case(
    "fpbench.lambert_newton",
    lambda m, w, x: w - (w * m.exp(w) - x) / (m.exp(w) + w * m.exp(w)),
    batch=3,
    w=[0.25, 1, 2.5, 10, 100, 600],
    x=[0.3, 3, 30, 2e5, 1e40, 1e250],
)
case(
    "fpbench.rigid_body",
    lambda m, x, y, z: -x * y - 2 * y * z - x - z,
    batch=3,
    x=lin(-15, 15, 7),
    y=[2.5, -0.75, 14, 1.0625, -3, 8, -15],
    z=lin(12, -14, 7),
)
case("fpbench.jet_ratio", lambda m, x: (3 * x * x + 2 - x) / (x * x + 1) - 3, batch=3, x=both(geo(1, 1e12)))
case("fpbench.union", lambda m, p, q: m.log(1 - (1 - p) * (1 - q)), batch=3, p=geo(1e-20, 0.9), q=geo(1e-17, 0.5))
