"""What the values of a loop that is computed in full are wrong by, followed as the program runs: a running error analysis
(Wilkinson 1963), to the first order, from operands to results.

A value is wrong by so many units of 2^-98 of its size: of itself, or of another value that is computed beside it, where
sums may have cancelled. Products and quotients hand sizes on, so an error counts for as much as it moves the results: one
iteration of Newton's may lose all digits of f(x) near a root, and x - f(x)/f'(x) none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import field
from functools import reduce
from typing import ClassVar

from symdl.backends.rungs.digits import (
    COMPARISONS,
    CONDITION,
    EXPONENTIALS,
    FARTHEST,
    LOGARITHMS,
    SINGLES,
    SMOOTH,
    Error,
    Fewer,
    FewerDigits,
    fewer_digits,
    is_zero,
    sum_of,
    uncast,
    without_noise,
)
from symdl.backends.rungs.tiers import FULL, ONE_LIMB, RUNNING
from symdl.backends.rungs.wanted import DOMAINS
from symdl.ir.loops import Apply, For, Local, Store, Value
from symdl.records import mutable

LEAST = {"float32": 2.0**-126, "float64": 2.0**-1022}  # sizes below which digits end
STEPS = {"floor": 0.0, "ceil": 0.0, "trunc": 0.0, "round_half_even": 0.5}  # where they jump, from a whole number on
ENDING_AT_ZERO = frozenset(["sqrt", "log", "log2", "log10", "pow"])  # domains, others at 1 or -1
LOGICAL = frozenset(["bitwise_and", "bitwise_or", "bitwise_xor", "invert"])


def running(loop: For) -> Fewer | None:
    """The loop as it is, its variables replaced by their values, and when two limbs are not enough for its results."""
    return fewer_digits(loop, FULL, RunningErrors)


def running_in_one_limb(loop: For) -> Fewer | None:
    """Likewise in one limb, of results that are float32."""
    stores = [s for s in loop.body if not isinstance(s, Local)]
    if not all(isinstance(s, Store) and s.value.dtype in ("bool", *SINGLES) for s in stores):
        return None
    return fewer_digits(loop, RUNNING, OneLimb)


@mutable
class RunningErrors(FewerDigits):
    """Counterparts are the values themselves, or their likes of one limb."""

    doubts: dict[int, Value] = field(default_factory=dict)  # by the ids of truth values: whether they may be others
    lost_at: list[Value] = field(default_factory=list)  # whether a result is lost
    within: ClassVar[str] = "le"  # how an error is compared with what it may be

    def failed(self) -> Value | None:
        return reduce(lambda x, y: self.op("bitwise_or", x, y), self.lost_at) if self.lost_at else None

    def will_do(self, x: Value, dtype: str, summed: bool = False) -> bool:
        if (doubt := self.doubts.get(id(x))) is not None:
            self.lost_at.append(doubt)
        error = self.errors.get(id(x))
        if error is not None and error.size is not None:
            found = self.done[id(x)]
            good = self.good(found, found, error.units[0], error.size, dtype)
            self.lost_at.append(self.op("invert", self.op("bitwise_or", good, self.op("isnan", found, dtype="bool"))))
        return error is None or error.size is not None or error.units[0] <= self.most(dtype)

    def most(self, dtype: str) -> float:
        return self.tier.single if dtype in SINGLES else self.tier.double

    def good(self, x: Value, result: Value, units: float, size: Value, dtype: str) -> Value:
        """Whether what a value is wrong by does not matter to it in a dtype."""
        size, far = self.alike_in_dtype(size, self.magnitude(x))
        if result.dtype in LEAST:
            # as a product: attempts hold no constant as small as that
            root = self.constant(math.sqrt(LEAST[result.dtype]), far.dtype)
            far = self.op("maximum", far, self.op("mul", root, root))
        most = self.op("mul", far, self.constant(self.most(dtype) / units, far.dtype))
        return self.op(self.within, size, most, dtype="bool")

    def without_noise(self, item: Value) -> Value | None:
        return None

    # ---- values ----

    def applied(self, item: Apply) -> Value | None:
        return self.followed(item, item.dtype in ONE_LIMB or any(x.dtype in ONE_LIMB for x in item.args))

    def followed(self, item: Apply, of_forms: bool) -> Value | None:
        """An application of counterparts, its error noted. of_forms: that of an original is one of two limbs."""
        name, given = item.primitive, item.args
        inexact = any(id(x) in self.errors or id(x) in self.doubts for x in given)
        if not inexact and not of_forms:
            return item
        if name in COMPARISONS:
            if item.dtype == "bool" and (doubt := self.doubt(*given)) is not None:
                self.doubts[id(item)] = doubt
            return item
        if name == "isnan":
            return item
        if name in LOGICAL or (name == "where" and item.dtype == "bool"):
            doubts = [d for x in given if (d := self.doubts.get(id(x))) is not None]
            if doubts:
                self.doubts[id(item)] = reduce(lambda x, y: self.op("bitwise_or", x, y), doubts)
            return item
        if not item.dtype.startswith("float"):
            return None if inexact else item
        rule = RULES.get(name)
        if rule is None and (inexact or self.tier.own(name) is None):
            return None
        error = rule(self, item) if rule is not None else self.made(self.own(name))
        if name in DOMAINS and (doubt := self.at_the_end(item)) is not None:
            self.lost_at.append(doubt)
        if error is not None and self.is_rounded(item):
            error = self.rounded_off(item, error, item)
        if error is not None:
            self.errors[id(item)] = error
        return item

    def is_rounded(self, item: Apply) -> bool:
        return item.dtype not in ONE_LIMB

    def rounded_off(self, item: Value, error: Error, source: Value) -> Error | None:
        """What a value is wrong by that is kept in fewer digits: it counts as exact, if it has these."""
        units, most = error.units[0], self.most(item.dtype)
        if error.size is None:
            return None if units <= most else error
        size, far = self.alike_in_dtype(error.size, self.magnitude(item))
        return Error(
            error.units,
            self.op("where", self.good(source, item, units, error.size, item.dtype), far, size, dtype=size.dtype),
        )

    def at_the_end(self, item: Apply) -> Value | None:
        """Whether what a function is of is as near to the end of its domain as it is wrong by: a result that is no number, or a
        pole, may be neither. What is 0 counts as known."""
        x, name = item.args[0], item.primitive
        bounded = name not in ENDING_AT_ZERO
        if id(x) not in self.errors or (self.plain(x) and not bounded):
            return None
        wrong = self.multiple(self.size(x), 2.0 * self.unit(x) * self.tier.unit)
        if name == "log1p":
            return self.on("ge", wrong, self.magnitude(self.op("add", x, self.constant(1.0, x.dtype))), dtype="bool")
        if bounded:
            return self.on("ge", wrong, _one_less(self, x), dtype="bool")
        below = self.op("lt", x, self.constant(0.0, x.dtype), dtype="bool")
        return self.op("bitwise_and", below, self.on("ge", wrong, self.magnitude(x), dtype="bool"))

    # ---- errors ----

    def made(self, units: float, size: Value | None = None) -> Error:
        return Error((units,), size)

    def unit(self, x: Value) -> float:
        return self.units(x)[0]

    def of(self, *values: Value) -> float:
        """Units of several values together, and one's own."""
        return sum(map(self.unit, values)) + self.own("add")

    def plain(self, *values: Value) -> bool:
        """Whether none is wrong but relative to itself."""
        return all((e := self.errors.get(id(x))) is None or e.size is None for x in values)

    def alike_in_dtype(self, *sizes: Value) -> tuple[Value, ...]:
        """Sizes in one dtype of one limb."""
        dtype = "float64e" if any(x.dtype.endswith("e") for x in sizes) else "float64"
        return tuple(x if x.dtype == dtype else self.op("cast", x, dtype=dtype) for x in sizes)

    def on(self, name: str, *sizes: Value, dtype: str = "") -> Value:
        """An operation on sizes."""
        return self.op(name, *self.alike_in_dtype(*sizes), dtype=dtype)

    def together(self, x: Value, y: Value) -> Value:
        return self.on("add", self.size(x), self.size(y))

    def farthest(self, x: float) -> float:
        """Up to where what an exponential is of counts."""
        return x

    def multiple(self, size: Value, factor: float) -> Value:
        (size,) = self.alike_in_dtype(size)
        return self.op("mul", size, self.constant(factor, size.dtype))

    def plus(self, size: Value, number: float) -> Value:
        (size,) = self.alike_in_dtype(size)
        return self.op("add", size, self.constant(number, size.dtype))

    def doubt(self, x: Value, y: Value) -> Value | None:
        """Whether it is not known which of two values is the larger; None where it always is. What differs by less than the
        noise of two limbs is equal."""
        if id(x) not in self.errors and id(y) not in self.errors:
            return None
        units = max(self.unit(x), self.unit(y))
        if (is_zero(x) or is_zero(y)) and self.plain(x, y) and units * self.tier.unit < 1.0:
            return None
        size = self.on("add", self.size(x), self.size(y))
        gap = self.magnitude(self.op("sub", x, y))
        far = self.on("gt", self.multiple(size, units * self.tier.unit), gap, dtype="bool")
        return self.but_for_noise(far, gap, self.on("add", self.magnitude(x), self.magnitude(y)))

    def but_for_noise(self, lost: Value, left: Value, size: Value) -> Value:
        """Whether something is lost and more is left, beside what went into it, than the noise of two limbs."""
        if not self.tier.noise:
            return lost
        return self.op("bitwise_and", lost, self.on("gt", left, self.multiple(size, self.tier.noise), dtype="bool"))

    def unless_noise(self, total: Value, size: Value) -> Value:
        """What a sum or difference is wrong by: nothing to speak of where noise is left."""
        assert isinstance(total, Apply)
        if not self.tier.noise:
            return size
        far = self.multiple(self.on("add", *map(self.magnitude, total.args)), self.tier.noise)
        more = self.on("gt", self.magnitude(total), far, dtype="bool")
        return self.either(more, size, self.magnitude(total))

    def either(self, condition: Value, x: Value, y: Value) -> Value:
        return self.op("where", condition, *(pair := self.alike_in_dtype(x, y)), dtype=pair[0].dtype)


