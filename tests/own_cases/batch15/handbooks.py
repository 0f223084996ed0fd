"""The sky, air and gases, chemistry, doses, genes, circuits and radio, maps, quanta, money: as the handbook of each prints it."""

from __future__ import annotations

from typing import Any

from own_cases.batch15 import beside, case
from own_cases.case import ROOT2, both, cyc, rows

LN10 = 2.302585092994046
MACHS = [0.01, 0.5, 1 - 2.0**-6, 1 + 2.0**-12, 1 - 2.0**-17, 1.5, 30]
SHARES = [1e-12, 1e-4, 0.125, 0.5, 0.9375, 1 - 2.0**-10, 1 - 2.0**-19]
SMALL_TIMES = [1e-9, 1e-5, 0.01, 0.5, 3.0, 40, 700]

# ---- the sky ----


def stumpff_c(m: Any, z: Any) -> Any:
    r = m.sqrt(m.abs(z))
    return m.where(z > 0, (1 - m.cos(r)) / z, (m.cosh(r) - 1) / -z)


def stumpff_s(m: Any, z: Any) -> Any:
    r = m.sqrt(m.abs(z))
    return m.where(z > 0, r - m.sin(r), m.sinh(r) - r) / r**3


def innermost(m: Any, a: Any) -> Any:
    """The last stable orbit about a black hole that turns."""
    u = 1 + (1 - a * a) ** (1 / 3) * ((1 + a) ** (1 / 3) + (1 - a) ** (1 / 3))
    v = m.sqrt(3 * a * a + u * u)
    return 3 + v - m.sqrt((3 - u) * (3 + u + 2 * v))


def dirac(m: Any, z: Any) -> Any:
    """The energy of the second level less that at rest, in rest masses."""
    return 1 / m.sqrt(1 + (z / (1 + m.sqrt(1 - z * z))) ** 2) - 1


