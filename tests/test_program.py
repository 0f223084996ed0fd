"""Programs: what the printer shows, and for each rule of the verifier a program that breaks it alone."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import pytest

from symdl.errors import ProgramError
from symdl.ir.loops import Apply, Checked, Const, For, Load, Position, Stmt, Store, View, contiguous
from symdl.ir.program import (
    FIRST_FAILURE,
    Binding,
    Buffer,
    Call,
    Check,
    Failure,
    If,
    Kernel,
    Kind,
    Loop,
    Program,
    Step,
    accesses,
    inner,
    may_fail,
    verify,
)
from symdl.types import Fact, Symbol, floor_divide, symbol

n, m, i, t = map(symbol, "nmit")
N, I, T = Symbol("n"), Symbol("i"), Symbol("t")
ONE = Const(1.0, "float64")
KINDS: dict[str, Kind] = {"x": "input", "w": "shared", "c": "constant", "a": "temp", "b": "temp", "out": "output"}
BUFFERS = {
    **{name: Buffer(name, "float64", (n,), kind) for name, kind in KINDS.items()},
    "flag": Buffer("flag", "bool", (), "input"),
    "index": Buffer("index", "int64", (n,), "input"),
    "size": Buffer("size", "int64", (), "input"),
    "square": Buffer("square", "float64", (n, n), "temp"),
}
FLAG = contiguous("flag", "bool", ())
CHECKED = Checked(Load(contiguous("index", "int64", (n,)), (i,)), n, FIRST_FAILURE)


def view(name: str) -> View:
    b = BUFFERS[name]
    return contiguous(b.name, b.dtype, b.shape)


def copy(source: str, target: str) -> Call:
    return Call("copy", (view(source), view(target)))


def kernel(*stores: Stmt) -> Kernel:
    return Kernel((For(I, n, stores),))


def read(source: str, target: str, at: Any = i) -> Kernel:
    return kernel(Store(view(target), (i,), Load(view(source), (at,))))


OUT = copy("x", "out")
FAILS = read("x", "a", CHECKED)
COMMIT = copy("x", "w")


def program(*steps: Step, **changes: Any) -> Program:
    sound = Program(
        BUFFERS,
        (Binding(N, "x", 0), Binding(Symbol("size"), "size", None)),
        (Check(Fact("<=", n, symbol("size")), -1),),
        steps,
        (Failure("index out of range", -1),),
    )
    return replace(sound, **changes)


def changed(name: str, **changes: Any) -> dict[str, Buffer]:
    return BUFFERS | {name: replace(BUFFERS[name], **changes)}


def test_sound_programs_pass() -> None:
    verify(program(OUT))
    verify(program(FAILS, copy("a", "out"), COMMIT))
    verify(program(Loop(T, n, (copy("x", "a"), read("a", "b", n - 1 - t))), If(FLAG, (OUT,), (copy("c", "out"),))))
    ended = Call("copy", (View("square", "float64", (n,), (1,), n * (n - 2 * floor_divide(n, 2))), view("out")))
    whole = Kernel((For(I, n, (Store(view("square"), (i, 0), ONE),)),))
    verify(program(whole, Loop(T, n, (Loop(Symbol("s"), t, ()),)), Loop(T, 2, ()), ended))
    verify(program(If(FLAG, (COMMIT,), (FAILS,)), OUT))  # either commits or fails
    verify(program(copy("x", "a"), copy("a", "a"), OUT))
    verify(program(copy("x", "a"), OUT, offsets={"a": 0}, slots=((8 * n,),)))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        # buffers, bindings, checks, slots
        (program(OUT, bindings=(Binding(N, "z", 0),)), "n is bound to z, which is not known at entry"),
        (program(OUT, bindings=(Binding(N, "a", 0),)), "n is bound to a, which is not known at entry"),
        (program(OUT, bindings=(Binding(N, "x", 1),)), "n is bound to axis 1 of x"),
        (program(OUT, bindings=(Binding(N, "flag", None),)), "n is bound to axis None of flag"),
        (program(OUT, bindings=(Binding(N, "index", None),)), "n is bound to axis None of index"),
        (program(OUT, buffers=BUFFERS | {"y": BUFFERS["x"]}), "x is listed as y"),
        (program(OUT, buffers=changed("a", shape=(m,))), r"\['m'\] unknown in the shape of a"),
        (program(OUT, checks=(Check(Fact("==", n, m), -1),)), r"\['m'\] unknown in a check"),
        (program(OUT, offsets={"a": 0}), "a has no place in arena slot 0"),
        (program(OUT, offsets={"z": 0}, slots=((8,),)), "z has no place in arena slot 0"),
        (program(OUT, offsets={"x": 0}, slots=((8,),)), "x has no place in arena slot 0"),
        # accesses
        (program(OUT, kernel(Store(contiguous("z", "float64", (n,)), (i,), ONE))), "unknown buffer z"),
        (program(OUT, Loop(T, n, (kernel(Store(contiguous("z", "float64", (n,)), (i,), ONE)),))), "unknown buffer z"),
        (program(OUT, Call("copy", (contiguous("x", "int64", (n,)), view("a")))), "x is viewed as int64"),
        (program(OUT, copy("c", "x")), "x must not be written"),
        (program(OUT, copy("x", "c")), "c must not be written"),
        (program(OUT, copy("a", "b")), "a is read before it is written"),
        (program(OUT, read("a", "b")), "a is read before it is written"),
        (program(OUT, copy("a", "a")), "a is read before it is written"),
        (program(OUT, If(FLAG, (copy("x", "a"),), ()), copy("a", "b")), "a is read before it is written"),
        (program(OUT, Loop(T, n, (copy("a", "b"), copy("x", "a")))), "a is read before it is written"),
        (program(OUT, Call("copy", (view("x"), replace(view("a"), offset=t)))), r"\['t'\] unknown in a view of a"),
        (program(OUT, Call("copy", (view("x"), replace(view("a"), strides=(t,))))), r"\['t'\] unknown in a view of a"),
        (program(OUT, Call("copy", (view("x"), replace(view("a"), shape=(t,))))), r"\['t'\] unknown in a view of a"),
        (program(OUT, Call("copy", (view("x"), replace(view("a"), strides=())))), "0 strides for the 1 axes of a"),
        (program(copy("x", "a")), r"outputs never written: \['out'\]"),
        (program(If(FLAG, (OUT,), ())), r"outputs never written: \['out'\]"),
        # kernels and calls
        (program(OUT, read("x", "a", t)), r"loop nest: \['t'\] unknown"),
        (program(OUT, kernel(Store(view("a"), (i,), Position(i)))), "int64 is stored into float64 a"),
        (program(OUT, Call("solve", (view("x"), view("a")))), "no library call solve of 2 views"),
        (program(OUT, Call("copy", (view("x"),) * 2 + (view("a"),))), "no library call copy of 3 views"),
        (program(OUT, Call("copy", (view("x"), view("square")))), r"copy of views of \[1, 2\] axes"),
        (program(OUT, Call("matmul", (view("x"), view("x"), view("a")))), r"matmul of views of \[1, 1, 1\] axes"),
        (program(OUT, Call("copy", (view("index"), view("a")))), r"copy of views of \['int64', 'float64'\]"),
        (
            program(OUT, kernel(Store(view("square"), (i, 0), ONE)), Call("matmul", (view("square"),) * 3)),
            "matmul writes square, which it reads",
        ),
        # control
        (program(OUT, Loop(T, m, ())), r"\['m'\] unknown in the steps of loop t"),
        (program(OUT, Loop(T, t, ())), r"\['t'\] unknown in the steps of loop t"),
        (program(OUT, Loop(T, n, (Loop(T, n, ()),))), "counter t is already in use"),
        (program(OUT, Loop(N, n, ())), "counter n is already in use"),
        (program(OUT, Loop(T, n, ()), read("x", "a", t)), r"loop nest: \['t'\] unknown"),
        (program(OUT, If(view("x"), (), ())), "the condition x is not one bool"),
        (program(OUT, If(view("size"), (), ())), "the condition size is not one bool"),
        # all or nothing
        (program(OUT, FAILS, failures=()), "no failure has the code 1000"),
        (program(OUT, COMMIT, FAILS), "a check that can fail comes after"),
        (program(OUT, COMMIT, Loop(T, n, (FAILS,))), "a check that can fail comes after"),
        (program(OUT, Loop(T, n, (FAILS, COMMIT))), "a check that can fail comes after"),  # in the next round
        (program(OUT, Loop(T, n, (FAILS, If(FLAG, (COMMIT,), ())))), "a check that can fail comes after"),
        (program(OUT, If(FLAG, (COMMIT,), ()), FAILS), "a check that can fail comes after"),
        (program(OUT, If(FLAG, (COMMIT, FAILS), ())), "a check that can fail comes after"),
        (program(OUT, read("x", "w", CHECKED)), "a check that can fail comes after"),  # at a later index
    ],
)
def test_each_rule_has_a_violation(broken: Program, message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        verify(broken)


def test_accesses_inner_and_may_fail() -> None:
    again = view("a")
    assert list(accesses(Call("copy", (again, again)))) == [(again, False), (again, True)]
    assert list(accesses(read("x", "a"))) == [(view("a"), True), (view("x"), False)]
    assert list(accesses(If(FLAG, (OUT,), ()))) == [(FLAG, False)]
    assert list(accesses(Loop(T, n, (OUT,)))) == []
    assert inner(OUT) == ()
    assert inner(Loop(T, n, (OUT,))) == ((OUT,),)
    assert inner(If(FLAG, (OUT,), (COMMIT,))) == ((OUT,), (COMMIT,))
    assert may_fail(Loop(T, n, (If(FLAG, (), (FAILS,)),)))
    assert not may_fail(Loop(T, n, (If(FLAG, (OUT,), (COMMIT,)),)))
    assert [b.name for b in program().of_kind("shared", "output")] == ["w", "out"]


def test_the_printer_shows_every_form() -> None:
    added = kernel(Store(view("a"), (i,), Apply("add", (Load(view("x"), (i,)), ONE), "float64")))
    part = Call("copy", (replace(view("a"), offset=t), view("b")))
    shown = Program(
        {name: BUFFERS[name] for name in ("x", "a", "flag")},
        (Binding(N, "x", 0), Binding(Symbol("size"), "size", None)),
        (Check(Fact("<=", n, symbol("size")), -1),),
        (added, Loop(T, n, (part,)), If(FLAG, (OUT,), (COMMIT,))),
    )
    assert str(shown) == (
        "input x: float64[n]\n"
        "temp a: float64[n]\n"
        "input flag: bool[]\n"
        "n = x.shape[0]\n"
        "size = size\n"
        "check n <= size\n"
        "kernel\n"
        "  for i in 0:n\n"
        "    a[i] = add(x[i], 1.0)\n"
        "loop t in 0:n\n"
        "  copy(a@t, b)\n"
        "if flag\n"
        "  copy(x, out)\n"
        "else\n"
        "  copy(x, w)\n"
    )


def test_a_program_survives_a_pickle() -> None:
    p = program(FAILS, copy("a", "out"), Loop(T, n, (COMMIT,)))
    again = pickle.loads(pickle.dumps(p))
    verify(again)
    assert str(again) == str(p)
    assert again.buffers == p.buffers
    assert again.steps[1:] == p.steps[1:]
