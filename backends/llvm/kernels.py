"""One loop nest to one internal function: i64 kernel(addresses of its buffers, its sizes and counters) -> status.

The function of a parallel loop runs some of its rounds: i64 kernel(context, first round, end of the rounds), the others
standing in the context, one word each.

The addresses are parameters that never alias one another, so that LLVM may keep what it has loaded: different
buffers of a kernel are different memory, since a slot of the arena is shared only by buffers that never live together.
Extents are hoisted out of every loop that does not change them, values out of the innermost. Sums of floats keep their
order.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from symdl.backends.llvm.across import AcrossWriter
from symdl.backends.llvm.chunks import is_spread
from symdl.backends.llvm.draws import END, FIRST, in_strips
from symdl.backends.llvm.interleaved import interleaved
from symdl.backends.llvm.module import Module
from symdl.backends.llvm.titles import title
from symdl.backends.rungs.thinning import thinned
from symdl.ir.loops import Apply, Assign, Checked, Const, For, Load, Local, Ref, Stmt, Store, extents_in, parts, walk
from symdl.types import Extent, Symbol, symbols


def kernel(module: Module, body: tuple[Stmt, ...], ranged: bool = False) -> tuple[str, list[str], list[Symbol]]:
    """(name, buffers, symbols) of the function for a loop nest: what to call, and with which arguments in order.

    ranged: see `Program.may_be_single`.
    """
    buffers: dict[str, bool] = {}  # whether it is written
    own: set[Symbol] = set()
    used: dict[Symbol, None] = {}
    for item in walk(*body):
        if type(item) is Apply:  # most of a body, and names nothing itself
            continue
        if isinstance(item, For):
            own.add(item.index)
        if isinstance(item, Load | Store):
            buffers[item.view.buffer] = buffers.get(item.view.buffer, False) or isinstance(item, Store)
        for extent in extents_in(item):
            used.update(dict.fromkeys(sorted(symbols(extent), key=lambda s: s.order)))
    sizes = [s for s in used if s not in own]
    key = ranged, signature(body, list(buffers))
    name = module.kernels.get(key)  # looked up once: a signature is long
    if name is None:
        name = module.kernels[key] = _written(module, body, buffers, sizes, own, ranged)
    return name, list(buffers), sizes


def signature(body: tuple[Stmt, ...], buffers: list[str]) -> tuple[Any, ...]:
    """What a loop nest does, whatever its buffers and variables are called: equal nests have equal text, and writing it
    takes far longer than this. Layers of one kind have one kernel."""
    place = {name: k for k, name in enumerate(buffers)}
    items = list(walk(*body))
    number = {id(item): k for k, item in enumerate(items)}
    variables: dict[str, int] = {}
    rows: list[tuple[Any, ...]] = []
    for item in items:
        own: tuple[Any, ...] = ()
        match item:
            case Apply(primitive, args, dtype):  # first, for nearly all are
                rows.append((Apply, primitive, dtype, *[number[id(x)] for x in args]))
                continue
            case For(index, _, _, schedule):
                own = index, schedule
            case Load(view, at) | Store(view, at):
                indices = tuple(e if isinstance(e, Extent) else ("value", number[id(e)]) for e in at)
                own = place[view.buffer], view.dtype, view.shape, indices
            case Local(name, _) | Assign(name, _):
                own = (variables.setdefault(name, len(variables)),)
            case Ref(name, dtype):
                own = variables.setdefault(name, len(variables)), dtype
            case Const(value, dtype):
                own = repr(value), dtype
            case Checked(_, _, code):
                own = (code,)
        rows.append((type(item), own, extents_in(item), tuple(number[id(x)] for x in parts(item))))
    return tuple(rows)


def chunked(buffers: Collection[str], sizes: Collection[Symbol], word: str) -> tuple[str, list[str]]:
    """The parameters of a kernel that runs in chunks, and the lines that find its others in the context."""
    names = [("ptr", f"%b{k}") for k in range(len(buffers))] + [(word, f"%s{k}") for k in range(len(sizes))]
    lines = []
    for k, (kind, name) in enumerate(names):
        lines.append(f"  {name}.place = getelementptr inbounds ptr, ptr %context, i64 {k}")
        lines.append(f"  {name} = load {kind}, ptr {name}.place")
    if word == "i64":
        return "(ptr %context, i64 %first, i64 %end)", lines
    lines += [f"  %{name} = trunc i64 %{name}.wide to {word}" for name in ("first", "end")]
    return "(ptr %context, i64 %first.wide, i64 %end.wide)", lines


def _written(
    module: Module,
    body: tuple[Stmt, ...],
    buffers: dict[str, bool],
    sizes: list[Symbol],
    own: set[Symbol],
    ranged: bool,
) -> str:
    in_chunks = is_spread(body)
    stem = title(body)
    body = thinned(body)
    body, strips = in_strips(body)
    writer = AcrossWriter(module, {name: f"%b{k}" for k, name in enumerate(buffers)}, own | strips)
    writer.ranged = ranged
    writer.scopes[0].symbols.update({s: f"%s{k}" for k, s in enumerate(sizes)})
    if in_chunks:
        parameters, lines = chunked(buffers, sizes, writer.word)
        writer.scopes[0].landing += lines
        writer.scopes[0].symbols.update({FIRST: "%first", END: "%end"})
        writer.spread = body[0] if is_spread(body) else None
    writer.statements(body)
    writer.line("ret i64 0")
    text = interleaved(writer.finished()) if writer.permutes else writer.finished()  # else there are few registers
    if in_chunks:
        return module.share(stem, parameters, text, writer)
    kinds = [f"ptr noalias{'' if written else ' readonly'} %b{k}" for k, written in enumerate(buffers.values())]
    kinds += [f"{writer.word} %s{k}" for k in range(len(sizes))]
    return module.share(stem, f"({', '.join(kinds)})", text, writer)
