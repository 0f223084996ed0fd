"""The models of the zoo by the names that weights files carry, and recipes: a model, its data, and the number to reach."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from symdl.errors import ConfigError, DataError
from symdl.interop import safetensors
from symdl.zoo.autoencoder import Autoencoder, AutoencoderConfig
from symdl.zoo.base import Config, Model
from symdl.zoo.cnn import VGG, CNNConfig, LeNet, VGGConfig
from symdl.zoo.contractive import ContractiveAutoencoder, ContractiveConfig
from symdl.zoo.dbn import DBN, DBNConfig
from symdl.zoo.denoising import DenoisingAutoencoder, DenoisingConfig
from symdl.zoo.gaussian_rbm import GaussianRBM, GaussianRBMConfig
from symdl.zoo.linear import LinearConfig, LinearRegression
from symdl.zoo.logistic import LogisticConfig, LogisticRegression
from symdl.zoo.mlp import DIGITS, MLP, MNIST, MLPConfig
from symdl.zoo.perceptron import Perceptron, PerceptronConfig
from symdl.zoo.rbm import RBM, RBMConfig
from symdl.zoo.recurrent import LSTMClassifier, RecurrentConfig
from symdl.zoo.sentences import SentenceCNN, SentenceConfig
from symdl.zoo.sparse import SparseAutoencoder, SparseConfig
from symdl.zoo.stacked import StackedAutoencoder, StackedConfig
from symdl.zoo.variational import VariationalAutoencoder, VariationalConfig

MODELS: dict[str, type[Model]] = {
    model.name: model
    for model in (
        Perceptron,
        LinearRegression,
        LogisticRegression,
        MLP,
        LeNet,
        VGG,
        Autoencoder,
        DenoisingAutoencoder,
        ContractiveAutoencoder,
        SparseAutoencoder,
        VariationalAutoencoder,
        StackedAutoencoder,
        RBM,
        GaussianRBM,
        DBN,
        LSTMClassifier,
        SentenceCNN,
    )
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
# numbers of a code, the mean squared error that principal components reach on the test part, a hundredth more
PRINCIPAL = ((2, 0.05238, 0.05291), (8, 0.02427, 0.02451), (16, 0.01150, 0.01162), (32, 0.002650, 0.002677))
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
        Recipe("logistic-mnist", LogisticConfig(features=784, optimizer="sgd", learning_rate=0.13, batch_size=600, epochs=150),
               "mnist", gate=0.924, anchor=f"7.4896 % errors after 74 epochs, of the first 9,600 test images ({TUTORIALS})"),
        Recipe("mlp-digits", DIGITS, "digits", gate=0.974, anchor=f".9800 ({SKLEARN})", shipped=True),
        Recipe("mlp-avocado", MLPConfig(sizes=(3, 16, 2), activation="tanh", learning_rate=0.02, epochs=300), "avocado", gate=0.97),
        Recipe("mlp-xor", MLPConfig(sizes=(2, 8, 2), activation="tanh", learning_rate=0.02, epochs=60), "xor", gate=0.97),
        Recipe("mlp-circle", MLPConfig(sizes=(2, 8, 2), activation="tanh", learning_rate=0.02, epochs=60), "circle", gate=0.97),
        Recipe("mlp-spiral", MLPConfig(sizes=(2, 32, 32, 2), learning_rate=0.01, epochs=150), "spiral", gate=0.95),
        Recipe("mlp-mnist", MNIST, "mnist", gate=0.978),
        Recipe("lenet-digits", CNNConfig(), "digits", gate=0.968, anchor=f".9741 ({SKLEARN.replace('scikit-learn 1.9.1', 'torch 2.13')})",
               shipped=True),
        Recipe("lenet-mnist", CNNConfig(image=(1, 28, 28), filters=(20, 50), kernel=5, padding="valid", hidden=500, optimizer="sgd",
               learning_rate=0.1, batch_size=500, epochs=30), "mnist", gate=0.989, anchor=f".92 % errors after 200 epochs ({TUTORIALS})"),
        Recipe("vgg-digits", VGGConfig(), "digits", gate=0.974, anchor=".9806 (torch 2.13, seeds 0-2)", shipped=True),
        *(Recipe(f"autoencoder-digits-{k}", AutoencoderConfig(sizes=(64, k), activation="linear", output="linear", solver="l-bfgs",
                 epochs=2000, dtype="float64"), "digits", measure="mse", gate=gate, least=True,
                 anchor=f"{best} + 1 % (the first {k} principal components, seeds 0-4)")
          for k, best, gate in PRINCIPAL),
        Recipe("rbm-bits", RBMConfig(sizes=(64, 20), steps=5, particles=100, epochs=100), "bits", measure="log_likelihood", gate=-19.3,
               anchor="-18.80 (scikit-learn 1.9.1, PCD, 100 epochs, seed 0; exact log Z); independent pixels -25.25", shipped=True),
        Recipe("rbm-digits", RBMConfig(sizes=(64, 100), learning_rate=0.06, batch_size=10, epochs=20), "digits",
               measure="pseudo_likelihood"),
        Recipe("rbm-mnist", RBMConfig(sizes=(784, 500), steps=15, learning_rate=0.1, spread=0.04, epochs=10), "mnist",
               measure="pseudo_likelihood", gate=-70, anchor=f"-62.76 ({TUTORIALS}, one unit a batch)"),
        Recipe("gaussian_rbm-digits", GaussianRBMConfig(sizes=(64, 20), deviation=0.2, persistent=False, epochs=40), "digits",
               measure="log_likelihood"),
        Recipe("dbn-digits", DBNConfig(), "digits", gate=0.970, anchor=".8778 (scikit-learn 1.9.1, RBM-RBM-LR, not fine-tuned, seeds 0-2)", shipped=True),
        Recipe("dbn-mnist", DBNConfig(sizes=(784, 1000, 1000, 1000, 10), persistent=False, drawn=False, pretraining_rate=0.1, pretraining_batch=100,
               pretraining_epochs=10, optimizer="sgd", learning_rate=0.1, batch_size=20, epochs=12), "mnist", gate=0.984,
               anchor=f"1.34 % errors ({TUTORIALS}, 100 epochs of pretraining at .01 and batches of 10)"),
        Recipe("denoising-digits", DenoisingConfig(sizes=(64, 100)), "digits", measure="mse"),
        Recipe("contractive-digits", ContractiveConfig(sizes=(64, 100)), "digits", measure="mse"),
        Recipe("sparse-patches", SparseConfig(epochs=120), "patches", measure="edges", gate=0.85, anchor=".94 (NumPy and SciPy, one seed)"),
        Recipe("variational-bits", VariationalConfig(), "bits", measure="elbo", gate=-18.5, anchor="-18.260 nats (torch 2.13, one seed)", shipped=True),
        Recipe("variational-bits-2", VariationalConfig(code=2), "bits", measure="elbo", gate=-20.4,
               anchor="-20.082 nats (torch 2.13, one seed)"),
        Recipe("stacked-digits", StackedConfig(), "digits", gate=0.970, shipped=True),
        Recipe("stacked-mnist", StackedConfig(sizes=(784, 1000, 1000, 1000, 10), corruption=(0.1, 0.2, 0.3), pretraining_epochs=6,
               pretraining_optimizer="adam", pretraining_rate=0.001, optimizer="sgd", learning_rate=0.2, momentum=0.9, batch_size=50,
               epochs=15), "mnist", gate=0.984,
               anchor=f"1.3 % errors ({TUTORIALS}, 15 epochs of pretraining at .001, 36 of fine-tuning at .1, batches of 1)"),
        Recipe("lstm-digits", RecurrentConfig(), "digits", gate=0.965, shipped=True),
        Recipe("sentences-sentences", SentenceConfig(), "sentences", gate=0.98, anchor=".56 (counts of words, scikit-learn's LogisticRegression)"),
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


def model_in(path: str | os.PathLike[str]) -> Model:
    """The model in a weights file that some model's `save` wrote.

    Raises DataError when the file is none, or is of a model that this version does not have.
    """
    arrays, metadata = safetensors.load(path)
    name = metadata.get("symdl.model", "")
    if name not in MODELS:
        what = f"of the model {name!r}" if name else "not written by symdl"
        raise DataError(f"load: {path} is {what}", (), f"models: {', '.join(MODELS)}")
    return MODELS[name].from_arrays(arrays, metadata, str(path))
