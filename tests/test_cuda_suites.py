"""Suites that were written for the CPU run on the emulated GPU as they stand: a part of each here, the whole with `-m slow`.

Each runs in a process of its own, where the device is the default from the start, as a user would set it.
"""

from __future__ import annotations

import faulthandler
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
QUICK = {  # the part of a suite: seconds, and all its kinds of functions
    "test_own_cases.py": "softplus or logsumexp or sigmoid",
    "test_routines.py": "",
    "test_vectorized.py": "jacobian_of_a_network or solve",
    "test_extending.py": "",
    "test_control.py": "two_taps or recurrent_net or ifelse_takes or until_cuts",
    "test_rbm.py": "energy or energies",
    "test_dbn.py": "two_fits_of_one_seed",
    "test_autoencoder.py": "jacobian_norm or divergence",
}
# A whole training to convergence takes the emulator hours: these learn from the digits until they know them, and four
# searches go on until their codes are the principal components.
TRAINED = {
    "test_rbm.py": "not (digits_are_learned or transform_and_reconstruct or learn_a_mixture or learn_their)",
    "test_dbn.py": "not learns_the_digits",
    "test_autoencoder.py": "not principal_components",
}
WHOLE = (
    *QUICK, "test_random.py", "test_indexing.py", "test_reductions.py", "test_shaping.py", "test_contractions.py",
    "test_convolutions.py", "test_convolution_products.py", "test_convolution_steps.py", "test_pooling.py", "test_losses.py",
)  # fmt: skip


def run(name: str, chosen: str) -> None:
    environment = {**os.environ, "SYMDL_FLAGS": "device=cuda-emulated"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-o",
        "faulthandler_timeout=0",
        str(HERE / name),
    ]
    found = subprocess.run(
        [*command, *(["-k", chosen] if chosen else [])], env=environment, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout[-3000:]


@pytest.mark.parametrize("name", QUICK)
def test_a_part_of_the_suite(name: str) -> None:
    run(name, QUICK[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_the_whole_suite(name: str) -> None:
    faulthandler.cancel_dump_traceback_later()  # what a test may take is not what a suite takes
    run(name, TRAINED.get(name, ""))
