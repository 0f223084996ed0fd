"""What every model of the zoo is: a config, parameters, fit, evaluate, a weights file, and clear errors for what does not fit."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np

from symdl.errors import ConfigError, DataError, ShapeError
from symdl.interop import safetensors
from symdl.nn.callbacks import Callback
from symdl.nn.full_batch import minimize
from symdl.nn.history import History
from symdl.nn.metrics import confusion
from symdl.nn.plans import Validation
from symdl.nn.training import Trainer, Transform, fit
from symdl.nn.weights import assign, values
from symdl.plot.network import Diagram, network
from symdl.runtime.storage import SharedVariable

Array = np.ndarray[Any, np.dtype[Any]]
FORMAT = "symdl weights 1"


@dataclass(frozen=True)
class Config:
    """What defines a model and its training. Every field is a number, a string, or a tuple of these, so that a config can
    be read from JSON and from a command line. Raises ConfigError for values that make no model.

    seed: of weights, shuffling and noise. dtype: float32 or float64.
    """

    batch_size: int = 32
    epochs: int = 40
    seed: int = 0
    dtype: str = "float32"

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, self._plain(field.name, getattr(self, field.name), field.default))
        if self.seed < 0:
            raise ConfigError(f"{type(self).__name__}: seed {self.seed} is below 0")
        if self.dtype not in ("float32", "float64"):
            raise ConfigError(f"{type(self).__name__}: dtype {self.dtype!r} is neither float32 nor float64")

    def _plain(self, name: str, value: Any, default: Any) -> Any:
        """The value of a field, of the kind that its default is of; NumPy's numbers as Python's, JSON's lists as tuples."""
        match default:
            case bool():
                fits, kind = isinstance(value, bool | np.bool_), "neither True nor False"
            case int():
                fits, kind = isinstance(value, int | np.integer) and not isinstance(value, bool), "no integer"
            case float():
                real = int | float | np.integer | np.floating
                fits, kind = isinstance(value, real) and not isinstance(value, bool), "no number"
            case str():
                fits, kind = isinstance(value, str), "no text"
            case _:
                fits, kind = isinstance(value, list | tuple), "no tuple"
        if not fits:
            raise ConfigError(f"{type(self).__name__}: {name} is {value!r}, {kind}")
        if isinstance(value, list | tuple):
            return tuple(one.item() if isinstance(one, np.generic) else one for one in value)
        return value.item() if isinstance(value, np.generic) else value


_Config = Config  # the attribute of a model hides it


