"""The body of a loop computed with fewer digits than it asks for: one limb instead of two, as far as its results show no
more than a float32; else two limbs, and functions that are right to a few bits more than a float64 (`wide.short`).

A forward analysis bounds the error of each value: so many units of 2^-53 or 2^-67, relative to the value itself or, behind
a sum that may cancel, to the size of what went into it. Where such a value is wanted to its own digits, |s| >= 2^-k size
must hold when the program runs, k being as large as leaves the result two or three bits to spare. Loop IR to Loop IR.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import field, replace
from typing import Any

from symdl.backends.rungs.conditions import Conditions
from symdl.backends.rungs.spans import Span, number_of, span
from symdl.backends.rungs.thinning import extreme_of, inlined, is_total
from symdl.backends.rungs.tiers import LOOSE, ONE_LIMB, SHORTER, Tier
from symdl.backends.wide import brief
from symdl.backends.wide.short import FUNCTIONS
from symdl.ir.loops import Apply, Assign, Const, For, Load, Local, Ref, Store, Value, walk
from symdl.number_forms import limbs_of
from symdl.records import mutable, record

SINGLES = ("float32", "float32e")
FARTHEST = 745.0  # beyond it an exponential has left float64, and float32 long before
COMPARISONS = frozenset(["eq", "ne", "lt", "le", "gt", "ge"])
CONDITION = {"sqrt": 0.5, "tanh": 1.0, "erf": 1.0, "arctan": 1.0, "arcsinh": 1.0}  # x f'(x)/f(x), at most
EXPONENTIALS = {"exp": 1.0, "exp2": 0.7, "logistic_tail": 1.0, "cosh": 1.0}  # f'(x)/f(x), at most
STEEP = {"expm1": 1.0, "sinh": 1.0, "erfc": 4.0, "erfcx": 4.0}  # x f'(x)/f(x) beside the largest |x| or x^2/2
SMOOTH = frozenset(["sin", "cos"])  # of a bounded derivative, and zeros
LOGARITHMS = {"log": 1.0, "log2": 1.45, "log10": 0.45}
Bits = tuple[float, ...]  # for each of a tier's orders
DIGITS = {"float64": 53, "float64e": 53, "float32e": 53}  # binary ones of a value; of two limbs any number, for sums


ROUGH = 2.0**-20  # what errors behind a sum of rough terms are beside these, at most


@record
class Error:
    """At most `units` of |size|; of the value itself, if there is no size."""

    units: Bits
    size: Value | None = None


@record
class Fewer:
    """A loop, its variables replaced by their values, in fewer digits.

    failed: when these are not enough; None for never. fuses: whether products may be rounded together with what they are added
    to, since each is exact or bounded with its error: no float64 of the loop's own is one that is rounded.
    """

    loop: For
    failed: Value | None
    fuses: bool


def fewer_digits(loop: For, tier: Tier, errors: type[FewerDigits] | None = None) -> Fewer | None:
    """The loop in fewer digits; None where there is nothing to gain, or no k will do. errors: how they are followed."""
    items = walk(*loop.body)
    if not any(_leaves(item) for item in items):
        return None
    if tier is SHORTER and not any(_has_short(item) for item in items):
        return None
    if tier is LOOSE and any(_is_mixed(item) for item in items):
        return None  # these want limbs that are apart
    if tier.brief and not only_brief(items):
        return None
    pass_ = (errors or FewerDigits)(tier)
    out: list[Any] = []
    for statement in inlined(loop.body):
        if isinstance(statement, Local):
            out.append(statement)
            continue
        if not isinstance(statement, Store | Assign):
            return None
        if (extreme := extreme_of(statement)) is not None:
            if any(getattr(x, "dtype", "") in ONE_LIMB for x in walk(extreme)):
                return None  # other loops have to come to the same bits
            out.append(statement)
            continue
        kept = added(statement)
        if kept.dtype in ONE_LIMB or (isinstance(statement, Assign) and kept is statement.value):
            return None
        found = pass_.value(kept)
        summed = kept is not statement.value
        if found is None or not pass_.will_do(kept, found.dtype, summed):
            return None
        value = statement.value
        if summed:
            assert isinstance(value, Apply)
            value = Apply(value.primitive, tuple(found if x is kept else x for x in value.args), value.dtype)
        else:
            value = found
        out.append(replace(statement, value=value))
    if pass_.order is None:
        return None
    return Fewer(For(loop.index, loop.extent, tuple(out), loop.schedule), pass_.failed(), pass_.fuses)


def added(statement: Store | Assign) -> Value:
    """What a statement adds to where it stands: a sum is no more exact than its largest term. Else what it stores."""
    match statement.value:
        case Apply("add", (x, y)):
            for total, one in ((x, y), (y, x)):
                if is_total(statement, total):
                    return one
    return statement.value


def _leaves(item: Any) -> bool:
    if not isinstance(item, Apply) or not item.args or item.args[0].dtype not in ONE_LIMB:
        return False
    return item.dtype.startswith("float") and "x2" not in item.dtype


def _is_mixed(item: Any) -> bool:
    """Whether a function has operands of two limbs and a result of one."""
    if not isinstance(item, Apply) or item.primitive == "cast" or item.dtype in ONE_LIMB:
        return False
    return item.dtype.startswith("float") and any(x.dtype in ONE_LIMB for x in item.args)


def _has_short(item: Any) -> bool:
    return isinstance(item, Apply) and item.dtype in ONE_LIMB and item.primitive in FUNCTIONS


def only_brief(items: Sequence[Any]) -> bool:
    """Whether functions that may be brief have operands of two limbs, and no float64 of its own is one of these."""
    dtypes = {item.dtype for item in items if isinstance(item, Apply) and item.primitive in brief.ERROR}
    return not dtypes.isdisjoint(ONE_LIMB) and dtypes.isdisjoint(ONE_LIMB.values())


@mutable
class FewerDigits(Conditions):
    """Values with their counterparts, what these are wrong by, and what must hold."""

    tier: Tier
    done: dict[int, Value] = field(default_factory=dict)  # by the id of the original
    errors: dict[int, Error] = field(default_factory=dict)  # likewise; what is missing is exactly the original
    spans: dict[int, Span] = field(default_factory=dict)  # likewise
    widths: dict[int, int] = field(default_factory=dict)  # likewise: binary digits that an exact value takes
    ended: set[int] = field(default_factory=set)  # likewise: inexact ones that were asked for their digits
    fits: list[bool] = field(init=False)
    fuses: bool = True  # see `Fewer`
    variables: dict[str, tuple[Value, Span]] = field(default_factory=dict)  # counterparts of variables of two limbs
    wrong: dict[str, Error] = field(default_factory=dict)  # what these are wrong by

    def __post_init__(self) -> None:
        self.fits = [True] * len(self.tier.orders)

    def alike(self, units: float) -> Bits:
        """The same for every order."""
        return (units,) * len(self.tier.orders)

    # ---- conditions ----

    def size(self, x: Value) -> Value:
        """What the error of an original's counterpart is relative to."""
        error = self.errors.get(id(x))
        return self.magnitude(self.done[id(x)]) if error is None or error.size is None else error.size

    def settled(self, x: Value) -> Bits | None:
        """The error of a value relative to itself, that being asked for when the program runs; None of an exact one."""
        error = self.errors.get(id(x))
        if error is None or error.size is None:
            return None if error is None else error.units
        self.asked(self.done[id(x)], error.size)
        units = tuple(u * 2.0**k for u, k in zip(error.units, self.tier.orders, strict=True))
        self.errors[id(x)] = Error(units)
        return units

    def will_do(self, x: Value, dtype: str, summed: bool = False) -> bool:
        """Whether a value, kept in a dtype, is right enough for any k; the others are left out."""
        units = self.settled(x)
        if units is not None:
            most = self.tier.single if dtype in SINGLES else self.tier.summed if summed else self.tier.double
            self.fits = [fits and u <= most for fits, u in zip(self.fits, units, strict=True)]
        return any(self.fits)

    def failed(self) -> Value | None:
        """When the digits are not enough; None for never."""
        return self.lost(Const(2.0 ** -(self.order or 0), "float64"), self.conditions.values())

    @property
    def order(self) -> int | None:
        """The largest k that will do."""
        return next((k for k, fits in zip(self.tier.orders, self.fits, strict=True) if fits), None)

    # ---- variables ----

    def declare(self, name: str, counterpart: Value, value: Value) -> None:
        """A variable that begins as a value, which has been looked at."""
        self.variables[name] = counterpart, self.spans[id(value)]
        if (error := self.errors.get(id(value))) is not None:
            self.wrong[name] = error

    def summed(self, name: str, term: Value, size: Value | None, count: float) -> None:
        """To a variable so many terms, which have been looked at, were added. size: the sum of what their sizes are, None
        where it is the variable itself."""
        counterpart, (low, high) = self.variables[name]
        a, b = self.spans[id(term)]
        self.variables[name] = counterpart, (low if a >= 0 else -math.inf, high if b <= 0 else math.inf)
        before = self.wrong.get(name, Error(self.alike(0.0))).units
        units = map(max, before, self.units(term))
        self.wrong[name] = Error(tuple(u + count * self.own("add") for u in units), size)

    def of_one_sign(self, name: str, term: Value) -> bool:
        """Whether a variable and what is added to it are never below 0, and wrong by no more than their own sizes are."""
        errors = [e for e in (self.wrong.get(name), self.errors.get(id(term))) if e is not None]
        return self.variables[name][1][0] >= 0 <= self.spans[id(term)][0] and all(e.size is None for e in errors)

    # ---- values ----

    def value(self, root: Value) -> Value | None:
        """The counterpart; None for what this is not written for."""
        stack: list[Value] = [root]
        while stack:
            item = stack[-1]
            if id(item) in self.done:
                stack.pop()
                continue
            kept = self.without_noise(item)
            operands = (kept,) if kept is not None else item.args if isinstance(item, Apply) else ()
            missing = [x for x in operands if id(x) not in self.done]
            if missing:
                stack += reversed(missing)
                continue
            stack.pop()
            if kept is not None:
                self.done[id(item)] = self.done[id(kept)]
                self.spans[id(item)], self.widths[id(item)] = self.spans[id(kept)], self.widths[id(kept)]
                if (error := self.errors.get(id(kept))) is not None:
                    self.errors[id(item)] = error
                continue
            found = self.applied(item) if isinstance(item, Apply) else self.leaf(item)
            if found is None:
                return None
            self.done[id(item)] = self.one(found)
            self.spans[id(item)] = self.span(item)
            self.widths[id(item)] = self.width(item)
        return self.done[id(root)]

    def without_noise(self, item: Value) -> Value | None:
        """The sum that a value is, but for a precaution against its errors."""
        kept = without_noise(item)
        if kept is not None and not self.tier.forms and id(kept) in self.done and not self.inexact(kept):
            return None  # computed in full, of full operands, so what is left where they cancel is noise here, too
        return kept

    def leaf(self, item: Value) -> Value | None:
        if isinstance(item, Const):
            if item.dtype not in self.tier.forms:
                return item
            limbs = limbs_of(item.number, item.dtype)
            if limbs[1]:
                self.errors[id(item)] = Error(self.alike(0.5))
            return Const(limbs[0] if len(limbs) == 2 else (limbs[0], limbs[2]), ONE_LIMB[item.dtype])
        if isinstance(item, Ref) and item.name in self.variables:
            if (error := self.wrong.get(item.name)) is not None:
                self.errors[id(item)] = error
            return self.variables[item.name][0]
        if isinstance(item, Load | Ref):
            return item if item.dtype not in self.tier.forms else None
        return None if any(self.differs(x) for x in walk(item)) else item

    def differs(self, item: Any) -> bool:
        """Whether an item stands for another one here: a number of two limbs, or a variable, which goes by another name."""
        return getattr(item, "dtype", "") in self.tier.forms or (isinstance(item, Ref) and item.name in self.variables)

    def applied(self, item: Apply) -> Value | None:
        args, name = tuple(self.done[id(x)] for x in item.args), item.primitive
        dtype = self.tier.forms.get(item.dtype, item.dtype)
        inexact = any(id(x) in self.errors for x in item.args)
        if name == "cast":
            return self.cast(item, args[0], dtype)
        if not inexact and item.dtype not in ONE_LIMB and not any(x.dtype in ONE_LIMB for x in item.args):
            if name == "mul" and dtype == "float64" and self.width(item) > 53:
                self.fuses = False
            same = all(x is y for x, y in zip(args, item.args, strict=True))
            return item if same else Apply(name, args, dtype)
        same = dtype == item.dtype and all(x is y for x, y in zip(args, item.args, strict=True))
        found: Value = item if same else Apply(name, args, dtype)
        if name in COMPARISONS:
            return found if self.compared(item) else None
        if name == "isnan":
            return found
        if self.tier is SHORTER and not inexact and name not in FUNCTIONS:
            return found  # as in full
        rule = RULES.get(name)
        if rule is None and (inexact or self.tier.own(name) is None):
            return None
        error = rule(self, item, found) if rule is not None else self.rounded(name)
        if error is None:
            return found
        if error is STOP:
            return None
        found = self.one(found)
        self.errors[id(item)], self.done[id(item)] = error, found
        if dtype in SINGLES or self.ends(item):
            if not self.will_do(item, dtype):
                return None
            self.errors.pop(id(item), None)
            self.ended.add(id(item))
        return found

    def inexact(self, item: Value) -> bool:
        """Whether a value is, or was before it was rounded, computed with fewer digits."""
        return id(item) in self.errors or id(item) in self.ended

    def ends(self, item: Value) -> bool:
        """Whether a value is kept with the digits of a float64, which are what is wanted of it."""
        return not self.tier.forms and item.dtype not in ONE_LIMB

    def cast(self, item: Apply, value: Value, dtype: str) -> Value | None:
        """Into two limbs and out of them, or between other dtypes."""
        source = item.args[0]
        error = self.errors.get(id(source))
        if error is None and source.dtype.endswith("int64") and item.dtype in self.tier.forms:
            self.errors[id(item)] = Error(self.alike(0.5))
        if error is not None:
            if not dtype.startswith("float"):
                return None
            if dtype in SINGLES or self.ends(item):
                if not self.will_do(source, dtype):
                    return None
                self.ended.add(id(item))
            else:
                size = error.size
                one = ONE_LIMB.get(dtype, dtype)
                if size is not None and size.dtype != one:
                    size = self.op("cast", size, dtype=one)
                self.errors[id(item)] = Error(error.units, size)
        if value is source and item.dtype == dtype and source.dtype not in ONE_LIMB:
            return item
        return value if value.dtype == dtype else Apply("cast", (value,), dtype)

    def compared(self, item: Apply) -> bool:
        """Whether a comparison is that of the exact values; if need be they are far enough from one another."""
        x, y = item.args
        if id(x) not in self.errors and id(y) not in self.errors:
            return True
        for one, other in ((x, y), (y, x)):
            if isinstance(other, Const) and is_zero(other):
                self.settled(one)
                return True
        a, b = self.done[id(x)], self.done[id(y)]
        gap = self.op("sub", a, b)
        self.asked(gap, self.together(x, y))
        units = [max(p, q) for p, q in zip(self.units(x), self.units(y), strict=True)]
        bits = zip(self.fits, units, self.tier.orders, strict=True)
        self.fits = [fits and u * 2.0**k < 2.0**52 for fits, u, k in bits]
        return any(self.fits)

    # ---- errors ----

    def rounded(self, name: str) -> Error:
        """Of a result that is rounded, of exact operands."""
        return Error(self.alike(self.own(name)))

    def own(self, name: str) -> float:
        """Of a result that is rounded."""
        return self.tier.own(name) or 0.0

    def units(self, x: Value) -> Bits:
        """Of the error of a value, relative to its size."""
        error = self.errors.get(id(x))
        return self.alike(0.0) if error is None else error.units

    def relative(self, x: Value) -> Bits:
        """Of the error of a value, relative to itself."""
        return self.settled(x) or self.alike(0.0)

    def together(self, x: Value, y: Value) -> Value:
        """The sizes of both."""
        a, b = self.size(x), self.size(y)
        return self.op("add", a, b)

    def beside(self, units: Bits, x: Value, total: Value) -> Error:
        """Of the sum of x, which is roughly known, and an exact number; the sum itself is rounded with much more care."""
        size, far = self.size(x), self.magnitude(self.one(total))
        size = self.op("add", size, self.op("mul", far, self.constant(ROUGH, far.dtype)))
        return Error(tuple(max(u, self.own("add") / ROUGH) for u in units), size)

    def added(self, *terms: tuple[Bits, float], own: float) -> Error:
        """Errors times their factors, and one's own."""
        return Error(tuple(sum(u[k] * f for u, f in terms) + own for k in range(len(self.tier.orders))))

    def span(self, item: Value) -> Span:
        """Between what an original lies whose operands are known."""
        if isinstance(item, Ref) and item.name in self.variables:
            return self.variables[item.name][1]
        return span(item, [self.spans[id(x)] for x in item.args] if isinstance(item, Apply) else [])

    def width(self, item: Value) -> int:
        """How many binary digits an original takes that is exact."""
        if item.dtype == "float32" or item.dtype == "bool":
            return 24
        if isinstance(item, Const) and (number := number_of(item)) is not None:
            top = abs(number.as_integer_ratio()[0])
            return (top // (top & -top)).bit_length() if top else 1
        if isinstance(item, Apply) and item.primitive in ("cast", "neg", "abs"):
            return self.widths[id(item.args[0])]
        if isinstance(item, Apply) and item.primitive == "mul":
            return sum(self.widths[id(x)] for x in item.args)
        return DIGITS.get(item.dtype, 128)


def uncast(x: Value) -> Value:
    """What a value is but for its dtype."""
    while isinstance(x, Apply) and x.primitive == "cast":
        x = x.args[0]
    return x


def without_noise(item: Value) -> Value | None:
    """s, of where(|s| < tiny |x|, 0, s) with s = x + y: where the digits of s are enough it is larger."""
    match item:
        case Apply("where", (Apply("lt", (Apply("abs", (small,)), Apply("mul", factors))), zero, s)):
            pass
        case _:
            return None
    total = uncast(s)
    if not (
        isinstance(total, Apply) and total.primitive in ("add", "sub") and uncast(small) is total and is_zero(zero)
    ):
        return None
    for x, least in (factors, factors[::-1]):
        if isinstance(x, Apply) and x.primitive == "abs" and uncast(x.args[0]) is uncast(total.args[0]):
            return s if isinstance(least, Const) and 0 < (number_of(least) or 0) < 2.0**-40 else None
    return None


def is_zero(x: Value) -> bool:
    """Whether a value is the constant 0, in any dtype."""
    inner = uncast(x)
    number = inner.number if isinstance(inner, Const) else None
    return (number[0] if isinstance(number, tuple) else number) == 0


STOP = Error(())
Rule = Callable[[FewerDigits, Apply, Value], Error | None]


def sum_of(d: FewerDigits, item: Apply, found: Value) -> Error | None:
    """The error of a sum or difference."""
    x, y = item.args
    if d.tier is LOOSE and uncast(x) is uncast(y):  # what one limb leaves of two
        return STOP if id(x) in d.errors else None
    if id(x) not in d.errors and id(y) not in d.errors:
        if d.tier is not LOOSE:
            return d.rounded("add")
        if max(d.widths[id(x)], d.widths[id(y)]) <= 53:
            return None
    (a, b), (p, q) = d.spans[id(x)], d.spans[id(y)]
    if item.primitive == "sub":
        p, q = -q, -p
    own = max(-a, b, -p, q)
    least = max(a + p, -(b + q), 0.0)  # of what the sum is at least
    plain = all(id(v) not in d.errors or d.errors[id(v)].size is None for v in (x, y))
    units = tuple(map(max, d.units(x), d.units(y)))
    if plain and ((a >= 0 and p >= 0) or (b <= 0 and q <= 0)):
        return d.added((units, 1.0), own=d.own("add"))
    if plain and least > 0 and own < math.inf:
        far = max(max(-a, b) if id(x) in d.errors else 0.0, max(-p, q) if id(y) in d.errors else 0.0)
        return d.added((d.units(x), far / least), (d.units(y), far / least), own=d.own("add"))
    if d.tier.rough and (id(x) in d.errors) != (id(y) in d.errors):
        return d.beside(units, y if id(y) in d.errors else x, found)
    return Error(tuple(u + d.own("add") for u in units), d.together(x, y))


def _kept(d: FewerDigits, item: Apply, found: Value) -> Error | None:
    return d.errors.get(id(item.args[0]))


def _mul(d: FewerDigits, item: Apply, found: Value) -> Error | None:
    x, y = item.args
    if id(x) not in d.errors and id(y) not in d.errors:
        return None if d.width(item) <= d.tier.width else d.rounded("mul")
    for one, other in ((x, y), (y, x)):
        error = d.errors.get(id(one))
        if error is not None and error.size is not None and id(other) not in d.errors:
            size = d.op("mul", error.size, d.magnitude(d.done[id(other)]))
            return Error(tuple(u + d.own("mul") for u in error.units), size)
    return d.added((d.relative(x), 1.0), (d.relative(y), 1.0), own=d.own("add"))


def _div(d: FewerDigits, item: Apply, found: Value) -> Error | None:
    x, y = item.args
    return d.added((d.relative(x), 1.0), (d.relative(y), 1.0), own=d.own("add"))


def _where(d: FewerDigits, item: Apply, found: Value) -> Error | None:
    condition, x, y = item.args
    errors = [d.errors.get(id(v)) for v in (x, y)]
    units = tuple(map(max, d.units(x), d.units(y)))
    if all(e is None for e in errors):
        return None
    if all(e is None or e.size is None for e in errors):
        return Error(units)
    a, b = d.size(x), d.size(y)
    return Error(units, d.op("where", d.done[id(condition)], a, b, dtype=a.dtype))


def _extreme(d: FewerDigits, item: Apply, found: Value) -> Error | None:
    x, y = item.args
    if id(x) not in d.errors and id(y) not in d.errors:
        return None
    return d.added((tuple(map(max, d.relative(x), d.relative(y))), 1.0), own=0.0)


def _of_condition(d: FewerDigits, item: Apply, found: Value) -> Error | None:
    return d.added((d.relative(item.args[0]), CONDITION[item.primitive]), own=d.rounded(item.primitive).units[0])


def _exponential(d: FewerDigits, item: Apply, found: Value) -> Error | None:
    x, name = item.args[0], item.primitive
    far = FARTHEST if name != "exp2" else 1100.0
    error = d.errors.get(id(x))
    if error is not None and error.size is not None:
        d.must("le", error.size, d.constant(d.tier.within, error.size.dtype))
        far = d.tier.within
    else:
        far = min(far, max(map(abs, d.spans[id(x)])))
    return d.added((d.units(x), far * EXPONENTIALS[name]), own=d.rounded(name).units[0])


def _steep(d: FewerDigits, item: Apply, found: Value) -> Error | None:
    x, name = item.args[0], item.primitive
    units = d.relative(x)
    far = min(FARTHEST, max(map(abs, d.spans[id(x)])))
    return d.added((units, STEEP[name] * (far + 1)), own=d.rounded(name).units[0])


def _smooth(d: FewerDigits, item: Apply, found: Value) -> Error | None:
    x = item.args[0]
    if id(x) not in d.errors:
        return d.rounded(item.primitive)
    size = d.size(x)
    return Error(tuple(u + 2 for u in d.units(x)), d.op("add", size, d.constant(1.0, size.dtype)))


def _log(d: FewerDigits, item: Apply, found: Value) -> Error | None:
    x, name = item.args[0], item.primitive
    if id(x) not in d.errors:
        return d.rounded(name)
    size = d.magnitude(d.one(found))
    if d.tier.rough:  # d(log x) = dx/x, whatever log x is
        far = d.op("add", d.op("mul", size, d.constant(ROUGH, size.dtype)), d.constant(1.0, size.dtype))
        return Error(tuple(max(u * LOGARITHMS[name], d.own(name) / ROUGH) for u in d.relative(x)), far)
    size = d.op("add", size, d.constant(1.0, size.dtype))
    return Error(tuple(u * LOGARITHMS[name] + 2 for u in d.relative(x)), size)


def _log1p(d: FewerDigits, item: Apply, found: Value) -> Error | None:
    x = item.args[0]
    units, low = d.relative(x), d.spans[id(x)][0]
    if id(x) in d.errors and low < -0.5:
        d.must("ge", d.done[id(x)], d.constant(-0.5, found.dtype))
    elif id(x) in d.errors and low >= 0 and d.tier.rough:  # d(log(1 + x)) = dx/(1 + x)
        size = d.magnitude(d.one(found))
        size = d.op("minimum", size, d.constant(1.0, size.dtype))
        far = d.op("add", d.op("mul", d.magnitude(d.one(found)), d.constant(ROUGH, size.dtype)), size)
        return Error(tuple(max(u, d.own("log1p") / ROUGH) for u in units), far)
    return d.added((units, 1.5), own=d.own("log1p"))


def _pow(d: FewerDigits, item: Apply, found: Value) -> Error | None:
    x, y = item.args
    if id(x) not in d.errors and id(y) not in d.errors:
        return d.rounded("pow")
    low, high = d.spans[id(y)]
    if low != high or id(y) in d.errors:
        return STOP
    return d.added((d.relative(x), abs(high)), own=d.own("pow"))


RULES: dict[str, Rule] = {
    "add": sum_of,
    "sub": sum_of,
    "mul": _mul,
    "true_div": _div,
    "neg": _kept,
    "abs": _kept,
    "where": _where,
    "maximum": _extreme,
    "minimum": _extreme,
    "log1p": _log1p,
    "pow": _pow,
    **dict.fromkeys(CONDITION, _of_condition),
    **dict.fromkeys(EXPONENTIALS, _exponential),
    **dict.fromkeys(STEEP, _steep),
    **dict.fromkeys(SMOOTH, _smooth),
    **dict.fromkeys(LOGARITHMS, _log),
}
