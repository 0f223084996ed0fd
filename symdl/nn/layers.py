"""Layers: a call that turns an expression into an expression, and the parameters that it makes at its first call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

import symdl.tensor as T
from symdl.config import config
from symdl.errors import ConfigError, ShapeError
from symdl.expr import Expr
from symdl.nn.activations import Activation, activation
from symdl.nn.initializers import Initializer, initializer
from symdl.random import RandomStream
from symdl.storage import SharedVariable, shared

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass
class Training:
    """What a layer is given in training only: noise to draw from, and room for updates of its own (running means)."""

    noise: RandomStream
    updates: list[tuple[SharedVariable, Expr]] = field(default_factory=list)


class Layer:
    """The base of layers. A layer makes its parameters when it first meets an expression, whose static extents it needs.

        hidden = Dense(100, "relu")
        h = hidden(x)                   # x: float32[?, 784], so that hidden.W is float32[784, 100]

    name: parameters are called name.W and so on; a model names those that have none. rng: a generator, or a seed of
    one, from which parameters are drawn. dtype: of the parameters; that of the first input if not given, config.floatX
    where this is no float. trainable: set to False, training leaves the parameters as they are, bit for bit.
    """

    kind: ClassVar[str] = "layer"
    trainable: bool = True

    def __init__(
        self, *, name: str | None = None, rng: np.random.Generator | int | None = None, dtype: str | None = None
    ) -> None:
        self.name, self.dtype = name, dtype
        self.rng = None if rng is None else np.random.default_rng(rng)
        self.built = False
        self._parameters: list[SharedVariable] = []
        self._state: list[SharedVariable] = []

    def build(self, x: Expr) -> None:
        """Make the parameters for inputs like x; called once, by the first call of the layer."""

    def output(self, x: Expr, training: Training | None) -> Expr:
        """What the layer makes of x. training: None where the layer is only used."""
        raise NotImplementedError

    def __call__(self, x: Expr, training: Training | None = None) -> Expr:
        if not self.built:
            if self.dtype is None:
                self.dtype = x.dtype if x.dtype.startswith("float") else config.floatX
            self.build(x)
            self.built = True
        return self.output(x, training)

    @property
    def parameters(self) -> list[SharedVariable]:
        """What training moves, unless the layer is frozen: weights in the order in which they were made."""
        return list(self._parameters)

    @property
    def trained(self) -> list[SharedVariable]:
        """The parameters that training moves: none of a frozen layer."""
        return self.parameters if self.trainable else []

    @property
    def state(self) -> list[SharedVariable]:
        """What belongs to the layer, but is not moved along a gradient: running means."""
        return list(self._state)

    def penalty(self) -> Expr | None:
        """What the layer adds to the cost, a scalar: its regularizers; None for nothing."""
        return None

    def parameter(
        self, what: str, shape: tuple[int, ...], start: Initializer | str, state: bool = False
    ) -> SharedVariable:
        """A new parameter, or piece of state, called name.what, drawn from the layer's generator."""
        if self.rng is None:
            self.rng = np.random.default_rng(0)
        value = _initializer(start)(self.rng, shape).astype(self.dtype or config.floatX)
        variable = shared(value, f"{self.name or self.kind}.{what}")
        (self._state if state else self._parameters).append(variable)
        return variable

    def __repr__(self) -> str:
        return f"{type(self).__name__}({f'name={self.name!r}' if self.name else ''})"


def extent(x: Expr, axis: int, layer: Layer) -> int:
    """The static extent of an axis of x. Raises ShapeError where it is not known."""
    if x.ndim < (axis + 1 if axis >= 0 else -axis):
        raise ShapeError(f"{layer}: x has {x.ndim} axes, too few", [(str(x), str(x.type), "")])
    found = x.type.shape[axis]
    if not isinstance(found, int):
        raise ShapeError(
            f"{layer}: the extent of axis {axis} of its input must be known before there are data",
            [(str(x), str(x.type), "")],
            'Give it, as in T.tensor("x", shape=(None, 784)).',
        )
    return found