class OneLimb(RunningErrors):
    """Errors are noted of the counterparts, too. An infinity of an infinite error may be the pole of what was rounded to it."""

    within: ClassVar[str] = "lt"

    def farthest(self, x: float) -> float:
        return min(x, FARTHEST)  # beyond, results that are float32 have left their range

    def leaf(self, item: Value) -> Value | None:
        found = super().leaf(item)
        return found if found is None else self.known_by(self.one(found), item)

    def without_noise(self, item: Value) -> Value | None:
        return FewerDigits.without_noise(self, item)

    def applied(self, item: Apply) -> Value | None:
        """The counterpart, of counterparts."""
        args, dtype = tuple(self.done[id(x)] for x in item.args), ONE_LIMB.get(item.dtype, item.dtype)
        if item.primitive == "cast" and args[0].dtype == dtype:
            return self.known_by(args[0], item)
        found = self.one(Apply(item.primitive, args, dtype))
        assert isinstance(found, Apply)
        of_forms = item.dtype in ONE_LIMB or any(x.dtype in ONE_LIMB for x in item.args)
        if self.followed(found, of_forms) is None:
            return None
        return self.known_by(found, item)

    def known_by(self, found: Value, item: Value) -> Value:
        """The counterpart of a value, what is known of either being known of both."""
        if (error := self.errors.get(id(found))) is not None:
            self.errors[id(item)] = error
        elif (error := self.errors.get(id(item))) is not None:
            self.errors[id(found)] = error
        if (doubt := self.doubts.get(id(found))) is not None:
            self.doubts[id(item)] = doubt
        self.done[id(found)] = found
        self.spans[id(found)], self.widths[id(found)] = self.span(item), self.width(item)
        return found

    def is_rounded(self, item: Apply) -> bool:
        return item.dtype in SINGLES


