"""Extents: polynomial arithmetic is integer arithmetic, equal polynomials are one object, what is proved is true."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symdl.errors import ShapeError
from symdl.types import (
    Dim,
    Extent,
    Fact,
    Results,
    Symbol,
    TensorType,
    at_most,
    broadcast,
    equal,
    floor_divide,
    fresh_symbol,
    largest,
    nonnegative,
    product,
    replace_symbols,
    require_at_most,
    size_at,
    smallest,
    sole_symbol,
    symbol,
    symbols,
    terms_of,
)

n, m, k = map(symbol, "nmk")
signed = symbol("s", signed=True)
TWINS = [fresh_symbol("x"), fresh_symbol("x")]  # of one name
LEAVES = [n, m, k, signed, *TWINS]
COMBINE: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {  # on extents, on integers
    "add": (lambda a, b: a + b, lambda a, b: a + b),
    "sub": (lambda a, b: a - b, lambda a, b: a - b),
    "mul": (lambda a, b: a * b, lambda a, b: a * b),
    "neg": (lambda a, _: -a, lambda a, _: -a),
    "floordiv": (lambda a, b: floor_divide(a, nonzero(b)), lambda a, b: a // nonzero(b)),
    "half": (lambda a, _: floor_divide(a, 2), lambda a, _: a // 2),
    "third": (lambda a, _: floor_divide(a, 3), lambda a, _: a // 3),
    "max": (largest, max),
    "min": (smallest, min),
}


def nonzero(x: Extent) -> Extent:
    """x*x + 1, which is a divisor whatever x is."""
    return x * x + 1


Tree = tuple[str, "Tree", "Tree"] | int | Dim
trees: st.SearchStrategy[Tree] = st.recursive(
    st.sampled_from(LEAVES) | st.integers(-3, 3),
    lambda inner: st.tuples(st.sampled_from(sorted(COMBINE)), inner, inner),
    max_leaves=6,
)
assignments = st.builds(
    lambda values, s: {sole(x): v for x, v in zip(LEAVES, [*values[:3], s, *values[3:]], strict=True)},
    st.lists(st.integers(0, 9), min_size=5, max_size=5),
    st.integers(-9, 9),
)


def sole(x: Dim) -> Symbol:
    found = sole_symbol(x)
    assert found is not None
    return found


def build(tree: Tree, at: dict[Symbol, int] | None = None) -> Extent:
    """The tree as an extent, or, at given sizes, as a number by Python's own arithmetic."""
    if isinstance(tree, int):
        return tree
    if isinstance(tree, Dim):
        return tree if at is None else at[sole(tree)]
    name, left, right = tree
    return COMBINE[name][at is not None](build(left, at), build(right, at))  # type: ignore[no-any-return]


@given(trees, assignments)
def test_extents_evaluate_like_integers(tree: Tree, at: dict[Symbol, int]) -> None:
    assert size_at(build(tree), at) == build(tree, at)


@given(trees, trees, assignments)
def test_what_is_proved_is_true(left: Tree, right: Tree, at: dict[Symbol, int]) -> None:
    a, b = build(left), build(right)
    if at_most(a, b):
        assert size_at(a, at) <= size_at(b, at)
    if nonnegative(a):
        assert size_at(a, at) >= 0
    if a is b:
        assert size_at(a, at) == size_at(b, at)


def test_at_most_proves_what_planning_needs() -> None:
    assert at_most(n, n + m)
    assert at_most(n - 1, n)
    assert not at_most(n, n * m)  # m may be 0
    assert not at_most(0, signed)
    assert at_most(0, largest(signed, 0))
    assert at_most(0, floor_divide(n, m + 1))
    assert not at_most(0, smallest(n, signed))


def test_at_most_knows_what_quotients_are_at_least_and_at_most() -> None:
    half, more = floor_divide(n, 2), floor_divide(n + 1, 2)
    assert at_most(half, more)
    assert not at_most(more, half)
    assert at_most(2 * half, n)
    assert at_most(n, 2 * more)
    assert not at_most(n + 1, 2 * more)
    assert at_most(2 * m * half, m * n)
    assert not at_most(2 * signed * half, signed * n)
    assert at_most(6 * floor_divide(half, 3), n)
    assert at_most(floor_divide(n - 1, 2) + 1, more)
    assert largest(half, more) is more


@given(trees, trees, trees)
def test_equal_polynomials_are_one_object(a: Tree, b: Tree, c: Tree) -> None:
    x, y, z = build(a), build(b), build(c)

    def same(left: Extent, right: Extent) -> bool:
        return left is right if isinstance(left, Dim) else left == right

    assert same(x + y, y + x)
    assert same(x * y, y * x)
    assert same((x + y) + z, x + (y + z))
    assert same(x * (y + z), x * y + x * z)
    assert same(x - x, 0)
    assert same(x - y, -(y - x))
    assert same(largest(x, y), largest(y, x))
    assert same(smallest(x, y), smallest(y, x))


def test_symbols_of_one_name_are_ordered_by_more_than_their_name() -> None:
    a, b = (floor_divide(x, 2) for x in TWINS)
    assert a is not b
    assert str(a) == str(b)
    assert a + b is b + a
    assert a * b is b * a
    assert largest(a, b) is largest(b, a)
    apart = [symbol("s"), symbol("s", signed=True)]
    assert apart[0] * apart[1] is apart[1] * apart[0]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (7, 2, 3),
        (-7, 2, -4),
        (4 * n, 2, 2 * n),
        (n * m + n, n, m + 1),
        (n, n, 1),
        (n + m, n + m, 1),
        (0, n, 0),
        (n, 1, n),
        (6 * n * m, 3 * m, 2 * n),
        (2 * n + 1, 2, n),
        (6 * n * m - 4 * n + 5, 2, 3 * n * m - 2 * n + 2),
        (n - 2, 2, floor_divide(n, 2) - 1),
        (4 * n + m - 1, 4, n - 1 + floor_divide(m + 3, 4)),
    ],
)
def test_floor_division_that_is_exact(left: Extent, right: Extent, expected: Extent) -> None:
    assert floor_divide(left, right) is expected or floor_divide(left, right) == expected


