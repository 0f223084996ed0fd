"""What training tells: one record an epoch, and all of them as Keras users expect them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class EpochRecord:
    """One epoch: its number from 1, its seconds, and metrics such as loss, accuracy, val_loss, val_accuracy.

    loss and accuracy are means over the epoch's examples while the parameters moved, with dropout; the val_ ones
    are of the validation data after the epoch, without.
    """

    epoch: int
    seconds: float
    metrics: Mapping[str, float]

    def __str__(self) -> str:
        return " - ".join(f"{name}: {value:.4f}" for name, value in self.metrics.items())


@dataclass
class History:
    """The records of a run. `stopped` says why it ended before its last epoch, "" when it did not."""

    records: list[EpochRecord] = field(default_factory=list)
    stopped: str = ""

    @property
    def epoch(self) -> list[int]:
        """The numbers of the epochs, from 1."""
        return [r.epoch for r in self.records]

    @property
    def history(self) -> dict[str, list[float]]:
        """Each metric as a list with one value an epoch: `history["val_loss"]`."""
        names = self.records[0].metrics if self.records else ()
        return {name: [r.metrics[name] for r in self.records] for name in names}

    @property
    def interrupted(self) -> bool:
        """Whether the user stopped it by Ctrl-C."""
        return self.stopped == INTERRUPTED

    def __repr__(self) -> str:
        last = f"; {self.records[-1]}" if self.records else ""
        return f"History({len(self.records)} epochs{f', {self.stopped}' if self.stopped else ''}{last})"


INTERRUPTED = "interrupted"
