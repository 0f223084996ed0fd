"""Loops whose guards ask whether a window covers a place, as the gradient of pooling does: the rounds in which all guards hold
are a loop without them, which may be taken in vectors; what is left, a place or two behind the last window, goes one by one.

    for j in 0:m: o[i, j] = guard(0 <= i//2 < r, guard(0 <= j//2 < c, w[i//2, j//2], 0), 0)
"""

from __future__ import annotations

from symdl.ir.loops import For, Guard, walk
from symdl.ir.rebuilding import rebuilt
from symdl.records import record
from symdl.types import Extent, largest, repeats, smallest, symbols, terms_of


@record
class Certain:
    """The rounds of a loop whose guards hold, and what must hold around it: (index, extent) as of guards."""

    rounds: For
    around: tuple[tuple[Extent, Extent], ...]


def certain_rounds(loop: For) -> Certain | None:
    """These rounds, from the first one on; None for loops whose guards are not of that kind, or have none that changes."""
    found = walk(*loop.body)
    guards = [x for x in found if isinstance(x, Guard)]
    if not guards or any(isinstance(x, For) for x in found):
        return None
    end, around = loop.extent, []
    for index, extent in (bound for guard in guards for bound in guard.bounds):
        if loop.index not in symbols(index) | symbols(extent):
            around.append((index, extent))
            continue
        times = repeats(index, loop.index)
        if times is None or len(terms_of(index)) > 1 or loop.index in symbols(extent):
            return None
        end = smallest(end, times * extent)
    if end is loop.extent:
        return None
    body = loop.body
    while guards:
        body = rebuilt(body, {id(g): g.value for g in guards})
        guards = [x for x in walk(*body) if isinstance(x, Guard)]
    return Certain(For(loop.index, largest(end, 0), body, loop.schedule), tuple(dict.fromkeys(around)))
