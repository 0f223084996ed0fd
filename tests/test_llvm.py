"""Kernels in machine code: the interpreter's numbers."""

from __future__ import annotations

import numpy as np
import pytest
from llvm_programs import CPU, DTYPES, apply, at, bind, buffer, i, j, loop, m, n, program, run, v

from symdl.backends.builder import Builder, Reg
from symdl.backends.interpreter.backend import interpret
from symdl.ir.loops import Assign, Barrier, Checked, Const, Guard, Local, Position, Ref, Store, Value, View
from symdl.ir.program import FIRST_FAILURE, Binding, Kernel
from symdl.types import Symbol, floor_divide, largest, smallest, symbol


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


def test_a_block_computes_nothing_twice() -> None:
    b = Builder()
    x, y = Reg("%x", "float64"), Reg("%y", "float64")
    b.label("entry")
    first = b.mul(x, y)
    assert b.mul(x, y) == first
    assert b.mul(y, x) != first  # of two NaN it is the first that comes out
    b.label("next")  # which may be reached by another way
    assert b.mul(x, y) != first
    assert len(b.lines) == 5
