"""Networks that classify whose hidden layers are pretrained, one after another and without labels: fit is pretrain, then fine-tune."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from symdl.errors import ConfigError
from symdl.nn.callbacks import Callback, Checkpoint
from symdl.nn.history import History
from symdl.nn.plans import Validation
from symdl.nn.training import Transform
from symdl.zoo.classifier import Network, NetworkConfig
from symdl.zoo.greedy import UNLABELLED, Stage, greedy


@dataclass(frozen=True)
class LayerwiseConfig(NetworkConfig):
    """sizes: features, units of each hidden layer, classes. pretraining_: of pretraining; 0 epochs leave it out. The other
    fields are of fine-tuning."""

    title: ClassVar[str] = "layerwise"
    sizes: tuple[int, ...] = (64, 256, 256, 10)
    pretraining_epochs: int = 50
    pretraining_rate: float = 0.1
    learning_rate: float = 0.002

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.sizes) < 3 or not all(type(n) is int and n > 0 for n in self.sizes):
            raise ConfigError(
                f"{self.title}: sizes {self.sizes} are not (features, hidden, ..., classes), each at least 1"
            )
        if self.pretraining_epochs < 0:
            raise ConfigError(f"{self.title}: pretraining_epochs {self.pretraining_epochs} is below 0")


class Layerwise(Network):
    """The base: a subclass states the stages of its hidden layers, and the weights with which fine-tuning begins.

        model.fit(x, y)                 # y -1: a row without a label, which pretraining learns from

    The attributes are config, model (a Sequential), stages, pretraining (histories) and trainer.
    """

    config: LayerwiseConfig
    stages: list[Stage]
    pretraining: list[History]

    def restart(self) -> None:
        """Stages back to fresh weights and random numbers."""
        for stage in self.stages:
            stage.trainer.reset()

    @abstractmethod
    def begin(self) -> None:
        """Give the layers of the classifier the weights with which fine-tuning begins."""

    @property
    def pretraining_batch(self) -> int:
        """Rows of a batch of pretraining."""
        return int(self.config.batch_size)

    def fit(
        self,
        x: Any,
        y: Any = None,
        *,
        validation: Validation = None,
        callbacks: Sequence[Callback] = (),
        transform: Transform | None = None,
        verbose: Literal[0, 1] = 1,
    ) -> History:
        """Pretrain on all rows of x, fine-tune on those whose label is not -1: the history of fine-tuning, which the
        other arguments are of; a Checkpoint among the callbacks holds pretraining, too. See Model.fit."""
        rows, wanted = self.training_inputs(x, "fit"), np.asarray(y)
        known = wanted != UNLABELLED if wanted.shape == (len(rows),) else np.ones(len(rows), bool)
        labels = self.labels(y if known.all() else wanted[known], "fit")  # which says what is wrong with y
        self.held_out(validation, "fit")  # and this what with validation, before the long part
        self.pretrain(rows, callbacks=[c for c in callbacks if isinstance(c, Checkpoint)], verbose=verbose)
        if self.pretraining and self.pretraining[-1].interrupted:
            return self.pretraining[-1]
        history = self.fine_tune(
            rows[known], labels, validation=validation, callbacks=callbacks, transform=transform, verbose=verbose
        )
        self.seen(rows)
        return history

    def pretrain(
        self, x: Any, *, validation: Any = None, callbacks: Sequence[Callback] = (), verbose: Literal[0, 1] = 1
    ) -> list[History]:
        """Train the stages from fresh weights, each on what the one below makes of x: the history of each. validation: rows
        held out."""
        rows = self.training_inputs(x, "pretrain")
        held_out = None if validation is None else self.training_inputs(validation, "pretrain")
        self.reset()
        self.restart()
        self.pretraining = []
        if self.config.pretraining_epochs:
            self.pretraining = greedy(
                self.stages,
                rows,
                epochs=self.config.pretraining_epochs,
                batch_size=self.pretraining_batch,
                validation=held_out,
                callbacks=callbacks,
                verbose=verbose,
                following=1,
            )
        self.seen(rows)
        return self.pretraining

    def fine_tune(
        self,
        x: Any,
        y: Any,
        *,
        validation: Validation = None,
        callbacks: Sequence[Callback] = (),
        transform: Transform | None = None,
        verbose: Literal[0, 1] = 1,
    ) -> History:
        """Train the classifier, beginning as the last `pretrain` left its hidden layers (as drawn, without pretraining)."""
        data, held_out = self.examples(x, y, "fine_tune"), self.held_out(validation, "fine_tune")
        self.reset()
        self.begin()
        if self.range is None:
            self.seen(data[0])
        how: dict[str, Any] = {"callbacks": callbacks, "transform": transform, "verbose": verbose}
        pretrained = len(self.pretraining)
        return self.train(*data, validation=held_out, stage=(pretrained, pretrained + 1), **how)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.config.sizes[:1]

    @property
    def classes(self) -> int:
        return self.config.sizes[-1]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'-'.join(map(str, self.config.sizes))})"
