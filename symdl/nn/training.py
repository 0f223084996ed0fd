"""The training loop: shuffled mini-batches, one compiled step each, one record an epoch."""

from __future__ import annotations

import time
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

import symdl.tensor as T
from symdl.errors import ConfigError, DataError, ShapeError
from symdl.expr import Expr
from symdl.functions import Function, function
from symdl.nn.callbacks import Callback, Run
from symdl.nn.history import INTERRUPTED, EpochRecord, History
from symdl.nn.objective import Objective, scalar
from symdl.nn.optimizers import Optimizer, Updates, optimizer
from symdl.nn.progress import Progress
from symdl.nn.weights import assign, values
from symdl.replacing import graph_replace
from symdl.storage import SharedVariable, shared

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = tuple[Array, ...]
Validation = Sequence[Any] | float | None  # one array for each input, or the fraction of the data to hold out
Transform = Callable[[Arrays, np.random.Generator], Arrays]
EVALUATION_ROWS = 1024  # rows that evaluation and prediction take at a time: bounds memory, not results


class Trainer:
    """An objective, how its parameters move, each function compiled at its first use; and where training stands.

    Shuffling and transforms draw from `rng`, layers from `noise`; `seed` starts both. learning_rate is a shared scalar,
    which callbacks may set between batches.
    """

    def __init__(self, objective: Objective, optimizer: str | Optimizer = "adam", seed: int = 0) -> None:
        self.objective, self.seed = objective, seed
        self.optimizer = chosen = _optimizer(optimizer)
        self.rng = np.random.default_rng(seed)
        self.noise = objective.noise
        self.noise.seed(seed)
        self.history = History()
        self.names = list(objective.measures)
        self._measured = [scalar(m) for m in objective.measures.values()]
        own_rate = isinstance(chosen.learning_rate, Expr)  # a schedule of the user's own
        rate = 1.0 if own_rate else float(chosen.learning_rate)  # type: ignore[arg-type]  # a number, if no Expr
        self.learning_rate = shared(np.float64(rate), "learning_rate")
        self._moving = chosen if own_rate else replace(chosen, learning_rate=self.learning_rate)

    @cached_property
    def updates(self) -> Updates:
        """What a step does: parameters along their gradients, the optimizer's state, and the objective's own updates."""
        return self.moves(self._gradients)

    @cached_property
    def _gradients(self) -> list[Expr]:
        return self.objective.gradients()

    def moves(self, gradients: Sequence[Expr]) -> Updates:
        """The updates of a step with these gradients. Every call makes an optimizer state of its own."""
        return self._moving.updates(gradients, self.objective.parameters) + list(self.objective.updates)

    @cached_property
    def shared(self) -> list[SharedVariable]:
        """All that training changes or reads: parameters, optimizer state, the model's state, the learning rate."""
        found = {id(v): v for v in (*(t for t, _ in self.updates), *self.objective.state, self.learning_rate)}
        return [v for v in found.values() if v is not self.noise.state]

    @cached_property
    def _initial(self) -> dict[str, Array]:
        return values(self.shared)

    @cached_property
    def _step(self) -> Function:
        self._initial  # noqa: B018  # taken before the first step moves anything
        return function(list(self.objective.inputs), self._measured, updates=self.updates, name="step")

    @cached_property
    def _weighted_step(self) -> Function:
        """The step with a weight for each example as its last input; it moves the same parameters and state."""
        self._initial  # noqa: B018  # as above
        weights = T.tensor("sample_weight", dtype=self.learning_rate.dtype, shape=(None,))
        if not self.objective.losses.ndim:
            raise ConfigError("fit: weights need a loss of one number an example; this one is a scalar")
        instead = dict(zip(self._gradients, self.objective.gradients(weights), strict=True))
        targets, nexts = zip(*self.updates, strict=True)
        updates = list(zip(targets, graph_replace(nexts, instead), strict=True))
        return function([*self.objective.inputs, weights], self._measured, updates=updates, name="weighted_step")

    @cached_property
    def _evaluate(self) -> Function:
        if not self.objective.quiet:
            raise ConfigError("evaluate: this objective measures nothing of data that it is not trained on")
        inputs, quiet = list(self.objective.inputs), [scalar(m) for m in self.objective.quiet.values()]
        return function(inputs, quiet, name="evaluate", on_unused_input="ignore")

    @cached_property
    def _predict(self) -> Function:
        if self.objective.prediction is None:
            raise ConfigError("predict: this objective predicts nothing")
        return function([self.objective.inputs[0]], self.objective.prediction, name="predict")

    def remember(self) -> None:
        """Take the values as they are for those that `reset` goes back to, unless a step has been made before."""
        self._initial  # noqa: B018  # computed by being asked for

    def reset(self) -> None:
        """Back to the start: parameters, optimizer state and random generators as they were made, no history."""
        assign(self.shared, self._initial, "the start")
        self.rng = np.random.default_rng(self.seed)
        self.noise.seed(self.seed)
        self.history = History()

    @property
    def epoch(self) -> int:
        """How many epochs are done."""
        return self.history.records[-1].epoch if self.history.records else 0

    def step(self, *batch: Array, weights: Array | None = None) -> Array:
        """Move the parameters by one batch: its loss and metrics before the move, float64."""
        measured = self._step(*batch) if weights is None else self._weighted_step(*batch, weights)
        return np.array(measured, np.float64)

    def evaluate(self, *data: Any) -> dict[str, float]:
        """The measures of data as the parameters are now, without noise: means over the examples."""
        arrays = self.arrays(*data)
        n = len(arrays[0])
        total = sum(
            (rows.stop - rows.start) * np.array(self._evaluate(*(a[rows] for a in arrays)), np.float64)
            for rows in slices(n)
        )
        return dict(zip(self.objective.quiet, (np.asarray(total) / n).tolist(), strict=True))

    def predict(self, x: Any) -> Array:
        """The prediction for each row of x, without noise."""
        x = self.array(x, self.objective.inputs[0])
        return np.concatenate([self._predict(x[rows]) for rows in slices(len(x))])

    def arrays(self, *data: Any) -> Arrays:
        """Data as arrays of the dtypes of the inputs, each with as many rows, at least one."""
        inputs = self.objective.inputs
        if len(data) != len(inputs):
            wanted = ", ".join(map(str, inputs))
            raise ShapeError(f"fit: {len(data)} arrays meet the {len(inputs)} inputs {wanted} of the objective")
        arrays = tuple(self.array(value, variable) for value, variable in zip(data, inputs, strict=True))
        for variable, array in zip(inputs, arrays, strict=True):
            if len(array) != len(arrays[0]):
                raise ShapeError(f"fit: {len(arrays[0])} rows of {inputs[0]} meet {len(array)} of {variable}")
        return arrays

    def array(self, value: Any, variable: Expr) -> Array:
        """A value in the variable's dtype and number of axes, with at least one row."""
        array = np.asarray(value)
        if array.ndim != variable.ndim or not len(array):
            raise ShapeError(
                f"fit: {variable} has {variable.ndim} axes and at least one row, its value has shape {array.shape}"
            )
        if np.dtype(variable.dtype).kind in "iu" and array.dtype.kind not in "biu":
            raise DataError(f"fit: {variable} is {variable.dtype}, its value {array.dtype}: labels are integers from 0")
        return np.ascontiguousarray(array, dtype=variable.dtype)


