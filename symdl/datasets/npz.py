"""Archives of arrays as numpy.savez writes them, without unpickling anything."""

from __future__ import annotations

import io
import os
import zipfile
import zlib

import numpy as np

from symdl.datasets.files import read_bytes
from symdl.datasets.split import Array
from symdl.errors import DataError


def read_npz(path: str | os.PathLike[str]) -> dict[str, Array]:
    """The arrays of an .npz file by their names.

    Raises DataError when the file is missing, damaged, no such archive, or holds Python objects: those could run code
    when they are read.
    """
    return decode_npz(read_bytes(path, "read_npz"), str(path))


def decode_npz(data: bytes, name: str) -> dict[str, Array]:
    """The arrays in the bytes of an .npz file; `name` is what an error calls it."""
    if not data.startswith(b"PK"):
        begins = data[:4].hex(" ") or "nothing"
        raise DataError(
            f"read_npz: {name} is no npz archive: it begins with {begins}", (), "It would begin with 50 4b."
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {member.removesuffix(".npy"): _array(archive, member, name) for member in archive.namelist()}
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataError(f"read_npz: {name} is damaged: {error}") from error


def _array(archive: zipfile.ZipFile, member: str, name: str) -> Array:
    try:
        array: Array = np.lib.format.read_array(io.BytesIO(archive.read(member)), allow_pickle=False)
    except (ValueError, RuntimeError, NotImplementedError) as error:  # an encrypted member is a RuntimeError
        raise DataError(f"read_npz: {member} in {name} cannot be read: {error}") from error
    return array
