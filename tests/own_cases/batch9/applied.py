"""Problems of statistics, learning, physics, chemistry, geodesy, signals and finance, as their texts print them."""

from __future__ import annotations

from functools import partial

from own_cases.case import PI, SMALL, TINY, both, cyc, geo
from own_cases.case import case as any_case

case = partial(any_case, batch=9)

POSITIVE = [0.375, 1.25, 2.9, 5.5, 0.8125, 13.7, 19.3, 7.75]
ANGLES = [0.125, 0.4, 0.7853981633974483, 1.1, 1.25, 1.4, 0.9, 0.25]
LOGITS = both([1e-6, 0.3, 3, 17, 36.5, 38, 88, 104, 500, 745, 2500])


def beside(points: list[float]) -> list[float]:
    """Each point moved by less and less of itself."""
    return [v * (1 + (-1) ** k * 2.0 ** -(2 + 3 * (k % 7))) for k, v in enumerate(points)]


# ---- densities, divergences, losses: issues of torch.distributions and tensorflow-probability, Loader, McCullagh ----

case(
    "density.continuous_bernoulli",
    lambda m, p: m.log((m.log(1 - p) - m.log(p)) / (1 - 2 * p)),
    p=[0.5 + s * 2.0**-k for k in (2, 5, 10, 16, 20) for s in (1, -1)] + [1e-9, 0.01],
)
case(
    "density.continuous_bernoulli_mean",
    lambda m, p: p / (2 * p - 1) + 1 / (m.log(1 - p) - m.log(p)),
    p=[0.5 + s * 2.0**-k for k in (2, 5, 9, 13) for s in (1, -1)] + [1e-9, 0.01],
)
case("density.von_mises_fisher", lambda m, k: m.log(k) - m.log(4 * PI * m.sinh(k)), k=geo(1e-6, 5000))
case(
    "density.two_normals",
    lambda m, w, x, a, b: m.log(w * m.exp(-((x - a) ** 2) / 2) + (1 - w) * m.exp(-((x - b) ** 2) / 2)),
    w=cyc(8, 0.25, 0.75, 1e-9),
    x=[-90.0, -30, -3, 0.125, 2, 17, 45, 200],
    a=cyc(8, 1, -2),
    b=cyc(8, 3, 0.5, -1),
)
case(
    "density.negative_binomial_to_poisson",
    lambda m, r, k: m.gammaln(k + r) - m.gammaln(r) + k * m.log(3 / (r + 3)) + r * m.log(r / (r + 3)),
    r=geo(1, 1e7),
    k=cyc(8, 1, 4, 20),
)
case(
    "density.gamma_kl",
    lambda m, a, b: (a - b) * m.digamma(a) - m.gammaln(a) + m.gammaln(b),
    a=POSITIVE,
    b=beside(POSITIVE),
)
case(
    "density.laplace_kl",
    lambda m, a, b, d: m.log(b / a) + (a * m.exp(-d / a) + d) / b - 1,
    a=POSITIVE,
    b=beside(POSITIVE),
    d=geo(1e-8, 1),
)
case(
    "density.geometric_kl",
    lambda m, p, q: m.log(p / q) + (1 - p) / p * m.log((1 - p) / (1 - q)),
    p=[0.25, 0.5, 0.75, 0.1, 0.01, 1e-6],
    q=[0.25 + 2.0**-8, 0.5 - 2.0**-14, 0.75 + 2.0**-20, 0.125, 0.01 * (1 + 2.0**-10), 1.5e-6],
)
case(
    "density.hellinger_normals",
    lambda m, s, t, d: 1 - m.sqrt(2 * s * t / (s * s + t * t)) * m.exp(-d * d / (4 * (s * s + t * t))),
    s=POSITIVE,
    t=beside(POSITIVE),
    d=geo(1e-9, 3),
)
case("density.poisson_log_link", lambda m, x, y: m.exp(x) - y * x - y + y * m.log(y), x=[0.5, 1, 2, -1, 3.5, 0.25],
     y=[1.65, 2.718, 7.4, 0.36787, 33.1154, 1.3])  # fmt: skip
