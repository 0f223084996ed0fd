"""Formulas of papers and handbooks: physics, chemistry, biology, finance; larger ones than one line of a textbook."""

from __future__ import annotations

from functools import partial
from typing import Any

from own_cases.case import NEAR1, PI, ROOT2, SMALL, both, cyc, geo, lin, rows, shifted
from own_cases.case import case as any_case

case = partial(any_case, batch=7)

# ---- Herbie's papers ----

case("papers.toniolo_linder", lambda m, l, o, t, k: m.sqrt(0.5 * (1 + 1 / m.sqrt(1 + (2 * l / o) ** 2 * (m.sin(k) ** 2 + m.sin(t) ** 2)))),
     l=[1, 1e9, 1e-200, 3], o=[0.5, 1e-9, 1e-150, 1e200], t=[0.5, 3, 1e-9, 1], k=[0.25, 1e-3, 1e-6, 2])  # fmt: skip
case("papers.henrywood", lambda m, M, l, d, D, h: (d / h) ** 0.5 * (d / l) ** 0.5 * (1 - 0.5 * (M * D / (2 * d)) ** 2 * (h / l)),
     M=[0.5, 1, 1e-9], l=[1e3, 1, 2], d=[1, 1e-9, 1e9], D=[0.5, 1e-10, 1], h=[1, 3, 1e-3])  # fmt: skip
case(
    "papers.maksimov",
    lambda m, J, l, K, U: J * (m.exp(l) - m.exp(-l)) * m.cos(K / 2) + U,
    J=[1, 1e9, 0.5, 2],
    l=[1e-12, 0.5, 30, 600],
    K=[0.5, 3, 1e-9, 1],
    U=[1e-9, 3, 0.25, 1],
)
case(
    "papers.bouland",
    lambda m, a, b: (a * a + b * b) ** 2 + 4 * (a * a * (1 + a) + b * b * (1 - 3 * a)) - 1,
    a=[1e-3, 0.4, 3, -1],
    b=[0.5, 0.25, 1e-6, 2],
)
case(
    "papers.migdal",
    lambda m, x, y: m.cos(x) / ROOT2 * y * y + m.cos(x) / ROOT2 * (1 - y) ** 2,
    x=[0.5, 1.5, 3, 1e-9],
    y=[0.25, 1e-9, 1e9, 0.5],
)
case(
    "papers.vandenbroeck",
    lambda m, f: (
        -(1 / (PI / 4)) * m.log((m.exp(PI / 4 * f) + m.exp(-(PI / 4 * f))) / (m.exp(PI / 4 * f) - m.exp(-(PI / 4 * f))))
    ),
    f=[1e-9, 1e-3, 0.5, 20, 800],
)
case(
    "papers.givens",
    lambda m, p, x: m.sqrt(0.5 * (1 + x / m.sqrt(4 * p * p + x * x))),
    p=[1, 1e-9, 1e150, 3, 1e-200],
    x=[-1e6, 3, 1e-150, -1e-9, -1e-190],
)
case(
    "papers.harley",
    lambda m, c, s, t: (m.sigmoid(s) ** c * m.sigmoid(-s) ** (1 - c)) / (m.sigmoid(t) ** c * m.sigmoid(-t) ** (1 - c)),
    c=cyc(6, 0.25, 1, 3),
    s=[0.5, 30, -40, 3, 1e-9, 100],
    t=[0.25, 31, -41, -3, -1e-9, 101],
    wrt="s t",
)
case(
    "papers.dawson",
    lambda m, x: (
        x
        * (1 + 0.1049934947 * x**2 + 0.0424060604 * x**4 + 0.0072644182 * x**6)
        / (1 + 0.7715471019 * x**2 + 0.2909738639 * x**4 + 0.0694555761 * x**6)
    ),
    x=both([1e-200, 1e-3, 0.5, 3, 1e9]),
)
case(
    "papers.abramowitz_erf",
    lambda m, x: (
        1
        - (1 / (1 + 0.3275911 * x))
        * (0.254829592 + (1 / (1 + 0.3275911 * x)) * (-0.284496736 + (1 / (1 + 0.3275911 * x)) * 1.421413741))
        * m.exp(-x * x)
    ),
    x=[0.5, 1, 3, 5, 20],
)
case(
    "papers.hillenbrand",
    lambda m, a, b, e: m.sqrt((a - b) ** 2 + 4 * e * e) / 2 + (a + b) / 2,
    a=[-1, 1e8, 3, -5],
    b=[-1.0009765625, -1e8, 3, -5e-9],
    e=[1e-4, 1e-3, 1e-9, 2],
)
case(
    "papers.falkner",
    lambda m, f: (m.sqrt(f * f + 1) - f) * (m.sqrt(f * f + 1) + f) * m.log(f + m.sqrt(f * f + 1)),
    f=both([1e-9, 0.5, 30, 1e9]),
)

