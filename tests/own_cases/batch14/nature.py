"""Money, figures of plane, sphere and space, and physics, by the formulas of their handbooks."""

from __future__ import annotations

from typing import Any

from own_cases.batch14 import FAR, beside, case, near_rows
from own_cases.case import ROOT2, both, cyc, geo, rows

RATES = [1e-12, 1e-7, 1e-4, 0.01, 0.0625, 0.5]
PRICES = [1.25, 97.75, 3.5, 12.25, 41.0, 66.5, 8.75, 2.0]
SPACE = rows([1.0, 2, 30, 1e4, 1e-8], 0.9, 3, scale=True)


def normal(m: Any, x: Any) -> Any:
    return 0.5 * (1 + m.erf(x / ROOT2))


# ---- money ----


def call(m: Any, s: Any, v: Any, t: Any) -> Any:
    """A call at a strike of 1 without interest."""
    d = (m.log(s) + v * v * t / 2) / (v * m.sqrt(t))
    return s * normal(m, d) - normal(m, d - v * m.sqrt(t))


def macaulay(m: Any, y: Any) -> Any:
    return (1 + y) / y - (1 + y + 10 * (0.0625 - y)) / (0.0625 * ((1 + y) ** 10 - 1) + y)


def cox(m: Any, t: Any, k: Any) -> Any:
    g = m.sqrt(k * k + 0.02)
    return 2 * (m.exp(g * t) - 1) / ((g + k) * (m.exp(g * t) - 1) + 2 * g)


case(
    "trade.d_two",
    lambda m, s, k, v: (m.log(s / k) - v * v / 2) / v,
    s=PRICES,
    k=beside(PRICES),
    v=cyc(8, 0.25, 1e-3, 0.75),
)
case(
    "trade.call_at_strike_one",
    call,
    wrt="s",
    s=[0.5, 0.75, 0.9375, 1.0625, 1.5, 3],
    v=cyc(6, 0.25, 0.125, 0.75),
    t=cyc(6, 1, 0.25),
)
case(
    "trade.call_less_intrinsic",
    lambda m, s, v: call(m, s, v, 1 + 0 * v) - (s - 1),
    wrt="",
    s=[1.0625, 1.5, 2, 3, 8],
    v=[0.25, 0.125, 0.25, 0.5, 0.375],
)
case(
    "trade.log_of_put",
    lambda m, d, v: m.log(normal(m, v - d) - m.exp(v * d - v * v / 2) * normal(m, -d)),
    wrt="",
    d=[-1.0, 0.5, 3, 9, 30],
    v=[0.25, 0.5, 0.125, 0.375, 0.25],
)
case("trade.macaulay", macaulay, y=RATES)
case("trade.cox_ingersoll_ross", cox, t=[1e-9, 1e-3, 0.5, 10, 300, 9000], k=[0.25, 1e-6, 2, 0.0625, 0.5, 1])
case("trade.growth_a_year", lambda m, a, b, n: (b / a) ** (1 / n) - 1, a=PRICES, b=beside(PRICES), n=cyc(8, 2, 30, 365))
case(
    "trade.real_rate",
    lambda m, i, p: (1 + i) / (1 + p) - 1,
    i=RATES,
    p=[2e-12, 1e-7 + 2.0**-50, 1e-4, 0.02, 0.0625 + 2.0**-20, 1e-9],
)
case("trade.volatility_drag", lambda m, a: m.log(1 + a) + m.log(1 - a), a=[*RATES, 1 - 2.0**-10])
case(
    "trade.forward_rate",
    lambda m, a, b: (1 + a) ** 3 / (1 + b) ** 2 - 1,
    a=RATES,
    b=[1e-12, 1.5e-7, 1e-5, 0.03, 0.09375, 0.25],
)
case(
    "trade.par_swap",
    lambda m, r: (1 - m.exp(-5 * r)) / (m.exp(-r) + m.exp(-2 * r) + m.exp(-3 * r) + m.exp(-4 * r) + m.exp(-5 * r)),
    r=[*RATES, 3, 200, -0.0078125],
)
case("trade.bill_yield", lambda m, d, t: d / (1 - d * t) - d, d=RATES, t=cyc(6, 0.25, 0.5, 1))
case(
    "trade.net_present",
    lambda m, c, r: c[:, 0] / (1 + r) + c[:, 1] / (1 + r) ** 2 + c[:, 2] / (1 + r) ** 3 - m.sum(c, axis=-1),
    c=rows([1.0, 300, 2e4, 5, 7, 100], 0.9, 3, scale=True),
    r=RATES,
)
case(
    "trade.futures_convexity",
    lambda m, s, t: (m.exp(s * s * t * t / 2) - 1) / t,
    s=[1e-9, 1e-4, 0.01, 0.25, 2, 30],
    t=cyc(6, 0.25, 10, 1),
)