def fit_iter(
    trainer: Trainer,
    *data: Any,
    epochs: int,
    batch_size: int = 32,
    validation: Validation = None,
    weights: Any = None,
    shuffle: bool = True,
    transform: Transform | None = None,
    on_batch: Callable[[], None] | None = None,
) -> Iterator[EpochRecord]:
    """Train until `epochs` epochs are done in all, and yield a record after each.

    data: an array for each input of the objective. Every epoch visits every example once, in an order drawn anew; the
    last batch takes what is left. validation: one array for each input, or the fraction of the data, its end, to hold out.
    weights[n]: how much each example counts in the cost. transform(arrays, rng): what a training batch becomes
    (augmentation), drawn from the trainer's generator. Breaking off between two records is safe, and calling again with
    the same trainer goes on where it stood.
    Raises ConfigError, ShapeError or DataError at the call, not at the first record.
    """
    plan = Plan(trainer, data, validation, weights)
    if batch_size < 1 or epochs < 0:
        raise ConfigError(f"fit: batch_size {batch_size} must be at least 1 and epochs {epochs} at least 0")
    return _epochs(trainer, plan, epochs, batch_size, shuffle, transform, on_batch)


class Plan:
    """Data of a run, checked: what to train on with its weights, and what is held out."""

    def __init__(self, trainer: Trainer, data: Sequence[Any], validation: Validation, weights: Any) -> None:
        self.data = trainer.arrays(*data)
        self.held_out: Arrays | None = None
        self.weights = None if weights is None else _weights(weights, len(self.data[0]))
        if isinstance(validation, float | int):
            n = len(self.data[0])
            kept = n - round(validation * n)
            if not 0 < kept < n:
                raise ConfigError(f"fit: validation {validation} of {n} examples leaves {kept} to train on")
            self.held_out = tuple(a[kept:] for a in self.data)
            self.data = tuple(a[:kept] for a in self.data)
            self.weights = None if self.weights is None else self.weights[:kept]
        elif validation is not None:
            self.held_out = trainer.arrays(*validation)

    def __len__(self) -> int:
        return len(self.data[0])


