"""Loops over rows of few numbers, two limbs or an exponent among what they compute, as loops without loops inside: each round's
results are formulas of what it loads, so that rounds are taken in vectors and tried with fewer digits as elements are.

    for r in 0:n: { s = 0;  for j in 0:3: s = s + x[r, j]^2            for r in 0:n: { o[r, 0] = x[r, 0]/sqrt(x[r, 0]^2 + ...)
                    for j in 0:3: o[r, j] = x[r, j]/sqrt(s) }                          o[r, 1] = ... }

Which of them it is, is looked at when the kernel runs.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from symdl.backends.rungs.few_rounds import DIVISIONS, PLAIN, with_rounds, written_out
from symdl.ir.loops import Apply, Assign, Const, For, Load, Local, Ref, Stmt, Store, Value, place_of, walk
from symdl.ir.narrow_rows import CHEAP
from symdl.number_forms import WIDE
from symdl.types import Extent, Symbol, slope, symbol, symbols

COUNTS = 2, 3, 4, 5
MOST = 150  # statements and values of such a loop


def rounds_of(loop: For) -> Symbol | int | None:
    """The size that says how many rounds all loops inside have, or their number, if the loop may be one without; None for others."""
    inner = [s for s in loop.body if isinstance(s, For)]
    items = list(walk(*loop.body))
    if not inner or len(items) > MOST or not all(isinstance(x, PLAIN) for x in items):
        return None
    if not any(isinstance(x, Apply) and x.dtype in WIDE for x in items):
        return None
    extent = inner[0].extent
    if sum(isinstance(x, For) for x in items) > len(inner) or any(s.extent != extent for s in inner):
        return None
    repeated = [x for s in inner for x in walk(*s.body) if isinstance(x, Apply)]
    if any(x.primitive not in {*CHEAP, *DIVISIONS} for x in repeated):
        return None
    if isinstance(extent, int):
        return extent if extent in COUNTS else None
    (size, *others) = symbols(extent)
    return size if not others and extent == symbol(size.name, size.serial, size.signed) else None


def ways(loop: For) -> tuple[Symbol | None, dict[int, For]] | None:
    """The loop as one without, by how many rounds those inside have, and the size that says so, None where it is known; None for
    other loops."""
    size = rounds_of(loop)
    if isinstance(size, Symbol):
        found = {count: straight(with_rounds(loop, size, count)) for count in COUNTS}
    else:
        found = {size: straight(loop)} if size is not None else {}
    loops = {count: one for count, one in found.items() if one is not None}
    return (size if isinstance(size, Symbol) else None, loops) if loops else None


def straight(known: For) -> For | None:
    """The loop without loops inside, which have a known number of rounds; None where it is long, or reads what another round may
    have written."""
    out = _Straight()
    if known.extent == 1 or not all(map(out.statement, written_out(known).body)):
        return None
    # what each round writes anew is of no use behind them
    stores = tuple(s for s in out.stores.values() if slope(place_of(s.view, s.at), known.index) != 0)
    kept = {s.view.buffer for s in stores}
    if not stores:
        return None
    items = walk(*stores)
    if len(items) > MOST or any(isinstance(x, Load) and x.view.buffer in kept for x in items):
        return None
    return For(known.index, known.extent, stores, known.schedule)


class _Straight:
    """A body of which the variables give way to their values, and what is loaded again to what was stored."""

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}
        self.stores: dict[Hashable, Store] = {}
        self.stored: set[str] = set()  # buffers
        self.equal: dict[Hashable, Value] = {}

    def statement(self, statement: Stmt) -> bool:
        """Whether it is of a kind that this is written for."""
        if not isinstance(statement, Local | Assign | Store):
            return False
        found = self.value(statement.value, {})
        if found is None:
            return False
        if not isinstance(statement, Store):
            known = isinstance(statement, Local) or statement.name in self.values
            self.values[statement.name] = found
            return known
        self.stored.add(statement.view.buffer)
        if not all(isinstance(i, Extent) for i in statement.at):
            return False
        self.stores[statement.view, statement.at] = Store(statement.view, statement.at, found)
        return True

    def value(self, item: Value, done: dict[int, Value]) -> Value | None:
        """A value of what is loaded alone."""
        if id(item) in done:
            return done[id(item)]
        found: Value | None = item
        match item:
            case Ref(name) if name in self.values:
                found = self.values[name]
            case Load(view, at) if view.buffer in self.stored:
                before = self.stores.get((view, at))
                found = before.value if before is not None and self.alone(before) else None
            case Load(view, at):
                found = self.equal.setdefault((view, at), item)
            case Apply(primitive, args, dtype):
                given: list[Any] = [self.value(x, done) for x in args]
                if any(x is None for x in given):
                    return None
                same = all(x is y for x, y in zip(given, args, strict=True))
                made = item if same else Apply(primitive, tuple(given), dtype)
                found = self.equal.setdefault((primitive, dtype, *map(id, given)), made)
            case Const(number, dtype):
                found = self.equal.setdefault((repr(number), dtype), item)
        if found is not None:
            done[id(item)] = found
        return found

    def alone(self, store: Store) -> bool:
        """Whether no other store of the same buffer may be in the same place."""
        others = [s for s in self.stores.values() if s.view.buffer == store.view.buffer and s is not store]
        apart = [place_of(s.view, s.at) - place_of(store.view, store.at) for s in others]
        return all(isinstance(gap, int) and gap != 0 for gap in apart)
