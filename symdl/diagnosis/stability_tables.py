"""What a stability report holds, and how it is shown: results and nodes with their errors in ulp, worst first."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from symdl.columns import aligned

GOOD = 4.0  # ulp: no more is asked of a node
SHOWN = 20  # rows of a table that is printed whole
TOLD = 8  # nodes of which it says what could be done


@dataclass(frozen=True)
class Node:
    """One node as it is run. Errors are of its worst element, in ulp of the dtype that the user gave it.

    ulps: how far it is from its value without any rounding; median: of all elements; propagated: the part that its operands' errors make;
    created: what its own op adds. condition: |sum of df/dx x| / |f| over the inputs, the errors in ulp that a formula
    of exact arithmetic would make of inputs that are off by one. mechanisms: what of stage 3 made it; none if it is as
    written. form, why: its number form, and the first reason for it. value, exact: as computed, and as it should be.
    """

    formula: str
    ulps: float
    median: float
    propagated: float
    created: float
    condition: float
    mechanisms: tuple[str, ...]
    form: str
    why: str
    place: str
    index: tuple[int, ...]
    value: float
    exact: str
    advice: str

    @property
    def bad(self) -> bool:
        """Whether the error is more than 4 ulp."""
        return not self.ulps <= GOOD


@dataclass(frozen=True)
class Result:
    """An output, or the new value of a shared one: of machine code (value, ulps) and of the formula run as it is written
    (naive, naive_ulps), against the truth."""

    name: str
    ulps: float
    naive_ulps: float
    condition: float
    index: tuple[int, ...]
    value: float
    naive: float
    exact: str
    place: str
    elements: int
    looked_at: int

    @property
    def bad(self) -> bool:
        """Whether the error is more than 4 ulp."""
        return not self.ulps <= GOOD


@dataclass(frozen=True)
class StabilityReport:
    """What stability_report found. print() it, or take results, nodes (worst first), as_dict() or json().

    arithmetic: what the shadow was computed with. points: how many sets of inputs were tried. opaque: nodes that no
    exact formula is known of, such as scans: they were taken as they came out, and their errors are not seen.
    """

    title: str
    precision: str
    arithmetic: str
    points: int
    results: tuple[Result, ...]
    nodes: tuple[Node, ...]
    opaque: tuple[str, ...] = ()

    @property
    def worst(self) -> Node | None:
        """The node with the largest error."""
        return self.nodes[0] if self.nodes else None

    @property
    def bad(self) -> tuple[Node, ...]:
        """The nodes that are off by more than 4 ulp."""
        return tuple(n for n in self.nodes if n.bad)

    def table(self, limit: int | None = SHOWN) -> str:
        """The nodes, worst first."""
        head = ("ulp", "median", "propagated", "created", "condition", "node", "made by", "form", "line")
        rows = self.nodes[:limit]
        more = f"and {len(self.nodes) - len(rows)} nodes with smaller errors\n" if len(rows) < len(self.nodes) else ""
        return aligned([head, *map(_cells, rows)], range(5)) + more

    def results_table(self) -> str:
        """The results: as run, and as written."""
        head = ("ulp", "as written", "condition", "result", "value", "exact", "line")
        return aligned([head, *map(_result_cells, self.results)], range(3))

    def __str__(self) -> str:
        parts = [self._head(), self.results_table(), self.table()]
        makers = [n for n in self.bad if n.created > GOOD or n.created > 0.1 * n.propagated or math.isinf(n.ulps)]
        if told := [f"  {n.formula}  ({n.place})\n    {n.advice}\n" for n in (makers or self.bad)[:TOLD]]:
            parts.append("where more than 4 ulp come from\n" + "".join(told))
        return "\n".join(parts)

    def _head(self) -> str:
        looked = sum(r.looked_at for r in self.results)
        every = sum(r.elements for r in self.results)
        seen = "all" if looked == every else f"{looked} of"
        sets = f"{self.points} sets of inputs" if self.points > 1 else "one set of inputs"
        return (
            f'{self.title}, precision="{self.precision}", {sets}\n'
            f"errors of {seen} {every} elements of results, and of what they are made of; shadow in {self.arithmetic}\n"
            + (f"taken as they came out: {', '.join(self.opaque)}\n" if self.opaque else "")
        )

    def _repr_html_(self) -> str:
        def table(head: Sequence[str], rows: Iterable[Sequence[str]], bad: Iterable[bool]) -> str:
            top = "".join(f"<th>{html.escape(h)}</th>" for h in head)
            body = "".join(
                f"<tr{' style=background:#fde2e2' if b else ''}>"
                + "".join(f"<td>{html.escape(c)}</td>" for c in row)
                + "</tr>"
                for row, b in zip(rows, bad, strict=True)
            )
            return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"

        nodes = self.nodes[:SHOWN]
        results = table(
            ("ulp", "as written", "condition", "result", "value", "exact", "line"),
            map(_result_cells, self.results), [r.bad for r in self.results],
        )  # fmt: skip
        rows = table(
            ("ulp", "median", "propagated", "created", "condition", "node", "made by", "form", "line", "advice"),
            [(*_cells(n), n.advice) for n in nodes], [n.bad for n in nodes],
        )  # fmt: skip
        return f"<div><p>{html.escape(self._head()).replace(chr(10), '<br>')}</p>{results}{rows}</div>"

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, texts and lists."""
        return asdict(self)

    def json(self) -> str:
        """as_dict as text; what is not finite is a text too."""
        return json.dumps(_plain(self.as_dict()), indent=1)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _cells(n: Node) -> tuple[str, ...]:
    made = "; ".join(n.mechanisms) or "as written"
    form = f"{n.form}: {n.why}" if n.why else n.form
    return *map(ulp_text, (n.ulps, n.median, n.propagated, n.created, n.condition)), n.formula, made, form, n.place


def _result_cells(r: Result) -> tuple[str, ...]:
    at = str(list(r.index)) if r.index else ""
    return (
        *map(ulp_text, (r.ulps, r.naive_ulps, r.condition)), f"{r.name}{at}", f"{r.value:.17g}", r.exact, r.place
    )  # fmt: skip


def ulp_text(x: float) -> str:
    """A number of ulp or a condition number."""
    if math.isnan(x):
        return "?"
    return f"{x:.2f}" if x < 100 else f"{x:.2g}"
