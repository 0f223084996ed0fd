"""Functions for a GPU as a user meets them: function(..., device=), shared values that move, outputs that stay, errors.

Every test runs on the emulated GPU, and with `pytest -m gpu` on a real one.
"""

from __future__ import annotations

import copy
import gc
import pickle
import threading
from typing import Any

import numpy as np
import pytest

import symdl
import symdl.tensor as T
from symdl import Out, config, function, grad, shared
from symdl.backends.cuda.device import DeviceArray
from symdl.errors import (
    ConfigError,
    CudaMemoryError,
    DeviceLostError,
    IndexRangeError,
    InputError,
    NanGuardError,
    ShapeError,
)
from symdl.runtime.devices import backend
from symdl.runtime.residence import AWAY


def test_values_come_back_as_numpy_arrays(gpu: str) -> None:
    x, n = T.dvector("x"), T.lscalar("n")
    f = function([x, n], [T.exp(x) + n, x.sum(), x > 1], device=gpu)
    a, b, c = f([0.0, 1, 2], 3)
    np.testing.assert_allclose(a, np.exp([0.0, 1, 2]) + 3, rtol=1e-15)
    assert (type(a), b, c.tolist()) == (np.ndarray, 3.0, [False, False, True])
    assert f(x=np.zeros(0), n=1)[1] == 0
    assert f.device == gpu
    assert function([x], {"twice": 2 * x}, device=gpu)(np.ones(2))["twice"].tolist() == [2, 2]


def test_the_device_may_be_an_option(gpu: str) -> None:
    x = T.dvector("x")
    assert function([x], x).device == "cpu"
    with config.change(device=gpu):
        f = function([x], x * 2)
        assert (f.device, f([1.0]).tolist()) == (gpu, [2.0])
        assert x.eval({x: [3.0]}).tolist() == [3.0]
        assert function([x], x, mode="numpy").device == "cpu"
    assert symdl.config.device == "cpu"


# ---- shared values ----


def counting(gpu: str) -> tuple[Any, Any, Any, Any, Any]:
    """A value and functions that read and write it on the CPU and on the GPU."""
    w = shared(np.zeros(3), "w")
    add = [function([], updates=[(w, w + 1)], device=d) for d in ("cpu", gpu)]
    see = [function([], w * 1, device=d) for d in ("cpu", gpu)]
    return w, add[0], add[1], see[0], see[1]


def test_a_value_is_right_wherever_it_was_changed(gpu: str) -> None:
    w, add_here, add_there, see_here, see_there = counting(gpu)
    steps = [add_here, add_there, add_there, see_here, add_here, see_there, add_here, add_there, see_there, see_here]
    expected = 0
    for step in (*steps, *reversed(steps)):
        found = step()
        if found is None:
            expected += 1
        else:
            assert found.tolist() == [expected] * 3
    assert w.get_value().tolist() == [expected] * 3


def test_a_value_moves_only_when_it_is_wanted(gpu: str) -> None:
    w, add_here, add_there, see_here, see_there = counting(gpu)
    assert w.residence.newest == "host"
    see_there()
    assert w.residence.newest == "both"
    add_there()
    add_there()
    assert w.residence.newest == "device"
    assert see_here().tolist() == [2, 2, 2]
    assert w.residence.newest == "both"
    see_there()
    add_here()
    assert w.residence.newest == "host"
    w.set_value([5.0, 6, 7])
    add_there()
    assert w.get_value().tolist() == [6, 7, 8]


def test_machine_code_for_the_cpu_keeps_off_a_value_that_is_away(gpu: str) -> None:
    w, add_here, add_there, see_here, _ = counting(gpu)
    add_there()
    assert AWAY in w.claims.everyone
    assert AWAY in w.claims.writers
    see_here()
    assert AWAY in w.claims.everyone
    assert not w.claims.writers
    add_here()
    assert not w.claims.everyone


def test_a_borrowed_array_is_seen_if_it_was_written_before_the_call(gpu: str) -> None:
    w, _, add_there, _, see_there = counting(gpu)
    w.get_value(borrow=True)[:] = 4
    assert see_there().tolist() == [4, 4, 4]
    w.get_value(borrow=True)[:] = 5
    lent = w.get_value(borrow=True)
    add_there()
    assert w.get_value().tolist() == [6, 6, 6]
    assert lent.tolist() == [5, 5, 5]  # what was lent is not the value any more


