"""Large products by cuBLASLt, through a stand-in of nvmath-python that computes on the emulated GPU's memory; no GPU has run it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import cuda_fakes
import numpy as np
import pytest
from gpu_programs import COMPILED, emulator, program_for

import symdl
import symdl.tensor as T
from symdl.backends.cuda import cublas
from symdl.backends.cuda.backend import CudaBackend
from symdl.backends.cuda.cublas import Cublas, library_for, matrix
from symdl.backends.cuda.device import Device
from symdl.backends.interface import Interface
from symdl.backends.nvptx import panels
from symdl.config import config
from symdl.errors import CudaError
from symdl.graph.expr import Expr, variable
from symdl.runtime.devices import gpu_backend

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(7)


class Bench:
    """An emulated GPU for which a library is installed; every product counts as large."""

    def __init__(self, patch: pytest.MonkeyPatch, tf32: bool = False) -> None:
        for name, value in (("LEAST", 4), ("LEAST_DEPTH", 3), ("WORK", 1)):
            patch.setattr(cublas, name, value)
        patch.setattr(panels, "LARGE", 4)
        self.driver = emulator()
        self.device = Device(self.driver)
        self.fake = cuda_fakes.Cublas(self.driver, self.device.stream)
        self.fake.install(patch)
        self.backend = CudaBackend("cuda-emulated", self.device, COMPILED)
        self.backend.library = Cublas(self.device, tf32)

    def run(self, inputs: Sequence[Expr], outputs: Sequence[Expr], values: Sequence[Any], calls: int = 1) -> list[Any]:
        program = program_for(inputs, outputs)
        code = self.backend.compile(program).code
        executable = self.backend.load(Interface.of(program), code)  # as from the cache
        for _ in range(calls):
            before = self.driver.launches
            status, found = executable.execute(executable.bind(values))
            assert status == 0
        self.launched = self.driver.launches - before
        return list(found)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def matrices(dtype: str = "float32") -> tuple[Expr, Expr]:
    left, right = (variable(name, (None, None), dtype) for name in "pq")
    return left, right


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("turned", ["nn", "tn", "nt", "tt"])
def test_operands_of_both_orders(bench: Bench, dtype: str, turned: str) -> None:
    p, q = (RNG.normal(size=s).astype(dtype) for s in ((6, 5), (5, 9)))
    left, right = matrices(dtype)
    inputs = [m.T if way == "t" else m for m, way in zip((left, right), turned, strict=True)]
    values = [np.ascontiguousarray(v.T) if way == "t" else v for v, way in zip((p, q), turned, strict=True)]
    (got,) = bench.run([left, right], [T.dot(*inputs)], values)
    np.testing.assert_allclose(got, p @ q, rtol=1e-5)
    assert (bench.launched, len(bench.fake.products)) == (0, 1)
    asked = bench.fake.products[0]
    assert (asked["rows"], asked["columns"]) == (9, 6)  # the transpose by columns
    assert asked["compute"] == {"float32": "COMPUTE_32F", "float64": "COMPUTE_64F"}[dtype]
    assert asked["MAX_WORKSPACE_BYTES"] == cublas.WORKSPACE


def test_a_result_by_columns(bench: Bench) -> None:
    """Which Programs rarely have: what is asked of cuBLAS then."""
    assert matrix((6, 5), (5, 1), by_rows=False) == cublas.Matrix(5, 6, 5, True)
    assert matrix((6, 5), (1, 6), by_rows=False) == cublas.Matrix(6, 5, 6, False)
    assert matrix((6, 5), (5, 1), by_rows=True) == cublas.Matrix(5, 6, 5, False)
    assert matrix((6, 5), (10, 2), by_rows=True) is None  # every other element
    assert matrix((6, 5), (-5, 1), by_rows=True) is None
    assert matrix((6, 1), (7, 1), by_rows=True) == cublas.Matrix(1, 6, 7, False)
    assert matrix((3, 6, 5), (0, 5, 1), by_rows=True) == cublas.Matrix(5, 6, 5, False, 0)


def test_a_part_of_a_matrix_and_how_it_lies(bench: Bench) -> None:
    left, right = variable("p", (8, 12), "float32"), variable("q", (12, 7), "float32")
    p, q = RNG.normal(size=(8, 12)).astype(np.float32), RNG.normal(size=(12, 7)).astype(np.float32)
    (got,) = bench.run([left, right], [T.dot(left[:, 1:6], right[2:7])], [p, q])
    np.testing.assert_allclose(got, p[:, 1:6] @ q[2:7], rtol=1e-5, atol=1e-6)
    assert bench.launched == 0
    asked = bench.fake.products[0]
    # q begins 2 rows of 28 bytes further, p 4 bytes; the result with the arena
    assert (asked["MIN_ALIGNMENT_A_BYTES"], asked["MIN_ALIGNMENT_B_BYTES"]) == (8, 4)
    assert asked["MIN_ALIGNMENT_C_BYTES"] == asked["MIN_ALIGNMENT_D_BYTES"] == 256


def test_batches(bench: Bench) -> None:
    left, right = (variable(name, (None, None, None), "float32") for name in "pq")
    p, q = (RNG.normal(size=s).astype(np.float32) for s in ((3, 6, 5), (3, 5, 8)))
    (got,) = bench.run([left, right], [T.batched_dot(left, right)], [p, q])
    np.testing.assert_allclose(got, p @ q, rtol=1e-5, atol=1e-6)
    assert (bench.launched, len(bench.fake.products)) == (0, 1)


def test_what_the_library_does_not_take_is_done_by_our_own(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    left, right = matrices()
    cases = [
        (T.dot(left[:, ::2], right), (6, 10), (5, 9), 5.0),  # not side by side
        (T.dot(left, right), (3, 5), (5, 9), 5.0),  # few rows
        (T.dot(left, right), (6, 2), (2, 9), 2.0),  # few terms
    ]
    for output, p, q, each in cases:
        (got,) = bench.run([left, right], [output], [np.ones(s, np.float32) for s in (p, q)])
        assert (got == each).all()
        assert bench.launched > 0
    assert bench.fake.products == []
    bench.fake.algorithms = 0
    (got,) = bench.run([left, right], [T.dot(left, right)], [np.ones((6, 5), np.float32), np.ones((5, 9), np.float32)])
    assert (got == 5).all()
    assert bench.launched > 0
    monkeypatch.undo()  # with its own measure of what is large
    assert (cublas.LEAST, cublas.WORK) == (256, 1 << 27)


def test_what_follows_is_done_after(bench: Bench) -> None:
    """Bias and activation of a layer that is known to be large: a kernel of their own behind the library's product."""
    left, weights, bias = (
        variable("p", (None, 5), "float32"),
        variable("w", (5, 8), "float32"),
        variable("b", (8,), "float32"),
    )
    p, w, b = (RNG.normal(size=s).astype(np.float32) for s in ((6, 5), (5, 8), (8,)))
    (got,) = bench.run([left, weights, bias], [T.tanh(T.dot(left, weights) + bias)], [p, w, b])
    np.testing.assert_allclose(got, np.tanh(p @ w + b), rtol=1e-5, atol=1e-6)
    assert (bench.launched, len(bench.fake.products)) == (1, 1)


