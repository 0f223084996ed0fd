"""Recurrent layers over sequences x[n, steps, features]: the simple one, the LSTM, the GRU, each one scan.

What the input brings is one product for all steps; only what the state brings is in the loop. Gates stand side by side
in the weights, in Keras' order.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

import symdl.tensor as T
from symdl.control import scan
from symdl.errors import ShapeError
from symdl.graph.expr import Expr
from symdl.nn.activations import Activation as Function
from symdl.nn.activations import activation as _activation
from symdl.nn.dense import penalty_of
from symdl.nn.initializers import Initializer
from symdl.nn.initializers import initializer as _initializer
from symdl.nn.layer import Array, Layer, Training, axes_needed, extent
from symdl.nn.regularizers import Regularizer
from symdl.nn.regularizers import regularizer as _regularizer


class _Recurrent(Layer):
    """What recurrent layers have in common: W[features, gates * units] of the input, U[units, gates * units] of the state."""

    gates: ClassVar[int]

    def __init__(
        self,
        units: int,
        activation: str | Function = "tanh",
        *,
        use_bias: bool = True,
        kernel_initializer: str | Initializer = "glorot_uniform",
        recurrent_initializer: str | Initializer = "orthogonal",
        bias_initializer: str | Initializer = "zeros",
        kernel_regularizer: str | Regularizer | None = None,
        recurrent_regularizer: str | Regularizer | None = None,
        bias_regularizer: str | Regularizer | None = None,
        return_sequences: bool = False,
        go_backwards: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        if units < 1:
            raise ShapeError(f"{type(self).__name__}: {units} units; there must be at least 1")
        self.units, self.use_bias = units, use_bias
        self.return_sequences, self.go_backwards = return_sequences, go_backwards
        self.activation = _activation(activation)
        self.kernel_initializer, self.recurrent_initializer, self.bias_initializer = map(
            _initializer, (kernel_initializer, recurrent_initializer, bias_initializer)
        )
        self.kernel_regularizer, self.recurrent_regularizer, self.bias_regularizer = map(
            _regularizer, (kernel_regularizer, recurrent_regularizer, bias_regularizer)
        )

    def build(self, x: Expr) -> None:
        axes_needed(x, 3, self, "sequences[n, steps, features]")
        wide = self.gates * self.units
        self.W = self.parameter("W", (extent(x, -1, self), wide), self.kernel_initializer)
        self.U = self.parameter("U", (self.units, wide), self.recurrent_initializer)
        if self.use_bias:
            self.b = self.parameter("b", self.bias_shape, self.first_bias)

    @property
    def bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def first_bias(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """How b begins."""
        return self.bias_initializer(rng, shape)

    def call(self, x: Expr, training: Training | None) -> Expr:
        axes_needed(x, 3, self, "sequences[n, steps, features]")
        z = T.dimshuffle(x, 1, 0, 2) @ self.W  # steps first: scan takes a row of it each step
        if self.use_bias:
            z = z + self.input_bias()
        start = T.zeros((x.shape[0], self.units), dtype=z.dtype)
        states = self.run(z, start)
        if self.return_sequences:
            return T.dimshuffle(states, 1, 0, 2)
        return states[-1]

    def input_bias(self) -> Expr:
        """What the input's product gains."""
        return self.b

    @abstractmethod
    def run(self, z: Expr, start: Expr) -> Expr:
        """The states of all steps, from z[steps, n, gates * units] and the first state."""

    def parts(self, z: Expr) -> list[Expr]:
        """One part of the last axis a gate."""
        return [z[..., k * self.units : (k + 1) * self.units] for k in range(self.gates)]

    def penalty(self) -> Expr | None:
        return penalty_of(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.units}{f', name={self.name!r}' if self.name else ''})"


class SimpleRNN(_Recurrent):
    """h[t] = activation(x[t] @ W + h[t-1] @ U + b) (Elman, 1990). The result is the last h, or with return_sequences all.

    go_backwards: from the last step to the first. Initializers and regularizers as for Dense; recurrent_ is of U.
    """

    kind, gates = "simple_rnn", 1

    def run(self, z: Expr, start: Expr) -> Expr:
        def step(row: Expr, h: Expr) -> Expr:
            return self.activation(row + h @ self.U)

        states: Expr = scan(step, z, [start], go_backwards=self.go_backwards)[0]
        return states


class LSTM(_Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997; forget gate: Gers, Schmidhuber and Cummins, 2000).

        i, f, g, o = x[t] @ W + h[t-1] @ U + b
        c[t] = sigmoid(f) c[t-1] + sigmoid(i) activation(g),    h[t] = sigmoid(o) activation(c[t])

    recurrent_activation stands for sigmoid. unit_forget_bias: b of the forget gate begins at 1. Other settings as for SimpleRNN.
    """

    kind, gates = "lstm", 4

    def __init__(
        self,
        units: int,
        activation: str | Function = "tanh",
        recurrent_activation: str | Function = "sigmoid",
        *,
        unit_forget_bias: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(units, activation, **settings)
        self.recurrent_activation = _activation(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias

    def first_bias(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        value = super().first_bias(rng, shape)
        if self.unit_forget_bias:
            value[self.units : 2 * self.units] = 1
        return value

    def run(self, z: Expr, start: Expr) -> Expr:
        def step(row: Expr, h: Expr, c: Expr) -> list[Expr]:
            i, f, g, o = self.parts(row + h @ self.U)
            gate = self.recurrent_activation
            c = gate(f) * c + gate(i) * self.activation(g)
            return [gate(o) * self.activation(c), c]

        states, _ = scan(step, z, [start, start], go_backwards=self.go_backwards)[0]
        found: Expr = states
        return found


class GRU(_Recurrent):
    """The gated recurrent unit (Cho et al., 2014), with the reset after the product, which has a bias of its own: b[2, 3 units].

        z = sigmoid(x_z + h_z), r = sigmoid(x_r + h_r), g = activation(x_g + r h_g),  h[t] = z h[t-1] + (1 - z) g

    where x_. = x[t] @ W + b[0] and h_. = h[t-1] @ U + b[1]. Settings as for LSTM.
    """

    kind, gates = "gru", 3

    def __init__(
        self,
        units: int,
        activation: str | Function = "tanh",
        recurrent_activation: str | Function = "sigmoid",
        **settings: Any,
    ) -> None:
        super().__init__(units, activation, **settings)
        self.recurrent_activation = _activation(recurrent_activation)

    @property
    def bias_shape(self) -> tuple[int, ...]:
        return (2, self.gates * self.units)

    def input_bias(self) -> Expr:
        return self.b[0]

    def run(self, z: Expr, start: Expr) -> Expr:
        def step(row: Expr, h: Expr) -> Expr:
            wide = h @ self.U + self.b[1] if self.use_bias else h @ self.U
            (x_z, x_r, x_g), (h_z, h_r, h_g) = self.parts(row), self.parts(wide)
            gate = self.recurrent_activation
            update = gate(x_z + h_z)
            return update * h + (1 - update) * self.activation(x_g + gate(x_r + h_r) * h_g)

        states: Expr = scan(step, z, [start], go_backwards=self.go_backwards)[0]
        return states
