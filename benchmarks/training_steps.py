"""Training steps of small models, one of each kind that people train: what a function is made of, and data for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import symdl
import symdl.tensor as T
from symdl import nn
from symdl.graph.expr import Expr

DTYPE = "float32"


@dataclass(frozen=True)
class Step:
    """A training step: its inputs, the loss, the updates, and arguments for the inputs."""

    inputs: Sequence[Expr]
    loss: Expr
    updates: Sequence[tuple[Any, Expr]]
    arguments: Sequence[Any]

    def function(self, precision: str) -> Any:
        return symdl.function(self.inputs, self.loss, updates=self.updates, precision=precision)


def dense(units: int, activation: str, name: str) -> nn.Dense:
    return nn.Dense(units, activation, dtype=DTYPE, name=name)


def columns(name: str, width: int) -> Any:
    """A variable for rows of so many numbers."""
    return T.tensor(name, dtype=DTYPE, shape=(None, width))


def images(rows: int, columns: int) -> Any:
    """Numbers in [0, 1], as pixels are."""
    return np.random.default_rng(1).random((rows, columns), np.float32)


def labels(rows: int, classes: int) -> Any:
    return np.random.default_rng(2).integers(0, classes, rows).astype(np.int32)


def perceptron(sizes: Sequence[int] = (784, 512, 128, 10), rows: int = 256) -> Step:
    """relu layers, softmax, cross-entropy by labels, Adam."""
    y = T.ivector("y")
    kinds = ["relu"] * (len(sizes) - 2) + ["softmax"]
    x = T.tensor("x", dtype=DTYPE, shape=(None, sizes[0]))
    net = nn.Sequential([dense(n, kind, f"layer{k}") for k, (n, kind) in enumerate(zip(sizes[1:], kinds, strict=True))])
    loss = nn.categorical_crossentropy(net(x), y).mean()
    return Step(
        [x, y], loss, nn.Adam().updates(loss, net.parameters), [images(rows, sizes[0]), labels(rows, sizes[-1])]
    )


def autoencoder(visible: int = 784, hidden: int = 256, rows: int = 128, squared: bool = False) -> Step:
    """sigmoid layers with tied weights, binary cross-entropy or squared error, SGD."""
    x, layer = columns("x", visible), dense(hidden, "sigmoid", "encoder")
    back = symdl.shared(np.zeros(visible, DTYPE), "back")
    code = layer(x)
    seen = T.sigmoid(code @ layer.W.T + back)
    error = (seen - x) ** 2 if squared else T.binary_crossentropy(seen, x)
    loss = error.sum(axis=1).mean()
    return Step([x], loss, nn.SGD(0.1).updates(loss, [*layer.parameters, back]), [images(rows, visible)])


def variational_autoencoder(visible: int = 784, hidden: int = 256, code: int = 20, rows: int = 128) -> Step:
    """Gaussian code, Bernoulli pixels, the bound by one sample (Kingma and Welling 2014), Adam."""
    x, stream = columns("x", visible), T.RandomStream(seed=3)
    encoder, mean = dense(hidden, "tanh", "encoder"), dense(code, "linear", "mean")
    spread = dense(code, "linear", "log_variance")
    decoder, pixels = dense(hidden, "tanh", "decoder"), dense(visible, "sigmoid", "pixels")
    h = encoder(x)
    mu, log_variance = mean(h), spread(h)
    z = mu + T.exp(0.5 * log_variance) * stream.normal((x.shape[0], code), dtype=DTYPE)
    likelihood = T.binary_crossentropy(pixels(decoder(z)), x).sum(axis=1)
    divergence = -0.5 * (1 + log_variance - mu * mu - T.exp(log_variance)).sum(axis=1)
    loss = (likelihood + divergence).mean()
    parameters = nn.Chain([encoder, mean, spread, decoder, pixels]).parameters
    return Step([x], loss, nn.Adam().updates(loss, parameters), [images(rows, visible)])


def boltzmann_machine(visible: int = 784, hidden: int = 256, rows: int = 128) -> Step:
    """A restricted Boltzmann machine, contrastive divergence with one step (Hinton 2002), by free energies, SGD."""
    v, stream = columns("v", visible), T.RandomStream(seed=4)
    layer = dense(hidden, "linear", "machine")
    back = symdl.shared(np.zeros(visible, DTYPE), "back")

    def drawn(p: Expr) -> Expr:
        return stream.bernoulli(p.shape, p).astype(DTYPE)

    h = drawn(T.sigmoid(layer(v)))
    model = T.disconnected_grad(drawn(T.sigmoid(h @ layer.W.T + back)))

    def free_energy(x: Expr) -> Expr:
        return -(x @ back) - T.softplus(layer(x)).sum(axis=1)

    loss = free_energy(v).mean() - free_energy(model).mean()
    return Step([v], loss, nn.SGD(0.1).updates(loss, [*layer.parameters, back]), [images(rows, visible)])


def long_short_term_memory(
    inputs: int = 64, hidden: int = 128, steps: int = 5, classes: int = 10, rows: int = 64
) -> Step:
    """An LSTM (Hochreiter and Schmidhuber 1997) written out for a few steps, its last state classified, SGD."""
    x, y = T.tensor("x", dtype=DTYPE, shape=(steps, None, inputs)), T.ivector("y")
    gates, top = dense(4 * hidden, "linear", "gates"), dense(classes, "softmax", "top")
    h: Expr = T.zeros((x.shape[1], hidden), DTYPE)
    state = h
    for t in range(steps):
        a = gates(T.concatenate([x[t], h], axis=1))
        i, f, o, g = (a[:, k * hidden : (k + 1) * hidden] for k in range(4))
        state = T.sigmoid(f) * state + T.sigmoid(i) * T.tanh(g)
        h = T.sigmoid(o) * T.tanh(state)
    loss = nn.categorical_crossentropy(top(h), y).mean()
    data = np.random.default_rng(5).standard_normal((steps, rows, inputs), np.float32)
    updates = nn.SGD(0.1).updates(loss, [*gates.parameters, *top.parameters])
    return Step([x, y], loss, updates, [data, labels(rows, classes)])


def lenet(rows: int = 64) -> Step:
    """Two convolutions with pooling and two layers, as LeNet-5 (LeCun, Bottou, Bengio and Haffner 1998), relu, Adam."""
    x, y = T.tensor("x", dtype=DTYPE, shape=(None, 1, 28, 28)), T.ivector("y")
    first: Any = {"data_format": "channels_first"}
    net = nn.Sequential(
        [
            nn.Conv2D(8, 5, activation="relu", name="first", **first), nn.MaxPooling2D(2, **first),
            nn.Conv2D(16, 5, activation="relu", name="second", **first), nn.MaxPooling2D(2, **first),
            nn.Flatten(), dense(64, "relu", "hidden"), dense(10, "softmax", "top"),
        ]
    )  # fmt: skip
    loss = nn.categorical_crossentropy(net(x), y).mean()
    data = images(rows, 784).reshape(rows, 1, 28, 28)
    return Step([x, y], loss, nn.Adam().updates(loss, net.parameters), [data, labels(rows, 10)])


STEPS: dict[str, Callable[[], Step]] = {
    "perceptron": perceptron,
    "LeNet": lenet,
    "autoencoder": autoencoder,
    "autoencoder, squared": partial(autoencoder, squared=True),
    "variational autoencoder": variational_autoencoder,
    "Boltzmann machine": boltzmann_machine,
    "LSTM": long_short_term_memory,
}

SMALL_STEPS: dict[str, Callable[[], Step]] = {  # the same kinds, so small that an emulated GPU does them
    "perceptron": partial(perceptron, (20, 12, 7, 5), 9),
    "LeNet": partial(lenet, 2),
    "autoencoder": partial(autoencoder, 17, 6, 9),
    "autoencoder, squared": partial(autoencoder, 17, 6, 9, squared=True),
    "variational autoencoder": partial(variational_autoencoder, 17, 6, 3, 9),
    "Boltzmann machine": partial(boltzmann_machine, 17, 6, 9),
    "LSTM": partial(long_short_term_memory, 6, 5, 3, 4, 7),
}
