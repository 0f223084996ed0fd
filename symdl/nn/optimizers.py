"""How parameters move along the gradient: pure descriptions that turn gradients into a list of updates.

An optimizer holds only its settings, by Keras' names and with Keras' defaults. `updates` makes the state it needs (one
shared variable a moment, named after its parameter) and returns pairs (shared variable, its next value) for
`symdl.function`; state is whatever is updated and is no parameter. Formulas agree with torch.optim, which decides where a
source leaves room: p is a parameter, g the loss differentiated by it, all products are elementwise.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import ClassVar

import numpy as np

import symdl.tensor as T
from symdl.derivatives.gradient import grad
from symdl.errors import ConfigError, GradientError
from symdl.graph.expr import Expr
from symdl.nn.schedules import LearningRateSchedule
from symdl.nn.settings import checked
from symdl.ops.facts import assume
from symdl.runtime.storage import SharedVariable, shared, shared_like

Updates = list[tuple[SharedVariable, Expr]]
Rate = float | Expr | LearningRateSchedule


@dataclass(frozen=True)
class Optimizer(ABC):
    """The base: a learning rate, which may be a shared scalar that somebody sets between epochs, or a schedule.

    weight_decay: each step also takes rate * weight_decay * p from every parameter (Loshchilov and Hutter, 2019).
    clipnorm: a gradient whose Euclidean norm is larger is scaled down to it; global_clipnorm: so are all gradients
    together, as if they were one vector; clipvalue: each element is brought into [-clipvalue, clipvalue].
    """

    learning_rate: Rate
    weight_decay: float = field(default=0.0, kw_only=True)
    clipnorm: float | None = field(default=None, kw_only=True)
    global_clipnorm: float | None = field(default=None, kw_only=True)
    clipvalue: float | None = field(default=None, kw_only=True)
    name: ClassVar[str] = "optimizer"

    def __post_init__(self) -> None:
        checked(
            self.name, {f.name: getattr(self, f.name) for f in fields(self)}, {f.name: f.type for f in fields(self)}
        )
        clips = {"clipnorm": self.clipnorm, "global_clipnorm": self.global_clipnorm, "clipvalue": self.clipvalue}
        given = {name: value for name, value in clips.items() if value is not None}
        if len(given) > 1 or any(value <= 0 for value in given.values()):
            shown = ", ".join(f"{name} {value}" for name, value in given.items())
            raise ConfigError(f"{self.name}: {shown}: one of them may be given, above 0")
        if isinstance(self.learning_rate, Expr | LearningRateSchedule):
            return
        checked(self.name, {"learning_rate": self.learning_rate}, {"learning_rate": "float"})
        if self.learning_rate < 0:
            raise ConfigError(f"{self.name}: learning_rate {self.learning_rate} is no number of at least 0")

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
        gradients = self.clipped(list(gradients))
        if isinstance(self.learning_rate, LearningRateSchedule):
            done = shared(np.int64(0), "learning_rate.step")
            now = replace(self, learning_rate=self.learning_rate(assume(done + 0, lower=0)))
            return [(done, done + 1), *now.decayed(list(parameters), gradients)]
        return self.decayed(list(parameters), gradients)

    def clipped(self, gradients: list[Expr]) -> list[Expr]:
        """The gradients, none of them too large."""
        if self.clipvalue is not None:
            return [T.clip(g, -self.clipvalue, self.clipvalue) for g in gradients]
        if self.clipnorm is not None:
            return [_shortened(g, T.sum(g * g), self.clipnorm) for g in gradients]
        if self.global_clipnorm is not None and gradients:
            squares = [T.sum(g * g).astype("float64") for g in gradients]
            return [_shortened(g, sum(squares[1:], squares[0]), self.global_clipnorm) for g in gradients]
        return gradients

    def decayed(self, parameters: list[SharedVariable], gradients: list[Expr]) -> Updates:
        """The steps, with weight decay."""
        found = self.steps(parameters, gradients)
        if not self.weight_decay:
            return found
        own = {id(p) for p in parameters}
        return [
            (target, new - (self.rate(target) * self.weight_decay) * target if id(target) in own else new)
            for target, new in found
        ]

    @abstractmethod
    def steps(self, parameters: list[SharedVariable], gradients: list[Expr]) -> Updates:
        """The updates of all parameters and of what is kept for them."""

    def rate(self, p: SharedVariable) -> float | Expr:
        """The learning rate in the parameter's dtype, so that a float64 schedule does not promote float32 weights."""
        rate = self.learning_rate
        assert not isinstance(rate, LearningRateSchedule)  # `updates` has put its value there
        return rate.astype(p.dtype) if isinstance(rate, Expr) else rate

    def counted(self) -> tuple[Updates, Expr]:
        """A counter of steps, and t = 1, 2, ... as float64."""
        count = shared(np.int64(0), f"{self.name}.step")
        return [(count, count + 1)], assume(count + 1, lower=1).astype("float64")


