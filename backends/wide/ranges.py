"""What an attempt without exponents has to look at: of every primitive, how far its results reach, by how far its operands
do, and which operands must be in range for it to be right.

An attempt computes float64e in float64 and float64x2e in float64x2, and in float32 what wants the range of a float64
alone. It is right until a value leaves their range. A value
that became infinite mostly stays so until the end; one that fell below the normal numbers is off by a few 2^-1074 at
most, which matters to what divides by it, magnifies it or takes its logarithm, not to what adds it to something larger.
So a value is looked at late, where it would be lost, or not at all; pairs are looked at at once, since a low limb is lost
sooner.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from symdl.ir.loops import Apply, Const, Value
from symdl.records import record

LEAST, MOST = -900, 1023  # exponents of results between which nothing is lost
LEAST32, MOST32, DEEPEST32 = -100, 127, -149  # likewise of float32
PAIR, SPLIT_PAIR = (
    1022,
    985,
)  # MOST of pairs; without a fused multiply-add their limbs are split, which overflows earlier
FARTHEST = 620.0  # what e^x is in range for: 2^894
DEEPEST, ENDLESS = -1074, 1e9  # the least exponent of a float64; one beyond all
LARGEST_FLOAT, LARGEST_FLOAT32 = 1.7976931348623157e308, 3.4028234663852886e38


@record
class Reach:
    """A value of the attempt, and where the exact one may lie: exponents where it is neither 0 nor infinite, its sign."""

    value: Value
    low: float
    high: float
    sign: int = 0  # 1: never below 0, -1: never above
    under: bool = False  # something below the normal numbers may have gone into it, and has not been looked at
    hidden: bool = False  # likewise something infinite that is not
    nonzero: Value | None = None  # whether the exact value is not 0; None: it never is
    size: Value | None = None  # what decides whether being under counts, if not |value|


class Attempt:
    """Reaches of values, and the conditions under which the attempt has failed, collected on the way."""

    def __init__(self, fused: bool = True) -> None:
        self.fused = fused
        self.reaches: dict[int, Reach] = {}  # by the id of the value of the attempt
        self.troubles: list[tuple[Value, Value]] = []  # values, and whether they have left the range
        self._sizes: dict[int, Value] = {}
        self._constants: dict[tuple[float, str], Const] = {}

    def constant(self, number: float, dtype: str) -> Const:
        return self._constants.setdefault((number, dtype), Const(number, dtype))

    def high_limb(self, value: Value) -> Value:
        return value if value.dtype != "float64x2" else Apply("cast", (value,), "float64")

    def size(self, x: Reach) -> Value:
        """|value|, of its high limb."""
        found = self._sizes.get(id(x.value))
        if found is None:
            found = self.high_limb(x.value)
            if x.sign <= 0:
                found = Apply("abs", (found,), found.dtype)
            self._sizes[id(x.value)] = found
        return found

    def most(self, x: Reach) -> int:
        """The largest exponent of a result that has lost nothing."""
        if x.value.dtype == "float32":
            return MOST32
        return MOST if x.value.dtype != "float64x2" else PAIR if self.fused else SPLIT_PAIR

    def beyond(self, size: Value, most: int) -> Value:
        """Whether a value of this size is beyond the largest exponent, or not a number."""
        largest = LARGEST_FLOAT if size.dtype == "float64" else LARGEST_FLOAT32
        limit = self.constant(largest if most in (MOST, MOST32) else 2.0**most, size.dtype)
        return Apply("invert", (Apply("le", (size, limit), "bool"),), "bool")

    def factor(self, x: Reach, under: bool = False) -> Reach:
        """An operand whose products with others must be exact in two limbs."""
        if x.value.dtype == "float64x2":
            if under and x.low < least(x.value):
                x = self.within(replace(x, under=True), over=False)
            if not self.fused:
                x = self.within(x, under=False)
        return x

    def open(self, x: Reach) -> bool:
        """Whether the value may be infinite, or made of what is, where the exact one is not."""
        return x.hidden or x.high > self.most(x)

    def lost(self, size: Value, nonzero: Value | None) -> Value:
        """Whether a value of this size is below the least exponent, and not 0 either."""
        small = Apply("lt", (size, self.constant(2.0 ** least(size), size.dtype)), "bool")
        return both(small, nonzero) or small

    def noted(self, x: Reach) -> Reach:
        self.reaches[id(x.value)] = x
        return x

    def within(self, x: Reach, over: bool = True, under: bool = True) -> Reach:
        """x, looked at: where it has left the range upwards or downwards, the attempt has failed."""
        x = self.reaches.get(id(x.value), x)
        argument = exponent_of(x.value)
        if over and self.open(x):
            if argument is None:
                self.troubles.append((x.value, self.beyond(self.size(x), self.most(x))))
            else:
                least_too_large = Apply("gt", (self.constant(FARTHEST, "float32"), argument), "bool")
                self.troubles.append((x.value, Apply("invert", (least_too_large,), "bool")))
            x = replace(x, high=min(x.high, self.most(x)), hidden=False)
        if under and x.under:
            if argument is None or x.size is not None:
                self.troubles.append((x.value, self.lost(x.size or self.size(x), x.nonzero)))
            else:
                small = Apply("lt", (argument, self.constant(-FARTHEST, "float32")), "bool")
                finite = Apply("gt", (argument, self.constant(float("-inf"), "float32")), "bool")
                self.troubles.append((x.value, Apply("bitwise_and", (small, finite), "bool")))
            x = replace(x, low=max(x.low, least(x.value)), under=False, size=None)
        return self.noted(x)

    def made(self, name: str, value: Value, operands: tuple[Reach, ...]) -> Reach:
        """The reach of a primitive's result; what its operands must not be is noted."""
        operands = tuple(self.reaches.get(id(x.value), x) for x in operands)
        found = RANGES[name](self, value, *operands)
        if value.dtype == "float64x2":
            self.noted(found)
            return self.within(found)
        return self.noted(found)

    def failed(self) -> Value | None:
        """Whether the attempt has failed, in terms of the attempt; None if it never does."""
        return self.any_of([condition for _, condition in self.troubles])

    def any_of(self, conditions: Sequence[Value]) -> Value | None:
        """Whether one of the conditions holds under which the attempt has failed. A sum of sizes is looked at for all that shall
        not be too large: one comparison, as good but next to the very largest."""
        found: Value | None = None
        troubles: list[Value] = []
        sizes: dict[str, dict[int, tuple[Value, float]]] = {}  # by their dtypes, with what they are at most
        for condition in one_range(conditions):
            match condition:
                case Apply("invert", (Apply("le", (size, Const(limit))),)):
                    before = sizes.setdefault(size.dtype, {}).setdefault(id(size), (size, float(limit)))
                    sizes[size.dtype][id(size)] = size, min(before[1], float(limit))
                case _:
                    troubles.append(condition)
        for dtype, group in sizes.items():
            total, *rest = (size for size, _ in group.values())
            for size in rest:
                total = Apply("add", (total, size), dtype)
            limit = self.constant(min(most for _, most in group.values()), dtype)
            troubles.append(Apply("invert", (Apply("le", (total, limit), "bool"),), "bool"))
        for condition in troubles:
            found = condition if found is None else Apply("bitwise_or", (found, condition), "bool")
        return found


