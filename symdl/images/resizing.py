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
    out = image.astype("float64")
    for axis, new, span in zip((-2, -1), size, spans, strict=True):
        out = np.moveaxis(averaged(np.moveaxis(out, axis, -1), new, *span), -1, axis)
    return np.clip(out, image.min(), image.max()).astype(dtype)  # a mean, whatever the sums were rounded to


def averaged(x: Array, new: int, start: float, end: float) -> Array:
    """x[..., old] as [..., new]: the means of x over `new` equal pieces of start..end, x being constant on each pixel."""
    sums = np.concatenate([np.zeros((*x.shape[:-1], 1)), np.cumsum(x, axis=-1)], axis=-1)
    edges = np.clip(start + (end - start) / new * np.arange(new + 1), 0, x.shape[-1])
    pixel = np.minimum(edges.astype(np.int64), x.shape[-1] - 1)
    below = sums[..., pixel] + (edges - pixel) * x[..., pixel]  # the integral from 0 to each edge
    means: Array = np.diff(below, axis=-1) / np.diff(edges)
    return means
