"""The models of the zoo by the names that weights files carry, and recipes: a model, its data, and the number to reach."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from symdl.errors import ConfigError, DataError
from symdl.interop import safetensors
from symdl.zoo.base import Config, Model
from symdl.zoo.cnn import VGG, CNNConfig, LeNet, VGGConfig
from symdl.zoo.linear import LinearConfig, LinearRegression
from symdl.zoo.logistic import LogisticConfig, LogisticRegression
from symdl.zoo.mlp import DIGITS, MLP, MNIST, MLPConfig
from symdl.zoo.perceptron import Perceptron, PerceptronConfig

MODELS: dict[str, type[Model]] = {
    model.name: model for model in (Perceptron, LinearRegression, LogisticRegression, MLP, LeNet, VGG)
}


@dataclass(frozen=True)
class Recipe:
    """What is trained on which data, and what is expected of it.

    measure: the first name in what evaluate gives; its mean over seeds 0 to 4 is to be at least `gate` (at most, where
    `least` is said). anchor: what others reached, and where that is written. shipped: weights of seed 0 are in the package.
    """

    name: str
    config: Config
    data: str
    measure: str = "accuracy"
    gate: float | None = None
    least: bool = False
    anchor: str = ""
    shipped: bool = False

    @property
    def model(self) -> str:
        return self.name.partition("-")[0]

    def make(self, **changes: Any) -> Model:
        """The model, untrained."""
        return MODELS[self.model](self.config, **changes)

    def reached(self, value: float) -> bool:
        """Whether a measure meets the gate."""
        return self.gate is None or (value <= self.gate if self.least else value >= self.gate)


SKLEARN = "scikit-learn 1.9.1, mean of seeds 0-4"
TUTORIALS = "deeplearning.net tutorials"
RECIPES: dict[str, Recipe] = {
    r.name: r
    for r in (
        Recipe("perceptron-digits", PerceptronConfig(), "digits", gate=0.930, anchor=f".9411 ({SKLEARN})", shipped=True),
        Recipe("perceptron-and", PerceptronConfig(features=2, classes=2), "and", gate=1.0, anchor="separable"),
        Recipe("perceptron-gauss", PerceptronConfig(features=2, classes=2), "gauss", gate=0.99, anchor="separable"),
        Recipe("perceptron-xor", PerceptronConfig(features=2, classes=2), "xor", anchor="is seen to fail: one line cannot"),
        Recipe("linear-diabetes", LinearConfig(), "diabetes", measure="r2", anchor="least squares by LAPACK"),
        Recipe("logistic-digits", LogisticConfig(l2=1e-4, solver="l-bfgs", epochs=200), "digits", gate=0.962,
               anchor=f".9683 ({SKLEARN})", shipped=True),
        Recipe("logistic-avocado", LogisticConfig(features=3, classes=2, epochs=100), "avocado"),
        Recipe("logistic-mnist", LogisticConfig(features=784, optimizer="sgd", learning_rate=0.13, batch_size=600, epochs=74),
               "mnist", gate=0.924, anchor=f"7.4896 % errors ({TUTORIALS})"),
        Recipe("mlp-digits", DIGITS, "digits", gate=0.974, anchor=f".9800 ({SKLEARN})", shipped=True),
        Recipe("mlp-avocado", MLPConfig(sizes=(3, 16, 2), activation="tanh", learning_rate=0.02, epochs=300), "avocado", gate=0.97),
        Recipe("mlp-xor", MLPConfig(sizes=(2, 8, 2), activation="tanh", learning_rate=0.02, epochs=60), "xor", gate=0.97),
        Recipe("mlp-circle", MLPConfig(sizes=(2, 8, 2), activation="tanh", learning_rate=0.02, epochs=60), "circle", gate=0.97),
        Recipe("mlp-spiral", MLPConfig(sizes=(2, 32, 32, 2), learning_rate=0.01, epochs=150), "spiral", gate=0.95),
        Recipe("mlp-mnist", MNIST, "mnist", gate=0.978),
        Recipe("lenet-digits", CNNConfig(), "digits", gate=0.968, anchor=f".9741 ({SKLEARN.replace('scikit-learn 1.9.1', 'torch 2.13')})",
               shipped=True),
        Recipe("lenet-mnist", CNNConfig(image=(1, 28, 28), filters=(20, 50), kernel=5, padding="valid", hidden=500, optimizer="sgd",
               learning_rate=0.1, batch_size=500, epochs=200), "mnist", gate=0.989, anchor=f".92 % errors ({TUTORIALS})"),
        Recipe("vgg-digits", VGGConfig(), "digits", gate=0.974, anchor=".9806 (torch 2.13, seeds 0-2)", shipped=True),
    )
}  # fmt: skip


def recipe(name: str, data: str | None = None) -> Recipe:
    """The recipe of this name, or the first of the model of this name, with these data if they are named.

    Raises ConfigError where there is none.
    """
    if name in RECIPES and data in (None, RECIPES[name].data):
        return RECIPES[name]
    own = [r for r in RECIPES.values() if r.model == name]
    if not own:
        raise ConfigError(
            f"there is no model {name!r}", (), f"models: {', '.join(MODELS)}; recipes: {', '.join(RECIPES)}"
        )
    for one in own:
        if data in (None, one.data):
            return one
    raise ConfigError(f"there is no recipe of {name} for {data}", (), f"recipes: {', '.join(r.name for r in own)}")


def load(path: str | os.PathLike[str]) -> Model:
    """The model in a weights file that some model's `save` wrote.

    Raises DataError when the file is none, or is of a model that this version does not have.
    """
    arrays, metadata = safetensors.load(path)
    name = metadata.get("symdl.model", "")
    if name not in MODELS:
        what = f"of the model {name!r}" if name else "not written by symdl"
        raise DataError(f"load: {path} is {what}", (), f"models: {', '.join(MODELS)}")
    return MODELS[name].from_arrays(arrays, metadata, str(path))
