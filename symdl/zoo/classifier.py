"""A network that classifies: what it makes of a batch of examples, trained by cross-entropy."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import symdl.tensor as T
from symdl.errors import ConfigError
from symdl.nn.layers import Layer
from symdl.nn.objective import supervised
from symdl.nn.optimizers import SGD, Optimizer, optimizer
from symdl.nn.sequential import Sequential
from symdl.nn.training import Trainer
from symdl.runtime.storage import SharedVariable
from symdl.zoo.base import Array, Classifier, Config


@dataclass(frozen=True)
class NetworkConfig(Config):
    """optimizer: by name, with its learning rate; momentum is for sgd."""

    optimizer: str = "adam"
    learning_rate: float = 0.003
    momentum: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.descent()

    def descent(self) -> Optimizer:
        """The optimizer. Raises ConfigError for one that there is not, or a momentum that it does not take."""
        if self.momentum and self.optimizer != "sgd":
            raise ConfigError(f"momentum {self.momentum} is for sgd; the optimizer is {self.optimizer}")
        if self.momentum:
            return SGD(self.learning_rate, momentum=self.momentum)
        return optimizer(self.optimizer, self.learning_rate)


class Network(Classifier):
    """The base of networks that classify. A subclass states its layers, the last with as many units as there are classes,
    and the shape of one example. The attributes are config, model (a Sequential) and trainer."""

    config: NetworkConfig

    @abstractmethod
    def layers(self) -> list[Layer]:
        """The layers, new."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """One example as the first layer takes it."""

    def build(self) -> None:
        self.model = Sequential(self.layers(), rng=self.config.seed)
        self.prepare()

    def prepare(self) -> None:
        """Make the trainer, of the layers that are trainable as they are now."""
        c = self.config
        x = T.tensor("x", dtype=self.input_dtype, shape=(None, *self.shape))
        y = T.tensor("y", dtype="int64", shape=(None,))
        objective = supervised(self.model, x, y, metrics={"accuracy": "categorical_accuracy"})
        self.trainer = Trainer(objective, c.descent(), seed=c.seed)

    @property
    def input_dtype(self) -> str:
        """That of the examples."""
        return str(self.config.dtype)

    @property
    def parameters(self) -> list[SharedVariable]:
        return [*self.model.parameters, *self.model.state]

    @property
    def features(self) -> int:
        n = 1
        for extent in self.shape:
            n *= extent
        return n

    def training_inputs(self, x: Any, where: str) -> Array:
        return self.shaped(self.inputs(x, where))

    def predict_proba(self, x: Any) -> Array:
        return self.trainer.predict(self.shaped(self.new_inputs(x, "predict")))

    def shaped(self, rows: Array) -> Array:
        """Rows of features as the examples that the first layer takes."""
        return rows.reshape(len(rows), *self.shape)
