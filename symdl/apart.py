"""Kernels and calls that share no loops with others: sums of columns, scatters and matrix products."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from symdl.expr import Expr
from symdl.loops import Apply, Const, Index, Load, Store, View
from symdl.lower import Formulas, Read, indices
from symdl.nests import Unit, nest
from symdl.ops.contractions import parse
from symdl.ops.reductions import FOLDS
from symdl.program import Call, Kernel


def columnwise(n: Expr) -> bool:
    """Whether a reduction keeps the last axis: then loops run along it, and the accumulators are a row in memory."""
    if n.op.kind != "reduction" or n.op.name not in FOLDS:
        return False
    (x,) = n.inputs
    last = len(x.type.shape) - 1
    return last not in n.params["axes"] and x.type.shape[last] != 1


def columns(u: Unit, formulas: Formulas) -> Kernel:
    """A reduction in the operand's own order: its rows are folded into rows of accumulators."""
    rule = FOLDS[u.node.op.name]
    (x,) = u.node.inputs
    (out,) = u.views
    dtype = rule.accumulator(out.dtype)
    acc = out if dtype == out.dtype else formulas.memory.buffer("temp", dtype, u.kept)
    where, each = indices(x.type.shape), indices(u.kept)
    at = tuple(i for k, i in enumerate(where) if k not in u.node.params["axes"])
    element = formulas.cast(formulas.operand(x, where, []), dtype)
    body = [
        *nest(0, u.kept, (Store(acc, each, Const(rule.identity(dtype), dtype)),)),
        *nest(0, x.type.shape, (Store(acc, at, Apply(rule.combine, (Load(acc, at), element), dtype)),)),
    ]
    if acc is not out:
        body += nest(0, u.kept, (Store(out, each, formulas.cast(Load(acc, each), out.dtype)),))
    return Kernel(tuple(body), formulas.memory.sources(*formulas.covered(u.node)))


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


def permuted(v: View, order: Iterable[int]) -> View:
    """The view with its axes in another order."""
    order = tuple(order)
    return replace(v, shape=tuple(v.shape[k] for k in order), strides=tuple(v.strides[k] for k in order))
