"""Layers one after another, themselves a layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from symdl.errors import ConfigError
from symdl.expr import Expr
from symdl.nn.layer import Array, Layer, Training
from symdl.plot.network import Diagram, network
from symdl.storage import SharedVariable


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

    def plot(self, names: Sequence[Sequence[str]] | None = None) -> Diagram:
        """The network as a picture, a line for each weight, as thick as it is large: see `symdl.plot.network`."""
        return network(self, names)

    def add(self, layer: Layer) -> None:
        """Append a layer, before the first call."""
        if not isinstance(layer, Layer):
            raise ConfigError(
                f"{self.name or 'model'}.add: {layer!r} is no layer", (),
                "Layers are made first: Dense(10), not Dense." if isinstance(layer, type) else "",
            )  # fmt: skip
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

    def join(self, layer: Layer, x: Expr) -> Expr:
        """What a layer makes of x, in the name, dtype and generator of this model."""
        if self.rng is None:
            self.rng = np.random.default_rng(0)
        layer.rng = layer.rng if layer.rng is not None else self.rng
        layer.dtype = layer.dtype or self.dtype
        layer.stored = self.stored
        # the layers of an inner model may be called as those of this one are
        layer.prefix = f"{self.prefix}{layer.name}." if isinstance(layer, Chain) else self.prefix
        if isinstance(layer, Chain):
            for name, variable in layer.named(layer.prefix):  # of a model that has been used before
                variable.name = name
        return layer(x)

    def build(self, x: Expr) -> None:
        for layer in self.layers:
            x = self.join(layer, x)

    def output(self, x: Expr, training: Training | None) -> Expr:
        for layer in self.layers:
            x = layer(x, training)
        return x

    @property
    def trainable(self) -> bool:
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for layer in self.layers:
            layer.trainable = value

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

    def get_weights(self) -> list[Array]:
        return [w for layer in self.layers for w in layer.get_weights()]

    def set_weights(self, weights: Sequence[Any]) -> None:
        counts = [len(layer.parameters) + len(layer.state) for layer in self.layers]
        if sum(counts) != len(weights):
            super().set_weights(weights)  # which refuses them
        old = self.get_weights()
        begin = 0
        try:
            for layer, count in zip(self.layers, counts, strict=True):
                layer.set_weights(weights[begin : begin + count])
                begin += count
        except ValueError:
            begin = 0
            for layer, count in zip(self.layers, counts, strict=True):
                layer.set_weights(old[begin : begin + count])
                begin += count
            raise

    def named(self, prefix: str = "") -> Iterator[tuple[str, SharedVariable]]:
        """Parameters and state by the names that they have in this model: those of inner models begin with the model's."""
        for layer in self.layers:
            if isinstance(layer, Chain):
                yield from layer.named(f"{prefix}{layer.name}.")
            else:
                for v in (*layer.parameters, *layer.state):
                    yield f"{prefix}{layer.name}.{str(v.name).rpartition('.')[2]}", v

    def flat(self) -> Iterator[Layer]:
        """The layers, those of inner models in their place."""
        for layer in self.layers:
            if isinstance(layer, Chain):
                yield from layer.flat()
            else:
                yield layer

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.layers!r})"