Rule = Callable[[RunningErrors, Apply], Error | None]


def _add(d: RunningErrors, item: Apply) -> Error | None:
    x, y = item.args
    if uncast(y) is uncast(x):
        return None  # what one limb leaves of two: balls know no limbs
    if id(x) not in d.errors and id(y) not in d.errors:
        fits = not d.tier.forms and max(d.widths[id(x)], d.widths[id(y)]) <= d.tier.width // 2  # a limb each
        return None if fits else d.made(d.own("add"))
    return sum_of(d, item, item)


def _mul(d: RunningErrors, item: Apply) -> Error | None:
    x, y = item.args
    if id(x) not in d.errors and id(y) not in d.errors:
        return None if d.width(item) <= d.tier.width else d.made(d.own("mul"))
    if d.plain(x, y):
        return d.made(d.of(x, y))
    sides = [d.on("mul", d.size(a), d.magnitude(b)) for a, b in ((x, y), (y, x)) if not d.plain(a)]
    return d.made(d.of(x, y), reduce(lambda a, b: d.on("add", a, b), sides))


def _div(d: RunningErrors, item: Apply) -> Error | None:
    x, y = item.args
    if d.plain(x, y):
        return d.made(d.of(x, y))
    size = d.size(x)
    if not d.plain(y):
        size = d.on("add", size, d.on("mul", d.magnitude(item), d.size(y)))
    return d.made(d.of(x, y), d.on("true_div", size, d.magnitude(y)))


