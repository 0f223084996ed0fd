"""Which loops may be dealt out to threads, and between which statements the threads of a group must meet.

Statements of a group of threads run in all of them; a loop of independent rounds is dealt out; what is serial is done by
the first thread alone. Where one thread reads what another wrote, or writes what another reads, a barrier stands between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from symdl.backends.nvptx.carried import is_shared
from symdl.backends.nvptx.independence import Use, apart, is_stored, uses_in
from symdl.ir.loops import Assign, Barrier, For, Local, Stmt, Store, View, walk
from symdl.ir.parallel import sum_of
from symdl.types import Extent, Symbol, replace_symbols, symbol, symbols

Who = Literal["all", "first", "dealt"]


@dataclass(frozen=True)
class Fold:
    """variable = primitive(variable, value), once a round."""

    primitive: str
    dtype: str


def folds_of(loop: For) -> dict[str, Fold] | None:
    """The variables that the rounds of a loop add up, if that is all that they hand on to one another; else None."""
    declared: set[str] = set()
    assigned: dict[str, list[Assign | Store]] = {}
    for item in walk(loop):
        match item:
            case Local():
                declared.add(item.name)
            case Assign():
                assigned.setdefault(item.name, []).append(item)
            case Barrier():
                return None
    folds: dict[str, Fold] = {}
    for name, sets in assigned.items():
        if name in declared:
            continue
        primitive = sum_of(loop, sets, name)
        if primitive is None:
            return None
        folds[name] = Fold(primitive, sets[0].value.dtype)
    for uses in uses_in(loop).values():
        if is_stored(uses) and not apart(loop.index, loop.body, uses):
            return None
    return folds


def nested(loop: For) -> list[For]:
    """The loop and those right inside it that may be dealt out together with it."""
    loops = [loop]
    while len(loops[-1].body) == 1 and isinstance(inner := loops[-1].body[0], For):
        if symbols(inner.extent) & {x.index for x in loops} or folds_of(inner) is None:
            break
        loops.append(inner)
    return loops


def may_be_dealt(statement: Stmt) -> bool:
    """Whether the statement is a loop whose rounds may be dealt out."""
    return isinstance(statement, For) and folds_of(statement) is not None


def has_dealt(body: Sequence[Stmt]) -> bool:
    """Whether a loop among the statements, or inside them, may be dealt out, or shared otherwise."""
    return any(isinstance(s, For) and (may_be_dealt(s) or is_shared(s) or has_dealt(s.body)) for s in body)


@dataclass(frozen=True)
class Touch:
    """How a statement touches a buffer: by which threads; if dealt, by which loop in units of how many rounds."""

    who: Who
    uses: tuple[Use, ...]
    index: Symbol | None = None
    body: tuple[Stmt, ...] = ()
    extent: Extent = 0
    lanes: int = 1

    @property
    def stores(self) -> bool:
        return is_stored(list(self.uses))

    def meets(self, other: Touch) -> bool:
        """Whether one thread may touch what another one changes."""
        if not (self.stores or other.stores) or (self.who == other.who == "first"):
            return False
        if self.who == other.who == "dealt" and self.index is not None and other.index is not None:
            if (self.extent, self.lanes) != (other.extent, other.lanes):
                return True
            common = Symbol("_dealt")
            both = [renamed(u, self.index, common) for u in self.uses]
            both += [renamed(u, other.index, common) for u in other.uses]
            return not apart(common, self.body + other.body, both)
        return True


def renamed(use: Use, index: Symbol, name: Symbol) -> Use:
    """The use with another name for an index."""
    values = {index: symbol(name.name)}
    view = use.view
    strides = tuple(replace_symbols(s, values) for s in view.strides)
    at: tuple[Any, ...] = tuple(replace_symbols(i, values) if isinstance(i, Extent) else i for i in use.at)
    moved = View(view.buffer, view.dtype, view.shape, strides, replace_symbols(view.offset, values))
    return replace(use, view=moved, at=at)


@dataclass
class Hazards:
    """What the threads of a group have touched since they last met."""

    pending: dict[str, list[Touch]] = field(default_factory=dict)

    def clash(self, touches: dict[str, list[Touch]]) -> bool:
        """Whether the threads must meet before these."""
        return any(a.meets(b) for name, new in touches.items() for a in self.pending.get(name, ()) for b in new)

    def add(self, touches: dict[str, list[Touch]]) -> None:
        for name, new in touches.items():
            self.pending.setdefault(name, []).extend(new)

    def clear(self) -> None:
        self.pending.clear()
