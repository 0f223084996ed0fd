"""How much work a kernel is, and which kernels can run in chunks; the pool decides from the work which do.

Work is counted in steps of about 10 ps of one thread.
"""

from __future__ import annotations

from functools import lru_cache

from symdl.backends.llvm.module import ITEM_BYTES
from symdl.ir.loops import Apply, Assign, For, Load, Stmt, Store, walk
from symdl.ir.narrow_rows import CHEAP
from symdl.types import Extent, Symbol, at_most, replace_symbols, symbols

ALIGNED = 64  # rounds that a chunk of a loop over single elements is a multiple of: whole vectors and cache lines
EXPENSIVE = 30  # of a transcendental function of a float32
ORDERED = 60  # of a sum of floats, which is added up one by one


def is_spread(body: tuple[Stmt, ...]) -> bool:
    """Whether a kernel is one parallel loop."""
    return len(body) == 1 and isinstance(body[0], For) and body[0].schedule == "parallel"


def multiple(loop: For) -> int:
    """What the rounds of a chunk are a multiple of."""
    return 1 if any(isinstance(s, For) for s in loop.body) else ALIGNED


@lru_cache(maxsize=256)  # asked by who calls a kernel, and by who measures the whole Program
def cost(body: tuple[Stmt, ...]) -> Extent:
    """About how much work statements are."""

    def total(body: tuple[Stmt, ...], last: dict[Symbol, Extent], ordered: bool) -> Extent:
        found: Extent = weight(body, ordered)
        for s in body:
            if isinstance(s, For):
                rounds = most_rounds(s, last)
                found = found + rounds * total(s.body, {**last, s.index: rounds}, s.schedule != "vector")
        return found

    return total(body, {}, True)


def most_rounds(loop: For, last: dict[Symbol, Extent]) -> Extent:
    """The rounds of a loop, at the first rounds of those around it unless they are proved to be fewer than at the last."""
    if isinstance(loop.extent, int) or symbols(loop.extent).isdisjoint(last):
        return loop.extent
    at_first, at_last = replace_symbols(loop.extent, dict.fromkeys(last, 0)), replace_symbols(loop.extent, last)
    return at_last if at_most(at_first, at_last) else at_first


def weight(body: tuple[Stmt, ...], ordered: bool = True) -> int:
    """Of one round, without the loops inside it. ordered: sums of floats are added up in order."""
    found = 1
    for item in walk(*(s for s in body if not isinstance(s, For))):
        match item:
            case Load(view, _) | Store(view, _):
                found += ITEM_BYTES[view.dtype]
            case Assign(_, Apply("add" | "mul", _, dtype)) if ordered and dtype.startswith("float"):
                found += ORDERED
            case Apply(primitive, _, dtype):
                found += (1 if primitive in CHEAP else EXPENSIVE) * max(ITEM_BYTES[dtype] // 4, 1)
    return found
