"""What stage 3 did, for those who look: which mechanism wrote which nodes, what stood there before, who got a number form.

A Lowering without a Record does none of this. With one it reads and writes by the subclasses here, whose nodes bear the
number of a mechanism among their origins, from where every later pass hands it on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field
from functools import partial
from typing import Any

from symdl.graph.expr import VARIABLE, Expr
from symdl.graph.origins import building
from symdl.meaning.bounds import between
from symdl.meaning.cancellation import grown, near_log
from symdl.meaning.deltas import delta_of
from symdl.meaning.exactness import Known
from symdl.meaning.exclusion import Term
from symdl.meaning.factoring import as_factor
from symdl.meaning.guards import Guards
from symdl.meaning.logarithms import is_shifted_sum
from symdl.meaning.lowering import Lowering
from symdl.meaning.normal_form import Atom, Mono, Poly
from symdl.meaning.precision import Analysis, form_of
from symdl.meaning.rationals import Rational
from symdl.meaning.reading import Reading
from symdl.meaning.writing import Whole, Writing
from symdl.meaning.written_logs import entropy, log_add, log_cosh, log_sum_exp
from symdl.ops.declare import is_float
from symdl.passes.rewrite import Origins
from symdl.records import mutable, record

READ_AT = {  # op of a node in which the algebra found something -> what it is
    "add": "terms cancel", "sub": "terms cancel", "mul": "factors meet", "true_div": "factors meet",
    "reciprocal": "a quotient turned over", "pow": "a power of exponentials", "sqrt": "a root of exponentials",
    "sqr": "a power of exponentials", "exp": "an exponential of logarithms", "exp2": "an exponential of logarithms",
    "expm1": "an exponential of logarithms", "log": "a logarithm of exponentials",
    "log1p": "a logarithm of exponentials", "log2": "a logarithm of exponentials",
    "log10": "a logarithm of exponentials", "logaddexp": "a logarithm of exponentials",
    "xlogy": "a logarithm of exponentials", "where": "a branch of 0 as a mask", "sum": "a sum of exponentials or moments",
    "mean": "a sum of exponentials or moments", "erf": "a companion", "erfc": "a companion", "sin": "a companion",
    "cos": "a companion", "tan": "a companion", "arctan": "a companion", "log_slope": "the slope of a logarithm",
}  # fmt: skip
WRITTEN_WHOLE: dict[Whole, str] = {
    log_cosh: "a logarithm of exponentials, in one piece",
    entropy: "the entropy of a chance",
    log_add: "a logarithm of exponentials, in one piece",
    Writing.gap: "the distance from a maximum",
    log_sum_exp: "a logarithm of exponentials, in one piece",
}
FACTS = ((0.0, math.inf), (-math.inf, 0.0), (-1e6, 1e6), (1e-6, 1e6))  # that may free a node of its number form


@record
class Firing:
    """One region that was written anew. before, after: the node as it was meant, and as it is written; found: what the
    algebra found in it; written: the mechanisms that chose its formulas."""

    before: Expr
    after: Expr
    found: tuple[str, ...]
    written: tuple[str, ...]

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """How it was written, or, where that says nothing, what was found."""
        return self.written or self.found


@record
class Fact:
    """That the values of a variable lie between two numbers."""

    variable: Expr
    lower: float
    upper: float


@record
class Widened:
    """A node of a number form, and the first reason for it."""

    node: Expr
    form: str
    why: str


@mutable
class Record:
    """What one lowering did. first: the number from which mechanisms count, above all numbers of the user's nodes."""

    first: int
    names: dict[str, int] = field(default_factory=dict)
    found: dict[Expr, str] = field(default_factory=dict)
    firings: list[Firing] = field(default_factory=list)
    widened: list[Widened] = field(default_factory=list)
    analysis: Analysis | None = None
    told: set[Expr] = field(default_factory=set)  # the nodes of firings
    _behind: list[tuple[frozenset[int], Origins]] = field(default_factory=list)

    @contextmanager
    def writing(self, behind: frozenset[int], table: Origins) -> Iterator[None]:
        """While a region is written whose nodes come from these."""
        self._behind.append((behind, table))
        try:
            yield
        finally:
            self._behind.pop()

    def inside(self, mechanism: str) -> building:
        """What is made inside is the work of this mechanism; of none if it is empty."""
        behind, table = self._behind[-1]
        own = self.names.setdefault(mechanism, self.first + len(self.names)) if mechanism else None
        return building(behind if own is None else behind | {own}, table)

    def mechanisms(self, numbers: frozenset[int]) -> tuple[str, ...]:
        """The names of the mechanisms among the origins of a node."""
        return tuple(name for name, k in self.names.items() if k in numbers)

    def fired(self, written: Mapping[Expr, Expr], region: Sequence[Expr], ends: Sequence[Expr], table: Origins) -> None:
        """A region was written: what stands for those of its nodes that something does, its nodes, and the lowered nodes
        at which what is written ends. Told are the nodes where something was found, or else the region's result."""
        inner = [n for n in reversed(region) if n in self.found and n in written and n not in self.told]
        for before in inner or region[:1]:
            if before not in self.told:
                self.told.add(before)
                self._tell(before, written[before], [before] if inner else region, ends, table)

    def _tell(self, before: Expr, after: Expr, region: Sequence[Expr], ends: Sequence[Expr], table: Origins) -> None:
        found = dict.fromkeys(self.found[n] for n in reversed(region) if n in self.found)
        seen, stack, numbers = set(ends), [after], frozenset[int]()
        while stack:
            n = stack.pop()
            if n not in seen:
                seen.add(n)
                numbers |= table.get(n, frozenset())
                stack += n.inputs
        self.firings.append(Firing(before, after, tuple(found), self.mechanisms(numbers)))

    def forms(self, analysis: Analysis, forms: Mapping[Expr, str]) -> None:
        """Who was given a number form."""
        self.analysis = analysis
        for n, form in forms.items():
            if form != n.type.dtype:
                self.widened.append(Widened(n, form, analysis.need(n).why))


