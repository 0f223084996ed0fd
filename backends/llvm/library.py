"""Library calls as loops, where no library serves them: products of integers and bools, and copies."""

from __future__ import annotations

from dataclasses import replace

from symdl.loops import Apply, Const, For, Load, Stmt, Store, View
from symdl.types import Extent, Symbol, symbol


def indices(prefix: str, count: int) -> tuple[list[Symbol], list[Extent]]:
    """Loop indices, and the same as extents."""
    names = [f"{prefix}{k}" for k in range(count)]
    return [Symbol(n) for n in names], [symbol(n) for n in names]


def nest(loops: list[tuple[Symbol, Extent]], body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """Statements inside loops, the first loop outermost."""
    for index, extent in reversed(loops):
        body = (For(index, extent, body),)
    return body


def matmul_loops(a: View, b: View, c: View) -> tuple[Stmt, ...]:
    """c[..., i, j] = sum over p of a[..., i, p] * b[..., p, j]; of bools, the or of the ands."""
    names, at = indices("_q", len(c.shape) + 1)
    *lead, i, j, p = at
    times, plus = ("bitwise_and", "bitwise_or") if c.dtype == "bool" else ("mul", "add")
    term = Apply(times, (Load(a, (*lead, i, p)), Load(b, (*lead, p, j))), c.dtype)
    total = Apply(plus, (Load(c, (*lead, i, j)), term), c.dtype)
    rows = list(zip(names[:-2], c.shape[:-1], strict=True))
    column, inner = (names[-2], c.shape[-1]), (names[-1], a.shape[-1])
    clear = nest([column], (Store(c, (*lead, i, j), Const(0, c.dtype)),))
    (loop,) = nest(rows, clear + nest([inner, column], (Store(c, (*lead, i, j), total),)))
    assert isinstance(loop, For)
    return (replace(loop, schedule="parallel"),)


def copy_loops(a: View, c: View) -> tuple[Stmt, ...]:
    """c = a, axes that are contiguous in both taken together."""
    a, c = merged_axes(a, c)
    names, at = indices("_q", len(c.shape))
    return nest(list(zip(names, c.shape, strict=True)), (Store(c, tuple(at), Load(a, tuple(at))),))


def merged_axes(a: View, c: View) -> tuple[View, View]:
    """The same copy over as few axes as are proved to do."""
    axes: list[tuple[Extent, Extent, Extent]] = []
    for n, s, t in zip(c.shape, a.strides, c.strides, strict=True):
        if n == 1:
            continue
        if axes and axes[-1][1] == n * s and axes[-1][2] == n * t:
            axes[-1] = (axes[-1][0] * n, s, t)
        else:
            axes.append((n, s, t))
    shape = tuple(n for n, _, _ in axes)
    return (
        View(a.buffer, a.dtype, shape, tuple(s for _, s, _ in axes), a.offset),
        View(c.buffer, c.dtype, shape, tuple(t for _, _, t in axes), c.offset),
    )


def is_block(a: View, c: View) -> bool:
    """Whether a merged copy moves one contiguous piece of memory."""
    return a.strides in ((), (1,)) and c.strides in ((), (1,))
