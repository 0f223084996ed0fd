"""Sums of float32 that processors with a fused multiply-add make by products with 1: the bits of sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symdl.tensor as T
from symdl.backends.cpu.backend import CpuBackend
from symdl.backends.llvm import single_sums
from symdl.functions import function
from symdl.pipeline.compilation import Graph, lowered
from symdl.runtime.runs import native

SPECIAL = [0.0, -0.0, 1.0, -3.5, 3e38, -3e38, 1e-40, -1e-40, np.inf]


@pytest.mark.parametrize("here", [True, False])
def test_bits_are_those_of_sums(monkeypatch: pytest.MonkeyPatch, lesser: CpuBackend, here: bool) -> None:
    rng = np.random.default_rng(3)
    machine = native() if here else lesser
    x = T.fmatrix("x")
    roots = (x.sum(), x.sum(axis=0), x.sum(axis=1), x.mean(axis=0), x.var(axis=1), (x * x).sum(axis=1))
    program = lowered(Graph((x,), (), roots, ())).program
    products = machine.compile(program)
    monkeypatch.setattr(single_sums, "is_single", lambda item: False)
    sums = machine.compile(program)

    def run(executable: Any, array: Any) -> list[Any]:
        status, found = executable.execute(executable.bind([array]))
        assert status == 0
        return list(found)

    for sizes in ((1, 1), (3, 200), (3, 7), (5, 33), (70, 130), (200, 3), (9, 1000)):
        signed_zeros = np.full(sizes, -0.0, np.float32)
        for array in (rng.standard_normal(sizes) * 9, rng.choice(SPECIAL, sizes), signed_zeros):
            given = array.astype(np.float32)
            for got, want in zip(run(products, given), run(sums, given), strict=True):
                np.testing.assert_array_equal(got, want)
                known = ~np.isnan(want)
                np.testing.assert_array_equal(np.signbit(got)[known], np.signbit(want)[known])


@pytest.mark.skipif("+fma" not in native().machine.features.split(","), reason="no fused multiply-add here")
def test_llvm_does_not_see_through_it() -> None:
    x = T.fmatrix("x")
    for axis in (0, 1):
        assert "vfmadd" in function([x], x.sum(axis=axis)).source("asm")
