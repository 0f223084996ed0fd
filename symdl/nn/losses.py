"""What training makes small, and how often a classifier is right: one number an example.

Each is the formula of the textbook. The compiler turns log(softmax(z)) and log(1 - sigmoid(z)) into forms that
neither overflow nor cancel, so predictions here are probabilities, not logits.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import symdl.tensor as T
from symdl.errors import ConfigError
from symdl.graph.expr import Expr

Loss = Callable[[Expr, Expr], Expr]  # (prediction, target) -> one number an example, or a scalar
Metric = Loss  # with a method `finish`, also rows of numbers of which means are taken before it: `symdl.nn.metrics`


def categorical_crossentropy(probabilities: Expr, target: Expr) -> Expr:
    """-log p[n, target[n]] for each n, in nats.

    probabilities[n, classes] has rows that sum to 1. target[n] holds the labels, or target[n, classes] distributions,
    whose cross-entropy is -sum over c of target[n, c] log p[n, c].
    """
    return T.categorical_crossentropy(probabilities, target)


def binary_crossentropy(probabilities: Expr, target: Expr) -> Expr:
    """The mean over each example of -(t log p + (1 - t) log(1 - p)), in nats. target is 0 or 1, or in between."""
    return per_example(T.binary_crossentropy(*alike(probabilities, target)))


def mean_squared_error(prediction: Expr, target: Expr) -> Expr:
    """The mean over each example of (prediction - target)**2."""
    prediction, target = alike(prediction, target)
    return per_example((prediction - target) ** 2)


def mean_absolute_error(prediction: Expr, target: Expr) -> Expr:
    """The mean over each example of |prediction - target|."""
    prediction, target = alike(prediction, target)
    return per_example(T.abs(prediction - target))


def huber(prediction: Expr, target: Expr) -> Expr:
    """The mean over each example of r**2 / 2 where |r| <= 1, else |r| - 1/2, r = prediction - target (Huber, 1964)."""
    prediction, target = alike(prediction, target)
    r = T.abs(prediction - target)
    return per_example(T.where(r <= 1, r * r / 2, r - 0.5))


def hinge(prediction: Expr, target: Expr) -> Expr:
    """The mean over each example of max(0, 1 - t * prediction), t being -1 or 1; targets 0 and 1 are read as -1 and 1."""
    prediction, target = alike(prediction, target)
    sign = T.where(T.eq(target, 0), -1, target)
    return per_example(T.relu(1 - sign * prediction))


def kl_divergence(probabilities: Expr, target: Expr) -> Expr:
    """sum over c of t log(t / p) for each n, in nats; t log t is 0 at 0 (Kullback and Leibler, 1951)."""
    return (T.xlogy(target, target) - T.xlogy(target, probabilities)).sum(axis=-1)


def poisson(prediction: Expr, target: Expr) -> Expr:
    """The mean over each example of prediction - target log(prediction)."""
    prediction, target = alike(prediction, target)
    return per_example(prediction - target * T.log(prediction))


def categorical_accuracy(probabilities: Expr, target: Expr) -> Expr:
    """Whether the largest probability of each row stands at the label. target[n] holds the labels, or target[n, classes]
    is largest there."""
    labels = target if target.ndim < probabilities.ndim else T.argmax(target, axis=-1)
    return T.eq(T.argmax(probabilities, axis=-1), labels)


def binary_accuracy(probabilities: Expr, target: Expr) -> Expr:
    """The fraction of each example's elements on the same side of one half as the target."""
    probabilities, target = alike(probabilities, target)
    return per_example(T.eq(probabilities > 0.5, target > 0.5))


def alike(prediction: Expr, target: Expr) -> tuple[Expr, Expr]:
    """Both with the same axes: one column of predictions meets a vector of targets."""
    if prediction.ndim == 2 and target.ndim == 1:
        target = T.dimshuffle(target, 0, "x")
    return prediction, target


def per_example(values: Expr) -> Expr:
    """The mean over all axes but the first."""
    return values.mean(axis=tuple(range(1, values.ndim))) if values.ndim > 1 else values


def squared_hinge(prediction: Expr, target: Expr) -> Expr:
    """The mean over each example of max(0, 1 - t * prediction)**2; targets as for hinge."""
    prediction, target = alike(prediction, target)
    sign = T.where(T.eq(target, 0), -1, target)
    return per_example(T.relu(1 - sign * prediction) ** 2)


def log_cosh(prediction: Expr, target: Expr) -> Expr:
    """The mean over each example of log(cosh(prediction - target))."""
    prediction, target = alike(prediction, target)
    return per_example(T.log(T.cosh(prediction - target)))


def mean_squared_logarithmic_error(prediction: Expr, target: Expr) -> Expr:
    """The mean over each example of (log(1 + prediction) - log(1 + target))**2."""
    prediction, target = alike(prediction, target)
    return per_example((T.log1p(prediction) - T.log1p(target)) ** 2)


# ---- losses with settings ----


