"""Stage 3: the meaning of a function's outputs, updates and gradients, lowered together and once.

Only regions in which the algebra found something are written anew; every other node stays the user's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symdl.expr import Expr, building, rebuilt
from symdl.meaning.normal_form import (
    Atom,
    Poly,
    base_of,
    divisors_of,
    joined,
    leaf_atoms,
    leaves_of,
    plain_leaves,
    stripped,
)
from symdl.meaning.reading import Reading, is_float_node
from symdl.meaning.writing import Writing
from symdl.ops.declare import spread
from symdl.ops.elementwise import add, cast, isnan, mul, true_div, where
from symdl.rewrite import Origins

Reached = tuple[frozenset[Atom], frozenset[Atom]]
NOTHING: frozenset[Atom] = frozenset()
SELECTIONS = frozenset(["where", "maximum", "minimum", "clip_between", "max", "min", "gather", "join"])


@dataclass(frozen=True)
class Guards:
    """Atoms that a form lost: those that were divided by, those that must be finite, those that must not be NaN."""

    divisors: list[Atom]
    finite: list[Atom]
    numbers: list[Atom]

    @property
    def all(self) -> list[Atom]:
        return [*self.divisors, *self.finite, *self.numbers]


class Lowering:
    """One function's meaning on its way to what runs."""

    def __init__(self, roots: Sequence[Expr], origins: Origins) -> None:
        self.roots, self.origins = list(roots), origins
        self.reading = Reading()
        self.done: dict[Expr, Expr] = {}
        self.writers: dict[str, Writing] = {}
        self.guarded: dict[Expr, Guards | None] = {}
        self.reach: dict[Expr, Reached] = {}

    def __call__(self) -> list[Expr]:
        self.reading(self.roots)
        for root in self.roots:
            self.lower(root)
        return [self.done[r] for r in self.roots]

    def lower(self, root: Expr) -> Expr:
        """done[root], by a stack of what must be lowered before."""
        stack = [root]
        while stack:
            node = stack[-1]
            if node in self.done:
                stack.pop()
                continue
            needed = self.needs(node)
            missing = [n for n in needed if n not in self.done]
            if missing:
                stack.extend(reversed(missing))
                continue
            self.done[node] = self.finished(node)
            stack.pop()
        return self.done[root]

    def rewritten(self, node: Expr) -> bool:
        """Whether a node is written from its form: something was found, and what got lost can be guarded."""
        return node in self.reading.dirty and self.guards(node) is not None

    def guards(self, node: Expr) -> Guards | None:
        """What must be added to a form so that no NaN, infinity or zero divisor that came in is hidden; None if the
        node is best left as written."""
        if node not in self.guarded:
            self.guarded[node] = self._guards(node)
        return self.guarded[node]

    def _guards(self, node: Expr) -> Guards | None:
        leaves, risk = self.reached(node)
        form = self.form(node)
        divisors = sorted(risk - divisors_of(form), key=lambda a: a.order)
        seen = form.bases.union(*(a.bases for a in divisors))
        lost = sorted((a for a in leaves if not a.bases <= seen), key=lambda a: a.order)
        if not divisors and not lost:
            return Guards([], [], [])
        shape = stripped(node.type.shape)
        region = self.whole_region(node)
        if any(joined([a.shape, shape]) != shape for a in (*divisors, *lost)):
            return None
        if any(n.op.name in SELECTIONS for n in region):
            return None  # a branch that is not taken must not poison
        plain = set().union(*(plain_leaves(self.reading.polys[n]) for n in region if n in self.reading.polys))
        return Guards(divisors, [a for a in lost if a in plain], [a for a in lost if a not in plain])

    def form(self, node: Expr) -> Poly:
        return self.reading.uncut.get(node) or self.reading.polys[node]

    def reached(self, node: Expr) -> Reached:
        """The leaves of a dirty node's region, whose values must not get lost, and the divisors cancelled there."""
        stack = [node]
        while stack:
            n = stack[-1]
            if n in self.reach:
                stack.pop()
                continue
            inner = self.region(n)
            missing = [i for i in inner if i not in self.reach and i not in self.reading.uncut]
            if missing:
                stack.extend(missing)
                continue
            if inner:
                parts = [self.leaves(i) if i in self.reading.uncut else self.reach[i] for i in inner]
                own = self.reading.risk.get(n, NOTHING)
                self.reach[n] = frozenset().union(*(p[0] for p in parts)), own.union(*(p[1] for p in parts))
            else:
                self.reach[n] = self.leaves(n)
            stack.pop()
        return self.reach[node]

    def leaves(self, node: Expr) -> Reached:
        atoms = leaf_atoms(self.reading.polys[node])
        return frozenset(a for a in atoms if base_of(a.param).op.kind != "position"), NOTHING

    def region(self, node: Expr) -> list[Expr]:
        """The float inputs of a node that its form is made of; none for a node that is a leaf or clean."""
        if node not in self.reading.dirty:
            return []
        return [i for i in node.inputs if i in self.reading.polys]

    def needs(self, node: Expr) -> list[Expr]:
        """What must be lowered before a node."""
        if not self.rewritten(node):
            return list(node.inputs)
        guards = self.guards(node)
        assert guards is not None
        extra = [n for a in guards.all for n in leaves_of(a.forms.of_atom(a))]
        return [*leaves_of(self.form(node)), *extra]

    def finished(self, node: Expr) -> Expr:
        mine = self.origins.get(node, frozenset())
        if not self.rewritten(node):
            with building(mine, self.origins):
                new = rebuilt(node, tuple(self.done[i] for i in node.inputs))
            if new is not node and node.name and not new.name:
                new.name = node.name
            return new
        behind = mine.union(*(self.origins.get(n, frozenset()) for n in self.whole_region(node)))
        with building(behind, self.origins):
            form = self.form(node)
            dtype = max([node.type.dtype, *(n.type.dtype for n in leaves_of(form) if is_float_node(n))])
            out = self.guarded_by(self.writer(dtype), form, self.guards(node))
            out = cast(out, node.type.dtype)
            return spread(out, node.type.shape, tuple(range(node.type.ndim - out.type.ndim, node.type.ndim)))

    def guarded_by(self, write: Writing, form: Poly, guards: Guards | None) -> Expr:
        assert guards is not None
        out = write(form)
        zero = write.number(0)
        for a in guards.divisors:  # NaN where it is 0, infinite or NaN
            x = write.atom(a)
            out = add(out, true_div(mul(x, zero), x))
        for a in guards.finite:
            out = add(out, mul(write.atom(a), zero))
        for a in guards.numbers:
            x = write.atom(a)
            out = where(isnan(x), x, out)
        return out

    def writer(self, dtype: str) -> Writing:
        if dtype not in self.writers:
            self.writers[dtype] = Writing(dtype, self.lower, self.reading.named)
        return self.writers[dtype]

    def whole_region(self, node: Expr) -> list[Expr]:
        """The nodes that a written node stands for, and those that they are made of."""
        seen: dict[Expr, None] = {}
        stack = [node]
        while stack:
            n = stack.pop()
            if n not in seen:
                seen[n] = None
                if n is node or n not in self.reading.uncut:
                    stack += self.region(n)
        return list(seen)