class RecordedReading(Reading):
    """Reading that notes where something was found."""

    def __init__(self, record: Record) -> None:
        super().__init__()
        self.record = record

    def _read(self, node: Expr) -> Poly:
        before = self.forms.found
        out = super()._read(node)
        below = any(i in self.dirty and i not in self.uncut for i in node.inputs)
        if node in self.dirty and (self.forms.found > before or node in self.risk or not below):
            name = node.op.name
            self.record.found[node] = READ_AT.get(name, f"the algebra of {name}")
        return out


class RecordedWriting(Writing):
    """Writing whose nodes bear the number of the mechanism that chose them."""

    def __init__(self, record: Record, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.record = record

    # what is written for its own sake, whoever asked for it
    def __call__(self, poly: Poly) -> Expr:
        with self.record.inside(""):
            return super().__call__(poly)

    def _term(self, m: Mono, c: Rational) -> Expr:
        with self.record.inside(""):
            return super()._term(m, c)

    def total(self, nodes: Sequence[Expr]) -> Expr:
        with self.record.inside(""):
            return super().total(nodes)

    def whole(self, known: Whole, poly: Poly) -> tuple[Expr | None, Poly]:
        with self.record.inside(WRITTEN_WHOLE[known]):
            return super().whole(known, poly)

    def differences(self, items: list[Term]) -> Expr:
        with self.record.inside("exp(E) - 1 as expm1(E)"):
            return super().differences(items)

    def difference(self, s: Term, t: Term) -> Expr | None:
        (m, c), (n, d) = (s, t) if t[0].expo.order <= s[0].expo.order else (t, s)
        delta = delta_of(m, c, n, d) is not None
        name = "a difference f(A) - f(B), by an identity" if delta else "A - B as B expm1(log(A/B)) near A = B"
        with self.record.inside(name):
            return super().difference(s, t)

    def exponential_difference(self, m: Mono, n: Mono, c: Rational, distance: Poly) -> Expr:
        with self.record.inside("exp(A) - exp(B), by expm1"):
            return super().exponential_difference(m, n, c, distance)

    def like_signs(self, poly: Poly) -> list[Expr]:
        with self.record.inside("exp(E) + exp(-E) as cosh"):
            return super().like_signs(poly)

    def sided(self, m: Mono, c: Rational) -> Expr | None:
        with self.record.inside("exp(E) - 1, on each side of 0"):
            return super().sided(m, c)

    def weighted(self, m: Mono, c: Rational) -> Expr:
        with self.record.inside("a weight of exactly 0"):
            return super().weighted(m, c)

    def units(self, expo: Poly, factors: dict[Atom, Rational], top: list[Expr], below: list[Expr]) -> Poly:
        with self.record.inside("sigmoid or tanh, recovered"):
            return super().units(expo, factors, top, below)

    def grown(
        self, expo: Poly, factors: dict[Atom, Rational], top: list[Expr], below: list[Expr], c: Rational
    ) -> tuple[Poly, Rational]:
        with self.record.inside("exp(E) - 1 as expm1(E)"):
            return super().grown(expo, factors, top, below, c)

    def softmaxes(self, expo: Poly, factors: dict[Atom, Rational], top: list[Expr]) -> Poly:
        with self.record.inside("softmax, recovered"):
            return super().softmaxes(expo, factors, top)

    def shifted(self, expo: Poly, factors: dict[Atom, Rational], top: list[Expr], below: list[Expr]) -> Expr | None:
        with self.record.inside("exponentials less their largest"):
            return super().shifted(expo, factors, top, below)

    def without_one(self, a: Atom) -> Expr:
        with self.record.inside("a sum without its largest term"):
            return super().without_one(a)

    def rest_of(self, total: Atom) -> Expr:
        with self.record.inside("a sum without its largest term"):
            return super().rest_of(total)

    def remainder(self, a: Atom) -> Expr:
        with self.record.inside("what a Taylor polynomial leaves"):
            return super().remainder(a)

    def _atom(self, a: Atom) -> Expr:
        with self.record.inside(self._of_atom(a)):
            return super()._atom(a)

    def _of_atom(self, a: Atom) -> str:
        """What an atom is written by."""
        match a.op:
            case "log1p":
                return "a logarithm near 1 by log1p"
            case "softplus":
                return "softplus, recovered"
            case "where":
                return "a branch of 0 as a mask"
            case "pick" | "put":
                return "labels as a gather and a mask"
            case "log":
                f = a.args[0]
                if f.atom is not None and is_shifted_sum(f.atom):
                    return "a logarithm of a sum of exponentials"
                m, c = as_factor(f) if f.terms and f.number is None else (f.forms.unit, 1)
                inner = next(iter(m.factors), None)
                if len(m.factors) == 1 and inner is not None and grown(inner) is not None:
                    return "log(1 - exp(E)) as log1mexp(E)"
                return "a logarithm near 1 by log1p" if near_log(m, c) is not None else "exponents out of a logarithm"
        return ""


class RecordedLowering(Lowering):
    """Lowering that tells a Record what it does."""

    def __init__(self, roots: Sequence[Expr], origins: Origins, record: Record) -> None:
        super().__init__(roots, origins)
        self.record, self.reading, self.writing = record, RecordedReading(record), partial(RecordedWriting, record)

    def finished(self, node: Expr) -> Expr:
        if not self.rewritten(node):
            with self.record.writing(self.origins.get(node, frozenset()), self.origins):
                out = super().finished(node)
                if (found := self.sought(node)) is not None and found[0] is not found[1]:
                    self.record.fired({node: out}, [node], [self.done[found[1]]], self.origins)
                return out
        region = self.whole_region(node)
        behind = frozenset[int]().union(*(self.origins.get(n, frozenset()) for n in [node, *region]))
        with self.record.writing(behind, self.origins):
            out = super().finished(node)
        ends = [self.done[n] for n in self.needs(node)]
        written = {n: made for n in region if (made := self._written(n)) is not None}
        self.record.fired({**written, node: out}, region, ends, self.origins)
        return out

    def _written(self, node: Expr) -> Expr | None:
        """What the writers made of a node's form, if they made it as a whole."""
        form = self.reading.polys.get(node)
        return next((w.done[form] for w in self.writers.values() if form in w.done), None)

    def compared(self, node: Expr) -> tuple[Expr, ...] | None:
        found = self.sought(node)
        below = found is not None and found[0] is not found[1]
        with self.record.inside("an extreme, sought below functions that increase" if below else ""):
            return super().compared(node)

    def guarded_by(self, write: Writing, form: Poly, guards: Guards | None) -> Expr:
        with self.record.inside("a guard that hides no NaN"):
            return super().guarded_by(write, form, guards)


def freeing(record: Record, limit: int = 40_000) -> dict[Expr, tuple[Fact, ...]]:
    """For each node of a number form, the facts about one variable of which any would leave it a plain number.

    Each fact costs an analysis of the graph: after so many nodes in all no more are tried.
    """
    analysis = record.analysis
    out: dict[Expr, tuple[Fact, ...]] = dict.fromkeys((w.node for w in record.widened), ())
    if analysis is None or not out:
        return {}
    held = {*analysis.order}  # not the bodies of loops, which were looked at alone
    dtypes = {w.node: w.node.type.dtype for w in record.widened if w.node in held}
    variables = [n for n in analysis.order if n.op is VARIABLE and is_float(n.type.dtype)]
    for v in variables[: limit // (len(FACTS) * len(analysis.order))]:
        for lower, upper in FACTS:
            known = Known(
                analysis.known.calm,
                {**analysis.known.bounds, v: between(lower, upper)},
                analysis.known.close,
                analysis.known.stored,
            )
            found = Analysis([n for n in analysis.order if n in analysis.stored], known)
            for n, dtype in dtypes.items():
                plainer = form_of(dtype, found.need(n)) == dtype
                if plainer and not any(told.variable is v for told in out[n]):
                    out[n] = (*out[n], Fact(v, lower, upper))
    return out
