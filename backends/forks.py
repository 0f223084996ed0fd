"""os.fork waits until no thread holds a lock that the child would need: LLVM's, llvmlite's, the cache's."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import wraps
from types import TracebackType
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Gate:
    """While a thread is inside `with gate:`, forks of others wait; while one forks, others wait to get in. A thread may
    enter again what it is in."""

    def __init__(self) -> None:
        self._own = threading.local()
        self.in_child: list[Callable[[], None]] = []  # what else a child does first, when the gate is open to it
        self._renew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self._close, after_in_parent=self._open, after_in_child=self._renew)

    @property
    def _depth(self) -> int:
        """How often this thread is inside."""
        found: int = getattr(self._own, "depth", 0)
        return found

    def _renew(self) -> None:
        """In a child there is one thread. It is inside, if at all, because a signal's handler has forked."""
        self._changed = threading.Condition()
        self._forking: set[int] = set()
        self._inside = int(self._depth > 0)
        for action in self.in_child:
            action()

    def __enter__(self) -> None:
        if not self._depth:
            with self._changed:
                while self._forking:
                    self._changed.wait()
                self._inside += 1
        self._own.depth = self._depth + 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._own.depth -= 1
        if not self._depth:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def _close(self) -> None:
        with self._changed:
            self._forking.add(threading.get_ident())
            while self._inside > int(self._depth > 0):
                self._changed.wait()

    def _open(self) -> None:
        with self._changed:
            self._forking.discard(threading.get_ident())
            self._changed.notify_all()


gate = Gate()


def inside(call: Callable[P, R]) -> Callable[P, R]:
    """The function itself, called inside the gate: what it leaves behind is freed there, too."""

    @wraps(call)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        with gate:
            return call(*args, **kwargs)

    return guarded
