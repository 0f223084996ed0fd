"""Updates of parts: only the part is written, after all that can fail and all that is read, to the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symdl.tensor as T
from symdl import function, grad, shared
from symdl.errors import IndexRangeError
from symdl.graph.expr import Expr
from symdl.ir.loops import For
from symdl.ir.program import Call, Kernel, Program
from symdl.types import size_at, symbols

MODES = ("numpy", "interpreter", "native")
ROWS, COLUMNS = 7, 5


def rounds(program: Program, each: int) -> int:
    """The most rounds of a loop of the Program, and the most elements of a temp, if every size were `each`."""
    loops = (x for s in program.steps if isinstance(s, Kernel) for x in s.items if isinstance(x, For))
    inside = {x.index for s in program.steps if isinstance(s, Kernel) for x in s.items if isinstance(x, For)}
    extents = [x.extent for x in loops] + [n for b in program.of_kind("temp") for n in b.shape]
    return max(size_at(e, dict.fromkeys(symbols(e) - inside, each)) for e in extents)


PLACES: dict[str, Callable[[Any, Any, Any, Any], Any]] = {  # x[...] by two integers and a vector of them
    "row": lambda x, i, j, k: x[i],
    "row from the end": lambda x, i, j, k: x[-i - 1],
    "element": lambda x, i, j, k: x[i, j],
    "slice": lambda x, i, j, k: x[1:4],
    "slice by data": lambda x, i, j, k: x[j:, :j],
    "every second": lambda x, i, j, k: x[::2, 1:],
    "every second backwards": lambda x, i, j, k: x[::-2, -2],
    "backwards": lambda x, i, j, k: x[5:1:-1],
    "column": lambda x, i, j, k: x[:, 2],
    "rows": lambda x, i, j, k: x[k],
    "elements": lambda x, i, j, k: x[k, k % COLUMNS],
    "columns": lambda x, i, j, k: x[:, k % COLUMNS],
    "rows of a column": lambda x, i, j, k: x[k, j],
    "no rows": lambda x, i, j, k: x[k[:0]],
}
VALUES: dict[  # what is put there: of the shared value, of another, of what stands there
    str, Callable[[Any, Any, Any], Any]
] = {
    "number": lambda s, u, here: 1.5,
    "itself": lambda s, u, here: here * 2 + 1,
    "of all of it": lambda s, u, here: (s * s).sum(),
    "of its other rows": lambda s, u, here: here + s[0, 0] * s[-1, -1],
    "of another that changes": lambda s, u, here: here * u[0],
}


@pytest.mark.parametrize("added", [False, True], ids=["set", "added"])
@pytest.mark.parametrize("where", PLACES)
def test_a_part_is_written_three_ways(where: str, added: bool) -> None:
    rng = np.random.default_rng([added, *map(ord, where)])
    start, other = rng.normal(size=(ROWS, COLUMNS)), rng.normal(size=3)
    at = PLACES[where]
    given = 2, 3, rng.integers(0, ROWS, 6)
    i, j, k = T.lscalar("i"), T.lscalar("j"), T.lvector("k")
    s = [shared(start, value) for value in VALUES]
    u = shared(other, "u")
    wanted: list[Any] = []
    changes: dict[Expr, Any] = {}
    for one, value in zip(s, VALUES.values(), strict=True):
        place, index = at(one, i, j, k), at(Index(), *given)
        changes[one] = (T.inc_subtensor if added else T.set_subtensor)(place, value(one, u, place))
        array, put = start.copy(), value(start, other, start[index])
        if added:
            np.add.at(array, index, put)
        else:
            array[index] = put
        wanted.append(array)
    changes[u] = T.inc_subtensor(u[1:], s[0][0, 0])
    read = [s[0].sum(), s[1][1:3]]
    for mode in MODES:
        for one in s:
            one.set_value(start)
        u.set_value(other)
        found = function([i, j, k], read, updates=changes, mode=mode, on_unused_input="ignore")(*given)
        np.testing.assert_allclose(found[0], start.sum())
        np.testing.assert_array_equal(found[1], start[1:3])
        for one, array in zip(s, wanted, strict=True):
            np.testing.assert_allclose(one.get_value(), array, rtol=1e-12, err_msg=one.name)
        np.testing.assert_allclose(u.get_value(), [other[0], *(other[1:] + start[0, 0])], rtol=1e-12)


class Index:
    """Gives back what it is indexed by."""

    def __getitem__(self, item: Any) -> Any:
        return item


def large(n: int = 10_000) -> Any:
    return shared(np.zeros((n, 100), "float32"), "table")


def test_no_loop_and_no_temp_is_as_large_as_the_shared_value() -> None:
    i, k, v, m = T.lscalar("i"), T.lvector("k"), T.fvector("v"), T.fmatrix("m")
    table = large()
    error = table[k] - m
    cases: list[tuple[list[Expr], Expr]] = [
        ([i, v], T.set_subtensor(table[i], v)),
        ([i, v], T.inc_subtensor(table[i], v)),
        ([i, m], T.set_subtensor(table[i : i + 7], m)),
        ([m], T.inc_subtensor(table[10:17], m)),
        ([v], T.inc_subtensor(table[-1], v)),
        ([v], T.set_subtensor(table[10:17, ::2], v[:50])),
        ([k, m], T.set_subtensor(table[k], m)),
        ([k, m], T.inc_subtensor(table[k], -0.1 * m)),
        ([k, m], T.inc_subtensor(table[k], -0.1 * error)),
    ]
    for inputs, new in cases:
        program = function(inputs, updates={table: new}).lowered.program
        assert rounds(program, 7) <= 700, program
        assert not any(isinstance(s, Call) for s in program.steps)
    dense = function([k, m], updates={table: table + T.inc_subtensor(T.zeros_like(table)[k], m)}).lowered.program
    assert rounds(dense, 7) >= 10_000


def test_a_sparse_step_of_an_embedding() -> None:
    """Rows that are met twice get both gradients, each of the old row."""
    start = np.random.default_rng(0).normal(size=(6, 3))
    table, k, goal = shared(start, "table"), T.lvector("k"), T.dmatrix("goal")
    rows = table[k]
    cost = ((rows - goal) ** 2).sum()
    step = function([k, goal], cost, updates={table: T.inc_subtensor(rows, -0.1 * grad(cost, rows))})
    at, aim = np.array([4, 1, 4, -6]), np.ones((4, 3))
    before = start[at] - aim
    assert step(at, aim) == pytest.approx((before**2).sum())
    np.add.at(start, at, -0.2 * before)
    np.testing.assert_allclose(table.get_value(), start, rtol=1e-13)


def test_an_index_that_lies_outside_leaves_everything_as_it_was() -> None:
    start = np.random.default_rng(0).normal(size=(4, 3))
    one, two = shared(start, "one"), shared(start + 1, "two")
    i, k, m = T.lscalar("i"), T.lvector("k"), T.lvector("m")
    updates: dict[Expr, Any] = {one: T.inc_subtensor(one[k], 1), two: T.set_subtensor(two[m], one[k])}
    both = function([k, m], one.sum(), updates=updates)
    row = function([i], updates={one: T.set_subtensor(one[i], 0.0)})
    calls: list[Callable[[], Any]] = [
        lambda: both([0, 1], [3, 4]), lambda: both([0, -5], [3, 3]), lambda: row(4), lambda: row(-5), lambda: row(-50),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(IndexRangeError):
            call()
    np.testing.assert_array_equal(one.get_value(), start)
    np.testing.assert_array_equal(two.get_value(), start + 1)
    both([0, 0], [2, -4])
    row(-4)
    np.testing.assert_array_equal(one.get_value(), [[0, 0, 0], *start[1:]])
    np.testing.assert_array_equal(two.get_value(), [start[0], *start[1:2] + 1, start[0], *start[3:] + 1])


def test_what_is_returned_of_the_new_value_is_the_new_value() -> None:
    s = shared(np.arange(5.0), "s")
    new = T.inc_subtensor(s[1:3], 10.0)
    f = function([], [new.sum(), s.sum(), new[1]], updates={s: new})
    assert [float(v) for v in f()] == [30, 10, 11]
    assert s.get_value().tolist() == [0, 11, 12, 3, 4]


def test_two_that_are_made_of_one_another() -> None:
    a, b = shared(np.arange(4.0), "a"), shared(np.arange(4.0) * 10, "b")
    k = T.lvector("k")
    function([k], updates={a: T.set_subtensor(a[k], b[k]), b: T.set_subtensor(b[1:3], a[1:3])})([2, 3])
    assert a.get_value().tolist() == [0, 1, 20, 30]
    assert b.get_value().tolist() == [0, 1, 2, 30]


def test_zeros_keep_their_sign_outside_the_part() -> None:
    s = shared(np.array([-0.0, 1.0, -0.0]), "s")
    function([], updates={s: T.inc_subtensor(s[1:2], 1.0)})()
    assert np.signbit(s.get_value()).tolist() == [True, False, True]


def test_threads_and_machines_write_the_same() -> None:
    """More rows than a chunk holds, native and interpreted."""
    rng = np.random.default_rng(1)
    start, at, rows = rng.normal(size=(500, 64)), rng.integers(0, 500, 3000), rng.normal(size=(3000, 64))
    k, m = T.lvector("k"), T.dmatrix("m")
    found = []
    for mode in MODES:
        s = shared(start, "s")
        function([k, m], updates={s: T.inc_subtensor(s[k], m)}, mode=mode)(at, rows)
        found.append(s.get_value())
    np.add.at(start, at, rows)
    for f in found:
        np.testing.assert_allclose(f, start, rtol=1e-12, atol=1e-12)
