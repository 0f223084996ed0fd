"""How likely data are under a Boltzmann machine: log Z by enumeration where one side is small, by annealed importance sampling else."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

import symdl.tensor as T
from symdl.control import scan
from symdl.errors import ConfigError
from symdl.functions import function
from symdl.graph.expr import Expr
from symdl.random import RandomStream
from symdl.zoo.boltzmann import GaussianMachine, Machine

Array = np.ndarray[Any, np.dtype[Any]]
MOST_BITS = 26  # 2^26 states take about a minute
STATES = 1 << 14  # that are summed in one call


def states(first: Expr | int, count: int, bits: int) -> Expr:
    """float64[count, bits]: the binary digits of first, first + 1, ..., the lowest first."""
    numbers = first + T.arange(count)
    return ((numbers[:, None] >> T.arange(bits)) & 1).astype("float64")


class LogPartition:
    """log Z of the machine's parameters as they are whenever it is called: a sum over all states of its smaller side.

    In float64, of positive numbers only, so that the error is about 1e-13. Of a Gaussian machine, the hidden states. Raises
    ConfigError where both sides have more than MOST_BITS units.
    """

    def __init__(self, machine: Machine) -> None:
        wide = machine.in_float64()
        visible, hidden = extents(machine)
        by_hidden = hidden <= visible or isinstance(machine, GaussianMachine)
        self.bits = hidden if by_hidden else visible
        if self.bits > MOST_BITS:
            raise ConfigError(
                f"log partition: 2^{self.bits} states are too many to sum", (), "annealed(x) estimates the sum."
            )
        first = T.scalar("first", dtype="int64")
        some = states(first, min(STATES, 1 << self.bits), self.bits)
        free = wide.hidden_free_energy(some) if by_hidden else wide.free_energy(some)
        # nothing cancels in these terms, and wider numbers cost five times as much
        self._part = function([first], T.logsumexp(-free), precision="plain", name="log_partition")

    def __call__(self) -> float:
        return float(np.logaddexp.reduce([self._part(k) for k in range(0, 1 << self.bits, STATES)]))


@dataclass(frozen=True)
class Annealed:
    """An estimate of log Z. log_weights: one a run; the estimate is the log of the mean weight."""

    log_weights: Array

    @property
    def log_partition(self) -> float:
        """The estimate: of Z without bias, of log Z rather too low than too high."""
        return float(np.logaddexp.reduce(self.log_weights) - math.log(len(self.log_weights)))

    @property
    def interval(self) -> tuple[float, float]:
        """log of the mean weight plus and minus three of its standard errors, the lower end -inf where that is not positive."""
        weights = np.exp(self.log_weights - self.log_weights.max())
        error = weights.std(ddof=1) / math.sqrt(len(weights)) if len(weights) > 1 else math.inf
        low, high = weights.mean() - 3 * error, weights.mean() + 3 * error
        top = float(self.log_weights.max())
        return top + math.log(low) if low > 0 else -math.inf, top + math.log(high)

    @property
    def effective_runs(self) -> float:
        """(sum w)^2 / sum w^2: how many runs the weights are worth."""
        w = np.exp(self.log_weights - self.log_weights.max())
        return float(w.sum() ** 2 / (w**2).sum())

    def __str__(self) -> str:
        low, high = self.interval
        runs = len(self.log_weights)
        return f"log Z {self.log_partition:.4f} ({low:.4f} to {high:.4f}; {self.effective_runs:.0f} of {runs} runs)"


class AnnealedLogPartition:
    """An estimate of log Z by annealed importance sampling (Neal, 2001; Salakhutdinov and Murray, 2008), in float64.

    Called with (base, betas, runs): each run starts with independent visible units of biases base[visible] and walks through
    `machine.between(base, beta)` for the growing betas, from 0 to 1, by one Gibbs step at each; the whole walk is one
    native call.
    """

    def __init__(self, machine: Machine, noise: RandomStream) -> None:
        wide = machine.in_float64()
        visible, hidden = extents(machine)
        base = T.tensor("base", dtype="float64", shape=(visible,))
        betas = T.tensor("betas", dtype="float64", shape=(None,))
        runs = T.scalar("runs", dtype="int64")

        def step(beta: Expr, before: Expr, v: Expr, log_weight: Expr) -> tuple[Expr, Expr]:
            now = wide.between(base, beta)
            log_weight = log_weight + wide.between(base, before).free_energy(v) - now.free_energy(v)
            return now.draw_visible(now.draw_hidden(v, noise), noise), log_weight

        start = wide.between(base, 0.0).draw_visible(T.zeros((runs, hidden), "float64"), noise)
        (_, log_weights), updates = scan(
            step, sequences=[betas[1:], betas[:-1]], outputs_info=[start, T.zeros((runs,), "float64")]
        )
        weights = wide.independent_log_partition(base) + log_weights[-1]
        self._walk = function([base, betas, runs], weights, updates=updates, precision="plain", name="annealed")

    def __call__(self, base: Array, betas: Array, runs: int) -> Annealed:
        return Annealed(self._walk(base, betas, runs))


def base_rates(x: Array) -> Array:
    """Biases of independent binary units that are as often 1 as the columns of x, one of each kind added (Laplace)."""
    p = (np.asarray(x, np.float64).sum(axis=0) + 1) / (len(x) + 2)
    rates: Array = np.log(p) - np.log1p(-p)
    return rates


def extents(machine: Machine) -> tuple[int, int]:
    """(visible, hidden) of a machine whose W has static extents."""
    visible, hidden = machine.W.type.shape
    assert isinstance(visible, int) and isinstance(hidden, int)  # parameters are made with their extents  # noqa: PT018
    return visible, hidden
