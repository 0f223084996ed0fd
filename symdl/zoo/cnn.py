"""Convolutional networks over images: LeNet-5 (LeCun, Bottou, Bengio and Haffner, 1998) and a small VGG (Simonyan and Zisserman, 2015)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from symdl.errors import ConfigError
from symdl.images import Augmentation
from symdl.nn.activations import activation
from symdl.nn.history import History
from symdl.nn.layers import Conv2D, Dense, Flatten, Layer, MaxPooling2D
from symdl.nn.training import Transform
from symdl.zoo.base import Array
from symdl.zoo.classifier import Network, NetworkConfig

FIRST = "channels_first"


@dataclass(frozen=True)
class CNNConfig(NetworkConfig):
    """image: channels, rows, columns; a row of features is such an image in C order. filters: of each convolution.
    kernel: extent of all filters. padding: "same" or "valid". hidden: units between the convolutions and the classes. classes: how many labels.
    shift, rotate, flip: how training images vary, in pixels and degrees, either way, and mirrored (symdl.images)."""

    image: tuple[int, int, int] = (1, 8, 8)
    filters: tuple[int, ...] = (8, 16)
    kernel: int = 3
    padding: str = "same"
    activation: str = "tanh"
    hidden: int = 64
    classes: int = 10
    epochs: int = 30
    shift: int = 0
    rotate: float = 0.0
    flip: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.image) != 3 or not self.filters or min(*self.image, *self.filters) < 1:
            raise ConfigError(
                f"CNN: image {self.image} is not (channels, rows, columns), or filters {self.filters} not counts"
            )
        if self.padding not in ("same", "valid"):
            raise ConfigError(f"CNN: padding {self.padding!r} is neither same nor valid")
        if min(self.kernel, self.hidden, self.classes) < 1:
            raise ConfigError(
                f"CNN: kernel {self.kernel}, hidden {self.hidden}, classes {self.classes} must be at least 1"
            )
        activation(self.activation)


class LeNet(Network):
    """Convolutions, each with its pooling by 2, a hidden layer, softmax.

    The default is for 8 by 8 digits: 8 and 16 filters of 3 by 3, tanh; the recipe lenet-mnist is the net of the
    deeplearning.net tutorials: 20 and 50 filters of 5 by 5, 500 hidden units.
    """

    name = "lenet"
    Config = CNNConfig
    config: CNNConfig

    def layers(self) -> list[Layer]:
        c = self.config
        layers: list[Layer] = []
        rows = min(c.image[1:])
        for k, filters in enumerate(c.filters):
            layers.append(
                Conv2D(
                    filters, c.kernel, padding=c.padding, activation=c.activation, data_format=FIRST, name=f"conv{k}"
                )
            )
            rows -= 0 if c.padding == "same" else c.kernel - 1
            if rows < 1:
                raise ConfigError(f"{type(self).__name__}: images of {c.image} are too small for {c.filters} filters")
            if rows >= 2 and self.pooled(k):
                layers.append(MaxPooling2D(2, data_format=FIRST))
                rows //= 2
        return [
            *layers,
            Flatten(),
            Dense(c.hidden, c.activation, name="hidden"),
            Dense(c.classes, "softmax", name="top"),
        ]

    def train(self, *data: Array, transform: Transform | None = None, **how: Any) -> History:
        c = self.config
        if transform is None and (c.shift or c.rotate or c.flip):
            vary = Augmentation(rotate=c.rotate, shift=c.shift, flip=c.flip)

            def transform(batch: tuple[Array, ...], rng: np.random.Generator) -> tuple[Array, ...]:
                return vary(batch[0], rng), batch[1]

        return super().train(*data, transform=transform, **how)

    def pooled(self, k: int) -> bool:
        """Whether the k-th convolution is followed by pooling."""
        return True

    @property
    def shape(self) -> tuple[int, ...]:
        return self.config.image

    @property
    def classes(self) -> int:
        return self.config.classes

    def __repr__(self) -> str:
        c = self.config
        return f"{type(self).__name__}({'x'.join(map(str, c.image))}, {'-'.join(map(str, c.filters))}, {c.hidden})"


@dataclass(frozen=True)
class VGGConfig(CNNConfig):
    """A CNNConfig whose filters go in pairs."""

    filters: tuple[int, ...] = (16, 16, 32, 32)
    activation: str = "relu"
    learning_rate: float = 0.001


class VGG(LeNet):
    """Convolutions of 3 by 3 that keep the image's extents, pooling by 2 after each pair, a hidden layer, softmax."""

    name = "vgg"
    Config = VGGConfig
    config: VGGConfig

    def pooled(self, k: int) -> bool:
        return k % 2 == 1
