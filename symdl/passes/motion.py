"""Work moved out of loops, or from one loop to another: what a body need not do in each round is done once.

For every scan, users before what they use, so that what the way back needs of the way there is known in time:

1. results, states, sequences that nobody reads are dropped;
2. what the way back would compute again, and the way there computes anyway, becomes a further output of the way there;
3. what is the same in all rounds is computed before the loop, and products of rows of sequences for all rows at once;
4. products that no state needs are taken for all rows at once after the loop. So the gradient of a weight is one product:
   the sum over steps of a[t].T @ d[t] is the product of all rows of a with all rows of d;
5. rows that are then still only added up become a sum that is carried along;
6. of states of which only the end is read no trace is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from symdl.graph.bodies import argument, dependent, result
from symdl.graph.expr import CONSTANT, RESULT, Expr, make, rebuilt
from symdl.graph.origins import building
from symdl.graph.walks import topological
from symdl.ops.contractions import CONTRACT, parse, written
from symdl.ops.declare import spread
from symdl.ops.elementwise import cast
from symdl.ops.reductions import FOLDS, SUM
from symdl.ops.scan import SCAN, layout_of, rows_of
from symdl.ops.views import SLICE, zeros_of
from symdl.passes.batching import Batching
from symdl.passes.branches import lifted
from symdl.passes.loop_parts import Loop, State, costs, in_bodies, replaced
from symdl.passes.rewrite import Origins, Pass
from symdl.records import mutable
from symdl.types import Extent, TensorType, at_most, product


def improved(roots: Sequence[Expr], origins: Origins) -> list[Expr]:
    """The roots, equal but for rounding, with the work of their loops moved; inner loops before those around them."""
    roots = in_bodies(roots, origins, lambda outputs: improved(outputs, origins))
    motion = Motion(lifted(roots, origins), origins)
    while motion.pending:
        node = motion.without_idle_work(motion.pending.pop())
        if node is not None:
            motion.split(motion.with_residuals(node))
    motion.roots = summed(motion.roots, origins)
    motion.add_up()
    motion.keep_last()
    return motion.roots


class Motion:
    """One graph. pending: the scans that are still to be looked at, the last of them first."""

    def __init__(self, roots: Sequence[Expr], origins: Origins) -> None:
        self.roots, self.origins = list(roots), origins
        self.pending = [n for n in topological(*roots) if n.op is SCAN]

    def replace(self, values: Mapping[Expr, Expr]) -> Mapping[Expr, Expr]:
        """Replace nodes everywhere; tells what became of each node."""
        walk = Pass(lambda n: n, self.origins, final=True)
        walk.done.update(values)
        self.roots = walk(self.roots)
        self.pending = [walk.done.get(n, n) for n in self.pending]
        return walk.done

    # 1. what nobody reads

    def without_idle_work(self, node: Expr) -> Expr | None:
        """The scan without states and outputs that nobody reads, None if it is not read at all; equal sequences are one."""
        origins = self.origins
        used = [n for n in topological(*self.roots) if n.op is RESULT and n.inputs[0] is node]
        if not used:
            return None
        loop = Loop.of(node, origins)
        count = len(loop.states)
        wanted = {r.params["index"] for r in used}
        alive = {k for k in wanted if k < count}
        rows = [k - count for k in sorted(wanted) if count <= k < len(node.type) - (loop.stop is not None)]
        while True:  # a state lives if one that lives, or an output, reads it
            kept = [*(loop.states[k].new for k in sorted(alive)), *(loop.made[k] for k in rows)]
            below = set(topological(*kept, *([] if loop.stop is None else [loop.stop])))
            more = {k for k, s in enumerate(loop.states) if any(leaf in below for leaf in s.leaves)} - alive
            if not more:
                break
            alive |= more
        order = sorted(alive)
        place = {k: j for j, k in enumerate(order)} | {count + k: len(order) + j for j, k in enumerate(rows)}
        loop.states = [loop.states[k] for k in order]
        loop.made = [loop.made[k] for k in rows]
        same: dict[Expr, Expr] = {}
        for given in (loop.rows, loop.others):
            first: dict[Expr, Expr] = {}
            for leaf, x in given.items():
                if first.setdefault(x, leaf) is not leaf:
                    same[leaf] = first[x]
        if same:
            loop.substituted(same, origins)
        new = loop.node(origins)
        place[len(node.type) - 1 if loop.stop is not None else -1] = len(new.type) - 1
        self.replace({r: result(new, place[r.params["index"]]) for r in used})
        return new

    # 2. what another loop computes anyway

    def with_residuals(self, node: Expr) -> Expr:
        """The scan, reading what costs much and is computed in a loop whose traces it reads."""
        tried: set[Expr] = set()
        while True:
            found = {_source(x) for x in layout_of(node).inputs(node.inputs)[0]} - tried
            sources = [n for n in topological(node) if n in found and n.params["steps"] == node.params["steps"]]
            if not sources:
                return node
            node, source = self._with_residuals(node, sources[-1])
            tried.add(source)

    def _with_residuals(self, node: Expr, source: Expr) -> tuple[Expr, Expr]:
        """Both scans, changed or not."""
        origins = self.origins
        loop, there = Loop.of(node, origins), Loop.of(source, origins)
        given = {x: leaf for leaf, x in there.rows.items()}
        count = len(there.states)
        for k, s in enumerate(there.states):
            trace = result(source, k)
            given |= {there.before(trace, s, lag): leaf for lag, leaf in zip(s.lags, s.leaves, strict=True)}
            given.setdefault(there.after(trace, s), s.new)
        given |= {result(source, count + k): o for k, o in enumerate(there.made)}
        shared = {x: leaf for leaf, x in there.others.items()}
        twins = {leaf: given[x] for leaf, x in loop.rows.items() if x in given}  # what stands in both: here -> there
        twins |= {leaf: shared[x] for leaf, x in loop.others.items() if x in shared}
        known = set(topological(*there.outputs))
        for n in topological(*loop.outputs):
            if n in twins or (n.op.kind == "leaf" and n.op is not CONSTANT) or not all(i in twins for i in n.inputs):
                continue
            with building(origins.get(n, frozenset()), origins):
                twins[n] = make(n.op, tuple(twins[i] for i in n.inputs), **n.params) if n.inputs else n
        candidates = {n for n, t in twins.items() if t in known and t.inputs and isinstance(n.type, TensorType)}
        chosen = _cut(loop, candidates)
        if not chosen:
            return node, source
        place = {o: k for k, o in enumerate(there.made)}
        for n in chosen:
            if twins[n] not in place:
                place[twins[n]] = len(there.made)
                there.made.append(twins[n])
        new = there.node(origins)
        fresh = {n: argument(n.type) for n in chosen}
        loop.rows |= {leaf: result(new, count + place[twins[n]]) for n, leaf in fresh.items()}
        loop.substituted(fresh, origins)
        mixed = loop.node(origins)  # it reads results of the old source, too
        self.replace(_same_results(node, mixed))
        done = self.replace({source: new} | _same_results(source, new))
        return done.get(mixed, mixed), new

    # 3 and 4. before and after the loop

    def split(self, node: Expr) -> None:
        """The scan without what can be done before and after it."""
        origins = self.origins
        loop = Loop.of(node, origins)
        ahead(loop, origins)
        count = len(loop.states)
        later = behind(loop, origins)
        outputs = list(loop.made)
        kept = [k for k in range(len(outputs)) if k not in later.outputs]
        loop.made = [outputs[k] for k in kept] + later.frontier
        new = loop.node(origins)
        values = {result(node, k): result(new, k) for k in range(count)}
        values |= {result(node, count + k): result(new, count + j) for j, k in enumerate(kept)}
        if loop.stop is not None:
            values[result(node, len(node.type) - 1)] = result(new, len(new.type) - 1)
        if later.outputs:
            rows = {leaf: rows_of(x, 0, loop.steps) for leaf, x in loop.rows.items()}
            for k, s in enumerate(loop.states):
                rows |= {leaf: loop.before(result(new, k), s, lag) for leaf, lag in zip(s.leaves, s.lags, strict=True)}
                rows[s.new] = loop.after(result(new, k), s)
            rows |= {o: result(new, count + j) for j, o in enumerate(loop.made)}
            made = Batching(rows, loop.others, loop.steps, origins)([outputs[k] for k in later.outputs])
            values |= {result(node, count + k): value for k, value in zip(later.outputs, made, strict=True)}
        self.replace(values)

    # 5. rows that are only added up

    def add_up(self) -> None:
        """Output rows that nothing but a sum over all of them reads become a state to which each step adds."""
        self.pending = [n for n in topological(*self.roots) if n.op is SCAN]
        while self.pending:
            node = self.pending.pop()
            users: dict[Expr, list[Expr]] = {}
            for n in topological(*self.roots):
                for i in dict.fromkeys(n.inputs):
                    users.setdefault(i, []).append(n)
            loop = Loop.of(node, self.origins)
            count = len(loop.states)
            chosen = []
            for k in range(len(loop.made) if loop.stop is None else 0):
                read = users.get(result(node, count + k), [])
                if (
                    result(node, count + k) not in self.roots
                    and read
                    and all(n.op is SUM and 0 in n.params["axes"] for n in read)
                ):
                    chosen.append(k)
            if chosen:
                self._add_up(node, loop, chosen, users)

    def _add_up(self, node: Expr, loop: Loop, chosen: Sequence[int], users: Mapping[Expr, Sequence[Expr]]) -> None:
        count, outputs = len(loop.states), list(loop.made)
        kept = [k for k in range(len(outputs)) if k not in chosen]
        for k in chosen:
            row = outputs[k]
            wide = FOLDS["sum"].accumulator(row.type.dtype)  # as sums are taken everywhere
            leaf = argument(TensorType(wide, row.type.shape))
            with building(loop.mine, self.origins):
                start = zeros_of((1, *row.type.shape), wide)
                loop.states.append(State(start, (1,), [leaf], leaf + cast(row, wide), last=True))
        loop.made = [outputs[k] for k in kept]
        new = loop.node(self.origins)
        values = {result(node, k): result(new, k) for k in range(count)}
        values |= {result(node, count + k): result(new, len(loop.states) + j) for j, k in enumerate(kept)}
        for j, k in enumerate(chosen):
            total = cast(result(new, count + j), outputs[k].type.dtype)
            for n in users[result(node, count + k)]:
                rest = tuple(a - 1 for a in n.params["axes"] if a != 0)
                values[n] = make(SUM, (total,), axes=rest) if rest else total
        self.replace(values)

    # 6. traces of which only the end is read

    def keep_last(self) -> None:
        """No trace for states of which nothing but the last row is read."""
        order = topological(*self.roots)
        users: dict[Expr, list[Expr]] = {}
        for n in order:
            for i in dict.fromkeys(n.inputs):
                users.setdefault(i, []).append(n)
        ends: dict[Expr, tuple[bool, ...]] = {}  # scan -> of which states the last row is all that is read
        alone: set[Expr] = set()  # their results
        for node in [n for n in order if n.op is SCAN]:
            p, found = node.params, []
            for k, lags in enumerate(p["taps"]):
                trace, at = result(node, k), 0 if p["reverse"] else p["steps"] + max(lags) - 1
                read = users.get(trace, [])
                found.append(p["last"][k] or (trace not in self.roots and all(is_row(n, at) for n in read)))
                if found[k] and not p["last"][k]:
                    alone.add(trace)
            ends[node] = tuple(found)
        if not alone:
            return
        done: dict[Expr, Expr] = {}
        for n in order:
            inputs = tuple(done[i] for i in n.inputs)
            mine = self.origins.get(n, frozenset())
            with building(mine, self.origins):
                if n in ends:
                    new = make(SCAN, inputs, **{**n.params, "last": ends[n]})
                elif n.op is SLICE and n.inputs[0] in alone:
                    (row,) = inputs
                    row = spread(row, (1, *row.type.shape), tuple(range(1, 1 + row.type.ndim)))
                    lead = {"starts": (0, *n.params["starts"][1:]), "single": ()}
                    new = make(SLICE, (row,), **{**n.params, **lead})
                else:
                    new = rebuilt(n, inputs)
            if new is not n and new.op.kind != "leaf":
                self.origins[new] = self.origins.get(new, frozenset()) | mine
            done[n] = new
        self.roots = [done[r] for r in self.roots]


def is_row(n: Expr, at: Extent) -> bool:
    """Whether a node is one row of what it looks at."""
    return n.op is SLICE and n.params["starts"][0] == at and n.params["lengths"][0] == 1


def _same_results(old: Expr, new: Expr) -> dict[Expr, Expr]:
    """The results of one scan as those of another that may have more rows."""
    stops = old.params["stops"]
    values = {result(old, k): result(new, k) for k in range(len(old.type) - stops)}
    return values | ({result(old, len(old.type) - 1): result(new, len(new.type) - 1)} if stops else {})


def _source(x: Expr) -> Expr | None:
    """The scan whose rows a sequence is."""
    if x.op is SLICE:
        (x,) = x.inputs
    return x.inputs[0] if x.op is RESULT and x.inputs[0].op is SCAN else None


def _cut(loop: Loop, candidates: set[Expr]) -> list[Expr]:
    """Which candidates to read instead of computing them: those that cost, and instead of several of these a light one
    above them that is no larger."""
    below: dict[Expr, dict[Expr, None]] = {}  # candidate -> what would be read for it
    for n in topological(*loop.outputs):
        if n not in candidates:
            continue
        if costs(n):
            below[n] = {n: None}
            continue
        needed: dict[Expr, None] = {}
        for i in n.inputs:
            needed.update(below.get(i, {}))
        products = any(m.op.kind == "contraction" for m in needed)
        fits = at_most(product(n.type.shape), sum((product(m.type.shape) for m in needed), 0))
        below[n] = {n: None} if products and n.op.kind == "elementwise" and fits else needed
    chosen: dict[Expr, None] = {}
    stack, seen = list(loop.outputs), set(loop.outputs)
    while stack:
        n = stack.pop()
        if n in candidates:
            chosen.update(below[n])
            continue
        stack += [i for i in n.inputs if i not in seen]
        seen.update(n.inputs)
    return [n for n in topological(*loop.outputs) if n in chosen]


def ahead(loop: Loop, origins: Origins) -> None:
    """What is the same in all rounds, and products that need no state, become others and rows."""
    varying = dependent(loop.outputs, [*loop.rows, *loop.state_leaves])
    by_state = dependent(loop.outputs, loop.state_leaves)
    order = topological(*loop.outputs)
    fixed = {n for n in order if n not in varying and n.inputs and n.op.kind != "position"}
    needs = dependent(loop.outputs, loop.others)  # made of what the loop is given, not of constants alone
    edge = {i: None for n in order if n not in fixed for i in n.inputs if i in fixed and i in needs}
    edge |= {o: None for o in loop.outputs if o in fixed and o in needs}
    hoisted = [n for n in edge if isinstance(n.type, TensorType)]
    if hoisted:
        leaves = [argument(n.type) for n in hoisted]
        values = replaced(hoisted, loop.others, origins)
        loop.others |= dict(zip(leaves, values, strict=True))
        loop.substituted(dict(zip(hoisted, leaves, strict=True)), origins)
        varying = dependent(loop.outputs, [*loop.rows, *loop.state_leaves])
        by_state = dependent(loop.outputs, loop.state_leaves)
    rows = {leaf: rows_of(x, 0, loop.steps) for leaf, x in loop.rows.items()}
    batch = Batching(rows, loop.others, loop.steps, origins)
    early = [
        n
        for n in topological(*loop.outputs)
        if n.op.kind == "contraction" and n in varying and n not in by_state and batch.can([n])
    ]
    if early:
        leaves = [argument(n.type) for n in early]
        loop.rows |= dict(zip(leaves, batch(early), strict=True))
        loop.substituted(dict(zip(early, leaves, strict=True)), origins)


@mutable
class Later:
    """outputs: numbers of rows that are made after the loop. frontier: what the loop must give for them besides."""

    outputs: list[int]
    frontier: list[Expr]


def behind(loop: Loop, origins: Origins) -> Later:
    """Which outputs can be made for all rows after the loop."""
    if loop.stop is not None:
        return Later([], [])
    core = set(topological(*(s.new for s in loop.states)))
    order = [n for n in topological(*loop.made) if n not in core]
    varying = dependent(loop.made, [*loop.rows, *loop.state_leaves])
    at_hand = {*loop.rows, *loop.others, *loop.state_leaves, *(s.new for s in loop.states)}
    out: set[Expr] = {n for n in order if n.op.kind == "contraction" and n in varying}
    if not out:
        return Later([], [])
    frontier: dict[Expr, None] = {}

    def needed(roots: Iterable[Expr]) -> None:
        """Enter what must be read to make these."""
        stack = list(roots)
        while stack:
            n = stack.pop()
            if n in at_hand or n in out or n in frontier or n not in varying:
                stack += n.inputs if n in out else ()
            elif n.op.kind in ("view", "reshape"):
                stack += n.inputs
            else:
                frontier[n] = None

    needed(i for n in order if n in out for i in n.inputs)
    for n in order:  # what is made of such products, and sums of what is at hand then
        if n not in out and any(i in out for i in n.inputs):
            out.add(n)
            needed(n.inputs)
        elif n.op is SUM and n in varying and all(i in frontier or i in at_hand for i in n.inputs):
            out.add(n)
    outputs = [k for k, o in enumerate(loop.made) if o in out]
    rows = [n for n in (*at_hand, *frontier) if n not in loop.others]
    own = {n: spread(n, (loop.steps, *n.type.shape), tuple(range(1, 1 + n.type.ndim))) for n in rows}
    batch = Batching(own, loop.others, loop.steps, origins)
    if not outputs or not batch.can([loop.made[k] for k in outputs]):
        return Later([], [])
    staying = [o for k, o in enumerate(loop.made) if k not in outputs]
    if any(n in out for n in topological(*staying)):
        return Later([], [])
    return Later(outputs, [n for n in frontier if n not in staying])


# ---- sums over steps of products: one product ----


def summed(roots: Sequence[Expr], origins: Origins) -> list[Expr]:
    """The roots with sums over all rows taken into the products that were made for all rows."""

    def change(n: Expr) -> Expr:
        if n.op is not SUM or 0 not in n.params["axes"]:
            return n
        inner = _summed(n.inputs[0])
        if inner is None:
            return n
        rest = tuple(k - 1 for k in n.params["axes"] if k != 0)
        return make(SUM, (inner,), axes=rest) if rest else inner

    return Pass(change, origins, final=True)(roots)


def _summed(x: Expr) -> Expr | None:
    """The sum of x over its first axis, if that ends in products of rows; formulas are small here, a few levels."""
    if x.op is CONTRACT:
        operands, out = parse(x.params["notation"])
        if not all(out[0] in o for o in operands):
            return None
        return make(CONTRACT, x.inputs, notation=written(operands, out[1:]))
    if x.op.name in ("add", "sub") and all(i.type.shape == x.type.shape for i in x.inputs):
        parts = [_summed(i) for i in x.inputs]
        if all(p is None for p in parts):
            return None
        sums = [p if p is not None else make(SUM, (i,), axes=(0,)) for p, i in zip(parts, x.inputs, strict=True)]
        return make(x.op, tuple(sums))
    if x.op.name == "spread" and x.params["axes"][:1] == (0,) and x.inputs[0].type.shape[0] == x.type.shape[0]:
        inner = _summed(x.inputs[0])
        return None if inner is None else spread(inner, x.type.shape[1:], tuple(k - 1 for k in x.params["axes"][1:]))
    return None
