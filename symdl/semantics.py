"""Float semantics: where float_semantics="mathematical", the default, gives other NaN, infinities or zeros than the formula
as it is written, op by op; float_semantics="strict" gives those.

Everything else is kept: x / x at 0, x - x and 0 * x of an infinity or a NaN are NaN, NaN equals nothing, a NaN that came
in comes out, -0 goes through sums, products and views. Both compute what is finite alike, without overflow on the way:
log(1 + exp(1000)) is 1000. mode="numpy", the oracle, computes every formula as it is written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

INF, NAN = math.inf, math.nan


@dataclass(frozen=True)
class Deviation:
    """One row: what is different, a formula of x and t (in the names of symdl.tensor), numbers for them, and its value."""

    name: str
    says: str
    formula: str
    at: Mapping[str, float]
    mathematical: float
    strict: float


DEVIATIONS = (
    Deviation(
        "0 log 0", "F log u is 0 where F and u are both exactly 0: the limit of every F that vanishes with u.",
        "x * T.log(x)", {"x": 0.0}, 0.0, NAN,
    ),
    Deviation(
        "0 / 0 of a logarithm's derivative",
        "An exact 0 over a 0 by which only derivatives of logarithms divide is 0: t log x does not change where t is 0.",
        "T.grad(t * T.log(x), x)", {"x": 0.0, "t": 0.0}, 0.0, NAN,
    ),
    Deviation(
        "branches not taken", "where(c, u, 0) v is 0 where c does not hold, whatever v is there: no NaN of sqrt below 0.",
        "T.grad(T.where(x > 0, T.sqrt(x), 0.0), x)", {"x": -1.0}, 0.0, NAN,
    ),
    Deviation(
        "limits", "Infinities that cancel exactly in a formula that is rewritten give the limit.",
        "T.log(1 + T.exp(x)) - x", {"x": INF}, 0.0, NAN,
    ),
    Deviation(
        "limits of quotients", "So do infinities that are divided by one another.",
        "T.exp(x) / (1 + T.exp(x))", {"x": INF}, 1.0, NAN,
    ),
    Deviation(
        "signs of zeros", "A zero has the sign of the formula that runs: expm1(-0) is -0, where exp(-0) - 1 is 0.",
        "1 / (T.exp(x) - 1)", {"x": -0.0}, -INF, INF,
    ),
    Deviation(
        "common denominators", "A sum of quotients that is one quotient may be NaN at infinity.",
        "T.grad(1 / (x + 1) - 1 / x, x)", {"x": INF}, NAN, 0.0,
    ),
    Deviation(
        "places of extremes", "A place of an extreme of what increases with u is that of u: where u has a NaN, the NaN's.",
        "T.argmax(T.softmax(T.stack([t, x])))", {"x": NAN, "t": 0.0}, 1.0, 0.0,
    ),
)  # fmt: skip
