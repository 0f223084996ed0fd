"""The pool of threads: each chunk once, callers at once, forks, the end of the process; and that no number depends on it."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest
from random_graphs import Graph

import symdl
import symdl.tensor as T
from symdl import config, function
from symdl.backends import pool as pool_module
from symdl.backends.base import Executable
from symdl.backends.cpu.assembler import Machine, object_code
from symdl.backends.cpu.engine import Engine
from symdl.backends.cpu.libraries import threads_pool
from symdl.backends.llvm import chunks
from symdl.backends.pool import Pool, pool_text
from symdl.config import Config, thread_count, usable_processors
from symdl.errors import ConfigError
from symdl.ir import parallel
from symdl.passes.evaluate import evaluate
from symdl.pipeline.compilation import Graph as Whole
from symdl.pipeline.compilation import compiled, lowered
from symdl.runtime.runs import native

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(not pool_module.can_sleep(), reason="every job runs on its caller here")

BODIES = """
; context: parallel, pool, inner chunks, counts...
define void @count(ptr %context, i64 %chunk) {
  %p = getelementptr i64, ptr %context, i64 %chunk
  %old = atomicrmw add ptr %p, i64 1 seq_cst
  ret void
}
define void @where(ptr %context, i64 %chunk) { ; context: how many have begun, and where the stack of who took a chunk lies
  %here = alloca i64
  %place = ptrtoint ptr %here to i64
  %own = getelementptr i64, ptr %context, i64 %chunk
  %p = getelementptr i64, ptr %own, i64 1
  store i64 %place, ptr %p
  %before = atomicrmw add ptr %context, i64 1 seq_cst
  %odd = or i64 %before, 1
  br label %wait
wait:
  %begun = load atomic i64, ptr %context seq_cst, align 8
  %all = icmp sgt i64 %begun, %odd
  br i1 %all, label %out, label %wait
out:
  ret void
}
define void @nested(ptr %context, i64 %chunk) {
  %p1 = getelementptr ptr, ptr %context, i64 1
  %p2 = getelementptr i64, ptr %context, i64 2
  %p3 = getelementptr i64, ptr %context, i64 3
  %parallel = load ptr, ptr %context
  %pool = load ptr, ptr %p1
  %inner = load i64, ptr %p2
  %r = call i64 %parallel(ptr @count, ptr %p3, i64 %inner, ptr %pool)
  ret void
}
"""


@pytest.fixture(scope="module")
def bodies() -> Engine:
    machine = Machine()
    return Engine(object_code([BODIES], machine), machine)


@pytest.fixture
def pool() -> Iterator[Pool]:
    """The pool of the process; what a test does to its size is undone."""
    found = threads_pool(Machine())
    yield found
    found.resize(config.threads)


def another_pool(threads: int = 4) -> Pool:
    """A pool beside that of the process."""
    machine = Machine()
    code = Engine(object_code([pool_text(machine.triple, machine.layout)], machine), machine)
    return Pool(code, code.address, threads)


def job(pool: Pool) -> Callable[[int, Any, int], int]:
    """parallel(body, context, chunks) of a pool."""
    call = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 2, ctypes.c_int64, ctypes.c_void_p)(pool.parallel)
    return lambda body, context, count: int(call(body, ctypes.addressof(context), count, pool.address))


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_every_chunk_runs_once(pool: Pool, bodies: Engine, threads: int) -> None:
    pool.resize(threads)
    run, body = job(pool), bodies.address("count")
    for count in (0, 1, 2, 7, 1000):
        counts = (ctypes.c_int64 * 1000)()
        for _ in range(50):
            assert run(body, counts, count) == 0
        assert list(counts) == [50] * count + [0] * (1000 - count)
    assert pool.workers >= threads - 1


def test_a_body_that_calls_the_pool_runs_its_chunks_alone(pool: Pool, bodies: Engine) -> None:
    pool.resize(3)
    context = (ctypes.c_int64 * 23)(pool.parallel, pool.address, 20)
    assert job(pool)(bodies.address("nested"), context, 30) == 0
    assert list(context)[3:] == [30] * 20


def test_a_thread_takes_the_same_part_of_every_job(bodies: Engine) -> None:
    """Two threads, which wait for one another in every chunk, have two chunks each, side by side. (Who has just left a job may
    be quicker than who begins the next, now and then.)"""
    run, body = job(another_pool(threads=2)), bodies.address("where")
    beside = 0
    for _ in range(100):
        context = (ctypes.c_int64 * 5)()
        run(body, context, 4)
        _, *stacks = context
        beside += stacks[0] == stacks[1] != stacks[2] == stacks[3]
    assert beside > 50


def test_callers_at_once(pool: Pool, bodies: Engine) -> None:
    pool.resize(3)
    run, body = job(pool), bodies.address("count")
    found: list[list[int]] = []

    def caller() -> None:
        counts = (ctypes.c_int64 * 10)()
        for _ in range(500):
            run(body, counts, 10)
        found.append(list(counts))

    callers = [threading.Thread(target=caller) for _ in range(6)]
    for c in callers:
        c.start()
    for c in callers:
        c.join()
    assert found == [[500] * 10] * 6


def test_the_pool_grows_and_shrinks(pool: Pool, bodies: Engine) -> None:
    run, body = job(pool), bodies.address("count")
    counts = (ctypes.c_int64 * 64)()
    for threads in (8, 2, 5, 1, 3):
        pool.resize(threads)
        for _ in range(200):
            run(body, counts, 64)
    assert set(counts) == {1000}
    while pool.workers > 2:  # those too many leave when they are next awake, however late the system wakes them
        run(body, counts, 64)
        threading.Event().wait(0.001)
    assert pool.workers == 2


def test_where_no_thread_can_be_started_the_caller_works_alone(bodies: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("_thread.start_new_thread", refuse)
    own = another_pool()
    counts = (ctypes.c_int64 * 9)()
    job(own)(bodies.address("count"), counts, 9)
    assert (list(counts), own.workers, own.threads) == ([1] * 9, 0, 1)


def test_elsewhere_than_on_linux_every_job_is_the_callers(bodies: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    own = another_pool()
    counts = (ctypes.c_int64 * 9)()
    job(own)(bodies.address("count"), counts, 9)
    assert (list(counts), own.workers, own.threads) == ([1] * 9, 0, 1)


@pytest.mark.parametrize("triple", ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", ""])
def test_the_text_is_sound_for_each_processor(triple: str) -> None:
    llvm.parse_assembly(pool_text(triple), llvm.create_context()).verify()


# ---- functions ----

SCRIPT = """
import os, sys, threading
import numpy as np
import symdl, symdl.tensor as T
from symdl.backends.cpu.assembler import Machine
from symdl.backends.cpu.libraries import threads_pool
x = T.dvector("x")
f = symdl.function([x], [T.tanh(x), (x * x).sum()])
data = np.linspace(-3, 3, 400_000)
pool = threads_pool(Machine())
def right():
    y, s = f(data)
    return np.allclose(y, np.tanh(data), rtol=1e-14) and np.isclose(s, (data * data).sum(), rtol=1e-12)
