"""Loop IR: what its printer shows and what its verifier refuses."""

from __future__ import annotations

import pytest

from symdl.errors import ProgramError
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
    extents_in,
    is_value,
    parts,
    text,
    verify,
    walk,
)
from symdl.types import Symbol, symbol

n, m, i, j = map(symbol, "nmij")
I, J = Symbol("i"), Symbol("j")
SIZES = {Symbol("n"), Symbol("m")}
X = contiguous("x", "float64", (n, m))
Y = contiguous("y", "float64", (n,))
INDEX = contiguous("index", "int64", (n,))
ONE = Const(1.0, "float64")


def at(view: View = Y) -> Load:
    return Load(view, (i,))


def add(*args: Value) -> Apply:
    return Apply("add", args, "float64")


def rows(*body: Stmt) -> tuple[Stmt, ...]:
    return (For(I, n, body),)


def test_contiguous_views_and_rows() -> None:
    assert X.strides == (m, 1)
    assert contiguous("z", "int8", (2, n, m), 5) == View("z", "int8", (2, n, m), (n * m, m, 1), 5)
    assert contiguous("z", "int8", ()).strides == ()
    assert X.row(i + 1) == View("x", "float64", (m,), (1,), i * m + m)


def test_the_printer_shows_every_form() -> None:
    total = Ref("total", "float64")
    gathered = Checked(Load(INDEX, (i,)), m, 1000)
    body = (
        Local("total", Const(0.0, "float64")),
        For(J, m - 1, (Assign("total", add(total, Load(X.row(n - 1), (j,)))),), "vector"),
        Barrier(),
        Store(Y, (i,), Guard(((i - 1, n), (i, m)), add(total, Load(X, (i, gathered))), ONE)),
        Store(Y, (gathered,), Apply("cast", (Position(2 * i),), "float64")),
    )
    assert text(For(I, n, body, "parallel")) == (
        "for parallel i in 0:n\n"
        "  var total: float64 = 0.0\n"
        "  for vector j in 0:m-1\n"
        "    total = add(total, x@m*n-m[j])\n"
        "  barrier\n"
        "  y[i] = guard(0 <= i-1 < n and 0 <= i < m, add(total, x[i, checked(index[i] < m)]), 1.0)\n"
        "  y[checked(index[i] < m)] = float64((2*i))\n"
    )


def test_a_shared_value_is_printed_once_in_a_statement() -> None:
    value: Value = at()
    for _ in range(3):
        value = add(value, value)
    assert text(Store(Y, (i,), value), "  ") == (
        "  let v0 = add(y[i], y[i])\n  let v1 = add(v0, v0)\n  y[i] = add(v1, v1)\n"
    )
    assert text(value) == "let v0 = add(y[i], y[i]); let v1 = add(v0, v0); add(v1, v1)"


def test_a_long_chain_is_printed_walked_and_verified() -> None:
    value: Value = at()
    for _ in range(5000):
        value = add(value, ONE)
    store = Store(Y, (i,), value)
    assert text(store).count("add(") == 5000
    assert sum(1 for _ in walk(store)) == 5003
    verify(rows(store), SIZES)


def test_walk_visits_each_item_once_outer_before_inner() -> None:
    shared = add(at(), ONE)
    gather = Load(INDEX, (i,))
    store = Store(Y, (gather,), add(shared, shared))
    found = list(walk(*rows(store)))
    assert len(found) == len({id(x) for x in found}) == 7
    places = {id(x): k for k, x in enumerate(found)}
    assert all(places[id(x)] < places[id(p)] for x in found for p in parts(x))
    assert is_value(gather)
    assert not any(map(is_value, (store, i, 3)))


def test_extents_in_each_form() -> None:
    assert extents_in(For(I, n, ())) == (n,)
    assert extents_in(Position(i)) == (i,)
    assert extents_in(Guard(((i, n), (j, 2)), ONE, ONE)) == (i, n, j, 2)
    assert extents_in(Checked(at(INDEX), m, 1000)) == (m,)
    assert extents_in(Load(X.row(i), (j,))) == (i * m, 1, j)
    assert extents_in(Store(Y, (Load(INDEX, (0,)),), ONE)) == (0, 1)
    assert extents_in(ONE) == ()