class Dense(Layer):
    """activation(x @ W + b): x[..., inputs], W[inputs, units], b[units], the result [..., units].

    initializer: of W; b begins at 0. use_bias=False leaves b out. l1, l2: the cost gains l1 sum|W| + l2 sum W**2.
    Raises ShapeError for extents below 1, ConfigError for an unknown activation or initializer.
    """

    kind = "dense"

    def __init__(
        self,
        units: int,
        activation: str | Activation | None = None,
        initializer: str | Initializer = "glorot_uniform",
        *,
        use_bias: bool = True,
        l1: float = 0.0,
        l2: float = 0.0,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        if units < 1:
            raise ShapeError(f"Dense: {units} units; there must be at least 1")
        self.units, self.use_bias, self.l1, self.l2 = units, use_bias, l1, l2
        self.activation, self.initializer = _activation(activation or "linear"), _initializer(initializer)

    def build(self, x: Expr) -> None:
        inputs = extent(x, -1, self)
        if inputs < 1:
            raise ShapeError(f"{self}: {inputs} inputs; there must be at least 1", [(str(x), str(x.type), "")])
        self.W = self.parameter("W", (inputs, self.units), self.initializer)
        if self.use_bias:
            self.b = self.parameter("b", (self.units,), "zeros")

    def output(self, x: Expr, training: Training | None) -> Expr:
        z = x @ self.W
        return self.activation(z + self.b if self.use_bias else z)

    def penalty(self) -> Expr | None:
        return regularized(self.W, self.l1, self.l2)

    def __repr__(self) -> str:
        return f"Dense({self.units}{f', name={self.name!r}' if self.name else ''})"


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

    def output(self, x: Expr, training: Training | None) -> Expr:
        if training is None or self.rate == 0:
            return x
        return T.where(training.noise.bernoulli(x.shape, 1 - self.rate), x / (1 - self.rate), 0)

    def __repr__(self) -> str:
        return f"Dropout({self.rate})"


class Chain(Layer):
    """Layers one after another; itself a layer. The base of models. Unnamed layers are called by their kind: dense, dense_1, ...

    rng: shared by all layers that have none. Raises ConfigError when two layers have one name.
    """

    kind = "chain"

    def __init__(self, layers: Sequence[Layer] = (), **settings: Any) -> None:
        super().__init__(**settings)
        self.layers: list[Layer] = []
        for layer in layers:
            self.add(layer)

    def add(self, layer: Layer) -> None:
        """Append a layer, before the first call."""
        if self.built:
            raise ConfigError(
                f"{self.name or 'model'}.add: the model has its parameters; add layers before its first use"
            )
        taken = {one.name for one in self.layers}
        if layer.name is None:
            names = (f"{layer.kind}_{k}" if k else layer.kind for k in range(len(taken) + 1))
            layer.name = next(name for name in names if name not in taken)
        if layer.name in taken:
            raise ConfigError(
                f"{type(self).__name__}: several layers are called {layer.name}",
                (),
                "Give each layer a name of its own.",
            )
        self.layers.append(layer)

    def build(self, x: Expr) -> None:
        rng = self.rng if self.rng is not None else np.random.default_rng(0)
        for layer in self.layers:
            layer.rng = layer.rng if layer.rng is not None else rng
            layer.dtype = layer.dtype or self.dtype
            x = layer(x)

    def output(self, x: Expr, training: Training | None) -> Expr:
        for layer in self.layers:
            x = layer(x, training)
        return x

    @property
    def parameters(self) -> list[SharedVariable]:
        return [p for layer in self.layers for p in layer.parameters]

    @property
    def trained(self) -> list[SharedVariable]:
        return [p for layer in self.layers for p in layer.trained] if self.trainable else []

    @property
    def state(self) -> list[SharedVariable]:
        return [p for layer in self.layers for p in layer.state]

    def penalty(self) -> Expr | None:
        found = [p for p in (layer.penalty() for layer in self.layers) if p is not None]
        return sum(found[1:], found[0]) if found else None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.layers!r})"


def regularized(W: Expr, l1: float, l2: float) -> Expr | None:
    """l1 sum|W| + l2 sum W**2, None where both are 0."""
    terms = [l1 * T.abs(W).sum()] if l1 else []
    terms += [l2 * (W * W).sum()] if l2 else []
    return sum(terms[1:], terms[0]) if terms else None


# parameters here hide the functions of the same names
_activation, _initializer = activation, initializer
