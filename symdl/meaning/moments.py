"""Moments: sum(a b) - sum(a) sum(b) / n, which cancels, as the sum of products less their means, which does not.

Where n is written as a number k, and only the call knows how many there are, sum(a) sum(b) (n - k) / (k n) stays beside it.
"""

from __future__ import annotations

from symdl.graph.expr import Expr
from symdl.meaning.factoring import multiply
from symdl.meaning.index_maps import leaf
from symdl.meaning.normal_form import Atom, Mono, Poly, Unsafe, base_of, joined
from symdl.meaning.rationals import Rational, quotient
from symdl.ops.elementwise import cast
from symdl.ops.extents import expr_of
from symdl.records import record
from symdl.types import Extent, product


@record
class Total:
    """A sum among a term's factors: the atom that stands there, which may be a view of the sum's own."""

    atom: Atom
    sum: Atom

    def viewed(self, poly: Poly) -> Poly:
        """Another reduction over the same axes, laid out as this one is."""
        if self.atom is self.sum:
            return poly
        return poly.forms.function("view", poly, param=self.atom.param, shape=self.atom.shape)

    def alike(self, other: Total) -> bool:
        """Whether both add up the same axes and lie alike."""
        one, two = (t.atom.param if t.atom is not t.sum else None for t in (self, other))
        return self.sum.param == other.sum.param and one == two


def centred(poly: Poly) -> Poly | None:
    """A sum with c R sum(a b) - c R sum(a) sum(b) / n as c R sum((a - mean a) (b - mean b)), or None."""
    if len(poly.terms) < 2:
        return None
    for m, c in poly.terms.items():
        for a, b in _pairs(m):
            try:
                found = _centred(poly, m, c, a, b)
            except Unsafe:
                continue
            if found is not None:
                return found
    return None


def _pairs(m: Mono) -> list[tuple[Total, Total]]:
    """Two sums over the same axes among the factors of a term, or one of them squared."""
    sums = [(t, p) for a, p in m.factors.items() if p in (1, 2) and (t := total_of(a)) is not None]
    return [(t, t) for t, p in sums if p == 2] + [
        (t, u) for k, (t, _) in enumerate(sums) for u, _ in sums[:k] if t.alike(u)
    ]


def total_of(a: Atom) -> Total | None:
    """The sum that an atom is, or is a view of."""
    inner = a.args[0].atom if a.op == "view" else a
    return Total(a, inner) if inner is not None and inner.op == "sum" else None


def _centred(poly: Poly, m: Mono, c: Rational, a: Total, b: Total) -> Poly | None:
    forms = poly.forms
    left, right = a.sum.args[0], b.sum.args[0]
    both = multiply(left, right)
    if both.single is None:
        return None
    inner, k = both.single
    total = a.viewed(forms.function("sum", forms.term(inner), param=a.sum.param, shape=a.sum.shape)).atom
    if total is None:
        return None
    shape, rest = joined([left.shape, right.shape]), m.without(a.atom).without(b.atom)
    beside: Poly | None = None
    count = _count(m, shape, a.sum.param)
    if count is not None and count.single is not None:
        scale, number = count.single
        rest, outside = rest * scale, c * number  # c R S(a) S(b) is outside R n S(a) S(b) / n^2
    else:
        d = poly.terms.get(rest * forms.mono(forms.zero, {total: 1}), 0)
        written = quotient(-d, c * k)  # c R S(a) S(b) is -d R S(a) S(b) / k
        if written.denominator != 1 or written < 2 or (count := _extent(left, shape, a.sum.param)) is None:
            return None
        outside, beside = c * written, multiply(count - forms.constant(written), _inverse(count))
    mate = rest * forms.mono(forms.zero, {total: 1})
    if poly.terms.get(mate) != -outside * k:
        return None
    x, y = (u - multiply(forms.of_atom(s.sum), _inverse(count)) for u, s in ((left, a), (right, b)))
    whole = forms.function("sum", multiply(x, y), param=a.sum.param, shape=a.sum.shape)
    out = poly - forms.poly({m: c, mate: -outside * k}) + multiply(forms.term(rest, -outside), a.viewed(whole))
    return out if beside is None else out + multiply(forms.term(m, c), beside)


def _inverse(count: Poly) -> Poly:
    assert count.single is not None
    m, c = count.single
    return count.forms.term(m.inverse, quotient(1, c))


def _count(m: Mono, shape: tuple[Extent, ...], axes: tuple[int, ...]) -> Poly | None:
    """The number of elements that a sum adds up, as a form that the term divides by."""
    extent = product(shape[k] for k in axes if -k <= len(shape))
    forms = m.forms
    if isinstance(extent, int):
        return forms.constant(extent) if extent else None
    for a, p in m.factors.items():
        if (
            a.op == "leaf"
            and p < 0
            and _is_extent(a.param)
            and leaf(forms, cast(expr_of(extent), a.param.type.dtype)).atom is a
        ):
            return forms.of_atom(a)
    return None


def _extent(poly: Poly, shape: tuple[Extent, ...], axes: tuple[int, ...]) -> Poly | None:
    """The number of elements that a sum adds up, where only a call knows it, in the dtype of what is added."""
    extent = product(shape[k] for k in axes if -k <= len(shape))
    dtype = max((n.type.dtype for n in poly.bases), default=None)
    if isinstance(extent, int) or dtype not in ("float32", "float64"):
        return None
    return leaf(poly.forms, cast(expr_of(extent), dtype))


def _is_extent(node: Expr) -> bool:
    return base_of(node).op.kind == "position"
