"""Stage 3, lowering the meaning: what the user wrote, as graphs that are right in floating point.

reading brings the meaning into an exact normal form, where it cancels before anything is rounded; writing chooses the
formulas to run.
"""

from __future__ import annotations

from collections.abc import Sequence

from symdl.graph.expr import Expr
from symdl.meaning.decided import decided
from symdl.meaning.exactness import Known
from symdl.meaning.lowering import Lowering
from symdl.meaning.record import Record, RecordedLowering
from symdl.meaning.widening import widened
from symdl.passes.rewrite import Origins

__all__ = ["Record", "stabilized"]


def stabilized(
    roots: Sequence[Expr],
    origins: Origins,
    right: bool = False,
    record: Record | None = None,
    strict: bool = False,
    stored: frozenset[Expr] = frozenset(),
) -> list[Expr]:
    """Graphs equal to the roots over the reals, of the same types, without overflow, underflow or cancellation in what
    the algebra knows; nodes that gain nothing are returned as they are.

    roots: all outputs, gradients and updates of one function. origins: the function's table, extended for what is made.
    right: nodes whose errors are magnified, or that may leave the range and come back, are computed in number forms.
    record: is told what was done, and why. strict: no deviation from IEEE arithmetic as written.
    stored: the leaves that loops have made.
    """
    roots = decided(roots, origins, Known())
    lowering = Lowering(roots, origins) if record is None else RecordedLowering(roots, origins, record)
    lowering.right, lowering.strict = right, strict
    lowering.known.stored = stored
    out = decided(lowering(), origins, lowering.known)
    if right:
        out = widened(out, lowering.known, origins, None if record is None else record.forms)
    out = lowering.as_written.put_in(out, origins) if strict else out
    lowering.forget()
    return out
