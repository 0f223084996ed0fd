"""Stage 3: the meaning of a function's outputs, updates and gradients, lowered together and once.

Only regions in which the algebra found something are written anew; every other node stays the user's own.
"""

from __future__ import annotations

from collections.abc import Sequence

from symdl.expr import Expr, building, rebuilt, topological
from symdl.meaning.normal_form import Atom, Poly, divisors_of, leaves_of
from symdl.meaning.reading import Reading, is_float_node
from symdl.meaning.writing import Writing
from symdl.ops.declare import spread
from symdl.ops.elementwise import cast
from symdl.rewrite import Origins

Reached = tuple[frozenset[Expr], frozenset[Atom]]
NOTHING: frozenset[Atom] = frozenset()


class Lowering:
    """One function's meaning on its way to what runs."""

    def __init__(self, roots: Sequence[Expr], origins: Origins) -> None:
        self.roots, self.origins = list(roots), origins
        self.reading = Reading()
        self.done: dict[Expr, Expr] = {}
        self.writers: dict[str, Writing] = {}
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
        """Whether a node is written from its form: something was found, and no input of it got lost."""
        if node not in self.reading.dirty:
            return False
        bases, risk = self.reached(node)
        form = self.form(node)
        return bases <= form.bases and risk <= divisors_of(form)

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
                parts = [(frozenset([i]), NOTHING) if i in self.reading.uncut else self.reach[i] for i in inner]
                own = self.reading.risk.get(n, NOTHING)
                self.reach[n] = frozenset().union(*(p[0] for p in parts)), own.union(*(p[1] for p in parts))
            else:
                bases = frozenset(b for b in self.reading.polys[n].bases if b.op.kind != "position")
                self.reach[n] = bases, NOTHING
            stack.pop()
        return self.reach[node]

    def region(self, node: Expr) -> list[Expr]:
        """The float inputs of a node that its form is made of; none for a node that is a leaf or clean."""
        if node not in self.reading.dirty:
            return []
        return [i for i in node.inputs if i in self.reading.polys]

    def needs(self, node: Expr) -> list[Expr]:
        """What must be lowered before a node."""
        if not self.rewritten(node):
            return list(node.inputs)
        return list(leaves_of(self.form(node)))

    def finished(self, node: Expr) -> Expr:
        mine = self.origins.get(node, frozenset())
        if not self.rewritten(node):
            with building(mine, self.origins):
                new = rebuilt(node, tuple(self.done[i] for i in node.inputs))
            if new is not node and node.name and not new.name:
                new.name = node.name
            return new
        with building(mine | self.origins_of_region(node), self.origins):
            form = self.form(node)
            dtype = max([node.type.dtype, *(n.type.dtype for n in leaves_of(form) if is_float_node(n))])
            out = self.writer(dtype)(form)
            out = cast(out, node.type.dtype)
            return spread(out, node.type.shape, tuple(range(node.type.ndim - out.type.ndim, node.type.ndim)))

    def writer(self, dtype: str) -> Writing:
        if dtype not in self.writers:
            self.writers[dtype] = Writing(dtype, self.lower, self.reading.named)
        return self.writers[dtype]

    def origins_of_region(self, node: Expr) -> frozenset[int]:
        """The numbers of the user's nodes that a written node stands for."""
        seen: set[Expr] = set()
        stack = [node]
        out: set[int] = set()
        while stack:
            n = stack.pop()
            if n not in seen:
                seen.add(n)
                out |= self.origins.get(n, frozenset())
                stack += self.region(n)
        return frozenset(out)
