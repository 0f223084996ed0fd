"""The drivers on stand-ins of their packages: what is called, and what refusals become. No GPU has run them here."""

from __future__ import annotations

import sys
import threading
from typing import Any

import cuda_fakes
import numpy as np
import pytest

import symdl.tensor as T
from symdl.backends import drivers
from symdl.backends.cuda.backend import CudaBackend
from symdl.backends.cuda.device import Device
from symdl.backends.cuda.driver import Driver, packed
from symdl.backends.cuda.driver_bindings import BindingsDriver
from symdl.backends.cuda.driver_pycuda import PycudaDriver
from symdl.backends.emulator import Emulator
from symdl.errors import CudaError, CudaMemoryError, CudaUnavailableError, DeviceLostError
from symdl.pipeline.compilation import Graph, lowered

PYCUDA, BINDINGS = "pycuda.driver", "cuda.bindings.driver"


@pytest.fixture(params=["pycuda", "bindings"])
def made(request: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Driver, cuda_fakes.Memory]:
    memory = cuda_fakes.Memory()
    cuda_fakes.install(monkeypatch, BINDINGS, cuda_fakes.bindings(memory))
    driver: Driver
    if request.param == "pycuda":
        cuda_fakes.install(monkeypatch, PYCUDA, cuda_fakes.pycuda(memory))
        driver = PycudaDriver()
    else:
        driver = BindingsDriver()
    return driver, memory


def names(memory: cuda_fakes.Memory) -> list[str]:
    return [call[0] for call in memory.said]


def test_what_is_known_of_the_device(made: tuple[Driver, cuda_fakes.Memory]) -> None:
    driver, _ = made
    assert (driver.takes, driver.can_capture, driver.device_count(), driver.capability()) == ("ptx", True, 1, (9, 0))
    assert driver.memory_info() == (1 << 20, 1 << 30)
    assert driver.attributes == {
        "name": "A GPU", "multiprocessors": 132, "clock_khz": 1980000, "memory_clock_khz": 3201000,
        "memory_bus_bits": 6144, "memory_bytes": 1 << 30, "driver_version": 13000,
    }  # fmt: skip


def test_memory_goes_there_and_back(made: tuple[Driver, cuda_fakes.Memory]) -> None:
    driver, memory = made
    stream = driver.stream()
    assert stream.handle == 5
    a, b = driver.allocate(0), driver.allocate(64)
    assert a % 256 == b % 256 == 0
    assert a != b
    given = np.arange(8.0)
    driver.upload(b, given, stream)
    found = np.empty(8)
    driver.download(found, b, stream)
    np.testing.assert_array_equal(found, given)
    driver.fill(b, 0, 32, stream)
    driver.copy(b + 32, b, 16, stream)
    driver.label(b, 64, "a part")
    driver.download(found, b, stream)
    np.testing.assert_array_equal(found, [0, 0, 0, 0, 0, 0, 6, 7])
    assert driver.pinned(100).shape == (100,)
    driver.free(b)
    assert b not in memory.live


def test_a_launch(made: tuple[Driver, cuda_fakes.Memory]) -> None:
    driver, memory = made
    stream = driver.stream()
    module = driver.load(".version 7.8")
    function = module.function("k0")
    assert (function.name, module.log) == ("k0", "compiled" if driver.name == "pycuda" else "")
    memory.said.clear()
    words = packed([4096, -1])
    for shared in (0, 60_000, 60_000):
        driver.launch(function, (3, 2, 1), 128, shared, words, stream)
    if driver.name == "pycuda":
        assert [c[1:6] for c in memory.said if c[0] == "_launch_kernel"] == [
            ("k0", (3, 2, 1), (128, 1, 1), bytes(words), shared) for shared in (0, 60_000, 60_000)
        ]
        assert [c for c in memory.said if c[0] == "set_attribute"] == [("set_attribute", 8, 60_000)]
    else:
        launches = [c for c in memory.said if c[0] == "cuLaunchKernel"]
        assert [c[1:9] for c in launches] == [("kernel k0", 3, 2, 1, 128, 1, 1, s) for s in (0, 60_000, 60_000)]
        assert [c for c in memory.said if c[0] == "parameters"] == [("parameters", 4096, 2**64 - 1)] * 3
        assert [c for c in memory.said if c[0] == "cuFuncSetAttribute"] == [
            ("cuFuncSetAttribute", "kernel k0", 8, 60_000)
        ]
    words[:8] = packed([8192])  # parameters are written anew in place
    driver.launch(function, (1, 1, 1), 128, 0, words, stream)
    if driver.name == "cuda.bindings":
        assert memory.said[-1] == ("parameters", 8192, 2**64 - 1)


