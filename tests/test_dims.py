"""Sizes: canonical names, checks at entry and their order, and what is known after them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from programs import MODES, in_every_mode, program_of, three_ways
from work import superlinear

import symdl
import symdl.tensor as T
from symdl.errors import IndexRangeError, InputError, ShapeError
from symdl.graph.expr import Expr, variable
from symdl.graph.walks import topological
from symdl.passes.dims import Equalities, canonical_sizes, divisors, substituted, used_symbols, with_sizes
from symdl.types import floor_divide, fresh_symbol, largest, sole_symbol, symbol, symbols


def sizes_of(leaves: list[Expr], *outputs: Expr) -> Any:
    return canonical_sizes(leaves, frozenset(), list(topological(*outputs)))


def checks(found: Any) -> list[str]:
    return [f"{c.fact.left} {c.fact.relation} {c.fact.right}" for c in found.checks]


# ---- names ----


def test_names_come_in_the_order_of_the_axes_of_the_inputs() -> None:
    x, y = T.matrix("x"), T.vector("y")
    found = sizes_of([y, x], x, y)
    assert [(str(b.symbol), b.leaf, b.axis) for b in found.bindings] == [("d0", 0, 0), ("d1", 1, 0), ("d2", 1, 1)]
    assert [str(found.table[sole_symbol(n)]) for n in (*y.type.shape, *x.type.shape)] == ["d0", "d1", "d2"]


def test_equal_graphs_have_equal_programs() -> None:
    def program(a: str, b: str) -> str:
        x, y = T.matrix(a), T.matrix(b)
        return str(program_of([x, y], [T.dot(x, y).sum(axis=0) + y[0]]))

    assert program("x", "y") == program("y", "images")


def test_two_unknowns_of_one_name_are_two() -> None:
    a, b = T.vector("x"), T.vector("x")
    found = sizes_of([a, b], a.sum() + b.sum())
    assert len(found.bindings) == 2
    assert not found.checks
    three_ways([a, b], [T.concatenate([a, b]), T.outer(a, b)], [np.arange(2.0), np.arange(3.0)])


def test_a_size_that_two_inputs_share_is_bound_once_and_checked() -> None:
    n = fresh_symbol("n")
    x, y = variable("x", (n,), "float64"), variable("y", (n, 3), "float64")
    found = sizes_of([x, y], x + y.sum(axis=1))
    assert checks(found) == ["d0 == d1", "3 == d2"]
    assert [c.node for c in found.checks] == [-2, -2]
    three_ways([x, y], [x + y.sum(axis=1)], [np.ones(2), np.ones((2, 3))])
    with pytest.raises(ShapeError, match="must have 2 entries, not 4"):
        in_every_mode([x, y], [x + y.sum(axis=1)], [np.ones(2), np.ones((4, 3))])


def test_an_input_may_be_as_long_as_a_formula_says() -> None:
    n = fresh_symbol("n")
    x, y = variable("x", (n,), "float64"), variable("y", (n * 2 + 1,), "float64")
    three_ways([x, y], [y[: x.shape[0]] + x], [np.ones(2), np.arange(5.0)])
    with pytest.raises(ShapeError, match="must have 5 entries, not 4"):
        in_every_mode([x, y], [y[: x.shape[0]] + x], [np.ones(2), np.arange(4.0)])


# ---- facts ----


def test_what_must_be_equal_gets_one_name() -> None:
    x, y, z = T.vectors("x", "y", "z")
    found = sizes_of([x, y, z], z + y, y + x)
    assert checks(found) == ["d2 == d1", "d1 == d0"]
    assert {str(v) for v in found.table.values()} == {"d0"}
    program = program_of([x, y, z], [z + y, y + x])
    assert len(program.steps) == 1  # one loop


def test_an_unknown_axis_that_must_be_a_known_one_is_that() -> None:
    x = T.matrix("x")
    found = sizes_of([x], T.dot(x, T.ones((4, 2))))
    assert found.table[sole_symbol(x.type.shape[1])] == 4


def test_a_fact_that_follows_from_others_is_not_checked() -> None:
    x, y, z = T.vectors("x", "y", "z")
    found = sizes_of([x, y, z], x + y, y + z, x + z, z + x)
    assert len(found.checks) == 2


def test_products_of_sizes() -> None:
    x, y = T.matrix("x"), T.vector("y")
    flat = x.reshape((-1,))
    found = sizes_of([x, y], flat + y)
    assert checks(found) == ["d0*d1 == d2"]
    assert str(found.table[sole_symbol(y.type.shape[0])]) == "d0*d1"
    three_ways([x, y], [flat + y, (flat + y).reshape(x.shape).T], [np.ones((2, 3)), np.arange(6.0)])
    with pytest.raises(ShapeError, match=r"6 in x.reshape\(-1\) and 5 in y"):
        in_every_mode([x, y], [flat + y], [np.ones((2, 3)), np.arange(5.0)])


def test_an_unknown_axis_may_happen_to_be_one() -> None:
    x, y = T.matrix("x"), T.matrix("y")
    outputs = [x + y, T.dot(x, y.T), x.sum(axis=0), T.softmax(x), x.reshape((-1,)), T.concatenate([x, y], 1)]
    for shape in ((1, 1), (1, 3), (3, 1)):
        three_ways([x, y], outputs, [np.random.default_rng(0).normal(size=shape)] * 2)


def test_an_unknown_axis_never_stretches() -> None:
    x, y = T.vector("x"), T.vector("y")
    with pytest.raises(ShapeError, match="axis -1 is 1 in x and 3 in y"):
        in_every_mode([x, y], [x + y], [np.ones(1), np.ones(3)])


def test_checks_come_in_the_order_of_the_formula() -> None:
    x, y, z = T.matrix("x"), T.matrix("y"), variable("z", (None, 2), "float64")
    f = symdl.function([x, y, z], T.dot(x, y) + z)
    good = np.ones((3, 4)), np.ones((4, 2)), np.ones((3, 2))
    f(*good)
    wrong = {
        "z: axis 1 must have 2 entries, not 5": (np.ones((3, 9)), np.ones((4, 2)), np.ones((3, 5))),
        "dot: 9 columns of x meet 4 rows of y": (np.ones((3, 9)), np.ones((4, 7)), np.ones((3, 2))),
        "add: axis -2 is 3": (np.ones((3, 4)), np.ones((4, 7)), np.ones((8, 2))),
    }
    for text, arrays in wrong.items():
        with pytest.raises(ShapeError) as info:
            f(*arrays)
        assert text in str(info.value)


def test_unequal_facts_are_used_only_when_they_say_equal() -> None:
    x = T.vector("x")
    y = x[2] + x[-1]
    found = sizes_of([x], y)
    assert all(c.fact.relation == "<=" for c in found.checks)
    three_ways([x], [y], [np.arange(3.0)])
    with pytest.raises(IndexRangeError):
        in_every_mode([x], [y], [np.arange(2.0)])


def test_a_division_into_no_parts_is_an_error() -> None:
    x, n = T.vector("x"), T.lscalar("n")
    y = x.reshape((n, -1))
    three_ways([x, n], [y], [np.arange(6.0), np.int64(3)])
    for parts in (0, -2):
        with pytest.raises(ShapeError):
            in_every_mode([x, n], [y], [np.arange(6.0), np.int64(parts)])
    with pytest.raises(ShapeError, match="6 elements"):
        in_every_mode([x, n], [y], [np.arange(6.0), np.int64(4)])


def test_a_size_given_as_an_input() -> None:
    x, n = T.vector("x"), T.iscalar("n")
    outputs = [T.zeros((n, 2)) + 1, T.arange(n) * 2, x[n:], T.tile(x, n), n + 1]
    three_ways([x, n], outputs, [np.arange(3.0), np.int32(2)])
    three_ways([x, n], outputs[1:3], [np.arange(3.0), np.int32(-2)])
    with pytest.raises(ShapeError, match="a size of -2"):
        in_every_mode([x, n], outputs[:1], [np.arange(3.0), np.int32(-2)])


def test_a_size_of_an_input_that_nothing_else_needs() -> None:
    x, y = T.vector("x"), T.vector("y")
    for mode in MODES:
        f = symdl.function([x, y], [x * y.shape[0], T.ones((y.shape[0],))], mode=mode)
        got = f(np.ones(2), np.ones(5))
        np.testing.assert_array_equal(got[0], [5, 5])
        assert got[1].shape == (5,)


@pytest.mark.parametrize(
    "use", [lambda y: y.shape[0] + 0, lambda y: T.zeros((y.shape[0],)), lambda y: T.arange(y.shape[0])]
)
def test_a_size_that_belongs_to_no_input(use: Any) -> None:
    x, y = T.vector("x"), T.vector("y")
    for mode in MODES:
        with pytest.raises(InputError, match=r"the size y.shape\[0\] belongs to no input"):
            symdl.function([x], [x.sum() + use(y)], mode=mode)


# ---- the parts ----


def test_equalities_are_followed_to_their_end() -> None:
    a, b, c, d = (symbol(f"d{k}") for k in range(4))
    e = Equalities()
    e.unify(a, b)
    e.unify(e.resolved(c), e.resolved(b * 2))
    e.unify(e.resolved(d), e.resolved(c + 1))
    assert [str(e.resolved(x)) for x in (a, b, c, d, c * d)] == ["d0", "d0", "2*d0", "2*d0+1", "4*d0*d0+2*d0"]
    e.unify(e.resolved(a), 3)
    assert [e.resolved(x) for x in (a, b, c, d, c * d)] == [3, 3, 6, 7, 42]


def test_a_symbol_is_not_replaced_by_what_holds_it() -> None:
    a, b = symbol("d0"), symbol("d1")
    e = Equalities()
    e.unify(a, a * b)
    assert e.resolved(a) is a


def test_a_chain_of_equalities_is_linear() -> None:
    """x0 + x1, x1 + x2, ... backwards: each fact moves what all before it stand for."""

    def unified(count: int) -> Callable[[], Any]:
        names = [symbol(f"d{k}") for k in range(count)]

        def unify() -> None:
            e = Equalities()
            for one, other in zip(names[::-1], names[-2::-1], strict=False):
                e.unify(e.resolved(one), e.resolved(other))
            assert all(e.resolved(n) is names[0] for n in names)

        return unify

    assert superlinear(unified, 50) == []


def test_divisors_innermost_first() -> None:
    a, b, c = (symbol(f"d{k}") for k in range(3))
    inner = floor_divide(a, b)
    assert divisors(floor_divide(a + 1, 2)) == []
    assert divisors(largest(floor_divide(c, inner), 5)) == [b, inner]


def test_symbols_of_types_and_parameters() -> None:
    x, y = T.matrix("x"), T.vector("y")
    own = {s for n in x.type.shape for s in symbols(n)}
    assert used_symbols([x.sum()]) == own
    assert used_symbols([x.sum() + y.shape[0]]) == own | symbols(y.type.shape[0])
    best, _ = T.max_and_argmax(x, axis=0)
    assert used_symbols([best]) == own


def test_names_stay_when_sizes_are_replaced() -> None:
    x = T.vector("images")
    s = sole_symbol(x.type.shape[0])
    assert s is not None
    (new,) = with_sizes([x * 2], {s: 5}, {}, {})
    assert new.type.shape == (5,)
    assert new.inputs[0].name == "images"


def test_givens_bring_their_own_sizes() -> None:
    x, y = T.vector("x"), T.matrix("y")
    (new,) = substituted([x.reshape((-1, 2)) * x.shape[0]], {x: y[0]}, {})
    assert new.type.shape[0] is floor_divide(y.type.shape[1], 2)
    wrong = variable("w", (3,), "float64")
    with pytest.raises(InputError, match="axis 0 differs"):
        substituted([wrong + 1], {wrong: T.zeros((4,))}, {})
