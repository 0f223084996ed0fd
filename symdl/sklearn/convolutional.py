"""Convolutional networks for images that come as rows of numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

import symdl.tensor as T
from symdl.errors import ShapeError
from symdl.graph.expr import Expr
from symdl.sklearn.conventions import Array, Rule, either, many, one_of, whole
from symdl.sklearn.multilayer import Multilayer
from symdl.sklearn.networks import ACTIVATIONS, Architecture, drawn
from symdl.sklearn.perceptrons import MLPClassifier

IMAGE = Rule(
    lambda v: isinstance(v, Sequence) and len(v) in (2, 3) and all(whole(1).holds(n) for n in v),
    "(rows, columns) or (channels, rows, columns)",
)


@dataclass(frozen=True)
class ImageArchitecture(Architecture):
    """Convolutions that keep the size of the image, each followed by pooling by 2, then dense layers.

    image: channels, rows, columns of what a row of x is in C order. hidden: units of the dense layers before the last."""

    image: tuple[int, int, int]
    filters: tuple[int, ...]
    kernel: int
    hidden: tuple[int, ...]

    def flat(self) -> int:
        """How many numbers the last pooling leaves."""
        rows, columns = self.image[1:]
        for _ in self.filters:
            rows, columns = -(-rows // 2), -(-columns // 2)
        return (self.filters[-1] if self.filters else self.image[0]) * rows * columns

    def shapes(self) -> list[tuple[int | None, ...]]:
        channels = (self.image[0], *self.filters)
        kernels = [(o, i, self.kernel, self.kernel) for i, o in zip(channels, self.filters, strict=False)]
        units = [self.flat(), *self.hidden, None]  # the classes are open
        dense = list(zip(units, units[1:], strict=False))
        return [*kernels, *dense, *[(n,) for n in self.filters], *[(n,) for n in units[1:]]]

    def prediction(self, x: Expr, parameters: Sequence[Expr]) -> Expr:
        """x as images under the filters, then as rows under the dense layers."""
        act, n = ACTIVATIONS[self.activation], len(self.filters)
        weights, biases = parameters[: self.layers], parameters[self.layers :]
        h = x.reshape((x.shape[0], *self.image))
        for W, b in zip(weights[:n], biases[:n], strict=True):
            z = T.correlate(h, W, border_mode="half") + T.dimshuffle(b, "x", 0, "x", "x")
            h = T.pool_2d(act(z), (2, 2), ignore_border=False)
        rows = h.reshape((x.shape[0], self.flat()))
        dense = Architecture(self.layers - n, self.activation, self.output, self.dtype)
        return dense.prediction(rows, [*weights[n:], *biases[n:]])


class CNNClassifier(MLPClassifier):
    """A convolutional network that classifies images (LeCun, Bottou, Bengio and Haffner, 1998).

        CNNClassifier(image_shape=(8, 8), random_state=0).fit(X, y).predict(X)

    image_shape: (rows, columns), or (channels, rows, columns), of what each row of X is in C order; None takes the smallest
    square that holds the features, its last pixels 0. filters: of each convolution, of kernel_size x kernel_size places
    with a border of 0, so that the image keeps its size; each is followed by its activation and max pooling by 2.
    hidden_layer_sizes: of the dense layers between these and the classes. The other settings are those of MLPClassifier.
    """

    RULES: ClassVar = {
        "image_shape": either(one_of(None), IMAGE),
        "filters": many(whole(1)),
        "kernel_size": Rule(lambda v: whole(1).holds(v) and v % 2 == 1, "an odd integer, at least 1"),
        **Multilayer.RULES,
    }
    learning_rate, power_t, momentum, nesterovs_momentum = "constant", 0.5, 0.9, True
    beta_1, beta_2, epsilon, max_fun = 0.9, 0.999, 1e-8, 15000

    def __init__(
        self,
        image_shape: Sequence[int] | None = None,
        filters: int | Sequence[int] = (8, 16),
        kernel_size: int = 3,
        hidden_layer_sizes: int | Sequence[int] = (64,),
        activation: str = "tanh",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = 32,
        learning_rate_init: float = 0.003,
        max_iter: int = 30,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: float = 10,
    ) -> None:
        self.image_shape = image_shape
        self.filters = filters
        self.kernel_size = kernel_size
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change

    def _scaled(self, x: Array, first: bool) -> Array:
        """x with as many numbers a row as the image has. Raises ShapeError where image_shape says another number."""
        if first:
            side = math.isqrt(x.shape[1] - 1) + 1
            given = tuple(int(n) for n in self.image_shape) if self.image_shape is not None else (side, side)
            self.image_shape_ = (1, *given) if len(given) == 2 else given
            if self.image_shape is not None and math.prod(given) != x.shape[1]:
                raise ShapeError(f"{type(self).__name__}: {x.shape[1]} features are no image of shape {given}")
        missing = math.prod(self.image_shape_) - x.shape[1]
        return np.pad(x, ((0, 0), (0, missing))) if missing else x

    @property
    def _architecture(self) -> ImageArchitecture:
        filters = tuple(np.atleast_1d(self.filters).astype(int).tolist())
        channels, rows, columns = self.image_shape_
        return ImageArchitecture(
            layers=len(filters) + len(self._hidden()) + 1,
            activation=self.activation,
            output=self.out_activation_,
            dtype=self._dtype,
            image=(channels, rows, columns),
            filters=filters,
            kernel=int(self.kernel_size),
            hidden=tuple(self._hidden()),
        )

    def _drawn(self, x: Array, random: np.random.RandomState) -> list[Array]:
        self._dtype = str(x.dtype)
        architecture = self._architecture
        kernels = []
        for shape in architecture.shapes()[: len(architecture.filters)]:
            outputs, channels, *places = (int(n or 0) for n in shape)
            bound = math.sqrt(6 / ((outputs + channels) * math.prod(places)))
            kernels.append(random.uniform(-bound, bound, (outputs, channels, *places)).astype(x.dtype))
        dense = drawn([architecture.flat(), *architecture.hidden, self.n_outputs_], self.activation, x.dtype, random)
        half = len(dense) // 2
        return [*kernels, *dense[:half], *[np.zeros(len(k), x.dtype) for k in kernels], *dense[half:]]

    def _batch(self, n: int) -> int:
        return n if isinstance(self.batch_size, str) else min(int(self.batch_size), n)
