"""Loops that machine code takes in vectors: the interpreter's numbers, and what must not be taken so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from llvm_programs import CPU, I, J, apply, at, bind, buffer, i, j, loop, m, n, p, program, run, v

from symdl.backends.interpreter.backend import interpret
from symdl.backends.llvm import emit
from symdl.backends.llvm.module import Target
from symdl.backends.llvm.plans import plan_for
from symdl.ir.loops import Assign, Checked, Const, For, Guard, Local, Position, Ref, Stmt, Store, View
from symdl.ir.program import FIRST_FAILURE, Kernel
from symdl.types import floor_divide


def plan(*body: Stmt) -> Any:
    return plan_for(For(I, n, body), 32)


@pytest.mark.parametrize("primitive", ["add", "mul", "maximum", "minimum", "bitwise_xor"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_running_totals_of_whole_vectors(dtype: str, primitive: str, rng: np.random.Generator) -> None:
    """In another order than one after the other, within some units of the last place; the last total goes on."""
    if primitive == "bitwise_xor" and dtype != "int64":
        return
    total = Ref("a", dtype)
    body = (
        Assign("a", apply(primitive, total, at(v("x", n, dtype=dtype), i), dtype=dtype)),
        Store(v("o", n, dtype=dtype), (i,), apply("add", total, at(v("x", n, dtype=dtype), i), dtype=dtype)),
    )
    assert plan(*body) is None
    assert plan_for(For(I, n, body, "vector"), 32, running=True).running == {"a"}  # type: ignore[union-attr]  # not None
    assert plan_for(For(I, n, tuple(reversed(body)), "vector"), 32, running=True) is None  # used before it is added to
    made = program(
        [
            buffer("x", "input", n, dtype=dtype),
            buffer("o", "output", n, dtype=dtype),
            buffer("l", "output", dtype=dtype),
        ],
        Kernel((Local("a", Const(1, dtype)), For(I, n, body, "vector"), Store(v("l", dtype=dtype), (), total))),
    )
    for size in (0, 1, 3, 4, 8, 9, 31, 100):
        x = rng.integers(1, 9, size).astype(dtype) if dtype == "int64" else rng.uniform(0.9, 1.1, size).astype(dtype)
        expected = interpret(made, {"x": x}).outputs
        executable, bound = bind(made, x=x)
        status, found = executable.execute(bound)
        assert status == 0
        for array, name in zip(found, "ol", strict=True):
            np.testing.assert_allclose(array, expected[name], rtol=1e-5 if dtype == "float32" else 1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_what_is_left_is_taken_once(dtype: str, step: int, rng: np.random.Generator) -> None:
    """Of floats that are picked out of a row, and of what is computed in place after them."""
    x, y, out = View("x", dtype, (n,), (step,), 0), v("y", dtype=dtype), v("o", n, dtype=dtype)
    picked = Store(out, (i,), apply("maximum", apply("mul", at(x, i), at(y), dtype=dtype), at(x, i), dtype=dtype))
    again = Store(out, (i,), apply("tanh", at(out, i), dtype=dtype))
    made = program(
        [
            buffer("x", "input", n, step, dtype=dtype),
            buffer("y", "input", dtype=dtype),
            buffer("o", "output", n, dtype=dtype),
        ],
        Kernel((For(I, n, (picked,)), For(I, n, (again,)))),
    )
    executable, half = CPU.compile(made), np.asarray(0.5, dtype)

    def found(x: Any) -> Any:
        status, (array,) = executable.execute(executable.bind([x, half]))
        assert status == 0
        return array

    rows = rng.normal(size=(70, step)).astype(dtype)
    rows[::7] = np.nan
    most = found(rows)
    for size in range(70):
        np.testing.assert_array_equal(found(rows[:size].copy()), most[:size])
    with np.errstate(invalid="ignore"):
        expected = np.tanh(np.maximum(rows[:, 0] * half, rows[:, 0]))
    np.testing.assert_allclose(most, expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint8"])
def test_whole_vectors_and_what_is_left(dtype: str, rng: np.random.Generator) -> None:
    x, y, out = v("x", n, dtype=dtype), v("y", n * 3, dtype=dtype), v("o", n, dtype=dtype)
    backwards, every_third = View("x", dtype, (n,), (-1,), n - 1), View("y", dtype, (n,), (3,), 1)
    value = apply("add", apply("mul", at(x, i), at(backwards, i), dtype=dtype), at(every_third, i), dtype=dtype)
    value = apply("add", value, apply("cast", Position(2 * n - 5 * i), dtype=dtype), dtype=dtype)
    small = apply("lt", at(x, i), at(x, 0), dtype="bool")
    body = (
        Store(out, (i,), apply("where", apply("invert", small, dtype="bool"), value, at(y, 0), dtype=dtype)),
        Store(v("b", n, dtype="bool"), (i,), small),
        Store(v("c", n, dtype="bool"), (i,), at(v("b", n, dtype="bool"), i)),
    )
    made = program(
        [
            buffer("x", "input", n, dtype=dtype),
            buffer("y", "input", 3 * n, dtype=dtype),
            buffer("o", "output", n, dtype=dtype),
            buffer("b", "output", n, dtype="bool"),
            buffer("c", "output", n, dtype="bool"),
        ],
        Kernel((For(I, n, body),)),
    )
    assert plan(*body).lanes == min(32 // np.dtype(dtype).itemsize, 16)
    executable = CPU.compile(made)
    for size in (0, 1, 3, 4, 5, 8, 15, 16, 17, 31, 40):
        a, b = rng.integers(0, 100, size).astype(dtype), rng.integers(0, 100, 3 * size).astype(dtype)
        expected = interpret(made, {"x": a, "y": b}).outputs
        status, found = executable.execute(executable.bind([a, b]))
        assert status == 0
        for array, name in zip(found, "obc", strict=True):
            np.testing.assert_array_equal(array, expected[name])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "int64", "bool"])
@pytest.mark.parametrize("primitive", ["add", "mul", "maximum", "minimum", "bitwise_xor", "bitwise_or", "bitwise_and"])
def test_sums_in_vectors(dtype: str, primitive: str, rng: np.random.Generator) -> None:
    if ("bitwise" in primitive) == dtype.startswith("float") or (dtype == "bool" and "bitwise" not in primitive):
        return
    x, total = v("x", n, m, dtype=dtype), Ref("a", dtype)
    add = Assign("a", apply(primitive, total, at(x, i, j), dtype=dtype))
    made = program(
        [buffer("x", "input", n, m, dtype=dtype), buffer("o", "output", n, dtype=dtype)],
        Kernel(
            (loop(i, n, Local("a", Const(1, dtype)), loop(j, m, add), Store(v("o", n, dtype=dtype), (i,), total)),),
        ),
    )
    assert plan_for(For(J, m, (add,)), 32) is not None
    executable = CPU.compile(made)
    for columns in (0, 1, 3, 16, 37):
        a = (rng.standard_normal((3, columns)) * 3).astype(dtype)
        if dtype.startswith("float") and columns == 37:
            a[1, 20] = np.nan
        expected = interpret(made, {"x": a}).outputs["o"]
        np.testing.assert_array_equal(executable.execute(executable.bind([a]))[1][0], expected)


def test_variables_and_guards_in_vectors(rng: np.random.Generator) -> None:
    # A variable of the body, a guard on the row with gathers inside, a value that is the same in a row, and in place.
    row = at(v("r", n, dtype="int64"), i)
    gathered = Guard(((i - 1, n),), at(v("x", n, m), row, j), at(v("x", n, m), 0, j))
    made = program(
        [
            buffer("x", "input", n, m),
            buffer("r", "input", n, dtype="int64"),
            buffer("o", "output", n, m),
        ],
        Kernel(
            (
                loop(
                    i,
                    n,
                    loop(
                        j,
                        m,
                        Local("a", apply("add", gathered, apply("sqrt", apply("cast", row)))),
                        Store(v("o", n, m), (i, j), apply("mul", Ref("a", "float64"), Ref("a", "float64"))),
                        Assign("a", apply("sub", Ref("a", "float64"), at(v("o", n, m), i, j))),
                        Store(v("o", n, m), (i, j), apply("add", at(v("o", n, m), i, j), Ref("a", "float64"))),
                    ),
                ),
            )
        ),
    )
    for columns in (1, 4, 9):
        run(made, x=rng.standard_normal((3, columns)), r=np.array([2, 0, 1]))


def test_loops_that_must_not_be_taken_in_vectors() -> None:
    x, out, one, total = v("x", n), v("o", n), Const(1.0, "float64"), Ref("a", "float64")
    put = Store(out, (i,), at(x, i))
    assert plan(put).lanes == plan(Store(out, (2 * i,), at(x, i))).lanes == 4
    row = Checked(at(v("r", n, dtype="int64"), 0), n, FIRST_FAILURE)  # the same in all rounds
    assert plan(Store(out, (i,), at(v("y", n, n), row, i))).lanes == 4
    assert plan(Store(out, (i,), at(x, floor_divide(i, 2)))).lanes == 4  # an element for two rounds
    assert plan(Store(out, (i,), at(x, floor_divide(i, 4)))).lanes == 4  # for a whole vector
    square = v("o", n, n)
    assert plan(Store(square, (row, i), apply("add", at(square, row, i), at(x, i)))).lanes == 4
    refused: list[tuple[Stmt, ...]] = [
        (Store(square, (row, i), apply("add", at(square, 0, i), at(x, i))),),  # perhaps the same row
        (Store(out, (0,), at(x, i)),),  # one place
        (Store(out, (n - 1 - i,), at(x, i)),),
        (Store(out, (i + 1,), at(out, i)),),  # reads what an iteration before wrote
        (Store(out, (i,), at(out, 0)),),
        (put, Store(out, (i + 1,), one)),
        (Store(out, (i,), Guard(((i, m),), at(x, i), one)),),
        (Store(out, (i,), at(x, Checked(at(v("r", n, dtype="int64"), i), n, FIRST_FAILURE))),),
        (Store(out, (i,), at(x, at(v("r", n, dtype="int64"), i))),),
        (Store(out, (at(v("r", n, dtype="int64"), i),), one),),
        (Store(out, (i,), at(x, floor_divide(i, 3))),),
        (Store(out, (i,), at(x, floor_divide(i + 1, 2))),),
        (Store(out, (i,), at(x, 2 * floor_divide(i, 2))),),
        (Store(out, (i,), at(out, floor_divide(i, 2))),),
        (Store(out, (i,), at(x, i * i)),),
        (Store(out, (i,), apply("cast", Position(floor_divide(i, 2)))),),
        (Assign("a", apply("sub", total, at(x, i))),),
        (Assign("a", apply("add", total, total)),),
        (Assign("a", apply("add", total, at(x, i))), Store(out, (i,), total)),  # a running sum
        (Assign("a", apply("add", total, at(x, i))), Assign("a", apply("add", total, one))),
        (Assign("a", apply("add", total, apply("mul", total, at(x, i)))),),
        (Store(out, (i,), total), Local("a", at(x, i))),  # of the iteration before
        (loop(j, n, put),),
    ]
    running = apply("add", total, at(x, i))
    refused.append((Assign("a", running), Store(out, (i,), running)))
    for body in refused:
        assert plan(*body) is None, body
    assert plan_for(For(I, 3, (put,)), 32) is None
    assert plan_for(For(I, n, (put,)), 0) is None


def test_what_no_iteration_needs_is_not_read_ahead() -> None:
    # Of an empty row nothing may be loaded, not even what is the same in all of its columns.
    made = program(
        [buffer("x", "input", n, m), buffer("y", "input", p), buffer("o", "output", n, m)],
        Kernel((loop(i, n, loop(j, m, Store(v("o", n, m), (i, j), at(v("y", p), 1 << 50)))),)),
    )
    executable = CPU.compile(made)
    assert executable.execute(executable.bind([np.zeros((5, 0)), np.zeros(0)]))[0] == 0


def test_values_that_do_not_change_stand_before_the_loop() -> None:
    made = program(
        [buffer("x", "input", n, m), buffer("y", "input", n), buffer("o", "output", n, m)],
        Kernel(
            (
                loop(
                    i,
                    n,
                    loop(
                        j,
                        m,
                        Store(
                            v("o", n, m), (i, j), apply("add", at(v("x", n, m), i, j), apply("sqrt", at(v("y", n), i)))
                        ),
                    ),
                ),
            ),
        ),
    )
    text = emit(made, CPU.machine.target())
    assert "@llvm.sqrt.v" not in text
    assert text.count("= call double @llvm.sqrt.f64") == 2  # ahead of the vectors, and of the rest
    x, y = np.ones((2, 9)), np.array([4.0, 9.0])
    np.testing.assert_array_equal(run(made, x=x, y=y)["o"], x + np.sqrt(y)[:, None])


@pytest.mark.parametrize("asks", [True, False])
def test_only_where_it_gains_is_memory_asked_for(asks: bool) -> None:
    """By a sum along one row."""
    total = Ref("a", "float32")
    adding = For(
        I, n, (Assign("a", apply("add", total, at(v("x", n, dtype="float32"), i), dtype="float32")),), "vector"
    )
    made = program(
        [buffer("x", "input", n, dtype="float32"), buffer("o", "output", dtype="float32")],
        Kernel((Local("a", Const(0, "float32")), adding, Store(v("o", dtype="float32"), (), total))),
    )
    text = emit(made, Target(fma=True, vector_bytes=32, asks=asks))
    assert ("prefetch" in text) == asks