class Model(ABC):
    """The base of the zoo's models.

    config: the class's own if not given; `changes` are fields of it that differ. A subclass states its name in weights
    files, the type of its configs, and how it is built, fitted and evaluated.
    """

    name: ClassVar[str]
    Config: ClassVar[type[_Config]]
    config: Any
    trainer: Trainer

    def __init__(self, config: _Config | None = None, **changes: Any) -> None:
        unknown = sorted(changes.keys() - {f.name for f in fields(self.Config)})
        if unknown:
            options = ", ".join(f.name for f in fields(self.Config))
            raise ConfigError(
                f"{type(self).__name__}: there is no option {', '.join(unknown)}", (), f"options: {options}"
            )
        self.config = replace(self.Config() if config is None else config, **changes)
        self.range: tuple[float, float] | None = None  # of the inputs it was trained on; None before fit
        self.data = ""  # the name of what it was trained on, where it has one
        self.class_names: tuple[str, ...] = ()  # of the labels, where they are more than numbers
        self.build()

    @abstractmethod
    def build(self) -> None:
        """Make the parameters, fresh, from the config."""

    @property
    @abstractmethod
    def features(self) -> int:
        """How many numbers an example has."""

    @property
    @abstractmethod
    def parameters(self) -> list[SharedVariable]:
        """All that a weights file holds."""

    # ---- training ----

    def fit(
        self,
        x: Any,
        y: Any = None,
        *,
        validation: Validation = None,
        callbacks: Sequence[Callback] = (),
        transform: Transform | None = None,
        verbose: Literal[0, 1] = 1,
    ) -> History:
        """Train from fresh weights on x[n, features], for some models with labels y[n]; two calls with one seed give the
        same bits. validation: the data to hold out, or the fraction of the data, its end. See `symdl.nn.fit`.

        Raises ShapeError or DataError for data that do not fit the model.
        """
        data = self.examples(x, y, "fit")
        held_out = self.held_out(validation, "fit")
        self.reset()
        self.seen(data[0])
        how: dict[str, Any] = {"callbacks": callbacks, "transform": transform, "verbose": verbose}
        return self.train(*data, validation=held_out, **how)

    def examples(self, x: Any, y: Any, where: str) -> tuple[Array, ...]:
        """Data as training takes them, an array for each input of the objective."""
        return (self.training_inputs(x, where),)

    def training_inputs(self, x: Any, where: str) -> Array:
        """x as `inputs` has it, and as the model can learn from it."""
        return self.inputs(x, where)

    def held_out(self, validation: Validation, where: str) -> Validation:
        """The data to hold out, as `examples` has them; a fraction stays one."""
        if validation is None or isinstance(validation, float | int):
            return validation
        if not isinstance(validation, list | tuple) or not 1 <= len(validation) <= 2:
            raise ConfigError(
                f"{where}: validation is a fraction, or the data to hold out: (x, y), or (x,) without labels"
            )
        return self.examples(validation[0], validation[1] if len(validation) == 2 else None, where)

    def reset(self) -> None:
        """Back to fresh weights and random numbers."""
        self.trainer.reset()

    def train(
        self, *data: Array, callbacks: Sequence[Callback] = (), transform: Transform | None = None, **how: Any
    ) -> History:
        """Training from where the parameters are; how: the further arguments of `symdl.nn.fit`."""
        c = self.config
        how |= {"callbacks": callbacks, "transform": transform, "model": self}
        return fit(self.trainer, *data, epochs=c.epochs, batch_size=c.batch_size, **how)

    def search(self, *data: Array, tolerance: float, transform: Transform | None = None, **how: Any) -> History:
        """Training by L-BFGS over all data at once, in at most `epochs` iterations; how: as of `train`."""
        if transform is not None:
            raise ConfigError(f"{self.name}: l-bfgs sees all data at once, and transforms none")
        return minimize(self.trainer, *data, max_iterations=self.config.epochs, tolerance=tolerance, model=self, **how)

    @property
    def stop_training(self) -> bool:
        """Set to True by a callback, it ends the run after the epoch."""
        return self.trainer.stop_training

    @stop_training.setter
    def stop_training(self, value: bool) -> None:
        self.trainer.stop_training = value

    @property
    def learning_rate(self) -> float:
        """The learning rate now; set, it takes effect at the next step."""
        return float(self.trainer.learning_rate.get_value())

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self.trainer.learning_rate.set_value(np.float64(value))

    @abstractmethod
    def evaluate(self, x: Any, y: Any = None) -> dict[str, float]:
        """How good the model is on data: its measures by name, the most telling one first."""

    def plot(self, names: Sequence[Sequence[str]] | None = None) -> Diagram:
        """The network as a picture, a line for each weight, as thick as it is large: see `symdl.plot.network`."""
        return network(self, names)

    def save(self, path: str | os.PathLike[str], data: str | None = None) -> None:
        """Write weights and config to a safetensors file. data: the name of what it was trained on."""
        self.data = self.data if data is None else data
        metadata = {
            "format": FORMAT,
            "symdl.model": self.name,
            "symdl.config": json.dumps(asdict(self.config)),
            "symdl.range": json.dumps(self.range),
            "symdl.classes": json.dumps(self.class_names),
            "data": self.data,
        }
        safetensors.save(path, values(self.parameters), metadata)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The model of a file that `save` wrote. Raises DataError when it is none."""
        return cls.from_arrays(*safetensors.load(path), str(path))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], metadata: Mapping[str, str], source: str) -> Self:
        """The model of arrays and metadata as `save` writes them; `source` is what an error calls them."""
        if metadata.get("format") != FORMAT or metadata.get("symdl.model") != cls.name:
            found = f"format {metadata.get('format')!r}, model {metadata.get('symdl.model')!r}"
            raise DataError(f"load: {source} holds no weights of the model {cls.name}: {found}")
        try:
            config = json.loads(metadata["symdl.config"])
            _plausible(config, sum(a.size for a in arrays.values()))
            model = cls(**config)
            limits = json.loads(metadata["symdl.range"])
            model.range = None if limits is None else (float(limits[0]), float(limits[1]))
            model.class_names = tuple(map(str, json.loads(metadata.get("symdl.classes", "[]"))))
            model.data = metadata.get("data", "")
        except (LookupError, TypeError, ValueError) as error:  # ConfigError and JSONDecodeError are ValueErrors
            raise DataError(f"load: the metadata of {source} describe no {cls.name} ({error})") from error
        model.trainer.remember()  # so that `fit` begins with fresh weights, not with those of the file
        assign(model.parameters, arrays, source)
        return model

    # ---- data that fit ----

    def inputs(self, x: Any, where: str) -> Array:
        """x as a matrix of the model's dtype: images are flattened, one example is a batch of one."""
        try:
            array = np.asarray(x)
        except ValueError as error:
            raise DataError(f"{where}: x has rows of different lengths") from error
        if array.dtype.kind not in "biuf":
            raise DataError(f"{where}: x holds {array.dtype}, not numbers")
        rows = array.reshape(1 if array.ndim == 1 else len(array), -1) if array.ndim and array.size else array
        if not array.size or rows.ndim != 2 or rows.shape[1] != self.features:
            weights = self.parameters[0]
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

    def new_inputs(self, x: Any, where: str) -> Array:
        """Inputs for a trained model: of about the range that it was trained on."""
        if self.range is None:
            raise DataError(
                f"{where}: this {type(self).__name__} has no trained weights yet",
                (),
                "Call fit, or symdl.zoo.load(path).",
            )
        rows = self.inputs(x, where)
        low, high = self.range
        if rows.min() < low - (high - low) or rows.max() > high + (high - low):
            raise DataError(
                f"{where}: inputs from {rows.min():g} to {rows.max():g} meet a model trained on {low:g} to {high:g}",
                (),
                "Scale the inputs as the training data were (symdl predict has --scale).",
            )
        return rows

    def seen(self, x: Array) -> None:
        """Note the range of the inputs that the model has been trained on."""
        self.range = float(x.min()), float(x.max())


