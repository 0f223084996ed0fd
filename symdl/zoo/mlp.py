"""The multilayer perceptron: dense layers that classify, by fit and predict."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, Self

import numpy as np

import symdl.tensor as T
from symdl.errors import ConfigError, DataError, ShapeError
from symdl.interop import safetensors
from symdl.nn.activations import activation
from symdl.nn.callbacks import Callback
from symdl.nn.history import History
from symdl.nn.layers import Dense, Dropout, Layer, Sequential
from symdl.nn.losses import categorical_accuracy
from symdl.nn.metrics import confusion
from symdl.nn.optimizers import optimizer
from symdl.nn.training import Trainer, Validation, fit
from symdl.nn.weights import assign, values

Array = np.ndarray[Any, np.dtype[Any]]
FORMAT = "symdl weights 1"


@dataclass(frozen=True)
class MLPConfig:
    """What defines an MLP and its training.

    sizes: features, units of each hidden layer, classes. activation: of the hidden layers; the last is softmax.
    initializer: of all weights. dropout: rate after each hidden layer. seed: of weights, shuffling and dropout.
    """

    sizes: tuple[int, ...] = (64, 100, 10)
    activation: str = "relu"
    initializer: str = "glorot_uniform"
    dropout: float = 0.0
    optimizer: str = "adam"
    learning_rate: float = 0.003
    batch_size: int = 32
    epochs: int = 40
    seed: int = 0
    dtype: str = "float32"

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", tuple(self.sizes))  # JSON brings a list
        if len(self.sizes) < 2 or not all(type(n) is int and n > 0 for n in self.sizes):
            raise ConfigError(f"MLP: sizes {self.sizes} are not (features, ..., classes), each at least 1")
        if self.dtype not in ("float32", "float64"):
            raise ConfigError(f"MLP: dtype {self.dtype!r} is neither float32 nor float64")
        activation(self.activation)
        optimizer(self.optimizer)


DIGITS = MLPConfig()
MNIST = MLPConfig(sizes=(784, 512, 128, 10), activation="sigmoid", learning_rate=0.001, batch_size=256, epochs=20)
CONFIGURATIONS = {"digits": DIGITS, "mnist": MNIST}


class MLP:
    """A classifier of rows of numbers into classes 0, 1, ...: dense layers, softmax, cross-entropy.

        model = MLP(sizes=(64, 100, 10))
        model.fit(x_train, y_train)
        model.score(x_test, y_test)

    config: DIGITS if not given; `changes` are fields of MLPConfig that differ from it. The attributes are config,
    model (a Sequential) and trainer.
    """

    name = "mlp"

    def __init__(self, config: MLPConfig = DIGITS, **changes: Any) -> None:
        unknown = sorted(changes.keys() - {f.name for f in fields(MLPConfig)})
        if unknown:
            options = ", ".join(f.name for f in fields(MLPConfig))
            raise ConfigError(f"MLP: there is no option {', '.join(unknown)}", (), f"options: {options}")
        self.config = c = replace(config, **changes)
        rng = np.random.default_rng(c.seed)
        layers: list[Layer] = []
        last = len(c.sizes) - 2
        for k, (inputs, units) in enumerate(zip(c.sizes, c.sizes[1:], strict=False)):
            kind = c.activation if k < last else "softmax"
            layers.append(Dense(inputs, units, kind, c.initializer, rng=rng, dtype=c.dtype, name=f"layer{k}"))
            if c.dropout and k < last:
                layers.append(Dropout(c.dropout))
        self.model = Sequential(layers)
        self.trainer = Trainer(
            self.model,
            T.tensor("x", dtype=c.dtype, shape=(None, c.sizes[0])),
            T.tensor("y", dtype="int64", shape=(None,)),
            optimizer=optimizer(c.optimizer, c.learning_rate),
            metrics={"accuracy": categorical_accuracy},
            seed=c.seed,
        )
        self.range: tuple[float, float] | None = None  # of the inputs it was trained on; None before fit

    @property
    def features(self) -> int:
        return self.config.sizes[0]

    @property
    def classes(self) -> int:
        return self.config.sizes[-1]

    def fit(
        self,
        x: Any,
        y: Any,
        *,
        validation: Validation = None,
        callbacks: Sequence[Callback] = (),
        verbose: Literal[0, 1] = 1,
    ) -> History:
        """Train from fresh weights on x[n, features] and labels y[n]; two calls with one seed give the same bits.

        validation: a pair (x, y), or the fraction of the data, its end, to hold out. See `symdl.nn.fit`.
        Raises ShapeError or DataError for data that do not fit the model.
        """
        x, y = self._inputs(x, "fit"), self._labels(y, "fit")
        if isinstance(validation, tuple):
            validation = self._inputs(validation[0], "fit"), self._labels(validation[1], "fit")
        self.trainer.reset()
        c = self.config
        history = fit(
            self.trainer,
            x,
            y,
            epochs=c.epochs,
            batch_size=c.batch_size,
            validation=validation,
            callbacks=callbacks,
            verbose=verbose,
        )
        self.range = float(x.min()), float(x.max())
        return history

    def predict_proba(self, x: Any) -> Array:
        """The probability of each class for each row of x: [n, classes], rows sum to 1."""
        if self.range is None:
            raise DataError(
                "predict: this MLP has no trained weights yet", (), "Call fit(x, y), or symdl.zoo.load(path)."
            )
        x = self._inputs(x, "predict")
        low, high = self.range
        if x.min() < low - (high - low) or x.max() > high + (high - low):
            raise DataError(
                f"predict: inputs from {x.min():g} to {x.max():g} meet a model trained on {low:g} to {high:g}",
                (),
                "Scale the inputs as the training data were (symdl predict has --scale).",
            )
        return self.trainer.predict(x)

    def predict(self, x: Any) -> Array:
        """The likeliest class of each row of x: int64[n]."""
        labels: Array = self.predict_proba(x).argmax(axis=1)
        return labels

    def score(self, x: Any, y: Any) -> float:
        """The fraction of rows of x that are predicted as y says."""
        labels = self._labels(y, "score")
        return float((self._paired(x, labels) == labels).mean())

    def confusion(self, x: Any, y: Any) -> Array:
        """int64[classes, classes]: how many rows of label i (rows) were predicted as j (columns)."""
        labels = self._labels(y, "confusion")
        return confusion(labels, self._paired(x, labels), self.classes)

    def save(self, path: str | os.PathLike[str], data: str = "") -> None:
        """Write weights and config to a safetensors file. data: the name of what it was trained on."""
        metadata = {
            "format": FORMAT,
            "symdl.model": self.name,
            "symdl.config": json.dumps(asdict(self.config)),
            "symdl.range": json.dumps(self.range),
            "data": data,
        }
        safetensors.save(path, values(self.model.parameters), metadata)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The model of a file that `save` wrote. Raises DataError when it is none."""
        return cls.from_arrays(*safetensors.load(path), str(path))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], metadata: Mapping[str, str], source: str) -> Self:
        """The model of arrays and metadata as `save` writes them; `source` is what an error calls them."""
        if metadata.get("format") != FORMAT or metadata.get("symdl.model") != cls.name:
            found = f"format {metadata.get('format')!r}, model {metadata.get('symdl.model')!r}"
            raise DataError(f"load: {source} holds no weights of an {cls.name}: {found}")
        try:
            model = cls(**json.loads(metadata["symdl.config"]))
            limits = json.loads(metadata["symdl.range"])
            model.range = None if limits is None else (float(limits[0]), float(limits[1]))
        except (KeyError, TypeError, ValueError) as error:  # ConfigError and JSONDecodeError are ValueErrors
            raise DataError(f"load: the metadata of {source} describe no {cls.name} ({error})") from error
        assign(model.model.parameters, arrays, source)
        return model

    def __repr__(self) -> str:
        return f"MLP({'-'.join(map(str, self.config.sizes))}, {self.config.activation})"

    def _paired(self, x: Any, labels: Array) -> Array:
        predicted = self.predict(x)
        if len(predicted) != len(labels):
            raise ShapeError(f"score: {len(predicted)} rows of x meet {len(labels)} labels of y")
        return predicted

    def _inputs(self, x: Any, where: str) -> Array:
        """x as a matrix of the model's dtype: images are flattened, one example is a batch of one."""
        array = np.asarray(x)
        if array.dtype.kind not in "biuf":
            raise DataError(f"{where}: x holds {array.dtype}, not numbers")
        rows = array.reshape(1 if array.ndim == 1 else len(array), -1) if array.ndim and array.size else array
        if not array.size or rows.ndim != 2 or rows.shape[1] != self.features:
            weights = self.model.parameters[0]
            if array.size and rows.ndim == 2:
                head = f"{where}: {rows.shape[1]} features of x meet {self.features} inputs of the model"
            else:
                head = f"{where}: x has no rows of {self.features} features"
            shown = f"{array.dtype}[{', '.join(map(str, array.shape))}]"
            raise ShapeError(head, [("x", shown, ""), (str(weights.name), str(weights.type), "")])
        rows = np.ascontiguousarray(rows, dtype=self.config.dtype)
        finite = np.isfinite(rows)
        if not finite.all():
            row, column = np.argwhere(~finite)[0].tolist()
            raise DataError(f"{where}: x[{row}, {column}] is {rows[row, column]}")
        return rows

    def _labels(self, y: Any, where: str) -> Array:
        labels = np.asarray(y)
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            shown = f"{labels.dtype}[{', '.join(map(str, labels.shape))}]"
            raise DataError(f"{where}: y is {shown}; it must hold one integer label an example")
        if labels.size and not 0 <= labels.min() <= labels.max() < self.classes:
            raise DataError(
                f"{where}: labels from {labels.min()} to {labels.max()} meet {self.classes} classes",
                (),
                f"Labels are 0 to {self.classes - 1}.",
            )
        return labels.astype(np.int64)
