"""One loop nest to one internal function: i64 kernel(addresses of its buffers, its sizes and counters) -> status.

The addresses are parameters that never alias one another, so that LLVM may keep what it has loaded: different
buffers of a kernel are different memory, since a slot of the arena is shared only by buffers that never live together.
Extents are hoisted out of every loop that does not change them, values out of the innermost. Sums of floats keep their
order.
"""

from __future__ import annotations

from symdl.backends.llvm.module import Module
from symdl.backends.llvm.vectors import VectorWriter
from symdl.loops import For, Load, Stmt, Store, extents_in, walk
from symdl.types import Symbol, symbols


def kernel(module: Module, body: tuple[Stmt, ...]) -> tuple[str, list[str], list[Symbol]]:
    """(name, buffers, symbols) of the function for a loop nest: what to call, and with which arguments in order."""
    buffers: dict[str, bool] = {}  # whether it is written
    own: set[Symbol] = set()
    used: dict[Symbol, None] = {}
    for item in walk(*body):
        if isinstance(item, For):
            own.add(item.index)
        if isinstance(item, Load | Store):
            buffers[item.view.buffer] = buffers.get(item.view.buffer, False) or isinstance(item, Store)
        for extent in extents_in(item):
            used.update(dict.fromkeys(sorted(symbols(extent), key=lambda s: s.order)))
    sizes = [s for s in used if s not in own]
    writer = VectorWriter(module, {name: f"%b{k}" for k, name in enumerate(buffers)}, own)
    writer.scopes[0].symbols.update({s: f"%s{k}" for k, s in enumerate(sizes)})
    for statement in body:
        writer.statement(statement)
    writer.line("ret i64 0")
    kinds = [f"ptr noalias{'' if written else ' readonly'} %b{k}" for k, written in enumerate(buffers.values())]
    kinds += [f"{writer.word} %s{k}" for k in range(len(sizes))]
    name = module.share("kernel", f"({', '.join(kinds)})", writer.finished(), writer)
    return name, list(buffers), sizes
