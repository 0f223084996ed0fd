"""The Gabor fitter: what it finds in filters that are Gabor functions, near them, or none."""

from __future__ import annotations

import numpy as np
import pytest

from symdl.datasets import patches
from symdl.errors import ShapeError
from symdl.extras import installed
from symdl.zoo.gabor import Gabor, _gabor, _slopes, fit_gabor, gabor_r2
from symdl.zoo.sparse import SparseAutoencoder

Y, X = np.mgrid[:10, :10]


@pytest.mark.parametrize("seed", range(6))
def test_a_gabor_function_is_found_again(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, x = rng.uniform(3, 6, 2)
    true = Gabor(y, x, rng.uniform(-1.5, 1.5), rng.uniform(0.2, 0.35), rng.uniform(-3, 3), 1.8, 2.0, 1.7, 1.0)
    w = true.image(10, 10)
    assert abs(w.mean()) < 0.02  # else the filter less its mean is no longer quite one
    found = fit_gabor(w)
    assert found.r2 > 0.99
    np.testing.assert_allclose(found.image(10, 10), w - w.mean(), atol=0.1 * np.abs(w).max())
    assert found.frequency == pytest.approx(true.frequency, abs=0.01)


def test_noise_is_no_edge() -> None:
    r2 = gabor_r2(np.random.default_rng(0).standard_normal((12, 100)))
    assert (r2 < 0.5).all()
    assert (r2 > 0).all()


def test_a_constant_filter_has_none() -> None:
    assert fit_gabor(np.ones((10, 10))).r2 == 0


def test_scale_does_not_matter() -> None:
    w = np.random.default_rng(1).standard_normal((10, 10)) + 5 * Gabor(5, 4, 0.3, 0.2, 0, 2, 2, 1, 1).image(10, 10)
    assert fit_gabor(w).r2 == pytest.approx(fit_gabor(1000 * w).r2, abs=1e-3)


def test_the_slopes_are_the_derivatives() -> None:
    p, d = np.array([4.2, 5.1, 0.4, 0.2, 0.3, 2.1, 2.9, 1.3]), 1e-6
    differences = [(_gabor(p + d * e, Y, X) - _gabor(p - d * e, Y, X)).ravel() / (2 * d) for e in np.eye(8)]
    np.testing.assert_allclose(_slopes(Y, X)(p), np.stack(differences, axis=1), atol=1e-8)


def test_what_is_refused() -> None:
    with pytest.raises(ShapeError, match="at least 3 by 3"):
        fit_gabor(np.zeros((2, 9)))
    with pytest.raises(ShapeError, match="no square images"):
        gabor_r2(np.zeros((3, 12)))


@pytest.mark.skipif(not (installed("sklearn") and installed("PIL")), reason="the photographs need symdl[zoo]")
def test_units_of_a_sparse_autoencoder_become_edges() -> None:
    """Small: 25 units on patches of 8 by 8; random weights are none."""
    model = SparseAutoencoder(sizes=(64, 25), epochs=80)
    assert (gabor_r2(model.filters) > 0.5).mean() <= 0.1
    model.fit(patches(1500, 8), verbose=0)
    assert (gabor_r2(model.filters) > 0.5).mean() >= 0.8


@pytest.mark.slow
@pytest.mark.skipif(not (installed("sklearn") and installed("PIL")), reason="the photographs need symdl[zoo]")
def test_the_fast_run_reaches_its_gate() -> None:
    model = SparseAutoencoder(epochs=120)
    model.fit(patches(5000), verbose=0)
    measures = model.evaluate(patches(500, seed=1))
    assert measures["edges"] >= 0.85
    assert measures["active"] == pytest.approx(0.0103, abs=0.002)
