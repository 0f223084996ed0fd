"""What watches a run: stopping early, writing checkpoints."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from symdl.errors import ConfigError, DataError
from symdl.interop import safetensors
from symdl.nn.history import EpochRecord, History
from symdl.nn.weights import assign, values
from symdl.random import RandomStream
from symdl.storage import SharedVariable

Array = np.ndarray[Any, np.dtype[Any]]


class Trained(Protocol):
    """What callbacks see of a Trainer."""

    shared: list[SharedVariable]
    history: History
    rng: np.random.Generator
    noise: RandomStream

    @property
    def epoch(self) -> int: ...


@dataclass
class Run:
    """One call of `fit`: its trainer, plan and callbacks. settings: what a resumed run must have in common."""

    trainer: Trained
    epochs: int
    batches: int  # of one epoch
    settings: Mapping[str, Any]
    callbacks: Sequence[Callback] = field(default_factory=list)

    def on_batch(self) -> None:
        for callback in self.callbacks:
            callback.batch(self)

    def reason(self) -> str:
        """Why to stop now, of the first callback that has one, else ""."""
        return next(filter(None, (c.stop(self) for c in self.callbacks)), "")


class Callback:
    """The base: does nothing. `order` sorts the callbacks of a run, those of one order stay as given."""

    order: ClassVar[int] = 0

    def begin(self, run: Run) -> None:
        """Before the first epoch."""

    def batch(self, run: Run) -> None:
        """After every batch."""

    def epoch(self, run: Run, record: EpochRecord) -> None:
        """After every epoch."""

    def stop(self, run: Run) -> str:
        """Asked before every epoch and after the last: why to stop, "" to go on."""
        return ""

    def end(self, run: Run) -> None:
        """After the last epoch, also when the run was stopped or failed."""

    def state(self) -> dict[str, Array]:
        """What a checkpoint must hold so that a resumed run goes on alike."""
        return {}

    def restore(self, run: Run, state: Mapping[str, Array]) -> None:
        """Take up the state of a checkpoint."""


class EarlyStopping(Callback):
    """Stops when a metric has not improved by more than min_delta for `patience` epochs, and restores the best.

    The direction follows from the metric's name: accuracy grows, all others shrink. Raises ConfigError at the first
    epoch when the metric is not among those reported.
    """

    def __init__(
        self, monitor: str = "val_loss", patience: int = 10, min_delta: float = 0.0, restore_best: bool = True
    ) -> None:
        if patience < 1:
            raise ConfigError(f"EarlyStopping: patience {patience} must be at least 1")
        self.monitor, self.patience, self.min_delta, self.restore_best = monitor, patience, min_delta, restore_best
        self.sign = -1.0 if monitor.endswith("accuracy") else 1.0
        self.best, self.best_epoch, self.waited = math.inf, 0, 0
        self.best_values: dict[str, Array] = {}

    def epoch(self, run: Run, record: EpochRecord) -> None:
        if self.monitor not in record.metrics:
            raise ConfigError(
                f"EarlyStopping: {self.monitor} is not measured", (), f"measured: {', '.join(record.metrics)}"
            )
        value = self.sign * record.metrics[self.monitor]
        if value < self.best - self.min_delta:  # NaN never improves
            self.best, self.best_epoch, self.waited = value, record.epoch, 0
            self.best_values = values(run.trainer.shared) if self.restore_best else {}
        else:
            self.waited += 1

    def stop(self, run: Run) -> str:
        if self.waited < self.patience:
            return ""
        return f"{self.monitor} has not improved since epoch {self.best_epoch}"

    def end(self, run: Run) -> None:
        if self.best_values:
            assign(run.trainer.shared, self.best_values, "the best epoch")

    def state(self) -> dict[str, Array]:
        numbers = np.array([self.best, self.best_epoch, self.waited], np.float64)
        return {"numbers": numbers} | {f"best.{name}": value for name, value in self.best_values.items()}

    def restore(self, run: Run, state: Mapping[str, Array]) -> None:
        if "numbers" in state:  # the checkpoint of a run without early stopping has none
            best, best_epoch, waited = state["numbers"].tolist()
            self.best, self.best_epoch, self.waited = best, int(best_epoch), int(waited)
            self.best_values = {n.removeprefix("best."): v for n, v in state.items() if n.startswith("best.")}


class Checkpoint(Callback):
    """Writes the whole state of the run to a safetensors file after every `every` epochs, atomically.

    The file holds parameters, optimizer state, the states of the random generators and of the other callbacks, and the
    history. With resume=True, and where the file exists, the run goes on from it, and ends with the very bits of a run
    that was never interrupted. Data, batch size, shuffling and optimizer must be the same: else DataError.
    """

    order: ClassVar[int] = 1  # after those whose state it writes
    FORMAT: ClassVar[str] = "symdl checkpoint 1"

    def __init__(self, path: str | os.PathLike[str], every: int = 1, resume: bool = False) -> None:
        if every < 1:
            raise ConfigError(f"Checkpoint: every {every} epochs must be at least 1")
        self.path, self.every, self.resume = Path(path), every, resume

    def begin(self, run: Run) -> None:
        if self.resume and self.path.exists():
            self.load(run)

    def epoch(self, run: Run, record: EpochRecord) -> None:
        if record.epoch % self.every == 0 or record.epoch == run.epochs:
            self.save(run)

    def save(self, run: Run) -> None:
        """Write the file."""
        trainer = run.trainer
        arrays = {f"trainer.{name}": value for name, value in values(trainer.shared).items()}
        for callback in run.callbacks:
            arrays |= {f"{type(callback).__name__}.{name}": value for name, value in callback.state().items()}
        metadata = {
            "format": self.FORMAT,
            "settings": json.dumps(dict(run.settings), sort_keys=True),
            "rng": json.dumps(trainer.rng.bit_generator.state),
            "noise": json.dumps(trainer.noise.get_state()),
            "records": json.dumps([[r.epoch, r.seconds, dict(r.metrics)] for r in trainer.history.records]),
        }
        safetensors.save(self.path, arrays, metadata)

    def load(self, run: Run) -> None:
        """Take up the run of the file. Raises DataError when it is not a checkpoint of such a run."""
        arrays, metadata = safetensors.load(self.path)
        if metadata.get("format") != self.FORMAT:
            raise DataError(f"resume: {self.path} is no checkpoint: its format is {metadata.get('format')!r}")
        try:
            then, rng = json.loads(metadata["settings"]), json.loads(metadata["rng"])
            key, count = map(int, json.loads(metadata["noise"]))
            records = [EpochRecord(*row) for row in json.loads(metadata["records"])]
        except (KeyError, TypeError, ValueError) as error:  # JSONDecodeError is a ValueError
            raise DataError(f"resume: the metadata of {self.path} are damaged ({error!r})") from error
        now = dict(run.settings)
        changed = [(name, f"{then.get(name)} then", f"{now[name]} now") for name in now if then.get(name) != now[name]]
        if changed:
            raise DataError(f"resume: {self.path} is of another run", changed)
        groups: dict[str, dict[str, Array]] = {}
        for name, value in arrays.items():
            group, _, rest = name.partition(".")
            groups.setdefault(group, {})[rest] = value
        assign(run.trainer.shared, groups.pop("trainer", {}), str(self.path))
        run.trainer.rng.bit_generator.state = rng
        run.trainer.noise.set_state((key, count))
        run.trainer.history.records[:] = records
        for callback in run.callbacks:
            callback.restore(run, groups.get(type(callback).__name__, {}))


class LambdaCallback(Callback):
    """Calls a function with every record: `LambdaCallback(lambda record: print(record))`."""

    def __init__(self, on_epoch: Callable[[EpochRecord], object]) -> None:
        self.on_epoch = on_epoch

    def epoch(self, run: Run, record: EpochRecord) -> None:
        self.on_epoch(record)
