"""Callbacks that write files from which a run, or a model, can be taken up again."""

from __future__ import annotations

import json
import os
from collections import ChainMap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from symdl.errors import ConfigError, DataError
from symdl.interop import safetensors
from symdl.nn.history import EpochRecord
from symdl.nn.stopping import Monitor
from symdl.nn.watching import Array, Callback, Logs
from symdl.nn.weights import assign, values


class Checkpoint(Callback):
    """Writes the whole state of the run to a safetensors file after every `every` epochs, atomically.

    The file holds parameters, optimizer state, the states of the random generators and of the other callbacks, and the
    history; where runs belong together (`stage` of `fit`), as pretraining and fine-tuning do, those of each. With
    resume=True, and where the file exists, the run goes on from it, and ends with the very bits of a run that was never
    interrupted. Data, batch size, shuffling and optimizer must be the same: else DataError.
    """

    order: ClassVar[int] = 1  # after those whose state it writes
    FORMAT: ClassVar[str] = "symdl checkpoint 2"

    def __init__(self, path: str | os.PathLike[str], every: int = 1, resume: bool = False) -> None:
        if every < 1:
            raise ConfigError(f"Checkpoint: every {every} epochs must be at least 1")
        self.path, self.every, self.resume = Path(path), every, resume
        self.stages: dict[int, tuple[dict[str, Array], dict[str, str]]] = {}  # arrays and metadata of each

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if self.resume and self.path.exists():
            self.load()
        elif not self.run.stage[0]:
            self.stages.clear()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if (epoch + 1) % self.every == 0 or epoch + 1 == self.run.epochs:
            self.save()

    def save(self) -> None:
        """Write the file: this run as it is now, and those before it."""
        trainer, stage = self.trainer, self.run.stage[0]
        arrays = {f"trainer.{name}": value for name, value in values(trainer.shared).items()}
        for callback in self.run.callbacks:
            arrays |= {f"{type(callback).__name__}.{name}": value for name, value in callback.state().items()}
        metadata = {
            "settings": json.dumps(dict(self.run.settings()), sort_keys=True),
            "rng": json.dumps(trainer.rng.bit_generator.state),
            "noise": json.dumps(trainer.noise.get_state()),
            "records": json.dumps([[r.epoch, r.seconds, r.metrics] for r in trainer.history.records]),
        }
        self.stages = {k: kept for k, kept in self.stages.items() if k < stage} | {stage: (arrays, metadata)}
        named = [{f"{k}/{name}": v for name, v in arrays.items()} for k, (arrays, _) in self.stages.items()]
        said = [{f"{k}/{name}": v for name, v in metadata.items()} for k, (_, metadata) in self.stages.items()]
        safetensors.save(self.path, dict(ChainMap(*named)), {"format": self.FORMAT, **ChainMap(*said)})

    def load(self) -> None:
        """Take up the run of the file; of runs that belong together one that had not begun then begins anew.

        Raises DataError when it is not a checkpoint of such a run."""
        stage = self.run.stage[0]
        self.stages = self._read()
        if stage not in self.stages and stage - 1 in self.stages:
            return
        if stage not in self.stages:
            raise DataError(
                f"resume: {self.path} is of another run: it has no stage {stage + 1} of {self.run.stage[1]}"
            )
        arrays, metadata = self.stages[stage]
        try:
            then, rng = json.loads(metadata["settings"]), json.loads(metadata["rng"])
            key, count = map(int, json.loads(metadata["noise"]))
            records = [EpochRecord(*row) for row in json.loads(metadata["records"])]
        except (KeyError, TypeError, ValueError) as error:  # JSONDecodeError is a ValueError
            raise DataError(f"resume: the metadata of {self.path} are damaged ({error!r})") from error
        now = dict(self.run.settings())
        changed = [(name, f"{then.get(name)} then", f"{now[name]} now") for name in now if then.get(name) != now[name]]
        if changed:
            raise DataError(f"resume: {self.path} is of another run", changed)
        if self.run.anew:
            return
        groups: dict[str, dict[str, Array]] = {}
        for name, value in arrays.items():
            group, _, rest = name.partition(".")
            groups.setdefault(group, {})[rest] = value
        trainer = self.trainer
        assign(trainer.shared, groups.pop("trainer", {}), str(self.path))
        trainer.rng.bit_generator.state = rng
        trainer.noise.set_state((key, count))
        trainer.history.records[:] = records
        for callback in self.run.callbacks:
            callback.restore(groups.get(type(callback).__name__, {}))

    def _read(self) -> dict[int, tuple[dict[str, Array], dict[str, str]]]:
        """The arrays and metadata of each stage in the file."""
        arrays, metadata = safetensors.load(self.path)
        if metadata.get("format") != self.FORMAT:
            raise DataError(f"resume: {self.path} is no checkpoint: its format is {metadata.get('format')!r}")
        stages: dict[int, tuple[dict[str, Array], dict[str, str]]] = {}
        both: tuple[dict[str, Any], ...] = arrays, metadata
        for kind, named in enumerate(both):
            for name, value in named.items():
                stage, _, rest = name.partition("/")
                if stage.isdecimal():
                    stages.setdefault(int(stage), ({}, {}))[kind][rest] = value
        return stages


