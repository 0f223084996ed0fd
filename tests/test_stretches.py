"""Rows whose sums ask for two limbs, tried with one: right where the attempt fails, too, and no row depends on others."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from quick_code import quickly

import symdl.tensor as T
from symdl.backends.llvm import attempts
from symdl.backends.rungs.stretches import Stretch, stretch
from symdl.ir.loops import Apply, Assign, Const, For, Load, Local, Ref, Stmt, Value, contiguous, walk
from symdl.types import Symbol, symbol

n, i = symbol("n"), symbol("i")
PAIR = "float64x2"
FORMULAS = {
    "logsumexp": lambda m, x: m.log(m.exp(x).sum(1)),
    "less 1": lambda m, x: m.log(m.exp(x).sum(1)) - 1,
}


def op(name: str, dtype: str, *args: Value) -> Apply:
    return Apply(name, args, dtype)


def row(extent: object, result: str = "float32") -> tuple[Stmt, ...]:
    """log of a sum of exponentials, plus y, in two limbs until it is rounded."""
    x = op("cast", PAIR, Load(contiguous("x", "float32", (n,)), (i,)))
    y = op("cast", PAIR, Load(contiguous("y", "float32", ()), ()))
    total = Ref("s", PAIR)
    added = Assign("s", op("add", PAIR, total, op("exp", PAIR, x)))
    loop = For(Symbol("i"), extent, (added,), "vector")  # type: ignore[arg-type]  # an extent
    return (
        Local("s", Const(0, PAIR)),
        loop,
        Local("out", op("cast", result, op("add", PAIR, op("log", PAIR, total), y))),
    )


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[Stretch]:
    """The attempts that are made meanwhile."""
    found: list[Stretch] = []

    def noted(body: tuple[Stmt, ...], place: int, permutes: bool) -> Stretch | None:
        made = stretch(body, place, permutes)
        found.extend(() if made is None else (made,))
        return made

    monkeypatch.setattr(attempts, "stretch", noted)
    return found


def test_what_is_tried() -> None:
    """One limb in all that is tried at last; nothing where no sum is a pair."""
    first = stretch(row(n), 0)
    assert first is not None
    assert first.otherwise is not None
    for found in (first, first.otherwise):
        assert found.end == 3
        assert found.results == {"out": "float32"}
        assert not any(getattr(item, "dtype", "") == PAIR for item in walk(*found.tried))
    assert stretch(row(n), 2) is None
    other = Assign("elsewhere", op("add", PAIR, Ref("elsewhere", PAIR), Ref("s", PAIR)))
    assert stretch((*row(n), For(Symbol("j"), n, (other,), "vector")), 0) is None


def test_longer_rows_are_asked_for_more() -> None:
    """The bound on cancellation is the weaker the more numbers are added up."""

    def scales(found: Stretch | None) -> list[float]:
        assert found is not None
        found = found.otherwise or found
        numbers = (x.number for x in walk(*found.tried) if isinstance(x, Const) and x.dtype == "float64")
        return sorted(v for v in numbers if 0 < v < 0.1)

    assert scales(stretch(row(10), 0)) < scales(stretch(row(10**5), 0))
    assert len(scales(stretch(row(n), 0))) == 3
    assert stretch(row(1 << 40), 0) is None


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("width", [3, 17, 300])
def test_rows(name: str, width: int, tried: list[Stretch]) -> None:
    """Within an ulp, rows that cancel among others that do not; a row alone gives the same bits."""
    rng = np.random.default_rng(width)
    given = (rng.standard_normal((24, width)) * rng.choice([0.1, 1, 30], (24, 1))).astype(np.float32)
    exact = FORMULAS[name](np, given.astype(np.longdouble))
    given[::3] -= exact[::3, None].astype(np.float32)  # the result is near 0
    given[5], given[6, 0], given[7, 1] = -np.inf, np.nan, np.inf
    x = T.tensor("x", dtype="float32", shape=(None, None))
    f = quickly([x], [FORMULAS[name](T, x)])
    (found,) = f([given])
    assert tried
    assert found[5] == -np.inf
    assert np.isnan(found[6])
    assert found[7] == np.inf
    with mpmath.workprec(400):
        for k in {*range(24)} - {5, 6, 7}:
            powers = [mpmath.exp(mpmath.mpf(float(v))) for v in given[k]]
            true = mpmath.log(mpmath.fsum(powers)) - ("less" in name)
            assert abs(mpmath.mpf(float(found[k])) - true) < np.spacing(abs(np.float32(true))), k
    for k in (0, 3, 4, 11):
        np.testing.assert_array_equal(f([given[k : k + 1]])[0], found[k : k + 1])


@pytest.mark.parametrize("width", [3, 40])
def test_rows_that_add_to_a_number_of_any_sign(width: int) -> None:
    """Its size is asked of one limb, also where the number is tried with both."""
    rng = np.random.default_rng(width)
    given = rng.standard_normal((4, width)), rng.standard_normal(4)
    given[1][:2] = np.tanh(given[0]).sum(axis=1)[:2]  # what is left is near 0
    m, x = T.tensor("m", dtype="float64", shape=(4, width)), T.tensor("x", dtype="float64", shape=(4,))
    (found,) = quickly([m, x], [T.tanh(m).sum(axis=1) - x])(given)
    with mpmath.workprec(400):
        for k in range(4):
            true = mpmath.fsum([mpmath.tanh(mpmath.mpf(v)) for v in given[0][k]]) - mpmath.mpf(given[1][k])
            assert abs(mpmath.mpf(found[k]) - true) <= 4 * np.spacing(abs(float(true))), k