# ---- figures ----


def dot(m: Any, a: Any, b: Any) -> Any:
    return m.sum(a * b, axis=-1)


def solid_angle(m: Any, a: Any, b: Any) -> Any:
    """Of a rectangle of 2 a by 2 b, seen from 1 above its middle."""
    return 4 * m.arcsin(a * b / m.sqrt((1 + a * a) * (1 + b * b)))


case(
    "shape_of.solid_angle_of_disc",
    lambda m, d, r: 6.283185307179586 * (1 - d / m.sqrt(d * d + r * r)),
    d=FAR,
    r=FAR[::-1],
)
case(
    "shape_of.solid_angle_of_disc_near",
    lambda m, d, r: 1 - d / m.sqrt(d * d + r * r),
    d=[1.0, 3, 0.01, 1e9, 1e-20],
    r=[1e-9, 1e-3, 10, 3e4, 1e-22],
)
case("shape_of.solid_angle_of_rectangle", solid_angle, a=[1e-9, 0.5, 3, 1e6, 1e20], b=[1e-5, 0.25, 1e-7, 1e9, 2])
case(
    "shape_of.parabola_less_chord",
    lambda m, x: 0.5 * x * m.sqrt(1 + 4 * x * x) + 0.25 * m.log(2 * x + m.sqrt(1 + 4 * x * x)) - x,
    x=[*geo(1e-6, 1, 5), 30.0, 1e9],
)
case(
    "shape_of.catenary_less_span",
    lambda m, x, a: 2 * a * m.sinh(x / (2 * a)) - x,
    x=[1e-6, 0.5, 3, 40, 1e-3],
    a=[1.0, 30, 1e5, 2, 0.25],
)
case(
    "shape_of.ellipse_focus",
    lambda m, a, b: a - m.sqrt(a * a - b * b),
    a=[2.0, 1e9, 3e200, 1e-200, 5e25],
    b=[1.0, 1e3, 1e198, 1e-206, 3e25],
)
case(
    "shape_of.ramanujan_rest",
    lambda m, a, b: (3 * (a + b) - m.sqrt((3 * a + b) * (a + 3 * b))) - 2 * b,
    a=[1.0, 3, 40, 2, 1e9],
    b=[0.5, 3 - 2.0**-9, 41, 2 + 2.0**-18, 1e-3],
)
case(
    "shape_of.tangent_length",
    lambda m, d, r: m.sqrt(d * d - r * r),
    d=[5.0, 1e200, 3e-180, 1 + 2.0**-12, 1e22],
    r=[3.0, 9e199, 1e-180, 1, 1e3],
)
case(
    "shape_of.beyond_circle",
    lambda m, x, y: m.sqrt(x * x + y * y) - 1,
    x=[0.75, 1e-9, 1 - 2.0**-14, 3e200, 0.5],
    y=[0.6875, 1 + 2.0**-16, 1e-5, 1e190, 0.25],
)
case(
    "shape_of.residue_of_projection",
    lambda m, a, b: dot(m, a, a) - dot(m, a, b) ** 2 / dot(m, b, b),
    a=SPACE,
    b=near_rows(SPACE),
)
case("shape_of.gram", lambda m, a, b: dot(m, a, a) * dot(m, b, b) - dot(m, a, b) ** 2, a=SPACE, b=near_rows(SPACE))
case(
    "shape_of.kahan_angle",
    lambda m, a, b: (
        lambda u, v: 2 * m.arctan2(m.sqrt(m.sum((u - v) ** 2, axis=-1)), m.sqrt(m.sum((u + v) ** 2, axis=-1)))
    )(a / m.sqrt(m.sum(a * a, axis=-1, keepdims=True)), b / m.sqrt(m.sum(b * b, axis=-1, keepdims=True))),
    a=SPACE,
    b=near_rows(SPACE),
)
case(
    "shape_of.angle_of_trace",
    lambda m, w: m.arccos((4 * w * w - 2) / 2),
    w=[0.5, 0.25, 1 - 2.0**-8, 1 - 2.0**-16, 1 - 2.0**-22],
)
case(
    "shape_of.quaternion_log",
    lambda m, w: m.arccos(w) / m.sqrt(1 - w * w),
    w=[-0.5, 0.25, 1 - 2.0**-8, 1 - 2.0**-16, 1 - 2.0**-22, 1e-9],
)
case(
    "shape_of.quaternion_norm_rest",
    lambda m, q: m.sqrt(m.sum(q * q, axis=-1)) - 1,
    q=[[0.5, 0.5, 0.5, 0.5 + 2.0**-k] for k in (3, 10, 20)] + rows([1e-200, 1e200, 1e30], 0.9, 4, scale=True),
)
case(
    "shape_of.turned_and_back",
    lambda m, x, y, t: (x * m.cos(t) - y * m.sin(t)) - x,
    x=[1.0, 3, 0.5, 1e9],
    y=[0.25, 1e-6, 2, 3],
    t=[1e-9, 1e-4, 0.75, 3e-6],
)
case(
    "shape_of.rotation_jacobian", lambda m, t: 1 / t**2 - (1 + m.cos(t)) / (2 * t * m.sin(t)), t=[*geo(1e-6, 1, 6), 2.5]
)
case(
    "shape_of.cross_track",
    lambda m, d, a: m.arcsin(m.sin(d) * m.sin(a)) - d * a,
    d=[1e-6, 0.01, 0.5, 1.25],
    a=[0.25, 1e-5, 0.75, 0.5],
)
case(
    "shape_of.altitude",
    lambda m, a, b, c: m.sqrt((a + b + c) * (a + b - c) * (a - b + c) * (b + c - a)) / (2 * c),
    a=[3.0, 1 + 2.0**-12, 1e200, 1e-200, 7],
    b=[4.0, 1, 1e200, 1e-200, 2.0**-16 + 2.0**-18],
    c=[5.0, 2, 1.5e200, 1.9375e-200, 7 + 2.0**-18],
)
case(
    "shape_of.third_side_squared",
    lambda m, a, b, t: a * a + b * b - 2 * a * b * m.cos(t),
    a=PRICES,
    b=beside(PRICES),
    t=geo(1e-7, 1.5),
)
case(
    "shape_of.chord_of_points",
    lambda m, p, q, r: m.cos(p) * m.cos(q) * (1 - m.cos(r)) + 1 - m.cos(p - q),
    p=[0.5, 0.75, -1.25, 0.25],
    q=[0.5 + 2.0**-12, 0.75 + 2.0**-20, 1, 0.25],
    r=[1e-6, 0.01, 2, 1e-9],
)

