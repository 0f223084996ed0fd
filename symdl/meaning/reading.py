"""Reading: the normal form of every node of a meaning, bottom up, each node once.

An op that no reader knows is a leaf. So is a node whose form has grown past the budget: forms nest a bounded depth,
however deep the graph. A node is *dirty* where the algebra found something in it or below it, in the same region; all
others are written as the user wrote them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symdl.expr import CONSTANT, Expr, topological
from symdl.meaning.cancellation import known_difference, simplify
from symdl.meaning.index_maps import Cut, Gathered, Place, Put, Reshape, View, leaf, viewed
from symdl.meaning.logarithms import exponential, logarithm
from symdl.meaning.masks import (
    assume,
    chosen,
    dropped_last,
    extent_form,
    hit_of,
    is_label_pick,
    masked,
    merged,
    picked,
    product,
    put,
    put_of,
    summed_mask,
)
from symdl.meaning.normal_form import Atom, Forms, Poly, Unsafe, as_factor, exponents, flattened, joined, power
from symdl.meaning.rationals import HALF, Rational, magnitude, quotient, rational
from symdl.ops.declare import is_float
from symdl.ops.elementwise import bitwise_and, eq, invert, isnan
from symdl.ops.functions import log
from symdl.types import TensorType
from symdl.types import product as extent_product

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


# ---- arithmetic ----


def total(reading: Reading, poly: Poly) -> Poly:
    """A sum as the algebra leaves it; found where it cancels, now or when written."""
    out = simplify(merged(flattened(poly)))
    if out is not poly or _near_pair(poly) or _gains_under_mask(poly):
        reading.forms.found += 1
    return out


def _gains_under_mask(poly: Poly) -> bool:
    """Whether what stands beside a mask cancels inside it."""
    for m, c in poly.terms.items():
        w = masked(m)
        if w is not None and len(m.factors) == 1 and not m.expo.terms:
            rest = poly - poly.forms.term(m, c)
            for branch, holds in zip(w.args, (True, False), strict=True):
                inside = assume(rest, w.param, holds) + branch.scale(c)
                if rest.special and branch.terms and (simplify(inside) is not inside or _near_pair(inside)):
                    return True
    return False


def _near_pair(poly: Poly) -> bool:
    """Whether two terms differ by little somewhere, and the difference is known."""
    items = list(poly.terms.items())
    if len(items) > 12:
        return False
    for i, (m, c) in enumerate(items):
        for n, d in items[:i]:
            if (c * d < 0 or not (m.nonneg and n.nonneg)) and known_difference(m, c, n, d):
                return True
    return False


@reads("add")
def _add(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    out = args[0] + args[1]
    if len(out.terms) < len(args[0].terms) + len(args[1].terms) - _alike(args[0], args[1], 1):
        reading.forms.found += 1
    return total(reading, out)


@reads("sub")
def _sub(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    out = args[0] - args[1]
    if len(out.terms) < len(args[0].terms) + len(args[1].terms) - _alike(args[0], args[1], -1):
        reading.forms.found += 1
    return total(reading, out)


def _alike(a: Poly, b: Poly, sign: int) -> int:
    """How many monomials the two share that do not cancel."""
    return sum(1 for m, c in b.terms.items() if m in a.terms and a.terms[m] + sign * c)


@reads("neg")
def _neg(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return args[0].scale(-1)


def times(reading: Reading, a: Poly, b: Poly) -> Poly:
    """a * b; found where exponentials meet, or a mask takes in what may be infinite."""
    forms = reading.forms
    if exponents(a) & exponents(b):
        forms.found += 1
    out = product(a, b)
    if (_has_mask(a) and _hazard(b)) or (_has_mask(b) and _hazard(a)):
        forms.found += 1
    return out


def _has_mask(poly: Poly) -> bool:
    return any(put_of(m) or masked(m) for m in poly.terms)


def _hazard(poly: Poly) -> bool:
    """Whether it may be infinite or NaN where its leaves are finite."""
    return any(
        m.expo.terms or any(p < 0 or p.denominator != 1 or a.op == "log" for a, p in m.factors.items())
        for m in poly.terms
    )


@reads("mul")
def _mul(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return times(reading, args[0], args[1])


def to_power(reading: Reading, a: Poly, p: Rational) -> Poly:
    """a ** p; found where that undoes an exponential or turns a sum of them upside down."""
    whole = as_factor(a)[0] if a.terms else reading.forms.unit
    even = all(q.numerator % 2 == 0 and a.op != "sum_of" for a, q in whole.factors.items())
    if p.denominator != 1 and (whole.expo.terms or even):
        reading.forms.found += 1
    if p < 0 and any(q.op == "sum_of" and exponents(reading.forms.of_atom(q)) for q in whole.factors):
        reading.forms.found += 1
    for w, q in whole.factors.items():
        if w.op in ("where", "join") and whole.factors == {w: q} and (w.op == "join" or all(b.terms for b in w.args)):
            c = reading.forms.term(reading.forms.mono(whole.expo, {}), as_factor(a)[1])
            inside = [power(power(b, q), p) if b.terms else b for b in w.args]
            outer = power(c, p)
            if w.op == "join":
                return product(outer, rejoined(w, inside))
            return product(outer, chosen(w.param, *inside))
    return power(a, p)


@reads("true_div")
def _div(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    k = args[1].number
    if k is not None and k:
        return args[0].scale(quotient(1, k))
    return times(reading, args[0], to_power(reading, args[1], -1))


@reads("reciprocal")
def _reciprocal(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return to_power(reading, args[0], -1)


@reads("sqr")
def _sqr(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return to_power(reading, args[0], 2)


@reads("sqrt")
def _sqrt(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return to_power(reading, args[0], HALF)


@reads("pow")
def _pow(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    base, p = args[0].number, args[1].number
    if p is not None:
        return to_power(reading, args[0], p)
    if base is not None and base > 0 and base != 1:
        return exponential(multiply_number_log(args[1], base))
    return reading.as_leaf(node)


def multiply_number_log(poly: Poly, base: Rational) -> Poly:
    """poly * log(base)."""
    forms = poly.forms
    return product(poly, forms.function("log", forms.constant(base)))


# ---- exponentials and logarithms ----


@reads("exp")
def _exp(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return exponential(args[0])


@reads("expm1")
def _expm1(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return simplify(exponential(args[0]) - reading.forms.one)


@reads("exp2")
def _exp2(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return exponential(multiply_number_log(args[0], 2))


@reads("log")
def _log(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return logarithm(args[0])


@reads("log1p")
def _log1p(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    before = reading.forms.found
    out = logarithm(simplify(flattened(reading.forms.one + args[0])))
    bounded = args[0].single is not None and args[0].nonneg and args[0].single[0].expo.nonpos
    if not args[0].special or bounded:
        reading.forms.found = before  # log1p is what would be written
    return out


@reads("log2")
def _log2(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return product(logarithm(args[0]), reading.forms.of_atom(_log_of_number(reading.forms, 2), -1))


@reads("log10")
def _log10(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return product(logarithm(args[0]), reading.forms.of_atom(_log_of_number(reading.forms, 10), -1))


def _log_of_number(forms: Forms, k: int) -> Atom:
    return forms.atom("log", (forms.constant(k),))


@reads("xlogy")
def _xlogy(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    a, b = node.inputs
    logs = log(b) if args[1].nonneg else b  # where b cannot be negative, its logarithm is NaN where b is
    reading([logs])
    zero = bitwise_and(eq(a, 0), invert(isnan(logs)))
    return chosen(zero, reading.forms.zero, product(args[0], logarithm(args[1])))


@reads("sigmoid")
def _sigmoid(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return power(reading.forms.one + exponential(args[0].scale(-1)), -1)


@reads("tanh")
def _tanh(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    e, one = exponential(args[0].scale(2)), reading.forms.one
    before = reading.forms.found
    out = product(e - one, power(e + one, -1))
    reading.forms.found = before
    return out


@reads("sinh")
def _sinh(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return (exponential(args[0]) - exponential(args[0].scale(-1))).scale(HALF)


@reads("cosh")
def _cosh(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return (exponential(args[0]) + exponential(args[0].scale(-1))).scale(HALF)


@reads("softplus")
def _softplus(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return logarithm(reading.forms.one + exponential(args[0]))


@reads("log1mexp")
def _log1mexp(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return logarithm(reading.forms.one - exponential(args[0]))


@reads("logaddexp")
def _logaddexp(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return logarithm(exponential(args[0]) + exponential(args[1]))


# ---- selection ----


@reads("where")
def _where(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    if args[1] is args[2]:
        return reading.as_leaf(node)
    return chosen(node.inputs[0], args[1], args[2])


@reads("abs")
def _abs(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    forms = reading.forms
    if not args[0].terms or args[0].nonneg:
        return args[0]
    m, c = as_factor(args[0])
    out = forms.mono(m.expo, {})
    for a, p in m.factors.items():
        size = a if a.nonneg else forms.atom("abs", (forms.of_atom(a),))
        out = out * forms.mono(forms.zero, {size: p})
    return forms.term(out, magnitude(c))


@reads("maximum")
def _maximum(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return (
        _bounded(reading, node, args[0], args[1], None)
        or _bounded(reading, node, args[1], args[0], None)
        or reading.as_leaf(node)
    )


@reads("minimum")
def _minimum(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return (
        _bounded(reading, node, args[0], None, args[1])
        or _bounded(reading, node, args[1], None, args[0])
        or reading.as_leaf(node)
    )


@reads("clip_between")
def _clip(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return _bounded(reading, node, args[0], args[1], args[2]) or reading.as_leaf(node)


def _bounded(reading: Reading, node: Expr, x: Poly, low: Poly | None, high: Poly | None) -> Poly | None:
    """x where clipping it to these numbers changes nothing: a product of sigmoids, tanhs or softmaxes lies within 0 and 1."""
    a, b = (low.number if low is not None else -1), (high.number if high is not None else 2)
    if a is None or b is None or not x.special or not within_unit(x):
        return None
    if a <= 0 and b >= 1:
        reading.forms.found += 1
        return x
    return None


def within_unit(poly: Poly) -> bool:
    """Whether 0 <= poly <= 1 is plain: softmax, or powers of exp(E) / (1 + exp(E)) alone."""
    found = poly.single
    if not found or not 0 <= found[1] <= 1 or not found[0].nonneg:
        return False
    m = found[0]
    if any(p > 0 for p in m.factors.values()):
        return False
    tops = {m.expo}
    for a, p in m.factors.items():
        terms = a.args[0].terms if a.op in ("sum_of", "sum") and a.nonneg else {}
        tops = {e + n.expo.scale(p) for e in tops for n, c in terms.items() if c >= 1 and not n.factors}
    return any(not e.terms for e in tops)


@reads("cast")
def _cast(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    if is_float_node(node.inputs[0]) and args[0].special:
        return args[0]
    return reading.as_leaf(node)


# ---- views ----


def view_of(node: Expr) -> View | None:
    """What an index map does to its one operand's elements; None for other ops."""
    params = node.params
    match node.op.name:
        case "spread":
            own = node.inputs[0].type.shape
            place: list[int | None] = [None] * len(params["shape"])
            for k, target in enumerate(params["axes"]):
                place[target] = k if own[k] != 1 else None
            return Place(tuple(place))
        case "squeeze":
            return Place(tuple(k for k in range(node.inputs[0].type.ndim) if k not in params["axes"]))
        case "slice":
            return Cut(params["starts"], params["steps"], params["lengths"])
        case "reshape":
            return Reshape(node.inputs[0].type.shape, node.type.shape)
    return None


