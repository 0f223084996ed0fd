"""The variational autoencoder: a probability for every image, through a code of a few numbers that are noise to begin with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

import symdl.tensor as T
from symdl.errors import ConfigError, DataError, ShapeError
from symdl.functions import Function, function
from symdl.graph.expr import Expr
from symdl.nn.activations import activation
from symdl.nn.layers import Chain, Dense
from symdl.nn.objective import Objective
from symdl.nn.optimizers import optimizer
from symdl.nn.training import Trainer
from symdl.random import RandomStream
from symdl.runtime.storage import SharedVariable
from symdl.zoo.base import Array, Config, Model, check_samples

ROWS = 64  # examples that the importance-weighted bound takes at a time, each with all its samples
REACH, STEP = 7.0, 0.05  # the grid of codes on which exact likelihoods are added up


@dataclass(frozen=True)
class VariationalConfig(Config):
    """features: of an example. hidden: units of the encoder's layers, mirrored in the decoder. code: numbers in a code."""

    features: int = 64
    hidden: tuple[int, ...] = (128,)
    code: int = 8
    activation: str = "tanh"
    optimizer: str = "adam"
    learning_rate: float = 0.002
    epochs: int = 150

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.features, self.code, *self.hidden) < 1:
            raise ConfigError(
                f"variational: features {self.features}, hidden {self.hidden} and code {self.code} must be at least 1"
            )
        activation(self.activation), optimizer(self.optimizer, self.learning_rate)


