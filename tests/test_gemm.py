"""Products of matrices: NumPy's numbers for every shape, stride and width of vectors, and nothing touched outside."""

from __future__ import annotations

import ctypes
import itertools
import mmap
import sys
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from symdl.backends import gemm
from symdl.backends.cpu import Engine, Machine, compile_text
from symdl.backends.gemm import module_text, workspace
from symdl.backends.gemm_tiles import WIDEST, Tile, tile_for

Array = NDArray[Any]
MACHINE = Machine()
# Vectors that the machine does not have are split by LLVM: slower, and the same code paths.
WIDTHS = {"sse": (16, 16, False), "avx2": (32, 16, True), "avx512": (64, 32, True), "neon": (16, 32, True)}
KIND = ctypes.CFUNCTYPE(
    None, *[ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64] * 3, *[ctypes.c_int64] * 3, ctypes.c_void_p
)
Product = Callable[[Array, Array, Array], None]


@cache
def product(dtype: str, width: str = "") -> Product:
    """C = A B by the library for a width, by default this machine's."""
    vector_bytes, registers, fma = WIDTHS.get(width, (MACHINE.vector_bytes, MACHINE.registers, MACHINE.fma))
    tile = tile_for(dtype, vector_bytes, registers, fma and MACHINE.fma)
    engine = Engine(compile_text(module_text(tile, MACHINE.triple, MACHINE.layout), MACHINE), MACHINE)
    native = KIND(engine.address(gemm.entry_name(dtype)))

    def call(a: Array, b: Array, c: Array) -> None:
        scratch = (
            guarded((workspace(tile),), "uint8") if sys.platform == "linux" else np.empty(workspace(tile), np.uint8)
        )
        matrices = [x for q in (a, b, c) for x in (q.ctypes.data, *(s // q.itemsize for s in q.strides))]
        native(*matrices, a.shape[0], b.shape[1], a.shape[1], scratch.ctypes.data)

    call.engine = engine  # type: ignore[attr-defined]  # lives as long as what it made
    return call


def guarded(shape: tuple[int, ...], dtype: str) -> Array:
    """An array that ends where memory that must not be touched begins."""
    count, size = int(np.prod(shape)), np.dtype(dtype).itemsize
    page = mmap.PAGESIZE
    room = (count * size + page - 1) // page * page
    pages = mmap.mmap(-1, room + page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(start + room), page, mmap.PROT_READ * 0) == 0
    found: Array = np.frombuffer(pages, dtype, count, room - count * size).reshape(shape)
    return found


def matrix(rng: np.random.Generator, rows: int, columns: int, dtype: str, order: str) -> Array:
    """Random numbers: by rows ("n"), by columns ("t") or with a step in both directions ("s")."""
    if order == "t":
        return matrix(rng, columns, rows, dtype, "n").T
    if order == "s":
        whole = np.full((2 * rows, 3 * columns), np.nan, dtype)
        whole[::2, 1::3] = rng.standard_normal((rows, columns))
        return whole[::2, 1::3]
    found = guarded((rows, columns), dtype) if sys.platform == "linux" else np.empty((rows, columns), dtype)
    found[...] = rng.standard_normal((rows, columns))
    return found


def check(multiply: Product, rng: np.random.Generator, shape: tuple[int, int, int], dtype: str, orders: str) -> None:
    m, n, k = shape
    a, b, c = (
        matrix(rng, m, k, dtype, orders[0]),
        matrix(rng, k, n, dtype, orders[1]),
        matrix(rng, m, n, dtype, orders[2]),
    )
    around = c.base if orders[2] == "s" else None
    before = None if around is None else around.copy()
    c[...] = np.nan
    multiply(a, b, c)
    exact = a.astype(np.float64) @ b.astype(np.float64)
    bound = (k + 1) * np.finfo(dtype).eps * (np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64))
    assert np.all(np.abs(c - exact) <= bound), (shape, dtype, orders)  # |error| <= K eps |A||B| (Higham 2002, 3.13)
    if around is not None and before is not None:
        before[::2, 1::3] = c
        np.testing.assert_array_equal(around, before)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_small_shape(dtype: str, rng: np.random.Generator) -> None:
    multiply = product(dtype)
    for m, n, k in itertools.product((1, 2, 3, 5, 6, 7, 13), (1, 2, 4, 7, 8, 9, 17), (1, 2, 3, 8, 9)):
        check(multiply, rng, (m, n, k), dtype, "nnn")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_width_and_order(width: str, dtype: str, rng: np.random.Generator) -> None:
    multiply = product(dtype, width)
    for orders in map("".join, itertools.product("nts", "nts", "nts")):
        for _ in range(4):
            m, n, k = (int(x) for x in rng.integers(1, 71, 3))
            check(multiply, rng, (m, n, k), dtype, orders)
        check(multiply, rng, (25, 70, 19), dtype, orders)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_number_of_rows_and_columns(width: str, dtype: str, rng: np.random.Generator) -> None:
    multiply = product(dtype, width)
    for rows in range(1, 30):
        check(multiply, rng, (rows, 67, 5), dtype, "nnn")
    for columns in range(1, 70):
        check(multiply, rng, (7, columns, 5), dtype, "nnn")
        check(multiply, rng, (1, columns, 9), dtype, "nnn")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_long_inner_axes_are_taken_in_blocks(dtype: str, rng: np.random.Generator) -> None:
    multiply = product(dtype)
    for k in (511, 512, 513, 1500):
        for orders in ("nnn", "ttt", "ntn", "sss"):
            for shape in ((50, 33, k), (3, 40, k), (1, 9, k), (9, 1, k), (1, 1, k)):
                check(multiply, rng, shape, dtype, orders)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large(dtype: str, rng: np.random.Generator) -> None:
    for shape, orders in (((256, 784, 100), "nnn"), ((130, 257, 600), "tnn"), ((257, 129, 80), "ntn")):
        check(product(dtype), rng, shape, dtype, orders)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_empty(dtype: str) -> None:
    multiply = product(dtype)
    c = np.full((3, 5), np.nan, dtype)
    multiply(np.empty((3, 0), dtype), np.empty((0, 5), dtype), c)
    assert not c.any()
    outside = np.full((4, 4), 7.0, dtype)
    multiply(np.empty((0, 3), dtype), np.empty((3, 4), dtype), outside[:0])
    multiply(np.empty((4, 3), dtype), np.empty((3, 0), dtype), outside[:, :0])
    assert (outside == 7.0).all()


def test_infinities_and_nans_stay_in_their_rows_and_columns() -> None:
    # Zeros that fill up a panel must never meet them.
    for dtype in ("float32", "float64"):
        a, b = np.ones((7, 5), dtype), np.ones((5, 11), dtype)
        a[2, 3], b[1, 10] = np.inf, np.nan
        c = np.empty((7, 11), dtype)
        product(dtype)(a, b, c)
        np.testing.assert_array_equal(c, a @ b)


def test_results_do_not_depend_on_the_thread_or_the_call(rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((60, 300)), rng.standard_normal((300, 50))
    multiply, found = product("float64"), [np.empty((60, 50)) for _ in range(4)]
    threads = [threading.Thread(target=multiply, args=(a, b, c)) for c in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for c in found:
        np.testing.assert_array_equal(c, found[0])


def test_tiles_fit_the_registers() -> None:
    for vector_bytes, registers, fma in WIDTHS.values():
        tile = tile_for("float32", vector_bytes, registers, fma)
        assert tile.accumulators + tile.vectors + (1 if fma else 2) <= registers
        for rows in range(1, tile.rows + 1):
            assert tile.vectors <= tile.widest(rows) <= WIDEST
            assert rows * tile.widest(rows) <= max(tile.accumulators, rows * tile.vectors)
    assert isinstance(tile, Tile)
