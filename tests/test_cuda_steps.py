"""Steps of training, whole, on the emulated GPU: the CPU's losses and weights; and machine code for real GPUs, unspilled."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symdl
from benchmarks import training_steps as steps
from symdl.backends.nvptx import gpu_program
from symdl.backends.nvptx.assemble import assemble, assembler
from symdl.backends.nvptx.launches import launches
from symdl.backends.nvptx.ptx import ptx
from symdl.compilation import lowered

SMALL: dict[str, Callable[[], steps.Step]] = {
    "perceptron": lambda: steps.perceptron((20, 12, 7, 5), 9),
    "autoencoder": lambda: steps.autoencoder(17, 6, 9),
    "variational autoencoder": lambda: steps.variational_autoencoder(17, 6, 3, 9),
    "boltzmann machine": lambda: steps.boltzmann_machine(17, 6, 9),
    "lstm": lambda: steps.long_short_term_memory(6, 5, 3, 4, 7),
    "lenet": lambda: steps.lenet(2),
}
LARGE: dict[str, Callable[[], steps.Step]] = {
    "perceptron": steps.perceptron,
    "autoencoder": steps.autoencoder,
    "variational autoencoder": steps.variational_autoencoder,
    "boltzmann machine": steps.boltzmann_machine,
    "lstm": steps.long_short_term_memory,
    "lenet": steps.lenet,
}
CAPABILITIES = ((7, 5), (8, 0), (9, 0))


def trained(make: Callable[[], steps.Step], device: str) -> tuple[list[float], list[Any]]:
    """Losses of three steps, and what the updated values are then."""
    step = make()
    f = symdl.function(step.inputs, step.loss, updates=step.updates, device=device)
    losses = [float(f(*step.arguments)) for _ in range(3)]
    return losses, [value.get_value() for value, _ in step.updates]


@pytest.mark.parametrize("name", SMALL)
def test_training_is_that_of_the_cpu(name: str) -> None:
    (here, values), (there, others) = (trained(SMALL[name], device) for device in ("cpu", "cuda-emulated"))
    # float32, three steps of sums in another order; Adam divides by roots of small numbers
    np.testing.assert_allclose(there, here, rtol=2e-5)
    assert here[0] != here[2]
    for value, other in zip(values, others, strict=True):
        np.testing.assert_allclose(other, value, rtol=2e-4, atol=2e-5)


def assembled(name: str, capability: tuple[int, int]) -> None:
    step = LARGE[name]()
    graph = symdl.function(step.inputs, step.loss, updates=step.updates).graph
    gpu = gpu_program(lowered(graph, blocks=False).program)
    text = ptx(gpu.text, capability)
    made = assemble(text, capability)
    assert set(made.usage) == {one.kernel for one in launches(gpu.items)}
    assert {k: u for k, u in made.usage.items() if u.spill_stores or u.spill_loads} == {}
    assert re.search(r"ld\.global\S*\.v4\.", text)


needed = pytest.mark.skipif(not assembler(), reason="neither ptxas nor nvJitLink is installed")


@needed
@pytest.mark.parametrize("number", range(len(LARGE)))
def test_machine_code_does_not_spill(number: int) -> None:
    assembled(list(LARGE)[number], CAPABILITIES[number % 3])


@needed
@pytest.mark.slow
@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize("name", LARGE)
def test_machine_code_does_not_spill_anywhere(name: str, capability: tuple[int, int]) -> None:
    assembled(name, capability)