def one_range(conditions: Sequence[Value]) -> list[Value]:
    """Conditions in which the argument of an exponential that shall be neither too large nor too far below 0, infinity left out,
    is looked at once, by its size."""
    below: dict[int, Value] = {}
    for condition in conditions:
        match condition:
            case Apply("bitwise_and", (Apply("lt", (x, Const(number))), _)) if number == -FARTHEST:
                below[id(x)] = condition
    both_ways: list[Value] = []
    for condition in conditions:
        match condition:
            case Apply("invert", (Apply("gt", (Const(number) as far, x)),)) if number == FARTHEST and id(x) in below:
                conditions = [c for c in conditions if c is not condition and c is not below[id(x)]]
                end = -math.inf
                if isinstance(x, Apply) and x.primitive == "neg":
                    x, end = x.args[0], math.inf
                inside = Apply("gt", (far, Apply("abs", (x,), x.dtype)), "bool")
                finite = Apply("ne", (x, Const(end, x.dtype)), "bool")
                both_ways.append(Apply("bitwise_and", (Apply("invert", (inside,), "bool"), finite), "bool"))
    return [*conditions, *both_ways]


def exponent_of(value: Value) -> Value | None:
    """x, of e^x with x a float32 and the result of another dtype: its range is asked for of x, in half the vectors."""
    match value:
        case Apply("exp", (Apply("cast", (x,)),), dtype) if x.dtype == "float32" and dtype != "float32":
            return x
    return None


