"""How right a classifier is: counts behind precision, recall and the area under a curve; tables of labels against predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import symdl.tensor as T
from symdl.errors import ConfigError
from symdl.graph.expr import Expr
from symdl.nn.losses import METRICS, Metric, binary_accuracy, categorical_accuracy, found, top_k_categorical_accuracy

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class TopKCategoricalAccuracy:
    """Whether fewer than k probabilities of a row are larger than the label's."""

    k: int = 5
    name: str = "top_k_categorical_accuracy"

    def __call__(self, prediction: Expr, target: Expr) -> Expr:
        return top_k_categorical_accuracy(prediction, target, self.k)


@dataclass(frozen=True)
class SparseTopKCategoricalAccuracy(TopKCategoricalAccuracy):
    """The same, by Keras' name where targets are labels."""

    name: str = "sparse_top_k_categorical_accuracy"


@dataclass(frozen=True)
class CategoricalAccuracy:
    """Whether the largest probability of a row stands at the label."""

    name: str = "categorical_accuracy"

    def __call__(self, prediction: Expr, target: Expr) -> Expr:
        return categorical_accuracy(prediction, target)


@dataclass(frozen=True)
class SparseCategoricalAccuracy(CategoricalAccuracy):
    """The same, by Keras' name where targets are labels."""

    name: str = "sparse_categorical_accuracy"


@dataclass(frozen=True)
class BinaryAccuracy:
    """The fraction of an example's elements that are on the same side of the threshold as the target of one half."""

    name: str = "binary_accuracy"
    threshold: float = 0.5

    def __call__(self, prediction: Expr, target: Expr) -> Expr:
        return binary_accuracy(prediction - (self.threshold - 0.5) if self.threshold != 0.5 else prediction, target)


@dataclass(frozen=True)
class Precision:
    """Of all that is predicted positive, the fraction that is: TP / (TP + FP), 0 where nothing is predicted positive.

    An element is predicted positive above thresholds. class_id: the column that counts, all of them if not given; labels are
    read as rows of 0 with a 1 at the label.
    """

    thresholds: float = 0.5
    class_id: int | None = None
    name: str = "precision"

    def __call__(self, prediction: Expr, target: Expr) -> Expr:
        positive, true = self.columns(prediction, target)
        return T.stack([(positive & true).sum(axis=1), self.of(positive, true).sum(axis=1)], axis=1)

    def columns(self, prediction: Expr, target: Expr) -> tuple[Expr, Expr]:
        """Which elements are predicted positive, and which are: [n, elements] each."""
        p, t = elements(prediction, target)
        if self.class_id is not None:
            p, t = p[:, self.class_id : self.class_id + 1], t[:, self.class_id : self.class_id + 1]
        return p > self.thresholds, t > 0.5

    def of(self, positive: Expr, true: Expr) -> Expr:
        """What the right ones are a fraction of."""
        return positive

    def finish(self, counts: Array) -> float:
        """The quotient of the sums."""
        right, of = counts.tolist()
        return float(right / of) if of else 0.0


@dataclass(frozen=True)
class Recall(Precision):
    """Of all that is positive, the fraction that is predicted so: TP / (TP + FN), 0 where nothing is positive. As Precision."""

    name: str = "recall"

    def of(self, positive: Expr, true: Expr) -> Expr:
        return true


