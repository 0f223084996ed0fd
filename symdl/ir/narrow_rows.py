"""Rows too narrow to fill a vector, gone through column by column: then a vector holds one column of several rows.

    for r in 0:n: for j in 0:m:                 for j in 0:m: { a = 0
        o[r, j] = exp(x[r, j] - t[j])               for r in 0:n: { o[r, j] = exp(x[r, j] - t[j])
        s[j] = s[j] + o[r, j]                                       a = a + o[r, j] }
                                                    s[j] = a }

That the rows are narrow may be known at run time only: then both stand in the program, and the loops of one of them have no rounds.
"""

from __future__ import annotations

from symdl.ir.column_sums import NARROW, plain
from symdl.ir.loops import (
    Apply,
    Assign,
    For,
    Load,
    Local,
    Ref,
    Schedule,
    Stmt,
    Store,
    Value,
    View,
    walk,
)
from symdl.ir.rebuilding import rebuilt
from symdl.types import Extent, Symbol, largest, slope, smallest, symbol

# Primitives of an instruction or two.
CHEAP = frozenset(
    "add sub mul neg abs maximum minimum eq ne lt le gt ge bitwise_and bitwise_or bitwise_xor invert left_shift right_shift"
    " where cast floor ceil trunc round_half_even isnan".split()
)


def by_columns(rows: For) -> tuple[Stmt, ...]:
    """The loops that take the place of one over rows: itself, where columns need one another, or little is computed."""
    match rows:
        case For(r, count, (For(j, m, body),)) if all(isinstance(s, Local | Store) for s in body):
            pass
        case _:
            return (rows,)
    narrow = smallest(largest(NARROW + 1 - m, 0), 1)
    items = list(walk(*body))
    costly = any(isinstance(x, Apply) and x.primitive not in CHEAP for x in items)
    known = all(map(plain, items))
    if narrow == 0 or not costly or not known or not _apart(items, r, j):
        return (rows,)
    sums: dict[View, Ref] = {}
    for x in items:
        if isinstance(x, Store) and x.at == (symbol(j.name),):
            sums[x.view] = Ref(f"narrow{len(sums)}", x.view.dtype)
    values: dict[int, Value] = {id(x): sums[x.view] for x in items if isinstance(x, Load) and x.view in sums}
    column = tuple(
        Assign(sums[s.view].name, s.value) if isinstance(s, Store) and s.view in sums else s
        for s in rebuilt(body, values)
    )
    schedule: Schedule = "vector" if sums else "serial"
    before = [Local(ref.name, Load(view, (symbol(j.name),))) for view, ref in sums.items()]
    after = [Store(view, (symbol(j.name),), ref) for view, ref in sums.items()]
    first = For(j, m * narrow, (*before, For(r, count, column, schedule), *after), "few")
    other = Symbol(f"{j.name}_wide")
    again = For(r, count * (1 - narrow), (For(other, m, rebuilt(body, symbols={j: symbol(other.name)})),))
    return (first,) if narrow == 1 else (first, again)


def _apart(items: list[object], r: Symbol, j: Symbol) -> bool:
    """Whether what is stored is touched at one place a round, in its own column and either its own row or in sums."""
    column = symbol(j.name)
    places: dict[str, Load | Store] = {}
    for x in items:
        if isinstance(x, Store):
            if places.setdefault(x.view.buffer, x) is not x or x.at[-1] != column:
                return False
            if len(x.at) == 1:
                continue
            first = x.at[0]
            if (
                len(x.at) > 2
                or not isinstance(first, Extent)
                or slope(first, r) != 1
                or x.view.strides != (x.view.shape[1], 1)
            ):
                return False
    return all(
        x.view == places[x.view.buffer].view and x.at == places[x.view.buffer].at
        for x in items
        if isinstance(x, Load) and x.view.buffer in places
    )
