"""Layers: parameters, and a call that turns an expression into an expression. A model is its layers' parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

import symdl.tensor as T
from symdl.config import config
from symdl.errors import ConfigError, ShapeError
from symdl.expr import Expr
from symdl.nn.activations import Activation, activation
from symdl.nn.initializers import Initializer, initializer
from symdl.random import RandomStream
from symdl.storage import SharedVariable, shared


class Layer(Protocol):
    """What a layer must be. `noise`, what it draws from, is given in training only: without it a layer is a plain
    function."""

    @property
    def parameters(self) -> list[SharedVariable]: ...

    def __call__(self, x: Expr, noise: RandomStream | None = None) -> Expr: ...


class Dense:
    """activation(x @ W + b): x[n, inputs], W[inputs, units], b[units].

    rng: a generator, or a seed of one, from which W is drawn; b begins at 0. dtype: config.floatX if not given.
    name: the parameters are called name.W and name.b.
    Raises ShapeError for extents below 1, ConfigError for an unknown activation or initializer.
    """

    def __init__(
        self,
        inputs: int,
        units: int,
        activation: str | Activation = "linear",
        initializer: str | Initializer = "glorot_uniform",
        *,
        rng: np.random.Generator | int = 0,
        dtype: str | None = None,
        name: str = "dense",
    ) -> None:
        if inputs < 1 or units < 1:
            raise ShapeError(f"Dense: {inputs} inputs and {units} units; both must be at least 1")
        self.inputs, self.units, self.name = inputs, units, name
        self.activation = _activation(activation)
        dtype = dtype or config.floatX
        weights = _initializer(initializer)(np.random.default_rng(rng), (inputs, units))
        self.W = shared(weights.astype(dtype), f"{name}.W")
        self.b = shared(np.zeros(units, dtype), f"{name}.b")

    @property
    def parameters(self) -> list[SharedVariable]:
        return [self.W, self.b]

    def __call__(self, x: Expr, noise: RandomStream | None = None) -> Expr:
        return self.activation(x @ self.W + self.b)

    def __repr__(self) -> str:
        return f"Dense({self.inputs}, {self.units}, name={self.name!r})"


class Dropout:
    """In training, x with each element dropped to 0 with probability `rate`, the others over 1 - rate; else x itself.

    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, 2014, scaled in training instead of at prediction.
    Raises ConfigError unless 0 <= rate < 1.
    """

    def __init__(self, rate: float = 0.5) -> None:
        if not 0 <= rate < 1:
            raise ConfigError(f"Dropout: rate {rate} is not in 0 <= rate < 1")
        self.rate = rate

    @property
    def parameters(self) -> list[SharedVariable]:
        return []

    def __call__(self, x: Expr, noise: RandomStream | None = None) -> Expr:
        if noise is None or self.rate == 0:
            return x
        return T.where(noise.bernoulli(x.shape, 1 - self.rate), x / (1 - self.rate), 0)

    def __repr__(self) -> str:
        return f"Dropout({self.rate})"


class Sequential:
    """Layers one after another; itself a layer. Raises ConfigError when two parameters have one name."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = list(layers)
        names = [p.name for p in self.parameters]
        twice = sorted({str(n) for n in names if names.count(n) > 1})
        if twice:
            raise ConfigError(
                f"Sequential: several parameters are called {', '.join(twice)}",
                (),
                "Give each layer a name of its own.",
            )

    @property
    def parameters(self) -> list[SharedVariable]:
        return [p for layer in self.layers for p in layer.parameters]

    def __call__(self, x: Expr, noise: RandomStream | None = None) -> Expr:
        for layer in self.layers:
            x = layer(x, noise)
        return x

    def __repr__(self) -> str:
        return f"Sequential({self.layers!r})"


# the parameters of Dense hide the functions of the same names
_activation, _initializer = activation, initializer
