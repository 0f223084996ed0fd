"""Linear classifiers: logistic regression to its optimum, and Rosenblatt's perceptron."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

import symdl.tensor as T
from symdl.errors import DataError
from symdl.nn.full_batch import minimize
from symdl.nn.objective import Objective
from symdl.nn.optimizers import SGD
from symdl.nn.training import Trainer, fit_iter
from symdl.runtime.storage import shared
from symdl.sklearn.conventions import (
    FLAG,
    VERBOSE,
    Array,
    ClassifierMixin,
    ConvergenceWarning,
    Estimator,
    Rule,
    check_classification_targets,
    check_is_fitted,
    check_random_state,
    checked_weights,
    either,
    labels_of,
    number,
    one_column,
    one_of,
    say,
    whole,
)
from symdl.sklearn.multilayer import Orders
from symdl.sklearn.networks import Architecture, forward, in_pieces, made
from symdl.sklearn.waiting import given_back, taken

CLASS_WEIGHT = either(
    one_of(None, "balanced"), Rule(lambda v: isinstance(v, Mapping), "a dictionary of a weight for each label")
)


class LinearClassifier(ClassifierMixin, Estimator):
    """What linear classifiers share: labels, coef_[classes, features] and intercept_[classes], one row for two classes."""

    coef_: Array
    intercept_: Array
    classes_: Array
    class_weight: Any

    def _labelled(self, X: Any, y: Any, reset: bool, classes: Any = None) -> tuple[Array, Array]:
        """Rows and places of labels. Raises DataError for fewer than two classes."""
        x, y = self.pairs(X, y, reset=reset)
        y = one_column(y)
        check_classification_targets(y)
        if reset:
            self.classes_ = np.unique(y) if classes is None else np.unique(classes)
        if len(self.classes_) < 2:
            raise DataError(
                f"{type(self).__name__}: at least 2 classes are needed; the data have one class, {self.classes_.tolist()[0]!r}"
            )
        return x, labels_of(y, self.classes_)

    def _weights_of_classes(self, labels: Array, weights: Array | None = None) -> Array:
        """How much each example counts by its class; balanced: so that all classes weigh alike, each example as `weights`."""
        of, count = self.class_weight, len(self.classes_)
        if isinstance(of, Mapping):
            return np.array([of.get(c, 1.0) for c in self.classes_.tolist()], np.float64)[labels]
        if of is None:
            return np.ones(len(labels))
        mass = np.bincount(labels, weights, count)
        found: Array = (mass.sum() / (np.count_nonzero(mass) * np.where(mass > 0, mass, 1)))[labels]
        return found

    def _output(self, X: Any, output: str) -> Array:
        check_is_fitted(self)
        x = self.rows(X, reset=False)
        architecture = Architecture(1, "identity", output, str(self.coef_.dtype))
        x = x.astype(self.coef_.dtype, copy=False)
        return in_pieces(forward(architecture), x, np.ascontiguousarray(self.coef_.T), self.intercept_)

    def decision_function(self, X: Any) -> Array:
        """X @ coef_.T + intercept_: [n] for two classes, above 0 for the second one; else [n, classes]."""
        z = self._output(X, "identity")
        return z[:, 0] if z.shape[1] == 1 else z

    def predict(self, X: Any) -> Array:
        """The label of each row."""
        z = self.decision_function(X)
        found: Array = self.classes_[(z > 0).astype(int) if z.ndim == 1 else z.argmax(axis=1)]
        return found


class LogisticRegression(LinearClassifier):
    """Logistic regression with an L2 penalty, to its optimum by L-BFGS.

        LogisticRegression(C=1.0).fit(X, y).predict_proba(X)

    It makes C sum_n w_n loss_n + sum W**2 / 2 small: softmax over all classes, the sigmoid of one column for two. The optimum
    is that of sklearn.linear_model.LogisticRegression. class_weight: {label: weight}, or "balanced". tol: it ends when no
    element of the gradient of the mean is larger. warm_start: begin at the last optimum. Sparse rows are written out.
    """

    RULES: ClassVar = {
        "C": number(0, above=True),
        "fit_intercept": FLAG,
        "class_weight": CLASS_WEIGHT,
        "tol": number(0, above=True),
        "max_iter": whole(0),
        "warm_start": FLAG,
        "verbose": VERBOSE,
    }

    def __init__(
        self,
        C: float = 1.0,
        *,
        fit_intercept: bool = True,
        class_weight: Any = None,
        tol: float = 1e-4,
        max_iter: int = 100,
        warm_start: bool = False,
        verbose: bool | int = 0,
    ) -> None:
        self.C = C
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on rows X[n, features] and labels y[n]. sample_weight[n]: how much each counts."""
        self.check_settings()
        x, labels = self._labelled(X, y, reset=True)
        weights = checked_weights(sample_weight, x)
        weights = weights * self._weights_of_classes(labels, weights).astype(x.dtype)
        two = len(self.classes_) == 2
        shape = (1 if two else len(self.classes_), x.shape[1])
        begin = [np.zeros(shape[::-1], x.dtype), np.zeros(shape[0], x.dtype)]
        if self.warm_start and hasattr(self, "coef_") and self.coef_.shape == shape:
            begin = [self.coef_.T, self.intercept_]
        architecture = Architecture(1, "identity", "logistic" if two else "softmax", str(x.dtype))
        trainer = Trainer(architecture.objective(made(architecture, begin), 1 / self.C, self.fit_intercept), SGD())
        target = labels[:, None].astype(x.dtype) if two else labels
        minimize(
            trainer, x, target, weights, max_iterations=int(self.max_iter), tolerance=float(self.tol),
            verbose=1 if self.verbose else 0,
        )  # fmt: skip
        self.n_iter_ = np.array([trainer.epoch], np.int32)
        if trainer.epoch >= self.max_iter:
            warnings.warn(
                f"L-BFGS took all of max_iter={self.max_iter} iterations and has not converged",
                ConvergenceWarning,
                stacklevel=2,
            )
        found = {str(v.name): v.get_value() for v in (*trainer.objective.parameters, *trainer.objective.state)}
        self.coef_, self.intercept_ = np.ascontiguousarray(found["W0"].T), found["b0"]
        return self

    def predict_proba(self, X: Any) -> Array:
        """The probability of each of classes_ for each row."""
        check_is_fitted(self)
        p = self._output(X, "logistic" if len(self.coef_) == 1 else "softmax")
        return np.hstack([1 - p, p]) if p.shape[1] == 1 else p

    def predict_log_proba(self, X: Any) -> Array:
        """log(predict_proba(X))."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))


class Perceptron(LinearClassifier):
    """Rosenblatt's perceptron (1958): each mistake of a unit moves its weights by eta0 times the example.

        Perceptron(random_state=0).fit(X, y).predict(X)

    The examples come one after another, in an order drawn anew for each epoch. Two classes have one unit, more have one each,
    which tells its class from all others. It ends after an epoch without mistakes, or when the mistakes an example
    have not become fewer by tol for n_iter_no_change epochs (never if tol is None). Weights of examples have no place in
    the rule, class_weight has: it multiplies the step. Sparse rows are written out.
    """

    RULES: ClassVar = {
        "fit_intercept": FLAG,
        "max_iter": whole(1),
        "tol": either(one_of(None), number(0)),
        "shuffle": FLAG,
        "verbose": VERBOSE,
        "eta0": number(0, above=True),
        "n_iter_no_change": whole(1),
        "class_weight": CLASS_WEIGHT,
        "warm_start": FLAG,
    }

    def __init__(
        self,
        *,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float | None = 1e-3,
        shuffle: bool = True,
        verbose: bool | int = 0,
        eta0: float = 1.0,
        random_state: Any = 0,
        n_iter_no_change: int = 5,
        class_weight: Any = None,
        warm_start: bool = False,
    ) -> None:
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.shuffle = shuffle
        self.verbose = verbose
        self.eta0 = eta0
        self.random_state = random_state
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight
        self.warm_start = warm_start

    def fit(self, X: Any, y: Any) -> Self:
        """Train on rows X[n, features] and labels y[n]."""
        self.check_settings()
        again = self.warm_start and hasattr(self, "coef_")
        x, labels = self._labelled(X, y, reset=not again)
        return self._learn(x, labels, self.max_iter, again)

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
        """One epoch more on these rows. classes: all that will ever come; the first call must say so."""
        self.check_settings()
        again = hasattr(self, "coef_")
        if not again and classes is None:
            raise DataError("partial_fit: the first call needs classes, all that will ever come")
        x, labels = self._labelled(X, y, not again, classes)
        return self._learn(x, labels, 1, again)

    def _learn(self, x: Array, labels: Array, epochs: int, again: bool) -> Self:
        units = 1 if len(self.classes_) == 2 else len(self.classes_)
        W, b = (
            (self.coef_, self.intercept_)
            if again
            else (np.zeros((units, x.shape[1]), x.dtype), np.zeros(units, x.dtype))
        )
        target = labels[:, None] == (1 if units == 1 else np.arange(units))
        step = (self.eta0 * self._weights_of_classes(labels)).astype(x.dtype)
        dtype, intercept = str(x.dtype), bool(self.fit_intercept)
        kind = "rosenblatt", dtype, intercept
        trainer = taken(kind, lambda: rosenblatt(dtype, intercept), (), 1.0)
        for p, value in zip(trainer.objective.state, (W, b), strict=True):
            p.set_value(value.astype(dtype))
        trainer.rng = Orders(check_random_state(self.random_state))  # type: ignore[assignment]  # it draws what the loop asks for
        best, waited = np.inf, 0
        for record in fit_iter(trainer, x, target, step, epochs=epochs, batch_size=1, shuffle=self.shuffle):
            mistakes = record.metrics["mistakes"]
            if self.verbose:
                say(f"Epoch {record.epoch}: {mistakes:.5f} mistakes an example")
            waited = waited + 1 if self.tol is not None and mistakes > best - self.tol else 0
            best = min(best, mistakes)
            if mistakes == 0 or waited >= self.n_iter_no_change:
                break
        else:
            if epochs > 1:
                warnings.warn(
                    f"all of max_iter={self.max_iter} epochs are done and there still are mistakes",
                    ConvergenceWarning,
                    stacklevel=3,
                )
        self.n_iter_ = trainer.epoch
        self.coef_, self.intercept_ = (p.get_value() for p in trainer.objective.state)
        given_back(kind, trainer)
        return self


def rosenblatt(dtype: str, intercept: bool) -> Trainer:
    """W <- W + s x, b <- b + s for units that are wrong: s = step where t is true, else -step; right is W x + b > 0 where t is
    true. W[units, features]. Inputs: x, t, step, of one row: its rule needs no matrix product, and no product that leaves the
    numbers and comes back."""
    W, b = shared(np.zeros((1, 1), dtype), "W", shape=(None, None)), shared(np.zeros(1, dtype), "b", shape=(None,))
    x, t = T.tensor("x", dtype=dtype, shape=(1, None)), T.tensor("t", dtype="bool", shape=(1, None))
    step = T.tensor("step", dtype=dtype, shape=(1,))
    wrong = T.neq((W * x).sum(axis=1) + b > 0, t[0])
    move = T.switch(wrong, T.switch(t[0], step, -step), 0.0)
    return Trainer(
        Objective(
            inputs=[x, t, step],
            losses=move.sum(),  # nothing is differentiated: the rule moves the weights
            parameters=(),
            measures={"mistakes": wrong.dimshuffle("x", 0).sum(axis=1)},
            updates=[(W, W + move.dimshuffle(0, "x") * x), *([(b, b + move)] if intercept else [])],
            state=[W, b],
        ),
        SGD(1.0),
    )
