"""Batching: the graph that computes for a batch what a graph computes for one, without a loop.

vectorize_graph puts expressions with leading axes in the place of some nodes; every op above them takes these axes along
by a rule of its kind. A Jacobian is one batch of pulls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, overload

from symdl.convolution import ROLES
from symdl.errors import GradientError, ShapeError
from symdl.graph.bodies import Body, argument, moved, parameter
from symdl.graph.expr import RESULT, Expr, as_expr, described, make, rebuilt, variable
from symdl.graph.origins import building
from symdl.ops.contractions import parse, written
from symdl.ops.declare import cast_to, spread
from symdl.ops.scan import SCAN, layout_of
from symdl.ops.views import reshape_to
from symdl.passes.replacing import replaced
from symdl.records import mutable
from symdl.types import Shape, TensorType, product

ALONG = frozenset(["sort", "argsort", "linear_recurrence"])  # routines that act along an axis
MATRICES = frozenset(
    "solve solve_triangular matrix_inverse cholesky_lower slogdet_of det_of eigh_of svd_of singular_values qr_of "
    "pseudo_inverse expm_of".split()
)
IDENTITIES = frozenset(["copy", "disconnected_grad", "zero_grad", "grad_clip", "grad_scale", "assumed"])


class NotBatched(GradientError):
    """An op has no batched form."""


@overload
def vectorize_graph(outputs: Expr, replace: Mapping[Expr, Any]) -> Expr: ...
@overload
def vectorize_graph(outputs: Sequence[Expr], replace: Mapping[Expr, Any]) -> list[Expr]: ...
def vectorize_graph(outputs: Expr | Sequence[Expr], replace: Mapping[Expr, Any]) -> Expr | list[Expr]:
    """The outputs with expressions of more axes in the place of nodes, the axes in front being a batch.

    out[b, ...] is what the graph gives for replace[x][b, ...]. All replacements have the same leading axes, one or more;
    what does not depend on them gets none. Random numbers are the same for the whole batch. Raises ShapeError where the
    axes do not fit, GradientError where an op (sizes that data decide) has no batched form.
    """
    single = isinstance(outputs, Expr)
    roots = [outputs] if isinstance(outputs, Expr) else list(outputs)
    lead: Shape | None = None
    given: dict[Expr, Expr] = {}
    for node, value in replace.items():
        new = cast_to(as_expr(value), node.type.dtype)
        extra = new.type.ndim - node.type.ndim
        if extra < 1:
            raise ShapeError(
                f"vectorize_graph: what replaces {node!r} must have axes in front of its {node.type.ndim}",
                [described(node), described(new)],
            )
        if lead is not None and len(lead) != extra:
            raise ShapeError(f"vectorize_graph: {extra} leading axes, and {len(lead)} of another", [described(new)])
        lead = lead or new.type.shape[:extra]
        given[node] = new
    if lead is None:
        return outputs if isinstance(outputs, Expr) else roots
    ones = {x: variable(x.name, new.type.shape[len(lead) :], x.type.dtype) for x, new in given.items()}
    found = Batch(lead, {ones[x]: new for x, new in given.items()}).of(replaced(roots, ones))
    return found[0] if single else found


@mutable
class Batch:
    """Nodes and their batched forms, which have the axes `lead` in front; nodes that are in no batch have none."""

    lead: Shape
    done: dict[Expr, Expr]

    def __post_init__(self) -> None:
        self.single: set[Expr] = set()

    @property
    def extra(self) -> int:
        return len(self.lead)

    def of(self, roots: Sequence[Expr]) -> list[Expr]:
        """The batched forms of these nodes, or the nodes where no replaced one is below."""
        stack = list(reversed(roots))
        while stack:
            node = stack[-1]
            if node in self.done or node in self.single:
                stack.pop()
            elif missing := [i for i in node.inputs if i not in self.done and i not in self.single]:
                stack += reversed(missing)
            elif not any(i in self.done for i in node.inputs):
                self.single.add(stack.pop())
            else:
                with building(node.origins):
                    body = self.body(node)
                    if body is not None and body not in self.done and body not in self.single:
                        stack.append(body)
                        continue
                    self.done[stack.pop()] = self.done.get(body, body) if body is not None else self.node(node)
        return [self.done.get(r, r) for r in roots]

    def body(self, node: Expr) -> Expr | None:
        """What a composite op stands for, where its own rule is not that of an elementwise op."""
        op = node.op
        if op.kind != "composite" or op.prepare is not None or op.name in IDENTITIES or "axes" in node.params:
            return None
        assert op.expand is not None, op
        return op.expand(*node.inputs, **node.params)

    def node(self, node: Expr) -> Expr:
        """The batched form of a node, some of whose operands are batched."""
        kind, name = node.op.kind, node.op.name
        if node.op is RESULT:
            made = rebuilt(node, (self.done[node.inputs[0]],))
            return self.front(made, 1) if node.inputs[0].op is SCAN else made  # rows come before the batch there
        rule = RULES.get(name) or RULES.get(kind)
        if rule is None or (kind == "routine" and name not in MATRICES | ALONG):
            raise NotBatched(f"vectorize_graph: {node.op} has no batched form", [described(node)])
        return rule(self, node)

    def wide(self, x: Expr) -> Expr:
        """An operand with the batch's axes, repeated along them if it is in no batch."""
        if x in self.done:
            return self.done[x]
        return spread(x, (*self.lead, *x.type.shape), tuple(range(self.extra, self.extra + x.type.ndim)))

    def aligned(self, x: Expr, ndim: int) -> Expr:
        """A batched operand with axes of 1 behind the batch's, so that it has ndim of its own."""
        new = self.done.get(x)
        if new is None or x.type.ndim == ndim:
            return x if new is None else new
        b, gap = self.extra, ndim - x.type.ndim
        shape = (*new.type.shape[:b], *(1,) * gap, *new.type.shape[b:])
        return spread(new, shape, (*range(b), *range(b + gap, b + ndim)))

    def moved(self, x: Expr, back: int) -> Expr:
        """A batched operand with the batch's axes behind `back` axes of its own."""
        new, b = self.wide(x), self.extra
        return permuted(new, (*range(b, b + back), *range(b), *range(b + back, new.type.ndim)))

    def front(self, y: Expr, back: int) -> Expr:
        """A result with the batch's axes, which stand behind `back` others, in front."""
        b = self.extra
        return permuted(y, (*range(back, back + b), *range(back), *range(back + b, y.type.ndim)))


