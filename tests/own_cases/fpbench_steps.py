"""What else FPBench collects: sums, determinants, triangles, branches and steps of loops, where their terms meet."""

from __future__ import annotations

from functools import partial
from typing import Any

from own_cases.case import PI, geo
from own_cases.case import case as any_case
from own_cases.fpbench import box, within

case = partial(any_case, batch=6)


def corners(a: float, b: float, *names: str) -> dict[str, Any]:
    """Both ends of a range, and points within."""
    return {name: [a, b, *within(a, b, 2 * k + 1, 4)] for k, name in enumerate(names)}


# ---- FPTaylor, Real2Float ----

HARTMAN = (
    (1.0, (10.0, 3.0, 17.0, 3.5, 1.7, 8.0), (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886)),
    (1.2, (0.05, 10.0, 17.0, 0.1, 8.0, 14.0), (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991)),
    (3.0, (3.0, 3.5, 1.7, 10.0, 17.0, 8.0), (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.665)),
    (3.2, (17.0, 8.0, 0.05, 10.0, 0.1, 14.0), (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381)),
)


def hartman6(m: Any, *x: Any) -> Any:
    total: Any = 0
    for weight, widths, centres in HARTMAN:
        square: Any = 0
        for v, width, centre in zip(x, widths, centres, strict=True):
            square = square + width * (v - centre) ** 2
        total = total + weight * m.exp(-square)
    return -total


case("real2float.hartman6", hartman6, **box(0, 1, *"abcdef"))
case("fptaylor.sum8", lambda m, a, b, c, d, e, f, g, h: a + b + c + d + e + f + g + h, **box(1, 2, *"abcdefgh"))
case("fptaylor.intro", lambda m, t: t / (t + 1), t=[0.0, 1e-300, 1e-9, 1, 998.9, 999])
case(
    "fptaylor.dqmom9",
    lambda m, p, q, r, u, v, w, a, b, c: (
        w * (0 - r) * (-3 * (1 * (c / w) * (c / w)))
        + (v * (0 - q) * (-3 * (1 * (b / v) * (b / v))) + (u * (0 - p) * (-3 * (1 * (a / u) * (a / u))) + 0.0))
    ),
    p=within(-1, 1), q=within(-1, 1, 3), r=within(-1, 1, 5),
    u=geo(1e-5, 1, 6), v=geo(1, 1e-5, 6), w=within(1e-5, 1, 7),
    a=within(1e-5, 1, 9), b=within(1e-5, 1, 11), c=within(1e-5, 1, 13),
)  # fmt: skip
case(
    "real2float.kepler2",
    lambda m, a, b, c, d, e, f: (
        a * d * (-a + b + c - d + e + f) + b * e * (a - b + c + d - e + f) + c * f * (a + b - c + d + e - f)
        - b * c * d - a * c * e - a * b * f - d * e * f
    ),
    **corners(4, 6.36, *"abcdef"),
)  # fmt: skip
case("real2float.floudas2", lambda m, x, y: -x - y, x=within(0, 3), y=within(0, 4, 3))
case(
    "real2float.azimuth",
    lambda m, p, q, s, t: m.arctan(
        m.cos(q) * m.sin(t - s) / (m.cos(p) * m.sin(q) - m.sin(p) * m.cos(q) * m.cos(t - s))
    ),
    p=[0.0, 0.4, *within(0, 0.4, 1, 4)], q=[0.5, 1, *within(0.5, 1, 3, 4)],
    s=[0.0, 3.14159265, *within(0, 3.14, 5, 4)], t=[-0.5, -3.14159265, *within(-3.14, -0.5, 7, 4)],
)  # fmt: skip
case("real2float.bspline3", lambda m, u: -(u * u * u) / 6, u=[0.0, 1e-100, 0.25, 0.5, 1])

# ---- Rosa: branches and triangles ----

