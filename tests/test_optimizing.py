"""Code that runs at once and is optimized meanwhile: the same bits, swapped in safely, whole under threads, forks and ends."""

from __future__ import annotations

import ctypes
import logging
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symdl
import symdl.tensor as T
from symdl.backends.convolve.library import convolutions_text
from symdl.backends.cpu import optimizing
from symdl.backends.cpu.assembler import FUNCTIONS, HOT, Machine, object_code, objects_in, quick_code
from symdl.backends.cpu.backend import CpuBackend
from symdl.backends.cpu.engine import Engine
from symdl.backends.cpu.executable import CpuExecutable
from symdl.backends.cpu.libraries import gemm_address, threads_pool
from symdl.backends.gemm.library import products_text
from symdl.backends.gemm.tiles import Tile
from symdl.backends.llvm import RUNTIME
from symdl.config import config
from symdl.functions import Function
from symdl.random import RandomStream

MACHINE = Machine()
ROOT = Path(__file__).resolve().parent.parent


def has_entry(f: Function) -> bool:
    """Whether calls go straight to machine code."""
    return f._entry is not None


@pytest.fixture(autouse=True)
def _in_background() -> Iterator[None]:
    with config.change(optimizing="background", cache_dir=""):
        yield
        optimizing.finish_all()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The thread that optimizes stands still until the event is set."""
    event, begin = threading.Event(), optimizing.Job.finish
    mine = threading.get_ident()

    def finish(self: optimizing.Job) -> None:
        if threading.get_ident() != mine:
            event.wait()
        begin(self)

    monkeypatch.setattr(optimizing.Job, "finish", finish)
    yield event
    event.set()
    optimizing.finish_all()


def network(seed: int = 0) -> tuple[Function, list[np.ndarray]]:
    """A training step with products, a convolution, number forms, draws and updates."""
    rng = np.random.default_rng(seed)
    x, y = T.ftensor4("x"), T.ivector("y")
    f = symdl.shared((rng.standard_normal((6, 1, 3, 3)) * 0.3).astype(np.float32))
    w = symdl.shared((rng.standard_normal((6 * 8 * 8, 5)) * 0.1).astype(np.float32))
    stream = RandomStream(seed)
    h = T.tanh(T.conv2d(x, f)).flatten(2)
    h = h * stream.bernoulli(h.shape, p=0.8, dtype="float32")
    cost = -T.log(T.softmax(h @ w)[T.arange(y.shape[0]), y]).mean()
    updates = [(p, p - np.float32(0.1) * g) for p, g in zip((f, w), symdl.grad(cost, [f, w]), strict=True)]
    given = [rng.standard_normal((7, 1, 10, 10)).astype(np.float32), np.arange(7, dtype=np.int32) % 5]
    return symdl.function([x, y], [cost, h], updates=updates), given


def cancelling() -> Function:
    """What is tried with fewer digits and computed again where that is not enough."""
    x = T.vector("x")
    value = T.log(T.exp(x).sum()) + (T.sqrt(1 + x * x) - 1).sum() + T.erf(x).sum() + T.sin(x).max()
    return symdl.function([x], [value, symdl.grad(value, x)], precision="right")


def executable_of(f: Function) -> CpuExecutable:
    found = f._main.executable
    assert isinstance(found, CpuExecutable)
    return found


def test_numbers_are_the_same_before_and_after(held: threading.Event) -> None:
    (f, given), g = network(), cancelling()
    x = np.concatenate([np.linspace(-3, 3, 41), [1e-9, 700.0, 1e-200]])
    quick = executable_of(f).code
    before = [*f(*given), *g(x)]
    assert not any(has_entry(one) for one in (f, g))
    held.set()
    (again, _), _ = network(), f.optimized()
    again.optimized()
    after = [*again(*given), *g(x)]
    assert all(has_entry(one) for one in (f, g))
    assert executable_of(f).code != quick
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)  # bit for bit, as there are no NaNs
    for a, b in zip(f.get_shared(), again.get_shared(), strict=True):
        np.testing.assert_array_equal(a.get_value(), b.get_value())


def test_optimized_code_is_what_now_gives() -> None:
    f, _ = network()
    f.optimized()
    with config.change(optimizing="now"):
        g, _ = network()
    assert executable_of(f).code == executable_of(g).code
    assert f.source("asm") == g.source("asm")


@pytest.mark.parametrize("text", [products_text, convolutions_text])
def test_only_optimized_functions_leave_an_order_to_llvm(text: object) -> None:
    """Level 0 and level 1 may take such a sum in different orders."""
    for dtype in ("float32", "float64"):
        written = text(MACHINE.tile(dtype), MACHINE.triple, MACHINE.layout)  # type: ignore[operator]  # one of two functions
        for function in FUNCTIONS.split(written)[1:]:
            assert HOT.match(function) or "reassoc" not in function, function.partition("\n")[0]
        assert len(list(objects_in(quick_code(written, MACHINE)))) == 2
        assert "fmuladd" not in written
        assert "contract" not in written


LAYERS = {  # images, groups, channels and outputs of a group, filters, steps, spacings, side of an image
    "of a LeNet": (5, 1, 1, 20, 5, 1, 1, 28),
    "of a LeNet, the second": (3, 1, 20, 50, 5, 1, 1, 12),
    "of wide images": (2, 1, 7, 9, 3, 1, 1, 40),
    "in groups": (2, 3, 5, 11, 3, 1, 2, 19),
    "in steps": (2, 1, 6, 13, 3, 2, 1, 17),
    "of narrow images": (4, 1, 17, 30, 3, 1, 1, 6),
    "of one place": (3, 1, 17, 6, 1, 1, 1, 9),
    "of a channel each": (3, 4, 1, 1, 3, 1, 1, 20),
    "of a channel each, wide": (2, 3, 1, 1, 3, 1, 1, 70),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layer", list(LAYERS))
def test_quick_convolutions_have_fewer_kernels_and_the_same_bits(layer: str, dtype: str) -> None:
    images, groups, channels, outputs, side, step, apart, size = LAYERS[layer]
    tile = MACHINE.tile(dtype)
    pool = threads_pool(MACHINE)
    table = (ctypes.c_void_p * len(RUNTIME))()
    table[RUNTIME.index("parallel")], table[RUNTIME.index("pool")] = pool.parallel, pool.address
    table[RUNTIME.index(f"gemm_{dtype}")] = gemm_address(dtype, MACHINE)
    result = (size - 1 - (side - 1) * apart) // step + 1
    words = [
        images, groups, channels, outputs, 1, size, size, 1, side, side, 1, result, result, 1, step, step, 1, apart, apart,
    ]  # fmt: skip
    sizes = np.array([*words, size, size, 0, 0])
    bordered = np.array([*words, size - 2, size - 1, 1, 1])  # images lie without a border of 1 at three of their sides
    rng = np.random.default_rng(len(layer))
    x = rng.standard_normal((images, groups * channels, size, size)).astype(dtype)
    f = rng.standard_normal((groups * outputs, channels, side, side)).astype(dtype)
    y = rng.standard_normal((images, groups * outputs, result, result)).astype(dtype)
    within = np.ascontiguousarray(x[:, :, 1:-1, 1:])
    for product, a, b, like, given in (
        (0, x, f, y, sizes), (0, within, f, y, bordered), (1, x, y, f, sizes), (2, f, y, x, sizes),
    ):  # fmt: skip
        found = []
        for engine in convolutions(tile):
            c = np.full_like(like, np.nan)
            kind = ctypes.CFUNCTYPE(None, ctypes.c_int64, *[ctypes.c_void_p] * 5)
            kind(engine.address(f"convolve_{dtype}"))(
                product, a.ctypes.data, b.ctypes.data, c.ctypes.data, given.ctypes.data, ctypes.addressof(table)
            )
            found.append(c)
        assert not np.isnan(found[0]).any()
        np.testing.assert_array_equal(found[0], found[1])


@cache
def convolutions(tile: Tile) -> tuple[Engine, Engine]:
    """The library, and the one that runs until it is optimized."""
    whole, small = (convolutions_text(tile, MACHINE.triple, MACHINE.layout, small) for small in (False, True))
    assert small.count("define ") < 0.7 * whole.count("define ")
    return Engine(object_code([whole], MACHINE), MACHINE), Engine(quick_code(small, MACHINE), MACHINE)


def test_parts_of_two_levels_find_one_another() -> None:
    text = """@table = internal constant [2 x ptr] [ptr @cold, ptr @warm]
