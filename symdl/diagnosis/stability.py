"""What rounding does to a graph: each node beside its exact shadow, in ulp, and whether a better formula could help.

print(f.stability_report(x, y))
print(symdl.stability_report(sqrt(x + 1) - sqrt(x), {x: (0, 1e20)}))
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from symdl.config import config
from symdl.diagnosis.demand import MOVING, Places
from symdl.diagnosis.double_double import DoubleDouble
from symdl.diagnosis.exact_numbers import ExactNumbers
from symdl.diagnosis.reasons import as_user_wrote, formula_text, mechanisms_of, recorded
from symdl.diagnosis.sampling import samples
from symdl.diagnosis.shadow import Arithmetic, Shadow, is_real, plain_dtype, shadow, work
from symdl.diagnosis.stability_tables import GOOD, Node, Result, StabilityReport
from symdl.errors import InputError, kind_of
from symdl.graph.expr import Expr, before_casts, place_of
from symdl.graph.walks import topological
from symdl.meaning import Record
from symdl.meaning.record import Widened
from symdl.notation.formulas import pprint
from symdl.number_forms import WIDE
from symdl.passes.evaluate import bind, evaluate
from symdl.passes.rewrite import expanded
from symdl.pipeline.compilation import Graph, Rewritten
from symdl.runtime.runs import Run
from symdl.runtime.segments import Segment, segmented
from symdl.runtime.signature import graph_of_expressions, outputs_of
from symdl.runtime.storage import SharedVariable

Array = np.ndarray[Any, Any]
FEW = 16  # elements of a result that are looked at where all are too many
EXACTLY = 40_000  # elements that mpmath takes on
AT_ONCE = 60_000_000  # elements that double-double takes on
WRITTEN_BITS = 4000  # of the formula as written, which loses digits on its way


# ---- what a user calls ----


def stability_report(
    outputs: Any, where: Any, *, precision: str | None = None, points: int = 32, title: str = "stability_report"
) -> StabilityReport:
    """How right expressions are where their variables lie: node by node, beside exact arithmetic.

    outputs: an expression, a list or a dictionary of them; gradients too. where: {variable: (low, high)} for ranges, or
    {variable: array} for values, or these in the order in which the variables occur. From ranges so many points are
    taken (points): the edges, then log-spaced; those of arrays of unknown size fill them. precision: config.precision
    unless given. Shared values are those of now; nothing is updated.

        >>> x = T.dscalar("x")
        >>> print(symdl.stability_report(T.sqrt(x + 1) - T.sqrt(x), {x: (0, 1e20)}))

    The errors of inner nodes are of NumPy's arithmetic on the graph that is compiled, those of results of the machine
    code itself. Raises InputError where `where` does not fit the variables.
    """
    try:
        kind, chosen = outputs_of(outputs)
    except InputError:
        raise InputError(f"stability_report: takes expressions, not {kind_of(outputs)}") from None
    precision = precision or config.precision
    if precision not in ("plain", "right"):
        raise InputError(f"stability_report: precision cannot be {precision!r}", (), "choices: plain, right")
    if not isinstance(points, int) or points < 1:
        raise InputError(f"stability_report: {points!r} points cannot be taken", (), "points must be at least 1.")
    if not chosen:
        raise InputError(f"stability_report: takes expressions, not {kind_of(outputs)}")
    graph = graph_of_expressions(chosen, precision)
    if isinstance(kind, tuple):
        names = [str(k) for k in kind]
    else:
        names = [pprint(e, 30) for e in chosen]
    rounds = samples(where, graph.inputs, points)
    shareds = [s.get_value() for s in graph.shareds if isinstance(s, SharedVariable)]
    parts, graph = segmented(graph)
    for segment in [Segment(part, "native") for part in parts]:  # sizes that depend on data
        rounds = [[*arrays, *segment(arrays, shareds)] for arrays in rounds]
    return reported(title, graph, names, rounds, shareds, Run(graph, "native"))


def reported(
    title: str,
    graph: Graph,
    names: Sequence[str],
    rounds: Sequence[Sequence[Array]],
    shareds: Sequence[Array],
    run: Any,
) -> StabilityReport:
    """The report of a graph, whose results have these names, at some sets of inputs. run(inputs, shared values) gives
    the results as machine code computes them."""
    form, record = recorded(graph)
    watched = _Watched(graph, form, record, list(names))
    for arrays in rounds:
        watched.look(list(arrays), list(shareds), run(list(arrays), list(shareds)))
    return watched.report(title, len(rounds))


# ---- one set of inputs after the other ----


@dataclass
class _Watched:
    """A graph under observation: the worst of each node and result so far."""

    graph: Graph
    form: Rewritten
    record: Record
    names: list[str]
    nodes: dict[Expr, Node] = field(default_factory=dict)
    results: dict[int, Result] = field(default_factory=dict)
    arithmetics: dict[str, None] = field(default_factory=dict)
    opaque: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.source = self.form.source
        self.mechanisms = mechanisms_of(self.form, self.record)
        self.reasons = {(w.node.op, w.form, self.form.origins.get(w.node)): w.why for w in self.record.widened}
        self.why: dict[str, str] = {w.form: w.why for w in reversed(self.record.widened)}
        plain = self.graph.precision == "plain"
        self.widened: list[tuple[Widened, frozenset[int]]] = []
        if plain:
            other, told = recorded(replace(self.graph, precision="right"))
            self.widened = [(w, other.origins.get(w.node, frozenset())) for w in reversed(told.widened)]

    def look(self, arrays: list[Array], shareds: list[Array], found: Sequence[Array]) -> None:
        """One set of inputs, and the results that machine code made of them."""
        user = dict(zip([*self.graph.inputs, *self.graph.shareds], [*arrays, *shareds], strict=True))
        values = dict(zip(self.form.places, user.values(), strict=True))
        sizes = bind(values)
        naive = [np.asarray(x) for x in evaluate(self.graph.roots, user)]
        with np.errstate(all="ignore"):
            self._look(user, values, sizes, found, naive)

    def _look(
        self, user: Mapping[Expr, Any], values: Mapping[Expr, Any], sizes: Mapping[Any, int], found: Sequence[Array],
        naive: Sequence[Array],
    ) -> None:  # fmt: skip
        arithmetic, wanted = self._chosen(found, naive, sizes)
        self.arithmetics[arithmetic.name] = None
        shadowed = shadow(wanted, values, sizes, arithmetic, _moves(values, arithmetic))
        truth = self._written(user, wanted, arithmetic)
        for n in shadowed.opaque:
            place = place_of(self.source.get(n, n))
            self.opaque[f"{n.op} ({place})" if place else str(n.op)] = None
        order = topological(*wanted)
        rests = _rests(order)
        for n in order:
            if n.inputs and is_real(n) and n.op.kind not in MOVING and n in shadowed.exact and n not in rests:
                self._node(n, shadowed)
        for k, root in enumerate(self.form.roots):
            if is_real(root):
                self._result(k, root, np.asarray(found[k]), naive[k], shadowed, truth)

    def _chosen(
        self, found: Sequence[Array], naive: Sequence[Array], sizes: Mapping[Any, int]
    ) -> tuple[Arithmetic, dict[Expr, Places]]:
        """The arithmetic of the shadow, and the elements of the roots to look at: as many as time allows."""
        roots = [r for r in self.form.roots if is_real(r)]
        some: dict[Expr, Places] = {
            r: _few(np.asarray(found[k]), naive[k]) for k, r in enumerate(self.form.roots) if is_real(r)
        }
        ways: list[tuple[Callable[[], Arithmetic], dict[Expr, Places], float]] = [
            (ExactNumbers, dict.fromkeys(roots), EXACTLY), (ExactNumbers, some, EXACTLY),
            (DoubleDouble, dict.fromkeys(roots), AT_ONCE),
        ]  # fmt: skip
        for make, wanted, most in ways:
            if work(wanted, sizes) <= most:
                return make(), wanted
        return DoubleDouble(), some

    def _written(self, user: Mapping[Expr, Any], wanted: Mapping[Expr, Any], arithmetic: Arithmetic) -> Shadow | None:
        """The formulas as written, with digits enough for what cancels in them: the truth, if that is not too much."""
        roots = expanded([self.graph.roots[self.form.roots.index(r)] for r in wanted])
        places = dict(zip(roots, wanted.values(), strict=True))
        sizes = bind(user, self.graph.roots)
        if not isinstance(arithmetic, ExactNumbers) or work(places, sizes) > EXACTLY:
            return None
        found = shadow(places, user, sizes, ExactNumbers(WRITTEN_BITS), created=False, decides=True)
        return None if found.opaque else found

    def _node(self, n: Expr, shadowed: Shadow) -> None:
        used = shadowed.used[n].reshape(-1)
        if not used.any():
            return
        total = np.where(used, shadowed.total(n).reshape(-1), np.nan)
        at = _worst(total)
        before = self.nodes.get(n)
        if before is not None and not _above(total[at], before.ulps):
            return
        middle = float(np.nanmedian(total)) if not np.isnan(total).all() else math.nan
        dtype = n.type.dtype
        condition = float(shadowed.condition(n).reshape(-1)[at])
        exact = tuple(limb.reshape(-1) for limb in shadowed.exact[n])
        source = self.source.get(n, n)
        node = Node(
            formula=formula_text(as_user_wrote(n, self.source), 50),
            ulps=float(total[at]),
            median=middle,
            propagated=float(shadowed.propagated(n).reshape(-1)[at]),
            created=float(shadowed.created(n).reshape(-1)[at]),
            condition=condition,
            mechanisms=self.mechanisms.get(n, ()),
            form=dtype,
            why=self._why(n) if dtype in WIDE else "",
            place=place_of(source),
            index=shadowed.index(n, at),
            value=float(np.asarray(shadowed.run[n]).reshape(-1)[at]),
            exact=shadowed.arithmetic.text(exact, at),
            advice="",
        )
        self.nodes[n] = replace(node, advice=self._advice(n, node))

    def _why(self, n: Expr) -> str:
        """The first reason for a node's number form."""
        exact = self.reasons.get((n.op, n.type.dtype, self.form.origins.get(n)))
        return exact or self.why.get(n.type.dtype, "beside what needs it")

    def _advice(self, n: Expr, node: Node) -> str:
        """What could be done about an error."""
        if not node.bad:
            return ""
        said = []
        plain = self.graph.precision == "plain"
        if not math.isfinite(node.value) and node.exact.strip("+-") not in ("inf", "nan"):
            said.append(f"Its value, {node.exact}, is lost: what it is made of leaves the range of {plain_dtype(n)}.")
        elif node.ulps <= 10 * node.condition + GOOD:
            said.append(
                f"No formula can help where the inputs are rounded: known to half an ulp, they leave {node.condition / 2:.2g} "
                f"ulp open (condition number {node.condition:.2g})."
            )
        else:
            said.append(
                f"The condition number is only {node.condition:.2g}: the digits are lost on the way, not in the inputs."
            )
        wider = self._wider(n) if plain else None
        if wider is not None:
            exactly = "If the inputs are exact, " if said[0].startswith("No formula") else ""
            said.append(f'{exactly}precision="right" carries what this is made of in {wider.form}: {wider.why}.')
        elif n.op.kind == "contraction":
            said.append("Products of matrices are summed in the dtype of their operands.")
        elif not plain and n.op.kind == "reduction":
            said.append("Sums over all elements count as exact, as do values that are stored.")
        return " ".join(said)

    def _wider(self, n: Expr) -> Widened | None:
        """What precision="right" would do to a node or its operands."""
        near = [n, *(j for i in n.inputs for j in (i, *i.inputs))]
        mine = {k for i in near for k in self.form.origins.get(i, ()) if k < len(self.form.nodes)}
        return next((w for w, numbers in self.widened if not mine.isdisjoint(numbers)), None)

    def _result(self, k: int, root: Expr, found: Array, naive: Array, shadowed: Shadow, truth: Shadow | None) -> None:
        places = shadowed.places[root]
        written = self.graph.roots[k]
        use, key = shadowed, root
        if truth is not None:
            (key,) = expanded([written])
            use = truth
        mine, other = (x.reshape(-1) if places is None else x.reshape(-1)[places] for x in (found, naive))
        if not mine.size:
            return
        arithmetic, dtype = use.arithmetic, plain_dtype(written)
        exact = tuple(limb.reshape(-1) for limb in use.exact[key])
        ulps = arithmetic.distance(exact, arithmetic.lift(mine), dtype)
        at = _worst(ulps)
        naive_ulps = arithmetic.distance(exact, arithmetic.lift(other), dtype)
        worst_naive = float(naive_ulps[_worst(naive_ulps)])
        before = self.results.get(k)
        result = Result(
            name=self.names[k],
            ulps=float(ulps[at]),
            naive_ulps=worst_naive,
            condition=float(shadowed.condition(root).reshape(-1)[at]),
            index=shadowed.index(root, at),
            value=float(mine[at]),
            naive=float(other[at]),
            exact=arithmetic.text(exact, at),
            place=place_of(written),
            elements=found.size,
            looked_at=mine.size,
        )
        if before is not None:
            worse = worst_naive if _above(worst_naive, before.naive_ulps) else before.naive_ulps
            kept = result if _above(result.ulps, before.ulps) else before
            result = replace(
                kept, naive_ulps=worse, elements=before.elements + found.size, looked_at=before.looked_at + mine.size
            )
        self.results[k] = result

    def report(self, title: str, points: int) -> StabilityReport:
        """All that was seen."""
        order = {n: k for k, n in enumerate(self.nodes)}
        nodes = sorted(self.nodes, key=lambda n: (-_size(self.nodes[n].ulps), order[n]))
        results = tuple(self.results[k] for k in sorted(self.results))
        arithmetic = " and ".join(self.arithmetics) or "nothing: no result is a float"
        return StabilityReport(
            title, self.graph.precision, arithmetic, points, results, tuple(self.nodes[n] for n in nodes),
            tuple(sorted(self.opaque)),
        )  # fmt: skip