"""


def script(text: str, **environment: str) -> str:
    """What a new process prints."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", SCRIPT + textwrap.dedent(text)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout


def test_workers_start_at_the_first_job_and_the_process_ends() -> None:
    found = script(
        """
        print(pool.workers, f(data[:10])[0].shape, pool.workers)
        print(right(), pool.workers, threading.active_count())
        """,
        SYMDL_FLAGS="threads=3,optimizing=now",
    )
    assert found == "0 (10,) 0\nTrue 2 1\n"


def test_a_daemon_thread_may_be_inside_at_the_end() -> None:
    found = script(
        """
        def forever():
            while True:
                f(data)
        threading.Thread(target=forever, daemon=True).start()
        for _ in range(20):
            assert right()
        print("end")
        """,
        SYMDL_FLAGS="threads=3",
    )
    assert found == "end\n"


def test_a_forked_child_has_workers_of_its_own() -> None:
    found = script(
        """
        assert right()
        busy = threading.Thread(target=lambda: [f(data) for _ in range(60)], daemon=True)
        busy.start()  # so that the pool is in use while the process forks
        for _ in range(2):
            child = os.fork()
            if not child:
                assert pool.workers == 0
                good = right() and pool.workers == 2 and right()
                grandchild = os.fork()
                if not grandchild:
                    os._exit(not right())
                os._exit(not good or os.waitpid(grandchild, 0)[1] != 0)
            print(os.waitpid(child, 0)[1], right())
        """,
        SYMDL_FLAGS="threads=3",
    )
    assert found == "0 True\n" * 2


