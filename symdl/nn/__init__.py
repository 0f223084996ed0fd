"""Neural networks: layers, losses, optimizers and one training loop, all of them plain expressions and updates."""

from symdl.nn.activations import ACTIVATIONS, activation
from symdl.nn.callbacks import Callback, Checkpoint, EarlyStopping, LambdaCallback
from symdl.nn.full_batch import minimize
from symdl.nn.history import EpochRecord, History
from symdl.nn.images import Conv2D, Flatten, Pool2D
from symdl.nn.initializers import INITIALIZERS, initializer
from symdl.nn.layers import Chain, Dense, Dropout, Layer, Training
from symdl.nn.losses import (
    LOSSES,
    binary_accuracy,
    binary_crossentropy,
    categorical_accuracy,
    categorical_crossentropy,
    hinge,
    huber,
    kl_divergence,
    mean_absolute_error,
    mean_squared_error,
    poisson,
)
from symdl.nn.metrics import confusion, confusion_text
from symdl.nn.objective import Objective, supervised
from symdl.nn.optimizers import OPTIMIZERS, SGD, Adadelta, Adagrad, Adam, Optimizer, RMSprop
from symdl.nn.progress import Progress
from symdl.nn.sequential import Sequential
from symdl.nn.training import Trainer, fit, fit_iter

__all__ = [
    "ACTIVATIONS",
    "INITIALIZERS",
    "LOSSES",
    "OPTIMIZERS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "Callback",
    "Chain",
    "Checkpoint",
    "Conv2D",
    "Dense",
    "Dropout",
    "EarlyStopping",
    "EpochRecord",
    "Flatten",
    "History",
    "LambdaCallback",
    "Layer",
    "Objective",
    "Optimizer",
    "Pool2D",
    "Progress",
    "RMSprop",
    "Sequential",
    "Trainer",
    "Training",
    "activation",
    "binary_accuracy",
    "binary_crossentropy",
    "categorical_accuracy",
    "categorical_crossentropy",
    "confusion",
    "confusion_text",
    "fit",
    "fit_iter",
    "hinge",
    "huber",
    "initializer",
    "kl_divergence",
    "mean_absolute_error",
    "mean_squared_error",
    "minimize",
    "poisson",
    "supervised",
]
