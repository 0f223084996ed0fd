"""Looking at functions for a GPU: their sources, profiles, steps on the host, and what the doctor says."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from cuda_fakes import Memory, bindings, install

import symdl
import symdl.tensor as T
from benchmarks import gpu
from symdl import debugprint, doctor, function, grad, shared
from symdl.backends import drivers
from symdl.backends.cuda.driver_bindings import BindingsDriver
from symdl.backends.cuda.peaks import bandwidth, operations
from symdl.errors import InputError, ShapeError
from symdl.profiling.gpu_profile import GpuProfile
from symdl.runtime import devices


def step_and_data(device: str) -> tuple[Any, tuple[Any, ...], Any]:
    W, x = shared(np.full((3, 4), 0.1), "W"), T.dmatrix("x")
    loss = T.softmax(x @ W).sum(axis=0).max()
    f = function([x], loss, updates=[(W, W - 0.1 * grad(loss, W))], device=device, name="step")
    return f, (np.ones((5, 3)),), W


@pytest.mark.parametrize("form", ["llvm", "ptx"])
def test_sources_say_what_a_kernel_computes_and_from_which_line(form: str) -> None:
    f, _, _ = step_and_data("cuda-emulated")
    lines = f.source(form).splitlines()
    begin, mark = {"llvm": (r"define ptx_kernel void @(\w+)\(", "; "), "ptx": (r"\.visible \.entry (\w+)\(", "// ")}[
        form
    ]
    places = [k for k, line in enumerate(lines) if re.match(begin, line)]
    assert len(places) > 2
    for k in places:
        assert re.match(rf"{mark}.*\(test_cuda_seeing\.py:\d+", lines[k - 1]), lines[k - 1]


def test_each_device_has_its_own_forms() -> None:
    x = T.dvector("x")
    for device, forms in (("cuda-emulated", "program, llvm, ptx, cuda"), ("cpu", "program, llvm, asm")):
        with pytest.raises(InputError) as caught:
            function([x], x * 2, device=device).source("tea")
        assert str(caught.value) == f"source: there is no form 'tea'\n  forms: {forms}"


def test_ptx_is_for_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    f, _, _ = step_and_data("cuda-emulated")
    assert ".target sm_80" in f.source("ptx")  # the emulator's own capability
    monkeypatch.setattr(devices.gpu_backend("cuda-emulated"), "capability", (9, 0))
    assert ".target sm_90" in f.source("ptx")


def test_what_stays_on_the_host_is_said() -> None:
    x = T.dvector("x")
    outputs = [T.sort(x) * 2, T.nonzero(x > 1)[0]]
    f = function([x], outputs, device="cuda-emulated")
    text = debugprint(f, file="str", before=False, after=False)
    assert text is not None
    assert text.startswith("function(x) on cuda-emulated")
    assert re.search(r"before, on the host +nonzero\(x > 1\) test_cuda_seeing\.py:\d+", text)
    assert re.search(r"on the host: routine\(x\) -> \w+ +sort\(x\)", text)
    assert re.search(r"# on the host: sort ", f.source("program"))
    for device in ("cpu", None):
        here = debugprint(function([x], outputs, device=device), file="str")
        assert here is not None
        assert "host" not in here
    assert repr(f) == "<symdl function (x) on cuda-emulated, 2 outputs, 0 updates>"


# ---- profiles ----


def test_a_profile_has_a_row_a_step_and_changes_nothing() -> None:
    f, data, W = step_and_data("cuda-emulated")
    before = W.get_value()
    p = f.profile(*data, calls=2)
    np.testing.assert_array_equal(W.get_value(), before)
    assert isinstance(p, GpuProfile)
    assert len(p.rows) > 2
    assert all(r.calls == 1 and 0 < r.seconds < p.seconds for r in p.rows)
    assert any(r.name.startswith("matmul") for r in p.rows)
    assert p.outputs == 8
    assert p.shareds == 96
    text = str(p)
    assert text.startswith("step(x: float64[5, 3]) on emulated GPU")
    assert "limits" not in text  # an emulated device has none
    assert json.loads(p.json())["threads"] == 0
    assert "<table>" in p._repr_html_()


def test_a_profile_says_what_share_of_the_device_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a device of 10 MB/s whose events lie a millisecond apart."""
    backend = devices.gpu_backend("cuda-emulated")
    place: Any = backend.place
    monkeypatch.setattr(backend, "limits", lambda: (1e7, {"float32": 1e9}))
    monkeypatch.setattr(place.driver, "elapsed", lambda start, stop: 1.0)
    x = T.fvector("x")
    p = function([x], 2 * x, device="cuda-emulated").profile(np.ones(1000, np.float32), calls=2)
    (row,) = p.rows
    assert (row.seconds, row.calls, row.bytes_read, row.bytes_written, row.flops) == (1e-3, 1, 4000, 4000, 1000)
    assert (row.bandwidth, row.bound) == (8e6, "memory")
    assert row.share == pytest.approx(0.8)
    text = str(p)
    assert "limits, by the device's own figures: memory 0 GB/s, 1 Gflop/s float32" in text
    assert "80 %" in text