# ---- physics ----


def klein_nishina(m: Any, x: Any) -> Any:
    u = 1 + 2 * x
    return (1 + x) / x**3 * (2 * x * (1 + x) / u - m.log(u)) + m.log(u) / (2 * x) - (1 + 3 * x) / u**2


def prandtl_meyer(m: Any, x: Any) -> Any:
    r = m.sqrt(x * x - 1)
    return 2.449489742783178 * m.arctan(r / 2.449489742783178) - m.arctan(r)


def mattig(m: Any, z: Any, q: Any) -> Any:
    return (q * z + (q - 1) * (m.sqrt(1 + 2 * q * z) - 1)) / (q * q)


case("bench.klein_nishina", klein_nishina, x=[*geo(1e-6, 0.1, 5), 1.0, 30, 1e6])
case("bench.prandtl_meyer", prandtl_meyer, x=[1 + 2.0**-20, 1 + 2.0**-12, 1 + 2.0**-6, 1.5, 3, 40, 1e8])
case("bench.mattig", mattig, z=[1e-6, 0.01, 1, 9, 1e-3, 1100], q=[0.5, 1e-6, 0.25, 1.5, 1e-3, 0.15625])
case(
    "bench.heat_exchanger",
    lambda m, n, c: (1 - m.exp(-n * (1 - c))) / (1 - c * m.exp(-n * (1 - c))),
    n=[1e-6, 0.5, 3, 40, 900],
    c=[0.25, 1 - 2.0**-10, 1 - 2.0**-20, 0.75, 1 - 2.0**-6],
)
case(
    "bench.transistor",
    lambda m, s, d: m.log(1 + m.exp((3 - s) / 0.05)) ** 2 - m.log(1 + m.exp((3 - d) / 0.05)) ** 2,
    s=[0.5, 3, 4, 20, 60],
    d=[1.0, 3 + 2.0**-12, 4.25, 20.5, 61],
)
case(
    "bench.gouy_chapman",
    lambda m, x, g: 2 * m.log((1 + g * m.exp(-x)) / (1 - g * m.exp(-x))),
    x=[1e-6, 0.01, 3, 40, 700],
    g=[0.5, 0.9375, 1e-6, 0.25, 0.75],
)
case("bench.oberth", lambda m, v, w: m.sqrt((v + w) ** 2 - v * v) - w, v=[11.0, 1e-6, 3, 1e8], w=[0.25, 40, 1e-9, 1e-3])
case(
    "bench.relativistic_rocket",
    lambda m, a, t: (m.sqrt(1 + (a * t) ** 2) - 1) / a - t,
    a=[1e-6, 0.5, 3, 1e-3],
    t=[1.0, 1e-5, 40, 2],
)
case("bench.proper_time", lambda m, t: t - m.log(t + m.sqrt(1 + t * t)), t=[*geo(1e-6, 3, 6), 1e9, 1e200])
case(
    "bench.kinetic_less_classical",
    lambda m, v: 1 / m.sqrt(1 - v * v) - 1 - v * v / 2,
    v=[*geo(1e-4, 0.5, 6), 1 - 2.0**-20],
)
case("bench.debye_one", lambda m, x: x / (m.exp(x) - 1) - 1 + x / 2, x=both([*geo(1e-6, 3, 6), 40, 700]))
case(
    "bench.planck_gap",
    lambda m, x, e: 1 / (m.exp(x) - 1) - 1 / (m.exp(x + e) - 1),
    x=[1e-9, 1e-3, 2, 30, 690, 900],
    e=[1e-12, 0.5, 2.0**-30, 3, 1e-6, 1],
)
case("bench.langevin_slope", lambda m, x: 1 / x**2 - 1 / m.sinh(x) ** 2, x=[*geo(1e-6, 3, 6), 40.0, 500, 1e30])
case(
    "bench.fermi_gap",
    lambda m, a, b: m.log(1 + m.exp(a)) - m.log(1 + m.exp(b)),
    a=[-700.0, -30, 0.5, 40, 800, 3],
    b=[-701.0, -30 - 2.0**-10, 0.5 + 2.0**-20, 30, 799, -50],
)
case(
    "bench.morse_rest",
    lambda m, x, a: (1 - m.exp(-a * x)) ** 2 - (a * x) ** 2,
    x=both([1e-9, 1e-3, 0.5, 20]),
    a=cyc(8, 2, 0.5, 0.125),
)
case(
    "bench.lennard_jones_near",
    lambda m, r: r**-12 - 2 * r**-6 + 1,
    r=[1 + s * 2.0**-k for k in (2, 8, 14, 20) for s in (1, -1)],
)
case(
    "bench.yukawa_less_coulomb",
    lambda m, r, k: (m.exp(-k * r) - 1) / r,
    r=[1e-9, 1e-3, 2, 1e6],
    k=[0.5, 1e-9, 300, 1e-3],
)
case(
    "bench.woods_saxon_gap",
    lambda m, r, a: 1 / (1 + m.exp((r - 5) / a)) - 1 / (1 + m.exp(r / a)),
    r=[-9.0, 0.5, 5, 30, 400],
    a=[0.5, 0.25, 0.0625, 2, 0.5],
)
case("bench.radiated", lambda m, t, u: t**4 - u**4, t=PRICES, u=beside(PRICES))
case("bench.hyperfine", lambda m, x: m.sqrt(1 + x + x * x) - 1 - x / 2, x=both([*geo(1e-6, 0.5, 4), 30.0, 1e9]))
case(
    "bench.two_springs",
    lambda m, a, b, k: 0.5 * (a + b) - m.sqrt(0.25 * (a - b) ** 2 + k * k),
    a=PRICES,
    b=beside(PRICES),
    k=geo(1e-6, 1),
)
case(
    "bench.spherical_j_two",
    lambda m, x: (3 / x**3 - 1 / x) * m.sin(x) - 3 * m.cos(x) / x**2,
    x=[*geo(1e-3, 1, 4), 4.0, 30, 1e4],
)
case("bench.spherical_i_one", lambda m, x: (x * m.cosh(x) - m.sinh(x)) / x**2, x=[*geo(1e-6, 1, 4), 4.0, 30, 600])
case(
    "bench.landau_zener",
    lambda m, g, t: 1 - m.exp(-6.283185307179586 * g * g / t),
    g=[1e-9, 1e-3, 0.5, 3],
    t=[1.0, 30, 1e-6, 2],
)
case(
    "bench.fano",
    lambda m, q, e: (q + e) ** 2 / (1 + e * e) - 1,
    q=[0.5, 3, 1e-6, 1e9],
    e=[1e9, -3 + 2.0**-10, 0.25, 1e-9],
)
case("bench.beta_from_energy", lambda m, t: 1 - m.sqrt(t * (t + 2)) / (t + 1), t=[1e-12, 1e-3, 0.5, 30, 1e6, 1e12])
case(
    "bench.sersic",
    lambda m, r, n: m.exp(-7 * (r ** (1 / n) - 1)),
    wrt="r",
    r=[1e-6, 0.5, 1 + 2.0**-12, 30, 1e3],
    n=cyc(5, 1, 4, 0.5),
)
case("bench.magnetic_mirror", lambda m, r: 1 - m.sqrt(1 - 1 / r), r=[1 + 2.0**-12, 2, 300, 1e9, 1e30])
