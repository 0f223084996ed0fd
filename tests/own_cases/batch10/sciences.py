"""Numerical analysts' examples, and formulas of physics, chemistry, astronomy, surveying, signals and money."""

from __future__ import annotations

from own_cases.batch10 import beside, case
from own_cases.case import BIG, PI, SMALL, TINY, both, cyc, geo, lin

POSITIVE = [0.375, 1.25, 2.9, 5.5, 0.8125, 13.7, 19.3, 7.75]
ANGLES = [0.125, 0.4, 0.7853981633974483, 1.1, 1.25, 1.4, 0.9, 0.25]
FAR = [*geo(10, 1e15), *geo(1e17, 1e36, 3), *geo(1e40, 1e150, 4)]
WIDE = [1e-250, 3e-30, 2e-5, 0.7, 40.0, 5e7, 2e30, 1e200, 1e-160, 7e-20, 3e12]


# ---- Hamming, Higham, Kahan, Muller: differences of neighbours, means, roots ----

case("next.arcsin", lambda m, x, d: m.arcsin(x + d) - m.arcsin(x), x=lin(-0.8, 0.7), d=geo(1e-9, 0.125))
case("next.log_sine", lambda m, x, d: m.log(m.sin(x + d)) - m.log(m.sin(x)), x=ANGLES, d=geo(1e-9, 0.1))
case("next.square_root_thrice", lambda m, x: m.sqrt(x + 2) - 2 * m.sqrt(x + 1) + m.sqrt(x), x=geo(1, 1e9))
case("next.logs_thrice", lambda m, x: m.log(x + 1) - 2 * m.log(x) + m.log(x - 1), x=geo(2, 1e9))
case("next.fourth_root", lambda m, x: (x + 1) ** 0.25 - x**0.25, x=FAR)
case("next.x_to_x", lambda m, x: (x + 1) * m.log(1 + 1 / x) - 1, x=BIG)
case("next.arctan_two", lambda m, x: m.arctan(2 * x) - m.arctan(x), x=both(geo(1e-6, 1e9)))
case("next.sqrt_cubes", lambda m, x: (x + 1) ** 1.5 - x**1.5, x=geo(1, 1e12))
case("next.cosine_quotient", lambda m, x: (m.cos(x) - m.cos(3 * x)) / x**2, x=TINY)
case("next.sine_thrice", lambda m, x, h: m.sin(x + h) - 2 * m.sin(x) + m.sin(x - h), x=ANGLES, h=geo(1e-6, 0.5))
case(
    "kahan.root_of_product",
    lambda m, x, y: m.sqrt((x - y) * (x + y)),
    x=POSITIVE,
    y=[0.3125, 1.0, 2.875, 5.4375, 0.8124, 13.69, 19.2999, 7.7],
)
case("kahan.square_gap_over", lambda m, x, y: (x * x - y * y) / (x - y), x=POSITIVE, y=beside(POSITIVE))
case(
    "kahan.cross_over",
    lambda m, a, b, c, d: (a * d - b * c) / (a * d + b * c),
    a=POSITIVE,
    b=beside(POSITIVE),
    c=POSITIVE[::-1],
    d=POSITIVE[::-1],
)
case("kahan.small_root", lambda m, a, b: a - m.sqrt(a * a + b), a=WIDE, b=cyc(24, 1, 0.25))
case("kahan.acos_pair", lambda m, x: m.arccos(x) - m.arccos(-x), x=SMALL)
case("kahan.tan_half_pair", lambda m, a, b: m.tan(a) - m.tan(b), a=ANGLES, b=beside(ANGLES))
case("kahan.sums_of_roots", lambda m, x: m.sqrt(x + m.sqrt(x)) - m.sqrt(x - m.sqrt(x)), x=geo(2, 1e15))
case("kahan.asinh_gap", lambda m, x: m.log(x + m.sqrt(x * x + 1)) - m.log(2 * x), x=geo(1, 1e9))
case("kahan.gudermannian", lambda m, x: 2 * m.arctan(m.exp(x)) - PI / 2, x=both([0.01, 0.5, 3, 9, 30]))

# ---- special functions and series' remainders ----