def test_a_loop_has_the_time_of_what_is_in_it() -> None:
    x = T.dvector("x")
    out, _ = symdl.scan(lambda a: a * 1.5 + x, outputs_info=T.zeros_like(x), n_steps=9)  # fewer are written out
    p = function([x], out, device="cuda-emulated").profile([1.0, 2.0], calls=1)
    (loop,) = (k for k, r in enumerate(p.rows) if r.kind == "loop")
    inside = [r for r in p.rows[loop + 1 :] if r.depth == 1]
    assert p.rows[loop].seconds == pytest.approx(sum(r.seconds for r in inside))
    assert {r.calls for r in inside} == {9}


def test_a_profile_of_a_call_that_fails() -> None:
    x, y = T.dvectors("x", "y")
    with pytest.raises(ShapeError):
        function([x, y], x + y, device="cuda-emulated").profile([1.0], [1.0, 2])


def test_a_report_is_of_the_numbers_of_the_device() -> None:
    x = T.fvector("x")
    report = function([x], T.exp(x), device="cuda-emulated").stability_report(np.array([0.5, 1.0], np.float32))
    assert "exp" in str(report)


def test_what_a_device_can_do_at_most() -> None:
    h100 = {"multiprocessors": 132, "clock_khz": 1_980_000, "memory_clock_khz": 2_619_000, "memory_bus_bits": 5120}
    assert bandwidth(h100) == pytest.approx(3.35e12, rel=0.01)
    assert operations(h100, (9, 0)) == {
        "float32": pytest.approx(66.9e12, rel=0.01),
        "float64": pytest.approx(33.5e12, rel=0.01),
    }
    assert (bandwidth({}), operations({}, (9, 0))) == (0, {})


# ---- the benchmark ----


def test_the_benchmark_says_that_there_is_no_gpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(drivers, "installed", lambda _: False)
    monkeypatch.setattr("sys.argv", ["gpu"])
    devices._backend.cache_clear()
    assert gpu.main() == 1
    assert capsys.readouterr().err.startswith("no GPU, nothing was run\n")


# ---- the doctor ----


def test_the_doctor_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drivers, "installed", lambda _: False)
    devices._backend.cache_clear()
    found = doctor._gpu()
    assert (found.value, found.fine) == ("no package for NVIDIA GPUs is installed", True)
    lines = doctor.report([found]).splitlines()
    assert lines[1:3] == [
        '       pip install "symdl[cuda-wheels]"    needs nothing else',
        '       pip install "symdl[cuda]"           pycuda: needs a C++ compiler and the headers of CUDA (docs/cuda.md)',
    ]


def test_the_doctor_says_what_a_driver_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory()
    memory.devices = 0
    install(monkeypatch, "cuda.bindings.driver", bindings(memory))
    monkeypatch.setattr(drivers, "DRIVERS", {"cuda.bindings": BindingsDriver})
    devices._backend.cache_clear()
    found = doctor._gpu()
    assert found.value == "no GPU can be used; cuda.bindings: the driver knows no device"
    assert found.remedy.startswith('device="cuda-emulated"')


@pytest.mark.gpu
def test_the_doctor_tries_the_gpu() -> None:
    found = doctor._gpu()
    assert found.fine
    assert "right to" in found.value
