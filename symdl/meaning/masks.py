"""where(condition, u, 0) as a mask, and labels: the pick of one entry a row, whose pullback is such a mask.

A mask takes the factors beside it inside, so the branch not taken is never multiplied. Inside the mask of a label,
the pick of that label is the element itself.
"""

from __future__ import annotations

from symdl.graph.expr import Expr, constant, make
from symdl.meaning.cancellation import simplify
from symdl.meaning.exclusion import PICKS
from symdl.meaning.factoring import multiply
from symdl.meaning.index_maps import (
    ELEMENTWISE,
    Cut,
    Gathered,
    Place,
    Put,
    leaf,
    mapped,
    settled,
    stretched,
    viewed,
    where_shape,
)
from symdl.meaning.normal_form import Atom, Forms, Mono, Poly, exponents, joined, stripped
from symdl.meaning.rationals import Rational, quotient
from symdl.ops.declare import spread
from symdl.ops.elementwise import CAST, cast, eq, maximum, minimum, where
from symdl.ops.extents import expr_of
from symdl.ops.indexing import GATHER, wrapped
from symdl.ops.shaping import IOTA
from symdl.ops.views import DROP, SLICE, SPREAD
from symdl.records import record
from symdl.types import Extent, Shape


@record
class Hit:
    """A condition that is true at one place of the last axis: where the index along it is the label.

    inside: whether the label lies inside the axis, its last axis kept as 1; None where that is certain, since the label
    was read by a gather. A one-hot row may be all 0. at: the label, or 0 where it lies outside.
    """

    label: Expr
    at: Expr
    inside: Expr | None

    def picks(self, label: Expr) -> bool:
        """Whether an entry picked by a label is the one that is hit, if any is."""
        return label is self.label or label is self.at


def hit_of(condition: Expr) -> Hit | None:
    """What a condition says about labels, if it compares the last axis' index with one."""
    while condition.op is DROP:  # of one row
        condition = condition.inputs[0]
    if condition.op is not eq:
        return None
    for index, label in (condition.inputs, condition.inputs[::-1]):
        rank = index.type.ndim
        if index.op is not IOTA or index.params["axis"] != rank - 1:
            continue
        own = label
        if label.type.ndim:
            wide = label.inputs[0] if label.op is CAST else label
            if wide.op is not SPREAD or wide.type.shape[-1] != 1 or wide.params["axes"] != tuple(range(rank - 1)):
                continue
            own = cast(wide.inputs[0], label.type.dtype)
        raw = unwrapped(own, index)
        return uncertain(own, index.type.shape[-1]) if raw is None else Hit(raw, raw, None)
    return None


def uncertain(label: Expr, extent: Extent) -> Hit:
    """The hit of a label that may lie outside of an axis."""
    first, last = (cast(e, label.type.dtype) for e in (constant(0), expr_of(extent - 1)))
    at = minimum(maximum(label, first), last)
    kept = spread(eq(at, label), (*label.type.shape, 1), tuple(range(label.type.ndim)))
    return Hit(label, at, settled(kept))


def unwrapped(label: Expr, index: Expr) -> Expr | None:
    """y if label is y counted from the end where negative, as the pullback of a gather has it."""
    if label.op is not where:
        return None
    y = label.inputs[2]
    return y if wrapped(y, index.type.shape[-1]) is label else None


def masked(m: Mono) -> Atom | None:
    """The where atom with a branch of 0 that a monomial has as a factor."""
    for a, p in m.factors.items():
        if a.op == "where" and p == 1 and not all(b.terms for b in a.args):
            return a
    return None


def is_no_choice(node: Expr) -> bool:
    """Whether a node chooses between a number and itself."""
    return node.op.name in ("where", "maximum", "minimum") and node.inputs[-1] is node.inputs[-2]


def chosen(condition: Expr, yes: Poly, no: Poly) -> Poly:
    """where(condition, yes, no)."""
    forms = yes.forms
    condition = settled(condition)
    yes, no = assume(yes, condition, True), assume(no, condition, False)
    if yes is no:
        return yes
    k: Rational = 1
    if not (yes.terms and no.terms):  # a mask has no number of its own, so equal masks meet
        only = (yes.single or no.single) or (forms.unit, k)
        k = only[1]
        yes, no = yes.scale(quotient(1, k)), no.scale(quotient(1, k))
    return forms.function("where", yes, no, param=condition, shape=where_shape(condition, (yes, no))).scale(k)


