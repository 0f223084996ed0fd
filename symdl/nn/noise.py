"""Layers that are noise in training, and nothing else: dropout, Gaussian noise."""

from __future__ import annotations

from typing import Any

import symdl.tensor as T
from symdl.errors import ConfigError
from symdl.graph.expr import Expr
from symdl.nn.layer import Layer, Training


class Dropout(Layer):
    """In training, x with each element dropped to 0 with probability `rate`, the others over 1 - rate; else x itself.

    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, 2014, scaled in training instead of at prediction.
    Raises ConfigError unless 0 <= rate < 1.
    """

    kind = "dropout"

    def __init__(self, rate: float = 0.5, **settings: Any) -> None:
        super().__init__(**settings)
        if not 0 <= rate < 1:
            raise ConfigError(f"Dropout: rate {rate} is not in 0 <= rate < 1")
        self.rate = rate

    def call(self, x: Expr, training: Training | None) -> Expr:
        if training is None or self.rate == 0:
            return x
        return T.where(training.noise.bernoulli(x.shape, 1 - self.rate), x / (1 - self.rate), 0)

    def __repr__(self) -> str:
        return f"Dropout({self.rate})"


class GaussianNoise(Layer):
    """In training, x plus normal noise of mean 0 and standard deviation `stddev`; else x itself.

    Raises ConfigError for a stddev below 0.
    """

    kind = "gaussian_noise"

    def __init__(self, stddev: float, **settings: Any) -> None:
        super().__init__(**settings)
        if stddev < 0:
            raise ConfigError(f"GaussianNoise: stddev {stddev} is below 0")
        self.stddev = stddev

    def call(self, x: Expr, training: Training | None) -> Expr:
        if training is None or self.stddev == 0:
            return x
        return x + self.stddev * training.noise.normal(x.shape, dtype=x.dtype)

    def __repr__(self) -> str:
        return f"GaussianNoise({self.stddev})"
