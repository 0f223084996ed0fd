"""Steps in the form that scikit-learn gives them: equal to the usual ones but for where the rate and epsilon stand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import symdl.tensor as T
from symdl.graph.expr import Expr
from symdl.nn.optimizers import SGD, Adam, Updates, state
from symdl.ops.facts import assume
from symdl.runtime.storage import SharedVariable, shared


@dataclass(frozen=True)
class HeavyBall(SGD):
    """v <- m v - rate g, p <- p + v; with nesterov p <- p + m v - rate g, the new v.

    The rate stands inside the velocity: a rate that changes does not change the steps of the past (Polyak, 1964).
    """

    def __post_init__(self) -> None:
        """Any momentum goes with nesterov."""

    def step(self, p: SharedVariable, g: Expr) -> Updates:
        velocity, change = state(p, "velocity"), -self.rate(p) * g
        new = self.momentum * velocity + change
        return [(velocity, new), (p, p + (self.momentum * new + change if self.nesterov else new))]


@dataclass(frozen=True)
class ShortAdam(Adam):
    """m and v as in Adam, p <- p - rate sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + epsilon).

    The shorter form (Kingma and Ba, 2015, end of section 2): epsilon is not divided by the correction of v.
    """

    def steps(self, parameters: list[SharedVariable], gradients: list[Expr]) -> Updates:
        count = shared(np.int64(0), "adam.step")
        t = assume(count + 1, lower=1).astype("float64")
        rate = self.learning_rate * T.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        updates: Updates = [(count, count + 1)]
        for p, g in zip(parameters, gradients, strict=True):
            m, v = state(p, "mean"), state(p, "squares")
            new_m = self.beta_1 * m + (1 - self.beta_1) * g
            new_v = self.beta_2 * v + (1 - self.beta_2) * (g * g)
            updates += [(m, new_m), (v, new_v), (p, p - rate.astype(p.dtype) * new_m / (T.sqrt(new_v) + self.epsilon))]
        return updates
