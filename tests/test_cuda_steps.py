"""Steps of training, whole, on a GPU, emulated or real: the CPU's losses and weights; and machine code for real GPUs, unspilled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symdl
from benchmarks import gpu_kernels
from benchmarks import training_steps as steps
from benchmarks.gpu_kernels import CAPABILITIES, CASES, failing, kernels, program_of
from symdl.backends.nvptx.assemble import assembler
from symdl.backends.nvptx.launches import launches
from symdl.backends.nvptx.tensor_cores import NEEDS


def trained(make: Callable[[], steps.Step], device: str) -> tuple[list[float], list[Any]]:
    """Losses of three steps, and what the updated values are then."""
    step = make()
    f = symdl.function(step.inputs, step.loss, updates=step.updates, device=device)
    losses = [float(f(*step.arguments)) for _ in range(3)]
    return losses, [value.get_value() for value, _ in step.updates]


@pytest.mark.parametrize("name", steps.SMALL_STEPS)
def test_training_is_that_of_the_cpu(gpu: str, name: str) -> None:
    (here, values), (there, others) = (trained(steps.SMALL_STEPS[name], device) for device in ("cpu", gpu))
    # float32, three steps of sums in another order; Adam divides by roots of small numbers
    np.testing.assert_allclose(there, here, rtol=2e-5)
    assert here[0] != here[2]
    for value, other in zip(values, others, strict=True):
        np.testing.assert_allclose(other, value, rtol=2e-4, atol=2e-5)


def assembled(name: str, capability: tuple[int, int], tf32: bool = False) -> None:
    gpu = program_of(steps.STEPS[name](), tf32)
    rows = list(kernels(gpu, capability))
    assert {row["kernel"] for row in rows} == {one.kernel for one in launches(gpu.items)}
    assert failing(CASES[name], rows) == []
    assert any(row["of_16_bytes"] for row in rows)


needed = pytest.mark.skipif(not assembler(), reason="neither ptxas nor nvJitLink is installed")


@needed
@pytest.mark.parametrize("number", range(len(steps.STEPS)))
def test_machine_code_does_not_spill(number: int) -> None:
    assembled(list(steps.STEPS)[number], CAPABILITIES[number % 3])


@needed
@pytest.mark.slow
@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize("tf32", [False, True])
@pytest.mark.parametrize("name", steps.STEPS)
def test_machine_code_does_not_spill_anywhere(name: str, capability: tuple[int, int], tf32: bool) -> None:
    if not tf32 or capability >= NEEDS:
        assembled(name, capability, tf32)


@needed
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.wide])
def test_what_waits_for_memory_only_takes_16_bytes_at_a_time(name: str) -> None:
    """Also at the precision that functions have unless another is asked for, where rounds are tried with fewer digits."""
    rows = list(kernels(program_of(CASES[name].make()), (8, 0)))
    assert failing(CASES[name], rows) == []
    assert failing(CASES[name], [{**row, "of_16_bytes": 0} for row in rows]) != []


def test_the_command_says_what_it_finds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["gpu_kernels", "--only", "transpose"])
    monkeypatch.setattr(gpu_kernels, "assembler", lambda: "")
    assert gpu_kernels.main() == 2
    assert "nvidia-nvjitlink" in capsys.readouterr().err
    monkeypatch.setattr(gpu_kernels, "assembler", lambda: "a stand-in")
    usage = {"registers": 9, "shared": 0, "spill_stores": 8, "spill_loads": 0}
    usage |= {"accesses": 2, "of_16_bytes": 0, "tensor_core_products": 0}
    monkeypatch.setattr(gpu_kernels, "kernels", lambda *_: iter([{"kernel": "k", **usage}]))
    assert gpu_kernels.main() == 1
    told = capsys.readouterr()
    assert told.out.count('"spilled_bytes": 8') == 3
    assert "transpose, sm_75: k spills" in told.err
