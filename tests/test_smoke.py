"""The whole way from a formula to numbers, in seconds: what .ci/run tries on every Python and llvmlite it finds."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest

import symdl
import symdl.tensor as T
from symdl.errors import ShapeError

pytestmark = pytest.mark.smoke


def test_a_value_and_its_gradient() -> None:
    x, W = T.dmatrix("x"), T.dmatrix("W")
    loss = (T.tanh(x @ W) ** 2).sum()
    f = symdl.function([x, W], [loss, symdl.grad(loss, W)])
    a, b = np.linspace(-1, 1, 12).reshape(3, 4), np.linspace(-2, 1, 20).reshape(4, 5)
    value, gradient = f(a, b)
    t = np.tanh(a @ b)
    np.testing.assert_allclose(value, (t**2).sum(), rtol=1e-14)
    np.testing.assert_allclose(gradient, a.T @ (2 * t * (1 - t**2)), rtol=1e-13, atol=1e-15)


def test_sizes_are_those_of_the_call() -> None:
    x = T.fvector("x")
    f = symdl.function(
        [x],
        (x - x.mean()).sum(),
    )
    for n in (1, 2, 7, 1000):
        assert f(np.arange(n, dtype="float32")) == pytest.approx(0, abs=1e-2)


def test_stable_where_floats_are_not_the_reals() -> None:
    x = T.dvector("x")
    y = T.log(1 + T.exp(x))
    f = symdl.function([x], [y, symdl.grad(y.sum(), x)])
    value, gradient = f(np.array([-800.0, 0.0, 800.0]))
    np.testing.assert_allclose(value, [0, np.log(2), 800], rtol=1e-15)
    np.testing.assert_allclose(gradient, [0, 0.5, 1], rtol=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_training_lowers_the_loss(dtype: str) -> None:
    """Softmax regression on three separable clouds: shared values, updates, integer indexing."""
    rng = np.random.default_rng(0)
    t = np.repeat(np.arange(3), 20)
    inputs = (rng.standard_normal((60, 2)) + 4 * np.array([[0, 0], [1, 0], [0, 1]])[t]).astype(dtype)
    x, y = T.matrix("x", dtype=dtype), T.lvector("y")
    W, b = symdl.shared(np.zeros((2, 3), dtype), "W"), symdl.shared(np.zeros(3, dtype), "b")
    loss = -T.log(T.softmax(x @ W + b))[T.arange(y.shape[0]), y].mean()
    gW, gb = symdl.grad(loss, [W, b])
    step = symdl.function([x, y], loss, updates={W: W - gW / 2, b: b - gb / 2})
    losses = [float(step(inputs, t)) for _ in range(100)]
    assert losses[0] == pytest.approx(np.log(3), rel=1e-6)
    assert losses[-1] < 0.2
    assert W.get_value().dtype == dtype


def test_integers_and_bools() -> None:
    n, c = T.lvector("n"), T.vector("c", dtype="bool")
    f = symdl.function([n, c], [T.where(c, n // 3, n % 3), (n << 2).sum()])
    out, total = f(np.array([-7, 7, 8]), np.array([True, False, True]))
    assert out.tolist() == [-3, 1, 2]
    assert total == 32


def test_nothing_is_printed_or_warned_where_floats_overflow() -> None:
    x = T.dvector("x")
    f = symdl.function([x], T.exp(x) / x)
    with np.errstate(all="warn"), warnings.catch_warnings():
        warnings.simplefilter("error")
        out = f(np.array([1e3, 0.0, -np.inf, np.nan]))
    np.testing.assert_array_equal(out, [np.inf, np.inf, -0.0, np.nan])


def test_an_error_names_both_shapes_and_the_line() -> None:
    x = T.matrix("x")
    W = symdl.shared(np.zeros((500, 784)), "weights")
    f = symdl.function([x], x @ W)
    with pytest.raises(ShapeError, match=r"(?s)63.*500.*weights.*test_smoke\.py:\d+"):
        f(np.zeros((2, 63)))


def test_a_shared_value_survives_pickling() -> None:
    W = symdl.shared(np.arange(3.0), "W")
    assert pickle.loads(pickle.dumps(W)).get_value().tolist() == [0, 1, 2]


def test_the_command_says_its_version() -> None:
    done = subprocess.run([sys.executable, "-m", "symdl", "--version"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert symdl.__version__ in done.stdout