define internal i64 @warm(i64 %x) noinline nounwind "hot" {
  %y = mul i64 %x, 3
  ret i64 %y
}
define internal i64 @cold(i64 %x) noinline nounwind {
  %y = call i64 @warm(i64 %x)
  %z = add i64 %y, 1
  ret i64 %z
}
define i64 @chosen(i64 %k, i64 %x) nounwind {
  %p = getelementptr ptr, ptr @table, i64 %k
  %f = load ptr, ptr %p
  %y = call i64 %f(i64 %x)
  ret i64 %y
}
"""
    for code in (quick_code(text, MACHINE), object_code([text], MACHINE)):
        engine = Engine(code, MACHINE)
        chosen = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)(engine.address("chosen"))
        assert (chosen(0, 5), chosen(1, 5)) == (16, 15)


def test_a_long_run_waits_for_optimized_code(held: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("symdl.backends.cpu.executable.WORTH_WAITING", 1000)
    x = T.vector("x")
    f = symdl.function([x], T.exp(x).sum())
    quick = executable_of(f).code
    f(np.zeros(1))
    assert executable_of(f).code == quick
    f(np.zeros(1000))
    assert executable_of(f).code != quick
    assert not held.is_set()


def test_the_store_gets_optimized_code_only(held: threading.Event) -> None:
    store: dict[str, bytes] = {}
    backend = CpuBackend(store=store)
    with config.change(optimizing="now"):
        backend.entry_code  # noqa: B018  # compiled, unless another test has done that
    x = T.vector("x")
    form = symdl.function([x], T.tanh(x) * 2).lowered
    kept: list[bytes | None] = []
    executable = backend.compile(form.program)
    quick = executable.code
    executable.when_optimized(kept.append, keep=True)
    assert not kept
    del executable  # it is still wanted
    held.set()
    optimizing.finish_all()
    assert kept[0] is not None
    assert kept[0] != quick


def test_dropped_functions_are_not_optimized(held: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    x = T.vector("x")
    f = symdl.function([x], T.tanh(x) * 3)
    jobs = list(optimizing._jobs)
    assert jobs
    made: list[str] = []

    def noted(text: str, *_: object) -> bytes:
        made.append(text)
        return b""

    monkeypatch.setattr("symdl.backends.cpu.backend.object_code", noted)
    del f
    held.set()
    optimizing.finish_all()
    assert not made
    assert all(job.over for job in jobs)


def test_a_failure_is_told_and_the_first_code_stays(
    held: threading.Event, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> bytes:
        raise MemoryError("no room")

    x = T.vector("x")
    f = symdl.function([x], T.tanh(x) * 5)
    with caplog.at_level(logging.ERROR, "symdl"), monkeypatch.context() as patch:
        patch.setattr("symdl.backends.cpu.backend.object_code", fails)
        f.optimized()
    assert "could not be optimized" in caplog.text
    assert "no room" in caplog.text
    assert f._entry is not None
    np.testing.assert_allclose(f(np.ones(3)), np.tanh(1) * 5)


def test_threads_call_while_code_is_replaced() -> None:
    (f, given), stop = network(), threading.Event()
    x = T.vector("x")
    gs = [symdl.function([x], T.exp(x * k).sum()) for k in range(1, 7)]
    given_x = np.linspace(-1, 1, 300)
    expected = [g(given_x) for g in gs]
    wrong: list[object] = []

    def calls() -> None:
        while not stop.is_set():
            wrong.extend(k for k, g in enumerate(gs) if g(given_x) != expected[k])
            f(*given)

    threads = [threading.Thread(target=calls) for _ in range(3)]
    for thread in threads:
        thread.start()
    for f_ in gs:
        f_.optimized()
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong


def test_libraries_are_replaced_in_what_runs() -> None:
    f, given = network()
    executable = executable_of(f)
    f(*given)
    f.optimized()
    for name in executable.interface.libraries:
        before = list(executable._runtime)
        executable.call_library(name)
        assert list(executable._runtime) == before  # the address of now was there already


def test_a_call_that_has_begun_keeps_its_code(held: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    """Better code may come between any two steps of a call in Python."""
    f, given = network()
    executable = executable_of(f)
    code = weakref.ref(executable._native[0])
    table, seen = executable._extent_table, []

    def slow(*extents: int) -> object:
        f.optimized()
        seen.append(code() is not None and code() is not executable._native[0])
        return table(*extents)

    monkeypatch.setattr(executable, "_extent_table", slow)
    f(*given)
    assert seen == [True]
    assert code() is None


def test_the_way_in_is_replaced_too() -> None:
    script = """
