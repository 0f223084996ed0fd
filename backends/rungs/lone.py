"""Statements outside of loops as the body of a loop of one round: what rounds are tried with (`narrowing`) holds for them, and
what two limbs have too few digits for is computed in balls (`beyond`).

    store a[] = cast(sin(cast(exp(x[]))))  ->  for k in 0:1: store a[] = cast(sin(cast(exp(x[]))))
"""

from __future__ import annotations

from symdl.ir.loops import Apply, For, Load, Local, Ref, Stmt, Store, walk
from symdl.number_forms import WIDE
from symdl.types import Symbol

ROUND = Symbol("round")


def as_loop(body: tuple[Stmt, ...], start: int) -> For | None:
    """The longest such loop from a statement on: of stores, and of variables that are read by these alone. None where
    no number has more than one limb, so that nothing would be gained."""
    end, stored = start, set[str]()
    for statement in body[start:]:
        if not isinstance(statement, Local | Store):
            break
        if any(isinstance(item, Load) and item.view.buffer in stored for item in walk(statement)):
            break
        if isinstance(statement, Store):
            stored.add(statement.view.buffer)
        end += 1
    read = {item.name for item in walk(*body[end:]) if isinstance(item, Ref)}
    while True:
        outside = [k for k in range(start, end) if isinstance(s := body[k], Local) and s.name in read]
        if not outside:
            break
        read |= {item.name for item in walk(*body[outside[0] : end]) if isinstance(item, Ref)}
        end = outside[0]
    found = body[start:end]
    stores = any(isinstance(s, Store) for s in found)
    if not stores or not any(isinstance(item, Apply) and item.dtype in WIDE for item in walk(*found)):
        return None
    return For(ROUND, 1, found)
