"""Guards: what a region loses on its way to a form, and what must be added so that nothing that came in is hidden.

A form is right for all finite numbers. What it no longer depends on may have been NaN, infinite or a zero divisor, a
root or a logarithm that it lost may have been NaN: such an atom is added as 0 times itself, or its NaN is handed on. A
node of which that cannot be said, since what was lost has no place in its result, stays as written.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

from symdl.graph.expr import Expr
from symdl.meaning.factoring import as_factor, root_of
from symdl.meaning.index_maps import ELEMENTWISE, view_of, viewed
from symdl.meaning.masks import is_no_choice
from symdl.meaning.normal_form import Atom, Mono, Poly, base_of, divisors_of, joined, leaf_atoms, stripped
from symdl.meaning.reading import Reading
from symdl.records import record

Atoms = frozenset[Atom]
NOTHING: Atoms = frozenset()
SELECTIONS = frozenset(["where", "maximum", "minimum", "clip_between", "max", "min", "gather", "join"])
SIGNED = frozenset(["log", "pow"])  # functions that are NaN for some numbers below 0
BOUNDED = frozenset(["sigmoid", "tanh", "erf", "erfc", "arctan", "logistic_tail"])
PARTIAL = SIGNED | {"arcsin", "arctanh"}  # ... for some numbers


class Reached(NamedTuple):
    """What a region is made of, as it lies in the region's result.

    leaves; partials: logarithms, powers and roots that may be NaN; above, below: those of them that stand outside every
    function, as factors or divisors; free: those that stand outside every branch of a choice; divisors: what was cancelled
    though it may be 0. adrift: what lies below a join, a reduction or the like, which has no place in the result, so that no
    guard can speak of it.
    """

    leaves: Atoms = NOTHING
    partials: Atoms = NOTHING
    above: Atoms = NOTHING
    below: Atoms = NOTHING
    free: Atoms = NOTHING
    divisors: Atoms = NOTHING
    adrift_leaves: Atoms = NOTHING
    adrift_partials: Atoms = NOTHING
    adrift_divisors: Atoms = NOTHING

    def __or__(self, other: Reached) -> Reached:
        if self is other or other is NOWHERE:
            return self
        if self is NOWHERE:
            return other
        return Reached(*[x | y if x and y else x or y for x, y in zip(self, other, strict=True)])

    def through(self, move: Callable[[Atom], Atom | None]) -> Reached:
        """All of it as the region's next node has it."""
        atoms = sorted(self.leaves | self.partials | self.divisors, key=lambda a: a.order)
        moved = {a: move(a) for a in atoms}  # in order: moving makes atoms, which are numbered by birth

        def here(atoms: Atoms) -> Atoms:
            return frozenset(b for a in atoms if (b := moved[a]) is not None)

        def lost(atoms: Atoms) -> Atoms:
            return frozenset(a for a in atoms if moved[a] is None)

        return Reached(
            here(self.leaves),
            here(self.partials),
            here(self.above),
            here(self.below),
            here(self.free),
            here(self.divisors),
            self.adrift_leaves | lost(self.leaves),
            self.adrift_partials | lost(self.partials),
            self.adrift_divisors | lost(self.divisors),
        )


NOWHERE = Reached()


@record
class Guards:
    """Atoms that a form lost: divisors, which must be neither 0 nor infinite; those that must be finite; those that must
    not be 0; those that must not be NaN."""

    divisors: Sequence[Atom] = ()
    finite: Sequence[Atom] = ()
    nonzero: Sequence[Atom] = ()
    numbers: Sequence[Atom] = ()

    @property
    def all(self) -> list[Atom]:
        return [*self.divisors, *self.finite, *self.nonzero, *self.numbers]


def carried(node: Expr, child: Expr) -> Callable[[Atom], Atom | None] | None:
    """How an atom that lies as a node's input does lies in the node, None where it has no place; None if all lie alike."""
    view = view_of(node)
    if view is not None:
        return lambda a: viewed(a.forms.of_atom(a), view, child.type.ndim).atom
    if node.op.kind in ("elementwise", "composite") and node.type.shape == child.type.shape:
        return None
    return lambda a: a if not a.shape else None


class Parts(NamedTuple):
    """The leaves and partial functions of a form: placed as they lie in it, or adrift below a reduction or a view; free: those
    placed outside every branch of a choice."""

    leaves: Atoms
    partials: Atoms
    adrift_leaves: Atoms
    adrift_partials: Atoms
    free: Atoms


NO_PARTS = Parts(NOTHING, NOTHING, NOTHING, NOTHING, NOTHING)


