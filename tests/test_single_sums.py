"""Sums of float32 that processors with a fused multiply-add make by products with 1: the bits of sums."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import symdl.tensor as T
from symdl.backends.cpu.assembler import Machine
from symdl.backends.cpu.backend import CpuBackend
from symdl.backends.llvm import emit, single_sums
from symdl.functions import function
from symdl.ir.loops import Apply, For, Load, Local, Ref, Store, contiguous
from symdl.ir.program import Binding, Buffer, Kernel, Program
from symdl.pipeline.compilation import Graph, lowered
from symdl.runtime.runs import native
from symdl.types import Symbol, symbol

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


@pytest.mark.skipif(not native().machine.fma, reason="no fused multiply-add here")
def test_pieces_are_the_same_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that reads float32 as float64 by halves of vectors, what adds up rows, or three or four of them, as they are in
    memory goes by pieces."""
    x = T.fmatrix("x")
    roots = (x.sum(axis=1), x.mean(axis=1), x.var(axis=1), x.sum(axis=0), abs(x - 3.0).sum(axis=1), x.max(axis=0))
    read = (True, True, True, True, False, False)
    target = replace(native().machine.target(), halves=False)
    halves = replace(target, halves=True)
    made = []
    for root, as_it_is in zip(roots, read, strict=True):
        program = lowered(Graph((x,), (), (root,), ())).program
        texts = [emit(program, one) for one in (target, halves)]
        assert ["fpext <4 x float>" in text for text in texts] == [False, as_it_is]
        for one in (target, halves):
            monkeypatch.setattr(Machine, "target", lambda self, one=one: one)
            made.append(native().compile(program))
    rng = np.random.default_rng(5)
    for sizes in ((1, 31), (3, 32), (2, 33), (4, 200), (3, 1001), (70, 130)):
        for given in (rng.integers(-9, 9, sizes), rng.standard_normal(sizes) * 1e6 + 1e7, rng.choice(SPECIAL, sizes)):
            array = given.astype(np.float32)
            found = [executable.execute(executable.bind([array]))[1][0] for executable in made]
            for whole, pieces in zip(found[::2], found[1::2], strict=True):
                np.testing.assert_array_equal(pieces, whole)
            exact = array.astype(np.longdouble).sum(axis=1).astype(np.float32)
            np.testing.assert_array_equal(found[1], exact)


def test_products_are_rounded_with_sums_of_float32_alone() -> None:
    """A variance of float32 is computed in float64 for its own sake; one of float64 is what the user asked for. No number
    depends on the rows or columns beside it."""
    rng = np.random.default_rng(4)
    x, y = T.fmatrix("x"), T.dmatrix("y")
    for axis in (0, 1):
        single = function([x], x.var(axis=axis))
        double = function([y], (y * y).sum(axis=axis), precision="plain")
        if "+fma" in native().machine.features.split(","):
            squares = [re.search(r"f64\([^%]*(%\w+), [^%]*\1, [^%]*%", f.source("llvm")) for f in (single, double)]
            assert [found is not None for found in squares] == [True, False]
        for sizes in ((3, 7), (5, 33), (70, 130), (200, 3), (9, 1000)):
            given = rng.standard_normal(sizes).astype(np.float32)
            exact = given.astype(np.longdouble).var(axis=axis)
            found = single(given)
            np.testing.assert_array_max_ulp(found, exact.astype(np.float32), 1)
            for k in range(sizes[1 - axis]):
                alone = given[:, k : k + 1] if axis == 0 else given[k : k + 1]
                np.testing.assert_array_equal(single(alone), found[k : k + 1])


def test_sums_of_two_limbs_rounded_to_one_are_their_own() -> None:
    """A variable of two limbs and a product of such, added up as a float64."""
    n, i, j = symbol("n"), symbol("i"), symbol("j")
    of_row, x = (Apply("cast", (Load(contiguous("x", "float32", (n,)), (k,)),), "float64x2") for k in (i, j))
    total = Apply("add", (Ref("v", "float64x2"), Apply("mul", (x, x), "float64x2")), "float64")
    store = Store(contiguous("o", "float32", (n, n)), (i, j), Apply("cast", (total,), "float32"))
    row = For(Symbol("i"), n, (Local("v", of_row), For(Symbol("j"), n, (store,), "serial")), "serial")
    buffers = {"x": Buffer("x", "float32", (n,), "input"), "o": Buffer("o", "float32", (n, n), "output")}
    program = Program(buffers, (Binding(Symbol("n"), "x", 0),), (), (Kernel((row,)),), ranged=True)
    executable = native().compile(program)
    given = np.linspace(-3, 5, 37, dtype=np.float32)
    status, (found,) = executable.execute(executable.bind([given]))
    assert status == 0
    exact = given.astype(np.float64)
    np.testing.assert_array_max_ulp(found, (exact[:, None] + exact * exact).astype(np.float32), 1)
