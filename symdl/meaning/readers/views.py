"""Readers of index maps: views, gathers, pads, scatters, joins."""

from __future__ import annotations

from collections.abc import Sequence

from symdl.graph.expr import Expr
from symdl.meaning.index_maps import Cut, Gathered, Put, view_of, viewed
from symdl.meaning.masks import (
    dropped_last,
    is_label_pick,
    picked,
    put,
)
from symdl.meaning.normal_form import Atom, Poly, leaf_atoms
from symdl.meaning.reading import Reading, reads


@reads("spread", "squeeze", "slice", "reshape")
def _view(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    view = view_of(node)
    assert view is not None
    return viewed(args[0], view, node.inputs[0].type.ndim)


@reads("gather")
def _gather(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    if _is_undone(_gathered(node), args[0]):
        reading.forms.found += 1
    elif not (args[0].special or node.inputs[0] in reading.dirty):
        return reading.as_leaf(node) if not is_label_pick(_gathered(node)) else _picked(node, args[0])
    view = _gathered(node)
    if is_label_pick(view):
        return _picked(node, args[0])
    return viewed(args[0], view, len(view.before))


def _is_undone(view: Gathered, poly: Poly) -> bool:
    """Whether another order is one of equal numbers, or undoes one that is in them."""
    if view.undoing is None:
        return False
    return poly.number is not None or any(view.undone(a.param) is not None for a in leaf_atoms(poly))


def _gathered(node: Expr) -> Gathered:
    return Gathered(node.inputs[0].type.shape, node.inputs[1:], node.params["axes"], node.params["batch"])


def _picked(node: Expr, poly: Poly) -> Poly:
    return dropped_last(picked(poly, node.inputs[1]), node.inputs[0].type.ndim)


@reads("pad")
def _pad(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    p, own = node.params, node.inputs[0].type.shape
    if p["fill"] != 0 or not args[0].terms:
        return reading.as_leaf(node)
    cut = Cut(p["starts"], p["steps"], own)
    rows = zip(p["starts"], p["steps"], own, p["shape"], strict=True)
    if all(n == m and ((s == 0 and d == 1) or (s == m - 1 and d == -1)) for s, d, n, m in rows):
        return viewed(args[0], cut, len(own))  # a reversal undoes itself
    return put(args[0], Put(cut, p["shape"]))


@reads("scatter")
def _scatter(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    p = node.params
    if p["mode"] != "add" or args[0].terms or not args[1].terms:
        return reading.as_leaf(node)
    taken = Gathered(node.type.shape, node.inputs[2:], p["axes"], p["batch"])
    return put(args[1], Put(taken, node.type.shape))


@reads("join")
def _join(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    if not any(a.special for a in args):
        return reading.as_leaf(node)
    axis = node.params["axis"] - node.type.ndim
    lengths = tuple(i.type.shape[axis] for i in node.inputs)
    return reading.forms.function(
        "join", *args, param=(axis, lengths, tuple(i.type.shape for i in node.inputs)), shape=node.type.shape
    )


def rejoined(join: Atom, args: Sequence[Poly]) -> Poly:
    """Other pieces laid out as a join has its own."""
    return join.forms.function("join", *args, param=join.param, shape=join.shape)
