"""Deep belief networks: the bound against enumeration, pretraining that never harms it, fine-tuning, few labels."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logsumexp

import symdl.extras
import symdl.tensor as T
from symdl.datasets import bars_and_stripes, digits_split
from symdl.errors import ConfigError, DataError
from symdl.functions import function
from symdl.nn.weights import values
from symdl.runtime.storage import SharedVariable
from symdl.zoo.belief import variational_bound
from symdl.zoo.dbn import DBN
from symdl.zoo.likelihood import states

Array = np.ndarray[Any, np.dtype[Any]]
needs_sklearn = pytest.mark.skipif(
    not symdl.extras.installed("sklearn"), reason="the digits come with scikit-learn: pip install symdl[zoo]"
)
needs_safetensors = pytest.mark.skipif(
    not symdl.extras.installed("safetensors"), reason="weights files need safetensors: pip install symdl[zoo]"
)
PATTERNS, _ = bars_and_stripes(4)
FEWER = 1 if symdl.config.device == "cpu" else 10  # as often: the emulated GPU takes a second for a step
LABELS = (np.arange(len(PATTERNS)) >= 16).astype("int64")  # rows, or columns


@pytest.fixture(scope="module")
def pretrained() -> DBN:
    """16 pixels, 6 + 6 hidden units."""
    dbn = DBN(sizes=(16, 6, 6, 2), pretraining_epochs=200 // FEWER, pretraining_batch=10, dtype="float64")
    dbn.pretrain(PATTERNS, verbose=0)
    return dbn


def by_hand(dbn: DBN, v: Array) -> tuple[Array, Array]:
    """The bound and log p(v), by NumPy and all 64 states of the first hidden layer."""
    W1, b1, c1 = (np.asarray(p, np.float64) for p in dbn.machines[0].parameters)
    W2, b2, c2 = (np.asarray(p, np.float64) for p in dbn.machines[1].parameters)
    h = ((np.arange(64)[:, None] >> np.arange(6)) & 1).astype(float)
    log_prior = h @ b2 + np.logaddexp(0, h @ W2 + c2).sum(axis=1)
    log_prior -= logsumexp(log_prior)
    u = h @ W1.T + b1
    joint = v @ u.T - np.logaddexp(0, u).sum(axis=1) + log_prior
    q = expit(v @ W1 + c1)[:, None, :]
    log_q = (h * np.log(q) + (1 - h) * np.log1p(-q)).sum(axis=2)
    return (np.exp(log_q) * (joint - log_q)).sum(axis=1), logsumexp(joint, axis=1)


def test_the_bound_and_the_likelihood_are_those_of_enumeration(pretrained: DBN) -> None:
    bound, exact = by_hand(pretrained, PATTERNS.astype(float))
    np.testing.assert_allclose(pretrained.bound(PATTERNS), bound, atol=1e-9)
    np.testing.assert_allclose(pretrained.log_likelihood(PATTERNS), exact, atol=1e-9)
    assert (bound <= exact).all()
    assert (exact - bound).max() > 1e-3  # so that the line above can fail


def test_the_probabilities_of_all_images_sum_to_one(pretrained: DBN) -> None:
    images = ((np.arange(1 << 16)[:, None] >> np.arange(16)) & 1).astype(float)
    assert logsumexp(pretrained.log_likelihood(images)) == pytest.approx(0, abs=1e-9)


def test_estimates_of_the_bound_have_it_as_their_mean(pretrained: DBN) -> None:
    log_z = pretrained.machines[-1].log_partition()
    draws = np.array([pretrained._sampled(PATTERNS, log_z) for _ in range(400)])
    error = draws.std(axis=0) / 20
    assert (np.abs(draws.mean(axis=0) - pretrained.bound(PATTERNS)) < 5 * error + 1e-9).all()


def tied() -> DBN:
    """Two machines, the upper one the lower upside down: together they are the lower one."""
    dbn = DBN(sizes=(16, 6, 16, 2), pretraining_epochs=300, pretraining_batch=15, dtype="float64")
    lower, upper = dbn.machines
    lower.fit(PATTERNS, verbose=0)
    upper.W.set_value(lower.W.get_value().T)
    upper.visible_bias.set_value(lower.hidden_bias.get_value())
    upper.hidden_bias.set_value(lower.visible_bias.get_value())
    dbn.seen(PATTERNS)
    return dbn


def test_a_greedy_step_never_lowers_the_bound_that_starts_tied() -> None:
    """Steps along the exact gradient of the upper machine, each of which raises E_q[log p(h)], raise the bound; at the start
    it is the likelihood of the lower machine alone (Hinton, Osindero and Teh, 2006, section 4)."""
    dbn = tied()
    lower, upper = dbn.machines
    alone = lower.log_likelihood(PATTERNS)
    np.testing.assert_allclose(dbn.bound(PATTERNS), alone, atol=1e-9)
    np.testing.assert_allclose(dbn.log_likelihood(PATTERNS), alone, atol=1e-9)
    v: Any = T.constant(PATTERNS.astype(float))
    log_z = T.logsumexp(-upper.machine.free_energy(states(0, 64, 6)))
    bound = variational_bound([lower.machine, upper.machine], v, log_z).mean()
    parameters: Sequence[SharedVariable] = upper.parameters
    gradients = T.grad(bound, list(parameters))
    step = function([], bound, updates=[(p, p + 0.2 * g) for p, g in zip(parameters, gradients, strict=True)])
    path = np.array([step() for _ in range(200)])
    assert path[0] == pytest.approx(alone.mean(), abs=1e-9)
    assert (np.diff(path) > 0).all()
    assert path[-1] > path[0] + 0.01
    assert dbn.log_likelihood(PATTERNS).mean() >= dbn.bound(PATTERNS).mean() > alone.mean()


def test_contrastive_divergence_of_the_upper_machine_raises_the_bound_too() -> None:
    dbn = tied()
    before = dbn.bound(PATTERNS).mean()
    lower, upper = dbn.machines
    codes = lower.transform(PATTERNS)
    upper.trainer.learning_rate.set_value(0.02)
    for _ in range(300 // FEWER):
        upper.partial_fit(codes)
    assert dbn.bound(PATTERNS).mean() > before


@pytest.fixture(scope="module")
def fitted() -> DBN:
    dbn = DBN(sizes=(16, 8, 6, 2), pretraining_epochs=20, epochs=3)
    dbn.fit(PATTERNS, LABELS, verbose=0)
    return dbn


def test_fine_tuning_begins_with_the_machines_and_leaves_them_as_they_are(fitted: DBN) -> None:
    machines = values(p for m in fitted.machines for p in m.parameters)
    resting = DBN(sizes=(16, 8, 6, 2), pretraining_epochs=20, epochs=1, learning_rate=0.0)
    resting.fit(PATTERNS, LABELS, verbose=0)
    for dbn, moved in ((fitted, True), (resting, False)):
        for layer, machine in zip(dbn.model.layers, dbn.machines, strict=False):
            assert (layer.parameters[0].get_value() != machine.W.get_value()).any() == moved
            assert (layer.parameters[1].get_value() != machine.hidden_bias.get_value()).any() == moved
    for name, value in values(p for m in resting.machines for p in m.parameters).items():
        np.testing.assert_array_equal(value, machines[name])
    assert [len(h.records) for h in fitted.pretraining] == [20, 20]
    assert fitted.transform(PATTERNS).shape == (30, 6)


def test_frozen_layers_stay_as_they_were_pretrained() -> None:
    dbn = DBN(sizes=(16, 8, 6, 2), pretraining_epochs=20, epochs=3, frozen=True)
    dbn.fit(PATTERNS, LABELS, verbose=0)
    for layer, machine in zip(dbn.model.layers, dbn.machines, strict=False):
        np.testing.assert_array_equal(layer.parameters[0].get_value(), machine.W.get_value())
        np.testing.assert_array_equal(layer.parameters[1].get_value(), machine.hidden_bias.get_value())
    by_machines = dbn.machines[1].transform(dbn.machines[0].transform(PATTERNS))
    np.testing.assert_allclose(dbn.transform(PATTERNS), by_machines, atol=1e-6)


def test_rows_without_a_label_are_pretrained_on_only() -> None:
    y = np.where(np.arange(30) % 3 == 0, LABELS, -1)
    some = DBN(sizes=(16, 8, 6, 2), pretraining_epochs=5, epochs=2)
    history = some.fit(PATTERNS, y, verbose=0)
    by_steps = DBN(sizes=(16, 8, 6, 2), pretraining_epochs=5, epochs=2)
    by_steps.pretrain(PATTERNS, verbose=0)
    by_steps.fine_tune(PATTERNS[y >= 0], y[y >= 0], verbose=0)
    assert len(history.records) == 2
    for name, value in values(some.parameters).items():
        np.testing.assert_array_equal(value, values(by_steps.parameters)[name])


def test_samples_have_the_probabilities_of_the_network() -> None:
    """30,000 samples of a random network, 20 Gibbs steps each: their frequencies are p(v), within 5 standard errors."""
    dbn = DBN(sizes=(4, 3, 3, 2), dtype="float64")
    rng = np.random.default_rng(0)
    for machine in dbn.machines:
        for parameter in machine.parameters:
            parameter.set_value(rng.standard_normal(parameter.get_value().shape))
    dbn.range = (0.0, 1.0)
    images = ((np.arange(16)[:, None] >> np.arange(4)) & 1).astype(float)
    p = np.exp(dbn.log_likelihood(images))
    drawn = dbn.sample(30_000 // FEWER, 20)
    counts = np.bincount((drawn @ [1, 2, 4, 8]).astype(int), minlength=16) / len(drawn)
    assert (np.abs(counts - p) < 5 * np.sqrt(p * (1 - p) / len(drawn))).all()
    assert np.abs(p - 1 / 16).max() > 0.05  # so that the line above can fail
    means = dbn.sample(5, 10, means=True)
    assert ((means > 0) & (means < 1)).all()
    assert DBN(sizes=(4, 3, 2)).sample(3, 2).shape == (3, 4)


@needs_sklearn
def test_it_learns_the_digits() -> None:
    """One seed, smaller and shorter than the recipe."""
    split = digits_split(0)
    dbn = DBN(sizes=(64, 128, 10), pretraining_epochs=10, epochs=15, learning_rate=0.003)
    dbn.fit(split.x_train, split.y_train, verbose=0)
    assert dbn.score(split.x_test, split.y_test) >= 0.95


def test_two_fits_of_one_seed_are_the_same_bits() -> None:
    dbn = DBN(sizes=(16, 8, 6, 2), pretraining_epochs=3, epochs=3)
    dbn.fit(PATTERNS, LABELS, verbose=0)
    first, drawn = values(dbn.parameters), dbn.sample(2, 5)
    dbn.fit(PATTERNS, LABELS, verbose=0)
    for name, value in values(dbn.parameters).items():
        np.testing.assert_array_equal(value, first[name])
    np.testing.assert_array_equal(dbn.sample(2, 5), drawn)


@needs_safetensors
def test_weights_survive_a_file_and_a_pickle(tmp_path: Path, fitted: DBN) -> None:
    fitted.save(tmp_path / "weights.safetensors")
    again = DBN.load(tmp_path / "weights.safetensors")
    np.testing.assert_array_equal(again.predict_proba(PATTERNS), fitted.predict_proba(PATTERNS))
    np.testing.assert_array_equal(again.bound(PATTERNS), fitted.bound(PATTERNS))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(PATTERNS), fitted.predict(PATTERNS))


def test_what_does_not_fit_is_said(pretrained: DBN) -> None:
    with pytest.raises(ConfigError, match=r"not \(features, hidden, \.\.\., classes\)"):
        DBN(sizes=(4, 2))
    with pytest.raises(ConfigError, match="pretraining_epochs -1"):
        DBN(pretraining_epochs=-1)
    with pytest.raises(DataError, match="take 0 to 1"):
        pretrained.pretrain(PATTERNS * 2)
    with pytest.raises(DataError, match="y is nothing"):
        DBN(sizes=(16, 3, 2)).fit(PATTERNS)
    with pytest.raises(ConfigError, match="more than 12 units"):
        DBN(sizes=(16, 13, 3, 2)).log_likelihood(PATTERNS)
