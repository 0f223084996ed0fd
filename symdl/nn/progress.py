"""How far training is: a bar on a terminal, one plain line an epoch elsewhere, always on standard error."""

from __future__ import annotations

import sys
import time
from typing import Any, ClassVar, TextIO

from symdl import extras
from symdl.nn.history import line_of
from symdl.nn.watching import Callback, Logs

PERIOD = 0.1  # seconds between two looks of the bar
SLOW = 1.0  # seconds of an epoch from which on the bar moves within it, which costs a call a batch


class ProgbarLogger(Callback):
    """A rich bar of the epoch's batches with the measures when the stream is a terminal and rich is installed.

    Otherwise, and with plain=True, one line an epoch, without carriage returns, fit for a log. stream: standard error if
    not given.
    """

    order: ClassVar[int] = 2

    def __init__(self, stream: TextIO | None = None, plain: bool = False) -> None:
        self.stream, self.plain = stream, plain
        self.bar: Any = None
        self.task: Any = None
        self.shown = 0.0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        stream = self._stream()
        if not self.plain and stream.isatty() and extras.installed("rich"):
            self.bar = _bar(stream)
            self.bar.start()
            self.task = self.bar.add_task("", total=self._total, metrics="")
            records = self.trainer.history.records
            self._show(self.trainer.epoch, 0, str(records[-1]) if records else "")

    def watches(self, hook: str) -> bool:
        records = self.trainer.history.records
        slow = not records or records[-1].seconds > SLOW
        return self.bar is not None and hook == "on_train_batch_end" and slow

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self.bar is not None and (now := time.perf_counter()) - self.shown > PERIOD:
            self.shown = now
            self._show(self.trainer.epoch, batch + 1, line_of(logs or {}))

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        record = self.trainer.history.records[-1]
        if self.bar is None:
            width = len(str(self.run.epochs))
            line = f"{self._stage}epoch {record.epoch:>{width}}/{self.run.epochs} - {record.seconds:.2f} s - {record}"
            print(line, file=self._stream(), flush=True)
        else:
            self._show(epoch + 1, 0, str(record))

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None
        history, done = self.trainer.history, self.trainer.epoch
        if history.interrupted:
            line = (
                f"interrupted after {self._stage}epoch {done} of {self.run.epochs}; history and weights so far are kept"
            )
            print(line, file=self._stream(), flush=True)
        elif history.stopped:
            print(f"stopped after {self._stage}epoch {done}: {history.stopped}", file=self._stream(), flush=True)

    def _show(self, epochs: int, batches: int, metrics: str) -> None:
        """The bar after so many epochs, and batches of the next."""
        self.bar.update(
            self.task,
            total=self._total,
            completed=epochs * self.run.batches + batches,
            description=f"{self._stage}epoch {epochs + (batches > 0)}/{self.run.epochs}",
            metrics=metrics,
        )

    @property
    def _stage(self) -> str:
        """Which of several runs this is, "" of one alone."""
        stage, stages = self.run.stage
        return f"stage {stage + 1}/{stages}, " if stages > 1 else ""

    @property
    def _total(self) -> int | None:
        """Batches of all epochs; None as long as nobody knows."""
        return self.run.epochs * self.run.batches or None

    def _stream(self) -> TextIO:
        return self.stream or sys.stderr


def _bar(stream: TextIO) -> Any:
    console = extras.load("rich.console", "the progress bar").Console(file=stream)
    rich = extras.load("rich.progress", "the progress bar")
    return rich.Progress(
        rich.TextColumn("{task.description}"),
        rich.BarColumn(bar_width=24),
        rich.TimeElapsedColumn(),
        rich.TimeRemainingColumn(),
        rich.TextColumn("{task.fields[metrics]}"),
        console=console,
    )
