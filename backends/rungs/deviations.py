"""Squares of deviations from a mean, of two or three float32, by what the numbers differ by: in half the operations.

    var t = 0;  for r in 0:3: t = t + x[r];  var m = t / 3            d = x[0] - x[1];  e = x[2] - x[1]
    var s = 0;  for r in 0:3: s = s + (x[r] - m)^2             ->     s = 2/3 (d (d - e) + e^2)
    o = float32(s / 3)

In float64, where differences of float32 are right to 2^-53, and their squares neither overflow nor vanish. As there, what an
infinity is among is a NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from symdl.backends.rungs.exchanges import FUSED
from symdl.backends.rungs.few_rounds import count_of
from symdl.ir.loops import Apply, Assign, Const, For, Load, Local, Ref, Stmt, Value, parts, place_of, walk
from symdl.ir.rebuilding import rebuilt
from symdl.types import replace_symbols, symbol

SINGLE, DOUBLE = "float32", "float64"
SCALES = {2: 1 / 2, 3: 2 / 3}


def by_differences(loop: For) -> For:
    """The loop with such sums in that way, if its loops have so many rounds, and nothing else reads the mean."""
    for place, statement in enumerate(loop.body):
        match statement:
            case For(r, int() as count, (Assign(s, Apply("add", (Ref(same), Apply("mul", (v, w))))),)) if (
                s == same and v is w and count in SCALES
            ):
                pass
            case _:
                continue
        match v:
            case Apply("sub", (Apply("cast", (Load() as x,)) as number, Ref(m)), "float64") if x.dtype == SINGLE:
                mean = _mean(loop, m, replace(statement, body=()), x)
            case _:
                continue
        if mean is None:
            continue
        numbers: list[Value] = []
        for k in range(count):
            (moved,) = rebuilt((Local("", number),), symbols={r: k})
            assert isinstance(moved, Local)
            numbers.append(moved.value)
        changed = _quotients([x for k, x in enumerate(loop.body) if k != place], s, count)
        scale = SCALES[count] if changed is None else SCALES[count] / count
        squares = Assign(s, _squares(numbers, scale))
        body = tuple(squares if k == place else x for k, x in enumerate(loop.body) if k not in mean)
        return replace(loop, body=rebuilt(body, changed or {}))
    return loop


def _mean(loop: For, m: str, rounds: For, x: Load) -> set[int] | None:
    """Where the statements stand that make a variable the mean of what is read in some rounds, if it is that."""
    quotients = [
        (k, s.value.args)
        for k, s in enumerate(loop.body)
        if isinstance(s, Local | Assign)
        and s.name == m
        and isinstance(s.value, Apply)
        and s.value.primitive == "true_div"
    ]
    match quotients:
        case [(last, (Ref(t), divisor))] if count_of(divisor) == rounds.extent:
            pass
        case _:
            return None
    places = {last}
    for k, statement in enumerate(loop.body[:last]):
        match statement:
            case Local(name, Const(0)) if name == t:
                places.add(k)
            case For(r, count, (Assign(name, Apply("add", (Ref(same), Apply("cast", (Load() as y,))))),)) if (
                name == same == t and count == rounds.extent and y.view.buffer == x.view.buffer
            ):
                if replace_symbols(place_of(y.view, y.at), {r: symbol(rounds.index.name)}) != place_of(x.view, x.at):
                    return None
                places.add(k)
    others = sum(isinstance(s, Local | Assign) and s.name in (m, t) for s in walk(*loop.body)) - 3
    readers = _readers(loop.body, {m, t})  # the sum, its quotient and the difference
    return places if len(places) == len(readers) == 3 and not others else None


def _readers(body: Sequence[Stmt], names: set[str]) -> list[Stmt | Value]:
    """Statements and values that have one of these variables as a part."""
    return [x for x in walk(*body) if any(isinstance(part, Ref) and part.name in names for part in parts(x))]


def _squares(x: Sequence[Value], scale: float) -> Value:
    """The sum of the squares of deviations, by differences."""
    first = Apply("sub", (x[0], x[1]), DOUBLE)
    if len(x) == 2:
        total = Apply("mul", (first, first), DOUBLE)
    else:
        second = Apply("sub", (x[2], x[1]), DOUBLE)
        between = Apply("mul", (first, Apply("sub", (first, second), DOUBLE)), DOUBLE)
        total = Apply(FUSED, (second, second, between), DOUBLE)
    scaled = Apply("mul", (total, Const(scale, DOUBLE)), DOUBLE)
    return Apply(FUSED, (total, Const(0.0, DOUBLE), scaled), DOUBLE)  # an infinity becomes a NaN


def _quotients(body: Sequence[Stmt], s: str, count: int) -> dict[int, Value] | None:
    """What a sum divided by so many becomes where it is divided from the start, before it is rounded; None where it is used
    otherwise, too."""
    mean = Ref(s, DOUBLE)
    rounded = {x.name for x in body if isinstance(x, Local) and _is(x.value, s, SINGLE)}
    changed: dict[int, Value] = {}
    known: set[int] = set()
    for x in walk(*body):
        match x:
            case Apply("true_div", (total, divisor), dtype) if count_of(divisor) == count:
                if _is(total, s, dtype) or any(_is(total, name, dtype) for name in rounded):
                    changed[id(x)] = mean if dtype == DOUBLE else Apply("cast", (mean,), dtype)
                    known |= {id(x), id(total)}
            case Local(name, total) if name in rounded:
                known |= {id(x), id(total)}
    return changed if all(id(x) in known for x in _readers(body, {s, *rounded})) else None


def _is(x: Value, name: str, dtype: str) -> bool:
    """Whether a value is a variable, rounded to a dtype or of it."""
    match x:
        case Apply("cast", (Ref(read),)) | Ref(read):
            return read == name and x.dtype == dtype
    return False
