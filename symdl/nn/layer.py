"""What a layer is: a call that turns an expression into an expression, and the parameters that it makes at its first call."""

from __future__ import annotations

import inspect
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from symdl.config import config
from symdl.errors import ConfigError, DataError, Part, ShapeError
from symdl.graph.expr import Expr
from symdl.graph.origins import user_line
from symdl.nn.initializers import Initializer, initializer
from symdl.nn.settings import checked
from symdl.random import RandomStream
from symdl.runtime.storage import SharedVariable, shared

Array = np.ndarray[Any, np.dtype[Any]]
Extents = tuple[int | None, ...]  # of an example, or of a batch of them; None where it may be anything


class Symbolic(ABC):
    """What a layer can be called with before there are expressions: it knows how to lead through the layer."""

    @abstractmethod
    def through(self, layer: Layer, x: Any) -> Any:
        """What stands for the layer's result; x: what the layer was called with, self or a list with self in it."""


@dataclass
class Training:
    """What a layer is given in training only: noise to draw from, and room for updates of its own (running means)."""

    noise: RandomStream
    updates: list[tuple[SharedVariable, Expr]] = field(default_factory=list)


class Layer(ABC):
    """The base of layers. A layer makes its parameters when it first meets an expression, whose static extents it needs.

        hidden = Dense(100, "relu")
        h = hidden(x)                   # x: float32[?, 784], so that hidden.W is float32[784, 100]

    name: parameters are called name.W and so on; a model names those that have none. rng: a generator, or a seed of
    one, from which parameters are drawn. dtype: of the parameters; that of the first input if not given, config.floatX
    where this is no float. trainable: set to False, training leaves the parameters as they are, bit for bit.
    input_shape: of one example, for the first layer of a Sequential (input_dim=n says (n,)).
    """

    kind: ClassVar[str] = "layer"
    takes: ClassVar[str] = "floats"  # or "integers": what a model makes of the data that come to its first layer

    def __new__(cls, *args: Any, **settings: Any) -> Self:
        layer = super().__new__(cls)
        layer.given = _settings(cls, args, settings)
        checked(cls.__name__, layer.given, inspect.get_annotations(cls.__init__))
        line = user_line()
        layer.place = f"{os.path.basename(line[0])}:{line[1]}" if line else ""
        return layer

    given: dict[str, Any]  # the settings as written
    place: str  # the user's line that made it

    def __init__(
        self,
        *,
        name: str | None = None,
        rng: np.random.Generator | int | None = None,
        dtype: str | None = None,
        trainable: bool = True,
        input_shape: Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        self.name, self.dtype = name, dtype
        self.rng = None if rng is None else np.random.default_rng(rng)
        self.built = False
        self.prefix = ""  # before the layer's name, in a model inside a model
        self.stored: Mapping[str, Array] | None = None  # values that parameters take when they are made: a file's
        self.input_shape: Extents | None = tuple(input_shape) if input_shape is not None else None
        if input_dim is not None:
            self.input_shape = (input_dim,)
        self.output_shape: Extents | None = None  # of a batch, once built
        self._trainable = trainable
        self.automatic = False  # whether a model gave the layer its name
        self.wires: list[Any] = []  # what its calls with a Symbolic gave, in their order
        self.waiting = False  # for a model that draws the weights: `Model` does, once it knows all its layers
        self._seeded = rng is not None
        self._starts: list[tuple[SharedVariable, Initializer | str]] = []
        self._parameters: list[SharedVariable] = []
        self._state: list[SharedVariable] = []

    def build(self, x: Expr) -> None:  # noqa: B027  # no parameters, unless a layer says so
        """Make the parameters for inputs like x; called once, by the first call of the layer."""

    @abstractmethod
    def call(self, x: Expr, training: Training | None) -> Expr:
        """What the layer makes of x. training: None where the layer is only used."""

    def __call__(self, x: Any, training: Training | None = None) -> Any:
        first = x[0] if isinstance(x, list | tuple) and x else x
        if isinstance(first, Symbolic):
            return first.through(self, x)
        if self.built:
            return self.call(x, training)
        if self.dtype is None:
            self.dtype = first.dtype if first.dtype.startswith("float") else config.floatX
        self.build(x)
        self.built = True
        y = self.call(x, training)
        self.output_shape = static(y)
        return y

    @property
    def output(self) -> Any:
        """What stands for the layer's result in a `Model`. Raises ConfigError where the layer was not called with one, or
        several times."""
        if len(self.wires) != 1:
            raise ConfigError(
                f"{self.title} has {len(self.wires)} outputs: it was called so often with what Input begins"
            )
        return self.wires[0]

    @property
    def input(self) -> Any:
        """What the layer was called with: a list, where that were several. Raises ConfigError as `output` does."""
        sources = self.output.sources
        return sources[0] if len(sources) == 1 else list(sources)

    def draw(self, rng: np.random.Generator) -> None:
        """Draw the weights of a layer that waits for it and has no generator of its own."""
        if self.waiting and not self._seeded:
            self.rng = rng
            for variable, start in self._starts:
                value = variable.get_value(borrow=True)
                variable.set_value(initializer(start)(rng, value.shape).astype(value.dtype))
        self.waiting = False

    @property
    def trainable(self) -> bool:
        """Whether training moves the parameters."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)

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
        name, dtype = f"{self.prefix}{self.name or self.kind}.{what}", self.dtype or config.floatX
        if self.stored is not None:
            value = _fitting(self.stored, name, shape, dtype)
        else:
            if self.rng is None:
                self.rng = np.random.default_rng(0)
            value = initializer(start)(self.rng, shape).astype(dtype)
        variable = shared(value, name)
        self._starts.append((variable, start))
        (self._state if state else self._parameters).append(variable)
        return variable

    # ---- weights as Keras has them ----

    def get_weights(self) -> list[Array]:
        """Copies of the parameters and of the state, in Keras' order and with Keras' axes."""
        return [self.to_keras(v.get_value()) for v in (*self.parameters, *self.state)]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Take up what `get_weights` gave, here or in Keras: all of them, or none. Raises ShapeError for what does not fit."""
        variables = [*self.parameters, *self.state]
        arrays = [np.asarray(w) for w in weights]
        if len(arrays) != len(variables):
            raise ShapeError(f"set_weights: {len(arrays)} arrays meet the {len(variables)} of {self.title}")
        self.waiting = False
        old = [v.get_value(borrow=True) for v in variables]
        wrong: list[Part] = [
            (str(v.name), f"takes {list(self.to_keras(o).shape)}", f"was given {list(a.shape)}")
            for v, o, a in zip(variables, old, arrays, strict=True)
            if self.to_keras(o).shape != a.shape
        ]
        if wrong:
            raise ShapeError(f"set_weights: the arrays do not fit {self.title}", wrong)
        for v, o, a in zip(variables, old, arrays, strict=True):
            v.set_value(self.from_keras(a).astype(o.dtype))

    def to_keras(self, value: Array) -> Array:
        """A weight with its axes in Keras' order."""
        return value

    def from_keras(self, value: Array) -> Array:
        """The other way."""
        return value

    def count_params(self) -> int:
        """How many numbers the layer's weights are, its state included."""
        return sum(v.get_value(borrow=True).size for v in (*self.parameters, *self.state))

    @property
    def title(self) -> str:
        """The layer in messages."""
        return f"the layer {self.name or self.kind} ({type(self).__name__})"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({f'name={self.name!r}' if self.name else ''})"


def extent(x: Expr, axis: int, layer: Layer) -> int:
    """The static extent of an axis of x. Raises ShapeError where it is not known."""
    if x.ndim < (axis + 1 if axis >= 0 else -axis):
        raise ShapeError(
            f"{layer}: x has {x.ndim} axes, too few", [(str(x), str(x.type), ""), (str(layer), "", layer.place)]
        )
    found = x.type.shape[axis]
    if not isinstance(found, int):
        raise ShapeError(
            f"{layer}: the extent of axis {axis} of its input must be known before there are data",
            [(str(x), str(x.type), ""), (str(layer), "", layer.place)],
            'Give it, as in T.tensor("x", shape=(None, 784)).',
        )
    return found


def axes_needed(x: Expr, count: int, layer: Layer, what: str) -> None:
    """Raises ShapeError unless x has so many axes; what: what they are, as in `images[n, rows, columns, channels]`."""
    if x.ndim != count:
        parts = [(str(x), str(x.type), ""), (str(layer), "", layer.place)]
        raise ShapeError(f"{layer}: takes {what}; x has {x.ndim} axes", parts)


def static(x: Expr) -> Extents:
    """The extents of x, None where they are known only when it runs."""
    return tuple(n if isinstance(n, int) else None for n in x.type.shape)


def _fitting(stored: Mapping[str, Array], name: str, shape: tuple[int, ...], dtype: str) -> Array:
    """The stored value of a parameter. Raises DataError where there is none of its shape, before any memory is taken."""
    wanted = f"{dtype}[{', '.join(map(str, shape))}] in the model"
    if name not in stored:
        raise DataError("load: a weight is missing", [(name, "nothing in the file", wanted)])
    value = stored[name]
    if value.shape != shape or value.dtype != dtype:
        found = f"{value.dtype}[{', '.join(map(str, value.shape))}] in the file"
        raise DataError("load: a weight does not fit", [(name, found, wanted)])
    return value


def _settings(cls: type[Layer], args: Sequence[Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a constructor by their names. Those that do not fit are left to the constructor to refuse."""
    try:
        bound = inspect.signature(cls.__init__).bind(None, *args, **settings).arguments
    except TypeError:
        return {}
    bound.pop("self", None)
    more = bound.pop("settings", {})
    return {**bound, **more}
