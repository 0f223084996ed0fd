"""Columns that are added up in two limbs, each taken at once with what is made of its sums, so that the sums stand in
variables: then a machine may try them with fewer digits (`rungs/stretches`), and redo a column alone.

    for j in 0:m: s[j] = 0                              for j in 0:m: { a = 0
    for i in 0:n: for j in 0:m: s[j] = s[j] + x[i, j]     for i in 0:n: a = a + x[i, j]
    for j in 0:m: o[j] = f(s[j])                          o[j] = f(a) }

The largest of each column, where they are exponentials that are added up, is found there, too: what is tried may do without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from symdl.ir.column_sums import COLUMN, ROW, found_in
from symdl.ir.loops import Apply, Assign, Checked, Const, For, Load, Local, Ref, Stmt, Store, Value, View, walk
from symdl.ir.program import Buffer, Kernel, Step
from symdl.ir.rebuilding import rebuilt
from symdl.records import mutable
from symdl.types import Symbol, symbol, symbols

PAIR = "float64x2"


@mutable
class Folds:
    """What a kernel adds up: views of sums with what they begin with, the two loops, and loops over the sums after them."""

    starts: dict[View, Const]
    rows: For
    columns: For
    after: list[For]


def whole_columns(steps: tuple[Step, ...], buffers: Mapping[str, Buffer], users: Mapping[str, int]) -> tuple[Step, ...]:
    """The steps with such kernels as one. users: how many steps touch a buffer."""
    out: list[Step] = []
    for step in steps:
        before = out[-1] if out else None
        if isinstance(before, Kernel) and isinstance(step, Kernel):
            found = folds_of(before)
            made = None if found is None else _joined(found, step, buffers, users)
            if made is not None:
                out[-1] = whole = Kernel((made,), tuple(sorted({*before.sources, *step.sources})))
                largest = out[-2] if len(out) > 1 else None
                if isinstance(largest, Kernel):
                    more = _with_largest(largest, made, (before, step), users)
                    if more is not None:
                        out[-2:] = [Kernel((more,), tuple(sorted({*largest.sources, *whole.sources})))]
                continue
        out.append(step)
    return tuple(out)


def folds_of(kernel: Kernel) -> Folds | None:
    """The sums that are all of a kernel, if some are of two limbs."""
    starts: dict[View, Const] = {}
    body = list(kernel.body)
    while body:
        match body[0]:
            case For(k, _, (Store(view, (at,), Const() as start),)) if at == symbol(k.name):
                starts[view] = start
                body.pop(0)
            case _:
                break
    match body:
        case [For(_, _, (For(j, width) as columns,)) as rows, *after]:
            pass
        case _:
            return None
    if not starts or not any(view.dtype == PAIR for view in starts) or rows.index in symbols(width):
        return None
    summed = [s.view for s in columns.body if isinstance(s, Store) and _adds(s, starts, j)]
    if len(summed) != len(columns.body) or len({*summed}) < len(summed):
        return None
    if {*summed} != {*starts} or any(view.shape != (width,) for view in starts):
        return None
    loops = [s for s in after if isinstance(s, For) and s.extent == width and all(isinstance(x, Store) for x in s.body)]
    return Folds(starts, rows, columns, loops) if len(loops) == len(after) else None


def _adds(statement: Store, starts: Mapping[View, Const], j: Symbol) -> bool:
    """Whether a statement adds to one of the sums, in its own column, what none of them is read for."""
    match statement:
        case Store(view, (here,), Apply(_, (Load(old, (there,)), value))) if (
            view == old and view in starts and here == there == symbol(j.name)
        ):
            own = {v.buffer for v in starts}
            return not any(
                isinstance(x, Checked) or (isinstance(x, Load) and x.view.buffer in own) for x in walk(value)
            )
    return False


def _joined(found: Folds, kernel: Kernel, buffers: Mapping[str, Buffer], users: Mapping[str, int]) -> For | None:
    """The loop over columns that takes the place of the sums and of a kernel that reads them."""
    match kernel.body:
        case (For(_, extent, body) as last,) if extent == found.columns.extent:
            pass
        case _:
            return None
    if not all(isinstance(s, Local | Store) for s in body):
        return None
    made = {s.view: s for loop in found.after for s in loop.body if isinstance(s, Store)}
    kept = {view.buffer for view in (*found.starts, *made)}
    read = {x.view.buffer for x in walk(*body) if isinstance(x, Load)}
    if any(buffers[name].kind != "temp" or users[name] > 1 + (name in read) for name in kept):
        return None  # others need it
    stored = {s.view.buffer for s in body if isinstance(s, Store)}
    if any(isinstance(x, Load) and x.view.buffer in stored for x in walk(found.rows, *body)):
        return None
    column, row = symbol(COLUMN.name), symbol(ROW.name)
    names: dict[View, Ref] = {v: Ref(f"column{k}", v.dtype) for k, v in enumerate(found.starts)}
    out: list[Stmt] = [Local(ref.name, found.starts[view]) for view, ref in names.items()]
    sums: list[Stmt] = []
    for s in rebuilt(found.columns.body, symbols={found.rows.index: row, found.columns.index: column}):
        assert isinstance(s, Store)
        assert isinstance(s.value, Apply)
        ref = names[s.view]
        sums.append(Assign(ref.name, Apply(s.value.primitive, (ref, s.value.args[1]), ref.dtype)))
    out.append(For(ROW, found.rows.extent, tuple(sums)))
    for loop in found.after:
        for s in _read(rebuilt(loop.body, symbols={loop.index: column}), names, kept) or ():
            assert isinstance(s, Store)
            names[s.view] = Ref(f"column{len(names)}", s.view.dtype)
            out.append(Local(names[s.view].name, s.value))
    if len(names) != len(found.starts) + len(made):
        return None
    ending = _read(rebuilt(body, symbols={last.index: column}), names, kept)
    return None if ending is None else For(COLUMN, extent, (*out, *ending))


def _with_largest(kernel: Kernel, made: For, joined: Sequence[Kernel], users: Mapping[str, int]) -> For | None:
    """The loop over columns made of these kernels, that finds first what another kernel does, the largest of each column;
    None where that is used elsewhere."""
    fold = found_in(kernel, lambda view: False)
    if fold is None or fold.primitive != "maximum" or fold.columns.extent != made.extent:
        return None
    if not any(isinstance(x, Apply) and x.primitive == "exp" for x in walk(made)):
        return None
    rows = next(s.extent for s in made.body if isinstance(s, For))
    name = fold.sums.buffer
    here = 1 + sum(any(v.buffer == name for v, _ in k.accesses) for k in joined)
    if fold.rows.extent != rows or users[name] != here or fold.sums.shape != (made.extent,):
        return None
    column, row = symbol(COLUMN.name), symbol(ROW.name)
    largest = Ref("largest", fold.start.dtype)
    (finding,) = rebuilt(
        (Assign(largest.name, Apply("maximum", (largest, fold.value), largest.dtype)),),
        symbols={fold.rows.index: row, fold.columns.index: column},
    )
    body = _read(made.body, {fold.sums: largest}, {name})
    if body is None:
        return None
    return replace(made, body=(Local(largest.name, fold.start), For(ROW, rows, (finding,)), *body))


def _read(body: Sequence[Stmt], names: Mapping[View, Ref], kept: set[str]) -> tuple[Stmt, ...] | None:
    """Statements that read variables; None where they read another column, or what is not known."""
    replaced: dict[int, Value] = {}
    for x in walk(*body):
        if isinstance(x, Load) and x.view.buffer in kept:
            if x.view not in names or x.at != (symbol(COLUMN.name),):
                return None
            replaced[id(x)] = names[x.view]
    return rebuilt(tuple(body), replaced)
