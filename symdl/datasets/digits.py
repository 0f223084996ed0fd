"""The 1,797 handwritten digits that ship with scikit-learn (Alpaydin and Kaynak, 1998, UCI; 8 by 8 pixels)."""

from __future__ import annotations

from symdl import extras
from symdl.datasets.split import Array, Split

IMAGES, PIXELS, CLASSES = 1797, 64, 10


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