def assume(poly: Poly, condition: Expr, holds: bool) -> Poly:
    """poly where the condition is known."""
    forms = poly.forms
    memo, key = forms.memo, ("assume", poly, condition, holds)
    if key in memo:
        return memo[key]  # type: ignore[no-any-return]  # memos are Any
    hit = hit_of(condition) if holds else None

    def change(a: Atom) -> Poly:
        if hit is not None and (whole := whole_of(a, hit.label)) is not None:
            return whole
        if a.op == "where":
            if a.param is condition or (hit is not None and a.param is hit.inside):
                return assume(a.args[0 if holds else 1], condition, holds)
            return chosen(a.param, assume(a.args[0], condition, holds), assume(a.args[1], condition, holds))
        if hit is not None:
            if a.op == "pick" and hit.picks(a.param):
                return assume(a.args[0], condition, holds)
        if a.op in ELEMENTWISE:
            args = tuple(assume(p, condition, holds) for p in a.args)
            return args[0] if a.op == "sum_of" else forms.function(a.op, *args, param=a.param)
        return forms.of_atom(a)

    memo[key] = simplify(mapped(poly, change)) if _mentions(poly, condition, hit) else poly
    return memo[key]  # type: ignore[no-any-return]  # memos are Any


def _mentions(poly: Poly, condition: Expr, hit: Hit | None) -> bool:
    """Whether knowing the condition could change anything."""
    memo, key = poly.forms.memo, ("mentions", poly, condition, hit)
    if key not in memo:
        memo[key] = any(
            _mentions(m.expo, condition, hit)
            or any(
                (a.op == "where" and (a.param is condition or (hit is not None and a.param is hit.inside)))
                or (hit is not None and a.op == "pick" and hit.picks(a.param))
                or (hit is not None and whole_of(a, hit.label) is not None)
                or any(_mentions(p, condition, hit) for p in a.args)
                for a in m.factors
            )
            for m in poly.terms
        )
    return memo[key]  # type: ignore[no-any-return]  # memos are Any


def column_of(cut: Cut, shape: Shape) -> Expr | None:
    """The place of the last axis that a cut takes of an array of this shape, if that is one and all of the other axes."""
    if not shape or shape[-1] == 1 or cut.lengths[-1] != 1 or cut.lengths[:-1] != tuple(shape[:-1]):
        return None
    return None if any(cut.starts[:-1]) or set(cut.steps) > {1} else expr_of(cut.starts[-1])


def whole_of(a: Atom, label: Expr) -> Poly | None:
    """What an atom is one column of, that at the label: there the two are one."""
    if label.type.ndim:
        return None
    if a.op == "leaf" and a.param.op is SLICE:
        x, p = a.param.inputs[0], a.param.params
        same = column_of(Cut(p["starts"], p["steps"], p["lengths"]), x.type.shape) is label
        return leaf(a.forms, x) if same else None
    if a.op == "view" and isinstance(a.param, Cut):
        return a.args[0] if column_of(a.param, a.args[0].shape) is label else None
    return None


def summed_column(poly: Poly) -> Poly | None:
    """The sum along the last axis of what is put into one column of zeros."""
    if not poly.single or (w := put_of(poly.single[0])) is None or not isinstance(w.param.taken, Cut):
        return None
    alone = len(poly.single[0].factors) == 1 and not poly.single[0].expo.terms
    return w.args[0].scale(poly.single[1]) if alone and column_of(w.param.taken, w.param.shape) is not None else None


def columns_masked(poly: Poly) -> Poly:
    """poly with what is put into one column of zeros as a mask of that column; itself if nothing is."""
    out = poly
    for m, c in poly.terms.items():
        w = put_of(m)
        if w is not None and len(m.factors) == 1 and not m.expo.terms and isinstance(w.param.taken, Cut):
            label = column_of(w.param.taken, w.param.shape)
            if label is not None:
                places = make(IOTA, (), shape=(w.param.shape[-1],), axis=0)
                out = out - poly.forms.term(m, c) + chosen(eq(places, label), w.args[0], poly.forms.zero).scale(c)
    return out


