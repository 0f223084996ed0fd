"""Pictures, tones, special functions, words, published benchmarks' kernels, derivatives of derivatives, and loops."""

from __future__ import annotations

from typing import Any

from own_cases.batch15 import case, near_rows
from own_cases.case import ROOT2, both, cyc, geo, rows

PI = 3.141592653589793
LN2, LN10 = 0.6931471805599453, 2.302585092994046
SHARES = [1e-12, 1e-4, 0.125, 0.5, 0.9375, 1 - 2.0**-10, 1 - 2.0**-19]


def columns(x: Any, count: int) -> list[Any]:
    return [x[:, k] for k in range(count)]


# ---- pictures and figures ----


def dot(m: Any, a: Any, b: Any) -> Any:
    return m.sum(a * b, axis=-1)


def box(m: Any, x: Any, y: Any) -> Any:
    """How far from a rounded box."""
    u, v = m.abs(x) - 2, m.abs(y) - 1
    return m.sqrt(m.maximum(u, 0.0) ** 2 + m.maximum(v, 0.0) ** 2 + 0.0001220703125) + m.minimum(m.maximum(u, v), 0.0)


def hit(m: Any, o: Any, d: Any) -> Any:
    """How far along a ray a unit ball is met."""
    a, b, c = dot(m, d, d), dot(m, o, d), dot(m, o, o) - 1
    return (-b - m.sqrt(b * b - a * c)) / a


def dihedral(m: Any, a: Any, b: Any, c: Any) -> Any:
    """Of three bonds in a chain."""

    def cross(p: Any, q: Any) -> list[Any]:
        return [p[:, k - 2] * q[:, k - 1] - p[:, k - 1] * q[:, k - 2] for k in range(3)]

    p, q = cross(a, b), cross(b, c)
    over = m.sqrt(dot(m, b, b)) * sum(a[:, k] * q[k] for k in range(3))
    return m.arctan2(over, sum(p[k] * q[k] for k in range(3)))


def bezier_length(m: Any, a: Any, b: Any) -> Any:
    """Of x = t, y = a t + b t t, from 0 to 1."""
    end = a + 2 * b

    def part(u: Any) -> Any:
        return u * m.sqrt(1 + u * u) + m.log(u + m.sqrt(1 + u * u))

    return (part(end) - part(a)) / (4 * b)