case("rest.erf", lambda m, x: m.erf(x) - 1.1283791670955126 * x, x=[0.01, 0.1, 0.5, 1.5, -0.05, -0.25])
case("rest.tanh_fifth", lambda m, x: m.tanh(x) - x + x**3 / 3, x=[0.75, 0.25, -0.0625, 0.015625, 2.0**-9])
case("rest.arctan_fifth", lambda m, x: m.arctan(x) - x + x**3 / 3, x=[0.75, 0.25, -0.0625, 0.015625, 2.0**-9])
case("rest.arcsin_third", lambda m, x: m.arcsin(x) / x - 1 - x * x / 6, x=[0.75, 0.25, -0.0625, 0.015625, 2.0**-7])
case(
    "rest.log1p_fourth",
    lambda m, x: m.log(1 + x) - x + x * x / 2 - x**3 / 3,
    x=[0.75, 0.25, -0.0625, 0.015625, 2.0**-9],
)
case("rest.sinh_fifth", lambda m, x: m.sinh(x) - x - x**3 / 6, x=[0.75, 0.25, -0.0625, 0.015625, 2.0**-9])
case("rest.cosh_fourth", lambda m, x: m.cosh(x) - 1 - x * x / 2, x=TINY)
case("rest.asinh_third", lambda m, x: x - m.log(x + m.sqrt(1 + x * x)), x=TINY)
case("rest.geometric", lambda m, x: 1 / (1 - x) - 1 - x - x * x, x=TINY)
case("rest.inverse_root", lambda m, x: 1 / m.sqrt(1 + x) - 1 + x / 2, x=SMALL)
case("rest.expm1_quotient", lambda m, x: (m.exp(x) - 1 - x) / (x * x) - 0.5, x=TINY)
case("rest.erfc_first", lambda m, x: 1 - m.erfc(x), x=SMALL)
case("rest.digamma_gap", lambda m, x: m.digamma(x + 0.5) - m.log(x), x=geo(1, 1e5))
case("rest.gammaln_half", lambda m, x: m.gammaln(x + 0.5) - m.gammaln(x) - 0.5 * m.log(x), x=geo(1, 1e5))
case("rest.power_of_small", lambda m, x, e: (x**e - 1) / e - m.log(x), x=POSITIVE, e=geo(1e-6, 0.5))

# ---- physics, chemistry, astronomy ----

case(
    "nature.bose_chemical",
    lambda m, b, e, u: 1 / (m.exp(b * (e - u)) - 1),
    b=cyc(24, 1, 30, 1e-3),
    e=POSITIVE,
    u=[v * (1 - 2.0 ** -(2 + 2 * k)) for k, v in enumerate(POSITIVE)],
)
case("nature.wien_gap", lambda m, x: x**3 / (m.exp(x) - 1) - x**3 * m.exp(-x), x=geo(1e-6, 300))
case("nature.coth_curie", lambda m, x: m.cosh(x) / m.sinh(x) - 1 / x - x / 3, x=[0.75, 0.25, -0.0625, 3, 20.0, 300])
case("nature.velocity_from_energy", lambda m, t: m.sqrt(1 - 1 / (1 + t) ** 2), t=geo(1e-12, 1e12))
case("nature.doppler_gap", lambda m, b: m.sqrt((1 + b) / (1 - b)) - 1 - b, b=geo(1e-7, 0.9))
case("nature.aberration", lambda m, c, b: (c - b) / (1 - b * c) - c, c=lin(-0.9, 0.9), b=geo(1e-12, 0.9))
case(
    "nature.tully",
    lambda m, a, b, c: m.sqrt(a) * m.sqrt(b) / m.sqrt(c) - 1,
    a=POSITIVE,
    b=POSITIVE[::-1],
    c=beside([u * v for u, v in zip(POSITIVE, POSITIVE[::-1], strict=True)]),
)
case(
    "nature.arrhenius_ratio",
    lambda m, e, s, t: m.exp(-e / (8.314 * s)) / m.exp(-e / (8.314 * t)) - 1,
    e=cyc(24, 5e4, 1e6),
    s=lin(280, 350),
    t=beside(lin(280, 350)),
)
case("nature.nernst_gap", lambda m, a, b: 25.69 * (m.log(a) - m.log(b)), a=WIDE, b=beside(WIDE))
case(
    "nature.buffer",
    lambda m, k, a, b: (-(k + b) + m.sqrt((k + b) ** 2 + 4 * k * a)) / 2,
    k=geo(1e-12, 1e-2),
    a=cyc(24, 0.1, 1e-3),
    b=cyc(24, 0.2, 1e-4, 1),
)
case("nature.debye_length", lambda m, x: m.exp(-x) / x - m.exp(-2 * x) / (2 * x), x=geo(1e-6, 300))
case("nature.first_order", lambda m, k, t: 1 - m.exp(-k * t) * (1 + k * t), k=geo(1e-6, 30), t=cyc(24, 1, 0.25))
case(
    "nature.oscillator",
    lambda m, w, v, t: (m.cos(w * t) - m.cos(v * t)) / (v * v - w * w),
    w=POSITIVE,
    v=beside(POSITIVE),
    t=cyc(24, 0.25, 0.5),
)
case("nature.beats", lambda m, w, v: m.sin(w) - m.sin(v), w=POSITIVE, v=beside(POSITIVE))
case("nature.reduced_mass_gap", lambda m, a, b: a - a * b / (a + b), a=cyc(24, 1, 0.5), b=geo(1, 1e15))
case("nature.kepler_period_gap", lambda m, a, d: (a + d) ** 1.5 - a**1.5, a=POSITIVE, d=geo(1e-12, 0.5))
case("nature.lens_thick", lambda m, r, d: r - m.sqrt(r * r - d * d / 4), r=geo(1, 1e9), d=cyc(24, 1, 0.25))
case("nature.capacitor", lambda m, a, b: 1 / m.log(a / b), a=beside(POSITIVE), b=POSITIVE)
case("nature.sphere_shell", lambda m, a, b: (a**3 - b**3) / (a**2 - b**2), a=beside(POSITIVE), b=POSITIVE)
case(
    "nature.log_wind",
    lambda m, u, v, z: (u - v) / m.log(u / v) - z,
    u=POSITIVE,
    v=[v / 3 for v in POSITIVE],
    z=cyc(24, 0.1),
)
case("nature.mean_temperature", lambda m, a, b: (a - b) / m.log(a / b), a=beside(POSITIVE), b=POSITIVE)
case("nature.efficiency", lambda m, a, b: 1 - (b / a) ** 0.4, a=beside(POSITIVE), b=POSITIVE)
case("nature.isentropic", lambda m, u: (1 + 0.2 * u * u) ** 3.5 - 1, u=geo(1e-9, 3))
case(
    "nature.normal_shock", lambda m, u: (7 * u * u - 1) / 6 - 1, u=[1 + 2.0**-k for k in (1, 4, 9, 15, 20)] + [3.0, 50]
)
case(
    "nature.refraction",
    lambda m, n, a: a - m.arcsin(m.sin(a) / n),
    n=[1 + 2.0**-k for k in (1, 4, 7, 10, 13, 16, 18, 20)],
    a=ANGLES,
)

