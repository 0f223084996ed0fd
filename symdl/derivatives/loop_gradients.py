"""The gradient of a loop is a loop the other way round, that of a branch a branch: textbook derivatives, as everywhere.

Backward, step t knows the row of each sequence and the states before it from the traces; it carries, for each state, the
gradients of the rows that it has not come to yet. What all steps share gets one gradient a step, added up outside: as
written that takes memory for every step, but `motion` makes one product of the sum of products.
"""

from __future__ import annotations

from math import inf

from symdl.derivatives.gradient import pull
from symdl.graph.bodies import Body, argument, closed, moved
from symdl.graph.expr import Expr, make, results
from symdl.graph.walks import topological
from symdl.ops.declare import cast_to, is_float, spread
from symdl.ops.elementwise import ge, lt, where
from symdl.ops.extents import expr_of
from symdl.ops.facts import ASSUMED
from symdl.ops.reductions import sum as total
from symdl.ops.scan import IF, PULLBACKS, Layout, row_of, rows_of, scan_node, unpadded
from symdl.ops.shaping import concatenate, expand_dims, iota
from symdl.ops.views import PAD, dropped, zeros_of
from symdl.types import Extent, TensorType, at_most, smallest

Gradients = tuple[Expr | None, ...]


def split_at(g: Expr | None, at: Extent) -> tuple[Expr | None, Expr | None]:
    """(row `at` of those terms of a sum that are 0 elsewhere, the sum of the others)."""
    terms, row, rest = [g] if g is not None else [], None, None
    while terms:
        term = terms.pop()
        if term.op.name == "add" and all(i.type.shape == term.type.shape for i in term.inputs):
            terms += reversed(term.inputs)
            continue
        inner, start = unpadded(term)
        if inner.type.shape[0] == 1 and start == at:
            one = dropped(inner, (0,))
            row = one if row is None else row + one
        else:
            rest = term if rest is None else rest + term
    return row, rest


def _zero(t: TensorType) -> Expr:
    return zeros_of(t.shape, t.dtype)


def _sum(a: Expr | None, b: Expr | None) -> Expr | None:
    return b if a is None else a if b is None else a + b


BOUNDED = frozenset("add sub mul neg sigmoid tanh sin cos arctan where abs maximum minimum".split())


def _worth_reading(new: Expr) -> bool:
    """Whether the way back should read a new state where other outputs use it: a sum of bounded functions and products
    whose rounded value says as much as its formula, which the algebra would only see through to ask for its digits."""
    if new.op.name not in ("add", "sub"):
        return False
    level, seen = [new], {new}
    while level:
        n = level.pop()
        if n.op.kind in ("elementwise", "composite") and n.op.name not in BOUNDED:
            return False
        if n.op.kind in ("elementwise", "composite", "view", "reshape"):
            level += [i for i in n.inputs if i not in seen]
            seen.update(n.inputs)
    return True


