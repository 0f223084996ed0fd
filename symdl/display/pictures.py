"""A graph as DOT text, or as an SVG or HTML picture that needs no other program: hovering shows type, formula and line.

symdl.picture(f, "graph.html")            # as written, as run, and the steps
symdl.picture(loss, "loss.svg")
print(symdl.dot(f, form="run"))           # for Graphviz
"""

from __future__ import annotations

import html
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from symdl.display.layout import HEIGHT, layered
from symdl.display.printing import root_labels
from symdl.errors import InputError, kind_of
from symdl.functions import Function
from symdl.graph.expr import CONSTANT, SHOWN, VARIABLE, Expr, number_of, place_of, short
from symdl.ir.program import CONVOLUTIONS, Step, accesses, inner
from symdl.profiling.titles import lines, title
from symdl.runtime.storage import SharedVariable

Form = Literal["written", "run", "steps"]
FORMS: dict[Form, str] = {"written": "as written", "run": "as run", "steps": "steps"}
MOST = 400  # nodes of a picture; of larger graphs the nodes nearest to the results
LETTER = 6.6  # width of a letter, in pixels
MARGIN = 10.0
COLORS = {
    "input": "#d6e9ff", "shared": "#d9f2d9", "constant": "#eeeeee", "result": "#ffe2c6", "elementwise": "#ffffff",
    "composite": "#ffffff", "reduction": "#fdf0b8", "accumulation": "#fdf0b8", "contraction": "#f6d5e5",
    "kernel": "#ffffff", "matmul": "#f6d5e5", **dict.fromkeys(CONVOLUTIONS, "#f6d5e5"), "copy": "#eeeeee", "loop": "#e6dcf5", "if": "#e6dcf5",
}  # fmt: skip
VIEW_COLOR = "#f3f3f3"
STYLE = (
    ".symdl text{font:11px ui-monospace,monospace;fill:#222}.symdl rect{stroke:#777}"
    ".symdl .result rect{stroke:#b35900;stroke-width:2}.symdl path{fill:none;stroke:#999}"
    ".symdl g:hover rect{stroke:#06c;stroke-width:2}.symdl g:hover path,.symdl path:hover{stroke:#06c;stroke-width:2}"
)


@dataclass
class Box:
    """One node of a picture. details: what hovering shows."""

    label: str
    kind: str
    details: str
    results: list[str] = field(default_factory=list)  # what it is the value of


@dataclass
class Chart:
    """Boxes and edges (from, to, label), each box after those that it is computed from."""

    name: str
    boxes: list[Box]
    edges: list[tuple[int, int, str]]
    left_out: int = 0

    def dot(self) -> str:
        """DOT text."""
        out = ["digraph {", '  node [shape=box, style="rounded,filled", fontname="monospace", fontsize=10]']
        if self.left_out:
            out.append(f"  label={_quoted(self.note())}")
        for k, box in enumerate(self.boxes):
            color = COLORS.get(box.kind, VIEW_COLOR)
            label = _quoted("\n".join([box.label, *box.results]))
            out.append(f'  n{k} [label={label}, fillcolor="{color}", tooltip={_quoted(box.details)}]')
        for a, b, text in self.edges:
            out.append(f"  n{a} -> n{b}" + (f" [label={_quoted(text)}]" if text else ""))
        return "\n".join([*out, "}", ""])

    def note(self) -> str:
        """What is left out."""
        return f"{self.left_out} nodes farther from the results are left out: limit={len(self.boxes)}"

    def svg(self) -> str:
        """An SVG element."""
        labels = [" ".join([b.label, *(f"→ {r}" for r in b.results)]) for b in self.boxes]
        widths = [LETTER * len(text) + 14 for text in labels]
        layout = layered(widths, [(a, b) for a, b, _ in self.edges])
        top = MARGIN + (16 if self.left_out else 0)
        width, height = layout.width + 2 * MARGIN, layout.height + top + MARGIN
        out = [
            f'<svg class="symdl" xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}"><style>{STYLE}</style>',
            '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
            '<path d="M0 0L8 4L0 8z" style="fill:#999;stroke:none"/></marker></defs>',
        ]
        if self.left_out:
            out.append(f'<text x="{MARGIN}" y="14">{html.escape(self.note())}</text>')
        out.append(f'<g transform="translate({MARGIN} {top})">')
        for (_, _, text), route in zip(self.edges, layout.routes, strict=True):
            about = f"<title>{html.escape(text)}</title>" if text else ""
            out.append(f'<path d="{curve(route)}" marker-end="url(#arrow)">{about}</path>')
        for box, text, wide, (x, y) in zip(self.boxes, labels, widths, layout.places, strict=True):
            mark = ' class="result"' if box.results else ""
            out.append(
                f'<g{mark}><title>{html.escape(box.details)}</title><rect x="{x - wide / 2:.1f}" y="{y - HEIGHT / 2:.1f}" '
                f'width="{wide:.1f}" height="{HEIGHT:.0f}" rx="5" fill="{COLORS.get(box.kind, VIEW_COLOR)}"/>'
                f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle">{html.escape(text)}</text></g>'
            )
        return "\n".join([*out, "</g></svg>", ""])


