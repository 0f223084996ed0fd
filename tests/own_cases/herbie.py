"""What Herbie's suite collects besides: textbooks, orbits, complex arithmetic, maps, optics."""

from __future__ import annotations

from functools import partial

from own_cases.case import PI, both, cyc, geo, lin, shifted
from own_cases.case import case as any_case

case = partial(any_case, batch=6)

# ---- Herbie: textbooks (Hamming, Conte, Kahan) ----

case(
    "herbie.clustering",
    lambda m, p, n, t, s: (
        (1 / (1 + m.exp(-s))) ** p * (1 - 1 / (1 + m.exp(-s))) ** n
        / ((1 / (1 + m.exp(-t))) ** p * (1 - 1 / (1 + m.exp(-t))) ** n)
    ),
    p=cyc(7, 1, 2.5, 0.25), n=cyc(7, 0.5, 3), t=[0.5, -40, 200, 1e-9, 30, -3, 50],
    s=[0.75, -41, 201, -1e-9, 30 + 2**-20, 4, -20],
)  # fmt: skip
case("herbie.conte_1", lambda m, x: m.cos(x) * m.exp(10 * (x * x)), x=lin(1.99, 2.01, 5))
case("herbie.conte_4a", lambda m, x: (x - m.sin(x)) / m.tan(x), x=both(geo(1e-9, 1)))
case("herbie.conte_b", lambda m, x: 10 / (1 - x * x), x=[0.999, 1 - 2**-20, 1 - 2**-23, 1 + 2**-22, 1.001])
case(
    "herbie.conte_4b",
    lambda m, x, e: (x + e) ** 5 - x**5,
    x=[-1e9, -3, 1e-9, 2, 1e9, 7e4],
    e=[1e-9, 1e-15, 1, -1, 1e-6, -1e-12],
)
case("herbie.conte_4d", lambda m, x, e: x - m.sqrt(x * x - e), x=geo(1, 1e9), e=cyc(8, 0.5, -1, 1e-9, -1e-15))
case(
    "herbie.monster",
    lambda m, y: (m.sqrt(y * y + 1) - y) - 1 / (y + m.sqrt(y * y + 1)) + m.exp(-y / 1e4),
    y=geo(1, 9999, 6),
)
case(
    "herbie.kahan_p9",
    lambda m, x, y: (x - y) * (x + y) / (x * x + y * y),
    x=shifted(geo(1e-200, 0.9)),
    y=geo(1e-200, 0.9),
)
case(
    "herbie.kahan_p13",
    lambda m, t: 1 - 1 / (2 + (2 - (2 / t) / (1 + 1 / t)) ** 2),
    t=[*geo(1e-12, 1e12), -0.5, -1 + 2**-20],
)
case(
    "herbie.hamming_6_1",
    lambda m, x, e: ((1 + 1 / e) * m.exp(-(1 - e) * x) - (1 / e - 1) * m.exp(-(1 + e) * x)) / 2,
    x=[0.5, 2, 30, 1e-3, 1, 700], e=[0.5, 1e-9, 1e-4, 1e-6, 1e-12, 0.25],
)  # fmt: skip
case(
    "herbie.hamming_b",
    lambda m, a, b: PI / 2 * (1 / (b * b - a * a)) * (1 / a - 1 / b),
    a=geo(1e-3, 1e3, 7),
    b=shifted(geo(1e-3, 1e3, 7)),
)
case("herbie.radiation", lambda m, x, y: x**4 - y**4, x=shifted(geo(1e-9, 1e9)), y=geo(1e-9, 1e9))
case(
    "herbie.compound",
    lambda m, i, n: 100 * (((1 + i / n) ** n - 1) / (i / n)),
    i=geo(1e-12, 2),
    n=cyc(8, 1, 12, 365, 1e6),
)
case(
    "herbie.arccos_halved",
    lambda m, x: 2 * m.arctan(m.sqrt((1 - x) / (1 + x))),
    x=[-0.999, -0.5, 1e-9, 0.5, 1 - 2**-20, 1 - 2**-22],
)
case(
    "herbie.complex_quotient",
    lambda m, a, b, c, d: (b * c - a * d) / (c * c + d * d),
    a=[1.0, 1e200, 3, 1],
    b=[2.0, 1e200, 5, 1 + 2**-40],
    c=[3.0, 1e200, 3e-200, 1],
    d=[6 + 2**-30, 2e200, 5e-200, 1],
)
case("herbie.asymptote_a", lambda m, x: 1 / (x + 1) - 1 / (x - 1), x=[*geo(2, 1e15, 6), -1e9, 1e-9])
case("herbie.asymptote_b", lambda m, x: 1 / (x - 1) + x / (x + 1), x=[*geo(2, 1e15, 6), -0.5, 1e-9])
case("herbie.asymptote_c", lambda m, x: x / (x + 1) - (x + 1) / (x - 1), x=[*geo(2, 1e15, 6), -1e9, 1e-9])
case(
    "herbie.eccentricity",
    lambda m, a, b: m.sqrt((a * a - b * b) / (a * a)),
    a=shifted(geo(1e-3, 0.9, 7)),
    b=geo(1e-3, 0.9, 7),
)
case(
    "herbie.trigonometry_a",
    lambda m, e, v: e * m.sin(v) / (1 + e * m.cos(v)),
    e=[0.5, 1 - 2**-20, 1, 1e-9],
    v=[3.0, 3.14, 3.1, -1e-9],
)
case(
    "herbie.trigonometry_b",
    lambda m, x: (1 - m.tan(x) ** 2) / (1 + m.tan(x) ** 2),
    x=[0.0, 1e-9, 0.7853981, 0.78539816339, 1.5, -2.3561944],
)
case(
    "herbie.cubic_critical",
    lambda m, a, b, c: (-b + m.sqrt(b * b - 3 * a * c)) / (3 * a),
    a=geo(1e-8, 1e3, 6),
    b=[1e3, 9e7, 1e5, 1, 1e6, 1e2],
    c=[1.0, 1e-5, 2, 1e-1, 1e7, 0.5],
)
case("herbie.square_less_one", lambda m, x: (x + 1) * (x + 1) - 1, x=both(geo(1e-15, 1e6)))
case("herbie.like_terms", lambda m, x: (1 + x) - x, x=[0.5, 1e-20, 1e16, 1e300])
case(
    "herbie.associated",
    lambda m, x, y, z: ((x + y) + z) - (x + (y + z)) + x * 1e-3,
    x=[1.0, 1e16, 3],
    y=[1e16, 1, 0.1],
    z=[-1e16, 3, 0.2],
)
case("herbie.bug333", lambda m, x: m.sqrt(1 + x) - m.sqrt(1 - x), x=both([1e-300, 1e-12, 0.5, 1 - 2**-20]))
case("herbie.bug500_log", lambda m, x: m.log(m.sinh(x) / x), x=both([1e-7, 1e-3, 0.05, 0.5, 20, 700]))
case(
    "herbie.bug366",
    lambda m, x, y, z: m.sqrt(x * x + (y * y + z * z)),
    x=[1e200, 1e-200, 3, 1],
    y=[1e199, 1e-201, 4, 1e200],
    z=[1.0, 1e-200, 12, 1e-300],
)
case(
    "herbie.bug366_difference",
    lambda m, a, b: m.sqrt(a * a - b * b),
    a=[1e200, 1e-200, 3, 1 + 2**-20],
    b=[1e199, 1e-201, 2.9, 1],
)
case(
    "herbie.xlohi",
    lambda m, x, a, b: (x - a) / (b - a),
    x=[1e307, 0, 5],
    a=[-1.5e308, -1.2e308, 5 - 2**-20],
    b=[1.6e308, 1.1e308, 5 + 2**-30],
)
case(
    "herbie.tan_gap",
    lambda m, x, y, z, a: x + (m.tan(y + z) - m.tan(a)),
    x=[0.5, 500, 1],
    y=[0.5, 1e3, 1],
    z=[0.25, 2e-5, 2**-30],
    a=[0.75, 1e3, 1],
)
case(
    "herbie.mixed_cosine",
    lambda m, x, c, s: m.cos(2 * x) / (c**2 * (x * s**2 * x)),
    x=[0.5, 1e-100, 1e3],
    c=[1e-150, 1e120, 3],
    s=[1e160, 1e-20, 1e-3],
)
case(
    "herbie.exp_w",
    lambda m, w, l: m.exp(-w) * l ** m.exp(w),
    w=[0.5, -700, 3, -1e-9, 6],
    l=[0.5, 1e300, 1 + 2**-30, 3, 0.999],
)

