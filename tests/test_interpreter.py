"""The Program interpreter: NumPy's numbers, every access checked, and lanes equal to one scalar at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symdl.backends.interpreter import backend as interpreter
from symdl.backends.interpreter.backend import Interpreted, interpret
from symdl.errors import InternalError
from symdl.ir.loops import (
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
    verify,
)
from symdl.types import Extent, Fact, Symbol, floor_divide, largest, smallest, symbol

n, m, i, j, k, t = map(symbol, "nmijkt")
I, J, K = Symbol("i"), Symbol("j"), Symbol("k")
Arrays = dict[str, np.ndarray]


def buffer(name: str, kind: Kind, *shape: Extent, dtype: str = "float64") -> Buffer:
    return Buffer(name, dtype, shape, kind)


def program(
    buffers: list[Buffer], *steps: Step, checks: tuple[Check, ...] = (), failures: int = 0, sizes: str = ""
) -> Program:
    """A verified program; each symbol is bound to the first axis of an input or shared buffer that it is."""
    bindings: dict[Symbol, Binding] = {}
    for b in buffers:
        for axis, e in enumerate(b.shape):
            if b.kind in ("input", "shared") and str(e).isalpha():
                bindings.setdefault(Symbol(str(e)), Binding(Symbol(str(e)), b.name, axis))
    for name in sizes:
        bindings[Symbol(name)] = Binding(Symbol(name), name, None)
    made = Program(
        {b.name: b for b in buffers},
        tuple(bindings.values()),
        checks,
        steps,
        tuple(Failure("index out of range", -1) for _ in range(failures)),
    )
    verify(made)
    return made


def view(b: Buffer) -> View:
    return contiguous(b.name, b.dtype, b.shape)


def apply(primitive: str, *args: Value, dtype: str = "") -> Apply:
    return Apply(primitive, args, dtype or args[-1].dtype)


def number(x: float, dtype: str = "float64") -> Const:
    return Const(x, dtype)


def both(p: Program, arrays: Arrays) -> Interpreted:
    """The result in lanes, after comparing it and the arrays with the scalar run."""
    slow, fast = ({name: a.copy() for name, a in arrays.items()} for _ in range(2))
    expected, found = interpret(p, slow, scalar=True), interpret(p, fast)
    assert found.status == expected.status
    assert found.sizes == expected.sizes
    assert found.outputs.keys() == expected.outputs.keys()
    for name, array in [*expected.outputs.items(), *slow.items()]:
        np.testing.assert_array_equal((found.outputs if name in found.outputs else fast)[name], array, strict=True)
    return found


X = buffer("x", "input", n, m)
Y = buffer("y", "output", n, m)
V = buffer("v", "input", n)
OUT = buffer("out", "output", n)


def grid(store: Stmt) -> Kernel:
    return Kernel((For(I, n, (For(J, m, (store,)),)),))


def softmax(x: View, y: View) -> Kernel:
    """Three phases in the loop over rows."""
    here = Load(x, (i, j))
    top, total = Ref("top", x.dtype), Ref("total", x.dtype)
    shifted = apply("exp", apply("sub", here, top))
    return Kernel(
        (
            For(
                I,
                n,
                (
                    Local("top", number(-np.inf, x.dtype)),
                    For(J, m, (Assign("top", apply("maximum", top, here)),)),
                    Local("total", number(0, x.dtype)),
                    For(J, m, (Assign("total", apply("add", total, shifted)),)),
                    For(J, m, (Store(y, (i, j), apply("true_div", shifted, total)),)),
                ),
            ),
        )
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_softmax(dtype: str, rng: np.random.Generator) -> None:
    x, y = buffer("x", "input", n, m, dtype=dtype), buffer("y", "output", n, m, dtype=dtype)
    p = program([x, y], softmax(view(x), view(y)))
    a = rng.normal(size=(5, 7)).astype(dtype)
    e = np.exp(a - a.max(1, keepdims=True))
    found = both(p, {"x": a})
    assert found.sizes == {Symbol("n"): 5, Symbol("m"): 7}
    assert found.outputs["y"].dtype == dtype
    np.testing.assert_allclose(found.outputs["y"], e / e.sum(1, keepdims=True), rtol=20 * float(np.finfo(dtype).eps))


def test_an_empty_axis_runs_nothing() -> None:
    found = both(program([X, Y], softmax(view(X), view(Y))), {"x": np.empty((0, 3))})
    assert found.outputs["y"].shape == (0, 3)


def test_float32_is_rounded_after_every_operation() -> None:
    x, y = buffer("x", "input", n, dtype="float32"), buffer("y", "output", n, dtype="float32")
    big = apply("add", Load(view(x), (i,)), number(2**24, "float32"))
    p = program([x, y], Kernel((For(I, n, (Store(view(y), (i,), apply("sub", big, number(2**24, "float32"))),)),)))
    assert both(p, {"x": np.ones(1, "float32")}).outputs["y"][0] == 0


def test_integers_wrap_around_silently() -> None:
    x, y = buffer("x", "input", n, dtype="int8"), buffer("y", "output", n, dtype="int8")
    p = program([x, y], Kernel((For(I, n, (Store(view(y), (i,), apply("add", *[Load(view(x), (i,))] * 2)),)),)))
    assert both(p, {"x": np.array([100], "int8")}).outputs["y"][0] == -56


def test_position_cast_and_where() -> None:
    odd = apply("ne", apply("mod", Position(i), Const(2, "int64")), Const(0, "int64"), dtype="bool")
    value = apply("where", odd, apply("cast", Position(i * 10 + n), dtype="float64"), Load(view(V), (i,)))
    p = program([V, OUT], Kernel((For(I, n, (Store(view(OUT), (i,), value), Barrier())),)))
    np.testing.assert_array_equal(both(p, {"v": np.full(4, 0.5)}).outputs["out"], [0.5, 14, 0.5, 34])


def test_extents_with_floor_division_and_extrema_run_in_lanes() -> None:
    place = largest(smallest(floor_divide(i * 3, 2), n - 1), floor_divide(n, 2))
    p = program([V, OUT], Kernel((For(I, n, (Store(view(OUT), (i,), Load(view(V), (place,))),)),)))
    np.testing.assert_array_equal(both(p, {"v": np.arange(6.0)}).outputs["out"], [3, 3, 3, 4, 5, 5])


def test_views_transpose_and_repeat(rng: np.random.Generator) -> None:
    z = buffer("z", "output", m, n)
    turned = View("x", "float64", (m, n), (1, m))
    spread = View("v", "float64", (m, n), (0, 1))
    value = apply("add", Load(turned, (i, j)), Load(spread, (i, j)))
    p = program([X, V, z], Kernel((For(I, m, (For(J, n, (Store(view(z), (i, j), value),)),)),)))
    a, b = rng.normal(size=(3, 4)), rng.normal(size=3)
    np.testing.assert_array_equal(both(p, {"x": a, "v": b}).outputs["z"], a.T + b)


def test_a_guard_evaluates_only_the_side_that_it_takes() -> None:
    padded = buffer("padded", "output", n + 2)
    nested = Guard(((i - 2, n - 1),), Load(view(V), (i - 2,)), number(7))
    value = Guard(((i - 1, n),), apply("add", Load(view(V), (i - 1,)), nested), number(-1))
    p = program([V, padded], Kernel((For(I, n + 2, (Store(view(padded), (i,), value),)),)))
    found = both(p, {"v": np.array([10.0, 20.0, 30.0])}).outputs["padded"]
    np.testing.assert_array_equal(found, [-1, 17, 30, 50, -1])


def gather(index: Buffer) -> Kernel:
    at = Checked(Load(view(index), (i,)), m, FIRST_FAILURE)
    return Kernel((For(I, n, (Store(view(OUT), (i,), Load(view(X), (i, at))),)),))


def test_a_gathered_index_and_its_failure() -> None:
    index = buffer("index", "input", n, dtype="int64")
    p = program([X, index, OUT], gather(index), failures=1)
    a = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(both(p, {"x": a, "index": np.array([2, 0])}).outputs["out"], [2, 3])
    for bad in (3, -1):
        found = both(p, {"x": a, "index": np.array([0, bad])})
        assert found.status == FIRST_FAILURE
        assert found.outputs == {}


def test_the_first_failure_in_serial_order_counts() -> None:
    index = buffer("index", "input", n, dtype="int64")
    read = Load(view(index), (i,))
    stores = [Store(view(OUT), (Checked(read, limit, FIRST_FAILURE + c),), number(1)) for c, limit in enumerate([9, 5])]
    p = program([index, OUT], Kernel((For(I, n, tuple(stores)),)), failures=2)
    assert both(p, {"index": np.array([7, 10] + [0] * 8)}).status == FIRST_FAILURE + 1  # row 0's second, not row 1's


def test_checks_at_entry() -> None:
    y = buffer("y", "input", m)
    checks = (Check(Fact("==", n, m, ""), -1), Check(Fact("<=", n, 3, ""), -1))
    p = program([V, y, OUT], Call("copy", (view(V), view(OUT))), checks=checks)
    assert interpret(p, {"v": np.ones(2), "y": np.ones(3)}).status == 1
    assert interpret(p, {"v": np.ones(4), "y": np.ones(4)}).status == 2
    assert interpret(p, {"v": np.ones(3), "y": np.ones(3)}).status == 0


def test_a_size_may_be_the_value_of_an_input() -> None:
    size, out = buffer("s", "input", dtype="int64"), buffer("out", "output", symbol("s"))
    p = program([size, out], Kernel((For(I, symbol("s"), (Store(view(out), (i,), number(1)),)),)), sizes="s")
    assert both(p, {"s": np.array(3)}).outputs["out"].tolist() == [1, 1, 1]


def test_what_is_not_written_is_garbage_that_shows() -> None:
    outs = [
        buffer("f", "output", n, dtype="float32"),
        buffer("i8", "output", n, dtype="int8"),
        buffer("b", "output", n, dtype="bool"),
    ]
    stores = [Store(view(b), (0,), Const(0, b.dtype)) for b in outs]
    found = both(program([V, *outs], Kernel(tuple(stores))), {"v": np.ones(3)}).outputs
    assert np.isnan(found["f"][1:]).all()
    assert (found["i8"][1:] == np.int8(0x9B - 256)).all()
    assert found["b"][1:].all()


def test_temps_of_one_slot_share_memory() -> None:
    a, b, c = (buffer(name, "temp", n, dtype=d) for name, d in (("a", "float64"), ("b", "float64"), ("c", "int64")))
    total = apply("add", Load(view(a), (i,)), Load(view(b), (i,)))
    p = program(
        [V, a, b, c, OUT],
        Call("copy", (view(V), view(a))),
        Kernel((For(I, n, (Store(view(b), (i,), number(5)),)),)),
        Kernel((For(I, n, (Store(view(OUT), (i,), total),)),)),
    )
    arrays = {"v": np.array([1.0, 2.0])}
    assert both(p, arrays).outputs["out"].tolist() == [6, 7]
    shared = Program(p.buffers, p.bindings, (), p.steps, (), {"a": 0, "b": 0, "c": 0}, ((8 * n,),))
    assert both(shared, arrays).outputs["out"].tolist() == [10, 10]  # the wrong plan shows
    mirrored = Kernel((For(I, n, (Store(view(b), (i,), Load(view(a), (n - 1 - i,))),)),))
    one_slot = Program(p.buffers, p.bindings, (), (p.steps[0], mirrored, p.steps[2]), (), shared.offsets, shared.slots)
    assert both(one_slot, arrays).outputs["out"].tolist() == [
        4,
        4,
    ]  # also to a nest that reads one and writes the other
    small = Program(p.buffers, p.bindings, (), p.steps, (), {"a": 0}, ((4 * n,),))
    with pytest.raises(InternalError, match="a needs 16 bytes, and its slot has 8"):
        interpret(small, arrays)


@pytest.mark.parametrize(
    ("store", "message"),
    [
        (Store(view(OUT), (i + 1,), number(0)), r"out\[3\] leaves axis 0 of 3"),
        (Store(view(OUT), (i - 1,), number(0)), r"out\[-1\] leaves axis 0 of 3"),
        (Store(view(OUT), (i,), Load(view(V), (Position(i * 2),))), r"v\[4\] leaves axis 0 of 3"),
        (Store(View("out", "float64", (n,), (2,)), (i,), number(0)), r"out\[2\] is element 4 of 3"),
        (Store(View("out", "float64", (n,), (1,), -1), (i,), number(0)), r"out\[0\] is element -1 of 3"),
        (Store(View("out", "float64", (n - 1,), (1,)), (i,), number(0)), r"out\[2\] leaves axis 0 of 2"),
    ],
)
@pytest.mark.parametrize("scalar", [False, True])
def test_an_access_out_of_bounds_is_named(store: Store, message: str, scalar: bool) -> None:
    p = program([V, OUT], Kernel((For(I, n, (store,)),)))
    with pytest.raises(InternalError, match=message):
        interpret(p, {"v": np.arange(3.0)}, scalar)


@pytest.mark.parametrize("offset", [-1, 1])
def test_a_view_of_a_call_must_lie_in_its_buffer(offset: int) -> None:
    p = program([V, OUT], Call("copy", (View("v", "float64", (n,), (1,), offset), view(OUT))))
    with pytest.raises(InternalError, match="a view of v"):
        interpret(p, {"v": np.ones(3)})


def test_arrays_that_do_not_fit_are_refused() -> None:
    x = buffer("x", "input", n, n)
    p = program([x, OUT], Kernel((For(I, n, (Store(view(OUT), (i,), number(0)),)),)))
    with pytest.raises(InternalError, match="no array was given for input x"):
        interpret(p, {})
    with pytest.raises(InternalError, match="x is float64 of 2 axes, not float32 of 2"):
        interpret(p, {"x": np.ones((2, 2), "float32")})
    with pytest.raises(InternalError, match=r"x has shape \(2, 3\), and by the program's sizes \(2, 2\)"):
        interpret(p, {"x": np.ones((2, 3))})


# ---- library calls ----


@pytest.mark.parametrize("dtype", ["bool", "int8", "int64", "float32", "float64"])
def test_matmul(dtype: str, rng: np.random.Generator) -> None:
    b, y = buffer("b", "input", m, k, dtype=dtype), buffer("y", "output", n, k, dtype=dtype)
    x = buffer("x", "input", n, m, dtype=dtype)
    p = program([x, b, y], Call("matmul", (view(x), view(b), view(y))))
    left, right = (rng.normal(0, 20, size=s).astype(dtype) for s in ((3, 4), (4, 5)))
    expected = np.zeros((3, 5), dtype)
    for q in range(4):
        product = left[:, q, None] & right[q] if dtype == "bool" else left[:, q, None] * right[q]
        expected = expected | product if dtype == "bool" else expected + product
    found = interpret(p, {"x": left, "b": right}).outputs["y"]
    np.testing.assert_allclose(found, expected, rtol=1e-5 if dtype == "float32" else 1e-13, atol=1e-3, strict=True)


def test_matmul_takes_any_strides_and_leading_axes(rng: np.random.Generator) -> None:
    a, y = buffer("a", "input", k, n, m), buffer("y", "output", k, n, n)
    turned = View("x", "float64", (k, m, n), (0, 1, m))
    p = program([a, X, y], Call("matmul", (view(a), turned, view(y))))
    left, right = rng.normal(size=(2, 3, 4)), rng.normal(size=(3, 4))
    np.testing.assert_allclose(interpret(p, {"a": left, "x": right}).outputs["y"], left @ right.T, rtol=1e-14)


def test_a_result_of_another_shape_is_refused() -> None:
    p = program([V, X, OUT], Call("copy", (View("x", "float64", (m,), (1,)), view(OUT))))
    with pytest.raises(InternalError, match=r"copy makes shape \(3,\) for a view of shape \(2,\)"):
        interpret(p, {"v": np.ones(2), "x": np.ones((2, 3))})


# ---- control ----


def ring(reverse: bool = False) -> list[Step]:
    """state <- state * 2 + v[t], in a ring of two rows; out = the last state."""
    state = view(buffer("ring", "temp", 2, 1))
    slot, end = (k - 2 * floor_divide(k, 2) for k in (t, n))
    doubled = apply("mul", Load(state.row(slot), (0,)), number(2))
    new = apply("add", doubled, Load(view(V), (n - 1 - t if reverse else t,)))
    return [
        Kernel((Store(state.row(0), (0,), number(1)),)),
        Loop(Symbol("t"), n, (Kernel((Store(state.row(1 - slot), (0,), new),)),)),
        Call("copy", (state.row(end), contiguous("last", "float64", (1,)))),
    ]


@pytest.mark.parametrize("length", [0, 1, 4, 5])
@pytest.mark.parametrize("reverse", [False, True])
def test_a_loop_over_a_ring(length: int, reverse: bool) -> None:
    p = program([V, buffer("ring", "temp", 2, 1), buffer("last", "output", 1)], *ring(reverse))
    values = np.arange(3.0, 3.0 + length)
    expected = 1.0
    for value in reversed(values) if reverse else values:
        expected = expected * 2 + value
    assert both(p, {"v": values}).outputs["last"].tolist() == [expected]


def test_nested_loops_count_each_for_itself() -> None:
    total = buffer("total", "output")
    s = symbol("s")
    add = apply("add", Load(view(total), ()), apply("cast", Position(t * 10 + s), dtype="float64"))
    step = Kernel((Store(view(total), (), add),))
    p = program(
        [V, total],
        Kernel((Store(view(total), (), number(0)),)),
        Loop(Symbol("t"), n, (Loop(Symbol("s"), t + 1, (step,)),)),
    )
    assert both(p, {"v": np.ones(3)}).outputs["total"] == sum(a * 10 + b for a in range(3) for b in range(a + 1))


@pytest.mark.parametrize("chosen", [False, True])
def test_if_runs_one_branch(chosen: bool) -> None:
    c = buffer("c", "input", dtype="bool")
    branch = [Kernel((For(I, n, (Store(view(OUT), (i,), number(value)),)),)) for value in (1, 2)]
    p = program([c, V, OUT], If(view(c), (branch[0],), (branch[1],)))
    assert both(p, {"c": np.array(chosen), "v": np.ones(2)}).outputs["out"].tolist() == [2 - chosen] * 2


# ---- shared values ----


def test_shared_arrays_are_updated_in_place_whatever_their_strides() -> None:
    w = buffer("w", "shared", n, m)
    p = program([w], grid(Store(view(w), (i, j), apply("mul", Load(view(w), (i, j)), number(2)))))
    for array in (
        np.arange(6.0).reshape(2, 3),
        np.arange(6.0).reshape(3, 2).T,
        np.arange(24.0).reshape(4, 6)[::2, ::2],
    ):
        expected = array * 2
        assert interpret(p, {"w": array}).outputs == {}
        np.testing.assert_array_equal(array, expected)


def test_a_failure_leaves_shared_values_alone() -> None:
    w, index = buffer("w", "shared", n), buffer("index", "input", n, dtype="int64")
    at = Checked(Load(view(index), (i,)), n, FIRST_FAILURE)
    p = program(
        [w, index, OUT],
        Kernel((For(I, n, (Store(view(OUT), (i,), Load(view(w), (at,))),)),)),
        Call("copy", (view(OUT), view(w))),
        failures=1,
    )
    array = np.array([1.0, 2.0])
    assert interpret(p, {"w": array, "index": np.array([0, 2])}).status == FIRST_FAILURE
    assert array.tolist() == [1, 2]
    assert interpret(p, {"w": array, "index": np.array([1, 0])}).status == 0
    assert array.tolist() == [2, 1]


def test_a_value_is_what_it_reads_when_it_is_used() -> None:
    w = buffer("w", "shared", n)
    old = Load(view(w), (i,))
    p = program([w, OUT], Kernel((For(I, n, (Store(view(w), (i,), number(9)), Store(view(OUT), (i,), old))),)))
    assert both(p, {"w": np.ones(2)}).outputs["out"].tolist() == [9, 9]
    twice = apply("add", Ref("a", "float64"), number(0))
    body = (
        Local("a", number(1)),
        Local("b", twice),
        Assign("a", number(2)),
        Store(view(OUT), (i,), apply("add", twice, Ref("b", "float64"))),
    )
    p = program([V, OUT], Kernel((For(I, n, body),)))
    assert both(p, {"v": np.ones(2)}).outputs["out"].tolist() == [3, 3]


# ---- lanes ----


def running_sum() -> list[Stmt]:
    before = Guard(((i - 1, n),), Load(view(OUT), (i - 1,)), number(0))
    return [For(I, n, (Store(view(OUT), (i,), apply("add", before, Load(view(V), (i,)))),))]


def reversal_in_place() -> list[Stmt]:
    return [
        For(I, n, (Store(view(OUT), (i,), Load(view(V), (i,))),)),
        For(I, n, (Store(view(OUT), (i,), Load(view(OUT), (n - 1 - i,))),)),
    ]


def one_element() -> list[Stmt]:
    return [
        For(I, n, (Store(view(OUT), (i,), number(0)),)),
        For(I, n, (Store(view(OUT), (0,), apply("add", Load(view(OUT), (0,)), Load(view(V), (i,)))),)),
    ]


def triangle() -> list[Stmt]:
    total = Ref("total", "float64")
    return [
        For(
            I,
            n,
            (
                Local("total", number(0)),
                For(J, i + 1, (Assign("total", apply("add", total, Load(view(V), (j,)))),)),
                Store(view(OUT), (i,), total),
            ),
        )
    ]


def perfect_triangle() -> list[Stmt]:
    return [
        For(I, n, (Store(view(OUT), (i,), number(0)),)),
        For(
            I, n, (For(J, i + 1, (Store(view(OUT), (i,), apply("add", Load(view(OUT), (i,)), Load(view(V), (j,)))),)),)
        ),
    ]


def accumulated_by_rows() -> list[Stmt]:
    add = apply("add", Load(view(OUT), (j,)), apply("mul", Load(view(V), (i,)), Load(view(V), (j,))))
    return [
        For(J, n, (Store(view(OUT), (j,), number(0)),)),
        For(I, n, (For(J, n, (Store(view(OUT), (j,), add),)),)),
    ]


def outer_variable() -> list[Stmt]:
    total = Ref("total", "float64")
    return [
        Local("total", number(0)),
        For(I, n, (Assign("total", apply("add", total, Load(view(V), (i,)))), Store(view(OUT), (i,), total))),
    ]


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (running_sum, [1, 3, 6, 10, 15]),
        (reversal_in_place, [5, 4, 3, 4, 5]),  # the second half reads what the first has written
        (one_element, [15, 0, 0, 0, 0]),
        (triangle, [1, 3, 6, 10, 15]),
        (perfect_triangle, [1, 3, 6, 10, 15]),
        (accumulated_by_rows, [15, 30, 45, 60, 75]),
        (outer_variable, [1, 3, 6, 10, 15]),
    ],
)
def test_loops_that_carry_something_run_in_order(build: Callable[[], list[Stmt]], expected: list[int]) -> None:
    p = program([V, OUT], Kernel(tuple(build())))
    assert both(p, {"v": np.arange(1.0, 6.0)}).outputs["out"].tolist() == expected


def test_independent_iterations_do_run_at_once(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    """Else the fast interpreter would be the slow one, and their comparison empty."""
    monkeypatch.setattr(interpreter, "Store", type("Never", (), {"__match_args__": ("view", "at", "value")}))
    p = program([X, Y], softmax(view(X), view(Y)))
    a = rng.normal(size=(4, 3))
    assert not np.isnan(interpret(p, {"x": a}).outputs["y"]).any()
    assert np.isnan(interpret(p, {"x": a}, scalar=True).outputs["y"]).all()


OPERANDS = ["x", "y", "w"]
PLACES = [(i, j), (j, i), (i, 0), (n - 1 - i, j), (i, n - 1 - j), (0, 0)]


@st.composite
def nests(draw: st.DrawFn) -> Kernel:
    """Loops over a square, with stores to y and w that may or may not depend on one another."""
    views = {name: contiguous(name, "float64", (n, n)) for name in OPERANDS}

    def value(depth: int) -> Value:
        kind = draw(st.integers(0, 5 if depth else 1))
        if kind == 0:
            return number(draw(st.integers(-3, 3)))
        if kind in (1, 2):
            return Load(views[draw(st.sampled_from(OPERANDS))], draw(st.sampled_from(PLACES)))
        if kind == 3:
            return Guard(((i + draw(st.integers(-1, 1)), n), (j - 1, n)), value(depth - 1), value(depth - 1))
        shared = value(depth - 1)
        return apply(
            draw(st.sampled_from(["add", "sub", "maximum"])), shared, draw(st.just(shared) | st.just(value(0)))
        )

    def statement() -> Stmt:
        kind = draw(st.integers(0, 3))
        if kind == 0:
            return Assign("a", apply("add", Ref("a", "float64"), value(1)))
        found = apply("add", Ref("a", "float64"), value(2)) if kind == 1 else value(2)
        return Store(views[draw(st.sampled_from(["y", "w"]))], draw(st.sampled_from(PLACES)), found)

    statements = tuple(statement() for _ in range(draw(st.integers(1, 3))))
    start = Local("a", number(1))
    if draw(st.booleans()):
        return Kernel((For(I, n, (For(J, n, (start, *statements)),)),))
    return Kernel((For(I, n, (start, For(J, n, statements))),))


def test_one_lane_stores_at_a_fixed_place() -> None:
    p = program([V, OUT], Kernel((For(I, n, (Store(view(OUT), (0,), Load(view(V), (i,))),)),)))
    assert both(p, {"v": np.array([4.0])}).outputs["out"].tolist() == [4]
    assert both(p, {"v": np.array([4.0, 5.0])}).outputs["out"][0] == 5


@given(nests(), st.integers(0, 3))
def test_lanes_equal_one_scalar_at_a_time(kernel: Kernel, size: int) -> None:
    buffers = [buffer("x", "input", n, n), buffer("y", "shared", n, n), buffer("w", "shared", n, n)]
    numbers = np.arange(float(size * size)).reshape(size, size)
    both(program(buffers, kernel), {"x": numbers, "y": numbers * 3 - 5, "w": -numbers})