@dataclass(frozen=True)
class CategoricalCrossentropy:
    """categorical_crossentropy; from_logits: predictions are logits z, whose softmax is meant. label_smoothing a: targets t
    become (1 - a) t + a / classes."""

    from_logits: bool = False
    label_smoothing: float = 0.0

    def __call__(self, prediction: Expr, target: Expr) -> Expr:
        probabilities = T.softmax(prediction, axis=-1) if self.from_logits else prediction
        if self.label_smoothing:
            if target.ndim < prediction.ndim:
                target = T.one_hot(target, prediction.shape[-1], dtype=prediction.dtype)
            target = target * (1 - self.label_smoothing) + self.label_smoothing / prediction.shape[-1]
        return categorical_crossentropy(probabilities, target)


@dataclass(frozen=True)
class SparseCategoricalCrossentropy:
    """categorical_crossentropy where targets are labels; from_logits: predictions are logits, whose softmax is meant."""

    from_logits: bool = False

    def __call__(self, prediction: Expr, target: Expr) -> Expr:
        return categorical_crossentropy(T.softmax(prediction, axis=-1) if self.from_logits else prediction, target)


@dataclass(frozen=True)
class BinaryCrossentropy:
    """binary_crossentropy; from_logits: predictions are logits, whose sigmoid is meant. label_smoothing a: targets t become
    (1 - a) t + a / 2."""

    from_logits: bool = False
    label_smoothing: float = 0.0

    def __call__(self, prediction: Expr, target: Expr) -> Expr:
        probabilities = T.sigmoid(prediction) if self.from_logits else prediction
        if self.label_smoothing:
            target = target * (1 - self.label_smoothing) + 0.5 * self.label_smoothing
        return binary_crossentropy(probabilities, target)


@dataclass(frozen=True)
class Huber:
    """huber with another end of the parabola: r**2 / 2 where |r| <= delta, else delta (|r| - delta / 2)."""

    delta: float = 1.0

    def __call__(self, prediction: Expr, target: Expr) -> Expr:
        prediction, target = alike(prediction, target)
        r = T.abs(prediction - target)
        return per_example(T.where(r <= self.delta, r * r / 2, self.delta * (r - self.delta / 2)))


def top_k_categorical_accuracy(probabilities: Expr, target: Expr, k: int = 5) -> Expr:
    """Whether fewer than k probabilities of the row are larger than the label's."""
    labels = target if target.ndim < probabilities.ndim else T.argmax(target, axis=-1)
    own = T.take_along_axis(probabilities, T.expand_dims(labels, -1), axis=-1)
    return T.lt((probabilities > own).astype("int64").sum(axis=-1), k)


LOSSES: dict[str, Loss] = {
    "categorical_crossentropy": categorical_crossentropy,
    "sparse_categorical_crossentropy": categorical_crossentropy,  # Keras' name where targets are labels
    "binary_crossentropy": binary_crossentropy,
    "mean_squared_error": mean_squared_error,
    "mse": mean_squared_error,
    "mean_absolute_error": mean_absolute_error,
    "mae": mean_absolute_error,
    "huber": huber,
    "hinge": hinge,
    "squared_hinge": squared_hinge,
    "log_cosh": log_cosh,
    "mean_squared_logarithmic_error": mean_squared_logarithmic_error,
    "kl_divergence": kl_divergence,
    "poisson": poisson,
}
METRICS: dict[str, Loss] = {
    **LOSSES,
    "categorical_accuracy": categorical_accuracy,
    "sparse_categorical_accuracy": categorical_accuracy,
    "binary_accuracy": binary_accuracy,
    "top_k_categorical_accuracy": top_k_categorical_accuracy,
    "sparse_top_k_categorical_accuracy": top_k_categorical_accuracy,
}
WITH_SETTINGS = (CategoricalCrossentropy, SparseCategoricalCrossentropy, BinaryCrossentropy, Huber)


def loss(choice: str | Loss) -> Loss:
    """A loss by its name, or the function itself. Raises ConfigError for an unknown name."""
    return found(choice, LOSSES, "loss", "losses")


def found(choice: str | Loss, table: dict[str, Loss], one: str, many: str) -> Loss:
    """What is called so in a table, or the function itself. Raises ConfigError for a name that is not in it."""
    if callable(choice):
        return _in_order(choice)
    if choice not in table:
        raise ConfigError(f"there is no {one} {choice!r}", (), f"{many}: {', '.join(table)}")
    return table[choice]


def _in_order(f: Loss) -> Loss:
    """f(prediction, target). Keras' own functions take (y_true, y_pred): one with such a first name is given them so."""
    try:
        names = list(inspect.signature(f).parameters)
    except (TypeError, ValueError):  # built in
        return f
    if names[:1] != ["y_true"]:
        return f

    def turned(prediction: Expr, target: Expr) -> Expr:
        return f(target, prediction)

    turned.__name__ = getattr(f, "__name__", "loss")
    return turned
