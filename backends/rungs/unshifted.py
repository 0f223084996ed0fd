"""The logarithm of a sum of exponentials, tried without taking the largest away first: e^x of most float32 is in range.

    var m = -inf;  for i in 0:n: m = maximum(m, x[i])           var s = 0;  for i in 0:n: s = s + exp(x[i])
    var s = 0;  var c = 0                                 ->    var y = cast(log(s))
    for i in 0:n: { v = x[i] - m;  s = s + where(v == 0, 0, exp(v));  c = c + where(v == 0, 1, 0) }
    var y = cast(m + log1p(s + maximum(c - 1, 0)))

So neither the largest, nor how often it occurs, nor the low halves of differences are computed. log s is wrong by what s is
wrong by, relative to it: where it is at least 1/2 in long rows, terms may be float32, else they are float64. A sum that left
the range, vanished or is no number fails, and so does a logarithm nearer to 0; the statements are then run as they stand.

Likewise exponentials that are stored, added up, and then divided by their sum (`Weights`): the largest cancels, and terms that
are normal numbers are as right as those of differences are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from symdl.backends.rungs.terms import PAIR
from symdl.backends.rungs.thinning import inlined
from symdl.backends.wide import brief
from symdl.ir.loops import (
    Apply,
    Assign,
    Const,
    For,
    Load,
    Local,
    Ref,
    Stmt,
    Store,
    Value,
    is_value,
    parts,
    place_of,
    walk,
)
from symdl.number_forms import WIDE, limbs_of
from symdl.records import record
from symdl.types import Extent, Symbol

SINGLE, DOUBLE = "float32", "float64"
NEAREST = {
    SINGLE: 0.5,
    DOUBLE: 2.0**-16,
}  # |log s| by terms: 1.1 ulp are 2.2 of a half; 2^-43 are an eighth of an ulp of 2^-16
RANGE = {SINGLE: (-27.0, 69.0), DOUBLE: (-600.0, 690.0)}  # of log s: no term that vanishes counts, and none is infinite
NORMAL, MOST = 2.0**-126, 2.0**100  # the least term and the largest sum of such as are divided
TERMS = 64  # statements and values of x; beside more an exponential is little


@record
class Exponentials:
    """Such statements. x: what stands in the exponent; loop: that adds up; y: the variable of the logarithm; end: the place
    behind them."""

    x: Value
    loop: For
    y: str
    end: int

    def tried(self, dtype: str, prefix: str, flag: str, permutes: bool) -> tuple[Stmt, ...]:
        """The attempt with terms of a dtype. prefix: of its variables' names; flag: the one that says whether it failed;
        permutes: whether functions may be brief."""
        short = brief.PREFIX if dtype == DOUBLE and permutes else ""
        term = _cast(Apply(f"{short}exp", (_cast(self.x, dtype),), dtype), DOUBLE)
        total, found = Ref(f"{prefix}sum", DOUBLE), Ref(f"{prefix}logarithm", DOUBLE)
        adding = Assign(total.name, Apply("add", (total, term), DOUBLE))
        good: Value = Apply("ge", (Apply("abs", (found,), DOUBLE), Const(NEAREST[dtype], DOUBLE)), "bool")
        for which, end in zip(("ge", "le"), RANGE[dtype], strict=True):
            inside = Apply(which, (found, Const(end, DOUBLE)), "bool")
            good = Apply("bitwise_and", (good, inside), "bool")
        return (
            Local(total.name, Const(0.0, DOUBLE)),
            For(self.loop.index, self.loop.extent, (adding,), "vector"),
            Local(found.name, Apply(f"{short}log", (total,), DOUBLE)),
            Local(prefix + self.y, _cast(found, SINGLE)),
            Local(flag, _cast(Apply("invert", (good,), "bool"), "int64")),
        )


def exponentials(body: Sequence[Stmt], start: int) -> Exponentials | None:
    """What begins with this statement; None where it is something else, or where more than the logarithm is used later."""
    found = _largest(body, start)
    if found is None:
        return None
    m, index, extent, x = found
    place = next((k for k in range(start + 2, len(body)) if not isinstance(body[k], Local)), start)
    zeros = {s.name: s.value for s in body[start + 2 : place] if isinstance(s, Local)}
    match body[place]:
        case For(i, n, added, "vector") as loop if (i, n) == (index, extent):
            pass
        case _:
            return None
    names = _sums(added, zeros, *_term_and_count(x, m))
    if names is None:
        return None
    wanted = [
        _logarithm(m, names[0], names[1], dtype) for dtype in (PAIR, DOUBLE)
    ]  # where it is rounded, the sum has been thinned
    for end in range(place + 1, len(body)):
        last = body[end]
        if not isinstance(last, Local):
            return None
        made = inlined((*body[place + 1 : end], Assign(last.name, last.value)))[-1]
        if any(alike(made.value, one) for one in wanted):
            own = {m, *zeros, *(s.name for s in body[place + 1 : end] if isinstance(s, Local))}
            if any(isinstance(v, Ref) and v.name in own for v in walk(*body[end + 1 :])):
                return None
            return Exponentials(x, loop, last.name, end + 1)
    return None


@record
class Weights:
    """Exponentials of a row that are stored, and divided by their sum behind these statements. m, s: the variables of the
    largest and the sum."""

    x: Value
    loop: For
    kept: Store
    m: str
    s: str
    end: int

    def tried(self, prefix: str, flag: str) -> tuple[Stmt, ...]:
        """The attempt; the largest is then 0."""
        one, total, least = Ref(f"{prefix}term", SINGLE), Ref(prefix + self.s, DOUBLE), Ref(f"{prefix}least", SINGLE)
        good = Apply("ge", (least, Const(NORMAL, SINGLE)), "bool")
        good = Apply("bitwise_and", (good, Apply("le", (total, Const(MOST, DOUBLE)), "bool")), "bool")
        body = (
            Local(one.name, Apply("exp", (self.x,), SINGLE)),
            replace(self.kept, value=one),
            Assign(total.name, Apply("add", (total, _cast(one, DOUBLE)), DOUBLE)),
            Assign(least.name, Apply("minimum", (least, one), SINGLE)),
        )
        return (
            Local(prefix + self.m, Const(0.0, SINGLE)),
            Local(total.name, Const(0.0, DOUBLE)),
            Local(least.name, Const(1.0, SINGLE)),
            For(self.loop.index, self.loop.extent, body, "vector"),
            Local(flag, _cast(Apply("invert", (good,), "bool"), "int64")),
        )


def weights(body: Sequence[Stmt], start: int) -> Weights | None:
    """What begins with this statement; None where it is something else, or the largest, the terms or their sum serve otherwise."""
    found = _largest(body, start)
    if found is None:
        return None
    m, index, extent, x = found
    match body[start + 2 : start + 5]:
        case [
            Local(s, Const(0, "float64")),
            For(i, n, (Local(e, term), Store(view, at, Ref(stored)) as kept, Assign() as adding), "vector") as loop,
            For(j, again, (*_, Store(over, there))),
        ] if (i, n) == (j, again) == (index, extent) and e == stored and over == view:
            pass
        case _:
            return None
    v, exact = Apply("sub", (_cast(x, DOUBLE), _cast(Ref(m, SINGLE), DOUBLE)), DOUBLE), Ref(e, SINGLE)
    v = Apply("where", (Apply("eq", (x, Ref(m, SINGLE)), "bool"), Const(0.0, DOUBLE), v), DOUBLE)
    near = Apply("exp", (_cast(v, SINGLE),), SINGLE)
    rest = _cast(Apply("sub", (v, _cast(_cast(v, SINGLE), DOUBLE)), DOUBLE), SINGLE)
    more = Apply("add", (near, Apply("mul", (near, rest), SINGLE)), SINGLE)
    wanted = Apply("where", (Apply("gt", (near, Const(0.0, SINGLE)), "bool"), more, near), SINGLE)
    total = Apply("add", (Ref(s, DOUBLE), _cast(exact, DOUBLE)), DOUBLE)
    if adding.name != s or not alike(term, wanted) or not alike(adding.value, total):
        return None
    if any(map(is_value, (*at, *there))) or place_of(over, there) != place_of(view, at):
        return None
    if any(isinstance(item, Load) and item.view.buffer == view.buffer for item in walk(x)):
        return None
    nothing = Apply("mul", (Ref(m, SINGLE), Const(0.0, SINGLE)), SINGLE)
    quotient = Apply(
        "true_div", (Load(over, there), Apply("add", (_cast(Ref(s, DOUBLE), SINGLE), nothing), SINGLE)), SINGLE
    )
    behind = [item for item in walk(*body[start + 4 :]) if isinstance(item, Apply) and alike(item, quotient)]
    if not behind or _serves(body[start + 4 :], {id(item) for item in behind}, {m, s, e}, view.buffer):
        return None
    return Weights(x, loop, kept, m, s, start + 4)


def _serves(body: Sequence[Stmt], but: set[int], names: set[str], buffer: str) -> bool:
    """Whether variables, or elements of a buffer, are read in statements elsewhere than in some values."""
    stack: list[object] = list(body)
    seen: set[int] = set()
    while stack:
        item = stack.pop()
        if id(item) in but or id(item) in seen:
            continue
        seen.add(id(item))
        if (isinstance(item, Ref) and item.name in names) or (isinstance(item, Load) and item.view.buffer == buffer):
            return True
        stack += parts(item)
    return False


def _largest(body: Sequence[Stmt], start: int) -> tuple[str, Symbol, Extent, Value] | None:
    """The variable with the largest float32 of a row, the row's index and length, and the number; None for something else."""
    match body[start : start + 2]:
        case [
            Local(m, Const(first, "float32")),
            For(index, extent, (Assign(into, Apply("maximum", (Ref(largest), x))),)),
        ] if m == into == largest and first == -math.inf:
            inside = walk(x)
            if len(inside) > TERMS or any(v.dtype in WIDE or (isinstance(v, Ref) and v.name == m) for v in inside):
                return None
            return m, index, extent, x
    return None


