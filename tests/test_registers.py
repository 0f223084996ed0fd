"""What AVX-512 does otherwise (powers of two by one instruction, coefficients chosen per lane) gives the bits of other processors."""

from __future__ import annotations

import numpy as np
import pytest

import symdl
import symdl.tensor as T
from symdl.backends.cpu.backend import CpuBackend
from symdl.pipeline.compilation import compiled
from symdl.runtime.runs import native


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["exp", "exp2", "sigmoid", "sinh", "tanh", "sin", "cos", "tan"])
def test_bits_are_those_of_processors_with_shorter_vectors(name: str, dtype: str) -> None:
    here = native().machine
    if not here.triple.startswith("x86_64") or here.vector_bytes != 64:
        pytest.skip("this processor has no AVX-512")
    x = T.tensor("x", dtype=dtype, shape=(None,))
    f = symdl.function([x], getattr(T, name)(x), precision="plain")
    other = compiled(f.lowered, CpuBackend("x86-64-v3", "+avx2,+fma,+avx"))
    info = np.finfo(dtype)
    edge = -np.log(float(info.tiny)) if name != "exp2" else -np.log2(float(info.tiny))
    special = [0.0, -0.0, np.nan, np.inf, -np.inf, info.max, -info.max, info.tiny]
    array = np.concatenate([np.linspace(-1.2 * edge, 1.2 * edge, 100_003), special]).astype(dtype)
    status, (found,) = other.execute(other.bind([array]))
    assert status == 0
    word = f"uint{info.bits}"
    np.testing.assert_array_equal(f(array).view(word), found.view(word))


def test_running_sums_wait_for_no_register_that_they_only_write() -> None:
    """vexpandpd waits on Zen 5 for what its register held before: the end of the round before."""
    x = T.tensor("x", dtype="float32", shape=(None,))
    text = symdl.function([x], T.cumsum(x, 0)).source("asm")
    assert "vaddpd" in text or native().machine.vector_bytes < 32
    assert "vexpand" not in text


def test_truth_values_are_words_where_no_register_holds_them() -> None:
    """A vector of bits that is kept from round to round is packed and unpacked in each with AVX2."""
    if not native().machine.triple.startswith("x86_64"):
        pytest.skip("for processors of the x86 family")
    x = T.tensor("x", dtype="float32", shape=(None,))
    text = CpuBackend("haswell", "+avx2,+fma,+avx").text(symdl.function([x], T.argmax(x, 0)).lowered.program)
    assert "alloca <8 x i32>" in text
    assert "alloca <8 x i1>" not in text
