"""Whether rounds of a loop touch nothing in common, whatever loops stand around it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from symdl.ir.loops import For, Load, Stmt, Store, View, is_value, walk
from symdl.ir.rounds import independent, loops_in
from symdl.types import Extent, Symbol, at_most, replace_symbols, slope, symbol, symbols

Use = Load | Store


def apart(index: Symbol, body: tuple[Stmt, ...], uses: list[Use]) -> bool:
    """Whether no two rounds touch one element of a buffer, the indices of loops around being fixed.

    uses: what the rounds' statements, the body, do to the buffer.
    """
    inner = {index} | {x.index for x in walk(*body) if isinstance(x, For)}
    uses = [fixed(counted(u, index), inner) for u in uses]
    return independent(index, uses, loops_in(body)) or is_counted(index, uses)


def is_counted(index: Symbol, uses: list[Use]) -> bool:
    """Whether all uses are of one view, whose elements have places of their own, and the index counts one axis of it."""
    here, view = symbol(index.name), uses[0].view
    if any(u.view != view for u in uses):
        return False
    if not any(all(not is_value(u.at[k]) and u.at[k] == here for u in uses) for k in range(len(view.shape))):
        return False
    axes = [(n, stride) for n, stride in zip(view.shape, view.strides, strict=True) if n != 1]
    while axes:  # the innermost axis first: all of it must lie within one step of each of the others
        inner = next(
            ((n, s) for n, s in axes if at_most(1, s) and all(reaches(n, s, t) for m, t in axes if (m, t) != (n, s))),
            None,
        )
        if inner is None or axes.count(inner) > 1:
            return False
        axes.remove(inner)
    return True


def reaches(extent: Extent, stride: Extent, step: Extent) -> bool:
    """Whether an axis ends within so many elements."""
    return at_most(extent * stride, step)


def counted(use: Use, index: Symbol) -> Use:
    """The use with an axis that an index moves by one counted by the index itself, the rest being where it begins."""
    view, at, offset = use.view, list(use.at), use.view.offset
    if any(not is_value(i) and i == symbol(index.name) for i in at):
        return use
    for k, i in enumerate(at):
        if isinstance(i, Extent) and slope(i, index) == 1:
            offset = offset + replace_symbols(i, {index: 0}) * view.strides[k]
            at[k] = symbol(index.name)
            break
    moved = View(view.buffer, view.dtype, view.shape, view.strides, offset)
    return replace(use, view=moved, at=tuple(at))


def fixed(use: Use, moving: set[Symbol]) -> Use:
    """The use with only those axes that data or these indices count; the others are part of where it begins."""
    offset = use.view.offset
    kept: list[tuple[Extent, Extent, Any]] = []
    for n, stride, i in zip(use.view.shape, use.view.strides, use.at, strict=True):
        if isinstance(i, Extent) and not symbols(i) & moving:
            offset = offset + i * stride
        else:
            kept.append((n, stride, i))
    shape, strides, at = (tuple(k[j] for k in kept) for j in range(3))
    view = View(use.view.buffer, use.view.dtype, shape, strides, offset)
    return replace(use, view=view, at=at)


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
