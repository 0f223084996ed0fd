"""The contractive autoencoder: its code is to change little where the input does."""

from __future__ import annotations

from dataclasses import dataclass, replace

import symdl.tensor as T
from symdl.derivatives.gradient import grad
from symdl.errors import ConfigError
from symdl.graph.expr import Expr
from symdl.nn.layers import Dense
from symdl.nn.objective import Objective
from symdl.zoo.autoencoder import Autoencoder, AutoencoderConfig, reconstruction


@dataclass(frozen=True)
class ContractiveConfig(AutoencoderConfig):
    """contraction: how much the squared norm of the Jacobian counts in the cost. There is one hidden layer."""

    contraction: float = 0.002
    tied: bool = True
    loss: str = "binary_crossentropy"

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.sizes) != 2 or self.contraction < 0 or self.activation == "softmax":
            raise ConfigError(
                f"contractive: sizes {self.sizes} of two numbers, a contraction of at least 0 (here {self.contraction}) "
                f"and an activation of each unit alone (here {self.activation}) are needed"
            )


class ContractiveAutoencoder(Autoencoder):
    """The autoencoder whose cost has, an example, contraction * sum over i, j of (dh[j] / dx[i])**2.

    (Rifai, Vincent, Muller, Glorot and Bengio, 2011.)
    """

    name = "contractive"
    Config = ContractiveConfig
    config: ContractiveConfig

    @property
    def precision(self) -> str:
        return "plain"  # slopes h (1 - h) magnify as differences do: see step_precision

    def objective(self, x: Expr) -> Objective:
        plain = reconstruction(self.encoder, self.decoder, x, self.config.loss)
        norm = jacobian_norm(self.encoder.layers[0], x)  # type: ignore[arg-type]  # a Dense
        losses = plain.losses + self.config.contraction * norm
        measures = {"loss": losses, "contraction": norm}
        return replace(plain, losses=losses, measures=measures, quiet=measures)


def jacobian_norm(layer: Dense, x: Expr) -> Expr:
    """sum over i, j of (dh[n, j] / dx[n, i])**2 for each example n, where h = layer(x).

    As h[j] = f(z[j]), z = x @ W + b, it is sum over j of f'(z[j])**2 times sum over i of W[i, j]**2; of a sigmoid, f' is
    h (1 - h). The Jacobian itself is never made.
    """
    z = x @ layer.W + layer.b
    slope = grad(layer.activation(z).sum(), z)
    return T.dot(slope**2, (layer.W**2).sum(axis=0))
