"""The Gaussian-Bernoulli Boltzmann machine: real visible units, binary hidden ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from symdl.errors import ConfigError
from symdl.graph.expr import Expr
from symdl.runtime.storage import SharedVariable, shared
from symdl.zoo.base import Array
from symdl.zoo.boltzmann import GaussianMachine
from symdl.zoo.rbm import EXACT_BITS, RBM, RBMConfig


@dataclass(frozen=True)
class GaussianRBMConfig(RBMConfig):
    """As RBMConfig, and deviation: the standard deviation that all visible units begin with, given the hidden ones.
    learn_deviation: whether training moves it, a number of its own for each unit."""

    deviation: float = 1.0
    learn_deviation: bool = False
    learning_rate: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.deviation < np.inf:
            raise ConfigError(f"GaussianRBM: deviation {self.deviation} must be above 0")


class GaussianRBM(RBM):
    """Real visible units, which are a mixture of 2^hidden Gaussians that share their parts (Welling, Rosen-Zvi and Hinton,
    2005). Scale the data so that `deviation` is about the noise of one number; see RBM for the rest.
    """

    name = "gaussian_rbm"
    Config = GaussianRBMConfig
    config: GaussianRBMConfig
    binary: ClassVar[bool] = False

    def formulas(self) -> GaussianMachine:
        c = self.config
        start = np.full(self.features, np.log(c.deviation), c.dtype)
        self.log_deviation = shared(start, "log_deviation")
        return GaussianMachine(self.W, self.visible_bias, self.hidden_bias, self.log_deviation)

    def measures(self) -> dict[str, Expr]:
        """What training reports: the mean squared error of v reconstructed by the means of h."""
        means = self.machine.visible_means(self.machine.hidden_means(self.v))
        return {"reconstruction": ((self.v - means) ** 2).mean(axis=1)}

    def quiet(self) -> dict[str, Expr]:
        return self.measures()

    @property
    def parameters(self) -> list[SharedVariable]:
        return [self.W, self.visible_bias, self.hidden_bias, self.log_deviation]

    @property
    def trained(self) -> list[SharedVariable]:
        return self.parameters if self.config.learn_deviation else self.parameters[:-1]

    def score_samples(self, x: Any) -> Array:
        """log p(x), exact, where the hidden units are few; real units have no pseudo-likelihood in closed form."""
        return self.log_likelihood(x)

    def sample(self, n: int, steps: int = 1000, start: Any = None) -> Array:
        """n samples, `steps` Gibbs steps away from `start`[n, visible], or from noise around the visible biases."""
        if start is None:
            deviation = np.exp(self.log_deviation.get_value())
            noise = np.random.default_rng(self.sampling.get_state()).standard_normal((n, self.features))
            start = self.visible_bias.get_value() + deviation * noise
        return self.gibbs(start, steps)

    def base(self, x: Array) -> Array:
        """The means of the columns of x."""
        means: Array = np.asarray(x, np.float64).mean(axis=0)
        return means

    def evaluate(self, x: Any, y: Any = None) -> dict[str, float]:
        x = self.new_inputs(x, "evaluate")
        found = {"reconstruction": float(((self.reconstruct(x) - x) ** 2).mean())}
        if self.config.sizes[1] <= EXACT_BITS:
            found = {"log_likelihood": float(self.log_likelihood(x).mean())} | found
        return found
