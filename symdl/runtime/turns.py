"""Calls that use the same shared values take turns: many may read at once, one alone may write, first come first served.

    turn = Turn(both, written)
    leave = map(set.discard, turn.sets, repeat(turn))
    try:
        turn.take()
        ...
    finally:
        deque(leave, 0)
        wake()

Not a context manager on purpose, and built of raw locks only: an interrupt (Ctrl-C) may strike on entry to any function
written in Python, an `__exit__` or threading.Condition too, and the values would stay taken for ever. Running `leave`
out is one operation of C, whole or not begun, and an interrupt between it and `wake` only makes who waits look again a
little later.

Compiled code takes turns without Python where nobody is in the way: it looks into the sets of the values' Claims, all
in one operation. Therefore a Turn stands in those sets before it looks who else is active, and to its end.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections import deque
from collections.abc import Iterable
from itertools import repeat

from symdl.errors import InputError

LOOK_AGAIN = 1.0  # seconds, after which a waiter looks by itself, should an interrupt have swallowed the wake-up


class Claims:
    """Who uses one value, or waits for it: all turns, and those that write it."""

    __slots__ = ("everyone", "writers")

    def __init__(self) -> None:
        self.everyone: set[Turn] = set()
        self.writers: set[Turn] = set()


class Turn:
    """One call's claim on the values that it reads and writes."""

    __slots__ = ("bell", "both", "sets", "thread", "written")
    bell: threading.Lock  # held while nobody has rung; only of a turn that waits

    def __init__(self, both: frozenset[Claims], written: frozenset[Claims]) -> None:
        """both: the values read or written; written: those among them that are written."""
        self.both, self.written, self.thread = both, written, threading.get_ident()
        self.sets = (active, *(c.everyone for c in both), *(c.writers for c in written))  # while the values are held

    def meets(self, other: Turn) -> bool:
        """Whether the two cannot go on at once."""
        return not (self.written.isdisjoint(other.both) and other.written.isdisjoint(self.both))

    def take(self) -> None:
        """Wait until nobody is in the way, then hold the values. Whatever this raises, the caller lets go of them.

        A call that a signal handler makes inside another call of its thread may read what that one is to write: it
        finds the old values, whole. Raises InputError where it would write what the outer call uses.
        """
        deque(map(set.add, self.sets[1:], repeat(self)), 0)
        with _gate:
            if not self._blocked(queue):
                active.add(self)
                return
            self.bell = threading.Lock()
            self.bell.acquire()
            queue[self] = None
        try:
            while True:  # look first: who was in the way may have left before there was somebody in the queue to wake
                with _gate:
                    if not self._blocked(itertools.takewhile(lambda t: t is not self, tuple(queue))):
                        active.add(self)
                        return
                self.bell.acquire(timeout=LOOK_AGAIN)
        finally:
            queue.pop(self, None)
            wake()

    def _blocked(self, ahead: Iterable[Turn]) -> bool:
        inside = blocked = False
        for other in tuple(active):  # a copy: who leaves does not ask for the gate
            if other.thread == self.thread:
                inside = True
                if not self.written.isdisjoint(other.both):
                    raise InputError(
                        "a call inside another call of the same thread would write a value that that one uses"
                    )
            elif self.meets(other):
                blocked = True
        return blocked or (not inside and any(map(self.meets, ahead)))


def wake() -> None:
    """Let those who wait look again."""
    if queue:
        with _gate:
            for turn in tuple(queue):
                if turn.bell.locked():
                    turn.bell.release()


def _after_fork() -> None:
    """In a child process no other thread lives on that could let go of anything."""
    global _gate
    _gate = threading.Lock()
    for turn in (*active, *queue):
        deque(map(set.discard, turn.sets, repeat(turn)), 0)
    queue.clear()


_gate = threading.Lock()
active: set[Turn] = set()
queue: dict[Turn, None] = {}  # who waits, in the order of coming
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork)
