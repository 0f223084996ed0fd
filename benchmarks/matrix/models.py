"""Cells of whole models: training steps by gradient descent, and predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.matrix.cells import Array, Cell, normal

Layers = Sequence[tuple[int, ...]]


def weights(shapes: Layers) -> Callable[[np.random.Generator], list[Array]]:
    """Normal weights whose sums have the variance of one input; vectors are 0."""

    def make(rng: np.random.Generator) -> list[Array]:
        found = []
        for shape in shapes:
            inputs = int(np.prod(shape[1:])) if len(shape) == 4 else shape[0]
            scale = 0.0 if len(shape) == 1 else 1 / float(np.sqrt(inputs))
            found.append(normal(*shape, scale=scale)(rng))
        return found

    return make


def pixels(*shape: int) -> Callable[[np.random.Generator], list[Array]]:
    """Numbers in 0..1."""
    return lambda rng: [rng.random(shape, np.float32)]


def labelled(classes: int, *shape: int) -> Callable[[np.random.Generator], list[Array]]:
    """Numbers in 0..1 and the label of each row, as one-hot rows, which every engine takes alike."""

    def make(rng: np.random.Generator) -> list[Array]:
        return [rng.random(shape, np.float32), np.eye(classes, dtype=np.float32)[rng.integers(0, classes, shape[0])]]

    return make


def dense(sizes: Sequence[int]) -> list[tuple[int, ...]]:
    """The shapes of weights and biases of layers of these sizes."""
    return [s for a, b in zip(sizes, sizes[1:], strict=False) for s in ((a, b), (b,))]


def logits(m: Any, p: Any, x: Any) -> Any:
    for k in range(0, len(p) - 2, 2):
        x = m.relu(x @ p[k] + p[k + 1])
    return x @ p[-2] + p[-1]


def cross_entropy(m: Any, z: Any, t: Any) -> Any:
    """The mean cost by stable formulas, which the others need."""
    top = m.max(z, axis=1)
    shifted = z - m.stop(top)[:, None]
    return (m.log(m.exp(shifted).sum(1)) - (shifted * t).sum(1)).mean()


def perceptron(m: Any, p: Any, x: Any, t: Any) -> Any:
    return cross_entropy(m, logits(m, p, x), t)


LENET = ((20, 1, 5, 5), (20,), (50, 20, 5, 5), (50,), (800, 500), (500,), (500, 10), (10,))


def lenet_logits(m: Any, p: Any, x: Any) -> Any:
    for k in (0, 2):
        x = m.max_pool(m.relu(m.conv2d(x, p[k]) + m.reshape(p[k + 1], (1, -1, 1, 1))))
    return logits(m, p[4:], m.reshape(x, (x.shape[0], 800)))


def lenet(m: Any, p: Any, x: Any, t: Any) -> Any:
    return cross_entropy(m, lenet_logits(m, p, x), t)


def softplus(m: Any, z: Any) -> Any:
    return m.maximum(z, 0) + m.log1p(m.exp(-m.abs(z)))


def denoising(m: Any, p: Any, x: Any, kept: Any) -> Any:
    """Tied weights, sigmoid, cross-entropy of logits; p: W, b, back."""
    code = m.sigmoid((x * kept) @ p[0] + p[1])
    z = code @ p[0].T + p[2]
    return (softplus(m, z) - x * z).sum(1).mean()


def free_energy(m: Any, p: Any, v: Any) -> Any:
    """Of a Boltzmann machine; p: W, hidden units' b, visible units' b."""
    return -(v @ p[2]) - softplus(m, v @ p[0] + p[1]).sum(1)


def sampled(m: Any, p: Any, v: Any, steps: int) -> Any:
    """Visible units after so many steps of Gibbs sampling."""
    for _ in range(steps):
        h = m.bernoulli(m.sigmoid(v @ p[0] + p[1]))
        v = m.bernoulli(m.sigmoid(h @ p[0].T + p[2]))
    return m.stop(v)


def machine(steps: int) -> Callable[..., Any]:
    """A Boltzmann machine by free energies, the model's samples drawn in so many steps from the data."""

    def loss(m: Any, p: Any, v: Any) -> Any:
        return free_energy(m, p, v).mean() - free_energy(m, p, sampled(m, p, v, steps)).mean()

    return loss


