"""MNIST as the pickle of arrays that the deeplearning.net tutorials used (mnist.pkl.gz), read with nothing but arrays.

A pickle is a program. This reader knows the few functions that pickles of arrays call, and refuses any other.
"""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from symdl.datasets.files import read_bytes
from symdl.datasets.split import Array
from symdl.errors import DataError

# NumPy's own, whose module has another name before NumPy 2: what pickles of any age and protocol call
_RECONSTRUCT: Any = np.zeros(1).__reduce__()[0]
_FROM_BUFFER: Any = np.zeros(1).__reduce_ex__(5)[0]
_BROKEN = (
    pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, MemoryError,
)  # fmt: skip


def _encoded(text: str, encoding: str) -> bytes:
    return text.encode(encoding)


ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy.core.numeric", "_frombuffer"): _FROM_BUFFER,
    ("numpy._core.numeric", "_frombuffer"): _FROM_BUFFER,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _encoded,
}


class _Arrays(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it calls {module}.{name}, which no array needs")
        found: Callable[..., Any] = ALLOWED[module, name]
        return found


def read_pickled_mnist(path: str | os.PathLike[str], allow_pickle: bool = False) -> list[tuple[Array, Array]]:
    """The three pairs (images, labels) of an mnist.pkl.gz, or of the same uncompressed: train, validation, test.

    Raises DataError without allow_pickle=True; for a file that is missing, damaged or holds anything but arrays; and
    for one that holds other arrays than images float[n, 784] and labels int[n].
    """
    if not allow_pickle:
        raise DataError(
            f"mnist: {path} is a pickle, which can run code when it is read",
            (),
            "If you trust who made it, pass allow_pickle=True; the idx files and mnist.npz hold the same images.",
        )
    data = read_bytes(path, "mnist")
    try:
        found = _Arrays(io.BytesIO(data), encoding="latin1").load()
    except _BROKEN as error:
        raise DataError(f"mnist: {path} is no pickle of arrays: {error}") from error
    try:
        pairs = [(x, y) for x, y in found]
    except (TypeError, ValueError):
        pairs = []
    good = len(pairs) == 3 and all(_is_images(x) and _is_labels(y) and len(x) == len(y) for x, y in pairs)
    if not good:
        raise DataError(
            f"mnist: {path} does not hold three pairs of images and labels",
            (),
            "They are (train, validation, test), each (float[n, 784], int[n]).",
        )
    return pairs


def _is_images(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.ndim == 2 and x.shape[1] == 784 and x.dtype.kind == "f"


def _is_labels(y: Any) -> bool:
    return isinstance(y, np.ndarray) and y.ndim == 1 and y.dtype.kind in "iu"