case(
    "view.box_distance",
    box,
    x=[-9.0, 2.25, 0.5, 1.9375, 1e20, 2 + 2.0**-14],
    y=[4.0, 0.25, -0.5, 1.0625, 1e19, -1 - 2.0**-15],
)
case(
    "view.torus_distance",
    lambda m, x, y: m.sqrt((m.sqrt(x * x + 0.25) - 2) ** 2 + y * y) - 0.5,
    x=[2.0, 1.9375, 1e-6, 1e200, 2.375],
    y=[0.5, 0.4375, 1e-9, 3, 0.25],
)
case(
    "view.ellipsoid_distance",
    lambda m, x, y: (lambda k: k * (k - 1) / m.sqrt((x / 4) ** 2 + (y / 1) ** 2))(m.sqrt((x / 2) ** 2 + y**2)),
    x=[2.0, 1.5, 1e-9, 1e20, 1.999],
    y=[2.0**-9, 0.6875, 1 + 2.0**-12, 3, 1e-6],
)
case(
    "view.ray_meets_ball",
    hit,
    o=[[0.0, 0.5, -3], [0.25, 0.9375, -1e3], [0, 0.0078125, -1 - 2.0**-9], [3, -0.25, 40]],
    d=[[0.0078125, 0.0625, 1], [0, 0, 1], [1e-3, 1e-6, 0.5], [-0.0625, 0.0078125, -1]],
)
case(
    "view.dihedral",
    dihedral,
    wrt="",
    a=[[1.0, 0.25, 0.5], [1e-9, 2e-9, 3e-9], [1, 2, 3], [1e9, 0.5, 1]],
    b=[[0.5, 1, 0.25], [1e9, 3e9, -2e9], [1, 2.0 + 2.0**-10, 3], [1, 1e6, 2]],
    c=[[-0.5, 0.25, 1], [1, 0.5, 2], [1, 2, 3.0 - 2.0**-12], [0.5, 1, 3e5]],
)
case("view.bezier_length", bezier_length, a=[0.5, -2, 1, 1e-3, 30], b=[1e-9, 0.5, 1e-4, 3, 1e6])
case(
    "view.smith_masking",
    lambda m, a, t: 0.5 * (-1 + m.sqrt(1 + (a * m.tan(t)) ** 2)),
    a=[0.5, 1e-4, 0.03125, 1, 0.25],
    t=[1e-6, 0.5, 1.5625, 0.25, 1.25],
)
case(
    "view.forward_scattering",
    lambda m, g, u: (1 - g * g) / (1 + g * g - 2 * g * u) ** 1.5,
    g=[1e-9, 0.75, -0.5, 1 - 2.0**-9, 1 - 2.0**-17],
    u=[0.5, 1 - 2.0**-12, -0.9375, 1 - 2.0**-16, 0.25],
)
case(
    "view.scattering_angle",
    lambda m, g, u: (1 + g * g - ((1 - g * g) / (1 - g + 2 * g * u)) ** 2) / (2 * g),
    g=[1e-9, 1e-4, 0.75, -0.5, 1 - 2.0**-9],
    u=[0.25, 0.75, 0.5, 1e-6, 0.9375],
)
case(
    "view.gtr_one",
    lambda m, a, c: (a * a - 1) / (PI * m.log(a * a) * (1 + (a * a - 1) * c * c)),
    a=[1e-6, 0.25, 0.9375, 1 - 2.0**-12, 1 - 2.0**-18],
    c=[1 - 2.0**-10, 0.5, 1e-3, 0.75, 0.25],
)
case(
    "view.field_of_view",
    lambda m, r, w: m.arctan(2 * r * m.tan(w / 2)) / w,
    r=[1e-6, 0.5, 3, 1e9, 0.25],
    w=[0.9375, 1e-6, 1.5, 0.5, 3],
)
case("view.tone_mapped_left", lambda m, x: 1 - x * (1 + x / 16) / (1 + x), x=[1e-9, 0.5, 3.99609375, 4 + 2.0**-16, 30])
case(
    "view.lightness_gap",
    lambda m, a, b: (lambda f: f(a) - f(b))(lambda u: m.where(u > 0.008856, 116 * u ** (1 / 3) - 16, 903.296 * u)),
    a=[0.25, 0.75, 1e-3, 0.0078125, 0.5],
    b=[0.25 + 2.0**-12, 0.75 - 2.0**-18, 1e-9, 0.0078125 + 2.0**-20, 0.001],
)
case(
    "view.smooth_union",
    lambda m, a, b: -m.log(m.exp(-32 * a) + m.exp(-32 * b)) / 32 - m.minimum(a, b),
    a=[0.5, -30, 40, 0.125, 3],
    b=[0.5 + 2.0**-9, -29.75, 41, 0.25, 2],
)
case(
    "view.motion_of_frame",
    lambda m, t: (t - m.sin(t)) / t**3 - 0.5 * (1 - m.cos(t)) / t**2,
    t=[*geo(1e-6, 1, 4), 3.0],
)

# ---- tones and filters ----


def mel(m: Any, f: Any) -> Any:
    return 2595 * m.log(1 + f / 700) / LN10


def weighting(m: Any, f: Any) -> Any:
    s = f * f
    top = 12194.0**2 * s * s
    return 20 * m.log(top / ((s + 20.6**2) * m.sqrt((s + 107.7**2) * (s + 737.9**2)) * (s + 12194.0**2))) / LN10 + 2.0


