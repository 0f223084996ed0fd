"""Formulas that were wrong at first sight at numbers drawn from all floats, where two limbs hold nothing: not in the counts."""

from __future__ import annotations

from functools import partial

from own_cases.case import both, cyc, geo
from own_cases.case import case as any_case

case = partial(any_case, batch=9)

FAR = [*geo(10, 1e15), *geo(1e17, 1e36, 3), *geo(1e40, 1e150, 5)]
NOTHING = both([0.3, 1e-3, 1e-9, 1e-16, 1e-30, 1e-80])

# herbie's haskell suite: quaternions, charts
case("far.sine_over", lambda m, x, y: m.cosh(x) * (m.sin(y) / y), x=cyc(12, 0.5, -2, 0.01), y=NOTHING)
case("far.sinh_over", lambda m, x, y: m.sin(x) * (m.sinh(y) / y), x=cyc(12, 0.5, 2, 0.01), y=NOTHING)
case("far.linear_map", lambda m, x, y, z, t, a: x + (y - z) * ((t - x) / (a - z)), x=cyc(5, 1), y=cyc(5, 3, 2), z=geo(1e3, 1e70, 5),
     t=cyc(5, 5, 2.5), a=cyc(5, 7, 1e-9), wrt="z a")  # fmt: skip
case("far.log_sinh_over", lambda m, x: m.log(m.sinh(x) / x), x=NOTHING)
case("far.log_over_sine", lambda m, x: m.log(x / m.sin(x)), x=NOTHING)
case("far.log_tangent_over", lambda m, x: m.log(m.tan(x) / x), x=NOTHING)
# Hamming, problem 3.3.4, for cube roots of all numbers
case("far.cube_roots", lambda m, x: m.sign(x + 1) * abs(x + 1) ** (1 / 3) - m.sign(x) * abs(x) ** (1 / 3), x=both(FAR))
# Hamming, example 3.8, and sums like it
case("far.log_of_next", lambda m, n: (n + 1) * m.log(n + 1) - n * m.log(n) - 1, n=FAR)
case("far.log_of_sum", lambda m, a, b: (a + b * b) * m.log(a + b * b) - a * m.log(a), a=FAR, b=cyc(16, 1, 0.5, 3))
# angles of many turns
case("far.sine_of_cube", lambda m, x: m.sin(x**3), x=geo(1e3, 1e12))
case("far.tangent_of_exponential", lambda m, x: m.tan(m.exp(x)), x=[5, 30, 45, 60, 75])