# ---- Herbie: libraries (orbits, complex numbers, estimators) ----

case(
    "orbits.mean_anomaly",
    lambda m, E, e: E - e * m.sin(E),
    E=geo(1e-9, 6),
    e=[1 - 2**-30, 0.5, 1 - 2**-40, 0.999, 0.1, 0.9, 1 - 2**-20, 0],
)
case(
    "orbits.true_anomaly",
    lambda m, E, e: 2 * m.arctan2(m.sqrt(1 + e) * m.sin(E / 2), m.sqrt(1 - e) * m.cos(E / 2)),
    E=[1e-9, 0.5, 3.14159265, 3.1415, -2, 6],
    e=[0.5, 1 - 2**-20, 0.3, 1e-9, 0.9, 0.1],
)
case(
    "orbits.hyperbolic",
    lambda m, H, e: e * m.sinh(H) - H,
    H=both([1e-9, 0.5, 30, 700]),
    e=cyc(8, 1 + 2**-40, 1.5, 1 + 2**-20),
)
case(
    "orbits.hyperbolic_anomaly",
    lambda m, H, e: 2 * m.arctan(m.sqrt((e + 1) / (e - 1)) * m.tanh(H / 2)),
    H=both([1e-9, 0.5, 30]),
    e=[1 + 2**-22, 1.5, 1 + 2**-20, 1e9, 1 + 2**-10, 2],
)
case(
    "orbits.kepler_step",
    lambda m, M, e: M - ((M - e * m.sin(M)) - M) / (1 - e * m.cos(M)),
    M=[1e-9, 1e-3, 0.5, 3, 6.28, 1],
    e=[1 - 2**-20, 1 - 2**-10, 0.5, 0.9, 0.99, 1e-9],
)
case(
    "orbits.hyperbolic_step",
    lambda m, N, e: N - ((e * m.sinh(N) - N) - N) / (e * m.cosh(N) - 1),
    N=[1e-3, 0.5, 3, -1, 30],
    e=[1 + 2**-20, 1 + 2**-10, 1.5, 1.01, 2],
)
case(
    "orbits.semi_latus", lambda m, a, e: a * (1 - e * e), a=geo(1e3, 1e12, 5), e=[1 - 2**-30, 1 + 2**-30, 0.5, 0, 1e-9]
)
case(
    "orbits.radius",
    lambda m, p, e, f: p / (1 + e * m.cos(f)),
    p=geo(1, 1e9, 5),
    e=[1 - 2**-20, 1, 0.999, 0.5, 1],
    f=[3.1415, 3.14, 3.14159265, 2, 3.0],
)
case(
    "orbits.position",
    lambda m, r, w, t, i: r * (m.cos(w) * m.cos(t) - m.sin(w) * m.sin(t) * m.cos(i)),
    r=geo(1, 1e9, 5),
    w=[0.5, 1, 0.785398, 2, 1e-9],
    t=[1.07079632, 0.5707963, 0.7853981, 3, 1.5707963],
    i=[1e-9, 1e-3, 0.5, 3.14159, 1e-5],
)
case(
    "complex.square_real", lambda m, x, y: x * x - y * y, x=shifted([1e-160, 1, 1e9, 1e150]), y=[1e-160, 1, 1e9, 1e150]
)
case(
    "complex.cube_real",
    lambda m, x, y: (x * x - y * y) * x - (x * y + y * x) * y,
    x=[1.7320508075688772, 1e-50, 3, 1e90],
    y=[1.0, 1e-50, 1.732050, 1e80],
)
case(
    "complex.cube_imaginary",
    lambda m, x, y: (x * x - y * y) * y + (x * y + y * x) * x,
    x=[0.5773502691896258, 1e-50, 3, 1e90],
    y=[1.0, 1e-50, 5.196152, 1e80],
)
case(
    "complex.log_base",
    lambda m, x, y, b: (m.log(m.sqrt(x * x + y * y)) * m.log(b) + m.arctan2(y, x) * 0) / (m.log(b) * m.log(b) + 0),
    x=[1e200, 0.6, 1 + 2**-30, 1e-200],
    y=[1e200, 0.8, 2**-20, 1e-210],
    b=[2.0, 1 + 2**-20, 10, 0.5],
)
case(
    "complex.power_real",
    lambda m, a, b, c, d: (
        m.exp(m.log(m.sqrt(a * a + b * b)) * c - m.arctan2(b, a) * d)
        * m.cos(m.log(m.sqrt(a * a + b * b)) * d + m.arctan2(b, a) * c)
    ),
    a=[1.0, 0.6, 1e100, -1, 3],
    b=[1.0, 0.8, 1e100, 1e-9, -4],
    c=[2.0, 50, 2.5, 0.5, -3],
    d=[1e-9, 0.5, 1, 2, 0.25],
)
case(
    "complex.root_imaginary",
    lambda m, x, y: 0.5 * m.sqrt(2.0 * (m.sqrt(x * x + y * y) - x)),
    x=[*geo(1e-3, 1e150, 6), -3, -1e150],
    y=cyc(8, 1, 1e-5, 2),
)
case(
    "complex.sine_imaginary",
    lambda m, x, y: 0.5 * m.cos(x) * (m.exp(0 - y) - m.exp(y)),
    x=[0.5, 1.5707963, 3],
    y=[1e-9, 5, -700],
)
case("complex.asinh_spelled", lambda m, x: m.log(m.abs(x) + m.sqrt(x * x + 1)), x=both([1e-300, 1e-9, 0.5, 1e9, 1e200]))
case(
    "complex.atanh_spelled",
    lambda m, x: 0.5 * m.log1p(2 * x / (1 - x)),
    x=both([1e-300, 1e-9, 0.5, 1 - 2**-20, 1 - 2**-23]),
)
case(
    "complex.arcsecant",
    lambda m, x: m.log(1 / x + m.sqrt(1 - x * x) / x),
    x=[1e-300, 1e-9, 0.5, 1 - 2**-20, 1 - 2**-23],
)
case("complex.ian", lambda m, x: PI / 2 - 2 * m.arcsin(m.sqrt((1 - x) / 2)), x=[-0.999, -0.25, 0.5, 0.75, 0.999])
case("estimators.lambert", lambda m, x: m.log(x) - m.log(m.log(x)), x=[1 + 2**-20, 1 + 2**-10, 2.71828, 3, 1e9, 1e300])
case(
    "estimators.jacobi2",
    lambda m, a, b, i: ((a + b) * (b - a) / ((a + b) + 2 * i) / ((a + b) + 2 * i + 2.0) + 1.0) / 2.0,
    a=[1e12, 3, 1e150, -0.5, 1e9],
    b=[1.0, 1e-9, 5, 1e9, 1e9 + 1],
    i=[1.0, 2, 10, 1e9, 3],
)
case(
    "estimators.jacobi4",
    lambda m, a, b, i: (
        i
        * (a + b + i)
        * (b * a + i * (a + b + i))
        / ((a + b + 2 * i) * (a + b + 2 * i))
        / ((a + b + 2 * i) * (a + b + 2 * i) - 1.0)
    ),
    a=[0.5, 1e100, -0.99, 3],
    b=[0.25, 1e90, -0.99, 7],
    i=[2.0, 1e80, 1.5, 1e100],
)
case(
    "estimators.beta_a",
    lambda m, u, v: (u * (1 - u) / v - 1) * u,
    u=[0.5, 1e-9, 1 - 2**-30, 0.3],
    v=[0.25 - 2**-40, 1e-9 - 2e-18, 2**-31, 0.21 - 2**-30],
)
case(
    "estimators.beta_b",
    lambda m, u, v: (u * (1 - u) / v - 1) * (1 - u),
    u=[0.5, 1e-9, 1 - 2**-30, 0.3],
    v=[0.25 - 2**-40, 1e-9 - 2e-18, 2**-31, 0.21 - 2**-30],
)
case(
    "estimators.gamma_draw",
    lambda m, a, x: (a - 1.0 / 3.0) * (1 + 1 / m.sqrt(9 * (a - 1.0 / 3.0)) * x) ** 3,
    a=[0.5, 1, 1e9, 1 / 3 + 2**-20],
    x=[0.5, -2.4, -3, 1e-3],
)
case(
    "estimators.normal_draw",
    lambda m, u, v: 1 / 6 * (-2 * m.log(u)) ** 0.5 * m.cos(2 * PI * v) + 0.5,
    u=[0.5, 1 - 2**-20, 1e-300, 0.01],
    v=[0.1, 0.4, 0.5, 0.35],
)
case("estimators.excel", lambda m, x, y: x / (1 - y) - x, x=[1.855, 2.985, 1e200], y=[0.000209, 0.0186, 1e-20])

