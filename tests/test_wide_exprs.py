"""Number forms in graphs: made by passes alone, typed, computed by the oracle and lowered to loops and machine code."""

from __future__ import annotations

import agree
import numpy as np
import pytest

import symdl.tensor as T
from symdl.errors import DtypeError
from symdl.graph.expr import Expr, constant
from symdl.graph.origins import building
from symdl.number_forms import LIMBS
from symdl.ops.elementwise import cast
from symdl.passes.evaluate import evaluate

FORMS = sorted(LIMBS)


def test_users_are_refused() -> None:
    x = T.vector("x")
    for dtype in FORMS:
        with pytest.raises(DtypeError, match="is not a dtype"):
            T.cast(x, dtype)
        with pytest.raises(DtypeError, match="is not a dtype"):
            x.astype(dtype)
        with pytest.raises(DtypeError, match="is not a dtype"):
            T.vector("y", dtype=dtype)
        with pytest.raises(DtypeError, match="is not a dtype"):
            constant(1.0, dtype)


def test_types_and_promotion() -> None:
    x, y, k = T.vector("x", dtype="float64"), T.vector("y", dtype="float32"), T.vector("k", dtype="int64")
    with building(()):
        thin, two, both = (cast(x, form) for form in FORMS)
        assert [T.exp(a).type.dtype for a in (thin, two, both)] == FORMS
        assert (thin + two).type.dtype == "float64x2e"
        for other in (x, y, k, 1, 0.5):
            assert (two * other).type.dtype == "float64x2"
            assert (other / both).type.dtype == "float64x2e"
        assert T.sum(two).type.dtype == "float64x2"
        assert (thin < x).type.dtype == "bool"
        assert T.where(x > 0, two, 1).type.dtype == "float64x2"
        assert T.sigmoid(both).type.dtype == "float64x2e"


def formulas(x: Expr, dtype: str) -> list[Expr]:
    """Elementwise ops, views, joins, gathers, reductions and a composite, in a form; the last one cancels."""
    with building(()):
        w = cast(x, dtype)
        e = T.exp(w)
        found = [
            T.log(T.sum(e, axis=1)),
            T.max(w, axis=0) - T.min(w, axis=0),
            T.sqrt(T.sum(w * w)),
            T.concatenate([w, e[::-1]], axis=0).T * 2,
            T.where(w > 0, w, T.expm1(w)),
            T.sigmoid(w) + T.prod(w, axis=1, keepdims=True),
            e[np.array([1, 0, 1]), np.array([0, 2, 1])],
            (1 + w * 1e-14) - 1,
        ]
        return [cast(f, "float64") for f in found]


@pytest.mark.parametrize("dtype", FORMS)
def test_three_ways(dtype: str) -> None:
    x = T.matrix("x", dtype="float64")
    values = np.array([[0.5, -1.25, 2.0], [3.0, -0.75, 1e-3]])
    outputs = formulas(x, dtype)
    oracle, *others = agree.three_ways(outputs, {x: values})
    for other in others:
        for expected, got in zip(oracle, other, strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-14 if dtype == "float64e" else 3e-16, atol=1e-15)
    if dtype != "float64e":
        np.testing.assert_allclose(oracle[-1], values * 1e-14, rtol=3e-16)


@pytest.mark.parametrize("dtype", FORMS)
def test_a_border_that_is_read_often_is_stored_in_the_form(dtype: str) -> None:
    """As the gradient of a column of a softmax has it (seed 16836)."""
    x, count = T.dvector("x"), 12
    with building(()):
        around = T.pad(T.exp(cast(x, dtype)), (2, 1))
        outputs = [cast(T.sum(around * (k + 1.5)), "float64") for k in range(count)]
    oracle, *others = agree.three_ways(outputs, {x: np.array([0.5, -1.25, 2.0])})
    for other in others:
        np.testing.assert_allclose(other, oracle, rtol=1e-15)


def test_the_oracle_rounds_once() -> None:
    x = T.vector("x", dtype="float64")
    with building(()):
        total = cast(T.sum(cast(x, "float64x2e")), "float64")
    assert evaluate([total], {x: np.array([1e300, 1.0, -1e300, 1e-300])}) == [1.0]
