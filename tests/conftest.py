"""What every test runs under: the same examples each time, seeded generators, the reference's float flags silenced, and a
cache of its own.

The cache is on, in a folder that lives as long as the run: each graph is compiled once, and equal ones later come from
there, so that every test is a test of the cache, too. What compares machine code with the oracle (agree.py) compiles anew.
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from symdl.backends.cpu.backend import CpuBackend

CACHE = tempfile.TemporaryDirectory(prefix="cache-of-tests-")  # removed at the end of the process
os.environ["SYMDL_CACHE_DIR"] = CACHE.name  # before symdl is imported; for the processes that tests start, too
os.environ.setdefault("SYMDL_FLAGS", "optimizing=now")  # the other way: test_optimizing.py

# A run that a shell has started in the background begins with Ctrl-C ignored, and tests strike with it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

# "steady" draws the same examples on every run and machine, so that a red run is a change and not luck.
# "long" searches anew each time and prints what reproduces a failure: pytest --hypothesis-profile=long
_ALWAYS = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the first example of a test compiles
settings.register_profile("steady", _ALWAYS, derandomize=True, database=None, max_examples=50)
settings.register_profile("long", _ALWAYS, max_examples=2000, print_blob=True)
settings.load_profile("steady")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of this test alone, which config names; in use even if a source file has just been edited."""
    import symdl.pipeline.cache  # not before the environment is set
    from symdl.config import config

    symdl.pipeline.cache._warned.clear()
    monkeypatch.setattr(symdl.pipeline.cache, "provenance", lambda kept, passed: "these sources")
    with config.change(cache_dir=str(tmp_path / "cache")):
        yield tmp_path / "cache"
    symdl.pipeline.cache._warned.clear()


@pytest.fixture
def in_theanos_words() -> Iterator[None]:
    """Theano's attributes on symdl's classes, and its float64; other tests meet symdl's own classes."""
    import symdl.theano  # not before the environment is set
    from symdl.theano.variables import put_on, take_off

    put_on()
    theano: Any = symdl.theano  # its names are made when it is loaded
    theano.config.floatX = "float64"
    yield
    theano.config.floatX = "float64"
    take_off()


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator that starts alike in every test."""
    return np.random.default_rng(20260101)


@pytest.fixture(params=["cuda-emulated", pytest.param("cuda", marks=pytest.mark.gpu)])
def gpu(request: pytest.FixtureRequest) -> str:
    """The name of a device: the same tests for the emulated GPU and, with `-m gpu`, for a real one."""
    return str(request.param)


@pytest.fixture(params=[("x86-64", ""), ("x86-64-v3", "+avx2,+fma,+avx")], ids=["sse2", "avx2"])
def lesser(request: pytest.FixtureRequest) -> CpuBackend:
    """Machine code for processors that this one can stand in for: those of before 2013, and those without AVX-512."""
    from symdl.backends.cpu.backend import CpuBackend
    from symdl.runtime.runs import native

    cpu, features = request.param
    here = native().machine
    if not here.triple.startswith("x86_64") or (features and "+avx2" not in here.features.split(",")):
        pytest.skip("this processor has no such instructions")
    return CpuBackend(cpu, features)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests of a real GPU say why they do not run."""
    if item.get_closest_marker("gpu") is not None:
        from symdl.errors import CudaUnavailableError
        from symdl.runtime.devices import backend

        try:
            backend("cuda")
        except CudaUnavailableError as error:
            pytest.skip(error.head)


@pytest.fixture(autouse=True)
def _silent_reference() -> Iterator[None]:
    """NumPy, as the reference, overflows where a test goes to the edge; tests compare values, not its warnings.

    What symdl itself must not print is asserted where it matters, with the warnings on again (test_smoke.py).
    """
    with np.errstate(all="ignore"):
        yield


@pytest.fixture(autouse=True)
def _options_are_put_back() -> Iterator[None]:
    """What a test sets in `symdl.config` and leaves so would be every later test's: without the cache they take twice as long."""
    from symdl.config import OPTIONS, config

    before = {name: getattr(config, name) for name in OPTIONS}
    yield
    assert {name: getattr(config, name) for name in OPTIONS} == before
