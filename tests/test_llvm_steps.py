"""Steps of a Program in machine code: arena, loops, branches, library calls, checks and statuses."""

from __future__ import annotations

import numpy as np
import pytest
from llvm_programs import CPU, T, apply, at, bind, buffer, copies, i, j, loop, m, n, p, program, run, t, v

from symdl.backends.cpu.executable import CpuExecutable
from symdl.backends.llvm.library import is_block, merged_axes
from symdl.backends.llvm.steps import stacked_rows
from symdl.errors import ProgramError
from symdl.ir.loops import Checked, Const, Store, View
from symdl.ir.program import FIRST_FAILURE, Call, Check, If, Kernel, Loop, Step
from symdl.types import Fact, Symbol, floor_divide, symbol


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
