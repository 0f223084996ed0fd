"""Logistic regression: one layer of softmax, by batches or to the optimum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from symdl.errors import ConfigError
from symdl.nn.history import History
from symdl.nn.layers import Dense, Layer
from symdl.nn.regularizers import L2
from symdl.zoo.base import Array
from symdl.zoo.classifier import Network, NetworkConfig


@dataclass(frozen=True)
class LogisticConfig(NetworkConfig):
    """features, classes: the extents of W. l2: the cost gains l2 sum W**2. solver: "batches" takes the optimizer's steps
    for `epochs` epochs, "l-bfgs" goes to the optimum over all data, in at most `epochs` iterations."""

    features: int = 64
    classes: int = 10
    l2: float = 0.0
    solver: str = "batches"
    learning_rate: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.features < 1 or self.classes < 2:
            raise ConfigError(f"logistic: {self.features} features and {self.classes} classes are too few")
        if self.solver not in ("batches", "l-bfgs"):
            raise ConfigError(f"logistic: solver {self.solver!r} is neither batches nor l-bfgs")


class LogisticRegression(Network):
    """p(label c of x) = softmax(x @ W + b)[c], W and b from 0, the mean cross-entropy made small."""

    name = "logistic"
    Config = LogisticConfig
    config: LogisticConfig

    def layers(self) -> list[Layer]:
        return [
            Dense(
                self.config.classes,
                "softmax",
                kernel_initializer="zeros",
                kernel_regularizer=L2(self.config.l2),
                name="layer0",
            )
        ]

    def train(self, *data: Array, **how: Any) -> History:
        if self.config.solver == "batches":
            return super().train(*data, **how)
        return self.search(*data, tolerance=1e-7, **how)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.config.features,)

    @property
    def classes(self) -> int:
        return self.config.classes

    def __repr__(self) -> str:
        return f"LogisticRegression({self.config.features}-{self.config.classes}, {self.config.solver})"