def _sums(added: tuple[Stmt, ...], zeros: Mapping[str, Value], *terms: Value) -> list[str] | None:
    """The variables, 0 before, to which a loop adds these terms, if it does nothing else."""
    found: dict[int, str] = {}
    statements = [s for s in inlined(added) if not isinstance(s, Local)]
    for s in statements:
        match s:
            case Assign(name, Apply("add", (Ref(same), value), dtype)) if name == same and name in zeros:
                if alike(zeros[name], Const(0.0, dtype)):
                    found.update((k, name) for k, term in enumerate(terms) if alike(value, term))
    return [found[k] for k in range(len(terms))] if len(found) == len(terms) == len(statements) == len(zeros) else None


def _term_and_count(x: Value, m: str) -> tuple[Value, Value]:
    """What is added up for each x: where(v == 0, 0, exp(v)) of v = x - m, and where(v == 0, 1, 0)."""
    largest, nothing = Ref(m, SINGLE), Const((0.0, 0.0), PAIR)
    exact = Apply("sub", (_cast(x, PAIR), _cast(largest, PAIR)), PAIR)
    v = Apply("where", (Apply("eq", (x, largest), "bool"), nothing, exact), PAIR)
    is_largest = Apply("eq", (v, nothing), "bool")
    one = Apply("where", (is_largest, Const(1.0, SINGLE), Const(0.0, SINGLE)), SINGLE)
    return Apply("where", (is_largest, nothing, Apply("exp", (v,), PAIR)), PAIR), _cast(one, DOUBLE)