def permuted(x: Expr, order: Sequence[int]) -> Expr:
    """Axis k of the result is axis order[k] of x."""
    shape = tuple(x.type.shape[k] for k in order)
    return spread(x, shape, tuple(order.index(k) for k in range(len(order))))


# ---- rules ----


def _elementwise(batch: Batch, node: Expr) -> Expr:
    return make(node.op, tuple(batch.aligned(i, node.type.ndim) for i in node.inputs), **node.params)


def _along(batch: Batch, node: Expr) -> Expr:
    """Ops whose axes are counted in params; other operands than the batch's get its axes, too."""
    b, params = batch.extra, dict(node.params)
    for name in ("axis", "axes"):
        if name in params:
            value = params[name]
            params[name] = value + b if isinstance(value, int) else tuple(k + b for k in value)
    return make(node.op, tuple(map(batch.wide, node.inputs)), **params)


def _spread(batch: Batch, node: Expr) -> Expr:
    b, p = batch.extra, node.params
    return spread(batch.wide(node.inputs[0]), (*batch.lead, *p["shape"]), (*range(b), *(k + b for k in p["axes"])))


def _slice(batch: Batch, node: Expr) -> Expr:
    b, p = batch.extra, dict(node.params)
    p |= {"starts": (*(0,) * b, *p["starts"]), "steps": (*(1,) * b, *p["steps"])}
    for name in ("lengths", "shape"):
        if name in p:
            p[name] = (*batch.lead, *p[name])
    if "single" in p:
        p["single"] = tuple(k + b for k in p["single"])
    return make(node.op, (batch.wide(node.inputs[0]),), **p)


def _reshape(batch: Batch, node: Expr) -> Expr:
    return reshape_to(batch.wide(node.inputs[0]), (*batch.lead, *node.params["shape"]))


def _contract(batch: Batch, node: Expr) -> Expr:
    operands, result = parse(node.params["notation"])
    used = {letter for o in operands for letter in o}
    letters = tuple(f"b{k}" for k in range(len(used) + batch.extra) if f"b{k}" not in used)[: batch.extra]
    new = tuple((*letters, *o) if i in batch.done else o for i, o in zip(node.inputs, operands, strict=True))
    inputs = tuple(batch.done.get(i, i) for i in node.inputs)
    return make(node.op, inputs, notation=written(new, (*letters, *result)))


def _gather(batch: Batch, node: Expr) -> Expr:
    x, *indices = node.inputs
    b, axes, first = batch.extra, node.params["axes"], node.params["batch"]
    if not any(i in batch.done for i in indices):
        y = make(node.op, (batch.moved(x, first), *indices), axes=tuple(k + b for k in axes), batch=first)
        return batch.front(y, indices[0].type.ndim)
    wide = tuple(map(batch.wide, indices))
    if x not in batch.done and not first:
        return make(node.op, (x, *wide), axes=axes, batch=0)
    return make(node.op, (batch.wide(x), *wide), axes=tuple(k + b for k in axes), batch=first + b)


def _scatter(batch: Batch, node: Expr) -> Expr:
    x, v, *indices = node.inputs
    b, p = batch.extra, node.params
    axes, first = tuple(k + b for k in p["axes"]), p["batch"]
    if not any(i in batch.done for i in indices):
        inputs = (batch.moved(x, first), batch.moved(v, indices[0].type.ndim), *indices)
        return batch.front(make(node.op, inputs, axes=axes, batch=first, mode=p["mode"]), first)
    return make(node.op, tuple(map(batch.wide, node.inputs)), axes=axes, batch=first + b, mode=p["mode"])