case("density.softplus_less_relu", lambda m, x: m.log(1 + m.exp(3 * x)) / 3 - m.maximum(x, 0), x=LOGITS)
case("density.at_least_two", lambda m, l: 1 - m.exp(-l) * (1 + l), l=geo(1e-12, 30))
case("density.at_least_one_of", lambda m, p, n: 1 - (1 - p) ** n, p=geo(1e-15, 0.5), n=cyc(8, 2, 23, 1000))
case("density.half_logistic", lambda m, x: m.log(2 * m.exp(-x) / (1 + m.exp(-x)) ** 2), x=LOGITS)
case("density.log_skellam_gap", lambda m, a, b: -((m.sqrt(a) - m.sqrt(b)) ** 2), a=POSITIVE, b=beside(POSITIVE))
case("density.lomax", lambda m, x, a: 1 - (1 + x) ** -a, x=geo(1e-14, 1e6), a=cyc(8, 1.5, 0.01, 20))
case(
    "density.burr",
    lambda m, x, c, k: m.log(1 - (1 + x**c) ** -k),
    x=geo(1e-5, 1e5),
    c=cyc(8, 2, 0.5, 3),
    k=cyc(8, 1.5, 4),
)
case("density.reciprocal_cdf", lambda m, x, b: m.log(x) / m.log(b), x=[1 + 2.0**-k for k in (1, 6, 12, 20)],
     b=[1 + 2.0**-k for k in (2, 5, 15, 19)])  # fmt: skip
case("density.exponential_power", lambda m, x, b: 1 - m.exp(1 - m.exp(x**b)), x=geo(1e-7, 2), b=cyc(8, 2, 0.5, 1))
case(
    "density.log_exponentiated",
    lambda m, x, a: a * m.log(1 - m.exp(-x)) + m.log(a) - x,
    x=geo(1e-12, 800),
    a=cyc(8, 2, 0.3),
)
case("density.logit_normal", lambda m, x: -0.5 * m.log(x / (1 - x)) ** 2 - m.log(x * (1 - x)), x=[1e-12, 1e-4, 0.3, 0.5, 0.75, 1 - 2.0**-20])  # fmt: skip
case("density.sigmoid_less_probit", lambda m, x: 1 / (1 + m.exp(-1.702 * x)) - 0.5 * m.erfc(-x / 1.4142135623730951),
     x=[-30.0, -5, -1, 1e-6, 0.01, 2, 6, 20])  # fmt: skip

# ---- mechanics, optics, heat, circuits ----

case("mechanics.speed_from_gamma", lambda m, g: 1 - m.sqrt(1 - 1 / g**2), g=geo(1.5, 1e12))
case(
    "mechanics.proper_time",
    lambda m, a, t: m.log(a * t + m.sqrt(1 + (a * t) ** 2)) / a - t,
    a=geo(1e-6, 10),
    t=cyc(8, 1, 0.25, 3),
)
case(
    "mechanics.relativistic_fall",
    lambda m, a, t: (m.sqrt(1 + (a * t) ** 2) - 1) / a,
    a=geo(1e-9, 1e6),
    t=cyc(8, 1, 0.25),
)
case(
    "mechanics.morse",
    lambda m, a, r, s: (1 - m.exp(-a * (r - s))) ** 2,
    a=cyc(8, 1, 2.5),
    r=POSITIVE,
    s=beside(POSITIVE),
)
case(
    "mechanics.vis_viva",
    lambda m, r, a: m.sqrt(2 / r - 1 / a),
    r=[1.0, 1.5, 1.9375, 2 - 2.0**-12, 2 - 2.0**-20],
    a=cyc(5, 1),
)
case("mechanics.hohmann", lambda m, r, s: m.sqrt(1 / r) * (m.sqrt(2 * s / (r + s)) - 1), r=POSITIVE, s=beside(POSITIVE))
case(
    "mechanics.hohmann_second",
    lambda m, r, s: m.sqrt(1 / s) * (1 - m.sqrt(2 * r / (r + s))),
    r=POSITIVE,
    s=beside(POSITIVE),
)
case("mechanics.beam_width", lambda m, w, z: w * m.sqrt(1 + z * z) - w, w=POSITIVE, z=geo(1e-12, 100))
case("mechanics.stopping", lambda m, k, t: t - (1 - m.exp(-k * t)) / k, k=geo(1e-9, 10), t=cyc(8, 1, 2))
case("mechanics.fall_with_drag", lambda m, k, t: (1 - m.exp(-k * t)) / k**2 - t / k, k=geo(1e-6, 10), t=cyc(8, 1, 2))
case("mechanics.bose_rest", lambda m, x: 1 / (m.exp(x) - 1) - 1 / x + 0.5, x=TINY)
case("mechanics.rlc", lambda m, r, l, c: m.sqrt(1 / (l * c) - r * r / (4 * l * l)),
     r=[2 - 2.0**-k for k in (1, 4, 9, 15, 20)], l=cyc(5, 1), c=cyc(5, 1))  # fmt: skip
