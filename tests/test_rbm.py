"""Boltzmann machines: formulas against enumeration, gradients against the hand-written statistic, log Z three ways."""

from __future__ import annotations

import itertools
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logsumexp

import symdl.extras
import symdl.tensor as T
from symdl.datasets import binary_digits
from symdl.errors import ConfigError, DataError, ShapeError
from symdl.functions import function
from symdl.graph.expr import Expr
from symdl.nn.weights import values
from symdl.random import RandomStream
from symdl.runtime.storage import shared
from symdl.zoo.boltzmann import GaussianMachine, Machine, pseudo_likelihood, pseudo_likelihood_of
from symdl.zoo.gaussian_rbm import GaussianRBM
from symdl.zoo.likelihood import Annealed, LogPartition
from symdl.zoo.rbm import RBM

Array = np.ndarray[Any, np.dtype[Any]]
needs_sklearn = pytest.mark.skipif(
    not symdl.extras.installed("sklearn"), reason="the digits come with scikit-learn: pip install symdl[zoo]"
)
needs_safetensors = pytest.mark.skipif(
    not symdl.extras.installed("safetensors"), reason="weights files need safetensors: pip install symdl[zoo]"
)
FEWER = 1 if symdl.config.device == "cpu" else 10  # as many samples: the emulated GPU takes minutes for all
VISIBLE, HIDDEN = 5, 4


def every_state(bits: int) -> Array:
    return np.array(list(itertools.product([0.0, 1.0], repeat=bits)))


def machine(seed: int = 0, gaussian: bool = False) -> Machine:
    rng = np.random.default_rng(seed)
    W, b, c = (shared(rng.standard_normal(shape)) for shape in ((VISIBLE, HIDDEN), VISIBLE, HIDDEN))
    return GaussianMachine(W, b, c, shared(0.5 * rng.standard_normal(VISIBLE))) if gaussian else Machine(W, b, c)


def numbers(machine: Machine) -> list[Array]:
    return [np.asarray(getattr(machine, name)) for name in machine.__dataclass_fields__]


def of(graph: Any, *arrays: Array) -> Array:
    """graph(variables) at these arrays."""
    variables = [T.tensor(dtype=str(a.dtype), shape=(None,) * a.ndim) for a in arrays]
    result: Array = function(variables, graph(*variables))(*arrays)
    return result


def visible_states(gaussian: bool) -> Array:
    return np.random.default_rng(1).standard_normal((9, VISIBLE)) if gaussian else every_state(VISIBLE)


@pytest.mark.parametrize("gaussian", [False, True])
def test_the_free_energy_is_the_log_of_the_sum_over_all_hidden_states(gaussian: bool) -> None:
    m, v, h = machine(gaussian=gaussian), visible_states(gaussian), every_state(HIDDEN)
    energies = np.array([of(m.energy, v, np.tile(one, (len(v), 1))) for one in h])  # [hidden states, v]
    np.testing.assert_allclose(of(m.free_energy, v), -logsumexp(-energies, axis=0), rtol=0, atol=1e-10)


@pytest.mark.parametrize("gaussian", [False, True])
def test_energies_are_those_of_the_textbook(gaussian: bool) -> None:
    m, v = machine(gaussian=gaussian), visible_states(gaussian)
    h = every_state(HIDDEN)[np.arange(len(v)) % 2**HIDDEN]
    W, b, c, *rest = numbers(m)
    if gaussian:
        s = np.exp(rest[0])
        wanted = ((v - b) ** 2 / (2 * s**2)).sum(1) - h @ c - np.einsum("ni,ij,nj->n", v / s, W, h)
    else:
        wanted = -(v @ b) - h @ c - np.einsum("ni,ij,nj->n", v, W, h)
    np.testing.assert_allclose(of(m.energy, v, h), wanted, atol=1e-12)


def test_the_free_energy_of_hidden_states_is_the_sum_over_all_visible_ones() -> None:
    m, v, h = machine(), every_state(VISIBLE), every_state(HIDDEN)
    energies = np.array([of(m.energy, np.tile(one, (len(h), 1)), h) for one in v])
    np.testing.assert_allclose(of(m.hidden_free_energy, h), -logsumexp(-energies, axis=0), rtol=0, atol=1e-10)


def test_means_are_the_conditional_probabilities() -> None:
    m, v, h = machine(), every_state(VISIBLE), every_state(HIDDEN)
    joint = np.exp([-of(m.energy, v, np.tile(one, (len(v), 1))) for one in h])  # [h, v]
    np.testing.assert_allclose(of(m.hidden_means, v), (joint.T @ h) / joint.sum(axis=0)[:, None], atol=1e-12)
    np.testing.assert_allclose(of(m.visible_means, h), (joint @ v) / joint.sum(axis=1)[:, None], atol=1e-12)


