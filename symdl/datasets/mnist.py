"""MNIST (LeCun, Cortes and Burges): 60,000 and 10,000 handwritten digits of 28 by 28 pixels, from a user's files."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from symdl.datasets.files import read_bytes
from symdl.datasets.idx import decode_idx
from symdl.datasets.npz import decode_npz
from symdl.datasets.pickled import read_pickled_mnist
from symdl.datasets.split import Array, Split
from symdl.errors import ConfigError, DataError

# stem of the file -> MD5 of the uncompressed idx file, so that files compressed anew are recognized too
FILES = {
    "train-images": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels": "a25bea736e30d166cdddb491f175f624",
    "t10k-images": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels": "27ae3e4e09519cfbb04c329615203637",
}
KERAS_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"  # of the mnist.npz of Keras
CLASSES = 10


def mnist(path: str | os.PathLike[str], verify: bool = True, *, raw: bool = False, allow_pickle: bool = False) -> Split:
    """MNIST, or data of its form: images float32[n, 784] with pixels in 0..1 (the byte over 255), labels int64[n].

    path is the folder of the four idx files, the mnist.npz of Keras, or the mnist.pkl.gz of the deeplearning.net
    tutorials. The idx files are called train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
    t10k-labels-idx1-ubyte, with or without .gz. With `verify` the MD5 of each, or the SHA-256 of mnist.npz, is compared
    with the published one; verify=False accepts other data of that form, as Fashion-MNIST. A pickle is read with
    allow_pickle=True only, and then nothing but arrays in it; its 10,000 for validation are the last rows of x_train.
    raw=True: images are the bytes themselves, uint8[n, 28, 28] in 0..255, as Keras loads them.
    Raises DataError for a file that is missing, malformed, or not the published one, ConfigError for raw=True and a
    pickle, whose pixels are no bytes.
    """
    path = Path(path)
    if path.is_dir():
        return _split(_idx_files(path, verify), raw)
    if not path.exists():
        raise DataError(f"mnist: there is no folder {path}")
    if path.name.endswith((".pkl", ".pkl.gz")):
        if raw:
            raise ConfigError("mnist: raw=True, but a pickle holds pixels in 0..1")
        (x, y), (valid_x, valid_y), (test_x, test_y) = read_pickled_mnist(path, allow_pickle)
        labels, test_labels = np.concatenate([y, valid_y]).astype("int64"), test_y.astype("int64")
        return Split(np.concatenate([x, valid_x]).astype("float32"), labels, test_x.astype("float32"), test_labels)
    return _split(_keras_file(path, verify), raw)


def _split(found: dict[str, Array], raw: bool) -> Split:
    """The four arrays, checked, as images and labels."""
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
        rows = images if raw else images.reshape(len(images), -1).astype("float32") / np.float32(255)
        parts += [rows, labels.astype("int64")]
    return Split(*parts)


def _idx_files(folder: Path, verify: bool) -> dict[str, Array]:
    return {stem: _read(folder, stem, verify) for stem in FILES}


def _read(folder: Path, stem: str, verify: bool) -> Array:
    file = _find(folder, stem)
    data = read_bytes(file, "mnist")
    array = decode_idx(data, str(file))  # first: a truncated file is called truncated
    if verify:
        _check(file, "MD5", hashlib.md5(data, usedforsecurity=False).hexdigest(), FILES[stem])
    return array


def _keras_file(file: Path, verify: bool) -> dict[str, Array]:
    data = read_bytes(file, "mnist")
    arrays = decode_npz(data, str(file))
    names = {"train-images": "x_train", "train-labels": "y_train", "t10k-images": "x_test", "t10k-labels": "y_test"}
    missing = sorted(set(names.values()) - arrays.keys())
    if missing:
        raise DataError(f"mnist: {file} lacks {', '.join(missing)}; it holds {', '.join(arrays) or 'nothing'}")
    if verify:
        _check(file, "SHA-256", hashlib.sha256(data).hexdigest(), KERAS_SHA256)
    return {stem: arrays[name] for stem, name in names.items()}


def _check(file: Path, kind: str, digest: str, published: str) -> None:
    if digest != published:
        raise DataError(
            f"mnist: {file} is not the published file",
            [(f"its {kind}", digest, ""), ("published", published, "")],
            "If you mean to use other data of this form, pass verify=False (--no-verify).",
        )


def _find(folder: Path, stem: str) -> Path:
    kind = "idx3" if stem.endswith("images") else "idx1"
    names = [f"{stem}{mark}{kind}-ubyte{end}" for mark in "-." for end in ("", ".gz")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise DataError(f"mnist: {folder} lacks {names[0]}", (), f"Any of these would do: {', '.join(names)}.")


def _show(array: Array) -> str:
    return f"{array.dtype.name}[{', '.join(map(str, array.shape))}]"
