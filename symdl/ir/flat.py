"""Nests of loops over neighbouring memory as one loop: longer vectors, and more rounds to share out.

    for i in 0:n: for j in 0:m: o[i, j] = x[i, j] + 1      for j in 0:n*m: o[j] = x[j] + 1

Two loops are one if a round of the outer moves every place that is touched, and every position, as far as all rounds of
the inner do. Loops may stand inside: the rows of one sequence of a batch are then shared out as those of many are.
"""

from __future__ import annotations

from dataclasses import replace

from symdl.ir.loops import (
    Assign,
    Checked,
    For,
    Guard,
    Load,
    Local,
    Position,
    Stmt,
    Store,
    Value,
    View,
    is_value,
    place_of,
    walk,
)
from symdl.ir.program import Kernel
from symdl.ir.rebuilding import rebuilt
from symdl.types import Extent, Symbol, replace_symbols, slope, symbol, symbols


def flattened(kernel: Kernel) -> Kernel:
    """The kernel with loops joined."""
    return Kernel(tuple(map(flat, kernel.body)), kernel.sources)


def flat(statement: Stmt) -> Stmt:
    """The statement with loops joined from the inside out."""
    if not isinstance(statement, For):
        return statement
    body = tuple(map(flat, statement.body))  # as deep as arrays have axes
    loop = (
        statement if all(a is b for a, b in zip(body, statement.body, strict=True)) else replace(statement, body=body)
    )
    return joined(loop, body[0]) if len(body) == 1 and isinstance(body[0], For) else loop


def joined(outer: For, inner: For) -> For:
    """Both loops as one, or the outer as it is."""
    both = {outer.index, inner.index}
    if outer.index in symbols(inner.extent):
        return outer
    values: dict[int, Value] = {}
    stores: dict[int, tuple[View, tuple[Extent, ...]]] = {}
    for item in walk(*inner.body):
        if isinstance(item, For) and both.isdisjoint(symbols(item.extent)):
            continue
        if isinstance(item, Guard | Checked) or (not isinstance(item, Local | Assign | Store) and not is_value(item)):
            return outer
        if isinstance(item, Position):
            found = moves(item.extent, outer.index, inner)
            if found is None:
                return outer
            values[id(item)] = Position(replace_symbols(item.extent, {outer.index: 0}), item.dtype)
        if isinstance(item, Load | Store):
            step = moves(place_of(item.view, item.at), outer.index, inner)
            if step is None or any(map(is_value, item.at)):
                return outer
            if isinstance(item, Load):
                values[id(item)] = Load(*along(item, step, outer, inner))
            else:
                stores[id(item)] = along(item, step, outer, inner)
    body = rebuilt(inner.body, values)
    if stores:
        body = with_places(inner.body, body, stores)
    return For(inner.index, outer.extent * inner.extent, body, inner.schedule)


def along(item: Load | Store, step: Extent, outer: For, inner: For) -> tuple[View, tuple[Extent, ...]]:
    """The place of an item in a round of both loops as one: (a view, the indices in it). Axes that other loops count stay."""
    view, at = item.view, tuple(i for i in item.at if isinstance(i, Extent))  # none comes from data
    both = {outer.index, inner.index}
    axes = [k for k, i in enumerate(at) if not both.isdisjoint(symbols(i))]
    if not axes and both.isdisjoint(symbols(view.offset)):
        return view, at
    here = symbol(inner.index.name)
    counted = [k for k in axes if at[k] == symbol(outer.index.name) or at[k] == here]
    if axes != counted or not both.isdisjoint(symbols(view.offset)):
        start = replace_symbols(place_of(view, at), dict.fromkeys(both, 0))
        return View(view.buffer, view.dtype, (outer.extent * inner.extent,), (step,), start), (here,)
    kept = [k for k in range(len(at)) if k not in axes]
    shape = (outer.extent * inner.extent, *(view.shape[k] for k in kept))
    strides = (step, *(view.strides[k] for k in kept))
    return View(view.buffer, view.dtype, shape, strides, view.offset), (here, *(at[k] for k in kept))


def with_places(
    old: tuple[Stmt, ...], new: tuple[Stmt, ...], stores: dict[int, tuple[View, tuple[Extent, ...]]]
) -> tuple[Stmt, ...]:
    """The new statements with the places of stores; the old ones are those that they were made of."""
    out: list[Stmt] = []
    for before, after in zip(old, new, strict=True):
        match before, after:
            case Store(), Store(_, _, value):
                after = Store(*stores[id(before)], value)
            case For(_, _, inside), For(_, _, made):
                after = replace(after, body=with_places(inside, made, stores))
        out.append(after)
    return tuple(out)


def moves(place: Extent, outer: Symbol, inner: For) -> Extent | None:
    """How far a round of the inner loop moves a place, if all its rounds together move it as far as one of the outer."""
    near, far = slope(place, inner.index), slope(place, outer)
    return near if near is not None and far is not None and far == near * inner.extent else None
