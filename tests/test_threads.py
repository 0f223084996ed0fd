"""One function in many threads, interrupts in the middle of a call, and the turns that calls take."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symdl.tensor as T
from symdl import function, shared
from symdl.errors import InputError
from symdl.runtime.storage import SharedVariable
from symdl.runtime.turns import Claims, Turn, active, queue, wake

ROOT = Path(__file__).resolve().parent.parent


def in_threads(count: int, work: Callable[[int], object]) -> None:
    """Run work(0), work(1), ... at once; the first exception is raised here."""
    failed: list[BaseException] = []

    def one(k: int) -> None:
        try:
            work(k)
        except BaseException as error:  # noqa: BLE001  # raised again in the main thread
            failed.append(error)

    threads = [threading.Thread(target=one, args=(k,)) for k in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failed:
        raise failed[0]


def long_call(steps: int = 40, n: int = 500) -> tuple[Any, SharedVariable, SharedVariable]:
    """A function of many kernels, with two updates at its end."""
    a, b = shared(np.zeros((n, n)), "a"), shared(np.zeros(n), "b")
    x = T.dmatrix("x")
    y = x
    for _ in range(steps):
        y = T.tanh(y @ x)
    f = function([x], y.sum(), updates=[(a, a + y + 1), (b, b + 1)])
    return f, a, b


def test_a_pure_function_in_many_threads() -> None:
    x = T.dmatrix("x")
    W = shared(np.arange(12.0).reshape(3, 4), "W")
    f = function([x], [T.tanh(x @ W), (x * x).sum(axis=1)])
    rng = np.random.default_rng(0)
    given = [rng.normal(size=(k + 1, 3)) for k in range(8)]

    def work(k: int) -> None:
        for _ in range(100):
            t, s = f(given[k])
            np.testing.assert_allclose(t, np.tanh(given[k] @ W.get_value()), rtol=1e-13)
            np.testing.assert_allclose(s, (given[k] ** 2).sum(axis=1), rtol=1e-13)

    in_threads(8, work)


@pytest.mark.parametrize("mode", ["native", "numpy"])
def test_updates_of_many_threads_all_count(mode: str) -> None:
    n, v = shared(0, "n"), shared(np.zeros(100), "v")
    count = function([], n, updates=[(n, n + 1), (v, v + 1)], mode=mode)
    seen: list[list[int]] = [[] for _ in range(8)]
    in_threads(8, lambda k: seen[k].extend(int(count()) for _ in range(200)))
    assert n.get_value() == 1600
    assert (v.get_value() == 1600).all()
    assert sorted(v for one in seen for v in one) == list(range(1600))


def test_updates_of_open_length_in_many_threads() -> None:
    x, seen = T.dvector("x"), shared(np.zeros(0), "seen", shape=(None,))
    f = function([x], updates=[(seen, T.concatenate([seen, x]))])
    in_threads(4, lambda k: [f([10.0 * k + j]) for j in range(10)])
    assert sorted(seen.get_value().tolist()) == [float(v) for k in range(4) for v in range(10 * k, 10 * k + 10)]


def test_two_functions_that_update_each_others_values_never_wait_for_ever() -> None:
    a, b = shared(np.zeros(10), "a"), shared(np.zeros(10), "b")
    one = function([], updates=[(a, a + 1), (b, b + 1)])
    other = function([], updates=[(b, b + 1), (a, a + 1)])
    in_threads(4, lambda k: [(one if k % 2 else other)() for _ in range(200)])
    assert (a.get_value() == 800).all()
    assert (b.get_value() == 800).all()


def test_readers_find_values_whole() -> None:
    v = shared(np.zeros(50_000), "v")
    step, ends = function([], updates=[(v, v + 1)]), function([], [v.min(), v.max()])
    done = threading.Event()

    def work(k: int) -> None:
        if k == 0:
            for _ in range(200):
                step()
            v.set_value(np.full(50_000, 7.0))
            done.set()
        while not done.is_set():
            if k == 1:
                low, high = ends()
                assert low == high
            elif k == 2:
                now = v.get_value()
                assert now.min() == now.max()

    in_threads(3, work)
    assert (v.get_value() == 7).all()


def test_a_long_call_lets_other_threads_run() -> None:
    """Python takes the lock from no thread here that does not let go of it, so who watches runs inside the call or not at
    all; calls are made until the system has given him some time in one of them."""
    f, _, _ = long_call()
    x = np.full((500, 500), 1e-3)
    ticks, most, done = [0], 0, threading.Event()

    def watch() -> None:
        while not done.wait(0.001):
            ticks[0] += 1

    interval = sys.getswitchinterval()
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        sys.setswitchinterval(1e6)
        for _ in range(1000):
            ticks[0] = 0
            f(x)
            most = max(most, ticks[0])
            if most >= 3:
                break
    finally:
        sys.setswitchinterval(interval)
        done.set()
        watcher.join()
    assert most >= 3


# ---- interrupts ----


@contextmanager
def alarm(seconds: float, handler: Callable[[Any, Any], Any]) -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Struck(Exception):
    pass


def strike(*_: Any) -> None:
    raise Struck


def inside_a_call(handler: Callable[[], Any]) -> Callable[[Any, Any], None]:
    """The handler of an alarm that comes again until it has found a call of updates under way: on a slow machine the first
    may come before the call, on a fast one after it."""

    def handle(*_: Any) -> None:
        if any(turn.written for turn in active):
            handler()
        else:
            signal.setitimer(signal.ITIMER_REAL, 0.01)

    return handle


def test_a_signal_ends_a_call_between_kernels_with_old_values() -> None:
    f, a, b = long_call(60)
    x = np.full((500, 500), 1e-3)
    values = [a.get_value()]  # before each call

    def run() -> None:
        while True:
            f(x)
            values.append(a.get_value())

    with pytest.raises(Struck), alarm(0.03, inside_a_call(strike)):
        run()
    np.testing.assert_array_equal(a.get_value(), values[-1])
    calls = b.get_value()[0]
    assert (b.get_value() == calls).all()
    assert calls == len(values) - 1
    assert not active
    function([], updates=[(b, b + 1)])()
    assert (b.get_value() == calls + 1).all()


def test_a_handler_may_read_what_the_call_will_update_but_not_write_it() -> None:
    f, a, b = long_call(60)
    other = function([], updates=[(b, b + 1)])
    found: list[Any] = []

    def look() -> None:
        found.append((a.get_value().max(), b.get_value().max()))
        with pytest.raises(InputError, match="a call inside another call"):
            other()
        with pytest.raises(InputError):
            b.set_value(np.zeros(500))

    calls = 0
    with alarm(0.03, inside_a_call(look)):
        while not found:
            before = a.get_value().max(), b.get_value().max()
            f(np.full((500, 500), 1e-3))
            calls += 1
    assert found == [before]
    assert (b.get_value() == calls).all()
    assert not active


def test_many_interrupts_leave_nothing_held_and_every_value_whole() -> None:
    """Alarms at all moments of short calls: both values always count the same calls."""
    a, b = shared(np.zeros(3), "a"), shared(np.zeros(200), "b")
    opened = shared(np.zeros(0), "opened", shape=(None,))
    f = function([], updates=[(a, a + 1), (b, b + 1)])
    g = function([], updates=[(a, a + 1), (b, b + 1), (opened, T.concatenate([opened, b[:1]]))])
    struck = k = 0
    while k < 300 or struck <= 30:
        k += 1
        try:
            with alarm(2e-6 + 1e-6 * (k % 60), strike):
                for _ in range(5):
                    (f if k % 2 else g)()
        except Struck:
            struck += 1
        assert not active
        assert len({*a.get_value().tolist(), *b.get_value().tolist()}) == 1
    assert opened.get_value().shape[0] <= a.get_value()[0]


def fresh(script: str) -> list[str]:
    """The lines that a script prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT, capture_output=True, text=True, timeout=600,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_ctrl_c() -> None:
    """As at a terminal: SIGINT to a fresh process with Python's own handler."""
    script = """
        import os, signal, threading
        import numpy as np
        import symdl
        import symdl.tensor as T
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background starts with SIGINT ignored
        W, x = symdl.shared(np.zeros((500, 500)), "W"), T.dmatrix("x")
        y = x
        for _ in range(60):
            y = T.tanh(y @ x)
        f = symdl.function([x], updates=[(W, W + 0 * y + 1)])
        calls = 0
        try:
            threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
            while True:  # however late the signal comes
                f(np.full((500, 500), 1e-3))
                calls += 1
        except KeyboardInterrupt:
            whole = np.unique(W.get_value())
            print("interrupted", whole.size == 1 and whole[0] in (calls, calls + 1))
        f(np.full((500, 500), 1e-3))
        print(np.array_equal(np.unique(W.get_value()), whole + 1))
    """
    assert fresh(script) == ["interrupted True", "True"]


