"""What multilayer perceptrons share: the arguments, attributes and numbers of scikit-learn's, and how they are trained."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np

from symdl.errors import DataError
from symdl.nn.full_batch import minimize
from symdl.nn.training import Trainer, fit_iter
from symdl.nn.weights import assign, values
from symdl.sklearn.conventions import (
    FLAG,
    VERBOSE,
    Array,
    ConvergenceWarning,
    Estimator,
    check_is_fitted,
    check_random_state,
    checked_weights,
    either,
    many,
    number,
    one_of,
    say,
    train_test_split,
    whole,
)
from symdl.sklearn.networks import ACTIVATIONS, Architecture, drawn, forward, in_pieces, made
from symdl.sklearn.optimizers import HeavyBall, ShortAdam
from symdl.sklearn.waiting import given_back, taken


class Orders:
    """The orders of the examples that scikit-learn's shuffling gives: each reorders the one before."""

    def __init__(self, random: np.random.RandomState) -> None:
        self.random, self.order = random, np.arange(0)

    def permutation(self, n: int) -> Array:
        """The next order of n examples."""
        order = self.order if len(self.order) == n else np.arange(n)
        places = np.arange(n)
        self.random.shuffle(places)
        self.order = order[places]
        return self.order


class Multilayer(Estimator, ABC):
    """What MLPClassifier and MLPRegressor share: everything but their targets.

    The settings and what they mean are scikit-learn's, as are the numbers: weights and orders are drawn alike, so that
    loss_curve_ agrees up to rounding. Trained by `symdl.nn.fit_iter`, or by `symdl.nn.minimize` where solver="lbfgs".
    """

    RULES: ClassVar = {
        "hidden_layer_sizes": many(whole(1)),
        "activation": one_of(*ACTIVATIONS),
        "solver": one_of("adam", "sgd", "lbfgs"),
        "alpha": number(0),
        "batch_size": either(one_of("auto"), whole(1)),
        "learning_rate": one_of("constant", "invscaling", "adaptive"),
        "learning_rate_init": number(0, above=True),
        "power_t": number(0),
        "max_iter": whole(1),
        "shuffle": FLAG,
        "tol": number(0),
        "verbose": VERBOSE,
        "warm_start": FLAG,
        "momentum": number(0, 1),
        "nesterovs_momentum": FLAG,
        "early_stopping": FLAG,
        "validation_fraction": number(0, 1, below=True),
        "beta_1": number(0, 1, below=True),
        "beta_2": number(0, 1, below=True),
        "epsilon": number(0, above=True),
        "n_iter_no_change": number(1),
        "max_fun": whole(1),
    }
    coefs_: list[Array]
    intercepts_: list[Array]

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun

    # ---- what the two differ in ----

    @abstractmethod
    def _data(self, X: Any, y: Any, first: bool) -> tuple[Array, Array]:
        """Rows, and targets as the graph takes them."""

    @abstractmethod
    def _output(self) -> tuple[str, int]:
        """The last activation, and how many outputs there are."""

    @abstractmethod
    def _validation_score(self, x: Array, y: Array, weights: Array) -> float:
        """How good the network is on examples held out, the larger the better."""

    def _stratified(self, y: Array) -> Array | None:
        """By what examples to hold out are chosen evenly."""
        return None

    def _scaled(self, x: Array, first: bool) -> Array:
        """The rows as the network takes them; first: of a fit from the beginning."""
        return x

    # ---- training ----

    def _fit(self, X: Any, y: Any, sample_weight: Any, one_epoch: bool) -> Self:
        self.check_settings()
        again = hasattr(self, "coefs_") and (self.warm_start or one_epoch)
        x, t = self._data(X, y, not again)
        x = self._scaled(x, not again)
        weights = checked_weights(sample_weight, x)
        self.out_activation_, self.n_outputs_ = self._output()
        random = check_random_state(self.random_state)
        if not again:
            self._begin(x, random)
        if self.solver == "lbfgs":
            self._minimize(x, t, weights)
        else:
            self._descend(x, t, weights, random, one_epoch)
        if not all(np.isfinite(w).all() for w in (*self.coefs_, *self.intercepts_)):
            raise DataError(
                f"{type(self).__name__}: training ended with infinite weights",
                (),
                "Scale the inputs, or lower the rate.",
            )
        return self

    def _begin(self, x: Array, random: np.random.RandomState) -> None:
        """Fresh weights, and nothing learnt so far."""
        first = self._drawn(x, random)
        self.n_layers_, self.n_iter_, self.t_ = len(first) // 2 + 1, 0, 0
        self._put(first)
        self._trainer: Trainer | None = None
        self._steps: dict[str, Array] | None = None  # where training stands, while there is no trainer
        if self.solver != "lbfgs":
            self.loss_curve_: list[float] = []
            self._waited = 0
            self.best_loss_: float | None = None if self.early_stopping else np.inf
            self.validation_scores_: list[float] | None = [] if self.early_stopping else None
            self.best_validation_score_: float | None = -np.inf if self.early_stopping else None

    def _drawn(self, x: Array, random: np.random.RandomState) -> list[Array]:
        """Weights of each layer, then its biases, to begin with."""
        return drawn([x.shape[1], *self._hidden(), self.n_outputs_], self.activation, x.dtype, random)

    def _hidden(self) -> list[int]:
        """Units of each hidden layer."""
        sizes: list[int] = np.atleast_1d(self.hidden_layer_sizes).astype(int).tolist()
        return sizes

    def _put(self, parameters: Sequence[Array]) -> None:
        half = self.n_layers_ - 1
        self.coefs_, self.intercepts_ = list(parameters[:half]), list(parameters[half:])

    @property
    def _architecture(self) -> Architecture:
        return Architecture(self.n_layers_ - 1, self.activation, self.out_activation_, str(self.coefs_[0].dtype))

    def _kind(self) -> tuple[Any, ...]:
        """All that a trainer's graph depends on."""
        settings = (
            (self.momentum, self.nesterovs_momentum)
            if self.solver == "sgd"
            else (self.beta_1, self.beta_2, self.epsilon)
        )
        return self._architecture, self.solver, settings

    def _made(self) -> Trainer:
        optimizer = (
            HeavyBall(1.0, self.momentum, self.nesterovs_momentum)
            if self.solver == "sgd"
            else ShortAdam(1.0, self.beta_1, self.beta_2, self.epsilon)
        )
        architecture = self._architecture
        parameters = made(architecture, [*self.coefs_, *self.intercepts_])
        return Trainer(architecture.objective(parameters, self.alpha), optimizer)

    def _network(self) -> Trainer:
        """A trainer whose parameters have the values of coefs_ and intercepts_."""
        trainer = taken(self._kind(), self._made, [*self.coefs_, *self.intercepts_], self.learning_rate_init)
        trainer.objective.state[0].set_value(np.asarray(self.alpha, self.coefs_[0].dtype))
        return trainer

    def _minimize(self, x: Array, t: Array, weights: Array) -> None:
        trainer = self._network()
        history = minimize(trainer, x, t, weights, max_iterations=self.max_iter, tolerance=self.tol, verbose=0)
        self.n_iter_ = trainer.epoch
        if history.records:
            self.loss_ = history.records[-1].metrics["loss"]
        if self.n_iter_ >= self.max_iter:
            warnings.warn(
                f"L-BFGS took all of max_iter={self.max_iter} iterations and has not converged",
                ConvergenceWarning,
                stacklevel=4,
            )
        self._put([p.get_value() for p in trainer.objective.parameters])
        given_back(self._kind(), trainer)

    def _descend(self, x: Array, t: Array, weights: Array, random: np.random.RandomState, one_epoch: bool) -> None:
        if self.early_stopping and one_epoch:
            raise DataError("partial_fit: early_stopping has no rows to hold out here")
        held: tuple[Array, Array, Array] | None = None
        if self.early_stopping:
            x, held_x, t, held_t, weights, held_w = train_test_split(
                x, t, weights, random_state=random, test_size=self.validation_fraction, stratify=self._stratified(t)
            )
            if len(held_x) < 2:
                raise DataError(
                    f"{type(self).__name__}: {len(held_x)} example to validate with",
                    (),
                    "Increase validation_fraction.",
                )
            held = held_x, held_t, held_w
        if not one_epoch or self._trainer is None:
            self._trainer = self._network()
            if one_epoch and self._steps is not None:
                assign(self._trainer.shared, self._steps, "the pickled estimator")
        trainer = self._trainer
        for p, value in zip(trainer.objective.parameters, [*self.coefs_, *self.intercepts_], strict=True):
            p.set_value(value)
        trainer.rng = Orders(random)  # type: ignore[assignment]  # it draws what the loop asks for
        best = [*self.coefs_, *self.intercepts_]
        stop = trainer.epoch + (1 if one_epoch else self.max_iter)
        begun, self.n_iter_ = trainer.epoch, 0
        try:
            for record in fit_iter(
                trainer, x, t, weights, epochs=stop, batch_size=self._batch(len(x)), shuffle=self.shuffle
            ):
                self.n_iter_ = trainer.epoch - begun
                self.t_ += len(x)
                self.loss_ = record.metrics["loss"]
                self.loss_curve_.append(self.loss_)
                if self.verbose:
                    say(f"Iteration {self.n_iter_}, loss = {self.loss_:.8f}")
                if held is not None:
                    self._put([p.get_value() for p in trainer.objective.parameters])
                    if self._validated(held):
                        best = [*self.coefs_, *self.intercepts_]
                else:
                    self._improved()
                if self._over(trainer) or one_epoch:
                    break
                if trainer.epoch == stop:
                    warnings.warn(
                        f"all of max_iter={self.max_iter} epochs are done and the loss still falls",
                        ConvergenceWarning,
                        stacklevel=4,
                    )
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=4)
        self._put(best if held is not None else [p.get_value() for p in trainer.objective.parameters])
        if not one_epoch:
            self._steps, self._trainer = values(trainer.shared), None
            given_back(self._kind(), trainer)

    def _batch(self, n: int) -> int:
        if isinstance(self.batch_size, str):
            return min(200, n)
        if self.batch_size > n:
            warnings.warn(f"batch_size {self.batch_size} is clipped to the {n} examples", stacklevel=5)
        return min(int(self.batch_size), n)

    def _improved(self) -> None:
        """Count the epochs in which the loss has not fallen by tol."""
        assert self.best_loss_ is not None
        self._waited = self._waited + 1 if self.loss_ > self.best_loss_ - self.tol else 0
        self.best_loss_ = min(self.best_loss_, self.loss_)

    def _validated(self, held: tuple[Array, Array, Array]) -> bool:
        """The same by the score of the examples held out. Whether it is the best so far."""
        score = self._validation_score(*held)
        assert self.validation_scores_ is not None
        assert self.best_validation_score_ is not None
        self.validation_scores_.append(score)
        if self.verbose:
            say(f"Validation score: {score:f}")
        self._waited = self._waited + 1 if score < self.best_validation_score_ + self.tol else 0
        better = score > self.best_validation_score_
        if better:
            self.best_validation_score_ = score
        return better

    def _over(self, trainer: Trainer) -> bool:
        """Whether training ends here; the rate of the next epoch is set."""
        rate = float(trainer.learning_rate.get_value(borrow=True))
        if self.solver == "sgd" and self.learning_rate == "invscaling":
            rate = self.learning_rate_init / (self.t_ + 1) ** self.power_t
        over = self._waited > self.n_iter_no_change
        if over and self.solver == "sgd" and self.learning_rate == "adaptive" and rate > 1e-6:
            over, rate, self._waited = False, rate / 5, 0
        trainer.learning_rate.set_value(np.float64(rate))
        if over and self.verbose:
            what = "the validation score" if self.early_stopping else "the loss"
            say(f"{self.n_iter_no_change} epochs without a gain in {what} of tol={self.tol:f}.")
        return over

    # ---- after training ----

    def _predicted(self, X: Any) -> Array:
        check_is_fitted(self)
        return self._forward(self._scaled(self.rows(X, reset=False), False))

    def _forward(self, x: Array) -> Array:
        x = np.ascontiguousarray(x, self.coefs_[0].dtype)  # trained on float32, say
        return in_pieces(forward(self._architecture), x, *self.coefs_, *self.intercepts_)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__().copy()
        if state.get("_trainer") is not None:
            state["_steps"], state["_trainer"] = values(state["_trainer"].shared), None
        return state


def stochastic(estimator: Multilayer) -> bool:
    """Whether there are epochs to do one of. Raises AttributeError where there are none."""
    if estimator.solver not in ("sgd", "adam"):
        raise AttributeError(f"partial_fit goes by batches, which solver={estimator.solver!r} does not")
    return True