case("sky.stumpff_cosine", stumpff_c, z=both([1e-9, 1e-4, 0.25, 4, 300.0]))
case("sky.stumpff_sine", stumpff_s, z=both([1e-6, 1e-3, 0.25, 4, 300.0]))
case(
    "sky.parabolic_flight",
    lambda m, s, c: (s**1.5 - (s - c) ** 1.5) / 3,
    s=[1.0, 3, 1e6, 0.25, 1e-9],
    c=[1e-9, 2, 1e-3, 0.25 - 2.0**-12, 2e-10],
)
case(
    "sky.synodic", lambda m, a, b: 1 / (1 / a - 1 / b), a=[1.0, 3.5, 0.25, 88], b=[1 + 2.0**-12, 3.5 - 2.0**-6, 12, 225]
)
case(
    "sky.airmass_of_shell",
    lambda m, c: m.sqrt((638.0 * c) ** 2 + 2 * 638.0 + 1) - 638.0 * c,
    c=[1.0, 0.5, 0.01, 1e-6, 1e-12],
)
case(
    "sky.magnitude_of_pair",
    lambda m, a, b: -2.5 * m.log(10 ** (-0.4 * a) + 10 ** (-0.4 * b)) / LN10,
    a=[-26.75, 0.03125, 6, 900, -1500, 20],
    b=[-12.75, 1.5, 30, 899, -1499.5, 20.25],
)
case(
    "sky.velocity_of_redshift",
    lambda m, z: ((1 + z) ** 2 - 1) / ((1 + z) ** 2 + 1),
    z=[*both([1e-12, 1e-5, 0.25]), 9, 1e9, 1e200],
)
case("sky.einstein_de_sitter", lambda m, z: 2 / (1 + z) * (1 - 1 / m.sqrt(1 + z)), z=[1e-9, 1e-3, 0.5, 6, 1100, 1e20])
case("sky.look_back", lambda m, z: 1 - (1 + z) ** -1.5, z=[1e-12, 1e-3, 0.5, 6, 1100])
case(
    "sky.halo_lens",
    lambda m, x: m.where(
        x < 1,
        (
            1
            - 2
            / m.sqrt(m.abs(1 - x * x))
            * 0.5
            * m.log((1 + m.sqrt(m.abs((1 - x) / (1 + x)))) / m.abs(1 - m.sqrt(m.abs((1 - x) / (1 + x)))))
        )
        / (x * x - 1),
        (1 - 2 / m.sqrt(m.abs(x * x - 1)) * m.arctan(m.sqrt(m.abs((x - 1) / (1 + x))))) / (x * x - 1),
    ),
    x=[1e-3, 0.5, 1 - 2.0**-5, 1 - 2.0**-12, 1 + 2.0**-12, 1.0625, 3, 1e4],
)
case("sky.halo_mass_over_cube", lambda m, x: (m.log(1 + x) - x / (1 + x)) / x**3, x=[1e-6, 1e-3, 0.25, 4, 300, 1e9])
case("sky.isochrone", lambda m, r: 0.5 - 1 / (1 + m.sqrt(1 + r * r)), r=[1e-9, 1e-3, 0.5, 30, 1e9, 1e200])
case(
    "sky.king",
    lambda m, x, c: (1 / m.sqrt(1 + x * x) - 1 / m.sqrt(1 + c * c)) ** 2,
    wrt="x",
    x=[1e-6, 3, 30, 99.9375, 1e9],
    c=[30.0, 3 + 2.0**-10, 31, 100, 1.0625e9],
)
case("sky.innermost_orbit", innermost, a=[1e-6, 0.25, 0.75, 1 - 2.0**-8, 1 - 2.0**-19])
case("sky.hole_area_lost", lambda m, a: 2 - m.sqrt(2 + 2 * m.sqrt(1 - a * a)), a=[1e-6, 0.01, 0.75, 1 - 2.0**-19])
case(
    "sky.shapiro",
    lambda m, a, b, d: m.log((a + b + d) / (a + b - d)),
    a=[1.0, 3, 1e11, 0.5],
    b=[1.5, 2, 2.5e11, 0.5],
    d=[2.5 - 2.0**-16, 1e-6, 3.49e11, 1 - 2.0**-20],
)
case("sky.dirac_level", dirac, z=[1e-6, 0.0072973525693, 0.25, 0.75, 1 - 2.0**-12])
case(
    "sky.rapidity_less_pseudorapidity",
    lambda m, p, t: (
        0.5 * m.log((m.sqrt(1 + p * p) + p * m.cos(t)) / (m.sqrt(1 + p * p) - p * m.cos(t))) + m.log(m.tan(t / 2))
    ),
    p=[0.5, 3, 40, 1e3, 1e-3],
    t=[0.5, 1.25, 0.0625, 2.5, 1],
)
case(
    "sky.breakup_momentum",
    lambda m, e, a, b: m.sqrt(e**4 + a**4 + b**4 - 2 * e * e * a * a - 2 * e * e * b * b - 2 * a * a * b * b) / (2 * e),
    e=[3.0, 1.5 + 2.0**-12, 40, 2 + 2.0**-18, 1e3],
    a=[1.0, 1, 1e-3, 1.25, 0.25],
    b=[1.5, 0.5, 0.25, 0.75, 1e-6],
)
case(
    "sky.cherenkov",
    lambda m, b, n: 1 - 1 / (n * b) ** 2,
    b=[1 - 2.0**-10, 0.75, 1 - 2.0**-19],
    n=[1 + 2.0**-9, 1.375, 1 + 2.0**-17],
)

# ---- air and gases ----


def fanno(m: Any, x: Any) -> Any:
    return (1 - x * x) / (1.4 * x * x) + 2.4 / 2.8 * m.log(2.4 * x * x / (2 + 0.4 * x * x))


def business(m: Any, z: Any) -> Any:
    """The stability function of an unstable surface layer."""
    x = (1 + 16 * z) ** 0.25
    return 2 * m.log((1 + x) / 2) + m.log((1 + x * x) / 2) - 2 * m.arctan(x) + 1.5707963267948966


def dew_point(m: Any, t: Any, h: Any) -> Any:
    g = m.log(h) + 17.625 * t / (243.04 + t)
    return t - 243.04 * g / (17.625 - g)


