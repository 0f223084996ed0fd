"""Nests of loops over neighbouring memory as one loop: longer vectors, and more rounds to share out.

    for i in 0:n: for j in 0:m: o[i, j] = x[i, j] + 1      for j in 0:n*m: o[j] = x[j] + 1

Two loops are one if a round of the outer moves every place that is touched, and every position, as far as all rounds of
the inner do.
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
from symdl.ir.rebuilding import rebuilt
from symdl.types import Extent, Symbol, replace_symbols, slope, symbol, symbols


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
    if outer.index in symbols(inner.extent):
        return outer
    values: dict[int, Value] = {}
    stores: dict[int, View] = {}
    for item in walk(*inner.body):
        if isinstance(item, Guard | Checked) or (not isinstance(item, Local | Assign | Store) and not is_value(item)):
            return outer
        if isinstance(item, Position):
            found = moves(item.extent, outer.index, inner)
            if found is None:
                return outer
            values[id(item)] = Position(replace_symbols(item.extent, {outer.index: 0}), item.dtype)
        if isinstance(item, Load | Store):
            place = place_of(item.view, item.at)
            step = moves(place, outer.index, inner)
            if step is None or any(map(is_value, item.at)):
                return outer
            start = replace_symbols(place, {outer.index: 0, inner.index: 0})
            view = View(item.view.buffer, item.view.dtype, (outer.extent * inner.extent,), (step,), start)
            if isinstance(item, Load):
                values[id(item)] = Load(view, (symbol(inner.index.name),))
            else:
                stores[id(item)] = view
    body = [
        Store(stores[id(old)], (symbol(inner.index.name),), new.value) if isinstance(new, Store) else new
        for old, new in zip(inner.body, rebuilt(inner.body, values), strict=True)
    ]
    return For(inner.index, outer.extent * inner.extent, tuple(body), inner.schedule)


def moves(place: Extent, outer: Symbol, inner: For) -> Extent | None:
    """How far a round of the inner loop moves a place, if all its rounds together move it as far as one of the outer."""
    near, far = slope(place, inner.index), slope(place, outer)
    return near if near is not None and far is not None and far == near * inner.extent else None
