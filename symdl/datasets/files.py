"""Bytes of files that a user brings: whole, uncompressed where they are gzip, or a DataError that names the file."""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path

from symdl.errors import DataError

GZIP = b"\x1f\x8b"


def read_bytes(path: str | os.PathLike[str], reader: str) -> bytes:
    """The bytes of a file, uncompressed when it begins as a gzip file does; `reader` is who an error says was reading.

    Raises DataError when the file is missing or damaged.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{reader}: {path} cannot be read ({error.strerror})") from error
    if not data.startswith(GZIP):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{reader}: {path} is damaged: {error}") from error