def _kept(d: RunningErrors, item: Apply) -> Error | None:
    return d.errors.get(id(item.args[0]))


def _where(d: RunningErrors, item: Apply) -> Error | None:
    condition, x, y = item.args
    if (total := without_noise(item)) is not None and (error := d.errors.get(id(total))) is not None:
        if error.size is None:
            return error
        return Error(error.units, d.unless_noise(uncast(total), error.size))
    doubt = d.doubts.get(id(condition))
    units = max(d.unit(x), d.unit(y), d.own("add"))
    if doubt is None and d.plain(x, y):
        return None if id(x) not in d.errors and id(y) not in d.errors else d.made(units)
    size = d.either(condition, d.size(x), d.size(y))
    if doubt is not None:
        apart = d.multiple(d.magnitude(d.op("sub", x, y)), 1 / d.tier.unit)
        size = d.either(doubt, d.on("add", apart, d.on("add", d.size(x), d.size(y))), size)
    return d.made(units, size)


def _extreme(d: RunningErrors, item: Apply) -> Error | None:
    x, y = item.args
    units = max(d.unit(x), d.unit(y))
    if d.plain(x, y):
        return d.made(units) if units else None
    first = d.op({"maximum": "ge", "minimum": "le"}[item.primitive], x, y, dtype="bool")
    size = d.either(first, d.size(x), d.size(y))
    if (doubt := d.doubt(x, y)) is not None:
        size = d.either(doubt, d.on("add", d.size(x), d.size(y)), size)
    return d.made(units, size)


def _of_condition(factor: float) -> Rule:
    """|x f'(x)/f(x)| is at most a factor."""

    def rule(d: RunningErrors, item: Apply) -> Error | None:
        (x,) = item.args
        units = d.unit(x) * factor + d.own(item.primitive)
        if d.plain(x):
            return d.made(units)
        ratio = d.on("true_div", d.magnitude(item), d.on("maximum", d.magnitude(x), d.multiple(d.size(x), d.tier.unit)))
        return d.made(units, d.on("mul", ratio, d.size(x)))

    return rule


def _of_slope(slope: Callable[[RunningErrors, Value, Value], Value]) -> Rule:
    """By a bound of |f'(x)|, of x and f(x)."""

    def rule(d: RunningErrors, item: Apply) -> Error | None:
        (x,) = item.args
        if id(x) not in d.errors:
            return d.made(d.own(item.primitive))
        size = d.on("mul", d.size(x), slope(d, x, item))
        return d.made(d.unit(x) + d.own(item.primitive), d.on("add", size, d.magnitude(item)))

    return rule


def _one_less(d: RunningErrors, x: Value) -> Value:
    """|1 - x^2|"""
    one = d.constant(1.0, x.dtype)
    return d.magnitude(d.op("mul", d.op("sub", one, x), d.op("add", one, x)))


def _inverse(d: RunningErrors, x: Value) -> Value:
    (x,) = d.alike_in_dtype(x)
    return d.op("true_div", d.constant(1.0, x.dtype), x)


def _inverse_root(d: RunningErrors, x: Value) -> Value:
    (x,) = d.alike_in_dtype(_one_less(d, x))
    return _inverse(d, d.op("sqrt", x))


