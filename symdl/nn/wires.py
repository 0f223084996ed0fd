"""What stands for a tensor while a `Model` is put together: which layer makes it, of what; and Input, where all begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import symdl.tensor as T
from symdl.errors import ConfigError, ShapeError, SymbolicError
from symdl.graph.expr import Expr
from symdl.nn.layer import Extents, Layer, Symbolic, static
from symdl.nn.merging import Add, Multiply, Subtract
from symdl.nn.reshaping import Rescaling


class Wire(Symbolic):
    """The result of a layer that was called with other wires.

    meaning: the expression that the layer made of theirs, whose type is known. `+`, `-`, `*` of wires are the layers Add,
    Subtract and Multiply, with numbers Rescaling; whatever else a layer does not do is a layer of one's own.
    """

    def __init__(self, meaning: Expr, call: Call | None, index: int = 0) -> None:
        self.meaning, self.made_by, self.index = meaning, call, index

    @property
    def shape(self) -> Extents:
        """Of a batch; None for the number of examples."""
        return static(self.meaning)

    @property
    def ndim(self) -> int:
        """How many axes a batch has."""
        return self.meaning.ndim

    @property
    def dtype(self) -> str:
        """float32, say."""
        return self.meaning.dtype

    @property
    def sources(self) -> tuple[Wire, ...]:
        """What the layer was called with."""
        return self.made_by.sources if self.made_by is not None else ()

    def through(self, layer: Layer, x: Any) -> Any:
        given = list(x) if isinstance(x, list | tuple) else [x]
        for one in given:
            if not isinstance(one, Wire):
                raise ConfigError(f"{layer.title}: {one!r} is not what Input or a layer gives")
        if layer.dtype is None:
            layer.dtype = next((w.dtype for w in given if w.dtype.startswith("float")), "float32")
        first = not layer.built
        meanings = [taken(w.meaning, layer) for w in given]
        made = layer(meanings if isinstance(x, list | tuple) else meanings[0])
        layer.waiting = layer.waiting or first
        call = Call(layer, tuple(given), isinstance(x, list | tuple))
        call.results = tuple(Wire(m, call, k) for k, m in enumerate(made if isinstance(made, list) else [made]))
        layer.wires.append(call.results[0] if len(call.results) == 1 else list(call.results))
        return layer.wires[-1]

    def __add__(self, other: Any) -> Any:
        return Add()([self, other]) if isinstance(other, Wire) else Rescaling(1.0, number(other))(self)

    def __radd__(self, other: Any) -> Any:
        return Rescaling(1.0, number(other))(self)

    def __sub__(self, other: Any) -> Any:
        return Subtract()([self, other]) if isinstance(other, Wire) else Rescaling(1.0, -number(other))(self)

    def __rsub__(self, other: Any) -> Any:
        return Rescaling(-1.0, number(other))(self)

    def __mul__(self, other: Any) -> Any:
        return Multiply()([self, other]) if isinstance(other, Wire) else Rescaling(number(other))(self)

    def __rmul__(self, other: Any) -> Any:
        return Rescaling(number(other))(self)

    def __truediv__(self, other: Any) -> Any:
        if isinstance(other, Wire):
            raise ConfigError(
                "a quotient of two layers' results is a layer of one's own: class Quotient(symdl.nn.Layer)"
            )
        return Rescaling(1 / number(other))(self)

    def __neg__(self) -> Any:
        return Rescaling(-1.0)(self)

    def __bool__(self) -> bool:
        raise SymbolicError(f"{self!r} has no value: it stands for what a layer will make")

    def __repr__(self) -> str:
        made = f", made by {self.made_by.layer.name or self.made_by.layer.kind}" if self.made_by is not None else ""
        return f"Wire({self.meaning.type}{made})"


class Call:
    """One call of a layer: with what, and what came out. listed: whether it was called with a list."""

    results: tuple[Wire, ...]

    def __init__(self, layer: Layer, sources: tuple[Wire, ...], listed: bool) -> None:
        self.layer, self.sources, self.listed = layer, sources, listed

    @property
    def index(self) -> int:
        """Which call of its layer it is, counted from 0."""
        first = [w[0] if isinstance(w, list) else w for w in self.layer.wires]
        return next(k for k, w in enumerate(first) if w.made_by is self)


class Input(Wire):
    """The shape of one example, and its dtype: the first entry of a Sequential, and where a Model begins.

        x = Input((784,))
        model = Model(x, Dense(10, "softmax")(x))

    dtype: float32 if not given. name: of the array in dicts of data. None in the shape is an extent that may be anything.
    """

    def __init__(self, shape: Sequence[int | None], dtype: str | None = None, name: str | None = None) -> None:
        if isinstance(shape, int):
            raise ShapeError(f"Input: the shape of an example is a tuple, ({shape},)")
        self.input_shape: Extents = tuple(shape)
        self.given_dtype, self.name = dtype, name
        super().__init__(T.tensor(name or "x", dtype=dtype or "float32", shape=(None, *shape)), None)

    def __repr__(self) -> str:
        return f"Input({self.input_shape}{f', name={self.name!r}' if self.name else ''})"


def taken(x: Expr, layer: Layer) -> Expr:
    """x in the dtype that the layer takes."""
    first = next(layer.flat(), layer) if hasattr(layer, "flat") else layer
    return x.astype("int64") if first.takes == "integers" and x.dtype.startswith("float") else x


def number(value: Any) -> float:
    """value as a number. Raises ConfigError for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise ConfigError(
            f"{value!r} meets what stands for a layer's result",
            (),
            "There are numbers, other layers' results, and layers of one's own.",
        )
    return float(value)
