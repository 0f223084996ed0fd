"""The benchmark for GPUs, as far as it goes without one: its peers compute the same step, and every one of its cases runs."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import symdl
import symdl.tensor as T
from benchmarks import gpu, gpu_peers
from benchmarks.training_steps import SMALL_STEPS, STEPS

RATE = 0.05


def problem() -> tuple[list[Any], Any, Any]:
    rng = np.random.default_rng(2)
    sizes = (12, 8, 6, 3)
    weights = [
        (rng.standard_normal(s) / math.sqrt(s[0])).astype(np.float32) for s in zip(sizes, sizes[1:], strict=False)
    ]
    return weights, rng.standard_normal((5, 12), np.float32), rng.integers(0, 3, 5).astype(np.int32)


def losses() -> list[float]:
    """Of symdl's formulas, as `gpu.mlp_beside_peers` has them, on the CPU."""
    weights, x0, y0 = problem()
    x, y = T.fmatrix("x"), T.ivector("y")
    loss, updates = gpu.perceptron(x, y, weights, RATE)
    f = symdl.function([x, y], loss, updates=updates)
    return [float(f(x0, y0)) for _ in range(4)]


@pytest.mark.parametrize("peer", ["torch", "jax"])
def test_peers_compute_the_same_step(peer: str) -> None:
    library = pytest.importorskip(peer)
    weights, x0, y0 = problem()
    if peer == "torch":
        step = gpu_peers.torch_step(library, weights, x0, y0, RATE, device="cpu")
    else:
        step = gpu_peers.jax_step(library, weights, x0, y0, RATE)
    found = [float(step()) for _ in range(4)]
    np.testing.assert_allclose(found, losses(), rtol=1e-5)
    assert found[3] < found[0]


def test_times_are_of_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(1000))

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            self.at = next(ticks)

        def elapsed_time(self, stop: Any) -> float:
            return float(stop.at - self.at) * 100  # milliseconds

    runs: list[int] = []
    torch = SimpleNamespace(cuda=SimpleNamespace(Event=Event, synchronize=lambda: None))
    assert gpu_peers.torch_seconds(torch, lambda: runs.append(1)) == pytest.approx(0.1 / gpu_peers.RUNS)
    assert len(runs) == 10 + gpu_peers.ROUNDS * gpu_peers.RUNS
    waited: list[Any] = []
    jax = SimpleNamespace(block_until_ready=waited.append)
    monkeypatch.setattr("time.perf_counter", lambda: float(next(ticks)))
    assert gpu_peers.jax_seconds(jax, lambda: "last") == pytest.approx(1 / gpu_peers.RUNS)
    assert waited == ["last"] * (5 + gpu_peers.ROUNDS)


def test_small_steps_are_of_every_kind() -> None:
    assert SMALL_STEPS.keys() == STEPS.keys()


@pytest.mark.parametrize("only", ["product", "autoencoder, squared"])
def test_a_part_of_it(only: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["gpu", "--emulated", "--only", only])
    assert gpu.main() == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    cases = {row["case"]: row for row in rows}
    if only == "product":
        assert {"teraflops, full", "teraflops, own", "teraflops, tf32"} <= cases["product 64"].keys()
    else:
        assert cases[only]["microseconds"] > 0


@pytest.mark.slow
def test_all_of_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["gpu", "--emulated"])
    assert gpu.main() == 0
    cases = {json.loads(line)["case"] for line in capsys.readouterr().out.splitlines()}
    assert {"device", "copy", "softmax of rows of 1024", "transpose", "product 64", gpu.PERCEPTRON, *STEPS} <= cases
