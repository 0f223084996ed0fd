"""Kaggle's CSV files, npz archives, pickled MNIST: what is right is read, what is not is refused by name and place."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symdl.datasets import mnist, read_kaggle_digits, read_npz, write_submission
from symdl.datasets.split import Array
from symdl.errors import ConfigError, DataError

HEADER = ",".join(f"pixel{k}" for k in range(784))


def _kaggle(rows: int = 20, labelled: bool = True) -> tuple[str, Array]:
    rng = np.random.default_rng(1)
    numbers = rng.integers(0, 256, (rows, 785))
    numbers[:, 0] %= 10
    shown = numbers if labelled else numbers[:, 1:]
    lines = [("label," if labelled else "") + HEADER, *(",".join(map(str, row)) for row in shown.tolist())]
    return "\n".join(lines) + "\n", numbers


@pytest.mark.parametrize(
    "write",
    [
        lambda t: t.encode(),
        lambda t: gzip.compress(t.encode()),
        lambda t: t.replace("\n", "\r\n").encode(),
        lambda t: t.strip().encode(),
        lambda t: t.encode("utf-8-sig"),
    ],
)
def test_kaggle_train_and_test(tmp_path: Path, write: Callable[[str], bytes]) -> None:
    for labelled in (True, False):
        text, numbers = _kaggle(labelled=labelled)
        (tmp_path / "digits.csv").write_bytes(write(text))
        x, y = read_kaggle_digits(tmp_path / "digits.csv")
        np.testing.assert_array_equal(x, numbers[:, 1:].astype("float32") / np.float32(255))
        assert x.dtype.name == "float32"
        if labelled:
            assert y is not None
            np.testing.assert_array_equal(y, numbers[:, 0])
            assert y.dtype.name == "int64"
        else:
            assert y is None


def test_kaggle_with_a_header_only(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text(HEADER + "\n")
    assert read_kaggle_digits(tmp_path / "test.csv").x.shape == (0, 784)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t: "", "does not begin with the header"),
        (lambda t: t.replace("label", "digit"), r"its first line +digit,pixel0"),
        (lambda t: t.replace(",pixel783", ""), "header of Kaggle's digits"),
        (lambda t: t[:-100], r"line 21 has \d+ fields where 785 are wanted"),
        (lambda t: t[: t.index("\n", 9000)] + ",7" + t[t.index("\n", 9000) :], "line 2 has 786 fields"),
        (lambda t: t + "\n", "line 22 has 1 fields"),
        (lambda t: t.replace("\n", "\n256,", 5).replace("\n256,", "\n", 4), "has 786 fields"),
        (lambda t: _with(t, 3, 5, "256"), "line 4: pixel4 is '256', not an integer in 0..255"),
        (lambda t: _with(t, 3, 0, "10"), "line 4: label is '10', not an integer in 0..9"),
        (lambda t: _with(t, 20, 784, "-1"), "line 21: pixel783 is '-1'"),
        (lambda t: _with(t, 1, 1, "1.5"), "line 2: pixel0 is '1.5'"),
        (lambda t: _with(t, 1, 1, ""), "line 2: pixel0 is ''"),
        (lambda t: t + "é", "is no text file"),
    ],
)
def test_kaggle_names_the_line(tmp_path: Path, damage: Callable[[str], str], message: str) -> None:
    (tmp_path / "train.csv").write_bytes(damage(_kaggle()[0]).encode())
    with pytest.raises(DataError, match=message):
        read_kaggle_digits(tmp_path / "train.csv")


def _with(text: str, line: int, column: int, value: str) -> str:
    rows = [r.split(",") for r in text.split("\n")]
    rows[line][column] = value
    return "\n".join(",".join(r) for r in rows)


def test_a_missing_csv_is_named_with_its_reader(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"read_kaggle_digits: .*nowhere\.csv cannot be read \(No such file"):
        read_kaggle_digits(tmp_path / "nowhere.csv")


def test_a_submission_counts_from_1(tmp_path: Path) -> None:
    write_submission(tmp_path / "submission.csv", np.array([7, 0, 9]))
    assert (tmp_path / "submission.csv").read_text() == "ImageId,Label\n1,7\n2,0\n3,9\n"
    for wrong in (np.array([0.5]), np.zeros((2, 2), int), np.array([10]), ["seven"]):
        with pytest.raises(DataError, match="write_submission: labels"):
            write_submission(tmp_path / "no.csv", wrong)
    assert not (tmp_path / "no.csv").exists()


# ---- npz ----


def test_npz_round_trip(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {
        "a": np.arange(6, dtype="<i2").reshape(2, 3),
        "b": np.float32(2.5),
        "c": np.arange(4.0)[::-1].reshape(2, 2).T,
    }
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "arrays.npz", **arrays)
        found = read_npz(tmp_path / "arrays.npz")
        assert list(found) == ["a", "b", "c"]
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)


def test_npz_never_unpickles(tmp_path: Path) -> None:
    np.savez(tmp_path / "objects.npz", a=np.array([{"a": 1}], object))
    with pytest.raises(DataError, match=r"a\.npy in .*objects\.npz cannot be read: .*(pickle|Object)"):
        read_npz(tmp_path / "objects.npz")


def test_npz_refuses_what_it_is_not(tmp_path: Path) -> None:
    file = tmp_path / "file.npz"
    np.savez(file, a=np.arange(1000))
    whole = file.read_bytes()
    broken = bytearray(whole)
    broken[200] ^= 0xFF  # in the numbers: the archive's checksum tells
    text = io.BytesIO()
    with zipfile.ZipFile(text, "w") as archive:
        archive.writestr("a.npy", "no array")
    cases = [
        (b"", "begins with nothing"),
        (b"\x93NUMPY", "begins with 93 4e 55 4d"),
        (whole[:-100], "is damaged"),
        (whole[:50], "is damaged"),
        (bytes(broken), "is damaged"),
        (text.getvalue(), r"a\.npy in .* cannot be read"),
    ]
    for data, message in cases:
        file.write_bytes(data)
        with pytest.raises(DataError, match=message):
            read_npz(file)


def _keras(path: Path, **changes: Array) -> Path:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        "x_train": rng.integers(0, 256, (6, 28, 28)).astype(np.uint8),
        "y_train": np.arange(6, dtype=np.uint8),
        "x_test": rng.integers(0, 256, (2, 28, 28)).astype(np.uint8),
        "y_test": np.arange(2, dtype=np.uint8),
    } | changes
    np.savez(path, **arrays)
    return path


def test_mnist_of_keras(tmp_path: Path) -> None:
    file = _keras(tmp_path / "mnist.npz")
    raw = mnist(file, verify=False, raw=True)
    assert (raw.x_train.shape, raw.x_train.dtype.name) == ((6, 28, 28), "uint8")
    split = mnist(file, verify=False)
    np.testing.assert_array_equal(split.x_test, raw.x_test.reshape(2, 784).astype("float32") / np.float32(255))
    np.testing.assert_array_equal(split.y_train, np.arange(6))
    with pytest.raises(DataError, match=r"not the published file\n.*SHA-256.*\n.*731c5ac6"):
        mnist(file)
    _keras(file, x_test=np.zeros((2, 784), np.uint8))
    with pytest.raises(DataError, match="the t10k files hold other arrays"):
        mnist(file, verify=False)
    np.savez(file, x_train=np.zeros(3))
    with pytest.raises(DataError, match="lacks x_test, y_test, y_train; it holds x_train"):
        mnist(file, verify=False)


# ---- mnist.pkl.gz ----


def _pickled(path: Path, protocol: int = 2, sizes: tuple[int, ...] = (5, 2, 3)) -> list[tuple[Array, Array]]:
    rng = np.random.default_rng(0)
    pairs = [(rng.random((n, 784), np.float32), np.arange(n) % 10) for n in sizes]
    path.write_bytes(gzip.compress(pickle.dumps(tuple(pairs), protocol)))
    return pairs


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickled_mnist_needs_leave(tmp_path: Path, protocol: int) -> None:
    file = tmp_path / "mnist.pkl.gz"
    (x, y), (valid_x, valid_y), (test_x, test_y) = _pickled(file, protocol)
    with pytest.raises(DataError, match=r"can run code when it is read\n.*allow_pickle=True"):
        mnist(file)
    split = mnist(file, allow_pickle=True)
    for found, wanted in zip(
        split, (np.concatenate([x, valid_x]), np.concatenate([y, valid_y]), test_x, test_y), strict=True
    ):
        np.testing.assert_array_equal(found, wanted)
    assert [a.dtype.name for a in split] == ["float32", "int64"] * 2
    with pytest.raises(ConfigError, match="raw=True"):
        mnist(file, raw=True, allow_pickle=True)


class _Harm:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("harm-was-done",)


def test_a_pickle_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mnist.pkl").write_bytes(pickle.dumps(_Harm()))
    with pytest.raises(DataError, match=r"it calls \w+\.mkdir, which no array needs"):
        mnist(tmp_path / "mnist.pkl", allow_pickle=True)
    assert not (tmp_path / "harm-was-done").exists()
    pickle.loads((tmp_path / "mnist.pkl").read_bytes())  # the plain way would have
    assert (tmp_path / "harm-was-done").exists()


@pytest.mark.parametrize(
    "content",
    [
        [],
        7,
        [(np.zeros((2, 784)), np.zeros(2))] * 3,
        [(np.zeros((2, 784)), np.zeros(1, int))] * 3,
        [(np.zeros((2, 9)), np.zeros(2, int))] * 3,
    ],
)
def test_pickles_of_other_things(tmp_path: Path, content: object) -> None:
    (tmp_path / "mnist.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match="does not hold three pairs"):
        mnist(tmp_path / "mnist.pkl", allow_pickle=True)


def test_damaged_pickles(tmp_path: Path) -> None:
    file = tmp_path / "mnist.pkl.gz"
    _pickled(file)
    data = gzip.decompress(file.read_bytes())
    for broken in (b"", data[:-1], data[: len(data) // 2], b"\x80\x02}", b"no pickle"):
        file.write_bytes(broken)
        with pytest.raises(DataError, match="is no pickle of arrays"):
            mnist(file, allow_pickle=True)
    file.write_bytes(gzip.compress(data)[:-30])
    with pytest.raises(DataError, match="is damaged"):
        mnist(file, allow_pickle=True)


@pytest.mark.skipif("SYMDL_MNIST" not in os.environ, reason="SYMDL_MNIST names no folder with the files of MNIST")
def test_the_real_mnist() -> None:
    split = mnist(os.environ["SYMDL_MNIST"])
    assert [len(a) for a in split] == [60_000, 60_000, 10_000, 10_000]
    assert np.bincount(split.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert abs(split.x_train.mean(dtype=np.float64) - 0.1306604762738429) < 1e-7