def test_events_and_waiting(made: tuple[Driver, cuda_fakes.Memory]) -> None:
    driver, memory = made
    stream, start, stop = driver.stream(), driver.event(), driver.event()
    start.record(stream)
    stop.record(stream)
    stop.synchronize()
    assert driver.elapsed(start, stop) == 0.25
    memory.said.clear()
    driver.synchronize(stream)
    driver.synchronize()
    assert names(memory) in (
        ["Stream.synchronize", "Context.synchronize"], ["cuStreamSynchronize", "cuCtxSynchronize"],
    )  # fmt: skip


def test_a_graph_is_captured_and_launched(made: tuple[Driver, cuda_fakes.Memory]) -> None:
    driver, memory = made
    stream = driver.stream()
    memory.said.clear()
    with driver.capture(stream) as graph:
        pass
    graph.launch(stream)
    assert memory.said == [
        ("cuStreamBeginCapture", 5, 1), ("cuStreamEndCapture", 5), ("cuGraphInstantiate", "a graph", 0),
        ("cuGraphDestroy", "a graph"), ("cuGraphLaunch", "an executable graph", 5),
    ]  # fmt: skip
    memory.said.clear()
    with pytest.raises(ArithmeticError), driver.capture(stream):
        raise ArithmeticError
    assert names(memory) == ["cuStreamBeginCapture", "cuStreamEndCapture"]


def test_refusals_have_classes_of_their_own(made: tuple[Driver, cuda_fakes.Memory]) -> None:
    driver, memory = made
    stream, function = driver.stream(), driver.load("").function("k0")
    pycuda = driver.name == "pycuda"
    memory.fails = {"mem_alloc" if pycuda else "cuMemAlloc": 2}
    with pytest.raises(CudaMemoryError, match="no room"):
        driver.allocate(1 << 40)
    memory.fails = {"Stream.synchronize" if pycuda else "cuStreamSynchronize": 700}
    with pytest.raises(DeviceLostError, match="ILLEGAL_ADDRESS"):
        driver.synchronize(stream)
    memory.fails = {"_launch_kernel" if pycuda else "cuLaunchKernel": 700}
    with pytest.raises(DeviceLostError, match="launch of k0"):
        driver.launch(function, (1, 1, 1), 32, 0, packed([0, 0]), stream)
    memory.fails = {"module_from_buffer" if pycuda else "cuModuleLoadDataEx": 218}
    with pytest.raises(CudaError, match="INVALID_PTX") as caught:
        driver.load("no PTX")
    assert pycuda == ("line 3: error" in str(caught.value))


def test_each_thread_has_the_context(made: tuple[Driver, cuda_fakes.Memory]) -> None:
    driver, memory = made
    memory.said.clear()
    for _ in range(2):
        thread = threading.Thread(target=lambda: [driver.allocate(8) for _ in range(2)])
        thread.start()
        thread.join()
    if driver.name == "pycuda":  # ends the process where a thread ends with a context
        assert names(memory) == ["push", "mem_alloc", "pop"] * 4
    else:
        assert names(memory).count("cuCtxSetCurrent") == 2


def test_pycuda_lets_go_of_memory_before_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = cuda_fakes.Memory()
    cuda_fakes.install(monkeypatch, BINDINGS, None)
    cuda_fakes.install(monkeypatch, PYCUDA, cuda_fakes.pycuda(memory))
    driver = PycudaDriver()
    assert not driver.can_capture
    driver.allocate(8)
    driver.allocate(8)
    driver.load("")
    assert len(driver.abandoned) == 1  # the next call unloads it
    driver.allocate(8)
    assert driver.abandoned == []
    driver._end()
    assert driver._allocations == {}
    assert [name for name in names(memory) if name in ("push", "pop")] == ["push", "pop"]