def persistent(steps: int) -> Callable[..., Any]:
    """The same, the samples going on from where they were (Tieleman 2008)."""

    def loss(m: Any, p: Any, chain: Any, v: Any) -> tuple[Any, Any]:
        chain = sampled(m, p, chain, steps)
        return free_energy(m, p, v).mean() - free_energy(m, p, chain).mean(), chain

    return loss


def variational(m: Any, p: Any, x: Any, noise: Any) -> Any:
    """p: encoder, mean, log variance, decoder, pixels, with biases. The noise is an input, alike for all."""
    h = m.tanh(x @ p[0] + p[1])
    mean, spread = h @ p[2] + p[3], h @ p[4] + p[5]
    z = mean + m.exp(0.5 * spread) * noise
    y = m.tanh(z @ p[6] + p[7]) @ p[8] + p[9]
    bound = (softplus(m, y) - x * y).sum(1) - 0.5 * (1 + spread - mean * mean - m.exp(spread)).sum(1)
    return bound.mean()


def recurrent(m: Any, p: Any, x: Any, t: Any) -> Any:
    """An LSTM over x[time, rows, inputs] in each engine's own loop; p: W, b, top, top's b."""
    zeros = x[0][:, 0][:, None] * 0 + p[1][:128] * 0  # of an extent that all know
    return cross_entropy(m, m.lstm(x, zeros, p[0], p[1]) @ p[2] + p[3], t)


def layer_above(m: Any, p: Any, x: Any, w: Any, b: Any) -> Any:
    """Pretraining the second layer of a deep belief network: contrastive divergence on what the first one makes of x."""
    return machine(1)(m, p, m.sigmoid(x @ w + b))


def fine_tuning(m: Any, p: Any, x: Any, t: Any) -> Any:
    """The stack as a network of sigmoid layers."""
    for k in range(0, len(p) - 2, 2):
        x = m.sigmoid(x @ p[k] + p[k + 1])
    return cross_entropy(m, x @ p[-2] + p[-1], t)


def small(m: Any, x: Any, w: Any, b: Any, top: Any) -> Any:
    return m.tanh(x @ w + b) @ top


def hessian_product(m: Any, x: Any, t: Any, w: Any, b: Any, top: Any, v: Any) -> Any:
    """The second derivative of the cost by the weights, times v, as the gradient of a gradient."""

    def slope(weights: Any) -> Any:
        return (m.gradient(lambda u: cross_entropy(m, small(m, x, u, b, top), t), weights) * v).sum()

    return m.gradient(slope, w)


def jacobian(m: Any, x: Any, w: Any, b: Any, top: Any) -> Any:
    """The derivatives of all results by all inputs, of one row."""
    return m.jacobian(lambda row: small(m, row, w, b, top), x)


