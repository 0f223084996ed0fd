"""Problems of textbooks (Hamming, Acton, Dahlquist and Bjorck), and kernels as of FPBench, on numbers and on rows."""

from __future__ import annotations

from typing import Any

from own_cases.batch12 import beside, case, near_rows, wide
from own_cases.case import SMALL, TINY, both, cyc, geo, lin, rows

SIDES = [0.3125, 1.125, 2.6, 5.75, 0.84375, 11.9, 17.3, 6.5]
ANGLES = [0.11, 0.37, 0.7853981633974483, 1.02, 1.21, 1.43, 0.95, 0.28]
FAR = [1e-250, 1e-160, 1e-33, 1e-22, 1e-3, 1.0, 1e5, 1e22, 1e28, 1e35, 1e157, 1e290]
SPACE = rows([1.0, 2, 30, 1e4, 1e-8], 0.9, 3, scale=True)


# ---- differences that a textbook asks to be written anew ----

case("kernel.fifth_roots", lambda m, x: (x + 1) ** 0.2 - x**0.2, x=[*geo(1, 1e15), 1e30, 1e200])
case("kernel.root_of_next_square", lambda m, x: m.sqrt(x * x + 2 * x) - x - 1, x=[*geo(0.5, 1e15), 1e100])
case("kernel.two_exponentials", lambda m, x: m.exp(x) - 2 * m.exp(x / 2) + 1, x=[*SMALL, 30.0, -30])
case("kernel.cosines_around", lambda m, x, e: m.cos(x + e) + m.cos(x - e) - 2 * m.cos(x), x=ANGLES, e=geo(1e-7, 1))
case("kernel.sine_quotient_less_cosine", lambda m, x: m.sin(x) / x - m.cos(x), x=[*TINY, 3.0, 30])
case("kernel.fractions_around", lambda m, x: 1 / (1 + x) + 1 / (1 - x) - 2, x=SMALL)
case("kernel.sinh_quotient", lambda m, x: (m.exp(x) - m.exp(-x)) / (2 * x) - 1, x=[*TINY, 20.0, -300])
case("kernel.half_angle_less", lambda m, x: (1 - m.cos(x)) / m.sin(x) - x / 2, x=TINY)
case("kernel.log_of_two_sides", lambda m, x: m.log(m.exp(x) + 1) - m.log(m.exp(x) - 1), x=geo(1e-12, 900, 10))
case("kernel.root_of_root", lambda m, b, c: m.sqrt(b - m.sqrt(b * b - c)), b=geo(2, 1e15), c=cyc(8, 1, 0.5, 3))
case("kernel.cube_slope", lambda m, x, h: ((x + h) ** 3 - x**3) / h - 3 * x * x, x=SIDES, h=geo(1e-9, 1))
case("kernel.powers", lambda m, x, y, n: (x**n - y**n) / (x - y), x=SIDES, y=beside(SIDES), n=cyc(8, 2.5, -1, 7, 0.5))
case(
    "kernel.arctan_of_product",
    lambda m, x, d: m.arctan(x * (1 + d)) - m.arctan(x),
    x=wide(1e-9, 1e9),
    d=geo(1e-9, 0.5, 11),
)
case("kernel.cotangents", lambda m, x, e: 1 / m.tan(x) - 1 / m.tan(x + e), x=ANGLES, e=geo(1e-9, 0.1))
case("kernel.log_less_logs", lambda m, x: m.log(1 + 3 * x) - 3 * m.log(1 + x), x=[*geo(1e-9, 0.3), 20.0, 1e9])
case("kernel.inverse_squares", lambda m, x: 1 / x**2 - 1 / (x + 1) ** 2, x=[*geo(0.5, 1e15), 1e90])
case("kernel.geometric_less_half", lambda m, x: (1 + x) / 2 - m.sqrt(x), x=[1 + v for v in SMALL] + [1e-9, 1e9])
case("kernel.exp_of_small_root", lambda m, x: m.exp(m.sqrt(1 + x)) - m.exp(1.0 + 0 * x), x=SMALL)
case("kernel.tangent_of_sum", lambda m, x: m.tan(2 * x) - 2 * m.tan(x), x=TINY)
case(
    "kernel.less_one_by_hand",
    lambda m, x: (x * x - 1) / (x * x + 1) - (x - 1) / (x + 1),
    x=[1 + 2.0**-k for k in (1, 5, 9, 14, 18)] + [3.0, 1e9],
)

