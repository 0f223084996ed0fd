"""Rows of few numbers, of two limbs or with an exponent, taken in vectors: as right as row by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from quick_code import quickly

import symdl
import symdl.tensor as T
from symdl.backends.rungs import straight
from symdl.backends.rungs.straight import COUNTS
from symdl.graph.expr import variable
from symdl.ir.loops import Apply, Assign, Const, For, Load, Local, Ref, Stmt, Store, contiguous
from symdl.runtime.runs import native
from symdl.types import Symbol, symbol

n, i, j = symbol("n"), symbol("i"), symbol("j")
I, J = Symbol("i"), Symbol("j")


def centred(x: Any) -> Any:
    return x - x.mean(axis=-1, keepdims=True)


ROOTS = np.frompyfunc(mpmath.sqrt, 1, 1)
FORMULAS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "cosine distance": lambda root, x, y: 1 - (x * y).sum(axis=-1) / root((x * x).sum(axis=-1) * (y * y).sum(axis=-1)),
    "unit": lambda root, x, y: x / root((x * x).sum(axis=-1, keepdims=True)) - y,
    "slope": lambda root, x, y: (centred(x) * centred(y)).sum(axis=-1) / (centred(x) ** 2).sum(axis=-1),
    "columns": lambda root, x, y: x / root((x * x).sum(axis=0)) - y,
}


def exactly(name: str, given: list[Any], k: int) -> Any:
    """The formula of exact numbers, and its derivative by operand k: a difference over 2^-700."""
    step = mpmath.ldexp(1, -700)
    axis = 0 if name == "columns" else 1
    value = FORMULAS[name](ROOTS, *given)
    slopes = given[k].copy()
    for j in range(given[k].shape[axis]):
        place = (j,) if axis == 0 else (slice(None), j)
        moved = [x.copy() for x in given]
        moved[k][place] = given[k][place] * (1 + step)
        change = FORMULAS[name](ROOTS, *moved) - value
        slopes[place] = (change if change.ndim == 1 else change.sum(axis=axis)) / (given[k][place] * step)
    return value, slopes


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FORMULAS)
def test_rows_of_few_numbers_are_right(name: str, dtype: str) -> None:
    """And their gradients: ordinary ones, what cancels, leaves the range on the way or is no number."""
    x, y = (variable(k, (None, None), dtype) for k in "xy")
    value = FORMULAS[name](T.sqrt, x, y)
    made = quickly([x, y], [value, *symdl.grad(value.sum(), [x, y])])
    rng = np.random.default_rng(0)
    far = 2.0 ** (300 if dtype == "float64" else 50)
    for count in COUNTS:
        for length in (1, 19):
            shape, scales = ((length, count), (length, 1)) if name != "columns" else ((count, length), (1, length))
            a = rng.uniform(0.3, 1.7, shape)
            b = a * (1 + rng.uniform(-1, 1, shape) * 2.0 ** -rng.integers(1, 12, shape))
            a, b = ((k * far ** rng.integers(-1, 2, scales)).astype(dtype) for k in (a, b))
            exact = [np.vectorize(mpmath.mpf, otypes=[object])(k.astype("float64")) for k in (a, b)]
            with mpmath.workprec(3000), np.errstate(all="ignore"):
                found = [exactly(name, exact, k) for k in (0, 1)]
                right = [np.array(r.astype("float64"), dtype) for r in (found[0][0], found[0][1], found[1][1])]
            a[0, 0] = np.nan
            with np.errstate(all="ignore"):
                got = list(made([a, b]))
                if name == "slope":  # by x two sums cancel, one in the other: 64 ulp, hundreds row by row
                    del got[1], right[1]
                for p, q in zip(got, right, strict=True):
                    hidden = np.isnan(p)
                    assert hidden.sum() <= count
                    assert np.all((abs(p - q) <= 2 * np.spacing(abs(q))) | (p == q) | hidden)


@pytest.mark.parametrize("count", COUNTS)
def test_what_is_left_after_whole_vectors_is_one_more(count: int) -> None:
    """With AVX-512 long bodies are written once, numbers of a row lying apart: no row depends on how many there are."""
    x, y = (variable(k, (None, count), "float64") for k in "xy")
    value = FORMULAS["cosine distance"](T.sqrt, x, y)
    made = symdl.function([x, y], [value, *symdl.grad(value.sum(), [x, y])])
    if native().machine.target().vector_bytes == 64 and count <= 3:  # others are loops, as long ones are
        assert "masked.scatter" in made.source("llvm")
    given = np.random.default_rng(3).uniform(-1, 1, (2, 19, count))
    given[0, 5], given[1, 11] = given[1, 5], np.nan
    whole = made(*given)
    for length in range(1, 19):
        for part, all_rows in zip(made(*given[:, :length]), whole, strict=True):
            np.testing.assert_array_equal(part, all_rows[:length])


def row_loop(stored: tuple[Store, ...] = (), extent: Any = 3) -> For:
    """Stores each number of a row times the sum of all, in two limbs."""
    x = contiguous("x", "float64", (n, extent))
    number = Apply("cast", (Load(x, (i, j)),), "float64x2")
    total = Ref("s", "float64x2")
    scaled = Apply("cast", (Apply("mul", (number, total), "float64x2"),), "float64")
    body: tuple[Stmt, ...] = (
        Local("s", Const((0.0, 0.0), "float64x2")),
        For(J, extent, (Assign("s", Apply("add", (total, number), "float64x2")),), "vector"),
        For(J, extent, (Store(contiguous("o", "float64", (n, extent)), (i, j), scaled),)),
        *stored,
    )
    return For(I, n, body)


def test_a_row_becomes_formulas_of_its_numbers() -> None:
    made = straight.straight(row_loop())
    assert made is not None
    assert len(made.body) == 3
    assert all(isinstance(s, Store) for s in made.body)


def test_what_each_round_writes_anew_is_left_out() -> None:
    """A temp that holds something of one row at a time."""
    temp = Store(contiguous("t", "float64x2", (1,)), (0,), Ref("s", "float64x2"))
    made = straight.straight(row_loop((temp,)))
    assert made is not None
    assert len(made.body) == 3


def test_what_is_carried_from_row_to_row_stays_a_loop() -> None:
    """A sum of all rows, and rows that are written where they are read."""
    carried = Assign("all", Apply("add", (Ref("all", "float64x2"), Ref("s", "float64x2")), "float64x2"))
    loop = row_loop()
    assert straight.straight(For(I, n, (*loop.body, carried))) is None
    over = Store(contiguous("x", "float64", (n, 3)), (i, 0), Const(1.0, "float64"))
    assert straight.straight(row_loop((over,))) is None


def test_how_many_rounds() -> None:
    m = symbol("m")
    assert straight.rounds_of(row_loop()) == 3
    assert straight.rounds_of(row_loop(extent=7)) is None
    assert straight.rounds_of(row_loop(extent=m)) == Symbol("m")
    assert straight.rounds_of(row_loop(extent=m + 1)) is None
