"""DLPack: an array in a GPU's memory in the form that other libraries take over without a copy (DLPack 1.0, unversioned)."""

from __future__ import annotations

import ctypes
import threading
from typing import Any, ClassVar

import numpy as np

CODES = {"i": 0, "u": 1, "f": 2, "b": 6}  # DLDataTypeCode by NumPy's kind
NAME = b"dltensor"
_lock = threading.Lock()
_kept: dict[int, tuple[Any, ...]] = {}  # by address of the tensor's description: what lives as long as it


class Tensor(ctypes.Structure):
    """DLManagedTensor: the array, then what its consumer calls when it is done."""

    _fields_: ClassVar = [
        ("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16),
        ("shape", ctypes.c_void_p), ("strides", ctypes.c_void_p), ("byte_offset", ctypes.c_uint64),
        ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p),
    ]  # fmt: skip


def _forget(address: int | None) -> None:
    with _lock:
        _kept.pop(address or 0, None)


def _unused(capsule: int | None) -> None:
    """A capsule that dies under its first name was never taken over."""
    if _is_valid(capsule, NAME):
        _forget(_pointer(capsule, NAME))


DELETER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(_forget)
DESTRUCTOR = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(_unused)
_is_valid = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_IsValid", ctypes.pythonapi))
_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)
_new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(
    ("PyCapsule_New", ctypes.pythonapi)
)


def capsule(owner: Any, address: int, shape: tuple[int, ...], dtype: np.dtype[Any], device: tuple[int, int]) -> Any:
    """A PyCapsule "dltensor" of an array in C order; owner lives until its consumer is done."""
    extents = (ctypes.c_int64 * max(len(shape), 1))(*shape)
    tensor = Tensor(
        data=address, device_type=device[0], device_id=device[1], ndim=len(shape), code=CODES[dtype.kind],
        bits=8 * dtype.itemsize, lanes=1, shape=ctypes.addressof(extents), strides=None, byte_offset=0, context=None,
        deleter=ctypes.cast(DELETER, ctypes.c_void_p),
    )  # fmt: skip
    place = ctypes.addressof(tensor)
    with _lock:
        _kept[place] = owner, tensor, extents
    return _new(place, NAME, ctypes.cast(DESTRUCTOR, ctypes.c_void_p))
