"""Sequential: layers one after another, as one writes and trains them in Keras, on the one training loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import symdl.tensor as T
from symdl.errors import ConfigError, DataError
from symdl.nn.chain import Chain
from symdl.nn.layer import Array, Extents, Layer
from symdl.nn.learner import Learner
from symdl.nn.wires import Input


class Sequential(Learner, Chain):
    """Layers one after another; itself a layer, and a model that is trained as Keras' is.

        model = Sequential([Input((784,)), Dense(512, "sigmoid"), Dense(128, "sigmoid"), Dense(10, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(x, y, batch_size=256, epochs=20, validation_split=0.1)
        loss, accuracy = model.evaluate(x_test, y_test)
        probabilities = model.predict(x_test)

    The shape of an example is that of Input, of the first layer's input_shape=, or of the first data. rng: a seed or
    generator, shared by all layers that have none; the default is 0, so that two equal scripts give equal weights.
    dtype: of parameters and of the data that come in, float32 if not given.
    Raises ConfigError when two layers have one name.
    """

    kind = "sequential"

    def __init__(self, layers: Sequence[Layer | Input] = (), **settings: Any) -> None:
        super().__init__(**settings)
        if isinstance(layers, Layer | Input):
            raise ConfigError(
                f"Sequential: {layers} is one layer, not a list of layers", (), "Write Sequential([...])."
            )
        for layer in layers:
            self.add(layer)

    # ---- its layers ----

    def add(self, layer: Layer | Input) -> None:
        """Append a layer; with an Input before it, its parameters are made now."""
        if isinstance(layer, Input):
            if self.layers or self._variables:
                raise ConfigError("Sequential.add: Input is for the first entry of a model")
            self.input_shape, self.dtype = layer.input_shape, self.dtype or layer.given_dtype
            if self.dtype not in (None, "float32", "float64"):
                self.dtype = None  # of integers that come in: the first layer says what it makes of them
            return
        if self._trainers:
            raise ConfigError("Sequential.add: the model has been trained", (), "Compile it anew after adding layers.")
        super().add(layer)
        if len(self.layers) == 1 and self.input_shape is None:
            self.input_shape = layer.input_shape
        if self._results:
            self._results = [self.join(layer, self._results[0])]
            self.output_shape = layer.output_shape
        elif self.input_shape is not None:
            self._begin(self.input_shape)

    def _begin(self, shape: Extents) -> None:
        """Make the variable of the data, and the parameters of the layers that there are."""
        if not self.layers:
            raise ConfigError("Sequential: the model has no layers")
        self.input_shape = tuple(shape)
        self.dtype = self.dtype or "float32"
        first = next(self.flat(), self.layers[0])
        dtype = "int64" if first.takes == "integers" else self.dtype
        x = T.tensor("x", dtype=dtype, shape=(None, *shape))
        self._variables = [x]
        for layer in self.layers:
            x = self.join(layer, x)
        self._results = [x]
        self.output_shape = self.layers[-1].output_shape

    def begin(self, examples: Array) -> None:
        if examples.dtype.kind in "biuf" and examples.ndim > 1 and examples.size:
            self._begin(examples.shape[1:])

    @property
    def input_names(self) -> list[str]:
        return ["x"]

    @property
    def output_names(self) -> list[str]:
        return [str(self.layers[-1].name) if self.layers else "y"]

    def ends(self) -> list[Layer]:
        return [self.layers[-1]]

    def takers(self) -> list[Layer]:
        return [next((layer for layer in self.flat() if layer.parameters), self.layers[0])]

    # ---- files ----

    def structure(self, plain: Callable[[Layer], Any]) -> dict[str, Any]:
        shape = None if self.input_shape is None else list(self.input_shape)
        return {**super().structure(plain), "input": [shape, self.dtype]}

    @classmethod
    def of_structure(cls, structure: Mapping[str, Any], reading: Any) -> Self:
        shape, dtype = structure.get("input", [None, None])
        if dtype not in (None, "float32", "float64") or not _extents(shape):
            raise DataError(f"load: examples of shape {shape} and dtype {dtype!r}")
        model = cls(name=reading.text(structure.get("name")), dtype=dtype)
        model.stored, model.prefix = reading.stored, reading.prefix  # before layers can make their weights
        for entry in reading.listed(structure.get("layers")):
            model.add(reading.layer(entry))
        model.input_shape = None if shape is None else tuple(shape)
        return model

    def started(self) -> None:
        """Make the parameters of a model that was read from a file."""
        if self.input_shape is None:
            raise DataError("load: the model does not say the shape of an example")
        self._begin(self.input_shape)


def _extents(shape: Any) -> bool:
    """Whether it is the shape of an example, or none."""
    return shape is None or (isinstance(shape, list) and all(n is None or (type(n) is int and n > 0) for n in shape))