# ---- physics ----

K = 1.380649e-23

case("science.debye_huckel", lambda m, i: -0.509 * m.sqrt(i) / (1 + m.sqrt(i)) + 0.3 * i, i=geo(1e-12, 10, 6))
case(
    "science.van_der_waals",
    lambda m, v, t: 8 * t / (3 * v - 1) - 3 / v**2,
    v=[0.5, 1, 1 + 2**-12, 30, 1e6],
    t=[1, 1 + 2**-20, 0.9, 1.1, 2],
)
case("science.virial_rest", lambda m, v, b: v / (v - b) - 1 - b / v, v=geo(1, 1e6, 5), b=cyc(5, 0.25, 0.5))
case(
    "science.arrhenius_gap",
    lambda m, e, t, d: m.exp(-e / t) - m.exp(-e / (t + d)),
    e=[100.0, 3e4, 1e3, 5],
    t=[300.0, 250, 1e3, 3],
    d=[1e-3, 10, 1e-6, 0.5],
)
case("science.nernst", lambda m, a, b: 0.0257 * m.log(a / b), a=shifted(geo(1e-200, 1, 5)), b=geo(1e-200, 1, 5))
case(
    "science.goldman",
    lambda m, u, a, b: u * (a - b * m.exp(-u)) / (1 - m.exp(-u)),
    u=both([1e-9, 1e-3, 0.5, 30, 800]),
    a=cyc(10, 1, 3),
    b=cyc(10, 1 + 2**-20, 0.5),
)
case(
    "science.hodgkin_rate",
    lambda m, v: 0.1 * (v + 40) / (1 - m.exp(-(v + 40) / 10)),
    v=[-40 + 2**-16, -40 - 2**-10, -39, -100, 30, -8000],
)
case(
    "science.henderson",
    lambda m, k, c: (-k + m.sqrt(k * k + 4 * k * c)) / 2,
    k=geo(1e-14, 1e3, 6),
    c=cyc(6, 1e-9, 1, 1e3),
)
case(
    "science.morrison",
    lambda m, e, i, k: 1 - (e + i + k - m.sqrt((e + i + k) ** 2 - 4 * e * i)) / (2 * e),
    e=[1, 1e-6, 3, 0.5],
    i=[1e-9, 1, 3, 1e6],
    k=[0.5, 1e-9, 1e-6, 1e3],
)
case(
    "science.binding_two",
    lambda m, a, b, k: ((a + b + k) - m.sqrt((a + b + k) ** 2 - 4 * a * b)) / 2,
    a=[1e-9, 1, 1e-3, 1e6],
    b=[1, 1e-9, 1e-3, 3],
    k=[1e-3, 1e6, 1e-9, 1],
)
case(
    "science.clausius",
    lambda m, t: m.exp(17.27 * t / (237.3 + t)) - m.exp(17.27 * (t - 0.001) / (237.3 + t - 0.001)),
    t=[-30.0, 1e-3, 20, 90],
)
case("science.einstein_heat", lambda m, x: x**2 * m.exp(x) / (m.exp(x) - 1) ** 2, x=[*geo(1e-12, 1, 4), 30, 300, 700])
case("science.einstein_gap", lambda m, x: 1 - x**2 * m.exp(x) / (m.exp(x) - 1) ** 2, x=[*geo(1e-4, 1, 4), 30, 300])
case(
    "science.bose_log",
    lambda m, x, u: -m.log(1 - m.exp(u - x)),
    x=[1e-9, 1e-3, 0.5, 30, 800],
    u=[-1e-12, -1e-6, 0.25, -30, 799],
)
case(
    "science.ising_magnet",
    lambda m, h, j: m.exp(j) * m.sinh(h) / m.sqrt(m.exp(2 * j) * m.sinh(h) ** 2 + m.exp(-2 * j)),
    h=[1e-9, 0.5, 20, 300, -1e-3],
    j=[0.5, 20, -300, 30, -1],
)
case(
    "science.ising_free",
    lambda m, h, j: m.log(m.exp(j) * m.cosh(h) + m.sqrt(m.exp(2 * j) * m.sinh(h) ** 2 + m.exp(-2 * j))),
    h=[1e-9, 0.5, 20, 300, -1e-3],
    j=[0.5, 20, -300, 30, -1],
)
case(
    "science.bcs_gap",
    lambda m, e, d, t: 1 - e / m.sqrt(e * e + d * d) * m.tanh(m.sqrt(e * e + d * d) / (2 * t)),
    e=[1e3, 1, 1e-3, 30],
    d=[1e-3, 0.5, 1, 1e-6],
    t=[1, 0.01, 0.3, 20],
)
case("science.compton", lambda m, e, t: e - e / (1 + e * (1 - m.cos(t))), e=geo(1e-6, 10, 5), t=[0.5, 1e-6, 3, 1e-3, 2])
case(
    "science.doppler_full",
    lambda m, b, t: m.sqrt(1 - b * b) / (1 - b * m.cos(t)) - 1,
    b=[1e-12, 0.5, 1 - 2**-20, 1e-3],
    t=[0.5, 1e-6, 1e-3, 1.5],
)
case(
    "science.invariant_mass",
    lambda m, a, b, t: m.sqrt(2 * a * b * (1 - m.cos(t))),
    a=geo(1e-150, 1e150, 5),
    b=geo(1e-140, 1e140, 5),
    t=[1e-9, 0.5, 3, 1e-3, 1],
)
case(
    "science.momentum_transfer",
    lambda m, p, q, t: m.sqrt(p * p + q * q - 2 * p * q * m.cos(t)),
    p=[1, 1e200, 1e-200, 3],
    q=[1 + 2**-20, 1e200, 3e-200, 3],
    t=[1e-6, 0.5, 1e-3, 3],
)
case(
    "science.two_body",
    lambda m, M, a, b: ((M - a - b) * (M + a + b) * (M - a + b) * (M + a - b)) ** 0.5 / (2 * M),
    M=[1, 0.1396, 500, 3],
    a=[0.5, 0.1057, 1e-6, 1],
    b=[0.4999999, 0, 499.99, 1.5],
    wrt="M a",
)
case(
    "science.lambda_expanded",
    lambda m, x, y, z: m.sqrt(x * x + y * y + z * z - 2 * x * y - 2 * y * z - 2 * z * x),
    x=[1, 100, 9],
    y=[0.25, 1e-6, 1],
    z=[0.2499, 99.5, 3.5],
)
case("science.tidal", lambda m, d, r: 1 / (d - r) ** 2 - 1 / d**2, d=geo(60, 1e12, 5), r=cyc(5, 1, 0.5))
case("science.dipole", lambda m, r, d: 1 / (r - d) + 1 / (r + d) - 2 / r, r=geo(10, 1e6, 5), d=cyc(5, 0.5, 1e-2))
case("science.disc_field", lambda m, z, r: 1 - z / m.sqrt(z * z + r * r), z=geo(1e-6, 1e9, 6), r=cyc(6, 1, 1e-3))
case("science.schwarzschild", lambda m, r, s: 1 / m.sqrt(1 - s / r) - 1, r=geo(2, 1e15, 6), s=cyc(6, 1, 0.5, 1e-6))
case(
    "science.escape_gap",
    lambda m, r, h: m.sqrt(2 / r) - m.sqrt(2 / (r + h)),
    r=geo(1e-6, 1e9, 5),
    h=[1e-9, 1e-5, 1e-3, 10, 1],
)
case(
    "science.lens_sag",
    lambda m, y, R, k: y * y / (R * (1 + m.sqrt(1 - (1 + k) * (y / R) ** 2))),
    y=geo(1e-6, 0.9, 5),
    R=cyc(5, 1, 1e3),
    k=[-1.5, 0, -1, 0.1, -0.5],
)
case("science.sag_by_difference", lambda m, y, R: R - m.sqrt(R * R - y * y), y=geo(1e-6, 0.9, 5), R=cyc(5, 1, 1e3))
case(
    "science.fresnel_s",
    lambda m, a, b: -m.sin(a - b) / m.sin(a + b),
    a=[1e-6, 0.5, 1, 1.25],
    b=[0.5e-6, 0.5 - 2**-20, 0.75, 1.2499],
)
case(
    "science.reflectance",
    lambda m, n: ((n - 1) / (n + 1)) ** 2 - ((n - 1.0009765625) / (n + 1.0009765625)) ** 2,
    n=[1 + 2**-12, 1.33, 1.5, 30],
)
case(
    "science.airy_finesse",
    lambda m, r, d: 1 / (1 + 4 * r / (1 - r) ** 2 * m.sin(d / 2) ** 2),
    r=[0.5, *NEAR1[:4]],
    d=[1e-9, 1, 1e-3, 3, 1e-6],
)
case(
    "science.skin_decay",
    lambda m, x, d: m.exp(-x / d) * m.cos(x / d) - m.exp(-x / d),
    x=geo(1e-9, 20, 5),
    d=cyc(5, 1, 3),
)
case("science.catenary_sag", lambda m, a, x: a * (m.cosh(x / a) - 1), a=geo(1, 1e9, 5), x=cyc(5, 1, 30, 0.5))
case("science.drag_speed", lambda m, t, g: m.tanh(g * t) / g - t, t=geo(1e-3, 30, 5), g=[1e-3, 0.5, 1e-2, 0.25, 1])
case(
    "science.terminal_height",
    lambda m, t, g: m.log(m.cosh(g * t)) / g**2,
    t=geo(1e-9, 1e3, 5),
    g=[1e-3, 0.5, 1e-6, 2, 1],
)
case(
    "science.pharmacokinetic",
    lambda m, k, a, t: a / (a - k) * (m.exp(-k * t) - m.exp(-a * t)),
    k=[0.5, 0.25, 1e-6, 3],
    a=[0.5 + 2**-20, 30, 1, 2.9],
    t=[1, 100, 1e-3, 200],
)
case(
    "science.bateman_three",
    lambda m, a, b, t: 1 - (b * m.exp(-a * t) - a * m.exp(-b * t)) / (b - a),
    a=[0.5, 0.25, 1e-6, 3],
    b=[0.75, 30, 1, 2],
    t=[1, 1e-9, 1e-3, 20],
)
case(
    "science.lotka_invariant",
    lambda m, x, y: x - m.log(x) + y - m.log(y) - 2,
    x=[1 + 2**-20, 0.5, 1 - 2**-10, 30],
    y=[1 - 2**-18, 3, 1 + 2**-12, 1e-30],
)
case(
    "science.michaelis_log",
    lambda m, s, k, n: n * m.log(s) - m.log(k**n + s**n),
    s=geo(1e-100, 1e100, 6),
    k=cyc(6, 1, 1e-50, 1e60),
    n=cyc(6, 1, 4),
)
case("science.hill_gap", lambda m, x, n: 1 - x**n / (1 + x**n), x=geo(1e-20, 1e20, 6), n=cyc(6, 2, 4, 0.5))
case(
    "science.growth_logistic",
    lambda m, t, r, y: 1 / (1 + (1 / y - 1) * m.exp(-r * t)),
    t=[0.5, 30, 100, 1],
    r=[1, 0.5, 3, 1e-9],
    y=[1e-9, 1 - 2**-20, 0.5, 0.25],
)
case("science.osmotic", lambda m, x: -m.log(1 - x) - x, x=both(geo(1e-4, 0.9, 5)))
case(
    "science.flory",
    lambda m, p, n, c: m.log(p) + (1 - 1 / n) * (1 - p) + c * (1 - p) ** 2,
    p=[0.5, *NEAR1[1:5]],
    n=[1e3, 1, 100, 1e6, 3],
    c=[0.5, 0.4, 0.51, 0.5, 1],
)
case("science.born_solvation", lambda m, e: 1 - 1 / e - (e - 1) / (2 * e + 1), e=[1 + 2**-20, 1 + 2**-8, 2, 78.5, 1e9])
case(
    "science.thermal_de_broglie",
    lambda m, M, t: 6.62607015e-34 / m.sqrt(2 * PI * M * K * t),
    M=geo(1e-30, 1e-24, 4),
    t=[300.0, 1e-9, 1e6, 4],
)
case(
    "science.saha",
    lambda m, t, n: 2.4146830395719654e21 * t**1.5 * m.exp(-157821.0 / t) / n,
    t=geo(300, 1e6, 5),
    n=geo(1e10, 1e25, 5),
)
case(
    "science.optical_depth",
    lambda m, s, t, i: i * m.exp(-t) + s * (1 - m.exp(-t)) - i,
    s=[1 + 2**-20, 2, 1e-9, 3],
    t=geo(1e-12, 40, 4),
    i=[1, 0.5, 1e-9, 1e3],
)
case("science.gravity_lens", lambda m, b: (b * b + 2) / (b * m.sqrt(b * b + 4)) - 1, b=geo(1e-3, 1e4, 6))
case("science.lens_images", lambda m, b: (b - m.sqrt(b * b + 4)) / 2, b=geo(1e-3, 1e160, 6))
case("science.cosmic_time", lambda m, a: m.log(m.sqrt(a**3) + m.sqrt(1 + a**3)), a=geo(1e-6, 1e100, 6))
case(
    "science.hubble_gap",
    lambda m, z, o: 1 / m.sqrt(o * (1 + z) ** 3 + 1 - o) - 1,
    z=geo(1e-12, 1e3, 5),
    o=cyc(5, 0.3, 0.25),
)

