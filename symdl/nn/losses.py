"""What training makes small, and how often a classifier is right: means over predictions and targets.

Each is the formula of the textbook. The compiler turns log(softmax(z)) and log(1 - sigmoid(z)) into forms that
neither overflow nor cancel, so predictions here are probabilities, not logits.
"""

from __future__ import annotations

from collections.abc import Callable

import symdl.tensor as T
from symdl.errors import ConfigError
from symdl.expr import Expr

Loss = Callable[[Expr, Expr], Expr]


def categorical_crossentropy(probabilities: Expr, target: Expr) -> Expr:
    """mean over n of -log p[n, target[n]], in nats.

    probabilities[n, classes] has rows that sum to 1. target[n] holds the labels, or target[n, classes] distributions,
    whose cross-entropy is mean over n of -sum over c of target[n, c] log p[n, c].
    """
    return T.categorical_crossentropy(probabilities, target).mean()


def binary_crossentropy(probabilities: Expr, target: Expr) -> Expr:
    """mean of -(t log p + (1 - t) log(1 - p)), in nats, over all elements. target[...] is 0 or 1, or in between."""
    return T.binary_crossentropy(probabilities, target).mean()


def mean_squared_error(prediction: Expr, target: Expr) -> Expr:
    """mean of (prediction - target)**2 over all elements."""
    return ((prediction - target) ** 2).mean()


def categorical_accuracy(probabilities: Expr, target: Expr) -> Expr:
    """The fraction of rows whose largest probability stands at the label. target[n] holds the labels."""
    return T.eq(T.argmax(probabilities, axis=-1), target).mean()


def binary_accuracy(probabilities: Expr, target: Expr) -> Expr:
    """The fraction of elements on the same side of one half as the target."""
    return T.eq(probabilities > 0.5, target > 0.5).mean()


LOSSES: dict[str, Loss] = {
    "categorical_crossentropy": categorical_crossentropy,
    "binary_crossentropy": binary_crossentropy,
    "mean_squared_error": mean_squared_error,
}


def loss(choice: str | Loss) -> Loss:
    """A loss by its name, or the function itself. Raises ConfigError for an unknown name."""
    if callable(choice):
        return choice
    if choice not in LOSSES:
        raise ConfigError(f"there is no loss {choice!r}", (), f"losses: {', '.join(LOSSES)}")
    return LOSSES[choice]
