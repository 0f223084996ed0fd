"""A function as an object of Python: calls from anywhere, subclasses, cycles, pickles, and nothing that leaks."""

from __future__ import annotations

import gc
import sys
import tracemalloc
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symdl.tensor as T
from symdl import Function, function, shared
from symdl.errors import SymdlError


@pytest.fixture(scope="module")
def plus_one() -> Function:
    x = T.dvector("x")
    return function([x], x + 1)


def test_a_function_is_an_ordinary_object(plus_one: Function) -> None:
    plus_one.note = 1  # type: ignore[attr-defined]  # an attribute of the user's
    assert plus_one.note == 1  # type: ignore[attr-defined]  # the same
    assert callable(plus_one)
    assert plus_one.__call__(np.ones(1)).tolist() == [2]
    assert next(map(plus_one, [np.ones(1)])).tolist() == [2]
    assert plus_one(*[np.ones(1)]).tolist() == [2]


def test_subclasses() -> None:
    class Loud(Function):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.calls = 0

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            return super().__call__(*args, **kwargs)

    class Plain(Function):
        pass

    x = T.dvector("x")
    for kind in (Loud, Plain):
        f = kind([x], x + 1, (), (), "raise", None, None, None, False)
        assert f(np.ones(2)).tolist() == f(x=[1.0, 1.0]).tolist() == [2, 2]
        assert getattr(f, "calls", 2) == 2
        assert isinstance(f, Function)


def test_a_function_is_freed_with_its_last_reference(plus_one: Function) -> None:
    x, s = T.dvector("x"), shared(np.zeros(3), "s")
    f = function([x], {"y": x + s}, updates=[(s, s + x)])
    f(np.ones(3))
    dead, entry, executable = weakref.ref(f), sys.getrefcount(f._entry), weakref.ref(f._main.executable)
    gc.disable()
    try:
        del f
        assert dead() is None
        assert executable() is None
    finally:
        gc.enable()
    assert entry == 2


def test_a_function_in_a_cycle_is_collected() -> None:
    class Last:
        """Calls the function when it dies, in the middle of a collection."""

        def __del__(self) -> None:
            seen.append(self.f(np.ones(2)).tolist())  # type: ignore[attr-defined]  # set below

    x = T.dvector("x")
    seen: list[Any] = []
    f = function([x], x + 1)
    last = Last()
    last.f = f  # type: ignore[attr-defined]  # a cycle that ends in a call
    f.last = last  # type: ignore[attr-defined]  # and back
    dead = weakref.ref(f)
    del f, last
    gc.collect()
    assert (dead(), seen) == (None, [[2, 2]])


def test_a_function_robbed_of_its_parts_raises() -> None:
    x = T.dvector("x")
    f = function([x], x + 1)
    vars(f).clear()
    assert f(np.ones(2)).tolist() == [2, 2]
    f._entry = 5  # type: ignore[assignment]  # what no program should do
    with pytest.raises(AttributeError):
        f(np.ones(2))
    del f._entry
    with pytest.raises(AttributeError):
        f(np.ones(2))
    with pytest.raises(TypeError):
        Function.__new__(Function)(1)


@pytest.mark.parametrize("n", [3, 200_000])
def test_nothing_leaks(n: int) -> None:
    """Reference counts and allocated blocks stay as they are: short calls and long ones, good and refused.

    What leaks grows with every repetition; a thread of somebody else that holds a None for a moment changes one of them,
    and what the process keeps is allocated in one of them.
    """
    x, k, s = T.dvector("x"), T.dscalar("k"), shared(np.zeros(n), "s")
    f = function([x, k], {"y": x * k, "z": x.sum()}, updates=[(s, s + x)])
    g, nothing = function([x], [x + s, x * 2]), function([], updates=[(s, s * 1)])
    a, number = np.ones(n), 1.25
    rounds = 200 if n < 100 else 5

    def calls() -> None:
        for _ in range(rounds):
            f(a, number)
            f(a, 2)
            g(a)
            nothing()
            for bad in ((a[:1], 1), (a, "x"), (a,)):
                with pytest.raises(SymdlError):
                    f(*bad)

    watched: list[Any] = [a, number, np.dtype("f8"), None, s, s.array, f, f._entry, np.ndarray, NotImplemented, "y"]
    calls()
    tracemalloc.start()
    try:
        found: list[tuple[list[int], int]] = []
        for _ in range(6):
            calls()
            gc.collect()
            found.append(([sys.getrefcount(v) for v in watched], tracemalloc.get_traced_memory()[0]))
            if len(found) > 1:
                same = found[-1][0] == found[-2][0]
                grown = abs(found[-1][1] - found[-2][1])
                if same and grown < 15_000:
                    break
        assert same
        assert grown < 15_000  # 100 bytes a round would be more
    finally:
        tracemalloc.stop()


def test_scratch_memory_is_kept_between_calls_and_freed_with_the_function() -> None:
    x = T.dmatrix("x")
    f = function([x], T.cumsum(T.cumsum(x, 0), 1))  # no product: memory for its packed operands stays with the process
    f(np.ones((1, 1)))
    a = np.ones((100, 100))

    def held() -> int:
        """Bytes that calls in this file hold: threads that make better code of something meanwhile are not counted."""
        here = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, __file__)])
        return sum(trace.size for trace in here.traces)

    tracemalloc.start()
    try:
        f(a)
        kept = held()
        f(a)
        assert abs(held() - kept) < 3000
        assert kept > 80_000
        del f
        gc.collect()
        assert held() < 3000
    finally:
        tracemalloc.stop()


LARGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")


@pytest.mark.skipif(
    not LARGE_PAGES.exists() or "[never]" in LARGE_PAGES.read_text(), reason="this system gives no large pages"
)
def test_large_scratch_memory_lies_in_large_pages() -> None:
    import resource  # not on every system

    x = T.fmatrix("x")
    y = x @ x  # stored, since two products read it
    f = function([x], (y @ y).sum())
    f(np.ones((1, 1), np.float32))  # all but the size has been seen
    value = np.full((1600, 1600), 2.0**-10, np.float32)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    assert f(value) == 1600 * (1600 * 1600 * 1600 * 2.0**-40) * 1600
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    assert 2 * value.nbytes > 16 << 20
    assert faults < value.nbytes // resource.getpagesize() // 2  # of two results, which took a fault for each page
