"""Whether the rounds of a loop touch nothing in common: proved from the places that its loads and stores can reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from symdl.ir.loops import For, Load, Stmt, Store, is_value, walk
from symdl.types import Extent, Symbol, at_most, product, replace_symbols, slope, symbol, symbols

Inner = Mapping[Symbol, Extent | None]  # the loops of a round: how often each runs, None where loops share an index


def independent(index: Symbol, uses: list[Load | Store], inner: Inner) -> bool:
    """Whether no two rounds touch one element of a buffer: the index counts an axis, or moves where views begin, by a step
    that leads beyond all that a round can touch. inner: the loops of a round."""
    found = [touched(index, use, inner) for use in uses]
    first = found[0]
    if first is None:
        return False
    step, base = first[1], first[0]
    apart = [d for t in found if t is not None and isinstance(d := t[0] - base, int)]
    if len(apart) == len(found):  # places in a row of a larger buffer, which may lie anywhere in it
        base = base + min(apart)
    elif any(t is not None and t[0] != base for t in found):
        base = 0
    return all(t is not None and t[1] == step and at_most(t[0] - base + t[2], step) for t in found)


def touched(index: Symbol, use: Load | Store, inner: Inner) -> tuple[Extent, Extent, Extent] | None:
    """(where what round 0 can touch begins, how far a round moves it, how long it is); None if there is more to it."""
    here, view = symbol(index.name), use.view
    start: Extent = view.offset
    length: Extent = 1
    axis = next((k for k, i in enumerate(use.at) if not is_value(i) and i == here), None)
    step = slope(start, index) if axis is None else view.strides[axis]
    if step is None or step == 0 or symbols(step) & inner.keys() or (axis is not None and index in symbols(start)):
        return None
    start = replace_symbols(start, {index: 0})
    for other in symbols(start) & inner.keys():
        own, rounds = slope(start, other), inner[other]
        if (
            own is None
            or rounds is None
            or symbols(own) & inner.keys()
            or index in symbols(rounds)
            or not at_most(0, own)
        ):
            return None
        start, length = replace_symbols(start, {other: 0}), length + (rounds - 1) * own
    within_rows = [product(view.shape[j:]) for j in range(len(use.at))]  # extents are never negative, proved or not
    for k, (i, n, stride) in enumerate(zip(use.at, view.shape, view.strides, strict=True)):
        if k == axis or n == 1:
            continue
        if not is_value(i) and index in symbols(i):
            return None
        if not at_most(0, stride) and stride not in within_rows:
            return None
        length = length + (n - 1) * stride
    return start, step, length


def counted_on(use: Load | Store, least: Mapping[Symbol, Extent]) -> Load | Store:
    """The use, with sizes that are known not to be less than some number counted from there on."""
    view = use.view

    def change(extent: Extent) -> Extent:
        return replace_symbols(extent, least)

    return replace(
        use,
        view=replace(
            view,
            shape=tuple(map(change, view.shape)),
            strides=tuple(map(change, view.strides)),
            offset=change(view.offset),
        ),
    )


def loops_in(body: Sequence[Stmt]) -> Inner:
    """The loops in a body."""
    found: dict[Symbol, Extent | None] = {}
    for item in walk(*body):
        if isinstance(item, For):
            found[item.index] = item.extent if found.get(item.index, item.extent) == item.extent else None
    return found
