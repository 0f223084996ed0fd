"""The clock of a loop that is being written: which round of which loops a draw of random numbers belongs to.

While scan calls fn, draws made in it are rows of larger ones, one row a round, so that each round has numbers of its own
without any state that goes from round to round: the numbers of all rounds may be drawn at once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from typing import Any

from symdl.graph.expr import Expr
from symdl.records import mutable
from symdl.types import Extent


@mutable
class Clock:
    """index: the number of the round, an int64 scalar of the body. drawn: states of the streams that are drawn from."""

    index: Expr
    steps: Extent
    drawn: dict[Any, None] = field(default_factory=dict)


class _Clocks(threading.local):
    running: tuple[Clock, ...] = ()


_clocks = _Clocks()


def clocks() -> tuple[Clock, ...]:
    """The clocks of the loops that are being written, the outer ones first."""
    return _clocks.running


@contextmanager
def ticking(clock: Clock) -> Iterator[None]:
    """While fn of a loop is called."""
    before = _clocks.running
    _clocks.running = (*before, clock)
    try:
        yield
    finally:
        _clocks.running = before