def _rests(order: Sequence[Expr]) -> set[Expr]:
    """What roundings leave, x - round(x), and multiples of it: 0 over the reals, so that it has no error in ulps."""
    found: set[Expr] = set()
    for n in order:
        if n.op.name == "sub" and n.inputs[0] is not n.inputs[1]:
            if before_casts(n.inputs[0]) is before_casts(n.inputs[1]):
                found.add(n)
        elif n.op.name in ("cast", "neg", "mul") and any(i in found for i in n.inputs):
            found.add(n)
    return found


def _size(ulps: float) -> float:
    return -1.0 if math.isnan(ulps) else ulps


def _above(a: float, b: float) -> bool:
    return _size(float(a)) > _size(b)


def _worst(ulps: Array) -> int:
    """The largest; what is not known does not count."""
    return int(np.argmax(np.where(np.isnan(ulps), -1.0, ulps)))


def _few(found: Array, naive: Array) -> Array:
    """Elements worth looking at: those that are no numbers, those where the formula as written says something else, the
    largest and the smallest, and some in between."""
    flat, other = found.reshape(-1), naive.reshape(-1)
    if flat.size <= FEW:
        return np.arange(flat.size)
    with np.errstate(all="ignore"):
        gap = np.abs(flat - other) / np.abs(flat)
    odd = np.flatnonzero(~np.isfinite(flat))[: FEW // 4]
    far = np.argsort(np.where(np.isfinite(gap), -gap, 0.0))[: FEW // 4]
    ends = [
        int(np.argmax(np.where(np.isnan(flat), 0, np.abs(flat)))),
        int(np.argmin(np.where(np.isnan(flat), np.inf, np.abs(flat)))),
    ]
    between = np.linspace(0, flat.size - 1, FEW // 2).astype(int)
    return np.unique(np.concatenate([odd, far, np.array(ends), between]))


def _moves(values: Mapping[Expr, Any], arithmetic: Arithmetic) -> list[dict[Expr, Array]]:
    """How the inputs are moved for condition numbers: each by itself if they are few, arrays by random signs."""
    rng = np.random.default_rng(0)
    real = [v for v in values if is_real(v)]
    signs = {v: rng.choice([-1.0, 1.0], size=np.shape(values[v])) if np.ndim(values[v]) else np.ones(()) for v in real}
    if len(real) <= 4 and isinstance(arithmetic, ExactNumbers):
        return [{v: signs[v]} for v in real]
    return [signs] if real else []