case(
    "tone.blackman",
    lambda m, x: 0.42 - 0.5 * m.cos(2 * PI * x) + 0.08 * m.cos(4 * PI * x),
    x=[1e-3, 0.0625, 0.25, 0.46875],
)
case(
    "tone.mel_gap",
    lambda m, f, d: mel(m, f + d) - mel(m, f),
    f=[1e-6, 100.0, 440, 8000, 1e9],
    d=[1e-3, 2.0**-8, 1e-2, 300, 64],
)
case("tone.weighted_a", weighting, f=[1e-3, 20, 400.5, 9000, 1e6, 1e12])
case(
    "tone.bark_gap",
    lambda m, f: 13 * m.arctan(0.00076 * f) + 3.5 * m.arctan((f / 7500) ** 2) - 0.00988 * f,
    f=[1e-3, 30.0, 500, 4000, 2e4],
)
case(
    "tone.a_law",
    lambda m, x: (
        m.sign(x) * m.where(m.abs(x) < 1 / 64, 64 * m.abs(x), 1 + m.log(64 * m.abs(x))) / (1 + 4.1588830833596715)
    ),
    x=both([1e-9, 0.0155, 0.0157, 0.5, 1 - 2.0**-20]),
)
case(
    "tone.butterworth_loss",
    lambda m, w, n: 1 - 1 / m.sqrt(1 + w ** (2 * n)),
    wrt="w",
    w=[1e-6, 0.01, 0.5, 1 + 2.0**-12, 3, 1e4, 1e36],
    n=cyc(7, 1, 4, 2),
)
case(
    "tone.group_delay",
    lambda m, a, w: a * (m.cos(w) - a) / (1 - 2 * a * m.cos(w) + a * a),
    a=[1e-9, 0.5, 1 - 2.0**-6, 1 - 2.0**-12, 1 - 2.0**-18],
    w=[0.5, 1.046875, 1e-3, 0.25, 1e-5],
)
case(
    "tone.biquad_low",
    lambda m, w, q: 0.5 * (1 - m.cos(w)) / (1 + m.sin(w) / (2 * q)),
    w=[1e-9, 1e-3, 0.5, 2, 3.140625],
    q=[0.75, 1e-6, 30, 0.5, 1e-3],
)
case(
    "tone.goertzel",
    lambda m, a, b, w: a * a + b * b - 2 * a * b * m.cos(w),
    a=[1.0, 3.5, 1e9, 0.25, 1e-9],
    b=[1 + 2.0**-12, 3.5 - 2.0**-6, 1e9 + 512, 7, 1e-9],
    w=[1e-6, 0.01, 1e-5, 0.5, 3],
)
case("tone.mexican_hat", lambda m, t: (1 - t * t) * m.exp(-t * t / 2), t=[1e-9, 0.5, 1 - 2.0**-10, 1 + 2.0**-18, 3, 26])
case(
    "tone.resonance_shift",
    lambda m, z: 1 - m.sqrt(1 - 2 * z * z),
    z=[1e-9, 1e-3, 0.5, 0.70703125],
)
case(
    "tone.level_of_sum",
    lambda m, x: 10 * m.log(m.sum(10.0 ** (x / 10), axis=-1)) / LN10 - m.max(x, axis=-1),
    x=rows([-9000, -300, 0, 94, 4000], 12, 4),
)

# ---- special functions ----


def winitzki(m: Any, x: Any) -> Any:
    """An inverse of erf, by elementary functions."""
    u = m.log(1 - x * x)
    v = 4.330746750799873 + u / 2
    return m.sqrt(m.sqrt(v * v - u / 0.147) - v)


