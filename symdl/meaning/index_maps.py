"""Views of a normal form: pushed down to its leaves and reductions, so that like terms meet.

A view acts on the axes of what the user's node was; a form stands at the right of those axes, and along an axis of 1
it is the same everywhere, so slicing and gathering pass it by.
"""

from __future__ import annotations

from collections.abc import Callable

from symdl.graph.expr import Expr, make, number_of
from symdl.meaning.factoring import multiply, power
from symdl.meaning.normal_form import FUNCTIONS, Atom, Forms, Poly, joined, stripped
from symdl.ops.declare import spread
from symdl.ops.indexing import GATHER, SCATTER, undoing
from symdl.ops.shaping import IOTA
from symdl.ops.sorting import SORT
from symdl.ops.views import DROP, PAD, RESHAPE, SLICE, SPREAD, dropped, reshape_to, zeros_of
from symdl.records import record
from symdl.types import Extent, Shape

ELEMENTWISE = FUNCTIONS | {"sum_of", "pow", "log", "log1p", "softplus", "abs", "sign", "maximum", "where"}


def placing(x: Expr) -> tuple[int | None, ...] | None:
    """The axes of its operand that a node's axes are, if it only permutes, inserts and drops axes."""
    if x.op is DROP:
        return tuple(k for k in range(x.inputs[0].type.ndim) if k not in x.params["axes"])
    if x.op is not SPREAD:
        return None
    axes: list[int | None] = [None] * x.type.ndim
    for k, target in enumerate(x.params["axes"]):
        axes[target] = k
    whole = all(
        n == 1 if a is None else n == x.inputs[0].type.shape[a] for n, a in zip(x.type.shape, axes, strict=True)
    )
    return tuple(axes) if whole else None


@record
class Place:
    """Target axis t is axis axes[t] of the source, or new where that is None; other source axes are 1 and go."""

    axes: tuple[int | None, ...]

    def apply(self, x: Expr) -> Expr:
        axes = self.axes
        while (before := placing(x)) is not None:  # a place of a place is one
            axes = tuple(None if a is None else before[a] for a in axes)
            x = x.inputs[0]
        shape = x.type.shape
        axes = tuple(None if a is None or shape[a] == 1 else a for a in axes)
        target = tuple(1 if a is None else shape[a] for a in axes)
        if target == shape and all(a is None or a == k for k, a in enumerate(axes)):
            return x
        gone = tuple(k for k in range(len(shape)) if k not in axes)
        left = [k for k in range(len(shape)) if k in axes]
        return spread(dropped(x, gone), target, tuple(axes.index(k) for k in left))


@record
class Cut:
    """Every steps-th element from starts on."""

    starts: Shape
    steps: tuple[int, ...]
    lengths: Shape

    def apply(self, x: Expr) -> Expr:
        starts, steps = self.starts, self.steps
        while x.op is SLICE:  # a slice of a slice is one
            before = x.params
            starts = tuple(s + t * d for s, t, d in zip(before["starts"], starts, before["steps"], strict=True))
            steps = tuple(d * e for d, e in zip(before["steps"], steps, strict=True))
            x = x.inputs[0]
        if self.lengths == x.type.shape and not any(starts) and set(steps) <= {1}:
            return x
        return make(SLICE, (x,), starts=starts, steps=steps, lengths=self.lengths)


@record
class Reshape:
    """The same elements in C order, of an array of the shape before under the shape after."""

    before: Shape
    after: Shape

    def apply(self, x: Expr) -> Expr:
        x = stretched(x, self.before)
        while x.op is RESHAPE:
            x = x.inputs[0]
        return reshape_to(x, self.after)


@record
class Gathered:
    """Elements at integer arrays of indices along axes, of an array of the shape before."""

    before: Shape
    indices: tuple[Expr, ...]
    axes: tuple[int, ...]
    batch: int

    def apply(self, x: Expr) -> Expr:
        if (before := self.undone(x)) is not None:
            return before
        return make(GATHER, (stretched(x, self.before), *self.indices), axes=self.axes, batch=self.batch)

    @property
    def undoing(self) -> Expr | None:
        """The places of the opposite order, if this is one of the last axis."""
        return undoing(self.indices, self.before, self.axes, self.batch)

    def undone(self, x: Expr) -> Expr | None:
        """What x has in this order, if x has it in the opposite one."""
        back = self.undoing
        if (
            x.op is GATHER
            and x.inputs[1:] == (back,)
            and (x.params["axes"], x.params["batch"]) == (self.axes, self.batch)
        ):
            return x.inputs[0]
        if x.op is SORT and back is not None and back.inputs == x.inputs and back.params == x.params:
            return x.inputs[0]
        return None


