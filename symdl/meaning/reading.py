"""Reading: the normal form of every node of a meaning, bottom up, each node once.

An op that no reader knows is a leaf. So is a node whose form has grown past the budget: forms nest a bounded depth,
however deep the graph. A node is *dirty* where the algebra found something in it or below it, in the same region; all
others are written as the user wrote them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from symdl.graph.expr import CONSTANT, Expr, meant_by
from symdl.graph.walks import topological
from symdl.meaning.index_maps import leaf, view_of, viewed
from symdl.meaning.normal_form import Atom, Forms, Poly, Unsafe, stripped
from symdl.meaning.rationals import Rational, quotient, rational
from symdl.ops.declare import is_float
from symdl.types import TensorType

DEPTH = 16  # how deep a form may nest
SIZE = 100  # how many parts a form may have
PLAIN_SIZE = 40  # ... without an exponential or logarithm in it, where there is less to gain
DIGITS = 1024  # how many bits a coefficient may take: exact products of literals grow
BASES = 32  # on how many nodes an unknown function is known to depend
NEAR_ONE = frozenset(["tanh", "sigmoid", "erf", "erfc"])  # functions that users take from 1
Reader = Callable[["Reading", Expr, Sequence[Poly]], Poly]
READERS: dict[str, Reader] = {}
CHOOSING = frozenset(["where", "maximum", "minimum", "clip_between", "join", "put"])
STABLE = frozenset(  # composite ops whose own body is right everywhere: read, they still need no rewriting
    ["sigmoid", "softplus", "log1mexp", "logaddexp", "softmax", "sqr", "reciprocal", "deg2rad", "rad2deg"]
)


def reads(*names: str) -> Callable[[Reader], Reader]:
    """Enter a reader for the ops of these names."""

    def enter(reader: Reader) -> Reader:
        for name in names:
            READERS[name] = reader
        return reader

    return enter


class Reading:
    """The forms of a graph's float nodes.

    polys: node -> form, as its users see it. uncut: the form of a node that its users see as a leaf. cut: that form -> the node. risk: what a node cancelled though it
    may be 0. dirty: nodes whose form differs from what they are as written. roots: roots of what may be negative that met themselves
    in a node or below it, sqrt(x) sqrt(x) being x. slopes, divided: what derivatives of logarithms and what
    the formula itself divide by, in a node or below it. named: form -> (node, factor), the user's own node for factor * form.
    """

    def __init__(self) -> None:
        self.forms = Forms()
        self.polys: dict[Expr, Poly] = {}
        self.uncut: dict[Expr, Poly] = {}
        self.cut: dict[Poly, Expr] = {}
        self.risk: dict[Expr, frozenset[Atom]] = {}
        self.roots: dict[Expr, frozenset[Atom]] = {}
        self.slopes: dict[Expr, frozenset[Atom]] = {}
        self.divided: dict[Expr, frozenset[Atom]] = {}
        self.dirty: set[Expr] = set()
        self.named: dict[Poly, tuple[Expr, Rational]] = {}

    def __call__(self, roots: Sequence[Expr]) -> None:
        for node in topological(*roots):
            if node not in self.polys and isinstance(node.type, TensorType) and is_float(node.type.dtype):
                self.polys[node] = self._read(node)

    def as_leaf(self, node: Expr) -> Poly:
        if node.op.kind in ("elementwise", "composite") and node not in self.uncut:
            parts = [self.polys[i].bases for i in node.inputs if i in self.polys]
            bases = frozenset().union(*parts)
            if 0 < len(bases) <= BASES:
                self.forms.bases[node] = bases
        return leaf(self.forms, node)

    def _read(self, node: Expr) -> Poly:
        if node.op is CONSTANT:
            return self._constant(node)
        reader = READERS.get(node.op.name)
        if reader is None or not all(i in self.polys for i in node.inputs if is_float_node(i)):
            return self.as_leaf(node)
        before, self.forms.risk, self.forms.roots = self.forms.found, set(), set()
        self.forms.slopes, self.forms.divided = set(), set()
        inputs = [self._seen_by(node, i) for i in node.inputs]
        try:
            poly = reader(self, node, inputs)
            if self.forms.roots and any(a.op in CHOOSING for p in inputs for m in p.terms for a in m.factors):
                raise Unsafe  # the root may stand in a branch alone, and no guard can speak of it
        except Unsafe:
            self.forms.found = before
            return self.as_leaf(node)
        if node.op.name in STABLE and poly.number is not None and any(p.number is None for p in inputs):
            poly = self.as_leaf(node)  # the softmax of one element: 1, but NaN of a NaN
        if poly.atom is not None and poly is self.as_leaf(node):
            self.forms.found = before
            return poly  # a leaf after all: as written, above inputs that are lowered for themselves
        self._note_divisors(node)
        self._note_roots(node)
        found = self.forms.found > before and node.op.name not in STABLE
        found = found or self._zero_over_zero(node, poly)
        if found or any(i in self.dirty and i not in self.uncut for i in node.inputs):
            self.dirty.add(node)
        if self.forms.risk:
            self.dirty.add(node)
            self.risk[node] = frozenset(self.forms.risk)
        if poly.depth > DEPTH or poly.size > (SIZE if poly.special else PLAIN_SIZE) or poly.digits > DIGITS:
            self.uncut[node] = poly
            self.cut.setdefault(poly, node)
            return self._above_leaf(node, reader)
        if node not in self.dirty and node not in self.roots:
            self._name(node, poly)
        return poly

    def _seen_by(self, node: Expr, i: Expr) -> Poly:
        """The form of an operand as a node sees it: a leaf where a root met itself and the node does not act on elements."""
        if i in self.roots and i not in self.uncut and not acts_on_elements(node):
            return self.as_leaf(i)
        return self.polys.get(i, self.forms.zero)

    def _note_roots(self, node: Expr) -> None:
        if acts_on_elements(node):
            below = [self.roots[i] for i in node.inputs if i in self.roots and i not in self.uncut]
            if roots := self.forms.roots.union(*below):
                self.roots[node] = frozenset(roots)

    def _above_leaf(self, node: Expr, reader: Reader) -> Poly:
        """What the users of a node see whose form is too large: a function of its operand as a leaf, so that they may know
        what is left of 1 beside it; else a leaf."""
        if node.op.name not in NEAR_ONE or self.polys[node.inputs[0]] is self.as_leaf(node.inputs[0]):
            return self.as_leaf(node)
        before = self.forms.found
        short = reader(self, node, [self.as_leaf(node.inputs[0])])
        self.forms.found = before
        if node not in self.dirty:
            self._name(node, short)
        return short

    def _note_divisors(self, node: Expr) -> None:
        for own, table in ((self.forms.slopes, self.slopes), (self.forms.divided, self.divided)):
            for i in node.inputs:
                if (below := table.get(i)) and i not in self.uncut:
                    own |= laid_as(node, below)
            if own:
                table[node] = frozenset(own)

    def safe(self, node: Expr) -> frozenset[Atom]:
        """What only derivatives of logarithms divide by: an exact 0 over it is 0 where it is 0 too."""
        slopes = self.slopes.get(node) if not self.forms.strict else None
        return slopes - self.divided.get(node, frozenset()) if slopes else frozenset()

    def _zero_over_zero(self, node: Expr, poly: Poly) -> bool:
        """Whether a term divides what may be 0 by what only derivatives of logarithms divide by."""
        safe = self.safe(node)
        return bool(safe) and any(
            any(p < 0 and a in safe for a, p in m.factors.items())
            and any(p > 0 and not a.positive for a, p in m.factors.items())
            for m in poly.terms
        )

    def _name(self, node: Expr, poly: Poly) -> None:
        if poly.terms and poly.atom is None and poly.number is None and tuple(node.type.shape) == poly.shape:
            key, k = primitive(poly)
            self.named.setdefault(key, (node, k))

    def _constant(self, node: Expr) -> Poly:
        if (meant := meant_by(node)) is not None:
            return self.forms.constant(meant)
        array = node.params["value"].array
        if array.size and np.all(array == array.flat[0]) and math.isfinite(array.flat[0]):
            return self.forms.constant(rational(float(array.flat[0])))
        return self.as_leaf(node)


def acts_on_elements(node: Expr) -> bool:
    """Whether a node is made of each element of its operands, chosen among none of them."""
    return node.op.kind in ("elementwise", "composite") and node.op.name not in CHOOSING


def laid_as(node: Expr, atoms: frozenset[Atom]) -> frozenset[Atom]:
    """Atoms of a node's operand as they lie in the node, where that is a view of it. What stands below a reduction is
    left as it is."""
    view = view_of(node)
    if view is None:
        return atoms
    x = node.inputs[0]
    shape, out = stripped(x.type.shape), set()
    for a in sorted(atoms, key=lambda a: a.order):
        fits = len(a.shape) <= len(shape) and all(n in (1, m) for n, m in zip(a.shape[::-1], shape[::-1], strict=False))
        moved = viewed(a.forms.of_atom(a), view, x.type.ndim).atom if fits else a
        if moved is not None:
            out.add(moved)
    return frozenset(out)


def is_float_node(node: Expr) -> bool:
    """Whether a node is one array of floats."""
    return isinstance(node.type, TensorType) and is_float(node.type.dtype)


def primitive(poly: Poly) -> tuple[Poly, Rational]:
    """(form, k) with poly = k * form, one form for all multiples; of a leaf for its negation alone, since 0.1 x times 10 is not x."""
    m, k = next(iter(poly.terms.items()))
    whole = m.alone if len(poly.terms) == 1 else poly.scale(quotient(1, k))
    if whole.atom is None:
        return whole, k
    return (poly, 1) if k > 0 else (poly.scale(-1), -1)
