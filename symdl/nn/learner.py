"""What models share that are trained as Keras' are: compile, fit, evaluate, predict, on the one training loop."""

from __future__ import annotations

import json
import os
import sys
import warnings
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np

import symdl.tensor as T
from symdl.errors import ConfigError, DataError, ShapeError
from symdl.functions import Function, function
from symdl.graph.expr import Expr
from symdl.interop import safetensors
from symdl.nn.chain import Group
from symdl.nn.choices import Choices
from symdl.nn.history import History
from symdl.nn.layer import Array, Layer, Symbolic, Training
from symdl.nn.objective import Objective, Task, supervised_tasks
from symdl.nn.optimizers import Optimizer
from symdl.nn.optimizers import optimizer as _optimizer
from symdl.nn.plans import weights_of
from symdl.nn.saving import layer_to_plain, to_plain
from symdl.nn.settings import checked
from symdl.nn.sources import Batch, Batches, gives_batches
from symdl.nn.summary import counts, summary
from symdl.nn.targets import class_weights, examples, finite, measured, targets, wants_labels
from symdl.nn.training import Trainer, Transform, fit, slices
from symdl.nn.watching import Callback
from symdl.nn.weights import assign, values
from symdl.runtime.storage import SharedVariable

FORMAT = "symdl model 1"
OPTIMIZER = "optimizer/"  # before the names of the optimizer's state in a file
Verbose = Literal["auto", 0, 1, 2]
Arrays = list[Array]


