"""The sparse autoencoder: each unit of its code is rarely active, so that it becomes one feature, an edge in photographs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import symdl.tensor as T
from symdl.errors import ConfigError
from symdl.graph.expr import Expr
from symdl.nn.objective import Objective
from symdl.zoo.autoencoder import Autoencoder, AutoencoderConfig, reconstruction
from symdl.zoo.gabor import gabor_r2


@dataclass(frozen=True)
class SparseConfig(AutoencoderConfig):
    """rho: the mean activation that each unit is to have. beta: how much its divergence from it counts. There is one
    hidden layer of sigmoid units; l2 is half of the usual lambda."""

    sizes: tuple[int, ...] = (100, 100)
    rho: float = 0.01
    beta: float = 3.0
    l2: float = 0.5e-4
    solver: str = "l-bfgs"
    epochs: int = 400
    dtype: str = "float64"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.rho < 1 or self.beta < 0 or len(self.sizes) != 2 or self.activation != "sigmoid":
            raise ConfigError(
                f"sparse: rho {self.rho} in 0..1, beta {self.beta} of at least 0, sizes {self.sizes} of two numbers and "
                f"sigmoid units (here {self.activation}) are needed"
            )


class SparseAutoencoder(Autoencoder):
    """The autoencoder with cost sum_i (z[i] - x[i])**2 / 2, on average, + beta sum_j KL(rho || mean of h[j]) + l2 sum W**2.

    On small patches of photographs its units become edges, as the cells of the visual cortex are (Olshausen and Field,
    1996; Lee, Ekanadham and Ng, 2008; the form of Ng's lecture notes, 2011). The mean is over a batch: by default all data.
    """

    name = "sparse"
    Config = SparseConfig
    config: SparseConfig

    def objective(self, x: Expr) -> Objective:
        c = self.config
        plain = reconstruction(self.encoder, self.decoder, x)
        losses = ((plain.prediction - x) ** 2).sum(axis=1) / 2
        active = self.encoder(x).mean(axis=0)
        penalty = c.beta * divergence(c.rho, active).sum()
        measures = {"loss": losses, "active": active.mean()}
        return replace(
            plain,
            losses=losses,
            penalty=penalty if plain.penalty is None else penalty + plain.penalty,
            measures=measures,
            quiet=measures,
        )

    def evaluate(self, x: Any, y: Any = None) -> dict[str, float]:
        """active: the mean activation of a unit; mse, loss: as of any autoencoder; for square patches first of all edges: the
        fraction of units of whose weights a Gabor function explains more than half."""
        measures = super().evaluate(x)
        measures["active"] = float(self.transform(x).mean())
        side = math.isqrt(self.features)
        if side * side != self.features or side < 3:
            return measures
        return {"edges": float((gabor_r2(self.filters) > 0.5).mean()), **measures}


def divergence(rho: float, mean: Expr) -> Expr:
    """KL(rho || mean), in nats, between two Bernoulli variables: rho log(rho / mean) + (1 - rho) log((1 - rho) / (1 - mean))."""
    return rho * T.log(rho / mean) + (1 - rho) * T.log((1 - rho) / (1 - mean))