case("flow.pitot_mach", lambda m, q: m.sqrt(5 * ((q + 1) ** (2 / 7) - 1)), q=[1e-12, 1e-5, 0.25, 0.875, 30, 1e9])
case(
    "flow.pressure_altitude",
    lambda m, p: 44330.77 * (1 - p**0.190263),
    p=[1e-9, 0.25, 1 - 2.0**-8, 1 - 2.0**-18, 1.0625],
)
case("flow.fanno", fanno, x=MACHS)
case(
    "flow.rayleigh_less_one",
    lambda m, x: 1 - (2.4 * x * x * (2 + 0.4 * x * x)) / (1 + 1.4 * x * x) ** 2,
    x=MACHS,
)
case("flow.nozzle_area_less_one", lambda m, x: ((5 + x * x) / 6) ** 3 / x - 1, x=MACHS)
case(
    "flow.oblique_shock",
    lambda m, x, b: m.arctan(2 / m.tan(b) * ((x * m.sin(b)) ** 2 - 1) / (x * x * (1.4 + m.cos(2 * b)) + 2)),
    x=[2.0, 3, 1.5, 30],
    b=[0.5236328125, 0.34375, 1.25, 0.0625],
)
case("flow.unstable_layer", business, z=[1e-6, 1e-3, 0.125, 1, 30])
case("flow.dew_point_gap", dew_point, wrt="h", t=[20.0, -5, 35, 0.5], h=[0.5, 1 - 2.0**-10, 1 - 2.0**-19, 1e-3])
case(
    "flow.potential_gap",
    lambda m, t, p: t * (1 / p) ** 0.2854 - t,
    t=[250.0, 288.15, 300],
    p=[0.25, 1 - 2.0**-9, 1 + 2.0**-16],
)
case(
    "flow.colebrook_defect",
    lambda m, f, e, r: 1 / m.sqrt(f) + 2 * m.log(e / 3.7 + 2.51 / (r * m.sqrt(f))) / LN10,
    wrt="e r",
    f=[0.015625, 0.03125, 0.0625],
    e=[1e-9, 0.01, 1e-3],
    r=[1e6, 1e4, 1e9],
)
case("flow.theis", lambda m, u: -0.5772156649015329 - m.log(u) + u - u * u / 4, u=[1e-200, 1e-9, 1e-3, 0.25, 0.5625])

# ---- chemistry and reactors ----


def concerted(m: Any, x: Any, k: Any) -> Any:
    u, v = (1 + x) ** 3, (1 + 0.01 * x) ** 3
    return (x * u + k * 0.01 * x * v) / (u * (1 + x) + k * v * (1 + 0.01 * x))


def peng_robinson(m: Any, z: Any, a: Any, b: Any) -> Any:
    """The logarithm of a fugacity coefficient."""
    r = 2.414213562373095
    return z - 1 - m.log(z - b) - a / (2.8284271247461903 * b) * m.log((z + r * b) / (z - (r - 2) * b))


