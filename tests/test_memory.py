"""The arena: planned Programs compute what unplanned ones do, in little memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_programs import END, SLOT, G, I, J, at, buffers, each, i, j, m, n, number, op, program, put, t, vector
from work import superlinear

from symdl.backends.interpreter.backend import interpret
from symdl.ir.arena import lifetimes, plan
from symdl.ir.loops import Assign, Const, For, Guard, Load, Local, Position, Ref, Stmt, Store, Value, View, contiguous
from symdl.ir.program import Buffer, Call, If, Kernel, Loop, Program, Step, accesses, verify
from symdl.types import Extent, Symbol, floor_divide, symbol


def slots(p: Program) -> dict[str, int]:
    verify(plan(p))
    return plan(p).offsets


def chain(length: int, dtype: str = "float64") -> Program:
    names = [f"s{k}" for k in range(length)]
    steps = [each(put(b, op("add", at(a), number(1)))) for a, b in zip(["g", *names], [*names, "out"], strict=True)]
    return program([*G, *buffers("temp", " ".join(names), n), *buffers("output", "out", n)], *steps)


def test_a_chain_needs_two_slots() -> None:
    planned = plan(chain(10))
    assert planned.slots == ((8 * n,), (8 * n,))
    assert interpret(planned, {"g": np.zeros(3)}).outputs["out"].tolist() == [11] * 3


def test_a_temp_that_no_step_uses_is_dropped() -> None:
    p = program([*G, *buffers("temp", "a b", n), *buffers("output", "out", n)], *chain(0).steps)
    assert plan(p).of_kind("temp") == []
    assert plan(p).slots == ()


def test_what_one_kernel_reads_and_writes_is_apart() -> None:
    p = chain(2)
    assert len(set(slots(p).values())) == 2


def sized(*shapes: tuple[Extent, ...]) -> tuple[tuple[Extent, ...], ...]:
    """The slots for temps that live one after the other, each two steps long."""
    names = [f"s{k}" for k in range(len(shapes))]
    temps = [Buffer(name, "float64", shape, "temp") for name, shape in zip(names, shapes, strict=True)]
    inputs = [*buffers("input", "x", n, m)]
    steps = [Kernel((Store(contiguous(b.name, b.dtype, b.shape), (0,) * len(b.shape), number(1)),)) for b in temps]
    return plan(program([*inputs, *temps], *steps)).slots


def test_sizes_share_and_those_that_provably_nest_need_no_maximum() -> None:
    assert sized((n,), (n,)) == ((8 * n,),)
    assert sized((n + 1,), (n,)) == ((8 * n + 8,),)
    assert sized((n,), (n + 1,)) == ((8 * n + 8,),)
    assert sized((n,), (n + m,), (m,)) == ((8 * n + 8 * m,),)
    assert sized((4,), (8,)) == ((64,),)
    assert sized((n,), (m,)) == ((8 * n, 8 * m),)
    assert sized((n,), (n, m)) == ((8 * n, 8 * n * m),)  # m may be 0
    assert sized((n,), (m,), (n,), (m + 1,)) == ((8 * n, 8 * m + 8),)


def test_the_closest_size_is_taken() -> None:
    out = buffers("output", "out", 1)
    big, small, fits = (Buffer(name, "float64", (size,), "temp") for name, size in (("a", 90), ("b", 20), ("c", 10)))

    def first(b: Buffer) -> Store:
        return Store(contiguous(b.name, b.dtype, b.shape), (0,), number(1))

    use = [
        Store(contiguous("out", "float64", (1,)), (0,), Load(contiguous(b.name, b.dtype, b.shape), (0,)))
        for b in (big, small)
    ]
    p = program(
        [*G, big, small, fits, *out], Kernel((first(big), first(small))), Kernel(tuple(use)), Kernel((first(fits),))
    )
    assert slots(p)["c"] == slots(p)["b"]


def state(name: str) -> View:
    return contiguous(name, "float64", (2, n))


def ring_program(
    inside: list[Stmt | Step], temps: list[Buffer], after: tuple[Step, ...] = (), before: tuple[Step, ...] = ()
) -> Program:
    """r <- body(r) n times, in a ring of two rows."""
    declared = [*G, *buffers("temp", "r", 2, n), *temps, *buffers("output", "out", n)]
    body = tuple(s if isinstance(s, Kernel | Call | Loop | If) else each(s) for s in inside)
    return program(
        declared,
        *before,
        each(Store(state("r").row(0), (i,), at("g"))),
        Loop(Symbol("t"), n, body),
        Call("copy", (state("r").row(END), vector("out"))),
        *after,
    )


def test_a_ring_lives_as_long_as_its_loop_and_what_a_round_uses_up_does_not() -> None:
    new = Store(state("r").row(1 - SLOT), (i,), at("c"))
    p = ring_program(
        [
            put("a", op("mul", Load(state("r").row(SLOT), (i,)), number(0.5))),
            put("b", op("add", at("a"), at("g"))),
            put("c", op("add", at("b"), number(1))),
            new,
        ],
        buffers("temp", "a b c", n),
    )
    where = slots(p)
    assert where["a"] == where["c"]
    assert len({where["a"], where["b"], where["r"]}) == 3
    lives = lifetimes(p)
    assert lives["r"] == (0, 6)
    assert [lives[name] for name in "abc"] == [(2, 3), (3, 4), (4, 5)]
    check_plan(p)


def test_a_temp_made_before_the_loop_and_read_in_it_lives_to_its_end() -> None:
    reads = Store(state("r").row(1 - SLOT), (i,), op("add", at("a"), Load(state("r").row(SLOT), (i,))))
    before = each(put("a", op("mul", at("g"), number(3))))
    p = ring_program([reads, put("b", at("g")), put("b", at("b"))], buffers("temp", "a b", n), before=(before,))
    assert slots(p)["a"] != slots(p)["b"]
    check_plan(p)


def test_a_temp_that_a_round_reads_before_it_writes_it_is_carried() -> None:
    """a is set before the loop, read and then set in each round: another temp of the round must not take its slot."""
    inside: list[Stmt | Step] = [
        Store(state("r").row(1 - SLOT), (i,), op("add", at("a"), Load(state("r").row(SLOT), (i,)))),
        put("a", op("mul", at("g"), number(2))),
        put("b", op("add", at("g"), number(1))),
        put("b", op("add", at("b"), number(1))),
    ]
    p = ring_program(inside, buffers("temp", "a b", n), before=(each(put("a", number(5))),))
    assert lifetimes(p)["a"] == (0, 6)
    check_plan(p)


def test_a_temp_that_only_some_rounds_write_is_carried() -> None:
    """Every round reads a; only one branch writes it, so that another temp of the round must not take its slot."""
    flag = contiguous("flags", "bool", (n,)).row(t)
    inside: list[Stmt | Step] = [
        If(flag, (each(put("a", op("cast", Position(t + 2)))),), ()),
        Store(state("r").row(1 - SLOT), (i,), op("add", at("a"), Load(state("r").row(SLOT), (i,)))),
        put("b", at("g")),
        put("b", at("b")),
    ]
    flags = buffers("input", "flags", n, dtype="bool")
    p = ring_program(inside, [*flags, *buffers("temp", "a b", n)], before=(each(put("a", number(5))),))
    assert slots(p)["a"] != slots(p)["b"]
    arrays = {"g": np.arange(4.0), "flags": np.array([False, True, False, False])}
    found = interpret(plan(p), arrays).outputs["out"]
    np.testing.assert_array_equal(found, np.arange(4.0) + 5 + 3 + 3 + 3)


def test_the_rows_of_a_trace_live_until_it_is_read() -> None:
    trace = contiguous("trace", "float64", (n, n))
    inside: list[Stmt | Step] = [
        put("a", op("add", Load(state("r").row(SLOT), (i,)), number(1))),
        Store(trace.row(t), (i,), at("a")),
        Store(state("r").row(1 - SLOT), (i,), at("a")),
    ]
    total = Ref("total", "float64")
    sums = each(
        Local("total", number(0)),
        For(J, n, (Assign("total", op("add", total, Load(trace, (j, i)))),)),
        put("sum", total),
    )
    temps = [*buffers("temp", "trace", n, n), *buffers("temp", "a", n), *buffers("output", "sum", n)]
    p = ring_program(inside, temps, (sums,))
    assert lifetimes(p)["trace"] == (1, 6)
    check_plan(p)


def test_a_row_by_the_counter_is_kept_for_later_rounds() -> None:
    """Row t is written first in each round; a row of an earlier round is read after it."""
    trace = contiguous("trace", "float64", (n, n))
    earlier = Guard(((t - 1, n),), Load(trace.row(t - 1), (i,)), number(1))
    inside: list[Stmt | Step] = [
        Store(trace.row(t), (i,), op("cast", Position(t + i))),
        Store(state("r").row(1 - SLOT), (i,), op("add", earlier, Load(state("r").row(SLOT), (i,)))),
        put("b", at("g")),
        put("b", at("b")),
    ]
    p = ring_program(inside, [*buffers("temp", "trace", n, n), *buffers("temp", "b", n)])
    assert lifetimes(p)["trace"] == (1, 5)
    check_plan(p)


def test_nested_loops() -> None:
    """A state of the inner loop lives through it, but only one round of the outer one."""
    s = Symbol("s")
    slot, end = (k - 2 * floor_divide(k, 2) for k in (symbol("s"), n))
    inner_state = state("q")
    inside: list[Stmt | Step] = [
        Store(inner_state.row(0), (i,), Load(state("r").row(SLOT), (i,))),
        Loop(
            s,
            n,
            (each(Store(inner_state.row(1 - slot), (i,), op("add", Load(inner_state.row(slot), (i,)), at("g")))),),
        ),
        Store(state("r").row(1 - SLOT), (i,), Load(inner_state.row(end), (i,))),
        Store(state("p"), (0, i), at("g")),
    ]
    p = ring_program(inside, buffers("temp", "q p", 2, n))
    assert lifetimes(p)["q"] == (2, 5)
    assert slots(p)["p"] == slots(p)["q"]
    check_plan(p)


@pytest.mark.parametrize("chosen", [False, True])
def test_branches_share_what_only_one_of_them_uses(chosen: bool) -> None:
    flag = buffers("input", "flag", dtype="bool")

    def branch(name: str, factor: float) -> tuple[Step, ...]:
        return each(put(name, op("mul", at("g"), number(factor)))), each(put("r", op("add", at(name), number(1))))

    p = program(
        [*flag, *G, *buffers("temp", "a b r", n), *buffers("output", "out", n)],
        If(contiguous("flag", "bool", ()), branch("a", 2), branch("b", 3)),
        each(put("out", at("r"))),
    )
    assert slots(p)["a"] == slots(p)["b"] != slots(p)["r"]
    found = interpret(plan(p), {"flag": np.array(chosen), "g": np.ones(2)})
    assert found.outputs["out"].tolist() == [3 if chosen else 4] * 2


def check_plan(p: Program) -> None:
    """Runs the program with and without shared slots."""
    planned = plan(p)
    verify(planned)
    for size in (0, 1, 2, 5):
        arrays = {b.name: np.arange(1.0, size + 1) * (k + 1) for k, b in enumerate(p.of_kind("input"))}
        expected, found = interpret(p, arrays), interpret(planned, arrays)
        for name, array in expected.outputs.items():
            assert not np.isnan(array).any()
            np.testing.assert_array_equal(found.outputs[name], array)


SHAPES: dict[str, tuple[Extent, ...]] = {"n": (n,), "n+1": (n + 1,), "m": (m,), "2": (2,), "n+m": (n + m,)}


@st.composite
def straight(draw: st.DrawFn) -> Program:
    """Elementwise kernels on temps of several sizes, which read any earlier buffer, some outputs among them."""
    declared = [*buffers("input", "x", n), *buffers("input", "y", m)]
    steps: list[Step] = []
    for number_ in range(draw(st.integers(1, 12))):
        shape = SHAPES[draw(st.sampled_from(sorted(SHAPES)))]
        target = Buffer(f"b{number_}", "float64", shape, draw(st.sampled_from(["temp", "temp", "output"])))
        value: Value = op("cast", Position(i + number_))
        for b in draw(st.lists(st.sampled_from(declared), max_size=3)):
            read = Guard(((i, b.shape[0]),), Load(contiguous(b.name, "float64", b.shape), (i,)), Const(1, "float64"))
            value = op(draw(st.sampled_from(["add", "sub", "maximum"])), value, read)
        steps.append(Kernel((For(I, shape[0], (Store(contiguous(target.name, "float64", shape), (i,), value),)),)))
        declared.append(target)
    return program(declared, *steps)


@given(straight(), st.integers(0, 3), st.integers(0, 3))
def test_a_planned_program_computes_what_the_unplanned_one_does(p: Program, rows: int, columns: int) -> None:
    planned = plan(p)
    verify(planned)
    arrays = {"x": np.arange(1.0, rows + 1), "y": -np.arange(1.0, columns + 1)}
    expected, found = interpret(p, arrays).outputs, interpret(planned, arrays).outputs
    assert expected.keys() == found.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


@given(straight())
def test_no_two_temps_that_live_together_share_a_slot(p: Program) -> None:
    used: dict[str, list[int]] = {}
    for place, step in enumerate(p.steps):
        for view, _ in accesses(step):
            used.setdefault(view.buffer, []).append(place)
    where = plan(p).offsets
    for a in where:
        for b in where:
            if a < b and where[a] == where[b]:
                assert max(used[a]) < min(used[b]) or max(used[b]) < min(used[a])


@pytest.mark.parametrize("vary", [lambda k: (n,), lambda k: (n + k,), lambda k: (k + 1,), lambda k: (symbol(f"d{k}"),)])
def test_many_temps_are_planned_in_linear_work(vary: Callable[[int], tuple[Extent, ...]]) -> None:
    assert superlinear(lambda count: lambda: plan(chain_of_temps([vary(k) for k in range(count)])), 50) == []


def test_a_temp_takes_the_slot_of_an_equal_one() -> None:
    assert len(plan(chain_of_temps([(n,)] * 3000)).slots) == 8


def chain_of_temps(shapes: list[tuple[Extent, ...]]) -> Program:
    """Each temp is made from the one seven before it."""
    temps = [Buffer(f"s{k}", "float64", shape, "temp") for k, shape in enumerate(shapes)]
    views = [contiguous(b.name, b.dtype, b.shape) for b in temps]
    steps = tuple(
        Kernel((Store(views[k], (0,), Load(views[max(0, k - 7)], (0,)) if k else Const(1, "float64")),))
        for k in range(len(shapes))
    )
    return Program({b.name: b for b in temps}, (), (), steps)
