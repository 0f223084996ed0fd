"""Defined: forms that are numbers wherever the inputs are, so that they may stand outside of a branch that is not taken."""

from __future__ import annotations

from symdl.graph.expr import Expr
from symdl.meaning.decided import TOTAL
from symdl.meaning.normal_form import Atom, Poly, base_of
from symdl.meaning.rationals import Rational

EVERYWHERE = frozenset(  # functions of forms that no finite number is beyond
    "sum_of sum abs sign softplus erf erfc erfcx sin cos where max min maximum view pick put join others".split()
)


def is_defined(poly: Poly) -> bool:
    """Whether a form is a number wherever all inputs are finite."""
    return all(is_defined(m.expo) and all(is_defined_factor(a, p) for a, p in m.factors.items()) for m in poly.terms)


def is_defined_factor(a: Atom, p: Rational) -> bool:
    """The same of a power of an atom."""
    if (p < 0 or p.denominator != 1) and not (a.positive or (p > 0 and a.nonneg)):
        return False
    if a.op == "leaf":
        return _is_defined_node(a.param)
    return a.op in EVERYWHERE and all(map(is_defined, a.args))


def _is_defined_node(node: Expr) -> bool:
    """Whether a node that no form is known of is a number wherever all inputs are; what is no function of elements is."""
    stack, seen = [node], set()
    while stack:
        n = base_of(stack.pop())
        if n in seen or n.op.kind not in ("elementwise", "composite") or not n.inputs:
            continue
        if n.op.name not in TOTAL:
            return False
        seen.add(n)
        stack.extend(n.inputs)
    return True
