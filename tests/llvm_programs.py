"""Programs for the tests of machine code: made by hand, run there and by the interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from symdl.backends.base import Bound
from symdl.backends.cpu.backend import CpuBackend
from symdl.backends.cpu.executable import CpuExecutable
from symdl.backends.interpreter.backend import interpret
from symdl.ir.loops import Apply, For, Load, Stmt, Value, View, contiguous
from symdl.ir.program import Binding, Buffer, Call, Check, Failure, Kind, Program, Step, verify
from symdl.types import Extent, Symbol, symbol

n, m, p, i, j, k, t = map(symbol, "nmpijkt")
I, J, K, T = Symbol("i"), Symbol("j"), Symbol("k"), Symbol("t")
DTYPES = ("bool", *(f"{s}int{b}" for b in (8, 16, 32, 64) for s in ("", "u")), "float32", "float64")
CPU = CpuBackend()
Array = NDArray[Any]


def buffer(name: str, kind: Kind, *shape: Extent, dtype: str = "float64") -> Buffer:
    return Buffer(name, dtype, shape, kind)


def program(
    buffers: list[Buffer], *steps: Step, checks: tuple[Check, ...] = (), failures: int = 0, **arena: Any
) -> Program:
    """Sizes bind where an axis of an input or a shared buffer is one symbol, for the first time."""
    bound: dict[Symbol, Binding] = {}
    for b in buffers:
        for axis, extent in enumerate(b.shape):
            if b.kind in ("input", "shared") and extent in (n, m, p) and Symbol(str(extent)) not in bound:
                bound[Symbol(str(extent))] = Binding(Symbol(str(extent)), b.name, axis)
    bindings = (*bound.values(), *arena.pop("bindings", ()))
    temps = [b for b in buffers if b.kind == "temp"]
    offsets = arena.pop("offsets", {b.name: at for at, b in enumerate(temps)})
    slots = arena.pop("slots", tuple((_bytes(b),) for b in temps))
    made = Program({b.name: b for b in buffers}, bindings, checks, steps, (Failure("", -1),) * failures, offsets, slots)
    verify(made)
    return made


def _bytes(b: Buffer) -> Extent:
    count: Extent = np.dtype(b.dtype).itemsize
    for extent in b.shape:
        count = count * extent
    return count


def v(name: str, *shape: Extent, dtype: str = "float64", offset: Extent = 0) -> View:
    return contiguous(name, dtype, shape, offset)


def at(view: View, *index: Any) -> Load:
    return Load(view, index)


def apply(primitive: str, *args: Value, dtype: str = "float64") -> Apply:
    return Apply(primitive, args, dtype)


def loop(index: Extent, extent: Extent, *body: Stmt) -> For:
    return For(Symbol(str(index)), extent, body)


def run(made: Program, **arrays: Array) -> dict[str, Array]:
    """What machine code computes, having compared outputs and shared arrays with the interpreter's, bit for bit."""
    expected_shared = {b.name: arrays[b.name].copy() for b in made.of_kind("shared")}
    expected = interpret(made, {**arrays, **expected_shared})
    executable, bound = bind(made, **arrays)
    assert bound.status == expected.status == 0
    assert bound.sizes == expected.sizes
    status, outputs = executable.execute(bound)
    assert status == 0
    found = {b.name: o for b, o in zip(made.of_kind("output"), outputs, strict=True)}
    for name, array in found.items():
        np.testing.assert_array_equal(array, expected.outputs[name], strict=True)
    for name, array in expected_shared.items():
        np.testing.assert_array_equal(arrays[name], array, strict=True)
    return found


def bind(made: Program, **arrays: Array) -> tuple[CpuExecutable, Bound]:
    given = {kind: [arrays[b.name] for b in made.of_kind(kind)] for kind in ("input", "shared", "constant")}
    executable = CPU.compile(made, given["constant"])
    return executable, executable.bind(given["input"], given["shared"])


def copies(a: View, c: View) -> Call:
    return Call("copy", (a, c))
