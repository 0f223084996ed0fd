"""What training tells: one record an epoch, and all of them as Keras users expect them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from symdl.plot.curves import learning_curve_svg


@dataclass(frozen=True)
class EpochRecord:
    """One epoch: its number from 1 (so many epochs are done), its seconds, and metrics such as loss, accuracy, val_loss.

    loss and accuracy are means over the epoch's examples while the parameters moved, with dropout; the val_ ones
    are of the validation data after the epoch, without.
    """

    epoch: int
    seconds: float
    metrics: dict[str, float]

    def __str__(self) -> str:
        return line_of(self.metrics)


@dataclass
class History:
    """The records of a run. `stopped` says why it ended before its last epoch, "" when it did not.

    params: verbose, epochs and steps of the call of fit. initial_epoch: so many epochs count as done before the first record.
    """

    records: list[EpochRecord] = field(default_factory=list)
    stopped: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    initial_epoch: int = 0

    @property
    def epoch(self) -> list[int]:
        """The epochs, counted from 0 as Keras counts them."""
        return [r.epoch - 1 for r in self.records]

    @property
    def history(self) -> dict[str, list[float]]:
        """Each metric as a list with one value an epoch: `history["val_loss"]`."""
        names = self.records[-1].metrics if self.records else ()
        return {name: [r.metrics[name] for r in self.records if name in r.metrics] for name in names}

    @property
    def interrupted(self) -> bool:
        """Whether the user stopped it by Ctrl-C."""
        return self.stopped == INTERRUPTED

    def _repr_svg_(self) -> str:
        """Its loss as curves, which Jupyter shows."""
        return learning_curve_svg(self)

    def __repr__(self) -> str:
        last = f"; {self.records[-1]}" if self.records else ""
        return f"History({len(self.records)} epochs{f', {self.stopped}' if self.stopped else ''}{last})"


INTERRUPTED = "interrupted"


def line_of(metrics: Mapping[str, float]) -> str:
    """Metrics in a line, accuracy by its short name: loss: 0.1234 - acc: 0.9876 - val_loss: 0.2345 - val_acc: 0.9765."""
    return " - ".join(f"{_short(name)}: {_number(value)}" for name, value in metrics.items())


def _short(name: str) -> str:
    return name[: -len("accuracy")] + "acc" if name in ("accuracy", "val_accuracy") else name


def _number(value: float) -> str:
    """Four digits behind the point, or in front of an exponent where that would show none."""
    return f"{value:.4f}" if abs(value) >= 1e-3 or value == 0 else f"{value:.4e}"