def parts_of(poly: Poly) -> Parts:
    """The leaves and partial functions of a form."""
    memo, key = poly.forms.memo, ("parts", poly)
    if key not in memo:
        sets: list[set[Atom]] = [set(), set(), set(), set(), set()]
        for m in poly.terms:
            inner = [(parts_of(m.expo), "exp")] if m.expo.terms else []
            for a, p in m.factors.items():
                own = (
                    {a} if a.op == "leaf" or (a.op in PARTIAL and not (a.op in SIGNED and a.args[0].nonneg)) else set()
                )
                sets[0 if a.op == "leaf" else 1] |= own
                if p.denominator != 1 and not a.nonneg:
                    sets[1].add(root := root_of(a, p))
                    own.add(root)
                sets[4] |= own
                inner += [(parts_of(q), a.op) for q in a.args]
            for part, op in inner:
                if part is NO_PARTS:
                    continue
                placed = op == "exp" or op in ELEMENTWISE
                sets[0 if placed else 2] |= part.leaves
                sets[1 if placed else 3] |= part.partials
                sets[2] |= part.adrift_leaves
                sets[3] |= part.adrift_partials
                sets[4] |= part.free if placed and op != "where" else NOTHING
        memo[key] = Parts(*map(frozenset, sets)) if any(sets) else NO_PARTS
    return memo[key]  # type: ignore[no-any-return]  # memos are Any


def domain(a: Atom) -> Hashable:
    """What must hold for a partial function not to be NaN: equal for all that ask the same."""
    if a.op not in ("log", "sum_of"):
        return a
    m, c = as_factor(a.args[0]) if a.args[0].terms else (a.forms.unit, 0)
    if a.op == "sum_of":
        return (1, *m.factors)
    odd = [(b, q) for b, q in m.factors.items() if not (b.nonneg or (q.denominator == 1 and q.numerator % 2 == 0))]
    return (1 if c > 0 else -1, odd[0][0]) if len(odd) == 1 and odd[0][1].denominator == 1 and c else a


def outside(poly: Poly) -> tuple[set[Atom], set[Atom]]:
    """The leaves and partial functions that a form holds outside every function: as factors, and as divisors."""
    above: set[Atom] = set()
    below: set[Atom] = set()
    for m in poly.terms:
        for a, p in m.factors.items():
            if a.op == "sum_of" and p > 0:
                inner = outside(a.args[0])
                above |= inner[0]
                below |= inner[1]
            elif a.op == "log" and p == 1 and _is_added(poly, m, a):
                above |= leaf_atoms(a.args[0])
            elif a.op == "leaf" or a.op in PARTIAL:
                (above if p > 0 else below).add(a)
            if p.denominator != 1 and not a.nonneg:
                (above if p > 0 else below).add(root_of(a, p))
    return above, below


def _is_added(poly: Poly, m: Mono, a: Atom) -> bool:
    """Whether a term is the logarithm A of A + softplus(B - A), which is logaddexp(A, B): where it is one of 0, it adds nothing."""
    rest = m.without(a)
    for n, c in poly.terms.items():
        for b, p in n.factors.items():
            if b.op == "softplus" and p == 1 and n.without(b) is rest and c == poly.terms[m]:
                if b.args[0].terms.get(a.forms.mono(a.forms.zero, {a: 1})) == -1:
                    return True
    return False


def bases_of(atoms: Atoms) -> frozenset[Expr]:
    """On what atoms depend."""
    return frozenset().union(*(a.bases for a in atoms))