case("func.inverse_erf", winitzki, x=[1e-9, 1e-4, 0.25, 0.9375, 1 - 2.0**-12, 1 - 2.0**-19])
case("func.harmonic", lambda m, x: m.digamma(1 + x) + 0.5772156649015329, wrt="", x=[1e-3, 0.125, 1, 30, 1e6])
case(
    "func.digamma_pair",
    lambda m, x, h: m.digamma(x + h) - m.digamma(x),
    wrt="",
    x=[0.25, 3, 40, 1e6],
    h=[2.0**-8, 1e-3, 0.5, 2],
)
case(
    "func.log_choose_by_entropy",
    lambda m, n, p: (
        m.gammaln(n + 1)
        - m.gammaln(n * p + 1)
        - m.gammaln(n * (1 - p) + 1)
        + n * (p * m.log(p) + (1 - p) * m.log(1 - p))
    ),
    wrt="",
    n=[8.0, 64, 1024, 2.0**20],
    p=[0.25, 0.5, 0.125, 0.75],
)
case(
    "func.hypergeometric_log",
    lambda m, k: (
        m.gammaln(61.0 + 0 * k)
        - m.gammaln(k + 1)
        - m.gammaln(61 - k)
        + m.gammaln(1e9 + 1 + 0 * k)
        - m.gammaln(31 - k)
        - m.gammaln(1e9 - 29 + k)
    ),
    wrt="",
    k=[1.0, 7, 15, 28],
)
case("func.log_erfcx", lambda m, x: x * x + m.log(m.erfc(x)), x=[-20.0, -0.5, 1e-9, 2, 26, 40, 1e9])
case(
    "func.erfc_of_two_scales",
    lambda m, x, s: m.exp(s * s / 2 - s * x) * 0.5 * m.erfc((s - x) / ROOT2),
    x=[-30.0, -3, 0.5, 9, 60],
    s=cyc(5, 0.5, 30, 1e-6),
)
case(
    "func.mittag_leffler_two",
    lambda m, x: m.where(x > 0, (m.cosh(m.sqrt(m.abs(x))) - 1) / x, (m.cos(m.sqrt(m.abs(x))) - 1) / x),
    wrt="",
    x=both([1e-12, 1e-4, 0.5, 9]),
)
case("func.airy_phase", lambda m, x: 2 / 3 * ((x + 1) ** 1.5 - x**1.5) - m.sqrt(x), x=[1e-9, 0.5, 30, 1e6, 1e15])
case("func.log_zeta_tail", lambda m, s: m.log(1 + 2**-s + 3**-s + 4**-s), s=[1.5, 9, 40, 300, 1e3])
case("func.lobachevsky_step", lambda m, x: m.log(2 * m.sin(x)) - m.log(2 * x), x=[1e-9, 1e-3, 0.5, 1.5, 3.140625])
case("func.dilogarithm_jump", lambda m, x: m.log(x) * m.log(1 - x), x=SHARES)
case(
    "func.pseudo_voigt_gap",
    lambda m, x: m.exp(-LN2 * x * x) - 1 / (1 + x * x),
    x=[1e-6, 1e-3, 0.5, 1 + 2.0**-10, 3, 30, 1e9],
)

# ---- words of information ----

case(
    "word.z_channel",
    lambda m, p: m.log(1 + (1 - p) * p ** (p / (1 - p))) / LN2,
    p=SHARES,
)
case("word.entropy_of_geometric", lambda m, p: -(p * m.log(p) + (1 - p) * m.log(1 - p)) / p, p=SHARES)
case(
    "word.cascaded_channels",
    lambda m, a, b: 1 - 2 * (a * (1 - b) + b * (1 - a)),
    a=[1e-12, 0.25, 0.5 - 2.0**-12, 0.5 + 2.0**-19, 0.9375],
    b=[1e-9, 0.5 - 2.0**-18, 0.5 + 2.0**-8, 0.125, 1e-6],
)
case(
    "word.entropy_power",
    lambda m, a, b: 0.5 * m.log(m.exp(2 * a) + m.exp(2 * b)) - 0.5 * (a + b) - 0.5 * LN2,
    a=[-900.0, 1, 30, 0.5],
    b=[-890.0, 1.25, -30, 0.5 + 2.0**-3],
)
case(
    "word.two_sources",
    lambda m, p: -m.sum(p * m.log(p), axis=-1) + m.sum(p, axis=-1) * m.log(m.sum(p, axis=-1)),
    p=[[0.5, 1e-9], [0.25, 0.75], [1e-30, 1e-3], [3.0, 1e12], [1e-200, 0.125]],
)
case(
    "word.bernoulli_variance_bound",
    lambda m, p: m.log(1 - 4 * p * (1 - p)),
    p=[1e-9, 0.125, 0.5 - 2.0**-10, 0.5 + 2.0**-18, 0.9375],
)

# ---- public kernels ----

