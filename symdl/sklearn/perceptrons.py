"""MLPClassifier and MLPRegressor: multilayer perceptrons of labels and of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np

from symdl.errors import DataError
from symdl.sklearn.conventions import (
    Array,
    ClassifierMixin,
    RegressorMixin,
    available_if,
    check_classification_targets,
    labels_of,
    one_column,
    one_of,
    type_of_target,
)
from symdl.sklearn.multilayer import Multilayer, stochastic


class MLPClassifier(ClassifierMixin, Multilayer):
    """A multilayer perceptron that classifies: one label of two or more classes, or several at once (y a matrix of 0 and 1).

        MLPClassifier((100,), random_state=0).fit(X, y).predict_proba(X)

    Arguments, attributes and results are those of sklearn.neural_network.MLPClassifier, which its documentation explains.
    float32 rows are computed in float32, all others in float64. Sparse rows are written out.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on rows X[n, features] and labels y[n], or on y[n, labels] of 0 and 1. sample_weight[n]: how much each
        counts. Raises DataError, a ValueError, for data that no classifier can learn from."""
        return self._fit(X, y, sample_weight, one_epoch=False)

    @available_if(stochastic)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """One epoch more on these rows. classes: all that will ever come; the first call must say so."""
        if not hasattr(self, "classes_"):
            if classes is None:
                raise DataError("partial_fit: the first call needs classes, all that will ever come")
            self.classes_ = np.unique(classes)
            self._several = type_of_target(y) if type_of_target(y).startswith("multilabel") else ""
        elif classes is not None and not np.array_equal(self.classes_, np.unique(classes)):
            raise DataError(f"partial_fit: classes={classes!r} are not those of the first call, {self.classes_}")
        return self._fit(X, y, sample_weight, one_epoch=True)

    def _data(self, X: Any, y: Any, first: bool) -> tuple[Array, Array]:
        known = hasattr(self, "coefs_")
        partial = hasattr(self, "classes_") and not known  # the first call of partial_fit has said what there is
        x, y = self.pairs(X, y, reset=first, multi_output=True)
        y = one_column(y.toarray() if hasattr(y, "toarray") else y)
        check_classification_targets(y)
        kind = type_of_target(y)
        if first and not partial:
            self._several = kind if kind.startswith("multilabel") else ""
            self.classes_ = np.arange(y.shape[1]) if self._several else np.unique(y)
        if bool(self._several) != kind.startswith("multilabel"):
            raise DataError(f"{type(self).__name__}: y is {kind}; it was {self._several or 'one label a row'} before")
        if self._several:
            return x, np.ascontiguousarray(y, x.dtype)
        if self.warm_start and not first and set(np.unique(y)) != set(self.classes_):
            raise DataError(
                f"fit goes on (warm_start) with the classes {self.classes_}, and y has {np.unique(y)}",
                remedy="A new estimator takes other classes.",
            )
        labels = labels_of(y, self.classes_)
        return (x, labels) if len(self.classes_) > 2 else (x, labels[:, None].astype(x.dtype))

    def _output(self) -> tuple[str, int]:
        if self._several:
            return "logistic", len(self.classes_)
        return ("softmax", len(self.classes_)) if len(self.classes_) > 2 else ("logistic", 1)

    def _stratified(self, y: Array) -> Array | None:
        return y if self.n_outputs_ == 1 else None  # as scikit-learn: two classes only

    def _chosen(self, p: Array) -> Array:
        """Labels as the graph has them, from the network's outputs."""
        if self._several:
            return (p > 0.5).astype(int)
        return (p[:, 0] > 0.5).astype(int) if p.shape[1] == 1 else p.argmax(axis=1)

    def _validation_score(self, x: Array, y: Array, weights: Array) -> float:
        p = self._forward(x)
        if not np.isfinite(p).all():
            return float("nan")
        right = self._chosen(p) == (y[:, 0] if y.ndim == 2 and not self._several else y)
        return float(
            np.average(right if right.ndim == 1 else right.all(axis=1), weights=weights if weights.any() else None)
        )

    def predict(self, X: Any) -> Array:
        """The likeliest label of each row; of several at once, a matrix of 0 and 1."""
        chosen = self._chosen(self._predicted(X))
        if self._several:
            return chosen
        found: Array = self.classes_[np.minimum(chosen, len(self.classes_) - 1)]
        return found

    def predict_proba(self, X: Any) -> Array:
        """The probability of each of classes_ for each row: rows sum to 1, but where labels come several at once."""
        p = self._predicted(X)
        return np.hstack([1 - p, p]) if p.shape[1] == 1 and not self._several else p

    def predict_log_proba(self, X: Any) -> Array:
        """log(predict_proba(X))."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class MLPRegressor(RegressorMixin, Multilayer):
    """A multilayer perceptron that predicts numbers, one or several a row.

        MLPRegressor(hidden_layer_sizes=(100,), random_state=0).fit(X, y).predict(X)

    loss: "squared_error", or "poisson" for counts, whose logarithm is the last layer's then. Arguments, attributes and
    results are those of sklearn.neural_network.MLPRegressor, which its documentation explains. Sparse rows are written out.
    """

    RULES: ClassVar = {"loss": one_of("squared_error", "poisson"), **Multilayer.RULES}

    def __init__(
        self,
        loss: str = "squared_error",
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
        self.loss = loss
        super().__init__(
            hidden_layer_sizes, activation, solver=solver, alpha=alpha, batch_size=batch_size,
            learning_rate=learning_rate, learning_rate_init=learning_rate_init, power_t=power_t, max_iter=max_iter,
            shuffle=shuffle, random_state=random_state, tol=tol, verbose=verbose, warm_start=warm_start,
            momentum=momentum, nesterovs_momentum=nesterovs_momentum, early_stopping=early_stopping,
            validation_fraction=validation_fraction, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon,
            n_iter_no_change=n_iter_no_change, max_fun=max_fun,
        )  # fmt: skip

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on rows X[n, features] and numbers y[n] or y[n, outputs]. sample_weight[n]: how much each counts."""
        return self._fit(X, y, sample_weight, one_epoch=False)

    @available_if(stochastic)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """One epoch more on these rows."""
        return self._fit(X, y, sample_weight, one_epoch=True)

    def _data(self, X: Any, y: Any, first: bool) -> tuple[Array, Array]:
        x, y = self.pairs(X, y, reset=first, numeric=True, multi_output=True)
        y = one_column(y)
        if self.loss == "poisson" and (y < 0).any():
            raise DataError("MLPRegressor: y has numbers below 0, which no Poisson distribution gives")
        t = np.ascontiguousarray(y.reshape(len(y), -1), x.dtype)
        if first:
            self._columns = t.shape[1]
            self._vector = y.ndim == 1
        elif t.shape[1] != self._columns:
            raise DataError(f"MLPRegressor: y has {t.shape[1]} outputs; it had {self._columns} before")
        return x, t

    def _output(self) -> tuple[str, int]:
        return "exp" if self.loss == "poisson" else "identity", self._columns

    def _validation_score(self, x: Array, y: Array, weights: Array) -> float:
        predicted = self._forward(x)
        if not np.isfinite(predicted).all():
            return float("nan")
        weights = weights if weights.any() else np.ones_like(weights)
        left = np.average((y - predicted) ** 2, axis=0, weights=weights)
        spread = np.average((y - np.average(y, axis=0, weights=weights)) ** 2, axis=0, weights=weights)
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = np.where(left == 0, 1.0, np.where(spread == 0, 0.0, 1 - left / spread))
        return float(scores.mean())

    def predict(self, X: Any) -> Array:
        """The numbers that the network gives each row: [n], or [n, outputs]."""
        found = self._predicted(X)
        return found[:, 0] if found.shape[1] == 1 else found
