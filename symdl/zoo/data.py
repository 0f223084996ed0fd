"""The data that models of the zoo are trained on, by name: each a split that a seed decides, or a user's files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from symdl import extras
from symdl.datasets import (
    Split,
    avocado,
    binary_digits,
    circle,
    digits_split,
    gauss,
    logic_gates,
    mnist,
    patches,
    read_kaggle_digits,
    spiral,
    xor,
)
from symdl.datasets.sentences import sentences_split
from symdl.datasets.split import Array
from symdl.errors import ConfigError, DataError
from symdl.images import image_folder, read_image, resized


@dataclass(frozen=True)
class Source:
    """Where a split comes from. read(seed, path, verify). needs_path: the user brings the files."""

    read: Callable[[int, Path | None, bool], Split]
    about: str
    needs_path: bool = False


def _held_out(x: Array, y: Array, seed: int, share: float = 0.2) -> Split:
    """The rows of x and y in a random order, `share` of them to test."""
    order = np.random.default_rng(seed).permutation(len(x))
    test = round(share * len(x))
    return Split(x[order[test:]], y[order[test:]], x[order[:test]], y[order[:test]])


def _toy(maker: Callable[..., tuple[Array, Array]], about: str, n: int = 1000) -> Source:
    def read(seed: int, path: Path | None, verify: bool) -> Split:
        x, y = maker(n, seed)
        return _held_out(x.astype("float32"), y, seed)

    return Source(read, about)


def _gates(seed: int, path: Path | None, verify: bool) -> Split:
    x, gates = logic_gates()
    return Split(x, gates["and"], x, gates["and"])


def _diabetes(seed: int, path: Path | None, verify: bool) -> Split:
    datasets = extras.load("sklearn.datasets", "the diabetes data set")
    x, y = datasets.load_diabetes(return_X_y=True)
    return _held_out(x, y, seed)


def _patches(seed: int, path: Path | None, verify: bool) -> Split:
    x = patches(6000, 10, seed)
    nothing = np.zeros(len(x), np.int64)
    return Split(x[:5000], nothing[:5000], x[5000:], nothing[5000:])


def _mnist(seed: int, path: Path | None, verify: bool) -> Split:
    assert path is not None  # see needs_path
    return mnist(path, verify=verify)


def _kaggle(seed: int, path: Path | None, verify: bool) -> Split:
    assert path is not None  # see needs_path
    train = read_kaggle_digits(path / "train.csv" if path.is_dir() else path)
    if train.y is None:
        raise DataError(f"kaggle: {path} has no labels: it is test.csv's kind, not train.csv's")
    return _held_out(train.x, train.y, seed, 0.1)


SOURCES: dict[str, Source] = {
    "digits": Source(
        lambda seed, path, verify: digits_split(seed), "scikit-learn's 8x8 digits, 1437 to train, 360 to test"
    ),
    "bits": Source(lambda seed, path, verify: binary_digits(seed), "the 8x8 digits as black and white, 1437 and 360"),
    "sentences": Source(
        lambda seed, path, verify: sentences_split(4000, seed),
        "4000 synthetic sentences that praise or blame, a fifth to test",
    ),
    "patches": Source(_patches, "whitened 10x10 patches of scikit-learn's photographs, 5000 and 1000"),
    "diabetes": Source(_diabetes, "scikit-learn's diabetes study, 442 patients, a fifth to test"),
    "avocado": _toy(avocado, "1000 avocados by height, squishiness, colour: ripe or not"),
    "circle": _toy(circle, "1000 points: a disc within a ring"),
    "xor": _toy(xor, "1000 points: the sign of x1 x2"),
    "gauss": _toy(gauss, "1000 points: two clouds that a line parts"),
    "spiral": _toy(spiral, "1000 points: two arms wound around one another"),
    "and": Source(_gates, "the four cases of the logic gate and"),
    "mnist": Source(_mnist, "MNIST, 60,000 and 10,000, from a folder of its files", needs_path=True),
    "images": Source(_mnist, "a folder of PNG or JPEG files, one folder a class, a fifth to test", needs_path=True),
    "kaggle": Source(_kaggle, "Kaggle's digits, from train.csv, a tenth to test", needs_path=True),
}


def image_split(path: Path, image: tuple[int, int, int], seed: int = 0) -> tuple[Split, tuple[str, ...]]:
    """A folder of images, one folder a class, as rows of `image` (channels, rows, columns), a fifth to test; class names.

    Raises DataError for what is no such folder, ConfigError for channels other than 1 and 3.
    """
    channels, *size = image
    if channels not in (1, 3):
        raise ConfigError(f"images have 1 or 3 channels, not {channels}")
    found = image_folder(path, (size[0], size[1]), colour=channels == 3)
    return _held_out(found.x.reshape(len(found.x), -1), found.y, seed), found.classes


def images_like(files: Sequence[str], image: tuple[int, int, int]) -> Array:
    """Image files as rows of `image`, as `image_split` makes them."""
    channels, *size = image
    pixels = [resized(read_image(file, channels == 3), (size[0], size[1]), "crop") for file in files]
    return np.stack([p.reshape(-1) for p in pixels])


def read(name: str, seed: int = 0, path: Path | None = None, verify: bool = True) -> Split:
    """The split of this name. Raises ConfigError for a name that there is not or a path that is missing or not wanted."""
    if name == "images":
        raise ConfigError(
            "the data images are read for the image of a model: symdl train lenet --data images --path DIR"
        )
    if name not in SOURCES:
        raise ConfigError(f"there are no data called {name!r}", (), f"data: {', '.join(SOURCES)}")
    source = SOURCES[name]
    if source.needs_path and path is None:
        raise ConfigError(f"the data {name} are files of your own", (), "Say where: path (--path).")
    if path is not None and not source.needs_path:
        raise ConfigError(f"the data {name} come with symdl and take no path")
    return source.read(seed, path, verify)
