"""Products of matrices: NumPy's numbers for every shape, stride and width of vectors, and nothing touched outside."""

from __future__ import annotations

import ctypes
import itertools
import json
import mmap
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest
from numpy.typing import NDArray

from symdl.backends.cpu.assembler import Machine, object_code, quick_code
from symdl.backends.cpu.engine import Engine
from symdl.backends.cpu.libraries import threads_pool
from symdl.backends.gemm.library import products_entry, products_text
from symdl.backends.gemm.tiles import AT_ONCE, WAYS, WIDEST, Tile, tile_for, ways_of
from symdl.backends.llvm import RUNTIME

Array = NDArray[Any]
MACHINE = Machine()
# Vectors that the machine does not have are split by LLVM: slower, and the same code paths.
WIDTHS = {"sse": (16, 16, False), "avx2": (32, 16, True), "avx512": (64, 32, True), "neon": (16, 32, True)}
KIND = ctypes.CFUNCTYPE(
    None, *[ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64] * 3, *[ctypes.c_int64] * 3, *[ctypes.c_void_p] * 3
)
EPILOGUE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * 5)
Product = Callable[..., None]


@cache
def product(dtype: str, width: str = "", small: bool = False) -> Product:
    """C = A B by the library for a width, by default this machine's. small: by the code that runs until it is optimized."""
    vector_bytes, registers, fma = WIDTHS.get(width, (MACHINE.vector_bytes, MACHINE.registers, MACHINE.fma))
    tile = tile_for(dtype, vector_bytes, registers, fma and MACHINE.fma)
    text = products_text(tile.small if small else tile, MACHINE.triple, MACHINE.layout)
    engine = Engine(quick_code(text, MACHINE) if small else object_code([text], MACHINE), MACHINE)
    native = KIND(engine.address(products_entry(dtype)))

    def call(a: Array, b: Array, c: Array | None, epilogue: Any = None, runtime: Any = None) -> None:
        given = [x for q in (a, b) for x in (q.ctypes.data, *(s // q.itemsize for s in q.strides))]
        result = (None, b.shape[1], 1) if c is None else (c.ctypes.data, *(s // c.itemsize for s in c.strides))
        native(*given, *result, a.shape[0], b.shape[1], a.shape[1], epilogue, None, runtime)

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
@pytest.mark.parametrize("width", WIDTHS)
def test_both_operands_copied_and_one_long_row(width: str, dtype: str, rng: np.random.Generator) -> None:
    for shape, orders in (
        ((139, 1101, 300), "tnn"),
        ((31, 259, 513), "stn"),
        ((1, 517, 101), "nnn"),
        ((1, 129, 130), "sns"),
    ):
        check(product(dtype, width), rng, shape, dtype, orders)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_small_tile_gives_the_same_bits(width: str, dtype: str, rng: np.random.Generator) -> None:
    shapes = [(rows, 67, 5) for rows in range(1, 14)] + [(7, columns, 9) for columns in (1, 3, 8, 15, 16, 33, 130)]
    for m, n, k in [*shapes, (1, 517, 101), (50, 33, 1500), (139, 1101, 300)]:
        for orders in ("nn", "tn", "nt", "ts"):
            a, b = matrix(rng, m, k, dtype, orders[0]), matrix(rng, k, n, dtype, orders[1])
            found = [matrix(rng, m, n, dtype, "n") for _ in range(2)]
            for c, small in zip(found, (False, True), strict=True):
                product(dtype, width, small)(a, b, c)
            np.testing.assert_array_equal(found[0], found[1])


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


SMALL = [(3, 5, 2, "nn"), (5, 1, 4, "nt"), (1, 1, 1, "nn"), (4, 30, 0, "nn"), (7, 9, 1030, "tt"), (150, 280, 20, "tn")]
BLOCKS = [(200, 600, 300, "nn"), (300, 700, 150, "tn"), (260, 300, 530, "nt"), (700, 70, 90, "nn"), (1, 900, 700, "nn")]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_results_do_not_depend_on_the_number_of_threads(dtype: str, rng: np.random.Generator) -> None:
    pool = threads_pool(MACHINE)
    table = (ctypes.c_void_p * len(RUNTIME))()
    table[RUNTIME.index("parallel")], table[RUNTIME.index("pool")] = pool.parallel, pool.address
    multiply, before = product(dtype), pool.threads
    try:
        for m, n, k, orders in [*BLOCKS, (1500, 1, 1000, "nn"), (130, 130, 1100, "ss"), (50, 1000, 800, "nn")]:
            a, b = matrix(rng, m, k, dtype, orders[0]), matrix(rng, k, n, dtype, orders[1])
            alone = np.empty((m, n), dtype)
            multiply(a, b, alone)
            for threads in (1, 2, 3):
                pool.resize(threads)
                c = np.full((m, n), np.nan, dtype)
                multiply(a, b, c, runtime=ctypes.addressof(table))
                np.testing.assert_array_equal(c, alone, err_msg=f"{m, n, k, orders, threads}")
    finally:
        pool.resize(before)


def test_threads_share_columns_where_rows_are_few(rng: np.random.Generator) -> None:
    """Too few rows for two blocks of them, as in a batch of 100: none of the threads is left without work."""
    pool, m, n, k = threads_pool(MACHINE), 100, 784, 1000
    table = (ctypes.c_void_p * len(RUNTIME))()
    table[RUNTIME.index("parallel")], table[RUNTIME.index("pool")] = pool.parallel, pool.address
    a, b, c = matrix(rng, m, k, "float32", "n"), matrix(rng, k, n, "float32", "n"), np.empty((m, n), "float32")
    before, taken = pool.threads, list[tuple[int, ...]]()

    def take(_: Any, __: int, ___: int, *block: int) -> None:
        taken.append(block)

    try:
        pool.resize(2)
        product("float32")(a, b, c, EPILOGUE(take), runtime=ctypes.addressof(table))
    finally:
        pool.resize(before)
    assert len(taken) == 2
    assert max(rows * columns for _, _, rows, columns in taken) <= 0.6 * m * n


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", WIDTHS)
def test_epilogues_see_each_element_once(width: str, dtype: str, rng: np.random.Generator) -> None:
    """With a matrix for the product, without one, and with one that is written with a step."""
    multiply, scalar = product(dtype, width), np.dtype(dtype)
    for m, n, k, orders in SMALL:
        a, b = matrix(rng, m, k, dtype, orders[0]), matrix(rng, k, n, dtype, orders[1])
        expected = np.empty((m, n), dtype)
        multiply(a, b, expected)
        for c in (None, np.full((m, n), np.nan, dtype), matrix(rng, m, n, dtype, "s"), matrix(rng, m, n, dtype, "t")):
            found, seen = np.full((m, n), np.nan, dtype), np.zeros((m, n), int)

            def take(_: Any, block: int, stride: int, i: int, j: int, rows: int, columns: int) -> None:
                count = (rows - 1) * stride + columns
                memory = np.frombuffer(ctypes.string_at(block, count * scalar.itemsize), scalar)
                there = np.lib.stride_tricks.as_strided(
                    memory, (rows, columns), (stride * scalar.itemsize, scalar.itemsize)
                )
                found[i : i + rows, j : j + columns] = there  # noqa: B023  # called in this round only
                seen[i : i + rows, j : j + columns] += 1  # noqa: B023

            multiply(a, b, c, EPILOGUE(take))
            assert (seen == 1).all(), (m, n, k, orders)
            if n > 1:
                np.testing.assert_array_equal(found, expected)
            else:  # without an epilogue a single column is summed by vectors
                np.testing.assert_allclose(found, expected, rtol=float(64 * np.finfo(dtype).eps))
            if c is not None:
                np.testing.assert_array_equal(c, found)


TARGETS = {
    "sse": ("x86_64-unknown-linux-gnu", "x86-64", "", r"mulps\s.*%xmm", r"%ymm|vfmadd|call\w*\s+fma"),
    "avx2": ("x86_64-unknown-linux-gnu", "x86-64-v3", "", r"vfmadd\w+ps\s.*%ymm", r"%zmm|call\w*\s+fma"),
    "avx512": ("x86_64-unknown-linux-gnu", "x86-64-v4", "", r"vfmadd\w+ps\s.*%zmm", r"call\w*\s+fma"),
    "neon": ("aarch64-unknown-linux-gnu", "generic", "+neon", r"fmla\s+v\d+\.4s", r"bl\s+fma"),
}


@pytest.mark.parametrize("width", TARGETS)
def test_the_largest_tile_stays_in_the_registers_of_every_instruction_set(width: str) -> None:
    """Also of those that this machine does not have: the assembly is looked at."""
    triple, cpu, features, wanted, unwanted = TARGETS[width]
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu, features, opt=3)
    tile = tile_for("float32", *WIDTHS[width])
    module = llvm.parse_assembly(products_text(tile, triple, str(machine.target_data)), llvm.create_context())
    module.verify()
    text = machine.emit_assembly(module)
    assert not re.search(unwanted, text)
    assert ways_of(tile, tile.rows, tile.vectors) == WAYS
    for way in WAYS:
        lines = text[text.index(f"micro{tile.vectors}x{tile.rows}{way}:") :].splitlines()
        start = next(  # the first loop, from its label to its jump
            k for k, line in enumerate(lines) if line.startswith(".LBB")
        )
        label = lines[start].partition(":")[0]
        end = next(k for k, line in enumerate(lines) if k > start and re.search(rf"{re.escape(label)}\b", line))
        loop = "\n".join(lines[start : end + 1])
        terms = AT_ONCE // tile.accumulators if way else 1
        assert len(re.findall(wanted, loop)) == terms * tile.accumulators, loop
        assert not re.search(r"\(%r[sb]p\)|\[sp", loop), f"a spill in the loop:\n{loop}"


def test_tiles_fit_the_registers() -> None:
    for vector_bytes, registers, fma in WIDTHS.values():
        tile = tile_for("float32", vector_bytes, registers, fma)
        assert tile.accumulators + tile.vectors + (1 if fma else 2) <= registers
        for rows in range(1, tile.rows + 1):
            assert tile.vectors <= tile.widest(rows) <= WIDEST
            assert rows * tile.widest(rows) <= max(tile.accumulators, rows * tile.vectors)
    assert isinstance(tile, Tile)


SMALL_STACK = """
import threading
import numpy as np
import symdl
import symdl.tensor as T

threading.stack_size(128 << 10)
symdl.config.threads = 2
found = []

def job():
    a, b, w = T.fmatrix("a"), T.fmatrix("b"), T.tensor("w", dtype="float32", shape=(None,) * 4)
    products = symdl.function([a, b], [a @ b, a.T @ b.T])
    x, y = np.ones((2, 700, 900), np.float32) / 8
    found.extend(out[5, 7] for out in products(x, y.T))
    images = T.tensor("images", dtype="float32", shape=(None,) * 4)
    for stride in (1, 2):
        cost = (T.correlate(images, w, subsample=(stride, stride)) ** 2).sum()
        step = symdl.function([images, w], [cost, *symdl.grad(cost, [images, w])])
        found.append(step(np.ones((4, 8, 40, 40), np.float32), np.ones((16, 8, 3, 3), np.float32))[0])

for attempt in range(2):  # the second time in rooms that the first one has left
    one = threading.Thread(target=job)
    one.start()
    one.join()
print([float(x) for x in found])
"""


def test_a_small_stack_is_enough() -> None:
    """Blocks keep what they pack elsewhere: in a thread of 128 KiB, as in a process of its own, which a stack that
    overflows would end."""
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-c", SMALL_STACK], capture_output=True, text=True, cwd=root, check=False, timeout=600
    )
    assert done.returncode == 0, (done.returncode, done.stderr)
    once = [900 / 64, 700 / 64, *(72.0**2 * 4 * 16 * n**2 for n in (38, 19))]
    assert json.loads(done.stdout) == once * 2
