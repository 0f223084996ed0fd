"""Stage 3: the meaning of a function's outputs, updates and gradients, lowered together and once.

Only regions in which the algebra found something are written anew; every other node stays the user's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from symdl.expr import Expr, building, rebuilt
from symdl.meaning.index_maps import ELEMENTWISE, viewed
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
from symdl.meaning.precision import Known
from symdl.meaning.readers.views import view_of
from symdl.meaning.reading import Reading, is_float_node
from symdl.meaning.writing import Writing
from symdl.ops.declare import spread
from symdl.ops.elementwise import add, cast, isnan, mul, true_div, where
from symdl.rewrite import Origins

NOTHING: frozenset[Atom] = frozenset()
NOWHERE: frozenset[Expr] = frozenset()
SELECTIONS = frozenset(["where", "maximum", "minimum", "clip_between", "max", "min", "gather", "join"])


@dataclass(frozen=True)
class Reached:
    """What a region is made of, as it lies in the region's result: its leaves, those of them that stand outside every
    function, and the divisors cancelled there. adrift: leaves and divisors below a join, a reduction or the like, which
    have no place in the result, so that no guard can speak of them."""

    leaves: frozenset[Atom] = NOTHING
    plain: frozenset[Atom] = NOTHING
    divisors: frozenset[Atom] = NOTHING
    adrift_leaves: frozenset[Atom] = NOTHING
    adrift_divisors: frozenset[Atom] = NOTHING

    def __or__(self, other: Reached) -> Reached:
        return Reached(
            self.leaves | other.leaves,
            self.plain | other.plain,
            self.divisors | other.divisors,
            self.adrift_leaves | other.adrift_leaves,
            self.adrift_divisors | other.adrift_divisors,
        )

    def through(self, move: Callable[[Atom], Atom | None]) -> Reached:
        """All of it as the region's next node has it."""
        atoms = sorted(self.leaves | self.plain | self.divisors, key=lambda a: a.order)
        moved = {a: move(a) for a in atoms}  # in order: moving makes atoms, which are numbered by birth

        def here(atoms: frozenset[Atom]) -> frozenset[Atom]:
            return frozenset(b for a in atoms if (b := moved[a]) is not None)

        def lost(atoms: frozenset[Atom]) -> frozenset[Atom]:
            return frozenset(a for a in atoms if moved[a] is None)

        return Reached(
            here(self.leaves),
            here(self.plain),
            here(self.divisors),
            self.adrift_leaves | lost(self.leaves),
            self.adrift_divisors | lost(self.divisors),
        )


def carried(node: Expr, child: Expr) -> Callable[[Atom], Atom | None] | None:
    """How an atom that lies as a node's input does lies in the node, None where it has no place; None if all lie alike."""
    view = view_of(node)
    if view is not None:
        return lambda a: viewed(a.forms.of_atom(a), view, child.type.ndim).atom
    if node.op.kind in ("elementwise", "composite") and node.type.shape == child.type.shape:
        return None
    return lambda a: a if not a.shape else None


def placed_leaves(poly: Poly) -> frozenset[Atom]:
    """The leaves of a form that lie in it as they are, not below a reduction or a view."""
    memo, key = poly.forms.memo, ("placed leaves", poly)
    if key not in memo:
        out: set[Atom] = set()
        for m in poly.terms:
            out |= placed_leaves(m.expo)
            for a in m.factors:
                if a.op == "leaf":
                    out.add(a)
                elif a.op in ELEMENTWISE:
                    out = out.union(*map(placed_leaves, a.args))
        memo[key] = frozenset(out)
    return memo[key]  # type: ignore[no-any-return]  # memos are Any


def partial_bases(poly: Poly) -> frozenset[Expr]:
    """On what the roots and logarithms in a form depend that may be NaN where their leaves are numbers."""
    memo, key = poly.forms.memo, ("partial", poly)
    if key not in memo:
        out: frozenset[Expr] = NOWHERE
        for m in poly.terms:
            out |= partial_bases(m.expo) if m.expo.terms else NOWHERE
            for a, p in m.factors.items():
                if (p.denominator % 2 == 0 and not a.nonneg) or (a.op == "log" and not a.args[0].nonneg):
                    out |= a.bases
                out = out.union(*map(partial_bases, a.args))
        memo[key] = out
    return memo[key]  # type: ignore[no-any-return]  # memos are Any


def roots_lost(before: Poly, after: Poly) -> bool:
    """Whether a form takes roots of what no root or logarithm in the other would show to be negative."""
    return any(
        p.denominator % 2 == 0 and not a.nonneg and not a.bases <= partial_bases(after)
        for m in before.terms
        for a, p in m.factors.items()
    )


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
        self.known = Known()
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
        reached = self.reached(node)
        form = self.form(node)
        kept = divisors_of(form)
        divisors = sorted(reached.divisors - kept, key=lambda a: a.order)
        seen = form.bases.union(*(a.bases for a in divisors))
        lost = sorted((a for a in reached.leaves if not a.bases <= seen), key=lambda a: a.order)
        if reached.adrift_divisors - kept or any(not a.bases <= seen for a in reached.adrift_leaves):
            return None
        region = self.whole_region(node)
        partial = frozenset().union(*(partial_bases(self.form(n)) for n in region if n in self.reading.polys))
        if any(roots_lost(self.form(n), form) for n in region if n in self.reading.polys):
            return None
        if not divisors and not lost:
            return Guards([], [], [])
        shape = stripped(node.type.shape)
        if any(joined([a.shape, shape]) != shape for a in (*divisors, *lost)):
            return None
        if any(n.op.name in SELECTIONS for n in region):
            return None  # a branch that is not taken must not poison
        guarded = frozenset().union(*(a.bases for a in lost))
        if not guarded.isdisjoint(partial):
            return None  # the NaN of a root or a logarithm shows in no leaf
        plain = reached.plain
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
            self.reach[n] = self._reached(n, inner) if inner else self.leaves(n)
            stack.pop()
        return self.reach[node]

    def _reached(self, node: Expr, inner: list[Expr]) -> Reached:
        out = Reached()
        for child in dict.fromkeys(inner):
            part = self.leaves(child) if child in self.reading.uncut else self.reach[child]
            move = carried(node, child)
            out |= part if move is None else part.through(move)
        plain = out.leaves & plain_leaves(self.reading.polys[node])
        risk = self.reading.risk.get(node, NOTHING)
        shape = stripped(node.type.shape)
        placed = frozenset(a for a in risk if node.op.kind == "elementwise" and joined([a.shape, shape]) == shape)
        return out | Reached(plain=plain, divisors=placed, adrift_divisors=risk - placed)

    def leaves(self, node: Expr) -> Reached:
        """What a node is made of whose own form is all that is asked."""
        poly = self.reading.polys[node]
        atoms = frozenset(a for a in leaf_atoms(poly) if base_of(a.param).op.kind != "position")
        placed = atoms & placed_leaves(poly)
        return Reached(placed, placed & plain_leaves(poly), adrift_leaves=atoms - placed)

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
            self.writers[dtype] = Writing(dtype, self.lower, self.reading.named, self.known)
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
