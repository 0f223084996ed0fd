"""A formula for all rows at once: the same ops with one more axis in front of what differs from row to row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from symdl.expr import Expr, building, make, rebuilt, topological
from symdl.ops.contractions import CONTRACT, parse, written
from symdl.ops.declare import spread
from symdl.ops.indexing import GATHER
from symdl.rewrite import Origins
from symdl.types import Extent

ROWS = "rows"  # the index of the new axis in a contraction
Batched = Callable[[Expr, Sequence[Expr], Sequence[bool], Extent], Expr]


def _elementwise(n: Expr, inputs: Sequence[Expr], rows: Sequence[bool], count: Extent) -> Expr:
    """A row of fewer axes than the result gets axes of 1 behind the new one."""
    ndim = n.type.ndim
    wide = []
    for x, batched in zip(inputs, rows, strict=True):
        own = x.type.ndim - 1
        if batched and own < ndim:
            shape = (count, *(1 for _ in range(ndim - own)), *x.type.shape[1:])
            x = spread(x, shape, (0, *range(1 + ndim - own, 1 + ndim)))
        wide.append(x)
    return make(n.op, tuple(wide), **n.params)


def _contract(n: Expr, inputs: Sequence[Expr], rows: Sequence[bool], count: Extent) -> Expr:
    operands, out = parse(n.params["notation"])
    own = tuple((ROWS, *o) if batched else o for o, batched in zip(operands, rows, strict=True))
    return make(CONTRACT, tuple(inputs), notation=written(own, (ROWS, *out)))


def _view(n: Expr, inputs: Sequence[Expr], rows: Sequence[bool], count: Extent) -> Expr:
    p: dict[str, Any] = dict(n.params)
    match n.op.name:
        case "spread":
            p |= {"shape": (count, *p["shape"]), "axes": (0, *(k + 1 for k in p["axes"]))}
        case "slice":
            p |= {"starts": (0, *p["starts"]), "steps": (1, *p["steps"]), "lengths": (count, *p["lengths"])}
            if "single" in p:
                p["single"] = tuple(k + 1 for k in p["single"])
        case "pad":
            p |= {"starts": (0, *p["starts"]), "steps": (1, *p["steps"]), "shape": (count, *p["shape"])}
        case "squeeze":
            p["axes"] = tuple(k + 1 for k in p["axes"])
        case "reshape":
            p["shape"] = (count, *p["shape"])
        case _:
            p["axis"] += 1
    return make(n.op, tuple(inputs), **p)


def _axes(n: Expr, inputs: Sequence[Expr], rows: Sequence[bool], count: Extent) -> Expr:
    moved = {"axes": tuple(k + 1 for k in n.params["axes"])} if "axes" in n.params else {"axis": n.params["axis"] + 1}
    return make(n.op, tuple(inputs), **{**n.params, **moved})


def _join(n: Expr, inputs: Sequence[Expr], rows: Sequence[bool], count: Extent) -> Expr:
    whole = [
        x if batched else spread(x, (count, *x.type.shape), tuple(range(1, 1 + x.type.ndim)))
        for x, batched in zip(inputs, rows, strict=True)
    ]
    return make(n.op, tuple(whole), axis=n.params["axis"] + 1)


def _gather(n: Expr, inputs: Sequence[Expr], rows: Sequence[bool], count: Extent) -> Expr:
    return make(n.op, tuple(inputs), **n.params)


VIEWS = ("spread", "slice", "pad", "squeeze", "reshape", "tile_axis", "repeat_each")


def rule_for(n: Expr, rows: Sequence[bool]) -> Batched | None:
    """How a node is batched whose inputs of these places are; None if it is not known."""
    if n.op is CONTRACT:
        return _contract
    if n.op.kind == "elementwise":
        return _elementwise
    if n.op.name in VIEWS:
        return _view
    if n.op.kind in ("reduction", "accumulation") and n.op.name in (
        "sum",
        "prod",
        "max",
        "min",
        "any",
        "all",
        "cumsum",
    ):
        return _axes
    if n.op.kind == "join":
        return _join
    if n.op is GATHER and not rows[0] and all(rows[1:]) and n.params["batch"] == 0 and _leading(n.params["axes"]):
        return _gather
    return None


def _leading(axes: tuple[int, ...]) -> bool:
    return axes == tuple(range(len(axes)))


class Batching:
    """The nodes of a body for all rows. known: leaves and nodes, each with its value and whether that has the axis of
    rows. count: how many rows there are."""

    def __init__(self, known: Mapping[Expr, tuple[Expr, bool]], count: Extent, origins: Origins) -> None:
        self.known, self.count, self.origins = dict(known), count, origins

    def can(self, roots: Sequence[Expr]) -> bool:
        """Whether all that stands between the roots and what is known can be batched."""
        rows = {n: batched for n, (_, batched) in self.known.items()}
        for n in topological(*roots):
            if n in rows:
                continue
            if not n.inputs:
                if n.op.kind == "leaf" and n.op.name != "constant":
                    return False
                rows[n] = False
                continue
            own = [rows.get(i, False) for i in n.inputs]
            rows[n] = any(own)
            if rows[n] and rule_for(n, own) is None:
                return False
        return True

    def __call__(self, roots: Sequence[Expr]) -> list[tuple[Expr, bool]]:
        """The roots, each with whether it has the axis of rows."""
        stack = list(reversed(roots))
        while stack:
            n = stack[-1]
            if n in self.known:
                stack.pop()
            elif missing := [i for i in n.inputs if i not in self.known]:
                stack.extend(reversed(missing))
            else:
                stack.pop()
                self.known[n] = self.one(n)
        return [self.known[r] for r in roots]

    def one(self, n: Expr) -> tuple[Expr, bool]:
        """A node whose inputs are known."""
        if not n.inputs:
            return n, False
        inputs = [self.known[i][0] for i in n.inputs]
        rows = [self.known[i][1] for i in n.inputs]
        with building(self.origins.get(n, frozenset()), self.origins):
            if not any(rows):
                return rebuilt(n, tuple(inputs)), False
            rule = rule_for(n, rows)
            assert rule is not None, n  # `can` has said so
            return rule(n, inputs, rows, self.count), True


def whole_rows(value: tuple[Expr, bool], count: Extent) -> Expr:
    """A value with the axis of rows."""
    x, batched = value
    return x if batched else spread(x, (count, *x.type.shape), tuple(range(1, 1 + x.type.ndim)))
