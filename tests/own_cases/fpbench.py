"""FPBench's collections (Rosa, FPTaylor, Daisy, Salsa, Hamming's chapter 3) over the ranges that they state; of its loops, a step."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from own_cases.case import BIG, SMALL, TINY, both, cyc, geo
from own_cases.case import case as any_case

case = partial(any_case, batch=4)
GOLDEN = (math.sqrt(5) - 1) / 2


def within(a: float, b: float, turn: int = 1, n: int = 6) -> list[float]:
    """n points that fill [a, b] evenly, in an order of their own for each turn."""
    return [a + (b - a) * math.fmod((k + 1) * GOLDEN * turn + 0.137 * turn, 1) for k in range(n)]


def box(a: float, b: float, *names: str) -> dict[str, Any]:
    return {name: within(a, b, 2 * k + 1) for k, name in enumerate(names)}


# ---- Hamming's chapter 3 ----

case("nmse.3_1", lambda m, x: m.sqrt(x + 1) - m.sqrt(x), x=geo(1e-12, 1e15))
case("nmse.3_3", lambda m, x, e: m.sin(x + e) - m.sin(x), x=within(-4, 4), e=geo(1e-12, 1, 6))
case("nmse.3_4", lambda m, x: (1 - m.cos(x)) / m.sin(x), x=both(geo(1e-9, 3)))
case("nmse.3_5", lambda m, n: m.arctan(n + 1) - m.arctan(n), n=geo(1e-3, 1e15))
case("nmse.3_6", lambda m, x: 1 / m.sqrt(x) - 1 / m.sqrt(x + 1), x=geo(1e-9, 1e15))
case("nmse.p3_3_1", lambda m, x: 1 / (x + 1) - 1 / x, x=[*geo(1e-9, 1e15), -0.3, -1e9])
case("nmse.p3_3_2", lambda m, x, e: m.tan(x + e) - m.tan(x), x=within(-1.4, 1.4), e=geo(1e-12, 0.05, 6))
case("nmse.p3_3_3", lambda m, x: 1 / (x + 1) - 2 / x + 1 / (x - 1), x=[*geo(1e-3, 0.9, 4), *geo(3, 1e12)])
case("nmse.p3_3_4", lambda m, x: (x + 1) ** (1 / 3) - x ** (1 / 3), x=geo(1e-6, 1e6))
case("nmse.p3_3_5", lambda m, x, e: m.cos(x + e) - m.cos(x), x=within(-4, 4, 3), e=geo(1e-12, 1, 6))
case("nmse.p3_3_6", lambda m, n: m.log(n + 1) - m.log(n), n=geo(1e-9, 1e15))
case("nmse.p3_3_7", lambda m, x: m.exp(x) - 2 + m.exp(-x), x=both(geo(1e-6, 700)))
case(
    "nmse.p42_plus",
    lambda m, a, b, c: (-b + m.sqrt(b * b - 4 * (a * c))) / (2 * a),
    a=cyc(7, 1, 2.5, -3), b=[1e8, -1e8, 7, -7, 1e3, 50, -1e12], c=cyc(7, 1, 0.5, 1e-8),
)  # fmt: skip
case(
    "nmse.p42_minus",
    lambda m, a, b, c: (-b - m.sqrt(b * b - 4 * (a * c))) / (2 * a),
    a=cyc(7, 1, 2.5, -3), b=[1e8, -1e8, 7, -7, 1e3, 50, -1e12], c=cyc(7, 1, 0.5, 1e-8),
)  # fmt: skip
case(
    "nmse.p3_2_1",
    lambda m, a, b, c: (-b + m.sqrt(b * b - a * c)) / a,
    a=cyc(7, 1, 2.5, -3), b=[1e8, -1e8, 7, -7, 1e3, 50, -1e12], c=cyc(7, 1, 0.5, 1e-8),
)  # fmt: skip
case("nmse.3_7", lambda m, x: m.exp(x) - 1, x=[-1.6e-4, -1e-9, *geo(1e-15, 600)])
case("nmse.3_8", lambda m, n: (n + 1) * m.log(n + 1) - n * m.log(n) - 1, n=geo(10, 1e17))
case("nmse.3_9", lambda m, x: 1 / x - 1 / m.tan(x), x=both(geo(1e-9, 0.026)))
case("nmse.3_10", lambda m, x: m.log(1 - x) / m.log(1 + x), x=both(geo(1e-12, 0.99)))
case("nmse.p3_4_1", lambda m, x: (1 - m.cos(x)) / (x * x), x=both(geo(1e-9, 6)))
case("nmse.p3_4_3", lambda m, e: m.log((1 - e) / (1 + e)), e=both(geo(1e-12, 0.99)))
case("nmse.p3_4_4", lambda m, x: m.sqrt((m.exp(2 * x) - 1) / (m.exp(x) - 1)), x=both(geo(1e-9, 300)))
case("nmse.p3_4_5", lambda m, x: (x - m.sin(x)) / (x - m.tan(x)), x=both(geo(1e-3, 1.2, 6)))
case("nmse.p3_4_6", lambda m, x, n: (x + 1) ** (1 / n) - x ** (1 / n), x=geo(1, 1e6, 6), n=cyc(6, 2, 3, 7.5))
case("nmse.s3_5", lambda m, a, x: m.exp(a * x) - 1, a=cyc(8, 1, -3, 1e-3), x=geo(1e-12, 100))
case("nmse.s3_11", lambda m, x: m.exp(x) / (m.exp(x) - 1), x=both(geo(1e-12, 700)))

# ---- Rosa ----


def jet_engine(m: Any, x: Any, y: Any) -> Any:
    d = x * x + 1
    s, z = (3 * x * x + 2 * y - x) / d, (3 * x * x - 2 * y - x) / d
    return x + ((2 * x * s * (s - 3) + x * x * (4 * s - 6)) * d + 3 * x * x * s + x * x * x + x + 3 * z)


case("rosa.jet_engine", jet_engine, x=within(-5, 5), y=within(-20, 5, 3))
case("rosa.sine_order3", lambda m, x: 0.954929658551372 * x - 0.12900613773279798 * (x * x * x), x=within(-2, 2, 1, 8))
case(
    "rosa.turbine2",
    lambda m, v, w, r: 6 * v - 0.5 * v * (w * w * r * r) / (1 - v) - 2.5,
    v=within(-4.5, -0.3), w=within(0.4, 0.9, 3), r=within(3.8, 7.8, 5),
)  # fmt: skip
case(
    "rosa.turbine3",
    lambda m, v, w, r: 3 - 2 / (r * r) - 0.125 * (1 + 2 * v) * (w * w * r * r) / (1 - v) - 0.5,
    v=within(-4.5, -0.3), w=within(0.4, 0.9, 3), r=within(3.8, 7.8, 5),
)  # fmt: skip
for number, (u, v, t) in enumerate([((-125, 125), (15, 25000), (-40, 60)), ((-30, 120), (320, 20300), (-50, 30))], 2):
    case(
        f"rosa.doppler{number}",
        lambda m, u, v, t: -(331.4 + 0.6 * t) * v / ((331.4 + 0.6 * t + u) * (331.4 + 0.6 * t + u)),
        u=within(*u), v=within(*v, 3), t=within(*t, 5),
    )  # fmt: skip
case(
    "rosa.sine_newton",
    lambda m, x: x - (x - x**3 / 6.0 + x**5 / 120.0 + x**7 / 5040.0) / (1.0 - x * x / 2.0 + x**4 / 24.0 + x**6 / 720.0),
    x=within(-1, 1, 1, 8),
)
case(
    "rosa.n_body",
    lambda m, x, y, z, v: x + 0.1 * (v - x * 39.47841760435743 * (0.1 / m.sqrt(x * x + y * y + z * z) ** 3)),
    x=within(-6, 6), y=within(-6, 6, 3), z=within(-0.2, 0.2, 5), v=within(-3, 3, 7),
)  # fmt: skip
case(
    "rosa.pendulum_angle",
    lambda m, t, w: t + 0.01 * (w + 0.01 / 2 * (-9.80665 / 2.0 * m.sin(t))),
    t=within(-2, 2), w=within(-5, 5, 3),
)  # fmt: skip
case(
    "rosa.pendulum_speed",
    lambda m, t, w: w + 0.01 * (-9.80665 / 2.0 * m.sin(t + 0.01 / 2 * w)),
    t=within(-2, 2), w=within(-5, 5, 3),
)  # fmt: skip

# ---- FPTaylor ----

case("fptaylor.sec4", lambda m, x, y: (x * y - 1) / ((x * y) * (x * y) - 1), x=within(1.001, 2), y=within(1.001, 2, 3))
case("fptaylor.sum3", lambda m, a, b, c: (a + b - c) + (b + c - a) + (c + a - b), **box(1, 2, "a", "b", "c"))
case("fptaylor.nonlin2", lambda m, x, y: (x + y) / (x - y), x=within(0.01, 1), y=within(-1, -0.1, 3))
case(
    "fptaylor.dqmom",
    lambda m, p, q, w, v, a, b: w * (0 - p) * (-3 * (a / w) * (a / w)) + v * (0 - q) * (-3 * (b / v) * (b / v)),
    p=within(-1, 1), q=within(-1, 1, 3), w=geo(1e-5, 1, 6), v=geo(1, 1e-5, 6), a=within(1e-5, 1, 5), b=within(1e-5, 1, 7),
)  # fmt: skip
case("fptaylor.nonlin1_r4", lambda m, x: (x - 1) / (x * x - 1), x=within(1.00001, 2, 1, 8))
case("fptaylor.sqrt_add", lambda m, x: 1 / (m.sqrt(x + 1) + m.sqrt(x)), x=within(1, 1000))
case("fptaylor.exp1x", lambda m, x: (m.exp(x) - 1) / x, x=[*within(0.01, 0.5), *SMALL])
case("fptaylor.exp1x_log", lambda m, x: (m.exp(x) - 1) / m.log(m.exp(x)), x=[*within(0.01, 0.5), *SMALL])
case("fptaylor.x_by_xy", lambda m, x, y: x / (x + y), x=within(1, 4), y=within(1, 4, 3))
case("fptaylor.hypot", lambda m, x, y: m.sqrt(x * x + y * y), x=within(1, 100), y=within(1, 100, 3))
case("fptaylor.logexp", lambda m, x: m.log(1 + m.exp(x)), x=within(-8, 8, 1, 8))
case("fptaylor.i4", lambda m, x, y: m.sqrt(x + y * y), x=within(0.1, 10), y=within(-5, 5, 3))
case("fptaylor.i6", lambda m, x, y: m.sin(x * y), x=within(0.1, 10), y=within(-5, 5, 3))
case(
    "fptaylor.himmelblau",
    lambda m, x, y: (x * x + y - 11) * (x * x + y - 11) + (x + y * y - 7) * (x + y * y - 7),
    x=within(-5, 5), y=within(-5, 5, 3),
)  # fmt: skip
case(
    "fptaylor.delta4",
    lambda m, a, b, c, d, e, f: -b * c - a * d + b * e + c * f - e * f + a * (-a + b + c - d + e + f),
    **box(4, 6.3504, *"abcdef"),
)
case(
    "fptaylor.delta",
    lambda m, a, b, c, d, e, f: (
        a * d * (-a + b + c - d + e + f) + b * e * (a - b + c + d - e + f) + c * f * (a + b - c + d + e - f)
        - b * c * d - a * c * e - a * b * f - d * e * f
    ),
    **box(4, 6.3504, *"abcdef"),
)  # fmt: skip
case(
    "real2float.kepler0",
    lambda m, a, b, c, d, e, f: b * e + c * f - b * c - e * f + a * (-a + b + c - d + e + f),
    **box(4, 6.36, *"abcdef"),
)
case(
    "real2float.kepler1",
    lambda m, a, b, c, d: (
        a * d * (-a + b + c - d) + b * (a - b + c + d) + c * (a + b - c + d) - b * c * d - a * c - a * b - d
    ),
    **box(4, 6.36, *"abcd"),
)
case(
    "real2float.floudas1",
    lambda m, a, b, c, d, e, f: (
        -25 * ((a - 2) * (a - 2)) - (b - 2) * (b - 2) - (c - 1) * (c - 1) - (d - 4) * (d - 4) - (e - 1) * (e - 1) - (f - 4) * (f - 4)
    ),
    **box(1, 5, *"abcdef"),
)  # fmt: skip
case("real2float.floudas3", lambda m, x, y: -12 * x - 7 * y + y * y, x=within(0, 2), y=within(0, 3, 3))
case(
    "real2float.hartman3",
    lambda m, x, y, z: (
        -(
            1.0 * m.exp(-(3.0 * (x - 0.3689) ** 2 + 10.0 * (y - 0.117) ** 2 + 30.0 * (z - 0.2673) ** 2))
            + 1.2 * m.exp(-(0.1 * (x - 0.4699) ** 2 + 10.0 * (y - 0.4387) ** 2 + 35.0 * (z - 0.747) ** 2))
            + 3.0 * m.exp(-(3.0 * (x - 0.1091) ** 2 + 10.0 * (y - 0.8732) ** 2 + 30.0 * (z - 0.5547) ** 2))
            + 3.2 * m.exp(-(0.1 * (x - 0.03815) ** 2 + 10.0 * (y - 0.5743) ** 2 + 35.0 * (z - 0.8828) ** 2))
        )
    ),
    **box(0, 1, *"xyz"),
)
case("real2float.rigid_body1", lambda m, x, y, z: -(x * y) - 2 * y * z - x - z, **box(-15, 15, *"xyz"))
case(
    "real2float.rigid_body2",
    lambda m, x, y, z: 2 * x * y * z + 3 * z * z - y * x * y * z + 3 * z * z - y,
    **box(-15, 15, *"xyz"),
)
case("real2float.sine", lambda m, x: x - x * x * x / 6.0 + x**5 / 120.0 - x**7 / 5040.0, x=within(-1.57, 1.57, 1, 8))
case(
    "real2float.sqrt",
    lambda m, y: 1.0 + 0.5 * y - 0.125 * y * y + 0.0625 * y * y * y - 0.0390625 * y * y * y * y,
    y=within(0, 1, 1, 8),
)
case(
    "real2float.sphere",
    lambda m, x, r, lat, lon: x + r * m.sin(lat) * m.cos(lon),
    x=within(-10, 10), r=within(0, 10, 3), lat=within(-1.57, 1.57, 5), lon=within(-3.14, 3.14, 7),
)  # fmt: skip

# ---- Daisy and Salsa ----

case("daisy.analysis1", lambda m, x: m.sin(x) * m.sin(x) * m.cos(x) * m.cos(x), x=within(-1.57, 1.57, 1, 8))
case("daisy.analysis2", lambda m, x: 1 / m.cos(x) ** 2 / (4 + m.tan(x) ** 2), x=within(-1.1, 0.9, 1, 8))
case(
    "daisy.azimuth",
    lambda m, p, q, d: m.arctan2(m.cos(q) * m.sin(d), m.cos(p) * m.sin(q) - m.sin(p) * m.cos(q) * m.cos(d)),
    p=within(0, 0.4), q=within(0.5, 1, 3), d=within(0, 3.14, 5),
)  # fmt: skip
case("daisy.expq2", lambda m, x: (m.exp(x) - 1) / (m.exp(x) + 1), x=both(geo(1e-12, 700)))
case("daisy.expq3", lambda m, x: (m.exp(x) - 1 - x) / (x * x), x=TINY)
case("daisy.sintan", lambda m, x: (m.tan(x) - m.sin(x)) / x**3, x=TINY)
case("daisy.cos2", lambda m, x: (1 - m.cos(2 * x)) / (2 * x * x), x=SMALL)
case("daisy.tanhf", lambda m, x: (1 - m.exp(-2 * x)) / (1 + m.exp(-2 * x)), x=both(geo(1e-12, 350)))
case("daisy.logq", lambda m, x: m.log(1 + x) / x, x=[*SMALL, *BIG])
case("daisy.midarc", lambda m, x, h: m.arctan(x + h) - m.arctan(x - h), x=geo(1e-3, 1e9), h=cyc(8, 0.5, 1e-6))
case(
    "salsa.runge_kutta",
    lambda m, y, h, c: y + h / 6 * (1.2 * (c - y) * (c - y) + 2 * (1.2 * (c - y - 0.5 * h) * (c - y - 0.5 * h))),
    y=within(0, 100), h=geo(1e-5, 0.1, 6), c=within(50, 200, 3),
)  # fmt: skip
case(
    "salsa.trapeze",
    lambda m, u, x: u / (0.7 * x * x * x - 0.6 * x * x + 0.9 * x - 0.2),
    u=within(1.11, 2.22), x=[0.25, 0.2501, 0.5, 1, 200, 5000],
)  # fmt: skip
case(
    "salsa.pid",
    lambda m, x, c, i, e: x + 0.01 * (9.4514 * (c - x) + (i + 0.69006 * 0.5 * (c - x)) + 2.8454 * (1 / 0.5) * (c - x - e)),
    x=within(-10, 10), c=within(-10, 10, 3), i=within(-5, 5, 5), e=within(-10, 10, 7),
)  # fmt: skip
case(
    "salsa.odometry",
    lambda m, x, r, left, t: x + (12.34 * left + 12.34 * r) * 0.5 * m.cos(t + (12.34 * r - 12.34 * left) * 0.1 * 0.5),
    x=within(-5, 5), r=within(0.05, 6.28, 3), left=within(0.05, 6.28, 5), t=within(-1, 1, 7),
)  # fmt: skip
