"""More images from few: moved, mirrored, turned and cut at random, in batches, the same for the same seed.

Images are x[n, rows, columns] or x[n, channels, rows, columns]; what enters at an edge is 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from symdl.errors import ConfigError, ShapeError

Array = np.ndarray[Any, np.dtype[Any]]
FORMATS = ("channels_first", "channels_last")


def shifted(x: Array, down: Any, right: Any) -> Array:
    """Each image moved by whole pixels, down and to the right; one number for all, or one for each."""
    _images(x, "shifted")
    n, (rows, columns) = len(x), x.shape[-2:]
    i = np.arange(rows) - np.broadcast_to(np.asarray(down, np.int64), n)[:, None]
    j = np.arange(columns) - np.broadcast_to(np.asarray(right, np.int64), n)[:, None]
    return _pick(x, i[:, :, None], j[:, None, :])


def flipped(x: Array, which: Any = True) -> Array:
    """Each image mirrored, left for right, where `which` is true; one truth for all, or one for each."""
    _images(x, "flipped")
    chosen = np.broadcast_to(np.asarray(which, bool), len(x))
    return np.where(chosen.reshape(-1, *[1] * (x.ndim - 1)), x[..., ::-1], x)


def rotated(x: Array, degrees: Any) -> Array:
    """Each image turned about its middle, against the clock; one angle for all, or one for each.

    A new pixel is the mean of the four old ones around where it comes from, weighted by nearness (bilinear).
    """
    _images(x, "rotated")
    rows, columns = x.shape[-2:]
    angle = np.deg2rad(np.broadcast_to(np.asarray(degrees, float), len(x)))[:, None, None]
    v, u = (np.arange(rows) - (rows - 1) / 2)[:, None], np.arange(columns) - (columns - 1) / 2
    i = np.cos(angle) * v + np.sin(angle) * u + (rows - 1) / 2
    j = -np.sin(angle) * v + np.cos(angle) * u + (columns - 1) / 2
    top, left = np.floor(i), np.floor(j)
    out = np.zeros(x.shape, np.result_type(x, np.float32))
    for a in (0, 1):
        for b in (0, 1):
            near = (1 - np.abs(i - top - a)) * (1 - np.abs(j - left - b))
            near = near.reshape(len(x), *[1] * (x.ndim - 3), rows, columns)
            out += (near * _pick(x, (top + a).astype(np.int64), (left + b).astype(np.int64))).astype(out.dtype)
    return out


def cropped(x: Array, size: tuple[int, int], top: Any, left: Any) -> Array:
    """A window of `size` (rows, columns) of each image, whose corner is at (top, left); one for all, or one for each.

    Raises ShapeError where a window leaves its image.
    """
    _images(x, "cropped")
    tops, lefts = (np.broadcast_to(np.asarray(a, np.int64), len(x)) for a in (top, left))
    room = x.shape[-2] - size[0], x.shape[-1] - size[1]
    for starts, most in ((tops, room[0]), (lefts, room[1])):
        if starts.size and not 0 <= starts.min() <= starts.max() <= most:
            raise ShapeError(f"cropped: a window of {size[0]} x {size[1]} leaves images of shape {x.shape[-2:]}")
    i, j = tops[:, None] + np.arange(size[0]), lefts[:, None] + np.arange(size[1])
    return _pick(x, i[:, :, None], j[:, None, :])


@dataclass(frozen=True)
class Augmentation:
    """What may happen to an image, called as augmentation(x, rng): new images, drawn by the generator `rng`.

    rotate: up to so many degrees, either way. shift: up to so many pixels, in both directions. flip: mirrored, left for
    right, one time in two. crop: a window of that size, anywhere. They happen in this order.
    shape: rows x[n, numbers] are seen as images of this shape, and rows come back. data_format: "channels_first", or
    "channels_last" for x[n, rows, columns, channels].
    Raises ConfigError for negative bounds, ShapeError for what are no images.
    """

    rotate: float = 0.0
    shift: int = 0
    flip: bool = False
    crop: tuple[int, int] | None = None
    shape: tuple[int, ...] | None = None
    data_format: str = "channels_first"

    def __post_init__(self) -> None:
        if not (self.rotate >= 0 and self.shift >= 0) or (self.crop is not None and min(self.crop) < 1):
            raise ConfigError(f"Augmentation: {self} has bounds below 0")
        if self.data_format not in FORMATS:
            raise ConfigError(f"Augmentation: data_format {self.data_format!r} is none of {', '.join(FORMATS)}")

    def __call__(self, x: Array, rng: np.random.Generator) -> Array:
        n, rows = len(x), x.ndim == 2
        if self.shape is not None:
            if x[:1].size != len(x[:1]) * int(np.prod(self.shape)):
                raise ShapeError(f"Augmentation: rows of shape {x.shape[1:]} are no images of shape {self.shape}")
            x = x.reshape(n, *self.shape)
        last = self.data_format == "channels_last" and x.ndim == 4
        if last:
            x = x.transpose(0, 3, 1, 2)
        _images(x, "Augmentation")
        dtype = x.dtype
        if self.rotate:
            x = rotated(x, rng.uniform(-self.rotate, self.rotate, n))
        if self.shift:
            down, right = rng.integers(-self.shift, self.shift + 1, (2, n))
            x = shifted(x, down, right)
        if self.flip:
            x = flipped(x, rng.random(n) < 0.5)
        if self.crop is not None:
            room = x.shape[-2] - self.crop[0], x.shape[-1] - self.crop[1]
            if min(room) < 0:
                raise ShapeError(f"Augmentation: crop {self.crop} of images of shape {x.shape[-2:]}")
            x = cropped(x, self.crop, *(rng.integers(0, most + 1, n) for most in room))
        x = x.astype(dtype, copy=False)
        if last:
            x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
        return x.reshape(n, -1) if rows else x


def augmented_batches(
    x: Array,
    y: Array,
    batch_size: int,
    augmentation: Augmentation,
    seed: int = 0,
    epochs: int | None = None,
    shuffle: bool = True,
) -> Iterator[tuple[Array, Array]]:
    """Batches (x, y) of augmented images, epoch after epoch, without end unless `epochs` is given.

    Every epoch visits every image once, drawn anew and in an order of its own; its last batch takes what is left.
    Raises ShapeError when x and y differ in length, ConfigError for batch_size < 1, both at the first batch.
    """
    if len(x) != len(y) or not len(x):
        raise ShapeError(f"augmented_batches: {len(x)} images meet {len(y)} labels")
    if batch_size < 1:
        raise ConfigError(f"augmented_batches: batch_size {batch_size} must be at least 1")
    rng = np.random.default_rng(seed)
    done = 0
    while epochs is None or done < epochs:
        order = rng.permutation(len(x)) if shuffle else np.arange(len(x))
        for rows in (order[k : k + batch_size] for k in range(0, len(x), batch_size)):
            yield augmentation(x[rows], rng), y[rows]
        done += 1


def _images(x: Array, where: str) -> None:
    if x.ndim not in (3, 4):
        raise ShapeError(f"{where}: {list(x.shape)} are no images: they are [n, rows, columns], or with channels")


def _pick(x: Array, i: Array, j: Array) -> Array:
    """x[n, ..., i[n], j[n]], and 0 outside of the image."""
    rows, columns = x.shape[-2:]
    inside = (i >= 0) & (i < rows) & (j >= 0) & (j < columns)
    i, j = np.clip(i, 0, rows - 1), np.clip(j, 0, columns - 1)
    n = np.arange(len(x))[:, None, None]
    if x.ndim == 3:
        return np.where(inside, x[n, i, j], 0).astype(x.dtype, copy=False)
    picked = x.transpose(0, 2, 3, 1)[n, i, j].transpose(0, 3, 1, 2)
    return np.where(inside[:, None], picked, 0).astype(x.dtype, copy=False)
