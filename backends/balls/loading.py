"""The library of balls where kernels find it: machine code is linked with a name, behind which stands Python until the first
element needs it, and the library for what is loaded after that.

Most processes never need it.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm

from symdl.backends.balls.library import ENTRY

WORDS = (ctypes.c_void_p, ctypes.c_void_p, *(ctypes.c_int64,) * 2, ctypes.c_void_p, *(ctypes.c_int64,) * 2)
PROTOTYPE = ctypes.CFUNCTYPE(None, *WORDS)
NAME = ENTRY.encode()
_lock = threading.Lock()
_kept: dict[str, Any] = {}  # what machine code may call


def link(code: bytes, load: Callable[[], Any]) -> None:
    """Let code that is about to be loaded find the library. load: gives the engine that has it."""
    if NAME not in code:
        return
    with _lock:
        if "native" in _kept:
            _native(load)  # perhaps better code by now
        elif not _kept:

            def first(*given: int) -> None:
                (_kept.get("native") or _native(load))(*given)

            _kept["first"] = PROTOTYPE(first)
            llvm.add_symbol(ENTRY, ctypes.cast(_kept["first"], ctypes.c_void_p).value)


def _native(load: Callable[[], Any]) -> Any:
    """The library, which code loaded from here on calls by itself."""
    engine = load()
    if _kept.get("engine") is not engine:
        address = engine.address(ENTRY)
        _kept["before"] = [*_kept.get("before", ()), _kept.get("engine")]  # somebody may be inside
        _kept["native"], _kept["engine"] = PROTOTYPE(address), engine
        llvm.add_symbol(ENTRY, address)
    return _kept["native"]
