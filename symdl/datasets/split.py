"""A data set in parts: to learn from and to be judged by; with labels for a few examples only."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from symdl.errors import ConfigError, DataError, ShapeError

Array = np.ndarray[Any, np.dtype[Any]]


class Split(NamedTuple):
    """x: one example a row; y: its label, an integer from 0."""

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array


class FewLabels(NamedTuple):
    """x and y: the examples with labels; unlabelled: all the others."""

    x: Array
    y: Array
    unlabelled: Array


def few_labels(x: Array, y: Array, per_class: int, seed: int = 0) -> FewLabels:
    """`per_class` examples of each class keep their labels, drawn by `seed`; of the others only x is left.

    The labelled ones stand class after class; the others keep their order.
    Raises ShapeError when x and y differ in length, ConfigError for per_class < 1, DataError for a class that has fewer.
    """
    if len(x) != len(y):
        raise ShapeError(f"few_labels: {len(x)} rows of x meet {len(y)} labels of y")
    if per_class < 1:
        raise ConfigError(f"few_labels: per_class {per_class} must be at least 1")
    rng = np.random.default_rng(seed)
    chosen = []
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)
        if len(rows) < per_class:
            raise DataError(f"few_labels: class {label} has {len(rows)} examples, per_class is {per_class}")
        chosen.append(np.sort(rng.permutation(rows)[:per_class]))
    labelled = np.concatenate(chosen) if chosen else np.zeros(0, np.intp)
    others = np.ones(len(x), bool)
    others[labelled] = False
    return FewLabels(x[labelled], y[labelled], x[others])