@dataclass(frozen=True)
class OneByOne(Optimizer):
    """An optimizer whose parameters move each by itself, without a common count of steps."""

    def steps(self, parameters: list[SharedVariable], gradients: list[Expr]) -> Updates:
        return [pair for p, g in zip(parameters, gradients, strict=True) for pair in self.step(p, g)]

    @abstractmethod
    def step(self, p: SharedVariable, g: Expr) -> Updates:
        """The updates of one parameter and its state."""


@dataclass(frozen=True)
class SGD(OneByOne):
    """Stochastic gradient descent: p <- p - rate * g (Robbins and Monro, 1951).

    With momentum m: v <- m v + g, p <- p - rate * v (Polyak, 1964); with nesterov p <- p - rate * (g + m v), the new v
    (Nesterov, 1983, in the form of Sutskever, Martens, Dahl and Hinton, 2013).
    """

    learning_rate: Rate = 0.01
    momentum: float = 0.0
    nesterov: bool = False
    name: ClassVar[str] = "sgd"

    def __post_init__(self) -> None:
        super().__post_init__()
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
class Adagrad(OneByOne):
    """s <- s + g^2, p <- p - rate * g / (sqrt(s) + epsilon) (Duchi, Hazan and Singer, 2011).

    s begins at initial_accumulator_value.
    """

    learning_rate: Rate = 0.001
    initial_accumulator_value: float = 0.1
    epsilon: float = 1e-7
    name: ClassVar[str] = "adagrad"

    def step(self, p: SharedVariable, g: Expr) -> Updates:
        squares = state(p, "squares", self.initial_accumulator_value)
        new = squares + g * g
        return [(squares, new), (p, p - self.rate(p) * g / (T.sqrt(new) + self.epsilon))]


@dataclass(frozen=True)
class RMSprop(OneByOne):
    """s <- rho s + (1 - rho) g^2, p <- p - rate * g / (sqrt(s) + epsilon) (Tieleman and Hinton, 2012, lecture 6.5).

    With momentum m, v <- m v + g / (sqrt(s) + epsilon) and p <- p - rate * v. centered: s minus the square of the running
    mean of g stands for s (Graves, 2013).
    """

    learning_rate: Rate = 0.001
    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False
    name: ClassVar[str] = "rmsprop"

    def step(self, p: SharedVariable, g: Expr) -> Updates:
        squares = state(p, "squares")
        new = self.rho * squares + (1 - self.rho) * (g * g)
        updates, spread = [(squares, new)], new
        if self.centered:
            mean = state(p, "mean")
            new_mean = self.rho * mean + (1 - self.rho) * g
            updates.append((mean, new_mean))
            spread = T.maximum(new - new_mean * new_mean, 0)  # rounding may take it below 0
        direction = g / (T.sqrt(spread) + self.epsilon)
        if self.momentum:
            velocity = state(p, "velocity")
            direction = self.momentum * velocity + direction
            updates.append((velocity, direction))
        return [*updates, (p, p - self.rate(p) * direction)]