case(
    "brew.butler_volmer",
    lambda m, x, a: m.exp(a * x) - m.exp(-(1 - a) * x),
    x=both([1e-9, 1e-3, 0.75, 30, 600]),
    a=cyc(10, 0.5, 0.25, 0.9375),
)
case("brew.concerted", concerted, wrt="x", x=[1e-9, 0.5, 30, 1e6, 1e12], k=cyc(5, 1e3, 1e9, 1e-3))
case(
    "brew.concerted_unbound",
    lambda m, x, k: 1 - concerted(m, x, k),
    wrt="x",
    x=[1e-9, 0.5, 30, 1e6, 1e12],
    k=cyc(5, 1e3, 1e9),
)
case(
    "brew.acid_in_water",
    lambda m, c: -m.log((c + m.sqrt(c * c + 4e-14)) / 2) / LN10,
    c=both([1e-12, 1e-8, 1e-7, 1e-3, 1.0]),
)
case(
    "brew.peng_robinson",
    peng_robinson,
    z=[0.9375, 1 + 2.0**-10, 0.75, 1],
    a=[0.125, 1e-3, 0.5, 1e-6],
    b=[0.03125, 1e-4, 1e-9, 1e-6],
)
case("brew.carnahan_starling", lambda m, h: (1 + h + h * h - h**3) / (1 - h) ** 3 - 1, h=[1e-9, 1e-4, 0.125, 0.625])
case(
    "brew.wilson_activity",
    lambda m, x: -m.log(x + 0.75 * (1 - x)) + (1 - x) * (0.75 / (x + 0.75 * (1 - x)) - 0.5 / (1 - x + 0.5 * x)),
    wrt="",
    x=SHARES,
)
case("brew.fin_loss", lambda m, x: 1 - m.tanh(x) / x, x=[1e-6, 1e-3, 0.5, 4, 300])
case("brew.thiele_sphere", lambda m, x: 3 / (x * x) * (x * m.cosh(x) / m.sinh(x) - 1), x=[1e-6, 1e-3, 0.5, 4, 300, 1e9])
case(
    "brew.convective_wall",
    lambda m, x, t: m.erfc(x / (2 * m.sqrt(t))) - m.exp(x + t) * m.erfc(x / (2 * m.sqrt(t)) + m.sqrt(t)),
    x=[1e-6, 0.5, 3, 9, 40],
    t=[0.25, 1e-3, 30, 900, 2],
)
case(
    "brew.scharfetter_gummel",
    lambda m, x, a, b: x / (m.exp(x) - 1) * a + x / (m.exp(-x) - 1) * b,
    x=both([1e-9, 1e-3, 2, 60]),
    a=cyc(8, 1.5, 1e9, 0.25),
    b=cyc(8, 1.5 - 2.0**-10, 3, 0.75),
)
case(
    "brew.photosynthesis",
    lambda m, i, p, q: (i + p - m.sqrt((i + p) ** 2 - 4 * q * i * p)) / (2 * q),
    i=[1e-6, 0.5, 30, 1e9, 3],
    p=[3.0, 0.5, 2, 1, 2.9375],
    q=[0.75, 1e-9, 1e-5, 0.9375, 1 - 2.0**-18],
)
case("brew.bertalanffy_log", lambda m, t: m.log((1 - m.exp(-t)) ** 3), t=SMALL_TIMES)
case(
    "brew.bertalanffy_grown",
    lambda m, t, d: (1 - m.exp(-(t + d))) ** 3 - (1 - m.exp(-t)) ** 3,
    t=[1e-3, 0.5, 3, 30],
    d=[1e-9, 2.0**-10, 1e-4, 0.5],
)
case(
    "brew.thermistor",
    lambda m, r: 1 / (1 / 298.15 + m.log(r) / 3950) - 298.15,
    r=[0.5, 1 - 2.0**-10, 1 + 2.0**-19, 30, 1e4],
)
case(
    "brew.platinum",
    lambda m, r: (-3.9083e-3 + m.sqrt(3.9083e-3**2 + 4 * 5.775e-7 * (1 - r))) / (-2 * 5.775e-7),
    wrt="",
    r=[0.5, 1 + 2.0**-8, 1 - 2.0**-16, 1.5, 3],
)

# ---- doses and genes ----

case(
    "dose.accumulated",
    lambda m, k, n: (1 - m.exp(-n * k)) / (1 - m.exp(-k)),
    wrt="k",
    k=[1e-9, 1e-4, 0.25, 3, 60, 800],
    n=cyc(6, 3, 30, 7),
)
case(
    "dose.after_infusion",
    lambda m, k, u, t: (m.exp(k * u) - 1) * m.exp(-k * t) / k,
    k=[1e-9, 0.25, 3, 30, 1e-3],
    u=[1.0, 2, 300, 0.5, 1e-6],
    t=[2.0, 30, 301, 4, 500],
)
case(
    "dose.slow_rate",
    lambda m, a, b, c: 0.5 * (a + b + c - m.sqrt((a + b + c) ** 2 - 4 * a * c)),
    a=[0.5, 3, 1e-9, 2, 1e6],
    b=[0.25, 1e-6, 0.5, 1e-12, 3],
    c=[0.125, 1e-3, 2, 2 + 2.0**-10, 1e-3],
)
case(
    "dose.saturated_time",
    lambda m, a, b, k: a - b + k * m.log(a / b),
    a=[1.25, 97.75, 3.5, 12.25],
    b=beside([1.25, 97.75, 3.5, 12.25]),
    k=[0.5, 1e-3, 300, 2],
)
case(
    "dose.moment_trapezoid",
    lambda m, a, b: (lambda q: (a - 1.5 * b) / q - 0.5 * (a - b) / q**2)(m.log(a / b)),
    wrt="",
    a=[1.25, 97.75, 3.5, 12.25, 41],
    b=[0.5, 97.75 - 2.0**-6, 3.5 + 2.0**-5, 1e-3, 40],
)
case("dose.both_drugs", lambda m, a, b: 1 - (1 - a) * (1 - b), a=SHARES, b=SHARES[::-1])
case(
    "gene.two_kinds",
    lambda m, t, k: 0.25 + 0.25 * m.exp(-4 * t) - 0.5 * m.exp(-2 * (k + 1) * t),
    t=SMALL_TIMES,
    k=cyc(7, 2, 0.5),
)
case("gene.two_lines_left", lambda m, t: 1 - 1.5 * m.exp(-t) + 0.5 * m.exp(-3 * t), t=SMALL_TIMES)
case("gene.ewens", lambda m, x: m.log(x) + m.gammaln(x) - m.gammaln(x + 40), x=[1e-200, 1e-9, 0.5, 3, 1e6, 1e15])
case(
    "gene.heterozygosity_lost",
    lambda m, n, t: 1 - (1 - 0.5 / n) ** t,
    wrt="n",
    n=[0.625, 30, 1e6, 1e12],
    t=[3.0, 1, 300, 2e4],
)

