"""verify_grad finds wrong gradients, and no others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symdl
import symdl.tensor as T
from symdl.errors import GradientError, InputError
from symdl.gradient_check import WrongGradientError

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_right_gradients_pass(dtype: str) -> None:
    x, w = RNG.standard_normal((3, 4)).astype(dtype), RNG.standard_normal((4, 2)).astype(dtype)
    limit = 1e-6 if dtype == "float64" else 2e-3
    assert symdl.verify_grad(lambda a, b: T.tanh(a @ b), [x, w]) < limit
    assert symdl.verify_grad(lambda a: [T.sum(a**2), T.softmax(a)], [x], n_tests=3) < limit
    assert symdl.verify_grad(lambda a: T.log(T.sum(T.exp(a))), [x[0]], rng=np.random.RandomState(1)) < limit
    assert symdl.verify_grad(lambda a: a * 0 + 1, [x[:, :0]]) == 0


def test_wrong_gradients_do_not() -> None:
    def wrong(x: Any) -> Any:
        return symdl.custom_gradient([x**2], [x], lambda i, o, g: [g[0] * i[0]])[0]

    with pytest.raises(
        WrongGradientError, match=r"d / d argument 0 at \[0\] is .*, by differences .* \(relative error 0.5\)"
    ):
        symdl.verify_grad(wrong, [np.array([1.0, 2.0])])
    with pytest.raises(WrongGradientError, match="nan"):
        symdl.verify_grad(lambda x: symdl.custom_gradient([x], [x], lambda i, o, g: [g[0] * np.nan])[0], [np.ones(1)])
    with pytest.raises(InputError, match="argument 0 of the point is int64"):
        symdl.verify_grad(lambda x: x, [np.array([1])])
    with pytest.raises(GradientError, match="is int64, no float"):
        symdl.verify_grad(T.argmax, [np.ones(2)])
