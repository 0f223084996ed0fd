"""Tensor cores in tf32: which elements a lane brings and keeps, products and convolutions of rounded operands, and who has none."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from gpu_kernels import kernel
from gpu_programs import emulator, on_gpu, program_for

import symdl
import symdl.tensor as T
from symdl.backends.cuda.backend import CudaBackend
from symdl.backends.cuda.device import Device
from symdl.backends.cuda.driver import packed
from symdl.backends.emulator import Emulator
from symdl.backends.nvptx import gpu_program
from symdl.backends.nvptx.assemble import assemble, assembler
from symdl.backends.nvptx.launches import launches
from symdl.backends.nvptx.ptx import ptx
from symdl.backends.nvptx.tensor_cores import FOUR, MULTIPLY, ROUND
from symdl.config import config
from symdl.errors import ConfigError, InternalError, KernelFaultError
from symdl.graph.expr import variable

Array = np.ndarray[Any, Any]
needed = pytest.mark.skipif(not assembler(), reason="neither ptxas nor nvJitLink is installed")


def tf32(x: Array) -> Array:
    """The nearest number of 11 binary digits, ties away from zero, in the range of float32: written without bits."""
    fraction, exponent = np.frexp(x.astype(np.float64))
    away = np.trunc(fraction * 2.0**11 + np.copysign(0.5, fraction))
    return np.ldexp(away / 2.0**11, exponent).astype(np.float32)


def multiplying() -> str:
    """One warp: d = a b + c by one mma.m16n8k8, fragments as PTX ISA's tables number them."""
    words = ", ".join(["i32"] * 6 + ["float"] * 4)
    declared = f"declare {FOUR} @{MULTIPLY}({words})\ndeclare i32 @{ROUND}(float)\n"
    lines = ["%row = lshr i64 %t, 2", "%q = and i64 %t, 3", "%q2 = shl i64 %q, 1"]

    def place(name: str, row: tuple[str, int], column: tuple[str, int], width: int, pointer: str) -> None:
        lines.extend(
            [
                f"%{name}.r = add i64 {row[0]}, {row[1]}",
                f"%{name}.s = mul i64 %{name}.r, {width}",
                f"%{name}.c = add i64 {column[0]}, {column[1]}",
                f"%{name}.i = add i64 %{name}.s, %{name}.c",
                f"%{name}.p = getelementptr float, ptr addrspace(1) {pointer}, i64 %{name}.i",
            ]
        )

    for k, (row, column) in enumerate(((0, 0), (8, 0), (0, 4), (8, 4))):
        place(f"a{k}", ("%row", row), ("%q", column), 8, "%left")
    for k in range(2):
        place(f"b{k}", ("%q", 4 * k), ("%row", 0), 8, "%right")
    for name in ("a0", "a1", "a2", "a3", "b0", "b1"):
        lines.append(f"%{name}.f = load float, ptr addrspace(1) %{name}.p, align 4")
        lines.append(f"%{name} = call i32 @{ROUND}(float %{name}.f)")
    for k in range(4):
        place(f"c{k}", ("%row", 8 * (k // 2)), ("%q2", k % 2), 8, "%sums")
        lines.append(f"%c{k} = load float, ptr addrspace(1) %c{k}.p, align 4")
    given = ", ".join([f"i32 %{n}" for n in ("a0", "a1", "a2", "a3", "b0", "b1")] + [f"float %c{k}" for k in range(4)])
    lines.append(f"%d = call {FOUR} @{MULTIPLY}({given})")
    for k in range(4):
        lines.append(f"%d{k} = extractvalue {FOUR} %d, {k}")
        lines.append(f"store float %d{k}, ptr addrspace(1) %c{k}.p, align 4")
    lines.append("ret void")
    return kernel("product", "ptr %left, ptr %right, ptr %sums", "\n  ".join(["", *lines]), declared)


def multiplied(a: Array, b: Array, c: Array, threads: int = 32, driver: Emulator | None = None) -> Array:
    driver = driver or emulator()
    stream = driver.stream()
    places = []
    for array in (np.zeros(4, np.int32), a, b, c):
        places.append(driver.allocate(array.nbytes))
        driver.upload(places[-1], array, stream)
    function = driver.load(multiplying()).function("product")
    driver.launch(function, (1, 1, 1), threads, 0, packed(places), stream)
    found = np.empty_like(c)
    driver.download(found, places[3], stream)
    return found


@pytest.mark.parametrize("order", ["forward", "reverse", "random"])
def test_one_instruction(order: Any) -> None:
    rng = np.random.default_rng(3)
    a, b, c = (rng.normal(size=s).astype(np.float32) for s in ((16, 8), (8, 8), (16, 8)))
    got = multiplied(a, b, c, driver=emulator(order=order))
    exact = tf32(a).astype(np.float64) @ tf32(b).astype(np.float64) + c
    np.testing.assert_allclose(got, exact, rtol=1e-6, atol=1e-6)
    assert np.abs(got - (a.astype(np.float64) @ b + c)).max() > 1e-4  # and float32 is told apart


def test_rounding_is_to_nearest_and_ties_go_away_from_zero() -> None:
    one = np.float32(1)
    cases = [
        1 + 2.0**-11,
        -1 - 2.0**-11,
        1 + 2.0**-11 - 2.0**-23,
        2 - 2.0**-23,
        3e38,
        np.inf,
        2.0**-120 * (1 + 2.0**-11),
    ]
    expected = [
        1 + 2.0**-10,
        -1 - 2.0**-10,
        1,
        2,
        float(tf32(np.full(1, 3e38, np.float32))[0]),
        np.inf,
        2.0**-120 * (1 + 2.0**-10),
    ]
    a, b = np.zeros((16, 8), np.float32), np.zeros((8, 8), np.float32)
    a[: len(cases), 0], b[0, :] = cases, one
    with np.errstate(invalid="ignore"):
        got = multiplied(a, b, np.zeros((16, 8), np.float32))
    np.testing.assert_array_equal(got[: len(cases), 3], np.array(expected, np.float32))
    a[0, 0] = np.nan
    assert np.isnan(multiplied(a, b, np.zeros((16, 8), np.float32))[0]).all()


def test_a_warp_must_be_whole() -> None:
    a, b, c = (np.ones(s, np.float32) for s in ((16, 8), (8, 8), (16, 8)))
    with pytest.raises(KernelFaultError, match="lane 31"):
        multiplied(a, b, c, threads=31)


@pytest.mark.parametrize(("m", "inner", "n"), [(3, 0, 5), (33, 17, 65), (64, 40, 64), (70, 9, 1)])
def test_products_are_those_of_rounded_operands(m: int, inner: int, n: int) -> None:
    left, right = (variable(name, (None, None), "float32") for name in "pq")
    p, q = (np.random.default_rng(1).normal(size=s).astype(np.float32) for s in ((m, inner), (inner, n)))
    for operands in ([p, q], [tf32(p), tf32(q)]):  # what is rounded is not rounded again
        outputs = [T.dot(left, right), T.dot(right.T, left.T), T.tanh(T.dot(left, right)) + left[0, 0]]
        outputs = outputs if inner else outputs[:2]
        got, other, *more = on_gpu([left, right], outputs, operands, tensor_cores=True)
        expected = tf32(p).astype(np.float64) @ tf32(q).astype(np.float64)
        np.testing.assert_allclose(got, expected, rtol=2e-6, atol=2e-6)
        np.testing.assert_allclose(other, expected.T, rtol=2e-6, atol=2e-6)
        for one in more:
            np.testing.assert_allclose(one, np.tanh(expected) + operands[0][0, 0], rtol=5e-6, atol=5e-6)


def test_batches_and_float64_beside() -> None:
    left, right = variable("p", (None, None, None), "float32"), variable("q", (None, None, None), "float64")
    p, q = (
        np.random.default_rng(2).normal(size=(3, 5, 7)).astype(np.float32),
        np.random.default_rng(3).normal(size=(3, 7, 4)),
    )
    got, other = on_gpu(
        [left, right], [T.batched_dot(left, left.dimshuffle(0, 2, 1)), T.batched_dot(right.dimshuffle(0, 2, 1), right)],
        [p, q], tensor_cores=True,
    )  # fmt: skip
    rounded = tf32(p).astype(np.float64)
    np.testing.assert_allclose(got, rounded @ rounded.transpose(0, 2, 1), rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(other, q.transpose(0, 2, 1) @ q, rtol=1e-14, atol=1e-14)  # in full


def test_convolutions_and_their_gradients_are_those_of_rounded_operands() -> None:
    shapes = ((2, 4, 9, 8), (6, 4, 3, 3), (2, 6, 7, 6))
    images, filters, slope = (variable(n, s, "float32") for n, s in zip("xfg", shapes, strict=True))
    rng = np.random.default_rng(4)
    values = [rng.normal(size=s).astype(np.float32) for s in shapes]
    out = T.conv2d(images, filters)
    outputs = [out, *T.grad((out * slope).sum(), [images, filters])]
    got = on_gpu([images, filters, slope], outputs, values, tensor_cores=True)
    want = on_gpu([images, filters, slope], outputs, [tf32(v) for v in values])
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    gpu = gpu_program(program_for([images, filters, slope], outputs), True)
    assert sum(one.kernel.startswith("contract_tf32") for one in launches(gpu.items)) == 3


def large(extent: int, tensor_cores: bool) -> Any:
    """A product whose extents are known, so that tiles of this extent are taken."""
    left, right = variable("p", (12 * extent, 20), "float32"), variable("q", (20, 8 * extent), "float32")
    return gpu_program(program_for([left, right], [T.dot(left, right)]), tensor_cores)


def test_the_largest_tiles() -> None:
    """128 x 128, of which each thread stores what it has added up, and passes it on where more is done with it."""
    left, right = variable("p", (1024, 9), "float32"), variable("q", (9, 1536), "float32")
    rng = np.random.default_rng(5)
    p, q = rng.normal(size=(1024, 9)).astype(np.float32), rng.normal(size=(9, 1536)).astype(np.float32)
    (got,) = on_gpu([left, right], [T.dot(left, right)], [p, q], emulator(checks=False), tensor_cores=True)
    expected = tf32(p).astype(np.float64) @ tf32(q).astype(np.float64)
    np.testing.assert_allclose(got, expected, rtol=2e-6, atol=3e-6)


@needed
@pytest.mark.parametrize("capability", [(8, 0), (9, 0)])
@pytest.mark.parametrize("extent", [64, 128])
def test_machine_code_has_them_and_does_not_spill(extent: int, capability: tuple[int, int]) -> None:
    gpu = large(extent, True)
    text = ptx(gpu.text, capability)
    assert len(re.findall(r"mma\.sync\.aligned\.m16n8k8\.row\.col\.f32\.tf32", text)) == {64: 8, 128: 16}[extent]
    made = assemble(text, capability)
    assert [(u.spill_stores, u.spill_loads) for u in made.usage.values()] == [(0, 0)]


def test_no_llvm_is_given_them_for_a_device_without() -> None:
    with pytest.raises(InternalError, match=r"f2tf32|mma"):
        ptx(large(64, True).text, (7, 5))


def trained(device: str) -> tuple[float, Any, str]:
    rng = np.random.default_rng(6)
    x, w = T.fmatrix("x"), symdl.shared(rng.normal(size=(9, 5)).astype(np.float32))
    f = symdl.function(
        [x], T.dot(x, w).sum(), updates=[(w, w - 0.1 * T.grad(T.tanh(T.dot(x, w)).sum(), w))], device=device
    )
    return float(f(rng.normal(size=(7, 9)).astype(np.float32))), w.get_value(), f.source("llvm")


def test_only_who_asks_has_them() -> None:
    full = trained("cuda-emulated")
    assert "mma" not in full[2]
    with config.change(gpu_products="tf32"):
        quick = trained("cuda-emulated")
        on_cpu = trained("cpu")
    assert MULTIPLY in quick[2]
    np.testing.assert_allclose(quick[1], full[1], rtol=0, atol=2e-3)
    assert np.abs(quick[1] - full[1]).max() > 1e-7
    np.testing.assert_allclose(on_cpu[1], full[1], rtol=1e-5, atol=1e-6)  # a GPU's matter
    with pytest.raises(ConfigError, match="gpu_products cannot be 'fp8'"):
        config.gpu_products = "fp8"


@pytest.mark.parametrize("capability", [(7, 5), (8, 0)])
def test_devices_without_take_the_plain_kernels(capability: tuple[int, int]) -> None:
    backend = CudaBackend("cuda-emulated", Device(emulator(capability=capability)), products="tf32")
    left, right = (variable(name, (None, None), "float32") for name in "pq")
    text = backend.text(program_for([left, right], [T.dot(left, right)]))
    assert (MULTIPLY in text) == (capability == (8, 0))
    plain = CudaBackend("cuda-emulated", Device(emulator(capability=capability)))
    assert (plain.fingerprint() == backend.fingerprint()) == (capability == (7, 5))  # the cache tells them apart
