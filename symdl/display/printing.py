"""What an expression or a function looks like inside: debugprint, a tree with types and lines; pprint, one formula."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TextIO

from symdl.columns import aligned
from symdl.config import config
from symdl.diagnosis.reasons import reasons
from symdl.errors import InputError, kind_of
from symdl.functions import Function
from symdl.graph.bodies import PARAMETER, Body
from symdl.graph.expr import CONSTANT, VARIABLE, Expr, place_of, short
from symdl.graph.walks import topological
from symdl.ir.program import Call, If, Kernel, Loop, Step, inner
from symdl.notation.formulas import pprint
from symdl.pipeline.compilation import Graph, Lowered
from symdl.runtime.signature import graph_of_expressions

__all__ = ["debugprint", "dprint", "pp", "pprint"]
Root = tuple[str, Expr]  # what a tree is the value of ("" for nothing to say), and its root
HIDDEN = {"id", "type", "value", "extent"}  # parameters that the node's name or type says already
NAMED = 4  # of the user's nodes, so many beside a step


def debugprint(
    thing: Any,
    file: TextIO | Literal["str"] | None = None,
    *,
    print_type: bool = True,
    depth: int = 50,
    limit: int = 1000,
    before: bool = True,
    after: bool = True,
    steps: bool = True,
    why: bool = False,
) -> str | None:
    """Print an expression, a list of them, or a function as trees: each node with its letter, type and the user's line.

    A node met again shows only its letter. depth: levels of a tree; limit: lines of it; what is cut off is counted. Of
    a function: the graph as the user wrote it (before), as it is run (after), and the steps of its program with the
    user's nodes that they compute (steps). file: sys.stdout unless given; "str" returns the text instead.

    why=True prints, in place of the trees, what was rewritten, in order: the user's line, the mechanism, the formula as it
    was meant and as it is run; then which nodes are computed in number forms, why, and what knowledge would free them.
    """
    if why:
        text = str(reasons(graph_to_explain(thing)))
    elif isinstance(thing, Function):
        text = _function(thing, print_type, depth, limit, before, after, steps)
    elif isinstance(thing, Expr):
        text = tree([("", thing)], print_type, depth, limit)
    elif isinstance(thing, list | tuple) and all(isinstance(e, Expr) for e in thing):
        text = tree([("", e) for e in thing], print_type, depth, limit)
    else:
        raise _not_printable(thing)
    if file == "str":
        return text
    print(text, end="", file=file or sys.stdout)
    return None


dprint = debugprint
pp = pprint


def _not_printable(thing: Any) -> InputError:
    return InputError(f"debugprint: takes an expression, a list of them or a function, not {kind_of(thing)}")


def graph_to_explain(thing: Any) -> Graph:
    """The graph of a function, or that a function of these expressions and all their variables would have."""
    if isinstance(thing, Function):
        return thing.graph
    exprs = [thing] if isinstance(thing, Expr) else thing
    if not isinstance(exprs, list | tuple) or not all(isinstance(e, Expr) for e in exprs):
        raise _not_printable(thing)
    return graph_of_expressions(list(exprs), config.precision)


def tree(
    roots: Sequence[Root],
    print_type: bool = True,
    depth: int = 50,
    limit: int = 1000,
    source: Mapping[Expr, Expr] | None = None,
) -> str:
    """The nodes under the roots, one a line, indented. Letters go in the order of printing. source: the user's node that
    a node comes from, where it is not the user's own."""
    written = source or {}
    lines: list[tuple[str, str, str]] = []  # indented name, type, place
    letters: dict[Expr, str] = {}
    cut = False
    stack = [(label, node, "", "", 0) for label, node in reversed(roots)]  # and two indents: its own, its inputs'
    while stack:
        label, node, lead, below, level = stack.pop()
        if len(lines) >= limit:
            cut = True
            break
        known = node in letters
        letters.setdefault(node, letter(len(letters)))
        again = " ..." if known and node.inputs else ""
        title = f"{label}{_title(node)} [{letters[node]}]{again}"
        kind = str(node.type) if print_type and not again else ""
        lines.append((lead + title, kind, "" if again else place_of(written.get(node, node))))
        if known:
            continue
        if level >= depth and node.inputs:
            lines.append((below + "└─ ...", "", ""))
            cut = True
            continue
        last = len(node.inputs) - 1
        for k in range(last, -1, -1):
            turn, on = ("└─ ", "   ") if k == last else ("├─ ", "│  ")
            stack.append(("", node.inputs[k], below + turn, below + on, level + 1))
    if cut:
        rest = sum(1 for n in topological(*(r for _, r in roots)) if n not in letters)
        lines.append((f"({rest} more nodes: depth={depth}, limit={limit})", "", ""))
    out = aligned(lines)
    for node, name in letters.items():  # loops and branches: their bodies, each a tree of its own
        for key, body in sorted((k, v) for k, v in node.params.items() if isinstance(v, Body)):
            inner_roots = [(f"result {k}: ", o) for k, o in enumerate(body.outputs)]
            inner_text = tree(inner_roots, print_type, depth, max(limit - len(lines), 1), source)
            out += f"{key} of [{name}]\n" + "".join(f"  {line}\n" for line in inner_text.splitlines())
    return out