# ---- turns ----


def leave(turn: Turn) -> None:
    for one in turn.sets:
        one.discard(turn)
    wake()


def test_readers_go_together_and_a_writer_alone_in_the_order_of_coming() -> None:
    """reader, then a writer that waits, then a reader that must wait behind it."""
    order: list[str] = []
    x = frozenset([Claims()])
    first = Turn(x, frozenset())
    first.take()

    def take(name: str, written: frozenset[Claims]) -> threading.Thread:
        def work() -> None:
            turn = Turn(x, written)
            try:
                turn.take()
                order.append(name)
            finally:
                leave(turn)

        thread = threading.Thread(target=work)
        thread.start()
        return thread

    def settled(waiting: int) -> None:
        while len(queue) < waiting:
            time.sleep(0.001)
        time.sleep(0.05)  # to look again, which must change nothing

    take("reader beside", frozenset()).join()
    writer = take("writer", x)
    settled(1)
    late = take("late reader", frozenset())
    settled(2)
    assert order == ["reader beside"]
    leave(first)
    writer.join()
    late.join()
    assert order == ["reader beside", "writer", "late reader"]
    assert not active


def test_a_turn_that_is_interrupted_while_it_waits_leaves_the_queue() -> None:
    x = frozenset([Claims()])
    holder = Turn(x, x)

    def hold() -> None:
        holder.thread = threading.get_ident()
        active.add(holder)

    threading.Thread(target=hold).start()
    while holder not in active:
        time.sleep(0.001)
    struck = Turn(x, x)
    with pytest.raises(Struck), alarm(0.05, strike):
        struck.take()
    leave(struck)
    leave(holder)
    free = Turn(x, x)
    free.take()
    leave(free)
    assert not any(c.everyone or c.writers for c in x)


