"""Greedy layer-wise training: every layer of a stack learns, by an objective of its own, from what the layer below makes of the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from symdl.errors import ConfigError, ShapeError
from symdl.functions import Function, function
from symdl.graph.expr import Expr
from symdl.nn.callbacks import Callback
from symdl.nn.history import History
from symdl.nn.training import Trainer, fit, slices

Array = np.ndarray[Any, np.dtype[Any]]
UNLABELLED = -1  # the label of rows that only greedy training uses


@dataclass
class Stage:
    """One layer of a stack. trainer: of the layer's own objective, whose one input is what the layer below makes (the data,
    for the first). code: what the layer hands to the next, an expression of that input: means, or draws of a stream.
    """

    trainer: Trainer
    code: Expr

    def __post_init__(self) -> None:
        if len(self.trainer.objective.inputs) != 1:
            raise ConfigError("greedy: the objective of a layer takes one input, what the layer below makes")

    @cached_property
    def _code(self) -> Function:
        return function(list(self.trainer.objective.inputs), self.code, name="code")

    def encode(self, x: Any) -> Array:
        """The codes of the rows of x, as the parameters are now."""
        x = self.trainer.array(x, self.trainer.objective.inputs[0])
        return np.concatenate([self._code(x[rows]) for rows in slices(len(x))])


def greedy(
    stages: Sequence[Stage],
    x: Any,
    *,
    epochs: int | Sequence[int],
    batch_size: int,
    validation: Any = None,
    callbacks: Sequence[Callback] = (),
    verbose: Literal[0, 1] = 1,
    following: int = 0,
) -> list[History]:
    """Train the stages from the bottom to the top, each until it has `epochs` epochs: the history of each.

    x[n, features]: the data of the first stage; every other one is given the codes of the stage below, computed once that
    is trained. epochs: one number, or one a stage. validation: rows held out, encoded in the same way. The other arguments are those of
    `symdl.nn.fit`. following: how many runs follow that belong to these, as fine-tuning does: see its `stage`.
    A stage that has had its epochs before only encodes, so that an interrupted run can go on.
    (Hinton, Osindero and Teh, 2006, for Boltzmann machines; Bengio, Lamblin, Popovici and Larochelle, 2007, for any layer.)
    Raises ConfigError unless there is a number of epochs for each stage, ShapeError where a stage does not take the codes
    of the one below.
    """
    counts = [epochs] * len(stages) if isinstance(epochs, int) else list(epochs)
    if len(counts) != len(stages):
        raise ConfigError(f"greedy: {len(counts)} numbers of epochs meet {len(stages)} stages")
    for below, above in zip(stages, stages[1:], strict=False):
        made, taken = below.code.type.shape[-1], above.trainer.objective.inputs[0].type.shape[-1]
        if isinstance(made, int) and isinstance(taken, int) and made != taken:
            raise ShapeError(f"greedy: a stage makes {made} numbers of an example, the next takes {taken}")
    histories = []
    for k, (stage, count) in enumerate(zip(stages, counts, strict=True)):
        history = fit(
            stage.trainer,
            x,
            epochs=count,
            batch_size=batch_size,
            validation=None if validation is None else (validation,),
            callbacks=callbacks,
            verbose=verbose,
            stage=(k, len(stages) + following),
        )
        histories.append(history)
        if history.interrupted:
            break
        if k + 1 < len(stages):
            x = stage.encode(x)
            validation = None if validation is None else stage.encode(validation)
    return histories