def letter(k: int) -> str:
    """A, B, ..., Z, AA, AB, ..."""
    out = ""
    k += 1
    while k:
        k, rest = divmod(k - 1, 26)
        out = chr(ord("A") + rest) + out
    return out


def _title(node: Expr) -> str:
    """A leaf's name or value; an op with its parameters."""
    if node.op is PARAMETER or node.op is VARIABLE or node.op is CONSTANT or node.op.name == "extent":
        return short(node) if node.name or node.op is not VARIABLE else "variable"
    params = ", ".join(f"{k}={_plain(v)}" for k, v in node.params.items() if k not in HIDDEN)
    called = f" {node.name!r}" if node.name else ""
    return f"{node.op}{{{params}}}{called}" if params else f"{node.op}{called}"


def _plain(value: Any) -> str:
    if type(value) is tuple:
        return f"({', '.join(map(_plain, value))})"
    return value if isinstance(value, str) else str(value)


# ---- functions ----


def _function(f: Function, print_type: bool, depth: int, limit: int, before: bool, after: bool, steps: bool) -> str:
    form = f.lowered
    head = f"function {f.name or ''}({', '.join(repr(one.variable) for one in f.ins)})".replace(" (", "(")
    away = f.device != "cpu"
    sections = [head + (f" on {f.device}" if away else "") + "\n"]
    labels = list(root_labels(f))
    if before:
        roots = list(zip(labels, f.graph.roots, strict=True))
        sections.append("as written\n" + _indented(tree(roots, print_type, depth, limit)))
    if after:
        roots = list(zip(labels, form.final, strict=True))
        sections.append("as run\n" + _indented(tree(roots, print_type, depth, limit, form.source)))
    if steps:
        found = list(_steps(form.program.steps, form, _named(form), away))
        if away:
            counted = (n for n in topological(*f._whole.roots) if n.op.kind == "counted")
            found = [*(("before, on the host", f"{pprint(n, 30)} {place_of(n)}".rstrip()) for n in counted), *found]
        sections.append("steps\n" + _indented(aligned(found)))
    return "\n".join(sections)


def root_labels(f: Function) -> Iterator[str]:
    """What each root of a function is."""
    kind = f.kind
    for k in range(len(f.graph.outputs)):
        yield "output: " if kind == "one" else f"output {k}: " if kind == "list" else f"output {kind[k]!r}: "
    for shared, _ in f.graph.updates:
        yield f"{short(shared)} <- "


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())


def _named(form: Lowered) -> Mapping[str, str]:
    """The user's names of a Program's buffers."""
    program = form.program
    leaves = [*program.of_kind("input"), *program.of_kind("shared")]
    return {b.name: short(e) for b, e in zip(leaves, (*form.graph.inputs, *form.graph.shareds), strict=True)}


def _steps(
    steps: Sequence[Step], form: Lowered, names: Mapping[str, str], away: bool = False
) -> Iterator[tuple[str, str]]:
    """(the step, the user's nodes that it computes). away: on a GPU, but for what says that it is on the host."""
    for step in steps:
        match step:
            case Kernel():
                yield "kernel", _computed(step.sources, form)
            case Call():
                views = [names.get(v.buffer, v.buffer) for v in step.views]
                count = len(step.operands)
                here = "on the host: " if away and step.name == "routine" else ""
                yield (
                    f"{here}{step.name}({', '.join(views[:count])}) -> {', '.join(views[count:])}",
                    _computed(step.sources, form),
                )
            case Loop():
                yield f"loop {step.counter} in 0:{step.steps}", ""
            case If():
                yield f"if {names.get(step.condition.buffer, step.condition.buffer)}", ""
        for body in inner(step):
            yield from (("  " + left, right) for left, right in _steps(body, form, names, away))


def _computed(sources: Sequence[int], form: Lowered) -> str:
    """The user's nodes of a step with their lines, the last ones first, for they tell most."""
    nodes = [form.nodes[k] for k in sorted(sources, reverse=True) if form.nodes[k].inputs]
    shown = [" ".join(filter(None, [pprint(n, 30), place_of(n)])) for n in nodes[:NAMED]]
    return "; ".join(shown) + (f"; and {len(nodes) - NAMED} more" if len(nodes) > NAMED else "")
