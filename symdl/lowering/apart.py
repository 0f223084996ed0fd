"""Steps that share no loops with others: scatters, permutations, products, convolutions and routines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from symdl.graph.expr import Expr
from symdl.ir.loops import Apply, Index, Load, Local, Position, Ref, Store, View
from symdl.ir.program import Call, Kernel
from symdl.lowering.lower import Formulas, Memory, Read, indices
from symdl.lowering.nests import nest
from symdl.ops.contractions import parse
from symdl.types import Extent


def scatter(n: Expr, out: View, reads: list[Read], formulas: Formulas) -> Kernel:
    """x copied, then the values written one after the other, in order."""
    x, v, *positions = n.inputs
    axes, batch, mode = n.params["axes"], n.params["batch"], n.params["mode"]
    at = indices(out.shape)
    copy = nest(0, out.shape, (Store(out, at, formulas.operand(x, at, reads)),))
    where = indices(v.type.shape)
    value = formulas.operand(v, where, reads)
    own = len(positions[0].type.shape)
    rest = iter(where[own:])
    place: list[Index] = []
    for k, m in enumerate(x.type.shape):
        if k in axes:
            place.append(formulas.checked(n, positions[axes.index(k)], where[:own], m, reads))
        else:
            place.append(where[k] if k < batch else next(rest))
    spot = tuple(place)
    if mode == "add":
        value = Apply("bitwise_or" if out.dtype == "bool" else "add", (Load(out, spot), value), out.dtype)
    return Kernel(
        (*copy, *nest(0, v.type.shape, (Store(out, spot, value),))), formulas.memory.sources(*formulas.covered(n))
    )


def permutation(n: Expr, out: View, reads: list[Read], formulas: Formulas) -> Kernel:
    """For i = 0, 1, ... along the last axis: out[i] = i, out[i] = out[j], out[j] = i with j = chosen[i] <= i. The first of
    them is for j = i: nothing is read before it is written."""
    (chosen,) = n.inputs
    at = indices(out.shape)
    name = formulas.memory.local()
    there = Local(name, formulas.cast(formulas.operand(chosen, at, reads), "int64"))
    spot = (*at[:-1], Ref(name, "int64"))
    own = Position(at[-1])
    body = (there, Store(out, at, own), Store(out, at, Load(out, spot)), Store(out, spot, own))
    return Kernel(nest(0, out.shape, body), formulas.memory.sources(*formulas.covered(n)))


def matmul(n: Expr, views: tuple[View, ...], formulas: Formulas) -> Call:
    """A matrix product; each view's axes are put into the order (batch, row, column)."""
    (a, b), out = parse(n.params["notation"])
    batch = [x for x in out if x in a and x in b]
    (i,) = [x for x in a if x not in b]
    (j,) = [x for x in b if x not in a]
    (k,) = [x for x in a if x not in out and x in b]
    wanted = ([*batch, i, k], [*batch, k, j], [*batch, i, j])
    turned = (permuted(v, map(own.index, w)) for v, own, w in zip(views, (a, b, out), wanted, strict=True))
    return Call("matmul", tuple(turned), formulas.memory.sources(n))


def convolution(n: Expr, views: tuple[View, ...], formulas: Formulas, borders: tuple[Extent, ...] = ()) -> Call:
    """One of the three products of images, filters and results. borders: of images that lie without theirs."""
    p = n.params
    window = (p["groups"], *p["steps"], *p["spacing"])
    return Call(n.op.name, views, formulas.memory.sources(n), window=window, borders=borders)


def routine(n: Expr, views: tuple[View, ...], memory: Memory) -> Call:
    """A function that is not ours, of arrays as they lie in memory."""
    memory.routines.append(n)
    count = len(views) - len(n.inputs)
    return Call("routine", views, memory.sources(n), routine=len(memory.routines) - 1, results=count)


def permuted(v: View, order: Iterable[int]) -> View:
    """The view with its axes in another order."""
    order = tuple(order)
    return replace(v, shape=tuple(v.shape[k] for k in order), strides=tuple(v.strides[k] for k in order))
