"""How a classifier does: which class it takes for which, and where in the plane it draws the line."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symdl import extras
from symdl.errors import ShapeError
from symdl.plot.canvas import Array, Axes, canvas

MARGIN = 0.5  # around the points, in the units of the data


def confusion(
    labels: Any,
    predicted: Any,
    names: Sequence[str] | None = None,
    normalize: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """How many examples of each class (rows) are taken for which (columns): scikit-learn's ConfusionMatrixDisplay.

    names: of the classes. normalize: "true", "pred" or "all" for shares of rows, columns or everything.
    Raises MissingDependencyError without scikit-learn.
    """
    ax = canvas(ax)
    metrics = extras.load("sklearn.metrics", "the confusion matrix")
    metrics.ConfusionMatrixDisplay.from_predictions(
        np.asarray(labels), np.asarray(predicted), display_labels=names, normalize=normalize, ax=ax, cmap="Blues",
        values_format=None if normalize is None else ".2f",
    )  # fmt: skip
    return ax


def boundary(
    predict: Callable[[Array], Any],
    x: Any,
    y: Any | None = None,
    resolution: int = 100,
    names: Sequence[str] = ("x1", "x2"),
    ax: Axes | None = None,
) -> Axes:
    """What a model says everywhere around the points x[n, 2], with the points in the colours of their classes y.

    predict: from points float32[m, 2] to labels [m], one score a point [m] or [m, 1], or one for each class [m, classes].
    Scores of one or two classes are shown as shades, of more classes as the class of the largest. Drawn by
    scikit-learn's DecisionBoundaryDisplay. Raises ShapeError unless x has two columns and predict answers like that,
    MissingDependencyError without scikit-learn.
    """
    points = np.asarray(x)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ShapeError(f"boundary: points of shape {list(points.shape)} are not in the plane, [n, 2]")
    (left, bottom), (right, top) = points.min(axis=0) - MARGIN, points.max(axis=0) + MARGIN
    across, up = np.meshgrid(np.linspace(left, right, resolution), np.linspace(bottom, top, resolution))
    answers = np.asarray(predict(np.stack([across.ravel(), up.ravel()], axis=1).astype("float32")))
    if not answers.ndim or len(answers) != across.size or answers.ndim > 2:
        raise ShapeError(f"boundary: predict answers {list(answers.shape)} for {across.size} points")
    if answers.ndim == 2:
        columns = answers.shape[1]
        answers = answers[:, -1] if columns <= 2 else answers.argmax(axis=1)
    integers = answers.dtype.kind in "biu"
    classes = int(max(answers.max(), 1)) + 1 if integers else 2
    display = extras.load("sklearn.inspection", "the decision boundary").DecisionBoundaryDisplay
    settings = {"n_classes": classes} if "n_classes" in inspect.signature(display).parameters else {}
    drawn = display(
        xx0=across, xx1=up, response=answers.reshape(across.shape), xlabel=names[0], ylabel=names[1], **settings
    )
    shades: dict[str, Any] = {"cmap": "RdBu", "alpha": 0.6} if classes == 2 else {"alpha": 0.6}
    drawn.plot(ax=canvas(ax), **shades)
    axes = drawn.ax_
    if y is not None:
        cmap = "RdBu" if classes == 2 else "tab10"
        axes.scatter(*points.T, c=np.asarray(y), cmap=cmap, edgecolors="black", linewidths=0.5, s=16)
    return axes
