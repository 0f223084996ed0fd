"""Ways to compute with fewer digits than a loop asks for, and what their primitives are wrong by (`digits`).

Units are of 2^-53, or of 2^-67 where arithmetic has two limbs and functions are right to 2^-69 (`wide.short`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from symdl.backends.vmath.bounds import ABSOLUTE_BELOW_ZERO, BOUND
from symdl.backends.wide import brief
from symdl.backends.wide.short import FUNCTIONS
from symdl.records import record

ONE_LIMB = {"float64x2": "float64", "float64x2e": "float64e"}
ORDERS = (24, 21, *range(18, 5, -1))  # the k that are tried
# Those of which few numbers fall short: a vector in 200, which costs as much as ten or twenty attempts.
RARELY = ORDERS[:9]


@record
class Tier:
    """A way to compute with fewer digits.

    forms: what becomes of dtypes. own: of a primitive, how many units its result is wrong by; None: not known. single,
    double, summed: how many a value may be wrong by that is kept as a float32, as a float64, or added up. orders: the k that
    are tried. rough: terms of sums are wrong by so much more than all that is made of the sums. brief: functions are those of
    `wide.brief`. unit: of errors that are followed as the program runs. noise: what is left of 0, as a rule, beside what went
    into a sum.
    """

    forms: Mapping[str, str]
    own: Callable[[str], float | None]
    single: float
    double: float
    summed: float
    orders: tuple[int, ...] = ORDERS
    width: int = 53
    within: float = 2.0**10
    rough: bool = False
    brief: bool = False
    unit: float = 0.0
    noise: float = 0.0


def _of_one_limb(name: str) -> float | None:
    known = name in BOUND and name not in ABSOLUTE_BELOW_ZERO
    return BOUND[name][1] if known else 0.5 if name in ("add", "sub", "mul", "true_div", "cast") else None


def _of_brief(name: str) -> float | None:
    return brief.ERROR[name] * 2.0**53 if name in brief.ERROR else _of_one_limb(name)


def _of_short(name: str) -> float | None:
    return 0.25 if name in FUNCTIONS else 2.0**-20  # the others are right to 2^-94 or more


ONE = Tier(ONE_LIMB, _of_one_limb, 2.0**26, 4.0, 4.0)
LOOSER = replace(ONE, summed=2.0**16)  # of float32 numbers: 13 bits more than these have, which an exponential may want
SHORTER = Tier({}, _of_short, 2.0**40, 2.0**12, 2.0**12, width=0)
# arithmetic alone, which is wrong by less than 2^-104 of the larger; behind more sums that cancel than these orders allow
# stand iterations, as a rule, which have met
LOOSE = replace(SHORTER, own=lambda name: 2.0**-20, width=106, orders=RARELY[:5])
# errors followed as the program runs, see `running`: of two limbs, in units of 2^-98, and of one
FULL = Tier({}, lambda name: 0.25, 2.0**71, 2.0**43, 2.0**43, orders=(0,), width=106, unit=2.0**-98, noise=2.0**-102)
RUNNING = replace(ONE, orders=(0,), unit=2.0**-53)


def briefly(tier: Tier) -> Tier:
    """A tier of one limb whose functions are those of `wide.brief`."""
    return replace(tier, own=_of_brief, brief=True)