case(
    "mechanics.charging",
    lambda m, t, r, c: 1 - m.exp(-t / (r * c)),
    t=geo(1e-9, 10),
    r=cyc(8, 1000, 47),
    c=cyc(8, 1e-3, 0.5),
)
case(
    "mechanics.depolarisation",
    lambda m, e: (1 - e * e) / e**2 * (0.5 * m.log((1 + e) / (1 - e)) / e - 1),
    e=geo(1e-5, 0.9),
)
case("mechanics.oblate", lambda m, e: (1 - m.sqrt(1 - e * e) / e * m.arcsin(e)) / e**2, e=geo(1e-5, 0.9))
case("mechanics.tides", lambda m, r, d: 1 / (r - d) ** 2 - 1 / r**2, r=cyc(8, 384.4, 1), d=geo(1e-9, 0.5))
case(
    "mechanics.quadrupole",
    lambda m, r, d: 1 / (r - d) ** 2 - 2 / r**2 + 1 / (r + d) ** 2,
    r=cyc(8, 384.4, 1),
    d=geo(1e-6, 0.5),
)
case(
    "mechanics.fermi_pair",
    lambda m, x, d: 1 / (m.exp(x - d) + 1) - 1 / (m.exp(x + d) + 1),
    x=[-700.0, -40, -2, 0.5, 8, 90, 720, 20],
    d=geo(1e-9, 1),
)
case("mechanics.entropy_of_fermi", lambda m, x: m.log(1 + m.exp(-x)) + x / (m.exp(x) + 1), x=LOGITS)
case("mechanics.entropy_of_bose", lambda m, x: x / (m.exp(x) - 1) - m.log(1 - m.exp(-x)), x=geo(1e-9, 900, 10))

# ---- solutions, reactions, populations ----

case("reaction.weak_acid", lambda m, k, c: (-k + m.sqrt(k * k + 4 * k * c)) / 2, k=geo(1e-14, 10), c=cyc(8, 0.1, 1e-6))
case("reaction.base", lambda m, c: -m.log((c + m.sqrt(c * c + 4e-14)) / 2) / 2.302585092994046, c=both(geo(1e-9, 1)))
case("reaction.second_order", lambda m, a, b, x: m.log(b * (a - x) / (a * (b - x))) / (a - b), a=POSITIVE, b=beside(POSITIVE),
     x=[0.125 * v for v in POSITIVE])  # fmt: skip
case("reaction.consecutive", lambda m, k, l, t: k * (m.exp(-k * t) - m.exp(-l * t)) / (l - k), k=POSITIVE, l=beside(POSITIVE),
     t=cyc(8, 1, 0.01, 3))  # fmt: skip
