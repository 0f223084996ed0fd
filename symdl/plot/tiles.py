"""Many small images side by side: filters, samples, and examples above their reconstructions."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from symdl.errors import ConfigError, ShapeError
from symdl.plot.canvas import Array, Axes, canvas, shown

Scale = Literal["each", "symmetric", "all", "none"]
SCALES: tuple[Scale, ...] = ("each", "symmetric", "all", "none")
BETWEEN = "lightsteelblue"  # between filters, where white and black are weights


def tiled(images: Any, columns: int | None = None, gap: int = 1, scale: Scale = "each", fill: float = 1.0) -> Array:
    """Images[n, rows, columns] or [n, rows, columns, 3] as one picture, left to right and top to bottom.

    columns: of images side by side; about a square if not given. gap: pixels of value `fill` between them.
    scale: "each" image from its least to its largest number to 0..1; "symmetric", each so that 0 becomes 1/2 and its
    largest magnitude 0 or 1; "all" of them as one; "none". A constant image becomes 0, or 1/2 where it is symmetric.
    Raises ShapeError for other shapes, ConfigError for another scale.
    """
    x = np.asarray(images, np.float64)
    if x.ndim not in (3, 4) or not len(x) or (x.ndim == 4 and x.shape[3] != 3):
        raise ShapeError(f"tiled: {list(x.shape)} are no images: they are [n, rows, columns], or with 3 colours behind")
    if scale not in SCALES or (columns is not None and columns < 1) or gap < 0:
        raise ConfigError(
            f"tiled: scale {scale!r} must be one of {', '.join(SCALES)}, columns at least 1, gap at least 0"
        )
    x = _scaled(x, scale)
    n, rows, wide = x.shape[:3]
    across = min(columns or math.ceil(math.sqrt(n)), n)
    down = -(-n // across)
    picture = np.full((down * (rows + gap) - gap, across * (wide + gap) - gap, *x.shape[3:]), float(fill))
    for k, image in enumerate(x):
        top, left = k // across * (rows + gap), k % across * (wide + gap)
        picture[top : top + rows, left : left + wide] = image
    return picture


def _scaled(x: Array, scale: Scale) -> Array:
    if scale == "none":
        return x
    axes = None if scale == "all" else tuple(range(1, x.ndim))
    if scale == "symmetric":
        largest = np.abs(x).max(axis=axes, keepdims=True)
        symmetric: Array = 0.5 + 0.5 * x / np.where(largest > 0, largest, 1)
        return symmetric
    low, high = x.min(axis=axes, keepdims=True), x.max(axis=axes, keepdims=True)
    scaled: Array = (x - low) / np.where(high > low, high - low, 1)
    return scaled


def as_images(x: Any, size: tuple[int, ...] | None = None) -> Array:
    """Rows x[n, numbers], or images with channels first or last, as [n, rows, columns] or [n, rows, columns, 3].

    size: (rows, columns), or with channels, of rows of numbers; a square if not given.
    Raises ShapeError for what has no such form.
    """
    x = np.asarray(x)
    if x.ndim == 2:
        side = math.isqrt(x.shape[1])
        shape = size or (side, side)
        if math.prod(shape) != x.shape[1]:
            raise ShapeError(f"{x.shape[1]} numbers are no image of {' x '.join(map(str, shape))} pixels; give size=")
        x = x.reshape(len(x), *shape)
    if x.ndim == 4 and x.shape[1] in (1, 3) and x.shape[3] not in (1, 3):
        x = x.transpose(0, 2, 3, 1)
    if x.ndim == 4 and x.shape[3] == 1:
        x = x[..., 0]
    if x.ndim not in (3, 4) or (x.ndim == 4 and x.shape[3] != 3):
        raise ShapeError(f"{list(x.shape)} are no images of 1 or 3 channels")
    found: Array = x
    return found


def filter_images(weights: Any, size: tuple[int, ...] | None = None) -> Array:
    """Weights as images: W[pixels, units] of a dense layer, one for each unit; W[filters, channels, rows, columns] of a
    convolution, one for each filter of 1 or 3 channels, else one for each filter and channel.

    weights: an array, a shared variable, or a layer with a W.
    """
    W = values_of(weights)
    if W.ndim == 2:
        return as_images(W.T, size)
    if W.ndim == 4:
        return W.transpose(0, 2, 3, 1) if W.shape[1] == 3 else W.reshape(-1, *W.shape[2:])
    raise ShapeError(f"filters: weights of shape {list(W.shape)} are neither a dense layer's nor a convolution's")


def filters(
    weights: Any,
    size: tuple[int, ...] | None = None,
    columns: int | None = None,
    scale: Scale = "symmetric",
    ax: Axes | None = None,
) -> Axes:
    """The filters of a layer as tiles (the tile_raster_images of the deeplearning.net tutorials); weight 0 is grey.

    See `filter_images` for weights and size, `tiled` for columns and scale; a convolution over more than 3 channels has
    one row for each filter.
    """
    W = values_of(weights)
    if columns is None and W.ndim == 4 and W.shape[1] not in (1, 3):
        columns = W.shape[1]
    ax = shown(canvas(ax, (6.0, 6.0)), tiled(filter_images(W, size), columns, scale=scale, fill=np.nan))
    ax.set_facecolor(BETWEEN)
    return ax


def samples(
    x: Any, size: tuple[int, ...] | None = None, columns: int | None = None, ax: Axes | None = None, title: str = ""
) -> Axes:
    """Images, such as a model's samples, as tiles; numbers are 0 (black) to 1 (white)."""
    return shown(canvas(ax, (6.0, 6.0)), tiled(as_images(x, size), columns, scale="none", fill=0.5), title)


def reconstructions(x: Any, again: Any, size: tuple[int, ...] | None = None, ax: Axes | None = None) -> Axes:
    """Examples in one row, and what a model makes of each below it; numbers are 0 (black) to 1 (white).

    Raises ShapeError when they differ in number.
    """
    above, below = as_images(x, size), as_images(again, size)
    if above.shape != below.shape:
        raise ShapeError(f"reconstructions: {list(above.shape)} examples meet {list(below.shape)} reconstructions")
    picture = tiled(np.concatenate([above, below]), len(above), scale="none", fill=0.5)
    return shown(canvas(ax, (8.0, 2.0)), picture)


def values_of(weights: Any) -> Array:
    """The array in an array, a shared variable, or a layer's W."""
    found = getattr(weights, "W", weights)
    return np.asarray(found.get_value() if hasattr(found, "get_value") else found)
