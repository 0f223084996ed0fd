"""Layers, activations, initializers and losses say what their formulas say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special

import symdl.tensor as T
from symdl.errors import ConfigError, ShapeError
from symdl.functions import function
from symdl.gradient import grad
from symdl.nn import (
    Dense,
    Dropout,
    Sequential,
    activation,
    binary_accuracy,
    binary_crossentropy,
    categorical_accuracy,
    categorical_crossentropy,
    initializer,
    mean_squared_error,
)
from symdl.nn.activations import ACTIVATIONS
from symdl.nn.initializers import INITIALIZERS, constant, normal, uniform
from symdl.nn.losses import loss
from symdl.random import RandomStream

X = np.random.default_rng(0).standard_normal((5, 4))
EXPECTED: dict[str, Any] = {
    "linear": lambda z: z,
    "sigmoid": special.expit,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "softplus": lambda z: np.logaddexp(z, 0),
    "softmax": lambda z: special.softmax(z, axis=-1),
    "elu": lambda z: np.where(z > 0, z, np.expm1(z)),
    "selu": lambda z: 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(z)),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "gelu": lambda z: z * special.ndtr(z),
    "silu": lambda z: z * special.expit(z),
    "mish": lambda z: z * np.tanh(np.logaddexp(z, 0)),
    "softsign": lambda z: z / (1 + np.abs(z)),
    "hard_sigmoid": lambda z: np.clip(0.2 * z + 0.5, 0, 1),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_dense_is_its_formula(name: str) -> None:
    layer = Dense(4, 3, name, rng=1, dtype="float64", name="layer0")
    W, b = layer.parameters
    assert (W.name, b.name) == ("layer0.W", "layer0.b")
    b.set_value(np.array([0.5, -1.0, 2.0]))
    x = T.tensor("x", dtype="float64", shape=(None, 4))
    out = function([x], layer(x))(X)
    np.testing.assert_allclose(out, EXPECTED[name](X @ W.get_value() + b.get_value()), rtol=1e-13, atol=1e-15)


def test_dense_takes_functions_and_draws_by_its_seed() -> None:
    layers = [Dense(4, 3, T.tanh, normal(0.1), rng=seed, dtype="float32") for seed in (1, 1, 2)]
    one, same, other = (layer.W.get_value() for layer in layers)
    assert one.dtype == np.float32
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_wrong_layers_are_refused() -> None:
    with pytest.raises(ShapeError, match="0 inputs and 3 units"):
        Dense(0, 3)
    with pytest.raises(ConfigError, match=r"no activation 'relo'\n  activations: linear, sigmoid"):
        Dense(4, 3, "relo")
    with pytest.raises(ConfigError, match="no initializer 'xavier'"):
        Dense(4, 3, initializer="xavier")
    with pytest.raises(ConfigError, match=r"several parameters are called dense\.W, dense\.b"):
        Sequential([Dense(4, 3), Dense(3, 2)])
    with pytest.raises(ConfigError, match=r"rate 1\.0 is not in"):
        Dropout(1.0)
    assert activation(T.tanh) is T.tanh


def test_dropout_is_the_identity_outside_training() -> None:
    x = T.matrix("x", dtype="float64")
    assert Dropout(0.5)(x) is x
    assert Dropout(0.0)(x, RandomStream(0)) is x


def test_dropout_drops_and_rescales_in_training() -> None:
    x = T.matrix("x", dtype="float32")
    hidden = Dropout(0.25)(x, RandomStream(0))
    out = function([x], [hidden, grad(hidden.sum(), [x])[0]])
    value, slope = out(np.full((300, 200), 3, np.float32))
    assert value.dtype == slope.dtype == np.float32
    assert set(np.unique(value).tolist()) == {0, 4}
    assert abs(value.mean() - 3) < 0.03  # 60,000 draws: standard deviation 0.007
    np.testing.assert_allclose(slope, value / 3, rtol=1e-7)
    again, _ = out(np.full((300, 200), 3, np.float32))
    assert abs(np.mean((again == 0) & (value == 0)) - 1 / 16) < 0.01  # each call has a mask of its own


def test_dropout_removes_what_is_not_finite() -> None:
    x = T.vector("x", dtype="float64")
    out = function([x], Dropout(0.5)(x, RandomStream(0)))(np.full(1000, np.inf))
    assert set(out.tolist()) == {0.0, np.inf}


def test_every_dropout_has_a_mask_of_its_own() -> None:
    x = T.matrix("x", dtype="float64")
    noise = RandomStream(3)
    one, two = function([x], [Dropout(0.5)(x, noise), Dropout(0.5)(x, noise)])(np.ones((70, 30)))
    assert abs(np.mean((one > 0) & (two > 0)) - 0.25) < 0.04  # 2,100 draws: standard deviation 0.0095


@pytest.mark.parametrize("name", INITIALIZERS)
def test_initializers_have_their_variance(name: str) -> None:
    inputs, units = 300, 200
    variance = {
        "zeros": 0,
        "glorot_uniform": 2 / (inputs + units),
        "glorot_normal": 2 / (inputs + units),
        "glorot_sigmoid": 32 / (inputs + units),
        "he_uniform": 2 / inputs,
        "he_normal": 2 / inputs,
        "lecun_normal": 1 / inputs,
    }[name]
    weights = initializer(name)(np.random.default_rng(0), (inputs, units))
    assert weights.shape == (inputs, units)
    assert weights.var() == pytest.approx(variance, rel=0.03)  # 60,000 draws
    assert abs(weights.mean()) <= 0.02 * np.sqrt(variance)
    if name.endswith("uniform"):
        assert np.abs(weights).max() <= np.sqrt(3 * variance)


def test_initializers_with_a_scale() -> None:
    rng = np.random.default_rng(0)
    assert normal(0.1)(rng, (100, 100)).std() == pytest.approx(0.1, rel=0.03)
    assert np.abs(uniform(0.1)(rng, (100, 100))).max() <= 0.1
    assert constant(3)(rng, (2,)).tolist() == [3, 3]
    with pytest.raises(ShapeError, match=r"weights of shape \(3,\) have no fans"):
        initializer("he_normal")(rng, (3,))


def test_losses_are_their_formulas() -> None:
    p = special.softmax(X, axis=1)
    labels = np.array([0, 3, 1, 1, 2])
    prediction, target, label = T.dmatrix("p"), T.dmatrix("t"), T.lvector("y")
    onehot = np.eye(4)[labels]
    assert float(
        function([prediction, label], categorical_crossentropy(prediction, label))(p, labels)
    ) == pytest.approx(-np.log(p[np.arange(5), labels]).mean(), rel=1e-14)
    soft = 0.7 * onehot + 0.3 / 4
    assert float(
        function([prediction, target], categorical_crossentropy(prediction, target))(p, soft)
    ) == pytest.approx(-(soft * np.log(p)).sum(axis=1).mean(), rel=1e-14)
    assert float(function([prediction, target], binary_crossentropy(prediction, target))(p, onehot)) == pytest.approx(
        -(onehot * np.log(p) + (1 - onehot) * np.log(1 - p)).mean(), rel=1e-13
    )
    assert float(function([prediction, target], mean_squared_error(prediction, target))(X, p)) == pytest.approx(
        ((X - p) ** 2).mean(), rel=1e-14
    )
    assert float(function([prediction, label], categorical_accuracy(prediction, label))(p, labels)) == pytest.approx(
        (p.argmax(axis=1) == labels).mean()
    )
    assert float(function([prediction, target], binary_accuracy(prediction, target))(p, onehot)) == pytest.approx(
        ((p > 0.5) == (onehot > 0.5)).mean()
    )
    with pytest.raises(ConfigError, match="no loss 'mse'"):
        loss("mse")


def test_cross_entropy_of_logits_neither_overflows_nor_vanishes() -> None:
    """The textbook's formula on extreme logits: value and gradient of the exact function."""
    z, y = T.dmatrix("z"), T.lvector("y")
    cost = categorical_crossentropy(T.softmax(z), y)
    value, slope = function([z, y], [cost, grad(cost, [z])[0]])(
        np.array([[1000.0, 0.0, -1000.0]] * 2), np.array([0, 2])
    )
    assert float(value) == 1000.0
    np.testing.assert_allclose(slope, np.array([[0, 0, 0], [0.5, 0, -0.5]]), atol=1e-300)
    b, t = T.dvector("b"), T.dvector("t")
    binary = binary_crossentropy(T.sigmoid(b), t)
    value, slope = function([b, t], [binary, grad(binary, [b])[0]])(np.array([800.0, -800.0]), np.array([0.0, 1.0]))
    assert float(value) == 800.0
    np.testing.assert_allclose(slope, [0.5, -0.5], rtol=1e-15)
