"""Code that runs at once, and better code later: a thread optimizes what LLVM has translated without, and puts it in place.

    job = later(make, wanted)
    job.then(place)                      # place(make()) will have been called, by the thread or by job.finish()
    finish_all()                         # nothing is left to do

Jobs are done in their order. The thread lives as long as there are any: the end of the program waits for those whose code
is to be kept, and a program without any has one thread less. A child that is forked goes on with them itself. The thread
begins a moment after a function was made, since that is mostly called at once, and what is waited for comes first; a longer
one where there is one processor, from which it takes what it needs.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from symdl.backends.forks import gate, inside
from symdl.config import usable_processors

logger = logging.getLogger("symdl")
Action = Callable[[bytes | None], None]
TURN = 5e-4  # seconds, see `held`
MOMENT = 0.05  # seconds before the thread begins: a first call has begun by then, and is `held`
PATIENCE = (
    0.5  # the same on one processor: as long as the first code of a network runs till it has lost what optimizing costs
)
MANY = 8  # jobs that do not wait for that: a program that always makes functions would never have them done


class Job:
    """One piece of code to be made. wanted is asked when its turn comes; what goes wrong is told to the `symdl` logger, and
    the first code stays."""

    def __init__(self, make: Callable[[], bytes], wanted: Callable[[], bool]) -> None:
        self._make, self._wanted = make, wanted
        self._actions: list[Action] = []
        self._code: bytes | None = None
        self._keep = False
        self.over = False
        self.renew()

    def renew(self) -> None:
        """In a child, whose parent's thread may have been at it."""
        self._working, self._telling = threading.Lock(), threading.Lock()

    def then(self, action: Action, keep: bool = False) -> None:
        """Call action(code) when there is code, or action(None) when it is known that there will be none: now, or later from
        another thread. keep: it is wanted whatever `wanted` says."""
        with self._telling:
            if not self.over:
                self._actions.append(action)
                self._keep = self._keep or keep
                return
        action(self._code)

    def finish(self) -> None:
        """Do it now, or wait for the thread that is doing it."""
        with self._working:
            if self.over:
                return
            try:
                if self._keep or self._wanted():
                    self._code = self._make()
            except Exception:  # noqa: BLE001  # told, not raised: nobody has asked for it
                self._trouble()
            while True:
                with self._telling:
                    if not self._actions:
                        self.over = True
                        return
                    action = self._actions.pop(0)
                try:
                    inside(action)(self._code)  # it takes locks of ours
                except Exception:  # noqa: BLE001  # told, not raised: nobody has asked for it
                    self._trouble()

    def _trouble(self) -> None:
        logger.exception("code could not be optimized, and stays as it is")


_lock = threading.Lock()
_jobs: deque[Job] = deque()
_working = False
_holding: list[int] = []  # threads inside `held`
_usual_turn = 0.0  # the switch interval outside


def later(make: Callable[[], bytes], wanted: Callable[[], bool]) -> Job:
    """A new job. make is called without any lock of ours."""
    job = Job(make, wanted)
    with _lock:
        _jobs.append(job)
    _start()
    return job


def finish_all() -> None:
    """Do or await all jobs."""
    with _lock:
        jobs = list(_jobs)
    for job in jobs:
        job.finish()


@contextmanager
def held() -> Iterator[None]:
    """While anybody is inside, a function is being made, or called for the first time, that is waited for. The thread begins
    no job, for it would take a processor away. And who wants Python's lock waits TURN for one that computes, not the usual 5 ms: LLVM gives the lock back
    a dozen times a part, and would wait for the thread that writes longer than it works."""
    global _usual_turn
    with _lock:
        if not _holding:
            _usual_turn = sys.getswitchinterval()
            sys.setswitchinterval(min(TURN, _usual_turn))
        _holding.append(threading.get_ident())
    try:
        yield
    finally:
        with _lock:
            _holding.remove(threading.get_ident())
            if not _holding:
                sys.setswitchinterval(_usual_turn)
        _start()


def ending() -> bool:
    """Whether the program is over but for threads such as ours."""
    return not threading.main_thread().is_alive()


def _start() -> None:
    """See to it that there is a thread, if there are jobs."""
    global _working
    with _lock:
        if _working or _holding or not _jobs:
            return
        _working = True
    try:
        threading.Thread(target=_work, name="symdl-optimizing", daemon=False).start()
    except RuntimeError:  # the interpreter is going down, or no thread is left to be had
        _working = False


def _work() -> None:
    """Do all jobs that there are."""
    global _working
    if len(_jobs) < MANY:
        threading.main_thread().join(
            PATIENCE if usable_processors() == 1 else MOMENT
        )  # the program's end does not wait
    while True:
        with _lock:
            if _holding or not _jobs:
                _working = False
                return
            job = _jobs[0]
        job.finish()
        with _lock:
            _jobs.popleft()


def _after_fork() -> None:
    """In the child, which has no thread yet."""
    global _lock, _working
    _lock, _working = threading.Lock(), False
    others, _holding[:] = len(_holding), [thread for thread in _holding if thread == threading.get_ident()]
    if others and not _holding:
        sys.setswitchinterval(_usual_turn)
    for job in _jobs:
        job.renew()
    _start()


gate.in_child.append(_after_fork)
