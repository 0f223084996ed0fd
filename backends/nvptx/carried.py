"""Loops whose rounds hand more on to one another than a sum, and which threads may share nevertheless: the first of the
largest, running sums, and elements that data choose.

    flag = x[i] > best                   total = total + x[i]        y[k[i]] = y[k[i]] + x[i]
    where = i if flag else where         y[i] = total
    best = x[i] if flag else best
"""

from __future__ import annotations

from dataclasses import dataclass

from symdl.backends.nvptx.independence import apart, is_stored, uses_in
from symdl.ir.loops import Apply, Assign, For, Load, Position, Ref, Stmt, Store, Value, is_value, walk
from symdl.ir.parallel import FOLDS
from symdl.number_forms import WIDE
from symdl.types import slope


@dataclass(frozen=True)
class Selection:
    """The first round whose value is best: variables for whether, where and what; better is gt or lt. The best begins with
    what is never better, at place 0."""

    flag: str
    where: str
    best: str
    better: str
    dtype: str


@dataclass(frozen=True)
class Running:
    """Totals that each round adds to, and uses: (variable, primitive, what is added)."""

    totals: tuple[tuple[str, str, Value], ...]


@dataclass(frozen=True)
class Scattered:
    """One element, at a place that data say, combined with a value by a primitive; or set to it, if that is empty."""

    store: Store
    plus: str
    value: Value


Shape = Selection | Running | Scattered


def carried_of(loop: For) -> Shape | None:
    """What the rounds of a loop hand on, if threads may share them."""
    if any(isinstance(x, For) or getattr(x, "dtype", "") in WIDE for x in walk(*loop.body)):
        return None
    return _selection(loop) or _running(loop) or _scattered(loop)


def refs(item: object) -> set[str]:
    """The variables that a value reads."""
    return {x.name for x in walk(item) if isinstance(x, Ref)}


def _selection(loop: For) -> Selection | None:
    match loop.body:
        case (
            Assign(flag, is_better),
            Assign(where, Apply("where", (Ref(a, _), Position() as here, Ref(b, _)), "int64")),
            Assign(best, Apply("where", (Ref(c, _), x, Ref(d, _)), dtype)),
        ) if (a, b, c, d) == (flag, where, flag, best):
            pass
        case _:
            return None
    better = _better(is_better, x, best)
    if not better or slope(here.extent, loop.index) != 1 or refs(x) & {flag, where, best}:
        return None
    return Selection(flag, where, best, better, dtype)


def _better(value: Value, x: Value, best: str) -> str:
    """gt or lt, where a value says that x is better than what a variable holds: NaN is best of all."""
    match value:
        case Apply("gt" | "lt" as better, (one, Ref(name, _)), _) if one is x and name == best:
            return better if not x.dtype.startswith("float") else ""
        case Apply(
            "bitwise_and", (Apply("invert", (as_good,), _), Apply("invert", (Apply("isnan", (known,), _),), _)), _
        ):
            pass
        case _:
            return ""
    match as_good, known:
        case Apply("le" | "ge" as how, (one, Ref(name, _)), _), Ref(same, _) if one is x and name == same == best:
            return {"le": "gt", "ge": "lt"}[how]
    return ""


def _running(loop: For) -> Running | None:
    if not all(isinstance(s, Assign | Store) for s in loop.body):
        return None
    sets = [s for s in loop.body if isinstance(s, Assign)]
    names = {s.name for s in sets}
    totals = []
    for s in sets:
        match s.value:
            case Apply(plus, (Ref(name, _), value), _) if name == s.name and plus in FOLDS:
                pass
            case Apply(plus, (value, Ref(name, _)), _) if name == s.name and plus in FOLDS:
                pass
            case _:
                return None
        if refs(value) & names:
            return None
        totals.append((s.name, plus, value))
    if not totals or len(names) != len(sets):
        return None
    for uses in uses_in(loop).values():
        if is_stored(uses) and not apart(loop.index, loop.body, uses):
            return None
    return Running(tuple(totals))


def _scattered(loop: For) -> Scattered | None:
    match loop.body:
        case (Store(view, at, value) as store,) if any(map(is_value, at)):
            pass
        case _:
            return None
    loads = [x for x in walk(store) if isinstance(x, Load) and x.view.buffer == view.buffer]
    if not loads:
        return Scattered(store, "", value)
    match value:
        case Apply(plus, (Load() as old, new), _) if (
            plus in FOLDS and loads == [old] and (old.view, old.at) == (view, at)
        ):
            return Scattered(store, plus, new)
    return None


def is_shared(statement: Stmt) -> bool:
    """Whether a statement is a loop that threads may share in one of these ways."""
    return isinstance(statement, For) and carried_of(statement) is not None
