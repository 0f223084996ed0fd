"""Decided: comparisons, choices and absolute values whose outcome follows from what the user assumed, at compile time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from symdl.graph.expr import CONSTANT, Expr, rebuilt
from symdl.graph.origins import building
from symdl.graph.walks import topological
from symdl.meaning.bounds import Bounds, bounds_of
from symdl.meaning.exactness import PASSING, Known
from symdl.ops.declare import is_float
from symdl.ops.facts import ASSUMED
from symdl.passes.rewrite import Origins
from symdl.types import TensorType

CHOICES = frozenset(["where", "maximum", "minimum", "abs"])  # what may be one of its inputs
TOTAL = PASSING | {
    "add",
    "sub",
    "mul",
    "exp",
    "tanh",
    "sigmoid",
    "softplus",
    "erf",
    "erfc",
    "sin",
    "cos",
    "arctan",
    "cast",
}


def decided(roots: Sequence[Expr], origins: Origins, known: Known) -> list[Expr]:
    """The roots without the choices that facts decide; as they are if there are no facts. known: follows the nodes."""
    nodes = topological(*roots)
    if not any(n.op is ASSUMED for n in nodes):
        return list(roots)
    taken = _decisions(nodes, known)
    if not taken:
        return list(roots)
    done: dict[Expr, Expr] = {}
    for n in nodes:
        other = taken.get(n)
        with building(origins.get(n, frozenset()), origins):
            done[n] = done[other] if other is not None else rebuilt(n, tuple(done[i] for i in n.inputs))
        if n in known.calm:
            known.calm.add(done[n])
        if n in known.bounds and other is None:
            known.bounds[done[n]] = known.bounds[n]
    return [done[r] for r in roots]


def _decisions(nodes: Sequence[Expr], known: Known) -> dict[Expr, Expr]:
    """The nodes that equal one of their inputs everywhere, and which. nodes: of a graph, operands before users; looked at
    is what such a node rests on."""
    concerned: set[Expr] = set()
    for n in reversed(nodes):
        if n.op.name in CHOICES or n in concerned:
            concerned.add(n)
            concerned.update(n.inputs)
    bounds: dict[Expr, Bounds] = {}
    numbers: set[Expr] = set()  # what is not NaN, for sure
    truth: dict[Expr, bool] = {}
    found: dict[Expr, Expr] = {}
    for n in nodes:
        if n not in concerned:
            continue
        if isinstance(n.type, TensorType) and all(i in bounds for i in n.inputs):
            bounds[n] = bounds_of(n, [bounds[i] for i in n.inputs])
            if n in known.bounds:
                bounds[n] = bounds[n].meet(known.bounds[n])
            if _is_number(n, bounds, numbers):
                numbers.add(n)
            value = _truth(n, bounds, numbers, truth)
            if value is not None:
                truth[n] = value
        taken = _taken(n, bounds, numbers, truth)
        if taken is not None:
            found[n] = taken
    return found


def _is_number(n: Expr, bounds: dict[Expr, Bounds], numbers: set[Expr]) -> bool:
    """Whether no element of a node can be NaN, given the facts."""
    if not is_float(n.type.dtype) or n.op is ASSUMED:
        return True
    if n.op is CONSTANT:
        return bounds[n].low > -math.inf or bounds[n].high < math.inf
    if not n.inputs or not all(i in numbers for i in n.inputs):
        return False
    if n.op.name in TOTAL:  # inf - inf and 0 * inf are the only NaNs of these, sin and cos of inf beside
        return all(math.isfinite(v) for i in n.inputs for v in bounds[i][:2]) or n.op.name in PASSING
    if n.op.name == "true_div":
        y = bounds[n.inputs[1]]
        return (y.low > 0 or y.high < 0) and all(math.isfinite(v) for i in n.inputs for v in bounds[i][:2])
    return n.op.name in ("sqrt", "log") and bounds[n.inputs[0]].low >= 0


def _truth(n: Expr, bounds: dict[Expr, Bounds], numbers: set[Expr], truth: dict[Expr, bool]) -> bool | None:
    """The value of a condition, if it is the same everywhere."""
    name = n.op.name
    if n.type.dtype != "bool":
        return None
    if name in ("bitwise_and", "bitwise_or"):
        found = [truth.get(i) for i in n.inputs]
        end = name == "bitwise_or"
        return end if end in found else None if None in found else not end
    if name == "invert" and n.inputs[0] in truth:
        return not truth[n.inputs[0]]
    if len(n.inputs) != 2 or not all(i in numbers for i in n.inputs):
        return None
    x, y = (bounds[i] for i in n.inputs)
    if name in ("gt", "ge"):
        x, y, name = y, x, "lt" if name == "gt" else "le"
    match name:
        case "lt":
            return True if x.high < y.low else False if x.low >= y.high else None
        case "le":
            return True if x.high <= y.low else False if x.low > y.high else None
        case "eq" | "ne":
            return name == "ne" if x.high < y.low or y.high < x.low else None
    return None


def _taken(n: Expr, bounds: dict[Expr, Bounds], numbers: set[Expr], truth: dict[Expr, bool]) -> Expr | None:
    """The input that a node equals everywhere."""
    name, out = n.op.name, None
    if name == "where" and n.inputs[0] in truth:
        out = n.inputs[1 if truth[n.inputs[0]] else 2]
    elif name in ("maximum", "minimum") and all(i in numbers for i in n.inputs):
        (a, b), (x, y) = n.inputs, (bounds[i] for i in n.inputs)
        if name == "minimum":
            x, y = y, x
        out = a if x.low >= y.high else b if y.low >= x.high else None
    elif name == "abs" and n.inputs[0] in bounds and bounds[n.inputs[0]].low >= 0 and n.inputs[0] in numbers:
        out = n.inputs[0]
    return out if out is not None and out.type == n.type else None
