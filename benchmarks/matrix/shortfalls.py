"""Why cells fall short of a peer or of the machine's limit: one table, which the summary and the records quote."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import Any

# Patterns of labels, tried in order, and the cause.
CAUSES: dict[str, str] = {}


def reason(row: dict[str, Any]) -> str:
    """The cause, as far as it is known."""
    return next((why for pattern, why in CAUSES.items() if fnmatch(row["cell"], pattern)), "not explained")
