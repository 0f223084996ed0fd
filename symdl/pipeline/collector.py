"""Python's cyclic garbage collector, paused while symdl is imported and while a function is compiled.

Compiling makes many small objects that stay alive together: the collector walks all of them again and again and finds
nothing. Pausing it takes a third off the time of a graph of 10,000 ops (python -m benchmarks.graph_growth).
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_depth = 0
_was_enabled = False


@contextmanager
def collector_paused() -> Iterator[None]:
    """No cyclic collection inside, in any thread; the last one to leave puts back what was before."""
    global _depth, _was_enabled
    with _lock:
        if _depth == 0:
            _was_enabled = gc.isenabled()
            gc.disable()
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0 and _was_enabled:
                gc.enable()


def grown_up() -> None:
    """Counts all objects there are as old: what an import has made, say, of which Python would otherwise look through all there is
    in the middle of the first function. Nothing is looked at, so it takes no time."""
    if gc.get_freeze_count() == 0:  # else somebody keeps objects apart (before a fork, say), and they stay there
        gc.freeze()
        gc.unfreeze()
