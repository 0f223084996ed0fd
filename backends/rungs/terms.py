"""Terms of a sum, asked for with two limbs, in the dtype that what is made of the sum will be kept in: each is wrong by a few
units of the last place, and so is a sum of terms of one sign, however many they are.

    where(v == 0, 0, exp(v)) of v = x - most, a float64x2  ->  the same as a float32, where v == 0 is asked of v's own high half
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from symdl.backends.rungs.tiers import LOOSER, ONE_LIMB, SHORTER, Tier
from symdl.backends.wide.mixed import MIXED
from symdl.ir.loops import Apply, Const, Value
from symdl.number_forms import limbs_of
from symdl.records import mutable

PAIR = "float64x2"
FUNCTIONS = frozenset(["exp", "exp2"]) & MIXED.keys()
ROWS = 32  # numbers in a row, from which on few results lose what a rough sum lacks
UNITS = 3.5  # of a term: 1.2 ulp of the function and half a one of its correction, in halves of an ulp
LEAST = {"float32": 2.0**-96, "float64": 2.0**-960}  # results beside which no term that vanishes counts
LONGEST = 11 * 10**6  # numbers in a row


def _in_full(name: str) -> float | None:
    return 2.0**-40  # of two limbs in full, in units of 2^-53


TIERS: dict[str, Tier] = {  # by the dtype of what is made of the sum; 4 ulp, half a one for rounding
    "float32": Tier(LOOSER.forms, LOOSER.own, 7 * 2.0**29, 4.0, 4.0, (0,), rough=True),
    "float64": Tier(SHORTER.forms, _in_full, 0.0, 7.0, 0.0, (0,), rough=True),
}


def shown_by_float32(x: Value) -> bool:
    """Whether a number is 0 where it is 0 as a float32: a sum or difference of two of those is a multiple of the least one."""
    match x:
        case Const(number, dtype):
            return not any(limbs_of(number, dtype))
        case Apply("where", (_, a, b)):
            return shown_by_float32(a) and shown_by_float32(b)
        case Apply("cast" | "neg" | "abs", (a,)):
            return a.dtype == "float32" or shown_by_float32(a)
        case Apply("add" | "sub", (Apply("cast", (a,)), Apply("cast", (b,)))):
            return a.dtype == b.dtype == "float32"
    return False


@mutable
class Terms:
    """Terms in a dtype. one: equal values as one object; exact: the counterpart of a value that is as it was."""

    dtype: str
    one: Callable[[Value], Value]
    exact: Callable[[Value], Value | None]
    done: dict[int, Value | None] = field(default_factory=dict)

    @property
    def units(self) -> float:
        """How many units of 2^-53 a term is wrong by."""
        return UNITS * (2.0**29 if self.dtype == "float32" else 1.0)

    def term(self, item: Value) -> Value | None:
        """The counterpart of a term that is never negative; None for what is no such term."""
        if id(item) not in self.done:
            self.done[id(item)] = self.found(item)
        return self.done[id(item)]

    def found(self, item: Value) -> Value | None:
        match item:
            case Const(number, dtype) if dtype == PAIR:
                high, low = limbs_of(number, dtype)
                return self.one(Const(high, self.dtype)) if high in (0.0, 1.0) and not low else None
            case Apply("where", (condition, x, y)):
                chosen, first, second = self.asked(condition), self.term(x), self.term(y)
                if chosen is None or first is None or second is None:
                    return None
                return self.one(Apply("where", (chosen, first, second), self.dtype))
            case Apply(name, (x,)) if name in FUNCTIONS and x.dtype == PAIR:
                argument = self.exact(x)
                return None if argument is None else self.one(Apply(name, (argument,), self.dtype))
        return None

    def plain(self, item: Value) -> Value | None:
        """The counterpart of what counts numbers of two limbs that are 0: conditions asked of what terms ask, too."""
        match item:
            case Apply("where", (condition, x, y)):
                chosen, first, second = self.asked(condition), self.plain(x), self.plain(y)
                if chosen is None or first is None or second is None:
                    return None
                return self.one(Apply("where", (chosen, first, second), item.dtype))
            case Apply("cast", (x,)) if x.dtype not in ONE_LIMB:
                found = self.plain(x)
                return None if found is None else self.one(Apply("cast", (found,), item.dtype))
        return self.one(item) if isinstance(item, Const) else None

    def asked(self, item: Value) -> Value | None:
        """A condition: whether a number of two limbs is 0, or one about others."""
        match item:
            case Apply("eq" | "ne" as name, (x, Const(number) as zero)) if x.dtype == PAIR:
                found = self.exact(x) if self.dtype == "float64" or shown_by_float32(x) else None
                if found is None or any(limbs_of(number, zero.dtype)):
                    return None
                high = found if found.dtype == self.dtype else self.one(Apply("cast", (found,), self.dtype))
                return self.one(Apply(name, (high, self.one(Const(0.0, self.dtype))), "bool"))
            case Apply(_, args) if not any(x.dtype in ONE_LIMB for x in args):
                return item
        return None