import gc, numpy as np, symdl, symdl.tensor as T
from symdl.backends.cpu import optimizing
from symdl.runtime.runs import native
optimizing._start = lambda: None  # no thread is ahead of this script: f.optimized() does all the work, when it is called
x = T.vector("x")
oracle = symdl.function([x], x + 1, mode="numpy")
f = symdl.function([x], T.tanh(x) + 1)
first = native().entry_code.lax
before = f(np.ones(3)), f([1.0] * 3)
f.optimized()
gc.collect()
assert native().entry_code.lax != first
assert f._entry.kept[0] is native().entry_code is f._main.executable._entry_code
assert all((f(np.ones(3)) == b).all() for b in before)
assert (oracle(np.ones(3)) == 2).all()
with symdl.config.change(optimizing="now"):
    g = symdl.function([x], T.tanh(x) + 2)
assert g._entry.kept[0] is native().entry_code
"""
    environment = {**os.environ, "SYMDL_CACHE_DIR": "", "SYMDL_FLAGS": ""}
    run = [sys.executable, "-X", "faulthandler", "-c", script]
    done = subprocess.run(run, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr


def test_the_first_result_comes_before_anything_is_written(tmp_path: Path) -> None:
    script = """
import os, sys, numpy as np, symdl, symdl.tensor as T
from symdl.backends.cpu import optimizing
from symdl.backends.cpu.libraries import threads_pool
from symdl.runtime.runs import native
optimizing._start = lambda: None  # as if the thread were slow
x = T.matrix("x")
f = symdl.function([x], T.dot(x, x) + 1)
before = f(np.ones((3, 3)))
first = threads_pool(native().machine).code
assert not os.path.exists(sys.argv[1])
f.optimized()
assert len(os.listdir(sys.argv[1])) >= 4  # the function, products, the way in, the pool
assert threads_pool(native().machine).code is not first
assert (f(np.ones((3, 3))) == before).all() and (before == 4).all()
"""
    folder = tmp_path / "cache"
    environment = {**os.environ, "SYMDL_CACHE_DIR": str(folder), "SYMDL_FLAGS": ""}
    run = [sys.executable, "-X", "faulthandler", "-c", script, str(folder)]
    done = subprocess.run(run, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr


def test_a_first_call_is_waited_for(held: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    """No code is begun to be optimized meanwhile, but where a call may take as long as it likes."""
    x = T.dvector("x")
    own = symdl.as_op([T.dvector], [T.dvector], lambda shapes: shapes)(np.cos)
    for formula, expected in ((T.exp(x) * 2, [1, 0]), (own(T.exp(x)), [0, 0])):
        f = symdl.function([x], formula)
        seen: list[int] = []
        way_in = executable_of(f)._entry_code
        work = way_in.work

        def looked(*given: object, work: Any = work, seen: list[int] = seen) -> int:
            seen.append(len(optimizing._holding))
            status: int = work(*given)
            return status

        with monkeypatch.context() as patch:
            patch.setattr(way_in, "work", looked)
            for _ in range(2):
                f(np.ones(3))
        assert seen == expected


@pytest.mark.parametrize("processors", [1, 2])
def test_one_processor_is_left_to_the_calls_for_longer(processors: int, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    while optimizing._working:  # a thread of an earlier test, which does not wait again
        time.sleep(0.001)
    monkeypatch.setattr(optimizing, "usable_processors", lambda: processors)
    monkeypatch.setattr(threading.main_thread(), "join", waits.append)
    x = T.vector("x")
    f = symdl.function([x], T.arctan(x) * 3 + processors)
    assert (f([0.0]) == [processors]).all()
    ends = time.monotonic() + 60
    while not waits and time.monotonic() < ends:
        time.sleep(0.001)
    assert waits == [optimizing.PATIENCE if processors == 1 else optimizing.MOMENT]
    assert f.optimized()([0.0]) == [processors]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processors cannot be chosen")
def test_the_end_of_a_program_does_not_wait_before_it_optimizes() -> None:
    script = """