def test_log_z_is_the_same_from_either_side_and_by_all_states() -> None:
    m = machine()
    everything = logsumexp(-of(m.free_energy, every_state(VISIBLE)))
    assert LogPartition(m)() == pytest.approx(everything, abs=1e-12)  # hidden is the smaller side
    flipped = Machine(m.W.T, m.hidden_bias, m.visible_bias)
    assert LogPartition(flipped)() == pytest.approx(everything, abs=1e-12)


def test_log_z_of_gaussian_units_is_a_sum_of_gaussians() -> None:
    m = machine(gaussian=True)
    W, b, c, log_s = numbers(m)
    s, h = np.exp(log_s), every_state(HIDDEN)
    means = b + s * (h @ W.T)
    volumes = h @ c + ((means**2 - b**2) / (2 * s**2)).sum(axis=1) + (log_s + np.log(2 * np.pi) / 2).sum()
    log_z = LogPartition(m)()
    assert log_z == pytest.approx(logsumexp(volumes), abs=1e-12)
    v = visible_states(True)
    mixture = volumes[:, None] - (((v - means[:, None]) / s) ** 2 / 2 + log_s + np.log(2 * np.pi) / 2).sum(axis=2)
    np.testing.assert_allclose(-of(m.free_energy, v) - log_z, logsumexp(mixture, axis=0) - log_z, atol=1e-12)


def test_too_many_states_are_refused() -> None:
    with pytest.raises(ConfigError, match="too many to sum"):
        RBM(sizes=(40, 30)).log_partition()