def scan_pullback(
    gradients: Gradients, y: Expr, *inputs: Expr, body: Body, steps: Extent, sequences: int,
    taps: tuple[tuple[int, ...], ...], last: tuple[bool, ...], reverse: bool, stops: bool, truncate: int,
) -> Gradients:  # fmt: skip
    """The gradients of a scan's inputs."""
    layout = Layout(sequences, taps, stops)
    seqs, _, others = layout.inputs(inputs)
    traces, count = results(y)[: len(taps)], len(taps)
    made_count = len(body.outputs) - count - stops
    gradients = gradients[: count + made_count]  # the number of steps has none
    depths = layout.depths
    leaves = [argument(t) for t in body.parameters]
    x, h, w = layout.parameters(leaves)
    new, made, _ = layout.outputs(body(*leaves))
    round_ = argument(TensorType("int64"), "t")  # looked at where a condition may have ended the loop
    ran = argument(TensorType("int64"))
    active = lt(round_, ran) if stops else None
    flowing = [k for k in range(count) if is_float(new[k].type.dtype)]

    # what flows in: gradients of the traces' new rows and of the output rows, one row a step
    seeds: dict[int, Expr] = {}
    slots: list[tuple[Expr, Expr]] = []  # (leaf, the rows that it stands for)
    cotangents: list[Expr | None] = []
    carried: dict[int, list[Expr]] = {}
    passed: dict[int, Expr | None] = {}  # what goes on to the row before as it is
    run = steps if truncate < 0 else smallest(steps, truncate)
    skipped = steps - run  # steps at the beginning that the gradient does not reach

    def within(rows: Expr, start: Extent) -> Expr:
        """The rows of the steps that are run back, `rows` having steps rows from start on."""
        return rows_of(rows, start if reverse else start + skipped, run)

    for k in flowing:
        g = gradients[k]
        row, rest = split_at(g, 0 if reverse else steps + depths[k] - 1)
        if row is not None:
            seeds[k] = row
        carried[k] = [argument(new[k].type, f"gradient {k}") for _ in range(depths[k])]
        own: Expr = carried[k][0]
        if rest is not None:
            leaf = argument(new[k].type)
            slots.append((leaf, within(rest, 0 if reverse else depths[k])))
            own = own + leaf
        passed[k] = None if active is None else where(active, _zero(own.type), own)
        cotangents.append(own if active is None else where(active, own, _zero(own.type)))
    held: list[tuple[Expr, Expr]] = []  # for output rows that repeat those of the last step: (gradient so far, next)
    for o, g in zip(made, gradients[count:], strict=False):
        if g is None or not is_float(o.type.dtype):
            cotangents.append(None)
            continue
        leaf = argument(o.type)
        slots.append((leaf, within(g, 0)))
        if active is None:
            cotangents.append(leaf)
            continue
        before_ = argument(o.type)
        whole_ = before_ + leaf
        held.append((before_, where(active, _zero(o.type), whole_)))
        cotangents.append(where(active, whole_, _zero(o.type)))
    outs = [*(new[k] for k in flowing), *made]
    stored = {
        new[k]: make(ASSUMED, (new[k],), lower=-inf, upper=inf, integer=False)
        for k in flowing
        if _worth_reading(new[k])
    }
    outs = [moved([o], {n: mark for n, mark in stored.items() if n is not o})[0] for o in outs]
    wanted = [v for v in (*x, *(v for lags in h for v in lags), *w) if is_float(v.type.dtype)]
    found = {v: g for v, g in zip(wanted, pull(outs, cotangents, wanted), strict=True) if g is not None}
    read = set(topological(*found.values()))
    marks: dict[Expr, Expr] = {}
    for k in flowing:
        if (mark := stored.get(new[k])) in read and mark is not None and mark not in marks:
            marks[mark] = argument(new[k].type)
            slots.append((marks[mark], within(traces[k], 0 if reverse else depths[k])))
    pulled = {v: _fitted(g, v) for v, g in zip(found, moved(list(found.values()), marks), strict=True)}

    # the gradients of rows that are still to come
    after: list[Expr] = []
    starts: list[Expr] = []
    for k in flowing:
        by_lag = {lag: pulled.get(v) for lag, v in zip(taps[k], h[k], strict=True)}
        for lag in range(1, depths[k] + 1):
            later = carried[k][lag] if lag < depths[k] else None
            g = _sum(_sum(later, by_lag.get(lag)), passed[k] if lag == 1 else None)
            after.append(g if g is not None else _zero(new[k].type))
            first = seeds.get(k) if lag == 1 else None
            starts.append(expand_dims(first if first is not None else _zero(new[k].type), 0))
    starts += [expand_dims(_zero(g.type), 0) for g, _ in held]
    d_rows = [g for v in x if (g := pulled.get(v)) is not None]
    d_shared = [g for v in w if (g := pulled.get(v)) is not None]
    states = [v for k in flowing for v in carried[k]] + [g for g, _ in held]
    before = []
    for k, lags in enumerate(taps):
        before += [within(traces[k], lag if reverse else depths[k] - lag) for lag in lags]
    rows = [*x, *(v for lags in h for v in lags), *(leaf for leaf, _ in slots)]
    given = [*(within(s, 0) for s in seqs), *before, *(g for _, g in slots)]
    shared, lent = list(w), list(others)
    if stops:
        rows.append(round_)
        given.append(within(iota((steps,), 0), 0))
        shared.append(ran)
        lent.append(results(y)[-1])
    new_body, captured = closed([*after, *(g for _, g in held), *d_rows, *d_shared], [*rows, *states, *shared])
    node = scan_node(new_body, given, starts, [*lent, *captured], run, reverse=not reverse)
    back = list(results(node))
    ends = back[: len(states)]
    made_rows = iter(back[len(states) :])

    def whole(rows: Expr, n: Extent) -> Expr:
        """Zeros for what is not run back, and for what is longer than the loop."""
        if n == run and skipped == 0:
            return rows
        shape = (n, *rows.type.shape[1:])
        start = 0 if reverse else skipped
        return make(PAD, (rows,), starts=(start, *(0 for _ in shape[1:])), steps=(1,) * len(shape), shape=shape, fill=0)

    d_seqs = [
        whole(next(made_rows), s.type.shape[0]) if pulled.get(v) is not None else None
        for v, s in zip(x, seqs, strict=True)
    ]
    d_others = [total(next(made_rows), axis=0) if pulled.get(v) is not None else None for v in w]
    final: Extent = run if reverse else 0  # the last row that the way back makes, in traces of one initial row
    d_inits: list[Expr | None] = []
    at = 0
    for k, depth in enumerate(depths):
        if k not in carried:
            d_inits.append(None)
            continue
        left = [row_of(e, final) for e in ends[at : at + depth]]  # by lag
        at += depth
        order = left if reverse else left[::-1]
        g = expand_dims(order[0], 0) if depth == 1 else concatenate([expand_dims(e, 0) for e in order])
        if skipped != 0 and not at_most(steps, truncate):  # cut off before it comes to the beginning
            g = where(ge(expr_of(run), expr_of(steps)), g, _zero(g.type))
        direct = gradients[k]
        if direct is not None:
            g = g + rows_of(direct, steps if reverse else 0, depth)
        d_inits.append(g)
    return (*d_seqs, *d_inits, *d_others)