def test_two_devices(gpu: str) -> None:
    """A value that is on one of two GPUs comes to the other by way of the host."""
    from symdl.backends.cuda.device import Device
    from symdl.backends.emulator import Emulator

    other = Device(Emulator())
    w, _, add_there, _, see_there = counting(gpu)
    add_there()
    on_other = w.on_device(other)
    assert on_other.numpy().tolist() == [1, 1, 1]
    on_other.write(np.full(3, 9.0))
    w.residence.device_written()
    assert see_there().tolist() == [9, 9, 9]
    assert w.on_host().tolist() == [9, 9, 9]


def test_the_value_as_it_is_on_the_device(gpu: str) -> None:
    w, _, add_there, _, _ = counting(gpu)
    assert type(w.get_value(return_internal_type=True)) is np.ndarray
    with pytest.raises(AttributeError):
        w.__cuda_array_interface__  # noqa: B018  # a property
    add_there()
    own = w.get_value(borrow=True, return_internal_type=True)
    copied: Any = w.get_value(return_internal_type=True)
    assert isinstance(own, DeviceArray)
    add_there()
    assert (own.numpy().tolist(), copied.numpy().tolist()) == ([2, 2, 2], [1, 1, 1])


def test_a_value_that_changes_its_length(gpu: str) -> None:
    w, x = shared(np.zeros(2), "w", shape=(None,)), T.dvector("x")
    grow = function([x], updates=[(w, T.concatenate([w, x]))], device=gpu)
    for k in range(3):
        grow([float(k)])
    assert w.get_value().tolist() == [0, 0, 0, 1, 2]
    w.set_value([7.0])
    grow([8.0])
    assert w.get_value().tolist() == [7, 8]


def test_an_input_with_an_update(gpu: str) -> None:
    x, n = T.dscalar("x"), T.dscalar("n")
    f = function([x, symdl.In(n, value=1.0, update=n + x)], n * 10, device=gpu)
    assert [float(f(2.0)), float(f(2.0)), float(f(2.0, n=100.0)), float(f(0.0))] == [10, 30, 1000, 1020]
    assert float(f["n"]) == 102


def test_random_numbers_are_those_of_the_cpu(gpu: str) -> None:
    drawn = {}
    for device in ("cpu", gpu):
        stream = symdl.random.RandomStream(7)
        f = function([], [stream.uniform((5,)), stream.permutation(n=6)], device=device)
        drawn[device] = [f(), f()]
    np.testing.assert_equal(drawn[gpu], drawn["cpu"])


# ---- arrays that stay ----


def test_outputs_that_stay(gpu: str) -> None:
    x = T.dvector("x")
    f = function([x], [Out(x * 2, on_device=True), x.sum()], device=gpu)
    a, s = f([1.0, 2])
    assert isinstance(a, DeviceArray)
    assert (a.shape, str(a.dtype), s) == ((2,), "float64", 3)
    b, s = f(a)
    assert (b.numpy().tolist(), s) == ([4, 8], 6)
    assert a.numpy().tolist() == [2, 4]  # nobody wrote over it
    assert function([x], x + 1)(a).tolist() == [3, 5]  # a function for the CPU takes it, too
    assert np.asarray(b, np.float32).dtype == np.float32
    assert isinstance(function([x], Out(x * 2, on_device=True))([1.0]), np.ndarray)
    again = pickle.loads(pickle.dumps(f))
    assert isinstance(again([1.0])[0], DeviceArray)


def test_an_array_on_the_device_of_another_dtype_or_rank(gpu: str) -> None:
    x, m, y = T.dvector("x"), T.dmatrix("m"), T.fvector("y")
    a = function([y], Out(y * 2, on_device=True), device=gpu)(np.ones(2, np.float32))
    assert function([x], x + 1, device=gpu)(a).tolist() == [3, 3]
    with pytest.raises(ShapeError, match="m has 2 axes"):
        function([m], m, device=gpu)(a)


# ---- a step of training ----


def classifier(device: str, rows: int = 12) -> tuple[Any, list[Any], tuple[Any, ...]]:
    rng = np.random.default_rng(5)
    W, b = shared(rng.normal(size=(4, 3)) / 4, "W"), shared(np.zeros(3), "b")
    x, y = T.dmatrix("x"), T.ivector("y")
    p = T.softmax(x @ W + b)
    loss = -T.log(p[T.arange(y.shape[0]), y]).mean()
    updates = [(v, v - 0.5 * g) for v, g in zip((W, b), grad(loss, [W, b]), strict=True)]
    step = function([x, y], loss, updates=updates, device=device)
    return step, [W, b], (rng.normal(size=(rows, 4)), rng.integers(0, 3, rows).astype(np.int32))


