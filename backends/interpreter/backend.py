"""Runs a Program in NumPy, exactly as loops.py and program.py say: what every other backend is compared with.

Every access is checked against its view and its buffer. Outputs and temps start as garbage (NaN in floats), and temps
of one arena slot share memory, so that a wrong memory plan shows in the results.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symdl.backends.interpreter.evaluator import Evaluator, Failure, Memory
from symdl.backends.interpreter.lanes import Nest, NotIndependent, run_nest
from symdl.backends.routines import Routine, run
from symdl.convolution import PRODUCTS, bordered
from symdl.errors import InternalError
from symdl.ir.loops import Assign, Barrier, For, Guard, Local, Stmt, Store, View
from symdl.ir.program import Buffer, Call, If, Kernel, Loop, Program, Step
from symdl.number_forms import array_dtype, item_bytes
from symdl.records import record
from symdl.types import Extent, Symbol, size_at

POISON = 0x9B  # each byte of fresh memory of integers; floats start as NaN, bools as True
MIXED = 0xFF  # each byte of a slot that temps of several dtypes share: NaN in floats, -1 in integers


@record
class Interpreted:
    """status: 0 is success, 1 + k the k-th check at entry, else the code of a Checked; outputs are empty unless 0."""

    status: int
    outputs: dict[str, np.ndarray]
    sizes: dict[Symbol, int]


def interpret(
    program: Program, arrays: Mapping[str, np.ndarray], scalar: bool = False, routines: Sequence[Routine] = ()
) -> Interpreted:
    """Run the program on the arrays of its inputs, shared buffers (updated in place) and constants.

    scalar: one scalar at a time everywhere, the slow and plain way; else loops whose iterations turn out to be
    independent run as NumPy arrays, with the same results. routines: what Calls of routines call, by number. Raises
    InternalError on an access out of bounds, naming view and index, and on arrays that do not fit the program;
    RoutineRaised where a routine raises.
    """
    given = {b.name: array_for(b, arrays) for b in program.of_kind("input", "shared", "constant")}
    sizes = {
        b.symbol: int(given[b.buffer][()]) if b.axis is None else given[b.buffer].shape[b.axis]
        for b in program.bindings
    }
    for k, check in enumerate(program.checks):
        left, right = size_at(check.fact.left, sizes), size_at(check.fact.right, sizes)
        if not (left == right if check.fact.relation == "==" else left <= right):
            return Interpreted(1 + k, {}, sizes)
    for name, array in given.items():
        if array.shape != (declared := shape_at(program.buffers[name].shape, sizes)):
            raise InternalError(f"{name} has shape {array.shape}, and by the program's sizes {declared}")
    memory = allocate(program, given, sizes)
    machine = Machine(memory, dict(sizes), scalar, routines)
    try:
        with np.errstate(all="ignore"):
            machine.steps(program.steps)
    except Failure as failure:
        return Interpreted(failure.status, {}, sizes)
    finally:
        for b in program.of_kind("shared"):
            if not np.shares_memory(memory.flat[b.name], given[b.name]):  # it was not in C order: a copy ran
                given[b.name][...] = memory.flat[b.name].reshape(given[b.name].shape)
    outputs = {b.name: memory.flat[b.name].reshape(shape_at(b.shape, sizes)) for b in program.of_kind("output")}
    return Interpreted(0, outputs, sizes)


def array_for(buffer: Buffer, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """The caller's array of a buffer, of the right dtype and number of axes."""
    if buffer.name not in arrays:
        raise InternalError(f"no array was given for {buffer.kind} {buffer.name}")
    array = np.asarray(arrays[buffer.name])
    if array.dtype != buffer.dtype or array.ndim != len(buffer.shape):
        raise InternalError(
            f"{buffer.name} is {buffer.dtype} of {len(buffer.shape)} axes, not {array.dtype} of {array.ndim}"
        )
    return array


def shape_at(shape: tuple[Extent, ...], sizes: Mapping[Symbol, int]) -> tuple[int, ...]:
    """The numbers of a shape; an extent below 0 is empty."""
    return tuple(max(0, size_at(n, sizes)) for n in shape)


def allocate(program: Program, given: Mapping[str, np.ndarray], sizes: Mapping[Symbol, int]) -> Memory:
    """The given arrays in place, and poisoned memory for outputs and temps."""
    flat = {name: array.reshape(-1) for name, array in given.items()}
    home: dict[str, object] = {name: name for name in program.buffers}
    slots: dict[int, np.ndarray] = {}
    for slot in set(program.offsets.values()):
        dtypes = {program.buffers[name].dtype for name, k in program.offsets.items() if k == slot}
        count = max(0, *(size_at(e, sizes) for e in program.slots[slot]))
        slots[slot] = poisoned(count, dtypes.pop()) if len(dtypes) == 1 else np.full(count, MIXED, np.uint8)
    for b in program.of_kind("output", "temp"):
        bytes_ = math.prod(shape_at(b.shape, sizes)) * item_bytes(b.dtype)
        if b.name in program.offsets:
            whole = slots[program.offsets[b.name]]
            if bytes_ > whole.size:
                raise InternalError(f"{b.name} needs {bytes_} bytes, and its slot has {whole.size}")
            home[b.name] = program.offsets[b.name]
        else:
            whole = poisoned(bytes_, b.dtype)
        flat[b.name] = whole[:bytes_].view(array_dtype(b.dtype))
    return Memory(flat, home)


