"""What a branch shares with the graph around it is taken from there, where it is computed anyway."""

from __future__ import annotations

from collections.abc import Sequence

from symdl.graph.bodies import Body, parameter
from symdl.graph.expr import Expr, make, rebuilt
from symdl.graph.origins import building
from symdl.graph.walks import topological
from symdl.ops.scan import IF
from symdl.passes.loop_parts import costs
from symdl.passes.rewrite import Origins, Pass
from symdl.types import TensorType


def lifted(roots: Sequence[Expr], origins: Origins) -> list[Expr]:
    """The roots, branches taking from outside what is computed there anyway. Only after stage 3: no formula is cut in two
    that the algebra should see whole."""
    order = topological(*roots)
    if not any(n.op is IF for n in order):
        return list(roots)
    outside = set(order)
    done: dict[Expr, Expr] = {}
    for n in order:
        inputs = tuple(done[i] for i in n.inputs)
        mine = origins.get(n, frozenset())
        with building(mine, origins):
            new = _lifted(n, inputs, outside) if n.op is IF else rebuilt(n, inputs)
        if new is not n and new.op.kind != "leaf":
            origins[new] = origins.get(new, frozenset()) | mine
        outside.add(new)
        done[n] = new
    return [done[r] for r in roots]


def _lifted(n: Expr, inputs: tuple[Expr, ...], outside: set[Expr]) -> Expr:
    """An ifelse on these inputs, and on what of its branches stands outside."""
    condition, *given = inputs
    split = n.params["split"]
    sides: list[tuple[Body, list[Expr]]] = []
    for body, own in ((n.params["then"], given[:split]), (n.params["other"], given[split:])):
        twins = dict(zip(body.leaves, own, strict=True))
        found: dict[Expr, Expr] = {}
        for m in topological(*body.outputs):
            if m in twins:
                continue
            twins[m] = rebuilt(m, tuple(twins[i] for i in m.inputs)) if m.inputs else m
            if costs(m) and isinstance(m.type, TensorType) and twins[m] in outside:
                found[m] = parameter(len(own) + len(found), m.type)
        walk = Pass(lambda m: m, final=True)
        walk.done.update(found)
        types = (*body.parameters, *(m.type for m in found))
        sides.append((Body(types, tuple(walk(body.outputs))) if found else body, [*own, *(twins[m] for m in found)]))
    (a, in_a), (b, in_b) = sides
    return make(IF, (condition, *in_a, *in_b), then=a, other=b, split=len(in_a))
