"""x > 0, or x <= 0, asked of max(x, 0) where that is kept in memory and x is not: a gradient then needs only what the
layer has stored. The answers are the same, NaN and both zeros included.
"""

from __future__ import annotations

from collections.abc import Sequence

from symdl.graph.expr import Expr, number_of, rebuilt
from symdl.graph.origins import building
from symdl.graph.walks import topological
from symdl.ops.elementwise import gt, le, maximum, where
from symdl.passes.rewrite import Origins


def masks_of_results(roots: Sequence[Expr], origins: Origins) -> list[Expr]:
    """The roots with gt(x, 0) as gt(h, 0), and le(x, 0) as le(h, 0), in all uses but h itself, which is where(gt(x, 0),
    x, 0), where(le(x, 0), 0, x) or maximum(x, 0), if h is an operand of a product and x has no other use."""
    order = topological(*roots)
    kept = set(roots)
    for n in reversed(order):  # what a product looks at, also through views
        if n in kept or n.op.kind == "contraction":
            kept.update(i for i in n.inputs if n.op.kind in ("contraction", "view"))
    found = [(h, x) for h in order if h in kept and (x := rectified(h)) is not None and x not in roots]
    if not found:
        return list(roots)
    users: dict[Expr, list[Expr]] = {}
    for n in order:
        for i in dict.fromkeys(n.inputs):
            users.setdefault(i, []).append(n)
    results: dict[Expr, Expr] = {}  # mask -> the result that tells as much
    for h, x in found:
        keeps_nan = h.op is maximum or h.inputs[0].op is le
        asks = (gt, le) if keeps_nan else (gt,)
        masks = [m for m in users[x] if m.op in asks and m.inputs[0] is x and number_of(m.inputs[1]) == 0]
        if len(masks) == 1 and set(users[x]) <= {h, *masks} and set(users.get(masks[0], ())) - {h}:
            results[masks[0]] = h
    if not results:
        return list(roots)
    done: dict[Expr, Expr] = {}
    asked: dict[Expr, Expr] = {}  # mask -> the same, asked of the result
    for n in order:
        parts = tuple([done[i] if i not in results or results[i] is n else asked[i] for i in n.inputs])
        if parts == n.inputs and n not in results:
            done[n] = n
            continue
        with building(origins.get(n, frozenset()), origins):
            done[n] = rebuilt(n, parts)
            if n in results:
                h = rebuilt(results[n], tuple(done.get(i, i) for i in results[n].inputs))  # made by no user of the mask
                asked[n] = n.op(h, n.inputs[1])
    return [asked.get(r, done[r]) for r in roots]


def rectified(h: Expr) -> Expr | None:
    """x where h is max(x, 0)."""
    if h.op is where and h.inputs[0].op in (gt, le):
        (x, bound), yes, no = h.inputs[0].inputs, *h.inputs[1:]
        if h.inputs[0].op is le:  # which is not where(gt(x, 0), x, 0) where x is NaN
            yes, no = no, yes
        fits = x is yes and number_of(bound) == 0 and number_of(no) == 0
    elif h.op is maximum:
        x, no = h.inputs if number_of(h.inputs[1]) is not None else h.inputs[::-1]
        fits = number_of(no) == 0
    else:
        return None
    return x if fits and x.type == h.type else None