@record
class Put:
    """The adjoint of taking: an array of zeros of this shape with values added where `taken` reads."""

    taken: Cut | Gathered
    shape: Shape

    def apply(self, x: Expr) -> Expr:
        if isinstance(self.taken, Cut):
            x = stretched(x, self.taken.lengths)
            return make(PAD, (x,), starts=self.taken.starts, steps=self.taken.steps, shape=self.shape, fill=0)
        x = stretched(x, full_shape(self.taken))
        zeros = zeros_of(self.shape, x.type.dtype)
        params = {"axes": self.taken.axes, "batch": self.taken.batch, "mode": "add"}
        return make(SCATTER, (zeros, x, *self.taken.indices), **params)


View = Place | Cut | Reshape | Gathered


def stretched(x: Expr, shape: Shape) -> Expr:
    """x broadcast to a shape at whose right it stands."""
    return spread(x, shape, tuple(range(len(shape) - x.type.ndim, len(shape))))


def leaf(forms: Forms, node: Expr) -> Poly:
    """The form of a node that the algebra does not look into."""
    node = settled(node)
    return forms.function("leaf", param=node, shape=node.type.shape)


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


def local(view: View, rank: int, shape: Shape) -> View | None:
    """The view as it acts on an array of this shape that stands at the right of the source's rank axes; None if not
    at all."""
    away = rank - len(shape)
    if isinstance(view, Place):
        axes = [None if a is None or a < away or shape[a - away] == 1 else a - away for a in view.axes]
        while axes and axes[0] is None:
            axes.pop(0)
        same = [k if n != 1 else None for k, n in enumerate(shape)]
        return None if axes == same else Place(tuple(axes))
    if isinstance(view, Cut):
        starts = tuple(0 if n == 1 else s for s, n in zip(view.starts[away:], shape, strict=True))
        steps = tuple(1 if n == 1 else s for s, n in zip(view.steps[away:], shape, strict=True))
        lengths = tuple(1 if n == 1 else s for s, n in zip(view.lengths[away:], shape, strict=True))
        trivial = lengths == shape and not any(starts) and set(steps) <= {1}
        return None if trivial else Cut(starts, steps, lengths)
    if isinstance(view, Gathered) and shape and shape[-1] == 1 and view.undoing is not None:
        return None
    return view if shape else None


def result_shape(view: View, shape: Shape) -> Shape:
    """The shape of a view of an array of this shape."""
    if isinstance(view, Place):
        return stripped(tuple(1 if a is None else shape[a] for a in view.axes))
    if isinstance(view, Cut):
        return stripped(view.lengths)
    if isinstance(view, Reshape):
        return stripped(view.after)
    return stripped(full_shape(view))


def full_shape(view: Gathered) -> Shape:
    """The shape of what a gather reads."""
    own = view.indices[0].type.shape
    return (*own, *(n for k, n in enumerate(view.before) if k >= view.batch and k not in view.axes))


def with_indices(view: View | Put, change: Callable[[Expr], Expr]) -> View | Put:
    """The view with other nodes for its index arrays."""
    if isinstance(view, Gathered):
        return Gathered(view.before, tuple(map(change, view.indices)), view.axes, view.batch)
    if isinstance(view, Put) and isinstance(view.taken, Gathered):
        taken = with_indices(view.taken, change)
        assert isinstance(taken, Gathered)
        return Put(taken, view.shape)
    return view


def viewed(poly: Poly, view: View, rank: int) -> Poly:
    """The view of a form that stands at the right of rank axes."""
    if not poly.shape:
        return poly
    memo, key = poly.forms.memo, ("view", poly, view, rank)
    if key not in memo:
        memo[key] = mapped(poly, lambda a: _atom(a, view, rank))
    return memo[key]  # type: ignore[no-any-return]  # memos are Any


def mapped(poly: Poly, change: Callable[[Atom], Poly]) -> Poly:
    """poly with its atoms changed, term by term."""
    forms = poly.forms
    out = forms.zero
    for m, c in poly.terms.items():
        expo = mapped(m.expo, change)
        term = forms.raw_exp(expo).scale(c) if expo.terms else forms.constant(c)
        for a, q in m.factors.items():
            new = change(a)
            if new.atom is not None:
                term = term.times(forms.mono(forms.zero, {new.atom: q}))
            else:
                term = multiply(term, power(new, q))
        out = out + term
    return out