def _logarithm(m: str, s: str, c: str, dtype: str) -> Value:
    """m + log1p(s + maximum(c - 1, 0)), added in a dtype."""
    others = Apply("sub", (_cast(Ref(c, DOUBLE), SINGLE), Const(1.0, SINGLE)), SINGLE)
    more = Apply("maximum", (others, Const(0.0, SINGLE)), SINGLE)
    total = Apply("add", (Ref(s, PAIR), _cast(more, PAIR)), PAIR)
    return _cast(Apply("add", (_cast(Ref(m, SINGLE), PAIR), Apply("log1p", (total,), PAIR)), dtype), SINGLE)


def _cast(x: Value, dtype: str) -> Value:
    return x if x.dtype == dtype else Apply("cast", (x,), dtype)


def alike(one: Value, other: Value) -> bool:
    """Whether values are written alike: the same operations on the same elements, variables and numbers."""
    known: set[tuple[int, int]] = set()
    stack = [(one, other)]
    while stack:
        x, y = stack.pop()
        if x is y or (id(x), id(y)) in known:
            continue
        known.add((id(x), id(y)))
        match x, y:
            case Apply(), Apply() if (x.primitive, x.dtype, len(x.args)) == (y.primitive, y.dtype, len(y.args)):
                stack += zip(x.args, y.args, strict=True)
            case Const(), Const() if x.dtype == y.dtype and repr(_number(x)) == repr(_number(y)):
                pass
            case Ref(), Ref() if (x.name, x.dtype) == (y.name, y.dtype):
                pass
            case Load(), Load() if x.dtype == y.dtype and x.view.buffer == y.view.buffer:
                if any(map(is_value, (*x.at, *y.at))) or place_of(x.view, x.at) != place_of(y.view, y.at):
                    return False
            case _:
                return False
    return True


def _number(x: Const) -> tuple[float, ...] | complex:
    """A constant's limbs, or the number."""
    return limbs_of(x.number, x.dtype) if x.dtype in WIDE else complex(x.number)
