"""Layers, activations, initializers and losses say what their formulas say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special

import symdl.tensor as T
from symdl import nn
from symdl.derivatives.gradient import grad
from symdl.errors import ConfigError, ShapeError
from symdl.functions import function
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
from symdl.nn.initializers import INITIALIZERS, Constant, Orthogonal, RandomNormal, RandomUniform
from symdl.nn.layer import Training
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
    layer = Dense(3, name, rng=1, name="layer0")
    x = T.tensor("x", dtype="float64", shape=(None, 4))
    y = layer(x)
    W, b = layer.parameters
    assert (W.name, b.name, W.dtype) == ("layer0.W", "layer0.b", "float64")
    b.set_value(np.array([0.5, -1.0, 2.0]))
    out = function([x], y)(X)
    np.testing.assert_allclose(out, EXPECTED[name](X @ W.get_value() + b.get_value()), rtol=1e-13, atol=1e-15)


def test_dense_takes_functions_and_draws_by_its_seed() -> None:
    x = T.tensor("x", dtype="float64", shape=(None, 4))
    layers = [
        Dense(3, T.tanh, kernel_initializer=RandomNormal(0, 0.1), rng=seed, dtype="float32") for seed in (1, 1, 2)
    ]
    for layer in layers:
        layer(x)
    one, same, other = (layer.W.get_value() for layer in layers)
    assert one.dtype == np.float32
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_wrong_layers_are_refused() -> None:
    with pytest.raises(ShapeError, match="0 units; there must be at least 1"):
        Dense(0)
    with pytest.raises(ShapeError, match="the extent of axis -1 of its input must be known"):
        Dense(3)(T.dmatrix("x"))
    with pytest.raises(ShapeError, match="0 inputs; there must be at least 1"):
        Dense(3)(T.tensor("x", dtype="float64", shape=(None, 0)))
    with pytest.raises(ConfigError, match=r"no activation 'relo'\n  activations: linear, sigmoid"):
        Dense(3, "relo")
    with pytest.raises(ConfigError, match="no initializer 'xavier'"):
        Dense(3, kernel_initializer="xavier")
    with pytest.raises(ConfigError, match="several layers are called top"):
        Sequential([Dense(3, name="top"), Dense(2, name="top")])
    assert [layer.name for layer in Sequential([Dense(3), Dense(2)]).layers] == ["dense", "dense_1"]
    with pytest.raises(ConfigError, match=r"rate 1\.0 is not in"):
        Dropout(1.0)
    assert activation(T.tanh) is T.tanh


def test_dropout_is_the_identity_outside_training() -> None:
    x = T.matrix("x", dtype="float64")
    assert Dropout(0.5)(x) is x
    assert Dropout(0.0)(x, Training(RandomStream(0))) is x


def test_dropout_drops_and_rescales_in_training() -> None:
    x = T.matrix("x", dtype="float32")
    hidden = Dropout(0.25)(x, Training(RandomStream(0)))
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
    out = function([x], Dropout(0.5)(x, Training(RandomStream(0))))(np.full(1000, np.inf))
    assert set(out.tolist()) == {0.0, np.inf}


def test_every_dropout_has_a_mask_of_its_own() -> None:
    x = T.matrix("x", dtype="float64")
    noise = Training(RandomStream(3))
    one, two = function([x], [Dropout(0.5)(x, noise), Dropout(0.5)(x, noise)])(np.ones((70, 30)))
    assert abs(np.mean((one > 0) & (two > 0)) - 0.25) < 0.04  # 2,100 draws: standard deviation 0.0095


@pytest.mark.parametrize("name", INITIALIZERS)
def test_initializers_have_their_variance(name: str) -> None:
    inputs, units = 300, 200
    variance = {
        "zeros": 0,
        "ones": 0,
        "glorot_uniform": 2 / (inputs + units),
        "glorot_normal": 2 / (inputs + units),
        "glorot_sigmoid": 32 / (inputs + units),
        "he_uniform": 2 / inputs,
        "he_normal": 2 / inputs,
        "lecun_normal": 1 / inputs,
        "lecun_uniform": 1 / inputs,
        "orthogonal": 1 / inputs,
        "random_normal": 0.05**2,
        "random_uniform": 0.05**2 / 3,
    }[name]
    weights = initializer(name)(np.random.default_rng(0), (inputs, units))
    assert weights.shape == (inputs, units)
    assert weights.var() == pytest.approx(variance, rel=0.03)  # 60,000 draws
    assert abs(weights.mean() - (name == "ones")) <= 0.02 * np.sqrt(variance)
    if name.endswith("uniform"):
        assert np.abs(weights).max() <= np.sqrt(3 * variance)


def test_initializers_with_a_scale() -> None:
    rng = np.random.default_rng(0)
    drawn = RandomNormal(2, 0.1)(rng, (100, 100))
    assert (drawn.mean(), drawn.std()) == (pytest.approx(2, abs=0.01), pytest.approx(0.1, rel=0.03))
    assert np.abs(RandomUniform(-0.1, 0.1)(rng, (100, 100))).max() <= 0.1
    assert Constant(3)(rng, (2,)).tolist() == [3, 3]
    for shape in ((7, 4), (4, 7), (3, 2, 5)):
        q = Orthogonal(2.0)(rng, shape).reshape(-1, shape[-1])
        product = q.T @ q if q.shape[0] >= q.shape[1] else q @ q.T
        np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-12)
    with pytest.raises(ShapeError, match=r"weights of shape \(3,\) have no fans"):
        initializer("he_normal")(rng, (3,))


def test_losses_are_their_formulas() -> None:
    p = special.softmax(X, axis=1)
    labels = np.array([0, 3, 1, 1, 2])
    prediction, target, label = T.dmatrix("p"), T.dmatrix("t"), T.lvector("y")
    onehot = np.eye(4)[labels]
    sign, soft = np.where(onehot == 0, -1, 1), 0.7 * onehot + 0.3 / 4
    r = X - onehot

    def check(found: Any, arguments: tuple[Any, ...], expected: Any) -> None:
        inputs = [prediction, label if arguments[1].ndim == 1 else target]
        np.testing.assert_allclose(function(inputs, found(*inputs))(*arguments), expected, rtol=1e-12, atol=1e-15)

    check(categorical_crossentropy, (p, labels), -np.log(p[np.arange(5), labels]))
    check(categorical_crossentropy, (p, soft), -(soft * np.log(p)).sum(axis=1))
    check(nn.losses.CategoricalCrossentropy(label_smoothing=0.3), (p, labels), -(soft * np.log(p)).sum(axis=1))
    check(nn.losses.CategoricalCrossentropy(from_logits=True), (X, onehot), -np.log(p[np.arange(5), labels]))
    check(nn.losses.SparseCategoricalCrossentropy(from_logits=True), (X, labels), -np.log(p[np.arange(5), labels]))
    binary = -(onehot * np.log(p) + (1 - onehot) * np.log(1 - p)).mean(axis=1)
    check(binary_crossentropy, (p, onehot), binary)
    check(nn.losses.BinaryCrossentropy(from_logits=True), (special.logit(p), onehot), binary)
    smooth = 0.8 * onehot + 0.1
    check(nn.losses.BinaryCrossentropy(label_smoothing=0.2), (p, onehot),
          -(smooth * np.log(p) + (1 - smooth) * np.log(1 - p)).mean(axis=1))  # fmt: skip
    check(mean_squared_error, (X, p), ((X - p) ** 2).mean(axis=1))
    check(loss("mae"), (X, p), np.abs(X - p).mean(axis=1))
    check(loss("huber"), (X, onehot), np.where(np.abs(r) <= 1, r**2 / 2, np.abs(r) - 0.5).mean(axis=1))
    check(nn.losses.Huber(0.5), (X, onehot), np.where(np.abs(r) <= 0.5, r**2 / 2, 0.5 * np.abs(r) - 0.125).mean(axis=1))
    check(loss("hinge"), (X, onehot), np.maximum(0, 1 - sign * X).mean(axis=1))
    check(loss("squared_hinge"), (X, onehot), (np.maximum(0, 1 - sign * X) ** 2).mean(axis=1))
    check(loss("log_cosh"), (X, onehot), np.log(np.cosh(r)).mean(axis=1))
    check(loss("poisson"), (p, onehot), (p - onehot * np.log(p)).mean(axis=1))
    check(loss("kl_divergence"), (p, soft), (soft * np.log(soft / p)).sum(axis=1))
    check(loss("mean_squared_logarithmic_error"), (p, onehot), ((np.log1p(p) - np.log1p(onehot)) ** 2).mean(axis=1))
    check(categorical_accuracy, (p, labels), p.argmax(axis=1) == labels)
    check(binary_accuracy, (p, onehot), ((p > 0.5) == (onehot > 0.5)).mean(axis=1))
    ranks = (p > p[np.arange(5), labels][:, None]).sum(axis=1)
    check(lambda a, b: nn.losses.top_k_categorical_accuracy(a, b, k=2), (p, labels), ranks < 2)
    with pytest.raises(ConfigError, match="no loss 'mean'"):
        loss("mean")


def test_functions_of_y_true_and_y_pred_are_given_them_in_this_order() -> None:
    def lopsided(y_true: Any, y_pred: Any) -> Any:
        return (2 * y_true - y_pred).sum(axis=1)

    prediction, target = T.dmatrix("p"), T.dmatrix("t")
    found = function([prediction, target], loss(lopsided)(prediction, target))(X, 3 * X)
    np.testing.assert_allclose(found, (5 * X).sum(axis=1))


def test_cross_entropy_of_logits_neither_overflows_nor_vanishes() -> None:
    """The textbook's formula on extreme logits: value and gradient of the exact function."""
    z, y = T.dmatrix("z"), T.lvector("y")
    cost = categorical_crossentropy(T.softmax(z), y).mean()
    value, slope = function([z, y], [cost, grad(cost, [z])[0]])(
        np.array([[1000.0, 0.0, -1000.0]] * 2), np.array([0, 2])
    )
    assert float(value) == 1000.0
    np.testing.assert_allclose(slope, np.array([[0, 0, 0], [0.5, 0, -0.5]]), atol=1e-300)
    b, t = T.dvector("b"), T.dvector("t")
    binary = binary_crossentropy(T.sigmoid(b), t).mean()
    value, slope = function([b, t], [binary, grad(binary, [b])[0]])(np.array([800.0, -800.0]), np.array([0.0, 1.0]))
    assert float(value) == 800.0
    np.testing.assert_allclose(slope, [0.5, -0.5], rtol=1e-15)
