"""How parameters move along the gradient: pure descriptions that turn gradients into a list of updates.

An optimizer holds only its settings. `updates` makes the state it needs (one shared variable a moment, named after
its parameter) and returns pairs (shared variable, its next value) for `symdl.function`; state is whatever is updated
and is no parameter. Formulas agree with torch.optim, which decides where a source leaves room: g is the gradient of
the loss with respect to the parameter p, all products are elementwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

import symdl.tensor as T
from symdl.errors import ConfigError, GradientError
from symdl.expr import Expr
from symdl.gradient import grad
from symdl.ops.facts import assume
from symdl.storage import SharedVariable, shared, shared_like

Updates = list[tuple[SharedVariable, Expr]]


@dataclass(frozen=True)
class Optimizer:
    """The base: a learning rate, which may be a shared scalar that a schedule sets between epochs."""

    learning_rate: float | Expr
    name: ClassVar[str] = "optimizer"

    def updates(self, loss_or_gradients: Expr | Sequence[Expr], parameters: Sequence[SharedVariable]) -> Updates:
        """(shared, next value) for all parameters and for the state, from a scalar loss or one gradient a parameter.

        Raises GradientError when gradients and parameters are not as many.
        """
        if isinstance(loss_or_gradients, Expr):
            gradients: Sequence[Expr] = grad(loss_or_gradients, list(parameters))
        else:
            gradients = loss_or_gradients
        if len(gradients) != len(parameters):
            raise GradientError(f"{self.name}: {len(gradients)} gradients meet {len(parameters)} parameters")
        return self.steps(list(parameters), list(gradients))

    def steps(self, parameters: list[SharedVariable], gradients: list[Expr]) -> Updates:
        """The updates of all parameters; an optimizer with a common step counter overrides this."""
        return [pair for p, g in zip(parameters, gradients, strict=True) for pair in self.step(p, g)]

    def step(self, p: SharedVariable, g: Expr) -> Updates:
        """The updates of one parameter and its state."""
        raise NotImplementedError

    def rate(self, p: SharedVariable) -> float | Expr:
        """The learning rate in the parameter's dtype, so that a float64 schedule does not promote float32 weights."""
        rate = self.learning_rate
        return rate.astype(p.dtype) if isinstance(rate, Expr) else rate


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent: p <- p - rate * g (Robbins and Monro, 1951).

    With momentum m: v <- m v + g, p <- p - rate * v (Polyak, 1964); with nesterov p <- p - rate * (g + m v), the new v
    (Nesterov, 1983, in the form of Sutskever, Martens, Dahl and Hinton, 2013).
    """

    learning_rate: float | Expr = 0.01
    momentum: float = 0.0
    nesterov: bool = False
    name: ClassVar[str] = "sgd"

    def __post_init__(self) -> None:
        if self.nesterov and not self.momentum:
            raise ConfigError("sgd: nesterov needs a momentum above 0")

    def step(self, p: SharedVariable, g: Expr) -> Updates:
        if not self.momentum:
            return [(p, p - self.rate(p) * g)]
        velocity = state(p, "velocity")
        new = self.momentum * velocity + g
        direction = g + self.momentum * new if self.nesterov else new
        return [(velocity, new), (p, p - self.rate(p) * direction)]


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """s <- s + g^2, p <- p - rate * g / (sqrt(s) + epsilon) (Duchi, Hazan and Singer, 2011)."""

    learning_rate: float | Expr = 0.01
    epsilon: float = 1e-10
    name: ClassVar[str] = "adagrad"

    def step(self, p: SharedVariable, g: Expr) -> Updates:
        squares = state(p, "squares")
        new = squares + g * g
        return [(squares, new), (p, p - self.rate(p) * g / (T.sqrt(new) + self.epsilon))]


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """s <- rho s + (1 - rho) g^2, p <- p - rate * g / (sqrt(s) + epsilon) (Tieleman and Hinton, 2012, lecture 6.5)."""

    learning_rate: float | Expr = 0.01
    rho: float = 0.99
    epsilon: float = 1e-8
    name: ClassVar[str] = "rmsprop"

    def step(self, p: SharedVariable, g: Expr) -> Updates:
        squares = state(p, "squares")
        new = self.rho * squares + (1 - self.rho) * (g * g)
        return [(squares, new), (p, p - self.rate(p) * g / (T.sqrt(new) + self.epsilon))]


@dataclass(frozen=True)
class Adadelta(Optimizer):
    """s <- rho s + (1 - rho) g^2, d = g sqrt(a + epsilon) / sqrt(s + epsilon), a <- rho a + (1 - rho) d^2.

    Then p <- p - rate * d (Zeiler, 2012, algorithm 1, whose rate is 1). s and a begin at 0.
    """

    learning_rate: float | Expr = 1.0
    rho: float = 0.9
    epsilon: float = 1e-6
    name: ClassVar[str] = "adadelta"

    def step(self, p: SharedVariable, g: Expr) -> Updates:
        squares, steps = state(p, "squares"), state(p, "steps")
        new = self.rho * squares + (1 - self.rho) * (g * g)
        d = g * T.sqrt(steps + self.epsilon) / T.sqrt(new + self.epsilon)
        return [
            (squares, new),
            (steps, self.rho * steps + (1 - self.rho) * (d * d)),
            (p, p - self.rate(p) * d),
        ]


@dataclass(frozen=True)
class Adam(Optimizer):
    """m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2, in step t = 1, 2, ...

    p <- p - rate * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon) (Kingma and Ba, 2015, algorithm 1).
    The corrections are computed in float64 whatever the parameters are: 1 - 0.999 keeps four digits in float32.
    """

    learning_rate: float | Expr = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    name: ClassVar[str] = "adam"

    def steps(self, parameters: list[SharedVariable], gradients: list[Expr]) -> Updates:
        count = shared(np.int64(0), "adam.step")
        t = assume(count + 1, lower=1).astype("float64")
        first = 1 - self.beta1**t
        second = T.sqrt(1 - self.beta2**t)
        updates: Updates = [(count, count + 1)]
        for p, g in zip(parameters, gradients, strict=True):
            m, v = state(p, "mean"), state(p, "squares")
            new_m = self.beta1 * m + (1 - self.beta1) * g
            new_v = self.beta2 * v + (1 - self.beta2) * (g * g)
            size = (self.learning_rate / first).astype(p.dtype)
            root = T.sqrt(new_v) / second.astype(p.dtype)
            updates += [(m, new_m), (v, new_v), (p, p - size * new_m / (root + self.epsilon))]
        return updates


def state(p: SharedVariable, what: str) -> SharedVariable:
    """A shared variable of zeros of the parameter's type, open axes included, called `layer0.W.velocity`."""
    return shared_like(p, np.zeros_like(p.get_value(borrow=True)), f"{p.name}.{what}")


OPTIMIZERS: dict[str, type[Optimizer]] = {o.name: o for o in (SGD, Adagrad, RMSprop, Adadelta, Adam)}


def optimizer(choice: str | Optimizer, learning_rate: float | None = None) -> Optimizer:
    """An optimizer by its name, or the optimizer itself. Raises ConfigError for an unknown name."""
    if isinstance(choice, Optimizer):
        return choice
    if choice not in OPTIMIZERS:
        raise ConfigError(f"there is no optimizer {choice!r}", (), f"optimizers: {', '.join(OPTIMIZERS)}")
    # every subclass has a default rate; the base, which is not in the table, has none
    return OPTIMIZERS[choice](learning_rate) if learning_rate is not None else OPTIMIZERS[choice]()  # type: ignore[call-arg]  # each has a default
