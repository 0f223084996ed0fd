"""The autoencoder as a transformer: codes of rows, and rows of codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np

from symdl.errors import DataError, ShapeError
from symdl.sklearn.conventions import (
    Array,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    check_is_fitted,
    one_of,
)
from symdl.sklearn.multilayer import Multilayer
from symdl.sklearn.networks import Architecture, forward, in_pieces


class Autoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Multilayer):
    """A network that gives back its input through a code, its last hidden layer but the mirror image.

        Autoencoder((32,), random_state=0).fit(X).inverse_transform(codes)

    hidden_layer_sizes: units of each layer down to the code; the decoder has the same layers upwards. activation: of all
    layers but the last, whose is output: "identity" with squared error, or "logistic" with cross-entropy for rows in 0..1.
    Linear, its optimum spans the principal components (Baldi and Hornik, 1989). The other settings are those of
    MLPRegressor. Sparse rows are written out.
    """

    RULES: ClassVar = {"output": one_of("identity", "logistic"), **Multilayer.RULES}
    learning_rate, power_t, momentum, nesterovs_momentum = "constant", 0.5, 0.9, True
    beta_1, beta_2, epsilon, max_fun = 0.9, 0.999, 1e-8, 15000

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (32,),
        activation: str = "relu",
        output: str = "identity",
        *,
        solver: str = "adam",
        alpha: float = 0.0,
        batch_size: int | str = 32,
        learning_rate_init: float = 0.003,
        max_iter: int = 100,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-5,
        verbose: bool | int = False,
        warm_start: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: float = 10,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.output = output
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

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train on rows X[n, features]. sample_weight[n]: how much each counts."""
        return self._fit(X, None, sample_weight, one_epoch=False)

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """One epoch more on these rows."""
        return self._fit(X, None, sample_weight, one_epoch=True)

    def transform(self, X: Any) -> Array:
        """The code of each row: [n, code]."""
        check_is_fitted(self)
        return self._half(self.rows(X, reset=False), down=True)

    def inverse_transform(self, X: Any) -> Array:
        """What the decoder makes of codes X[n, code]: [n, features]. Raises ShapeError for codes of another length."""
        check_is_fitted(self)
        codes = np.asarray(X)
        if codes.ndim != 2 or codes.shape[1] != self._n_features_out:
            raise ShapeError(f"inverse_transform: codes of shape {codes.shape} are not [n, {self._n_features_out}]")
        return self._half(codes, down=False)

    def score(self, X: Any, y: Any = None) -> float:
        """Minus the mean squared error of the rows given back, a feature: the larger the better."""
        x = self.rows(X, reset=False)
        return -float(np.mean((self._forward(x) - x) ** 2, dtype=np.float64))

    # ---- what the training asks for ----

    def _begin(self, x: Array, random: np.random.RandomState) -> None:
        self._n_features_out = super()._hidden()[-1]
        super()._begin(x, random)

    def _hidden(self) -> list[int]:
        hidden = super()._hidden()
        return [*hidden, *hidden[-2::-1]]

    def _data(self, X: Any, y: Any, first: bool) -> tuple[Array, Array]:
        x = self.rows(X, reset=first)
        if self.output == "logistic" and (x.min() < 0 or x.max() > 1):
            raise DataError(
                f'Autoencoder: X goes from {x.min():g} to {x.max():g}; output="logistic" gives back 0 to 1',
                (),
                "Scale X into 0..1.",
            )
        return x, x

    def _output(self) -> tuple[str, int]:
        return self.output, self.n_features_in_

    def _validation_score(self, x: Array, y: Array, weights: Array) -> float:
        return self.score(x)

    def _batch(self, n: int) -> int:
        return n if isinstance(self.batch_size, str) else min(int(self.batch_size), n)

    def _half(self, rows: Array, down: bool) -> Array:
        n = (self.n_layers_ - 1) // 2
        dtype = str(self.coefs_[0].dtype)
        part = slice(0, n) if down else slice(n, 2 * n)
        architecture = Architecture(n, self.activation, self.activation if down else self.out_activation_, dtype)
        rows = np.ascontiguousarray(rows, dtype)
        return in_pieces(forward(architecture), rows, *self.coefs_[part], *self.intercepts_[part])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
