"""The simple models against what is known exactly: truth tables, Novikoff's bound, least squares, the optimum of others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symdl.extras
import symdl.tensor as T
from symdl.datasets import gauss, logic_gates, xor
from symdl.derivatives.gradient import grad
from symdl.errors import ConfigError, DataError, GradientError
from symdl.functions import function
from symdl.nn.callbacks import LambdaCallback
from symdl.zoo import MLP, MODELS, RECIPES, LeNet, LinearRegression, LogisticRegression, Perceptron, recipe
from symdl.zoo.base import Classifier
from symdl.zoo.cnn import VGG
from symdl.zoo.data import SOURCES, read
from symdl.zoo.perceptron import step_as_limit
from symdl.zoo.threshold import GATES, threshold, truth_table

needs_sklearn = pytest.mark.skipif(
    not symdl.extras.installed("sklearn"), reason="the data come with scikit-learn: pip install symdl[zoo]"
)
Array = np.ndarray[Any, np.dtype[Any]]


@pytest.mark.parametrize("name", [*GATES, "xor", "xnor"])
def test_gates_by_hand(name: str) -> None:
    assert truth_table(name).tolist() == logic_gates()[1][name].tolist()


def test_the_step_has_no_gradient_and_is_the_limit_of_the_sigmoid() -> None:
    x = T.dmatrix("x")
    with pytest.raises(GradientError, match="the cost depends on x only in steps"):
        grad(threshold(x, T.as_tensor([1.0, 1.0]), -1.5).sum(), x)
    with pytest.warns(UserWarning, match="the cost depends on x only in steps"):
        flat = grad(threshold(x, T.as_tensor([1.0, 1.0]), -1.5).sum(), x, disconnected_inputs="warn")
    slope = function([x], flat, on_unused_input="ignore")
    assert not slope(np.random.default_rng(0).normal(size=(5, 2))).any()
    at = np.array([-2.0, -0.1, 0.1, 2.0])
    np.testing.assert_allclose(step_as_limit(1e4)(at), at > 0, atol=1e-300)
    with pytest.raises(ConfigError, match="no gate 'if'\n  gates: and, or, nand, nor, xor, xnor"):
        truth_table("if")


def novikoff(x: Array, y: Array) -> float:
    """(R / gamma)^2 of the rows (x, 1), gamma that of one separator, so that the bound is at least the best one."""
    rows = np.column_stack([x, np.ones(len(x))]).astype(float)
    sign = np.where(y == 1, 1.0, -1.0)
    w = np.array([1.0, 1.0, 0.0]) / np.sqrt(2)  # parts the two clouds of gauss
    gamma = (sign * (rows @ w)).min()
    assert gamma > 0
    return float((rows**2).sum(axis=1).max() / gamma**2)


def test_a_perceptron_converges_on_separable_data_within_novikoffs_bound() -> None:
    x, y = gauss(300, seed=3)
    apart = np.abs(x @ [1.0, 1.0]) > 0.5  # a margin
    x, y = x[apart], (x[apart] @ [1.0, 1.0] > 0).astype(np.int64)
    model = Perceptron(features=2, classes=2, epochs=1000, dtype="float64")
    history = model.fit(x, y, verbose=0)
    assert history.stopped == "an epoch without mistakes"
    mistakes = sum(history.history["mistakes"]) * len(x)
    assert 0 < mistakes <= novikoff(x, y)
    assert model.score(x, y) == 1


def test_a_perceptron_is_seen_to_fail_on_xor() -> None:
    x, y = xor(300, seed=0)
    model = Perceptron(features=2, classes=2, epochs=50)
    history = model.fit(x, y, verbose=0)
    assert not history.stopped
    assert history.history["mistakes"][-1] > 0.2
    assert model.score(x, y) < 0.75


def test_rosenblatts_rule_step_by_step() -> None:
    """One epoch in order, beside the rule written out."""
    x, y = gauss(40, seed=1, noise=0.4)
    model = Perceptron(features=2, classes=2, epochs=1, dtype="float64", learning_rate=0.5)
    order = np.random.default_rng(model.config.seed).permutation(len(x))
    model.fit(x, y, verbose=0)
    w, b = np.zeros(2), 0.0
    for k in order:
        error = y[k] - float(x[k] @ w + b > 0)
        w, b = w + 0.5 * error * x[k], b + 0.5 * error
    np.testing.assert_allclose(model.W.get_value()[:, 0], w, rtol=1e-12)
    np.testing.assert_allclose(model.b.get_value()[0], b)


def test_with_a_sigmoid_the_rule_is_gradient_descent() -> None:
    x, y = gauss(20, seed=1, noise=0.4)
    model = Perceptron(features=2, classes=2, epochs=1, batch_size=20, dtype="float64", activation="sigmoid")
    model.fit(x, y, verbose=0)
    error = y - 0.5  # sigmoid(0)
    np.testing.assert_allclose(model.W.get_value()[:, 0], error @ x, rtol=1e-6)


@needs_sklearn
def test_linear_regression_is_least_squares() -> None:
    split = read("diabetes")
    model = LinearRegression()
    model.fit(split.x_train, split.y_train, verbose=0)
    design = np.column_stack([split.x_train, np.ones(len(split.x_train))])
    exact = np.linalg.lstsq(design, split.y_train, rcond=None)[0]
    predicted = np.column_stack([split.x_test, np.ones(len(split.x_test))]) @ exact
    np.testing.assert_allclose(model.predict(split.x_test), predicted, rtol=1e-3)
    found = model.evaluate(split.x_test, split.y_test)
    assert found["r2"] == pytest.approx(1 - found["mse"] / split.y_test.var())
    watched: list[int] = []
    look = LambdaCallback(on_epoch_end=lambda epoch, logs: watched.append(epoch))
    history = model.fit(split.x_train, split.y_train, validation=0.25, callbacks=[look], verbose=0)
    assert len(history.history["val_loss"]) == len(watched) > 0
    with pytest.raises(DataError, match="y must hold one finite number an example"):
        model.fit(split.x_train, np.full(len(split.x_train), np.nan), verbose=0)


@needs_sklearn
def test_logistic_regression_has_the_optimum_of_scikit_learns() -> None:
    split = read("digits")
    n, penalty = len(split.x_train), 1e-3
    model = LogisticRegression(l2=penalty, solver="l-bfgs", epochs=2000, dtype="float64")
    model.fit(split.x_train, split.y_train, verbose=0)
    linear = symdl.extras.load("sklearn.linear_model", "a test")
    other = linear.LogisticRegression(C=1 / (2 * penalty * n), tol=1e-8, max_iter=5000)
    other.fit(split.x_train.astype(float), split.y_train)
    W = model.parameters[0].get_value()
    ours = W - W.mean(axis=1, keepdims=True)  # softmax does not see what all classes have in common
    theirs = other.coef_.T - other.coef_.T.mean(axis=1, keepdims=True)
    assert np.abs(ours - theirs).max() < 1e-3
    assert (model.predict(split.x_test) == other.predict(split.x_test)).mean() > 0.995


@needs_sklearn
def test_images_as_rows_are_the_images() -> None:
    """What LeNet makes of rows is what its layers make of images in C order, and a short run learns."""
    split = read("digits")
    model = LeNet(epochs=4)
    model.fit(split.x_train, split.y_train, verbose=0)
    assert model.score(split.x_test, split.y_test) > 0.9
    images = split.x_test.reshape(-1, 1, 8, 8)
    np.testing.assert_array_equal(model.predict(images), model.predict(split.x_test))
    assert sum(p.get_value().size for p in model.parameters) == 6058


def test_networks_that_do_not_fit_their_images_are_refused() -> None:
    with pytest.raises(ConfigError, match="too small"):
        LeNet(filters=(4, 4, 4, 4, 4), padding="valid")
    with pytest.raises(ConfigError, match=r"image \(8, 8\)"):
        LeNet(image=(8, 8))
    with pytest.raises(ConfigError, match="is for sgd; the optimizer is adam"):
        VGG(momentum=0.9)
    assert repr(VGG()) == "VGG(1x8x8, 16-16-32-32, 64)"


def test_every_recipe_is_of_a_model_and_data_that_there_are() -> None:
    for name, r in RECIPES.items():
        assert r.model in MODELS, name
        assert r.data in SOURCES, name
        model = r.make()
        assert type(model).name == r.model
        assert (r.measure == "accuracy") == isinstance(model, Classifier), name
    assert recipe("mlp").name == "mlp-digits"
    assert recipe("mlp", "mnist").name == "mlp-mnist"
    with pytest.raises(ConfigError, match="no recipe of mlp for patches\n  recipes: mlp-digits"):
        recipe("mlp", "patches")


TOYS = [r.name for r in RECIPES.values() if r.data in ("and", "gauss", "xor", "circle", "avocado") and r.gate]


@pytest.mark.parametrize("name", TOYS)
def test_toy_recipes_reach_their_gates(name: str) -> None:
    r = RECIPES[name]
    split = read(r.data)
    model = r.make()
    model.fit(split.x_train, split.y_train, verbose=0)
    assert r.reached(model.evaluate(split.x_test, split.y_test)[r.measure])


def test_a_model_is_drawn_with_its_weights() -> None:
    svg = MLP(sizes=(3, 5, 2)).plot([["height", "squishiness", "colour"], [""] * 5, ["raw", "ripe"]])._repr_svg_()
    assert svg.startswith("<svg")
    assert svg.count("<line") == 3 * 5 + 5 * 2
    assert "squishiness" in svg
