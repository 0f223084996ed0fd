"""Library calls as loops, where no library serves them: products of integers and bools, and copies."""

from __future__ import annotations

from dataclasses import replace

from symdl.convolution import ROLES
from symdl.ir.loops import Apply, Const, For, Load, Stmt, Store, View
from symdl.ir.program import Call, by_role
from symdl.types import Extent, Symbol, floor_divide, product, symbol


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


def convolution_loops(call: Call) -> tuple[Stmt, ...]:
    """The three products of a convolution of integers: every number of a window once, added to what is made."""
    x, f, y = by_role(call)
    made = call.views[-1]
    groups, *rest = call.window
    axes = len(rest) // 2
    steps, spacing = rest[:axes], rest[axes:]
    names, at = indices("_q", 4 + 2 * axes)
    n, g, o, *place = at[: 3 + axes]
    c, *u = at[3 + axes :]
    outputs, channels = floor_divide(f.shape[0], groups), f.shape[1]
    spots = [
        p * k + (v * d if d > 0 else (m - 1 - v) * -d)
        for p, v, k, d, m in zip(place, u, steps, spacing, f.shape[2:], strict=True)
    ]
    output = g * outputs + o
    where = {"x": (n, g * channels + c, *spots), "f": (output, c, *u), "y": (n, output, *place)}
    left, right, last = (where[role] for role in ROLES[call.name])
    term = Apply("mul", (Load(call.views[0], left), Load(call.views[1], right)), made.dtype)
    total = Apply("add", (Load(made, last), term), made.dtype)
    extents = (x.shape[0], groups, outputs, *y.shape[2:], channels, *f.shape[2:])
    own, zeros = indices("_z", len(made.shape))
    clear = nest(list(zip(own, made.shape, strict=True)), (Store(made, tuple(zeros), Const(0, made.dtype)),))
    return (*clear, *nest(list(zip(names, extents, strict=True)), (Store(made, last, total),)))


def convolution_work(call: Call) -> Extent:
    """How many numbers a convolution multiplies."""
    _, f, y = by_role(call)
    return product((*y.shape, *f.shape[1:]))


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
