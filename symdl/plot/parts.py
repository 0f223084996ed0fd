"""What pictures need to know of layers: their parts one by one, without the last or without any nonlinearity.

A layer is a function of expressions. What more is used is used where it is there: `layers` of a model, `activation`,
`data_format`, `kernel_size` and the like, by the names that Keras has for them.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import symdl.tensor as T
from symdl.errors import ConfigError, ShapeError
from symdl.functions import Function, function
from symdl.graph.expr import Expr
from symdl.plot.canvas import Array

Layer = Callable[[Expr], Expr]
ROWS = 256  # examples at a time: bounds memory, not results


def flat(model: Any) -> list[Layer]:
    """The layers of a model one after another, those of inner models in their place; a lone layer is a list of one."""
    if isinstance(model, list | tuple):
        return [one for part in model for one in flat(part)]
    inner = layers_of(model)
    return [model] if inner is None else [one for part in inner for one in flat(part)]


def layers_of(model: Any) -> list[Any] | None:
    """The layers of a model, or of the network in a model of the zoo; None for a lone layer."""
    for one in (model, getattr(model, "model", None)):
        found = getattr(one, "layers", None)
        if isinstance(found, list | tuple):
            return list(found)
    return None


def position(layers: list[Layer], layer: Any) -> int:
    """The place of a layer among others: itself, its name, or its number, from the end if negative.

    Raises ConfigError when it is not there.
    """
    names = [getattr(one, "name", None) for one in layers]
    if isinstance(layer, int) and -len(layers) <= layer < len(layers):
        return layer % len(layers)
    if isinstance(layer, str) and layer in names:
        return names.index(layer)
    for k, one in enumerate(layers):
        if one is layer:
            return k
    raise ConfigError(f"there is no layer {layer!r} in the model", (), f"layers: {', '.join(map(str, names))}")


def activation_name(layer: Layer) -> str:
    """The name of a layer's activation, "linear" for none."""
    activation = getattr(layer, "activation", None)
    if activation is None:
        return "linear"
    return str(getattr(activation, "__name__", "") or getattr(activation, "name", "") or activation)


def unactivated(layer: Layer) -> Layer:
    """The layer before its activation; the layer itself where it has none."""
    if activation_name(layer) == "linear":
        return layer
    before: Any = copy.copy(layer)  # with the same parameters
    before.activation = lambda z: z
    return before  # type: ignore[no-any-return]


def logits(model: Any) -> Layer:
    """The model without the softmax or sigmoid that its last layer ends in: what a class's evidence is."""
    layers = flat(model)
    if len(layers) == 1 and activation_name(layers[0]) == "linear":
        return layers[0]
    last = unactivated(layers[-1]) if activation_name(layers[-1]) in ("softmax", "sigmoid") else layers[-1]

    def before(x: Expr) -> Expr:
        for layer in layers[:-1]:
            x = layer(x)
        return last(x)

    return before


def like(x: Array, name: str = "x") -> Expr:
    """A variable for arrays of x's dtype and shape, of any number of examples."""
    return T.tensor(name, dtype=x.dtype.name, shape=(None, *x.shape[1:]))


def compiled(layer: Layer, x: Array) -> Function:
    """A layer, or a model, as a function of arrays like x."""
    variable = like(x)
    return function([variable], layer(variable))


def applied(f: Callable[..., Any], *arrays: Array) -> Array:
    """f of arrays of many examples, some at a time."""
    pieces = [f(*(a[k : k + ROWS] for a in arrays)) for k in range(0, max(len(arrays[0]), 1), ROWS)]
    return np.concatenate([np.asarray(p) for p in pieces])


def forward(layers: list[Layer], x: Array) -> Iterator[Array]:
    """What each layer makes of x."""
    for layer in layers:
        x = applied(compiled(layer, x), x)
        yield x


def channels_last(layers: list[Layer], upto: int) -> bool:
    """Whether the result of a layer (of -1: the input) has its channels last, as the nearest layer that says so has them."""
    for layer in [*layers[: upto + 1][::-1], *layers[upto + 1 :]]:
        said = getattr(layer, "data_format", None)
        if said is not None:
            return bool(said == "channels_last")
    return True


def channels_first(x: Array, last: bool) -> Array:
    """Values [n, ...] as [n, channels, ...]."""
    return np.moveaxis(x, -1, 1) if last and x.ndim > 2 else x


def examples(x: Any, model: Any = None) -> Array:
    """Data as a float array with at least one row; float32 for what is no float.

    model: where it says what shape an example has, rows of numbers become such examples; ShapeError for what does not fit.
    """
    given = np.asarray(x)
    rows: Array = np.ascontiguousarray(given, dtype=given.dtype if given.dtype.kind == "f" else np.float32)
    shape = shape_of(model)
    if shape is None:
        return rows
    found = _fitted(rows, shape)
    if found is None:
        raise ShapeError(
            "data do not fit the model", [("x", _shown(rows.shape), ""), ("examples", _shown(("n", *shape)), "")]
        )
    return found


def one_example(x: Any, model: Any) -> Array:
    """One example, also as a batch of one, as the model takes it: [1, ...]. Raises ShapeError for several, or other shapes."""
    rows, shape = examples(x), shape_of(model)
    if shape is None:
        alone: Array = rows[None]
        return alone
    for batch in (rows[None], rows):
        if len(batch) == 1 and (found := _fitted(batch, shape)) is not None:
            return found
    raise ShapeError(
        "one example is wanted, as the model takes it", [("x", _shown(rows.shape), ""), ("example", _shown(shape), "")]
    )


def shape_of(model: Any) -> tuple[int, ...] | None:
    """The shape of an example where the model says it: `input_shape` in Keras' words, `shape` in those of the zoo."""
    said = getattr(model, "input_shape", None) or getattr(model, "shape", None)
    return tuple(said) if isinstance(said, list | tuple) and all(isinstance(n, int) for n in said) else None


def _fitted(x: Array, shape: tuple[int, ...]) -> Array | None:
    """x[n, ...] as examples of this shape: rows of their numbers, and images without their one channel, are brought to it."""
    if not x.ndim:
        return None
    own = x.shape[1:]
    if own == shape or own in ((math.prod(shape),), tuple(n for n in shape if n != 1)):
        return x.reshape(len(x), *shape)
    return None


def _shown(shape: tuple[Any, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]"