def least(value: Value) -> int:
    """The least exponent of a result of this dtype that has lost nothing."""
    return LEAST32 if value.dtype == "float32" else LEAST


def both(x: Value | None, y: Value | None) -> Value | None:
    """x and y, None being true."""
    return y if x is None else x if y is None or x is y else Apply("bitwise_and", (x, y), "bool")


def either(x: Value | None, y: Value | None) -> Value | None:
    """x or y."""
    return None if x is None or y is None else x if x is y else Apply("bitwise_or", (x, y), "bool")


def not_zero(a: Attempt, value: Value) -> Value:
    """Whether a value that is what it is supposed to be is not 0."""
    value = a.high_limb(value)
    return Apply("ne", (value, a.constant(0.0, value.dtype)), "bool")


Rule = Callable[..., Reach]


def _add(a: Attempt, value: Value, x: Reach, y: Reach) -> Reach:
    under = x.under or y.under
    for one in (x, y):
        under = under and not (one.nonzero is None and one.low >= least(value) and not one.under)
    size = None
    if under and not (x.sign * y.sign > 0):
        # The sum may cancel: the error is one of its terms'.
        size = Apply("add", (a.size(x), a.size(y)), a.size(x).dtype)
    low = max(min(x.low, y.low) - 53, DEEPEST32 if value.dtype == "float32" else DEEPEST)
    sign = x.sign if x.sign == y.sign else 0
    hidden = a.open(x) or a.open(y)
    return Reach(value, low, max(x.high, y.high) + 1, sign, under, hidden, either(x.nonzero, y.nonzero), size)


def _sub(a: Attempt, value: Value, x: Reach, y: Reach) -> Reach:
    return _add(a, value, x, replace(y, sign=-y.sign))


def _neg(a: Attempt, value: Value, x: Reach) -> Reach:
    return replace(x, value=value, sign=-x.sign, size=x.size or a.size(x))


def _abs(a: Attempt, value: Value, x: Reach) -> Reach:
    return replace(x, value=value, sign=1)


def _mul(a: Attempt, value: Value, x: Reach, y: Reach) -> Reach:
    x, y = a.factor(x), a.factor(y)
    if x.under and y.high > 0:
        x = a.within(x, over=False)
    if y.under and x.high > 0:
        y = a.within(y, over=False)
    x, y = (a.within(one, under=False) if exponent_of(one.value) is not None else one for one in (x, y))
    low, high = x.low + y.low, x.high + y.high + 1
    sign = 1 if x.value is y.value else x.sign * y.sign
    hidden = a.open(x) or a.open(y)
    return Reach(value, low, high, sign, low < least(value) or x.under or y.under, hidden, both(x.nonzero, y.nonzero))


def _div(a: Attempt, value: Value, x: Reach, y: Reach) -> Reach:
    x, y = a.factor(x, True), a.factor(a.within(y))
    if x.under and y.low < 0:
        x = a.within(x, over=False)
    low, high = x.low - y.high - 1, x.high - y.low
    return Reach(value, low, high, x.sign * y.sign, low < least(value) or x.under, a.open(x), x.nonzero)


