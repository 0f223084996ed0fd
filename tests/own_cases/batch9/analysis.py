"""Problems of numerical analysts: Hamming, Acton, Higham, Kahan, Goldberg, Muller and the issue lists of special functions."""

from __future__ import annotations

from functools import partial

from own_cases.case import BIG, PI, SMALL, TINY, both, cyc, geo
from own_cases.case import case as any_case

case = partial(any_case, batch=9)

ABOUT_1 = [1 + s * 2.0**-k for k in (2, 6, 11, 17) for s in (1, -1)]
POSITIVE = [0.375, 1.25, 2.9, 5.5, 0.8125, 13.7, 19.3, 7.75]

# ---- first terms that cancel: Acton, Real Computing Made Real; Hamming, chapter 3 ----

case("acton.arctan_rest", lambda m, x: m.arctan(x) - x / (1 + x * x), x=TINY)
case("acton.log_second_rest", lambda m, x: m.log(1 + x) - x + x * x / 2, x=TINY)
case("acton.log_first_rest", lambda m, x: m.log(1 + x) - x, x=SMALL)
case("acton.root_second_rest", lambda m, x: m.sqrt(1 + x) - 1 - x / 2, x=SMALL)
case("acton.inverse_roots", lambda m, x: 1 / m.sqrt(1 - x) - 1 / m.sqrt(1 + x), x=SMALL)
case("acton.cos_rest", lambda m, x: m.cos(x) - 1 + x * x / 2, x=TINY)
case("acton.sinh_twice_rest", lambda m, x: m.exp(x) - m.exp(-x) - 2 * x, x=TINY)
case("acton.cot_rest", lambda m, x: x / m.tan(x) - 1, x=SMALL)
case("acton.csch_rest", lambda m, x: 1 / x - 1 / m.sinh(x), x=TINY)
case("acton.csc_squares", lambda m, x: 1 / m.sin(x) ** 2 - 1 / (x * x), x=TINY)
case("acton.harmonic_step", lambda m, x: m.log((x + 1) / x) - 1 / (x + 1), x=BIG)
case("acton.stirling_step", lambda m, x: (x + 0.5) * m.log(1 + 1 / x) - 1, x=geo(1, 1e6))
case("acton.euler_step", lambda m, x: x * (x * m.log(1 + 1 / x) - 1), x=geo(1, 1e9))
case("acton.cosh_less_cos", lambda m, x: m.cosh(x) - m.cos(x), x=SMALL)
case("acton.sinh_less_sin", lambda m, x: m.sinh(x) - m.sin(x), x=TINY)
case("acton.arcsin_less_arctan", lambda m, x: m.arcsin(x) - m.arctan(x), x=TINY)
case("acton.arctan_less_tanh", lambda m, x: m.arctan(x) - m.tanh(x), x=[0.5, 0.1, 0.02, 0.007, -0.3, -0.05])
case("acton.log_less_arctan", lambda m, x: m.log(1 + x) - m.arctan(x), x=SMALL)
case("acton.exp_less_log", lambda m, x: m.exp(x) - 1 - m.log(1 + x), x=SMALL)
case("acton.root_less_exp", lambda m, x: m.sqrt(1 + 2 * x) - m.exp(x), x=both(geo(1e-9, 0.3)))
case("acton.geometric_less_exp", lambda m, x: 1 / (1 - x) - m.exp(x), x=SMALL)
case("acton.sinh_over", lambda m, x: m.sinh(x) / x - 1, x=SMALL)
case("acton.log_tan_over", lambda m, x: m.log(m.tan(x) / x), x=geo(1e-7, 1.4))
case("acton.two_roots", lambda m, x: m.sqrt(x + 1 / x) - m.sqrt(x - 1 / x), x=geo(1.5, 1e12))
case("acton.root_of_log", lambda m, x: m.log(x) - m.log(m.sqrt(x * x - 1)), x=geo(1.001, 1e9))
case("acton.cos_double_rest", lambda m, x: m.cos(2 * x) - 1 + 2 * m.sin(x) * x, x=TINY)
case("acton.exprel_slope", lambda m, x: (x * m.exp(x) - m.exp(x) + 1) / x**2, x=both(geo(1e-8, 3)))

# ---- polynomials expanded about their roots, recurrences: Higham, Muller ----

