"""The training loop: shuffled mini-batches, one compiled step each, one record an epoch."""

from __future__ import annotations

import inspect
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from typing import Any, Literal

import numpy as np

import symdl.tensor as T
from symdl.errors import ConfigError, DataError, ShapeError
from symdl.functions import Function, function
from symdl.graph.expr import Expr
from symdl.nn.history import INTERRUPTED, EpochRecord, History
from symdl.nn.objective import Objective, means
from symdl.nn.optimizers import Optimizer, Updates, optimizer
from symdl.nn.plans import Array, Arrays, Plan, Stream, Validation, planned, weights_of
from symdl.nn.progress import ProgbarLogger
from symdl.nn.settings import checked
from symdl.nn.sources import Batches
from symdl.nn.watching import Callback, Run
from symdl.nn.weights import assign, values
from symdl.passes.replacing import graph_replace
from symdl.runtime.storage import SharedVariable, shared
from symdl.sweeps import Sweep

Transform = Callable[[Arrays, np.random.Generator], Arrays]
EVALUATION_ROWS = 1024  # rows that evaluation and prediction take at a time: bounds memory, not results


class Trainer:
    """An objective, how its parameters move, each function compiled at its first use; and where training stands.

    Shuffling and transforms draw from `rng`, layers from `noise`; `seed` starts both. learning_rate is a shared scalar,
    which callbacks may set between batches. precision: of a step, as of `symdl.function`.
    """

    def __init__(
        self,
        objective: Objective,
        optimizer: str | Optimizer = "adam",
        seed: int = 0,
        precision: str | None = None,
    ) -> None:
        self.objective, self.seed, self.precision = objective, seed, precision
        self.optimizer = chosen = _optimizer(optimizer)
        self.rng = np.random.default_rng(seed)
        self.noise = objective.noise
        self.noise.seed(seed)
        self.history = History()
        self.stop_training = False  # set by a callback, ends the run after the epoch
        self.names = list(objective.measures)
        self._measured = self._means(objective.measures)
        self.widths = [self._width(name, m) for name, m in objective.measures.items()]
        self.scheduled = not isinstance(chosen.learning_rate, float | int)  # by the optimizer itself
        rate = 1.0 if self.scheduled else float(chosen.learning_rate)  # type: ignore[arg-type]  # a number then
        self.learning_rate = shared(np.float64(rate), "learning_rate")
        self._moving = chosen if self.scheduled else replace(chosen, learning_rate=self.learning_rate)

    def _means(self, measures: Mapping[str, Expr]) -> list[Expr]:
        return [one for name, m in measures.items() for one in means(m, self.objective.finish.get(name))]

    def _width(self, name: str, measure: Expr) -> int:
        return int(measure.type.shape[1]) if name in self.objective.finish else 1

    def report(self, found: Array, names: Sequence[str]) -> dict[str, float]:
        """What is reported of the means of these measures, by name."""
        if not self.objective.finish:
            return dict(zip(names, found.tolist(), strict=True))
        widths = dict(zip(self.names, self.widths, strict=True))
        reported, at = {}, 0
        for name in names:
            part, at = found[at : at + widths[name]], at + widths[name]
            finish = self.objective.finish.get(name)
            reported[name] = float(part[0] if finish is None else finish(part))
        return reported

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
        inputs = list(self.objective.inputs)
        return function(inputs, self._measured, updates=self.updates, name="step", precision=self.precision)

    @cached_property
    def _weighted_step(self) -> Function:
        """The step with a weight for each example as its last input; it moves the same parameters and state."""
        self._initial  # noqa: B018  # as above
        weights = T.tensor("sample_weight", dtype=self.learning_rate.dtype, shape=(None,))
        if not self.objective.losses.ndim:
            raise ConfigError("fit: weights need a loss of one number an example; this one is a scalar")
        instead = dict(zip(self._gradients, self.objective.gradients(weights), strict=True))
        updates = self._updates_with(instead)
        measured = self._weighing(self._measured, self.objective.cost(), self.objective.cost(weights))
        inputs = [*self.objective.inputs, weights]
        return function(inputs, measured, updates=updates, name="weighted_step", precision=self.precision)

    @staticmethod
    def _weighing(measures: Sequence[Expr], cost: Expr, weighted: Expr) -> list[Expr]:
        """The measures, the cost among them with its weights."""
        return [weighted if m is cost else m for m in measures]

    def _updates_with(self, gradients: Mapping[Expr, Expr]) -> Updates:
        """The updates of a step with other gradients, and the same optimizer state."""
        targets, nexts = zip(*self.updates, strict=True)
        return list(zip(targets, graph_replace(nexts, gradients), strict=True))

    @cached_property
    def _evaluate(self) -> Function:
        if not self.objective.quiet:
            raise ConfigError("evaluate: this objective measures nothing of data that it is not trained on")
        inputs, quiet = list(self.objective.inputs), self._means(self.objective.quiet)
        return function(inputs, quiet, name="evaluate", on_unused_input="ignore")

    @cached_property
    def _weighted_evaluate(self) -> Function:
        """Evaluation with a weight for each example as its last input; of the measures, the cost has them."""
        losses = self.objective.quiet_losses
        if losses is None or not losses.ndim:
            raise ConfigError("evaluate: weights need a loss of one number an example of held-out data")
        weights = T.tensor("sample_weight", dtype="float64", shape=(None,))
        quiet = self._means(self.objective.quiet)
        quiet = self._weighing(quiet, self.objective.cost(None, losses), self.objective.cost(weights, losses))
        inputs = [*self.objective.inputs, weights]
        return function(inputs, quiet, name="weighted_evaluate", on_unused_input="ignore")

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
        return self.history.records[-1].epoch if self.history.records else self.history.initial_epoch

    def step(self, *batch: Array, weights: Array | None = None) -> Array:
        """Move the parameters by one batch: the means of its measures before the move, float64."""
        return joined(self._step(*batch) if weights is None else self._weighted_step(*batch, weights))

    def sweep(self, plan: Plan, batch_size: int) -> Sweep | None:
        """All steps of an epoch at once: what `step` does with each batch. None where steps are to be made one by one."""
        if any(m.ndim for m in self._measured):
            return None  # a sweep gives numbers
        if plan.weights is None:
            return Sweep(self._step, plan.data, batch_size)
        return Sweep(self._weighted_step, (*plan.data, plan.weights), batch_size)

    def evaluate(self, *data: Any, weights: Any = None) -> dict[str, float]:
        """The measures of data as the parameters are now, without noise: means over the examples.

        weights[n]: how much each example counts in the cost, where that is among the measures.
        """
        total, n = self._summed(self.arrays(*data), weights)
        return self.report(total / n, list(self.objective.quiet))

    def _summed(self, arrays: Sequence[Array], weights: Any = None) -> tuple[Array, int]:
        """The sums of the measures over the examples, and how many these are."""
        n = len(arrays[0])
        run = self._evaluate
        if weights is not None:
            run, arrays = self._weighted_evaluate, [*arrays, weights_of(weights, n)]
        total = sum((rows.stop - rows.start) * joined(run(*(a[rows] for a in arrays))) for rows in slices(n))
        return np.asarray(total), n

    def evaluate_batches(self, batches: Batches) -> dict[str, float]:
        """The measures of batches that come from outside, as `evaluate` has them."""
        total, n = np.zeros(0), 0
        for arrays, weights in batches.epoch():
            found, rows = self._summed(arrays, weights)
            total, n = found + (total if n else 0), n + rows
        return self.report(total / n, list(self.objective.quiet))

    def predict(self, x: Any) -> Array:
        """The prediction for each row of x, without noise."""
        x = self.array(x, self.objective.inputs[0])
        if len(x) <= EVALUATION_ROWS:
            return np.asarray(self._predict(x))
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
    run: Run | None = None,
) -> Iterator[EpochRecord]:
    """Train until `epochs` epochs are done in all, and yield a record after each.

    data: an array for each input of the objective. Every epoch visits every example once, in an order drawn anew; the
    last batch takes what is left. validation: one array for each input, or the fraction of the data, its end, to hold out.
    weights[n]: how much each example counts in the cost. transform(arrays, rng): what a training batch becomes
    (augmentation), drawn from the trainer's generator. Breaking off between two records is safe, and calling again with
    the same trainer goes on where it stood. run: whose callbacks are to be called around batches.
    Raises ConfigError, ShapeError or DataError at the call, not at the first record.
    """
    plan = planned(trainer, data, validation, weights)
    _check(batch_size, epochs)
    return _epochs(trainer, plan, epochs, batch_size, shuffle, transform, run)


