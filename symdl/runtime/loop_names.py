"""What the leaves of a loop's body are to the user: rows of sequences, earlier outputs, and what comes from outside.

A body knows its leaves by position. Messages about a node inside show it with leaves of the user's names in their place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from symdl.graph.bodies import PARAMETER, argument, bodies_of, moved
from symdl.graph.expr import Expr, come_from, short
from symdl.graph.walks import topological
from symdl.ops.scan import layout_of
from symdl.ops.views import SLICE


def outer_of(loop: Expr, then: bool) -> list[Expr]:
    """For each leaf of the body of a loop, the operand that it is, or is a part of; then: of a branch, which one."""
    if "steps" not in loop.params:
        split = 1 + loop.params["split"]
        return list(loop.inputs[1:split] if then else loop.inputs[split:])
    layout = layout_of(loop)
    rows, initial, others = layout.inputs(loop.inputs)
    states = [first for first, lags in zip(initial, layout.taps, strict=True) for _ in lags]
    return [*rows, *states, *others]


def names_of(loop: Expr, operands: Sequence[Expr], shown: Callable[[Expr], str]) -> list[str]:
    """A name for each leaf: x[t] or sequence 0[t], output 0[t-1], or what shown(operand) says of what comes from outside."""
    if "steps" not in loop.params:
        return list(map(shown, operands))
    layout = layout_of(loop)
    whole = [_whole(x).name for x in operands[: layout.sequences]]
    rows = [f"{x if x and whole.count(x) == 1 else f'sequence {k}'}[t]" for k, x in enumerate(whole)]
    states = [f"output {k}[t-{lag}]" for k, lags in enumerate(layout.taps) for lag in lags]
    return [*rows, *states, *map(shown, operands[len(rows) + len(states) :])]


def _whole(x: Expr) -> Expr:
    """What scan has cut to the length of the loop."""
    while x.op is SLICE:
        x = x.inputs[0]
    return x


def named(node: Expr, nodes: Sequence[Expr]) -> Expr:
    """A node of a body, among the user's nodes, with leaves that bear the user's names; other nodes are as they are.

    A body that several loops have is shown as that of the first.
    """
    return moved([node], _leaves(node, nodes))[0]


def _leaves(node: Expr, nodes: Sequence[Expr]) -> dict[Expr, Expr]:
    """The leaves of the body that holds a node -> such with names; none for a node outside of loops."""
    if not any(n.op is PARAMETER for n in topological(node)):
        return {}
    found: dict[Expr, Expr] = {}
    for loop, body in ((n, b) for n in nodes for b in bodies_of(n)):
        if node in topological(*body.outputs):
            around = _leaves(loop, nodes)
            operands = moved(outer_of(loop, body is loop.params.get("then")), around)
            names = names_of(loop, operands, lambda x: short(x, 2))
            for leaf, name, operand in zip(body.leaves, names, operands, strict=True):
                found[leaf] = argument(leaf.type, name)
                come_from(found[leaf], operand.origins)
            break
    return found