@dataclass(frozen=True)
class Adadelta(OneByOne):
    """s <- rho s + (1 - rho) g^2, d = g sqrt(a + epsilon) / sqrt(s + epsilon), a <- rho a + (1 - rho) d^2.

    Then p <- p - rate * d (Zeiler, 2012, algorithm 1, whose rate is 1; Keras' default is 0.001). s and a begin at 0.
    """

    learning_rate: Rate = 0.001
    rho: float = 0.95
    epsilon: float = 1e-7
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
    """m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2, in step t = 1, 2, ...; b1 is beta_1, b2 is beta_2.

    p <- p - rate * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon) (Kingma and Ba, 2015, algorithm 1).
    The corrections are computed in float64 whatever the parameters are: 1 - 0.999 keeps four digits in float32.
    amsgrad: the largest v so far stands for v (Reddi, Kale and Kumar, 2018).
    """

    learning_rate: Rate = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False
    name: ClassVar[str] = "adam"

    def steps(self, parameters: list[SharedVariable], gradients: list[Expr]) -> Updates:
        updates, t = self.counted()
        first = 1 - self.beta_1**t
        second = T.sqrt(1 - self.beta_2**t)
        for p, g in zip(parameters, gradients, strict=True):
            m, v = state(p, "mean"), state(p, "squares")
            new_m = self.beta_1 * m + (1 - self.beta_1) * g
            new_v = self.beta_2 * v + (1 - self.beta_2) * (g * g)
            updates += [(m, new_m), (v, new_v)]
            if self.amsgrad:
                largest = state(p, "largest")
                new_v = T.maximum(largest, new_v)
                updates.append((largest, new_v))
            size = (self.learning_rate / first).astype(p.dtype)
            root = T.sqrt(new_v) / second.astype(p.dtype)
            updates.append((p, p - size * new_m / (root + self.epsilon)))
        return updates


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with weight decay (Loshchilov and Hutter, 2019)."""

    weight_decay: float = field(default=0.004, kw_only=True)
    name: ClassVar[str] = "adamw"


@dataclass(frozen=True)
class Adamax(Optimizer):
    """m as in Adam, u <- max(b2 u, |g| + epsilon), p <- p - rate / (1 - b1^t) * m / u (Kingma and Ba, 2015, algorithm 2)."""

    learning_rate: Rate = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    name: ClassVar[str] = "adamax"

    def steps(self, parameters: list[SharedVariable], gradients: list[Expr]) -> Updates:
        updates, t = self.counted()
        first = 1 - self.beta_1**t
        for p, g in zip(parameters, gradients, strict=True):
            m, u = state(p, "mean"), state(p, "largest")
            new_m = self.beta_1 * m + (1 - self.beta_1) * g
            new_u = T.maximum(self.beta_2 * u, T.abs(g) + self.epsilon)
            size = (self.learning_rate / first).astype(p.dtype)
            updates += [(m, new_m), (u, new_u), (p, p - size * new_m / new_u)]
        return updates


@dataclass(frozen=True)
class Nadam(Optimizer):
    """Adam with Nesterov's momentum (Dozat, 2016): with mu_t = b1 (1 - 0.96^(t momentum_decay) / 2), M_t = mu_1 ... mu_t,

    p <- p - rate * (mu_(t+1) m / (1 - M_(t+1)) + (1 - mu_t) g / (1 - M_t)) / (sqrt(v / (1 - b2^t)) + epsilon).
    """

    learning_rate: Rate = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    momentum_decay: float = 0.004
    name: ClassVar[str] = "nadam"

    def steps(self, parameters: list[SharedVariable], gradients: list[Expr]) -> Updates:
        updates, t = self.counted()
        product = shared(np.float64(1), f"{self.name}.product")
        mu, following = (self.beta_1 * (1 - 0.5 * 0.96 ** (k * self.momentum_decay)) for k in (t, t + 1))
        new_product = product * mu
        updates.append((product, new_product))
        second = T.sqrt(1 - self.beta_2**t)
        of_m = self.learning_rate * following / (1 - new_product * following)
        of_g = self.learning_rate * (1 - mu) / (1 - new_product)
        for p, g in zip(parameters, gradients, strict=True):
            m, v = state(p, "mean"), state(p, "squares")
            new_m = self.beta_1 * m + (1 - self.beta_1) * g
            new_v = self.beta_2 * v + (1 - self.beta_2) * (g * g)
            root = T.sqrt(new_v) / second.astype(p.dtype) + self.epsilon
            direction = (of_m.astype(p.dtype) * new_m + of_g.astype(p.dtype) * g) / root
            updates += [(m, new_m), (v, new_v), (p, p - direction)]
        return updates


def state(p: SharedVariable, what: str, start: float = 0.0) -> SharedVariable:
    """A shared variable of the parameter's type, open axes included, all `start`, called `layer0.W.velocity`."""
    return shared_like(p, start, f"{p.name}.{what}")


def _shortened(g: Expr, square: Expr, most: float) -> Expr:
    """g, scaled down if the norm whose square is given is more than `most`."""
    return g * (most / T.maximum(T.sqrt(square), most)).astype(g.dtype)


OPTIMIZERS: dict[str, type[Optimizer]] = {
    o.name: o for o in (SGD, Adagrad, RMSprop, Adadelta, Adam, AdamW, Adamax, Nadam)
}


def optimizer(choice: str | Optimizer, learning_rate: float | None = None) -> Optimizer:
    """An optimizer by its name, or the optimizer itself. Raises ConfigError for an unknown name."""
    if isinstance(choice, Optimizer):
        return choice
    if not isinstance(choice, str) or choice.lower() not in OPTIMIZERS:
        raise ConfigError(f"there is no optimizer {choice!r}", (), f"optimizers: {', '.join(OPTIMIZERS)}")
    found = OPTIMIZERS[choice.lower()]
    # every subclass has a default rate; the base, which is not in the table, has none
    return found(learning_rate) if learning_rate is not None else found()  # type: ignore[call-arg]  # each has a default
