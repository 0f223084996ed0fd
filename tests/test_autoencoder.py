"""Autoencoders: the plain one against principal components, and what denoising, contraction and sparsity mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symdl.extras
import symdl.tensor as T
from symdl import function
from symdl.errors import ConfigError, ShapeError
from symdl.nn import minimize
from symdl.nn.full_batch import evaluation, packed
from symdl.nn.layers import Dense
from symdl.random import RandomStream
from symdl.zoo.autoencoder import Autoencoder, AutoencoderConfig
from symdl.zoo.contractive import ContractiveAutoencoder, jacobian_norm
from symdl.zoo.denoising import CORRUPTIONS, DenoisingAutoencoder, corrupted
from symdl.zoo.sparse import SparseAutoencoder, divergence

Array = np.ndarray[Any, np.dtype[Any]]
_rng = np.random.default_rng(0)
# 200 images of 16 pixels that three hidden causes make, in 0..1
CAUSES = _rng.random((200, 3))
X = 1 / (1 + np.exp(-(CAUSES @ _rng.normal(0, 2, (3, 16)) + 0.3 * _rng.standard_normal((200, 16)))))


def principal(x: Array, k: int) -> float:
    """The mean squared error a feature of the best linear code of k numbers."""
    centred = x - x.mean(axis=0)
    return float((np.linalg.svd(centred, compute_uv=False)[k:] ** 2).sum() / x.size)


# ---- plain ----


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("k", [1, 3])
def test_a_linear_autoencoder_finds_the_principal_components(k: int, tied: bool) -> None:
    model = Autoencoder(
        sizes=(16, k), activation="linear", output="linear", tied=tied, solver="l-bfgs", epochs=400, dtype="float64"
    )
    model.fit(X, verbose=0)
    best = principal(X, k)
    assert best <= model.evaluate(X)["mse"] <= 1.001 * best
    directions = np.linalg.svd(X - X.mean(axis=0))[2][:k]
    spanned = np.linalg.qr(model.filters.T)[0].T
    np.testing.assert_allclose(np.linalg.svd(spanned @ directions.T, compute_uv=False), 1, atol=0.01 if tied else 0.05)


def test_deep_and_tied_layers_mirror_each_other() -> None:
    model = Autoencoder(sizes=(16, 8, 3), tied=True, epochs=2)
    assert [p.name for p in model.parameters] == [
        "encoder0.W", "encoder0.b", "encoder1.W", "encoder1.b", "decoder1.b", "decoder0.b",
    ]  # fmt: skip
    before = [p.get_value() for p in model.parameters]
    model.fit(X, verbose=0)
    assert not any(np.array_equal(a, p.get_value()) for a, p in zip(before, model.parameters, strict=True))
    codes = model.transform(X)
    W0, b0, W1, b1, c1, c0 = (p.get_value() for p in model.parameters)

    def sigmoid(z: Array) -> Array:
        return 1 / (1 + np.exp(-z))

    np.testing.assert_allclose(codes, sigmoid(sigmoid(X @ W0 + b0) @ W1 + b1), rtol=1e-5)
    again = sigmoid(sigmoid(codes @ W1.T + c1) @ W0.T + c0)
    np.testing.assert_allclose(model.reconstruct(X), again, rtol=1e-5)
    np.testing.assert_allclose(model.inverse_transform(codes), again, rtol=1e-5)
    assert model.filters.shape == (8, 16)


def test_fit_repeats_itself_and_learns() -> None:
    model = Autoencoder(sizes=(16, 8), epochs=30, learning_rate=0.01)
    first = model.fit(X, validation=0.2, verbose=0)
    filters = model.filters
    second = model.fit(X, validation=0.2, verbose=0)
    assert np.array_equal(filters, model.filters)
    assert first.history["val_loss"] == second.history["val_loss"]
    assert model.evaluate(X)["mse"] < 0.7 * X.var(axis=0).mean()


@pytest.mark.skipif(not symdl.extras.installed("safetensors"), reason="weights files need safetensors")
@pytest.mark.parametrize("kind", [Autoencoder, DenoisingAutoencoder, ContractiveAutoencoder, SparseAutoencoder])
def test_a_file_brings_the_model_back(kind: type[Autoencoder], tmp_path: Path) -> None:
    model = kind(sizes=(16, 4), epochs=2)
    model.fit(X, verbose=0)
    model.save(tmp_path / "model.safetensors")
    again = kind.load(tmp_path / "model.safetensors")
    assert again.config == model.config
    assert np.array_equal(again.transform(X), model.transform(X))


def test_what_is_refused() -> None:
    with pytest.raises(ConfigError, match="sizes"):
        Autoencoder(sizes=(16,))
    with pytest.raises(ConfigError, match="neither batches nor l-bfgs"):
        AutoencoderConfig(solver="newton")
    model = Autoencoder(sizes=(16, 4), epochs=1)
    with pytest.raises(ShapeError, match="15 features of x meet 16 inputs"):
        model.fit(X[:, :15], verbose=0)
    model.fit(X, verbose=0)
    with pytest.raises(ShapeError, match=r"codes of shape \(3, 5\)"):
        model.inverse_transform(np.zeros((3, 5)))
    with pytest.raises(ConfigError, match="corruption of 1"):
        DenoisingAutoencoder(corruption=1.0)
    with pytest.raises(ConfigError, match="kind 'snow'"):
        DenoisingAutoencoder(kind="snow")
    with pytest.raises(ConfigError, match="of two numbers"):
        ContractiveAutoencoder(sizes=(16, 8, 4))
    with pytest.raises(ConfigError, match="rho 0"):
        SparseAutoencoder(rho=0.0)


# ---- denoising ----


def noisy(kind: str, amount: float, n: int) -> Array:
    """n rows of corrupted halves."""
    x = T.matrix("x", dtype="float64")
    f = function([x], corrupted(x, RandomStream(5), amount, kind))
    found: Array = f(np.full((n, 16), 0.5))
    return found


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_what_corruption_does_on_average(kind: str) -> None:
    found = noisy(kind, 0.3, 2000)
    mean = {"masking": 0.35, "gaussian": 0.5, "salt and pepper": 0.5}[kind]
    second = {"masking": 0.7 * 0.25, "gaussian": 0.25 + 0.09, "salt and pepper": 0.7 * 0.25 + 0.15}[kind]
    error = 5 * np.sqrt(found.var() / found.size)
    assert found.mean() == pytest.approx(mean, abs=error)
    assert (found**2).mean() == pytest.approx(second, abs=5 * np.sqrt((found**2).var() / found.size))
    assert np.array_equal(found, noisy(kind, 0.3, 2000))  # a fixed stream
    if kind == "masking":
        assert set(np.unique(found)) == {0, 0.5}


def test_noise_is_in_training_only() -> None:
    model = DenoisingAutoencoder(sizes=(16, 8), corruption=0.5, epochs=60, dtype="float64")
    model.fit(X, verbose=0)
    assert np.array_equal(model.reconstruct(X), model.reconstruct(X))
    clean = model.trainer.evaluate(X)["loss"]
    z = model.reconstruct(X)
    assert clean == pytest.approx(-(X * np.log(z) + (1 - X) * np.log(1 - z)).mean(), rel=1e-12)
    step = function([model.x], model.trainer.objective.measures["loss"].mean())
    first, second = float(step(X)), float(step(X))
    assert first != second
    assert min(first, second) > clean


def test_it_repairs_better_than_a_plain_one() -> None:
    common: dict[str, Any] = {"sizes": (16, 12), "tied": True, "epochs": 150, "learning_rate": 0.02, "dtype": "float64"}
    plain = Autoencoder(loss="binary_crossentropy", **common)
    denoising = DenoisingAutoencoder(corruption=0.3, **common)
    train, held_out = X[:150], X[150:]
    for model in (plain, denoising):
        model.fit(train, verbose=0)
    lost = np.where(np.random.default_rng(3).random(held_out.shape) < 0.3, 0, held_out)
    errors = [((model.reconstruct(lost) - held_out) ** 2).mean() for model in (plain, denoising)]
    assert errors[1] < 0.8 * errors[0]


# ---- contractive ----


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "softplus", "linear"])
def test_the_jacobian_norm_is_that_of_the_jacobian(activation: str) -> None:
    layer = Dense(5, activation, rng=1, dtype="float64")
    x = T.tensor("x", dtype="float64", shape=(None, 4))
    h = layer(x)
    layer.b.set_value(np.linspace(-1, 1, 5))
    value = np.random.default_rng(2).standard_normal((3, 4))
    closed = function([x], jacobian_norm(layer, x))(value)
    if activation == "sigmoid":
        written = T.dot((h * (1 - h)) ** 2, (layer.W**2).sum(axis=0))
        np.testing.assert_allclose(function([x], written)(value), closed, rtol=1e-12)
    row = T.vector("row", dtype="float64")
    jacobian = function([row], T.jacobian(layer(row.reshape((1, 4)))[0], row))
    exact = np.array([(jacobian(one) ** 2).sum() for one in value])
    np.testing.assert_allclose(closed, exact, rtol=1e-10)
    encode, d = function([x], h), 1e-6
    differences = [(encode(value + d * e) - encode(value - d * e)) / (2 * d) for e in np.eye(4)]
    np.testing.assert_allclose(closed, (np.array(differences) ** 2).sum(axis=(0, 2)), atol=1e-8)


def test_contraction_makes_the_code_flatter() -> None:
    def flatness(contraction: float) -> float:
        model = ContractiveAutoencoder(sizes=(16, 8), contraction=contraction, epochs=40, learning_rate=0.01)
        history = model.fit(X, verbose=0)
        return history.history["contraction"][-1]

    assert flatness(0.3) < 0.3 * flatness(0.0)


# ---- sparse ----


def test_the_cost_and_gradient_are_the_textbooks() -> None:
    """Written out in NumPy with the gradient by hand (the form of Ng's notes, 2011)."""
    model = SparseAutoencoder(sizes=(16, 6), rho=0.05, beta=2.0, l2=0.01)
    theta = packed(model.parameters) + 0.1
    gradient, cost, *_ = evaluation(model.trainer.objective)(theta, X)
    (W1, b1), (W2, b2) = (theta[:96].reshape(16, 6), theta[96:102]), (theta[102:198].reshape(6, 16), theta[198:])
    n, rho, beta, decay = len(X), 0.05, 2.0, 0.02
    a = 1 / (1 + np.exp(-(X @ W1 + b1)))
    y = 1 / (1 + np.exp(-(a @ W2 + b2)))
    mean, difference = a.mean(axis=0), y - X
    kl = rho * np.log(rho / mean) + (1 - rho) * np.log((1 - rho) / (1 - mean))
    expected = (difference**2).sum() / (2 * n) + decay / 2 * ((W1**2).sum() + (W2**2).sum()) + beta * kl.sum()
    delta2 = difference * y * (1 - y)
    delta1 = (delta2 @ W2.T + beta * (-rho / mean + (1 - rho) / (1 - mean))) * a * (1 - a)
    parts = [X.T @ delta1 / n + decay * W1, delta1.mean(axis=0), a.T @ delta2 / n + decay * W2, delta2.mean(axis=0)]
    assert cost == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(gradient, np.concatenate([p.ravel() for p in parts]), rtol=1e-10, atol=1e-13)


def test_divergence_is_zero_where_they_agree() -> None:
    mean = T.vector("mean", dtype="float64")
    f = function([mean], divergence(0.2, mean))
    values = f(np.array([0.2, 0.1, 0.4]))
    assert values[0] == pytest.approx(0, abs=1e-16)
    assert (values[1:] > 0).all()


def test_units_are_as_rarely_active_as_they_should_be() -> None:
    model = SparseAutoencoder(sizes=(16, 12), rho=0.1, epochs=60)
    history = model.fit(X, verbose=0)
    measures = model.evaluate(X)
    assert measures["active"] == pytest.approx(0.1, abs=0.02)
    assert list(measures) == ["edges", "mse", "loss", "active"]
    assert history.history["active"][-1] == pytest.approx(measures["active"], rel=1e-12)
    free = SparseAutoencoder(sizes=(16, 12), beta=0.0, epochs=60)
    free.fit(X, verbose=0)
    assert free.evaluate(X)["active"] > 0.3


def test_minimize_takes_up_the_model() -> None:
    """The objective of a model is an Objective like any other."""
    model = Autoencoder(sizes=(16, 4), dtype="float64")
    history = minimize(model.trainer, X, method="CG", max_iterations=10, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
