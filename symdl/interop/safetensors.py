"""Weights in safetensors files: named arrays and text metadata, written whole or not at all.

Every array is copied to C order and native byte order before it is handed over: safetensors 0.8.0 writes an array of
another layout (transposed, strided, broadcast) with its bytes in the wrong order, without an error.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from symdl import extras
from symdl.errors import DataError, DtypeError

Array = np.ndarray[Any, np.dtype[Any]]
DTYPES = frozenset("bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64".split())


def save(path: str | os.PathLike[str], tensors: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> None:
    """Write named arrays and metadata to a safetensors file, atomically.

    The version of symdl is added to the metadata. Equal arrays and metadata are equal bytes. These go to a temporary file in
    the same folder, which then takes the place of `path` in one step: a reader sees the old file or the new one, also when
    the process dies in between.
    Raises DtypeError for a dtype that symdl does not have, DataError for a place where nothing can be written,
    MissingDependencyError without safetensors.
    """
    safetensors = extras.load("safetensors.numpy", "saving weights")
    text = {"symdl.version": extras.own_version(), **(metadata or {})}
    data: bytes = safetensors.save({name: plain(name, value) for name, value in tensors.items()}, text)
    path = Path(path)
    if not path.parent.is_dir():
        raise DataError(f"save: there is no folder {path.parent} to write {path.name} to")
    try:
        write_atomically(path, in_order(data))
    except OSError as error:
        raise DataError(f"save: {path} cannot be written ({error.strerror or error})") from error


def in_order(data: bytes) -> bytes:
    """A safetensors file with its metadata sorted; safetensors draws their order anew for every file."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format's padding
    return len(text).to_bytes(8, "little") + text + data[end:]


def load(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, str]]:
    """The arrays and the metadata of a safetensors file, as `save` wrote them.

    Raises DataError for a file that is missing or damaged, MissingDependencyError without safetensors.
    """
    safetensors = extras.load("safetensors", "loading weights")
    path = Path(path)
    if not path.is_file():
        raise DataError(f"load: there is no file {path}")
    try:
        with safetensors.safe_open(str(path), framework="numpy") as file:
            metadata = dict(file.metadata() or {})
            return {name: file.get_tensor(name) for name in sorted(file.keys())}, metadata
    except (safetensors.SafetensorError, TypeError, OSError) as error:  # TypeError: a dtype that NumPy lacks
        raise DataError(f"load: {path} is not a whole safetensors file ({error})") from error


def plain(name: str, value: Any) -> Array:
    """A copy in C order and native byte order, of a dtype that symdl has."""
    array = np.asarray(value)
    native = array.dtype.newbyteorder("=")
    if native.name not in DTYPES:
        raise DtypeError(f"save: {name} has dtype {array.dtype}", (), f"dtypes: {', '.join(sorted(DTYPES))}")
    # ascontiguousarray makes a scalar one-dimensional, so the shape is put back
    return np.ascontiguousarray(array, dtype=native).reshape(array.shape).copy()


def write_atomically(path: Path, data: bytes) -> None:
    """Put data at path: through a temporary file beside it, flushed to the disk, and os.replace."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _mode(path))
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _mode(path: Path) -> int:
    """The permissions that the file has, or that a new file would get (mkstemp gives 0600)."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)  # the only way to read it is to set it
    os.umask(mask)
    return 0o666 & ~mask
