"""Readers refuse what is not what it claims to be; the bundled digits are the ones of the published counts."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

import symdl.extras
from symdl.datasets import digits, digits_split, mnist, read_idx, write_idx
from symdl.datasets.mnist import FILES
from symdl.errors import DataError, DtypeError, MissingDependencyError

IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
# the bytes of a file of two int16 numbers, 1 and -2, by the format's definition
TWO_NUMBERS = bytes.fromhex("00000b01 00000002 0001 fffe".replace(" ", ""))


def test_idx_is_big_endian(tmp_path: Path) -> None:
    file = tmp_path / "numbers"
    file.write_bytes(TWO_NUMBERS)
    array = read_idx(file)
    assert array.tolist() == [1, -2]
    assert array.dtype == np.dtype("=i2")
    write_idx(tmp_path / "again", array)
    assert (tmp_path / "again").read_bytes() == TWO_NUMBERS


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("name", ["plain", "compressed.gz"])
def test_idx_round_trip(tmp_path: Path, dtype: str, name: str) -> None:
    array = IMAGES.astype(dtype)
    write_idx(tmp_path / name, array.transpose(0, 2, 1))  # not in C order
    again = read_idx(tmp_path / name)
    np.testing.assert_array_equal(again, array.transpose(0, 2, 1))
    assert again.dtype == array.dtype
    assert (tmp_path / name).read_bytes().startswith(b"\x1f\x8b") == name.endswith(".gz")


def test_idx_of_a_scalar_and_of_nothing(tmp_path: Path) -> None:
    for array in (np.array(7, np.int32), np.zeros((0, 28, 28), np.uint8)):
        write_idx(tmp_path / "file", array)
        np.testing.assert_array_equal(read_idx(tmp_path / "file"), array)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "begins with nothing"),
        (b"\x89PNG\r\n", "begins with 89 50 4e 47"),
        (b"\0\0\x07\x01\0\0\0\0", "begins with 00 00 07 01"),
        (TWO_NUMBERS[:6], "ends within its header: 6 of 8 bytes"),
        (TWO_NUMBERS[:-1], r"is truncated: 3 bytes of data, 4 announced\n  header  int16\[2\]"),
        (TWO_NUMBERS + b"\0", "has trailing bytes: 5 bytes of data, 4 announced"),
        (gzip.compress(TWO_NUMBERS, mtime=0)[:-9], "is damaged"),
        (gzip.compress(TWO_NUMBERS, mtime=0)[:-1], "is damaged"),
        (b"\x1f\x8bno gzip", "is damaged"),
    ],
)
def test_idx_refuses(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(DataError, match=message):
        read_idx(tmp_path / "file")


def test_idx_of_a_missing_file_and_a_missing_dtype(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere cannot be read"):
        read_idx(tmp_path / "nowhere")
    with pytest.raises(DtypeError, match="no int64 array"):
        write_idx(tmp_path / "file", np.zeros(3, np.int64))


def _folder(tmp_path: Path, *, suffix: str = ".gz", train: int = 6) -> Path:
    rng = np.random.default_rng(0)
    for part, n in (("train", train), ("t10k", 2)):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte{suffix}", rng.integers(0, 256, (n, 28, 28)).astype(np.uint8))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte{suffix}", (np.arange(n) % 10).astype(np.uint8))
    return tmp_path


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_mnist_of_other_files_needs_leave(tmp_path: Path, suffix: str) -> None:
    folder = _folder(tmp_path, suffix=suffix)
    split = mnist(folder, verify=False)
    assert (split.x_train.shape, split.x_test.shape) == ((6, 784), (2, 784))
    assert [split.x_train.dtype.name, split.y_train.dtype.name] == ["float32", "int64"]
    raw = read_idx(folder / f"train-images-idx3-ubyte{suffix}").reshape(6, 784)
    np.testing.assert_array_equal(split.x_train, (raw / 255).astype(np.float32))
    assert split.x_train.min() == 0
    assert split.x_train.max() == 1
    with pytest.raises(DataError, match=rf"not the published file\n.*\n.*{FILES['train-images']}\n.*--no-verify"):
        mnist(folder)


def test_mnist_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no folder"):
        mnist(tmp_path / "nowhere")
    with pytest.raises(DataError, match="lacks train-images-idx3-ubyte"):
        mnist(tmp_path)
    folder = _folder(tmp_path)
    write_idx(folder / "t10k-labels-idx1-ubyte.gz", np.zeros(3, np.uint8))
    with pytest.raises(DataError, match="2 images meet 3 labels in the t10k files"):
        mnist(folder, verify=False)
    write_idx(folder / "t10k-labels-idx1-ubyte.gz", np.zeros((2, 1), np.uint8))
    with pytest.raises(DataError, match=r"other arrays than images and labels(?s:.*)uint8\[2, 1\]"):
        mnist(folder, verify=False)


def test_digits_are_those_of_the_uci_test_set() -> None:
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn: pip install symdl[zoo]")
    x, y = digits()
    assert x.shape == (1797, 64)
    assert [x.dtype.name, y.dtype.name] == ["float32", "int64"]
    assert (x.min(), x.max(), float(x.sum(dtype=np.float64) * 16)) == (0, 1, 561718.0)
    assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_the_split_is_stratified_and_drawn_by_its_seed() -> None:
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn: pip install symdl[zoo]")
    one, same, other = digits_split(3), digits_split(3), digits_split(4)
    assert (len(one.x_train), len(one.x_test)) == (1437, 360)
    assert set(np.bincount(one.y_test)) == {35, 36, 37}
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one.y_train, other.y_train)


def test_a_missing_package_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symdl.extras, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError) as caught:
        digits()
    assert str(caught.value) == (
        'the digits data set: the package scikit-learn is not installed\n  pip install "symdl[zoo]"'
    )
