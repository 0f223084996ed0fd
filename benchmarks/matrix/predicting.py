"""One sample through `predict`, as each library has it: what a program pays that asks a trained network one thing at a time."""

from __future__ import annotations

import functools
import os
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.matrix.cells import Cell
from benchmarks.matrix.engine import Array, Engine, Formula, Run

WIDTHS = (784, 512, 128, 10)  # logistic units, then a softmax


class Predictor(Engine):
    """A library's own model of the cell's network. The arrays are the sample, then weights and biases by layer."""

    def namespace(self) -> SimpleNamespace:
        return SimpleNamespace()  # no formula is compiled

    def compiled(self, formula: Formula, arrays: Sequence[Array]) -> Run:
        x, *weights = arrays
        return functools.partial(self.predicting(weights), x)

    @abstractmethod
    def predicting(self, weights: Sequence[Array]) -> Any:
        """`predict` of the network of these weights."""


class KerasLike(Predictor):
    """Keras' own lines, by one Keras or the other."""

    def keras(self) -> Any:
        """The package."""
        os.environ.setdefault("KERAS_BACKEND", "jax")
        import keras

        return keras

    def predicting(self, weights: Sequence[Array]) -> Any:
        keras = self.keras()
        hidden = [keras.layers.Dense(n, "sigmoid") for n in WIDTHS[1:-1]]
        model = keras.Sequential([keras.Input(WIDTHS[:1]), *hidden, keras.layers.Dense(WIDTHS[-1], "softmax")])
        model.set_weights(weights)
        return functools.partial(model.predict, verbose=0)


class Symdl(KerasLike):
    name = "symdl"
    package = "symdl"

    def keras(self) -> Any:
        import symdl.nn
        from symdl.config import config

        config.threads = self.threads
        return symdl.nn


class Keras(KerasLike):
    name = "keras"
    package = "keras"


class Torch(Predictor):
    name = "torch"
    package = "torch"

    def predicting(self, weights: Sequence[Array]) -> Any:
        import torch

        torch.set_num_threads(self.threads)
        layers: list[Any] = []
        for w, b in zip(weights[::2], weights[1::2], strict=True):
            layer = torch.nn.Linear(*w.shape)
            layer.load_state_dict({"weight": torch.tensor(w.T), "bias": torch.tensor(b)})
            layers += [layer, torch.nn.Sigmoid()]
        model = torch.nn.Sequential(*layers[:-1], torch.nn.Softmax(1)).eval()

        def predict(x: Array) -> Array:
            with torch.inference_mode():
                return model(torch.from_numpy(x)).numpy()

        return predict


class ScikitLearn(Predictor):
    name = "scikit-learn"
    package = "sklearn"

    def predicting(self, weights: Sequence[Array]) -> Any:
        from sklearn.neural_network import MLPClassifier

        model = MLPClassifier(WIDTHS[1:-1], activation="logistic")
        rng = np.random.default_rng(0)
        labels = np.arange(WIDTHS[-1])
        model.partial_fit(rng.random((len(labels), WIDTHS[0]), np.float32), labels, classes=labels)
        model.coefs_, model.intercepts_ = list(weights[::2]), list(weights[1::2])
        return model.predict_proba


PREDICTORS: list[type[Engine]] = [Symdl, Keras, Torch, ScikitLearn]


def prediction() -> Iterator[Cell]:
    """The cell of group P."""

    def made(rng: np.random.Generator) -> list[Array]:
        x: Array = rng.random((1, WIDTHS[0]), np.float32)
        layers = [
            (0.1 * rng.standard_normal(shape)).astype(np.float32)
            for n, m in zip(WIDTHS, WIDTHS[1:], strict=False)
            for shape in ((n, m), (m,))
        ]
        return [x, *layers]

    def network(m: Any, x: Any, *p: Any) -> Any:
        for w, b in zip(p[:-2:2], p[1:-2:2], strict=True):
            x = m.sigmoid(x @ w + b)
        return m.softmax(x @ p[-2] + p[-1], axis=1)

    yield Cell("P", "predict of one sample", network, made)