def _to_pole(d: RunningErrors, x: Value) -> Value:
    """How far gamma's poles are from x, about: x, or to the nearest whole number below 0."""
    whole = d.op("round_half_even", x)
    positive = d.op("gt", x, d.constant(0.0, x.dtype), dtype="bool")
    return d.either(positive, d.magnitude(x), d.magnitude(d.op("sub", x, whole)))


def _gammaln(d: RunningErrors, x: Value, y: Value) -> Value:
    """|digamma(x)| <= |log |x|| + 1 + 2/(distance to a pole)"""
    size = d.on("abs", d.on("log", d.magnitude(x)))
    return d.plus(d.on("add", size, d.multiple(_inverse(d, _to_pole(d, x)), 2.0)), 1.0)


def _digamma(d: RunningErrors, x: Value, y: Value) -> Value:
    """trigamma(x) <= 1/r + 2.5/r^2, r being the distance to a pole"""
    near = _inverse(d, _to_pole(d, x))
    return d.on("mul", near, d.plus(d.multiple(near, 2.5), 1.0))


def _absolutely(rule: Rule, factor: float) -> Rule:
    """Of a function that is right to a part of 1 or of its argument, if that is more."""

    def with_own(d: RunningErrors, item: Apply) -> Error | None:
        error = rule(d, item)
        assert error is not None
        (x,) = item.args
        own = d.multiple(d.plus(d.magnitude(x), 1.0), factor)
        return d.made(max(error.units[0], 1.0), d.on("add", own, error.size or d.magnitude(item)))

    return with_own


def _exponential(d: RunningErrors, item: Apply) -> Error | None:
    """f'(x) is f(x), nearly"""
    (x,) = item.args
    far = d.farthest(max(map(abs, d.spans[id(x)])))
    if d.plain(x) and far <= FARTHEST:
        return d.made(d.unit(x) * far + d.own(item.primitive))
    return _of_slope(lambda d, x, y: d.magnitude(y))(d, item)


def _steep(d: RunningErrors, item: Apply) -> Error | None:
    """x f'(x)/f(x) is at most 1 + |x|, and at most 1 below 0 for expm1; f'(x) is at most 1 + |f(x)|"""
    (x,) = item.args
    low, high = d.spans[id(x)]
    far = d.farthest(max(high, -low if item.primitive == "sinh" else 0.0))
    if d.plain(x) and far <= FARTHEST:
        return d.made(d.unit(x) * (1.0 + far) + d.own(item.primitive))
    return _of_slope(lambda d, x, y: d.plus(d.magnitude(y), 1.0))(d, item)


def _pow(d: RunningErrors, item: Apply) -> Error | None:
    x, y = item.args
    if id(x) not in d.errors and id(y) not in d.errors:
        return d.made(d.own("pow"))
    low, high = d.spans[id(y)]
    if d.plain(x, y) and low == high and id(y) not in d.errors:
        return d.made(d.unit(x) * max(abs(high), 1.0) + d.own("pow"))
    ratio = d.on("true_div", d.size(x), d.magnitude(x)) if not d.plain(x) else None
    size = d.magnitude(y) if ratio is None else d.on("mul", ratio, d.magnitude(y))
    if id(y) in d.errors:
        size = d.on("add", size, d.multiple(d.size(y), FARTHEST))
    return d.made(d.of(x, y), d.on("mul", d.plus(size, 1.0), d.magnitude(item)))


def _arctan2(d: RunningErrors, item: Apply) -> Error | None:
    y, x = item.args
    far = d.on("maximum", d.magnitude(x), d.magnitude(y))
    size = d.on("true_div", d.on("add", d.size(x), d.size(y)), far)
    return d.made(d.of(x, y), d.on("add", size, d.magnitude(item)))