def test_code_for_a_device_is_ptx(made: tuple[Driver, cuda_fakes.Memory]) -> None:
    """What the cache keeps; loading it compiles nothing."""
    driver, memory = made
    machine = CudaBackend("cuda", Device(driver))
    x = T.fvector("x")
    form = lowered(Graph((x,), (), (T.exp(x),), ()), blocks=False)
    first = machine.compile(form.program)
    assert b".visible .entry kernel_exp" in first.code
    assert b".target sm_90" in first.code
    again = machine.load(first.interface, first.code)
    assert again.code == first.code
    memory.said.clear()
    for _ in range(4):
        status, (y,) = again.execute(again.bind([np.ones(3, np.float32)]))
        assert (status, y.shape) == (0, (3,))
    launches, graphs = (
        ("_launch_kernel", "cuGraphLaunch") if driver.name == "pycuda" else ("cuLaunchKernel", "cuGraphLaunch")
    )
    assert (names(memory).count(launches), names(memory).count(graphs)) == (3, 2)  # one launch is captured
    assert "sm_90" in machine.fingerprint()
    assert machine.described() == f"A GPU (sm_90, by {driver.name})"
    assert machine.limits()[0] > 1e12


# ---- which one ----


def without(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (PYCUDA, BINDINGS):
        cuda_fakes.install(monkeypatch, name, None)


def test_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drivers, "installed", lambda _: False)
    with pytest.raises(CudaUnavailableError, match="no package for NVIDIA GPUs is installed"):
        drivers.installed_driver()


def test_pycuda_goes_first_and_the_other_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = cuda_fakes.Memory()
    cuda_fakes.install(monkeypatch, BINDINGS, cuda_fakes.bindings(memory))
    cuda_fakes.install(monkeypatch, PYCUDA, cuda_fakes.pycuda(memory))
    assert drivers.installed_driver().name == "pycuda"
    cuda_fakes.install(monkeypatch, PYCUDA, None)
    monkeypatch.setattr(drivers, "installed", lambda name: name == "cuda.bindings")
    assert drivers.installed_driver().name == "cuda.bindings"


def test_a_machine_without_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = cuda_fakes.Memory()
    memory.devices = 0
    cuda_fakes.install(monkeypatch, BINDINGS, cuda_fakes.bindings(memory))
    cuda_fakes.install(monkeypatch, PYCUDA, cuda_fakes.pycuda(memory))
    with pytest.raises(CudaUnavailableError) as caught:
        drivers.installed_driver()
    assert str(caught.value) == (
        'device="cuda": no GPU can be used\n'
        "  pycuda         the driver knows no device\n"
        "  cuda.bindings  the driver knows no device\n"
        '  device="cuda-emulated" runs the same kernels on this computer\'s processor, slowly.'
    )
    memory.fails = {"init": 100, "cuInit": 100}
    with pytest.raises(CudaUnavailableError, match="NO_DEVICE"):
        drivers.installed_driver()


def test_a_package_without_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = cuda_fakes.Memory()
    module = cuda_fakes.bindings(memory)

    def none(_: int) -> None:
        raise RuntimeError("libcuda.so.1: cannot open shared object file")

    module.cuInit = none  # type: ignore[attr-defined]  # a module
    cuda_fakes.install(monkeypatch, BINDINGS, module)
    cuda_fakes.install(monkeypatch, PYCUDA, cuda_fakes.pycuda(memory))
    monkeypatch.delitem(sys.modules, PYCUDA)  # the package is there, and its part does not import
    with pytest.raises(CudaUnavailableError, match=r"libcuda\.so\.1"):
        drivers.installed_driver()


def test_the_emulated_driver_is_one() -> None:
    assert isinstance(drivers.emulated_driver(), Emulator)