def test_the_pseudo_likelihood_is_the_sum_over_all_flips_and_the_mean_over_single_ones() -> None:
    rng = np.random.default_rng(2)
    W, b, c = rng.standard_normal((64, 7)), rng.standard_normal(64), rng.standard_normal(7)
    m = Machine(shared(W), shared(b), shared(c))
    v = (rng.random((6, 64)) < 0.5).astype(float)

    def free(v: Array) -> Array:
        result: Array = -(v @ b) - np.logaddexp(0, v @ W + c).sum(axis=1)
        return result

    flips = [np.where(np.arange(64) == i, 1 - v, v) for i in range(64)]
    wanted = sum(-np.logaddexp(0, free(v) - free(flip)) for flip in flips)
    exact = of(lambda v: pseudo_likelihood(m, v), v)
    np.testing.assert_allclose(exact, wanted, rtol=1e-12)
    i = T.scalar("i", dtype="int64")
    x = T.tensor("v", dtype="float64", shape=(None, 64))
    one = function([x, i], pseudo_likelihood_of(m, x, i))
    np.testing.assert_allclose(np.mean([one(v, k) for k in range(64)], axis=0), exact, rtol=1e-12)


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("steps", [1, 3])
def test_the_gradient_of_the_objective_is_the_statistic_of_the_textbook(persistent: bool, steps: int) -> None:
    """The samples come out of the same graph, so that the statistic can be written by hand."""
    rbm = RBM(
        sizes=(6, 4), steps=steps, persistent=persistent, dtype="float64", spread=1.0, weight_decay=0.1, batch_size=8
    )
    o = rbm.objective
    outputs = [*o.gradients(), *o.consider_constant, *[new for _, new in o.updates]]
    W, _, c = (p.get_value() for p in rbm.parameters)
    x = (np.random.default_rng(0).random((8, 6)) < 0.4).astype(float)
    found = function([rbm.v], outputs)(x)
    sample = found[3]
    assert set(np.unique(sample)) <= {0.0, 1.0}
    assert (sample != x).any()
    up, down = expit(x @ W + c), expit(sample @ W + c)
    np.testing.assert_allclose(found[0], -(x.T @ up - sample.T @ down) / 8 + 0.1 * W, atol=1e-12)
    np.testing.assert_allclose(found[1], -(x - sample).mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(found[2], -(up - down).mean(axis=0), atol=1e-12)
    assert len(found) == (5 if persistent else 4)


def test_persistent_particles_stay_where_they_end_and_there_may_be_more_of_them_than_data() -> None:
    rbm = RBM(sizes=(6, 4), particles=11)
    ((particles, _),) = rbm.objective.updates
    assert not particles.get_value().any()
    rbm.partial_fit(np.eye(3, 6))
    after = particles.get_value()
    assert after.shape == (11, 4)
    assert set(np.unique(after)) == {0.0, 1.0}
    rbm.partial_fit(np.eye(3, 6))
    assert (particles.get_value() != after).any()
    rbm.reset()
    assert not particles.get_value().any()


def test_draws_have_the_probabilities_of_the_machine() -> None:
    """30,000 Gibbs chains, 20 steps from tossed coins: their frequencies are p(v), within 5 standard errors."""
    rbm = RBM(sizes=(4, 3), dtype="float64")
    rng = np.random.default_rng(3)
    for parameter in rbm.parameters:
        parameter.set_value(0.7 * rng.standard_normal(parameter.get_value().shape))
    v = rbm.sample(30_000 // FEWER, 20)
    counts = np.bincount((v @ [8, 4, 2, 1]).astype(int), minlength=16) / len(v)
    rbm.range = (0.0, 1.0)
    p = np.exp(rbm.log_likelihood(every_state(4)))
    assert p.sum() == pytest.approx(1, abs=1e-12)
    assert (np.abs(counts - p) < 5 * np.sqrt(p * (1 - p) / len(v))).all()


def test_exact_gradients_of_the_likelihood_come_from_the_graph() -> None:
    """Boltzmann's learning rule: d log p / dW is the data's mean of v h less the machine's own."""
    m = machine()
    h = every_state(HIDDEN)
    v = T.constant(every_state(VISIBLE)[[3, 9, 28]])
    log_z = T.logsumexp(-m.hidden_free_energy(T.constant(h)))
    from_graph: Expr = T.grad((-m.free_energy(v)).mean() - log_z, m.W)
    W, _, c = numbers(m)
    states = every_state(VISIBLE)
    p = np.exp(-of(m.free_energy, states))
    p /= p.sum()
    data = states[[3, 9, 28]]
    wanted = data.T @ expit(data @ W + c) / 3 - (states * p[:, None]).T @ expit(states @ W + c)
    np.testing.assert_allclose(function([], from_graph)(), wanted, atol=1e-12)


@pytest.fixture(scope="module")
def trained() -> RBM:
    """RBM-20 of the digits as bits; with fewer epochs and steps than the recipe has."""
    rbm = RBM(sizes=(64, 20), particles=100, epochs=80)
    rbm.fit(binary_digits(0).x_train, verbose=0)
    return rbm


@needs_sklearn
def test_digits_are_learned_and_annealing_meets_the_exact_log_z(trained: RBM) -> None:
    split = binary_digits(0)
    exact = trained.log_partition()
    by_rates, by_coins = trained.annealed(split.x_train, runs=600), trained.annealed(runs=300)
    assert abs(by_rates.log_partition - exact) < 0.05
    assert abs(by_coins.log_partition - exact) < 0.2
    low, high = by_rates.interval
    assert low < exact < high
    assert 300 < by_rates.effective_runs <= 600
    assert trained.log_likelihood(split.x_test, exact).mean() >= -19.3
    assert trained.score_samples(split.x_test).mean() >= -17.5


@needs_sklearn
def test_transform_and_reconstruct_are_means(trained: RBM) -> None:
    x = binary_digits(0).x_test
    W, b, c = (p.get_value().astype(float) for p in trained.parameters)
    h = expit(x @ W + c)
    np.testing.assert_allclose(trained.transform(x), h, atol=1e-5)
    np.testing.assert_allclose(trained.reconstruct(x), expit(h @ W.T + b), atol=1e-5)
    np.testing.assert_allclose(trained.free_energy(x), -(x @ b) - np.logaddexp(0, x @ W + c).sum(axis=1), atol=1e-4)
    assert trained.score_samples(x).shape == (360,)
    np.testing.assert_array_equal(trained.score_samples(x)[:5], trained.score_samples(x[:5]))


def test_gaussian_units_learn_a_mixture() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(centre, 0.4, (200, 2)) for centre in ((0, 0), (2, 2), (0, 2))])
    rbm = GaussianRBM(sizes=(2, 3), deviation=0.5, learning_rate=0.02, epochs=200, batch_size=50, dtype="float64")
    rbm.fit(x, verbose=0)
    assert set(rbm.evaluate(x)) == {"log_likelihood", "reconstruction"}
    single = -0.5 * np.log(np.linalg.det(2 * np.pi * np.e * np.cov(x.T)))  # of the best single Gaussian
    assert rbm.log_likelihood(x).mean() > single
    assert abs(rbm.annealed(x).log_partition - rbm.log_partition()) < 0.05
    assert abs(rbm.annealed().log_partition - rbm.log_partition()) < 0.2
    samples = rbm.sample(2000, 200)
    np.testing.assert_allclose(samples.mean(axis=0), x.mean(axis=0), atol=0.15)
    np.testing.assert_array_equal(rbm.log_deviation.get_value(), np.log([0.5, 0.5]))  # not learned unless asked for


