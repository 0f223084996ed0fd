"""What compiling does, told to the `symdl` logger: each stage at DEBUG, each function at INFO. symdl installs no handler.

logging.basicConfig(level=logging.DEBUG)
stage stabilize: 3.1 ms, 214 nodes
compiled train.py:12 in 95.0 ms: 31 steps, 60416 bytes of code (not in the cache)
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

logger = logging.getLogger("symdl")


class Stages:
    """A stopwatch that is read at the end of each stage; while DEBUG is off a reading is one comparison."""

    __slots__ = ("last", "on")

    def __init__(self) -> None:
        self.on = logger.isEnabledFor(logging.DEBUG)
        self.last = time.perf_counter() if self.on else 0.0

    def done(self, stage: str, facts: Callable[[], str] | None = None) -> None:
        """The stage that has been running is over. facts: more to tell, worked out only if someone listens."""
        if not self.on:
            return
        took = 1e3 * (time.perf_counter() - self.last)
        logger.debug("stage %s: %.1f ms%s", stage, took, f", {facts()}" if facts else "")
        self.last = time.perf_counter()
