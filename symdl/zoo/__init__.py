"""Models that are ready to train: `MLP().fit(x, y)`, and `load` for weights of any of them."""

from symdl.zoo.mlp import CONFIGURATIONS, DIGITS, MLP, MNIST, MLPConfig
from symdl.zoo.registry import MODELS, load

__all__ = ["CONFIGURATIONS", "DIGITS", "MLP", "MNIST", "MODELS", "MLPConfig", "load"]
