"""Scans taken apart and put together again, for passes that move work; and passes that go into bodies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from functools import partial

from symdl.graph.bodies import Body, argument, bodies_of, parameter, with_bodies
from symdl.graph.expr import RESULT, Expr
from symdl.graph.origins import building
from symdl.graph.walks import topological
from symdl.ops.scan import SCAN, layout_of, rows_of, scan_node
from symdl.passes.rewrite import Origins, Pass
from symdl.records import mutable
from symdl.types import Extent

LIGHT = frozenset(  # elementwise ops that cost no more than to load a number
    "add sub mul neg abs where eq ne lt le gt ge maximum minimum cast bitwise_and bitwise_or bitwise_xor invert isnan".split()
)


def in_bodies(
    roots: Sequence[Expr], origins: Origins, change: Callable[[Sequence[Expr]], Sequence[Expr]]
) -> list[Expr]:
    """The roots with the outputs of every body changed."""
    return in_bodies_of(roots, origins, lambda _, outputs: change(outputs))


def in_bodies_of(
    roots: Sequence[Expr], origins: Origins, change: Callable[[Expr, Sequence[Expr]], Sequence[Expr]]
) -> list[Expr]:
    """The roots with the outputs of every body changed, by a function of the node that it belongs to, too."""

    def changed(node: Expr, body: Body) -> Body:
        outputs = tuple(change(node, body.outputs))
        same = all(a is b for a, b in zip(outputs, body.outputs, strict=True))
        return body if same else Body(body.parameters, outputs)

    if not has_bodies(roots):
        return list(roots)
    return Pass(lambda n: with_bodies(n, partial(changed, n)) if bodies_of(n) else n, origins, final=True)(roots)


def _source(x: Expr) -> Expr:
    """What views rearrange."""
    while x.op.kind in ("view", "reshape") and x.inputs:
        x = x.inputs[0]
    return x


def stored_leaves(node: Expr) -> frozenset[Expr]:
    """The leaves of a scan's body that stand for its states, and for rows that other loops have made."""
    if node.op is not SCAN:
        return frozenset()
    layout = layout_of(node)
    given, _, _ = layout.inputs(node.inputs)
    rows, states, _ = layout.parameters(node.params["body"].leaves)
    made = (leaf for leaf, x in zip(rows, given, strict=True) if _source(x).op is RESULT)
    return frozenset([*made, *(leaf for lags in states for leaf in lags)])


def in_every_body(
    roots: Sequence[Expr], origins: Origins, change: Callable[[Sequence[Expr]], Sequence[Expr]]
) -> list[Expr]:
    """A change of a graph made in it and in the bodies in it, the inner ones first."""
    return list(change(in_bodies(roots, origins, lambda outputs: in_every_body(outputs, origins, change))))


def has_bodies(roots: Sequence[Expr]) -> bool:
    """Whether there is a scan or an ifelse in the graph."""
    return any(n.op.kind == "control" and bodies_of(n) for n in topological(*roots))


def replaced(roots: Sequence[Expr], values: Mapping[Expr, Expr], origins: Origins) -> list[Expr]:
    """The roots with nodes replaced; lines travel in the table."""
    walk = Pass(lambda n: n, origins, final=True)
    walk.done.update(values)
    return walk(roots)


# ---- loops taken apart and put together ----


@mutable
class State:
    """initial: the first rows. leaves: what stands for the state in the body, one a lag."""

    initial: Expr
    lags: tuple[int, ...]
    leaves: list[Expr]
    new: Expr
    last: bool


@mutable
class Loop:
    """A scan taken apart: its body on leaves of its own. rows and others: leaf -> what it is given."""

    rows: dict[Expr, Expr]
    states: list[State]
    others: dict[Expr, Expr]
    made: list[Expr]
    stop: Expr | None
    steps: Extent
    reverse: bool
    truncate: int
    mine: frozenset[int] = field(default_factory=frozenset)  # the user's nodes that it comes from

    @classmethod
    def of(cls, node: Expr, origins: Origins) -> Loop:
        """The parts of a scan."""
        p, layout = node.params, layout_of(node)
        leaves = [argument(t) for t in p["body"].parameters]
        with building((), None):
            outputs = replaced(p["body"].outputs, dict(zip(p["body"].leaves, leaves, strict=True)), origins)
        seqs, inits, others = layout.inputs(node.inputs)
        x, h, w = layout.parameters(leaves)
        new, made, stop = layout.outputs(outputs)
        states = [
            State(i, lags, list(own), n, last)
            for i, lags, own, n, last in zip(inits, layout.taps, h, new, p["last"], strict=True)
        ]
        mine = origins.get(node, frozenset())
        return cls(
            dict(zip(x, seqs, strict=True)), states, dict(zip(w, others, strict=True)), list(made), stop, p["steps"],
            p["reverse"], p["truncate"], mine,
        )  # fmt: skip

    @property
    def outputs(self) -> list[Expr]:
        """The body's outputs."""
        return [*(s.new for s in self.states), *self.made, *([] if self.stop is None else [self.stop])]

    @property
    def state_leaves(self) -> list[Expr]:
        return [leaf for s in self.states for leaf in s.leaves]

    def substituted(self, values: Mapping[Expr, Expr], origins: Origins) -> None:
        """Replace nodes of the body."""
        new = replaced(self.outputs, values, origins)
        for s in self.states:
            s.new = new.pop(0)
        self.made = [new.pop(0) for _ in self.made]
        self.stop = new[0] if new else None

    def node(self, origins: Origins) -> Expr:
        """The scan, without what its body does not read."""
        used = set(topological(*self.outputs))
        rows = {leaf: x for leaf, x in self.rows.items() if leaf in used}
        others = {leaf: x for leaf, x in self.others.items() if leaf in used}
        leaves = [*rows, *self.state_leaves, *others]
        places = {leaf: parameter(k, leaf.type) for k, leaf in enumerate(leaves)}
        body = Body(tuple(leaf.type for leaf in leaves), tuple(replaced(self.outputs, places, origins)))
        with building(self.mine, origins):
            node = scan_node(
                body, list(rows.values()), [s.initial for s in self.states], list(others.values()), self.steps,
                [s.lags for s in self.states], self.reverse, self.stop is not None, self.truncate,
                [s.last for s in self.states],
            )  # fmt: skip
        origins[node] = origins.get(node, frozenset()) | self.mine
        return node

    def before(self, trace: Expr, state: State, lag: int) -> Expr:
        """The rows of a trace that a leaf of the state stands for."""
        return rows_of(trace, lag if self.reverse else max(state.lags) - lag, self.steps)

    def after(self, trace: Expr, state: State) -> Expr:
        """The rows of a trace that the steps make."""
        return rows_of(trace, 0 if self.reverse else max(state.lags), self.steps)


def costs(n: Expr) -> bool:
    """Whether a node costs more than to read its value."""
    if n.op.kind in ("elementwise", "composite"):
        return n.op.name not in LIGHT
    return n.op.kind not in ("view", "reshape", "position", "leaf", "result", "gather")
