"""Short loops written out, round after round, so that stage 3 reads all of a state's formula and rounds it once.

A state is stored between rounds, in its own dtype: what the rounds cancel of it is lost, and no analysis looks across
the border of a body. Of a few rounds of arithmetic there need be no border: log-sum-exp by adding a term a round, or
three steps of Newton's, are formulas like others.
"""

from __future__ import annotations

from collections.abc import Sequence

from symdl.graph.bodies import Body
from symdl.graph.expr import RESULT, Expr, Op, make
from symdl.graph.walks import topological
from symdl.ops.declare import filled_like, is_float, spread
from symdl.ops.elementwise import add
from symdl.ops.reductions import SUM
from symdl.ops.scan import SCAN, layout_of, row_of
from symdl.ops.shaping import JOIN
from symdl.ops.views import DROP, PAD, SLICE, SPREAD, dropped
from symdl.passes.loop_parts import replaced
from symdl.passes.rewrite import Origins, Rewriting

ROUNDS, NODES = 8, 256  # of a loop that is written out: its rounds, and the nodes of all of them
ARITHMETIC = frozenset("elementwise composite view reshape position leaf reduction join".split())


def unrolled(roots: Sequence[Expr], origins: Origins) -> list[Expr]:
    """The roots, short loops of arithmetic that hand on floats written out."""
    return _Unrolling(origins)(roots)


def _short(node: Expr) -> bool:
    steps, body = node.params["steps"], node.params["body"]
    layout = layout_of(node)
    if layout.stops or not isinstance(steps, int) or not 0 < steps <= ROUNDS:
        return False
    if not any(is_float(o.type.dtype) for o in layout.outputs(body.outputs)[0]):
        return False
    order = topological(*body.outputs)
    return len(order) * steps <= NODES and all(n.op.kind in ARITHMETIC for n in order)


class _Unrolling(Rewriting):
    def __init__(self, origins: Origins) -> None:
        super().__init__(origins, final=True)
        self.results: dict[Expr, list[Expr]] = {}  # of loops that are written out
        self.made: set[Expr] = set()  # what is made of such results: of these, rows are taken apart

    def concerns(self, op: Op) -> bool:
        return op in (SCAN, RESULT)

    def change(self, node: Expr) -> Expr:
        if node.op is SCAN:
            if _short(node):
                self.results[node] = self._written_out(node)
            return node
        if node.op is RESULT:
            known = self.results.get(node.inputs[0])
            return node if known is None else self._marked(known[node.params["index"]])
        if any(i in self.made for i in node.inputs):
            return self._marked(self._apart(node))
        return node

    def _marked(self, node: Expr) -> Expr:
        self.made.add(node)
        return node

    def _written_out(self, node: Expr) -> list[Expr]:
        p, layout = node.params, layout_of(node)
        given, initial, others = layout.inputs(node.inputs)
        backwards = -1 if p["reverse"] else 1
        states = [[self._row(x, k) for k in range(x.type.shape[0])][::backwards] for x in initial]
        made: list[list[Expr]] = [[] for _ in layout.outputs(p["body"].outputs)[1]]
        for k in range(p["steps"])[::backwards]:
            before = [rows[-lag] for rows, lags in zip(states, layout.taps, strict=True) for lag in lags]
            new = self._round(p["body"], [*(self._row(x, k) for x in given), *before, *others])
            for rows, value in zip([*states, *made], new, strict=True):
                rows.append(value)
        return [
            *(rows[-1] if last else _stack(rows[::backwards]) for rows, last in zip(states, p["last"], strict=True)),
            *(_stack(rows[::backwards]) for rows in made),
        ]

    def _round(self, body: Body, values: Sequence[Expr]) -> list[Expr]:
        out = replaced(body.outputs, dict(zip(body.leaves, values, strict=True)), self.origins)
        self.made.update(out)
        return out

    # ---- what reads one row, or the sum of a few ----

    def _apart(self, node: Expr) -> Expr:
        """A node that reads what has been written out, of the rows that it reads."""
        if node.op not in (DROP, SUM) or 0 not in node.params["axes"]:
            return node
        (x,) = node.inputs
        count, axes = x.type.shape[0], tuple(k - 1 for k in node.params["axes"] if k)
        if not isinstance(count, int) or not 0 < count <= ROUNDS:
            return node
        rows = [self._row(x, k) for k in range(count)]
        if node.op is DROP:
            return dropped(rows[0], axes)
        total, *rest = [make(SUM, (row,), axes=axes) if axes else row for row in rows]
        for row in rest:
            total = add(total, row)
        return total

    def _row(self, x: Expr, at: int) -> Expr:
        """x[at], by what x is put together of."""
        found = self._found(x, at)
        return row_of(x, at) if found is None else found

    def _found(self, x: Expr, at: int) -> Expr | None:
        p, rest = x.params, x.type.shape[1:]
        if x.op is JOIN and p["axis"] == 0:
            for piece in x.inputs:
                count = piece.type.shape[0]
                if not isinstance(count, int):
                    return None
                if at < count:
                    return self._row(piece, at)
                at -= count
        if x.op is SPREAD:
            (y,), axes = x.inputs, p["axes"]
            if 0 not in axes:
                return spread(y, rest, tuple(k - 1 for k in axes))
            if axes[0] == 0:
                row = self._row(y, at if y.type.shape[0] != 1 else 0)
                return spread(row, rest, tuple(k - 1 for k in axes[1:]))
        if x.op is SLICE and isinstance(p["starts"][0], int):
            row = self._row(x.inputs[0], p["starts"][0] + p["steps"][0] * at)
            starts, steps = p["starts"][1:], p["steps"][1:]
            whole = rest == row.type.shape and not any(starts) and set(steps) <= {1}
            return row if whole else make(SLICE, (row,), starts=starts, steps=steps, lengths=rest)
        if x.op is PAD and isinstance(p["starts"][0], int) and x in self.made:
            return self._padded(x, at)
        if x.op.kind in ("elementwise", "composite") and x in self.made:
            rank = len(x.type.shape)
            wide = [len(i.type.shape) == rank for i in x.inputs]
            rows = [
                (self._row(i, at if i.type.shape[0] != 1 else 0) if w else i)
                for i, w in zip(x.inputs, wide, strict=True)
            ]
            return make(x.op, tuple(rows), **p)
        return None

    def _padded(self, x: Expr, at: int) -> Expr | None:
        (y,), p = x.inputs, x.params
        count = y.type.shape[0]
        if any(p["starts"][1:]) or y.type.shape[1:] != x.type.shape[1:] or not isinstance(count, int):
            return None
        place, beside = divmod(at - p["starts"][0], p["steps"][0])
        if not beside and 0 <= place < count:
            return self._row(y, place)
        return filled_like(p["fill"], row_of(x, at))


def _stack(rows: Sequence[Expr]) -> Expr:
    """Rows one below the other."""
    shape = rows[0].type.shape
    wide = [spread(row, (1, *shape), tuple(range(1, len(shape) + 1))) for row in rows]
    return wide[0] if len(wide) == 1 else make(JOIN, tuple(wide), axis=0)
