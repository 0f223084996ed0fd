"""The restricted Boltzmann machine: binary units, trained by contrastive divergence, its likelihood exact or estimated."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

import symdl.tensor as T
from symdl.control import scan
from symdl.errors import ConfigError, DataError
from symdl.functions import Function, function
from symdl.graph.expr import Expr
from symdl.nn.optimizers import SGD
from symdl.nn.training import Trainer, slices
from symdl.random import RandomStream
from symdl.runtime.storage import SharedVariable, shared
from symdl.zoo.base import Array, Config, Model, check_samples
from symdl.zoo.boltzmann import Machine, pseudo_likelihood, pseudo_likelihood_of
from symdl.zoo.contrastive import contrastive_divergence
from symdl.zoo.likelihood import Annealed, AnnealedLogPartition, LogPartition, base_rates

EXACT_BITS = 20  # up to so many units on the smaller side `evaluate` sums all states: a second


@dataclass(frozen=True)
class RBMConfig(Config):
    """sizes: visible and hidden units. steps: of Gibbs sampling an update. persistent: whether the samples go on where they
    were (PCD-k), else they start at the data (CD-k). particles: how many persistent samples there are, batch_size if 0.
    drawn: whether data between 0 and 1 are drawn anew as 0 or 1 in each batch, as the probabilities that they are.
    spread: standard deviation of the first weights; biases begin at 0. weight_decay: of W, momentum: of all."""

    sizes: tuple[int, int] = (64, 100)
    steps: int = 1
    persistent: bool = True
    particles: int = 0
    drawn: bool = False
    learning_rate: float = 0.05
    momentum: float = 0.0
    weight_decay: float = 0.0
    spread: float = 0.01
    batch_size: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.sizes) != 2 or not all(type(n) is int and n > 0 for n in self.sizes):
            raise ConfigError(f"RBM: sizes {self.sizes} are not (visible, hidden), each at least 1")
        if self.steps < 1 or self.particles < 0 or not 0 <= self.momentum < 1 or self.weight_decay < 0:
            raise ConfigError(
                f"RBM: steps {self.steps} must be at least 1, particles {self.particles} and weight_decay "
                f"{self.weight_decay} at least 0, momentum {self.momentum} in 0 <= momentum < 1"
            )


class RBM(Model):
    """Binary visible and hidden units; data in 0..1, what lies between read as probabilities (Hinton, 2002).

        rbm = RBM(sizes=(64, 100), epochs=20)
        rbm.fit(x)                       # no labels
        rbm.transform(x)                 # p(h = 1 | x)
        rbm.log_likelihood(x)            # exact for up to 26 units on one side, else by rbm.annealed(x)

    The attributes are config, machine (the formulas), objective and trainer.
    """

    name = "rbm"
    Config = RBMConfig
    config: RBMConfig
    binary: ClassVar[bool] = True  # whether visible units are

    def build(self) -> None:
        c = self.config
        visible, hidden = c.sizes
        rng = np.random.default_rng(c.seed)
        self.W = shared((c.spread * rng.standard_normal((visible, hidden))).astype(c.dtype), "W")
        self.visible_bias = shared(np.zeros(visible, c.dtype), "visible_bias")
        self.hidden_bias = shared(np.zeros(hidden, c.dtype), "hidden_bias")
        self.noise, self.sampling = RandomStream(c.seed), RandomStream(c.seed)
        self.v: Expr = T.tensor("v", dtype=c.dtype, shape=(None, visible))
        self.machine = self.formulas()
        particles = shared(np.zeros((c.particles or c.batch_size, hidden), c.dtype), "particles")
        self.objective = contrastive_divergence(
            self.machine,
            self.v,
            self.trained,
            self.noise,
            steps=c.steps,
            drawn=c.drawn,
            particles=particles if c.persistent else None,
            weight_decay=c.weight_decay,
            measures=self.measures(),
            quiet=self.quiet(),
        )
        self.trainer = Trainer(self.objective, SGD(c.learning_rate, c.momentum), seed=c.seed)

    def formulas(self) -> Machine:
        """The machine of the parameters."""
        return Machine(self.W, self.visible_bias, self.hidden_bias)

    def measures(self) -> dict[str, Expr]:
        """What training reports: the pseudo-likelihood, of one unit drawn anew for each batch."""
        unit = self.noise.integers((), 0, self.features)
        return {"pseudo_likelihood": pseudo_likelihood_of(self.machine, T.round(self.v), unit)}

    def quiet(self) -> dict[str, Expr]:
        """What is measured of data held out: the pseudo-likelihood of all units."""
        return {"pseudo_likelihood": pseudo_likelihood(self.machine, T.round(self.v))}

    @property
    def parameters(self) -> list[SharedVariable]:
        return [self.W, self.visible_bias, self.hidden_bias]

    @property
    def trained(self) -> list[SharedVariable]:
        """The parameters that training moves."""
        return self.parameters

    @property
    def features(self) -> int:
        return self.config.sizes[0]

    # ---- training ----

    def partial_fit(self, x: Any) -> float:
        """One update by the rows of x as one batch, from where training stands: what the batch measured before it."""
        x = self.training_inputs(x, "partial_fit")
        low, high = (float(x.min()), float(x.max())) if self.range is None else self.range
        self.range = min(low, float(x.min())), max(high, float(x.max()))
        return float(self.trainer.step(x)[0])

    def reset(self) -> None:
        super().reset()
        self.sampling.seed(self.config.seed)

    def training_inputs(self, x: Any, where: str) -> Array:
        """x as states of the visible units. Raises DataError for what is outside 0..1 where they are binary."""
        rows = self.inputs(x, where)
        if self.binary and (rows.min() < 0 or rows.max() > 1):
            raise DataError(
                f"{where}: x goes from {rows.min():g} to {rows.max():g}; binary visible units take 0 to 1",
                (),
                "Scale x into 0..1, or use a GaussianRBM.",
            )
        return rows

    def in_rows(self, f: Function, x: Any, where: str) -> Array:
        """f of the rows of x."""
        x = self.new_inputs(x, where)
        return np.concatenate([f(x[rows]) for rows in slices(len(x))])

    # ---- what it makes of data ----

    @cached_property
    def _transform(self) -> Function:
        return function([self.v], self.machine.hidden_means(self.v), name="transform")

    def transform(self, x: Any) -> Array:
        """E[h | v = x]: [n, hidden]."""
        return self.in_rows(self._transform, x, "transform")

    @cached_property
    def _reconstruct(self) -> Function:
        return function([self.v], self.machine.visible_means(self.machine.hidden_means(self.v)), name="reconstruct")

    def reconstruct(self, x: Any) -> Array:
        """E[v | h] for h = transform(x)."""
        return self.in_rows(self._reconstruct, x, "reconstruct")

    @cached_property
    def _free_energy(self) -> Function:
        return function([self.v], self.machine.in_float64().free_energy(self.v.astype("float64")), name="free_energy")

    def free_energy(self, x: Any) -> Array:
        """F(x), float64[n]: -log p(x) - log Z."""
        return self.in_rows(self._free_energy, x, "free_energy")

    @cached_property
    def _score(self) -> Function:
        return function([self.v], pseudo_likelihood(self.machine, self.v), name="score")

    def score_samples(self, x: Any) -> Array:
        """The pseudo-likelihood sum_i log p(v_i | all others) of each row, all units, no randomness: [n]. What lies between
        0 and 1 is taken as it is, and its flip is 1 - v."""
        return self.in_rows(self._score, x, "score_samples")

    # ---- samples ----

    @cached_property
    def _gibbs(self) -> Function:
        v, steps = self.v, T.scalar("steps", dtype="int64")

        def step(v: Expr) -> Expr:
            return self.machine.draw_visible(self.machine.draw_hidden(v, self.sampling), self.sampling)

        # the state is of the draws' shape, so that a step gives what it was given
        states, updates = scan(step, outputs_info=[v], n_steps=steps)
        return function([v, steps], states[-1], updates=updates, name="gibbs")

    def gibbs(self, x: Any, steps: int = 1) -> Array:
        """`steps` rounds of drawing h given v, then v given h, from v = x[n, visible]: the last v."""
        if steps < 1:
            raise ConfigError(f"gibbs: {steps} steps; there must be at least 1")
        drawn: Array = self._gibbs(self.training_inputs(x, "gibbs"), steps)
        return drawn

    def sample(self, n: int, steps: int = 1000, start: Any = None) -> Array:
        """n samples, `steps` Gibbs steps away from `start`[n, visible], or from tossed coins."""
        check_samples(n)
        if start is None:
            start = np.random.default_rng(self.sampling.get_state()).random((n, self.features)) < 0.5
        return self.gibbs(start, steps)

    # ---- likelihood ----

    @cached_property
    def _log_partition(self) -> LogPartition:
        return LogPartition(self.machine)

    def log_partition(self) -> float:
        """log Z, exactly, by the 2^k states of the smaller side (of real visible units, the hidden one). Raises ConfigError
        where k is above 26."""
        return self._log_partition()

    @cached_property
    def _annealed(self) -> AnnealedLogPartition:
        return AnnealedLogPartition(self.machine, self.sampling)

    def base(self, x: Array) -> Array:
        """Visible biases of a machine without weights that is near the data."""
        return base_rates(x)

    def annealed(self, x: Any = None, *, runs: int = 500, betas: int = 1000) -> Annealed:
        """log Z by annealed importance sampling, `runs` walks of `betas` machines. x: data whose rates the walks start
        from; they start from visible biases of 0 (tossed coins) without."""
        if runs < 1 or betas < 2:
            raise ConfigError(f"annealed: {runs} runs of {betas} betas; at least 1 and 2 are needed")
        base = np.zeros(self.features) if x is None else self.base(self.training_inputs(x, "annealed"))
        return self._annealed(base, np.linspace(0, 1, betas), runs)

    def log_likelihood(self, x: Any, log_partition: float | None = None) -> Array:
        """log p(x) = -F(x) - log Z in nats, float64[n]. log_partition: of `annealed`, where it is not to be summed exactly."""
        log_z = self.log_partition() if log_partition is None else log_partition
        return -self.free_energy(x) - log_z

    def evaluate(self, x: Any, y: Any = None) -> dict[str, float]:
        x = self.new_inputs(x, "evaluate")
        found = {"pseudo_likelihood": float(self.score_samples(np.round(x) if self.binary else x).mean())}
        if min(self.config.sizes) <= EXACT_BITS:
            found = {"log_likelihood": float(self.log_likelihood(x).mean())} | found
        return found

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'-'.join(map(str, self.config.sizes))})"
