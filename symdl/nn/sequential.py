"""Sequential: layers one after another, as one writes and trains them in Keras, on the one training loop."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np

import symdl.tensor as T
from symdl.errors import ConfigError, DataError, ShapeError, SymdlError
from symdl.expr import Expr
from symdl.functions import Function, function
from symdl.interop import safetensors
from symdl.nn.chain import Chain
from symdl.nn.history import History
from symdl.nn.layer import Array, Extents, Layer, Training
from symdl.nn.losses import Loss
from symdl.nn.losses import loss as _loss
from symdl.nn.objective import Objective, supervised
from symdl.nn.optimizers import Optimizer
from symdl.nn.optimizers import optimizer as _optimizer
from symdl.nn.reshaping import Input
from symdl.nn.saving import from_plain, layer_from_plain, layer_to_plain, to_plain
from symdl.nn.summary import counts, summary
from symdl.nn.targets import class_weights, examples, finite, measured, targets, wants_labels
from symdl.nn.training import Trainer, Transform, fit, slices, weights_of
from symdl.nn.watching import Callback
from symdl.nn.weights import assign, values
from symdl.storage import SharedVariable

FORMAT = "symdl model 1"
OPTIMIZER = "optimizer/"  # before the names of the optimizer's state in a file


class Sequential(Chain):
    """Layers one after another; itself a layer, and a model that is trained as Keras' is.

        model = Sequential([Input((784,)), Dense(512, "sigmoid"), Dense(128, "sigmoid"), Dense(10, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(x, y, batch_size=256, epochs=20, validation_split=0.1)
        loss, accuracy = model.evaluate(x_test, y_test)
        probabilities = model.predict(x_test)

    The shape of an example is that of Input, of the first layer's input_shape=, or of the first data. rng: a seed or
    generator, shared by all layers that have none; the default is 0, so that two equal scripts give equal weights.
    dtype: of parameters and of the data that come in, float32 if not given.
    Raises ConfigError when two layers have one name.
    """

    kind = "sequential"

    def __init__(self, layers: Sequence[Layer] = (), **settings: Any) -> None:
        self._input: Expr | None = None  # the variable of the data, once the shape of an example is known
        self._result: Expr | None = None  # what the layers so far make of it
        self._compiled: tuple[Optimizer, str | Loss, Any, int] | None = None
        self._trainers: dict[tuple[Any, ...], Trainer] = {}
        self._trainer: Trainer | None = None  # of the last fit
        self._optimizer_state: dict[str, Array] = {}  # of a file
        super().__init__(layers, **settings)

    # ---- its layers ----

    def add(self, layer: Layer) -> None:
        """Append a layer; with an Input before it, its parameters are made now."""
        if isinstance(layer, Input):
            if self.layers or self._input is not None:
                raise ConfigError("Sequential.add: Input is for the first entry of a model")
            self.input_shape, self.dtype = layer.input_shape, self.dtype or layer.dtype
            if self.dtype not in (None, "float32", "float64"):
                self.dtype = None  # of integers that come in: the first layer says what it makes of them
            return
        if self._trainers:
            raise ConfigError("Sequential.add: the model has been trained", (), "Compile it anew after adding layers.")
        super().add(layer)
        if len(self.layers) == 1 and self.input_shape is None:
            self.input_shape = layer.input_shape
        if self._result is not None:
            self._result = self.join(layer, self._result)
            self.output_shape = layer.output_shape
        elif self.input_shape is not None:
            self._begin(self.input_shape)

    def _begin(self, shape: Extents) -> None:
        """Make the variable of the data, and the parameters of the layers that there are."""
        if not self.layers:
            raise ConfigError("Sequential: the model has no layers")
        self.input_shape = tuple(shape)
        self.dtype = self.dtype or "float32"
        first = next(self.flat(), self.layers[0])
        dtype = "int64" if first.takes == "integers" else self.dtype
        self._input = T.tensor("x", dtype=dtype, shape=(None, *shape))
        x = self._input
        for layer in self.layers:
            x = self.join(layer, x)
        self._result = x
        self.output_shape = self.layers[-1].output_shape

    def __call__(self, x: Any, training: Training | None = None) -> Any:
        """The prediction: an expression of an expression, else an array."""
        return super().__call__(x, training) if isinstance(x, Expr) else self.predict(x)

    def _ready(self, x: Any, where: str) -> tuple[Expr, Array]:
        """The variable of the data, and data as it takes them."""
        if self._input is None:
            array = np.asarray(x)
            if array.dtype.kind in "biuf" and array.ndim > 1 and array.size:
                self._begin(array.shape[1:])
        if self._input is None:
            raise ShapeError(
                f"{where}: the model does not know the shape of an example", (),
                "Begin it with Input((784,)), or give x[n, ...].",
            )  # fmt: skip
        first = next((layer for layer in self.flat() if layer.parameters), self.layers[0])
        return self._input, examples(x, self._input, first, where)

    @property
    def prediction(self) -> Expr:
        """What the layers make of the variable of the data. Raises ConfigError before its shape is known."""
        if self._result is None:
            raise ConfigError(
                "Sequential: the model has no parameters yet", (),
                "They are made when the shape of an example is known: Input((784,)) as the first entry, or the first data.",
            )  # fmt: skip
        return self._result

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of this name, or at this place."""
        if index is not None:
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ConfigError(f"there is no layer {name!r}", (), f"layers: {', '.join(str(l.name) for l in self.layers)}")

    def summary(self, print_fn: Callable[[str], object] | None = None) -> None:
        """Print the model as a table: its layers, the shapes that they make, their numbers of parameters."""
        text = summary(self, self.name or self.kind)
        if print_fn is None:
            sys.stdout.write(text + "\n")
        else:
            print_fn(text)

    def count_params(self) -> int:
        """How many numbers the weights are."""
        return counts(self)["Total params"][0]

    @property
    def trainable_weights(self) -> list[SharedVariable]:
        """What training moves."""
        return self.trained

    @property
    def non_trainable_weights(self) -> list[SharedVariable]:
        """What it does not: parameters of frozen layers, running means."""
        moved = {id(p) for p in self.trained}
        return [p for p in (*self.parameters, *self.state) if id(p) not in moved]

    # ---- training ----

    def compile(
        self,
        optimizer: str | Optimizer = "rmsprop",
        loss: str | Loss | None = None,
        metrics: Any = None,
        *,
        seed: int = 0,
    ) -> None:
        """Choose how to train: optimizer, loss and metrics by name or as objects; training begins anew.

        metrics: "accuracy" is the accuracy that fits predictions and targets. A loss or metric may be a function of
        (prediction, target), or as Keras has it of (y_true, y_pred), by these names. seed: of shuffling and noise.
        Raises ConfigError for names that there are not.
        """
        if loss is None:
            raise ConfigError("compile: a loss is needed", (), 'compile("adam", "sparse_categorical_crossentropy")')
        _loss(loss)
        self._compiled = _optimizer(optimizer), loss, metrics, seed
        if isinstance(metrics, str) or callable(metrics):
            metrics = [metrics]
        for m in metrics or ():  # whether they exist; what they are depends on the predictions
            if m not in ("accuracy", "acc"):
                measured([m], loss, None)  # type: ignore[arg-type]  # looked at for accuracy only
        self._trainers, self._trainer = {}, None

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Literal["auto", 0, 1, 2] = "auto",
        callbacks: Sequence[Callback] | None = None,
        validation_split: float = 0.0,
        validation_data: Sequence[Any] | None = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        transform: Transform | None = None,
    ) -> History:
        """Train on x[n, ...] and y[n, ...] for the epochs initial_epoch to epochs - 1: loss and metrics of each.

        batch_size: 32 if not given. verbose: "auto" and 1 show progress on standard error, 2 a line an epoch, 0 nothing.
        validation_split: the fraction of the data, its end, to hold out. validation_data: (x, y), or (x, y, weights).
        class_weight: what an example of a class counts; sample_weight[n]: what each does. transform: see `symdl.nn.fit`.
        The loss that is reported is what is made small, with regularizers and weights. Ctrl-C keeps weights and history.
        Raises ConfigError before compile, ShapeError or DataError for data that do not fit the model or its loss.
        """
        self._chosen("fit")
        x, y = self._data(x, y, "fit")
        finite(x, "x", "fit")
        trainer = self._prepared(y)
        weights = None if sample_weight is None else weights_of(sample_weight, len(x))
        held: tuple[Any, ...] | None = None
        if validation_data is not None:
            if not isinstance(validation_data, list | tuple) or len(validation_data) not in (2, 3):
                raise ConfigError("fit: validation_data is (x, y), or (x, y, weights)")
            held = (*self._data(validation_data[0], validation_data[1], "fit: validation_data"), *validation_data[2:])
        elif validation_split:
            kept = len(x) - round(validation_split * len(x))
            if not 0 < kept < len(x):
                raise ConfigError(
                    f"fit: validation_split {validation_split} of {len(x)} examples leaves {kept} to train on"
                )
            held = (x[kept:], y[kept:], *([] if weights is None else [weights[kept:]]))
            x, y, weights = x[:kept], y[:kept], None if weights is None else weights[:kept]
        if class_weight is not None:
            of_class = class_weights(class_weight, y)
            weights = of_class if weights is None else weights * of_class
        trainer.history, self._trainer = History(initial_epoch=initial_epoch), trainer
        return fit(
            trainer,
            x,
            y,
            epochs=epochs,
            batch_size=32 if batch_size is None else batch_size,
            validation=held,
            weights=weights,
            shuffle=shuffle,
            transform=transform,
            callbacks=callbacks or (),
            verbose=1 if verbose == "auto" else verbose,
            model=self,
        )

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Literal["auto", 0, 1, 2] = "auto",
        sample_weight: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """[loss, metrics...] of data, without noise, the loss alone where there are no metrics; return_dict: by name.

        batch_size and verbose are accepted for Keras' sake.
        """
        self._chosen("evaluate")
        x, y = self._data(x, y, "evaluate")
        trainer = self._prepared(y)
        self._trainer = self._trainer or trainer
        found = trainer.evaluate(x, y) if sample_weight is None else trainer.evaluate(x, y, weights=sample_weight)
        return _results(list(found.values()), list(found), return_dict)

    def predict(self, x: Any, batch_size: int | None = None, verbose: Literal["auto", 0, 1, 2] = "auto") -> Array:
        """What the model makes of x[n, ...], an example a row. batch_size and verbose are accepted for Keras' sake."""
        _, array = self._ready(x, "predict")
        array = np.ascontiguousarray(array, dtype=self._input.dtype)  # type: ignore[union-attr]  # made by _ready
        if len(array) <= 1024:
            return np.asarray(self._predict(array))
        return np.concatenate([self._predict(array[rows]) for rows in slices(len(array))])

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Move the weights by one batch: its loss and metrics before the move, as `evaluate` gives them."""
        self._chosen("train_on_batch")
        x, y = self._data(x, y, "train_on_batch")
        trainer = self._trainer = self._prepared(y)
        weights = None if sample_weight is None else weights_of(sample_weight, len(x))
        if class_weight is not None:
            weights = class_weights(class_weight, y) * (1 if weights is None else weights)
        return _results(trainer.step(*trainer.arrays(x, y), weights=weights).tolist(), trainer.names, return_dict)

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer that was chosen."""
        return self._chosen("optimizer")[0]

    @property
    def learning_rate(self) -> float:
        """The learning rate now; setting it, once training has begun, takes effect at the next step."""
        chosen = self._chosen("learning_rate")[0].learning_rate
        if self._trainer is None and isinstance(chosen, float | int):
            return float(chosen)
        return float(self._running().learning_rate.get_value())

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        trainer = self._running()
        if trainer.scheduled:
            raise ConfigError("learning_rate: the optimizer has a schedule of its own")
        trainer.learning_rate.set_value(np.float64(value))

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` gives."""
        return self._running().names

    @property
    def history(self) -> History | None:
        """The history of the last fit."""
        return None if self._trainer is None else self._trainer.history

    @property
    def stop_training(self) -> bool:
        """Set to True by a callback, it ends the run after the epoch."""
        return self._trainer is not None and self._trainer.stop_training

    @stop_training.setter
    def stop_training(self, value: bool) -> None:
        self._running().stop_training = value

    # ---- files ----

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write layers, weights, what was compiled and the optimizer's state to a safetensors file.

        Raises ConfigError for a model without parameters yet, and for functions of the user's own among the settings of
        layers; of a loss or metric such a function is left out with a warning.
        """
        described = {
            "input": [list((self.prediction.type.shape and self.input_shape) or ()), self.dtype],
            "layers": [layer_to_plain(layer) for layer in self.layers],
            "name": self.name,
            "compiled": self._compiled_plain(),
        }
        arrays = {name: v.get_value() for name, v in self.named()}
        if self._trainer is not None:
            own = {id(v) for _, v in self.named()}
            extra = [v for v in self._trainer.shared if id(v) not in own]
            arrays |= {OPTIMIZER + name: value for name, value in values(extra).items()}
        safetensors.save(path, arrays, {"format": FORMAT, "symdl.config": json.dumps(described)})

    def save_weights(self, path: str | os.PathLike[str]) -> None:
        """Write the weights alone."""
        _ = self.prediction
        safetensors.save(path, {name: v.get_value() for name, v in self.named()}, {"format": FORMAT + " weights"})

    def load_weights(self, path: str | os.PathLike[str]) -> None:
        """Take up weights that `save_weights` or `save` wrote. Raises DataError where they do not fit."""
        _ = self.prediction
        arrays = safetensors.load(path)[0]
        names = {name: str(v.name) for name, v in self.named()}
        own = {names.get(n, n): value for n, value in arrays.items() if not n.startswith(OPTIMIZER)}
        assign([v for _, v in self.named()], own, str(path))

    # ---- parts ----

    @cached_property
    def _predict(self) -> Function:
        assert self._input is not None  # predict has seen to it
        return function([self._input], self.prediction, name="predict")

    def _chosen(self, where: str) -> tuple[Optimizer, str | Loss, Any, int]:
        if self._compiled is None:
            raise ConfigError(
                f"{where}: the model is not compiled", (),
                'model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"]) comes first.',
            )  # fmt: skip
        return self._compiled

    def _running(self) -> Trainer:
        self._chosen("learning_rate")
        if self._trainer is None:
            raise ConfigError(
                "the model has not been trained yet", (), "The first data tell how targets meet predictions."
            )
        return self._trainer

    def _data(self, x: Any, y: Any, where: str) -> tuple[Array, Array]:
        """x and y as arrays that fit the model and its loss, as many rows of each."""
        loss = self._chosen(where)[1]
        if x is None or y is None:
            raise DataError(f"{where}: {'x' if x is None else 'y'} is missing")
        _, x = self._ready(x, where)
        y = targets(y, self.prediction, loss, self.layers[-1], where)
        if len(x) != len(y):
            raise ShapeError(f"{where}: {len(x)} examples of x meet {len(y)} of y")
        return x, y

    def _prepared(self, y: Array) -> Trainer:
        """The trainer for targets like y and layers frozen as they are now."""
        assert self._input is not None  # _ready has made it
        optimizer, loss, metrics, seed = self._chosen("fit")
        labels = wants_labels(loss, self.prediction, y)
        key = (labels, y.ndim, tuple(layer.trainable for layer in self.flat()), self.trainable)
        if key not in self._trainers:
            target = T.tensor("y", dtype=str(y.dtype), shape=(None,) * y.ndim)
            if y.ndim == self.prediction.ndim:
                target = T.tensor("y", dtype=str(y.dtype), shape=(None, *self.prediction.type.shape[1:]))
            objective = supervised(self, self._input, target, loss, measured(metrics, loss, self.prediction), seed)
            self._trainers[key] = Trainer(with_penalty(objective), optimizer, seed)
            self._take_up(self._trainers[key])
        return self._trainers[key]

    def _take_up(self, trainer: Trainer) -> None:
        """The optimizer's state of a file."""
        if self._optimizer_state:
            own = {id(v) for _, v in self.named()}
            stored = self._optimizer_state
            extra = [v for v in trainer.shared if id(v) not in own and str(v.name) in stored]  # some may be frozen now
            assign(extra, {str(v.name): stored[str(v.name)] for v in extra}, "the optimizer's state")
            self._optimizer_state = {}

    def _compiled_plain(self) -> dict[str, Any] | None:
        if self._compiled is None:
            return None
        optimizer, loss, metrics, seed = self._compiled
        try:
            return {
                "optimizer": to_plain(optimizer, "save: the optimizer"),
                "loss": to_plain(loss, "save: the loss"),
                "metrics": to_plain(metrics, "save: metrics"),
                "seed": seed,
            }
        except ConfigError as error:
            warnings.warn(f"{error.head}; compile the model again after loading it", stacklevel=3)
            return None


def load_model(
    path: str | os.PathLike[str], custom_objects: Mapping[str, type] | None = None, compile: bool = True
) -> Sequential:
    """The model of a file that `Sequential.save` wrote, with its weights, and compiled as it was.

    custom_objects: layers of the user's own by the names of their classes. Nothing of the file is run: it holds numbers
    and the names of symdl's own classes. Raises DataError for a file that is no such model.
    """
    arrays, metadata = safetensors.load(path)
    if metadata.get("format") != FORMAT:
        raise DataError(f"load: {path} is no saved model: its format is {metadata.get('format')!r}")
    state = {name.removeprefix(OPTIMIZER): arrays.pop(name) for name in list(arrays) if name.startswith(OPTIMIZER)}
    try:
        described = json.loads(metadata["symdl.config"])
        shape, dtype = described["input"]
        if dtype not in ("float32", "float64") or not all(n is None or (type(n) is int and n > 0) for n in shape):
            raise DataError(f"load: examples of shape {shape} and dtype {dtype!r}")
        model = Sequential(name=described["name"], dtype=dtype)
        model.stored = arrays
        for entry in described["layers"]:
            model.add(layer_from_plain(entry, {"Sequential": Sequential, **(custom_objects or {})}))
        model._begin(tuple(shape))  # of this module
        assign([*model.parameters, *model.state], arrays, str(path))  # which finds those that the model lacks
        model.stored = None
        for layer in model.flat():
            layer.stored = None
        chosen = described.get("compiled")
        if compile and chosen is not None:
            named = {name: from_plain(chosen[name], custom_objects) for name in ("optimizer", "loss", "metrics")}
            model.compile(**named, seed=int(chosen["seed"]))
            model._optimizer_state = state  # as above
    except DataError as error:
        raise DataError(f"{error.head} ({path})", error.parts, error.remedy) from error
    except (SymdlError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise DataError(f"load: the metadata of {path} describe no model ({error})") from error
    return model


def with_penalty(objective: Objective) -> Objective:
    """The objective, whose reported loss is what is made small: with the regularizers."""
    assert objective.quiet_losses is not None  # of `supervised`
    cost, quiet = objective.cost(), objective.cost(None, objective.quiet_losses)
    objective.measures = {**objective.measures, "loss": cost}
    objective.quiet = {**objective.quiet, "loss": quiet}
    return objective


def _results(found: list[float], names: list[str], return_dict: bool) -> Any:
    if return_dict:
        return dict(zip(names, found, strict=True))
    return found if len(found) > 1 else found[0]