# ---- polynomials and roots ----

case(
    "poly.cube_near_1",
    lambda m, x: ((x - 3) * x + 3) * x - 1,
    x=[1 + s * 2.0**-k for k in (1, 4, 8, 12, 16) for s in (1, -1)],
)
case(
    "poly.chebyshev_gap",
    lambda m, x: 16 * x**5 - 20 * x**3 + 5 * x - 1,
    x=[1 - 2.0**-k for k in (2, 6, 10, 14)] + [1e-9, 0.5],
)
case(
    "poly.legendre_near_1",
    lambda m, x: (5 * x**3 - 3 * x) / 2 - x,
    x=[1 - 2.0**-k for k in (2, 7, 12, 17)] + [1e-9, -0.5],
)
case(
    "poly.cardano",
    lambda m, p, q: (q + m.sqrt(q * q + p**3)) ** (1 / 3) - (m.sqrt(q * q + p**3) - q) ** (1 / 3),
    p=[0.5, 1, 3, 30, 1e3, 1e6],
    q=[1e-6, 0.25, 1, 1e3, 1e9, 1e-3],
)
case(
    "poly.product_of_roots",
    lambda m, b, c: c / (-b - m.sqrt(b * b - 4 * c)) + b / 2,
    b=[3.0, 30, 1e4, 1e7, 2.5],
    c=cyc(5, 1, 0.75),
)
case("poly.quotient_gap", lambda m, x: (2 * x + 3) / (x + 1) - 2, x=both([1e-6, 0.5, 30, 1e6, 1e12, 1e30]))

# ---- rows: vectors of space, matrices by their entries ----


def cross(a: Any, b: Any) -> Any:
    return [
        a[:, 1] * b[:, 2] - a[:, 2] * b[:, 1],
        a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2],
        a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0],
    ]


def cross_length(m: Any, a: Any, b: Any) -> Any:
    u, v, w = cross(a, b)
    return m.sqrt(u * u + v * v + w * w)


def volume(m: Any, a: Any, b: Any, c: Any) -> Any:
    u, v, w = cross(a, b)
    return u * c[:, 0] + v * c[:, 1] + w * c[:, 2]


def eliminated(m: Any, a: Any, y: Any) -> Any:
    """The last unknown of two equations by elimination, a by rows."""
    return (y[:, 1] - a[:, 2] / a[:, 0] * y[:, 0]) / (a[:, 3] - a[:, 2] / a[:, 0] * a[:, 1])


case("row.cross_length", cross_length, a=SPACE, b=near_rows(SPACE))
case("row.volume", volume, wrt="a", a=SPACE, b=near_rows(SPACE, 1, 2), c=near_rows(SPACE, 2, 3))
case("row.angle", lambda m, a, b: m.arctan2(cross_length(m, a, b), m.sum(a * b, axis=-1)), a=SPACE, b=near_rows(SPACE))
case(
    "row.plane_distance",
    lambda m, n, p, q: m.sum(n * (p - q), axis=-1) / m.sqrt(m.sum(n * n, axis=-1)),
    n=rows([*FAR[:5], 1.0], 0.9, 3, scale=True),
    p=rows([1.0, 2, 30, 1e4, 1e-8, 3], 0.9, 3, scale=True),
    q=near_rows(rows([1.0, 2, 30, 1e4, 1e-8, 3], 0.9, 3, scale=True)),
)
case("row.householder", lambda m, x: 2 / (m.sum(x * x, axis=-1) - x[:, 0] ** 2 + (x[:, 0] - m.sqrt(m.sum(x * x, axis=-1))) ** 2),
     x=[[1.0, e, -2 * e, e / 3] for e in (0.5, 1e-3, 1e-6)] + rows([1.0, 1e60], 0.9, 4, scale=True))  # fmt: skip
case("row.eliminated", eliminated, a=[[1.0, 2, 3, 7], [1e-20, 1, 1, 1], [1, 1, 1, 1 + 2.0**-18], [1e100, 1, 2, 1e-60]],
     y=[[1.0, 3.5], [1, 2], [2, 2 + 2.0**-16], [1, 1]])  # fmt: skip