def _epochs(
    trainer: Trainer,
    plan: Plan,
    epochs: int,
    batch_size: int,
    shuffle: bool,
    transform: Transform | None,
    on_batch: Callable[[], None] | None,
) -> Iterator[EpochRecord]:
    n = len(plan)
    while trainer.epoch < epochs:
        started = time.perf_counter()
        order = trainer.rng.permutation(n) if shuffle else np.arange(n)
        total = np.zeros(len(trainer.names))
        for rows in (order[k : k + batch_size] for k in range(0, n, batch_size)):
            batch = tuple(a[rows] for a in plan.data)
            if transform is not None:
                batch = trainer.arrays(*transform(batch, trainer.rng))
            weights = None if plan.weights is None else plan.weights[rows]
            total += len(rows) * trainer.step(*batch, weights=weights)
            if on_batch is not None:
                on_batch()
        metrics = dict(zip(trainer.names, (total / n).tolist(), strict=True))
        if plan.held_out is not None:
            metrics |= {f"val_{name}": value for name, value in trainer.evaluate(*plan.held_out).items()}
        record = EpochRecord(trainer.epoch + 1, time.perf_counter() - started, metrics)
        trainer.history.records.append(record)
        yield record


def fit(
    trainer: Trainer,
    *data: Any,
    epochs: int,
    batch_size: int = 32,
    validation: Validation = None,
    weights: Any = None,
    shuffle: bool = True,
    transform: Transform | None = None,
    callbacks: Sequence[Callback] = (),
    verbose: Literal[0, 1] = 1,
) -> History:
    """`fit_iter` to its end, with callbacks: the history of the trainer, this run's records at its end.

    verbose=1 shows progress on standard error, 0 nothing. Ctrl-C ends the run as a callback would: the history and the
    weights so far are kept, `history.interrupted` is true, and a line or a warning says so.
    """
    plan = Plan(trainer, data, validation, weights)
    digest = 0
    for array in (*plan.data, *([] if plan.weights is None else [plan.weights])):
        digest = zlib.crc32(array, digest)
    run = Run(
        trainer=trainer,
        epochs=epochs,
        batches=-(-len(plan) // max(batch_size, 1)),
        settings={
            "batch_size": batch_size,
            "shuffle": shuffle,
            "examples": len(plan),
            "data": digest,
            "optimizer": str(trainer.optimizer),
        },
        callbacks=sorted([*callbacks, *([Progress()] if verbose else [])], key=lambda c: c.order),
    )
    history = trainer.history
    history.stopped = ""
    for callback in run.callbacks:
        callback.begin(run)
    try:
        records = fit_iter(
            trainer,
            *plan.data,
            epochs=epochs,
            batch_size=batch_size,
            validation=plan.held_out,
            weights=plan.weights,
            shuffle=shuffle,
            transform=transform,
            on_batch=run.on_batch,
        )
        while not (stopped := run.reason()):
            record = next(records, None)
            if record is None:
                break
            for callback in run.callbacks:
                callback.epoch(run, record)
        history.stopped = stopped
    except KeyboardInterrupt:
        history.stopped = INTERRUPTED
    finally:
        for callback in run.callbacks:
            callback.end(run)
    if history.interrupted and not verbose:
        warnings.warn(f"interrupted after epoch {trainer.epoch}; history and weights so far are kept", stacklevel=2)
    return history


def _weights(weights: Any, n: int) -> Array:
    """Weights of n examples as float64."""
    array = np.asarray(weights)
    if array.shape != (n,) or array.dtype.kind not in "biuf":
        raise ShapeError(f"fit: {n} examples meet weights {array.dtype}[{', '.join(map(str, array.shape))}]")
    if not np.isfinite(array).all() or (array < 0).any():
        raise DataError("fit: weights must be finite and not negative")
    return np.ascontiguousarray(array, np.float64)


def slices(n: int) -> Iterator[slice]:
    """The rows 0..n in pieces of EVALUATION_ROWS."""
    return (slice(k, min(k + EVALUATION_ROWS, n)) for k in range(0, n, EVALUATION_ROWS))


_optimizer = optimizer  # a parameter of Trainer hides it
