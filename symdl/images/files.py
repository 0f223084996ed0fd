"""Image files as arrays: PNG and JPEG, read by Pillow, upright, with pixels in 0..1."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np

from symdl import extras
from symdl.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]
FORMATS = ("PNG", "JPEG")
SUFFIXES = (".png", ".jpg", ".jpeg")


def read_image(path: str | os.PathLike[str], colour: bool = False) -> Array:
    """The pixels of a PNG or JPEG file in 0..1: float32[rows, columns], or float32[3, rows, columns] for colour=True.

    Grey is 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601). What is transparent becomes white, and a photograph is
    turned the way that its camera noted. Pixels of 16 bits keep them when they are grey.
    Raises DataError when the file is missing, damaged, no PNG or JPEG, or too large to be meant (Pillow's limit of
    179 million pixels); MissingDependencyError without Pillow.
    """
    images = extras.load("PIL.Image", "reading images")
    operations = extras.load("PIL.ImageOps", "reading images")
    try:
        with open(path, "rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore", images.DecompressionBombWarning)  # large, but not absurd: it is read
            with images.open(file, formats=FORMATS) as image:
                return _pixels(operations.exif_transpose(image), images, colour)
    except images.DecompressionBombError as error:
        raise DataError(f"read_image: {path} is too large: {error}") from error
    except images.UnidentifiedImageError as error:
        raise DataError(f"read_image: {path} is no PNG or JPEG file") from error
    except OSError as error:
        if error.strerror:
            raise DataError(f"read_image: {path} cannot be read ({error.strerror})") from error
        raise DataError(f"read_image: {path} is damaged: {error}") from error
    except (SyntaxError, ValueError) as error:  # what Pillow raises for broken chunks of a PNG file
        raise DataError(f"read_image: {path} is damaged: {error}") from error


def _pixels(image: Any, images: Any, colour: bool) -> Array:
    if image.mode.startswith("I") and not colour:
        return np.asarray(image).astype("float32") / np.float32(65535)
    if image.mode.startswith("I"):  # Pillow's conversion would cut 16 bits off at 255
        grey = np.asarray(image).astype("float32") / np.float32(65535)
        return np.repeat(grey[None], 3, axis=0)
    if image.has_transparency_data:
        image = images.alpha_composite(images.new("RGBA", image.size, "white"), image.convert("RGBA"))
    pixels = np.asarray(image.convert("RGB" if colour else "L"), dtype="float32") / np.float32(255)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)) if colour else pixels
