"""Sums of columns, which fusion writes as rows that are folded into a row of accumulators, cut for threads and registers.

    for j in 0:m: s[j] = 0
    for i in 0:n: for j in 0:m: s[j] = s[j] + x[i, j]
    for j in 0:m: o[j] = float32(s[j])

Of few rows each column is summed at once, and no row of accumulators is left:

    for parallel j in 0:m: { a = 0;  for i in 0:n: a = a + x[i, j];  o[j] = float32(a) }

Of many, blocks of rows are, and then the blocks' sums in the same way. Of several narrow rows that lie behind one another a block
makes one wide one first, so that vectors are filled; numbers of the columns, their means say, are written behind one another as
often. Which of the two it is follows from the sizes: where that is known only at run time both stand in the program, and the loops
of one of them have no rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from symdl.ir.flat import moves
from symdl.ir.loops import (
    Apply,
    Assign,
    Checked,
    Const,
    For,
    Guard,
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
from symdl.number_forms import WIDE
from symdl.records import record
from symdl.types import (
    Extent,
    Symbol,
    at_most,
    floor_divide,
    largest,
    replace_symbols,
    slope,
    smallest,
    symbol,
    symbols,
)

FEW = 64  # rows that are summed at once
BLOCK = 1 << 15  # elements of a block of rows
NARROW = 32  # columns, up to which rows are taken together
TOGETHER = 16  # so many
PLAIN = (For, Local, Store, Load, Const, Position, Ref, Apply)
COLUMN, ROW, BLOCK_INDEX, GROUP = (Symbol(f"_{name}") for name in ("column", "row", "block", "group"))


def plain(item: object) -> bool:
    """Whether a part of a loop may be taken column by column: it checks and guards nothing, and has no number form."""
    if not isinstance(item, PLAIN) or getattr(item, "dtype", "") in WIDE:
        return False
    return not isinstance(item, Load | Store) or item.view.dtype not in WIDE


@record
class Fold:
    """s[j] = primitive(s[j], value), for all rows, from a constant on; result: what becomes of s[j]."""

    rows: For
    columns: For
    primitive: str
    start: Const
    value: Value
    result: Store | None
    total: Load | None  # in the result
    sums: View


def found_in(kernel: Kernel, alone: Callable[[View], bool]) -> Fold | None:
    """The fold that is all of a kernel, if it is one. alone: whether a view is a buffer that no other step touches."""
    match kernel.body:
        case (
            For(k, count, (Store(filled, (at,), Const() as start),)),
            For(
                i, _, (For(j, width, (Store(sums, (here,), Apply(primitive, (Load(old, (there,)), value))),)) as inner,)
            ) as outer,
            *rest,
        ) if filled == sums == old and at == symbol(k.name) and here == there == symbol(j.name) and count == width:
            pass
        case _:
            return None
    if i in symbols(width) or any(isinstance(x, Load) and x.view.buffer == sums.buffer for x in walk(value)):
        return None
    if any(isinstance(x, Checked | Guard) for x in walk(value)):
        return None
    fold = Fold(outer, inner, primitive, start, value, None, None, sums)
    match rest:
        case []:
            return fold
        case [For(k, count, (Store(_, (at,)) as result,))] if count == width and at == symbol(k.name) and alone(sums):
            totals = [x for x in walk(result.value) if isinstance(x, Load)]
            if len(totals) != 1 or totals[0].view != sums or totals[0].at != (at,) or result.view.buffer == sums.buffer:
                return None
            if any(isinstance(x, Position | Checked) for x in walk(result)):
                return None
            moved = rebuilt((result,), symbols={k: symbol(COLUMN.name)})[0]
            assert isinstance(moved, Store)
            (total,) = (x for x in walk(moved.value) if isinstance(x, Load))
            return Fold(outer, inner, primitive, start, value, moved, total, sums)
    return None


def few_rows(rows: Extent) -> Extent:
    """1 where so many rows are few, else 0."""
    return smallest(largest(FEW + 1 - rows, 0), 1)


def cut(fold: Fold, partial: Callable[[str, tuple[Extent, ...]], View], few: Extent) -> list[For]:
    """The loops that take its place, each to be a kernel. partial: a new temporary of a dtype and shape. few: 1 if the rows are
    to be summed at once, else 0."""
    n, m = fold.rows.extent, fold.columns.extent
    out: list[For] = []
    if few != 0:
        at_once = _column(fold, n, lambda r: _value(fold, r, symbol(COLUMN.name)))
        out.append(For(COLUMN, m * few, at_once(_last(fold)), "parallel"))
    if few == 1:
        return out
    many = 1 - few
    together: Extent = 1
    own = numbers_of_columns(fold) if not at_most(NARROW + 1, m) else []
    whole = behind_one_another(fold.value, fold.rows, fold.columns, own)
    if whole:
        together = 1 + (TOGETHER - 1) * smallest(largest(NARROW + 1 - m, 0), 1)
        fold, written = _written_often(fold, own, together, partial)
        out += [replace(s, extent=s.extent * many) for s in written]
    length = floor_divide(largest(floor_divide(BLOCK, largest(m, 1)), TOGETHER), TOGETHER) * TOGETHER
    count = floor_divide(n + length - 1, length) * many
    found = partial(fold.sums.dtype, (count * together, m))
    b, c = symbol(BLOCK_INDEX.name), symbol(COLUMN.name)
    rows = smallest(length, n - b * length)
    groups = floor_divide(rows, together)
    wide = View(found.buffer, found.dtype, (count, together * m), (together * m, 1))
    in_block = _column(fold, groups, lambda r: _value(fold, b * length + r * together, c))
    body: list[Stmt] = [For(COLUMN, together * m, in_block(lambda a: Store(wide, (b, c), a)))]
    if whole:
        at = (b, c)
        left = _value(fold, b * length + groups * together + symbol(ROW.name), c)
        total = Apply(fold.primitive, (Load(wide, at), left), found.dtype)
        body.append(For(ROW, rows - groups * together, (For(COLUMN, m, (Store(wide, at, total),)),)))
    out.append(For(BLOCK_INDEX, count, tuple(body), "parallel"))
    sums = _column(fold, count * together, lambda r: Load(found, (r, c)))(_last(fold))
    out.append(For(COLUMN, m * many, sums, "parallel"))
    return out


def _column(
    fold: Fold, rows: Extent, value: Callable[[Extent], Value]
) -> Callable[[Callable[[Value], Stmt]], tuple[Stmt, ...]]:
    """The statements that sum one column, ended by what is done with the sum."""
    dtype = fold.sums.dtype
    total = Ref("column", dtype)
    step = Assign(total.name, Apply(fold.primitive, (total, value(symbol(ROW.name))), dtype))
    return lambda last: (Local(total.name, fold.start), For(ROW, rows, (step,)), last(total))


def _last(fold: Fold) -> Callable[[Value], Stmt]:
    """What becomes of a column's sum."""

    def last(total: Value) -> Stmt:
        if fold.result is None:
            return Store(fold.sums, (symbol(COLUMN.name),), total)
        return rebuilt((fold.result,), {id(fold.total): total})[0]

    return last


