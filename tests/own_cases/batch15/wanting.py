"""Beside what batch 15 found wrong: chosen since something was wrong with them, so not in its counts."""

from __future__ import annotations

from typing import Any

from own_cases.batch15 import case
from own_cases.case import both

FAR_SIDES = both([1e-9, 0.5, 30, 1e12, 1e60, 1e150])
APART = [[0.5, 1e-9], [0.25, 0.75], [1e-60, 1e-3], [3.0, 1e12], [1e-200, 0.125], [1e30, 1e-30]]
POLES = [1e-120, 1e-30, 1e-9, 0.125, 1.75, 40, 1e6]


def inverse_sinh(m: Any, x: Any) -> Any:
    return m.log(x + m.sqrt(x * x + 1))


case("wish.inverse_sinh_over_root", lambda m, x: inverse_sinh(m, x) / m.sqrt(x * x + 1), x=FAR_SIDES)
case("wish.log_root_less_inverse_sinh", lambda m, x: 0.5 * m.log(x * x + 1) - inverse_sinh(m, x) ** 2, x=FAR_SIDES)
case(
    "wish.root_times_inverse_sinh",
    lambda m, x: m.sqrt(x * x + 4) * m.log(x + m.sqrt(x * x + 4)),
    x=[1e-9, -0.5, 30, -1e3, 1e60],
)
case("wish.gammaln_stepped", lambda m, x: m.log(x) + m.gammaln(x), x=POLES)
case("wish.gammaln_stepped_by_half", lambda m, x: 2 * m.gammaln(x / 2) + 2 * m.log(x / 2) + x, x=POLES)
case("wish.rising_factorial", lambda m, x: m.log(x) + m.gammaln(x) - m.gammaln(x + 5), x=POLES)
case("wish.digamma_stepped", lambda m, x: m.digamma(x) + 1 / x, wrt="", x=POLES[1:])
case("wish.digamma_stepped_beside", lambda m, x, y: (m.digamma(x) + 1 / x) * y - y, wrt="y", x=POLES[1:], y=[1.5] * 7)
case("wish.log_share_of_counts", lambda m, p: -m.log(p[:, 1] / m.sum(p, axis=-1)), p=APART)
case(
    "wish.one_less_share_of_counts",
    lambda m, p: 1 - p[:, 1] / m.sum(p, axis=-1),
    p=[[*row, 0.5 * row[0]] for row in APART],
)
case(
    "wish.entropy_of_mixing",
    lambda m, p, q: (p + q) * m.log(p + q) - p * m.log(p) - q * m.log(q),
    p=[r[0] for r in APART],
    q=[r[1] for r in APART],
)
