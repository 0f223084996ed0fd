"""Images in another size: every new pixel is the mean over the area that it covers of the old ones."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from symdl.errors import ConfigError, ShapeError

Array = np.ndarray[Any, np.dtype[Any]]
Fit = Literal["crop", "pad", "stretch"]
FITS: tuple[Fit, ...] = ("crop", "pad", "stretch")


def resized(image: Array, size: tuple[int, int], fit: Fit = "stretch") -> Array:
    """image[..., rows, columns] as image[..., *size], of the same float dtype, float32 for others.

    fit: "stretch" changes the proportions; "crop" keeps them and cuts off what hangs over, evenly on both sides; "pad"
    keeps them and adds 0 around. Larger than it was, an image shows its pixels as blocks.
    Raises ShapeError for images or sizes without pixels, ConfigError for another `fit`.
    """
    if image.ndim < 2 or not image.size or min(size) < 1:
        raise ShapeError(f"resized: an image of shape {image.shape} cannot become {size[0]} x {size[1]} pixels")
    if fit not in FITS:
        raise ConfigError(f"resized: fit {fit!r} is none of {', '.join(FITS)}")
    dtype = image.dtype if image.dtype.kind == "f" else np.dtype("float32")
    rows, columns = image.shape[-2:]
    scales = size[0] / rows, size[1] / columns
    if fit == "pad":
        inner = [max(1, round(min(scales) * n)) for n in (rows, columns)]
        out = np.zeros((*image.shape[:-2], *size), dtype)
        top, left = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
        out[..., top : top + inner[0], left : left + inner[1]] = resized(image, (inner[0], inner[1]))
        return out
    spans = [(0.0, float(n)) for n in (rows, columns)]
    if fit == "crop":
        kept = [extent / max(scales) for extent in size]  # of the old rows and columns
        spans = [((n - k) / 2, (n + k) / 2) for n, k in zip((rows, columns), kept, strict=True)]
    down, across = overlaps(rows, size[0], *spans[0]), overlaps(columns, size[1], *spans[1])
    return (down @ (image.astype("float64") @ across.T)).astype(dtype)


def overlaps(old: int, new: int, start: float, end: float) -> Array:
    """M[new, old], rows of sum 1: the share of old pixel j in new pixel i, when `new` pixels divide start..end."""
    edges = start + (end - start) / new * np.arange(new + 1)
    low = np.maximum(edges[:-1, None], np.arange(old))
    high = np.minimum(edges[1:, None], np.arange(1, old + 1))
    share = np.clip(high - low, 0, None)
    return share / share.sum(axis=1, keepdims=True)
