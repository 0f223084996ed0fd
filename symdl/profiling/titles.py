"""A readable name for each step of a Program, and the user's lines that it comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from symdl.graph.expr import SHOWN, Expr, place_of, short
from symdl.ir.loops import For
from symdl.ir.program import Call, If, Kernel, Loop, Step, accesses
from symdl.pipeline.compilation import Lowered

OPS = 4  # of the user's, in a name
SILENT = frozenset(  # ops that a name does without, if it has others
    "add sub mul neg cast where eq ne lt le gt ge maximum minimum bitwise_and bitwise_or invert isnan true_div result "
    "extent contract".split()
)
VIEWS = ("view", "reshape", "position", "leaf", "result")


def buffer_names(form: Lowered) -> dict[str, str]:
    """The user's names of a Program's inputs and shared values; of those without one, what stands for them."""
    leaves = [*form.program.of_kind("input"), *form.program.of_kind("shared")]
    exprs = (*form.graph.inputs, *form.graph.shareds)
    return {b.name: short(e) for b, e in zip(leaves, exprs, strict=True)}


def title(step: Step, form: Lowered) -> str:
    """Such as "softmax+crossentropy rows", "update W, b" or "matmul x @ W"; never empty."""
    names = buffer_names(form)
    match step:
        case Loop():
            return f"loop {step.counter}"
        case If(condition, _, _):
            return f"if {names.get(condition.buffer, condition.buffer)}"
        case Call("matmul", (a, b, _)):
            kinds = [names.get(v.buffer, "") for v in (a, b)]
            known = f" {kinds[0] or '...'} @ {kinds[1] or '...'}" if any(kinds) else ""
            then = f", {_ops(step.sources, form)}" if step.epilogue else ""
            return f"matmul{known}{then}" + _written(step, form, names)
        case Call("routine", _):
            return form.routines[step.routine].op.name + _written(step, form, names)
        case Call(name, _):
            return name + _written(step, form, names)
    return _ops(step.sources, form) + (" rows" if by_rows(step) else "") + _written(step, form, names)


def _ops(sources: Iterable[int], form: Lowered) -> str:
    """The most telling of the user's ops."""
    nodes = _nodes(sources, form)
    ops = {SHOWN.get(n.op.name, n.op.name): None for n in nodes if n.op.kind not in VIEWS and n.op.name not in SILENT}
    if "softmax" in ops and "log" in ops:
        ops = {("softmax" if o == "softmax" else o): None for o in ops if o not in ("log", "getitem")}
        ops = {"softmax+crossentropy": None} | {o: None for o in ops if o != "softmax"}
    words = list(ops) or [n.op.name for n in nodes if n.op.kind not in VIEWS and n.op.name != "contract"]
    return "+".join(list(dict.fromkeys(words))[:OPS]) or "copy"


def by_rows(step: Kernel) -> bool:
    """Whether a kernel takes its data row by row, with several loops in each."""
    return any(isinstance(s, For) and sum(isinstance(t, For) for t in s.body) > 1 for s in step.body)


def lines(sources: Iterable[int], form: Lowered) -> list[str]:
    """The user's lines, as file:line, that the steps with these sources come from; those of most nodes first."""
    found = Counter(place_of(form.nodes[k]) for k in sources if form.nodes[k].inputs)
    del found[""]
    return [line for line, _ in sorted(found.items(), key=lambda item: (-item[1], item[0]))]


def _nodes(sources: Iterable[int], form: Lowered) -> list[Expr]:
    return [form.nodes[k] for k in sorted(sources) if form.nodes[k].inputs]


def _written(step: Step, form: Lowered, names: dict[str, str]) -> str:
    """Which shared values the step changes."""
    kinds = form.program.buffers
    changed = sorted({names[v.buffer] for v, writes in accesses(step) if writes and kinds[v.buffer].kind == "shared"})
    if not changed:
        return ""
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    return f" -> {', '.join(changed[:3])}{more}"