def test_gaussian_units_learn_their_deviations() -> None:
    x = np.random.default_rng(0).normal(1, 0.3, (500, 2))
    rbm = GaussianRBM(sizes=(2, 1), learn_deviation=True, learning_rate=0.05, epochs=40)
    rbm.fit(x, verbose=0)
    np.testing.assert_allclose(np.exp(rbm.log_deviation.get_value()), 0.3, atol=0.06)


def test_two_runs_of_one_seed_are_the_same_bits_and_another_seed_is_not() -> None:
    x = (np.random.default_rng(0).random((50, 8)) < 0.3).astype("float32")
    a, b, c = RBM(sizes=(8, 5), epochs=3), RBM(sizes=(8, 5), epochs=3), RBM(sizes=(8, 5), epochs=3, seed=1)
    history = a.fit(x, verbose=0)
    assert list(a.evaluate(x)) == ["log_likelihood", "pseudo_likelihood"]
    b.fit(x, verbose=0)
    c.fit(x, verbose=0)
    assert len(history.records) == 3
    assert list(history.history) == ["pseudo_likelihood"]
    for name, value in values(a.parameters).items():
        np.testing.assert_array_equal(value, values(b.parameters)[name])
    assert (a.W.get_value() != c.W.get_value()).any()
    first = a.sample(3, 10)
    np.testing.assert_array_equal(first, b.sample(3, 10))
    a.fit(x, verbose=0)
    np.testing.assert_array_equal(a.W.get_value(), b.W.get_value())


def test_validation_measures_the_exact_pseudo_likelihood() -> None:
    x = (np.random.default_rng(0).random((60, 8)) < 0.3).astype("float32")
    rbm = RBM(sizes=(8, 5), epochs=2, momentum=0.5)
    history = rbm.fit(x[:40], validation=(x[40:],), verbose=0)
    assert history.history["val_pseudo_likelihood"][-1] == pytest.approx(rbm.score_samples(x[40:]).mean(), rel=1e-5)


def test_what_does_not_fit_is_said() -> None:
    rbm = RBM(sizes=(4, 2), epochs=1)
    with pytest.raises(DataError, match="binary visible units take 0 to 1"):
        rbm.fit(np.full((3, 4), 2.0), verbose=0)
    with pytest.raises(ShapeError, match="3 features of x meet 4 inputs"):
        rbm.fit(np.zeros((3, 3)), verbose=0)
    with pytest.raises(DataError, match="no trained weights yet"):
        rbm.transform(np.zeros((3, 4)))
    with pytest.raises(ConfigError, match="sizes"):
        RBM(sizes=(4,))
    with pytest.raises(ConfigError, match="steps 0"):
        RBM(steps=0)
    with pytest.raises(ConfigError, match="0 steps"):
        rbm.gibbs(np.zeros((1, 4)), 0)
    with pytest.raises(ConfigError, match="deviation 0"):
        GaussianRBM(deviation=0)


@needs_safetensors
def test_weights_survive_a_file_and_a_pickle(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
    rbm = GaussianRBM(sizes=(3, 2), epochs=2)
    rbm.fit(x, verbose=0)
    rbm.save(tmp_path / "weights.safetensors", data="noise")
    again = GaussianRBM.load(tmp_path / "weights.safetensors")
    np.testing.assert_array_equal(again.transform(x), rbm.transform(x))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(rbm)).transform(x), rbm.transform(x))


def test_the_interval_of_an_estimate_knows_bad_weights() -> None:
    good, bad = Annealed(np.zeros(50)), Annealed(np.array([0.0] * 49 + [100.0]))
    assert good.interval == pytest.approx((0, 0))
    assert good.effective_runs == pytest.approx(50)
    assert bad.interval[0] == -np.inf
    assert bad.effective_runs == pytest.approx(1)
    assert "50 of 50 runs" in str(good)


def test_a_stream_is_shared_by_noise_and_measures() -> None:
    """What training reports draws its unit from the training's own noise, so that one seed decides all."""
    rbm = RBM(sizes=(4, 2))
    assert isinstance(rbm.noise, RandomStream)
    assert rbm.trainer.noise is rbm.noise
