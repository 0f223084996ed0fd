"""Loop nests rearranged for many threads: sums of columns go down their columns, neighbouring loops become one, and what
has just been stored is not loaded again. Loop IR to Loop IR; every number is computed as before, in the same order.

    for j: a[j] = 0                     for j: var t = 0
    for r: for j: a[j] += x[r, j]              for r: t = t + x[r, j]
                                               a[j] = t
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from symdl.loops import (
    Assign,
    Barrier,
    Checked,
    Const,
    For,
    Load,
    Local,
    Ref,
    Stmt,
    Store,
    Value,
    View,
    is_value,
    rewritten,
    walk,
)
from symdl.memory import rebuild
from symdl.parallel import independent, variables
from symdl.types import Extent, Symbol, symbol, symbols

Use = Load | Store


def arranged(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """The statements rearranged, from the inside out."""
    names = (f"_kept{k}" for k in itertools.count())

    def block(statements: tuple[Stmt, ...], around: frozenset[Symbol]) -> tuple[Stmt, ...]:
        out: list[Stmt] = []
        for s in statements:
            if isinstance(s, For):
                s = replace(s, body=block(s.body, around | {s.index}))  # nests are as deep as arrays have axes
                s = down_columns(s)
            if out and isinstance(s, For) and isinstance(out[-1], For) and (one := joined(out[-1], s)) is not None:
                out[-1] = replace(one, body=tidied(one.body, around | {one.index}, names))
            else:
                out.append(s)
        return tidied(tuple(out), around, names)

    return block(body, frozenset())


def uses_in(*items: Any) -> dict[str, list[Use]]:
    """Loads and stores by buffer."""
    found: dict[str, list[Use]] = {}
    for item in walk(*items):
        if isinstance(item, Load | Store):
            found.setdefault(item.view.buffer, []).append(item)
    return found


def is_stored(uses: list[Use]) -> bool:
    """Whether one of them is a store."""
    return any(isinstance(u, Store) for u in uses)


# ---- sums of columns ----


def down_columns(loop: For) -> For:
    """A loop over rows of a loop over columns the other way round, where rows are folded into accumulators of one row."""
    match loop:
        case For(row, _, (For(column, columns, body),)) if row not in symbols(columns):
            pass
        case _:
            return loop
    if loop.schedule == "parallel" or any(isinstance(x, For | Barrier | Checked) for x in walk(*body)):
        return loop
    if variables(*body):
        return loop
    stored = [uses for uses in uses_in(*body).values() if is_stored(uses)]
    if all(independent(row, uses) for uses in stored):
        return loop
    for uses in stored:
        in_row = independent(row, uses) and independent(column, [fixed(u, column) for u in uses])
        if not in_row and not independent(column, uses):
            return loop
    rows = For(row, loop.extent, body, loop.schedule)
    return For(column, columns, in_variables(rows))


def fixed(use: Use, index: Symbol) -> Use:
    """The use with only those axes that an index or data count; the others are part of where it begins."""
    offset = use.view.offset
    kept: list[tuple[Extent, Extent, Any]] = []
    for n, stride, i in zip(use.view.shape, use.view.strides, use.at, strict=True):
        if is_value(i) or index in symbols(i):  # type: ignore[arg-type]  # is_value says so
            kept.append((n, stride, i))
        else:
            offset = offset + i * stride  # type: ignore[operator]  # is_value says so
    shape, strides, at = (tuple(k[j] for k in kept) for j in range(3))
    view = View(use.view.buffer, use.view.dtype, shape, strides, offset)
    return replace(use, view=view, at=at)


def in_variables(loop: For) -> tuple[Stmt, ...]:
    """The loop with elements that all its rounds fold into kept in variables."""
    before: list[Stmt] = []
    after: list[Stmt] = []
    for name, uses in uses_in(*loop.body).items():
        first = uses[0]
        if not is_stored(uses) or any((u.view, u.at) != (first.view, first.at) for u in uses):
            continue
        extents = (first.view.offset, *first.view.strides, *first.at)
        if any(is_value(e) or loop.index in symbols(e) for e in extents):  # type: ignore[arg-type]  # is_value says so
            continue
        total = Ref(f"_total_{name}", first.view.dtype)
        values: dict[int, Value] = {id(u): total for u in uses if isinstance(u, Load)}
        body = rebuild(loop.body, lambda view: view, values)
        body = tuple(Assign(total.name, s.value) if isinstance(s, Store) and s.view.buffer == name else s for s in body)
        loop = replace(loop, body=body)
        before.append(Local(total.name, Load(first.view, first.at)))
        after.append(Store(first.view, first.at, total))
    return (*before, loop, *after)


# ---- neighbours ----


def joined(first: For, second: For) -> For | None:
    """Two loops of equal extents as one, where a round of either needs of the other only the same round."""
    if first.extent != second.extent or Barrier in map(type, walk(first, second)):
        return None
    if {first.schedule, second.schedule} == {"parallel", "serial"} or first.schedule == "vector":
        return None
    if any(isinstance(x, For) and x.index == first.index for x in walk(*second.body)):
        return None
    if variables(first) or variables(second):
        return None
    renamed = rewritten(second.body, {second.index: symbol(first.index.name)}, {})
    body = (*first.body, *renamed)
    own, other, both = uses_in(*first.body), uses_in(*renamed), uses_in(*body)
    for name, uses in both.items():
        if is_stored(uses) and not independent(first.index, uses):
            return None
        if name in own and name in other and is_stored(uses) and any(map(is_value, (i for u in uses for i in u.at))):
            return None
    return replace(first, body=body)


# ---- what has just been stored ----


def tidied(body: tuple[Stmt, ...], around: frozenset[Symbol], names: Iterator[str]) -> tuple[Stmt, ...]:
    """Statements of one block: what is stored and then read at the same place is kept in a variable, and a store that
    another overwrites unread is left out."""
    out = list(body)
    k = 0
    while k < len(out):
        s = out[k]
        if isinstance(s, Store) and not any(map(is_value, s.at)):
            reach = next((j for j in range(k + 1, len(out)) if stores_to(out[j], s.view.buffer)), len(out))
            last = out[reach] if reach < len(out) else None
            if last is not None and not isinstance(last, For):
                reach += 1  # its value is read before it stores
            later = out[k + 1 : reach]
            values = {
                id(x): x
                for x in walk(*later)
                if isinstance(x, Load) and (x.view, x.at) == (s.view, s.at)
            }
            if values:
                value: Value = s.value
                declared: list[Stmt] = []
                if not isinstance(value, Const):
                    value = Ref(next(names), s.view.dtype)
                    declared.append(Local(value.name, s.value))
                later = list(rebuild(tuple(later), same, dict.fromkeys(values, value)))
                out[k:reach] = [*declared, replace(s, value=value), *later]
                k += len(declared)
            if last is not None and isinstance(last, Store) and (last.view, last.at) == (s.view, s.at):
                between = out[k + 1 : k + 1 + len(later)]
                if not any(isinstance(x, Load) and x.view.buffer == s.view.buffer for x in walk(*between)):
                    del out[k]
                    continue
        k += 1
    return tuple(out)


def same(view: View) -> View:
    """The view itself."""
    return view


def stores_to(statement: Stmt, buffer: str) -> bool:
    """Whether a statement, or one inside it, stores into a buffer."""
    return any(isinstance(x, Store) and x.view.buffer == buffer for x in walk(statement))


Change = Callable[[View], View]