def _routine(batch: Batch, node: Expr) -> Expr:
    if node.op.name in ALONG:
        return _along(batch, node)
    ndim = max(i.type.ndim for i in node.inputs)
    return make(node.op, tuple(batch.aligned(batch_like(batch, i), ndim) for i in node.inputs), **node.params)


def batch_like(batch: Batch, x: Expr) -> Expr:
    """x, entered as repeated along the batch, as some routines need all operands to be."""
    if x not in batch.done:
        batch.done[x] = batch.wide(x)
    return x


def _permutation(batch: Batch, node: Expr) -> Expr:
    return make(node.op, (batch.wide(node.inputs[0]),), **node.params)


def _convolve(batch: Batch, node: Expr) -> Expr:
    """Images of all batches are images; batches of filters are groups, whose number must be known."""
    images, filters = node.inputs if node.op.name == "convolve" else node.inputs[::-1]
    if filters in batch.done or node.op.name == "convolve_filters":
        return _in_groups(batch, node)
    flat = reshape_to(batch.done[images], (product((*batch.lead, images.type.shape[0])), *images.type.shape[1:]))
    y = make(node.op, (flat, filters) if node.op.name == "convolve" else (filters, flat), **node.params)
    return reshape_to(y, (*batch.lead, *node.type.shape))


def _in_groups(batch: Batch, node: Expr) -> Expr:
    """A convolution of which each of the batch has groups of its own."""
    count = product(batch.lead)
    if not isinstance(count, int):
        what = "a batch of unknown size of filters, or for them,"
        raise NotBatched(f"vectorize_graph: {node.op} of {what} has no batched form", [described(node)])
    operands = []
    for role, x in zip(ROLES[node.op.name], node.inputs, strict=False):
        own = x.type.shape
        if role == "f":
            operands.append(reshape_to(batch.wide(x), (count * own[0], *own[1:])))
        else:
            operands.append(reshape_to(batch.moved(x, 1), (own[0], count * own[1], *own[2:])))
    y = make(node.op, tuple(operands), **{**node.params, "groups": count * node.params["groups"]})
    n, *rest = node.type.shape
    if node.op.name == "convolve_filters":
        return reshape_to(y, (*batch.lead, n, *rest))
    return batch.front(reshape_to(y, (n, *batch.lead, *rest)), 1)


def _body(batch: Batch, body: Body, batched: Sequence[bool]) -> Body:
    """A body of parameters of which some have the batch's axes; all its outputs have them."""
    types = [
        TensorType(t.dtype, (*batch.lead, *t.shape)) if wide else t
        for t, wide in zip(body.parameters, batched, strict=True)
    ]
    stand_ins = [argument(t) for t in types]
    leaves = list(zip(body.leaves, stand_ins, batched, strict=True))
    outputs = moved(body.outputs, {leaf: x for leaf, x, wide in leaves if not wide})
    inner = Batch(batch.lead, {leaf: x for leaf, x, wide in leaves if wide})
    inner.of(outputs)
    made = moved([inner.wide(o) for o in outputs], {x: parameter(k, x.type) for k, x in enumerate(stand_ins)})
    return Body(tuple(types), tuple(made))


def _scan(batch: Batch, node: Expr) -> Expr:
    """A loop of states that all have the batch's axes, behind the axis of rows."""
    if node.params["stops"]:
        raise NotBatched("vectorize_graph: a loop that a condition ends has no batched form", [described(node)])
    layout = layout_of(node)
    seqs, inits, others = layout.inputs(node.inputs)
    batched = (
        [s in batch.done for s in seqs]
        + [True for lags in layout.taps for _ in lags]
        + [o in batch.done for o in others]
    )
    inputs = [batch.moved(s, 1) if s in batch.done else s for s in seqs]
    inputs += [batch.moved(i, 1) for i in inits] + [batch.done.get(o, o) for o in others]
    return make(SCAN, tuple(inputs), **{**node.params, "body": _body(batch, node.params["body"], batched)})


def _branch(batch: Batch, node: Expr) -> Expr:
    """Both branches batched; the condition is one for all."""
    condition, *given = node.inputs
    if condition in batch.done:
        raise NotBatched(
            "vectorize_graph: an ifelse whose condition differs in the batch has no batched form", [described(node)]
        )
    split, wide = node.params["split"], [x in batch.done for x in given]
    then = _body(batch, node.params["then"], wide[:split])
    other = _body(batch, node.params["other"], wide[split:])
    return make(node.op, (condition, *(batch.done.get(x, x) for x in given)), then=then, other=other, split=split)


RULES: dict[str, Callable[[Batch, Expr], Expr]] = {
    "scan": _scan, "ifelse": _branch,
    "elementwise": _elementwise, "composite": _elementwise, "reduction": _along, "accumulation": _along, "join": _along,
    "view": _along, "spread": _spread, "slice": _slice, "pad": _slice, "reshape": _reshape, "contract": _contract,
    "convolve": _convolve, "convolve_filters": _convolve, "convolve_images": _convolve,
    "gather": _gather, "scatter": _scatter, "routine": _routine, "permutation": _permutation,
    "softmax": _along, "log_softmax": _along, "logsumexp": _along,
}  # fmt: skip
