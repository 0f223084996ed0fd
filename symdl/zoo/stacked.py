"""The stacked denoising autoencoder: layers that learn to repair their input one after another, then a classifier of them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import symdl.tensor as T
from symdl.errors import ConfigError
from symdl.nn.callbacks import Callback
from symdl.nn.history import History
from symdl.nn.layers import Chain, Dense, Layer, Training
from symdl.nn.losses import loss
from symdl.nn.optimizers import optimizer
from symdl.nn.training import Trainer
from symdl.nn.weights import assign, values
from symdl.random import RandomStream
from symdl.zoo.autoencoder import Mirror, reconstruction, step_precision
from symdl.zoo.base import Array
from symdl.zoo.denoising import corrupted
from symdl.zoo.greedy import Stage
from symdl.zoo.layerwise import Layerwise, LayerwiseConfig


@dataclass(frozen=True)
class StackedConfig(LayerwiseConfig):
    """sizes: features, units of each hidden layer, classes. corruption: the fraction of its input that each hidden layer
    does not see while it is pretrained, one number a layer, or one for all. reconstruction: what its reconstruction costs.
    pretraining_: of pretraining; 0 epochs leave it out. The other fields are of fine-tuning."""

    title: ClassVar[str] = "stacked"
    corruption: tuple[float, ...] = (0.3,)
    reconstruction: str = "binary_crossentropy"
    pretraining_epochs: int = 30
    pretraining_rate: float = 0.002
    pretraining_optimizer: str = "adam"

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.corruption) not in (1, len(self.sizes) - 2) or not all(0 <= c < 1 for c in self.corruption):
            raise ConfigError(
                f"stacked: corruptions {self.corruption} are not {len(self.sizes) - 2} numbers in 0 <= c < 1, or one"
            )
        loss(self.reconstruction), optimizer(self.pretraining_optimizer, self.pretraining_rate)


class StackedAutoencoder(Layerwise):
    """A network of sigmoid layers that classifies, whose hidden layers were denoising autoencoders before.

        model = StackedAutoencoder()
        model.fit(x, y)                     # y -1: a row without a label, which pretraining learns from

    Each hidden layer learns to give back what the one below makes, of which it sees a part (Vincent, Larochelle, Lajoie,
    Bengio and Manzagol, 2010); then all layers learn the labels together. `fit` is `pretrain(x)` and then
    `fine_tune(x, y)`. The attributes are config, model (a Sequential), stages, pretraining (histories) and trainer.
    """

    name = "stacked"
    Config = StackedConfig
    config: StackedConfig

    def layers(self) -> list[Layer]:
        *hidden, classes = self.config.sizes[1:]
        layers: list[Layer] = [Dense(n, "sigmoid", name=f"layer{k}") for k, n in enumerate(hidden)]
        return [*layers, Dense(classes, "softmax", name=f"layer{len(hidden)}")]

    def build(self) -> None:
        super().build()
        self.stages = [self._stage(k, layer) for k, layer in enumerate(self.model.layers[:-1])]
        self.pretraining: list[History] = []
        self.pretrained: dict[str, Array] = {}  # the weights with which fine-tuning begins

    def _stage(self, k: int, layer: Layer) -> Stage:
        """Layer k as a denoising autoencoder with tied weights."""
        assert isinstance(layer, Dense)  # they are made above
        c = self.config
        x = T.tensor("x", dtype=c.dtype, shape=(None, c.sizes[k]))
        decoder, training = Mirror(layer, "sigmoid", name=f"mirror{k}"), Training(RandomStream(c.seed + 1 + k))
        amount = c.corruption[k if len(c.corruption) > 1 else 0]
        seen = corrupted(x, training.noise, amount)
        objective = reconstruction(Chain([layer]), decoder, x, c.reconstruction, training, seen)
        chosen = optimizer(c.pretraining_optimizer, c.pretraining_rate)
        precision = step_precision(c.reconstruction)
        return Stage(Trainer(objective, chosen, seed=c.seed + 1 + k, precision=precision), layer(x))

    def pretrain(
        self, x: Any, *, validation: Any = None, callbacks: Sequence[Callback] = (), verbose: Literal[0, 1] = 1
    ) -> list[History]:
        histories = super().pretrain(x, validation=validation, callbacks=callbacks, verbose=verbose)
        self.pretrained = values(self.model.parameters)
        return histories

    def begin(self) -> None:
        if self.pretrained:
            assign(self.model.parameters, self.pretrained, "pretraining")
