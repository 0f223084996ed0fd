"""Callbacks that write what was measured for other programs: a table of commas, TensorBoard's event files."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from symdl import extras
from symdl.nn.watching import Callback, Logs


class CSVLogger(Callback):
    """One row an epoch: its number from 0, then the measures by name. append: go on with a file that is there."""

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        self.path, self.separator, self.append = Path(filename), separator, append
        self.file: TextIO | None = None
        self.names: list[str] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.names = []
        if self.append and self.path.exists():
            with self.path.open(newline="", encoding="utf-8") as file:
                self.names = next(csv.reader(file, delimiter=self.separator), ["epoch"])[1:]
        self.file = self.path.open("a" if self.append else "w", newline="", encoding="utf-8")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.file is None:
            return
        writer = csv.writer(self.file, delimiter=self.separator)
        if not self.names:
            self.names = sorted(logs or {})
            writer.writerow(["epoch", *self.names])
        writer.writerow([epoch, *((logs or {}).get(name, "NA") for name in self.names)])
        self.file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.file is not None:
            self.file.close()
            self.file = None


class TensorBoard(Callback):
    """Writes TensorBoard's event files: log_dir/train and log_dir/validation have epoch_loss, epoch_accuracy, ...

    histogram_freq: after every so many epochs, a histogram of each parameter. update_freq="batch" writes batch_loss, ...
    for every batch, too. Needs tensorboardX: pip install "symdl[tensorboard]".
    """

    def __init__(
        self, log_dir: str | os.PathLike[str] = "logs", histogram_freq: int = 0, update_freq: str = "epoch"
    ) -> None:
        self.log_dir, self.histogram_freq, self.update_freq = Path(log_dir), histogram_freq, update_freq
        self.writers: dict[str, Any] = {}

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.module = extras.load("tensorboardX", "TensorBoard's event files")

    def watches(self, hook: str) -> bool:
        return hook != "on_train_batch_begin" and self.update_freq == "batch"

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        step = self.trainer.epoch * self.run.batches + batch
        for name, value in (logs or {}).items():
            self._writer("train").add_scalar(f"batch_{name}", value, step)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        for name, value in (logs or {}).items():
            part = "validation" if name.startswith("val_") else "train"
            self._writer(part).add_scalar(f"epoch_{name.removeprefix('val_')}", value, epoch)
        if self.histogram_freq and (epoch + 1) % self.histogram_freq == 0:
            for p in self.trainer.objective.parameters:
                self._writer("train").add_histogram(str(p.name), np.asarray(p.get_value(borrow=True)), epoch)

    def on_train_end(self, logs: Logs | None = None) -> None:
        for writer in self.writers.values():
            writer.close()
        self.writers = {}

    def _writer(self, part: str) -> Any:
        if part not in self.writers:
            self.writers[part] = self.module.SummaryWriter(str(self.log_dir / part))
        return self.writers[part]