case(
    "higham.ninth_power",
    lambda m, x: (
        x**9
        - 18 * x**8
        + 144 * x**7
        - 672 * x**6
        + 2016 * x**5
        - 4032 * x**4
        + 5376 * x**3
        - 4608 * x**2
        + 2304 * x
        - 512
    ),
    x=[2 + s * 2.0**-k for k in (1, 3, 5) for s in (1, -1)],
)
case(
    "higham.seventh_power",
    lambda m, x: x**7 - 7 * x**6 + 21 * x**5 - 35 * x**4 + 35 * x**3 - 21 * x**2 + 7 * x - 1,
    x=[1 + s * 2.0**-k for k in (2, 4, 7) for s in (1, -1)],
)
case(
    "higham.continued_fraction",
    lambda m, x: 7 - 3 / (x - 2 - 1 / (x - 7 + 10 / (x - 2 - 2 / (x - 3)))),
    x=[0.5, 1.03125, 1.9375, 2.5, 3.0625, 4.25, 10.0],
)
case(
    "higham.one_pass_variance",
    lambda m, a, b, c: (a * a + b * b + c * c - (a + b + c) ** 2 / 3) / 2,
    a=geo(1, 1e6),
    b=[v * (1 + 2.0 ** -(3 + 2 * k)) for k, v in enumerate(geo(1, 1e6))],
    c=[v * (1 - 2.0 ** -(4 + 2 * k)) for k, v in enumerate(geo(1, 1e6))],
)
case(
    "muller.recurrence",
    lambda m, a, b: 108 - (815 - 1500 / b) / (108 - (815 - 1500 / a) / b),
    a=[4, 4.5, 4.9, 4.25],
    b=[4.25, 4.6, 4.95, 4.4],
)
case("muller.tent_in_logs", lambda m, x: m.exp(m.log(x) - m.log(1 - x)) - x, x=geo(1e-9, 0.9))
case(
    "kahan.heron_sorted",
    lambda m, a, b, c: m.sqrt((a + (b + c)) * (c - (a - b)) * (c + (a - b)) * (a + (b - c))) / 4,
    a=cyc(6, 9, 5.5, 100),
    b=[v / 2 + 2.0**-k for k, v in zip((4, 9, 12, 16, 19, 20), cyc(6, 9, 5.5, 100), strict=True)],
    c=[v / 2 + 2.0**-k for k, v in zip((5, 8, 13, 15, 19, 18), cyc(6, 9, 5.5, 100), strict=True)],
)
case(
    "kahan.arccosh",
    lambda m, x: 2 * m.log(m.sqrt((x + 1) / 2) + m.sqrt((x - 1) / 2)),
    x=[1 + 2.0**-k for k in (1, 4, 9, 15, 22)] + geo(2, 1e30, 5),
)
case("kahan.log_over_gap", lambda m, x: m.log(x) / (x - 1) - 1, x=ABOUT_1)
case(
    "kahan.copysigned_root",
    lambda m, x, y: m.sign(y) * m.sqrt((m.sqrt(x * x + y * y) - x) / 2),
    x=geo(1e-3, 1e9),
    y=cyc(8, 1, -0.5, 1e-3),
)
case(
    "goldberg.savings",
    lambda m, i, n: 100 * (((1 + i / n) ** n - 1) / (i / n)),
    i=geo(1e-6, 0.3),
    n=cyc(8, 12, 365, 8760),
)

# ---- special functions: the issue lists of Boost, SciPy, JAX and PyTorch ----

case("special.gammaln_near_1", lambda m, x: m.gammaln(1 + x), x=SMALL)
case("special.gammaln_near_2", lambda m, x: m.gammaln(2 + x), x=SMALL)
case(
    "special.gammaln_root",
    lambda m, x: m.gammaln(x),
    x=[1 + 2.0**-20, 1 - 2.0**-12, 2 + 2.0**-20, 2 - 2.0**-12, 1.25, 3.5],
)
case("special.digamma_root", lambda m, x: m.digamma(x), x=[1.4616321449683622, 1.46163215, 1.4616, 1.46, 1.5, 1.25])
case("special.log_poch", lambda m, x, a: m.gammaln(x + a) - m.gammaln(x), x=POSITIVE, a=geo(1e-10, 1))
case("special.log_poch_large", lambda m, x, n: m.gammaln(x + n) - m.gammaln(x) - n * m.log(x), x=geo(1e3, 1e9),
     n=cyc(8, 2, 3, 0.5))  # fmt: skip
case("special.powm1", lambda m, x, y: x**y - 1, x=ABOUT_1, y=cyc(8, 1e-9, 2.5, -0.3, 30))
case("special.logaddexp2", lambda m, a, b: m.log(2.0**a + 2.0**b) / 0.6931471805599453, a=cyc(8, -2000, 3, 1500, 0.25),
     b=cyc(8, -1990, 3.5, 1450, -0.25, 2000))  # fmt: skip
case("special.erfc_ratio", lambda m, x: m.erfc(x) / m.erfc(x + 1), x=[-8, -2, 0.5, 3, 9, 26, 60])
case("special.erfcx_rest", lambda m, x: m.exp(x * x) * m.erfc(x) - 0.5641895835477563 / x, x=geo(0.5, 12))
case("special.lambert_step", lambda m, w, x: w - (w * m.exp(w) - x) / (m.exp(w) * (w + 1)), w=[0.5, 1.5, 3, -0.5],
     x=[0.8, 6.8, 60, -0.3])  # fmt: skip
case("special.log_erfc_gap", lambda m, x: m.log(m.erfc(x)) + x * x, x=[0.5, 2, 6, 20, 90, 1000])
case("special.cos_pi_gap", lambda m, x: 1 + m.cos(PI * (1 + x)), x=geo(1e-9, 0.4))
case("special.sin_over_pi_gap", lambda m, x: m.sin(PI * x) / (PI * x) - 1, x=SMALL)
case("special.xlog1py_gap", lambda m, x, y: x * m.log(1 + y) - m.log(1 + x * y), x=POSITIVE, y=geo(1e-9, 0.5))
case("special.log_of_beta_tiny", lambda m, a, b: m.gammaln(a) + m.gammaln(b) - m.gammaln(a + b), a=geo(1e-8, 1e-2, 6),
     b=cyc(6, 1e-5, 3, 200))  # fmt: skip
case("special.arctanh_spelled", lambda m, x: 0.5 * (m.log(1 + x) - m.log(1 - x)) - x, x=TINY)
case("special.arcsin_rest", lambda m, x: m.arcsin(x) - x, x=TINY)
case("special.sqrt_arccos", lambda m, x: m.arccos(1 - x) - m.sqrt(2 * x), x=geo(1e-7, 0.9))