class BackupAndRestore(Checkpoint):
    """A Checkpoint in a folder, backup_dir, that is taken up if it is there, and removed when the run has come to its end.

    So a script that was interrupted is simply started again. delete_checkpoint=False leaves the file where it is.
    """

    def __init__(
        self, backup_dir: str | os.PathLike[str], save_freq: str | int = "epoch", delete_checkpoint: bool = True
    ) -> None:
        if save_freq != "epoch":
            raise ConfigError(f'BackupAndRestore: save_freq is {save_freq!r}; backups are made after epochs: "epoch"')
        super().__init__(Path(backup_dir) / "training.safetensors", resume=True)
        self.delete_checkpoint = delete_checkpoint

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        super().on_train_begin(logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        stage, stages = self.run.stage
        done = stage + 1 == stages and (self.trainer.epoch >= self.run.epochs or self.run.stopping)
        if self.delete_checkpoint and done and not self.trainer.history.interrupted:
            self.path.unlink(missing_ok=True)


class ModelCheckpoint(Callback):
    """Saves the model after every epoch, to filepath with {epoch} (from 1) and measures filled in: "w-{epoch:02d}-{val_loss:.3f}".

    save_best_only: only where the measure is better than before, or than initial_value_threshold; mode: see
    `symdl.nn.stopping.Monitor`. save_weights_only: without what the model is made of. Without a model (a Trainer alone)
    the file holds its parameters and state.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        if save_freq != "epoch":
            raise ConfigError(f'ModelCheckpoint: save_freq is {save_freq!r}; models are saved after epochs: "epoch"')
        self.filepath, self.monitor = os.fspath(filepath), Monitor("ModelCheckpoint", monitor, mode)
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self.best = self.monitor.worst if initial_value_threshold is None else initial_value_threshold

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_best_only:
            value = self.monitor.value(logs)
            if not self.monitor.improved(value, self.best):
                return
            self.best = value
        try:
            path = self.filepath.format(epoch=epoch + 1, **(logs or {}))
        except (KeyError, IndexError, ValueError) as error:
            measured = ", ".join(logs or {})
            raise ConfigError(f"ModelCheckpoint: {self.filepath} cannot be filled in with epoch, {measured}") from error
        save = getattr(self.model, "save_weights" if self.save_weights_only else "save", None)
        if save is not None:
            save(path)
        else:
            objective = self.trainer.objective
            safetensors.save(path, values([*objective.parameters, *objective.state]))

    def state(self) -> dict[str, Array]:
        return {"best": np.array(self.best, np.float64)}

    def restore(self, state: Mapping[str, Array]) -> None:
        if "best" in state:
            self.best = float(state["best"])
