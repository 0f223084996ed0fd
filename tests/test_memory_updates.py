"""Updates in place: new values land where nobody can tell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_programs import (
    G,
    I,
    J,
    at,
    buffers,
    copies,
    each,
    each_pair,
    i,
    j,
    n,
    number,
    op,
    program,
    put,
    square,
    vector,
)

from symdl.backends.interpreter.backend import interpret
from symdl.errors import ProgramError
from symdl.ir.arena import plan
from symdl.ir.loops import (
    Assign,
    Checked,
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
    walk,
)
from symdl.ir.memory import in_place
from symdl.ir.program import FIRST_FAILURE, Buffer, Call, If, Kernel, Loop, Program, Step, verify
from symdl.types import Extent, Symbol


def updated(p: Program, commits: list[tuple[View, View]], lengths: tuple[int, ...] = (1, 2, 4)) -> Program:
    """The program with its updates, after comparing its run with one that snapshots every new value first.

    The comparison is the meaning of updates: all new values are computed from the old ones, then all are stored.
    """
    found = in_place(p, commits)
    verify(found)
    snapshots = [Buffer(f"new{k}", v.dtype, v.shape, "output") for k, (v, _) in enumerate(commits)]
    calls = [
        Call("copy", (v, contiguous(b.name, b.dtype, b.shape))) for (v, _), b in zip(commits, snapshots, strict=True)
    ]
    meaning = Program(p.buffers | {b.name: b for b in snapshots}, p.bindings, p.checks, (*p.steps, *calls), p.failures)
    rng = np.random.default_rng(7)
    for size in lengths:
        arrays = {}
        for b in p.of_kind("input", "shared", "constant"):
            shape = tuple(size if isinstance(e, type(n)) else int(str(e)) for e in b.shape)
            arrays[b.name] = (rng.normal(size=shape) if b.dtype == "float64" else rng.integers(0, size, shape)).astype(
                b.dtype
            )
        expected = {name: a.copy() for name, a in arrays.items()}
        outcome = interpret(meaning, expected, scalar=True)
        assert outcome.status == 0
        for k, (_, shared) in enumerate(commits):
            expected[shared.buffer][...] = outcome.outputs[f"new{k}"]
        for candidate in (found, plan(found)):
            verify(candidate)
            for scalar in (True, False):
                mine = {name: a.copy() for name, a in arrays.items()}
                result = interpret(candidate, mine, scalar)
                for b in p.of_kind("output"):
                    np.testing.assert_array_equal(result.outputs[b.name], outcome.outputs[b.name])
                for name in arrays:
                    np.testing.assert_array_equal(mine[name], expected[name])
    return found


W = buffers("shared", "w", n)
NEW = buffers("temp", "new", n)
COMMIT = [(vector("new"), vector("w"))]
STEP = put("new", op("sub", at("w"), at("g")))


def gone(p: Program) -> bool:
    """Whether the temp of the new value has vanished, with its copy."""
    return "new" not in p.buffers and ("new", "w") not in copies(p)


# ---- updates: what may be written in place ----


def test_an_elementwise_update_is_written_in_place() -> None:
    found = updated(program([*G, *W, *NEW], each(STEP)), COMMIT)
    assert gone(found)
    assert found.steps == (found.steps[0],)


def test_the_new_value_may_be_read_later() -> None:
    out = buffers("output", "out", n)
    later = each(put("out", op("mul", at("new"), at("new"))))
    assert gone(updated(program([*G, *W, *NEW, *out], each(STEP), later), COMMIT))


def test_the_old_value_may_be_read_before() -> None:
    out = buffers("output", "out", n)
    sooner = each(put("out", op("mul", at("w"), at("w"))))
    assert gone(updated(program([*G, *W, *NEW, *out], sooner, each(STEP)), COMMIT))


def test_all_of_the_old_value_may_be_read_by_an_earlier_phase() -> None:
    total = Ref("total", "float64")
    phase = (
        Local("total", number(0)),
        For(J, n, (Assign("total", op("add", total, Load(vector("w"), (j,)))),)),
        For(I, n, (put("new", op("sub", at("w"), total)),)),
    )
    assert gone(updated(program([*G, *W, *NEW], Kernel(phase)), COMMIT))


def test_a_row_may_be_read_before_the_row_is_written() -> None:
    """Weights divided by the norm of their row: one loop over rows, two phases in it."""
    total = Ref("total", "float64")
    here = Load(square("w"), (i, j))
    rows = (
        Local("total", number(0)),
        For(J, n, (Assign("total", op("add", total, op("mul", here, here))),)),
        For(J, n, (Store(square("new"), (i, j), op("true_div", here, total)),)),
    )
    p = program([*buffers("shared", "w", n, n), *buffers("temp", "new", n, n)], each(*rows))
    assert gone(updated(p, [(square("new"), square("w"))]))


def momentum(*order: int) -> Program:
    """velocity <- velocity / 2 - g; w <- w + velocity / 2 - g, with one Value or two for the new velocity."""
    moved = op("sub", op("mul", at("velocity"), number(0.5)), at("g"))
    again = op("sub", op("mul", at("velocity"), number(0.5)), at("g"))
    stores = [put("faster", moved), put("new", op("add", at("w"), moved)), put("new", op("add", at("w"), again))]
    shared, temps = buffers("shared", "w velocity", n), buffers("temp", "new faster", n)
    return program([*G, *shared, *temps], each(*(stores[k] for k in order)))


@pytest.mark.parametrize("order", [(0, 1), (0, 2), (1, 0), (2, 0)])
def test_what_a_round_reads_after_its_store_is_kept_in_a_variable(order: tuple[int, ...]) -> None:
    found = updated(momentum(*order), [*COMMIT, (vector("faster"), vector("velocity"))])
    assert copies(found) == []
    assert found.of_kind("temp") == []
    kernel = found.steps[0]
    assert isinstance(kernel, Kernel)
    assert sum(isinstance(x, Local) for x in walk(*kernel.body)) == (order[0] == 0)  # only where it is needed


def test_an_inner_loop_after_the_store_reads_the_variable() -> None:
    store = put("new", op("add", at("w"), number(1)))
    inner = For(J, n, (Store(square("out"), (i, j), op("mul", at("w"), at("g"))),))
    p = program([*G, *W, *NEW, *buffers("output", "out", n, n)], each(store, inner))
    assert gone(updated(p, COMMIT))


def test_a_call_may_write_into_a_shared_value_that_it_does_not_read() -> None:
    shared, temps = buffers("shared", "w", n, n), buffers("temp", "new", n, n)
    call = Call("matmul", (square("a"), square("a"), square("new")))
    p = program([*buffers("input", "a", n, n), *shared, *temps], call)
    assert gone(updated(p, [(square("new"), square("w"))]))


def test_two_shared_values_of_one_kernel() -> None:
    shared, temps = buffers("shared", "v w", n), buffers("temp", "new other", n)
    both = each(put("new", op("add", at("w"), number(1))), put("other", op("mul", at("v"), number(2))))
    p = program([*shared, *temps], both)
    assert copies(updated(p, [*COMMIT, (vector("other"), vector("v"))])) == []


# ---- updates: what stays a copy ----


def refused(p: Program, commits: list[tuple[View, View]] | None = None) -> None:
    found = updated(p, commits or COMMIT)
    assert ("new", "w") in copies(found)
    assert isinstance(found.steps[-1], Call)


def test_a_copy_stays_where_the_old_value_is_read_later() -> None:
    out = buffers("output", "out", n)
    refused(program([*G, *W, *NEW, *out], each(STEP), each(put("out", at("w")))))


def test_a_copy_stays_where_the_old_value_is_read_at_another_element() -> None:
    refused(program([*W, *NEW], each(put("new", op("add", at("w"), Load(vector("w"), (n - 1 - i,)))))))


def test_a_copy_stays_where_the_old_value_is_read_through_another_view() -> None:
    turned = View("w", "float64", (n, n), (1, n))
    p = program(
        [*buffers("shared", "w", n, n), *buffers("temp", "new", n, n)],
        each_pair(Store(square("new"), (i, j), Load(turned, (i, j)))),
    )
    refused(p, [(square("new"), square("w"))])


def test_a_copy_stays_where_a_guard_reads_a_neighbour() -> None:
    before = Guard(((i - 1, n),), Load(vector("w"), (i - 1,)), number(0))
    refused(program([*W, *NEW], each(put("new", before))))


def test_a_copy_stays_where_the_store_is_repeated() -> None:
    refused(program([*W, *NEW], each_pair(put("new", op("add", at("w"), op("cast", Position(j)))))))


def test_a_copy_stays_where_the_store_scatters() -> None:
    index = buffers("input", "index", n, dtype="int64")
    place = Load(contiguous("index", "int64", (n,)), (i,))
    first = For(I, n, (put("new", number(0)),))
    scatter = For(I, n, (Store(vector("new"), (place,), at("w")),))
    refused(program([*index, *W, *NEW], Kernel((first, scatter))))  # it also has two stores
    p = program([*index, *W, *NEW], each(Store(vector("new"), (place,), at("w"))))
    assert not gone(in_place(p, COMMIT))


def test_a_copy_stays_where_another_phase_reads_it_after_the_store() -> None:
    out = buffers("output", "out", n)
    phases = Kernel((For(I, n, (STEP,)), For(I, n, (put("out", at("w")),))))
    refused(program([*G, *W, *NEW, *out], phases))


def test_a_copy_stays_where_a_later_statement_reads_another_element() -> None:
    out = buffers("output", "out", n)
    refused(program([*G, *W, *NEW, *out], each(STEP, put("out", Load(vector("w"), (n - 1 - i,))))))


def test_a_copy_stays_where_an_inner_loop_reads_all_of_it() -> None:
    total = Ref("total", "float64")
    rows = (
        Local("total", number(0)),
        For(J, n, (Assign("total", op("add", total, Load(vector("w"), (j,)))),)),
        put("new", total),
    )
    refused(program([*W, *NEW], each(*rows)))


def test_a_copy_stays_where_an_earlier_phase_of_the_row_reads_a_column() -> None:
    total = Ref("total", "float64")
    turned = View("w", "float64", (n, n), (1, n))
    rows = (
        Local("total", number(0)),
        For(J, n, (Assign("total", op("add", total, Load(turned, (i, j)))),)),
        For(J, n, (Store(square("new"), (i, j), total),)),
    )
    p = program([*buffers("shared", "w", n, n), *buffers("temp", "new", n, n)], each(*rows))
    refused(p, [(square("new"), square("w"))])


def test_a_copy_stays_where_the_store_is_repeated_by_its_view() -> None:
    spread = [View(name, "float64", (n, n), (0, 1)) for name in ("w", "new")]
    made = each_pair(Store(spread[1], (i, j), op("add", Load(spread[0], (i, j)), op("cast", Position(i + 1)))))
    refused(program([*W, *NEW], made))


def test_a_copy_stays_where_the_new_value_is_meant_transposed() -> None:
    turned = View("new", "float64", (n, n), (1, n))
    made = each_pair(Store(square("new"), (i, j), op("add", Load(square("w"), (i, j)), number(1))))
    refused(program([*buffers("shared", "w", n, n), *buffers("temp", "new", n, n)], made), [(turned, square("w"))])


def test_a_copy_stays_where_a_call_reads_what_it_would_overwrite() -> None:
    made = Call("matmul", (square("w"), square("w"), square("new")))
    refused(
        program([*buffers("shared", "w", n, n), *buffers("temp", "new", n, n)], made), [(square("new"), square("w"))]
    )


@pytest.mark.parametrize(
    "body",
    [
        (Store(vector("new"), (0,), Load(vector("w"), (1,))),),
        (Store(vector("new"), (0,), number(1)), Store(vector("out"), (0,), Load(vector("w"), (1,)))),
        (Store(vector("new"), (0,), number(1)), Store(vector("w"), (0,), number(2))),
    ],
    ids=["another element", "another element later", "written anyway"],
)
def test_a_copy_stays_where_only_one_element_is_made(body: tuple[Stmt, ...]) -> None:
    """Not run: what is not made has no value."""
    p = program([*W, *NEW, *buffers("output", "out", n)], each(put("out", number(0))), Kernel(body))
    assert copies(in_place(p, COMMIT)) == [("new", "w")]


def test_a_copy_stays_where_the_place_comes_from_data() -> None:
    place = Load(contiguous("index", "int64", (n,)), (0,))
    made = Kernel((Store(vector("new"), (place,), Load(vector("w"), (place,))),))
    p = program([*buffers("input", "index", n, dtype="int64"), *W, *NEW], made)
    assert copies(in_place(p, COMMIT)) == [("new", "w")]


def failing(name: str) -> Store:
    place = Checked(Load(contiguous("index", "int64", (n,)), (i,)), n, FIRST_FAILURE)
    return put(name, Load(vector("g"), (place,)))


@pytest.mark.parametrize("together", [False, True])
def test_a_copy_stays_where_a_check_may_fail_then_or_later(together: bool) -> None:
    declared = [*buffers("input", "index", n, dtype="int64"), *G, *W, *NEW, *buffers("output", "out", n)]
    steps = (each(STEP, failing("out")),) if together else (each(STEP), each(failing("out")))
    refused(program(declared, *steps))


def test_a_check_before_does_not_matter() -> None:
    declared = [*buffers("input", "index", n, dtype="int64"), *G, *W, *NEW, *buffers("output", "out", n)]
    assert gone(updated(program(declared, each(failing("out")), each(STEP)), COMMIT))


def test_a_copy_stays_where_two_steps_make_the_value() -> None:
    refused(program([*G, *W, *NEW], each(put("new", at("g"))), each(put("new", op("add", at("new"), at("w"))))))


@pytest.mark.parametrize("loop", [False, True])
def test_a_copy_stays_where_the_value_is_made_inside_control(loop: bool) -> None:
    flag = buffers("input", "flag", dtype="bool")
    made = each(put("new", op("add", at("new" if loop else "w"), at("g"))))
    control: Step = (
        Loop(Symbol("t"), n, (made,)) if loop else If(contiguous("flag", "bool", ()), (made,), (each(STEP),))
    )
    refused(program([*flag, *G, *W, *NEW], each(put("new", at("w"))), control))


def test_a_copy_stays_where_a_loop_reads_the_old_value_later() -> None:
    total = buffers("output", "total", n)
    again = Loop(Symbol("t"), n, (each(put("total", op("add", at("total"), at("w")))),))
    refused(program([*G, *W, *NEW, *total], each(STEP), each(put("total", number(0))), again))


def test_a_copy_stays_where_the_new_value_is_an_output_or_an_input() -> None:
    out = buffers("output", "out", n)
    p = program([*G, *W, *out], each(put("out", op("sub", at("w"), at("g")))))
    assert copies(updated(p, [(vector("out"), vector("w"))])) == [("out", "w")]
    assert copies(updated(program([*G, *W]), [(vector("g"), vector("w"))])) == [("g", "w")]


def test_a_copy_stays_where_only_a_part_of_the_temp_is_meant() -> None:
    rows = buffers("temp", "new", n, n)
    first = View("new", "float64", (n,), (1,))
    made = each_pair(Store(square("new"), (i, j), number(3)))
    refused(program([*W, *rows], made), [(first, vector("w"))])


def test_one_new_value_for_two_shared_values() -> None:
    shared = buffers("shared", "v w", n)
    p = program([*G, *shared, *NEW], each(STEP))
    assert copies(updated(p, [*COMMIT, (vector("new"), vector("v"))])) == [("w", "v")]


def test_two_updates_of_one_shared_value_are_refused() -> None:
    with pytest.raises(ProgramError, match="a shared buffer has two updates"):
        in_place(program([*G, *W, *NEW], each(STEP)), [*COMMIT, (vector("g"), vector("w"))])


# ---- updates: copies between shared values ----

SHARED = buffers("shared", "a b c d", n)


@pytest.mark.parametrize(
    ("pairs", "temps"),
    [
        ("ab ba", 1),  # a swap
        ("ab bc ca", 1),  # a rotation
        ("ab bc", 0),  # a chain: each reads before it is overwritten
        ("bc ab", 0),
        ("ab ba cd dc", 2),
        ("ab ba ca da", 1),  # a swap whose values are also wanted elsewhere
        ("aa", 0),
        ("aa ba", 0),
    ],
)
def test_shared_values_that_take_each_others_values(pairs: str, temps: int) -> None:
    """Each pair xy stands for the update x <- y."""
    found = updated(program(SHARED), [(vector(pair[1]), vector(pair[0])) for pair in pairs.split()])
    assert len(found.of_kind("temp")) == temps


def test_a_shared_value_that_becomes_its_own_transpose() -> None:
    turned = View("w", "float64", (n, n), (1, n))
    found = updated(program(buffers("shared", "w", n, n)), [(turned, square("w"))])
    assert len(found.of_kind("temp")) == 1


def test_a_swap_beside_a_computed_update() -> None:
    """a <- b, b <- b + g: b is made in place only if a has its old value first, so both are copies."""
    p = program([*G, *SHARED, *NEW], each(put("new", op("add", at("b"), at("g")))))
    found = updated(p, [(vector("b"), vector("a")), (vector("new"), vector("b"))])
    assert copies(found) == [("b", "a"), ("new", "b")]


@given(st.permutations("abcd"), st.lists(st.sampled_from("abcd"), min_size=4, max_size=4))
def test_any_set_of_copies(targets: list[str], sources: list[str]) -> None:
    updated(program(SHARED), [(vector(s), vector(x)) for s, x in zip(sources, targets, strict=True)])


PLACES: list[tuple[Extent, ...]] = [(i, j)] * 6 + [(j, i), (i, 0), (i, n - 1 - j), (0, j)]


@st.composite
def updating_kernels(draw: st.DrawFn) -> Kernel:
    """Kernels that make new values of two shared matrices and read the old ones anywhere: before, beside and after the
    stores, in the same rounds or others."""

    def value(depth: int) -> Value:
        kind = draw(st.integers(0, 3 if depth else 1))
        if kind < 2:
            return Load(square(draw(st.sampled_from(["v", "w", "g"]))), draw(st.sampled_from(PLACES)))
        if kind == 2:
            return Guard(((draw(st.sampled_from([i, i - 1])), n),), value(depth - 1), value(depth - 1))
        return op("sub", value(depth - 1), value(depth - 1))

    def look(name: str) -> list[Stmt]:
        return [Store(square(name), (i, j), value(1))] if draw(st.integers(0, 2)) == 0 else []

    shared = value(2)
    makers: list[Stmt] = []
    for name in draw(st.permutations(["new_v", "new_w"])):
        place = draw(st.sampled_from(PLACES[:7]))
        makers.append(Store(square(name), place, op("add", value(1), draw(st.sampled_from([shared, number(2)])))))
    where = draw(st.integers(1, 2))
    together = [*look("o1"), *makers[:where], *look("o2"), *makers[where:], *look("o3")]
    rows: list[Stmt] = [For(J, n, tuple(together))]
    if draw(st.booleans()):
        rows = [For(J, n, tuple(together[:where])), For(J, n, tuple(together[where:]))]
    rows = [*(For(J, n, (s,)) for s in look("o4")), *rows, *(For(J, n, (s,)) for s in look("o5"))]
    phases: list[Stmt] = [For(I, n, tuple(rows))]
    if draw(st.booleans()):
        phases = [For(I, n, (row,)) for row in rows]
    return Kernel(tuple(phases))


@given(updating_kernels())
def test_updates_of_random_kernels(kernel: Kernel) -> None:
    stored = {x.view.buffer for x in walk(*kernel.body) if isinstance(x, Store)}
    outs = " ".join(sorted(name for name in stored if name[0] == "o"))
    declared = [*buffers("input", "g", n, n), *buffers("shared", "v w", n, n), *buffers("temp", "new_v new_w", n, n)]
    p = program([*declared, *buffers("output", outs, n, n)], kernel)
    updated(p, [(square(f"new_{name}"), square(name)) for name in "vw"], (3,))