class Classifier(Model):
    """A model that predicts labels 0, 1, ..."""

    @property
    @abstractmethod
    def classes(self) -> int:
        """How many labels there are."""

    @abstractmethod
    def predict_proba(self, x: Any) -> Array:
        """The probability of each class for each row of x: [n, classes], rows sum to 1."""

    def predict(self, x: Any) -> Array:
        """The likeliest class of each row of x: int64[n]."""
        labels: Array = self.predict_proba(x).argmax(axis=1)
        return labels

    def score(self, x: Any, y: Any) -> float:
        """The fraction of rows of x that are predicted as y says."""
        labels = self.labels(y, "score")
        return float((self._paired(x, labels) == labels).mean())

    def evaluate(self, x: Any, y: Any = None) -> dict[str, float]:
        return {"accuracy": self.score(x, y)}

    def examples(self, x: Any, y: Any, where: str) -> tuple[Array, ...]:
        return self.training_inputs(x, where), self.labels(y, where)

    def confusion(self, x: Any, y: Any) -> Array:
        """int64[classes, classes]: how many rows of label i (rows) were predicted as j (columns)."""
        labels = self.labels(y, "confusion")
        return confusion(labels, self._paired(x, labels), self.classes)

    def labels(self, y: Any, where: str) -> Array:
        """y as labels of the model."""
        labels = np.asarray(y)
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            shown = "nothing" if y is None else f"{labels.dtype}[{', '.join(map(str, labels.shape))}]"
            raise DataError(f"{where}: y is {shown}; it must hold one integer label an example")
        if labels.size and not 0 <= labels.min() <= labels.max() < self.classes:
            raise DataError(
                f"{where}: labels from {labels.min()} to {labels.max()} meet {self.classes} classes",
                (),
                f"Labels are 0 to {self.classes - 1}.",
            )
        return labels.astype(np.int64)

    def _paired(self, x: Any, labels: Array) -> Array:
        predicted = self.predict(x)
        if len(predicted) != len(labels):
            raise ShapeError(f"score: {len(predicted)} rows of x meet {len(labels)} labels of y")
        return predicted


def check_samples(n: int) -> None:
    """Raises ConfigError unless there is something to draw."""
    if n < 1:
        raise ConfigError(f"sample: {n} samples; there must be at least 1")


def _plausible(config: Mapping[str, Any], numbers: int) -> None:
    """Raises ValueError for a config that describes a larger model than a file of so many numbers can hold: nobody's file
    makes this process take memory that the file does not have."""
    training = {f.name for f in fields(Config)} | {"epochs", "pretraining", "steps"}
    for name, value in config.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            if name not in training and isinstance(one, int) and not isinstance(one, bool) and one > numbers:
                raise ValueError(f"{name} {value} is more than its {numbers} numbers are for")
