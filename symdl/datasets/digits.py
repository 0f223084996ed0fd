"""The 1,797 handwritten digits that ship with scikit-learn (Alpaydin and Kaynak, 1998, UCI; 8 by 8 pixels)."""

from __future__ import annotations

import numpy as np

from symdl import extras
from symdl.datasets.split import Array, Split

IMAGES, PIXELS, CLASSES = 1797, 64, 10
TRAIN = 1437  # 80 % of the images
NUDGES = ((0, 0), (-1, 0), (0, -1), (0, 1), (1, 0))  # (rows, columns) that an image is moved by


def digits() -> tuple[Array, Array]:
    """Images float32[1797, 64] with pixels in 0..1 (the file's 0..16 over 16, exact), labels int64[1797] in 0..9.

    Raises MissingDependencyError without scikit-learn.
    """
    datasets = extras.load("sklearn.datasets", "the digits data set")
    images, labels = datasets.load_digits(return_X_y=True)
    return (images / 16).astype("float32"), labels.astype("int64")


def digits_split(seed: int = 0) -> Split:
    """The digits in 80 % to train and 20 % to test (1437 and 360), every class in its share, drawn by `seed`.

    Raises MissingDependencyError without scikit-learn.
    """
    selection = extras.load("sklearn.model_selection", "the split of the digits data set")
    x, y = digits()
    x_train, x_test, y_train, y_test = selection.train_test_split(x, y, test_size=0.2, stratify=y, random_state=seed)
    return Split(x_train, y_train, x_test, y_test)


def digits_halves() -> Split:
    """The first 898 digits to train and the last 899 to test, in order: other writers, so a harder test.

    It is the split of scikit-learn's example of recognizing digits. Raises MissingDependencyError without scikit-learn.
    """
    x, y = digits()
    half = IMAGES // 2
    return Split(x[:half], y[:half], x[half:], y[half:])


def binary_digits(seed: int = 0) -> Split:
    """The digits with pixels 0 and 1 (1 where the file's 0..16 is above 7), 1437 to train and 360 to test.

    Rows in the order of numpy.random.default_rng(seed).permutation(1797). Raises MissingDependencyError without
    scikit-learn.
    """
    x, y = digits()
    x = (x > 7 / 16).astype("float32")
    order = np.random.default_rng(seed).permutation(IMAGES)
    train, test = order[:TRAIN], order[TRAIN:]
    return Split(x[train], y[train], x[test], y[test])


def pooled_digits(threshold: float | None = None) -> tuple[Array, Array]:
    """The digits as 4 by 4 pixels, each the mean of 2 by 2: images float32[1797, 16] in 0..1, labels int64[1797].

    threshold: pixels above it become 1, the others 0, so that there are 2^16 images in all and a model's log
    likelihood is a sum that can be written out. Raises MissingDependencyError without scikit-learn.
    """
    x, y = digits()
    pooled = x.reshape(IMAGES, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(IMAGES, 16)  # exact: sums of sixteenths
    return (pooled if threshold is None else (pooled > threshold).astype("float32")), y


def nudged_digits() -> tuple[Array, Array]:
    """The digits five times: as they are, and moved by one pixel up, left, right and down: float32[8985, 64].

    What enters at an edge is 0. Then each pixel is scaled to 0..1 over all images. It is the data of scikit-learn's
    example of features by a restricted Boltzmann machine. Raises MissingDependencyError without scikit-learn.
    """
    x, y = digits()
    frame = np.pad(x.reshape(IMAGES, 8, 8), ((0, 0), (1, 1), (1, 1)))
    moved = [frame[:, 1 - down : 9 - down, 1 - right : 9 - right].reshape(IMAGES, 64) for down, right in NUDGES]
    images = np.concatenate(moved)
    low, high = images.min(axis=0), images.max(axis=0)
    spread = np.where(high > low, high - low, 1)
    return ((images - low) / spread).astype("float32"), np.tile(y, len(NUDGES))