# ---- circuits and radio ----

case("wire.bridge", lambda m, r: r / (r + 120) - 0.5, r=[1e-9, 119.5, 120 + 2.0**-10, 350, 1e12])
case(
    "wire.twin_lead_less_log",
    lambda m, x: m.log(x + m.sqrt(x * x - 1)) - m.log(2 * x),
    x=[1 + 2.0**-18, 1.5, 30, 1e6, 1e200],
)
case("wire.mismatch", lambda m, g: -10 * m.log(1 - g * g) / LN10, g=SHARES)
case("wire.noise_temperature", lambda m, d: 290 * (10 ** (d / 10) - 1), d=both([1e-9, 1e-3, 0.5, 9]))
case("wire.least_energy_a_bit", lambda m, n: (2**n - 1) / n, wrt="", n=both([1e-9, 1e-3, 0.5, 9]))
case("wire.fading_errors", lambda m, g: 0.5 * (1 - m.sqrt(g / (1 + g))), g=[1e-12, 1e-3, 0.5, 30, 1e6, 1e15])
case("wire.symbol_errors", lambda m, x: 1 - (1 - 0.5 * m.erfc(x)) ** 2, x=[-5.0, -0.5, 0.25, 2, 5, 9, 26])
case(
    "wire.solar_cell_short",
    lambda m, v, r: 3 - 1e-9 * (m.exp((v + 3 * r) / 0.025) - 1),
    v=[0.125, 0.5, 0.54, 0.75],
    r=[1e-6, 0.001, 1e-9, 0.01],
)
case(
    "wire.parallel_less_smaller",
    lambda m, a, b: a - a * b / (a + b),
    a=[1.0, 3e-9, 1e9, 50],
    b=[1e12, 2, 1e-3, 1e5],
)

# ---- maps ----


def conformal_cone(m: Any, a: Any, b: Any) -> Any:
    return m.log(m.cos(a) / m.cos(b)) / m.log(m.tan(0.7853981633974483 + b / 2) / m.tan(0.7853981633974483 + a / 2))


case(
    "chart.conformal_cone",
    conformal_cone,
    wrt="",
    a=[0.5, 0.75, -0.25, 1.25],
    b=[0.75, 0.75 + 2.0**-10, 0.5, 1.25 - 2.0**-16],
)
case(
    "chart.authalic_less_sine",
    lambda m, s, e: (1 - e * e) * (s / (1 - e * e * s * s) - m.log((1 - e * s) / (1 + e * s)) / (2 * e)) - 2 * s,
    s=[0.5, 0.0625, 0.9375, 1e-3],
    e=[0.08181919084, 1e-3, 0.75, 0.01],
)
case(
    "chart.height_over_ellipsoid",
    lambda m, p, f: p / m.cos(f) - 1 / m.sqrt(1 - 0.00669437999 * m.sin(f) ** 2),
    wrt="p",
    p=[0.75, 0.5, 0.9375, 0.0625],
    f=[0.7236328125, 1.046875, 0.357421875, 1.5],
)
case("chart.stereographic_excess", lambda m, c: 2 / (1 + m.cos(c)) - 1, c=[1e-9, 1e-3, 0.5, 3, 3.140625])
case(
    "chart.gnomonic_less_stereographic",
    lambda m, c: m.tan(c) - 2 * m.tan(c / 2),
    c=both([1e-6, 1e-3, 0.5, 1.5625]),
)

# ---- quanta and heat ----