def test_training_is_that_of_the_cpu(gpu: str) -> None:
    (step, values, data), (step_here, values_here, _) = classifier(gpu), classifier("cpu")
    there, here = ([float(f(*data)) for _ in range(6)] for f in (step, step_here))
    np.testing.assert_allclose(there, here, rtol=1e-14)
    for a, b in zip(values, values_here, strict=True):
        np.testing.assert_allclose(a.get_value(), b.get_value(), rtol=1e-13, atol=1e-15)


def test_a_label_that_is_no_class_changes_nothing(gpu: str) -> None:
    step, values, (x, y) = classifier(gpu)
    step(x, y)
    before = [v.get_value() for v in values]
    with pytest.raises(IndexRangeError, match="index 3 lies outside the 3 entries of axis 1"):
        step(x, y + 1)
    for v, old in zip(values, before, strict=True):
        np.testing.assert_array_equal(v.get_value(), old)
    step(x, y)


def test_an_index_is_checked_where_numbers_are_computed_again(gpu: str) -> None:
    """What an attempt computes again is a function of its own, which tells the status word, too."""
    x, k = T.fmatrix("x"), T.lvector("k")
    f = function([x, k], (T.exp(x[k]) - 1) / x[k], device=gpu)
    assert "@again" in f.source("llvm")
    rows = np.array([[1e-9, 0.5], [2.0, -3e-8]], np.float32)
    np.testing.assert_allclose(f(rows, [1, 0]), (np.expm1(rows.astype(float)) / rows)[::-1], rtol=4e-7)
    with pytest.raises(symdl.errors.IndexRangeError):
        f(rows, [0, 2])


def test_sizes_that_do_not_fit(gpu: str) -> None:
    step, _, (x, y) = classifier(gpu)
    with pytest.raises(ShapeError):
        step(x, y[:-1])
    with pytest.raises(ShapeError):
        step(x[:, :3], y)


def test_minibatches_by_number(gpu: str) -> None:
    """One plan serves all numbers, and each has a graph of its own after the first calls."""
    data, w = shared(np.arange(36.0).reshape(12, 3), "data"), shared(np.zeros(3), "w")
    x, index = T.dmatrix("x"), T.lscalar("index")
    batch = data[index * 4 : (index + 1) * 4]
    f = function([index], x.sum(), updates=[(w, w + x.sum(axis=0))], givens={x: batch}, device=gpu)
    whole = data.get_value()
    for _ in range(4):
        for k in range(3):
            assert float(f(k)) == whole[4 * k : 4 * k + 4].sum()
    np.testing.assert_array_equal(w.get_value(), 4 * whole.sum(axis=0))
    executable: Any = f._main.executable
    assert len(executable._plans) == 1
    assert sorted(executable._graphs) == [(0,), (1,), (2,)]
    assert float(f(3)) == 0  # no rows are left
    assert len(executable._plans) == 2
    np.testing.assert_array_equal(w.get_value(), 4 * whole.sum(axis=0))


