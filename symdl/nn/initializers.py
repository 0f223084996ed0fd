"""How weights begin: functions of a random generator and a shape, drawn in float64 and rounded by the layer.

The fans of a weight matrix W[inputs, units] are its two extents, those of filters W[outputs, channels, ...] the numbers that
each output and each channel meets; fan_in + fan_out sets the Glorot family, fan_in the
He and LeCun families.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from symdl.errors import ConfigError, ShapeError

Array = np.ndarray[Any, np.dtype[Any]]
Shape = tuple[int, ...]
Initializer = Callable[[np.random.Generator, Shape], Array]


def zeros(rng: np.random.Generator, shape: Shape) -> Array:
    """All 0: for biases."""
    return np.zeros(shape)


def ones(rng: np.random.Generator, shape: Shape) -> Array:
    """All 1: for scales."""
    return np.ones(shape)


@dataclass(frozen=True)
class Constant:
    """All the same value."""

    value: float = 0.0

    def __call__(self, rng: np.random.Generator, shape: Shape) -> Array:
        return np.full(shape, float(self.value))


@dataclass(frozen=True)
class RandomNormal:
    """Normal with this mean and standard deviation."""

    mean: float = 0.0
    stddev: float = 0.05

    def __call__(self, rng: np.random.Generator, shape: Shape) -> Array:
        return self.mean + self.stddev * rng.standard_normal(shape)


@dataclass(frozen=True)
class RandomUniform:
    """Uniform on [minval, maxval)."""

    minval: float = -0.05
    maxval: float = 0.05

    def __call__(self, rng: np.random.Generator, shape: Shape) -> Array:
        return rng.uniform(self.minval, self.maxval, shape)


@dataclass(frozen=True)
class Orthogonal:
    """gain times a matrix with orthonormal columns, or rows where these are fewer (Saxe, McClelland and Ganguli, 2014).

    Axes before the last are taken as one. Raises ShapeError for fewer than two axes.
    """

    gain: float = 1.0

    def __call__(self, rng: np.random.Generator, shape: Shape) -> Array:
        if len(shape) < 2:
            raise ShapeError(
                f"initializer: weights of shape {shape} cannot be orthogonal: at least two axes are needed"
            )
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
        q = q * np.sign(np.diag(r))  # so that all such matrices are equally likely (Mezzadri, 2007)
        return self.gain * (q if rows >= columns else q.T).reshape(shape)


def glorot_uniform(rng: np.random.Generator, shape: Shape) -> Array:
    """Uniform with variance 2 / (fan_in + fan_out) (Glorot and Bengio, 2010, eq. 16)."""
    return _uniform(rng, shape, 2 / sum(fans(shape)))


def glorot_normal(rng: np.random.Generator, shape: Shape) -> Array:
    """Normal with variance 2 / (fan_in + fan_out) (Glorot and Bengio, 2010, eq. 12)."""
    return _normal(rng, shape, 2 / sum(fans(shape)))


def glorot_sigmoid(rng: np.random.Generator, shape: Shape) -> Array:
    """Uniform on 4 times the Glorot bound, for sigmoid units (Glorot and Bengio, 2010).

    The sigmoid's slope at 0 is a quarter of tanh's.
    """
    return _uniform(rng, shape, 32 / sum(fans(shape)))


def he_uniform(rng: np.random.Generator, shape: Shape) -> Array:
    """Uniform with variance 2 / fan_in, for rectifiers (He, Zhang, Ren and Sun, 2015, eq. 10)."""
    return _uniform(rng, shape, 2 / fans(shape)[0])


def he_normal(rng: np.random.Generator, shape: Shape) -> Array:
    """Normal with variance 2 / fan_in, for rectifiers (He, Zhang, Ren and Sun, 2015, eq. 10)."""
    return _normal(rng, shape, 2 / fans(shape)[0])


def lecun_normal(rng: np.random.Generator, shape: Shape) -> Array:
    """Normal with variance 1 / fan_in (LeCun, Bottou, Orr and Müller, 1998, section 4.6)."""
    return _normal(rng, shape, 1 / fans(shape)[0])


def lecun_uniform(rng: np.random.Generator, shape: Shape) -> Array:
    """Uniform with variance 1 / fan_in (LeCun, Bottou, Orr and Müller, 1998, section 4.6)."""
    return _uniform(rng, shape, 1 / fans(shape)[0])


def fans(shape: Shape) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight matrix [inputs, units], or of filters [outputs, channels, ...]: how many numbers each
    unit reads, how many units read each number."""
    if len(shape) < 2 or 0 in shape:
        raise ShapeError(
            f"initializer: weights of shape {shape} have no fans: a matrix (inputs, units) or filters are needed"
        )
    if len(shape) == 2:
        return shape[0], shape[1]
    places = math.prod(shape[2:])
    return shape[1] * places, shape[0] * places


def _uniform(rng: np.random.Generator, shape: Shape, variance: float) -> Array:
    bound = math.sqrt(3 * variance)  # the variance of the uniform distribution on [-b, b] is b**2 / 3
    return rng.uniform(-bound, bound, shape)


def _normal(rng: np.random.Generator, shape: Shape, variance: float) -> Array:
    return math.sqrt(variance) * rng.standard_normal(shape)


INITIALIZERS: dict[str, Initializer] = {
    "zeros": zeros,
    "ones": ones,
    "glorot_uniform": glorot_uniform,
    "glorot_normal": glorot_normal,
    "glorot_sigmoid": glorot_sigmoid,
    "he_uniform": he_uniform,
    "he_normal": he_normal,
    "lecun_normal": lecun_normal,
    "lecun_uniform": lecun_uniform,
    "orthogonal": Orthogonal(),
    "random_normal": RandomNormal(),
    "random_uniform": RandomUniform(),
}


def initializer(choice: str | Initializer) -> Initializer:
    """An initializer by its name, or the function itself. Raises ConfigError for an unknown name."""
    if callable(choice):
        return choice
    if choice not in INITIALIZERS:
        raise ConfigError(f"there is no initializer {choice!r}", (), f"initializers: {', '.join(INITIALIZERS)}")
    return INITIALIZERS[choice]
