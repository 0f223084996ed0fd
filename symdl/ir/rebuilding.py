"""Statements again with other values, other views, or other numbers for symbols."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from symdl.ir.loops import (
    Apply,
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
    parts,
)
from symdl.types import Extent, Symbol, replace_symbols

NOTHING: Mapping[Any, Any] = MappingProxyType({})
_SIZED = frozenset((For, Position, Guard, Checked, Load, Store))  # what names extents itself


def rebuilt(
    body: tuple[Stmt, ...],
    values: Mapping[int, Value] = NOTHING,
    views: Callable[[View], View] | None = None,
    symbols: Mapping[Symbol, Extent] = NOTHING,
) -> tuple[Stmt, ...]:
    """The statements with values (by identity) replaced, with symbols replaced in every extent, and with what `views` makes
    of each view. What is shared stays shared, and what does not change stays itself."""
    done: dict[int, Any] = dict(values)
    known: dict[Extent, Extent] = {}

    def extent(e: Extent) -> Extent:
        if isinstance(e, int) or not symbols:
            return e
        if e not in known:
            known[e] = replace_symbols(e, symbols)
        return known[e]

    def window(view: View) -> View:
        """What views makes of it, with symbols replaced."""
        if views is not None:
            view = views(view)
        if not symbols:
            return view
        shape, strides = tuple(map(extent, view.shape)), tuple(map(extent, view.strides))
        return View(view.buffer, view.dtype, shape, strides, extent(view.offset))

    def at(item: Load | Store) -> tuple[Any, ...]:
        return tuple(done[id(i)] if is_value(i) else extent(i) for i in item.at)  # type: ignore[arg-type]  # is_value says so

    stack: list[Any] = list(reversed(body))
    while stack:
        item = stack[-1]
        if id(item) in done:
            stack.pop()
            continue
        kind = type(item)
        inside = item.args if kind is Apply else parts(item)
        waiting, same = len(stack), True
        for p in inside:
            made = done.get(id(p))
            if made is None:
                stack.append(p)
            elif made is not p:
                same = False
        if len(stack) > waiting:
            stack[waiting:] = stack[: waiting - 1 : -1]
            continue
        stack.pop()
        done[id(item)] = item
        view: Any = window(item.view) if kind is Load or kind is Store else None
        if same and not (symbols and kind in _SIZED) and (view is None or view is item.view):
            continue
        match item:
            case For(index, count, statements, schedule):
                done[id(item)] = For(index, extent(count), tuple(done[id(s)] for s in statements), schedule)
            case Local(name, value) | Assign(name, value):
                done[id(item)] = type(item)(name, done[id(value)])
            case Store(_, _, value):
                done[id(item)] = Store(view, at(item), done[id(value)])
            case Load():
                done[id(item)] = Load(view, at(item))
            case Position(e, dtype):
                done[id(item)] = Position(extent(e), dtype)
            case Apply(primitive, args, dtype):
                done[id(item)] = Apply(primitive, tuple(done[id(a)] for a in args), dtype)
            case Guard(bounds, value, other):
                bounds = tuple((extent(i), extent(n)) for i, n in bounds)
                done[id(item)] = Guard(bounds, done[id(value)], done[id(other)])
            case Checked(value, limit, code, dtype):
                done[id(item)] = Checked(done[id(value)], extent(limit), code, dtype)
    return tuple(done[id(s)] for s in body)
