"""Beside what batch 14 found wrong: chosen since something was wrong with them, so not in its counts."""

from __future__ import annotations

from own_cases.batch14 import SHIFTS, case, whole
from own_cases.case import cyc, geo, lin, rows

TEACHERS = whole([*lin(-60, 60, 8), 3, -3, 300, -300, 100, -100])
PUPILS = [a + d for a, d in zip(TEACHERS, cyc(14, 0.25, 2**-9, -7.0, 30.0), strict=True)]

case(
    "want.taught_by_logits",
    lambda m, a, b: m.log(1 + m.exp(b)) - b * m.sigmoid(a),
    wrt="b",
    a=TEACHERS,
    b=[*PUPILS[:-1], 20.0],
)
case(
    "want.kl_of_bernoulli_rows",
    lambda m, a, b: m.sum(m.sigmoid(a) * (a - b) + m.log(1 + m.exp(b)) - m.log(1 + m.exp(a)), axis=-1),
    a=[TEACHERS[k : k + 2] for k in range(0, 14, 2)],
    b=[PUPILS[k : k + 2] for k in range(0, 14, 2)],
)
case(
    "want.one_less_quiet_share",
    lambda m, x: 1 - m.exp(x[:, 0]) / (1 + m.sum(m.exp(x), axis=-1)),
    x=rows([s for s in SHIFTS if abs(s) < 800], 20, 5),
)
case(
    "want.log_of_quiet_rest",
    lambda m, x: m.log(1 - m.exp(x[:, 0]) / (1 + m.sum(m.exp(x), axis=-1))),
    wrt="",
    x=rows([s for s in SHIFTS if abs(s) < 800], 20, 5),
)
case(
    "want.root_difference_rest",
    lambda m, x: m.sqrt(x * x + x) - m.sqrt(x * x - x) - 1,
    x=[*geo(2, 1e9, 5), 1e30],
)
case(
    "want.mean_of_two_roots",
    lambda m, x: m.sqrt(x + 1) + m.sqrt(x - 1) - 2 * m.sqrt(x),
    x=[*geo(2, 1e9, 5), 1e15, 1e30],
)
