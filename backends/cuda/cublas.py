"""Large products of matrices by cuBLASLt, through nvmath-python, where it is installed (the extra `cublas`).

    job = library.product(call, sizes)      None: symdl's own kernels are to do it
    job((a, b, c))                          on the device's stream; False: cuBLASLt has no algorithm for these addresses

cuBLASLt's matrices go by columns. One by rows is its transpose by columns, so a result by rows is asked for as
c' = b' a', and an operand that lies the other way is marked as transposed. The sums of a library go in an order of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from symdl.backends.cuda.device import Block, Device
from symdl.backends.llvm.steps import stacked_rows
from symdl.errors import CudaError
from symdl.extras import installed, load
from symdl.ir.loops import View
from symdl.ir.program import Call
from symdl.types import Symbol, size_at, symbols

LEAST = 256  # rows and columns of a result: a smaller one has few tiles of a library's
LEAST_DEPTH = 32
WORK = 1 << 27  # multiplications: 512 cubed
WORKSPACE = 32 << 20  # bytes, which NVIDIA advises for GPUs since Hopper
MOST_ALIGNMENT = 256  # bytes, of which a heuristic knows
PURPOSE = "large products on a GPU"
log = logging.getLogger("symdl")


@dataclass(frozen=True)
class Matrix:
    """What cuBLASLt is told of an operand or result: rows and columns as they lie by columns, elements from one column to
    the next, whether it is meant the other way round, and elements from one matrix of a batch to the next."""

    rows: int
    columns: int
    pitch: int
    turned: bool
    step: int = 0


def matrix(shape: Sequence[int], strides: Sequence[int], by_rows: bool) -> Matrix | None:
    """A matrix (or a batch with one leading axis) for a product whose result lies by rows; None where neither its rows nor
    its columns lie side by side."""
    (rows, columns), (down, across) = shape[-2:], strides[-2:]
    step = strides[0] if len(shape) == 3 else 0
    if rows == 1 and across == 1:
        down = columns
    if columns == 1 and down == 1:
        across = rows
    if across == 1 and down >= columns:
        return Matrix(columns, rows, down, not by_rows, step)
    if down == 1 and across >= rows:
        return Matrix(rows, columns, across, by_rows, step)
    return None


class Cublas:
    """cuBLASLt on a device. tf32: operands of float32 are rounded for tensor cores."""

    def __init__(self, device: Device, tf32: bool) -> None:
        self.device, self.tf32 = device, tf32
        self.api = load("nvmath.bindings.cublasLt", PURPOSE)
        computes, kinds = load("nvmath.bindings.cublas", PURPOSE).ComputeType, load("nvmath", PURPOSE).CudaDataType
        single = computes.COMPUTE_32F_FAST_TF32 if tf32 else computes.COMPUTE_32F
        self.types = {"float32": (single, kinds.CUDA_R_32F), "float64": (computes.COMPUTE_64F, kinds.CUDA_R_64F)}
        with device.driver.attached():
            self.handle = self.api.create()
        self.workspace: Block = device.allocate(WORKSPACE)

    def product(self, call: Call, sizes: Mapping[Symbol, int]) -> Job | None:
        """What computes a product of these sizes; None where it is small, depends on more, or lies as no library takes it."""
        a, b, c = stacked_rows(*call.views)
        if c.dtype not in self.types or len(c.shape) > 3 or not all(known(v, sizes) for v in (a, b, c)):
            return None
        shapes = [[size_at(n, sizes) for n in v.shape] for v in (a, b, c)]
        strides = [[size_at(n, sizes) for n in v.strides] for v in (a, b, c)]
        (m, n), depth = shapes[2][-2:], shapes[0][-1]
        if min(m, n) < LEAST or depth < LEAST_DEPTH or prod(shapes[2]) * depth < WORK:
            return None
        by_rows = strides[2][-1] == 1
        found = [matrix(shape, step, by_rows) for shape, step in zip(shapes, strides, strict=True)]
        left, right, result = found
        if left is None or right is None or result is None or result.turned:
            return None
        batch = shapes[2][0] if len(c.shape) == 3 else 1
        return Job(self, c.dtype, (left, right, result), by_rows, batch)


def known(view: View, sizes: Mapping[Symbol, int]) -> bool:
    """Whether shape and strides of a view are those of the sizes alone."""
    return all(symbols(n) <= sizes.keys() for n in (*view.shape, *view.strides))


class Job:
    """One product: its descriptors, and an algorithm for each alignment of the addresses. a' and b' change places in a
    product by rows."""

    def __init__(
        self, library: Cublas, dtype: str, matrices: tuple[Matrix, Matrix, Matrix], by_rows: bool, batch: int
    ) -> None:
        self.library, self.by_rows = library, by_rows
        api, (compute, kind) = library.api, library.types[dtype]
        a, b, c = matrices
        first, second = (b, a) if by_rows else (a, b)
        self.description = api.matmul_desc_create(compute, kind)
        names = api.MatmulDescAttribute
        for name, one in ((names.TRANSA, first), (names.TRANSB, second)):
            told = np.array([one.turned], np.int32)  # CUBLAS_OP_N, CUBLAS_OP_T
            api.matmul_desc_set_attribute(self.description, name, told.ctypes.data, told.nbytes)
        self.layouts = [self._layout(one, kind, batch) for one in (first, second, c)]
        self.one, self.none = np.ones(1, dtype), np.zeros(1, dtype)
        self._algorithms: dict[tuple[int, ...], tuple[Any, int] | None] = {}

    def _layout(self, one: Matrix, kind: int, batch: int) -> int:
        api = self.library.api
        layout: int = api.matrix_layout_create(kind, one.rows, one.columns, one.pitch)
        if batch > 1:
            names = api.MatrixLayoutAttribute
            count, step = np.array([batch], np.int32), np.array([one.step], np.int64)
            api.matrix_layout_set_attribute(layout, names.BATCH_COUNT, count.ctypes.data, count.nbytes)
            api.matrix_layout_set_attribute(layout, names.STRIDED_BATCH_OFFSET, step.ctypes.data, step.nbytes)
        return layout

    def _algorithm(self, addresses: Sequence[int]) -> tuple[Any, int] | None:
        """(the best algorithm as cuBLASLt keeps it, the bytes that it works in), or None where there is none."""
        alignments = tuple([min(address & -address, MOST_ALIGNMENT) for address in addresses])
        if alignments in self._algorithms:
            return self._algorithms[alignments]
        api, names = self.library.api, self.library.api.MatmulPreferenceAttribute
        preference = api.matmul_preference_create()
        try:
            told = [(names.MAX_WORKSPACE_BYTES, np.array([WORKSPACE], np.uint64))]
            for name, bytes_ in zip("ABC", alignments, strict=True):
                told.append((getattr(names, f"MIN_ALIGNMENT_{name}_BYTES"), np.array([bytes_], np.uint32)))
            told.append((names.MIN_ALIGNMENT_D_BYTES, np.array(alignments[2:], np.uint32)))
            for name, value in told:
                api.matmul_preference_set_attribute(preference, name, value.ctypes.data, value.nbytes)
            results, count = np.zeros(1, api.matmul_heuristic_result_dtype), np.zeros(1, np.int32)
            first, second, result = self.layouts
            api.matmul_algo_get_heuristic(
                self.library.handle, self.description, first, second, result, result, preference, 1,
                results.ctypes.data, count.ctypes.data,
            )  # fmt: skip
            found = (results, int(results["workspace_size"][0])) if count[0] and not results["state"][0] else None
        except RuntimeError as error:  # cuBLASLt's way to say that it has none
            log.debug("cuBLASLt knows no algorithm: %s", error)
            found = None
        finally:
            api.matmul_preference_destroy(preference)
        self._algorithms[alignments] = found
        return found

    def __call__(self, addresses: tuple[int, int, int]) -> bool:
        """Ask for the product; whether it was taken. Raises CudaError where cuBLASLt refuses it all the same."""
        a, b, c = addresses
        places = (b, a, c) if self.by_rows else (a, b, c)
        found = self._algorithm(places)
        if found is None:
            return False
        library, (first, second, result), (left, right, to) = self.library, self.layouts, places
        algorithm, bytes_ = found
        with library.device.driver.attached():
            try:
                library.api.matmul(
                    library.handle, self.description, self.one.ctypes.data, left, first, right, second,
                    self.none.ctypes.data, to, result, to, result, algorithm.ctypes.data, library.workspace.address,
                    bytes_, library.device.stream.handle,
                )  # fmt: skip
            except RuntimeError as error:
                raise CudaError(f"cuBLASLt: {error}") from None
        return True

    def __del__(self) -> None:
        api = self.library.api
        for layout in getattr(self, "layouts", ()):
            api.matrix_layout_destroy(layout)
        if hasattr(self, "description"):
            api.matmul_desc_destroy(self.description)


def library_for(device: Device, tf32: bool) -> Cublas | None:
    """cuBLASLt, where it is installed and the device is a real one. One that is installed and does not work is told once,
    as a warning of the logger `symdl`."""
    if device.driver.takes != "ptx" or not installed("nvmath"):
        return None
    try:
        return Cublas(device, tf32)
    except (ImportError, OSError, RuntimeError) as error:
        log.warning("cuBLASLt is not used, for nvmath-python says: %s", error)
        return None
