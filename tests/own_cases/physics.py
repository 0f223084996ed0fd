"""Physics and geometry."""

from __future__ import annotations

from own_cases.case import NEAR1, PI, WIDE, both, case, cyc, geo, lin, rows, shifted

C = 299792458.0

# ---- batch 2 ----

case("physics.lorentz_energy", lambda m, b: 1 / m.sqrt(1 - b * b) - 1, b=[*geo(1e-12, 0.9), 1 - 2**-20], batch=2)
case("physics.planck", lambda m, x: x**3 / (m.exp(x) - 1), x=[*geo(1e-10, 10), 100, 650, 800], batch=2)
case("physics.fermi", lambda m, e: 1 / (m.exp((e - 0.5) / 0.025) + 1), e=lin(-20, 20, 9), batch=2)
case("physics.bose", lambda m, x: 1 / (m.exp(x) - 1), x=[*geo(1e-14, 1), 40, 700, 800], batch=2)
case("physics.langevin", lambda m, x: 1 / m.tanh(x) - 1 / x, x=[*both(geo(1e-4, 1, 6)), 5, 40, 800], batch=2)
case(
    "physics.debye_energy",
    lambda m, x: x * x * m.exp(x) / (m.exp(x) - 1) ** 2,
    x=[*geo(1e-8, 10), 100, 720, 1500],
    batch=2,
)
case("physics.two_level", lambda m, e: -m.log(1 + m.exp(-e)), e=[*both(geo(1e-3, 40, 6)), 800, -800], batch=2)
case("physics.relativistic_momentum", lambda m, p: m.sqrt(p * p + 1) - 1, p=WIDE, batch=2)
case("physics.doppler_shift", lambda m, b: m.sqrt((1 + b) / (1 - b)) - 1, b=both(geo(1e-14, 0.9)), batch=2)
case(
    "physics.lens",
    lambda m, f, d: 1 / (1 / f - 1 / d),
    f=cyc(5, 1, 2, 0.5),
    d=[v * (1 + 2.0 ** -(3 + 4 * k)) for k, v in enumerate(cyc(5, 1, 2, 0.5))],
    batch=2,
)
case("physics.barometric", lambda m, h: 1 - (1 - 2.25577e-5 * h) ** 5.25588, h=geo(1e-8, 1e4), batch=2)
case("physics.rocket", lambda m, r: m.log((1 + r) / 1) - r, r=both(geo(1e-4, 0.5, 7)), batch=2)
case("physics.screened", lambda m, r: (1 - m.exp(-r)) / r, r=[*geo(1e-14, 1), 40, 900], batch=2)
case(
    "physics.bethe",
    lambda m, g: m.log(g * g - 1) - (1 - 1 / (g * g)),
    g=[1 + 2.0**-k for k in range(1, 22, 4)] + [30, 1e9, 1e200],
    batch=2,
)
case(
    "physics.lennard_jones",
    lambda m, r: 4 * ((1 / r) ** 12 - (1 / r) ** 6),
    r=[*geo(0.02, 0.9, 4), 1 + 2**-20, 2, 100, 1e30],
    batch=2,
)
case(
    "geometry.heron",
    lambda m, a, b, c: m.sqrt((a + b + c) / 2 * ((a + b + c) / 2 - a) * ((a + b + c) / 2 - b) * ((a + b + c) / 2 - c)),
    a=cyc(6, 2),
    b=[1 + 2.0**-k for k in (3, 6, 9, 12, 15, 18)],
    c=cyc(6, 1),
    batch=2,
)
case(
    "geometry.haversine",
    lambda m, x, y: 2 * m.arcsin(m.sqrt(m.sin((x - y) / 2) ** 2)),
    x=lin(0.3, 1.4, 6),
    y=[v - 2.0 ** -(4 + 3 * k) for k, v in enumerate(lin(0.3, 1.4, 6))],
    batch=2,
)
case(
    "geometry.central_angle",
    lambda m, x, y: m.arccos(m.sin(x) * m.sin(y) + m.cos(x) * m.cos(y)),
    x=lin(0.3, 1.4, 5),
    y=[v - 2.0 ** -(2 + 3 * k) for k, v in enumerate(lin(0.3, 1.4, 5))],
    batch=2,
)
case("geometry.sagitta", lambda m, r, c: r - m.sqrt(r * r - c * c), r=geo(1, 1e8), c=cyc(8, 0.5, 0.75, 0.125), batch=2)
case("geometry.cap_area", lambda m, t: 2 * PI * (1 - m.cos(t)), t=geo(1e-10, 3), batch=2)
case("geometry.segment", lambda m, t: (t - m.sin(t)) / 2, t=geo(1e-4, 3), batch=2)
case("geometry.circumradius", lambda m, a, b: a * b / m.sqrt(a * a + b * b), a=WIDE, b=WIDE[::-1], batch=2)
case(
    "geometry.angle_between",
    lambda m, x, y: m.sum(x * y, axis=-1) / m.sqrt(m.sum(x * x, axis=-1) * m.sum(y * y, axis=-1)),
    x=rows([1, 1e180, 1e-180], 1.4, scale=True),
    y=rows([1e-170, 1e170, 1], -1.4, scale=True),
    batch=2,
)
case("geometry.horizon", lambda m, h: m.arccos(1 / (1 + h)), h=geo(1e-14, 10), batch=2)
case(
    "geometry.ellipse_flattening",
    lambda m, a, b: 1 - m.sqrt(1 - ((a - b) / a) * (2 - (a - b) / a)),
    a=cyc(7, 1, 3),
    b=[v * (1 - 2.0 ** -(2 + 3 * k)) for k, v in enumerate(cyc(7, 1, 3))],
    batch=2,
)
case("geometry.polar", lambda m, x, y: m.arctan2(y, x), x=WIDE, y=WIDE[::-1], batch=2)

