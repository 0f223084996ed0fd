"""MNIST (LeCun, Cortes and Burges): 60,000 and 10,000 handwritten digits of 28 by 28 pixels, from a user's files."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from symdl.datasets.idx import decode_idx, read_bytes
from symdl.datasets.split import Array, Split
from symdl.errors import DataError

# stem of the file -> MD5 of the uncompressed idx file, so that files compressed anew are recognized too
FILES = {
    "train-images": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels": "a25bea736e30d166cdddb491f175f624",
    "t10k-images": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels": "27ae3e4e09519cfbb04c329615203637",
}
CLASSES = 10


def mnist(path: str | os.PathLike[str], verify: bool = True) -> Split:
    """The four MNIST files of a folder: images float32[n, 784] with pixels in 0..1 (the byte over 255), labels int64.

    The files are called train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
    t10k-labels-idx1-ubyte, with or without .gz. With `verify` the MD5 of each is compared with the published one;
    verify=False accepts other data of that form, as Fashion-MNIST.
    Raises DataError for a file that is missing, malformed, or not the published one.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise DataError(f"mnist: there is no folder {folder}")
    found = {stem: _read(folder, stem, verify) for stem in FILES}
    parts: list[Array] = []
    for part in ("train", "t10k"):
        images, labels = found[f"{part}-images"], found[f"{part}-labels"]
        if images.ndim != 3 or images.dtype != np.uint8 or labels.ndim != 1 or labels.dtype != np.uint8:
            raise DataError(
                f"mnist: the {part} files hold other arrays than images and labels",
                [(f"{part}-images", _show(images), ""), (f"{part}-labels", _show(labels), "")],
                "Images are uint8[n, rows, columns], labels uint8[n].",
            )
        if len(images) != len(labels):
            raise DataError(f"mnist: {len(images)} images meet {len(labels)} labels in the {part} files")
        parts += [(images.reshape(len(images), -1) / np.float32(255)).astype("float32"), labels.astype("int64")]
    return Split(*parts)


def _read(folder: Path, stem: str, verify: bool) -> Array:
    file = _find(folder, stem)
    data = read_bytes(file)
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    array = decode_idx(data, str(file))  # first: a truncated file is called truncated
    if verify and digest != FILES[stem]:
        raise DataError(
            f"mnist: {file} is not the published file",
            [("its MD5", digest, ""), ("published", FILES[stem], "")],
            "If you mean to use other data of this form, pass verify=False (--no-verify).",
        )
    return array


def _find(folder: Path, stem: str) -> Path:
    kind = "idx3" if stem.endswith("images") else "idx1"
    names = [f"{stem}{mark}{kind}-ubyte{end}" for mark in "-." for end in ("", ".gz")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise DataError(f"mnist: {folder} lacks {names[0]}", (), f"Any of these would do: {', '.join(names)}.")


def _show(array: Array) -> str:
    return f"{array.dtype.name}[{', '.join(map(str, array.shape))}]"
