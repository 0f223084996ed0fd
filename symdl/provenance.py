"""Provenance: which symdl, NumPy and Python made a piece of compiled code, so that no other ever runs it."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from functools import cache

import numpy as np

STARTED = time.time()  # files of symdl that are newer than this are not what this process runs


@cache
def provenance() -> str:
    """A digest of symdl's own source files and of the versions of Python and NumPy; empty where it cannot be told.

    It reads every file, so that a developer's edit never meets code of the text before. It cannot be told where a file
    was edited after this process began, or where symdl is not made of files.
    """
    digest = hashlib.blake2b(digest_size=20)
    build = getattr(sys, "abiflags", ""), object.__basicsize__
    digest.update(repr((sys.implementation.cache_tag, build, np.__version__)).encode())
    top = os.path.dirname(os.path.abspath(__file__))
    try:
        paths = sources(top)
        for path in paths:
            with open(path, "rb", buffering=0) as file:
                if os.fstat(file.fileno()).st_mtime > STARTED:
                    return ""
                text = file.readall()
            digest.update(repr((path.removeprefix(top), len(text))).encode())
            digest.update(text)
    except OSError:
        return ""
    return digest.hexdigest() if paths else ""


def sources(top: str) -> list[str]:
    """Every Python file in a folder and the folders in it, sorted."""
    found, folders = [], [top]
    while folders:
        with os.scandir(folders.pop()) as listing:
            for item in listing:
                if item.name.endswith(".py"):
                    found.append(item.path)
                elif item.is_dir() and item.name.isidentifier() and item.name != "__pycache__":
                    folders.append(item.path)
    return sorted(found)