def test_threads_take_turns(gpu: str) -> None:
    w, add_here, add_there, _, _ = counting(gpu)

    def work(step: Any) -> None:
        for _ in range(5):
            step()

    threads = [threading.Thread(target=work, args=(step,)) for step in (add_here, add_there, add_there)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert w.get_value().tolist() == [15, 15, 15]


def test_control_flow_and_routines(gpu: str) -> None:
    x, c, n = T.dvector("x"), T.dscalar("c"), T.lscalar("n")
    f = function([c, x], symdl.ifelse(c > 0, x.sum(), x.prod()), device=gpu)
    assert (float(f(1.0, [2.0, 3, 4])), float(f(-1.0, [2.0, 3, 4]))) == (9, 24)
    out, _ = symdl.scan(lambda a: a * 1.5 + 1, outputs_info=T.constant(1.0), n_steps=n)
    g = function([n], [out, out[-1]], device=gpu)
    assert g(3)[0].tolist() == [2.5, 4.75, 8.125]
    assert float(g(4)[1]) == 13.1875
    assert function([x], T.sort(x)[::-1] * 2, device=gpu)([3.0, 1, 2]).tolist() == [6, 4, 2]
    assert function([x], T.nonzero(x > 1)[0], device=gpu)([3.0, 1, 2]).tolist() == [0, 2]


def test_a_routine_may_call_functions(gpu: str) -> None:
    """Also the one that it is a part of, and one of a thread that waits for it."""
    w, x = shared(np.ones(2), "w"), T.dvector("x")
    inner = function([], w * 3, device=gpu)
    seen: list[Any] = []

    @symdl.as_op([T.dvector], [T.dvector], infer_shape=lambda shapes: shapes)
    def again(a: Any) -> Any:
        if a[0] < 2:
            seen.append(f(a + 1))
        thread = threading.Thread(target=lambda: seen.append(inner()))
        thread.start()
        thread.join(20)
        return a + w.get_value() + inner()

    f = function([x], again(x * 1) * 10, device=gpu)
    assert f([0.0, 0]).tolist() == [40, 40]
    assert [s.tolist() for s in seen] == [[3, 3], [60, 60], [3, 3], [50, 50], [3, 3]]


# ---- errors ----


def test_a_device_that_is_none() -> None:
    x = T.dvector("x")
    with pytest.raises(InputError) as caught:
        function([x], x, device="tpu")
    assert str(caught.value) == "function: there is no device 'tpu'\n  devices: cpu, cuda, cuda-emulated"
    with pytest.raises(ConfigError):
        config.device = "gpu"


def test_a_guard_against_nan(gpu: str) -> None:
    w, x = shared(np.ones(2), "w"), T.dvector("x")
    f = function([x], T.log(w - x), updates=[(w, w + x)], nan_guard=True, device=gpu)
    f([0.0, 0.5])
    with pytest.raises(NanGuardError, match="log"):
        f([5.0, 0.5])
    assert w.get_value().tolist() == [1, 1.5]


def test_out_of_memory_leaves_the_values(monkeypatch: pytest.MonkeyPatch) -> None:
    w, x = shared(np.zeros(3), "w"), T.dvector("x")
    f = function([x], [x * 2], updates=[(w, w + x.sum())], device="cuda-emulated")
    f(np.ones(2))
    device: Any = backend("cuda-emulated").place
    device.release()

    def refuse(bytes_: int) -> int:
        raise CudaMemoryError("full")

    with monkeypatch.context() as patch:
        patch.setattr(device.driver, "allocate", refuse)
        with pytest.raises(CudaMemoryError, match="the GPU has no room for"):
            f(np.ones(200_000))
    assert w.get_value().tolist() == [2, 2, 2]
    f(np.ones(2))
    assert w.get_value().tolist() == [4, 4, 4]


def test_a_device_that_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of which the host has the newest state keep it; others are told to be lost, and may be set anew."""
    w, v = shared(np.zeros(2), "w"), shared(np.ones(2), "v")
    add_w = function([], updates=[(w, w + 1)], device="cuda-emulated")
    both = function([], updates=[(w, w + 1), (v, v + 1)], device="cuda-emulated")
    add_w()

    def lost(*_: Any) -> None:
        raise DeviceLostError("the GPU is lost")

    with monkeypatch.context() as patch:
        driver = backend("cuda-emulated").place.driver  # type: ignore[union-attr]  # it has one
        for name in ("_run", "download"):  # below what plans hold
            patch.setattr(driver, name, lost)
        with pytest.raises(DeviceLostError):
            both()
        assert v.get_value().tolist() == [1, 1]
        with pytest.raises(DeviceLostError):
            w.get_value()
        w.set_value([7.0, 7])
        assert w.get_value().tolist() == [7, 7]
    both()
    assert [w.get_value().tolist(), v.get_value().tolist()] == [[8, 8], [2, 2]]


# ---- copies and caches ----


def test_pickled_and_copied_functions_run_on_their_device(gpu: str) -> None:
    step, _, data = classifier(gpu)
    step(*data)
    other = copy.deepcopy(step)
    assert other.device == gpu
    first, second = float(step(*data)), float(other(*data))
    assert first == second


def test_the_code_is_kept_in_the_cache(gpu: str, tmp_path: Any) -> None:
    with config.change(cache_dir=str(tmp_path)):
        step, _, data = classifier(gpu)
        expected = float(step(*data))
        again, _, _ = classifier(gpu)
        assert again._main.form is None  # no stage ran
        assert float(again(*data)) == expected


def test_memory_of_values_is_given_back(gpu: str) -> None:
    device: Any = backend(gpu).place
    w = shared(np.zeros(1000), "w")
    function([], w + 1, device=gpu)()
    address = w.residence.copy.address
    del w
    gc.collect()
    held = [device.array((1000,), "float64") for _ in range(20)]
    assert address in [a.address for a in held]
