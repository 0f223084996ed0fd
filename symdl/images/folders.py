"""A folder of images with one folder for each class, as arrays for a network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from symdl.errors import ConfigError, DataError
from symdl.images.augmentation import FORMATS
from symdl.images.files import SUFFIXES, read_image
from symdl.images.resizing import FITS, Fit, resized

Array = np.ndarray[Any, np.dtype[Any]]
IGNORED = {"thumbs.db", "desktop.ini"}  # what file browsers leave behind, besides names that begin with a dot


class ImageFolder(NamedTuple):
    """x: float32[n, channels, rows, columns] in 0..1, or with channels last; y: int64[n]; classes: the name of each label; paths: of each row."""

    x: Array
    y: Array
    classes: tuple[str, ...]
    paths: tuple[Path, ...]


def image_folder(
    path: str | os.PathLike[str],
    size: tuple[int, int],
    colour: bool = True,
    fit: Fit = "crop",
    data_format: str = "channels_first",
) -> ImageFolder:
    """All PNG and JPEG files of a folder's folders, each folder a class: cats/1.png, dogs/1.png, ...

    Classes and files are in alphabetical order. Each image becomes `size` (rows, columns) pixels, its proportions kept
    as symdl.images.resized says for `fit`; channels are 3, or 1 for colour=False. data_format:
    "channels_first", or "channels_last" for x[n, rows, columns, channels], which layers take unless told. For data that is already split, pass
    the folders train and test one by one: classes are then the same if their names are.
    Raises DataError, which names the file, for one that is damaged or neither PNG nor JPEG, and for folders without
    images; ConfigError for other sizes or fits; MissingDependencyError without Pillow.
    """
    if fit not in FITS or min(size) < 1:
        raise ConfigError(
            f"image_folder: size {size} must be at least (1, 1), and fit {fit!r} one of {', '.join(FITS)}"
        )
    if data_format not in FORMATS:
        raise ConfigError(f"image_folder: data_format {data_format!r} is none of {', '.join(FORMATS)}")
    root = Path(path)
    if not root.is_dir():
        raise DataError(f"image_folder: there is no folder {root}")
    folders = [f for f in sorted(root.iterdir()) if f.is_dir() and not f.name.startswith(".")]
    if not folders:
        raise DataError(
            f"image_folder: {root} holds no folders", (), "Images of one class go into one folder of the class's name."
        )
    paths: list[Path] = []
    labels: list[int] = []
    for label, folder in enumerate(folders):
        files = _files(folder)
        paths += files
        labels += [label] * len(files)
    channels = 3 if colour else 1
    x = np.empty((len(paths), channels, *size), np.float32)
    for row, file in zip(x, paths, strict=True):
        row[:] = resized(read_image(file, colour), size, fit)
    if data_format == "channels_last":
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    return ImageFolder(x, np.array(labels, np.int64), tuple(f.name for f in folders), tuple(paths))


def _files(folder: Path) -> list[Path]:
    files = []
    for file in sorted(folder.iterdir()):
        if file.name.startswith(".") or file.name.lower() in IGNORED:
            continue
        if not file.is_file() or file.suffix.lower() not in SUFFIXES:
            what = "is a folder within a class" if file.is_dir() else "is neither PNG nor JPEG by its name"
            raise DataError(f"image_folder: {file} {what}")
        files.append(file)
    if not files:
        raise DataError(f"image_folder: {folder} holds no images")
    return files