case(
    "rosa.cav10", lambda m, x: m.where(x * x - x >= 0, x / 10, x * x + 2), x=[1e-9, 0.5, 1 - 2**-20, 1 + 2**-20, 5, 10]
)
case(
    "rosa.square_root3",
    lambda m, x: m.where(x < 1e-5, 1 + 0.5 * x, m.sqrt(1 + x)),
    x=[1e-12, 9e-6, 1.1e-5, 0.5, 3, 10],
)
case(
    "rosa.smart_root",
    lambda m, c: m.where(
        12.25 - c * 3.0 > 10,
        c * 2 / (-3.5 - m.sqrt(12.25 - c * 3.0 * 4.0)),
        (-3.5 + m.sqrt(12.25 - c * 3.0 * 4.0)) / 6.0,
    ),
    c=[-2, -1e-9, 1e-12, 0.5, 0.749, 0.76, 1.0125],
)
for k in (2, 4, 6, 10, 12):
    thin, unit = 10.0**-k, 2.0**200 if k > 6 else 1.0  # what float32 cannot tell from a line lies outside of its range
    case(
        f"rosa.triangle{k}",
        lambda m, a, b, c: m.sqrt(
            (a + b + c) / 2 * ((a + b + c) / 2 - a) * ((a + b + c) / 2 - b) * ((a + b + c) / 2 - c)
        ),
        a=[unit * v for v in (9.0, 2.5, 1.0, 4.0)],
        b=[unit * v for v in (4.5, 1.25, 8.0, 5.0)],
        c=[unit * v for v in (4.5 + thin, 1.25 + thin, 9.0 - thin, 9.0 - thin)],
    )  # fmt: skip
case(
    "rosa.triangle_sorted",
    lambda m, a, b, c: m.where(
        a < b,
        m.sqrt((c + (b + a)) * (a - (c - b)) * (a + (c - b)) * (c + (b - a))) / 4.0,
        m.sqrt((c + (a + b)) * (b - (c - a)) * (b + (c - a)) * (c + (a - b))) / 4.0,
    ),
    a=[1.0, 4, 3.5, 2], b=[8.0, 3, 5.5, 7.5], c=[9 - 1e-6, 7 - 2**-20, 8.9, 8],
)  # fmt: skip

# ---- Daisy, graphics, Rump ----

case(
    "daisy.radius",
    lambda m, x, y: m.sqrt(x * x + y * y),
    x=[1, 100, *within(1, 100, 1, 4)],
    y=[100, 1, *within(1, 100, 3, 4)],
)
case(
    "daisy.theta",
    lambda m, x, y: m.arctan(y / x) * (180.0 / 3.14159265359),
    x=[1, 100, *within(1, 100, 1, 4)], y=[100, 1, *within(1, 100, 3, 4)],
)  # fmt: skip
case(
    "daisy.polar_x",
    lambda m, r, t: r * m.cos(t * (3.14159265359 / 180.0)),
    r=within(1, 10, 1, 8), t=[0.0, 90, 180, 270, 360, 89.5, 12.25, 301],
)  # fmt: skip
case(
    "daisy.polar_y",
    lambda m, r, t: r * m.sin(t * (3.14159265359 / 180.0)),
    r=within(1, 10, 1, 8), t=[1e-9, 90, 180, 270, 360, 359.5, 12.25, 301],
)  # fmt: skip


def current(m: Any, t: Any, r: Any, f: Any, i: Any, v: Any) -> Any:
    turn = 2 * 3.14159265359 * f
    x = turn * i
    square = r * r + x * x
    real, other = v * r / square, -(v * x) / square
    return m.sqrt(real * real + other * other) * m.cos(turn * t + m.arctan(other / real))


