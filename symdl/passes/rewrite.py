"""Rewriting: rules are pairs of expressions; one pass applies them bottom-up, memoised, without recursion.

Passes keep the user's origins in a table of their own: what replaces a node comes from the nodes that it replaces.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from functools import cache, cached_property
from typing import Any

import numpy as np

from symdl.errors import RewriteError
from symdl.graph.expr import ANY, CONSTANT, WILDCARD, Expr, Op, make, rebuilt
from symdl.graph.origins import building
from symdl.graph.walks import topological
from symdl.number_forms import WIDE, array_dtype, records
from symdl.ops.declare import filled_like
from symdl.records import record

Origins = dict[Expr, frozenset[int]]  # node of this function's graph -> numbers of the user's nodes
Bindings = dict[Expr, Expr]
NOBODY: frozenset[int] = frozenset()


@record
class Rule:
    """pattern and replacement are equal over the reals, where the wildcards satisfy `where` (sympy's syntax).

    Both are ordinary expressions over wildcards. if_: a further condition on the nodes bound, which types alone
    decide. witness: for a stability rule, an input at which the pattern's float value is wrong.
    """

    name: str
    pattern: Expr
    replacement: Expr
    where: str = ""
    if_: Callable[[Bindings], bool] | None = None
    witness: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def below(self) -> frozenset[Op]:
        """The ops that the inputs of a node must have among them: most rules end with this question."""
        return frozenset(i.op for i in self.pattern.inputs if i.op is not WILDCARD)


def match(pattern: Expr, expr: Expr) -> Bindings | None:
    """The wildcards' values under which pattern is expr, or None. Patterns are small; the search is depth first."""
    return _match([(pattern, expr)], {})


def _match(pairs: list[tuple[Expr, Expr]], bound: Bindings) -> Bindings | None:
    while pairs:
        pattern, expr = pairs.pop()
        if pattern.op is WILDCARD:
            if bound.setdefault(pattern, expr) is not expr:
                return None
        elif pattern.op is CONSTANT:
            if expr.op is not CONSTANT or not _equal(pattern.params["value"].array, expr.params["value"].array):
                return None
        elif pattern.op is not expr.op or pattern.params != expr.params:
            return None
        elif pattern.op.commutative:
            first, second = pattern.inputs
            for a, b in (expr.inputs, expr.inputs[::-1]):
                found = _match([*pairs, (first, a), (second, b)], dict(bound))
                if found is not None:
                    return found
            return None
        else:
            pairs += zip(pattern.inputs, expr.inputs, strict=True)
    return bound


def _equal(wanted: np.ndarray[Any, Any], found: np.ndarray[Any, Any]) -> bool:
    """Whether all entries are the number of a pattern; 0 is not -0."""
    if not found.shape and not wanted.shape and not found.dtype.names:  # nearly all: without NumPy's price of a call
        one, other = wanted.item(), found.item()
        return bool(one == other) and (
            one != 0 or found.dtype.kind != "f" or math.copysign(1.0, one) == math.copysign(1.0, other)
        )
    if found.dtype.names:  # of a number form: as the limbs of the number
        return found.tobytes() == _in_form(wanted.tobytes(), wanted.dtype, found.dtype) * found.size
    if wanted == 0 and found.dtype.kind == "f" and np.any(np.signbit(found) != np.signbit(wanted)):
        return False
    return bool(np.all(found == wanted))


@cache  # patterns hold few numbers, which are asked for at each constant
def _in_form(number: bytes, dtype: np.dtype[Any], form: np.dtype[Any]) -> bytes:
    """A number of a pattern as its limbs lie in memory."""
    return records(np.frombuffer(number, dtype), next(d for d in WIDE if array_dtype(d) == form)).tobytes()


def instantiated(template: Expr, bound: Bindings) -> Expr:
    """A replacement with its wildcards filled in; its numbers take the dtype of their peers."""
    done = dict(bound)
    for node in topological(template):
        if node in done:
            continue
        if node.op is CONSTANT:
            continue
        inputs = [done[i] if i in done else i.params["value"].array.item() for i in node.inputs]
        done[node] = node.op(*inputs, **node.params)
    if template.op is CONSTANT:  # a bare number takes the dtype of what it replaces: the caller casts
        return template
    return done[template]


class Rewriting:
    """A bottom-up rewrite of a graph: `change` gives a node's replacement, its inputs being rewritten already.

    Memoised over several calls, so shared parts are done once. final: what change returns needs no rewriting itself.
    """

    def __init__(self, origins: Origins | None = None, final: bool = False) -> None:
        self.final = final
        self.origins: Origins = {} if origins is None else origins
        self.done: dict[Expr, Expr] = {}

    def change(self, node: Expr) -> Expr:
        """What stands for a node. A method, not a function that is kept: who held itself would keep all that it has seen
        until the garbage collector comes."""
        raise NotImplementedError

    def concerns(self, op: Op) -> bool:
        """Whether a node of this op may be changed though its inputs are not; most are not, and pass by."""
        return True

    def __call__(self, roots: Sequence[Expr]) -> list[Expr]:
        done, origins, change, concerns = self.done, self.origins, self.change, self.concerns
        stack = list(reversed(roots))
        while stack:
            node = stack[-1]
            if node in done:
                stack.pop()
                continue
            inputs, height, same = node.inputs, len(stack), True
            for i in reversed(inputs):
                new = done.get(i)
                if new is None:
                    stack.append(i)
                elif new is not i:
                    same = False
            if len(stack) > height:
                continue
            stack.pop()
            if same and not concerns(node.op):
                done[node] = node
                continue
            mine = origins.get(node, NOBODY)
            with building(mine, origins):
                new = change(node if same else make(node.op, tuple([done[i] for i in inputs]), **node.params))
            if new is not node and new.op.kind != "leaf":
                before = origins.get(new)
                origins[new] = mine if before is None else before | mine
            done[node] = new
            if self.final:  # or each change of a long chain would walk through all that lies below it
                done.setdefault(new, new)
        return [done[r] for r in roots]


class Pass(Rewriting):
    """The rewriting by a function."""

    def __init__(self, change: Callable[[Expr], Expr], origins: Origins | None = None, final: bool = False) -> None:
        super().__init__(origins, final)
        self.by = change

    def change(self, node: Expr) -> Expr:
        return self.by(node)


@record
class Change:
    """A rule that no pattern expresses: change(node) is an equal expression of the same type, or None where it does not
    fit. tops: the ops at which it is tried.
    """

    name: str
    tops: tuple[str, ...]
    change: Callable[[Expr], Expr | None]


class RulePass(Rewriting):
    """Rules applied to each node until none fits. Rules are found by the op at the top of their pattern."""

    def __init__(self, rules: Sequence[Rule | Change], origins: Origins | None = None) -> None:
        super().__init__(origins, final=True)
        self.rules: dict[str, list[Rule | Change]] = {}
        for rule in rules:
            for top in rule.tops if isinstance(rule, Change) else (rule.pattern.op.name,):
                self.rules.setdefault(top, []).append(rule)
        self.fired: dict[str, int] = {}
        self.open: set[Expr] = set()  # nodes being rewritten: one that comes back below itself never ends

    def concerns(self, op: Op) -> bool:
        return op.name in self.rules

    def change(self, node: Expr) -> Expr:
        if node in self.open:
            raise RewriteError(f"rewrite rules do not come to an end at {node!r}")
        self.open.add(node)
        try:
            return self._steps(node)
        finally:
            self.open.discard(node)

    def _steps(self, node: Expr) -> Expr:
        for _ in range(100):  # rules shrink or order their terms; a hundred steps at one node are a loop
            better = self.first_fit(node)
            if better is None:
                return node
            # What a rule put below the new top is rewritten as well; the rest below is done.
            node = rebuilt(better, tuple(self(better.inputs)))
        raise RewriteError(f"rewrite rules do not come to an end at {node!r}")

    def first_fit(self, node: Expr) -> Expr | None:
        rules = self.rules.get(node.op.name)
        if rules is None:
            return None
        below = {i.op for i in node.inputs}
        for rule in rules:
            if isinstance(rule, Rule) and not rule.below <= below:
                continue
            new = applied(rule, node)
            if new is not None:
                self.fired[rule.name] = self.fired.get(rule.name, 0) + 1
                return new
        return None


def applied(rule: Rule | Change, node: Expr) -> Expr | None:
    """What a rule makes of a node, of the node's own type; None where it does not fit."""
    if isinstance(rule, Change):
        new = rule.change(node)
    else:
        bound = match(rule.pattern, node)
        if bound is None or (rule.if_ is not None and not rule.if_(bound)):
            return None
        new = instantiated(rule.replacement, bound)
        if new.type is ANY:
            new = filled_like(new.params["value"].array.item(), node)
    if new is None or new is node or new.type != node.type:  # such as x * 1 -> x where the 1 is what stretches x
        return None
    return new


# Ops that only say what gradients do.
GUIDES = frozenset(["copy", "custom_gradient", "disconnected_grad", "grad_clip", "grad_scale", "zero_grad"])


class Expansion(Rewriting):
    """Every composite op replaced by its body, until only what backends supply is left.

    foreign: only those that users declared, and those that only say what gradients do, so that the algebra sees what they are made of.
    """

    def __init__(self, origins: Origins | None = None, foreign: bool = False) -> None:
        super().__init__(origins, final=True)
        self.foreign = foreign

    def concerns(self, op: Op) -> bool:
        return op.expand is not None and (not self.foreign or op.foreign or op.name in GUIDES)

    def change(self, node: Expr) -> Expr:
        if node.op.expand is None or not self.concerns(node.op):
            return node
        (made,) = self([node.op.expand(*node.inputs, **node.params)])  # they nest a few levels deep, unlike the graph
        return made


def expanded(roots: Sequence[Expr], origins: Origins | None = None, foreign: bool = False) -> list[Expr]:
    """The roots without composite ops; foreign: without those of users alone."""
    return Expansion(origins, foreign)(roots)
