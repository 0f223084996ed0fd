"""Provenance: which symdl, NumPy and Python made a piece of compiled code, so that no other ever runs it."""

from __future__ import annotations

import hashlib
import marshal
import os
import sys
import time
from collections.abc import MutableMapping
from functools import cache

import numpy as np

# packages that say nothing but what graphs are made, or look at what is compiled
ABOVE = frozenset(
    ["cli", "datasets", "display", "images", "interop", "nn", "notation", "plot", "profiling", "sklearn", "zoo"]
)
GPU = frozenset(["cuda", "emulator", "nvptx"])  # that code for the CPU does not depend on
STARTED = time.time()  # files of symdl that are newer than this are not what this process runs


@cache
def provenance(kept: MutableMapping[str, bytes] | None = None, passed: frozenset[str] = ABOVE) -> str:
    """A digest of symdl's own source files and of the versions of Python and NumPy; empty where it cannot be told.

    It is one of the files' texts, so that a developer's edit never meets code of the text before; of the packages passed
    no file: code depends on those ABOVE through the graph alone. kept: remembers it by
    the files' names, sizes and times (that of the last change, too, which nobody sets), since to read 400 files takes
    longer than all else that a warm start does. It cannot be told where a file was edited after this process began, or
    where symdl is not made of files.
    """
    build = getattr(sys, "abiflags", ""), object.__basicsize__
    made = repr((sys.implementation.cache_tag, build, np.__version__))
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    try:
        files = sources(top, passed)
        if not files or max(about.st_mtime for _, about in files) > STARTED:
            return ""
        times = [(path, a.st_size, a.st_ino, a.st_mtime_ns, a.st_ctime_ns) for path, a in files]
        stamp = "sources " + hashlib.blake2b(marshal.dumps((made, times), 2), digest_size=20).hexdigest()
        known = None if kept is None else kept.get(stamp)
        if known is not None:
            return known.decode()
        digest = hashlib.blake2b(made.encode(), digest_size=20)
        for path, _ in files:
            with open(path, "rb", buffering=0) as file:
                if os.fstat(file.fileno()).st_mtime > STARTED:
                    return ""
                text = file.readall()
            digest.update(repr((path.removeprefix(top), len(text))).encode())
            digest.update(text)
    except OSError:
        return ""
    if kept is not None:
        kept[stamp] = digest.hexdigest().encode()
    return digest.hexdigest()


def sources(top: str, passed: frozenset[str] = ABOVE) -> list[tuple[str, os.stat_result]]:
    """Every Python file in a folder and the folders in it but those of the names passed, and what is known of it, sorted."""
    found, folders = [], [top]
    while folders:
        folder = folders.pop()
        with os.scandir(folder) as listing:
            for item in listing:
                if item.name.endswith(".py"):
                    found.append((item.path, os.stat(item.path)))
                elif (
                    item.name.isidentifier()
                    and item.name != "__pycache__"
                    and item.name not in passed
                    and item.is_dir()
                ):
                    folders.append(item.path)
    return sorted(found)