def test_a_sound_nest_passes() -> None:
    total = Ref("total", "float64")
    verify(
        rows(
            Local("total", at()),
            For(J, i + 1, (Assign("total", add(total, Load(X, (i, j)))),)),
            For(J, m, (Local("total", Const(1, "int8")), Store(X, (i, j), ONE))),  # one's own, in its block
            Store(Y, (Checked(Load(INDEX, (i,)), n, 1000),), total),
        ),
        SIZES,
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (rows(Store(Y, (j,), ONE)), r"\['j'\] unknown in a store to y"),
        (rows(Store(Y, (i,), Load(Y, (j,)))), r"\['j'\] unknown in y\[j\]"),
        (rows(Store(Y, (i,), Position(j))), "int64 is stored into float64 y"),
        (rows(Store(INDEX, (i,), Position(j))), r"\['j'\] unknown in \(j\)"),
        (rows(Store(Y, (i,), Guard(((j, n),), ONE, ONE))), r"\['j'\] unknown in guard"),
        (rows(Store(Y, (Checked(Load(INDEX, (i,)), j, 1),), ONE)), r"\['j'\] unknown in checked"),
        (rows(Store(Y, (Load(INDEX, (j,)),), ONE)), r"\['j'\] unknown in index\[j\]"),
        (rows(Store(View("y", "float64", (n,), (1,), j), (i,), ONE)), r"\['j'\] unknown in a store to y"),
        (rows(Store(View("y", "float64", (n,), (j,)), (i,), ONE)), r"\['j'\] unknown in a store to y"),
        (rows(Store(View("y", "float64", (j,), (1,)), (i,), ONE)), r"\['j'\] unknown in the shape of a view of y"),
        (rows(Store(Y, (i,), Load(View("x", "float64", (j,), (1,)), (i,)))), "unknown in the shape of a view of x"),
        ((For(I, j, ()),), r"\['j'\] unknown in the extent of i"),
        ((For(I, n, ()), Store(Y, (i,), ONE)), r"\['i'\] unknown in a store to y"),
        (rows(For(I, m, ())), "index i is already in use"),
        ((For(Symbol("n"), m, ()),), "index n is already in use"),
        (rows(Store(Y, (i,), Ref("a", "float64"))), "a is read as float64 but declared None"),
        (rows(Local("a", ONE), Store(Y, (i,), add(Ref("a", "int8")))), "a is read as int8 but declared float64"),
        (
            rows(For(J, m, (Local("a", ONE),)), Store(Y, (i,), Ref("a", "float64"))),
            "a is read as float64 but declared None",
        ),
        (rows(Assign("a", ONE)), "a is set to float64 but declared None"),
        (rows(Local("a", ONE), Assign("a", Const(1, "int8"))), "a is set to int8 but declared float64"),
        (rows(Local("a", Ref("a", "float64"))), "a is read as float64 but declared None"),
        (rows(Store(Y, (i, 0), ONE)), "2 indices for the 1 axes of y"),
        (rows(Store(Y, (i,), Load(X, (i,)))), "1 indices for the 2 axes of x"),
        (rows(Store(View("y", "float64", (n,), ()), (i,), ONE)), "1 indices for the 1 axes of y"),
        (rows(Store(Y, (i,), Const(1, "float32"))), "float32 is stored into float64 y"),
        (rows(Store(Y, (at(),), ONE)), "y is indexed by a float64"),
        (rows(Store(Y, (i,), Load(Y, (at(),)))), "y is indexed by a float64"),
        (rows(Store(Y, (i,), Guard(((i, n),), ONE, Const(1, "int8")))), "a guard chooses between float64 and int8"),
    ],
)
def test_each_rule_has_a_violation(body: tuple[Stmt, ...], message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        verify(body, SIZES)


def test_a_value_is_verified_again_where_what_it_names_is_out_of_sight() -> None:
    """A value of an inner loop, used once more behind the loop; a variable that another of its name hides."""
    inner = at()
    with pytest.raises(ProgramError, match="i"):
        verify((For(I, n, (Store(Y, (i,), inner),)), Store(Y, (0,), inner)), SIZES)
    old = Ref("acc", "float64")
    body = (Local("acc", ONE), Store(Y, (0,), old), Local("acc", Const(0, "int64")), Store(Y, (0,), old))
    with pytest.raises(ProgramError, match="read as float64 but declared int64"):
        verify(body, SIZES)