def test_a_fork_that_python_does_not_see() -> None:
    """The child has the parent's notes of workers that it does not have; its caller then does their chunks, too."""
    found = script(
        """
        import ctypes
        assert right()
        fork = ctypes.PyDLL(None).fork
        child = fork()
        if not child:
            os._exit(not all(right() for _ in range(20)))
        print(os.waitpid(child, 0)[1], right())
        """,
        SYMDL_FLAGS="threads=3",
    )
    assert found == "0 True\n"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_the_default_is_what_this_process_may_use() -> None:
    one = f"os.sched_setaffinity(0, [{min(os.sched_getaffinity(0))}])"
    found = subprocess.run(
        [sys.executable, "-c", f"import os; {one}; import symdl; print(symdl.config.threads)"],
        capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip
    assert found.stdout == "1\n"


def test_the_share_of_a_control_group(tmp_path: Path) -> None:
    for text, most in (("100000 100000\n", 1), ("150000 100000\n", 2), ("1000 100000\n", 1), ("max 100000\n", 1024)):
        (tmp_path / "cpu.max").write_text(text)
        assert usable_processors(quota=str(tmp_path / "cpu.max")) == min(usable_processors(), most)
    assert usable_processors(quota=str(tmp_path / "none")) >= 1


def test_what_the_option_takes() -> None:
    assert [thread_count(v) for v in (1, 4, "3", 1024)] == [1, 4, 3, 1024]
    assert [thread_count(v) for v in (0, -1, 1025, 2.0, True, "two", "", None, "9" * 20)] == [None] * 9
    assert Config({"SYMDL_FLAGS": "threads=7"}).threads == 7
    with pytest.raises(ConfigError, match="threads cannot be '0'\n  a whole number from 1 to 1024"):
        Config({"SYMDL_FLAGS": "threads=0"})
    with pytest.raises(ConfigError, match="threads cannot be 'many'"):
        config.threads = "many"  # type: ignore[assignment]  # what a user might write


def test_the_option_is_the_pools_size(pool: Pool) -> None:
    with config.change(threads=5):
        assert pool.threads == 5
    assert pool.threads == config.threads


# ---- numbers ----


@pytest.fixture
def fine(monkeypatch: pytest.MonkeyPatch, pool: Pool) -> Iterator[None]:
    """Chunks and blocks of a few elements, so that small arrays have many."""
    monkeypatch.setattr(chunks, "ALIGNED", 1)
    monkeypatch.setattr(parallel, "SMALL", 0)
    monkeypatch.setattr(parallel, "BLOCK", 3)
    monkeypatch.setattr(parallel, "ROWS", 2)
    pool.cut(1, 1)
    yield
    pool.cut(pool_module.WORTH, pool_module.GRAIN)


def outputs_of(executable: Executable, arrays: list[Any], pool: Pool) -> list[tuple[Any, ...]]:
    """The outputs of a Program on 1, 2, 3 and 8 threads."""
    found = []
    for threads in (1, 2, 3, 8):
        pool.resize(threads)
        bound = executable.bind(arrays)
        status, outputs = executable.execute(bound)
        assert status == 0
        found.append(outputs)
    return found


def same_bits(found: list[tuple[Any, ...]]) -> None:
    for outputs in found[1:]:
        for a, b in zip(found[0], outputs, strict=True):
            assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("smooth", [False, True])
def test_random_graphs_have_the_same_bits_on_any_number_of_threads(
    fine: None, pool: Pool, seed: int, smooth: bool
) -> None:
    graph = Graph(seed, smooth)
    graph.grow(25)
    form = lowered(Whole(tuple(graph.values), (), tuple(graph.outputs()), ()))
    arrays = [np.asarray(v, leaf.type.dtype) for leaf, v in graph.values.items()]
    found = outputs_of(compiled(form, native()), arrays, pool)
    same_bits(found)
    for expected, got in zip(evaluate(graph.outputs(), graph.values), found[0], strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-3 if got.dtype == np.float32 else 1e-9, atol=1e-4)


REDUCTIONS: dict[str, Callable[[Any], Any]] = {
    "sum": lambda x: x.sum(),
    "product": lambda x: (1 + x * 1e-3).prod(),
    "extremes": lambda x: x.max() - x.min(),
    "rows": lambda x: x.sum(axis=1),
    "columns": lambda x: x.sum(axis=0),
    "largest of columns": lambda x: x.max(axis=0),
    "mean and spread": lambda x: x.std() + x.mean(),
    "softmax": T.softmax,
    "softmax and columns": lambda x: T.softmax(x).sum(axis=0),
    "centred": lambda x: x - x.mean(axis=0),
    "argmax": lambda x: x.argmax(axis=1),
    "argmax of all": lambda x: x.argmax(),
    "running": lambda x: x.cumsum(axis=0),
    "any": lambda x: (x > 2).any(axis=0),
}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_in_blocks(fine: None, pool: Pool, rng: np.random.Generator, name: str) -> None:
    x = T.fmatrix("x")
    y = REDUCTIONS[name](x)
    executable = compiled(lowered(Whole((x,), (), (y,), ())), native())
    for shape in ((0, 4), (1, 1), (5, 3), (3, 0), (40, 33), (7, 300)):
        array = rng.normal(size=shape).astype(np.float32)
        if not array.size and any(word in name for word in ("arg", "extreme", "largest", "softmax")):
            continue  # there is none
        jobs = pool.jobs
        found = outputs_of(executable, [array], pool)
        one_vector = array.size < 16  # whose lanes are the rounds
        assert pool.jobs > jobs or one_vector or name in ("argmax of all", "running")
        same_bits(found)
        (expected,) = evaluate([y], {x: array})
        np.testing.assert_allclose(found[0][0], expected, rtol=2e-5, atol=1e-5)


def test_the_first_failure_in_order_is_the_one_that_counts(fine: None, pool: Pool) -> None:
    x, i, j = T.dvector("x"), T.lvector("i"), T.lvector("j")
    form = lowered(Whole((x, i, j), (), (x[i] + x[j],), ()))
    executable = compiled(form, native())
    rows, columns = np.zeros(500, np.int64), np.zeros(500, np.int64)
    rows[300:], columns[200:] = 99, 99
    serial = set()
    for threads in (1, 2, 3, 8, 8, 8):
        pool.resize(threads)
        serial.add(executable.execute(executable.bind([np.zeros(10), rows, columns]))[0])
    assert len(serial) == 1
    assert serial.pop() > 0


def test_large_arrays_as_they_come(pool: Pool, rng: np.random.Generator) -> None:
    x = T.dvector("x")
    f = function([x], [T.tanh(x) * 2, x.sum(), (x * x).mean()])
    array = rng.normal(size=300_001)
    found = []
    for threads in (1, 2, 3, 8):
        pool.resize(threads)
        found.append(f(array))
    same_bits(found)
    np.testing.assert_allclose(found[0][1], np.sum(array), rtol=1e-10)
    assert symdl.config.threads >= 1
