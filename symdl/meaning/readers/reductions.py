"""Readers of sums and maxima over axes, and of softmax and its kin."""

from __future__ import annotations

from collections.abc import Sequence

from symdl.graph.expr import Expr
from symdl.meaning.defined import is_defined, is_defined_factor
from symdl.meaning.factoring import as_factor, power
from symdl.meaning.index_maps import Place, viewed
from symdl.meaning.logarithms import exponential, logarithm
from symdl.meaning.masks import (
    chosen,
    extent_form,
    masked,
    product,
    summed_column,
    summed_mask,
)
from symdl.meaning.normal_form import Atom, Poly, base_of, exponents, joined, varies
from symdl.meaning.rationals import Rational, magnitude, quotient
from symdl.meaning.readers.arithmetic import total
from symdl.meaning.reading import READERS, Reading, reads
from symdl.types import product as extent_product


@reads("sum")
def _sum(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    x = node.inputs[0]
    rank = x.type.ndim
    axes = tuple(k - rank for k in node.params["axes"])
    return viewed(reduce_sum(reading, args[0], x, axes), without(axes, rank), rank)


@reads("prod")
def _prod(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    """The exponential of a sum, of factors whose logarithms are known and of one sign: of sigmoids it may be near 1."""
    x, poly, forms = node.inputs[0], args[0], reading.forms
    if poly.single is None or not poly.single[0].positive or not poly.special:
        return reading.as_leaf(node)
    before = forms.found
    log = logarithm(poly)
    forms.found = before
    if not (log.nonneg or log.nonpos) or any(a.op == "log" for m in log.terms for a in m.factors):
        return reading.as_leaf(node)
    rank = x.type.ndim
    axes = tuple(k - rank for k in node.params["axes"])
    return viewed(forms.raw_exp(reduce_sum(reading, log, x, axes)), without(axes, rank), rank)


def reduce_sum(reading: Reading, poly: Poly, x: Expr, axes: tuple[int, ...]) -> Poly:
    """The sum of poly over axes of x, kept as 1: constant factors outside, exponentials less their largest."""
    forms = reading.forms
    if not poly.terms:
        return poly
    masks = {m: c for m, c in poly.terms.items() if ends(forms.term(m, c), x.type.ndim, axes)}
    if masks and len(poly.terms) > 1:
        out = reduce_sum(reading, poly - forms.poly(masks), x, axes)
        for m, c in masks.items():
            out = out + reduce_sum(reading, forms.term(m, c), x, axes)
        return total(reading, out)
    if axes == (-1,) and (inside := summed_mask(poly) or summed_column(poly)) is not None:
        return inside
    rank = x.type.ndim
    if len(axes) == 1 and axes[0] != -1 and masks:  # labels are sought along the last axis
        order = axis_last(rank, axes[0])
        turned = viewed(poly, Place(tuple(order)), rank)
        out = reduce_sum(reading, turned, Place(tuple(order)).apply(x), (-1,))
        return viewed(out, Place(tuple(order.index(k) for k in range(rank))), rank)
    m, c = as_factor(poly)
    w = masked(m) if len(m.factors) == 1 and not m.expo.terms else None
    if w is not None and not any(varies(w.param.type.shape, (k,)) for k in axes):  # the mask of whole rows
        return chosen(w.param, *(reduce_sum(reading, u.scale(c), x, axes) for u in w.args))
    if w is not None and w.args[0].single and not w.args[1].terms:
        # what is the same all along the axis leaves the mask, unless it may be NaN where nothing is taken
        held = w.args[0].single[0]
        along = forms.poly(
            {t: k for t, k in held.expo.terms.items() if varies(t.shape, axes) or not is_defined(forms.term(t))}
        )
        still = {a: p for a, p in held.factors.items() if not varies(a.shape, axes) and is_defined_factor(a, p)}
        constant = forms.mono(held.expo - along, still)
        if not constant.bare:
            mask = chosen(w.param, forms.term(held * constant**-1), forms.zero)
            return product(forms.term(constant), reduce_sum(reading, mask.scale(c), x, axes))
    outer = {a: p for a, p in m.factors.items() if not varies(a.shape, axes)}
    inner = {a: p for a, p in m.factors.items() if a not in outer}
    if any(p < 0 and exponents(forms.of_atom(a)) for a, p in inner.items()):  # sigmoids: nothing can overflow
        inner |= {a: outer.pop(a) for a in list(outer) if a.special}
        free = tuple(k for k in axes if not varies(forms.mono(m.expo, inner).shape, (k,)))
        bound = tuple(k for k in axes if k not in free)
        n = extent_form(forms, extent_product(x.type.shape[k] for k in free), x.type.dtype)
        body = forms.term(forms.mono(m.expo, inner))
        return product(product(forms.term(forms.mono(forms.zero, outer), c), n), kept_reduction("sum", body, bound))
    e_in = forms.poly({t: k for t, k in m.expo.terms.items() if varies(t.shape, axes)})
    e_out = m.expo - e_in
    stretched = tuple(k for k in axes if not varies(forms.mono(e_in, inner).shape, (k,)))
    left = tuple(k for k in axes if k not in stretched)
    n = extent_form(forms, extent_product(x.type.shape[k] for k in stretched), x.type.dtype)
    if e_in.terms:
        weight = forms.term(forms.mono(forms.zero, {a: p for a, p in inner.items() if not a.positive}))
        top = largest(e_in, left, None if weight.number == 1 else weight)
        if left == axes and (known := too_large(reading, e_in, inner, top, x, axes)) is not None:
            forms.found += 1
            return product(forms.term(forms.mono(e_out, outer), c), known)
        e_in, e_out = e_in - top, e_out + top
    out = product(forms.term(forms.mono(e_out, outer), c), n)
    if not left:
        return out
    body = forms.term(forms.mono(e_in, inner))
    whole = body.atom
    if whole is not None and whole.op == "sum_of":
        body = whole.args[0]
    return product(out, kept_reduction("sum", body, left))


def too_large(
    reading: Reading, expo: Poly, factors: dict[Atom, Rational], top: Poly, x: Expr, axes: tuple[int, ...]
) -> Poly | None:
    """A sum of exponentials whose form was too large for its users, as the leaf that these see: it cancels with that."""
    forms, rank = reading.forms, x.type.ndim
    rest = kept_reduction("sum", forms.term(forms.mono(expo - top, factors)), axes)
    node = reading.cut.get(viewed(rest.times(forms.mono(top, {})), without(axes, rank), rank))
    if node is None:
        return None
    kept = [k for k in range(rank) if k - rank not in axes]
    back = Place(tuple(kept.index(k) if k in kept else None for k in range(rank)))
    return viewed(reading.as_leaf(node), back, len(kept))


def without(axes: tuple[int, ...], rank: int) -> Place:
    """The view that leaves out axes of 1, which are counted from the end."""
    return Place(tuple(k for k in range(rank) if k - rank not in axes))


def axis_last(rank: int, axis: int) -> list[int]:
    """The axes with one of them, counted from the end, moved to the end."""
    return [k for k in range(rank) if k - rank != axis] + [rank + axis]


def ends(term: Poly, rank: int, axes: tuple[int, ...]) -> bool:
    """Whether the sum of one term over axes is an entry picked by a label. Other masks stay in their sum: to add up
    softmax and labels apart, as in the gradient of a bias, would cancel."""
    if len(axes) != 1 or not term.single or masked(term.single[0]) is None:
        return False
    turned = term if axes[0] == -1 else viewed(term, Place(tuple(axis_last(rank, axes[0]))), rank)
    return summed_mask(turned) is not None


def kept_reduction(op: str, body: Poly, axes: tuple[int, ...], *more: Poly) -> Poly:
    """A reduction over axes counted from the end, which stay as 1."""
    whole = joined([body.shape, *(p.shape for p in more)])
    shape = tuple(1 if k - len(whole) in axes else n for k, n in enumerate(whole))
    return body.forms.function(op, body, *more, param=axes, shape=shape)


def largest(poly: Poly, axes: tuple[int, ...], weight: Poly | None = None) -> Poly:
    """The maximum over axes, kept as 1: what does not vary and a positive factor outside. weight: only where it is not 0."""
    forms = poly.forms
    constant = forms.poly({t: k for t, k in poly.terms.items() if not varies(t.shape, axes)})
    varying = poly - constant
    if not varying.terms:
        return constant
    k = magnitude(next(iter(varying.terms.values())))
    more = () if weight is None else (weight,)
    return kept_reduction("max", varying.scale(quotient(1, k)), axes, *more).scale(k) + constant


@reads("max")
def _max(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    x = node.inputs[0]
    rank = x.type.ndim
    axes = tuple(k - rank for k in node.params["axes"])
    if not args[0].terms or any(not varies(args[0].shape, (k,)) for k in axes):
        return reading.as_leaf(node)
    if x in reading.dirty:
        # Over x as it is written: what the pullback compares with it is one of its elements.
        return reading.as_leaf(node)
    return viewed(largest(args[0], axes), without(axes, rank), rank)


def _is_cut(reading: Reading, node: Expr, x: Expr) -> bool:
    """Whether the form of a node, or of one between it and x, stops at a leaf that was too large."""
    if node is x:
        return False
    a = reading.polys[node].atom
    leaf = base_of(a.param) if a is not None and a.op == "leaf" else node
    return node in reading.uncut or leaf in reading.uncut or any(_is_cut(reading, i, x) for i in node.inputs)


def _normalized(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    """What the definition says. Where its sum of exponentials is too large to look into, and may overflow by itself, the same of the
    operand as a leaf."""
    assert node.op.definition is not None
    meaning = node.op.definition(*node.inputs, **node.params)
    reading([meaning])  # a few nodes above inputs that are read
    (x,), forms = node.inputs, reading.forms
    if not _is_cut(reading, meaning, x) or args[0] is (operand := reading.as_leaf(x)):
        return reading.polys[meaning]
    rank, found = x.type.ndim, forms.found
    axes = tuple(k - rank for k in node.params["axes"])
    each = exponential(operand)
    whole = reduce_sum(reading, each, x, axes)
    if node.op.name == "softmax":
        out = product(each, power(whole, -1))
    elif node.op.name == "log_softmax":
        out = operand - logarithm(whole)
    else:
        out = viewed(logarithm(whole), without(axes, rank), rank)
    forms.found = found
    return out


for _name in ("softmax", "log_softmax", "logsumexp"):
    READERS[_name] = _normalized