case(
    "daisy.current", current,
    t=[0.0, 300, *within(0, 300, 1, 4)], r=within(1, 50, 3), f=[1, 100, *within(1, 100, 5, 4)],
    i=within(0.001, 0.004, 7), v=within(1, 12, 9),
)  # fmt: skip
case(
    "daisy.determinant",
    lambda m, a, b, c, d, e, f, g, h, i: (a * e * i + b * f * g + c * d * h) - (c * e * g + b * d * i + a * f * h),
    **box(-10, 10, *"abcdefghi"),
)
case(
    "daisy.determinant_near_singular",
    lambda m, a, b, c, d, e, f, g, h, i: (
        (a * (e * i) + (g * (b * f) + c * (d * h))) - (e * (c * g) + (i * (b * d) + a * (f * h)))
    ),
    a=[1.0, 3, 2.5], b=[2.0, -5, 0.5], c=[3.0, 7, 4], d=[4.0, 6, 5], e=[5.0, -10, 1], f=[6.0, 14, 8 + 2**-30],
    g=[7.0, 9, 7.5], h=[8.0, -1, 1.5], i=[9 + 2**-40, 2, 12],
)  # fmt: skip
case(
    "graphics.eigenvalue",
    lambda m, a, b, c, d: m.sqrt((a + d) ** 2 + (b - c) ** 2) - m.sqrt((a - d) ** 2 + (b + c) ** 2),
    a=[1.0, 1e8, 1e-9, 3, 1e150, 2], b=[2.0, 1, 1, -1, 1e140, 3], c=[1.9, 1e8, 1, 2, 1, 2 - 2**-20],
    d=[1.0, 1e-8, 1e9, 5, 1e130, 3],
)  # fmt: skip
case(
    "rump.example",
    lambda m, a, b: (
        333.75 * b**6 + a**2 * (11 * a**2 * b**2 - b**6 - 121 * b**4 - 2) + 5.5 * b**8 + a / (2 * b)
    ),
    a=[2.0, 0.1, 100, 7.5], b=[1.0, 3, 50, -2],
)  # fmt: skip
case("rump.at_his_point", lambda m, a, b: 9 * a**4 - b**4 + 2 * (b * b), a=[10864.0, 10863], b=[18817.0, 18817])
case("rump.rewritten", lambda m, a, b: 9 * a**4 - b * b * (b * b - 2), a=[10864.0, 10863], b=[18817.0, 18817])

# ---- steps of loops: Precimonious, Salsa, Apron ----


def wiggle(m: Any, x: Any) -> Any:
    return x + m.sin(2 * x) / 2 + m.sin(4 * x) / 4 + m.sin(8 * x) / 8 + m.sin(16 * x) / 16 + m.sin(32 * x) / 32


case(
    "precimonious.arc_length",
    lambda m, x, h: m.sqrt(h * h + (wiggle(m, x + h) - wiggle(m, x)) ** 2),
    x=within(0, 3.1, 1, 8), h=geo(1e-9, 0.1),
)  # fmt: skip
case(
    "precimonious.simpson",
    lambda m, a, h: h / 3 * (m.sin(PI * a) + 4 * m.sin(PI * (a + h)) + m.sin(PI * (a + 2 * h))),
    a=within(0, 1), h=geo(1e-7, 0.1, 6),
)  # fmt: skip


def lead_lag(m: Any, y: Any, d: Any, p: Any, q: Any) -> Any:
    clipped = m.where(y - d < -1.0, -1.0, m.where(y - d > 1.0, 1.0, y - d))
    return 564.48 * p + (0.0 * q + -1280.0 * clipped) + (0.499 * p - 0.05 * q + clipped) * (0.01 * p + q)


case(
    "salsa.lead_lag", lead_lag,
    y=[1.0, 25, 49, 10, 10.5, 3], d=[2.5, 25.25, 0.5, 10, 10 + 2**-20, 3.5],
    p=within(-2, 2), q=within(-1, 1, 3),
)  # fmt: skip


def runge_kutta(m: Any, y: Any, h: Any, c: Any) -> Any:
    one = 1.2 * (c - y) * (c - y)
    two = 1.2 * (c - (y + 0.5 * h * one)) * (c - (y + 0.5 * h * one))
    three = 1.2 * (c - (y + 0.5 * h * two)) * (c - (y + 0.5 * h * two))
    four = 1.2 * (c - (y + h * three)) * (c - (y + h * three))
    return y + h / 6 * (one + 2 * two + 2 * three + four)