class Learner(Group):
    """A model that is trained as Keras' are; a subclass says what its inputs and outputs are.

    Where a model has one input, data are an array; where it has several, a list of arrays in the order of its inputs, or a
    dict by their names; likewise targets and outputs.
    """

    def __init__(self, **settings: Any) -> None:
        self._variables: list[Expr] = []  # of the data, once the shapes of examples are known
        self._results: list[Expr] = []  # what the layers make of them
        self._choices: Choices | None = None
        self._trainers: dict[tuple[Any, ...], Trainer] = {}
        self._trainer: Trainer | None = None  # of the last fit
        self._optimizer_state: dict[str, Array] = {}  # of a file
        super().__init__(**settings)

    # ---- what a subclass says ----

    @property
    @abstractmethod
    def input_names(self) -> list[str]:
        """The names of the inputs."""

    @property
    @abstractmethod
    def output_names(self) -> list[str]:
        """The names of the outputs: those of the layers that make them."""

    @abstractmethod
    def ends(self) -> list[Layer]:
        """The layer that makes each output."""

    @abstractmethod
    def takers(self) -> list[Layer]:
        """For each input, the first layer with weights that takes it, or the first."""

    def begin(self, examples: Array) -> None:
        """Make the variables of the data, where that has waited for the first of them."""

    def table(self) -> list[tuple[str, ...]]:
        """The rows of `summary`, the headings first."""
        return []

    # ---- its layers ----

    def __call__(self, x: Any, training: Training | None = None) -> Any:
        """The prediction: an expression of an expression, of what Input gives what stands for it, of an array an array."""
        first = x[0] if isinstance(x, list | tuple) and x else x
        return super().__call__(x, training) if isinstance(first, Expr | Symbolic) else self.predict(x)

    @property
    def prediction(self) -> Expr:
        """What the layers make of the variable of the data. Raises ConfigError before its shape is known."""
        return self.predictions[0]

    @property
    def predictions(self) -> list[Expr]:
        """The prediction of each output."""
        if not self._results:
            raise ConfigError(
                f"{type(self).__name__}: the model has no parameters yet", (),
                "They are made when the shape of an example is known: Input((784,)) as the first entry, or the first data.",
            )  # fmt: skip
        return self._results

    def summary(self, print_fn: Callable[[str], object] | None = None) -> None:
        """Print the model as a table: its layers, the shapes that they make, their numbers of parameters."""
        text = summary(self, self.name or self.kind, self.table())
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
        loss: Any = None,
        metrics: Any = None,
        loss_weights: Any = None,
        *,
        seed: int = 0,
    ) -> None:
        """Choose how to train: optimizer, loss and metrics by name or as objects; training begins anew.

        metrics: "accuracy" is the accuracy that fits predictions and targets. A loss or metric may be a function of
        (prediction, target), or as Keras has it of (y_true, y_pred), by these names. Of several outputs, loss, metrics and
        loss_weights are lists, or dicts by the outputs' names; the loss is the weighted sum. seed: of shuffling and noise.
        Raises ConfigError for names that there are not.
        """
        if loss is None:
            raise ConfigError("compile: a loss is needed", (), 'compile("adam", "sparse_categorical_crossentropy")')
        choices = Choices(_optimizer(optimizer), loss, metrics, loss_weights, seed)
        choices.check(self.output_names)
        self._choices, self._trainers, self._trainer = choices, {}, None

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Verbose = "auto",
        callbacks: Sequence[Callback] | Callback | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        transform: Transform | None = None,
    ) -> History:
        """Train on x[n, ...] and y[n, ...] for the epochs initial_epoch to epochs - 1: loss and metrics of each.

        x may give batches instead, (x, y) or (x, y, weights) each: a generator, which steps_per_epoch cuts into epochs, an object
        that can be iterated anew, one with len and []. Arrays are read batch by batch then, and y is not given.
        batch_size: 32 if not given. verbose: "auto" and 1 show progress on standard error, 2 a line an epoch, 0 nothing.
        validation_split: the fraction of the data, its end, to hold out. validation_data: (x, y), or (x, y, weights), or what
        gives batches, validation_steps of them. class_weight: what an example of a class counts; sample_weight[n]: what
        each does. transform: see `symdl.nn.fit`. The loss that is reported is what is made small, with regularizers and weights.
        Ctrl-C keeps weights and history.
        Raises ConfigError before compile, ShapeError or DataError for data that do not fit the model or its loss.
        """
        self._chosen("fit")
        settings = {"initial_epoch": initial_epoch, "validation_split": validation_split}
        checked("fit", settings, {"initial_epoch": "int", "validation_split": "float"})
        how: dict[str, Any] = {
            "epochs": epochs,
            "batch_size": 32 if batch_size is None else batch_size,
            "shuffle": shuffle,
            "transform": transform,
            "callbacks": [callbacks] if isinstance(callbacks, Callback) else callbacks or (),
            "verbose": 1 if verbose == "auto" else verbose,
            "model": self,
        }
        if gives_batches(x):
            self._alone(y=y, sample_weight=sample_weight, batch_size=batch_size, validation_split=validation_split)
            source, trainer = self._batches(x, steps_per_epoch, class_weight, "fit")
            held = self._held_out(validation_data, validation_steps)
            trainer.history, self._trainer = History(initial_epoch=initial_epoch), trainer
            return fit(trainer, source, validation=held, **how)
        if steps_per_epoch is not None:
            raise ConfigError("fit: steps_per_epoch is for data that come batch by batch; arrays have batch_size")
        xs, ys = self._data(x, y, "fit")
        for name, array in zip(self.input_names, xs, strict=True):
            finite(array, name if len(xs) > 1 else "x", "fit")
        trainer = self._prepared(ys)
        weights = None if sample_weight is None else weights_of(sample_weight, len(ys[0]))
        held = self._held_out(validation_data, validation_steps)
        if validation_data is None and validation_split:
            n = len(ys[0])
            kept = n - round(validation_split * n)
            if not 0 < kept < n:
                raise ConfigError(f"fit: validation_split {validation_split} of {n} examples leaves {kept} to train on")
            held = (*(a[kept:] for a in (*xs, *ys)), *([] if weights is None else [weights[kept:]]))
            xs, ys = [a[:kept] for a in xs], [a[:kept] for a in ys]
            weights = None if weights is None else weights[:kept]
        weights = _by_class(class_weight, ys, weights)
        trainer.history, self._trainer = History(initial_epoch=initial_epoch), trainer
        return fit(trainer, *xs, *ys, validation=held, weights=weights, **how)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Verbose = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        return_dict: bool = False,
    ) -> Any:
        """[loss, metrics...] of data, without noise, the loss alone where there are no metrics; return_dict: by name.

        x may give batches, `steps` of them, as in fit. batch_size and verbose are accepted for Keras' sake.
        """
        self._chosen("evaluate")
        if gives_batches(x):
            self._alone("evaluate", y=y, sample_weight=sample_weight)
            source, trainer = self._batches(x, steps, None, "evaluate")
            self._trainer = self._trainer or trainer
            return _results(trainer.evaluate_batches(source), return_dict)
        xs, ys = self._data(x, y, "evaluate")
        trainer = self._prepared(ys)
        self._trainer = self._trainer or trainer
        weighted = {} if sample_weight is None else {"weights": sample_weight}
        return _results(trainer.evaluate(*xs, *ys, **weighted), return_dict)

    def predict(
        self, x: Any, batch_size: int | None = None, verbose: Verbose = "auto", steps: int | None = None
    ) -> Any:
        """What the model makes of x[n, ...], an example a row: an array for each output.

        x may give batches, `steps` of them, of which only the inputs are looked at. batch_size and verbose are accepted for
        Keras' sake.
        """
        if gives_batches(x):

            def inputs(item: Any) -> Batch:
                return tuple(self._ready(self._inputs_of(item), "predict")), None

            found = [self._predicted(list(batch)) for batch, _ in Batches(x, inputs, steps, "predict").epoch()]
        else:
            found = [self._predicted(self._ready(x, "predict"))]
        whole = [np.concatenate(parts) if len(parts) > 1 else parts[0] for parts in zip(*found, strict=True)]
        return whole if len(whole) > 1 else whole[0]

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
        xs, ys = self._data(x, y, "train_on_batch")
        trainer = self._trainer = self._prepared(ys)
        weights = None if sample_weight is None else weights_of(sample_weight, len(ys[0]))
        found = trainer.step(*trainer.arrays(*xs, *ys), weights=_by_class(class_weight, ys, weights))
        return _results(trainer.report(found, trainer.names), return_dict)

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer that was chosen."""
        return self._chosen("optimizer").optimizer

    @property
    def learning_rate(self) -> float:
        """The learning rate now; setting it, once training has begun, takes effect at the next step."""
        chosen = self._chosen("learning_rate").optimizer.learning_rate
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
        _ = self.prediction
        described = {"model": layer_to_plain(self), "compiled": self._compiled_plain()}
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
        return function(list(self._variables), list(self.predictions), name="predict", on_unused_input="ignore")

    def _predicted(self, xs: Arrays) -> Arrays:
        """The outputs for data as `_ready` gives them."""
        xs = [np.ascontiguousarray(a, dtype=v.dtype) for a, v in zip(xs, self._variables, strict=True)]
        if len(xs[0]) <= 1024:
            return list(self._predict(*xs))
        parts = [self._predict(*(a[rows] for a in xs)) for rows in slices(len(xs[0]))]
        return [np.concatenate(one) for one in zip(*parts, strict=True)]

    def _chosen(self, where: str) -> Choices:
        if self._choices is None:
            raise ConfigError(
                f"{where}: the model is not compiled", (),
                'model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"]) comes first.',
            )  # fmt: skip
        return self._choices

    def _running(self) -> Trainer:
        self._chosen("learning_rate")
        if self._trainer is None:
            raise ConfigError(
                "the model has not been trained yet", (), "The first data tell how targets meet predictions."
            )
        return self._trainer

    def _ready(self, x: Any, where: str) -> Arrays:
        """Data as the variables take them, an array each, of as many examples."""
        if not self._variables:
            self.begin(np.asarray(x))
        if not self._variables:
            raise ShapeError(
                f"{where}: the model does not know the shape of an example", (),
                "Begin it with Input((784,)), or give x[n, ...].",
            )  # fmt: skip
        given = _each(x, self.input_names, "x", where)
        names = ["x"] if len(given) == 1 else self.input_names
        rows = zip(given, self._variables, self.takers(), names, strict=True)
        arrays = [examples(value, variable, layer, where, name) for value, variable, layer, name in rows]
        _alike(names, arrays, where)
        return arrays

    def _inputs_of(self, batch: Any) -> Any:
        """x of a batch that may be (x, y): torch's are lists."""
        paired = isinstance(batch, tuple) or (isinstance(batch, list) and len(self.input_names) == 1)
        return batch[0] if paired else batch

    def _data(self, x: Any, y: Any, where: str) -> tuple[Arrays, Arrays]:
        """x and y as arrays that fit the model and its losses, as many rows of each."""
        losses = self._chosen(where).losses(self.output_names)
        if x is None or y is None:
            raise DataError(f"{where}: {'x' if x is None else 'y'} is missing")
        xs = self._ready(x, where)
        given = _each(y, self.output_names, "y", where)
        names = ["y"] if len(given) == 1 else self.output_names
        rows = zip(given, self.predictions, losses, self.ends(), names, strict=True)
        ys = [targets(value, p, loss, layer, where, name) for value, p, loss, layer, name in rows]
        _alike(names, ys, where)
        if len(xs[0]) != len(ys[0]):
            raise ShapeError(f"{where}: {len(xs[0])} examples of x meet {len(ys[0])} of y")
        return xs, ys

    def _alone(self, where: str = "fit", **given: Any) -> None:
        """Raises ConfigError for arguments that batches bring along."""
        if wrong := [
            name for name, value in given.items() if value is not None and not (np.isscalar(value) and not value)
        ]:
            raise ConfigError(
                f"{where}: {', '.join(wrong)} {'is' if len(wrong) == 1 else 'are'} for arrays, and x gives batches", (),
                "A batch is (x, y), or (x, y, weights of its examples).",
            )  # fmt: skip

    def _batches(
        self, data: Any, steps: int | None, class_weight: Mapping[int, float] | None, where: str
    ) -> tuple[Batches, Trainer]:
        """What gives batches, read, and the trainer for what they are."""

        def read(item: Any) -> Batch:
            if not isinstance(item, list | tuple) or len(item) not in (2, 3):
                raise DataError(f"{where}: a batch is (x, y), or (x, y, weights); this one is {type(item).__name__}")
            xs, ys = self._data(item[0], item[1], f"{where}: a batch")
            weights = weights_of(item[2], len(ys[0])) if len(item) == 3 and item[2] is not None else None
            prepared = self._prepared(ys)
            return prepared.arrays(*xs, *ys), _by_class(class_weight, ys, weights)

        source = Batches(data, read, steps, where)
        first = source.first()
        read(first)
        return source, self._prepared(self._data(first[0], first[1], where)[1])

    def _held_out(self, validation: Any, steps: int | None) -> Any:
        """What is held out, as `symdl.nn.fit` takes it."""
        if validation is None:
            return None
        if gives_batches(validation):
            return self._batches(validation, steps, None, "fit: validation_data")[0]
        if not isinstance(validation, list | tuple) or len(validation) not in (2, 3):
            raise ConfigError("fit: validation_data is (x, y), or (x, y, weights), or gives batches of these")
        xs, ys = self._data(validation[0], validation[1], "fit: validation_data")
        return (*xs, *ys, *validation[2:])

    def _prepared(self, ys: Arrays) -> Trainer:
        """The trainer for targets like these and layers frozen as they are now."""
        choices, names = self._chosen("fit"), self.output_names
        losses = choices.losses(names)
        labels = [wants_labels(loss, p, y) for loss, p, y in zip(losses, self.predictions, ys, strict=True)]
        frozen = tuple(layer.trainable for layer in self.flat())
        key = (*labels, *(y.ndim for y in ys), frozen, self.trainable)
        if key not in self._trainers:
            tasks = []
            for k, (p, loss, metrics, weight) in enumerate(
                zip(self.predictions, losses, choices.measures(names), choices.weights(names), strict=True)
            ):
                name = names[k] if len(names) > 1 else ""
                target = _target(p, ys[k], f"y_{name}" if name else "y")
                tasks.append(Task(target, loss, measured(metrics, loss, p), weight, name))
            objective = with_penalty(supervised_tasks(self, self._variables, tasks, choices.seed))
            self._trainers[key] = Trainer(objective, choices.optimizer, choices.seed)
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
        if self._choices is None:
            return None
        try:
            return {
                name: value
                if name == "seed"
                else to_plain(value, f"save: {'metrics' if name == 'metrics' else f'the {name}'}")
                for name, value in self._choices.given().items()
            }
        except ConfigError as error:
            warnings.warn(f"{error.head}; compile the model again after loading it", stacklevel=3)
            return None