def product(a: Poly, b: Poly) -> Poly:
    """a * b; a mask takes the other factor inside."""
    if a.number is not None or b.number is not None:
        return multiply(a, b)
    if a.forms.strict:
        return multiply(a, b, lenient=True)
    for x, y in ((a, b), (b, a)):
        if len(x.terms) > 1 and any(masked(m) for m in x.terms):
            out = x.forms.zero
            for m, c in x.terms.items():
                out = out + product(x.forms.term(m, c), y)
            return merged(out)
        if x.single and (w := masked(x.single[0])):
            rest = x.forms.term(x.single[0].without(w), x.single[1])
            return _into(w, product(rest, y))
        if len(x.terms) > 1 and any(put_of(m) for m in x.terms):
            out = x.forms.zero
            for m, c in x.terms.items():
                out = out + product(x.forms.term(m, c), y)
            return merged(out)
        if x.single and (w := put_of(x.single[0])):
            rest = product(x.forms.term(x.single[0].without(w), x.single[1]), y)
            whole = stripped(w.param.shape)  # what would stretch the zeros stays outside
            if rest.number is None and joined([whole, rest.shape]) == whole:
                inside = _inside_put(w, rest)
                if inside is not None:
                    return inside
    for x, y in ((a, b), (b, a)):
        w = chosen_factor(x)
        if w is not None and exponents(x.forms.of_atom(w)) & exponents(y):  # they may meet inside the branches
            assert x.single is not None
            rest = x.forms.term(x.single[0].without(w), x.single[1])
            return _into(w, product(rest, y))
    return multiply(a, b, lenient=True)


def _inside_put(w: Atom, factor: Poly) -> Poly | None:
    """What is put into zeros times a factor; None where a zero over a zero would be lost: the zeros' own, or one that
    is laid out as what is put is, so that a guard of the whole could not speak of it; likewise a root."""
    if any(p < 0 and a.op == "put" for m in factor.terms for a, p in m.factors.items()):
        return None
    forms, before = w.forms, (set(w.forms.risk), set(w.forms.roots))
    out = product(w.args[0], viewed(factor, w.param.taken, len(w.param.shape)))
    if (forms.risk, forms.roots) != before:
        forms.risk, forms.roots = before
        return None
    return put(out, w.param)


def put(poly: Poly, how: Put) -> Poly:
    """poly put into zeros; its number stays outside, so equal ones meet."""
    if not poly.terms:
        return poly
    k = next(iter(poly.terms.values()))
    return poly.forms.function("put", poly.scale(quotient(1, k)), param=how, shape=how.shape).scale(k)


def put_of(m: Mono) -> Atom | None:
    """The put that a monomial has as a factor."""
    return next((a for a, p in m.factors.items() if a.op == "put" and p == 1), None)


def chosen_factor(poly: Poly) -> Atom | None:
    """A where that a single term has as a factor."""
    if poly.single:
        for a, p in poly.single[0].factors.items():
            if a.op == "where" and p == 1:
                return a
    return None


def _into(w: Atom, factor: Poly) -> Poly:
    yes, no = w.args
    k = factor.number
    if k is not None:
        return w.forms.of_atom(w).scale(k)
    inside = []
    for u, holds in ((yes, True), (no, False)):
        before = set(w.forms.risk)
        inside.append(product(u, assume(factor, w.param, holds)) if u.terms else u)
        w.forms.risk -= w.forms.nonzero.get((w.param, holds), frozenset()) - before
    return chosen(w.param, *inside)


def merged(poly: Poly) -> Poly:
    """Masks with one condition as one, and other choices by it that have a function in them or meet in a branch."""
    groups: dict[Expr, list[tuple[Mono, Atom]]] = {}
    for m in poly.terms:
        w = next(iter(m.factors)) if len(m.factors) == 1 and not m.expo.terms else None
        if w is not None and w.op == "where" and m.factors[w] == 1:
            groups.setdefault(w.param, []).append((m, w))
    for condition, group in groups.items():
        if len(group) < 2:
            continue
        rest, yes, no = poly, poly.forms.zero, poly.forms.zero
        for m, w in group:
            c = poly.terms[m]
            rest = rest - poly.forms.term(m, c)
            yes, no = yes + w.args[0].scale(c), no + w.args[1].scale(c)
        better = [simplify(branch) for branch in (yes, no)]
        if any(w.special for _, w in group) or all(masked(m) for m, _ in group) or better != [yes, no]:
            poly = rest + chosen(condition, *better)
    return _merged_puts(poly)