def _check(batch_size: int, epochs: int) -> None:
    checked("fit", {"batch_size": batch_size, "epochs": epochs}, inspect.get_annotations(_check))
    if batch_size < 1 or epochs < 0:
        raise ConfigError(f"fit: batch_size {batch_size} must be at least 1 and epochs {epochs} at least 0")


def _epochs(
    trainer: Trainer,
    plan: Plan | Stream,
    epochs: int,
    batch_size: int,
    shuffle: bool,
    transform: Transform | None,
    run: Run | None,
) -> Iterator[EpochRecord]:
    sweep: Sweep | None = None
    while trainer.epoch < epochs:
        watched = run if run is not None and (run.before or run.after) else None
        at_once = watched is None and transform is None  # nobody looks between batches
        if at_once and sweep is None and isinstance(plan, Plan):
            sweep = trainer.sweep(plan, batch_size)
        started = time.perf_counter()
        order = plan.order(trainer.rng, shuffle)
        total, seen, k = np.zeros(sum(trainer.widths)), 0, -1
        if at_once and sweep is not None and order is not None:
            total, seen = sweep.total(order), len(order)
        for k, (batch, weights) in enumerate(plan.batches(order, batch_size) if not seen else ()):
            if watched is not None:
                watched.batch_begins(k)
            if transform is not None:
                batch = trainer.arrays(*transform(batch, trainer.rng))
            total += len(batch[0]) * (
                trainer.step(*batch) if weights is None else trainer.step(*batch, weights=weights)
            )
            seen += len(batch[0])
            if watched is not None:
                watched.batch_ends(k, lambda: trainer.report(total / seen, trainer.names))  # noqa: B023  # called at once
                if trainer.stop_training:
                    break
        if run is not None and not run.batches:
            run.batches = k + 1  # which nobody knew before the data had come to an end
        metrics = trainer.report(total / seen, trainer.names) | plan.held_out_measures(trainer)
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
    verbose: Literal[0, 1, 2] = 1,
    model: Any = None,
    stage: tuple[int, int] = (0, 1),
) -> History:
    """`fit_iter` to its end, with callbacks: the history of the trainer, this run's records at its end.

    verbose=1 shows progress on standard error, 2 a plain line an epoch even on a terminal, 0 nothing. model: what
    callbacks see as theirs. stage: (k, n) for the k-th, from 0, of n runs that belong together, as pretraining and
    fine-tuning do: a checkpoint holds them all. Ctrl-C ends the run as a callback would: the history and the weights so far are kept,
    `history.interrupted` is true, and a line or a warning says so.
    """
    plan = planned(trainer, data, validation, weights)
    _check(batch_size, epochs)

    def settings() -> dict[str, Any]:
        how = {"batch_size": batch_size, "shuffle": shuffle, "optimizer": str(trainer.optimizer)}
        return how | plan.described()

    run = Run(
        trainer,
        [*callbacks, *([ProgbarLogger(plain=verbose == 2)] if verbose else [])],
        epochs=epochs,
        batches=plan.count(batch_size),
        settings=cache(settings),
        model=model,
        verbose=verbose,
        stage=stage,
    )
    history = trainer.history
    try:
        run.begin()
        records = _epochs(trainer, plan, epochs, batch_size, shuffle, transform, run)
        while trainer.epoch < epochs and not run.stopping:
            run.epoch_begins()
            run.epoch_ends(next(records))
        history.stopped = run.stopping
    except KeyboardInterrupt:
        history.stopped = INTERRUPTED
    finally:
        run.end()
    if history.interrupted and not verbose:
        warnings.warn(f"interrupted after epoch {trainer.epoch}; history and weights so far are kept", stacklevel=2)
    return history


def slices(n: int) -> Iterator[slice]:
    """The rows 0..n in pieces of EVALUATION_ROWS."""
    return (slice(k, min(k + EVALUATION_ROWS, n)) for k in range(0, n, EVALUATION_ROWS))


def joined(measured: Sequence[Any]) -> Array:
    """Numbers and vectors as one vector, float64."""
    if not any(np.ndim(m) for m in measured):
        return np.array(measured, np.float64)
    return np.concatenate([np.ravel(m) for m in measured]).astype(np.float64)


_optimizer = optimizer  # a parameter of Trainer hides it