def with_penalty(objective: Objective) -> Objective:
    """The objective, whose reported loss is what is made small: with the regularizers."""
    assert objective.quiet_losses is not None  # of `supervised_tasks`
    cost, quiet = objective.cost(), objective.cost(None, objective.quiet_losses)
    objective.measures = {**objective.measures, "loss": cost}
    objective.quiet = {**objective.quiet, "loss": quiet}
    return objective


def _target(prediction: Expr, y: Array, name: str) -> Expr:
    """The variable of a target."""
    rest = prediction.type.shape[1:] if y.ndim == prediction.ndim else (None,) * (y.ndim - 1)
    return T.tensor(name, dtype=str(y.dtype), shape=(None, *rest))


def _each(value: Any, names: Sequence[str], what: str, where: str) -> list[Any]:
    """An array for each input or output. Raises DataError where there are more or fewer, or other names."""
    if isinstance(value, Mapping):
        missing, unknown = [n for n in names if n not in value], [str(n) for n in value if n not in names]
        if missing or unknown:
            head = (
                f"{where}: {what} has no {', '.join(missing)}"
                if missing
                else f"{where}: {what} names {', '.join(unknown)}"
            )
            raise DataError(head, (), f"The model's: {', '.join(names)}.")
        return [value[name] for name in names]
    if len(names) == 1:
        return [value]
    if not isinstance(value, list | tuple) or len(value) != len(names):
        found = f"{len(value)} arrays" if isinstance(value, list | tuple) else "one array"
        raise DataError(f"{where}: {what} is {found}, the model has {len(names)}: {', '.join(names)}")
    return list(value)


def _alike(names: Sequence[str], arrays: Sequence[Array], where: str) -> None:
    """Raises ShapeError unless all arrays have as many rows."""
    for name, array in zip(names, arrays, strict=True):
        if len(array) != len(arrays[0]):
            raise ShapeError(f"{where}: {len(arrays[0])} examples of {names[0]} meet {len(array)} of {name}")


def _by_class(class_weight: Mapping[int, float] | None, ys: Arrays, weights: Array | None) -> Array | None:
    """The weights of examples, those of their classes in them."""
    if class_weight is None:
        return weights
    if len(ys) > 1:
        raise ConfigError("fit: class_weight is for models of one output; give sample_weight")
    of_class = class_weights(class_weight, ys[0])
    return of_class if weights is None else weights * of_class


def _results(found: Mapping[str, float], return_dict: bool) -> Any:
    if return_dict:
        return dict(found)
    return list(found.values()) if len(found) > 1 else next(iter(found.values()))
