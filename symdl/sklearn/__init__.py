"""scikit-learn estimators, trained by symdl: `from symdl.sklearn import MLPClassifier`. docs/sklearn.md lists them."""

from symdl.sklearn.autoencoder import Autoencoder
from symdl.sklearn.boltzmann import BernoulliRBM, DBNClassifier
from symdl.sklearn.convolutional import CNNClassifier
from symdl.sklearn.linear import LogisticRegression, Perceptron
from symdl.sklearn.perceptrons import MLPClassifier, MLPRegressor

__all__ = [
    "Autoencoder",
    "BernoulliRBM",
    "CNNClassifier",
    "DBNClassifier",
    "LogisticRegression",
    "MLPClassifier",
    "MLPRegressor",
    "Perceptron",
]