@dataclass(frozen=True)
class Picture:
    """One or several charts; Jupyter shows it."""

    charts: tuple[Chart, ...]

    def svg(self) -> str:
        """The first chart as SVG."""
        return self.charts[0].svg()

    def html(self) -> str:
        """A page with all charts, which needs no other file."""
        body = "".join(f"<h3>{html.escape(c.name)}</h3><div style='overflow:auto'>{c.svg()}</div>" for c in self.charts)
        return (
            f"<!DOCTYPE html><html><head><meta charset='utf-8'><title>symdl</title></head><body>{body}</body></html>\n"
        )

    def dot(self) -> str:
        """The first chart as DOT text."""
        return self.charts[0].dot()

    def _repr_html_(self) -> str:
        return "".join(f"<h4>{html.escape(c.name)}</h4><div style='overflow:auto'>{c.svg()}</div>" for c in self.charts)


def picture(
    thing: Any, outfile: str | os.PathLike[str] | None = None, form: Form | None = None, limit: int = MOST
) -> Picture:
    """A picture of an expression, a list of them or a function, written to a file if one is named: .svg, .html or .dot.

    form, of a function: "written" (the user's graph), "run" (after all rewriting) or "steps" (kernels and products with
    the buffers between them); without it all three, of which only .html holds more than the first. limit: nodes of a
    chart; the picture says how many are left out. Raises InputError for another file ending, form or thing.
    """
    found = Picture(tuple(chart(thing, one, limit) for one in _forms(thing, form)))
    if outfile is not None:
        path = Path(outfile)
        writers = {".svg": found.svg, ".html": found.html, ".dot": found.dot, ".gv": found.dot}
        if path.suffix not in writers:
            remedy = f"`dot -T{path.suffix[1:]}` of Graphviz makes it from a .dot file." if path.suffix else ""
            raise InputError(f"picture: {path.name} must end in .svg, .html or .dot", (), remedy)
        path.write_text(writers[path.suffix](), encoding="utf-8")
    return found


def pydotprint(fct: Any, outfile: str | os.PathLike[str] = "pydotprint.svg", form: Form = "run") -> str:
    """Theano's way to a picture: writes the graph as it is run to outfile (.svg, .html or .dot) and returns its name."""
    picture(fct, outfile, form if isinstance(fct, Function) else None)
    return os.fspath(outfile)


def dot(thing: Any, form: Form | None = None, limit: int = 10 * MOST) -> str:
    """DOT text of an expression, a list of them or a function (form as in `picture`; "written" unless given)."""
    return chart(thing, form or "written", limit).dot()


def _forms(thing: Any, form: Form | None) -> list[Form]:
    if form is not None:
        return [form]
    return list(FORMS) if isinstance(thing, Function) else ["written"]


def chart(thing: Any, form: Form, limit: int) -> Chart:
    """The chart of a thing in a form."""
    if form not in FORMS:
        raise InputError(f"picture: there is no form {form!r}", (), f"forms: {', '.join(FORMS)}")
    name = FORMS[form]
    if isinstance(thing, Function):
        labels = [label.rstrip(": ").removesuffix(" <-") for label in root_labels(thing)]
        if form == "steps":
            return _steps(thing, limit)
        if form == "run":
            return _graph(name, thing.lowered.final, labels, limit, thing.lowered.source)
        return _graph(name, thing.graph.roots, labels, limit, {})
    roots = [thing] if isinstance(thing, Expr) else thing
    if not isinstance(roots, list | tuple) or not all(isinstance(r, Expr) for r in roots):
        raise InputError(f"picture: takes an expression, a list of them or a function, not {kind_of(thing)}")
    if form != "written":
        raise InputError(f"picture: only a function has the form {form!r}", (), "symdl.function compiles expressions.")
    return _graph(name, roots, ["" for _ in roots], limit, {})


