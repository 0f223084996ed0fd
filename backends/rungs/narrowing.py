"""The body of a loop computed without exponents: an attempt, with the condition under which its numbers are wrong.

Loop IR to Loop IR: float64e becomes float64 and float64x2e float64x2, variables of the body are replaced by their values,
and what `wide.ranges` asks for is collected into one condition.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import field, replace
from functools import partial, reduce
from typing import Any

from symdl.backends.primitives import FOLDS
from symdl.backends.rungs.digits import Fewer, fewer_digits
from symdl.backends.rungs.exchanges import abbreviated, loosened, once, opened, shortened
from symdl.backends.rungs.exchanges import fused as with_fused
from symdl.backends.rungs.running import running, running_in_one_limb
from symdl.backends.rungs.spans import Span, sign_of
from symdl.backends.rungs.thinning import single
from symdl.backends.rungs.tiers import FULL, LOOSE, LOOSER, ONE, ONE_LIMB, RARELY, RUNNING, SHORTER, Tier, briefly
from symdl.backends.rungs.wanted import Wanted
from symdl.backends.wide.mixed import MIXED, SUMS
from symdl.backends.wide.ranges import DEEPEST, ENDLESS, LEAST32, MOST32, RANGES, Attempt, Reach, compared, not_zero
from symdl.ir.loops import Apply, Assign, Const, For, Guard, Load, Local, Ref, Stmt, Store, Value, parts, walk
from symdl.number_forms import limbs_of
from symdl.records import mutable

EXPONENTS = {  # of the numbers that a dtype holds, 0 and infinity left out
    "bool": (0, 0), "float32": (-149, 127), "float64": (DEEPEST, 1023), "float64x2": (DEEPEST, 1023),
    **{f"{u}int{n}": (0, n) for u in ("", "u") for n in (8, 16, 32, 64)},
}  # fmt: skip
NARROW = {"float64e": "float64", "float64x2e": "float64x2", "float32e": "float32"}
MIXTURES = {"float64e": ("float64x2e",), "float32e": ("float64", "float64e")}  # results of functions of more digits
NEVER = Const(0, "bool")
COMPARISONS = frozenset(["eq", "ne", "lt", "le", "gt", "ge"])


@mutable
class Narrowed:
    """What a round of a loop stores and adds up, by the statement's place in the body.

    values: of the attempt, in the dtypes of the statements. failed: whether those of `wide` are wrong (those are the
    places whose values depend on an exponent), None if they never are. surely: likewise where it matters to them (`wanted`), None
    if it always does: this takes longer, and is asked where they have failed.
    """

    values: dict[int, Value] = field(default_factory=dict)
    wide: list[int] = field(default_factory=list)
    failed: Value | None = None
    surely: Value | None = None
    sums: dict[int, Reach] = field(default_factory=dict)  # of sums with an exponent, whose values are without
    single: bool = False  # tried in float32
    digits: bool = False  # tried with fewer digits, which many lanes at once may want in full

    def exchange(self, change: Callable[[Sequence[Value], Sequence[Value]], list[Value]]) -> None:
        """Change all values, and the condition with them."""
        *values, failed, surely = change([*self.values.values()], [self.failed or NEVER, self.surely or NEVER])
        self.values = dict(zip(self.values, values, strict=True))
        self.failed, self.surely = (None if c is NEVER else c for c in (failed, surely))


def narrowed(
    loop: For, fused: bool, ranged: bool, digits: bool = True, permutes: bool = False, beyond: bool = False
) -> Narrowed | None:
    """The attempt at a loop; None where there is nothing to gain, or a body of a kind that this is not written for.

    ranged: it may be one in float32 (see `Program.may_be_single`). digits: or with one limb instead of two. permutes: see `Builder`.
    beyond: or in full, where it may be asked whether two limbs are enough. The body is one without loops, that declares
    variables, adds to those around it, and reads no buffer after having stored in it.
    """
    items = walk(*loop.body)
    forms = any(isinstance(item, Apply) and item.dtype in NARROW for item in items)
    paired = digits and any(isinstance(item, Apply) and item.dtype in ONE_LIMB for item in items)
    if not (forms or ranged or paired) or not _simple(loop):
        return None
    in_single = single(loop) if ranged else None
    if paired:
        in_one = LOOSER if ranged else ONE
        of_one = (briefly(in_one), in_one) if permutes else (in_one,)
        ones = [(one, tier) for one in (in_single, loop) if one is not None for tier in of_one]
        rarely = [(one, replace(tier, orders=RARELY)) for one, tier in ones]
        last = (SHORTER, LOOSE, FULL) if beyond else (SHORTER, LOOSE)
        for one, tier in [*rarely, (loop, RUNNING), *ones, *((loop, tier) for tier in last)]:
            fewer = _fewer(one, tier)
            found = None if fewer is None else _attempted(fewer.loop, fused, fewer.failed, tier.unit > 0)
            if found is not None and tier is FULL:
                found.exchange(partial(loosened, exact=True))
                found.wide = sorted(found.values)
                return found
            if fewer is not None and found is not None:
                return _in_digits(found, tier, fewer.fuses, permutes)
    found = None if in_single is None else _attempted(in_single, fused)
    if found is not None:
        found.single = True
        if permutes:
            found.exchange(opened)
    elif forms:
        found = _attempted(loop, fused)
    return found


def _fewer(loop: For, tier: Tier) -> Fewer | None:
    """The loop in a tier, by the analysis that it is for."""
    if tier is FULL:
        return running(loop)
    return running_in_one_limb(loop) if tier is RUNNING else fewer_digits(loop, tier)


def _in_digits(found: Narrowed, tier: Tier, fuses: bool, permutes: bool) -> Narrowed:
    """The attempt as one of fewer digits."""
    if tier in (SHORTER, LOOSE):
        found.exchange(shortened if tier is SHORTER else loosened)
    else:
        if tier.brief:
            found.exchange(abbreviated)
        if permutes:
            found.exchange(opened)
        if fuses:
            found.exchange(with_fused)
    found.wide, found.digits = sorted(found.values), True
    return found


def _attempted(loop: For, fused: bool, lost: Value | None = None, sure: bool = False) -> Narrowed | None:
    """lost: when the loop itself is wrong; sure: that holds where sizes that it looks at have left the range, too."""
    writer, out = Narrowing(fused), Narrowed()
    for place, statement in enumerate(loop.body):
        if isinstance(statement, Local):
            value = writer.value(statement.value)
            if value is None:
                return None
            writer.declare(statement.name, value)
            continue
        assert isinstance(statement, Assign | Store)
        summed = isinstance(statement, Assign)
        root = summand(statement)
        found = writer.value(root)
        if found is None:
            return None
        wide = root.dtype in NARROW
        if wide:
            reach = writer.attempt.reaches[id(found)]
            if summed:
                out.sums[place] = reach
            else:
                reach = writer.attempt.within(reach)
                found = Apply("cast", (found,), root.dtype)
        out.values[place] = found
        if wide or id(found) in writer.touched:
            out.wide.append(place)
    condition: Value | None = None
    if lost is not None:
        troubles = [*writer.attempt.troubles]
        condition = writer.value(lost)
        if condition is None:
            return None
        if sure:
            writer.attempt.troubles = troubles
    ever = [c for c in (writer.attempt.failed(), condition) if c is not None]
    failed = reduce(lambda x, y: Apply("bitwise_or", (x, y), "bool"), ever) if ever else None
    kept = out.values.values() if lost is not None else (out.values[place] for place in out.wide)
    surely = Wanted(writer.attempt, [*kept]).failed(condition) if failed is not None and not out.sums else None
    if failed is not None and surely is not None:
        failed = roughly(failed)
    *values, failed, surely = once([*out.values.values(), failed or NEVER, surely or NEVER])
    out.values = dict(zip(out.values, values, strict=True))
    out.failed, out.surely = (None if c is NEVER else c for c in (failed, surely))
    return out


def roughly(condition: Value) -> Value:
    """A condition that holds of infinities, too, which it leaves out: they are rare, and asked about again."""
    match condition:
        case Apply("bitwise_or", (x, y)):
            return Apply("bitwise_or", (roughly(x), roughly(y)), "bool")
        case Apply("bitwise_and", (x, Apply("ne", (_, Const(number))))) if number in (math.inf, -math.inf):
            return x
    return condition


def summand(statement: Stmt) -> Value:
    """What a statement v = f(v, x) adds to its variable, or what it stores."""
    if isinstance(statement, Store):
        return statement.value
    assert isinstance(statement, Assign)
    assert isinstance(statement.value, Apply)
    first, second = statement.value.args
    return second if isinstance(first, Ref) and first.name == statement.name else first


def _simple(loop: For) -> bool:
    items = walk(*loop.body)
    read = {item.view.buffer for item in items if isinstance(item, Load)}
    again = not read.isdisjoint(item.view.buffer for item in items if isinstance(item, Store))
    own: set[str] = set()
    stored: set[str] = set()
    summed: set[str] = set()
    for statement in loop.body:
        if not isinstance(statement, Local | Assign | Store):
            return False
        if again and any(isinstance(item, Load) and item.view.buffer in stored for item in walk(statement)):
            return False
        if isinstance(statement, Store):
            stored.add(statement.view.buffer)
        elif isinstance(statement, Local):
            own.add(statement.name)
        elif statement.name in own:
            return False
        else:
            match statement.value:
                case Apply(f, (Ref(name), _)) | Apply(f, (_, Ref(name))) if name == statement.name and f in FOLDS:
                    summed.add(name)
                case _:
                    return False
    roots = [s.value if isinstance(s, Local) else summand(s) for s in loop.body]
    return not any(isinstance(item, Ref) and item.name in summed for item in walk(*roots))


class Narrowing:
    """Values of a body, each with its counterpart of the attempt."""

    def __init__(self, fused: bool) -> None:
        self.attempt = Attempt(fused)
        self.variables: dict[str, Value] = {}
        self.done: dict[int, Value] = {}
        self.casts: dict[tuple[int, str], Value] = {}
        self.equal: dict[tuple[Any, ...], Value] = {}  # counterparts by `key`
        self.spans: dict[int, Span] = {}  # of counterparts, by their ids
        self.looked_at: list[Value] = []  # in order, operands first
        self.touched: set[int] = set()  # ids of values of the attempt that depend on one that had an exponent

    def declare(self, name: str, value: Value) -> None:
        """Set a variable; what read an older one of that name is another value from here on."""
        if name in self.variables:
            stale: set[int] = set()
            for item in self.looked_at:
                reads = item.name == name if isinstance(item, Ref) else any(id(x) in stale for x in parts(item))
                if reads:
                    stale.add(id(item))
                    self.done.pop(id(item), None)
        self.variables[name] = value

    def value(self, root: Value) -> Value | None:
        """The counterpart; None for what cannot be attempted."""
        stack: list[Value] = [root]
        while stack:
            item = stack[-1]
            if id(item) in self.done:
                stack.pop()
                continue
            missing = [x for x in item.args if id(x) not in self.done] if isinstance(item, Apply) else []
            if missing:
                stack += reversed(missing)
                continue
            stack.pop()
            key = self.key(item)
            found = self.equal.get(key)
            if found is None:
                found = self.applied(item) if isinstance(item, Apply) else self.leaf(item)
            if found is None:
                return None
            self.done[id(item)] = found
            self.looked_at.append(item)
            if key:
                self.equal[key] = found
        return self.done[id(root)]

    def key(self, item: Value) -> tuple[Any, ...]:
        """What the counterpart follows from, since equal values have one; nothing where it follows from more."""
        match item:
            case Apply(primitive, args, dtype):
                return (primitive, dtype, *((id(self.done[id(x)]), x.dtype) for x in args))
            case Load(view, at):
                return view, at
            case Const(number, dtype):
                return repr(number), dtype
        return ()

    def leaf(self, item: Value) -> Value | None:
        if isinstance(item, Ref) and item.name in self.variables:
            return self.variables[item.name]
        if isinstance(item, Const) and item.dtype in NARROW:
            return self.constant(item)
        if any(isinstance(x, Ref) and x.name in self.variables for x in walk(item)):
            return None  # inside a guard, or an index
        if isinstance(item, Guard | Load) and any(_has_exponent(x) for x in walk(*parts(item))):
            return None
        return self.entering(item, item, NARROW[item.dtype]) if item.dtype in NARROW else item

    def constant(self, item: Const) -> Value | None:
        """A constant of a number form, if the attempt can hold it."""
        if item.dtype == "float32e":
            limbs, exponent = [float(item.number)], 0.0
            if limbs[0] and math.isfinite(limbs[0]):
                exponent = math.frexp(limbs[0])[1] - 1
                if not LEAST32 < exponent < MOST32:
                    return None
            found = Const(item.number, "float32")
            return self.known(found, limbs[0], exponent)
        *limbs, exponent = limbs_of(item.number, item.dtype)
        if limbs[0] == 0 or not math.isfinite(limbs[0]):
            exponent = 0.0
        elif not -600 < exponent < 900:
            return None
        number: Any = tuple(math.ldexp(limb, int(exponent)) for limb in limbs)
        return self.known(Const(number if len(limbs) > 1 else number[0], NARROW[item.dtype]), limbs[0], exponent)

    def known(self, found: Const, high: float, exponent: float) -> Const:
        """A constant of the attempt."""
        sign, zero = int(math.copysign(1, high)), self.attempt.constant(0, "bool") if high == 0 else None
        self.attempt.noted(Reach(found, exponent, exponent, sign, nonzero=zero))
        self.touched.add(id(found))
        return found

    def converted(self, value: Value, dtype: str) -> Value:
        """A value in a dtype, of all that are asked for the same one."""
        if value.dtype == dtype:
            return value
        return self.casts.setdefault((id(value), dtype), Apply("cast", (value,), dtype))

    def entering(self, original: Value, value: Value, dtype: str) -> Value:
        """A value that becomes one of the attempt: exact, but where it comes from a form, which may be out of range."""
        found = self.converted(value, dtype)
        a, form = self.attempt, original.dtype in NARROW
        nonzero = Apply("ne", (original, Const(0, original.dtype)), "bool") if form else not_zero(a, value)
        form = form or (dtype == "float32" and original.dtype != "float32")
        low, high = (-ENDLESS, ENDLESS) if form and original.dtype in NARROW else EXPONENTS[original.dtype]
        sign = 0 if original.dtype in NARROW else sign_of(value, self.spans)
        reach = a.noted(Reach(found, low, high, sign, under=form, hidden=form, nonzero=nonzero))
        if form and dtype == "float64x2":
            a.within(reach)
        self.touched.add(id(found))
        return found

    def applied(self, item: Apply) -> Value | None:
        args = tuple(self.done[id(x)] for x in item.args)
        before = [x.dtype for x in item.args]
        if item.primitive == "cast":
            return self.cast(item, args[0])
        wide = [x for x in item.args if x.dtype in NARROW]
        if item.dtype not in NARROW and not wide:
            same = all(x is y for x, y in zip(args, item.args, strict=True))
            found: Value = item if same else Apply(item.primitive, args, item.dtype)
            if any(id(x) in self.touched for x in args):
                self.touched.add(id(found))
            return found
        operands = args[1:] if item.primitive == "where" else args
        forms = set(before[1:] if item.primitive == "where" else before)
        mixed = forms <= {*MIXTURES.get(item.dtype, ())} and item.primitive in MIXED.keys() | SUMS.keys()
        if len(forms) != 1 or (item.dtype in NARROW and forms != {item.dtype} and not mixed):
            return None
        for x in operands:
            if id(x) not in self.attempt.reaches:  # a float64 whose function is wanted as a float32
                sign = sign_of(x, self.spans)
                self.attempt.noted(Reach(x, *EXPONENTS[x.dtype], sign, nonzero=not_zero(self.attempt, x)))
        reaches = [self.attempt.reaches[id(x)] for x in operands]
        dtype = NARROW.get(item.dtype, item.dtype)
        found = Apply(item.primitive, args, dtype)
        if item.primitive in COMPARISONS:
            compared(self.attempt, reaches[0], reaches[1])
        elif item.primitive == "isnan":
            self.attempt.within(reaches[0], under=False)
        elif item.primitive in RANGES:
            self.attempt.made(item.primitive, found, tuple(reaches))
        else:
            return None
        self.touched.add(id(found))
        return found

    def cast(self, item: Apply, value: Value) -> Value | None:
        """Into the attempt, within it, or out of it, where a number beyond its dtype is what it would be anyway."""
        source = item.args[0]
        if item.dtype in NARROW and source.dtype not in NARROW:
            return self.entering(source, value, NARROW[item.dtype])
        if source.dtype not in NARROW:
            found = self.converted(value, item.dtype)
            if id(value) in self.touched:
                self.touched.add(id(found))
            return found
        reach, dtype = self.attempt.reaches[id(value)], NARROW.get(item.dtype, item.dtype)
        if item.dtype not in NARROW:
            discrete = "int" in item.dtype or item.dtype == "bool"
            if reach.hidden or discrete:
                self.attempt.within(reach, under=discrete)
        found = self.converted(value, dtype)
        if item.dtype in NARROW and found is not value:
            if dtype == "float64x2":
                reach = self.attempt.within(reach)
            if dtype == "float32":  # less range, and what stood for the value's size was a float64
                reach = self.attempt.within(reach, over=False)
                reach = replace(reach, under=reach.low < LEAST32, nonzero=not_zero(self.attempt, value))
            self.attempt.noted(replace(reach, value=found))
        self.touched.add(id(found))
        return found


def _has_exponent(item: Any) -> bool:
    return getattr(item, "dtype", "") in NARROW
