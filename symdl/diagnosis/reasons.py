"""Why a graph is run as it is: which mechanisms rewrote what, and which nodes are computed in which number form, and why.

symdl.debugprint(f, why=True)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from symdl.columns import aligned
from symdl.graph.expr import Expr, place_of, short
from symdl.graph.walks import topological
from symdl.meaning import Record
from symdl.meaning.record import Fact, freeing
from symdl.notation.formulas import pprint
from symdl.pipeline.compilation import Graph, Rewritten, rewritten

WIDTH = 100  # of a formula
PART = 60  # of a part of one, beyond which it is "..."


@dataclass(frozen=True)
class Rewriting:
    """A part of the graph that was written anew. mechanisms: what chose its formulas, or what was found in it. place:
    the user's line. before, after: the formula as it was meant and as it is run."""

    mechanisms: tuple[str, ...]
    place: str
    before: str
    after: str


@dataclass(frozen=True)
class NumberForm:
    """A node that is computed in a number form. why: the first reason. frees: facts of which any would make it plain."""

    node: str
    form: str
    why: str
    place: str
    frees: tuple[str, ...]


@dataclass(frozen=True)
class Reasons:
    """What stage 3 did to a graph. str() is the table that debugprint(why=True) prints."""

    rewritings: tuple[Rewriting, ...]
    forms: tuple[NumberForm, ...]
    precision: str

    def __str__(self) -> str:
        parts = ["rewritten\n" + (_rewritings(self.rewritings) or "  nothing: every formula is run as written\n")]
        if self.forms:
            head = ("node", "number form", "why", "line", "freed by")
            rows = [(f.node, f.form, f.why, f.place, " or ".join(f.frees) or "-") for f in self.forms]
            parts.append("number forms\n" + "".join(f"  {line}\n" for line in aligned([head, *rows]).splitlines()))
        elif self.precision == "right":
            parts.append("number forms\n  none: plain numbers are enough everywhere\n")
        else:
            parts.append('number forms\n  none, as always with precision="plain"\n')
        return "\n".join(parts)


def recorded(graph: Graph) -> tuple[Rewritten, Record]:
    """A graph as it is run, and the record of how that came about. Nothing is compiled."""
    record = Record(sum(1 for _ in topological(*graph.roots)))
    return rewritten(graph, record=record), record


def reasons(graph: Graph) -> Reasons:
    """What stage 3 does to a function's graph, and why."""
    form, record = recorded(graph)
    rewritings = [
        Rewriting(f.mechanisms, _place(f.before, form), formula_text(_user(f.before, form)), formula_text(f.after))
        for f in record.firings
    ]
    facts = freeing(record)
    forms = [
        NumberForm(formula_text(w.node, 40), w.form, w.why, _place(w.node, form), tuple(map(fact_text, facts[w.node])))
        for w in record.widened
    ]
    return Reasons(tuple(rewritings), tuple(forms), graph.precision)


def fact_text(fact: Fact) -> str:
    """A fact as a user states it."""
    bounds = [f"{name}={v:g}" for name, v in (("lower", fact.lower), ("upper", fact.upper)) if math.isfinite(v)]
    return f"symdl.assume({short(fact.variable)}, {', '.join(bounds)})"


def _user(node: Expr, form: Rewritten) -> Expr:
    """The user's node that a node comes from."""
    own = form.user(node)
    return node if own is None else own


def _place(node: Expr, form: Rewritten) -> str:
    return place_of(_user(node, form))


def as_user_wrote(node: Expr, source: Mapping[Expr, Expr]) -> Expr:
    """The user's own node if it is the same op, whose formula has no internal names of sizes; else the node itself."""
    own = source.get(node, node)
    return own if own.op is node.op and len(own.inputs) == len(node.inputs) else node


def formula_text(node: Expr, width: int = WIDTH) -> str:
    """A node as a formula of about so many letters, its longest parts left out."""
    for part in (PART, 45, 30, 22, 15, 8):
        text = pprint(node, part)
        if len(text) <= width:
            break
    return text


def _rewritings(rewritings: Sequence[Rewriting]) -> str:
    """Each in three lines, what is the same several times once."""
    count: dict[Rewriting, int] = {}
    for r in rewritings:
        count[r] = count.get(r, 0) + 1
    return "".join(_shown(r, n) for r, n in count.items())


def _shown(r: Rewriting, count: int) -> str:
    place = f"{r.place}: " if r.place else ""
    times = f" ({count} times)" if count > 1 else ""
    return f"  {place}{'; '.join(r.mechanisms) or 'algebra'}{times}\n       {r.before}\n    -> {r.after}\n"


def mechanisms_of(form: Rewritten, record: Record) -> Mapping[Expr, tuple[str, ...]]:
    """The mechanisms that made each node as it is run; none for a node that is as the user wrote it."""
    written = set(topological(*form.written))
    return {
        n: () if n in written else record.mechanisms(form.origins.get(n, frozenset())) or ("simplified",)
        for n in topological(*form.roots)
    }