def _graph(name: str, roots: Sequence[Expr], labels: Sequence[str], limit: int, source: Mapping[Expr, Expr]) -> Chart:
    """Nodes of expressions; numbers stand inside the boxes of their users."""
    near: dict[Expr, None] = dict.fromkeys(roots)
    total: set[Expr] = set(roots)
    reached = list(near)
    for n in reached:  # grows: breadth first from the roots
        for i in n.inputs:
            if i not in total and number_of(i) is None:
                total.add(i)
                reached.append(i)
    near = dict.fromkeys(reached[:limit])
    order = [n for n in _inputs_first(near) if n in near]
    number = {n: k for k, n in enumerate(order)}
    boxes = [_box(n, source) for n in order]
    for root, label in zip(roots, labels, strict=True):
        if label:
            boxes[number[root]].results.append(label)
    edges = [(number[i], number[n], "") for n in order for i in dict.fromkeys(n.inputs) if i in number]
    return Chart(name, boxes, edges, len(total) - len(order))


def _inputs_first(nodes: Mapping[Expr, None]) -> list[Expr]:
    """These nodes, each after its inputs."""
    done: dict[Expr, None] = {}
    for root in nodes:
        stack = [(root, False)]
        while stack:
            n, ready = stack.pop()
            if n in done:
                continue
            if ready:
                done[n] = None
            else:
                stack.append((n, True))
                stack += [(i, False) for i in reversed(n.inputs) if i in nodes and i not in done]
    return list(done)


def _box(n: Expr, source: Mapping[Expr, Expr]) -> Box:
    written = source.get(n, n)
    details = [str(n.type), short(n), place_of(written)]
    if n.op is VARIABLE:
        return Box(short(n), "shared" if isinstance(n, SharedVariable) else "input", "\n".join(filter(None, details)))
    if n.op is CONSTANT:
        return Box(short(n), "constant", details[0])
    numbers = ["·" if number_of(i) is None else f"{number_of(i):.6g}" for i in n.inputs]
    label = SHOWN.get(n.op.name, n.op.name)
    if any(text != "·" for text in numbers):
        label += f"({', '.join(numbers)})"
    for key in ("axes", "axis", "dtype", "index"):
        if key in n.params and n.op.name != "spread":
            label += f" {n.params[key]}".replace(",)", ")")
    if n.name:
        label = f"{n.name}: {label}"
    return Box(label, n.op.kind, "\n".join(filter(None, details)))


def _steps(f: Function, limit: int) -> Chart:
    """Steps as boxes, under inputs and shared values; an edge is a buffer that one writes and the other reads."""
    form = f.lowered
    program = form.program
    boxes: list[Box] = []
    edges: dict[tuple[int, int], list[str]] = {}
    maker: dict[str, int] = {}
    given = [*program.of_kind("input"), *program.of_kind("shared")]
    for buffer, leaf in zip(given, (*form.graph.inputs, *form.graph.shareds), strict=True):
        maker[buffer.name] = len(boxes)
        boxes.append(Box(short(leaf), buffer.kind, str(leaf.type)))
    for step in program.steps[:limit]:
        here = len(boxes)
        used = list(_accesses(step))
        kind = getattr(step, "name", type(step).__name__.lower())
        detail = [", ".join(lines(getattr(step, "sources", ()), form)[:8])]
        boxes.append(Box(title(step, form), kind, "\n".join(filter(None, detail)) or kind))
        for name in dict.fromkeys(b for b, writes in used if not writes):
            if maker.get(name, here) != here:
                shape = program.buffers[name]
                text = f"{name}: {shape.dtype}[{', '.join(map(str, shape.shape))}]"
                edges.setdefault((maker[name], here), []).append(text)
        for name in dict.fromkeys(b for b, writes in used if writes):
            maker[name] = here
            kind_of_buffer = program.buffers[name].kind
            if kind_of_buffer == "output":
                place = [b.name for b in program.of_kind("output")].index(name)
                boxes[here].results.append(f"output {place}")
    return Chart(
        FORMS["steps"], boxes, [(a, b, "\n".join(t)) for (a, b), t in edges.items()], max(len(program.steps) - limit, 0)
    )


def _accesses(step: Step) -> list[tuple[str, bool]]:
    """(buffer, is it written) of a step and of those inside it."""
    found = []
    stack = [step]
    while stack:
        one = stack.pop()
        found += [(v.buffer, writes) for v, writes in accesses(one)]
        stack += [s for body in inner(one) for s in body]
    return found


def curve(route: Sequence[tuple[float, float]]) -> str:
    """The d of a path through points, from box to box, vertical at each point."""
    (x, y), *rest = route
    start = y + HEIGHT / 2
    out = [f"M{x:.1f} {start:.1f}"]
    before = (x, start)
    for k, (a, b) in enumerate(rest):
        end = b - HEIGHT / 2 if k == len(rest) - 1 else b
        middle = (before[1] + end) / 2
        out.append(f"C{before[0]:.1f} {middle:.1f} {a:.1f} {middle:.1f} {a:.1f} {end:.1f}")
        before = (a, end)
    return "".join(out)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
