"""How right a classifier is: tables of labels against predictions, and as text."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def confusion(labels: Array, predicted: Array, classes: int) -> Array:
    """int64[classes, classes]: how many examples of label i (rows) were predicted as j (columns)."""
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (labels, predicted), 1)
    return table


def confusion_text(table: Array) -> str:
    """The table as aligned text, with the labels at its edges, each row's recall, and a dot for 0 off the diagonal."""
    classes = len(table)
    width = max(len(str(table.max())), len(str(classes - 1))) + 1
    lines = ["true\\predicted" + "".join(f"{j:>{width}}" for j in range(classes)) + "  recall"]
    for i, row in enumerate(table):
        cells = "".join(f"{n if n or i == j else '.':>{width}}" for j, n in enumerate(row))
        recall = f"{row[i] / row.sum():.3f}" if row.sum() else "-"
        lines.append(f"{i:>14}{cells}  {recall:>6}")
    return "\n".join(lines)