def _step(d: RunningErrors, item: Apply) -> Error | None:
    """A whole number is known unless a jump is within the error of x; what is whole but for noise is whole."""
    (x,) = item.args
    if id(x) not in d.errors:
        return None
    apart = d.magnitude(d.op("sub", x, item))
    if STEPS[item.primitive]:
        jump = d.op("sub", d.constant(STEPS[item.primitive], apart.dtype), apart)
    else:
        jump = d.op("minimum", apart, d.op("sub", d.constant(1.0, apart.dtype), apart))
    near = d.on("gt", d.multiple(d.size(x), d.unit(x) * d.tier.unit), d.op("abs", jump), dtype="bool")
    lost = d.but_for_noise(near, jump, d.magnitude(x))
    return d.made(d.own("add"), d.either(lost, d.constant(1 / d.tier.unit, "float64"), d.magnitude(item)))


def _quotient(d: RunningErrors, item: Apply) -> Value:
    """How many times y goes into x, wherever that is doubtful: a bound of the error in wholes."""
    x, y = item.args
    ratio = d.op("true_div", x, y)
    error = _div(d, Apply("true_div", (x, y), item.dtype))
    assert error is not None
    whole = d.op("floor", ratio)
    apart = d.magnitude(d.op("sub", ratio, whole))
    jump = d.op("minimum", apart, d.op("sub", d.constant(1.0, apart.dtype), apart))
    near = d.on("gt", d.multiple(error.size or d.magnitude(ratio), error.units[0] * d.tier.unit), jump, dtype="bool")
    zero, one = d.constant(0.0, "float64"), d.constant(1 / d.tier.unit, "float64")
    return d.either(d.but_for_noise(near, jump, d.magnitude(ratio)), one, zero)


def _floor_div(d: RunningErrors, item: Apply) -> Error | None:
    if id(item.args[0]) not in d.errors and id(item.args[1]) not in d.errors:
        return None
    return d.made(d.own("add"), d.on("add", _quotient(d, item), d.magnitude(item)))


def _mod(d: RunningErrors, item: Apply) -> Error | None:
    """x - y floor(x/y)"""
    x, y = item.args
    if id(x) not in d.errors and id(y) not in d.errors:
        return d.made(d.own("mod"))
    many = d.magnitude(d.op("true_div", x, y))
    size = d.on("add", d.size(x), d.on("mul", many, d.size(y)))
    return d.made(d.of(x, y), d.on("add", size, d.on("mul", _quotient(d, item), d.magnitude(y))))


RULES: dict[str, Rule] = {
    "add": _add, "sub": _add, "mul": _mul, "true_div": _div, "neg": _kept, "abs": _kept, "cast": _kept, "where": _where,
    "maximum": _extreme, "minimum": _extreme, "pow": _pow, "arctan2": _arctan2, "floor_div": _floor_div, "mod": _mod,
    **dict.fromkeys(STEPS, _step),
    **{name: _of_condition(factor) for name, factor in CONDITION.items()},
    **dict.fromkeys(EXPONENTIALS, _exponential),
    **dict.fromkeys(SMOOTH, _of_slope(lambda d, x, y: d.constant(1.0, "float64"))),
    **dict.fromkeys(LOGARITHMS, _of_slope(lambda d, x, y: d.multiple(_inverse(d, d.magnitude(x)), 1.45))),
    **dict.fromkeys(["expm1", "sinh"], _steep),
    **dict.fromkeys(
        ["erfc", "erfcx"],
        _of_slope(lambda d, x, y: d.on("mul", d.magnitude(y), d.plus(d.multiple(d.magnitude(x), 2.0), 2.0))),
    ),
    "tan": _of_slope(lambda d, x, y: d.plus(d.on("mul", d.magnitude(y), d.magnitude(y)), 1.0)),
    "log1p": _of_slope(lambda d, x, y: _inverse(d, d.magnitude(d.op("add", x, d.constant(1.0, x.dtype))))),
    "arcsin": _of_slope(lambda d, x, y: _inverse_root(d, x)),
    "arccos": _of_slope(lambda d, x, y: _inverse_root(d, x)),
    "arccosh": _of_slope(lambda d, x, y: _inverse_root(d, x)),
    "arctanh": _of_slope(lambda d, x, y: _inverse(d, _one_less(d, x))),
    "erfinv": _of_slope(lambda d, x, y: d.on("exp", d.on("mul", d.magnitude(y), d.magnitude(y)))),
    "gammaln": _absolutely(_of_slope(_gammaln), 16.0),
    "digamma": _absolutely(_of_slope(_digamma), 4.0),
}  # fmt: skip
