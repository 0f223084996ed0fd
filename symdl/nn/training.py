"""The training loop: shuffled mini-batches, one compiled step each, one record an epoch."""

from __future__ import annotations

import time
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from symdl.errors import ConfigError, DataError, ShapeError
from symdl.expr import Expr
from symdl.functions import Function, function
from symdl.nn.callbacks import Callback, Run
from symdl.nn.history import INTERRUPTED, EpochRecord, History
from symdl.nn.layers import Layer
from symdl.nn.losses import Loss, loss
from symdl.nn.optimizers import Optimizer, optimizer
from symdl.nn.progress import Progress
from symdl.nn.weights import assign, values
from symdl.random import RandomStream

Array = np.ndarray[Any, np.dtype[Any]]
Validation = tuple[Any, Any] | float | None
EVALUATION_ROWS = 1024  # rows that evaluation and prediction take at a time: bounds memory, not results


@dataclass
class Trainer:
    """A model, what it makes small and how, each function compiled at its first use; and where its training stands.

    x and y are the variables of a batch: model(x) is the prediction, loss(prediction, y) the scalar to make small,
    metrics further scalars to report. Shuffling draws from `rng`, dropout from `noise`; `seed` starts both.
    """

    model: Layer
    x: Expr
    y: Expr
    loss: str | Loss = "categorical_crossentropy"
    optimizer: str | Optimizer = "adam"
    metrics: Mapping[str, Loss] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.history = History()
        reported = {"loss": loss(self.loss), **self.metrics}
        self.names = list(reported)
        prediction = self.model(self.x)
        self.noise = RandomStream(self.seed)
        noisy = self.model(self.x, self.noise)
        measured = [measure(noisy, self.y) for measure in reported.values()]
        self._measured = measured
        self._updates = optimizer(self.optimizer).updates(measured[0], self.model.parameters)
        self.shared = [target for target, _ in self._updates]  # parameters and optimizer state
        self._initial = values(self.shared)
        self._prediction = prediction
        self._quiet = [measure(prediction, self.y) for measure in reported.values()]

    @cached_property
    def _step(self) -> Function:
        return function([self.x, self.y], self._measured, updates=self._updates, name="step")

    @cached_property
    def _evaluate(self) -> Function:
        return function([self.x, self.y], self._quiet, name="evaluate")

    @cached_property
    def _predict(self) -> Function:
        return function([self.x], self._prediction, name="predict")

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

    def step(self, x: Array, y: Array) -> Array:
        """Move the parameters by one batch: its loss and metrics before the move, float64."""
        return np.array(self._step(x, y), np.float64)

    def evaluate(self, x: Any, y: Any) -> dict[str, float]:
        """Loss and metrics of data as they are now, without dropout."""
        x, y = self.arrays(x, y)
        total = sum(len(x[rows]) * np.array(self._evaluate(x[rows], y[rows]), np.float64) for rows in slices(len(x)))
        return dict(zip(self.names, (np.asarray(total) / len(x)).tolist(), strict=True))

    def predict(self, x: Any) -> Array:
        """The model's prediction for each row of x, without dropout."""
        x = self.array(x, self.x)
        return np.concatenate([self._predict(x[rows]) for rows in slices(len(x))])

    def arrays(self, x: Any, y: Any) -> tuple[Array, Array]:
        """Data as arrays of the dtypes of the variables, as many of x as of y, at least one."""
        x, y = self.array(x, self.x), self.array(y, self.y)
        if len(x) != len(y):
            raise ShapeError(f"fit: {len(x)} rows of {self.x} meet {len(y)} of {self.y}")
        return x, y

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
    x: Any,
    y: Any,
    *,
    epochs: int,
    batch_size: int = 32,
    validation: Validation = None,
    shuffle: bool = True,
    on_batch: Callable[[], None] | None = None,
) -> Iterator[EpochRecord]:
    """Train until `epochs` epochs are done in all, and yield a record after each.

    Every epoch visits every example once, in an order drawn anew; the last batch takes what is left. validation: a pair
    (x, y), or the fraction of the data, its end, to hold out. Breaking off between two records is safe, and calling
    again with the same trainer goes on where it stood.
    Raises ConfigError, ShapeError or DataError at the call, not at the first record.
    """
    (x, y), held_out = parts(trainer, x, y, validation)
    if batch_size < 1 or epochs < 0:
        raise ConfigError(f"fit: batch_size {batch_size} must be at least 1 and epochs {epochs} at least 0")
    return _epochs(trainer, x, y, epochs, batch_size, held_out, shuffle, on_batch)


def _epochs(
    trainer: Trainer,
    x: Array,
    y: Array,
    epochs: int,
    batch_size: int,
    held_out: tuple[Array, Array] | None,
    shuffle: bool,
    on_batch: Callable[[], None] | None,
) -> Iterator[EpochRecord]:
    n = len(x)
    while trainer.epoch < epochs:
        started = time.perf_counter()
        order = trainer.rng.permutation(n) if shuffle else np.arange(n)
        total = np.zeros(len(trainer.names))
        for rows in (order[k : k + batch_size] for k in range(0, n, batch_size)):
            total += len(rows) * trainer.step(x[rows], y[rows])
            if on_batch is not None:
                on_batch()
        metrics = dict(zip(trainer.names, (total / n).tolist(), strict=True))
        if held_out is not None:
            metrics |= {f"val_{name}": value for name, value in trainer.evaluate(*held_out).items()}
        record = EpochRecord(trainer.epoch + 1, time.perf_counter() - started, metrics)
        trainer.history.records.append(record)
        yield record


def fit(
    trainer: Trainer,
    x: Any,
    y: Any,
    *,
    epochs: int,
    batch_size: int = 32,
    validation: Validation = None,
    shuffle: bool = True,
    callbacks: Sequence[Callback] = (),
    verbose: Literal[0, 1] = 1,
) -> History:
    """`fit_iter` to its end, with callbacks: the history of the trainer, this run's records at its end.

    verbose=1 shows progress on standard error, 0 nothing. Ctrl-C ends the run as a callback would: the history and the
    weights so far are kept, `history.interrupted` is true, and a line or a warning says so.
    """
    (train_x, train_y), held_out = parts(trainer, x, y, validation)
    run = Run(
        trainer=trainer,
        epochs=epochs,
        batches=-(-len(train_x) // max(batch_size, 1)),
        settings={
            "batch_size": batch_size,
            "shuffle": shuffle,
            "examples": len(train_x),
            "data": zlib.crc32(train_y.tobytes(), zlib.crc32(train_x.tobytes())),
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
            train_x,
            train_y,
            epochs=epochs,
            batch_size=batch_size,
            validation=held_out,
            shuffle=shuffle,
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


def parts(
    trainer: Trainer, x: Any, y: Any, validation: Validation
) -> tuple[tuple[Array, Array], tuple[Array, Array] | None]:
    """The data to train on and the data held out, as arrays."""
    x, y = trainer.arrays(x, y)
    if validation is None:
        return (x, y), None
    if isinstance(validation, tuple):
        return (x, y), trainer.arrays(*validation)
    kept = len(x) - round(validation * len(x))
    if not 0 < kept < len(x):
        raise ConfigError(f"fit: validation {validation} of {len(x)} examples leaves {kept} to train on")
    return (x[:kept], y[:kept]), (x[kept:], y[kept:])


def slices(n: int) -> Iterator[slice]:
    """The rows 0..n in pieces of EVALUATION_ROWS."""
    return (slice(k, min(k + EVALUATION_ROWS, n)) for k in range(0, n, EVALUATION_ROWS))