def _merged_puts(poly: Poly) -> Poly:
    groups: dict[Put, list[Mono]] = {}
    for m in poly.terms:
        w = put_of(m)
        if w is not None and len(m.factors) == 1 and not m.expo.terms:
            groups.setdefault(w.param, []).append(m)
    for how, group in groups.items():
        if len(group) > 1:
            inside = poly.forms.zero
            for m in group:
                (a,) = m.factors
                inside = inside + a.args[0].scale(poly.terms[m])
            poly = poly - poly.forms.poly({m: poly.terms[m] for m in group}) + put(simplify(inside), how)
    return poly


# ---- one entry a row ----


def is_label_pick(view: Gathered) -> bool:
    """Whether a gather takes one entry along the last axis for each of the other axes."""
    last = len(view.before) - 1
    return view.axes == (last,) and view.batch == last == view.indices[0].type.ndim


def picked(poly: Poly, label: Expr) -> Poly:
    """poly at the label along the last axis, that axis kept as 1: pushed down to what varies along it."""
    forms = poly.forms
    memo, key = forms.memo, ("pick", poly, label)
    if key not in memo:
        memo[key] = mapped(poly, lambda a: _pick_atom(forms, a, label))
    return memo[key]  # type: ignore[no-any-return]  # memos are Any


PICKS.append(picked)


def _pick_atom(forms: Forms, a: Atom, label: Expr) -> Poly:
    if not a.shape or a.shape[-1] == 1:
        return forms.of_atom(a)
    if a.op in ELEMENTWISE:
        if a.op == "where":
            hit = hit_of(a.param)
            if hit is not None and hit.picks(label):
                return picked(a.args[0], label)
            args = tuple(picked(p, label) for p in a.args)
            condition = (
                settled(pick_of(a.param, label)) if a.param.type.ndim and a.param.type.shape[-1] != 1 else a.param
            )
            return chosen(condition, *args)
        inside = tuple(picked(p, label) for p in a.args)
        return inside[0] if a.op == "sum_of" else forms.function(a.op, *inside, param=a.param)
    return forms.function("pick", forms.of_atom(a), param=label, shape=(*label.type.shape, 1))


def pick_of(x: Expr, label: Expr) -> Expr:
    """x at the label along its last axis, kept as 1; x stands at the right of the label's axes and one more."""
    batch = label.type.ndim
    if x.type.ndim <= batch and all(n == 1 for n in x.type.shape[:-1]):
        one = Place((x.type.ndim - 1,)).apply(x)
        got = make(GATHER, (one, label), axes=(0,), batch=0)
    else:
        full = stretched(x, (*label.type.shape, x.type.shape[-1]))
        got = make(GATHER, (full, label), axes=(batch,), batch=batch)
    return spread(got, (*label.type.shape, 1), tuple(range(batch)))


def dropped_last(poly: Poly, rank: int) -> Poly:
    """A form of rank axes, the last being 1, without it."""
    return viewed(poly, Place(tuple(range(rank - 1))), rank)


def summed_mask(body: Poly) -> Poly | None:
    """sum(where(hit, u, 0)) along the last axis as u at the label, or 0 where that lies outside."""
    if not body.single:
        return None
    m, c = body.single
    w = masked(m)
    if w is None or len(m.factors) != 1 or m.expo.terms or w.args[1].terms:
        return None
    hit = hit_of(w.param)
    if hit is None or (hit.inside is not None and not (hit.label.type.ndim and _has_places(w.param))):
        return None
    one = picked(w.args[0], hit.at)
    return (one if hit.inside is None else chosen(hit.inside, one, body.forms.zero)).scale(c)


def _has_places(condition: Expr) -> bool:
    """Whether there are places for a label to hit: of none nothing can be read."""
    extent = condition.type.shape[-1] if condition.type.ndim else 1
    return isinstance(extent, int) and extent > 0


def extent_form(forms: Forms, extent: Extent, dtype: str) -> Poly:
    """A number of elements, as mean has it."""
    if isinstance(extent, int):
        return forms.constant(extent)
    return leaf(forms, cast(expr_of(extent), dtype))
