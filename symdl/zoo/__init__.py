"""Models that are ready to train: `MLP().fit(x, y)`, and `load` for weights of any of them."""

from symdl.zoo.base import Classifier, Config, Model
from symdl.zoo.cnn import VGG, LeNet
from symdl.zoo.linear import LinearRegression
from symdl.zoo.logistic import LogisticRegression
from symdl.zoo.mlp import DIGITS, MLP, MNIST, MLPConfig
from symdl.zoo.perceptron import Perceptron
from symdl.zoo.registry import MODELS, RECIPES, Recipe, load, recipe

__all__ = [
    "DIGITS",
    "MLP",
    "MNIST",
    "MODELS",
    "RECIPES",
    "VGG",
    "Classifier",
    "Config",
    "LeNet",
    "LinearRegression",
    "LogisticRegression",
    "MLPConfig",
    "Model",
    "Perceptron",
    "Recipe",
    "load",
    "recipe",
]