# ---- the globe, signals, money ----

case("land.versine_distance", lambda m, a, b, l: 2 * m.arcsin(m.sqrt((1 - m.cos(a - b)) / 2 + m.cos(a) * m.cos(b) * (1 - m.cos(l)) / 2)),
     a=ANGLES, b=beside(ANGLES), l=geo(1e-8, 2))  # fmt: skip
case("land.spherical_excess", lambda m, a, b, c: 2 * m.arctan2(m.tan(a / 2) * m.tan(b / 2) * m.sin(c), 1 + m.tan(a / 2) * m.tan(b / 2) * m.cos(c)),
     a=geo(1e-8, 1), b=geo(1e-6, 1.2), c=ANGLES)  # fmt: skip
case("land.meridian_gap", lambda m, e, p: 1 / m.sqrt(1 - e * m.sin(p) ** 2) - 1, e=geo(1e-9, 0.5), p=ANGLES)
case("land.traverse", lambda m, d, a, b: d * m.cos(a) - d * m.cos(b), d=geo(1, 1e6), a=ANGLES, b=beside(ANGLES))
case("wave.chirp", lambda m, a, b: m.sin(a * a) - m.sin(b * b), a=POSITIVE, b=beside(POSITIVE))
case(
    "wave.dirichlet", lambda m, x, n: m.sin((n + 0.5) * x) / m.sin(x / 2) - 2 * n - 1, x=geo(1e-6, 0.1), n=cyc(24, 1, 4)
)
case("wave.fejer", lambda m, x: (m.sin(2 * x) / m.sin(x / 2)) ** 2 / 4, x=[*geo(1e-300, 1e-30, 3), *geo(1e-9, 3, 5)])
case("wave.bilinear", lambda m, w: (m.tan(w / 2) - 1) / (m.tan(w / 2) + 1), w=[1.5707963, 1.57, 1.5, 0.5, 1e-6, 3.0])
case(
    "coin.forward_gap",
    lambda m, r, q, t: m.exp((r - q) * t) - 1,
    r=beside(geo(1e-6, 0.2)),
    q=geo(1e-6, 0.2),
    t=cyc(24, 1, 0.25, 30),
)
case(
    "coin.call_put_sum",
    lambda m, d: m.erf(d / 2.8284271247461903) - d / 2.5066282746310002,
    d=[0.01, 0.1, 0.5, 1.5, -0.05, -0.25],
)
case(
    "coin.log_ratio_rates", lambda m, r, f: m.log(1 + r) / m.log(1 + f) - 1, r=beside(geo(1e-6, 0.2)), f=geo(1e-6, 0.2)
)
case("coin.perpetuity_less", lambda m, r, n: 1 / r - (1 - (1 + r) ** -n) / r, r=geo(1e-6, 0.3), n=cyc(24, 12, 360, 30))
case("coin.rule_of_72", lambda m, r: m.log(2.0 + 0 * r) / m.log(1 + r) - 0.6931471805599453 / r, r=geo(1e-6, 0.5))
case(
    "coin.convex_utility",
    lambda m, w, d, g: ((w + d) ** (1 - g) - w ** (1 - g)) / (1 - g),
    w=POSITIVE,
    d=geo(1e-9, 0.5),
    g=cyc(24, 2, 0.999, 0.5, 1.0001),
)
case(
    "coin.certainty",
    lambda m, a, x, y: -m.log((m.exp(-a * x) + m.exp(-a * y)) / 2) / a,
    a=geo(1e-9, 50),
    x=POSITIVE,
    y=POSITIVE[::-1],
)
