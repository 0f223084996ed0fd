"""Files in the idx format of MNIST (LeCun, Cortes and Burges): a big-endian header, then the numbers in C order.

Bytes 0 and 1 are zero, byte 2 names the dtype, byte 3 the number of axes; then each extent as uint32, then the data.
"""

from __future__ import annotations

import gzip
import math
import os
from pathlib import Path

import numpy as np

from symdl.datasets.files import read_bytes
from symdl.datasets.split import Array
from symdl.errors import DataError, DtypeError

DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | os.PathLike[str]) -> Array:
    """The array of an idx file, plain or compressed by gzip, in native byte order.

    Raises DataError when the file is missing, does not begin as idx does, or holds fewer or more bytes than its
    header announces.
    """
    return decode_idx(read_bytes(path, "read_idx"), str(path))


def decode_idx(data: bytes, name: str) -> Array:
    """The array in the bytes of an uncompressed idx file; `name` is what an error calls it."""
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in DTYPES:
        begins = data[:4].hex(" ") or "nothing"
        raise DataError(
            f"read_idx: {name} is no idx file: it begins with {begins}",
            (),
            "An idx file begins with 00 00, a dtype (08 09 0b 0c 0d 0e) and the number of axes.",
        )
    dtype, ndim = np.dtype(DTYPES[data[2]]), data[3]
    header = 4 + 4 * ndim
    if len(data) < header:
        raise DataError(f"read_idx: {name} ends within its header: {len(data)} of {header} bytes")
    shape = tuple(int(n) for n in np.frombuffer(data, ">u4", ndim, 4))
    size = math.prod(shape) * dtype.itemsize
    if len(data) - header != size:
        what = "is truncated" if len(data) - header < size else "has trailing bytes"
        raise DataError(
            f"read_idx: {name} {what}: {len(data) - header} bytes of data, {size} announced",
            [("header", f"{dtype.newbyteorder('=').name}[{', '.join(map(str, shape))}]", "")],
        )
    return np.frombuffer(data, dtype, offset=header).reshape(shape).astype(dtype.newbyteorder("="))


def write_idx(path: str | os.PathLike[str], array: Array) -> None:
    """Write an array as an idx file, compressed when the name ends in .gz.

    Raises DtypeError for a dtype that the format does not have.
    """
    codes = {np.dtype(text).newbyteorder("="): code for code, text in DTYPES.items()}
    code = codes.get(array.dtype.newbyteorder("="))
    if code is None or array.ndim > 255:
        raise DtypeError(f"write_idx: the format has no {array.dtype} array of {array.ndim} axes")
    header = bytes([0, 0, code, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    data = header + array.astype(DTYPES[code]).tobytes()
    path = Path(path)
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
