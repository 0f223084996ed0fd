"""Programs in machine code: the interpreter's numbers, statuses, interrupts, threads."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from work import superlinear

from symdl.backends.base import Bound
from symdl.backends.cpu import CpuBackend, CpuExecutable
from symdl.backends.interface import Interface
from symdl.backends.interpreter import interpret
from symdl.backends.llvm import emit
from symdl.backends.llvm.chunks import cost, weight
from symdl.backends.llvm.kernels import signature
from symdl.backends.llvm.library import is_block, merged_axes
from symdl.backends.llvm.plans import plan_for
from symdl.backends.llvm.steps import stacked_rows
from symdl.errors import ProgramError
from symdl.loops import (
    Apply,
    Assign,
    Barrier,
    Checked,
    Const,
    For,
    Guard,
    Load,
    Local,
    Position,
    Ref,
    Stmt,
    Store,
    Value,
    View,
    contiguous,
)
from symdl.program import (
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
    verify,
)
from symdl.types import Extent, Fact, Symbol, floor_divide, largest, smallest, symbol

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


# ---- kernels ----


def test_elementwise_and_reduction_share_a_loop(rng: np.random.Generator) -> None:
    x, y = v("x", n, m), v("y", m)
    total = Ref("total", "float64")
    made = program(
        [buffer("x", "input", n, m), buffer("y", "input", m), buffer("o", "output", n, m), buffer("s", "output", n)],
        Kernel(
            (
                loop(
                    i,
                    n,
                    Local("total", Const(0.0, "float64")),
                    loop(
                        j,
                        m,
                        Store(v("o", n, m), (i, j), apply("mul", at(x, i, j), at(y, j))),
                        Assign("total", apply("add", total, at(x, i, j))),
                    ),
                    Store(v("s", n), (i,), total),
                ),
            )
        ),
    )
    for shape in ((3, 5), (1, 1), (0, 4), (4, 0), (33, 17)):
        a, b = rng.standard_normal(shape), rng.standard_normal(shape[1])
        found = run(made, x=a, y=b)
        np.testing.assert_array_equal(found["o"], a * b)
        np.testing.assert_allclose(found["s"], a.sum(axis=1))


def test_sums_of_floats_keep_their_order() -> None:
    made = program(
        [buffer("x", "input", n, dtype="float32"), buffer("s", "output", dtype="float32")],
        Kernel(
            (
                Local("total", Const(0.0, "float32")),
                loop(
                    i,
                    n,
                    Assign(
                        "total",
                        apply("add", Ref("total", "float32"), at(v("x", n, dtype="float32"), i), dtype="float32"),
                    ),
                ),
                Store(v("s", dtype="float32"), (), Ref("total", "float32")),
            )
        ),
    )
    x = np.tile(np.array([1e8, 1.0, -1e8, 1.0], np.float32), 64)
    assert run(made, x=x)["s"] == 1.0  # left to right, the first 1 of each four is lost and each 1e8 cancels


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_in_memory(dtype: str, rng: np.random.Generator) -> None:
    size, x = 37, v("x", n, dtype=dtype)
    other = "float32" if dtype == "float64" else "float64"
    made = program(
        [
            buffer("x", "input", n, dtype=dtype),
            buffer("same", "output", n, dtype=dtype),
            buffer("cast", "output", n, dtype=other),
            buffer("small", "output", n, dtype="bool"),
        ],
        Kernel(
            (
                loop(
                    i,
                    n,
                    Store(
                        v("same", n, dtype=dtype),
                        (i,),
                        apply(
                            "where",
                            apply("lt", at(x, i), at(x, 0), dtype="bool"),
                            at(x, i),
                            Const(1, dtype),
                            dtype=dtype,
                        ),
                    ),
                    Store(v("cast", n, dtype=other), (i,), apply("cast", at(x, i), dtype=other)),
                    Store(v("small", n, dtype="bool"), (i,), apply("eq", at(x, i), at(x, 0), dtype="bool")),
                ),
            )
        ),
    )
    values = rng.integers(0, 256, size).astype(dtype) if dtype != "bool" else rng.integers(0, 2, size).astype(bool)
    found = run(made, x=values)
    np.testing.assert_array_equal(found["same"], np.where(values < values[0], values, np.array(1, dtype)))
    np.testing.assert_array_equal(found["cast"], values.astype(other))


def test_integers_wrap() -> None:
    x = v("x", n, dtype="int8")
    made = program(
        [buffer("x", "input", n, dtype="int8"), buffer("o", "output", n, dtype="int8")],
        Kernel((loop(i, n, Store(v("o", n, dtype="int8"), (i,), apply("mul", at(x, i), at(x, i), dtype="int8"))),)),
    )
    values = np.arange(-128, 128).astype(np.int8)
    np.testing.assert_array_equal(run(made, x=values)["o"], values * values)


def test_views_transpose_slice_and_stretch(rng: np.random.Generator) -> None:
    turned = View("x", "float64", (m, n), (1, m))  # x.T
    backwards = View("y", "float64", (n,), (-1,), n - 1)  # y[::-1]
    made = program(
        [buffer("x", "input", n, m), buffer("y", "input", n), buffer("o", "output", m, n)],
        Kernel(
            (loop(j, m, loop(i, n, Store(v("o", m, n), (j, i), apply("add", at(turned, j, i), at(backwards, i))))),),
        ),
    )
    x, y = rng.standard_normal((5, 9)), rng.standard_normal(5)
    np.testing.assert_array_equal(run(made, x=x, y=y)["o"], x.T + y[::-1])


def test_inputs_in_any_order_are_copied(rng: np.random.Generator) -> None:
    made = program(
        [buffer("x", "input", n, m), buffer("o", "output", n, m)],
        Kernel((loop(i, n, loop(j, m, Store(v("o", n, m), (i, j), at(v("x", n, m), i, j)))),)),
    )
    x = rng.standard_normal((6, 8))
    for given in (x.T, x[::2, 1:], np.asfortranarray(x), np.broadcast_to(x[0], (3, 8))):
        np.testing.assert_array_equal(run(made, x=given)["o"], given)


def test_guard_pads_and_evaluates_only_the_side_it_takes(rng: np.random.Generator) -> None:
    # o = pad(x, 2): indices outside would leave the buffer; the other side is checked and must fail only if taken.
    inside = Guard(((i - 2, n),), at(v("x", n), i - 2), Const(-1.0, "float64"))
    never = Guard(((i, n + 4),), Const(0.0, "float64"), at(v("x", n), Checked(Const(-1, "int64"), n, FIRST_FAILURE)))
    made = program(
        [buffer("x", "input", n), buffer("o", "output", n + 4)],
        Kernel((loop(i, n + 4, Store(v("o", n + 4), (i,), apply("add", inside, never))),)),
        failures=1,
    )
    x = rng.standard_normal(7)
    np.testing.assert_array_equal(run(made, x=x)["o"], np.pad(x, 2, constant_values=-1.0))


def test_gather_checks_its_indices() -> None:
    index = Checked(at(v("r", m, dtype="int64"), i), n, FIRST_FAILURE + 1)
    made = program(
        [buffer("x", "input", n), buffer("r", "input", m, dtype="int64"), buffer("o", "output", m)],
        Kernel((loop(i, m, Store(v("o", m), (i,), at(v("x", n), index))),)),
        failures=2,
    )
    x = np.arange(5) * 1.5
    rows = np.array([4, 0, 0, 3])
    np.testing.assert_array_equal(run(made, x=x, r=rows)["o"], x[rows])
    for bad in (5, -1, 1 << 40):
        wrong = np.array([1, bad, 2])
        assert interpret(made, {"x": x, "r": wrong}).status == FIRST_FAILURE + 1
        executable, bound = bind(made, x=x, r=wrong)
        assert executable.execute(bound) == (FIRST_FAILURE + 1, ())


def test_gather_by_unsigned_bytes() -> None:
    rows = at(v("r", m, dtype="uint8"), i)
    made = program(
        [buffer("x", "input", n), buffer("r", "input", m, dtype="uint8"), buffer("o", "output", m)],
        Kernel((loop(i, m, Store(v("o", m), (i,), at(v("x", n), rows))),)),
    )
    x = np.arange(256) * 1.0
    assert run(made, x=x, r=np.array([200, 255, 0], np.uint8))["o"].tolist() == [200.0, 255.0, 0.0]


def test_scatter_add_sees_its_own_stores() -> None:
    row = at(v("r", m, dtype="int64"), i)
    here = at(v("o", n), row)
    made = program(
        [buffer("x", "input", n), buffer("r", "input", m, dtype="int64"), buffer("o", "output", n)],
        Kernel(
            (
                loop(i, n, Store(v("o", n), (i,), at(v("x", n), i))),
                loop(i, m, Store(v("o", n), (row,), apply("add", here, Const(1.0, "float64")))),
            )
        ),
    )
    x, rows = np.zeros(4), np.array([1, 1, 3, 1])
    assert run(made, x=x, r=rows)["o"].tolist() == [0.0, 3.0, 0.0, 1.0]


def test_a_shared_value_is_found_again_after_a_store() -> None:
    # twice = x + x is one value; the store to o must not make a load of o in it stale, nor keep one that is.
    old = at(v("o", n), i)
    bumped = apply("add", old, Const(1.0, "float64"))
    made = program(
        [buffer("x", "input", n), buffer("o", "output", n), buffer("w", "output", n)],
        Kernel(
            (
                loop(
                    i,
                    n,
                    Store(v("o", n), (i,), at(v("x", n), i)),
                    Store(v("o", n), (i,), bumped),
                    Store(v("w", n), (i,), bumped),
                ),
            )
        ),
    )
    found = run(made, x=np.zeros(3))
    assert found["o"].tolist() == [1.0] * 3
    assert found["w"].tolist() == [2.0] * 3


def test_what_a_loop_changes_is_read_again_inside() -> None:
    first, count = at(v("o", 1), 0), Ref("c", "float64")
    grown = apply("add", first, count)
    made = program(
        [buffer("x", "input", n), buffer("o", "output", 1)],
        Kernel(
            (
                Store(v("o", 1), (0,), Const(1.0, "float64")),
                Local("c", first),
                Local("seen", grown),
                loop(i, n, Store(v("o", 1), (0,), grown), Assign("c", apply("add", count, Const(1.0, "float64")))),
            )
        ),
    )
    assert run(made, x=np.zeros(3))["o"].tolist() == [1.0 + 1 + 2 + 3]


def test_a_deep_shared_value_takes_linear_text() -> None:
    value: Value = at(v("x", n), i)
    for _ in range(60):
        value = apply("add", value, value)
    made = program(
        [buffer("x", "input", n), buffer("o", "output", n)], Kernel((loop(i, n, Store(v("o", n), (i,), value)),))
    )
    executable, bound = bind(made, x=np.ones(2))
    assert CPU.text(made).count("fadd") == 2 * 60  # in vectors, and one by one for what is left
    assert executable.execute(bound)[1][0].tolist() == [2.0**60] * 2


def test_extents_with_floor_division_max_and_min() -> None:
    s, q = symbol("s", signed=True), symbol("q", signed=True)
    texts = [floor_divide(s, q), floor_divide(s, 3), largest(s, q), smallest(s * q, 7 - s), floor_divide(s - q, n)]
    made = program(
        [
            buffer("x", "input", n),
            buffer("s", "input", dtype="int64"),
            buffer("q", "input", dtype="int16"),
            buffer("o", "output", len(texts), dtype="int64"),
        ],
        Kernel(tuple(Store(v("o", len(texts), dtype="int64"), (at_,), Position(e)) for at_, e in enumerate(texts))),
        bindings=(Binding(Symbol("s", signed=True), "s", None), Binding(Symbol("q", signed=True), "q", None)),
    )
    for a in (-7, -6, 0, 5, 6):
        for b in (-3, 2):
            found = run(made, x=np.zeros(4), s=np.array(a), q=np.array(b, np.int16))["o"]
            assert found.tolist() == [a // b, a // 3, max(a, b), min(a * b, 7 - a), (a - b) // 4]
    executable, bound = bind(made, x=np.zeros(0), s=np.array(5), q=np.array(0, np.int16))
    status, (found,) = executable.execute(bound)  # no divisor of 0 may stop the process
    assert status == 0
    assert found.tolist() == [0, 1, 5, 0, 0]


def test_loops_whose_extent_is_another_loops_index(rng: np.random.Generator) -> None:
    made = program(
        [buffer("x", "input", n), buffer("o", "output", n)],
        Kernel(
            (
                loop(
                    i,
                    n,
                    Local("a", Const(0.0, "float64")),
                    loop(j, i + 1, Assign("a", apply("add", Ref("a", "float64"), at(v("x", n), j)))),
                    Barrier(),
                    Store(v("o", n), (i,), Ref("a", "float64")),
                ),
            )
        ),
    )
    x = rng.standard_normal(9)
    np.testing.assert_allclose(run(made, x=x)["o"], np.cumsum(x))


def test_variables_of_one_name_and_two_dtypes() -> None:
    made = program(
        [buffer("x", "input", n), buffer("o", "output", n), buffer("c", "output", n, dtype="bool")],
        Kernel(
            (
                loop(i, n, Local("a", at(v("x", n), i)), Store(v("o", n), (i,), Ref("a", "float64"))),
                loop(
                    j,
                    n,
                    Local("a", apply("gt", at(v("x", n), j), Const(0.0, "float64"), dtype="bool")),
                    Store(v("c", n, dtype="bool"), (j,), Ref("a", "bool")),
                ),
            )
        ),
    )
    assert run(made, x=np.array([1.0, -1.0]))["c"].tolist() == [True, False]


# ---- loops in vectors ----


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
        (Store(out, (i,), at(x, floor_divide(i, 2))),),
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


# ---- steps ----


def copies(a: View, c: View) -> Call:
    return Call("copy", (a, c))


def test_temps_share_the_arena(rng: np.random.Generator) -> None:
    def double(source: str, target: str) -> Kernel:
        body = Store(v(target, n), (i,), apply("add", at(v(source, n), i), at(v(source, n), i)))
        return Kernel((loop(i, n, body),))

    made = program(
        [buffer("x", "input", n), *(buffer(f"t{q}", "temp", n) for q in range(3)), buffer("o", "output", n)],
        double("x", "t0"),
        double("t0", "t1"),
        double("t1", "t2"),
        double("t2", "o"),
        offsets={"t0": 0, "t1": 1, "t2": 0},
        slots=((8 * n, 4 * n + 3), (8 * n,)),
    )
    x = rng.standard_normal(100)
    np.testing.assert_array_equal(run(made, x=x)["o"], 16 * x)
    assert CPU.text(made).count("define internal i64 @kernel") == 1  # equal kernels are one function


def test_loop_carries_a_ring_of_two_rows(rng: np.random.Generator) -> None:
    # ring[(t + 1) % 2] = ring[t % 2] + x[t]; the last row is the result. Also what follows each loop in a row of loops.
    slot, end = (k - 2 * floor_divide(k, 2) for k in (t, n))
    read, written = v("ring", m, offset=slot * m), v("ring", m, offset=(1 - slot) * m)
    add = Store(written, (j,), apply("add", at(read, j), at(v("x", n, m), t, j)))
    made = program(
        [buffer("x", "input", n, m), buffer("ring", "temp", 2, m), buffer("o", "output", m)],
        Kernel((loop(j, m, Store(v("ring", m), (j,), Const(0.0, "float64"))),)),
        Loop(T, n, (Kernel((loop(j, m, add),)),)),
        copies(v("ring", m, offset=end * m), v("o", m)),
    )
    for steps in (0, 1, 4, 5):
        x = rng.standard_normal((steps, 3))
        np.testing.assert_allclose(run(made, x=x)["o"], x.sum(axis=0))


def test_loops_in_loops_and_many_steps(rng: np.random.Generator) -> None:
    # More steps than one function takes, in a loop in a loop: counters reach functions of their own.
    u = symbol("u")
    steps: list[Step] = []
    for q in range(70):
        place = (t * 4 + u) * 70 + q
        steps.append(Kernel((loop(i, 1, Store(v("o", n * 280), (place,), at(v("x", n), t))),)))
    inner = Loop(Symbol("u"), 4, tuple(steps))
    made = program([buffer("x", "input", n), buffer("o", "output", n * 280)], Loop(T, n, (inner,)))
    x = rng.standard_normal(3)
    np.testing.assert_array_equal(run(made, x=x)["o"], np.repeat(x, 280))


def test_if_takes_one_branch() -> None:
    def fill(number: float) -> tuple[Step, ...]:
        return (Kernel((loop(i, n, Store(v("o", n), (i,), Const(number, "float64"))),)),)

    made = program(
        [buffer("x", "input", n), buffer("c", "input", dtype="bool"), buffer("o", "output", n)],
        If(v("c", dtype="bool"), fill(1.0), fill(2.0)),
    )
    for c in (True, False):
        assert run(made, x=np.zeros(2), c=np.array(c))["o"].tolist() == [1.0 if c else 2.0] * 2


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint8", "bool"])
def test_matmul(dtype: str, rng: np.random.Generator) -> None:
    made = program(
        [
            buffer("x", "input", n, m, dtype=dtype),
            buffer("y", "input", m, p, dtype=dtype),
            buffer("o", "output", n, p, dtype=dtype),
            buffer("q", "output", p, n, dtype=dtype),
        ],
        Call("matmul", (v("x", n, m, dtype=dtype), v("y", m, p, dtype=dtype), v("o", n, p, dtype=dtype))),
        # the same transposed: q = y.T @ x.T
        Call("matmul", (View("y", dtype, (p, m), (1, p)), View("x", dtype, (m, n), (1, m)), v("q", p, n, dtype=dtype))),
    )
    executable: CpuExecutable | None = None
    for shape in ((3, 4, 5), (1, 1, 1), (0, 4, 5), (3, 0, 5), (3, 4, 0), (50, 33, 21)):
        x = (rng.integers(0, 2 if dtype == "bool" else 5, shape[:2])).astype(dtype)
        y = (rng.integers(0, 2 if dtype == "bool" else 5, shape[1:])).astype(dtype)
        executable = executable or CPU.compile(made)
        status, (o, q) = executable.execute(executable.bind([x, y]))
        assert status == 0
        np.testing.assert_array_equal(o, x @ y, strict=True)  # small whole numbers: exact in every dtype
        np.testing.assert_array_equal(q, (x @ y).T)


@pytest.mark.parametrize("dtype", ["float64", "int64"])
def test_matmul_over_leading_axes(dtype: str, rng: np.random.Generator) -> None:
    x, y = v("x", n, 2, 3, m, dtype=dtype), v("y", m, p, dtype=dtype)
    stretched = View("y", dtype, (n, 2, m, p), (0, 0, p, 1))
    separate = v("z", n, 2, m, p, dtype=dtype)
    made = program(
        [
            buffer("x", "input", n, 2, 3, m, dtype=dtype),
            buffer("y", "input", m, p, dtype=dtype),
            buffer("z", "input", n, 2, m, p, dtype=dtype),
            buffer("o", "output", n, 2, 3, p, dtype=dtype),
            buffer("q", "output", n, 2, 3, p, dtype=dtype),
        ],
        Call("matmul", (x, stretched, v("o", n, 2, 3, p, dtype=dtype))),
        Call("matmul", (x, separate, v("q", n, 2, 3, p, dtype=dtype))),
    )
    a = rng.integers(-9, 9, (4, 2, 3, 5)).astype(dtype)
    b, c = rng.integers(-9, 9, (5, 6)).astype(dtype), rng.integers(-9, 9, (4, 2, 5, 6)).astype(dtype)
    found = run(made, x=a, y=b, z=c)
    np.testing.assert_array_equal(found["o"], a @ b)
    assert len(stacked_rows(x, stretched, v("o", n, 2, 3, p))[2].shape) == 2  # one product, not n * 2
    assert len(stacked_rows(x, separate, v("o", n, 2, 3, p))[2].shape) == 4
    assert len(stacked_rows(y, y, y)[2].shape) == 2


def test_copies(rng: np.random.Generator) -> None:
    turned = View("x", "float64", (m, n), (1, m))
    columns = View("x", "float64", (n, m - 1), (m, 1), 1)
    made = program(
        [
            buffer("x", "input", n, m),
            buffer("a", "output", n, m),
            buffer("b", "output", m, n),
            buffer("c", "output", n, m - 1),
        ],
        copies(v("x", n, m), v("a", n, m)),
        copies(turned, v("b", m, n)),
        copies(columns, v("c", n, m - 1)),
    )
    for shape in ((4, 6), (1, 1), (0, 3), (40, 3)):
        x = rng.standard_normal(shape)
        found = run(made, x=x)
        np.testing.assert_array_equal(found["a"], x)
        np.testing.assert_array_equal(found["b"], x.T)
        np.testing.assert_array_equal(found["c"], x[:, 1:])
    assert is_block(*merged_axes(v("x", n, m), v("a", n, m)))
    assert not is_block(*merged_axes(columns, v("c", n, m - 1)))


def test_constants_and_shared_updates_in_place(rng: np.random.Generator) -> None:
    step = Store(v("w", n), (i,), apply("sub", at(v("w", n), i), at(v("g", n), i)))
    made = program(
        [buffer("w", "shared", n), buffer("g", "constant", n), buffer("o", "output", n)],
        copies(v("w", n), v("o", n)),
        Kernel((loop(i, n, step),)),
    )
    w, g = rng.standard_normal(8), rng.standard_normal(8)
    before = w.copy()
    np.testing.assert_array_equal(run(made, w=w, g=g)["o"], before)
    np.testing.assert_array_equal(w, before - g)


# ---- checks, statuses, misuse ----


def test_checks_at_entry() -> None:
    checks = (Check(Fact("==", n, m), 0), Check(Fact("<=", n * 2, p + 1), 1))
    made = program(
        [buffer("x", "input", n), buffer("y", "input", m), buffer("z", "input", p), buffer("o", "output", n)],
        copies(v("x", n), v("o", n)),
        checks=checks,
    )
    executable = CPU.compile(made)
    for shape, status in (((3, 3, 5), 0), ((3, 2, 5), 1), ((3, 3, 4), 2), ((3, 4, 0), 1)):
        bound = executable.bind([np.zeros(s) for s in shape])
        assert bound.status == status
        assert bound.sizes == dict(zip(map(Symbol, "nmp"), shape, strict=True))
    with pytest.raises(ProgramError, match="check 0"):
        executable.execute(executable.bind([np.zeros(s) for s in (3, 2, 5)]))


def test_a_failure_leaves_shared_arrays_alone() -> None:
    bad = Checked(at(v("r", dtype="int64")), n, FIRST_FAILURE)
    made = program(
        [buffer("r", "input", dtype="int64"), buffer("w", "shared", n), buffer("o", "output")],
        Kernel((Store(v("o"), (), at(v("w", n), bad)),)),
        Kernel((loop(i, n, Store(v("w", n), (i,), Const(9.0, "float64"))),)),
        failures=1,
    )
    w = np.zeros(3)
    executable, bound = bind(made, r=np.array(3), w=w)
    assert executable.execute(bound) == (FIRST_FAILURE, ())
    assert w.tolist() == [0.0] * 3
    assert executable.execute(executable.bind([np.array(2)], [w]))[0] == 0
    assert w.tolist() == [9.0] * 3


def test_arrays_that_do_not_fit_are_refused() -> None:
    made = program(
        [buffer("x", "input", n), buffer("w", "shared", n), buffer("o", "output", n)], copies(v("x", n), v("o", n))
    )
    executable = CPU.compile(made)
    for inputs, shareds in (
        ([np.zeros(3, np.float32)], [np.zeros(3)]),
        ([np.zeros((3, 1))], [np.zeros(3)]),
        ([np.zeros(3)], [np.zeros(6)[::2]]),
        ([np.zeros(3)], []),
        ([np.zeros(3).astype(">f8")], [np.zeros(3)]),
    ):
        with pytest.raises(ProgramError):
            executable.bind(inputs, shareds)
    with pytest.raises(ProgramError):
        CPU.compile(made, [np.zeros(3)])
    frozen = np.zeros(3)
    frozen.flags.writeable = False
    assert executable.bind([frozen], [np.zeros(3)]).status == 0
    with pytest.raises(ProgramError):
        executable.bind([frozen], [frozen])


# ---- the machine ----


def slow_program() -> Program:
    """n rounds of 2**16 elements, then a write to w."""
    body = Store(v("a", 1 << 16), (i,), apply("add", at(v("a", 1 << 16), i), Const(1.0, "float64")))
    return program(
        [buffer("x", "input", n), buffer("a", "temp", 1 << 16), buffer("w", "shared", 1), buffer("o", "output")],
        Kernel((loop(i, 1 << 16, Store(v("a", 1 << 16), (i,), Const(0.0, "float64"))),)),
        Loop(T, n, (Kernel((loop(i, 1 << 16, body),)),)),
        Kernel((Store(v("o"), (), at(v("a", 1 << 16), 0)), Store(v("w", 1), (0,), at(v("a", 1 << 16), 1)))),
    )


class Stop(BaseException):
    pass


def test_a_signal_handler_interrupts_a_run() -> None:
    def handler(*_: object) -> None:
        raise Stop

    made = slow_program()
    w = np.zeros(1)
    executable, bound = bind(made, x=np.zeros(0), w=w)
    assert executable.execute(bound)[1][0] == 0.0
    endless = executable.bind([np.broadcast_to(np.zeros(1), 3_000_000).copy()], [w])
    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        start = time.perf_counter()
        with pytest.raises(Stop):
            executable.execute(endless)
        assert time.perf_counter() - start < 20  # the whole run would take minutes
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert w[0] == 0.0
    assert executable.execute(executable.bind([np.zeros(3)], [w]))[1][0] == 3.0  # and it can be called again


def test_no_poll_follows_a_write_to_a_shared_value() -> None:
    grow = Kernel((loop(i, n, Store(v("w", n), (i,), apply("add", at(v("w", n), i), Const(1.0, "float64")))),))
    quiet = program(
        [buffer("w", "shared", n), buffer("o", "output", n)], Loop(T, n, (grow,)), grow, copies(v("w", n), v("o", n))
    )
    text = emit(quiet, CPU.machine.target())
    assert "@visit" not in text
    assert "@visit" in emit(slow_program(), CPU.machine.target())


def test_two_threads_run_at_once() -> None:
    executable = CPU.compile(slow_program())
    results: list[list[float]] = [[], []]

    def work(which: int) -> None:
        w = np.zeros(1)
        for rounds in range(20):
            status, (o,) = executable.execute(executable.bind([np.zeros(rounds + which)], [w]))
            assert status == 0
            results[which].append(float(o))

    threads = [threading.Thread(target=work, args=(which,)) for which in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[float(r + which) for r in range(20)] for which in range(2)]


def test_code_can_be_loaded_again() -> None:
    earlier = CPU.compile(slow_program())
    kept = json.dumps(earlier.interface.plain())
    executable = CpuBackend().load(Interface.from_plain(json.loads(kept)), earlier.code)
    assert executable.execute(executable.bind([np.zeros(4)], [np.zeros(1)]))[1][0] == 4.0
    assert "cpu" in CPU.fingerprint()


def test_text_is_deterministic_and_readable() -> None:
    assert CPU.text(slow_program()) == emit(slow_program(), CPU.machine.target())
    assert "run" in CPU.assembly(slow_program())


def test_inner_loops_become_vectors() -> None:
    made = program(
        [buffer("x", "input", n, m), buffer("y", "input", m), buffer("o", "output", n, m)],
        Kernel(
            (
                loop(
                    i,
                    n,
                    loop(j, m, Store(v("o", n, m), (i, j), apply("mul", at(v("x", n, m), i, j), at(v("y", m), j)))),
                ),
            )
        ),
    )
    text = CPU.assembly(made)
    if CPU.machine.vector_bytes >= 32 and CPU.machine.triple.startswith("x86"):
        assert any("mulpd" in line and ("ymm" in line or "zmm" in line) for line in text.splitlines())


def test_work_is_the_product_of_the_loops() -> None:
    store = Store(v("o", n), (i,), Const(0.0, "float64"))
    one, none = weight((store,)), weight(())
    nest = n * (m * one + (n + 1) * one + none)
    assert cost((loop(i, n, loop(j, m, store), loop(k, i + 1, store)), loop(j, 7, store))) == nest + 7 * one + none


def chain(count: int, length: int) -> Program:
    """count kernels of length operations each, count being even."""
    buffers = [buffer("x", "input", n), buffer("a", "temp", n), buffer("b", "temp", n), buffer("o", "output", n)]
    steps: list[Step] = [copies(v("x", n), v("a", n))]
    for q in range(count):
        source, target = ("a", "b") if q % 2 == 0 else ("b", "a")
        value: Value = at(v(source, n), i)
        for r in range(length):
            value = apply("add" if (q + r) % 3 else "mul", value, Const(1.0 + (q * 20 + r) % 97 / 1000, "float64"))
        steps.append(Kernel((loop(i, n, Store(v(target, n), (i,), value)),)))
    steps.append(copies(v("a", n), v("o", n)))
    return program(buffers, *steps)


def emitting(count: int, length: int) -> Callable[[], str]:
    made, target = chain(count, length), CPU.machine.target()
    return lambda: emit(made, target)


def test_many_kernels_are_emitted_in_linear_work() -> None:
    assert superlinear(lambda count: emitting(count, 1), 40) == []  # 40: more than one function holds


def test_a_long_kernel_is_emitted_in_linear_work() -> None:
    assert superlinear(lambda length: emitting(2, length), 20) == []


def test_functions_do_not_grow_with_the_program() -> None:
    """LLVM's time grows faster than a function does, so that many kernels are many functions."""
    small, large = emitting(80, 1)(), emitting(320, 1)()
    assert len(large) < 4.2 * len(small)  # names have more digits
    longest = [max(len(f.splitlines()) for f in text.split("\ndefine ")) for text in (small, large)]
    assert longest[0] == longest[1]


