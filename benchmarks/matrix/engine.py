"""What an engine is: a formula over a namespace of NumPy's names becomes a call without arguments.

    run = engine.compiled(lambda m, x, y: m.tanh(x @ y).sum(axis=0), [x, y])
    step = engine.step(Descent(lambda m, p, x: ..., parameters, rate), [x])      # on the scalar that it gives

`m` has the functions of NAMES. Arrays are converted before, results waited for; nothing is copied on the way. `engines` has
all of them.
"""

from __future__ import annotations

import functools
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

Array = Any
Formula = Callable[..., Any]
Run = Callable[[], Any]
NAMES = (
    "exp log tanh sin sqrt abs maximum where sigmoid erf relu softmax logsumexp sum mean max argmax var cumsum argsort take "
    "scatter_add matmul transpose reshape concatenate conv2d max_pool stop bernoulli log1p lstm gradient jacobian"
).split()


def cell(m: Any, x: Any, h: Any, c: Any, weights: Any, bias: Any) -> tuple[Any, Any]:
    """A step of an LSTM: its state and memory. The gates lie side by side: input, forget, new, output."""
    width = h.shape[1]
    a = m.concatenate([x, h], axis=1) @ weights + bias
    i, f, g, o = (a[:, k * width : (k + 1) * width] for k in range(4))
    c = m.sigmoid(f) * c + m.sigmoid(i) * m.tanh(g)
    return m.sigmoid(o) * m.tanh(c), c


def by_adam(p: Any, slope: Any, first: Any, second: Any, count: Any, rate: Any, sqrt: Any) -> tuple[Any, Any, Any]:
    """A parameter and its moments after a step (Kingma and Ba 2015), of float32 in every engine."""
    decay, slow, one, tiny = (np.float32(v) for v in (0.9, 0.999, 1.0, 1e-8))
    first, second = decay * first + (one - decay) * slope, slow * second + (one - slow) * slope * slope
    length = rate * sqrt(one - slow**count) / (one - decay**count)
    return p - length * first / (sqrt(second) + tiny), first, second


def names_of(module: Any, **own: Any) -> SimpleNamespace:
    """What a module has of NAMES, and what is said otherwise."""
    return SimpleNamespace(**({n: getattr(module, n) for n in NAMES if hasattr(module, n)} | own))


class Engine(ABC):
    """The base. name: as the table shows it. available: whether its package is installed."""

    name = ""
    package = "numpy"
    keeps = False  # whether its results are its own memory, used again by the next call

    @classmethod
    def available(cls) -> bool:
        return importlib.util.find_spec(cls.package) is not None

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.m = self.namespace()

    @abstractmethod
    def namespace(self) -> SimpleNamespace:
        """The functions of NAMES that the engine has."""

    @abstractmethod
    def compiled(self, formula: Formula, arrays: Sequence[Array]) -> Run:
        """The formula of these arrays."""

    def value(self, result: Any) -> Any:
        """A result as an array of NumPy."""
        return np.array(result)


@dataclass(frozen=True)
class Descent:
    """Steps of gradient descent, or Adam's, on loss(m, parameters, *arrays). With states it is loss(m, parameters, *states,
    *arrays), which gives the states after the step beside the loss."""

    loss: Formula
    parameters: Sequence[Array]
    rate: float
    adam: bool = False
    states: Sequence[Array] = ()

    def parts(self, m: Any, parameters: Any, states: Sequence[Any], arrays: Sequence[Any]) -> tuple[Any, list[Any]]:
        """The loss and the states after the step."""
        if not self.states:
            return self.loss(m, parameters, *arrays), []
        cost, *after = self.loss(m, parameters, *states, *arrays)
        return cost, after


class Differentiating(Engine):
    """An engine that has gradients. open_sizes: whether numbers of rows will change from step to step."""

    open_sizes = False

    def given(self, arrays: Sequence[Array]) -> Sequence[Any]:
        """Arrays as the engine takes them."""
        return arrays

    @abstractmethod
    def stepper(self, descent: Descent, batch: Sequence[Array]) -> Callable[..., Any]:
        """A step on arrays such as those of the batch, which gives the loss before it."""

    def step(self, descent: Descent, batch: Sequence[Array]) -> Run:
        """A step on the same batch always."""
        return functools.partial(self.stepper(descent, batch), *self.given(batch))

    @abstractmethod
    def epoch(self, descent: Descent, data: Sequence[Array], size: int) -> Run:
        """Steps for as many batches of `size` rows as the data have, in a new order, which give the last loss."""


def orders(rows: int, size: int) -> Callable[[], Array]:
    """The same orders of rows for all engines: of whole batches, a row of the result each."""
    rng = np.random.default_rng(1)
    return lambda: rng.permutation(rows)[: rows // size * size].reshape(-1, size)
