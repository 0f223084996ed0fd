"""Layers of layers: a group, and layers one after another."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np

from symdl.errors import ConfigError
from symdl.graph.expr import Expr
from symdl.nn.layer import Array, Layer, Training
from symdl.plot.network import Diagram, network
from symdl.runtime.storage import SharedVariable


class Group(Layer):
    """A layer that is made of layers: their weights, settings and names are its own. The base of models."""

    kind = "group"

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.layers: list[Layer] = []

    def plot(self, names: Sequence[Sequence[str]] | None = None) -> Diagram:
        """The network as a picture, a line for each weight, as thick as it is large: see `symdl.plot.network`."""
        return network(self, names)

    def join(self, layer: Layer, x: Expr) -> Expr:
        """What a layer makes of x, in the name, dtype and generator of this model."""
        if self.rng is None:
            self.rng = np.random.default_rng(0)
        layer.rng = layer.rng if layer.rng is not None else self.rng
        layer.dtype = layer.dtype or self.dtype
        layer.stored = self.stored
        # the layers of an inner model may be called as those of this one are
        layer.prefix = f"{self.prefix}{layer.name}." if isinstance(layer, Group) else self.prefix
        if isinstance(layer, Group):
            for name, variable in layer.named(layer.prefix):  # of a model that has been used before
                variable.name = name
        y: Expr = layer(x)
        layer.waiting = False
        return y

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
        return once(p for layer in self.layers for p in layer.parameters)

    @property
    def trained(self) -> list[SharedVariable]:
        return once(p for layer in self.layers for p in layer.trained) if self.trainable else []

    @property
    def state(self) -> list[SharedVariable]:
        return once(p for layer in self.layers for p in layer.state)

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
            if isinstance(layer, Group):
                yield from layer.named(f"{prefix}{layer.name}.")
            else:
                for v in (*layer.parameters, *layer.state):
                    yield f"{prefix}{layer.name}.{str(v.name).rpartition('.')[2]}", v

    def every(self) -> Iterator[Layer]:
        """The layers, inner models and their layers."""
        for layer in self.layers:
            yield layer
            if isinstance(layer, Group):
                yield from layer.every()

    def flat(self) -> Iterator[Layer]:
        """The layers, those of inner models in their place."""
        for layer in self.layers:
            if isinstance(layer, Group):
                yield from layer.flat()
            else:
                yield layer

    def named_layer(self, layer: Layer) -> None:
        """Give a layer a name that no other has, if it has none. Raises ConfigError where another has its name."""
        taken = {one.name for one in self.layers}
        again = any(one is layer for one in self.layers)
        if layer.name is None or (layer.automatic and layer.name in taken and not again):
            names = (f"{layer.kind}_{k}" if k else layer.kind for k in range(len(taken) + 1))
            layer.name, layer.automatic = next(name for name in names if name not in taken), True
        if layer.name in taken:
            raise ConfigError(
                f"{type(self).__name__}: several layers are called {layer.name}",
                (),
                "Give each layer a name of its own.",
            )

    def draw(self, rng: np.random.Generator) -> None:
        for layer in self.layers:
            layer.draw(rng)
        self.waiting = False

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of this name, or at this place."""
        if index is not None:
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ConfigError(f"there is no layer {name!r}", (), f"layers: {', '.join(str(l.name) for l in self.layers)}")

    @abstractmethod
    def structure(self, plain: Callable[[Layer], Any]) -> dict[str, Any]:
        """What it is made of, as JSON has it: `plain` makes this of a layer."""

    @classmethod
    @abstractmethod
    def of_structure(cls, structure: Mapping[str, Any], reading: Any) -> Self:
        """What `structure` described; reading: a `symdl.nn.saving.Reading`, which makes layers of what `plain` gave. Raises
        DataError for what is no such description."""


class Chain(Group):
    """Layers one after another; itself a layer. Unnamed layers are called by their kind: dense, dense_1, ...

    rng: shared by all layers that have none. Raises ConfigError when two layers have one name.
    """

    kind = "chain"

    def __init__(self, layers: Sequence[Layer] = (), **settings: Any) -> None:
        super().__init__(**settings)
        for layer in layers:
            self.add(layer)

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
        self.named_layer(layer)
        self.layers.append(layer)

    def build(self, x: Expr) -> None:
        for layer in self.layers:
            x = self.join(layer, x)

    def call(self, x: Expr, training: Training | None) -> Expr:
        for layer in self.layers:
            x = layer(x, training)
        return x

    def structure(self, plain: Callable[[Layer], Any]) -> dict[str, Any]:
        return {"name": self.name, "layers": [plain(layer) for layer in self.layers]}

    @classmethod
    def of_structure(cls, structure: Mapping[str, Any], reading: Any) -> Self:
        layers = [reading.layer(entry) for entry in reading.listed(structure.get("layers"))]
        return cls(layers, name=reading.text(structure.get("name")))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.layers!r})"


def once(variables: Iterable[SharedVariable]) -> list[SharedVariable]:
    """Each of them once: a layer may stand in a model and in one inside it."""
    return list({id(v): v for v in variables}.values())