def test_an_epilogue_that_is_in_our_kernel_keeps_the_product_there(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panels, "LARGE", 512)
    left, right = matrices()
    p, q = (RNG.normal(size=s).astype(np.float32) for s in ((6, 5), (5, 9)))
    (got,) = bench.run([left, right], [T.tanh(T.dot(left, right))], [p, q])
    np.testing.assert_allclose(got, np.tanh(p @ q), rtol=1e-5, atol=1e-6)
    assert bench.fake.products == []


def test_tf32_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, tf32=True)
    left, right = matrices()
    bench.run([left, right], [T.dot(left, right)], [np.ones((6, 5), np.float32), np.ones((5, 9), np.float32)])
    assert bench.fake.products[0]["compute"] == "COMPUTE_32F_FAST_TF32"


def test_a_step_with_a_product_becomes_a_graph(bench: Bench) -> None:
    left, right = matrices()
    p, q = (RNG.normal(size=s).astype(np.float32) for s in ((6, 5), (5, 9)))
    (got,) = bench.run([left, right], [T.dot(left, right)], [p, q], calls=5)
    np.testing.assert_allclose(got, p @ q, rtol=1e-5, atol=1e-6)
    assert len(bench.fake.products) == 3  # two calls, and the capture


def test_an_error_of_the_library_is_one_of_ours(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("CUBLAS_STATUS_EXECUTION_FAILED")

    monkeypatch.setattr(bench.backend.library.api, "matmul", refuse)  # type: ignore[union-attr]  # it is there
    left, right = matrices()
    with pytest.raises(CudaError, match="cuBLASLt: CUBLAS_STATUS_EXECUTION_FAILED"):
        bench.run([left, right], [T.dot(left, right)], [np.ones((6, 5), np.float32), np.ones((5, 9), np.float32)])


def test_profiles_name_it(bench: Bench) -> None:
    left, right = matrices()
    executable, clocks = bench.backend.timed(program_for([left, right], [T.dot(left, right)]), (), ())
    executable.execute(executable.bind([np.ones((6, 5), np.float32), np.ones((5, 9), np.float32)]))
    assert [count for _, count in clocks.taken().values()] == [1]


def test_only_where_it_is_installed_and_works(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    device = Device(emulator())
    fake = cuda_fakes.Cublas(device.driver)
    fake.install(monkeypatch)
    assert library_for(device, False) is None  # the emulated GPU has none
    monkeypatch.setattr(device.driver, "takes", "ptx", raising=False)
    assert library_for(device, False) is not None
    fake.broken = "CUDA driver is not found"
    with caplog.at_level(logging.WARNING, "symdl"):
        assert library_for(device, False) is None
    assert "cuBLASLt is not used, for nvmath-python says: CUDA driver is not found" in caplog.text
    cuda_fakes.install(monkeypatch, "nvmath", None)
    monkeypatch.setattr(cublas, "installed", lambda _: False)
    assert library_for(device, False) is None


def test_own_products_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr("symdl.backends.cuda.backend.library_for", lambda _, tf32: made.append(tf32))
    device = Device(emulator())
    for products in ("full", "tf32", "own"):
        CudaBackend("cuda-emulated", device, products=products)
    assert made == [False, True]
    with config.change(gpu_products="own"):
        assert gpu_backend("cuda-emulated") is not gpu_backend("cpu")
        x = T.fmatrix("x")
        f = symdl.function([x], T.dot(x, x.T), device="cuda-emulated")
    assert f(np.eye(3, dtype=np.float32)).tolist() == np.eye(3).tolist()