def test_a_long_chain_computes_what_the_interpreter_does() -> None:
    made = chain(40, 20)
    executable = CPU.compile(made)
    x = np.linspace(0, 1e-3, 5)
    status, (o,) = executable.execute(executable.bind([x]))
    assert status == 0
    np.testing.assert_array_equal(o, interpret(made, {"x": x}).outputs["o"])


def test_equal_nests_are_written_once() -> None:
    """Whatever their buffers and variables are called; another constant is another kernel."""
    n = symbol("d0")
    i = Symbol("i0")

    def nest(source: str, target: str, variable: str, factor: float) -> tuple[Any, ...]:
        a, c = (contiguous(name, "float64", (n,)) for name in (source, target))
        acc = Ref(variable, "float64")
        value = Apply("mul", (Load(a, (symbol("i0"),)), Const(factor, "float64")), "float64")
        return (For(i, n, (Local(variable, value), Store(c, (symbol("i0"),), acc))),)

    first = signature(nest("a", "b", "acc1", 2.0), ["a", "b"])
    assert signature(nest("x", "y", "acc7", 2.0), ["x", "y"]) == first
    assert signature(nest("x", "y", "acc7", 3.0), ["x", "y"]) != first
    assert signature(nest("x", "y", "acc7", -0.0), ["x", "y"]) != signature(nest("x", "y", "acc7", 0.0), ["x", "y"])
