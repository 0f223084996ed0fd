"""How far training is: a bar on a terminal, one plain line an epoch elsewhere, always on standard error."""

from __future__ import annotations

import sys
from typing import Any, ClassVar, TextIO

from symdl import extras
from symdl.nn.callbacks import Callback, Run
from symdl.nn.history import EpochRecord


class Progress(Callback):
    """A rich bar of all batches with the last epoch's metrics when the stream is a terminal and rich is installed.

    Otherwise one line an epoch, without carriage returns, fit for a log. stream: standard error if not given.
    """

    order: ClassVar[int] = 2

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream
        self.bar: Any = None
        self.task: Any = None

    def begin(self, run: Run) -> None:
        stream = self._stream()
        if stream.isatty() and extras.installed("rich"):
            self.bar = _bar(stream)
            self.bar.start()
            self.task = self.bar.add_task("", total=run.epochs * run.batches, metrics="")
            self._show(run)

    def batch(self, run: Run) -> None:
        if self.bar is not None:
            self.bar.advance(self.task)

    def epoch(self, run: Run, record: EpochRecord) -> None:
        if self.bar is None:
            width = len(str(run.epochs))
            line = f"epoch {record.epoch:>{width}}/{run.epochs} - {record.seconds:.2f} s - {record}"
            print(line, file=self._stream(), flush=True)
        else:
            self._show(run)

    def end(self, run: Run) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None
        history = run.trainer.history
        if history.interrupted:
            line = f"interrupted after epoch {run.trainer.epoch} of {run.epochs}; history and weights so far are kept"
            print(line, file=self._stream(), flush=True)
        elif history.stopped:
            print(f"stopped after epoch {run.trainer.epoch}: {history.stopped}", file=self._stream(), flush=True)

    def _show(self, run: Run) -> None:
        done = run.trainer.epoch
        records = run.trainer.history.records
        self.bar.update(
            self.task,
            completed=done * run.batches,
            description=f"epoch {done}/{run.epochs}",
            metrics=str(records[-1]) if records else "",
        )

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
