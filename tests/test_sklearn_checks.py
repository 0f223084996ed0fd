"""scikit-learn's own checks of every estimator of symdl.sklearn, none of them expected to fail."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("sklearn", reason="pip install symdl[zoo]")

from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

import symdl.sklearn

# small and short, for the checks fit each some 150 times; what they leave out is as the constructor has it
ESTIMATORS: dict[str, BaseEstimator] = {
    "Autoencoder": symdl.sklearn.Autoencoder((4,), max_iter=10),
    "BernoulliRBM": symdl.sklearn.BernoulliRBM(8, n_iter=3),
    "CNNClassifier": symdl.sklearn.CNNClassifier(
        None, 4, hidden_layer_sizes=(8,), learning_rate_init=0.02, max_iter=20
    ),
    "DBNClassifier": symdl.sklearn.DBNClassifier((16, 8), pretraining_iter=3, max_iter=60),
    "LogisticRegression": symdl.sklearn.LogisticRegression(),
    "MLPClassifier": symdl.sklearn.MLPClassifier((20,), learning_rate_init=0.01, max_iter=60),
    "MLPRegressor": symdl.sklearn.MLPRegressor(hidden_layer_sizes=(20,), learning_rate_init=0.02, max_iter=100),
    "Perceptron": symdl.sklearn.Perceptron(),
}


def test_every_estimator_is_checked() -> None:
    assert list(ESTIMATORS) == symdl.sklearn.__all__


@parametrize_with_checks(list(ESTIMATORS.values()))  # type: ignore[untyped-decorator]  # scikit-learn has no types
@pytest.mark.filterwarnings("ignore")  # of runs that end before they converge
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)
