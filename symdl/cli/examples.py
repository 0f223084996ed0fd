"""Examples in files: one array each, whatever the format."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from symdl.datasets.digits import digits
from symdl.datasets.idx import read_idx
from symdl.errors import DataError
from symdl.zoo.base import Array

IMAGES = (".png", ".jpg", ".jpeg")


def examples(source: str) -> tuple[Array, list[int]]:
    """The examples of a file, or the bundled digit of this number, and their labels where known."""
    if source.isdecimal() and not Path(source).exists():
        x, y = digits()
        if int(source) >= len(x):
            raise DataError(f"predict: there is no digit {source}; the bundled ones are 0 to {len(x) - 1}")
        return x[[int(source)]], [int(y[int(source)])]
    path = Path(source)
    if not path.is_file():
        raise DataError(f"predict: there is no file {path}")
    readers: dict[str, Callable[[Path], Array]] = {".npy": _read_npy, ".npz": _read_npz, ".csv": _read_csv}
    return readers.get(path.suffix, read_idx)(path), []


def _read_npy(path: Path) -> Array:
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (ValueError, EOFError) as error:
        raise DataError(f"predict: {path} is no .npy file of numbers ({error})") from error


def _read_npz(path: Path) -> Array:
    try:
        with np.load(path, allow_pickle=False) as file:
            names = list(file.files)
            name = names[0] if len(names) == 1 else "x"
            if name in names:
                return np.asarray(file[name])
    except (ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:  # AttributeError: a .npy of this name
        raise DataError(f"predict: {path} is no .npz file of numbers ({error})") from error
    raise DataError(f"predict: {path} holds {', '.join(names)}; it must hold one array, or one called x")


def _read_csv(path: Path) -> Array:
    """Numbers between commas, one example a line; a first line that is no numbers is a header."""
    try:
        with path.open(encoding="utf-8") as file:
            lines = [text for line in file if (text := line.partition("#")[0].strip())]
        header = bool(lines) and re.search(r"[A-DF-Za-df-z_]", re.sub(r"(?i)\b(nan|inf)\b", "", lines[0])) is not None
        if len(lines) == header:
            below = " below its first line, which is read as a header" if header else ""
            raise DataError(f"predict: {path} holds no examples{below}")
        widths = [line.count(",") + 1 for line in lines[header:]]
        if odd := [k for k, n in enumerate(widths) if n != widths[0]]:
            raise DataError(
                f"predict: {path}: example {odd[0]} has {widths[odd[0]]} numbers, example 0 has {widths[0]}"
            )
        return np.loadtxt(lines[header:], delimiter=",", ndmin=2)
    except (ValueError, UnicodeDecodeError) as error:
        raise error if isinstance(error, DataError) else DataError(f"predict: {path}: {error}") from error