@reads("spread", "squeeze", "slice", "reshape")
def _view(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    view = view_of(node)
    assert view is not None
    return viewed(args[0], view, node.inputs[0].type.ndim)


@reads("gather")
def _gather(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    if not (args[0].special or node.inputs[0] in reading.dirty):
        return reading.as_leaf(node) if not is_label_pick(_gathered(node)) else _picked(node, args[0])
    view = _gathered(node)
    if is_label_pick(view):
        return _picked(node, args[0])
    return viewed(args[0], view, len(view.before))


def _gathered(node: Expr) -> Gathered:
    return Gathered(node.inputs[0].type.shape, node.inputs[1:], node.params["axes"], node.params["batch"])


def _picked(node: Expr, poly: Poly) -> Poly:
    return dropped_last(picked(poly, node.inputs[1]), node.inputs[0].type.ndim)


@reads("pad")
def _pad(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    p, own = node.params, node.inputs[0].type.shape
    if p["fill"] != 0 or not args[0].terms:
        return reading.as_leaf(node)
    cut = Cut(p["starts"], p["steps"], own)
    rows = zip(p["starts"], p["steps"], own, p["shape"], strict=True)
    if all(n == m and ((s == 0 and d == 1) or (s == m - 1 and d == -1)) for s, d, n, m in rows):
        return viewed(args[0], cut, len(own))  # a reversal undoes itself
    return put(args[0], Put(cut, p["shape"]))


@reads("scatter")
def _scatter(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    p = node.params
    if p["mode"] != "add" or args[0].terms or not args[1].terms:
        return reading.as_leaf(node)
    taken = Gathered(node.type.shape, node.inputs[2:], p["axes"], p["batch"])
    return put(args[1], Put(taken, node.type.shape))


@reads("join")
def _join(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    if not any(a.special for a in args):
        return reading.as_leaf(node)
    axis = node.params["axis"] - node.type.ndim
    lengths = tuple(i.type.shape[axis] for i in node.inputs)
    return reading.forms.function(
        "join", *args, param=(axis, lengths, tuple(i.type.shape for i in node.inputs)), shape=node.type.shape
    )


def rejoined(join: Atom, args: Sequence[Poly]) -> Poly:
    """Other pieces laid out as a join has its own."""
    return join.forms.function("join", *args, param=join.param, shape=join.shape)


# ---- reductions ----


@reads("sum")
def _sum(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    x = node.inputs[0]
    rank = x.type.ndim
    axes = tuple(k - rank for k in node.params["axes"])
    out = reduce_sum(reading, args[0], x, axes)
    return viewed(out, Place(tuple(k for k in range(rank) if k - rank not in axes)), rank)


def varies(shape: Sequence[Any], axes: Sequence[int]) -> bool:
    """Whether an array of this shape changes along one of the axes, counted from the end."""
    return any(-k <= len(shape) and shape[k] != 1 for k in axes)


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
    if axes == (-1,) and (inside := summed_mask(poly)) is not None:
        return inside
    rank = x.type.ndim
    if len(axes) == 1 and axes[0] != -1 and masks:  # labels are sought along the last axis
        order = axis_last(rank, axes[0])
        turned = viewed(poly, Place(tuple(order)), rank)
        out = reduce_sum(reading, turned, Place(tuple(order)).apply(x), (-1,))
        return viewed(out, Place(tuple(order.index(k) for k in range(rank))), rank)
    m, c = as_factor(poly)
    if len(m.factors) == 1 and not m.expo.terms and (w := masked(m)) and hit_of(w.param) and w.args[0].single:
        held = w.args[0].single[0]  # what is the same all along the axis leaves the label's mask
        constant = forms.mono(forms.zero, {a: p for a, p in held.factors.items() if not varies(a.shape, axes)})
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
        e_in, e_out = e_in - top, e_out + top
    out = product(forms.term(forms.mono(e_out, outer), c), n)
    if not left:
        return out
    body = forms.term(forms.mono(e_in, inner))
    whole = body.atom
    if whole is not None and whole.op == "sum_of":
        body = whole.args[0]
    return product(out, kept_reduction("sum", body, left))


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
        return reading.as_leaf(
            node
        )  # over x as it is written: what the pullback compares with it is one of its elements
    return viewed(largest(args[0], axes), Place(tuple(k for k in range(rank) if k - rank not in axes)), rank)


# ---- composites whose meaning is a graph ----


def _defined(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    assert node.op.definition is not None
    meaning = node.op.definition(*node.inputs, **node.params)
    reading([meaning])  # a few nodes above inputs that are read
    return reading.polys[meaning]


for _name in ("softmax", "log_softmax", "logsumexp"):
    READERS[_name] = _defined
