"""A data set in two parts: to learn from, and to be judged by."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


class Split(NamedTuple):
    """x: one example a row; y: its label, an integer from 0."""

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array
