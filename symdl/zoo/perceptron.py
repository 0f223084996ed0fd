"""The perceptron: threshold units that learn from their mistakes (Rosenblatt, 1958), and the same graph with a sigmoid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import symdl.tensor as T
from symdl.errors import ConfigError
from symdl.functions import function
from symdl.nn.callbacks import Callback
from symdl.nn.history import History
from symdl.nn.objective import Objective
from symdl.nn.optimizers import SGD
from symdl.nn.training import Trainer
from symdl.runtime.storage import SharedVariable, shared
from symdl.zoo.base import Array, Classifier, Config


@dataclass(frozen=True)
class PerceptronConfig(Config):
    """features, classes: two classes have one unit, more have one each. activation: "step", or "sigmoid", with which the
    same rule is gradient descent on the cross-entropy. learning_rate: with "step" it only scales the weights."""

    features: int = 64
    classes: int = 10
    activation: str = "step"
    learning_rate: float = 1.0
    batch_size: int = 1
    epochs: int = 60

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.features < 1 or self.classes < 2:
            raise ConfigError(f"perceptron: {self.features} features and {self.classes} classes are too few")
        if self.activation not in ("step", "sigmoid"):
            raise ConfigError(f"perceptron: activation {self.activation!r} is neither step nor sigmoid")


class Perceptron(Classifier):
    """a = switch(x @ W + b > 0, 1, 0); each mistake moves W by x (t - a), b by t - a, times the learning rate.

    On separable data it stops making mistakes, after at most (R / gamma)^2 of them: R is the largest length of (x, 1), gamma
    the margin of the best separator of unit length (Novikoff, 1962); history.history["mistakes"] counts them, a mean an
    example and epoch. On xor it never stops. `fit` ends after an epoch without mistakes.
    """

    name = "perceptron"
    Config = PerceptronConfig
    config: PerceptronConfig

    def build(self) -> None:
        c = self.config
        units = 1 if c.classes == 2 else c.classes
        self.W = shared(np.zeros((c.features, units), c.dtype), "layer0.W")
        self.b = shared(np.zeros(units, c.dtype), "layer0.b")
        x, y = T.tensor("x", dtype=c.dtype, shape=(None, c.features)), T.lvector("y")
        z = x @ self.W + self.b
        a = T.switch(z > 0, 1.0, 0.0) if c.activation == "step" else T.sigmoid(z)
        target = T.eq(y.dimshuffle(0, "x"), 1 if units == 1 else T.arange(units).dimshuffle("x", 0))
        error = (target - a).astype(c.dtype)
        rule = [
            (self.W, self.W + c.learning_rate * (x.T @ error)),
            (self.b, self.b + c.learning_rate * error.sum(axis=0)),
        ]
        mistakes = T.neq(z > 0, target).sum(axis=1)
        wrong = T.neq(_label(z), y)
        self.trainer = Trainer(
            Objective(
                inputs=[x, y],
                losses=error.sum(),  # nothing is differentiated: the rule moves the weights
                parameters=(),
                measures={"mistakes": mistakes, "accuracy": 1 - wrong},
                quiet={"mistakes": mistakes, "accuracy": 1 - wrong},
                updates=rule,
                state=[self.W, self.b],
                prediction=z,
            ),
            SGD(c.learning_rate),
            seed=c.seed,
        )

    @property
    def parameters(self) -> list[SharedVariable]:
        return [self.W, self.b]

    @property
    def features(self) -> int:
        return self.config.features

    @property
    def classes(self) -> int:
        return self.config.classes

    def train(self, *data: Array, callbacks: Sequence[Callback] = (), **how: Any) -> History:
        return super().train(*data, callbacks=[*callbacks, NoMistakes()], **how)

    def predict(self, x: Any) -> Array:
        z = self.trainer.predict(self.new_inputs(x, "predict"))
        labels: Array = (z[:, 0] > 0).astype(np.int64) if z.shape[1] == 1 else z.argmax(axis=1)
        return labels

    def predict_proba(self, x: Any) -> Array:
        """1 for the predicted class: a threshold knows no doubt."""
        return np.eye(self.classes, dtype=self.config.dtype)[self.predict(x)]

    def __repr__(self) -> str:
        return f"Perceptron({self.config.features}-{self.config.classes}, {self.config.activation})"


class NoMistakes(Callback):
    """Ends a run after an epoch without mistakes."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if logs and logs["mistakes"] == 0:
            self.stop("an epoch without mistakes")


def _label(z: Any) -> Any:
    return T.switch(z[:, 0] > 0, 1, 0) if z.type.shape[1] == 1 else T.argmax(z, axis=1)


def step_as_limit(k: float) -> Any:
    """f(x) = sigmoid(k x), compiled: the step for large k."""
    x = T.dvector("x")
    return function([x], T.sigmoid(k * x))