case("reaction.drift", lambda m, n, t: 1 - (1 - 1 / (2 * n)) ** t, n=geo(10, 1e9), t=cyc(8, 1, 50, 1000))
case(
    "reaction.inbreeding",
    lambda m, h, p: 1 - h / (2 * p * (1 - p)),
    h=[0.375 - 2.0**-k for k in (3, 9, 15, 20)],
    p=cyc(4, 0.25),
)
case(
    "reaction.final_size",
    lambda m, z, r: 1 - z - m.exp(-r * z),
    z=[0.5828, 0.79681, 1e-6, 0.94048],
    r=[1.5, 2, 1.000001, 3],
)
case(
    "reaction.eigen_threshold",
    lambda m, q, s: (q * s - 1) / (s - 1),
    q=[1 - 2.0**-k for k in (2, 7, 13, 20)],
    s=[1 + 2.0**-k for k in (1, 6, 14, 19)],
)
case(
    "reaction.monod_gap",
    lambda m, s, k, d: (s + d) / (k + s + d) - s / (k + s),
    s=POSITIVE,
    k=cyc(8, 1, 100),
    d=geo(1e-9, 1),
)

# ---- the globe ----

case("globe.vincenty", lambda m, a, b, l: m.arctan2(
         m.sqrt((m.cos(b) * m.sin(l)) ** 2 + (m.cos(a) * m.sin(b) - m.sin(a) * m.cos(b) * m.cos(l)) ** 2),
         m.sin(a) * m.sin(b) + m.cos(a) * m.cos(b) * m.cos(l)), a=ANGLES, b=beside(ANGLES), l=geo(1e-8, 3))  # fmt: skip
case(
    "globe.cross_track",
    lambda m, d, t, u: m.arcsin(m.sin(d) * m.sin(t - u)),
    d=geo(1e-9, 1.5),
    t=ANGLES,
    u=beside(ANGLES),
)
case("globe.geocentric_gap", lambda m, e, p: m.arctan((1 - e) * m.tan(p)) - p, e=geo(1e-10, 0.1), p=ANGLES)
case("globe.isometric", lambda m, e, p: 0.5 * m.log((1 + m.sin(p)) / (1 - m.sin(p))) - 0.5 * e * m.log((1 + e * m.sin(p)) / (1 - e * m.sin(p))),
     e=cyc(8, 0.0818, 1e-6), p=geo(1e-9, 1.5))  # fmt: skip
case("globe.lhuilier", lambda m, a, b, c: m.sqrt(m.tan((a + b + c) / 4) * m.tan((b + c - a) / 4) * m.tan((c + a - b) / 4) * m.tan((a + b - c) / 4)),
     a=cyc(5, 0.5, 1), b=[0.3, 0.6, 0.26, 0.51, 0.2503], c=[0.3, 0.6, 0.25, 0.5, 0.25])  # fmt: skip
case(
    "globe.two_circles",
    lambda m, d: 2 * m.arccos(d / 2) - d / 2 * m.sqrt(4 - d * d),
    d=[1e-6, 0.5, 1.5, 2 - 2.0**-6, 2 - 2.0**-12, 2 - 2.0**-20],
)
case("globe.sunrise", lambda m, p, d: m.arccos(-m.tan(p) * m.tan(d)) - PI / 2, p=ANGLES, d=geo(1e-9, 0.1))
case("globe.dip", lambda m, h: m.arccos(1 / (1 + h)), h=geo(1e-12, 1))
case("globe.chord_less_arc", lambda m, t: 2 * m.sin(t / 2) - t, t=TINY)

# ---- signals ----

