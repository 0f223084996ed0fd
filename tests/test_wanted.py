"""Lanes are computed again where that matters: here in full everything is MARK, so that what was is seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from quick_code import quickly

import symdl.tensor as T
from symdl.backends.llvm import attempts
from symdl.backends.rungs.leaves import Apart, apart
from symdl.graph.expr import variable
from symdl.ir.loops import Apply, Const, For, Store

MARK = 42.0
FAR = 1e200
Formula = Callable[..., Any]


@pytest.fixture(autouse=True)
def marked(monkeypatch: pytest.MonkeyPatch) -> None:
    def marks(loop: For, places: Sequence[int]) -> Apart:
        found = apart(loop, places)
        body = list(found.loop.body)
        for place in places:
            store = body[place]
            assert isinstance(store, Store)
            body[place] = replace(store, value=Apply("cast", (Const(MARK, "float64"),), store.value.dtype))
        return Apart(replace(found.loop, body=tuple(body)), found.leaves)

    monkeypatch.setattr(attempts, "apart", marks)


def found(formula: Formula, *data: Sequence[float]) -> list[float]:
    arrays = [np.array(values) for values in data]
    leaves = [variable(f"x{k}", (None,), "float64") for k in range(len(arrays))]
    (got,) = quickly(leaves, [formula(*leaves)])(arrays)
    values: list[float] = got.tolist()
    return values


def again(formula: Formula, *data: Sequence[float]) -> list[bool]:
    return [x == MARK for x in found(formula, *data)]


@pytest.mark.parametrize("many", [1, 5])  # as the rest of a loop, and in vectors
def test_what_has_left_the_range_is_computed_again(many: int) -> None:
    x, y = [3.0, FAR, 3.0, FAR] * many, [4.0, 4.0, FAR, FAR] * many
    assert again(lambda x, y: T.sqrt(x * x + y * y), x, y) == [False, True, True, True] * many


def test_not_behind_a_branch_that_is_not_taken() -> None:
    x, y = [3.0, FAR, FAR, -3.0] * 5, [1.0, 1.0, -1.0, -1.0] * 5
    assert again(lambda x, y: T.where(y > 0, T.sqrt(x * x + y * y), y), x, y) == [False, True, False, False] * 5


def test_what_two_branches_use_is_wanted_by_either() -> None:
    x, y = [FAR, FAR, FAR, 3.0] * 5, [1.0, 0.0, -1.0, 1.0] * 5

    def formula(x: Any, y: Any) -> Any:
        size = T.sqrt(x * x + 2 + y * y)
        return T.where(y > 0, size, T.where(y < 0, size - 1, y))

    assert again(formula, x, y) == [True, False, True, False] * 5


def test_not_of_a_number_that_is_none() -> None:
    x, y = [np.nan, FAR, 3.0, np.nan] * 5, [FAR, np.nan, 4.0, np.nan] * 5
    assert not any(again(lambda x, y: T.sqrt(x * x + y * y), x, y))


OUTSIDE: dict[str, Formula] = {
    "root": lambda x: T.sqrt(1 - x),
    "logarithm": lambda x: T.log(1 - x),
    "arcsine": lambda x: T.arcsin(x),
    "power": lambda x: (1 - x) ** 0.3,
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_not_outside_of_a_domain(name: str) -> None:
    x, y = [1.5, 0.5, 0.5, 3.0] * 5, [1.0, 1.0, FAR, 2.0] * 5

    def formula(x: Any, y: Any) -> Any:
        f = OUTSIDE[name](x)
        return T.sqrt(f * f + y * y)

    values = found(formula, x, y)
    assert [v == MARK for v in values] == [False, False, True, False] * 5
    assert np.isnan(values).tolist() == [True, False, False, True] * 5


def test_a_domain_that_was_left_since_the_range_was() -> None:
    """1 - FAR^2/FAR is -infinity without an exponent, and a root of it NaN, but FAR^2/FAR^2 is 1."""
    x = [FAR, 0.5, FAR, 0.5] * 5
    assert again(lambda x: T.sqrt(1.5 - (x * x) / (x * x + 1)), x) == [True, False, True, False] * 5
