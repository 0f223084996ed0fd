"""symdl.assume: the identity, which frees number forms and decides choices; wrong facts are refused."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest

import symdl
import symdl.nn
import symdl.tensor as T
from symdl.errors import DtypeError, InputError
from symdl.meaning.lowering import Lowering
from symdl.meaning.precision import Analysis
from symdl.number_forms import WIDE
from symdl.ops.declare import is_float


def program(x: Any, y: Any, precision: str = "right") -> str:
    return symdl.function([x], y, precision=precision).source("program")


def test_it_is_the_identity_and_so_is_its_gradient() -> None:
    x = T.dvector("x")
    y = T.exp(symdl.assume(x, lower=0, upper=3)) * 2
    value = np.array([0.0, 0.5, 3.0])
    for mode in ("native", "interpreter", "numpy"):
        np.testing.assert_allclose(symdl.function([x], y, mode=mode)(value), np.exp(value) * 2, rtol=1e-15)
    slope = symdl.function([x], symdl.grad(y.sum(), x))
    np.testing.assert_allclose(slope(value), np.exp(value) * 2, rtol=1e-15)
    assert pickle.loads(pickle.dumps(slope))(value)[0] == 2


def test_it_leaves_no_code() -> None:
    x = T.dvector("x")
    assert program(x, symdl.assume(x, lower=1) + 1, "plain") == program(x, x + 1, "plain")


def test_a_bounded_value_needs_no_exponent() -> None:
    x = T.dvector("x")
    assert "float64e" in program(x, T.sqrt(x * x + 1))
    inside = symdl.assume(x, lower=-1e100, upper=1e100)
    assert not any(form in program(x, T.sqrt(inside * inside + 1)) for form in WIDE)


def test_a_small_value_needs_no_second_limb() -> None:
    x = T.dvector("x")

    def limbs(v: Any) -> int:
        lowering = Lowering([T.exp(v * v)], {})
        analysis = Analysis(lowering(), lowering.known)
        return sum(bool(analysis.need(n).bits) for n in analysis.order if is_float(n.type.dtype))

    assert limbs(x) == 1
    assert limbs(symdl.assume(x, lower=-1, upper=1)) == 0


@pytest.mark.parametrize(
    ("choice", "taken"),
    [
        (lambda x: T.where(x > 0, T.log1p(x), T.sin(x)), lambda x: T.log1p(x)),
        (lambda x: T.where(x + 1 <= 0, T.sin(x), T.log1p(x)), lambda x: T.log1p(x)),
        (lambda x: T.maximum(x, -1) * 2, lambda x: x * 2),
        (lambda x: abs(x) * 2, lambda x: x * 2),
        (lambda x: T.where((x > 0) & (x <= 9), x, T.sin(x)) * 2, lambda x: x * 2),
    ],
)
def test_choices_are_decided(choice: Any, taken: Any) -> None:
    x = T.dvector("x")
    inside = symdl.assume(x, lower=0.5, upper=8)
    assert program(x, choice(inside), "plain") == program(x, taken(x), "plain")
    value = np.array([0.5, 2.0, 8.0])
    np.testing.assert_allclose(
        symdl.function([x], choice(inside))(value), symdl.function([x], taken(x))(value), rtol=4e-16
    )


def test_choices_that_facts_leave_open_stay() -> None:
    x, y = T.dvector("x"), T.dvector("y")
    inside = symdl.assume(x, lower=-1, upper=8)
    f = symdl.function([x], T.where(inside > 0, 1.0, 2.0))
    np.testing.assert_array_equal(f(np.array([-1.0, 8.0])), [2, 1])
    g = symdl.function([x, y], T.where(T.sigmoid(y) >= -symdl.assume(x, lower=1), 1.0, 2.0))
    np.testing.assert_array_equal(g(np.array([1.0, 1.0]), np.array([0.0, math.nan])), [1, 2])  # y may be NaN


def test_a_logarithm_of_a_product_of_positive_numbers_comes_apart() -> None:
    x = T.dvector("x")
    inside = symdl.assume(x, positive=True)
    assert symdl.function([x], T.sqrt(inside * inside))(np.array([1e200]))[0] == 1e200


def test_adam_is_plain_on_arrays() -> None:
    w = symdl.shared(np.ones((4, 3), np.float32), "w")
    x = T.fmatrix("x")
    loss = T.sigmoid(x @ w).sum()
    step = symdl.function([x], loss, updates=symdl.nn.Adam().updates(loss, [w]), precision="right")
    kernels = step.source("program")
    assert not any(form in line for line in kernels.splitlines() if "[4, 3]" in line for form in WIDE)


def test_facts_that_cannot_be() -> None:
    x = T.dvector("x")
    with pytest.raises(InputError, match="no fact is given"):
        symdl.assume(x)
    for facts in ({"lower": 2, "upper": 1}, {"lower": math.inf}, {"positive": True, "upper": 0}):
        with pytest.raises(InputError, match="no number has all of"):
            symdl.assume(x, **facts)
    with pytest.raises(InputError, match="no number has all of"):
        symdl.assume(x, integer=True, lower=0.25, upper=0.75)
    with pytest.raises(InputError, match="lower is nan"):
        symdl.assume(x, lower=math.nan)
    with pytest.raises(InputError, match="must be a number"):
        symdl.assume(x, upper=x)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(DtypeError, match="not bool"):
        symdl.assume(x > 0, lower=0)
