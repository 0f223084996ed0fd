"""Which loops are parallel, how sums are cut into blocks, and which loops are joined; run by the interpreter, too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symdl
import symdl.tensor as T
from symdl.backends.interpreter.backend import interpret
from symdl.backends.llvm.vectors import clears
from symdl.graph.expr import Expr
from symdl.ir import parallel as cutting
from symdl.ir.arena import plan
from symdl.ir.flat import flat
from symdl.ir.loops import (
    Apply,
    Assign,
    Const,
    For,
    Guard,
    Load,
    Local,
    Position,
    Ref,
    Stmt,
    Store,
    View,
    contiguous,
    text,
    walk,
)
from symdl.ir.parallel import parallel
from symdl.ir.program import Binding, Buffer, Kernel, Program, verify
from symdl.ir.rounds import independent
from symdl.passes.evaluate import evaluate
from symdl.pipeline.compilation import Graph, compiled, lowered
from symdl.runtime.runs import native
from symdl.types import Symbol, symbol

I, J = Symbol("i"), Symbol("j")
i, j = symbol("i"), symbol("j")
n, m = symbol("n"), symbol("m")


def program(inputs: list[Expr], *outputs: Expr) -> Program:
    return lowered(Graph(tuple(inputs), (), outputs, ())).program


def schedules(made: Program) -> list[str]:
    """Of the first loop of each kernel."""
    return [
        next((s.schedule for s in k.body if isinstance(s, For)), "none") for k in made.steps if isinstance(k, Kernel)
    ]


X, V, Y = T.fmatrix("x"), T.dvector("v"), T.fmatrix("y")
K, IMAGES, FILTERS = T.lvector("k"), T.ftensor4("images"), T.ftensor4("filters")


def bordered(**how: Any) -> Expr:
    """Borders of what is computed are stored in pieces, whose lengths are not negative since a check says that a filter is not
    empty."""
    return T.conv2d(T.exp(IMAGES), FILTERS, **how)


COLUMN_SUMS: list[Callable[[Expr], Expr]] = [
    lambda x: x.sum(axis=0),
    lambda x: x.mean(axis=0),
    lambda x: (x * x[0]).sum(axis=0),
    lambda x: x[:, ::2].sum(axis=0),
]
INDEPENDENT: dict[str, Callable[[], tuple[list[Expr], Expr]]] = {
    "elementwise": lambda: ([V], T.tanh(V) * 2),
    "broadcast": lambda: ([X, Y], X + Y[0]),
    "rows": lambda: ([X], X.max(axis=1)),
    "places of extremes": lambda: ([X], X.argmax(axis=1)),
    "gathered rows": lambda: ([X, K], X[K] * 2),
    "reversed": lambda: ([V], V[::-1] + 1),
    "transposed": lambda: ([X], X.T * 2),
    "padded": lambda: ([X], T.pad(X, ((1, 2), (0, 3)))),
    "scan of each row": lambda: ([X], X.cumsum(axis=1)),
    "within a border of half a filter": lambda: ([IMAGES, FILTERS], bordered(border_mode="half", filter_dilation=2)),
    "within a full border": lambda: ([IMAGES, FILTERS], bordered(border_mode="full")),
    "pooled": lambda: ([IMAGES], T.pool_2d(IMAGES, 2)),
    "pooled, gradient": lambda: ([IMAGES], symdl.grad((T.pool_2d(IMAGES, 2) ** 2).sum(), IMAGES)),
    "pooled by three, gradient": lambda: ([IMAGES], symdl.grad((T.pool_2d(IMAGES, 3) ** 2).sum(), IMAGES)),
}
DEPENDENT: dict[str, Callable[[], tuple[list[Expr], Expr]]] = {
    "scan": lambda: ([V], V.cumsum()),
}


@pytest.mark.parametrize("name", INDEPENDENT)
def test_loops_of_independent_rounds_are_parallel(name: str) -> None:
    inputs, y = INDEPENDENT[name]()
    assert set(schedules(program(inputs, y))) == {"parallel"}


@pytest.mark.parametrize("name", DEPENDENT)
def test_loops_that_carry_more_than_sums_are_not(name: str) -> None:
    inputs, y = DEPENDENT[name]()
    assert "parallel" not in schedules(program(inputs, y))


@pytest.mark.parametrize(
    ("offset", "strides", "expected"),
    [
        (4 * i, (1,), True),  # i in front of a row of 4
        (3 * i, (1,), False),
        (4 * n * i + 4 * j, (1,), True),  # n rows of 4 a round
        (4 * n * i + 5 * j, (1,), False),
        (n * i + 4 * j, (1,), False),
        (j * i, (1,), False),
        (4 * n * i - 4 * j, (1,), False),
        (4 * n * i + 4 * j, (m,), False),
        (i, (n,), False),
    ],
)
def test_rounds_that_move_where_a_view_begins(offset: Any, strides: Any, expected: bool) -> None:
    """For i < m: for j < n: a row of 4 is written from some place on. Known of no loop: what is true however long it is."""
    store = Store(View("o", "float32", (4,), strides, offset), (symbol("k"),), Const(0.0, "float32"))
    inner: dict[Symbol, Any] = {J: n, Symbol("k"): 4}
    assert independent(I, [store], inner) is expected
    assert not independent(I, [store], inner | {J: None}) or J.name not in str(offset)


def test_a_scatter_may_meet_itself() -> None:
    made = program([V, K], T.inc_subtensor(V[K], 1.0))
    assert schedules(made) == ["parallel", "serial"]  # the copy, then the writes


def test_the_pieces_of_a_join_write_apart() -> None:
    assert set(schedules(program([X, Y], T.concatenate([X * 2, Y + 1], axis=1)))) == {"parallel"}


@pytest.mark.parametrize("build", [lambda x: x.sum(), lambda x: T.softmax(x).sum(axis=0)])
def test_sums_are_parts_and_their_combination(build: Callable[[Expr], Expr]) -> None:
    made = program([X], build(X))
    assert schedules(made) == ["parallel", "serial"]
    first = next(k.body[0] for k in made.steps if isinstance(k, Kernel))
    assert isinstance(first, For)
    assert str(first.index) == cutting.BLOCK_INDEX


@pytest.mark.parametrize("build", COLUMN_SUMS)
def test_columns_are_summed_at_once_or_in_blocks(build: Callable[[Expr], Expr]) -> None:
    """Both stand in the program, and one of them has no rounds."""
    y = build(X)
    made = program([X], y)
    assert set(schedules(made)) == {"parallel"}
    kernels = sum(isinstance(s, Kernel) for s in made.steps)
    f = compiled(lowered(Graph((X,), (), (y,), ())), native())
    rng = np.random.default_rng(4)
    for shape in ((1, 1), (2, 40), (3, 70), (64, 5), (65, 5), (700, 3), (3001, 17), (9000, 33), (70, 999)):
        x = rng.standard_normal(shape).astype("float32")
        (true,) = evaluate([y], {X: x})
        status, (found,) = f.execute(f.bind((x,)))
        assert status == 0
        np.testing.assert_allclose(found, true, rtol=1e-5, atol=1e-4)
        if x.size < 10_000:
            (again,) = interpret(made, {"i0": x}).outputs.values()
            np.testing.assert_allclose(again, found, rtol=1e-6, atol=1e-6)
    known = T.tensor("x", "float32", (10, 5000))
    assert sum(isinstance(s, Kernel) for s in program([known], build(known)).steps) < kernels


def test_columns_of_several_axes_are_summed_as_those_of_one() -> None:
    """The gradient of what scales all images: sums over a batch of any size."""
    x, y = T.tensor("x", "float32", (None, 20, 30, 7)), T.tensor("y", "float32", (None, 20, 30, 7))
    z = (x * y).sum(axis=0)
    assert set(schedules(program([x, y], z))) == {"parallel"}
    f = compiled(lowered(Graph((x, y), (), (z,), ())), native())
    rng = np.random.default_rng(5)
    for batch in (1, 3, 64, 65, 130):
        given = tuple(rng.standard_normal((batch, 20, 30, 7)).astype("float32") for _ in range(2))
        (true,) = evaluate([z], dict(zip((x, y), given, strict=True)))
        status, (found,) = f.execute(f.bind(given))
        assert status == 0
        np.testing.assert_allclose(found, true, rtol=1e-5, atol=1e-4)


def test_a_short_row_of_each_block() -> None:
    made = program([X], (T.softmax(X) ** 2).sum(axis=1))
    (temp,) = made.of_kind("temp")
    assert schedules(made) == ["parallel"]
    assert len(temp.shape) == 2  # a row for each block
    alone = program([X], T.softmax(X))  # whose rows are kept where the result is going to be
    assert not list(alone.of_kind("temp"))
    assert schedules(alone) == ["parallel"]


def test_what_is_known_to_be_small_is_left_alone() -> None:
    x = T.tensor("x", "float64", (30, 40))
    assert "parallel" not in schedules(program([x], T.tanh(x)))
    assert "parallel" not in schedules(program([x], x.sum()))
    assert "parallel" not in schedules(program([x], x.sum(axis=0)))


# ---- in the Loop IR ----


def view(name: str, *shape: Any) -> Any:
    return contiguous(name, "float64", shape)


def at(name: str, shape: tuple[Any, ...], *place: Any) -> Load:
    return Load(view(name, *shape), place)


def cut(*body: Stmt) -> str:
    """The loops of a kernel over x[n, m], o[n, m], s[m], after the pass."""
    buffers = [
        Buffer("x", "float64", (n, m), "input"),
        Buffer("o", "float64", (n, m), "output"),
        Buffer("s", "float64", (m,), "output"),
    ]
    bindings = (Binding(Symbol("n"), "x", 0), Binding(Symbol("m"), "x", 1))
    made = plan(parallel(Program({b.name: b for b in buffers}, bindings, (), (Kernel(body),))))
    return "".join(text(s) for k in made.steps if isinstance(k, Kernel) for s in k.body)


def test_a_round_that_reads_what_another_writes_is_not_alone() -> None:
    shape = n, m
    value = at("o", shape, i, j)
    ahead = For(I, n, (For(J, m, (Store(view("o", n, m), (i, 0), value),)),))
    assert "parallel" in cut(ahead)
    behind = For(I, n, (For(J, m, (Store(view("o", n, m), (i, j), at("o", shape, 0, j)),)),))
    assert "parallel" not in cut(behind)
    same = For(
        I, n, (Store(view("o", n, m), (0, i), Const(1.0, "float64")), Store(view("s", m), (0,), at("x", shape, i, 0)))
    )
    assert "parallel" not in cut(same)


def test_a_sum_that_is_read_inside_is_not_cut() -> None:
    total = Ref("t", "float64")
    add = Assign("t", Apply("add", (total, at("x", (n, m), i, 0)), "float64"))
    start = Local("t", Const(0.0, "float64"))
    end = Store(view("s", m), (0,), total)
    assert "partial" in cut(start, For(I, n, (add,)), end)
    seen = Store(view("o", n, m), (i, 0), total)
    assert "parallel" not in cut(start, For(I, n, (add, seen)), end)
    again = Assign("t", Apply("mul", (total, at("x", (n, m), i, 0)), "float64"))
    assert "parallel" not in cut(start, For(I, n, (add, again)), end)


def test_a_sum_that_starts_from_what_is_not_known_is_not_cut() -> None:
    total = Ref("t", "float64")
    add = Assign("t", Apply("add", (total, at("x", (n, m), i, 0)), "float64"))
    start = Local("t", at("x", (n, m), 0, 0))
    assert "parallel" not in cut(start, For(I, n, (add,)), Store(view("s", m), (0,), total))


def test_neighbouring_loops_are_one() -> None:
    store = Store(view("o", n, m), (i, j), at("x", (n, m), i, j))
    assert text(flat(For(I, n, (For(J, m, (store,)),)))) == "for j in 0:m*n\n  o[j] = x[j]\n"
    place = Store(view("o", n, m), (i, j), Apply("cast", (Position(i * m + j),), "float64"))
    assert text(flat(For(I, n, (For(J, m, (place,)),)))) == "for j in 0:m*n\n  o[j] = float64((j))\n"


@pytest.mark.parametrize(
    "value", [at("x", (n, m), j, i), at("s", (m,), j), Apply("cast", (Position(j),), "float64"), at("x", (n, m), 0, j)]
)
def test_loops_that_do_not_walk_on_stay_apart(value: Any) -> None:
    loop = For(I, n, (For(J, m, (Store(view("o", n, m), (i, j), value),)),))
    assert flat(loop) is loop


def test_a_triangle_stays_a_triangle() -> None:
    loop = For(I, n, (For(J, i + 1, (Store(view("o", n, m), (i, j), at("x", (n, m), i, j)),)),))
    assert flat(loop) is loop


def test_neighbouring_loops_are_one_also_around_others() -> None:
    """A batch of one sequence was run by one thread."""
    r, c = symbol("r"), symbol("c")
    add = Assign("t", Apply("add", (Ref("t", "float64"), at("x", (n, m, c), i, j, r)), "float64"))
    rows = (
        Local("t", Const(0, "float64")),
        For(Symbol("r"), c, (add,)),
        Store(view("o", n, m), (i, j), Ref("t", "float64")),
    )
    found = text(flat(For(I, n, (For(J, m, rows),))))
    assert found == ("for j in 0:m*n\n  var t: float64 = 0\n  for r in 0:c\n    t = add(t, x[j, r])\n  o[j] = t\n")
    triangle = For(I, n, (For(J, m, (rows[0], For(Symbol("r"), i, (add,)), rows[2])),))
    assert flat(triangle) is triangle


@pytest.mark.parametrize("shape", [(1, 2, 9, 5), (3, 1, 1, 40), (2, 3, 4, 7), (0, 3, 4, 4), (2, 3, 0, 4)])
@pytest.mark.parametrize(
    "build",
    [
        lambda x: T.softmax(x, axis=-1),
        lambda x: x.sum(axis=-1) + x[..., 0],
        lambda x: (x - x.mean(axis=-1, keepdims=True)) * T.arange(x.shape[-1]),
        lambda x: x.cumsum(axis=-1)[:, ::-1],
        lambda x: x.transpose((0, 2, 1, 3)).prod(axis=3),
        lambda x: (x * x).sum(axis=(-2, -1)),
    ],
)
def test_rows_of_many_axes(rng: np.random.Generator, build: Callable[[Expr], Expr], shape: tuple[int, ...]) -> None:
    """Right in machine code and by the interpreter, and shared out one by one where they lie side by side."""
    x = T.tensor("x", dtype="float64", shape=(None,) * 4)
    y = build(x)
    array = rng.normal(size=shape)
    (expected,) = evaluate([y], {x: array})
    made = program([x], y)
    result = interpret(made, {"i0": array})
    for found in (result.outputs[made.of_kind("output")[0].name], symdl.function([x], y)(array)):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_rows_of_one_sequence_are_shared_out() -> None:
    x = T.tensor("x", dtype="float32", shape=(None,) * 4)
    for y in (T.softmax(x, axis=-1), T.pool_2d(x, 2)):
        (step,) = program([x], y).steps
        assert isinstance(step, Kernel)
        (loop,) = step.body
        assert isinstance(loop, For)
        assert loop.schedule == "parallel"
        assert str(loop.extent) in ("d0*d1*d2", "d0*d1")


# ---- the interpreter ----


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SMALL", 0), ("BLOCK", 3), ("ROWS", 2)):
        monkeypatch.setattr(cutting, name, value)
    return


@pytest.mark.parametrize("shape", [(0, 3), (5, 0), (1, 1), (5, 7), (8, 3)])
@pytest.mark.parametrize(
    "build",
    [
        lambda x: x.sum(),
        lambda x: x.prod(axis=0),
        lambda x: (x * x).mean(axis=1),
        lambda x: T.softmax(x) + T.softmax(x).sum(axis=0),
        lambda x: (x > 0).any(),
        lambda x: x.sum(axis=0).sum() + x,
    ],
)
def test_blocks_mean_the_same(
    small_blocks: None, rng: np.random.Generator, build: Callable[[Expr], Expr], shape: tuple[int, int]
) -> None:
    x = T.dmatrix("x")
    y = build(x)
    made = program([x], y)
    verify(made)
    if not shape[1] and "max" in str(made):
        return
    array = rng.normal(size=shape)
    result = interpret(made, {"i0": array})
    (expected,) = evaluate([y], {x: array})
    np.testing.assert_allclose(result.outputs[made.of_kind("output")[0].name], expected, rtol=1e-12, atol=1e-12)


def test_the_pass_reads_the_same_in_every_order() -> None:
    made = program([X], T.softmax(X).sum(axis=0))
    assert str(made) == str(program([X], T.softmax(X).sum(axis=0)))
    assert any(isinstance(x, For) and x.schedule == "vector" for k in made.steps for x in walk(*k.body))  # type: ignore[union-attr]


def test_a_number_that_all_lanes_share_inside_a_guard() -> None:
    chosen = Apply("where", (Const(True, "bool"), Const(2.0, "float64"), Const(3.0, "float64")), "float64")
    inside = Apply("add", (Ref("t", "float64"), Load(view("x", n), (i - 1,))), "float64")
    guarded = Guard(((i - 1, n),), inside, Const(0.0, "float64"))
    loop = For(I, n, (Local("t", chosen), Store(view("o", n), (i,), guarded)))
    buffers = (Buffer("x", "float64", (n,), "input"), Buffer("o", "float64", (n,), "output"))
    made = Program({b.name: b for b in buffers}, (Binding(Symbol("n"), "x", 0),), (), (Kernel((loop,)),))
    np.testing.assert_array_equal(interpret(made, {"x": np.arange(4.0)}).outputs["o"], [0, 2, 3, 4])


def test_zeros_are_written_by_one_call() -> None:
    x = T.fmatrix("x")
    made = compiled(lowered(Graph((x,), (), (T.zeros_like(x), x.sum(axis=0)), ())), native())
    for shape in ((3, 5), (0, 4), (4, 0)):
        array = np.ones(shape, np.float32)
        status, (zeros, total) = made.execute(made.bind([array]))
        assert status == 0
        np.testing.assert_array_equal(zeros, np.zeros_like(array))
        np.testing.assert_array_equal(total, array.sum(axis=0))
    below = Apply("neg", (Const(0.0, "float64"),), "float64")
    for value, found in ((Const(0, "float64"), True), (Const(-0.0, "float64"), False), (below, False)):
        assert clears(Store(view("s", m), (j,), value), J) == found
    assert not clears(Store(view("o", n, m), (j, 0), Const(0, "float64")), J)
