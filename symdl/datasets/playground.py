"""The toy sets of the TensorFlow playground (Smilkov and Carter, 2016): points of the plane, with classes or values.

All of them: n points float32[n, 2], drawn and put in random order by `seed`; classes are int64, 1 where the playground
says +1 and 0 where it says -1; noise is in 0..0.5 there. Raise ConfigError for n < 1 or noise < 0.
"""

from __future__ import annotations

import numpy as np

from symdl.datasets.split import Array
from symdl.errors import ConfigError

RADIUS, PADDING = 5.0, 0.3
BUMPS = ((-4.0, 2.5, 1), (0.0, 2.5, -1), (4.0, 2.5, 1), (-4.0, -2.5, -1), (0.0, -2.5, 1), (4.0, -2.5, -1))
WIDTH = 6.0  # of the square that the regressions draw from, from its middle


def circle(n: int = 500, seed: int = 0, noise: float = 0.0) -> tuple[Array, Array]:
    """Class 1: a disc of radius 2.5; class 0: the ring from 3.5 to 5 around it; half of the points each.

    The radius is uniform, and so is the angle. Labels are those of points moved by noise * U(-5, 5) in both axes.
    """
    rng = generator("circle", n, seed, noise)
    ones = (n + 1) // 2
    r = np.concatenate([rng.uniform(0, RADIUS / 2, ones), rng.uniform(0.7 * RADIUS, RADIUS, n - ones)])
    angle = rng.uniform(0, 2 * np.pi, n)
    x = np.stack([r * np.sin(angle), r * np.cos(angle)], axis=1)
    moved = x + noise * rng.uniform(-RADIUS, RADIUS, (n, 2))
    return shuffled(rng, x, np.hypot(*moved.T) < RADIUS / 2)


def xor(n: int = 500, seed: int = 0, noise: float = 0.0) -> tuple[Array, Array]:
    """Class 1 where x1 x2 >= 0. Both are uniform in -5..5, and 0.3 farther from 0.

    Labels are those of points moved by noise * U(-5, 5) in both axes.
    """
    rng = generator("xor", n, seed, noise)
    x = rng.uniform(-RADIUS, RADIUS, (n, 2))
    x += np.where(x > 0, PADDING, -PADDING)
    moved = x + noise * rng.uniform(-RADIUS, RADIUS, (n, 2))
    return shuffled(rng, x, moved.prod(axis=1) >= 0)


def gauss(n: int = 500, seed: int = 0, noise: float = 0.0) -> tuple[Array, Array]:
    """Normal points around (2, 2), class 1, and around (-2, -2), class 0, with variance 0.5 + 7 noise."""
    rng = generator("gauss", n, seed, noise)
    y = np.arange(n) < (n + 1) // 2
    x = np.where(y, 2.0, -2.0)[:, None] + np.sqrt(0.5 + 7 * noise) * rng.standard_normal((n, 2))
    return shuffled(rng, x, y)


def spiral(n: int = 500, seed: int = 0, noise: float = 0.0) -> tuple[Array, Array]:
    """Two arms, r (sin t, cos t) with r = 5 u, t = 3.5 pi u and u = 0..1 in equal steps, the second turned by pi.

    Points are moved by noise * U(-1, 1) in both axes.
    """
    rng = generator("spiral", n, seed, noise)
    ones = (n + 1) // 2
    y = np.arange(n) < ones
    u = np.where(y, np.arange(n), np.arange(n) - ones) / (n / 2)
    t = 3.5 * np.pi * u + np.where(y, 0, np.pi)
    x = 5 * u[:, None] * np.stack([np.sin(t), np.cos(t)], axis=1) + noise * rng.uniform(-1, 1, (n, 2))
    return shuffled(rng, x, y)


def plane(n: int = 500, seed: int = 0, noise: float = 0.0) -> tuple[Array, Array]:
    """A regression: y = (x1 + x2) / 10, float32[n], for x uniform in -6..6, y taken at x + noise * U(-6, 6)."""
    rng = generator("plane", n, seed, noise)
    x = rng.uniform(-WIDTH, WIDTH, (n, 2))
    moved = x + noise * rng.uniform(-WIDTH, WIDTH, (n, 2))
    return x.astype("float32"), (moved.sum(axis=1) / 10).astype("float32")


def bumps(n: int = 500, seed: int = 0, noise: float = 0.0) -> tuple[Array, Array]:
    """A regression on six cones of heights +1 and -1: of sign * max(1 - distance / 2, 0) the one of largest magnitude.

    Their feet are at (-4, 2.5), (0, 2.5), (4, 2.5) with signs + - +, and mirrored at y = -2.5 with - + -. x is uniform
    in -6..6, y, float32[n], is taken at x + noise * U(-6, 6).
    """
    rng = generator("bumps", n, seed, noise)
    x = rng.uniform(-WIDTH, WIDTH, (n, 2))
    moved = x + noise * rng.uniform(-WIDTH, WIDTH, (n, 2))
    centers = np.array(BUMPS)
    distance = np.hypot(moved[:, None, 0] - centers[:, 0], moved[:, None, 1] - centers[:, 1])
    heights = centers[:, 2] * np.clip(1 - distance / 2, 0, 1)
    y = heights[np.arange(n), np.abs(heights).argmax(axis=1)]
    return x.astype("float32"), y.astype("float32")


def generator(name: str, n: int, seed: int, noise: float) -> np.random.Generator:
    """The generator of a toy set. Raises ConfigError for settings that no toy set takes."""
    if n < 1 or not noise >= 0:
        raise ConfigError(f"{name}: n {n} must be at least 1, and noise {noise} at least 0")
    return np.random.default_rng(seed)


def shuffled(rng: np.random.Generator, x: Array, y: Array) -> tuple[Array, Array]:
    """Points and their classes in random order: whoever holds out the last rows holds out some of each class."""
    order = rng.permutation(len(x))
    return x[order].astype("float32"), y[order].astype("int64")
