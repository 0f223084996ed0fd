"""Loop nests rearranged for many threads: sums of columns go down their columns, neighbouring loops become one, and what
has just been stored is not loaded again. Loop IR to Loop IR; every number is computed as before, in the same order.

    for j: a[j] = 0                     for j: var t = 0
    for r: for j: a[j] += x[r, j]              for r: t = t + x[r, j]
                                               a[j] = t
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

from symdl.backends.nvptx.hazards import has_dealt
from symdl.backends.nvptx.independence import apart, is_stored, uses_in
from symdl.ir.loops import (
    Assign,
    Barrier,
    Const,
    For,
    Load,
    Local,
    Ref,
    Stmt,
    Store,
    Value,
    is_value,
    walk,
)
from symdl.ir.rebuilding import rebuilt
from symdl.types import Extent, Symbol, symbol, symbols


def arranged(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """The statements rearranged, from the inside out."""
    names = (f"_kept{k}" for k in itertools.count())

    def block(statements: tuple[Stmt, ...], around: frozenset[Symbol]) -> tuple[Stmt, ...]:
        out: list[Stmt] = []
        for s in statements:
            if isinstance(s, For):
                s = replace(s, body=block(s.body, around | {s.index}))  # nests are as deep as arrays have axes
                s = down_columns(s)
                if len(pieces := separated(s)) > 1:
                    out += pieces
                    continue
            if out and isinstance(s, For) and isinstance(out[-1], For) and (one := joined(out[-1], s)) is not None:
                out[-1] = replace(one, body=tidied(one.body, around | {one.index}, names))
            else:
                out.append(s)
        return tidied(tuple(out), around, names)

    return block(body, frozenset())


# ---- sums of columns ----


def down_columns(loop: For) -> For:
    """A loop over rows of a loop over columns the other way round, where rows are folded into accumulators of one row."""
    match loop:
        case For(row, _, (For(column, columns, body),)) if row not in symbols(columns):
            pass
        case _:
            return loop
    if loop.schedule == "parallel" or any(isinstance(x, For | Barrier) for x in walk(*body)):
        return loop
    if outside(body):
        return loop
    stored = [uses for uses in uses_in(*body).values() if is_stored(uses)]
    if all(apart(row, loop.body, uses) for uses in stored):
        return loop
    for uses in stored:
        in_row = apart(row, loop.body, uses) and apart(column, body, uses)
        if not in_row and not apart(column, loop.body, uses):
            return loop
    rows = For(row, loop.extent, body, loop.schedule)
    return For(column, columns, in_variables(rows))


def outside(body: tuple[Stmt, ...]) -> set[str]:
    """The variables that statements read or set but do not declare."""
    items = walk(*body)
    own = {x.name for x in items if isinstance(x, Local)}
    return {x.name for x in items if isinstance(x, Ref | Assign)} - own


def in_variables(loop: For) -> tuple[Stmt, ...]:
    """The loop with elements that all its rounds fold into kept in variables."""
    before: list[Stmt] = []
    after: list[Stmt] = []
    for name, uses in uses_in(*loop.body).items():
        first = uses[0]
        if not is_stored(uses) or any((u.view, u.at) != (first.view, first.at) for u in uses):
            continue
        extents = (first.view.offset, *first.view.strides, *first.at)
        if any(not isinstance(e, Extent) or loop.index in symbols(e) for e in extents):
            continue
        total = Ref(f"_total_{name}", first.view.dtype)
        values: dict[int, Value] = {id(u): total for u in uses if isinstance(u, Load)}
        body = rebuilt(loop.body, values)
        body = tuple(Assign(total.name, s.value) if isinstance(s, Store) and s.view.buffer == name else s for s in body)
        loop = replace(loop, body=body)
        before.append(Local(total.name, Load(first.view, first.at)))
        after.append(Store(first.view, first.at, total))
    return (*before, loop, *after)


# ---- what threads share in different ways ----


def separated(loop: For) -> tuple[For, ...]:
    """Loops for what a loop does that has nothing in common, as the largest and the smallest of one array, where threads
    may share each of these but not the whole."""
    if not all(isinstance(s, Assign | Store) for s in loop.body) or has_dealt((loop,)):
        return (loop,)
    stored = {s.view.buffer for s in loop.body if isinstance(s, Store)}
    groups: list[tuple[set[str], set[int]]] = []  # (variables, and buffers that change; statements that touch them)
    for k, s in enumerate(loop.body):
        items = walk(s)
        names = {f"variable {x.name}" for x in items if isinstance(x, Ref | Assign)}
        names |= {f"buffer {b}" for b in {x.view.buffer for x in items if isinstance(x, Load | Store)} & stored}
        met = [g for g in groups if g[0] & names]
        merged = names.union(*(g[0] for g in met)), {k}.union(*(g[1] for g in met))
        groups = [*(g for g in groups if g not in met), merged]
    places = sorted(sorted(numbers) for _, numbers in groups)
    pieces = tuple(replace(loop, body=tuple(loop.body[k] for k in numbers)) for numbers in places)
    return pieces if all(has_dealt((p,)) for p in pieces) else (loop,)


# ---- neighbours ----


def joined(first: For, second: For) -> For | None:
    """Two loops of equal extents as one, where a round of either needs of the other only the same round."""
    if first.extent != second.extent or Barrier in map(type, walk(first, second)):
        return None
    if {first.schedule, second.schedule} == {"parallel", "serial"} or first.schedule == "vector":
        return None
    if any(isinstance(x, For) and x.index == first.index for x in walk(*second.body)):
        return None
    if outside(first.body) or outside(second.body):
        return None
    renamed = rebuilt(second.body, symbols={second.index: symbol(first.index.name)})
    body = (*first.body, *renamed)
    own, other, both = uses_in(*first.body), uses_in(*renamed), uses_in(*body)
    for name, uses in both.items():
        if name in own and name in other and is_stored(uses) and not apart(first.index, body, uses):
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
            values = {id(x): x for x in walk(*later) if isinstance(x, Load) and (x.view, x.at) == (s.view, s.at)}
            if values:
                value: Value = s.value
                declared: list[Stmt] = []
                if not isinstance(value, Const):
                    value = Ref(next(names), s.view.dtype)
                    declared.append(Local(value.name, s.value))
                later = list(rebuilt(tuple(later), dict.fromkeys(values, value)))
                out[k:reach] = [*declared, replace(s, value=value), *later]
                k += len(declared)
            if last is not None and isinstance(last, Store) and (last.view, last.at) == (s.view, s.at):
                between = out[k + 1 : k + 1 + len(later)]
                if not any(isinstance(x, Load) and x.view.buffer == s.view.buffer for x in walk(*between)):
                    del out[k]
                    continue
        k += 1
    return tuple(out)


def stores_to(statement: Stmt, buffer: str) -> bool:
    """Whether a statement, or one inside it, stores into a buffer."""
    return any(isinstance(x, Store) and x.view.buffer == buffer for x in walk(statement))
