"""Callbacks that set the learning rate between epochs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping

import numpy as np

from symdl.errors import ConfigError
from symdl.nn.stopping import Monitor
from symdl.nn.watching import Array, Callback, Logs


class _Rate(Callback):
    """What both have in common: the rate as a number."""

    @property
    def rate(self) -> float:
        return float(self.trainer.learning_rate.get_value())

    @rate.setter
    def rate(self, value: float) -> None:
        if self.trainer.scheduled:
            raise ConfigError(
                f"{type(self).__name__}: the optimizer has a schedule of its own", (), "Give it a number."
            )
        self.trainer.learning_rate.set_value(np.float64(value))


class LearningRateScheduler(_Rate):
    """Before each epoch, sets the learning rate to schedule(epoch, rate), epochs counted from 0; logs have learning_rate."""

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        self.schedule = schedule

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        alone = len(inspect.signature(self.schedule).parameters) == 1  # a schedule of the epoch alone
        value = self.schedule(epoch) if alone else self.schedule(epoch, self.rate)
        if not isinstance(value, float | int | np.floating):
            raise ConfigError(f"LearningRateScheduler: the schedule gave {value!r}, which is no number")
        self.rate = float(value)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = self.rate


class ReduceLROnPlateau(_Rate):
    """Multiplies the learning rate by `factor` when a measure has not improved for `patience` epochs, never below min_lr.

    min_delta: what counts as no change. cooldown: so many epochs after that do not count. mode: see Monitor. Logs have
    learning_rate.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        if not 0 < factor < 1:
            raise ConfigError(f"ReduceLROnPlateau: factor {factor} is not between 0 and 1")
        self.monitor = Monitor("ReduceLROnPlateau", monitor, mode, min_delta)
        self.factor, self.patience, self.cooldown, self.min_lr = factor, patience, cooldown, min_lr
        self.best, self.wait, self.resting = self.monitor.worst, 0, 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.best, self.wait, self.resting = self.monitor.worst, 0, 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = self.monitor.value(logs)
        if logs is not None:
            logs["learning_rate"] = self.rate
        if self.resting > 0:
            self.resting -= 1
            self.wait = 0
        if self.monitor.improved(value, self.best):
            self.best, self.wait = value, 0
        elif self.resting <= 0:
            self.wait += 1
            if self.wait >= self.patience and self.rate > self.min_lr:
                self.rate = max(self.rate * self.factor, self.min_lr)
                self.resting, self.wait = self.cooldown, 0

    def state(self) -> dict[str, Array]:
        return {"numbers": np.array([self.best, self.wait, self.resting], np.float64)}

    def restore(self, state: Mapping[str, Array]) -> None:
        if "numbers" in state:
            self.best, wait, resting = state["numbers"].tolist()
            self.wait, self.resting = int(wait), int(resting)