def if_pullback(
    gradients: Gradients, y: Expr, condition: Expr, *inputs: Expr, then: Body, other: Body, split: int
) -> Gradients:
    """An ifelse of the two pullbacks: as lazy as the value. What flows in comes as inputs, not by capture, for it depends
    on the whole graph, this ifelse included."""
    flowing = [g for g in gradients if g is not None]
    sides: list[tuple[Body, list[Expr]]] = []
    mine, theirs = inputs[:split], inputs[split:]
    for body, own, before, behind in ((then, mine, (), theirs), (other, theirs, mine, ())):
        leaves = [argument(v.type) for v in own]
        slots = [argument(g.type) for g in flowing]
        feed = iter(slots)
        floats = [v for v in leaves if is_float(v.type.dtype)]
        cotangents = [None if g is None else next(feed) for g in gradients]
        outs = body(*leaves)
        found = dict(zip(floats, pull(outs, cotangents, floats), strict=True))
        made = [_zero(v.type) if (g := found[v]) is None else _fitted(g, v) for v in leaves if v in found]
        lead = [_zero(v.type) for v in before if is_float(v.type.dtype)]
        trail = [_zero(v.type) for v in behind if is_float(v.type.dtype)]
        new, captured = closed([*lead, *made, *trail], [*leaves, *slots])
        sides.append((new, [*own, *flowing, *captured]))
    (a, in_a), (b, in_b) = sides
    if not a.outputs:
        return (None,) * (1 + len(inputs))
    node = make(IF, (condition, *in_a, *in_b), then=a, other=b, split=len(in_a))
    found_ = iter(results(node))
    return (None, *(next(found_) if is_float(v.type.dtype) else None for v in inputs))


def _fitted(g: Expr, v: Expr) -> Expr:
    """A gradient in the very type of what it is the gradient of."""
    return spread(cast_to(g, v.type.dtype), v.type.shape, tuple(range(v.type.ndim)))


PULLBACKS["scan"] = scan_pullback
PULLBACKS["ifelse"] = if_pullback
