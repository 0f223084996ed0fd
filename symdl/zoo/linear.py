"""Linear regression: least squares, by the gradient, checked against LAPACK's answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import symdl.tensor as T
from symdl.errors import ConfigError, DataError
from symdl.nn.history import History
from symdl.nn.layers import Dense
from symdl.nn.objective import supervised
from symdl.nn.regularizers import L2
from symdl.nn.training import Trainer
from symdl.runtime.storage import SharedVariable
from symdl.zoo.base import Array, Config, Model


@dataclass(frozen=True)
class LinearConfig(Config):
    """features: numbers of an example. l2: the cost gains l2 sum W**2. epochs: iterations at most."""

    features: int = 10
    l2: float = 0.0
    epochs: int = 500
    dtype: str = "float64"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.features < 1:
            raise ConfigError(f"linear: {self.features} features")


class LinearRegression(Model):
    """y = x @ W + b with the least mean squared error, found by L-BFGS (Liu and Nocedal, 1989)."""

    name = "linear"
    Config = LinearConfig
    config: LinearConfig

    def build(self) -> None:
        c = self.config
        self.layer = Dense(1, kernel_initializer="zeros", kernel_regularizer=L2(c.l2), name="layer0", dtype=c.dtype)
        x = T.tensor("x", dtype=c.dtype, shape=(None, c.features))
        y = T.tensor("y", dtype=c.dtype, shape=(None,))
        self.trainer = Trainer(supervised(self.layer, x, y, "mean_squared_error"), "sgd", seed=c.seed)

    @property
    def parameters(self) -> list[SharedVariable]:
        return self.layer.parameters

    @property
    def features(self) -> int:
        return self.config.features

    def examples(self, x: Any, y: Any, where: str) -> tuple[Array, ...]:
        return self.inputs(x, where), self.targets(y, where)

    def train(self, *data: Array, **how: Any) -> History:
        return self.search(*data, tolerance=1e-14, **how)

    def predict(self, x: Any) -> Array:
        """x @ W + b for each row of x."""
        return self.trainer.predict(self.new_inputs(x, "predict"))[:, 0]

    def evaluate(self, x: Any, y: Any = None) -> dict[str, float]:
        """r2 = 1 - sum (y - prediction)**2 / sum (y - mean y)**2, and the mean squared error."""
        y = self.targets(y, "evaluate")
        residual = y - self.predict(x)
        return {"r2": float(1 - (residual**2).sum() / ((y - y.mean()) ** 2).sum()), "mse": float((residual**2).mean())}

    def targets(self, y: Any, where: str) -> Array:
        """y as a vector of finite numbers."""
        array = np.asarray(y)
        if array.ndim != 1 or array.dtype.kind not in "biuf" or not np.isfinite(array).all():
            raise DataError(f"{where}: y must hold one finite number an example")
        return array.astype(self.config.dtype)

    def __repr__(self) -> str:
        return f"LinearRegression({self.config.features})"
