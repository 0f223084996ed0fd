"""Places of extremes, in whole arrays and down columns of many rows, found in blocks of rows for threads and registers.

    for j in 0:m: { best = -inf;  at = 0                                  for parallel b in blocks: for j in 0:m:
        for i in 0:n:                                                         best = -inf;  at = 0
            chosen = better(x[i, j], best)                                    for i in the block's rows: ...
            at = where(chosen, i, at);  best = where(chosen, x[i, j], best)   bests[b, j] = best;  places[b, j] = at
        o[j] = at }                                                       for j in 0:m: the best of bests[:, j], the first of equal ones

Of several narrow rows that lie behind one another a block makes one wide one first, as in `column_sums`, so that vectors are filled and
what waits for the row before it is a part of them. Few rows are gone through at once: where that is known only at run time both stand
in the program, and the loops of one of them have no rounds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from symdl.ir.column_sums import (
    BLOCK,
    BLOCK_INDEX,
    COLUMN,
    GROUP,
    NARROW,
    ROW,
    behind_one_another,
    few_rows,
    plain,
    value_at,
)
from symdl.ir.loops import (
    Apply,
    Assign,
    Const,
    For,
    Load,
    Local,
    Position,
    Ref,
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
from symdl.records import record
from symdl.types import Extent, Symbol, floor_divide, largest, slope, smallest, symbol, symbols

# Narrow rows that are taken together: three columns then fill twelve vectors, none of which waits for another.
TOGETHER = 64
LEAST = 16  # rows of a block
COUNTED = "int32"  # rows of a block: as wide as a float32, so that vectors hold as many of them


@record
class Choice:
    """The kernel that is a choice. start: the variables before it; after: what becomes of them. columns: one where the
    array is whole."""

    rows: For
    columns: For
    start: tuple[Local, Local, Local]  # best, at, chosen
    value: Value
    greatest: bool
    after: tuple[Stmt, ...]


def better(value: Value, best: Value, greatest: bool) -> Value:
    """Whether a value is better than the best so far; a NaN beats all numbers, and nothing a NaN."""
    if not value.dtype.startswith("float"):
        return Apply("gt" if greatest else "lt", (value, best), "bool")
    as_good = Apply("le" if greatest else "ge", (value, best), "bool")
    number = Apply("invert", (Apply("isnan", (best,), "bool"),), "bool")
    return Apply("bitwise_and", (Apply("invert", (as_good,), "bool"), number), "bool")


def equal(value: Value, best: Value) -> Value:
    """Whether neither is better than the other."""
    same = Apply("eq", (value, best), "bool")
    if not value.dtype.startswith("float"):
        return same
    both = Apply("bitwise_and", (Apply("isnan", (value,), "bool"), Apply("isnan", (best,), "bool")), "bool")
    return Apply("bitwise_or", (same, both), "bool")


def choice_in(kernel: Kernel) -> Choice | None:
    """The choice that is all of a kernel, if it is one."""
    match kernel.body:
        case (For(j, m, body) as columns,) if not any(isinstance(s, Assign) for s in body):
            pass
        case body:
            j, m, columns = Symbol("_only"), 1, For(Symbol("_only"), 1, body)
    match body:
        case (
            Local(b) as best,
            Local(a) as at,
            Local(c) as chosen,
            For(
                i,
                n,
                (
                    Assign(c1, test),
                    Assign(a1, Apply("where", (Ref(c2), Position(here), Ref(a2)))),
                    Assign(b1, Apply("where", (Ref(c3), value, Ref(b2)))),
                ),
            ) as rows,
            *after,
        ) if (a, b, c) == (a1, b1, c1) == (a2, b2, c2) and c3 == c and here == symbol(i.name):
            pass
        case _:
            return None
    if not all(isinstance(s, Store) and isinstance(s.value, Ref | Apply) for s in after) or j in symbols(n):
        return None
    stored = {s.view.buffer for s in after if isinstance(s, Store)}
    items = walk(value)
    loads = [x for x in items if isinstance(x, Load)]
    if not all(map(plain, items)) or any(x.view.buffer in stored or any(map(is_value, x.at)) for x in loads):
        return None
    if len(kernel.body) == 1 and any(slope(place_of(x.view, x.at), j) not in (0, 1) for x in loads):
        return None  # not columns, but rows, each of which is gone through by itself
    if any(isinstance(x, Ref) for x in items) or any(
        not plain(x) or isinstance(x, Load) for s in after for x in walk(s)
    ):
        return None
    first = next((x for x in walk(test) if isinstance(x, Apply) and x.primitive in ("gt", "lt", "le", "ge")), None)
    if first is None or i in symbols(m):
        return None
    return Choice(rows, columns, (best, at, chosen), value, first.primitive in ("gt", "le"), tuple(after))


def cut(choice: Choice, partial: Callable[[str, tuple[Extent, ...]], View]) -> list[For]:
    """The loops that take its place: one for few rows, blocks of many, and what combines these. partial: a new temporary."""
    n, m = choice.rows.extent, choice.columns.extent
    few = few_rows(n)
    if few == 1:
        return []
    best, at, chosen = (Ref(s.name, s.value.dtype) for s in choice.start)
    alone = isinstance(m, int) and m == 1
    narrow = behind_one_another(choice.value, choice.rows, choice.columns) and not alone
    together = 1 + (TOGETHER - 1) * smallest(largest(NARROW + 1 - m, 0), 1) if narrow else 1
    unit = largest(together, LEAST)
    length = floor_divide(largest(floor_divide(BLOCK, largest(m, 1)), unit), unit) * unit
    many = 1 - few
    count = floor_divide(n + length - 1, length) * many
    b, c, r, k = (symbol(s.name) for s in (BLOCK_INDEX, COLUMN, ROW, GROUP))
    # a whole array goes by groups of vectors (`llvm/choices`), which count by themselves
    within = at.dtype if alone else COUNTED
    bests, places = partial(best.dtype, (count * together, m)), partial(within, (count * together, m))
    wide = [View(v.buffer, v.dtype, (count, together * m), (together * m, 1)) for v in (bests, places)]

    def step(value: Value, place: Value, more: Callable[[Value], Value] = lambda test: test) -> tuple[Stmt, ...]:
        before = Ref(at.name, place.dtype)
        if place.dtype == COUNTED:  # one largest waits for the other, and not for what is compared
            new: Value = Apply("maximum" if choice.greatest else "minimum", (best, value), best.dtype)
        else:
            new = Apply("where", (chosen, value, best), best.dtype)
        return (
            Assign(chosen.name, more(better(value, best, choice.greatest))),
            Assign(at.name, Apply("where", (chosen, place, before), place.dtype)),
            Assign(best.name, new),
        )

    def value(row: Extent, column: Extent) -> Value:
        return value_at(choice.value, choice.rows, choice.columns, row, column)

    groups = floor_divide(smallest(length, n - b * length), together)
    in_block: tuple[Stmt, ...] = (
        *(replace(s, value=Const(0, within)) if s.name == at.name else s for s in choice.start),
        For(ROW, groups, step(value(b * length + r * together, c), Position(r, within))),
        *(Store(view, (b, c), x) for view, x in zip(wide, (best, Ref(at.name, within)), strict=True)),
    )
    found = Load(bests, (b * together + k, c))
    row = Load(places, (b * together + k, c))
    where = Apply("mul", (row if within == at.dtype else Apply("cast", (row,), at.dtype), Position(together)), at.dtype)
    place = Apply("add", (where, Position(b * length + k)), "int64")

    def sooner(test: Value) -> Value:
        first = Apply("bitwise_and", (equal(found, best), Apply("lt", (place, at), "bool")), "bool")
        return Apply("bitwise_or", (test, first), "bool")

    whole = floor_divide(n, together) * together
    combined: tuple[Stmt, ...] = (
        *choice.start,
        For(BLOCK_INDEX, count, (For(GROUP, together, step(found, place, sooner)),)),
        For(ROW, n - whole, step(value(whole + r, c), Position(whole + r))),
        *rebuilt(choice.after, symbols={choice.columns.index: c}),
    )
    loops = [
        For(BLOCK_INDEX, count, (For(COLUMN, together * m, in_block),), "parallel"),
        For(COLUMN, m * many, combined, "parallel"),
    ]
    return loops if few == 0 else [replace(choice.columns, extent=m * few, schedule="parallel"), *loops]
