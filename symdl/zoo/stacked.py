"""The stacked denoising autoencoder: layers that learn to repair their input one after another, then a classifier of them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

import symdl.tensor as T
from symdl.errors import ConfigError
from symdl.nn.callbacks import Callback
from symdl.nn.history import History
from symdl.nn.layers import Chain, Dense, Layer, Training
from symdl.nn.losses import loss
from symdl.nn.optimizers import optimizer
from symdl.nn.training import Trainer, Transform, Validation
from symdl.nn.weights import assign, values
from symdl.random import RandomStream
from symdl.zoo.autoencoder import Mirror, reconstruction
from symdl.zoo.base import Array
from symdl.zoo.classifier import Network, NetworkConfig
from symdl.zoo.denoising import corrupted
from symdl.zoo.greedy import UNLABELLED, Stage, greedy


@dataclass(frozen=True)
class StackedConfig(NetworkConfig):
    """sizes: features, units of each hidden layer, classes. corruption: the fraction of its input that each hidden layer
    does not see while it is pretrained, one number a layer, or one for all. reconstruction: what its reconstruction costs.
    pretraining_: of pretraining; 0 epochs leave it out. The other fields are of fine-tuning."""

    sizes: tuple[int, ...] = (64, 256, 256, 10)
    corruption: tuple[float, ...] = (0.3,)
    reconstruction: str = "binary_crossentropy"
    pretraining_epochs: int = 30
    pretraining_rate: float = 0.002
    pretraining_optimizer: str = "adam"
    learning_rate: float = 0.002
    epochs: int = 40

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.sizes) < 3 or not all(type(n) is int and n > 0 for n in self.sizes):
            raise ConfigError(f"stacked: sizes {self.sizes} are not (features, hidden, ..., classes), each at least 1")
        if len(self.corruption) not in (1, len(self.sizes) - 2) or not all(0 <= c < 1 for c in self.corruption):
            raise ConfigError(
                f"stacked: corruptions {self.corruption} are not {len(self.sizes) - 2} numbers in 0 <= c < 1, or one"
            )
        if self.pretraining_epochs < 0:
            raise ConfigError(f"stacked: pretraining_epochs {self.pretraining_epochs} is below 0")
        loss(self.reconstruction), optimizer(self.pretraining_optimizer, self.pretraining_rate)


class StackedAutoencoder(Network):
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
        return Stage(Trainer(objective, chosen, seed=c.seed + 1 + k, precision="plain"), layer(x))

    def fit(
        self,
        x: Any,
        y: Any = None,
        *,
        validation: Validation = None,
        callbacks: Sequence[Callback] = (),
        transform: Transform | None = None,
        verbose: Literal[0, 1] = 1,
    ) -> History:
        """Pretrain on all rows of x, fine-tune on those whose label is not -1: the history of fine-tuning, which the
        other arguments are of. See `Model.fit`."""
        rows = self.inputs(x, "fit")
        wanted = np.asarray(y)
        labelled = wanted != UNLABELLED if wanted.shape == (len(rows),) else np.ones(len(rows), bool)
        labels = self.labels(y if labelled.all() else wanted[labelled], "fit")
        self.pretrain(rows, verbose=verbose)
        if self.pretraining and self.pretraining[-1].interrupted:
            return self.pretraining[-1]
        return self.fine_tune(
            rows[labelled], labels, validation=validation, callbacks=callbacks, transform=transform, verbose=verbose
        )

    def pretrain(self, x: Any, *, callbacks: Sequence[Callback] = (), verbose: Literal[0, 1] = 1) -> list[History]:
        """Train the hidden layers from fresh weights, each on what the one below makes of x: their histories."""
        rows = self.inputs(x, "pretrain")
        self.trainer.reset()
        for stage in self.stages:
            stage.trainer.reset()
        c = self.config
        if c.pretraining_epochs:
            self.pretraining = greedy(
                self.stages,
                rows,
                epochs=c.pretraining_epochs,
                batch_size=c.batch_size,
                callbacks=callbacks,
                verbose=verbose,
            )
        self.pretrained = values(self.model.parameters)
        self.seen(rows)
        return self.pretraining

    def fine_tune(
        self,
        x: Any,
        y: Any,
        *,
        validation: Validation = None,
        callbacks: Sequence[Callback] = (),
        transform: Transform | None = None,
        verbose: Literal[0, 1] = 1,
    ) -> History:
        """Train all layers on the labels y of x, beginning as the last `pretrain` left them."""
        rows, labels = self.inputs(x, "fine_tune"), self.labels(y, "fine_tune")
        if validation is not None and not isinstance(validation, float | int):
            validation = self.inputs(validation[0], "fine_tune"), self.labels(validation[1], "fine_tune")
        self.trainer.reset()
        if self.pretrained:
            assign(self.model.parameters, self.pretrained, "pretraining")
        history = self.train(rows, labels, validation, callbacks, transform, verbose)
        if self.range is None:
            self.seen(rows)
        return history

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.config.sizes[0],)

    @property
    def classes(self) -> int:
        return self.config.sizes[-1]

    def __repr__(self) -> str:
        return f"StackedAutoencoder({'-'.join(map(str, self.config.sizes))})"
