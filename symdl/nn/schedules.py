"""Learning rates that depend on the step: objects that an optimizer takes in the place of a number.

    Adam(ExponentialDecay(0.01, decay_steps=1000, decay_rate=0.9))

A schedule is a formula of the number of steps done; as an expression it becomes a part of the compiled step, as a number
it can be looked at: `schedule(500)`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import symdl.tensor as T
from symdl.errors import ConfigError
from symdl.graph.expr import Expr


class LearningRateSchedule(ABC):
    """The base: schedule(step) is the rate after so many steps; step is an expression, or a number."""

    def __call__(self, step: Any) -> Any:
        """The rate: an expression of an expression, else a float."""
        if isinstance(step, Expr):
            return self.rate(step.astype("float64"), T)
        return float(self.rate(np.float64(step), np))

    @abstractmethod
    def rate(self, t: Any, xp: Any) -> Any:
        """The formula, with the functions of xp: symdl.tensor or NumPy."""


@dataclass(frozen=True)
class ExponentialDecay(LearningRateSchedule):
    """initial_learning_rate * decay_rate^(t / decay_steps); staircase: the exponent rounded down."""

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False

    def rate(self, t: Any, xp: Any) -> Any:
        p = t / self.decay_steps
        p = xp.floor(p) if self.staircase else p
        return self.initial_learning_rate * xp.exp(math.log(self.decay_rate) * p)


@dataclass(frozen=True)
class InverseTimeDecay(LearningRateSchedule):
    """initial_learning_rate / (1 + decay_rate t / decay_steps); staircase: the fraction rounded down."""

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False

    def rate(self, t: Any, xp: Any) -> Any:
        p = t / self.decay_steps
        return self.initial_learning_rate / (1 + self.decay_rate * (xp.floor(p) if self.staircase else p))


@dataclass(frozen=True)
class PiecewiseConstantDecay(LearningRateSchedule):
    """values[k] for steps above boundaries[k - 1] up to boundaries[k]. Raises ConfigError unless there is one value more."""

    boundaries: Sequence[int]
    values: Sequence[float]

    def __post_init__(self) -> None:
        if len(self.values) != len(self.boundaries) + 1:
            raise ConfigError(
                f"PiecewiseConstantDecay: {len(self.boundaries)} boundaries meet {len(self.values)} values, not one more"
            )

    def rate(self, t: Any, xp: Any) -> Any:
        found: Any = self.values[-1] + 0 * t
        for boundary, value in zip(reversed(self.boundaries), reversed(self.values[:-1]), strict=True):
            found = xp.where(t <= boundary, value, found)
        return found


@dataclass(frozen=True)
class PolynomialDecay(LearningRateSchedule):
    """(initial - end) (1 - t / decay_steps)^power + end, and end from decay_steps on."""

    initial_learning_rate: float
    decay_steps: int
    end_learning_rate: float = 0.0001
    power: float = 1.0

    def rate(self, t: Any, xp: Any) -> Any:
        left = 1 - xp.minimum(t, self.decay_steps) / self.decay_steps
        return (self.initial_learning_rate - self.end_learning_rate) * left**self.power + self.end_learning_rate


@dataclass(frozen=True)
class CosineDecay(LearningRateSchedule):
    """initial ((1 - alpha) (1 + cos(pi t / decay_steps)) / 2 + alpha), and alpha initial from decay_steps on.

    With warmup_target, warmup_steps come before that, in which the rate grows in a line from initial_learning_rate to
    warmup_target, which then stands for initial. (Loshchilov and Hutter, 2017.)
    """

    initial_learning_rate: float
    decay_steps: int
    alpha: float = 0.0
    warmup_target: float | None = None
    warmup_steps: int = 0

    def rate(self, t: Any, xp: Any) -> Any:
        top = self.initial_learning_rate if self.warmup_target is None else self.warmup_target
        warm = self.warmup_steps if self.warmup_target is not None else 0
        p = xp.minimum(xp.maximum(t - warm, 0), self.decay_steps) / self.decay_steps
        falling = top * ((1 - self.alpha) * 0.5 * (1 + xp.cos(math.pi * p)) + self.alpha)
        if not warm:
            return falling
        rising = self.initial_learning_rate + (top - self.initial_learning_rate) * t / warm
        return xp.where(t < warm, rising, falling)


SCHEDULES: dict[str, type[LearningRateSchedule]] = {
    s.__name__: s for s in (ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay, CosineDecay)
}
