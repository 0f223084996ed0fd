"""Layers that bring their inputs to mean 0 and variance 1, over a batch or over each example."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import symdl.tensor as T
from symdl.errors import ConfigError
from symdl.graph.expr import Expr
from symdl.nn.initializers import Initializer
from symdl.nn.initializers import initializer as _initializer
from symdl.nn.layer import Layer, Training, extent


class BatchNormalization(Layer):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, over all axes but `axis` (Ioffe and Szegedy, 2015).

    In training, mean and variance are those of the batch, and the running ones move: running <- momentum running +
    (1 - momentum) batch. Else, and in a frozen layer, they are the running ones, which are state of the layer.
    center, scale: whether there are beta and gamma.
    """

    kind = "batch_normalization"

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: str | Initializer = "zeros",
        gamma_initializer: str | Initializer = "ones",
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        if not 0 <= momentum <= 1 or epsilon < 0:
            raise ConfigError(f"BatchNormalization: momentum {momentum} is not in 0..1, or epsilon {epsilon} below 0")
        self.axis, self.momentum, self.epsilon, self.center, self.scale = axis, momentum, epsilon, center, scale
        self.beta_initializer, self.gamma_initializer = _initializer(beta_initializer), _initializer(gamma_initializer)

    def build(self, x: Expr) -> None:
        n = extent(x, self.axis, self)
        self.gamma = self.parameter("gamma", (n,), self.gamma_initializer) if self.scale else None
        self.beta = self.parameter("beta", (n,), self.beta_initializer) if self.center else None
        self.moving_mean = self.parameter("moving_mean", (n,), "zeros", state=True)
        self.moving_variance = self.parameter("moving_variance", (n,), "ones", state=True)

    def call(self, x: Expr, training: Training | None) -> Expr:
        axis = self.axis % x.ndim
        others = tuple(k for k in range(x.ndim) if k != axis)
        pattern = ["x" if k != axis else 0 for k in range(x.ndim)]
        mean: Expr = self.moving_mean
        variance: Expr = self.moving_variance
        if training is None or not self.trainable:
            centred = x - T.dimshuffle(mean, *pattern)
        else:
            mean = T.mean(x, axis=others)
            centred = x - T.dimshuffle(mean, *pattern)
            variance = T.mean(T.sqr(centred), axis=others)
            for running, found in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moved = self.momentum * running + (1 - self.momentum) * found
                training.updates.append((running, moved.astype(running.dtype)))
        factor = 1 / T.sqrt(variance + self.epsilon)
        factor = factor if self.gamma is None else factor * self.gamma
        out = centred * T.dimshuffle(factor, *pattern)
        return out if self.beta is None else out + T.dimshuffle(self.beta, *pattern)


class LayerNormalization(Layer):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, mean and variance of each example (Ba, Kiros and Hinton, 2016).

    axis: over which they run, by default the last; gamma and beta have its extents.
    """

    kind = "layer_normalization"

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: str | Initializer = "zeros",
        gamma_initializer: str | Initializer = "ones",
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.axis = (axis,) if isinstance(axis, int) else tuple(axis)
        self.epsilon, self.center, self.scale = epsilon, center, scale
        self.beta_initializer, self.gamma_initializer = _initializer(beta_initializer), _initializer(gamma_initializer)

    def build(self, x: Expr) -> None:
        over = sorted(k % x.ndim for k in self.axis)
        shape = tuple(extent(x, k, self) for k in over)
        self.gamma = self.parameter("gamma", shape, self.gamma_initializer) if self.scale else None
        self.beta = self.parameter("beta", shape, self.beta_initializer) if self.center else None

    def call(self, x: Expr, training: Training | None) -> Expr:
        over = sorted(k % x.ndim for k in self.axis)
        pattern = [over.index(k) if k in over else "x" for k in range(x.ndim)]
        gamma = None if self.gamma is None else T.dimshuffle(self.gamma, *pattern)
        beta = None if self.beta is None else T.dimshuffle(self.beta, *pattern)
        return T.layer_normalization(x, gamma, beta, tuple(over), self.epsilon)
