"""Dense networks as graphs whose every extent is open, so that one compilation serves all data and all sizes of layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

import symdl.tensor as T
from symdl.functions import Function, function
from symdl.graph.expr import Expr
from symdl.nn.objective import Objective
from symdl.runtime.storage import SharedVariable, shared
from symdl.sklearn.conventions import Array

ACTIVATIONS: dict[str, Callable[[Expr], Expr]] = {
    "identity": lambda z: z,
    "logistic": T.sigmoid,
    "tanh": T.tanh,
    "relu": T.relu,
}
OUTPUTS: dict[str, Callable[[Expr], Expr]] = {**ACTIVATIONS, "softmax": T.softmax, "exp": T.exp}
PIECE = 4096  # rows that a prediction takes at a time: bounds memory, not results


@dataclass(frozen=True)
class Architecture:
    """layers: how many matrices of weights. activation: of the hidden layers. output: that of the last, which also says what
    is made small: softmax and logistic have the cross-entropy, exp the Poisson deviance, identity half the squared error."""

    layers: int
    activation: str
    output: str
    dtype: str

    def shapes(self) -> list[tuple[int | None, ...]]:
        """Of W0, W1, ..., b0, b1, ...: None where an extent is open."""
        return [(None, None)] * self.layers + [(None,)] * self.layers

    def prediction(self, x: Expr, parameters: Sequence[Expr]) -> Expr:
        """output(... activation(x @ W0 + b0) ... @ W1 + b1): the parameters are W0, W1, ..., b0, b1, ..."""
        act = ACTIVATIONS[self.activation]
        weights, biases = parameters[: self.layers], parameters[self.layers :]
        for k, (W, b) in enumerate(zip(weights, biases, strict=True)):
            z = x @ W + b
            x = OUTPUTS[self.output](z) if k == self.layers - 1 else act(z)
        return x

    def losses(self, prediction: Expr, y: Expr) -> Expr:
        """What an example costs: y[n] holds labels where output is softmax, else y[n, outputs] numbers."""
        match self.output:
            case "softmax":
                return T.categorical_crossentropy(prediction, y)
            case "logistic":
                return T.binary_crossentropy(prediction, y).sum(axis=1)
            case "exp":
                return (T.xlogy(y, y / prediction) - y + prediction).sum(axis=1)
            case _:
                return ((y - prediction) ** 2).sum(axis=1) / 2

    def objective(self, parameters: Sequence[SharedVariable], alpha: float, biases: bool = True) -> Objective:
        """To predict y from x: the mean loss of a batch, each example counting by its weight, and alpha / 2 sum W**2 over the
        sum of the weights. `loss` is reported as scikit-learn has it: a mean over the outputs where they are numbers.
        biases: whether they are trained. alpha is a shared scalar, so that a search over it compiles once."""
        strength = shared(np.asarray(alpha, self.dtype), "alpha")
        x, w = T.tensor("x", dtype=self.dtype, shape=(None, None)), T.tensor("w", dtype=self.dtype, shape=(None,))
        labels = self.output == "softmax"
        y = T.lvector("y") if labels else T.tensor("y", dtype=self.dtype, shape=(None, None))
        prediction = self.prediction(x, parameters)
        losses = self.losses(prediction, y)
        total = w.sum()
        total = T.where(total > 0, total, 1)  # a batch that counts nothing
        cost = (losses * w).sum() / total
        reported = cost / y.shape[1].astype(self.dtype) if self.output == "identity" else cost
        penalty = sum(((W * W).sum() for W in parameters[: self.layers]), T.constant(np.zeros((), self.dtype)))
        penalty = strength / 2 * penalty / total
        return Objective(
            inputs=[x, y, w],
            losses=cost,
            parameters=parameters if biases else parameters[: self.layers],
            measures={"loss": reported + penalty},
            penalty=penalty,
            state=[strength, *([] if biases else parameters[self.layers :])],
            prediction=prediction,
        )


def made(architecture: Architecture, values: Sequence[Array]) -> list[SharedVariable]:
    """Parameters W0, W1, ..., b0, b1, ... with these values."""
    shapes = architecture.shapes()
    return [shared(v, n, shape=s) for v, n, s in zip(values, names(architecture), shapes, strict=True)]


def names(architecture: Architecture) -> list[str]:
    """Of the parameters."""
    return [f"{kind}{k}" for kind in "Wb" for k in range(architecture.layers)]


@cache
def forward(architecture: Architecture) -> Function:
    """(x, W0, W1, ..., b0, b1, ...) -> the prediction, compiled. Many threads may call it."""
    dtype = architecture.dtype
    x = T.tensor("x", dtype=dtype, shape=(None, None))
    shapes = zip(names(architecture), architecture.shapes(), strict=True)
    parameters = [T.tensor(name, dtype=dtype, shape=shape) for name, shape in shapes]
    return function([x, *parameters], architecture.prediction(x, parameters), name="forward")


def in_pieces(f: Any, x: Array, *parameters: Array) -> Array:
    """f(x, *parameters), a few thousand rows at a time."""
    if len(x) <= PIECE:
        found: Array = f(x, *parameters)
        return found
    return np.concatenate([f(x[k : k + PIECE], *parameters) for k in range(0, len(x), PIECE)])


def drawn(sizes: Sequence[int], activation: str, dtype: Any, random: np.random.RandomState) -> list[Array]:
    """First parameters: uniform on +-sqrt(6 / (inputs + outputs)), 2 instead of 6 for logistic units (Glorot and Bengio,
    2010); biases likewise. Drawn layer by layer."""
    weights, biases = [], []
    for fan_in, fan_out in pairwise(sizes):
        bound = np.sqrt((2.0 if activation == "logistic" else 6.0) / (fan_in + fan_out))
        weights.append(random.uniform(-bound, bound, (fan_in, fan_out)).astype(dtype))
        biases.append(random.uniform(-bound, bound, fan_out).astype(dtype))
    return weights + biases
