"""What a callback is, and one run of training as its callbacks see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np

from symdl.errors import ConfigError
from symdl.nn.history import EpochRecord, History
from symdl.nn.objective import Objective
from symdl.random import RandomStream
from symdl.runtime.storage import SharedVariable

Array = np.ndarray[Any, np.dtype[Any]]
Logs = dict[str, float]


class Trained(Protocol):
    """What callbacks see of a Trainer."""

    objective: Objective
    history: History
    rng: np.random.Generator
    noise: RandomStream
    learning_rate: SharedVariable
    scheduled: bool  # whether the learning rate is a schedule of the optimizer's own
    stop_training: bool

    @property
    def shared(self) -> list[SharedVariable]: ...

    @property
    def epoch(self) -> int: ...


class Callback:
    """The base: does nothing. Its methods are Keras'; epochs and batches count from 0, logs hold what has been measured.

    While it runs, `model` is what is being trained: the model whose fit was called, or the Trainer; `trainer` is the
    Trainer in any case; `params` holds verbose, epochs, and steps of an epoch. `model.stop_training = True` ends the run
    after the epoch, and so does `stop(why)`, which says why. `order` sorts the callbacks of a run; those of one order stay as given.
    """

    order: ClassVar[int] = 0
    model: Any = None
    params: Mapping[str, Any] = {}  # replaced, never changed
    run: Run

    def set_model(self, model: Any) -> None:
        """What is being trained."""
        self.model = model

    def set_params(self, params: Mapping[str, Any]) -> None:
        """verbose, epochs, steps."""
        self.params = params

    @property
    def trainer(self) -> Trained:
        """The Trainer that runs."""
        return self.run.trainer

    def stop(self, why: str) -> None:
        """End the run after this epoch; `History.stopped` will say why."""
        self.run.stop(why)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Before the first epoch."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """After the last epoch, also when the run was stopped or failed."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Before an epoch."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """After an epoch. What is put into logs becomes part of the history."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch."""

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch; logs: means over the epoch so far."""

    def watches(self, hook: str) -> bool:
        """Whether the hook of this name does anything, so that it must be called for every batch of the next epoch."""
        return getattr(type(self), hook) is not getattr(Callback, hook)

    def state(self) -> dict[str, Array]:
        """What a checkpoint must hold so that a resumed run goes on alike."""
        return {}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take up the state of a checkpoint."""


class Run:
    """One call of `fit`: its trainer, plan and callbacks.

    epochs: how many there are to be in all; batches: of one epoch. settings: makes what a resumed run must have in
    common. model: what callbacks see as their model, the trainer if not given. stage: see `symdl.nn.fit`.
    anew: whether a resumed run begins at its first epoch, since a checkpoint has not all that it knows.
    """

    def __init__(
        self,
        trainer: Trained,
        callbacks: Sequence[Callback],
        *,
        epochs: int,
        batches: int,
        settings: Callable[[], Mapping[str, Any]],
        model: Any = None,
        verbose: int = 0,
        stage: tuple[int, int] = (0, 1),
        anew: bool = False,
    ) -> None:
        for callback in callbacks:
            if not isinstance(callback, Callback):
                raise ConfigError(
                    f"fit: {callback!r} is no callback", (),
                    "Callbacks are objects of subclasses of symdl.nn.Callback.",
                )  # fmt: skip
        self.trainer, self.epochs, self.batches, self.settings = trainer, epochs, batches, settings
        self.stage, self.anew = stage, anew
        self.model = trainer if model is None else model
        self.params = {"verbose": verbose, "epochs": epochs, "steps": batches or None}
        self.callbacks = sorted(callbacks, key=lambda c: c.order)
        self.before: list[Callable[[int, Logs | None], None]] = []
        self.after: list[Callable[[int, Logs | None], None]] = []
        self._why = ""

    def begin(self) -> None:
        """Before the first epoch."""
        self.trainer.stop_training = False
        self.trainer.history.params, self.trainer.history.stopped = self.params, ""
        for callback in self.callbacks:
            callback.run = self
            callback.set_params(self.params)
            callback.set_model(self.model)
        for callback in self.callbacks:
            callback.on_train_begin({})

    def epoch_begins(self) -> None:
        """Before an epoch."""
        for callback in self.callbacks:
            callback.on_epoch_begin(self.trainer.epoch, {})
        self.before = [c.on_train_batch_begin for c in self.callbacks if c.watches("on_train_batch_begin")]
        self.after = [c.on_train_batch_end for c in self.callbacks if c.watches("on_train_batch_end")]

    def epoch_ends(self, record: EpochRecord) -> None:
        """After an epoch."""
        for callback in self.callbacks:
            callback.on_epoch_end(record.epoch - 1, record.metrics)

    def end(self) -> None:
        """After the last epoch."""
        records = self.trainer.history.records
        for callback in self.callbacks:
            callback.on_train_end(dict(records[-1].metrics) if records else {})

    def batch_begins(self, batch: int) -> None:
        """Before a batch."""
        for hook in self.before:
            hook(batch, {})

    def batch_ends(self, batch: int, means: Callable[[], Logs]) -> None:
        """After a batch; means are computed only if somebody looks at them."""
        if self.after:
            logs = means()
            for hook in self.after:
                hook(batch, logs)

    def stop(self, why: str) -> None:
        """End after this epoch, with the first reason given."""
        self._why = self._why or why
        self.trainer.stop_training = True

    @property
    def stopping(self) -> str:
        """Why to stop now; "" to go on."""
        return (self._why or "stop_training was set") if self.trainer.stop_training else ""


class LambdaCallback(Callback):
    """Callbacks from functions: `LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs))`."""

    def __init__(
        self,
        on_epoch_begin: Callable[[int, Logs], object] | None = None,
        on_epoch_end: Callable[[int, Logs], object] | None = None,
        on_train_begin: Callable[[Logs], object] | None = None,
        on_train_end: Callable[[Logs], object] | None = None,
        on_train_batch_begin: Callable[[int, Logs], object] | None = None,
        on_train_batch_end: Callable[[int, Logs], object] | None = None,
    ) -> None:
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
        }
        self.given = {name for name, f in given.items() if f is not None}
        for name, f in given.items():
            if f is not None:
                setattr(self, name, f)

    def watches(self, hook: str) -> bool:
        return hook in self.given
