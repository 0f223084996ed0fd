"""Small Programs of named vectors and squares, for the tests of memory."""

from __future__ import annotations

from symdl.ir.loops import Apply, Const, For, Load, Stmt, Store, Value, View, contiguous
from symdl.ir.program import Binding, Buffer, Call, Failure, Kernel, Kind, Program, Step, verify
from symdl.types import Extent, Symbol, floor_divide, symbol

n, m, i, j, t = map(symbol, "nmijt")
I, J = Symbol("i"), Symbol("j")
SLOT, END = t - 2 * floor_divide(t, 2), n - 2 * floor_divide(n, 2)  # of a ring of two rows


def buffers(kind: Kind, names: str, *shape: Extent, dtype: str = "float64") -> list[Buffer]:
    return [Buffer(name, dtype, shape, kind) for name in names.split()]


G = buffers("input", "g", n)


def program(declared: list[Buffer], *steps: Step) -> Program:
    bindings: dict[Symbol, Binding] = {}
    for b in declared:
        for axis, e in enumerate(b.shape):
            if b.kind in ("input", "shared") and str(e).isalpha():
                bindings.setdefault(Symbol(str(e)), Binding(Symbol(str(e)), b.name, axis))
    made = Program(
        {b.name: b for b in declared}, tuple(bindings.values()), (), steps, (Failure("index out of range", -1),)
    )
    verify(made)
    return made


def vector(name: str) -> View:
    return contiguous(name, "float64", (n,))


def square(name: str) -> View:
    return contiguous(name, "float64", (n, n))


def at(name: str) -> Load:
    return Load(vector(name), (i,))


def op(primitive: str, *args: Value, dtype: str = "float64") -> Apply:
    return Apply(primitive, args, dtype)


def number(x: float) -> Const:
    return Const(x, "float64")


def put(name: str, value: Value) -> Store:
    return Store(vector(name), (i,), value)


def each(*statements: Stmt) -> Kernel:
    return Kernel((For(I, n, statements),))


def each_pair(*statements: Stmt) -> Kernel:
    return Kernel((For(I, n, (For(J, n, statements),)),))


def copies(p: Program) -> list[tuple[str, str]]:
    return [(s.views[0].buffer, s.views[1].buffer) for s in p.steps if isinstance(s, Call) and s.name == "copy"]
