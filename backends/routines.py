"""Routines: functions of whole arrays, a library's or the user's own, called between the steps of a Program."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symdl.errors import ProgramError
from symdl.ir.program import Call, Program, Step, inner
from symdl.records import record

Array = np.ndarray[Any, Any]
Routine = Callable[..., Any]  # of its operands as arrays that are only read, to one array or a tuple of them
RAISED = -3  # a status of a run beside those of a Program and of entries: a routine raised an exception
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.POINTER(ctypes.c_int64))


class RoutineRaised(Exception):
    """What a routine raised, and the number of the user's node that it computes."""

    def __init__(self, error: BaseException, source: int) -> None:
        super().__init__(str(error))
        self.error, self.source = error, source


@record
class Signature:
    """How a Call of a routine passes its views: dtype and number of axes of each; the last ones are written."""

    views: tuple[tuple[str, int], ...]
    results: int
    source: int  # the user's node, or -1


def signatures(program: Program) -> tuple[Signature, ...]:
    """Those of all Calls of routines, by the number of the routine."""
    found: dict[int, Signature] = {}
    stack: list[Step] = list(program.steps)
    while stack:
        step = stack.pop()
        for body in inner(step):
            stack += body
        if isinstance(step, Call) and step.name == "routine":
            views = tuple((v.dtype, len(v.shape)) for v in step.views)
            found[step.routine] = Signature(views, step.results, min(step.sources, default=-1))
    if sorted(found) != list(range(len(found))):
        raise ProgramError(f"routines are numbered {sorted(found)}")
    return tuple(found[k] for k in range(len(found)))


def run(routine: Routine, operands: Sequence[Array], results: Sequence[Array], source: int) -> None:
    """results = routine(operands). Raises RoutineRaised for what the routine raises, and for results that do not fit."""
    for x in operands:
        x.flags.writeable = False
    try:
        made = routine(*operands)
        made = made if isinstance(made, tuple) else (made,)
        if len(made) != len(results):
            raise ValueError(f"it returned {len(made)} arrays, not {len(results)}")
        for target, value in zip(results, made, strict=True):
            array = np.asarray(value)
            if array.shape != target.shape:
                raise ValueError(f"it returned an array of shape {array.shape}, not {target.shape}")
            if not np.can_cast(array.dtype, target.dtype, "same_kind"):
                raise TypeError(f"it returned {array.dtype}, not {target.dtype}")
            target[...] = array
    except BaseException as error:  # an interrupt too: it must pass through machine code
        raise RoutineRaised(error, source) from error


class Table:
    """The routines of one Program in memory, as machine code calls them: callback(number, words).

    words: for each view its address, extents and strides (in elements). What a routine raised is kept, for each thread,
    until `raised` takes it.
    """

    def __init__(self, routines: Sequence[Routine], shapes: Sequence[Signature]) -> None:
        if len(routines) != len(shapes):
            raise ProgramError(f"{len(routines)} routines given for {len(shapes)}")
        self.routines, self.shapes = tuple(routines), tuple(shapes)
        self._failed = threading.local()
        self._callback = CALLBACK(self._call)
        self.address = ctypes.cast(self._callback, ctypes.c_void_p).value

    def _call(self, number: int, words: Any) -> int:
        shape, at = self.shapes[number], 0
        arrays = []
        for dtype, ndim in shape.views:
            arrays.append(
                array_at(words[at], dtype, words[at + 1 : at + 1 + ndim], words[at + 1 + ndim : at + 1 + 2 * ndim])
            )
            at += 1 + 2 * ndim
        first = len(arrays) - shape.results
        try:
            run(self.routines[number], arrays[:first], arrays[first:], shape.source)
        except RoutineRaised as error:
            self._failed.error = error
            return RAISED
        return 0

    def raised(self) -> RoutineRaised:
        """What stopped the last run of this thread."""
        error: RoutineRaised = self._failed.error
        del self._failed.error
        return error


def array_at(address: int, dtype: str, shape: Sequence[int], strides: Sequence[int]) -> Array:
    """Memory as an array. strides are in elements; an extent below 0 is empty."""
    kind = np.dtype(dtype)
    extents = [max(n, 0) for n in shape]
    if 0 in extents:
        return np.empty(extents, kind)
    reach = [(n - 1) * s for n, s in zip(extents, strides, strict=True)]
    low = sum(min(r, 0) for r in reach)
    count = sum(max(r, 0) for r in reach) - low + 1
    memory = (ctypes.c_char * (count * kind.itemsize)).from_address(address + low * kind.itemsize)
    steps = [s * kind.itemsize for s in strides]
    return np.ndarray(extents, kind, memory, -low * kind.itemsize, steps)  # type: ignore[arg-type]  # ctypes has buffers