case("salsa.runge_kutta4", runge_kutta, y=within(0, 100), h=geo(1e-5, 1e-2, 6), c=within(50, 200, 3))
case(
    "salsa.newton_raphson",
    lambda m, x: (
        x - (x**5 - 10.0 * x**4 + 40.0 * x**3 - 80.0 * x * x + 80.0 * x - 32.0)
        / (5.0 * x**4 - 40.0 * x**3 + 120.0 * x * x - 160.0 * x + 80.0)
    ),
    x=[1e-3, 0.5, 1.5, 2.125, 2 + 2**-7, 2.9375],
)  # fmt: skip
case(
    "salsa.odometry_series",
    lambda m, t, r, left: (
        12.34 * (left + r) * 0.5
        * (1 - (t + 0.617 * (r - left)) ** 2 * 0.5 + (t + 0.617 * (r - left)) ** 4 * 0.0416666666)
    ),
    t=within(-1, 1, 7), r=within(0.05, 6.28, 3, 6), left=within(0.05, 6.28, 5),
)  # fmt: skip
case(
    "salsa.jacobi",
    lambda m, a, b, x, y, z: b / a - 0.1 / a * x - 0.2 / a * y + 0.3 / a * z,
    a=geo(1e-2, 1e2, 6), b=within(0.1, 1), x=within(-1, 1, 3), y=within(-1, 1, 5), z=within(-1, 1, 7),
)  # fmt: skip
case(
    "salsa.power_method",
    lambda m, a, b, c, d, x, y: (a * x + b * y) / (c * x + d * y),
    a=within(150, 200), b=within(-0.1, 0.1, 3), c=within(-0.1, 0.1, 5), d=within(150, 200, 7),
    x=[1, -1, 1e-9, 1, 0.5, 1], y=[1, 1, 1, 1e-9, 1, -1],
)  # fmt: skip


def gram_schmidt(m: Any, x: Any, y: Any, z: Any) -> Any:
    h = (x + y / 225 + z / 2592, x / 3 + y * 2 / 225, z / 2601 - y)
    u, v, w = x - (h[0] + h[1] / 3), y - (h[0] - h[2]) / 225, z - h[1] / 2601
    return m.sqrt(u * u + v * v + w * w) / m.sqrt(x * x + y * y + z * z) - 1


case("salsa.gram_schmidt", gram_schmidt, x=within(0.1, 1), y=within(-1, 1, 3), z=within(-1, 1, 5))
case(
    "salsa.rocket_radial",
    lambda m, r, v, w: v - 6.67428e-11 * (5.9736e24 / (r * r)) * 0.1 + r * w * (w * 0.1),
    r=geo(6.4e6, 1e8, 5), v=[0.0, 100, -3, 1e3, 7], w=[1.2e-3, 1e-4, 7e-4, 1e-5, 0],
)  # fmt: skip
case(
    "apron.arrow_hurwicz",
    lambda m, u, v: m.where(v + 0.25 * (-u + 1) > 0, v + 0.25 * (-u + 1), 0.0) + (u - 0.5 * (u - v)),
    u=[0.0, 1, 1 - 2**-20, 0.5, 3], v=[0.0, 1, 0, 0.25, 0.1],
)  # fmt: skip
case(
    "apron.euler_oscillator", lambda m, x, v: x + 0.01 * (v * (1 - 0.01) - 0.01 * x), x=within(0, 1), v=within(0, 1, 3)
)
case(
    "apron.symplectic",
    lambda m, x, v: (1 - 0.1 / 2) * x + (0.1 - 0.1**3 / 4) * v,
    x=within(0, 1), v=within(0, 1, 3),
)  # fmt: skip
case("apron.flower", lambda m, x, y: x / ((0.15 + x * x + y * y) / 2), x=within(-0.1, 0.1), y=within(-0.1, 0.1, 3))
