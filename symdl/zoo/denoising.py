"""The denoising autoencoder: it is to give back what was there before part of it was lost."""

from __future__ import annotations

from dataclasses import dataclass

import symdl.tensor as T
from symdl.errors import ConfigError
from symdl.graph.expr import Expr
from symdl.nn.layers import Training
from symdl.nn.objective import Objective
from symdl.random import RandomStream
from symdl.zoo.autoencoder import Autoencoder, AutoencoderConfig, reconstruction

CORRUPTIONS = ("masking", "gaussian", "salt and pepper")


@dataclass(frozen=True)
class DenoisingConfig(AutoencoderConfig):
    """corruption: how much of an example is lost in training. kind: "masking" sets so large a fraction of the elements to
    0, "salt and pepper" to 0 or 1, and "gaussian" adds normal noise of that standard deviation."""

    corruption: float = 0.3
    kind: str = "masking"
    tied: bool = True
    loss: str = "binary_crossentropy"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind not in CORRUPTIONS:
            raise ConfigError(f"denoising: kind {self.kind!r} is none of {', '.join(CORRUPTIONS)}")
        if self.corruption < 0 or (self.kind != "gaussian" and self.corruption >= 1):
            raise ConfigError(f"denoising: a corruption of {self.corruption} leaves nothing, or is below 0")


class DenoisingAutoencoder(Autoencoder):
    """x -> x with noise -> code -> reconstruction of x (Vincent, Larochelle, Bengio and Manzagol, 2008).

    There is noise in training only: `transform`, `reconstruct` and `evaluate` see x as it is.
    """

    name = "denoising"
    Config = DenoisingConfig
    config: DenoisingConfig

    def objective(self, x: Expr) -> Objective:
        c = self.config
        training = Training(RandomStream(c.seed))
        return reconstruction(
            self.encoder, self.decoder, x, c.loss, training, corrupted(x, training.noise, c.corruption, c.kind)
        )


def corrupted(x: Expr, noise: RandomStream, amount: float, kind: str = "masking") -> Expr:
    """x with part of it lost. The mean is (1 - amount) x where elements are masked, x where normal noise is added."""
    if amount == 0:
        return x
    if kind == "gaussian":
        return x + amount * noise.normal(x.shape, dtype=x.dtype)
    kept = noise.bernoulli(x.shape, 1 - amount)
    if kind == "masking":
        return T.where(kept, x, 0)
    return T.where(kept, x, noise.bernoulli(x.shape, 0.5).astype(x.dtype))