# ---- finance ----


def price(m: Any, s: Any, k: Any, v: Any) -> Any:
    return s * 0.5 * m.erfc(-(m.log(s / k) / v + v / 2) / ROOT2) - k * 0.5 * m.erfc(-(m.log(s / k) / v - v / 2) / ROOT2)


case(
    "money.call_less_forward",
    lambda m, s, k, v: price(m, s, k, v) - (s - k),
    s=[120.0, 100, 250, 100.5],
    k=[100.0, 100, 100, 100],
    v=[0.125, 0.5, 0.25, 1e-2],
)
case(
    "money.digital_spread",
    lambda m, d, e: 0.5 * m.erfc(-(d + e) / ROOT2) - 0.5 * m.erfc(-d / ROOT2),
    d=[-8.0, 0.5, 3, 20],
    e=[1e-6, 1e-10, 0.5, 1e-3],
)
case(
    "money.bachelier",
    lambda m, d: d * 0.5 * m.erfc(-d / ROOT2) + m.exp(-d * d / 2) / 2.5066282746310002,
    d=[-37.0, -10, -3, -1e-9, 0.5, 5],
)
case("money.spread_compounding", lambda m, r, n: n * ((1 + r) ** (1 / n) - 1), r=geo(1e-12, 2, 5), n=cyc(5, 12, 365, 2))
case("money.continuous_rate", lambda m, r, n: n * m.log(1 + r / n), r=geo(1e-12, 2, 5), n=cyc(5, 12, 365, 1e9))
case(
    "money.bond_convexity",
    lambda m, y, t: (1 - m.exp(-y * t) * (1 + y * t)) / y**2,
    y=geo(1e-4, 1, 5),
    t=cyc(5, 1, 10, 30),
)
case("money.vasicek", lambda m, a, t: (t - (1 - m.exp(-a * t)) / a) / a, a=geo(1e-3, 5, 5), t=cyc(5, 1, 10, 30))
case(
    "money.nelson_siegel",
    lambda m, t, l: (1 - m.exp(-t / l)) / (t / l) - m.exp(-t / l),
    t=geo(1e-9, 100, 6),
    l=cyc(6, 1, 2.5),
)
case(
    "money.loan_left",
    lambda m, r, n, k: ((1 + r) ** n - (1 + r) ** k) / ((1 + r) ** n - 1),
    r=geo(1e-10, 0.1, 5),
    n=cyc(5, 360, 12),
    k=cyc(5, 359, 3),
    wrt="r",
)
case(
    "money.kelly",
    lambda m, p, f: p * m.log(1 + f) + (1 - p) * m.log(1 - f),
    p=[0.5 + 2**-20, 0.5, 0.75, 0.5009765625],
    f=[1e-6, 1e-3, 0.5, 2**-9],
)
case(
    "money.crra",
    lambda m, c, g: (c ** (1 - g) - 1) / (1 - g),
    c=[0.5, 3, 1e-6, 1e6, 1 + 2**-10],
    g=[1 + 2**-20, 0.5, 2, 1 - 2**-20, 3],
)
case(
    "money.sharpe",
    lambda m, x: (
        m.mean(x, axis=-1) / m.sqrt(m.mean((x - m.mean(x, axis=-1, keepdims=True)) ** 2, axis=-1)) * 15.874507866387544
    ),
    x=rows([1e-3, 0.5, 1e3], 1e-4),
)
case(
    "money.heston_d",
    lambda m, k, s, u: m.sqrt(k * k + s * s * (u * u + 1)) - k,
    k=[1.5, 1e6, 3, 1e-3],
    s=[1e-6, 0.5, 1e-3, 1],
    u=[1e-3, 3, 20, 1e3],
)
case(
    "money.sabr_z",
    lambda m, z, r: m.log((m.sqrt(1 - 2 * r * z + z * z) + z - r) / (1 - r)),
    z=SMALL,
    r=cyc(16, 0.5, -0.25, 0.9),
)
case("money.root_mean", lambda m, s, t: m.sqrt(s * s + t * t) - s, s=geo(0.1, 1e6, 5), t=lin(1e-3, 0.5, 5))