import os, time
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
import symdl, symdl.tensor as T
from symdl.backends.cpu import optimizing
optimizing.PATIENCE = 3600.0
x = T.vector("x")
f = symdl.function([x], T.exp(T.tanh(x)) * 7)
f([1.0])
"""
    environment = {**os.environ, "SYMDL_CACHE_DIR": "", "SYMDL_FLAGS": ""}
    subprocess.run([sys.executable, "-c", script], env=environment, cwd=ROOT, timeout=600, check=True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize("moment", ["at once", "while it is at work"])
def test_a_child_goes_on_with_it(moment: str) -> None:
    """It neither waits for a thread that it has not, nor stays with the first code."""
    f, given = network()
    if moment == "while it is at work":
        while (jobs := list(optimizing._jobs)) and not any(job._working.locked() for job in jobs):
            pass
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            outputs = f.optimized()(*given)
            x = T.vector("x")
            g = symdl.function([x], T.cosh(x) + 1)  # compiled here
            good = np.isfinite(outputs[0]) and np.isfinite(g(np.ones(2))).all() and f._entry is not None
            os.write(writer, b"1" if good else b"0")
        finally:
            os._exit(0)
    os.close(writer)
    assert os.read(reader, 1) == b"1"
    os.close(reader)
    assert os.waitpid(child, 0)[1] == 0
    assert f.optimized()._entry is not None


ENDS = {
    "at its end": "",
    "by an exception": "raise SystemExit(3)",
    "in a thread": "import threading; threading.Thread(target=lambda: f([2.0] * 3)).start()",
    "by atexit": "import atexit; atexit.register(lambda: f([2.0] * 3))",
    "without a word": "import os; os._exit(0)",
}


@pytest.mark.parametrize("end", list(ENDS))
def test_a_program_that_ends_first(end: str, tmp_path: Path) -> None:
    """It ends well, and its code is kept: the next program compiles nothing."""
    script = f"""
import symdl, symdl.tensor as T
x = T.vector("x")
f = symdl.function([x], T.exp(T.tanh(x)) * 7)
f([1.0] * 3)
{ENDS[end]}
"""
    environment = {**os.environ, "SYMDL_CACHE_DIR": str(tmp_path / "cache"), "SYMDL_FLAGS": ""}
    run = [sys.executable, "-X", "faulthandler", "-c", script]
    done = subprocess.run(run, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == (3 if end == "by an exception" else 0), done.stderr
    assert not done.stderr
    if end != "without a word":
        counted = script.replace("import symdl,", "import logging; logging.basicConfig(level=20)\nimport symdl,")
        again = subprocess.run(
            [*run[:-1], counted], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert "loaded" in again.stderr
        assert "compiled" not in again.stderr


def test_profiles_are_of_optimized_code(held: threading.Event) -> None:
    held.set()
    f, given = network()
    assert f.profile(*given, calls=1).seconds > 0
    assert not optimizing._jobs or all(job.over for job in optimizing._jobs)
