"""Models that are ready to train: `MLP().fit(x, y)`, and `load` for weights of any of them."""

from symdl.zoo.autoencoder import Autoencoder
from symdl.zoo.base import Classifier, Config, Model
from symdl.zoo.cnn import VGG, LeNet
from symdl.zoo.contractive import ContractiveAutoencoder
from symdl.zoo.dbn import DBN
from symdl.zoo.denoising import DenoisingAutoencoder
from symdl.zoo.gaussian_rbm import GaussianRBM
from symdl.zoo.linear import LinearRegression
from symdl.zoo.logistic import LogisticRegression
from symdl.zoo.mlp import DIGITS, MLP, MNIST, MLPConfig
from symdl.zoo.perceptron import Perceptron
from symdl.zoo.pretrained import load
from symdl.zoo.rbm import RBM
from symdl.zoo.recurrent import LSTMClassifier
from symdl.zoo.registry import MODELS, RECIPES, Recipe, recipe
from symdl.zoo.sentences import SentenceCNN
from symdl.zoo.sparse import SparseAutoencoder
from symdl.zoo.stacked import StackedAutoencoder
from symdl.zoo.transfer import transferred
from symdl.zoo.variational import VariationalAutoencoder

__all__ = [
    "DBN",
    "DIGITS",
    "MLP",
    "MNIST",
    "MODELS",
    "RBM",
    "RECIPES",
    "VGG",
    "Autoencoder",
    "Classifier",
    "Config",
    "ContractiveAutoencoder",
    "DenoisingAutoencoder",
    "GaussianRBM",
    "LSTMClassifier",
    "LeNet",
    "LinearRegression",
    "LogisticRegression",
    "MLPConfig",
    "Model",
    "Perceptron",
    "Recipe",
    "SentenceCNN",
    "SparseAutoencoder",
    "StackedAutoencoder",
    "VariationalAutoencoder",
    "load",
    "recipe",
    "transferred",
]