def steps() -> Iterator[Cell]:
    for name, sizes, rows, adam in (
        ("M1 784-512-128-10 b256 Adam", (784, 512, 128, 10), 256, True),
        ("M7 64-64-64-10 b64", (64, 64, 64, 10), 64, False),
    ):
        flops = 6 * rows * sum(a * b for a, b in zip(sizes, sizes[1:], strict=False))
        yield Cell(
            "M",
            name,
            perceptron,
            labelled(10, rows, sizes[0]),
            weights(dense(sizes)),
            1e-3 if adam else 0.1,
            adam,
            flops=flops,
        )
    sizes = (784, 512, 128, 10)
    yield Cell(
        "M",
        "M1 epoch of 60000, b256 Adam",
        perceptron,
        labelled(10, 60_000, 784),
        weights(dense(sizes)),
        1e-3,
        True,
        256,
    )
    for rows in (128, 500):
        yield Cell("M", f"M2 LeNet b{rows}", lenet, labelled(10, rows, 1, 28, 28), weights(LENET), 0.05)
    for rows in (20, 256):

        def corrupted(rng: np.random.Generator, rows: int = rows) -> list[Array]:
            return [rng.random((rows, 784), np.float32), (rng.random((rows, 784)) < 0.7).astype(np.float32)]

        yield Cell("M", f"M3 denoising b{rows}", denoising, corrupted, weights(((784, 500), (500,), (784,))), 0.1)
    for rows in (20, 100):
        for k in (1, 15):
            shapes = weights(((784, 500), (500,), (784,)))
            yield Cell("M", f"M4 RBM CD-{k} b{rows}", machine(k), pixels(rows, 784), shapes, 0.1, random=True)
        label, data = f"M4 RBM PCD-15 b{rows}", pixels(rows, 784)
        yield Cell("M", label, persistent(15), data, shapes, 0.1, random=True, states=data)

    stack = (784, 1000, 1000, 1000, 10)

    def below(rng: np.random.Generator) -> list[Array]:
        return [rng.random((10, 784), np.float32), *weights(dense(stack[:2]))(rng)]

    shapes = weights(((1000, 1000), (1000,), (1000,)))
    yield Cell("M", "M5 DBN pretraining b10", layer_above, below, shapes, 0.01, random=True)
    yield Cell("M", "M5 DBN fine-tuning b10", fine_tuning, labelled(10, 10, 784), weights(dense(stack)), 0.1)
    shapes, rows = weights(((784, 1000), (1000,), (784,))), 10_000
    yield Cell(
        "M", "M5 DBN pretraining epoch of 10000, b10", machine(1), pixels(rows, 784), shapes, 0.01, size=10, random=True
    )
    shapes, data = weights(dense(stack)), labelled(10, rows, 784)
    yield Cell("M", "M5 DBN fine-tuning epoch of 10000, b10", fine_tuning, data, shapes, 0.1, size=10)

    def sequences(rng: np.random.Generator) -> list[Array]:
        return [rng.standard_normal((50, 32, 64), np.float32), np.eye(10, dtype=np.float32)[rng.integers(0, 10, 32)]]

    yield Cell("M", "M6 LSTM 128 T50 b32", recurrent, sequences, weights(((192, 512), (512,), (128, 10), (10,))), 0.1)

    def noisy(rng: np.random.Generator) -> list[Array]:
        return [rng.random((128, 784), np.float32), rng.standard_normal((128, 20), np.float32)]

    layers = dense((784, 256)) + dense((256, 20)) * 2 + dense((20, 256)) + dense((256, 784))
    yield Cell("M", "M8 VAE b128", variational, noisy, weights(layers), 0.01)
    net = ((64, 32), (32,), (32, 10))

    def curved(rng: np.random.Generator) -> list[Array]:
        return [*labelled(10, 64, 64)(rng), *weights(net)(rng), normal(64, 32)(rng)]

    yield Cell("M", "M9 Hessian times vector 64-32-10 b64", hessian_product, curved)
    yield Cell("M", "M9 Jacobian 64-32-10", jacobian, lambda rng: [normal(64)(rng), *weights(net)(rng)])


def inference() -> Iterator[Cell]:
    net = weights(dense((784, 512, 128, 10)))
    images = weights(LENET)
    for rows in (1, 32, 10_000):

        def given(rng: np.random.Generator, rows: int = rows) -> list[Array]:
            return [rng.random((rows, 784), np.float32), *net(rng)]

        yield Cell("I", f"MLP b{rows}", lambda m, x, *p: m.softmax(logits(m, p, x), axis=1), given)
    for rows in (1, 32, 10_000):

        def drawn(rng: np.random.Generator, rows: int = rows) -> list[Array]:
            return [rng.random((rows, 1, 28, 28), np.float32), *images(rng)]

        yield Cell("I", f"LeNet b{rows}", lambda m, x, *p: m.softmax(lenet_logits(m, p, x), axis=1), drawn)


GROUPS: dict[str, Callable[[], Iterator[Cell]]] = {"M": steps, "I": inference}