case(
    "quanta.onsager",
    lambda m, k: (1 - m.sinh(2 * k) ** -4) ** 0.125,
    k=[0.4406867935097715 + 2.0**-16, 0.4453125, 0.5, 3, 40],
)
case(
    "quanta.light_shift",
    lambda m, w, d: 0.5 * (m.sqrt(w * w + d * d) - d),
    w=[1e-9, 0.5, 1e-3, 3e200],
    d=[2.0, -1e6, 1e6, 1e190],
)
case("quanta.rabi_left", lambda m, w, d: 1 - w * w / (w * w + d * d), w=[1.0, 3e9, 1e200, 2], d=[1e-9, 3, 1e190, 5])
case("quanta.rotor", lambda m, t: m.log(1 + 3 * m.exp(-2 / t) + 5 * m.exp(-6 / t)), t=[1e-3, 0.03125, 0.5, 3, 1e9])
case(
    "quanta.prism",
    lambda m, a, n: 2 * m.arcsin(n * m.sin(a / 2)) - a,
    a=[1e-6, 0.01, 0.5, 1],
    n=[1.5, 1 + 2.0**-12, 1.375, 1 + 2.0**-19],
)
case(
    "quanta.inverse_langevin",
    lambda m, x: x * (3 - x * x) / (1 - x * x) - 3 * x,
    x=[*both([1e-6, 0.25]), 1 - 2.0**-8, 1 - 2.0**-19],
)

# ---- money ----


def variance_gamma(m: Any, u: Any, v: Any) -> Any:
    return -m.log(1 - 0.25 * u * v - 0.03125 * u * u * v) / v


case("desk.variance_gamma", variance_gamma, u=[1e-6, 0.5, -2, 3, 1e-3], v=[0.5, 1e-9, 0.25, 1e-4, 1e-12])
case(
    "desk.normal_inverse_gaussian",
    lambda m, u: 5.656854249492381 - m.sqrt(36 - (2 + u) ** 2),
    u=both([1e-9, 1e-3, 0.5, 3]),
)
case(
    "desk.substitution",
    lambda m, x, y, r: (0.25 * x**r + 0.75 * y**r) ** (1 / r),
    wrt="x y",
    x=[1.25, 1e-9, 40, 1e12],
    y=[2.0, 3, 1e-3, 1e-12],
    r=[1e-9, 0.5, -1e-4, -3],
)
case(
    "desk.log_utility_of_recursion",
    lambda m, c, v: m.log(0.0625 * m.exp(-9 * c) + 0.9375 * m.exp(-9 * v)) / -9 - c,
    c=[1.25, 1e-6, 40, -200],
    v=[1.25 + 2.0**-10, 2e-6, 30, -199],
)
case(
    "desk.principal_paid",
    lambda m, r, k: 1 - (1 - (1 + r) ** (k - 360)) / (1 - (1 + r) ** -360.0),
    wrt="r",
    r=[1e-9, 1e-4, 0.005, 0.125],
    k=[1.0, 120, 359, 30],
)
case(
    "desk.exchange",
    lambda m, a, b, v: (lambda d: a * 0.5 * (1 + m.erf(d / ROOT2)) - b * 0.5 * (1 + m.erf((d - v) / ROOT2)))(
        m.log(a / b) / v + 0.5 * v
    ),
    wrt="a b",
    a=[1.25, 3, 0.25, 40, 2],
    b=[1.25 + 2.0**-8, 2, 9, 41, 2],
    v=[0.25, 0.125, 0.75, 0.0625, 1e-4],
)
case(
    "desk.shortfall_less_quantile",
    lambda m, z: m.exp(-0.5 * z * z) / 2.5066282746310002 / (0.5 * m.erfc(z / ROOT2)) - z,
    z=[-9.0, -0.5, 1e-6, 3, 30, 300],
)
case(
    "desk.downside",
    lambda m, x: m.sqrt(m.mean(m.minimum(x - 0.0078125, 0.0) ** 2, axis=-1)),
    x=rows([0.0, -1e-3, -0.5, 0.01], 0.25, 5),
)
case(
    "desk.lookahead",
    lambda m, x: m.log(m.prod(1 + x, axis=-1)) - m.sum(x, axis=-1),
    x=[[v * s for v in (0.75, -0.5, 0.25, 0.375)] for s in (1e-6, 1e-4, 0.01, 0.5, 1)],
)
