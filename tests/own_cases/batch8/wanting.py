"""Formulas that were wrong at first sight, found among 400 spellings and 800 formulas of public suites: not in the counts."""

from __future__ import annotations

from functools import partial

from own_cases.batch8.spellings import ANGLES, CHANCES, FAR, LOGITS, POSITIVE, RANGE, beside, beside_chances
from own_cases.case import SMALL, TINY, cyc, geo
from own_cases.case import case as any_case

case = partial(any_case, batch=8)

case("spelt.sqrt_x2px_minus", lambda m, x: x - m.sqrt(x * x - x), x=FAR)
case("spelt.xsqrt_gap", lambda m, x: x * (m.sqrt(x * x + 1) - x), x=geo(2, 1e7))
case(
    "spelt.js_two",
    lambda m, a, b: 0.5 * a * m.log(2 * a / (a + b)) + 0.5 * b * m.log(2 * b / (a + b)),
    a=CHANCES,
    b=beside_chances(CHANCES),
)
case("spelt.renyi", lambda m, p, a: m.log(p**a + (1 - p) ** a) / (1 - a), p=CHANCES, a=cyc(8, 0.999999, 1.0001, 2, 0.5))
case(
    "spelt.tsallis", lambda m, p, q: (1 - p**q - (1 - p) ** q) / (q - 1), p=CHANCES, q=cyc(8, 1.000001, 0.9999, 2, 0.5)
)
case("spelt.erf_x", lambda m, x: m.erf(x) / x, x=SMALL)
case("spelt.var2", lambda m, a, b: (a * a + b * b) / 2 - ((a + b) / 2) ** 2, a=POSITIVE, b=beside(POSITIVE))
case("spelt.snell", lambda m, a, n, b: m.sin(a) / n - m.sin(b), a=ANGLES, n=cyc(8, 1.5, 1.33), b=ANGLES[::-1])
case("spelt.dirichlet", lambda m, n, x: m.sin(n * x) / m.sin(x), n=cyc(8, 2, 3, 5, 7), x=geo(1e-10, 1))
case(
    "spelt.lp_norm",
    lambda m, a, p, b: (abs(a) ** p + abs(b) ** p) ** (1 / p),
    a=RANGE[:8],
    p=cyc(8, 3, 1.5, 4),
    b=RANGE[1:9],
)
case(
    "spelt.huberized",
    lambda m, a, b, d: m.sqrt(1 + ((a - b) / d) ** 2) - 1,
    a=POSITIVE,
    b=beside(POSITIVE),
    d=cyc(8, 1, 0.1),
)
case("spelt.hinge_log", lambda m, y, x: m.log(1 + m.exp(-y * x)) / 0.6931471805599453, y=cyc(8, 1, -1), x=LOGITS[::3])
case("spelt.tanh_m_x", lambda m, x: (x - m.tanh(x)) / x**3, x=TINY)
case(
    "spelt.dist_line",
    lambda m, a, x, b, y, c: abs(a * x + b * y + c) / m.sqrt(a * a + b * b),
    a=RANGE[:8],
    x=cyc(8, 1, 2),
    b=RANGE[1:9],
    y=cyc(8, 3, 1),
    c=cyc(8, 0, 1),
)
case("spelt.slerp", lambda m, t, o: m.sin((1 - t) * o) / m.sin(o), t=CHANCES, o=geo(1e-9, 1.5))
case(
    "spelt.wilson",
    lambda m, p, z, n: (p + z * z / (2 * n) - z * m.sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n),
    p=CHANCES,
    z=cyc(8, 1.96),
    n=cyc(8, 10, 1000, 1e6),
)
case(
    "spelt.gompertz_h",
    lambda m, b, c, t: m.log(b) + c * t - b / c * (m.exp(c * t) - 1),
    b=cyc(8, 1, 0.1),
    c=cyc(8, 1e-8, 0.1, 1),
    t=cyc(8, 1, 5),
)
case("spelt.mills_gap", lambda m, x: m.exp(x * x) * m.erfc(x) * x - 0.5641895835477563, x=geo(1, 1e4))
case("spelt.reciprocal_roots", lambda m, x: 1 / m.sqrt(x) - 1 / m.sqrt(x + 1), x=FAR)
case(
    "spelt.sine_gap_far",
    lambda m, x, e: m.sin(x + e) - m.sin(x),
    x=[10.69018012811826, 0.78, -771.125, 40184.12, 3e5, -1, 1e-3, 101.5],
    e=[0.5635716887312139, 25.15, 56.8, 4.3e-5, -1e-9, -0.99, 1e-20, 0.09],
)
case(
    "spelt.cosine_gap_far",
    lambda m, x, e: m.cos(x + e) - m.cos(x),
    x=[10.69018012811826, 0.78, -771.125, 40184.12, 3e5, -1, 1e-3, 101.5],
    e=[0.5635716887312139, 25.15, 56.8, 4.3e-5, -1e-9, -0.99, 1e-20, 0.09],
)
case("spelt.root_finding", lambda m, x, z, a: x * z / m.sqrt(z * z - a), x=POSITIVE, z=geo(3, 1e9), a=cyc(8, 1, 0.5, 2))
case(
    "spelt.density_of_air",
    lambda m, z: (
        10 ** (0.34047 * z**6 - 0.5889 * z**5 - 0.5269 * z**4 + 1.0036 * z**3 + 0.60713 * z**2 - 2.3024 * z - 12.575)
    ),
    z=[-1.75, -1.2, -0.4, 0.3, 1.1, 1.75],
)
case(
    "spelt.wilkinson",
    lambda m, x: (
        (x - 1)
        * (x - 2)
        * (x - 3)
        * (x - 4)
        * (x - 5)
        * (x - 6)
        * (x - 7)
        * (x - 8)
        * (x - 9)
        * (x - 10)
        * (x - 11)
        * (x - 12)
    ),
    x=[1.1, 2.113599984972267, 2.675180144734905, 5.3749587970153785, 11.9],
    wrt="",
)
case("spelt.softplus_step", lambda m, x: m.log((1 + m.exp(x)) / (1 + m.exp(x - 1))), x=LOGITS)
case(
    "spelt.kahan_monster",
    lambda m, t: (1 + (2 * t / (1 + t)) ** 2) / (2 + (2 * t / (1 + t)) ** 2),
    t=[0.07208937202722743, 3.7342936992645264, 100, 1e-8],
)
