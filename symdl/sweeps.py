"""A function called with batch after batch of rows of the same arrays: an epoch as few native calls."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from symdl.errors import InputError, ShapeError
from symdl.functions import Function
from symdl.runtime.inputs import Array

AT_ONCE = 64  # batches until other threads of Python have their turn


class Sweep:
    """f(*(a[rows] for a in arrays)) for the rows of one batch after another: what f measures of each, float64.

        sweep = Sweep(step, (x, y), 32)
        measured = sweep(rng.permutation(len(x)))       # [batches, outputs]; the last batch takes what is left

    The calls are those that Python would make, in their order, with all their checks and updates: the same numbers. They
    are made by machine code as long as that can make them; the arrays are as f takes them, in C order and of its dtypes.
    Raises InputError unless f gives a list of numbers without axes, ShapeError unless all arrays have as many rows.
    """

    def __init__(self, f: Function, arrays: Sequence[Array], size: int) -> None:
        self.f, self.arrays, self.size = f, tuple(arrays), size
        self.rows = len(arrays[0])
        types = [o.type for o in f.graph.outputs]
        if f.kind != "list" or any(t.shape for t in types):
            raise InputError(f"Sweep: {f!r} does not give a list of numbers without axes")
        if any(len(a) != self.rows for a in arrays):
            raise ShapeError(f"Sweep: the arrays have {', '.join(str(len(a)) for a in arrays)} rows")
        self.dtypes = [np.dtype(t.dtype) for t in types]
        self.native = f if isinstance(f, Function) and all(a.flags.c_contiguous for a in arrays) else None
        if self.native is not None:
            self.batch = [np.empty((size, *a.shape[1:]), a.dtype) for a in arrays]
            self.arguments = (ctypes.c_void_p * len(arrays))(*(id(b) for b in self.batch))

    def __call__(self, order: Array) -> Array:
        """One call for each batch of the order. Raises IndexError for rows that are not there, and what f raises."""
        order = np.ascontiguousarray(order, np.int64)
        if order.size and not 0 <= order.min() <= order.max() < self.rows:
            raise IndexError(f"Sweep: rows {order.min()} to {order.max()} of {self.rows}")
        count, size = -(-len(order) // self.size), self.size
        columns = [np.empty(count, dtype) for dtype in self.dtypes]
        done, whole = 0, len(order) // size
        while done < count:
            asked = min(whole - done, AT_ONCE)
            made = self._natively(order, columns, done, asked)
            done += made
            if 0 < asked == made:
                continue
            rows = order[done * size : (done + 1) * size]
            for column, value in zip(columns, self.f(*(a[rows] for a in self.arrays)), strict=True):
                column[done] = value
            done += 1
        return np.stack([c.astype(np.float64) for c in columns], axis=1) if columns else np.empty((count, 0))

    def total(self, order: Array) -> Array:
        """The sum of what is measured over the examples of an epoch, each counting what its batch had: [outputs]."""
        measured = self(order)
        counts = np.full((len(measured), 1), self.size)
        counts[-1] = len(order) - (len(measured) - 1) * self.size
        total: Array = np.add.accumulate(counts * measured)[-1]  # one by one, as a loop would
        return total

    def _natively(self, order: Array, columns: list[Array], first: int, count: int) -> int:
        """How many of the next batches machine code has done."""
        entry = None if self.native is None else self.native._entry  # there, when the function has been optimized
        if entry is None or count <= 0:
            return 0
        words: list[Any] = []
        for a, b in zip(self.arrays, self.batch, strict=True):
            words += [a.ctypes.data, b.ctypes.data, b.nbytes // self.size]
        for c in columns:
            words += [0, c.ctypes.data + first * c.itemsize, c.itemsize]
        plan = (ctypes.c_int64 * len(words))(*words)
        done: int = entry.kept[0].sweep(
            entry, self.arguments, plan, order.ctypes.data + 8 * first * self.size, count, self.size
        )
        return done
