"""Signals that wait: what must be done as a whole is not broken off by Ctrl-C or another signal's handler."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any

WAITING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGALRM") if hasattr(signal, name))


def whole(work: Callable[[], None]) -> None:
    """Run work; the handlers of SIGINT, SIGTERM and SIGALRM that are written in Python run after it.

    Python runs handlers in the main thread alone, so nothing is to be done in others. A signal that comes while the
    handlers are being exchanged finds either work not begun or work done.
    """
    if threading.current_thread() is not threading.main_thread():
        work()
        return
    came: list[tuple[Callable[..., Any], int, Any]] = []
    before: list[tuple[int, Callable[..., Any]]] = []
    for number in WAITING:
        handler = signal.getsignal(number)
        if callable(handler):
            before.append((number, handler))
    began = False

    def later(number: int, frame: Any) -> None:
        handler = dict(before)[number]
        if began:
            came.append((handler, number, frame))
        else:
            handler(number, frame)

    try:
        for number, _ in before:
            signal.signal(number, later)
        began = True
        work()
    finally:
        for number, handler in before:
            signal.signal(number, handler)
    for handler, number, frame in came:
        handler(number, frame)
