"""Graphs as plain data, and back: how expressions, bodies and functions are pickled."""

from __future__ import annotations

import copyreg
from collections.abc import Sequence
from typing import Any

from symdl.graph.expr import OPS, Expr, Frozen, come_from, make
from symdl.graph.origins import building
from symdl.graph.walks import topological


def pack(roots: Sequence[Expr]) -> tuple[Any, ...]:
    """A graph as plain data in topological order, for pickling without recursion."""
    order = topological(*roots)
    place = {n: k for k, n in enumerate(order)}
    rows = [
        (
            n.op.name,
            tuple(place[i] for i in n.inputs),
            {k: _plain(v) for k, v in n.params.items()},
            n.name,
            sorted(n.origins),
        )
        if type(n) is Expr
        else n  # a shared variable pickles itself
        for n in order
    ]
    return rows, [place[r] for r in roots]


def _plain(value: Any) -> Any:
    return ("array", value.array) if isinstance(value, Frozen) else value


def unpack_all(packed: tuple[Any, ...]) -> list[Expr]:
    """The roots of a packed graph. Constants and structure are interned again; variables become new leaves unless
    the same id is alive in this process."""
    rows, roots = packed
    made: list[Expr] = []
    for row in rows:
        if isinstance(row, Expr):
            made.append(row)
            continue
        op, inputs, params, name, origins = row
        ready = {
            k: Frozen(v[1]) if isinstance(v, tuple) and len(v) == 2 and v[0] == "array" else v
            for k, v in params.items()
        }
        with building(()):
            node = make(OPS[op], tuple(made[i] for i in inputs), **ready)
        if name and not node.name:
            node.name = name
        come_from(node, map(tuple, origins))
        made.append(node)
    return [made[r] for r in roots]


def _unpack(packed: tuple[Any, ...]) -> Expr:
    """The root of a packed expression."""
    return unpack_all(packed)[0]


# Of expressions alone: a shared variable, which is one too, pickles itself.
copyreg.pickle(Expr, lambda expr: (_unpack, (pack([expr]),)))