case(
    "public.burley_subsurface",
    lambda m, r, s: 0.25 * m.exp(-r / s) / (2 * PI * s * r) + 0.75 * m.exp(-r / (3 * s)) / (6 * PI * s * r),
    r=[1e-9, 0.5, 30, 2e3, 1e6],
    s=[0.5, 1e-3, 0.25, 1, 1e5],
)
case(
    "public.sample_of_cone",
    lambda m, u, c: m.sqrt(1 - ((1 - u) + u * c) ** 2),
    u=[1e-9, 0.25, 0.75, 1 - 2.0**-12],
    c=[0.5, 1 - 2.0**-10, 1 - 2.0**-19, 1e-6],
)
case(
    "public.level_of_detail",
    lambda m, a, b, c, d: 0.5 * m.log(m.maximum(a * a + b * b, c * c + d * d)) / LN2,
    a=[0.5, 1e-200, 3e200, 1e-30],
    b=[0.25, 1e-190, 1, 1e-25],
    c=[0.125, 3e-200, 1e190, 1e-12],
    d=[1.5, 1e-195, 1e100, 3e20],
)
case(
    "public.cubic_of_one_root",
    lambda m, p, q: (lambda r: (r - q) ** (1 / 3) - (r + q) ** (1 / 3))(m.sqrt(q * q + p**3)),
    p=[1.0, 3, 1e3, 0.25, 30],
    q=[1e-6, 0.5, 2, 40, 1e-3],
)
case(
    "public.incomplete_beta_front",
    lambda m, x, a, b: m.exp(a * m.log(x) + b * m.log(1 - x) - m.gammaln(a) - m.gammaln(b) + m.gammaln(a + b)),
    wrt="x",
    x=[1e-6, 0.25, 0.5 + 2.0**-12, 0.9375],
    a=[0.5, 30, 600, 1e3],
    b=[3.0, 90, 600, 40],
)
case(
    "public.log_gamma_by_stirling",
    lambda m, x: (x - 0.5) * m.log(x) - x + 0.9189385332046727 + 1 / (12 * x) - m.gammaln(x),
    wrt="",
    x=[0.5, 2, 7, 40],
)
case(
    "public.hypotenuse_by_ratio",
    lambda m, a, b: m.where(
        m.abs(a) > m.abs(b), m.abs(a) * m.sqrt(1 + (b / a) ** 2), m.abs(b) * m.sqrt(1 + (a / b) ** 2)
    ),
    a=[1e200, -3, 1e-200, 1e-9, 2],
    b=[1e190, 4, 3e-200, 1e30, -1e-9],
)
case(
    "public.relative_root",
    lambda m, a, x: 0.5 * (x + a / x) - m.sqrt(a),
    a=[2.0, 9, 1e200, 1e-30],
    x=[1.4140625, 3.0078125, 1.0625e100, 1.03125e-15],
)
case("public.cosine_less_versed", lambda m, x: m.cos(x) - m.sqrt(1 - x * x), x=both([1e-4, 0.01, 0.5, 0.9375]))
case("public.tan_of_root", lambda m, x: m.tan(m.sqrt(x)) ** 2 - x, x=[1e-6, 1e-3, 0.25, 2])
case(
    "public.log_slope",
    lambda m, a, b: (m.log(1 + a) - m.log(1 + b)) / (a - b),
    wrt="",
    a=[1e-9, 0.25, 30, 1e6],
    b=[1e-12, 0.25 + 2.0**-10, 30 - 2.0**-12, 3e6],
)
case("public.two_exps", lambda m, x: (m.exp(x) - 1) * (m.exp(-x) - 1) + x * x, x=both([1e-3, 0.125, 2, 40]))

# ---- derivatives of derivatives ----


def curved(f: Any) -> Any:
    return lambda m, x: m.slope(lambda u: m.slope(lambda v: f(m, v), u), x)


case("twist.frailty", curved(lambda m, v: -m.log(1 + 1e-3 * v) / 1e-3), wrt="", x=[1e-9, 0.5, 30, 1e6])
case("twist.log_of_tanh", curved(lambda m, v: m.log(m.tanh(v))), x=[1e-6, 0.5, 3, 40])
case("twist.isochrone", curved(lambda m, v: 1 / (1 + m.sqrt(1 + v * v))), x=[1e-6, 0.5, 30, 1e9])
case("twist.morse_like", curved(lambda m, v: (1 - m.exp(-v)) ** 2), x=[-3.0, 1e-6, 0.6875, 9, 40])
case("twist.log_normal", curved(lambda m, v: m.log(m.erfc(-v / ROOT2))), x=[-30.0, -3, 0.5, 4])
case("twist.fermi", curved(lambda m, v: 1 / (m.exp(v) + 1)), wrt="", x=[-40.0, -3, 1e-3, 2, 60, 300])
case("twist.softsign", curved(lambda m, v: v / m.sqrt(1 + v * v)), x=[-1e9, -2, 1e-6, 0.75, 30])
case(
    "twist.mixed_of_logsumexp",
    lambda m, x, y: m.slope(lambda u: m.slope(lambda v: m.log(m.exp(u) + m.exp(v) + 1), y), x),
    wrt="",
    x=[-300.0, -3, 0.5, 40, 300],
    y=[-310.0, 2, 0.25, 41, -200],
)