# ---- Herbie: maps, optics, machines ----

case(
    "maps.great_circle",
    lambda m, R, k, l, p, q: (
        R
        * (
            2
            * m.arctan2(
                m.sqrt(m.sin((p - q) / 2) ** 2 + m.cos(p) * m.cos(q) * m.sin((k - l) / 2) * m.sin((k - l) / 2)),
                m.sqrt(1 - (m.sin((p - q) / 2) ** 2 + m.cos(p) * m.cos(q) * m.sin((k - l) / 2) * m.sin((k - l) / 2))),
            )
        )
    ),
    R=cyc(5, 6371.0),
    k=[0.5, 1, 1e-9, 0.25, 3],
    l=[0.5 + 2**-20, 1, 2e-9, 3.25, 0.125],
    p=[0.5, 0.25, 1, 0.5, -0.5],
    q=[0.5, 0.25 + 2**-24, 1, -0.5, 0.625],
)
case(
    "maps.equirectangular",
    lambda m, R, k, l, p, q: R * m.sqrt(((k - l) * m.cos((p + q) / 2)) ** 2 + (p - q) ** 2),
    R=cyc(4, 6371.0),
    k=[0.5, 1, 1e-200, 0.25],
    l=[0.5 + 2**-20, 1, 2e-200, 3.25],
    p=[0.5, 0.25, 1e-200, 1.5],
    q=[0.5, 0.25 + 2**-24, 1e-201, 1.625],
)
case(
    "maps.midpoint",
    lambda m, k, l, p, q: k + m.arctan2(m.cos(q) * m.sin(k - l), m.cos(p) + m.cos(q) * m.cos(k - l)),
    k=[0.5, 2, 3, 1],
    l=[0.5 - 2**-30, -1, -0.125, 0.25],
    p=[0.5, 1, 0.25, 1.5],
    q=[0.25, 1 + 2**-20, 0.25 + 2**-10, -0.5],
)
case(
    "maps.destination",
    lambda m, p, d, t: m.arcsin(m.sin(p) * m.cos(d) + m.cos(p) * m.sin(d) * m.cos(t)),
    p=[0.5, 1, -0.25, 1e-9],
    d=[1e-9, 0.5, 0.25, 0.125],
    t=[0.5, 0.25, 2**-10, 3],
)
case("maps.mercator", lambda m, p: m.log(m.tan(PI / 4 + 0.5 * p)), p=[1e-9, -1e-3, 0.5, 1.5, -1.25, 1.57])
case(
    "maps.ellipsoid_ratio",
    lambda m, p, e: m.log((1 + e * m.sin(p)) / (1 - e * m.sin(p))),
    p=[1e-9, 0.5, 1.5707, -1],
    e=[0.5, 1e-9, 1 - 2**-30, 0.08181919],
)
case(
    "maps.inverse_latitude",
    lambda m, y, k: 2.0 * (m.arctan(m.exp(y / k)) - PI / 4),
    y=[1e-1, -3, 20, 0.5, -200],
    k=[1.0, 2, 5, 0.25, 7],
)
case(
    "maps.transverse_x",
    lambda m, p, l: m.log((1 + m.cos(p) * m.sin(l)) / (1 - m.cos(p) * m.sin(l))),
    p=[1e-9, 0.5, 1e-3, 1.5],
    l=[1e-9, 1.5, 1.57, -0.5],
)
case(
    "maps.transverse_root",
    lambda m, p, l: m.cos(p) * m.cos(l) / m.sqrt(1 - m.cos(p) * m.sin(l) * (m.cos(p) * m.sin(l))),
    p=[1e-9, 0.5, 1e-3, 1.5],
    l=[0.5, 1.5, 1.57, -0.5],
)
case(
    "maps.inverse_g",
    lambda m, x, e: 0.5 * (m.exp(x / e) - 1 / m.exp(x / e)),
    x=both([1e-9, 0.5, 30, 300]),
    e=cyc(8, 1, 0.5),
)
case(
    "maps.exact_inverse",
    lambda m, n, e: m.arctan2(m.sin(n), m.sqrt(m.sinh(e) * m.sinh(e) + m.cos(n) * m.cos(n))),
    n=[1.5707, 0.5, 1e-9, 3],
    e=[1e-9, 0.5, 300, -1e-3],
)
case(
    "maps.setup_w",
    lambda m, e, a, r: ((1 - e * (a * a)) * r) ** 2 - 1,
    e=[0.00669437999, 1e-9, 0.5],
    a=[0.5, 0.999, 1e-9],
    r=[1 / (1 - 0.00669437999), 1, 1 + 2**-40],
)
case(
    "optics.hair_upper",
    lambda m, a, b, c, d, v: m.exp(-(c * d / v)) * (a * b / v) / (m.sinh(1 / v) * 2 * v),
    a=[0.5, 1, -1, 0.9],
    b=[0.25, 1e-9, 1, -0.5],
    c=[1.0, -1, 0.5, 1e-3],
    d=[1.0, 1, -1, 0.5],
    v=[0.11, 1.5707964, 0.5, 0.101],
)
case(
    "optics.hair_sample",
    lambda m, u, v: 1 + v * m.log(u + (1 - u) * m.exp(-2 / v)),
    u=[1e-5, 1, 0.5, 1 - 2**-20, 0.25, 0.5],
    v=[0.1, 100, 109, 1e-3, 1, 0.5],
)
case(
    "optics.refracted",
    lambda m, s, h, e: m.arcsin(h / m.sqrt(e * e - s * s / m.sqrt(1 - s * s))),
    s=[0.5, 1e-9, 0.9, -0.25],
    h=[0.5, 1, -1e-9, 0.999],
    e=[1.5, 1 + 2**-20, 10, 1.25],
)
case(
    "optics.cone",
    lambda m, u, v, c: m.cos(2 * v * PI) * m.sqrt(1 - ((1 - u) + u * c) * ((1 - u) + u * c)),
    u=[2.5e-10, 1, 0.5, 1e-6],
    v=[0.1, 0.26, 2.5e-10, 0.9],
    c=[1 - 2**-20, 1 - 2**-22, 1e-9, 0.5],
)
case(
    "optics.ribbon",
    lambda m, t, u, p, q: m.sin((1 - u) * t) * (1 / m.sin(t)) * p + m.sin(u * t) * (1 / m.sin(t)) * q,
    t=[1e-9, 0.5, 1.5707],
    u=[0.5, 1 - 2**-20, 2.5e-10],
    p=[1.0, -1, 0.5],
    q=[0.5, 2**-10, -1],
)
case(
    "optics.lanczos",
    lambda m, x, t: m.sin(x * PI * t) / (x * PI * t) * (m.sin(x * PI) / (x * PI)),
    x=[1e-5, 0.5, 0.999, 0.25],
    t=[1.0, 5, 3, 2.5],
)
case(
    "optics.beckmann",
    lambda m, u, v: m.sqrt(-m.log(1 - u)) * m.cos(2 * PI * v),
    u=[2.5e-10, 0.5, 1 - 2**-20, 0.9],
    v=[0.1, 0.26, 1, 2.5e-10],
)
case(
    "optics.trowbridge",
    lambda m, u, a: 1 / m.sqrt(1 + a * a * u / (1 - u)),
    u=[2.5e-10, 0.5, 1 - 2**-20, 1 - 2**-23],
    a=[1.0, 1e-4, 0.5, 1e-3],
)
case(
    "optics.logistic_pdf",
    lambda m, x, s: m.exp(-m.abs(x) / s) / (s * (1 + m.exp(-m.abs(x) / s)) * (1 + m.exp(-m.abs(x) / s))),
    x=both([1e-9, 0.5, 30, 600]),
    s=cyc(8, 1, 0.5),
)
case(
    "optics.log_transform",
    lambda m, c, x, y: c * m.log(1.0 + (2.718281828459045**x - 1.0) * y),
    c=[1.0, 3, -2, 1e9],
    x=[1e-9, 0.5, 700, -30],
    y=[1e-3, 1e-9, 0.5, 1 - 2**-20],
)
case(
    "machines.throwing",
    lambda m, v, h: m.arctan(v / m.sqrt(v * v - 19.6 * h)),
    v=[10.0, 1e9, 1e-3, 14],
    h=[1.0, 5, 1e-9, 9.99],
)
case(
    "machines.dimer",
    lambda m, j, k, u: -2 * j * m.cos(k / 2) * m.sqrt(1 + (u / (2 * j * m.cos(k / 2))) ** 2),
    j=[1.0, 1e-200, 3, 1e150],
    k=[0.5, 3.1415, 3.14159265358979, 1],
    u=[1e-9, 1e-201, 1, 1e160],
)
case(
    "machines.escape",
    lambda m, j, l, k, u: j * (m.exp(l) - m.exp(-l)) * m.cos(k / 2) + u,
    j=[1.0, 2, -1],
    l=[1e-9, 30, 0.5],
    k=[0.5, 3, 1],
    u=[1e-9, 1, 0.75],
)
case(
    "machines.poisson",
    lambda m, n, e, k: n / (1 + m.exp(-(e / k))) + n / (1 + m.exp((e + 1) / k)),
    n=[1.0, 1e20, 3],
    e=[0.5, -1, 20],
    k=[0.025, 0.5, 1e-2],
)
case("machines.exp_of_logs", lambda m, a, b: m.exp(m.log(a) + m.log(b)), a=[1e-200, 1e200, 3], b=[1e150, 1e100, 7])
case(
    "machines.quotient_of_products",
    lambda m, a, b, c, d: a * b / (c * d),
    a=[1e-200, 1e200, 3],
    b=[1e-150, 1e200, 7],
    c=[1e-170, 1e190, 5],
    d=[1e-160, 1e205, 11],
)
case(
    "machines.sine_series",
    lambda m, x: x - x**3 / 6.0 + x**5 / 120.0 - x**7 / 5040.0 - m.sin(x),
    x=[0.25, -0.5, 1, 1.5],
)
case(
    "machines.ancestry",
    lambda m, g, h: 2 * m.cos(2 * PI / 3 + m.arccos(-g / h) / 3),
    g=[1e-9, 0.5, -0.9, 1],
    h=[1.0, 1, 1, 1 + 2**-20],
)
