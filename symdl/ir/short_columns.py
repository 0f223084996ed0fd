"""Columns of few rows, each taken at once through all kernels that sum them up and make something of the sums.

    for j in 0:m: s[j] = 0                                  for parallel j in 0:m: { a = 0
    for i in 0:n: for j in 0:m: s[j] = s[j] + x[i, j]         for i in 0:n: a = a + x[i, j]
                                                              b = a / n
    for j in 0:m: t[j] = s[j] / n                             for i in 0:n: o[i, j] = x[i, j] - b }

    for i in 0:n: for j in 0:m: o[i, j] = x[i, j] - t[j]

What only these kernels know of a column then stands in variables, and rows that are read again are still in a cache. With
many rows they would not be: there the kernels stay. Where sizes are known at run time only both stand in the program, and the
loops of one of them have no rounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

from symdl.ir.column_sums import COLUMN, ROW, few_rows, plain
from symdl.ir.loops import (
    Assign,
    For,
    Load,
    Local,
    Ref,
    Stmt,
    Store,
    Value,
    contiguous,
    walk,
)
from symdl.ir.program import Buffer, Kernel, Step
from symdl.ir.rebuilding import rebuilt
from symdl.records import record
from symdl.types import Extent, Symbol, symbol, symbols

MOST = 64  # statements and values of kernels that stand in a program twice
LONGEST = 8  # kernels that are looked at together


@record
class Columns:
    """Neighbouring kernels over rows and columns. loop: what takes their place, its rounds to be multiplied by `few`."""

    kernels: tuple[Kernel, ...]
    loop: For
    few: Extent  # 1 where the loop is better, else 0

    @property
    def kernel(self) -> Kernel:
        """The loop alone."""
        sources = tuple(sorted({s for k in self.kernels for s in k.sources}))
        return Kernel((replace(self.loop, extent=self.loop.extent * self.few),), sources)


def short_columns(
    steps: Sequence[Step], buffers: Mapping[str, Buffer], users: Mapping[str, int], sizes: Set[Symbol]
) -> list[Step | Columns]:
    """The steps, runs of such kernels as one. users: how many steps touch a buffer. sizes: symbols known when a call begins."""
    out: list[Step | Columns] = []
    place = 0
    while place < len(steps):
        found = None
        run: list[Kernel] = []
        n, m = _extents(steps[place]) or (0, 0)
        if m != 0 and symbols(n) | symbols(m) <= sizes:
            for step in steps[place : place + LONGEST]:
                if not isinstance(step, Kernel) or _by_columns(step, n, m) is None:
                    break
                run.append(step)
        while len(run) > 1 and (found := _joined(run, n, m, buffers, users)) is None:
            run.pop()
        out.append(steps[place] if found is None else found)
        place += len(run) if found is not None else 1
    return out


def _extents(step: Step) -> tuple[Extent, Extent] | None:
    """(rows, columns) of a kernel that sums up columns in a row of accumulators."""
    if isinstance(step, Kernel):
        for outer in step.body:
            match outer:
                case For(i, n, (For(j, m, body),)) if i not in symbols(m):
                    for s in body:
                        if isinstance(s, Store) and s.at == (symbol(j.name),):
                            return n, m
    return None


def _by_columns(kernel: Kernel, n: Extent, m: Extent) -> list[Stmt] | None:
    """What a kernel does with one column, in the order of its statements; None for another kernel."""
    column, row = symbol(COLUMN.name), symbol(ROW.name)
    if not all(map(plain, kernel.items)):
        return None
    out: list[Stmt] = []
    for statement in kernel.body:
        match statement:
            case For(i, rows, (For(j, columns, body),)) if (rows, columns) == (n, m) and _straight(body):
                out.append(For(ROW, n, rebuilt(body, symbols={i: row, j: column})))
            case For(j, columns, body) if columns == m and _straight(body):
                out += rebuilt(body, symbols={j: column})
            case _:
                return None
    return out


def _straight(body: tuple[Stmt, ...]) -> bool:
    return all(isinstance(s, Local | Store) for s in body)


def _joined(
    run: Sequence[Kernel], n: Extent, m: Extent, buffers: Mapping[str, Buffer], users: Mapping[str, int]
) -> Columns | None:
    """The kernels of a run as one loop over columns, if no column needs what another one makes."""
    few = few_rows(n)
    if few == 0 or (few != 1 and sum(len(k.items) for k in run) > MOST):
        return None
    body: list[Stmt] = []
    for k, kernel in enumerate(run):
        made = _by_columns(kernel, n, m) or []
        body += _apart(made, k)
    touched: dict[str, list[Load | Store]] = {}
    for x in walk(*body):
        if isinstance(x, Load | Store):
            touched.setdefault(x.view.buffer, []).append(x)
    stored = {x.view.buffer for x in walk(*body) if isinstance(x, Store)}
    column, row = symbol(COLUMN.name), symbol(ROW.name)
    inside: set[str] = set()  # what stands in a variable
    for name in sorted(stored):
        uses, own = touched[name], buffers[name]
        whole = contiguous(name, own.dtype, own.shape)
        shape = tuple(e for e in own.shape if e != 1)
        at = (column,) if shape == (m,) else (row, column)
        if own.kind not in ("temp", "output") or shape not in ((m,), (n, m)) or any(x.view != whole for x in uses):
            return None
        if any(tuple(i for i, e in zip(x.at, own.shape, strict=True) if e != 1) != at for x in uses):
            return None
        here = sum(any(v.buffer == name for v, _ in k.accesses) for k in run)
        if own.kind == "temp" and len(at) == 1 and users[name] == here:
            inside.add(name)
    return Columns(tuple(run), For(COLUMN, m, _in_variables(body, inside), "parallel"), few)


def _apart(body: Sequence[Stmt], number: int) -> tuple[Stmt, ...]:
    """The statements with names of variables that no other kernel has."""
    names = {x.name: f"{x.name}_{number}" for x in walk(*body) if isinstance(x, Local)}
    changed: dict[int, Value] = {
        id(x): replace(x, name=names[x.name]) for x in walk(*body) if isinstance(x, Ref) and x.name in names
    }
    again = rebuilt(tuple(body), changed)
    return tuple(_named(s, names) for s in again)


def _named(statement: Stmt, names: Mapping[str, str]) -> Stmt:
    match statement:
        case For():
            return replace(statement, body=tuple(_named(s, names) for s in statement.body))
        case Local(name):
            return replace(statement, name=names[name])
    return statement


def _in_variables(body: Sequence[Stmt], inside: Set[str]) -> tuple[Stmt, ...]:
    """The statements of one column with numbers of it in variables instead of buffers."""
    names = {name: f"column{k}" for k, name in enumerate(sorted(inside))}
    values: dict[int, Value] = {
        id(x): Ref(names[x.view.buffer], x.dtype) for x in walk(*body) if isinstance(x, Load) and x.view.buffer in names
    }
    known: set[str] = set()

    def moved(statements: tuple[Stmt, ...], outermost: bool) -> tuple[Stmt, ...]:
        out: list[Stmt] = []
        for s in statements:
            match s:
                case For():
                    out.append(replace(s, body=moved(s.body, False)))
                case Store(view, _, value) if view.buffer in names:
                    first = outermost and view.buffer not in known
                    known.add(view.buffer)
                    out.append((Local if first else Assign)(names[view.buffer], value))
                case _:
                    out.append(s)
        return tuple(out)

    return moved(rebuilt(tuple(body), values), True)