class VariationalAutoencoder(Model):
    """A code z ~ N(0, 1) makes an image x, each pixel 1 with probability decoder(z) (Kingma and Welling, 2014).

    The encoder gives means and log variances of q(z | x), which stands for the posterior. Training makes large the bound
    elbo(x) = mean over q of log p(x | z) - KL(q(z | x) || N(0, 1)) <= log p(x), with one draw of z an example and step.
    Pixels are 0, 1, or in between. The attributes are config, encoder, mean, log_variance, decoder and trainer.
    """

    name = "variational"
    Config = VariationalConfig
    config: VariationalConfig

    def build(self) -> None:
        c = self.config
        rng = np.random.default_rng(c.seed)
        self.encoder = Chain([Dense(n, c.activation, name=f"encoder{k}") for k, n in enumerate(c.hidden)], rng=rng)
        self.mean = Dense(c.code, name="mean", rng=rng)
        self.log_variance = Dense(c.code, name="log_variance", rng=rng)
        up = [Dense(n, c.activation, name=f"decoder{k}") for k, n in enumerate(reversed(c.hidden))]
        self.decoder = Chain([*up, Dense(c.features, "sigmoid", name="pixels")], rng=rng)
        self.x: Expr = T.tensor("x", dtype=c.dtype, shape=(None, c.features))
        how = optimizer(c.optimizer, c.learning_rate)
        self.trainer = Trainer(self.objective(self.x), how, seed=c.seed)

    def objective(self, x: Expr) -> Objective:
        """-elbo(x), by the reparameterised draw z = mean + deviation * noise, through which the gradient flows."""
        h = self.encoder(x)
        mean, log_variance = self.mean(h), self.log_variance(h)
        divergence = kl_to_normal(mean, log_variance)
        noise, quiet = RandomStream(self.config.seed), RandomStream(self.config.seed + 1)
        quiet.state.default_update = None  # the same draws at every evaluation, so that epochs can be compared

        def measures(stream: RandomStream) -> dict[str, Expr]:
            z = mean + T.exp(log_variance / 2) * stream.normal(mean.shape, dtype=mean.dtype)
            likelihood = log_bernoulli(x, self.decoder(z))
            return {"loss": divergence - likelihood, "kl": divergence}

        trained = measures(noise)
        return Objective(
            inputs=[x],
            losses=trained["loss"],
            parameters=self.parameters,
            measures=trained,
            quiet=measures(quiet),
            prediction=self.decoder(mean),
            noise=noise,
        )

    @property
    def parameters(self) -> list[SharedVariable]:
        parts = (self.encoder, self.mean, self.log_variance, self.decoder)
        return [p for part in parts for p in part.parameters]

    @property
    def features(self) -> int:
        return self.config.features

    def training_inputs(self, x: Any, where: str) -> Array:
        return self.pixels(self.inputs(x, where), where)

    # ---- what the model makes ----

    @cached_property
    def _encode(self) -> Function:
        return function([self.x], self.mean(self.encoder(self.x)), name="encode")

    @cached_property
    def _decode(self) -> Function:
        z = T.tensor("z", dtype=self.config.dtype, shape=(None, self.config.code))
        return function([z], self.decoder(z), name="decode")

    def transform(self, x: Any) -> Array:
        """The mean of the code of each row of x: [n, code]."""
        return np.asarray(self._encode(self.new_inputs(x, "transform")))

    def inverse_transform(self, z: Any) -> Array:
        """The probability of each pixel, given codes z[n, code]: [n, features]."""
        codes = np.ascontiguousarray(z, dtype=self.config.dtype)
        if codes.ndim != 2 or codes.shape[1] != self.config.code:
            raise ShapeError(f"inverse_transform: codes of shape {codes.shape} are not [n, {self.config.code}]")
        return np.asarray(self._decode(codes))

    def reconstruct(self, x: Any) -> Array:
        """The decoder's image of the mean code of each row of x: [n, features]."""
        return self.trainer.predict(self.new_inputs(x, "reconstruct"))

    def sample(self, n: int, seed: int = 0) -> Array:
        """n new images, as probabilities of their pixels: [n, features]."""
        check_samples(n)
        return self.inverse_transform(np.random.default_rng(seed).standard_normal((n, self.config.code)))

    # ---- how probable data are ----

    def evaluate(self, x: Any, y: Any = None) -> dict[str, float]:
        """elbo: the mean over the rows of x, in nats, of one draw each, always the same; kl: its part; mse of a pixel."""
        x = self.pixels(self.new_inputs(x, "evaluate"), "evaluate")
        found = self.trainer.evaluate(x)
        error = np.mean((self.trainer.predict(x) - x) ** 2, dtype=np.float64)
        return {"elbo": -found["loss"], "kl": found["kl"], "mse": float(error)}

    @cached_property
    def _weights(self) -> Function:
        """(x, noise[samples, n, code]) -> log p(x | z) p(z) / q(z | x) [samples, n]."""
        c, x = self.config, self.x
        noise = T.tensor("noise", dtype=c.dtype, shape=(None, None, c.code))
        h = self.encoder(x)
        mean, log_variance = self.mean(h), self.log_variance(h)
        z = mean + T.exp(log_variance / 2) * noise
        prior_over_posterior = ((noise**2 - z**2 + log_variance) / 2).sum(axis=2)
        likelihood = log_bernoulli(x, self.decoder(z.reshape((-1, c.code))).reshape((z.shape[0], -1, c.features)))
        return function([x, noise], likelihood + prior_over_posterior, name="weights")

    def importance_bound(self, x: Any, samples: int = 500, seed: int = 0) -> Array:
        """log of the mean over `samples` draws z of q(z | x) of p(x, z) / q(z | x), in nats: float64[n].

        On average it lies between the elbo and log p(x), and comes nearer to the latter with more samples (Burda, Grosse
        and Salakhutdinov, 2016). With one sample it is an estimate of the elbo.
        """
        x = self.pixels(self.new_inputs(x, "importance_bound"), "importance_bound")
        rng = np.random.default_rng(seed)
        out = []
        for rows in (x[k : k + ROWS] for k in range(0, len(x), ROWS)):
            noise = rng.standard_normal((samples, len(rows), self.config.code)).astype(self.config.dtype)
            out.append(_log_mean(np.asarray(self._weights(rows, noise), np.float64)))
        return np.concatenate(out)

    @cached_property
    def _joint(self) -> Function:
        """(x, z[m, code]) -> log p(x[n] | z[m]) for all pairs [n, m]."""
        z = T.tensor("z", dtype=self.config.dtype, shape=(None, self.config.code))
        p, x = self.decoder(z), self.x
        return function([x, z], x @ T.log(p).T + (1 - x) @ T.log(1 - p).T, name="joint")

    def exact_log_likelihood(self, x: Any) -> Array:
        """log p(x) = log of the integral of p(x | z) p(z) over all codes, in nats: float64[n]. For codes of 1 or 2 numbers.

        The integral is a sum on a grid of step 0.05 on [-7, 7], by which smooth functions that are as narrow as 0.05 are
        integrated to 1e-8; a posterior narrower than that is not. Raises ConfigError for longer codes.
        """
        c = self.config
        if c.code > 2:
            raise ConfigError(
                f"exact_log_likelihood: a grid of {c.code} axes has too many points; codes of 1 or 2 have it"
            )
        x = self.pixels(self.new_inputs(x, "exact_log_likelihood"), "exact_log_likelihood")
        axis = np.arange(-REACH, REACH + STEP / 2, STEP)
        grid = np.stack(np.meshgrid(*[axis] * c.code, indexing="ij"), axis=-1).reshape(-1, c.code)
        volume = c.code * (math.log(STEP) - math.log(2 * math.pi) / 2)
        total = np.full(len(x), -np.inf)
        for points in (grid[k : k + 4096] for k in range(0, len(grid), 4096)):
            joint = np.asarray(self._joint(x, points.astype(c.dtype)), np.float64) - (points**2).sum(axis=1) / 2
            top = joint.max(axis=1)
            total = np.logaddexp(total, top + np.log(np.exp(joint - top[:, None]).sum(axis=1)))
        return total + volume

    def pixels(self, x: Array, where: str) -> Array:
        """x, whose elements must be probabilities."""
        if x.min() < 0 or x.max() > 1:
            raise DataError(f"{where}: pixels from {x.min():g} to {x.max():g}; a probability is in 0..1")
        return x

    def __repr__(self) -> str:
        c = self.config
        return f"VariationalAutoencoder({'-'.join(map(str, (c.features, *c.hidden, c.code)))}, {c.activation})"


def kl_to_normal(mean: Expr, log_variance: Expr) -> Expr:
    """KL(N(mean, exp(log_variance)) || N(0, 1)), summed over the last axis, in nats:
    sum of (mean**2 + exp(log_variance) - 1 - log_variance) / 2."""
    return ((mean**2 + T.exp(log_variance) - 1 - log_variance) / 2).sum(axis=-1)


def log_bernoulli(x: Expr, p: Expr) -> Expr:
    """log of the probability of the pixels x, each 1 with probability p, summed over the last axis, in nats."""
    return (x * T.log(p) + (1 - x) * T.log(1 - p)).sum(axis=-1)


def _log_mean(values: Array) -> Array:
    """log of the mean of exp(values) along the first axis."""
    top = values.max(axis=0)
    found: Array = top + np.log(np.mean(np.exp(values - top), axis=0))
    return found
