"""When to stop: callbacks that end a run before its last epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from symdl.errors import ConfigError
from symdl.nn.watching import Array, Callback, Logs
from symdl.nn.weights import assign, values

GROWING = ("acc", "accuracy", "likelihood", "auc", "precision", "recall")


class Monitor:
    """A measure that callbacks watch, and which way is better: mode "min", "max", or "auto" for what its name says
    (accuracy, likelihood, AUC, precision and recall grow, all others shrink). min_delta: what counts as no change."""

    def __init__(self, owner: str, name: str, mode: str = "auto", min_delta: float = 0.0) -> None:
        if mode not in ("auto", "min", "max"):
            raise ConfigError(f"{owner}: mode {mode!r} is none of auto, min, max")
        self.owner, self.name, self.min_delta = owner, name, abs(min_delta)
        self.grows = mode == "max" or (mode == "auto" and name.lower().endswith(GROWING))

    @property
    def worst(self) -> float:
        """What everything improves on."""
        return -math.inf if self.grows else math.inf

    def value(self, logs: Logs | None) -> float:
        """What was measured. Raises ConfigError where it was not."""
        if logs is None or self.name not in logs:
            raise ConfigError(
                f"{self.owner}: {self.name} is not measured", (), f"measured: {', '.join(logs or ['nothing'])}"
            )
        return logs[self.name]

    def improved(self, value: float, best: float) -> bool:
        """Whether value is better than best; NaN never is."""
        return value > best + self.min_delta if self.grows else value < best - self.min_delta


class EarlyStopping(Callback):
    """Stops when a measure has not improved by more than min_delta for `patience` epochs.

    mode: see Monitor. baseline: patience counts until this has been passed, too. restore_best_weights: at the end of the
    run, however it ended, everything that training moves is as it was after the best epoch. start_from_epoch: epochs
    before this one do not count. Raises ConfigError at the first epoch when the measure is not among those reported.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        if patience < 0:
            raise ConfigError(f"EarlyStopping: patience {patience} is below 0")
        self.monitor = Monitor("EarlyStopping", monitor, mode, min_delta)
        self.patience, self.baseline = patience, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch
        self._reset()

    def _reset(self) -> None:
        self.best, self.best_epoch, self.wait = self.monitor.worst, 0, 0
        self.best_values: dict[str, Array] = {}

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._reset()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = self.monitor.value(logs)
        if epoch < self.start_from_epoch:
            return
        if self.monitor.improved(value, self.best):
            self.best, self.best_epoch = value, epoch
            self.best_values = values(self.trainer.shared) if self.restore_best_weights else {}
            if self.baseline is None or self.monitor.improved(value, self.baseline):
                self.wait = 0
                return
        self.wait += 1
        self._judge()

    def _judge(self) -> None:
        if self.wait >= max(self.patience, 1):
            self.stop(f"{self.monitor.name} has not improved since epoch {self.best_epoch + 1}")

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.best_values:
            assign(self.trainer.shared, self.best_values, "the best epoch")

    def state(self) -> dict[str, Array]:
        numbers = np.array([self.best, self.best_epoch, self.wait], np.float64)
        return {"numbers": numbers} | {f"best.{name}": value for name, value in self.best_values.items()}

    def restore(self, state: Mapping[str, Array]) -> None:
        if "numbers" in state:  # the checkpoint of a run without early stopping has none
            best, best_epoch, wait = state["numbers"].tolist()
            self.best, self.best_epoch, self.wait = best, int(best_epoch), int(wait)
            self.best_values = {n.removeprefix("best."): v for n, v in state.items() if n.startswith("best.")}
            self._judge()


class Patience(Callback):
    """Stops when so many batches have passed: `patience` at first, patience_increase times as many as it took to improve.

    An improvement counts where the measure falls below improvement_threshold times the best before it: the rule of the
    deeplearning.net tutorials, looked at after every epoch.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 5000,
        patience_increase: float = 2.0,
        improvement_threshold: float = 0.995,
    ) -> None:
        if patience < 1 or patience_increase < 1 or not 0 < improvement_threshold <= 1:
            raise ConfigError(
                f"Patience: patience {patience} and its increase {patience_increase} must be at least 1, the threshold "
                f"{improvement_threshold} in 0..1"
            )
        self.monitor = Monitor("Patience", monitor, "min")
        self.patience, self.increase, self.threshold = patience, patience_increase, improvement_threshold
        self.best, self.allowed = math.inf, float(patience)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.best, self.allowed = math.inf, float(self.patience)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value, batches = self.monitor.value(logs), (epoch + 1) * self.run.batches
        if value < self.best:
            if value < self.best * self.threshold:
                self.allowed = max(self.allowed, batches * self.increase)
            self.best = value
        self._judge(batches)

    def _judge(self, batches: int) -> None:
        if batches >= self.allowed:
            self.stop(f"{self.monitor.name} has not improved enough for {batches} batches")

    def state(self) -> dict[str, Array]:
        return {"numbers": np.array([self.best, self.allowed], np.float64)}

    def restore(self, state: Mapping[str, Array]) -> None:
        if "numbers" in state:
            self.best, self.allowed = state["numbers"].tolist()
            self._judge(self.trainer.epoch * self.run.batches)


class TerminateOnNaN(Callback):
    """Stops in the middle of an epoch when the loss is NaN or infinite."""

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            self.stop(f"the loss is {loss} after batch {batch + 1} of epoch {self.trainer.epoch + 1}")
