"""What the eleventh batch led to: signs, roots, logarithms and quotients that were wrong at first sight. Not in the counts."""

from __future__ import annotations

from own_cases.batch11 import case
from own_cases.case import TINY, both, geo

FAR = [0.5, -3.0, 20, -40, 87.5, -103.5, 340, -800, 1e-9]
WIDE = both([0.5, 3, 1e9, 4e15, 2e30, 1e-9])
ABOVE = [*geo(1.5, 1e15, 5), 1e20, 3e40]
DOWN = [*geo(1e-60, 1e-9, 6), 1e-3, 0.5, 3]

# odd functions that saturate beside the sign of what they are of
case("wanting.log_cosh_less_size", lambda m, x: m.log(m.cosh(x)) - abs(x), x=FAR)
case("wanting.tanh_less_sign", lambda m, x: m.tanh(x) - m.sign(x), x=FAR)
case("wanting.coth_less_sign", lambda m, x: 1 / m.tanh(x) - m.sign(x), x=FAR)
case("wanting.gated_less_size", lambda m, x: x * m.tanh(x) - abs(x), x=FAR)
case("wanting.coth_less_size", lambda m, x: x / m.tanh(x) - abs(x), x=[*TINY, 20, -40, 87.5, 340, -800])
case("wanting.hypot_less_size", lambda m, x: m.sqrt(1 + x * x) - abs(x), x=WIDE)
case("wanting.unit_less_sign", lambda m, x: x / m.sqrt(1 + x * x) - m.sign(x), x=WIDE)
# sums that nobody reads as one logarithm, as one root
case(
    "wanting.logs_of_inverses",
    lambda m, x: m.log(1 / (1 - x)) + m.log(1 / (1 + x)),
    x=both([1e-150, 1e-80, 1e-9, 1e-3]),
)
case(
    "wanting.logs_of_roots",
    lambda m, x: m.log(m.sqrt(1 - x)) + m.log(m.sqrt(1 + x)),
    x=both([1e-150, 1e-80, 1e-9, 1e-3]),
)
case("wanting.root_of_product", lambda m, x: m.sqrt(x * (x + 1)) - x, x=ABOVE)
case("wanting.arcsinh_less_log", lambda m, x: m.log(m.sqrt(x * x + 1) + x) - m.log(2 * x), x=ABOVE)
case("wanting.arcsinh_rest", lambda m, x: m.log(x + m.sqrt(x * x + 1)) - x, x=[*DOWN, -0.25, -1e-20])
case("wanting.half_of_root", lambda m, x: x / (x + m.sqrt(x * x + 1)) - 0.5, x=ABOVE)
# logarithms of what series near
case("wanting.log_expm1_less_log", lambda m, x: m.log(1 - m.exp(-x)) - m.log(x), x=[*DOWN, 300])
case("wanting.log_sine_less_log", lambda m, x: m.log(m.sin(x)) - m.log(x), x=DOWN)
case("wanting.log_sinh_less_log", lambda m, x: m.log(m.sinh(x)) - m.log(x), x=[*DOWN, 300])
case("wanting.log_of_log_less_log", lambda m, x: m.log(m.log(1 + x)) - m.log(x), x=DOWN[:-1])
# exponentials near 0 within functions
FADING = [-400.0, -150, -80, -40, -3, 0.5, 2, 40, 150]
case("wanting.softplus_over_share", lambda m, x: (1 + m.exp(-x)) * m.log(1 + m.exp(x)), x=FADING)
case("wanting.softplus_over_share_less_1", lambda m, x: (1 + m.exp(-x)) * m.log(1 + m.exp(x)) - 1, x=FADING)
case("wanting.softplus_less_exp", lambda m, x: m.log(1 + m.exp(x)) - m.exp(x), x=[v for v in FADING if v < 150])
case("wanting.share_over_softplus", lambda m, x: m.sigmoid(x) / m.log(1 + m.exp(x)), x=FADING)
case("wanting.log_share_over_rest", lambda m, x: m.log(m.sigmoid(x)) / (1 - m.sigmoid(x)), x=FADING)
case("wanting.cloglog_rest", lambda m, x: 1 - m.exp(-m.exp(x)) - m.exp(x), x=[-300.0, -150, -80, -40, -3, 0.5, 2])
case("wanting.log1mexp_rest", lambda m, x: m.log(1 - m.exp(-x)) + m.exp(-x), x=[1.0, 3, 20, 60, 120, 300])
case("wanting.log1mexp_regained", lambda m, x: m.exp(x) * m.log(1 - m.exp(-x)), x=[0.01, 1, 10, 60, 95, 146, 300, 700])
case("wanting.log_of_log1mexp", lambda m, x: m.log(-m.log(1 - m.exp(-x))), x=[0.01, 1, 10, 60, 95, 146, 300, 700])
case(
    "wanting.root_of_log1mexp", lambda m, x: m.sqrt(-m.log(1 - m.exp(-x))), x=[0.01, 1, 10, 60, 95, 146, 300, 700, 1400]
)
