"""A photographed or drawn digit made like the digits that models were trained on: UCI's 8 by 8, MNIST's 28 by 28."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from symdl.errors import ConfigError, DataError, ShapeError
from symdl.images.files import read_image
from symdl.images.resizing import resized

Array = np.ndarray[Any, np.dtype[Any]]
SIZES = ((8, 8), (28, 28))
BITMAP, BLOCK = 32, 4  # UCI: a bitmap of 32 x 32, counted in blocks of 4 x 4
WIDEST, STRETCH = 20, 1.5  # ... whose digits are at most so many pixels wide, and at most so much wider than drawn
INKED = 0.5  # ... the share of a pixel that must be ink
BOX, FIELD = 20, 28  # MNIST: a box of 20 x 20 in a field of 28 x 28
THINNEST_UCI, THINNEST_MNIST = 5.0, 1.5  # pixels: thinner strokes are made as thick, since those of the data sets are
CONTRAST = 0.05  # of white: where paper and ink differ by less, nothing is drawn
FAINT, FRINGE = 0.05, 2  # ink that faint counts as paper, and so does what is farther than that from a stroke
SPECK = 0.03  # of the area of the largest piece of ink: smaller pieces are dirt
LARGEST = 1000  # rows and columns beyond which an image is made smaller first


def digit_from_image(image: Array | str | os.PathLike[str], size: tuple[int, int] = (8, 8)) -> Array:
    """One digit as a row for a model: float32[64] for size (8, 8), float32[784] for (28, 28), ink 1 on 0.

    image: a path, or pixels [rows, columns] or [3, rows, columns] in 0..1, or in 0..255 when they are integers. Where
    the paper is brighter than the ink, it is inverted. Strokes are what lies beyond the best threshold (Otsu, 1979),
    but for specks, and are made as thick as those of the data sets where they are thinner. Then the way of the data
    set:

    (8, 8), UCI, by NIST's routines (Garris and others, 1994): the slant is taken out by a shear that brings the left
    ends of the top and bottom rows above each other; the digit fills the height of a bitmap of 32 by 32, and up to 20
    columns of it; ink is counted in blocks of 4 by 4 and divided by 16 (Alpaydin and Kaynak, 1998).
    (28, 28), MNIST: the digit is scaled, its proportions kept, into a box of 20 by 20, which is placed in the field so
    that the centre of mass is at pixel (14, 14) (LeCun, Bottou, Bengio and Haffner, 1998).

    An image of 8 by 8 pixels is taken as it is for (8, 8), but for the inversion.
    Raises DataError when nothing is drawn or the file is no image, ShapeError for other arrays, ConfigError for
    another size.
    """
    if tuple(size) not in SIZES:
        raise ConfigError(f"digit_from_image: size {size} is neither (8, 8) nor (28, 28)")
    if isinstance(image, str | os.PathLike):
        name, pixels = str(image), read_image(image)
    else:
        name, pixels = "the image", _grey(np.asarray(image))
    if pixels.shape == SIZES[0] == tuple(size):  # too small to be made like the data: it is of the data
        return np.asarray(1 - pixels if _paper(pixels) > otsu(pixels) else pixels, np.float32).ravel()
    ink = boxed(ink_of(pixels, name))
    return (_uci(ink) if tuple(size) == SIZES[0] else _mnist(ink)).astype("float32").ravel()


def ink_of(pixels: Array, name: str) -> Array:
    """How much ink is on each pixel, 0..1, from grey pixels of which the border shows the paper.

    Raises DataError when the pixels are all but equal.
    """
    if max(pixels.shape) > LARGEST:
        factor = LARGEST / max(pixels.shape)
        pixels = resized(pixels, (max(1, round(len(pixels) * factor)), max(1, round(pixels.shape[1] * factor))))
    paper = _paper(pixels)
    threshold = otsu(pixels)
    bright = paper > threshold
    ink = paper - pixels if bright else pixels - paper
    darkest = float(ink.max(initial=0))
    if not darkest > CONTRAST:
        raise DataError(f"digit_from_image: nothing is drawn on {name}: its pixels differ by {darkest:.2g} of white")
    drawn = without_specks(pixels < threshold if bright else pixels > threshold)
    near = drawn
    for _ in range(FRINGE):  # soft edges belong to a stroke, spots on the paper do not
        wide = np.pad(near, 1)
        near = wide[1:-1, 1:-1] | wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:]
    ink = np.clip(ink / darkest, 0, 1)
    return np.where(near & (ink > FAINT), ink, 0)


def _paper(pixels: Array) -> float:
    return float(np.median(np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])))


def without_specks(drawn: Array) -> Array:
    """A bitmap without its pieces that are far smaller than the largest; pixels that touch at a corner are of one piece."""
    import scipy.ndimage  # noqa: PLC0415  slow to load

    pieces, _ = scipy.ndimage.label(drawn, np.ones((3, 3), bool))
    areas = np.bincount(pieces.ravel())
    areas[0] = 0
    kept: Array = (areas >= max(SPECK * int(areas.max()), 1))[pieces]
    return kept


def boxed(ink: Array) -> Array:
    """The smallest rectangle that holds all ink."""
    rows, columns = (np.flatnonzero(ink.max(axis=axis) > 0) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def otsu(pixels: Array) -> float:
    """The threshold that parts pixels into two groups with the largest variance between their means."""
    low, high = float(pixels.min()), float(pixels.max())
    if not high > low:
        return low
    counts, edges = np.histogram(pixels, bins=256, range=(low, high))
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = counts.sum() - below
    sums = np.cumsum(counts * middles)
    means_below, means_above = sums[:-1] / np.maximum(below, 1), (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    between = below * above * (means_below - means_above) ** 2
    best = np.flatnonzero(between == between.max())  # a gap without pixels: its middle
    return float((edges[1:-1][best[0]] + edges[1:-1][best[-1]]) / 2)


def _grey(pixels: Array) -> Array:
    if pixels.dtype.kind in "iu":
        pixels = pixels / np.float32(255)
    if pixels.ndim == 3 and pixels.shape[0] in (1, 3):
        pixels = pixels[0] if pixels.shape[0] == 1 else np.tensordot([0.299, 0.587, 0.114], pixels, 1)
    if pixels.ndim != 2 or not pixels.size or pixels.dtype.kind != "f":
        raise ShapeError(
            f"digit_from_image: {pixels.dtype}{list(pixels.shape)} is no image",
            (),
            "An image is numbers [rows, columns] or [3, rows, columns].",
        )
    if not np.isfinite(pixels).all():
        raise DataError("digit_from_image: the image holds numbers that are not finite")
    return pixels


def _uci(ink: Array) -> Array:
    """Counts of ink in the blocks of a bitmap, over the pixels of a block."""
    upright = boxed(straightened(thickened(ink, THINNEST_UCI / BITMAP)))
    width = min(WIDEST, max(1, round(STRETCH * BITMAP * upright.shape[1] / upright.shape[0])))
    left = (BITMAP - width) // 2
    bitmap = np.zeros((BITMAP, BITMAP))
    bitmap[:, left : left + width] = resized(upright, (BITMAP, width)) > INKED
    blocks = BITMAP // BLOCK
    counts: Array = bitmap.reshape(blocks, BLOCK, blocks, BLOCK).mean(axis=(1, 3))
    return counts


def straightened(ink: Array) -> Array:
    """Ink sheared so that the leftmost ink of the bottom row stands below that of the top row; wider than before."""
    rows, columns = ink.shape
    top, bottom = (int(np.flatnonzero(ink[row])[0]) for row in (0, -1))
    slant = (bottom - top) / max(rows - 1, 1)
    margin = abs(bottom - top) // 2 + 2
    wide = np.pad(ink, ((0, 0), (margin, margin + 1)))
    source = np.arange(columns + 2 * margin) + (slant * (np.arange(rows) - (rows - 1) / 2))[:, None]
    source = np.clip(source, 0, columns + 2 * margin)  # beyond is paper
    left = np.floor(source).astype(np.int64)
    row = np.arange(rows)[:, None]
    part = source - left
    out = (1 - part) * wide[row, left] + part * wide[row, np.minimum(left + 1, wide.shape[1] - 1)]
    return np.where(out > FAINT, out, 0)


def _mnist(ink: Array) -> Array:
    """A box of ink in a field, its centre of mass at pixel (14, 14) of the field, as near as whole pixels go: as MNIST's is."""
    ink = thickened(ink, THINNEST_MNIST / BOX)
    factor = BOX / max(ink.shape)
    small = resized(ink, (max(1, round(ink.shape[0] * factor)), max(1, round(ink.shape[1] * factor))))
    small = small / small.max()
    field = np.zeros((FIELD, FIELD))
    place = []
    for axis in (0, 1):
        weights = small.sum(axis=1 - axis)
        middle = float(weights @ np.arange(len(weights)) / weights.sum())
        place.append(min(max(round(FIELD / 2 - middle), 0), FIELD - small.shape[axis]))
    field[place[0] : place[0] + small.shape[0], place[1] : place[1] + small.shape[1]] = small
    return field


def thickened(ink: Array, share: float) -> Array:
    """Ink whose strokes are at least `share` of its longer side thick.

    The thickness of strokes is twice their area over their circumference.
    """
    drawn = ink > 0.5
    around = np.pad(drawn, 1)
    edges = int(np.count_nonzero(around[1:] != around[:-1]) + np.count_nonzero(around[:, 1:] != around[:, :-1]))
    thick = 2 * float(np.count_nonzero(drawn)) / max(edges, 1)
    wanted = share * max(ink.shape)
    if thick >= wanted:
        return ink
    import scipy.ndimage  # noqa: PLC0415  slow to load

    grow = (wanted - thick) / 2
    margin = int(np.ceil(grow))
    distance = scipy.ndimage.distance_transform_edt(np.pad(ink <= 0.5, margin, constant_values=True))
    return boxed(np.maximum(np.pad(ink, margin), np.clip(grow + 1 - distance, 0, 1)))