case("signal.one_pole", lambda m, f, s: 1 - m.exp(-2 * PI * f / s), f=geo(1e-6, 1e4), s=cyc(8, 48000, 44100))
case("signal.smoothing", lambda m, w: m.cos(w) - 1 + m.sqrt(m.cos(w) ** 2 - 4 * m.cos(w) + 3), w=geo(1e-8, 3))
case("signal.warp", lambda m, w: 2 * m.tan(w / 2) - w, w=TINY)
case("signal.mu_law", lambda m, u, x: m.log(1 + u * x) / m.log(1 + u), u=geo(1e-10, 255), x=cyc(8, 0.25, 0.9, 1e-9))
case(
    "signal.pole",
    lambda m, r, w: 1 - 2 * r * m.cos(w) + r * r,
    r=[1 - 2.0**-k for k in (1, 4, 8, 12, 16, 20)],
    w=geo(1e-6, 1, 6),
)
case(
    "signal.poisson_kernel",
    lambda m, r, w: (1 - r * r) / (1 - 2 * r * m.cos(w) + r * r),
    r=[1 - 2.0**-k for k in (1, 4, 8, 12, 16, 20)],
    w=geo(1e-6, 1, 6),
)
case(
    "signal.log_response",
    lambda m, r, w: 0.5 * m.log(1 - 2 * r * m.cos(w) + r * r),
    r=[1 - 2.0**-k for k in (1, 4, 8, 12, 16, 20)],
    w=geo(1e-6, 1, 6),
)
case(
    "signal.notch",
    lambda m, r, w: m.sin(w) ** 2 + (m.cos(w) - r) ** 2,
    r=[1 - 2.0**-k for k in (1, 4, 8, 12, 16, 20)],
    w=geo(1e-6, 1, 6),
)
case("signal.cascade", lambda m, w: 1 - m.cos(w) ** 4, w=SMALL)
case(
    "signal.phase",
    lambda m, w, r: m.arctan2(r * m.sin(w), 1 - r * m.cos(w)),
    w=both(geo(1e-7, 3, 4)),
    r=cyc(8, 0.5, 0.99, 1e-6),
)

# ---- money ----

case("account.compound_less_simple", lambda m, r, n: (1 + r) ** n - 1 - n * r, r=geo(1e-8, 0.3), n=cyc(8, 2, 12, 360))
case("account.annuity_due", lambda m, r, n: (1 - (1 + r) ** -n) * (1 + r) / r, r=geo(1e-12, 0.5), n=cyc(8, 12, 360, 5))
case(
    "account.delta_less_one", lambda m, d: 0.5 * m.erfc(-d / 1.4142135623730951) - 1, d=[-9.0, -1, 1e-9, 0.5, 4, 9, 25]
)
case("account.straddle", lambda m, s: m.erfc(-s / 2.8284271247461903) - 1, s=geo(1e-12, 3))
case(
    "account.real_rate",
    lambda m, n, i: (1 + n) / (1 + i) - 1,
    n=[0.05, 0.03125, 1e-6, 0.25, 0.015625],
    i=[0.05 - 2.0**-12, 0.03125 + 2.0**-20, 1e-9, 0.25 - 2.0**-8, 0.015],
)
case(
    "account.geometric_return",
    lambda m, a, b: m.sqrt((1 + a) * (1 + b)) - 1,
    a=geo(1e-9, 0.5),
    b=[-v for v in beside(geo(1e-9, 0.5))],
)
case(
    "account.volatility_drag",
    lambda m, r, s: m.log(1 + r) - r + s * s / 2,
    r=both(geo(1e-6, 0.5, 4)),
    s=both(geo(1e-6, 0.5, 4))[::-1],
)
case("account.sinking", lambda m, r, n: r / ((1 + r) ** n - 1), r=geo(1e-12, 0.5), n=cyc(8, 12, 360, 5))
case(
    "account.log_moneyness",
    lambda m, s, k, r: (m.log(s / k) + r) / 0.2,
    s=POSITIVE,
    k=beside(POSITIVE),
    r=both(geo(1e-4, 0.1, 4)),
)
case(
    "account.bond_gap",
    lambda m, y, d: 1 / (1 + y) ** 10 - 1 / (1 + y + d) ** 10,
    y=cyc(8, 0.05, 0.01),
    d=geo(1e-10, 0.01),
)