def test_who_becomes_free_to_go_while_he_joins_the_queue_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    x = frozenset([Claims()])
    holder = Turn(x, x)
    holder.thread = -1
    for one in holder.sets:
        one.add(holder)
    blocked = Turn._blocked

    def and_then_leaves(self: Turn, ahead: Any) -> bool:
        found = blocked(self, ahead)
        for one in holder.sets:
            one.discard(holder)
        return found

    monkeypatch.setattr(Turn, "_blocked", and_then_leaves)
    monkeypatch.setattr("symdl.runtime.turns.LOOK_AGAIN", 60.0)
    turn = Turn(x, x)
    start = time.monotonic()
    turn.take()
    leave(turn)
    assert time.monotonic() - start < 30


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_is_free_of_its_parents_turns() -> None:
    script = """
        import os
        import numpy as np
        import symdl
        from symdl.runtime.turns import Turn, active
        s = symdl.shared(np.zeros(2), "s")
        f = symdl.function([], updates=[(s, s + 1)])
        turn = Turn(s.alone, s.alone)
        turn.thread = -1  # a thread of the parent, in the middle of a call
        for one in turn.sets:
            one.add(turn)
        child = os.fork()
        if child == 0:
            f()
            print(s.get_value().tolist(), len(s.claims.everyone), flush=True)
            os._exit(0)
        os.waitpid(child, 0)
    """
    assert fresh(script) == ["[1.0, 1.0] 0"]
