"""Stage 3: the meaning of a function's outputs, updates and gradients, lowered together and once.

Only regions in which the algebra found something are written anew; every other node stays the user's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import symdl.meaning.readers  # noqa: F401  # which enters the readers
from symdl.graph.expr import CONSTANT, Expr, constant, meant_by, rebuilt
from symdl.graph.irrationals import IRRATIONALS
from symdl.graph.origins import building
from symdl.meaning.exactness import Known
from symdl.meaning.guards import Guards, Losses
from symdl.meaning.monotone import PLACES, SEEKING, below_views, in_views, is_extreme_of, sought
from symdl.meaning.normal_form import Atom, Poly, divisors_of, leaves_of
from symdl.meaning.reading import Reading, is_float_node
from symdl.meaning.strict import AsWritten
from symdl.meaning.writing import Writing
from symdl.ops.declare import spread
from symdl.ops.elementwise import add, cast, isnan, mul, sub, true_div, where
from symdl.ops.functions import deg2rad, log_slope, rad2deg, trigamma
from symdl.ops.normalized import LOGSUMEXP, SOFTMAX
from symdl.passes.rewrite import Origins

ANGLES = {deg2rad: IRRATIONALS["pi/180"], rad2deg: IRRATIONALS["180/pi"]}
# ops that are lowered though nothing was found
OWN_WAYS = frozenset([CONSTANT, log_slope, trigamma, SOFTMAX, LOGSUMEXP, *ANGLES])
COMPARISONS = frozenset(["lt", "le", "gt", "ge", "eq", "ne"])
# the numbers that functions near and never are, but for infinities
LIMITS: dict[str, tuple[int, ...]] = {"sigmoid": (1,), "tanh": (1, -1), "erf": (1, -1), "erfc": (2,), "expm1": (-1,)}


def body_of(node: Expr) -> Expr:
    """A composite of simpler ops, as its definition has it."""
    assert node.op.expand is not None
    out: Expr = node.op.expand(*node.inputs)
    return out


class Lowering:
    """One function's meaning on its way to what runs. writing: who writes a form; a Record puts another in its place."""

    writing: Callable[..., Writing] = Writing
    right = False  # whether nodes may get number forms
    strict = False  # whether NaN, infinities and signs of zeros are those of the formula as written

    def __init__(self, roots: Sequence[Expr], origins: Origins) -> None:
        self.roots, self.origins = list(roots), origins
        self.reading = Reading()
        self.done: dict[Expr, Expr] = {}
        self.writers: dict[tuple[str, frozenset[Atom]], Writing] = {}
        self.known = Known()
        self.differences: dict[Expr, Expr] = {}  # by comparisons, see `apart`

    def forget(self) -> None:
        """Let go of what this was worked out with, which holds itself: a collector would search a large graph's for longer
        than some stages take."""
        self.reading.forms.forget()
        self.writers.clear()

    @cached_property
    def losses(self) -> Losses:
        return Losses(self.reading)

    @cached_property
    def as_written(self) -> AsWritten:
        return AsWritten(self.losses, self.lower)

    def __call__(self) -> list[Expr]:
        self.reading.forms.strict = self.strict
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

    def is_nothing(self, node: Expr) -> bool:
        """Whether a node that is written as it is, since no guard could speak of what it is made of, is 0 for all numbers:
        logsumexp(log_softmax(x))."""
        return node in self.reading.dirty and not self.strict and not self.form(node).terms

    def guards(self, node: Expr) -> Guards | None:
        """What must be added to a node's form; None if the node is best left as written."""
        return self.losses.guards(node)

    def form(self, node: Expr) -> Poly:
        return self.losses.form(node)

    def needs(self, node: Expr) -> list[Expr]:
        """What must be lowered before a node."""
        if node.op is trigamma and self.right:
            body = body_of(node)
            self.reading([body])
            return [body]
        if not self.rewritten(node):
            if (apart := self.apart(node)) is not None:
                return [apart]
            found = self.sought(node) if node.op.name in SEEKING else None
            return list(node.inputs) if found is None else [*node.inputs, found[1]]
        guards = self.guards(node)
        assert guards is not None
        extra = [n for a in guards.all for n in leaves_of(a.forms.of_atom(a))]
        return [*leaves_of(self.form(node)), *extra]

    def finished(self, node: Expr) -> Expr:
        own = node.op not in OWN_WAYS and node.op.name not in SEEKING and node not in self.differences
        if own and node not in self.reading.dirty:
            if tuple(map(self.done.__getitem__, node.inputs)) == node.inputs:
                return node
        mine = self.origins.get(node, frozenset())
        if node.op is trigamma and self.right:  # so that each step of it gets its digits
            return self.done[body_of(node)]
        if not self.rewritten(node):
            with building(mine, self.origins):
                new = rebuilt(node, self.compared(node) or tuple(self.done[i] for i in node.inputs))
                if new.op is log_slope:
                    new = true_div(1, *new.inputs)
                elif node.op is CONSTANT and (meant := meant_by(node)) is not None:
                    new = self.writer(node.type.dtype, frozenset()).number(meant)
                elif node.op in ANGLES and self.right:  # their own factor has no more digits than they
                    new = self.writer(node.type.dtype, frozenset()).scaled(new.inputs[0], ANGLES[node.op])
                elif new.op is SOFTMAX and self.right:
                    new = self.writer(new.type.dtype, frozenset()).softmax(new.inputs[0], new.params["axes"])
                elif new.op is LOGSUMEXP and self.right:
                    new = self.writer(new.type.dtype, frozenset()).logsumexp(new.inputs[0], new.params["axes"])
                if self.is_nothing(node):  # and NaN where what it is made of is
                    new = mul(new, 0)
            if new is not node and node.name and not new.name:
                new.name = node.name
            return new
        behind = mine.union(*(self.origins.get(n, frozenset()) for n in self.whole_region(node)))
        with building(behind, self.origins):
            form = self.form(node)
            dtype = max([node.type.dtype, *(n.type.dtype for n in leaves_of(form) if is_float_node(n))])
            safe = self.reading.safe(node) & divisors_of(form)
            out = self.guarded_by(self.writer(dtype, safe), form, self.guards(node))
            out = cast(out, node.type.dtype)
            if self.strict:
                out = self.as_written.beside(node, out)
            return spread(out, node.type.shape, tuple(range(node.type.ndim - out.type.ndim, node.type.ndim)))

    def sought(self, node: Expr) -> tuple[Expr, Expr, Expr] | None:
        """(the array of which a node asks where an extreme is, in what that is sought, the extreme); None if it asks nothing
        of the kind."""
        if node.op.name == "result" and node.params["index"] == 1 and node.inputs[0].op.name in PLACES:
            extreme = node.inputs[0]
            (x,) = extreme.inputs
            return x, x if self.strict else sought(x, (extreme.params["axis"],), partial=False), extreme
        for x, top in (node.inputs, node.inputs[::-1]) if node.op.name in ("eq", "ne") else ():
            if is_extreme_of(top, x):
                extreme = below_views(top)
                return x, x if self.strict else sought(x, extreme.params["axes"], partial=True), extreme
        return None

    def compared(self, node: Expr) -> tuple[Expr, ...] | None:
        """What a node takes instead of its inputs that asks where an array is its own largest element: both as they are
        lowered alike; or how what saturates is ordered beside the number that it nears: the difference, and 0."""
        if (apart := self.differences.get(node)) is not None:
            return self.done[apart], cast(constant(0, "float64"), apart.type.dtype)
        if (found := self.sought(node)) is None:
            return None
        x, inner, extreme = found
        largest = rebuilt(extreme, (self.done[inner],))
        return tuple(self.done[inner] if i is x else in_views(i, largest) for i in node.inputs)

    def apart(self, node: Expr) -> Expr | None:
        """The difference of what a comparison is of, if one of them nears the number that the other is: tanh(x) < 1 for all x."""
        if node in self.differences or node.op.name not in COMPARISONS or self.strict:
            return self.differences.get(node)
        for x, y in (node.inputs, node.inputs[::-1]):
            limits, form = LIMITS.get(x.op.name, ()), self.reading.polys.get(y)
            if form is not None and form.number in limits and x.type.dtype == y.type.dtype:
                found = sub(*node.inputs)
                self.reading([found])
                if self.rewritten(found):
                    self.differences[node] = found
        return self.differences.get(node)

    def guarded_by(self, write: Writing, form: Poly, guards: Guards | None) -> Expr:
        assert guards is not None
        out = write(form)
        zero = write.number(0)
        for a in guards.divisors:  # NaN where it is 0, infinite or NaN
            x = write.atom(a)
            out = add(out, true_div(mul(x, zero), x))
        for a in guards.finite:
            out = add(out, mul(write.atom(a), zero))
        for a in guards.nonzero:
            out = add(out, true_div(zero, write.atom(a)))
        for a in guards.numbers:
            x = write.atom(a)
            out = where(isnan(x), x, out)
        return out

    def writer(self, dtype: str, safe: frozenset[Atom]) -> Writing:
        if (dtype, safe) not in self.writers:
            made = self.writing(dtype, self.lower, self.reading.named, self.known, safe)
            made.right, made.strict = self.right, self.strict
            self.writers[dtype, safe] = made
        return self.writers[dtype, safe]

    def whole_region(self, node: Expr) -> list[Expr]:
        """The nodes that a written node stands for, and those that they are made of."""
        return self.losses.whole_region(node)
