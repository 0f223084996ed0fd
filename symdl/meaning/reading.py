"""Reading: the normal form of every node of a meaning, bottom up, each node once.

An op that no reader knows is a leaf. So is a node whose form has grown past the budget: forms nest a bounded depth,
however deep the graph. A node is *dirty* where the algebra found something in it or below it, in the same region; all
others are written as the user wrote them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from symdl.expr import CONSTANT, Expr, topological
from symdl.meaning.index_maps import leaf
from symdl.meaning.normal_form import Atom, Forms, Poly, Unsafe
from symdl.meaning.rationals import Rational, quotient, rational
from symdl.ops.declare import is_float
from symdl.types import TensorType

DEPTH = 16  # how deep a form may nest
SIZE = 100  # how many parts a form may have
PLAIN_SIZE = 40  # ... without an exponential or logarithm in it, where there is less to gain
DIGITS = 1024  # how many bits a coefficient may take: exact products of literals grow
BASES = 32  # on how many nodes an unknown function is known to depend
Reader = Callable[["Reading", Expr, Sequence[Poly]], Poly]
READERS: dict[str, Reader] = {}
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

    polys: node -> form, as its users see it. uncut: the form of a node that its users see as a leaf. risk: what a node cancelled though it
    may be 0. dirty: nodes whose form differs from what they are as written. named: form -> (node, factor), the user's own node for factor * form.
    """

    def __init__(self) -> None:
        self.forms = Forms()
        self.polys: dict[Expr, Poly] = {}
        self.uncut: dict[Expr, Poly] = {}
        self.risk: dict[Expr, frozenset[Atom]] = {}
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
        before, self.forms.risk = self.forms.found, set()
        inputs = [self.polys.get(i, self.forms.zero) for i in node.inputs]
        try:
            poly = reader(self, node, inputs)
        except Unsafe:
            self.forms.found = before
            return self.as_leaf(node)
        if node.op.name in STABLE and poly.number is not None and any(p.number is None for p in inputs):
            poly = self.as_leaf(node)  # the softmax of one element: 1, but NaN of a NaN
        if poly.atom is not None and poly is self.as_leaf(node):
            self.forms.found = before
            return poly  # a leaf after all: as written, above inputs that are lowered for themselves
        found = self.forms.found > before and node.op.name not in STABLE
        if found or any(i in self.dirty and i not in self.uncut for i in node.inputs):
            self.dirty.add(node)
        if self.forms.risk:
            self.dirty.add(node)
            self.risk[node] = frozenset(self.forms.risk)
        if poly.depth > DEPTH or poly.size > (SIZE if poly.special else PLAIN_SIZE) or poly.digits > DIGITS:
            own = self.as_leaf(node)
            self.uncut[node] = poly
            return own
        if node not in self.dirty:
            self._name(node, poly)
        return poly

    def _name(self, node: Expr, poly: Poly) -> None:
        if poly.terms and poly.atom is None and poly.number is None and tuple(node.type.shape) == poly.shape:
            key, k = primitive(poly)
            self.named.setdefault(key, (node, k))

    def _constant(self, node: Expr) -> Poly:
        array = node.params["value"].array
        if array.size and np.all(array == array.flat[0]) and math.isfinite(array.flat[0]):
            return self.forms.constant(rational(float(array.flat[0])))
        return self.as_leaf(node)


def is_float_node(node: Expr) -> bool:
    """Whether a node is one array of floats."""
    return isinstance(node.type, TensorType) and is_float(node.type.dtype)


def primitive(poly: Poly) -> tuple[Poly, Rational]:
    """(form, k) with poly = k * form, one form for all multiples."""
    k = next(iter(poly.terms.values()))
    return poly.scale(quotient(1, k)), k