def _value(fold: Fold, row: Extent, column: Extent) -> Value:
    """What is added, at another row and column."""
    return value_at(fold.value, fold.rows, fold.columns, row, column, numbers_of_columns(fold))


def numbers_of_columns(fold: Fold) -> list[Load]:
    """What is read of a column, the same in each row, beside float32 alone: of float64 another order of additions would show."""
    i, j = fold.rows.index, fold.columns.index
    loads = [x for x in walk(fold.value) if isinstance(x, Load)]
    own = [x for x in loads if not any(map(is_value, x.at)) and _is_of_column(place_of(x.view, x.at), i, j)]
    return own if all(x in own or x.dtype == "float32" for x in loads) else []


def _is_of_column(place: Extent, i: Symbol, j: Symbol) -> bool:
    """Whether a place moves by one from column to column, and not from row to row."""
    return (slope(place, i), slope(place, j)) == (0, 1)


def _written_often(
    fold: Fold, own: Sequence[Load], times: Extent, partial: Callable[[str, tuple[Extent, ...]], View]
) -> tuple[Fold, list[For]]:
    """The fold with numbers of the columns read where they stand behind one another as often, and what writes them there."""
    i, j, m = fold.rows.index, fold.columns.index, fold.columns.extent
    changed: dict[int, Value] = {}
    out: list[For] = []
    for load in own:
        tile = partial(load.dtype, (times, m))
        here = (symbol(GROUP.name), symbol(COLUMN.name))
        (store,) = rebuilt((Store(tile, here, load),), symbols={i: 0, j: here[1]})
        out.append(For(GROUP, times, (For(COLUMN, m, (store,)),), "parallel"))
        changed[id(load)] = Load(View(tile.buffer, tile.dtype, (times * m,), (1,)), (symbol(j.name),))
    (again,) = rebuilt((Local("", fold.value),), changed)
    assert isinstance(again, Local)
    return replace(fold, value=again.value), out


def value_at(value: Value, rows: For, columns: For, row: Extent, column: Extent, own: Sequence[Load] = ()) -> Value:
    """A value at another row and column; where rows lie behind one another a column may lie in a row after it. own: what is read
    of a column alone."""
    i, j = rows.index, columns.index
    if not behind_one_another(value, rows, columns, own):
        (moved,) = rebuilt((Local("", value),), symbols={i: row, j: column})
    else:
        values: dict[int, Value] = {}
        known = set(map(id, own))
        for item in walk(value):
            if isinstance(item, Load) and id(item) not in known:
                place = place_of(item.view, item.at)
                step = moves(place, i, columns)
                assert step is not None
                start = replace_symbols(place, {i: 0, j: 0})
                view = View(item.view.buffer, item.view.dtype, (rows.extent * columns.extent,), (step,), start)
                values[id(item)] = Load(view, (row * columns.extent + column,))
        (moved,) = rebuilt((Local("", value),), values, symbols={j: column})
    assert isinstance(moved, Local)
    return moved.value


def behind_one_another(value: Value, rows: For, columns: For, own: Sequence[Load] = ()) -> bool:
    """Whether all that is read, but for what is read of a column alone, goes on from the end of a row to the next."""
    known = set(map(id, own))
    for item in walk(value):
        if isinstance(item, Position):
            return False
        if isinstance(item, Load) and id(item) not in known:
            place = place_of(item.view, item.at)
            if any(map(is_value, item.at)) or not moves(place, rows.index, columns):
                return False
    return True