def _sqrt(a: Attempt, value: Value, x: Reach) -> Reach:
    x = a.factor(a.within(x, over=False), True)
    return Reach(value, x.low // 2, x.high // 2 + 1, 1, False, a.open(x), x.nonzero)


def _growth(x: Reach) -> float:
    """How far the exponent of e^x may be from 0."""
    return 1.5 * 2.0 ** (x.high + 1) if x.high < 30 else ENDLESS


def _exp(a: Attempt, value: Value, x: Reach) -> Reach:
    x = a.within(x, under=False)
    low, high = (0 if x.sign > 0 else -_growth(x)), (0 if x.sign < 0 else _growth(x))
    first, nonzero = a.high_limb(x.value), None
    if low < least(value) and (value.dtype == "float32") == (first.dtype == "float32"):  # else a mask of two widths
        nonzero = Apply("gt", (first, a.constant(float("-inf"), first.dtype)), "bool")
    return Reach(value, low, high, 1, low < least(value), False, nonzero)


def _expm1(a: Attempt, value: Value, x: Reach) -> Reach:
    x = a.within(x, under=False)
    low, high = min(x.low, 0) - 1, 0 if x.sign < 0 else _growth(x)
    return Reach(value, low, high, x.sign, x.under or low < least(value), False, x.nonzero)


def _log(a: Attempt, value: Value, x: Reach) -> Reach:
    x = a.within(x, over=False)
    apart = value.dtype == "float64x2"  # a low limb floats: the logarithm of 1 + 1e-300 is 1e-300
    return Reach(value, DEEPEST if apart else -54, 11, 0, apart, a.open(x), not_zero(a, value))


def _log1p(a: Attempt, value: Value, x: Reach) -> Reach:
    low = min(x.low, 0) - 1
    return Reach(value, low, 11, x.sign, x.under or low < least(value), a.open(x), x.nonzero)


def _odd(high: float | None = None, steep: bool = False) -> Rule:
    """A function that is a multiple of x where x is small. high: of its results, None: grows as e^x."""

    def rule(a: Attempt, value: Value, x: Reach) -> Reach:
        x = a.within(x, under=False)
        low, sign = min(x.low, 0) - 2, x.sign
        if steep:  # periodic: next to a zero, however large x is
            low, sign = min(low, DEEPEST if value.dtype == "float64x2" else -62), 0
        most = _growth(x) if high is None else high
        return Reach(value, low, most, sign, x.under or low < least(value), False, x.nonzero)

    return rule


def _even(low: float, high: float | None = None, sign: int = 0) -> Rule:
    """A function that does not see small arguments."""

    def rule(a: Attempt, value: Value, x: Reach) -> Reach:
        x = a.within(x, under=False)
        apart = value.dtype == "float64x2" and low < 0
        reach = DEEPEST if apart else low
        return Reach(value, reach, _growth(x) if high is None else high, sign, apart, False,
                     not_zero(a, value) if low < 0 else None)  # fmt: skip

    return rule


def _tail(high: float) -> Rule:
    """A function that falls to 0 as x grows."""

    def rule(a: Attempt, value: Value, x: Reach) -> Reach:
        x = a.within(x, under=False)
        first = a.high_limb(x.value)
        finite = Apply("lt", (first, a.constant(float("inf"), first.dtype)), "bool")
        return Reach(value, -ENDLESS, high, 1, True, False, finite)

    return rule


def _logistic_tail(a: Attempt, value: Value, x: Reach) -> Reach:
    x = a.within(x, under=False)
    finite = Apply("lt", (a.size(x), a.constant(float("inf"), a.size(x).dtype)), "bool")
    return Reach(value, -_growth(x) - 2, -1, 1, True, False, finite)


def _gamma(a: Attempt, value: Value, x: Reach) -> Reach:
    x = a.within(x)
    return Reach(value, -120, max(x.high, -x.low) + 12, 0, False, False, not_zero(a, value))


def _pow(a: Attempt, value: Value, x: Reach, y: Reach) -> Reach:
    x, y = a.within(x), a.within(y)
    return Reach(value, -ENDLESS, ENDLESS, max(x.sign, 0), True, False, x.nonzero)


def _arctan2(a: Attempt, value: Value, x: Reach, y: Reach) -> Reach:
    x, y = a.within(x), a.within(y)
    return Reach(value, x.low - y.high - 1, 2, x.sign if y.sign > 0 else 0, True, False, x.nonzero)


def _whole(a: Attempt, value: Value, x: Reach) -> Reach:
    x = a.within(x, over=False)
    return Reach(value, 0, max(x.high, 0) + 1, x.sign, False, a.open(x), not_zero(a, value))


def _floor_div(a: Attempt, value: Value, x: Reach, y: Reach) -> Reach:
    x, y = a.within(x), a.within(y)
    return Reach(value, 0, max(x.high - y.low, 0) + 1, 0, False, False, not_zero(a, value))


def _mod(a: Attempt, value: Value, x: Reach, y: Reach) -> Reach:
    # where the quotient leaves the range the plain remainder is of no use
    x, y = a.within(x), a.within(y)
    quotient = Apply("true_div", (x.value, y.value), value.dtype)
    a.within(Reach(quotient, x.low - y.high - 1, x.high - y.low))
    return Reach(value, DEEPEST, y.high, y.sign, False, False, not_zero(a, value))


def _extreme(upper: bool) -> Rule:
    def rule(a: Attempt, value: Value, x: Reach, y: Reach) -> Reach:
        end = 1 if upper else -1
        sign = end if end in (x.sign, y.sign) else x.sign if x.sign == y.sign else 0
        nonzero = None
        if x.nonzero is not None or y.nonzero is not None:
            ahead = Apply("ge" if upper else "le", (x.value, y.value), "bool")
            behind = Apply("le" if upper else "ge", (x.value, y.value), "bool")
            nonzero = either(both(x.nonzero, ahead) or ahead, both(y.nonzero, behind) or behind)
        hidden = a.open(x) or a.open(y)
        return Reach(value, min(x.low, y.low), max(x.high, y.high), sign, x.under or y.under, hidden, nonzero)

    return rule


def _where(a: Attempt, value: Value, x: Reach, y: Reach) -> Reach:
    """value is where(condition, x, y)."""
    assert isinstance(value, Apply)
    nonzero: Value | None = None
    if x.nonzero is not None or y.nonzero is not None:
        true = a.constant(1, "bool")
        nonzero = Apply("where", (value.args[0], x.nonzero or true, y.nonzero or true), "bool")
    sign = x.sign if x.sign == y.sign else 0
    hidden = a.open(x) or a.open(y)
    return Reach(value, min(x.low, y.low), max(x.high, y.high), sign, x.under or y.under, hidden, nonzero)


def compared(a: Attempt, x: Reach, y: Reach) -> None:
    """Two values as they must be to be compared."""
    for one, other in ((x, y), (y, x)):
        if one.hidden or (a.open(one) and a.open(other)):
            a.within(one, under=False)
        if one.under and not (other.nonzero is None and other.low > least(other.value) and not other.under):
            a.within(one, over=False)


RANGES: dict[str, Rule] = {
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "true_div": _div,
    "floor_div": _floor_div,
    "mod": _mod,
    "neg": _neg,
    "abs": _abs,
    "maximum": _extreme(True),
    "minimum": _extreme(False),
    "where": _where,
    "floor": _whole,
    "ceil": _whole,
    "trunc": _whole,
    "round_half_even": _whole,
    "pow": _pow,
    "sqrt": _sqrt,
    "exp": _exp,
    "exp2": _exp,
    "expm1": _expm1,
    "log": _log,
    "log2": _log,
    "log10": _log,
    "log1p": _log1p,
    "erf": _odd(0),
    "erfinv": _odd(6),
    "tanh": _odd(0),
    "arctan": _odd(1),
    "arcsin": _odd(1),
    "arcsinh": _odd(11),
    "arctanh": _odd(11),
    "sinh": _odd(),
    "sin": _odd(0, steep=True),
    "tan": _odd(-DEEPEST, steep=True),
    "cos": _even(-120, 0),
    "arccos": _even(-600, 2, 1),
    "arccosh": _even(-600, 11, 1),
    "cosh": _even(0, None, 1),
    "erfc": _tail(1),
    "erfcx": _tail(ENDLESS),
    "logistic_tail": _logistic_tail,
    "arctan2": _arctan2,
    "gammaln": _gamma,
    "digamma": _gamma,
}