# ---- batch 3 ----

case(
    "physics.kinetic",
    lambda m, u, v: u * C**2 * (1 / m.sqrt(1 - v**2 / C**2) - 1),
    batch=3,
    u=cyc(7, 1, 9.1e-31, 80),
    v=[*geo(1e-3, 1e8, 6), 2.99e8],
)
case(
    "physics.planck_wavelength",
    lambda m, x: 1 / (x**5 * (m.exp(1 / x) - 1)),
    batch=3,
    x=[1.25e-3, 1.6e-3, 0.01, *geo(0.1, 1e12, 6)],
)
case(
    "physics.brillouin",
    lambda m, x: 1.5 / m.tanh(1.5 * x) - 0.5 / m.tanh(0.5 * x),
    batch=3,
    x=both([*geo(1e-4, 1, 5), 10, 500]),
)
case(
    "physics.kepler",
    lambda m, a, e: a - e * m.sin(a),
    batch=3,
    a=[*geo(1e-8, 1, 6), 3, 6],
    e=[0.9, 1 - 2**-20, 0.999, 1, 0.5, 0.99, 0.1, 0.97],
)
case(
    "physics.lensmaker",
    lambda m, n, r, s, d: (n - 1) * (1 / r - 1 / s + (n - 1) * d / (n * r * s)),
    batch=3,
    n=[1.5, 1 + 2**-12, 1.000293, 1.33],
    r=[2.0, 10, 3, 0.5],
    s=shifted([2.0, 10, 3, 0.5]),
    d=[0.01, 1e-6, 0.125, 1e-9],
)
case(
    "physics.gravity_gap",
    lambda m, r, h: 1 / r**2 - 1 / (r + h) ** 2,
    batch=3,
    r=cyc(7, 6.371e6, 1, 1e-3),
    h=[1e-2, 1e-8, 1e-9, 100, 0.5, 1e-12, 1e5],
)
case("physics.velocity_addition", lambda m, u, v: 1 - (u + v) / (1 + u * v), batch=3, u=NEAR1, v=NEAR1[::-1])
case("physics.ionisation", lambda m, x: x / 2 * (m.sqrt(1 + 4 / x) - 1), batch=3, x=geo(1e-30, 1e20))
case(
    "physics.schottky",
    lambda m, x: x**2 * m.exp(x) / (1 + m.exp(x)) ** 2,
    batch=3,
    x=both([1e-8, 0.5, 30, 300, 800, 1500]),
)
case("physics.coth_gap", lambda m, x: m.cosh(x) / m.sinh(x) - 1, batch=3, x=[*geo(1e-8, 10, 6), 100, 370])
case("physics.reduced_mass", lambda m, a, b: a * b / (a + b), batch=3, a=WIDE, b=WIDE[::-1])
case(
    "physics.interference",
    lambda m, a, b, t: m.sqrt(a * a + b * b - 2 * a * b * m.cos(t)),
    batch=3,
    a=cyc(6, 2, 1),
    b=shifted(cyc(6, 2, 1)),
    t=geo(1e-6, 1, 6),
)
case(
    "geometry.angle_of_vectors",
    lambda m, x, y: m.arccos(m.sum(x * y, axis=-1) / (m.sqrt(m.sum(x * x, axis=-1)) * m.sqrt(m.sum(y * y, axis=-1)))),
    batch=3,
    x=rows([1, 2, 3], 1.4, 3),
    y=[
        [v * (1 + 2.0**-e * s) for v, s in zip(r, (1, -1, 0.5), strict=True)]
        for r, e in zip(rows([1, 2, 3], 1.4, 3), (2, 8, 10), strict=True)
    ],
)
case(
    "geometry.haversine_full",
    lambda m, a, b, l: 2 * m.arcsin(m.sqrt(m.sin((b - a) / 2) ** 2 + m.cos(a) * m.cos(b) * m.sin(l / 2) ** 2)),
    batch=3,
    a=lin(-1.4, 1.3, 6),
    b=[v + 2.0 ** -(2 + 3 * k) for k, v in enumerate(lin(-1.4, 1.3, 6))],
    l=geo(1e-9, 1, 6),
)
case(
    "geometry.orientation",
    lambda m, a, b, c, d, x, y: (c - a) * (y - b) - (x - a) * (d - b),
    batch=3,
    a=cyc(5, 0.5, 12),
    b=cyc(5, 0.5, 12),
    c=cyc(5, 1.5, 24),
    d=[v * (1 + 2.0**-k) for v, k in zip(cyc(5, 1.5, 24), (3, 8, 12, 16, 20), strict=True)],
    x=cyc(5, 4.25, 100),
    y=cyc(5, 4.25, 100),
)
case(
    "geometry.bearing",
    lambda m, a, b, l: m.arctan2(m.sin(l) * m.cos(b), m.cos(a) * m.sin(b) - m.sin(a) * m.cos(b) * m.cos(l)),
    batch=3,
    a=lin(-1.2, 1.3, 6),
    b=[v + 2.0 ** -(2 + 3 * k) for k, v in enumerate(lin(-1.2, 1.3, 6))],
    l=geo(1e-7, 1, 6),
)
case(
    "geometry.arc_minus_chord",
    lambda m, r, t: r * t - 2 * r * m.sin(t / 2),
    batch=3,
    r=cyc(8, 1, 6.4e6),
    t=geo(1e-4, 2),
)
case(
    "geometry.normalised",
    lambda m, x: x / m.sqrt(m.sum(x * x, axis=-1, keepdims=True)),
    batch=3,
    x=rows([1, 1e200, 1e-200, 1e-30], 1.4, scale=True),
    wrt="",
)
case(
    "geometry.unit_gap",
    lambda m, x, y: 1 - m.sqrt(x * x + y * y),
    batch=3,
    x=[0.6, 0.75, 1 - 2**-20, 1e-3, 0.8],
    y=[0.8, 0.625, 2**-12, 1, 0.6 + 2**-18],
)
