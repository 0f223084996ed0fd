"""The files of Kaggle's Digit Recognizer: MNIST images as rows of a CSV file, and the answers to hand in."""

from __future__ import annotations

import codecs
import io
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from symdl.datasets.files import read_bytes
from symdl.datasets.split import Array
from symdl.errors import DataError, kind_of

PIXELS = 784
HEADER = ",".join(f"pixel{k}" for k in range(PIXELS))


class KaggleDigits(NamedTuple):
    """x: float32[n, 784], pixels in 0..1, pixel 28 i + j in row i and column j; y: int64[n], None for test.csv."""

    x: Array
    y: Array | None


def read_kaggle_digits(path: str | os.PathLike[str]) -> KaggleDigits:
    """train.csv (a label, then 784 pixels in 0..255 a line) or test.csv (no label), plain or compressed by gzip.

    Raises DataError when the file is missing or damaged, has another header, or a line that is not such numbers: the
    error names the line.
    """
    data = read_bytes(path, "read_kaggle_digits").removeprefix(codecs.BOM_UTF8)  # which spreadsheets put there
    try:
        text = data.decode("ascii").removesuffix("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"read_kaggle_digits: {path} is no text file: byte {data[error.start]:#x} in it") from error
    header, _, body = text.replace("\r", "").replace('"', "").partition("\n")
    labelled = header.startswith("label,")
    if header.removeprefix("label,") != HEADER:
        raise DataError(
            f"read_kaggle_digits: {path} does not begin with the header of Kaggle's digits",
            [("its first line", _short(header), ""), ("wanted", f"[label,]{_short(HEADER)}", "")],
        )
    columns = PIXELS + labelled
    numbers = _numbers(body, columns, labelled)
    if numbers is None:
        raise DataError(f"read_kaggle_digits: {path}: {_wrong_line(body, columns, labelled)}")
    y = numbers[:, 0].astype("int64") if labelled else None
    return KaggleDigits(numbers[:, int(labelled) :].astype("float32") / np.float32(255), y)


def write_submission(path: str | os.PathLike[str], labels: Any) -> None:
    """Write the answers for test.csv: a header ImageId,Label and one line an image, counted from 1.

    Raises DataError unless labels is a sequence of integers in 0..9.
    """
    y = np.asarray(labels)
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise DataError(f"write_submission: labels is {kind_of(labels)}, not one integer an image")
    if y.size and not 0 <= y.min() <= y.max() <= 9:
        raise DataError(f"write_submission: labels from {y.min()} to {y.max()} are not digits")
    lines = [f"{k},{label}\n" for k, label in enumerate(y.tolist(), 1)]
    Path(path).write_text("ImageId,Label\n" + "".join(lines), encoding="ascii")


def _numbers(body: str, columns: int, labelled: bool) -> Array | None:
    """The numbers of all lines, None if a line is not what it must be."""
    if not body:
        return np.zeros((0, columns), np.uint8)
    try:
        numbers = np.loadtxt(io.StringIO(body), np.uint8, comments=None, delimiter=",", ndmin=2)
    except (ValueError, OverflowError):
        return None
    lines = body.count("\n") + 1  # loadtxt skips empty lines
    good = numbers.shape == (lines, columns) and not (labelled and (numbers[:, 0] > 9).any())
    return numbers if good else None


def _wrong_line(body: str, columns: int, labelled: bool) -> str:
    """What is wrong with the first line that is wrong."""
    for number, line in enumerate(body.split("\n"), 2):
        fields = line.split(",")
        if len(fields) != columns:
            return f"line {number} has {len(fields)} fields where {columns} are wanted"
        for k, field in enumerate(fields):
            top = 9 if labelled and k == 0 else 255
            if not field.strip().isdigit() or int(field) > top:
                name = "label" if labelled and k == 0 else f"pixel{k - labelled}"
                return f"line {number}: {name} is {field!r}, not an integer in 0..{top}"
    return "a line in it cannot be read"


def _short(line: str) -> str:
    return line if len(line) <= 40 else f"{line[:18]}...{line[-18:]}"
