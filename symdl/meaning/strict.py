"""Strict semantics: where what came in is not finite, the result is what the formula says as it is written.

A region that is written anew stands beside itself as written, computed with an exponent beside the number, so that
nothing overflows on the way. That is taken wherever a leaf is infinite or NaN, and for the signs of zeros. Until the
number forms are chosen a placeholder stands in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce

from symdl.graph.expr import Expr, make, rebuilt, variable
from symdl.graph.origins import building
from symdl.meaning.guards import Losses
from symdl.meaning.reading import is_float_node
from symdl.ops import elementwise as ew
from symdl.ops.reductions import SUM
from symdl.passes.rewrite import Origins

PLAIN_ONLY = frozenset(["scatter", "contract"])  # of which no backend has number forms


class AsWritten:
    """The regions of one lowering as they are written. lowered: the node that runs in place of a node of the meaning."""

    def __init__(self, losses: Losses, lowered: Callable[[Expr], Expr]) -> None:
        self.losses, self.lowered = losses, lowered
        self.written: dict[Expr, Expr] = {}  # placeholder -> the region as written

    def beside(self, node: Expr, out: Expr) -> Expr:
        """out, what is written for a node; where a leaf is not finite, and for signs of zeros, as it was written."""
        written = self._region(node)
        place = variable("as written", written.type.shape, written.type.dtype)
        self.written[place] = written
        same = ew.eq(ew.abs(out), ew.abs(place))
        odd = self._not_finite(node)
        return ew.where(same if odd is None else ew.bitwise_or(odd, same), place, out)

    def _not_finite(self, node: Expr) -> Expr | None:
        """Whether a leaf of the node's region is infinite or NaN: at an element's own place, or anywhere if it has none."""
        reached = self.losses.reached(node)
        marks: list[Expr] = []
        for atoms, placed in ((reached.leaves, True), (reached.adrift_leaves, False)):
            for a in sorted(atoms, key=lambda a: a.order):
                x = ew.mul(self.lowered(a.param), 0)
                fits = len(x.type.shape) <= node.type.ndim and all(
                    n in (1, m) for n, m in zip(x.type.shape[::-1], node.type.shape[::-1], strict=False)
                )
                marks.append(x if placed and fits else make(SUM, (x,), axes=tuple(range(x.type.ndim))))
        marks = [m for m in marks if is_float_node(m)]
        return ew.isnan(reduce(ew.add, (ew.cast(m, "float64") for m in marks))) if marks else None

    def _region(self, node: Expr) -> Expr:
        """A node's region as written, of the node's type."""
        inside = self._inside(node)
        form = None if any(n.op.name in PLAIN_ONLY for n in inside) else "float64e"
        done: dict[Expr, Expr] = {}

        def operand(i: Expr) -> Expr:
            if i in done:
                return done[i]
            x = self.lowered(i)
            return ew.cast(x, form or x.type.dtype) if is_float_node(i) else x

        for n in inside:
            inputs = tuple(map(operand, n.inputs))
            done[n] = inputs[0] if n.op is ew.CAST and form else make(n.op, inputs, **n.params)
        return ew.cast(done[node], node.type.dtype)

    def _inside(self, node: Expr) -> list[Expr]:
        """The nodes that are written as one with a node, operands first."""
        order: dict[Expr, None] = {}
        stack = [(node, False)]
        while stack:
            n, ready = stack.pop()
            if n in order:
                continue
            if ready:
                order[n] = None
                continue
            stack.append((n, True))
            stack += [(i, False) for i in n.inputs if self._continues(i) and i not in order]
        return list(order)

    def _continues(self, node: Expr) -> bool:
        """Whether the algebra looks into a node."""
        reading = self.losses.reading
        return (
            node.op.kind != "leaf"
            and node in reading.polys
            and node not in reading.uncut
            and reading.polys[node] is not reading.as_leaf(node)
        )

    def put_in(self, roots: Sequence[Expr], origins: Origins) -> list[Expr]:
        """The roots with what the placeholders stand for."""
        done: dict[Expr, Expr] = {}
        stack: list[Expr] = list(roots)
        while stack:
            n = stack[-1]
            below: Iterable[Expr] = (self.written[n],) if n in self.written else n.inputs
            missing = [i for i in below if i not in done]
            if missing and n not in done:
                stack += missing
                continue
            stack.pop()
            if n in done:
                continue
            if n in self.written:
                done[n] = done[self.written[n]]
                continue
            with building(origins.get(n, frozenset()), origins):
                done[n] = rebuilt(n, tuple(done[i] for i in n.inputs))
        return [done[r] for r in roots]