def _atom(a: Atom, view: View, rank: int) -> Poly:
    forms = a.forms
    if not a.shape:
        return forms.of_atom(a)
    here = local(view, rank, a.shape)
    if here is None:
        return forms.of_atom(a)
    if a.op == "leaf":
        if isinstance(view, Gathered | Reshape):
            return leaf(forms, view.apply(a.param))
        return leaf(forms, here.apply(a.param))
    if a.op in ELEMENTWISE:
        if a.op == "where" and isinstance(here, Cut) and (branch := _branch(a.param, here)) is not None:
            return viewed(a.args[branch], view, rank)
        args = tuple(viewed(p, view, rank) for p in a.args)
        param = a.param
        if a.op == "where":
            own = local(view, rank, param.type.shape)
            param = param if own is None else settled(own.apply(param))
            return forms.function("where", *args, param=param, shape=where_shape(param, args))
        return args[0] if a.op == "sum_of" else forms.function(a.op, *args, param=param)
    if a.op in ("sum", "max", "others") and isinstance(view, Place) and set(range(rank)) <= set(view.axes):
        return _turned(a, view, rank)
    if a.op == "put" and isinstance(here, Cut) and (taken := _taken_back(a, here)) is not None:
        return taken
    if a.op == "join" and isinstance(here, Cut):
        piece = _piece(a, here)
        if piece is not None:
            return piece
    if a.op == "view":
        inner, before = a.args[0], a.param
        if isinstance(before, Place) and isinstance(here, Place):
            axes = tuple(None if k is None else before.axes[k] for k in _aligned(here, len(before.axes), a))
            both = local(Place(axes), len(inner.shape), inner.shape)
            return inner if both is None else _wrapped(inner, both)
        if isinstance(before, Reshape) and isinstance(here, Reshape):
            return inner if stripped(here.after) == inner.shape else _wrapped(inner, Reshape(before.before, here.after))
    return _wrapped(forms.of_atom(a), here)


def _taken_back(a: Atom, cut: Cut) -> Poly | None:
    """What a cut takes of what was put into zeros: all of it, or none."""
    own = a.param.taken
    if not isinstance(own, Cut) or own.lengths != cut.lengths or own.steps != cut.steps:
        return None
    apart = [s != t for s, t in zip(own.starts, cut.starts, strict=True)]
    if not any(apart):
        return a.args[0]
    one = own.lengths[-1] == 1 and isinstance(own.starts[-1], int) and isinstance(cut.starts[-1], int)
    return a.forms.zero if one and apart[-1] else None


def _branch(condition: Expr, cut: Cut) -> int | None:
    """Which branch a choice takes in one column, if its condition names a column."""
    if condition.op.name != "eq" or cut.lengths[-1] != 1 or len(condition.type.shape) != 1:
        return None
    for places, label in (condition.inputs, condition.inputs[::-1]):
        while label.op is SPREAD:
            label = label.inputs[0]
        number = number_of(label)
        if places.op is IOTA and number is not None and isinstance(cut.starts[-1], int):
            return 0 if cut.starts[-1] == number else 1
    return None


def _turned(a: Atom, view: Place, rank: int) -> Poly:
    """A reduction whose axes are permuted: its operand's are, with those in front that are reduced and no longer seen."""
    if a.op == "others":
        total = a.args[0].atom
        assert total is not None  # even where it is one number, it is a sum over axes that move
        return a.forms.function("others", _turned(total, view, rank), shape=result_shape(view, _padded(a.shape, rank)))
    more = max([0, *(-k - rank for k in a.param), *(len(p.shape) - rank for p in a.args)])
    inner = Place((*range(more), *(None if k is None else more + k for k in view.axes)))
    args = tuple(viewed(p, inner, more + rank) for p in a.args)
    axes = tuple(sorted(inner.axes.index(more + rank + k) - len(inner.axes) for k in a.param))
    return a.forms.function(a.op, *args, param=axes, shape=result_shape(view, _padded(a.shape, rank)))


def _padded(shape: Shape, rank: int) -> Shape:
    return (1,) * (rank - len(shape)) + tuple(shape)


def _aligned(place: Place, rank: int, a: Atom) -> tuple[int | None, ...]:
    """The axes of a place, counted in the rank axes that the atom had before 1s in front were dropped."""
    away = rank - len(a.shape)
    return tuple(None if k is None else k + away for k in place.axes)


def _wrapped(poly: Poly, view: View) -> Poly:
    return poly.forms.function("view", poly, param=view, shape=result_shape(view, poly.shape))


def _piece(a: Atom, cut: Cut) -> Poly | None:
    """What a slice takes out of pieces laid side by side, if that is one piece."""
    axis: int = a.param[0]
    start: Extent = 0
    k = len(a.shape) + axis
    for p, n in zip(a.args, a.param[1], strict=True):
        if cut.starts[k] == start and cut.lengths[k] == n and cut.steps[k] == 1:
            starts = tuple(0 if j == k else s for j, s in enumerate(cut.starts))
            return viewed(p, Cut(starts, cut.steps, cut.lengths), len(a.shape))
        start = start + n
    return None


def settled(x: Expr) -> Expr:
    """An array without axes of 1 in front."""
    ones = next((k for k, n in enumerate(x.type.shape) if n != 1), x.type.ndim)
    return dropped(x, tuple(range(ones)))


def where_shape(condition: Expr, args: tuple[Poly, ...]) -> Shape:
    """The shape of a choice between forms."""
    return joined([condition.type.shape, *(a.shape for a in args)])
