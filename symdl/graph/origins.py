"""Whose a node is that is being made: the user's line, found on the stack, or the origins of what it is made from."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

Origin = tuple[str, int]  # file, line of the user's code
PACKAGE = os.path.dirname(os.path.dirname(__file__))
# How the files begin whose frames are not the user's: symdl's, NumPy's, and those of decorators that symdl's functions have.
SKIPPED = (
    *(os.path.realpath(p) + os.sep for p in (PACKAGE, os.path.join(PACKAGE, "backends"), os.path.dirname(np.__file__))),
    contextlib.__file__, functools.__file__, "<frozen",
)  # fmt: skip


class Tracing(threading.local):
    """Whose nodes are being made: None says the user's own line; else these origins, in this table.

    table None: they go to the nodes themselves (a gradient belongs to the lines it differentiates). A rewrite keeps
    them in a table of its own, so that two functions that share a node do not mix their lines.
    """

    origins: frozenset[Any] | None = None
    table: dict[Any, frozenset[Any]] | None = None


tracing = Tracing()


class building:  # noqa: N801  # a context manager; a class, because a generator is slow and every pass enters it per node
    """Nodes made inside come from these, not from the line being run."""

    __slots__ = ("before", "now")

    def __init__(self, origins: Iterable[Any], table: dict[Any, frozenset[Any]] | None = None) -> None:
        self.now = frozenset(origins), table

    def __enter__(self) -> None:
        self.before = tracing.origins, tracing.table
        tracing.origins, tracing.table = self.now

    def __exit__(self, *_: object) -> None:
        tracing.origins, tracing.table = self.before


def user_line() -> Origin | None:
    """The innermost line being run that is the user's."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(SKIPPED):
            return file, frame.f_lineno
        frame = frame.f_back
    return None


def warn(message: str) -> None:
    """A UserWarning that points at the user's line."""
    file, line = user_line() or ("<unknown>", 1)
    warnings.warn_explicit(message, UserWarning, file, line)
