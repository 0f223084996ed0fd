"""The variational autoencoder: its bound in parts, its gradient, and the exact likelihood above it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symdl.extras
import symdl.tensor as T
from symdl import function
from symdl.errors import ConfigError, DataError
from symdl.random import RandomStream
from symdl.zoo.variational import VariationalAutoencoder, kl_to_normal, log_bernoulli

Array = np.ndarray[Any, np.dtype[Any]]
_rng = np.random.default_rng(0)
# 120 images of 12 pixels: a stroke that begins at one of seven places
X = np.zeros((120, 12), np.float32)
for _row, _place in zip(X, _rng.integers(0, 7, 120), strict=True):
    _row[_place : _place + 5] = 1


def model(code: int = 1, **changes: Any) -> VariationalAutoencoder:
    settings: dict[str, Any] = {
        "features": 12,
        "hidden": (16,),
        "epochs": 60,
        "learning_rate": 0.01,
        "dtype": "float64",
    }
    return VariationalAutoencoder(code=code, **settings | changes)


@pytest.fixture(scope="module")
def trained() -> VariationalAutoencoder:
    found = model()
    found.fit(X, verbose=0)
    return found


def test_the_divergence_has_its_closed_form() -> None:
    mean, log_variance = T.matrix("mean", dtype="float64"), T.matrix("log_variance", dtype="float64")
    f = function([mean, log_variance], kl_to_normal(mean, log_variance))
    m, s = np.array([[0.0, 0.0], [1.5, -0.5]]), np.array([[0.0, 0.0], [-1.0, 0.7]])
    z = m[:, None] + np.exp(s[:, None] / 2) * _rng.standard_normal((2, 400_000, 2))
    log_q = -((z - m[:, None]) ** 2 / np.exp(s[:, None]) + s[:, None] + np.log(2 * np.pi)) / 2
    log_p = -(z**2 + np.log(2 * np.pi)) / 2
    sampled = (log_q - log_p).sum(axis=2)
    found = f(m, s)
    assert found[0] == 0
    assert found[1] == pytest.approx(sampled[1].mean(), abs=5 * sampled[1].std() / 632)
    # near the prior 1 + v - exp(v) cancels; v^2 / 4 is what is left
    np.testing.assert_allclose(f(np.zeros((1, 1)), np.full((1, 1), 1e-9)), [0.25e-18], rtol=1e-8)


def test_the_pixels_likelihood_at_its_ends() -> None:
    x, z = T.matrix("x", dtype="float64"), T.matrix("z", dtype="float64")
    f = function([x, z], log_bernoulli(x, T.sigmoid(z)))
    far = np.array([[800.0, -800.0]])
    assert f(np.array([[1.0, 0.0]]), far).tolist() == [0.0]
    assert f(np.array([[0.0, 1.0]]), far).tolist() == [-1600.0]


def test_the_reparameterised_gradient_is_the_score_functions_mean() -> None:
    """d/dm and d/ds of the mean over q of log p(x | z): through the draw, by the score of q, and by the integral."""
    one = model(hidden=(4,))
    draws = 40_000
    x = X[:1].astype(np.float64)
    stream = RandomStream(3)
    m, s = T.scalar("m", dtype="float64"), T.scalar("s", dtype="float64")

    def value(z: Any) -> Any:
        return log_bernoulli(T.constant(x), one.decoder(z.reshape((-1, 1))))

    z = m + T.exp(s / 2) * stream.normal((draws,), dtype="float64")
    through = T.grad(value(z).mean(), [m, s])
    fixed = T.consider_constant(z)
    log_q = -((fixed - m) ** 2 * T.exp(-s) + s) / 2
    score = T.grad((T.consider_constant(value(z)) * log_q).mean(), [m, s])
    spread = T.stack([(value(z) * (z - m)).std(), (value(z) * (z - m) ** 2).std()])
    found = function([m, s], [*through, *score, spread])(0.3, -1.0)
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)

    def expected(at: tuple[float, float]) -> float:
        grid = T.vector("grid", dtype="float64")
        values = function([grid], value(grid))(at[0] + np.exp(at[1] / 2) * nodes)
        return float(values @ weights / weights.sum())

    d = 1e-5
    exact = [
        (expected((0.3 + d, -1.0)) - expected((0.3 - d, -1.0))) / (2 * d),
        (expected((0.3, -1.0 + d)) - expected((0.3, -1.0 - d))) / (2 * d),
    ]
    errors = 5 * np.array(found[4]) * np.exp(1.0) / np.sqrt(draws)  # of the score function; the other's are smaller
    assert np.abs(np.array(found[2:4]) - exact).max() <= errors.max()
    assert np.abs(np.array(found[:2]) - exact).max() <= 0.02
    assert np.abs(exact).min() > 0.05  # not two noughts


def test_the_bound_its_parts_and_what_lies_above(trained: VariationalAutoencoder) -> None:
    """elbo <= importance-weighted bounds, growing with their samples, <= the exact log likelihood."""
    exact = trained.exact_log_likelihood(X).mean()
    elbo = np.mean([trained.importance_bound(X, 1, seed) for seed in range(60)])
    few = np.mean([trained.importance_bound(X, 4, seed) for seed in range(30)])
    many = trained.importance_bound(X, 1000).mean()
    assert elbo < few < many <= exact + 0.005
    assert many == pytest.approx(exact, abs=0.02)
    measures = trained.evaluate(X)
    assert measures["elbo"] == pytest.approx(elbo, abs=0.15)
    assert measures == trained.evaluate(X)  # the same draw each time
    h = function(
        [trained.x], [trained.mean(trained.encoder(trained.x)), trained.log_variance(trained.encoder(trained.x))]
    )
    m, s = h(X.astype(np.float64))
    assert measures["kl"] == pytest.approx(((m**2 + np.exp(s) - 1 - s) / 2).sum(axis=1).mean(), rel=1e-12)


@pytest.mark.parametrize("code", [1, 2])
def test_exact_likelihoods_add_up_to_one(code: int) -> None:
    """Over all 2^6 images of 6 pixels."""
    one = model(code, features=6, hidden=(5,), epochs=1)
    images = (np.arange(64)[:, None] >> np.arange(6) & 1).astype(np.float64)
    one.fit(images, verbose=0)
    assert np.exp(one.exact_log_likelihood(images)).sum() == pytest.approx(1, abs=1e-9)


def test_training_makes_the_bound_larger(trained: VariationalAutoencoder) -> None:
    independent = X.mean(axis=0).clip(1e-3, 1 - 1e-3)
    baseline = (X * np.log(independent) + (1 - X) * np.log(1 - independent)).sum(axis=1).mean()
    assert trained.evaluate(X)["elbo"] > baseline + 2
    losses = trained.trainer.history.history["loss"]
    assert losses[-1] < losses[0] - 2


def test_codes_images_and_samples(trained: VariationalAutoencoder) -> None:
    codes = trained.transform(X)
    assert codes.shape == (120, 1)
    np.testing.assert_allclose(trained.inverse_transform(codes), trained.reconstruct(X), rtol=1e-12)
    samples = trained.sample(50, seed=1)
    assert samples.shape == (50, 12)
    assert samples.min() >= 0
    assert samples.max() <= 1
    assert np.array_equal(samples, trained.sample(50, seed=1))


@pytest.mark.skipif(not symdl.extras.installed("safetensors"), reason="weights files need safetensors")
def test_a_file_brings_it_back(trained: VariationalAutoencoder, tmp_path: Path) -> None:
    trained.save(tmp_path / "vae.safetensors")
    again = VariationalAutoencoder.load(tmp_path / "vae.safetensors")
    assert again.evaluate(X) == trained.evaluate(X)


def test_what_is_refused(trained: VariationalAutoencoder) -> None:
    with pytest.raises(DataError, match="a probability is in 0"):
        model(epochs=1).fit(2 * X, verbose=0)
    with pytest.raises(ConfigError, match="at least 1"):
        model(0)
    with pytest.raises(ConfigError, match="3 axes"):
        model(3).exact_log_likelihood(X)
