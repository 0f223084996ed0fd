"""What grows over time: finance, and steps of differential equations."""

from __future__ import annotations

from own_cases.case import ROOT2, both, case, cyc, geo, lin, shifted

# ---- batch 2 ----

case("finance.annuity", lambda m, r, n: r / (1 - (1 + r) ** -n), r=geo(1e-14, 0.2), n=cyc(8, 12, 360, 60), batch=2)
case("finance.effective_rate", lambda m, r: (1 + r / 365) ** 365 - 1, r=both(geo(1e-12, 0.3)), batch=2)
case("finance.present_value_gap", lambda m, r: 1 / (1 + r) - 1 / (1 + r) ** 2, r=geo(1e-14, 0.5), batch=2)
case(
    "finance.black_scholes_tail",
    lambda m, d: 0.5 * (1 + m.erf(d / ROOT2)),
    d=[-38.0, -30, -20, -8, -2, 0.5, 3],
    batch=2,
)
case(
    "finance.log_return",
    lambda m, p, q: m.log(q) - m.log(p),
    p=cyc(8, 100, 73.25),
    q=[v * (1 + 2.0 ** -(3 + 5 * k)) for k, v in enumerate(cyc(8, 100, 73.25))],
    batch=2,
)
case(
    "finance.forward_rate",
    lambda m, r, s: (1 + r) ** 2 / (1 + s) - 1,
    r=geo(1e-12, 0.1),
    s=[v * 1.5 for v in geo(1e-12, 0.1)],
    batch=2,
)
case("finance.duration_gap", lambda m, y, t: (1 - m.exp(-y * t)) / y, y=geo(1e-14, 1), t=cyc(8, 1, 10, 30), batch=2)
case("ode.exponential_euler", lambda m, z: (m.exp(z) - 1) / z, z=[*both(geo(1e-12, 1)), 30, -200, 700], batch=2)
case("ode.phi2", lambda m, z: (m.exp(z) - 1 - z) / (z * z), z=both(geo(1e-4, 5)), batch=2)
case("ode.phi3", lambda m, z: (m.exp(z) - 1 - z - z * z / 2) / (z * z * z), z=both(geo(1e-3, 5, 6)), batch=2)
case("ode.logistic_growth", lambda m, t: 1 / (1 + (1 / 1e-12 - 1) * m.exp(-t)), t=lin(0, 800, 9), batch=2)
case("ode.relaxation", lambda m, x, h: x * m.exp(-h) + (1 - m.exp(-h)), x=cyc(8, 0.5, -1, 2), h=geo(1e-14, 50), batch=2)
case(
    "ode.damped",
    lambda m, t, w: m.exp(-t) * (m.cosh(w * t) + m.sinh(w * t) / w),
    t=geo(1e-3, 900),
    w=cyc(8, 0.5, 0.999, 0.25),
    batch=2,
)
case("ode.cayley", lambda m, h: (1 - h / 2) / (1 + h / 2) - m.exp(-h), h=geo(1e-2, 3, 6), batch=2)
case(
    "ode.pendulum_energy",
    lambda m, q, p: p * p / 2 + (1 - m.cos(q)),
    q=both(geo(1e-9, 1, 5)),
    p=cyc(10, 1e-9, 1e-4, 0),
    wrt="q",
    batch=2,
)
case(
    "ode.crossing",
    lambda m, a, b: a / (a - b),
    a=cyc(6, 1, 2.5),
    b=[v * (1 - 2.0 ** -(2 + 3 * k)) for k, v in enumerate(cyc(6, 1, 2.5))],
    batch=2,
)
case("ode.michaelis", lambda m, s: s / (1 + s) - 1, s=geo(1, 1e18), batch=2)

# ---- batch 3 ----

case(
    "finance.mortgage",
    lambda m, r, n: r * (1 + r) ** n / ((1 + r) ** n - 1),
    batch=3,
    r=geo(1e-14, 0.2),
    n=cyc(8, 12, 360, 60),
    wrt="r",
)
case(
    "finance.call_price",
    lambda m, s, k, v: (
        s * 0.5 * m.erfc(-(m.log(s / k) + v * v / 2) / v / ROOT2)
        - k * 0.5 * m.erfc(-(m.log(s / k) - v * v / 2) / v / ROOT2)
    ),
    batch=3,
    s=[100.0, 100, 90, 50, 100, 120],
    k=[100.0, 101, 100, 100, 100.0625, 100],
    v=[0.2, 0.05, 0.1, 0.125, 1e-3, 0.3],
)
case(
    "finance.compound_gap",
    lambda m, r, n: (1 + r / n) ** n - m.exp(r),
    batch=3,
    r=geo(1e-3, 0.5, 6),
    n=cyc(6, 12, 365),
    wrt="r",
)
case(
    "finance.growing_annuity",
    lambda m, r, g, n: (1 - ((1 + g) / (1 + r)) ** n) / (r - g),
    batch=3,
    r=cyc(6, 0.05, 0.01, 0.1),
    g=shifted(cyc(6, 0.05, 0.01, 0.1), 2),
    n=cyc(6, 10, 360),
    wrt="r g",
)
case("finance.log_return_rest", lambda m, r: m.log(1 + r) - r + r * r / 2, batch=3, r=both(geo(1e-4, 0.5, 6)))