def test_floor_division_that_is_not() -> None:
    odd = floor_divide(3 * n + 1, 2)
    assert isinstance(odd, Dim)
    assert size_at(odd, {Symbol("n"): 3}) == 5
    assert str(odd) == "(3*n+1)//(2)"
    with pytest.raises(ZeroDivisionError):
        floor_divide(n, 0)


def test_extrema_that_are_known() -> None:
    assert largest(n, n + 1) is n + 1
    assert smallest(n, n + 1) is n
    assert largest(0, n) is n
    assert largest(3, 5) == 5
    assert str(largest(3, n)) == str(largest(n, 3)) == "max(n, 3)"


@pytest.mark.parametrize(
    ("extent", "expected"),
    [
        (n + m, "m+n"),
        (n - 1, "n-1"),
        (-n, "-n"),
        (2 * n * m - 3 * n + 4, "2*m*n-3*n+4"),
        (n * n, "n*n"),
        (1 - n, "-n+1"),
    ],
)
def test_extents_print_as_polynomials(extent: Extent, expected: str) -> None:
    assert str(extent) == repr(extent) == expected


@given(trees)
def test_pickles_and_copies_are_the_same_object(tree: Tree) -> None:
    x = build(tree)
    for again in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x)):
        assert again is x or (isinstance(x, int) and again == x)


@given(trees, trees, assignments)
def test_replacing_a_symbol_is_evaluating_it_first(tree: Tree, other: Tree, at: dict[Symbol, int]) -> None:
    value = build(other)
    replaced = replace_symbols(build(tree), {sole(n): value, sole(m): 4})
    assert size_at(replaced, at) == build(tree, at | {sole(n): size_at(value, at), sole(m): 4})


@given(trees)
def test_replacing_nothing_changes_nothing(tree: Tree) -> None:
    x = build(tree)
    assert replace_symbols(x, {}) is x or isinstance(x, int)
    assert replace_symbols(x, {s: symbol(s.name, s.serial, s.signed) for s in symbols(x)}) is x or isinstance(x, int)


@given(trees, assignments)
def test_symbols_are_all_that_the_value_depends_on(tree: Tree, at: dict[Symbol, int]) -> None:
    x = build(tree)
    assert size_at(x, {s: at[s] for s in symbols(x)}) == size_at(x, at)


def test_sole_symbol_and_product() -> None:
    assert sole_symbol(n) == Symbol("n")
    assert [sole_symbol(x) for x in (n + 1, 2 * n, n * m, 3, floor_divide(n, 2))] == [None] * 5
    assert product((n, 2, m)) is 2 * n * m
    assert product(()) == 1
    assert terms_of(5) == (((), 5),)


def test_threads_make_one_object() -> None:
    made: list[list[Extent]] = []
    gate = threading.Barrier(4)

    def work() -> None:
        gate.wait()
        made.append([n * i + m * (i + 1) for i in range(1000, 1500)])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(a is b for other in made[1:] for a, b in zip(made[0], other, strict=True))


def test_equal_proves_refutes_or_leaves_a_fact() -> None:
    facts: list[Fact] = []
    assert equal(n, n, "", facts) is n
    assert equal(n + m, m + n, "", facts) is n + m
    assert facts == []
    assert equal(n, 3, "{left} against {right}", facts) == 3
    assert facts == [Fact("==", n, 3, "{left} against {right}")]
    with pytest.raises(ShapeError, match="2 against 3"):
        equal(2, 3, "{left} against {right}", facts)
    with pytest.raises(ShapeError, match=r"n\+1 against n"):
        equal(n + 1, n, "{left} against {right}", facts)


def test_require_at_most_proves_refutes_or_leaves_a_fact() -> None:
    facts: list[Fact] = []
    require_at_most(n, n + m, "", facts)
    assert facts == []
    require_at_most(n, 3, "w", facts)
    assert facts == [Fact("<=", n, 3, "w")]
    with pytest.raises(ShapeError, match=r"n\+1 exceeds n"):
        require_at_most(n + 1, n, "{left} exceeds {right}", facts)
    assert facts[0].map(lambda e: replace_symbols(e, {sole(n): 2})) == Fact("<=", 2, 3, "w")


def test_broadcast_stretches_known_ones_only() -> None:
    assert broadcast("add", [(n, 1), (m,)]) == ((n, m), ())
    assert broadcast("add", [(), (n,)]) == ((n,), ())
    assert broadcast("add", []) == ((), ())
    assert broadcast("add", [(n, m), (n, m)]) == ((n, m), ())
    shape, facts = broadcast("add", [(n, m), (3, n)])
    assert shape == (3, m)
    assert [(f.left, f.right) for f in facts] == [(n, 3), (m, n)]
    with pytest.raises(ShapeError, match=r"add: axis -1 is 2 in .0. and 3 in .1."):
        broadcast("add", [(2,), (3,)])


def test_types_print_and_map() -> None:
    t = TensorType("float32", (n, 3))
    assert str(t) == "float32[?, 3]"
    assert str(TensorType("int64")) == "int64"
    assert t.ndim == 2
    assert t.map(lambda e: replace_symbols(e, {sole(n): 2})) == TensorType("float32", (2, 3))
    both = Results((t, TensorType("bool")))
    assert str(both) == "(float32[?, 3], bool)"
    assert list(both) == [t, TensorType("bool")]
    assert len(both) == 2
