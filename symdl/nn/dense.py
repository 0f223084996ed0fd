"""Layers over the last axis: weighted sums, activations, the largest of a few, rows of a table."""

from __future__ import annotations

from typing import Any

import symdl.tensor as T
from symdl.errors import ShapeError
from symdl.graph.expr import Expr
from symdl.nn.activations import Activation as Function
from symdl.nn.activations import activation as _activation
from symdl.nn.initializers import Initializer
from symdl.nn.initializers import initializer as _initializer
from symdl.nn.layer import Layer, Training, extent
from symdl.nn.regularizers import Regularizer
from symdl.nn.regularizers import regularizer as _regularizer


class Dense(Layer):
    """activation(x @ W + b): x[..., inputs], W[inputs, units], b[units], the result [..., units].

    kernel_ is of W, bias_ of b: initializers by name or as functions, regularizers ("l1", "l2", L1L2(1e-4, 0)) that the
    cost gains. use_bias=False leaves b out.
    Raises ShapeError for extents below 1, ConfigError for an unknown activation, initializer or regularizer.
    """

    kind = "dense"

    def __init__(
        self,
        units: int,
        activation: str | Function | None = None,
        use_bias: bool = True,
        kernel_initializer: str | Initializer = "glorot_uniform",
        bias_initializer: str | Initializer = "zeros",
        kernel_regularizer: str | Regularizer | None = None,
        bias_regularizer: str | Regularizer | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        if units < 1:
            raise ShapeError(f"Dense: {units} units; there must be at least 1")
        self.units, self.use_bias = units, use_bias
        self.activation = _activation(activation or "linear")
        self.kernel_initializer, self.bias_initializer = (
            _initializer(kernel_initializer),
            _initializer(bias_initializer),
        )
        self.kernel_regularizer, self.bias_regularizer = (
            _regularizer(kernel_regularizer),
            _regularizer(bias_regularizer),
        )

    def build(self, x: Expr) -> None:
        inputs = extent(x, -1, self)
        if inputs < 1:
            raise ShapeError(f"{self}: {inputs} inputs; there must be at least 1", [(str(x), str(x.type), "")])
        self.W = self.parameter("W", (inputs, self.units), self.kernel_initializer)
        if self.use_bias:
            self.b = self.parameter("b", (self.units,), self.bias_initializer)

    def call(self, x: Expr, training: Training | None) -> Expr:
        z = x @ self.W
        return self.activation(z + self.b if self.use_bias else z)

    def penalty(self) -> Expr | None:
        return penalty_of(self)

    def __repr__(self) -> str:
        return f"Dense({self.units}{f', name={self.name!r}' if self.name else ''})"


class Activation(Layer):
    """A function of each element, or of each row: by name, or as it is."""

    kind = "activation"

    def __init__(self, activation: str | Function, **settings: Any) -> None:
        super().__init__(**settings)
        self.activation = _activation(activation)

    def call(self, x: Expr, training: Training | None) -> Expr:
        return self.activation(x)


class Maxout(Layer):
    """The largest of `pieces` weighted sums: max over k of x @ W_k + b_k (Goodfellow et al., 2013).

    The sums stand side by side in W[inputs, units * pieces].
    """

    kind = "maxout"

    def __init__(
        self,
        units: int,
        pieces: int = 2,
        kernel_initializer: str | Initializer = "glorot_uniform",
        bias_initializer: str | Initializer = "zeros",
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        if min(units, pieces) < 1:
            raise ShapeError(f"Maxout: {units} units of {pieces} pieces; there must be at least 1 of each")
        self.units, self.pieces = units, pieces
        self.kernel_initializer, self.bias_initializer = (
            _initializer(kernel_initializer),
            _initializer(bias_initializer),
        )

    def build(self, x: Expr) -> None:
        wide = self.units * self.pieces
        self.W = self.parameter("W", (extent(x, -1, self), wide), self.kernel_initializer)
        self.b = self.parameter("b", (wide,), self.bias_initializer)

    def call(self, x: Expr, training: Training | None) -> Expr:
        return T.maxout(x @ self.W + self.b, self.pieces, axis=-1)


class Embedding(Layer):
    """W[x]: for each integer in x, below input_dim, a row of W[input_dim, output_dim]; the result [..., output_dim].

    Raises IndexRangeError, when it runs, for an integer that W has no row for.
    """

    kind = "embedding"
    takes = "integers"

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: str | Initializer = "random_uniform",
        embeddings_regularizer: str | Regularizer | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        if min(input_dim, output_dim) < 1:
            raise ShapeError(f"Embedding: {input_dim} rows of {output_dim} numbers; there must be at least 1 of each")
        self.input_dim, self.output_dim = input_dim, output_dim
        self.embeddings_initializer = _initializer(embeddings_initializer)
        self.kernel_regularizer = _regularizer(embeddings_regularizer)

    def build(self, x: Expr) -> None:
        self.W = self.parameter("W", (self.input_dim, self.output_dim), self.embeddings_initializer)

    def call(self, x: Expr, training: Training | None) -> Expr:
        return T.embedding(x, self.W)

    def penalty(self) -> Expr | None:
        return penalty_of(self)


def penalty_of(layer: Any) -> Expr | None:
    """What the regularizers of a layer's weights W, U and b add to the cost; None for nothing."""
    pairs = [("kernel_regularizer", "W"), ("recurrent_regularizer", "U"), ("bias_regularizer", "b")]
    found = [
        f(getattr(layer, what)) for name, what in pairs if (f := getattr(layer, name, None)) and hasattr(layer, what)
    ]
    terms = [term for term in found if term is not None]
    return sum(terms[1:], terms[0]) if terms else None
