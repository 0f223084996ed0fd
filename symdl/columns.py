"""Texts in columns."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(rows: Sequence[tuple[str, ...]], right: Sequence[int] = ()) -> str:
    """Columns side by side, those in `right` flush right. A line much longer than the others pushes only its own columns
    aside."""
    count = max((len(r) for r in rows), default=0)
    wide = [min(60, max((len(r[k]) for r in rows if any(r[k + 1 :])), default=0)) for k in range(count)]
    for k in right:
        wide[k] = max(len(r[k]) for r in rows)
    lines = []
    for row in rows:
        cells = [f"{c:>{w}}" if k in right else f"{c:<{w}}" for k, (c, w) in enumerate(zip(row, wide, strict=True))]
        lines.append("  ".join(cells).rstrip() + "\n")
    return "".join(lines)
