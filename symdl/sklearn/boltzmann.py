"""Boltzmann machines: BernoulliRBM as scikit-learn has it, and the deep belief network made of such machines."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar, Self

import numpy as np

import symdl.tensor as T
from symdl.functions import Function, function
from symdl.nn.optimizers import SGD
from symdl.nn.training import Trainer, fit_iter
from symdl.random import RandomStream
from symdl.runtime.storage import shared
from symdl.sklearn.conventions import (
    FLAG,
    VERBOSE,
    Array,
    ClassNamePrefixFeaturesOutMixin,
    Estimator,
    TransformerMixin,
    check_is_fitted,
    check_random_state,
    number,
    say,
    seed_of,
    whole,
)
from symdl.sklearn.multilayer import Multilayer
from symdl.sklearn.networks import in_pieces
from symdl.sklearn.perceptrons import MLPClassifier
from symdl.sklearn.waiting import given_back, taken
from symdl.zoo.boltzmann import Machine, pseudo_likelihood
from symdl.zoo.contrastive import contrastive_divergence
from symdl.zoo.greedy import Stage, greedy

WHAT = {
    "hidden": lambda machine, rows: machine.hidden_means(rows),
    "visible": lambda machine, rows: machine.visible_means(rows),
    "free_energy": lambda machine, rows: machine.free_energy(rows),
    "pseudo_likelihood": pseudo_likelihood,
}


@cache
def computed(what: str, dtype: str) -> Function:
    """(rows, W, visible_bias, hidden_bias) -> what a machine makes of the rows, compiled; all extents are open."""
    rows, W = (T.tensor(name, dtype=dtype, shape=(None, None)) for name in ("rows", "W"))
    b, c = (T.tensor(name, dtype=dtype, shape=(None,)) for name in ("visible_bias", "hidden_bias"))
    return function([rows, W, b, c], WHAT[what](Machine(W, b, c), rows), name=what, on_unused_input="ignore")


def machine_of(dtype: str, persistent: bool) -> Trainer:
    """A machine that learns by contrastive divergence, from particles that stay, or from the data where there are none."""
    W, particles = (shared(np.zeros((1, 1), dtype), name, shape=(None, None)) for name in ("W", "particles"))
    b, c = (shared(np.zeros(1, dtype), name, shape=(None,)) for name in ("visible_bias", "hidden_bias"))
    v = T.tensor("v", dtype=dtype, shape=(None, None))
    chain = particles if persistent else None
    objective = contrastive_divergence(
        Machine(W, b, c), v, [W, b, c], RandomStream(0), particles=chain, measures={}, quiet={}
    )
    # of their own extents, which are W's: the new value is written in place then
    objective.updates = [(target, new.reshape(target.shape)) for target, new in objective.updates]
    return Trainer(objective, SGD(1.0))


def learner(parameters: Sequence[Array], particles: Array | None, rate: float, noise: tuple[int, int]) -> Trainer:
    """Such a machine with these weights, particles and random numbers."""
    dtype, persistent = str(parameters[0].dtype), particles is not None
    trainer = taken(("machine", dtype, persistent), lambda: machine_of(dtype, persistent), parameters, rate)
    if particles is not None:
        trainer.objective.updates[0][0].set_value(particles)
    trainer.noise.set_state(noise)
    trainer.rng = np.random.default_rng(noise[0])
    return trainer


def returned(trainer: Trainer) -> None:
    """The machine may be used again."""
    objective = trainer.objective
    given_back(("machine", objective.parameters[0].dtype, bool(objective.updates)), trainer)


class BernoulliRBM(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    """A restricted Boltzmann machine of binary units, trained by persistent contrastive divergence (Tieleman, 2008).

        BernoulliRBM(100, learning_rate=0.06, n_iter=20, random_state=0).fit_transform(X)

    Arguments, attributes and methods are those of sklearn.neural_network.BernoulliRBM; the random numbers are others.
    score_samples has no randomness: it is the pseudo-likelihood of all units. Rows lie in 0..1. Sparse ones are written out.
    """

    RULES: ClassVar = {
        "n_components": whole(1),
        "learning_rate": number(0, above=True),
        "batch_size": whole(1),
        "n_iter": whole(0),
        "verbose": VERBOSE,
    }
    components_: Array
    intercept_hidden_: Array
    intercept_visible_: Array
    h_samples_: Array
    _trainer: Trainer | None  # while it learns batch by batch

    def __init__(
        self,
        n_components: int = 256,
        *,
        learning_rate: float = 0.1,
        batch_size: int = 10,
        n_iter: int = 10,
        verbose: bool | int = 0,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on rows X[n, features], in batches in their order, n_iter times."""
        self.check_settings()
        x = self.rows(X, reset=True)
        trainer = self._begin(x)
        for record in fit_iter(trainer, x, epochs=int(self.n_iter), batch_size=int(self.batch_size), shuffle=False):
            if self.verbose:
                self._take(trainer)
                score = self.score_samples(X).mean()
                say(f"Iteration {record.epoch}, pseudo-likelihood = {score:.2f}, time = {record.seconds:.2f}s")
        self._take(trainer)
        self._trainer = None
        returned(trainer)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """One update by these rows, as one batch."""
        self.check_settings()
        first = not hasattr(self, "components_")
        x = self.rows(X, reset=first)
        trainer = self._begin(x) if first else self._trainer
        if trainer is None:
            trainer = self._network()
        trainer.step(x.astype(self.components_.dtype, copy=False))
        self._take(trainer)
        return self

    def _begin(self, x: Array) -> Trainer:
        """Fresh weights."""
        self.random_state_ = check_random_state(self.random_state)
        n, features = int(self.n_components), x.shape[1]
        self.components_ = self.random_state_.normal(0, 0.01, (n, features)).astype(x.dtype)
        self.intercept_hidden_, self.intercept_visible_ = np.zeros(n, x.dtype), np.zeros(features, x.dtype)
        self.h_samples_ = np.zeros((int(self.batch_size), n), x.dtype)
        self._n_features_out = n
        self._noise = seed_of(self.random_state_), 0
        return self._network()

    def _network(self) -> Trainer:
        trainer = learner(self._parameters(), self.h_samples_, float(self.learning_rate), self._noise)
        self._trainer = trainer
        return trainer

    def _parameters(self) -> tuple[Array, Array, Array]:
        return np.ascontiguousarray(self.components_.T), self.intercept_visible_, self.intercept_hidden_

    def _take(self, trainer: Trainer) -> None:
        """Attributes from where training stands."""
        W, self.intercept_visible_, self.intercept_hidden_ = (p.get_value() for p in trainer.objective.parameters)
        self.components_ = W.T
        self.h_samples_ = trainer.objective.updates[0][0].get_value()
        self._noise = trainer.noise.get_state()

    def _computed(self, what: str, rows: Array) -> Array:
        dtype = str(self.components_.dtype)
        return in_pieces(computed(what, dtype), rows.astype(dtype, copy=False), *self._parameters())

    def transform(self, X: Any) -> Array:
        """p(h = 1 | v) for each row v: [n, n_components]."""
        check_is_fitted(self)
        return self._computed("hidden", self.rows(X, reset=False))

    def score_samples(self, X: Any) -> Array:
        """The pseudo-likelihood sum_i log p(v_i | all others) of each row, over all units (Besag, 1975)."""
        check_is_fitted(self)
        return self._computed("pseudo_likelihood", self.rows(X, reset=False))

    def gibbs(self, v: Any) -> Array:
        """One Gibbs step from rows v of 0 and 1: h drawn given v, then v given h: bool[n, features]."""
        check_is_fitted(self)
        p = self._computed("hidden", np.ascontiguousarray(v, self.components_.dtype))
        h = (self.random_state_.uniform(size=p.shape) < p).astype(p.dtype)
        p = self._computed("visible", h)
        drawn: Array = self.random_state_.uniform(size=p.shape) < p
        return drawn

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__().copy()
        if "_trainer" in state:
            state["_trainer"] = None  # made anew from the attributes
        return state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class DBNClassifier(MLPClassifier):
    """A deep belief network (Hinton, Osindero and Teh, 2006): machines trained one on the other, then a classifier that
    begins with their weights.

        DBNClassifier((100, 100), random_state=0).fit(X, y).predict(X)

    pretraining_iter: epochs of each machine, 0 to begin with random weights; pretraining_rate, pretraining_batch_size:
    theirs. persistent: whether samples go on where they were, else they start at the data. The other settings are those of
    MLPClassifier, for the training that follows. Rows lie in 0..1; others are brought there, each feature by its range.
    """

    RULES: ClassVar = {
        "pretraining_iter": whole(0),
        "pretraining_rate": number(0, above=True),
        "pretraining_batch_size": whole(1),
        "persistent": FLAG,
        **Multilayer.RULES,
    }
    activation, learning_rate, power_t, momentum, nesterovs_momentum = "logistic", "constant", 0.5, 0.9, True
    beta_1, beta_2, epsilon, max_fun = 0.9, 0.999, 1e-8, 15000

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100, 100),
        *,
        pretraining_iter: int = 30,
        pretraining_rate: float = 0.1,
        pretraining_batch_size: int = 20,
        persistent: bool = False,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = 32,
        learning_rate_init: float = 0.01,
        max_iter: int = 60,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: float = 10,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.pretraining_iter = pretraining_iter
        self.pretraining_rate = pretraining_rate
        self.pretraining_batch_size = pretraining_batch_size
        self.persistent = persistent
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change

    def fit(self, X: Any, y: Any) -> Self:  # type: ignore[override]  # what has no labels to weigh is learnt from, too
        """Train on rows X[n, features] and labels y[n], or on y[n, labels] of 0 and 1."""
        return self._fit(X, y, None, one_epoch=False)

    def _scaled(self, x: Array, first: bool) -> Array:
        """x in 0..1 where the training data are: as it is if they are there already."""
        if first:
            low, high = x.min(axis=0), x.max(axis=0)
            if low.min() >= 0 and high.max() <= 1:
                low, high = np.zeros_like(low), np.ones_like(high)
            self.data_min_, self.data_range_ = low, np.where(high > low, high - low, 1).astype(x.dtype)
        scaled: Array = (x - self.data_min_) / self.data_range_
        return scaled.astype(x.dtype, copy=False)

    def _begin(self, x: Array, random: np.random.RandomState) -> None:
        super()._begin(x, random)
        if not self.pretraining_iter:
            return
        stages = []
        for W, c in zip(self.coefs_[:-1], self.intercepts_[:-1], strict=True):
            start = (
                np.asarray(0.01 * random.standard_normal(W.shape), x.dtype),
                np.zeros(len(W), x.dtype),
                np.zeros_like(c),
            )
            particles = np.zeros((self.pretraining_batch_size, len(c)), x.dtype) if self.persistent else None
            trainer = learner(start, particles, self.pretraining_rate, (seed_of(random), 0))
            means = Machine(*trainer.objective.parameters).hidden_means(trainer.objective.inputs[0])
            stages.append(Stage(trainer, means))
        greedy(
            stages, x, epochs=int(self.pretraining_iter), batch_size=int(self.pretraining_batch_size),
            verbose=1 if self.verbose else 0,
        )  # fmt: skip
        for k, stage in enumerate(stages):
            self.coefs_[k], _, self.intercepts_[k] = (p.get_value() for p in stage.trainer.objective.parameters)
            returned(stage.trainer)

    def _batch(self, n: int) -> int:
        return n if isinstance(self.batch_size, str) else min(int(self.batch_size), n)