@dataclass(frozen=True)
class AUC:
    """The area under the curve of true against false positives ("ROC"), or of precision against recall ("PR"), in 0..1.

    The curve is known at num_thresholds thresholds from 0 to 1, and joined by straight lines, or as Davis and Goadrich (2006) say
    for "PR"; so scores that no threshold separates count half. from_logits: predictions are logits, whose sigmoid is meant.
    0 where all examples are of one kind.
    """

    num_thresholds: int = 200
    curve: str = "ROC"
    from_logits: bool = False
    name: str = "auc"

    def __post_init__(self) -> None:
        if self.curve not in ("ROC", "PR") or self.num_thresholds < 2:
            raise ConfigError(
                f"AUC: curve {self.curve!r} is ROC or PR, num_thresholds {self.num_thresholds} at least 2"
            )

    def __call__(self, prediction: Expr, target: Expr) -> Expr:
        p, t = elements(T.sigmoid(prediction) if self.from_logits else prediction, target)
        inner = np.arange(1, self.num_thresholds - 1) / (self.num_thresholds - 1)
        thresholds = np.r_[-1e-7, inner, 1 + 1e-7].astype(p.dtype)
        above = p.dimshuffle(0, 1, "x") > thresholds
        true = (t > 0.5).dimshuffle(0, 1, "x")
        return T.concatenate([(above & true).sum(axis=1), (above & ~true).sum(axis=1)], axis=1)

    def finish(self, counts: Array) -> float:
        """The area, from counts of true and of false positives, which fall from threshold to threshold."""
        true, false = np.split(counts, 2)
        if not true[0] or (self.curve == "ROC" and not false[0]):
            return 0.0
        if self.curve == "ROC":
            heights = (true[:-1] + true[1:]) / 2
            return float((heights * (false[:-1] - false[1:])).sum() / (true[0] * false[0]))
        positive = true + false
        rise, run = true[:-1] - true[1:], positive[:-1] - positive[1:]
        slope = np.divide(rise, run, out=np.zeros_like(rise), where=run > 0)
        start = true[1:] - slope * positive[1:]
        both = (positive[:-1] > 0) & (positive[1:] > 0)
        ratio = np.divide(positive[:-1], positive[1:], out=np.ones_like(rise), where=both)
        return float((slope * (rise + start * np.log(ratio))).sum() / true[0])


def elements(prediction: Expr, target: Expr) -> tuple[Expr, Expr]:
    """Predictions and targets as [n, elements] of one shape; labels become rows of 0 with a 1 at the label."""
    if prediction.ndim > 1 and target.ndim < prediction.ndim:
        if prediction.type.shape[-1] == 1:
            target = T.expand_dims(target, -1)
        else:
            target = T.one_hot(target, prediction.shape[-1], dtype=prediction.dtype)
    if prediction.ndim == 1:
        return prediction.dimshuffle(0, "x"), target.dimshuffle(0, "x")
    return T.flatten(prediction, 2), T.flatten(target, 2)


def confusion(labels: Array, predicted: Array, classes: int) -> Array:
    """int64[classes, classes]: how many examples of label i (rows) were predicted as j (columns)."""
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (labels, predicted), 1)
    return table


def confusion_text(table: Array, names: Sequence[str] = ()) -> str:
    """The table as aligned text, with the labels at its edges (names beside those of the rows, if there are some), each
    row's recall, and a dot for 0 off the diagonal."""
    classes = len(table)
    edges = [f"{name} {k}" for k, name in enumerate(names)] or [str(k) for k in range(classes)]
    edge = max(len("true\\predicted"), *map(len, edges))
    width = max(len(str(table.max())), len(str(classes - 1))) + 1
    lines = ["true\\predicted".rjust(edge) + "".join(f"{j:>{width}}" for j in range(classes)) + "  recall"]
    for i, row in enumerate(table):
        cells = "".join(f"{n if n or i == j else '.':>{width}}" for j, n in enumerate(row))
        recall = f"{row[i] / row.sum():.3f}" if row.sum() else "-"
        lines.append(f"{edges[i]:>{edge}}{cells}  {recall:>6}")
    return "\n".join(lines)


CLASSES: dict[str, type] = {
    c.__name__: c
    for c in (
        AUC,
        BinaryAccuracy,
        CategoricalAccuracy,
        Precision,
        Recall,
        SparseCategoricalAccuracy,
        SparseTopKCategoricalAccuracy,
        TopKCategoricalAccuracy,
    )
}
NAMED: dict[str, Metric] = {
    **METRICS,
    **{name: c() for c in CLASSES.values() for name in (c.__name__, c().name) if name not in METRICS},
}


def metric(choice: str | Metric) -> Metric:
    """A metric by its name, or the function itself. Raises ConfigError for an unknown name."""
    return found(choice, NAMED, "metric", "metrics")