case("row.growth", lambda m, x: m.prod(1 + x, axis=-1) - 1, x=rows([1e-15, 1e-9, 1e-4, 0.1, 0.5], 0.9, scale=True))
case("row.share_left", lambda m, p: 1 - m.sum(p, axis=-1), p=[[0.5, 0.25, 0.125, 0.125 - 2.0**-k] for k in (4, 10, 20)])
case("row.unit_gap", lambda m, a, b: m.sum((a / m.sqrt(m.sum(a * a, axis=-1, keepdims=True)) - b / m.sqrt(m.sum(b * b, axis=-1, keepdims=True))) ** 2, axis=-1),
     a=SPACE, b=near_rows(SPACE, 2, 3))  # fmt: skip
case(
    "row.norm_of_gap_less",
    lambda m, x: m.sqrt(m.sum((x[:, 1:] - x[:, 0][:, None]) ** 2, axis=-1)),
    x=rows([0.0, 1, 1e3, 1e6], 0.75),
)
case("row.polygon_area", lambda m, x, y: 0.5 * (m.sum(x[:, :-1] * y[:, 1:], axis=-1) - m.sum(x[:, 1:] * y[:, :-1], axis=-1)),
     x=rows([0.0, 1, 300, 1e4], 1, 4), y=near_rows(rows([1.0, 2, 301, 9e3], 1.25, 4), 1, 2), wrt="")  # fmt: skip

# ---- steps of methods ----


def thomas(m: Any, a: Any, y: Any) -> Any:
    """The first unknown of three equations with 2 + a on the diagonal and -1 beside it."""
    c = -1 / (2 + a)
    d = y[:, 0] / (2 + a)
    e = -1 / (2 + a + c)
    f = (y[:, 1] + d) / (2 + a + c)
    last = (y[:, 2] + f) / (2 + a + e)
    return d - c * (f - e * last)


case("step.thomas", thomas, a=[1e-9, 0.5, -1.99, 1e6], y=rows([1.0, 0.5, 30, 3], 0.75, 3))
case(
    "step.simpson_defect",
    lambda m, x, h: h / 6 * (m.exp(x) + 4 * m.exp(x + h / 2) + m.exp(x + h)) - (m.exp(x + h) - m.exp(x)),
    x=lin(-3, 3, 6),
    h=[1.0, 0.5, 0.25, 0.125, 2, 0.75],
)
case(
    "step.verlet_gap",
    lambda m, x, h: 2 * m.cos(x) - m.cos(x - h) - h * h * m.cos(x) - m.cos(x + h),
    x=ANGLES,
    h=geo(1e-3, 1),
)
case("step.mean_less_root", lambda m, a, b: (a + b) / 2 - m.sqrt(a * b), a=SIDES, b=beside(SIDES))
case("step.halving_defect", lambda m, x: x - x * (2 - x * (1 / x)) + (1 - x), x=[1 + v for v in SMALL])
case("step.barycentric", lambda m, x, a, b: (m.log(a) / (x - a) - m.log(b) / (x - b)) / (1 / (x - a) - 1 / (x - b)) - m.log(x),
     x=SIDES, a=beside(SIDES), b=[1.0625 * v for v in SIDES])  # fmt: skip
case(
    "step.quotient_imaginary",
    lambda m, a, b, c, d: (b * c - a * d) / (c * c + d * d),
    a=FAR,
    b=FAR[::-1],
    c=beside(FAR),
    d=cyc(12, 1e-20, 3, 1e30),
)
case(
    "step.ellipse_rest",
    lambda m, a, b: 3 * (a + b) - m.sqrt((3 * a + b) * (a + 3 * b)) - (a + b),
    a=SIDES,
    b=beside(SIDES),
)
case(
    "step.logs_to_base_two",
    lambda m, x, y: m.log(2.0**x + 2.0**y) / 0.6931471805599453 - x,
    x=[0.5, 30, 1023, -1000, 64],
    y=[-20.0, 31, 1024, -1030, -64],
)
case("step.arc_of_chord", lambda m, r, c: 2 * r * m.arcsin(c / (2 * r)) - c, r=geo(1, 1e6), c=cyc(8, 1, 0.25))