def poisoned(count: int, dtype: str) -> np.ndarray:
    """count bytes of garbage that is easily known in results of this dtype."""
    if dtype.startswith("float"):
        kind = dtype if dtype == "float32" else "float64"  # of the limbs of number forms, too
        return np.full(count // np.dtype(kind).itemsize, np.nan, kind).view(np.uint8)
    return np.full(count, 1 if dtype == "bool" else POISON, np.uint8)


class Machine(Evaluator):
    """One scalar at a time, but for nests that run_nest can do at once."""

    def __init__(
        self, memory: Memory, sizes: dict[Symbol, int], scalar: bool, routines: Sequence[Routine] = ()
    ) -> None:
        super().__init__(memory)
        self.sizes, self.scalar, self.routines = sizes, scalar, routines
        self.nests: dict[int, Nest | None] = {}  # by id of a For; None: it was not independent

    def extent(self, extent: Extent) -> int:
        return size_at(extent, self.sizes)

    def within(self, place: int, extent: int) -> bool:
        return 0 <= place < extent

    def guard(self, item: Guard) -> Any:
        inside = all(self.within(self.extent(i), self.extent(n)) for i, n in item.bounds)
        self.scopes.append({})
        found = self.value(item.value if inside else item.other)
        self.scopes.pop()
        return found

    def steps(self, steps: tuple[Step, ...]) -> None:
        """Steps of a Program, in order."""
        for s in steps:
            match s:
                case Kernel(body):
                    self.names = {}
                    self.statements(body)
                case Call("routine", views):
                    made = [self.window(v) for v in views[len(s.operands) :]]
                    run(self.routines[s.routine], list(map(self.window, s.operands)), made, min(s.sources, default=-1))
                case Call(name, views):
                    call(name, [self.window(v) for v in views], s.window, shape_at(s.borders, self.sizes))
                    self.names = {}
                    self.statements(s.epilogue)
                case Loop(counter, extent, body):
                    count = max(0, self.extent(extent))
                    for k in range(count):
                        self.sizes[counter] = k
                        self.steps(body)
                        if s.stop is not None and self.window(s.stop).reshape(())[()]:
                            break
                case If(condition, then, other):
                    self.steps(then if self.window(condition).reshape(())[()] else other)

    def statements(self, body: tuple[Stmt, ...]) -> None:
        """Statements of a loop nest, in order."""
        for s in body:
            self.begin()
            match s:
                case Local(name, value) | Assign(name, value):
                    self.names[name] = self.value(value)
                case Store(view, at, value):
                    found, address = self.value(value), self.address(view, at)
                    self.memory.flat[view.buffer][address] = found
                case For(index, extent, inner):
                    if not self.at_once(s):
                        for k in range(self.extent(extent)):
                            self.sizes[index] = k
                            self.statements(inner)
                        self.sizes.pop(index, None)
                case Barrier():
                    pass

    def at_once(self, outer: For) -> bool:
        """Whether all iterations of a nest were run together."""
        if self.scalar:
            return False
        if id(outer) not in self.nests:
            self.nests[id(outer)] = Nest(outer)
        nest = self.nests[id(outer)]
        if nest is None:
            return False
        try:
            run_nest(nest, self.memory, self.sizes, self.name)
        except NotIndependent:
            self.nests[id(outer)] = None
            return False
        return True

    def window(self, view: View) -> np.ndarray:
        """A view as an array on the buffer's own memory."""
        whole = self.memory.flat[view.buffer]
        shape = shape_at(view.shape, self.sizes)
        if 0 in shape:
            return np.empty(shape, array_dtype(view.dtype))
        offset, strides = self.extent(view.offset), [self.extent(n) for n in view.strides]
        reach = [(n - 1) * stride for n, stride in zip(shape, strides, strict=True)]
        low, high = offset + sum(min(0, r) for r in reach), offset + sum(max(0, r) for r in reach)
        if low < 0 or high >= whole.size:
            raise InternalError(
                f"access out of bounds: a view of {view.buffer} of shape {shape} and strides {strides} reaches "
                f"elements {low} to {high} of {whole.size}"
            )
        return np.lib.stride_tricks.as_strided(whole[offset:], shape, [n * whole.itemsize for n in strides])


def call(name: str, windows: list[np.ndarray], sliding: tuple[int, ...] = (), borders: tuple[int, ...] = ()) -> None:
    """A library call; the last window is written. Operands are read before anything is. sliding, borders: the window of a
    convolution, and what stands before its images."""
    *operands, target = windows
    if name == "copy":
        found = operands[0].copy()
    elif name == "matmul":
        found = np.matmul(*operands)
    elif name in PRODUCTS:
        groups, *rest = sliding
        axes = len(rest) // 2
        shape = () if name == "convolve" else (target.shape[2:],)
        if borders:
            x, f = operands
            operands[0] = bordered(x, borders, f.shape[2:], target.shape[2:], rest[:axes], rest[axes:])
        found = PRODUCTS[name](*operands, rest[:axes], rest[axes:], groups, *shape)
    else:
        raise InternalError(f"no library call {name}")
    if found.shape != target.shape:
        raise InternalError(f"{name} makes shape {found.shape} for a view of shape {target.shape}")
    target[...] = found