class Losses:
    """What the dirty nodes of one reading lose, each node once."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.found: dict[Expr, Guards | None] = {}
        self.reach: dict[Expr, Reached] = {}
        self.shown: dict[Expr, bool] = {}
        self.regions: dict[Expr, list[Expr]] = {}

    def guards(self, node: Expr) -> Guards | None:
        """What must be added to a form so that no NaN, infinity or zero divisor that came in is hidden; None if the
        node is best left as written."""
        if node not in self.found:
            self.found[node] = self._guards(node)
        return self.found[node]

    def form(self, node: Expr) -> Poly:
        return self.reading.uncut.get(node) or self.reading.polys[node]

    def _guards(self, node: Expr) -> Guards | None:
        reached, form = self.reached(node), self.form(node)
        kept = divisors_of(form) | self.reading.safe(node)
        divisors = reached.divisors - kept
        seen, parts = form.bases | bases_of(divisors), parts_of(form)
        if reached.adrift_divisors - kept or any(not a.bases <= seen for a in reached.adrift_leaves):
            return None
        partials = parts.partials | parts.adrift_partials
        if not bases_of(reached.adrift_partials - partials) <= bases_of(partials):
            return None
        domains = {domain(a) for a in partials}
        lost = frozenset(a for a in reached.partials if domain(a) not in domains)
        chosen = [n for n in self.whole_region(node) if n.op.name in SELECTIONS and not is_no_choice(n)]
        if not all(self._shows_its_leaves(branch) for n in chosen for branch in self.region(n)):
            return None
        if chosen:  # an atom may be left out since its branch is
            lost = frozenset(a for a in lost if not a.bases <= bases_of(partials))
            lost |= frozenset(a for a in reached.leaves if not a.bases <= seen)
        else:
            here = parts.leaves.union(*(leaf_atoms(a.forms.of_atom(a)) for a in divisors))
            below = bases_of(parts.adrift_leaves)
            lost |= frozenset(a for a in reached.leaves - here if not a.bases <= below)
        if not divisors and not lost:
            return Guards()
        shape = stripped(node.type.shape)
        if (
            chosen
            or self._stand_in_a_branch(divisors, node)
            or not lost <= reached.free
            or any(joined([a.shape, shape]) != shape for a in (*divisors, *lost))
        ):
            return None  # a branch that is not taken must not poison
        return self._sorted(divisors, lost, reached)

    def _stand_in_a_branch(self, divisors: Atoms, node: Expr) -> bool:
        """Whether a choice that a node is made of, written anew or not, may have divisors in a branch alone."""
        stack, seen = [node] if divisors else [], {node}
        while stack:
            n = stack.pop()
            inner = [i for i in n.inputs if i in self.reading.polys]
            if n.op.name in SELECTIONS and not is_no_choice(n):
                branches = frozenset().union(*(self.form(i).bases for i in inner))
                if any(not a.bases.isdisjoint(branches) for a in divisors):
                    return True
            for i in inner:
                a = self.reading.polys[i].atom
                if i not in seen and (a is None or a.op != "leaf" or a.param is not i):
                    seen.add(i)
                    stack.append(i)
        return False

    def _shows_its_leaves(self, branch: Expr) -> bool:
        """Whether a branch depends on all that it is made of: another branch is not there to show it."""
        if branch not in self.shown:
            bases = self.form(branch).bases
            own = self.own(branch) if branch in self.reading.uncut else self.reached(branch)
            self.shown[branch] = all(a.bases <= bases for a in own.leaves)
        return self.shown[branch]

    def _sorted(self, divisors: Atoms, lost: Atoms, reached: Reached) -> Guards:
        """Guards for what is lost; none for a leaf alone that another one shows."""
        finite, nonzero = lost & reached.above, (lost & reached.below) - reached.above
        shown: set[Atom] = set()
        for a in (*divisors, *(lost & reached.partials)):
            shown |= leaf_atoms(a.forms.of_atom(a)) - {a}
        numbers = lost - finite - nonzero - shown
        rows = (sorted(atoms, key=lambda a: a.order) for atoms in (divisors, finite, nonzero, numbers))
        return Guards(*rows)

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
            self.reach[n] = self._reached(n, inner) if inner else self.own(n)
            stack.pop()
        return self.reach[node]

    def _reached(self, node: Expr, inner: list[Expr]) -> Reached:
        out = NOWHERE
        for child in dict.fromkeys(inner):
            part = self.own(child) if child in self.reading.uncut else self.reach[child]
            if self._tames(node, child):
                part = part._replace(above=NOTHING, below=NOTHING)
            move = carried(node, child)
            out |= part if move is None else part.through(move)
        poly = self.reading.polys[node]
        above, below = outside(poly)
        parts = parts_of(poly)
        partials = out.partials | parts.partials
        known = out.leaves | partials
        risk = self.reading.risk.get(node, NOTHING)
        shape = stripped(node.type.shape)
        placed = frozenset(a for a in risk if node.op.kind == "elementwise" and joined([a.shape, shape]) == shape)
        return out | Reached(
            partials=partials,
            above=known & above,
            below=known & below,
            free=known & parts.free,
            divisors=placed,
            adrift_partials=parts.adrift_partials,
            adrift_divisors=risk - placed,
        )

    def _tames(self, node: Expr, child: Expr) -> bool:
        """Whether an infinity in an operand makes no infinity of a node: xlogy is 0 beside all that is a number, 1 / inf is 0."""
        name = node.op.name
        if name in ("xlogy", "true_div"):
            return child is not node.inputs[0]
        if name == "reciprocal":
            return True
        return name in BOUNDED or (name in ("exp", "exp2") and self.reading.polys[child].nonpos)

    def own(self, node: Expr) -> Reached:
        """What a node is made of whose own form is all that is asked."""
        poly = self.reading.polys[node]
        parts = parts_of(poly)
        placed, adrift = (
            frozenset(a for a in atoms if base_of(a.param).op.kind != "position")
            for atoms in (parts.leaves, parts.adrift_leaves)
        )
        above, below = outside(poly)
        roots = self.reading.roots.get(node, NOTHING)
        known = placed | parts.partials
        return Reached(
            placed,
            parts.partials | roots,
            known & above,
            known & below,
            (known & parts.free) | roots,
            adrift_leaves=adrift - placed,
            adrift_partials=parts.adrift_partials,
        )

    def region(self, node: Expr) -> list[Expr]:
        """The float inputs of a node that its form is made of; none for a node that is a leaf or clean."""
        if node not in self.reading.dirty:
            return []
        return [i for i in node.inputs if i in self.reading.polys]

    def whole_region(self, node: Expr) -> list[Expr]:
        """The nodes that a written node stands for, and those that they are made of."""
        known = self.regions.get(node)
        if known is None:
            seen: dict[Expr, None] = {}
            stack = [node]
            while stack:
                n = stack.pop()
                if n not in seen:
                    seen[n] = None
                    if n is node or n not in self.reading.uncut:
                        stack += self.region(n)
            known = self.regions[node] = list(seen)
        return known