# ---- loops ----

case(
    "march.intensity",
    lambda m, t: m.rounds(lambda s, u: m.exp(-u) * (1 + s), 0 * t[:, 0], columns(t, 4)),
    t=rows([1e-6, 0.5, 9, 200], 0.9, 4, scale=True),
)
case(
    "march.volatility",
    lambda m, e: m.log(m.rounds(lambda s, u: 0.03125 + 0.125 * u * u + 0.8125 * s, 0 * e[:, 0] + 1, columns(e, 4))),
    e=rows([1e-9, 0.5, 9, 1e20, 1e150], 0.9, 4, scale=True),
)
case(
    "march.pruned",
    lambda m, t: m.rounds(
        lambda s, u: 0.5 * (1 + m.exp(-2 * u)) * s + 0.5 * (1 - m.exp(-2 * u)) * (1 - s), 0 * t[:, 0], columns(t, 4)
    ),
    t=rows([1e-9, 0.01, 2, 40], 0.9, 4, scale=True),
)
case(
    "march.newton_of_kepler",
    lambda m, x, e: m.rounds(lambda s, u: s - (s - e * m.sin(s) - u) / (1 - e * m.cos(s)), x, [x, x, x, x]),
    wrt="",
    x=[1e-6, 0.5, 2, 3],
    e=[0.0625, 0.25, 0.5, 0.75],
)
case(
    "march.discounted_utility",
    lambda m, c: m.rounds(lambda s, u: -m.log(0.0625 * m.exp(-u) + 0.9375 * m.exp(-s)), c[:, 0], columns(c, 4)[1:]),
    c=rows([-900.0, 0, 60, 800], 7, 4),
)
case(
    "march.soft_clip_walk",
    lambda m, x: m.rounds(lambda s, u: m.clip(s + u, -1.0, 1.0), 0 * x[:, 0], columns(x, 4)),
    x=[[0.5, 0.25, -0.125, 0.0625], [0.75, 0.5, -0.25, 1e-3], [-3, 1e-9, 0.5, 0.25], [1e-9, 1e9, -0.125, 0.0625]],
)

# ---- joined, cut, sorted ----

case(
    "march.logsumexp_with_bias",
    lambda m, x, b: m.log(m.sum(m.exp(m.concatenate([x, b[:, None], 0 * b[:, None]], axis=1)), axis=-1)),
    x=rows([-800, -30, 0, 60, 720], 9, 4),
    b=[-700.0, 3, 0.5, 61, 700],
)
case(
    "march.sorted_simplex_gap",
    lambda m, x: m.sum(m.maximum(x - m.max(x, axis=-1, keepdims=True) + 1, 0.0), axis=-1) - 1,
    x=[[0.5, 0.25, -3, 0.125], [900, 899.5, 899.25, 3], [1e-6, 2e-6, -1e-6, -9]],
)
case(
    "march.masked_cross_entropy",
    lambda m, x, k: m.log(m.sum(m.where(k > 0, m.exp(x), 0.0), axis=-1)) - m.sum(m.where(k > 0, x, 0.0), axis=-1) / 2,
    wrt="x",
    x=rows([-800, -30, 0, 60, 720], 9, 4),
    k=[[1.0, 0, 1, 0], [0, 0, 1, 1], [1, 1, 0, 0], [0, 1, 1, 0], [1, 0, 0, 1]],
)
case(
    "march.increments_of_logs",
    lambda m, x: m.sum((m.log(x[:, 1:]) - m.log(x[:, :-1])) ** 2, axis=-1),
    x=near_rows([[3.0, 3, 3, 3], [1e9, 1e9, 1e9, 1e9], [0.5, 0.5, 0.5, 0.5], [1e-30, 1e-9, 1e9, 1e30]], 2, 4),
)
